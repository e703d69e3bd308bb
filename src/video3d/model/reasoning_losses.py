"""What the 3D reasoning module is trained with: one number from whatever is known of a batch. All in float32.

Layout follows DETR (Carion et al., arXiv 2005.12872): predictions are matched one to one with objects at the least cost
(Hungarian method, ``scipy.optimize.linear_sum_assignment``), cost and loss made of class, centre, size and generalised IoU
(Rezatofighi et al., arXiv 1902.09630), "no object" counted a tenth; in three dimensions with the weights of 3DETR (Misra et al.,
arXiv 2109.08141). Boxes are compared in the axes of the true one, where the true box is axis-aligned: so neither match nor loss
depends on how the world is turned, and the overlap is exact where the yaw is.
"""

import numpy as np
import torch
from jaxtyping import Float32, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from video3d.model.reasoning_geometry import into_frame
from video3d.model.reasoning_types import (
    LayoutPrediction,
    LayoutTargets,
    PhysicsPrediction,
    PhysicsTargets,
    RelationTargets,
    SpatialPrediction,
    SpatialTargets,
    Things,
)
from video3d.types.reasoning import OBSERVER_RELATIONS, RELATIONS

NO_OBJECT_WEIGHT = 0.1
CLASS_WEIGHT, CENTER_WEIGHT, SIZE_WEIGHT, YAW_WEIGHT, IOU_WEIGHT, QUALITY_WEIGHT = 1.0, 5.0, 1.0, 0.5, 1.0, 1.0
_MIN_SIZE_M = 0.01


def spatial_loss(predicted: SpatialPrediction, targets: SpatialTargets) -> Float32[Tensor, ""]:
    """Mean of the parts (relation, layout, physics) of which something is known; 0, with a gradient of 0, where nothing is.

    Args:
        predicted: from ``ReasoningModule.forward`` with the same targets.
        targets: what is true; NaN, negative and masked entries count for nothing.
    """
    parts: list[tuple[Tensor, bool]] = []
    if targets.relation is not None and predicted.relation_logits is not None:
        parts.append(relation_loss(predicted.relation_logits, targets.relation))
    if targets.layout is not None and predicted.layout is not None:
        parts.append(layout_loss(predicted.layout, targets.layout))
    if targets.physics is not None and predicted.physics is not None:
        parts.append(physics_loss(predicted.physics, targets.physics))
    if not parts:
        return torch.zeros(())
    # Parts without anything known stay in the sum as zeros, so that every parameter has a gradient on every process.
    return torch.stack([part for part, _ in parts]).sum() / max(1, sum(known for _, known in parts))


def _mean(loss: Tensor, mask: Tensor) -> Float32[Tensor, ""]:
    return torch.where(mask, loss, 0.0).sum() / mask.sum().clamp_min(1)


def relation_loss(logits: Float32[Tensor, "b r 10"], targets: RelationTargets) -> tuple[Float32[Tensor, ""], bool]:
    """Binary cross entropy over what is known, and whether anything is."""
    known = (targets.subject.known & targets.reference.known)[..., None] & targets.mask
    needs = torch.tensor([name in OBSERVER_RELATIONS for name in RELATIONS], device=logits.device)
    known = known & (targets.observer.known[..., None] | ~needs)
    loss = functional.binary_cross_entropy_with_logits(logits, targets.holds.float(), reduction="none")
    return _mean(loss, known), bool(known.any())


