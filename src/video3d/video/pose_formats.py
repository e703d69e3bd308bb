"""The ways in which recordings write a pose, each to a 4x4 matrix; the camera axes of other houses to OpenCV's."""

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError


def poses_from_quaternions(
    quaternion_xyzw: Float64[np.ndarray, "f 4"], translation: Float64[np.ndarray, "f 3"], thing: object
) -> Float64[np.ndarray, "f 4 4"]:
    """Rigid transforms of unit quaternions, scalar last, and translations. A quaternion is normalised first.

    Errors: ``InputError`` on ``thing`` when a quaternion is further than 10 % from unit length.

    >>> pose = poses_from_quaternions(np.array([[0.0, 0, 1, 1]]) / 2**0.5, np.array([[1.0, 2, 3]]), "poses")[0]
    >>> (pose @ [1, 0, 0, 1]).round(6).tolist()
    [1.0, 3.0, 3.0, 1.0]
    """
    from scipy.spatial.transform import Rotation

    length = np.linalg.norm(quaternion_xyzw, axis=1)
    if (bad := np.abs(length - 1) > 0.1).any():
        got = f"one of length {length[bad][0]:.3g}"
        raise InputError(thing, expected="unit quaternions", got=got)
    return _poses(Rotation.from_quat(quaternion_xyzw).as_matrix(), translation)


def poses_from_rotation_vectors(
    rotation_rad: Float64[np.ndarray, "f 3"], translation: Float64[np.ndarray, "f 3"]
) -> Float64[np.ndarray, "f 4 4"]:
    """Rigid transforms of rotation vectors (axis times angle) and translations.

    >>> poses_from_rotation_vectors(np.array([[0, 0, np.pi / 2]]), np.zeros((1, 3)))[0, :3, 0].round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    from scipy.spatial.transform import Rotation

    return _poses(Rotation.from_rotvec(rotation_rad).as_matrix(), translation)


def _poses(
    rotation: Float64[np.ndarray, "f 3 3"], translation: Float64[np.ndarray, "f 3"]
) -> Float64[np.ndarray, "f 4 4"]:
    poses = np.tile(np.eye(4), (len(rotation), 1, 1))
    poses[:, :3, :3] = rotation
    poses[:, :3, 3] = translation
    return poses


def opencv_from_opengl(world_from_camera: Float64[np.ndarray, "f 4 4"]) -> Float64[np.ndarray, "f 4 4"]:
    """The same cameras with OpenCV axes (x right, y down, z forward) instead of OpenGL's (x right, y up, z backward).

    >>> opencv_from_opengl(np.eye(4)[None])[0].diagonal().tolist()
    [1.0, -1.0, -1.0, 1.0]
    """
    return world_from_camera * np.array([1.0, -1.0, -1.0, 1.0])  # turns the second and third column
