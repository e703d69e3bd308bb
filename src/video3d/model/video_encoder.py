"""Position-aware video features: what depth, camera and time add to the patch features of the vision tower.

    patches (b f gh gw c) + depth encoding (conv over the depth map) + camera encoding (intrinsics, pose)
        ─▶ transformer over frames, with frame times and depth-aware attention ─▶ features (b f gh gw c)

Every part is a module that the configuration can leave out, and each adds nothing where its input is unknown: a patch
without depth, a frame without a camera, a time that nobody wrote down. Geometry enters in float32.
"""

import math

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from video3d.model.attention import depth_aware_attention
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.position import exact_linear
from video3d.types import InputError

DEPTH_WIDTH = 96
CAMERA_WIDTH = 128
TIME_WIDTH = 64
SHORTEST_S, LONGEST_S = 0.1, 1000.0
"""Wavelengths of the time code: from between two video frames to a walk through a house."""


class DepthEncoder(nn.Module):
    """A convolution over the depth map, one vector a patch; 0 for a patch without a known pixel.

    Three planes go in: log depth, inverse depth (1/m), and which pixels are known; unknown ones are 0 in all of them. One
    kernel covers a patch whole, a second looks at its neighbours.
    """

    def __init__(self, patch_px: int, width: int) -> None:
        super().__init__()
        self.patch_px = patch_px
        self.patches = nn.Conv2d(3, DEPTH_WIDTH, patch_px, stride=patch_px)
        self.neighbours = nn.Conv2d(DEPTH_WIDTH, DEPTH_WIDTH, 3, padding=1)
        self.out = nn.Conv2d(DEPTH_WIDTH, width, 1)

    def forward(self, depth_m: Float[Tensor, "m h w"]) -> Float[Tensor, "m gh gw c"]:
        """Encode z-depth in metres, NaN (or <= 0) unknown."""
        depth = depth_m.float()
        known = depth.isfinite() & (depth > 0)
        safe = torch.where(known, depth, 1.0)
        planes = torch.stack([safe.log(), safe.reciprocal().clamp_max(10.0), torch.ones_like(safe)], 1)
        planes = torch.where(known[:, None], planes, 0.0).to(self.patches.weight.dtype)
        hidden = functional.gelu(self.patches(planes))
        code = self.out(functional.gelu(self.neighbours(hidden)))
        seen = functional.max_pool2d(known[:, None].float(), self.patch_px) > 0  # (m 1 gh gw)
        return torch.where(seen, code, 0.0).permute(0, 2, 3, 1)


