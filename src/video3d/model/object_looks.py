"""Frames looked at twice, as they are and larger: what both looks say of every patch of the larger.

What is small is named right more often larger, what is large whole; and two looks err less together than either alone (averaging what a
network says of several sizes of a picture is an old way of testing: Simonyan and Zisserman, arXiv 1409.1556, section 4). What it is worth:
docs/results/objects.md.
"""

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional

from video3d.model.object_head import PatchObjects, view_axes

_FAR = 2.0
"""Of what both looks say that they err by, together: centres farther apart than this are two things'."""
_SAME_AXIS = 0.7
"""Least cosine, up to half a turn, between what both take for the direction of one thing."""


def both_looks(
    whole: PatchObjects,
    whole_points: Float32[Tensor, "m gh gw 3"],
    larger: PatchObjects,
    larger_points: Float32[Tensor, "m lh lw 3"],
    world_from_camera: Float32[Tensor, "m 4 4"],
) -> PatchObjects:
    """What two looks at the same frames say together, of every patch of the larger one.

    Probabilities are averaged; places, sizes and headings are averaged by how sure each look is of the thing's centre. Where they speak of
    different things or take its front for its side, the mean would be neither: there the surer is believed, as is the larger where the other knows no place.

    Args:
        whole: of the frames as they are.
        whole_points: places of their patches; NaN unknown.
        larger: of the same frames, enlarged so that each patch of before is a whole number of rows and columns of patches.
        larger_points: places of these.
        world_from_camera: poses of the frames.
    """
    told = _told_larger(whole, whole_points, larger_points, world_from_camera)
    own_heading = functional.normalize(larger.heading, dim=-1, eps=1e-6)
    sure, own_sure = (-told.log_scale).exp(), (-larger.log_scale).exp()
    apart = (told.center_m - larger.center_m).norm(dim=-1)
    agree = (told.heading * own_heading).sum(-1, keepdim=True)
    differ = apart > _FAR * (told.log_scale.exp() + larger.log_scale.exp())
    differ |= agree[..., 0].abs() < _SAME_AXIS
    share = sure / (sure + own_sure)
    share = torch.where(differ, (share > 0.5).float(), share)[..., None]
    # Half a turn is none, or one of them takes back for front: the less sure one is turned.
    turned = torch.where(agree < 0, -1.0, 1.0)
    one, other = torch.where(share > 0.5, 1.0, turned), torch.where(share > 0.5, turned, 1.0)

    def mean(told: Tensor, own: Tensor) -> Tensor:
        return share * told + (1 - share) * own

    def log_mean(told: Tensor, own: Tensor) -> Tensor:
        return torch.logaddexp(told.log_softmax(-1), own.log_softmax(-1))  # their softmax is the mean

    surer = torch.minimum(told.log_scale, larger.log_scale)
    return PatchObjects(
        category_logits=log_mean(told.category_logits, larger.category_logits),
        color_logits=log_mean(told.color_logits, larger.color_logits),
        center_m=mean(told.center_m, larger.center_m),
        log_size=mean(told.log_size, larger.log_size),
        heading=mean(told.heading * one, own_heading * other),
        log_scale=torch.where(differ | (sure == 0), surer, -((sure + own_sure) / 2).log()),
    )


def _told_larger(
    whole: PatchObjects,
    points: Float32[Tensor, "m gh gw 3"],
    larger_points: Float32[Tensor, "m lh lw 3"],
    world_from_camera: Float32[Tensor, "m 4 4"],
) -> PatchObjects:
    """What one look says, said of the patches of the larger one: in their places and viewing directions, headings of unit length.

    Where it knows no place, its scale is infinite.
    """
    down, right = (large // small for large, small in zip(larger_points.shape[1:3], points.shape[1:3], strict=True))

    def spread(values: Tensor) -> Tensor:
        return values.repeat_interleave(down, 1).repeat_interleave(right, 2)

    ahead, left = view_axes(points, world_from_camera)
    center = points + whole.center_m[..., :1] * ahead + whole.center_m[..., 1:2] * left
    center = torch.cat([center[..., :2], points[..., 2:] + whole.center_m[..., 2:]], -1)
    axis = functional.normalize(whole.heading, dim=-1, eps=1e-6)
    axis = spread(axis[..., :1] * ahead[..., :2] + axis[..., 1:] * left[..., :2])
    offset = spread(center) - larger_points
    known = offset.isfinite().all(-1)
    offset, axis = (torch.where(known[..., None], values, 0.0) for values in (offset, axis))
    ahead, left = (axes.nan_to_num(0.0) for axes in view_axes(larger_points, world_from_camera))
    return PatchObjects(
        category_logits=spread(whole.category_logits),
        color_logits=spread(whole.color_logits),
        center_m=torch.stack([(offset * ahead).sum(-1), (offset * left).sum(-1), offset[..., 2]], -1),
        log_size=spread(whole.log_size),
        heading=torch.stack([(axis * ahead[..., :2]).sum(-1), (axis * left[..., :2]).sum(-1)], -1),
        log_scale=torch.where(known, spread(whole.log_scale), torch.inf),
    )