def physics_loss(predicted: PhysicsPrediction, targets: PhysicsTargets) -> tuple[Float32[Tensor, ""], bool]:
    """Mean of what is known of stability, motion and next event, and whether anything is.

    Motion is whether a thing is still, and 1 - cosine of the angle between its true and found direction where it is not.
    """
    there = targets.thing.known
    stable_known, motion_known = there & targets.stable_mask, there & targets.motion_mask
    event_known = there & (targets.event >= 0)
    stable = functional.binary_cross_entropy_with_logits(
        predicted.stable_logits, targets.stable.float(), reduction="none"
    )
    still = functional.binary_cross_entropy_with_logits(predicted.still_logits, targets.still.float(), reduction="none")
    truth = functional.normalize(targets.direction_world.nan_to_num(0.0), dim=-1)
    apart = 1 - (predicted.direction_world * truth).sum(-1)
    parts = [_mean(stable, stable_known), _mean(still, motion_known) + _mean(apart, motion_known & ~targets.still)]
    num_events = predicted.event_logits.shape[-1]
    if num_events:
        logits, event = predicted.event_logits.flatten(0, 1), targets.event.flatten().clamp(0, num_events - 1)
        loss = functional.cross_entropy(logits, event, reduction="none").reshape(event_known.shape)
        parts.append(_mean(loss, event_known))
    num = int(stable_known.any()) + int(motion_known.any()) + int(bool(num_events) and bool(event_known.any()))
    return torch.stack(parts).sum() / max(1, num), num > 0


def box_terms(
    center_world: Float32[Tensor, "... 3"],
    log_size: Float32[Tensor, "... 3"],
    double_yaw: Float32[Tensor, "... 2"],
    truth: Float32[Tensor, "... 7"],
) -> tuple[Float32[Tensor, "..."], Float32[Tensor, "..."], Float32[Tensor, "..."]]:
    """How far boxes are from true ones, elementwise: centres (m, L1), size and yaw together, generalised IoU.

    Found and true boxes broadcast. A box has two descriptions, sides exchanged and a quarter turn more; size and yaw are
    compared with the nearer one. Yaw costs 1 - cos of twice the angle between, so that half a turn is none.

    Args:
        center_world: found, metres.
        log_size: found.
        double_yaw: found, see ``LayoutPrediction``.
        truth: centre, full extents, yaw.
    """
    true_center, true_size, yaw = truth[..., :3], truth[..., 3:6].clamp_min(_MIN_SIZE_M), truth[..., 6]
    offset = center_world - true_center
    yaw = yaw.expand(offset.shape[:-1])
    local = torch.cat([into_frame(offset[..., :2], yaw), offset[..., 2:]], -1)

    turn = double_yaw / (double_yaw.square().sum(-1, keepdim=True) + 1e-8).sqrt()
    cosine = into_frame(turn.expand(*yaw.shape, 2), 2 * yaw)[..., 0]  # of twice the angle between
    described = []
    for sides, sign in (((0, 1, 2), 1.0), ((1, 0, 2), -1.0)):
        size = (log_size - true_size[..., list(sides)].log()).abs().sum(-1)
        described.append(SIZE_WEIGHT * size + YAW_WEIGHT * (1 - sign * cosine))
    shape = torch.minimum(described[0], described[1])

    # Seen in the true box's axes, a box turned by t reaches |cos t| sx + |sin t| sy along the first axis.
    size = log_size.exp()
    across, along = (((1 - cosine) / 2).clamp_min(1e-6).sqrt(), ((1 + cosine) / 2).clamp_min(1e-6).sqrt())
    reach = torch.stack(
        [
            along * size[..., 0] + across * size[..., 1],
            across * size[..., 0] + along * size[..., 1],
            size[..., 2].expand(along.shape),
        ],
        -1,
    )
    return local.abs().sum(-1), shape, _generalised_iou(local, reach, true_size)


def _generalised_iou(
    offset: Float32[Tensor, "... 3"], size: Float32[Tensor, "... 3"], true_size: Float32[Tensor, "... 3"]
) -> Float32[Tensor, "..."]:
    """Of axis-aligned boxes, one of them at the origin: IoU less the share of the box around both that neither fills."""
    low, high = offset - size / 2, offset + size / 2
    shared = (torch.minimum(high, true_size / 2) - torch.maximum(low, -true_size / 2)).clamp_min(0).prod(-1)
    around = (torch.maximum(high, true_size / 2) - torch.minimum(low, -true_size / 2)).prod(-1)
    joined = size.prod(-1) + true_size.prod(-1) - shared
    return shared / joined.clamp_min(1e-9) - (around - joined) / around.clamp_min(1e-9)


