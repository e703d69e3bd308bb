"""What a model wants to know of a clip's geometry, as the tensors of its batch.

A configuration decides what is wanted (``wanted_geometry``): depth maps only where a module reads them, cameras, times. Points
come at the patch grid, or pooled to tokens already where tokens are merged by voxel: the voxel that a point falls in must not
depend on which device pooled it, and the number of tokens has to be known to write the prompt.
"""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

from video3d.geometry.lift_cells import Window, lift_cells
from video3d.geometry.lift_variants import lift_centers, lift_extents
from video3d.model.configuration_video3d import PoolMode, Video3DConfig
from video3d.model.position import pool_extent, pool_points
from video3d.types import PatchPoints, PosedClip

GEOMETRY = ("depth", "camera", "time", "extent", "center")


def wanted_geometry(config: Video3DConfig) -> list[str]:
    """Which of ``GEOMETRY`` the modules of a configuration read.

    >>> wanted_geometry(Video3DConfig(camera_encoding=True, temporal_layers=1))
    ['camera', 'time']
    """
    wanted = {
        "depth": config.depth_encoding or config.depth_head or (config.temporal_layers > 0 and config.depth_attention),
        "camera": config.camera_encoding or config.depth_head or config.object_head or config.arrangement == "voxel",
        "time": config.temporal_layers > 0 or config.arrangement == "voxel",
        "extent": config.position_points == "minmax",
        "center": config.position_points == "center",
    }
    return [name for name in GEOMETRY if wanted[name]]


def geometry_tensors(
    clip: PosedClip, points: PatchPoints | None, wanted: Collection[str], *, pool: int, pool_mode: PoolMode,
    patch_px: int, to_tokens: bool, cells: bool = False, unknown_as_zero: bool = False,
) -> dict[str, Tensor]:  # fmt: skip
    """The tensors of one clip (f ...): ``points_world`` and ``valid_share`` with points, and what is wanted besides.

    Args:
        clip: at the size of the model's frames.
        points: of its patches; ``None``: no token has a place.
        wanted: of ``GEOMETRY``.
        pool: patches per token along each side.
        pool_mode: how patches become tokens.
        patch_px: side of a patch.
        to_tokens: pool points to tokens here.
        cells: take the mean over the cell that a token covers, as published, and not over its patches.
        unknown_as_zero: let unknown depth vote there as 0 m (``config.compat_unknown_depth``).
    """
    out: dict[str, Tensor] = {}
    if points is not None:
        if cells:
            out |= _cells(clip, pool=pool, patch_px=patch_px, unknown_as_zero=unknown_as_zero)
        else:
            out |= _patches(
                clip,
                points,
                pool=pool,
                pool_mode=pool_mode if to_tokens else None,
                patch_px=patch_px,
                center="center" in wanted,
            )
        if "extent" in wanted:
            extents = torch.from_numpy(lift_extents(clip, patch_px))
            out["extent_world"] = pool_extent(extents, pool) if cells else extents  # at one grid with the points
    elif (
        to_tokens
    ):  # known to have no place, so that the model lifts none either: the prompt's placeholders are counted
        grid = tuple(-(-(side // patch_px) // pool) for side in clip.size_hw)
        out["points_world"] = torch.full((clip.num_frames, *grid, 3), torch.nan)
        out["valid_share"] = torch.zeros(clip.num_frames, *grid)
    if "depth" in wanted:
        known = np.isfinite(clip.depth_m) & (clip.depth_m > 0)
        out["depth_m"] = torch.from_numpy(np.where(known, clip.depth_m, np.float32(np.nan)))
    if "camera" in wanted:
        out["k_px"] = torch.from_numpy(clip.k_px.astype(np.float32))
        out["world_from_camera"] = torch.from_numpy(clip.world_from_camera.astype(np.float32))
    if "time" in wanted:
        out["time_s"] = torch.from_numpy(clip.time_s - _first(clip.time_s)).float()
    return out


def _patches(
    clip: PosedClip, points: PatchPoints, *, pool: int, pool_mode: PoolMode | None, patch_px: int, center: bool
) -> dict[str, Tensor]:
    """Points of patches as they were lifted, or pooled to tokens; or of the middle of what is encoded, which is a token."""
    if center:
        points = lift_centers(clip, pool * patch_px)
    world, share = torch.from_numpy(np.array(points.points_world)), torch.from_numpy(np.array(points.valid_share))
    if pool_mode is not None and not center:
        world, share = pool_points(world, share, pool, pool_mode)
    return {"points_world": world, "valid_share": share}


def _cells(clip: PosedClip, *, pool: int, patch_px: int, unknown_as_zero: bool) -> dict[str, Tensor]:
    """Points of tokens: 27 x 27 patches of 14 px are 14 x 14 tokens of 27 px, whose edges are no patches' edges."""
    height, width = (side // patch_px * patch_px for side in clip.size_hw)
    grid = (-(-height // patch_px // pool), -(-width // patch_px // pool))
    window = Window(top=0.0, left=0.0, height=float(height), width=float(width))
    found = lift_cells(clip.depth_m, clip.k_px, clip.world_from_camera, grid, window, unknown_as_zero=unknown_as_zero)
    share = np.ones_like(found.valid_share) if unknown_as_zero else found.valid_share
    return {"points_world": torch.from_numpy(found.points_world), "valid_share": torch.from_numpy(share)}


def _first(time_s: np.ndarray) -> float:
    known = time_s[np.isfinite(time_s)]
    return float(known[0]) if len(known) else 0.0
