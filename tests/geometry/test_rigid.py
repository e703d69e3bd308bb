"""Axioms of rigid transforms and of the pinhole camera, over sampled inputs."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.geometry.rigid import (
    crop_k,
    fov_rad,
    inverse_k,
    inverse_rigid,
    is_known,
    is_rigid,
    pixel_centers_px,
    project,
    rotation_angle_rad,
    scale_k,
    transform_points,
    unproject,
)
from video3d.types import InputError


def random_poses(rng, *batch):
    poses = np.zeros((*batch, 4, 4))
    poses[..., :3, :3] = Rotation.random(int(np.prod(batch)), rng=rng).as_matrix().reshape(*batch, 3, 3)
    poses[..., :3, 3] = rng.normal(0, 5, (*batch, 3))
    poses[..., 3, 3] = 1
    return poses


def random_k(rng, size_hw):
    height, width = size_hw
    fx, fy = rng.uniform(0.4, 2.5, 2) * width
    return np.array(
        [
            [fx, rng.uniform(-0.05, 0.05) * fx, rng.uniform(0.3, 0.7) * width],
            [0, fy, rng.uniform(0.3, 0.7) * height],
            [0, 0, 1],
        ]
    )


def test_inverse_undoes_on_both_sides_and_reverses_composition(rng):
    a_from_b, b_from_c = random_poses(rng, 4, 25), random_poses(rng, 4, 25)
    identity = np.broadcast_to(np.eye(4), a_from_b.shape)
    np.testing.assert_allclose(inverse_rigid(a_from_b) @ a_from_b, identity, atol=1e-12)
    np.testing.assert_allclose(a_from_b @ inverse_rigid(a_from_b), identity, atol=1e-12)
    np.testing.assert_allclose(
        inverse_rigid(a_from_b @ b_from_c), inverse_rigid(b_from_c) @ inverse_rigid(a_from_b), atol=1e-12
    )
    np.testing.assert_allclose(inverse_rigid(a_from_b), np.linalg.inv(a_from_b), atol=1e-12)


def test_unknown_poses_stay_unknown_and_leave_their_neighbours_alone(rng):
    poses = random_poses(rng, 3)
    poses[1, 0, 3] = np.nan
    inverse = inverse_rigid(poses)
    assert is_known(inverse).tolist() == [True, False, True]
    assert np.isnan(inverse[1]).all()
    assert is_rigid(poses).tolist() == [True, False, True]
    moved = transform_points(poses, np.ones((3, 5, 3)))
    assert np.isnan(moved[1]).any() and np.isfinite(moved[[0, 2]]).all()


def test_transforms_act_as_a_group_and_keep_distances(rng):
    a_from_b, b_from_c = random_poses(rng, 10), random_poses(rng, 10)
    points_c = rng.normal(0, 3, (10, 6, 4, 3))
    stepwise = transform_points(a_from_b, transform_points(b_from_c, points_c))
    np.testing.assert_allclose(transform_points(a_from_b @ b_from_c, points_c), stepwise, atol=1e-10)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(stepwise, axis=1), axis=-1), np.linalg.norm(np.diff(points_c, axis=1), axis=-1)
    )
    one_by_one = [transform_points(pose, points) for pose, points in zip(b_from_c, points_c, strict=True)]
    np.testing.assert_allclose(transform_points(b_from_c, points_c), one_by_one, atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 5, 3)])
def test_points_keep_their_shape_and_dtype(rng, shape):
    points = rng.normal(size=shape).astype(np.float32)
    moved = transform_points(random_poses(rng, 1)[0], points)
    assert moved.shape == shape and moved.dtype == np.float32


def test_points_that_do_not_go_with_the_transforms_are_refused(rng):
    with pytest.raises(ValueError, match="leading axes"):
        transform_points(random_poses(rng, 2), np.zeros((3, 3)))


def test_what_is_not_rigid_is_told(rng):
    poses = random_poses(rng, 4)
    assert is_rigid(poses).all()
    sheared, mirrored, scaled, projective = poses.copy()
    sheared[0, 1] += 0.01
    mirrored[:3, 0] *= -1
    scaled[:3, :3] *= 1.01
    projective[3, 0] = 0.1
    assert not is_rigid(np.stack([sheared, mirrored, scaled, projective])).any()
    assert is_rigid(scaled, atol=0.05)


def test_rotation_angle_is_exact_from_tiny_to_half_turn(rng):
    angles = np.concatenate([[0.0, 1e-9, 1e-7, 1e-4, np.pi - 1e-7, np.pi], rng.uniform(0, np.pi, 50)])
    axes = rng.normal(size=(len(angles), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    rotations = Rotation.from_rotvec(axes * angles[:, None]).as_matrix()
    np.testing.assert_allclose(rotation_angle_rad(rotations), angles, atol=1e-12)
    assert np.isnan(rotation_angle_rad(np.full((3, 3), np.nan)))


def test_project_undoes_unproject_at_every_pixel_centre(rng):
    for size_hw in [(1, 1), (7, 5), (30, 41)]:
        k_px = np.stack([random_k(rng, size_hw) for _ in range(3)])
        depth_m = rng.uniform(0.2, 50, (3, *size_hw)).astype(np.float32)
        depth_m[1, 0, 0] = np.nan
        points = unproject(depth_m, k_px)
        for frame in range(3):
            px, z_m = project(points[frame], k_px[frame])
            np.testing.assert_array_equal(z_m.astype(np.float32), depth_m[frame])
            known = np.isfinite(depth_m[frame])
            np.testing.assert_allclose(px[known], pixel_centers_px(size_hw)[known], atol=1e-3)
            assert np.isnan(px[~known]).all()


def test_unproject_reads_the_pixel_in_the_middle_of_the_principal_point():
    k_px = np.array([[[100.0, 0, 2.5], [0, 100, 1.5], [0, 0, 1]]])
    assert unproject(np.full((1, 3, 5), 7.0, np.float32), k_px)[0, 1, 2].tolist() == [0.0, 0.0, 7.0]


def test_unknown_intrinsics_give_unknown_points(rng):
    k_px = np.stack([random_k(rng, (4, 4)), np.full((3, 3), np.nan)])
    points = unproject(np.ones((2, 4, 4), np.float32), k_px)
    assert np.isfinite(points[0]).all() and np.isnan(points[1]).all()
    assert np.isnan(fov_rad(k_px[1], (4, 4))).all()


def test_points_behind_the_camera_appear_nowhere(rng):
    points = np.array([[1.0, 1, -2], [0, 0, 0], [0, 0, np.nan], [0, 0, 1]])
    px, z_m = project(points, random_k(rng, (10, 10)))
    assert np.isnan(px[:3]).all() and np.isfinite(px[3]).all()
    np.testing.assert_array_equal(z_m, points[:, 2])


@pytest.mark.parametrize("k", [np.zeros((3, 3)), np.diag([500.0, 0, 1]), np.diag([0.0, 0, 1])])
def test_singular_intrinsics_are_refused_with_the_frame(k):
    with pytest.raises(InputError, match="intrinsics of frame 1"):
        inverse_k(np.stack([np.eye(3), k]))
    with pytest.raises(InputError, match="intrinsics: expected an invertible"):
        inverse_k(k)


def test_resize_and_crop_of_intrinsics_move_pixels_as_they_move_the_image(rng):
    for _ in range(30):
        from_hw, to_hw = tuple(rng.integers(5, 900, 2).tolist()), tuple(rng.integers(5, 900, 2).tolist())
        k_px = random_k(rng, from_hw)
        points = rng.normal([0, 0, 5], 1, (20, 3))
        before, _ = project(points, k_px)
        resized, _ = project(points, scale_k(k_px, from_hw, to_hw))
        np.testing.assert_allclose(resized, before * [to_hw[1] / from_hw[1], to_hw[0] / from_hw[0]], atol=1e-8)
        cropped, _ = project(points, crop_k(k_px, 3, 7.5))
        np.testing.assert_allclose(cropped, before - [7.5, 3], atol=1e-8)
        np.testing.assert_allclose(scale_k(scale_k(k_px, from_hw, to_hw), to_hw, from_hw), k_px, atol=1e-9)
        assert fov_rad(scale_k(k_px, from_hw, to_hw), to_hw) == pytest.approx(fov_rad(k_px, from_hw))


def test_field_of_view_is_the_angle_between_the_border_rays(rng):
    for _ in range(20):
        size_hw = (40, 60)
        k_px = random_k(rng, size_hw)
        k_px[0, 1] = 0
        rays = inverse_k(k_px) @ np.array([[0.0, k_px[1, 2], 1], [60.0, k_px[1, 2], 1]]).T
        cosine = rays[:, 0] @ rays[:, 1] / np.prod(np.linalg.norm(rays, axis=0))
        assert fov_rad(k_px, size_hw)[1] == pytest.approx(np.arccos(cosine))
