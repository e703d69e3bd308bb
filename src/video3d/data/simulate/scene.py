"""What a scene is made of, and what it is once compiled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int32, UInt8

from video3d.data.truth import MotionKind
from video3d.vocabulary import ObjectKind

COLLISION_GROUP = 3
"""Geoms of this group are never drawn."""

DRAWN_GROUP = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """How a body feels to others: sliding friction, rolling friction in metres, MuJoCo's ``solref`` and density in kg/m3."""

    friction: float = 0.6
    rolling: float = 0.0005
    solref: tuple[float, float] = (0.005, 1.0)
    density: float = 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a surface looks: a colour, or a texture repeated every ``texture_m`` metres; ``emission`` is what it shines by itself."""

    rgba: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    texture: UInt8[np.ndarray, "h w 3"] | None = None
    texture_m: tuple[float, float] = (1.0, 1.0)
    roughness: float = 0.7
    specular: float = 0.15
    emission: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedObject:
    """An object of the scene and how to find it in the model.

    Attributes:
        object_id: 1, 2, ...
        body: name of its body.
        body_from_box: translation from the body's origin to the centre of its box, in the body's frame, metres.
        outline_m: points of its surface in the body's frame, whose projection gives its outline.
    """

    object_id: int
    body: str
    category: str
    kind: ObjectKind
    motion: MotionKind
    size_m: Float64[np.ndarray, "3"]
    body_from_box: Float64[np.ndarray, "3"]
    outline_m: Float64[np.ndarray, "v 3"]
    color: str | None = None
    has_front: bool = False
    asset_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltScene:
    """A compiled scene.

    Attributes:
        model: ``mujoco.MjModel``.
        objects: in the order of their ids.
        geom_object: object id of every geom; ``GROUND`` for floors, ``WALL`` for walls.
    """

    model: Any
    objects: tuple[PlacedObject, ...]
    geom_object: Int32[np.ndarray, "geoms"]

    def object(self, object_id: int) -> PlacedObject:
        """The object of an id. Errors: ``KeyError``."""
        for found in self.objects:
            if found.object_id == object_id:
                return found
        raise KeyError(f"object {object_id} is not in the scene")


def yaw_quat(yaw_rad: float) -> list[float]:
    """A turn about +z as MuJoCo's (w, x, y, z)."""
    return [float(np.cos(yaw_rad / 2)), 0.0, 0.0, float(np.sin(yaw_rad / 2))]
