"""Lengths in metres: distances, heights, sizes, gaps, and which is the largest or the farthest."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from video3d.data.questions.arrangement import box_at, gap_m, is_still, outline, upright_box, z_interval
from video3d.data.questions.asking import MANY, ask, named_together
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.references import referable
from video3d.data.questions.relations_observer import listed
from video3d.data.questions.relations_world import FLAT, still_named
from video3d.data.questions.visibility import centers_camera, seen_mask
from video3d.data.questions.wording import Said, Wordings, at_most, choice, number, shuffled
from video3d.data.truth import SceneTruth
from video3d.types import Box3D

# Things of one name that come in many sizes, so that the name does not give the size away.
_MANY_SIZES = frozenset(
    {
        "table",
        "coffee table",
        "side table",
        "desk",
        "sofa",
        "bookcase",
        "shelf",
        "cabinet",
        "wardrobe",
        "dresser",
        "chest",
        "rug",
    }
    | {
        "mirror",
        "picture",
        "window",
        "curtain",
        "potted plant",
        "tree",
        "bush",
        "hedge",
        "box",
        "block",
        "crate",
        "basket",
        "ball",
    }
    | {
        "plank",
        "ramp",
        "cylinder",
        "column",
        "lamp",
        "floor lamp",
        "vase",
        "counter",
        "bench",
        "tv",
        "mat",
        "suitcase",
        "barrel",
    }
    | {
        "truck",
        "van",
        "bus",
        "trailer",
        "fence",
        "barrier",
        "folding screen",
        "tv stand",
        "piano",
        "stair",
        "gift",
        "whiteboard",
    }
)

_FROM_CAMERA = Wordings(
    en=(
        "{at}, how far is {a} from the camera, in metres?",
        "How many metres lie between the camera and the middle of {a} {at}?",
        "{at}, what is the distance from the camera to {a} (its middle), in metres?",
        "Estimate how far away {a} is from the camera {at}, in metres.",
        "{at}, how many metres away is {a}?",
    ),
    zh=(
        "{at}，{a}离相机多少米？",
        "{at}，相机到{a}中心的距离是多少米？",
        "估计一下，{at}，{a}距离相机有多远（米）？",
    ),
)
_BETWEEN = Wordings(
    en=(
        "How far apart are {a} and {b} at their nearest points, in metres?",
        "What is the distance between {a} and {b}, measured between their nearest points, in metres?",
        "How many metres separate {a} and {b} where they are closest to each other?",
        "From the nearest point of {a} to the nearest point of {b}, how many metres is it?",
    ),
    zh=(
        "{a}和{b}最近处相距多少米？",
        "{a}与{b}之间的距离（最近点到最近点）是多少米？",
        "从{a}到{b}，按最近的两点算，有多少米？",
    ),
)
_HEIGHT = Wordings(
    en=(
        "{when}, how high above the floor is the bottom of {a}, in metres?",
        "How many metres above the floor does {a} begin (its lowest point) {when}?",
        "{when}, at what height above the floor is the lowest point of {a}, in metres?",
        "What is the height of the underside of {a} above the floor {when}, in metres?",
    ),
    zh=(
        "{when}，{a}的底部离地面多高（米）？",
        "{when}，{a}最低点距离地板多少米？",
        "{when}，从地板到{a}的底部有多少米？",
    ),
)
_TALL = Wordings(
    en=(
        "How tall is {a}, from its bottom to its top, in metres?",
        "What is the height of {a} itself, in metres?",
        "How many metres does {a} measure from bottom to top?",
        "Estimate the height of {a} in metres, not counting what it stands on.",
    ),
    zh=("{a}本身有多高（米）？", "{a}从底部到顶部有多少米？", "估计一下{a}自身的高度是多少米？"),
)
_LONG = Wordings(
    en=(
        "How long is the longer side of {a}, seen from above, in metres?",
        "Seen from above, what does {a} measure along its longer side, in metres?",
        "What is the longer horizontal side of {a}, in metres?",
        "How many metres is {a} along the longer of its two horizontal sides?",
    ),
    zh=(
        "从上往下看，{a}较长的一边有多少米？",
        "{a}水平方向上较长的边长是多少米？",
        "{a}俯视时的长边有多长（米）？",
    ),
)
_CAMERA = Wordings(
    en=(
        "{at}, how high above the {floor} is the camera, in metres?",
        "At what height above the {floor} is the camera {at}, in metres?",
        "How many metres is the camera above the {floor} {at}?",
        "{at}, from what height above the {floor} was this filmed, in metres?",
    ),
    zh=(
        "{at}，相机离{floor}多高（米）？",
        "{at}，相机距离{floor}多少米？",
        "{at}，这是从离{floor}多高的地方拍摄的（米）？",
    ),
)
_PAIR = Wordings(
    en=(
        "Of {list}, which two are {most}?",
        "Which two of these are {most}: {list}?",
        "Take {list}: which pair is {most}?",
        "Measured between their middles, which two of {list} are {most}?",
    ),
    zh=(
        "{list}当中，哪两个{most}？",
        "{most}的是哪两个：{list}？",
        "按中心之间的距离，{list}里哪一对{most}？",
    ),
)
_LARGEST = Wordings(
    en=(
        "Which is {more}: {list}?",
        "Of {group}, which is {more}?",
        "Compare {group}: which one is {more}?",
        "Which of these is {more} in reality, not just in the picture: {list}?",
    ),
    zh=(
        "{list}当中，哪个{more}？",
        "{more}的是哪一个：{list}？",
        "比较{list}的实际尺寸，哪一个{more}？",
    ),
)


def bin_of(value: float | int, *edges: float | int) -> str:
    """The coarse bin of a number, for balancing.

    >>> bin_of(1.4, 1, 2, 3), bin_of(9, 1, 2, 3)
    ('1-2', '3+')
    """
    index = int(np.searchsorted(edges, value, side="right"))
    low = f"{edges[index - 1]:g}" if index else "0"
    return f"{low}-{edges[index]:g}" if index < len(edges) else f"{low}+"


def distance_camera(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """From the camera to the middle of a thing at a frame that shows it well."""
    for (a,), at in at_most(rng, list(named_together(truth, 1)), MANY):
        value = float(np.linalg.norm(centers_camera(truth, a.object_id)[at]))
        if truth.domain == "indoor" and truth.object(a.object_id).size_m.max() > value:
            continue  # so near that "the distance" is anyone's guess
        key = bin_of(value, 1.5, 2.5, 3.5, 5, 8, 15, 25)
        answer = number(value, "m", max(0.2, 0.15 * value))
        yield ask(truth, rng, "layout.distance_camera", _FROM_CAMERA, answer, key, about=(a,), at=at, a=a)


def distance_between(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Between the nearest points of two still things; not asked where they touch or nearly do."""
    made = 0
    for pair in shuffled(rng, list(combinations(still_named(truth), 2))):
        a, b = shuffled(rng, pair)
        value = gap_m(truth.object(a.object_id).box(), truth.object(b.object_id).box())
        if value < 0.3:
            continue
        key = bin_of(value, 0.75, 1.5, 2.5, 4, 8, 15, 25)
        answer = number(value, "m", max(0.2, 0.15 * value))
        yield ask(truth, rng, "layout.distance_between", _BETWEEN, answer, key, about=(a, b), a=a, b=b)
        made += 1
        if made >= MANY:
            return


