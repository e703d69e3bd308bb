"""Driving against a street whose truth is known by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from box_street import FROM_CAMERA, HEIGHT, box_of, drive_clip, standing_at
from scipy.spatial.transform import Rotation

from video3d.analysis import analyze_scene
from video3d.answers.driving import drive
from video3d.answers.driving_ego import driving_world, instants, vehicle_path
from video3d.answers.facts import SceneFacts, scene_facts
from video3d.answers.results import Driving
from video3d.answers.surfaces import Extent
from video3d.answers.task import understand
from video3d.answers.wishes import Wishes
from video3d.geometry.boxes import moved_box
from video3d.scene import Scene
from video3d.types import Detection, GeometryStatus, PosedClip, Recording, World
from video3d.vocabulary import CATEGORIES

WALL = ((-10.0, 9.0, 0.0), (80.0, 9.5, 4.0))
POST = ((20.0, -4.0, 0.0), (20.3, -3.7, 2.2))
SPEED, CAR_SPEED = 8.0, 3.0


def facts_of(clip: PosedClip, *, sequence: bool = True) -> SceneFacts:
    """Facts of a clip whose depth is not looked at: driving reads the path alone from them."""
    return scene_facts(replace(clip, depth_m=np.full((clip.num_frames, 1, 1), np.nan, np.float32)), sequence=sequence)


def car_at(time_s: float):
    """A car ahead in the same lane that drives on slowly."""
    x = 18.0 + CAR_SPEED * time_s
    return ((x, -0.9, 0.0), (x + 4.0, 0.9, 1.5))


@pytest.fixture(scope="module")
def street() -> PosedClip:
    """Eight frames: the camera drives at 8 m/s behind a car at 3 m/s, between a wall and a post."""
    times = np.arange(8) * 0.1
    poses = [standing_at(SPEED * t) for t in times]
    return drive_clip(poses, [[WALL, POST, car_at(t)] for t in times])


def test_road_and_ego(street):
    found = drive(street, facts_of(street), ())
    road, ego = found.road, found.ego
    assert road is not None and ego is not None
    assert road.camera_height == pytest.approx(HEIGHT, abs=0.01)
    assert np.degrees(np.arccos(road.normal[2])) < 0.2 and abs(road.slope_deg) < 0.2
    assert ego.speed == pytest.approx(SPEED) and ego.travelled == pytest.approx(SPEED * 0.7)
    assert ego.yaw_rate_deg_s == pytest.approx(0, abs=1e-6)
    rear = 18.0 + CAR_SPEED * 0.7 - SPEED * 0.7
    assert road.free_ahead == pytest.approx(rear, abs=1.0)
    assert road.drivable_area > 100
    inside = [_inside(polygon, np.array([SPEED * 0.7 + 8.0, 0.0])) for polygon in road.drivable]
    behind_wall = [_inside(polygon, np.array([SPEED * 0.7 + 8.0, 9.3])) for polygon in road.drivable]
    assert any(inside) and not any(behind_wall)


def _inside(polygon, place) -> bool:
    """Whether a place lies in an area, by counting crossings."""

    def crossed(ring) -> bool:
        a = np.array(ring)
        b = np.roll(a, -1, axis=0)
        cuts = (a[:, 1] > place[1]) != (b[:, 1] > place[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            x = a[:, 0] + (place[1] - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
        return bool((cuts & (x > place[0])).sum() % 2)

    return crossed(polygon.outer) and not any(crossed(hole) for hole in polygon.holes)


def test_a_ceiling_over_the_road_is_said(street):
    facts = facts_of(street)
    room = Extent(length=5.0, width=4.0, height=2.5, has_floor=True, has_ceiling=True, yaw_deg=0.0)
    assert not any("ceiling" in note for note in drive(street, facts, ()).notes)
    assert any("ceiling" in note for note in drive(street, replace(facts, room=room), ()).notes)


def test_vehicle_by_a_detection(street):
    box = box_of(*car_at(0.7))
    person = box_of((SPEED * 0.7 + 12, 3.0, 0.0), (SPEED * 0.7 + 12.4, 3.4, 1.7))
    objects = (
        Detection(box=box, label="car", score=0.9),
        Detection(box=person, label="old person", score=0.5),
        Detection(box=box_of(*POST), label="lamp post", score=0.5),
    )
    found = drive(street, facts_of(street), objects)
    car, walker = found.vehicles if found.vehicles[0].name == "car" else found.vehicles[::-1]
    gap = 18.0 + CAR_SPEED * 0.7 - SPEED * 0.7
    assert car.distance == pytest.approx(gap, abs=0.05) and car.ahead == pytest.approx(gap + 2, abs=0.05)
    assert car.side == "same" and abs(car.bearing_deg) < 0.5
    assert np.linalg.norm(np.array(car.velocity) - [CAR_SPEED, 0, 0]) < 0.3
    assert car.time_to_collision_s == pytest.approx((gap - 1) / (SPEED - CAR_SPEED), rel=0.1)
    assert len(car.frames) > 3
    # No point of the walker was seen, so nothing is known of how it moves.
    assert walker.side == "left" and walker.aside == pytest.approx(-3.2, abs=0.05)
    assert walker.velocity is None and walker.time_to_collision_s is None
    names = [one.name for one in found.distance_to_objects]
    assert "lamp post" in names and "lamp post" not in [one.name for one in found.vehicles]
    # Things with a name are not found again without one: the car's place holds nothing else.
    assert not any(one.name is None and abs(one.bearing_deg) < 2 for one in found.distance_to_objects)


def test_every_vehicle_and_person_of_the_vocabulary_is_on_the_road(street):
    kinds = [one.name for one in CATEGORIES if one.kind in ("vehicle", "person")]
    objects = [Detection(box=box_of(*car_at(0.7)), label=name, score=0.9) for name in kinds]
    named = {one.name for one in drive(street, facts_of(street), objects).vehicles}
    assert set(kinds) - named == {"boat", "airplane"}


def test_estimated_depth_tells_no_velocity(street):
    """Distances stand; velocities from depth that wavers from frame to frame would be noise, and a note says so."""
    unsure = replace(street, status=replace(street.status, depth="estimated"))
    found = drive(unsure, facts_of(unsure), (Detection(box=box_of(*car_at(0.7)), label="car", score=0.9),))
    [car] = found.vehicles
    assert car.status == "estimated" and car.distance is not None and car.velocity is None
    assert any(note.startswith("velocity: null where depth is estimated") for note in found.notes)


def test_things_without_a_name(street):
    found = drive(street, facts_of(street), ())
    assert found.vehicles == ()
    gap = 18.0 + CAR_SPEED * 0.7 - SPEED * 0.7
    ahead = [one for one in found.distance_to_objects if abs(one.bearing_deg) < 1]
    assert [one.name for one in ahead] == [None] and ahead[0].distance == pytest.approx(gap, abs=0.2)
    post = np.degrees(np.arctan2(3.85, 20.15 - SPEED * 0.7))
    assert any(abs(one.bearing_deg - post) < 1 for one in found.distance_to_objects)
    assert any("what it is is not known" in note for note in found.notes)


def test_parts_make_a_result(street):
    found = drive(street, facts_of(street), (Detection(box=box_of(*car_at(0.7)), label="car", score=0.9),))
    result = Driving(
        decided_by="task",
        why="asked for",
        source="street",
        unit="m",
        gravity_aligned=True,
        geometry={"depth": "measured"},
        road=found.road,
        ego=found.ego,
        vehicles=found.vehicles,
        distance_to_objects=found.distance_to_objects,
        notes=found.notes,
    )
    assert Driving.model_validate_json(result.model_dump_json()) == result


def test_bend(street):
    """On a bend the corridor bends too: what is straight ahead is beside it, and the car on the bend is in it."""
    radius, rate = 30.0, SPEED / 30.0
    angles = rate * np.arange(8) * 0.1
    poses = [
        standing_at(radius * np.sin(a), radius * (1 - np.cos(a)), yaw_deg=float(np.degrees(a))) for a in angles.tolist()
    ]
    last, reach = angles[-1], 18.0 / radius
    on_bend = np.array([radius * np.sin(last + reach), radius * (1 - np.cos(last + reach))])
    straight = poses[-1][:2, 3] + 18.0 * np.array([np.cos(last), np.sin(last)])
    objects = [
        Detection(box=box_of((x - 1, y - 1, 0.0), (x + 1, y + 1, 1.5)), label="car", score=1.0)
        for x, y in (on_bend, straight)
    ]
    clip = drive_clip(poses, [[]] * 8)
    found = drive(clip, facts_of(clip), objects)
    sides = {one.id: one.side for one in found.vehicles}
    assert sides == {"car-1": "same", "car-2": "right"}
    assert found.ego.yaw_rate_deg_s == pytest.approx(np.degrees(rate), rel=0.01)


def test_one_frame_without_a_pose_is_a_world_of_its_own(street):
    """A photograph with depth: up is the road's normal, distances hold, speed and slope are not known."""
    alone = replace(
        street,
        world_from_camera=np.full((8, 4, 4), np.nan),
        piece=np.full(8, -1),
        world=World(metric=True),
        up_world=None,
        status=GeometryStatus(depth="measured", intrinsics="measured", scale="measured"),
    )
    world, _ = driving_world(alone)
    found = drive(world, facts_of(world), ())
    assert found.ego is None and found.road.slope_deg is None
    assert found.road.camera_height == pytest.approx(HEIGHT, abs=0.02)
    gap = 18.0 + CAR_SPEED * 0.7 - SPEED * 0.7
    assert any(abs(one.bearing_deg) < 1 and abs(one.distance - gap) < 0.2 for one in found.distance_to_objects)
    assert any("world of its own" in note for note in world.status.notes)
    assert any("slope" in note for note in found.notes)


