"""From a lab with an experiment in it to a staged clip: the camera that watches it, the room around it, its starts and script.

The side from which the camera looks is drawn first, so that things move to the left, to the right, toward and away from it about
equally often. It stands as near as the picture allows; the floor between it and the experiment is kept clear when the room is
furnished.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.confusion import confused
from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.experiments_lab import Lab
from video3d.data.simulate.experiments_script import Hold, Path, script
from video3d.data.simulate.floor_plan import Footprint, Room, clearance
from video3d.data.simulate.furnish import furnish_room
from video3d.data.simulate.rollout import box_poses
from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import (
    EXPERIMENT_STEP_S,
    CameraAt,
    StageConfig,
    StagedClip,
    StagingFailed,
    changed_starts,
    frame_times,
    intrinsics,
    look_at,
    nominal_start,
)

AFTER_S = 3.4
"""How long an experiment goes on after the last frame shown."""

_NEAREST_M, _FARTHEST_M = 1.4, 3.4
_CLEAR_M = 0.25
_CORRIDOR_M = 0.75  # half width of the floor kept clear before the camera
_OVERLAP_M = 0.004
_EDGE = 0.92  # of the half picture in which everything lies
_UNDERFOOT = frozenset({"rug", "carpet", "mat"})
"""Not in a lab's room: physics does not know of them."""


def open_lab(
    rng: np.random.Generator, *, half_m: tuple[float, float] = (1.5, 1.1), timestep_s: float = EXPERIMENT_STEP_S
) -> Lab:
    """An empty lab; the room is put around it by ``stage_lab``."""
    yaw = float(rng.uniform(0, 2 * np.pi))
    return Lab(
        builder=SceneBuilder(timestep_s=timestep_s),
        rng=rng,
        center_m=(float(rng.uniform(-0.3, 0.3)), float(rng.uniform(-0.3, 0.3))),
        yaw_rad=yaw,
        half_m=half_m,
        timestep_s=timestep_s,
        scene_id=f"lab-{int(rng.integers(1 << 48)):012x}",
    )


def draw_side(rng: np.random.Generator, sides: tuple[int, ...] = (0, 1, 2, 3)) -> float:
    """The direction from an experiment to the camera, in the lab's frame: from ahead (0), the left, behind or the right.

    It is never quite in line with what moves along x, or the first thing would hide the next.
    """
    side = int(rng.choice(sides))
    off = rng.uniform(0.16, 0.42) if side % 2 == 0 else rng.uniform(0.0, 0.42)
    return float(side * np.pi / 2 + off * rng.choice([-1, 1]))


def stage_lab(
    rng: np.random.Generator,
    library: AssetLibrary,
    config: StageConfig,
    lab: Lab,
    scenario: str,
    *,
    view_m: Float64[np.ndarray, "p 3"],
    every_s: float,
    side_rad: float | None = None,
    velocities: dict[int, tuple[float, ...]] | None = None,
    holds: tuple[Hold, ...] = (),
    paths: tuple[Path, ...] = (),
    must_see: tuple[int, ...] = (),
    removals: tuple[int, ...] = (),
    supports: dict[int, int] | None = None,
    after_s: float = AFTER_S,
) -> StagedClip:
    """Puts a camera and a room around what is in the lab.

    Args:
        rng: of every draw.
        library: furnishes the room.
        config: of the clip.
        lab: with the experiment.
        scenario: its name.
        view_m: world places that must be in the picture.
        every_s: between frames.
        side_rad: from where the camera looks, in the lab's frame; drawn by default.
        velocities: of things that move at the first frame.
        holds: what is held, and until when.
        paths: of scripted things.
        must_see: as in ``StagedClip``.
        removals: as in ``StagedClip``.
        supports: of static things that do not stand on the floor.
        after_s: how long it goes on after the last frame shown.

    Errors: ``StagingFailed`` where no camera sees it all.
    """
    times = frame_times(config.num_frames, every_s)
    end_s = float(times[-1]) + after_s
    viewer: Literal["person", "robot"] = "person" if rng.random() < 0.55 else "robot"
    side = draw_side(rng) if side_rad is None else side_rad
    k_px = intrinsics(config.size_hw, float(rng.uniform(58, 74)))
    eye, target = _place(rng, view_m, lab.yaw_rad + side, viewer, k_px, config.size_hw)
    camera = _camera(rng, eye, target, end_s)
    clear = (_footprint(lab.center_m, lab.half_m, lab.yaw_rad), _corridor(lab.center_m, eye))
    try:
        room = furnish_room(lab.builder, rng, _without_rivals(library, lab), config, keep_clear=clear)
    except ValueError as error:
        raise StagingFailed(f"{scenario}: no room ({error})") from error
    scene = lab.compile()
    _check_view(scene, room, camera(times[[0, -1]], 0.0), must_see, scenario)
    _check_apart(scene, scenario)
    start = nominal_start(scene, velocities)
    return StagedClip(
        scene=scene,
        domain="indoor",
        scenario=scenario,
        viewer=viewer,
        scene_id=lab.scene_id,
        starts=changed_starts(scene, start, rng, ids=tuple(lab.loose)),
        times_s=times,
        end_s=end_s,
        camera=camera,
        k_px=k_px,
        size_hw=config.size_hw,
        drive=script(scene, holds, paths),
        must_see=must_see,
        removals=removals,
        supports={**room.supports, **lab.supports, **(supports or {})},
        inside=dict(room.inside),
        room=room.truth,
    )


def shown_s(config: StageConfig, every_s: float) -> float:
    """Time of the last frame shown.

    >>> round(shown_s(StageConfig(), 0.12), 2)
    1.8
    """
    return float(frame_times(config.num_frames, every_s)[-1])


