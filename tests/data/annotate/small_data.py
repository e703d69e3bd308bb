"""A small data set made by hand: one room of boxes, its pixels cast ray by ray, and a row of every kind of answer."""

from pathlib import Path

import numpy as np

from video3d.data.row import Box, Choice, Direction, Number, Row, ShortText, YesNo
from video3d.data.store import write_manifest, write_rows, write_shard
from video3d.data.truth import GROUND, ClipData, ObjectTruth, RoomTruth, SceneTruth

FRAMES, SIZE = 6, 96
ROOM = (-2.5, -0.5, 2.5, 4.5)
HOSTILE = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>Is it safe?"
_THINGS = (  # category, colour, centre on the floor, size, yaw in degrees, rgb
    ("table", None, (0.3, 3.0, 0.0), (1.4, 0.8, 0.75), 10.0, (150, 106, 70)),
    ("chair", "red", (-0.9, 2.4, 0.0), (0.5, 0.5, 0.9), 40.0, (190, 60, 52)),
    ("bookcase", None, (-1.6, 4.1, 0.0), (1.0, 0.35, 1.8), 0.0, (104, 84, 64)),
    ("box", "blue", (0.2, 3.0, 0.75), (0.35, 0.3, 0.25), 25.0, (58, 92, 168)),
    ("ball", "green", (1.2, 1.8, 0.0), (0.3, 0.3, 0.3), 0.0, (70, 150, 84)),
)
MOVER = 5  # the ball, which rolls to the left


