"""Patch points, boxes, detections: geometry that the model and the answers speak of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchPoints:
    """The world point that every image patch looks at.

    Attributes:
        points_world: mean of the world points of a patch's pixels with known depth; NaN where ``valid_share`` is 0 or
            the frame has no pose.
        depth_m: mean z-depth of those pixels, NaN where unknown.
        valid_share: share of a patch's pixels whose depth is known, 0..1.
        patch_px: side of a patch in pixels.
    """

    points_world: Float32[np.ndarray, "f gh gw 3"]
    depth_m: Float32[np.ndarray, "f gh gw"]
    valid_share: Float32[np.ndarray, "f gh gw"]
    patch_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box3D:
    """An oriented box.

    Attributes:
        center_world: centre in metres.
        size_m: full extents along the box's own axes, > 0.
        world_from_box: rotation; the identity for an axis-aligned box.
    """

    center_world: Float64[np.ndarray, "3"]
    size_m: Float64[np.ndarray, "3"]
    world_from_box: Float64[np.ndarray, "3 3"]

    def __post_init__(self) -> None:
        """Extents must be positive: a box without volume has no overlap to speak of."""
        if not bool((self.size_m > 0).all()):
            raise ValueError(f"size_m: expected three extents > 0, got {self.size_m.tolist()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A box with a name and how sure its finder is (0..1)."""

    box: Box3D
    label: str
    score: float
