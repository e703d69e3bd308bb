"""Voxel sets behave as sets of places, and depth maps see the same voxels as their unprojected points."""

import numpy as np
import pytest

from video3d.geometry.rigid import transform_points, unproject
from video3d.geometry.voxels import (
    OFFSET,
    UNKNOWN_VOXEL,
    contains,
    difference,
    intersection,
    pack,
    union,
    unique_voxels,
    unpack,
    visible_voxels,
    voxel_centers,
    voxel_downsample,
    voxel_iou,
    voxel_keys,
)
from video3d.types import InputError


def random_rotation(rng):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


def test_pack_and_unpack_are_inverse_to_the_edge_of_the_grid(rng):
    indices = rng.integers(-OFFSET, OFFSET, size=(1000, 3))
    indices[:2] = [[-OFFSET] * 3, [OFFSET - 1] * 3]
    keys = pack(indices)
    assert (keys >= 0).all()
    np.testing.assert_array_equal(unpack(keys), indices)


def test_keys_sort_like_their_indices(rng):
    indices = rng.integers(-50, 50, size=(500, 3))
    by_key = indices[np.argsort(pack(indices), kind="stable")]
    by_index = indices[np.lexsort(indices.T[::-1])]
    np.testing.assert_array_equal(by_key, by_index)


@pytest.mark.parametrize("beyond", [OFFSET, -OFFSET - 1])
def test_an_index_beyond_the_grid_is_refused(beyond):
    with pytest.raises(InputError, match="larger voxel_m"):
        pack(np.array([[0, 0, beyond]]))


@pytest.mark.parametrize("far", [1e9, -1e30])
def test_a_point_beyond_the_grid_is_refused(far):
    with pytest.raises(InputError, match="wrong pose"):
        voxel_keys(np.array([[0.0, far, 0.0]]), 0.1)


@pytest.mark.parametrize("side", [0.0, -0.1, np.nan, np.inf])
def test_a_voxel_has_a_side(side):
    with pytest.raises(InputError, match="voxel_m"):
        voxel_keys(np.zeros((1, 3)), side)


def test_unpack_refuses_what_is_no_voxel():
    with pytest.raises(ValueError, match="UNKNOWN_VOXEL"):
        unpack(np.array([3, UNKNOWN_VOXEL]))


def test_voxels_are_half_open_and_floor_below_zero():
    points = np.array([[0.0, 0, 0], [0.25, 0, 0], [0.2499, 0, 0], [-1e-9, 0, 0], [-0.25, 0, 0], [-0.2501, 0, 0]])
    assert unpack(voxel_keys(points, 0.25))[:, 0].tolist() == [0, 1, 0, -1, -1, -2]


def test_unknown_points_are_in_no_set(rng):
    points = rng.uniform(-2, 2, (300, 3))
    points[::3, 1] = np.nan
    points[1::3, 2] = np.inf
    keys = voxel_keys(points, 0.3)
    assert (keys == UNKNOWN_VOXEL).sum() == 200
    np.testing.assert_array_equal(unique_voxels(points, 0.3), unique_voxels(points[2::3], 0.3))
    assert unique_voxels(np.full((4, 3), np.nan), 0.3).size == 0


def test_every_point_is_within_half_a_side_of_its_center(rng):
    points = rng.normal(scale=5, size=(1000, 3))
    centers = voxel_centers(voxel_keys(points, 0.2), 0.2)
    assert np.abs(points - centers).max() <= 0.1 + 1e-12


def test_moving_by_whole_voxels_moves_the_set(rng):
    points = rng.uniform(0.01, 0.09, (200, 3)) + 0.1 * rng.integers(-20, 20, (200, 3))
    moved = unpack(unique_voxels(points + np.array([0.3, -0.5, 0.2]), 0.1))
    np.testing.assert_array_equal(moved, unpack(unique_voxels(points, 0.1)) + np.array([3, -5, 2]))


def test_set_operations_agree_with_python_sets(rng):
    a, b = (unique_voxels(rng.uniform(-1, 1, (n, 3)), 0.3) for n in (120, 200))
    set_a, set_b = set(a.tolist()), set(b.tolist())
    assert union(a, b).tolist() == sorted(set_a | set_b)
    assert intersection(a, b).tolist() == sorted(set_a & set_b)
    assert difference(a, b).tolist() == sorted(set_a - set_b)
    assert contains(a, b).tolist() == [key in set_a for key in b.tolist()]
    assert voxel_iou(a, b) == len(set_a & set_b) / len(set_a | set_b)
    none = np.zeros(0, dtype=np.int64)
    assert voxel_iou(none, none) == 0
    assert not contains(none, a).any()


def test_downsample_keeps_one_mean_a_voxel(rng):
    points = rng.uniform(-1, 1, (2000, 3))
    points[:50] = np.nan
    fewer = voxel_downsample(points, 0.25)
    keys = voxel_keys(points, 0.25)
    assert fewer.shape[0] == unique_voxels(points, 0.25).size
    for point, key in zip(fewer, unique_voxels(points, 0.25), strict=True):
        np.testing.assert_allclose(point, points[keys == key].mean(axis=0))
    assert voxel_downsample(np.full((3, 3), np.nan), 0.25).shape == (0, 3)


@pytest.mark.parametrize("far", [3.0, 90.0], ids=["bitmap", "sort"])
@pytest.mark.parametrize("stride", [1, 3])
def test_a_depth_map_sees_the_voxels_of_its_points(rng, far, stride):
    for _ in range(5):
        depth = rng.uniform(0.2, far, (45, 60)).astype(np.float32)
        depth[rng.random(depth.shape) < 0.2] = np.nan
        depth[0, :3] = [0, -1, np.inf]
        k_px = np.array([[50.0, 0, 31], [0, 48, 20], [0, 0, 1]])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = random_rotation(rng), rng.uniform(-20, 20, 3)
        seen = visible_voxels(depth, k_px, pose, 0.1, pixel_stride=stride)
        clean = np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)
        points = transform_points(pose, unproject(clean[None], k_px[None])[0].astype(np.float64))
        expected = unique_voxels(points[stride // 2 :: stride, stride // 2 :: stride], 0.1)
        assert (np.diff(seen) > 0).all()
        # float32 puts a point on the other side of a voxel's face now and then
        assert np.setxor1d(seen, expected).size <= 0.002 * expected.size + 1


def test_a_depth_map_without_depth_pose_or_intrinsics_sees_nothing():
    wall, k_px, pose = np.full((4, 6), 2.0, np.float32), np.diag([5.0, 5.0, 1.0]), np.eye(4)
    assert visible_voxels(wall, k_px, pose).size > 0
    assert visible_voxels(np.full_like(wall, np.nan), k_px, pose).size == 0
    assert visible_voxels(wall, np.full((3, 3), np.nan), pose).size == 0
    assert visible_voxels(wall, k_px, np.full((4, 4), np.nan)).size == 0


def test_a_depth_map_far_beyond_the_grid_is_refused():
    pose = np.eye(4)
    pose[0, 3] = 1e9
    with pytest.raises(InputError, match="wrong pose"):
        visible_voxels(np.ones((4, 6), np.float32), np.diag([5.0, 5.0, 1.0]), pose)
