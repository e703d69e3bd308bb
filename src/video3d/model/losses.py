"""The whole loss: 1.0 · language + 0.1 · depth + 0.2 · spatial (the configuration's weights), each part kept beside the sum."""

from dataclasses import dataclass, fields
from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers.modeling_outputs import CausalLMOutputWithPast


@dataclass
class Video3DOutput(CausalLMOutputWithPast):
    """What the language model says, and the parts of the loss before their weights.

    Attributes:
        language_loss: of the next token.
        depth_loss: of the depth head.
        spatial_loss: of the reasoning module.
        grounding_loss: of the grounding heads.
    """

    language_loss: Float[Tensor, ""] | None = None
    depth_loss: Float[Tensor, ""] | None = None
    spatial_loss: Float[Tensor, ""] | None = None
    grounding_loss: Float[Tensor, ""] | None = None


def with_losses(out: Any, *, has_words: bool = True, **parts: tuple[Tensor, float]) -> Any:
    """Add parts of the loss, each with its weight, to what a language model returned (an output, or a tuple).

    Args:
        out: with its own loss first, if ``has_words``.
        has_words: whether there were words to learn.
        **parts: of ``Video3DOutput``, each with its weight.
    """
    words: Tensor | None = out[0] if has_words else None
    loss = sum((weight * part for part, weight in parts.values()), 0.0 if words is None else words)
    if isinstance(out, tuple):
        return (loss, *(out[1:] if has_words else out))
    known = {field.name for field in fields(CausalLMOutputWithPast)}
    kept: dict[str, Any] = {name: value for name, value in out.items() if name in known and name != "loss"}
    kept |= {name: part for name, (part, _) in parts.items()}
    return Video3DOutput(loss=loss, language_loss=words, **kept)  # pyright: ignore[reportArgumentType]
