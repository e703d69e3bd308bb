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
from video3d.data.simulate.scene import Surface
from video3d.data.simulate.stage import Drive, StageConfig, StagedClip, StagingFailed, look_at
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.street_things import Side

GRAVITY = 9.81
_TIMESTEP_S = 0.004


def car_body(asset: Asset) -> Asset:
    """The asset with the few boxes that a crash needs: four tyres, a body and a cabin. Its mass is that of such a car."""
    x, y, z = (float(v) for v in asset.size_m)
    tyre = [(sx * (x / 2 - 0.14), sy * y * 0.31, 0.16, 0.12, 0.16, 0.16) for sx in (-1, 1) for sy in (-1, 1)]
    belt = 0.6 * z
    body = (0.0, 0.0, (0.25 + belt) / 2, x / 2, y / 2, (belt - 0.25) / 2)
    cabin = (0.0, 0.05 * y, (belt + z) / 2, 0.42 * x, 0.27 * y, (z - belt) / 2)
    return replace(asset, collision_boxes_m=np.array([*tyre, body, cabin]), mass_kg=110.0 * x * y * z)


class _Runner:
    """A car moved by physics: at a place, with a velocity, pushed until it brakes."""

    def __init__(
        self,
        draft: Draft,
        at_m: tuple[float, float],
        yaw_rad: float,
        speed_mps: float,
        brakes_s: float,
        friction: float,
    ):
        asset = car_body(draft.fleet.draw("car"))
        surface = Surface(friction=friction)
        self.half_m = float(asset.size_m[1]) / 2
        self.direction = np.array([np.cos(yaw_rad), np.sin(yaw_rad)])
        at = np.array(at_m) - self.half_m * self.direction  # the place is that of its bumper
        self.object_id = draft.builder.asset(
            asset, (float(at[0]), float(at[1]), 0.0), yaw_rad + np.pi / 2, motion="dynamic", surface=surface
        )
        self.speed_mps, self.brakes_s, self.push_n = speed_mps, brakes_s, friction * asset.mass_kg * GRAVITY

    @property
    def velocity(self) -> tuple[float, ...]:
        """At the start."""
        return (float(self.speed_mps * self.direction[0]), float(self.speed_mps * self.direction[1]), 0.0)


def _engines(runners: tuple[_Runner, ...]) -> Drive:
    """Pushes those that do not brake yet and that nothing has slowed or turned."""

    def drive(model: Any, data: Any, time_s: float, change: float) -> None:
        for runner in runners:
            body = model.body(f"object{runner.object_id}").id
            dof = int(model.joint(f"object{runner.object_id}-joint").dofadr[0])
            velocity = data.qvel[dof : dof + 2]
            along = float(velocity @ runner.direction)
            aside = abs(float(velocity[0] * runner.direction[1] - velocity[1] * runner.direction[0]))
            free = time_s < runner.brakes_s and along > 0.9 * runner.speed_mps and aside < 0.06 * runner.speed_mps
            force = runner.push_n * velocity / max(float(np.hypot(*velocity)), 1e-6) if free else np.zeros(2)
            data.xfrc_applied[body, :2] = force

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


