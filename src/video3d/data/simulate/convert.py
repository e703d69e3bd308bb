"""One model of a furniture library made into an asset: axes, size, fewer triangles, both sides of sheets, collision, colour.

Sweet Home 3D models are y up and face +z (two that do not are turned first); ``modelRotation`` is applied, the model's box is
stretched to the catalogue's width, height and depth, and (x, y, z) becomes (x, -z, y), so that the front faces -y and z is up.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, UInt8

from video3d.data.simulate.asset import Asset, MeshPart
from video3d.data.simulate.catalogue import SUPPORTS, category_of, licence_of, placement_of, turned_ahead
from video3d.data.simulate.collision import collision_boxes, make_grid, outside_cells, support_surface, surface_points
from video3d.data.simulate.colour import parts_color
from video3d.data.simulate.masses import plausible_mass
from video3d.data.simulate.mesh import (
    Triangles,
    aligned_normals,
    both_sides,
    components,
    crease_normals,
    face_normals,
    leaf_cards,
    open_components,
    simplify,
    weld,
)
from video3d.data.simulate.obj import ObjPart, read_obj
from video3d.data.simulate.sh3f import Archive, CatalogueEntry
from video3d.types import InputError
from video3d.vocabulary import category

TRIANGLES = 4000
_BUDGET = {"vehicle": 6000, "person": 5000, "plant": 8000}
TEXTURE_PX = 256
_MAX_PICTURE_PX = 4096 * 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surface:
    """Triangles with what they look like."""

    mesh: Triangles
    rgba: tuple[float, float, float, float]
    texture: str | None
    fixed: bool = False


def convert_model(entry: CatalogueEntry, archive: Archive) -> Asset:
    """The asset of a model; ``held_out`` is left false, since it depends on what else there is.

    Errors: ``InputError`` for a model that cannot be read or is empty.
    """
    entry = turned_ahead(entry)
    name = category_of(entry)
    assert name is not None
    data, read, path = _open_model(entry, archive)
    textures: dict[str, UInt8[np.ndarray, "th tw 3"] | None] = {}
    surfaces = _surfaces(read_obj(data, read, path), entry, read, textures)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(entry.model_id.encode()).digest()[:8], "big"))
    size, surfaces = _fitted(surfaces, entry)
    whole = _joined(surfaces)
    support = None
    if name in SUPPORTS and (entry.drop_cm is None or entry.drop_cm >= 0):
        stated = None if entry.drop_cm is None else entry.drop_cm / 100
        support = support_surface(whole.points, whole.corners, size, stated_m=stated)
    height, bounds = support if support else (None, None)
    boxes = collision_boxes(whole.points, whole.corners, size, support_m=height, support_bounds_m=bounds)
    kind = category(name).kind
    parts = _drawn(surfaces, size, textures, kind, rng)
    placement = placement_of(entry, name)
    return Asset(
        asset_id=entry.model_id,
        name=entry.name,
        category=name,
        kind=kind,
        placement=placement,
        size_m=size,
        parts=parts,
        collision_boxes_m=boxes,
        support_height_m=height,
        support_bounds_m=bounds,
        elevation_m=entry.elevation_cm / 100 if placement in ("wall", "ceiling") else 0.0,
        mass_kg=plausible_mass(name, kind, float(np.prod(2 * boxes[:, 3:], axis=1).sum())),
        color=parts_color(parts, lacquered=kind == "vehicle"),
        has_front=category(name).has_front,
        creator=entry.creator or entry.library,
        licence=licence_of(entry),
    )


def _open_model(entry: CatalogueEntry, archive: Archive) -> tuple[bytes, Callable[[str], bytes | None], str]:
    """The OBJ, how to read what lies beside it, and its path; a model may be a zip in the zip."""
    data = archive.read(entry.model_path)
    if data[:2] != b"PK":
        return data, lambda name: archive.read(name) if archive.has(name) else None, entry.model_path
    inner = Archive(data, f"{archive.label} {entry.model_path}")
    found = [name for name in inner.names() if name.lower().endswith(".obj")]
    if not found:
        raise InputError(inner.label, expected="an OBJ in it", got=f"{len(inner.names())} other files")
    return inner.read(found[0]), lambda name: inner.read(name) if inner.has(name) else None, found[0]


def _surfaces(
    parts: tuple[ObjPart, ...],
    entry: CatalogueEntry,
    read: Callable[[str], bytes | None],
    textures: dict[str, UInt8[np.ndarray, "th tw 3"] | None],
) -> list[_Surface]:
    """Parts in z-up axes, not yet scaled, those of one look together; ``textures`` is filled."""
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) @ np.array(entry.rotation).reshape(3, 3)
    mirrored = np.linalg.det(turn) < 0
    groups: dict[tuple[tuple[float, float, float, float], str | None], list[ObjPart]] = {}
    for part in parts:
        path, rgba = part.material.texture, part.material.rgba
        if path is not None and path not in textures:
            raw = read(path)
            textures[path] = None if raw is None else _picture(raw)
        picture = textures.get(path) if path is not None else None
        if picture is not None and not part.has_uv:
            mean = picture.reshape(-1, 3).mean(axis=0) / 255
            rgba, picture = (float(mean[0]), float(mean[1]), float(mean[2]), rgba[3]), None
        elif picture is not None:
            rgba = (1.0, 1.0, 1.0, rgba[3])
        groups.setdefault((rgba, path if picture is not None else None), []).append(part)
    surfaces = []
    for (rgba, texture), same in groups.items():
        starts = np.cumsum([0] + [len(p.points) for p in same[:-1]])
        triangles = np.concatenate([p.triangles + s for p, s in zip(same, starts, strict=True)])
        normals = np.concatenate([p.normals for p in same]) @ turn.T
        mesh = weld(
            np.concatenate([p.points for p in same]) @ turn.T,
            triangles[:, ::-1].copy() if mirrored else triangles,
            uv=np.concatenate([p.uv for p in same]) if texture else None,
            normals=normals,
        )
        if len(mesh.corners) and rgba[3] > 0.02:
            surfaces.append(_Surface(mesh=mesh, rgba=rgba, texture=texture))
    if not surfaces:
        raise InputError(entry.model_id, expected="visible triangles", got="none")
    return surfaces


def _picture(raw: bytes) -> UInt8[np.ndarray, "th tw 3"] | None:
    """A picture of at most 256 pixels a side; None for what no picture library can read (the colour stands in for it)."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(raw)) as image:
            if image.width * image.height > _MAX_PICTURE_PX or min(image.size) < 1:
                return None
            image.draft("RGB", (TEXTURE_PX * 2, TEXTURE_PX * 2))
            rgba = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    pixels = np.asarray(rgba)
    opaque = pixels[..., 3] > 127
    if not opaque.all() and opaque.any():
        # Cut-out leaves: what is transparent takes the leaf's mean colour instead of an edge colour of nothing.
        pixels = pixels.copy()
        pixels[~opaque, :3] = pixels[opaque, :3].mean(axis=0).astype(np.uint8)
    scale = min(1.0, TEXTURE_PX / max(rgba.size))
    size = (max(1, round(rgba.width * scale)), max(1, round(rgba.height * scale)))
    small = Image.fromarray(pixels[..., :3]).resize(
        size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST
    )
    return np.asarray(small).copy()


