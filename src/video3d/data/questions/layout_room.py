"""The room as a whole: its extent, its height, how many things of a kind are in it."""

from collections.abc import Iterable

import numpy as np

from video3d import vocabulary
from video3d.data.questions.arrangement import polygon_area_m2
from video3d.data.questions.asking import ask
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.confusion import confused, nameable
from video3d.data.questions.layout_metric import bin_of
from video3d.data.questions.references import name_of
from video3d.data.questions.visibility import ever_seen, evidence, well_seen
from video3d.data.questions.wording import Said, Wordings, number
from video3d.data.truth import SceneTruth
from video3d.geometry.rigid import inverse_rigid, is_known, transform_points

_SIDE = Wordings(
    en=(
        "How long is the {side} wall of the room, in metres?",
        "The room is rectangular: how many metres is its {side} side?",
        "Estimate the {side} side of the room's floor in metres.",
        "What does the room measure along its {side} side, in metres?",
    ),
    zh=(
        "房间{side}的一边有多少米？",
        "这个长方形房间{side}的一面墙长多少米？",
        "估计一下房间地面{side}那一边的长度（米）。",
    ),
)
_AREA = Wordings(
    en=(
        "How large is the floor of the room, in square metres?",
        "What is the floor area of this room in square metres?",
        "Estimate the area of the room in square metres.",
        "How many square metres does the room have?",
    ),
    zh=("这个房间的地面面积是多少平方米？", "房间有多少平方米？", "估计一下房间的面积（平方米）。"),
)
_CEILING = Wordings(
    en=(
        "How high is the room, from floor to ceiling, in metres?",
        "What is the height of the ceiling above the floor, in metres?",
        "How many metres is it from the floor to the ceiling?",
        "Estimate the ceiling height of this room in metres.",
    ),
    zh=("房间从地板到天花板有多高（米）？", "天花板离地面多少米？", "估计一下房间的层高（米）。"),
)
_COUNT = Wordings(
    en=(
        "How many {things} can be seen in the video?",
        "Over the whole video, how many different {things} are visible?",
        "How many {things} does the video show in total?",
        "Count the {things} that appear in the video. How many are there?",
    ),
    zh=(
        "视频中一共能看到多少{things}？",
        "整段视频里出现了几{things}？",
        "数一数，视频中共有几{things}？",
    ),
)


def corners_seen(truth: SceneTruth, heights: tuple[float, ...]) -> np.ndarray:
    """For every corner of the room, whether some frame has it in the picture at one of these shares of the room's height."""
    if truth.room is None:
        return np.zeros(0, dtype=bool)
    return _in_picture(truth, truth.room.floor_polygon_m, heights)


def _in_picture(truth: SceneTruth, places_m: np.ndarray, heights: tuple[float, ...]) -> np.ndarray:
    """For every place of the floor, whether some frame has it in the picture at one of these shares of the room's height."""
    seen = np.zeros(len(places_m), dtype=bool)
    high_m = truth.room.height_m if truth.room is not None else 0.0
    for share in heights:
        points = np.column_stack([places_m, np.full(len(places_m), share * high_m)])
        for frame in range(truth.num_frames):
            pose, k_px = truth.world_from_camera[frame], truth.k_px[frame]
            if not bool(is_known(pose)):
                continue
            camera = transform_points(inverse_rigid(pose), points)
            z = np.where(camera[:, 2] > 0.1, camera[:, 2], np.nan)
            pixels = (camera @ k_px[:2].T) / z[:, None]
            with np.errstate(invalid="ignore"):
                seen |= ((pixels > 0) & (pixels < np.array(truth.size_hw[::-1]))).all(axis=1)
    return seen


_STEPS = np.linspace(0.0, 1.0, 21)
_WALL_SHARE = 0.25


def _sides_shown(truth: SceneTruth) -> tuple[bool, bool]:
    """Of a rectangular room, whether the video shows how long its first and its second edge are.

    A length is shown where some of both walls at its ends is in the picture (a quarter of each), or the whole wall along it.
    """
    if truth.room is None or _sides(truth) is None:
        return False, False
    polygon = truth.room.floor_polygon_m
    walls = [a + _STEPS[:, None] * (b - a) for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)]
    share = [float(_in_picture(truth, wall, (0.3, 0.5, 0.7)).mean()) for wall in walls]
    whole = [
        _in_picture(truth, wall[[0, -1]], (0.3, 0.5, 0.7)).all() and part > 0.9
        for wall, part in zip(walls, share, strict=True)
    ]

    def shown(edge: int) -> bool:
        ends = min(share[edge + 1], share[(edge + 3) % 4]) >= _WALL_SHARE
        return bool(ends or whole[edge] or whole[edge + 2])

    return shown(0), shown(1)


