"""Asset: a thing that a scene can be furnished with, whether read from a furniture library or made here."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from video3d.vocabulary import ObjectKind

Placement = Literal["floor", "support", "wall", "ceiling", "street"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPart:
    """Triangles of one material.

    Attributes:
        vertices_m: in the asset's frame: x to its right, y to its back (the front faces -y), z up; the origin is at the middle
            of the bottom of its box.
        faces: indices into ``vertices_m``, counter-clockwise from outside.
        normals: one a vertex, or None (then the renderer makes them).
        uv: one a vertex, v up as in OBJ; None without texture.
        rgba: colour where there is no texture, 0..1.
        texture: RGB image, first row at the top.
    """

    vertices_m: Float32[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "t 3"]
    normals: Float32[np.ndarray, "v 3"] | None = None
    uv: Float32[np.ndarray, "v 2"] | None = None
    rgba: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    texture: UInt8[np.ndarray, "th tw 3"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A thing with its shape and what one may do with it.

    Attributes:
        asset_id: unique and stable, e.g. ``scopia/armchair-2`` or ``primitive/table-3``.
        name: its maker's name for it.
        category: its name in ``video3d.vocabulary``.
        kind: what sort of object it is.
        placement: floor (stands in a room), support (small, stands on things), wall (hangs on a wall or is set in it), ceiling,
            street (vehicles, street lamps, trees).
        size_m: full extents x, y, z of its box; its parts fill the box.
        parts: what is drawn.
        collision_boxes_m: boxes that fill the shape for physics: (centre, half extents) in the asset's frame.
        support_height_m: height above the bottom at which other things can stand on it, or None.
        support_bounds_m: (x0, y0, x1, y1) of that surface in the asset's frame.
        elevation_m: height of its bottom above the floor when it hangs on a wall or ceiling, else 0.
        mass_kg: plausible for its size and category.
        color: a colour word where the whole thing is of one colour that nobody would call another, else None.
        has_front: has a front that people agree on; it faces -y.
        creator: who made the model.
        licence: SPDX id.
        held_out: only in the test split.
    """

    asset_id: str
    name: str
    category: str
    kind: ObjectKind
    placement: Placement
    size_m: Float64[np.ndarray, "3"]
    parts: tuple[MeshPart, ...]
    collision_boxes_m: Float64[np.ndarray, "c 6"]
    support_height_m: float | None = None
    support_bounds_m: tuple[float, float, float, float] | None = None
    elevation_m: float = 0.0
    mass_kg: float = 1.0
    color: str | None = None
    has_front: bool = False
    creator: str = "video3d"
    licence: str = "CC0-1.0"
    held_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetLibrary:
    """All assets at hand. ``furnished`` says whether a furniture library is among them or only what is made here."""

    assets: tuple[Asset, ...]
    furnished: bool
    digest: str
    notes: tuple[str, ...] = field(default=())

    def of(self, *categories: str, test: bool = False) -> tuple[Asset, ...]:
        """Assets of some categories, for the test split or for the others, in a stable order.

        The test split may use every asset, the others only those that are not held out.
        """
        return tuple(a for a in self.assets if a.category in categories and (test or not a.held_out))
