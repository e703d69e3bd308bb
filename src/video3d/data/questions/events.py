"""What happens in a rollout: read from poses and contacts, never guessed from a scenario's name.

A question about what comes after the last frame shown is answered by :func:`settled` alone: every rollout (what did happen,
and what would with the start changed by 2 %) must give the same answer, or there is none. Each reader therefore answers for
one rollout and says None where the case lies between two answers: a block that leans by 20 degrees has neither toppled nor
stayed.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Bool, Float64

from video3d.data.truth import Rollout, SceneTruth

T = TypeVar("T")
Side = Literal["left", "right", "toward", "away"]
Move = Literal["forward", "backward", "left", "right", "still"]

FALL_M = 0.05
"""A thing whose centre sinks by more than this has fallen (the same bound as in ``Removal``)."""
FALL_DEG = 30.0
"""... or one that leans by more than this."""
STAY_M = 0.01
STAY_DEG = 5.0
"""Within both, a thing has stayed where it was."""
STILL_MPS = 0.02
MOVING_MPS = 0.08
"""Below the first a thing is at rest, above the second it moves; between, neither is asked."""
MARGIN_S = 0.3
"""An event this close to the end of the time asked about counts neither as in time nor as too late."""


def last_shown_s(truth: SceneTruth) -> float:
    """Time of the last frame shown."""
    return float(truth.times_s[-1])


def horizon_s(truth: SceneTruth) -> float:
    """Seconds after the last frame shown that every rollout covers, rounded down to half a second; 0 without rollouts."""
    if not truth.rollouts:
        return 0.0
    end = min(float(rollout.times_s[-1]) for rollout in truth.rollouts)
    return max(0.0, float(np.floor((end - last_shown_s(truth) + 1e-6) * 2) / 2))


def settled(
    truth: SceneTruth, answer_of: Callable[[Rollout], T | None], tolerance: Callable[[T], float] | None = None
) -> T | None:
    """The answer if it is the same in every rollout, else None.

    Args:
        truth: of the clip.
        answer_of: reads one rollout; None where it has no clear answer.
        tolerance: for numbers: how far the others may lie from the first, given the first.
    """
    if not truth.rollouts:
        return None
    first = answer_of(truth.rollouts[0])
    if first is None:
        return None
    for rollout in truth.rollouts[1:]:
        other = answer_of(rollout)
        if other is None:
            return None
        if tolerance is None:
            if other != first:
                return None
        elif abs(float(other) - float(first)) > tolerance(first):  # type: ignore[arg-type]
            return None
    return first


def at(rollout: Rollout, time_s: float) -> int:
    """Index of the time nearest to one asked for."""
    after = int(np.searchsorted(rollout.times_s, time_s))
    if after == 0:
        return 0
    if after == len(rollout.times_s):
        return after - 1
    nearer_before = time_s - rollout.times_s[after - 1] <= rollout.times_s[after] - time_s
    return after - 1 if nearer_before else after


def centers(rollout: Rollout, column: int) -> Float64[np.ndarray, "g 3"]:
    """Where an object's centre is at every time."""
    return rollout.world_from_object[:, column, :3, 3]


def velocity_mps(rollout: Rollout, column: int, time_s: float, window_s: float = 0.15) -> Float64[np.ndarray, "3"]:
    """Mean velocity of an object's centre over a short window about a time (shorter at the ends)."""
    begin, end = at(rollout, time_s - window_s / 2), at(rollout, time_s + window_s / 2)
    if begin == end:
        begin, end = max(0, begin - 1), min(len(rollout.times_s) - 1, end + 1)
    path = centers(rollout, column)
    return (path[end] - path[begin]) / (rollout.times_s[end] - rollout.times_s[begin])


def speed_mps(rollout: Rollout, column: int, time_s: float) -> float:
    """Speed of an object's centre about a time."""
    return float(np.linalg.norm(velocity_mps(rollout, column, time_s)))


def lean_deg(rollout: Rollout, column: int, begin_s: float) -> Float64[np.ndarray, "g"]:
    """How far what pointed up at a time leans from up, at every time. For a ball that rolls it means nothing."""
    rotation = rollout.world_from_object[:, column, :3, :3]
    up_object = rotation[at(rollout, begin_s)].T @ np.array([0.0, 0.0, 1.0])
    cosine = np.clip((rotation @ up_object)[:, 2], -1.0, 1.0)
    return np.degrees(np.arccos(cosine))