class CameraEncoder(nn.Module):
    """One vector a frame from its intrinsics, and one from its pose; a part that is unknown adds 0.

    Intrinsics are fx / w, fy / h, cx / w, cy / h; a pose is the camera's place (metres) and the first two columns of its
    rotation, a continuous form of it (Zhou et al., "On the continuity of rotation representations", arXiv 1812.07035).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.intrinsics_1, self.intrinsics_2 = nn.Linear(4, CAMERA_WIDTH), nn.Linear(CAMERA_WIDTH, width)
        self.pose_1, self.pose_2 = nn.Linear(9, CAMERA_WIDTH), nn.Linear(CAMERA_WIDTH, width)

    def forward(
        self,
        k_px: Float[Tensor, "m 3 3"] | None,
        world_from_camera: Float[Tensor, "m 4 4"] | None,
        size_hw: tuple[int, int],
    ) -> Float[Tensor, "m c"] | None:
        """Encode the cameras of m frames, NaN where unknown; ``None`` if neither part is given."""
        parts = []
        if k_px is not None:
            height, width = size_hw
            shares = (k_px[:, 0, 0] / width, k_px[:, 1, 1] / height, k_px[:, 0, 2] / width, k_px[:, 1, 2] / height)
            parts.append(_known_only(torch.stack(shares, 1), self.intrinsics_1, self.intrinsics_2))
        if world_from_camera is not None:
            columns = world_from_camera[:, :3, :2].transpose(1, 2).flatten(1)  # (m 6)
            parts.append(_known_only(torch.cat([world_from_camera[:, :3, 3], columns], 1), self.pose_1, self.pose_2))
        return sum(parts[1:], parts[0]) if parts else None


def _known_only(values: Float[Tensor, "m k"], first: nn.Module, second: nn.Module) -> Float[Tensor, "m c"]:
    known = values.isfinite().all(-1, keepdim=True)
    values = torch.where(known, values.float(), 0.0)
    with torch.autocast(values.device.type, enabled=False):  # metres in bfloat16 would lose their centimetres
        code = exact_linear(second, functional.gelu(exact_linear(first, values)))
    return torch.where(known, code, 0.0).to(next(first.parameters()).dtype)


def time_code(time_s: Float32[Tensor, "*n"]) -> Float32[Tensor, "*n k"]:
    """Sines and cosines of seconds, wavelengths from 0.1 s to 1000 s in equal ratios; 0 where the time is NaN.

    >>> time_code(torch.tensor([0.0, torch.nan])).sum(-1).tolist()
    [32.0, 0.0]
    """
    count = TIME_WIDTH // 2
    share = torch.arange(count, device=time_s.device, dtype=torch.float32) / (count - 1)
    wavelength = SHORTEST_S * (LONGEST_S / SHORTEST_S) ** share
    known = time_s.isfinite()
    angle = 2 * math.pi * torch.where(known, time_s, 0.0)[..., None] / wavelength
    return torch.where(known[..., None], torch.cat([angle.sin(), angle.cos()], -1), 0.0)


class TemporalLayer(nn.Module):
    """A pre-norm transformer layer whose branches are scaled (LayerScale, arXiv 2103.17239).

    The scale starts at 0.1, so that a new layer disturbs trained features little and still has a gradient.
    """

    def __init__(self, width: int, heads: int, *, depth_attention: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp_1, self.mlp_2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale_1, self.scale_2 = nn.Parameter(torch.empty(width)), nn.Parameter(torch.empty(width))
        self.raw_slope = nn.Parameter(torch.empty(heads)) if depth_attention else None

    @property
    def slope(self) -> Tensor | None:
        """Of every head, 1/m, never negative: what the difference of depths is multiplied by."""
        return None if self.raw_slope is None else functional.softplus(self.raw_slope.float())

    def forward(
        self, x: Float[Tensor, "s n c"], depth_m: Float32[Tensor, "s n"] | None, visible: Bool[Tensor, "s n"] | None
    ) -> Float[Tensor, "s n c"]:
        """Sequences of n tokens."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norm_1(x)).chunk(3, -1)
        )
        depth_m = None if self.raw_slope is None else depth_m
        mixed = depth_aware_attention(query, key, value, depth_m, self.slope, visible).transpose(1, 2).flatten(2)
        x = x + self.scale_1 * self.out(mixed)
        return x + self.scale_2 * self.mlp_2(functional.gelu(self.mlp_1(self.norm_2(x))))


def initial_slopes(heads: int) -> Float32[Tensor, "h"]:
    """Raw slopes to start from: s from 1/2 to 1/256 per metre in equal ratios, as ALiBi's for tokens.

    >>> functional.softplus(initial_slopes(2)).tolist()[0]
    0.0625
    """
    slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
    return slopes.expm1().log()  # softplus' inverse


