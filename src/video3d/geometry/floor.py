"""The floor of a scene whose +z points up: its height, or None where it was not seen.

A floor is the lowest wide level surface: level patches at one height cover some area, almost nothing lies below them,
and the camera is well above them. The middle condition tells a table from a floor, for whoever looks past the edge of
a table sees something below it; the last one helps where only the table is in view.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from video3d.geometry.voxels import contains, pack, unique_voxels, unpack

_CELL_M = 0.1
_LAYERS_PER_CELL = 2  # z is cut twice as fine
_CLEARANCE = 3  # layers: what lies deeper than this below a surface is below it, not part of it
_MAX_BELOW_SHARE = 0.03
_MIN_AREA_M2 = 0.4
_NEAR_M = 1.2  # a camera lower than this over a surface may be looking at a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A floor.

    Attributes:
        height: z of the floor, in the unit of the points.
        area: level surface seen at that height, in the square of that unit: the part that was seen, not the room.
        below_share: share of the scene's occupied cells that lie below it; reflections and noise, if it is the floor.
        confidence: 0..1, from the area and from what lies below.
    """

    height: float
    area: float
    below_share: float
    confidence: float


def _level_cells(voxels: Int64[np.ndarray, "v"]) -> Bool[np.ndarray, "v"]:
    """Which occupied cells are patches of a level surface: nothing close above or below, neighbours at their height."""
    indices = unpack(voxels)

    def occupied(dx: int, dy: int, dz: int) -> Bool[np.ndarray, "v"]:
        return contains(voxels, pack(indices + np.array([dx, dy, dz])))

    clear = ~(occupied(0, 0, 2) | occupied(0, 0, 3) | occupied(0, 0, -2) | occupied(0, 0, -3))
    beside = np.zeros(voxels.size, dtype=np.int64)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        beside += occupied(dx, dy, 0) | occupied(dx, dy, 1) | occupied(dx, dy, -1)
    return clear & (beside >= 5)


def find_floor(
    points_world: Float[np.ndarray, "n 3"],
    camera_heights: Float[np.ndarray, "c"],
    *,
    unit_m: float | None = 1.0,
) -> Floor | None:
    """The floor under a scene, or None where none was seen: a table, a counter or a bed is not taken for one.

    Args:
        points_world: points of a world whose +z points up, dense enough to hit most 10 cm cells of the surfaces; points
            with a NaN do not count.
        camera_heights: z of the cameras that saw them; NaN does not count.
        unit_m: metres in one unit of length. None where the scale is not known: then the median height of the cameras
            over a surface stands for 1.5 m, tables in close view cannot be told from floors, and the confidence is at
            most 0.5.

    >>> grid = np.stack(np.meshgrid(np.arange(0, 3, 0.05), np.arange(0, 3, 0.05), [0.0]), axis=-1).reshape(-1, 3)
    >>> floor = find_floor(grid - np.array([0, 0, 1.4]), np.array([0.1]))
    >>> round(floor.height, 3), round(floor.area), floor.confidence > 0.5
    (-1.4, 9, True)
    >>> find_floor(grid, np.array([0.4])) is None  # nine square metres close below the camera could be anything
    False
    """
    heights = camera_heights[np.isfinite(camera_heights)].astype(np.float64)
    points = points_world[np.isfinite(points_world).all(axis=1)].astype(np.float64)
    if heights.size == 0 or points.shape[0] == 0:
        return None
    camera = float(np.median(heights))
    if unit_m is None:
        below = points[:, 2][points[:, 2] < camera]
        if below.size == 0:
            return None
        scale = 1.5 / max(camera - float(np.percentile(below, 5)), 1e-12)
    else:
        scale = unit_m
    metres = points * scale
    layer_m = _CELL_M / _LAYERS_PER_CELL
    voxels = unique_voxels(metres * np.array([1.0, 1.0, _LAYERS_PER_CELL]), _CELL_M)
    layer = unpack(voxels)[:, 2]
    level = _level_cells(voxels)
    lowest = int(layer.min())
    occupied_in = np.bincount(layer - lowest)
    level_in = np.bincount(layer[level] - lowest, minlength=occupied_in.size)
    # A surface between two layers, or a little tilted, lies in up to three.
    padded = np.concatenate([[0], level_in, [0]])
    area = (padded[:-2] + padded[1:-1] + padded[2:]) * _CELL_M**2
    below = np.concatenate([np.zeros(_CLEARANCE), np.cumsum(occupied_in)])[: occupied_in.size] / voxels.size
    level_below = np.concatenate([np.zeros(_CLEARANCE), np.cumsum(level_in)])[: occupied_in.size] * _CELL_M**2
    allowed = (area >= _MIN_AREA_M2) & (below <= _MAX_BELOW_SHARE) & (level_below <= 0.1 * area)
    allowed &= (np.arange(area.size) + lowest) * layer_m < camera * scale
    if not allowed.any():
        return None
    best = int(np.where(allowed, area, 0).argmax())
    on_floor = np.abs(np.floor(metres[:, 2] / layer_m) - (best + lowest)) <= 1
    height_m = float(np.median(metres[on_floor, 2]))
    above_m = camera * scale - height_m
    wide = float(np.clip(area[best] / (3 * _MIN_AREA_M2), 0, 1))
    clean = float(1 - below[best] / _MAX_BELOW_SHARE)
    confidence = 0.3 + 0.7 * wide * (0.5 + 0.5 * clean)
    if unit_m is None:
        confidence = min(0.5, confidence)
    elif above_m < _NEAR_M and area[best] < 3.0:
        return None
    return Floor(
        height=height_m / scale,
        area=float(area[best]) / scale**2,
        below_share=float(below[best]),
        confidence=confidence,
    )