def _joined(surfaces: list[_Surface]) -> Triangles:
    starts = np.cumsum([0] + [len(s.mesh.points) for s in surfaces[:-1]])
    corners = np.concatenate([s.mesh.corners + start for s, start in zip(surfaces, starts, strict=True)])
    return Triangles(points=np.concatenate([s.mesh.points for s in surfaces]), corners=corners)


def _fitted(surfaces: list[_Surface], entry: CatalogueEntry) -> tuple[Float64[np.ndarray, "3"], list[_Surface]]:
    """Scaled to the catalogue's size in metres, the middle of the bottom at the origin."""
    used = np.concatenate([s.mesh.points[np.unique(s.mesh.corners)] for s in surfaces])
    low, high = used.min(axis=0), used.max(axis=0)
    width, depth, height = (cm / 100 for cm in entry.size_cm)
    size = np.maximum(np.array([width, depth, height]), 1e-3)
    flat = high - low < 1e-9 * max(float((high - low).max()), 1e-9)
    scale = size / np.where(flat, 1.0, high - low)
    origin = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    fitted = []
    for surface in surfaces:
        mesh = surface.mesh
        normals = None
        if mesh.normals is not None:
            normals = mesh.normals / scale
            normals = normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-15)
        moved = Triangles(points=(mesh.points - origin) * scale, corners=mesh.corners, uv=mesh.uv, normals=normals)
        fitted.append(_Surface(mesh=moved, rgba=surface.rgba, texture=surface.texture))
    return size, fitted


