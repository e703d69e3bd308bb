"""Step 5: the world point of every patch, without a world point for every pixel.

Notable: for one frame the map from (u·z, v·z, z) to the world is affine, and the mean commutes with an affine map. So
the mean world point of a patch is the map of the means of u·z, v·z and z over the patch's known pixels: three numbers
are pooled per patch and the 3x4 transform is applied once per patch, not once per pixel. Pooling is separable and runs
as small matrix products on blocks that stay in the cache, so that the depth is read from memory once and nothing of its
size is written. ``benchmarks/lift.py`` measures it against the straightforward way.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from video3d.geometry.rigid import inverse_k
from video3d.types import InputError, PatchPoints, PosedClip

# Pixels worked on at a time. A frame of 480x640 fits: 2.8 MB of buffers, in the second- and third-level cache. Smaller
# blocks cost more in calls than they gain in cache (measured: 3 patch rows at a time take 1.5x as long as a frame).
_BLOCK_PX = 1 << 19


def lift_patches(clip: PosedClip, patch_px: int, *, unknown_as_zero: bool = False) -> PatchPoints:
    """The mean world point of every square patch of a clip, and what share of its pixels is known.

    The unit is that of the clip's depth (metres if ``clip.world.metric``). Frames without pose or intrinsics get NaN
    points but keep ``depth_m`` and ``valid_share``. See ``lift_depth_patches``.

    Raises:
        InputError: depth and colour differ in size (``resize_clip`` brings them together), or see
            ``lift_depth_patches``.

    >>> from video3d.types import World
    >>> one = np.array([0])
    >>> clip = PosedClip(
    ...     frame_index=one, time_s=np.zeros(1), rgb=np.zeros((1, 4, 4, 3), np.uint8), piece=one, world=World(),
    ...     depth_m=np.full((1, 4, 4), 2.0, np.float32), k_px=np.array([[[2.0, 0, 2], [0, 2, 2], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None],
    ... )
    >>> lift_patches(clip, 2).points_world[0, 0, 1].tolist()
    [1.0, -1.0, 2.0]
    """
    if clip.depth_m.shape[1:] != clip.size_hw:
        raise InputError(
            "depth_m",
            expected=f"the size of the colour frames, {clip.size_hw[0]}x{clip.size_hw[1]}",
            got=f"{clip.depth_m.shape[1]}x{clip.depth_m.shape[2]}",
            do="bring both to one size with resize_clip first",
        )
    return lift_depth_patches(
        clip.depth_m, clip.k_px, clip.world_from_camera, patch_px, unknown_as_zero=unknown_as_zero
    )


def lift_depth_patches(
    depth_m: Float32[np.ndarray, "f h w"],
    k_px: Float[np.ndarray, "f 3 3"],
    world_from_camera: Float[np.ndarray, "f 4 4"],
    patch_px: int,
    *,
    unknown_as_zero: bool = False,
) -> PatchPoints:
    """The mean world point, mean z-depth and known share of every ``patch_px`` x ``patch_px`` patch.

    A side that is no multiple of ``patch_px`` is floored: the right and bottom remainder belongs to no patch, as with
    the average pooling of the Video-3D LLM paper's code. Depth that is NaN, infinite or <= 0 is unknown and does not
    vote; a patch without a known pixel is NaN. Skew in K is honoured.

    Accuracy: sums of up to ``patch_px``² pixels in float32 with pixel coordinates centred at the patch, the rest in
    float64; the distance to the mean of all pixels' world points in float64 is about 1e-6 of the depth.

    Args:
        depth_m: z-depth in metres.
        k_px: intrinsics at the size of the depth, NaN where unknown.
        world_from_camera: poses, NaN where unknown.
        patch_px: side of a patch in pixels.
        unknown_as_zero: let unknown pixels vote with depth 0, that is with the camera's position, as the paper's code
            does. Only for weights trained that way; ``depth_m`` is then 0 instead of NaN for an unknown patch.

    Raises:
        InputError: a patch that is not 1 px to the smaller side of the image, or singular intrinsics.

    >>> depth_m = np.full((1, 4, 4), 2.0, np.float32)
    >>> depth_m[0, :2, :2] = np.nan
    >>> k_px = np.array([[[2.0, 0, 2], [0, 2, 2], [0, 0, 1]]])
    >>> points = lift_depth_patches(depth_m, k_px, np.eye(4)[None], 2)
    >>> points.valid_share[0].tolist(), points.points_world[0, 1, 0].tolist()
    ([[0.0, 1.0], [1.0, 1.0]], [-1.0, 1.0, 2.0])
    """
    num_frames, height, width = depth_m.shape
    if not 1 <= patch_px <= min(height, width):
        raise InputError("patch_px", expected=f"1 to {min(height, width)} for frames of {height}x{width}", got=patch_px)
    sums = _pool(depth_m, patch_px)
    num_voting = np.float64(patch_px**2) if unknown_as_zero else np.where(sums.count > 0, sums.count, np.nan)
    mean_z = sums.z / num_voting  # f gh gw, float64 from here on

    # u·z and v·z were pooled with u, v counted from the centre of the patch; move them to the image's origin.
    _, rows, columns = mean_z.shape
    center_u = (np.arange(columns) + 0.5) * patch_px
    center_v = (np.arange(rows)[:, None] + 0.5) * patch_px
    mean_uz = sums.uz / num_voting + center_u * mean_z
    mean_vz = sums.vz / num_voting + center_v * mean_z

    world_from_px = world_from_camera[:, :3, :3].astype(np.float64) @ inverse_k(k_px)  # f 3 3
    means = np.stack([mean_uz, mean_vz, mean_z], axis=-1).reshape(num_frames, rows * columns, 3)
    points = means @ np.swapaxes(world_from_px, 1, 2) + world_from_camera[:, None, :3, 3]
    return PatchPoints(
        points_world=_float32_or_nan(points.reshape(num_frames, rows, columns, 3)),
        depth_m=_float32_or_nan(mean_z),
        valid_share=(sums.count / np.float32(patch_px**2)).astype(np.float32),
        patch_px=patch_px,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _PatchSums:
    """Sums over a patch's known pixels; u, v are counted from the patch's centre, in pixels."""

    count: Float32[np.ndarray, "f gh gw"]
    z: Float[np.ndarray, "f gh gw"]
    uz: Float[np.ndarray, "f gh gw"]
    vz: Float[np.ndarray, "f gh gw"]


def _pool(depth_m: Float32[np.ndarray, "f h w"], patch_px: int) -> _PatchSums:
    """Sum depth, and depth times the place in the patch, over the known pixels of every patch."""
    num_frames, height, width = depth_m.shape
    rows, columns, used_width = height // patch_px, width // patch_px, width // patch_px * patch_px
    offset = np.arange(patch_px, dtype=np.float32) - np.float32((patch_px - 1) / 2)
    weights = np.stack([np.ones(patch_px, np.float32), offset])  # 2 p: what is summed, along one axis
    weights_t = np.ascontiguousarray(weights.T)

    block_rows = min(rows, max(1, _BLOCK_PX // (patch_px * width)))
    zeros = np.zeros((block_rows, patch_px, width), np.float32)
    known_z, is_known = np.empty_like(zeros), np.empty(zeros.shape, bool)
    by_column = np.empty((block_rows, 2, width), np.float32)
    # Whole rows are pooled, remainder included: contiguous memory is worth more than the columns that are dropped.
    count_type = np.uint8 if patch_px <= np.iinfo(np.uint8).max else np.uint32
    count_by_column = np.empty((block_rows, width), count_type)

    sums = np.empty((num_frames, rows, 2, columns, 2), np.float32)  # sums[..., i, :, j] weighs rows by i, columns by j
    count = np.empty((num_frames, rows, columns), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite depth is dealt with below
        for frame in range(num_frames):
            for first in range(0, rows, block_rows):
                n = min(block_rows, rows - first)
                block = depth_m[frame, first * patch_px : (first + n) * patch_px].reshape(n, patch_px, width)
                # fmax takes the number where the other is NaN. Against an array of zeros it is vectorised by numpy,
                # against the scalar 0 it is not and takes three times as long.
                np.fmax(block, zeros[:n], out=known_z[:n])
                np.greater(known_z[:n], zeros[:n], out=is_known[:n])
                np.matmul(weights, known_z[:n], out=by_column[:n])
                sums[frame, first : first + n] = (
                    by_column[:n, :, :used_width].reshape(-1, patch_px) @ weights_t
                ).reshape(n, 2, columns, 2)
                np.add.reduce(is_known[:n].view(np.uint8), axis=1, dtype=count_type, out=count_by_column[:n])
                count[frame, first : first + n] = (
                    count_by_column[:n, :used_width].astype(np.float32).reshape(-1, patch_px) @ weights_t[:, 0]
                ).reshape(n, columns)

    z, uz, vz = sums[:, :, 0, :, 0], sums[:, :, 0, :, 1], sums[:, :, 1, :, 0]
    overflown = np.flatnonzero(~(np.isfinite(z) & np.isfinite(uz) & np.isfinite(vz)).all(axis=(1, 2)))
    if overflown.size:  # infinite depth, or so large that float32 cannot hold the sum
        z, uz, vz = z.astype(np.float64), uz.astype(np.float64), vz.astype(np.float64)
        for frame in overflown:
            z[frame], uz[frame], vz[frame], count[frame] = _pool_float64(depth_m[frame], patch_px, weights)
    return _PatchSums(count=count, z=z, uz=uz, vz=vz)


def _pool_float64(
    depth_m: Float32[np.ndarray, "h w"], patch_px: int, weights: Float32[np.ndarray, "2 p"]
) -> Float[np.ndarray, "4 gh gw"]:
    """The sums of one frame of any finite depth, in the plain way: z, u·z, v·z, count."""
    rows, columns = depth_m.shape[0] // patch_px, depth_m.shape[1] // patch_px
    depth = depth_m[: rows * patch_px, : columns * patch_px].astype(np.float64)
    known = np.isfinite(depth) & (depth > 0)
    patches = np.where(known, depth, 0).reshape(rows, patch_px, columns, patch_px)
    ones, offset = weights.astype(np.float64)
    z, uz, vz = (
        np.einsum("rvcu,v,u->rc", patches, by_row, by_column)
        for by_row, by_column in ((ones, ones), (ones, offset), (offset, ones))
    )
    return np.stack([z, uz, vz, known.reshape(patches.shape).sum(axis=(1, 3))])


def _float32_or_nan(values: Float[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """To float32, with NaN and not infinity for what float32 cannot hold: NaN is how this house says unknown."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    narrow[np.isinf(narrow)] = np.nan
    return narrow
