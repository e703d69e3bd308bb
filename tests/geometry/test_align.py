"""Alignment recovers what was done to points, is never a mirror, and says what remains."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.geometry.align import align_trajectories, umeyama
from video3d.geometry.rigid import inverse_rigid, is_rigid, transform_points
from video3d.types import InputError


def random_rotation(rng):
    return Rotation.random(rng=rng).as_matrix()


def random_similarity(rng):
    scale = float(np.exp(rng.normal(0, 2)))
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = scale * random_rotation(rng)
    a_from_b[:3, 3] = rng.normal(0, 10, 3)
    return scale, a_from_b


def walk(rng, frames, positions=None):
    """Poses of a camera that wanders and looks about."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    steps = Rotation.from_rotvec(rng.normal(0, 0.1, (frames, 3)))
    rotation = Rotation.random(rng=rng)
    for frame in range(frames):
        rotation = rotation * steps[frame]
        poses[frame, :3, :3] = rotation.as_matrix()
    poses[:, :3, 3] = np.cumsum(rng.normal(0, 0.1, (frames, 3)), axis=0) if positions is None else positions
    return poses


def in_another_frame(poses, a_from_b, scale):
    """The same cameras as seen from frame a, whose unit is another."""
    moved = poses.copy()
    moved[:, :3, :3] = (a_from_b[:3, :3] / scale) @ poses[:, :3, :3]
    moved[:, :3, 3] = transform_points(a_from_b, poses[:, :3, 3])
    return moved


def residual(points_a, a_from_b, points_b, weights=None):
    return float(np.average(((points_a - transform_points(a_from_b, points_b)) ** 2).sum(axis=1), weights=weights))


@pytest.mark.parametrize("num_points", [3, 4, 30])
def test_any_similarity_is_recovered(rng, num_points):
    for _ in range(20):
        scale, a_from_b = random_similarity(rng)
        points_b = rng.normal(size=(num_points, 3))
        got_scale, got = umeyama(transform_points(a_from_b, points_b), points_b)
        assert got_scale == pytest.approx(scale)
        np.testing.assert_allclose(got, a_from_b, atol=1e-8 * max(1, scale))


def test_points_in_a_plane_and_far_from_the_origin(rng):
    scale, a_from_b = random_similarity(rng)
    points_b = rng.normal(size=(20, 3)) * [1, 1, 0] + 1000
    points_a = transform_points(a_from_b, points_b)
    got_scale, got = umeyama(points_a, points_b)
    assert got_scale == pytest.approx(scale)
    np.testing.assert_allclose(transform_points(got, points_b), points_a, rtol=1e-9)


def test_the_result_is_least_squares(rng):
    points_b = rng.normal(size=(25, 3))
    _, a_from_b = random_similarity(rng)
    points_a = transform_points(a_from_b, points_b) + rng.normal(0, 0.3, (25, 3))
    weights = rng.uniform(0, 1, 25)
    for with_scale in (True, False):
        for weight in (None, weights):
            _, best = umeyama(points_a, points_b, with_scale, weight)
            least = residual(points_a, best, points_b, weight)
            for _ in range(50):
                nudge = np.eye(4)
                factor = float(np.exp(rng.normal(0, 0.02))) if with_scale else 1.0
                nudge[:3, :3] = factor * Rotation.from_rotvec(rng.normal(0, 0.02, 3)).as_matrix()
                nudge[:3, 3] = rng.normal(0, 0.02, 3)
                assert residual(points_a, best @ nudge, points_b, weight) >= least - 1e-12


def test_never_a_mirror_even_where_a_mirror_fits_exactly(rng):
    for _ in range(20):
        points_b = rng.normal(size=(12, 3)) * [3.0, 2.0, 0.3]
        mirrored = points_b * [1, 1, -1]
        scale, a_from_b = umeyama(mirrored, points_b)
        assert np.linalg.det(a_from_b[:3, :3]) > 0
        unscaled = a_from_b.copy()
        unscaled[:3, :3] /= scale
        assert is_rigid(unscaled, atol=1e-9)


def test_without_scale_lengths_are_kept(rng):
    points_b = rng.normal(size=(12, 3))
    scale, a_from_b = umeyama(5 * points_b @ random_rotation(rng).T, points_b, with_scale=False)
    assert scale == 1.0 and is_rigid(a_from_b, atol=1e-9)


def test_unknown_rows_and_rows_without_weight_have_no_say(rng):
    _, a_from_b = random_similarity(rng)
    points_b = rng.normal(size=(12, 3))
    points_a = transform_points(a_from_b, points_b)
    points_a[0], points_b[1, 2], points_a[2] = np.nan, np.nan, 1e6
    weights = np.ones(12)
    weights[2] = 0
    _, got = umeyama(points_a, points_b, weights=weights)
    np.testing.assert_allclose(got, a_from_b, atol=1e-8 * np.abs(a_from_b).max())


def test_a_weight_of_two_is_a_row_twice(rng):
    points_a, points_b = rng.normal(size=(2, 9, 3))
    points_a = points_b + 0.2 * points_a
    weights = rng.integers(1, 4, 9)
    _, weighted = umeyama(points_a, points_b, weights=weights.astype(float))
    _, repeated = umeyama(np.repeat(points_a, weights, axis=0), np.repeat(points_b, weights, axis=0))
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_the_order_of_rows_does_not_matter_and_the_inverse_goes_back(rng):
    _, a_from_b = random_similarity(rng)
    points_b = rng.normal(size=(12, 3))
    points_a = transform_points(a_from_b, points_b)
    order = rng.permutation(12)
    np.testing.assert_allclose(umeyama(points_a[order], points_b[order])[1], umeyama(points_a, points_b)[1], atol=1e-8)
    np.testing.assert_allclose(umeyama(points_b, points_a)[1] @ umeyama(points_a, points_b)[1], np.eye(4), atol=1e-8)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((0, 3)),
        np.eye(3)[:2],
        np.full((9, 3), 4.2),
        np.full((9, 3), np.nan),
        np.linspace(0, 1, 9)[:, None] * [1.0, 2.0, 3.0] + 7,
    ],
    ids=["none", "two", "one place", "unknown", "a line"],
)
def test_points_that_fix_no_rotation_are_refused(rng, points):
    with pytest.raises(InputError):
        umeyama(rng.normal(size=points.shape), points)
    with pytest.raises(InputError):
        umeyama(points, rng.normal(size=points.shape))


