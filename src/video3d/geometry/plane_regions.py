"""Flat regions of a scene: planes with an outline, from all depth maps together.

    flat tiles ─▶ planes that many lie on ─▶ cells of each plane that views see on it ─▶ connected regions ─▶ fitted again

Tiles are flat pieces of single depth maps (``flatness``). They say where planes are, and which way they face; every tile's own
plane is tried, as it is and turned exactly level or upright, and the one that most surface lies on is taken first. How far a
region reaches, how high and how flat it is comes from the depth maps themselves, looked up at every cell (``depth_views``): noise
of single pixels goes away in the mean, weighed by how sure each is of its height.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.depth_views import DepthViews, PlaneVotes, plane_votes
from video3d.geometry.flatness import FlatTiles
from video3d.geometry.outline import outer_outline, smallest_rectangle
from video3d.geometry.rigid import axes_with_z

CELL_M = 0.025
"""Side of a cell of a region."""
_COARSE_M = 0.05  # cells of the first look, and voxels that tiles are thinned to
_NEAR_M = 0.03  # tiles up to here lie on a plane
_FACING = np.cos(np.radians(15.0))
_SNAP = np.cos(np.radians(8.0))  # tiles that face so nearly up or across are tried as exactly level or upright
_LEVEL = np.cos(np.radians(5.0))  # floors are
_OFF_M = 0.015  # cells whose mean is farther off are not on the plane
_MARGIN_M = 0.15
_MIN_TILES = 8
_MIN_LEVEL_M2 = 0.03  # a small shelf
_MIN_AREA_M2 = 0.25  # of what is not level: fronts and slopes of things are many, and nothing stands on them
_MAX_PLANES, _MAX_REGIONS = 40, 64
_MAX_CELLS = 250_000
_TRIED, _SCORED = 300, 4000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneRegion:
    """A connected flat region, as it was seen.

    Attributes:
        normal: unit, to the side that it was seen from.
        offset: ``normal · x + offset = 0``.
        world_from_plane: frame of the cells: x along columns, y along rows, z the normal; the origin is the corner of cell (0, 0).
        cell: side of a cell, in the unit of the world.
        on: cells that are part of the region.
        height: mean distance of what was seen at a cell from the plane; NaN off the region.
        seen_by: how many views saw a surface at each cell.
        outline: corners in the world, counter-clockwise seen from the normal's side; holes are left out.
        area: of the cells of the region.
        rms: root mean square of ``height``.
        frames: positions in the clip of the views that saw at least a twentieth of it, ascending.
        agreement: share of the views' votes on its cells that say that there is a surface there, 0..1.
    """

    normal: Float64[np.ndarray, "3"]
    offset: float
    world_from_plane: Float64[np.ndarray, "4 4"]
    cell: float
    on: Bool[np.ndarray, "r c"]
    height: Float64[np.ndarray, "r c"]
    seen_by: Int64[np.ndarray, "r c"]
    outline: Float64[np.ndarray, "k 3"]
    area: float
    rms: float
    frames: tuple[int, ...]
    agreement: float

    @property
    def center(self) -> Float64[np.ndarray, "3"]:
        """Mean of the cells' middles."""
        return self.places().mean(axis=0)

    def places(self) -> Float64[np.ndarray, "n 3"]:
        """Middles of the cells in the world, on the plane."""
        return cell_centers(self.world_from_plane, self.cell, np.argwhere(self.on))

    def holds(self, points: Float64[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Which points lie over or under a cell of the region, seen along the normal."""
        local = (points - self.world_from_plane[:3, 3]) @ self.world_from_plane[:3, :2]
        at = np.floor(local / self.cell).astype(np.int64)
        inside = (at >= 0).all(axis=1) & (at[:, 0] < self.on.shape[1]) & (at[:, 1] < self.on.shape[0])
        held = np.zeros(points.shape[0], dtype=bool)
        held[inside] = self.on[at[inside, 1], at[inside, 0]]
        return held


def cell_centers(
    world_from_plane: Float64[np.ndarray, "4 4"], cell: float, index: Int64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "n 3"]:
    """World points of the middles of cells (row, column)."""
    local = (index[:, ::-1] + 0.5) * cell
    return local @ world_from_plane[:3, :2].T + world_from_plane[:3, 3]


def find_plane_regions(
    views: DepthViews, tiles: FlatTiles, *, level: bool, floor_z: float | None = None
) -> tuple[PlaneRegion, ...]:
    """The flat regions that views saw, the floor first, then plane by plane, those with the most surface first.

    Args:
        views: depth maps.
        tiles: flat tiles of the same depth maps (of some, where there are many).
        level: +z is up, so that planes may be tried as exactly level and upright.
        floor_z: height of the floor where it is known. Its regions get one plane, however the furniture divides it.

    >>> from video3d.geometry.flatness import flat_tiles
    >>> k_px = np.array([[[60.0, 0, 40], [0, 60, 30], [0, 0, 1]]])
    >>> down = np.diag([1.0, -1.0, -1.0, 1.0]); down[2, 3] = 2.0
    >>> depth = np.full((1, 60, 80), 2.0, np.float32); depth[:, 20:40, 30:50] = 1.5
    >>> views = DepthViews(frame=np.array([0]), depth=depth, sigma=0.001 * depth, k_px=k_px, world_from_camera=down[None])
    >>> found = find_plane_regions(views, flat_tiles(depth, k_px, down[None]), level=True, floor_z=0.0)
    >>> [(round(abs(float(region.center[2])), 2), round(region.area, 1)) for region in found]
    [(0.0, 4.9), (0.5, 0.3)]
    """
    if not views.frame.size:
        return ()
    found: list[PlaneRegion] = []
    metre = views.metre
    points, normals = _thinned(tiles, _COARSE_M * metre)
    left = np.ones(points.shape[0], dtype=bool)
    rng = np.random.default_rng(0)
    for number in range(_MAX_PLANES):
        is_floor = number == 0 and floor_z is not None
        if is_floor:
            normal, offset = _floor(points, normals, float(floor_z or 0.0), _NEAR_M * metre)
            mine = _members(points, normals, normal, offset, _NEAR_M * metre)
        else:
            plane = _next_plane(points[left], normals[left], level, _NEAR_M * metre, rng)
            if plane is None or len(found) >= _MAX_REGIONS:
                break
            normal, offset = plane
            mine = left & _members(points, normals, normal, offset, _NEAR_M * metre)
        if mine.sum() * (_COARSE_M * metre) ** 2 >= 0.5 * _least_area(normal, metre):
            for region in _regions(views, points[mine], normal, offset, one_plane=is_floor):
                if not any(_same(region, other, 0.04 * metre) for other in found):
                    found.append(region)
        left &= ~_members(points, normals, normal, offset, 1.5 * _NEAR_M * metre)
    return tuple(found[:_MAX_REGIONS])


def _floor(
    points: Float64[np.ndarray, "n 3"], normals: Float64[np.ndarray, "n 3"], floor_z: float, near: float
) -> tuple[Float64[np.ndarray, "3"], float]:
    """The floor's plane: where up is a degree off, so is the floor, and a level one would leave it after two metres."""
    up = np.array([0.0, 0.0, 1.0])
    normal, offset = up, -floor_z
    for _ in range(6):
        mine = _members(points, normals, normal, offset, near)
        if mine.sum() < _MIN_TILES:
            break
        fitted = _fit(points[mine], np.ones(int(mine.sum())), up)
        if fitted[0][2] < _LEVEL:
            break
        normal, offset = fitted
    return normal, offset


def _thinned(tiles: FlatTiles, side: float) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """One tile a voxel and rough direction, so that what was looked at for long is no more surface."""
    if not tiles.area.size:
        return np.zeros((0, 3)), np.zeros((0, 3))
    key = np.c_[np.floor(tiles.points_world / side), np.round(tiles.normals_world * 2)].astype(np.int64)
    _, group = np.unique(key, axis=0, return_inverse=True)
    group = group.reshape(-1)
    weight = 1 / (tiles.error_rad**2 + 0.01**2)
    points, normals = (
        np.stack([np.bincount(group, weight * values[:, axis]) for axis in range(3)], axis=1)
        for values in (tiles.points_world, tiles.normals_world)
    )
    points /= np.bincount(group, weight)[:, None]
    return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _members(
    points: Float64[np.ndarray, "n 3"],
    normals: Float64[np.ndarray, "n 3"],
    normal: Float64[np.ndarray, "3"],
    offset: float,
    near: float,
) -> Bool[np.ndarray, "n"]:
    return (np.abs(points @ normal + offset) <= near) & (normals @ normal >= _FACING)


def _next_plane(
    points: Float64[np.ndarray, "n 3"],
    normals: Float64[np.ndarray, "n 3"],
    level: bool,
    near: float,
    rng: np.random.Generator,
) -> tuple[Float64[np.ndarray, "3"], float] | None:
    """The plane of one tile that most tiles lie on and face with, fitted to them."""
    if points.shape[0] < _MIN_TILES:
        return None
    some = rng.permutation(points.shape[0])
    tried, scored = some[:_TRIED], some[:_SCORED]
    facing = normals[tried]
    if level:
        facing = _snapped(facing)
    offset = -np.einsum("ki,ki->k", facing, points[tried])
    single = np.float32  # enough to choose by, and half the memory to go through
    distance = (points[scored].astype(single) @ facing.T.astype(single) + offset.astype(single)) / single(near)
    gain = np.maximum(1 - distance**2, 0) * (normals[scored].astype(single) @ facing.T.astype(single) >= _FACING)
    score = gain.sum(axis=0)
    best = int(score.argmax())
    normal, at = facing[best], float(offset[best])
    for _ in range(3):
        mine = _members(points, normals, normal, at, near)
        if mine.sum() < _MIN_TILES:
            return None
        fitted = _fit(points[mine], np.ones(int(mine.sum())), normal)
        if fitted[0] @ facing[best] < _FACING:
            break
        normal, at = fitted
        if level and abs(float(normal @ _snapped(normal[None])[0])) > _SNAP and mine.sum() < 40:
            normal = _snapped(normal[None])[0]  # a few tiles do not know a tilt
            at = -float(np.median(points[mine] @ normal))
    return normal, at


def _snapped(normals: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    """Normals that are nearly level or upright, exactly so; the others as they are."""
    snapped = normals.copy()
    up = np.abs(normals[:, 2]) > _SNAP
    snapped[up] = np.c_[np.zeros((int(up.sum()), 2)), np.sign(normals[up, 2])]
    across = np.abs(normals[:, 2]) < np.sqrt(1 - _SNAP**2)
    snapped[across, 2] = 0.0
    return snapped / np.linalg.norm(snapped, axis=1, keepdims=True)


def _fit(
    points: Float64[np.ndarray, "n 3"], weights: Float64[np.ndarray, "n"], toward: Float64[np.ndarray, "3"]
) -> tuple[Float64[np.ndarray, "3"], float]:
    """Least squares, what lies far off left out (2.5 robust standard deviations), its normal to the side of ``toward``."""
    keep = np.ones(points.shape[0], dtype=bool)
    normal, center = toward, points.mean(axis=0)
    for _ in range(5):
        weight = weights * keep
        center = weight @ points / weight.sum()
        spread = points - center
        normal = np.linalg.eigh((spread * weight[:, None]).T @ spread)[1][:, 0]
        off = np.abs(spread @ normal)
        again = off <= max(2.5 * 1.4826 * float(np.median(off)), 1e-9)
        if again.sum() < 3 or np.array_equal(again, keep):
            break
        keep = again
    normal = normal if normal @ toward >= 0 else -normal
    return normal, -float(normal @ center)


def _frame(
    places: Float64[np.ndarray, "n 3"], normal: Float64[np.ndarray, "3"], offset: float, margin: float, align: bool
) -> tuple[Float64[np.ndarray, "4 4"], Float64[np.ndarray, "2"]]:
    """Frame of a grid around places on a plane, and its extent; its sides are level, or those of the smallest rectangle."""
    x = np.cross(np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.9 else np.array([0.0, -1.0, 0.0]), normal)
    x /= np.linalg.norm(x)
    if align and abs(normal[2]) >= 0.9:
        flat = places @ np.stack([x, np.cross(normal, x)], axis=1)
        turn = np.radians(smallest_rectangle(flat, 1.0, 2.0)[2])
        x = np.cos(turn) * x + np.sin(turn) * np.cross(normal, x)
    axes = np.stack([x, np.cross(normal, x), normal], axis=1)
    local = places @ axes[:, :2]
    low, high = local.min(axis=0) - margin, local.max(axis=0) + margin
    pose = np.eye(4)
    pose[:3, :3] = axes
    pose[:3, 3] = axes @ np.r_[low, -offset]
    return pose, high - low


def _looked_at(
    views: DepthViews, pose: Float64[np.ndarray, "4 4"], extent: Float64[np.ndarray, "2"], cell: float
) -> tuple[float, Bool[np.ndarray, "r c"], PlaneVotes]:
    """The cells of a grid on a plane that views see on it."""
    cell = max(cell, float(np.sqrt(extent.prod() / _MAX_CELLS)))
    columns, rows = np.maximum(np.ceil(extent / cell).astype(np.int64), 1).tolist()
    index = np.indices((rows, columns)).reshape(2, -1).T
    normal = pose[:3, 2]
    votes = plane_votes(views, cell_centers(pose, cell, index), normal, -float(normal @ pose[:3, 3]))
    # Beside an edge the side of a thing, a little lower, looks like more of its top; but other views look through there.
    on = (votes.on > 4 * votes.through) & (np.abs(votes.height) <= _OFF_M * views.metre)
    return cell, on.reshape(rows, columns), votes


def _regions(
    views: DepthViews,
    tiles: Float64[np.ndarray, "n 3"],
    normal: Float64[np.ndarray, "3"],
    offset: float,
    *,
    one_plane: bool,
) -> list[PlaneRegion]:
    """Connected regions of one plane, each with a plane of its own unless ``one_plane``."""
    from scipy.ndimage import binary_opening, label

    metre = views.metre
    pose, extent = _frame(tiles, normal, offset, 2 * _MARGIN_M * metre, align=False)
    cell, on, votes = _looked_at(views, pose, extent, _COARSE_M * metre)
    labels, count = label(binary_opening(on, np.ones((2, 2))))  # pyright: ignore[reportGeneralTypeIssues]
    local = np.floor((tiles - pose[:3, 3]) @ pose[:3, :2] / cell).astype(np.int64)
    tiles_in = np.bincount(labels[local[:, 1], local[:, 0]], minlength=count + 1)
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1) * cell**2
    index = np.argwhere(labels > 0)
    of = labels[labels > 0]
    places = cell_centers(pose, cell, index) + votes.height.reshape(on.shape)[labels > 0][:, None] * normal
    least = _least_area(normal, metre)
    good = [n for n in range(1, count + 1) if tiles_in[n] >= 3 and sizes[n] >= least]
    good.sort(key=lambda n: -sizes[n])
    if not good:
        return []
    weights = np.sqrt(votes.on.reshape(on.shape)[labels > 0])
    if one_plane:
        mine = np.isin(of, good)
        return _refined(views, places[mine], *_fit(places[mine], weights[mine], normal))
    found = []
    for n in good:
        fitted = _fit(places[of == n], weights[of == n], normal)
        found += _refined(views, places[of == n], *fitted)
    return found


def _least_area(normal: Float64[np.ndarray, "3"], metre: float) -> float:
    return (_MIN_LEVEL_M2 if normal[2] > _SNAP else _MIN_AREA_M2) * metre**2


def _refined(
    views: DepthViews, places: Float64[np.ndarray, "n 3"], normal: Float64[np.ndarray, "3"], offset: float
) -> list[PlaneRegion]:
    """The regions of a plane around places, looked at again with small cells along their sides, and fitted once more."""
    from scipy.ndimage import binary_opening, label

    metre = views.metre
    pose, extent = _frame(places, normal, offset, _MARGIN_M * metre, align=True)
    cell, on, votes = _looked_at(views, pose, extent, CELL_M * metre)
    shape = on.shape
    height, seen_by = votes.height.reshape(shape), votes.on.reshape(shape)
    labels, count = label(binary_opening(on, np.ones((3, 3))))  # pyright: ignore[reportGeneralTypeIssues]
    local = np.floor((places - pose[:3, 3]) @ pose[:3, :2] / cell).astype(np.int64)
    support = np.bincount(labels[local[:, 1], local[:, 0]], minlength=count + 1)
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1) * cell**2
    kept = [n for n in range(1, count + 1) if support[n] >= 3 and sizes[n] >= _least_area(normal, metre)]
    if not kept:
        return []
    mine = np.isin(labels, kept)
    surface = cell_centers(pose, cell, np.argwhere(mine)) + height[mine][:, None] * normal
    better, at = _fit(surface, np.sqrt(seen_by[mine]), normal)
    # The grid stays where it is and is laid onto the better plane: turned by a fraction of a degree about its middle.
    turned = np.eye(4)
    middle = surface.mean(axis=0) - better * float(better @ surface.mean(axis=0) + at)
    turned[:3, :3] = axes_with_z(better, pose[:3, 0])
    turned[:3, 3] = middle - turned[:3, :2] @ ((surface.mean(axis=0) - pose[:3, 3]) @ pose[:3, :2])
    regions = []
    for n in kept:
        part = labels == n
        off = np.full(shape, np.nan)
        off[part] = (cell_centers(pose, cell, np.argwhere(part)) + height[part][:, None] * normal) @ better + at
        outline = outer_outline(part) * cell
        frames = views.frame[_views_of(views, turned, cell, part, better, at)]
        votes_on, votes_through = seen_by[part].sum(), votes.through.reshape(shape)[part].sum()
        regions.append(
            PlaneRegion(
                normal=better,
                offset=at,
                world_from_plane=turned,
                cell=cell,
                on=part,
                height=off,
                seen_by=seen_by,
                outline=outline @ turned[:3, :2].T + turned[:3, 3],
                area=float(part.sum()) * cell**2,
                rms=float(np.sqrt(np.nanmean(off**2))),
                frames=tuple(int(frame) for frame in frames),
                agreement=float(votes_on / (votes_on + votes_through)),
            )
        )
    return sorted(regions, key=lambda region: -region.area)


def _views_of(
    views: DepthViews,
    pose: Float64[np.ndarray, "4 4"],
    cell: float,
    part: Bool[np.ndarray, "r c"],
    normal: Float64[np.ndarray, "3"],
    offset: float,
) -> Bool[np.ndarray, "f"]:
    """Which views saw at least a twentieth of a region, judged by some of its cells."""
    index = np.argwhere(part)
    some = index[:: max(1, index.shape[0] // 400)]
    return plane_votes(views, cell_centers(pose, cell, some), normal, offset).views >= 0.05 * some.shape[0]


def _same(region: PlaneRegion, other: PlaneRegion, near: float) -> bool:
    """Whether most of a region lies on another that was found before."""
    if region.normal @ other.normal < _FACING:
        return False
    places = region.places()
    close = np.abs(places @ other.normal + other.offset) <= near
    return bool((close & other.holds(places)).mean() > 0.5)
