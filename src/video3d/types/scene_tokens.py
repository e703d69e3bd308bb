"""SceneTokens: a scene as the language model reads it. Apart from the other types because it holds torch tensors."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneTokens:
    """Visual tokens of one scene in the width of the language model, each with its place.

    Attributes:
        embeds: what the language model reads, b scenes of n tokens of width d; padding at the left.
        mask: true for a token, false for padding.
        points_world: metres, NaN for a token without a place (row separators, patches without depth).
    """

    embeds: Float[torch.Tensor, "b n d"]
    mask: Bool[torch.Tensor, "b n"]
    points_world: Float[torch.Tensor, "b n 3"]
