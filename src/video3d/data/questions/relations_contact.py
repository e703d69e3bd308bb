"""Relations of height and support: above and below, on, inside. What is called what is in ``relation_classes``.

What stands on what is the truth's at the last frame shown, so the objects must be seen there or stay where they were seen.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from video3d.data.questions.arrangement import box_at, floor_gap_m, is_still, z_interval
from video3d.data.questions.asking import MANY, ask, named_together
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.relation_classes import (
    CONTAINERS,
    OFTEN_FULL,
    SURFACES,
    could_fit,
    relation_states,
    support_chain,
)
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Said, Wordings, at_most, choice, pick, shuffled, yes_no
from video3d.data.truth import GROUND, SceneTruth

_SMALL = frozenset({"prop", "experiment"})
_FLAT = frozenset({"rug", "mat", "crossing"})
_FLOOR = Said("the floor", "地板")

_HIGHER = Wordings(
    en=(
        "{at}, which is {height} above the floor: {a} or {b}?",
        "Which of the two is {height} up {at}, {a} or {b}?",
        "{at}, is it {a} or {b} that is {height} up?",
        "Compare the heights of {a} and {b} {at}: which one is {height}?",
    ),
    zh=(
        "{at}，{a}和{b}哪个的位置{height}？",
        "{at}，位置{height}的是{a}还是{b}？",
        "比较{a}和{b}离地面的高度，{at}，哪一个{height}？",
    ),
)
_ABOVE = Wordings(
    en=(
        "{at}, is {a} directly {side} {b}?",
        "Is {a} {at} right {side} {b}?",
        "{at}, can {a} be found directly {side} {b}?",
        "Would you say that {a} is directly {side} {b} {at}?",
    ),
    zh=(
        "{at}，{a}在{b}的正{side}吗？",
        "{at}，{a}是不是就在{b}的{side}？",
        "{at}，{b}的正{side}是{a}吗？",
    ),
)
_ON = Wordings(
    en=(
        "At the end of the video, is {a} on {b}?",
        "Is {a} resting on {b} at the end of the video?",
        "When the video ends, does {a} stand or lie on {b}?",
        "Look at the end of the video: is {b} what {a} rests on?",
    ),
    zh=(
        "视频结束时，{a}在{b}上面吗？",
        "视频结束时，{a}是放在{b}上的吗？",
        "在视频的最后，{a}是不是在{b}上？",
    ),
)
_ON_WHAT = Wordings(
    en=(
        "What is {a} resting on at the end of the video?",
        "At the end of the video, on what does {a} stand or lie?",
        "Which of these carries {a} when the video ends?",
        "When the video ends, what is directly under {a} and holds it up?",
    ),
    zh=(
        "视频结束时，{a}放在什么上面？",
        "视频结束时，{a}在哪个东西上？",
        "在视频的最后，是什么托着{a}？",
    ),
)
_WHICH_ON = Wordings(
    en=(
        "Which of these is on {b} at the end of the video?",
        "At the end of the video, which one stands or lies on {b}?",
        "When the video ends, which of these rests on {b}?",
        "Which of the following does {b} carry at the end of the video?",
    ),
    zh=(
        "视频结束时，下列哪一个在{b}上？",
        "视频结束时，哪个东西放在{b}上面？",
        "在视频的最后，{b}上放着哪一个？",
    ),
)
_IN = Wordings(
    en=(
        "At the end of the video, is {a} inside {b}?",
        "Is {a} in {b} when the video ends?",
        "When the video ends, does {b} contain {a}?",
        "Would you find {a} inside {b} at the end of the video?",
    ),
    zh=(
        "视频结束时，{a}在{b}里面吗？",
        "视频结束时，{b}里装着{a}吗？",
        "在视频的最后，{a}是不是在{b}里？",
    ),
)
_WHICH_IN = Wordings(
    en=(
        "Which of these is inside {b} at the end of the video?",
        "At the end of the video, what does {b} contain?",
        "When the video ends, which one is in {b}?",
        "Which of the following would you find inside {b} at the end of the video?",
    ),
    zh=(
        "视频结束时，下列哪一个在{b}里面？",
        "视频结束时，{b}里装着什么？",
        "在视频的最后，哪个东西在{b}里？",
    ),
)


def settled(truth: SceneTruth) -> list[Reference]:
    """Objects that can be named and whose place at the end is shown: seen well in the last frame, or still throughout."""
    return [
        reference
        for object_id, reference in referable(truth).items()
        if bool(seen_mask(truth, object_id)[-1]) or is_still(truth, object_id)
    ]


def above_below(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which of two is higher up; whether one is directly above (below) the other.

    Higher: its lowest point is 0.2 m or more above the other's highest. The false form of "directly above" names a thing that
    is higher but 0.5 m or more aside.
    """
    words = {"above": Said("above", "上方"), "below": Said("below", "下方")}
    pairs = shuffled(rng, list(named_together(truth, 2, keep=lambda r: r.category not in _FLAT)))
    carried = {o.object_id: support_chain(truth, o.object_id) for o in truth.objects}
    higher, true, false = 0, [], []
    for pair, at in pairs:
        a, b = shuffled(rng, pair)
        boxes = [box_at(truth, r.object_id, at) for r in (a, b)]
        if boxes[0] is None or boxes[1] is None:
            continue
        spans = [z_interval(box) for box in boxes if box is not None]
        apart = max(spans[0][0] - spans[1][1], spans[1][0] - spans[0][1])
        if apart > 0.2 and higher < MANY // 2:
            up = bool(rng.integers(2))
            first = (spans[0][0] > spans[1][1]) == up
            height = Said("higher", "更高") if up else Said("lower", "更低")
            answer, key = choice(rng, (a, b), 0 if first else 1), "first" if first else "second"
            settings = {"about": (a, b), "at": at, "frame": "world", "a": a, "b": b, "height": height}
            yield ask(truth, rng, "relation.above_below", _HIGHER, answer, key, **settings)
            higher += 1
        states = relation_states(truth, a.object_id, b.object_id, at)
        for side in words:
            # What stands on a thing is asked about as "on".
            if (
                states[side] is True
                and b.object_id not in carried[a.object_id]
                and a.object_id not in carried[b.object_id]
            ):
                true.append((a, b, at, side))
        # The false form: the one is higher all right, but far to the side.
        aside = boxes[0] is not None and boxes[1] is not None and floor_gap_m(boxes[0], boxes[1]) > 0.5
        if aside and apart > 0.2:
            false.append((a, b, at, "above" if spans[0][0] > spans[1][0] else "below"))
    for facts, value in ((true, True), (false, False)):
        for a, b, at, side in at_most(rng, facts, MANY // 2):
            settings = {"about": (a, b), "at": at, "frame": "world", "a": a, "b": b, "side": words[side]}
            yield ask(truth, rng, "relation.above_below", _ABOVE, yes_no(value), "yes" if value else "no", **settings)


def on(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether A rests on B, on what it rests, and which of several rests on B."""
    named = settled(truth)
    small = [r for r in named if truth.object(r.object_id).kind in _SMALL]
    carriers = {o.supported_by for o in truth.objects}
    bases = [r for r in named if r.category in SURFACES or r.object_id in carriers]
    for a in at_most(rng, small, MANY):
        support = truth.object(a.object_id).supported_by
        true = [b for b in bases if support == b.object_id and _state(truth, a, b, "on") is True]
        false = [b for b in bases if b is not a and _fits(truth, a, b) and _state(truth, a, b, "on") is False]
        on_floor = support == GROUND and not _on_flat(truth, a)
        if true:
            yield _told(truth, rng, "relation.on", _ON, a, true[0], value=True)
        if false:
            yield _told(truth, rng, "relation.on", _ON, a, pick(rng, false), value=False)
        if (true or on_floor) and len(false) + (not on_floor) >= 2:
            wrong: list[Reference | Said] = [*false]
            if not on_floor and truth.room is not None:
                wrong.append(_FLOOR)
            offered: list[Reference | Said] = [true[0] if true else _FLOOR, *at_most(rng, wrong, 3)]
            if len(offered) >= 3:
                key = true[0].category if true else "floor"
                about = (a, *true)
                yield ask(truth, rng, "relation.on", _ON_WHAT, choice(rng, offered, 0), key, about=about, a=a)
    yield from _which(truth, rng, "relation.on", _WHICH_ON, "on", bases, small)


def inside(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether A is inside B, and which of several is.

    "No" is asked as often as "yes", of things that would go into the same container; in a clip without a "yes" once, of something
    that holds things and a thing that would go in. So neither the container nor the thing tells the answer.
    """
    named = settled(truth)
    small = [r for r in named if truth.object(r.object_id).kind in _SMALL]
    holders = {o.inside_of for o in truth.objects}
    containers = [r for r in named if r.category in CONTAINERS]
    true, false = [], []
    for b in shuffled(rng, sorted(containers, key=lambda r: r.object_id not in holders)):
        for a in shuffled(rng, [a for a in small if a is not b and _goes_in(truth, a, b)]):
            state = _state(truth, a, b, "inside")
            true += [(a, b)] if state is True else []
            false += [(a, b)] if state is False else []
    held = {b.object_id for _, b in true}
    false.sort(key=lambda pair: (pair[1].object_id not in held, pair[1].category not in OFTEN_FULL))
    for value, pairs in ((True, true[:MANY]), (False, false[: max(1, len(true[:MANY]))])):
        for a, b in pairs:
            yield _told(truth, rng, "relation.inside", _IN, a, b, value=value)
    yield from _which(truth, rng, "relation.inside", _WHICH_IN, "inside", containers, small)


def _goes_in(truth: SceneTruth, a: Reference, b: Reference) -> bool:
    """Whether A could be in B, as far as its size tells, and does not carry it; what is in it could."""
    thing, holder = truth.object(a.object_id), truth.object(b.object_id)
    fits = could_fit(thing, holder) and a.object_id not in support_chain(truth, b.object_id)
    return fits or thing.inside_of == b.object_id


def _told(
    truth: SceneTruth,
    rng: np.random.Generator,
    subtype: str,
    ways: Wordings,
    a: Reference,
    b: Reference,
    *,
    value: bool,
) -> Candidate:
    answer = yes_no(value, ("在", "不在") if subtype == "relation.inside" else ("是", "不是"))
    return ask(truth, rng, subtype, ways, answer, "yes" if value else "no", about=(a, b), a=a, b=b)


def _which(
    truth: SceneTruth,
    rng: np.random.Generator,
    subtype: str,
    ways: Wordings,
    name: str,
    bases: Sequence[Reference],
    small: Sequence[Reference],
) -> Iterable[Candidate]:
    """Which of three or four small things is on (inside) a thing: exactly one is, the others clearly not."""
    for b in at_most(rng, bases, MANY // 2):
        fits = _goes_in if name == "inside" else _fits
        states = {a.object_id: _state(truth, a, b, name) for a in small if a.object_id != b.object_id}
        true = [a for a in small if states.get(a.object_id) is True]
        false = [a for a in small if states.get(a.object_id) is False and fits(truth, a, b)]
        if not true or len(false) < 2:
            continue
        right = pick(rng, true)
        offered = [right, *at_most(rng, false, 3)]
        answer = choice(rng, offered, 0)
        yield ask(truth, rng, subtype, ways, answer, right.category, about=(b, right), b=b)


def _state(truth: SceneTruth, a: Reference, b: Reference, name: str) -> bool | None:
    return relation_states(truth, a.object_id, b.object_id, truth.num_frames - 1)[name]


def _fits(truth: SceneTruth, a: Reference, b: Reference) -> bool:
    """Whether A is small enough to be on B at all: else the answer would be known without looking."""
    first, second = (np.sort(truth.object(r.object_id).size_m) for r in (a, b))
    chain = support_chain(truth, b.object_id)
    return bool(first[2] <= second[2]) and a.object_id not in chain


def _on_flat(truth: SceneTruth, a: Reference) -> bool:
    """Whether there may be a rug between the object and the floor."""
    return any(o.category in _FLAT for o in truth.objects)
