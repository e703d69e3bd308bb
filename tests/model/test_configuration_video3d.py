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
