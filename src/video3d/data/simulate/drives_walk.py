"""Traffic seen from the sidewalk: by somebody who walks, by a robot that rolls, by a camera that stands."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.drives_around import cyclist, furnish, walkers
from video3d.data.simulate.drives_draft import Draft, Viewer
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed, look_at
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.street_things import Side
from video3d.data.simulate.traffic import Mount
from video3d.data.simulate.traffic_path import Profile

_KINDS = ("car", "car", "car", "van", "bus", "truck")


def _viewer(rng: np.random.Generator) -> tuple[Viewer, float]:
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


def walk_street(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Somebody walks, or a robot rolls, along the sidewalk and sees the traffic go by."""
    plan = draw_plan(rng, junction=False, crossing=bool(rng.random() < 0.3), before_m=40.0, after_m=60.0)
    draft = Draft(rng, library, config, plan, every_s=(0.16, 0.33))
    viewer, height = _viewer(rng)
    side: Side = 1 if rng.random() < 0.5 else -1
    other: Side = -1 if side > 0 else 1  # no twigs in the face
    direction: Side = 1 if rng.random() < 0.5 else -1
    path, speed = plan.sidewalk(side, direction, share=0.5), float(rng.uniform(0.8, 1.5))
    x = float(rng.uniform(-8.0, 4.0))
    draft.drive_ego(path, Profile(speed_mps=speed), path.distance_of((x, 0.0)), half_m=(0.35, 0.3))
    # Toward the road, which is on the right of who walks along +x at y > 0.
    aside = -direction * side * float(np.radians(rng.uniform(5.0, 38.0)))
    cars = _traffic(draft, int(rng.integers(2, 5)), (-30.0, 8.0), x + 12.0 * direction)
    if not cars:
        raise StagingFailed("walk_street: no traffic")
    ahead = (x + 4.0, x + 14.0) if direction > 0 else (x - 14.0, x - 4.0)
    furnish(draft, ahead, parked=(1, 4), tree_sides=(other,), near=side)
    if rng.random() < 0.6:
        walkers(draft, 1, ahead)
    elif rng.random() < 0.5:
        cyclist(draft, float(rng.uniform(*ahead)), direction=direction)
    mount = Mount(height_m=height, pitch_rad=float(rng.uniform(0.0, 0.08)), yaw_rad=aside)
    return draft.staged("walk_street", viewer=viewer, mount=mount, fov_deg=float(rng.uniform(56.0, 72.0)))


def static_street(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A camera stands at the kerb and sees the traffic go by."""
    plan = draw_plan(rng, junction=False, crossing=bool(rng.random() < 0.4), before_m=40.0, after_m=60.0)
    draft = Draft(rng, library, config, plan, every_s=(0.14, 0.3))
    viewer, height = _viewer(rng)
    side: Side = 1 if rng.random() < 0.5 else -1
    x, y = float(rng.uniform(-16.0, -7.0)), side * (plan.half_m + float(rng.uniform(1.3, 2.2)))
    look = np.array([x + float(rng.uniform(7.0, 11.0)), side * float(rng.uniform(-4.0, 1.0)), height - 0.3])
    eye = np.array([x, y, height + 0.12])
    pose = look_at(eye, look)
    draft.street.standing.append((x, y, 0.0, 0.4, 0.4))
    draft.things.keep_free("parking", side, (x - 3.0, float(look[0]) + 1.0))
    draft.things.keep_free("kerb", side, (x - 1.0, x + 2.5))
    cars = _traffic(draft, int(rng.integers(2, 5)), (-22.0, 8.0), x + 9.0)
    if not cars:
        raise StagingFailed("static_street: no traffic")
    other: Side = -1 if side > 0 else 1
    furnish(draft, (x + 3.0, x + 15.0), parked=(1, 4), tree_sides=(other,), near=side)
    if rng.random() < 0.6:
        walkers(draft, 1, (x + 5.0, x + 18.0))
    elif rng.random() < 0.5:
        cyclist(draft, x + float(rng.uniform(6.0, 18.0)), direction=1 if rng.random() < 0.5 else -1)

    def camera(times_s: np.ndarray, change: float) -> np.ndarray:
        return np.broadcast_to(pose, (len(times_s), 4, 4)).copy()

    return draft.staged("static_street", viewer=viewer, camera=camera, fov_deg=float(rng.uniform(58.0, 74.0)))
