"""Physics of support: what holds what, what falls when something is taken away, what a thing comes to rest on."""

from collections.abc import Iterator

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    at,
    carriers,
    centers,
    last_shown_s,
    settled,
    still_at,
)
from video3d.data.questions.movers import (
    foreseeable_span_s,
    gap_m,
    key_of,
    late_references,
    made,
    movers,
    moves_in_sight,
    seconds,
    will,
    words_for,
)
from video3d.data.questions.references import referable
from video3d.data.questions.wording import Bilingual, Wordings, choice
from video3d.data.truth import GROUND, Rollout, SceneTruth
from video3d.vocabulary import ROUND

_WHAT_FALLS = Wordings(
    en=(
        "If {a} were taken away, which of these would fall?",
        "Suppose {a} is removed after the last frame. Which of these falls?",
        "Which of these would drop or topple if {a} were not there any more?",
        "Imagine that {a} vanishes: which one of these falls down?",
    ),
    zh=(
        "如果把{a}拿走，下列哪个会掉下来？",
        "假设最后一帧之后移走{a}，哪一个会倒下或掉落？",
        "要是{a}突然消失，下列哪个物体会掉落？",
    ),
)


_REMOVAL = Wordings(
    en=(
        "If {a} were taken away, would {b} fall?",
        "Suppose {a} is removed after the last frame. Does {b} fall?",
        "Would {b} drop or topple if {a} were not there any more?",
        "Imagine that {a} vanishes: would {b} fall down?",
    ),
    zh=(
        "如果把{a}拿走，{b}会掉下来吗？",
        "假设最后一帧之后移走{a}，{b}会倒下或掉落吗？",
        "要是{a}突然消失，{b}会掉落吗？",
    ),
)


_SUPPORTS = Wordings(
    en=(
        "What holds {a} up in the last frame?",
        "On what is {a} resting at the end of the video?",
        "What is supporting {a} in the last frame?",
        "What carries the weight of {a} at the last frame shown?",
    ),
    zh=(
        "最后一帧中，是什么支撑着{a}？",
        "视频结束时，{a}放在什么上面？",
        "在最后一帧里，托住{a}的是什么？",
    ),
)


_ENDS_ON = Wordings(
    en=(
        "What will {a} be lying or standing on {t} after the last frame?",
        "{t} after the video ends, what does {a} rest on?",
        "On what does {a} end up {t} after the last frame?",
        "Where will {a} be resting {t} after the last frame?",
    ),
    zh=(
        "最后一帧之后{t}，{a}会停在什么上面？",
        "视频结束{t}后，{a}在什么上面？",
        "再过{t}，{a}最终会落在什么上面？",
    ),
)