def _drawn(
    surfaces: list[_Surface],
    size: Float64[np.ndarray, "3"],
    textures: dict[str, UInt8[np.ndarray, "th tw 3"] | None],
    kind: str,
    rng: np.random.Generator,
) -> tuple[MeshPart, ...]:
    """What is drawn: within the triangle budget, sheets from both sides, filling the box to the last micrometre."""
    budget = _BUDGET.get(kind, TRIANGLES)
    outside = _outside(surfaces, size)
    if sum(len(s.mesh.corners) for s in surfaces) > budget and kind == "plant":
        surfaces, budget = _with_cards(surfaces, budget, rng)
    seen_behind = [outside(s.mesh) if s.rgba[3] > 0.9 else np.zeros(len(s.mesh.corners), dtype=bool) for s in surfaces]
    weights = [1.0 + float(seen.mean()) for seen in seen_behind]
    thin = float(np.clip(size.max() * 0.002, 0.0003, 0.003))
    simpler = [s.mesh for s in surfaces]
    movable = [k for k, s in enumerate(surfaces) if not s.fixed]
    fewer = simplify([simpler[k] for k in movable], [weights[k] for k in movable], budget)
    for k, mesh in zip(movable, fewer, strict=True):
        simpler[k] = mesh
    meshes = []
    for surface, mesh in zip(surfaces, simpler, strict=True):
        if mesh is not surface.mesh or mesh.normals is None:
            shaded = replace(mesh, normals=crease_normals(mesh))
        else:
            shaded = replace(mesh, normals=aligned_normals(mesh, mesh.normals))
        behind = outside(mesh) if surface.rgba[3] > 0.9 else np.zeros(len(mesh.corners), dtype=bool)
        meshes.append(both_sides(shaded, behind, thin))
    used = np.concatenate([m.points[np.unique(m.corners)] for m in meshes])
    low, high = used.min(axis=0), used.max(axis=0)
    target_low = np.array([-size[0] / 2, -size[1] / 2, 0.0])
    # A decimated outline is a little smaller than the whole; thin flat things stay flat.
    scale = np.where(high - low > 1e-6, size / np.maximum(high - low, 1e-9), 1.0)
    parts = []
    for surface, mesh in zip(surfaces, meshes, strict=True):
        points = np.clip((mesh.points - low) * scale + target_low, target_low, target_low + size)
        picture = textures.get(surface.texture) if surface.texture else None
        parts.append(_part(points, mesh, surface.rgba, picture))
    return tuple(parts)


def _with_cards(surfaces: list[_Surface], budget: int, rng: np.random.Generator) -> tuple[list[_Surface], int]:
    """Foliage as cards that are left as they are, and what is left of the budget for the rest."""
    total, found, spent = sum(len(s.mesh.corners) for s in surfaces), [], 0
    for surface in surfaces:
        # Cards are seen from both sides, so each triangle counts twice.
        share = int(0.7 * budget * len(surface.mesh.corners) / total / 2)
        leaves, rest = leaf_cards(surface.mesh, max(share, 40), rng)
        if len(leaves.corners):
            found.append(replace(surface, mesh=leaves, fixed=True))
            spent += 2 * len(leaves.corners)
        if rest is not None:
            found.append(replace(surface, mesh=rest))
    return found, max(budget - spent, budget // 4)


def _outside(surfaces: list[_Surface], size: Float64[np.ndarray, "3"]) -> Callable[[Triangles], np.ndarray]:
    """A test of which triangles can be seen from behind: they belong to an open piece and behind them is the open air."""
    cell = float(max(size.max() / 40, 0.002))
    grid = make_grid(size, cell, support_m=None)
    filled = np.zeros(grid.shape, dtype=bool)
    for surface in surfaces:
        cells = grid.cells(surface_points(surface.mesh.points, surface.mesh.corners, cell / 2))
        filled[tuple(cells.T)] = True
    free = outside_cells(filled)

    def test(mesh: Triangles) -> np.ndarray:
        piece = components(mesh)
        sheet = open_components(mesh, piece)[piece]
        normal = face_normals(mesh.points, mesh.corners)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
        middle = mesh.points[mesh.corners].mean(axis=1)
        seen = np.zeros(len(mesh.corners), dtype=bool)
        for step in (1.2, 1.8, 2.6):
            behind = middle - normal * step * cell
            beyond = (np.abs(behind[:, :2]) > size[:2] / 2).any(axis=1) | (behind[:, 2] < 0) | (behind[:, 2] > size[2])
            cells = grid.cells(behind)
            seen |= beyond | free[tuple(cells.T)]
        return np.asarray(sheet & seen)

    return test


def _part(
    points: Float64[np.ndarray, "v 3"],
    mesh: Triangles,
    rgba: tuple[float, float, float, float],
    picture: UInt8[np.ndarray, "th tw 3"] | None,
) -> MeshPart:
    """Corners that agree in everything become one vertex."""
    assert mesh.normals is not None
    normals = np.round(mesh.normals.reshape(-1, 3) * 127).astype(np.int64)
    columns = [mesh.corners.reshape(-1, 1), normals]
    uv = None
    if picture is not None and mesh.uv is not None:
        # Whole repeats are taken off, so that the coordinates stay small and exact.
        uv = mesh.uv - np.floor(mesh.uv.reshape(-1, 2).min(axis=0))
        uv = uv.reshape(-1, 2)
        columns.append(np.round(uv * 4096).astype(np.int64))
    _, first, inverse = np.unique(np.concatenate(columns, axis=1), axis=0, return_index=True, return_inverse=True)
    unit = normals[first] / np.maximum(np.linalg.norm(normals[first], axis=1, keepdims=True), 1e-9)
    return MeshPart(
        vertices_m=points[mesh.corners.reshape(-1)[first]].astype(np.float32),
        faces=inverse.reshape(-1, 3).astype(np.int32),
        normals=unit.astype(np.float32),
        uv=None if uv is None else uv[first].astype(np.float32),
        rgba=rgba,
        texture=picture if uv is not None else None,
    )
