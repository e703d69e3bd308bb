"""Action from the camera's last place: which way to turn to a thing, what one then faces, what is met straight ahead.

These follow from the room as it was seen and need no future.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import bearing_deg, heading_axes
from video3d.data.questions.movers import landmarks, made
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.wording import Said, Wordings, at_most, choice, shuffled
from video3d.data.truth import SceneTruth
from video3d.geometry.boxes import box_corners
from video3d.types import Box3D

_TURN_TO_SEE = Wordings(
    en=(
        "If the camera turned {turn} on the spot after the last frame, which of these would it face?",
        "From where it is in the last frame, the camera turns {turn}. Which of these is then straight ahead?",
        "Suppose the camera turns {turn} without leaving its last place: what does it look at?",
        "After turning {turn} from its last view, which of these would be in the middle of the picture?",
    ),
    zh=(
        "如果相机在最后一帧的位置原地{turn}，它会正对着下列哪个物体？",
        "相机从最后一帧的朝向{turn}后，正前方是哪一个？",
        "假设相机在最后的位置{turn}，画面中央会是哪个物体？",
    ),
)
_NAVIGATE = Wordings(
    en=(
        "From the camera's last place and direction, which way must one turn to go to {a}?",
        "Standing where the camera is in the last frame and looking the same way, how do you get to {a}?",
        "To walk to {a} from the last camera position, what is the first thing to do?",
        "You are at the camera's last position, facing as it does. What do you do first to go to {a}?",
    ),
    zh=(
        "站在相机最后的位置并朝着它的方向，去{a}应该先怎么走？",
        "从最后一帧的相机位置和朝向出发，要到{a}需要往哪边转？",
        "以最后一帧的视角为准，走向{a}的第一步是什么？",
    ),
)
_REACH = Wordings(
    en=(
        "If the camera went straight on from its last place, what would it run into first?",
        "Going straight ahead from the last camera position, which of these is reached first?",
        "Suppose the camera drives straight forward after the last frame: what does it come to first?",
        "Moving straight ahead from where the camera last was, which of these gets in the way first?",
    ),
    zh=(
        "如果相机从最后的位置一直向前走，最先会碰到什么？",
        "从最后一帧的位置径直向前，下列哪个会最先到达？",
        "假设相机在最后一帧之后直线前进，首先遇到的是哪一个？",
    ),
)
_WAYS = {
    "ahead": Said("go straight on", "直走"),
    "left": Said("turn left", "左转"),
    "right": Said("turn right", "右转"),
    "behind": Said("turn around", "掉头"),
}
_WALKED_OVER = frozenset({"rug", "carpet", "mat", "crossing"})
_LANES = {"person": (0.25, 1.2), "robot": (0.25, 0.25), "car": (0.9, 1.0)}

"""Half width of the way that a carrier needs, and how far below the camera things are in it, in metres."""


def bearings(truth: SceneTruth, said: dict[int, Reference]) -> dict[int, float]:
    """Bearing of things from the camera of the last frame, degrees, positive to the left."""
    camera = truth.world_from_camera[-1]
    found = {}
    for object_id in said:
        offset = truth.object(object_id).world_from_object[-1, :3, 3] - camera[:3, 3]
        angle = bearing_deg(offset, camera)
        if angle is not None and float(np.linalg.norm(offset[:2])) > 0.5:
            found[object_id] = angle
    return found


_TURNS = (45, 60, 90, 120, 135)


def _turn_words(turn_deg: int) -> Said:
    """A turn in words, positive to the left."""
    if turn_deg == 180:
        return Said("by 180 degrees", "转180度")
    left = turn_deg > 0
    en, zh = ("left", "左") if left else ("right", "右")
    return Said(f"{abs(turn_deg)} degrees to the {en}", f"向{zh}转{abs(turn_deg)}度")


def turn_to_see(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What the camera would face after a turn on the spot, among things it has seen before.

    What it faces is at most 12 degrees off, and no large thing is less than 40 off; what is offered beside it is 35 or more off.
    """
    said = landmarks(truth)
    angles = bearings(truth, said)
    for turn in (*_TURNS, *(-t for t in _TURNS), 180):
        off = {i: abs((angle - turn + 180.0) % 360.0 - 180.0) for i, angle in angles.items()}
        facing = min(off, key=lambda i: off[i], default=None)
        if facing is None or off[facing] > 12.0:
            continue
        others = [i for i in off if off[i] >= (40.0 if _as_near(truth, i, facing) else 35.0)]
        if len(others) < 2 or any(off[facing] < a < 40.0 and _as_near(truth, i, facing) for i, a in off.items()):
            continue
        offered = [facing, *at_most(rng, sorted(others), 3)]
        yield made(
            truth,
            "action.turn_to_see",
            _TURN_TO_SEE.render(rng, turn=_turn_words(turn)),
            choice(rng, [said[i] for i in offered], 0),
            truth.object(facing).category,
            tuple(sorted(offered)),
            group=str(facing),
            frame="observer",
        )


