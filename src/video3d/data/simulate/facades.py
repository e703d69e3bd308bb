"""House fronts: one texture is one whole front, drawn for its width and height, so that no window is cut in two.

A front is a grid of storeys and bays. Its style decides the wall, the windows and the ground floor: a plastered or brick house
with a door, a shop, an office of glass bands, slabs with balconies.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from video3d.data.simulate.textures import Rgb, Texture, blend, courses, noise, paint, per_piece, pick_color, to_image

Style = Literal["plaster", "brick", "office", "slab", "stone"]
STYLES: tuple[Style, ...] = ("plaster", "brick", "office", "slab", "stone")

_WALLS: dict[Style, tuple[Rgb, ...]] = {
    "plaster": ((0.84, 0.78, 0.66), (0.80, 0.70, 0.58), (0.78, 0.80, 0.78), (0.86, 0.82, 0.76), (0.70, 0.58, 0.50), (0.66, 0.72, 0.74)),
    "brick": ((0.55, 0.31, 0.25), (0.62, 0.42, 0.32), (0.48, 0.34, 0.30)),
    "office": ((0.52, 0.54, 0.56), (0.66, 0.66, 0.66), (0.40, 0.42, 0.46)),
    "slab": ((0.70, 0.69, 0.67), (0.78, 0.74, 0.68), (0.62, 0.64, 0.66)),
    "stone": ((0.74, 0.70, 0.62), (0.66, 0.63, 0.58)),
}  # fmt: skip
_FRAMES: tuple[Rgb, ...] = ((0.92, 0.92, 0.90), (0.25, 0.23, 0.22), (0.45, 0.30, 0.20), (0.80, 0.80, 0.78))
_DOORS: tuple[Rgb, ...] = (
    (0.40, 0.24, 0.15),
    (0.16, 0.30, 0.24),
    (0.15, 0.20, 0.35),
    (0.50, 0.14, 0.12),
    (0.20, 0.20, 0.20),
)


@dataclass(slots=True)
class _Front:
    """A canvas in metres, origin at the bottom left."""

    color: Float32[np.ndarray, "h w 3"]
    px_m: float

    def fill(self, left: float, bottom: float, right: float, top: float, color: Rgb, shade: float = 0.0) -> None:
        """A rectangle, lighter at its bottom than at its top by ``shade``."""
        height, width = self.color.shape[:2]
        x0, x1 = (int(np.clip(round(x * self.px_m), 0, width)) for x in (left, right))
        y0, y1 = (int(np.clip(height - round(y * self.px_m), 0, height)) for y in (top, bottom))
        if x1 <= x0 or y1 <= y0:
            return
        ramp = 1 + shade * np.linspace(-0.5, 0.5, y1 - y0, dtype=np.float32)[:, None, None]
        self.color[y0:y1, x0:x1] = np.asarray(color, np.float32) * ramp

    def darken(self, left: float, bottom: float, right: float, top: float, share: float) -> None:
        """A shadow."""
        height, width = self.color.shape[:2]
        x0, x1 = (int(np.clip(round(x * self.px_m), 0, width)) for x in (left, right))
        y0, y1 = (int(np.clip(height - round(y * self.px_m), 0, height)) for y in (top, bottom))
        self.color[y0:y1, x0:x1] *= 1 - share


def facade_texture(
    rng: np.random.Generator, width_m: float = 12.0, height_m: float = 12.0, style: Style | None = None
) -> Texture:
    """A whole front of that size; put it on a wall once, not repeated.

    >>> image, size_m = facade_texture(np.random.default_rng(0), 12.0, 9.0)
    >>> image.shape, size_m
    ((270, 360, 3), (12.0, 9.0))
    """
    px_m = min(30.0, 512 / max(width_m, height_m))
    size_hw = max(8, round(height_m * px_m)), max(8, round(width_m * px_m))
    style = style or STYLES[rng.choice(len(STYLES), p=[0.36, 0.22, 0.16, 0.14, 0.12])]
    base = pick_color(rng, _WALLS[style], 0.035)
    front = _Front(_wall(rng, size_hw, style, base, px_m), px_m)
    storeys = max(1, round((height_m - 1.2) / 3.1))
    ground_m = min(3.6, height_m / storeys) if storeys > 1 else height_m * 0.85
    storey_m = (height_m - ground_m - 0.5) / max(storeys - 1, 1)
    bays = max(1, round(width_m / {"office": 1.8, "slab": 3.4}.get(style, 2.6)))
    bay_m = width_m / bays
    window = _Window.draw(rng, style, bay_m, storey_m if storeys > 1 else 2.8)
    for storey in range(1, storeys):
        floor = ground_m + (storey - 1) * storey_m
        if style in ("plaster", "stone") and window.band:
            front.fill(0.0, floor - 0.1, width_m, floor + 0.08, _mix(base, 1.12))
            front.darken(0.0, floor - 0.16, width_m, floor - 0.1, 0.25)
        for bay in range(bays):
            _window(front, rng, window, (bay + 0.5) * bay_m, floor + window.sill_m)
            if style == "slab" and window.balcony and bay % 2 == 0:
                _balcony(front, base, bay * bay_m + 0.2, floor, bay_m - 0.4)
    _ground_floor(front, rng, style, base, window, (width_m, ground_m), bays)
    front.fill(0.0, height_m - 0.35, width_m, height_m, _mix(base, 0.8 if style == "office" else 1.1))
    front.darken(0.0, height_m - 0.5, width_m, height_m - 0.35, 0.35)
    return to_image(front.color), (width_m, height_m)


def _mix(color: Rgb, share: float) -> Rgb:
    return color[0] * share, color[1] * share, color[2] * share


def _wall(rng: np.random.Generator, size_hw: tuple[int, int], style: Style, base: Rgb, px_m: float) -> np.ndarray:
    light = 0.02 * noise(rng, size_hw, roughness=0.8) + 0.03 * noise(rng, size_hw, roughness=2.0)
    if style in ("brick", "stone"):
        piece_m = (0.25, 0.10) if style == "brick" else (0.9, 0.45)
        rows, columns = max(2, round(size_hw[0] / px_m / piece_m[1])), max(2, round(size_hw[1] / px_m / piece_m[0]))
        laid = courses(size_hw, rows, columns, np.arange(rows) % 2 * 0.5)
        light = light + 0.07 * per_piece(rng, laid.piece)
        return blend(paint(base, light), _mix(base, 1.15 if style == "brick" else 0.8), 0.55 * (1.0 - laid.edge_px))
    if style in ("slab", "office"):
        laid = courses(size_hw, max(1, round(size_hw[0] / px_m / 3.0)), max(1, round(size_hw[1] / px_m / 3.4)))
        return blend(paint(base, light + 0.03 * per_piece(rng, laid.piece)), _mix(base, 0.65), 1.2 - laid.edge_px)
    soot = np.linspace(-0.03, 0.0, size_hw[0])[::-1, None] * np.ones(size_hw)
    return paint(base, light + soot)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """What the windows of a house look like."""

    width_m: float
    height_m: float
    sill_m: float
    columns: int
    rows: int
    frame: Rgb
    surround: Rgb | None
    shutter: Rgb | None
    band: bool
    balcony: bool
    glass: Rgb

    @staticmethod
    def draw(rng: np.random.Generator, style: Style, bay_m: float, storey_m: float) -> "_Window":
        """Windows that fit a bay and a storey."""
        office = style == "office"
        width = bay_m * (0.94 if office else rng.uniform(0.55, 0.7) if style == "slab" else rng.uniform(0.36, 0.5))
        height = min(storey_m * (0.62 if office else rng.uniform(0.44, 0.58)), storey_m - 0.6)
        shutters = style == "plaster" and rng.random() < 0.4
        surround = (
            None
            if office or style == "slab" or rng.random() < 0.3
            else pick_color(rng, ((0.9, 0.88, 0.84), (0.7, 0.66, 0.6)))
        )
        return _Window(
            width_m=float(width),
            height_m=float(height),
            sill_m=float((storey_m - height) * 0.45),
            columns=1 if office else int(rng.choice([2, 2, 3])),
            rows=1 if office else int(rng.choice([1, 2, 3])),
            frame=(0.22, 0.23, 0.25) if office else _FRAMES[rng.integers(len(_FRAMES))],
            surround=surround,
            shutter=pick_color(rng, _DOORS, 0.04) if shutters else None,
            band=bool(rng.random() < 0.6),
            balcony=bool(rng.random() < 0.7),
            glass=pick_color(rng, ((0.26, 0.32, 0.38), (0.20, 0.24, 0.28), (0.34, 0.42, 0.48)), 0.02),
        )


def _window(front: _Front, rng: np.random.Generator, window: _Window, middle: float, sill: float) -> None:
    """One window with its panes: each mirrors another piece of sky; some have curtains."""
    left, right, top = middle - window.width_m / 2, middle + window.width_m / 2, sill + window.height_m
    if window.surround is not None:
        front.fill(left - 0.14, sill - 0.1, right + 0.14, top + 0.16, window.surround)
    front.fill(left - 0.18, sill - 0.16, right + 0.18, sill - 0.06, (0.72, 0.71, 0.69))
    front.darken(left - 0.12, sill - 0.24, right + 0.12, sill - 0.16, 0.2)
    if window.shutter is not None:
        for x in (left - 0.5 * window.width_m - 0.04, right + 0.04):
            front.fill(x, sill - 0.02, x + 0.5 * window.width_m, top + 0.02, window.shutter, 0.12)
    front.fill(left, sill, right, top, window.frame)
    bar, curtain = 0.07, rng.random()
    for column in range(window.columns):
        for row in range(window.rows):
            x0, x1 = (left + bar + (window.width_m - bar) / window.columns * step for step in (column, column + 1))
            y0, y1 = (sill + bar + (window.height_m - bar) / window.rows * step for step in (row, row + 1))
            glass = _mix(window.glass, float(rng.uniform(0.85, 1.2)))
            front.fill(x0, y0, x1 - bar, y1 - bar, glass, -0.5)
            if curtain < 0.25 and column in (0, window.columns - 1):
                front.fill(x0, y0, x0 + (x1 - bar - x0) * 0.6, y1 - bar, (0.66, 0.64, 0.60), 0.1)
            elif curtain > 0.9:
                front.fill(x0, y0 + (y1 - y0) * 0.45, x1 - bar, y1 - bar, (0.78, 0.76, 0.70))
    front.darken(left, top - 0.12, right, top, 0.35)


def _balcony(front: _Front, base: Rgb, left: float, floor: float, width: float) -> None:
    front.fill(left, floor - 0.12, left + width, floor + 0.06, _mix(base, 1.1))
    front.darken(left, floor - 0.3, left + width, floor - 0.12, 0.3)
    front.fill(left, floor + 0.95, left + width, floor + 1.02, (0.25, 0.25, 0.26))
    for x in np.arange(left, left + width, 0.22):
        front.fill(x, floor + 0.06, x + 0.045, floor + 0.98, (0.28, 0.28, 0.29))


def _ground_floor(
    front: _Front,
    rng: np.random.Generator,
    style: Style,
    base: Rgb,
    window: _Window,
    size_m: tuple[float, float],
    bays: int,
) -> None:
    """A shop, or windows, with one door, above a plinth."""
    width_m, ground_m = size_m
    bay_m = width_m / bays
    door_bay = int(rng.integers(bays))
    shop = style == "office" or (bays > 1 and rng.random() < 0.35)
    if not shop:
        front.fill(0.0, 0.0, width_m, 0.5, _mix(base, 0.62))
    for bay in range(bays):
        middle = (bay + 0.5) * bay_m
        if bay == door_bay:
            half = min(0.6, bay_m * 0.4)
            front.fill(middle - half - 0.14, 0.0, middle + half + 0.14, min(2.65, ground_m - 0.3), _mix(base, 1.15))
            front.fill(
                middle - half, 0.0, middle + half, min(2.5, ground_m - 0.4), _DOORS[rng.integers(len(_DOORS))], 0.15
            )
            front.fill(middle - half + 0.1, 2.0, middle + half - 0.1, min(2.4, ground_m - 0.5), window.glass)
            front.darken(middle - 0.03, 0.0, middle + 0.03, 2.0, 0.3)
        elif shop:
            front.fill(middle - bay_m * 0.46, 0.35, middle + bay_m * 0.46, ground_m - 0.9, window.frame)
            front.fill(
                middle - bay_m * 0.43, 0.42, middle + bay_m * 0.43, ground_m - 0.97, _mix(window.glass, 1.1), -0.6
            )
            for _ in range(3):  # what is in the window
                x, high = middle + rng.uniform(-0.35, 0.3) * bay_m, rng.uniform(0.3, 1.2)
                front.fill(x, 0.45, x + 0.25, 0.45 + high, _mix(pick_color(rng, _DOORS, 0.2), 0.8))
        else:
            _window(front, rng, window, middle, max(0.75, (ground_m - window.height_m) * 0.5))
    if shop:
        sign = pick_color(rng, _DOORS, 0.12)
        front.fill(0.1, ground_m - 0.75, width_m - 0.1, ground_m - 0.15, sign)
        start = rng.uniform(0.15, 0.5) * width_m
        for index in range(int(rng.integers(4, 9))):  # as letters look from afar
            front.fill(
                start + 0.32 * index, ground_m - 0.6, start + 0.32 * index + 0.2, ground_m - 0.3, (0.93, 0.91, 0.86)
            )
        front.darken(0.1, ground_m - 0.95, width_m - 0.1, ground_m - 0.75, 0.3)
