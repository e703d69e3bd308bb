"""Where a thing can be put down: free rectangles on level planes, with room around and above that was seen to be free."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.depth_views import DepthViews, free_votes, hit_votes, plane_votes
from video3d.geometry.plane_regions import PlaneRegion, cell_centers
from video3d.types import InputError

FLAT_M = 0.01
"""Root mean square of the surface under a thing, at most."""
_LOW_M = 0.02  # heights over the plane up to here are its own noise
_LAYER_M = 0.05
_MOST_LAYERS = 24
_HIT_SHARE = 0.1  # of the views that look through a cell: fewer that see something there are flying pixels
_STEP_M = 0.015  # no cell under a thing may be farther off its plane, and none around it higher
_MOST_PER_PLANE = 8
_SEEN = 3.0  # views at which evidence counts for three quarters


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingToPlace:
    """What is to be put down.

    Attributes:
        size_m: along, across and up, metres.
        clearance_m: free distance around it, metres.
    """

    size_m: tuple[float, float, float] = (0.2, 0.2, 0.2)
    clearance_m: float = 0.05

    def __post_init__(self) -> None:
        """Refuses what is no size.

        Raises:
            InputError: a side that is not within 1 cm and 10 m, or a clearance not within 0 and 2 m.
        """
        if len(self.size_m) != 3 or not all(np.isfinite(s) and 0.01 <= s <= 10 for s in self.size_m):
            raise InputError(
                "size", expected="three lengths from 0.01 to 10 metres: along, across, up", got=self.size_m
            )
        if not (np.isfinite(self.clearance_m) and 0 <= self.clearance_m <= 2):
            raise InputError("clearance", expected="a distance from 0 to 2 metres", got=self.clearance_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A free rectangle on a plane.

    Attributes:
        world_from_anchor: on the surface under the middle, x along the thing, z the plane's normal.
        size: of the free room along x, y and z.
        clearance: free distance around the thing.
        flatness: root mean square of the surface under the thing to its own plane.
        views: how many views saw the worst seen cell under it.
        score: 0..1, more for more clearance, flatter and better seen; no probability.
    """

    world_from_anchor: Float64[np.ndarray, "4 4"]
    size: tuple[float, float, float]
    clearance: float
    flatness: float
    views: int
    score: float


def free_zones(views: DepthViews, region: PlaneRegion, thing: ThingToPlace) -> tuple[Zone, ...]:
    """Where a thing fits on a level plane, the best first; no two zones overlap, their free room included.

    The whole footprint is on cells that were seen on the plane and is flat within 1 cm. Over it, and over the clearance around it,
    views looked through all of the height (the thing's and the clearance), next to none of them saw anything there, and none did
    after the last look at it.

    Args:
        views: depth maps of a metric world.
        region: a level plane of them.
        thing: what is to be put down.
    """
    from scipy.ndimage import binary_erosion

    pad = int(np.ceil((thing.clearance_m + 0.5 * max(thing.size_m[:2])) / region.cell)) + 1
    # A cell less all around: a pixel at an edge may have seen the side of the thing a little lower.
    on = np.pad(np.asarray(binary_erosion(region.on, np.ones((3, 3))), dtype=bool), pad)
    if not _fits(on, thing, region.cell).any():
        return ()
    pose = region.world_from_plane.copy()
    pose[:3, 3] -= pose[:3, :2] @ np.full(2, pad * region.cell)
    free = _free(views, pose, region.cell, on, thing)
    height = np.pad(region.height, pad, constant_values=np.nan)
    seen_by = np.pad(region.seen_by, pad)
    return _chosen(pose, region.cell, on, free, height, seen_by, thing)


def _cells(length: float, cell: float) -> int:
    """Cells that a length touches whose middle is the middle of a cell: an odd number."""
    return 2 * int(np.ceil((length / 2 + cell / 2) / cell - 0.5 - 1e-6)) + 1


def _fits(on: Bool[np.ndarray, "r c"], thing: ThingToPlace, cell: float) -> Bool[np.ndarray, "r c"]:
    """Middles at which the whole footprint is on the plane, lying along or across."""
    from scipy.ndimage import minimum_filter

    along, across = (_cells(side, cell) for side in thing.size_m[:2])
    lying = [minimum_filter(on, sides, mode="constant") for sides in ((across, along), (along, across))]
    return np.logical_or(*lying)


def _free(
    views: DepthViews, pose: Float64[np.ndarray, "4 4"], cell: float, on: Bool[np.ndarray, "r c"], thing: ThingToPlace
) -> Bool[np.ndarray, "r c"]:
    """Cells over which the room is seen to be free, up to the thing's height and the clearance over it."""
    from scipy.ndimage import binary_dilation

    reach = int(np.ceil(thing.clearance_m / cell)) + 1
    wanted = np.asarray(binary_dilation(on, np.ones((2 * reach + 1,) * 2)), dtype=bool)
    top = thing.size_m[2] + thing.clearance_m
    layers = min(max(1, int(np.ceil((top - _LOW_M) / _LAYER_M))), _MOST_LAYERS)
    base = cell_centers(pose, cell, np.argwhere(wanted))
    # Of the layers the one that fewest looked through, and the one that was looked through longest ago.
    fewest, oldest = np.full((2, base.shape[0]), views.frame.size, dtype=np.int64)
    for height in np.linspace(_LOW_M + min(0.02, top / 4), top, layers + 1):
        rows = np.flatnonzero(fewest)  # what is not free in one layer need not be looked at in the next
        votes = free_votes(views, base[rows] + height * pose[:3, 2])
        fewest[rows] = np.minimum(fewest[rows], votes.count)
        oldest[rows] = np.minimum(oldest[rows], votes.last)
    hits = hit_votes(views, np.linalg.inv(pose), on.shape, cell, _LOW_M, top)
    # What came to stand there after all had been seen free is there now.
    empty = (hits.count[wanted] <= _HIT_SHARE * fewest) & (hits.last[wanted] <= oldest)
    # A book, too low for single pixels to tell from noise, is told by their mean.
    normal = pose[:3, 2]
    empty &= ~(plane_votes(views, base, normal, -float(normal @ pose[:3, 3])).height > _STEP_M)
    result = np.zeros(on.shape, dtype=bool)
    result[wanted] = (fewest > 0) & empty
    return result