def test_camera_height_tells_the_scale(street):
    """In a world of unknown scale lengths stay in its unit; with the camera's height ``driving_world`` makes it metric."""
    poses = street.world_from_camera.copy()
    poses[:, :3, 3] /= 4
    status = GeometryStatus(depth="estimated", intrinsics="measured", poses="estimated", gravity="measured")
    small = replace(
        street,
        world_from_camera=poses,
        depth_m=street.depth_m / 4,
        world=World(metric=False, gravity_aligned=True),
        status=status,
    )
    untold = drive(small, facts_of(small), (Detection(box=box_of(*POST), label="car", score=1.0),))
    assert untold.ego.speed == pytest.approx(SPEED / 4, rel=1e-3)
    assert untold.vehicles[0].side == "unknown" and any("scale: not known" in note for note in untold.notes)
    metric, world_from_small = driving_world(small, camera_height_m=HEIGHT)
    assert metric.world.metric and metric.status.scale == "estimated"
    assert np.linalg.norm(world_from_small[:3, 0]) == pytest.approx(4, rel=0.01)
    assert drive(metric, facts_of(metric), ()).ego.speed == pytest.approx(SPEED, rel=0.01)
    again, stays = driving_world(metric, camera_height_m=HEIGHT)
    assert again is metric and np.array_equal(stays, np.eye(4))
    same = replace(small, world_from_camera=street.world_from_camera, depth_m=street.depth_m)  # 1 x happens to be 1 m
    assert driving_world(same, camera_height_m=HEIGHT)[0].world.metric
    measured, stays = driving_world(street, camera_height_m=2 * HEIGHT)
    assert np.array_equal(stays, np.eye(4)) and "camera height: not used" in measured.status.notes[-1]


