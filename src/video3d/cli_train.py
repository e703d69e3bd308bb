"""``video3d train``: a recipe, a data set, a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from video3d.cli_text import dump
from video3d.types import InputError, install_extra


def train(
    recipe: Annotated[
        str, Parameter(help="nano-depth, nano-objects, nano-alignment, nano-questions, ...: see docs/training.md.")
    ],
    dataset: Annotated[
        list[Path],
        Parameter(help="A Video-3D-QA folder (video3d data simulate); nano-depth and nano-objects take several."),
    ],
    *,
    set_: Annotated[
        list[str] | None,
        Parameter(
            name="--set", negative="", help="key=value of the recipe, or settings.KEY=value of the model; repeatable."
        ),
    ] = None,
    out: Annotated[Path, Parameter(name="--out", help="Folder to make: the model, its report, checkpoints.")] = Path(
        "trained"
    ),
    resume: Annotated[
        bool, Parameter(name="--resume", negative="", help="Go on from the last checkpoint in --out.")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(name="--dry-run", negative="", help="Print parameters, memory and time, and do nothing.")
    ] = False,
    overfit: Annotated[
        int, Parameter(name="--overfit", help="Learn so many questions by heart: does the wiring learn? 0: train.")
    ] = 0,
    features: Annotated[
        Path | None, Parameter(name="--features", help="Where what is computed once a clip is kept; else in the cache.")
    ] = None,
    json_: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object for programs.")] = False,
) -> None:
    """Train a model by a recipe; the folder it makes is for ``video3d ask --model``."""
    from video3d.training.recipes import NETWORKS, find_recipe

    if recipe in NETWORKS:
        if overfit:
            raise InputError("--overfit", expected=f"0 with {recipe}, which learns from no questions", got=overfit)
        _train_network(recipe, dataset, set_ or (), out, resume=resume, dry_run=dry_run, json_=json_)
        return
    found = find_recipe(recipe, set_ or ())
    if len(dataset) != 1:
        raise InputError("DATASET", expected="one folder", got=f"{len(dataset)}", do="join them: video3d data merge")
    if overfit < 0:
        raise InputError("--overfit", expected="0 (train) or a number of questions", got=overfit)
    if dry_run:
        from video3d.training.plan import plan

        shape, text = plan(found, dataset[0])
        print(dump(shape) if json_ else text)
        return
    try:
        from video3d.training.run import train as run
    except ImportError as error:
        raise InputError("train", expected="accelerate", got=f"none ({error})", do=install_extra("train")) from error
    report = run(found, dataset[0], out, resume=resume, overfit=overfit, features=features)
    if not report:  # another process writes it
        return
    if json_:
        print(dump(report))
        return
    scores = ", ".join(f"{name.removeprefix('eval_')} {value:.4g}" for name, value in report["scores"].items())
    print(
        f"{report['steps']} steps in {report['minutes']:.1f} minutes; {'by heart' if overfit else 'held out'}: {scores or 'not judged'}"
    )
    if overfit:
        heart = report["by_heart"]
        print(f"the finished model, asked one by one: {heart['right']} of {heart['asked']} right")
    print(f"written: {out}")


def _train_network(
    name: str, data: Sequence[Path], changes: Sequence[str], out: Path, *, resume: bool, dry_run: bool, json_: bool
) -> None:
    from video3d.training import depth, objects
    from video3d.training.recipes import NANO_DEPTH, with_changes

    made: tuple[Any, Any] = (depth, depth.DepthRecipe) if name == NANO_DEPTH else (objects, objects.ObjectRecipe)
    network, recipe = made[0], with_changes(made[1](), changes)
    if dry_run:
        shape = network.plan_network(data, recipe)
        print(dump(shape) if json_ else network.plan_words(shape))
        return
    report = network.train_network(data, recipe, out, resume=resume)
    print(dump(report) if json_ else f"{report['minutes']:.1f} minutes\nwritten: {report['weights']}")
