"""Relations that need no frame of reference: near and far, nearest to, between."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np

from video3d.data.questions.arrangement import (
    floor_gap_m,
    footprint,
    gap_m,
    is_still,
    z_interval,
)
from video3d.data.questions.asking import MANY, ask
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.relation_classes import NEAR_FAR_M
from video3d.data.questions.relation_classes import near_far as near_far_states
from video3d.data.questions.relations_observer import listed
from video3d.data.questions.wording import Said, Wordings, at_most, choice, pick, shuffled, yes_no
from video3d.data.truth import SceneTruth
from video3d.types import Box3D

FLAT = frozenset({"rug", "mat", "crossing"})
"""Things that lie flat: neither in the way nor beside anything."""
_NO_STAND = frozenset(
    {"picture", "ceiling lamp", "ceiling fan", "wall lamp", "clock", "mirror", "wall cabinet", "curtain"}
)

_NEAR_FAR = Wordings(
    en=(
        "Is {a} near {b} (within {near} m between their nearest points) or far from it (more than {far} m)?",
        "Would you call {a} and {b} near each other (less than {near} m between them) or far apart (more than {far} m)?",
        "How far is {a} from {b}: near (within {near} m) or far (beyond {far} m)?",
        "Are {a} and {b} near each other or far apart, if near is under {near} m and far over {far} m?",
    ),
    zh=(
        "{a}离{b}近还是远（最近点之间{near}米以内算近，{far}米以上算远）？",
        "{a}和{b}之间的距离是近（小于{near}米）还是远（大于{far}米）？",
        "如果{near}米以内算近，{far}米以上算远，{a}和{b}相距是近还是远？",
    ),
)
_IS_NEAR = Wordings(
    en=(
        "Is {a} within {limit} m of {b}?",
        "Are {a} and {b} less than {limit} m apart?",
        "Is the gap between {a} and {b} smaller than {limit} m?",
        "Could you say that {a} lies no more than {limit} m from {b}?",
    ),
    zh=(
        "{a}离{b}不到{limit}米吗？",
        "{a}和{b}之间的距离小于{limit}米吗？",
        "{a}是不是在{b}的{limit}米以内？",
    ),
)
_NEAREST_TO = Wordings(
    en=(
        "Which of these is {most} {a}: {list}?",
        "Of {group}, which one is {most} {a}?",
        "Which stands {most} {a}: {list}?",
        "Measured between their nearest points, which is {most} {a}: {list}?",
    ),
    zh=(
        "{list}当中，哪个离{a}{most}？",
        "离{a}{most}的是哪一个：{list}？",
        "按最近点之间的距离，{list}里哪一个离{a}{most}？",
    ),
)
_BETWEEN = Wordings(
    en=(
        "Is {c} between {a} and {b}?",
        "Does {c} stand between {a} and {b}?",
        "Going straight from {a} to {b}, would you meet {c} on the way?",
        "Is {c} what lies between {a} and {b}?",
    ),
    zh=(
        "{c}在{a}和{b}之间吗？",
        "从{a}到{b}的直线上会经过{c}吗？",
        "{c}是不是位于{a}与{b}中间？",
    ),
)
_WHAT_BETWEEN = Wordings(
    en=(
        "Which of these is between {a} and {b}?",
        "Which of these stands between {a} and {b}?",
        "Going straight from {a} to {b}, which of these do you meet on the way?",
        "Which one lies between {a} and {b}?",
    ),
    zh=(
        "{a}和{b}之间是哪一个？",
        "下列哪一个在{a}和{b}之间？",
        "从{a}沿直线走到{b}，途中会经过哪一个？",
    ),
)


def still_named(truth: SceneTruth, *, skip: frozenset[str] = FLAT) -> list[Reference]:
    """Objects that can be named and stay where they are, so that a fact needs no frame."""
    return [r for i, r in referable(truth).items() if r.category not in skip and is_still(truth, i)]


def _boxes(truth: SceneTruth, named: Iterable[Reference]) -> dict[int, Box3D]:
    return {r.object_id: truth.object(r.object_id).box() for r in named}


def near_far(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether two things are near each other or far apart, by the limits that the question states."""
    named = still_named(truth)
    boxes = _boxes(truth, named)
    near_m, far_m = NEAR_FAR_M[truth.domain]
    words = (Said("near", "近"), Said("far", "远"))
    made = {"near": 0, "far": 0}
    for pair in shuffled(rng, list(combinations(named, 2))):
        a, b = shuffled(rng, pair)
        distance_m = gap_m(boxes[a.object_id], boxes[b.object_id])
        near, far = near_far_states(truth, distance_m)
        if near is not True and far is not True:
            continue
        key = "near" if near else "far"
        # What touches is near without a look.
        if made[key] >= MANY // 2 or distance_m == 0:
            continue
        made[key] += 1
        answer = choice(rng, words, 0 if near else 1)
        yield ask(
            truth,
            rng,
            "relation.near_far",
            _NEAR_FAR,
            answer,
            key,
            about=(a, b),
            a=a,
            b=b,
            near=f"{near_m:.0f}",
            far=f"{far_m:.0f}",
        )
        limit = pick(rng, _limits(distance_m, within=bool(rng.integers(2))) or [""])
        if limit:
            within = distance_m < float(limit)
            answer, key = yes_no(within), "yes" if within else "no"
            yield ask(truth, rng, "relation.near_far", _IS_NEAR, answer, key, about=(a, b), a=a, b=b, limit=limit)