def test_all_of_a_result_is_in_one_world(street):
    """A drive whose up and scale are unknown: what results share, areas and boxes are in the world that driving makes."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [80.0, 20.0, 40.0], degrees=True).as_matrix()
    poses = turn @ street.world_from_camera
    poses[:, :3, 3] /= 4
    status = GeometryStatus(depth="measured", intrinsics="measured", poses="estimated")
    lost = replace(
        street, world_from_camera=poses, depth_m=street.depth_m / 4, world=World(), up_world=None, status=status
    )
    box = moved_box(box_of(*car_at(0.7)), np.diag([0.25, 0.25, 0.25, 1.0]) @ turn)
    recording = Recording(
        source=Path("street"),
        format="by hand",
        size_hw=lost.size_hw,
        time_s=lost.time_s,
        frame_names=tuple("01234567"),
        load_rgb=lambda _: lost.rgb,
    )
    scene = Scene(recording=recording, clip=lost, facts=facts_of(lost), camera=None, timings_s={})
    asked = understand(task="driving", options=Wishes(camera_height=HEIGHT))
    found = analyze_scene(scene, asked, (Detection(box=box, label="car", score=0.9),)).result
    assert found.unit == "m" and found.gravity_aligned and found.geometry["gravity"] == "estimated"
    assert found.camera_end == pytest.approx((0.0, 0.0, HEIGHT), abs=0.05)
    [car] = found.vehicles
    gap = 18.0 + CAR_SPEED * 0.7 - SPEED * 0.7
    assert car.box.center == pytest.approx((gap + 2, 0.0, 0.75), abs=0.1)
    assert sorted(car.box.size) == pytest.approx([1.5, 1.8, 4.0], rel=0.02)
    along = car.box.yaw_deg + (90 if car.box.size[1] > car.box.size[0] else 0)
    assert abs((along + 90) % 180 - 90) < 1  # its long side lies along the street
    assert car.distance == pytest.approx(gap, abs=0.1) and car.side == "same"
    assert any(_inside(area, np.array([5.0, 0.0])) for area in found.road.drivable)


def test_rig(street):
    """Cameras of one instant are one vehicle: its first camera gives the way, and all of them see things around."""
    car = ((-14.0, -1.0, 0.0), (-10.0, 1.0, 1.5))
    poses = [standing_at(x, yaw_deg=yaw) for x in (0.0, 2.0) for yaw in (0.0, 120.0, -120.0, 180.0)]
    clip = drive_clip(poses, [[car]] * 8)
    clip = replace(clip, time_s=np.repeat([0.0, 0.5], 4) + np.tile(np.arange(4) * 0.01, 2))
    assert instants(clip, ordered=False) == [(0, 1, 2, 3), (4, 5, 6, 7)]
    found = drive(clip, facts_of(clip, sequence=False), ())
    assert found.ego.speed == pytest.approx(4.0)
    [behind] = [one for one in found.distance_to_objects if abs(abs(one.bearing_deg) - 180) < 2]
    assert behind.distance == pytest.approx(12.0, abs=0.2) and behind.frames == (4, 5, 6, 7)
    # Of its cameras those show a thing that look at it, at every instant that it was followed through.
    named = drive(clip, facts_of(clip, sequence=False), (Detection(box=box_of(*car), label="car", score=0.9),))
    assert {3, 7} <= set(named.vehicles[0].frames) and not {0, 4} & set(named.vehicles[0].frames)
    assert named.vehicles[0].velocity == pytest.approx((0.0, 0.0, 0.0), abs=0.1)
    # Photographs at places of their own are no vehicle.
    assert vehicle_path(replace(clip, time_s=np.arange(8.0)), ordered=False) is None


def test_slope_and_no_road():
    """A road that climbs is measured where up is; without a road distances to boxes remain."""
    up = np.degrees(np.arctan(0.05))
    clip = drive_clip([standing_at(0.0)], [[]])
    tilt = np.radians(up)
    turn = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn @ FROM_CAMERA, turn @ [0, 0, HEIGHT]
    climbing = replace(clip, world_from_camera=pose[None])
    assert drive(climbing, facts_of(climbing), ()).road.slope_deg == pytest.approx(up, abs=0.1)
    blind = replace(clip, depth_m=np.full_like(clip.depth_m, np.nan))
    found = drive(blind, facts_of(blind), (Detection(box=box_of((9, -1, 0), (13, 1, 1.5)), label="car", score=0.4),))
    assert found.road is None and found.vehicles[0].distance == pytest.approx(9.0)
    assert any(note.startswith("road: not seen") for note in found.notes)
