"""The road under a camera: its surface, what of it was seen free, and what stands on it.

Everything is in the road's own frame: the origin on the road below the camera, x ahead, y to the left, z along the road's normal.
Thresholds are metres; ``unit_m`` says how many metres one unit of the points is.

Depth that is wrong by a share e moves a point of the road along its ray, and so its height by e times the camera's height, near and
far alike. So one tolerance of height serves for all distances, but for roads that are no planes: their far part is fitted by a
quadratic over the plane.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import ndimage

from video3d.geometry.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from video3d.geometry.rigid import axes_with_z, inverse_rigid, transform_points

FLAT_M = 0.08
"""Height over or under the road's surface up to which a place is flat, besides the depth's own error."""
STANDS_M = 0.3
"""Height over the road from which a thing stands on it."""
CLEAR_M = 2.5
"""Height from which things hang over whatever drives there."""
_REACH_H, _BESIDE_H, _FIRST_H = 30.0, 6.0, 6.0  # of the fit, in camera heights: to the front, to the sides, at first
_BEND = 1e-3  # of a road, times the camera's height: a radius of 800 m under a camera at 1.6 m
_TRIES, _SCORED = 300, 1000
_BEARING, _ELEVATION = np.radians(1.0), np.radians(0.5)  # cells of one view's map, as even as its pixels
_HOLE = 3  # cells of elevation between two that were seen: the rings of a LiDAR are this far apart
REACH_M = 60.0
"""Beyond it nothing is drawn on the map: a road is seen too flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadSurface:
    """A road as seen from one place.

    Attributes:
        road_from_world: rigid; see the module.
        camera_height: of the camera over the road, along its normal.
        bend: a, b, c of the height a x^2 + b x y + c y^2 of the road over its plane.
        flat: height up to which the road is flat, in the unit of the points.
        share: share of the places below and ahead of the camera that lie on the road, 0..1.
        rms: root mean square height of its points over the surface.
    """

    road_from_world: Float64[np.ndarray, "4 4"]
    camera_height: float
    bend: Float64[np.ndarray, "3"]
    flat: float
    share: float
    rms: float

    @property
    def normal(self) -> Float64[np.ndarray, "3"]:
        """Unit normal in the world, up."""
        return self.road_from_world[2, :3].copy()

    def of(self, points_world: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
        """World points as x ahead, y to the left and the height over the road's surface."""
        points = transform_points(self.road_from_world, points_world.astype(np.float64))
        points[..., 2] -= _bent(self.bend, np.asarray(points[..., 0]), np.asarray(points[..., 1]))
        return points


def _bent(
    bend: Float64[np.ndarray, "3"], x: Float64[np.ndarray, "*n"], y: Float64[np.ndarray, "*n"]
) -> Float64[np.ndarray, "*n"]:
    return np.asarray(bend[0] * x * x + bend[1] * x * y + bend[2] * y * y)


def fit_road(
    points_world: Float[np.ndarray, "n 3"],
    *,
    camera: Float64[np.ndarray, "3"],
    ahead: Float64[np.ndarray, "3"],
    up: Float64[np.ndarray, "3"],
    max_tilt_rad: float,
    depth_error: float = 0.0,
    seed: int = 0,
) -> RoadSurface | None:
    """The surface below and ahead of a camera that most of what was seen there lies on, with little below it; None if there is none.

    Places count, not points: one for every degree and 4 % of distance, so that what is near and dense does not decide alone.
    Triples of places are tried, the best plane refined by least squares, then bent (see the module). Free of scale.

    Args:
        points_world: any points; unknown ones (NaN) do not count.
        camera: its place.
        ahead: where it drives; its level part counts.
        up: about up.
        max_tilt_rad: how far the road's normal may be from ``up``.
        depth_error: relative error of depth, one standard deviation.
        seed: of the triples.

    >>> x, y = np.meshgrid(np.arange(3.0, 30.0, 0.25), np.arange(-4.0, 4.0, 0.25))
    >>> plane = np.stack([x.ravel(), y.ravel(), 0.02 * x.ravel() - 1.6], axis=1)
    >>> road = fit_road(plane, camera=np.zeros(3), ahead=np.array([1.0, 0, 0]), up=np.array([0.0, 0, 1]), max_tilt_rad=0.2)
    >>> round(road.camera_height, 3), round(float(np.degrees(np.arctan2(-road.normal[0], road.normal[2]))), 2)
    (1.6, 1.15)
    """
    level_from_world = _frame(camera, ahead, up)
    points = transform_points(level_from_world, points_world[np.isfinite(points_world).all(axis=1)].astype(np.float64))
    points = _places(points[points[:, 2] < 0])
    if points.shape[0] < 30:
        return None
    rng = np.random.default_rng(seed)
    best = _best_plane(points, max_tilt_rad, depth_error, rng)
    if best is None:
        return None
    surface = _refined(points, best, depth_error)
    if surface is None:
        return None
    slope = np.array([-surface[1], -surface[2], 1.0])
    normal = slope / np.linalg.norm(slope)
    height = float(-surface[0] * normal[2])
    if not (height > 0 and normal[2] > np.cos(max_tilt_rad)):
        return None
    road_from_level = _frame(-normal * height, np.array([1.0, 0.0, 0.0]), normal)
    flat = _flat(height, depth_error)
    near = points[_near(points, height)]
    on_road = transform_points(road_from_level, near)
    over = on_road[:, 2] - _bent(surface[3:], np.asarray(on_road[:, 0]), np.asarray(on_road[:, 1]))
    on = np.abs(over) < 2 * flat
    return RoadSurface(
        road_from_world=road_from_level @ level_from_world,
        camera_height=height,
        bend=surface[3:],
        flat=flat,
        share=float(on.sum() / max(1, near.shape[0])),
        rms=float(np.sqrt(np.mean(over[on] ** 2))),
    )


def _refined(
    points: Float64[np.ndarray, "n 3"], plane: Float64[np.ndarray, "3"], depth_error: float
) -> Float64[np.ndarray, "6"] | None:
    """Height of the road at x, y: its coefficients of 1, x, y, x^2, x y, y^2, by least squares on what lies on it, from near to far.

    Bends sharper than ``_BEND`` have to be seen clearly. None where too little lies on it.
    """
    surface = np.array([plane[2], plane[0], plane[1], 0.0, 0.0, 0.0])
    x, y, z = points.T
    terms = np.stack([np.ones(x.size), x, y, x * x, x * y, y * y], axis=1)
    reach = _FIRST_H
    for _ in range(10):
        height = -surface[0]
        flat = _flat(height, depth_error)
        allowed = 2 * flat + (0.004 * np.hypot(x, y) if reach < _REACH_H else 0.0)
        on = _near(points, height) & (np.hypot(x, y) < reach * height) & (np.abs(z - terms @ surface) < allowed)
        if on.sum() < 20:
            return None
        stiff = np.diag([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]) * (flat * height / _BEND) ** 2
        surface = np.linalg.solve(terms[on].T @ terms[on] + stiff, terms[on].T @ z[on])
        if surface[0] >= 0:
            return None
        reach = min(_REACH_H, 1.35 * reach)
    return surface


def _flat(height: float, depth_error: float) -> float:
    """What is flat, where a camera's height is taken for 1.5 m."""
    return (FLAT_M / 1.5 + 2 * depth_error) * height


def _frame(
    origin: Float64[np.ndarray, "3"], ahead: Float64[np.ndarray, "3"], up: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "4 4"]:
    """Into a frame at ``origin`` with z along ``up`` and x along the part of ``ahead`` that is square to it."""
    world_from_frame = np.eye(4)
    world_from_frame[:3, :3] = axes_with_z(up, ahead)
    world_from_frame[:3, 3] = origin
    return inverse_rigid(world_from_frame)


def _places(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "m 3"]:
    """The lowest point of every degree of bearing and 4 % of distance."""
    away = np.hypot(points[:, 0], points[:, 1])
    points, away = points[away > 1e-6], away[away > 1e-6]
    key = np.round(np.arctan2(points[:, 1], points[:, 0]) / _BEARING) * 10_000 + np.round(np.log(away) / 0.04)
    order = np.lexsort((points[:, 2] / away, key))
    first = np.r_[True, np.diff(key[order]) != 0] if order.size else np.zeros(0, dtype=bool)
    return points[order[first]]


def _near(points: Float64[np.ndarray, "n 3"], height: float) -> Bool[np.ndarray, "n"]:
    return (np.hypot(points[:, 0], points[:, 1]) < _REACH_H * height) & (np.abs(points[:, 1]) < _BESIDE_H * height)


def _over(points: Float64[np.ndarray, "n 3"], plane: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "n"]:
    return points[:, 2] - points[:, :2] @ plane[:2] - plane[2]


def _tolerance(points: Float64[np.ndarray, "n 3"], height: float, depth_error: float) -> Float64[np.ndarray, "n"]:
    """Of the plane: wider far away, where roads bend."""
    return _flat(height, depth_error) + 0.004 * np.hypot(points[:, 0], points[:, 1])


def _best_plane(
    points: Float64[np.ndarray, "n 3"], max_tilt_rad: float, depth_error: float, rng: np.random.Generator
) -> Float64[np.ndarray, "3"] | None:
    """The plane of a triple with the most places on it, those below it counted against it."""
    picked = points if points.shape[0] <= _SCORED else points[rng.permutation(points.shape[0])[:_SCORED]]
    corner = picked[rng.integers(0, picked.shape[0], (_TRIES, 3))]
    matrix = np.concatenate([corner[..., :2], np.ones((_TRIES, 3, 1))], axis=2)
    sound = np.abs(np.linalg.det(matrix)) > 1e-9
    planes = np.linalg.solve(matrix[sound], corner[sound][..., 2:])[..., 0]
    planes = planes[(planes[:, 2] < 0) & (np.hypot(planes[:, 0], planes[:, 1]) <= np.tan(max_tilt_rad))]
    best, most = None, min(20.0, picked.shape[0] / 3)
    for plane in planes:
        near = picked[_near(picked, -plane[2])]
        over, allowed = _over(near, plane), _tolerance(near, -plane[2], depth_error)
        votes = np.maximum(0, 1 - (over / allowed) ** 2).sum() - (over < -3 * allowed).sum()
        if votes > most:
            best, most = plane, float(votes)
    return best


def empty_map(unit_m: float, *, behind_m: float = 10.0, ahead_m: float = 60.0, beside_m: float = 20.0) -> OccupancyMap:
    """A map of nothing seen around the camera, in cells of 25 cm, in the road's frame."""
    shape = (round(beside_m * 8), round((behind_m + ahead_m) * 4))
    low = (-behind_m / unit_m, -beside_m / unit_m)
    return OccupancyMap(states=np.full(shape, UNKNOWN, np.int8), origin=low, cell=0.25 / unit_m)


def look(
    seen: OccupancyMap,
    points_road: Float64[np.ndarray, "n 3"],
    camera_road: Float64[np.ndarray, "3"],
    *,
    flat: float,
    unit_m: float,
) -> OccupancyMap:
    """The map after one more view: where it sees flat road the road is free, where something stands it is not.

    A view has cells of its own, one degree by half a degree as the camera looks down on the road; gaps of three of them in a
    column, between road and road, are road. The latest view that sees a place has the last word.

    Args:
        seen: the map before.
        points_road: what one view sees, by ``RoadSurface.of``; NaN does not count.
        camera_road: place of its camera, in the same frame.
        flat: height up to which the road is flat.
        unit_m: metres in a unit.
    """
    points = points_road[np.isfinite(points_road).all(axis=1)]
    stands = max(STANDS_M / unit_m, 2 * flat)
    eye = max(float(camera_road[2]), 0.2 / unit_m)

    def cells(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        dx, dy = x - camera_road[0], y - camera_road[1]
        down = np.arctan2(eye, np.hypot(dx, dy))
        turn = np.arctan2(dy, dx) + np.pi
        return np.floor(turn / _BEARING).astype(np.int64) % 360, np.floor(down / _ELEVATION).astype(np.int64), down

    height = points[:, 2]
    road, thing = np.abs(height) <= flat, (height > flat) & (height < CLEAR_M / unit_m)
    high = thing & (height > stands)
    turn, down, _ = cells(points[:, 0], points[:, 1])
    shape = (360, int(np.pi / 2 / _ELEVATION) + 2)
    count_road, count_low, count_high = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    np.add.at(count_road, (turn[road], down[road]), 1)
    np.add.at(count_low, (turn[thing & ~high], down[thing & ~high]), 1)
    np.add.at(count_high, (turn[high], down[high]), 1)
    nearest = np.full(shape, np.inf)
    np.minimum.at(nearest, (turn[high], down[high]), np.hypot(*(points[high, :2] - camera_road[:2]).T))
    blocked = (count_high > 1) | (count_low > count_road)  # one point alone is a stray of a sensor
    free = (count_road > 0) & ~blocked
    free = (_across_gaps(free) | free) & ~blocked
    before = (count_road > 0) & (count_low <= count_road)  # cells that are road up to a thing, and the thing from there
    middle = seen.middles()
    turn, down, angle = cells(middle[..., 0], middle[..., 1])
    inside = angle >= np.arctan2(eye, REACH_M / unit_m)
    states = seen.states.copy()
    states[free[turn, down] & inside] = FREE
    states[blocked[turn, down] & inside] = OCCUPIED
    short = eye / np.tan(angle) < nearest[turn, down] - seen.cell
    states[before[turn, down] & blocked[turn, down] & short & inside] = FREE
    return OccupancyMap(states=states, origin=seen.origin, cell=seen.cell)


def _across_gaps(free: Bool[np.ndarray, "a b"]) -> Bool[np.ndarray, "a b"]:
    return ndimage.binary_closing(free, structure=np.ones((1, 2 + _HOLE), dtype=bool))


def free_distance(seen: OccupancyMap, *, half_width: float, curvature: float = 0.0) -> float | None:
    """How far a corridor is free ahead of the camera, until something stands there or nobody looked; None: no road seen in it.

    What lies below the camera's view does not end it.

    Args:
        seen: the map, in the road's frame.
        half_width: of the corridor.
        curvature: of its middle, positive to the left, 1 / radius.
    """
    across = np.linspace(-half_width, half_width, max(3, int(2 * half_width / seen.cell) + 1))
    height, width = seen.states.shape
    last, missed = None, 0
    first = round(-seen.origin[0] / seen.cell)  # the camera is at the corner of a cell
    for column in range(first, width):
        x = (column - first) * seen.cell
        y = across + curvature * x * x / 2
        row = np.floor((y - seen.origin[1]) / seen.cell).astype(np.int64)
        row = row[(row >= 0) & (row < height)]
        found = seen.states[row, column]
        if (found == OCCUPIED).sum() > 0.15 * across.size:
            break
        if (found == FREE).sum() >= 0.5 * across.size:
            last, missed = x + seen.cell, 0
        elif last is not None:
            missed += 1
            if missed > 2:
                break
    return last
