"""What the depth maps of a clip say of places in the world: is it on this plane, is it seen to be free, does something stand there.

Places are looked up in the depth maps, not depth maps spread over places: a far floor seen by few pixels has no holes then.
A place that no frame looks at gets no vote.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from video3d.geometry.rigid import crop_k, is_known, pixel_rays, scale_k, transform_points
from video3d.geometry.tsdf import sigma_z
from video3d.types import PosedClip

_ROWS = 240  # of a depth map that are looked at: at 2 m a pixel is then about 1 cm
_EDGE = 0.05  # neighbours whose depths differ by a larger share lie on two surfaces; a pixel there may be on neither
_STEEP = 0.08  # sine of the angle between ray and plane below which a pixel does not say how high it is
_NOISE_M = 0.003  # of poses, on top of that of depth
_FRAMES_CAP = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthViews:
    """Depth maps with a place in one world, thinned, without pixels at edges of things.

    Attributes:
        frame: position in the clip.
        depth: z-depth, NaN unknown, in the unit of the world.
        sigma: its standard deviation.
        k_px: intrinsics at the size of ``depth``.
        world_from_camera: poses.
        metre: length of one metre in the unit of the world: 1 in a metric one, else what makes rooms about as large as rooms are.
    """

    frame: Int64[np.ndarray, "f"]
    depth: Float32[np.ndarray, "f h w"]
    sigma: Float32[np.ndarray, "f h w"]
    k_px: Float64[np.ndarray, "f 3 3"]
    world_from_camera: Float64[np.ndarray, "f 4 4"]
    metre: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneVotes:
    """What the views say of places on a plane.

    Attributes:
        on: how many saw a surface there.
        through: how many looked through the place at something behind it.
        height: weighted mean distance of what was seen there from the plane; NaN where nothing was.
        views: for every view, at how many of the places it saw a surface.
    """

    on: Int64[np.ndarray, "n"]
    through: Int64[np.ndarray, "n"]
    height: Float64[np.ndarray, "n"]
    views: Int64[np.ndarray, "f"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """How many views say something of each place, and the last of them to do so (its number; -1 for none)."""

    count: Int64[np.ndarray, "*s"]
    last: Int64[np.ndarray, "*s"]


def depth_views(clip: PosedClip) -> DepthViews:
    """The depth maps of piece 0 that have a pose and intrinsics; at most 200, evenly spread. May be none.

    >>> from video3d.types import World
    >>> one = PosedClip(
    ...     frame_index=np.array([7]), time_s=np.zeros(1), rgb=np.zeros((1, 8, 8, 3), np.uint8), piece=np.array([0]),
    ...     depth_m=np.full((1, 8, 8), 2.0, np.float32), k_px=np.array([[[8.0, 0, 4], [0, 8, 4], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None], world=World(metric=True))
    >>> depth_views(one).depth.shape
    (1, 8, 8)
    """
    usable = (clip.piece == 0) & is_known(clip.world_from_camera) & is_known(clip.k_px)
    frames = np.array([i for i in np.flatnonzero(usable) if np.isfinite(clip.depth_m[i]).any()], dtype=np.int64)
    if frames.size > _FRAMES_CAP:
        frames = frames[np.linspace(0, frames.size - 1, _FRAMES_CAP).round().astype(np.int64)]
    h, w = clip.depth_m.shape[1:]
    step = max(1, h // _ROWS)
    cut = np.s_[step // 2 :: step, step // 2 :: step]
    size = clip.depth_m[0][cut].shape if clip.num_frames else (0, 0)
    depth, sigma = np.zeros((2, frames.size, *size), np.float32)
    for i, frame in enumerate(frames):
        depth[i] = np.where(_at_edge(clip.depth_m[frame]), np.nan, clip.depth_m[frame])[cut]
        sigma[i] = sigma_z(clip, int(frame))[cut]
    start = step // 2 + 0.5 - step / 2
    k_px = crop_k(scale_k(clip.k_px[frames], clip.size_hw, (h, w)), start, start)
    k_px[:, :2] /= step
    known = depth[np.isfinite(depth)]
    metre = 1.0 if clip.world.metric or not known.size else float(np.median(known)) / 2.0
    return DepthViews(
        frame=frames,
        depth=depth,
        sigma=sigma,
        k_px=k_px,
        world_from_camera=clip.world_from_camera[frames],
        metre=metre,
    )


def _at_edge(depth: Float32[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels beside a jump in depth, or not known."""
    edge = ~(np.isfinite(depth) & (depth > 0))
    with np.errstate(invalid="ignore"):
        across = np.abs(np.diff(depth, axis=1)) > _EDGE * np.minimum(depth[:, 1:], depth[:, :-1])
        down = np.abs(np.diff(depth, axis=0)) > _EDGE * np.minimum(depth[1:], depth[:-1])
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def _looks(
    views: DepthViews, points: Float64[np.ndarray, "n 3"]
) -> Iterator[tuple[int, Int64[np.ndarray, "m"], Int64[np.ndarray, "m"], Int64[np.ndarray, "m"], np.ndarray]]:
    """For every view: which of the points it looks at, the row and column of the pixel, and the point's z-depth."""
    h, w = views.depth.shape[1:]
    for i in range(views.frame.size):
        px_from_world = views.k_px[i] @ _camera_from_world(views, i)
        seen = points @ px_from_world[:, :3].T + px_from_world[:, 3]
        z = seen[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = seen[:, 0] / z, seen[:, 1] / z
            at = np.flatnonzero((z > 0) & (x >= 0) & (x < w) & (y >= 0) & (y < h))
        if at.size:
            yield i, at, y[at].astype(np.int64), x[at].astype(np.int64), z[at]


def _camera_from_world(views: DepthViews, i: int) -> Float64[np.ndarray, "3 4"]:
    rotation, place = views.world_from_camera[i, :3, :3], views.world_from_camera[i, :3, 3]
    return np.c_[rotation.T, -rotation.T @ place]


def _plane_in_view(
    views: DepthViews, i: int, normal: Float64[np.ndarray, "3"], offset: float
) -> tuple[float, Float64[np.ndarray, "3"]]:
    """The camera's height over a plane, and per pixel (x, y, 1) how fast a ray climbs from it for every unit of z-depth."""
    pose = views.world_from_camera[i]
    per_ray = pose[:3, :3].T @ normal
    return float(normal @ pose[:3, 3] + offset), np.linalg.inv(views.k_px[i]).T @ per_ray


def plane_votes(
    views: DepthViews, points: Float64[np.ndarray, "n 3"], normal: Float64[np.ndarray, "3"], offset: float
) -> PlaneVotes:
    """What every view says of places on a plane ``normal · x + offset = 0``; only views from the normal's side vote."""
    metre = views.metre
    on, through = np.zeros((2, points.shape[0]), np.int64)
    total, weights = np.zeros((2, points.shape[0]))
    by_view = np.zeros(views.frame.size, np.int64)
    for i, at, row, column, _ in _looks(views, points):
        above, climb = _plane_in_view(views, i, normal, offset)
        if above <= 0.02 * metre:
            continue
        slope = climb[0] * (column + 0.5) + climb[1] * (row + 0.5) + climb[2]
        ray = np.linalg.norm(pixel_rays(views.k_px[i], row, column), axis=1)
        depth = views.depth[i, row, column]
        height = above + depth * slope
        error = np.hypot(views.sigma[i, row, column] * np.abs(slope), _NOISE_M * metre)
        usable = np.isfinite(height) & (slope < -_STEEP * ray)
        here = usable & (np.abs(height) <= np.minimum(0.015 * metre + 2 * error, 0.05 * metre))
        on[at[here]] += 1
        through[at[usable & (height < -0.03 * metre - 2 * error)]] += 1
        weight = 1 / error[here] ** 2
        total[at[here]] += weight * height[here]
        weights[at[here]] += weight
        by_view[i] = here.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(weights > 0, total / weights, np.nan)
    return PlaneVotes(on=on, through=through, height=mean, views=by_view)


def free_votes(views: DepthViews, points: Float64[np.ndarray, "n 3"]) -> Votes:
    """The views that look through each place at something clearly behind it."""
    count, last = np.zeros(points.shape[0], np.int64), np.full(points.shape[0], -1, np.int64)
    for i, at, row, column, z in _looks(views, points):
        beyond = views.depth[i, row, column] - z  # NaN compares false
        free = at[beyond > 0.02 * views.metre + 2 * views.sigma[i, row, column]]
        count[free] += 1
        last[free] = i
    return Votes(count=count, last=last)


def hit_votes(
    views: DepthViews,
    plane_from_world: Float64[np.ndarray, "4 4"],
    shape: tuple[int, int],
    cell: float,
    low: float,
    high: float,
) -> Votes:
    """The views that see something over each cell of a plane's grid, between two heights over the plane.

    Args:
        views: the depth maps.
        plane_from_world: frame of the grid: x along columns, y along rows, z up from the plane.
        shape: rows and columns.
        cell: side of a cell.
        low: heights from here count, and more for a pixel that is not so sure of its own.
        high: up to here.
    """
    h, w = views.depth.shape[1:]
    x, y = np.arange(w) + 0.5, (np.arange(h) + 0.5)[:, None]
    count, last = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    for i in range(views.frame.size):
        pose = plane_from_world @ views.world_from_camera[i]
        along = pose[:3, :3] @ np.linalg.inv(views.k_px[i])
        climb = along[2, 0] * x + along[2, 1] * y + along[2, 2]
        depth = views.depth[i]
        height = pose[2, 3] + depth * climb
        error = views.sigma[i] * np.abs(climb)
        rows, columns = np.nonzero((height > low + 2 * error) & (height < high))
        z = depth[rows, columns]
        place = np.stack([columns + 0.5, rows + 0.5, np.ones(z.size)], axis=1) @ along[:2].T * z[:, None] + pose[:2, 3]
        at = np.floor(place / cell).astype(np.int64)
        at = at[(at >= 0).all(axis=1) & (at[:, 0] < shape[1]) & (at[:, 1] < shape[0])]
        hit = np.unique(at[:, 1] * shape[1] + at[:, 0])
        count.reshape(-1)[hit] += 1
        last.reshape(-1)[hit] = i
    return Votes(count=count, last=last)


def view_points(
    views: DepthViews, step: int = 1, far: float = np.inf
) -> tuple[Float[np.ndarray, "n 3"], Int64[np.ndarray, "n"]]:
    """World points of every ``step``-th pixel in both directions with a depth of less than ``far``, and the clip's frame of each."""
    points, frames = [np.zeros((0, 3))], [np.zeros(0, np.int64)]
    for i, depth in enumerate(views.depth):
        rows, columns = np.nonzero(depth[::step, ::step] < far)  # NaN is not
        rows, columns = rows * step, columns * step
        rays = pixel_rays(views.k_px[i], rows, columns)
        points.append(transform_points(views.world_from_camera[i], rays * depth[rows, columns, None]))
        frames.append(np.full(rows.size, views.frame[i]))
    return np.concatenate(points), np.concatenate(frames)
