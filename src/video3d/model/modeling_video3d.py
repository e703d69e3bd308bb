"""The model: a scene encoder (``scene_encoder``) around any vision tower, and any language model.

    frames, depth, cameras, times ─▶ scene encoder ─▶ scene tokens ─▶ language model ─▶ words
                                                        ├▶ reasoning module ─▶ relations, layout, physics
                                                        └▶ grounding heads, with the words' hidden state ─▶ scores of objects

``encode_scene`` goes as far as the scene tokens, once for a scene; ``prefill_scene`` has the language model read them,
once; ``generate`` then costs the question and the answer only. Towers are composed and never copied: what they compute,
how their weights are named and which attention kernel they use stay theirs.
"""

import copy
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText
from transformers import initialization as init
from transformers.cache_utils import DynamicCache
from transformers.generation.utils import GenerationMixin
from transformers.modeling_utils import PreTrainedModel
from transformers.utils.generic import ModelOutput

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.depth_head import depth_loss
from video3d.model.language_embeddings import LanguageEmbeddings
from video3d.model.losses import with_losses
from video3d.model.reasoning_types import SpatialTargets
from video3d.model.scene_encoder import SCENE_KEYS, EncodedScene, SceneEncoder
from video3d.model.scene_heads import GroundingTargets, SceneHeads, init_heads
from video3d.model.scene_memory import (
    CACHE_WORD,
    SceneCache,
    add_coordinates,
    behind_prompts,
    continue_prompt,
    leave_out,
    place_scene,
)
from video3d.model.scene_projector import SceneProjector
from video3d.model.video_encoder import TemporalLayer, initial_slopes
from video3d.types import InputError
from video3d.types.scene_tokens import FrameFeatures, SceneInputs, SceneTokens


