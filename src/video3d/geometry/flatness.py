"""Where a depth map is flat, and which way the flat places face.

A depth map is cut into square tiles and a plane is fitted to the points of each. A tile that a plane fits well gives
one normal made of dozens of pixels, which single pixels of a real depth camera are far too noisy for.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

_TILE_ROWS = 30  # tiles down a map: at 60 degrees of view one tile spans two degrees
_TILE_SAMPLES = 8  # pixels read along a tile's side
_VALID_SHARE = 0.7
_RELATIVE_NOISE = 0.006  # distance from the plane, as a share of depth, up to which a tile counts as flat
# Thickness of a flat tile over its extent, both as standard deviations. Generous: what noise does to one normal goes away
# in the mean of many, while a strict bound would leave only what is near.
_FLATNESS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatTiles:
    """The flat tiles of a set of depth maps.

    Attributes:
        points_world: centre of every tile.
        normals_world: unit normals, to the side of the camera that saw them.
        area: surface of every tile, in the square of the unit of depth.
        error_rad: how far the noise of its pixels may have turned the normal (one standard deviation).
        frame: the depth map it comes from.
    """

    points_world: Float64[np.ndarray, "n 3"]
    normals_world: Float64[np.ndarray, "n 3"]
    area: Float64[np.ndarray, "n"]
    error_rad: Float64[np.ndarray, "n"]
    frame: Int64[np.ndarray, "n"]


def flat_tiles(
    depth_m: Float32[np.ndarray, "f h w"],
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
) -> FlatTiles:
    """Fit a plane to every tile of every depth map and keep the tiles that are flat.

    Args:
        depth_m: z-depth, NaN unknown; a tile needs 70 % of its pixels. The unit does not matter.
        k_px: intrinsics at the size of the depth maps.
        world_from_camera: poses. A frame with a NaN in pose or intrinsics has no tiles.

    >>> wall = np.full((1, 60, 80), 2.0, dtype=np.float32)
    >>> k_px = np.array([[[60.0, 0, 40], [0, 60, 30], [0, 0, 1]]])
    >>> tiles = flat_tiles(wall, k_px, np.eye(4)[None])
    >>> np.unique(tiles.normals_world.round(6), axis=0).tolist(), round(float(tiles.area.sum()), 2)
    ([[0.0, 0.0, -1.0]], 5.33)
    """
    height, width = depth_m.shape[1:]
    side = max(2, height // _TILE_ROWS)
    grid_h, grid_w = height // side, width // side
    step = max(1, side // _TILE_SAMPLES)
    offsets = np.arange(step // 2, side, step)
    row = (np.arange(grid_h)[:, None] * side + offsets).reshape(-1)
    column = (np.arange(grid_w)[:, None] * side + offsets).reshape(-1)
    samples = offsets.size**2
    min_known = max(4, int(np.ceil(_VALID_SHARE * samples)))

    def by_tile(grid: np.ndarray) -> np.ndarray:
        """(rows, columns) -> (tiles, samples)."""
        cut = grid.reshape(grid_h, offsets.size, grid_w, offsets.size)
        return cut.transpose(0, 2, 1, 3).reshape(grid_h * grid_w, samples)

    found = []
    for frame in range(depth_m.shape[0]):
        k, pose = k_px[frame], world_from_camera[frame]
        if not (np.isfinite(k).all() and np.isfinite(pose).all()) or grid_h == 0 or grid_w == 0:
            continue
        z = by_tile(depth_m[frame][np.ix_(row, column)].astype(np.float64))
        known = np.isfinite(z) & (z > 0)
        usable = known.sum(axis=1) >= min_known
        z, known = z[usable], known[usable]
        x = (np.broadcast_to(column, (row.size, column.size)) + 0.5 - k[0, 2]) / k[0, 0]
        y = (np.broadcast_to(row[:, None], (row.size, column.size)) + 0.5 - k[1, 2]) / k[1, 1]
        ray = np.stack([by_tile(x)[usable], by_tile(y)[usable], np.ones_like(z)], axis=-1)  # n s 3
        # normal . (z ray) = d reads 1/z = ray . (normal / d): linear, and only its left side has noise. Fitting the points
        # themselves would turn the normals of noisy slanted tiles.
        inverse_z = np.where(known, 1 / np.where(known, z, 1.0), 0.0)
        masked = ray * known[..., None]
        moments = np.swapaxes(masked, 1, 2) @ masked
        plane = np.linalg.solve(moments, np.swapaxes(masked, 1, 2) @ inverse_z[..., None])[..., 0]  # normal / d
        count = known.sum(axis=1)
        middle = masked.sum(axis=1) / count[:, None]
        depth = 1 / np.einsum("ni,ni->n", plane, middle)
        length = np.linalg.norm(plane, axis=1)
        facing = 1 / (depth * length)  # |normal . ray|
        off = (inverse_z - np.einsum("nsi,ni->ns", masked, plane)) * depth[:, None] ** 2 * facing[:, None]
        thickness = np.sqrt((off**2).sum(axis=1) / count)
        extent = depth * side / np.sqrt(12 * abs(k[0, 0] * k[1, 1]))
        flat = (depth > 0) & (thickness <= _RELATIVE_NOISE * depth) & (thickness <= _FLATNESS * extent)
        # On the plane normal . x = d a pixel at x = z r shows z^2 / (fx fy |normal . r|).
        area = (side * depth) ** 2 / (abs(k[0, 0] * k[1, 1]) * np.maximum(facing, 0.2))
        center, normal = middle * depth[:, None], -plane / length[:, None]
        rotation = pose[:3, :3]
        found.append(
            (
                center[flat] @ rotation.T + pose[:3, 3],
                normal[flat] @ rotation.T,
                area[flat],
                thickness[flat] / (extent[flat] * np.sqrt(count[flat])),
                np.full(int(flat.sum()), frame, dtype=np.int64),
            )
        )
    if not found:
        found = [(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))]
    points_world, normals_world, area, error_rad, frames = (np.concatenate(part) for part in zip(*found, strict=True))
    return FlatTiles(
        points_world=points_world, normals_world=normals_world, area=area, error_rad=error_rad, frame=frames
    )
