"""Physics of what stands: stacks that stand or topple, what falls, first and which way."""

from collections.abc import Iterator, Mapping

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    MARGIN_S,
    Side,
    at,
    carriers,
    falls,
    falls_at_s,
    last_shown_s,
    settled,
    side_of,
)
from video3d.data.questions.movers import (
    SIDES,
    asked_span_s,
    foreseeable_span_s,
    late_references,
    made,
    seconds,
    side_in_last_frame,
    will,
)
from video3d.data.questions.wording import Said, Wordings, at_most, choice
from video3d.data.truth import ObjectTruth, Rollout, SceneTruth
from video3d.vocabulary import ROUND

_STACK = Said("the stack", "那一摞东西")


_STABILITY = Wordings(
    en=(
        "Will {a} still be standing {t} after the last frame?",
        "Does {a} stay standing for the next {t}?",
        "{t} after the video ends, is {a} still upright?",
        "Will {a} remain standing during the {t} after the last frame?",
    ),
    zh=(
        "最后一帧之后{t}，{a}会仍然立着吗？",
        "接下来{t}内，{a}会保持不倒吗？",
        "视频结束{t}后，{a}还会立着吗？",
    ),
)


_TOPPLES = Wordings(
    en=(
        "Will {a} topple or drop within {t} of the last frame?",
        "Does {a} topple or drop in the {t} after the last frame?",
        "In the next {t}, is {a} going to fall?",
        "Is {a} going to tip over or fall down within {t} after the video ends?",
    ),
    zh=(
        "最后一帧之后{t}内，{a}会倒下或掉落吗？",
        "接下来{t}内，{a}会倒吗？",
        "视频结束后的{t}里，{a}会翻倒或跌落吗？",
    ),
)


_FALLS_FIRST = Wordings(
    en=(
        "Which of these falls first after the last frame?",
        "After the last frame, which of these is the first to fall?",
        "Of these, which one will topple or drop before the others?",
        "Which of the following falls earliest once the video ends?",
    ),
    zh=(
        "最后一帧之后，下列哪个最先倒下或掉落？",
        "视频结束后，哪一个会第一个倒下？",
        "下列物体中，哪个会最先掉落或翻倒？",
    ),
)


_TOPPLE_DIRECTION = Wordings(
    en=(
        "As seen by the camera in the last frame, which way will {a} fall?",
        "{a} is going to fall. In which direction, seen from where the camera last was?",
        "From the viewpoint of the last frame, toward which side does {a} topple?",
        "Seen in the last frame's view, which way does {a} go down?",
    ),
    zh=(
        "从最后一帧相机的视角看，{a}会朝哪边倒？",
        "{a}将要倒下，以最后一帧的视角，它倒向哪个方向？",
        "以最后一帧相机所见为准，{a}会往哪边倒下？",
    ),
)


def stacks(truth: SceneTruth) -> list[tuple[int, ...]]:
    """Stacks of at least two loose experiment objects, each from its lowest up, by what supports what in the last frame.

    What a plank carries or what carries one is a see-saw or a bridge; nobody calls it a stack. What is held by a prop as well as
    by the thing below it is on that thing all the same.
    """
    loose = {t.object_id: t for t in truth.objects if t.motion == "dynamic" and t.kind == "experiment"}
    below = {i: _lies_on(truth, t, loose) for i, t in loose.items()}
    found = []
    for root in loose:
        if below[root] in loose or below[root] is None:
            continue
        members, level = [root], [root]
        while level:
            level = [i for i in loose if below[i] in level and i not in members]
            members += level
        if len(members) >= 2 and not any(loose[i].category == "plank" for i in members):
            found.append(tuple(members))
    return found


def _lies_on(truth: SceneTruth, thing: ObjectTruth, loose: Mapping[int, ObjectTruth]) -> int | None:
    """What a thing lies on: of a prop and a loose thing that both carry it, the loose thing."""
    below = thing.supported_by
    if below is None or below <= 0 or truth.object(below).motion != "scripted" or not truth.rollouts:
        return below
    bottom = thing.world_from_object[-1, 2, 3] - thing.size_m[2] / 2
    touched = carriers(truth.rollouts[0], thing.object_id, last_shown_s(truth))
    under = [i for i in touched if i in loose and float(loose[i].world_from_object[-1, 2, 3]) < bottom]
    return under[0] if len(under) == 1 else below


