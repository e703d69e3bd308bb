"""Things of the street made here: vehicles, people, trees, lamps, signals. Fronts face -y."""

import itertools
from collections.abc import Callable
from typing import Literal

import numpy as np

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.modeller import Modeller, Number, Rgb
from video3d.vocabulary import color

_LACQUERS = ("red", "blue", "white", "grey", "black", "yellow", "green")
_TYRE: Rgb = (0.06, 0.06, 0.06)
_GLASS: Rgb = (0.14, 0.19, 0.24)
_RIM: Rgb = (0.62, 0.63, 0.65)
_POLE: Rgb = (0.24, 0.25, 0.26)
_LIT: dict[str, Rgb] = {"red": (1.0, 0.08, 0.05), "yellow": (1.0, 0.8, 0.05), "green": (0.1, 0.95, 0.35)}
_DARK: dict[str, Rgb] = {"red": (0.2, 0.04, 0.04), "yellow": (0.2, 0.16, 0.03), "green": (0.03, 0.17, 0.07)}


def _lacquer(rng: np.random.Generator) -> Rgb:
    return color(_LACQUERS[int(rng.integers(len(_LACQUERS)))]).rgb


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.round(rng.uniform(low, high), 3))


def _wheel(m: Modeller, x: Number, y: Number, radius: Number, width: Number, outward: int) -> None:
    """A wheel standing on z = 0 whose outer side is at ``x``."""
    inner = x - outward * width
    m.cylinder((min(x, inner), y, radius), radius, width, _TYRE, axis="x", sides=24)
    m.cylinder((x if outward > 0 else x - 0.01, y, radius), radius * 0.6, 0.01, _RIM, axis="x", collides=False)


def _lights(m: Modeller, width: Number, length: Number, z: Number, size: Number) -> None:
    for x in (-1, 1):
        m.box((x * (width / 2 - 0.2), -length / 2, z), (0.3, 0.05, size), (0.97, 0.96, 0.88), collides=False)
        m.box((x * (width / 2 - 0.2), length / 2, z), (0.3, 0.05, size), (0.75, 0.05, 0.05), collides=False)


def _car(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), _lacquer(rng)
    length, width, height = _between(rng, 4.1, 4.7), _between(rng, 1.72, 1.84), _between(rng, 1.42, 1.56)
    h, w = length / 2, width / 2
    belt = height * 0.62
    # Side view from the front bumper over bonnet, roof and boot: y to the back, z up.
    body = [(-h, 0.28), (h, 0.28), (h, belt - 0.02), (h * 0.8, belt), (-h * 0.4, belt), (-h * 0.95, belt * 0.78)]
    m.profile(body, -w, w, rgb)
    cabin = [(-h * 0.45, belt), (h * 0.74, belt), (h * 0.52, height), (-h * 0.14, height)]
    m.profile(cabin, -w * 0.86, w * 0.86, _GLASS)
    m.box((0, h * 0.19, height - 0.015), (width * 0.84, length * 0.32, 0.05), rgb, collides=False)
    for x in (-1, 1):
        for y in (-h * 0.14, h * 0.22, h * 0.56):
            slope = [(y - 0.05, belt), (y + 0.05, belt), (y + 0.04, height - 0.02), (y - 0.04, height - 0.02)]
            m.profile(slope, x * w * 0.87 - 0.01, x * w * 0.87 + 0.01, rgb)
        for y in (-h * 0.62, h * 0.62):
            _wheel(m, x * (w + 0.01), y, 0.32, 0.22, x)
        m.box((x * (w + 0.06), -h * 0.3, belt + 0.06), (0.16, 0.1, 0.12), rgb, collides=False)
    _lights(m, width, length, belt * 0.7, 0.14)
    m.box((0, -h, 0.42), (width * 0.6, 0.05, 0.16), (0.08, 0.08, 0.08), collides=False)
    m.box((0, -h - 0.02, 0.33), (0.5, 0.03, 0.1), (0.93, 0.93, 0.9), collides=False)
    m.box((0, h + 0.01, 0.5), (0.5, 0.03, 0.1), (0.93, 0.93, 0.9), collides=False)
    m.solid((0, 0, (0.2 + belt) / 2), (width, length, belt - 0.2))
    m.solid((0, h * 0.15, (belt + height) / 2), (width * 0.86, length * 0.5, height - belt))
    return m.asset(asset_id, "car", "car", "street")


