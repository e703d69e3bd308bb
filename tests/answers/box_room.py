"""A room whose truth is known by hand: a box of 5 x 4 x 2.6 m with a block for a table, seen with exact depth.

World: +z up, origin on the floor in a corner. The table is 0.75 m high and covers x 2..3.5, y 1.5..2.5.
"""

import numpy as np

from video3d.types import GeometryStatus, PosedClip, World

ROOM = np.array([5.0, 4.0, 2.6])
TABLE_LOW, TABLE_HIGH = np.array([2.0, 1.5, 0.0]), np.array([3.5, 2.5, 0.75])
SIZE_HW = (60, 80)
K_PX = np.array([[60.0, 0.0, 40.0], [0.0, 60.0, 30.0], [0.0, 0.0, 1.0]])
ALL_MEASURED = GeometryStatus(
    depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"
)


def look(position: tuple[float, float, float], yaw_deg: float, tilt_deg: float = -20.0) -> np.ndarray:
    """Pose of a level-held camera that looks along a heading (from +x, left positive) and up by a tilt."""
    yaw, tilt = np.radians([yaw_deg, tilt_deg])
    forward = np.array([np.cos(yaw) * np.cos(tilt), np.sin(yaw) * np.cos(tilt), np.sin(tilt)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = position
    return pose


def see(pose: np.ndarray) -> np.ndarray:
    """Exact z-depth of the room from a pose."""
    v, u = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    rays = np.stack(
        [(u + 0.5 - K_PX[0, 2]) / K_PX[0, 0], (v + 0.5 - K_PX[1, 2]) / K_PX[1, 1], np.ones(SIZE_HW)], axis=-1
    )
    rays = rays @ pose[:3, :3].T
    start = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        wall = np.where(rays > 0, (ROOM - start) / rays, -start / rays).min(axis=-1)
        near, far = (TABLE_LOW - start) / rays, (TABLE_HIGH - start) / rays
        enter, leave = np.minimum(near, far).max(axis=-1), np.maximum(near, far).min(axis=-1)
    hit = (enter < leave) & (enter > 0)
    return np.where(hit, np.minimum(enter, wall), wall).astype(np.float32)


# A walk along y = 0.6 from x = 0.5 to 2.5, turning left by 90 degrees, at 1.4 m and at last 1.5 m.
POSES = np.stack(
    [look((0.5 + 0.2 * i, 0.6, 1.4 + (0.1 if i == 10 else 0.0)), yaw_deg=20.0 + 9.0 * i) for i in range(11)]
)
TIME_S = np.arange(11) * 0.5


def make_clip(
    *,
    poses: np.ndarray = POSES,
    frame_index: np.ndarray | None = None,
    metric: bool = True,
    level: bool = True,
    status: GeometryStatus = ALL_MEASURED,
    piece: np.ndarray | None = None,
    time_s: np.ndarray | None = None,
) -> PosedClip:
    """The room as a clip; frame i of the recording is pose i unless ``frame_index`` says otherwise."""
    num = poses.shape[0]
    return PosedClip(
        frame_index=np.arange(num) if frame_index is None else frame_index,
        time_s=TIME_S[:num] if time_s is None else time_s,
        rgb=np.zeros((num, *SIZE_HW, 3), np.uint8),
        depth_m=np.stack([see(pose) for pose in poses]),
        k_px=np.repeat(K_PX[None], num, axis=0),
        world_from_camera=poses.copy(),
        piece=np.zeros(num, np.int64) if piece is None else piece,
        world=World(metric=metric, gravity_aligned=level, origin="the room's corner"),
        up_world=np.array([0.0, 0.0, 1.0]) if level else None,
        status=status,
    )
