"""How much of every object is seen in every frame, from what a source has: masks, points of its surface, or only its box.

Notable: ``visible_share`` is a share of the whole outline, of which a recorded picture never shows the hidden part. It is
therefore estimated, in the way that each kind of truth allows:

- points (a scan's vertices): they are projected with the picture's borders taken away, into cells a few pixels wide; a cell
  counts as seen where its nearest point lies within the picture and not behind the measured depth;
- boxes and dense depth: a pixel whose point lies in an object's box is one of its pixels; the outline as for masks;
- boxes alone (LiDAR annotations): the outline is the hull of the projected corners, less the hulls of nearer boxes;
- masks: pixels are counted exactly; the outline is the box's hull times how full the object fills its hull where it is best seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt16

from video3d.geometry.boxes import box_corners, points_in_box
from video3d.geometry.rigid import inverse_rigid, transform_points, unproject
from video3d.types import Box3D

_CELLS_HIGH = 56  # a frame is this many cells high: 4 px of 224
_BEHIND_SHARE, _BEHIND_M = 0.05, 0.08  # a point this much behind the measured surface is hidden
_MIN_FILL = 0.35  # an object fills at least this much of its box's hull (a chair seen from the side: 0.45)
_NEAR_M = 0.05
_FLOOR_M, _BOX_MARGIN_M = 0.03, 0.02  # what a box's annotator and a depth camera are good for
_MAX_PX = 1e5


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Pixels and share of outline of every object (columns) in every frame (rows)."""

    px: Int64[np.ndarray, "f o"]
    share: Float32[np.ndarray, "f o"]


def nothing_seen(num_frames: int) -> Seen:
    """Of no objects.

    >>> nothing_seen(3).px.shape
    (3, 0)
    """
    return Seen(px=np.zeros((num_frames, 0), np.int64), share=np.zeros((num_frames, 0), np.float32))


def seen_from_points(
    points_world: Sequence[Float64[np.ndarray, "_ 3"]],
    *,
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    depth_m: Float32[np.ndarray, "f h w"] | None,
    size_hw: tuple[int, int],
) -> Seen:
    """Visibility of objects given by points spread over their surfaces, more densely than a cell is wide.

    Args:
        points_world: of every object, in metres.
        k_px: intrinsics at ``size_hw``.
        world_from_camera: poses; a frame without one sees nothing.
        depth_m: z-depth at ``size_hw``, NaN unknown; None: nothing hides anything but by nearer points of other objects.
        size_hw: of the frames.
    """
    num_frames, num_objects = len(k_px), len(points_world)
    px, share = np.zeros((num_frames, num_objects), np.int64), np.zeros((num_frames, num_objects), np.float32)
    cell_px = max(1.0, size_hw[0] / _CELLS_HIGH)
    camera_from_world = inverse_rigid(world_from_camera)
    for frame in range(num_frames):
        if not np.isfinite(world_from_camera[frame]).all():
            continue
        for column, points in enumerate(points_world):
            at_px, z_m = _projected(transform_points(camera_from_world[frame], points), k_px[frame])
            in_front = z_m > _NEAR_M
            if not in_front.any():
                continue
            at_px, z_m = at_px[in_front], z_m[in_front]
            cells, first = _nearest_of_cells(at_px, z_m, cell_px)
            visible = _unhidden(at_px[first], z_m[first], depth_m if depth_m is None else depth_m[frame], size_hw)
            # Points behind the camera are part of the outline too: they count as cells in proportion.
            num_cells = cells * len(points) / in_front.sum()
            px[frame, column] = round(float(visible.sum()) * cell_px * cell_px)
            share[frame, column] = min(1.0, float(visible.sum()) / num_cells)
    return Seen(px=px, share=share)


def seen_from_boxes(
    boxes: Sequence[Sequence[Box3D | None]],
    *,
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    size_hw: tuple[int, int],
) -> Seen:
    """Visibility of objects of which only boxes are known: hulls painted from far to near.

    Args:
        boxes: for every frame the box of every object, None where it is not annotated.
        k_px: intrinsics at ``size_hw``.
        world_from_camera: poses.
        size_hw: of the frames.
    """
    num_frames = len(k_px)
    num_objects = len(boxes[0]) if boxes else 0
    px, share = np.zeros((num_frames, num_objects), np.int64), np.zeros((num_frames, num_objects), np.float32)
    for frame in range(num_frames):
        if not np.isfinite(world_from_camera[frame]).all():
            continue
        hulls = [_hull(box, k_px[frame], world_from_camera[frame]) for box in boxes[frame]]
        painted = np.full(size_hw, -1, np.int64)
        for column in sorted((c for c, h in enumerate(hulls) if h is not None), key=lambda c: -_distance(hulls[c])):
            hull = hulls[column]
            assert hull is not None
            _paint(painted, hull.corners_px, column)
        for column, hull in enumerate(hulls):
            if hull is not None and hull.area_px > 0:
                count = int((painted == column).sum())
                px[frame, column], share[frame, column] = count, min(1.0, count / hull.area_px)
    return Seen(px=px, share=share)


