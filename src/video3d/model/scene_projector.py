"""From patch features and patch points to scene tokens in the width of the language model.

The grid of a frame is laid out row by row, a separator after every row, frames one after another: f * th * (tw + 1)
tokens. With a gate, a token is ``base + tanh(gate) * (projection + position)``: training starts from a page of spaces
and line breaks (``Video3DForConditionalGeneration.from_towers``) and opens the gate from there. Such a page is the
mildest of the constant vectors tried, but not nothing: 300 tokens of it leave SmolLM2-135M's answers as they are, 2,240
do not (nor do 2,240 zeros, line breaks or unused tokens). So as long as the gate is exactly 0, ``generate`` leaves the
scene out of what the language model reads.
"""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from video3d.model.configuration_video3d import PoolMode, Video3DConfig
from video3d.model.position import WorldPosition, pool_grid, pool_points


class SceneProjector(nn.Module):
    """Pool, project, add the place, separate the rows."""

    def __init__(self, config: Video3DConfig, features_width: int, width: int) -> None:
        super().__init__()
        inner = config.projector_width or width
        self.linear_1 = nn.Linear(features_width, inner)
        self.linear_2 = nn.Linear(inner, width)
        self.position = WorldPosition(config, width)
        self.separator = nn.Parameter(torch.empty(width)) if config.row_separators else None
        self.base = nn.Parameter(torch.empty(width)) if config.gated else None
        self.gate = nn.Parameter(torch.empty(())) if config.gated else None
        self.pool = config.pool
        self.pool_mode: PoolMode = config.pool_mode
        self.pool_after = config.pool_after_projector

    def _project(self, grid: Float[Tensor, "m gh gw c"]) -> Float[Tensor, "m gh gw d"]:
        return self.linear_2(functional.gelu(self.linear_1(grid)))

    def _pool(self, grid: Float[Tensor, "m gh gw c"]) -> Float[Tensor, "m th tw c"]:
        return pool_grid(grid.permute(0, 3, 1, 2), self.pool, self.pool_mode).permute(0, 2, 3, 1)

    def forward(
        self,
        features: Float[Tensor, "m gh gw c"],
        points_world: Float32[Tensor, "m gh gw 3"],
        weight: Float32[Tensor, "m gh gw"],
    ) -> tuple[Float[Tensor, "m n d"], Float32[Tensor, "m n 3"]]:
        """Tokens of every frame, and where each looks (NaN for separators and tokens without a point)."""
        tokens = self._pool(self._project(features)) if self.pool_after else self._project(self._pool(features))
        points, valid = pool_points(points_world, weight, self.pool, self.pool_mode)
        # Position in float32, added late: the sum is rounded once.
        tokens = tokens.float() + self.position(points, valid)
        if self.gate is not None and self.base is not None:
            tokens = self.base.float() + torch.tanh(self.gate.float()) * tokens
        if self.separator is not None:
            column = self.separator.float().expand(*tokens.shape[:2], 1, -1)
            tokens = torch.cat([tokens, column], 2)  # (m th tw+1 d)
            points = functional.pad(points, (0, 0, 0, 1), value=torch.nan)
        return tokens.flatten(1, 2).to(features.dtype), points.flatten(1, 2)


def num_frame_tokens(size_hw: tuple[int, int], config: Video3DConfig) -> int:
    """Tokens that one frame of this size in pixels becomes.

    >>> config = Video3DConfig(vision_config={"model_type": "dinov2", "patch_size": 14}, pool=2)
    >>> num_frame_tokens((196, 252), config)
    70
    """
    rows, columns = (-(-(side // config.patch_px) // config.pool) for side in size_hw)
    return rows * (columns + int(config.row_separators))
