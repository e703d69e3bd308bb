"""SmolLM2-135M-Instruct from a GGUF file to a Hugging Face model and tokenizer.

Weights come out as the file's 4-bit blocks say (Q4_1, embeddings Q8_0), in float32, exactly what transformers' own GGUF
loading dequantises to; that loading is not used because it needs ``accelerate`` and keeps a link to the packed file.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from jaxtyping import Float
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# A slot of the vocabulary that code pre-training reserved and chat never uses. As the placeholder it needs no new row
# in the embeddings, and every id stays below the vocabulary's size.
UNUSED_TOKEN = "<empty_output>"  # noqa: S105  a word of the vocabulary

_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def _interleaved_to_halves(weight: Float[np.ndarray, "out in"], num_heads: int) -> Float[np.ndarray, "out in"]:
    """Rows of a rotary projection: GGUF pairs neighbours (2i, 2i + 1) of a head, Hugging Face pairs (i, i + half)."""
    rows, columns = weight.shape
    return weight.reshape(num_heads, rows // num_heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def convert_smollm2(path: Path, *, scene_token: str) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Read the file.

    Args:
        path: a Llama-architecture GGUF with a GPT-2 tokenizer split as SmolLM's is.
        scene_token: takes the place of ``UNUSED_TOKEN`` in the vocabulary.

    Raises:
        ValueError: another architecture or tokenizer.
    """
    reader = gguf.GGUFReader(str(path))
    fields = {name: field.contents() for name, field in reader.fields.items()}
    kind = (fields["general.architecture"], fields["tokenizer.ggml.model"], fields["tokenizer.ggml.pre"])
    if kind != ("llama", "gpt2", "smollm"):
        raise ValueError(f"{path.name}: expected architecture llama with tokenizer gpt2/smollm, got {kind}")
    config = LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=fields["llama.attention.head_count"],
        num_key_value_heads=fields["llama.attention.head_count_kv"],
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        tie_word_embeddings=not any(tensor.name == "output.weight" for tensor in reader.tensors),
        bos_token_id=fields["tokenizer.ggml.bos_token_id"],
        eos_token_id=fields["tokenizer.ggml.eos_token_id"],
        pad_token_id=fields["tokenizer.ggml.padding_token_id"],
    )
    weights = _state_dict(reader, config)
    loaded: Any = LlamaForCausalLM.from_pretrained(None, config=config, state_dict=weights, output_loading_info=True)
    model, info = loaded
    wrong = {key: sorted(info[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info.get(key)}
    if wrong:
        raise ValueError(f"{path.name}: expected the weights of SmolLM2-135M-Instruct, got {wrong}")
    tokenizer = _tokenizer(fields, scene_token)
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        suppress_tokens=[tokenizer.get_vocab()[scene_token]],
    )
    return model.eval(), tokenizer


def _state_dict(reader: gguf.GGUFReader, config: LlamaConfig) -> dict[str, torch.Tensor]:
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    weights = {}
    for tensor in reader.tensors:
        # Copied: unpacked tensors are a read-only view of the file.
        values = np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        block, _, rest = tensor.name.partition(".")
        if block == "blk":
            layer, part, _ = rest.split(".")
            if part in heads:
                values = _interleaved_to_halves(values, int(heads[part] or 0))
            name = f"model.layers.{layer}.{_NAMES[part]}.weight"
        else:
            name = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}[
                block
            ] + ".weight"
        weights[name] = torch.from_numpy(np.ascontiguousarray(values))
    return weights


def _tokenizer(fields: dict[str, Any], scene_token: str) -> PreTrainedTokenizerFast:
    words = [scene_token if word == UNUSED_TOKEN else word for word in fields["tokenizer.ggml.tokens"]]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    backend = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges))
    # "smollm" splits numbers into digits before the GPT-2 pattern.
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    control = [word for word, kind in zip(words, fields["tokenizer.ggml.token_type"], strict=True) if kind == 3]
    backend.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in control])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=words[fields["tokenizer.ggml.bos_token_id"]],
        eos_token=words[fields["tokenizer.ggml.eos_token_id"]],
        pad_token=words[fields["tokenizer.ggml.padding_token_id"]],
        unk_token=words[fields["tokenizer.ggml.unknown_token_id"]],
        additional_special_tokens=control,
        chat_template=fields["tokenizer.chat_template"],
        model_max_length=fields["llama.context_length"],
        padding_side="left",
    )
