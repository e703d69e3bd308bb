"""Collision boxes and supporting surfaces of a shape, so that a ball rolls under a table and a cup stands on it.

The surface is sampled into voxels of a grid that fits the shape's box and has one of its planes at the height on which things
stand. What lies inside (seen neither from the front, the back, the sides nor above) is filled; an open box or a cup stays open.
Voxels are then merged into few boxes, each drawn in to where the surface really is, so that a table's leg is as thin as it looks.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

MAX_BOXES = 40
_NICHE_M = 0.25  # height that is kept free above a surface on which things stand
_THIN_M = 0.004  # no box is thinner: thinner ones are jumped over between two steps of the simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Planes of a grid along x, y and z, ascending, in metres."""

    planes: tuple[Float64[np.ndarray, "a"], Float64[np.ndarray, "b"], Float64[np.ndarray, "c"]]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along x, y, z."""
        x, y, z = (len(p) - 1 for p in self.planes)
        return x, y, z

    def cells(self, points: Float64[np.ndarray, "p 3"]) -> Int64[np.ndarray, "p 3"]:
        """The cell of every point; points outside go to the nearest."""
        found = [
            np.clip(np.searchsorted(plane, points[:, axis], side="right") - 1, 0, len(plane) - 2)
            for axis, plane in enumerate(self.planes)
        ]
        return np.stack(found, axis=1).astype(np.int64)


def make_grid(size_m: Float64[np.ndarray, "3"], cell_m: float, *, support_m: float | None, most: int = 64) -> Grid:
    """A grid over a box whose bottom's middle is the origin, with cells of about ``cell_m`` and a plane at ``support_m``."""

    def planes(low: float, high: float) -> np.ndarray:
        return np.linspace(low, high, int(np.clip(round((high - low) / cell_m), 1, most)) + 1)

    x, y, z = (float(v) for v in size_m)
    if support_m is None or not 1e-3 < support_m < z - 1e-3:
        vertical = planes(0.0, z)
    else:
        vertical = np.concatenate([planes(0.0, support_m)[:-1], planes(support_m, z)])
    return Grid(planes=(planes(-x / 2, x / 2), planes(-y / 2, y / 2), vertical))


def surface_points(
    points: Float64[np.ndarray, "v 3"], corners: Int64[np.ndarray, "t 3"], spacing_m: float
) -> Float64[np.ndarray, "p 3"]:
    """Points all over the triangles, no further apart than ``spacing_m`` (corners included, so extremes are exact)."""
    tri = points[corners]
    edges = np.linalg.norm(tri - np.roll(tri, 1, axis=1), axis=2).max(axis=1)
    steps = np.clip(np.ceil(edges / spacing_m), 1, 160).astype(np.int64)
    chunks = []
    for number in np.unique(steps):
        chosen = tri[steps == number]
        a, b = np.meshgrid(np.arange(number + 1), np.arange(number + 1), indexing="ij")
        inside = a + b <= number
        weight = np.stack([a[inside], b[inside], number - a[inside] - b[inside]], axis=1) / number
        chunks.append(np.einsum("wk,tkd->twd", weight, chosen).reshape(-1, 3))
    return np.concatenate(chunks)


def outside_cells(filled: Bool[np.ndarray, "a b c"]) -> Bool[np.ndarray, "a b c"]:
    """Cells that can be reached from outside the grid without passing a filled one."""
    from scipy.ndimage import label

    padded = np.pad(~filled, 1, constant_values=True)
    number = np.zeros(padded.shape, dtype=np.int32)
    label(padded, output=number)
    return (number == number[0, 0, 0])[1:-1, 1:-1, 1:-1]


def fill(surface: Bool[np.ndarray, "a b c"]) -> Bool[np.ndarray, "a b c"]:
    """The surface with what it encloses: what cannot be reached from outside, or is hidden from above and from all four sides.

    The second part closes furniture that was modelled without a bottom or a back to save triangles.
    """
    solid = ~outside_cells(surface)

    def covered(axis: int, reverse: bool) -> np.ndarray:
        seen = np.flip(surface, axis) if reverse else surface
        seen = np.logical_or.accumulate(seen, axis=axis)
        return np.flip(seen, axis) if reverse else seen

    sides = covered(0, False) & covered(0, True) & covered(1, False) & covered(1, True)
    return solid | (sides & covered(2, True))


