"""What a training step computes: from a batch to one loss, with its parts beside it.

A module of its own, around the model, so that DDP, FSDP and autocast hold for all of it and not for the language model alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from video3d.model.depth_head import depth_loss
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.scene_encoder import EncodedScene
from video3d.model.tokens import MergedTokens
from video3d.training.features import Level
from video3d.training.packing import attends, judge, spoken
from video3d.types import InputError
from video3d.types.scene_tokens import FrameFeatures, SceneInputs


@dataclass
class Learned:
    """The loss of a step, its parts before their weights (detached), and how many answers were right."""

    loss: Tensor
    parts: dict[str, Tensor]
    right: Tensor
    asked: Tensor


class SceneLearner(nn.Module):
    """The model with what its batches need done to become a loss.

    Args:
        model: with what is to be learned marked.
        level: of the scenes in its batches.
    """

    def __init__(self, model: Video3DForConditionalGeneration, level: Level) -> None:
        super().__init__()
        self.model, self.level = model, level

    @property
    def device(self) -> torch.device:
        """Of the model."""
        return self.model.device

    def gradient_checkpointing_enable(self, **kwargs: Any) -> None:
        """Called by ``Trainer``."""
        self.model.gradient_checkpointing_enable(**kwargs)

    def encode(self, scene: dict[str, Tensor], size_hw: Tensor) -> EncodedScene:
        """Scene tokens, from as far as they were computed before, with gradients."""
        if self.level == "tokens":
            fields = {name: scene[name] for name in ("points_world", "mask", "num_views", "seen_s")}
            return EncodedScene(
                tokens=self.model.scene_of_merged(MergedTokens(content=scene["content"].float(), **fields))
            )
        scene = dict(scene)
        features = None
        if self.level == "patches":
            # Nobody looks at these pixels: they say how large the frames are, and hold no memory.
            frames = scene["features"].shape[:2]
            height, width = size_hw.tolist()
            scene["pixel_values"] = torch.zeros((), device=size_hw.device).expand(*frames, 3, height, width)
            kept = {
                name: scene.pop(name).flatten(0, 1).float() for name in sorted(scene) if name.startswith("features")
            }
            own = kept.pop("features")
            features = FrameFeatures(own, tuple(kept[name] for name in sorted(kept)) or (own,))
        return self.model.encode_inputs(SceneInputs(**scene), features=features)

    def _mask(self, segment: Tensor) -> Tensor:
        """Who sees whom, in the form that the language model's attention takes."""
        kind = self.model.language_model.config._attn_implementation
        seen = attends(segment)
        if kind == "sdpa":
            return seen
        if kind == "eager":  # it adds the mask to the scores
            dtype = self.model.language_dtype
            return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        do = "load the language model with attn_implementation='sdpa'"
        raise InputError(f"attention {kind}", expected="sdpa or eager, which take any mask", got=kind, do=do)

    def forward(
        self,
        scene: dict[str, Tensor],
        size_hw: Tensor,
        input_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        segment: Tensor | None = None,
        next_ids: Tensor | None = None,
        targets: Any = None,
    ) -> Learned:
        """Loss of a batch of ``examples.Collate``: words 1.0, and depth and spatial with the configuration's weights."""
        model, config = self.model, self.model.config
        encoded = self.encode(scene, size_hw)
        zero = encoded.tokens.embeds.new_zeros((), dtype=torch.float32)
        loss, parts = zero, {}
        right = asked = zero.long()
        if input_ids is not None and segment is not None and next_ids is not None:
            at = spoken(next_ids)
            out = model(
                input_ids=input_ids,
                scene_embeds=encoded.tokens.embeds,
                scene_mask=encoded.tokens.mask,
                attention_mask=self._mask(segment),
                position_ids=position_ids,
                logits_to_keep=at,
                use_cache=False,
            )
            said = judge(out.logits, next_ids[:, at], segment[:, at])
            loss, right, asked = loss + said.loss, said.right, said.asked
            parts["words"] = said.loss.detach()
        if encoded.predicted_depth is not None and "depth_m" in scene:
            found = depth_loss(encoded.predicted_depth, scene["depth_m"].flatten(0, 1))
            loss = loss + config.depth_loss_weight * found
            parts["depth"] = found.detach()
        if targets is not None:
            found = model.spatial_loss(encoded.tokens, targets)
            loss = loss + config.spatial_loss_weight * found
            parts["spatial"] = found.detach()
        return Learned(loss=loss, parts=parts, right=right, asked=asked)
