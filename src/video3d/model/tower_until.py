"""A vision tower up to a layer before its last: what heads with blocks of their own read."""

import copy
from typing import Any

from jaxtyping import Float
from torch import Tensor


def tower_until(
    tower: Any, frames: Float[Tensor, "m 3 h w"], blocks: int, patch_px: int, **how: Any
) -> Float[Tensor, "m gh gw c"]:
    """What the tower says of patches before its last ``blocks`` blocks (0: at its end), as grids.

    Args:
        tower: of Hugging Face; those whose blocks are ``encoder.layer`` (DINOv2, ViT) compute no more than one block too many.
        frames: normalised.
        blocks: that are not read.
        patch_px: side of a patch.
        how: further arguments of the tower.
    """
    read = -1 - blocks
    if blocks > 1 and hasattr(getattr(tower, "encoder", None), "layer"):
        # One more than is read stays: whether the last hidden state has the norm differs between versions.
        tower, read = _shortened(tower, blocks - 1), -2
    outputs = tower(frames.to(tower.device, tower.dtype), output_hidden_states=True, **how)
    tokens = outputs.hidden_states[read] if blocks else outputs.last_hidden_state
    rows, columns = (side // patch_px for side in frames.shape[-2:])
    return tokens[:, -rows * columns :].unflatten(1, (rows, columns))


def _shortened(tower: Any, by: int) -> Any:
    """The same tower, its weights and its own way of running, without its last blocks."""
    short, encoder = copy.copy(tower), copy.copy(tower.encoder)
    short._modules, encoder._modules = dict(tower._modules), dict(encoder._modules)
    encoder.layer = encoder.layer[:-by]
    short.encoder = encoder
    return short
