"""Facts of a room whose truth is known by hand."""

import dataclasses

import numpy as np
import pytest
from box_room import ALL_MEASURED, POSES, TIME_S, look, make_clip

from video3d.answers.facts import scene_facts, weakest
from video3d.types import GeometryStatus

AROUND = np.stack(
    [look((2.5, 0.8, 1.5), yaw, tilt) for tilt in (-35.0, 0.0, 35.0) for yaw in range(0, 360, 60)]
    + [look((1.0, 3.2, 1.5), yaw, tilt) for tilt in (-35.0, 0.0, 35.0) for yaw in range(0, 360, 60)]
)


@pytest.fixture(scope="module")
def seen_around():
    return scene_facts(make_clip(poses=AROUND, time_s=np.arange(36.0)))


def test_depth(seen_around):
    depth = make_clip(poses=AROUND, time_s=np.arange(36.0)).depth_m
    assert seen_around.depth.median == pytest.approx(np.median(depth), rel=0.02)
    assert seen_around.depth.near == pytest.approx(np.percentile(depth, 5), rel=0.03)
    assert seen_around.depth.far == pytest.approx(np.percentile(depth, 95), rel=0.03)
    assert seen_around.depth.valid_share == 1.0
    assert seen_around.depth.source == "measured"


def test_the_room(seen_around):
    assert seen_around.floor_z == pytest.approx(0, abs=0.02)
    assert seen_around.room.length == pytest.approx(5.0, abs=0.1)
    assert seen_around.room.width == pytest.approx(4.0, abs=0.1)
    assert seen_around.room.height == pytest.approx(2.6, abs=0.05)
    assert seen_around.room.has_floor
    assert seen_around.room.has_ceiling
    assert min(seen_around.room.yaw_deg % 90, 90 - seen_around.room.yaw_deg % 90) <= 2


def test_surfaces(seen_around):
    kinds = [s.kind for s in seen_around.surfaces]
    assert kinds[:2] == ["floor", "ceiling"]
    assert kinds.count("wall") == 4
    (top,) = [s for s in seen_around.surfaces if s.kind == "top"]
    assert top.height == pytest.approx(0.75, abs=0.03)
    assert top.length == pytest.approx(1.5, abs=0.2)
    assert top.width == pytest.approx(1.0, abs=0.2)
    ceiling = seen_around.surfaces[1]
    assert ceiling.height == pytest.approx(2.6, abs=0.03)
    assert ceiling.normal == (0, 0, -1)
    walls = [s for s in seen_around.surfaces if s.kind == "wall"]
    assert sorted(round(abs(s.normal[0])) for s in walls) == [0, 0, 1, 1]
    assert seen_around.scene_source == "measured"


def test_the_path():
    path = scene_facts(make_clip()).path
    assert path.length == pytest.approx(1.8 + np.hypot(0.2, 0.1))
    assert path.displacement == pytest.approx(np.hypot(2.0, 0.1))
    assert path.duration_s == 5
    assert path.mean_speed == pytest.approx(path.length / 5)
    assert path.turn_net == pytest.approx(90)
    assert path.turn_left == pytest.approx(90)
    assert path.turn_right == 0
    assert path.tilt_mean == pytest.approx(-20)
    assert (path.height_first, path.height_min, path.height_max) == pytest.approx((1.4, 1.4, 1.5), abs=0.02)
    assert path.source == "measured"


def test_every_pose_of_the_recording_counts_where_given():
    some = np.array([0, 5, 10])
    clip = make_clip(poses=POSES[some], frame_index=some, time_s=TIME_S[some])
    few = scene_facts(clip)
    every = scene_facts(clip, all_world_from_camera=POSES, all_time_s=TIME_S)
    assert few.path.num_poses == 3
    assert every.path.num_poses == 11
    assert every.path.length == pytest.approx(scene_facts(make_clip()).path.length)
    assert every.num_frames == 11
    assert every.time_s.tolist() == TIME_S.tolist()
    assert np.isfinite(few.time_s).sum() == 3


