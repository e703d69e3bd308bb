"""The camera that watches an experiment, and the clip that comes of it.

The camera is put where all that matters is in the picture and nothing stands in front of it: some way to the side, at the
height of a person's or a robot's eyes, as near as the picture allows. It stands, swings a little about what it looks at, or
goes slowly towards it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.experiment_arena import Arena
from video3d.data.simulate.experiment_script import Hold, Path, drive
from video3d.data.simulate.rollout import box_poses
from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import (
    CameraAt,
    StageConfig,
    StagedClip,
    StagingFailed,
    Start,
    changed_starts,
    frame_times,
    intrinsics,
    look_at,
    nominal_start,
)

AFTER_S = 3.2
"""How long an experiment goes on after the last frame shown."""

_TRIES = 24
_NEAREST_M, _FARTHEST_M = 1.1, 5.0
_CLEAR_M = 0.25
_EDGE = 0.9  # of the half picture that what matters must lie in


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What the camera must have in the picture, and from where it may look.

    Attributes:
        points_m: world places that must be in the picture in every frame.
        spread_rad: how far to either side of straight from the side it may stand.
        above_m: the camera is at least this high.
        sway: it may move.
    """

    points_m: Float64[np.ndarray, "p 3"]
    spread_rad: float = 0.8
    above_m: float = 0.0
    sway: bool = True


def shoot(
    rng: np.random.Generator,
    arena: Arena,
    config: StageConfig,
    scenario: str,
    shot: Shot,
    *,
    every_s: float,
    velocities: dict[int, tuple[float, ...]] | None = None,
    holds: tuple[Hold, ...] = (),
    paths: tuple[Path, ...] = (),
    must_see: tuple[int, ...] = (),
    removals: tuple[int, ...] = (),
    after_s: float = AFTER_S,
) -> StagedClip:
    """Compiles what is in the arena, finds a place for the camera and gives the staged clip.

    Errors: ``StagingFailed`` where no camera sees it all.
    """
    scene = arena.compile()
    times = frame_times(config.num_frames, every_s)
    end_s = float(times[-1]) + after_s
    viewer, camera, k_px = _find_camera(rng, arena, scene, shot, config, end_s, must_see)
    start = nominal_start(scene, velocities)
    loose = tuple(arena.loose)
    starts: tuple[Start, ...] = changed_starts(scene, start, rng, ids=loose)
    return StagedClip(
        scene=scene,
        domain="indoor",
        scenario=scenario,
        viewer=viewer,
        scene_id=arena.scene_id,
        starts=starts,
        times_s=times,
        end_s=end_s,
        camera=camera,
        k_px=k_px,
        size_hw=config.size_hw,
        drive=drive(scene, holds, paths),
        must_see=must_see,
        removals=removals,
        supports=dict(arena.supports),
        inside=dict(arena.inside),
        room=arena.room,
    )


def shown_end_s(config: StageConfig, every_s: float) -> float:
    """Time of the last frame shown.

    >>> round(shown_end_s(StageConfig(), 0.12), 2)
    1.8
    """
    return float(frame_times(config.num_frames, every_s)[-1])


def _find_camera(
    rng: np.random.Generator, arena: Arena, scene: BuiltScene, shot: Shot, config: StageConfig, end_s: float,
    must_see: tuple[int, ...],
) -> tuple[Literal["person", "robot"], CameraAt, Float64[np.ndarray, "3 3"]]:  # fmt: skip
    mujoco = load_mujoco()
    data = mujoco.MjData(scene.model)
    mujoco.mj_forward(scene.model, data)
    poses = box_poses(scene, data)
    low, high = shot.points_m.min(0), shot.points_m.max(0)
    for _ in range(_TRIES):
        viewer: Literal["person", "robot"] = "person" if rng.random() < 0.6 else "robot"
        target = (low + high) / 2 + rng.uniform(-0.05, 0.05, 3)
        lowest = max(1.35 if viewer == "person" else 0.45, shot.above_m)
        height = float(rng.uniform(lowest, lowest + (0.3 if viewer == "person" else 0.6)))
        azimuth = arena.yaw_rad + arena.camera_side * np.pi / 2 + float(rng.uniform(-1, 1)) * shot.spread_rad
        k_px = intrinsics(config.size_hw, float(rng.uniform(56, 76)))
        swing, nearer = _sway(rng, end_s) if shot.sway else (0.0, 0.0)
        reach = _distance(shot.points_m, target, azimuth, height, k_px, config.size_hw)
        if reach is None:
            continue
        camera = _moving(target, azimuth, reach * float(rng.uniform(1.02, 1.18)), height, swing, nearer, _shake(rng))
        when = np.linspace(0.0, end_s, 7)
        views = camera(when, 0.0)
        if _free(views[:, :3, 3], arena, scene, poses) and _sees(scene, data, views[0], poses, must_see):
            return viewer, camera, k_px
    raise StagingFailed("no place for the camera")


