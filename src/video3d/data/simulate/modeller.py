"""Modeller: shapes put together from boxes, cylinders, spheres and profiles, with what collides, into an asset."""

from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from video3d.data.simulate.asset import Asset, MeshPart, Placement
from video3d.data.simulate.colour import parts_color
from video3d.data.simulate.masses import plausible_mass
from video3d.vocabulary import category

Number = float | int
Rgb = tuple[Number, Number, Number]
Vec = tuple[Number, Number, Number]
# Where the axes of a lathe go. Along y it runs to the front, -y.
_AXES = {
    "x": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


class Modeller:
    """Collects shapes; ``asset`` moves the middle of their bottom to the origin and says what the whole is.

    Coordinates are metres, z up, the front faces -y. Shapes of one colour become one part.
    """

    def __init__(self) -> None:
        self._meshes: dict[Any, list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]] = {}
        self._textures: dict[Any, np.ndarray | None] = {}
        self._boxes: list[tuple[Number, ...]] = []
        self._volume_m3 = 0.0  # of what collides; its boxes may overlap

    def mesh(
        self,
        vertices: Float64[np.ndarray, "v 3"],
        faces: np.ndarray,
        normals: Float64[np.ndarray, "v 3"],
        rgb: Rgb,
        *,
        alpha: Number = 1.0,
        uv: Float64[np.ndarray, "v 2"] | None = None,
        texture: UInt8[np.ndarray, "th tw 3"] | None = None,
    ) -> None:
        """Adds triangles as they are."""
        key = (*rgb, alpha, None if texture is None else id(texture))
        self._textures[key] = texture
        uv = np.zeros((len(vertices), 2)) if uv is None else uv
        self._meshes.setdefault(key, []).append((vertices, faces, normals, uv))

    def solid(self, center: Vec, size: Vec) -> None:
        """Adds a box that collides and is not drawn."""
        self._boxes.append((*center, *(s / 2 for s in size)))
        self._volume_m3 += float(np.prod(size))

    def box(
        self, center: Vec, size: Vec, rgb: Rgb, *, collides: bool = True, alpha: Number = 1.0, tilt_x_rad: Number = 0.0
    ) -> None:
        """A box, turned about the x axis through its middle by ``tilt_x_rad``."""
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
        vertices, normals, faces = [], [], []
        for axis in range(3):
            for side in (-1.0, 1.0):
                corner = np.zeros((4, 3))
                # Counter-clockwise from outside: the other two axes in cyclic order, turned around on the low side.
                u, v = (axis + 1) % 3, (axis + 2) % 3
                order = signs if side > 0 else signs[::-1]
                corner[:, axis], corner[:, u], corner[:, v] = side, order[:, 0], order[:, 1]
                first = len(vertices) * 4
                vertices.append(corner)
                normals.append(np.tile(np.eye(3)[axis] * side, (4, 1)))
                faces += [[first, first + 1, first + 2], [first, first + 2, first + 3]]
        c, s = np.cos(tilt_x_rad), np.sin(tilt_x_rad)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        at = (np.concatenate(vertices) * np.array(size) / 2) @ turn.T + np.array(center)
        self.mesh(at, np.array(faces), np.concatenate(normals) @ turn.T, rgb, alpha=alpha)
        if collides:
            self._volume_m3 += float(np.prod(size))
            half = np.abs(turn) @ (np.array(size) / 2)
            self._boxes.append((*center, *half.tolist()))

    def lathe(
        self,
        base: Vec,
        profile: list[tuple[Number, Number]],
        rgb: Rgb,
        *,
        axis: str = "z",
        sides: int = 20,
        collides: bool = True,
        smooth: bool = False,
        alpha: Number = 1.0,
    ) -> None:
        """A solid of revolution about an axis through ``base``: (radius, height along the axis) from bottom to top.

        ``smooth``: shaded round along the profile, otherwise with edges where it bends.
        """
        frame = np.array(_AXES[axis], dtype=np.float64)
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides + 1)], axis=1)
        points = np.array(profile, dtype=np.float64)
        step = np.diff(points, axis=0)
        slope = np.stack([step[:, 1], -step[:, 0]], axis=1)
        slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)
        vertices, normals, faces = [], [], []
        for k in range(len(step)):
            if np.allclose(step[k], 0):
                continue
            for end in (0, 1):
                own = slope[k]
                if smooth:
                    around = slope[max(k - 1 + end, 0) : k + 1 + end]
                    own = around.mean(axis=0)
                radius, height = points[k + end]
                vertices.append(ring * radius + np.array([0, 0, height]))
                normals.append(ring * own[0] + np.array([0, 0, own[1]]))
            low = (len(vertices) - 2) * (sides + 1)
            for j in range(sides):
                a, b, c, d = low + j, low + j + 1, low + sides + 1 + j + 1, low + sides + 1 + j
                if points[k, 0] > 1e-9:
                    faces.append([a, b, c])
                if points[k + 1, 0] > 1e-9:
                    faces.append([a, c, d])
        n = np.concatenate(normals)
        n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-12)
        self.mesh(np.concatenate(vertices) @ frame + np.array(base), np.array(faces), n @ frame, rgb, alpha=alpha)
        if collides:
            radius, (low_h, high_h) = float(points[:, 0].max()), (float(points[:, 1].min()), float(points[:, 1].max()))
            self._round_solid(np.array(base), frame, radius, low_h, high_h)
            frusta = (points[:-1, 0] ** 2 + points[:-1, 0] * points[1:, 0] + points[1:, 0] ** 2) * step[:, 1]
            self._volume_m3 += abs(float(frusta.sum())) * np.pi / 3

    def _round_solid(self, base: np.ndarray, frame: np.ndarray, radius: Number, low: float, high: float) -> None:
        """Three crossed boxes instead of a cylinder: their corners lie on it."""
        for a, b in ((0.92, 0.39), (0.39, 0.92), (0.71, 0.71)):
            middle = np.array([0, 0, (low + high) / 2]) @ frame + base
            half = np.abs(np.array([a * radius, b * radius, (high - low) / 2]) @ frame)
            self._boxes.append((*middle.tolist(), *half.tolist()))

    def cylinder(
        self,
        base: Vec,
        radius: Number,
        height: Number,
        rgb: Rgb,
        *,
        axis: str = "z",
        top: Number | None = None,
        sides: int = 20,
        collides: bool = True,
        alpha: Number = 1.0,
    ) -> None:
        """A cylinder, or a cone with ``top`` as its upper radius, from ``base`` along the axis."""
        upper = radius if top is None else top
        profile = [(0.0, 0.0), (radius, 0.0), (upper, height), (0.0, height)]
        self.lathe(base, profile, rgb, axis=axis, sides=sides, collides=collides, alpha=alpha)

    def ellipsoid(
        self, center: Vec, radii: Vec, rgb: Rgb, *, collides: bool = True, rings: int = 9, sides: int = 16
    ) -> None:
        """An ellipsoid."""
        theta = np.linspace(0, np.pi, rings)
        phi = np.linspace(0, 2 * np.pi, sides + 1)
        t, p = np.meshgrid(theta, phi, indexing="ij")
        unit = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), -np.cos(t)], axis=-1).reshape(-1, 3)
        faces = []
        for i in range(rings - 1):
            for j in range(sides):
                a, b = i * (sides + 1) + j, i * (sides + 1) + j + 1
                c, d = b + sides + 1, a + sides + 1
                faces += [[a, b, c]] if i > 0 else []
                faces += [[a, c, d]] if i < rings - 2 else []
        normals = unit / np.array(radii)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        self.mesh(unit * np.array(radii) + np.array(center), np.array(faces), normals, rgb)
        if collides:
            self._volume_m3 += float(np.prod(radii)) * 4 / 3 * np.pi
            half = np.array(radii)
            for grow in ((0.95, 0.5, 0.5), (0.5, 0.95, 0.5), (0.5, 0.5, 0.95), (0.62, 0.62, 0.62)):
                self._boxes.append((*center, *(half * np.array(grow)).tolist()))

    def profile(
        self,
        outline_yz: list[tuple[Number, Number]],
        x0: Number,
        x1: Number,
        rgb: Rgb,
        *,
        alpha: Number = 1.0,
        collides: bool = False,
    ) -> None:
        """A prism along x: an outline in y (to the back) and z (up), counter-clockwise seen from +x. Need not be convex."""
        points = np.array(outline_yz, dtype=np.float64)
        num = len(points)
        ears = _ears(points)
        vertices, normals, faces = [], [], []
        for x, side in ((x1, 1.0), (x0, -1.0)):
            first = sum(len(v) for v in vertices)
            vertices.append(np.column_stack([np.full(num, x), points]))
            normals.append(np.tile([side, 0, 0], (num, 1)))
            faces += [[first + i for i in (ear if side > 0 else ear[::-1])] for ear in ears]
        for k in range(num):
            a, b = points[k], points[(k + 1) % num]
            out = np.array([0.0, b[1] - a[1], a[0] - b[0]])
            out /= max(float(np.linalg.norm(out)), 1e-12)
            first = sum(len(v) for v in vertices)
            vertices.append(np.array([[x0, *a], [x1, *a], [x1, *b], [x0, *b]]))
            normals.append(np.tile(out, (4, 1)))
            faces += [[first, first + 2, first + 1], [first, first + 3, first + 2]]
        self.mesh(
            np.concatenate(vertices), _outward(vertices, normals, faces), np.concatenate(normals), rgb, alpha=alpha
        )
        if collides:
            low, high = points.min(axis=0), points.max(axis=0)
            center = ((x0 + x1) / 2, float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
            self.solid(center, (x1 - x0, float(high[0] - low[0]), float(high[1] - low[1])))

    def asset(
        self,
        asset_id: str,
        name: str,
        category_name: str,
        placement: Placement,
        *,
        support_m: Number | None = None,
        support_half_m: tuple[Number, Number] | None = None,
        elevation_m: Number = 0.0,
        held_out: bool = False,
    ) -> Asset:
        """The asset. ``support_m`` and ``support_half_m``: height and half extents, about the middle, of where things stand."""
        parts = []
        every = np.concatenate([m[0] for meshes in self._meshes.values() for m in meshes])
        low, high = every.min(axis=0), every.max(axis=0)
        origin = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        for key, meshes in self._meshes.items():
            starts = np.cumsum([0] + [len(m[0]) for m in meshes[:-1]])
            texture = self._textures[key]
            parts.append(
                MeshPart(
                    vertices_m=(np.concatenate([m[0] for m in meshes]) - origin).astype(np.float32),
                    faces=np.concatenate([m[1] + s for m, s in zip(meshes, starts, strict=True)]).astype(np.int32),
                    normals=np.concatenate([m[2] for m in meshes]).astype(np.float32),
                    uv=None if texture is None else np.concatenate([m[3] for m in meshes]).astype(np.float32),
                    rgba=(float(key[0]), float(key[1]), float(key[2]), float(key[3])),
                    texture=texture,
                )
            )
        entry = category(category_name)
        size = (high - low).astype(np.float64)
        boxes = np.array(self._boxes, dtype=np.float64).reshape(-1, 6)
        box_low = np.maximum(boxes[:, :3] - boxes[:, 3:] - origin, np.array([-size[0] / 2, -size[1] / 2, 0]))
        box_high = np.minimum(boxes[:, :3] + boxes[:, 3:] - origin, np.array([size[0] / 2, size[1] / 2, size[2]]))
        boxes = np.concatenate([(box_low + box_high) / 2, (box_high - box_low) / 2], axis=1)
        boxes = boxes[(boxes[:, 3:] > 1e-4).all(axis=1)]
        bounds = None
        if support_m is not None and support_half_m is not None:
            (a, b), (x, y) = support_half_m, (float(origin[0]), float(origin[1]))
            bounds = (float(-a - x), float(-b - y), float(a - x), float(b - y))
        built = tuple(parts)
        return Asset(
            asset_id=asset_id,
            name=name,
            category=category_name,
            kind=entry.kind,
            placement=placement,
            size_m=size,
            parts=built,
            collision_boxes_m=boxes,
            support_height_m=None if support_m is None else float(support_m - origin[2]),
            support_bounds_m=bounds,
            elevation_m=float(elevation_m),
            mass_kg=plausible_mass(category_name, entry.kind, self._volume_m3),
            color=parts_color(built, lacquered=entry.kind == "vehicle"),
            has_front=entry.has_front,
            held_out=held_out,
        )


def _outward(vertices: list[np.ndarray], normals: list[np.ndarray], faces: list[list[int]]) -> np.ndarray:
    """Faces turned so that they wind the way their normals say."""
    v, n, f = np.concatenate(vertices), np.concatenate(normals), np.array(faces)
    winding = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    wrong = (winding * n[f[:, 0]]).sum(axis=1) < 0
    f[wrong] = f[wrong][:, ::-1]
    return f


def _ears(points: np.ndarray) -> list[list[int]]:
    """Cuts a simple polygon, counter-clockwise, into triangles by cutting off ears."""
    left = list(range(len(points)))
    ears: list[list[int]] = []

    def cross(o: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
        return float((a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]))

    while len(left) > 3:
        for k in range(len(left)):
            i, j, m = left[k - 1], left[k], left[(k + 1) % len(left)]
            a, b, c = points[i], points[j], points[m]
            if cross(a, b, c) <= 1e-12:
                continue
            others = [points[q] for q in left if q not in (i, j, m)]
            if any(min(cross(a, b, p), cross(b, c, p), cross(c, a, p)) > 1e-12 for p in others):
                continue
            ears.append([i, j, m])
            left.pop(k)
            break
        else:
            break
    ears.append(left[:3])
    return ears
