"""Visible pixels and their share of the whole outline."""

import numpy as np
import pytest

from video3d.data.simulate.visible import outline_area, visible_px, visible_share

K = np.array([[[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]])
CAMERA = np.eye(4)[None]
CUBE = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])


def at(*places: tuple[float, float, float]) -> np.ndarray:
    poses = np.tile(np.eye(4), (1, len(places), 1, 1))
    poses[0, :, :3, 3] = places
    return poses


def test_pixels_are_counted():
    instance = np.zeros((2, 4, 4), np.uint16)
    instance[0, :2], instance[1, 0, 0] = 9, 300
    assert visible_px(instance, np.array([300, 9, 5])).tolist() == [[0, 8, 0], [1, 0, 0]]


def test_area_of_a_cube_and_a_ball(rng):
    ball = rng.standard_normal((3000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    area = outline_area([CUBE, ball], at((0, 0, 5), (0, 0, 10)), CAMERA, K)[0]
    assert area[0] == pytest.approx((2 / 4 * 100) ** 2), "the face 4 m away is the outline"
    radius = 100 / np.sqrt(10**2 - 1)  # of the circle that a ball of 1 m at 10 m makes
    assert area[1] == pytest.approx(np.pi * radius**2, rel=0.05)


def test_area_of_hulls_of_any_points(rng):
    """Against the hull found the slow way: its share of random points in a rectangle around it."""
    outlines = [rng.standard_normal((n, 3)) * [1, 0.3, 0.1] for n in (5, 60, 2000)]
    poses = at((0.5, 0, 9), (-2, 1, 12), (0, 0, 8))
    area = outline_area(outlines, poses, CAMERA, K)[0]
    directions = np.stack([np.cos(np.linspace(0, 2 * np.pi, 2000)), np.sin(np.linspace(0, 2 * np.pi, 2000))])
    for outline, pose, found in zip(outlines, poses[0], area, strict=True):
        px = (outline + pose[:3, 3]) @ K[0].T
        px = px[:, :2] / px[:, 2:]
        low, high = px.min(axis=0), px.max(axis=0)
        sample = rng.uniform(low, high, (4000, 2))
        inside = (sample @ directions <= (px @ directions).max(axis=0)).all(axis=1)
        assert found == pytest.approx(inside.mean() * np.prod(high - low), rel=0.06)


def test_share():
    poses = at((0, 0, 5), (0, 0, 5), (0, 0, -5), (0, 0, 0.5), (0, 0, 5))
    poses[0, 4] = np.nan
    pixels = np.array([[2500, 1250, 0, 10_000, 7]])
    share = visible_share(pixels, [CUBE] * 5, poses, CAMERA, K)
    assert share.dtype == np.float32
    assert share[0, :3].tolist() == [1.0, 0.5, 0.0]
    assert 0 < share[0, 3] < 0.02, "the camera is inside: nearly all of the outline lies beyond the picture"
    assert share[0, 4] == 0


def test_cut_by_the_near_plane_grows_without_a_jump():
    depths = np.linspace(1.3, 0.7, 13)
    area = outline_area([CUBE] * 13, at(*[(0.0, 0.0, float(z)) for z in depths]), CAMERA, K)[0]
    assert (np.diff(area) >= 0).all()
    assert area[-1] == pytest.approx((2 / 0.05 * 100) ** 2)


def test_no_objects():
    none = visible_share(np.zeros((1, 0), np.int64), [], np.zeros((1, 0, 4, 4)), CAMERA, K)
    assert none.shape == (1, 0)
