"""Scripted traffic: movers on paths, the camera's car or walker among them, and the check that no two ever overlap.

All run on one clock that scales with the script's change. Those that depend on one another (who follows, who waits for whom)
share its sign; the rest may run the other way, so that who comes first is only certain where it does not hang on 2 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import CHANGE, CameraAt, Drive
from video3d.data.simulate.traffic_path import Path, Profile

_TICK_S = 0.02
"""Scripts are tabulated this often and straight in between: at 4 m/s2 that is 0.2 mm off."""

GroundAt = Callable[[Float64[np.ndarray, "*t 2"]], Float64[np.ndarray, "*t"]]
"""Height of the ground at places: 0 on the road, the kerb's on the sidewalk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """What moves by script.

    Attributes:
        object_id: 0 for the one that carries the camera, which is not in the scene.
        path: of its middle.
        profile: of its speed.
        start_m: where on the path it is at time 0.
        half_m: half of its length and breadth.
        sign: +1 runs faster where the script's change is positive, -1 slower.
    """

    object_id: int
    path: Path
    profile: Profile
    start_m: float
    half_m: tuple[float, float]
    sign: int = 1

    def pose(self, time_s: Float[np.ndarray, "*t"], change: float = 0.0) -> Float64[np.ndarray, "*t 3"]:
        """x, y and yaw of travel at times."""
        run = self.profile.distance(np.asarray(time_s, dtype=np.float64) * (1.0 + self.sign * change))
        return self.path.at(self.start_m + run)


def scripted(scene: BuiltScene, movers: tuple[Mover, ...], ground: GroundAt, end_s: float) -> Drive | None:
    """The drive that puts every mover where its script says; their fronts (-y) face the way they go. None without movers."""
    model = scene.model
    movers = tuple(mover for mover in movers if mover.object_id > 0)
    if not movers:
        return None
    times = np.arange(int(end_s * (1 + CHANGE) / _TICK_S) + 3) * _TICK_S
    poses = np.stack([mover.pose(times) for mover in movers], axis=1)  # t m 3
    height = np.stack([ground(poses[:, k, :2]) for k in range(len(movers))], axis=1)
    turn = (poses[..., 2] + np.pi / 2) / 2
    states = np.concatenate([poses[..., :2], height[..., None], np.cos(turn)[..., None], np.sin(turn)[..., None]], -1)
    rows = np.array([model.body_mocapid[model.body(scene.object(m.object_id).body).id] for m in movers])
    signs = np.array([mover.sign for mover in movers])
    columns, last = np.arange(len(movers)), len(times) - 2

    def drive(model: Any, data: Any, time_s: float, change: float) -> None:
        tick = np.clip(time_s * (1.0 + signs * change) / _TICK_S, 0.0, last)
        before = tick.astype(np.int64)
        share = (tick - before)[:, None]
        now = states[before, columns] * (1 - share) + states[before + 1, columns] * share
        data.mocap_pos[rows] = now[:, :3]
        data.mocap_quat[rows, 0], data.mocap_quat[rows, 3] = now[:, 3], now[:, 4]

    return drive


def together(first: Drive | None, second: Drive | None) -> Drive | None:
    """Both drives, one after the other."""
    if first is None or second is None:
        return second if first is None else first

    def drive(model: Any, data: Any, time_s: float, change: float) -> None:
        first(model, data, time_s, change)
        second(model, data, time_s, change)

    return drive


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where on its carrier the camera sits.

    Attributes:
        height_m: above the ground under the carrier.
        ahead_m: of the carrier's middle.
        pitch_rad: downward.
        yaw_rad: to the left of the way it goes.
    """

    height_m: float
    ahead_m: float = 0.0
    pitch_rad: float = 0.05
    yaw_rad: float = 0.0