def sinks_m(rollout: Rollout, column: int, begin_s: float) -> Float64[np.ndarray, "g"]:
    """How far an object's centre lies below where it was at a time, at every time."""
    height = centers(rollout, column)[:, 2]
    return height[at(rollout, begin_s)] - height


def _during(rollout: Rollout, begin_s: float, end_s: float) -> Bool[np.ndarray, "g"]:
    return (rollout.times_s >= begin_s - 1e-9) & (rollout.times_s <= end_s + 1e-9)


def falls_at_s(rollout: Rollout, column: int, begin_s: float, end_s: float, *, round_: bool = False) -> float | None:
    """When an object first has fallen: sunk by more than 5 cm or leaning by more than 30 degrees; None where it does not.

    Args:
        rollout: what happens.
        column: of the object.
        begin_s: from when.
        end_s: until when.
        round_: the object is a ball: it may turn.
    """
    fallen = sinks_m(rollout, column, begin_s) > FALL_M
    if not round_:
        fallen |= lean_deg(rollout, column, begin_s) > FALL_DEG
    when = np.flatnonzero(fallen & _during(rollout, begin_s, end_s))
    return float(rollout.times_s[when[0]]) if len(when) else None


def falls(rollout: Rollout, column: int, begin_s: float, end_s: float, *, round_: bool = False) -> bool | None:
    """Whether an object falls; None where it neither falls nor stays, or falls so late that it might not have."""
    when = falls_at_s(rollout, column, begin_s, end_s, round_=round_)
    if when is not None:
        return True if when <= end_s - MARGIN_S else None
    shown = _during(rollout, begin_s, end_s)
    sunk = float(np.abs(sinks_m(rollout, column, begin_s)[shown]).max())
    leaning = 0.0 if round_ else float(lean_deg(rollout, column, begin_s)[shown].max())
    return False if sunk < 2 * STAY_M and leaning < 2 * STAY_DEG else None


def stays(rollout: Rollout, column: int, begin_s: float, end_s: float) -> bool:
    """Whether an object stays put: within 1 cm and 5 degrees throughout."""
    shown = _during(rollout, begin_s, end_s)
    path = centers(rollout, column)
    moved = float(np.linalg.norm(path[shown] - path[at(rollout, begin_s)], axis=1).max())
    return moved < STAY_M and float(lean_deg(rollout, column, begin_s)[shown].max()) < STAY_DEG


def still_at(rollout: Rollout, column: int, time_s: float) -> bool | None:
    """Whether an object is at rest about a time; None where it creeps."""
    shown = _during(rollout, time_s - 0.3, time_s)
    path = centers(rollout, column)[shown]
    if len(path) < 2:
        return None
    step = np.linalg.norm(np.diff(path, axis=0), axis=1) / np.diff(rollout.times_s[shown])
    if float(step.max()) < STILL_MPS:
        return True
    return False if float(step.min()) > MOVING_MPS else None


def touching(rollout: Rollout, first_id: int, second_id: int, time_s: float, slack_s: float = 0.05) -> bool:
    """Whether two things touch at a time (a touch that ended or begins within the slack counts: a rolling ball hops)."""
    pair = (max(first_id, second_id), min(first_id, second_id))
    return any(
        (c.first_id, c.second_id) == pair and c.begin_s - slack_s <= time_s <= c.end_s + slack_s
        for c in rollout.contacts
    )


def hit_at_s(rollout: Rollout, first_id: int, second_id: int, begin_s: float, end_s: float) -> float | None:
    """When two things that are apart first touch, within a time; None where they touch already or do not."""
    if touching(rollout, first_id, second_id, begin_s):
        return None
    pair = (max(first_id, second_id), min(first_id, second_id))
    begun = [
        c.begin_s for c in rollout.contacts if (c.first_id, c.second_id) == pair and begin_s < c.begin_s <= end_s + 1e-9
    ]
    return min(begun) if begun else None


def next_touch(rollout: Rollout, object_id: int, begin_s: float, end_s: float) -> tuple[int, float] | None:
    """What an object touches next that it does not touch yet, and when: (object id, ``GROUND`` or ``WALL``; time)."""
    best: tuple[int, float] | None = None
    for contact in rollout.contacts:
        if object_id not in (contact.first_id, contact.second_id) or not begin_s < contact.begin_s <= end_s + 1e-9:
            continue
        other = contact.second_id if contact.first_id == object_id else contact.first_id
        if touching(rollout, object_id, other, begin_s):
            continue
        if best is None or contact.begin_s < best[1]:
            best = (other, contact.begin_s)
    return best


