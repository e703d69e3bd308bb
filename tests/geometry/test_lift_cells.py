"""Cells with edges at fractions of a pixel, against pixels counted one by one and against whole patches."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.geometry.lift import lift_depth_patches
from video3d.geometry.lift_cells import Window, centered_window, lift_cells
from video3d.types import InputError


def scene(seed, size_hw=(24, 32)):
    rng = np.random.default_rng(seed)
    depth_m = rng.uniform(0.5, 6.0, (3, *size_hw)).astype(np.float32)
    depth_m[rng.random(depth_m.shape) < 0.1] = 0.0
    depth_m[0, :8, :8] = np.nan
    depth_m[1, 3, 3] = np.inf
    k_px = np.tile(np.array([[30.0, 0.3, 16.0], [0, 28.0, 12.0], [0, 0, 1]]), (3, 1, 1))
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :3, :3] = Rotation.random(3, random_state=seed).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(3, 3))
    return depth_m, k_px, poses


@pytest.mark.parametrize("zero", [False, True])
def test_cells_of_whole_pixels_are_patches(zero):
    depth_m, k_px, poses = scene(0)
    cells = lift_cells(depth_m, k_px, poses, (3, 4), unknown_as_zero=zero)
    patches = lift_depth_patches(depth_m, k_px, poses, 8, unknown_as_zero=zero)
    np.testing.assert_allclose(cells.points_world, patches.points_world, atol=2e-5)
    np.testing.assert_allclose(cells.depth_m, patches.depth_m, atol=1e-5)
    np.testing.assert_allclose(cells.valid_share, patches.valid_share, atol=1e-6)


def by_pixel(depth_m, k_px, poses, grid_hw, window):
    """Every pixel's world point in float64, weighed by how much of the pixel lies in a cell."""
    height, width = depth_m.shape[1:]
    v, u = np.mgrid[:height, :width] + 0.5
    known = np.isfinite(depth_m) & (depth_m > 0)
    z = np.where(known, depth_m, 0.0).astype(np.float64)
    rays = np.einsum("fij,hwj->fhwi", np.linalg.inv(k_px), np.stack([u, v, np.ones_like(u)], -1))
    world = np.einsum("fij,fhwj->fhwi", poses[:, :3, :3], rays * z[..., None]) + poses[:, None, None, :3, 3]
    points = np.empty((len(depth_m), *grid_hw, 3))
    share = np.empty((len(depth_m), *grid_hw))
    high, wide = window.height / grid_hw[0], window.width / grid_hw[1]
    for row, column in np.ndindex(grid_hw):
        top, left = window.top + row * high, window.left + column * wide
        in_v = np.clip(np.minimum(v + 0.5, top + high) - np.maximum(v - 0.5, top), 0, 1)
        in_u = np.clip(np.minimum(u + 0.5, left + wide) - np.maximum(u - 0.5, left), 0, 1)
        weight = in_u * in_v * known
        total = weight.sum((1, 2))
        with np.errstate(invalid="ignore"):
            points[:, row, column] = (weight[..., None] * world).sum((1, 2)) / total[:, None]
        share[:, row, column] = total / (high * wide)
    return points, share


@pytest.mark.parametrize(
    "window", [Window(top=0.0, left=4.3, height=23.6, width=23.6), Window(top=1.25, left=0.0, height=20.5, width=32.0)]
)
@pytest.mark.parametrize("grid_hw", [(5, 5), (7, 3)])
def test_fractions_of_pixels_count_by_their_area(window, grid_hw):
    depth_m, k_px, poses = scene(1)
    cells = lift_cells(depth_m, k_px, poses, grid_hw, window)
    points, share = by_pixel(depth_m, k_px, poses, grid_hw, window)
    np.testing.assert_allclose(cells.points_world, points, atol=3e-5)
    np.testing.assert_allclose(cells.valid_share, share, atol=1e-6)


def test_a_wall_stays_a_wall_and_unknown_stays_unknown():
    depth_m = np.full((1, 480, 640), 2.0, np.float32)
    depth_m[0, :40, :160] = np.nan
    k_px = np.array([[[577.9, 0, 319.5], [0, 577.9, 239.5], [0, 0, 1]]])
    window = centered_window((480, 640), 14, frame_px=384, cell_px=27)
    cells = lift_cells(depth_m, k_px, np.eye(4)[None], (14, 14), window)
    center = 80 + 33.75 * 5.5  # of the sixth column
    np.testing.assert_allclose(cells.points_world[0, 7, 5, [0, 2]], [(center - 319.5) / 577.9 * 2, 2.0], atol=1e-5)
    assert np.isnan(cells.points_world[0, 0, 0]).all()
    assert cells.valid_share[0, 0, 0] == 0


def test_frames_without_a_pose_and_windows_outside():
    depth_m, k_px, poses = scene(2)
    poses[1] = np.nan
    cells = lift_cells(depth_m, k_px, poses, (3, 4))
    assert np.isnan(cells.points_world[1]).all()
    assert np.isfinite(cells.depth_m[1]).any()
    with pytest.raises(InputError, match="window"):
        lift_cells(depth_m, k_px, poses, (3, 4), Window(top=0.0, left=10.0, height=24.0, width=24.0))
    with pytest.raises(InputError, match="window"):
        lift_cells(depth_m, k_px, poses, (0, 4))
