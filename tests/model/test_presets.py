"""Presets: shapes on the meta device, composition from saved towers, templates."""

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, ViTConfig

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.presets import PRESETS, VICUNA_TEMPLATE, compose, find_preset
from video3d.types import InputError


@pytest.mark.parametrize("name", PRESETS)
def test_shapes_are_the_named_models(name):
    preset = find_preset(name)
    config = Video3DConfig(vision_config=preset.vision_config(), text_config=preset.text_config(), **preset.settings)
    with torch.device("meta"):
        model = Video3DForConditionalGeneration(config)
    count = {part: sum(p.numel() for p in module.parameters()) / 1e9 for part, module in model.named_children()}
    language = {"qwen-0.5b": 0.494, "qwen-7b": 7.616, "official": 7.616}.get(name, 6.738)
    assert count["language_model"] == pytest.approx(language, abs=0.01)
    vision = {"reference": 0.086, "vicuna-7b": 0.303, "official": 0.400}.get(name, 0.413)
    assert count["vision_tower"] == pytest.approx(vision, abs=0.016)
    if name == "reference":
        layers = model.video_encoder.temporal.layers
        assert (len(layers), layers[0].heads, layers[0].qkv.in_features) == (4, 12, 768)


def test_towers_from_folders_are_composed_with_their_template(tmp_path, tokenizer_of_letters):
    size = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    AutoModel.from_config(ViTConfig(patch_size=4, image_size=16, **size)).save_pretrained(tmp_path / "vision")
    AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=300, **size)).save_pretrained(tmp_path / "language")
    tokenizer_of_letters.save_pretrained(tmp_path / "language")
    model, processor = compose(
        "reference", vision=str(tmp_path / "vision"), language=str(tmp_path / "language"), dtype=torch.float32,
        temporal_heads=4, reasoning_width=32, reasoning_heads=2,
    )  # fmt: skip
    assert model.get_input_embeddings().weight.shape[0] >= processor.scene_token_id + 1
    prompt = processor.prompt("Where is it?", 2)
    assert prompt.endswith(" USER: <scene><scene>\nWhere is it? ASSISTANT:") and prompt.startswith("A chat between")
    assert processor.geometry == ["depth", "camera", "time"]


def test_vicunas_template_takes_a_system_message_and_turns(tokenizer_of_letters):
    tokenizer_of_letters.chat_template = VICUNA_TEMPLATE
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")]
    written = tokenizer_of_letters.apply_chat_template(
        [{"role": role, "content": content} for role, content in turns], tokenize=False, add_generation_prompt=True
    )
    assert written == "Be brief. USER: Hi ASSISTANT: Hello<end> USER: Bye ASSISTANT:"


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="one of reference"):
        find_preset("gpt-9")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="preset official"):
        compose("official", vision=str(tmp_path / "empty"), language=str(tmp_path / "empty"))


@pytest.fixture
def tokenizer_of_letters() -> PreTrainedTokenizerFast:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    special = ["<unk>", "<bos>", "<end>"]
    words = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(word, special=True, normalized=False) for word in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<bos>", eos_token="<end>", pad_token="<end>", unk_token="<unk>"
    )
