"""Aligning network depth to points: exact without noise, robust with outliers, positive, unknown where it must be."""

import numpy as np
import pytest

from video3d.estimate.depth_align import (
    align_depth,
    depth_from_values,
    fit_scale_shift,
    sample_nearest,
)
from video3d.types.depth import FACTOR_KINDS, DepthEstimate, DepthKind

HW = (40, 60)
KINDS: tuple[DepthKind, ...] = ("inverse_depth", "relative_depth", "metric_depth", "scaled_depth")


def true_depth(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Smooth depth between 1 and 5, another for every frame."""
    y, x = np.mgrid[0 : HW[0], 0 : HW[1]] / 10
    phase = rng.uniform(0, 6, (num_frames, 1, 1))
    return (3 + 1.2 * np.sin(x + phase) + 0.8 * np.cos(y - phase)).astype(np.float32)


def network_values(depth: np.ndarray, kind: DepthKind, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """What a perfect network of a kind would say: depth comes back with this scale and shift."""
    target = 1 / depth if kind == "inverse_depth" else depth
    shift = np.zeros_like(shift) if kind in FACTOR_KINDS else shift
    return ((target - shift[:, None, None]) / scale[:, None, None]).astype(np.float32)


def points_of(depth: np.ndarray, rng: np.random.Generator, each: int) -> dict[str, np.ndarray]:
    frame = np.repeat(np.arange(len(depth)), each)
    px = (rng.random((len(frame), 2)) * [HW[1], HW[0]]).astype(np.float32)
    return {"point_frame": frame, "point_px": px, "point_depth": sample_nearest(depth, frame, px, HW).astype(float)}


def drop(points: dict[str, np.ndarray], keep: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[keep] for name, values in points.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_network_is_aligned_exactly(rng: np.random.Generator, kind: DepthKind) -> None:
    depth = true_depth(rng, 4)
    scale, shift = rng.uniform(0.2, 3, 4), rng.uniform(-0.1, 0.05, 4)
    estimate = DepthEstimate(values=network_values(depth, kind, scale, shift), kind=kind)
    aligned = align_depth(estimate, **points_of(depth, rng, 60), group=np.zeros(4, np.int64))
    np.testing.assert_allclose(aligned.depth, depth, rtol=1e-3)
    np.testing.assert_allclose(aligned.scale, scale, rtol=1e-4)
    assert aligned.method == ("own",) * 4
    assert (aligned.residual < 1e-4).all()
    assert aligned.num_points.tolist() == [60] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_noise_and_a_third_of_outliers_do_not_bend_the_fit(rng: np.random.Generator, kind: DepthKind) -> None:
    depth = true_depth(rng, 3)
    scale, shift = np.array([0.5, 1.0, 2.0]), np.array([0.05, -0.05, 0.0])
    estimate = DepthEstimate(values=network_values(depth, kind, scale, shift), kind=kind)
    points = points_of(depth, rng, 200)
    points["point_depth"] *= np.exp(rng.normal(0, 0.02, 600))
    wrong = rng.random(600) < 0.33
    points["point_depth"][wrong] *= rng.uniform(1.5, 6, wrong.sum())
    aligned = align_depth(estimate, **points, group=np.zeros(3, np.int64))
    error = np.abs(aligned.depth / depth - 1)
    assert np.nanmedian(error) < 0.01
    assert np.isfinite(error).mean() > 0.99


def test_equal_input_gives_equal_output(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 2)
    estimate = DepthEstimate(values=1 / depth, kind="inverse_depth")
    points = points_of(depth, rng, 100)
    points["point_depth"] *= np.exp(rng.normal(0, 0.1, 200))
    first, again = (align_depth(estimate, **points, group=np.zeros(2, np.int64)) for _ in range(2))
    np.testing.assert_array_equal(first.depth, again.depth)


@pytest.mark.parametrize("kind", ["inverse_depth", "relative_depth"])
def test_depth_never_turns_inside_out(rng: np.random.Generator, kind: DepthKind) -> None:
    depth = true_depth(rng, 2)
    turned = -network_values(depth, kind, np.ones(2), np.zeros(2))  # near and far exchanged: only a scale < 0 fits
    aligned = align_depth(
        DepthEstimate(values=turned, kind=kind), **points_of(depth, rng, 80), group=np.zeros(2, np.int64)
    )
    known = aligned.depth[np.isfinite(aligned.depth)]
    assert (known > 0).all()
    assert not (aligned.scale < 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_conversions_keep_the_order_of_near_and_far(rng: np.random.Generator, kind: DepthKind) -> None:
    values = np.sort(rng.uniform(-1, 3, 200)).astype(np.float32)
    depth = depth_from_values(values, kind, scale=0.7, shift=0.2)
    known = np.isfinite(depth)
    assert (depth[known] > 0).all()
    steps = np.diff(depth[known])
    assert (steps <= 0).all() if kind == "inverse_depth" else (steps >= 0).all()
    np.testing.assert_array_equal(known, 0.7 * values + np.float32(0.2) > 0)


def test_disparity_far_beyond_every_point_is_unknown(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 1)
    values = 1 / depth
    values[0, :5] = 1e-4  # sky: 10 km, when no point is beyond 5 m
    points = points_of(depth, rng, 100)
    points = drop(points, points["point_px"][:, 1] > 6)
    aligned = align_depth(DepthEstimate(values=values, kind="inverse_depth"), **points, group=np.zeros(1, np.int64))
    assert np.isnan(aligned.depth[0, :5]).all()
    assert np.isfinite(aligned.depth[0, 5:]).all()


def test_a_frame_with_few_points_borrows_from_its_neighbours_and_corrects_by_one_factor(
    rng: np.random.Generator,
) -> None:
    depth = true_depth(rng, 5)
    scale, shift = np.full(5, 0.8), np.full(5, 0.02)
    estimate = DepthEstimate(values=network_values(depth, "inverse_depth", scale, shift), kind="inverse_depth")
    points = points_of(depth, rng, 50)
    points = drop(points, (points["point_frame"] != 2) | (np.arange(250) % 50 < 5))
    aligned = align_depth(estimate, **points, group=np.zeros(5, np.int64))
    assert aligned.method == ("own", "own", "neighbours", "own", "own")
    np.testing.assert_allclose(aligned.depth[2], depth[2], rtol=1e-3)
    # A frame that is off by a factor from its neighbours is brought back by its few points.
    off = estimate.values.copy()
    off[2] *= 2
    again = align_depth(DepthEstimate(values=off, kind="inverse_depth"), **points, group=np.zeros(5, np.int64))
    assert np.nanmedian(np.abs(again.depth[2] / depth[2] - 1)) < 0.05


def test_without_any_frame_of_its_own_a_piece_is_fitted_together(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 6)
    estimate = DepthEstimate(values=1 / depth * 2, kind="inverse_depth")
    points = points_of(depth, rng, 6)  # too few for any frame, enough for all
    aligned = align_depth(estimate, **points, group=np.zeros(6, np.int64))
    assert set(aligned.method) == {"pooled"}
    np.testing.assert_allclose(aligned.depth, depth, rtol=1e-3)


def test_pieces_do_not_borrow_from_each_other_and_a_frame_of_none_stays_unknown(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 4)
    estimate = DepthEstimate(values=1 / depth, kind="inverse_depth")
    points = points_of(depth, rng, 50)
    points = drop(points, np.isin(points["point_frame"], [0, 2]))
    points["point_depth"][points["point_frame"] == 2] *= 10  # piece 1 has a unit of its own
    aligned = align_depth(estimate, **points, group=np.array([0, 1, 1, -1]))
    assert aligned.method == ("own", "neighbours", "own", "none")
    np.testing.assert_allclose(aligned.depth[1], 10 * depth[1], rtol=1e-3)
    assert np.isnan(aligned.depth[3]).all()
    assert np.isnan(aligned.scale[3])


def test_points_at_one_depth_do_not_settle_a_scale_and_a_shift(rng: np.random.Generator) -> None:
    values = rng.uniform(1, 2, 100)
    assert fit_scale_shift(np.full(100, 1.5), np.full(100, 2.0), "inverse_depth") is None
    fit = fit_scale_shift(values, 1 / (0.5 + rng.normal(0, 0.01, 100)), "inverse_depth")
    assert fit is None or fit[2] > 0.2
    metric = fit_scale_shift(np.full(100, 1.5), np.full(100, 3.0), "metric_depth")
    assert metric is not None
    assert metric[:2] == pytest.approx((2.0, 0.0))


def test_a_frame_that_sees_points_at_one_depth_borrows(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 3)
    depth[1] = 2.0 + 0.001 * depth[1]  # a wall, seen straight on: any scale would do
    values = network_values(depth, "inverse_depth", np.full(3, 0.8), np.full(3, 0.02))
    points = points_of(depth, rng, 60)
    points["point_depth"] *= np.exp(rng.normal(0, 0.02, 180))
    aligned = align_depth(DepthEstimate(values=values, kind="inverse_depth"), **points, group=np.zeros(3, np.int64))
    assert aligned.method == ("own", "neighbours", "own")
    assert aligned.scale[1] == pytest.approx(0.8, rel=0.05)
    np.testing.assert_allclose(aligned.depth[1], depth[1], rtol=0.02)


def test_points_without_a_use_are_left_out(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 1)
    points = points_of(depth, rng, 40)
    points["point_depth"][:10] = [np.nan, 0, -1, np.inf, np.nan, 0, -1, np.inf, 0, 0]
    points["point_px"][10] = [-3, 5]
    points["point_px"][11] = [5, 1000]
    aligned = align_depth(DepthEstimate(values=1 / depth, kind="inverse_depth"), **points, group=np.zeros(1, np.int64))
    assert aligned.num_points.tolist() == [28]
    np.testing.assert_allclose(aligned.depth, depth, rtol=1e-3)


def test_no_points_at_all(rng: np.random.Generator) -> None:
    depth = true_depth(rng, 2)
    points = drop(points_of(depth, rng, 1), np.zeros(2, bool))
    aligned = align_depth(DepthEstimate(values=depth, kind="metric_depth"), **points, group=np.zeros(2, np.int64))
    assert aligned.method == ("none", "none")
    assert np.isnan(aligned.depth).all()


def test_points_are_found_in_maps_of_another_size() -> None:
    maps = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    px = np.array([[0.0, 0.0], [79.9, 59.9], [20.0, 20.0], [80.0, 0.0], [np.nan, 1.0]])
    got = sample_nearest(maps, np.zeros(5, np.int64), px, (60, 80))
    np.testing.assert_array_equal(got, np.array([0, 11, 5, np.nan, np.nan], np.float32))
