"""Attention that knows where things are, and vectors that turn with the world.

Networks here see only what no turn about the vertical and no shift changes. What must turn with the world (offsets of boxes,
directions, yaw) is a sum of vectors between places, each weighted by a number that such a network gives: then it turns
exactly, without being taught to (Satorras et al., "E(n) Equivariant Graph Neural Networks", arXiv 2102.09844; here for the
group that keeps gravity).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from video3d.model.reasoning_geometry import LENGTH_CODES, length_code, quarter_turn, soft_unit

AXIS_SOFTNESS_M2 = 1e-2
"""Difference of variances (10 cm squared) below which what a head looks at has no long axis to speak of."""
_NEAREST_M, _WIDEST_M = 0.2, 8.0  # how far the narrowest and the widest head look before training


def head_widths(log_width: Float[Tensor, "1 h"]) -> Float32[Tensor, "h"]:
    """Width in metres of every head's Gaussian: spread evenly in the logarithm, times what was learned."""
    heads = log_width.shape[1]
    span = (
        torch.linspace(0.0, 1.0, heads, device=log_width.device) if heads > 1 else log_width.new_full((1,), 0.5).float()
    )
    return _NEAREST_M * (_WIDEST_M / _NEAREST_M) ** span * log_width[0].float().clamp(-3, 3).exp()


def _small(num: int, width: int) -> nn.Embedding:
    """Learned numbers, near zero; a kind of module that ``PreTrainedModel`` knows how to initialise."""
    table = nn.Embedding(num, width)
    nn.init.normal_(table.weight, std=0.02)
    return table


class FeedForward(nn.Module):
    """Two layers, from one width to another."""

    def __init__(self, width_in: int, inner: int, width_out: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width_in, inner)
        self.linear_2 = nn.Linear(inner, width_out)

    def forward(self, x: Float[Tensor, "*s c"]) -> Float[Tensor, "*s d"]:
        """Cast to the weights' dtype first: features of geometry come in float32."""
        return self.linear_2(functional.gelu(self.linear_1(x.to(self.linear_1.weight.dtype))))


class NearbySelfAttention(nn.Module):
    """A transformer layer (norm first) whose heads look around themselves at learned widths.

    Scores lose |p_i - p_j|² / (2 w²) between two placed tokens. Written out as products of p_i and p_j, that is five more
    dimensions of queries and keys, so the score matrix need not exist (``scaled_dot_product_attention``). In float32, where
    squares of tens of metres still have their centimetres.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width, 4 * width, width)
        self.log_width = _small(1, heads)

    def forward(
        self,
        x: Float[Tensor, "b m d"],
        points_m: Float32[Tensor, "b m 3"],
        placed: Bool[Tensor, "b m"],
        keep: Bool[Tensor, "b m"],
    ) -> Float[Tensor, "b m d"]:
        """Tokens after the layer; those that are not kept are looked at by nobody, and one at least must be kept."""
        b, m, d = x.shape
        q, k, v = (
            part.float() for part in self.qkv(self.norm_1(x)).reshape(b, m, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        )
        with torch.autocast(x.device.type, enabled=False):
            strength = (1 / head_widths(self.log_width.weight).square())[:, None, None]  # h 1 1
            p = points_m[:, None] * placed[:, None, :, None]  # b 1 m 3
            half_square = p.square().sum(-1, keepdim=True) / 2
            there = placed[:, None, :, None].float()
            near_q = torch.cat([p, -there, -half_square], -1) * strength  # b h m 5
            near_k = torch.cat([p, half_square, there], -1).expand(-1, self.heads, -1, -1)
            wide = -(-(q.shape[-1] + 5) // 8) * 8  # kernels want multiples of eight, and v as wide as k
            q = _pad(torch.cat([q * q.shape[-1] ** -0.5, near_q], -1), wide)
            k = _pad(torch.cat([k, near_k], -1), wide)
            mixed = functional.scaled_dot_product_attention(
                q, k, _pad(v, wide), attn_mask=keep[:, None, None].expand(-1, -1, m, -1), scale=1.0
            )
        mixed = mixed[..., : v.shape[-1]].transpose(1, 2).reshape(b, m, d).to(x.dtype)
        x = x + self.out(mixed)
        return x + self.mlp(self.norm_2(x))


def _pad(x: Float32[Tensor, "*s c"], width: int) -> Float32[Tensor, "*s {width}"]:
    return functional.pad(x, (0, width - x.shape[-1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What each of r places finds around itself.

    Attributes:
        features: content, mixed over the heads.
        mean_m: for every head, from the place to the mean of what it looks at, metres.
        covariance_m2: for every head, of the places of what it looks at.
        placed_share: for every head, how much of what it looks at has a place, 0..1.
    """

    features: Float[Tensor, "b r d"]
    mean_m: Float32[Tensor, "b r h 3"]
    covariance_m2: Float32[Tensor, "b r h 3 3"]
    placed_share: Float32[Tensor, "b r h"]


