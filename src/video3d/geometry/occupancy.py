"""What of a level world is free, occupied or unknown, up to a height over its floor: log-odds from all views.

The space over the floor is cut into columns (a cell of the map each) and layers: layer 0 is the slab around the floor, one step
to either side; the others cut what is between a step and the height asked for. Every frame gives one vote to every voxel that it
says something of, added as log-odds and cut off at both ends, so that what changes is forgotten (Hornung et al., "OctoMap", 2013,
whose votes these are; but what is hit is no longer believed to be free, so that one frame is enough to see that something came):

- **hit**: a pixel's surface lies in the voxel. The vote is weaker where the depth is less sure than the voxel is wide: what is
  left is the share of its distribution that a voxel holds.
- **miss**: the ray through the voxel's centre goes on behind it, beyond doubt (two sigma of the depth and half the voxel's
  diagonal). A voxel that is hit is not missed by the same frame, so that a chair's leg is not erased by what is seen beside it.
- **nothing** of what lies behind a surface, or where depth is not known.

Rays are followed from the voxels to the pixels, which is one projection a voxel however long the ray is. What an unsure pixel
says of a height is not taken for a fact: a point is an obstacle if it is higher than a step by two sigma, and floor only if its
height is surer than a step; a place in doubt is not free either. Pixels on the rim of a thing, between it and what is behind (seen
at more than 84 degrees on both sides), say nothing, nor do those beyond ``MAX_RANGE_M``.

Heights are over the floor's own plane, fitted to what was seen of it: a degree of tilt is 7 cm at 4 m, more than a step.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64

from video3d.geometry.rigid import inverse_rigid, is_known, pixel_rays, scale_k
from video3d.geometry.tsdf import sigma_z
from video3d.types import PosedClip

FREE, OCCUPIED, UNKNOWN = 0, 1, -1
MAX_RANGE_M = 8.0
MAX_COLUMNS = 400_000
"""Largest map, 20 m x 50 m at 5 cm: cells are made larger where it would have more."""

_HIT, _MISS = 0.85, -0.4
_LOWEST, _HIGHEST = -2.0, 2.0
_DOUBT = 0.1  # of a hit
_SEEN_FREE, _SEEN_OCCUPIED = -0.3, 0.2
_SPECK_CELLS = 12
_STEEP = np.tan(np.radians(84.0))
_NEAR_M = 0.2
_AROUND_PX = 2
_MAX_TILT = np.tan(np.radians(4.0))
_MIN_FLOOR_PLACES = 20
_FLOOR_SAMPLE = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The layers over a floor.

    Attributes:
        floor: (a, b, c) of the floor's plane z = a x + b y + c.
        step_m: what is no higher than this over the floor is floor.
        top_m: what is higher is of no concern.
        num_layers: between the two.
    """

    floor: tuple[float, float, float]
    step_m: float
    top_m: float
    num_layers: int

    @property
    def layer_m(self) -> float:
        """Height of a layer."""
        return (self.top_m - self.step_m) / self.num_layers

    def height(self, points: Float64[np.ndarray, "*s 3"]) -> Float64[np.ndarray, "*s"]:
        """How far points are over the floor."""
        a, b, c = self.floor
        return points[..., 2] - (a * points[..., 0] + b * points[..., 1] + c)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What all frames said of the space over a floor.

    Attributes:
        log_odds: of every layer of every cell being occupied; layer 0 is the floor itself. 0: nobody said anything.
        origin: x and y of the corner of cell (0, 0); rows go along y, columns along x.
        cell: side of a cell.
        band: the layers.
        frames: positions in the clip of the frames that voted.
        hits: for each of these, the cells (row * nx + column) in which it saw something between a step and the top.
    """

    log_odds: Float32[np.ndarray, "nz ny nx"]
    origin: tuple[float, float]
    cell: float
    band: Band
    frames: tuple[int, ...]
    hits: tuple[Int64[np.ndarray, "_"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupancyMap:
    """A map seen from above.

    Attributes:
        states: ``FREE``, ``OCCUPIED`` or ``UNKNOWN`` of every cell; rows go along y, columns along x.
        origin: x and y of the corner of cell (0, 0).
        cell: side of a cell.
    """

    states: Int8[np.ndarray, "ny nx"]
    origin: tuple[float, float]
    cell: float

    def centers(self, cells: Int64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """(x, y) of the middles of cells (row, column)."""
        return np.asarray(self.origin) + (cells[:, ::-1] + 0.5) * self.cell

    def middles(self) -> Float64[np.ndarray, "ny nx 2"]:
        """(x, y) of the middle of every cell."""
        ny, nx = self.states.shape
        return self.centers(np.indices((ny, nx)).reshape(2, -1).T).reshape(ny, nx, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The pixels of one frame that say something, thinned: world points, and sigmas along z and in height."""

    frame: int
    k_px: Float64[np.ndarray, "3 3"]
    points: Float64[np.ndarray, "n 3"]
    sigma: Float64[np.ndarray, "n"]
    sigma_up: Float64[np.ndarray, "n"]


