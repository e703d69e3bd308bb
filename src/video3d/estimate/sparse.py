"""Sparse depth maps from the points that structure from motion reconstructed."""

import numpy as np
from jaxtyping import Float, Float32, Int64

RADIUS_SHARE = 1 / 320  # of the width: two pixels at 640, about the size of the feature that was matched


def splat_depth(
    num_frames: int,
    size_hw: tuple[int, int],
    *,
    point_frame: Int64[np.ndarray, "o"],
    point_px: Float32[np.ndarray, "o 2"],
    point_depth: Float[np.ndarray, "o"],
) -> Float32[np.ndarray, "f h w"]:
    """Depth of the points within a small disc around where they are seen, NaN everywhere else.

    A feature is found on a patch of the picture and not on one pixel, so its depth holds for the patch. A pixel in two
    discs takes the point whose centre is nearer, the nearer to the camera of two equally far. Points outside the
    picture or without a depth > 0 are left out.

    >>> depth = splat_depth(1, (5, 5), point_frame=np.array([0]), point_px=np.array([[2.5, 2.5]], np.float32),
    ...                     point_depth=np.array([1.5]))
    >>> int(np.isfinite(depth).sum()), float(depth[0, 2, 2])
    (1, 1.5)
    """
    h, w = size_hw
    depth = np.full((num_frames, h, w), np.nan, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(point_px).all(axis=1) & np.isfinite(point_depth) & (point_depth > 0)
    # Where two are written to one pixel the last stays: far points first.
    order = np.flatnonzero(good)[np.argsort(-point_depth[good], kind="stable")]
    frame, z = point_frame[order], point_depth[order].astype(np.float32)
    column = np.floor(point_px[order, 0]).astype(np.int64)
    row = np.floor(point_px[order, 1]).astype(np.int64)
    radius = w * RADIUS_SHARE
    reach = int(radius)
    offsets = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    within = [offset for offset in offsets if np.hypot(*offset) <= radius]
    for dy, dx in sorted(within, key=lambda offset: -np.hypot(*offset)):  # centres last
        y, x = row + dy, column + dx
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
        depth[frame[inside], y[inside], x[inside]] = z[inside]
    return depth
