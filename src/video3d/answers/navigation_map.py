"""A map of cells as what programs read: areas with holes, and what stands in the way as upright boxes with names."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.answers.results import Box, Obstacle, Polygon
from video3d.geometry.boxes import box_corners
from video3d.geometry.occupancy import OCCUPIED, Columns, OccupancyMap, patches
from video3d.geometry.outline import rings, signed_area
from video3d.types import Box3D, Detection, Status

_LOOSE_FILL, _LOOSE_M2 = 0.6, 0.3  # a box that holds less than this of its own, and is larger than that, is cut
_GAIN = 0.8
_MAX_CUTS = 8
_MIN_PIECE = 8  # cells


def polygons_of(
    mask: Bool[np.ndarray, "ny nx"], grid: OccupancyMap, *, min_area: float = 0.0, joined: bool = False
) -> tuple[Polygon, ...]:
    """The outlines of the areas of a mask, along the sides of its cells, in the world.

    Outer rings are counter-clockwise, holes clockwise.

    Args:
        mask: cells.
        grid: where they are.
        min_area: smaller areas are left out.
        joined: cells that touch at a corner are one area, whose outline touches itself there.

    >>> mask = np.ones((3, 3), bool); mask[1, 1] = False
    >>> area, = polygons_of(mask, OccupancyMap(states=mask.astype(np.int8), origin=(0.0, 0.0), cell=1.0))
    >>> area.outer, area.holes
    (((0.0, 0.0), (3.0, 0.0), (3.0, 3.0), (0.0, 3.0)), (((1.0, 2.0), (2.0, 2.0), (2.0, 1.0), (1.0, 1.0)),))
    """
    labels, count = patches(mask, corners=joined)
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1) * grid.cell**2
    outer: dict[int, tuple[tuple[float, float], ...]] = {}
    holes: dict[int, list[tuple[tuple[float, float], ...]]] = {}
    for cell, ring in rings(mask, joined=joined):
        area = labels[cell]
        if sizes[area] < min_area:
            continue
        corners = tuple(
            (round(grid.origin[0] + x * grid.cell, 4), round(grid.origin[1] + y * grid.cell, 4))
            for x, y in ring.tolist()
        )
        if signed_area(ring) > 0:
            outer[area] = corners
        else:
            holes.setdefault(area, []).append(corners)
    order = sorted(outer, key=lambda area: -sizes[area])
    return tuple(Polygon(outer=outer[area], holes=tuple(holes.get(area, ()))) for area in order)


def footprint_distance(box: Box3D, places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
    """Level distance from places to what a box covers seen from above, 0 inside.

    >>> box = Box3D(center_world=np.zeros(3), size_m=np.array([2.0, 2, 2]), world_from_box=np.eye(3))
    >>> footprint_distance(box, np.array([[0.5, 0.0], [4.0, 5.0]])).tolist()
    [0.0, 5.0]
    """
    yaw = float(np.arctan2(box.world_from_box[1, 0], box.world_from_box[0, 0]))
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])  # rows: places -> along, across
    corners = box_corners(box)[:, :2] @ turn
    along = places @ turn
    beyond = np.maximum(np.maximum(corners.min(axis=0) - along, along - corners.max(axis=0)), 0)
    return np.linalg.norm(beyond, axis=1)


def find_obstacles(
    columns: Columns,
    grid: OccupancyMap,
    objects: Sequence[Detection],
    *,
    near: tuple[float, float] | None,
    status: Status,
    frame_index: Int64[np.ndarray, "f"],
) -> tuple[Obstacle, ...]:
    """What stands in the way, nearest first.

    Occupied cells that lie in the footprint of a detection become an obstacle with its name; all others are taken by what touches
    what. Things that stand at one wall touch through it, so what fills its box badly is cut where two boxes are much smaller.

    Args:
        columns: what was seen.
        grid: its map.
        objects: with names; those that do not reach into the map's layers name nothing.
        near: where to measure distances from; None: they are not known.
        status: of the result.
        frame_index: index into the recording of the clip's frames.
    """
    left = grid.states == OCCUPIED
    pieces: list[tuple[Bool[np.ndarray, "ny nx"], str | None]] = []
    for detection in _standing(objects, columns):
        cells = left & _footprint(detection.box, grid)
        if cells.any():
            pieces.append((cells, detection.label))
            left &= ~cells
    labels, count = patches(left)
    for number in range(1, count + 1):
        pieces.extend((cells, None) for cells in _compact(labels == number, grid, _MAX_CUTS))
    named = np.zeros(grid.states.shape, np.int64)
    for number, (cells, _) in enumerate(pieces, 1):
        named[cells] = number
    seen_in: dict[int, list[int]] = {}
    for frame, hits in zip(columns.frames, columns.hits, strict=True):
        for number in np.unique(named.reshape(-1)[hits]).tolist():
            seen_in.setdefault(number, []).append(int(frame_index[frame]))
    found = []
    for number, (cells, name) in enumerate(pieces, 1):
        where = np.argwhere(cells)
        distance = None
        if near is not None:
            beyond = np.maximum(np.abs(grid.centers(where) - near) - grid.cell / 2, 0)
            distance = round(float(np.linalg.norm(beyond, axis=1).min()), 4)
        odds = columns.log_odds[1:, cells].max(axis=0).astype(np.float64)
        found.append(
            Obstacle(
                id="",
                name=name,
                status=status,
                confidence=round(float((1 / (1 + np.exp(-odds))).mean()), 3),
                frames=tuple(seen_in.get(number, ())),
                box=_box(cells, columns, grid),
                footprint=polygons_of(cells, grid, joined=True)[0],  # of the largest patch
                distance=distance,
            )
        )
    found.sort(key=lambda one: (one.distance if one.distance is not None else 0.0, one.box.center))
    return tuple(one.model_copy(update={"id": f"obstacle-{i}"}) for i, one in enumerate(found, 1))


def _standing(objects: Sequence[Detection], columns: Columns) -> list[Detection]:
    """Detections that reach between a step and the top, largest first, so that a table has its cells before a chair under it."""
    found = []
    for detection in objects:
        height = columns.band.height(box_corners(detection.box))
        if height.max() > columns.band.step_m and height.min() < columns.band.top_m:
            found.append((float(np.prod(detection.box.size_m)), detection))
    return [detection for _, detection in sorted(found, key=lambda one: -one[0])]


def _footprint(box: Box3D, grid: OccupancyMap) -> Bool[np.ndarray, "ny nx"]:
    """Cells that a box covers, or touches."""
    return (footprint_distance(box, grid.middles().reshape(-1, 2)) <= grid.cell).reshape(grid.states.shape)


def _compact(cells: Bool[np.ndarray, "ny nx"], grid: OccupancyMap, cuts: int) -> list[Bool[np.ndarray, "ny nx"]]:
    """A connected area in pieces that fill their boxes, if it does not fill its own."""
    where = np.argwhere(cells)
    places = grid.centers(where)
    turn, low, high = _rectangle(places, grid.cell)
    area = float(np.prod(high - low))
    if cuts == 0 or area < _LOOSE_M2 or len(where) * grid.cell**2 > _LOOSE_FILL * area:
        return [cells]
    side = _cut(places @ turn, grid.cell, area)
    if side is None:
        return [cells]
    one = np.zeros_like(cells)
    one[tuple(where[side].T)] = True
    pieces = []
    for half in (one, cells & ~one):
        labels, count = patches(half)
        for number in range(1, count + 1):
            pieces.extend(_compact(labels == number, grid, cuts - 1))
    return pieces


def _cut(places: Float64[np.ndarray, "n 2"], cell: float, area: float) -> Int64[np.ndarray, "_"] | None:
    """Which places lie to one side of the best straight cut along either axis; None where no cut is worth it.

    Best makes two boxes that are much smaller than the one of ``area`` was; else it takes off the most that fills its box well, as
    a side of a frame: there no cut makes the boxes smaller.
    """
    smallest, most = _GAIN * area, 0
    by_area = by_fill = None
    for axis in (0, 1):
        ascending = np.argsort(places[:, axis], kind="stable")
        for order in (ascending, ascending[::-1]):
            ahead, behind = _growing_area(places[order], cell), _growing_area(places[order[::-1]], cell)[::-1]
            gaps = np.abs(np.diff(places[order, axis])) > cell / 10  # a cut is between two rows of cells
            gaps[: _MIN_PIECE - 1] = gaps[len(gaps) + 1 - _MIN_PIECE :] = False
            ends = np.flatnonzero(gaps)
            if not ends.size:
                continue
            total = ahead[ends] + behind[ends + 1]
            if total.min() < smallest:
                smallest, by_area = float(total.min()), order[: ends[total.argmin()] + 1]
            filled = ends[(ends + 1) * cell**2 > _LOOSE_FILL * ahead[ends]]
            if filled.size and filled[-1] + 1 > most:
                most, by_fill = int(filled[-1]) + 1, order[: filled[-1] + 1]
    return by_area if by_area is not None else by_fill


def _growing_area(places: Float64[np.ndarray, "n 2"], cell: float) -> Float64[np.ndarray, "n"]:
    """Area of the box around the first 1, 2, ... places."""
    size = np.maximum.accumulate(places) - np.minimum.accumulate(places) + cell
    return size.prod(axis=1)


def _rectangle(
    places: Float64[np.ndarray, "n 2"], cell: float
) -> tuple[Float64[np.ndarray, "2 2"], Float64[np.ndarray, "2"], Float64[np.ndarray, "2"]]:
    """The smallest rectangle around cells: ``places @ turn`` is along and across it, and its corners in these."""
    from scipy.spatial import ConvexHull

    half = cell / 2
    corners = np.concatenate([places + np.array([sx, sy]) for sx in (-half, half) for sy in (-half, half)])
    hull = corners[ConvexHull(corners).vertices]
    edges = np.diff(np.r_[hull, hull[:1]], axis=0)
    angles = np.arctan2(edges[:, 1], edges[:, 0])
    turns = np.stack(
        [np.stack([np.cos(angles), -np.sin(angles)], -1), np.stack([np.sin(angles), np.cos(angles)], -1)], -2
    )
    turned = hull @ turns  # e n 2
    low, high = turned.min(axis=1), turned.max(axis=1)
    best = int((high - low).prod(axis=1).argmin())
    turn, low, high = turns[best], low[best], high[best]
    if high[1] - low[1] > high[0] - low[0]:  # along is the longer side
        turn = turn @ np.array([[0.0, 1.0], [-1.0, 0.0]]).T
        turned = hull @ turn
        low, high = turned.min(axis=0), turned.max(axis=0)
    return turn, low, high


def _box(cells: Bool[np.ndarray, "ny nx"], columns: Columns, grid: OccupancyMap) -> Box:
    """The upright box around occupied cells, from the lowest to the highest layer in which something was seen."""
    places = grid.centers(np.argwhere(cells))
    turn, low, high = _rectangle(places, grid.cell)
    layers = np.flatnonzero((columns.log_odds[1:, cells] > 0).any(axis=1))
    band = columns.band
    bottom = 0.0 if layers[0] == 0 else band.step_m + layers[0] * band.layer_m
    top = band.step_m + (layers[-1] + 1) * band.layer_m
    x, y = turn @ ((low + high) / 2)
    a, b, c = band.floor
    yaw = np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))
    yaw = (yaw + 90) % 180 - 90
    numbers = (x, y, a * x + b * y + c + (bottom + top) / 2), (*(high - low), top - bottom)
    center, size = (tuple(round(float(v), 4) for v in three) for three in numbers)
    return Box(center=center, size=size, yaw_deg=round(float(yaw), 2))  # type: ignore[arg-type]
