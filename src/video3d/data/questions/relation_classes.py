"""The ten classes of spatial relation, each with a geometric definition and three answers: true, false, too close to call.

Left, right, front and behind are the observer's, in the camera's level frame at a stated frame ("relative frame of reference",
Levinson, "Space in Language and Cognition", 2003); the others need no observer. For A relative to B:

- left (right): A's centre is seen more than 10 degrees further left than B's, lies more than 0.25 m further left, and their
  outlines share no column of the picture. False if they lie the other way round, or are seen within 4 degrees.
- front (behind): A and B share at least half of the narrower one's columns, every part of A is nearer by 0.2 m or more, and one
  does not hover over the other. False if the other way round, or one beside the other at an angle of 60 degrees or more from the
  line of sight, or where one's depths lie within the other's.
- above (below): A's bottom is not under B's top, and A's centre is over B; up to 0.25 m beside it is left open. What stands under a table
  is below the table. False where A reaches lower than B's middle, or is 0.5 m aside and not wholly higher.
- on: A rests on B. False if A rests on something else and no chain of supports leads from A to B.
- inside: A's container is B. False if A's centre is outside B's box by 2 cm or more.
- near: the nearest points are within 1 m (a street: 5 m); far: more than 3 m (15 m). A margin of 20 % and 10 % is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from video3d.data.questions.arrangement import (
    Outline,
    bearing_deg,
    box_at,
    floor_gap_m,
    gap_m,
    offset_level,
    outline,
    shared_footprint,
    turn_deg,
    z_interval,
)
from video3d.data.questions.wording import Said
from video3d.data.truth import GROUND, ObjectTruth, SceneTruth
from video3d.geometry.boxes import points_in_box
from video3d.types import Box3D

CLASSES = ("left", "right", "front", "behind", "above", "below", "on", "inside", "near", "far")
OBSERVER_CLASSES = frozenset({"left", "right", "front", "behind"})
NEAR_FAR_M = {"indoor": (1.0, 3.0), "street": (5.0, 15.0)}
"""Near is within the first, far beyond the second; a question that uses the words says so."""
_LEGGED = frozenset(
    {"table", "coffee table", "side table", "desk", "bench", "pool table", "table tennis table", "piano"}
)
_FLAT = frozenset({"rug", "mat", "crossing", "blanket", "towel"})

CONTAINERS = frozenset(
    {"box", "basket", "crate", "bucket", "bowl", "pot", "pan", "cup", "tray", "barrel", "laundry basket", "trash can"}
    | {"fruit bowl", "pen holder", "sink", "bathtub"}
)
"""Open things that hold things, about which "inside" can be asked with either answer; not what is mostly seen closed."""
OFTEN_FULL = frozenset({"box", "basket", "crate"})
"""Those of them in which scenes do put things, so that "yes" is as likely as "no"."""
SURFACES = frozenset(
    {"table", "coffee table", "side table", "desk", "nightstand", "workbench", "counter", "kitchen island", "bookcase"}
    | {"shelf", "cabinet", "dresser", "tv stand", "chair", "armchair", "sofa", "bed", "stool", "bench", "ottoman"}
    | {"piano", "stove", "chest", "box", "crate", "filing cabinet", "washing machine", "dressing table", "pool table"}
    | {"plank", "block", "dryer", "freezer", "safe", "oven"}
)
"""Things on which small things may stand, so that "on the table" and "on the chair" are both plausible."""
_SMALL = frozenset({"prop", "experiment"})
_ON_WALLS = frozenset(
    {"picture", "clock", "calendar", "ceiling lamp", "wall lamp", "ceiling fan", "wall cabinet", "air conditioner"}
    | {"range hood", "mirror", "window", "towel rack", "toilet paper", "projector", "curtain", "blinds"}
    | {"traffic light", "traffic sign"}
)
"""Things that hang: nothing is put on them, and others may be below them."""

State = bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    a: Box3D
    b: Box3D
    outline_a: Outline
    outline_b: Outline
    turn: float  # from B's bearing to A's; positive: A is further left
    forward_m: float  # by which A is farther than B
    left_m: float  # by which A is further left
    hovers: bool  # one is wholly over the other's height


def relation_states(truth: SceneTruth, a_id: int, b_id: int, frame: int) -> Mapping[str, State]:
    """What is true, false or doubtful (None) of A relative to B at a frame, for all ten classes."""
    states: dict[str, State] = dict.fromkeys(CLASSES)
    a, b = box_at(truth, a_id, frame), box_at(truth, b_id, frame)
    if a is None or b is None:
        return states
    pair = _pair(truth, a_id, b_id, frame, a, b)
    if pair is not None:
        states["left"], states["right"] = _left(pair, 1.0), _left(pair, -1.0)
        states["front"] = _front(pair.outline_a, pair.outline_b, pair, -1.0)
        states["behind"] = _front(pair.outline_b, pair.outline_a, pair, 1.0)
    states["above"] = _above(truth, a_id, b_id, a, b)
    states["below"] = _above(truth, b_id, a_id, b, a)
    states["on"] = _on(truth, a_id, b_id, a, b, frame)
    states["inside"] = _inside(truth, a_id, b_id, a, b, frame)
    states["near"], states["far"] = near_far(truth, gap_m(a, b))
    return states


def near_far(truth: SceneTruth, distance_m: float) -> tuple[State, State]:
    """Whether two things this far apart are near, and whether they are far."""
    near_m, far_m = NEAR_FAR_M[truth.domain]
    near = True if distance_m < 0.8 * near_m else False if distance_m > 1.2 * near_m else None
    far = True if distance_m > 1.1 * far_m else False if distance_m < 0.9 * far_m else None
    return near, far


def _pair(truth: SceneTruth, a_id: int, b_id: int, frame: int, a: Box3D, b: Box3D) -> _Pair | None:
    outline_a, outline_b = outline(truth, a_id, frame), outline(truth, b_id, frame)
    bearing_a, bearing_b = (bearing_deg(truth, frame, box.center_world) for box in (a, b))
    level_a, level_b = (offset_level(truth, frame, box.center_world) for box in (a, b))
    if outline_a is None or outline_b is None or bearing_a is None or bearing_b is None:
        return None
    if level_a is None or level_b is None:
        return None
    low_a, high_a = z_interval(a)
    low_b, high_b = z_interval(b)
    return _Pair(
        a=a,
        b=b,
        outline_a=outline_a,
        outline_b=outline_b,
        turn=turn_deg(bearing_b, bearing_a),
        forward_m=float(level_a[0] - level_b[0]),
        left_m=float(level_a[1] - level_b[1]),
        hovers=low_a > high_b - 0.05 or low_b > high_a - 0.05,
    )


def _left(pair: _Pair, sign: float) -> State:
    """Left for sign 1, right for -1."""
    first, second = (pair.outline_a, pair.outline_b) if sign > 0 else (pair.outline_b, pair.outline_a)
    if sign * pair.turn > 10 and sign * pair.left_m > 0.25 and first.right_px <= second.left_px:
        return True
    contained = first.left_px >= second.left_px and first.right_px <= second.right_px
    contained |= second.left_px >= first.left_px and second.right_px <= first.right_px
    if sign * pair.turn < -5 or (abs(pair.turn) < 4 and contained):
        return False
    return None


def _front(front: Outline, back: Outline, pair: _Pair, sign: float) -> State:
    """Whether the first is in front of the second; sign -1 where the first is A."""
    shared = min(front.right_px, back.right_px) - max(front.left_px, back.left_px)
    narrower = min(front.right_px - front.left_px, back.right_px - back.left_px)
    clear = back.near_m - front.far_m >= 0.2
    if clear and shared >= 0.5 * narrower:
        return None if pair.hovers else True
    within = (front.near_m >= back.near_m and front.far_m <= back.far_m) or (
        back.near_m >= front.near_m and back.far_m <= front.far_m
    )
    aside = shared <= 0 and abs(pair.left_m) > 1.75 * abs(pair.forward_m)
    if sign * pair.forward_m < -0.1 or aside or within:
        return False
    return None


def _over(upper: Box3D, lower: Box3D, beside_m: float) -> bool:
    """Whether the upper box's centre is over the lower one's footprint, or so far beside it at most."""
    center = upper.center_world.copy()
    grown = lower.size_m + 2 * beside_m
    center[2] = lower.center_world[2]
    return bool(
        points_in_box(center, Box3D(center_world=lower.center_world, size_m=grown, world_from_box=lower.world_from_box))
    )


def _above(truth: SceneTruth, a_id: int, b_id: int, a: Box3D, b: Box3D) -> State:
    low_a, high_a = z_interval(a)
    low_b, high_b = z_interval(b)
    # A body sinks a little into what carries it, and boxes of soft things are fuller than the things.
    if low_a >= high_b - 0.03 and _over(a, b, 0.25):
        return True if _over(a, b, 0.0) else None
    upper, lower = truth.object(a_id), truth.object(b_id)
    under_table = upper.category in _LEGGED and lower.supported_by == GROUND and high_b < high_a - 0.04
    if under_table and shared_footprint(a, b) > 0.8 and lower.category not in _FLAT:
        return True
    if under_table and shared_footprint(a, b) > 0.05:
        return None
    aside = floor_gap_m(a, b) > 0.5 and low_a < high_b
    return False if low_a < (low_b + high_b) / 2 or aside else None


def _on(truth: SceneTruth, a_id: int, b_id: int, a: Box3D, b: Box3D, frame: int) -> State:
    thing = truth.object(a_id)
    # Support is told for the last frame; earlier it holds only for what has not moved.
    moved = np.abs(thing.world_from_object[frame] - thing.world_from_object[-1]).max()
    if not moved < 0.02 or thing.supported_by is None:
        return False if floor_gap_m(a, b) > 0.3 else None
    if thing.supported_by == b_id:
        return True if thing.inside_of != b_id else None
    if b_id in support_chain(truth, a_id):
        return None
    if truth.object(b_id).category in _FLAT and shared_footprint(a, b) > 0:
        return None
    apart = (
        floor_gap_m(a, b) > 0.1
        or z_interval(a)[0] < z_interval(b)[0] + 0.1
        or z_interval(a)[0] > z_interval(b)[1] + 0.1
    )
    return False if apart else None


def _inside(truth: SceneTruth, a_id: int, b_id: int, a: Box3D, b: Box3D, frame: int) -> State:
    thing = truth.object(a_id)
    moved = np.abs(thing.world_from_object[frame] - thing.world_from_object[-1]).max()
    if thing.inside_of == b_id:
        return True if moved < 0.02 else None
    return False if not bool(points_in_box(a.center_world, b, margin_m=0.02)) else None


def support_chain(truth: SceneTruth, object_id: int) -> tuple[int, ...]:
    """What carries the object, what carries that, and so on, without the ground."""
    chain: list[int] = []
    below = truth.object(object_id).supported_by
    known = {o.object_id for o in truth.objects}
    while below is not None and below in known and below not in chain:
        chain.append(below)
        below = truth.object(below).supported_by
    return tuple(chain)


def could_fit(a: ObjectTruth, b: ObjectTruth) -> bool:
    """Whether A could be put into B: it goes through B's opening, and sticks out by no more than B's own height."""
    thing = np.sort(a.size_m)
    opening = np.sort(b.size_m[:2])
    return bool(thing[0] <= 0.95 * opening[0] and thing[1] <= 0.95 * opening[1] and thing[2] <= 2.0 * b.size_m[2])


def could_stand_on(a: ObjectTruth, b: ObjectTruth) -> bool:
    """Whether A is small enough to stand on B."""
    return bool(np.sort(a.size_m[:2])[0] <= np.sort(b.size_m[:2])[0] and a.size_m.max() <= b.size_m.max())


def thinkable(truth: SceneTruth, a_id: int, b_id: int) -> tuple[str, ...]:
    """The classes that somebody who has not seen the clip would believe of A relative to B.

    This looks at what the two are (category, kind, size), never at where they are: so that a class is offered as often when it
    is true as when it is not, and an option such as "inside it" of a bench is not there to be struck out.
    """
    a, b = truth.object(a_id), truth.object(b_id)
    small = a.kind in _SMALL and a.category not in _ON_WALLS
    found = ["left", "right", "front", "behind", "near", "far"]
    if truth.domain == "indoor":
        found += ["above"] if _could_be_under(b, a) else []
        found += ["below"] if _could_be_under(a, b) else []
        found += ["on"] if small and b.category in SURFACES and could_stand_on(a, b) else []
        found += ["inside"] if small and b.category in CONTAINERS and could_fit(a, b) else []
    return tuple(name for name in CLASSES if name in found)


def _could_be_under(lower: ObjectTruth, upper: ObjectTruth) -> bool:
    """Whether one would look for the one under the other: things under what hangs, smaller things under what has legs."""
    if lower.kind == "structure" or lower.category in _ON_WALLS:
        return False
    return upper.category in _ON_WALLS or (upper.category in _LEGGED and could_stand_on(lower, upper))


def class_words(truth: SceneTruth) -> dict[str, Said]:
    """The ten classes as options of a question about where A is relative to B."""
    near_m, far_m = NEAR_FAR_M[truth.domain]
    return {
        "left": Said("to the left of it", "在它的左边"),
        "right": Said("to the right of it", "在它的右边"),
        "front": Said("in front of it", "在它的前面"),
        "behind": Said("behind it", "在它的后面"),
        "above": Said("above it", "在它的上方"),
        "below": Said("below it", "在它的下方"),
        "on": Said("on it", "放在它上面"),
        "inside": Said("inside it", "在它里面"),
        "near": Said(f"near it (within {near_m:.0f} m)", f"在它附近（{near_m:.0f}米以内）"),
        "far": Said(f"far from it (more than {far_m:.0f} m away)", f"离它很远（{far_m:.0f}米以上）"),
    }