def _van(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), _lacquer(rng)
    length, width, height = _between(rng, 5.0, 5.6), 1.98, _between(rng, 2.2, 2.5)
    h, w = length / 2, width / 2
    body = [(-h, 0.3), (h, 0.3), (h, height), (-h * 0.5, height), (-h * 0.78, 1.25), (-h, 1.05)]
    m.profile(body, -w, w, rgb)
    glass = [(-h * 0.795, 1.27), (-h * 0.76, 1.27), (-h * 0.52, height - 0.14), (-h * 0.555, height - 0.14)]
    m.profile(glass, -w * 0.9, w * 0.9, _GLASS)
    for x in (-1, 1):
        m.box((x * w, -h * 0.42, height * 0.7), (0.02, 0.8, 0.6), _GLASS, collides=False)
        m.box((x * w, h * 0.3, 0.9), (0.02, length * 0.5, 0.05), (0.1, 0.1, 0.1), collides=False)
        for y in (-h * 0.64, h * 0.62):
            _wheel(m, x * (w + 0.01), y, 0.36, 0.24, x)
    m.box((0, h, height * 0.7), (width * 0.7, 0.03, 0.55), _GLASS, collides=False)
    _lights(m, width, length, 0.8, 0.2)
    m.solid((0, 0, (0.2 + height) / 2), (width, length, height - 0.2))
    return m.asset(asset_id, "van", "van", "street")


