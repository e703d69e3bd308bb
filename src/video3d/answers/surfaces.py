"""Level surfaces and walls of a scene whose +z points up, and the extent of the part of the room that was seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.boxes import box_corners
from video3d.geometry.flatness import FlatTiles
from video3d.geometry.outline import smallest_rectangle
from video3d.types import Box3D

_LEVEL = np.cos(np.radians(10.0))
_CELL_M = 0.1
_TRIM = 1.0  # percent at either side of an extent: flying pixels and views through doors
_MIN_TOP_M2, _MIN_CEILING_M2, _MIN_WALL_M2 = 0.15, 1.0, 1.0
_MIN_WALL_HEIGHT_M = 1.2  # cupboard fronts below a counter are not walls
_MIN_WALL_LENGTH_M = 0.5
_MIN_WALL_FILL = 0.4  # a plane through scattered things is not a wall


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A flat surface: what was seen of it.

    Attributes:
        kind: ``floor``, ``top`` (a level surface that faces up: table, counter, seat), ``ceiling`` or ``wall``.
        z: height in the world of a level surface, of a wall the top of what was seen.
        height: the same over the floor; NaN where there is no floor.
        length: longer side of the seen part, for a wall the horizontal one.
        width: shorter side, for a wall the vertical one.
        area: seen area.
        normal: unit normal to the seen side.
        along: level unit vector along its longer side; of a level surface only.
        center: middle of the seen part.
    """

    kind: Literal["floor", "top", "ceiling", "wall"]
    z: float
    height: float
    length: float
    width: float
    area: float
    normal: tuple[float, float, float]
    center: tuple[float, float, float]
    along: tuple[float, float] = (math.nan, math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The smallest upright box around 98 % (along each axis) of the places that were seen.

    Attributes:
        length: longer horizontal side.
        width: shorter horizontal side.
        height: from the floor, or else the lowest places seen, to the ceiling, or else the highest places seen.
        has_floor: whether the floor is known.
        has_ceiling: whether the ceiling was seen.
        yaw_deg: direction of the longer side from the world's x axis, 0..180.
    """

    length: float
    width: float
    height: float
    has_floor: bool
    has_ceiling: bool
    yaw_deg: float


def room_extent(
    places: Float64[np.ndarray, "n 3"], *, floor_z: float | None, ceiling_z: float | None, seed: int = 0
) -> Extent:
    """Extent of the part of a room that was seen.

    Args:
        places: one point for every small cell that was seen, so that near surfaces, which fill many pixels, do not
            count for more than far ones. At least one.
        floor_z: height of the floor in the world, or None.
        ceiling_z: height of the ceiling, or None.
        seed: of the sample used for the direction.

    >>> x, y = np.meshgrid(np.linspace(0, 4, 81), np.linspace(0, 3, 61))
    >>> floor = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    >>> extent = room_extent(np.r_[floor, floor + [0, 0, 2.5]], floor_z=0.0, ceiling_z=2.5)
    >>> round(extent.length, 1), round(extent.width, 1), extent.height
    (4.0, 3.0, 2.5)
    """
    rng = np.random.default_rng(seed)
    sample = places if places.shape[0] <= 4000 else places[rng.permutation(places.shape[0])[:4000]]
    _, _, yaw = smallest_rectangle(sample[:, :2], _TRIM)
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    sides = [float(np.ptp(np.percentile(places[:, :2] @ axis, [_TRIM, 100 - _TRIM]))) for axis in ((c, s), (-s, c))]
    low, high = np.percentile(places[:, 2], [_TRIM, 100 - _TRIM])
    bottom = low if floor_z is None else floor_z
    top = high if ceiling_z is None else ceiling_z
    if sides[1] > sides[0]:
        sides, yaw = sides[::-1], (yaw + 90.0) % 180.0
    return Extent(
        length=sides[0],
        width=sides[1],
        height=float(max(top - bottom, 0.0)),
        has_floor=floor_z is not None,
        has_ceiling=ceiling_z is not None,
        yaw_deg=float(yaw),
    )


def find_surfaces(
    tiles: FlatTiles,
    places: Float64[np.ndarray, "p 3"],
    *,
    floor_z: float | None,
    unit_m: float = 1.0,
    most: int = 12,
) -> tuple[Surface, ...]:
    """Level surfaces and walls, made of flat tiles that lie side by side, the floor first and then the largest.

    Args:
        tiles: flat places of all frames in a world whose +z points up.
        places: one point for every small cell that was seen.
        floor_z: height of the floor, or None: then nothing is called floor.
        unit_m: metres in one unit of length, to know what is large enough.
        most: how many at most.
    """
    up = tiles.normals_world[:, 2]
    surfaces = _level_surfaces(tiles, up > _LEVEL, floor_z=floor_z, unit_m=unit_m, faces_up=True)
    surfaces += _level_surfaces(tiles, up < -_LEVEL, floor_z=floor_z, unit_m=unit_m, faces_up=False)
    surfaces += _walls(tiles, places, floor_z=floor_z, unit_m=unit_m)
    if floor_z is not None:
        surfaces += _floor(places, floor_z, unit_m)
    order = sorted(surfaces, key=lambda s: (s.kind != "floor", s.kind != "ceiling", -s.area))
    return tuple(order[:most])


def _patches(grid: Int64[np.ndarray, "n 2"]) -> Int64[np.ndarray, "n"]:
    """Number of the connected patch that every cell belongs to; cells touch by sides and corners."""
    from scipy.ndimage import label

    low = grid.min(axis=0)
    image = np.zeros(grid.max(axis=0) - low + 1, dtype=bool)
    image[tuple((grid - low).T)] = True
    labels, _ = label(image, structure=np.ones((3, 3)))  # pyright: ignore[reportGeneralTypeIssues]
    return labels[tuple((grid - low).T)].astype(np.int64)


def _level_surfaces(
    tiles: FlatTiles, level: Bool[np.ndarray, "n"], *, floor_z: float | None, unit_m: float, faces_up: bool
) -> list[Surface]:
    points = tiles.points_world[level] * unit_m
    surfaces: list[Surface] = []
    left = np.ones(points.shape[0], dtype=bool)
    for _ in range(16):
        if left.sum() < 10:
            break
        height = points[left, 2]
        bins = np.floor(height / 0.02).astype(np.int64)
        # Cells, not tiles, vote: a table that was looked at for long is not larger.
        cells = np.unique(np.c_[np.floor(points[left, :2] / _CELL_M).astype(np.int64), bins], axis=0)[:, 2]
        votes = np.convolve(np.bincount(cells - bins.min()), np.ones(3), mode="same")
        z = (int(votes.argmax()) + int(bins.min()) + 0.5) * 0.02
        near = left & (np.abs(points[:, 2] - z) <= 0.04)
        left &= np.abs(points[:, 2] - z) > 0.06
        if near.sum() < 5:
            continue
        grid, member = np.unique(np.floor(points[near, :2] / _CELL_M).astype(np.int64), axis=0, return_inverse=True)
        labels = _patches(grid)[member.reshape(-1)]
        if faces_up and floor_z is not None and z - floor_z * unit_m < 0.08:
            continue  # the floor is found from places: its far parts make no flat tiles
        for number in np.unique(labels):
            part = points[near][labels == number]
            cells_here = np.unique(np.floor(part[:, :2] / _CELL_M).astype(np.int64), axis=0)
            area = cells_here.shape[0] * _CELL_M**2
            if area < (_MIN_TOP_M2 if faces_up else _MIN_CEILING_M2):
                continue
            places = (cells_here + 0.5) * _CELL_M
            length, width, angle = smallest_rectangle(places, 1.0, 3.0)
            along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
            axes = np.stack([along, [-along[1], along[0]]], axis=1)
            center = np.append(axes @ np.percentile(places @ axes, [1, 99], axis=0).mean(axis=0), np.median(part[:, 2]))
            sides = (length + _CELL_M, width + _CELL_M)
            normal = (0.0, 0.0, 1.0 if faces_up else -1.0)
            surfaces.append(
                _surface(
                    "top" if faces_up else "ceiling",
                    center_m=center,
                    sides_m=sides,
                    area_m2=area,
                    normal=normal,
                    along=(float(along[0]), float(along[1])),
                    floor_z=floor_z,
                    unit_m=unit_m,
                )
            )
    if not faces_up and surfaces:  # only the highest wide one is the ceiling; shelves have undersides too
        top = max(s.z for s in surfaces)
        surfaces = [s for s in surfaces if s.z > top - 0.3 / unit_m][:1]
    return surfaces


def _floor(places: Float64[np.ndarray, "p 3"], floor_z: float, unit_m: float) -> list[Surface]:
    """The floor as one surface, however the furniture divides it."""
    near = places[np.abs(places[:, 2] - floor_z) * unit_m <= 0.06] * unit_m
    if near.shape[0] == 0:
        return []
    cells = np.unique(np.floor(near[:, :2] / _CELL_M).astype(np.int64), axis=0)
    length, width, _ = smallest_rectangle((cells + 0.5) * _CELL_M, 1.0, 3.0)
    center = np.median(near, axis=0)
    center[2] = floor_z * unit_m
    sides = (length + _CELL_M, width + _CELL_M)
    return [
        _surface(
            "floor",
            center_m=center,
            sides_m=sides,
            area_m2=cells.shape[0] * _CELL_M**2,
            normal=(0.0, 0.0, 1.0),
            floor_z=floor_z,
            unit_m=unit_m,
        )
    ]


def _facings(normals: Float64[np.ndarray, "n 3"]) -> list[float]:
    """Directions in degrees that many upright tiles face, the most frequent first."""
    angle = np.degrees(np.arctan2(normals[:, 1], normals[:, 0])) % 360
    facings: list[float] = []
    enough = max(20, 0.04 * angle.size)  # tiles that straddle a corner face neither wall
    while angle.size >= 20 and len(facings) < 6:
        votes = np.bincount((angle // 2).astype(np.int64) % 180, minlength=180).astype(np.float64)
        votes = sum((np.roll(votes, k) for k in (-2, -1, 1, 2)), start=votes)
        peak = 2.0 * int(votes.argmax()) + 1.0
        off = (angle - peak + 180) % 360 - 180
        near = np.abs(off) <= 10
        if near.sum() < enough:
            break
        facings.append(peak + float(np.median(off[near])))
        angle = angle[np.abs(off) > 20]
    return facings


def _walls(
    tiles: FlatTiles, places: Float64[np.ndarray, "p 3"], *, floor_z: float | None, unit_m: float
) -> list[Surface]:
    """Upright planes: flat tiles tell the directions, seen places how far out and how large they are.

    Few tiles of a distant wall are flat in a noisy depth map, but its places still lie in one plane.
    """
    upright = np.abs(tiles.normals_world[:, 2]) < np.sqrt(1 - _LEVEL**2)
    tile_m, normals, place_m = tiles.points_world[upright] * unit_m, tiles.normals_world[upright], places * unit_m
    surfaces: list[Surface] = []
    for facing in _facings(normals):
        normal = np.array([np.cos(np.radians(facing)), np.sin(np.radians(facing)), 0.0])
        along, offset = place_m @ np.array([-normal[1], normal[0], 0.0]), place_m @ normal
        tile_offset = tile_m[normals @ normal > 0.97] @ normal
        # Planes of this direction: distinct 10 cm cells vote for their offset.
        cells = np.unique(
            np.floor(np.c_[along / _CELL_M, place_m[:, 2] / _CELL_M, offset / 0.05]).astype(np.int64), axis=0
        )
        first = int(cells[:, 2].min())
        votes = np.convolve(np.bincount(cells[:, 2] - first), np.ones(2))[1:]
        while votes.size and votes.max() * _CELL_M**2 >= _MIN_WALL_M2:
            peak = int(votes.argmax())
            votes[max(0, peak - 4) : peak + 5] = 0
            place = (peak + first + 1.0) * 0.05
            if (np.abs(tile_offset - place) <= 0.1).sum() < 5:  # no tile faces this way here: boxes, not a wall
                continue
            on_wall = np.abs(offset - place) <= 0.06
            here = np.unique(np.floor(np.c_[along, place_m[:, 2]][on_wall] / _CELL_M).astype(np.int64), axis=0)
            (low_a, high_a), (low_z, high_z) = (np.percentile(v[on_wall], [3, 97]) for v in (along, place_m[:, 2]))
            filled = here.shape[0] * _CELL_M**2 >= _MIN_WALL_FILL * (high_a - low_a) * (high_z - low_z)
            if high_z - low_z < _MIN_WALL_HEIGHT_M or high_a - low_a < _MIN_WALL_LENGTH_M or not filled:
                continue
            center = np.median(place_m[on_wall], axis=0)
            center[2] = high_z
            sides = (float(high_a - low_a), float(high_z - low_z))
            area = here.shape[0] * _CELL_M**2
            surfaces.append(
                _surface(
                    "wall",
                    center_m=center,
                    sides_m=sides,
                    area_m2=area,
                    normal=tuple(normal.tolist()),
                    floor_z=floor_z,
                    unit_m=unit_m,
                )
            )
    return surfaces


def _surface(
    kind: Literal["floor", "top", "ceiling", "wall"],
    *,
    center_m: Float64[np.ndarray, "3"],
    sides_m: tuple[float, float],
    area_m2: float,
    normal: tuple[float, ...],
    floor_z: float | None,
    unit_m: float,
    along: tuple[float, float] = (math.nan, math.nan),
) -> Surface:
    z = float(center_m[2]) / unit_m
    return Surface(
        kind=kind,
        z=z,
        height=float("nan") if floor_z is None else z - floor_z,
        length=float(sides_m[0]) / unit_m,
        width=float(sides_m[1]) / unit_m,
        area=area_m2 / unit_m**2,
        normal=(float(normal[0]), float(normal[1]), float(normal[2])),
        center=(float(center_m[0]) / unit_m, float(center_m[1]) / unit_m, z),
        along=along,
    )


def to_wall_m(box: Box3D, surfaces: Sequence[Surface]) -> float | None:
    """Metres on the floor from an upright box's nearest corner to the nearest wall that was seen; None where none was."""
    corners = box_corners(box)[::2, :2]
    return min((_to_plane_m(corners, one) for one in surfaces if one.kind == "wall"), default=None)


def _to_plane_m(corners: Float64[np.ndarray, "4 2"], wall: Surface) -> float:
    """From the nearest corner of a footprint to a wall's plane, and past its end where it is beside it."""
    normal, center = np.array(wall.normal[:2]), np.array(wall.center[:2])
    normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
    across = np.abs((corners - center) @ normal)
    beside = np.clip(np.abs((corners - center) @ np.array([-normal[1], normal[0]])) - wall.length / 2, 0, None)
    return float(np.hypot(across, beside).min())
