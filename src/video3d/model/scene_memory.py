"""What is kept of a scene between questions: its tokens, and the language model's keys and values for them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from video3d.types import InputError
from video3d.types.scene_tokens import SceneTokens

CACHE_WORD = "cache" if any(field.name == "cache" for field in fields(CausalLMOutputWithPast)) else "past_key_values"
"""What transformers calls keys and values: ``cache`` since 5.24, ``past_key_values`` before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneCache:
    """The prompt's beginning, already read: what every question on a scene shares.

    Attributes:
        prefix_ids: token ids of the beginning, the scene's placeholders among them.
        read_ids: what the language model has read of it: all, or all but the placeholders while the gate is shut.
        attention_mask: of ``read_ids``: 1 for a token, 0 for padding at the left.
        key_values: keys and values of ``read_ids`` in every layer. Never written to: each question continues a copy.
    """

    prefix_ids: Int[Tensor, "b p"]
    read_ids: Int[Tensor, "b r"]
    attention_mask: Int[Tensor, "b r"]
    key_values: Cache

    @property
    def num_tokens(self) -> int:
        """Tokens that a question need not read again."""
        return self.read_ids.shape[1]

    def fork(self, repeats: int = 1) -> Cache:
        """A copy to continue from, each row ``repeats`` times."""
        key_values = copy.deepcopy(self.key_values)
        if repeats > 1:
            key_values.batch_repeat_interleave(repeats)
        return key_values


def stack_scenes(scenes: Sequence[SceneTokens]) -> SceneTokens:
    """One batch of scenes of different length: padding goes to the left. ``patch_content`` is not kept.

    >>> def scene(n):
    ...     ones = torch.ones(1, n, 3)
    ...     return SceneTokens(embeds=ones, mask=ones[..., 0].bool(), points_world=ones)
    >>> stack_scenes([scene(2), scene(3)]).mask.tolist()
    [[False, True, True], [True, True, True]]
    """
    longest = max(scene.mask.shape[1] for scene in scenes)
    lacks = [longest - scene.mask.shape[1] for scene in scenes]

    def stacked(name: str, fill: float = 0) -> Tensor | None:
        parts = [getattr(scene, name) for scene in scenes]
        if any(part is None for part in parts):
            return None
        behind = (0, 0) * (parts[0].ndim - 2)
        return torch.cat(
            [functional.pad(part, (*behind, lack, 0), value=fill) for part, lack in zip(parts, lacks, strict=True)]
        )

    given = {name: stacked(name) for name in ("embeds", "mask", "content", "num_views")}
    placed = {name: stacked(name, torch.nan) for name in ("points_world", "seen_s")}
    return SceneTokens(**given, **placed)  # pyright: ignore[reportArgumentType]


def place_scene(
    text_embeds: Float[Tensor, "b t d"],
    is_placeholder: Bool[Tensor, "b t"],
    scene_embeds: Float[Tensor, "b n d"],
    scene_mask: Bool[Tensor, "b n"],
) -> Float[Tensor, "b t d"]:
    """Put each scene's tokens, in order, where its row has placeholders; padding of a scene goes nowhere.

    Raises:
        InputError: a row has more or fewer placeholders than its scene has tokens.
    """
    expected, found = scene_mask.sum(1), is_placeholder.sum(1)
    if not torch.equal(expected, found):
        raise InputError(
            "prompt",
            expected=f"one <scene> token for each of the scene's {expected.tolist()} tokens",
            got=found.tolist(),
            do="let Video3DProcessor write the prompt",
        )
    if not scene_embeds.shape[1]:  # nothing in it has a place, and a cap left no room for what has none
        return text_embeds
    # A gather and not masked_scatter: the shapes do not depend on the data. Scenes are padded at the left.
    source = is_placeholder.cumsum(1) - 1 + (scene_embeds.shape[1] - expected)[:, None]
    source = source.clamp(0, scene_embeds.shape[1] - 1)[..., None].expand(-1, -1, scene_embeds.shape[2])
    placed = scene_embeds.to(text_embeds.dtype).gather(1, source)
    return torch.where(is_placeholder[..., None], placed, text_embeds)


