"""Up is found in rooms turned any way, said to be what it is, and the world's origin is put under the first camera."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from ray_cast_room import look_at, render, walk

from video3d.geometry.flatness import flat_tiles
from video3d.geometry.gravity import align_to_gravity, clip_floor, gravity_alignment
from video3d.geometry.rigid import inverse_rigid, transform_points
from video3d.geometry.upright import reliable, up_from_poses, up_from_surfaces
from video3d.types import GeometryStatus, InputError, PosedClip, World


def random_rigid(rng):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rigid = np.eye(4)
    rigid[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    rigid[:3, 3] = rng.uniform(-10, 10, 3)
    return rigid


def make_clip(poses, depth_m, k_px, *, metric=True, **changes):
    """A clip at the size of its depth."""
    frames = len(poses)
    clip = PosedClip(
        frame_index=np.arange(frames),
        time_s=np.arange(frames) / 10.0,
        rgb=np.zeros((*depth_m.shape, 3), np.uint8),
        depth_m=depth_m,
        k_px=k_px,
        world_from_camera=poses,
        piece=np.zeros(frames, np.int64),
        world=World(metric=metric, origin="somewhere"),
        status=GeometryStatus(depth="measured", notes=("kept",)),
    )
    return replace(clip, **changes)


def room_clip(rng, *, num_frames=12, world_from_room=None, depth=True, noise=0.001, roll_deg=4.0, turn=1.0, **changes):
    """A walk through the room, told in a world that is turned and moved."""
    poses = walk(num_frames, rng, roll_deg, turn)
    depth_m, k_px = render(poses if depth else poses[:1], noise=noise, rng=rng)
    if not depth:
        depth_m = np.full((num_frames, *depth_m.shape[1:]), np.nan, np.float32)
        k_px = np.repeat(k_px, num_frames, axis=0)
    world_from_room = np.eye(4) if world_from_room is None else world_from_room
    return make_clip(world_from_room @ poses, depth_m, k_px, **changes)


def tilt_deg(aligned, clip, world_from_room):
    """Angle between the room's up and +z in what ``align_to_gravity`` made of a clip."""
    aligned_from_world = aligned.world_from_camera[0] @ inverse_rigid(clip.world_from_camera[0])
    up = aligned_from_world[:3, :3] @ world_from_room[:3, 2]
    return np.degrees(np.arccos(np.clip(up[2], -1, 1)))


def test_up_is_found_in_rooms_turned_any_way(rng):
    upright = room_clip(rng)
    for _ in range(8):
        world_from_room = random_rigid(rng)
        clip = replace(upright, world_from_camera=world_from_room @ upright.world_from_camera)
        aligned = align_to_gravity(clip)
        assert tilt_deg(aligned, clip, world_from_room) < 0.5
        assert aligned.status.gravity == "estimated"
        assert aligned.world.gravity_aligned
        assert aligned.world.metric
        assert aligned.up_world is not None
        assert aligned.up_world.tolist() == [0, 0, 1]
        assert aligned.status.depth == "measured"
        assert aligned.status.notes[0] == "kept"
        assert any("flat patches" in note for note in aligned.status.notes)


def test_the_floor_under_the_first_camera_is_the_origin(rng):
    clip = room_clip(rng, world_from_room=random_rigid(rng))
    aligned = align_to_gravity(clip)
    first = aligned.world_from_camera[0, :3, 3]
    assert first[:2] == pytest.approx([0, 0], abs=1e-9)
    assert first[2] == pytest.approx(1.5, abs=0.02)  # the walk starts at 1.5 m
    assert aligned.world.origin == "on the floor under the first camera"
    floor = clip_floor(aligned)
    assert floor is not None
    assert floor.height == pytest.approx(0, abs=0.01)
    # lengths and angles stay: the alignment is rigid
    before, after = (c.world_from_camera[:, :3, 3] for c in (clip, aligned))
    np.testing.assert_allclose(
        np.linalg.norm(after - after[0], axis=1), np.linalg.norm(before - before[0], axis=1), atol=1e-9
    )


def test_the_alignment_carries_points_along(rng):
    clip = room_clip(rng, world_from_room=random_rigid(rng))
    aligned, alignment = align_to_gravity(clip), gravity_alignment(clip)
    point_camera = np.array([0.1, 0.2, 2.0])
    in_world = transform_points(clip.world_from_camera[5], point_camera)
    np.testing.assert_allclose(
        transform_points(alignment.aligned_from_world, in_world),
        transform_points(aligned.world_from_camera[5], point_camera),
        atol=1e-9,
    )


