"""Small things made here: they stand on tables, shelves and the floor."""

from collections.abc import Callable

import numpy as np

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.modeller import Modeller, Rgb
from video3d.vocabulary import color

_PAINTS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")


def _paint(rng: np.random.Generator) -> Rgb:
    return color(_PAINTS[int(rng.integers(len(_PAINTS)))]).rgb


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.round(rng.uniform(low, high), 3))


def _box(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), (0.72, 0.55, 0.36)
    x, y, z = _between(rng, 0.2, 0.4), _between(rng, 0.18, 0.3), _between(rng, 0.14, 0.28)
    m.box((0, 0, z / 2), (x, y, z), rgb)
    m.box((0, 0, z + 0.001), (x, 0.05, 0.002), (0.85, 0.75, 0.55), collides=False)
    m.box((0, -y / 2 - 0.001, z * 0.85), (0.05, 0.002, z * 0.3), (0.85, 0.75, 0.55), collides=False)
    return m.asset(asset_id, "cardboard box", "box", "support")


def _gift(rng: np.random.Generator, asset_id: str) -> Asset:
    m, paper, ribbon = Modeller(), _paint(rng), _paint(rng)
    x, z = _between(rng, 0.16, 0.26), _between(rng, 0.12, 0.22)
    m.box((0, 0, z / 2), (x, x * 0.8, z), paper)
    m.box((0, 0, z / 2), (x + 0.004, 0.03, z + 0.004), ribbon, collides=False)
    m.box((0, 0, z / 2), (0.03, x * 0.8 + 0.004, z + 0.004), ribbon, collides=False)
    for side in (-1, 1):
        m.ellipsoid((side * 0.035, 0, z + 0.02), (0.035, 0.016, 0.02), ribbon, collides=False, rings=6, sides=10)
    return m.asset(asset_id, "gift", "gift", "support")


def _book(rng: np.random.Generator, asset_id: str) -> Asset:
    m, cover = Modeller(), _paint(rng)
    x, y, z = _between(rng, 0.15, 0.21), _between(rng, 0.21, 0.28), _between(rng, 0.02, 0.045)
    m.box((0, 0, z / 2), (x - 0.006, y - 0.01, z - 0.006), (0.93, 0.91, 0.85), collides=False)
    m.box((0, 0, 0.002), (x, y, 0.004), cover, collides=False)
    m.box((0, 0, z - 0.002), (x, y, 0.004), cover, collides=False)
    m.box((-x / 2 + 0.002, 0, z / 2), (0.004, y, z), cover, collides=False)
    m.solid((0, 0, z / 2), (x, y, z))
    return m.asset(asset_id, "book", "book", "support")


def _cup(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), _paint(rng)
    r, h = _between(rng, 0.038, 0.046), _between(rng, 0.085, 0.105)
    wall = 0.005
    profile = [(0.0, 0.0), (r * 0.85, 0.0), (r, h * 0.25), (r, h), (r - wall, h), (r - wall, h * 0.25), (0.0, 0.012)]
    m.lathe((0, 0, 0), profile, rgb, sides=24)
    for k in range(5):  # the handle: beads along a half circle
        a0, a1 = -np.pi / 2 + np.pi * k / 5, -np.pi / 2 + np.pi * (k + 1) / 5
        a, rr = (a0 + a1) / 2, h * 0.28
        m.ellipsoid(
            (r + np.cos(a) * rr * 0.8, 0, h * 0.52 + np.sin(a) * rr),
            (0.009, 0.007, 0.012),
            rgb,
            collides=False,
            rings=6,
            sides=8,
        )
    return m.asset(asset_id, "cup", "cup", "support")


