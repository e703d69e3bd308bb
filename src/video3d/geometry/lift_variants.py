"""Other answers to "where does a patch look": its middle pixel, or the box around all of its pixels.

The mean (``lift``) is what the model uses by default; these two are the published work's alternatives, for comparison. A mean
can lie in the air between a chair and the wall behind it; a middle pixel lies on a surface, but on one pixel's word; a box says
both ends.
"""

import numpy as np
from jaxtyping import Float, Float32, Float64

from video3d.geometry.rigid import inverse_k
from video3d.types import InputError, PatchPoints, PosedClip


def lift_centers(clip: PosedClip, patch_px: int) -> PatchPoints:
    """The world point of every patch's middle pixel; NaN, and a share of 0, where that pixel's depth is unknown.

    Where a side is even, the pixel right below or right of the middle. Units and frames as in ``lift_patches``.

    Raises:
        InputError: depth and colour differ in size, or a patch that is not 1 px to the smaller side.
    """
    depth = _known_depth(clip, patch_px)
    f, height, width = depth.shape
    rows, columns = height // patch_px, width // patch_px
    at_v = np.arange(rows) * patch_px + patch_px // 2
    at_u = np.arange(columns) * patch_px + patch_px // 2
    z = depth[:, at_v[:, None], at_u].astype(np.float64)  # f gh gw
    means = np.stack([(at_u + 0.5) * z, (at_v[:, None] + 0.5) * z, z], -1).reshape(f, rows * columns, 3)
    points = means @ np.swapaxes(_world_from_px(clip), 1, 2) + clip.world_from_camera[:, None, :3, 3]
    return PatchPoints(
        points_world=points.reshape(f, rows, columns, 3).astype(np.float32),
        depth_m=z.astype(np.float32),
        valid_share=np.isfinite(z).astype(np.float32),
        patch_px=patch_px,
    )


def lift_extents(clip: PosedClip, patch_px: int) -> Float32[np.ndarray, "f gh gw 2 3"]:
    """Lower and upper corner, along the world's axes, of the box around the world points of every patch's known pixels.

    NaN where a patch has no known pixel, or its frame no camera. Works frame by frame: every pixel is lifted, once.

    Raises:
        InputError: depth and colour differ in size, or a patch that is not 1 px to the smaller side.
    """
    depth = _known_depth(clip, patch_px)
    f, height, width = depth.shape
    rows, columns = height // patch_px, width // patch_px
    u = np.arange(columns * patch_px, dtype=np.float64) + 0.5
    v = (np.arange(rows * patch_px, dtype=np.float64) + 0.5)[:, None]
    out = np.full((f, rows, columns, 2, 3), np.nan, dtype=np.float32)
    for frame, matrix in enumerate(_world_from_px(clip)):
        z = depth[frame, : rows * patch_px, : columns * patch_px].astype(np.float64)
        for axis in range(3):
            value = (matrix[axis, 0] * u + matrix[axis, 1] * v + matrix[axis, 2]) * z + clip.world_from_camera[
                frame, axis, 3
            ]
            blocks = value.reshape(rows, patch_px, columns, patch_px)
            unknown = np.isnan(blocks)
            nothing = unknown.all(axis=(1, 3))
            out[frame, ..., 0, axis] = np.where(nothing, np.nan, np.where(unknown, np.inf, blocks).min(axis=(1, 3)))
            out[frame, ..., 1, axis] = np.where(nothing, np.nan, np.where(unknown, -np.inf, blocks).max(axis=(1, 3)))
    return out


def _known_depth(clip: PosedClip, patch_px: int) -> Float32[np.ndarray, "f h w"]:
    if clip.depth_m.shape[1:] != clip.size_hw:
        raise InputError(
            "depth_m",
            expected=f"the size of the colour frames, {clip.size_hw[0]}x{clip.size_hw[1]}",
            got=f"{clip.depth_m.shape[1]}x{clip.depth_m.shape[2]}",
            do="bring both to one size with resize_clip first",
        )
    height, width = clip.size_hw
    if not 1 <= patch_px <= min(height, width):
        raise InputError("patch_px", expected=f"1 to {min(height, width)} for frames of {height}x{width}", got=patch_px)
    return np.where(np.isfinite(clip.depth_m) & (clip.depth_m > 0), clip.depth_m, np.float32(np.nan))


def _world_from_px(clip: PosedClip) -> Float64[np.ndarray, "f 3 3"]:
    rotation: Float[np.ndarray, "f 3 3"] = clip.world_from_camera[:, :3, :3]
    return rotation.astype(np.float64) @ inverse_k(clip.k_px)
