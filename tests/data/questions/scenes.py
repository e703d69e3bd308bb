"""Hand-made scenes of known geometry: a few boxes, a camera, and the truth that follows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from video3d.data.questions.visibility import with_visibility
from video3d.data.row import Row
from video3d.data.truth import GROUND, ObjectTruth, RoomTruth, SceneTruth

FRAMES = 4


def yaw_pose(position, yaw_deg: float = 0.0) -> np.ndarray:
    """world_from_object of an upright thing."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    pose = np.eye(4)
    pose[:2, :2] = [[c, -s], [s, c]]
    pose[:3, 3] = position
    return pose


def look_at(position, target) -> np.ndarray:
    """world_from_camera of an unrolled camera (OpenCV axes)."""
    position, target = np.asarray(position, float), np.asarray(target, float)
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0, 1])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = position
    return pose


def thing(
    object_id: int,
    category: str,
    at: Sequence[float],
    size: Sequence[float] = (0.5, 0.5, 0.5),
    *,
    yaw_deg: float = 0.0,
    path: Sequence[Sequence[float]] | None = None,
    frames: int = FRAMES,
    **more,
) -> ObjectTruth:
    """A box. ``at`` is the middle of its bottom; ``path`` gives a place a frame instead."""
    places = [at] * frames if path is None else path
    poses = np.stack([yaw_pose((x, y, z + size[2] / 2), yaw_deg) for x, y, z in places])
    settings = {"kind": "furniture", "motion": "static" if path is None else "dynamic", "supported_by": GROUND} | more
    return ObjectTruth(
        object_id=object_id, category=category, size_m=np.array(size, float), world_from_object=poses, **settings
    )


def scene(
    things: Sequence[ObjectTruth],
    cameras: Sequence[np.ndarray] | np.ndarray | None = None,
    *,
    frames: int = FRAMES,
    focal: float = 0.6,
    room: tuple[float, float, float, float, float] | None = None,
    **more,
) -> SceneTruth:
    """A clip of these things: visibility is made from their boxes.

    By default the camera stands at (0, 0, 1.5) and looks along +y, a little down; ``focal`` is in picture widths (0.6: 80
    degrees wide). ``room`` is x0, y0, x1, y1 and the height.
    """
    if cameras is None:
        cameras = look_at((0, 0, 1.5), (0, 4, 0.7))
    poses = np.stack([cameras] * frames) if isinstance(cameras, np.ndarray) and cameras.ndim == 2 else np.stack(cameras)
    frames = len(poses)
    k_px = np.array([[focal * 224, 0, 112], [0, focal * 224, 112], [0, 0, 1.0]])
    built = None
    if room is not None:
        x0, y0, x1, y1, height = room
        built = RoomTruth(floor_polygon_m=np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float), height_m=height)
    settings = {"domain": "indoor", "split": "train", "scenario": "tour", "viewer": "person"} | more
    truth = SceneTruth(
        clip_id="clip-0",
        scene_id="scene-0",
        source="simulated",
        licence="Apache-2.0",
        size_hw=(224, 224),
        times_s=np.arange(frames) * 0.25,
        k_px=np.stack([k_px] * frames),
        world_from_camera=poses,
        objects=tuple(things),
        visible_px=np.zeros((frames, len(things)), np.int64),
        visible_share=np.full((frames, len(things)), np.nan, np.float32),
        room=built,
        **settings,
    )
    return with_visibility(truth)


def moved(truth: SceneTruth, world2_from_world: np.ndarray) -> SceneTruth:
    """The same clip described in another world frame (turned about +z and shifted)."""
    room = truth.room
    if room is not None:
        polygon = room.floor_polygon_m @ world2_from_world[:2, :2].T + world2_from_world[:2, 3]
        room = replace(room, floor_polygon_m=polygon)
    objects = tuple(replace(o, world_from_object=world2_from_world @ o.world_from_object) for o in truth.objects)
    return replace(truth, room=room, objects=objects, world_from_camera=world2_from_world @ truth.world_from_camera)


def mirrored(truth: SceneTruth) -> SceneTruth:
    """The clip as a mirror beside the camera would show it: world x is negated, boxes stay boxes (indoor scenes without fronts)."""
    flip = np.diag([-1.0, 1, 1, 1])
    objects = tuple(
        replace(o, world_from_object=flip @ o.world_from_object @ np.diag([-1.0, 1, 1, 1])) for o in truth.objects
    )
    cameras = flip @ truth.world_from_camera @ np.diag([-1.0, 1, 1, 1])
    room = truth.room
    if room is not None:
        room = replace(room, floor_polygon_m=(room.floor_polygon_m * [-1, 1])[::-1].copy())
    return replace(truth, objects=objects, world_from_camera=cameras, room=room)


