"""Where things are: direction from the camera, clock direction, walls, the part of the picture that is free, boxes."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.arrangement import (
    bearing_deg,
    footprint,
    level_axes,
    turn_deg,
    upright_box,
)
from video3d.data.questions.asking import MANY, ask
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.relations_observer import listed
from video3d.data.questions.relations_world import FLAT, still_named
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Said, Wordings, at_most, choice, direction, yes_no
from video3d.data.row import Answer, Box, Text
from video3d.data.truth import GROUND, SceneTruth
from video3d.geometry.rigid import is_known
from video3d.types import Box3D

_SECTORS = (
    "ahead",
    "ahead-left",
    "left",
    "behind-left",
    "behind",
    "behind-right",
    "right",
    "ahead-right",
)  # every 45 degrees
_BORDER_DEG = 12.0

_WHERE = Wordings(
    en=(
        "At the end of the video, in which direction from the camera is {a}?",
        "Where is {a}, seen from where the camera ends up and the way it then looks?",
        "From the camera's last position, taking its view as straight ahead, which way is {a}?",
        "When the video ends, which way would the camera have to go to reach {a}: ahead, left, right, behind or in between?",
    ),
    zh=(
        "视频结束时，{a}在相机的哪个方向？",
        "以相机最后的位置和朝向为准，{a}在哪个方位？",
        "视频结束时，把相机所看的方向当作正前方，{a}在什么方向？",
    ),
)
_CLOCK = Wordings(
    en=(
        "{at}, at what o'clock is {a} from the camera, if 12 o'clock is straight ahead and 3 o'clock to the right?",
        "With the camera looking towards 12 o'clock {at}, at which hour is {a}?",
        "{at}, give the clock direction of {a} from the camera (12 o'clock is where it looks).",
        "On a clock face around the camera {at}, with 12 straight ahead, where is {a}?",
    ),
    zh=(
        "{at}，以相机正前方为12点钟方向，{a}在几点钟方向？",
        "{at}，如果相机朝向12点钟，右边是3点钟，{a}在几点钟方向？",
        "用钟表方向来说（正前方为12点），{at}，{a}在相机的几点钟方向？",
    ),
)
_WALL = Wordings(
    en=(
        "Does {a} stand against a wall?",
        "Is {a} up against one of the walls of the room?",
        "Is {a} right by a wall rather than out in the room?",
        "Would you say that {a} is placed against a wall?",
    ),
    zh=(
        "{a}是靠墙放的吗？",
        "{a}紧挨着墙吗？",
        "{a}是不是靠着房间的一面墙？",
    ),
)
_WALL_WHICH = Wordings(
    en=(
        "Which of these stands {most} a wall: {list}?",
        "Of {group}, which one is {most} a wall of the room?",
        "Look at where {group} stand: which is {most} a wall?",
        "Which one has been put {most} a wall: {list}?",
    ),
    zh=(
        "{list}当中，哪个离墙{most}？",
        "离墙{most}的是哪一个：{list}？",
        "看看{list}的位置，哪一个离房间的墙{most}？",
    ),
)
_BOX = Wordings(
    en=(
        "Give the 3D box of {a} {when}: centre and size in metres and yaw, in the world frame of the camera poses (+z up).",
        "What is the 3D bounding box of {a} {when}, in the clip's world frame (metres, +z up, the frame of the camera poses)?",
        "Locate {a} {when} in 3D: the centre, size and yaw of its box in the world frame in which the poses are given (+z up).",
        "In the world frame of the camera poses (metres, +z up), which box encloses {a} {when}?",
    ),
    zh=(
        "给出{when}{a}的三维框：在相机位姿所用的世界坐标系（米，+z向上）中的中心、尺寸和偏航角。",
        "{when}，{a}的三维包围框是什么？请用相机位姿的世界坐标系（米，+z向上）表示。",
        "在相机位姿所在的世界坐标系中（单位为米，+z朝上），{when}包住{a}的框是哪一个？",
    ),
)
_FREE = Wordings(
    en=(
        "{at}, which part of the view has the most free floor to move into: the left, the middle or the right?",
        "Where is there more open floor ahead of the camera {at}: on the left, straight ahead or on the right?",
        "{at}, which way could the camera go farthest before it meets something: left, middle or right of its view?",
        "To walk on from where the camera is {at}, which way is freest: left, straight ahead or right of the view?",
    ),
    zh=(
        "{at}，画面的左边、中间和右边，哪一边的空地最多？",
        "{at}，相机前方哪一侧的地面更空旷：左侧、正前方还是右侧？",
        "{at}，相机往画面的左边、中间还是右边能走得最远而不碰到东西？",
    ),
)


def sector(angle_deg: float) -> str | None:
    """The word for a direction, or None within 12 degrees of a border between two words.

    >>> sector(2.0), sector(-91.0), sector(22.0)
    ('ahead', 'right', None)
    """
    index = round(angle_deg / 45) % 8
    return _SECTORS[index] if abs(turn_deg(45.0 * index, angle_deg)) < 22.5 - _BORDER_DEG else None


def where(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """In which direction from the camera's last pose a thing is, in view or not any more.

    The whole of the thing's footprint lies within 30 degrees of the answer's middle and 0.5 m or more away.
    """
    named = [r for r in referable(truth).values() if r in still_named(truth) or bool(seen_mask(truth, r.object_id)[-1])]
    for a in at_most(rng, named, MANY):
        box = truth.object(a.object_id).box()
        angle = bearing_deg(truth, -1, box.center_world)
        word = None if angle is None else sector(angle)
        if angle is None or word is None or not _compact(truth, box, angle):
            continue
        answer = direction(word, angle)
        yield ask(truth, rng, "layout.where", _WHERE, answer, word, about=(a,), frame="observer", a=a)


def _compact(truth: SceneTruth, box: Box3D, angle: float) -> bool:
    corners = footprint(box)
    away = np.linalg.norm(corners - truth.world_from_camera[-1, :2, 3], axis=1)
    angles = [bearing_deg(truth, -1, np.append(corner, 0.0)) for corner in corners]
    return bool(away.min() > 0.5) and all(a is not None and abs(turn_deg(angle, a)) < 30 for a in angles)


def clock(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """At what o'clock a thing is from the camera, one of four hours two or more apart; within 9 degrees of the hour."""
    named = [r for r in referable(truth).values() if bool(seen_mask(truth, r.object_id)[-1]) or r in still_named(truth)]
    at = truth.num_frames - 1
    for a in at_most(rng, named, MANY):
        box = truth.object(a.object_id).box()
        angle = bearing_deg(truth, at, box.center_world)
        if angle is None or not _compact(truth, box, angle):
            continue
        hour = round(-angle / 30) % 12
        if abs(turn_deg(-30.0 * hour, angle)) > 9:
            continue
        # Four hours, a step apart, of which the right one may be any: so that its place among them tells nothing.
        step, place = int(rng.integers(1, 3)), int(rng.integers(4))
        hours = [(hour + step * (i - place)) % 12 or 12 for i in range(4)]
        options = [Said(f"{h} o'clock", f"{h}点钟方向") for h in hours]
        answer = choice(rng, options, place)
        yield ask(truth, rng, "layout.clock", _CLOCK, answer, str(hour or 12), about=(a,), at=at, frame="observer", a=a)


