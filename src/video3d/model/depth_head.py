"""A metric depth head on the vision tower, its loss, and the lifting of what it predicts: depth end to end.

The head says log depth for a canonical camera whose focal length is the width of its picture; depth in metres is
exp(out)·fx / w. A picture of the same thing with twice the focal length shows it twice as large, and only the focal length
tells whether it is near: so the network need not guess it (Yin et al., "Metric3D", arXiv 2307.10984).
"""

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional

HEAD_WIDTH = 128
UNKNOWN_FOCAL = 0.87
"""fx / w where the camera is unknown: 60 degrees of view, what phones have."""
NEAREST_M, FARTHEST_M = 0.05, 200.0


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_1, self.conv_2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
        return x + self.conv_2(functional.gelu(self.conv_1(functional.gelu(x))))


class DepthHead(nn.Module):
    """From patch features to z-depth at the size of the frames; a light decoder after DPT (arXiv 2103.13413)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.reduce = nn.Conv2d(width, HEAD_WIDTH, 1)
        self.coarse, self.middle, self.fine = (_Residual(HEAD_WIDTH) for _ in range(3))
        self.out = nn.Conv2d(HEAD_WIDTH, 1, 3, padding=1)

    def forward(
        self,
        features: Float[Tensor, "m gh gw c"],
        k_px: Float[Tensor, "m 3 3"] | None,
        size_hw: tuple[int, int],
        covered_hw: tuple[int, int] | None = None,
    ) -> Float32[Tensor, "m h w"]:
        """Predict metres.

        Args:
            features: of every frame.
            k_px: intrinsics at ``size_hw``; ``None`` or NaN: the focal length of a phone is assumed.
            size_hw: of the depth map.
            covered_hw: what the grid of patches covers of it, from the top left; ``None``: all.
        """
        x = self.reduce(self.norm(features).permute(0, 3, 1, 2))
        x = self.coarse(x)
        for block in (self.middle, self.fine):
            x = block(functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        log_depth = self.out(x).float()
        covered = covered_hw or size_hw
        log_depth = functional.interpolate(log_depth, size=covered, mode="bilinear", align_corners=False)
        lack = (size_hw[0] - covered[0], size_hw[1] - covered[1])
        log_depth = functional.pad(log_depth, (0, lack[1], 0, lack[0]), mode="replicate")[:, 0]
        focal = log_depth.new_full((len(log_depth),), UNKNOWN_FOCAL)
        if k_px is not None:
            given = k_px[:, 0, 0].float() / size_hw[1]
            focal = torch.where(given.isfinite() & (given > 0), given, focal)
        return (log_depth.clamp(-6.0, 8.0).exp() * focal[:, None, None]).clamp(NEAREST_M, FARTHEST_M)


def depth_loss(
    predicted_m: Float[Tensor, "m h w"],
    true_m: Float[Tensor, "m h w"],
    *,
    variance_focus: float = 0.85,
    scales: int = 4,
) -> Float32[Tensor, ""]:
    """Scale-invariant log loss with a gradient term, over known pixels; 0 where there is none.

    10·sqrt(mean(g²) − 0.85·mean(g)²), g the difference of log depths (Eigen et al., arXiv 1406.2283, with the weights of
    Lee et al., "BTS", arXiv 1907.10326), and half of the mean |∇g| over four scales (Li and Snavely, "MegaDepth",
    arXiv 1804.00607), which keeps edges sharp and planes flat.

    >>> true = torch.rand(1, 8, 8) + 1
    >>> bool(depth_loss(true, true) < 0.02), bool(depth_loss(2 * true, true) > 1)
    (True, True)
    """
    known = true_m.isfinite() & (true_m > 0) & predicted_m.isfinite() & (predicted_m > 0)
    predicted = torch.where(known, predicted_m.float(), 1.0)
    true = torch.where(known, true_m.float(), 1.0)
    gap = predicted.log() - true.log()  # 0 where unknown
    count = known.sum().clamp_min(1)
    mean, square = gap.sum() / count, gap.square().sum() / count
    loss = 10.0 * (square - variance_focus * mean.square()).clamp_min(1e-6).sqrt() * (known.sum() > 0)
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