def test_points_that_do_not_correspond_are_refused():
    axes = np.eye(3)
    points_a, points_b = np.repeat(axes, 2, axis=0), np.repeat(axes, 2, axis=0) * np.array([[1], [-1]] * 3)
    with pytest.raises(InputError, match="correspond"):
        umeyama(points_a, points_b)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_are_no_weights_are_refused(rng, weight):
    points = rng.normal(size=(5, 3))
    with pytest.raises(InputError, match="weights"):
        umeyama(points, points, weights=np.array([1, 1, 1, 1, weight]))
    with pytest.raises(InputError, match="3 or more points"):
        umeyama(points, points, weights=np.array([1.0, 1, 0, 0, 0]))


def test_a_trajectory_in_another_frame_and_unit_has_no_error(rng):
    reference = walk(rng, 40)
    for _ in range(5):
        scale, a_from_b = random_similarity(rng)
        error = align_trajectories(reference, in_another_frame(reference, a_from_b, scale))
        assert error.scale == pytest.approx(1 / scale)
        assert error.position_max < 1e-9 and error.rotation_max_deg < 1e-6
        assert error.aligned_by == "positions"


def test_errors_are_those_that_were_made(rng):
    reference = walk(rng, 400)
    scale, a_from_b = random_similarity(rng)
    disturbed = reference.copy()
    offsets = rng.normal(0, 0.01, (400, 3))
    disturbed[:, :3, 3] += offsets
    turns = Rotation.from_rotvec(np.radians(2.0) * np.eye(3)[rng.integers(0, 3, 400)]).as_matrix()
    disturbed[:, :3, :3] = disturbed[:, :3, :3] @ turns
    error = align_trajectories(reference, in_another_frame(disturbed, a_from_b, scale))
    assert error.position_rms == pytest.approx(np.sqrt((offsets**2).sum(axis=1).mean()), rel=0.05)
    assert error.position_max == np.max(error.position_errors) > error.position_rms
    assert error.rotation_median_deg == pytest.approx(2.0, abs=0.1)
    path = np.linalg.norm(np.diff(reference[:, :3, 3], axis=0), axis=1).sum()
    assert error.path_length == pytest.approx(path)
    assert error.position_rms_share == pytest.approx(error.position_rms / path)
    assert error.position_max_share == pytest.approx(error.position_max / path)


def test_frames_without_a_pose_are_counted_and_left_out(rng):
    reference = walk(rng, 30)
    estimate = reference.copy()
    estimate[[3, 4]], reference[10] = np.nan, np.nan
    estimate[20, :3, 3] += 0.1
    error = align_trajectories(reference, estimate)
    assert (error.num_frames, error.num_compared) == (30, 27)
    assert np.flatnonzero(np.isnan(error.position_errors)).tolist() == [3, 4, 10]
    assert np.flatnonzero(np.isnan(error.rotation_errors_deg)).tolist() == [3, 4, 10]
    assert np.nanargmax(error.position_errors) == 20
    kept = np.delete(np.arange(30), [3, 4, 10])
    alone = align_trajectories(reference[kept], estimate[kept])
    assert alone.position_rms == pytest.approx(error.position_rms)
    assert alone.path_length == pytest.approx(error.path_length)


@pytest.mark.parametrize("sideways", [0.0, 0.003])
def test_a_straight_drive_is_aligned_by_where_the_cameras_look(rng, sideways):
    positions = np.linspace(0, 60, 51)[:, None] * [0.0, 0.0, 1.0] + rng.normal(0, sideways, (51, 3))
    reference = walk(rng, 51, positions)
    scale, a_from_b = random_similarity(rng)
    disturbed = reference.copy()
    disturbed[:, :3, 3] += rng.normal(0, 0.02, (51, 3))
    error = align_trajectories(reference, in_another_frame(disturbed, a_from_b, scale))
    assert error.aligned_by == "orientations"
    assert error.rotation_max_deg < 1e-6 and error.position_rms < 0.05
    assert error.scale == pytest.approx(1 / scale, rel=1e-3)


def test_two_frames_are_enough_where_orientations_align(rng):
    reference = walk(rng, 2)
    scale, a_from_b = random_similarity(rng)
    error = align_trajectories(reference, in_another_frame(reference, a_from_b, scale))
    assert error.position_max < 1e-9 and error.rotation_max_deg < 1e-6


def test_a_camera_that_stands_still_has_no_scale_but_an_error(rng):
    reference = walk(rng, 10, np.ones((10, 3)))
    with pytest.raises(InputError, match="no scale"):
        align_trajectories(reference, reference)
    error = align_trajectories(reference, inverse_rigid(reference[:1]) @ reference, with_scale=False)
    assert error.position_max < 1e-9 and np.isnan(error.position_rms_share)


def test_too_few_frames_in_common_are_refused(rng):
    reference, estimate = walk(rng, 4), walk(rng, 4)
    reference[:2], estimate[3] = np.nan, np.nan
    with pytest.raises(InputError, match="got 1"):
        align_trajectories(reference, estimate)