def _chosen(
    pose: Float64[np.ndarray, "4 4"],
    cell: float,
    on: Bool[np.ndarray, "r c"],
    free: Bool[np.ndarray, "r c"],
    height: Float64[np.ndarray, "r c"],
    seen_by: Int64[np.ndarray, "r c"],
    thing: ThingToPlace,
) -> tuple[Zone, ...]:
    """The best place, then the best that does not touch it, and so on."""
    from scipy.ndimage import distance_transform_cdt, minimum_filter

    free = free.copy()
    cap = max(2 * thing.clearance_m, 0.5 * max(thing.size_m[:2]))
    flat = np.where(on, height, 0.0)
    zones: list[Zone] = []
    tried = 0
    turns = (False, True) if thing.size_m[0] != thing.size_m[1] else (False,)
    banned = {turned: np.zeros(on.shape, dtype=bool) for turned in turns}
    while len(zones) < _MOST_PER_PLANE and tried < 4 * _MOST_PER_PLANE:
        tried += 1
        # Cells to the nearest one that is not free, in squares: a square of n - 1 cells around is free.
        room = distance_transform_cdt(free, "chessboard")
        best: tuple[float, int, int, bool, float] | None = None
        for turned in turns:
            sides = [_cells(side, cell) for side in (thing.size_m[:2] if turned else thing.size_m[1::-1])]
            fits = minimum_filter(on & free, sides, mode="constant") & ~banned[turned]
            clear = np.minimum((minimum_filter(room, sides, mode="constant") - 1) * cell, cap)
            # A clearance of less than a cell is nothing that cells can tell; what is asked for has to be there in full.
            fits &= clear >= thing.clearance_m - 1e-9
            if not fits.any():
                continue
            views = minimum_filter(np.where(on, seen_by, 0), sides, mode="constant")
            value = np.where(fits, _score(clear, thing.clearance_m, 0.0, views), -1.0)
            row, column = np.unravel_index(int(value.argmax()), value.shape)
            if best is None or value[row, column] > best[0]:
                best = (float(value[row, column]), int(row), int(column), turned, float(clear[row, column]))
        if best is None:
            break
        _, row, column, turned, clear = best
        half = [_cells(side, cell) // 2 for side in (thing.size_m[:2] if turned else thing.size_m[1::-1])]
        under = np.s_[row - half[0] : row + half[0] + 1, column - half[1] : column + half[1] + 1]
        offset, rms, worst = _flatness(flat[under])
        if rms > FLAT_M or worst > _STEP_M:
            near = [max(1, side // 2) for side in half]
            banned[turned][row - near[0] : row + near[0] + 1, column - near[1] : column + near[1] + 1] = True
            continue
        count = int(seen_by[under].min())
        anchor = pose.copy()
        if turned:
            anchor[:3, :2] = np.stack([pose[:3, 1], -pose[:3, 0]], axis=1)
        anchor[:3, 3] = pose[:3, 3] + pose[:3, :3] @ np.array([(column + 0.5) * cell, (row + 0.5) * cell, offset])
        zones.append(
            Zone(
                world_from_anchor=anchor,
                size=(
                    thing.size_m[0] + 2 * clear,
                    thing.size_m[1] + 2 * clear,
                    thing.size_m[2] + thing.clearance_m,
                ),
                clearance=clear,
                flatness=rms,
                views=count,
                score=float(_score(clear, thing.clearance_m, rms, count)),
            )
        )
        taken = [side + int(np.ceil(clear / cell)) for side in half]
        low = [max(0, middle - side) for middle, side in zip((row, column), taken, strict=True)]
        free[low[0] : row + taken[0] + 1, low[1] : column + taken[1] + 1] = False
    return tuple(zones)


def _flatness(height: Float64[np.ndarray, "r c"]) -> tuple[float, float, float]:
    """Of the cells under a thing: mean height, and root mean square and largest distance to the plane fitted to them."""
    rows, columns = np.indices(height.shape).reshape(2, -1)
    design = np.c_[rows - rows.mean(), columns - columns.mean(), np.ones(height.size)]
    flat = height.reshape(-1)
    off = flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0]
    return float(flat.mean()), float(np.sqrt(np.mean(off**2))), float(np.abs(off).max())


def _score(clearance: Any, wanted: float, rms: float, views: Any) -> Any:
    """Half for clearance, beyond what is asked for too; three tenths for how flat; two tenths for how many views saw it."""
    room = clearance / (clearance + wanted + 0.05)
    return 0.5 * room + 0.3 * (1 - rms / FLAT_M) + 0.2 * views / (views + _SEEN / 3)
