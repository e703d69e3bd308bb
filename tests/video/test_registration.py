"""Depth brought into the colour camera's view."""

import numpy as np
import pytest

from video3d.types import InputError
from video3d.video.registration import register, resample_depth, splat_depth


def k(fx, fy, cx, cy):
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)


def test_the_same_view_is_returned_as_it_is(rng):
    depth_m = rng.uniform(1, 5, (2, 24, 32)).astype(np.float32)
    view = k(30, 31, 15.7, 12.2)
    np.testing.assert_array_equal(
        resample_depth(depth_m, depth_k_px=view, target_k_px=view, target_hw=(24, 32)), depth_m
    )


@pytest.mark.parametrize("scale", [2, 3])
def test_a_finer_view_repeats_depth_pixels(rng, scale):
    depth_m = rng.uniform(1, 5, (1, 6, 8)).astype(np.float32)
    got = resample_depth(
        depth_m,
        depth_k_px=k(10, 11, 4.2, 2.9),
        target_k_px=k(10 * scale, 11 * scale, 4.2 * scale, 2.9 * scale),
        target_hw=(6 * scale, 8 * scale),
    )
    np.testing.assert_array_equal(got[0], depth_m[0].repeat(scale, 0).repeat(scale, 1))


def test_rays_outside_the_depth_camera_are_unknown():
    depth_m = np.ones((1, 10, 10), np.float32)
    got = resample_depth(depth_m, depth_k_px=k(10, 10, 5, 5), target_k_px=k(5, 5, 5, 5), target_hw=(10, 10))[0]
    expected = np.full((10, 10), np.nan)
    expected[2:7, 2:7] = 1  # the depth camera, twice as long, sees rays 2.5 <= x < 7.5: centres 2.5 .. 6.5
    np.testing.assert_array_equal(got, expected)


def test_shift_by_a_pixel():
    depth_m = np.arange(12, dtype=np.float32).reshape(1, 3, 4) + 1
    got = resample_depth(depth_m, depth_k_px=k(9, 9, 2, 1.5), target_k_px=k(9, 9, 3, 1.5), target_hw=(3, 4))[0]
    np.testing.assert_array_equal(got[:, 1:], depth_m[0, :, :-1])
    assert np.isnan(got[:, 0]).all()


def test_register_leaves_agreeing_views_alone_and_refuses_strangers():
    load = lambda indices: np.ones((len(indices), 24, 32), np.float32)  # noqa: E731
    views = {"depth_hw": (24, 32), "rgb_hw": (48, 64), "rgb_k_px": k(60, 60, 32, 24), "thing": "room"}
    same, notes = register(load, depth_k_px=k(30.1, 30, 16.2, 12), **views)
    assert same is load and notes == ()
    other, notes = register(load, depth_k_px=k(25, 25, 16, 12), **views)
    assert other is not load and "resampled" in notes[0]
    assert np.isfinite(other([0, 1])).mean() == 1  # the wider camera sees all of it
    with pytest.raises(InputError, match="room: expected a depth camera that sees the colour frame, got"):
        register(load, depth_k_px=k(60, 60, 16, 12), **views)


def test_splat_projects_every_point_into_its_pixel(rng):
    view = k(40, 42, 30.3, 22.8)
    pixels = rng.permutation(48 * 64)[:300]
    px = np.column_stack([pixels % 64, pixels // 64]) + rng.uniform(0.01, 0.99, (300, 2))
    z = rng.uniform(0.5, 80, 300)
    points = np.column_stack([px, np.ones(300)]) @ np.linalg.inv(view).T * z[:, None]
    depth_m = splat_depth(points, k_px=view, size_hw=(48, 64))
    expected = np.full(48 * 64, np.nan, np.float32)
    expected[pixels] = z
    np.testing.assert_allclose(depth_m.ravel(), expected, rtol=1e-6)


def test_splat_keeps_the_nearest_and_leaves_out_what_is_not_seen():
    points = np.array([[0, 0, 9.0], [0, 0, 2.5], [0, 0, 4], [0, 0, -1], [0, 0, 0], [99, 0, 1], [np.nan, 0, 1]])
    depth_m = splat_depth(points, k_px=k(10, 10, 2.5, 1.5), size_hw=(3, 5))
    assert depth_m[1, 2] == 2.5 and np.isfinite(depth_m).sum() == 1
    assert np.isnan(splat_depth(np.empty((0, 3)), k_px=k(10, 10, 2, 1), size_hw=(3, 5))).all()
