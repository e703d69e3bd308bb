"""From a clip with complete geometry to a coloured mesh: voxel size, distance field, surface, colours."""

import numpy as np
from jaxtyping import Float64, UInt8

from video3d.geometry.rigid import scale_k, transform_points, unproject
from video3d.geometry.surface import Mesh, surface_of, without_fragments
from video3d.geometry.tsdf import fuse, fusible_frames, sigma_z, view_of
from video3d.types import InputError, PosedClip

DEFAULT_VOXEL_M = 0.02
_VOXELS_ACROSS = 256  # along the diagonal of a scene without a metric scale
_MIN_FACES = 100  # a connected part of fewer is taken for noise: at 2 cm, a patch of 14 x 14 cm
_CHUNK = 262_144  # vertices at a time


def choose_voxel(clip: PosedClip) -> float:
    """A voxel's side in the unit of the clip's world: 2 cm, coarser where the depth is too unsure for that.

    A surface known to sigma has no detail much below it: at least a third of the median sigma, in any world. Without a
    metric scale, a 256th of the diagonal of what is seen (5 % at each end of each axis not counted).

    Raises:
        InputError: no frame can be fused.
    """
    frames = fusible_frames(clip)
    some = frames[:: max(1, len(frames) // 16)]
    floor = 0.0
    if clip.depth_log_sigma is not None:
        floor = float(np.median([np.nanmedian(sigma_z(clip, int(frame))) for frame in some])) / 3
    if clip.world.metric:
        return max(DEFAULT_VOXEL_M, round(floor, 3))
    h, w = clip.depth_m.shape[1:]
    steps = np.s_[:: max(1, h // 48), :: max(1, w // 64)]
    points = []
    for frame in some:
        k_px = scale_k(clip.k_px[frame : frame + 1], clip.size_hw, (h, w))
        camera = unproject(clip.depth_m[frame : frame + 1], k_px)[0][steps].reshape(-1, 3)
        points.append(transform_points(clip.world_from_camera[frame], camera.astype(np.float64)))
    low, high = np.nanquantile(np.concatenate(points), [0.05, 0.95], axis=0)
    return max(float(np.linalg.norm(high - low)) / _VOXELS_ACROSS, floor)


def check_voxel(voxel_m: float | None) -> None:
    """Raises InputError for a voxel's side that is not a number > 0; None means that it will be chosen."""
    if voxel_m is not None and not (np.isfinite(voxel_m) and voxel_m > 0):
        raise InputError("--voxel-m", expected="a side > 0", got=voxel_m, do="0.02 suits rooms")


def reconstruct(clip: PosedClip, voxel_m: float | None = None) -> tuple[Mesh, float]:
    """The surfaces that a clip saw as a coloured mesh in its world frame, and the voxel size.

    Args:
        clip: with depth, intrinsics and poses (see ``tsdf.fuse`` for what votes).
        voxel_m: side of a voxel in the unit of the clip's world; None chooses (``choose_voxel``).

    Raises:
        InputError: a side that is not a number > 0, nothing to fuse, too many voxels, or no surface at that size.

    >>> from video3d.types import World
    >>> k_px = np.array([[40.0, 0, 24], [0, 40, 16], [0, 0, 1]])
    >>> wall = PosedClip(
    ...     frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.full((1, 32, 48, 3), 200, np.uint8),
    ...     k_px=k_px[None], depth_m=np.full((1, 32, 48), 1.0, np.float32), world_from_camera=np.eye(4)[None],
    ...     piece=np.array([0]), world=World(metric=True),
    ... )
    >>> mesh, voxel_m = reconstruct(wall)
    >>> voxel_m, bool(np.abs(mesh.vertices[:, 2] - 1).max() < 1e-6), mesh.colors[0].tolist()
    (0.02, True, [200, 200, 200])
    """
    check_voxel(voxel_m)
    side = choose_voxel(clip) if voxel_m is None else float(voxel_m)
    vertices, faces = surface_of(fuse(clip, side))
    vertices, faces = without_fragments(vertices, faces, _MIN_FACES)
    if not len(faces):
        raise InputError(
            "voxel size",
            expected="one at which a surface is seen",
            got=f"none with {side:.3g}",
            do="give another --voxel-m",
        )
    return Mesh(vertices=vertices, faces=faces, colors=vertex_colors(clip, vertices, side)), side


def vertex_colors(clip: PosedClip, vertices: Float64[np.ndarray, "v 3"], voxel_m: float) -> UInt8[np.ndarray, "v 3"]:
    """The mean colour of every vertex over the frames that see it, near and frontal views counting more.

    A frame sees a vertex if its depth there differs by no more than the truncation. Grey where none does.
    """
    total, weights = np.zeros((len(vertices), 3), np.float32), np.zeros(len(vertices), np.float32)
    for frame in fusible_frames(clip):
        view = view_of(clip, int(frame), voxel_m)
        (h, w), (rgb_h, rgb_w) = view.size_hw, clip.size_hw
        px_from_world = view.k_px @ view.camera_from_world[:3]
        for start in range(0, len(vertices), _CHUNK):
            rows = slice(start, start + _CHUNK)
            xz, yz, z = (vertices[rows] @ px_from_world[:, :3].T + px_from_world[:, 3]).T
            with np.errstate(divide="ignore", invalid="ignore"):
                x, y = xz / z, yz / z
                at = np.flatnonzero((z > 0) & (x >= 0) & (x < w) & (y >= 0) & (y < h))
            x, y, z = x[at], y[at], z[at]
            pixel = y.astype(np.int64) * w + x.astype(np.int64)
            gap = np.abs(1 / view.plane[0, pixel] - z) * view.plane[3, pixel]
            sees = (view.weight[pixel] > 0) & (gap < view.truncation[pixel])
            at, pixel, x, y, z = at[sees], pixel[sees], x[sees], y[sees], z[sees]
            weight = (view.plane[3, pixel] / z).astype(np.float32) ** 2
            column, row = (x * (rgb_w / w)).astype(np.int64), (y * (rgb_h / h)).astype(np.int64)
            total[start + at] += (
                weight[:, None] * clip.rgb[frame, np.minimum(row, rgb_h - 1), np.minimum(column, rgb_w - 1)]
            )
            weights[start + at] += weight
    colors = np.where(weights[:, None] > 0, total / np.maximum(weights, 1e-30)[:, None], 128.0)
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)
