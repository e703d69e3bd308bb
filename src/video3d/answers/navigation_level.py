"""Which floor a map is of, where a recording has seen several: storeys, or a floor with a step in it.

A floor is what the camera went over, at the height at which it was carried over others: the ground under each of its places is
looked up, and what it was carried over higher or lower than usual (a bed, a desk that it was held over) is none. So is what is too
small, such as the treads of a stair.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from video3d.answers.facts import SceneFacts
from video3d.answers.navigation_plan import GoalWanted, is_called
from video3d.geometry.boxes import box_corners
from video3d.geometry.depth_views import depth_views, view_points
from video3d.geometry.rigid import is_known
from video3d.geometry.voxels import contains, pack, unpack
from video3d.types import Detection, PosedClip

MAX_CAMERA_M = 2.6
"""Over the floor that it stands on."""
STOREY_M = 1.2
"""A camera whose height changes by more than a person who crouches has changed floors."""
SAME_FLOOR_M = 0.1
"""Heights that differ by less are of one floor."""
_LEAST_CAMERA_M = 0.1
_CELL_M, _LAYER_M = 0.1, 0.05
_REACH_M = 0.6  # around a camera, for the ground under it
_AREA_REACH_M = 1.5
_LEAST_CELLS = 20  # of 113 within reach
_LEAST_M2, _ALONE_M2 = 0.8, 4.0
_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A floor that the camera went over.

    Attributes:
        height: z in the world.
        frames: positions in the clip of the frames that were taken over it, ascending.
    """

    height: float
    frames: Int64[np.ndarray, "n"]


class Ground:
    """What was seen of level surfaces, in cells and layers."""

    def __init__(self, clip: PosedClip) -> None:
        views = depth_views(clip)
        points, _ = view_points(views, max(1, views.depth.shape[1] // _ROWS), far=8.0)
        each = pack(np.floor(points / (_CELL_M, _CELL_M, _LAYER_M)).astype(np.int64))
        keys, which, count = np.unique(each, return_inverse=True, return_counts=True)
        cells, z = unpack(keys), np.bincount(which.reshape(-1), points[:, 2], minlength=len(keys)) / count
        upright = [contains(keys, pack(cells + np.array([0, 0, step]))) for step in (-3, -2, 2, 3)]
        level = ~np.logical_or.reduce(upright)  # not of a wall
        self.cells, self.z = cells[level], z[level]
        self.xy = (self.cells[:, :2] + 0.5) * _CELL_M

    def under(self, place: Float64[np.ndarray, "3"]) -> float | None:
        """Height of the widest level surface under a place; None where too little of one was seen."""
        near = np.linalg.norm(self.xy - place[:2], axis=1) <= _REACH_M
        near &= (self.z < place[2] - _LEAST_CAMERA_M) & (self.z > place[2] - MAX_CAMERA_M)
        if not near.any():
            return None
        layer, z = self.cells[near, 2], self.z[near]
        count = np.bincount(layer - layer.min(), minlength=3)
        both = count[:-1] + count[1:]  # a surface between two layers
        best = int(both.argmax())
        if both[best] < _LEAST_CELLS:
            return None
        return float(np.median(z[np.isin(layer - layer.min(), (best, best + 1))]))

    def area(self, height: float, places: Float64[np.ndarray, "n 3"]) -> float:
        """Square metres that were seen at a height, around places."""
        flat = np.unique(self.cells[np.abs(self.z - height) <= _LAYER_M, :2], axis=0)
        if not len(flat) or not len(places):
            return 0.0
        from scipy.spatial import KDTree

        away, _ = KDTree(places[:, :2]).query((flat + 0.5) * _CELL_M)
        return float((away <= _AREA_REACH_M).sum()) * _CELL_M**2


def levels_walked(clip: PosedClip, facts: SceneFacts) -> tuple[Level, ...]:
    """The floors that the camera went over, the lowest first; () where it is not known what it went over.

    Args:
        clip: metric, +z up, with depth and poses.
        facts: of it: its main floor.
    """
    placed = np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera))
    places = clip.world_from_camera[placed, :3, 3]
    ground = Ground(clip)
    under = np.array([np.nan if (z := ground.under(place)) is None else z for place in places], dtype=np.float64)
    carried = places[:, 2] - under
    if not np.isfinite(carried).any():
        return ()
    with np.errstate(invalid="ignore"):
        on_main = np.zeros(len(under), bool) if facts.floor_z is None else np.abs(under - facts.floor_z) <= SAME_FLOOR_M
        usual = float(np.nanmedian(carried[on_main] if on_main.any() else carried))
        stands = np.abs(carried - usual) <= max(0.15, 0.2 * usual)
    least = _LEAST_M2 if on_main.any() else _ALONE_M2
    order = np.flatnonzero(stands)[np.argsort(under[stands], kind="stable")]
    if not order.size:
        return ()
    found = []
    for group in np.split(order, np.flatnonzero(np.diff(under[order]) > SAME_FLOOR_M) + 1):
        height = float(np.median(under[group]))
        if ground.area(height, places[group]) >= least:
            found.append(Level(height=height, frames=np.sort(placed[group])))
    return tuple(found)


def level_wanted(
    levels: Sequence[Level], clip: PosedClip, objects: Sequence[Detection], start: GoalWanted | None
) -> Level | None:
    """The floor that a map is to be of: that of the start where it is a thing, else that of the camera's last place.

    None where that is not known: the camera's last place is over none of them, and at another height than when it last was.
    """
    if start is not None and start.name is not None:
        named = [one for one in objects if is_called(one.label, start.name)]
        if named:
            foot = float(box_corners(max(named, key=lambda one: one.score).box)[:, 2].min())
            below = [one for one in levels if one.height <= foot + SAME_FLOOR_M]
            return max(below, key=lambda one: one.height) if below else None
    placed = np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera))
    last = max(levels, key=lambda one: int(one.frames[-1]))
    since = clip.world_from_camera[placed[placed >= last.frames[-1]], 2, 3]
    return last if float(np.ptp(since)) <= 2 * SAME_FLOOR_M else None


def on_level(objects: Sequence[Detection], height: float) -> tuple[Detection, ...]:
    """Objects between a floor and what may be the next one: a storey's lamps and shelves, but none of another storey."""

    def here(one: Detection) -> bool:
        z = box_corners(one.box)[:, 2]
        return float(z.max()) > height and float(z.min()) < height + MAX_CAMERA_M - 2 * SAME_FLOOR_M

    return tuple(one for one in objects if here(one))
