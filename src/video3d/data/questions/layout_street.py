"""The street around the viewer's car: lanes, sides of the road, what is how far ahead. The road is taken as straight."""

from collections.abc import Iterable

import numpy as np

from video3d.data.questions.arrangement import heading_deg, level_axes, offset_level, turn_deg
from video3d.data.questions.asking import MANY, ask, named_together
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.layout_metric import bin_of
from video3d.data.questions.wording import Said, Wordings, at_most, choice, number
from video3d.data.truth import SceneTruth

_LANE = Wordings(
    en=(
        "{at}, is {a} in our own lane, to the left of it or to the right of it?",
        "Relative to the lane that the camera drives in, where is {a} {at}?",
        "{at}, is {a} straight ahead in our lane or off to one side of it?",
        "Which side of our lane is {a} on {at}: left, right, or in the lane itself?",
    ),
    zh=(
        "{at}，{a}在我们的车道上，还是在车道的左侧或右侧？",
        "相对于相机所在的车道，{at}，{a}在哪里？",
        "{at}，{a}是在我们自己的车道里，还是偏在一边？",
    ),
)
_SIDE = Wordings(
    en=(
        "{at}, is {a} on the left or on the right side, as we look along the road?",
        "As the camera looks down the road {at}, which side is {a} on?",
        "{at}, on which side of our way is {a}, left or right?",
        "Looking ahead from our car {at}, is {a} to the left or to the right of our way?",
    ),
    zh=(
        "{at}，沿着道路向前看，{a}在左侧还是右侧？",
        "从我们的车向前看，{at}，{a}在路的哪一侧？",
        "{at}，{a}在我们行驶路线的左边还是右边？",
    ),
)
_AHEAD = Wordings(
    en=(
        "{at}, how many metres ahead of the camera is {a}, measured along the road to its nearest end?",
        "How far ahead of us along the road is {a} {at} (to its nearest part), in metres?",
        "{at}, what is the distance along the road from the camera to the near end of {a}, in metres?",
        "How many metres of the road lie {at} between the camera and the near end of {a}?",
    ),
    zh=(
        "{at}，沿道路方向量，{a}的最近端在相机前方多少米？",
        "{at}，沿着道路，前方的{a}离我们有多远（到其最近处，米）？",
        "{at}，沿道路方向，相机到{a}近端的距离是多少米？",
    ),
)
_BESIDE = frozenset({"vehicle", "person", "animal", "plant", "sign"})


def _parallel(truth: SceneTruth, object_id: int, at: int) -> bool:
    """Whether a vehicle points along the camera's way (either direction), so that it follows the same straight road."""
    axes = level_axes(truth, at)
    if axes is None:
        return False
    front = heading_deg(-truth.object(object_id).world_from_object[at, :2, 1])
    turn = abs(turn_deg(heading_deg(axes[0]), front))
    return turn < 15 or turn > 165


def _goes_straight(truth: SceneTruth) -> bool:
    """Whether the camera's level forward stays within 8 degrees of where it first was."""
    axes = [level_axes(truth, frame) for frame in range(truth.num_frames)]
    headings = [None if found is None else heading_deg(found[0]) for found in axes]
    first = headings[0]
    return first is not None and all(h is not None and abs(turn_deg(first, h)) < 8.0 for h in headings)


def lane(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether a vehicle ahead is in our lane (its middle within 0.9 m of our line), left or right of it (2.4 m or more)."""
    if truth.domain != "street" or truth.viewer != "car":
        return
    words = {
        "own": Said("in our lane", "在我们的车道上"),
        "left": Said("to the left of our lane", "在车道左侧"),
        "right": Said("to the right of our lane", "在车道右侧"),
    }
    vehicles = named_together(truth, 1, keep=lambda r: truth.object(r.object_id).kind == "vehicle")
    for (a,), at in at_most(rng, list(vehicles), MANY):
        offset = offset_level(truth, at, truth.object(a.object_id).world_from_object[at, :3, 3])
        if offset is None or not _parallel(truth, a.object_id, at) or not 3 < offset[0] < 30:
            continue
        if 0.9 < abs(offset[1]) < 2.4:
            continue
        key = "own" if abs(offset[1]) <= 0.9 else "left" if offset[1] > 0 else "right"
        answer = choice(rng, list(words.values()), list(words).index(key))
        yield ask(truth, rng, "layout.lane", _LANE, answer, key, about=(a,), at=at, frame="observer", a=a)


def road_side(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """On which side of our way something is: 3 m or more aside, and at 8 degrees or more from straight ahead."""
    if truth.domain != "street" or truth.viewer != "car":  # who stands on the sidewalk has no way along the road
        return
    words = (Said("on the left", "左侧"), Said("on the right", "右侧"))
    things = named_together(truth, 1, keep=lambda r: truth.object(r.object_id).kind in _BESIDE)
    for (a,), at in at_most(rng, list(things), MANY):
        offset = offset_level(truth, at, truth.object(a.object_id).world_from_object[at, :3, 3])
        if offset is None or offset[0] < 1 or abs(offset[1]) < max(3.0, 0.14 * offset[0]):
            continue
        key = "left" if offset[1] > 0 else "right"
        answer = choice(rng, words, 0 if key == "left" else 1)
        yield ask(truth, rng, "layout.road_side", _SIDE, answer, key, about=(a,), at=at, frame="observer", a=a)


def distance_ahead(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Along the camera's level forward to the nearest end of something on the road ahead.

    It is within 1.5 m of our line; or, where the camera has followed a straight road all along, within 6 m of it and 20 degrees of
    straight ahead: what is aside is measured along the road too.
    """
    if truth.domain != "street" or truth.viewer != "car":
        return
    straight = _goes_straight(truth)
    things = named_together(truth, 1, keep=lambda r: truth.object(r.object_id).kind in {"vehicle", "person", "animal"})
    for (a,), at in at_most(rng, list(things), MANY):
        thing = truth.object(a.object_id)
        axes = level_axes(truth, at)
        offset = offset_level(truth, at, thing.world_from_object[at, :3, 3])
        if axes is None or offset is None:
            continue
        aside = abs(float(offset[1]))
        if aside > 1.5 and not (straight and aside <= 6.0 and aside <= 0.36 * offset[0]):
            continue
        if aside > 1.5 and thing.kind == "vehicle" and not _parallel(truth, a.object_id, at):
            continue
        half = float(np.abs(axes[0] @ thing.world_from_object[at, :2, :3]) @ thing.size_m / 2)
        value = float(offset[0]) - half
        if not 2 < value < 50:
            continue
        answer = number(value, "m", max(1.0, 0.15 * value))
        key = bin_of(value, 5, 10, 15, 25, 35)
        yield ask(truth, rng, "layout.distance_ahead", _AHEAD, answer, key, about=(a,), at=at, frame="observer", a=a)