def _bottle(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    rgb = [(0.07, 0.28, 0.12), (0.35, 0.17, 0.06), (0.1, 0.2, 0.55)][int(rng.integers(3))]
    r, h = _between(rng, 0.033, 0.042), _between(rng, 0.24, 0.31)
    m.lathe(
        (0, 0, 0),
        [(0, 0), (r, 0), (r, h * 0.58), (r * 0.75, h * 0.68), (0.014, h * 0.76), (0.014, h * 0.93), (0, h * 0.93)],
        rgb,
        sides=20,
    )
    m.cylinder((0, 0, h * 0.93), 0.016, h * 0.07, (0.75, 0.12, 0.1), sides=14)
    m.cylinder((0, 0, h * 0.2), r + 0.0006, h * 0.26, (0.94, 0.92, 0.84), sides=20, collides=False)
    return m.asset(asset_id, "bottle", "bottle", "support")


def _bowl(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), _paint(rng)
    r, h = _between(rng, 0.08, 0.14), _between(rng, 0.06, 0.085)
    outer = [(r * 0.45, 0.0), (r * 0.7, h * 0.28), (r * 0.9, h * 0.62), (r, h)]
    inner = [(max(x - 0.006, 0.0), z + (0.01 if z < h else 0.0)) for x, z in reversed(outer)]
    m.lathe((0, 0, 0), [(0.0, 0.0), *outer, *inner, (0.0, 0.01)], rgb, sides=28, collides=False)
    m.solid((0, 0, 0.006), (r * 0.9, r * 0.9, 0.012))
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):  # the rim: open inside, so that something can lie in it
        m.solid((x * r * 0.86, y * r * 0.86, h * 0.6), (0.05 if x else r * 1.3, 0.05 if y else r * 1.3, h * 0.8))
    return m.asset(asset_id, "bowl", "bowl", "support")


