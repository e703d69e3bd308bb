"""Shares of patches inside boxes against every pixel unprojected in float64."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.geometry.boxes import points_in_box
from video3d.geometry.patch_boxes import patch_box_shares
from video3d.types import Box3D, InputError

PATCH = 6


def scene(seed):
    rng = np.random.default_rng(seed)
    depth_m = rng.uniform(1.0, 4.0, (3, 5, 7)).repeat(5, 1).repeat(5, 2).astype(np.float32)  # remainders on both sides
    depth_m[rng.random(depth_m.shape) < 0.1] = 0.0
    depth_m[0, :4] = np.nan
    k_px = np.tile(np.array([[30.0, 0.4, 17.0], [0, 28.0, 12.0], [0, 0, 1]]), (3, 1, 1))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :3, :3] = Rotation.random(3, random_state=seed).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(3, 3))
    boxes = [
        Box3D(center_world=rng.normal(size=3) * 2, size_m=rng.uniform(0.5, 5.0, 3), world_from_box=turn)
        for turn in [np.eye(3), *Rotation.random(5, random_state=seed).as_matrix()]
    ]
    return depth_m, k_px, poses, boxes


def by_pixel(depth_m, k_px, poses, boxes, *, zero):
    height, width = depth_m.shape[1:]
    rows, columns = height // PATCH, width // PATCH
    v, u = np.mgrid[:height, :width] + 0.5
    z = np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, 0.0 if zero else np.nan).astype(np.float64)
    pixels = np.stack([u, v, np.ones_like(u)], -1)
    camera = np.einsum("fij,hwj->fhwi", np.linalg.inv(k_px), pixels) * z[..., None]
    world = np.einsum("fij,fhwj->fhwi", poses[:, :3, :3], camera) + poses[:, None, None, :3, 3]
    inside = np.stack([points_in_box(world, box) for box in boxes])[..., : rows * PATCH, : columns * PATCH]
    return inside.reshape(len(boxes), -1, rows, PATCH, columns, PATCH).mean((3, 5))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("zero", [False, True])
def test_agrees_with_every_pixel_unprojected(seed, zero):
    depth_m, k_px, poses, boxes = scene(seed)
    found = patch_box_shares(depth_m, k_px, poses, boxes, PATCH, unknown_as_zero=zero)
    expected = by_pixel(depth_m, k_px, poses, boxes, zero=zero)
    assert found.shape == expected.shape == (6, 3, 4, 5)
    assert expected.max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_unknown_depth_votes_at_the_camera_only_if_asked():
    depth_m = np.zeros((1, 4, 4), np.float32)
    k_px = np.array([[[4.0, 0, 2], [0, 4.0, 2], [0, 0, 1]]])
    around_camera = [Box3D(center_world=np.zeros(3), size_m=np.ones(3), world_from_box=np.eye(3))]
    assert patch_box_shares(depth_m, k_px, np.eye(4)[None], around_camera, 2).max() == 0
    assert patch_box_shares(depth_m, k_px, np.eye(4)[None], around_camera, 2, unknown_as_zero=True).min() == 1


def test_a_frame_without_pose_or_intrinsics_is_in_no_box():
    depth_m, k_px, poses, boxes = scene(0)
    poses[1] = np.nan
    k_px[2] = np.nan
    found = patch_box_shares(depth_m, k_px, poses, boxes, PATCH)
    assert found[:, 0].any()
    assert not found[:, 1:].any()


def test_no_boxes_and_bad_patch():
    depth_m, k_px, poses, boxes = scene(0)
    assert patch_box_shares(depth_m, k_px, poses, [], PATCH).shape == (0, 3, 4, 5)
    with pytest.raises(InputError, match="patch_px"):
        patch_box_shares(depth_m, k_px, poses, boxes, 99)
