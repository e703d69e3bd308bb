"""Geometry of a camera that does not travel: one place, and the unit of its depth alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from exact_room import DEPTH, FAILED, NUM_FRAMES, POSES, PerfectNetwork, clip_of, notes, room, statuses, without

from video3d.estimate import CameraEstimate, complete_geometry
from video3d.estimate.camera_checks import Pair
from video3d.estimate.still import standing_camera, travels
from video3d.estimate.turning import turning_camera
from video3d.geometry.gravity import align_to_gravity

STILL = replace(FAILED, motion="still", notes=("camera: it stands still",))
K_LARGE = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])


def standing_room(**changes: Any):
    """All frames are the first one."""
    return room(
        load_rgb=lambda indices: np.zeros((len(indices), *DEPTH.shape[1:], 3), np.uint8),
        load_depth_m=lambda indices: DEPTH[[0] * len(indices)],
        world_from_camera=None,
        up_world=None,
        **changes,
    )


def test_every_frame_of_the_recording_gets_the_one_pose() -> None:
    few = replace(exact_few(), motion="still")
    stands = standing_camera(few, room())
    assert stands.frame_index.tolist() == list(range(NUM_FRAMES)) and (stands.piece == 0).all()
    assert np.array_equal(stands.world_from_camera, np.tile(np.eye(4), (NUM_FRAMES, 1, 1)))
    assert np.isnan(stands.k_px).all() and not travels(stands)


def exact_few() -> CameraEstimate:
    return replace(
        FAILED,
        frame_index=np.array([0, 5, 19]),
        k_px=np.full((3, 3, 3), np.nan),
        world_from_camera=np.full((3, 4, 4), np.nan),
        piece=np.full(3, -1),
    )


def test_photographs_and_cameras_that_travel_are_left_alone() -> None:
    assert standing_camera(STILL, room(sequence=False)) is STILL
    moving = replace(STILL, motion="travels")
    assert standing_camera(moving, room()) is moving and travels(moving)


def test_with_measured_depth_a_still_camera_has_a_metric_upright_world(calibrate) -> None:
    calibrate(STILL)
    posed = complete_geometry(clip_of(standing_room()))
    assert statuses(posed)[:4] == ("measured", "measured", "estimated", "measured") and posed.world.metric
    assert np.array_equal(posed.world_from_camera, np.tile(np.eye(4), (posed.num_frames, 1, 1)))
    assert "the camera stands still" in notes(posed) and "left out" not in notes(posed)
    upright = align_to_gravity(posed)
    assert upright.status.gravity == "estimated"
    true_up = POSES[0][:3, :3].T @ [0, 0, 1]  # in the camera
    found_up = upright.world_from_camera[0, :3, :3].T @ [0, 0, 1]
    assert np.degrees(np.arccos(true_up @ found_up)) < 2


def test_a_metric_network_gives_a_still_camera_metres(calibrate) -> None:
    calibrate(STILL)
    posed = complete_geometry(without("depth", "poses"), depth_estimator=PerfectNetwork("metric_depth"))
    assert statuses(posed)[:4] == ("estimated", "measured", "estimated", "estimated") and posed.world.metric
    np.testing.assert_array_equal(posed.depth_m, DEPTH[posed.frame_index])


def test_a_relative_network_has_nothing_to_hold_on_to(calibrate) -> None:
    calibrate(STILL)
    posed = complete_geometry(without("depth", "poses"), depth_estimator=PerfectNetwork("inverse_depth"))
    assert posed.status.depth == "unknown" and not posed.world.metric and posed.status.poses == "estimated"


def turned_pairs(*, spoil_px: float = 0.0) -> tuple[list[Pair], np.ndarray]:
    """Exact matches of five frames that turn by 5 degrees each, and the rotations."""
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(0)
    world = Rotation.from_euler("yx", [[5.0 * i, 2.0 * (i % 2)] for i in range(5)], degrees=True).as_matrix()
    pairs = []
    for i in range(5):
        for j in range(i + 1, 5):
            homography = K_LARGE @ world[j].T @ world[i] @ np.linalg.inv(K_LARGE)
            px = rng.uniform([0, 0], [320, 240], (60, 2))
            there = np.hstack([px, np.ones((60, 1))]) @ homography.T
            there = there[:, :2] / there[:, 2:] + spoil_px * rng.normal(size=(60, 2))
            pairs.append(Pair(first=i, second=j, first_px=px, second_px=there, homography=homography))
    return pairs, world


def test_rotations_and_focal_length_come_back_from_exact_matches() -> None:
    pairs, world = turned_pairs()
    turning = turning_camera(pairs, 6, (240, 320))
    assert turning is not None
    assert turning.focal_px == pytest.approx(300, rel=1e-3) and turning.residual_px < 0.01
    assert np.isnan(turning.world_from_camera[5]).all()  # no match reaches it
    np.testing.assert_allclose(turning.world_from_camera[:5], world[0].T @ world, atol=1e-4)


def test_matches_that_no_turning_explains_give_nothing() -> None:
    assert turning_camera(turned_pairs(spoil_px=6.0)[0], 5, (240, 320)) is None
    assert turning_camera([], 5, (240, 320)) is None
