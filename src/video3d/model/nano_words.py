"""What nano's language model learned: low-rank adapters on it, and what lies between it and the vision tower.

Trained on simulated rooms and streets alone by ``video3d train nano-questions``, whose folder holds these very files. The adapters
are added to the weights once, when nano is composed (arXiv 2106.09685). How good it is: docs/results/training.md.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from video3d.replaced import replaced
from video3d.types import InputError

FOLDER = Path(__file__).parent / "weights"
NAME = "nano_words"
_SHARD_BYTES = 15_000_000
_ADAPTER = ("language_model.base_model.model.", ".lora_A.default.weight", ".lora_B.default.weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What was learned.

    Attributes:
        adapters: of the language model's linear maps, by the weight's name: A (r in) and B (out r).
        scale: of the product of B and A.
        others: weights between the towers, by name.
        settings: fields of the configuration that they were learned with.
    """

    adapters: Mapping[str, tuple[Tensor, Tensor]]
    scale: int | float
    others: Mapping[str, Tensor]
    settings: Mapping[str, Any]


def shards(folder: Path = FOLDER) -> list[Path]:
    """The files, in order; none where nothing was learned."""
    return sorted(folder.glob(f"{NAME}-*.safetensors"))


def write_words(
    learned: Mapping[str, Tensor], folder: Path, *, scale: int | float, settings: Mapping[str, Any]
) -> list[Path]:
    """Writes what a run learned as files that are small enough for a repository, in bfloat16.

    Args:
        learned: weights by the names that they have while adapters are on.
        folder: to write to.
        scale: of the adapters' products.
        settings: of the recipe.
    """
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, weight in learned.items():
        value = weight.detach().cpu().to(torch.bfloat16).contiguous()
        if size + value.nbytes > _SHARD_BYTES and parts[-1]:
            parts.append({})
            size = 0
        parts[-1][name] = value
        size += value.nbytes
    notes = {"scale": json.dumps(scale), "settings": json.dumps(dict(settings))}
    paths = []
    for number, part in enumerate(parts, start=1):
        path = folder / f"{NAME}-{number:05d}-of-{len(parts):05d}.safetensors"
        with replaced(path) as beside:
            save_file(part, beside, notes)
        paths.append(path)
    return paths


def packaged_words(folder: Path = FOLDER) -> Words | None:
    """What was learned, or None where the files are not there.

    Raises:
        InputError: some of them, or others than belong together.
    """
    paths = shards(folder)
    if not paths:
        return None
    wanted = [f"{NAME}-{number:05d}-of-{len(paths):05d}.safetensors" for number in range(1, len(paths) + 1)]
    if [path.name for path in paths] != wanted:
        raise InputError(
            folder, expected=", ".join(wanted), got=", ".join(path.name for path in paths), do="install again"
        )
    weights: dict[str, Tensor] = {}
    notes: dict[str, str] = {}
    for path in paths:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata()
            weights |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    before, first, second = _ADAPTER
    adapters = {
        name.removeprefix(before).removesuffix(first): (value, weights[name.replace(first, second)])
        for name, value in weights.items()
        if name.startswith(before) and name.endswith(first)
    }
    others = {name: value for name, value in weights.items() if not name.startswith(before)}
    return Words(
        adapters=adapters, scale=json.loads(notes["scale"]), others=others, settings=json.loads(notes["settings"])
    )


@torch.no_grad()
def add_adapters(language_model: nn.Module, words: Words) -> None:
    """Adds the adapters' products to the weights, which are first rounded to bfloat16, as training held them."""
    for name, (low, high) in words.adapters.items():
        weight: Any = language_model.get_submodule(name).weight
        product = words.scale * (high.float() @ low.float())
        weight.copy_((weight.to(torch.bfloat16).float() + product).to(weight.dtype))