def map_columns(
    clip: PosedClip, floor_z: float, *, step_m: float = 0.05, top_m: float = 1.0, cell: float = 0.05
) -> Columns | None:
    """Votes of all frames of piece 0 on the space over a floor; None where no frame says anything of it.

    Args:
        clip: metric and gravity-aligned, with depth, poses and intrinsics; frames without are left out.
        floor_z: about how high the floor is.
        step_m: what is no higher than this over the floor is floor.
        top_m: what is higher is of no concern.
        cell: side of a cell in metres; larger where the map would have more than ``MAX_COLUMNS``.

    >>> from video3d.types import World
    >>> down = np.diag([1.0, -1, -1, 1]); down[2, 3] = 1.0  # one metre over a floor, looking down
    >>> clip = PosedClip(
    ...     frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 40, 40, 3), np.uint8),
    ...     depth_m=np.full((1, 40, 40), 1.0, np.float32), k_px=np.array([[[40.0, 0, 20], [0, 40, 20], [0, 0, 1]]]),
    ...     world_from_camera=down[None], piece=np.array([0]), world=World(metric=True, gravity_aligned=True))
    >>> columns = map_columns(clip, 0.0, top_m=0.5)
    >>> states = classify(columns).states
    >>> bool((states == FREE).sum() * columns.cell**2 > 0.2), bool((states == OCCUPIED).any())
    (True, False)
    """
    looks = list(_looks(clip, cell))
    if not (points := [look.points for look in looks]):
        return None
    thin = max(1, sum(map(len, points)) // _FLOOR_SAMPLE)
    floor = fit_floor(np.concatenate([some[::thin] for some in points]), floor_z)
    band = Band(floor=floor, step_m=step_m, top_m=top_m, num_layers=max(1, round((top_m - step_m) / cell)))
    if (bounds := _bounds(points, band)) is None:
        return None
    low, high = bounds
    cell = max(cell, float(np.sqrt(np.prod(high - low) / MAX_COLUMNS)))
    low = np.floor(low / cell - 1) * cell  # a rim that nobody saw, and the same cells whatever else is seen
    nx, ny = (int(n) for n in np.ceil((high - low) / cell) + 1)
    votes = np.zeros((band.num_layers + 1, ny * nx), np.float32)
    hits = [_vote(clip, look, band, votes, (ny, nx), low, cell) for look in looks]
    return Columns(
        log_odds=votes.reshape(-1, ny, nx),
        origin=(float(low[0]), float(low[1])),
        cell=cell,
        band=band,
        frames=tuple(look.frame for look in looks),
        hits=tuple(hits),
    )


def classify(columns: Columns) -> OccupancyMap:
    """The map of what was seen: occupied where any layer over the floor is, free where floor was seen and all over it is free.

    A column in which any layer was not looked into is unknown: a table's top, seen from below its edge, is one layer in which nothing
    was seen. Depth has holes, though: a gap of up to two voxels in a layer counts as looked into if nothing was seen in it, and so does
    the layer right over floor that was seen, past which far floor is seen at too flat an angle. Floor that was not seen makes a cell unknown as well: a hole, a step down, a place that something hides; its gaps of two cells are closed
    where nobody saw that there is none. A few cells that only one frame saw something in are unknown
    too: in the office of docs/results/navigation.md, not one of them was there.
    """
    from scipy.ndimage import binary_closing

    floor, above = columns.log_odds[0], columns.log_odds[1:]
    highest = above.max(axis=0)
    looked = np.pad(np.concatenate([floor[None] > 0, above < _SEEN_FREE]), ((0, 0), (2, 2), (2, 2)))
    looked = np.asarray(binary_closing(looked, np.ones((1, 5, 5), bool)), bool)[:, 2:-2, 2:-2]
    looked[1] |= looked[0] & looked[min(2, len(looked) - 1)]  # what lies on the floor hides it
    free = looked.all(axis=0) & (floor >= 0) & (highest <= 0)
    occupied = _without_specks(highest > _SEEN_OCCUPIED, highest)
    states = np.where(occupied, OCCUPIED, np.where(free, FREE, UNKNOWN)).astype(np.int8)
    return OccupancyMap(states=states, origin=columns.origin, cell=columns.cell)


def _without_specks(
    occupied: Bool[np.ndarray, "ny nx"], log_odds: Float32[np.ndarray, "ny nx"]
) -> Bool[np.ndarray, "ny nx"]:
    """Occupied cells without patches that are small and that no two frames agree on."""
    labels, count = patches(occupied)
    best = np.full(count + 1, -np.inf)
    np.maximum.at(best, labels, log_odds)
    small = (np.bincount(labels.reshape(-1)) < _SPECK_CELLS) & (best <= _HIT + 1e-6)
    return occupied & ~small[labels]


def patches(mask: Bool[np.ndarray, "ny nx"], *, corners: bool = True) -> tuple[Int64[np.ndarray, "ny nx"], int]:
    """Cells that touch, by side or (``corners``) by corner, numbered 1, 2, ... and 0 outside; and how many there are.

    >>> patches(np.eye(2, dtype=bool))[1], patches(np.eye(2, dtype=bool), corners=False)[1]
    (1, 2)
    """
    from scipy.ndimage import label

    labels = np.zeros(mask.shape, np.int64)
    label(mask, np.ones((3, 3), bool) if corners else None, output=labels)
    return labels, int(labels.max(initial=0))


def fit_floor(points: Float64[np.ndarray, "n 3"], floor_z: float) -> tuple[float, float, float]:
    """(a, b, c) of the plane z = a x + b y + c of the floor, by least squares over places that come ever closer to it.

    A place is a square of 10 cm, with the mean of its points that are near the floor; one with points over the floor as well is the
    foot of something and does not count, or the plane would lean up to the walls. Level at ``floor_z`` where too little is seen, or
    where the fit is steeper than 4 degrees: not what a floor is.

    >>> grid = np.stack(np.meshgrid(np.arange(0, 3, 0.05), np.arange(0, 3, 0.05), [0.0]), axis=-1).reshape(-1, 3)
    >>> grid[:, 2] = 0.02 * grid[:, 0] - 0.01
    >>> [abs(round(value, 3)) for value in fit_floor(grid, 0.0)]
    [0.02, 0.0, 0.01]
    """
    level = (0.0, 0.0, float(floor_z))
    plane = np.array(level)
    points = points[np.abs(points[:, 2] - floor_z) < 0.5]
    _, place = np.unique(np.floor(points[:, :2] / 0.1).astype(np.int64) @ [1 << 20, 1], return_inverse=True)
    for reach in (0.1, 0.06, 0.04, 0.04):
        height = points @ [-plane[0], -plane[1], 1.0] - plane[2]
        near, over = np.abs(height) < reach, (height > reach) & (height < 0.3)
        count = np.bincount(place, near)
        good = (count > 0) & (np.bincount(place, over) <= 0.1 * count)
        if good.sum() < _MIN_FLOOR_PLACES:
            return level
        x, y, z = (np.bincount(place, near * points[:, i])[good] / count[good] for i in range(3))
        plane = np.linalg.lstsq(np.c_[x, y, np.ones(len(x))], z, rcond=None)[0]
        if np.hypot(plane[0], plane[1]) > _MAX_TILT:
            return level
    return float(plane[0]), float(plane[1]), float(plane[2])


def _looks(clip: PosedClip, cell: float) -> Iterator[_Look]:
    """What every frame with a place in the world sees, thinned to about two points a cell at 4 m."""
    size_hw = clip.depth_m.shape[1], clip.depth_m.shape[2]
    for frame in np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera) & is_known(clip.k_px)):
        k_px = scale_k(clip.k_px[frame], clip.size_hw, size_hw)
        step = _step_px(k_px, cell)
        rows, columns = np.arange(step // 2, size_hw[0], step), np.arange(step // 2, size_hw[1], step)
        depth = clip.depth_m[frame]
        z = depth[np.ix_(rows, columns)]
        with np.errstate(invalid="ignore"):
            trusted = (z > _NEAR_M) & (z < MAX_RANGE_M)
            trusted &= _on_a_surface(depth, rows, columns, axis=0, slope=_STEEP / k_px[1, 1])
            trusted &= _on_a_surface(depth, rows, columns, axis=1, slope=_STEEP / k_px[0, 0])
        row, column = np.nonzero(trusted)
        if not row.size:
            continue
        z = z[trusted].astype(np.float64)
        pose = clip.world_from_camera[frame]
        rays = pixel_rays(k_px, rows[row], columns[column]) @ pose[:3, :3].T
        sigma = sigma_z(clip, int(frame))[rows[row], columns[column]].astype(np.float64)
        yield _Look(
            frame=int(frame),
            k_px=k_px,
            points=rays * z[:, None] + pose[:3, 3],
            sigma=np.where(np.isfinite(sigma), sigma, np.inf),
            sigma_up=np.where(np.isfinite(sigma), sigma, np.inf) * np.abs(rays[:, 2]),
        )


def _step_px(k_px: Float64[np.ndarray, "3 3"], cell: float) -> int:
    """Pixels across half a cell at 4 m."""
    return max(1, int(cell / 2 * k_px[0, 0] / 4.0))


def _on_a_surface(
    depth: Float32[np.ndarray, "h w"],
    rows: Int64[np.ndarray, "r"],
    columns: Int64[np.ndarray, "c"],
    axis: int,
    slope: float,
) -> Bool[np.ndarray, "r c"]:
    """Whether depth goes on smoothly to at least one side along an axis: not more than ``slope`` times itself a pixel."""
    limit, where = depth.shape[axis] - 1, (rows, columns)
    middle = depth[np.ix_(rows, columns)]
    smooth = np.zeros(middle.shape, bool)
    for side in (-1, 1):
        beside = [*where]
        beside[axis] = np.clip(where[axis] + side, 0, limit)
        near = np.abs(depth[np.ix_(*beside)] - middle) < slope * middle
        inside = beside[axis] != where[axis]
        smooth |= near & (inside[:, None] if axis == 0 else inside[None, :])
    return smooth


def _bounds(
    points: list[Float64[np.ndarray, "_ 3"]], band: Band
) -> tuple[Float64[np.ndarray, "2"], Float64[np.ndarray, "2"]] | None:
    """Corners of what was seen of the floor and of what stands on it; None where nothing was."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for some in points:
        height = band.height(some)
        inside = some[(height > -band.step_m) & (height < band.top_m), :2]
        if len(inside):
            low, high = np.minimum(low, inside.min(axis=0)), np.maximum(high, inside.max(axis=0))
    return (low, high) if np.isfinite(low).all() else None


def _vote(
    clip: PosedClip,
    look: _Look,
    band: Band,
    votes: Float32[np.ndarray, "nz c"],
    shape: tuple[int, int],
    low: Float64[np.ndarray, "2"],
    cell: float,
) -> Int64[np.ndarray, "_"]:
    """Adds what one frame says of every voxel; the cells in which it saw something over the floor."""
    (ny, nx), flat = shape, votes.reshape(-1)
    layer, sure = _layers(look, band)
    column, row = np.floor((look.points[:, :2] - low) / cell).astype(np.int64).T
    inside = (layer >= 0) & (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
    voxel = (layer * ny + row)[inside] * nx + column[inside]
    share = np.where(sure[inside], np.minimum(1.0, cell / (2 * np.maximum(look.sigma[inside], 1e-6))), _DOUBT)
    hit, at = np.unique(voxel, return_inverse=True)
    best = np.zeros(len(hit), np.float32)
    np.maximum.at(best, at, share.astype(np.float32))
    missed = _missed(clip, look, band, shape, low, cell)
    missed = missed[~np.isin(missed, hit, assume_unique=True)]
    flat[hit] = np.minimum(np.where(best > _DOUBT, np.maximum(flat[hit], 0), flat[hit]) + _HIT * best, _HIGHEST)
    flat[missed] = np.maximum(flat[missed] + np.float32(_MISS), _LOWEST)
    return np.unique(hit[(hit >= ny * nx) & (best > _DOUBT)] % (ny * nx))


def _layers(look: _Look, band: Band) -> tuple[Int64[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """The layer that every point lies in, -1 for none, and whether its height is sure enough to be more than a doubt."""
    height = band.height(look.points)
    over = (height - band.step_m) / band.layer_m
    layer = np.where((over >= 0) & (over < band.num_layers), np.floor(over) + 1, -1).astype(np.int64)
    layer[(np.abs(height) <= band.step_m) & (look.sigma_up <= band.step_m)] = 0
    return layer, (layer == 0) | (height - 2 * look.sigma_up > band.step_m)


def _missed(
    clip: PosedClip, look: _Look, band: Band, shape: tuple[int, int], low: Float64[np.ndarray, "2"], cell: float
) -> Int64[np.ndarray, "_"]:
    """The voxels whose centres a frame looks past, beyond doubt: sorted."""
    ny, nx = shape
    depth = clip.depth_m[look.frame]
    h, w = depth.shape
    px_from_world = look.k_px @ inverse_rigid(clip.world_from_camera[look.frame])[:3]  # (x z, y z, z)
    a, b, c = band.floor
    x, y = low[0] + (np.arange(nx) + 0.5) * cell, low[1] + (np.arange(ny) + 0.5) * cell
    ground = np.stack(np.broadcast_arrays(x[None, :], y[:, None], a * x[None, :] + b * y[:, None] + c), axis=-1)
    base = ground.reshape(-1, 3) @ px_from_world[:, :3].T + px_from_world[:, 3]
    heights = np.r_[0.0, band.step_m + (np.arange(band.num_layers) + 0.5) * band.layer_m]
    heights[1] = band.step_m  # its foot: what is little higher than a step is under its middle
    rise = heights[:, None] * px_from_world[:, 2]
    # A column is looked into if its ends, or what is between them, may be in the picture: bounds of linear functions.
    ends = np.stack([base, base + rise[-1]])
    seen = (ends[..., 2].max(axis=0) > _NEAR_M) & (ends[..., 2].min(axis=0) < MAX_RANGE_M)
    seen &= (ends[..., 0].max(axis=0) > 0) & (ends[..., 1].max(axis=0) > 0)
    seen &= ((ends[..., 0] - w * ends[..., 2]).min(axis=0) < 0) & ((ends[..., 1] - h * ends[..., 2]).min(axis=0) < 0)
    cells = np.flatnonzero(seen)
    base32, rise32 = base[cells].astype(np.float32), rise.astype(np.float32)
    z = base32[:, 2] + rise32[:, 2:]  # nz m
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        px, py = (base32[:, 0] + rise32[:, :1]) / z, (base32[:, 1] + rise32[:, 1:2]) / z
        in_view = (z > _NEAR_M) & (px >= 0) & (px < w) & (py >= 0) & (py < h)
    at = np.flatnonzero(in_view)
    pixel = py.reshape(-1)[at].astype(np.int64) * w + px.reshape(-1)[at].astype(np.int64)
    around = 2 * min(_AROUND_PX, _step_px(look.k_px, cell)) + 1
    beyond = np.float32(np.hypot(np.sqrt(2) * cell, band.layer_m) / 2)
    sure = _nearest(depth - 2 * sigma_z(clip, look.frame), around) - beyond
    at = at[np.minimum(sure, MAX_RANGE_M).reshape(-1)[pixel] > z.reshape(-1)[at]]
    layer, column = np.divmod(at, len(cells))
    return layer * (ny * nx) + cells[column]


def _nearest(depth: Float32[np.ndarray, "h w"], size: int) -> Float32[np.ndarray, "h w"]:
    """The least depth around every pixel, which also closes small holes in it; -inf where nothing around is known."""
    from scipy.ndimage import minimum_filter

    least = minimum_filter(np.where(np.isfinite(depth), depth, np.float32(np.inf)), size, mode="nearest")
    return np.where(np.isfinite(least), least, np.float32(-np.inf))
