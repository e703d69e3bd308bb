"""What others do that the frames shown let one foresee: they brake to a line, turn at a junction, cross the road, wait at it.

Each act has begun within the last second shown and goes on after the last frame, so that a question about it has an answer.
"""

import numpy as np

from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.street_plan import Turn
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic_path import Path, Profile, rotated

_TRIES = 4


def brake_to(
    draft: Draft, path: Path, line_m: float, *, category: str = "car", sign: int = -1, margin_m: float = 0.5
) -> int | None:
    """A car that has begun to brake at the last frame and will stand with its bumper before a line (distance on the path)."""
    rng = draft.rng
    asset = draft.fleet.draw(category if draft.fleet.has(category) else "car")
    front = line_m - float(asset.size_m[1]) / 2
    for _ in range(_TRIES):
        speed = float(rng.uniform(5.5, 9.0))
        braking = float(rng.uniform(max(2.6, 0.33 * speed), 3.8))
        begins = draft.last_s - float(rng.uniform(0.5, 0.95))
        profile = Profile(speed_mps=speed).wait(begins).reach(0.0, braking)
        start = front - float(rng.uniform(0.3, 1.0)) - float(profile.distance(profile.duration_s))
        done = draft.try_move(asset, path, profile, start, sign=sign, margin_m=margin_m)
        if done is not None:
            return done
    return None


def turn_at_junction(draft: Draft, quarters: int, turn: Turn, *, sign: int = -1) -> int | None:
    """A car that has begun to turn at the junction; at 0 quarters it comes along +x, at 1 along +y, and so on."""
    rng, plan, last = draft.rng, draft.plan, draft.last_s
    category = "van" if rng.random() < 0.25 and draft.fleet.has("van") else "car"
    asset, path, begins = draft.fleet.draw(category), plan.turning(turn), plan.turn_begins_m(turn)
    quarter = float(path.length_m[np.flatnonzero(np.abs(path.yaw_rad) < np.pi / 2 - 1e-6)[-1]]) - begins
    for _ in range(_TRIES):
        pace, braking = float(rng.uniform(3.8, 4.8 if turn == "right" else 5.6)), float(rng.uniform(1.4, 2.4))
        into = float(np.radians(rng.uniform(7.0, 38.0))) * quarter / (np.pi / 2)
        steady = min(into / pace + float(rng.uniform(0.2, 0.5)), last)
        slowing = min(float(rng.uniform(0.5, 2.0)), last - steady)
        if slowing < 0.05:
            profile = Profile(speed_mps=pace).wait(last - steady)
        else:
            profile = Profile(speed_mps=pace + braking * slowing).wait(last - steady - slowing).reach(pace, braking)
        profile = profile.wait(steady + (quarter - into) / pace).reach(8.0, 1.3)
        start = begins + into - float(profile.distance(last))
        done = draft.try_move(asset, rotated(path, quarters), profile, start, sign=sign)
        if done is not None:
            return done
    return None


def drive_on(draft: Draft, quarters: int, *, sign: int = -1) -> int | None:
    """A car that goes straight over the junction at about the last frame."""
    rng, asset, path = draft.rng, draft.fleet.draw("car"), draft.plan.lane()
    middle = path.distance_of((0.0, 0.0))
    for _ in range(_TRIES):
        pace, passes = float(rng.uniform(5.0, 9.0)), draft.last_s + float(rng.uniform(-0.6, 1.3))
        done = draft.try_move(
            asset, rotated(path, quarters), Profile(speed_mps=pace), middle - pace * passes, sign=sign
        )
        if done is not None:
            return done
    return None


def wait_at_junction(draft: Draft, quarters: int) -> int | None:
    """A car that brakes before it comes into the junction."""
    plan, path = draft.plan, draft.plan.lane()
    quarters %= 4
    line = plan.stop_x_m if plan.crossing and quarters == 0 else -(plan.half_m + 1.2)
    return brake_to(draft, rotated(path, quarters), path.distance_of((line, 0.0)))


def stander(draft: Draft, at_m: float, side: Side) -> int:
    """Somebody who stands at the kerb and looks over the road, ahead of a place where the camera is at the last frame.

    The parking strip between is kept free.
    """
    rng, plan = draft.rng, draft.plan
    lateral = plan.half_m + 0.5 - side * plan.lane_y_m
    ahead = max(float(rng.uniform(1.9, 2.6)) * lateral, 6.0)
    x = at_m + ahead
    draft.things.keep_free("parking", side, (at_m + 0.2 * ahead - 1.0, x + 1.0))
    draft.things.keep_free("kerb", side, (at_m + 0.7 * ahead, x + 0.6))
    gaze = -side * np.pi / 2 + float(rng.uniform(-0.6, 0.6))
    return draft.things.person(x, side * (plan.half_m + float(rng.uniform(0.4, 0.65))), gaze)