def _plate(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    r, rgb = _between(rng, 0.1, 0.135), color("white" if rng.uniform() < 0.5 else "blue").rgb
    m.lathe(
        (0, 0, 0), [(0, 0), (r * 0.6, 0), (r, 0.018), (r * 0.98, 0.022), (r * 0.6, 0.006), (0, 0.006)], rgb, sides=32
    )
    return m.asset(asset_id, "plate", "plate", "support")


def _vase(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb, h = Modeller(), _paint(rng), _between(rng, 0.2, 0.34)
    shape = [(0.3, 0.0), (0.42, 0.12), (0.5, 0.32), (0.4, 0.55), (0.22, 0.78), (0.2, 0.88), (0.3, 1.0)]
    w = h * 0.5
    m.lathe((0, 0, 0), [(0, 0), *[(x * w, z * h) for x, z in shape]], rgb, sides=24, smooth=True)
    m.cylinder((0, 0, h * 0.985), 0.3 * w, 0.003, (0.05, 0.05, 0.05), sides=24, collides=False)
    return m.asset(asset_id, "vase", "vase", "support")


def _lamp(rng: np.random.Generator, asset_id: str) -> Asset:
    m, h = Modeller(), _between(rng, 0.36, 0.5)
    base = _paint(rng)
    m.cylinder((0, 0, 0), 0.075, 0.02, base)
    m.lathe((0, 0, 0.02), [(0.03, 0), (0.055, h * 0.2), (0.02, h * 0.45), (0.012, h * 0.55)], base, smooth=True)
    m.cylinder((0, 0, h * 0.55), 0.14, h * 0.45, (0.96, 0.92, 0.78), top=0.09, sides=24)
    return m.asset(asset_id, "table lamp", "lamp", "support")


def _laptop(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    rgb: Rgb = (0.68, 0.69, 0.7) if rng.uniform() < 0.6 else (0.12, 0.12, 0.13)
    w = _between(rng, 0.3, 0.36)
    m.box((0, 0, 0.009), (w, 0.23, 0.018), rgb)
    m.box((0, 0.02, 0.0185), (w - 0.05, 0.11, 0.002), (0.05, 0.05, 0.05), collides=False)
    m.box((0, -0.075, 0.0185), (0.1, 0.06, 0.002), (0.4, 0.4, 0.41), collides=False)
    m.box((0, 0.15, 0.115), (w, 0.008, 0.21), rgb, tilt_x_rad=-0.3)
    m.box((0, 0.1455, 0.115), (w - 0.02, 0.003, 0.19), (0.08, 0.16, 0.34), tilt_x_rad=-0.3, collides=False)
    return m.asset(asset_id, "laptop", "laptop", "support")


def _tv(rng: np.random.Generator, asset_id: str) -> Asset:
    m, w = Modeller(), _between(rng, 0.85, 1.2)
    h = w * 0.57
    m.box((0, 0.0, 0.06 + h / 2), (w, 0.05, h), (0.06, 0.06, 0.07))
    m.box((0, -0.026, 0.06 + h / 2), (w - 0.03, 0.004, h - 0.03), (0.02, 0.03, 0.05), collides=False)
    m.box((0, 0, 0.04), (0.06, 0.04, 0.08), (0.06, 0.06, 0.07))
    m.box((0, 0, 0.008), (w * 0.35, 0.2, 0.016), (0.06, 0.06, 0.07))
    return m.asset(asset_id, "tv", "tv", "support")


def _clock(rng: np.random.Generator, asset_id: str) -> Asset:
    m, r = Modeller(), _between(rng, 0.13, 0.18)
    m.cylinder((0, 0.03, r), r, 0.03, _paint(rng), axis="y", sides=32)
    m.cylinder((0, 0.0, r), r * 0.88, 0.004, (0.97, 0.97, 0.95), axis="y", sides=32, collides=False)
    m.box((0, -0.008, r * 1.3), (0.012, 0.004, r * 0.6), (0.05, 0.05, 0.05), collides=False)
    m.box((r * 0.2, -0.008, r), (r * 0.4, 0.004, 0.014), (0.05, 0.05, 0.05), collides=False)
    return m.asset(asset_id, "wall clock", "clock", "wall", elevation_m=1.7)


def _teddy(rng: np.random.Generator, asset_id: str) -> Asset:
    m, fur = Modeller(), (0.45, 0.27, 0.13)
    light = (0.72, 0.55, 0.36)
    m.ellipsoid((0, 0, 0.1), (0.085, 0.075, 0.1), fur)
    m.ellipsoid((0, -0.04, 0.1), (0.055, 0.045, 0.07), light, collides=False)
    m.ellipsoid((0, -0.005, 0.25), (0.075, 0.068, 0.07), fur)
    m.ellipsoid((0, -0.068, 0.235), (0.033, 0.025, 0.026), light, collides=False)
    m.ellipsoid((0, -0.09, 0.242), (0.01, 0.008, 0.008), (0.05, 0.04, 0.04), collides=False)
    for s in (-1, 1):
        m.ellipsoid((s * 0.058, 0, 0.31), (0.027, 0.016, 0.027), fur, collides=False)
        m.ellipsoid((s * 0.028, -0.063, 0.27), (0.008, 0.008, 0.008), (0.03, 0.03, 0.03), collides=False)
        m.ellipsoid((s * 0.105, -0.03, 0.14), (0.035, 0.04, 0.055), fur)
        m.ellipsoid((s * 0.07, -0.1, 0.035), (0.037, 0.075, 0.036), fur)
    return m.asset(asset_id, "teddy bear", "teddy bear", "support")


SMALL_MAKERS: tuple[tuple[str, Callable[[np.random.Generator, str], Asset], int], ...] = (
    ("box", _box, 5),
    ("gift", _gift, 4),
    ("book", _book, 6),
    ("cup", _cup, 6),
    ("bottle", _bottle, 4),
    ("bowl", _bowl, 5),
    ("plate", _plate, 3),
    ("vase", _vase, 5),
    ("lamp", _lamp, 4),
    ("laptop", _laptop, 3),
    ("tv", _tv, 3),
    ("clock", _clock, 3),
    ("teddy-bear", _teddy, 1),
)
