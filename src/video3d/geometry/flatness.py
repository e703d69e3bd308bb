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
_FLATNESS = 0.15  # thickness of a flat tile over its smaller extent


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatTiles:
    """The flat tiles of a set of depth maps.

    Attributes:
        points_world: centre of every tile.
        normals_world: unit normals, to the side of the camera that saw them.
        area: surface of every tile, in the square of the unit of depth.
        frame: the depth map it comes from.
    """

    points_world: Float64[np.ndarray, "n 3"]
    normals_world: Float64[np.ndarray, "n 3"]
    area: Float64[np.ndarray, "n"]
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
    found = []
    for frame in range(depth_m.shape[0]):
        k, pose = k_px[frame], world_from_camera[frame]
        if not (np.isfinite(k).all() and np.isfinite(pose).all()) or grid_h == 0 or grid_w == 0:
            continue
        z = depth_m[frame][np.ix_(row, column)].astype(np.float64)
        known = np.isfinite(z) & (z > 0)
        z[~known] = 0.0
        points = np.stack([(column + 0.5 - k[0, 2]) / k[0, 0] * z, (row[:, None] + 0.5 - k[1, 2]) / k[1, 1] * z, z])
        tiled = points.reshape(3, grid_h, offsets.size, grid_w, offsets.size).transpose(1, 3, 2, 4, 0)
        tiled = tiled.reshape(grid_h * grid_w, samples, 3)
        mask = known.reshape(grid_h, offsets.size, grid_w, offsets.size).transpose(0, 2, 1, 3)
        mask = mask.reshape(grid_h * grid_w, samples)
        count = mask.sum(axis=1)
        usable = (count >= _VALID_SHARE * samples) & (count >= 4)
        tiled, mask, count = tiled[usable], mask[usable], count[usable]
        center = tiled.sum(axis=1) / count[:, None]
        around = (tiled - center[:, None]) * mask[..., None]
        spread, axes = np.linalg.eigh(np.swapaxes(around, 1, 2) @ around / count[:, None, None])
        spread = np.sqrt(np.maximum(spread, 0.0))
        normal = axes[:, :, 0]
        facing = -np.einsum("ni,ni->n", normal, center) / center[:, 2]
        normal = np.where(facing[:, None] < 0, -normal, normal)
        flat = (spread[:, 0] <= _RELATIVE_NOISE * center[:, 2]) & (spread[:, 0] <= _FLATNESS * spread[:, 1])
        # On the plane normal . x = d a pixel at x = z r shows z^2 / (fx fy |normal . r|).
        slant = np.maximum(np.abs(facing), 0.2)
        area = (side * center[:, 2]) ** 2 / (abs(k[0, 0] * k[1, 1]) * slant)
        rotation = pose[:3, :3]
        found.append(
            (
                center[flat] @ rotation.T + pose[:3, 3],
                normal[flat] @ rotation.T,
                area[flat],
                np.full(int(flat.sum()), frame, dtype=np.int64),
            )
        )
    if not found:
        return FlatTiles(
            points_world=np.zeros((0, 3)), normals_world=np.zeros((0, 3)), area=np.zeros(0), frame=np.zeros(0, np.int64)
        )
    points_world, normals_world, area, frames = (np.concatenate(column) for column in zip(*found, strict=True))
    return FlatTiles(points_world=points_world, normals_world=normals_world, area=area, frame=frames)
