"""Things on a road without a detector, and how a thing moved, from the points of a few views.

Seen from a camera, points lie farther apart the farther they are, so pieces are found on a map whose cells grow with distance.
A thing is followed backwards in time: the outline of its points, as seen from above, is laid over those of the view before, where
it covers most of what is there and leaves least of what is in its box uncovered.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import ndimage, signal
from scipy.spatial import KDTree

from video3d.geometry.road import CLEAR_M, STANDS_M

REACH_M, BESIDE_M = 70.0, 20.0
_LINK_M, _LINK_SHARE = 0.4, 0.025  # distance up to which points hang together: near, and as a share of their distance
_MIN_POINTS, _MIN_HEIGHT_M = 8, 0.45
_JUMP_M, _JUMP_SHARE, _GAP_DEG = 0.8, 0.15, 3
_CELL_M = 0.2
_FASTEST_M_S, _CHANGE_M_S = 35.0, 8.0
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)
_MIN_FIT = 0.45
_TRACK_S = 1.0
_STAYS, _STAYS_WELL, _STILL_M_S = 0.7, 0.85, 0.3  # shares of points in place; what moves more slowly counts as still
_MAX_ERROR_M_S, _NOW_ERROR_M_S, _MOVES_M_S = 1.0, 0.4, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A thing that nobody named.

    Attributes:
        distance: to its nearest point, level, in the unit of the points.
        bearing_deg: of the middle between its left and right edge, positive to the right.
        members: which points it is made of.
    """

    distance: float
    bearing_deg: float
    members: Int64[np.ndarray, "m"]


