"""Will they collide? Two cars moved by physics: one skids toward another that stands, or their ways cross at a junction.

Tyres on asphalt are Coulomb friction: with locked wheels a car stops within v^2 / (2 mu g). Before it brakes, an engine pushes it
with as much force as friction takes, so that it keeps its speed; once something has hit it, or it brakes, friction alone acts.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.drives_around import furnish
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.scene import BuiltScene, Surface
from video3d.data.simulate.stage import Drive, StageConfig, StagedClip, StagingFailed, look_at
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.street_things import Side

GRAVITY = 9.81
_TIMESTEP_S = 0.004
_SPRINGY = (0.1, 1.0)
"""Contacts as soft as springs and sheet metal: what slides fast on hard contacts is thrown up by MuJoCo's friction (half a metre
at 10 m/s with 10 ms; 2 cm with this), and the way to stand is v^2 / (2 mu g) to 1 % all the same."""


def car_body(asset: Asset) -> Asset:
    """The asset with the few boxes that a crash needs: four tyres, a body and a cabin. Its mass is that of such a car."""
    x, y, z = (float(v) for v in asset.size_m)
    tyre = [(sx * (x / 2 - 0.14), sy * y * 0.31, 0.16, 0.12, 0.16, 0.16) for sx in (-1, 1) for sy in (-1, 1)]
    belt = 0.6 * z
    body = (0.0, 0.0, (0.25 + belt) / 2, x / 2, y / 2, (belt - 0.25) / 2)
    cabin = (0.0, 0.05 * y, (belt + z) / 2, 0.42 * x, 0.27 * y, (z - belt) / 2)
    return replace(asset, collision_boxes_m=np.array([*tyre, body, cabin]), mass_kg=110.0 * x * y * z)


class _Runner:
    """A car moved by physics, with its bumper at a place, pushed along until it brakes."""

    def __init__(
        self, draft: Draft, asset: Asset, bumper_m: tuple[float, float], yaw_rad: float, speed_mps: float, brakes_s: float,
        surface: Surface,
    ) -> None:  # fmt: skip
        self.direction = np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
        at = np.array(bumper_m) - float(asset.size_m[1]) / 2 * self.direction
        self.object_id = draft.builder.asset(
            asset, (float(at[0]), float(at[1]), 0.0), yaw_rad + np.pi / 2, motion="dynamic", surface=surface
        )
        self.speed_mps, self.brakes_s = speed_mps, brakes_s
        self.push_n = surface.friction * asset.mass_kg * GRAVITY

    @property
    def velocity(self) -> tuple[float, ...]:
        """At the start."""
        return (float(self.speed_mps * self.direction[0]), float(self.speed_mps * self.direction[1]), 0.0)


def _engines(scene: BuiltScene, runners: tuple[_Runner, ...]) -> Drive:
    """Pushes those that do not brake yet and that nothing has slowed or turned."""
    model = scene.model
    found = [
        (
            runner,
            model.body(f"object{runner.object_id}").id,
            int(model.joint(f"object{runner.object_id}-joint").dofadr[0]),
        )
        for runner in runners
    ]

    def drive(model: Any, data: Any, time_s: float, change: float) -> None:
        for runner, body, dof in found:
            vx, vy = float(data.qvel[dof]), float(data.qvel[dof + 1])
            ux, uy = float(runner.direction[0]), float(runner.direction[1])
            along, aside = vx * ux + vy * uy, abs(vx * uy - vy * ux)
            push = runner.push_n / max(float(np.hypot(vx, vy)), 1e-6)
            free = time_s < runner.brakes_s and along > 0.9 * runner.speed_mps and aside < 0.06 * runner.speed_mps
            data.xfrc_applied[body, 0] = push * vx if free else 0.0
            data.xfrc_applied[body, 1] = push * vy if free else 0.0

    return drive


def skid_m(speed_mps: float, friction: float) -> float:
    """The way to stand with locked wheels.

    >>> round(skid_m(10.0, 0.7), 2)
    7.28
    """
    return speed_mps**2 / (2 * friction * GRAVITY)


def drive_collision(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Two cars that will collide, or just not: seen by somebody on the sidewalk, or by a robot there."""
    return _rear_end(rng, library, config) if rng.random() < 0.55 else _crossing(rng, library, config)


def _draft(
    rng: np.random.Generator, library: AssetLibrary, config: StageConfig, *, junction: bool
) -> tuple[Draft, Surface]:
    plan = draw_plan(rng, junction=junction, crossing=False, before_m=45.0, after_m=50.0)
    surface = Surface(friction=float(rng.uniform(0.34, 0.6)), solref=_SPRINGY)  # wet to dry, worn tyres
    return Draft(rng, library, config, plan, every_s=(0.12, 0.139), timestep_s=_TIMESTEP_S, road=surface), surface