def test_the_world_may_be_moved_and_turned_about_the_vertical():
    turn = np.eye(4)
    c, s = np.cos(0.6), np.sin(0.6)
    turn[:2, :2] = [[c, -s], [s, c]]
    turn[:3, 3] = [7.0, -3.0, 1.3]
    clip = make_clip(poses=AROUND, time_s=np.arange(36.0))
    moved = scene_facts(dataclasses.replace(clip, world_from_camera=turn @ AROUND))
    assert moved.floor_z == pytest.approx(1.3, abs=0.03)
    assert moved.room.length == pytest.approx(5.0, abs=0.12)
    assert moved.room.width == pytest.approx(4.0, abs=0.12)
    assert moved.path.turn_net == pytest.approx(scene_facts(clip).path.turn_net, abs=1e-6)


def test_nothing_known():
    clip = make_clip(level=False, metric=False, status=GeometryStatus())
    blind = dataclasses.replace(
        clip,
        depth_m=np.full_like(clip.depth_m, np.nan),
        world_from_camera=np.full_like(clip.world_from_camera, np.nan),
        k_px=np.full_like(clip.k_px, np.nan),
        time_s=np.full(11, np.nan),
        piece=np.full(11, -1),
    )
    facts = scene_facts(blind)
    assert (facts.depth, facts.path, facts.floor_z, facts.room, facts.surfaces) == (None, None, None, None, ())
    assert facts.unit == "x"
    assert facts.trajectory.num_poses == 0


def test_without_gravity_there_is_no_floor_but_a_path():
    facts = scene_facts(make_clip(level=False))
    assert facts.floor_z is None
    assert facts.room is None
    assert np.isnan(facts.path.height_mean)
    assert facts.path.length == pytest.approx(1.8 + np.hypot(0.2, 0.1))


def test_frames_outside_the_largest_piece_do_not_count():
    piece = np.zeros(11, np.int64)
    piece[8:] = 1
    facts = scene_facts(make_clip(piece=piece))
    assert facts.path.num_poses == 8
    assert facts.path.length == pytest.approx(1.4)


def test_depth_of_another_piece_has_another_scale():
    piece = np.zeros(11, np.int64)
    piece[5:] = 1
    clip = make_clip(piece=piece, metric=False)
    clip.depth_m[5:] *= 100
    assert scene_facts(clip).depth.far < 10


def test_a_frame_without_pose_or_depth_does_no_harm():
    clip = make_clip(poses=AROUND, time_s=np.arange(36.0))
    clip.world_from_camera[3] = np.nan
    clip.piece[3] = -1
    clip.depth_m[7] = np.nan
    facts = scene_facts(clip)
    assert facts.path.num_poses == 35
    assert facts.room.length == pytest.approx(5.0, abs=0.1)
    assert facts.depth.valid_share == pytest.approx(35 / 36)


def test_relative_scale_gives_the_same_room_in_its_own_unit():
    poses = AROUND.copy()
    poses[:, :3, 3] *= 0.1
    clip = make_clip(poses=AROUND, time_s=np.arange(36.0), metric=False)
    small = dataclasses.replace(clip, world_from_camera=poses, depth_m=clip.depth_m * np.float32(0.1))
    facts = scene_facts(small)
    assert facts.unit == "x"
    assert facts.room.length == pytest.approx(0.5, abs=0.02)
    assert facts.room.width == pytest.approx(0.4, abs=0.02)


def test_photographs_have_no_path():
    facts = scene_facts(make_clip(), sequence=False)
    assert facts.path is None
    assert facts.trajectory.num_poses == 11


def test_a_thing_is_measured_only_if_all_it_rests_on_was():
    assert weakest("measured", "measured") == "measured"
    assert weakest("measured", "unknown", "estimated") == "unknown"
    status = dataclasses.replace(ALL_MEASURED, depth="estimated")
    facts = scene_facts(make_clip(status=status))
    assert facts.depth.source == "estimated"
    assert facts.path.source == "measured"


def test_the_same_clip_gives_the_same_facts():
    one, two = scene_facts(make_clip()), scene_facts(make_clip())
    assert (one.depth, one.path, one.room, one.surfaces) == (two.depth, two.path, two.room, two.surfaces)
