"""How much of every object is seen: its pixels, and what share they are of its whole outline.

The whole outline is the convex hull of the object's projection: nothing hidden, and on an image plane without edges, so what
sticks out of the picture counts as not seen. For a thing with gaps (a chair's legs) the share of a wholly visible one is
therefore below 1. Where a part is behind the camera, its body is cut ``_NEAR_M`` before it; such an outline is huge, and the
share near 0.

Hulls are found for all objects of a frame at once: the extreme points in 64 directions, joined, hold all of the
hull of a box and 99.8 % of a ball's.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64, Integer

_NEAR_M = 0.05
_NUM_DIRECTIONS = 64
_NUM_POINTS = 128  # of an outline's points, those that are extreme in as many directions


def visible_px(instance: Integer[np.ndarray, "f h w"], object_ids: Int64[np.ndarray, "o"]) -> Int64[np.ndarray, "f o"]:
    """Pixels of every object in every frame.

    >>> visible_px(np.array([[[0, 3], [3, 7]]], np.uint16), np.array([3, 7, 9])).tolist()
    [[2, 1, 0]]
    """
    size = max(int(instance.max(initial=0)), int(object_ids.max(initial=0))) + 1
    counts = [np.bincount(frame.ravel(), minlength=size)[object_ids] for frame in instance]
    return np.array(counts, dtype=np.int64).reshape(len(instance), len(object_ids))


def visible_share(
    pixels: Int64[np.ndarray, "f o"],
    outlines_m: Sequence[Float[np.ndarray, "_ 3"]],
    world_from_object: Float64[np.ndarray, "f o 4 4"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    k_px: Float64[np.ndarray, "f 3 3"],
) -> Float32[np.ndarray, "f o"]:
    """``pixels`` as a share of the whole outline of every object, 0..1.

    Args:
        pixels: see ``visible_px``.
        outlines_m: points of every object's surface, in the frame of ``world_from_object``: the vertices, or their hull's.
        world_from_object: poses; where NaN, the share is 0.
        world_from_camera: OpenCV axes.
        k_px: intrinsics.
    """
    area = outline_area(outlines_m, world_from_object, world_from_camera, k_px)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(pixels > 0, pixels / area, 0.0)
    return np.nan_to_num(np.minimum(share, 1.0)).astype(np.float32)


def outline_area(
    outlines_m: Sequence[Float[np.ndarray, "_ 3"]],
    world_from_object: Float64[np.ndarray, "f o 4 4"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    k_px: Float64[np.ndarray, "f 3 3"],
) -> Float64[np.ndarray, "f o"]:
    """Area in square pixels of the convex hull of every object's projection; infinite wholly behind the camera, NaN unposed.

    A square of 2 m at 4 m, seen with a focal length of 100 pixels, is 50 pixels wide:

    >>> square = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    >>> pose, k = np.eye(4), np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    >>> pose[2, 3] = 4.0
    >>> outline_area([square], pose[None, None], np.eye(4)[None], k[None]).round(6).tolist()
    [[2500.0]]
    """
    num_frames, num_objects = world_from_object.shape[:2]
    area = np.full((num_frames, num_objects), np.nan)
    if not num_objects:
        return area
    points_object = _padded([_extreme_points(outline) for outline in outlines_m])  # o v 3
    for frame in range(num_frames):
        camera_from_object = np.linalg.inv(world_from_camera[frame]) @ world_from_object[frame]
        points = points_object @ np.swapaxes(camera_from_object[:, :3, :3], 1, 2) + camera_from_object[:, None, :3, 3]
        z_low, z_high = points[..., 2].min(axis=1), points[..., 2].max(axis=1)
        ahead, behind = z_low > _NEAR_M, z_high <= _NEAR_M
        area[frame, ahead] = _hull_area(_project(points[ahead], k_px[frame]))
        area[frame, behind] = np.inf
        for index in np.flatnonzero(~ahead & ~behind & np.isfinite(z_low)):
            area[frame, index] = _hull_area(_project(_cut(points[index]), k_px[frame])[None])[0]
    return area


def _project(
    points_camera: Float64[np.ndarray, "*s 3"], k_px: Float64[np.ndarray, "3 3"]
) -> Float64[np.ndarray, "*s 2"]:
    px = points_camera @ k_px.T
    return px[..., :2] / px[..., 2:]


def _hull_area(points: Float64[np.ndarray, "o v 2"]) -> Float64[np.ndarray, "o"]:
    angle = 2 * np.pi * np.arange(_NUM_DIRECTIONS) / _NUM_DIRECTIONS
    # A step off the axes, or two ends of an upright edge would tie.
    directions = np.stack([np.cos(angle + 1e-3), np.sin(angle + 1e-3)], axis=1)
    # Of the shape made round: its long way is laid along x, and both ways are scaled alike.
    spread = points - points.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.swapaxes(spread, 1, 2) @ spread)
    spread = spread @ axes
    spread /= np.maximum(np.abs(spread).max(axis=1, keepdims=True), 1e-12)
    extreme = (directions @ np.swapaxes(spread, 1, 2)).argmax(axis=2)  # o k
    mirrored = np.linalg.det(axes)  # eigenvectors may be a mirror image, and then the corners run clockwise
    corner = np.take_along_axis(points, extreme[..., None], axis=1)
    corner = corner - corner.mean(axis=1, keepdims=True)
    after = np.roll(corner, -1, axis=1)
    return np.asarray(mirrored * (corner[..., 0] * after[..., 1] - corner[..., 1] * after[..., 0]).sum(axis=1) / 2)


def _cut(points: Float64[np.ndarray, "v 3"]) -> Float64[np.ndarray, "n 3"]:
    """Points whose hull is the part of the points' hull before the near plane: those ahead, and where segments cross it."""
    is_ahead = points[:, 2] > _NEAR_M
    ahead, behind = points[is_ahead], points[~is_ahead]
    share = (ahead[:, 2, None] - _NEAR_M) / (ahead[:, 2, None] - behind[None, :, 2])
    crossing = ahead[:, None] + share[..., None] * (behind[None] - ahead[:, None])
    return np.concatenate([ahead, crossing.reshape(-1, 3)])


def _extreme_points(outline_m: Float[np.ndarray, "v 3"]) -> Float64[np.ndarray, "n 3"]:
    """The points that are extreme in some of ``_NUM_POINTS`` directions, spread evenly over the sphere (Fibonacci)."""
    points = outline_m.astype(np.float64)
    if len(points) <= _NUM_POINTS:
        return points
    step = np.arange(_NUM_POINTS)
    z = 1 - (2 * step + 1) / _NUM_POINTS
    angle = step * np.pi * (3 - np.sqrt(5))
    directions = np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], axis=1)
    # Directions are those of the shape stretched to a cube, so that a plank keeps its corners.
    size = np.ptp(points, axis=0)
    return points[np.unique((directions @ (points / np.where(size > 0, size, 1.0)).T).argmax(axis=1))]


def _padded(outlines: Sequence[Float64[np.ndarray, "_ 3"]]) -> Float64[np.ndarray, "o v 3"]:
    """Ragged outlines as one array; the first point is repeated, which changes no hull."""
    longest = max(len(outline) for outline in outlines)
    return np.stack([np.concatenate([line, np.repeat(line[:1], longest - len(line), axis=0)]) for line in outlines])
