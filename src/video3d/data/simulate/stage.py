"""StagedClip: a scene with its camera, its start and its script, ready to be simulated and filmed.

Time 0 is the first frame shown. A staged clip is simulated from its nominal start and from starts changed by 2 %; the first
rollout is what happens and is filmed, the others tell which answers would flip.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.scene import BuiltScene
from video3d.data.truth import Domain, RoomTruth, SignalTruth, Split

RECORD_S = 0.04
"""Rollouts are recorded this often; frames are shown at multiples of it."""

EXPERIMENT_STEP_S = 0.002
"""The time step of the experiments' physics, and of its comparison with theory."""

CHANGE = 0.02
"""The change of the start that no answer may depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """What every scenario is given.

    Attributes:
        split: test may use every model, the others only those that are not held out.
        size_hw: of the frames.
        num_frames: shown.
    """

    split: Split = "train"
    size_hw: tuple[int, int] = (224, 224)
    num_frames: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A state at time 0, and by how much the script is changed (0 nominal, else within ±``CHANGE``).

    Scripted movers and cameras multiply their speed by ``1 + change``.
    """

    qpos: Float64[np.ndarray, "q"]
    qvel: Float64[np.ndarray, "v"]
    change: float = 0.0


Drive = Callable[[Any, Any, float, float], None]
"""``drive(model, data, time_s, change)``: sets the poses of scripted bodies (``data.mocap_pos``, ``mocap_quat``) before a step."""

CameraAt = Callable[[Float64[np.ndarray, "t"], float], Float64[np.ndarray, "t 4 4"]]
"""``camera(times_s, change)`` -> world_from_camera (OpenCV axes) at times from 0 to ``end_s``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedClip:
    """Everything that a clip is made from.

    Attributes:
        scene: compiled.
        starts: the nominal one first, then those changed by 2 %. One alone where nothing moves by physics or script.
        times_s: of the frames shown, multiples of ``RECORD_S``, from 0.
        end_s: how long is simulated, beyond the last frame shown.
        camera: where the camera is.
        k_px: intrinsics at ``size_hw``, the same in every frame.
        drive: the script, or None.
        must_see: objects without which the clip is pointless: each must be seen well in at least half of the frames.
        removals: objects of which it is simulated what falls when they are taken away at the last frame shown.
        supports: what static things stand on: object id -> object id or ``GROUND`` (physics tells it of dynamic ones).
        inside: object id -> the container that it is in.
        scene_id: unique to the room or street, not to the clip.
    """

    scene: BuiltScene
    domain: Domain
    scenario: str
    viewer: Literal["person", "robot", "car"]
    scene_id: str
    starts: tuple[Start, ...]
    times_s: Float64[np.ndarray, "f"]
    end_s: float
    camera: CameraAt
    k_px: Float64[np.ndarray, "3 3"]
    size_hw: tuple[int, int]
    drive: Drive | None = None
    must_see: tuple[int, ...] = ()
    removals: tuple[int, ...] = ()
    supports: dict[int, int] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)
    room: RoomTruth | None = None
    signal: SignalTruth | None = None


Stager = Callable[[np.random.Generator, AssetLibrary, StageConfig], StagedClip]
"""What every scenario is: a function that stages one clip. Errors: ``StagingFailed`` when this draw does not work out."""


class StagingFailed(Exception):  # noqa: N818 - an outcome of a draw, not an error of the program
    """This draw gives no clip (no room for the furniture, nothing to see, ...); the caller draws again."""


def frame_times(num_frames: int, every_s: float) -> Float64[np.ndarray, "f"]:
    """Times of the frames shown, ``every_s`` apart, on the grid of ``RECORD_S``.

    >>> frame_times(3, 0.3).round(2).tolist()
    [0.0, 0.28, 0.56]
    """
    return np.arange(num_frames) * max(1, int(every_s / RECORD_S + 1e-9)) * RECORD_S


def nominal_start(scene: BuiltScene, velocities: dict[int, tuple[float, ...]] | None = None) -> Start:
    """The state in which the scene was built, with velocities (vx, vy, vz[, wx, wy, wz]) of some objects in m/s and rad/s.

    Angular velocity is in the body's own frame, as MuJoCo has it for free joints.
    """
    mujoco = load_mujoco()

    data = mujoco.MjData(scene.model)
    for object_id, velocity in (velocities or {}).items():
        dof = scene.model.joint(f"object{object_id}-joint").dofadr[0]
        data.qvel[dof : dof + len(velocity)] = velocity
    return Start(qpos=data.qpos.copy(), qvel=data.qvel.copy())


def changed_starts(
    scene: BuiltScene, start: Start, rng: np.random.Generator, *, num: int = 4, ids: tuple[int, ...] | None = None
) -> tuple[Start, ...]:
    """The start itself and ``num`` others in which dynamic objects (``ids``, default all) start 2 % otherwise.

    Speeds change by 2 % either way and turn by up to 0.02 rad about +z; places shift sideways by up to 2 % of the object's own
    width. Scripts run 2 % faster and slower in turn.
    """
    starts = [start]
    for number in range(num):
        qpos, qvel = start.qpos.copy(), start.qvel.copy()
        for placed in scene.objects:
            if placed.motion != "dynamic" or (ids is not None and placed.object_id not in ids):
                continue
            joint = scene.model.joint(f"object{placed.object_id}-joint")
            at, dof = int(joint.qposadr[0]), int(joint.dofadr[0])
            qpos[at : at + 2] += CHANGE * placed.size_m[:2] * rng.uniform(-1, 1, 2)
            turn = rng.uniform(-CHANGE, CHANGE)
            vx, vy = qvel[dof], qvel[dof + 1]
            qvel[dof], qvel[dof + 1] = vx * np.cos(turn) - vy * np.sin(turn), vx * np.sin(turn) + vy * np.cos(turn)
            qvel[dof : dof + 6] *= 1 + CHANGE * (-1) ** number
        starts.append(Start(qpos=qpos, qvel=qvel, change=CHANGE * (-1) ** number))
    return tuple(starts)


def intrinsics(size_hw: tuple[int, int], horizontal_fov_deg: float) -> Float64[np.ndarray, "3 3"]:
    """Square pixels, principal point in the middle.

    >>> intrinsics((224, 224), 90.0)[0].tolist()
    [112.00000000000001, 0.0, 112.0]
    """
    height, width = size_hw
    f = width / 2 / np.tan(np.radians(horizontal_fov_deg) / 2)
    return np.array([[f, 0.0, width / 2], [0.0, f, height / 2], [0.0, 0.0, 1.0]])


def look_at(eye_m: Float64[np.ndarray, "*t 3"], target_m: Float64[np.ndarray, "*t 3"]) -> Float64[np.ndarray, "*t 4 4"]:
    """world_from_camera of level cameras at some places, looking at others (OpenCV axes: x right, y down, z forward).

    >>> look_at(np.zeros(3), np.array([0.0, 1.0, 0.0]))[:3, 2].tolist()
    [0.0, 1.0, 0.0]
    """
    forward = target_m - eye_m
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right = right / np.linalg.norm(right, axis=-1, keepdims=True)
    down = np.cross(forward, right)
    pose = np.zeros((*eye_m.shape[:-1], 4, 4))
    pose[..., :3, 0], pose[..., :3, 1], pose[..., :3, 2], pose[..., :3, 3] = right, down, forward, eye_m
    pose[..., 3, 3] = 1.0
    return pose