def _without_rivals(library: AssetLibrary, lab: Lab) -> AssetLibrary:
    """Without things that somebody might call what is in the lab: a cardboard box a block, a second table the table."""
    kept = [
        a for a in library.assets
        if a.category not in _UNDERFOOT and not any(confused(a.category, category) for category in lab.categories)
    ]  # fmt: skip
    return replace(library, assets=tuple(kept))


def _footprint(center_m: tuple[float, float], half_m: tuple[float, float], yaw_rad: float) -> Footprint:
    return Footprint(object_id=0, center_m=center_m, half_m=half_m, yaw_rad=yaw_rad, bottom_m=0.0, top_m=3.0)


def _corridor(center_m: tuple[float, float], eye_m: Float64[np.ndarray, "3"]) -> Footprint:
    """The floor from the lab's middle to half a metre behind the camera."""
    along = eye_m[:2] - np.array(center_m)
    length = float(np.linalg.norm(along)) + 0.5
    yaw = float(np.arctan2(along[1], along[0]))
    middle = np.array(center_m) + along / np.linalg.norm(along) * length / 2
    return _footprint((float(middle[0]), float(middle[1])), (length / 2, _CORRIDOR_M), yaw)


def _place(
    rng: np.random.Generator,
    view_m: np.ndarray,
    azimuth: float,
    viewer: str,
    k_px: np.ndarray,
    size_hw: tuple[int, int],
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Where the camera is and what it looks at: the nearest place from which everything is in the picture."""
    low, high = view_m.min(0), view_m.max(0)
    target = (low + high) / 2
    target[:2] += rng.uniform(-0.04, 0.04, 2)
    top = float(high[2])
    height = float(rng.uniform(1.4, 1.65) if viewer == "person" else np.clip(top + rng.uniform(0.25, 0.6), 0.55, 1.2))
    for reach in np.arange(_NEAREST_M, _FARTHEST_M, 0.1):
        eye = np.array([target[0] + reach * np.cos(azimuth), target[1] + reach * np.sin(azimuth), height])
        pose = look_at(eye, target)
        seen = (view_m - eye) @ pose[:3, :3]
        if (seen[:, 2] < 0.5).any():
            continue
        half_px = np.array(size_hw[::-1]) / 2
        if (np.abs(seen[:, :2] / seen[:, 2:] * k_px[0, 0]) <= _EDGE * half_px).all():
            return eye, target
    raise StagingFailed("the experiment does not fit into the picture")


def _camera(rng: np.random.Generator, eye: np.ndarray, target: np.ndarray, end_s: float) -> CameraAt:
    """Stands still, or goes slowly sideways or nearer; a person's hand shakes a little."""
    back = (eye - target) * np.array([1.0, 1.0, 0.0])
    back = back / np.linalg.norm(back)
    aside = np.array([-back[1], back[0], 0.0])
    kind = rng.random()
    drift = np.zeros(3)
    if kind > 0.35:
        drift = aside * rng.uniform(0.1, 0.35) * rng.choice([-1, 1]) if kind < 0.8 else -back * rng.uniform(0.1, 0.25)
    drift = drift / end_s
    shake = np.stack(
        [rng.uniform(0, 0.006, 3) * (rng.random() < 0.6), rng.uniform(0.2, 0.7, 3), rng.uniform(0, 6.28, 3)]
    )
    eye = eye + 0.04 * back

    def camera(times_s: Float64[np.ndarray, "t"], change: float) -> Float64[np.ndarray, "t 4 4"]:
        t = times_s[:, None]
        wobble = shake[0] * np.sin(2 * np.pi * shake[1] * t + shake[2])
        return look_at(eye + drift * t * (1 + change) + wobble, np.tile(target, (len(times_s), 1)) + wobble / 2)

    return camera


def _check_apart(scene: BuiltScene, scenario: str) -> None:
    """Raises where two things overlap at the start: they would be shot apart."""
    mujoco = load_mujoco()
    data = mujoco.MjData(scene.model)
    mujoco.mj_forward(scene.model, data)
    if data.ncon and float(data.contact.dist[: data.ncon].min()) < -_OVERLAP_M:
        raise StagingFailed(f"{scenario}: two things overlap")


def _check_view(scene: BuiltScene, room: Room, views: np.ndarray, must_see: tuple[int, ...], scenario: str) -> None:
    """Raises where the camera stands too near to something or anything that must be seen is hidden."""
    mujoco = load_mujoco()
    data = mujoco.MjData(scene.model)
    mujoco.mj_forward(scene.model, data)
    for eye in views[:, :3, 3]:
        if float(clearance(room, eye[None, :2], float(eye[2]) - 0.2, float(eye[2]) + 0.2)[0]) < _CLEAR_M:
            raise StagingFailed(f"{scenario}: the camera stands in something")
    poses, eye = box_poses(scene, data), views[0, :3, 3]
    hit = np.zeros(1, dtype=np.int32)
    for index, placed in enumerate(scene.objects):
        if placed.object_id not in must_see or placed.kind != "experiment":  # furniture is open: a ray goes through it
            continue
        num = 0
        for offset in ((0.0, 0.0, 0.0), (0.0, 0.0, 0.35), (0.3, 0.3, 0.0), (-0.3, -0.3, 0.0), (0.3, -0.3, 0.2)):
            ray = poses[index, :3, 3] + poses[index, :3, :3] @ (np.array(offset) * placed.size_m) - eye
            mujoco.mj_ray(scene.model, data, eye, ray / np.linalg.norm(ray), None, 1, -1, hit)
            num += int(hit[0] >= 0 and scene.geom_object[hit[0]] == placed.object_id)
        if num < 2:
            raise StagingFailed(f"{scenario}: the {placed.category} is hidden")
