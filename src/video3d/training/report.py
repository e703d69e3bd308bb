"""What a run will cost, before it, and what it was, after it."""

import json
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.presets import PRESETS
from video3d.replaced import replaced
from video3d.training.features import first_trained
from video3d.training.recipes import Recipe

_BYTES_A_TOKEN = 4
"""Of English text, for tokenizers of 32,000 words and more; only an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A line of the parameter table: how many there are and how many learn."""

    name: str
    total: int
    learned: int


def parts_of(model: nn.Module) -> list[Part]:
    """The model's parts; weights that two of them share count once, adapters count to the language model."""
    seen: set[int] = set()
    parts = []
    for name, part in model.named_children():
        weights = [weight for weight in part.parameters() if id(weight) not in seen]
        seen |= {id(weight) for weight in weights}
        learned = sum(weight.numel() for weight in weights if weight.requires_grad)
        parts.append(Part(name=name, total=sum(weight.numel() for weight in weights), learned=learned))
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run will take, estimated.

    Attributes:
        tokens: that the language model reads of one scene with its questions.
        flops: of one step, multiplications and additions, without attention scores.
        rate: of this device, flops a second, in large matrix products in the recipe's precision; measured.
        weights_bytes: of weights.
        learning_bytes: of gradients and the optimiser's two means, float32.
        activation_bytes: of what is kept for the way back, by 34 bytes a token, layer and unit of width (arXiv 2205.05198, without
            attention scores), 2 with checkpointing.
    """

    tokens: int
    flops: float
    rate: float
    weights_bytes: int
    learning_bytes: int
    activation_bytes: int

    @property
    def step_s(self) -> float:
        """Seconds a step at half of the measured rate, which is what steps reach."""
        return self.flops / (0.5 * self.rate)


def estimate(model: Video3DForConditionalGeneration, recipe: Recipe, pack_bytes: Sequence[int], rate: float) -> Cost:
    """From the model's shape alone (its weights may be on ``meta``), the bytes of rows a pack, and a device's rate."""
    config, language = model.config, model.language_model
    rows = patch_rows(recipe)
    patches = recipe.frames * rows**2
    scene = recipe.frames * (-(-rows // config.pool)) ** 2
    if config.arrangement == "voxel" and config.max_scene_tokens:
        scene = min(scene, config.max_scene_tokens)
    # A row has both languages and much else: about a sixth of it is question and answer in English.
    words = sum(pack_bytes) / max(len(pack_bytes), 1) / 6 / _BYTES_A_TOKEN
    tokens = round(scene + (200 if recipe.facts else 0) + words) if recipe.stage != "depth" else 0
    embeddings = language.get_input_embeddings().weight.numel()
    parts = {part.name: part for part in parts_of(model)}
    body = parts["language_model"].total - embeddings
    learned_share = parts["language_model"].learned / max(parts["language_model"].total, 1)
    flops = 2.0 * body * tokens * (2 + (1 if learned_share > 0.5 else learned_share))
    tower = parts["vision_tower"]
    if first_trained(model) == "pixels":
        flops += 2.0 * tower.total * patches * (3 if tower.learned else 1)
    between = sum(part.total for part in parts.values() if part.name not in ("language_model", "vision_tower"))
    flops += 2.0 * between * scene * 3
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    learns = sum(part.learned for part in parts.values())
    text: Any = language.config
    each = 2 if recipe.checkpointing else 34
    activation = each * tokens * text.hidden_size * text.num_hidden_layers * recipe.batch_device
    if tower.learned:
        vision: Any = model.vision_tower.config
        activation += each * patches * vision.hidden_size * vision.num_hidden_layers * recipe.batch_device
    return Cost(
        tokens=tokens, flops=flops * recipe.batch, rate=rate, weights_bytes=weights, learning_bytes=12 * learns,
        activation_bytes=activation,
    )  # fmt: skip


def patch_rows(recipe: Recipe) -> int:
    """Rows of patches of a square frame, as the processor of the recipe's model cuts it."""
    preset = PRESETS.get(recipe.start)
    if preset is None:
        return 16
    return 27 if preset.square_px else 24


def measured_rate(device: str, dtype: torch.dtype) -> float:
    """Multiplications and additions a second of this device in products of matrices of 2,048."""
    a = torch.randn(2048, 2048, device=device, dtype=dtype)
    (a @ a).sum().item()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 0.5:
        (a @ a).sum().item()
        count += 1
    return 2 * 2048**3 * count / (time.perf_counter() - began)


