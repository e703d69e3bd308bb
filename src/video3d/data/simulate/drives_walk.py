"""Traffic seen from the sidewalk: by somebody who walks, by a robot that rolls, by a camera that stands."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives_acts import brake_to
from video3d.data.simulate.drives_around import cyclist, furnish, on_foot, walkers
from video3d.data.simulate.drives_draft import Draft, Viewer
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed, look_at
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic import Mount
from video3d.data.simulate.traffic_path import Profile

_KINDS = ("car", "car", "car", "van", "bus", "truck")


def draw_viewer(rng: np.random.Generator) -> tuple[Viewer, float]:
    """Who carries the camera, and its height in metres."""
    return ("robot", float(rng.uniform(0.6, 1.2))) if rng.random() < 0.35 else ("person", float(rng.uniform(1.45, 1.7)))


def _traffic(draft: Draft, num: int, reach_m: tuple[float, float], at_m: float) -> list[int]:
    """Cars both ways, of different speeds, that pass a place within some metres before and after the last frame."""
    rng, found = draft.rng, []
    for _ in range(5 * num):
        if len(found) >= num:
            break
        direction = 1 if rng.random() < 0.5 else -1
        path, speed = draft.plan.lane(direction), float(rng.uniform(3.0, 12.0))
        asset = draft.fleet.draw(str(rng.choice(_KINDS)))
        # The first is in view at the last frame, the others come before or after it.
        reach = float(rng.uniform(*reach_m)) if found else float(rng.uniform(-6.0, 6.0))
        at_last = path.distance_of((at_m, 0.0)) + reach
        start = at_last - speed * draft.last_s
        done = draft.try_move(
            asset, path, Profile(speed_mps=speed), start, sign=1 if len(found) % 2 else -1, margin_m=2.0
        )
        if done is not None:
            found.append(done)
    return found


def _crossed(draft: Draft, first: Side) -> bool:
    """Somebody is on the crossing, and the cars brake for them; whether there was room for it.

    Args:
        draft: of a street with a crossing.
        first: the direction of the car that is staged first.
    """
    rng, plan = draft.rng, draft.plan
    way: Side = 1 if rng.random() < 0.5 else -1
    if on_foot(draft, way, float(rng.uniform(-2.6, 1.6)), aside_m=float(rng.uniform(-0.8, 0.8))) is None:
        return False
    other: Side = -1 if first > 0 else 1
    cars = []
    for direction in (first, other)[: 1 if rng.random() < 0.35 else 2]:
        path, line = plan.lane(direction), plan.stop_x_m if direction > 0 else plan.stop_back_x_m()
        cars.append(brake_to(draft, path, path.distance_of((line, 0.0)), category=str(rng.choice(_KINDS)), sign=1))
    return any(car is not None for car in cars)


def _somebody(draft: Draft, ahead: tuple[float, float], side: Side) -> None:
    """One who walks along or rides a bicycle, after the street is furnished; ``side`` is the viewer's."""
    rng = draft.rng
    if rng.random() < 0.85:
        other: Side = -1 if side > 0 else 1
        walkers(draft, 1, ahead, sides=(side, side, other))
    else:
        cyclist(draft, float(rng.uniform(*ahead)), direction=1 if rng.random() < 0.5 else -1)


def _stands(draft: Draft, ahead: tuple[float, float], side: Side) -> None:
    """Somebody who stands at the kerb, before the street is furnished; parked cars leave them in view."""
    rng, plan = draft.rng, draft.plan
    x = float(rng.uniform(*ahead))
    draft.things.keep_free("kerb", side, (x - 0.8, x + 0.8))
    draft.things.keep_free("parking", side, (x - 5.0, x + 5.0))
    gaze = -side * np.pi / 2 + float(rng.uniform(-0.8, 0.8))
    draft.things.person(x, side * (plan.half_m + float(rng.uniform(0.35, 0.6))), gaze)