def _bus(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), _lacquer(rng)
    length, width, height = _between(rng, 10.5, 12.0), 2.5, 3.0
    h, w = length / 2, width / 2
    m.box((0, 0, (0.35 + height) / 2), (width, length, height - 0.35), rgb, collides=False)
    m.box((0, 0, height + 0.06), (width * 0.7, length * 0.5, 0.16), (0.85, 0.85, 0.85), collides=False)
    m.box((0, -h, 1.95), (width * 0.92, 0.04, 1.4), _GLASS, collides=False)
    m.box((0, -h - 0.01, 2.8), (width * 0.7, 0.04, 0.22), (0.95, 0.6, 0.1), collides=False)
    m.box((0, h, 2.1), (width * 0.8, 0.04, 0.9), _GLASS, collides=False)
    num = int(length // 1.5)
    for x in (-1, 1):
        for k in range(num):
            y = -h + 1.1 + k * (length - 1.6) / num
            m.box((x * w, y + 0.3, 2.05), (0.03, (length - 1.6) / num - 0.16, 1.05), _GLASS, collides=False)
        for y in (-h * 0.55, h * 0.55):
            _wheel(m, x * (w + 0.01), y, 0.48, 0.3, x)
    _lights(m, width, length, 0.75, 0.22)
    m.solid((0, 0, (0.3 + height) / 2), (width, length, height - 0.3))
    return m.asset(asset_id, "bus", "bus", "street")


def _truck(rng: np.random.Generator, asset_id: str) -> Asset:
    m, cab = Modeller(), _lacquer(rng)
    length, width, height = _between(rng, 7.0, 8.4), 2.45, _between(rng, 3.1, 3.5)
    h, w = length / 2, width / 2
    m.profile(
        [(-h, 0.45), (-h + 1.9, 0.45), (-h + 1.9, 2.7), (-h + 0.35, 2.7), (-h, 1.6)],
        -w * 0.96,
        w * 0.96,
        cab,
        collides=True,
    )
    m.profile([(-h + 0.02, 1.62), (-h + 0.06, 1.6), (-h + 0.36, 2.52), (-h + 0.3, 2.52)], -w * 0.85, w * 0.85, _GLASS)
    m.box((0, 0.95, (0.95 + height) / 2), (width, length - 2.0, height - 0.95), (0.9, 0.9, 0.88))
    m.box((0, 0.6, 0.78), (width * 0.5, length - 1.2, 0.3), (0.12, 0.12, 0.12))
    for x in (-1, 1):
        m.box((x * w * 0.965, -h + 1.0, 2.0), (0.02, 0.8, 0.7), _GLASS, collides=False)
        for y in (-h + 1.0, h * 0.45, h * 0.75):
            _wheel(m, x * (w + 0.005), y, 0.48, 0.3, x)
    _lights(m, width, length, 0.85, 0.2)
    return m.asset(asset_id, "truck", "truck", "street")


def _bicycle(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb, r = Modeller(), _lacquer(rng), 0.34
    for y in (-0.52, 0.52):
        ring = [(r - 0.025, 0.0), (r, 0.008), (r, 0.022), (r - 0.025, 0.03), (r - 0.025, 0.0)]
        m.lathe((-0.015, y, r), ring, _TYRE, axis="x", sides=32, collides=False)
        for k in range(6):
            angle = k * np.pi / 6
            m.box((0, y, r), (0.005, 2 * r - 0.05, 0.006), (0.7, 0.7, 0.7), tilt_x_rad=angle, collides=False)
        m.solid((0, y, r), (0.04, 1.4 * r, 1.4 * r))

    def tube(a: tuple[Number, Number], b: tuple[Number, Number], thick: Number, paint: Rgb) -> None:
        """A bar in the middle plane from (y, z) to (y, z)."""
        along = np.array(b) - np.array(a)
        middle = (np.array(a) + np.array(b)) / 2
        size = (thick, float(np.linalg.norm(along)) + thick, thick)
        m.box(
            (0, float(middle[0]), float(middle[1])),
            size,
            paint,
            tilt_x_rad=float(np.arctan2(along[1], along[0])),
            collides=False,
        )

    tube((-0.52, r), (-0.36, 0.92), 0.03, rgb)
    tube((-0.4, 0.78), (0.12, 0.74), 0.035, rgb)
    tube((-0.4, 0.72), (0.05, 0.3), 0.035, rgb)
    tube((0.05, 0.3), (0.17, 0.88), 0.03, rgb)
    tube((0.05, 0.3), (0.52, r), 0.022, rgb)
    tube((0.13, 0.72), (0.52, r), 0.022, rgb)
    m.box((0, 0.18, 0.91), (0.13, 0.26, 0.06), (0.08, 0.08, 0.08), collides=False)
    m.box((0, -0.36, 0.96), (0.52, 0.03, 0.03), (0.15, 0.15, 0.15), collides=False)
    m.box((0, 0.05, 0.3), (0.24, 0.05, 0.03), (0.3, 0.3, 0.3), collides=False)
    m.solid((0, -0.1, 0.6), (0.06, 0.7, 0.5))
    m.solid((0, -0.36, 0.96), (0.5, 0.05, 0.05))
    return m.asset(asset_id, "bicycle", "bicycle", "street")


def _person(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    k = _between(rng, 0.92, 1.06)
    skin = [(0.85, 0.66, 0.54), (0.62, 0.43, 0.31), (0.36, 0.23, 0.16)][int(rng.integers(3))]
    hair = [(0.1, 0.08, 0.06), (0.3, 0.18, 0.1), (0.62, 0.48, 0.26)][int(rng.integers(3))]
    shirt = _lacquer(rng)
    trousers = [(0.12, 0.16, 0.3), (0.1, 0.1, 0.11), (0.42, 0.36, 0.28)][int(rng.integers(3))]
    for s in (-1, 1):
        step = 0.1 * s
        m.box((s * 0.09 * k, step * 0.8, 0.45 * k), (0.13 * k, 0.14 * k, 0.8 * k), trousers, tilt_x_rad=0.12 * s)
        m.ellipsoid((s * 0.09 * k, step * 1.4 - 0.05, 0.045 * k), (0.05 * k, 0.13 * k, 0.05 * k), (0.1, 0.08, 0.07))
        m.lathe(
            (s * 0.245 * k, -step * 0.3, 0.82 * k),
            [(0, 0), (0.04 * k, 0.0), (0.05 * k, 0.56 * k), (0, 0.6 * k)],
            shirt,
            sides=12,
        )
        m.ellipsoid((s * 0.245 * k, -step * 0.3, 0.79 * k), (0.04 * k, 0.045 * k, 0.07 * k), skin, collides=False)
    m.lathe(
        (0, 0, 0.82 * k),
        [(0, 0), (0.165 * k, 0), (0.16 * k, 0.2 * k), (0.2 * k, 0.5 * k), (0.17 * k, 0.6 * k), (0.06 * k, 0.65 * k)],
        shirt,
    )
    m.cylinder((0, 0, 1.45 * k), 0.055 * k, 0.1 * k, skin, collides=False)
    m.ellipsoid((0, -0.01, 1.63 * k), (0.085 * k, 0.1 * k, 0.125 * k), skin)
    m.ellipsoid((0, 0.022, 1.665 * k), (0.095 * k, 0.1 * k, 0.105 * k), hair, collides=False)
    m.ellipsoid((0, -0.11 * k, 1.61 * k), (0.014, 0.018, 0.022), skin, collides=False)
    for s in (-1, 1):
        m.ellipsoid((s * 0.033 * k, -0.098 * k, 1.64 * k), (0.012, 0.01, 0.01), (0.04, 0.04, 0.05), collides=False)
    return m.asset(asset_id, "person", "person", "street")


def _tree(rng: np.random.Generator, asset_id: str) -> Asset:
    m, height = Modeller(), _between(rng, 4.0, 7.0)
    m.cylinder((0, 0, 0), 0.16, height * 0.5, (0.33, 0.23, 0.15), top=0.1, sides=12)
    if rng.uniform() < 0.4:  # a fir
        for k in range(4):
            z = height * (0.18 + 0.2 * k)
            m.cylinder((0, 0, z), 1.25 - 0.25 * k, height * 0.3, (0.08, 0.3 + 0.03 * k, 0.14), top=0.05, sides=14)
    else:
        for k in range(9):
            angle, ring = k * 2.4, 0.62 if k else 0.0
            at = (np.cos(angle) * ring, np.sin(angle) * ring, height * (0.55 + 0.05 * (k % 6)))
            size = _between(rng, 0.75, 1.05)
            m.ellipsoid(
                at, (size, size, size * 0.85), (0.13 + 0.02 * (k % 3), 0.36 + 0.04 * (k % 3), 0.1), rings=8, sides=12
            )
    return m.asset(asset_id, "tree", "tree", "street")


def _street_lamp(rng: np.random.Generator, asset_id: str) -> Asset:
    m, height = Modeller(), _between(rng, 4.5, 6.0)
    m.cylinder((0, 0, 0), 0.11, 0.5, _POLE)
    m.cylinder((0, 0, 0.5), 0.06, height - 0.5, _POLE, top=0.045, sides=14)
    m.box((0, -0.6, height), (0.06, 1.3, 0.06), _POLE)
    m.box((0, -1.15, height - 0.02), (0.2, 0.5, 0.1), (0.5, 0.51, 0.52))
    m.box((0, -1.15, height - 0.08), (0.16, 0.42, 0.03), (1.0, 0.96, 0.8), collides=False)
    return m.asset(asset_id, "street lamp", "street lamp", "street")


def _hydrant(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), color("red" if rng.uniform() < 0.7 else "yellow").rgb
    m.cylinder((0, 0, 0), 0.16, 0.05, rgb)
    m.cylinder((0, 0, 0.05), 0.11, 0.45, rgb)
    m.cylinder((0, 0, 0.48), 0.14, 0.04, rgb)
    m.lathe((0, 0, 0.52), [(0.12, 0), (0.1, 0.08), (0.04, 0.14), (0.0, 0.15)], rgb, smooth=True)
    m.cylinder((0, 0, 0.66), 0.025, 0.04, rgb, sides=8)
    m.cylinder((-0.2, 0, 0.37), 0.05, 0.4, rgb, axis="x")
    m.cylinder((0, 0.0, 0.33), 0.07, 0.18, rgb, axis="y")
    return m.asset(asset_id, "fire hydrant", "fire hydrant", "street")


def _cone(rng: np.random.Generator, asset_id: str) -> Asset:
    m, h = Modeller(), _between(rng, 0.5, 0.75)
    orange, white = (0.96, 0.42, 0.06), (0.95, 0.95, 0.95)
    m.box((0, 0, 0.015), (0.36, 0.36, 0.03), orange)
    cuts = (0.0, 0.35, 0.5, 0.68, 0.82, 1.0)
    for k, (a, b) in enumerate(itertools.pairwise(cuts)):
        r0, r1 = 0.14 - 0.11 * a, 0.14 - 0.11 * b
        m.cylinder((0, 0, 0.03 + a * h), r0, (b - a) * h, white if k % 2 else orange, top=r1)
    return m.asset(asset_id, "traffic cone", "traffic cone", "street")


def _bench(rng: np.random.Generator, asset_id: str) -> Asset:
    m, wood, w = Modeller(), (0.5, 0.33, 0.19), _between(rng, 1.4, 1.9)
    for x in (-1, 1):
        m.box((x * (w / 2 - 0.15), 0, 0.21), (0.06, 0.4, 0.42), _POLE)
        m.box((x * (w / 2 - 0.15), 0.2, 0.6), (0.06, 0.05, 0.5), _POLE)
    for k in range(4):
        m.box((0, -0.17 + 0.115 * k, 0.44), (w, 0.09, 0.035), wood)
    for k in range(3):
        m.box((0, 0.18, 0.56 + 0.13 * k), (w, 0.03, 0.09), wood)
    return m.asset(asset_id, "bench", "bench", "street")


def _crossing(rng: np.random.Generator, asset_id: str) -> Asset:
    m, width, stripes = Modeller(), 3.0, int(rng.integers(6, 9))
    for k in range(stripes):
        m.box(((k - (stripes - 1) / 2) * 1.0, 0, 0.004), (0.5, width, 0.008), (0.93, 0.93, 0.92), collides=False)
    m.solid((0, 0, 0.004), (stripes * 1.0 - 0.5, width, 0.008))
    return m.asset(asset_id, "crossing", "crossing", "street")


def _traffic_sign(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    m.cylinder((0, 0.02, 0), 0.035, 2.3, (0.55, 0.56, 0.57), sides=12)
    rgb = color("blue").rgb if rng.uniform() < 0.4 else (0.78, 0.06, 0.07)
    sides = 8 if rgb[0] > 0.5 else 28
    m.cylinder((0, 0.0, 2.3), 0.34, 0.02, (0.92, 0.92, 0.92), axis="y", sides=sides)
    m.cylinder((0, -0.012, 2.3), 0.31, 0.01, rgb, axis="y", sides=sides, collides=False)
    m.box((0, -0.026, 2.3), (0.36, 0.01, 0.09), (0.95, 0.95, 0.95), collides=False)
    return m.asset(asset_id, "traffic sign", "traffic sign", "street")


def traffic_light(state: Literal["red", "yellow", "green"] = "red") -> Asset:
    """A traffic light on a pole, of which one lamp is lit; three such assets have the same shape and differ in nothing else.

    >>> traffic_light("green").asset_id
    'primitive/traffic-light-green'
    """
    m = Modeller()
    m.cylinder((0, 0.1, 0), 0.09, 0.25, _POLE)
    m.cylinder((0, 0.1, 0.25), 0.055, 3.0, _POLE, sides=14)
    m.box((0, 0, 2.75), (0.34, 0.22, 1.0), (0.08, 0.08, 0.08))
    m.box((0, 0.115, 2.75), (0.5, 0.012, 1.16), (0.05, 0.05, 0.05), collides=False)
    for k, name in enumerate(("green", "yellow", "red")):
        z = 2.43 + 0.32 * k
        m.cylinder(
            (0, -0.112, z), 0.12, 0.03, (_LIT if name == state else _DARK)[name], axis="y", sides=24, collides=False
        )
        m.box((0, -0.16, z + 0.135), (0.27, 0.16, 0.02), (0.05, 0.05, 0.05), collides=False)
    return m.asset(f"primitive/traffic-light-{state}", f"traffic light ({state})", "traffic light", "street")


STREET_MAKERS: tuple[tuple[str, Callable[[np.random.Generator, str], Asset], int], ...] = (
    ("car", _car, 7),
    ("van", _van, 4),
    ("bus", _bus, 3),
    ("truck", _truck, 3),
    ("bicycle", _bicycle, 3),
    ("person", _person, 6),
    ("tree", _tree, 6),
    ("street-lamp", _street_lamp, 3),
    ("fire-hydrant", _hydrant, 3),
    ("traffic-cone", _cone, 3),
    ("bench", _bench, 3),
    ("crossing", _crossing, 2),
    ("traffic-sign", _traffic_sign, 4),
)
