"""Room and Footprint: what stands where, seen from above; what furnishing fills in and cameras and experiments read."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64

from video3d.data.truth import RoomTruth

GRID_M = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The floor that a thing covers: a rectangle with its middle, half extents along its own axes, and turn.

    ``bottom_m`` and ``top_m`` bound its height above the floor: a lamp on a wall does not stop a low robot. ``object_id`` is 0 for
    what is kept clear and is no object.
    """

    object_id: int
    center_m: tuple[float, float]
    half_m: tuple[float, float]
    yaw_rad: float
    bottom_m: float
    top_m: float

    def corners(self) -> Float64[np.ndarray, "4 2"]:
        """Counter-clockwise."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        local = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * self.half_m
        return local @ np.array([[c, s], [-s, c]]) + self.center_m

    def distance(self, points_m: Float64[np.ndarray, "*p 2"]) -> Float64[np.ndarray, "*p"]:
        """From points to the rectangle in metres, 0 within.

        >>> square = Footprint(object_id=1, center_m=(0.0, 0.0), half_m=(1.0, 1.0), yaw_rad=0.0, bottom_m=0.0, top_m=1.0)
        >>> square.distance(np.array([[0.5, 0.5], [3.0, 0.0]])).tolist()
        [0.0, 2.0]
        """
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        local = (points_m - np.asarray(self.center_m)) @ np.array([[c, -s], [s, c]])
        return np.linalg.norm(np.maximum(np.abs(local) - self.half_m, 0.0), axis=-1)


def overlap(first: Footprint, second: Footprint, gap_m: float = 0.0) -> bool:
    """Whether two rectangles come nearer than ``gap_m`` (separating axes; corners within the gap count as near).

    >>> a = Footprint(object_id=1, center_m=(0.0, 0.0), half_m=(1.0, 1.0), yaw_rad=0.0, bottom_m=0.0, top_m=1.0)
    >>> b = Footprint(object_id=2, center_m=(2.5, 0.0), half_m=(1.0, 1.0), yaw_rad=0.0, bottom_m=0.0, top_m=1.0)
    >>> overlap(a, b), overlap(a, b, 0.6)
    (False, True)
    """
    corners = first.corners(), second.corners()
    for footprint in (first, second):
        c, s = np.cos(footprint.yaw_rad), np.sin(footprint.yaw_rad)
        for axis in (np.array([c, s]), np.array([-s, c])):
            low, high = (side @ axis for side in corners)
            if low.max() + gap_m <= high.min() or high.max() + gap_m <= low.min():
                return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface2D:
    """A place on which things can be put: the top of a table, in the world. Its free part may be smaller: see ``on_it``."""

    object_id: int
    category: str
    center_m: tuple[float, float]
    half_m: tuple[float, float]
    yaw_rad: float
    height_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A furnished room.

    Attributes:
        truth: its floor polygon and height.
        style: living room, bedroom, ...
        footprints: of all that stands on the floor or hangs in the way.
        surfaces: tops of tables, cabinets, ...
        supports: what static things stand on, as in ``StagedClip.supports``.
        inside: as in ``StagedClip.inside``.
        doors: object ids.
        keep_clear: areas that were left empty on request.
    """

    truth: RoomTruth
    style: str
    footprints: tuple[Footprint, ...]
    surfaces: tuple[Surface2D, ...]
    supports: dict[int, int]
    inside: dict[int, int]
    doors: tuple[int, ...] = ()
    keep_clear: tuple[Footprint, ...] = ()
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) of the floor polygon."""
        low, high = self.truth.floor_polygon_m.min(0), self.truth.floor_polygon_m.max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def in_polygon(points_m: Float64[np.ndarray, "*p 2"], polygon_m: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "*p"]:
    """Whether points lie within a simple polygon (even-odd rule).

    >>> in_polygon(np.array([[0.5, 0.5], [2.0, 0.5]]), np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])).tolist()
    [True, False]
    """
    x, y = points_m[..., 0], points_m[..., 1]
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon_m, np.roll(polygon_m, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        if y0 != y1:
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def wall_distance(
    points_m: Float64[np.ndarray, "*p 2"], polygon_m: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "*p"]:
    """From points to the nearest wall in metres."""
    best = np.full(points_m.shape[:-1], np.inf)
    for start, end in zip(polygon_m, np.roll(polygon_m, -1, axis=0), strict=True):
        along = end - start
        t = np.clip(((points_m - start) @ along) / (along @ along), 0.0, 1.0)
        best = np.minimum(best, np.linalg.norm(points_m - (start + t[..., None] * along), axis=-1))
    return best


def clearance(
    room: Room, points_m: Float64[np.ndarray, "*p 2"], low_m: float, high_m: float, *, with_clear: bool = False
) -> Float64[np.ndarray, "*p"]:
    """From points to the nearest wall or thing that is anywhere between two heights, in metres; 0 outside the room.

    ``with_clear``: what is kept clear counts as a thing.
    """
    polygon = room.truth.floor_polygon_m
    best = np.where(in_polygon(points_m, polygon), wall_distance(points_m, polygon), 0.0)
    for footprint in (*room.footprints, *(room.keep_clear if with_clear else ())):
        if footprint.bottom_m < high_m and footprint.top_m > low_m:
            best = np.minimum(best, footprint.distance(points_m))
    return best