class PlaceAttention(nn.Module):
    """Cross attention from places to tokens, nearer ones first, each head at its learned width.

    Besides content it gives where that content lies: mean and covariance of what each head looks at. A head that looks at
    the tokens of one object so gives the object's middle, extents and heading.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_q = nn.LayerNorm(width)
        self.norm_kv = nn.LayerNorm(width)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.log_width = _small(1, heads)
        self.elsewhere = _small(1, heads)

    def forward(
        self,
        query: Float[Tensor, "b r d"],
        places_m: Float32[Tensor, "b r 3"],
        tokens: Float[Tensor, "b m d"],
        points_m: Float32[Tensor, "b m 3"],
        placed: Bool[Tensor, "b m"],
        keep: Bool[Tensor, "b m"],
        distance_m: Float32[Tensor, "b r m"],
    ) -> Gathered:
        """Gather around places; tokens that are not kept count for nothing, and one at least must be kept."""
        b, r, d = query.shape
        q = self.q(self.norm_q(query)).reshape(b, r, self.heads, -1).transpose(1, 2).float()
        kv = self.kv(self.norm_kv(tokens)).reshape(b, tokens.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4).float()
        with torch.autocast(query.device.type, enabled=False):
            width_m = head_widths(self.log_width.weight)[:, None, None]  # h 1 1
            nearness = -(distance_m[:, None] / width_m).square() / 2
            # A token without a place is looked at as one that is two widths away, until something else is learned.
            nowhere = self.elsewhere.weight[0].float()[:, None, None] - 2.0
            scores = q @ kv[0].transpose(-1, -2) * q.shape[-1] ** -0.5
            scores = scores + torch.where(placed[:, None, None], nearness, nowhere)
            weight = scores.masked_fill(~keep[:, None, None], -torch.inf).softmax(-1)  # b h r m
            mixed = (weight @ kv[1]).transpose(1, 2).reshape(b, r, d)
            mean, covariance, share = _moments(weight, points_m, placed & keep, places_m)
        return Gathered(
            features=self.out(mixed.to(query.dtype)), mean_m=mean, covariance_m2=covariance, placed_share=share
        )


def _moments(
    weight: Float32[Tensor, "b h r m"],
    points_m: Float32[Tensor, "b m 3"],
    placed: Bool[Tensor, "b m"],
    places_m: Float32[Tensor, "b r 3"],
) -> tuple[Float32[Tensor, "b r h 3"], Float32[Tensor, "b r h 3 3"], Float32[Tensor, "b r h"]]:
    """Mean from each place, covariance, and weight of the placed tokens; 0 where there are none.

    Squares are of offsets from the place and not from the scene's centre: what a head looks at is near, and the difference of
    large squares would be rounding.
    """
    offset = torch.where(placed[:, None, :, None], points_m[:, None] - places_m[:, :, None], 0.0)  # b r m 3
    i, j = torch.triu_indices(3, 3, device=offset.device)
    there = placed[:, None, :, None].float().expand(-1, offset.shape[1], -1, -1)
    sums = torch.cat([offset, offset[..., i] * offset[..., j], there], -1)  # b r m 10
    first, second, share = (weight.transpose(1, 2) @ sums).split([3, 6, 1], -1)  # b r h c
    known = share > 1e-6
    total = share.clamp_min(1e-6)
    mean = torch.where(known, first / total, 0.0)
    square = second[..., [0, 1, 2, 1, 3, 4, 2, 4, 5]].unflatten(-1, (3, 3)) / total[..., None]
    covariance = torch.where(known[..., None], square - mean[..., :, None] * mean[..., None, :], 0.0)
    return mean, covariance, share[..., 0]


def num_invariants(heads: int, extra: int) -> int:
    """Width of ``invariants`` for so many heads and further vectors."""
    vectors = heads + extra
    return 2 * LENGTH_CODES * vectors + vectors * (vectors - 1) + heads * (3 + 2 + 1)


def double_angle(vector: Float32[Tensor, "*s 2"], softness: float) -> Float32[Tensor, "*s 2"]:
    """(cos, sin) of twice a horizontal vector's angle: the same for the vector and its opposite."""
    x, y = soft_unit(vector, softness).unbind(-1)
    return torch.stack([x * x - y * y, 2 * x * y], -1)