def _as_near(truth: SceneTruth, object_id: int, other: int) -> bool:
    """Whether a thing is so large that it might be faced as well."""
    return float(truth.object(object_id).size_m[:2].max()) > 1.5 * float(truth.object(other).size_m[:2].max())


def navigation(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which way to turn from the camera's last place to go to a thing that was seen.

    Straight on: its middle is at most 15 degrees off. Left or right: its middle at 32 to 135 degrees, all of it at 18 or more.
    Around: at 160 degrees or more. What lies straight ahead is in sight and asked about once.
    """
    said = landmarks(truth)
    order = ("ahead", "left", "right", "behind")
    held: Counter[str] = Counter()
    found = bearings(truth, said)
    for object_id in shuffled(rng, sorted(found)):
        way = _way_to(truth, object_id, found[object_id])
        if way is None:
            continue
        held[way] += 1
        if held[way] > (1 if way == "ahead" else 4):
            continue
        yield made(
            truth,
            "action.navigation",
            _NAVIGATE.render(rng, a=said[object_id]),
            choice(rng, [_WAYS[w] for w in order], order.index(way)),
            way,
            (object_id,),
            group=str(object_id),
            frame="observer",
        )


def _way_to(truth: SceneTruth, object_id: int, angle_deg: float) -> str | None:
    """The first move towards a thing at a bearing (degrees, positive left); None between two."""
    if abs(angle_deg) <= 15.0:
        return "ahead"
    if abs(angle_deg) >= 160.0:
        return "behind"
    camera = truth.world_from_camera[-1]
    corners = [bearing_deg(corner - camera[:3, 3], camera) for corner in box_corners(truth.object(object_id).box())]
    side = 1.0 if angle_deg > 0 else -1.0
    clear = all(corner is not None and 18.0 <= side * corner <= 155.0 for corner in corners)
    return ("left" if side > 0 else "right") if clear and 32.0 <= abs(angle_deg) <= 135.0 else None


def reach(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What is met first going straight on from the camera's last place, in a lane as wide as who carries it."""
    axes = heading_axes(truth.world_from_camera[-1])
    if axes is None or not truth.complete:
        return
    said = referable(truth)
    here = truth.world_from_camera[-1, :3, 3]
    lane = _LANES[truth.viewer]
    met: list[tuple[float, int]] = []
    for thing in truth.objects:
        depth = _enters_lane(thing.box(), here, axes, lane)
        if depth is not None and thing.category not in _WALKED_OVER:
            met.append((depth, thing.object_id))
    met.sort()
    if not met or met[0][1] not in said or (len(met) > 1 and met[1][0] - met[0][0] < 0.3):
        return
    first = met[0][1]
    if met[0][0] < 0.5 or truth.object(first).motion != "static":
        return
    ahead = [i for i, a in bearings(truth, said).items() if i != first and abs(a) < 60.0]
    if len(ahead) < 2:
        return
    offered = [
        first,
        *sorted(ahead, key=lambda i: float(np.linalg.norm(truth.object(i).box().center_world - here)))[:3],
    ]
    yield made(
        truth,
        "action.reach",
        _REACH.render(rng),
        choice(rng, [said[i] for i in offered], 0),
        truth.object(first).category,
        tuple(sorted(offered)),
        group="reach",
        frame="observer",
    )


def _enters_lane(
    box: Box3D,
    here: Float64[np.ndarray, "3"],
    axes: tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]],
    lane: tuple[float, float],
) -> float | None:
    """How far ahead a box enters a lane of some half width, from some way below the camera up to it; None where it does not."""
    half, below = lane
    steps = np.linspace(-0.5, 0.5, 15)
    grid = np.stack(np.meshgrid(steps, steps, (-0.5, 0.5)), axis=-1).reshape(-1, 3) * box.size_m
    offsets = grid @ box.world_from_box.T + box.center_world - here
    if not np.isfinite(offsets).all() or offsets[:, 2].min() > 0.0 or offsets[:, 2].max() < -below:
        return None
    along, aside = offsets @ axes[0], np.abs(offsets @ axes[1])
    inside = (aside <= half) & (along > 0)
    return float(along[inside].min()) if inside.any() else None
