"""Somebody on a bicycle, made of bars and balls: the furniture has bicycles and people, but nobody who rides."""

import numpy as np

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.modeller import Modeller, Rgb
from video3d.vocabulary import color

_TYRE: Rgb = (0.06, 0.06, 0.06)
_SHIRTS = ("red", "blue", "green", "yellow", "white", "orange", "purple")
_SKINS: tuple[Rgb, ...] = ((0.85, 0.66, 0.54), (0.62, 0.43, 0.31), (0.36, 0.23, 0.16))
_TROUSERS: tuple[Rgb, ...] = ((0.12, 0.16, 0.3), (0.1, 0.1, 0.11), (0.42, 0.36, 0.28))

YZ = tuple[float, float]


def _bar(m: Modeller, x: float, start: YZ, end: YZ, thick: float, paint: Rgb) -> None:
    """A bar at an x from (y, z) to (y, z)."""
    along = np.array(end) - np.array(start)
    middle = (np.array(start) + np.array(end)) / 2
    m.box(
        (x, float(middle[0]), float(middle[1])),
        (thick, float(np.linalg.norm(along)) + thick * 0.6, thick),
        paint,
        tilt_x_rad=float(np.arctan2(along[1], along[0])),
        collides=False,
    )


def cyclist_asset(rng: np.random.Generator) -> Asset:
    """A cyclist, 1.75 m long, with a frame and clothes of drawn colours.

    >>> cyclist_asset(np.random.default_rng(0)).category
    'cyclist'
    """
    m, r = Modeller(), 0.34
    frame: Rgb = color(str(rng.choice(["red", "blue", "grey", "black"]))).rgb
    shirt: Rgb = color(str(rng.choice(_SHIRTS))).rgb
    skin, trousers = _SKINS[int(rng.integers(3))], _TROUSERS[int(rng.integers(3))]
    for y in (-0.52, 0.52):
        ring = [(r - 0.03, 0.0), (r, 0.01), (r, 0.025), (r - 0.03, 0.035), (r - 0.03, 0.0)]
        m.lathe((-0.0175, y, r), ring, _TYRE, axis="x", sides=28, collides=False)
        for k in range(4):
            m.box((0, y, r), (0.006, 2 * r - 0.06, 0.008), (0.7, 0.7, 0.7), tilt_x_rad=k * np.pi / 4, collides=False)
    for start, end in (((-0.52, r), (-0.38, 1.0)), ((-0.42, 0.8), (0.14, 0.78)), ((-0.42, 0.74), (0.05, 0.3)),
                       ((0.05, 0.3), (0.18, 0.92)), ((0.05, 0.3), (0.52, r)), ((0.14, 0.76), (0.52, r))):  # fmt: skip
        _bar(m, 0.0, start, end, 0.035, frame)
    m.box((0, 0.2, 0.94), (0.14, 0.26, 0.06), _TYRE, collides=False)
    m.box((0, -0.38, 1.02), (0.5, 0.035, 0.035), (0.15, 0.15, 0.15), collides=False)
    hip, shoulder = (0.18, 1.0), (-0.12, 1.48)
    _bar(m, 0.0, hip, shoulder, 0.26, shirt)
    m.ellipsoid((0, 0.18, 1.0), (0.17, 0.15, 0.13), trousers, collides=False)
    for side, knee, foot in ((-1, (-0.16, 0.86), (0.02, 0.44)), (1, (-0.12, 0.66), (0.06, 0.2))):
        x = side * 0.11
        _bar(m, x, hip, knee, 0.13, trousers)
        _bar(m, x, knee, foot, 0.1, trousers)
        m.box((x, foot[0] - 0.06, foot[1] - 0.04), (0.09, 0.25, 0.08), (0.08, 0.08, 0.08), collides=False)
        _bar(m, side * 0.21, shoulder, (-0.22, 1.2), 0.085, shirt)
        _bar(m, side * 0.22, (-0.22, 1.2), (-0.38, 1.04), 0.07, skin)
        m.ellipsoid((side * 0.17, -0.11, 1.46), (0.09, 0.09, 0.09), shirt, collides=False)
    m.ellipsoid((0, -0.2, 1.68), (0.09, 0.105, 0.125), skin, collides=False)
    m.ellipsoid((0, -0.19, 1.74), (0.105, 0.14, 0.085), (0.9, 0.9, 0.9) if rng.random() < 0.6 else (0.12, 0.12, 0.13))
    m.solid((0, 0, 0.55), (0.5, 1.7, 1.1))
    m.solid((0, 0.0, 1.4), (0.45, 0.5, 0.6))
    return m.asset("street/cyclist", "cyclist", "cyclist", "street")
