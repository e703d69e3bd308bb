"""SceneBuilder: a scene is put together from assets and simple shapes, each remembered as an object with its truth.

Every object is one MuJoCo body whose frame has its origin at the middle of the object's bottom (assets, blocks) or at its centre
(balls); its box is known in that frame. What is drawn (mesh geoms, group 1, without contact) and what collides (boxes, group 3,
not drawn) are kept apart for assets, and are the same geom for balls, blocks and ramps.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.backdrop import Backdrop
from video3d.data.simulate.scene import COLLISION_GROUP, DRAWN_GROUP, BuiltScene, Look, PlacedObject, Surface, yaw_quat
from video3d.data.truth import GROUND, MotionKind
from video3d.vocabulary import ObjectKind


class SceneBuilder(Backdrop):
    """Collects what is in a scene; ``compile`` makes the model. Names and order follow the calls, so the model is deterministic."""

    def __init__(
        self, *, timestep_s: float = 0.004, far_m: float = 40.0, near_m: float = 0.05, shadow_px: int = 1024
    ) -> None:
        super().__init__(timestep_s=timestep_s, far_m=far_m, near_m=near_m, shadow_px=shadow_px)
        self._objects: list[PlacedObject] = []
        self._meshes: dict[tuple[Any, ...], str] = {}

    # ---- what carries and bounds --------------------------------------------------------------------------------------

    def slab(
        self,
        center_m: tuple[float, float, float],
        half_m: tuple[float, float, float],
        look: Look,
        *,
        surface: Surface | None = None,
        object_id: int = GROUND,
        yaw_rad: float = 0.0,
        repeat: tuple[float, float] | None = None,
        collides: bool = True,
    ) -> None:
        """A box of the building: floor and road (``GROUND``), walls, ceiling, façades (``WALL``). Not an object."""
        self._shape(
            self.spec.worldbody,
            "BOX",
            half_m,
            center_m,
            yaw_quat(yaw_rad),
            look,
            surface,
            object_id,
            0.0,
            repeat,
            collides,
        )

    # ---- objects ------------------------------------------------------------------------------------------------------

    def asset(
        self,
        asset: Asset,
        position_m: tuple[float, float, float],
        yaw_rad: float = 0.0,
        *,
        motion: MotionKind = "static",
        surface: Surface | None = None,
        mass_kg: float | None = None,
        scale: float = 1.0,
    ) -> int:
        """Puts an asset with the middle of its bottom at a place (its elevation is not added); returns its object id."""
        object_id, body = self._body(position_m, yaw_quat(yaw_rad), motion)
        outline = []
        for number, part in enumerate(asset.parts):
            vertices = np.asarray(part.vertices_m, dtype=np.float64) * scale
            outline.append(vertices)
            body.add_geom(
                name=self._geom_name(object_id),
                type=self._mujoco.mjtGeom.mjGEOM_MESH,
                meshname=self._mesh(asset, number, scale),
                material=self._part_material(part),
                contype=0,
                conaffinity=0,
                group=DRAWN_GROUP,
                mass=0,
            )
        boxes = asset.collision_boxes_m * scale
        volume = float(np.prod(2 * boxes[:, 3:], axis=1).sum())
        mass = asset.mass_kg * scale**3 if mass_kg is None else mass_kg
        surface = surface or Surface()
        for box in boxes:
            geom = body.add_geom(
                name=self._geom_name(object_id),
                type=self._mujoco.mjtGeom.mjGEOM_BOX,
                pos=box[:3].tolist(),
                size=box[3:].tolist(),
                group=COLLISION_GROUP,
                mass=mass * float(np.prod(2 * box[3:])) / volume,
            )
            _feel(geom, surface)
        size = asset.size_m * scale
        points = np.concatenate(outline)
        self._objects.append(
            PlacedObject(
                object_id=object_id,
                body=body.name,
                category=asset.category,
                kind=asset.kind,
                motion=motion,
                size_m=size,
                body_from_box=np.array([0.0, 0.0, size[2] / 2]),
                outline_m=_thinned(points),
                color=asset.color,
                has_front=asset.has_front,
                asset_id=asset.asset_id,
            )
        )
        return object_id

    def box(
        self,
        category: str,
        position_m: tuple[float, float, float],
        size_m: tuple[float, float, float],
        look: Look,
        *,
        yaw_rad: float = 0.0,
        quat: list[float] | None = None,
        motion: MotionKind = "dynamic",
        surface: Surface | None = None,
        color: str | None = None,
        kind: ObjectKind = "experiment",
    ) -> int:
        """A block with its bottom's middle at a place (before it is turned); returns its object id."""
        half = np.array(size_m) / 2
        offset = np.array([0.0, 0.0, half[2]])
        corners = offset + half * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        return self._solid(
            category,
            "BOX",
            position_m,
            quat or yaw_quat(yaw_rad),
            tuple(half),
            offset,
            corners,
            np.array(size_m, dtype=np.float64),
            look,
            motion,
            surface,
            color,
            kind,
        )

    def ball(
        self,
        position_m: tuple[float, float, float],
        radius_m: float,
        look: Look,
        *,
        category: str = "ball",
        motion: MotionKind = "dynamic",
        surface: Surface | None = None,
        color: str | None = None,
    ) -> int:
        """A ball with its centre at a place; returns its object id."""
        size = np.full(3, 2 * radius_m)
        return self._solid(
            category,
            "SPHERE",
            position_m,
            yaw_quat(0.0),
            (radius_m, 0.0, 0.0),
            np.zeros(3),
            radius_m * _sphere_points(),
            size,
            look,
            motion,
            surface,
            color,
            "experiment",
        )

    def cylinder(
        self,
        category: str,
        position_m: tuple[float, float, float],
        radius_m: float,
        height_m: float,
        look: Look,
        *,
        quat: list[float] | None = None,
        motion: MotionKind = "dynamic",
        surface: Surface | None = None,
        color: str | None = None,
        kind: ObjectKind = "experiment",
    ) -> int:
        """An upright cylinder with its bottom's middle at a place; returns its object id."""
        offset = np.array([0.0, 0.0, height_m / 2])
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = radius_m * np.stack([np.cos(angle), np.sin(angle)], 1)
        rim = np.concatenate([np.column_stack([ring, np.full(24, z)]) for z in (0.0, height_m)])
        return self._solid(
            category,
            "CYLINDER",
            position_m,
            quat or yaw_quat(0.0),
            (radius_m, height_m / 2, 0.0),
            offset,
            rim,
            np.array([2 * radius_m, 2 * radius_m, height_m]),
            look,
            motion,
            surface,
            color,
            kind,
        )

    def compound(
        self,
        category: str,
        position_m: tuple[float, float, float],
        boxes_m: Float64[np.ndarray, "n 6"],
        quats: Float64[np.ndarray, "n 4"],
        look: Look,
        *,
        yaw_rad: float = 0.0,
        motion: MotionKind = "static",
        surface: Surface | None = None,
        color: str | None = None,
        kind: ObjectKind = "experiment",
    ) -> int:
        """One object of several boxes (centre, half extents; turned by ``quats``) in its own frame: a ramp, stairs, a cart.

        The frame's origin is where ``position_m`` goes; the object's box is the one around all of them.
        """
        object_id, body = self._body(position_m, yaw_quat(yaw_rad), motion)
        corners = []
        material = self.material(look)
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        for box, quat in zip(boxes_m, quats, strict=True):
            geom = body.add_geom(
                name=self._geom_name(object_id),
                type=self._mujoco.mjtGeom.mjGEOM_BOX,
                pos=box[:3].tolist(),
                size=box[3:].tolist(),
                quat=quat.tolist(),
                material=material,
                density=(surface or Surface()).density,
            )
            _feel(geom, surface or Surface())
            rotation = np.zeros(9)
            self._mujoco.mju_quat2Mat(rotation, np.asarray(quat, dtype=np.float64))
            corners.append(box[:3] + (signs * box[3:]) @ rotation.reshape(3, 3).T)
        points = np.concatenate(corners)
        low, high = points.min(0), points.max(0)
        self._objects.append(
            PlacedObject(
                object_id=object_id,
                body=body.name,
                category=category,
                kind=kind,
                motion=motion,
                size_m=high - low,
                body_from_box=(low + high) / 2,
                outline_m=points,
                color=color,
            )
        )
        return object_id

    def compile(self) -> BuiltScene:
        """Compiles the model. Errors: ``ValueError`` by MuJoCo for shapes that it cannot simulate."""
        model = self.spec.compile()
        geom_object = np.zeros(model.ngeom, dtype=np.int32)
        for name, object_id in self._geoms.items():
            geom_object[model.geom(name).id] = object_id
        return BuiltScene(model=model, objects=tuple(self._objects), geom_object=geom_object)

    # ---- within -------------------------------------------------------------------------------------------------------

    def _body(self, position_m: tuple[float, float, float], quat: list[float], motion: MotionKind) -> tuple[int, Any]:
        object_id = len(self._objects) + 1
        body = self.spec.worldbody.add_body(name=f"object{object_id}", pos=[float(x) for x in position_m], quat=quat)
        if motion == "dynamic":
            body.add_freejoint(name=f"object{object_id}-joint")
        elif motion == "scripted":
            body.mocap = True
        return object_id, body

    def _solid(
        self, category: str, shape: str, position_m: tuple[float, float, float], quat: list[float], half: tuple[Any, ...],
        offset: np.ndarray, outline: np.ndarray, size: np.ndarray, look: Look, motion: MotionKind, surface: Surface | None,
        color: str | None, kind: ObjectKind,
    ) -> int:  # fmt: skip
        object_id, body = self._body(position_m, quat, motion)
        self._shape(body, shape, half, tuple(offset), yaw_quat(0.0), look, surface, object_id, 1.0, None, True)
        self._objects.append(
            PlacedObject(
                object_id=object_id,
                body=body.name,
                category=category,
                kind=kind,
                motion=motion,
                size_m=size.astype(np.float64),
                body_from_box=offset.astype(np.float64),
                outline_m=outline.astype(np.float64),
                color=color,
            )
        )
        return object_id

    def _shape(
        self, body: Any, shape: str, half: tuple[Any, ...], position_m: tuple[Any, ...], quat: list[float], look: Look,
        surface: Surface | None, object_id: int, with_mass: float, repeat: tuple[float, float] | None, collides: bool,
    ) -> None:  # fmt: skip
        surface = surface or Surface()
        geom = body.add_geom(
            name=self._geom_name(object_id),
            type=getattr(self._mujoco.mjtGeom, "mjGEOM_" + shape),
            pos=[float(x) for x in position_m],
            size=[float(x) for x in half],
            quat=quat,
            material=self.material(look, repeat=repeat),
            density=surface.density * with_mass,
        )
        if collides:
            _feel(geom, surface)
        else:
            geom.contype = geom.conaffinity = 0

    def _mesh(self, asset: Asset, number: int, scale: float) -> str:
        key = (asset.asset_id, number, round(scale, 6))
        if key in self._meshes:
            return self._meshes[key]
        part = asset.parts[number]
        mesh = self.spec.add_mesh(name=self._name("mesh"), inertia=self._mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        mesh.uservert = (np.asarray(part.vertices_m, dtype=np.float64) * scale).ravel()
        mesh.userface = np.asarray(part.faces, dtype=np.int32).ravel()
        if part.normals is not None:
            mesh.usernormal = np.asarray(part.normals, dtype=np.float64).ravel()
            mesh.userfacenormal = mesh.userface
        if part.uv is not None and part.texture is not None:
            mesh.usertexcoord = np.asarray(part.uv, dtype=np.float64).ravel()
            mesh.userfacetexcoord = mesh.userface
        self._meshes[key] = mesh.name
        return mesh.name


def _feel(geom: Any, surface: Surface) -> None:
    geom.friction = [surface.friction, 0.005, surface.rolling]
    geom.solref = list(surface.solref)
    geom.condim = 6


def _thinned(points: np.ndarray, most: int = 400) -> np.ndarray:
    """Points that give the same outline: the corners of the convex hull where it can be had, at most ``most``."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        points = points[np.sort(ConvexHull(points).vertices)]
    except (QhullError, ValueError):  # flat things have no hull in 3D
        points = np.unique(points, axis=0)
    step = max(1, -(-len(points) // most))
    return np.ascontiguousarray(points[::step], dtype=np.float64)


def _sphere_points() -> np.ndarray:
    """200 points all over the unit sphere (golden spiral)."""
    index = np.arange(200) + 0.5
    polar, turn = np.arccos(1 - 2 * index / 200), np.pi * (1 + 5**0.5) * index
    return np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
