"""What a street is peopled with: models that fit by their size, painted so that "the red car" is one.

A street's vehicles get colours of which no two could be called by one word; when those are used up, the rest share one more.
"""

from dataclasses import replace

import numpy as np

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.modeller import Modeller
from video3d.data.simulate.primitive_street import traffic_light
from video3d.data.simulate.stage import StageConfig, StagingFailed
from video3d.data.simulate.street_cyclist import cyclist_asset
from video3d.data.simulate.street_plan import CROSSING_M, StreetPlan
from video3d.vocabulary import color as color_of

_PALETTES = (
    ("red", "yellow", "blue", "black", "white"),
    ("red", "yellow", "green", "white", "black"),
    ("blue", "orange", "white", "pink", "black"),
    ("green", "orange", "pink", "black", "white"),
    ("yellow", "purple", "green", "white", "grey"),
    ("red", "yellow", "blue", "green", "grey"),
    ("blue", "yellow", "red", "grey", "grey"),
)
"""Colours that are used once each, and last the one that the others share."""

_FITS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "car": ((1.5, 2.2), (2.4, 5.2), (1.1, 2.1)),
    "van": ((1.7, 2.5), (4.2, 6.5), (1.8, 2.9)),
    "bus": ((2.2, 2.85), (8.0, 14.5), (2.6, 4.0)),
    "truck": ((1.9, 2.8), (4.5, 9.5), (2.0, 4.0)),
    "motorcycle": ((0.5, 1.1), (1.6, 2.4), (0.9, 1.5)),
    "bicycle": ((0.3, 0.8), (1.4, 2.0), (0.75, 1.3)),
    "person": ((0.3, 0.95), (0.2, 0.8), (1.5, 2.0)),
    "tree": ((0.8, 8.0), (0.8, 8.0), (3.0, 12.5)),
    "street lamp": ((0.1, 2.0), (0.1, 2.0), (2.4, 8.5)),
    "fire hydrant": ((0.2, 0.7), (0.2, 0.7), (0.5, 1.0)),
    "mailbox": ((0.1, 0.9), (0.1, 0.9), (0.7, 1.7)),
    "bench": ((1.0, 2.3), (0.3, 1.1), (0.4, 1.1)),
    "trash can": ((0.3, 0.9), (0.3, 0.9), (0.45, 1.2)),
    "bush": ((0.5, 1.8), (0.5, 1.8), (0.5, 1.6)),
    "potted plant": ((0.4, 1.5), (0.4, 1.5), (0.5, 1.7)),
    "dog": ((0.2, 0.6), (0.4, 1.2), (0.3, 0.9)),
    "fountain": ((1.0, 2.4), (1.0, 2.4), (0.8, 2.2)),
    "stroller": ((0.4, 0.7), (0.6, 1.1), (0.8, 1.2)),
    "traffic cone": ((0.2, 0.5), (0.2, 0.5), (0.4, 0.8)),
    "traffic sign": ((0.3, 1.0), (0.02, 0.5), (1.8, 3.2)),
}
"""Breadth, length and height of what a street's things measure, metres: toys and fairground pieces have the same names."""

Rgba = tuple[float, float, float, float]

_BARE = ("bamboo", "coconuttree", "copperbeech", "poplar", "pine", "sycamore", "decorativeplant")
"""Plants that have few leaves left, or float, once they are simplified."""
_MAX_FACES = 24_000
_BODY_SHARE = 0.3
_PAINTED = frozenset({"car", "van", "bus", "truck"})