def mounted(ego: Mover, mount: Mount, ground: GroundAt) -> CameraAt:
    """The camera of a carrier: level, looking the way it goes (turned by the mount's yaw and pitch)."""

    def camera(times_s: Float64[np.ndarray, "t"], change: float) -> Float64[np.ndarray, "t 4 4"]:
        pose = ego.pose(times_s, change)
        heading, yaw = pose[:, 2], pose[:, 2] + mount.yaw_rad
        zero = np.zeros(len(yaw))
        c, s = np.cos(mount.pitch_rad), np.sin(mount.pitch_rad)
        forward = np.stack([c * np.cos(yaw), c * np.sin(yaw), zero - s], axis=-1)
        right = np.stack([np.sin(yaw), -np.cos(yaw), zero], axis=-1)
        eye = pose[:, :2] + mount.ahead_m * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
        found = np.tile(np.eye(4), (len(yaw), 1, 1))
        found[:, :3, 0], found[:, :3, 1], found[:, :3, 2] = right, np.cross(forward, right), forward
        found[:, :2, 3], found[:, 2, 3] = eye, ground(pose[:, :2]) + mount.height_m
        return found

    return camera


def overlap(
    first: Float[np.ndarray, "... 3"],
    first_half_m: Float[np.ndarray, "... 2"],
    second: Float[np.ndarray, "... 3"],
    second_half_m: Float[np.ndarray, "... 2"],
    margin_m: float = 0.0,
) -> Bool[np.ndarray, "..."]:
    """Whether rectangles on the ground (x, y, yaw; half length and breadth) overlap or come nearer than a margin.

    By the separating axis: two convex shapes are apart if and only if they are along the normal of one of their edges.
    """
    apart = np.zeros(np.broadcast_shapes(first.shape[:-1], second.shape[:-1]), dtype=bool)
    offset = second[..., :2] - first[..., :2]
    axes = [
        np.stack([np.cos(p[..., 2] + t), np.sin(p[..., 2] + t)], -1) for p in (first, second) for t in (0, np.pi / 2)
    ]
    for axis in axes:
        gap = np.abs((offset * axis).sum(-1))
        for pose, half in ((first, first_half_m), (second, second_half_m)):
            along = np.stack([np.cos(pose[..., 2]), np.sin(pose[..., 2])], -1)
            across = np.stack([-np.sin(pose[..., 2]), np.cos(pose[..., 2])], -1)
            gap = gap - np.abs((along * axis).sum(-1)) * half[..., 0] - np.abs((across * axis).sum(-1)) * half[..., 1]
        apart |= gap > margin_m
    return np.asarray(~apart)


def collisions(
    movers: tuple[Mover, ...],
    standing: Float64[np.ndarray, "s 5"],
    end_s: float,
    *,
    margin_m: float = 0.15,
    every_s: float = 0.08,
    only_first: bool = False,
) -> list[tuple[int, int]]:
    """Pairs of movers, or a mover and the number of a standing thing, that come too near in the nominal run.

    Args:
        movers: the camera's carrier among them.
        standing: x, y, yaw, half length and half breadth of what stands.
        end_s: until when.
        margin_m: how near is too near.
        every_s: how often it is looked.
        only_first: of the first mover alone.
    """
    times = np.arange(int(end_s / every_s) + 2) * every_s
    poses = np.stack([mover.pose(times) for mover in movers], axis=1) if movers else np.zeros((len(times), 0, 3))
    half = np.array([mover.half_m for mover in movers], dtype=np.float64).reshape(-1, 2)
    found = []
    for i in range(min(len(movers), 1) if only_first else len(movers)):
        others = slice(i + 1, None)
        hit = overlap(poses[:, i, None], half[None, i, None], poses[:, others], half[None, others], margin_m).any(0)
        found += [(i, i + 1 + int(j)) for j in np.flatnonzero(hit)]
        against = overlap(
            poses[:, i, None], half[None, i, None], standing[None, :, :3], standing[None, :, 3:], margin_m
        )
        found += [(i, -1 - int(j)) for j in np.flatnonzero(against.any(0))]
    return found
