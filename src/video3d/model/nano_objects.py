"""The embedded object head of nano: trained on simulated rooms and streets alone, made by ``video3d.training.objects``.

How good it is: docs/results/objects.md.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open

from video3d.types import InputError

WEIGHTS = Path(__file__).parent / "weights" / "nano_objects.safetensors"


def packaged_head() -> tuple[dict[str, torch.Tensor], list[str], list[str]]:
    """Weights, and what categories and colours are called.

    Raises:
        InputError: the file is not there.
    """
    if not WEIGHTS.is_file():
        raise InputError("object head of nano", expected=f"its weights {WEIGHTS.name}", got="none", do="install again")
    with safe_open(WEIGHTS, framework="pt") as file:
        names = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    return weights, json.loads(names["categories"]), json.loads(names["colors"])


def blocks_of(weights: Mapping[str, torch.Tensor]) -> int:
    """How many blocks of its own a head of these weights has."""
    return len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
