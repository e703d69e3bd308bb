"""What else is on the street: oncoming cars, people who walk along, things that stand; none of it decides what happens."""

from video3d.data.simulate.drives_acts import brake_to, stander
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic_path import Profile, braking_to, straight_path


def oncoming(draft: Draft, num: int, span_m: tuple[float, float], *, stop_x_m: float | None = None) -> None:
    """Cars along -x that are within a stretch at the last frame; they drive on, or stand at a line or brake to it."""
    rng, path = draft.rng, draft.plan.lane(-1)
    if stop_x_m is not None and num and rng.random() < 0.75:
        brake_to(draft, path, path.distance_of((stop_x_m, 0.0)), category=str(rng.choice(["car", "car", "van", "bus"])))
        return
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


def cyclist(draft: Draft, x_at_last_m: float, *, direction: int = 1) -> int | None:
    """Somebody on a bicycle at the right edge of a lane."""
    rng, plan = draft.rng, draft.plan
    speed, y = float(rng.uniform(3.0, 5.5)), -direction * (plan.lane_m - 0.1)
    ends = (plan.begin_m - 60.0, plan.end_m + 60.0)[::direction]
    path = straight_path((ends[0], y), (ends[1], y))
    start = path.distance_of((x_at_last_m, y)) - speed * draft.last_s
    return draft.try_move(draft.fleet.cyclist(), path, Profile(speed_mps=speed), start, sign=-1, margin_m=0.25)


def people(draft: Draft, at_m: float) -> None:
    """One or two who walk ahead of a place, or a cyclist, or nobody; one alone has a name."""
    kind = int(draft.rng.choice(4, p=[0.03, 0.82, 0.03, 0.12]))
    if kind == 3:
        cyclist(draft, at_m + float(draft.rng.uniform(9.0, 22.0)), direction=1 if draft.rng.random() < 0.35 else -1)
    else:
        walkers(draft, kind, (at_m + 8.0, at_m + 15.0))


def furnish(
    draft: Draft, focus: tuple[float, float], *, singles: tuple[int, int] = (6, 9), parked: tuple[int, int] = (3, 6),
    without: tuple[str, ...] = (), tree_sides: tuple[Side, ...] = (1, -1), posts: bool = True,
    near: Side = -1, people_at_m: float | None = None, stands: float = 0.4,
) -> None:  # fmt: skip
    """Parked cars, singles in the stretch that is looked at, trees and lamps (unless there are to be no posts at all).

    With ``people_at_m``, where the camera is at the last frame, somebody ahead of it who stands, walks or rides a bicycle.
    """
    rng, plan = draft.rng, draft.plan
    standing = people_at_m is not None and rng.random() < stands
    if standing and people_at_m is not None:
        stander(draft, people_at_m, -1 if rng.random() < 0.6 else 1)
    spans: tuple[tuple[Side, float, float], ...] = (
        (-1, focus[0] + 3.0, focus[1] + 12.0),
        (-1, focus[0] + 3.0, focus[1] + 12.0),
        (1, focus[0] + 3.0, focus[1] + 12.0),
    )
    draft.things.parked(spans, int(rng.integers(parked[0], parked[1] + 1)), categories=("car", "car", "van"))
    other: Side = -1 if near > 0 else 1
    barred = without if posts else (*without, "traffic sign")
    draft.things.singles(focus, int(rng.integers(singles[0], singles[1] + 1)), sides=(near, other), without=barred)
    if posts:
        draft.things.trees_and_lamps(tree_sides=tree_sides)
    if plan.crossing and not draft.street.ids.get("crossing"):
        draft.things.crossing()
    if people_at_m is not None and not standing:
        people(draft, people_at_m)


def on_foot(draft: Draft, direction: Side, y_at_last_m: float, *, aside_m: float = 0.0) -> int | None:
    """Somebody who crosses the road on the crossing toward +y or -y and is at a y at the last frame.

    They come walking, or wait at the kerb first where there is time for it, and stop on the other side.
    """
    plan, speed, pull = draft.plan, float(draft.rng.uniform(1.1, 1.6)), 1.5
    path = plan.over_crossing(direction, aside_m=aside_m)
    at_last = direction * y_at_last_m + plan.half_m + plan.sidewalk_m / 2
    kerb = plan.sidewalk_m / 2 - 0.45
    needed = (at_last - kerb) / speed + speed / (2 * pull)
    if at_last > kerb and needed < draft.last_s:
        start, profile = kerb, Profile(speed_mps=0.0).wait(draft.last_s - needed).reach(speed, pull)
    else:
        start, profile = at_last - speed * draft.last_s, Profile(speed_mps=speed)
    left = path.total_m - start - float(profile.distance(profile.duration_s))
    profile = braking_to(profile, 0.0, max(left, 1.0), 1.5)
    return draft.try_move(draft.fleet.draw("person"), path, profile, start, margin_m=0.3)
