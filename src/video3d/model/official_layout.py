"""What a released Video-3D LLM checkpoint is called by and set to, in this house's words.

Checkpoints of arXiv 2412.00493 are LLaVA-NeXT's: a Qwen2 language model, a SigLIP tower whose last layer was removed, a
two-layer projector and InfoNCE grounding heads. Only the released settings are known here; others are refused by name
and never guessed.
"""

import re
from collections.abc import Mapping
from typing import Any

from transformers import Qwen2Config, SiglipVisionConfig

from video3d.model.configuration_video3d import Video3DConfig
from video3d.types import InputError

# Official prefix, ours. The first that fits is taken, in both directions.
_PREFIXES = (
    ("model.vision_tower.vision_tower.vision_model.", "vision_tower."),
    ("model.mm_projector.0.", "scene_projector.linear_1."),
    ("model.mm_projector.2.", "scene_projector.linear_2."),
    ("model.image_newline", "scene_projector.separator"),
    ("ground_head_obj.", "grounding.obj."),
    ("ground_head_query.", "grounding.query."),
    ("ground_head_zero_target", "grounding.zero_target"),
    ("model.layers.", "language_model.model.layers."),
    ("model.embed_tokens.", "language_model.model.embed_tokens."),
    ("model.norm.", "language_model.model.norm."),
    ("lm_head.", "language_model.lm_head."),
)
EMBEDDINGS = "language_model.model.embed_tokens.weight"
OUTPUT = "language_model.lm_head.weight"

# Settings of the released checkpoints that decide what is computed. A checkpoint that does not name one has the
# published code's default, which is in each case the value here unless it is listed as required.
_SETTINGS: dict[str, Any] = {
    "mm_projector_type": "mlp2x_gelu",
    "mm_spatial_pool_mode": "bilinear",
    "ground_head_type": "infonce",
    "object_feature_type": "patch14-pe",
}
_REQUIRED: dict[str, Any] = {
    "mm_newline_position": "grid",
    "world_position_embedding_type": "avg-discrete-sin3d",
}
# Attention heads by width, of Google's SigLIP towers (base, large, so400m): the one size that weights do not tell.
_SIGLIP_HEADS = {768: 12, 1024: 16, 1152: 16}
_SIGLIP_PIXELS_PER_PATCH = 14

Shape = tuple[int, ...]


def house_name(official: str) -> str | None:
    """Our name of an official tensor; ``None``: it has none.

    >>> house_name("model.mm_projector.2.bias"), house_name("model.world_position_embedding.mlp.0.weight")
    ('scene_projector.linear_2.bias', None)
    """
    return _renamed(official, ((a, b) for a, b in _PREFIXES))


def official_name(house: str) -> str | None:
    """The official name of one of our tensors; ``None``: it has none.

    >>> official_name("vision_tower.post_layernorm.bias")
    'model.vision_tower.vision_tower.vision_model.post_layernorm.bias'
    """
    return _renamed(house, ((b, a) for a, b in _PREFIXES))


def _renamed(name: str, pairs: Any) -> str | None:
    for prefix, other in pairs:
        if name.startswith(prefix) and (prefix.endswith(".") or name == prefix):
            return other + name[len(prefix) :]
    return None


def house_config(
    official: Mapping[str, Any], shapes: Mapping[str, Shape], *, scene_token_id: int, rows: int, compat: bool
) -> Video3DConfig:
    """The configuration that computes what the published code computes from these settings and weights.

    Args:
        official: the checkpoint's config.json.
        shapes: of its tensors, by our names.
        scene_token_id: id of ``<scene>``.
        rows: of the embeddings that ``scene_token_id`` lies within.
        compat: repeat the published code's faults (see ``Video3DConfig.compat_unknown_depth``).

    Raises:
        InputError: another architecture, another setting, or sizes that do not agree with the weights.
    """
    if official.get("model_type") != "llava_qwen":
        raise InputError(
            "config.json", expected="model_type llava_qwen", got=repr(official.get("model_type")), do=_WHICH
        )
    for settings, required in ((_REQUIRED, True), (_SETTINGS, False)):
        for name, value in settings.items():
            found = official.get(name, None if required else value)
            if found != value:
                raise InputError(f"config.json {name}", expected=repr(value), got=repr(found), do=_WHICH)
    merge = official.get("mm_patch_merge_type", "spatial_unpad")
    if not (isinstance(merge, str) and merge.startswith("spatial")) or official.get("add_faster_video"):
        raise InputError("config.json mm_patch_merge_type", expected="'spatial_unpad'", got=repr(merge), do=_WHICH)
    grounding = "grounding.zero_target" in shapes
    return Video3DConfig(
        vision_config=_vision_config(official, shapes),
        text_config=_text_config(official, shapes, rows),
        scene_token_id=scene_token_id,
        vision_feature_layer=-1,  # the tower has lost its last layer; features are read before the final norm
        pool=2,
        pool_mode="bilinear",
        pool_after_projector=True,
        position_kind="sin3d",
        position_voxel_m=_number(official, "voxel_size", 0.1),
        position_min_m=_corner(official, "min_xyz_range", [-15.0, -15.0, -5.0]),
        position_max_m=_corner(official, "max_xyz_range", [15.0, 15.0, 5.0]),
        position_points="mean",
        row_separators=True,
        gated=False,
        grounding=grounding,
        grounding_temperature=_number(official, "ground_head_temperature", 0.07),
        ground_token_id=_first_id(official, "ground_token_ids", rows),
        coord_token_id=_first_id(official, "coord_token_ids", rows),
        compat_unknown_depth=compat,
        compat_half_coordinates=compat,
        scene_trained=True,
        grounding_trained=grounding,
    )


