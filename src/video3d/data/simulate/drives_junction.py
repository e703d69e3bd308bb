"""A junction seen from one of its corners: cars turn left and right, wait and drive on, somebody crosses, walks or stands."""

from collections.abc import Callable

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives_acts import drive_on, turn_at_junction, wait_at_junction
from video3d.data.simulate.drives_around import furnish
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.drives_walk import draw_viewer
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed, look_at
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.traffic_path import Profile, braking_to, straight_path

_IN_VIEW = (0.08, 0.08, 0.42, 0.42)
"""How often a car comes from behind the camera's left and right, and from the two streets that it looks into."""

_Place = Callable[[float, float], tuple[float, float]]


def watch_junction(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A camera stands at the corner of a junction and sees what the cars there do, and one on foot."""
    plan = draw_plan(rng, junction=True, crossing=bool(rng.random() < 0.5), before_m=45.0, after_m=50.0)
    draft = Draft(rng, library, config, plan, every_s=(0.12, 0.22))
    viewer, height = draw_viewer(rng)
    # Laid out for a corner at -x and -y that looks toward +x and +y, then mirrored and turned to any of the four.
    quarters, mirrored = int(rng.integers(4)), bool(rng.random() < 0.5)

    def at(x: float, y: float) -> tuple[float, float]:
        x, y = (y, x) if mirrored else (x, y)
        for _ in range(quarters):
            x, y = -y, x
        return x, y

    eye = at(-plan.half_m - float(rng.uniform(2.2, 3.4)), -plan.half_m - float(rng.uniform(0.7, 1.2)))
    angle = float(np.radians(rng.uniform(23.0, 30.0)))  # nearer to the street at the right, or the left where mirrored
    sight = np.array(at(float(np.cos(angle)), float(np.sin(angle))))
    here = np.array([*eye, height + 0.12])
    pose = look_at(here, here + np.array([*sight * 9.0, -float(rng.uniform(0.2, 0.6))]))
    draft.street.standing.append((*eye, 0.0, 0.4, 0.4))
    acts = [str(act) for act in rng.permutation(["left", "right"])]  # rarer elsewhere than to wait or to go on
    if rng.random() < 0.6:
        acts.append("waits" if rng.random() < 0.5 else "on")
    if not sum(_acts(draft, act, quarters, mirrored=mirrored) for act in acts):
        raise StagingFailed("watch_junction: nobody can move")
    kind = str(rng.choice(["stands", "crosses", "along"], p=[0.22, 0.4, 0.38]))
    corner = -plan.half_m - float(rng.uniform(0.4, 0.7))
    back = float(np.arctan2(-sight[1], -sight[0])) + np.pi / 2  # a front is at -y
    if kind == "stands":
        draft.things.person(*at(corner, corner), float(rng.uniform(-np.pi, np.pi)))
    elif kind == "crosses":  # else on the way of who walks there
        draft.things.one_at(*at(corner, corner), back, small=True)
    for k in range(4):  # across the street
        place = at(plan.half_m + 1.2 + 1.9 * k, -plan.half_m - float(rng.uniform(2.4, 2.7)))
        draft.things.one_at(*place, back + float(rng.uniform(-0.5, 0.5)))
    draft.things.one_at(*at(plan.half_m + 1.2, plan.half_m + 1.2), back)
    draft.things.parked_across(2)
    ahead = 1 if sight[0] > 0 else -1
    near = plan.half_m + plan.sidewalk_m
    furnish(draft, (near, near + 12.0) if ahead > 0 else (-near - 12.0, -near), parked=(1, 3))
    if kind != "stands":
        for number in range(8):  # the other way where the cars leave no room for this one
            if _walks(draft, at, over=(kind == "crosses") == (number < 5)) is not None:
                break

    def camera(times_s: np.ndarray, change: float) -> np.ndarray:
        return np.broadcast_to(pose, (len(times_s), 4, 4)).copy()

    return draft.staged("watch_junction", viewer=viewer, camera=camera, fov_deg=float(rng.uniform(52.0, 59.0)))


def _acts(draft: Draft, act: str, quarters: int, *, mirrored: bool) -> bool:
    """Stages what one car does, from any side where there is room for it."""
    for heading in draft.rng.choice(4, 3, replace=False, p=_IN_VIEW):
        come = int(heading) + quarters
        if act == "on":
            found = drive_on(draft, come)
        elif act == "waits":
            found = wait_at_junction(draft, quarters + (3 if mirrored else 2))  # where the camera looks along
        else:
            found = turn_at_junction(draft, come, "left" if act == "left" else "right")
        if found is not None:
            return True
    return False


def _walks(draft: Draft, at: _Place, *, over: bool) -> int | None:
    """Somebody who crosses the street that the camera looks along, or goes away from it or toward it over the other one."""
    rng, half = draft.rng, draft.plan.half_m
    speed = float(rng.uniform(1.1, 1.5))
    if over:
        x = half + float(rng.uniform(0.5, 1.6))
        ends, near = [at(x, -half - 1.2), at(x, half + 2.4)], (0.6, 1.2 * half)
    else:
        y = -half - float(rng.uniform(0.5, 1.1))
        ends, near = [at(-half - 0.4, y), at(half + 2.0, y)], (1.5, 1.6 * half)
    now, whole = float(rng.uniform(*near)), float(np.linalg.norm(np.subtract(ends[0], ends[1])))
    if rng.random() < 0.5:
        ends.reverse()
        now = whole - now
    begin = now - speed * draft.last_s
    profile = braking_to(Profile(speed_mps=speed), 0.0, max(whole - 0.3 - begin, 1.5), 1.5)
    path, asset = straight_path(ends[0], ends[1]), draft.fleet.draw("person")
    return draft.try_move(asset, path, profile, begin, margin_m=0.2)
