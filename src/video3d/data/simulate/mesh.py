"""Triangle meshes made fit for a simulator: welded, with fewer triangles, normals that keep edges, and both sides of thin sheets.

Renderers of robot simulators draw a triangle from its front only. Furniture is modelled with curtains, leaves and lampshades
of a single sheet, so those get a second sheet that faces the other way; closed solids do not, since nobody sees their inside.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt32

_WELD = 1e-5  # of the mesh's largest extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Triangles:
    """Triangles whose corners carry their own texture coordinates and normals.

    Attributes:
        points: distinct positions.
        corners: indices into ``points``.
        uv: one a corner, or None.
        normals: one a corner, unit; None: to be made from the shape.
    """

    points: Float64[np.ndarray, "v 3"]
    corners: Int64[np.ndarray, "t 3"]
    uv: Float64[np.ndarray, "t 3 2"] | None = None
    normals: Float64[np.ndarray, "t 3 3"] | None = None


def face_normals(points: Float64[np.ndarray, "v 3"], corners: Int64[np.ndarray, "t 3"]) -> Float64[np.ndarray, "t 3"]:
    """Normals by the right-hand rule, as long as twice the triangle's area."""
    a, b, c = (points[corners[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def weld(
    points: Float64[np.ndarray, "v 3"],
    triangles: Int64[np.ndarray, "t 3"],
    *,
    uv: Float64[np.ndarray, "v 2"] | None = None,
    normals: Float64[np.ndarray, "v 3"] | None = None,
) -> Triangles:
    """Merges vertices at one place, drops triangles without area and triangles given twice."""
    extent = max(float(np.ptp(points, axis=0).max()), 1e-9)
    cells = np.round((points - points.min(axis=0)) / (extent * _WELD)).astype(np.int64)
    key = (cells[:, 0] << 42) + (cells[:, 1] << 21) + cells[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    merged = points[first]
    corners = inverse.reshape(-1)[triangles].reshape(-1, 3)
    distinct = (corners != np.roll(corners, 1, axis=1)).all(axis=1)
    area = np.linalg.norm(face_normals(merged, corners), axis=1)
    keep = np.flatnonzero(distinct & (area > (extent * 1e-5) ** 2))
    # The same triangle with the same winding: turned until its smallest index comes first.
    turned = corners[keep]
    turned = np.take_along_axis(turned, (turned.argmin(axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    _, once = np.unique(turned, axis=0, return_index=True)
    keep = keep[np.sort(once)]
    corner_normals = None
    if normals is not None:
        corner_normals = normals[triangles[keep]].reshape(-1, 3, 3)
        if (np.linalg.norm(corner_normals, axis=2) < 0.5).any():
            corner_normals = None
    return Triangles(
        points=merged,
        corners=corners[keep].astype(np.int64),
        uv=None if uv is None else uv[triangles[keep]].reshape(-1, 3, 2),
        normals=corner_normals,
    )


def components(mesh: Triangles) -> Int64[np.ndarray, "t"]:
    """Number of the connected piece that each triangle belongs to."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a, b = mesh.corners[:, :2].ravel(), mesh.corners[:, 1:].ravel()
    num = len(mesh.points)
    _, label = connected_components(
        coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(num, num)), directed=False
    )
    _, numbered = np.unique(label[mesh.corners[:, 0]], return_inverse=True)
    return numbered.reshape(-1).astype(np.int64)


def open_components(mesh: Triangles, piece: Int64[np.ndarray, "t"]) -> Bool[np.ndarray, "p"]:
    """Which pieces have a rim: more than 1 % of their edges belong to one triangle only."""
    edges = np.sort(mesh.corners[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    owner = np.repeat(piece, 3)
    key = edges[:, 0] * np.int64(len(mesh.points)) + edges[:, 1]
    _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
    single = count[inverse.reshape(-1)] == 1
    num = int(piece.max()) + 1
    rims = np.bincount(owner, weights=single, minlength=num)
    return np.asarray(rims > 0.01 * np.bincount(owner, minlength=num))


def simplify(meshes: list[Triangles], weights: list[float], budget: int) -> list[Triangles]:
    """Fewer triangles for the parts of one model, all with the same geometric error, so that detail stays where it shows.

    Edges are collapsed onto vertices that exist, which therefore keep their texture coordinates; rims and seams of the texture
    cost as much as the shape does (meshoptimizer, after Garland and Heckbert, "Surface simplification using quadric error
    metrics", 1997). The error is the smallest, in steps of one percent between a hundred-thousandth and a fifth of the model's
    size, that meets the budget.

    Args:
        meshes: parts.
        weights: how often each triangle of a part counts.
        budget: the sum wanted.
    """
    if sum(w * len(m.corners) for m, w in zip(meshes, weights, strict=True)) <= budget:
        return meshes
    every = np.concatenate([mesh.points for mesh in meshes])
    low, extent = every.min(axis=0), max(float(np.ptp(every, axis=0).max()), 1e-9)
    packed = [_packed(mesh, low, extent) for mesh in meshes]
    errors = np.geomspace(1e-5, 0.2, 2**10)
    first, last = 0, len(errors) - 1
    while first < last:
        middle = (first + last) // 2
        count = sum(w * len(_collapse(p, float(errors[middle]))) for p, w in zip(packed, weights, strict=True))
        first, last = (first, middle) if count <= budget else (middle + 1, last)
    kept_of = [_collapse(pack, float(errors[first])) for pack in packed]
    count = sum(w * len(kept) for w, kept in zip(weights, kept_of, strict=True))
    if count > 1.5 * budget:  # thousands of separate scraps: their connections are given up
        kept_of = [_sloppy(pack, int(len(kept) * budget / count)) for pack, kept in zip(packed, kept_of, strict=True)]
    found = []
    for mesh, pack, kept in zip(meshes, packed, kept_of, strict=True):
        corners = pack.point_of[kept]
        uv = None if mesh.uv is None else pack.uv[kept]
        fewer = _compact(Triangles(points=mesh.points, corners=corners, uv=uv))
        found.append(fewer if 0 < len(fewer.corners) < len(mesh.corners) else mesh)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """A mesh with one vertex for each combination of point and texture coordinate, scaled to about 1."""

    positions: Float32[np.ndarray, "q 3"]
    indices: UInt32[np.ndarray, "i"]
    uv: Float64[np.ndarray, "q 2"]
    point_of: Int64[np.ndarray, "q"]


def _packed(mesh: Triangles, low: Float64[np.ndarray, "3"], extent: float) -> _Packed:
    flat = mesh.corners.reshape(-1)
    if mesh.uv is None:
        point_of, inverse = np.unique(flat, return_inverse=True)
        uv = np.zeros((len(point_of), 2))
    else:
        # Whole 1/4096 of the texture, so that what is equal stays equal.
        cells = np.round(mesh.uv.reshape(-1, 2) * 4096).astype(np.int64)
        _, first, inverse = np.unique(np.column_stack([flat, cells]), axis=0, return_index=True, return_inverse=True)
        point_of, uv = flat[first], mesh.uv.reshape(-1, 2)[first]
    positions = ((mesh.points[point_of] - low) / extent).astype(np.float32)
    return _Packed(
        positions=np.ascontiguousarray(positions),
        indices=np.ascontiguousarray(inverse.reshape(-1), dtype=np.uint32),
        uv=uv,
        point_of=point_of.astype(np.int64),
    )


def _collapse(packed: _Packed, error: float) -> Int64[np.ndarray, "t 3"]:
    """Triangles, as indices into the packed vertices, that stay within an error."""
    import meshoptimizer

    kept = np.zeros(len(packed.indices), dtype=np.uint32)
    num = meshoptimizer.simplify(
        kept,
        packed.indices,
        packed.positions,
        target_index_count=0,
        target_error=error,
        options=meshoptimizer.SIMPLIFY_ERROR_ABSOLUTE | meshoptimizer.SIMPLIFY_PRUNE,
    )
    return kept[:num].reshape(-1, 3).astype(np.int64)


def _sloppy(packed: _Packed, target: int) -> Int64[np.ndarray, "t 3"]:
    """About ``target`` triangles whatever it costs."""
    import meshoptimizer

    kept = np.zeros(len(packed.indices), dtype=np.uint32)
    num = meshoptimizer.simplify_sloppy(
        kept, packed.indices, packed.positions, target_index_count=3 * max(target, 12), target_error=1.0
    )
    return kept[:num].reshape(-1, 3).astype(np.int64)


def leaf_cards(mesh: Triangles, budget: int, rng: np.random.Generator) -> tuple[Triangles, Triangles | None]:
    """Foliage as rhombi, and the rest of the mesh (trunk, branches, pot) or None where there is none.

    A tree has tens of thousands of leaves of a few triangles each; nothing can be taken from a leaf, so leaves are taken from the
    tree. Each piece that is kept becomes one rhombus along its two longest axes, grown so that all of them together cover what
    the leaves did, but no leaf by more than four times its length. Meshes of few pieces are given back as they are.
    """
    piece = components(mesh)
    num = int(piece.max()) + 1
    count = np.bincount(piece, minlength=num)
    area = np.bincount(
        piece, weights=np.linalg.norm(face_normals(mesh.points, mesh.corners), axis=1) / 2, minlength=num
    )
    small = (area <= 20 * np.median(area)) & (count <= 400)
    if small.sum() < 60 or 2 * small.sum() > len(mesh.corners):
        return Triangles(points=mesh.points[:0], corners=mesh.corners[:0], uv=None), mesh
    chosen = np.flatnonzero(small)
    if len(chosen) > budget // 2:
        weight = area[chosen] + 0.05 * area[chosen].mean()
        chosen = np.sort(rng.choice(chosen, budget // 2, replace=False, p=weight / weight.sum()))
    # A leaf with two sides covers half its area.
    closed = ~open_components(mesh, piece)
    wanted = float((area * np.where(closed, 0.5, 1.0))[small].sum())
    order = np.argsort(piece, kind="stable")
    starts = np.searchsorted(piece[order], np.arange(num + 1))
    points, uvs, covered = np.zeros((len(chosen), 4, 3)), np.zeros((len(chosen), 4, 2)), 0.0
    for row, number in enumerate(chosen):
        triangles = order[starts[number] : starts[number + 1]]
        own = mesh.points[mesh.corners[triangles]].reshape(-1, 3)
        middle = own.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((own - middle).T))
        along, across = (own - middle) @ axes[:, 2], (own - middle) @ axes[:, 1]
        tips = np.array([along.argmin(), across.argmin(), along.argmax(), across.argmax()])
        ends = [along[tips[0]] * axes[:, 2], across[tips[1]] * axes[:, 1], along[tips[2]] * axes[:, 2]]
        points[row] = middle + np.array([*ends, across[tips[3]] * axes[:, 1]])
        covered += float(np.ptp(along) * np.ptp(across) / 2)
        if mesh.uv is not None:
            uvs[row] = mesh.uv[triangles].reshape(-1, 2)[tips]
    growth = min(np.sqrt(wanted / max(covered, 1e-12)), 4.0)
    middle = points.mean(axis=1, keepdims=True)
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    points = np.clip(middle + (points - middle) * growth, low, high)
    first = np.arange(len(chosen))[:, None, None] * 4
    quads = np.array([[0, 1, 2], [0, 2, 3]])
    leaves = Triangles(
        points=points.reshape(-1, 3),
        corners=(first + quads).reshape(-1, 3).astype(np.int64),
        uv=None if mesh.uv is None else uvs[:, quads].reshape(-1, 3, 2),
    )
    rest = ~small[piece]
    leaves = _compact(leaves)
    if not rest.any():
        return leaves, None
    return leaves, _compact(
        Triangles(points=mesh.points, corners=mesh.corners[rest], uv=None if mesh.uv is None else mesh.uv[rest])
    )


def _compact(mesh: Triangles) -> Triangles:
    """Without points that no triangle uses and triangles without area."""
    area = np.linalg.norm(face_normals(mesh.points, mesh.corners), axis=1)
    keep = area > 1e-10 * float(np.ptp(mesh.points, axis=0).max(initial=0.0)) ** 2
    mesh = replace(mesh, corners=mesh.corners[keep], uv=None if mesh.uv is None else mesh.uv[keep])
    used, inverse = np.unique(mesh.corners, return_inverse=True)
    return replace(mesh, points=mesh.points[used], corners=inverse.reshape(-1, 3).astype(np.int64))


def crease_normals(mesh: Triangles, *, crease_deg: float = 40.0) -> Float64[np.ndarray, "t 3 3"]:
    """Normals at corners: the mean, by area, of the triangles around the point that turn away by less than ``crease_deg``."""
    normal = face_normals(mesh.points, mesh.corners)
    unit = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    # Triangles at a point, padded: 16 neighbours are more than nearly every point has.
    order = np.argsort(mesh.corners.ravel(), kind="stable")
    sorted_points = mesh.corners.ravel()[order]
    starts = np.searchsorted(sorted_points, np.arange(len(mesh.points)))
    counts = np.bincount(sorted_points, minlength=len(mesh.points))
    total = np.zeros((*mesh.corners.shape, 3))
    cosine = np.cos(np.radians(crease_deg))
    for step in range(min(int(counts.max(initial=0)), 24)):
        at = mesh.corners
        has = counts[at] > step
        other = order[np.minimum(starts[at] + step, len(order) - 1)] // 3
        close = has & ((unit[other] * unit[:, None]).sum(axis=2) >= cosine)
        total += normal[other] * close[..., None]
    short = np.linalg.norm(total, axis=2, keepdims=True) < 1e-15
    total = np.where(short, unit[:, None], total)
    return total / np.maximum(np.linalg.norm(total, axis=2, keepdims=True), 1e-15)


def aligned_normals(mesh: Triangles, normals: Float64[np.ndarray, "t 3 3"]) -> Float64[np.ndarray, "t 3 3"]:
    """Normals turned to the side that the triangle faces; those at a right angle to it or beyond are the triangle's own."""
    own = face_normals(mesh.points, mesh.corners)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-15)
    dot = (normals * own[:, None]).sum(axis=2, keepdims=True)
    turned = np.where(dot < 0, -normals, normals)
    return np.where(np.abs(dot) < 0.1, own[:, None], turned)


def both_sides(mesh: Triangles, double: Bool[np.ndarray, "t"], apart: float) -> Triangles:
    """Adds, for the triangles marked, the same ones facing the other way, ``apart`` behind them.

    Two sheets in one place would cast shadows on each other.
    """
    if not double.any():
        return mesh
    front = mesh.corners[double]
    normal = face_normals(mesh.points, front)
    around = np.zeros_like(mesh.points)
    for k in range(3):
        np.add.at(around, front[:, k], normal)
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-15)
    return Triangles(
        points=np.concatenate([mesh.points, mesh.points - apart * around]),
        corners=np.concatenate([mesh.corners, front[:, ::-1] + len(mesh.points)]),
        uv=None if mesh.uv is None else np.concatenate([mesh.uv, mesh.uv[double][:, ::-1]]),
        normals=None if mesh.normals is None else np.concatenate([mesh.normals, -mesh.normals[double][:, ::-1]]),
    )
