"""Named configurations: which towers, and how the scene is tokenised between them.

A preset is a function that returns the settings of ``Video3DConfig``; the towers' own configurations come from the towers.
``compose`` puts two hub models (or folders) together under a preset; ``random_model`` makes the same shape with random weights
and no network, for measuring and for tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
    SiglipVisionConfig,
    ViTConfig,
)

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.processing_video3d import SCENE_TOKEN, Video3DProcessor
from video3d.types import InputError

VICUNA_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% set messages = messages[1:] %}{% else %}"
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions.{% endif %}"
    "{% for m in messages %}{% if m['role'] == 'user' %} USER: {{ m['content'] }}"
    "{% else %} ASSISTANT: {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)
"""Vicuna v1.5's (FastChat's ``vicuna_v1.1``); its tokenizer brings none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One named model.

    Attributes:
        vision: hub id of the vision tower.
        language: hub id of the language model.
        vision_config: its shape, for random weights.
        text_config: likewise.
        settings: of ``Video3DConfig``.
        image_mean: that the vision tower was trained with.
        image_std: likewise.
        chat_template: for tokenizers that bring none.
        square_px: side of the square frames that the tower knows; None: any size.
    """

    vision: str
    language: str
    vision_config: Callable[[], PreTrainedConfig]
    text_config: Callable[[], PreTrainedConfig]
    settings: dict[str, Any]
    image_mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    image_std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    chat_template: str | None = None
    square_px: int | None = None


REASONING = {"reasoning_layers": 2, "reasoning_width": 256, "reasoning_heads": 8, "layout_queries": 64}
REFERENCE = {
    "depth_encoding": True,
    "camera_encoding": True,
    "temporal_layers": 4,
    "temporal_heads": 12,
    "depth_attention": True,
    "depth_head": True,
    "grounding": True,
    **REASONING,
}
"""Every part of the reference design: 4 layers of 12 heads over frames at width 768, depth, camera, reasoning."""
OFFICIAL = {
    "pool": 2,
    "pool_mode": "bilinear",
    "pool_after_projector": True,
    "gated": False,
    "vision_feature_layer": -1,
    "grounding": True,
}
"""The published Video-3D LLM (arXiv 2412.00493): no part beside the position encoding, pooled behind the projector."""


def _siglip(layers: int = 26) -> PreTrainedConfig:
    return SiglipVisionConfig(
        hidden_size=1152, intermediate_size=4304, num_hidden_layers=layers, num_attention_heads=16, image_size=384,
        patch_size=14, vision_use_head=False,
    )  # fmt: skip


def _clip() -> PreTrainedConfig:
    return CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336,
        patch_size=14, projection_dim=768,
    )  # fmt: skip


def _vicuna() -> PreTrainedConfig:
    return LlamaConfig(
        vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
        max_position_embeddings=4096, rms_norm_eps=1e-5,
    )  # fmt: skip


def _qwen2_7b() -> PreTrainedConfig:
    return Qwen2Config(
        vocab_size=152064, hidden_size=3584, intermediate_size=18944, num_hidden_layers=28, num_attention_heads=28,
        num_key_value_heads=4, max_position_embeddings=32768, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )  # fmt: skip


def _qwen25_half() -> PreTrainedConfig:
    return Qwen2Config(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )  # fmt: skip


PRESETS: dict[str, Preset] = {
    "reference": Preset(
        vision="google/vit-base-patch16-224",
        language="lmsys/vicuna-7b-v1.5",
        vision_config=lambda: ViTConfig(image_size=224),
        text_config=_vicuna,
        settings=REFERENCE,
        chat_template=VICUNA_TEMPLATE,
    ),
    "vicuna-7b": Preset(
        vision="openai/clip-vit-large-patch14-336",
        language="lmsys/vicuna-7b-v1.5",
        vision_config=_clip,
        text_config=_vicuna,
        settings=REFERENCE | {"temporal_heads": 16, "vision_feature_layer": -2},
        image_mean=(0.48145466, 0.4578275, 0.40821073),
        image_std=(0.26862954, 0.26130258, 0.27577711),
        chat_template=VICUNA_TEMPLATE,
    ),
    "qwen-0.5b": Preset(
        vision="google/siglip-so400m-patch14-384",
        language="Qwen/Qwen2.5-0.5B-Instruct",
        vision_config=lambda: _siglip(27),
        text_config=_qwen25_half,
        settings=REFERENCE | {"temporal_heads": 16, "vision_feature_layer": -2},
    ),
    "qwen-7b": Preset(
        vision="google/siglip-so400m-patch14-384",
        language="Qwen/Qwen2.5-7B-Instruct",
        vision_config=lambda: _siglip(27),
        text_config=_qwen2_7b,
        settings=REFERENCE | {"temporal_heads": 16, "vision_feature_layer": -2},
    ),
    "official": Preset(
        vision="google/siglip-so400m-patch14-384",
        language="Qwen/Qwen2-7B-Instruct",
        vision_config=_siglip,
        text_config=_qwen2_7b,
        settings=OFFICIAL,
        square_px=384,
    ),
}
"""``nano`` is not among them: it comes whole (``nano.load_nano``)."""


def find_preset(name: str) -> Preset:
    """A preset by its name.

    Raises:
        InputError: no such preset.
    """
    if name not in PRESETS:
        raise InputError("preset", expected=f"one of {', '.join(PRESETS)}", got=name)
    return PRESETS[name]


def compose(
    name: str,
    *,
    vision: str | None = None,
    language: str | None = None,
    dtype: torch.dtype = torch.bfloat16,
    **settings: Any,
) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    """A preset's towers, with their weights, and what lies between them new and untrained: a place to start training from.

    Args:
        name: of the preset.
        vision: another vision tower: a hub id or a folder. Only safetensors are read.
        language: another language model.
        dtype: of all weights.
        **settings: of ``Video3DConfig``, over the preset's.

    Raises:
        InputError: no such preset, or a tower that cannot be had.
    """
    preset = find_preset(name)
    vision, language = vision or preset.vision, language or preset.language
    try:
        loaded: Any = AutoModel.from_pretrained(vision, dtype=dtype, use_safetensors=True)
        tower: Any = loaded.vision_model if hasattr(loaded.config, "vision_config") else loaded
        model: Any = AutoModelForCausalLM.from_pretrained(language, dtype=dtype, use_safetensors=True)
        tokenizer: Any = AutoTokenizer.from_pretrained(language)
    except (OSError, ValueError) as error:
        raise InputError(
            f"preset {name}", expected=f"{vision} and {language}, folders or hub models with safetensors",
            got=(str(error).splitlines() or [""])[0], do="check the names, or fetch the models first",
        ) from error  # fmt: skip
    if not tokenizer.chat_template:
        tokenizer.chat_template = preset.chat_template
    if SCENE_TOKEN not in tokenizer.get_vocab():
        tokenizer.add_special_tokens({"additional_special_tokens": [SCENE_TOKEN]}, replace_extra_special_tokens=False)
    made = Video3DForConditionalGeneration.from_towers(
        tower,
        model,
        scene_token_id=int(tokenizer.convert_tokens_to_ids(SCENE_TOKEN)),
        blank_token_id=tokenizer.encode(" ", add_special_tokens=False)[-1],
        line_break_token_id=tokenizer.encode("\n", add_special_tokens=False)[-1],
        **(preset.settings | settings),
    )
    return made, processor_for(preset, made.config, tokenizer)


def processor_for(preset: Preset, config: Video3DConfig, tokenizer: Any) -> Video3DProcessor:
    """The processor of a preset's model."""
    return Video3DProcessor.for_model(
        config,
        tokenizer,
        image_mean=preset.image_mean,
        image_std=preset.image_std,
        max_patches=27 * 27 if preset.square_px else 576,
        square_px=preset.square_px,
    )


def random_model(
    name: str, *, dtype: torch.dtype = torch.bfloat16, device: str = "cpu", **settings: Any
) -> Video3DForConditionalGeneration:
    """The shape of a preset with random weights, made on its device: what speed and memory can be measured on."""
    preset = find_preset(name)
    text = preset.text_config()
    config = Video3DConfig(
        vision_config=preset.vision_config(), text_config=text, scene_token_id=0, **(preset.settings | settings)
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return Video3DForConditionalGeneration(config).eval()
    finally:
        torch.set_default_dtype(before)
