"""Assets made here from simple solids: enough of everything for every question where no furniture library is installed.

Doors, windows, traffic lights and the crossing are used beside a furniture library too. Sizes and colours are drawn from a seed;
the same seed gives the same assets, bit by bit.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.modeller import Modeller, Rgb
from video3d.data.simulate.primitive_small import SMALL_MAKERS
from video3d.data.simulate.primitive_street import STREET_MAKERS, traffic_light
from video3d.vocabulary import color

Maker = Callable[[np.random.Generator, str], Asset]

_WOODS: tuple[Rgb, ...] = (
    (0.62, 0.43, 0.26),
    (0.36, 0.21, 0.11),
    (0.78, 0.62, 0.42),
    (0.93, 0.92, 0.9),
    (0.18, 0.17, 0.17),
)
_STEEL: Rgb = (0.55, 0.56, 0.58)
_CLOTHS = ("red", "blue", "green", "grey", "brown", "purple", "orange", "black", "white")


def _pick(rng: np.random.Generator, choices: tuple[Rgb, ...]) -> Rgb:
    return choices[int(rng.integers(len(choices)))]


def _cloth(rng: np.random.Generator) -> Rgb:
    return color(_CLOTHS[int(rng.integers(len(_CLOTHS)))]).rgb


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.round(rng.uniform(low, high), 3))


def _legs(m: Modeller, width: float, depth: float, height: float, thick: float, rgb: Rgb) -> None:
    for x in (-1, 1):
        for y in (-1, 1):
            at = (x * (width - thick) / 2, y * (depth - thick) / 2, height / 2)
            m.box(at, (thick, thick, height), rgb)


def _table(rng: np.random.Generator, asset_id: str, *, low: bool = False, desk: bool = False) -> Asset:
    m, wood = Modeller(), _pick(rng, _WOODS)
    width, depth = _between(rng, 1.1, 1.7), _between(rng, 0.75, 0.95)
    height, top = _between(rng, 0.72, 0.77), 0.035
    if low:
        width, depth, height = _between(rng, 0.8, 1.2), _between(rng, 0.5, 0.65), _between(rng, 0.38, 0.48)
    if desk:
        width, depth = _between(rng, 1.1, 1.5), _between(rng, 0.6, 0.75)
    round_top = not desk and rng.uniform() < 0.3
    if round_top:
        radius = depth * 0.6
        m.cylinder((0, 0, height - top), radius, top, wood, sides=32)
        m.cylinder((0, 0, 0.03), 0.045, height - top - 0.03, _STEEL)
        m.cylinder((0, 0, 0), radius * 0.55, 0.03, _STEEL, sides=28)
        half = (radius * 0.68, radius * 0.68)
    else:
        m.box((0, 0, height - top / 2), (width, depth, top), wood)
        _legs(m, width - 0.04, depth - 0.04, height - top, 0.06, _STEEL if rng.uniform() < 0.3 else wood)
        half = (width / 2 - 0.01, depth / 2 - 0.01)
    if desk:
        m.box((width / 2 - 0.25, 0, height - 0.33), (0.38, depth - 0.1, 0.58), wood)
        for k in range(3):
            m.box(
                (width / 2 - 0.25, -depth / 2 + 0.045, height - 0.14 - 0.19 * k), (0.34, 0.02, 0.16), _pick(rng, _WOODS)
            )
            m.box((width / 2 - 0.25, -depth / 2 + 0.025, height - 0.14 - 0.19 * k), (0.1, 0.02, 0.02), _STEEL)
    name = "desk" if desk else "coffee table" if low else "table"
    return m.asset(asset_id, name, name, "floor", support_m=height, support_half_m=half)


def _coffee_table(rng: np.random.Generator, asset_id: str) -> Asset:
    return _table(rng, asset_id, low=True)


def _desk(rng: np.random.Generator, asset_id: str) -> Asset:
    return _table(rng, asset_id, desk=True)


def _chair(rng: np.random.Generator, asset_id: str) -> Asset:
    m, wood, seat = Modeller(), _pick(rng, _WOODS), _cloth(rng)
    width, depth, high = _between(rng, 0.42, 0.48), _between(rng, 0.42, 0.48), _between(rng, 0.43, 0.47)
    back = _between(rng, 0.38, 0.5)
    _legs(m, width, depth, high - 0.05, 0.035, wood)
    m.box((0, 0, high - 0.025), (width, depth, 0.05), seat)
    for x in (-1, 1):
        m.box((x * (width - 0.035) / 2, depth / 2 - 0.0175, high + back / 2), (0.035, 0.035, back), wood)
    if rng.uniform() < 0.5:
        m.box((0, depth / 2 - 0.0175, high + back * 0.68), (width - 0.07, 0.025, back * 0.6), seat)
    else:
        for k in range(3):
            m.box((0, depth / 2 - 0.0175, high + back * (0.3 + 0.3 * k)), (width - 0.07, 0.02, 0.06), wood)
    return m.asset(asset_id, "chair", "chair", "floor")


def _stool(rng: np.random.Generator, asset_id: str) -> Asset:
    m, wood = Modeller(), _pick(rng, _WOODS)
    high, radius = _between(rng, 0.42, 0.65), _between(rng, 0.16, 0.2)
    m.cylinder((0, 0, high - 0.04), radius, 0.04, _cloth(rng), sides=28)
    _legs(m, radius * 1.5, radius * 1.5, high - 0.04, 0.03, wood)
    return m.asset(asset_id, "stool", "stool", "floor")


def _sofa(rng: np.random.Generator, asset_id: str, *, seats: int = 0) -> Asset:
    m, cloth = Modeller(), _cloth(rng)
    num = seats or int(rng.integers(2, 4))
    width, depth, arm = num * 0.62 + 0.36, _between(rng, 0.82, 0.92), 0.18
    shade = (cloth[0] * 0.85, cloth[1] * 0.85, cloth[2] * 0.85)
    m.box((0, 0, 0.16), (width, depth, 0.2), cloth)
    _legs(m, width - 0.1, depth - 0.1, 0.06, 0.05, (0.2, 0.14, 0.1))
    m.box((0, depth / 2 - 0.1, 0.54), (width - 2 * arm, 0.2, 0.56), cloth)
    for x in (-1, 1):
        m.box((x * (width - arm) / 2, 0, 0.42), (arm, depth, 0.32), cloth)
    for k in range(num):
        x = (k - (num - 1) / 2) * 0.62
        m.box((x, -0.1, 0.35), (0.6, depth - 0.22, 0.16), shade)
        m.box((x, depth / 2 - 0.25, 0.6), (0.58, 0.12, 0.36), shade, tilt_x_rad=-0.15)
    name = "armchair" if seats == 1 else "sofa"
    return m.asset(asset_id, name, name, "floor")


def _armchair(rng: np.random.Generator, asset_id: str) -> Asset:
    return _sofa(rng, asset_id, seats=1)


def _bed(rng: np.random.Generator, asset_id: str) -> Asset:
    m, wood, cloth = Modeller(), _pick(rng, _WOODS), _cloth(rng)
    width, length = float(rng.choice([0.95, 1.45, 1.65])), 2.05
    m.box((0, 0, 0.2), (width, length, 0.18), wood)
    _legs(m, width, length, 0.11, 0.08, wood)
    m.box((0, 0, 0.38), (width - 0.06, length - 0.08, 0.18), (0.93, 0.92, 0.9))
    m.box((0, -0.25, 0.48), (width + 0.0, length * 0.68, 0.07), cloth)
    m.box((0, length / 2 + 0.03, 0.5), (width + 0.06, 0.06, 1.0), wood)
    for x in [0.0] if width < 1.2 else [-width / 4, width / 4]:
        m.box((x, length / 2 - 0.28, 0.52), (0.55, 0.36, 0.1), (0.95, 0.95, 0.96))
    return m.asset(asset_id, "bed", "bed", "floor")


def _bookcase(rng: np.random.Generator, asset_id: str) -> Asset:
    m, wood = Modeller(), _pick(rng, _WOODS)
    width, depth, num = _between(rng, 0.7, 1.0), _between(rng, 0.28, 0.34), int(rng.integers(3, 6))
    height = num * 0.36 + 0.06
    for x in (-1, 1):
        m.box((x * (width - 0.025) / 2, 0, height / 2), (0.025, depth, height), wood)
    m.box((0, depth / 2 - 0.008, height / 2), (width - 0.05, 0.016, height), wood)
    for k in range(num + 1):
        m.box((0, -0.008, 0.0125 + k * (height - 0.025) / num), (width - 0.05, depth - 0.016, 0.025), wood)
    for k in range(num):
        x = -width / 2 + 0.04
        while x < width / 2 - 0.08 - 0.25 * rng.uniform():
            thick, tall = _between(rng, 0.02, 0.05), _between(rng, 0.2, 0.29)
            z = 0.025 + k * (height - 0.025) / num
            rgb = tuple(float(v) for v in np.round(rng.uniform(0.1, 0.8, 3), 1))
            m.box((x + thick / 2, 0.02, z + tall / 2), (thick * 0.95, depth * 0.62, tall), (rgb[0], rgb[1], rgb[2]))
            x += thick
    return m.asset(
        asset_id, "bookcase", "bookcase", "floor", support_m=height, support_half_m=(width / 2 - 0.02, depth / 2 - 0.02)
    )


def _shelf(rng: np.random.Generator, asset_id: str) -> Asset:
    m, wood = Modeller(), _pick(rng, _WOODS)
    width, depth, num = _between(rng, 0.7, 1.1), _between(rng, 0.32, 0.4), int(rng.integers(2, 4))
    height = num * 0.4
    for k in range(num + 1):
        m.box((0, 0, 0.06 + k * (height - 0.08) / num), (width, depth, 0.03), wood)
    _legs(m, width, depth, height, 0.03, _STEEL)
    top = 0.06 + (height - 0.08) + 0.015
    return m.asset(
        asset_id, "shelf", "shelf", "floor", support_m=top, support_half_m=(width / 2 - 0.05, depth / 2 - 0.05)
    )


def _cabinet(rng: np.random.Generator, asset_id: str, *, what: str = "cabinet") -> Asset:
    m, wood = Modeller(), _pick(rng, _WOODS)
    width, depth, height = _between(rng, 0.7, 1.1), _between(rng, 0.4, 0.5), _between(rng, 0.75, 0.95)
    if what == "wardrobe":
        width, depth, height = _between(rng, 0.9, 1.5), _between(rng, 0.55, 0.62), _between(rng, 1.85, 2.1)
    if what == "nightstand":
        width, depth, height = _between(rng, 0.42, 0.5), _between(rng, 0.36, 0.42), _between(rng, 0.45, 0.58)
    if what == "tv stand":
        width, depth, height = _between(rng, 1.2, 1.7), _between(rng, 0.38, 0.45), _between(rng, 0.42, 0.52)
    front = (wood[0] * 0.88, wood[1] * 0.88, wood[2] * 0.88)
    m.box((0, 0, 0.03), (width - 0.06, depth - 0.06, 0.06), (0.12, 0.12, 0.12))
    m.box((0, 0.01, 0.06 + (height - 0.06) / 2), (width, depth - 0.02, height - 0.06), wood)
    drawers = what in ("dresser", "nightstand")
    columns, rows = (1, 3 if what == "dresser" else 2) if drawers else (3 if what == "tv stand" else 2, 1)
    w, h = (width - 0.03) / columns, (height - 0.1) / rows
    for i in range(columns):
        for j in range(rows):
            x, z = -width / 2 + 0.015 + (i + 0.5) * w, 0.08 + (j + 0.5) * h
            m.box((x, -depth / 2 + 0.01, z), (w - 0.015, 0.02, h - 0.015), front)
            if drawers:
                m.box((x, -depth / 2 - 0.01, z), (min(0.16, w * 0.4), 0.02, 0.02), _STEEL, collides=False)
            else:
                knob = x + (w / 2 - 0.06) * (1 if i % 2 == 0 else -1)
                m.box((knob, -depth / 2 - 0.01, z), (0.02, 0.02, min(0.16, h * 0.4)), _STEEL, collides=False)
    half = None if what == "wardrobe" else (width / 2 - 0.01, depth / 2 - 0.03)
    return m.asset(asset_id, what, what, "floor", support_m=height if half else None, support_half_m=half)


def _cabinet_of(what: str) -> Maker:
    return lambda rng, asset_id: _cabinet(rng, asset_id, what=what)


def _refrigerator(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    body: Rgb = (0.92, 0.93, 0.94) if rng.uniform() < 0.6 else (0.6, 0.61, 0.63)
    height, depth = _between(rng, 1.5, 1.85), 0.62
    m.box((0, 0.02, height / 2), (0.62, depth - 0.04, height), (body[0] * 0.9, body[1] * 0.9, body[2] * 0.9))
    for low, high in ((0.04, height * 0.62), (height * 0.64, height - 0.01)):
        m.box((0, -depth / 2 + 0.02, (low + high) / 2), (0.61, 0.04, high - low), body)
        m.box((-0.24, -depth / 2 - 0.015, (low + high) / 2), (0.025, 0.03, (high - low) * 0.5), _STEEL, collides=False)
    return m.asset(asset_id, "refrigerator", "refrigerator", "floor")


def _floor_lamp(rng: np.random.Generator, asset_id: str) -> Asset:
    m, height = Modeller(), _between(rng, 1.45, 1.7)
    m.cylinder((0, 0, 0), 0.15, 0.025, (0.15, 0.15, 0.15))
    m.cylinder((0, 0, 0.025), 0.013, height - 0.25, (0.15, 0.15, 0.15), sides=12)
    m.cylinder((0, 0, height - 0.28), 0.21, 0.28, (0.95, 0.9, 0.74), top=0.13)
    return m.asset(asset_id, "floor lamp", "floor lamp", "floor")


def _plant(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    tall = _between(rng, 0.5, 1.1)
    pot: Rgb = (0.66, 0.33, 0.2) if rng.uniform() < 0.6 else (0.9, 0.9, 0.88)
    m.cylinder((0, 0, 0), 0.11, 0.22, pot, top=0.15)
    m.cylinder((0, 0, 0.2), 0.14, 0.025, (0.2, 0.13, 0.09), collides=False)
    for k in range(11):
        angle, lean = k * 2.4, 0.1 + 0.02 * (k % 5)
        green = (0.1 + 0.02 * (k % 3), 0.4 + 0.04 * (k % 4), 0.12)
        z = 0.32 + tall * (k + 1) / 12
        m.ellipsoid(
            (np.cos(angle) * lean, np.sin(angle) * lean, z),
            (0.11, 0.11, 0.13),
            green,
            collides=k % 3 == 0,
            rings=6,
            sides=9,
        )
    m.cylinder((0, 0, 0.2), 0.02, tall * 0.8 + 0.1, (0.32, 0.24, 0.12), sides=8)
    return m.asset(asset_id, "potted plant", "potted plant", "floor")


def _rug(rng: np.random.Generator, asset_id: str) -> Asset:
    m, outer, inner = Modeller(), _cloth(rng), _cloth(rng)
    width, depth = _between(rng, 1.4, 2.2), _between(rng, 1.0, 1.5)
    m.box((0, 0, 0.004), (width, depth, 0.008), outer)
    m.box((0, 0, 0.009), (width - 0.25, depth - 0.25, 0.004), inner, collides=False)
    return m.asset(asset_id, "rug", "rug", "floor")


def _trash_can(rng: np.random.Generator, asset_id: str) -> Asset:
    m, rgb = Modeller(), _pick(rng, (color("grey").rgb, color("black").rgb, color("blue").rgb))
    m.cylinder((0, 0, 0), 0.12, 0.33, rgb, top=0.15)
    m.cylinder((0, 0, 0.33), 0.155, 0.02, rgb)
    m.cylinder((0, 0, 0.35), 0.12, 0.004, (0.08, 0.08, 0.08), collides=False)
    return m.asset(asset_id, "trash can", "trash can", "floor")


def _door(rng: np.random.Generator, asset_id: str) -> Asset:
    m, leaf = Modeller(), _pick(rng, _WOODS[:4])
    width, height, deep = _between(rng, 0.84, 0.94), 2.05, 0.12
    frame: Rgb = (0.86, 0.85, 0.82) if leaf != _WOODS[3] else (0.55, 0.42, 0.3)
    for x in (-1, 1):
        m.box((x * (width / 2 + 0.035), 0, height / 2 + 0.02), (0.07, deep, height + 0.04), frame)
    m.box((0, 0, height + 0.04), (width + 0.14, deep, 0.07), frame)
    m.box((0, 0, height / 2), (width, 0.05, height), leaf)
    dark = (leaf[0] * 0.8, leaf[1] * 0.8, leaf[2] * 0.8)
    for y in (-0.028, 0.028):
        for low, high in ((0.2, 0.85), (1.05, height - 0.2)):
            for x in (-1, 1):
                m.box((x * width / 4, y, (low + high) / 2), (width / 2 - 0.14, 0.012, high - low), dark, collides=False)
        side = -1 if y < 0 else 1
        m.cylinder((width / 2 - 0.08, y, 1.0), 0.012, 0.05, _STEEL, axis="y", sides=12, collides=False)
        m.box((width / 2 - 0.13, y + side * 0.035, 1.0), (0.12, 0.018, 0.022), _STEEL, collides=False)
    return m.asset(asset_id, "door", "door", "wall")


def _window(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    width, height = _between(rng, 0.9, 1.6), _between(rng, 1.0, 1.3)
    frame: Rgb = (0.95, 0.95, 0.94) if rng.uniform() < 0.7 else (0.45, 0.3, 0.18)
    m.box((0, 0, height / 2), (width - 0.02, 0.02, height - 0.02), (0.62, 0.78, 0.9))
    for z in (0.035, height - 0.035):
        m.box((0, 0, z), (width, 0.1, 0.07), frame)
    for x in (-width / 2 + 0.035, 0, width / 2 - 0.035):
        m.box((x, 0, height / 2), (0.07, 0.1, height - 0.14), frame)
    m.box((0.05, -0.065, height / 2), (0.02, 0.03, 0.12), _STEEL, collides=False)
    m.box((0, -0.05, -0.02), (width + 0.12, 0.18, 0.04), frame)
    return m.asset(asset_id, "window", "window", "wall", elevation_m=0.9)


def _picture(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    width, height = _between(rng, 0.4, 0.9), _between(rng, 0.35, 0.65)
    m.box((0, 0.005, height / 2), (width, 0.03, height), _pick(rng, _WOODS))
    m.box((0, -0.012, height / 2), (width - 0.08, 0.01, height - 0.08), (0.93, 0.92, 0.88), collides=False)
    sky, land = _cloth(rng), _cloth(rng)
    m.box((0, -0.016, height * 0.62), (width - 0.16, 0.01, height * 0.4), sky, collides=False)
    m.box((0, -0.016, height * 0.3), (width - 0.16, 0.01, height * 0.24), land, collides=False)
    return m.asset(asset_id, "picture", "picture", "wall", elevation_m=1.4)


def _ceiling_lamp(rng: np.random.Generator, asset_id: str) -> Asset:
    m = Modeller()
    drop, rgb = _between(rng, 0.3, 0.6), _cloth(rng)
    m.cylinder((0, 0, drop), 0.06, 0.03, _STEEL)
    m.cylinder((0, 0, 0.2), 0.008, drop - 0.2, (0.1, 0.1, 0.1), sides=8)
    m.cylinder((0, 0, 0), 0.22, 0.22, rgb, top=0.07, sides=28)
    m.ellipsoid((0, 0, 0.03), (0.07, 0.07, 0.06), (1.0, 0.97, 0.85), collides=False)
    return m.asset(asset_id, "ceiling lamp", "ceiling lamp", "ceiling", elevation_m=2.5 - drop)


_ROOM_MAKERS: tuple[tuple[str, Maker, int], ...] = (
    ("table", _table, 6),
    ("coffee-table", _coffee_table, 4),
    ("desk", _desk, 4),
    ("chair", _chair, 6),
    ("stool", _stool, 4),
    ("sofa", _sofa, 5),
    ("armchair", _armchair, 4),
    ("bed", _bed, 4),
    ("bookcase", _bookcase, 4),
    ("shelf", _shelf, 4),
    ("cabinet", _cabinet, 4),
    ("wardrobe", _cabinet_of("wardrobe"), 3),
    ("dresser", _cabinet_of("dresser"), 3),
    ("nightstand", _cabinet_of("nightstand"), 4),
    ("tv-stand", _cabinet_of("tv stand"), 3),
    ("refrigerator", _refrigerator, 3),
    ("floor-lamp", _floor_lamp, 3),
    ("potted-plant", _plant, 4),
    ("rug", _rug, 4),
    ("trash-can", _trash_can, 3),
    ("door", _door, 6),
    ("window", _window, 6),
    ("picture", _picture, 5),
    ("ceiling-lamp", _ceiling_lamp, 3),
)


@lru_cache(maxsize=4)
def primitive_assets(seed: int = 0) -> tuple[Asset, ...]:
    """All assets made here, in a stable order; of each sort with at least three, the last is held out for the test split.

    >>> {"table", "door", "car", "traffic light", "cup"} <= {asset.category for asset in primitive_assets()}
    True
    """
    assets = []
    makers = (*_ROOM_MAKERS, *SMALL_MAKERS, *STREET_MAKERS)
    for number, (stem, make, count) in enumerate(makers):
        seen: set[tuple[tuple[float, ...], ...]] = set()
        for k in range(count):
            # Of each sort, no two of the same colours if a few draws can help it.
            for attempt in range(8):
                asset = make(np.random.default_rng([seed, number, k, attempt]), f"primitive/{stem}-{k + 1}")
                looks = tuple(part.rgba for part in asset.parts)
                if looks not in seen:
                    break
            seen.add(looks)
            assets.append(replace(asset, held_out=count >= 3 and k == count - 1))
    assets += [traffic_light(state) for state in ("red", "yellow", "green")]
    return tuple(assets)
