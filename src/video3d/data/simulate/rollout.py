"""From a staged clip to what happens in it: MuJoCo steps, recorded on a grid, with every touch from beginning to end."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.scene import BuiltScene, PlacedObject
from video3d.data.simulate.stage import RECORD_S, StagedClip, Start
from video3d.data.truth import GROUND, WALL, Contact, Removal, Rollout

_GAP_S = 0.1  # a touch that is lost for less goes on: a ball that rolls hops by micrometres
_REMOVAL_S = 2.0
_FALLS_M, _FALLS_RAD = 0.05, np.radians(30)
_STAYS_M, _STAYS_RAD = 0.01, np.radians(5)
_ABSURD_M = 1e4  # farther away than this the solver has blown up
_FAR_BELOW_M = -500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A rollout and the states that it passes, for the camera to film.

    Attributes:
        rollout: what happens.
        qpos: state on the grid of ``rollout.times_s``.
        mocap_pos: places of scripted bodies on the same grid.
        mocap_quat: turns of scripted bodies.
    """

    rollout: Rollout
    qpos: Float64[np.ndarray, "g q"]
    qvel: Float64[np.ndarray, "g v"]
    mocap_pos: Float64[np.ndarray, "g m 3"]
    mocap_quat: Float64[np.ndarray, "g m 4"]


def box_poses(scene: BuiltScene, data: Any) -> Float64[np.ndarray, "o 4 4"]:
    """World pose of every object's box at the data's present state (after ``mj_kinematics``)."""
    poses = np.tile(np.eye(4), (len(scene.objects), 1, 1))
    for index, placed in enumerate(scene.objects):
        body = scene.model.body(placed.body).id
        rotation = data.xmat[body].reshape(3, 3)
        poses[index, :3, :3] = rotation
        poses[index, :3, 3] = data.xpos[body] + rotation @ placed.body_from_box
    return poses


def moves(staged: StagedClip) -> bool:
    """Whether anything in the scene can move at all."""
    return staged.drive is not None or any(placed.motion == "dynamic" for placed in staged.scene.objects)


def record(staged: StagedClip, start: Start) -> Recorded | None:
    """Simulates from a start to ``end_s``. None where the simulation blows up (then the clip must not be used)."""
    mujoco = load_mujoco()

    scene, model = staged.scene, staged.scene.model
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = start.qpos, start.qvel
    times = np.arange(round(staged.end_s / RECORD_S) + 1) * RECORD_S
    camera = staged.camera(times, start.change)
    if not moves(staged):
        mujoco.mj_forward(model, data)
        poses = np.broadcast_to(box_poses(scene, data), (len(times), len(scene.objects), 4, 4)).copy()
        still = Rollout(times_s=times, world_from_object=poses, world_from_camera=camera)
        none = (len(times), model.nmocap)
        return Recorded(
            rollout=still,
            qpos=np.tile(data.qpos, (len(times), 1)),
            qvel=np.tile(data.qvel, (len(times), 1)),
            mocap_pos=np.zeros((*none, 3)),
            mocap_quat=np.zeros((*none, 4)),
        )
    poses, qpos, qvel, mocap_pos, mocap_quat = [], [], [], [], []
    touches = _Touches(scene)
    for time in times:
        while True:
            if staged.drive is not None:
                staged.drive(model, data, float(data.time), start.change)
            if data.time >= time - model.opt.timestep / 2:
                break
            mujoco.mj_step(model, data)
            touches.see(data)
        mujoco.mj_kinematics(model, data)
        poses.append(box_poses(scene, data))
        qpos.append(data.qpos.copy())
        qvel.append(data.qvel.copy())
        mocap_pos.append(data.mocap_pos.copy())
        mocap_quat.append(data.mocap_quat.copy())
    stacked = np.stack(poses)
    if not bool(np.isfinite(stacked).all()) or float(np.abs(stacked[..., :3, 3]).max(initial=0.0)) > _ABSURD_M:
        return None
    rollout = Rollout(
        times_s=times, world_from_object=stacked, world_from_camera=camera, contacts=touches.all(times[-1])
    )
    return Recorded(
        rollout=rollout, qpos=np.stack(qpos), qvel=np.stack(qvel), mocap_pos=np.stack(mocap_pos),
        mocap_quat=np.stack(mocap_quat),
    )  # fmt: skip


class _Touches:
    """Follows which objects touch."""

    def __init__(self, scene: BuiltScene) -> None:
        self._object = scene.geom_object
        self._open: dict[tuple[int, int], list[float]] = {}
        self._done: list[Contact] = []

    def see(self, data: Any) -> None:
        if data.ncon:
            geoms = data.contact.geom[: data.ncon]
            pairs = self._object[geoms]
            for first, second in {(max(a, b), min(a, b)) for a, b in pairs.tolist() if a != b}:
                if first <= 0:
                    continue
                held = self._open.get((first, second))
                if held is not None and data.time - held[1] > _GAP_S:
                    self._close(first, second, held)
                    held = None
                if held is None:
                    self._open[first, second] = [float(data.time), float(data.time)]
                else:
                    held[1] = float(data.time)

    def all(self, end_s: float) -> tuple[Contact, ...]:
        for (first, second), held in self._open.items():
            self._close(first, second, held)
        self._open = {}
        return tuple(sorted(self._done, key=lambda c: (c.begin_s, c.first_id, c.second_id)))

    def _close(self, first: int, second: int, held: list[float]) -> None:
        self._done.append(Contact(first_id=first, second_id=second, begin_s=held[0], end_s=held[1]))


