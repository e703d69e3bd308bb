"""What the model says besides words: which object a phrase means, and what the reasoning module finds.

Both stand on ``SceneTokens.content``, what tokens show before their place is added; grounding asks the language model for the
phrase, the reasoning module needs none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.grounding import (
    GroundingHead,
    add_place,
    infonce_loss,
    object_content,
    object_content_from_tokens,
)
from video3d.model.object_head import ObjectHead, PatchObjects, patch_geometry
from video3d.model.object_looks import both_looks
from video3d.model.object_votes import ObjectVotes, votes_of
from video3d.model.reasoning import ReasoningModule
from video3d.model.reasoning_findings import reason
from video3d.model.reasoning_losses import spatial_loss
from video3d.model.reasoning_types import SpatialTargets
from video3d.model.scene_encoder import FRAMES_AT_ONCE
from video3d.model.scene_memory import SceneCache, continue_prompt, leave_out
from video3d.model.scene_projector import SceneProjector
from video3d.model.tower_until import tower_until
from video3d.types import Box3D, InputError
from video3d.types.scene_tokens import FrameFeatures, SceneInputs, SceneTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingTargets:
    """Phrases of a batch and the objects they may mean.

    Attributes:
        boxes: proposed objects of every scene, as many as there are.
        meant: which of them the phrase means; none at all is an answer too.
        share: share of every patch's pixels inside every box (``geometry.patch_boxes``), to see objects by patches as
            published; ``None``: by the scene tokens whose points lie inside.
    """

    boxes: Sequence[Sequence[Box3D]]
    meant: Sequence[Bool[np.ndarray, "n"]]
    share: Sequence[Float32[np.ndarray, "n f gh gw"]] | None = None


class SceneHeads:
    """The heads of ``Video3DForConditionalGeneration``, which holds the modules."""

    config: Video3DConfig
    scene_projector: SceneProjector
    vision_tower: Any
    patch_features: Any
    _interpolate: dict[str, bool]
    grounding: GroundingHead | None
    reasoning: ReasoningModule | None
    object_head: ObjectHead | None

    def _compose_heads(self, config: Video3DConfig, content_width: int, width: int) -> None:
        self.object_head = None
        if config.object_head:
            tower = self.vision_tower.config
            names = (len(config.categories), len(config.object_colors))
            blocks = (config.object_blocks, tower.num_attention_heads if config.object_blocks else 1)
            self.object_head = ObjectHead(tower.hidden_size, config.object_width, *names, *blocks)
        self.grounding = GroundingHead(width) if config.grounding else None
        self.reasoning = ReasoningModule(config, content_width) if config.reasoning_layers else None

    # ---- objects ------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def object_votes(
        self,
        inputs: SceneInputs,
        *,
        floor_z: float = 0.0,
        features: FrameFeatures | None = None,
        larger: SceneInputs | None = None,
    ) -> ObjectVotes:
        """What the patches of one scene's frames say of the objects that they show; ``object_votes`` gathers it.

        Args:
            inputs: a batch of one, with points, intrinsics and poses in metres, +z up.
            floor_z: height of the floor in the world.
            features: of the frames, where they have been looked at before.
            larger: the same frames, several times as large: then votes are those of their patches, by both looks.

        Raises:
            InputError: the model has no object head, or geometry is missing.
        """
        points, poses, said = self._objects_said(inputs, floor_z, features)
        zoom = 1
        if larger is not None:
            places, _, again = self._objects_said(larger, floor_z)
            grid, large = points.shape[1:3], places.shape[1:3]
            zoom = large[0] // grid[0]
            if len(places) != len(points) or large != (zoom * grid[0], zoom * grid[1]):
                raise InputError(
                    "larger frames",
                    expected=f"{len(points)} frames of a multiple of {grid[0]} x {grid[1]} patches",
                    got=f"{len(places)} of {large[0]} x {large[1]}",
                )
            points, said = places, both_looks(said, points, again, places, poses)
        times = inputs.time_s[0] if inputs.time_s is not None else torch.full((len(points),), torch.nan)
        return votes_of(said, points, poses, times, self.config.categories, self.config.object_colors, zoom)

    def _objects_said(
        self, inputs: SceneInputs, floor_z: float, features: FrameFeatures | None = None
    ) -> tuple[Tensor, Tensor, PatchObjects]:
        """Places of patches, poses, and what the head says of the patches: of a few frames at a time, for their patches look at each other."""
        head = self.object_head
        if head is None:
            raise InputError("model", expected="one with an object head", got="none", do="use nano, or train one")
        points, k_px, poses = inputs.points_world, inputs.k_px, inputs.world_from_camera
        if points is None or k_px is None or poses is None or inputs.valid_share is None:
            raise InputError("frames", expected="places, intrinsics and poses", got="frames without")
        points, poses, pixels = points[0], poses[0].float(), inputs.pixel_values[0]
        down, over_floor = points.new_tensor([0.0, 0.0, floor_z]), poses.clone()
        over_floor[:, :3, 3] -= down
        read = None
        if features is not None:
            read = features.patches if features.for_objects is None else features.for_objects
        seen = (points - down, inputs.valid_share[0].float(), over_floor, k_px[0].float(), pixels)
        said = []
        for start in range(0, len(points), FRAMES_AT_ONCE):
            few = slice(start, start + FRAMES_AT_ONCE)
            looked = self._object_features(pixels[few]) if read is None else read[few]
            said.append(head(looked, patch_geometry(*(one[few] for one in seen))))
        every = {field.name: torch.cat([getattr(one, field.name) for one in said]) for field in fields(PatchObjects)}
        return points, poses, PatchObjects(**every)

    def _object_features(self, frames: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m gh gw c"]:
        """What the object head reads of a few frames; no more of the tower is computed than that takes."""
        if not self.config.object_blocks:
            return self.patch_features(frames).patches
        return tower_until(
            self.vision_tower, frames, self.config.object_blocks, self.config.patch_px, **self._interpolate
        )

    # ---- reasoning ----------------------------------------------------------------------------------------------------

    def reason(self, scene: SceneTokens, kind: str, **asked: Any) -> Any:
        """What the reasoning module finds in a scene: ``relation``, ``layout`` or ``physics``; see ``reasoning_findings.reason``.

        Its ``lines()`` are sentences that can be written into a prompt.

        Raises:
            InputError: the model has no reasoning module, or something that is asked for is missing.
        """
        if self.reasoning is None:
            raise InputError(
                "model", expected="one with a reasoning module (reasoning_layers > 0)", got="none",
                do="name a model that was trained with it",
            )  # fmt: skip
        return reason(self.reasoning, scene, kind, **asked)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def spatial_loss(self, scene: SceneTokens, targets: SpatialTargets) -> Float32[Tensor, ""]:
        """The reasoning module's loss, before its weight.

        Raises:
            ValueError: targets for a model without the module.
        """
        if self.reasoning is None:
            raise ValueError("spatial_targets: expected a model with reasoning_layers > 0, got one without")
        targets = targets.to(scene.mask.device)
        return spatial_loss(self.reasoning(scene, targets), targets)

    # ---- grounding ----------------------------------------------------------------------------------------------------

    def phrase_state(self, hidden: Float[Tensor, "b t d"], input_ids: Int[Tensor, "b t"]) -> Float[Tensor, "b d"]:
        """The last hidden state at ``<ground>``; of the last token where the model has no such token.

        Raises:
            InputError: a prompt without ``<ground>``.
        """
        token = self.config.ground_token_id
        if token is None:
            return hidden[:, -1]
        is_ground = input_ids == token
        if not bool(is_ground.any(1).all()):
            raise InputError("prompt", expected="<ground> at its end", got="none", do="let ground_prompt write it")
        at = is_ground.int().cumsum(1).argmax(1)  # the last one
        return hidden[torch.arange(len(hidden), device=hidden.device), at]

    @torch.no_grad()
    def read_phrase(self, input_ids: Int[Tensor, "b t"], scene_cache: SceneCache) -> Float[Tensor, "b d"]:
        """``phrase_state`` of prompts on a scene that was read before; only what is new in them is read.

        Args:
            input_ids: whole prompts without padding, ``<ground>`` last where the model has such a token.
            scene_cache: from ``prefill_scene``.
        """
        ids, mask = input_ids, torch.ones_like(input_ids)
        if not bool((scene_cache.read_ids == self.config.scene_token_id).any()):  # read while the gate was shut
            ids, mask = leave_out(ids, mask, self.config.scene_token_id)
        ids, mask, key_values = continue_prompt(scene_cache, ids, mask)
        new = ids[:, scene_cache.num_tokens :]
        out = self(  # pyright: ignore[reportCallIssue]
            input_ids=new,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp_min(0)[:, scene_cache.num_tokens :],
            cache=key_values,
            output_hidden_states=True,
            logits_to_keep=1,
        )
        return self.phrase_state(out.hidden_states[-1], new)

    def object_embeds(
        self,
        scene: SceneTokens,
        boxes: Sequence[Box3D],
        share: Float32[np.ndarray, "n f gh gw"] | None = None,
        *,
        row: int = 0,
    ) -> Float[Tensor, "n d"]:
        """What objects show and where they are, in the language model's width.

        Raises:
            InputError: ``share`` for a scene whose patches were not kept.
        """
        content = scene.content
        if content is None or (share is not None and scene.patch_content is None):
            raise InputError(
                "scene", expected="tokens with what they show" + ("" if share is None else ", and patches"), got="none",
                do="encode_scene(..., keep_patches=True) and do not drop content",
            )  # fmt: skip
        device = content.device
        if share is not None and scene.patch_content is not None:
            frames = scene.patch_content[row, -share.shape[1] :]  # shorter clips of a batch are padded at the front
            shown = object_content(frames, torch.from_numpy(share).to(device))
        else:
            shown = object_content_from_tokens(content[row], scene.points_world[row], boxes)
        projected = self.scene_projector.project(shown.content)
        projected = torch.where(
            shown.num_seen[:, None] > 0, projected, 0.0
        )  # of a box that nothing was seen of, its place
        centers = np.stack([box.center_world for box in boxes]) if boxes else np.zeros((0, 3))
        places = torch.from_numpy(centers).to(device=device, dtype=torch.float32)
        return add_place(projected, places, self.scene_projector.position)

    def score_objects(
        self, scene: SceneTokens, phrase: Float[Tensor, "d"], boxes: Sequence[Box3D],
        share: Float32[np.ndarray, "n f gh gw"] | None = None, *, row: int = 0,
    ) -> Float32[Tensor, "n1"]:  # fmt: skip
        """Cosine of every object and, last, of "none of them" with a phrase.

        Raises:
            InputError: the model has no grounding heads.
        """
        if self.grounding is None:
            raise InputError(
                "model", expected="one with grounding heads", got="none", do="name a model that was trained with them"
            )
        objects = self.object_embeds(scene, boxes, share, row=row)
        return self.grounding(objects[None], phrase[None])[0]

    def grounding_loss(
        self, scene: SceneTokens, phrases: Float[Tensor, "b d"], targets: GroundingTargets
    ) -> Float32[Tensor, ""]:
        """InfoNCE over the objects of each scene, the mean over the batch."""
        losses = []
        for row, boxes in enumerate(targets.boxes):
            share = None if targets.share is None else targets.share[row]
            scores = self.score_objects(scene, phrases[row], boxes, share, row=row)
            meant = torch.from_numpy(targets.meant[row]).to(scores.device)
            losses.append(infonce_loss(scores[None], meant[None], self.config.grounding_temperature))
        return torch.stack(losses).mean()


def init_heads(module: nn.Module, normal: Any) -> None:
    """What transformers' own initialisation does not know of the heads."""
    if isinstance(module, GroundingHead):
        normal(module.zero_target, mean=0.0, std=1.0)
