"""Physics of things in motion: which way, how fast, whether and where they come to rest.

The frame of "left" and "toward" is always that of the camera in the last frame shown, and the sentence says so.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    MOVING_MPS,
    Side,
    at,
    centers,
    last_shown_s,
    settled,
    side_of,
    speed_mps,
    stays,
    still_at,
    velocity_mps,
)
from video3d.data.questions.movers import (
    SIDES,
    Mover,
    asked_span_s,
    landmarks,
    late_references,
    made,
    movers,
    nearest_of,
    seconds,
    side_in_last_frame,
    will,
)
from video3d.data.questions.references import Reference
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Wordings, choice, number
from video3d.data.truth import Rollout, SceneTruth

_DIRECTION = Wordings(
    en=(
        "As seen by the camera in the last frame, which way will {a} be moving {t} later?",
        "{t} after the last frame, in which direction is {a} going, seen from where the camera last was?",
        "Seen from the last camera position, where will {a} be heading {t} after the video ends?",
        "Which way does {a} move {t} after the last frame, from the viewpoint of that frame?",
    ),
    zh=(
        "从最后一帧相机的视角看，{t}后{a}会朝哪个方向运动？",
        "最后一帧之后{t}，以最后一帧的视角，{a}正向哪边移动？",
        "以最后一帧相机所见为准，{a}在{t}后的运动方向是什么？",
    ),
)
_SPEED = Wordings(
    en=(
        "How fast is {a} moving in the last frame, in metres per second?",
        "What is the speed of {a} at the end of the video, in m/s?",
        "Estimate the speed of {a} in the last frame in metres per second.",
        "At the last frame shown, at what speed (m/s) does {a} travel?",
    ),
    zh=(
        "最后一帧中{a}的运动速度是多少米每秒？",
        "视频结束时，{a}的速度大约是多少（米/秒）？",
        "估计{a}在最后一帧的速度，单位为米每秒。",
    ),
)
_SPEED_ORDER = Wordings(
    en=(
        "Which moves faster over the frames shown, {a} or {b}?",
        "During the video, which of the two is faster: {a} or {b}?",
        "Of {a} and {b}, which one has the higher speed in this video?",
        "Compare the speeds of {a} and {b} in the video: which is faster?",
    ),
    zh=(
        "在所示画面中，{a}和{b}哪个运动得更快？",
        "视频里{a}与{b}相比，谁的速度更快？",
        "比较{a}和{b}在视频中的速度，哪一个更快？",
    ),
)
_REST = Wordings(
    en=(
        "Will {a} still be moving {t} after the last frame?",
        "{t} after the video ends, will {a} still be in motion?",
        "Is {a} going to be moving still {t} after the last frame?",
        "Will {a} keep moving for at least {t} after the last frame?",
    ),
    zh=(
        "最后一帧之后{t}，{a}还会在运动吗？",
        "视频结束{t}后，{a}会仍在运动吗？",
        "{a}会在最后一帧之后继续运动至少{t}吗？",
    ),
)
_REST_PLACE = Wordings(
    en=(
        "Near which of these does {a} come to rest?",
        "When {a} stops moving, which of these is it closest to?",
        "Which of these objects will {a} be nearest to once it has stopped?",
        "{a} is going to stop. Which of these is it closest to then?",
    ),
    zh=(
        "{a}最终会停在下列哪个物体附近？",
        "{a}停下来时，离下列哪个物体最近？",
        "等{a}静止后，距离它最近的是下列哪个？",
    ),
)


def direction(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which way a mover will be going half a second or a second later, in the last frame's view."""
    span = asked_span_s(truth)
    if span is None:
        return
    order: tuple[Side, ...] = ("left", "right", "toward", "away")
    for mover in movers(truth):
        for wait in (0.5, 1.0):
            side = settled(truth, lambda r, m=mover, w=wait: _side_then(truth, r, m, w))
            if side is None:
                continue
            yield made(
                truth,
                "physics.direction",
                _DIRECTION.render(rng, a=mover.said, t=seconds(wait)),
                choice(rng, [SIDES[s] for s in order], order.index(side)),
                side,
                (mover.object_id,),
                group=str(mover.object_id),
                frame="observer",
            )


def _side_then(truth: SceneTruth, rollout: Rollout, mover: Mover, wait_s: float) -> Side | None:
    velocity = velocity_mps(rollout, mover.column, last_shown_s(truth) + wait_s)
    if float(np.linalg.norm(velocity[:2])) < max(2 * MOVING_MPS, 0.7 * abs(float(velocity[2]))):
        return None
    angle = side_in_last_frame(truth, velocity)
    return None if angle is None else side_of(angle)