def _extent_shown(truth: SceneTruth) -> bool:
    """Whether the video shows how far the room reaches: both lengths of a rectangle, else three quarters of its corners."""
    if all(_sides_shown(truth)):
        return True
    seen = corners_seen(truth, (0.0, 0.25, 0.5, 0.75, 1.0))
    return bool(seen.size) and float(seen.mean()) >= 0.75


def _sides(truth: SceneTruth) -> tuple[float, float] | None:
    """The shorter and the longer side of a rectangular room, None for another."""
    if truth.room is None or len(truth.room.floor_polygon_m) != 4:
        return None
    edges = np.roll(truth.room.floor_polygon_m, -1, axis=0) - truth.room.floor_polygon_m
    lengths = np.linalg.norm(edges, axis=1)
    square = abs(float(edges[0] @ edges[1])) < 0.02 * lengths[0] * lengths[1]
    if not square or abs(lengths[0] - lengths[2]) > 0.05 or abs(lengths[1] - lengths[3]) > 0.05:
        return None
    low, high = sorted((float(lengths[0]), float(lengths[1])))
    return low, high


def room_extent(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """The longer and the shorter side of a rectangular room that are told apart (10 %).

    Where only one length is shown, it is asked about if it is the shorter one and the other is seen to be longer as far as the
    video shows the room.
    """
    sides = _sides(truth)
    if truth.room is None or sides is None or sides[1] < 1.1 * sides[0]:
        return
    for value, side in zip(sides, (Said("shorter", "较短"), Said("longer", "较长")), strict=True):
        if not _extent_shown(truth) and not (side.en == "shorter" and _shorter_shown(truth, sides[0])):
            continue
        key = bin_of(value, 3, 4, 5, 6, 8)
        answer = number(value, "m", max(0.4, 0.12 * value))
        yield ask(truth, rng, "layout.room_extent", _SIDE, answer, key, about=(), side=side)


def _shorter_shown(truth: SceneTruth, shorter_m: float) -> bool:
    """Whether the shorter side's length is shown, and so much of the room that the other is known to be longer."""
    if truth.room is None:
        return False
    polygon = truth.room.floor_polygon_m
    edges = np.diff(polygon[:3], axis=0)
    short = int(np.argmin(np.linalg.norm(edges, axis=1)))
    if not _sides_shown(truth)[short]:
        return False
    along = edges[1 - short] / np.linalg.norm(edges[1 - short])
    walls = np.concatenate(
        [a + _STEPS[:, None] * (b - a) for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)]
    )
    seen = walls[_in_picture(truth, walls, (0.3, 0.5, 0.7))] @ along
    return bool(seen.size) and float(np.ptp(seen)) >= 1.1 * shorter_m


def room_area(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """The floor's area."""
    if truth.room is None or not _extent_shown(truth):
        return
    value = polygon_area_m2(truth.room.floor_polygon_m)
    key = bin_of(value, 12, 18, 25, 35, 50)
    yield ask(truth, rng, "layout.room_area", _AREA, number(value, "m2", 0.2 * value, digits=0), key, about=())


def room_height(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """From floor to ceiling, where the video shows a corner below and one above."""
    if truth.room is None or not bool(corners_seen(truth, (1.0,)).any()) or not bool(corners_seen(truth, (0.0,)).any()):
        return
    value = truth.room.height_m
    key = bin_of(value, 2.4, 2.6, 2.8, 3.0, 3.3)
    yield ask(truth, rng, "layout.room_height", _CEILING, number(value, "m", 0.1 * value, digits=2), key, about=())


def count(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """How many things of a name are seen: each well, none badly, and nothing seen that might pass for one."""
    if not truth.complete:
        return
    for category in sorted({o.category for o in truth.objects}):
        if not nameable(category):
            continue
        same = [o for o in truth.objects if o.category == category and ever_seen(truth, o.object_id)]
        alike = [o for o in truth.objects if o.category != category and confused(o.category, category)]
        clear = all(well_seen(truth, o.object_id, min_frames=1) for o in same)
        named = name_of(category)
        if not same or not clear or named is None or any(ever_seen(truth, o.object_id) for o in alike):
            continue
        entry = vocabulary.category(category)
        things = Said(entry.plural.replace("tv", "TV"), f"{entry.measure_zh}{entry.zh}")
        answer = number(len(same), "count")
        made = ask(truth, rng, "layout.count", _COUNT, answer, str(len(same)), about=(), things=things)
        ids = tuple(o.object_id for o in same)
        yield _about(made, truth, ids, category)


def _about(made: Candidate, truth: SceneTruth, ids: tuple[int, ...], category: str) -> Candidate:
    from dataclasses import replace

    return replace(
        made, object_ids=ids, evidence_frames=evidence(truth, ids), group=f"{made.subtype}:{category.replace(' ', '_')}"
    )
