"""Movers: things that a viewer of the last frames can see moving, and where things are in relation to them.

Physics that is not visible is not asked. A mover must be seen in one of the last two frames, and its motion must show: at least
5 cm, or 8 pixels in the last picture, over the last frames shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    MOVING_MPS,
    Side,
    at,
    bearing_deg,
    centers,
    horizon_s,
    last_shown_s,
    speed_mps,
    velocity_mps,
)
from video3d.data.questions.references import Reference, refer, referable
from video3d.data.questions.visibility import evidence, seen_mask
from video3d.data.questions.wording import Said
from video3d.data.row import Answer, Frame, Text, YesNo
from video3d.data.truth import GROUND, WALL, ObjectTruth, SceneTruth

FLAT = frozenset({"rug", "carpet", "mat", "crossing", "ramp", "stair", "window", "curtain"})
"""Categories that are no place to stop at: one lies on them or cannot come near."""
_LIVING = frozenset({"person", "animal", "vehicle"})
_DRIVEN = frozenset({"cart", "toy car", "toy train", "toy plane"})
SHOWN_M = 0.05
SHOWN_PX = 8.0
_RECENT = 4  # frames over which motion must show

SIDES: dict[Side, Said] = {
    "left": Said("to the left", "向左"),
    "right": Said("to the right", "向右"),
    "toward": Said("toward the camera", "朝向相机"),
    "away": Said("away from the camera", "远离相机"),
}
GROUND_WORDS = {"indoor": Said("the floor", "地板"), "street": Said("the ground", "地面")}
WALL_WORDS = {"indoor": Said("a wall", "墙"), "street": Said("a building", "建筑物")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """A thing that is seen to move.

    Attributes:
        said: its words.
        column: where it stands in the truth's objects.
        thing: its truth.
    """

    said: Reference
    column: int
    thing: ObjectTruth

    @property
    def object_id(self) -> int:
        """Its id."""
        return self.said.object_id


def seen_late(truth: SceneTruth, object_id: int) -> bool:
    """Whether one of the last two frames shows the object well."""
    return bool(seen_mask(truth, object_id)[-2:].any())


def late_references(truth: SceneTruth) -> dict[int, Reference]:
    """Objects that can be singled out and are seen in one of the last two frames."""
    return {i: said for i, said in referable(truth).items() if seen_late(truth, i)}


def landmarks(truth: SceneTruth) -> dict[int, Reference]:
    """Things that stay where they are, can be singled out and were seen: what a place can be told by."""
    said = referable(truth)
    return {
        thing.object_id: said[thing.object_id]
        for thing in truth.objects
        if thing.object_id in said
        and thing.category not in FLAT
        and (thing.motion == "static" or (thing.motion == "dynamic" and thing.kind in {"furniture", "prop", "plant"}))
    }


def moves_in_sight(truth: SceneTruth, object_id: int) -> bool:
    """Whether the frames shown make an object's motion visible."""
    thing = truth.object(object_id)
    if thing.motion == "static" or not seen_late(truth, object_id):
        return False
    frames = np.flatnonzero(seen_mask(truth, object_id))[-_RECENT:]
    places = thing.world_from_object[frames, :3, 3]
    places = places[np.isfinite(places).all(axis=1)]
    if len(places) < 2:
        return False
    if float(np.linalg.norm(places[-1] - places[0])) >= SHOWN_M:
        return True
    pixels = project(truth, places[[0, -1]], truth.num_frames - 1)
    return bool(np.isfinite(pixels).all()) and float(np.linalg.norm(pixels[1] - pixels[0])) >= SHOWN_PX


def project(truth: SceneTruth, points_world: Float64[np.ndarray, "p 3"], frame: int) -> Float64[np.ndarray, "p 2"]:
    """Pixels of points in a frame shown; NaN behind the camera."""
    pose = truth.world_from_camera[frame]
    points_camera = (points_world - pose[:3, 3]) @ pose[:3, :3]
    points_px = points_camera @ truth.k_px[frame].T
    depth = np.where(points_camera[:, 2:] > 0.05, points_camera[:, 2:], np.nan)
    return points_px[:, :2] / depth


