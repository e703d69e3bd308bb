"""The camera's car on the open road: it drives on, follows a car that brakes or does not, turns at a junction or goes straight."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives_acts import turn_at_junction
from video3d.data.simulate.drives_around import furnish, oncoming, walkers
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed
from video3d.data.simulate.street_plan import Turn, draw_plan
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic_path import Profile

FRONT_M = 2.2
"""From the middle of the camera's car to its bumper."""


def drive_straight(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car drives along a street where nothing makes it stop."""
    crossing = bool(rng.random() < 0.3)
    plan = draw_plan(rng, junction=False, crossing=crossing, before_m=60.0, after_m=70.0)
    draft = Draft(rng, library, config, plan)
    speed = float(rng.uniform(4.0, 13.0))
    path, at_last = plan.lane(), float(rng.uniform(-30.0, 0.0))
    draft.drive_ego(path, Profile(speed_mps=speed), path.distance_of((at_last, 0.0)) - speed * draft.last_s)
    if rng.random() < 0.75:  # somebody far ahead, as fast
        gap = float(rng.uniform(12.0, 28.0))
        asset = draft.fleet.draw(str(rng.choice(["car", "car", "van", "bus"])))
        start = path.distance_of((at_last + gap + float(asset.size_m[1]) / 2, 0.0)) - speed * draft.last_s
        draft.move(asset, path, Profile(speed_mps=speed), start)
    oncoming(draft, int(rng.integers(1, 4)), (at_last + 6.0, at_last + 30.0))
    furnish(draft, (at_last + 2.0, at_last + 13.0), people_at_m=at_last)
    mount, fov = draft.car_mount()
    return draft.staged("drive_straight", viewer="car", mount=mount, fov_deg=fov)


def drive_follow(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car follows another that brakes, stands in the lane, or drives on."""
    plan = draw_plan(rng, junction=False, crossing=bool(rng.random() < 0.25), before_m=60.0, after_m=70.0)
    draft = Draft(rng, library, config, plan)
    kind = str(rng.choice(["brakes", "on", "stands"], p=[0.55, 0.30, 0.15]))
    path, last = plan.lane(), draft.last_s
    asset = draft.fleet.draw(str(rng.choice(["car", "car", "van", "bus", "truck"])))
    half = float(asset.size_m[1]) / 2
    ego_x = float(rng.uniform(-30.0, -8.0))
    for _ in range(40):
        speed, gap = float(rng.uniform(5.5, 11.0)), float(rng.uniform(6.0, 14.0))
        begins, final_gap = last + float(rng.uniform(-0.15, 0.3)), float(rng.uniform(2.0, 3.5))
        leads, leader_braking = last - float(rng.uniform(0.3, 0.9)), float(rng.uniform(2.6, 3.9))
        if kind == "brakes":
            # Both have driven as fast until the leader braked: what is left of the gap is its way to stand, less ours.
            way = gap - final_gap + speed * (leads - begins) + speed**2 / (2 * leader_braking)
        else:
            way = speed**2 / (2 * float(rng.uniform(max(2.5, 0.33 * speed), 3.9)))
        braking = speed**2 / (2 * max(way, 0.1))
        if max(2.4, 0.33 * speed) <= braking <= 4.0:
            break
    else:
        raise StagingFailed("drive_follow: no braking that is neither faint nor violent")
    ego_start = path.distance_of((ego_x, 0.0)) - speed * last
    calm, hard = Profile(speed_mps=speed), Profile(speed_mps=speed).wait(begins).reach(0.0, braking)
    front = ego_start + FRONT_M
    if kind == "brakes":
        leader, at = Profile(speed_mps=speed).wait(leads).reach(0.0, leader_braking), front + gap + half
    elif kind == "stands":
        leader, at = Profile(speed_mps=0.0), front + float(hard.distance(60.0)) + final_gap + half
    else:
        faster = float(rng.choice([0.0, 0.0, 0.8]))
        leader, at = Profile(speed_mps=speed).wait(leads).then(1.5, faster), front + gap + half
    ego = draft.drive_ego(path, calm if kind == "on" else hard, ego_start)
    ahead = draft.move(asset, path, leader, at)
    ego_x = float(ego.pose(np.array([last]))[0, 0])
    oncoming(draft, int(rng.integers(1, 4)), (ego_x + 6.0, ego_x + 30.0))
    furnish(draft, (ego_x + 2.0, ego_x + 13.0), people_at_m=ego_x)
    mount, fov = draft.car_mount()
    return draft.staged("drive_follow", viewer="car", mount=mount, fov_deg=fov, must_see=(ahead,))


def drive_turn(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """The car comes to a junction and has begun to turn at the last frame, or drives straight across."""
    plan = draw_plan(rng, junction=True, crossing=False, before_m=55.0, after_m=55.0)
    draft = Draft(rng, library, config, plan)
    turn: Turn = ("left", "right", "straight")[int(rng.choice(3, p=[0.40, 0.40, 0.20]))]
    path, last = plan.turning(turn), draft.last_s
    if turn == "straight":
        speed = float(rng.uniform(4.5, 8.0))
        profile = Profile(speed_mps=speed)
        at_last = path.distance_of((float(rng.uniform(-12.0, -4.0)), 0.0))
    else:
        begins = plan.turn_begins_m(turn)
        quarter = float(path.length_m[np.flatnonzero(np.abs(path.yaw_rad) < np.pi / 2 - 1e-6)[-1]]) - begins
        pace, braking = float(rng.uniform(3.8, 4.8 if turn == "right" else 5.6)), float(rng.uniform(1.4, 2.4))
        into = float(np.radians(rng.uniform(7.0, 17.0))) * quarter / (np.pi / 2)
        steady = into / pace + float(rng.uniform(0.2, 0.5))
        slowing = min(float(rng.uniform(1.0, 2.0)), last - steady)
        if slowing < 0.3:
            raise StagingFailed("drive_turn: too short to slow down and turn")
        profile = Profile(speed_mps=pace + braking * slowing).wait(last - steady - slowing).reach(pace, braking)
        profile = profile.wait(steady + (quarter - into) / pace).reach(8.0, 1.3)
        at_last = begins + into
    draft.drive_ego(path, profile, at_last - float(profile.distance(last)))
    if rng.random() < 0.75:  # another that turns: in front of us, or out of the cross street
        ways: tuple[tuple[int, Turn], ...] = ((2, "right"), (2, "left"), (1, "right"), (3, "right"), (3, "left"))
        quarters, their = ways[int(rng.integers(5))]
        turn_at_junction(draft, quarters, their)
    for direction in (1, -1):  # those who wait for us in the cross street
        if rng.random() < 0.6:
            lane, asset = plan.cross_lane(direction), draft.fleet.draw("car")
            line = lane.distance_of((0.0, -direction * (plan.half_m + 1.2))) - float(asset.size_m[1]) / 2
            draft.try_move(asset, lane, Profile(speed_mps=0.0), line - float(rng.uniform(0.2, 1.5)))
    if turn != "left":
        oncoming(draft, int(rng.integers(0, 3)), (10.0, 40.0))
    elif rng.random() < 0.5:
        oncoming(draft, 1, (0.0, 0.0), stop_x_m=plan.half_m + 1.5)
    draft.things.at_corners(4)
    draft.things.parked_across(int(rng.integers(1, 4)))
    corner: Side = 1 if rng.random() < 0.5 else -1
    waits = rng.random() < 0.55  # at a far corner, to let us pass
    if waits:
        aside = plan.half_m + float(rng.uniform(0.4, 0.7))
        draft.things.person(aside, corner * aside, float(np.arctan2(-corner, -1.0) + rng.uniform(-0.7, 0.7)))
    furnish(draft, (-13.0, 16.0), singles=(7, 10))
    if not waits:
        walkers(draft, 1, (10.0, 16.0))
    mount, fov = draft.car_mount()
    return draft.staged("drive_turn", viewer="car", mount=mount, fov_deg=fov)
