"""Physics of touches: what a mover hits, whether and when it does, whether it falls off what carries it."""

from collections.abc import Iterator

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    FALL_M,
    MARGIN_S,
    STAY_M,
    at,
    hit_at_s,
    last_shown_s,
    settled,
    sinks_m,
    touching,
    velocity_mps,
)
from video3d.data.questions.movers import (
    Mover,
    around,
    asked_span_s,
    foreseeable_span_s,
    in_the_way,
    key_of,
    late_references,
    made,
    movers,
    seconds,
    will,
    words_for,
)
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.wording import Bilingual, Said, Wordings, at_most, choice, number
from video3d.data.truth import GROUND, WALL, Rollout, SceneTruth

_BLOCKS = Wordings(
    en=(
        "What will stop or deflect {a} first within {t} of the last frame?",
        "Which of these, if any, gets in the way of {a} in the {t} after the video?",
        "After the last frame, what does {a} bump into first (within {t})?",
        "What blocks the way of {a} in the next {t}?",
    ),
    zh=(
        "最后一帧之后{t}内，最先挡住{a}的是什么？",
        "接下来{t}内，{a}会先撞上什么？",
        "视频结束后的{t}里，下列哪一个会阻挡{a}？",
    ),
)
_COLLIDE = Wordings(
    en=(
        "Will {a} hit {b} within {t} of the last frame?",
        "In the {t} after the video ends, does {a} touch {b}?",
        "Is {a} going to collide with {b} in the next {t}?",
        "Will {a} and {b} come into contact within {t} after the last frame?",
    ),
    zh=(
        "最后一帧之后{t}内，{a}会碰到{b}吗？",
        "接下来{t}内，{a}会与{b}相撞吗？",
        "视频结束后的{t}里，{a}会撞上{b}吗？",
    ),
)
_TIME_TO = Wordings(
    en=(
        "How many seconds after the last frame will {a} reach {b}?",
        "{a} is going to touch {b}. How long after the last frame, in seconds?",
        "In how many seconds from the last frame does {a} make contact with {b}?",
        "After the last frame, how much time passes until {a} hits {b} (in seconds)?",
    ),
    zh=(
        "最后一帧之后多少秒，{a}会碰到{b}？",
        "{a}将要碰到{b}，从最后一帧算起还有几秒？",
        "从最后一帧开始，再过多少秒{a}会接触{b}？",
    ),
)
_FALLS_OFF = Wordings(
    en=(
        "Will {a} fall off {b} within {t} of the last frame?",
        "In the {t} after the last frame, does {a} drop off {b}?",
        "Is {a} going to fall from {b} in the next {t}?",
        "Will {a} leave {b} and drop within {t} after the video ends?",
    ),
    zh=(
        "最后一帧之后{t}内，{a}会从{b}上掉下来吗？",
        "接下来{t}内，{a}会从{b}上掉落吗？",
        "视频结束后的{t}里，{a}会掉下{b}吗？",
    ),
)
_FIRST_TO_FLOOR = Wordings(
    en=(
        "Which reaches {floor} first, {a} or {b}?",
        "After the last frame, which of the two touches {floor} first: {a} or {b}?",
        "Of {a} and {b}, which one will land on {floor} first?",
        "Which will arrive at {floor} earlier, {a} or {b}?",
    ),
    zh=(
        "{a}和{b}，哪个会先到达{floor}？",
        "最后一帧之后，{a}与{b}中谁先碰到{floor}？",
        "{a}和{b}之中，先落到{floor}上的是哪一个？",
    ),
)
NOTHING = Said("nothing", "什么也没有")