class Fleet:
    """Draws the street's things; every vehicle's colour is remembered."""

    def __init__(self, rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> None:
        self._rng, self._library, self._test = rng, library, config.split == "test"
        palette = _PALETTES[int(rng.integers(len(_PALETTES)))]
        self._colors = [palette[k] for k in rng.permutation(len(palette) - 1)]
        self._shared, self._is_shared = palette[-1], False
        self._found: dict[str, list[Asset]] = {}

    def cyclist(self) -> Asset:
        """Somebody on a bicycle."""
        return cyclist_asset(self._rng)

    def has(self, category: str) -> bool:
        """Whether there is a fitting model at all."""
        return bool(self._fitting(category))

    def _fitting(self, category: str) -> list[Asset]:
        if category not in self._found:
            self._found[category] = self._search(category)
        return self._found[category]

    def _search(self, category: str) -> list[Asset]:
        limits = _FITS[category]
        return [
            asset
            for asset in self._library.of(category, test=self._test)
            if all(low <= size <= high for size, (low, high) in zip(asset.size_m, limits, strict=True))
            and sum(len(part.faces) for part in asset.parts) <= _MAX_FACES
            and not (asset.kind == "plant" and asset.asset_id.rpartition("/")[2].startswith(_BARE))
            and (category not in _PAINTED or _body(asset) is not None)
        ]

    def draw(self, category: str, *, unique: bool = True) -> Asset:
        """A model of a category; a vehicle in a colour of its own, or in the shared one where ``unique`` is false.

        Errors: ``StagingFailed`` where there is none.
        """
        fitting = self._fitting(category)
        if not fitting:
            raise StagingFailed(f"no {category} that fits a street")
        asset = fitting[int(self._rng.integers(len(fitting)))]
        if category not in _PAINTED:
            return asset
        if unique and self._colors:
            return repaint(asset, self._colors.pop(), self._rng)
        self._is_shared = True
        return repaint(asset, self._shared, self._rng)

    def used(self, asset: Asset, on_the_street: bool) -> None:
        """Says whether a vehicle that was drawn has found its place: the colour of one that has not is free again."""
        if asset.color is None or asset.color == self._shared or asset.category not in _PAINTED:
            return
        if on_the_street and asset.color in self._colors:
            self._colors.remove(asset.color)
        elif not on_the_street and asset.color not in self._colors:
            self._colors.append(asset.color)

    @property
    def colors_left(self) -> int:
        """How many more vehicles can be told apart by their colours."""
        return len(self._colors) + (not self._is_shared)


_VIEWS = (
    (0, 1.0),
    (0, -1.0),
    (1, 1.0),
    (1, -1.0),
    (2, 1.0),
)  # axis and side from which an asset is looked at: not from below
_SAMPLES, _CELLS = 20_000, 48
_bodies: dict[str, Rgba | None] = {}


def _body(asset: Asset) -> Rgba | None:
    """The colour that most of an asset shows to the outside, if it is opaque, has no picture and covers enough of it.

    Points all over its surface, by area, are looked at from five sides: those with nothing before them count. What is inside a
    car has as much surface as its body.
    """
    if asset.asset_id not in _bodies:
        _bodies[asset.asset_id] = _find_body(asset)
    return _bodies[asset.asset_id]


def _find_body(asset: Asset) -> Rgba | None:
    rng = np.random.default_rng(0)
    corners = np.concatenate([part.vertices_m[part.faces].astype(np.float64) for part in asset.parts])
    owner = np.repeat(np.arange(len(asset.parts)), [len(part.faces) for part in asset.parts])
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if area.sum() <= 0:
        return None
    chosen = rng.choice(len(area), _SAMPLES, p=area / area.sum())
    u, v = rng.random((2, _SAMPLES))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    a, b, c = (corners[chosen, k] for k in range(3))
    points = a + u[:, None] * (b - a) + v[:, None] * (c - a)
    low, cell = points.min(0), float(np.ptp(points, axis=0).max()) / _CELLS + 1e-9
    seen = np.zeros(len(asset.parts))
    for axis, sign in _VIEWS:
        others = [k for k in range(3) if k != axis]
        place = ((points[:, others] - low[others]) / cell).astype(np.int64)
        key = place[:, 0] * (_CELLS + 1) + place[:, 1]
        depth = sign * points[:, axis]
        nearest = np.full((_CELLS + 1) ** 2, -np.inf)
        np.maximum.at(nearest, key, depth)
        seen += np.bincount(owner[chosen[depth > nearest[key] - 0.04]], minlength=len(asset.parts))
    shows: dict[Rgba, float] = {}
    for part, count in zip(asset.parts, seen, strict=True):
        if part.rgba[3] > 0.9 and (part.texture is None or part.uv is None):
            shows[part.rgba] = shows.get(part.rgba, 0.0) + float(count)
    best = max(shows, key=lambda rgba: shows[rgba], default=None)
    return best if best is not None and shows[best] >= _BODY_SHARE * seen.sum() else None


def repaint(asset: Asset, word: str, rng: np.random.Generator) -> Asset:
    """The asset with its body in a colour, which then is its colour. As it is where it has no body of one colour."""
    body = _body(asset)
    if body is None:
        return asset
    rgb = np.clip(np.array(color_of(word).rgb) * rng.uniform(0.9, 1.04), 0.0, 1.0)
    rgba = (float(rgb[0]), float(rgb[1]), float(rgb[2]), 1.0)
    return replace(asset, parts=tuple(replace(p, rgba=rgba) if p.rgba == body else p for p in asset.parts), color=word)


def crossing_asset(plan: StreetPlan) -> Asset:
    """A zebra crossing as broad as the road; its bars lie along y, so it goes on the road at a yaw of 90 degrees."""
    m = Modeller()
    bars = max(4, int(2 * plan.half_m / 1.0))
    for k in range(bars):
        m.box(((k - (bars - 1) / 2) * 1.0, 0.0, 0.004), (0.5, CROSSING_M, 0.008), (0.9, 0.9, 0.88), collides=False)
    asset = m.asset(f"street/crossing-{bars}", "crossing", "crossing", "street")
    return replace(asset, collision_boxes_m=np.zeros((0, 6)))  # paint: wheels do not feel it


def signal_asset(state: str) -> Asset:
    """A traffic light that shows a state. Errors: ``KeyError``."""
    return {"red": traffic_light("red"), "yellow": traffic_light("yellow"), "green": traffic_light("green")}[state]
