"""What things of a clip do at the last frame shown and next: the fates that the physics head is to find.

The rules are those of the questions (``data.questions.events``, ``movers``, ``physics_stability``): the future stands only where all
rollouts agree, motion must show in the frames, and what a helper of the experiment does unseen makes the future unknown.

- stable: it does not topple or drop within the time that questions ask about (up to 3 s): as ``physics.topples``, of every loose
  thing that is not round. What never moves is stable.
- still: at rest in the last 0.3 s; else the velocity at the last frame is given.
- event: what happens first in that time. ``falls`` (sinks by 5 cm or leans by 30 degrees, unless it slides on a ramp or stair),
  ``hits something``, ``is hit`` (touched while at rest), ``stops``, ``moves on``, ``stays``. A touch within 0.3 s before a fall is
  part of the fall. Who goes by themselves only stop, stay or move on; what happens in the last 0.3 s of the time is not told.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.events import (
    MARGIN_S,
    MOVING_MPS,
    STILL_MPS,
    falls,
    falls_at_s,
    hit_at_s,
    last_shown_s,
    settled,
    speed_mps,
    stays,
    still_at,
    velocity_mps,
)
from video3d.data.questions.movers import (
    foreseeable_span_s,
    goes_by_itself,
    moves_in_sight,
    seen_late,
)
from video3d.data.truth import GROUND, ObjectTruth, Rollout, SceneTruth
from video3d.geometry.rigid import is_known
from video3d.vocabulary import ROUND

EVENTS = ("stays", "moves on", "stops", "hits something", "is hit", "falls")
"""For ``Video3DConfig.events``; each is said behind "What happens next to the ball: "."""
_SLOPES = frozenset({"ramp", "stair"})
_BEFORE_S = 0.12  # before a touch, when it is told who runs into whom


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What is known of one thing at the last frame shown; None where it is not.

    Attributes:
        object_id: which.
        stable: it stays standing.
        still: it does not move.
        velocity_mps: in the truth's world, where it moves.
        event: what happens next, of ``EVENTS``.
    """

    object_id: int
    stable: bool | None
    still: bool | None
    velocity_mps: Float64[np.ndarray, "3"] | None
    event: str | None


def fates(truth: SceneTruth) -> list[Fate]:
    """Of the things seen in one of the last two frames, without structures (doors, windows) and signs."""
    span = foreseeable_span_s(truth)
    found = []
    for column, thing in enumerate(truth.objects):
        shown = seen_late(truth, thing.object_id) and bool(is_known(thing.world_from_object[-1]))
        if not shown or thing.kind in ("structure", "sign"):
            continue
        still, velocity = _motion(truth, column, thing)
        fate = Fate(
            object_id=thing.object_id,
            stable=_stable(truth, column, thing, span),
            still=still,
            velocity_mps=velocity,
            event=_next(truth, column, thing, span),
        )
        if not fate.stable is fate.still is fate.event is None:
            found.append(fate)
    return found


def _motion(truth: SceneTruth, column: int, thing: ObjectTruth) -> tuple[bool | None, Float64[np.ndarray, "3"] | None]:
    """Whether it is at rest, and how it moves if that shows."""
    if thing.motion == "static":
        return True, None
    if not truth.rollouts:
        return None, None
    did, now = truth.rollouts[0], last_shown_s(truth)
    still = still_at(did, column, now)
    if still is not False:
        return still, None
    velocity = velocity_mps(did, column, now)
    seen = moves_in_sight(truth, thing.object_id) and float(np.linalg.norm(velocity)) >= MOVING_MPS
    return (False, velocity) if seen else (None, None)


def _stable(truth: SceneTruth, column: int, thing: ObjectTruth, span: float | None) -> bool | None:
    if thing.motion == "static":
        return True
    if span is None or thing.motion != "dynamic" or thing.category in ROUND:
        return None
    now = last_shown_s(truth)
    fate = settled(truth, lambda rollout: falls(rollout, column, now, now + span))
    return None if fate is None else not fate


def _next(truth: SceneTruth, column: int, thing: ObjectTruth, span: float | None) -> str | None:
    if thing.motion == "static":
        return "stays"
    if span is None or (thing.motion == "scripted" and not goes_by_itself(thing)):
        return None
    return settled(truth, lambda rollout: _first(truth, rollout, column, thing, span))


def _first(truth: SceneTruth, rollout: Rollout, column: int, thing: ObjectTruth, span: float) -> str | None:
    """What happens first in one rollout; None where it is not clear."""
    now = last_shown_s(truth)
    end = now + span
    if thing.motion == "dynamic":
        slides = thing.supported_by is not None and thing.supported_by > 0
        slides = slides and truth.object(thing.supported_by or 0).category in _SLOPES
        round_ = thing.category in ROUND
        fall = None if slides else falls_at_s(rollout, column, now, end, round_=round_)
        touch = _touch_s(rollout, thing.object_id, now, end)
        first = min((when for when in (fall, touch) if when is not None), default=None)
        if first is not None and first > end - MARGIN_S:
            return None
        if fall is not None and (touch is None or fall <= touch + MARGIN_S):
            return "falls"
        if touch is not None:
            speed = speed_mps(rollout, column, max(now, touch - _BEFORE_S))
            return "hits something" if speed > MOVING_MPS else "is hit" if speed < STILL_MPS else None
    if stays(rollout, column, now, end):
        return "stays"
    if still_at(rollout, column, now) is not False:
        return None
    rest = still_at(rollout, column, end)
    return None if rest is None else "stops" if rest else "moves on"


def _touch_s(rollout: Rollout, object_id: int, begin_s: float, end_s: float) -> float | None:
    """When a thing first touches another that it does not touch yet; the ground is none."""
    others = {
        contact.second_id if contact.first_id == object_id else contact.first_id
        for contact in rollout.contacts
        if object_id in (contact.first_id, contact.second_id)
    }
    times = [hit_at_s(rollout, object_id, other, begin_s, end_s) for other in others - {GROUND}]
    return min((when for when in times if when is not None), default=None)
