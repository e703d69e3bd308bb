"""A street whose truth is known by hand: a plane and upright boxes, seen with exact depth by a camera 1.6 m over it.

World: +z up, x along the street, the road at z = 0 (or tilted). Boxes are (low, high) corners.
"""

import numpy as np

from video3d.types import Box3D, GeometryStatus, PosedClip, World

SIZE_HW = (96, 144)
K_PX = np.array([[110.0, 0.0, 72.0], [0.0, 110.0, 40.0], [0.0, 0.0, 1.0]])
HEIGHT = 1.6
FROM_CAMERA = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
MEASURED = GeometryStatus(
    depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"
)


def standing_at(x: float, y: float = 0.0, *, yaw_deg: float = 0.0) -> np.ndarray:
    """Pose of a camera held level over the road, its heading from +x, positive to the left."""
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    pose = np.eye(4)
    pose[:3, :3] = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ FROM_CAMERA
    pose[:3, 3] = x, y, HEIGHT
    return pose


def box_of(low: tuple[float, ...], high: tuple[float, ...]) -> Box3D:
    """The box between two corners."""
    a, b = np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)
    return Box3D(center_world=(a + b) / 2, size_m=b - a, world_from_box=np.eye(3))


def see(pose: np.ndarray, boxes: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> np.ndarray:
    """Exact z-depth, NaN in the sky and beyond 90 m."""
    v, u = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]] + 0.5
    rays = np.stack([u, v, np.ones(SIZE_HW)], axis=-1) @ np.linalg.inv(K_PX).T @ pose[:3, :3].T
    eye = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
        for low, high in boxes:
            near, far = (np.array(low) - eye) / rays, (np.array(high) - eye) / rays
            enter, leave = np.minimum(near, far).max(axis=-1), np.maximum(near, far).min(axis=-1)
            depth = np.where((enter < leave) & (enter > 0) & (enter < depth), enter, depth)
    return np.where(depth < 90, depth, np.nan).astype(np.float32)


def drive_clip(poses: list[np.ndarray], boxes: list, *, step_s: float = 0.1) -> PosedClip:
    """A clip of a drive; ``boxes`` holds the boxes of every frame."""
    num = len(poses)
    return PosedClip(
        frame_index=np.arange(num),
        time_s=np.arange(num) * step_s,
        rgb=np.zeros((num, *SIZE_HW, 3), np.uint8),
        depth_m=np.stack([see(pose, seen) for pose, seen in zip(poses, boxes, strict=True)]),
        k_px=np.tile(K_PX, (num, 1, 1)),
        world_from_camera=np.stack(poses),
        piece=np.zeros(num, dtype=np.int64),
        world=World(metric=True, gravity_aligned=True, origin="by hand"),
        up_world=np.array([0.0, 0.0, 1.0]),
        status=MEASURED,
    )