def merge_boxes(solid: Bool[np.ndarray, "a b c"], most: int) -> Int64[np.ndarray, "n 6"] | None:
    """Disjoint blocks of cells (x0 y0 z0 x1 y1 z1, ends excluded) that make up the solid; None where it takes more than ``most``.

    Greedy: from the first free cell, the block that grows largest over the six orders in which it can grow.
    """
    left = solid.copy()
    blocks = []
    while True:
        rest = np.flatnonzero(left)
        if not len(rest):
            return np.array(blocks, dtype=np.int64).reshape(-1, 6)
        if len(blocks) == most:
            return None
        seed = np.array(np.unravel_index(rest[0], left.shape))
        best: tuple[int, np.ndarray, np.ndarray] | None = None
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            low, high = seed.copy(), seed + 1
            for axis in order:
                others = [slice(low[k], high[k]) for k in range(3)]
                others[axis] = slice(None)
                line = np.asarray(left[tuple(others)].all(axis=tuple(k for k in range(3) if k != axis)))
                while high[axis] < left.shape[axis] and line[high[axis]]:
                    high[axis] += 1
                while low[axis] > 0 and line[low[axis] - 1]:
                    low[axis] -= 1
            volume = int(np.prod(high - low))
            if best is None or volume > best[0]:
                best = (volume, low, high)
        assert best is not None
        _, low, high = best
        left[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = False
        blocks.append([*low, *high])


def _cell_bounds(
    grid: Grid, samples: Float64[np.ndarray, "p 3"], cells: Int64[np.ndarray, "p 3"]
) -> tuple[Float64[np.ndarray, "a b c 3"], Float64[np.ndarray, "a b c 3"]]:
    """Lowest and highest coordinates of the samples in every cell; inf and -inf where there are none."""
    flat = np.ravel_multi_index((cells[:, 0], cells[:, 1], cells[:, 2]), grid.shape)
    order = np.argsort(flat, kind="stable")
    held, starts = np.unique(flat[order], return_index=True)
    low, high = np.full((*grid.shape, 3), np.inf), np.full((*grid.shape, 3), -np.inf)
    low.reshape(-1, 3)[held] = np.minimum.reduceat(samples[order], starts, axis=0)
    high.reshape(-1, 3)[held] = np.maximum.reduceat(samples[order], starts, axis=0)
    return low, high


def _draw_in(
    blocks: Int64[np.ndarray, "n 6"],
    grid: Grid,
    solid: Bool[np.ndarray, "a b c"],
    samples: Float64[np.ndarray, "p 3"],
    cells: Int64[np.ndarray, "p 3"],
) -> Float64[np.ndarray, "n 6"]:
    """Low and high corners of blocks, each free face moved in to the outermost sample behind it, by less than one cell.

    A face is free if no solid cell lies before it. A layer of cells of which more than a tenth hold no sample was filled: its
    face stays.
    """
    lowest, highest = _cell_bounds(grid, samples, cells)
    bounds = np.zeros((len(blocks), 6))
    for number, block in enumerate(blocks):
        low, high = block[:3], block[3:]
        for axis in range(3):
            plane = grid.planes[axis]
            for end, index, layer in ((0, int(low[axis]), int(low[axis])), (3, int(high[axis]), int(high[axis]) - 1)):
                value = float(plane[index])
                before = index - 1 if end == 0 else index
                where: list[slice | int] = [slice(int(low[k]), int(high[k])) for k in range(3)]
                where[axis] = before
                free = not 0 <= before < solid.shape[axis] or not bool(np.any(solid[tuple(where)]))
                where[axis] = layer
                outermost = (lowest if end == 0 else highest)[tuple(where)][..., axis]
                held = np.isfinite(outermost)
                if free and held.any() and held.mean() >= 0.9:
                    value = float(outermost[held].min() if end == 0 else outermost[held].max())
                bounds[number, axis + end] = value
    return bounds


def collision_boxes(
    points: Float64[np.ndarray, "v 3"],
    corners: Int64[np.ndarray, "t 3"],
    size_m: Float64[np.ndarray, "3"],
    *,
    support_m: float | None = None,
    support_bounds_m: tuple[float, float, float, float] | None = None,
    most: int = MAX_BOXES,
) -> Float64[np.ndarray, "c 6"]:
    """At most ``most`` boxes (centre, half extents) that fill a shape; see the module.

    Args:
        points: metres; the middle of the shape's bottom is the origin.
        corners: triangles.
        size_m: full extents of the shape's box.
        support_m: height at which things stand on it; with ``support_bounds_m`` one more box has its top exactly there.
        support_bounds_m: x0, y0, x1, y1.
        most: boxes at most.
    """
    longest = float(size_m.max())
    room = most - (support_m is not None)
    blocks, grid, solid, samples, cells = None, None, None, None, None
    for divisions in (48, 40, 32, 26, 20, 16, 12, 9, 7, 5, 3, 2, 1):
        cell = max(longest / divisions, 0.008 if longest > 0.25 else longest / 32)
        grid = make_grid(size_m, cell, support_m=support_m)
        if samples is None:
            samples = surface_points(points, corners, cell / 2)
        cells = grid.cells(samples)
        surface = np.zeros(grid.shape, dtype=bool)
        surface[tuple(cells.T)] = True
        solid = fill(surface)
        blocks = merge_boxes(solid, room)
        if blocks is not None:
            break
    assert blocks is not None and grid is not None and solid is not None and samples is not None and cells is not None
    bounds = _draw_in(blocks, grid, solid, samples, cells)
    if support_m is not None and support_bounds_m is not None:
        x0, y0, x1, y1 = support_bounds_m
        bounds = _cleared_above(bounds, support_m, support_bounds_m)
        bounds = np.vstack([bounds, [x0, y0, max(0.0, support_m - max(0.01, _THIN_M)), x1, y1, support_m]])
    return _as_boxes(bounds, size_m)


def _cleared_above(
    bounds: Float64[np.ndarray, "n 6"], support_m: float, rectangle: tuple[float, float, float, float]
) -> Float64[np.ndarray, "m 6"]:
    """Boxes cut back from above a supporting rectangle, where the surface itself leaves it free.

    A cell of the grid that holds the rim of a worktop reaches a little over the worktop; so would its box.
    """
    x0, y0, x1, y1 = rectangle
    kept = []
    for low_x, low_y, low_z, high_x, high_y, high_z in bounds.tolist():
        beside = low_x >= x1 or high_x <= x0 or low_y >= y1 or high_y <= y0
        if beside or high_z <= support_m or low_z > support_m + _NICHE_M:
            kept.append([low_x, low_y, low_z, high_x, high_y, high_z])
            continue
        if low_z < support_m:
            kept.append([low_x, low_y, low_z, high_x, high_y, support_m])
        slabs = [
            [low_x, low_y, x0, high_y],
            [x1, low_y, high_x, high_y],
            [max(low_x, x0), low_y, min(high_x, x1), y0],
            [max(low_x, x0), y1, min(high_x, x1), high_y],
        ]
        above = max(low_z, support_m)
        kept += [[a, b, above, c, d, high_z] for a, b, c, d in slabs if c - a > 1e-3 and d - b > 1e-3]
    return np.array(kept, dtype=np.float64).reshape(-1, 6)


def _as_boxes(bounds: Float64[np.ndarray, "n 6"], size_m: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "n 6"]:
    """Centres and half extents; what is too thin is thickened away from the outside of the shape's box where it can be."""
    low, high = bounds[:, :3].copy(), bounds[:, 3:].copy()
    floor = np.array([-size_m[0] / 2, -size_m[1] / 2, 0.0])
    thin = np.minimum(_THIN_M, size_m)
    for axis in range(3):
        # Tops stay where they are: things stand on them.
        lacking = np.maximum(thin[axis] - (high[:, axis] - low[:, axis]), 0.0)
        low[:, axis] -= lacking if axis == 2 else lacking / 2
        high[:, axis] += 0.0 if axis == 2 else lacking / 2
        under = np.maximum(floor[axis] - low[:, axis], 0.0)
        low[:, axis] += under
        high[:, axis] += under
        over = np.maximum(high[:, axis] - (floor[axis] + size_m[axis]), 0.0)
        low[:, axis] -= over
        high[:, axis] -= over
    return np.concatenate([(low + high) / 2, (high - low) / 2], axis=1)


def support_surface(
    points: Float64[np.ndarray, "v 3"],
    corners: Int64[np.ndarray, "t 3"],
    size_m: Float64[np.ndarray, "3"],
    *,
    stated_m: float | None = None,
    clearance_m: float = _NICHE_M,
) -> tuple[float, tuple[float, float, float, float]] | None:
    """Where things can stand: a height and the largest rectangle that is level and free above; None where there is none.

    Heights are tried where level, upward-facing area lies: the stated one first if there is such area within 2 cm of it, then by
    the size of the rectangle. A rectangle of less than 10 x 10 cm, or that a quarter of the top does not reach, is no surface.
    """
    tri = points[corners]
    normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    twice = np.linalg.norm(normal, axis=1)
    level = normal[:, 2] > 0.998 * np.maximum(twice, 1e-15)
    if not level.any():
        return None
    heights = tri[level, :, 2].mean(axis=1)
    bins = np.round(heights / 0.004).astype(np.int64)
    area = np.bincount(np.maximum(bins, 0), weights=twice[level] / 2)
    footprint = float(size_m[0] * size_m[1])
    candidates = [int(b) for b in np.argsort(-area, kind="stable")[:6] if area[b] > 0.06 * footprint]
    found = []
    cell = float(np.clip(max(size_m[0], size_m[1]) / 80, 0.004, 0.02))
    samples = surface_points(points, corners, cell * 0.7)
    for number in candidates:
        near = np.abs(bins - number) <= 1
        height = float(np.average(heights[near], weights=twice[level][near]))
        if height < 0.15 * size_m[2] or height < 0.02:
            continue
        height = float(heights[near].max())
        bounds = _free_rectangle(samples, points, corners[level][near], size_m, height, cell, clearance_m)
        if bounds is not None:
            height = _highest(samples, bounds, height)
            rectangle = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
            stated = stated_m is not None and stated_m > 0 and abs(height - stated_m) < 0.02
            found.append((stated, rectangle, height, bounds))
    if not found:
        return None
    _, rectangle, height, bounds = max(found, key=lambda f: (f[0], f[1], f[2]))
    if min(bounds[2] - bounds[0], bounds[3] - bounds[1]) < 0.1 or rectangle < 0.2 * footprint:
        return None
    return height, bounds


def _highest(samples: Float64[np.ndarray, "p 3"], bounds: tuple[float, float, float, float], height: float) -> float:
    """The highest point of a surface, up to 4 mm above: what a thing really stands on."""
    x0, y0, x1, y1 = bounds
    x, y, z = samples.T
    on = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (np.abs(z - height) <= 0.004)
    return float(z[on].max(initial=height))


def _free_rectangle(
    samples: Float64[np.ndarray, "p 3"],
    points: Float64[np.ndarray, "v 3"],
    corners: Int64[np.ndarray, "t 3"],
    size_m: Float64[np.ndarray, "3"],
    height: float,
    cell: float,
    clearance_m: float,
) -> tuple[float, float, float, float] | None:
    """The largest rectangle covered by the level triangles with nothing above up to the clearance."""
    grid = make_grid(np.array([size_m[0], size_m[1], 1.0]), cell, support_m=None, most=200)
    top = np.zeros(grid.shape[:2], dtype=bool)
    on = grid.cells(surface_points(points, corners, cell * 0.7))
    top[on[:, 0], on[:, 1]] = True
    over = samples[(samples[:, 2] > height + 0.004) & (samples[:, 2] < height + clearance_m)]
    blocked = grid.cells(over)
    top[blocked[:, 0], blocked[:, 1]] = False
    found = largest_rectangle(top)
    if found is None:
        return None
    a0, b0, a1, b1 = found
    px, py = grid.planes[0], grid.planes[1]
    x0, y0, x1, y1 = float(px[a0]), float(py[b0]), float(px[a1]), float(py[b1])
    x, y, z = samples.T
    across = (x > x0 + cell) & (x < x1 - cell)
    under_another = (across & (y > y0 + cell) & (y < y1 - cell) & (z > height + 0.004)).any()
    # Under another shelf: only where a hand reaches in from the front, not behind a door.
    if under_another and (across & (y <= y0) & (z > height + 0.02) & (z < height + clearance_m)).any():
        return None
    return x0, y0, x1, y1


def largest_rectangle(cells: Bool[np.ndarray, "a b"]) -> tuple[int, int, int, int] | None:
    """The largest all-true rectangle (a0, b0, a1, b1), ends excluded; None where nothing is true.

    >>> largest_rectangle(np.array([[0, 1, 1], [1, 1, 1], [0, 1, 0]], dtype=bool))
    (0, 1, 2, 3)
    """
    best, found = 0, None
    run = np.zeros(cells.shape[1], dtype=np.int64)
    for row in range(cells.shape[0]):
        run = np.where(cells[row], run + 1, 0)
        stack: list[tuple[int, int]] = []  # (first column, height), heights ascending
        for column, height in enumerate([*run.tolist(), 0]):
            start = column
            while stack and stack[-1][1] >= height:
                start, tall = stack.pop()
                if tall * (column - start) > best:
                    best, found = tall * (column - start), (row - tall + 1, start, row + 1, column)
            stack.append((start, height))
    return found