def test_aligning_twice_changes_nothing_more(rng):
    once = align_to_gravity(room_clip(rng, world_from_room=random_rigid(rng)))
    twice = align_to_gravity(once)
    np.testing.assert_array_equal(twice.world_from_camera, once.world_from_camera)
    assert (twice.world, twice.status) == (once.world, once.status)


def test_one_view_is_enough_where_floor_and_walls_are_seen(rng):
    for _ in range(5):
        world_from_room = random_rigid(rng)
        poses = look_at(np.array([0.6, 0.6, 1.6]), rng.uniform([2.5, 2.0, 0.2], [4.0, 3.0, 0.9]), np.radians(5))[None]
        depth_m, k_px = render(poses)
        clip = make_clip(world_from_room @ poses, depth_m, k_px)
        assert tilt_deg(align_to_gravity(clip), clip, world_from_room) < 0.5


def test_a_camera_that_looks_down_steeply_does_not_take_a_wall_for_the_floor(rng):
    world_from_room = random_rigid(rng)
    poses = np.array([look_at(np.array([x, 1.0, 1.6]), np.array([x + 0.5, 2.3, 0.0])) for x in (1.0, 1.5, 3.6)])
    depth_m, k_px = render(poses)
    clip = make_clip(world_from_room @ poses, depth_m, k_px)
    assert tilt_deg(align_to_gravity(clip), clip, world_from_room) < 0.5


def test_up_does_not_depend_on_the_unit_of_length(rng):
    world_from_room = random_rigid(rng)
    clip = room_clip(rng, world_from_room=world_from_room)
    poses = clip.world_from_camera.copy()
    poses[:, :3, 3] *= 0.07
    small = replace(clip, world_from_camera=poses, depth_m=clip.depth_m * np.float32(0.07), world=World(metric=False))
    aligned = align_to_gravity(small)
    assert tilt_deg(aligned, small, world_from_room) < 0.5
    assert not aligned.world.metric
    assert aligned.world_from_camera[0, 2, 3] == pytest.approx(1.5 * 0.07, abs=0.002)
    assert any("units under" in note for note in aligned.status.notes)


def test_a_given_up_wins_and_is_measured(rng):
    clip = room_clip(rng)
    up = np.array([0.0, 0.3, 1.0])  # not the room's: what the recording says is not judged
    aligned = align_to_gravity(replace(clip, up_world=up))
    assert aligned.status.gravity == "measured"
    alignment = gravity_alignment(replace(clip, up_world=up))
    np.testing.assert_allclose(alignment.aligned_from_world[:3, :3] @ up / np.linalg.norm(up), [0, 0, 1], atol=1e-12)
    assert alignment.error_rad == 0


@pytest.mark.parametrize("up", [[0.0, 0, 1], [0, 0, -1], [0, -1, 0], [1e-9, 0, -1], [0.6, 0, -0.8]])
def test_the_turn_is_a_rotation_for_any_up(rng, up):
    alignment = gravity_alignment(room_clip(rng, num_frames=2, up_world=np.array(up, float)))
    rotation = alignment.aligned_from_world[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ np.array(up) / np.linalg.norm(up), [0, 0, 1], atol=1e-8)


