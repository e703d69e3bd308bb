"""A room whose walls carry a texture that features stick to, rendered by casting a ray through every pixel.

A scene with a known answer for structure from motion: five planes at different depths, seen by a pinhole.
"""

import functools
from pathlib import Path

import numpy as np

from video3d.types import Recording

SIZE_HW = (240, 320)
FOCAL_PX = 290.0
K_PX = np.array([[FOCAL_PX, 0, 160.0], [0, FOCAL_PX, 120.0], [0, 0, 1]])
# Point on the plane, and the two directions along which the texture runs: a back wall, two side walls, a floor, a board.
PLANES = (
    ((0.0, 0.0, 5.0), (1, 0, 0), (0, 1, 0), None),
    ((-2.2, 0.0, 0.0), (0, 0, 1), (0, 1, 0), None),
    ((2.4, 0.0, 0.0), (0, 0, 1), (0, 1, 0), None),
    ((0.0, 1.3, 0.0), (1, 0, 0), (0, 0, 1), None),
    ((0.3, 0.2, 3.2), (0.9, 0, 0.436), (0, 1, 0), 0.6),  # half the side of the board
)
TEXELS_PER_M = 110


@functools.cache
def textures(seed: int = 0, side: int = 1024) -> np.ndarray:
    """One grey texture a plane: noise at scales from 2 to 64 texels, with edges."""
    rng = np.random.default_rng(seed)
    layers = np.zeros((len(PLANES), side, side), np.float32)
    for scale in (2, 4, 8, 16, 64):
        coarse = rng.random((len(PLANES), side // scale, side // scale)) > 0.5
        layers += coarse.repeat(scale, axis=1).repeat(scale, axis=2) * (1.0 + 0.2 * np.log2(scale))
    return layers * (230 / layers.max())


def render(world_from_camera: np.ndarray, seed: int = 0, wallpaper: int = 0) -> np.ndarray:
    """RGB of one view, four rays a pixel; ``seed`` of its noise (two grey levels), ``wallpaper`` of the textures."""
    height, width = SIZE_HW
    v, u = (np.mgrid[: 2 * height, : 2 * width] + 0.5) / 2
    rays = np.stack([(u - K_PX[0, 2]) / FOCAL_PX, (v - K_PX[1, 2]) / FOCAL_PX, np.ones_like(u)], axis=-1)
    rays = rays @ world_from_camera[:3, :3].T
    eye = world_from_camera[:3, 3]
    nearest, grey = np.full(u.shape, np.inf), np.zeros(u.shape)
    for (point, along, down, half), texture in zip(PLANES, textures(wallpaper), strict=True):
        a, b = np.array(along, float), np.array(down, float)
        normal = np.cross(a, b)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = ((np.array(point) - eye) @ normal) / (rays @ normal)
            offset = eye + rays * t[..., None] - np.array(point)
            s, r = offset @ a, offset @ b
        hit = np.isfinite(t) & (t > 0.05) & (t < nearest)
        if half is not None:
            hit &= (np.abs(s) < half) & (np.abs(r) < half)
        side = len(texture)
        column, row = (np.floor(np.where(hit, x, 0) * TEXELS_PER_M).astype(int) % side for x in (s, r))
        nearest, grey = np.where(hit, t, nearest), np.where(hit, texture[row, column], grey)
    grey = grey.reshape(height, 2, width, 2).mean(axis=(1, 3))
    grey += np.random.default_rng(seed).normal(0, 2, grey.shape)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def turned(yaw_rad: float, pitch_rad: float = 0.0) -> np.ndarray:
    """Rotation world_from_camera of a camera turned to the right and then up."""
    cy, sy, cp, sp = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    return np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])


def walk(num_frames: int = 12) -> np.ndarray:
    """A camera on an arc of two metres, looking a little to either side."""
    poses = np.tile(np.eye(4), (num_frames, 1, 1))
    for pose, s in zip(poses, np.linspace(-1, 1, num_frames), strict=True):
        pose[:3, :3] = turned(-0.25 * s, 0.08 * np.sin(3 * s))
        pose[:3, 3] = [s, 0.2 * np.cos(2 * s), 0.5 * s * s + 0.1 * np.sin(4 * s)]
    return poses


def recording_of(frames: np.ndarray, *, sequence: bool = True) -> Recording:
    """Frames and nothing else, as a video gives them."""
    return Recording(
        source=Path("room"),
        format="test",
        size_hw=(frames.shape[1], frames.shape[2]),
        time_s=np.arange(len(frames)) / 5.0,
        frame_names=tuple(str(i) for i in range(len(frames))),
        load_rgb=lambda indices: frames[np.asarray(indices, dtype=np.int64)],
        sequence=sequence,
    )
