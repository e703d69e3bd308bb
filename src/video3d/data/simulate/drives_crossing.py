"""The camera's car before a crossing: it stops for a red light or for somebody on foot, or has no reason to.

Speeds and distances are drawn before it is drawn what happens, so that they do not give it away.
"""

from typing import Literal

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives_acts import turn_at_junction
from video3d.data.simulate.drives_around import furnish, on_foot, oncoming, walkers
from video3d.data.simulate.drives_car import FRONT_M
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic_path import Profile
from video3d.data.truth import SignalTruth

Signal = Literal["red", "yellow", "green"]


def _approach(draft: Draft, stops: bool) -> float:
    """Drives the camera's car to the stop line so that it would have to brake about now; x at the last frame.

    Whether it stops or drives on, it is as fast and as far away until then.
    """
    rng, plan, path, last = draft.rng, draft.plan, draft.plan.lane(), draft.last_s
    stop = path.distance_of((plan.stop_x_m, 0.0)) - FRONT_M - float(rng.uniform(0.3, 1.1))
    speed = float(rng.uniform(5.5, 9.0))
    braking = float(rng.uniform(max(2.5, 0.33 * speed), 3.8))
    begins = last + float(rng.uniform(-0.25, 0.3))
    start = stop - speed * begins - speed**2 / (2 * braking)
    profile = Profile(speed_mps=speed)
    ego = draft.drive_ego(path, profile.wait(begins).reach(0.0, braking) if stops else profile, start)
    return float(ego.pose(np.array([last]))[0, 0])


