"""Planes in point sets: least squares, and RANSAC where most points belong to something else.

A plane is ``normal · x + offset = 0``. Its normal looks to the side of the frame's origin, so ``offset >= 0`` is the
distance of the origin from it (the camera's distance, in a camera frame).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from video3d.geometry.voxels import voxel_keys

_SCORED_POINTS = 2_000
_REFINED_POINTS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A plane and the points that lie on it.

    Attributes:
        normal: unit vector, see the module for its side.
        offset: distance of the origin, in the unit of the points; ``normal · x + offset = 0`` on the plane.
        inliers: indices of the points on the plane, ascending.
        share: share of all known points that lie on it, 0..1.
        rms: root mean square distance of the inliers from the plane, in the unit of the points.
    """

    normal: Float64[np.ndarray, "3"]
    offset: float
    inliers: Int64[np.ndarray, "m"]
    share: float
    rms: float

    def distance(self, points: Float[np.ndarray, "*s 3"]) -> Float64[np.ndarray, "*s"]:
        """Signed distance of points from the plane, > 0 on the side its normal looks to."""
        return np.asarray(points.astype(np.float64) @ self.normal + self.offset)


def _toward_origin(normal: Float64[np.ndarray, "3"], offset: float) -> tuple[Float64[np.ndarray, "3"], float]:
    """The same plane with its normal to the origin's side; through the origin, with its largest component > 0."""
    flip = offset < 0 or (offset == 0 and normal[np.abs(normal).argmax()] < 0)
    return (-normal, -offset) if flip else (normal, offset)


def _least_squares(points: Float64[np.ndarray, "n 3"]) -> tuple[Float64[np.ndarray, "3"], float]:
    """Normal and offset of the plane with the least sum of squared distances."""
    center = points.mean(axis=0)
    centered = points - center
    _, axes = np.linalg.eigh(centered.T @ centered)
    return _toward_origin(axes[:, 0], -float(axes[:, 0] @ center))


