"""The model that a run starts from, what of it learns, and what is left of it when the run is over."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.nano import device_dtype, load_model
from video3d.model.presets import PRESETS, compose, find_preset
from video3d.model.processing_video3d import Video3DProcessor
from video3d.training.recipes import Recipe
from video3d.training.targets import CATEGORIES, EVENTS
from video3d.types import InputError, install_extra

_NEW = ("vision_config", "text_config", "scene_token_id")
LORA_SCALE = 2
"""Of the adapters' products."""
_PROCESSOR = ("max_patches", "image_mean", "image_std", "square_px")


def load_start(recipe: Recipe, device: str) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    """The model of ``recipe.start`` with the recipe's settings, in float32.

    Raises:
        InputError: no such model, or settings that none can be built from.
    """
    settings = with_heads(recipe)
    if recipe.start in PRESETS:
        try:
            model, processor = compose(recipe.start, dtype=torch.float32, **settings)
        except (TypeError, ValueError) as error:
            raise error if isinstance(error, InputError) else _bad_settings(error) from error
    else:
        model, processor = load_model(recipe.start, dtype=torch.float32, device="cpu")
        if changed(model.config, settings):
            model, processor = recompose(model, processor, settings)
    nn.Module.to(model, device)
    return model, processor


def with_heads(recipe: Recipe) -> dict[str, Any]:
    """The recipe's settings, with what the heads are to name where they learn."""
    settings = dict(recipe.settings)
    if recipe.spatial:
        settings = {"categories": list(CATEGORIES), "events": list(EVENTS)} | settings
    return settings


def changed(config: Video3DConfig, settings: Mapping[str, Any]) -> bool:
    """Whether settings ask for another model than the configuration's.

    Raises:
        InputError: a setting that there is not.
    """
    for name in settings:
        if name in _NEW or not hasattr(config, name):
            raise InputError(f"settings.{name}", expected="a field of Video3DConfig", got=name)
    same = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    return any(getattr(config, name) != value for name, value in same.items())


def recompose(
    model: Video3DForConditionalGeneration, processor: Video3DProcessor, settings: Mapping[str, Any]
) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    """The same towers with other settings; parts that both have keep their weights, others are new and untrained."""
    config, tokenizer = model.config, processor.tokenizer
    names = [name for name in Video3DConfig.__annotations__ if name not in _NEW and hasattr(config, name)]
    wanted = {name: getattr(config, name) for name in names if name != "tie_word_embeddings"} | dict(settings)
    between = {
        name: weight
        for name, weight in model.state_dict().items()
        if not name.startswith(("vision_tower.", "language_model."))
    }
    try:
        made = Video3DForConditionalGeneration.from_towers(
            model.vision_tower,
            model.language_model,
            scene_token_id=config.scene_token_id,
            blank_token_id=tokenizer.encode(" ", add_special_tokens=False)[-1],
            line_break_token_id=tokenizer.encode("\n", add_special_tokens=False)[-1],
            **wanted,
        )
    except (TypeError, ValueError) as error:
        raise _bad_settings(error) from error
    there = made.state_dict()
    fits = {name: weight for name, weight in between.items() if name in there and there[name].shape == weight.shape}
    made.load_state_dict(fits, strict=False)
    # With fewer blocks of its own all that is left fits, and yet is another head.
    if any(name.startswith("object_head.") and name not in fits for name in (*there, *between)):
        made.config.objects_trained = False
    kept = {name: getattr(processor, name) for name in _PROCESSOR}
    return made, Video3DProcessor.for_model(made.config, tokenizer, **kept)


def _bad_settings(error: Exception) -> InputError:
    return InputError(
        "settings", expected="those of a model that can be built", got=(str(error).splitlines() or [""])[0]
    )


def mark(model: Video3DForConditionalGeneration, recipe: Recipe) -> None:
    """Freeze what does not learn, put adapters on, open a shut gate, and hold frozen towers in the type that they compute in.

    Raises:
        InputError: a stage that the model has no part for.
    """
    for weight in model.parameters():
        weight.requires_grad_(False)
    if recipe.lr_vision:
        model.config.objects_trained = False  # its head has learned to read the tower as it was
    if recipe.stage == "depth":
        if model.depth_head is None:
            raise InputError(f"stage depth of {recipe.start}", expected="a model with a depth head", got="none", do="add --set settings.depth_head=true")  # fmt: skip
        _learns(model.depth_head, True)
        _learns(model.vision_tower, recipe.lr_vision > 0)
        return
    for name, part in model.named_children():
        if name not in ("vision_tower", "language_model", "reasoning", "grounding", "object_head"):
            _learns(part, True)
    if model.depth_head is not None and model.config.depth_trained and not recipe.lr_vision:
        _learns(model.depth_head, False)  # it has been trained on this very tower
    if model.reasoning is not None and recipe.spatial:
        _learns(model.reasoning, True)
    _learns(model.vision_tower, recipe.lr_vision > 0)
    _learns(model.language_model, recipe.lr_language > 0)
    gate = model.scene_projector.gate
    if gate is not None and not gate.is_meta and model.scene_closed:
        with torch.no_grad():
            gate.fill_(recipe.gate)
    low = torch.float32 if not recipe.bf16 else device_dtype(model.device.type)
    for tower, learns in ((model.vision_tower, recipe.lr_vision), (model.language_model, recipe.lr_language)):
        if not learns:
            tower.to(low)
    if model.depth_head is not None and not any(weight.requires_grad for weight in model.depth_head.parameters()):
        model.depth_head.to(low)  # it reads what the tower gives
    if recipe.lora_rank:
        add_adapters(model, recipe)