_WHICH = "only the released settings (avg-discrete-sin3d, grid, infonce) can be converted"


def required_shape(shapes: Mapping[str, Shape], name: str, num_axes: int) -> Shape:
    """Shape of a tensor by our name. Raises an ``InputError`` if it is missing or has another number of axes."""
    shape = shapes.get(name)
    if shape is None or len(shape) != num_axes or min(shape) < 1:
        got = "none" if shape is None else f"shape {list(shape)}"
        raise InputError(
            f"tensor {official_name(name)}", expected=f"one of {num_axes} axes", got=got, do="check the weights"
        )
    return shape


def _num_layers(shapes: Mapping[str, Shape], prefix: str) -> int:
    numbers = {int(m[1]) for name in shapes if (m := re.match(re.escape(prefix) + r"(\d{1,4})\.", name))}
    if numbers != set(range(len(numbers))) or not numbers:
        lacking = min(set(range(len(numbers) + 1)) - numbers)
        raise InputError(
            f"layers {official_name(prefix)}*", expected="layers 0, 1, 2, ...", got=f"none with number {lacking}"
        )
    return len(numbers)


def _vision_config(official: Mapping[str, Any], shapes: Mapping[str, Shape]) -> SiglipVisionConfig:
    width, channels, patch_px, _ = required_shape(shapes, "vision_tower.embeddings.patch_embedding.weight", 4)
    num_positions = required_shape(shapes, "vision_tower.embeddings.position_embedding.weight", 2)[0]
    side = round(num_positions**0.5)
    inner = required_shape(shapes, "vision_tower.encoder.layers.0.mlp.fc1.bias", 1)[0]
    own = official.get("vision_config")
    own = own if isinstance(own, Mapping) else {}
    heads = own.get("num_attention_heads", _SIGLIP_HEADS.get(width))
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise InputError(
            "vision tower",
            expected=f"a SigLIP of width {', '.join(map(str, _SIGLIP_HEADS))}, or vision_config in config.json",
            got=f"width {width} and {heads} attention heads",
        )
    # 384 px are 27 patches of 14 px and a remainder of 6 px: positions do not tell the remainder.
    image_px = 384 if (side, patch_px) == (27, _SIGLIP_PIXELS_PER_PATCH) else side * patch_px
    return SiglipVisionConfig(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=_num_layers(shapes, "vision_tower.encoder.layers."),
        num_attention_heads=heads,
        num_channels=channels,
        image_size=image_px,
        patch_size=patch_px,
        vision_use_head=False,
    )


def _text_config(official: Mapping[str, Any], shapes: Mapping[str, Shape], rows: int) -> Qwen2Config:
    width = required_shape(shapes, EMBEDDINGS, 2)[1]
    layers = _num_layers(shapes, "language_model.model.layers.")
    for name, found in (("hidden_size", width), ("num_hidden_layers", layers)):
        if official.get(name) != found:
            raise InputError(f"config.json {name}", expected=f"{found} as the weights have", got=official.get(name))
    names = (
        "intermediate_size", "num_attention_heads", "num_key_value_heads", "hidden_act", "max_position_embeddings",
        "initializer_range", "rms_norm_eps", "use_cache", "use_sliding_window", "max_window_layers", "attention_dropout",
        "bos_token_id", "eos_token_id", "pad_token_id",
    )  # fmt: skip
    given = {name: official[name] for name in names if official.get(name) is not None}
    for name in ("intermediate_size", "num_attention_heads", "num_key_value_heads"):
        if not isinstance(given.get(name), int) or not 0 < given[name] <= 2**20:
            raise InputError(f"config.json {name}", expected="a number > 0", got=official.get(name))
    if given.get("use_sliding_window"):
        given["sliding_window"] = official.get("sliding_window")
    # rope_scaling is not read: the published code sets it to none, whatever a checkpoint says.
    return Qwen2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        vocab_size=rows,
        rope_parameters={"rope_type": "default", "rope_theta": _number(official, "rope_theta", 10000.0)},
        tie_word_embeddings=OUTPUT not in shapes and bool(official.get("tie_word_embeddings")),
        **given,
    )


def _number(official: Mapping[str, Any], name: str, default: float) -> float:
    value = official.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise InputError(f"config.json {name}", expected="a number > 0", got=repr(value))
    return float(value)


def _corner(official: Mapping[str, Any], name: str, default: list[float]) -> list[float]:
    value = official.get(name, default)
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(v, int | float) for v in value):
        raise InputError(f"config.json {name}", expected="three numbers, metres", got=repr(value))
    return [float(v) for v in value]


def _first_id(official: Mapping[str, Any], name: str, rows: int) -> int | None:
    value = official.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not value or not isinstance(value[0], int) or not 0 <= value[0] < rows:
        raise InputError(f"config.json {name}", expected=f"ids of the {rows} tokens", got=repr(value))
    return value[0]
