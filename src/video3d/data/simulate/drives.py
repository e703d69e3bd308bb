"""Drives: what is staged on a street, seen from a car, a robot or a person on the sidewalk.

What the camera's car does next has its cause in the frames shown (a light, somebody on the crossing, the car ahead), and is done
mostly after the last of them. Each cause has its opposite, drawn as often and with the same speeds and distances: a green light,
somebody who walks along, a car ahead that drives on. Traffic keeps to the right.
"""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.stage import StageConfig, StagedClip, Stager
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic_path import Profile
from video3d.data.truth import SignalTruth

_FRONT_M = 2.2  # from a car's middle to its bumper


# ---- what else is on the street ---------------------------------------------------------------------------------------


def oncoming(draft: Draft, num: int, span_m: tuple[float, float], *, stop_x_m: float | None = None) -> None:
    """Cars along -x that are within a stretch at the last frame; they drive on, or stop at a line where one is given."""
    rng, path = draft.rng, draft.plan.lane(-1)
    speed, at = float(rng.uniform(5.0, 11.0)), float(rng.uniform(*span_m))
    for _ in range(num):
        category = str(rng.choice(["car", "car", "van", "bus", "truck"]))
        asset = draft.fleet.draw(category if draft.fleet.has(category) else "car")
        half = float(asset.size_m[1]) / 2
        if stop_x_m is None:
            profile = Profile(speed_mps=speed)
            start = path.distance_of((at, 0.0)) - speed * draft.last_s
        else:
            front = path.distance_of((stop_x_m, 0.0)) - half - float(rng.uniform(0.3, 1.0))
            profile, start = Profile(speed_mps=0.0), front
        draft.try_move(asset, path, profile, start, sign=-1)
        at += half * 2 + float(rng.uniform(9.0, 22.0))
        if stop_x_m is not None:
            stop_x_m += half * 2 + float(rng.uniform(1.2, 2.5))


def walkers(draft: Draft, num: int, span_m: tuple[float, float], *, sides: tuple[Side, ...] = (1, -1)) -> list[int]:
    """People who walk along the sidewalks and are within a stretch at the last frame."""
    rng, found = draft.rng, []
    for _ in range(3 * num):
        if len(found) >= num:
            break
        side: Side = sides[int(rng.integers(len(sides)))]
        path = draft.plan.sidewalk(side, 1 if rng.random() < 0.5 else -1, share=float(rng.uniform(0.36, 0.6)))
        speed = float(rng.uniform(1.0, 1.6))
        start = path.distance_of((float(rng.uniform(*span_m)), 0.0)) - speed * draft.last_s
        if draft.plan.junction and any(
            abs(float(path.at(start + speed * t)[0])) < draft.plan.half_m + 1.0
            for t in (0.0, draft.end_s / 2, draft.end_s)
        ):
            continue
        done = draft.try_move(draft.fleet.draw("person"), path, Profile(speed_mps=speed), start, sign=-1, margin_m=0.25)
        if done is not None:
            found.append(done)
    return found


