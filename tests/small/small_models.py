"""Models of a few thousand random weights: fast, and of every kind that the contract is promised for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    CLIPVisionConfig,
    DeiTConfig,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    DINOv3ViTConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    SiglipVisionConfig,
    ViTConfig,
)

from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.processing_video3d import SCENE_TOKEN, Video3DProcessor
from video3d.types import PatchPoints, PosedClip, World

WIDTH = 24
VISION = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "patch_size": 4,
}
TOWERS: dict[str, Callable[[], PreTrainedConfig]] = {
    "dinov2": lambda: Dinov2Config(image_size=20, mlp_ratio=2, **VISION),
    "dinov2_registers": lambda: Dinov2WithRegistersConfig(image_size=20, mlp_ratio=2, num_register_tokens=3, **VISION),
    "dinov3": lambda: DINOv3ViTConfig(image_size=20, num_register_tokens=2, **VISION),
    "siglip": lambda: SiglipVisionConfig(image_size=20, **VISION),
    "clip": lambda: CLIPVisionConfig(image_size=20, **VISION),
    "vit": lambda: ViTConfig(image_size=20, **VISION),
    "deit": lambda: DeiTConfig(image_size=20, **VISION),
}
TEXT = {
    "vocab_size": 320,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "pad_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LANGUAGE: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**TEXT),
    "llama_tied": lambda: LlamaConfig(tie_word_embeddings=True, **TEXT),
    "qwen2": lambda: Qwen2Config(**TEXT),
    "mistral_sliding": lambda: MistralConfig(sliding_window=16, **TEXT),
    "gpt2": lambda: GPT2Config(
        vocab_size=320, n_embd=32, n_layer=2, n_head=4, n_positions=512, bos_token_id=1, eos_token_id=2
    ),
}

MakeModel = Callable[..., Video3DForConditionalGeneration]


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, a chat template, and the placeholder."""
    special = ["<unk>", "<bos>", "<end>", SCENE_TOKEN]
    words = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in special])
    template = (
        "{% for m in messages %}<bos>{{ m['role'] }}\n{{ m['content'] }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<bos>assistant\n{% endif %}"
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<bos>",
        eos_token="<end>",
        pad_token="<end>",
        unk_token="<unk>",
        additional_special_tokens=[SCENE_TOKEN],
        chat_template=template,
        padding_side="left",
    )


@pytest.fixture
def make_model(tokenizer: PreTrainedTokenizerFast) -> MakeModel:
    """A model by the names of its towers; ``gate`` opens the scene (None leaves it shut)."""

    def make(vision: str = "dinov2", language: str = "llama", *, gate: float | None = 0.7, **settings: Any):
        torch.manual_seed(3)
        model = Video3DForConditionalGeneration.from_towers(
            AutoModel.from_config(TOWERS[vision]()),
            AutoModelForCausalLM.from_config(LANGUAGE[language]()),
            scene_token_id=int(tokenizer.convert_tokens_to_ids(SCENE_TOKEN)),
            blank_token_id=tokenizer.encode(" ")[0],
            line_break_token_id=tokenizer.encode("\n")[0],
            seed=5,
            **settings,
        )
        if model.scene_projector.gate is not None and gate is not None:
            model.scene_projector.gate.data.fill_(gate)
        # Larger than the usual 0.02: with so few units, logits would hardly depend on anything.
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data.mul_(4)
        return model.eval()

    return make


@pytest.fixture
def processor(tokenizer: PreTrainedTokenizerFast) -> Video3DProcessor:
    """For patches of 4 px, two a token."""
    return Video3DProcessor(tokenizer, patch_px=4, pool=2, max_patches=24)


def depths(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Metres, a quarter of the pixels unknown."""
    depth = rng.uniform(0.5, 5.0, (num_frames, 16, 24)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.25] = np.nan
    return depth


def poses(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Cameras near the origin, turned about the vertical."""
    pose = np.tile(np.eye(4), (num_frames, 1, 1))
    for one, angle in zip(pose, rng.uniform(-2, 2, num_frames), strict=True):
        one[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        one[:3, 3] = rng.uniform(-1, 1, 3)
    return pose


@pytest.fixture
def make_clip() -> Callable[..., tuple[PosedClip, PatchPoints]]:
    """Random frames of 16 x 24 px (2 x 3 tokens) and random points, a third of them unknown."""

    def make(num_frames: int = 2, seed: int = 0) -> tuple[PosedClip, PatchPoints]:
        rng = np.random.default_rng(seed)
        f, gh, gw = num_frames, 4, 6
        share = np.where(rng.random((f, gh, gw)) < 0.33, 0.0, rng.random((f, gh, gw))).astype(np.float32)
        points = rng.uniform(-4, 4, (f, gh, gw, 3)).astype(np.float32)
        points[share == 0] = np.nan
        clip = PosedClip(
            frame_index=np.arange(f, dtype=np.int64),
            time_s=np.arange(f, dtype=np.float64),
            rgb=rng.integers(0, 256, (f, 16, 24, 3), dtype=np.uint8),
            depth_m=depths(rng, f),
            k_px=np.tile(np.array([[20.0, 0, 12], [0, 20, 8], [0, 0, 1]]), (f, 1, 1)),
            world_from_camera=poses(rng, f),
            piece=np.zeros(f, np.int64),
            world=World(metric=True),
        )
        depth = np.where(share > 0, np.float32(2), np.float32(np.nan))
        return clip, PatchPoints(points_world=points, depth_m=depth, valid_share=share, patch_px=4)

    return make
