"""The world point of every cell of a grid laid over a window of an image, at the depth map's own size.

A model that reads square frames of 384 px cuts and scales what the camera saw; its tokens are then cells of 33.75 px of a
480 x 640 depth map. Scaling depth only to take means of it is most of the work, and of the nearest kind it throws a third of
the pixels away. Here cells have edges at fractions of a pixel, and a pixel counts by the share of it that lies in the cell.
The mean commutes with the affine map from (u·z, v·z, z) to the world (see ``lift``), and the weights are separable: two
small matrix products a frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from video3d.geometry.rigid import inverse_k
from video3d.types import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A part of an image in pixels, edges at any fraction: (0, 0) is the outer corner of the top-left pixel."""

    top: float
    left: float
    height: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPoints:
    """Where the cells of a grid look.

    Attributes:
        points_world: mean world point of a cell's known pixels, NaN where there is none or the frame has no pose.
        depth_m: their mean z-depth, NaN where unknown.
        valid_share: share of a cell's area whose depth is known, 0..1.
    """

    points_world: Float32[np.ndarray, "f gh gw 3"]
    depth_m: Float32[np.ndarray, "f gh gw"]
    valid_share: Float32[np.ndarray, "f gh gw"]


def centered_window(size_hw: tuple[int, int], grid: int, *, frame_px: int, cell_px: int) -> Window:
    """What a square grid of cells covers of an image that is scaled to ``frame_px`` in height and cut to a square.

    >>> centered_window((480, 640), 14, frame_px=384, cell_px=27)  # the published frames: 6 of 384 px are in no cell
    Window(top=0.0, left=80.0, height=472.5, width=472.5)
    """
    height, width = size_hw
    side = height * (grid * cell_px / frame_px)
    return Window(top=0.0, left=(width - height) / 2, height=side, width=side)


def lift_cells(
    depth_m: Float32[np.ndarray, "f h w"],
    k_px: Float[np.ndarray, "f 3 3"],
    world_from_camera: Float[np.ndarray, "f 4 4"],
    grid_hw: tuple[int, int],
    window: Window | None = None,
    *,
    unknown_as_zero: bool = False,
) -> CellPoints:
    """The mean world point, mean z-depth and known share of every cell.

    Depth that is NaN, infinite or <= 0 is unknown and does not vote. Sums are float32 with pixel coordinates centred at
    the cell, the rest float64, as in ``lift_depth_patches``, which this equals where edges fall on pixels.

    Args:
        depth_m: z-depth in metres, below 1e18.
        k_px: intrinsics at the size of the depth, NaN where unknown; pixel centres at +0.5.
        world_from_camera: poses, NaN where unknown.
        grid_hw: cells along the height and the width.
        window: what the grid covers; ``None``: the whole image.
        unknown_as_zero: let unknown pixels vote with depth 0, as in ``lift_depth_patches``.

    Raises:
        InputError: no cell, a window that does not lie within the image, or singular intrinsics.

    >>> k_px = np.array([[[2.0, 0, 2], [0, 2, 2], [0, 0, 1]]])
    >>> lift_cells(np.full((1, 4, 4), 2.0, np.float32), k_px, np.eye(4)[None], (2, 2)).points_world[0, 0, 1].tolist()
    [1.0, -1.0, 2.0]
    """
    num_frames, height, width = depth_m.shape
    rows, columns = grid_hw
    at = window or Window(top=0.0, left=0.0, height=float(height), width=float(width))
    inside = 0 <= at.top <= at.top + at.height <= height + 1e-9 and 0 <= at.left <= at.left + at.width <= width + 1e-9
    if rows < 1 or columns < 1 or not inside or min(at.height, at.width) <= 0:
        raise InputError(
            "window", expected=f"one or more cells in an image of {height}x{width}", got=f"{rows}x{columns} of {at}"
        )
    by_row, center_v = _weights(height, at.top, at.height, rows)
    by_column, center_u = _weights(width, at.left, at.width, columns)
    by_column_t = np.ascontiguousarray(by_column.T)

    sums = np.empty((num_frames, 2 * rows, 2 * columns), np.float32)
    area = np.empty((num_frames, rows, columns), np.float32)
    zeros = np.zeros((height, width), np.float32)
    z, is_known = np.empty_like(zeros), np.empty_like(zeros)
    with np.errstate(invalid="ignore", over="ignore"):
        for frame in range(num_frames):
            np.fmax(depth_m[frame], zeros, out=z)  # the number where the other is NaN
            sums[frame] = (by_row @ z) @ by_column_t
            if not np.isfinite(sums[frame]).all():  # infinite depth is unknown too
                z[np.isinf(z)] = 0
                sums[frame] = (by_row @ z) @ by_column_t
            np.greater(z, zeros, out=is_known, casting="unsafe")
            area[frame] = (by_row[:rows] @ is_known) @ by_column_t[:, :columns]
    cell_area = (at.height / rows) * (at.width / columns)
    # A sliver of a known pixel below this is rounding of the weights.
    voting = np.where(area > 1e-6 * cell_area, area.astype(np.float64), np.nan)
    if unknown_as_zero:
        voting = np.full_like(voting, cell_area)
    mean_z = sums[:, :rows, :columns] / voting
    mean_uz = sums[:, :rows, columns:] / voting + center_u * mean_z
    mean_vz = sums[:, rows:, :columns] / voting + center_v[:, None] * mean_z

    world_from_px = world_from_camera[:, :3, :3].astype(np.float64) @ inverse_k(k_px)
    means = np.stack([mean_uz, mean_vz, mean_z], axis=-1).reshape(num_frames, rows * columns, 3)
    points = means @ np.swapaxes(world_from_px, 1, 2) + world_from_camera[:, None, :3, 3]
    return CellPoints(
        points_world=points.reshape(num_frames, rows, columns, 3).astype(np.float32),
        depth_m=mean_z.astype(np.float32),
        valid_share=np.minimum(area / np.float32(cell_area), np.float32(1)),
    )


def _weights(
    num_px: int, start: float, length: float, cells: int
) -> tuple[Float32[np.ndarray, "c2 n"], Float64[np.ndarray, "c"]]:
    """Share of every pixel in every cell, and below it that times the pixel's distance from the cell's centre; centres."""
    edges = start + np.arange(cells + 1) * (length / cells)
    px = np.arange(num_px)
    share = np.clip(np.minimum(px + 1, edges[1:, None]) - np.maximum(px, edges[:-1, None]), 0.0, 1.0)
    centers = (edges[1:] + edges[:-1]) / 2
    return np.concatenate([share, share * (px + 0.5 - centers[:, None])]).astype(np.float32), centers
