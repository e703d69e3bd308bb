"""Relations as the camera sees them: left and right, front and behind, nearer and farther, the ten classes, order along the path."""

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np

from video3d.data.questions.arrangement import outline
from video3d.data.questions.asking import MANY, ask, named_together
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.relation_classes import (
    OBSERVER_CLASSES,
    class_words,
    relation_states,
    support_chain,
    thinkable,
)
from video3d.data.questions.visibility import centers_camera, seen_mask
from video3d.data.questions.wording import Said, Wordings, at_most, choice, pick, shuffled, yes_no
from video3d.data.truth import SceneTruth

_FLAT = frozenset({"rug", "mat", "crossing"})
_LEFT, _RIGHT = Said("left", "左"), Said("right", "右")

_FURTHER = Wordings(
    en=(
        "{at}, from the camera's point of view, which is further to the {side}: {a} or {b}?",
        "Looking through the camera {at}, which one is further {side}, {a} or {b}?",
        "{at}, is it {a} or {b} that is further to the {side}, seen from the camera?",
        "From where the camera is {at}, which of the two is more to the {side}: {a} or {b}?",
    ),
    zh=(
        "{at}，从相机的视角看，{a}和{b}哪个更靠{side}？",
        "{at}，站在相机的位置看，更靠{side}边的是{a}还是{b}？",
        "从相机的角度看，{at}，{a}和{b}相比，哪一个更偏{side}？",
    ),
)
_SIDE = Wordings(
    en=(
        "{at}, from the camera's point of view, is {a} to the {side} of {b}?",
        "Seen from the camera {at}, is {a} {side} of {b}?",
        "Looking through the camera {at}, would you say that {a} is to the {side} of {b}?",
        "{at}, does {a} lie to the {side} of {b}, as the camera sees them?",
    ),
    zh=(
        "{at}，从相机的视角看，{a}在{b}的{side}边吗？",
        "从相机看去，{at}，{a}是不是在{b}的{side}侧？",
        "{at}，以相机的视角，{a}位于{b}的{side}边吗？",
    ),
)
_DEPTH = Wordings(
    en=(
        "{at}, from the camera's point of view, is {a} in front of {b} or behind it?",
        "Seen from the camera {at}, does {a} stand in front of {b} or behind it?",
        "Along the camera's line of sight {at}, is {a} in front of or behind {b}?",
        "{at}, is {a} between the camera and {b}, that is in front of it, or behind it?",
    ),
    zh=(
        "{at}，从相机的视角看，{a}在{b}的前面还是后面？",
        "从相机看去，{at}，{a}是在{b}前面还是后面？",
        "{at}，沿着相机的视线，{a}位于{b}的前方还是后方？",
    ),
)
_IN_FRONT = Wordings(
    en=(
        "{at}, from the camera's point of view, is {a} {side} {b}?",
        "Seen from the camera {at}, is {a} {side} {b}?",
        "As the camera looks {at}, is {a} {side} {b}?",
        "{at}, would someone at the camera say that {a} is {side} {b}?",
    ),
    zh=(
        "{at}，从相机的视角看，{a}在{b}的{side}吗？",
        "从相机看去，{at}，{a}是不是在{b}的{side}？",
        "{at}，站在相机的位置看，{a}位于{b}的{side}吗？",
    ),
)
_NEAREST = Wordings(
    en=(
        "{at}, which of these is {most} the camera: {list}?",
        "Which one is {most} the camera {at}: {list}?",
        "{at}, of {group}, which is {most} the camera?",
        "Compare {group}: {at}, which is {most} the camera?",
    ),
    zh=(
        "{at}，{list}当中，哪个离相机{most}？",
        "{at}，离相机{most}的是哪一个：{list}？",
        "比较{list}：{at}，哪一个离相机{most}？",
    ),
)
_CLASS = Wordings(
    en=(
        "{at}, from the camera's point of view, where is {a} relative to {b}?",
        "Seen from the camera {at}, how is {a} placed with respect to {b}?",
        "{at}, as the camera sees it, which of these describes where {a} is relative to {b}?",
        "Looking through the camera {at}, where is {a} with respect to {b}?",
    ),
    zh=(
        "{at}，从相机的视角看，{a}在{b}的什么位置？",
        "从相机看去，{at}，{a}相对于{b}在哪里？",
        "{at}，以相机的视角，下列哪一项说明了{a}相对于{b}的位置？",
    ),
)
_ORDER_TWO = Wordings(
    en=(
        "As the video plays, which comes into view {when}: {a} or {b}?",
        "Which do you get to see {when} in the video, {a} or {b}?",
        "Along the camera's path, which one appears {when}: {a} or {b}?",
        "Which of the two enters the picture {when}, {a} or {b}?",
    ),
    zh=(
        "随着视频播放，{a}和{b}哪个{when}进入画面？",
        "在视频中，{when}出现的是{a}还是{b}？",
        "沿着相机的路线，{a}和{b}哪一个{when}被看到？",
    ),
)
_ORDER_THREE = Wordings(
    en=(
        "In which order do {list} come into view?",
        "As the camera moves, in what order do {list} first appear?",
        "Put {list} in the order in which the video first shows them.",
        "Which order is right for when {list} first appear in the video?",
    ),
    zh=(
        "{list}是按什么顺序进入画面的？",
        "随着相机移动，{list}依次出现的顺序是什么？",
        "视频中{list}最先出现的先后顺序是哪一个？",
    ),
)


