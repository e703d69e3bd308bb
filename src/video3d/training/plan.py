"""What a run would take, before anything of it is done: no weights are fetched, nothing is written."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from video3d.data.store import open_dataset
from video3d.training.recipes import Recipe, recipe_json
from video3d.training.report import estimate, measured_rate, parts_of, plan_text
from video3d.training.run import num_steps, packs_of
from video3d.training.start import autocasts, mark, meta_model


def plan(recipe: Recipe, data: Path) -> tuple[dict[str, Any], str]:
    """The plan of a run in plain values, and in words.

    Raises:
        InputError: a recipe that does not fit the data or the model.
    """
    packs = packs_of(open_dataset(data), recipe, "train")
    model = meta_model(recipe)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mark(model, recipe)
    rate = measured_rate(device, torch.bfloat16 if autocasts(recipe, device) else torch.float32)
    cost = estimate(model, recipe, [pack.num_bytes for pack in packs], rate)
    steps = num_steps(recipe, len(packs))
    shape = {
        "recipe": recipe_json(recipe),
        "steps": steps,
        "parts": [dataclasses.asdict(part) for part in parts_of(model)],
        "cost": dataclasses.asdict(cost) | {"step_s": cost.step_s},
    }
    return shape, plan_text(model, recipe, cost, steps)
