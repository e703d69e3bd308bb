"""Roads with their markings, pavements and grass. See ``textures`` for what a texture is; ``facades`` has the houses.

A road's texture is as wide as the road, x across and y along it, and one period of its markings long, so it tiles along the
road only. Markings are those common in Europe: lines 12 cm wide, dashes of 3 m with gaps of 3 to 6 m.
"""

from typing import Literal

import numpy as np

from video3d.data.simulate.textures import Rgb, Texture, blend, courses, noise, paint, per_piece, pick_color, to_image

_PX_M = 32  # pixels a metre of a road, so that a line of 12 cm is four wide
_SIZE = (256, 256)
_WHITE: Rgb = (0.86, 0.86, 0.83)


def asphalt_grey(rng: np.random.Generator) -> float:
    """How light a street's asphalt is; give it to all of a street's textures."""
    return float(rng.uniform(0.33, 0.48))


def _asphalt(rng: np.random.Generator, size_hw: tuple[int, int], grey: float) -> np.ndarray:
    light = 0.11 * noise(rng, size_hw, roughness=0.25) + 0.05 * noise(rng, size_hw, roughness=1.8)
    cracks = np.abs(noise(rng, size_hw, roughness=1.7)) < 0.012
    return paint((grey, grey, grey * 1.02), light - 0.2 * cracks)


def asphalt_texture(rng: np.random.Generator, grey: float | None = None) -> Texture:
    """Bare asphalt, as of a car park."""
    return to_image(_asphalt(rng, _SIZE, asphalt_grey(rng) if grey is None else grey)), (4.0, 4.0)


def _worn(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """How much paint is left of a marking, 0..1."""
    return np.clip(0.9 + 0.14 * noise(rng, size_hw, roughness=0.7), 0.35, 1.0)


def road_texture(
    rng: np.random.Generator,
    width_m: float,
    *,
    lanes: int = 2,
    middle: Literal["dashed", "solid", "double", "none"] = "dashed",
    edges: bool = True,
    grey: float | None = None,
) -> Texture:
    """One period of a road: asphalt darker in the wheel tracks, lines along the edges, in the middle and between lanes.

    Args:
        rng: where wear comes from.
        width_m: from kerb to kerb.
        lanes: in both directions together; lanes of one direction are parted by dashes.
        middle: the line between the directions (or in the middle of an odd number of lanes, none).
        edges: a line 25 cm from each kerb.
        grey: of the asphalt, see ``asphalt_grey``.

    >>> image, size_m = road_texture(np.random.default_rng(0), 7.0)
    >>> image.shape, size_m
    ((256, 224, 3), (7.0, 8.0))
    """
    length_m = 8.0
    size_hw = round(length_m * _PX_M), min(round(width_m * _PX_M), 640)
    color = _asphalt(rng, size_hw, asphalt_grey(rng) if grey is None else grey)
    x = (np.arange(size_hw[1]) + 0.5) / size_hw[1] * width_m
    y = (np.arange(size_hw[0]) + 0.5) / size_hw[0] * length_m
    lane_m = width_m / lanes
    from_lane_middle = np.abs((x % lane_m) - lane_m / 2)
    color = paint(color, np.broadcast_to(-0.09 * np.exp(-(((from_lane_middle - 0.8) / 0.25) ** 2)), size_hw))
    dash = ((y % 8.0) < 3.0)[:, None]
    whole = np.ones((size_hw[0], 1), bool)
    paint_at = np.zeros(size_hw, bool)
    for border in range(1, lanes):
        at = border * lane_m
        if 2 * border != lanes:
            paint_at |= dash & _line(x, at)
        elif middle == "double":
            paint_at |= whole & (_line(x, at - 0.12) | _line(x, at + 0.12))
        elif middle != "none":
            paint_at |= (whole if middle == "solid" else dash) & _line(x, at)
    if edges:
        paint_at |= whole & (_line(x, 0.25) | _line(x, width_m - 0.25))
    return to_image(blend(color, _WHITE, paint_at * _worn(rng, size_hw))), (width_m, length_m)


def _line(x: np.ndarray, at: float, width_m: float = 0.12) -> np.ndarray:
    return (np.abs(x - at) < width_m / 2)[None]


def sidewalk_texture(rng: np.random.Generator) -> Texture:
    """Slabs, small paving stones or asphalt."""
    style = rng.integers(4)
    base = pick_color(rng, ((0.60, 0.59, 0.57), (0.54, 0.53, 0.52), (0.62, 0.56, 0.50), (0.58, 0.50, 0.46)), 0.03)
    if style == 3:
        return asphalt_texture(rng, float(rng.uniform(0.38, 0.5)))
    rows, columns = ((4, 4), (12, 12), (16, 8))[style]
    laid = courses(_SIZE, rows, columns, np.arange(rows) % 2 * (0.0, 0.5, 0.5)[style])
    light = 0.07 * per_piece(rng, laid.piece) + 0.05 * noise(rng, _SIZE, roughness=0.8)
    light = light - 0.05 * (noise(rng, _SIZE, roughness=2.0) > 1.2)
    joint = (base[0] * 0.55, base[1] * 0.54, base[2] * 0.52)
    return to_image(blend(paint(base, light), joint, (2.0 if rows < 12 else 1.5) - laid.edge_px)), (2.0, 2.0)


def kerb_texture(rng: np.random.Generator) -> Texture:
    """Kerb stones of 1 m, laid along x."""
    laid = courses((32, 256), 1, 2)
    grey = float(rng.uniform(0.55, 0.7))
    light = 0.05 * per_piece(rng, laid.piece) + 0.06 * noise(rng, (32, 256), roughness=0.7)
    seam = np.abs(np.abs(laid.along[0]) - 1) < 0.02
    return to_image(blend(paint((grey, grey, grey * 0.98), light), (grey * 0.5, grey * 0.5, grey * 0.5), seam * 1.0)), (
        2.0,
        0.25,
    )


def grass_texture(rng: np.random.Generator) -> Texture:
    """A lawn, fresh or dry, with clover or bare earth."""
    base = pick_color(rng, ((0.30, 0.44, 0.17), (0.36, 0.47, 0.20), (0.44, 0.46, 0.24), (0.26, 0.38, 0.16)), 0.02)
    blades = noise(rng, _SIZE, roughness=0.4, stretch=(1.0, 3.0))
    patches = noise(rng, _SIZE, roughness=1.9)
    color = paint(base, 0.19 * blades + 0.10 * patches)
    dry = 0.5 * np.clip(noise(rng, _SIZE, roughness=1.6) - 0.8, 0, 1)
    color = blend(color, paint((0.55, 0.50, 0.28), 0.15 * blades), dry)
    earth = 1.4 * np.clip(noise(rng, _SIZE, roughness=1.4) - float(rng.uniform(1.6, 3.0)), 0, 0.7)
    return to_image(blend(color, paint((0.36, 0.28, 0.19), 0.1 * blades), earth)), (3.0, 3.0)
