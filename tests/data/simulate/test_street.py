"""Streets and drives, with what is made here alone: nobody drives sideways, too hard or into anything; causes and signals agree."""

from functools import cache

import numpy as np
import pytest
from staged_drives import drive_clip, library

pytest.importorskip("mujoco")

from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.drives import DRIVES
from video3d.data.simulate.drives_crash import car_body, skid_m
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.rollout import Recorded, record
from video3d.data.simulate.scene import Look, Surface
from video3d.data.simulate.stage import StageConfig, StagingFailed
from video3d.data.simulate.street_fleet import Fleet, repaint
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.traffic import overlap
from video3d.data.truth import GROUND

SEEDS = (1, 2)
SCRIPTED = tuple(name for name in DRIVES if name != "drive_collision")


@cache
def _run(name: str, seed: int) -> Recorded:
    staged = drive_clip(name, seed)
    recorded = record(staged, staged.starts[0])
    assert recorded is not None
    return recorded


def _footprints(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """x, y and yaw of travel of every object over time, half length and breadth, and who stands or moves on the road."""
    staged, rollout = drive_clip(name, seed), _run(name, seed).rollout
    front = -rollout.world_from_object[:, :, :2, 1]
    place = rollout.world_from_object[:, :, :2, 3]
    poses = np.concatenate([place, np.arctan2(front[..., 1], front[..., 0])[..., None]], axis=-1)
    half = np.array([[o.size_m[1] / 2, o.size_m[0] / 2] for o in staged.scene.objects])
    solid = [
        k
        for k, o in enumerate(staged.scene.objects)
        if o.kind in ("vehicle", "person", "animal") or o.category == "bench"
    ]
    return poses, half, solid


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DRIVES)
def test_every_drive_is_complete(name: str, seed: int) -> None:
    staged = drive_clip(name, seed)
    assert staged.scenario == name and staged.domain == "street"
    assert len(staged.times_s) == 16 and staged.end_s >= staged.times_s[-1] + 3.0
    assert {o.object_id for o in staged.scene.objects} >= set(staged.must_see)
    moving = {o.object_id for o in staged.scene.objects if o.motion == "dynamic"}
    assert all(staged.supports[o.object_id] == GROUND for o in staged.scene.objects if o.object_id not in moving)
    categories = {o.category for o in staged.scene.objects}
    assert len(categories) >= 4
    assert staged.scene.model.nmeshface < 400_000


@pytest.mark.parametrize("name", DRIVES)
def test_a_seed_gives_the_same_street(name: str) -> None:
    first = drive_clip(name, 1)
    for attempt in range(12):
        try:
            again = DRIVES[name](np.random.default_rng([1, attempt]), library(), StageConfig())
            break
        except StagingFailed:
            continue
    assert again.scene_id == first.scene_id and (again.times_s == first.times_s).all()
    for field in ("geom_pos", "geom_size", "body_pos", "mat_rgba", "tex_data", "mesh_vert"):
        assert np.array_equal(getattr(again.scene.model, field), getattr(first.scene.model, field)), field
    assert [s.change for s in again.starts] == [s.change for s in first.starts]
    times = np.linspace(0.0, first.end_s, 20)
    assert np.array_equal(again.camera(times, 0.0), first.camera(times, 0.0))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCRIPTED)
def test_nobody_touches_anybody(name: str, seed: int) -> None:
    poses, half, solid = _footprints(name, seed)
    poses = poses[::3]
    for position, i in enumerate(solid):
        for j in solid[position + 1 :]:
            hit = overlap(
                poses[:, i], np.tile(half[i], (len(poses), 1)), poses[:, j], np.tile(half[j], (len(poses), 1))
            )
            objects = drive_clip(name, seed).scene.objects
            assert not hit.any(), (objects[i].category, objects[j].category)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCRIPTED)
