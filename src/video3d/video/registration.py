"""Depth brought into the colour camera's view: a depth image by its own intrinsics, LiDAR points by projection.

Camera axes x right, y down, z forward; pixel centres at +0.5; z-depth in metres, NaN where unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from video3d.geometry.rigid import scale_k
from video3d.types import InputError, LoadDepth


def resample_depth(
    depth_m: Float32[np.ndarray, "f dh dw"],
    *,
    depth_k_px: Float64[np.ndarray, "3 3"],
    target_k_px: Float64[np.ndarray, "3 3"],
    target_hw: tuple[int, int],
) -> Float32[np.ndarray, "f h w"]:
    """Depth as a camera at the same place with other intrinsics sees it: each pixel looks up the nearest depth pixel.

    Depth values are never blended, because the mean of a foreground and a background depth lies on neither. Rays that
    the depth camera does not see are NaN. Skew is taken to be 0. The two cameras must share centre and axes: z-depth
    along a ray is then the same for both.
    """
    depth_hw = (depth_m.shape[1], depth_m.shape[2])
    index, seen = [], []
    for axis in (0, 1):  # x, y: without skew, columns and rows are looked up apart
        num_target, num_depth = target_hw[1 - axis], depth_hw[1 - axis]
        ray = (np.arange(num_target) + 0.5 - target_k_px[axis, 2]) / target_k_px[axis, axis]
        # The small shift keeps rays that meet a pixel border up to rounding in the pixel that a pure scale would give.
        at = np.floor(ray * depth_k_px[axis, axis] + depth_k_px[axis, 2] + 1e-9).astype(np.int64)
        seen.append((at >= 0) & (at < num_depth))
        index.append(np.clip(at, 0, num_depth - 1))
    out = depth_m[:, index[1][:, None], index[0][None, :]]
    out[:, ~(seen[1][:, None] & seen[0][None, :])] = np.nan
    return out


def splat_depth(
    points_camera: Float64[np.ndarray, "n 3"], *, k_px: Float64[np.ndarray, "3 3"], size_hw: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """Sparse depth image of points: each falls into the pixel it projects to, the nearest wins, other pixels are NaN.

    Points behind the camera, outside the image or not finite are left out.

    >>> k = np.array([[10.0, 0, 2], [0, 10.0, 1], [0, 0, 1]])
    >>> splat_depth(np.array([[0.0, 0, 5], [0, 0, 4], [0, 0, -3]]), k_px=k, size_hw=(2, 4))[1].tolist()
    [nan, nan, 4.0, nan]
    """
    depth_m = np.full(size_hw, np.nan, np.float32)
    points = points_camera[np.isfinite(points_camera).all(axis=1) & (points_camera[:, 2] > 1e-6)]
    px = points @ k_px.T
    column = np.floor(px[:, 0] / px[:, 2])
    row = np.floor(px[:, 1] / px[:, 2])
    inside = (column >= 0) & (column < size_hw[1]) & (row >= 0) & (row < size_hw[0])
    z = points[inside, 2]
    order = np.argsort(-z)  # of several values assigned to one pixel numpy keeps the last
    depth_m[row[inside][order].astype(np.int64), column[inside][order].astype(np.int64)] = z[order]
    return depth_m


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredDepth:
    """``LoadDepth`` that resamples what ``load`` gives from the depth camera's view into the colour camera's."""

    load: LoadDepth
    depth_k_px: Float64[np.ndarray, "3 3"]
    target_k_px: Float64[np.ndarray, "3 3"]
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f h w"]:
        """Depth at ``indices`` in the colour camera's view."""
        return resample_depth(
            self.load(indices), depth_k_px=self.depth_k_px, target_k_px=self.target_k_px, target_hw=self.size_hw
        )


def register(
    load: LoadDepth,
    *,
    depth_hw: tuple[int, int],
    depth_k_px: Float64[np.ndarray, "3 3"],
    rgb_hw: tuple[int, int],
    rgb_k_px: Float64[np.ndarray, "3 3"],
    thing: object,
) -> tuple[LoadDepth, tuple[str, ...]]:
    """A loader of depth at its own resolution with the field of view of the colour frame, and a note if that took work.

    The two cameras share centre and axes. Where their views already agree to half a depth pixel ``load`` is returned.

    Errors: ``InputError`` on ``thing`` when the depth camera sees less than half of the colour frame, which means that
    the two intrinsics do not belong together.
    """
    target_k_px = scale_k(rgb_k_px, from_hw=rgb_hw, to_hw=depth_hw)
    corners = np.array([[0.0, 0.0, 1.0], [depth_hw[1], depth_hw[0], 1.0]]).T
    moved = depth_k_px @ np.linalg.solve(target_k_px, corners)
    if np.abs(moved - corners).max() <= 0.5:
        return load, ()
    limit = np.array(depth_hw[::-1], np.float64)
    seen = np.clip(moved[:2, 1], 0, limit) - np.clip(moved[:2, 0], 0, limit)
    share = float(np.prod(np.clip(seen, 0, None) / np.abs(moved[:2, 1] - moved[:2, 0])))
    if not share > 0.5:
        raise InputError(
            thing, expected="a depth camera that sees the colour frame", got=f"{share:.0%} of it by their intrinsics"
        )
    note = f"depth resampled into the colour camera's view, of which the depth camera sees {share:.1%}"
    return RegisteredDepth(load=load, depth_k_px=depth_k_px, target_k_px=target_k_px, size_hw=depth_hw), (note,)