_FURNITURE = {
    "chair": (0.5, 0.5, 0.9),
    "table": (1.4, 0.8, 0.75),
    "sofa": (1.9, 0.9, 0.8),
    "bookcase": (1.0, 0.35, 1.8),
    "bed": (1.4, 2.0, 0.5),
    "piano": (1.5, 0.6, 1.1),
    "floor lamp": (0.4, 0.4, 1.6),
    "stove": (0.6, 0.6, 0.9),
    "potted plant": (0.5, 0.5, 1.0),
    "trash can": (0.3, 0.3, 0.5),
    "box": (0.5, 0.4, 0.4),
}
_PROPS = {
    "bottle": (0.12, 0.12, 0.3),
    "book": (0.25, 0.2, 0.06),
    "laptop": (0.35, 0.25, 0.25),
    "teddy bear": (0.3, 0.3, 0.4),
}
_FRONTS = {"chair", "sofa", "bookcase", "piano", "stove"}
_COLORS = ("red", "blue", "green", "yellow", "white", "black")


def sample_room(rng: np.random.Generator, *, frames: int = 8, num: int = 9) -> SceneTruth:
    """A random room: furniture that does not overlap, props on it, something in a basket, a picture, a camera that walks and turns."""
    width, depth, height = rng.uniform(4, 8), rng.uniform(4, 8), rng.uniform(2.4, 3.0)
    things: list[ObjectTruth] = []
    taken: list[tuple[float, float, float]] = []

    def free(radius: float) -> tuple[float, float] | None:
        for _ in range(30):
            x, y = rng.uniform(-width / 2 + radius, width / 2 - radius), rng.uniform(radius, depth - radius)
            if all(np.hypot(x - u, y - v) > radius + r + 0.1 for u, v, r in taken):
                taken.append((x, y, radius))
                return float(x), float(y)
        return None

    for name in rng.choice(sorted(_FURNITURE), size=num):
        size = np.array(_FURNITURE[str(name)]) * rng.uniform(0.8, 1.25)
        place = free(float(np.hypot(size[0], size[1]) / 2))
        if place is None:
            continue
        front = str(name) in _FRONTS
        color = str(rng.choice(_COLORS)) if rng.random() < 0.7 else None
        turn = float(rng.choice([0, 90, 180, 270])) + float(rng.uniform(-8, 8))
        made = {"color": color, "has_front": front, "yaw_deg": turn, "frames": frames}
        things.append(thing(len(things) + 1, str(name), (*place, 0.0), size, **made))
    for base in [t for t in things if t.category in ("table", "sofa", "bed", "piano", "box")]:
        for name in rng.choice(sorted(_PROPS), size=2, replace=False):
            top = base.size_m[2]
            slot = base.world_from_object[0, :3, :3] @ [rng.uniform(-0.3, 0.3) * base.size_m[0], 0, 0]
            inside = base.category == "box"
            at = (*(base.world_from_object[0, :2, 3] + slot[:2]), 0.05 if inside else top)
            color = str(rng.choice(_COLORS)) if rng.random() < 0.7 else None
            extra = {"kind": "prop", "color": color, "frames": frames, "supported_by": base.object_id}
            if inside:
                extra["inside_of"] = base.object_id
            things.append(thing(len(things) + 1, str(name), at, _PROPS[str(name)], **extra))
    hung = {"kind": "prop", "supported_by": None, "frames": frames}
    things.append(thing(len(things) + 1, "picture", (rng.uniform(-1, 1), depth - 0.03, 1.9), (0.9, 0.05, 0.6), **hung))
    start, end = rng.uniform(-1, 1, 2), rng.uniform(-1, 1, 2)
    turn = rng.uniform(-50, 50)
    cameras = []
    for share in np.linspace(0, 1, frames):
        x, y = (1 - share) * start + share * end
        aim = np.radians(90 + turn * (share - 0.5))
        position = np.array([x, 0.4 + 0.3 * abs(y), 1.5])
        cameras.append(look_at(position, position + np.array([np.cos(aim), np.sin(aim), -0.25])))
    return scene(things, cameras, room=(-width / 2, 0.0, width / 2, depth, height))


def as_row(candidate, truth: SceneTruth) -> Row:
    """The row that a candidate becomes; raises where it does not hold together."""
    return Row(
        row_id="row-0",
        clip_id=truth.clip_id,
        scene_id=truth.scene_id,
        source=truth.source,
        licence=truth.licence,
        split=truth.split,
        domain=truth.domain,
        type=candidate.type,
        subtype=candidate.subtype,
        frame=candidate.frame,
        question=candidate.question,
        answer=candidate.answer,
        answer_text=candidate.answer_text,
        object_ids=list(candidate.object_ids),
        evidence_frames=list(candidate.evidence_frames),
    )