def test_the_camera_drives_through_nothing(name: str, seed: int) -> None:
    poses, half, solid = _footprints(name, seed)
    camera = _run(name, seed).rollout.world_from_camera
    ahead = np.arctan2(camera[:, 1, 2], camera[:, 0, 2])
    own = np.concatenate([camera[:, :2, 3], ahead[:, None]], axis=-1)
    for k in solid:
        reach = np.tile(half[k], (len(own), 1))
        hit = overlap(own, np.full((len(own), 2), 0.25), poses[:, k], reach)
        assert not hit.any(), drive_clip(name, seed).scene.objects[k].category


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCRIPTED)
def test_movers_go_forward_at_speeds_that_cars_and_people_have(name: str, seed: int) -> None:
    staged, rollout = drive_clip(name, seed), _run(name, seed).rollout
    step = rollout.times_s[1]
    for column, thing in enumerate(staged.scene.objects):
        if thing.motion != "scripted":
            continue
        pose = rollout.world_from_object[:, column]
        velocity = np.diff(pose[:, :2, 3], axis=0) / step
        speed = np.linalg.norm(velocity, axis=1)
        front = -pose[:-1, :2, 1]
        forward = speed > 0.5
        assert ((velocity * front).sum(1)[forward] > 0.995 * speed[forward]).all(), thing.category
        limit = 1.7 if thing.category == "person" else 14.5
        assert speed.max(initial=0.0) < limit
        acceleration = np.diff(speed) / step
        assert acceleration.min(initial=0.0) > -4.2 and acceleration.max(initial=0.0) < 2.3
        bottom = pose[:, 2, 3] - thing.size_m[2] / 2
        assert bottom.min() > -1e-6 and bottom.max() < 0.121
        if thing.category in ("car", "van", "bus", "truck"):
            assert bottom.max() < 1e-6
            assert np.abs(pose[:, 1, 3]).max() < 100.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [n for n in SCRIPTED if n.startswith("drive")])
def test_the_cameras_car_brakes_and_turns_as_a_car_can(name: str, seed: int) -> None:
    staged = drive_clip(name, seed)
    times = np.arange(0.0, staged.end_s, 0.04)
    for change in (0.0, 0.02):
        pose = staged.camera(times, change)
        velocity = np.diff(pose[:, :2, 3], axis=0) / 0.04
        speed = np.linalg.norm(velocity, axis=1)
        assert speed.max() < 14.5
        along = np.diff(speed) / 0.04
        assert along.min() > -4.3 and along.max() < 2.3
        heading = np.unwrap(np.arctan2(pose[:, 1, 2], pose[:, 0, 2]))
        turning = np.abs(np.diff(heading)) > 1e-3
        assert (speed[turning] < 6.5).all()
        assert pose[:, 2, 3].min() > 1.19 and pose[:, 2, 3].max() < 1.63
    assert staged.camera(times, 0.02) == pytest.approx(staged.camera(times * 1.02, 0.0))


@pytest.mark.parametrize("seed", range(8))
def test_the_car_stops_at_red_and_passes_at_green(seed: int) -> None:
    staged = drive_clip("drive_signal", seed)
    assert staged.signal is not None and len(staged.signal.shown) == 16
    (state,) = {*staged.signal.shown, staged.signal.after}
    light = staged.scene.object(staged.signal.object_id)
    assert light.asset_id == f"primitive/traffic-light-{state}"
    data = load_mujoco().MjData(staged.scene.model)
    load_mujoco().mj_kinematics(staged.scene.model, data)
    line = float(data.xpos[staged.scene.model.body(light.body).id][0]) - 0.9
    for change in (0.0, 0.02, -0.02):
        x = staged.camera(np.array([staged.times_s[-1], staged.end_s]), change)[:, 0, 3]
        speed = np.diff(staged.camera(np.array([staged.end_s - 0.04, staged.end_s]), change)[:, 0, 3])[0] / 0.04
        assert x[0] < line
        if state == "green":
            assert x[1] > line and speed > 4.0
        else:
            assert line - 4.0 < x[1] < line - 1.0 and speed < 0.05