class Video3DForConditionalGeneration(SceneEncoder, SceneHeads, LanguageEmbeddings, PreTrainedModel, GenerationMixin):
    """Answers in words about a scene.

    >>> from transformers import Dinov2Config, LlamaConfig
    >>> size = dict(hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24)
    >>> vision, text = Dinov2Config(patch_size=4, image_size=16, **size), LlamaConfig(vocab_size=20, **size)
    >>> model = Video3DForConditionalGeneration(Video3DConfig(vision_config=vision, text_config=text))
    >>> scene = model.encode_scene(torch.zeros(1, 2, 3, 16, 16), torch.zeros(1, 2, 4, 4, 3))
    >>> tuple(scene.embeds.shape)  # two frames of two rows of two tokens and a separator
    (1, 12, 12)
    """

    config_class = Video3DConfig
    config: Video3DConfig
    main_input_name = "input_ids"
    input_modalities = ["video", "text"]  # noqa: RUF012  declared so by the base class
    supports_gradient_checkpointing = True
    _skip_keys_device_placement = [CACHE_WORD]  # noqa: RUF012
    _no_split_modules = ["TemporalLayer"]  # noqa: RUF012  those of the towers are added
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(
        self,
        config: Video3DConfig,
        vision_tower: PreTrainedModel | None = None,
        language_model: PreTrainedModel | None = None,
    ) -> None:
        super().__init__(config)
        vision_tower = vision_tower or AutoModel.from_config(config.vision_config)
        self.language_model: Any = language_model or AutoModelForCausalLM.from_config(config.text_config)
        width = self.language_model.config.hidden_size
        self._compose_encoder(config, vision_tower, width)
        self._compose_heads(config, self.scene_projector.content_width, width)
        rows = self.language_model.get_input_embeddings().weight.shape[0]
        if not 0 <= config.scene_token_id < rows:
            raise ValueError(
                f"scene_token_id: expected one of the language model's {rows} tokens, got {config.scene_token_id}"
            )
        self.post_init()

    @classmethod
    def from_towers(
        cls,
        vision_tower: PreTrainedModel,
        language_model: PreTrainedModel,
        *,
        scene_token_id: int,
        blank_token_id: int | None = None,
        line_break_token_id: int | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> "Video3DForConditionalGeneration":
        """Compose two towers that already have their weights; what lies between them is new and untrained.

        Args:
            vision_tower: taken over, not copied.
            language_model: taken over; its embeddings grow if ``scene_token_id`` lies outside of them.
            scene_token_id: id of ``<scene>`` in the tokenizer.
            blank_token_id: the token whose embedding scene tokens start from, e.g. a space; ``None``: zeros.
            line_break_token_id: the token whose embedding row separators start as; ``None``: small random values.
            seed: of the projector's random weights, so that a model composed twice is the same model.
            **settings: fields of ``Video3DConfig``.
        """
        embeddings: Any = language_model.get_input_embeddings()
        if scene_token_id >= embeddings.weight.shape[0]:
            language_model.resize_token_embeddings(scene_token_id + 1)
        # Copies: a configuration sets the attention kernel of those inside it, and the towers have chosen theirs.
        config = Video3DConfig(
            vision_config=copy.deepcopy(vision_tower.config),
            text_config=copy.deepcopy(language_model.config),
            scene_token_id=scene_token_id,
            **settings,
        )
        for tower in (vision_tower, language_model):
            for module in tower.modules():
                setattr(module, "_is_hf_initialized", True)  # noqa: B010  post_init must not draw its weights anew
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(config, vision_tower, language_model)
        projector = model.scene_projector
        embeddings = language_model.get_input_embeddings()  # another module if it grew
        with torch.no_grad():
            for vector, token_id in ((projector.base, blank_token_id), (projector.separator, line_break_token_id)):
                if vector is not None and token_id is not None:
                    vector.copy_(embeddings.weight[token_id])
        for name, part in model.named_children():
            if name not in ("vision_tower", "language_model"):
                part.to(device=language_model.device, dtype=language_model.dtype)
        model.generation_config = language_model.generation_config
        return model.eval()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        init_heads(module, init.normal_)
        if isinstance(module, SceneProjector):
            if module.separator is not None:
                init.normal_(module.separator, mean=0.0, std=0.02)
            if module.base is not None and module.gate is not None:
                init.zeros_(module.base)
                init.zeros_(module.gate)
        if isinstance(module, TemporalLayer):
            init.constant_(module.scale_1, 0.1)
            init.constant_(module.scale_2, 0.1)
            if module.raw_slope is not None:
                init.copy_(module.raw_slope, initial_slopes(module.heads))

    @property
    def accepts_loss_kwargs(self) -> bool:
        """Whether ``Trainer`` may leave gradient accumulation to the loss.

        Not where there are losses beside the words': these know nothing of the tokens in other batches.
        """
        return not (self.config.depth_head or self.config.reasoning_layers or self.config.grounding)

    @property
    def scene_closed(self) -> bool:
        """Whether the gate is shut (exactly 0, untrained): ``generate`` and ``prefill_scene`` then leave the scene out."""
        gate = self.scene_projector.gate
        return gate is not None and float(gate.detach()) == 0.0

    @torch.no_grad()
    def encode_scene(
        self,
        pixel_values: Float[Tensor, "b f 3 h w"],
        points_world: Float[Tensor, "b f gh gw 3"] | None = None,
        valid_share: Float[Tensor, "b f gh gw"] | None = None,
        frame_mask: Bool[Tensor, "b f"] | None = None,
        *,
        keep_patches: bool = False,
        features: FrameFeatures | None = None,
        **geometry: Tensor | None,
    ) -> SceneTokens:
        """Scene tokens: needed once for a scene, however many questions follow. Without gradients (``forward`` has them).

        Args:
            pixel_values: normalised frames.
            points_world: world point of every patch in metres, NaN where unknown. float32 whatever the model's dtype:
                bfloat16 would move a point at 10 m by up to 3 cm. ``None``: from depth and cameras where these are given.
            valid_share: share of each patch's pixels with known depth, its weight when patches are pooled; ``None``: 1.
            frame_mask: false for frames that only pad a batch; these must come first.
            keep_patches: keep what every patch shows, for grounding as published.
            features: what ``frame_features`` said of all frames before; their pixels are then not looked at.
            **geometry: the other fields of ``SceneInputs``: ``depth_m``, ``k_px``, ``world_from_camera``, ``time_s``,
                ``extent_world``.
        """
        inputs = SceneInputs(
            pixel_values=pixel_values,
            points_world=points_world,
            valid_share=valid_share,
            frame_mask=frame_mask,
            **geometry,
        )
        encoded = self.encode_inputs(inputs, keep_patches=keep_patches, features=features, judges_depth=False)
        return encoded.tokens

    def forward(
        self,
        input_ids: Int[Tensor, "b t"] | None = None,
        attention_mask: Tensor | dict | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        cache: Any = None,
        inputs_embeds: Float[Tensor, "b t d"] | None = None,
        labels: Int[Tensor, "b t"] | None = None,
        pixel_values: Float[Tensor, "b f 3 h w"] | None = None,
        points_world: Float[Tensor, "b f gh gw 3"] | None = None,
        valid_share: Float[Tensor, "b f gh gw"] | None = None,
        extent_world: Float[Tensor, "b f gh gw 2 3"] | None = None,
        depth_m: Float[Tensor, "b f h w"] | None = None,
        k_px: Float[Tensor, "b f 3 3"] | None = None,
        world_from_camera: Float[Tensor, "b f 4 4"] | None = None,
        time_s: Float[Tensor, "b f"] | None = None,
        frame_mask: Bool[Tensor, "b f"] | None = None,
        scene_embeds: Float[Tensor, "b n d"] | None = None,
        scene_mask: Bool[Tensor, "b n"] | None = None,
        coord_points: Float[Tensor, "b c 3"] | None = None,
        spatial_targets: SpatialTargets | None = None,
        grounding_targets: GroundingTargets | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> ModelOutput | tuple:
        """Next-token logits, and the loss where ``labels`` are given (-100 where a token is not to be learned).

        The scene comes as pixels and points, or as ``scene_embeds`` and ``scene_mask`` from ``encode_scene``; its
        tokens take the places of the ``<scene>`` tokens in ``input_ids``. A shut gate hides nothing here, so that
        training can open it. ``cache`` is what transformers calls ``past_key_values`` since 5.24; either is taken.
        ``coord_points`` are the world points (metres) of the ``<coord>`` tokens, in order. With pixels, depth and targets
        add their losses (``losses.with_losses``); grounding needs ``labels`` or not, as its rows have words to learn or not.
        """
        key_values = past_key_values if cache is None else cache
        encoded: EncodedScene | None = None
        if scene_embeds is None and pixel_values is not None:
            inputs = SceneInputs(
                pixel_values=pixel_values, points_world=points_world, valid_share=valid_share, extent_world=extent_world,
                depth_m=depth_m, k_px=k_px, world_from_camera=world_from_camera, time_s=time_s, frame_mask=frame_mask,
            )  # fmt: skip
            keep = grounding_targets is not None and grounding_targets.share is not None
            judged = depth_m is not None and (self.training or labels is not None)
            encoded = self.encode_inputs(inputs, keep_patches=keep, judges_depth=judged)
            scene_embeds, scene_mask = encoded.tokens.embeds, encoded.tokens.mask
        embeds = inputs_embeds
        if embeds is None:
            if input_ids is None:
                raise ValueError("forward: expected input_ids or inputs_embeds, got neither")
            embeds = self.get_input_embeddings()(input_ids)
        if coord_points is not None and input_ids is not None:
            codes = self.scene_projector.position(coord_points.float(), coord_points.isfinite().all(-1))
            embeds = add_coordinates(embeds, input_ids == self.config.coord_token_id, codes)
        if scene_embeds is not None:
            if input_ids is None:
                raise ValueError("forward: expected input_ids with a scene (they say where it goes), got inputs_embeds")
            if scene_mask is None:
                scene_mask = scene_embeds.new_ones(scene_embeds.shape[:2], dtype=torch.bool)
            is_placeholder = input_ids == self.config.scene_token_id
            embeds = place_scene(embeds, is_placeholder, scene_embeds, scene_mask)
        if (
            position_ids is None
            and key_values is None
            and isinstance(attention_mask, Tensor)
            and attention_mask.ndim == 2
        ):
            position_ids = (attention_mask.long().cumsum(1) - 1).clamp_min(0)  # padding at the left takes no position
        out = self.language_model(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            labels=labels,
            logits_to_keep=logits_to_keep,
            **({"output_hidden_states": True, "return_dict": True} if grounding_targets is not None else {}),
            **{CACHE_WORD: key_values},
            **{k: v for k, v in kwargs.items() if k != "return_dict" or grounding_targets is None},
        )
        if encoded is None:
            return out
        parts: dict[str, tuple[Tensor, float]] = {}
        if encoded.predicted_depth is not None and depth_m is not None and (self.training or labels is not None):
            found = depth_loss(encoded.predicted_depth, depth_m.flatten(0, 1))
            parts["depth_loss"] = (found, self.config.depth_loss_weight)
        if spatial_targets is not None:
            parts["spatial_loss"] = (
                self.spatial_loss(encoded.tokens, spatial_targets),
                self.config.spatial_loss_weight,
            )
        if grounding_targets is not None and input_ids is not None:
            phrases = self.phrase_state(out.hidden_states[-1], input_ids)
            parts["grounding_loss"] = (self.grounding_loss(encoded.tokens, phrases, grounding_targets), 1.0)
        if parts:
            out = with_losses(out, has_words=labels is not None, **parts)
        return out.to_tuple() if kwargs.get("return_dict") is False and isinstance(out, ModelOutput) else out

    @torch.no_grad()
    def prefill_scene(
        self, scene: SceneTokens, prefix_ids: Int[Tensor, "b p"], attention_mask: Int[Tensor, "b p"] | None = None
    ) -> SceneCache:
        """Read the prompt's beginning once, for every question that begins so.

        Args:
            scene: from ``encode_scene``.
            prefix_ids: the ids that all prompts share: at least up to the last ``<scene>``
                (``Video3DProcessor.scene_prefix``), further if the facts that follow are the same.
            attention_mask: 0 for padding at the left; ``None`` where nothing is padded.
        """
        ids = prefix_ids
        mask = torch.ones_like(prefix_ids) if attention_mask is None else attention_mask
        tokens: dict[str, Tensor] = {"scene_embeds": scene.embeds, "scene_mask": scene.mask}
        if self.scene_closed:
            (ids, mask), tokens = leave_out(prefix_ids, mask, self.config.scene_token_id), {}
        key_values = DynamicCache(config=self.language_model.config)
        self(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp_min(0),
            cache=key_values,
            use_cache=True,
            logits_to_keep=1,
            **tokens,
        )
        return SceneCache(prefix_ids=prefix_ids, read_ids=ids, attention_mask=mask, key_values=key_values)

    @torch.no_grad()
    def generate(
        self,
        input_ids: Int[Tensor, "b t"] | None = None,
        *,
        scene: SceneTokens | None = None,
        scene_cache: SceneCache | None = None,
        attention_mask: Int[Tensor, "b t"] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Hugging Face's ``generate``, with the scene encoded once or not at all.

        ``input_ids`` are whole prompts in every case; the answer starts at ``input_ids.shape[1]`` of what comes back.

        Args:
            input_ids: prompts, padded at the left.
            scene: from ``encode_scene``, instead of pixels.
            scene_cache: from ``prefill_scene``, instead of a scene; the tokens are the same as without it. One scene
                may serve a batch of prompts.
            attention_mask: 0 for padding.
            **kwargs: the fields of ``SceneInputs``, instead of a scene; and what ``generate`` of Hugging Face takes:
                ``max_new_tokens``, ``do_sample``, ``streamer``, ...
        """
        input_ids = kwargs.pop("inputs", input_ids)  # what the base class calls it
        if input_ids is None:
            raise ValueError("generate: expected input_ids, which say where the scene goes, got none")
        given = {name: kwargs.pop(name) for name in SCENE_KEYS if name in kwargs}
        ids, mask = input_ids, attention_mask
        closed = self.scene_closed
        if closed:  # as if the scene's tokens were not in the prompt: they would only be read to be ignored
            mask = torch.ones_like(input_ids) if mask is None else mask
            ids, mask = leave_out(input_ids, mask, self.config.scene_token_id)
        if scene_cache is not None:
            if closed == bool((scene_cache.read_ids == self.config.scene_token_id).any()):
                raise InputError(
                    "scene_cache",
                    expected=f"one made with the gate {'shut' if closed else 'open'}, as it is now",
                    got="one made before the gate changed",
                    do="prefill_scene again",
                )
            generation = kwargs.get("generation_config") or self.generation_config
            wanted = ("num_beams", "num_return_sequences")
            repeats = max(kwargs.get(name) or getattr(generation, name, None) or 1 for name in wanted)
            ids, mask, kwargs[CACHE_WORD] = continue_prompt(scene_cache, ids, mask, repeats)
        elif not closed:
            if scene is None and given.get("pixel_values") is not None:
                scene = self.encode_scene(**given)
            if scene is not None:
                kwargs.update(scene_embeds=scene.embeds, scene_mask=scene.mask)
        # GenerationMixin asks for a protocol that PreTrainedModel's own attributes do not meet.
        out = super().generate(inputs=ids, attention_mask=mask, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        return out if ids is input_ids else behind_prompts(input_ids, ids.shape[1], out)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, inputs_embeds: Tensor | None = None, is_first_iteration: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Feed the scene on the first iteration only: later ones find it in the key-value cache.

        ``inputs_embeds`` is listed and the rest named ``**kwargs`` because ``generate`` reads this signature.
        """
        if not is_first_iteration and kwargs.get("use_cache", True):
            for name in ("scene_embeds", "scene_mask", "coord_points", *SCENE_KEYS):
                kwargs.pop(name, None)
        return super().prepare_inputs_for_generation(  # pyright: ignore[reportAttributeAccessIssue]
            input_ids, inputs_embeds=inputs_embeds, is_first_iteration=is_first_iteration, **kwargs
        )


AutoConfig.register(Video3DConfig.model_type, Video3DConfig, exist_ok=True)
AutoModelForImageTextToText.register(Video3DConfig, Video3DForConditionalGeneration, exist_ok=True)