def long_axis(covariance_m2: Float32[Tensor, "*s 3 3"]) -> Float32[Tensor, "*s 2"]:
    """(cos, sin) of twice the angle of the longer horizontal axis, times the difference of the axes' variances."""
    x, y, xy = covariance_m2[..., 0, 0], covariance_m2[..., 1, 1], covariance_m2[..., 0, 1]
    return torch.stack([x - y, 2 * xy], -1)


def invariants(gathered: Gathered, extra: Float32[Tensor, "b r x 3"]) -> Float32[Tensor, "b r c"]:
    """All that a turn about the vertical leaves of the vectors and spreads: lengths, heights, angles between, deviations.

    Args:
        gathered: what was found around each place.
        extra: further vectors of each place.
    """
    vectors = torch.cat([gathered.mean_m, extra], 2)
    level = vectors[..., :2]
    length = (level.square().sum(-1) + 1e-8).sqrt()
    heights = length_code(torch.stack([length, vectors[..., 2]], -1)).flatten(-3)
    unit = soft_unit(level, 0.05)
    i, j = torch.triu_indices(level.shape[2], level.shape[2], 1, device=level.device)
    dot = (unit[:, :, i] * unit[:, :, j]).sum(-1)
    cross = (quarter_turn(unit)[:, :, i] * unit[:, :, j]).sum(-1)

    c = gathered.covariance_m2
    axis = long_axis(c)
    level_spread, difference = c[..., 0, 0] + c[..., 1, 1], (axis.square().sum(-1) + 1e-12).sqrt()
    variances = torch.stack([(level_spread + difference) / 2, (level_spread - difference) / 2, c[..., 2, 2]], -1)
    deviation = (variances.clamp_min(0) + 1e-4).log() / 4  # down to a centimetre
    axis, toward = soft_unit(axis, AXIS_SOFTNESS_M2), double_angle(gathered.mean_m[..., :2], 0.05)
    aligned = torch.stack([(axis * toward).sum(-1), (quarter_turn(axis) * toward).sum(-1)], -1)
    parts = [heights, dot, cross, deviation.flatten(-2), aligned.flatten(-2), gathered.placed_share]
    return torch.cat(parts, -1)


def steer(gates: Float32[Tensor, "b r g"], vectors: Float32[Tensor, "b r v 3"]) -> Float32[Tensor, "b r 3"]:
    """A vector that turns with the world: a weighted sum of vectors and of their quarter turns, and a height.

    ``gates`` are 3 v + 1: for each vector along it, across it (to the left), and its height; then a height of its own.
    """
    along, across, height, up = gates.split([vectors.shape[2]] * 3 + [1], -1)
    level = vectors[..., :2]
    flat = (along[..., None] * level + across[..., None] * quarter_turn(level)).sum(2)
    return torch.cat([flat, (height * vectors[..., 2]).sum(2, keepdim=True) + up], -1)


def steer_axis(gates: Float32[Tensor, "b r g"], axes: Float32[Tensor, "b r v 2"]) -> Float32[Tensor, "b r 2"]:
    """As ``steer`` for axes, given by twice their angle; ``gates`` are 2 v."""
    along, across = gates.split([axes.shape[2]] * 2, -1)
    return (along[..., None] * axes + across[..., None] * quarter_turn(axes)).sum(2)
