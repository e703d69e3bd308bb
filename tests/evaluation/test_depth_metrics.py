"""Depth measures: hand-computed values, and what must hold whatever the picture."""

import math

import numpy as np
import pytest

from video3d.evaluation.depth_consistency import calibration, consistency, disagreement
from video3d.evaluation.depth_metrics import (
    DepthErrors,
    align,
    alignments_of,
    depth_errors,
    mean_errors,
    scale_shift,
)

EXACT = {"rmse_m", "rmse_log", "abs_rel", "sq_rel", "log10", "silog", "median_abs_m", "median_rel"}


def errors(prediction: np.ndarray, truth: np.ndarray, **caps: float) -> DepthErrors:
    found = depth_errors(prediction, truth, **caps)
    assert found is not None
    return found


@pytest.fixture
def truth(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.5, 8.0, (24, 32)).astype(np.float32)


def test_values_computed_by_hand() -> None:
    # Half of the pixels 1 m seen as 2 m, half 4 m seen as 3 m.
    truth = np.repeat([[1.0, 4.0]], 16, axis=0).astype(np.float32)
    found = errors(np.repeat([[2.0, 3.0]], 16, axis=0), truth)
    assert found.rmse_m == pytest.approx(1.0)
    assert found.abs_rel == pytest.approx((1.0 + 0.25) / 2)
    assert found.sq_rel == pytest.approx((1.0 + 0.25) / 2)
    first, second = math.log(2), math.log(3 / 4)
    assert found.rmse_log == pytest.approx(math.sqrt((first**2 + second**2) / 2))
    assert found.silog == pytest.approx(100 * abs(first - second) / 2)
    assert found.log10 == pytest.approx((math.log10(2) + math.log10(4 / 3)) / 2)
    assert (found.delta1, found.delta2, found.delta3) == (0.0, 0.5, 0.5)
    assert found.median_abs_m == pytest.approx(1.0)
    assert found.median_rel == pytest.approx(0.625)
    assert found.coverage == 1.0


def test_a_perfect_prediction_has_no_error_by_any_way(truth: np.ndarray) -> None:
    for how in alignments_of("metric_depth", metric=True):
        found = errors(align(truth, truth, "metric_depth", how), truth)
        assert all(getattr(found, name) == pytest.approx(0, abs=1e-4) for name in EXACT), how
        assert (found.delta1, found.delta2, found.delta3, found.coverage) == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("factor", [0.01, 3.0, 250.0])
def test_median_and_scale_shift_do_not_see_the_unit(rng: np.random.Generator, truth: np.ndarray, factor: float) -> None:
    said = (truth * np.exp(rng.normal(0, 0.1, truth.shape))).astype(np.float32)
    for how in ("median", "scale_shift"):
        one = errors(align(said, truth, "metric_depth", how), truth)
        other = errors(align((factor * said).astype(np.float32), truth, "metric_depth", how), truth)
        assert one.abs_rel == pytest.approx(other.abs_rel, rel=1e-3), how
        assert one.rmse_m == pytest.approx(other.rmse_m, rel=1e-3), how
    assert errors(align(said, truth, "metric_depth", "metric"), truth).abs_rel < 0.1


@pytest.mark.parametrize(("kind", "space"), [("inverse_depth", lambda z: 1 / z), ("relative_depth", lambda z: z)])
def test_scale_shift_undoes_any_line_in_the_networks_own_space(truth: np.ndarray, kind: str, space: object) -> None:
    said = (7 * space(truth) - 2).astype(np.float32)
    found = errors(align(said, truth, kind, "scale_shift"), truth)
    assert found.abs_rel < 1e-4
    assert alignments_of(kind, metric=False) == ("scale_shift",)
    with pytest.raises(ValueError, match="cannot be judged by metric"):
        align(said, truth, kind, "metric")


def test_scale_shift_is_the_least_squares_line(rng: np.random.Generator) -> None:
    values, target = rng.normal(size=500), rng.normal(size=500)
    slope, shift = scale_shift(values, target, np.ones(500, bool))
    assert (slope, shift) == pytest.approx(tuple(np.polyfit(values, target, 1)))
    assert scale_shift(np.full(500, 3.0), target, np.ones(500, bool)) == pytest.approx((0.0, target.mean()))


def test_disparity_that_turns_negative_is_the_farthest_depth() -> None:
    truth = np.repeat([[1.0, 2.0, 5.0, 9.9]], 8, axis=0).astype(np.float32)
    said = np.repeat([[4.0, 3.0, 2.0, -9.0]], 8, axis=0).astype(np.float32)
    depth = align(said, truth, "inverse_depth", "scale_shift", max_m=10.0)
    assert depth.max() == 10.0
    assert (depth > 0).all()


