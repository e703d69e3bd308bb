"""Exact depth of a furnished room by casting rays at boxes, for tests. World of the room: +z up, floor at z = 0."""

import numpy as np

ROOM_M = np.array([5.0, 4.0, 2.6])
FURNITURE = {
    "table": ((1.8, 1.4, 0.70), (3.2, 2.4, 0.75)),
    "table leg": ((2.4, 1.8, 0.0), (2.6, 2.0, 0.70)),
    "cupboard": ((4.4, 0.4, 0.0), (5.0, 2.0, 1.9)),
    "sofa": ((0.8, 3.2, 0.0), (2.6, 4.0, 0.45)),
    "box": ((3.9, 3.1, 0.0), (4.5, 3.6, 0.5)),
}


def look_at(eye, target, roll_rad=0.0):
    """world_from_camera of a camera (x right, y down, z forward) at ``eye`` that looks at ``target``."""
    z = np.asarray(target, float) - eye
    z /= np.linalg.norm(z)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    pose = np.eye(4)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    pose[:3, :4] = np.stack([c * x + s * y, c * y - s * x, z, eye], axis=1)
    return pose


def intrinsics(size_hw):
    """A camera with 62 degrees of horizontal view."""
    h, w = size_hw
    return np.array([[0.83 * w, 0, w / 2], [0, 0.83 * w, h / 2], [0, 0, 1.0]])


def cast(pose, size_hw):
    """z-depth at pixel centres (+0.5)."""
    h, w = size_hw
    v, u = np.mgrid[:h, :w] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(intrinsics(size_hw)).T @ pose[:3, :3].T
    eye = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = ((np.where(rays > 0, ROOM_M, 0.0) - eye) / rays).min(axis=-1)
        for low, high in FURNITURE.values():
            near, far = (np.array(low) - eye) / rays, (np.array(high) - eye) / rays
            enter, leave = np.minimum(near, far).max(axis=-1), np.maximum(near, far).min(axis=-1)
            depth = np.where((enter < leave) & (enter > 0) & (enter < depth), enter, depth)
    return depth.astype(np.float32)


def walk(num_frames, rng, roll_deg=4.0, turn=1.0):
    """Somebody walks along one side of the room and looks around; ``turn`` 0 keeps looking the same way."""
    s = np.linspace(0, 1, num_frames)
    poses = []
    for t in s:
        eye = np.array([0.7 + 2.8 * t, 0.6 + 0.3 * np.sin(3 * t), 1.5 + 0.04 * np.sin(9 * t)])
        target = np.array([3.8 - 2.4 * t * turn, 1.7 + 1.8 * t * turn, 0.8])
        if turn == 0:
            target = eye + np.array([0.3, 1.0, -0.4])
        poses.append(look_at(eye, target, np.radians(rng.normal(scale=roll_deg))))
    return np.array(poses)


def render(poses, size_hw=(96, 128), noise=0.0, rng=None):
    """Depth and intrinsics for every pose; ``noise`` grows with the square of depth, as a structured-light camera's."""
    depth = np.array([cast(pose, size_hw) for pose in poses])
    if noise:
        depth = depth + (noise * depth**2 * rng.normal(size=depth.shape)).astype(np.float32)
        depth[rng.random(depth.shape) < 0.1] = np.nan
    return depth.astype(np.float32), np.repeat(intrinsics(size_hw)[None], len(poses), axis=0)
