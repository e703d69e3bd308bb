"""Geometry completion: every row of what may be missing, on a ray-cast room with exact truth.

Structure from motion is replaced by its own best possible answer: exact cameras and points, in an arbitrary frame and
unit. What is tested is what becomes of them.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from exact_room import (
    DEPTH,
    FAILED,
    HW,
    NUM_FRAMES,
    POSES,
    UNIT,
    UP,
    K,
    PerfectNetwork,
    assert_same_path,
    clip_of,
    exact_estimate,
    notes,
    room,
    statuses,
    without,
)

from video3d.estimate import CameraEstimate, complete_geometry, missing_camera
from video3d.geometry.align import align_trajectories
from video3d.types import World

Calibrate = Callable[[CameraEstimate | None], list[dict[str, Any]]]


# Nothing missing


def test_what_is_measured_passes_through_unaltered(calibrate: Calibrate) -> None:
    calibrate(None)
    clip = clip_of(room())
    posed = complete_geometry(clip, depth_estimator=PerfectNetwork("metric_depth"))
    assert statuses(posed) == ("measured",) * 5
    assert posed.depth_m is clip.depth_m
    assert posed.k_px is clip.k_px
    assert posed.world_from_camera is clip.world_from_camera
    assert posed.world == clip.recording.world
    assert posed.up_world is UP
    assert (posed.piece == 0).all()
    assert posed.status.notes == ()


def test_few_frames_without_a_pose_stay_without(calibrate: Calibrate) -> None:
    calibrate(None)
    some = POSES.copy()
    some[[3, 9]] = np.nan
    posed = complete_geometry(clip_of(room(world_from_camera=some)))
    assert np.isnan(posed.world_from_camera[[1, 3]]).all()
    assert posed.piece.tolist() == [0, -1, 0, -1, 0, 0, 0]
    assert posed.status.poses == "measured"
    assert "none for 2 of 7 frames; they stay unknown" in notes(posed)


def test_gravity_is_measured_only_if_somebody_measured_it(calibrate: Calibrate) -> None:
    calibrate(None)
    assert complete_geometry(clip_of(room(up_world=None))).status.gravity == "unknown"
    aligned = room(up_world=None, world=World(metric=True, gravity_aligned=True, origin="floor"))
    assert complete_geometry(clip_of(aligned)).status.gravity == "measured"


def test_poses_without_metres_are_told_as_such(calibrate: Calibrate) -> None:
    calibrate(None)
    posed = complete_geometry(clip_of(room(world=World(origin="somewhere"))))
    assert posed.status.scale == "unknown"
    assert not posed.world.metric
    assert "does not say that its poses are in metres" in notes(posed)


# Poses missing


def test_measured_depth_makes_the_estimated_path_metric(calibrate: Calibrate) -> None:
    asked = calibrate(exact_estimate())
    clip = without("poses")
    posed = complete_geometry(clip, camera=missing_camera(clip.recording, timeout_s=33.0, seed=4))
    assert statuses(posed) == ("measured", "measured", "estimated", "measured", "unknown")
    assert posed.world == World(metric=True, gravity_aligned=False, origin="camera of frame 0")
    assert posed.up_world is None
    assert posed.depth_m is clip.depth_m
    assert_same_path(posed, with_scale=False)
    assert posed.path is not None
    np.testing.assert_allclose(posed.path.world_from_camera[posed.frame_index], posed.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(posed.world_from_camera[0], np.eye(4), atol=1e-9)
    assert "from measured depth at 1200 reconstructed points of 20 frames" in notes(posed)
    assert "registered 20 of 20 frames" in notes(posed)
    assert "structure from motion says a word" in notes(posed)
    assert len(asked) == 1
    np.testing.assert_array_equal(asked[0]["k_px"], clip.recording.k_px)
    assert (asked[0]["timeout_s"], asked[0]["seed"]) == (33, 4)


def test_unknown_depth_and_outliers_do_not_move_the_scale(calibrate: Calibrate, rng: np.random.Generator) -> None:
    exact = exact_estimate()
    wrong = rng.random(len(exact.observation_depth)) < 0.25
    noisy = exact.observation_depth * np.where(wrong, 3.0, np.exp(rng.normal(0, 0.02, len(wrong)))).astype(np.float32)
    calibrate(replace(exact, observation_depth=noisy))
    holes = DEPTH.copy()
    holes[rng.random(DEPTH.shape) < 0.6] = np.nan
    posed = complete_geometry(without("poses", load_depth_m=lambda i: holes[list(i)]))
    error = align_trajectories(POSES[posed.frame_index], posed.world_from_camera)
    assert error.scale == pytest.approx(1, abs=0.01)


def test_depth_of_another_size_gives_the_same_scale(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    half = without("poses", load_depth_m=lambda i: DEPTH[list(i)][:, ::2, ::2], depth_size_hw=(HW[0] // 2, HW[1] // 2))
    error = align_trajectories(POSES[half.frame_index], complete_geometry(half).world_from_camera)
    assert error.scale == pytest.approx(1, abs=0.02)


def test_a_path_that_contradicts_measured_depth_is_left_out(calibrate: Calibrate, rng: np.random.Generator) -> None:
    exact = exact_estimate()
    nonsense = exact.observation_depth * np.exp(rng.normal(0, 1.5, NUM_FRAMES))[exact.observation_frame]
    calibrate(replace(exact, observation_depth=nonsense.astype(np.float32)))
    posed = complete_geometry(without("poses"))
    assert statuses(posed) == ("measured", "measured", "unknown", "measured", "unknown")
    assert np.isnan(posed.world_from_camera).all()
    assert (posed.piece == -1).all()
    assert posed.world.metric  # depth is in metres all the same
    assert "the estimated camera path is left out" in notes(posed)


def test_intrinsics_come_along_with_the_poses(calibrate: Calibrate) -> None:
    asked = calibrate(exact_estimate())
    posed = complete_geometry(without("poses", "intrinsics"))
    assert statuses(posed) == ("measured", "estimated", "estimated", "measured", "unknown")
    np.testing.assert_allclose(posed.k_px, np.broadcast_to(K, (7, 3, 3)))
    assert_same_path(posed, with_scale=False)
    assert asked[0]["k_px"] is None
    assert "focal length 40 px" in notes(posed)


# Depth and poses missing: pixels alone


@pytest.mark.parametrize("names", [("depth", "poses"), ("depth", "poses", "intrinsics")])
def test_pixels_alone_give_a_path_and_sparse_depth_in_one_unknown_unit(calibrate: Calibrate, names: tuple) -> None:
    calibrate(exact_estimate())
    posed = complete_geometry(without(*names))
    intrinsics = "estimated" if "intrinsics" in names else "measured"
    assert statuses(posed) == ("estimated", intrinsics, "estimated", "unknown", "unknown")
    assert not posed.world.metric
    scale = assert_same_path(posed, with_scale=True)
    assert scale == pytest.approx(UNIT)
    seen = np.isfinite(posed.depth_m)
    assert 0.01 < seen.mean() < 0.1
    np.testing.assert_allclose(posed.depth_m[seen] * scale, DEPTH[posed.frame_index][seen], rtol=1e-5)
    assert "sparse" in notes(posed)
    assert "right up to one factor" in notes(posed)


def test_a_metric_network_gives_metres_and_says_that_it_is_an_estimate(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    network = PerfectNetwork("metric_depth")
    posed = complete_geometry(without("depth", "poses"), depth_estimator=network)
    assert statuses(posed) == ("estimated", "measured", "estimated", "estimated", "unknown")
    assert posed.world.metric
    assert_same_path(posed, with_scale=False)
    np.testing.assert_allclose(posed.depth_m, DEPTH[posed.frame_index], rtol=1e-3)
    np.testing.assert_array_equal(network.k_seen, np.broadcast_to(K, (7, 3, 3)))
    assert "from the depth network at 420 reconstructed points of 7 frames" in notes(posed)
    assert "7 aligned to their own points; median error at the points 0.0 %" in notes(posed)


@pytest.mark.parametrize("network", [PerfectNetwork("inverse_depth"), PerfectNetwork("scaled_depth", factor=0.3)])
def test_a_network_without_metres_gives_dense_depth_in_the_unit_of_the_path(
    calibrate: Calibrate, network: PerfectNetwork
) -> None:
    calibrate(exact_estimate())
    posed = complete_geometry(without("depth", "poses", "intrinsics"), depth_estimator=network)
    assert statuses(posed) == ("estimated", "estimated", "estimated", "unknown", "unknown")
    scale = assert_same_path(posed, with_scale=True)
    np.testing.assert_allclose(posed.depth_m * scale, DEPTH[posed.frame_index], rtol=2e-3)


def test_a_metric_network_that_contradicts_the_path_does_not_scale_it(
    calibrate: Calibrate, rng: np.random.Generator
) -> None:
    exact = exact_estimate()
    drifting = exact.observation_depth * np.exp(rng.normal(0, 1.0, NUM_FRAMES))[exact.observation_frame]
    calibrate(replace(exact, observation_depth=drifting.astype(np.float32)))
    posed = complete_geometry(without("depth", "poses"), depth_estimator=PerfectNetwork("metric_depth"))
    assert statuses(posed) == ("estimated", "measured", "estimated", "unknown", "unknown")
    assert not posed.world.metric
    assert assert_same_path(posed, with_scale=True) == pytest.approx(UNIT)


# Depth missing


def test_given_poses_bring_the_reconstructed_points_to_metres(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    clip = without("depth")
    posed = complete_geometry(clip)
    assert statuses(posed) == ("estimated", "measured", "measured", "measured", "measured")
    assert posed.world_from_camera is clip.world_from_camera
    assert posed.world == clip.recording.world
    seen = np.isfinite(posed.depth_m)
    assert seen.any(axis=(1, 2)).all()
    np.testing.assert_allclose(posed.depth_m[seen], DEPTH[posed.frame_index][seen], rtol=1e-4)


@pytest.mark.parametrize("network", [PerfectNetwork("inverse_depth"), PerfectNetwork("metric_depth", factor=1.3)])
def test_a_network_is_brought_to_the_unit_of_the_given_poses(calibrate: Calibrate, network: PerfectNetwork) -> None:
    calibrate(exact_estimate())
    posed = complete_geometry(without("depth"), depth_estimator=network)
    assert statuses(posed) == ("estimated", "measured", "measured", "measured", "measured")
    np.testing.assert_allclose(posed.depth_m, DEPTH[posed.frame_index], rtol=2e-3)


def test_poses_of_an_unknown_unit_keep_it_whatever_a_network_says(calibrate: Calibrate) -> None:
    calibrate(exact_estimate(used=range(0, NUM_FRAMES, 2)))
    scaled = POSES.copy()
    scaled[:, :3, 3] *= 7
    # Photos: those that were not used have neither points nor neighbours, and follow the factor of the others.
    clip = without("depth", world_from_camera=scaled, world=World(origin="a corner"), sequence=False)
    posed = complete_geometry(clip, depth_estimator=PerfectNetwork("metric_depth"))
    assert posed.status.scale == "unknown"
    assert posed.world_from_camera is clip.world_from_camera
    np.testing.assert_allclose(posed.depth_m, 7 * DEPTH[posed.frame_index], rtol=2e-3)


def test_metres_are_not_mixed_with_poses_of_an_unknown_unit(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    posed = complete_geometry(
        without("depth", world=World(origin="a corner")), depth_estimator=PerfectNetwork("metric_depth")
    )
    assert posed.status.depth == "unknown"
    assert np.isnan(posed.depth_m).all()


def test_points_that_do_not_fit_the_given_poses_are_not_used(calibrate: Calibrate, rng: np.random.Generator) -> None:
    exact = exact_estimate()
    elsewhere = exact.world_from_camera.copy()
    elsewhere[:, :3, 3] += rng.normal(0, 5, (NUM_FRAMES, 3))
    calibrate(replace(exact, world_from_camera=elsewhere))
    posed = complete_geometry(without("depth"))
    assert posed.status.depth == "unknown"
    assert np.isnan(posed.depth_m).all()
    assert "does not fit the recording's poses" in notes(posed)
    with_network = complete_geometry(without("depth"), depth_estimator=PerfectNetwork("metric_depth", factor=1.1))
    np.testing.assert_allclose(with_network.depth_m, 1.1 * DEPTH[posed.frame_index], rtol=1e-5)
    assert "not aligned to points" in notes(with_network)


def test_one_wrongly_registered_frame_does_not_bend_the_scale(calibrate: Calibrate) -> None:
    exact = exact_estimate()
    wrong = exact.world_from_camera.copy()
    wrong[11, :3, 3] += [3, -2, 2]
    calibrate(replace(exact, world_from_camera=wrong))
    posed = complete_geometry(without("depth"))
    seen = np.isfinite(posed.depth_m)
    assert seen.any()
    np.testing.assert_allclose(posed.depth_m[seen], DEPTH[posed.frame_index][seen], rtol=1e-3)