def test_vehicles_have_colours_that_tell_them_apart() -> None:
    fleet = Fleet(np.random.default_rng(5), library(), StageConfig())
    words = [fleet.draw("car").color for _ in range(5)]
    assert len(set(words)) == 5 and None not in words
    assert fleet.colors_left == 0 and fleet.draw("van").color == words[-1]


def test_paint_goes_on_the_body_and_not_on_tyres_and_glass() -> None:
    car = next(a for a in library().assets if a.category == "car")
    painted = repaint(car, "purple", np.random.default_rng(0))
    changed = [old.rgba for old, new in zip(car.parts, painted.parts, strict=True) if old.rgba != new.rgba]
    assert painted.color == "purple" and len(set(changed)) == 1
    assert max(changed[0][:3]) > 0.2 or car.color == "black"


@pytest.mark.parametrize("seed", range(5))
def test_the_plans_ways_keep_to_the_right_and_inside_the_kerbs(seed: int) -> None:
    plan = draw_plan(np.random.default_rng(seed), junction=True, crossing=True)
    assert plan.lane(1).at(30.0)[1] < 0 < plan.lane(-1).at(30.0)[1]
    assert plan.cross_lane(1).at(30.0)[0] > 0 > plan.cross_lane(-1).at(30.0)[0]
    for turn in ("left", "right"):
        path = plan.turning(turn)
        poses = path.at(np.arange(plan.turn_begins_m(turn) - 2.0, path.total_m - 60.0, 0.2))
        corners = np.array([[2.2, 0.9], [2.2, -0.9], [-2.2, 0.9], [-2.2, -0.9]])
        c, s = np.cos(poses[:, 2])[:, None], np.sin(poses[:, 2])[:, None]
        x = poses[:, :1] + c * corners[:, 0] - s * corners[:, 1]
        y = poses[:, 1:2] + s * corners[:, 0] + c * corners[:, 1]
        assert float(plan.ground_m(np.stack([x, y], -1)).max()) == 0.0
    assert plan.stop_x_m < plan.crossing_x_m < -plan.half_m


@pytest.mark.parametrize(("speed", "friction"), [(8.0, 0.35), (10.0, 0.5), (12.0, 0.6)])
def test_a_car_with_locked_wheels_stops_where_friction_says(speed: float, friction: float) -> None:
    mujoco = load_mujoco()
    surface = Surface(friction=friction, solref=(0.1, 1.0))
    builder = SceneBuilder(timestep_s=0.004)
    builder.slab((0.0, 0.0, -0.25), (100.0, 100.0, 0.25), Look(), surface=surface)
    car = car_body(next(a for a in library().assets if a.category == "car"))
    builder.asset(car, (0.0, 0.0, 0.0), np.pi / 2, motion="dynamic", surface=surface)
    model = builder.compile().model
    data = mujoco.MjData(model)
    data.qvel[0] = speed
    highest = 0.0
    while data.time < 6.0:
        mujoco.mj_step(model, data)
        highest = max(highest, float(data.qpos[2]))
    assert float(data.qpos[0]) == pytest.approx(skid_m(speed, friction), rel=0.02)
    assert highest < 0.05 and abs(float(data.qpos[1])) < 0.05


def test_collisions_happen_or_not_whatever_two_per_cent_do() -> None:
    outcomes = []
    for seed in range(4):
        staged = drive_clip("drive_collision", seed)
        pair = (max(staged.must_see), min(staged.must_see))
        touched = []
        for start in staged.starts[:3]:
            recorded = record(staged, start)
            assert recorded is not None
            begins = [c.begin_s for c in recorded.rollout.contacts if (c.first_id, c.second_id) == pair]
            assert not begins or begins[0] > staged.times_s[-1]  # what happens is not shown yet
            touched.append(bool(begins))
        outcomes.append(touched)
    assert sum(len(set(touched)) == 1 for touched in outcomes) >= 3
    assert {touched[0] for touched in outcomes} == {True, False}