def supporters(staged: StagedClip, recorded: Recorded, at: int) -> dict[int, int]:
    """What every dynamic object stands on at a step of the grid, and ``staged.supports`` for the rest.

    A supporter is touched from above: the contact's normal is within 60 degrees of the vertical and it is the lower one.
    """
    mujoco = load_mujoco()

    scene, model = staged.scene, staged.scene.model
    data = state_at(model, recorded, at)
    mujoco.mj_forward(model, data)
    height = dict(
        zip((p.object_id for p in scene.objects), recorded.rollout.world_from_object[at, :, 2, 3], strict=True)
    )
    height |= {GROUND: -np.inf, WALL: np.inf}
    found: dict[int, int] = dict(staged.supports)
    for contact in data.contact[: data.ncon] if data.ncon else ():
        pair = [int(scene.geom_object[g]) for g in contact.geom]
        upper, lower = sorted(pair, key=lambda i: -height[i])
        if abs(contact.frame[2]) < 0.5 or upper <= 0 or lower in (upper, WALL):
            continue
        if scene.object(upper).motion == "dynamic" and found.get(upper, GROUND) == GROUND:
            found[upper] = lower
    return found


def state_at(model: Any, recorded: Recorded, at: int) -> Any:
    """A fresh ``MjData`` in the recorded state of a step of the grid."""
    mujoco = load_mujoco()

    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = recorded.qpos[at], recorded.qvel[at]
    if model.nmocap:
        data.mocap_pos[:], data.mocap_quat[:] = recorded.mocap_pos[at], recorded.mocap_quat[at]
    mujoco.mj_kinematics(model, data)
    return data


def remove(staged: StagedClip, rollouts: tuple[Recorded, ...], removed_id: int, at: int) -> Removal | None:
    """Takes an object away at a step of the grid and simulates two seconds, from every rollout; what falls, what stays.

    None where the rollouts disagree on which objects fall.
    """
    fallen: set[int] | None = None
    stay: set[int] | None = None
    for recorded in rollouts:
        falls, stays = _after_removal(staged, recorded, removed_id, at)
        if fallen is not None and falls != fallen:
            return None
        fallen = falls
        stay = stays if stay is None else stay & stays
    if fallen is None or stay is None:
        return None
    return Removal(removed_id=removed_id, fallen_ids=tuple(sorted(fallen)), stay_ids=tuple(sorted(stay)))


def _after_removal(staged: StagedClip, recorded: Recorded, removed_id: int, at: int) -> tuple[set[int], set[int]]:
    mujoco = load_mujoco()

    scene = staged.scene
    model = copy.copy(scene.model)
    placed = scene.object(removed_id)
    data = state_at(model, recorded, at)
    if placed.motion == "dynamic":
        joint = int(model.joint(f"object{removed_id}-joint").qposadr[0])
        data.qpos[joint + 2] = _FAR_BELOW_M
    else:
        body = model.body(placed.body).id
        model.body_pos[body, 2] = _FAR_BELOW_M
        if placed.motion == "scripted":
            data.mocap_pos[model.body_mocapid[body], 2] = _FAR_BELOW_M
    data.qvel[:] = 0.0
    mujoco.mj_kinematics(model, data)
    before = box_poses(scene, data)
    for _ in range(round(_REMOVAL_S / model.opt.timestep)):
        mujoco.mj_step(model, data)
    after = box_poses(scene, data)
    falls: set[int] = set()
    stays: set[int] = set()
    for index, other in enumerate(scene.objects):
        if other.object_id == removed_id or other.motion != "dynamic":
            continue
        moved, turned = _change(other, before[index], after[index])
        if before[index, 2, 3] - after[index, 2, 3] > _FALLS_M or turned > _FALLS_RAD:
            falls.add(other.object_id)
        elif moved < _STAYS_M and turned < _STAYS_RAD:
            stays.add(other.object_id)
    return falls, stays


def _change(placed: PlacedObject, before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Metres moved and radians tilted (a turn about the vertical does not count; of a ball none does)."""
    if placed.category == "ball":
        return float(np.linalg.norm(after[:3, 3] - before[:3, 3])), 0.0
    tilt = float(np.arccos(np.clip(before[:3, 2] @ after[:3, 2], -1.0, 1.0)))
    return float(np.linalg.norm(after[:3, 3] - before[:3, 3])), tilt
