"""Voxels: places in the world rounded to a grid, each packed into one integer so that sets of them are sorted arrays.

A voxel holds ``[i * voxel_m, (i + 1) * voxel_m)`` on every axis (floor, also below zero). Its three indices share one
int64, 21 bits each with an offset of 2**20, so a grid reaches 1,048,576 voxels to either side of the origin: 104 km at
0.1 m. Keys are never negative and sort like their (x, y, z) indices. A set of voxels is an array of keys, sorted and
without repeats; numpy's ``intersect1d`` and friends (with ``assume_unique``) are its set operations, named below.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64

from video3d.geometry.rigid import inverse_k
from video3d.types import InputError

BITS = 21
OFFSET = 1 << (BITS - 1)
"""Indices reach from -OFFSET to OFFSET - 1 on every axis."""
UNKNOWN_VOXEL = -1
"""Key of a point that is not known. Never part of a set."""
_BITMAP_CELLS = 1 << 22
"""Up to this many cells a bitmap over the box around a view beats a sort of its pixels."""


def _check_side(voxel_m: float) -> None:
    if not (np.isfinite(voxel_m) and voxel_m > 0):
        raise InputError("voxel_m", expected="a side > 0 in metres", got=voxel_m, do="0.1 suits rooms")


def _out_of_range(voxels: int | float) -> InputError:
    return InputError(
        "points",
        expected=f"places within {OFFSET:,} voxels of the world's origin",
        got=f"one {abs(voxels):.3g} voxels away",
        do="look for a wrong pose or depth unit, or take a larger voxel_m",
    )


def pack(indices: Int[np.ndarray, "*s 3"]) -> Int64[np.ndarray, "*s"]:
    """Pack integer voxel indices into one key each.

    Raises:
        InputError: an index lies outside [-2**20, 2**20).

    >>> keys = pack(np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [-1, 9, 9]]))
    >>> (keys - keys[0]).tolist()
    [0, 1, 2097152, -4398027636727]
    """
    index = indices.astype(np.int64)
    if index.size and (int(index.min()) < -OFFSET or int(index.max()) >= OFFSET):
        worst = int(index.min() if -int(index.min()) > int(index.max()) else index.max())
        raise _out_of_range(worst)
    shifted = index + OFFSET
    return np.asarray((shifted[..., 0] << (2 * BITS)) | (shifted[..., 1] << BITS) | shifted[..., 2])


def unpack(keys: Int64[np.ndarray, "*s"]) -> Int64[np.ndarray, "*s 3"]:
    """Integer voxel indices of keys: the inverse of ``pack``.

    Raises:
        ValueError: a key is negative, so it names no voxel (``UNKNOWN_VOXEL`` has no place).
    """
    if keys.size and int(keys.min()) < 0:
        raise ValueError("keys: expected voxels, got UNKNOWN_VOXEL or another negative key; drop those first")
    mask = (1 << BITS) - 1
    return np.stack([(keys >> (2 * BITS)) & mask, (keys >> BITS) & mask, keys & mask], axis=-1) - OFFSET


def voxel_keys(points: Float[np.ndarray, "*s 3"], voxel_m: float) -> Int64[np.ndarray, "*s"]:
    """The voxel that every point falls in, as a packed key; ``UNKNOWN_VOXEL`` for a point with a NaN or infinity.

    Args:
        points: places in any one frame, in metres.
        voxel_m: side of a voxel in metres.

    Raises:
        InputError: a side that is not > 0, or a point beyond the grid (see the module's first lines).

    >>> points = np.array([[0.05, 0.0, 0.0], [-0.05, 0.0, 0.0], [np.nan, 0.0, 0.0]])
    >>> keys = voxel_keys(points, 0.1)
    >>> unpack(keys[:2]).tolist(), int(keys[2])
    ([[0, 0, 0], [-1, 0, 0]], -1)
    """
    _check_side(voxel_m)
    known = np.isfinite(points).all(axis=-1)
    # Clipped before the cast, which is undefined beyond int64; pack then says what is out of range.
    scaled = np.clip(np.floor(points[known].astype(np.float64) / voxel_m), -(2.0**40), 2.0**40)
    keys = np.full(known.shape, UNKNOWN_VOXEL, dtype=np.int64)
    keys[known] = pack(scaled.astype(np.int64))
    return keys


def _sorted_set(keys: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "v"]:
    ordered = np.sort(keys)
    first = np.ones(ordered.size, dtype=bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def unique_voxels(points: Float[np.ndarray, "*s 3"], voxel_m: float) -> Int64[np.ndarray, "v"]:
    """The set of voxels that points fall in: sorted keys without repeats; unknown points have none.

    >>> unique_voxels(np.array([[0.01, 0, 0], [0.09, 0, 0], [0.11, 0, 0], [np.nan, 0, 0]]), 0.1).size
    2
    """
    keys = voxel_keys(points, voxel_m).reshape(-1)
    return _sorted_set(keys[keys >= 0])


def visible_voxels(
    depth_m: Float32[np.ndarray, "h w"],
    k_px: Float64[np.ndarray, "3 3"],
    world_from_camera: Float64[np.ndarray, "4 4"],
    voxel_m: float = 0.1,
    *,
    pixel_stride: int = 1,
) -> Int64[np.ndarray, "v"]:
    """The set of world voxels that one depth map sees: what unprojecting every pixel and ``unique_voxels`` would give.

    Far faster than that: the ray of a pixel is linear in its row and column, so that a voxel index costs a product and
    a sum an axis, and repeats are found in a bitmap over the box around the view, without a sort (a view too wide for
    one falls back to sorting). Computed in float32 relative to the camera's voxel: a point within about 1e-5 voxels of
    a voxel's face may fall on its other side.

    Args:
        depth_m: z-depth in metres; pixels that are NaN, infinite or <= 0 see nothing.
        k_px: intrinsics at the size of the depth map, pixel centres at +0.5.
        world_from_camera: pose. A pose or intrinsics with a NaN see nothing.
        voxel_m: side of a voxel in metres.
        pixel_stride: read every n-th pixel of every n-th row, from the middle of the first n x n block.

    Raises:
        InputError: a point lies beyond the grid (see the module's first lines), or ``k_px`` is singular.

    >>> wall = np.full((48, 64), 2.0, dtype=np.float32)
    >>> k_px = np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]])
    >>> voxels = visible_voxels(wall, k_px, np.eye(4), 0.5)
    >>> unpack(voxels)[:, 2].tolist() == [4] * voxels.size, voxels.size
    (True, 24)
    """
    _check_side(voxel_m)
    empty = np.zeros(0, dtype=np.int64)
    start = pixel_stride // 2
    depth = depth_m[start::pixel_stride, start::pixel_stride]
    if depth.size == 0 or not (np.isfinite(k_px).all() and np.isfinite(world_from_camera).all()):
        return empty
    known = (depth > 0) & (depth < np.inf)
    depth = np.where(known, depth, np.float32(0))  # an unknown pixel lands in the camera's voxel, and is left out below
    farthest = float(depth.max())
    if farthest == 0:
        return empty
    ray_from_px = world_from_camera[:3, :3] @ inverse_k(k_px) / voxel_m
    column = np.arange(start, depth_m.shape[1], pixel_stride) + 0.5
    row = np.arange(start, depth_m.shape[0], pixel_stride) + 0.5
    center = world_from_camera[:3, 3] / voxel_m
    corners = np.array([[u, v, 1.0] for u in column[[0, -1]] for v in row[[0, -1]]])
    low, high = _box_around_view(center, corners @ ray_from_px.T * farthest)
    by_column = (ray_from_px[:, :1] * column).astype(np.float32)  # 3 w
    by_row = (ray_from_px[:, 1:2] * row + ray_from_px[:, 2:]).astype(np.float32)  # 3 h
    shift = (center - low).astype(np.float32)  # all indices from here on are counted from low, and > 0
    span = (high - low).astype(np.int64)
    base = low.astype(np.int64)
    if span.prod(dtype=np.float64) <= _BITMAP_CELLS:
        cells = int(span.prod())
        x, y, z = (_floored(by_column[i], by_row[i], depth, shift[i]) for i in range(3))
        # One index into the box for each pixel; exact in float32, for no number exceeds _BITMAP_CELLS < 2**24.
        x *= np.float32(span[1])
        x += y
        x *= np.float32(span[2])
        x += z
        if not known.all():
            np.copyto(x, np.float32(cells), where=~known)
        seen = np.zeros(cells + 1, dtype=bool)  # the last one takes what is not known
        seen[x.astype(np.intp)] = True
        place = np.stack(np.unravel_index(np.flatnonzero(seen[:cells]), tuple(span.tolist())), axis=-1)
        return pack(place + base)  # in order: flat indices ascend like keys
    index = np.stack([_floored(by_column[i], by_row[i], depth, shift[i]) for i in range(3)], axis=-1)
    keys = pack(index[known].astype(np.int64) + base)
    repeat = np.zeros(keys.size, dtype=bool)
    repeat[1:] = keys[1:] == keys[:-1]  # neighbours often share a voxel, and a sort costs more than a look
    return _sorted_set(keys[~repeat])


def _box_around_view(
    center: Float64[np.ndarray, "3"], rays: Float64[np.ndarray, "4 3"]
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """First and past-the-last voxel indices around a camera and the far corners of its view, one voxel to spare."""
    reach = np.vstack([rays, np.zeros(3)]) + center
    low, high = np.floor(reach.min(axis=0)) - 1, np.floor(reach.max(axis=0)) + 2
    worst = float(np.maximum(np.abs(low), np.abs(high)).max())
    if not worst < OFFSET:
        raise _out_of_range(worst)
    return low, high


def _floored(
    by_column: Float32[np.ndarray, "w"],
    by_row: Float32[np.ndarray, "h"],
    depth: Float32[np.ndarray, "h w"],
    shift: np.float32,
) -> Float32[np.ndarray, "h w"]:
    """Voxel index of every pixel on one axis: floor(depth * (by_column + by_row) + shift)."""
    index = by_column[None, :] + by_row[:, None]
    index *= depth
    index += shift
    return np.floor(index, out=index)


def voxel_centers(keys: Int64[np.ndarray, "*s"], voxel_m: float) -> Float64[np.ndarray, "*s 3"]:
    """Centres of voxels in metres.

    >>> voxel_centers(unique_voxels(np.array([[0.31, 0.0, -0.01]]), 0.1), 0.1).round(3).tolist()
    [[0.35, 0.05, -0.05]]
    """
    _check_side(voxel_m)
    return (unpack(keys) + 0.5) * voxel_m


def union(a: Int64[np.ndarray, "n"], b: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "v"]:
    """Voxels in either set."""
    return np.union1d(a, b)


def intersection(a: Int64[np.ndarray, "n"], b: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "v"]:
    """Voxels in both sets."""
    return np.intersect1d(a, b, assume_unique=True)


def difference(a: Int64[np.ndarray, "n"], b: Int64[np.ndarray, "m"]) -> Int64[np.ndarray, "v"]:
    """Voxels of the first set that the second lacks."""
    return np.setdiff1d(a, b, assume_unique=True)


def contains(voxels: Int64[np.ndarray, "n"], keys: Int64[np.ndarray, "m"]) -> Bool[np.ndarray, "m"]:
    """Whether every key is in a set; false for ``UNKNOWN_VOXEL``.

    >>> contains(np.array([3, 5]), np.array([5, 4, -1])).tolist()
    [True, False, False]
    """
    if voxels.size == 0:
        return np.zeros(keys.shape, dtype=bool)
    place = np.minimum(np.searchsorted(voxels, keys), voxels.size - 1)
    return voxels[place] == keys


def voxel_iou(a: Int64[np.ndarray, "n"], b: Int64[np.ndarray, "m"]) -> float:
    """Size of the intersection over that of the union, 0 for two empty sets."""
    shared = intersection(a, b).size
    joined = a.size + b.size - shared
    return shared / joined if joined else 0.0


def voxel_downsample(points: Float[np.ndarray, "n 3"], voxel_m: float) -> Float64[np.ndarray, "v 3"]:
    """One point a voxel: the mean of the points in it, in the order of voxel keys; unknown points are left out.

    >>> voxel_downsample(np.array([[0.02, 0.0, 0.0], [0.04, 0.0, 0.0], [0.5, 0.0, 0.0]]), 0.1).round(3).tolist()
    [[0.03, 0.0, 0.0], [0.5, 0.0, 0.0]]
    """
    keys = voxel_keys(points, voxel_m)
    known = keys >= 0
    order = np.argsort(keys[known], kind="stable")
    ordered_keys, ordered = keys[known][order], points[known][order].astype(np.float64)
    if ordered_keys.size == 0:
        return np.zeros((0, 3))
    starts = np.flatnonzero(np.r_[True, ordered_keys[1:] != ordered_keys[:-1]])
    counts = np.diff(np.r_[starts, ordered_keys.size])
    return np.add.reduceat(ordered, starts, axis=0) / counts[:, None]
