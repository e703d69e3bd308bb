"""The shell of a room in its points: floor, ceiling and walls, whatever stands before them.

A front of furniture can be as large and upright as a wall, but has the room's wall beside and behind it. A wall has nothing
behind it, where it is and a step to either side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from video3d.geometry.planes import find_planes

_LEVEL = np.cos(np.radians(10.0))
_MIN_WALL_M2, _MIN_WALL_HEIGHT_M = 1.0, 1.2
_MIN_CEILING_M2, _MIN_CEILING_HEIGHT_M = 1.0, 1.8
_MIN_FLOOR_M2 = 1.0
_SKIN_M = 0.1
_BEHIND_SHARE = 0.05  # of a wall's own cells: what is seen through a door
_MAX_PLANES = 12


def seen_area(places: Float64[np.ndarray, "n 2"], cell: float) -> float:
    """Area of the cells that hold a place: 2D places in metres, a cell's side in metres."""
    return np.unique(np.floor(places / cell).astype(np.int64), axis=0).shape[0] * cell**2


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomHull:
    """Floor, ceiling and walls.

    Attributes:
        members: which points are on or behind them.
        planes: normal and offset of each.
        floor_z: height of the floor, if there is one.
    """

    members: Bool[np.ndarray, "n"]
    planes: tuple[tuple[Float64[np.ndarray, "3"], float], ...]
    floor_z: float | None

    def is_skin(self, points: Float64[np.ndarray, "m 3"]) -> bool:
        """Whether points only coat a plane of the hull: its noise, a picture, a rug."""
        return any(np.percentile(np.abs(points @ normal + offset), 98) < _SKIN_M for normal, offset in self.planes)


def find_hull(points: Float64[np.ndarray, "n 3"], floor_z: float | None, cell: float, seed: int) -> RoomHull:
    """Find the shell of a room whose +z points up. The same points and seed give the same shell.

    Args:
        points: metres, all finite.
        floor_z: height of the floor where it is known; ``None``: that of the lowest level plane of at least 1 m², if any.
        cell: a length that surfaces have no holes of, metres.
        seed: of the planes' random samples.
    """
    near = max(0.04, 0.5 * cell)
    hull = np.zeros(points.shape[0], dtype=bool)
    found: list[tuple[Float64[np.ndarray, "3"], float]] = []
    up = np.array([0.0, 0.0, 1.0])
    rest = np.flatnonzero(np.ones_like(hull) if floor_z is None else points[:, 2] >= floor_z + near)
    planes = find_planes(points[rest], _MAX_PLANES, threshold_m=near, min_share=0.01, seed=seed)
    lowest = float(np.percentile(points[:, 2], 1))
    if floor_z is None:
        level = [points[rest[plane.inliers]] for plane in planes if abs(plane.normal[2]) > _LEVEL]
        low = [float(np.median(on[:, 2])) for on in level if seen_area(on[:, :2], cell) >= _MIN_FLOOR_M2]
        floor_z = min((z for z in low if z < lowest + 0.15), default=None)
    if floor_z is not None:
        hull |= points[:, 2] < floor_z + near
        found.append((up, -floor_z))
    ground = lowest if floor_z is None else floor_z
    for plane in planes:
        on = points[rest[plane.inliers]]
        if abs(plane.normal[2]) > _LEVEL:
            z = float(np.median(on[:, 2]))
            wide = seen_area(on[:, :2], cell) >= _MIN_CEILING_M2
            if wide and z > ground + _MIN_CEILING_HEIGHT_M and (points[:, 2] > z + 2 * near).mean() <= 0.02:
                hull |= points[:, 2] > z - near
                found.append((up, -z))
        elif abs(plane.normal[2]) < np.sqrt(1 - _LEVEL**2):
            wall = _wall(points, on, plane.normal, plane.offset, cell, near)
            if wall.any():
                hull |= wall
                found.append((plane.normal, plane.offset))
    return RoomHull(members=hull, planes=tuple(found), floor_z=floor_z)


def _wall(
    points: Float64[np.ndarray, "n 3"],
    on: Float64[np.ndarray, "m 3"],
    normal: Float64[np.ndarray, "3"],
    offset: float,
    cell: float,
    near: float,
) -> Bool[np.ndarray, "n"]:
    """The points on and behind a plane, or none where it is not a wall."""
    along = np.array([-normal[1], normal[0], 0.0]) / np.hypot(normal[0], normal[1])
    low, high = np.percentile(on @ along, [1, 99])
    bottom, top = np.percentile(on[:, 2], [2, 98])
    area = seen_area(np.c_[on @ along, on[:, 2]], cell)
    nothing = np.zeros(points.shape[0], dtype=bool)
    if top - bottom < _MIN_WALL_HEIGHT_M or area < _MIN_WALL_M2:
        return nothing
    distance = points @ normal + offset
    place = points @ along
    beside = (place > low - 0.5) & (place < high + 0.5)
    sides = []
    for sign in (1.0, -1.0):
        behind = beside & (sign * distance > 2 * near)
        sides.append(seen_area(np.c_[place, points[:, 2]][behind], cell) if behind.any() else 0.0)
    if min(sides) > _BEHIND_SHARE * area:
        return nothing
    sign = 1.0 if sides[0] <= sides[1] else -1.0
    return beside & (sign * distance > -near)