def _rear_end(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A car skids toward one that stands in its lane."""
    plan = draw_plan(rng, junction=False, crossing=False, before_m=45.0, after_m=50.0)
    friction = float(rng.uniform(0.32, 0.6))  # wet to dry, worn tyres
    draft = Draft(rng, library, config, plan, every_s=(0.12, 0.139), timestep_s=_TIMESTEP_S, friction=friction)
    hits, last = bool(rng.random() < 0.5), draft.last_s
    for _ in range(40):
        speed = float(rng.uniform(8.0, 13.0))
        whole = skid_m(speed, friction)
        gap = whole * (float(rng.uniform(0.4, 0.75)) if hits else float(rng.uniform(1.12, 1.5)))
        # Time from the brake to the touch, or to stand.
        takes = speed / (friction * GRAVITY) * (1 - np.sqrt(max(0.0, 1 - gap / whole))) if hits else 0.0
        brakes = last + float(rng.uniform(0.35, 0.9)) - takes if hits else last - float(rng.uniform(0.3, 0.9))
        if 0.1 <= brakes <= last - 0.25:
            break
    else:
        raise StagingFailed("drive_collision: the touch falls into the frames shown")
    direction: Side = 1 if rng.random() < 0.5 else -1
    side: Side = 1 if rng.random() < 0.5 else -1
    y, yaw = direction * plan.lane_y_m, 0.0 if direction > 0 else np.pi
    touch = float(rng.uniform(4.0, 9.0)) if direction > 0 else float(rng.uniform(-1.0, 4.0))
    start = touch - direction * (gap + speed * brakes)
    runner = _Runner(draft, (start, y), yaw, speed, brakes, friction)
    stander = _Runner(draft, (touch + direction * 4.6, y), yaw, 0.0, 0.0, friction)
    back = touch + direction * (4.6 - 2 * stander.half_m)  # the other's rear bumper: the lengths of cars differ
    runner_shift = back - touch
    eye = np.array([-10.5 + runner_shift, side * (plan.half_m + 1.2), float(rng.uniform(1.2, 1.65)) + 0.12])
    aim = np.array([touch - direction * 4.0, y, 0.8])
    for band in ("parking", "kerb"):
        draft.things.keep_free(band, side, (float(eye[0]) - 2.0, touch + 12.0))
        draft.things.keep_free("parking", -side, (touch - 8.0, touch + 8.0))
    return _filmed(draft, (runner, stander), eye, aim, "drive_collision", extra_m=runner_shift)


def _crossing(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Two cars whose ways cross at a junction, at about the same time or one well before the other."""
    plan = draw_plan(rng, junction=True, crossing=False, before_m=45.0, after_m=50.0)
    friction = float(rng.uniform(0.45, 0.7))
    draft = Draft(rng, library, config, plan, every_s=(0.12, 0.139), timestep_s=_TIMESTEP_S, friction=friction)
    hits, last = bool(rng.random() < 0.5), draft.last_s
    speeds = rng.uniform(6.0, 10.0, 2)
    meets = last + float(rng.uniform(0.4, 0.9))
    late = float(rng.uniform(-0.12, 0.12)) if hits else float(rng.choice([-1.0, 1.0]) * rng.uniform(1.1, 1.6))
    # One along -x toward the camera's corner, one along -y; both reach the place where their lanes cross.
    place = np.array([plan.lane_y_m, -plan.lane_y_m])
    never = draft.end_s + 1.0
    times = np.array([meets, meets + late]) if late > -0.5 else np.array([meets - late, meets])
    first = _Runner(
        draft, (float(place[0] + speeds[0] * times[0]), float(place[1])), np.pi, float(speeds[0]), never, friction
    )
    second = _Runner(
        draft, (float(place[0]), float(place[1] + speeds[1] * times[1])), -np.pi / 2, float(speeds[1]), never, friction
    )
    corner = plan.half_m + 1.3
    eye = np.array([-corner - 1.0, -corner - 1.0, float(rng.uniform(1.2, 1.65)) + 0.12])
    aim = np.array([float(rng.uniform(1.0, 4.0)), float(rng.uniform(1.0, 4.0)), 0.8])
    return _filmed(draft, (first, second), eye, aim, "drive_collision")


def _filmed(
    draft: Draft, runners: tuple[_Runner, ...], eye: np.ndarray, aim: np.ndarray, scenario: str, *, extra_m: float = 0.0
) -> StagedClip:
    rng = draft.rng
    pose = look_at(eye, aim)
    draft.street.standing.append((float(eye[0]), float(eye[1]), 0.0, 0.4, 0.4))
    furnish(draft, (float(eye[0]) + 4.0, float(eye[0]) + 24.0), parked=(0, 3))

    def camera(times_s: np.ndarray, change: float) -> np.ndarray:
        return np.broadcast_to(pose, (len(times_s), 4, 4)).copy()

    return draft.staged(
        scenario,
        viewer="robot" if rng.random() < 0.3 else "person",
        camera=camera,
        fov_deg=float(rng.uniform(72.0, 88.0)),
        must_see=tuple(runner.object_id for runner in runners),
        velocities={runner.object_id: runner.velocity for runner in runners},
        engine=_engines(runners),
    )