def wall_distances(truth: SceneTruth, box: Box3D) -> Float64[np.ndarray, "w"]:
    """Distance of a box's nearest corner to every wall of the room, in metres."""
    if truth.room is None:
        return np.zeros(0)
    polygon, corners = truth.room.floor_polygon_m, footprint(box)
    distances = []
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        along = end - start
        share = np.clip((corners - start) @ along / (along @ along), 0, 1)
        distances.append(float(np.linalg.norm(corners - start - share[:, None] * along, axis=1).min()))
    return np.array(distances)


def wall(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Whether a thing on the floor stands against a wall (within 0.15 m) or not (more than 0.6 m away); which is nearest to one."""
    standing = [
        r
        for r in still_named(truth)
        if truth.object(r.object_id).supported_by == GROUND
        and truth.object(r.object_id).kind in {"furniture", "plant", "prop"}
    ]
    if truth.room is None:
        return
    nearest = {r.object_id: float(wall_distances(truth, truth.object(r.object_id).box()).min()) for r in standing}
    for a in at_most(rng, standing, MANY):
        away = nearest[a.object_id]
        if 0.15 < away < 0.6:
            continue
        answer, key = yes_no(away <= 0.15), "yes" if away <= 0.15 else "no"
        yield ask(truth, rng, "layout.wall", _WALL, answer, key, about=(a,), a=a)
    made = 0
    for _ in range(3 * MANY):
        if len(standing) < 3 or made >= MANY // 2:
            return
        offered = at_most(rng, standing, 3)
        farthest = bool(rng.integers(2))
        away_m = np.array([nearest[r.object_id] for r in offered])
        order = np.argsort(-away_m if farthest else away_m)
        if abs(away_m[order[0]] - away_m[order[1]]) < 0.5:
            continue
        made += 1
        winner = int(order[0])
        most = Said("farthest from", "最远") if farthest else Said("nearest to", "最近")
        either, group = listed(offered, last="or"), listed(offered)
        answer, key = choice(rng, offered, winner), ("first", "second", "third")[winner]
        yield ask(
            truth, rng, "layout.wall", _WALL_WHICH, answer, key, about=offered, most=most, list=either, group=group
        )


def box_answer(box: Box3D) -> tuple[Answer, Text]:
    """A box as an answer, to the centimetre, with its words."""
    center, size, yaw = upright_box(box)
    # A box looks the same after half a turn.
    yaw = float((yaw + np.pi / 2) % np.pi - np.pi / 2)
    answer = Box(
        center_world=[round(float(v), 3) for v in center],
        size_m=[max(round(float(v), 3), 0.001) for v in size],
        yaw_rad=round(yaw, 4),
    )
    c, s = ", ".join(f"{v:.2f}" for v in center), " x ".join(f"{v:.2f}" for v in size)
    turned = round(np.degrees(yaw)) + 0.0
    return answer, {
        "en": f"centre ({c}) m, size {s} m, yaw {turned:.0f} degrees",
        "zh": f"中心({c})米，尺寸{s.replace('x', '×')}米，偏航角{turned:.0f}度",
    }


def when_said(truth: SceneTruth, object_id: int) -> Said | None:
    """At which moment a box is meant: none for what stays still, the last frame for what is seen there; else it is not asked."""
    if object_id in {r.object_id for r in still_named(truth, skip=frozenset())}:
        return Said("in the video", "视频中")
    return Said("in the last frame", "最后一帧中") if bool(seen_mask(truth, object_id)[-1]) else None


def box(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """The box of a thing in the clip's world frame, which a model has from the camera poses."""
    for a in at_most(rng, list(referable(truth).values()), MANY):
        when = when_said(truth, a.object_id)
        if when is None or not _wholly_seen(truth, a):
            continue
        answer = box_answer(truth.object(a.object_id).box())
        yield ask(truth, rng, "layout.box", _BOX, answer, a.category, about=(a,), frame="world", a=a, when=when)


def _wholly_seen(truth: SceneTruth, a: Reference) -> bool:
    """Whether some frame shows most of the object, so that its size can be told."""
    return bool((truth.visible_share[:, truth.index(a.object_id)] > 0.6).any())


def free_space(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Which third of the view has the most free floor before the camera: rays on the floor to boxes and walls, up to 4 m.

    The best third's mean reach exceeds the next by 30 % and 0.5 m. Asked only where all things are known and those in the way are
    seen, at the first and the last frame.
    """
    if not truth.complete or truth.room is None:
        return
    for at in (0, truth.num_frames - 1):
        axes = level_axes(truth, at)
        if axes is None or not bool(is_known(truth.k_px[at])):
            continue
        half = float(np.degrees(np.arctan2(truth.size_hw[1] / 2, truth.k_px[at, 0, 0])))
        angles = np.linspace(half, -half, 31)[1:-1:2]  # 15 rays from left to right
        reach = np.array([_reach_m(truth, at, axes, float(angle)) for angle in angles])
        thirds = reach.reshape(3, 5).mean(axis=1)
        order = np.argsort(-thirds)
        best, next_best = float(thirds[order[0]]), float(thirds[order[1]])
        if best - next_best < max(0.5, 0.3 * next_best):
            continue
        names = ("left", "middle", "right")
        words = (Said("the left", "左边"), Said("the middle", "中间"), Said("the right", "右边"))
        answer = choice(rng, words, int(order[0]))
        yield ask(
            truth, rng, "layout.free_space", _FREE, answer, names[int(order[0])], about=(), at=at, frame="observer"
        )


def _reach_m(truth: SceneTruth, at: int, axes: Float64[np.ndarray, "2 2"], angle_deg: float) -> float:
    """How far one may go on the floor from the camera in a direction before meeting a box or a wall, at most 4 m."""
    angle = np.radians(angle_deg)
    way = axes[0] * np.cos(angle) + axes[1] * np.sin(angle)
    start = truth.world_from_camera[at, :2, 3]
    polygons = [] if truth.room is None else [truth.room.floor_polygon_m]
    for thing in truth.objects:
        pose = thing.world_from_object[at]
        low = pose[2, 3] - float(np.abs(pose[2, :3]) @ thing.size_m / 2)
        if bool(is_known(pose)) and low < 1.0 and thing.category not in FLAT:
            polygons.append(footprint(thing.box(at)))
    reach = 4.0
    for polygon in polygons:
        edges = np.roll(polygon, -1, axis=0) - polygon
        cross = way[0] * edges[:, 1] - way[1] * edges[:, 0]
        offset = polygon - start
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (offset[:, 0] * edges[:, 1] - offset[:, 1] * edges[:, 0]) / cross
            u = (offset[:, 0] * way[1] - offset[:, 1] * way[0]) / cross
        hits = t[(t > 0) & (u >= 0) & (u <= 1)]
        if hits.size:
            reach = min(reach, float(hits.min()))
    return reach
