"""The way of a round robot over a map of free cells: where its centre fits, the cheapest way, and that way pulled tight.

Whatever is not free, unknown included, is a square that the robot's disc must not touch. Distances to squares are exact, so a path
that is found is free of collisions with the map by construction, and not up to the size of a cell.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from video3d.geometry.occupancy import FREE, OccupancyMap

COMFORT_M = 0.1
"""Ways closer than this to anything cost more, up to half as much again, and are not pulled closer to it than they were."""
_DISCOMFORT = 0.5
_STEPS = np.array([(0, 1), (1, 0), (1, 1), (1, -1)])
_PIECE_M = 0.5  # of a segment that is looked at with the squares around it


def distance_to_blocked(grid: OccupancyMap) -> Float64[np.ndarray, "ny nx"]:
    """Distance from the middle of every cell to the nearest square that is not free, 0 in one; beyond the map nothing is free.

    Exact: the nearest point of a square is one of its corners, or lies square to a side, and so on a grid of half a cell.

    >>> states = np.zeros((1, 3), np.int8)
    >>> distance_to_blocked(OccupancyMap(states=states, origin=(0.0, 0.0), cell=1.0)).tolist()
    [[0.5, 0.5, 0.5]]
    """
    from scipy.ndimage import distance_transform_edt

    blocked = np.pad(grid.states != FREE, 1, constant_values=True)
    ny, nx = blocked.shape
    fine = np.zeros((2 * ny + 1, 2 * nx + 1), bool)
    for row in range(3):
        for column in range(3):
            fine[row : row + 2 * ny - 1 : 2, column : column + 2 * nx - 1 : 2] |= blocked
    found = np.asarray(distance_transform_edt(~fine))
    return found[1::2, 1::2][1:-1, 1:-1] * (grid.cell / 2)


def fits(blocked_m: Float64[np.ndarray, "ny nx"], radius_m: float, cell: float) -> Bool[np.ndarray, "ny nx"]:
    """Cells at whose middle a disc fits, with what it needs to go to its eight neighbours of the kind as well.

    A point that is R from both ends of a step of length l is at least sqrt(R² - l²/4) from all of it.
    """
    return blocked_m >= np.hypot(radius_m, cell * np.sqrt(0.5)) - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The cheapest ways from one cell to all others.

    Attributes:
        cost: of every cell, in metres lengthened by discomfort; infinite where there is no way.
        before: flat index of the cell before it on its way, negative for none.
    """

    cost: Float64[np.ndarray, "ny nx"]
    before: Int64[np.ndarray, "c"]

    def to(self, cell: tuple[int, int]) -> Int64[np.ndarray, "n 2"]:
        """The cells (row, column) on the way to a cell that can be reached, both ends included."""
        nx = self.cost.shape[1]
        at = cell[0] * nx + cell[1]
        way = [at]
        while self.before[at] >= 0:
            at = int(self.before[at])
            way.append(at)
        return np.stack(np.divmod(np.array(way[::-1]), nx), axis=1)


