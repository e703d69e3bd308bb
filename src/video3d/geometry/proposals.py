"""Boxes around things in a scene, from points alone: no detector, no names, no training.

    points ─▶ without floor, ceiling and walls ─▶ level tops cut out ─▶ pieces that hang together ─▶ upright boxes ─▶ the best

What stands on a table touches nothing but its top. So level tops are cut out before pieces are looked for, and given back
to what is under them: the table is one thing and the cup another. That the cut was right is not known, so the uncut piece
(the table with all that stands on it) is proposed as well; who scores proposals against a phrase chooses.

Pieces are found on occupied cells and scored by them, not by points: what was looked at for long is not more of a thing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from video3d.geometry.boxes import iou_3d_matrix
from video3d.geometry.planes import find_planes
from video3d.geometry.rigid import axes_with_z
from video3d.geometry.room_hull import find_hull
from video3d.geometry.voxels import difference, unique_voxels, voxel_keys
from video3d.types import Box3D

_MIN_TOP_M2 = 0.12  # a small stool; the top of a carton is smaller, and stays with it
_MIN_TOP_HEIGHT_M = 0.25
_STANDS_OUT = 2.0  # cells at the height of a top, over those at usual heights of the piece
_THINNEST_M = 0.02
_TRIM = 1.0  # percent off each end of an extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A box that may hold a thing.

    Attributes:
        box: upright, in the frame of the points.
        score: 0..1, more for more occupied cells and for more views; no probability.
        members: indices of the points in it, ascending.
    """

    box: Box3D
    score: float
    members: Int64[np.ndarray, "m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalOptions:
    """What counts as a thing. The defaults suit rooms, in metres.

    Attributes:
        cell_m: side of the cells whose neighbourhood joins points; ``None``: from the distances between points, 0.04 to
            0.25 m.
        min_points: fewest points of a thing.
        min_size_m: a thing's longest side is at least this.
        max_size_m: no side is longer.
        nms_iou: of two boxes that overlap more, the one with the lower score goes.
        most: how many at most, the best ones.
        seed: of the planes' random samples.
    """

    cell_m: float | None = None
    min_points: int = 12
    min_size_m: float = 0.06
    max_size_m: float = 4.0
    nms_iou: float = 0.75
    most: int = 256
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Top:
    """A level top: its height and which of the points are on it."""

    z: float
    members: Int64[np.ndarray, "m"]


def propose_boxes(
    points_world: Float[np.ndarray, "n 3"],
    *,
    frame: Int[np.ndarray, "n"] | None = None,
    floor_z: float | None = None,
    gravity_aligned: bool = True,
    options: ProposalOptions | None = None,
) -> tuple[Proposal, ...]:
    """Boxes around what stands in a scene, the best first. The same points give the same boxes.

    Args:
        points_world: metres, +z up; points with a NaN or infinity are left out.
        frame: which frame saw each point, for the score; ``None``: not known.
        floor_z: height of the floor where it is known, 0 in an aligned world whose floor was seen. ``None``: the lowest
            wide level plane is taken for it, if there is one.
        gravity_aligned: whether +z is up. If not, up is the normal of the largest plane that has the scene on one side,
            which is the floor or, at worst, a wall.
        options: what counts as a thing.

    >>> x, y = np.meshgrid(np.arange(0, 3, 0.05), np.arange(0, 3, 0.05))
    >>> floor = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    >>> block = np.random.default_rng(0).uniform([1, 1, 0], [1.6, 1.4, 0.5], (2000, 3))
    >>> [found] = propose_boxes(np.r_[floor, block], floor_z=0.0)
    >>> found.box.size_m.round(1).tolist()
    [0.6, 0.4, 0.5]
    """
    options = options or ProposalOptions()
    known = np.flatnonzero(np.isfinite(points_world).all(axis=1))
    if known.size < options.min_points:
        return ()
    each = points_world[known].astype(np.float64)
    upright_from_world = np.eye(3)
    if not gravity_aligned:
        upright_from_world, floor_z = _stood_up(each, options.seed), None
    each = each @ upright_from_world.T
    cell = _cell_side(each) if options.cell_m is None else options.cell_m
    points, point_of = _thinned(each, max(_THINNEST_M, 0.25 * cell))
    hull = find_hull(points, floor_z, cell, options.seed)
    found = []
    num_in = np.bincount(point_of, minlength=points.shape[0])
    for thing in _things(points, np.flatnonzero(~hull.members), cell, hull.floor_z):
        if num_in[thing].sum() < options.min_points or hull.is_skin(points[thing]):
            continue
        chosen = np.zeros(points.shape[0], dtype=bool)
        chosen[thing] = True
        members = known[chosen[point_of]]
        box = _box_around(points[thing], cell, hull.floor_z, options)
        if box is None:
            continue
        turned = Box3D(
            center_world=upright_from_world.T @ box.center_world,
            size_m=box.size_m,
            world_from_box=upright_from_world.T @ box.world_from_box,
        )
        score = _score(points[thing], None if frame is None else frame[members], cell)
        found.append(Proposal(box=turned, score=score, members=members))
    return _best(found, options)


def _thinned(
    points: Float64[np.ndarray, "n 3"], side: float
) -> tuple[Float64[np.ndarray, "v 3"], Int64[np.ndarray, "n"]]:
    """One point for every fine cell, the mean of what is in it, and which of them each point went into.

    A thing that many frames saw costs no more, and its box is not drawn to where most pixels were.
    """
    keys, point_of = np.unique(voxel_keys(points, side), return_inverse=True)
    point_of = point_of.reshape(-1)
    count = np.bincount(point_of, minlength=keys.size)
    sums = [np.bincount(point_of, points[:, axis], minlength=keys.size) for axis in range(3)]
    return np.stack(sums, axis=1) / count[:, None], point_of


def _cell_side(points: Float64[np.ndarray, "n 3"]) -> float:
    """A length that a surface has no holes of: the distance that 95 % have to their fourth neighbour."""
    from scipy.spatial import KDTree

    step = max(1, points.shape[0] // 4000)
    near = KDTree(points).query(points[::step], k=min(5, points.shape[0]))[0][:, -1]
    return float(np.clip(np.percentile(near, 95), 0.04, 0.25))


def _stood_up(points: Float64[np.ndarray, "n 3"], seed: int) -> Float64[np.ndarray, "3 3"]:
    """Rotation that brings the normal of the largest plane with the scene on one side to +z."""
    for plane in find_planes(points, 6, seed=seed):
        distance = plane.distance(points)
        below, above = (distance < -0.1).mean(), (distance > 0.1).mean()
        if min(below, above) <= 0.03:
            z = plane.normal if above >= below else -plane.normal
            return axes_with_z(z, np.eye(3)[np.abs(z).argmin()]).T
    return np.eye(3)


def _pieces(points: Float64[np.ndarray, "n 3"], cell: float) -> Int64[np.ndarray, "n"]:
    """Number of the connected piece that each point is in: steps from point to point of at most 1.25 cells.

    Distances between the means of finer cells, not neighbouring cells: those would join what is up to two cells apart.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    means, member = _thinned(points, 0.6 * cell)
    pairs = KDTree(means).query_pairs(1.25 * cell, output_type="ndarray")
    joined = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(means), len(means)))
    _, labels = connected_components(joined, directed=False)
    return labels.astype(np.int64)[member]


def _split(points: Float64[np.ndarray, "n 3"], members: Int64[np.ndarray, "m"], cell: float) -> list[np.ndarray]:
    """The members of every piece, in the order of their first point."""
    if members.size == 0:
        return []
    labels = _pieces(points[members], cell)
    order = np.argsort(labels, kind="stable")
    parts = np.split(members[order], np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(parts, key=lambda part: int(part[0]))


def _things(
    points: Float64[np.ndarray, "n 3"], inside: Int64[np.ndarray, "m"], cell: float, floor_z: float | None
) -> list[np.ndarray]:
    """Members of everything that may be a thing: whole pieces, and those made by cutting level tops out of them."""
    found = []
    for piece in _split(points, inside, cell):
        found.append(piece)
        tops = _tops(points, piece, cell, floor_z)
        if tops:
            found += _cut(points, piece, tops, cell)
    return found


def _tops(
    points: Float64[np.ndarray, "n 3"], piece: Int64[np.ndarray, "m"], cell: float, floor_z: float | None
) -> list[_Top]:
    """Level tops in a piece: heights at which its points fill an area, the widest first."""
    left, tops = piece, []
    lowest = float(points[piece, 2].min()) if floor_z is None else floor_z
    step = 0.02
    half = max(0.03, 0.3 * cell)
    for _ in range(4):
        if left.size < 10:
            break
        z = points[left, 2]
        layer = np.floor(z / step).astype(np.int64)
        first = int(layer.min())
        cells = np.unique(np.c_[np.floor(points[left, :2] / cell).astype(np.int64), layer], axis=0)[:, 2]
        # Upright sides fill a few cells at all heights alike; a top stands out over what is usual.
        votes = np.convolve(np.bincount(cells - first), np.ones(3), mode="same")
        if votes.max() < _STANDS_OUT * np.median(votes[votes > 0]):
            break
        height = (int(votes.argmax()) + first + 0.5) * step
        on = np.abs(z - height) <= half
        parts = _split(points, left[on], cell)
        left = left[np.abs(z - height) > 1.5 * half]
        for part in parts:
            if part.size * cell**2 < _MIN_TOP_M2 or height - lowest < _MIN_TOP_HEIGHT_M:
                continue
            spread = points[part, :2] - points[part, :2].mean(axis=0)
            thin = np.sqrt(max(np.linalg.eigvalsh(spread.T @ spread / part.size)[0], 0.0)) * np.sqrt(12)
            if thin >= 0.2 and _level_area(points, piece, part, height, half, cell) >= _MIN_TOP_M2:
                tops.append(_Top(z=float(np.median(points[part, 2])), members=part))
    return tops


def _level_area(
    points: Float64[np.ndarray, "n 3"],
    piece: Int64[np.ndarray, "m"],
    part: Int64[np.ndarray, "k"],
    height: float,
    half: float,
    cell: float,
) -> float:
    """Area of the cells of a layer with nothing of its piece close above or below: a layer through a front has both."""
    off = np.abs(points[piece, 2] - height)
    around = piece[(off > 1.5 * half) & (off < 1.5 * half + 0.12)]
    here, beside = (points[which] * np.array([1.0, 1.0, 0.0]) for which in (part, around))
    return difference(unique_voxels(here, cell), unique_voxels(beside, cell)).size * cell**2


def _cut(
    points: Float64[np.ndarray, "n 3"], piece: Int64[np.ndarray, "m"], tops: list[_Top], cell: float
) -> list[np.ndarray]:
    """What falls apart where tops are cut out; each top goes to what is under it."""
    on_top = np.zeros(points.shape[0], dtype=bool)
    for top in tops:
        on_top[top.members] = True
    owned = [[top.members] for top in tops]
    found = []
    parts = _split(points, piece[~on_top[piece]], cell)
    for part, top in zip(parts, _under(points, parts, tops, cell).tolist(), strict=True):
        (found if top < 0 else owned[top]).append(part)
    return found + [np.sort(np.concatenate(members)) for members in owned]


def _under(
    points: Float64[np.ndarray, "n 3"], parts: list[np.ndarray], tops: list[_Top], cell: float
) -> Int64[np.ndarray, "p"]:
    """Which top each part carries, -1 for none: it reaches up to the top, and most of it lies below, seen from above.

    Outdoors there are thousands of parts, so all are asked at once.
    """
    if not parts:
        return np.zeros(0, np.int64)
    part_of = np.repeat(np.arange(len(parts)), [part.size for part in parts])
    members = np.concatenate(parts)
    middle, high = _percentiles(points[members, 2], part_of, (50.0, 98.0))
    columns = np.floor(points[members, :2] / cell).astype(np.int64)
    cells, column = np.unique(columns, axis=0, return_inverse=True)
    place, column = np.divmod(np.unique(part_of * len(cells) + column.reshape(-1)), len(cells))  # each cell once a part
    area = np.bincount(place)
    best, most = np.full(len(parts), -1), np.full(len(parts), 0.5)
    around = np.array([(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
    for number, top in enumerate(tops):
        footprint = np.floor(points[top.members, :2] / cell).astype(np.int64)
        reach = set(map(tuple, (footprint[:, None] + around).reshape(-1, 2).tolist()))
        below = np.array([tuple(place) in reach for place in cells.tolist()])
        share = np.bincount(place, below[column], len(parts)) / area
        share[(middle > top.z) | (np.abs(high - top.z) > 3 * cell)] = 0.0
        best, most = np.where(share > most, number, best), np.maximum(share, most)
    return best


def _percentiles(
    values: Float64[np.ndarray, "n"], group: Int64[np.ndarray, "n"], percents: tuple[float, ...]
) -> list[Float64[np.ndarray, "g"]]:
    """Percentiles of every group, as ``np.percentile`` gives them; groups are numbered from 0 without gaps.

    >>> [one.tolist() for one in _percentiles(np.array([5.0, 1.0, 4.0, 2.0]), np.array([0, 1, 0, 1]), (50.0, 100.0))]
    [[4.5, 1.5], [5.0, 2.0]]
    """
    ordered = values[np.lexsort((values, group))]
    count = np.bincount(group)
    first = np.cumsum(count) - count
    found = []
    for percent in percents:
        at = percent / 100 * (count - 1)
        low = np.floor(at).astype(np.int64)
        lower, upper = ordered[first + low], ordered[first + np.minimum(low + 1, count - 1)]
        found.append(lower + (upper - lower) * (at - low))
    return found


def _box_around(
    points: Float64[np.ndarray, "m 3"], cell: float, floor_z: float | None, options: ProposalOptions
) -> Box3D | None:
    """The upright box with the smallest base around all but the outermost points; None for what is too small or large.

    Its foot goes down to the floor where that is near: the points there were taken for floor.
    """
    trim = _TRIM if points.shape[0] >= 50 else 0.0
    best: tuple[float, float, np.ndarray, np.ndarray] | None = None
    for degrees in range(0, 90, 2):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turned = points[:, :2] @ np.array([[c, -s], [s, c]])
        low, high = np.percentile(turned, [trim, 100 - trim], axis=0)
        base = float((high - low).prod())
        if best is None or base < 0.999 * best[0]:
            best = (base, float(np.radians(degrees)), low, high)
    if best is None:
        return None
    _, yaw, low, high = best
    bottom, top = np.percentile(points[:, 2], [trim, 100 - trim])
    if floor_z is not None and bottom - floor_z < max(0.15, 1.5 * cell):
        bottom = min(bottom, floor_z)
    size = np.maximum(np.r_[high - low, top - bottom], 0.02)
    if size.max() < options.min_size_m or size.max() > options.max_size_m:
        return None
    rotation = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]])
    center = rotation @ np.r_[(low + high) / 2, (bottom + top) / 2]
    return Box3D(center_world=center, size_m=size, world_from_box=rotation)


def _score(points: Float64[np.ndarray, "m 3"], views: Int[np.ndarray, "k"] | None, cell: float) -> float:
    cells = np.unique(np.floor(points / cell).astype(np.int64), axis=0).shape[0]
    seen = 1.0 if views is None else np.unique(views).size / (np.unique(views).size + 1.0)
    return float(cells / (cells + 10.0) * seen)


def _best(found: list[Proposal], options: ProposalOptions) -> tuple[Proposal, ...]:
    """Greedy non-maximum suppression by exact overlap of oriented boxes."""
    order = sorted(found, key=lambda one: (-one.score, one.box.center_world.tolist()))
    boxes = [one.box for one in order]
    overlap = iou_3d_matrix(boxes, boxes) if boxes else np.zeros((0, 0))
    kept: list[int] = []
    for i in range(len(order)):
        if len(kept) == options.most:
            break
        if all(overlap[i, j] <= options.nms_iou for j in kept):
            kept.append(i)
    return tuple(order[i] for i in kept)