def fit_plane(points: Float[np.ndarray, "n 3"]) -> Plane:
    """The plane with the least sum of squared distances from points (total least squares); all known ones are inliers.

    Points with a NaN do not count.

    Raises:
        ValueError: fewer than three known points, or all of them on one line, so that no plane is determined.

    >>> plane = fit_plane(np.array([[0.0, 0, 2], [1, 0, 2], [0, 1, 2], [1, 1, 2]]))
    >>> plane.normal.round(6).tolist(), round(plane.offset, 6)
    ([-0.0, -0.0, -1.0], 2.0)
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    used = points[known].astype(np.float64)
    if known.size < 3:
        raise ValueError(f"points: expected at least 3 known points, got {known.size}")
    centered = used - used.mean(axis=0)
    spread = np.linalg.eigvalsh(centered.T @ centered)
    if spread[1] <= 1e-12 * spread[2]:
        raise ValueError("points: expected points that span a plane, got points on one line")
    normal, offset = _least_squares(used)
    rms = float(np.sqrt(np.mean((used @ normal + offset) ** 2)))
    return Plane(normal=normal, offset=offset, inliers=known, share=1.0, rms=rms)


def _triples(points: Float64[np.ndarray, "n 3"], count: int, rng: np.random.Generator) -> Int64[np.ndarray, "k 3"]:
    """Index triples to try: half from anywhere, half from one coarse cell, for the points of a surface are neighbours.

    Three points of one surface that holds a share s of a scene meet with s**3 from anywhere, but with about s within
    a cell (Myatt et al., NAPSAC, BMVC 2002).
    """
    num = points.shape[0]
    anywhere = rng.integers(0, num, size=(count - count // 2, 3))
    extent = float(np.ptp(points, axis=0).max())
    if extent == 0:
        return anywhere
    keys = voxel_keys(points - points.min(axis=0), extent / 8)
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    seed = sorted_keys[rng.integers(0, num, size=count // 2)]
    low = np.searchsorted(sorted_keys, seed, side="left")
    high = np.searchsorted(sorted_keys, seed, side="right")
    within = low[:, None] + (rng.random((count // 2, 3)) * (high - low)[:, None]).astype(np.int64)
    return np.concatenate([anywhere, order[within]])


def _best_hypothesis(
    points: Float64[np.ndarray, "n 3"], threshold: float, num_tries: int, rng: np.random.Generator
) -> tuple[Float64[np.ndarray, "3"], float] | None:
    """Normal and offset of the tried plane with the most points near it."""
    scored = points if points.shape[0] <= _SCORED_POINTS else points[rng.permutation(points.shape[0])[:_SCORED_POINTS]]
    corner = points[_triples(points, num_tries, rng)]  # k 3 3
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(normals, axis=1)
    # A sliver of a triangle gives a direction made of noise.
    sides = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
    usable = length > 1e-3 * np.maximum(sides, 1e-300) ** 2
    if not usable.any():
        return None
    normals, corner = normals[usable] / length[usable, None], corner[usable, 0]
    offsets = -np.einsum("ki,ki->k", normals, corner)
    # MSAC (Torr and Zisserman, 2000): an inlier counts for more the nearer it is, which ranks equal counts well.
    gains = np.empty(offsets.size)
    for start in range(0, offsets.size, 64):
        block = slice(start, start + 64)
        distance = normals[block] @ scored.T + offsets[block, None]  # k n
        gains[block] = np.maximum(0.0, 1.0 - (distance / threshold) ** 2).sum(axis=1)
    best = int(gains.argmax())
    return normals[best], float(offsets[best])


def _refined(
    points: Float64[np.ndarray, "n 3"], normal: Float64[np.ndarray, "3"], offset: float, threshold: float
) -> tuple[Float64[np.ndarray, "3"], float]:
    """The plane fitted again to the points near it, until these stay the same."""
    before: Bool[np.ndarray, "n"] | None = None
    for _ in range(10):
        near = np.abs(points @ normal + offset) <= threshold
        if near.sum() < 3 or (before is not None and np.array_equal(near, before)):
            break
        normal, offset = _least_squares(points[near])
        before = near
    return normal, offset


def ransac_plane(
    points: Float[np.ndarray, "n 3"], threshold_m: float, seed: int = 0, *, num_tries: int = 1000
) -> Plane | None:
    """The plane that most points lie near, however many others there are; None if no three points span one.

    Random triples are tried (half of them neighbours), scored on a sample of the points, and the best is refined by
    least squares on its inliers. The same points and seed give the same plane. With 1000 tries a plane that holds a
    tenth of scattered points is found in practice always; one that holds a tenth of a scene of surfaces too.

    Args:
        points: any frame; points with a NaN do not count and are never inliers.
        threshold_m: distance from the plane up to which a point lies on it, in the unit of the points: about three
            times their noise.
        seed: of the random triples.
        num_tries: triples tried.

    >>> rng = np.random.default_rng(0)
    >>> floor = np.c_[rng.uniform(-2, 2, (300, 2)), np.full(300, -1.5)]
    >>> plane = ransac_plane(np.r_[floor, rng.uniform(-2, 2, (700, 3))], 0.02)
    >>> plane.normal.round(3).tolist(), round(plane.offset, 3)
    ([0.0, 0.0, 1.0], 1.5)
    """
    found = find_planes(points, 1, threshold_m=threshold_m, seed=seed, num_tries=num_tries, min_share=0.0)
    return found[0] if found else None


def find_planes(
    points: Float[np.ndarray, "n 3"],
    max_planes: int,
    *,
    threshold_m: float = 0.03,
    min_share: float = 0.02,
    seed: int = 0,
    num_tries: int = 1000,
) -> tuple[Plane, ...]:
    """Planes one after the other, the largest first: each takes its points away from the next.

    At most 20,000 of the points are used to find and refine planes; all points then choose their plane.

    Args:
        points: any frame; points with a NaN do not count.
        max_planes: stop after as many.
        threshold_m: see ``ransac_plane``.
        min_share: stop when the next plane would hold less than this share of the known points.
        seed: of the random triples and samples.
        num_tries: triples tried for each plane.

    >>> rng = np.random.default_rng(0)
    >>> flat = rng.uniform(0, 3, (500, 2))
    >>> floor, wall = np.c_[flat, np.zeros(500)], np.c_[np.zeros(400), flat[:400]]
    >>> [round(plane.share, 2) for plane in find_planes(np.r_[floor, wall], 5)]
    [0.56, 0.44]
    """
    if not threshold_m > 0:
        raise ValueError(f"threshold_m: expected a distance > 0, got {threshold_m}")
    rng = np.random.default_rng(seed)
    remaining = np.flatnonzero(np.isfinite(points).all(axis=1))
    num_known = remaining.size
    center = points[remaining].mean(axis=0, dtype=np.float64) if num_known else np.zeros(3)
    left = points[remaining].astype(np.float64) - center
    planes: list[Plane] = []
    while len(planes) < max_planes and remaining.size >= 3:
        sample = left if left.shape[0] <= _REFINED_POINTS else left[rng.permutation(left.shape[0])[:_REFINED_POINTS]]
        best = _best_hypothesis(sample, threshold_m, num_tries, rng)
        if best is None:
            break
        normal, offset = _refined(sample, *best, threshold_m)
        distance = left @ normal + offset
        on_plane = np.abs(distance) <= threshold_m
        if on_plane.sum() < max(3, min_share * num_known):
            break
        rms = float(np.sqrt(np.mean(distance[on_plane] ** 2)))
        normal, offset = _toward_origin(normal, offset - float(normal @ center))
        share = float(on_plane.sum()) / num_known
        planes.append(Plane(normal=normal, offset=offset, inliers=remaining[on_plane], share=share, rms=rms))
        remaining, left = remaining[~on_plane], left[~on_plane]
    return tuple(planes)
