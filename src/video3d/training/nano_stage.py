"""Stage 1 of ``nano`` by the recipe of its own (``training.depth``): the depth network that serves where a clip has no depth."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from video3d.data.store import open_dataset, replaced
from video3d.model.convert_dinov2 import convert_dinov2
from video3d.model.nano import DINOV2, find_packaged
from video3d.training.depth import DepthRecipe, prepare, published, train
from video3d.training.recipes import Recipe
from video3d.types import InputError


def train_depth(recipe: Recipe, data: Path, out: Path, *, resume: bool) -> dict[str, Any]:
    """Trains the depth network; ``OUT/nano_depth.safetensors`` is what ships with the package.

    Args:
        recipe: of it, ``steps`` (where it is set) and ``seed`` are taken.
        data: a Video-3D-QA folder.
        out: folder to make; frames and checkpoints lie in it.
        resume: go on with what is there.

    Raises:
        InputError: no data set, or a folder that holds something else.
    """
    dataset = open_dataset(data)
    if out.is_dir() and any(out.iterdir()) and not resume:
        raise InputError(
            out, expected="an empty or new folder", got="one with files", do="add --resume, or name another"
        )
    out.mkdir(parents=True, exist_ok=True)
    chosen = DepthRecipe(steps=recipe.steps or DepthRecipe().steps, seed=recipe.seed)
    learned = train(prepare([dataset.root], chosen, out), convert_dinov2(find_packaged(DINOV2)), chosen, out)
    weights = out / "nano_depth.safetensors"
    with replaced(weights) as beside:
        save_file(published(learned), beside)
    return {"weights": str(weights), "steps": chosen.steps, "seed": chosen.seed, "data": dataset.content_hash}
