"""Draws the surface of a signed distance field as triangles, by surface nets.

Every cell between eight neighbouring voxels whose distances differ in sign gets one vertex, at the mean of the points
where the cell's edges cross zero; every edge that crosses zero becomes a quad between the four cells around it (naive
surface nets: Gibson, "Constrained Elastic Surface Nets", 1998). Planes come out exact, triangles well-shaped and half as
many as of marching cubes, and there is no table of cases. The price is at curvature: a vertex lies inside of a ball of
radius r by at most 3 voxel² / (8 r).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from video3d.geometry.tsdf import BLOCK, Tsdf
from video3d.geometry.voxels import pack, unpack

_BATCH = 1024  # blocks at a time
_MAX_JUMP = 4.0
"""Voxels. A distance changes by at most one voxel from one voxel to the next, by sqrt(3) within a cell; one that jumps by much
more is where what one view could not see behind a thing's outline meets what another saw to be free: no surface."""
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Triangles in the world's frame and unit, counter-clockwise seen from outside.

    Attributes:
        vertices: positions.
        faces: three vertices each.
        colors: RGB of every vertex.
    """

    vertices: Float64[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "t 3"]
    colors: UInt8[np.ndarray, "v 3"]


def surface_of(field: Tsdf) -> tuple[Float64[np.ndarray, "v 3"], Int32[np.ndarray, "t 3"]]:
    """Vertices and triangles of the zero level of a field, where all voxels around it are known.

    >>> at = (np.indices((8, 8, 8)) + 0.5).transpose(1, 2, 3, 0)
    >>> ball = (np.linalg.norm(at - 4, axis=-1) - 2.5).astype(np.float32)
    >>> vertices, faces = surface_of(Tsdf(voxel_m=1.0, keys=pack(np.zeros((1, 3), int)), distance=ball[None]))
    >>> bool(np.abs(np.linalg.norm(vertices - 4, axis=1) - 2.5).max() < 0.2), len(vertices) - len(faces) // 2
    (True, 2)
    """
    blocks = unpack(field.keys)
    ids = np.full(field.distance.shape, -1, np.int32)
    vertices = [np.zeros((0, 3))]
    count = 0
    for start in range(0, len(blocks), _BATCH):
        rows = slice(start, start + _BATCH)
        padded = _with_neighbours(field.distance, field.keys, blocks[rows], ahead=True, fill=np.nan)
        found, points = _vertices(padded, _MAX_JUMP * field.voxel_m)
        ids[rows][found] = np.arange(count, count + len(points), dtype=np.int32)
        count += len(points)
        block = blocks[rows][np.nonzero(found)[0]]
        vertices.append((block * BLOCK + points) * field.voxel_m)
    faces = [np.zeros((0, 3), np.int32)]
    for start in range(0, len(blocks), _BATCH):
        rows = slice(start, start + _BATCH)
        padded = _with_neighbours(field.distance, field.keys, blocks[rows], ahead=True, fill=np.nan)
        cells = _with_neighbours(ids, field.keys, blocks[rows], ahead=False, fill=-1)
        faces += [_faces(padded, cells, axis) for axis in range(3)]
    return np.concatenate(vertices), np.concatenate(faces)


def _with_neighbours(
    values: np.ndarray, keys: np.ndarray, blocks: np.ndarray, *, ahead: bool, fill: float | int
) -> np.ndarray:
    """Blocks (n 9 9 9) with one layer of the neighbours ahead of them, or behind, ``fill`` where there is no block."""
    padded = np.full((len(blocks), *[BLOCK + 1] * 3), fill, values.dtype)
    for offset in _CORNERS:
        wanted = pack(blocks + (offset if ahead else -offset))
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        there = keys[at] == wanted
        if ahead:
            to, of = (
                [slice(BLOCK, None) if o else slice(0, BLOCK) for o in offset],
                [slice(0, 1) if o else slice(None) for o in offset],
            )
        else:
            to, of = (
                [slice(0, 1) if o else slice(1, None) for o in offset],
                [slice(BLOCK - 1, None) if o else slice(None) for o in offset],
            )
        padded[(there, *to)] = values[(at[there], *of)]
    return padded


def _vertices(padded: Float32[np.ndarray, "n 9 9 9"], max_jump: float) -> tuple[np.ndarray, Float64[np.ndarray, "v 3"]]:
    """Which cells (n 8 8 8) hold a vertex, and where in their block, in voxels."""
    corner = [padded[:, i : i + BLOCK, j : j + BLOCK, k : k + BLOCK] for i, j, k in _CORNERS]
    low, high = corner[0], corner[0]
    for value in corner[1:]:
        low, high = np.minimum(low, value), np.maximum(high, value)  # NaN if one is
    found = (low < 0) & (high >= 0) & (high - low < max_jump)
    values = np.stack([value[found] for value in corner], axis=1).astype(np.float64)
    total, crossings = np.zeros((len(values), 3)), np.zeros(len(values))
    for a, b in _EDGES:
        crosses = (values[:, a] < 0) != (values[:, b] < 0)
        share = values[crosses, a] / (values[crosses, a] - values[crosses, b])
        total[crosses] += _CORNERS[a] + share[:, None] * (_CORNERS[b] - _CORNERS[a])
        crossings[crosses] += 1
    return found, np.argwhere(found)[:, 1:] + 0.5 + total / crossings[:, None]


def _faces(padded: np.ndarray, cells: np.ndarray, axis: int) -> Int32[np.ndarray, "t 3"]:
    """Two triangles for every edge along an axis that crosses zero and has a vertex in all four cells around it."""
    ahead = [slice(0, BLOCK)] * 3
    ahead[axis] = slice(1, BLOCK + 1)
    first, second = padded[:, :BLOCK, :BLOCK, :BLOCK], padded[(slice(None), *ahead)]
    with np.errstate(invalid="ignore"):
        crosses = ((first < 0) != (second < 0)) & np.isfinite(first) & np.isfinite(second)
    one, two = (axis + 1) % 3, (axis + 2) % 3
    quad = []
    for back_one, back_two in ((0, 0), (1, 0), (1, 1), (0, 1)):  # around the edge, counter-clockwise seen from ahead
        at = [slice(1, None)] * 3
        at[one] = slice(1 - back_one, BLOCK + 1 - back_one)
        at[two] = slice(1 - back_two, BLOCK + 1 - back_two)
        quad.append(cells[(slice(None), *at)][crosses])
    quad = np.stack(quad, axis=1)
    outward = first[crosses] < 0  # inside first: the surface looks ahead
    quad = np.where(outward[:, None], quad, quad[:, ::-1])
    quad = quad[(quad >= 0).all(axis=1)]
    return np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])


def without_fragments(
    vertices: Float64[np.ndarray, "v 3"], faces: Int32[np.ndarray, "t 3"], min_faces: int
) -> tuple[Float64[np.ndarray, "v2 3"], Int32[np.ndarray, "t2 3"]]:
    """Drops connected parts of fewer faces, which noise in front of surfaces leaves, and vertices that no face uses.

    >>> corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]])
    >>> [len(part) for part in without_fragments(corners, np.array([[0, 1, 2]], np.int32), 1)]
    [3, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(len(vertices), len(vertices)))
    _, part = connected_components(graph, directed=False)
    sizes = np.bincount(part[faces[:, 0]], minlength=int(part.max(initial=0)) + 1)
    faces = faces[sizes[part[faces[:, 0]]] >= min_faces]
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    renumbered = (np.cumsum(used) - 1).astype(np.int32)
    return vertices[used], renumbered[faces]