def carriers(rollout: Rollout, object_id: int, time_s: float) -> tuple[int, ...]:
    """Ids of what an object touches at a time, ascending."""
    found = {
        c.second_id if c.first_id == object_id else c.first_id
        for c in rollout.contacts
        if object_id in (c.first_id, c.second_id) and c.begin_s - 0.05 <= time_s <= c.end_s + 0.05
    }
    return tuple(sorted(found))


def heading_axes(
    world_from_camera: Float64[np.ndarray, "4 4"],
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]] | None:
    """Horizontal unit vectors ahead of and to the left of a camera; None where it looks nearly straight up or down."""
    ahead = world_from_camera[:3, 2].copy()
    ahead[2] = 0.0
    length = float(np.linalg.norm(ahead))
    if not np.isfinite(length) or length < 0.3:
        return None
    ahead /= length
    return ahead, np.array([-ahead[1], ahead[0], 0.0])


def bearing_deg(vector: Float64[np.ndarray, "3"], world_from_camera: Float64[np.ndarray, "4 4"]) -> float | None:
    """Angle of a horizontal direction from the camera's own, degrees, positive to the left; None without a heading."""
    axes = heading_axes(world_from_camera)
    if axes is None:
        return None
    return float(np.degrees(np.arctan2(vector @ axes[1], vector @ axes[0])))


def side_of(angle_deg: float, margin_deg: float = 15.0) -> Side | None:
    """Which of the four sides a bearing points to; None within a margin of the border between two.

    >>> side_of(80.0), side_of(-100.0), side_of(10.0), side_of(-170.0), side_of(44.0)
    ('left', 'right', 'away', 'toward', None)
    """
    names: tuple[Side, ...] = ("away", "left", "toward", "right")
    quarter = round(angle_deg / 90.0)
    if abs(angle_deg - 90.0 * quarter) > 45.0 - margin_deg:
        return None
    return names[quarter % 4]


def turns_deg(poses: Float64[np.ndarray, "n 4 4"]) -> Float64[np.ndarray, "n"]:
    """How far a camera has turned about the vertical since its first pose, degrees, positive to the left."""
    ahead = poses[:, :2, 2]
    yaw = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    return np.degrees(yaw - yaw[0])


def turned_deg(poses: Float64[np.ndarray, "n 4 4"]) -> float:
    """How far a camera turned about the vertical from the first to the last of its poses, degrees, positive to the left."""
    return float(turns_deg(poses)[-1])


def camera_move(poses: Float64[np.ndarray, "n 4 4"], *, turn_deg: float, step_m: float) -> Move | None:
    """What a camera does over its poses: turns left or right, goes forward or backward, or stays still; None between these.

    Args:
        poses: at least two, in order.
        turn_deg: a turn is at least this much; straight on is at most a third of it.
        step_m: going is at least this far; still is at most a fifth of it.
    """
    if not np.isfinite(poses).all() or len(poses) < 2:
        return None
    axes = heading_axes(poses[0])
    if axes is None:
        return None
    turned, step = turned_deg(poses), poses[-1, :3, 3] - poses[0, :3, 3]
    if abs(turned) >= turn_deg:
        return "left" if turned > 0 else "right"
    if float(np.abs(turns_deg(poses)).max()) > turn_deg / 3:  # it may have turned and turned back
        return None
    reach = float(np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum())
    if reach <= step_m / 5:
        return "still"
    along = float(step @ axes[0])
    if abs(along) < step_m or abs(along) < 0.85 * float(np.linalg.norm(step)):
        return None
    return "forward" if along > 0 else "backward"


def camera_between(rollout: Rollout, begin_s: float, end_s: float) -> Float64[np.ndarray, "n 4 4"]:
    """The camera's poses of a rollout between two times."""
    return rollout.world_from_camera[_during(rollout, begin_s, end_s)]


def camera_speed_mps(rollout: Rollout, time_s: float, window_s: float = 0.3) -> float:
    """Speed of the camera about a time."""
    begin, end = at(rollout, time_s - window_s / 2), at(rollout, time_s + window_s / 2)
    if begin == end:
        return float("nan")
    step = rollout.world_from_camera[end, :3, 3] - rollout.world_from_camera[begin, :3, 3]
    return float(np.linalg.norm(step) / (rollout.times_s[end] - rollout.times_s[begin]))