def listed(references: Iterable[Reference], *, last: str = "and") -> Said:
    """Several things in one phrase: "the cup, the book and the lamp" / "杯子、书和台灯"."""
    items = list(references)
    en = f"{', '.join(r.en for r in items[:-1])} {last} {items[-1].en}"
    return Said(en, f"{'、'.join(r.zh for r in items[:-1])}和{items[-1].zh}")


def _pairs(truth: SceneTruth, rng: np.random.Generator) -> list[tuple[Reference, Reference, int]]:
    """Pairs that one frame shows well, in random order, each named in random order."""
    found = shuffled(rng, list(named_together(truth, 2, keep=lambda r: r.category not in _FLAT)))
    return [(first, second, frame) for pair, frame in found for first, second in [shuffled(rng, pair)]]


def left_right(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which of two is further left (right), and whether one is left (right) of the other."""
    made = 0
    for a, b, at in _pairs(truth, rng):
        states = relation_states(truth, a.object_id, b.object_id, at)
        if states["left"] is not True and states["right"] is not True:
            continue
        for_left = bool(rng.integers(2))
        side = _LEFT if for_left else _RIGHT
        first = states["left" if for_left else "right"] is True
        answer = choice(rng, (a, b), 0 if first else 1)
        options = {"about": (a, b), "at": at, "frame": "observer"}
        key = "first" if first else "second"
        yield ask(truth, rng, "relation.left_right", _FURTHER, answer, key, a=a, b=b, side=side, **options)
        answer, key = yes_no(first), "yes" if first else "no"
        yield ask(truth, rng, "relation.left_right", _SIDE, answer, key, a=a, b=b, side=side, **options)
        made += 1
        if made >= MANY:
            return


def front_behind(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether one is in front of the other or behind it, along the camera's line of sight."""
    words = {"front": Said("in front of", "前面"), "behind": Said("behind", "后面")}
    options = (Said("in front", "前面"), Said("behind", "后面"))
    made = 0
    for a, b, at in _pairs(truth, rng):
        states = relation_states(truth, a.object_id, b.object_id, at)
        if states["front"] is not True and states["behind"] is not True:
            continue
        where = "front" if states["front"] is True else "behind"
        settings = {"about": (a, b), "at": at, "frame": "observer", "a": a, "b": b}
        answer = choice(rng, options, 0 if where == "front" else 1)
        yield ask(truth, rng, "relation.front_behind", _DEPTH, answer, where, **settings)
        asked = pick(rng, ("front", "behind"))
        answer, key = yes_no(asked == where), "yes" if asked == where else "no"
        yield ask(truth, rng, "relation.front_behind", _IN_FRONT, answer, key, side=words[asked], **settings)
        made += 1
        if made >= MANY:
            return


def nearer_farther(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which of two or three is nearest to the camera (or farthest from it) at a frame.

    The winner's depths and the next one's do not overlap, and their centres' distances differ by 15 % and 0.3 m or more.
    """
    for count in (2, 3):
        groups = at_most(rng, list(named_together(truth, count, keep=lambda r: r.category not in _FLAT)), 4 * MANY)
        made = 0
        for group, at in groups:
            things = shuffled(rng, group)
            farthest = bool(rng.integers(2))
            winner = _extreme(truth, things, at, farthest)
            if winner is None or made >= MANY // 2:
                continue
            most = _most(count, farthest)
            answer, key = choice(rng, things, winner), ("first", "second", "third")[winner]
            yield ask(
                truth,
                rng,
                "relation.nearer_farther",
                _NEAREST,
                answer,
                key,
                about=things,
                at=at,
                frame="observer",
                list=listed(things, last="or"),
                group=listed(things),
                most=most,
            )
            made += 1


def _most(count: int, farthest: bool) -> Said:
    if count == 2:
        return Said("farther from", "更远") if farthest else Said("nearer to", "更近")
    return Said("farthest from", "最远") if farthest else Said("nearest to", "最近")


def _extreme(truth: SceneTruth, things: list[Reference], at: int, farthest: bool) -> int | None:
    """Which is nearest (or farthest), or None where two are too close to call."""
    spans = [outline(truth, r.object_id, at) for r in things]
    ranges = np.array([np.linalg.norm(centers_camera(truth, r.object_id)[at]) for r in things])
    if any(span is None for span in spans):
        return None
    order = np.argsort(-ranges if farthest else ranges)
    best, other = int(order[0]), int(order[1])
    near, far = sorted((float(ranges[best]), float(ranges[other])))
    if far - near < max(0.3, 0.15 * near):
        return None
    for rest in order[1:]:
        close, away = (spans[int(rest)], spans[best]) if farthest else (spans[best], spans[int(rest)])
        if close is None or away is None or close.far_m >= away.near_m:
            return None
    return best


def relation_class(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which of four of the ten classes holds, of which one is true and three are clearly false.

    The four are drawn from what is thinkable of the two things before it is asked which of them is true, so that what is offered
    tells nothing. Pairs of which the rarer classes (on, inside, above, below) can be thought come first: these are then offered
    with every other class as the answer, and not only where they are right.
    """
    words = class_words(truth)
    ways = [pair for first, second, at in _pairs(truth, rng) for pair in ((first, second, at), (second, first, at))]
    options = {(a.object_id, b.object_id): thinkable(truth, a.object_id, b.object_id) for a, b, _ in ways}
    ways.sort(key=lambda way: -sum(name in _RARE for name in options[way[0].object_id, way[1].object_id]))
    made: dict[str, int] = {}
    for a, b, at in ways:
        likely = options[a.object_id, b.object_id]
        states = _clear_states(truth, a, b, at)
        for _ in range(_DRAWS):
            offered = _offered(rng, likely)
            true = [name for name in offered if states[name] is True]
            if len(true) != 1 or any(states[name] is None for name in offered) or made.get(true[0], 0) >= 3:
                continue
            made[true[0]] = made.get(true[0], 0) + 1
            yield ask(
                truth,
                rng,
                "relation.class",
                _CLASS,
                choice(rng, [words[name] for name in offered], offered.index(true[0])),
                true[0],
                about=(a, b),
                at=at,
                frame="observer",
                a=a,
                b=b,
            )
            break


_RARE = frozenset({"on", "inside", "above", "below"})
_OPPOSITES = (("left", "right"), ("front", "behind"), ("near", "far"))
_DRAWS = 6


def _offered(rng: np.random.Generator, likely: Sequence[str]) -> list[str]:
    """Four classes that can be thought of two things: the rarer ones, if any, and sides; else two pairs of opposites.

    What is on or in a thing, above or below it, may also be near it, and what is on it is above it: these are not offered
    together, or the one would say that the other is wrong.
    """
    rare = [name for name in likely if name in _RARE and not (name == "above" and "on" in likely)]
    if not rare:
        return [name for number in rng.permutation(3)[:2] for name in _OPPOSITES[int(number)]]
    rare = at_most(rng, rare, 3)
    sides = [name for number in rng.permutation(2) for name in shuffled(rng, _OPPOSITES[int(number)])]
    return [*rare, *sides[: 4 - len(rare)]]


def _clear_states(truth: SceneTruth, a: Reference, b: Reference, at: int) -> dict[str, bool | None]:
    """The classes of a pair, as one answers who has to choose: what is on or in a thing is not beside it."""
    states = dict(relation_states(truth, a.object_id, b.object_id, at))
    if b.object_id in support_chain(truth, a.object_id):
        states["above"] = None
    if a.object_id in support_chain(truth, b.object_id):
        states["below"] = None
    if states["inside"] is True and states["on"] is None:
        states["on"] = False  # offered both, nobody takes "on"
    if states["inside"] is True or states["on"] is True:
        states |= {name: False for name in OBSERVER_CLASSES if states[name] is None}
    elif states["above"] is True or states["below"] is True:
        states |= {name: False for name in ("left", "right") if states[name] is None}
    return states


def order_along_path(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """In which order two or three things come into view.

    One comes before another if it is seen well two frames or more before any pixel of the other is visible.
    """
    named = list(referable(truth).values())
    first_well = {r.object_id: int(np.argmax(seen_mask(truth, r.object_id))) for r in named}
    first_any = {r.object_id: int(np.argmax(truth.visible_px[:, truth.index(r.object_id)] > 0)) for r in named}

    def before(a: Reference, b: Reference) -> bool:
        return first_any[b.object_id] - first_well[a.object_id] >= 2

    pairs = [(a, b) for a in named for b in named if before(a, b)]
    for early, late in at_most(rng, pairs, MANY):
        a, b = shuffled(rng, (early, late))
        asked_first = bool(rng.integers(2))
        right = a is (early if asked_first else late)
        when = Said("first", "先") if asked_first else Said("later", "后")
        answer = choice(rng, (a, b), 0 if right else 1)
        key = "first" if right else "second"
        yield ask(truth, rng, "relation.order_along_path", _ORDER_TWO, answer, key, about=(a, b), a=a, b=b, when=when)
    triples = [(a, b, c) for a, b in pairs for c in named if before(b, c)]
    for triple in at_most(rng, triples, MANY // 2):
        named_in = shuffled(rng, triple)
        wrong = [order for order in permutations(triple) if order != triple]
        offered = [triple, *at_most(rng, wrong, 3)]
        said = [Said(", ".join(r.en for r in order), "、".join(r.zh for r in order)) for order in offered]
        key = "".join(str(named_in.index(r) + 1) for r in triple)
        answer = choice(rng, said, 0)
        yield ask(
            truth, rng, "relation.order_along_path", _ORDER_THREE, answer, key, about=named_in, list=listed(named_in)
        )
