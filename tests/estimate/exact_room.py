"""A ray-cast room with exact truth, and exact stand-ins for structure from motion and for a depth network."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from video3d.estimate import CameraEstimate
from video3d.geometry.align import align_trajectories
from video3d.types import Clip, PosedClip, Recording, World
from video3d.types.depth import DepthEstimate

HW = (36, 48)
NUM_FRAMES = 20
ROOM_M = np.array([5.0, 4.0, 2.6])
K = np.array([[40.0, 0, 24], [0, 40, 18], [0, 0, 1]])
UP = np.array([0.0, 0.0, 1.0])


def look(eye: np.ndarray, yaw: float) -> np.ndarray:
    """Pose of an upright camera that looks along ``yaw``, a little down."""
    z = np.array([np.cos(yaw), np.sin(yaw), -0.15])
    z /= np.linalg.norm(z)
    x = np.cross(z, UP)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :4] = np.stack([x, np.cross(z, x), z, eye], axis=1)
    return pose


def walk() -> np.ndarray:
    s = np.linspace(0, 1, NUM_FRAMES)
    eyes = np.stack([1 + 2.5 * s, 1 + 1.2 * s**2, 1.4 + 0.1 * np.sin(9 * s)], axis=1)
    return np.stack([look(eye, yaw) for eye, yaw in zip(eyes, 0.2 + 1.5 * s, strict=True)])


def ray_cast(pose: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[0 : HW[0], 0 : HW[1]] + 0.5
    rays = np.stack([x, y, np.ones(HW)], axis=-1) @ np.linalg.inv(K).T @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        reach = (np.where(rays > 0, ROOM_M, 0) - pose[:3, 3]) / rays
    return np.where(rays == 0, np.inf, reach).min(axis=-1).astype(np.float32)


POSES = walk()
DEPTH = np.stack([ray_cast(pose) for pose in POSES])


def room(**changes: Any) -> Recording:
    def load_rgb(indices: Sequence[int]) -> np.ndarray:
        """Every frame is painted with its own number, by which a test's network recognises it."""
        return np.broadcast_to(np.array(indices, np.uint8)[:, None, None, None], (len(indices), *HW, 3)).copy()

    return replace(
        Recording(
            source=Path("room"),
            format="test",
            size_hw=HW,
            time_s=np.arange(NUM_FRAMES) * 0.1,
            frame_names=tuple(f"{i}.png" for i in range(NUM_FRAMES)),
            load_rgb=load_rgb,
            load_depth_m=lambda indices: DEPTH[list(indices)],
            depth_size_hw=HW,
            k_px=np.broadcast_to(K, (NUM_FRAMES, 3, 3)).copy(),
            world_from_camera=POSES.copy(),
            up_world=UP,
            world=World(metric=True, origin="corner of the room"),
        ),
        **changes,
    )


MISSING = {
    "depth": {"load_depth_m": None, "depth_size_hw": None},
    "poses": {"world_from_camera": None, "up_world": None, "world": World()},
    "intrinsics": {"k_px": None},
}


def clip_of(recording: Recording, frames: Sequence[int] = range(0, NUM_FRAMES, 3)) -> Clip:
    index = np.array(frames, dtype=np.int64)
    return Clip(
        recording=recording,
        frame_index=index,
        time_s=recording.time_s[index],
        rgb=recording.load_rgb(index.tolist()),
        depth_m=recording.load_depth_m(index.tolist()) if recording.load_depth_m else None,
        k_px=recording.k_px[index] if recording.k_px is not None else None,
        world_from_camera=recording.world_from_camera[index] if recording.world_from_camera is not None else None,
    )


def without(*names: str, **changes: Any) -> Clip:
    dropped = {key: value for name in names for key, value in MISSING[name].items()}
    return clip_of(room(**dropped, **changes))


UNIT = 0.37  # of the reconstruction: one metre is 1 / 0.37 of its units


def exact_estimate(
    used: Sequence[int] = range(NUM_FRAMES),
    pieces: Sequence[int] | None = None,
    points_each: int = 60,
    units: Sequence[float] = (UNIT, 2.1),
) -> CameraEstimate:
    """Truth at a similarity of its own for every piece; frames of piece -1 are not registered."""
    rng = np.random.default_rng(5)
    used_index = np.array(used, dtype=np.int64)
    piece = np.zeros(len(used_index), np.int64) if pieces is None else np.array(pieces, np.int64)
    poses = np.full((len(used_index), 4, 4), np.nan)
    frames, px, depth = [], [], []
    for number in range(int(piece.max()) + 1):
        own_from_world = look(rng.normal(size=3), rng.uniform(0, 6))
        for i in np.flatnonzero(piece == number):
            poses[i] = own_from_world @ POSES[used_index[i]]
            poses[i][:3, 3] /= units[number]
            row, column = rng.integers(0, HW[0], points_each), rng.integers(0, HW[1], points_each)
            frames.append(np.full(points_each, i))
            px.append(np.stack([column, row], axis=1) + 0.5)
            depth.append(DEPTH[used_index[i], row, column] / units[number])
    empty = not frames
    return CameraEstimate(
        frame_index=used_index,
        k_px=np.where((piece >= 0)[:, None, None], K, 777.0 * np.eye(3)),  # of the others, a starting value
        world_from_camera=poses,
        piece=piece,
        observation_frame=np.zeros(0, np.int64) if empty else np.concatenate(frames).astype(np.int64),
        observation_px=np.zeros((0, 2), np.float32) if empty else np.concatenate(px).astype(np.float32),
        observation_depth=np.zeros(0, np.float32) if empty else np.concatenate(depth).astype(np.float32),
        reprojection_px=np.nan if empty else 0.4,
        notes=("structure from motion says a word",),
    )


FAILED = exact_estimate(pieces=[-1] * NUM_FRAMES)


class PerfectNetwork:
    """Knows the room's depth and tells it as a network of a kind would."""

    def __init__(self, kind: str, *, factor: float = 1.0, focal_px: float | None = None) -> None:
        self.name, self.licence, self.kind, self.factor, self.focal_px = (
            f"perfect {kind}",
            "none",
            kind,
            factor,
            focal_px,
        )
        self.metric = kind == "metric_depth"
        self.k_seen: np.ndarray | None = None

    def __call__(self, rgb: np.ndarray, k_px: np.ndarray | None = None) -> DepthEstimate:
        self.k_seen = k_px
        frames = rgb[:, 0, 0, 0].astype(int)
        values = self.factor * DEPTH[frames]
        if self.kind == "inverse_depth":  # another scale and shift in every frame
            wobble = (0.5 + 0.1 * (frames % 4))[:, None, None]
            values = (1 / DEPTH[frames] - 0.03 * wobble) / wobble
        focal = None if self.focal_px is None else np.full(len(rgb), self.focal_px)
        return DepthEstimate(values=values.astype(np.float32), kind=self.kind, focal_px=focal)


def statuses(posed: PosedClip) -> tuple[str, ...]:
    s = posed.status
    return s.depth, s.intrinsics, s.poses, s.scale, s.gravity


def notes(posed: PosedClip) -> str:
    return "\n".join(posed.status.notes)


def assert_same_path(posed: PosedClip, *, with_scale: bool) -> float:
    error = align_trajectories(POSES[posed.frame_index], posed.world_from_camera, with_scale=with_scale)
    assert error.num_compared == posed.num_frames
    assert error.position_max < 1e-3
    assert error.rotation_max_deg < 1e-3
    return error.scale