def height_above_floor(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Of the lowest point of a thing that does not stand on the floor (0.25 m or more)."""
    if truth.room is None:
        return
    for a in at_most(rng, list(referable(truth).values()), 2 * MANY):
        still, last = is_still(truth, a.object_id), bool(seen_mask(truth, a.object_id)[-1])
        box = box_at(truth, a.object_id)
        if box is None or not (still or last) or z_interval(box)[0] < 0.25:
            continue
        value = z_interval(box)[0]
        answer = number(value, "m", max(0.1, 0.12 * value), digits=2)
        when = Said("at the end of the video", "视频结束时")
        key = bin_of(value, 0.5, 0.75, 1.0, 1.5, 2.0)
        yield ask(truth, rng, "layout.height_above_floor", _HEIGHT, answer, key, about=(a,), a=a, when=when)


_THIN = frozenset(
    {"traffic light", "traffic sign", "street lamp", "floor lamp", "lamp", "ceiling lamp", "pole", "bollard"}
)
"""Things whose box is mostly air: nobody calls them bigger by volume."""


def _seen_whole(truth: SceneTruth, object_id: int) -> list[int]:
    """Frames that show most of a thing and cut none of its ends off."""
    height, width = truth.size_hw
    whole = []
    for frame in np.flatnonzero(truth.visible_share[:, truth.index(object_id)] > 0.75).tolist():
        found = outline(truth, object_id, frame)
        if found is None:
            continue
        if found.left_px > 0 and found.top_px > 0 and found.right_px < width and found.bottom_px < height:
            whole.append(frame)
    return whole


def _broadside(truth: SceneTruth, box: Box3D, frames: Sequence[int]) -> bool:
    """Whether some frame sees the longer horizontal side at 30 degrees or more, and not from its end."""
    _, extents, yaw = upright_box(box)
    along = yaw + (0.0 if extents[0] >= extents[1] else np.pi / 2)
    for frame in frames:
        sight = (box.center_world - truth.world_from_camera[frame, :3, 3])[:2]
        if abs(np.sin(np.arctan2(sight[1], sight[0]) - along)) >= 0.5:
            return True
    return False


def size(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Height or longer horizontal side of a thing whose name does not tell its size; seen nearly whole in some frame."""
    for a in at_most(rng, list(referable(truth).values()), 2 * MANY):
        box = box_at(truth, a.object_id)
        if a.category not in _MANY_SIZES or box is None or not is_still(truth, a.object_id):
            continue
        whole = _seen_whole(truth, a.object_id)
        if not whole:
            continue
        _, extents, _ = upright_box(box)
        tall = bool(rng.integers(2)) and a.category not in FLAT and extents[2] > 0.15
        value = float(extents[2] if tall else max(extents[:2]))
        if value < 0.15 or not (tall or _broadside(truth, box, whole)):
            continue
        answer = number(value, "m", max(0.05, 0.15 * value), digits=2 if value < 1 else 1)
        key = bin_of(value, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
        yield ask(truth, rng, "layout.size", _TALL if tall else _LONG, answer, key, about=(a,), a=a)


def camera_height(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Of the camera above the floor (the road), where its height is known to be z."""
    if truth.room is None and not (truth.domain == "street" and truth.source == "simulated"):
        return
    floor = Said("floor", "地板") if truth.room is not None else Said("road", "路面")
    for at in dict.fromkeys((0, truth.num_frames - 1)):
        value = float(truth.world_from_camera[at, 2, 3])
        if not 0.1 < value < 5:
            continue
        key = bin_of(value, 0.5, 0.8, 1.1, 1.4, 1.7)
        answer = number(value, "m", max(0.1, 0.12 * value), digits=2)
        yield ask(truth, rng, "layout.camera_height", _CAMERA, answer, key, about=(), at=at, floor=floor)


def farthest_pair(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which two of three are farthest apart (closest together), centre to centre; the next pair differs by 25 % or more."""
    named = still_named(truth)
    made = 0
    for three in at_most(rng, list(combinations(named, 3)), 6 * MANY):
        things = shuffled(rng, three)
        pairs = list(combinations(range(3), 2))
        centers = [truth.object(r.object_id).box().center_world for r in things]
        apart = np.array([np.linalg.norm(centers[i] - centers[j]) for i, j in pairs])
        farthest = bool(rng.integers(2))
        order = np.argsort(-apart if farthest else apart)
        near, far = sorted((float(apart[order[0]]), float(apart[order[1]])))
        if far < 1.25 * near or far - near < 0.4 or made >= MANY:
            continue
        made += 1
        most = Said("farthest apart", "相距最远") if farthest else Said("closest together", "相距最近")
        options = [Said(f"{things[i].en} and {things[j].en}", f"{things[i].zh}和{things[j].zh}") for i, j in pairs]
        key = ("first-second", "first-third", "second-third")[int(order[0])]
        answer = choice(rng, options, int(order[0]))
        yield ask(truth, rng, "layout.farthest_pair", _PAIR, answer, key, about=things, list=listed(things), most=most)


def largest(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which of two is bigger (box volume, by 50 % or more but not five times) or taller (by 20 %, not 2.5 times)."""
    measures = {
        "volume": (Said("bigger by volume", "体积更大"), Said("smaller by volume", "体积更小"), 1.5, 5.0),
        "height": (Said("taller", "本身更高"), Said("shorter in height", "本身更矮"), 1.2, 2.5),
    }
    made = dict.fromkeys(measures, 0)
    named = [r for r in still_named(truth) if (truth.visible_share[:, truth.index(r.object_id)] > 0.6).any()]
    for pair in shuffled(rng, list(combinations(named, 2))):
        a, b = shuffled(rng, pair)
        extents = [upright_box(truth.object(r.object_id).box())[1] for r in (a, b)]
        for measure, (more, less, low, high) in measures.items():
            values = [float(e.prod()) if measure == "volume" else float(e[2]) for e in extents]
            ratio = max(values) / min(values)
            if measure == "volume" and not _THIN.isdisjoint((a.category, b.category)):
                continue
            if not low <= ratio <= high or made[measure] >= MANY // 2:
                continue
            made[measure] += 1
            big = bool(rng.integers(2))
            first = (values[0] > values[1]) == big
            answer, key = choice(rng, (a, b), 0 if first else 1), "first" if first else "second"
            words = more if big else less
            either, group = listed((a, b), last="or"), listed((a, b))
            yield ask(
                truth, rng, "layout.largest", _LARGEST, answer, key, about=(a, b), more=words, list=either, group=group
            )