def stability(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether the one stack in the scene is still standing some time later: none of its things falls."""
    found, span = stacks(truth), foreseeable_span_s(truth)
    if len(found) != 1 or span is None:
        return
    members = found[0]
    said = late_references(truth)
    if sum(i in said for i in members) < 2:
        return
    stands = settled(truth, lambda r: _stands(truth, r, members, span))
    if stands is None:
        return
    yield made(
        truth,
        "physics.stability",
        _STABILITY.render(rng, a=_STACK, t=seconds(span)),
        will(stands),
        "yes" if stands else "no",
        members,
        group="stack",
    )


def _falls(truth: SceneTruth, rollout: Rollout, object_id: int, span: float) -> bool | None:
    now, round_ = last_shown_s(truth), truth.object(object_id).category in ROUND
    return falls(rollout, truth.index(object_id), now, now + span, round_=round_)


def _stands(truth: SceneTruth, rollout: Rollout, members: tuple[int, ...], span: float) -> bool | None:
    fates = [_falls(truth, rollout, i, span) for i in members]
    if any(fate is True for fate in fates):
        return False
    return True if all(fate is False for fate in fates) else None


def topples(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether one thing of an experiment falls over or down."""
    span = foreseeable_span_s(truth)
    if span is None:
        return
    said = late_references(truth)
    for thing in truth.objects:
        if (
            thing.motion != "dynamic"
            or thing.kind != "experiment"
            or thing.category in ROUND
            or thing.object_id not in said
        ):
            continue
        fate = settled(truth, lambda r, i=thing.object_id: _falls(truth, r, i, span))
        if fate is None:
            continue
        yield made(
            truth,
            "physics.topples",
            _TOPPLES.render(rng, a=said[thing.object_id], t=seconds(span)),
            will(fate),
            "yes" if fate else "no",
            (thing.object_id,),
            group=str(thing.object_id),
        )


def falls_first(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which of some things that might fall does so first."""
    span = asked_span_s(truth)
    if span is None:
        return
    said = late_references(truth)
    loose = [
        t.object_id
        for t in truth.objects
        if t.motion == "dynamic" and t.kind == "experiment" and t.object_id in said and t.category not in ROUND
    ]
    if len(loose) < 2:
        return
    first = settled(truth, lambda r: _first_fallen(truth, r, loose, span))
    if first is None:
        return
    offered = [first, *at_most(rng, [i for i in loose if i != first], 3)]
    yield made(
        truth,
        "physics.falls_first",
        _FALLS_FIRST.render(rng),
        choice(rng, [said[i] for i in offered], 0),
        truth.object(first).color or truth.object(first).category,
        tuple(sorted(offered)),
        group="first",
    )


def _first_fallen(truth: SceneTruth, rollout: Rollout, loose: list[int], span: float) -> int | None:
    now = last_shown_s(truth)
    times = []
    for object_id in loose:
        when = falls_at_s(rollout, truth.index(object_id), now, now + span)
        if when is not None and when <= now + 0.04:
            return None  # it has begun in sight
        times.append((np.inf if when is None else when, object_id))
    times.sort()
    if times[0][0] > now + span - MARGIN_S or times[1][0] - times[0][0] < 0.12:
        return None
    return times[0][1]


def topple_direction(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which way a thing that falls goes, in the last frame's view."""
    span = asked_span_s(truth)
    if span is None:
        return
    said = late_references(truth)
    order: tuple[Side, ...] = ("left", "right", "toward", "away")
    for thing in truth.objects:
        if (
            thing.motion != "dynamic"
            or thing.kind != "experiment"
            or thing.category in ROUND
            or thing.object_id not in said
        ):
            continue
        side = settled(truth, lambda r, i=thing.object_id: _falls_to(truth, r, i, span))
        if side is None:
            continue
        yield made(
            truth,
            "physics.topple_direction",
            _TOPPLE_DIRECTION.render(rng, a=said[thing.object_id]),
            choice(rng, [SIDES[s] for s in order], order.index(side)),
            side,
            (thing.object_id,),
            group=str(thing.object_id),
            frame="observer",
        )


def _falls_to(truth: SceneTruth, rollout: Rollout, object_id: int, span: float) -> Side | None:
    if _falls(truth, rollout, object_id, span) is not True:
        return None
    now, column = last_shown_s(truth), truth.index(object_id)
    half = truth.object(object_id).size_m[2] / 2
    poses = rollout.world_from_object[[at(rollout, now), at(rollout, now + span)], column]
    up = poses[0, :3, :3].T @ np.array([0.0, 0.0, half])  # its top, in its own frame
    moved = (poses[1, :3, 3] + poses[1, :3, :3] @ up) - (poses[0, :3, 3] + poses[0, :3, :3] @ up)
    if float(np.linalg.norm(moved[:2])) < 0.05:
        return None
    angle = side_in_last_frame(truth, moved)
    return None if angle is None else side_of(angle)