def test_a_world_that_is_the_first_camera_ends_with_y_ahead(rng):
    pose = look_at(np.array([1.0, 1.0, 1.5]), np.array([1.0, 3.0, 1.5]))
    clip = room_clip(rng, world_from_room=inverse_rigid(pose), up_world=np.array([0.0, -1.0, 0.0]))
    turned = gravity_alignment(clip).aligned_from_world[:3, :3]
    np.testing.assert_allclose(turned, [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-12)


@pytest.mark.parametrize("up", [[0.0, 0, 0], [np.nan, 0, 1]])
def test_an_up_that_is_no_direction_is_refused(rng, up):
    with pytest.raises(InputError, match="up_world: expected a direction"):
        align_to_gravity(room_clip(rng, num_frames=2, up_world=np.array(up)))


def test_a_recording_whose_world_is_upright_stays_as_it_is(rng):
    clip = room_clip(rng, world=World(metric=True, gravity_aligned=True, origin="the scanner's"))
    aligned = align_to_gravity(clip)
    np.testing.assert_array_equal(aligned.world_from_camera, clip.world_from_camera)
    assert (aligned.status.gravity, aligned.world.origin) == ("measured", "the scanner's")
    assert aligned.up_world is not None


def test_poses_alone_tell_up_once_the_camera_has_turned(rng):
    for _ in range(5):
        world_from_room = random_rigid(rng)
        clip = room_clip(rng, num_frames=60, world_from_room=world_from_room, depth=False, roll_deg=2.0)
        aligned = align_to_gravity(clip)
        assert aligned.status.gravity == "estimated"
        assert tilt_deg(aligned, clip, world_from_room) < 5
        assert any("x axes of 60 cameras" in note for note in aligned.status.notes)
        assert aligned.world.origin == "at the first camera"
        np.testing.assert_allclose(aligned.world_from_camera[0, :3, 3], 0, atol=1e-9)


def test_poses_of_a_camera_that_did_not_turn_do_not_tell_up(rng):
    clip = room_clip(rng, world_from_room=random_rigid(rng), depth=False, turn=0.0)
    aligned = align_to_gravity(clip)
    assert aligned.status.gravity == "unknown"
    assert not aligned.world.gravity_aligned
    assert aligned.up_world is None
    np.testing.assert_array_equal(aligned.world_from_camera, clip.world_from_camera)
    assert any("turned too little" in note for note in aligned.status.notes)


def test_a_long_level_path_tells_up_in_metres_only(rng):
    poses = np.tile(np.eye(4), (40, 1, 1))  # a car that drives straight on, in its first camera's frame
    poses[:, 2, 3] = np.linspace(0, 60, 40)
    up = up_from_poses(poses, metric=True)
    assert reliable(up)
    assert np.degrees(np.arccos(-up.up_world[1])) < 3
    assert not reliable(up_from_poses(poses, metric=False))


def test_frames_without_pose_and_frames_of_other_pieces_stay_out(rng):
    world_from_room = random_rigid(rng)
    clip = room_clip(rng, world_from_room=world_from_room)
    poses, piece = clip.world_from_camera.copy(), clip.piece.copy()
    other = random_rigid(rng)
    poses[3], piece[3] = np.nan, -1
    poses[7:], piece[7:] = other @ poses[7:], 1  # a frame of their own
    split = replace(clip, world_from_camera=poses, piece=piece)
    aligned = align_to_gravity(split)
    assert tilt_deg(aligned, split, world_from_room) < 0.5
    np.testing.assert_array_equal(aligned.world_from_camera[7:], poses[7:])
    assert np.isnan(aligned.world_from_camera[3]).all()
    assert not np.allclose(aligned.world_from_camera[:3], poses[:3])


def test_without_any_pose_nothing_is_known(rng):
    clip = room_clip(rng, num_frames=3)
    lost = replace(clip, world_from_camera=np.full_like(clip.world_from_camera, np.nan), piece=np.full(3, -1))
    aligned = align_to_gravity(lost)
    assert (aligned.status.gravity, aligned.world.gravity_aligned) == ("unknown", False)
    assert "gravity: unknown; no frame has a pose" in aligned.status.notes


def test_the_floor_is_asked_of_upright_worlds_only(rng):
    with pytest.raises(ValueError, match="align_to_gravity first"):
        clip_floor(room_clip(rng, num_frames=2))


def test_depth_of_another_size_than_the_frames_is_read_with_its_own_intrinsics(rng):
    world_from_room = random_rigid(rng)
    clip = room_clip(rng, world_from_room=world_from_room)
    k_px = clip.k_px.copy()
    k_px[:, :2] *= 2
    large = replace(clip, rgb=np.zeros((12, 192, 256, 3), np.uint8), k_px=k_px)
    aligned = align_to_gravity(large)
    assert tilt_deg(aligned, large, world_from_room) < 0.5
    assert aligned.world_from_camera[0, 2, 3] == pytest.approx(1.5, abs=0.02)


def test_noise_without_surfaces_gives_no_up_from_surfaces(rng):
    poses = walk(6, rng)
    depth = rng.uniform(0.5, 4.0, (6, 96, 128)).astype(np.float32)
    _, k_px = render(poses[:1])
    tiles = flat_tiles(depth, np.repeat(k_px, 6, axis=0), poses)
    assert up_from_surfaces(tiles, poses) is None


def test_one_surface_alone_is_neither_a_wall_nor_a_floor_for_sure():
    wall = np.full((3, 96, 128), 1.5, dtype=np.float32)
    _, k_px = render(np.eye(4)[None])
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [0.0, 0.2, 0.4]  # a wall, or a table under a camera that slides along above it
    assert align_to_gravity(make_clip(poses, wall, np.repeat(k_px, 3, axis=0))).status.gravity == "unknown"


def test_tiles_face_the_camera_and_measure_the_surface(rng):
    world_from_room = random_rigid(rng)
    poses = world_from_room @ look_at(np.array([2.5, 2.0, 1.3]), np.array([2.5, 3.9, 1.3]))[None]
    k_px = np.array([[[100.0, 0, 60], [0, 100, 60], [0, 0, 1]]])
    # a plane that leans away: z = 2 + 0.5 y in the camera, y = (v - 60) / 100 z
    v = (np.arange(120) + 0.5 - 60) / 100
    depth = np.repeat((2 / (1 - 0.5 * v))[:, None], 120, axis=1)[None].astype(np.float32)
    tiles = flat_tiles(depth, k_px, poses)
    normal_camera = np.array([0.0, 0.5, -1.0]) / np.sqrt(1.25)
    np.testing.assert_allclose(
        tiles.normals_world, np.repeat((poses[0, :3, :3] @ normal_camera)[None], tiles.area.size, axis=0), atol=1e-4
    )
    y = 2 * v / (1 - 0.5 * v)  # where the rows meet the plane
    width_at = 1.2 * (2 + 0.5 * y)
    exact = np.trapezoid(width_at, y * np.sqrt(1.25))
    assert tiles.area.sum() == pytest.approx(exact, rel=0.02)
    assert flat_tiles(np.full_like(depth, np.nan), k_px, poses).area.size == 0
    assert flat_tiles(depth, k_px, np.full_like(poses, np.nan)).area.size == 0


def read_depth(paths):
    depth = np.array([np.asarray(Image.open(path)) for path in paths]).astype(np.float32) / 1000
    depth[(depth == 0) | (depth > 65)] = np.nan
    return depth


def kitchen(shared_data, num_frames):
    folder = shared_data / "seven_scenes_kitchen"
    names = sorted(path.name[:12] for path in folder.glob("*.pose.txt"))
    names = [names[i] for i in np.linspace(0, len(names) - 1, num_frames).round().astype(int)]
    k_px = np.loadtxt(folder / "camera-intrinsics.txt") + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    return make_clip(
        np.array([np.loadtxt(folder / f"{name}.pose.txt") for name in names]),
        read_depth([folder / f"{name}.depth.png" for name in names]),
        np.repeat(k_px[None], num_frames, axis=0),
    ), -np.loadtxt(folder / "gravity-direction.txt")


def office(shared_data, num_frames):
    folder = shared_data / "hololens_office"
    chosen = np.linspace(0, 119, num_frames).round().astype(int)
    k_px = np.loadtxt(folder / "K.txt") + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    paths = sorted((folder / "depth").iterdir())
    # The device levels its world, y up; the plane fitted by hand to its floor agrees to 0.1 degrees.
    return make_clip(
        np.loadtxt(folder / "poses.txt").reshape(-1, 4, 4)[chosen],
        read_depth([paths[i] for i in chosen]),
        np.repeat(k_px[None], num_frames, axis=0),
    ), np.array([0.0, 1.0, 0.0])


@pytest.mark.shared
@pytest.mark.parametrize("num_frames", [8, 24])
@pytest.mark.parametrize(("read", "eye_m"), [(kitchen, 1.38), (office, 1.64)])
def test_up_of_real_recordings_is_right_within_two_degrees(shared_data, read, eye_m, num_frames):
    clip, up = read(shared_data, num_frames)
    alignment = gravity_alignment(clip)
    turned = alignment.aligned_from_world[:3, :3] @ up / np.linalg.norm(up)
    assert np.degrees(np.arccos(turned[2])) < 2
    assert alignment.floor is not None
    # eye heights by hand: distance of the first camera from the plane fitted to the floor
    assert (alignment.aligned_from_world @ clip.world_from_camera[0])[2, 3] == pytest.approx(eye_m, abs=0.04)
