"""What moved in a clip, by its depth maps alone: places that one frame saw filled and others looked through.

A surface that stands still is in the way of every view that looks at it. Where other views saw something clearly behind a place, it was
empty then: what fills it now has moved. Such points of one frame that lie together are a body, and bodies of several frames that lie
along one way are a thing in motion (``moving_things``). No name, no model; sound as far as depth and poses are measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.ndimage import minimum_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from video3d.geometry.depth_views import DepthViews, depth_views, view_points
from video3d.geometry.rigid import inverse_rigid, scale_k
from video3d.geometry.tsdf import sigma_z
from video3d.types import Box3D, PosedClip

_MOST_POINTS = 1_000_000  # that are looked up: every pixel, or every so many of them where that would be more
_MOST_VIEWS = 32  # evenly spread, look at every place: its cost is points times views
_LEAST_VIEWS, _LEAST_OF_VIEWS = 2, 0.1  # that looked through a place, and of all that are asked: one may err
_BEHIND_M, _BEHIND_SHARE = 0.03, 0.01  # and of the distance: poses err by an angle
_MOST_MOVED = 0.2  # of what a frame shows: where more seems to have moved, its pose is off
_MOST_SIGMA = 0.03
"""Of depth, as a share of it: no depth camera sees so far that it errs by more; what does see that far is a LiDAR."""
_LEAST_POINTS, _LEAST_SR = 8, 1e-4  # of a body, and what they fill of the view: a decimetre across at ten metres
_LINK_SHARE = 0.03  # of their distance: points that lie nearer to each other are of one body
_ACROSS, _ALONG = 0.3, 0.7
"""Cosine between an axis of a thing and the view: from here on it is along the view, to here across; between, something of both."""
TAIL = 0.03  # of a body's points on either side, that may be another's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """What moved, as one frame saw it.

    Attributes:
        frame: position in the clip.
        points_world: on its surface, metres.
        eye_world: the camera's place.
        seen_at: row and column of these points in the frame, as shares of its height and width; None: not known.
    """

    frame: int
    points_world: Float64[np.ndarray, "n 3"]
    eye_world: Float64[np.ndarray, "3"]
    seen_at: Float64[np.ndarray, "n 2"] | None = None

    def center(self, box: Box3D) -> Float64[np.ndarray, "3"]:
        """Where the middle of a thing of this size and heading is, of which this is what was seen.

        Of what was seen whole, in the middle of that. Where less was seen than there is: along the view, the side that faces the
        camera is the thing's own, and the other is hidden; across the view, nobody knows which end is missing.
        """
        local = (self.points_world - box.center_world) @ box.world_from_box
        low, high = np.quantile(local, (TAIL, 1 - TAIL), axis=0)
        middle, half = (low + high) / 2, box.size_m / 2
        toward = (self.eye_world - box.center_world) @ box.world_from_box - middle
        along = np.clip((np.abs(toward) / np.linalg.norm(toward) - _ACROSS) / (_ALONG - _ACROSS), 0.0, 1.0)
        near = np.where(toward > 0, high - half, low + half)
        missing = high - low < box.size_m
        return box.center_world + box.world_from_box @ np.where(missing, along * near + (1 - along) * middle, middle)

    @property
    def sigma_m(self) -> float:
        """How well the place of its middle is known from frame to frame: a centimetre or two, and more from afar."""
        return 0.015 + 0.01 * float(np.linalg.norm(self.points_world.mean(0) - self.eye_world))


def nearest_body(bodies: Sequence[Body], box: Box3D, sigma_m: float) -> Body | None:
    """The body that is where a thing is believed to be, and no larger than it; None where there is none.

    Args:
        bodies: of one frame.
        box: of the thing, as it is believed to be.
        sigma_m: how far off its middle may be.
    """
    half = float(np.sort(box.size_m)[1:].mean()) / 2
    found = []
    for one in bodies:
        local = (one.points_world - box.center_world) @ box.world_from_box
        low, high = np.quantile(local, (TAIL, 1 - TAIL), axis=0)
        if bool((high - low < 1.5 * box.size_m + 0.1).all()):
            found.append((float(np.linalg.norm(one.center(box) - box.center_world)), one))
    best = min(found, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] < half + 2 * sigma_m else None


def moving_bodies(clip: PosedClip) -> tuple[Body, ...]:
    """All bodies of all frames, those with most points of a frame first.

    Args:
        clip: in metres, with measured depth and poses.
    """
    views = depth_views(clip)
    step = max(1, math.ceil(math.sqrt(views.depth.size / _MOST_POINTS)))
    points, frames = view_points(views, step)
    points, seen = np.asarray(points, dtype=np.float64), np.unique(frames)
    looks = seen[np.linspace(0, len(seen) - 1, min(len(seen), _MOST_VIEWS)).round().astype(np.int64)]
    moved = _looked_through(clip, looks, points) >= max(_LEAST_VIEWS, round(_LEAST_OF_VIEWS * len(looks)))
    found = []
    for frame in np.unique(frames[moved]):
        if moved[frames == frame].mean() > _MOST_MOVED:
            continue
        eye = np.asarray(clip.world_from_camera[frame][:3, 3], dtype=np.float64)
        least = max(_LEAST_POINTS, math.ceil(_LEAST_SR * _points_per_sr(views, int(frame), step)))
        found += [
            Body(frame=int(frame), points_world=one, eye_world=eye, seen_at=_seen_at(clip, int(frame), one))
            for one in _together(points[moved & (frames == frame)], eye)
            if len(one) >= least
        ]
    return tuple(found)


def _points_per_sr(views: DepthViews, frame: int, step: int) -> float:
    """How many points of a view there are in a steradian, in its middle."""
    k_px = views.k_px[int(np.flatnonzero(views.frame == frame)[0])]
    return float(k_px[0, 0] * k_px[1, 1]) / step**2


def _seen_at(clip: PosedClip, frame: int, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
    """Row and column of places that a frame shows, as shares of its height and width."""
    pose, (h, w) = inverse_rigid(clip.world_from_camera[frame]), clip.size_hw
    seen = (points @ pose[:3, :3].T + pose[:3, 3]) @ np.asarray(clip.k_px[frame], dtype=np.float64).T
    return np.clip(seen[:, 1::-1] / seen[:, 2:] / [h, w], 0.0, 1.0 - 1e-9)


def _looked_through(
    clip: PosedClip, frames: Int64[np.ndarray, "f"], points: Float64[np.ndarray, "n 3"]
) -> Int64[np.ndarray, "n"]:
    """How many frames saw something clearly behind each place, all around it."""
    h, w = clip.depth_m.shape[1:]
    count = np.zeros(len(points), np.int64)
    for frame in frames:
        k_px = scale_k(clip.k_px[frame], clip.size_hw, (h, w))
        seen = (points @ (pose := inverse_rigid(clip.world_from_camera[frame]))[:3, :3].T + pose[:3, 3]) @ k_px.T
        depth = clip.depth_m[frame]
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
            at = np.flatnonzero((seen[:, 2] > 0) & (x >= 0) & (x < w) & (y >= 0) & (y < h))
        row, column, z = y[at].astype(np.int64), x[at].astype(np.int64), seen[at, 2]
        least = minimum_filter(np.where(np.isfinite(depth), depth, np.inf), size=3, mode="nearest")[row, column]
        sigma = np.minimum(sigma_z(clip, int(frame))[row, column], _MOST_SIGMA * z)
        count[at[np.isfinite(depth[row, column]) & (least - z > _BEHIND_M + _BEHIND_SHARE * z + 2 * sigma)]] += 1
    return count


def _together(points: Float64[np.ndarray, "n 3"], eye: Float64[np.ndarray, "3"]) -> list[Float64[np.ndarray, "_ 3"]]:
    """Points by which of them lie together, most first: cells of half that width that hold some, as far as they are neighbours."""
    away = np.maximum(np.linalg.norm(points - eye, axis=1, keepdims=True), 1e-9)
    seen_as = np.c_[(points - eye) / away, np.log(away)] / _LINK_SHARE
    cells, cell = np.unique(np.floor(2 * seen_as).astype(np.int64), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    middle = np.stack([np.bincount(cell, one, len(cells)) for one in seen_as.T], 1) / np.bincount(cell)[:, None]
    pairs = KDTree(middle).query_pairs(1.0, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(cells), len(cells)))
    number, of_cell = connected_components(links, directed=False)
    label = of_cell[cell]
    sizes = np.bincount(label, minlength=number)
    return [points[label == one] for one in np.argsort(-sizes, kind="stable")]