def seen_from_masks(
    instance: UInt16[np.ndarray, "f h w"],
    object_ids: Sequence[int],
    boxes: Sequence[Sequence[Box3D | None]],
    *,
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
) -> Seen:
    """Visibility where masks are known: pixels are exact, the share is estimated with the help of boxes.

    How full an object fills its box's hull is taken from the frame in which it fills it best.
    """
    num_frames = len(k_px)
    px = np.zeros((num_frames, len(object_ids)), np.int64)
    area = np.zeros((num_frames, len(object_ids)))
    for frame in range(num_frames):
        counts = np.bincount(instance[frame].ravel(), minlength=max(object_ids, default=0) + 1)
        px[frame] = counts[list(object_ids)] if object_ids else 0
        if np.isfinite(world_from_camera[frame]).all():
            hulls = [_hull(box, k_px[frame], world_from_camera[frame]) for box in boxes[frame]]
            area[frame] = [0.0 if hull is None else hull.area_px for hull in hulls]
    return Seen(px=px, share=_filled_share(px, area))


def seen_from_depth(
    boxes: Sequence[Sequence[Box3D | None]],
    *,
    depth_m: Float32[np.ndarray, "f h w"],
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
) -> Seen:
    """Visibility of objects of which only boxes are known, where depth is: a pixel whose point lies in a box shows its object.

    Points in the lowest centimetres of a box may be the floor's and do not count. Of boxes in one another each counts its pixels.
    """
    points = unproject(depth_m, k_px)
    px = np.zeros((len(depth_m), len(boxes[0]) if boxes else 0), np.int64)
    area = np.zeros(px.shape)
    for frame in range(len(depth_m)):
        if not np.isfinite(world_from_camera[frame]).all():
            continue
        world = transform_points(world_from_camera[frame], points[frame].astype(np.float64))
        for column, box in enumerate(boxes[frame]):
            hull = _hull(box, k_px[frame], world_from_camera[frame])
            if box is None or hull is None:
                continue
            above = world[..., 2] > box.center_world[2] - box.size_m[2] / 2 + _FLOOR_M
            px[frame, column] = int((points_in_box(world, box, margin_m=_BOX_MARGIN_M) & above).sum())
            area[frame, column] = hull.area_px
    return Seen(px=px, share=_filled_share(px, area))


def _filled_share(px: Int64[np.ndarray, "f o"], area: Float64[np.ndarray, "f o"]) -> Float32[np.ndarray, "f o"]:
    """Pixels as a share of the box's hull, of which an object fills as much as where it fills it best."""
    full = np.divide(px, area, out=np.zeros_like(area), where=area > 0)
    fill = np.clip(full.max(axis=0, initial=0.0), _MIN_FILL, 1.0)
    share = np.divide(px, area * fill, out=np.where(px > 0, 1.0, 0.0), where=area > 0)
    return np.clip(share, 0, 1).astype(np.float32)


def limited(seen: Seen, at_most: Float32[np.ndarray, "f o"]) -> Seen:
    """Visibility cut to what the annotators saw: pixels shrink in proportion."""
    share = np.minimum(seen.share, at_most)
    kept = np.divide(share, seen.share, out=np.zeros_like(share), where=seen.share > 0)
    return Seen(px=np.round(seen.px * kept).astype(np.int64), share=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hull:
    """The convex outline of a box in the picture, not cut at its borders, counter-clockwise in (x, y)."""

    corners_px: Float64[np.ndarray, "n 2"]
    area_px: float
    distance_m: float


def _distance(hull: _Hull | None) -> float:
    return np.inf if hull is None else hull.distance_m


def _hull(
    box: Box3D | None, k_px: Float64[np.ndarray, "3 3"], world_from_camera: Float64[np.ndarray, "4 4"]
) -> _Hull | None:
    """None for a box that is not known or not in front of the camera as a whole or in part."""
    if box is None:
        return None
    corners = transform_points(inverse_rigid(world_from_camera), box_corners(box))
    if not (corners[:, 2] > _NEAR_M).any():
        return None
    # Where a box reaches behind the camera its edges are cut at a small distance before it.
    at_px, _ = _projected(_cut_at(corners, _NEAR_M), k_px)
    at_px = np.clip(at_px, -_MAX_PX, _MAX_PX)
    outline = convex_hull(at_px)
    distance = float(np.linalg.norm(corners.mean(axis=0)))
    return _Hull(corners_px=outline, area_px=polygon_area(outline), distance_m=distance)


_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)]


