"""Cameras with one job: to see given things, or to walk, turn or go around in a room; one call each.

``watch`` finds a place from which all targets are in the picture, none hidden by furniture, and they look as large as can be.
``walk``, ``scan`` and ``orbit`` draw ways from ``CameraPlanner`` until one works out. All of them draw from the generator given;
the cameras returned are pure functions.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from video3d.data.simulate.camera_paths import CLEAR_M, CameraPlanner, Kind, Shot, Viewer, world_from_gaze
from video3d.data.simulate.floor_plan import Footprint, Room, clearance
from video3d.data.simulate.stage import CHANGE, CameraAt, StagingFailed, look_at

Motion = Literal["still", "orbit", "dolly"]

_MARGIN = 0.08  # of the frame stays free on each side of the targets
_NEAR_M, _FAR_M = 0.7, 4.5
_ABOVE_M = 0.15
_AIR_M = 0.03  # a line of sight ends this far before its target, so that what a target stands on does not hide it
_PLACES = 400  # tried together; they cost a few milliseconds
_SPEED_MPS = (0.05, 0.16)  # of a camera that watches
_DRAWS = 80


def still(
    rng: np.random.Generator,
    target_m: Float64[np.ndarray, "3"],
    *,
    eye_m: Float64[np.ndarray, "3"],
    sway_m: float = 0.003,
) -> CameraAt:
    """A camera held at a place and looking at a target; the hand sways by a few millimetres (0: a tripod).

    >>> camera = still(np.random.default_rng(0), np.array([0.0, 2.0, 1.0]), eye_m=np.array([0.0, 0.0, 1.0]), sway_m=0.0)
    >>> camera(np.array([0.0, 5.0]), 0.0)[1, :3, 2].round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    hand = _sway(rng, sway_m)

    def at(times_s: Float64[np.ndarray, "t"], change: float) -> Float64[np.ndarray, "t 4 4"]:
        return look_at(eye_m + hand(times_s), np.tile(target_m, (len(times_s), 1)))

    return at


