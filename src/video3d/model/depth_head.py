"""A metric depth head on the vision tower, its loss, and the lifting of what it predicts: depth end to end.

The head says log depth for a canonical camera whose focal length is the width of its picture; depth in metres is
exp(out)·fx / w. A picture of the same thing with twice the focal length shows it twice as large, and only the focal length
tells whether it is near: so the network need not guess it (Yin et al., "Metric3D", arXiv 2307.10984). Which way every patch
looks is told to it as well, as in Piccinelli et al., "UniDepth" (arXiv 2403.18913): a floor's depth follows from the angle.

Beside it stands how sure it is: ln of the scale of a Laplace distribution of ln depth, learned by its likelihood (Kendall and
Gal, "What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?", arXiv 1703.04977).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional

HEAD_WIDTH, FINE_WIDTH = 128, 64
UNKNOWN_FOCAL = 0.87
"""fx / w where the camera is unknown: 60 degrees of view, what phones have."""
NEAREST_M, FARTHEST_M = 0.05, 200.0
_LN_SCALE = (-4.0, 1.0)  # of what is said about uncertainty: 2 % to a factor of 15


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthMaps:
    """What the head says of m frames.

    Attributes:
        depth_m: z-depth in metres.
        log_sigma: standard deviation of ln depth.
    """

    depth_m: Float32[Tensor, "m h w"]
    log_sigma: Float32[Tensor, "m h w"]


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_1, self.conv_2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
        return x + self.conv_2(functional.gelu(self.conv_1(functional.gelu(x))))


def _twice(x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h2 w2"]:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class DepthHead(nn.Module):
    """From patch features to z-depth at the size of the frames; a light decoder after DPT (arXiv 2103.13413).

    Args:
        width: of the patch features.
        num_layers: how many layers of the tower it reads.
    """

    def __init__(self, width: int, num_layers: int = 1) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(num_layers))
        self.reduce = nn.ModuleList(nn.Conv2d(width, HEAD_WIDTH, 1) for _ in range(num_layers))
        self.rays = nn.Conv2d(2, HEAD_WIDTH, 1)
        self.coarse = nn.Sequential(_Residual(HEAD_WIDTH), _Residual(HEAD_WIDTH))
        self.middle = _Residual(HEAD_WIDTH)
        self.narrow = nn.Conv2d(HEAD_WIDTH, FINE_WIDTH, 1)
        self.fine = _Residual(FINE_WIDTH)
        self.out = nn.Conv2d(FINE_WIDTH, 2, 3, padding=1)

    def forward(
        self,
        features: Sequence[Float[Tensor, "m gh gw c"]],
        k_px: Float[Tensor, "m 3 3"] | None,
        size_hw: tuple[int, int],
        covered_hw: tuple[int, int] | None = None,
    ) -> DepthMaps:
        """Predict metres and how sure they are.

        Args:
            features: of every frame, of each layer that the head reads.
            k_px: intrinsics at ``size_hw``; ``None`` or NaN: the focal length of a phone is assumed.
            size_hw: of the depth map.
            covered_hw: what the grid of patches covers of it, from the top left; ``None``: all.
        """
        covered = covered_hw or size_hw
        first = features[0]
        k = _usable_k(k_px, len(first), size_hw, first.device)
        looks = _patch_rays(k, first.shape[1], first.shape[2], covered).to(first.dtype)
        x = self.rays(looks)
        for norm, reduce, layer in zip(self.norms, self.reduce, features, strict=True):
            x = x + reduce(norm(layer).permute(0, 3, 1, 2))
        x = self.coarse(x)
        x = self.middle(_twice(x))
        x = self.fine(self.narrow(_twice(x)))
        said = functional.interpolate(self.out(x).float(), size=covered, mode="bilinear", align_corners=False)
        lack = (size_hw[0] - covered[0], size_hw[1] - covered[1])
        said = functional.pad(said, (0, lack[1], 0, lack[0]), mode="replicate")
        focal = k[:, 0, 0] / size_hw[1]
        depth = (said[:, 0].clamp(-6.0, 8.0).exp() * focal[:, None, None]).clamp(NEAREST_M, FARTHEST_M)
        # The standard deviation of a Laplace distribution is the root of 2 times its scale.
        return DepthMaps(depth_m=depth, log_sigma=math.sqrt(2.0) * said[:, 1].clamp(*_LN_SCALE).exp())


def _usable_k(
    k_px: Float[Tensor, "m 3 3"] | None, num_frames: int, size_hw: tuple[int, int], device: torch.device
) -> Float32[Tensor, "m 3 3"]:
    """Intrinsics in float32; a phone's where they are unknown."""
    height, width = size_hw
    focal = UNKNOWN_FOCAL * width
    phone = torch.tensor([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]], device=device)
    phone = phone.expand(num_frames, 3, 3)
    if k_px is None:
        return phone
    given = k_px.float()
    good = given.isfinite().flatten(1).all(1) & (given[:, 0, 0] > 0) & (given[:, 1, 1] > 0)
    return torch.where(good[:, None, None], given, phone)


def _patch_rays(
    k: Float32[Tensor, "m 3 3"], rows: int, columns: int, covered_hw: tuple[int, int]
) -> Float32[Tensor, "m 2 gh gw"]:
    """x/z and y/z of what the middle of every patch looks at."""
    u = (torch.arange(columns, device=k.device) + 0.5) * (covered_hw[1] / columns)
    v = (torch.arange(rows, device=k.device) + 0.5) * (covered_hw[0] / rows)
    x = (u[None] - k[:, 0, 2:3]) / k[:, 0, 0:1]
    y = (v[None] - k[:, 1, 2:3]) / k[:, 1, 1:2]
    return torch.stack([x[:, None, :].expand(-1, rows, -1), y[:, :, None].expand(-1, -1, columns)], 1)


