"""Rigid transforms and the pinhole camera, as pure functions on arrays.

Notable: transforms are named ``a_from_b`` and act on points as ``point_a = a_from_b @ point_b``; the camera has OpenCV
axes (x right, y down, z forward) and pixel centres at +0.5, so that the centre of the top-left pixel is (0.5, 0.5) and
a resize only scales K. What is not known is NaN and stays NaN through every function here.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int

from video3d.types import InputError


def is_known(matrix: Float[np.ndarray, "*b rows columns"]) -> Bool[np.ndarray, "*b"]:
    """Which poses or intrinsics are known: those without a NaN (or an infinity).

    >>> is_known(np.array([np.eye(4), np.full((4, 4), np.nan)])).tolist()
    [True, False]
    """
    return np.asarray(np.isfinite(matrix).all(axis=(-2, -1)))


def inverse_rigid(a_from_b: Float[np.ndarray, "*b 4 4"]) -> Float[np.ndarray, "*b 4 4"]:
    """Invert rigid transforms in closed form: the rotation is transposed, the translation turned back.

    A transform with a NaN gives one that is all NaN. Scale is not undone: see ``is_rigid``.

    >>> world_from_camera = np.eye(4)
    >>> world_from_camera[:3, 3] = 1.0, 2.0, 3.0
    >>> inverse_rigid(world_from_camera)[:3, 3].tolist()
    [-1.0, -2.0, -3.0]
    """
    b_from_a = np.zeros_like(a_from_b)
    rotation_t = np.swapaxes(a_from_b[..., :3, :3], -1, -2)
    b_from_a[..., :3, :3] = rotation_t
    b_from_a[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation_t, a_from_b[..., :3, 3])
    b_from_a[..., 3, 3] = 1
    b_from_a[~is_known(a_from_b)] = np.nan
    return b_from_a


def transform_points(
    a_from_b: Float[np.ndarray, "*b 4 4"], points_b: Float[np.ndarray, "... 3"]
) -> Float[np.ndarray, "... 3"]:
    """Move points from frame b to frame a. The transform may be rigid, a similarity or any affine map.

    One transform moves points of any shape; several, of shape ``*b``, move points of shape ``*b ... 3``, each its own.
    The result has the dtype of the points, so that an image of float32 points does not double in memory. NaN in a
    transform or a point gives NaN.

    Raises:
        ValueError: the leading axes of the points are not those of the transforms.

    >>> transform_points(np.diag([1.0, -1.0, -1.0, 1.0]), np.array([[1.0, 2.0, 3.0]])).tolist()
    [[1.0, -2.0, -3.0]]
    """
    batch = a_from_b.shape[:-2]
    if points_b.shape[: len(batch)] != batch or points_b.ndim <= len(batch):
        raise ValueError(f"points_b: expected leading axes {batch} like the transforms, got shape {points_b.shape}")
    linear_t = np.swapaxes(a_from_b[..., :3, :3], -1, -2).astype(points_b.dtype, copy=False)
    shift = a_from_b[..., None, :3, 3].astype(points_b.dtype, copy=False)
    rows = points_b.reshape(*batch, -1, 3) if points_b.size else points_b.reshape(*batch, 0, 3)
    return (rows @ linear_t + shift).reshape(points_b.shape)


def is_rigid(a_from_b: Float[np.ndarray, "*b 4 4"], atol: float = 1e-4) -> Bool[np.ndarray, "*b"]:
    """Whether transforms are rotation and translation only, to ``atol`` in every entry of RᵀR - 1 and of the last row.

    A mirror (determinant -1) is not rigid, nor is a transform with a NaN.

    >>> bool(is_rigid(np.eye(4))), bool(is_rigid(np.diag([1.0, 1.0, -1.0, 1.0]))), bool(is_rigid(2 * np.eye(4)))
    (True, False, False)
    """
    finite = is_known(a_from_b)
    known = np.where(finite[..., None, None], a_from_b, 0.0)
    rotation = known[..., :3, :3]
    gram = np.swapaxes(rotation, -1, -2) @ rotation
    orthonormal = (np.abs(gram - np.eye(3)) <= atol).all(axis=(-2, -1))
    last_row = (np.abs(known[..., 3, :] - np.array([0.0, 0.0, 0.0, 1.0])) <= atol).all(axis=-1)
    return np.asarray(finite & orthonormal & last_row & (np.linalg.det(rotation) > 0))


def rotation_angle_rad(rotation: Float[np.ndarray, "*b 3 3"]) -> Float[np.ndarray, "*b"]:
    """Angle of rotations in radians, 0..π; NaN stays NaN.

    From both the sine (the skew part) and the cosine (the trace): the arc cosine of the trace alone loses half of the
    digits near 0, where the errors of poses are.

    >>> round(float(rotation_angle_rad(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))), 6)
    1.570796
    """
    skew = rotation - np.swapaxes(rotation, -1, -2)
    sine = 0.5 * np.sqrt(skew[..., 2, 1] ** 2 + skew[..., 0, 2] ** 2 + skew[..., 1, 0] ** 2)
    cosine = 0.5 * (np.trace(rotation, axis1=-2, axis2=-1) - 1)
    return np.asarray(np.arctan2(sine, cosine))


def pixel_centers_px(size_hw: tuple[int, int]) -> Float64[np.ndarray, "h w 2"]:
    """(x, y) of the centre of every pixel, at +0.5.

    >>> pixel_centers_px((2, 3))[1, 2].tolist()
    [2.5, 1.5]
    """
    height, width = size_hw
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], axis=-1)


def axes_with_z(z: Float64[np.ndarray, "3"], toward: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """Rotation whose columns are axes: z along ``z``, x along the part of ``toward`` that is square to it, or any if it has none.

    >>> axes_with_z(np.array([0.0, 0.0, 2.0]), np.array([3.0, 0.0, 1.0])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    z = z / np.linalg.norm(z)
    x = toward - (toward @ z) * z
    if np.linalg.norm(x) < 1e-6:
        x = np.eye(3)[np.abs(z).argmin()] - z[np.abs(z).argmin()] * z
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def pixel_rays(
    k_px: Float64[np.ndarray, "3 3"], row: Int[np.ndarray, "n"], column: Int[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 3"]:
    """Points of z-depth 1 in the middle of pixels, in the camera's frame: times a pixel's depth, what it sees.

    >>> pixel_rays(np.array([[2.0, 0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 0.0, 1.0]]), np.array([0]), np.array([1])).tolist()
    [[0.25, -0.25, 1.0]]
    """
    return np.stack([column + 0.5, row + 0.5, np.ones(row.size)], axis=1) @ np.linalg.inv(k_px).T


def inverse_k(k_px: Float[np.ndarray, "*b 3 3"]) -> Float64[np.ndarray, "*b 3 3"]:
    """Invert intrinsics: ``K⁻¹ @ (x, y, 1)`` is the point at depth 1 that a pixel sees. Skew is honoured.

    NaN intrinsics (not known) give NaN.

    Raises:
        InputError: intrinsics that are known but cannot be inverted, such as a focal length of 0.

    >>> inverse_k(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))[0].tolist()
    [0.002, 0.0, -0.64]
    """
    known = is_known(k_px)
    k = np.where(known[..., None, None], k_px, np.eye(3)).astype(np.float64)
    # The determinant of [[fx, s, cx], [0, fy, cy], [0, 0, 1]] is fx·fy, in px²: only 0 or an underflow is below this.
    singular = np.abs(np.linalg.det(k)) < 1e-12
    if singular.any():
        bad = np.argwhere(singular)[0].tolist()
        where = f" of frame {bad[0]}" if len(bad) == 1 else ""
        raise InputError(
            f"intrinsics{where}",
            expected="an invertible 3x3 matrix fx s cx; 0 fy cy; 0 0 1",
            got=k[tuple(bad)].tolist(),
            do="give focal lengths in pixels, > 0",
        )
    return np.where(known[..., None, None], np.linalg.inv(k), np.nan)


def unproject(depth_m: Float[np.ndarray, "f h w"], k_px: Float[np.ndarray, "f 3 3"]) -> Float32[np.ndarray, "f h w 3"]:
    """The point in the camera's frame, in metres, that every pixel sees. NaN where depth or intrinsics are unknown.

    Raises:
        InputError: singular intrinsics.

    >>> k_px = np.array([[[2.0, 0, 1], [0, 2, 1], [0, 0, 1]]])
    >>> unproject(np.full((1, 2, 2), 4.0, np.float32), k_px)[0, 0, 0].tolist()
    [-1.0, -1.0, 4.0]
    """
    _, height, width = depth_m.shape
    camera_from_px = inverse_k(k_px)
    pixels = np.concatenate([pixel_centers_px((height, width)), np.ones((height, width, 1))], axis=-1)
    points = np.empty((*depth_m.shape, 3), np.float32)
    for frame, depth in enumerate(
        depth_m
    ):  # a frame at a time: the rays of all frames in float64 would be 6x the depth
        rays = pixels @ camera_from_px[frame].T  # h w 3
        np.multiply(rays, depth[..., None], out=points[frame], casting="same_kind")
    return points


def project(
    points_camera: Float[np.ndarray, "*n 3"], k_px: Float[np.ndarray, "3 3"]
) -> tuple[Float64[np.ndarray, "*n 2"], Float64[np.ndarray, "*n"]]:
    """Where points in the camera's frame appear, (x, y) in pixels with centres at +0.5, and their z-depth in metres.

    A point at or behind the camera (z <= 0) appears nowhere: its pixel is NaN, its z is told. A pixel outside the image
    is a fair answer and returned as it is.

    >>> k_px = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    >>> px, z_m = project(np.array([[0.2, 0.0, 2.0], [0.0, 0.0, -1.0]]), k_px)
    >>> px.tolist(), z_m.tolist()
    ([[370.0, 240.0], [nan, nan]], [2.0, -1.0])
    """
    points = points_camera.astype(np.float64)
    z_m = np.array(points[..., 2])
    in_front = np.where(z_m > 0, z_m, np.nan)
    return (points @ k_px[:2].T.astype(np.float64)) / in_front[..., None], z_m


def scale_k(
    k_px: Float[np.ndarray, "*b 3 3"], from_hw: tuple[int, int], to_hw: tuple[int, int]
) -> Float[np.ndarray, "*b 3 3"]:
    """Intrinsics after the whole image is resized; exact because pixel centres are at +0.5. NaN stays NaN.

    >>> scale_k(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), (480, 640), (240, 320))[0].tolist()
    [250.0, 0.0, 160.0]
    """
    factors = np.array([to_hw[1] / from_hw[1], to_hw[0] / from_hw[0], 1.0], k_px.dtype)
    return k_px * factors[:, None]


def crop_k(k_px: Float[np.ndarray, "*b 3 3"], top_px: int | float, left_px: int | float) -> Float[np.ndarray, "*b 3 3"]:
    """Intrinsics after ``top_px`` rows and ``left_px`` columns are cut off; negative numbers pad. NaN stays NaN.

    >>> crop_k(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 10, 20)[:2, 2].tolist()
    [300.0, 230.0]
    """
    cropped = k_px.copy()
    cropped[..., 0, 2] -= left_px
    cropped[..., 1, 2] -= top_px
    return cropped


def fov_rad(k_px: Float[np.ndarray, "3 3"], size_hw: tuple[int, int]) -> tuple[float, float]:
    """Vertical and horizontal field of view in radians, in the order of ``size_hw``; NaN where K is not known.

    The angle between the rays of opposite borders through the principal point, which need not be in the middle.

    >>> vertical, horizontal = fov_rad(np.array([[320.0, 0, 320], [0, 320, 240], [0, 0, 1]]), (480, 640))
    >>> round(float(np.degrees(horizontal)), 3)
    90.0
    """
    height, width = size_hw
    (fx, cx), (fy, cy) = (k_px[0, 0], k_px[0, 2]), (k_px[1, 1], k_px[1, 2])
    vertical = np.arctan2(cy, fy) + np.arctan2(height - cy, fy)
    horizontal = np.arctan2(cx, fx) + np.arctan2(width - cx, fx)
    return float(vertical), float(horizontal)
