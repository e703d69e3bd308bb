"""What the 3D reasoning module reads, gives and learns from, as tensors of b scenes.

Geometry is float32 in the world's frame (right-handed, metres, +z up) whatever the model's dtype. A batch pads its things
with NaN centres; what is NaN is not known and counts for nothing.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor


def _moved(value: Any, device: torch.device | str) -> Any:
    """A dataclass of tensors with all of them on a device; ``Trainer`` moves only what lies in dicts and lists."""
    if isinstance(value, Tensor):
        return value.to(device)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{f.name: _moved(getattr(value, f.name), device) for f in dataclasses.fields(value)}
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """r referred things in each of b scenes: points, or boxes turned about +z.

    Attributes:
        center_world: the point, or the box's centre; NaN pads.
        size_m: full extents along the box's own axes; 0 for a point.
        yaw_rad: by which it is turned; of no effect for a point.
    """

    center_world: Float32[Tensor, "b r 3"]
    size_m: Float32[Tensor, "b r 3"]
    yaw_rad: Float32[Tensor, "b r"]

    @property
    def known(self) -> Bool[Tensor, "b r"]:
        """Whether a thing is one, and no padding."""
        finite = torch.isfinite(torch.cat([self.center_world, self.size_m, self.yaw_rad[..., None]], -1))
        return finite.all(-1)

    def filled(self) -> "Things":
        """The same without NaN: padding becomes a point at the origin, so that no gradient ever meets a NaN."""
        known = self.known
        return Things(
            center_world=torch.where(known[..., None], self.center_world, 0.0),
            size_m=torch.where(known[..., None], self.size_m, 0.0),
            yaw_rad=torch.where(known, self.yaw_rad, 0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """Who sees each of the r pairs: position, and heading as an angle about +z from the world's x axis; NaN: nobody."""

    position_world: Float32[Tensor, "b r 3"]
    yaw_rad: Float32[Tensor, "b r"]

    @property
    def known(self) -> Bool[Tensor, "b r"]:
        """Whether there is an observer."""
        return torch.isfinite(self.position_world).all(-1) & torch.isfinite(self.yaw_rad)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationTargets:
    """Pairs, and which of the ten relations hold.

    Attributes:
        subject: first things.
        reference: second things.
        observer: whose left and right these are.
        holds: whether each of ``RELATIONS`` holds of the subject relative to the reference.
        mask: where that is known: too close to call is false, and so are the four of the observer where there is none.
    """

    subject: Things
    reference: Things
    observer: Observers
    holds: Bool[Tensor, "b r 10"]
    mask: Bool[Tensor, "b r 10"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutTargets:
    """The objects of the scenes.

    Attributes:
        boxes: their boxes; NaN pads.
        category: index into the configuration's ``categories``; below 0 pads.
        mask: whether all objects of a scene are known, so that elsewhere there is nothing.
    """

    boxes: Things
    category: Int64[Tensor, "b k"]
    mask: Bool[Tensor, "b"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicsTargets:
    """What p things of each scene do.

    Attributes:
        thing: which.
        stable: stays standing.
        stable_mask: where that is known.
        still: does not move.
        direction_world: unit vector in which it moves; anything where it is still.
        motion_mask: where both are known.
        event: what happens next, index into the configuration's ``events``; below 0 where unknown.
    """

    thing: Things
    stable: Bool[Tensor, "b p"]
    stable_mask: Bool[Tensor, "b p"]
    still: Bool[Tensor, "b p"]
    direction_world: Float32[Tensor, "b p 3"]
    motion_mask: Bool[Tensor, "b p"]
    event: Int64[Tensor, "b p"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialTargets:
    """What is asked about a batch of scenes and what is true; any part may be missing."""

    relation: RelationTargets | None = None
    layout: LayoutTargets | None = None
    physics: PhysicsTargets | None = None

    def to(self, device: torch.device | str) -> "SpatialTargets":
        """The same on a device."""
        return _moved(self, device)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPrediction:
    """q objects proposed in each scene, float32.

    Attributes:
        category_logits: over the categories, then "no object".
        quality_logits: how well the box fits an object of its own, as the logit of a generalised IoU.
        center_world: metres.
        log_size: logarithm of the full extents in metres.
        double_yaw: (cos, sin) of twice the yaw, not of unit length: a box turned by half is the same box.
        valid: false for queries that found no place of their own (fewer tokens than queries): they propose nothing.
    """

    category_logits: Float32[Tensor, "b q k1"]
    quality_logits: Float32[Tensor, "b q"]
    center_world: Float32[Tensor, "b q 3"]
    log_size: Float32[Tensor, "b q 3"]
    double_yaw: Float32[Tensor, "b q 2"]
    valid: Bool[Tensor, "b q"]

    @property
    def yaw_rad(self) -> Float32[Tensor, "b q"]:
        """In -π/2..π/2."""
        return torch.atan2(self.double_yaw[..., 1], self.double_yaw[..., 0]) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicsPrediction:
    """What p things do, float32: logits, and the direction of motion in the world, of unit length or shorter."""

    stable_logits: Float32[Tensor, "b p"]
    still_logits: Float32[Tensor, "b p"]
    direction_world: Float32[Tensor, "b p 3"]
    event_logits: Float32[Tensor, "b p e"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialPrediction:
    """The parts that were asked for."""

    relation_logits: Float32[Tensor, "b r 10"] | None = None
    layout: LayoutPrediction | None = None
    physics: PhysicsPrediction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneContext:
    """Scene tokens as the reasoning module has read them; the first is its own token for the scene as a whole.

    Attributes:
        features: of every token.
        keep: false for padding.
        points_centered: metres from ``center_world``; 0 where not placed.
        placed: has a place.
        center_world: mean of the placed tokens; 0 without any.
    """

    features: Float[Tensor, "b m d"]
    keep: Bool[Tensor, "b m"]
    points_centered: Float32[Tensor, "b m 3"]
    placed: Bool[Tensor, "b m"]
    center_world: Float32[Tensor, "b 3"]