def routes_from(
    start: tuple[int, int],
    allowed: Bool[np.ndarray, "ny nx"],
    blocked_m: Float64[np.ndarray, "ny nx"],
    radius_m: float,
    cell: float,
) -> Routes:
    """Dijkstra's ways from a cell to all that can be reached, over eight neighbours, dearer where it is narrow."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    ny, nx = allowed.shape
    number = np.full(ny * nx, -1)
    cells = np.flatnonzero(allowed)
    number[cells] = np.arange(len(cells))
    row, column = np.divmod(cells, nx)
    tight = np.clip(1 - (blocked_m.reshape(-1)[cells] - radius_m) / COMFORT_M, 0, 1)
    ends, prices = [], []
    for step in _STEPS:
        to_row, to_column = row + step[0], column + step[1]
        inside = np.flatnonzero((to_row < ny) & (to_column >= 0) & (to_column < nx))
        other = number[to_row[inside] * nx + to_column[inside]]
        inside, other = inside[other >= 0], other[other >= 0]
        ends.append(np.stack([inside, other]))
        prices.append(cell * np.hypot(*step) * (1 + _DISCOMFORT * (tight[inside] + tight[other]) / 2))
    a, b = np.concatenate(ends, axis=1)
    graph = coo_array((np.concatenate(prices), (a, b)), shape=(len(cells), len(cells))).tocsr()
    cost, before = dijkstra(
        graph, directed=False, indices=int(number[start[0] * nx + start[1]]), return_predecessors=True
    )
    all_cost, all_before = np.full(ny * nx, np.inf), np.full(ny * nx, -1)
    all_cost[cells] = cost
    all_before[cells] = np.where(before >= 0, cells[np.maximum(before, 0)], -1)
    return Routes(cost=all_cost.reshape(ny, nx), before=all_before)


@dataclass(frozen=True, slots=True)
class Blocks:
    """The squares that are not free, for exact distances to segments.

    >>> states = np.zeros((5, 5), np.int8); states[2, 2] = 1
    >>> blocks = Blocks(OccupancyMap(states=states, origin=(0.0, 0.0), cell=1.0))
    >>> blocks.distance(np.array([0.5, 1.5]), np.array([4.5, 1.5])), blocks.distance(np.array([0.5, 1.0]), np.array([4.5, 4.0]))
    (0.5, 0.0)
    """

    grid: OccupancyMap
    _centers: Float64[np.ndarray, "n 2"] = field(init=False)
    _tree: Any = field(init=False)

    def __post_init__(self) -> None:
        from scipy.ndimage import binary_dilation
        from scipy.spatial import KDTree

        free = np.pad(self.grid.states == FREE, 1)
        rim = binary_dilation(free, np.ones((3, 3), bool)) & ~free  # what is behind a rim is never nearest
        object.__setattr__(self, "_centers", self.grid.centers(np.argwhere(rim) - 1))
        object.__setattr__(self, "_tree", KDTree(self._centers))

    def distance(self, start: Float64[np.ndarray, "2"], end: Float64[np.ndarray, "2"], limit: float = 1.0) -> float:
        """Least distance of a segment that starts on free floor to any square, ``limit`` where it is more."""
        pieces = max(1, int(np.ceil(float(np.linalg.norm(end - start)) / _PIECE_M)))
        knots = start + np.linspace(0, 1, pieces + 1)[:, None] * (end - start)
        half, least = self.grid.cell / 2, limit
        for a, b in pairwise(knots):
            reach = float(np.linalg.norm(b - a)) / 2 + least + 2 * half
            near = self._tree.query_ball_point((a + b) / 2, reach)
            if near:
                least = min(least, float(_segment_to_squares(a, b, self._centers[near], half).min()))
            if least == 0:
                break
        return least

    def along(self, places: Float64[np.ndarray, "n 2"], limit: float = 1.0) -> float:
        """Least distance of a path to any square."""
        if len(places) == 1:
            return self.distance(places[0], places[0], limit)
        return min(self.distance(a, b, limit) for a, b in pairwise(places))


def _segment_to_squares(
    a: Float64[np.ndarray, "2"], b: Float64[np.ndarray, "2"], centers: Float64[np.ndarray, "n 2"], half: float
) -> Float64[np.ndarray, "n"]:
    """Distance from a segment to squares: 0 if they meet, else from one's corner to the other."""
    ends = np.abs(np.stack([a, b])[:, None] - centers) - half  # 2 n 2
    least = np.linalg.norm(np.maximum(ends, 0), axis=2).min(axis=0)
    along = b - a
    length2 = float(along @ along)
    if length2 == 0:
        return least
    with np.errstate(divide="ignore", invalid="ignore"):  # slabs; 0 / 0, on a side along it, is no bound
        first, second = (centers - half - a) / along, (centers + half - a) / along
    outside = ((along == 0) & (np.abs(centers - a) >= half)).any(axis=1)
    enter = np.nanmax(np.where(along == 0, -np.inf, np.minimum(first, second)), axis=1)
    leave = np.nanmin(np.where(along == 0, np.inf, np.maximum(first, second)), axis=1)
    meets = ~outside & (np.maximum(enter, 0) <= np.minimum(leave, 1))
    for sx in (-half, half):
        for sy in (-half, half):
            corner = centers + np.array([sx, sy]) - a
            share = np.clip(corner @ along / length2, 0, 1)
            least = np.minimum(least, np.linalg.norm(corner - share[:, None] * along, axis=1))
    return np.where(meets, 0.0, least)


def pull_tight(places: Float64[np.ndarray, "n 2"], blocks: Blocks, radius_m: float) -> Float64[np.ndarray, "m 2"]:
    """A path without the detours of its grid: straight on to the farthest place ahead that can be seen with room for the robot.

    No shortcut comes nearer to anything than the piece that it replaces, but for what is over ``COMFORT_M``.
    """
    if len(places) < 3:
        return places
    steps = np.array([blocks.distance(a, b) for a, b in pairwise(places)])
    wanted = np.minimum(steps, radius_m + COMFORT_M)
    kept, at = [0], 0
    while at < len(places) - 1:
        to = len(places) - 1
        while to > at + 1:
            room = float(wanted[at:to].min())
            if blocks.distance(places[at], places[to], radius_m + COMFORT_M) >= room - 1e-9:
                break
            to = at + max(1, (to - at) * 9 // 10)
        kept.append(to)
        at = to
    return places[kept]


def length_of(places: Float[np.ndarray, "n 2"]) -> float:
    """Length of a path.

    >>> length_of(np.array([[0.0, 0.0], [3.0, 4.0]]))
    5.0
    """
    return float(np.linalg.norm(np.diff(places, axis=0), axis=1).sum())


def distance_to_path(grid: OccupancyMap, places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "ny nx"]:
    """Distance of the middle of every cell to a path."""
    centers = grid.middles().reshape(-1, 2)
    least = np.linalg.norm(centers - places[0], axis=1)
    for a, b in pairwise(places):
        along = b - a
        share = np.clip((centers - a) @ along / max(float(along @ along), 1e-12), 0, 1)
        least = np.minimum(least, np.linalg.norm(centers - a - share[:, None] * along, axis=1))
    return least.reshape(grid.states.shape)
