"""What a street is peopled with: models that fit by their size, painted so that "the red car" is one.

A street's vehicles get colours of which no two could be called by one word; when those are used up, the rest share one more.
"""

from dataclasses import replace

import numpy as np

from video3d.data.simulate.asset import Asset, AssetLibrary, MeshPart
from video3d.data.simulate.modeller import Modeller
from video3d.data.simulate.primitive_street import traffic_light
from video3d.data.simulate.stage import StageConfig, StagingFailed
from video3d.data.simulate.street_plan import CROSSING_M, StreetPlan
from video3d.data.vocabulary import color as color_of

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

_MAX_FACES = 24_000
_BODY_SHARE = 0.3
_PAINTED = frozenset({"car", "van", "bus", "truck", "motorcycle", "bicycle"})


class Fleet:
    """Draws the street's things; every vehicle's colour is remembered."""

    def __init__(self, rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> None:
        self._rng, self._library, self._test = rng, library, config.split == "test"
        palette = _PALETTES[int(rng.integers(len(_PALETTES)))]
        self._colors = [palette[k] for k in rng.permutation(len(palette) - 1)]
        self._shared = palette[-1]
        self._found: dict[str, list[Asset]] = {}

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
            and (category not in ("car", "van", "bus", "truck") or _body(asset) is not None)
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
        word = self._colors.pop() if unique and self._colors else self._shared
        return repaint(asset, word, self._rng)


def part_area(part: MeshPart) -> float:
    """Square metres of a part's triangles."""
    corner = part.vertices_m[part.faces].astype(np.float64)
    return float(np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum() / 2)


def _body(asset: Asset) -> tuple[float, float, float, float] | None:
    """The colour that most of an asset's surface has, if it is opaque, has no picture and covers enough."""
    area: dict[tuple[float, float, float, float], float] = {}
    whole = 0.0
    for part in asset.parts:
        own = part_area(part)
        whole += own
        if part.rgba[3] > 0.9 and (part.texture is None or part.uv is None):
            area[part.rgba] = area.get(part.rgba, 0.0) + own
    if not area:
        return None
    best = max(area, key=lambda rgba: area[rgba])
    return best if area[best] >= _BODY_SHARE * whole else None


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
