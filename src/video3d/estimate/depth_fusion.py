"""From costs to depth with an uncertainty, and what depth maps of other frames say about a frame's planes.

Notable: a depth map of another frame is evidence of the same kind as its picture: a plane of a pixel lands somewhere in
that map, and there either on the surface (likely), behind it (hidden, no news), or in front of it, where that camera
looked through (unlikely).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nn_functional
from jaxtyping import Float32

from video3d.estimate.plane_sweep import places

IN_FRONT = 0.05  # likelihood of a plane that another camera looked through, relative to one on its surface
BEHIND = 0.25  # of one that is hidden behind that surface, or not in the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthViews:
    """Depth maps of other frames and where they stand, as in ``Views``."""

    log_depth: Float32[torch.Tensor, "s h w"]
    log_sigma: Float32[torch.Tensor, "s h w"]
    turn: Float32[torch.Tensor, "s 3 3"]
    shift: Float32[torch.Tensor, "s 3"]


def geometric_cost(
    views: DepthViews, inverse_depth: Float32[torch.Tensor, "d"], size_hw: tuple[int, int]
) -> Float32[torch.Tensor, "d h w"]:
    """Cost in nats of every plane of every pixel, summed over the other depth maps."""
    h, w = size_hw
    device = inverse_depth.device
    total = torch.zeros((len(inverse_depth), h, w), device=device)
    log_z = -torch.log(inverse_depth)[:, None, None]
    for depth, sigma, turn, shift in zip(views.log_depth, views.log_sigma, views.turn, views.shift, strict=True):
        grid, ratio = places(turn, shift, inverse_depth, (h, w))
        found = nn_functional.grid_sample(
            torch.stack([depth, sigma])[None], grid.reshape(1, -1, w, 2), mode="nearest", align_corners=False
        ).reshape(2, -1, h, w)
        off = (log_z + torch.log(ratio.clamp_min(1e-6)) - found[0]) / found[1].clamp_min(1e-3)
        floor = torch.where(off < 0, IN_FRONT, BEHIND)
        likelihood = (1 - floor) * torch.exp(-0.5 * off * off) + floor
        unseen = (grid.abs() > 1).any(dim=-1) | ~torch.isfinite(off) | (found[1] <= 0)
        likelihood = torch.where(unseen, torch.full_like(likelihood, BEHIND), likelihood)
        total -= torch.log(likelihood)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What the costs say about every pixel.

    Attributes:
        log_depth: mean of ln depth around the best plane.
        spread: standard deviation of ln depth over all planes, by their likelihoods.
    """

    log_depth: Float32[torch.Tensor, "b h w"]
    spread: Float32[torch.Tensor, "b h w"]


def posterior(
    cost: Float32[torch.Tensor, "b h w d"], log_planes: Float32[torch.Tensor, "b d"], *, temperature: float, near: int
) -> Posterior:
    """Depth between planes: the mean over the planes within ``near`` of the best; spread over all of them."""
    likelihood = torch.exp(-cost / temperature)
    planes = log_planes[:, None, None, :]
    number = torch.arange(cost.shape[-1], device=cost.device)
    best = cost.argmin(dim=-1, keepdim=True)
    local = likelihood * ((number - best).abs() <= near)
    log_depth = (local * planes).sum(-1) / local.sum(-1)
    off = planes - log_depth[..., None]
    spread = torch.sqrt((likelihood * off * off).sum(-1) / likelihood.sum(-1))
    return Posterior(log_depth=log_depth, spread=spread)


def spread_by_colour(
    channels: Float32[torch.Tensor, "c b h w"],
    across: Float32[torch.Tensor, "b h w"],
    down: Float32[torch.Tensor, "b h w"],
    *,
    reach: float,
) -> Float32[torch.Tensor, "c b h w"]:
    """Spread what pixels hold over neighbours of the same colour; sums stay.

    Minimises ``(u - value)**2 + reach * alike * (step of u)**2``, rows and columns in turn: Min et al., "Fast global image
    smoothing based on weighted least squares", 2014. The ratio of ``weight * value`` to ``weight``, both spread, is a mean
    weighted by weight and nearness.

    Args:
        channels: what is spread.
        across: 0 to 1, how much a pixel and the one to its left look like one surface.
        down: the same for the one above.
        reach: weight of smoothness; the distance that a value spreads goes with its root.
    """
    rounds = 3
    for number in range(1, rounds + 1):
        share = 1.5 * 4 ** (rounds - number) / (4**rounds - 1) * reach
        channels = _smooth_lines(channels, across, share)
        channels = _smooth_lines(channels.transpose(-1, -2), down.transpose(-1, -2), share).transpose(-1, -2)
    return channels


def _smooth_lines(
    held: Float32[torch.Tensor, "c b h w"], alike: Float32[torch.Tensor, "b h w"], reach: float
) -> Float32[torch.Tensor, "c b h w"]:
    """Solve the tridiagonal systems along the last axis (Thomas algorithm)."""
    lower = (-reach * alike).clone()
    lower[..., 0] = 0
    upper = torch.zeros_like(lower)
    upper[..., :-1] = lower[..., 1:]
    lower, upper, right = (x.movedim(-1, 0).contiguous() for x in (lower, upper, held))
    diagonal = 1 - lower - upper
    factors, solved = torch.empty_like(upper), torch.empty_like(right)
    for i in range(len(diagonal)):
        if i == 0:
            pivot = diagonal[0]
            solved[0] = right[0] / pivot
        else:
            pivot = diagonal[i] - lower[i] * factors[i - 1]
            solved[i] = (right[i] - lower[i] * solved[i - 1]) / pivot
        factors[i] = upper[i] / pivot
    for i in range(len(diagonal) - 2, -1, -1):
        solved[i] -= factors[i] * solved[i + 1]
    return solved.movedim(0, -1)