def _rear_end(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A car skids toward one that stands in its lane."""
    draft, surface = _draft(rng, library, config, junction=False)
    hits, last, plan = bool(rng.random() < 0.5), draft.last_s, draft.plan
    for _ in range(60):
        speed = float(rng.uniform(8.0, 12.0))
        whole = skid_m(speed, surface.friction)
        gap = whole * (float(rng.uniform(0.4, 0.75)) if hits else float(rng.uniform(1.12, 1.5)))
        # Time from the brake to the touch; where there is none, the car stands after the last frame all the same.
        takes = speed / (surface.friction * GRAVITY) * (1 - np.sqrt(1 - gap / whole)) if hits else 0.0
        brakes = last + float(rng.uniform(0.35, 0.9)) - takes if hits else last - float(rng.uniform(0.3, 0.9))
        if 0.1 <= brakes <= last - 0.25:
            break
    else:
        raise StagingFailed("drive_collision: the touch falls into the frames shown")
    direction: Side = 1 if rng.random() < 0.5 else -1
    side: Side = 1 if rng.random() < 0.5 else -1
    y, yaw = direction * plan.lane_y_m, 0.0 if direction > 0 else np.pi
    touch = float(rng.uniform(0.0, 8.0))
    runner, stander = (car_body(draft.fleet.draw("car")) for _ in range(2))
    moving = _Runner(draft, runner, (touch - direction * (gap + speed * brakes), y), yaw, speed, brakes, surface)
    standing = _Runner(draft, stander, (touch + direction * float(stander.size_m[1]), y), yaw, 0.0, 0.0, surface)
    # Beyond the one that stands, looking back to the one that comes.
    eye = np.array([touch + direction * 9.5, side * (plan.half_m + 0.9), float(rng.uniform(1.2, 1.65)) + 0.12])
    far, near = touch - direction * 26.0, float(eye[0]) + direction * 2.0
    for band in ("parking", "kerb"):
        draft.things.keep_free(band, side, (min(far, near), max(far, near)))
    draft.things.keep_free("parking", -side, (touch - 8.0, touch + 8.0))
    aim = np.array([touch - direction * float(rng.uniform(4.0, 7.0)), y, 0.8])
    for ahead in (3.2, 5.2):  # near enough to be named, beside the cars
        x, turn = float(eye[0]) - direction * (ahead + float(rng.uniform(-0.4, 0.4))), 0.0 if side > 0 else np.pi
        draft.things.one_at(x, side * (plan.half_m + 0.6), turn + float(rng.uniform(-0.4, 0.4)), small=True)
    return _filmed(draft, (moving, standing), eye, aim)


def _crossing(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Two cars whose ways cross at a junction, at about the same time or one well before the other."""
    draft, surface = _draft(rng, library, config, junction=True)
    hits, plan, never = bool(rng.random() < 0.5), draft.plan, draft.end_s + 1.0
    speeds = [float(v) for v in rng.uniform(6.0, 9.5, 2)]
    meets = draft.last_s + float(rng.uniform(0.4, 0.9))
    late = float(rng.uniform(0.0, 0.12)) if hits else float(rng.uniform(1.25, 1.8))
    times = [meets, meets + late][:: 1 if rng.random() < 0.5 else -1]
    # One comes along -x, one along -y, toward the corner with the camera; their lanes cross at the place.
    place = (plan.lane_y_m, -plan.lane_y_m)
    one, other = (car_body(draft.fleet.draw("car")) for _ in range(2))
    first = _Runner(draft, one, (place[0] + speeds[0] * times[0], place[1]), np.pi, speeds[0], never, surface)
    second = _Runner(draft, other, (place[0], place[1] + speeds[1] * times[1]), -np.pi / 2, speeds[1], never, surface)
    corner = -plan.half_m - 0.6
    eye = np.array([corner, corner, float(rng.uniform(1.2, 1.65)) + 0.12])
    draft.things.at_corners(4)
    return _filmed(draft, (first, second), eye, np.array([2.0, 2.0, 0.9]))


def _filmed(draft: Draft, runners: tuple[_Runner, ...], eye: np.ndarray, aim: np.ndarray) -> StagedClip:
    rng, pose = draft.rng, look_at(eye, aim)
    draft.street.standing.append((float(eye[0]), float(eye[1]), 0.0, 0.4, 0.4))
    ahead = float(np.sign(aim[0] - eye[0]))
    near, far = float(eye[0]) + 4.0 * ahead, float(eye[0]) + 17.0 * ahead
    furnish(draft, (min(near, far), max(near, far)), parked=(0, 3))

    def camera(times_s: np.ndarray, change: float) -> np.ndarray:
        return np.broadcast_to(pose, (len(times_s), 4, 4)).copy()

    return draft.staged(
        "drive_collision",
        viewer="robot" if rng.random() < 0.3 else "person",
        camera=camera,
        fov_deg=float(rng.uniform(68.0, 80.0)),
        must_see=tuple(runner.object_id for runner in runners),
        velocities={runner.object_id: runner.velocity for runner in runners},
        engine=lambda scene: _engines(scene, runners),
    )
