"""Inputs for comparing with the published code: frames, depth with holes, cameras, boxes and a prompt, from a seed."""

from dataclasses import dataclass

import numpy as np
import official_checkpoint as official
from scipy.spatial.transform import Rotation

SIDE = 384
FRAMES = 3
# 128 = 3 x 42 + 2 and 256 = 3 x 85 + 1: an even and an odd number of waves an axis.
EVEN = official.Tiny(width=128, heads=1, kv_heads=1, seed=0)
ODD = official.Tiny(width=256, heads=2, kv_heads=1, seed=1)
IMAGE = -200  # stands for the scene in the published prompts


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Pixel centres are at +0.5 in ``k_px``; the published code counts them from 0.

    ``prompt`` holds ``IMAGE`` once, ``<coord>`` once and ends in the answer's ``<ground>``; ``labels`` are -100 before it.
    """

    pixels: np.ndarray  # f 3 384 384 float32
    depth_mm: np.ndarray  # f 384 384 float32, whole millimetres, 0 unknown
    k_px: np.ndarray  # f 3 3
    world_from_camera: np.ndarray  # f 4 4
    centers: np.ndarray  # n 3
    sizes: np.ndarray  # n 3
    point: np.ndarray  # 3, what <coord> stands for
    prompt: np.ndarray
    labels: np.ndarray


def make(seed: int) -> Inputs:
    rng = np.random.default_rng([seed, 77])
    v, u = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = rng.uniform(2.0, 30.0, (FRAMES, 3, 4, 2))
    angle = waves[..., 0, None, None] * u + waves[..., 1, None, None] * v
    pixels = np.sin(angle).mean(2) + 0.2 * rng.standard_normal((FRAMES, 3, SIDE, SIDE))
    slope = rng.uniform(-1.0, 1.0, (FRAMES, 2))
    depth = 2.5 + slope[:, 0, None, None] * u + slope[:, 1, None, None] * v
    depth = np.where(np.hypot(u - 0.4, v - 0.6) < 0.2, depth - 0.9, depth)  # something in front
    depth[1, :60] = 25.0  # beyond the box that positions are clamped to
    depth[0, 200:290, 100:220] = 0.0  # a hole that hides whole tokens
    depth[rng.random(depth.shape) < 0.05] = 0.0
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("xyz", rng.uniform(-0.4, 0.4, (FRAMES, 3))).as_matrix()
    poses[:, :3, 3] = rng.uniform(-0.5, 0.5, (FRAMES, 3))
    k_px = np.tile(np.array([[310.0, 0, 190.3], [0, 305.0, 195.1], [0, 0, 1]]), (FRAMES, 1, 1))
    centers = np.array([[-0.2, 0.3, 1.8], [0.4, -0.5, 2.6], [9.0, 9.0, 4.0], [0.0, 0.0, 0.0], [0.0, 0.2, 2.4]])
    sizes = np.array([[1.2, 1.0, 1.0], [1.5, 1.5, 1.4], [0.5, 0.5, 0.5], [1.5, 1.5, 1.5], [4.0, 3.0, 2.0]])
    im_start, im_end = len(official.BYTES) + 1, len(official.BYTES) + 2
    words = rng.integers(0, len(official.BYTES), 30)
    prompt = [im_start, *words[:8], IMAGE, *words[8:14], official.COORD, *words[14:20], im_end, im_start, *words[20:24]]
    answer = [*words[24:28], official.GROUND, im_end]
    return Inputs(
        pixels=pixels.astype(np.float32),
        depth_mm=np.round(depth * 1000).astype(np.float32),
        k_px=k_px,
        world_from_camera=poses,
        centers=centers,
        sizes=sizes,
        point=np.array([0.7, -0.3, 1.1], np.float32),
        prompt=np.array([*prompt, *answer]),
        labels=np.array([-100] * len(prompt) + answer),
    )


def summary(values: np.ndarray, seed: int = 5) -> np.ndarray:
    """Some rows of a stage as they are, and below them four sums over all rows with random signs: nothing hides."""
    rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
    rng = np.random.default_rng([seed, len(rows)])
    picked = np.sort(rng.choice(len(rows), min(6, len(rows)), replace=False))
    signs = rng.choice([-1.0, 1.0], (4, len(rows))) / np.sqrt(len(rows))
    return np.concatenate([rows[picked], signs @ rows]).astype(np.float32)
