"""Poses as other houses write them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.types import InputError
from video3d.video.pose_formats import opencv_from_opengl, poses_from_quaternions, poses_from_rotation_vectors


def test_quaternions_and_rotation_vectors_give_the_same_pose(rng):
    rotation = Rotation.from_rotvec(rng.uniform(-2, 2, (9, 3)))
    translation = rng.uniform(-3, 3, (9, 3))
    by_quaternion = poses_from_quaternions(rotation.as_quat() * 1.05, translation, "t")  # need not be exactly unit
    by_vector = poses_from_rotation_vectors(rotation.as_rotvec(), translation)
    np.testing.assert_allclose(by_quaternion, by_vector, atol=1e-12)
    np.testing.assert_allclose(by_quaternion[:, :3, :3], rotation.as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(by_quaternion[:, 3], np.tile([0, 0, 0, 1], (9, 1)))


@pytest.mark.parametrize("quaternion", [[0, 0, 0, 0], [0, 0, 0, 2], [1, 1, 1, 1]])
def test_what_is_no_rotation_is_refused(quaternion):
    with pytest.raises(InputError, match="poses: expected unit quaternions"):
        poses_from_quaternions(np.array([quaternion], np.float64), np.zeros((1, 3)), "poses")


def test_opengl_camera_sees_along_minus_z():
    pose = poses_from_rotation_vectors(np.array([[0.3, -0.2, 0.9]]), np.array([[1.0, 2, 3]]))
    turned = opencv_from_opengl(pose)[0]
    np.testing.assert_allclose(turned[:3, 2], -pose[0, :3, 2])  # forward
    np.testing.assert_allclose(turned[:3, 1], -pose[0, :3, 1])  # down
    np.testing.assert_allclose(turned[:3, [0, 3]], pose[0, :3, [0, 3]].T)
    assert np.linalg.det(turned[:3, :3]) == pytest.approx(1)
