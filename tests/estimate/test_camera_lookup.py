"""Cameras between cameras: interpolated where that is safe, unknown everywhere else."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.camera_lookup import cameras_of_frames, interpolate_pose


def pose(x: float, turn_deg: float) -> np.ndarray:
    result = np.eye(4)
    result[:3, :3] = Rotation.from_euler("y", turn_deg, degrees=True).as_matrix()
    result[0, 3] = x
    return result


def two_cameras(last: np.ndarray, pieces: tuple[int, int] = (0, 0)) -> CameraEstimate:
    """Frames 10 and 20, which see one point each, 2 units away."""
    return CameraEstimate(
        frame_index=np.array([10, 20]),
        k_px=np.tile(np.eye(3), (2, 1, 1)),
        world_from_camera=np.stack([pose(0, 0), last]),
        piece=np.array(pieces),
        observation_frame=np.array([0, 1]),
        observation_px=np.zeros((2, 2), np.float32),
        observation_depth=np.full(2, 2.0, np.float32),
        reprojection_px=0.5,
    )


TIME_S = np.arange(30) / 30


def look_up(estimate: CameraEstimate, frames: list[int], time_s: np.ndarray = TIME_S, sequence: bool = True):
    return cameras_of_frames(estimate, np.array(frames, np.int64), time_s, sequence=sequence)


def test_position_and_rotation_go_evenly_from_one_to_the_other() -> None:
    cameras = look_up(two_cameras(pose(0.4, 10)), [10, 13, 20])
    assert cameras.interpolated.tolist() == [False, True, False]
    assert cameras.position.tolist() == [0, -1, 1]
    assert cameras.piece.tolist() == [0, 0, 0]
    np.testing.assert_allclose(cameras.world_from_camera[1], pose(0.12, 3), atol=1e-12)


def test_time_and_not_the_number_of_frames_says_how_far_along() -> None:
    uneven = TIME_S.copy()
    uneven[13] = uneven[10] + 0.9 * (uneven[20] - uneven[10])
    np.testing.assert_allclose(
        look_up(two_cameras(pose(0.4, 10)), [13], uneven).world_from_camera[0], pose(0.36, 9), atol=1e-12
    )
    without_times = look_up(two_cameras(pose(0.4, 10)), [13], np.full(30, np.nan))
    np.testing.assert_allclose(without_times.world_from_camera[0], pose(0.12, 3), atol=1e-12)


@pytest.mark.parametrize(
    ("last", "pieces", "frame", "time_s"),
    [
        (pose(0.4, 16), (0, 0), 15, TIME_S),  # turns too far
        (pose(0.6, 10), (0, 0), 15, TIME_S),  # moves more than a quarter of the depth
        (pose(0.4, 10), (0, 1), 15, TIME_S),  # in two pieces
        (pose(0.4, 10), (0, -1), 15, TIME_S),  # one not registered
        (pose(0.4, 10), (0, 0), 15, 3 * TIME_S),  # a whole second
        (pose(0.4, 10), (0, 0), 5, TIME_S),  # before the first
        (pose(0.4, 10), (0, 0), 25, TIME_S),  # after the last
        (np.full((4, 4), np.nan), (0, 0), 15, TIME_S),
    ],
)
def test_otherwise_the_pose_is_unknown(
    last: np.ndarray, pieces: tuple[int, int], frame: int, time_s: np.ndarray
) -> None:
    cameras = look_up(two_cameras(last, pieces), [frame], time_s)
    assert np.isnan(cameras.world_from_camera).all()
    assert cameras.piece.tolist() == [-1]
    assert not cameras.interpolated.any()


def test_photos_are_not_interpolated() -> None:
    assert np.isnan(look_up(two_cameras(pose(0.1, 1)), [15], sequence=False).world_from_camera).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_between_equal_poses_is_that_pose(share: float) -> None:
    here = pose(3, 70)
    np.testing.assert_allclose(interpolate_pose(here, here, share, max_move=0.0), here, atol=1e-12)