def _cut_at(corners: Float64[np.ndarray, "8 3"], near_m: float) -> Float64[np.ndarray, "n 3"]:
    """Corners in front of the plane z = near, and where edges pass through it."""
    points = [corners[corners[:, 2] >= near_m]]
    for a, b in _EDGES:
        za, zb = corners[a, 2] - near_m, corners[b, 2] - near_m
        if (za < 0) != (zb < 0):
            points.append((corners[a] + (corners[b] - corners[a]) * za / (za - zb))[None])
    return np.concatenate(points)


def _projected(
    points_camera: Float64[np.ndarray, "n 3"], k_px: Float64[np.ndarray, "3 3"]
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n"]]:
    z_m = points_camera[:, 2]
    safe = np.where(z_m > 1e-9, z_m, np.nan)
    return (points_camera @ k_px[:2].T) / safe[:, None], z_m


def _nearest_of_cells(
    at_px: Float64[np.ndarray, "n 2"], z_m: Float64[np.ndarray, "n"], cell_px: float
) -> tuple[int, Int64[np.ndarray, "c"]]:
    """Number of cells, and the index of the nearest point of each."""
    cells = np.floor(np.clip(at_px, -_MAX_PX, _MAX_PX) / cell_px).astype(np.int64)
    keys = cells[:, 0] * (1 << 24) + cells[:, 1]
    order = np.lexsort((z_m, keys))
    first = order[np.concatenate([[True], keys[order][1:] != keys[order][:-1]])]
    return len(first), first.astype(np.int64)


def _unhidden(
    at_px: Float64[np.ndarray, "c 2"],
    z_m: Float64[np.ndarray, "c"],
    depth_m: Float32[np.ndarray, "h w"] | None,
    size_hw: tuple[int, int],
) -> Bool[np.ndarray, "c"]:
    height, width = size_hw
    inside = (at_px >= 0).all(axis=1) & (at_px[:, 0] < width) & (at_px[:, 1] < height)
    visible = inside.copy()
    if depth_m is not None and inside.any():
        column, row = at_px[inside, 0].astype(np.int64), at_px[inside, 1].astype(np.int64)
        surface = depth_m[row, column].astype(np.float64)
        # Where depth is unknown (dark, shiny, far) nothing says that the point is hidden.
        visible[inside] = ~(z_m[inside] > surface + np.maximum(_BEHIND_M, _BEHIND_SHARE * surface))
    return visible


def convex_hull(points: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "m 2"]:
    """Corners of the convex hull, counter-clockwise with y up (Andrew's monotone chain).

    >>> convex_hull(np.array([[0.0, 0], [2, 0], [1, 0.5], [2, 2], [0, 2]])).tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    """
    ordered = np.unique(points, axis=0)
    if len(ordered) < 3:
        return ordered

    def chain(rows: Float64[np.ndarray, "n 2"]) -> list[np.ndarray]:
        kept: list[np.ndarray] = []
        for point in rows:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def polygon_area(corners: Float64[np.ndarray, "n 2"]) -> float:
    """Area of a polygon, by the shoelace formula; positive whatever the sense of its corners.

    >>> polygon_area(np.array([[0.0, 0], [2, 0], [2, 1], [0, 1]]))
    2.0
    """
    if len(corners) < 3:
        return 0.0
    x, y = corners[:, 0], corners[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _paint(image: Int64[np.ndarray, "h w"], corners: Float64[np.ndarray, "n 2"], value: int) -> None:
    """Fills a convex polygon: pixels whose centre lies inside all its edges."""
    if len(corners) < 3:
        return
    height, width = image.shape
    low = np.clip(np.floor(corners.min(axis=0)), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, [width, height]).astype(int)
    if (high <= low).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    inside = np.ones(x.shape, bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) >= 0
    image[low[1] : high[1], low[0] : high[0]][inside] = value
