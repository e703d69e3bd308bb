"""``video3d train``: a recipe, a data set, a model."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from video3d.cli_text import dump
from video3d.types import InputError


def train(
    recipe: Annotated[str, Parameter(help="nano-alignment, nano-questions, ...: see docs/training.md.")],
    dataset: Annotated[Path, Parameter(help="A Video-3D-QA folder (video3d data simulate).")],
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
    from video3d.training.recipes import find_recipe

    found = find_recipe(recipe, set_ or ())
    if overfit < 0:
        raise InputError("--overfit", expected="0 (train) or a number of questions", got=overfit)
    if dry_run:
        from video3d.training.plan import plan

        shape, text = plan(found, dataset)
        print(dump(shape) if json_ else text)
        return
    if recipe == "nano-depth":
        from video3d.training.nano_stage import train_depth

        shape: dict[str, Any] = train_depth(found, dataset, out, resume=resume)
        print(dump(shape) if json_ else f"written: {shape['weights']}")
        return
    try:
        from video3d.training.run import train as run
    except ImportError as error:
        raise InputError(
            "train", expected="accelerate", got=f"none ({error})", do="pip install 'video3d[train]'"
        ) from error
    report = run(found, dataset, out, resume=resume, overfit=overfit, features=features)
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
