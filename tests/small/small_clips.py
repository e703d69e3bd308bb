"""Small clips made by hand: random pixels, a few boxes, a mover with what it will do."""

import numpy as np

from video3d.data.row import Choice, Row
from video3d.data.truth import ClipData, Contact, ObjectTruth, Removal, Rollout, RoomTruth, SceneTruth, SignalTruth

FRAMES, SIZE = 3, (32, 40)


def pose(x: float, y: float, z: float, yaw: float = 0.0) -> np.ndarray:
    out = np.eye(4)
    out[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    out[:3, 3] = x, y, z
    return out


def small_clip(number: int = 0, *, split: str = "train", pixels: bool = True) -> ClipData:
    rng = np.random.default_rng(number)
    times = np.arange(FRAMES) * 0.2
    grid = np.arange(21) * 0.04
    paths = np.stack(
        [np.stack([pose(1.0, 0.5, 0.3) for _ in grid]), np.stack([pose(t, 0.0, 0.1, t) for t in grid])], axis=1
    )
    cameras = np.stack([pose(0, 0.01 * i, 1.5) for i in range(len(grid))])
    shown = [0, 5, 10]
    things = tuple(
        ObjectTruth(
            object_id=i + 1, category=name, kind="furniture" if i == 0 else "experiment", motion="static" if i == 0 else "dynamic",
            size_m=np.array([0.6, 0.5, 0.6 - 0.4 * i]), world_from_object=paths[shown, i], color=(None, "red")[i],
            supported_by=0, has_front=i == 0,
        )
        for i, name in enumerate(("chair", "ball"))
    )  # fmt: skip
    contacts = (Contact(first_id=2, second_id=0, begin_s=0.0, end_s=0.8),)
    rollouts = tuple(
        Rollout(times_s=grid, world_from_object=paths + 0.0, world_from_camera=cameras, contacts=contacts)
        for _ in range(2)
    )
    truth = SceneTruth(
        clip_id=f"clip-{number:03d}", scene_id=f"room-{number}", source="simulated", licence="CC0-1.0", domain="indoor", split=split,
        scenario="floor_roll", viewer="robot", size_hw=SIZE, times_s=times,
        k_px=np.broadcast_to([[30.0, 0, 20], [0, 30, 16], [0, 0, 1]], (FRAMES, 3, 3)).copy(),
        world_from_camera=cameras[shown], objects=things, visible_px=rng.integers(0, 90, (FRAMES, 2)),
        visible_share=rng.random((FRAMES, 2)).round(4).astype(np.float32), seed=number,
        room=RoomTruth(floor_polygon_m=np.array([[-2.0, -2], [2, -2], [2, 2], [-2, 2]]), height_m=2.5), rollouts=rollouts,
        removals=(Removal(removed_id=1, fallen_ids=(2,), stay_ids=()),),
        signal=SignalTruth(object_id=1, shown=("red",) * FRAMES, after="green"),
    )  # fmt: skip
    depth = rng.uniform(0.5, 8, (FRAMES, *SIZE)).astype(np.float32)
    depth[:, :4] = np.nan
    smooth = np.linspace(0, 255, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint8)
    return ClipData(
        truth=truth,
        rgb=np.repeat(smooth[None, :, :, None], FRAMES, 0).repeat(3, 3),
        depth_m=depth if pixels else None,
        instance=rng.integers(0, 3, (FRAMES, *SIZE)).astype(np.uint16) if pixels else None,
        notes=("made by hand",),
    )


def small_row(clip: ClipData, number: int = 0) -> Row:
    truth = clip.truth
    options = [{"en": "the chair", "zh": "椅子"}, {"en": "the ball", "zh": "球"}]
    return Row(
        row_id=f"{truth.clip_id}.{number}", clip_id=truth.clip_id, scene_id=truth.scene_id, source=truth.source,
        licence=truth.licence, split=truth.split, domain=truth.domain, type="relation", subtype="relation.nearer_farther",
        frame="observer", question={"en": "Which is nearer?", "zh": "哪个更近？"}, answer=Choice(options=options, index=number % 2),
        answer_text=options[number % 2], object_ids=[1, 2], evidence_frames=[0, 2], seed=truth.seed,
    )  # fmt: skip


def write_small(root, numbers=range(4), **more):
    """A whole small data set; returns it opened."""
    from video3d.data.store import open_dataset, write_manifest, write_rows, write_shard

    clips = {
        split: [small_clip(n, split=split) for n in numbers if (n % 4 == 3) == (split == "test")]
        for split in ("train", "test")
    }
    for split, found in clips.items():
        if found:
            write_shard(root / "clips" / f"{split}-00000.parquet", found)
            write_rows(root / f"{split}.jsonl", [small_row(clip, k) for clip in found for k in range(2)])
    write_manifest(root, {"command": "test", **more})
    return open_dataset(root)
