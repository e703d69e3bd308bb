"""Pixels that show what is in a box of the world, or what lies level at a height: where their colours come from.

A box around a thing holds more than the thing: what is under it, behind it and between its legs. Its own pixels are not told apart here;
those right around the box are given beside them, so that whoever reads their colours can take away what both have in common.

Black and shiny surfaces often have no depth, for they send no light back to the sensor. A pixel without depth counts as one of the
box that its ray goes through, less than one whose place is known; a depth map that knows few places at all (LiDAR) says nothing so.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from video3d.geometry.rigid import is_known, pixel_rays, scale_k
from video3d.types import Box3D, PosedClip

_SIDE = 120  # rows or columns of a frame that are looked at
_MOST_FRAMES = 8
_FOOT_M = 0.03  # over the floor is taken for it
_TOP_M = 0.05  # over a box that is set too low
_BLIND = 0.7  # weight of a pixel without depth
_LEAST_KNOWN = 0.3  # of a depth map, for its gaps to mean something
_AROUND, _AROUND_M = 1.35, 0.1  # how far what is around a box reaches: times its half sides, and more
_LEVEL_M = 0.04


class BoxPixels(NamedTuple):
    """Pixels of several frames.

    Attributes:
        rgb: their colours.
        weight: of each for the thing in the box, the more the nearer to its middle; 0 outside of it.
        around: those that show what is right beside the box.
    """

    rgb: UInt8[np.ndarray, "n 3"]
    weight: Float64[np.ndarray, "n"]
    around: Bool[np.ndarray, "n"]


def box_pixels(clip: PosedClip, box: Box3D, frames: Sequence[int], floor_z: float | None) -> BoxPixels:
    """Pixels in and around a box, of a few frames that show it, evenly taken.

    Args:
        clip: with depth, intrinsics and poses in its world, metres, +z up.
        box: upright.
        frames: positions in the clip.
        floor_z: height of the floor, which is no part of the thing; None: not known.
    """
    found = [_of_frame(clip, box, frame, floor_z) for frame in _few(clip, frames)]
    return BoxPixels(
        rgb=np.concatenate([one.rgb for one in found], dtype=np.uint8) if found else np.zeros((0, 3), np.uint8),
        weight=np.concatenate([one.weight for one in found]) if found else np.zeros(0),
        around=np.concatenate([one.around for one in found]) if found else np.zeros(0, dtype=bool),
    )


def level_pixels(clip: PosedClip, z: float, frames: Sequence[int] | None = None) -> UInt8[np.ndarray, "n 3"]:
    """Colours of pixels that show places at a height, a few centimetres up or down: of the floor or the ceiling.

    Args:
        clip: with depth, intrinsics and poses in its world, metres, +z up.
        z: the height in the world.
        frames: positions in the clip; None: of all.
    """
    colors = [np.zeros((0, 3), np.uint8)]
    for frame in _few(clip, range(clip.num_frames) if frames is None else frames, 2 * _MOST_FRAMES):
        row, column, depth, rays = _looked_at(clip, frame)
        pose = clip.world_from_camera[frame]
        height = pose[2, 3] + (rays @ pose[2, :3]) * depth
        with np.errstate(invalid="ignore"):
            there = np.abs(height - z) < _LEVEL_M
        colors.append(_rgb(clip, frame, row[there], column[there]))
    return np.concatenate(colors)


def _few(clip: PosedClip, frames: Sequence[int], most: int = _MOST_FRAMES) -> list[int]:
    """Of some frames those with a place in the world, evenly taken."""
    usable = (clip.piece == 0) & is_known(clip.world_from_camera) & is_known(clip.k_px)
    placed = [frame for frame in frames if usable[frame]]
    if len(placed) <= most:
        return placed
    return [placed[i] for i in np.linspace(0, len(placed) - 1, most).round().astype(int)]


def _looked_at(
    clip: PosedClip, frame: int
) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "n 3"]]:
    """Rows, columns and depths of the places of a depth map that are looked at, and the rays to them in the camera's frame."""
    depth = clip.depth_m[frame]
    step = max(1, min(depth.shape) // _SIDE)
    rows, columns = (np.arange(step // 2, side, step) for side in depth.shape)
    row, column = (index.reshape(-1) for index in np.meshgrid(rows, columns, indexing="ij"))
    k_px = scale_k(clip.k_px[frame], clip.size_hw, (depth.shape[0], depth.shape[1]))
    return row, column, depth[row, column].astype(np.float64), pixel_rays(k_px, row, column)


def _rgb(
    clip: PosedClip, frame: int, row: Int64[np.ndarray, "n"], column: Int64[np.ndarray, "n"]
) -> UInt8[np.ndarray, "n 3"]:
    """Colours at places of the depth map."""
    (height, width), size = clip.size_hw, clip.depth_m.shape[1:]
    return clip.rgb[frame][(2 * row + 1) * height // (2 * size[0]), (2 * column + 1) * width // (2 * size[1])]


def _of_frame(clip: PosedClip, box: Box3D, frame: int, floor_z: float | None) -> BoxPixels:
    row, column, depth, rays = _looked_at(clip, frame)
    pose = clip.world_from_camera[frame]
    eye = (pose[:3, 3] - box.center_world) @ box.world_from_box
    rays = rays @ pose[:3, :3].T @ box.world_from_box  # all that follows is in the box's own frame
    half = box.size_m / 2
    low, high = -half, half + np.array([0.0, 0.0, _TOP_M])
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = np.stack([(low - eye) / rays, (high - eye) / rays])
    enters, leaves = np.maximum(walls.min(0).max(1), 0.0), walls.max(0).min(1)
    blind = ~np.isfinite(depth)
    if blind.mean() <= 1 - _LEAST_KNOWN:
        depth = np.where(blind & (leaves > enters), (enters + leaves) / 2, depth)
    places = eye + rays * depth[:, None]
    share = places / np.where(places > 0, high, -low)
    with np.errstate(invalid="ignore"):
        inside = (share <= 1).all(1)
        if floor_z is not None:
            inside &= places[:, 2] + box.center_world[2] > floor_z + _FOOT_M
        around = ~inside & ~blind & (np.abs(places) <= _AROUND * half + _AROUND_M).all(1)
    weight = np.exp(-0.5 * (np.where(inside[:, None], share, 0.0) ** 2).sum(1)) * np.where(blind, _BLIND, 1.0) * inside
    kept = inside | around if inside.any() else inside
    return BoxPixels(rgb=_rgb(clip, frame, row[kept], column[kept]), weight=weight[kept], around=around[kept])
