"""How models are trained: one frozen configuration a run, one function a model and stage.

    1 depth        the depth head, from depth maps
    2 alignment    captions, and what stands where: scene tokens become words
    3 questions    3D questions of all types, with the heads for relations, layout and physics

The reference's numbers (16 frames, batch 16, rate 1e-4, weight decay 0.05, warm-up 1000, 50,000 steps) are those of its
specification; the published model's (rate 1e-5, vision 2e-6, cosine, one epoch) are arXiv 2412.00493's. A batch counts scenes: each
brings several questions, packed (``packing``).
"""

import dataclasses
import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from video3d.data.presented import Withheld
from video3d.types import InputError

Stage = Literal["depth", "alignment", "questions"]
STAGES: tuple[Stage, ...] = ("depth", "alignment", "questions")
ALL_TYPES = ("relation", "layout", "physics", "action", "grounding", "caption")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One run.

    Attributes:
        name: of the recipe.
        stage: what is learned.
        start: ``nano-base`` (``nano`` before it learned this), a preset's name, or the folder of an earlier stage.
        settings: fields of ``Video3DConfig`` over those of ``start``; what they add is new and untrained.
        frames: of every clip, evenly spread.
        without: what clips are shown without (``data.presented.Withheld``), for models that are compared with one that has it.
        facts: prompts hold the measured facts, as those of ``video3d ask`` do.
        types: of questions.
        told: questions on what stands where, made from a clip's truth, beside its rows: most a pack.
        questions: most rows of a pack.
        spatial: train the reasoning module from a clip's truth, where the model has one.
        steps: of the optimiser; 0: as many as ``epochs`` take.
        epochs: over the data.
        batch: scenes a step, over all devices.
        batch_device: scenes that a device takes at once; the rest of a batch is accumulated.
        lr: of what is new between the towers, and of adapters.
        lr_vision: of the vision tower; 0: frozen.
        lr_language: of the language model's own weights; 0: frozen.
        lora_rank: of adapters on the language model's linear maps, where its own weights are frozen; 0: none.
        weight_decay: of matrices (AdamW).
        warmup: steps until the rate is at its peak; below 1, a share of all.
        schedule: of the rate behind its peak, by the name that transformers has for it.
        max_grad_norm: gradients are cut to it.
        ema: how much of the running mean of the weights, which is what is kept, stays every step; 0: the last weights are kept.
        gate: what a shut gate is set to (the path from scene to words opens by tanh of it).
        bf16: mixed precision, where the device has it.
        checkpointing: activations are computed again on the way back.
        eval_scenes: of the held-out split, judged every ``eval_every`` steps; 0: none.
        eval_every: steps.
        save_every: steps.
        workers: processes that read data.
        seed: of everything random.
    """

    name: str
    stage: Stage
    start: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 16
    without: tuple[str, ...] = ()
    facts: bool = True
    types: tuple[str, ...] = ALL_TYPES
    told: int = 0
    questions: int = 12
    spatial: bool = False
    steps: int = 0
    epochs: float = 1.0
    batch: int = 16
    batch_device: int = 1
    lr: float = 1e-4
    lr_vision: float = 0.0
    lr_language: float = 0.0
    lora_rank: int = 0
    weight_decay: float = 0.05
    warmup: float = 0.03
    schedule: str = "cosine"
    max_grad_norm: float = 1.0
    ema: float = 0.0
    gate: float = 1.0
    bf16: bool = True
    checkpointing: bool = False
    eval_scenes: int = 16
    eval_every: int = 200
    save_every: int = 200
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run can be made from.

        Raises:
            InputError: a value out of range.
        """
        at_least(self, 1, "frames", "questions", "batch", "batch_device", "eval_every", "save_every")
        at_least(self, 0, "told", "steps", "lr", "lr_vision", "lr_language", "lora_rank", "weight_decay", "warmup")
        at_least(self, 0, "eval_scenes", "workers", "seed")
        if not 0 < self.epochs < float("inf") or not 0 < self.max_grad_norm < float("inf"):
            raise InputError("epochs, max_grad_norm", expected="above 0", got=f"{self.epochs}, {self.max_grad_norm}")
        check_ema(self.ema)
        if self.stage not in STAGES:
            raise InputError("stage", expected=f"one of {', '.join(STAGES)}", got=self.stage)
        if unknown := [one for one in self.types if one not in ALL_TYPES]:
            raise InputError("types", expected=f"of {', '.join(ALL_TYPES)}", got=unknown[0])
        if unknown := [one for one in self.without if one not in get_args(Withheld)]:
            raise InputError("without", expected=f"of {', '.join(get_args(Withheld))}", got=unknown[0])
        if self.without and (self.spatial or self.told or self.stage == "depth"):
            raise InputError("without", expected="none where depth, heads or told scenes are learned from the whole clip's truth", got=", ".join(self.without))  # fmt: skip
        if self.batch % self.batch_device:
            raise InputError("batch_device", expected=f"a divisor of batch ({self.batch})", got=self.batch_device)
        if self.lora_rank and self.lr_language:
            raise InputError("lora_rank", expected="0 where the language model learns itself (lr_language)", got=self.lora_rank)  # fmt: skip


