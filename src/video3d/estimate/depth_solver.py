"""From the costs of the planes and a prior to depth and its uncertainty.

Costs are in nats and add up: ``VIEWS_WEIGHT`` times those of the views, ``PRIOR_WEIGHT`` times the prior's, and
``MAPS_WEIGHT`` times those of other frames' depth maps. The weights are below 1 because the pictures, the pixels of a
prior and the depth maps of one scene are not independent.

After aggregation along lines, evidence is what a pixel's planes differ by, and how narrow the aggregated costs are. It
spreads over pixels of the same colour as a correction of the prior, so that a blank wall follows its frame and, where
nothing around it is known either, stays exactly at the prior.

Uncertainty. The information of evidence, ``1 / sigma**2``, and that of the prior add up. What the spread of the costs means in
errors was set once for two recordings together (``KAPPA`` and ``STATED`` divide the information of evidence). By tenths of the
pixels, surest first, ``benchmarks/video_depth.py`` finds root mean square errors of ln depth against what is stated of, in the office,
half of it for the surest, as much for the middle and 0.6 to 1.4 times as much for the rest; in the kitchen, whose colour is not quite
registered to its truth, 1.3 to 2 times as much. Errors have long tails: 1.48 times their median is a quarter to the whole of that.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nn_functional
from jaxtyping import Float16, Float32

from video3d.estimate.depth_fusion import posterior, spread_by_colour
from video3d.estimate.semi_global import aggregate

VIEWS_WEIGHT = 0.4
PRIOR_WEIGHT = 0.1
MAPS_WEIGHT = 0.3
STEP, JUMP, JUMP_LEAST, JUMP_GREY = 1.0, 16.0, 0.25, 10.0
TEMPERATURE = 1.0
SMOOTH_REACH, SMOOTH_GREY = 300.0, 8.0
OWN = 0.3  # how much a pixel's own depth counts beside its surroundings', where it is as sure as SIGMA_SURE
SIGMA_SURE = 0.1  # evidence as sure as this weighs 1 in smoothing
PRIOR_HOLD = 0.1  # of the weight of the prior there: errors of a prior go together over many pixels
FAINT_NATS, CLEAR_NATS = 0.1, 0.5  # by which the best plane beats the mean of all where evidence begins, and is clear
SIGMA_LEAST, KAPPA, STATED = 0.015, 0.12, 1.3
_BATCH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Depth of some frames.

    Attributes:
        log_depth: ln depth.
        sigma: standard deviation of ln depth, from evidence and prior together.
        evidence_sigma: what it would be without the prior; infinite where nothing is known.
    """

    log_depth: Float32[torch.Tensor, "f h w"]
    sigma: Float32[torch.Tensor, "f h w"]
    evidence_sigma: Float32[torch.Tensor, "f h w"]


def solve_depth(
    planes: Float32[torch.Tensor, "f d"],
    costs: list[Float16[torch.Tensor, "d h w"]],
    log_prior: Float32[torch.Tensor, "f h w"],
    prior_sigma: Float32[torch.Tensor, "f h w"],
    colour: Float32[torch.Tensor, "f 3 h w"],
) -> Solution:
    """Depth of every pixel of every frame; ``planes`` are inverse depths, ``costs`` weighted, a prior of NaN is none."""
    parts = []
    for start in range(0, len(costs), _BATCH):
        some = slice(start, start + _BATCH)
        log_planes = -torch.log(planes[some])
        evidence = torch.stack(costs[some]).float()
        contrast = (evidence.mean(dim=1) - evidence.amin(dim=1) - FAINT_NATS).clamp_min(0)
        off = (log_planes[:, :, None, None] - log_prior[some, None]) / prior_sigma[some, None]
        prior_cost = -torch.log(0.95 * torch.exp(-0.5 * off * off) + 0.05)
        cost = evidence + PRIOR_WEIGHT * torch.nan_to_num(prior_cost, nan=0.0)
        across, down = _steps(colour[some])
        jump_across, jump_down = (
            JUMP * (JUMP_LEAST + (1 - JUMP_LEAST) * torch.exp(-step / JUMP_GREY)) for step in (across, down)
        )
        total = aggregate(cost.permute(0, 2, 3, 1).contiguous(), jump_across, jump_down, step=STEP)
        found = posterior(total, log_planes, temperature=TEMPERATURE, near=2)
        variance = SIGMA_LEAST**2 + found.spread**2
        weight = SIGMA_SURE**2 / variance * (1 - torch.exp(-((contrast / CLEAR_NATS) ** 2)))
        alike = torch.exp(-across / SMOOTH_GREY), torch.exp(-down / SMOOTH_GREY)
        parts.append(_fused(found.log_depth, weight, log_prior[some], prior_sigma[some], alike))
    return Solution(
        log_depth=torch.cat([part.log_depth for part in parts]),
        sigma=torch.cat([part.sigma for part in parts]),
        evidence_sigma=torch.cat([part.evidence_sigma for part in parts]),
    )


def _fused(
    log_depth: Float32[torch.Tensor, "b h w"],
    weight: Float32[torch.Tensor, "b h w"],
    log_prior: Float32[torch.Tensor, "b h w"],
    prior_sigma: Float32[torch.Tensor, "b h w"],
    alike: tuple[Float32[torch.Tensor, "b h w"], Float32[torch.Tensor, "b h w"]],
) -> Solution:
    """The prior, corrected by what the evidence at a pixel and around it departs from it."""
    has_prior = torch.isfinite(log_prior)
    total = weight.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    middle = (weight * log_depth).sum(dim=(1, 2), keepdim=True) / total
    base = torch.where(has_prior, log_prior, middle)
    prior_information = torch.where(has_prior, prior_sigma.nan_to_num(1.0) ** -2, 0.0)
    held = PRIOR_HOLD * SIGMA_SURE**2 * prior_information
    own, own_departs = OWN * weight, log_depth - base
    departs, weight, held = spread_by_colour(
        torch.stack([weight * own_departs, weight, held]), *alike, reach=SMOOTH_REACH
    )
    around = departs / (weight + held).clamp_min(1e-12)
    log_depth = base + (own * own_departs + around) / (own + 1)
    information = KAPPA * weight.clamp_min(0) / SIGMA_SURE**2
    return Solution(
        log_depth=log_depth,
        sigma=(information / STATED**2 + prior_information).rsqrt(),
        evidence_sigma=information.rsqrt(),
    )


def _steps(
    colour: Float32[torch.Tensor, "b 3 h w"],
) -> tuple[Float32[torch.Tensor, "b h w"], Float32[torch.Tensor, "b h w"]]:
    """Mean step of colour from the pixel to the left and from the one above, 0 at the border."""
    across = nn_functional.pad((colour[..., 1:] - colour[..., :-1]).abs().mean(dim=1), (1, 0))
    down = nn_functional.pad((colour[..., 1:, :] - colour[..., :-1, :]).abs().mean(dim=1), (0, 0, 1, 0))
    return across, down