def plan_text(model: Video3DForConditionalGeneration, recipe: Recipe, cost: Cost, steps: int) -> str:
    """What ``--dry-run`` prints."""
    lines = [
        f"{recipe.name}: {steps} steps of {recipe.batch} scenes",
        "",
        f"{'part':<18} {'weights':>14} {'learned':>14}",
    ]
    for part in parts_of(model):
        lines.append(f"{part.name:<18} {part.total:>14,} {part.learned:>14,}" + ("" if part.learned else "  frozen"))
    giga = 2**30
    whole = (cost.weights_bytes + cost.learning_bytes + cost.activation_bytes) / giga
    lines += [
        "",
        f"computed once a clip  {first_trained(model)}",
        f"tokens a scene        {cost.tokens} (its own, facts, and its questions)",
        f"memory a device       {whole:.1f} GiB: weights {cost.weights_bytes / giga:.1f}, gradients and optimiser "
        f"{cost.learning_bytes / giga:.1f}, activations about {cost.activation_bytes / giga:.1f}",
        f"compute               {cost.flops / 1e12:.2f} TFLOP a step; here {cost.rate / 1e12:.2f} TFLOP/s measured, half of it reached",
        f"time on this device   {cost.step_s:.1f} s a step, {steps * cost.step_s / 3600:.1f} h in all (estimated)",
    ]
    return "\n".join(lines)


def device_name() -> str:
    """What runs are computed on."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {torch.get_num_threads()} threads"


def write_report(report: dict[str, Any], model: nn.Module, out: Path) -> None:
    """``report.json`` and ``report.md`` of a run that is over."""
    lines = report.pop("lines")
    report["device"] = device_name()
    report["versions"] = {"torch": torch.__version__, "python": platform.python_version()}
    report["git"] = git_sha()
    report["parts"] = [{"name": part.name, "weights": part.total} for part in parts_of(model)]
    if lines:
        seconds = sum(line["seconds"] for line in lines)
        report["seconds_a_step"] = round(seconds / len(lines), 3)
        report["questions_a_second"] = round(sum(line["questions"] for line in lines) / max(seconds, 1e-9), 2)
        report["first_losses"], report["last_losses"] = _means(lines[:20]), _means(lines[-20:])
    for name, text in (("report.json", json.dumps(report, indent=1) + "\n"), ("report.md", _markdown(report, lines))):
        with replaced(out / name) as beside:
            beside.write_text(text, encoding="utf-8")


def _means(lines: list[dict[str, Any]]) -> dict[str, float]:
    names = [name for name in ("loss", "words", "depth", "spatial") if name in lines[0]]
    return {name: round(sum(line[name] for line in lines) / len(lines), 4) for name in names}


def _markdown(report: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    recipe = report["recipe"]
    text = [
        f"# {recipe['name']}",
        "",
        f"{report['steps']} steps of {recipe['batch']} scenes in {report['minutes']} minutes on {report['device']}; seed "
        f"{recipe['seed']}, data {report['data'][:16]}, code {report['git'] or 'unknown'}.",
        "",
        "| step | loss | words | spatial | right while training |",
        "|---|---|---|---|---|",
    ]
    span = max(1, len(lines) // 20)
    for first in range(0, len(lines), span):
        part = lines[first : first + span]
        means = _means(part)
        right, asked = (sum(line[name] for line in part) for name in ("right", "questions"))
        cells = [f"{means[name]:.3f}" if name in means else "" for name in ("loss", "words", "spatial")]
        share = f"{100 * right / asked:.1f} %" if asked else ""
        text.append(f"| {part[-1]['step']} | {' | '.join(cells)} | {share} |")
    if report["judged"]:
        text += ["", "Held out:" if not report["overfit"] else "The very same questions:", "", "| step | loss | word for word right |", "|---|---|---|"]  # fmt: skip
        for entry in report["judged"]:
            share = f"{100 * entry['eval_accuracy']:.1f} %" if "eval_accuracy" in entry else ""
            text.append(f"| {entry['step']} | {entry['eval_loss']:.3f} | {share} |")
    if "by_heart" in report:
        found = report["by_heart"]
        text += ["", f"The finished model, asked one by one: {found['right']} of {found['asked']} right."]
    return "\n".join(text) + "\n"


def git_sha() -> str | None:
    """The commit of the code, where it lies in a repository."""
    try:
        here = Path(__file__).parent
        found = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
