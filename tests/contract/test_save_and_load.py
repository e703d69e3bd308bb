"""Saved and found again by the Auto classes, with the same weights to the last bit."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.processing_video3d import Video3DProcessor
from video3d.types import InputError

PAIRS = [(vision, "llama") for vision in ("dinov2", "dinov2_registers", "dinov3", "siglip", "clip", "vit", "deit")]
PAIRS += [("dinov2", language) for language in ("llama_tied", "qwen2", "mistral_sliding", "gpt2")]


@pytest.mark.parametrize("towers", PAIRS)
def test_logits_survive_saving_bit_by_bit(towers, make_model, processor, make_clip, tmp_path: Path):
    model = make_model(*towers, position_kind="mlp")
    batch = processor(*make_clip(), "Where is the door?")
    with torch.no_grad():
        before = model(**batch).logits
    model.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    again = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(again) is Video3DForConditionalGeneration
    with torch.no_grad():
        assert torch.equal(again.eval()(**batch).logits, before)
    assert before.isfinite().all()


def test_every_weight_is_loaded_and_none_left_over(make_model, tmp_path):
    make_model("dinov2", "llama_tied").save_pretrained(tmp_path)
    _, info = Video3DForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]


def test_tied_embeddings_stay_tied(make_model, tmp_path):
    make_model("dinov2", "llama_tied").save_pretrained(tmp_path)
    again = Video3DForConditionalGeneration.from_pretrained(tmp_path)
    assert again.get_output_embeddings().weight is again.get_input_embeddings().weight


def test_config_comes_back_with_its_towers(make_model, tmp_path):
    config = make_model("siglip", "qwen2", pool=3, pool_mode="avg", position_voxel_m=0.2, scene_trained=True).config
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert type(again) is Video3DConfig
    names = {"_name_or_path"}
    assert {key: value for key, value in again.to_dict().items() if key not in names} == {
        key: value for key, value in config.to_dict().items() if key not in names
    }
    assert (again.vision_config.model_type, again.text_config.model_type) == ("siglip_vision_model", "qwen2")


def test_processor_comes_back_and_makes_the_same_batch(processor, make_model, make_clip, tmp_path):
    make_model().config.save_pretrained(tmp_path)  # AutoProcessor asks the configuration whose processor it is
    processor.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    assert type(again) is Video3DProcessor
    clip, points = make_clip()
    before, after = processor(clip, points, "How far?"), again(clip, points, "How far?")
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(before[name].nan_to_num(-9.0), after[name].nan_to_num(-9.0)), name


def test_half_precision_loads_and_runs_and_keeps_points_exact(make_model, processor, make_clip, tmp_path):
    make_model("dinov2", "llama").save_pretrained(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    batch = processor(*make_clip(), "How far?")
    with torch.no_grad():
        logits = model(**batch).logits
    assert logits.dtype == torch.bfloat16 and logits.isfinite().all()
    with pytest.raises(InputError, match=r"points_world.*float32"):
        model.encode_scene(batch["pixel_values"].bfloat16(), batch["points_world"].bfloat16(), batch["valid_share"])


def test_composing_twice_gives_the_same_model(make_model):
    first, second = make_model().state_dict(), make_model().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_placeholder_gets_a_row_where_the_vocabulary_has_none(make_model):
    model = make_model()
    grown = Video3DForConditionalGeneration.from_towers(model.vision_tower, model.language_model, scene_token_id=400)
    assert grown.get_input_embeddings().weight.shape[0] == 401