def speed(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """The speed at the last frame shown, where it is nearly steady over the last frames, so that it can be measured."""
    for mover in movers(truth):
        shown = seen_mask(truth, mover.object_id)
        if truth.num_frames < 3 or not bool(shown[-3:].all()):
            continue
        places, times = mover.thing.world_from_object[-3:, :3, 3], truth.times_s[-3:]
        steps = np.linalg.norm(np.diff(places, axis=0), axis=1) / np.diff(times)
        now = speed_mps(truth.rollouts[0], mover.column, last_shown_s(truth))
        tolerance = max(0.1, 0.2 * now)
        if now < 0.2 or float(np.abs(steps - now).max()) > tolerance:
            continue
        yield made(
            truth,
            "physics.speed",
            _SPEED.render(rng, a=mover.said),
            number(now, "m/s", tolerance),
            _bin(now),
            (mover.object_id,),
            group=str(mover.object_id),
        )


def _bin(value: float) -> str:
    """Bins that grow by half: what counts as the same number for balancing."""
    return f"bin{int(np.floor(np.log(value) / np.log(1.5)))}"


def speed_order(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which of two movers is faster over the frames that show both."""
    found = movers(truth)
    for number_, first in enumerate(found):
        for second in found[number_ + 1 :]:
            both = np.flatnonzero(seen_mask(truth, first.object_id) & seen_mask(truth, second.object_id))
            if len(both) < 3:
                continue
            pace = [_pace(truth, mover, both) for mover in (first, second)]
            if min(pace) <= 0 or max(pace) < 1.4 * min(pace):
                continue
            a, b = (first, second) if rng.random() < 0.5 else (second, first)
            faster = first if pace[0] > pace[1] else second
            yield made(
                truth,
                "physics.speed_order",
                _SPEED_ORDER.render(rng, a=a.said, b=b.said),
                choice(rng, [first.said, second.said], 0 if faster is first else 1),
                "first" if faster is a else "second",
                (a.object_id, b.object_id),
                group=f"{first.object_id},{second.object_id}",
            )


def _pace(truth: SceneTruth, mover: Mover, frames: np.ndarray) -> float:
    """Length of the way over the time, from the first to the last of some frames."""
    span = slice(int(frames[0]), int(frames[-1]) + 1)
    way = np.linalg.norm(np.diff(mover.thing.world_from_object[span, :3, 3], axis=0), axis=1).sum()
    return float(way / (truth.times_s[frames[-1]] - truth.times_s[frames[0]]))


def comes_to_rest(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether a mover still moves some time later."""
    span = asked_span_s(truth)
    if span is None:
        return
    for mover in movers(truth):
        for wait in sorted({1.0, span}):
            still = settled(truth, lambda r, m=mover, w=wait: still_at(r, m.column, last_shown_s(truth) + w))
            if still is None:
                continue
            yield made(
                truth,
                "physics.comes_to_rest",
                _REST.render(rng, a=mover.said, t=seconds(wait)),
                will(not still),
                "no" if still else "yes",
                (mover.object_id,),
                group=f"{mover.object_id}",
            )


def rest_place(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which thing a mover is nearest to when it has come to rest."""
    for mover, said, landed in _landings(truth, at_rest=True):
        if mover.thing.kind in {"person", "animal"}:
            continue  # who walks stops where they like
        yield _place_candidate(truth, rng, "physics.rest_place", _REST_PLACE, mover, said, landed, "")


def _place_candidate(
    truth: SceneTruth,
    rng: np.random.Generator,
    subtype: str,
    wordings: Wordings,
    mover: Mover,
    said: list[Reference],
    right: int,
    wait: str | None,
) -> Candidate:
    slots = {"t": seconds(float(wait))} if wait else {}
    return made(
        truth,
        subtype,
        wordings.render(rng, a=mover.said, **slots),
        choice(rng, said, [s.object_id for s in said].index(right)),
        truth.object(right).category,
        (mover.object_id, *sorted(s.object_id for s in said)),
        group=str(mover.object_id),
    )


def next_places(
    truth: SceneTruth, rng: np.random.Generator, subtype: str, wordings: Wordings, wait_s: float
) -> Iterator[Candidate]:
    """Which thing a mover is nearest to after a time, moving or not; for questions about action."""
    for mover, said, landed in _landings(truth, at_rest=False, wait_s=wait_s):
        yield _place_candidate(truth, rng, subtype, wordings, mover, said, landed, f"{wait_s:g}")


def _landings(
    truth: SceneTruth, *, at_rest: bool, wait_s: float | None = None
) -> Iterable[tuple[Mover, list[Reference], int]]:
    """Movers with two to four things around where they will be, and the one that they are then clearly nearest to.

    What the mover rests on is not among them: it would be nearest by touch.
    """
    span = asked_span_s(truth) if wait_s is None else wait_s
    if span is None:
        return
    for mover in movers(truth):
        places = landmarks(truth) | _that_stay(truth, mover, span)
        said = {i: s for i, s in places.items() if i != mover.thing.supported_by}
        if len(said) < 2:
            continue
        last = truth.rollouts[0]
        place = centers(last, mover.column)[at(last, last_shown_s(truth) + span)]
        if float(np.linalg.norm(place - mover.thing.world_from_object[-1, :3, 3])) < 0.3:
            continue
        poses = {i: truth.object(i).world_from_object[-1] for i in said}
        near = sorted(poses, key=lambda i: float(np.linalg.norm(poses[i][:3, 3] - place)))[:4]
        offered = {i: poses[i] for i in near}
        landed = settled(truth, lambda r, m=mover, o=offered, w=span: _nearest_then(truth, r, m, o, w, at_rest))
        if landed is not None:
            yield mover, [said[i] for i in near], landed


def _that_stay(truth: SceneTruth, mover: Mover, span_s: float) -> dict[int, Reference]:
    """Things of the experiment that are seen late and stay where they are in every rollout, unlike the mover."""
    now = last_shown_s(truth)
    return {
        i: said
        for i, said in late_references(truth).items()
        if i != mover.object_id
        and truth.object(i).motion == "dynamic"
        and truth.object(i).kind == "experiment"
        and all(stays(rollout, truth.index(i), now, now + span_s) for rollout in truth.rollouts)
    }


def _nearest_then(
    truth: SceneTruth, rollout: Rollout, mover: Mover, offered: dict[int, np.ndarray], wait_s: float, at_rest: bool
) -> int | None:
    when = last_shown_s(truth) + wait_s
    if at_rest and still_at(rollout, mover.column, when) is not True:
        return None
    place = centers(rollout, mover.column)[at(rollout, when)]
    return nearest_of(place, offered, truth)
