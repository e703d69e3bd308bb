"""GGUF to Hugging Face, on a small file that the test writes, where every number is known."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from video3d.model.convert_smollm2 import UNUSED_TOKEN, convert_smollm2

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", UNUSED_TOKEN]
WORDS = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġa", "12"]
CONFIG = LlamaConfig(
    vocab_size=len(WORDS),
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    rope_parameters={"rope_type": "default", "rope_theta": 50000.0},
    rms_norm_eps=1e-5,
    max_position_embeddings=128,
    tie_word_embeddings=True,
)


def halves_to_interleaved(weight, num_heads):
    """What llama.cpp does to rotary projections: row i and row i + half of a head become neighbours."""
    rows = weight.reshape(num_heads, 2, -1, weight.shape[1])
    return np.stack([rows[:, 0], rows[:, 1]], 2).reshape(weight.shape)


def write(path: Path, model: LlamaForCausalLM, architecture: str = "llama") -> None:
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_embedding_length(CONFIG.hidden_size)
    writer.add_feed_forward_length(CONFIG.intermediate_size)
    writer.add_block_count(CONFIG.num_hidden_layers)
    writer.add_head_count(CONFIG.num_attention_heads)
    writer.add_head_count_kv(CONFIG.num_key_value_heads)
    writer.add_context_length(CONFIG.max_position_embeddings)
    writer.add_layer_norm_rms_eps(CONFIG.rms_norm_eps)
    writer.add_rope_freq_base(CONFIG.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(WORDS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(WORDS) - len(SPECIAL)))
    writer.add_token_merges(["Ġ a", "1 2"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{{ messages[0]['content'] }}")
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    for name, value in model.state_dict().items():
        array = value.numpy()
        if "layers" not in name:
            if name != "lm_head.weight":
                writer.add_tensor(
                    {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name],
                    array,
                )
            continue
        _, _, layer, *rest, _ = name.split(".")
        part = parts[".".join(rest)]
        heads = {"attn_q": CONFIG.num_attention_heads, "attn_k": CONFIG.num_key_value_heads}.get(part)
        array = halves_to_interleaved(array, heads) if heads else array
        if part == "ffn_up":  # one packed tensor
            packed = gguf.quants.quantize(array, gguf.GGMLQuantizationType.Q4_1)
            writer.add_tensor(f"blk.{layer}.{part}.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
        else:
            writer.add_tensor(f"blk.{layer}.{part}.weight", np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(CONFIG).eval()
    for name, value in model.named_parameters():
        value.data = torch.randn_like(value) * (0.2 if value.ndim > 1 else 1)
        if "up_proj" in name:  # what survives four bits
            packed = gguf.quants.quantize(value.detach().numpy(), gguf.GGMLQuantizationType.Q4_1)
            value.data = torch.from_numpy(gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q4_1).copy())
    return model


def test_weights_come_back_bit_by_bit_and_compute_the_same(model, tmp_path):
    write(tmp_path / "tiny.gguf", model)
    found, _ = convert_smollm2(tmp_path / "tiny.gguf", scene_token="<scene>")
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    ids = torch.randint(0, len(WORDS), (1, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(found(ids).logits, model(ids).logits)
    found.save_pretrained(tmp_path / "out")  # models loaded from GGUF by transformers refuse


def test_tokenizer_splits_digits_keeps_specials_whole_and_holds_the_scene(model, tmp_path):
    write(tmp_path / "tiny.gguf", model)
    found, tokenizer = convert_smollm2(tmp_path / "tiny.gguf", scene_token="<scene>")
    assert tokenizer.tokenize("a 12<|im_end|><scene>") == ["a", "Ġ", "1", "2", "<|im_end|>", "<scene>"]
    assert tokenizer.tokenize("b a") == ["b", "Ġa"]
    assert tokenizer.convert_tokens_to_ids("<scene>") == SPECIAL.index(UNUSED_TOKEN)
    assert UNUSED_TOKEN not in tokenizer.get_vocab()
    assert tokenizer.decode(tokenizer("héllo, 1.5 m").input_ids) == "héllo, 1.5 m"
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.padding_side) == ("<|im_end|>", "<|im_end|>", "left")
    assert found.generation_config.suppress_tokens == [3]


def test_another_architecture_is_refused(model, tmp_path):
    write(tmp_path / "tiny.gguf", model, "qwen2")
    with pytest.raises(ValueError, match=r"tiny\.gguf: expected architecture llama"):
        convert_smollm2(tmp_path / "tiny.gguf", scene_token="<scene>")
