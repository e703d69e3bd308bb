"""Patch points are the masked mean of every pixel's world point, whatever the camera, the holes and the sizes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.geometry import lift
from video3d.geometry.lift import lift_depth_patches, lift_patches
from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError, PosedClip, World


def scene(rng, frames, height, width, *, unknown=0.2, near=0.3, far=8.0):
    """Random depth with holes, intrinsics with skew and poses: nothing about it is smooth or kind."""
    depth_m = rng.uniform(near, far, (frames, height, width)).astype(np.float32)
    depth_m[rng.random(depth_m.shape) < unknown] = np.nan
    k_px = np.zeros((frames, 3, 3))
    k_px[:, 0, 0], k_px[:, 1, 1] = rng.uniform(0.5, 2, (2, frames)) * width
    k_px[:, 0, 1] = rng.uniform(-0.1, 0.1, frames) * width
    k_px[:, 0, 2], k_px[:, 1, 2] = rng.uniform(0, 1, frames) * width, rng.uniform(0, 1, frames) * height
    k_px[:, 2, 2] = 1
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = Rotation.random(frames, rng=rng).as_matrix()
    poses[:, :3, 3] = rng.normal(0, 4, (frames, 3))
    return depth_m, k_px, poses


def brute_force(depth_m, k_px, poses, patch):
    """Every pixel by itself, in float64."""
    frames, height, width = depth_m.shape
    rows, columns = height // patch, width // patch
    points = np.full((frames, rows, columns, 3), np.nan)
    depth, share = np.full((frames, rows, columns), np.nan), np.zeros((frames, rows, columns))
    for frame in range(frames):
        v, u = np.mgrid[:height, :width] + 0.5
        z = depth_m[frame].astype(np.float64)
        known = np.isfinite(z) & (z > 0)
        camera = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(k_px[frame]).T * z[..., None]
        world = camera @ poses[frame, :3, :3].T + poses[frame, :3, 3]
        for row in range(rows):
            for column in range(columns):
                window = np.s_[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
                share[frame, row, column] = known[window].mean()
                if known[window].any():
                    points[frame, row, column] = world[window][known[window]].mean(axis=0)
                    depth[frame, row, column] = z[window][known[window]].mean()
    return points, depth, share


def assert_equals_brute_force(got, depth_m, k_px, poses, patch):
    rtol = 3e-6
    points, depth, share = brute_force(depth_m, k_px, poses, patch)
    reach = np.abs(points[np.isfinite(points)]).max(initial=1.0)
    np.testing.assert_allclose(got.points_world, points, atol=rtol * reach)
    np.testing.assert_allclose(got.depth_m, depth, rtol=rtol)
    np.testing.assert_allclose(got.valid_share, share, atol=1e-7)
    assert got.patch_px == patch


@pytest.mark.parametrize(
    ("size_hw", "patch"),
    [
        ((54, 81), 27),
        ((60, 97), 27),
        ((28, 42), 14),
        ((33, 50), 16),
        ((9, 7), 1),
        ((5, 5), 5),
        ((7, 90), 6),
        ((6, 3), 2),
    ],
)
@pytest.mark.parametrize("unknown", [0.0, 0.2, 0.98])
def test_equals_the_mean_over_every_pixel(rng, size_hw, patch, unknown):
    depth_m, k_px, poses = scene(rng, 3, *size_hw, unknown=unknown)
    got = lift_depth_patches(depth_m, k_px, poses, patch)
    assert_equals_brute_force(got, depth_m, k_px, poses, patch)


def test_accuracy_at_the_size_that_models_use(rng):
    depth_m, k_px, poses = scene(rng, 1, 480, 640, unknown=0.17)
    points, _, _ = brute_force(depth_m, k_px, poses, 27)
    got = lift_depth_patches(depth_m, k_px, poses, 27)
    assert got.points_world.shape == (1, 17, 23, 3)
    assert np.abs(got.points_world - points).max() < 1e-5


@pytest.mark.parametrize("block_px", [1, 60 * 27, 3 * 60 * 27])
def test_the_size_of_the_blocks_does_not_matter(rng, monkeypatch, block_px):
    depth_m, k_px, poses = scene(rng, 2, 140, 60)
    whole = lift_depth_patches(depth_m, k_px, poses, 27)
    monkeypatch.setattr(lift, "_BLOCK_PX", block_px)
    blocks = lift_depth_patches(depth_m, k_px, poses, 27)
    np.testing.assert_allclose(blocks.points_world, whole.points_world, atol=1e-5)
    np.testing.assert_array_equal(blocks.valid_share, whole.valid_share)


def test_patches_of_more_rows_than_a_byte_counts(rng):
    depth_m, k_px, poses = scene(rng, 1, 300, 301)
    assert_equals_brute_force(lift_depth_patches(depth_m, k_px, poses, 300), depth_m, k_px, poses, 300)


def test_depth_that_is_a_view_into_other_memory(rng):
    depth_m, k_px, poses = scene(rng, 4, 60, 80)
    view = depth_m[::2, ::2, 3:][:, :, ::-1]
    view.flags.writeable = False
    got = lift_depth_patches(view, k_px[::2], poses[::2], 9)
    assert_equals_brute_force(got, view, k_px[::2], poses[::2], 9)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, -np.inf, -np.nan])
def test_what_is_no_depth_does_not_vote(rng, bad):
    depth_m, k_px, poses = scene(rng, 2, 30, 40)
    with_bad = np.where(np.isnan(depth_m), np.float32(bad), depth_m).astype(np.float32)
    got = lift_depth_patches(with_bad, k_px, poses, 10)
    want = lift_depth_patches(depth_m, k_px, poses, 10)
    np.testing.assert_allclose(got.points_world, want.points_world, atol=1e-5)
    np.testing.assert_array_equal(got.valid_share, want.valid_share)


def test_what_is_no_depth_in_many_ways_at_once(rng):
    depth_m, k_px, poses = scene(rng, 2, 30, 40)
    with_bad = np.where(np.isnan(depth_m), rng.choice([0, -2, np.inf, -np.inf, np.nan], depth_m.shape), depth_m)
    got = lift_depth_patches(with_bad.astype(np.float32), k_px, poses, 10)
    assert_equals_brute_force(got, depth_m, k_px, poses, 10)


@pytest.mark.parametrize(("near", "far"), [(1e-30, 1e-29), (1e-3, 1e5), (1e30, 2e35), (1e38, 3e38)])
def test_depth_of_any_size(rng, near, far):
    depth_m, k_px, poses = scene(rng, 2, 54, 54, near=near, far=far)
    k_px[:, 0, 2] = k_px[:, 1, 2] = 27  # rays near the axis, so that the largest points still fit float32
    k_px[:, 0, 0] = k_px[:, 1, 1] = 600
    got = lift_depth_patches(depth_m, k_px, poses, 27)
    points, depth, _ = brute_force(depth_m, k_px, poses, 27)
    np.testing.assert_allclose(got.points_world, points, atol=1e-5 * np.abs(points).max())
    np.testing.assert_allclose(got.depth_m, depth, rtol=1e-5)


def test_points_beyond_float32_are_unknown_and_not_infinite(rng):
    depth_m, k_px, poses = scene(rng, 1, 4, 4, unknown=0, near=3e38, far=3.4e38)
    k_px[:, 0, 0] = 1e-3
    assert not np.isinf(lift_depth_patches(depth_m, k_px, poses, 2).points_world).any()


def test_frames_without_pose_or_intrinsics_keep_their_depth_and_leave_the_others_alone(rng):
    depth_m, k_px, poses = scene(rng, 4, 30, 40)
    want = lift_depth_patches(depth_m, k_px, poses, 10)
    poses[1], k_px[2], depth_m[3] = np.nan, np.nan, np.nan
    got = lift_depth_patches(depth_m, k_px, poses, 10)
    np.testing.assert_array_equal(got.points_world[0], want.points_world[0])
    assert np.isnan(got.points_world[1:]).all()
    np.testing.assert_array_equal(got.depth_m[:3], want.depth_m[:3])
    np.testing.assert_array_equal(got.valid_share[:3], want.valid_share[:3])
    assert np.isnan(got.depth_m[3]).all() and (got.valid_share[3] == 0).all()


def test_moving_the_world_moves_the_points_with_it(rng):
    depth_m, k_px, poses = scene(rng, 3, 30, 40)
    _, _, (moved_from_world,) = scene(rng, 1, 1, 1)
    points = lift_depth_patches(depth_m, k_px, poses, 10).points_world
    moved = lift_depth_patches(depth_m, k_px, moved_from_world @ poses, 10).points_world
    np.testing.assert_allclose(
        moved, points @ moved_from_world[:3, :3].T + moved_from_world[:3, 3], atol=1e-4, equal_nan=True
    )


def test_frames_do_not_mix(rng):
    depth_m, k_px, poses = scene(rng, 5, 30, 40)
    order = rng.permutation(5)
    points = lift_depth_patches(depth_m, k_px, poses, 10).points_world
    shuffled = lift_depth_patches(depth_m[order], k_px[order], poses[order], 10).points_world
    np.testing.assert_array_equal(shuffled, points[order])


def test_scaling_depth_scales_about_the_camera(rng):
    depth_m, k_px, poses = scene(rng, 2, 30, 40)
    world_to_camera = inverse_rigid(poses)
    near = lift_depth_patches(depth_m, k_px, world_to_camera @ poses, 10).points_world
    far = lift_depth_patches(4 * depth_m, k_px, world_to_camera @ poses, 10).points_world
    np.testing.assert_allclose(far, 4 * near, rtol=1e-5, atol=1e-5)


def test_the_old_way_lets_unknown_pixels_vote_with_the_cameras_place(rng):
    depth_m, k_px, poses = scene(rng, 2, 30, 40, unknown=0.3)
    depth_m[0, :10, :10] = np.nan
    got = lift_depth_patches(depth_m, k_px, poses, 10, unknown_as_zero=True)
    v, u = np.mgrid[:30, :40] + 0.5
    z = np.nan_to_num(depth_m.astype(np.float64))
    camera = np.einsum("fij,hwj->fhwi", np.linalg.inv(k_px), np.stack([u, v, np.ones_like(u)], axis=-1)) * z[..., None]
    world = np.einsum("fij,fhwj->fhwi", poses[:, :3, :3], camera) + poses[:, None, None, :3, 3]
    np.testing.assert_allclose(got.points_world, world.reshape(2, 3, 10, 4, 10, 3).mean(axis=(2, 4)), atol=1e-5)
    np.testing.assert_allclose(got.points_world[0, 0, 0], poses[0, :3, 3], rtol=1e-6)
    assert got.valid_share[0, 0, 0] == 0 and got.depth_m[0, 0, 0] == 0


def test_no_frames_give_no_points():
    got = lift_depth_patches(np.zeros((0, 8, 8), np.float32), np.zeros((0, 3, 3)), np.zeros((0, 4, 4)), 4)
    assert got.points_world.shape == (0, 2, 2, 3)


@pytest.mark.parametrize("patch", [0, -3, 31])
def test_a_patch_that_does_not_fit_is_refused(rng, patch):
    with pytest.raises(InputError, match="patch_px: expected 1 to 30"):
        lift_depth_patches(*scene(rng, 1, 30, 40), patch)


def test_singular_intrinsics_are_refused(rng):
    depth_m, k_px, poses = scene(rng, 2, 8, 8)
    k_px[1] = 0
    with pytest.raises(InputError, match="intrinsics of frame 1"):
        lift_depth_patches(depth_m, k_px, poses, 4)


def test_a_clip_is_lifted_by_its_own_arrays_and_must_have_one_size(rng):
    depth_m, k_px, poses = scene(rng, 2, 30, 40)
    one_size = PosedClip(
        frame_index=np.arange(2),
        time_s=np.zeros(2),
        rgb=np.zeros((2, 30, 40, 3), np.uint8),
        depth_m=depth_m,
        k_px=k_px,
        world_from_camera=poses,
        piece=np.zeros(2, np.int64),
        world=World(),
    )
    assert_equals_brute_force(lift_patches(one_size, 7), depth_m, k_px, poses, 7)
    two_sizes = replace(one_size, rgb=np.zeros((2, 60, 80, 3), np.uint8))
    with pytest.raises(InputError, match="resize_clip"):
        lift_patches(two_sizes, 7)
