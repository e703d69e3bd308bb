"""Semi-global aggregation of cost volumes: every pixel hears what lies along four lines through it.

Hirschmueller, "Stereo processing by semiglobal matching and mutual information", PAMI 2008; that the sum of the lines
less the pixel's own cost counted too often approximates min-marginals: Drory et al., "Semi-global matching: a principled
derivation in terms of message passing", GCPR 2014. So the result is again a cost in nats, of the best surface through
each plane of each pixel.
"""

import torch
from jaxtyping import Float32


def aggregate(
    cost: Float32[torch.Tensor, "b h w d"],
    across: Float32[torch.Tensor, "b h w"],
    down: Float32[torch.Tensor, "b h w"],
    *,
    step: float,
) -> Float32[torch.Tensor, "b h w d"]:
    """Cost of the best surface through every plane of every pixel, smallest 0.

    Args:
        cost: in nats.
        across: what a jump of more than one plane costs between a pixel and the one to its left.
        down: the same to the one above.
        step: what a jump of one plane costs.
    """
    total = -3.0 * cost
    for dim, jump in ((2, across), (1, down)):
        for reverse in (False, True):
            _add_line(total, cost, jump, dim=dim, reverse=reverse, step=step)
    return total - total.amin(dim=-1, keepdim=True)


def _add_line(
    total: Float32[torch.Tensor, "b h w d"],
    cost: Float32[torch.Tensor, "b h w d"],
    jump: Float32[torch.Tensor, "b h w"],
    *,
    dim: int,
    reverse: bool,
    step: float,
) -> None:
    """Add the costs along one direction to the total, in place."""
    length = cost.shape[dim]
    order = range(length - 1, -1, -1) if reverse else range(length)
    before: torch.Tensor | None = None
    for place in order:
        here = cost.select(dim, place)
        if before is None:
            line = here.clone()
        else:
            penalty = jump.select(dim, place + 1 if reverse else place)[..., None]
            best = before.amin(dim=-1, keepdim=True)
            message = torch.minimum(before, best + penalty)
            small = torch.minimum(penalty, torch.full_like(penalty, step))
            message[..., 1:] = torch.minimum(message[..., 1:], before[..., :-1] + small)
            message[..., :-1] = torch.minimum(message[..., :-1], before[..., 1:] + small)
            line = here + (message - best)
        total.select(dim, place).add_(line)
        before = line