def what_falls(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which thing falls if another is taken away: one that does among some that stay."""
    said = referable(truth)
    for removal in truth.removals:
        if removal.removed_id not in said:
            continue
        stay = [i for i in removal.stay_ids if i in said]
        for fallen in (i for i in removal.fallen_ids if i in said):
            near = _nearest_first(truth, fallen, stay)[:3]
            if len(near) < 1:
                continue
            yield made(
                truth,
                "physics.what_falls",
                _WHAT_FALLS.render(rng, a=said[removal.removed_id]),
                choice(rng, [said[i] for i in (fallen, *near)], 0),
                truth.object(fallen).category,
                (removal.removed_id, *sorted((fallen, *near))),
                group=f"{removal.removed_id}",
            )


def removal_falls(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether a thing falls if another is taken away."""
    said = referable(truth)
    for removal in truth.removals:
        if removal.removed_id not in said:
            continue
        fates = [(i, True) for i in removal.fallen_ids] + [(i, False) for i in removal.stay_ids]
        for object_id, fate in fates:
            if object_id not in said:
                continue
            yield made(
                truth,
                "physics.removal_falls",
                _REMOVAL.render(rng, a=said[removal.removed_id], b=said[object_id]),
                will(fate),
                "yes" if fate else "no",
                (removal.removed_id, object_id),
                group=f"{removal.removed_id},{object_id}",
            )


def _nearest_first(truth: SceneTruth, object_id: int, others: list[int]) -> list[int]:
    here = truth.object(object_id).world_from_object[-1, :3, 3]
    return sorted(
        others,
        key=lambda i: (gap_m(here, truth.object(i).world_from_object[-1], truth.object(i).size_m), i),
    )


def what_supports(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What a thing stands on in the last frame, among things nearby."""
    said, late = referable(truth), late_references(truth)
    for thing in truth.objects:
        below = thing.supported_by
        if below is None or thing.object_id not in late or thing.kind not in {"prop", "experiment", "plant"}:
            continue
        words = words_for(truth, below, said)
        if thing.motion == "scripted" or moves_in_sight(truth, thing.object_id):
            continue  # it does not rest
        if words is None or (below > 0 and truth.object(below).inside_of == thing.object_id):
            continue
        taken = {thing.object_id, below}
        near = [
            i
            for i in said
            if i not in taken and truth.object(i).category not in ROUND and _could_carry(truth, i, thing.object_id)
        ]
        others = _nearest_first(truth, thing.object_id, near)[:3]
        if below != GROUND:
            others = [GROUND, *others[:2]]
        options: list[Bilingual] = [words, *(w for i in others if (w := words_for(truth, i, said)) is not None)]
        if len(options) < 3:
            continue
        yield made(
            truth,
            "physics.what_supports",
            _SUPPORTS.render(rng, a=said[thing.object_id]),
            choice(rng, options, 0),
            key_of(truth, below),
            (thing.object_id, *sorted(i for i in (below, *others) if i > 0)),
            group=str(thing.object_id),
        )


def _could_carry(truth: SceneTruth, object_id: int, carried_id: int) -> bool:
    """Whether a thing is of a size to carry another: at most 1.3 m high, both its sides at least half the other's longest."""
    size, load = truth.object(object_id).size_m, truth.object(carried_id).size_m
    kind = truth.object(object_id).kind
    if kind not in {"furniture", "prop", "experiment"} or size[2] > 1.3:
        return False
    return float(size[:2].min()) >= 0.5 * float(load[:2].max())


def ends_on(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What a thing that moves, or is part of an experiment, rests on some time later."""
    span = foreseeable_span_s(truth)
    if span is None:
        return
    said, moving = referable(truth), {m.object_id for m in movers(truth)}
    for thing in truth.objects:
        if thing.motion != "dynamic" or thing.object_id not in said:
            continue
        if thing.object_id not in moving and (thing.kind != "experiment" or thing.supported_by in (None, GROUND)):
            continue
        below = settled(truth, lambda r, i=thing.object_id: _rests_on(truth, r, i, span))
        words = None if below is None else words_for(truth, below, said)
        if below is None or words is None:
            continue
        nearby = [i for i in said if i not in {thing.object_id, below} and _could_carry(truth, i, thing.object_id)]
        others = _nearest_first(truth, thing.object_id, nearby)
        if thing.supported_by in others:  # where it lies now is the first thing to doubt
            others.remove(thing.supported_by)
            others.insert(0, thing.supported_by)
        others = others[:3] if below == GROUND else [GROUND, *others[:2]]
        options: list[Bilingual] = [words, *(w for i in others if (w := words_for(truth, i, said)) is not None)]
        if len(options) < 3:
            continue
        yield made(
            truth,
            "physics.ends_on",
            _ENDS_ON.render(rng, a=said[thing.object_id], t=seconds(span)),
            choice(rng, options, 0),
            key_of(truth, below),
            (thing.object_id, *sorted(i for i in (below, *others) if i > 0)),
            group=str(thing.object_id),
        )


def _rests_on(truth: SceneTruth, rollout: Rollout, object_id: int, span: float) -> int | None:
    """What a thing at rest touches that is lower than it; None while it moves or touches more than one such thing."""
    when = last_shown_s(truth) + span
    if still_at(rollout, truth.index(object_id), when) is not True:
        return None
    height = centers(rollout, truth.index(object_id))[at(rollout, when), 2]
    below = [
        i
        for i in carriers(rollout, object_id, when)
        if i == GROUND or (i > 0 and centers(rollout, truth.index(i))[at(rollout, when), 2] < height)
    ]
    return below[0] if len(below) == 1 else None
