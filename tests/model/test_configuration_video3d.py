"""The configuration refuses what no model can be built from."""

import pytest
from transformers import CLIPConfig, Dinov2Config, LlamaConfig, SiglipConfig

from video3d.model.configuration_video3d import Video3DConfig


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"position_kind": "cosine"}, "position_kind"),
        ({"pool_mode": "max"}, "pool_mode"),
        ({"pool": 0}, "pool"),
        ({"position_voxel_m": 0.0}, "position_voxel_m"),
        ({"position_min_m": (0.0, 0.0, 9.0)}, "position_min_m"),
        ({"position_max_m": (15.0, 15.0)}, "position_max_m"),
    ],
)
def test_bad_settings_are_named(setting, word):
    with pytest.raises(ValueError, match=word):
        Video3DConfig(**setting)


@pytest.mark.parametrize("whole", [CLIPConfig, SiglipConfig])
def test_the_vision_half_of_a_two_tower_model_is_taken(whole):
    config = Video3DConfig(vision_config=whole())
    assert config.vision_config.model_type.endswith("vision_model")
    assert config.patch_px in (16, 32)


def test_patches_must_be_square():
    with pytest.raises(ValueError, match="square"):
        _ = Video3DConfig(vision_config=Dinov2Config(patch_size=(14, 16))).patch_px


def test_tying_follows_the_language_model():
    assert Video3DConfig(text_config=LlamaConfig(tie_word_embeddings=True)).tie_word_embeddings
    assert not Video3DConfig(text_config=LlamaConfig()).tie_word_embeddings


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"depth_attention": True}, "temporal_layers"),
        ({"max_scene_tokens": 9}, "arrangement voxel"),
        ({"pool": 2.5}, "pool"),
        ({"projector_width": 0}, "projector_width"),
        ({"temporal_layers": "2"}, "temporal_layers"),
        ({"temporal_layers": None}, "temporal_layers"),
        ({"object_blocks": None}, "object_blocks"),
        ({"object_zoom": 0}, "object_zoom"),
        ({"object_zoom": 2}, "object_zoom"),  # without a head
        ({"object_zoom": 64, "object_head": True, "categories": ["chair"]}, "object_zoom"),
        ({"coord_token_id": -1}, "coord_token_id"),
        ({"position_temperature": 0.0}, "position_temperature"),
        ({"position_voxel_m": float("inf")}, "position_voxel_m"),
        ({"position_max_m": (float("inf"), 1.0, 1.0)}, "position_min_m"),
        ({"depth_loss_weight": float("nan")}, "depth_loss_weight"),
        ({"arrangement": "heap"}, "arrangement"),
        ({"arrangement": "voxel", "position_points": "minmax"}, "position_points"),
        ({"reasoning_layers": 1, "reasoning_width": 10, "reasoning_heads": 4}, "reasoning_heads"),
    ],
)
def test_values_that_no_model_works_with_are_named(settings, named):
    with pytest.raises(ValueError, match=named):
        Video3DConfig(**settings)
