"""A resize or a crop keeps every world point where it was, and makes no surface that was not there."""

from dataclasses import replace

import numpy as np
import pytest

from video3d.geometry.resize import crop_clip, resize_clip, resize_depth
from video3d.geometry.rigid import inverse_k, pixel_centers_px, project, transform_points, unproject
from video3d.types import InputError, PosedClip, World


def plane_depth(size_hw, k_px, normal, distance):
    """z-depth of the plane ``normal . point = distance`` at every pixel centre."""
    rays = np.concatenate([pixel_centers_px(size_hw), np.ones((*size_hw, 1))], axis=-1) @ inverse_k(k_px).T
    return (distance / (rays @ normal)).astype(np.float32)


def make_clip(rng, rgb_hw=(48, 64), depth_hw=(48, 64), frames=2):
    """Each frame sees one slanted plane; K has skew."""
    height, width = rgb_hw
    k_px = np.array([[0.9 * width, 1.7, 0.52 * width], [0, 0.95 * width, 0.47 * height], [0, 0, 1]])
    scale = np.array([depth_hw[1] / width, depth_hw[0] / height, 1])
    depth_m = np.stack(
        [
            plane_depth(depth_hw, k_px * scale[:, None], np.array([0.1, -0.3 + frame * 0.2, 1.0]), 2.5)
            for frame in range(frames)
        ]
    )
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, 3] = rng.normal(size=(frames, 3))
    return PosedClip(
        frame_index=np.arange(frames),
        time_s=np.arange(frames, dtype=float),
        rgb=rng.integers(0, 256, (frames, *rgb_hw, 3), np.uint8),
        depth_m=depth_m,
        k_px=np.tile(k_px, (frames, 1, 1)),
        world_from_camera=poses,
        piece=np.zeros(frames, np.int64),
        world=World(metric=True),
    )


def distance_to_plane(clip, frame):
    points = unproject(clip.depth_m, clip.k_px)[frame].astype(np.float64)
    return np.abs(points @ np.array([0.1, -0.3 + frame * 0.2, 1.0]) - 2.5)


@pytest.mark.parametrize("size_hw", [(48, 64), (24, 32), (31, 85), (96, 128), (7, 9), (1, 1), (200, 50)])
@pytest.mark.parametrize("depth_hw", [(48, 64), (24, 32), (77, 50)])
def test_world_points_lie_on_the_same_plane_after_a_resize(rng, size_hw, depth_hw):
    clip = resize_clip(make_clip(rng, depth_hw=depth_hw), size_hw)
    assert clip.size_hw == size_hw == clip.depth_m.shape[1:]
    for frame in range(2):
        away = distance_to_plane(clip, frame)
        # Inside, planes are kept to rounding; in the half pixel of border nothing is extrapolated.
        top, left = (int(np.ceil(0.5 * new / old)) for new, old in zip(size_hw, depth_hw, strict=True))
        assert away[top : size_hw[0] - top, left : size_hw[1] - left].max(initial=0) < 2e-5
        assert away.max() < 2.5 * 0.5 / min(depth_hw)


@pytest.mark.parametrize("depth_hw", [(48, 64), (24, 32)])
def test_a_world_point_is_seen_at_the_moved_pixel_with_the_same_depth(rng, depth_hw):
    before = make_clip(rng, depth_hw=depth_hw)
    resized = resize_clip(before, (36, 80))
    cropped = crop_clip(before, 5, 9, 30, 40)
    pixels = pixel_centers_px(before.size_hw)[10:30, 14:40].reshape(-1, 2)
    for frame in range(2):
        rays = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=-1) @ inverse_k(before.k_px[frame]).T
        points = rays * (2.5 / (rays @ np.array([0.1, -0.3 + frame * 0.2, 1.0])))[:, None]
        resized_px, _ = project(points, resized.k_px[frame])
        np.testing.assert_allclose(resized_px, pixels * [80 / 64, 36 / 48], atol=1e-9)
        cropped_px, _ = project(points, cropped.k_px[frame])
        np.testing.assert_allclose(cropped_px, pixels - [9, 5], atol=1e-9)
        column, row = np.floor(cropped_px).astype(int).T
        np.testing.assert_allclose(cropped.depth_m[frame, row, column], points[:, 2], rtol=1e-5)


def test_cropping_is_the_same_before_and_after_depth_is_brought_to_size(rng):
    clip = make_clip(rng, depth_hw=(24, 32))
    first = crop_clip(resize_clip(clip, clip.size_hw), 5, 9, 30, 40)
    direct = crop_clip(clip, 5, 9, 30, 40)
    np.testing.assert_array_equal(first.depth_m, direct.depth_m)
    np.testing.assert_array_equal(first.rgb, direct.rgb)
    np.testing.assert_array_equal(first.rgb, clip.rgb[:, 5:35, 9:49])
    whole = resize_clip(clip, clip.size_hw)
    points_whole = transform_points(whole.world_from_camera, unproject(whole.depth_m, whole.k_px))
    points_cropped = transform_points(direct.world_from_camera, unproject(direct.depth_m, direct.k_px))
    np.testing.assert_allclose(points_cropped, points_whole[:, 5:35, 9:49], atol=1e-5)


