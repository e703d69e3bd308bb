"""Frames looked at twice, as they are and larger: what both looks say of every patch of the larger.

What is small is seen better larger, what is large better whole; and two looks err less together than either alone (averaging what a network
says of several sizes of a picture is an old way of testing: Simonyan and Zisserman, arXiv 1409.1556, section 4). docs/results/objects.md has
what it is worth.
"""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from video3d.model.object_head import PatchObjects, view_axes


def both_looks(
    whole: PatchObjects,
    whole_points: Float32[Tensor, "m gh gw 3"],
    larger: PatchObjects,
    larger_points: Float32[Tensor, "m lh lw 3"],
    world_from_camera: Float32[Tensor, "m 4 4"],
) -> PatchObjects:
    """What two looks at the same frames say together, of every patch of the larger one.

    Probabilities are averaged; places, sizes and headings are averaged by how sure each look is of the thing's centre. A patch whose place the
    smaller look does not know says of places what the larger look does.

    Args:
        whole: of the frames as they are.
        whole_points: places of their patches; NaN unknown.
        larger: of the same frames, enlarged so that each patch of before is a whole number of rows and columns of patches.
        larger_points: places of these.
        world_from_camera: poses of the frames.
    """
    down, right = (
        large // small for large, small in zip(larger_points.shape[1:3], whole_points.shape[1:3], strict=True)
    )

    def spread(values: Tensor) -> Tensor:
        return values.repeat_interleave(down, 1).repeat_interleave(right, 2)

    def log_mean(one: Tensor, other: Tensor) -> Tensor:
        return torch.logaddexp(spread(one).log_softmax(-1), other.log_softmax(-1))  # their softmax is the mean

    ahead, left = view_axes(whole_points, world_from_camera)
    center = whole_points + whole.center_m[..., :1] * ahead + whole.center_m[..., 1:2] * left
    center = torch.cat([center[..., :2], whole_points[..., 2:] + whole.center_m[..., 2:]], -1)
    axis = functional.normalize(whole.heading, dim=-1, eps=1e-6)
    axis = axis[..., :1] * ahead[..., :2] + axis[..., 1:] * left[..., :2]
    center, axis = spread(center) - larger_points, spread(axis)
    ahead, left = view_axes(larger_points, world_from_camera)
    center = torch.stack([(center * ahead).sum(-1), (center * left).sum(-1), center[..., 2]], -1)
    axis = torch.stack([(axis * ahead[..., :2]).sum(-1), (axis * left[..., :2]).sum(-1)], -1)
    known = center.isfinite().all(-1)
    sure = torch.where(known, (-spread(whole.log_scale)).exp(), 0.0)
    surer = (-larger.log_scale).exp()
    share = (sure / (sure + surer))[..., None]

    def mean(one: Tensor, other: Tensor) -> Tensor:
        return torch.where(share > 0, share * one, 0.0) + (1 - share) * other

    return PatchObjects(
        category_logits=log_mean(whole.category_logits, larger.category_logits),
        color_logits=log_mean(whole.color_logits, larger.color_logits),
        center_m=mean(center, larger.center_m),
        log_size=mean(spread(whole.log_size), larger.log_size),
        heading=mean(axis, functional.normalize(larger.heading, dim=-1, eps=1e-6)),
        log_scale=torch.where(known, -((sure + surer) / 2).log(), larger.log_scale),
    )