class TemporalTransformer(nn.Module):
    """Lets frames see each other: each place of the grid over time (``patch``), or all patches of all frames (``scene``)."""

    def __init__(self, config: Video3DConfig, width: int) -> None:
        super().__init__()
        if width % config.temporal_heads:
            raise ValueError(
                f"temporal_heads: expected a divisor of the vision tower's {width}, got {config.temporal_heads}"
            )
        self.scope = config.temporal_scope
        self.time = nn.Linear(TIME_WIDTH, width)
        self.layers = nn.ModuleList(
            TemporalLayer(width, config.temporal_heads, depth_attention=config.depth_attention)
            for _ in range(config.temporal_layers)
        )
        self.gradient_checkpointing = False  # set by gradient_checkpointing_enable

    def forward(
        self,
        features: Float[Tensor, "b f gh gw c"],
        depth_m: Float32[Tensor, "b f gh gw"] | None,
        time_s: Float32[Tensor, "b f"] | None,
        frame_mask: Bool[Tensor, "b f"] | None,
    ) -> Float[Tensor, "b f gh gw c"]:
        """Mix over frames.

        Args:
            features: of the patches.
            depth_m: mean z-depth of every patch, metres, NaN unknown.
            time_s: seconds from the clip's first frame, as the processor gives them.
            frame_mask: false for frames that only pad; these are seen by nobody.
        """
        b, f, gh, gw, _ = features.shape
        x = features
        if time_s is not None:
            x = x + self.time(time_code(time_s.float()).to(x.dtype))[:, :, None, None]

        def to_sequences(grid: Tensor) -> Tensor:
            if self.scope == "scene":
                return grid.flatten(1, 3)  # (b f*gh*gw ...)
            return grid.movedim(1, 3).flatten(0, 2)  # (b*gh*gw f ...)

        x = to_sequences(x)
        depth = None if depth_m is None else to_sequences(depth_m.float())
        visible = None
        if frame_mask is not None:
            visible = to_sequences(frame_mask[:, :, None, None].expand(b, f, gh, gw))
        for layer in self.layers:
            if self.gradient_checkpointing and self.training:
                x = checkpoint(layer, x, depth, visible, use_reentrant=False)
            else:
                x = layer(x, depth, visible)
        if self.scope == "scene":
            return x.unflatten(1, (f, gh, gw))
        return x.unflatten(0, (b, gh, gw)).movedim(3, 1)


class VideoEncoder(nn.Module):
    """The parts that a configuration asks for, in order; with none of them, features pass as they are."""

    def __init__(self, config: Video3DConfig, width: int) -> None:
        super().__init__()
        self.depth = DepthEncoder(config.patch_px, width) if config.depth_encoding else None
        self.camera = CameraEncoder(width) if config.camera_encoding else None
        self.temporal = TemporalTransformer(config, width) if config.temporal_layers else None
        self.patch_px = config.patch_px

    def forward(
        self,
        features: Float[Tensor, "b f gh gw c"],
        *,
        depth_m: Float[Tensor, "b f h w"] | None = None,
        k_px: Float[Tensor, "b f 3 3"] | None = None,
        world_from_camera: Float[Tensor, "b f 4 4"] | None = None,
        time_s: Float[Tensor, "b f"] | None = None,
        frame_mask: Bool[Tensor, "b f"] | None = None,
        size_hw: tuple[int, int],
    ) -> Float[Tensor, "b f gh gw c"]:
        """Add what is known to the patch features; see ``SceneInputs`` for units, frames and what is unknown.

        Raises:
            InputError: a depth map of another size than the frames.
        """
        b, f, gh, gw, _ = features.shape
        if depth_m is not None and depth_m.shape[-2:] != size_hw:
            raise InputError(
                "depth_m", expected=f"the size of the frames, {size_hw}", got=tuple(depth_m.shape[-2:]),
                do="bring both to one size with resize_clip first",
            )  # fmt: skip
        if self.depth is not None and depth_m is not None:
            features = features + self.depth(depth_m.flatten(0, 1)).unflatten(0, (b, f))
        if self.camera is not None:
            code = self.camera(
                None if k_px is None else k_px.flatten(0, 1),
                None if world_from_camera is None else world_from_camera.flatten(0, 1),
                size_hw,
            )
            if code is not None:
                features = features + code.unflatten(0, (b, f))[:, :, None, None]
        if self.temporal is not None:
            depth = None
            if depth_m is not None:
                depth = patch_depth(depth_m.flatten(0, 1).float(), self.patch_px)[:, :gh, :gw].unflatten(0, (b, f))
            features = self.temporal(features, depth, None if time_s is None else time_s.float(), frame_mask)
        return features


def patch_depth(depth_m: Float32[Tensor, "m h w"], patch_px: int) -> Float32[Tensor, "m gh gw"]:
    """Mean depth over the known pixels of every patch, NaN where none is known."""
    known = depth_m.isfinite() & (depth_m > 0)
    both = torch.stack([torch.where(known, depth_m, 0.0), known.float()], 1)
    mean, share = functional.avg_pool2d(both, patch_px).unbind(1)
    return torch.where(share > 0, mean / share.clamp_min(1e-9), torch.nan)