def watch(
    rng: np.random.Generator,
    room: Room,
    targets_m: Float64[np.ndarray, "k 3"],
    k_px: Float64[np.ndarray, "3 3"],
    size_hw: tuple[int, int],
    end_s: float,
    *,
    motion: Motion = "still",
    viewer: Viewer = "person",
    draws: int = 3,
) -> CameraAt:
    """A camera from which all targets are in the picture (with a margin of 8 %), none hidden, from time 0 to ``end_s``.

    Of many free places, one of the best tenth is taken: the targets look large there and are seen a little from above, yet not always
    from the same side.

    Args:
        rng: of every draw.
        room: keeps the camera clear of walls and things, and hides what stands behind things.
        targets_m: points that must be seen: the corners of an experiment, its beginning and its end.
        k_px: intrinsics.
        size_hw: of the frames.
        end_s: until when it is watched, beyond the last frame.
        motion: still (a hand's sway), orbit (slowly around the targets), dolly (slowly nearer or sideways).
        viewer: sets the height: person 1.4-1.7 m, robot 0.3-1.2 m.
        draws: so often ``_PLACES`` places are tried.

    Errors: ``StagingFailed`` where no place will do.
    """
    middle = (targets_m.min(0) + targets_m.max(0)) / 2
    times = np.linspace(0.0, end_s * (1 + CHANGE), 9 if motion != "still" else 1)
    for _ in range(draws):
        eyes = _places(rng, room, middle, viewer)
        view = look_at(eyes, np.broadcast_to(middle, eyes.shape))
        good = _framed(view, targets_m, k_px, size_hw) & ~_hidden(room, eyes, targets_m)
        eyes = eyes[good]
        # Near is good, and so is looking down by 10 to 30 degrees rather than along the floor.
        away = np.linalg.norm(eyes - middle, axis=1)
        down = np.arcsin(np.clip((eyes[:, 2] - middle[2]) / np.maximum(away, 1e-6), -1.0, 1.0))
        order = np.argsort(away * (1 + np.abs(down - 0.35)), kind="stable")
        for index in rng.permutation(order[: max(3, len(order) // 10)]):
            camera = _moving(rng, eyes[index], middle, motion)
            poses = camera(times, 0.0)
            clear = clearance(room, poses[:, :2, 3], 0.0, float(eyes[index, 2]) + _ABOVE_M).min() >= CLEAR_M
            if (
                clear
                and _framed(poses, targets_m, k_px, size_hw).all()
                and not _hidden(room, poses[:, :3, 3], targets_m).any()
            ):
                return camera
    raise StagingFailed("watch: no free place shows all targets")


def walk(rng: np.random.Generator, room: Room, *, viewer: Viewer, end_s: float, last_shown_s: float) -> CameraAt:
    """A walk up to something or along a bent way, going on after the last frame with the same intent.

    Errors: ``StagingFailed`` where the room leaves no way.
    """
    return _drawn(rng, room, ("route", "approach"), _shot(rng, viewer, end_s, last_shown_s), _things(room))


def scan(rng: np.random.Generator, room: Room, *, viewer: Viewer, end_s: float, last_shown_s: float) -> CameraAt:
    """Standing and turning one way, also after the last frame. Errors: ``StagingFailed`` where nothing is free."""
    return _drawn(rng, room, ("turn",), _shot(rng, viewer, end_s, last_shown_s), _things(room))


def orbit(
    rng: np.random.Generator,
    room: Room,
    target_m: Float64[np.ndarray, "3"],
    radius_m: float,
    *,
    height_m: float,
    arc_rad: float,
    end_s: float,
) -> CameraAt:
    """A level arc about a target at one distance over the floor and one height, looking at it; free of walls and things all along.

    The sign of ``arc_rad``, run through in ``end_s``, says which way: positive is counter-clockwise from above.

    Errors: ``StagingFailed`` where no such arc is free.
    """
    for first in rng.uniform(-np.pi, np.pi, _DRAWS):
        angle = float(first) + arc_rad * np.linspace(0.0, 1 + CHANGE, 33)
        spots = target_m[:2] + radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        if clearance(room, spots, 0.0, height_m + _ABOVE_M).min() >= CLEAR_M:
            start = np.array([*spots[0], height_m])
            return _around(start, target_m, arc_rad / end_s, _sway(rng, 0.002))
    raise StagingFailed("orbit: no free arc")


# ---- within ---------------------------------------------------------------------------------------------------------


def _shot(rng: np.random.Generator, viewer: Viewer, end_s: float, last_shown_s: float) -> Shot:
    low, high = (1.4, 1.7) if viewer == "person" else (0.3, 1.2)
    return Shot(viewer=viewer, height_m=float(rng.uniform(low, high)), shown_s=last_shown_s, end_s=end_s)


def _things(room: Room) -> tuple[Footprint, ...]:
    """What one would walk up to."""
    return tuple(p for p in room.footprints if p.object_id > 0 and p.bottom_m < 0.3 and p.top_m > 0.3)


def _drawn(
    rng: np.random.Generator, room: Room, kinds: tuple[Kind, ...], shot: Shot, things: tuple[Footprint, ...]
) -> CameraAt:
    planner = CameraPlanner(room, shot, rng)
    for number in range(_DRAWS if things else 0):
        way = planner.draw(kinds[number % len(kinds)], things)
        if way is not None:
            return way.camera()
    raise StagingFailed(f"camera: no way to {kinds[0]} in this room")


def _places(rng: np.random.Generator, room: Room, middle_m: np.ndarray, viewer: Viewer) -> Float64[np.ndarray, "n 3"]:
    """Free places about the targets, all directions and distances."""
    angle, far = rng.uniform(-np.pi, np.pi, _PLACES), rng.uniform(_NEAR_M, _FAR_M, _PLACES)
    height = rng.uniform(*((1.4, 1.7) if viewer == "person" else (0.3, 1.2)), _PLACES)
    spots = middle_m[:2] + far[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    eyes = np.column_stack([spots, height])
    return eyes[clearance(room, spots, 0.0, float(height.max()) + _ABOVE_M) >= CLEAR_M]


def _framed(
    poses: Float64[np.ndarray, "n 4 4"],
    targets_m: Float64[np.ndarray, "k 3"],
    k_px: np.ndarray,
    size_hw: tuple[int, int],
) -> Bool[np.ndarray, "n"]:
    """Whether every camera has all targets in its picture, within the margin."""
    seen = (targets_m[None] - poses[:, None, :3, 3]) @ poses[:, :3, :3]
    ahead = seen[..., 2] > 0.3
    px = seen @ k_px.T
    px = px[..., :2] / np.where(ahead, px[..., 2], 1.0)[..., None]
    extent = np.array(size_hw[::-1], dtype=np.float64)
    inside = (px > _MARGIN * extent).all(-1) & (px < (1 - _MARGIN) * extent).all(-1)
    return np.asarray((ahead & inside).all(axis=1))


def _hidden(
    room: Room, eyes_m: Float64[np.ndarray, "n 3"], targets_m: Float64[np.ndarray, "k 3"]
) -> Bool[np.ndarray, "n"]:
    """Whether from a place any line of sight goes through a thing's box (or out of the room, round an inner corner).

    A box that holds a target does not hide it: a table does not hide what stands on it, nor a box what it is.
    """
    away = targets_m[None] - eyes_m[:, None]  # n k 3
    length = np.linalg.norm(away, axis=-1)
    end = np.maximum(1 - _AIR_M / np.maximum(length, 1e-9), 0.0)
    hidden = np.zeros(length.shape, dtype=bool)
    for thing in room.footprints:
        c, s = np.cos(thing.yaw_rad), np.sin(thing.yaw_rad)
        box_from_world = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        center = np.array([*thing.center_m, (thing.bottom_m + thing.top_m) / 2])
        half = np.array([*thing.half_m, (thing.top_m - thing.bottom_m) / 2])
        begin, step = (eyes_m - center) @ box_from_world.T, away @ box_from_world.T
        holds = (np.abs((targets_m - center) @ box_from_world.T) <= half + _AIR_M).all(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            one, two = ((sign * half - begin[:, None]) / step for sign in (-1.0, 1.0))
        enter, leave = np.fmax.reduce(np.fmin(one, two), -1), np.fmin.reduce(np.fmax(one, two), -1)
        outside = ((np.abs(step) < 1e-12) & (np.abs(begin)[:, None] > half)).any(-1)
        hidden |= (np.maximum(enter, 0.0) < np.minimum(leave, end)) & ~outside & ~holds
    along = np.linspace(0.0, 1.0, 9)[1:-1, None]
    between = eyes_m[:, None, None, :2] + along * away[:, :, None, :2]
    hidden |= (clearance(_bare(room), between, 0.0, 0.0) <= 0.0).any(-1)
    return np.asarray(hidden.any(axis=1))


def _bare(room: Room) -> Room:
    return Room(truth=room.truth, style=room.style, footprints=(), surfaces=(), supports={}, inside={})


def _moving(rng: np.random.Generator, eye_m: np.ndarray, middle_m: np.ndarray, motion: Motion) -> CameraAt:
    if motion == "still":
        return still(rng, middle_m, eye_m=eye_m)
    speed, hand = float(rng.uniform(*_SPEED_MPS) * rng.choice([-1.0, 1.0])), _sway(rng, 0.002)
    back = (eye_m - middle_m)[:2]
    reach = float(np.linalg.norm(back))
    if motion == "orbit":
        return _around(eye_m, middle_m, speed / reach, hand)
    turn = float(rng.choice([0.0, np.pi / 2]))  # nearer and away, or sideways
    c, s = np.cos(turn), np.sin(turn)
    drift = np.array([*(np.array([[c, -s], [s, c]]) @ back / reach * speed), 0.0])

    def at(times_s: Float64[np.ndarray, "t"], change: float) -> Float64[np.ndarray, "t 4 4"]:
        eyes = eye_m + drift * (times_s * (1 + change))[:, None] + hand(times_s)
        return look_at(eyes, np.tile(middle_m, (len(times_s), 1)))

    return at


def _around(
    eye_m: Float64[np.ndarray, "3"],
    target_m: Float64[np.ndarray, "3"],
    rate_rad_s: float,
    hand: Callable[[np.ndarray], np.ndarray],
) -> CameraAt:
    start = float(np.arctan2(eye_m[1] - target_m[1], eye_m[0] - target_m[0]))
    radius = float(np.hypot(eye_m[1] - target_m[1], eye_m[0] - target_m[0]))
    pitch = float(np.arctan2(target_m[2] - eye_m[2], radius))

    def at(times_s: Float64[np.ndarray, "t"], change: float) -> Float64[np.ndarray, "t 4 4"]:
        angle = start + rate_rad_s * times_s * (1 + change)
        level = np.full(len(times_s), eye_m[2])
        eyes = np.column_stack(
            [target_m[0] + radius * np.cos(angle), target_m[1] + radius * np.sin(angle), level]
        ) + hand(times_s)
        return world_from_gaze(eyes, angle + np.pi, np.full(len(times_s), pitch), np.zeros(len(times_s)))

    return at


def _sway(rng: np.random.Generator, amount_m: float) -> Callable[[np.ndarray], Float64[np.ndarray, "t 3"]]:
    """A hand that is never quite still: two slow waves along each axis."""
    rate, phase = rng.uniform(0.15, 0.6, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3))

    def at(times_s: np.ndarray) -> Float64[np.ndarray, "t 3"]:
        waves = np.sin(2 * np.pi * rate * np.asarray(times_s)[:, None, None] + phase)
        return amount_m / 2 * waves.sum(axis=1)

    return at
