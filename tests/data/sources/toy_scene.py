"""A scene whose truth is exact: upright boxes on a floor, ray-cast from known cameras; every source's test writes it in its layout."""

from dataclasses import dataclass, field

import numpy as np

from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import inverse_rigid, pixel_centers_px
from video3d.types import Box3D

CAMERA_AXES = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a camera that looks along world x, up is z


@dataclass(frozen=True)
class Toy:
    """Boxes 1, 2, ... (name, Box3D), cameras, and what they see; world z up, floor z = 0, metres."""

    names: list[str]
    boxes: list[Box3D]
    k_px: np.ndarray
    world_from_camera: np.ndarray
    size_hw: tuple[int, int] = (48, 64)
    images: list = field(default_factory=list)

    @property
    def num_frames(self) -> int:
        return len(self.world_from_camera)


def box(center, size, yaw=0.0) -> Box3D:
    c, s = np.cos(yaw), np.sin(yaw)
    return Box3D(
        center_world=np.array(center, float),
        size_m=np.array(size, float),
        world_from_box=np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]),
    )


def look(position, yaw, pitch=0.0) -> np.ndarray:
    """Pose of a camera at a place, turned to the left by yaw and down by pitch."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    cp, sp = np.cos(pitch), np.sin(pitch)
    down = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn @ down @ CAMERA_AXES, position
    return pose


def toy(num_frames=4, size_hw=(48, 64), yaw=0.0) -> Toy:
    """A table with a box on it, a chair partly behind it, and a lamp that no camera looks at."""
    k_px = np.array(
        [[0.8 * size_hw[1], 0, size_hw[1] / 2 + 0.5], [0, 0.8 * size_hw[1], size_hw[0] / 2 - 0.5], [0, 0, 1]]
    )
    poses = np.stack([look([-0.1 * i, 0.05 * i, 1.4], 0.04 * i, 0.25) for i in range(num_frames)])
    return Toy(
        names=["table", "box", "chair", "lamp"],
        boxes=[
            box([2.6, 0.0, 0.4], [0.8, 1.2, 0.8], yaw),
            box([2.6, 0.2, 0.95], [0.3, 0.4, 0.3], yaw),
            box([3.6, -0.6, 0.45], [0.5, 0.5, 0.9], yaw),
            box([-3.0, 0.0, 0.5], [0.3, 0.3, 1.0], yaw),
        ],
        k_px=k_px,
        world_from_camera=poses,
        size_hw=size_hw,
    )


def render(scene: Toy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RGB, z-depth (NaN beyond 12 m) and ids (0 for the floor) of every frame."""
    h, w = scene.size_hw
    rays_camera = np.concatenate([pixel_centers_px((h, w)), np.ones((h, w, 1))], -1) @ np.linalg.inv(scene.k_px).T
    depth = np.full((scene.num_frames, h, w), np.inf)
    ids = np.zeros((scene.num_frames, h, w), np.uint16)
    for frame, pose in enumerate(scene.world_from_camera):
        rays, origin = rays_camera @ pose[:3, :3].T, pose[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            floor = -origin[2] / rays[..., 2]
            depth[frame] = np.where((floor > 0), floor, np.inf)
            for number, b in enumerate(scene.boxes, start=1):
                local, start = rays @ b.world_from_box, (origin - b.center_world) @ b.world_from_box
                a, c = (-b.size_m / 2 - start) / local, (b.size_m / 2 - start) / local
                near, far = np.minimum(a, c).max(-1), np.maximum(a, c).min(-1)
                hit = (near < far) & (near > 0) & (near < depth[frame])
                depth[frame][hit], ids[frame][hit] = near[hit], number
    depth = np.where(depth < 12, depth, np.nan).astype(np.float32)
    palette = np.array([[90, 90, 90], [160, 80, 40], [40, 120, 200], [60, 160, 60], [220, 220, 40]], np.uint8)
    return palette[ids], depth, ids


def surface(b: Box3D, step=0.03) -> np.ndarray:
    """Points of a box's surface, corners and edges among them."""
    axes = [np.linspace(-s / 2, s / 2, max(2, int(np.ceil(s / step)) + 1)) for s in b.size_m]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    on_face = (np.abs(np.abs(grid) - b.size_m / 2) < 1e-9).any(axis=1)
    return b.center_world + grid[on_face] @ b.world_from_box.T


def floor_points(half=5.0, step=0.1) -> np.ndarray:
    x, y = np.meshgrid(np.arange(-half, half, step), np.arange(-half, half, step))
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)


def check_visible(truth, scene: Toy, ids: np.ndarray, *, tolerance=0.35) -> None:
    """Estimated pixels agree with those that the ray caster counted, for what is large enough to be judged."""
    for number, name in enumerate(scene.names, start=1):
        column = next(i for i, o in enumerate(truth.objects) if o.category == name)
        for frame in range(truth.num_frames):
            exact = int((ids[frame] == number).sum())
            got = int(truth.visible_px[frame, column])
            if exact == 0:
                assert got <= 12 and truth.visible_share[frame, column] < 0.2, (name, frame, got)
            elif exact > 60:
                assert abs(got - exact) <= tolerance * exact + 16, (name, frame, got, exact)


def corners_agree(a: Box3D, b: Box3D, atol=1e-3) -> None:
    """The two boxes fill the same space, whatever axis they call x."""
    one, two = (box_corners(x) for x in (a, b))
    distance = np.linalg.norm(one[:, None] - two[None], axis=-1)
    assert distance.min(axis=1).max() < atol and distance.min(axis=0).max() < atol


def to_camera(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    m = inverse_rigid(pose)
    return points @ m[:3, :3].T + m[:3, 3]
