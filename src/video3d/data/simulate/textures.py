"""What procedural textures are made of: noise that tiles, courses of bricks and planks, and colours.

Every texture is drawn here from a generator, so that no picture of anybody's is needed. A texture is an RGB image, first row at
the top, and its size in metres (width, height); it tiles, so that the right edge meets the left and the bottom the top.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

Texture = tuple[UInt8[np.ndarray, "h w 3"], tuple[float, float]]
"""Image and its size in metres, width and height."""

Rgb = tuple[float, float, float]


def noise(
    rng: np.random.Generator,
    size_hw: tuple[int, int],
    *,
    roughness: float = 1.5,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Float32[np.ndarray, "h w"]:
    """Tiling noise of mean 0 and deviation 1, whose amplitude falls with frequency to the power ``roughness``.

    White noise shaped in the frequency domain, so the ends meet by themselves. 0 is white, 1 sandy, 2 cloudy, 3 soft.

    Args:
        rng: where it comes from.
        size_hw: in pixels.
        roughness: the exponent.
        stretch: how many times as long features are along x and y; (8, 1) is grain along x.

    >>> field = noise(np.random.default_rng(0), (64, 64))
    >>> round(float(field.mean()), 3) + 0.0, round(float(field.std()), 3)
    (0.0, 1.0)
    """
    height, width = size_hw
    fy = np.fft.fftfreq(height)[:, None].astype(np.float32) * stretch[1]
    fx = np.fft.rfftfreq(width)[None].astype(np.float32) * stretch[0]
    frequency = np.sqrt(fx * fx + fy * fy)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal(size_hw, np.float32))
    field = np.fft.irfft2(white / frequency ** np.float32(roughness), s=size_hw)
    return (field / field.std()).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """Rows of bricks, planks or tiles.

    Attributes:
        piece: which piece a pixel belongs to; pieces that go over the edge of the image are one.
        edge_px: distance to the nearest edge of the piece.
        along: where in its piece a pixel lies, -1..1 along x and y.
    """

    piece: Int64[np.ndarray, "h w"]
    edge_px: Float32[np.ndarray, "h w"]
    along: Float32[np.ndarray, "2 h w"]


def courses(
    size_hw: tuple[int, int], rows: int, columns: int, offsets: Float[np.ndarray, "rows"] | None = None
) -> Courses:
    """Pieces in rows, each row shifted by its offset in pieces (0.5 for a running bond).

    >>> courses((4, 8), 2, 2, np.array([0.0, 0.5])).piece[::2, 0].tolist(), courses((4, 8), 2, 2).piece[0].tolist()
    ([0, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    """
    height, width = size_hw
    y = (np.arange(height) + 0.5) * rows / height
    row = y.astype(np.int64)
    x = np.broadcast_to((np.arange(width) + 0.5) * columns / width, size_hw)
    if offsets is not None:
        x = x - offsets[row, None] % 1.0
    column = np.floor(x).astype(np.int64)
    across, down = x - column - 0.5, np.broadcast_to((y - row - 0.5)[:, None], size_hw)
    edge = np.minimum((0.5 - np.abs(across)) * width / columns, (0.5 - np.abs(down)) * height / rows)
    return Courses(
        piece=row[:, None] * columns + column % columns,
        edge_px=edge.astype(np.float32),
        along=np.stack([2 * across, 2 * down]).astype(np.float32),
    )


def paint(
    base: Rgb | Float[np.ndarray, "h w 3"], light: Float[np.ndarray, "h w"] | float = 0.0
) -> Float32[np.ndarray, "h w 3"]:
    """A colour (0..1) made lighter or darker by a field: +0.1 is a tenth lighter. Not yet clipped."""
    return (np.asarray(base, np.float32) * (1 + np.asarray(light, np.float32)[..., None])).astype(np.float32)


def blend(
    below: Float32[np.ndarray, "h w 3"], above: Float32[np.ndarray, "*s"] | Rgb, share: Float[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w 3"]:
    """``above`` over ``below`` where ``share`` is 1."""
    weight = np.clip(share, 0, 1).astype(np.float32)[..., None]
    return (below * (1 - weight) + np.asarray(above, np.float32) * weight).astype(np.float32)


def to_image(color: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """From 0..1 to bytes."""
    return np.rint(np.clip(color, 0, 1) * 255).astype(np.uint8)


def pick_color(rng: np.random.Generator, palette: tuple[Rgb, ...], spread: float = 0.04) -> Rgb:
    """One of some colours, a little off: mostly in brightness, a third as much in hue."""
    chosen = np.array(palette[rng.integers(len(palette))]) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    red, green, blue = (float(value) for value in np.clip(chosen, 0.02, 0.98))
    return red, green, blue


def per_piece(rng: np.random.Generator, pieces: Int64[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """A normal deviate for every piece."""
    return rng.standard_normal(int(pieces.max()) + 1).astype(np.float32)[pieces]