def _limits(distance_m: float, *, within: bool) -> list[str]:
    """Round distances that are clearly more (less) than a distance: by 25 % and 0.25 m, and by at most a factor of three."""
    rounds = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 40.0]
    margin = max(0.25, 0.25 * distance_m)
    if within:
        fitting = [r for r in rounds if distance_m + margin < r < 3 * distance_m + 1]
    else:
        fitting = [r for r in rounds if distance_m / 3 - 0.5 < r < distance_m - margin]
    return [f"{r:g}" for r in fitting]


def nearest_to(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which of two or three is nearest to A (or farthest from it), by the gap between boxes.

    The winner's gap differs from the next by 0.3 m and 25 % or more; nothing that A carries or stands on is offered.
    """
    named = still_named(truth)
    boxes = _boxes(truth, named)
    made = 0
    for a in shuffled(rng, named * 2):
        others = [b for b in named if b is not a and gap_m(boxes[a.object_id], boxes[b.object_id]) > 0.02]
        offered = at_most(rng, others, int(rng.integers(2, 4)))
        if len(offered) < 2 or made >= MANY:
            continue
        farthest = bool(rng.integers(2))
        gaps = np.array([gap_m(boxes[a.object_id], boxes[b.object_id]) for b in offered])
        order = np.argsort(-gaps if farthest else gaps)
        near, far = sorted((float(gaps[order[0]]), float(gaps[order[1]])))
        if far - near < max(0.3, 0.25 * near):
            continue
        winner, two = int(order[0]), len(offered) == 2
        if farthest:
            most = Said("farther from", "更远") if two else Said("farthest from", "最远")
        else:
            most = Said("nearer to", "更近") if two else Said("nearest to", "最近")
        either, group = listed(offered, last="or"), listed(offered)
        answer, key = choice(rng, offered, winner), ("first", "second", "third")[winner]
        yield ask(
            truth,
            rng,
            "relation.nearest_to",
            _NEAREST_TO,
            answer,
            key,
            about=(a, *offered),
            a=a,
            most=most,
            list=either,
            group=group,
        )
        made += 1


def _between(a: Box3D, b: Box3D, c: Box3D) -> bool | None:
    """Whether C is between A and B: the straight way on the floor between the gaps of A and B goes through C's middle.

    True if the way from A's centre to B's passes C's centre within 0.35 of C's width and C is clear of both; false if C's centre is
    off the way by more than 0.6 m and half of C's width, or beyond an end; else None.
    """
    start, end, at = (box.center_world[:2] for box in (a, b, c))
    along = end - start
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return None
    share = float((at - start) @ along) / length**2
    off = abs(float(along[0] * (at - start)[1] - along[1] * (at - start)[0])) / length
    corners = footprint(c)
    width = float(np.ptp(corners @ (np.array([-along[1], along[0]]) / length)))
    clear = floor_gap_m(a, c) > 0.1 and floor_gap_m(b, c) > 0.1
    low, high = z_interval(c)
    heights = [z_interval(a), z_interval(b)]
    same_height = all(low < top and bottom < high for bottom, top in heights)
    if clear and same_height and 0.15 < share < 0.85 and off < max(0.35 * width, 0.12):
        return True
    off_way = off > 0.6 + width / 2 + 0.1 * length
    beyond = share < -0.15 or share > 1.15
    return False if off_way or beyond else None


def between(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """What is between A and B, and whether C is."""
    named = still_named(truth)
    boxes = _boxes(truth, named)
    true: list[tuple[Reference, Reference, Reference]] = []
    false: list[tuple[Reference, Reference, Reference]] = []
    asked = 0
    for a, b in shuffled(rng, list(combinations(named, 2))):
        if floor_gap_m(boxes[a.object_id], boxes[b.object_id]) < 0.5:
            continue
        states = {
            c.object_id: _between(boxes[a.object_id], boxes[b.object_id], boxes[c.object_id])
            for c in named
            if c is not a and c is not b
        }
        inside = [c for c in named if states.get(c.object_id) is True]
        outside = [c for c in named if states.get(c.object_id) is False]
        true += [(a, b, c) for c in inside]
        false += [(a, b, c) for c in outside]
        if len(inside) == 1 and len(outside) >= 2 and asked < MANY // 2:
            asked += 1
            first, second = shuffled(rng, (a, b))
            answer = choice(rng, [inside[0], *at_most(rng, outside, 3)], 0)
            about = (first, second, inside[0])
            yield ask(
                truth,
                rng,
                "relation.between",
                _WHAT_BETWEEN,
                answer,
                inside[0].category,
                about=about,
                a=first,
                b=second,
            )
    for facts, value in ((true, True), (false, False)):
        for one, two, c in at_most(rng, facts, MANY // 2):
            a, b = shuffled(rng, (one, two))
            answer, key = yes_no(value), "yes" if value else "no"
            yield ask(truth, rng, "relation.between", _BETWEEN, answer, key, about=(a, b, c), a=a, b=b, c=c)