def what_blocks(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What first makes a mover lose a third of its pace or turn aside, or nothing."""
    span = asked_span_s(truth)
    if span is None:
        return
    said = referable(truth)
    for mover in movers(truth, colliding=True):
        blocked = settled(truth, lambda r, m=mover: _blocked_by(truth, r, m, span))
        if blocked is None:
            continue
        words = NOTHING if blocked == _NOBODY else words_for(truth, blocked, said)
        if words is None:
            continue
        others = [i for i in in_the_way(truth, mover, said, within_deg=75.0) if i != blocked]
        others += around(truth, mover, said, (blocked, *others))[: max(0, 3 - len(others))]
        if truth.room is not None and blocked != WALL:
            others.append(WALL)
        others = at_most(rng, others[:4], 2 if blocked != _NOBODY else 3)
        options: list[Bilingual] = [words, *(w for i in others if (w := words_for(truth, i, said)) is not None)]
        if blocked != _NOBODY:
            options.append(NOTHING)
        if len(options) < 3:
            continue
        yield made(
            truth,
            "physics.what_blocks",
            _BLOCKS.render(rng, a=mover.said, t=seconds(span)),
            choice(rng, options, 0),
            "nothing" if blocked == _NOBODY else key_of(truth, blocked),
            (mover.object_id, *sorted(i for i in (blocked, *others) if i > 0)),
            group=str(mover.object_id),
        )


_NOBODY = -9


def _blocked_by(truth: SceneTruth, rollout: Rollout, mover: Mover, span: float) -> int | None:
    """Id of what blocks first, ``_NOBODY``, or None where a touch changes the way only a little."""
    now = last_shown_s(truth)
    for contact in rollout.contacts:
        if mover.object_id not in (contact.first_id, contact.second_id) or not now < contact.begin_s <= now + span:
            continue
        other = contact.second_id if contact.first_id == mover.object_id else contact.first_id
        if other == GROUND or touching(rollout, mover.object_id, other, now):
            continue
        before = velocity_mps(rollout, mover.column, contact.begin_s - 0.12, 0.1)[:2]
        after = velocity_mps(rollout, mover.column, contact.begin_s + 0.16, 0.1)[:2]
        pace = float(np.linalg.norm(before))
        change = float(np.linalg.norm(after - before)) / max(pace, 1e-6)
        if change > 0.4 and pace > 0.05:
            return other if contact.begin_s <= now + span - MARGIN_S else None
        if change > 0.15:
            return None
    return _NOBODY


def will_collide(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether a mover touches something that lies more or less ahead of it."""
    for mover, other, when in _meetings(truth):
        span = asked_span_s(truth)
        if span is None:
            return
        yield made(
            truth,
            "physics.will_collide",
            _COLLIDE.render(rng, a=mover.said, b=other, t=seconds(span)),
            will(when is not None),
            "no" if when is None else "yes",
            (mover.object_id, other.object_id),
            group=f"{min(mover.object_id, other.object_id)},{max(mover.object_id, other.object_id)}",
        )


def time_to(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """How long until a mover touches something it will touch."""
    for mover, other, when in _meetings(truth):
        if when is None or when < 0.3:
            continue
        wait = settled(
            truth,
            lambda r, m=mover, o=other: _until_hit(truth, r, m.object_id, o.object_id, 5.0),
            tolerance=lambda t: max(0.12, 0.15 * t),
        )
        if wait is None:
            continue
        yield made(
            truth,
            "physics.time_to",
            _TIME_TO.render(rng, a=mover.said, b=other),
            number(wait, "s", max(0.2, 0.25 * wait)),
            f"bin{int(wait / 0.4)}",
            (mover.object_id, other.object_id),
            group=f"{min(mover.object_id, other.object_id)},{max(mover.object_id, other.object_id)}",
        )


def _until_hit(truth: SceneTruth, rollout: Rollout, a: int, b: int, span: float) -> float | None:
    now = last_shown_s(truth)
    when = hit_at_s(rollout, a, b, now, now + span)
    return None if when is None else when - now


def _meetings(truth: SceneTruth) -> Iterator[tuple[Mover, Reference, float | None]]:
    """Movers, things ahead of them, and after how long they touch in what does happen: None for not at all.

    Whether they touch is settled; a touch too near the end of the time asked about is left out.
    """
    span = asked_span_s(truth)
    if span is None:
        return
    now, said = last_shown_s(truth), referable(truth)
    for mover in movers(truth, colliding=True):
        for other in in_the_way(truth, mover, said)[:4]:
            if touching(truth.rollouts[0], mover.object_id, other, now):
                continue
            hit = settled(truth, lambda r, m=mover, o=other: _hits(truth, r, m.object_id, o, span))
            if hit is None:
                continue
            yield (
                mover,
                said[other],
                _until_hit(truth, truth.rollouts[0], mover.object_id, other, span) if hit else None,
            )


def _hits(truth: SceneTruth, rollout: Rollout, a: int, b: int, span: float) -> bool | None:
    wait = _until_hit(truth, rollout, a, b, span + MARGIN_S)
    if wait is None:
        return False
    return True if wait <= span - MARGIN_S else None


def falls_off(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether something that lies or moves on a thing drops off it: experiments, and whatever is seen moving."""
    span = foreseeable_span_s(truth)
    if span is None:
        return
    said, moving = late_references(truth), {m.object_id for m in movers(truth, colliding=True)}
    for column, thing in enumerate(truth.objects):
        below = thing.supported_by
        if (
            thing.motion != "dynamic"
            or below is None
            or below <= 0
            or truth.object(below).category in {"ramp", "stair"}
        ):
            continue
        if thing.object_id not in said or below not in said:
            continue
        if thing.kind != "experiment" and thing.object_id not in moving:
            continue
        drops = settled(truth, lambda r, c=column, i=thing.object_id, b=below: _drops(truth, r, c, i, b, span))
        if drops is None:
            continue
        yield made(
            truth,
            "physics.falls_off",
            _FALLS_OFF.render(rng, a=said[thing.object_id], b=said[below], t=seconds(span)),
            will(drops),
            "yes" if drops else "no",
            (thing.object_id, below),
            group=str(thing.object_id),
        )


def _drops(truth: SceneTruth, rollout: Rollout, column: int, object_id: int, below: int, span: float) -> bool | None:
    now = last_shown_s(truth)
    sunk = sinks_m(rollout, column, now)
    during = sunk[at(rollout, now) : at(rollout, now + span) + 1]
    on_it = touching(rollout, object_id, below, now + span)
    if float(np.abs(during).max()) < 2 * STAY_M:
        return False if on_it or not rollout.contacts else None
    early = sunk[at(rollout, now) : at(rollout, now + span - MARGIN_S) + 1]
    if float(early.max()) > FALL_M and not on_it:
        return True
    return None


def first_to_floor(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which of two things touches the floor first."""
    now, said = last_shown_s(truth), late_references(truth)
    if asked_span_s(truth) is None:
        return
    high = [
        t.object_id
        for t in truth.objects
        if t.motion == "dynamic" and t.object_id in said and not touching(truth.rollouts[0], t.object_id, GROUND, now)
    ]
    for place, first in enumerate(high):
        for second in high[place + 1 :]:
            winner = settled(truth, lambda r, a=first, b=second: _lands_first(truth, r, a, b))
            if winner is None:
                continue
            a, b = (first, second) if rng.random() < 0.5 else (second, first)
            floor = words_for(truth, GROUND, said)
            if floor is None:
                continue
            yield made(
                truth,
                "physics.first_to_floor",
                _FIRST_TO_FLOOR.render(rng, a=said[a], b=said[b], floor=floor),
                choice(rng, [said[a], said[b]], 0 if winner == a else 1),
                "first" if winner == a else "second",
                (a, b),
                group=f"{first},{second}",
            )


def _lands_first(truth: SceneTruth, rollout: Rollout, a: int, b: int) -> int | None:
    now, end = last_shown_s(truth), float(rollout.times_s[-1])
    first, second = (hit_at_s(rollout, i, GROUND, now, end) for i in (a, b))
    if first is None or second is None or abs(first - second) < 0.1:
        return None
    return a if first < second else b