def pose_of(position, yaw_deg=0.0) -> np.ndarray:
    """An upright pose."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    pose = np.eye(4)
    pose[:2, :2] = [[c, -s], [s, c]]
    pose[:3, 3] = position
    return pose


def camera_at(position, target) -> np.ndarray:
    """world_from_camera of an unrolled camera (OpenCV axes)."""
    forward = np.asarray(target, float) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0, 1])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = position
    return pose


def room_clip(clip_id: str = "room-0", *, size: int = SIZE, masks: bool = True) -> ClipData:
    """The room, seen by somebody who walks to the right."""
    k_px = np.array([[0.62 * size, 0, size / 2], [0, 0.62 * size, size / 2], [0, 0, 1.0]])
    cameras = np.stack([camera_at((-0.8 + 0.3 * f, 0.0, 1.5), (0.0, 3.2, 0.7)) for f in range(FRAMES)])
    objects = []
    for number, (category, color, (x, y, z), extents, yaw, _) in enumerate(_THINGS, start=1):
        slide = np.arange(FRAMES) * (-0.25 if number == MOVER else 0.0)
        poses = np.stack([pose_of((x + dx, y, z + extents[2] / 2), yaw) for dx in slide])
        objects.append(
            ObjectTruth(
                object_id=number,
                category=category,
                kind="experiment" if number == MOVER else "prop" if z else "furniture",
                motion="dynamic" if number == MOVER else "static",
                size_m=np.array(extents, float),
                world_from_object=poses,
                color=color,
                supported_by=1 if z else GROUND,
            )
        )
    pictures = [_cast(cameras[f], k_px, size, objects, f) for f in range(FRAMES)]
    instance = np.stack([ids for _, _, ids in pictures])
    visible = np.array([[(ids == o.object_id).sum() for o in objects] for ids in instance], np.int64)
    truth = SceneTruth(
        clip_id=clip_id,
        scene_id="scene-0",
        source="simulated",
        licence="CC0-1.0",
        domain="indoor",
        split="train",
        scenario="tour",
        viewer="person",
        size_hw=(size, size),
        times_s=np.arange(FRAMES) * 0.4,
        k_px=np.stack([k_px] * FRAMES),
        world_from_camera=cameras,
        objects=tuple(objects),
        visible_px=visible,
        visible_share=(visible > 0).astype(np.float32),
        seed=7,
        room=RoomTruth(floor_polygon_m=np.array([ROOM[:2], (2.5, -0.5), ROOM[2:], (-2.5, 4.5)]), height_m=2.6),
    )
    return ClipData(
        truth=truth,
        rgb=np.stack([rgb for rgb, _, _ in pictures]),
        depth_m=np.stack([depth for _, depth, _ in pictures]),
        instance=instance if masks else None,
    )


def _cast(world_from_camera, k_px, size, objects, frame):
    """Colour, z-depth and object ids of what every pixel's ray meets first; the ceiling is left open (unknown depth)."""
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    rays = np.stack([(x - k_px[0, 2]) / k_px[0, 0], (y - k_px[1, 2]) / k_px[1, 1], np.ones_like(x)], axis=-1)
    rays = rays @ world_from_camera[:3, :3].T  # z-depth 1 along each
    eye = world_from_camera[:3, 3]
    depth, ids = np.full((size, size), np.inf), np.zeros((size, size), np.uint16)
    rgb = np.full((size, size, 3), (176, 200, 222), float)
    walls = [
        (2, 0.0, (206, 192, 170)),
        (0, ROOM[0], (226, 224, 216)),
        (0, ROOM[2], (226, 224, 216)),
        (1, ROOM[3], (212, 216, 214)),
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis, at, color in walls:
            far = (at - eye[axis]) / rays[..., axis]
            point = eye + rays * far[..., None]
            inside = (point[..., 2] > -1e-6) & (point[..., 2] < 2.6) if axis != 2 else np.ones_like(x, bool)
            hit = (far > 0) & (far < depth) & inside
            squares = (np.floor(point[..., 0] * 2) + np.floor(point[..., 1] * 2)) % 2 if axis == 2 else np.ones_like(x)
            shade = 0.86 + 0.14 * squares
            depth[hit], ids[hit] = far[hit], 0
            rgb[hit] = (np.array(color) * shade[..., None])[hit]
        for found, thing in zip(objects, _THINGS, strict=True):
            pose, half = found.world_from_object[frame], found.size_m / 2
            start, way = (eye - pose[:3, 3]) @ pose[:3, :3], rays @ pose[:3, :3]
            near, far = (-half - start) / way, (half - start) / way
            low, high = np.minimum(near, far), np.maximum(near, far)
            enter = low.max(axis=-1)
            hit = (enter > 0) & (enter < high.min(axis=-1)) & (enter < depth)
            shade = np.array([0.72, 0.86, 1.0])[low.argmax(axis=-1)]
            depth[hit], ids[hit] = enter[hit], found.object_id
            rgb[hit] = (np.array(thing[5]) * shade[..., None])[hit]
    known = np.where(np.isfinite(depth), depth, np.nan).astype(np.float32)
    return rgb.clip(0, 255).astype(np.uint8), known, ids


def rows_of(clip_id: str = "room-0") -> list[Row]:
    """A row of every kind, the third with a hostile question."""
    same = {
        "clip_id": clip_id,
        "scene_id": "scene-0",
        "source": "simulated",
        "licence": "CC0-1.0",
        "split": "train",
        "domain": "indoor",
    }
    chair, ball = {"en": "the red chair", "zh": "红色的椅子"}, {"en": "the green ball", "zh": "绿色的球"}

    def row(number, subtype, question, answer, words, **more):
        return Row(
            row_id=f"{clip_id}.{number}", type=subtype.split(".")[0], subtype=subtype, question=question, answer=answer,
            answer_text=words, seed=7, **same, **more,
        )  # fmt: skip

    nearer = {
        "en": "In the last frame, which is nearer to you: the red chair or the green ball?",
        "zh": "在最后一帧中，哪个离你更近：红色的椅子还是绿色的球？",
    }
    box = Box(center_world=[-0.9, 2.4, 0.45], size_m=[0.5, 0.5, 0.9], yaw_rad=float(np.radians(40)))
    return [
        row(0, "relation.nearer", nearer, Choice(options=[chair, ball], index=1), ball,
            frame="observer", object_ids=[2, 5], evidence_frames=[3, 5]),
        row(1, "layout.distance", {"en": "How far is the red chair from the table, centre to centre?", "zh": "红色的椅子离桌子有多远？"},
            Number(value=1.34, unit="m", tolerance=0.2), {"en": "1.3 m", "zh": "1.3 米"}, object_ids=[2, 1], evidence_frames=[0, 1, 2]),
        row(2, "physics.supports", {"en": HOSTILE}, YesNo(value=True), {"en": "<b>yes</b>"}, object_ids=[1, 4], evidence_frames=[2]),
        row(3, "action.ball_way", {"en": "Which way does the green ball roll, seen from you?", "zh": "绿色的球往哪边滚？"},
            Direction(value="left", angle_deg=90.0), {"en": "to the left", "zh": "向左"}, frame="observer", object_ids=[5],
            evidence_frames=[0, 5]),
        row(4, "grounding.phrase", {"en": "Where is the red chair?", "zh": "红色的椅子在哪里？"}, box, chair, frame="world",
            object_ids=[2], evidence_frames=[0]),
        row(5, "caption.scene", {"en": "Describe the room.", "zh": "描述这个房间。"}, ShortText(accept=["a room"]),
            {"en": "A table with a blue box on it, a red chair, a bookcase, and a ball that rolls.", "zh": "一张桌子。"}),
        row(6, "layout.count", {"en": "How many chairs are there?"}, Number(value=1, unit="count"), {"en": "1"}),
    ]  # fmt: skip


def write_data(root: Path, *, size: int = SIZE) -> Path:
    """The data set on disk: two clips, the second without masks, and nine rows."""
    write_shard(
        root / "clips" / "train-00000.parquet", [room_clip(size=size), room_clip("room-1", size=32, masks=False)]
    )
    write_rows(root / "train.jsonl", rows_of() + rows_of("room-1")[:2])
    write_manifest(root, {"command": "by hand"})
    return root