@torch.no_grad()
def match(
    predicted: LayoutPrediction, targets: LayoutTargets
) -> tuple[Int64[Tensor, "m"], Int64[Tensor, "m"], Int64[Tensor, "m"]]:
    """Scene, query and object of every matched pair: one to one, at the least total cost, valid queries only."""
    num_categories = predicted.category_logits.shape[-1] - 1
    there = targets.boxes.known & (targets.category >= 0) & (targets.category < num_categories) & targets.mask[:, None]
    center, shape, iou = box_terms(  # b q k
        predicted.center_world[:, :, None],
        predicted.log_size[:, :, None],
        predicted.double_yaw[:, :, None],
        _stacked(targets.boxes)[:, None],
    )
    likely = predicted.category_logits.softmax(-1)
    category = targets.category.clamp(0, max(0, num_categories - 1))
    named = likely.gather(2, category[:, None].expand(-1, likely.shape[1], -1))
    cost = (CENTER_WEIGHT * center + shape - CLASS_WEIGHT * named - IOU_WEIGHT * iou).nan_to_num(1e6).cpu().numpy()
    valid, wanted = predicted.valid.cpu().numpy(), there.cpu().numpy()
    found: list[tuple[int, int, int]] = []
    for scene in range(cost.shape[0]):
        queries, objects = np.flatnonzero(valid[scene]), np.flatnonzero(wanted[scene])
        rows, columns = linear_sum_assignment(cost[scene][np.ix_(queries, objects)])
        found += [(scene, int(queries[i]), int(objects[j])) for i, j in zip(rows, columns, strict=True)]
    table = torch.tensor(found, dtype=torch.int64, device=predicted.valid.device).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _stacked(boxes: Things) -> Float32[Tensor, "b k 7"]:
    """Centre, full extents, yaw; no NaN."""
    boxes = boxes.filled()
    return torch.cat([boxes.center_world, boxes.size_m, boxes.yaw_rad[..., None]], -1)


def layout_loss(predicted: LayoutPrediction, targets: LayoutTargets) -> tuple[Float32[Tensor, ""], bool]:
    """Loss of the matched boxes, of the categories of all queries, and of how well each says that it fits (0: no object)."""
    scene, query, thing = match(predicted, targets)
    num_categories = predicted.category_logits.shape[-1] - 1
    wanted = torch.full_like(predicted.valid, num_categories, dtype=torch.int64)
    wanted[scene, query] = targets.category[scene, thing]
    counted = predicted.valid & targets.mask[:, None]
    weight = torch.where(wanted == num_categories, NO_OBJECT_WEIGHT, 1.0) * counted
    loss = functional.cross_entropy(predicted.category_logits.flatten(0, 1), wanted.flatten(), reduction="none")
    category = (loss * weight.flatten()).sum() / weight.sum().clamp_min(1e-6)

    center, shape, iou = box_terms(
        predicted.center_world[scene, query],
        predicted.log_size[scene, query],
        predicted.double_yaw[scene, query],
        _stacked(targets.boxes)[scene, thing],
    )
    fit = torch.zeros_like(predicted.quality_logits)
    fit[scene, query] = iou.detach().clamp(0, 1)
    loss = functional.binary_cross_entropy_with_logits(predicted.quality_logits, fit, reduction="none")
    quality = (loss * weight).sum() / weight.sum().clamp_min(1e-6)
    boxes = (CENTER_WEIGHT * center + shape + IOU_WEIGHT * (1 - iou)).sum() / max(1, scene.shape[0])
    return CLASS_WEIGHT * category + QUALITY_WEIGHT * quality + boxes, bool(counted.any())
