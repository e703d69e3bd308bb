"""Which patches look at which boxes: the share of each patch's pixels whose world point lies inside each box.

Notable: every pixel is unprojected once, whatever the number of boxes. A box then looks only at patches whose own bounds
meet its bounds, which in a room are a few per cent of them.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int64

from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import inverse_k
from video3d.types import Box3D, InputError


def patch_box_shares(
    depth_m: Float32[np.ndarray, "f h w"],
    k_px: Float[np.ndarray, "f 3 3"],
    world_from_camera: Float[np.ndarray, "f 4 4"],
    boxes: Sequence[Box3D],
    patch_px: int,
    *,
    unknown_as_zero: bool = False,
) -> Float32[np.ndarray, "n f gh gw"]:
    """Share (0..1) of the pixels of every ``patch_px`` x ``patch_px`` patch that show the inside of each box.

    All pixels of a patch count in the denominator; one with unknown depth (NaN, infinite, <= 0) or in a frame without
    pose or intrinsics lies in no box. Faces belong to a box. A remainder at the right and bottom belongs to no patch, as
    in ``lift_depth_patches``. World points are float32: 1e-6 of the distance from the origin.

    Args:
        depth_m: z-depth in metres.
        k_px: intrinsics at the size of the depth, NaN where unknown; pixel centres at +0.5.
        world_from_camera: poses, NaN where unknown.
        boxes: n boxes of any orientation.
        patch_px: side of a patch in pixels.
        unknown_as_zero: let a pixel of unknown depth stand at the camera's position, as the code of arXiv 2412.00493
            does: a box around the camera then holds it. Only to repeat that code.

    Raises:
        InputError: a patch that is not 1 px to the smaller side of the image, or singular intrinsics.

    >>> box = Box3D(center_world=np.array([0.0, 0, 2]), size_m=np.array([2.0, 4, 1]), world_from_box=np.eye(3))
    >>> k_px = np.array([[[2.0, 0, 2], [0, 2, 2], [0, 0, 1]]])
    >>> patch_box_shares(np.full((1, 4, 4), 2.0, np.float32), k_px, np.eye(4)[None], [box], 2)[0, 0].tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    num_frames, height, width = depth_m.shape
    if not 1 <= patch_px <= min(height, width):
        raise InputError("patch_px", expected=f"1 to {min(height, width)} for frames of {height}x{width}", got=patch_px)
    rows, columns = height // patch_px, width // patch_px
    shares = np.zeros((len(boxes), num_frames, rows * columns), np.float32)
    world_from_px = world_from_camera[:, :3, :3].astype(np.float64) @ inverse_k(k_px)  # f 3 3
    bounds = [(corners.min(0), corners.max(0)) for corners in map(box_corners, boxes)]
    homogeneous_px = _patch_pixels(rows, columns, patch_px)
    for frame in range(num_frames):
        pose = np.concatenate([world_from_px[frame], world_from_camera[frame, :3, 3:]], 1)
        if not np.isfinite(pose).all():
            continue
        points = _patch_points(depth_m[frame], pose, homogeneous_px, patch_px, unknown_as_zero)  # m 3 p*p
        low, high = np.fmin.reduce(points, axis=2), np.fmax.reduce(points, axis=2)  # m 3; NaN without a known pixel
        for i, (box, (box_low, box_high)) in enumerate(zip(boxes, bounds, strict=True)):
            near: Int64[np.ndarray, "c"] = np.flatnonzero(((low <= box_high) & (high >= box_low)).all(1))
            if near.size:
                at = box.world_from_box.T.astype(np.float32) @ (
                    points[near] - box.center_world[:, None].astype(np.float32)
                )
                inside = (np.abs(at) <= box.size_m[:, None].astype(np.float32) / 2).all(1)
                shares[i, frame, near] = inside.sum(1, dtype=np.float32) / np.float32(patch_px**2)
    return shares.reshape(len(boxes), num_frames, rows, columns)


def _by_patch(image: Float[np.ndarray, "h w"], rows: int, columns: int, patch_px: int) -> Float[np.ndarray, "m p"]:
    """Pixels of an image, one row a patch."""
    cut = image[: rows * patch_px, : columns * patch_px].reshape(rows, patch_px, columns, patch_px)
    return cut.transpose(0, 2, 1, 3).reshape(rows * columns, patch_px**2)


def _patch_pixels(rows: int, columns: int, patch_px: int) -> Float[np.ndarray, "3 m p"]:
    v, u = np.mgrid[: rows * patch_px, : columns * patch_px] + 0.5
    u, v = (_by_patch(values, rows, columns, patch_px) for values in (u, v))
    return np.stack([u, v, np.ones_like(u)]).astype(np.float32)


def _patch_points(
    depth_m: Float32[np.ndarray, "h w"],
    pose: Float[np.ndarray, "3 4"],
    homogeneous_px: Float32[np.ndarray, "3 m p"],
    patch_px: int,
    unknown_as_zero: bool,
) -> Float32[np.ndarray, "m 3 p"]:
    """World points of one frame's pixels, by patch; NaN where depth is unknown."""
    columns = depth_m.shape[1] // patch_px
    depth = _by_patch(depth_m, depth_m.shape[0] // patch_px, columns, patch_px)
    known = np.isfinite(depth) & (depth > 0)
    z = np.where(known, depth, np.float32(0.0 if unknown_as_zero else np.nan))
    narrow = pose.astype(np.float32)
    rays = np.tensordot(narrow[:, :3], homogeneous_px, 1)  # 3 m p
    return np.ascontiguousarray((rays * z + narrow[:, 3, None, None]).transpose(1, 0, 2))
