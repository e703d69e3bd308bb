"""Planes are found among many outliers, move with the scene, and come out the same every time."""

import time

import numpy as np
import pytest

from video3d.geometry.planes import find_planes, fit_plane, ransac_plane


def random_rotation(rng):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


def on_plane(rng, normal, offset, count, noise=0.0):
    """Points with normal . x + offset = noise."""
    normal = normal / np.linalg.norm(normal)
    points = rng.uniform(-2, 2, (count, 3))
    return points - normal * (points @ normal + offset - rng.normal(scale=noise, size=count))[:, None]


def angle_deg(a, b):
    return np.degrees(np.arccos(np.clip(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b), 0, 1)))


def test_least_squares_recovers_a_plane_and_its_noise(rng):
    for _ in range(20):
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        offset = rng.uniform(0.1, 5)
        plane = fit_plane(on_plane(rng, normal, offset, 500, noise=0.01))
        assert angle_deg(plane.normal, normal) < 0.2
        assert plane.offset == pytest.approx(offset, abs=0.01)
        assert plane.rms == pytest.approx(0.01, rel=0.2)
        assert np.linalg.norm(plane.normal) == pytest.approx(1)


def test_the_normal_looks_to_the_origin(rng):
    for _ in range(20):
        plane = fit_plane(on_plane(rng, rng.normal(size=3), rng.uniform(-3, 3), 50))
        assert plane.offset >= 0
        assert plane.distance(np.zeros(3)) == pytest.approx(plane.offset)


def test_least_squares_moves_with_the_points(rng):
    points = on_plane(rng, np.array([0.2, -1.0, 0.4]), 2.0, 200, noise=0.05)
    rotation, shift = random_rotation(rng), rng.normal(size=3)
    plane, moved = fit_plane(points), fit_plane(points @ rotation.T + shift)
    assert angle_deg(moved.normal, rotation @ plane.normal) < 1e-6
    np.testing.assert_allclose(
        np.abs(moved.distance(points @ rotation.T + shift)), np.abs(plane.distance(points)), atol=1e-9
    )


def test_points_with_nan_do_not_count(rng):
    points = on_plane(rng, np.array([0.0, 0.0, 1.0]), 1.0, 100)
    points[::4] = np.nan
    plane = fit_plane(points)
    assert plane.inliers.tolist() == [i for i in range(100) if i % 4]
    assert plane.offset == pytest.approx(1.0)


def test_too_few_points_and_points_on_a_line_span_no_plane():
    with pytest.raises(ValueError, match="at least 3"):
        fit_plane(np.array([[0.0, 0, 0], [1, 0, 0], [np.nan, 0, 0]]))
    with pytest.raises(ValueError, match="one line"):
        fit_plane(np.arange(10)[:, None] * np.array([1.0, 2.0, 3.0]))
    assert ransac_plane(np.arange(10)[:, None] * np.array([1.0, 2.0, 3.0]), 0.01) is None
    assert ransac_plane(np.zeros((10, 3)), 0.01) is None
    assert find_planes(np.zeros((0, 3)), 3) == ()
    with pytest.raises(ValueError, match="threshold_m"):
        ransac_plane(np.zeros((10, 3)), 0.0)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1])
def test_a_plane_is_found_among_outliers(rng, share):
    for seed in range(5):
        normal = rng.normal(size=3)
        inliers = on_plane(rng, normal, 1.0, int(5000 * share), noise=0.005)
        points = np.concatenate([inliers, rng.uniform(-2, 2, (5000 - len(inliers), 3))])
        plane = ransac_plane(points, 0.02, seed)
        assert plane is not None
        assert angle_deg(plane.normal, normal) < 1.0
        assert np.isin(np.arange(len(inliers)), plane.inliers).mean() > 0.95
        # outliers that happen to lie within the threshold are on the plane too
        assert plane.share == pytest.approx(share, abs=0.05)
        assert (np.abs(plane.distance(points[plane.inliers])) <= 0.02 + 1e-9).all()


def test_the_same_seed_gives_the_same_plane(rng):
    points = np.concatenate([on_plane(rng, np.array([1.0, 2, 3]), 1, 300, 0.01), rng.uniform(-2, 2, (700, 3))])
    first, second = (ransac_plane(points, 0.02, seed=3) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.normal, second.normal)
    np.testing.assert_array_equal(first.inliers, second.inliers)


def test_a_box_has_six_planes_that_share_no_point(rng):
    rotation, shift = random_rotation(rng), rng.normal(size=3) * 5
    faces, truth = [], []
    for axis, count in ((0, 900), (1, 1200), (2, 1500)):
        for side in (-1, 1):
            points = rng.uniform(-1, 1, (count + 100 * side, 3)) * [1.5, 1.2, 1.0]
            points[:, axis] = side * [1.5, 1.2, 1.0][axis] + rng.normal(scale=0.003, size=len(points))
            faces.append(points @ rotation.T + shift)
            truth.append(rotation[:, axis])
    points = np.concatenate(faces).astype(np.float32)
    planes = find_planes(points, 10, threshold_m=0.015, min_share=0.05)
    assert len(planes) == 6
    assert [plane.share for plane in planes] == sorted((plane.share for plane in planes), reverse=True)
    assert sum(plane.share for plane in planes) > 0.97
    taken = np.concatenate([plane.inliers for plane in planes])
    assert np.unique(taken).size == taken.size
    for normal in truth:
        assert sum(angle_deg(plane.normal, normal) < 0.5 for plane in planes) == 2
    assert len(find_planes(points, 2, threshold_m=0.015)) == 2


def test_a_hundred_thousand_points_take_a_second_or_so(rng):
    points = np.concatenate(
        [on_plane(rng, normal, 1.5, 20_000, 0.01) for normal in np.eye(3)] + [rng.uniform(-2, 2, (40_000, 3))]
    )
    start = time.process_time()
    planes = find_planes(points, 5, threshold_m=0.03, min_share=0.1)
    assert len(planes) == 3
    assert time.process_time() - start < 5  # 0.2 s alone on a core; the room is for a busy machine