def depth_loss(
    predicted: DepthMaps,
    true_m: Float[Tensor, "m h w"],
    *,
    variance_focus: float = 0.85,
    scales: int = 4,
) -> Float32[Tensor, ""]:
    """How far ln depth is off: as a shape, at edges, and for how sure it claims to be; over known pixels, 0 without any.

    The sum of

    - sqrt(mean(g²) − 0.85·mean(g)²) of every frame, g the difference of ln depths (Eigen et al., arXiv 1406.2283, with the
      weights of Lee et al., "BTS", arXiv 1907.10326);
    - half of the mean |∇g| over four scales (Li and Snavely, "MegaDepth", arXiv 1804.00607), which keeps edges sharp and
      planes flat;
    - half of |g| / b + ln b, b the claimed scale of a Laplace distribution (log_sigma / √2; arXiv 1703.04977). Its
      least value is where b is the mean |g|, so that it can be below 0.

    >>> true = torch.rand(1, 8, 8) + 1
    >>> sure = torch.full_like(true, 0.1)
    >>> exact = depth_loss(DepthMaps(depth_m=true, log_sigma=sure), true)
    >>> bool(exact < depth_loss(DepthMaps(depth_m=2 * true, log_sigma=sure), true))
    True
    """
    predicted_m = predicted.depth_m
    known = true_m.isfinite() & (true_m > 0) & predicted_m.isfinite() & (predicted_m > 0)
    true = torch.where(known, true_m.float(), 1.0)
    gap = torch.where(known, predicted_m.float(), 1.0).log() - true.log()  # 0 where unknown
    count = known.sum((1, 2)).clamp_min(1)
    mean, square = gap.sum((1, 2)) / count, gap.square().sum((1, 2)) / count
    seen = known.flatten(1).any(1)
    num_seen = seen.sum().clamp_min(1)
    shape = (square - variance_focus * mean.square()).clamp_min(1e-6).sqrt()
    ln_scale = (predicted.log_sigma.float() / math.sqrt(2.0)).log()
    likelihood = (torch.where(known, gap.abs() * torch.exp(-ln_scale) + ln_scale, 0.0)).sum((1, 2)) / count
    loss = torch.where(seen, shape + 0.5 * likelihood, 0.0).sum() / num_seen
    for scale in range(scales):
        step = 2**scale
        if min(gap.shape[-2:]) <= step:
            break
        loss = loss + 0.5 / scales * _gradient_term(gap[:, ::step, ::step], known[:, ::step, ::step])
    return loss


def _gradient_term(gap: Float32[Tensor, "m h w"], known: Bool[Tensor, "m h w"]) -> Float32[Tensor, ""]:
    total, count = gap.new_zeros(()), gap.new_zeros(())
    for axis in (1, 2):
        both = known.narrow(axis, 1, known.shape[axis] - 1) & known.narrow(axis, 0, known.shape[axis] - 1)
        total = total + torch.where(both, gap.diff(dim=axis).abs(), 0.0).sum()
        count = count + both.sum()
    return total / count.clamp_min(1)


def lift_depth(
    depth_m: Float[Tensor, "m h w"],
    k_px: Float[Tensor, "m 3 3"],
    world_from_camera: Float[Tensor, "m 4 4"],
    patch_px: int,
) -> tuple[Float32[Tensor, "m gh gw 3"], Float32[Tensor, "m gh gw"]]:
    """Mean world point of every patch and the share of its pixels that is known: ``geometry.lift`` with gradients.

    Exact for the mean, because the map from (u·z, v·z, z) to the world is affine. Pixel centres at +0.5.
    """
    height, width = depth_m.shape[1:]
    depth = depth_m.float()
    known = depth.isfinite() & (depth > 0)
    z = torch.where(known, depth, 0.0)
    u = torch.arange(width, device=z.device, dtype=torch.float32) + 0.5
    v = (torch.arange(height, device=z.device, dtype=torch.float32) + 0.5)[:, None]
    pooled = functional.avg_pool2d(torch.stack([u * z, v * z, z, known.float()], 1), patch_px)
    share = pooled[:, 3]
    seen = share > 0
    means = pooled[:, :3] / torch.where(seen, share, 1.0)[:, None]  # (m 3 gh gw)
    # A camera that cannot be inverted is one that is not known.
    usable = torch.linalg.det(k_px.float().nan_to_num(0.0)).abs() > 1e-9
    usable = usable & k_px.isfinite().flatten(1).all(1) & world_from_camera.isfinite().flatten(1).all(1)
    eye = torch.eye(4, device=z.device)
    k = torch.where(usable[:, None, None], k_px.float(), eye[:3, :3])
    pose = torch.where(usable[:, None, None], world_from_camera.float(), eye)
    with torch.autocast(z.device.type, enabled=False):  # metres times pixels in bfloat16 would lose decimetres
        world_from_px = pose[:, :3, :3] @ torch.linalg.inv(k)
        points = torch.einsum("mij,mjyx->myxi", world_from_px, means) + pose[:, None, None, :3, 3]
    good = seen & usable[:, None, None]
    return torch.where(good[..., None], points, torch.nan), torch.where(good, share, 0.0)
