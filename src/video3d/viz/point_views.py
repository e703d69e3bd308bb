"""Pictures of a point cloud, drawn with numpy: from above, from the front, and at an angle."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

BACKGROUND = (250, 250, 248)
_MAX_SPLAT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """A picture of points.

    Attributes:
        name: from where.
        rgb: the picture.
        unit_px: how many pixels one unit of the world is long.
    """

    name: str
    rgb: UInt8[np.ndarray, "h w 3"]
    unit_px: float


def view_axes(up: Float64[np.ndarray, "3"], ahead: Float64[np.ndarray, "3"]) -> dict[str, Float64[np.ndarray, "3 3"]]:
    """For every view the world directions that are right, down and away in the picture.

    Args:
        up: unit vector.
        ahead: which way the first camera looked; its level part is up in the picture from above, away in that from the front.

    >>> view_axes(np.array([0.0, 0, 1]), np.array([0.0, 1, 0]))["from above"].astype(int).tolist()
    [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
    """
    level = ahead - (ahead @ up) * up
    if np.linalg.norm(level) < 0.1:  # looked straight up or down: any level direction will do
        level = np.eye(3)[np.argmin(np.abs(up))]
        level = level - (level @ up) * up
    level = level / np.linalg.norm(level)
    right = np.cross(level, up)
    turned = (level + right) / np.sqrt(2)
    away = np.cos(np.radians(35)) * turned - np.sin(np.radians(35)) * up
    side = np.cross(turned, up)
    return {
        "from above": np.stack([right, -level, -up]),
        "from the front": np.stack([right, -up, level]),
        "at an angle": np.stack([side, np.cross(away, side), away]),
    }


def core_bounds(points: Float64[np.ndarray, "p d"]) -> Float64[np.ndarray, "2 d"]:
    """Lowest and highest of every coordinate, strays left out: within 2 spans of the middle 90 %."""
    low, high = np.quantile(points, [0.05, 0.95], axis=0)
    margin = 0.35 * (high - low)
    inside = ((points >= low - margin) & (points <= high + margin)).all(axis=1)
    kept = points[inside] if inside.any() else points
    return np.stack([kept.min(axis=0), kept.max(axis=0)])


def draw_points(
    name: str,
    points: Float64[np.ndarray, "p 3"],
    colors: UInt8[np.ndarray, "p 3"],
    axes: Float64[np.ndarray, "3 3"],
    *,
    size_hw: tuple[int, int] = (420, 560),
) -> PointView:
    """Parallel projection along the third axis; the nearest point of a pixel is seen, far ones are paler.

    From above, what lies in the upper fifth of the scene (a ceiling) is left out, so that one sees into a room.
    """
    height, width = size_hw
    flat = points @ axes.T
    if name == "from above" and len(points) > 1:
        cut = np.quantile(flat[:, 2], [0.02, 0.98]) @ np.array([0.8, 0.2])
        keep = flat[:, 2] > cut
        flat, colors = flat[keep], colors[keep]
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    if not len(flat):
        return PointView(name=name, rgb=picture, unit_px=1.0)
    low, high = core_bounds(flat)
    span = np.maximum(high - low, 1e-9)
    unit_px = 0.94 * min(width / span[0], height / span[1])
    x = width / 2 + (flat[:, 0] - (low[0] + high[0]) / 2) * unit_px
    y = height / 2 + (flat[:, 1] - (low[1] + high[1]) / 2) * unit_px
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, z, colors = x[inside], y[inside], flat[inside, 2], colors[inside]
    mist = 0.35 * np.clip((z - low[2]) / span[2], 0, 1)[:, None]
    shaded = (colors * (1 - mist) + np.array(BACKGROUND) * mist).astype(np.uint8)
    taken = np.unique(y.astype(int) * width + x.astype(int)).size
    splat = int(np.clip(np.sqrt(0.35 * height * width / max(taken, 1)), 1, _MAX_SPLAT))
    far_first = np.argsort(-z, kind="stable")  # of several in one pixel, the last written stays: the nearest
    column, row, shaded = x.astype(int)[far_first], y.astype(int)[far_first], shaded[far_first]
    nearest = np.full((height, width), -1, np.int64)
    order = np.arange(len(row))
    for dy in range(splat):
        for dx in range(splat):
            np.maximum.at(nearest, (np.minimum(row + dy, height - 1), np.minimum(column + dx, width - 1)), order)
    drawn = nearest >= 0
    picture[drawn] = shaded[nearest[drawn]]
    return PointView(name=name, rgb=picture, unit_px=float(unit_px))
