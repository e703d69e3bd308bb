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
from video3d.data.simulate.traffic_path import Path, Profile, braking_to, straight_path

_ACTS = ("left", "right", "waits")
_IN_VIEW = (0.14, 0.14, 0.36, 0.36)
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

    eye = at(-plan.half_m - float(rng.uniform(0.6, 1.8)), -plan.half_m - float(rng.uniform(0.6, 1.4)))
    angle = float(np.radians(rng.uniform(24.0, 42.0)))  # nearer to the street at the right, or the left where mirrored
    sight = np.array(at(float(np.cos(angle)), float(np.sin(angle))))
    here = np.array([*eye, height + 0.12])
    pose = look_at(here, here + np.array([*sight * 9.0, -float(rng.uniform(0.2, 0.6))]))
    draft.street.standing.append((*eye, 0.0, 0.4, 0.4))
    acts = [*(str(act) for act in rng.permutation(_ACTS)[:2]), *(["on"] if rng.random() < 0.35 else [])]
    if not sum(_acts(draft, act, quarters) for act in acts):
        raise StagingFailed("watch_junction: nobody can move")
    walks = _at_corner(draft, at)
    for x, y, num in ((plan.half_m + 3.6, -plan.half_m - 1.6, 4), (plan.half_m + 1.6, plan.half_m + 1.6, 2)):
        for k in range(num):
            place = at(x + 1.9 * k + float(rng.uniform(-0.2, 0.2)), y + float(rng.uniform(-0.2, 0.2)))
            draft.things.one_at(*place, float(np.arctan2(sight[0], -sight[1]) + np.pi + rng.uniform(-0.5, 0.5)))
    draft.things.parked_across(2)
    ahead = 1 if sight[0] > 0 else -1
    near = plan.half_m + plan.sidewalk_m
    furnish(draft, (near, near + 12.0) if ahead > 0 else (-near - 12.0, -near), parked=(1, 3))
    if walks is not None:
        path, profile, start = walks
        draft.try_move(draft.fleet.draw("person"), path, profile, start, margin_m=0.25)

    def camera(times_s: np.ndarray, change: float) -> np.ndarray:
        return np.broadcast_to(pose, (len(times_s), 4, 4)).copy()

    return draft.staged("watch_junction", viewer=viewer, camera=camera, fov_deg=float(rng.uniform(58.0, 70.0)))


def _acts(draft: Draft, act: str, quarters: int) -> bool:
    """Stages what one car does, from any side where there is room for it."""
    for heading in draft.rng.choice(4, 3, replace=False, p=_IN_VIEW):
        come = int(heading) + quarters
        if act == "on":
            found = drive_on(draft, come)
        elif act == "waits":
            found = wait_at_junction(draft, 2 + int(heading) % 2 + quarters)
        else:
            found = turn_at_junction(draft, come, "left" if act == "left" else "right")
        if found is not None:
            return True
    return False


def _at_corner(draft: Draft, at: _Place) -> tuple[Path, Profile, float] | None:
    """Somebody at the corner across the street: stands there, or walks (returned, to be put there when all else is)."""
    rng, half = draft.rng, draft.plan.half_m
    kind = str(rng.choice(["stands", "crosses", "along", "aside"], p=[0.3, 0.35, 0.2, 0.15]))
    speed, out = float(rng.uniform(1.1, 1.5)), half + float(rng.uniform(1.2, 2.2))
    if kind == "stands":
        x, y = at(half + float(rng.uniform(0.4, 0.8)), -half - float(rng.uniform(0.4, 0.8)))
        draft.things.person(x, y, float(np.arctan2(-y, -x)) + float(rng.uniform(-0.7, 0.7)))
        return None
    if kind == "crosses":  # from kerb to kerb
        ends, near = [at(out, -half - 2.4), at(out, half + 2.4)], (2.8, 2 * half)
    elif kind == "along":
        ends, near = [at(half + 0.8, -out), at(half + 11.0, -out)], (2.0, 7.0)
    else:
        ends, near = [at(out, -half - 8.0), at(out, -half - 0.6)], (2.5, 5.0)
    if rng.random() < 0.5:
        ends.reverse()
    path = straight_path(ends[0], ends[1])
    begin = float(rng.uniform(*near)) - speed * draft.last_s
    left = path.total_m - 0.3 - begin
    return path, braking_to(Profile(speed_mps=speed), 0.0, max(left, 1.5), 1.5), begin