def at_least(recipe: Any, least: int, *names: str) -> None:
    """Refuse values of a recipe that are smaller, infinite or no numbers.

    Raises:
        InputError: the first of them.
    """
    for name in names:
        if not least <= getattr(recipe, name) < float("inf"):
            raise InputError(name, expected=f"{least} or more", got=getattr(recipe, name))


def check_ema(ema: float) -> None:
    """Refuse what is no share of a running mean. Errors: ``InputError``."""
    if not 0 <= ema < 1:
        raise InputError("ema", expected="0 (none) or a share below 1", got=ema)


_FIXED = ("name", "stage", "settings")
_R = TypeVar("_R")
NANO = {"arrangement": "voxel", "token_voxel_m": 0.3, "max_scene_tokens": 160}
"""Few tokens a scene: with its words, a step reads some 1,500 tokens a scene, a quarter of which are shared by all questions."""


def nano_alignment() -> Recipe:
    """Stage 2 of ``nano``, for a CPU: tower frozen, adapters on the language model, the rest fully."""
    return replace(
        nano_questions(),
        name="nano-alignment",
        stage="alignment",
        types=("caption", "grounding"),
        told=8,
        steps=0,
    )


def nano_questions() -> Recipe:
    """Stage 3 of ``nano``, for a CPU: what it reads of things is what its object head votes for (``answers.notes``)."""
    return Recipe(
        name="nano-questions",
        stage="questions",
        start="nano-base",
        settings=NANO,
        types=("relation", "layout", "physics", "action", "caption"),  # boxes are not the language model's to say
        questions=16,
        steps=150,
        batch=4,
        lr=1e-3,
        lora_rank=32,
        weight_decay=0.01,
        ema=0.98,
        eval_scenes=8,
        eval_every=50,
        save_every=25,
    )


def _reference(stage: Stage, **more: Any) -> Recipe:
    """16 frames, batch 16, rate 1e-4, weight decay 0.05, warm-up 1000, 50,000 steps, Vicuna-7B."""
    return Recipe(
        name=f"reference-{stage}",
        stage=stage,
        start="reference",
        frames=16,
        batch=16,
        lr=1e-4,
        weight_decay=0.05,
        warmup=1000.0,
        steps=50_000,
        schedule="cosine",
        checkpointing=True,
        eval_every=1000,
        save_every=1000,
        workers=8,
        **more,
    )


def reference_depth() -> Recipe:
    """Stage 1 of the reference: depth head and vision tower."""
    return _reference("depth", lr_vision=1e-4, facts=False)


def reference_alignment() -> Recipe:
    """Stage 2 of the reference: what lies between the towers, which are frozen."""
    return _reference("alignment", types=("caption", "grounding"), told=8)


