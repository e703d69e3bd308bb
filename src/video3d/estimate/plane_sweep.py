"""How well every depth of every pixel explains what the other views show, and how well depth maps of others agree.

Notable: everything here is a cost volume over planes of equal inverse depth (a pixel's match moves by equal steps), in
nats, so that costs of different sources add up like the logarithms of likelihoods that they are. A view that does not
see the surface (hidden, out of the picture, a moving thing) costs the same at every plane beyond a bound, and so has no
say. Zero-mean normalised cross-correlation over a window forgives changes of brightness and contrast; its denominator
carries the camera's noise, so that a blank wall correlates with nothing and says nothing.

The sweep: Collins, "A space-sweep approach to true multi-image matching", CVPR 1996.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nn_functional
from jaxtyping import Float32

NOISE_GREY = 2.0  # standard deviation of a pixel's noise in grey levels (0..255)
WINDOW_PX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Source pictures and where they stand: ``q = turn @ (x, y, 1) + shift / z`` is the pixel in the source."""

    grey: Float32[torch.Tensor, "s h w"]
    turn: Float32[torch.Tensor, "s 3 3"]
    shift: Float32[torch.Tensor, "s 3"]


def box(values: Float32[torch.Tensor, "n h w"], window: int = WINDOW_PX) -> Float32[torch.Tensor, "n h w"]:
    """Mean over a window, the border continued outwards."""
    pad, (_, h, w) = window // 2, values.shape
    wide = nn_functional.pad(values[None], (pad, pad, pad, pad), mode="replicate")[0]
    # Sums of shifted maps: five times as fast on a CPU as pooling by rows and columns.
    rows = wide[:, :h].clone()
    for shift in range(1, window):
        rows += wide[:, shift : shift + h]
    mean = rows[:, :, :w].clone()
    for shift in range(1, window):
        mean += rows[:, :, shift : shift + w]
    return mean.div_(window * window)


def places(
    turn: Float32[torch.Tensor, "3 3"],
    shift: Float32[torch.Tensor, "3"],
    inverse_depth: Float32[torch.Tensor, "d"],
    size_hw: tuple[int, int],
) -> tuple[Float32[torch.Tensor, "d h w 2"], Float32[torch.Tensor, "d h w"]]:
    """Where every pixel at every plane falls in a source, in grid coordinates (-1..1), and its z-depth over its own."""
    h, w = size_hw
    y, x = torch.meshgrid(
        torch.arange(h, device=turn.device) + 0.5, torch.arange(w, device=turn.device) + 0.5, indexing="ij"
    )
    base = (turn @ torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)).reshape(3, h, w)
    step = inverse_depth[:, None] * shift
    ratio = base[2] + step[:, 2, None, None]
    # Behind the camera: a place far outside.
    inverse = torch.where(ratio > 1e-3, ratio, torch.inf).reciprocal_()
    grid = torch.empty((*ratio.shape, 2), device=turn.device)
    for axis, size in ((0, w), (1, h)):
        moved = (base[axis] + step[:, axis, None, None]) * inverse
        grid[..., axis] = moved.mul_(2.0 / size).sub_(1.0)
    grid[ratio <= 1e-3] = 5.0
    return grid, ratio


def photometric_cost(
    grey: Float32[torch.Tensor, "h w"],
    views: Views,
    inverse_depth: Float32[torch.Tensor, "d"],
    *,
    sharpness: float,
    outliers: float,
) -> tuple[Float32[torch.Tensor, "d h w"], Float32[torch.Tensor, "h w"]]:
    """Cost of every plane in nats, summed over the views; a view says at most ``-ln(outliers)`` against a plane.

    A view's likelihood is ``(1 - outliers) exp(-sharpness (1 - r)) + outliers`` with the correlation r of the windows.
    The second result is how many views have the pixel in their picture, on average over the planes.
    """
    h, w = grey.shape
    middle = float(grey.mean())  # products of values around 0 keep their digits in float32
    grey = grey - middle
    mean = box(grey[None])
    certainty = torch.rsqrt((box(grey[None] ** 2) - mean**2).clamp_min(0) + NOISE_GREY**2)
    total = torch.zeros((len(inverse_depth), h, w), device=grey.device)
    seen = torch.zeros((h, w), device=grey.device)
    for picture, turn, shift in zip(views.grey - middle, views.turn, views.shift, strict=True):
        grid, _ = places(turn, shift, inverse_depth, (h, w))
        outside = (grid.abs() > 1).any(dim=-1)
        warped = nn_functional.grid_sample(
            picture[None, None], grid.reshape(1, -1, w, 2), mode="bilinear", padding_mode="border", align_corners=False
        ).reshape(-1, h, w)
        # Statistics of the warped window, not the warped statistics of the source's: those cost a third of the accuracy.
        its_mean = box(warped)
        its_variance = (box(warped * warped) - its_mean * its_mean).clamp_min_(0).add_(NOISE_GREY**2)
        correlation = (box(warped * grey) - its_mean * mean) * its_variance.rsqrt_() * certainty
        correlation.masked_fill_(outside, -1.0)
        seen += 1 - outside.float().mean(dim=0)
        total -= torch.log((1 - outliers) * torch.exp(sharpness * (correlation - 1)) + outliers)
    return total, seen
