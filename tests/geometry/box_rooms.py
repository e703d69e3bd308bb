"""Rooms whose walls, floor, ceiling and things are sampled as a depth camera would: what is inside or below is not seen."""

import numpy as np

from video3d.types import Box3D


def upright_box(center_xy, size, yaw: float, bottom: float = 0.0) -> Box3D:
    c, s = np.cos(yaw), np.sin(yaw)
    return Box3D(
        center_world=np.array([*center_xy, bottom + size[2] / 2], dtype=np.float64),
        size_m=np.array(size, dtype=np.float64),
        world_from_box=np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]),
    )


def on_faces(box: Box3D, density: float, rng: np.random.Generator) -> np.ndarray:
    """Points on the four sides and the top, ``density`` to a square metre."""
    x, y, z = box.size_m
    areas = np.array([y * z, y * z, x * z, x * z, x * y])
    face = rng.choice(5, max(12, int(areas.sum() * density)), p=areas / areas.sum())
    points = rng.uniform(-0.5, 0.5, (face.size, 3))
    axis, end = np.array([0, 0, 1, 1, 2])[face], np.array([-0.5, 0.5, -0.5, 0.5, 0.5])[face]
    points[np.arange(face.size), axis] = end
    return points * box.size_m @ box.world_from_box.T + box.center_world


def shell(size, density: float, rng: np.random.Generator) -> np.ndarray:
    """Floor, ceiling and four walls of a room from the origin."""
    w, d, h = size
    parts = []
    for axis, end, area in ((2, 0, w * d), (2, h, w * d), (0, 0, d * h), (0, w, d * h), (1, 0, w * h), (1, d, w * h)):
        points = rng.random((int(area * density), 3)) * size
        points[:, axis] = end
        parts.append(points)
    return np.concatenate(parts)


def furnished(seed: int, *, num_things: int = 7, density: float = 400.0, noise_m: float = 0.008, gap_m: float = 0.3):
    """Points (n, 3) of a room of about 6 x 5 x 2.6 m with things apart from each other and the walls, and their boxes."""
    rng = np.random.default_rng(seed)
    size = np.array([rng.uniform(5, 7), rng.uniform(4, 6), 2.6])
    boxes: list[Box3D] = []
    for _ in range(500):
        if len(boxes) == num_things:
            break
        extent = rng.uniform([0.25, 0.25, 0.3], [1.2, 0.9, 1.5])
        reach = np.hypot(extent[0], extent[1]) / 2
        center = rng.uniform(reach + gap_m, size[:2] - reach - gap_m)
        if all(
            np.linalg.norm(center - one.center_world[:2]) > reach + np.hypot(*one.size_m[:2]) / 2 + gap_m
            for one in boxes
        ):
            boxes.append(upright_box(center, extent, rng.uniform(0, np.pi)))
    points = np.concatenate([shell(size, density, rng)] + [on_faces(box, density, rng) for box in boxes])
    hidden = np.zeros(len(points), dtype=bool)  # floor under things
    for box in boxes:
        local = (points[:, :2] - box.center_world[:2]) @ box.world_from_box[:2, :2]
        hidden |= (points[:, 2] == 0) & (np.abs(local) < box.size_m[:2] / 2).all(1)
    points = points[~hidden] + rng.normal(0, noise_m, (int((~hidden).sum()), 3))
    return points, boxes
