"""What every patch shows, and where the thing that it is a part of has its box: objects without proposals.

    patch features (m gh gw c) ─▶ blocks of its own ─┐
    geometry (m gh gw g) ────────────────────────────┴▶ category, colour, centre, size, heading, how sure of the centre

Every patch votes for the box of its own thing, in a frame of its own: upright, x along the level direction that the camera looks
at it in, so that nothing depends on where the world's axes point (votes for centres: Qi et al., "Deep Hough Voting for 3D Object
Detection in Point Clouds", arXiv 1904.09664; boxes and angles seen from the viewing ray: Mousavian et al., arXiv 1612.00496).
``object_votes`` gathers the votes of all frames. Blocks of its own, where it has any, are the vision tower's last, gone on with for
objects alone: so names are learned where pictures are understood, and what else reads the tower stays as it is.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional

from video3d.model.reasoning_layers import FeedForward

GEOMETRY_WIDTH = 22
"""Width of ``patch_geometry``."""
_NEIGHBOURS = ((0, 1), (2, 1), (1, 0), (1, 2))  # up, down, left, right
_CENTER_SCALE_LOG = (-5.0, 3.0)  # of what is said about a centre's error: 7 mm to 20 m
_SMALLEST_M = 0.01
_TOWER_EPS = 1e-6  # of DINOv2's norms


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchObjects:
    """What patches say of their things; ``*s`` is any shape of patches.

    Attributes:
        category_logits: over the categories, then "no object" (floor, walls, sky).
        color_logits: over the colours.
        center_m: from the patch's point to the centre of its thing: along the level viewing direction, to the left of it, up.
        log_size: logarithm of the full extents along the thing's own axes, whose front is -y.
        heading: of the thing's own x axis, along the level viewing direction and to the left of it; not of unit length.
        log_scale: logarithm of the scale of a Laplace distribution of the centre's error, metres.
    """

    category_logits: Float32[Tensor, "*s k1"]
    color_logits: Float32[Tensor, "*s o"]
    center_m: Float32[Tensor, "*s 3"]
    log_size: Float32[Tensor, "*s 3"]
    heading: Float32[Tensor, "*s 2"]
    log_scale: Float32[Tensor, "*s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTargets:
    """What is true of patches; places and sizes are finite everywhere and count only where ``category`` is 0 or more.

    Attributes:
        category: index into the categories, below 0 where there is no object.
        color: index into the colours, below 0 where it has none that people agree on.
        center_m: as in ``PatchObjects``.
        size_m: full extents.
        heading: unit vector.
        has_front: the thing has a front; else a box turned by half is the same.
    """

    category: Int64[Tensor, "*s"]
    color: Int64[Tensor, "*s"]
    center_m: Float32[Tensor, "*s 3"]
    size_m: Float32[Tensor, "*s 3"]
    heading: Float32[Tensor, "*s 2"]
    has_front: Bool[Tensor, "*s"]


def view_axes(
    points_world: Float32[Tensor, "m gh gw 3"], world_from_camera: Float32[Tensor, "m 4 4"]
) -> tuple[Float32[Tensor, "m gh gw 3"], Float32[Tensor, "m gh gw 3"]]:
    """Level unit vectors in the world: the direction in which the camera sees a point, and to the left of it."""
    ahead = points_world - world_from_camera[:, None, None, :3, 3]
    ahead = torch.cat([ahead[..., :2], torch.zeros_like(ahead[..., :1])], -1)
    ahead = ahead / ahead.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return ahead, torch.stack([-ahead[..., 1], ahead[..., 0], torch.zeros_like(ahead[..., 0])], -1)


def patch_geometry(
    points_world: Float32[Tensor, "m gh gw 3"],
    valid_share: Float32[Tensor, "m gh gw"],
    world_from_camera: Float32[Tensor, "m 4 4"],
    k_px: Float32[Tensor, "m 3 3"],
    pixel_values: Float[Tensor, "m 3 h w"],
) -> Float32[Tensor, "m gh gw 22"]:
    """What is told beside the features: how far and high a patch lies, how its neighbours lie to it, and its mean colour.

    Args:
        points_world: metres, +z up from the floor; NaN where unknown, which is told as 0.
        valid_share: share of a patch's pixels whose depth is known.
        world_from_camera: poses.
        k_px: intrinsics at the size of ``pixel_values``.
        pixel_values: normalised as the processor does.
    """
    rows, columns = points_world.shape[1:3]
    eye = world_from_camera[:, None, None, :3, 3]
    offset = points_world - eye
    distance = offset.norm(dim=-1)
    ahead, left = view_axes(points_world, world_from_camera)
    side = pixel_values.shape[-1] / columns / k_px[:, 0, 0, None, None]  # of a patch at 1 m
    side_m = distance * side
    told = [
        distance.clamp_min(0.1).log() / 2,
        offset[..., 2] / distance.clamp_min(1e-3),
        points_world[..., 2].clamp(-1, 6) / 3,
        eye[..., 2].expand_as(distance).clamp(-1, 4) / 2,
        valid_share,
        side.expand_as(distance) * 4,
        side_m.clamp(0, 2),
    ]
    around = functional.pad(points_world.permute(0, 3, 1, 2), (1, 1, 1, 1), value=torch.nan).permute(0, 2, 3, 1)
    for down, right in _NEIGHBOURS:
        step = around[:, down : down + rows, right : right + columns] - points_world
        step = torch.stack([(step * ahead).sum(-1), (step * left).sum(-1), step[..., 2]], -1)
        told += (step / side_m.clamp_min(1e-3)[..., None] / 4).tanh().unbind(-1)
    colors = functional.adaptive_avg_pool2d(pixel_values.float(), (rows, columns)) / 2
    told += colors.unbind(1)
    return torch.stack(told, -1).nan_to_num(0.0, 8.0, -8.0).clamp(-8, 8)


class ObjectHead(nn.Module):
    """Blocks of its own over the patches of each frame, then a small network over single patches.

    Args:
        features_width: of the vision tower's patches.
        width: of its hidden layers.
        categories: how many.
        colors: how many.
        blocks: transformer blocks of its own; with none, it reads patches without their frames.
        attention_heads: of each block.
    """

    def __init__(
        self, features_width: int, width: int, categories: int, colors: int, blocks: int = 0, attention_heads: int = 6
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_block(features_width, attention_heads) for _ in range(blocks))
        self.looked = nn.LayerNorm(features_width, eps=_TOWER_EPS) if blocks else nn.Identity()
        self.norm = nn.LayerNorm(features_width)
        self.read = nn.Linear(features_width + GEOMETRY_WIDTH, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mix = nn.ModuleList(FeedForward(width, width, width) for _ in range(2))
        self.splits = [categories + 1, colors, 3, 3, 2, 1]
        self.say = nn.Linear(width, sum(self.splits))
        self.dropout = nn.Dropout(0.1)

    def forward(self, features: Float[Tensor, "*s c"], geometry: Float[Tensor, "*s g"]) -> PatchObjects:
        """What patches say, in float32; ``*s`` is m gh gw, and anything where it has no blocks."""
        dtype = self.read.weight.dtype
        features = features.to(dtype)
        if self.blocks:
            features = self._through_blocks(features)
        seen = self.dropout(self.norm(self.looked(features)))
        x = functional.gelu(self.read(torch.cat([seen, geometry.to(dtype)], -1)))
        for norm, mix in zip(self.norms, self.mix, strict=True):
            x = x + self.dropout(mix(norm(x)))
        category, color, center, size, heading, scale = self.say(x).float().split(self.splits, -1)
        return PatchObjects(
            category_logits=category,
            color_logits=color,
            center_m=center,
            log_size=size - 0.7,
            heading=heading,
            log_scale=scale[..., 0].clamp(*_CENTER_SCALE_LOG),
        )

    def _through_blocks(self, features: Float[Tensor, "m gh gw c"]) -> Float[Tensor, "m gh gw c"]:
        patches = features.flatten(1, 2)
        for block in self.blocks:
            patches = block(patches)
        return patches.view_as(features)

    @torch.no_grad()
    def start_blocks(self, tower: nn.Module) -> None:
        """Blocks as they are in a DINOv2: its last ones, each with its layer scale multiplied in, and its last norm."""
        last: Any = tower
        for block, of in zip(self.blocks, last.encoder.layer[-len(self.blocks) :], strict=True):
            block.load_state_dict(_as_block(of))
        self.looked.load_state_dict(last.layernorm.state_dict())


def _block(width: int, heads: int) -> nn.Module:
    """A block as vision transformers have it (arXiv 2010.11929)."""
    return nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, "gelu", layer_norm_eps=_TOWER_EPS, batch_first=True, norm_first=True
    )


def _as_block(of: nn.Module) -> dict[str, Tensor]:
    """Weights of a block of DINOv2 (arXiv 2304.07193) as those of ``_block``: by their order, for versions name them differently."""
    query, key, value, out, up, down = (part for part in of.modules() if isinstance(part, nn.Linear))
    before, between = (part for part in of.modules() if isinstance(part, nn.LayerNorm))
    of_attention, of_mlp = (weight.float() for name, weight in of.named_parameters() if name.endswith("lambda1"))
    return {
        "self_attn.in_proj_weight": torch.cat([query.weight, key.weight, value.weight]),
        "self_attn.in_proj_bias": torch.cat([query.bias, key.bias, value.bias]),
        "self_attn.out_proj.weight": of_attention[:, None] * out.weight,
        "self_attn.out_proj.bias": of_attention * out.bias,
        "linear1.weight": up.weight,
        "linear1.bias": up.bias,
        "linear2.weight": of_mlp[:, None] * down.weight,
        "linear2.bias": of_mlp * down.bias,
        "norm1.weight": before.weight,
        "norm1.bias": before.bias,
        "norm2.weight": between.weight,
        "norm2.bias": between.bias,
    }


def object_loss(said: PatchObjects, true: PatchTargets) -> tuple[Float32[Tensor, ""], dict[str, Tensor]]:
    """The sum that is learned from, and its parts: category, centre (with its uncertainty), size, heading, colour."""
    there = true.category >= 0
    none = said.category_logits.shape[-1] - 1
    zero = said.category_logits.sum() * 0.0

    def mean(loss: Tensor, where: Tensor) -> Tensor:
        return (loss * where).sum() / where.sum().clamp_min(1)

    error = (said.center_m - true.center_m).abs().sum(-1)
    true_log_size = true.size_m.clamp_min(_SMALLEST_M).log()
    towards = 1 - functional.cosine_similarity(said.heading, true.heading, dim=-1)
    half = 1 - (_doubled(said.heading) * _doubled(true.heading)).sum(-1)
    oblong = ((true_log_size[..., 0] - true_log_size[..., 1]).abs() / 0.3).clamp_max(
        1
    )  # of a square, no side is longer
    colored = true.color >= 0
    color = zero
    if bool(colored.any()):
        color = functional.cross_entropy(said.color_logits[colored], true.color[colored])
    parts = {
        "category": functional.cross_entropy(
            said.category_logits.flatten(0, -2), torch.where(there, true.category, none).flatten(), label_smoothing=0.05
        ),
        "center": mean(error * (-said.log_scale).exp() + 3 * said.log_scale, there.float()),
        "size": mean((said.log_size - true_log_size).abs().sum(-1), there.float()),
        "front": mean(towards, (there & true.has_front).float()),
        "axis": mean(half, oblong * (there & ~true.has_front)),
        "color": color,
    }
    weights = {"category": 2.0, "center": 0.5, "size": 0.5, "front": 0.5, "axis": 0.25, "color": 0.5}
    total: Any = sum((weights[name] * part for name, part in parts.items()), zero)
    return total, {name: part.detach() for name, part in parts.items()}


def _doubled(vector: Float32[Tensor, "*s 2"]) -> Float32[Tensor, "*s 2"]:
    """Unit vector of twice the angle."""
    x, y = functional.normalize(vector, dim=-1, eps=1e-6).unbind(-1)
    return torch.stack([x * x - y * y, 2 * x * y], -1)