def _sway(rng: np.random.Generator, end_s: float) -> tuple[float, float]:
    """Turn about the target in rad/s and metres nearer a second."""
    kind = rng.random()
    if kind < 0.35:
        return 0.0, 0.0
    if kind < 0.75:
        return float(rng.uniform(0.05, 0.4) / end_s * rng.choice([-1, 1])), 0.0
    return 0.0, float(rng.uniform(0.1, 0.4) / end_s)


def _shake(rng: np.random.Generator) -> Float64[np.ndarray, "3 3"]:
    """Amplitudes (m), frequencies (Hz) and phases of a hand's unrest along x, y, z."""
    calm = float(rng.choice([0.0, 1.0]))
    return np.stack([calm * rng.uniform(0.0, 0.006, 3), rng.uniform(0.2, 0.7, 3), rng.uniform(0, 2 * np.pi, 3)])


def _moving(
    target: np.ndarray, azimuth: float, reach: float, height: float, swing: float, nearer: float, shake: np.ndarray
) -> CameraAt:
    def camera(times_s: Float64[np.ndarray, "t"], change: float) -> Float64[np.ndarray, "t 4 4"]:
        gone = times_s * (1.0 + change)
        angle, distance = azimuth + swing * gone, reach - nearer * gone
        eye = np.stack(
            [
                target[0] + distance * np.cos(angle),
                target[1] + distance * np.sin(angle),
                np.full(len(times_s), height),
            ],
            axis=1,
        )
        wobble = shake[0] * np.sin(2 * np.pi * shake[1] * times_s[:, None] + shake[2])
        return look_at(eye + wobble, np.tile(target, (len(times_s), 1)) + wobble / 2)

    return camera


def _distance(
    points: np.ndarray, target: np.ndarray, azimuth: float, height: float, k_px: np.ndarray, size_hw: tuple[int, int]
) -> float | None:
    """The nearest horizontal distance from which all points are in the picture."""
    for reach in np.arange(_NEAREST_M, _FARTHEST_M, 0.15):
        eye = np.array([target[0] + reach * np.cos(azimuth), target[1] + reach * np.sin(azimuth), height])
        pose = look_at(eye, target)
        seen = (points - eye) @ pose[:3, :3]
        if (seen[:, 2] < 0.4).any():
            continue
        px = seen[:, :2] / seen[:, 2:] * k_px[0, 0]
        if (np.abs(px) <= _EDGE * np.array(size_hw[::-1]) / 2).all():
            return float(reach)
    return None


def _free(eyes: np.ndarray, arena: Arena, scene: BuiltScene, poses: np.ndarray) -> bool:
    """Whether the camera stays inside the room and a forearm's length away from everything."""
    polygon = arena.room.floor_polygon_m
    edge = np.roll(polygon, -1, axis=0) - polygon
    inward = np.stack([-edge[:, 1], edge[:, 0]], 1) / np.linalg.norm(edge, axis=1, keepdims=True)
    for eye in eyes:
        if (((eye[:2] - polygon) * inward).sum(1) < _CLEAR_M).any() or eye[2] > arena.room.height_m - _CLEAR_M:
            return False
        for index, placed in enumerate(scene.objects):
            inside = np.abs((eye - poses[index, :3, 3]) @ poses[index, :3, :3]) - placed.size_m / 2
            if np.linalg.norm(np.maximum(inside, 0.0)) < _CLEAR_M:
                return False
    return True


def _sees(scene: BuiltScene, data: object, view: np.ndarray, poses: np.ndarray, must_see: tuple[int, ...]) -> bool:
    """Whether a ray from the camera to the middle of each thing meets the thing itself first."""
    mujoco = load_mujoco()
    eye = view[:3, 3]
    geom = np.zeros(1, dtype=np.int32)
    for index, placed in enumerate(scene.objects):
        if placed.object_id not in must_see:
            continue
        goal = poses[index, :3, 3]
        hits = 0
        for offset in (np.zeros(3), np.array([0.0, 0.0, 0.3]), np.array([0.25, 0.25, 0.0]), np.array([-0.25, -0.25, 0.0])):
            ray = goal + poses[index, :3, :3] @ (offset * placed.size_m) - eye
            mujoco.mj_ray(scene.model, data, eye, ray / np.linalg.norm(ray), None, 1, -1, geom)
            hits += int(geom[0] >= 0 and scene.geom_object[geom[0]] == placed.object_id)
        if hits < 2:
            return False
    return True