def goes_by_itself(thing: ObjectTruth) -> bool:
    """Whether a thing on a path of its own is one that viewers expect to have one: who walks, vehicles, toys that drive.

    The others are helpers of an experiment: what holds something and is drawn away, what pushes or lifts. Nothing can be told of
    what they will do next.
    """
    return thing.motion == "scripted" and (thing.kind in _LIVING or thing.category in _DRIVEN)


def movers(truth: SceneTruth, *, colliding: bool = False) -> tuple[Mover, ...]:
    """The things that are seen to move and still move at the last frame shown, where what comes next is known.

    Helpers of an experiment that move as a script says are none (:func:`goes_by_itself`).

    Args:
        truth: the clip's.
        colliding: leave out what follows a way of its own, such as vehicles and people: no physics makes it hit anything.
    """
    if not truth.rollouts:
        return ()
    found, now = [], last_shown_s(truth)
    for column, thing in enumerate(truth.objects):
        if thing.motion == "scripted" and (colliding or not goes_by_itself(thing)):
            continue
        if thing.motion == "static" or not moves_in_sight(truth, thing.object_id):
            continue
        if speed_mps(truth.rollouts[0], column, now) < MOVING_MPS:
            continue
        said = refer(truth, thing.object_id)
        if said is not None:
            found.append(Mover(said=said, column=column, thing=thing))
    return tuple(found)


def in_the_way(
    truth: SceneTruth, mover: Mover, said: Mapping[int, Reference], *, within_deg: float = 60.0
) -> list[int]:
    """Ids of things that a viewer might expect a mover to meet, nearest first.

    They lie within an angle of the way it goes, at most 4 m (indoors; 30 m in the street) off, are not what carries it, and do
    not lie far above or below it.
    """
    now, rollout = last_shown_s(truth), truth.rollouts[0]
    velocity = velocity_mps(rollout, mover.column, now)[:2]
    here = mover.thing.world_from_object[-1, :3, 3]
    reach_m = 4.0 if truth.domain == "indoor" else 30.0
    found: list[tuple[float, int]] = []
    for object_id in said:
        thing = truth.object(object_id)
        if object_id in (mover.object_id, mover.thing.supported_by) or thing.category in FLAT:
            continue
        place = thing.world_from_object[-1, :3, 3]
        offset = (place - here)[:2]
        gap = gap_m(here, thing.world_from_object[-1], thing.size_m)
        cosine = float(offset @ velocity / max(1e-9, float(np.linalg.norm(offset)) * float(np.linalg.norm(velocity))))
        if np.isfinite(gap) and gap <= reach_m and cosine >= np.cos(np.radians(within_deg)):
            found.append((gap, object_id))
    return [object_id for _, object_id in sorted(found)]


def around(truth: SceneTruth, mover: Mover, said: Mapping[int, Reference], taken: Sequence[int]) -> list[int]:
    """Ids of things near a mover wherever it goes, nearest first: to fill up options where little lies in its way."""
    here = mover.thing.world_from_object[-1, :3, 3]
    gaps = [
        (gap_m(here, truth.object(i).world_from_object[-1], truth.object(i).size_m), i)
        for i in said
        if i not in (*taken, mover.object_id, mover.thing.supported_by) and truth.object(i).category not in FLAT
    ]
    return [i for gap, i in sorted(gaps) if np.isfinite(gap)]


def gap_m(
    point_world: Float64[np.ndarray, "3"], world_from_box: Float64[np.ndarray, "4 4"], size_m: Float64[np.ndarray, "3"]
) -> float:
    """Distance from a point to a box, 0 inside."""
    point_box = (point_world - world_from_box[:3, 3]) @ world_from_box[:3, :3]
    return float(np.linalg.norm(np.maximum(np.abs(point_box) - size_m / 2, 0.0)))


def nearest_of(
    point_world: Float64[np.ndarray, "3"],
    poses: Mapping[int, Float64[np.ndarray, "4 4"]],
    truth: SceneTruth,
    *,
    ratio: float = 1.4,
    margin_m: float = 0.25,
) -> int | None:
    """Which of some objects a point is nearest to, if clearly so: the next one is 1.4 times and 25 cm farther."""
    gaps = sorted((gap_m(point_world, pose, truth.object(i).size_m), i) for i, pose in poses.items())
    if len(gaps) < 2 or not np.isfinite([gap for gap, _ in gaps]).all():
        return None
    (near, object_id), (next_, _) = gaps[0], gaps[1]
    return object_id if next_ >= near * ratio and next_ - near >= margin_m else None