def drive_signal(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car comes to a traffic light: it brakes for red (or yellow), drives on at green, or starts at green."""
    junction = bool(rng.random() < 0.65)
    plan = draw_plan(rng, junction=junction, crossing=True, before_m=55.0, after_m=60.0)
    draft = Draft(rng, library, config, plan)
    kind = str(rng.choice(["stop", "go", "start"], p=[0.46, 0.44, 0.10]))
    state: Signal = "green" if kind != "stop" else ("yellow" if rng.random() < 0.12 else "red")
    if kind == "start":
        pull, path, waits = float(rng.uniform(1.3, 2.0)), plan.lane(), draft.last_s * float(rng.uniform(0.1, 0.3))
        stop = path.distance_of((plan.stop_x_m, 0.0)) - FRONT_M - float(rng.uniform(0.3, 1.1))
        ego = draft.drive_ego(path, Profile(speed_mps=0.0).wait(waits).reach(9.0, pull), stop)
        at_last = float(ego.pose(np.array([draft.last_s]))[0, 0])
    else:
        at_last = _approach(draft, kind == "stop")
    light = draft.things.signal(state)
    draft.things.crossing()
    bare = bool(rng.random() < 0.45)  # one light alone, and no other posts: then it can be named
    crowded = _at_signal(draft, state, junction, lights=not bare)
    if kind != "stop" and rng.random() < 0.4:  # somebody who has driven on before
        ahead, pace = plan.lane(), float(rng.uniform(8.0, 10.0))
        beyond = plan.half_m + float(rng.uniform(6.0, 16.0)) if junction else float(rng.uniform(7.0, 18.0))
        start = ahead.distance_of((beyond, 0.0)) - pace * draft.last_s
        draft.try_move(draft.fleet.draw("car"), ahead, Profile(speed_mps=pace), start)
    focus = (at_last + 2.0, at_last + 13.0)
    if junction:
        draft.things.at_corners(int(rng.integers(0, 3)))
    furnish(draft, focus, posts=not bare, people_at_m=None if crowded else at_last)
    mount, fov = draft.car_mount()
    signal = SignalTruth(object_id=light, shown=tuple(state for _ in draft.times_s), after=state)
    return draft.staged("drive_signal", viewer="car", mount=mount, fov_deg=min(fov, 74.0), signal=signal)


def _at_signal(draft: Draft, state: Signal, junction: bool, *, lights: bool) -> bool:
    """What the others do at a light: cross traffic or people on the crossing while it is red, else those wait.

    Says whether there is somebody on foot: one alone has a name.
    """
    rng, plan = draft.rng, draft.plan
    stopped = state != "green"
    oncoming(draft, int(rng.integers(0, 3)), (8.0, 30.0), stop_x_m=plan.stop_back_x_m() if stopped else None)
    if lights:
        draft.things.signal(state, direction=-1)
    if lights and junction:
        draft.things.cross_signal("green" if state == "red" else "red")
    if junction:
        for direction in (1, -1):
            if rng.random() < 0.35:
                continue
            path = plan.cross_lane(direction)
            asset = draft.fleet.draw("car")
            line = path.distance_of((0.0, -direction * (plan.half_m + 1.5))) - float(asset.size_m[1]) / 2
            if state == "red" and rng.random() < 0.65:
                turn_at_junction(draft, 1 if direction > 0 else 3, "left" if rng.random() < 0.5 else "right")
            elif state == "red":
                pace = float(rng.uniform(5.0, 9.0))
                passes = draft.last_s + float(rng.uniform(-1.5, 1.5))
                middle = path.distance_of((0.0, 0.0))
                draft.try_move(asset, path, Profile(speed_mps=pace), middle - pace * passes, sign=-1)
            else:
                draft.try_move(asset, path, Profile(speed_mps=0.0), line - float(rng.uniform(0.3, 1.0)))
    side: Side = 1 if rng.random() < 0.5 else -1
    if rng.random() > 0.65:
        return False
    if state == "red":
        return on_foot(draft, side, float(rng.uniform(-2.5, 3.0)), aside_m=float(rng.uniform(-0.8, 0.8))) is not None
    y = side * (plan.half_m + 0.6)
    draft.things.person(plan.crossing_x_m + float(rng.uniform(-0.8, 0.8)), y, -side * np.pi / 2)
    return True


def drive_pedestrian(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car comes to a zebra crossing: somebody steps onto it, has just left it, or walks along the sidewalk."""
    plan = draw_plan(rng, junction=bool(rng.random() < 0.2), crossing=True, before_m=55.0, after_m=60.0)
    draft = Draft(rng, library, config, plan)
    kind = str(rng.choice(["crosses", "along", "gone"], p=[0.56, 0.27, 0.17]))
    at_last = _approach(draft, kind == "crosses")
    direction: Side = 1 if rng.random() < 0.5 else -1
    aside = float(rng.uniform(-0.9, 0.9))
    if kind == "crosses":
        low, high = (-plan.half_m + 0.2, plan.lane_y_m - 0.4) if direction > 0 else (0.1, plan.lane_m / 2)
        walker = on_foot(draft, direction, float(rng.uniform(low, high)), aside_m=aside)
    elif kind == "gone":
        low, high = (
            (plan.lane_y_m + 3.7, plan.half_m - 0.3) if direction > 0 else (-plan.half_m - 0.6, -plan.half_m - 0.1)
        )
        walker = on_foot(draft, direction, float(rng.uniform(low, high)), aside_m=aside)
    else:
        near = plan.crossing_x_m
        found = walkers(draft, 1, (near - 3.0, near + 8.0))
        walker = found[0] if found else None
    if walker is None:
        raise StagingFailed("drive_pedestrian: no place for the walker")
    draft.things.crossing()
    oncoming(draft, int(rng.integers(1, 3)), (8.0, 30.0), stop_x_m=plan.stop_back_x_m() if kind == "crosses" else None)
    furnish(draft, (at_last + 2.0, at_last + 13.0))
    mount, _ = draft.car_mount()  # who is on foot must be seen before the car brakes
    return draft.staged("drive_pedestrian", viewer="car", mount=mount, fov_deg=float(rng.uniform(46.0, 54.0)))