def add_coordinates(
    text_embeds: Float[Tensor, "b t d"], is_coord: Bool[Tensor, "b t"], codes: Float[Tensor, "b c d"]
) -> Float[Tensor, "b t d"]:
    """Add the code of each given point to its ``<coord>`` token, in order, as published.

    Raises:
        InputError: a row has more or fewer such tokens than points.
    """
    if bool((is_coord.sum(1) != codes.shape[1]).any()):
        raise InputError(
            "coord_points",
            expected="one <coord> token for each point",
            got=f"{is_coord.sum(1).tolist()} tokens, {codes.shape[1]} points",
            do="name a model that knows <coord>, and write one for each point",
        )
    source = (is_coord.cumsum(1) - 1).clamp_min(0)[..., None].expand(-1, -1, codes.shape[-1])
    return text_embeds + torch.where(is_coord[..., None], codes.gather(1, source), 0.0).to(text_embeds.dtype)


def leave_out(
    input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "b t"], token_id: int
) -> tuple[Int[Tensor, "b r"], Int[Tensor, "b r"]]:
    """Prompts without a token, padded at the left again.

    >>> leave_out(torch.tensor([[5, 9, 6], [9, 9, 7]]), torch.ones(2, 3, dtype=torch.long), 9)[0].tolist()
    [[5, 6], [0, 7]]
    """
    kept = [row[(row != token_id) & mask.bool()] for row, mask in zip(input_ids, attention_mask, strict=True)]
    longest = max(len(row) for row in kept)
    ids = torch.stack([functional.pad(row, (longest - len(row), 0)) for row in kept])
    mask = torch.stack([functional.pad(torch.ones_like(row), (longest - len(row), 0)) for row in kept])
    return ids, mask


def continue_prompt(
    cache: SceneCache, input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "b t"] | None, repeats: int = 1
) -> tuple[Int[Tensor, "b t"], Int[Tensor, "b t"], Cache]:
    """Line whole prompts up behind a cached prefix.

    Padding moves from before the prefix to behind it, where the keys that are already there need not move.

    Args:
        cache: of one scene, shared by every prompt, or of as many scenes as there are prompts.
        input_ids: whole prompts, padded at the left; each begins with the cached prefix.
        attention_mask: 1 for a token, 0 for padding; ``None`` where nothing is padded.
        repeats: how many sequences each prompt will be continued to (beams).

    Raises:
        InputError: a prompt does not begin with the prefix, or has nothing behind it.
    """
    num_prompts, length = input_ids.shape
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    if cache.read_ids.shape[0] not in (1, num_prompts):
        raise InputError("scene_cache", expected=f"1 or {num_prompts} scenes", got=cache.read_ids.shape[0])
    prefix_ids = cache.read_ids.expand(num_prompts, -1)
    prefix_mask = cache.attention_mask.expand(num_prompts, -1)
    ids, masks = [], []
    for row in range(num_prompts):
        prompt = input_ids[row][mask[row].bool()]
        prefix = prefix_ids[row][prefix_mask[row].bool()]
        if len(prompt) <= len(prefix) or not torch.equal(prompt[: len(prefix)], prefix):
            raise InputError(
                f"prompt {row}",
                expected=f"the {len(prefix)} cached tokens and a question behind them",
                got=f"{len(prompt)} tokens that begin otherwise",
                do="write it with the same processor and system message as the prefix",
            )
        rest = prompt[len(prefix) :]
        lack = length - cache.num_tokens - len(rest)
        ids.append(torch.cat([prefix_ids[row], input_ids.new_zeros(lack), rest]))
        masks.append(torch.cat([prefix_mask[row], mask.new_zeros(lack), mask.new_ones(len(rest))]))
    copies = repeats * (num_prompts if cache.read_ids.shape[0] == 1 else 1)
    return torch.stack(ids), torch.stack(masks), cache.fork(copies)


def behind_prompts(input_ids: Int[Tensor, "b t"], num_read: int, out: Any) -> Any:
    """What was generated, behind the prompts as the caller wrote them and not as they were read."""
    sequences = out if isinstance(out, Tensor) else out.sequences
    prompts = input_ids.repeat_interleave(len(sequences) // len(input_ids), 0)
    sequences = torch.cat([prompts, sequences[:, num_read:]], 1)
    if isinstance(out, Tensor):
        return sequences
    out.sequences = sequences
    return out