def test_no_depth_between_foreground_and_background(rng):
    for size_hw in [(20, 20), (47, 61), (100, 128), (33, 200)]:
        depth_m = np.where(rng.random((3, 48, 64)) < 0.5, 1.0, 3.0).astype(np.float32)
        depth_m[rng.random(depth_m.shape) < 0.2] = np.nan
        resized = resize_depth(depth_m, size_hw)
        assert set(np.unique(resized[np.isfinite(resized)]).tolist()) == {1.0, 3.0}
        # Known stays as frequent as it was: neither eaten by its unknown neighbours nor grown over them.
        assert np.isfinite(resized).mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("size_hw", [(20, 20), (47, 61), (101, 129), (3, 200)])
def test_across_edges_the_nearest_pixel_is_taken(rng, size_hw):
    depth_m = rng.permutation(1.1 ** np.arange(13 * 19)).reshape(1, 13, 19).astype(np.float32)  # every pixel an edge
    depth_m[rng.random(depth_m.shape) < 0.2] = np.nan
    row = ((np.arange(size_hw[0]) + 0.5) * 13 / size_hw[0]).astype(int)
    column = ((np.arange(size_hw[1]) + 0.5) * 19 / size_hw[1]).astype(int)
    np.testing.assert_array_equal(resize_depth(depth_m, size_hw), depth_m[:, row][:, :, column])


def test_depth_stays_in_the_range_of_what_was_measured_nearby(rng):
    depth_m = rng.uniform(1.0, 1.1, (2, 30, 40)).astype(np.float32)
    for size_hw in [(17, 23), (90, 77)]:
        resized = resize_depth(depth_m, size_hw)
        rows = np.clip((np.arange(size_hw[0]) + 0.5) * 30 / size_hw[0] - 0.5, 0, 29)
        columns = np.clip((np.arange(size_hw[1]) + 0.5) * 40 / size_hw[1] - 0.5, 0, 39)
        corners = np.stack(
            [
                depth_m[:, row.astype(int)][:, :, column.astype(int)]
                for row in (np.floor(rows), np.ceil(rows))
                for column in (np.floor(columns), np.ceil(columns))
            ]
        )
        assert (resized >= corners.min(axis=0)).all() and (resized <= corners.max(axis=0)).all()


@pytest.mark.parametrize("size_hw", [(4, 4), (16, 16), (5, 11)])
def test_unknown_stays_unknown(rng, size_hw):
    clip = make_clip(rng, (8, 8), (8, 8))
    clip.depth_m[0], clip.k_px[:], clip.world_from_camera[1] = np.nan, np.nan, np.nan
    resized = resize_clip(clip, size_hw)
    assert np.isnan(resized.depth_m[0]).all() and np.isfinite(resized.depth_m[1]).all()
    assert np.isnan(resized.k_px).all() and np.isnan(resized.world_from_camera[1]).all()
    assert np.isnan(crop_clip(clip, 0, 0, 4, 4).k_px).all()


def test_depth_without_a_neighbour_to_interpolate_with(rng):
    assert resize_depth(np.full((1, 1, 1), 3.0, np.float32), (2, 3)).tolist() == [[[3.0] * 3] * 2]
    huge = np.array([[[3e38, 3e38], [np.inf, 1e-45]]], np.float32)
    assert resize_depth(huge, (4, 4)).shape == (1, 4, 4)


def test_colour_is_filtered_and_stays_in_place(rng):
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 255
    clip = make_clip(rng, (64, 64), (64, 64), frames=1)
    grey = resize_clip(replace(clip, rgb=stripes), (16, 16)).rgb
    assert (np.abs(grey[:, :, 1:-1].astype(int) - 127) < 25).all()  # without antialiasing: 0 or 255

    square = np.zeros((1, 64, 64, 3), np.uint8)
    square[:, 16:32, 40:56] = 200
    for size in (32, 100):
        resized = resize_clip(replace(clip, rgb=square), (size, size)).rgb[0, ..., 0].astype(float)
        centre = (resized[..., None] * pixel_centers_px((size, size))).sum(axis=(0, 1)) / resized.sum()
        np.testing.assert_allclose(centre * 64 / size, [48, 24], atol=0.1)


def test_the_same_size_changes_nothing(rng):
    clip = make_clip(rng)
    same = resize_clip(clip, clip.size_hw)
    for name in ("rgb", "depth_m", "k_px", "world_from_camera"):
        np.testing.assert_array_equal(getattr(same, name), getattr(clip, name))


@pytest.mark.parametrize("size_hw", [(0, 5), (5, -1)])
def test_a_size_without_pixels_is_refused(rng, size_hw):
    with pytest.raises(InputError, match="size_hw"):
        resize_clip(make_clip(rng), size_hw)
    with pytest.raises(InputError, match="size_hw"):
        resize_depth(np.ones((1, 2, 2), np.float32), size_hw)


@pytest.mark.parametrize("window", [(-1, 0, 4, 4), (0, 61, 4, 4), (45, 0, 4, 4), (0, 0, 0, 4), (0, 0, 4, -2)])
def test_a_window_outside_of_the_frame_is_refused(rng, window):
    with pytest.raises(InputError, match="crop window"):
        crop_clip(make_clip(rng), *window)
