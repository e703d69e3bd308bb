"""Tiny checkpoints in the layout of the released Video-3D LLM: weights from a seed, a tokenizer of single bytes."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<ground>", "<coord>"]
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
NUM_TOKENS = len(BYTES) + len(SPECIAL)
GROUND, COORD = NUM_TOKENS - 2, NUM_TOKENS - 1
VISION = "model.vision_tower.vision_tower.vision_model."


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """Sizes of a checkpoint. Heads have 128 channels wherever the published code runs: its rotary embedding is cut so."""

    width: int = 48
    heads: int = 4
    kv_heads: int = 2
    inner: int = 64
    layers: int = 2
    vision_width: int = 32
    vision_heads: int = 2
    vision_inner: int = 48
    vision_layers: int = 2
    rows: int = NUM_TOKENS
    grounding: bool = True
    seed: int = 0


def shapes(tiny: Tiny) -> dict[str, tuple[int, ...]]:
    v, w, inner, v_inner = tiny.vision_width, tiny.width, tiny.inner, tiny.vision_inner
    kv = w // tiny.heads * tiny.kv_heads

    def linear(name, rows, columns, bias=True):
        return {f"{name}.weight": (rows, columns)} | ({f"{name}.bias": (rows,)} if bias else {})

    def norm(name, width):
        return {f"{name}.weight": (width,), f"{name}.bias": (width,)}

    found = {
        f"{VISION}embeddings.patch_embedding.weight": (v, 3, 14, 14),
        f"{VISION}embeddings.patch_embedding.bias": (v,),
        f"{VISION}embeddings.position_embedding.weight": (729, v),
        **norm(f"{VISION}post_layernorm", v),
        **linear("model.mm_projector.0", w, v),
        **linear("model.mm_projector.2", w, w),
        "model.image_newline": (w,),
        "model.embed_tokens.weight": (tiny.rows, w),
        "model.norm.weight": (w,),
        "lm_head.weight": (tiny.rows, w),
    }
    for i in range(tiny.vision_layers):
        layer = f"{VISION}encoder.layers.{i}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            found |= linear(f"{layer}self_attn.{part}", v, v)
        found |= norm(f"{layer}layer_norm1", v) | norm(f"{layer}layer_norm2", v)
        found |= linear(f"{layer}mlp.fc1", v_inner, v) | linear(f"{layer}mlp.fc2", v, v_inner)
    for i in range(tiny.layers):
        layer = f"model.layers.{i}."
        found |= linear(f"{layer}self_attn.q_proj", w, w)
        found |= linear(f"{layer}self_attn.k_proj", kv, w) | linear(f"{layer}self_attn.v_proj", kv, w)
        found |= linear(f"{layer}self_attn.o_proj", w, w, bias=False)
        found |= linear(f"{layer}mlp.gate_proj", inner, w, bias=False)
        found |= linear(f"{layer}mlp.up_proj", inner, w, bias=False)
        found |= linear(f"{layer}mlp.down_proj", w, inner, bias=False)
        found |= {f"{layer}input_layernorm.weight": (w,), f"{layer}post_attention_layernorm.weight": (w,)}
    if tiny.grounding:
        for head in ("ground_head_obj", "ground_head_query"):
            found |= linear(f"{head}.0", w, w) | norm(f"{head}.2", w) | linear(f"{head}.3", w, w)
        found["ground_head_zero_target"] = (w,)
    return found


def weights(tiny: Tiny) -> dict[str, torch.Tensor]:
    """The same numbers whatever the order and the version of torch: each tensor has its own generator."""
    made = {}
    for name, shape in shapes(tiny).items():
        values = np.random.default_rng([tiny.seed, zlib.crc32(name.encode())]).standard_normal(shape)
        is_norm = len(shape) == 1 and name.endswith("weight")
        if is_norm:
            values = 1.0 + 0.2 * values
        elif name.endswith("bias"):
            values = 0.1 * values
        elif len(shape) > 1 and "embed_tokens" not in name:
            values = values / np.sqrt(np.prod(shape[1:]))
        made[name] = torch.from_numpy(values.astype(np.float32))
    return made


def config(tiny: Tiny) -> dict:
    made = {
        "architectures": ["LlavaQwenForCausalLM"],
        "model_type": "llava_qwen",
        "hidden_size": tiny.width,
        "intermediate_size": tiny.inner,
        "num_hidden_layers": tiny.layers,
        "num_attention_heads": tiny.heads,
        "num_key_value_heads": tiny.kv_heads,
        "hidden_act": "silu",
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "use_sliding_window": False,
        "sliding_window": 4096,
        "max_window_layers": 2,
        "tie_word_embeddings": False,
        "vocab_size": 152064,  # as released: what the weights have counts
        "bos_token_id": len(BYTES),
        "eos_token_id": len(BYTES) + 2,
        "mm_hidden_size": tiny.vision_width,
        "mm_vision_tower": "google/siglip-so400m-patch14-384",
        "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad",
        "mm_newline_position": "grid",
        "mm_spatial_pool_mode": "bilinear",
        "mm_spatial_pool_stride": 2,
        "world_position_embedding_type": "avg-discrete-sin3d",
        "voxel_size": 0.1,
        "min_xyz_range": [-15, -15, -5],
        "max_xyz_range": [15, 15, 5],
        "coord_token_ids": [COORD],
        "vision_config": {"num_attention_heads": tiny.vision_heads},
    }
    if tiny.grounding:
        made |= {
            "ground_head_type": "infonce",
            "ground_head_temperature": 0.07,
            "ground_token_ids": [GROUND],
            "object_feature_type": "patch14-pe",
        }
    return made


def write(folder: Path, tiny: Tiny, *, num_files: int = 1, dtype: torch.dtype = torch.float32) -> Path:
    """Make a checkpoint of one file, or of several with an index."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config(tiny), indent=2))
    _write_tokenizer(folder)
    tensors = {name: value.to(dtype) for name, value in weights(tiny).items()}
    if num_files == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    files, names = {}, sorted(tensors)
    for i in range(num_files):
        file = f"model-{i + 1:05d}-of-{num_files:05d}.safetensors"
        files |= dict.fromkeys(names[i::num_files], file)
        save_file({name: tensors[name] for name in names[i::num_files]}, folder / file, metadata={"format": "pt"})
    size = sum(value.numel() * value.element_size() for value in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": {name: files[name] for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    return folder


def _write_tokenizer(folder: Path) -> None:
    vocab = {word: i for i, word in enumerate(BYTES)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n")
    added = {
        str(len(BYTES) + i): {
            "content": word, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": word.startswith("<|"),
        }
        for i, word in enumerate(SPECIAL)
    }  # fmt: skip
    settings = {
        "tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": added, "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>", "unk_token": None, "bos_token": None, "errors": "replace",
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "model_max_length": 4096,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
    (folder / "added_tokens.json").write_text(json.dumps({word: len(BYTES) + i for i, word in enumerate(SPECIAL)}))
