"""Relations in a frame that is not the camera's: from a standing point, by an object's own front, and which way things face."""

from collections.abc import Iterable
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.arrangement import floor_gap_m, heading_deg, shared_footprint, turn_deg
from video3d.data.questions.asking import MANY, ask, named_together
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.relations_world import FLAT, still_named
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Said, Wordings, at_most, choice, shuffled
from video3d.data.truth import GROUND, SceneTruth
from video3d.types import Box3D

_NO_STAND = frozenset(
    {"picture", "ceiling lamp", "ceiling fan", "wall lamp", "clock", "mirror", "wall cabinet", "curtain"}
)

_STANDING = Wordings(
    en=(
        "Standing at {a} and facing {b}, is {c} to your left, to your right or behind you?",
        "If you stand at {a} and look towards {b}, where is {c}: left, right or behind?",
        "Imagine that you are at {a}, facing {b}. On which side of you is {c}: left, right or behind?",
        "You stand at {a} with {b} straight ahead of you. Where would you find {c}?",
    ),
    zh=(
        "站在{a}旁边、面朝{b}，{c}在你的左边、右边还是后面？",
        "如果你站在{a}的位置看向{b}，{c}在哪一边：左、右还是后？",
        "假设你在{a}处，正对着{b}，{c}在你的什么方向？",
    ),
)
_OWN_FRONT = Wordings(
    en=(
        "Taking the front of {a} as forward, is {b} in front of it, behind it, to its left or to its right?",
        "From {a}'s own point of view (facing where its front faces), where is {b}?",
        "Seen from {a} itself, looking the way its front points, on which side is {b}?",
        "Where is {b} with respect to the front of {a}: ahead of it, behind it, on its own left or its own right?",
    ),
    zh=(
        "以{a}的正面为前方，{b}在它的前面、后面、左边还是右边？",
        "从{a}自身的朝向来看，{b}在它的哪一边？",
        "顺着{a}正面所朝的方向看，{b}在它的什么位置？",
    ),
)
_TO_CAMERA = Wordings(
    en=(
        "{at}, is the front of {a} turned towards the camera or away from it?",
        "Does {a} show its front or its back to the camera {at}?",
        "{at}, which way does {a} face: towards the camera or away from it?",
        "Is {a} facing the camera or facing away from it {at}?",
    ),
    zh=(
        "{at}，{a}是正面朝向相机还是背对相机？",
        "{at}，{a}朝着相机还是背着相机？",
        "相机看到的是{a}的正面还是背面（{at}）？",
    ),
)
_HEADINGS = Wordings(
    en=(
        "{at}, do {a} and {b} face the same way or opposite ways?",
        "Are {a} and {b} {at} pointing in the same direction or in opposite directions?",
        "{at}, compare which way {a} and {b} face: the same direction or opposite directions?",
        "Do the fronts of {a} and {b} point the same way or opposite ways {at}?",
    ),
    zh=(
        "{at}，{a}和{b}朝向相同还是相反？",
        "{at}，{a}与{b}的正面朝着同一个方向还是相反的方向？",
        "比较{a}和{b}的朝向，{at}，是同向还是反向？",
    ),
)