def reference_questions() -> Recipe:
    """Stage 3 of the reference: everything learns, and so do the heads."""
    return _reference("questions", lr_vision=1e-4, lr_language=1e-4, spatial=True)


def _official(stage: Stage, **more: Any) -> Recipe:
    """One epoch at 1e-5, the vision tower at 2e-6, cosine: arXiv 2412.00493. ``start``: LLaVA-Video-7B, converted."""
    return Recipe(
        name=f"official-{stage}",
        stage=stage,
        start="official",
        frames=32,
        facts=False,
        batch=128,
        lr=1e-5,
        weight_decay=0.0,
        warmup=0.03,
        epochs=1.0,
        schedule="cosine",
        checkpointing=True,
        eval_every=200,
        save_every=200,
        workers=8,
        **more,
    )


def official_alignment() -> Recipe:
    """Stage 2 of the published model: its projector alone."""
    return _official("alignment", types=("caption", "grounding"), told=8)


def official_questions() -> Recipe:
    """Stage 3 of the published model: all of it, the vision tower at a fifth of the rate."""
    return _official("questions", lr_vision=2e-6, lr_language=1e-5)


RECIPES: dict[str, Callable[[], Recipe]] = {
    make().name: make
    for make in (
        nano_alignment,
        nano_questions,
        reference_depth,
        reference_alignment,
        reference_questions,
        official_alignment,
        official_questions,
    )
}
"""The published model has no depth head, and so no first stage; that of ``nano`` is of another kind (``depth.DepthRecipe``)."""
NANO_DEPTH, NANO_OBJECTS = "nano-depth", "nano-objects"
NETWORKS = (NANO_DEPTH, NANO_OBJECTS)
"""Recipes of nano's own networks, which learn from no questions; each has values of its own."""


def find_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by its name, with some of its values changed.

    Args:
        name: of ``RECIPES``.
        changes: each ``key=value``; ``settings.KEY=value`` for one of the model's configuration.

    Raises:
        InputError: no such recipe or key, or a value of another kind.

    >>> find_recipe("nano-questions", ["steps=10", "settings.pool=1"]).settings["pool"]
    1
    """
    if name not in RECIPES:
        raise InputError("recipe", expected=f"one of {', '.join([*NETWORKS, *RECIPES])}", got=name)
    return with_changes(RECIPES[name](), changes)


def with_changes(recipe: _R, changes: Sequence[str]) -> _R:
    """A recipe (this module's or another frozen dataclass) with some of its values changed, each ``key=value``.

    Raises:
        InputError: no such key, or a value of another kind.
    """
    kinds = get_type_hints(type(recipe))
    can = [key for key, kind in kinds.items() if key not in _FIXED and (get_origin(kind) is not tuple or str in get_args(kind))]  # fmt: skip
    values: dict[str, Any] = {}
    settings = dict(getattr(recipe, "settings", {}))
    for change in changes:
        key, is_there, text = change.partition("=")
        key, text = key.strip(), text.strip()
        if not is_there or not key:
            raise InputError(f"--set {change}", expected="key=value", got="no key and value")
        if key.startswith("settings.") and "settings" in kinds:
            settings[key.removeprefix("settings.")] = _any_value(text)
        elif key not in can:
            more = ", settings.KEY" if "settings" in kinds else ""
            raise InputError(f"--set {key}", expected=f"one of {', '.join(can)}{more}", got=key)
        else:
            values[key] = _value(key, text, kinds[key])
    whole: Any = recipe
    return replace(whole, **({"settings": settings} if "settings" in kinds else {}), **values)


def _any_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _value(key: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    kinds = get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for one in kinds:
        try:
            if one is bool:
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
            if one in (int, float, str):
                return one(text)
        except (KeyError, ValueError):
            continue
    names = " or ".join(getattr(one, "__name__", str(one)) for one in kinds)
    raise InputError(f"--set {key}", expected=f"a value of kind {names}", got=text)


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """A recipe in plain values."""
    return dataclasses.asdict(replace(recipe, settings=dict(recipe.settings)))
