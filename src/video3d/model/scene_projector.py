"""From patch features and patch points to scene tokens in the width of the language model.

The grid of a frame is laid out row by row, a separator after every row, frames one after another: f * th * (tw + 1)
tokens. With a gate, a token is ``base + tanh(gate) * (projection + position)``: training starts from a page of spaces
and line breaks (``Video3DForConditionalGeneration.from_towers``) and opens the gate from there. Such a page is the
mildest of the constant vectors tried, but not nothing: 300 tokens of it leave SmolLM2-135M's answers as they are, 2,240
do not (nor do 2,240 zeros, line breaks or unused tokens). So as long as the gate is exactly 0, ``generate`` leaves the
scene out of what the language model reads.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from video3d.model.configuration_video3d import PoolMode, Video3DConfig
from video3d.model.position import WorldPosition, pool_extent, pool_grid, pool_points


class SceneProjector(nn.Module):
    """Pool, project, add the place; in a grid, separate the rows."""

    def __init__(self, config: Video3DConfig, features_width: int, width: int) -> None:
        super().__init__()
        inner = config.projector_width or width
        self.linear_1 = nn.Linear(features_width, inner)
        self.linear_2 = nn.Linear(inner, width)
        self.position = WorldPosition(config, width)
        separated = config.row_separators and config.arrangement == "grid"
        self.separator = nn.Parameter(torch.empty(width)) if separated else None
        self.base = nn.Parameter(torch.empty(width)) if config.gated else None
        self.gate = nn.Parameter(torch.empty(1)) if config.gated else None
        self.pool = config.pool
        self.pool_mode: PoolMode = config.pool_mode
        self.pool_after = config.pool_after_projector
        self.content_width = width if self.pool_after else features_width

    def patch_content(self, features: Float[Tensor, "m gh gw c"]) -> Float[Tensor, "m gh gw k"]:
        """What every patch shows: its features, or their projection where the model pools after it."""
        return self._project(features) if self.pool_after else features

    def pool_content(self, content: Float[Tensor, "m gh gw k"]) -> Float[Tensor, "m th tw k"]:
        """From patches to tokens."""
        return pool_grid(content.permute(0, 3, 1, 2), self.pool, self.pool_mode).permute(0, 2, 3, 1)

    def pool_places(
        self, points_world: Float32[Tensor, "m ph pw 3"], weight: Float32[Tensor, "m ph pw"], grid_hw: Sequence[int]
    ) -> tuple[Float32[Tensor, "m th tw 3"], Float32[Tensor, "m th tw"]]:
        """Points and weights of tokens, from those of patches or of tokens already (by the size of the grid)."""
        if tuple(points_world.shape[1:3]) == tuple(grid_hw):
            known = torch.isfinite(points_world).all(-1)
            return points_world, torch.where(known, weight, 0.0).nan_to_num(0.0)
        return pool_points(points_world, weight, self.pool, self.pool_mode)

    def project(self, content: Float[Tensor, "*n k"]) -> Float[Tensor, "*n d"]:
        """Content in the language model's width, without its place."""
        return content if self.pool_after else self._project(content)

    def embed(
        self,
        content: Float[Tensor, "*n k"],
        points_world: Float32[Tensor, "*n 3"],
        valid: Bool[Tensor, "*n"],
        extent_world: Float32[Tensor, "*n 2 3"] | None = None,
    ) -> Float32[Tensor, "*n d"]:
        """Projection and position, through the gate. In float32: position is added late and the sum is rounded once."""
        tokens = self.project(content).float() + self.position(points_world, valid, extent_world)
        if self.gate is not None and self.base is not None:
            tokens = self.base.float() + torch.tanh(self.gate.float()) * tokens
        return tokens

    def separate_rows(self, grid: Float[Tensor, "m th tw k"], fill: Tensor | float) -> Float[Tensor, "m n k"]:
        """Lay rows out one after another, each with one more column where the model has row separators."""
        if self.separator is not None:
            column = torch.as_tensor(fill, dtype=grid.dtype, device=grid.device).expand(
                *grid.shape[:2], 1, grid.shape[-1]
            )
            grid = torch.cat([grid, column], 2)
        return grid.flatten(1, 2)

    def lay_out(
        self,
        content: Float[Tensor, "m th tw k"],
        points_world: Float32[Tensor, "m th tw 3"],
        weight: Float32[Tensor, "m th tw"],
        extent_world: Float32[Tensor, "m th tw 2 3"] | None = None,
    ) -> tuple[Float32[Tensor, "m n d"], Float32[Tensor, "m n 3"]]:
        """Tokens of every frame as a grid, and where each looks (NaN for separators and tokens without a point)."""
        tokens = self.embed(content, points_world, weight > 0, extent_world)
        separator = 0.0 if self.separator is None else self.separator.float()
        return self.separate_rows(tokens, separator), self.separate_rows(points_world, torch.nan)

    def _project(self, grid: Float[Tensor, "*n c"]) -> Float[Tensor, "*n d"]:
        return self.linear_2(functional.gelu(self.linear_1(grid)))


def token_extent(
    extent_world: Float32[Tensor, "m ph pw 2 3"] | None, grid_hw: Sequence[int], pool: int
) -> Float32[Tensor, "m th tw 2 3"] | None:
    """Boxes around tokens' pixels, from those of patches or of tokens already."""
    if extent_world is None or tuple(extent_world.shape[1:3]) == tuple(grid_hw):
        return extent_world
    return pool_extent(extent_world, pool)
