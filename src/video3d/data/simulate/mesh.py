"""Triangle meshes made fit for a simulator: welded, with fewer triangles, normals that keep edges, and both sides of thin sheets.

Renderers of robot simulators draw a triangle from its front only. Furniture is modelled with curtains, leaves and lampshades
of a single sheet, so those get a second sheet that faces the other way; closed solids do not, since nobody sees their inside.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

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


def simplify(mesh: Triangles, target: int, rng: np.random.Generator) -> Triangles:
    """About ``target`` triangles that look like the mesh.

    A mesh of very many small pieces (leaves, needles, petals) cannot be simplified piece by piece: some pieces are kept and grown
    about their middle so that the whole stays as dense. Anything else goes through quadric edge collapse (Garland and Heckbert,
    "Surface simplification using quadric error metrics", 1997), and the corners take their texture coordinates from the old
    corners nearest to them in the same patch of the texture.
    """
    if len(mesh.corners) <= target:
        return mesh
    piece = components(mesh)
    num = int(piece.max()) + 1
    if num > 60 and num > target / 12:
        # Leaves of a few triangles cannot lose any; larger ones lose two thirds of theirs afterwards.
        each = len(mesh.corners) / num
        mesh = _fewer_pieces(mesh, piece, max(12, int(target / each * (1 if each <= 4 else 3))), rng)
        if len(mesh.corners) <= target * 1.2:
            return mesh
    for aggression in (7.0, 10.0):
        fewer = _collapse(mesh, target, aggression)
        if len(fewer.corners) <= 1.5 * target:
            break
    return fewer


def _fewer_pieces(mesh: Triangles, piece: Int64[np.ndarray, "t"], keep: int, rng: np.random.Generator) -> Triangles:
    """A random choice of pieces, larger ones more likely, each grown about its middle to make up for the others' area."""
    num = int(piece.max()) + 1
    if num <= keep:
        return mesh
    area = np.bincount(piece, weights=np.linalg.norm(face_normals(mesh.points, mesh.corners), axis=1), minlength=num)
    weight = area + area.mean() * 0.05
    # Large pieces (a trunk among leaves) always stay, unscaled.
    large = area > 20 * np.median(area)
    small = np.flatnonzero(~large)
    chosen = np.zeros(num, dtype=bool)
    chosen[large] = True
    budget = min(len(small), max(keep - int(large.sum()), keep // 2, 1))
    p = weight[small] / weight[small].sum()
    chosen[small[np.sort(rng.choice(len(small), budget, replace=False, p=p))]] = True
    growth = np.sqrt(area[small].sum() / max(area[small][chosen[small]].sum(), 1e-12))
    scale = np.where(large, 1.0, min(float(growth), 2.6))
    triangles = chosen[piece]
    corners, owner = mesh.corners[triangles], piece[triangles]
    points = mesh.points.copy()
    point_owner = np.full(len(points), -1)
    point_owner[corners.ravel()] = np.repeat(owner, 3)
    used = point_owner >= 0
    middle = (
        np.stack([np.bincount(point_owner[used], weights=points[used, k], minlength=num) for k in range(3)], axis=1)
        / np.maximum(np.bincount(point_owner[used], minlength=num), 1)[:, None]
    )
    at = middle[point_owner[used]]
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    points[used] = np.clip(at + (points[used] - at) * scale[point_owner[used]][:, None], low, high)
    return _compact(
        Triangles(
            points=points,
            corners=corners,
            uv=None if mesh.uv is None else mesh.uv[triangles],
            normals=None if mesh.normals is None else mesh.normals[triangles],
        )
    )


def _compact(mesh: Triangles) -> Triangles:
    used, inverse = np.unique(mesh.corners, return_inverse=True)
    return replace(mesh, points=mesh.points[used], corners=inverse.reshape(-1, 3).astype(np.int64))


def _collapse(mesh: Triangles, target: int, aggression: float) -> Triangles:
    import fast_simplification

    low = mesh.points.min(axis=0)
    extent = max(float(np.ptp(mesh.points, axis=0).max()), 1e-9)
    simplified = fast_simplification.simplify(
        ((mesh.points - low) / extent).astype(np.float32),
        mesh.corners.astype(np.int32),
        target_reduction=float(np.clip(1 - target / len(mesh.corners), 0.0, 0.995)),
        agg=aggression,
    )
    if len(simplified[1]) == 0:
        return mesh
    points = simplified[0].astype(np.float64) * extent + low
    corners = simplified[1].astype(np.int64)
    area = np.linalg.norm(face_normals(points, corners), axis=1)
    keep = area > (extent * 1e-6) ** 2
    corners = corners[keep]
    uv = None if mesh.uv is None else _carry_uv(mesh, points, corners)
    return _compact(Triangles(points=points, corners=corners, uv=uv))


def _carry_uv(
    old: Triangles, points: Float64[np.ndarray, "v 3"], corners: Int64[np.ndarray, "t 3"]
) -> Float64[np.ndarray, "t 3 2"]:
    """Texture coordinates for new triangles: the patch of the nearest old triangle, then the nearest old corners of that patch."""
    from scipy.spatial import KDTree

    assert old.uv is not None
    # A patch: triangles connected through corners that share position and texture coordinate.
    flat = np.concatenate([old.points[old.corners].reshape(-1, 3), old.uv.reshape(-1, 2)], axis=1)
    _, inverse = np.unique(np.round(flat, 5), axis=0, return_inverse=True)
    seam_corners = inverse.reshape(-1, 3).astype(np.int64)
    patch = components(Triangles(points=np.zeros((int(seam_corners.max()) + 1, 3)), corners=seam_corners))
    span = max(float(np.ptp(old.points, axis=0).max()), 1e-9)
    normal = face_normals(old.points, old.corners)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    # Middles and points near the corners, with the normal as further coordinates: the two sides of a board are far apart.
    tri = old.points[old.corners]
    inward = [0.7 * tri[:, k] + 0.15 * (tri[:, (k + 1) % 3] + tri[:, (k + 2) % 3]) for k in range(3)]
    probes = np.concatenate([tri.mean(axis=1), *inward])
    tree = KDTree(np.concatenate([probes, np.tile(normal, (4, 1)) * 0.1 * span], axis=1))
    new_normal = face_normals(points, corners)
    new_normal /= np.maximum(np.linalg.norm(new_normal, axis=1, keepdims=True), 1e-12)
    _, nearest = tree.query(np.concatenate([points[corners].mean(axis=1), new_normal * 0.1 * span], axis=1))
    face_patch = patch[nearest % len(patch)]
    uv = np.zeros((len(corners), 3, 2))
    order = np.argsort(patch, kind="stable")
    starts = np.searchsorted(patch[order], np.arange(int(patch.max()) + 2))
    for number in np.unique(face_patch):
        mine = np.flatnonzero(face_patch == number)
        source = order[starts[number] : starts[number + 1]]
        at, value = old.points[old.corners[source]].reshape(-1, 3), old.uv[source].reshape(-1, 2)
        k = min(3, len(at))
        distance, index = KDTree(at).query(points[corners[mine]].reshape(-1, 3), k=k)
        distance, index = distance.reshape(-1, k), index.reshape(-1, k)
        weight = 1.0 / (distance + 1e-6 * span)
        weight /= weight.sum(axis=1, keepdims=True)
        uv[mine] = (value[index] * weight[:, :, None]).sum(axis=1).reshape(-1, 3, 2)
    return uv


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


def both_sides(mesh: Triangles, double: Bool[np.ndarray, "t"]) -> Triangles:
    """Adds, for the triangles marked, the same ones facing the other way."""
    if not double.any():
        return mesh
    back = mesh.corners[double][:, ::-1]
    return Triangles(
        points=mesh.points,
        corners=np.concatenate([mesh.corners, back]),
        uv=None if mesh.uv is None else np.concatenate([mesh.uv, mesh.uv[double][:, ::-1]]),
        normals=None if mesh.normals is None else np.concatenate([mesh.normals, -mesh.normals[double][:, ::-1]]),
    )