def find_things(points_road: Float64[np.ndarray, "n 3"], *, flat: float, unit_m: float) -> tuple[Thing, ...]:
    """What stands on the road or beside it, nearest first, seen from the camera over the origin.

    Args:
        points_road: what is seen, by ``RoadSurface.of``.
        flat: height up to which the road is flat.
        unit_m: metres in a unit.

    >>> rng = np.random.default_rng(0)
    >>> box = rng.uniform([10, 2, 0], [10.2, 4, 1.5], (400, 3))
    >>> [thing] = find_things(box, flat=0.08, unit_m=1.0)
    >>> round(thing.distance, 1), round(thing.bearing_deg)
    (10.2, -16)
    """
    lowest = max(STANDS_M / unit_m, 2 * flat)
    away = np.hypot(points_road[:, 0], points_road[:, 1])
    standing = (points_road[:, 2] > lowest) & (points_road[:, 2] < CLEAR_M / unit_m)
    standing &= (away < REACH_M / unit_m) & (np.abs(points_road[:, 1]) < BESIDE_M / unit_m) & (away > 1e-6)
    index = np.flatnonzero(standing)
    if index.size < _MIN_POINTS:
        return ()
    cells = np.floor(_even(points_road[index, :2] * unit_m) / 0.75).astype(np.int64)
    cells -= cells.min(axis=0)
    picture = np.zeros(cells.max(axis=0) + 1, dtype=bool)
    picture[cells[:, 0], cells[:, 1]] = True
    labels = np.zeros(picture.shape, np.int32)
    ndimage.label(picture, structure=np.ones((3, 3)), output=labels)
    label = labels[cells[:, 0], cells[:, 1]]
    found = []
    for number in range(1, int(label.max()) + 1):
        for members in _fronts(points_road, index[label == number], unit_m):
            if members.size < _MIN_POINTS or points_road[members, 2].max() < _MIN_HEIGHT_M / unit_m:
                continue
            left, right = (float(edge) for edge in np.percentile(_bearing_deg(points_road[members]), [2, 98]))
            near = np.sort(np.hypot(points_road[members, 0], points_road[members, 1]))[max(2, members.size // 200)]
            found.append(Thing(distance=float(near), bearing_deg=(left + right) / 2, members=members))
    return tuple(sorted(found, key=lambda thing: thing.distance))


def _fronts(points: Float64[np.ndarray, "n 3"], piece: Int64[np.ndarray, "m"], unit_m: float) -> list[np.ndarray]:
    """A piece cut where its nearest points jump from one degree of bearing to the next: a walker before a wall is one thing, the wall
    beside him another.
    """
    turn = np.floor(_bearing_deg(points[piece])).astype(np.int64)
    away = np.hypot(points[piece, 0], points[piece, 1]) * unit_m
    order = np.lexsort((away, turn))
    degrees, first, count = np.unique(turn[order], return_index=True, return_counts=True)
    near = away[order[first + np.minimum(2, count - 1)]]
    step = np.abs(np.diff(near)) > np.maximum(_JUMP_M, _JUMP_SHARE * np.minimum(near[1:], near[:-1]))
    run = np.cumsum(np.r_[False, step | (np.diff(degrees) > _GAP_DEG)])[np.searchsorted(degrees, turn)]
    return [piece[run == number] for number in range(int(run.max()) + 1)]


def _even(places_m: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
    """Places moved towards the camera so that linked points are a unit apart or less, near and far."""
    away = np.maximum(np.hypot(places_m[:, 0], places_m[:, 1]), 1e-9)
    turn = _LINK_M / _LINK_SHARE
    moved = np.where(away < turn, away / _LINK_M, turn / _LINK_M + np.log(np.maximum(away, turn) / turn) / _LINK_SHARE)
    return places_m * (moved / away)[:, None]


def _bearing_deg(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n"]:
    """Positive to the right; about their middle, so that what is behind is not cut in two."""
    angle = np.degrees(np.arctan2(-points[:, 1], points[:, 0]))
    middle = np.degrees(np.arctan2(np.sin(np.radians(angle)).mean(), np.cos(np.radians(angle)).mean()))
    return middle + (angle - middle + 180) % 360 - 180


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What was seen at one instant.

    Attributes:
        frames: positions in the clip.
        time_s: of the instant, NaN where unknown.
        points_road: what each of them saw, by ``RoadSurface.of``.
    """

    frames: tuple[int, ...]
    time_s: float
    points_road: tuple[Float64[np.ndarray, "_ 3"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """How a thing moved.

    Attributes:
        velocity: level, along x and y of the road's frame, in units a second.
        error: standard error of the velocity.
        views: how many views it was followed through, the last included.
    """

    velocity: Float64[np.ndarray, "2"]
    error: float
    views: int


def follow(
    points_road: list[Float64[np.ndarray, "_ 3"]],
    time_s: Float64[np.ndarray, "f"],
    inside: Bool[np.ndarray, "m"],
    *,
    unit_m: float,
) -> Track | None:
    """The velocity of a thing over the last second; None where it is not found again or too loosely.

    Args:
        points_road: what stands on the road in every view, oldest first, all in one frame.
        time_s: of every view, ascending.
        inside: which points of the last view are the thing's.
        unit_m: metres in a unit.
    """
    shape = points_road[-1][inside] * unit_m
    if shape.shape[0] < _MIN_POINTS or len(points_road) < 2:
        return None
    still = _stays(shape, points_road, time_s, unit_m)
    if still:
        return Track(velocity=np.zeros(2), error=_STILL_M_S / unit_m, views=1 + still)
    moved, times = [np.zeros(2)], [float(time_s[-1])]
    velocity = np.zeros(2)
    for view in range(len(points_road) - 2, -1, -1):
        if time_s[-1] - time_s[view] > _TRACK_S + 1e-6 and len(times) > 2:
            break
        step_s = times[-1] - float(time_s[view])
        # Always the last view's points, so that errors do not add up; where they were before tells where to look.
        reach = (_FASTEST_M_S if len(times) == 1 else _CHANGE_M_S) * step_s + _CELL_M
        shift = _shift(shape, points_road[view] * unit_m, moved[-1] - velocity * step_s, reach)
        if shift is None:
            break
        moved.append(shift)
        times.append(float(time_s[view]))
        velocity = _slope(np.array(times), np.array(moved))[0]
    if len(times) < 3:
        return None
    velocity, error = _slope(np.array(times), np.array(moved))
    speed = float(np.linalg.norm(velocity))
    if len(times) > 3 and speed > _MOVES_M_S:
        # What brakes is slower now than over the last second. Along its way only: across it, edges that come into view look the same.
        now, now_error = _slope(np.array(times), np.array(moved), order=2)
        if now_error < _NOW_ERROR_M_S:
            velocity = velocity * (now @ velocity) / speed**2
    if error > _MAX_ERROR_M_S:
        return None
    return Track(velocity=velocity / unit_m, error=error / unit_m, views=len(times))


def _stays(
    shape: Float64[np.ndarray, "m 3"],
    points_road: list[Float64[np.ndarray, "_ 3"]],
    time_s: Float64[np.ndarray, "f"],
    unit_m: float,
) -> int:
    """In how many views of half a second to a second ago a thing stood where it stands now; 0 unless in most of them."""
    away_s = time_s[-1] - time_s
    views = [v for v in range(time_s.size - 1) if _TRACK_S / 2 - 1e-6 <= away_s[v] <= _TRACK_S + 0.25]
    low, high = shape.min(axis=0) - _CELL_M, shape.max(axis=0) + _CELL_M
    mine, found = KDTree(shape), 0
    for view in views:
        points = points_road[view] * unit_m
        points = points[((points >= low) & (points <= high)).all(axis=1)]
        if points.shape[0] < _MIN_POINTS:
            continue
        there = np.isfinite(KDTree(points).query(shape, distance_upper_bound=1.5 * _CELL_M)[0]).mean()
        back = np.isfinite(mine.query(points, distance_upper_bound=1.5 * _CELL_M)[0]).mean()
        found += bool(min(there, back) > _STAYS and max(there, back) > _STAYS_WELL)
    return found if found > len(views) / 2 else 0


def _slope(
    times: Float64[np.ndarray, "v"], moved: Float64[np.ndarray, "v 2"], order: int = 1
) -> tuple[Float64[np.ndarray, "2"], float]:
    """Velocity at the latest time by a polynomial through places, and its standard error."""
    t = times - times.max()
    powers = np.stack([t**n for n in range(order + 1)], axis=1)
    inverse = np.linalg.pinv(powers.T @ powers)
    found = inverse @ powers.T @ moved
    rest = moved - powers @ found
    degrees = max(1, times.size - order - 1)
    return found[1], float(np.sqrt((rest**2).sum() / degrees * inverse[1, 1]))


def _shift(
    shape: Float64[np.ndarray, "m 3"],
    view: Float64[np.ndarray, "n 3"],
    expected: Float64[np.ndarray, "2"],
    reach: float,
) -> Float64[np.ndarray, "2"] | None:
    """Where a thing was in another view, as a level shift at most ``reach`` from the expected one; None where nothing fits."""
    low = shape[:, :2].min(axis=0) + expected - reach - 1
    high = shape[:, :2].max(axis=0) + expected + reach + 1
    near = view[((view[:, :2] >= low) & (view[:, :2] <= high)).all(axis=1)]
    if near.shape[0] < _MIN_POINTS:
        return None
    corner = shape[:, :2].min(axis=0)
    mine = np.zeros(np.floor((shape[:, :2].max(axis=0) - corner) / _CELL_M).astype(int) + 3)
    place = np.floor((shape[:, :2] - corner) / _CELL_M).astype(int) + 1
    mine[place[:, 0], place[:, 1]] = 1
    grid = np.zeros(np.floor((high - low) / _CELL_M).astype(int) + 1)
    place = np.floor((near[:, :2] - low) / _CELL_M).astype(int)
    grid[place[:, 0], place[:, 1]] = 1

    def laid(kernel: np.ndarray, over: np.ndarray) -> np.ndarray:
        return signal.fftconvolve(over, kernel[::-1, ::-1], mode="valid")

    covered = laid(mine, _softened(grid)) / mine.sum()
    share = laid(_softened(mine), grid) / np.maximum(laid(np.ones_like(mine), grid), 1)
    fit = 2 * covered * share / np.maximum(covered + share, 1e-9)
    i, j = np.meshgrid(np.arange(fit.shape[0]), np.arange(fit.shape[1]), indexing="ij")
    shift = np.stack([i, j], axis=-1) * _CELL_M + low + _CELL_M - corner
    off = np.linalg.norm(shift - expected, axis=-1)
    score = np.where(off <= reach, fit - 0.03 * off, -np.inf)
    best = tuple(int(at) for at in np.unravel_index(int(score.argmax()), score.shape))
    return _settled(shape, near, shift[best]) if fit[best] >= _MIN_FIT else None


def _softened(grid: Float64[np.ndarray, "a b"]) -> Float64[np.ndarray, "a b"]:
    """Cells and, for less, their neighbours: a fit that is a cell off is worse than one that is not."""
    return np.maximum.reduce(
        [grid, 0.7 * ndimage.grey_dilation(grid, footprint=_CROSS), 0.5 * ndimage.grey_dilation(grid, size=(3, 3))]
    )


def _settled(
    shape: Float64[np.ndarray, "m 3"], view: Float64[np.ndarray, "n 3"], shift: Float64[np.ndarray, "2"]
) -> Float64[np.ndarray, "2"] | None:
    """A shift made finer by nearest points, both ways."""
    tree, mine = KDTree(view), KDTree(shape)
    moved = np.r_[shift, 0.0]
    reach = 3 * _CELL_M
    for _ in range(8):
        away, which = (np.asarray(part) for part in tree.query(shape + moved, distance_upper_bound=reach))
        hit = np.isfinite(away)
        back, back_which = (np.asarray(part) for part in mine.query(view - moved, distance_upper_bound=reach))
        back_hit = np.isfinite(back)
        if hit.sum() < _MIN_POINTS or back_hit.sum() < _MIN_POINTS:
            return None
        step = (view[which[hit]] - shape[hit] - moved)[:, :2].mean(axis=0)
        step = (step + (view[back_hit] - moved - shape[back_which[back_hit]])[:, :2].mean(axis=0)) / 2
        moved[:2] += step
        reach = max(1.25 * _CELL_M, 0.7 * reach)
        if np.abs(step).max() < 0.005:
            break
    return moved[:2]
