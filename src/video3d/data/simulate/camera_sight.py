"""What a planned camera will see, before anything is drawn: rays from its places to points on things.

Drawing is dear and rays are cheap, so many ways are planned and the one that shows most is filmed.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import CameraAt

_POINTS = 10  # a thing
_SEEN_SHARE = 0.4  # of a thing's points
_LEAST_PX = 90.0  # of its rectangle in the picture, where that is 224 pixels wide
_LOOKS = 6  # frames that are tried
_NEAR_M, _NEAR_SHARE, _MIDDLE_M = 0.6, 0.2, 1.3


class Sight:
    """Casts rays in a compiled scene. What collides stands for what is drawn."""

    def __init__(self, scene: BuiltScene, k_px: Float64[np.ndarray, "3 3"], size_hw: tuple[int, int]) -> None:
        self._mujoco = mujoco = load_mujoco()
        self._scene, self._k_px, self._size_hw = scene, k_px, size_hw
        self.data: Any = mujoco.MjData(scene.model)
        mujoco.mj_forward(scene.model, self.data)
        self._groups = np.array([1, 0, 0, 1, 0, 0], dtype=np.uint8)  # slabs and what collides, not what is drawn
        self._spread = [self._few(placed.outline_m, placed.body_from_box) for placed in scene.objects]
        self._bodies = [scene.model.body(placed.body).id for placed in scene.objects]

    @staticmethod
    def _few(outline_m: np.ndarray, middle_m: np.ndarray) -> np.ndarray:
        """Points a little within the outline, so that rays meet the thing's own boxes."""
        step = max(1, len(outline_m) // _POINTS)
        return middle_m + 0.7 * (outline_m[::step][:_POINTS] - middle_m)

    def well_seen(self, camera: CameraAt, times_s: Float64[np.ndarray, "f"]) -> dict[int, int]:
        """In how many of ``_LOOKS`` frames every object is well seen; empty where something big is right before the camera."""
        chosen = times_s[np.unique(np.linspace(0, len(times_s) - 1, _LOOKS).round().astype(int))]
        seen: dict[int, int] = {}
        for pose in camera(chosen, 0.0):
            if self._blocked(pose):
                return {}
            for object_id in self._seen(pose):
                seen[object_id] = seen.get(object_id, 0) + 1
        return seen

    def sees(self, pose: Float64[np.ndarray, "4 4"], place_m: Float64[np.ndarray, "3"], object_id: int) -> bool:
        """Whether a place is in the picture, and nothing but the object itself (wherever it is now) lies before it."""
        point = (place_m - pose[:3, 3]) @ pose[:3, :3]
        px = self._k_px @ point
        height, width = self._size_hw
        if point[2] < 0.3 or not (0 < px[0] < width * px[2] and 0 < px[1] < height * px[2]):
            return False
        ray = place_m - pose[:3, 3]
        far = float(np.linalg.norm(ray))
        geom, distance = self._cast(pose[:3, 3].copy(), ray[None] / far)
        own = int(self._scene.geom_object[geom[0]]) == object_id
        return bool(own or distance[0] < 0 or distance[0] > far - 0.1)

    def outline_px(
        self, pose: Float64[np.ndarray, "4 4"], middle_m: Float64[np.ndarray, "3"], size_m: Float64[np.ndarray, "3"]
    ) -> float:
        """About how many pixels a box of a size would fill, whichever way it is turned, in a picture 224 pixels wide."""
        point = (middle_m - pose[:3, 3]) @ pose[:3, :3]
        if point[2] <= 0:
            return 0.0
        across = float(np.sqrt(size_m[0] * size_m[1]))
        down = abs(float(middle_m[2] - pose[2, 3])) / float(np.linalg.norm(point))  # sine of the angle of looking down
        area = across * (size_m[2] * np.sqrt(1 - down * down) + across * down)
        return float(area * (self._k_px[0, 0] * 224 / self._size_hw[1] / point[2]) ** 2)

    def _cast(self, eye: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        geom, distance = np.full(len(rays), -1, np.int32), np.full(len(rays), -1.0)
        self._mujoco.mj_multiRay(
            self._scene.model, self.data, eye, np.ascontiguousarray(rays).ravel(), self._groups, True, -1, geom, distance,
            None, len(rays), 1e4,
        )  # fmt: skip
        return geom, distance

    def _blocked(self, pose: np.ndarray) -> bool:
        height, width = self._size_hw
        u, v = np.meshgrid((np.arange(6) + 0.5) / 6 * width, (np.arange(6) + 0.5) / 6 * height)
        pixels = np.stack([u.ravel(), v.ravel(), np.ones(36)], axis=1)
        rays = pixels @ np.linalg.inv(self._k_px).T @ pose[:3, :3].T
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        _, distance = self._cast(pose[:3, 3].copy(), rays)
        distance = np.where(distance < 0, 1e3, distance)
        return float((distance < _NEAR_M).mean()) > _NEAR_SHARE or float(np.median(distance)) < _MIDDLE_M

    def _seen(self, pose: np.ndarray) -> list[int]:
        height, width = self._size_hw
        world = [
            self.data.xpos[b] + points @ self.data.xmat[b].reshape(3, 3).T
            for b, points in zip(self._bodies, self._spread, strict=True)
        ]
        owner = np.repeat(np.arange(len(world)), [len(points) for points in world])
        points = np.concatenate(world)
        camera = (points - pose[:3, 3]) @ pose[:3, :3]
        ahead = camera[:, 2] > 0.2
        px = camera @ self._k_px.T
        px = px[:, :2] / np.where(ahead, px[:, 2], 1.0)[:, None]
        inside = ahead & (px > 0).all(1) & (px[:, 0] < width) & (px[:, 1] < height)
        rays = points[inside] - pose[:3, 3]
        far = np.linalg.norm(rays, axis=1)
        geom, distance = self._cast(pose[:3, 3].copy(), rays / far[:, None])
        ids = np.array([placed.object_id for placed in self._scene.objects])
        hit = (self._scene.geom_object[geom] == ids[owner[inside]]) | (distance < 0) | (distance > far - 0.02)
        shown = np.bincount(owner[inside][hit], minlength=len(world))
        found = []
        for index in np.flatnonzero(shown >= _SEEN_SHARE * np.bincount(owner, minlength=len(world))):
            own = px[inside & (owner == index)]
            extent = np.ptp(own, axis=0) / 0.7 * (224 / width)
            if extent[0] * extent[1] >= _LEAST_PX:
                found.append(int(ids[index]))
        return found