def add_adapters(model: Video3DForConditionalGeneration, recipe: Recipe) -> None:
    """Low-rank adapters (arXiv 2106.09685; PEFT) on every linear map of the language model's layers.

    Raises:
        InputError: PEFT is not installed.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise InputError("lora_rank", expected="peft", got="none", do=install_extra("train")) from error
    config = LoraConfig(r=recipe.lora_rank, lora_alpha=LORA_SCALE * recipe.lora_rank, target_modules="all-linear")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model.language_model = get_peft_model(model.language_model, config)


def _learns(part: nn.Module, yes: bool) -> None:
    for weight in part.parameters():
        weight.requires_grad_(yes)


def autocasts(recipe: Recipe, device: str) -> bool:
    """Whether steps are computed in mixed precision: where the recipe wants it and the device has it."""
    return recipe.bf16 and device_dtype(device) == torch.bfloat16


def learned(model: nn.Module) -> dict[str, nn.Parameter]:
    """What learns, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def groups(model: nn.Module, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Parameter groups of the optimiser: rate by part, no decay of vectors and numbers."""
    found: dict[tuple[float, float], list[Tensor]] = {}
    for name, weight in learned(model).items():
        rate = recipe.lr
        if "vision_tower." in name:
            rate = recipe.lr_vision
        elif "language_model." in name and ".lora_" not in name:
            rate = recipe.lr_language
        found.setdefault((rate, recipe.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    for (rate, decay), weights in found.items():
        yield {"params": weights, "lr": rate, "weight_decay": decay}


def finish(
    model: Video3DForConditionalGeneration,
    processor: Video3DProcessor,
    recipe: Recipe,
    out: Path,
    notes: dict[str, Any],
) -> None:
    """Writes the model as a folder that ``load_model`` reads: adapters merged, marked as trained, in bfloat16.

    Args:
        model: with the weights that are to be kept.
        processor: of it.
        recipe: that made it.
        out: folder, made if it is not there; the configuration comes last, so that a folder with one is whole.
        notes: for ``training.json`` beside it.
    """
    if recipe.lora_rank:
        model.language_model.base_model.model.float()  # so that the sum is rounded once
        model.language_model = model.language_model.merge_and_unload()
    config = model.config
    config.scene_trained = config.scene_trained or recipe.stage != "depth"
    if model.depth_head is not None and recipe.stage == "depth":
        config.depth_trained = True
    if model.reasoning is not None and recipe.spatial and recipe.stage != "depth":
        config.reasoning_trained = True
    nn.Module.to(model, torch.bfloat16)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".model-", dir=out, ignore_cleanup_errors=True) as scratch:
        made = Path(scratch)
        model.save_pretrained(made)
        processor.save_pretrained(made)
        (made / "training.json").write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
        for path in sorted(made.iterdir(), key=lambda path: path.name == "config.json"):
            path.replace(out / path.name)


def meta_model(recipe: Recipe) -> Video3DForConditionalGeneration:
    """The model without weights: what can be counted before anything is fetched."""
    if recipe.start in PRESETS:
        preset = find_preset(recipe.start)
        config: Any = Video3DConfig(
            vision_config=preset.vision_config(), text_config=preset.text_config(), scene_token_id=0, **preset.settings
        )
    else:
        from transformers import AutoConfig

        from video3d.model.nano import NANO, NANO_BASE, prepare_nano

        own = recipe.start in (NANO, NANO_BASE)
        folder = prepare_nano(name=recipe.start) if own else Path(recipe.start)
        if not (folder / "config.json").is_file():
            raise InputError(f"start {recipe.start}", expected="nano, a preset or a model folder", got="none")
        config = AutoConfig.from_pretrained(folder)
    changed(config, with_heads(recipe))
    for name, value in with_heads(recipe).items():
        setattr(config, name, value)
    try:
        config._check()
    except ValueError as error:
        raise _bad_settings(error) from error
    with torch.device("meta"):
        return Video3DForConditionalGeneration(config)
