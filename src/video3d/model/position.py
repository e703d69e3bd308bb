"""Where a token looks in the world, as a vector that is added to it.

Coordinates stay in float32 until the vector is made: bfloat16 keeps 8 bits, steps of 6 cm at 10 m. Nothing is kept in
buffers: a non-persistent one comes back from ``from_pretrained`` as whatever memory held, so sines are computed when
needed.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from video3d.model.configuration_video3d import PoolMode, Video3DConfig

_MAX_TABLE = 8192
"""A box of more voxels a side than this is encoded without a table."""


def exact_linear(layer: nn.Module, x: Float32[Tensor, "*n c"]) -> Float32[Tensor, "*n d"]:
    """A linear layer in float32 whatever its weights are; an adapted or quantised one computes in its own way."""
    if type(layer) is nn.Linear:
        return functional.linear(x, layer.weight.float(), None if layer.bias is None else layer.bias.float())
    return layer(x.to(next(layer.parameters()).dtype)).float()


def voxel_index(
    points_world: Float32[Tensor, "... 3"], *, voxel_m: float, min_m: Sequence[float], max_m: Sequence[float]
) -> Float32[Tensor, "... 3"]:
    """Voxel that a point falls in, counted from the box's lower corner; points outside are clamped to the box.

    Rounded to the nearest voxel corner, as the published model does, not floored.

    >>> box = dict(min_m=(-15.0, -15.0, -5.0), max_m=(15.0, 15.0, 5.0))
    >>> voxel_index(torch.tensor([[0.0, 0.04, 99.0]]), voxel_m=0.1, **box).tolist()
    [[150.0, 150.0, 100.0]]
    """
    low = points_world.new_tensor(min_m)
    high = points_world.new_tensor(max_m)
    return ((points_world.clamp(low, high) - low) / voxel_m).round()


def sin3d(index: Float32[Tensor, "... 3"], width: int, temperature: float = 10000.0) -> Float32[Tensor, "... {width}"]:
    """Sines and cosines of a 3D index: n = width // 3 values an axis, x then y then z, the rest zero.

    Value i of an axis is sin(x / t_i) for even i and cos(x / t_i) for odd i, t_i = temperature^(2 floor(i / 2) / n)
    (arXiv 2412.00493, after "Attention is all you need").

    >>> sin3d(torch.zeros(1, 3), 7).tolist()
    [[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]]
    """
    n = width // 3
    i = torch.arange(n, device=index.device)
    scale = torch.pow(torch.tensor(temperature, device=index.device), 2.0 * (i // 2).float() / max(n, 1))
    angle = index[..., None] / scale  # (... 3 n)
    waves = torch.where(i % 2 == 0, angle.sin(), angle.cos()).flatten(-2)
    return functional.pad(waves, (0, width - 3 * n))


def sin3d_table(count: int, waves: int, temperature: float, device: torch.device) -> Float32[Tensor, "rows waves"]:
    """One axis of ``sin3d`` for the whole numbers below ``count``, and a row of zeros behind them for what has no place."""
    i = torch.arange(waves, device=device)
    scale = torch.pow(torch.tensor(temperature, device=device), 2.0 * (i // 2).float() / max(waves, 1))
    angle = torch.arange(count, device=device, dtype=torch.float32)[:, None] / scale
    return functional.pad(torch.where(i % 2 == 0, angle.sin(), angle.cos()), (0, 0, 0, 1))


def pool_grid(grid: Float[Tensor, "m c gh gw"], pool: int, mode: PoolMode) -> Float[Tensor, "m c th tw"]:
    """Shrink a grid ``pool`` times along each side; a remainder makes one more row or column (27 -> 14)."""
    if pool == 1:
        return grid
    size = (-(-grid.shape[-2] // pool), -(-grid.shape[-1] // pool))
    if mode == "avg":
        return functional.adaptive_avg_pool2d(grid, size)
    return functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)


def pool_points(
    points_world: Float32[Tensor, "m gh gw 3"], weight: Float32[Tensor, "m gh gw"], pool: int, mode: PoolMode
) -> tuple[Float32[Tensor, "m th tw 3"], Float32[Tensor, "m th tw"]]:
    """Mean world point of the patches that a token is made of; only patches with a point count, by their weight.

    Args:
        points_world: NaN where a patch has no point.
        weight: share of a patch's pixels with known depth, so that the mean is over pixels and not over patches.
        pool: patches per token along each side.
        mode: the same as for the features, so that a token's place is the place of what it shows.

    Returns:
        Points (NaN for a token without one), and the weight behind each (0: it has none).
    """
    known = torch.isfinite(points_world).all(-1)
    weight = torch.where(known, weight, 0.0).nan_to_num(0.0)
    summed = torch.where(known[..., None], points_world, 0.0) * weight[..., None]
    both = pool_grid(torch.cat([summed, weight[..., None]], -1).permute(0, 3, 1, 2), pool, mode).permute(0, 2, 3, 1)
    total = both[..., 3:]
    points = torch.where(total > 0, both[..., :3] / total.clamp_min(torch.finfo(total.dtype).tiny), torch.nan)
    return points, total[..., 0]


def pool_extent(extent_world: Float32[Tensor, "m gh gw 2 3"], pool: int) -> Float32[Tensor, "m th tw 2 3"]:
    """Box around the pixels of ``pool`` x ``pool`` patches; NaN where none of them has one."""
    if pool == 1:
        return extent_world
    # Corners as "the larger the further out", so that one maximum serves both: -lower and upper.
    outward = torch.stack([-extent_world[..., 0, :], extent_world[..., 1, :]], -2).flatten(-2).permute(0, 3, 1, 2)
    outward = torch.where(outward.isnan(), -torch.inf, outward)
    pooled = functional.max_pool2d(outward, pool, ceil_mode=True).permute(0, 2, 3, 1).unflatten(-1, (2, 3))
    pooled = torch.where(pooled.isinf(), torch.nan, pooled)
    return torch.stack([-pooled[..., 0, :], pooled[..., 1, :]], -2)


class WorldPosition(nn.Module):
    """Vector for a world point, or for the box around a token's pixels; zero for a token without one."""

    def __init__(self, config: Video3DConfig, width: int) -> None:
        super().__init__()
        self.kind = config.position_kind
        self.num_points = 2 if config.position_points == "minmax" else 1
        self.voxel_m = config.position_voxel_m
        self.min_m, self.max_m = tuple(config.position_min_m), tuple(config.position_max_m)
        self.temperature = config.position_temperature
        self.rounds_to_half = config.compat_half_coordinates
        self.width = width
        if self.kind == "mlp":
            self.linear_1 = nn.Linear(3 * self.num_points, width)
            self.linear_2 = nn.Linear(width, width)

    def forward(
        self,
        points_world: Float32[Tensor, "*n 3"],
        valid: Bool[Tensor, "*n"],
        extent_world: Float32[Tensor, "*n 2 3"] | None = None,
    ) -> Float32[Tensor, "*n {self.width}"]:
        """Encode points in metres; rows of ``points_world`` that are not ``valid`` may hold anything, NaN too.

        Args:
            points_world: metres.
            valid: whether a token has a point.
            extent_world: lower and upper corner, for ``position_points="minmax"``; ``None`` or NaN: both are the point.
        """
        points = torch.where(valid[..., None], points_world, 0.0)
        if self.kind == "none":
            return points.new_zeros(*points.shape[:-1], self.width)
        corners = points[..., None, :]
        if self.num_points == 2:
            corners = corners.expand(*points.shape[:-1], 2, 3)
            if extent_world is not None:
                corners = torch.where(extent_world.isfinite() & valid[..., None, None], extent_world, corners)
        if self.rounds_to_half:
            corners = corners.half().float()
        if self.kind == "sin3d":
            return self._waves(corners, valid)
        return torch.where(valid[..., None], self._learned(corners), 0.0)

    def _waves(self, corners: Float32[Tensor, "*n p 3"], valid: Bool[Tensor, "*n"]) -> Float32[Tensor, "*n d"]:
        """``sin3d`` of the corners' voxels, from a table: voxels are whole numbers, and sines cost more than to look them up."""
        index = voxel_index(corners, voxel_m=self.voxel_m, min_m=self.min_m, max_m=self.max_m).long()
        waves = self.width // (3 * self.num_points)
        extent = max(high - low for low, high in zip(self.min_m, self.max_m, strict=True))
        count = round(extent / self.voxel_m) + 2
        if count > _MAX_TABLE:
            codes = sin3d(index.float(), 3 * waves, self.temperature).flatten(-2)
            return functional.pad(torch.where(valid[..., None], codes, 0.0), (0, self.width - codes.shape[-1]))
        table = sin3d_table(count, waves, self.temperature, corners.device)
        index = torch.where(valid[..., None, None], index, count).flatten(-2)  # (*n p*3)
        out = table.new_empty(*valid.shape, self.width)
        for axis in range(3 * self.num_points):
            out[..., axis * waves : (axis + 1) * waves] = functional.embedding(index[..., axis], table)
        out[..., 3 * self.num_points * waves :] = 0.0
        return out

    def _learned(self, corners: Float32[Tensor, "*n p 3"]) -> Float32[Tensor, "*n d"]:
        low, high = corners.new_tensor(self.min_m), corners.new_tensor(self.max_m)
        unit = (2 * (corners.clamp(low, high) - low) / (high - low) - 1).flatten(-2)
        # In float32 whatever the weights are: the first layer is where coordinates would lose their centimetres.
        with torch.autocast(corners.device.type, enabled=False):
            return exact_linear(self.linear_2, functional.gelu(exact_linear(self.linear_1, unit)))