def standing_point(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Standing at A and facing B: is C to the left, to the right or behind?

    From A's middle, left is 25 to 110 degrees from the way to B and behind more than 160; from every side of A where one may stand
    the answer must be the same, by 5 degrees. All three are more than 0.6 m apart.
    """
    named = still_named(truth, skip=FLAT | _NO_STAND)
    words = {
        "left": Said("to your left", "左边"),
        "right": Said("to your right", "右边"),
        "behind": Said("behind you", "后面"),
    }
    stands = [r for r in named if truth.object(r.object_id).supported_by == GROUND]
    made = dict.fromkeys(words, 0)
    triples = [(a, b, c) for a in stands for b, c in permutations(named, 2) if a is not b and a is not c]
    for a, b, c in at_most(rng, triples, 30 * MANY):
        boxes = [truth.object(r.object_id).box() for r in (a, b, c)]
        apart = min(float(np.linalg.norm(p.center_world[:2] - q.center_world[:2])) for p, q in combinations(boxes, 2))
        if apart <= 0.6 or min(floor_gap_m(boxes[0], other) for other in boxes[1:]) < 0.2:
            continue
        places = _places_at(boxes[0])
        side = _side_from(places[0], boxes[1], boxes[2], 25.0)
        sides = {side, *(_side_from(place, boxes[1], boxes[2], 5.0) for place in places[1:])}
        if len(sides) != 1 or side is None or made[side] >= MANY // 3 + 1:
            continue
        made[side] += 1
        answer = choice(rng, list(words.values()), list(words).index(side))
        yield ask(
            truth,
            rng,
            "relation.standing_point",
            _STANDING,
            answer,
            side,
            about=(a, b, c),
            frame="object",
            a=a,
            b=b,
            c=c,
        )


def _places_at(box: Box3D) -> list[Float64[np.ndarray, "2"]]:
    """Where "at A" may be: its middle and the middles of its sides, a step (0.3 m) out."""
    middle = box.center_world[:2]
    places = [middle]
    for axis in (0, 1):
        arm = box.world_from_box[:2, axis]
        for sign in (-1.0, 1.0):
            places.append(middle + sign * arm * (box.size_m[axis] / 2 + 0.3))
    return places


def _side_from(place: Float64[np.ndarray, "2"], ahead: Box3D, seen: Box3D, margin_deg: float) -> str | None:
    """Left and right reach from straight ahead to 135 degrees, behind is the rest; None within the margin of a border."""
    turn = turn_deg(heading_deg(ahead.center_world[:2] - place), heading_deg(seen.center_world[:2] - place))
    if margin_deg < abs(turn) < 135 - margin_deg:
        return "left" if turn > 0 else "right"
    return "behind" if abs(turn) > 135 + margin_deg else None


def object_frame(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Where B is by A's own front (-y of its box): within 20 degrees of ahead, left, behind or right, and clear of A."""
    named = still_named(truth)
    owners = [r for r in named if truth.object(r.object_id).has_front and _shows_front(truth, r.object_id)]
    words = {
        "ahead": Said("in front of it", "在它的前面"),
        "left": Said("to its own left", "在它的左边"),
        "behind": Said("behind it", "在它的后面"),
        "right": Said("to its own right", "在它的右边"),
    }
    made = dict.fromkeys(words, 0)
    pairs = [(a, b) for a in owners for b in named if a is not b]
    for a, b in shuffled(rng, pairs):
        box, other = truth.object(a.object_id).box(), truth.object(b.object_id).box()
        if floor_gap_m(box, other) < 0.1 or abs(box.world_from_box[2, 2]) < 0.99:
            continue
        front = heading_deg(-box.world_from_box[:2, 1])
        turn = turn_deg(front, heading_deg((other.center_world - box.center_world)[:2]))
        side = next(
            (name for name, mid in zip(words, (0.0, 90.0, 180.0, -90.0), strict=True) if abs(turn_deg(mid, turn)) < 20),
            None,
        )
        if side is None or made[side] >= 3 or shared_footprint(box, other) > 0:
            continue
        made[side] += 1
        answer = choice(rng, list(words.values()), list(words).index(side))
        yield ask(truth, rng, "relation.object_frame", _OWN_FRONT, answer, side, about=(a, b), frame="object", a=a, b=b)


def _shows_front(truth: SceneTruth, object_id: int) -> bool:
    """Whether some frame that shows the object well does so from within 110 degrees of its front, so that the front can be told."""
    thing = truth.object(object_id)
    for frame in np.flatnonzero(seen_mask(truth, object_id)):
        to_camera = truth.world_from_camera[frame, :2, 3] - thing.world_from_object[frame, :2, 3]
        front = -thing.world_from_object[frame, :2, 1]
        if abs(turn_deg(heading_deg(front), heading_deg(to_camera))) < 110:
            return True
    return False


def facing(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether a thing with a front turns it to the camera (within 40 degrees) or away; whether two face alike (within 25)."""
    kinds = {"vehicle", "person", "animal", "furniture"}
    fronted = lambda r: truth.object(r.object_id).has_front and truth.object(r.object_id).kind in kinds  # noqa: E731
    toward = (Said("towards the camera", "朝向相机"), Said("away from the camera", "背对相机"))
    for (a,), at in at_most(rng, list(named_together(truth, 1, keep=fronted)), MANY):
        pose = truth.object(a.object_id).world_from_object[at]
        to_camera = truth.world_from_camera[at, :2, 3] - pose[:2, 3]
        turn = abs(turn_deg(heading_deg(-pose[:2, 1]), heading_deg(to_camera)))
        if 40 < turn < 140:
            continue
        answer, key = choice(rng, toward, 0 if turn <= 40 else 1), "towards" if turn <= 40 else "away"
        yield ask(truth, rng, "relation.facing", _TO_CAMERA, answer, key, about=(a,), at=at, frame="observer", a=a)
    alike = (Said("the same way", "相同"), Said("opposite ways", "相反"))
    for pair, at in at_most(rng, list(named_together(truth, 2, keep=fronted)), 2 * MANY):
        a, b = shuffled(rng, pair)
        fronts = [-truth.object(r.object_id).world_from_object[at, :2, 1] for r in (a, b)]
        turn = abs(turn_deg(heading_deg(fronts[0]), heading_deg(fronts[1])))
        if 25 < turn < 155:
            continue
        answer, key = choice(rng, alike, 0 if turn <= 25 else 1), "same" if turn <= 25 else "opposite"
        yield ask(truth, rng, "relation.facing", _HEADINGS, answer, key, about=(a, b), at=at, frame="world", a=a, b=b)