def furnish(
    draft: Draft, focus: tuple[float, float], *, singles: tuple[int, int] = (6, 9), parked: tuple[int, int] = (3, 7),
    without: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Trees, lamps, singles in the stretch that is looked at, parked cars."""
    rng, plan = draft.rng, draft.plan
    spans: tuple[tuple[Side, float, float], ...] = ((-1, focus[0], focus[1] + 12.0), (1, focus[0], focus[1] + 12.0))
    draft.things.parked(spans, int(rng.integers(parked[0], parked[1] + 1)), categories=("car", "car", "van"), unique=2)
    draft.things.singles((focus[0], focus[1]), int(rng.integers(singles[0], singles[1] + 1)), without=without)
    draft.things.trees_and_lamps()
    if plan.crossing and not draft.street.ids.get("crossing"):
        draft.things.crossing()


# ---- from the car -----------------------------------------------------------------------------------------------------


def drive_straight(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car drives along a street where nothing makes it stop."""
    crossing = bool(rng.random() < 0.3)
    plan = draw_plan(rng, junction=False, crossing=crossing, before_m=60.0, after_m=70.0)
    draft = Draft(rng, library, config, plan)
    speed = float(rng.uniform(4.0, 13.0))
    path, at_last = plan.lane(), float(rng.uniform(-30.0, 0.0))
    draft.drive_ego(path, Profile(speed_mps=speed), path.distance_of((at_last, 0.0)) - speed * draft.last_s)
    if rng.random() < 0.4:  # somebody far ahead, as fast
        gap = float(rng.uniform(16.0, 34.0))
        asset = draft.fleet.draw(str(rng.choice(["car", "car", "van", "bus"])))
        start = path.distance_of((at_last + gap + float(asset.size_m[1]) / 2, 0.0)) - speed * draft.last_s
        draft.move(asset, path, Profile(speed_mps=speed), start)
    oncoming(draft, int(rng.integers(0, 3)), (at_last + 8.0, at_last + 45.0))
    furnish(draft, (at_last + 5.0, at_last + 24.0), parked=(3, 8))
    walkers(draft, int(rng.choice([0, 1, 1, 2])), (at_last + 7.0, at_last + 25.0))
    mount, fov = draft.car_mount()
    return draft.staged("drive_straight", viewer="car", mount=mount, fov_deg=fov)


def drive_signal(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car comes to a traffic light: it brakes for red (or yellow), drives on at green, or starts at green."""
    junction = bool(rng.random() < 0.65)
    plan = draw_plan(rng, junction=junction, crossing=True, before_m=55.0, after_m=60.0)
    draft = Draft(rng, library, config, plan)
    kind = str(rng.choice(["stop", "go", "start"], p=[0.46, 0.44, 0.10]))
    state = "green" if kind != "stop" else ("yellow" if rng.random() < 0.12 else "red")
    path, last = plan.lane(), draft.last_s
    stop = path.distance_of((plan.stop_x_m, 0.0)) - _FRONT_M - float(rng.uniform(0.3, 1.1))
    speed = float(rng.uniform(5.5, 9.0))
    braking = float(rng.uniform(max(2.5, 0.33 * speed), 3.8))
    begins = last + float(rng.uniform(-0.25, 0.3))
    way = speed * begins + speed**2 / (2 * braking)
    if kind == "stop":
        profile, start = Profile(speed_mps=speed).wait(begins).reach(0.0, braking), stop - way
    elif kind == "go":
        profile, start = Profile(speed_mps=speed), stop - way
    else:
        pull = float(rng.uniform(1.3, 2.0))
        profile, start = Profile(speed_mps=0.0).wait(last * float(rng.uniform(0.15, 0.4))).reach(9.0, pull), stop
    at_last = float(path.at(start + profile.distance(last))[0])
    draft.drive_ego(path, profile, start)
    light = draft.things.signal(state)
    crossing = draft.things.crossing()
    _at_signal(draft, state, junction)
    if kind != "stop" and rng.random() < 0.4:  # somebody who has driven on before
        asset = draft.fleet.draw("car")
        ahead = plan.half_m + float(rng.uniform(6.0, 16.0)) if junction else float(rng.uniform(7.0, 18.0))
        at = path.distance_of((ahead, 0.0)) + (speed if kind == "go" else 6.0) * np.array(0.0)
        pace = max(speed, 7.0) + 1.0
        draft.try_move(asset, path, Profile(speed_mps=pace), float(at) - pace * last)
    focus = (at_last + 5.0, at_last + 24.0)
    furnish(draft, focus)
    walkers(draft, int(rng.choice([0, 0, 1])), (at_last + 8.0, at_last + 25.0))
    mount, fov = draft.car_mount()
    shown = tuple(state for _ in draft.times_s)
    signal = SignalTruth(object_id=light, shown=shown, after=state)  # type: ignore[arg-type]
    del crossing
    return draft.staged("drive_signal", viewer="car", mount=mount, fov_deg=min(fov, 74.0), signal=signal)


def _at_signal(draft: Draft, state: str, junction: bool) -> None:
    """What the others do at a light: cross traffic or people on the crossing while it is red, else those wait."""
    rng, plan = draft.rng, draft.plan
    stopped = state != "green"
    oncoming(draft, int(rng.integers(0, 3)), (8.0, 45.0), stop_x_m=plan.stop_back_x_m() if stopped else None)
    draft.things.signal(state, direction=-1)
    if junction:
        draft.things.cross_signal("green" if state == "red" else "red")
        for direction in (1, -1):
            if rng.random() < 0.35:
                continue
            path = plan.cross_lane(direction)
            asset = draft.fleet.draw("car")
            line = path.distance_of((0.0, -direction * (plan.half_m + 1.5))) - float(asset.size_m[1]) / 2
            if state == "red":
                pace = float(rng.uniform(5.0, 9.0))
                passes = draft.last_s + float(rng.uniform(-1.5, 1.5))
                middle = path.distance_of((0.0, 0.0))
                draft.try_move(asset, path, Profile(speed_mps=pace), middle - pace * passes, sign=-1)
            else:
                draft.try_move(asset, path, Profile(speed_mps=0.0), line - float(rng.uniform(0.3, 1.0)))
    side: Side = 1 if rng.random() < 0.5 else -1
    if rng.random() < 0.6:
        if state == "red":
            path = plan.over_crossing(side, aside_m=float(rng.uniform(-0.8, 0.8)))
            pace = float(rng.uniform(1.1, 1.6))
            done = float(rng.uniform(0.25, 0.6)) * path.total_m
            draft.try_move(
                draft.fleet.draw("person"), path, Profile(speed_mps=pace), done - pace * draft.last_s, margin_m=0.3
            )
        else:
            y = side * (plan.half_m + 0.6)
            draft.things.person(plan.crossing_x_m + float(rng.uniform(-0.8, 0.8)), y, -side * np.pi / 2)


DRIVES: dict[str, Stager] = {"drive_straight": drive_straight, "drive_signal": drive_signal}