def side_in_last_frame(truth: SceneTruth, vector_world: Float64[np.ndarray, "3"]) -> float | None:
    """Bearing of a horizontal direction for someone who looks along the camera of the last frame; None if undefined."""
    return bearing_deg(vector_world, truth.world_from_camera[-1])


def words_for(truth: SceneTruth, object_id: int, said: Mapping[int, Reference]) -> Said | Reference | None:
    """Words for a contact's partner: an object's reference, the floor or a wall."""
    if object_id == GROUND:
        return GROUND_WORDS[truth.domain]
    if object_id == WALL:
        return WALL_WORDS[truth.domain]
    return said.get(object_id)


def key_of(truth: SceneTruth, object_id: int) -> str:
    """What a contact's partner means to the selection: its category, ``floor`` or ``wall``."""
    if object_id in (GROUND, WALL):
        return "floor" if object_id == GROUND else "wall"
    return truth.object(object_id).category


def seconds(value_s: float) -> Said:
    """A time span in words.

    >>> seconds(2.0).en, seconds(1.0).en, seconds(0.5).zh
    ('2 seconds', '1 second', '0.5秒')
    """
    short = f"{value_s:g}"
    return Said(f"{short} second" if short == "1" else f"{short} seconds", f"{short}秒")


_STIRRED_PX = 3.0


def asked_span_s(truth: SceneTruth, most_s: float = 3.0) -> float | None:
    """The time after the last frame that a question asks about: what all rollouts cover, at most some; None below 1 s."""
    span = min(most_s, horizon_s(truth))
    return span if span >= 1.0 else None


def foreseeable_span_s(truth: SceneTruth) -> float | None:
    """As ``asked_span_s``, and None where a helper of the experiment does what no frame has let expect (``sudden_helper``)."""
    span = asked_span_s(truth)
    return None if span is None or sudden_helper(truth, span) else span


def sudden_helper(truth: SceneTruth, span: float) -> bool:
    """Whether what holds or pushes something begins to move so late that nobody has seen it move."""
    if not truth.rollouts:
        return False
    now, rollout = last_shown_s(truth), truth.rollouts[0]
    for column, thing in enumerate(truth.objects):
        if thing.motion != "scripted" or goes_by_itself(thing):
            continue
        way = centers(rollout, column)[at(rollout, now) : at(rollout, now + span) + 1]
        goes = len(way) > 1 and float(np.linalg.norm(way - way[0], axis=1).max()) > SHOWN_M
        if goes and not _shown_moving(truth, thing):
            return True
    return False


def _shown_moving(truth: SceneTruth, thing: ObjectTruth) -> bool:
    """Whether the last frame shows a thing elsewhere than where it was first, by as little as an eye can tell."""
    here, before = project(truth, thing.world_from_object[[-1, 0], :3, 3], truth.num_frames - 1)
    return bool(np.linalg.norm(here - before) >= _STIRRED_PX)


def will(value: bool) -> tuple[YesNo, Text]:
    """Yes or no to "will it ...?"."""
    return YesNo(value=value), {"en": "yes", "zh": "会"} if value else {"en": "no", "zh": "不会"}


def made(
    truth: SceneTruth,
    subtype: str,
    question: Text,
    answered: tuple[Answer, Text],
    key: str,
    ids: Sequence[int],
    *,
    group: str,
    frame: Frame = "none",
    tags: tuple[str, ...] = (),
) -> Candidate:
    """A candidate of physics or action, with the frames that show its objects and the last one as evidence.

    Args:
        truth: the clip's.
        subtype: with its type before the dot.
        question: worded.
        answered: the answer and its words.
        key: for balancing.
        ids: objects named.
        group: candidates of one fact share it.
        frame: in whose frame the words are.
        tags: kept with it.
    """
    answer, words = answered
    return Candidate(
        type="physics" if subtype.startswith("physics.") else "action",
        subtype=subtype,
        question=question,
        answer=answer,
        answer_text=words,
        answer_key=key,
        frame=frame,
        object_ids=tuple(ids),
        evidence_frames=evidence(truth, ids, frame=-1),
        group=f"{subtype}:{group}",
        tags=tags,
    )
