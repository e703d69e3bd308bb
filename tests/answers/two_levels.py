"""Places with two floors whose truth is known by hand, seen with exact depth by a camera that walks from one to the other.

Everything is a box between two corners. World: +z up, the lower floor at z = 0.
"""

import numpy as np
from box_room import ALL_MEASURED, K_PX, SIZE_HW, look

from video3d.types import PosedClip, World

ROOM = np.array([5.0, 4.5, 5.4])
"""Two storeys: the upper floor is a slab at 2.8 m over x 0..4; a stair of 14 steps goes up along y in x 4..5."""
STOREYS = [
    ((0.0, 0.0, 2.6), (4.0, 4.5, 2.8)),
    *(((4.0, 0.3 + 0.28 * i, 0.0), (5.0, 4.5, 0.2 * (i + 1))) for i in range(14)),
    ((1.0, 1.0, 0.0), (2.0, 2.0, 0.9)),  # below
    ((0.5, 2.5, 2.8), (1.5, 3.5, 3.6)),  # above
]
SPLIT_ROOM = np.array([7.0, 4.0, 3.2])
"""A split level: from x 3.5 on the floor is at 0.5 m, with one step of 0.25 m before it."""
SPLIT = [
    ((3.5, 0.0, 0.0), (7.0, 4.0, 0.5)),
    ((3.2, 0.0, 0.0), (3.5, 4.0, 0.25)),
    ((1.0, 2.5, 0.0), (2.0, 3.3, 0.7)),  # below
    ((5.0, 2.5, 0.5), (6.0, 3.3, 1.2)),  # above
]


def walked(places, room, boxes, *, turns=5, tilts=(-15.0, -45.0)):
    """A camera that turns around at each place (its feet), 1.5 m above it."""
    poses = [
        look((x, y, z + 1.5), 360.0 * turn / turns + 20.0 * i, tilt)
        for i, (x, y, z) in enumerate(places)
        for turn in range(turns)
        for tilt in tilts
    ]
    num = len(poses)
    return PosedClip(
        frame_index=np.arange(num), time_s=np.arange(num) * 0.1, rgb=np.zeros((num, *SIZE_HW, 3), np.uint8),
        depth_m=np.stack([see(pose, room, boxes) for pose in poses]), k_px=np.repeat(K_PX[None], num, axis=0),
        world_from_camera=np.array(poses), piece=np.zeros(num, np.int64), up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="the room's corner"), status=ALL_MEASURED,
    )  # fmt: skip


def see(pose, room, boxes):
    """Exact z-depth from a pose."""
    v, u = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K_PX).T @ pose[:3, :3].T
    start = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (np.where(rays > 0, room - start, -start) / rays).min(axis=-1)
        for low, high in boxes:
            ends = np.stack([(np.array(corner) - start) / rays for corner in (low, high)])
            enter, leave = ends.min(axis=0).max(axis=-1), ends.max(axis=0).min(axis=-1)
            depth = np.where((enter < leave) & (enter > 0) & (enter < depth), enter, depth)
    return depth.astype(np.float32)


LOWER = [(0.7, 0.7, 0.0), (2.8, 1.2, 0.0), (3.0, 3.4, 0.0), (4.5, 0.2, 0.0)]
STAIR = [(4.5, 1.4, 0.8), (4.5, 2.8, 1.8), (4.5, 4.0, 2.8)]
UPPER = [(3.3, 3.9, 2.8), (2.6, 2.0, 2.8), (0.8, 1.0, 2.8)]
SPLIT_LOWER = [(0.6, 1.0, 0.0), (2.6, 0.8, 0.0), (2.6, 3.2, 0.0)]
SPLIT_UPPER = [(4.2, 1.0, 0.5), (4.4, 3.3, 0.5), (6.4, 1.6, 0.5)]