def test_unknown_pixels_never_vote(truth: np.ndarray) -> None:
    said = truth * np.float32(1.1)
    whole = errors(said, truth)
    holes, blind = said.copy(), truth.copy()
    holes[:6] = np.nan  # the prediction is silent here
    blind[:6] = np.nan  # nobody measured here
    assert errors(holes, truth).coverage == pytest.approx(0.75)
    assert errors(holes, truth).abs_rel == pytest.approx(whole.abs_rel, rel=1e-5)
    wild = said.copy()
    wild[:6] = 1e6
    for how in alignments_of("metric_depth", metric=True):
        one, other = (errors(align(values, blind, "metric_depth", how), blind) for values in (wild, said))
        assert one == other, how
    assert errors(wild, blind).coverage == 1.0
    assert depth_errors(np.full_like(truth, np.nan), truth) is None
    assert depth_errors(said, np.full_like(truth, np.nan)) is None


def test_caps_leave_truth_out_and_move_predictions() -> None:
    truth = np.repeat([[2.0, 12.0]], 16, axis=0).astype(np.float32)
    found = errors(np.full((16, 2), 50.0), truth, max_m=10.0)
    assert found.rmse_m == pytest.approx(8.0)  # 50 m counts as 10 m; the pixel at 12 m is not judged
    assert found.coverage == 1.0


def test_the_mean_is_over_images_and_not_over_pixels() -> None:
    few, many = np.full((4, 4), 2.0, np.float32), np.full((40, 40), 2.0, np.float32)
    found = mean_errors([errors(few * 1.5, few), errors(many, many)])
    assert found is not None
    assert found.abs_rel == pytest.approx(0.25)
    assert found.delta1 == pytest.approx(0.5)
    assert mean_errors([]) is None


def slanted(pose: np.ndarray, k_px: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """Depth of the plane z = 4 + 0.3 x of the world."""
    x, y = np.meshgrid(np.arange(hw[1]) + 0.5, np.arange(hw[0]) + 0.5)
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(k_px).T @ pose[:3, :3].T
    normal = np.array([-0.3, 0.0, 1.0])
    return (4.0 - pose[:3, 3] @ normal) / (rays @ normal)


def test_true_depth_agrees_with_itself_and_flicker_is_seen(rng: np.random.Generator) -> None:
    hw, k_px = (48, 64), np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])
    poses = np.repeat(np.eye(4)[None], 5, axis=0)
    poses[:, 0, 3], poses[:, 2, 3] = np.linspace(0, 0.4, 5), np.linspace(0, 0.3, 5)
    depth = np.stack([slanted(pose, k_px, hw) for pose in poses])
    every, ks = np.ones(depth.shape, bool), np.repeat(k_px[None], 5, axis=0)
    exact = consistency(depth, ks, poses, every)
    assert exact is not None
    assert exact.num_pairs == 4
    assert exact.mean_rel < 0.01  # half a pixel on a slanted plane
    assert consistency(depth, ks, np.full_like(poses, np.nan), every) is None
    flicker = depth * np.array([1.0, 1.1, 1.0, 1.1, 1.0])[:, None, None]
    wobbly = consistency(flicker, ks, poses, every)
    assert wobbly is not None
    assert wobbly.median_rel == pytest.approx(0.095, abs=0.02)
    hole = every.copy()
    hole[:, :, :32] = False
    one = disagreement(depth[0], depth[1], k_px, k_px, np.linalg.inv(poses[1]) @ poses[0], hole[1])
    assert 0 < len(one) <= 48 * 32


def test_the_nearest_of_two_pixels_that_fall_together_counts() -> None:
    k_px = np.array([[4.0, 0, 2], [0, 4, 2], [0, 0, 1]])
    a = np.full((4, 4), 8.0)
    a[1, 1] = 2.0
    back = np.eye(4)
    back[2, 3] = 40.0  # from so far away everything falls on four pixels
    b = np.full((4, 4), 48.0)
    rel = disagreement(a, b, k_px, k_px, back, np.ones((4, 4), bool))
    assert rel.max() == pytest.approx(6 / 48)


def test_calibration_tells_honest_from_boastful(rng: np.random.Generator) -> None:
    sigma = rng.uniform(0.05, 0.5, 50_000)
    error = rng.normal(0, sigma)
    honest = calibration(error, sigma)
    assert len(honest) == 10
    assert sum(one.num_pixels for one in honest) == 50_000
    for one in honest:
        assert one.found == pytest.approx(one.stated, rel=0.05)
        assert one.found_median == pytest.approx(one.stated, rel=0.07)
    assert all(one.found == pytest.approx(3 * one.stated, rel=0.05) for one in calibration(error, sigma / 3))
    sigma[:100] = np.nan
    assert sum(one.num_pixels for one in calibration(error, sigma)) == 49_900