def walk_street(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Somebody walks, or a robot rolls, along the sidewalk and sees the traffic go by."""
    yields = bool(rng.random() < 0.55)  # somebody crosses, and the cars brake
    plan = draw_plan(rng, junction=False, crossing=yields or bool(rng.random() < 0.2), before_m=45.0, after_m=60.0)
    draft = Draft(rng, library, config, plan, every_s=(0.16, 0.3))
    viewer, height = draw_viewer(rng)
    side: Side = 1 if rng.random() < 0.5 else -1
    other: Side = -1 if side > 0 else 1  # no twigs in the face
    direction: Side = 1 if rng.random() < 0.5 else -1
    path, speed = plan.sidewalk(side, direction, share=0.5), float(rng.uniform(0.8, 1.5))
    # At the last frame the crossing is ahead, where somebody crosses.
    x = -direction * (float(rng.uniform(8.0, 12.5)) + speed * draft.last_s) if yields else float(rng.uniform(-8.0, 4.0))
    draft.drive_ego(path, Profile(speed_mps=speed), path.distance_of((x, 0.0)), half_m=(0.35, 0.3))
    x += direction * speed * draft.last_s
    # Toward the road, which is on the right of who walks along +x at y > 0.
    aside = -direction * side * float(np.radians(rng.uniform(4.0, 24.0)))
    if yields:
        if not _crossed(draft, -1 if direction > 0 else 1):
            raise StagingFailed("walk_street: no place for who crosses")
    elif not _traffic(draft, int(rng.integers(2, 4)), (-30.0, 8.0), x + 12.0 * direction):
        raise StagingFailed("walk_street: no traffic")
    ahead = (x + 4.0, x + 13.0) if direction > 0 else (x - 13.0, x - 4.0)
    stands = not yields and rng.random() < 0.5
    if stands:
        _stands(draft, (x + 6.0, x + 11.0) if direction > 0 else (x - 11.0, x - 6.0), side)
    furnish(draft, ahead, parked=(1, 4), tree_sides=(other,), near=side)
    if not stands and not yields:
        _somebody(draft, ahead, side)
    mount = Mount(height_m=height, pitch_rad=float(rng.uniform(0.0, 0.08)), yaw_rad=aside)
    return draft.staged("walk_street", viewer=viewer, mount=mount, fov_deg=float(rng.uniform(50.0, 62.0)))


def static_street(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A camera stands at the kerb and sees the traffic go by."""
    yields = bool(rng.random() < 0.55)  # somebody crosses, and the cars brake
    plan = draw_plan(rng, junction=False, crossing=yields or bool(rng.random() < 0.2), before_m=45.0, after_m=60.0)
    draft = Draft(rng, library, config, plan, every_s=(0.14, 0.3))
    viewer, height = draw_viewer(rng)
    side: Side = 1 if rng.random() < 0.5 else -1
    x, y = (
        -float(rng.uniform(8.5, 12.0) if yields else rng.uniform(7.0, 16.0)),
        side * (plan.half_m + float(rng.uniform(1.3, 2.2))),
    )
    # Along the road where somebody crosses: seen from nearer to the side, they would go neither across nor away.
    ahead_m, aside_m = ((9.0, 11.0), (1.0, 3.5)) if yields else ((7.0, 11.0), (-2.0, 3.0))
    look = np.array([x + float(rng.uniform(*ahead_m)), side * float(rng.uniform(*aside_m)), height - 0.3])
    eye = np.array([x, y, height + 0.12])
    pose = look_at(eye, look)
    draft.street.standing.append((x, y, 0.0, 0.4, 0.4))
    draft.things.keep_free("parking", side, (x - 3.0, float(look[0]) + 1.0))
    draft.things.keep_free("kerb", side, (x - 1.0, x + 2.5))
    other: Side = -1 if side > 0 else 1
    if yields:
        if not _crossed(draft, -1 if rng.random() < 0.7 else 1):
            raise StagingFailed("static_street: no place for who crosses")
    elif not _traffic(draft, int(rng.integers(2, 4)), (-22.0, 8.0), x + 9.0):
        raise StagingFailed("static_street: no traffic")
    stands = not yields and rng.random() < 0.5
    if stands:
        _stands(draft, (x + 6.0, x + 11.0), side)
    for ahead in (3.4, 5.4):  # near enough to be named; the houses on this side are out of the picture
        place = x + ahead + float(rng.uniform(-0.4, 0.4))
        if not stands or ahead < 5.0:
            draft.things.keep_free("kerb", side, (place - 0.5, place + 0.5))
            turn = (0.0 if side > 0 else np.pi) + float(rng.uniform(-0.4, 0.4))
            draft.things.one_at(place, side * (plan.half_m + 0.55), turn, small=True)
    furnish(draft, (x + 5.0, x + 14.0), parked=(2, 4), tree_sides=(other,), near=other)
    if not stands and not yields:
        _somebody(draft, (x + 5.0, x + 13.0), side)

    def camera(times_s: np.ndarray, change: float) -> np.ndarray:
        return np.broadcast_to(pose, (len(times_s), 4, 4)).copy()

    return draft.staged("static_street", viewer=viewer, camera=camera, fov_deg=float(rng.uniform(52.0, 64.0)))
