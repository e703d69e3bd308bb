"""``video3d eval`` and ``video3d ablate``: models examined on questions, whole and with parts left out."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from cyclopts import App, Parameter

from video3d.cli_text import dump
from video3d.cli_wishes import Masks, Sees
from video3d.types import InputError
from video3d.types.detector import EMBEDDED

if TYPE_CHECKING:
    from video3d.evaluation.qa_ask import AskSettings

evaluate = App(name="eval", help="Examine a model: on Video-3D-QA, or on questions in a file about recordings.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object for programs.")]
Model = Annotated[str, Parameter(name="--model", help="nano, a model folder, or a Hugging Face id.")]
Data = Annotated[Path, Parameter(name="--data", help="Folder of a data set (with dataset.json).")]
Out = Annotated[Path, Parameter(name="--out", help="Folder to make, or to go on in after an interruption.")]
Split = Annotated[str, Parameter(name="--split", help="Whose questions: train, val or test.")]
Limit = Annotated[int | None, Parameter(name="--limit", help="At most so many questions, spread over the split.")]
Types = Annotated[str, Parameter(name="--types", help="Comma-separated types of questions; all if left out.")]
Sets = Annotated[list[str] | None, Parameter(name="--set", help="key=value: frames, batch (questions read at once).")]
Closed = Annotated[
    Literal["generate", "likelihood"],
    Parameter(name="--closed", help="Choices: in the model's own words, as a user gets them, or the likeliest option."),
]
Way = Annotated[
    Literal["model", "words", "product"],
    Parameter(name="--path", help="What the model concludes or says; its language model alone; or as `ask` answers."),
]


@evaluate.command(name="video3d-qa")
def video3d_qa(
    *,
    model: Model = "nano",
    data: Data,
    out: Out,
    split: Split = "test",
    limit: Limit = None,
    types: Types = "",
    path: Way = "model",
    closed: Closed = "generate",
    detector: Sees = EMBEDDED,
    segmenter: Masks = "none",
    set_: Sets = None,
    json_: Json = False,
) -> None:
    """Ask a model the questions of a data set: accuracy by type, indoor and street, beside blind baselines."""
    settings, wanted = _settings(path, closed, set_), _types(types)
    _check_limit(limit)
    from video3d.data.store import open_dataset
    from video3d.evaluation.qa_report import report_json, report_markdown
    from video3d.evaluation.qa_run import fingerprint, run_exam
    from video3d.pipeline import load

    dataset, engine = open_dataset(data), load(model, detector=detector, segmenter=segmenter)
    identity = fingerprint(model) | {"detector": detector}
    if segmenter != "none":
        identity |= {"segmenter": segmenter}
    found, _ = run_exam(
        out, dataset, identity, lambda: engine, split=split, limit=limit, types=wanted, settings=settings
    )
    print(dump(report_json(found)) if json_ else f"{report_markdown(found)}\nwritten: {out}")


@evaluate.command(name="questions")
def questions_(
    file: Annotated[Path, Parameter(help="Questions with answers, one JSON object a line (docs/benchmarks.md).")],
    *,
    root: Annotated[
        Path | None, Parameter(name="--root", help="Where recordings lie; default: beside the file.")
    ] = None,
    model: Model = "nano",
    path: Way = "product",
    detector: Sees = EMBEDDED,
    segmenter: Masks = "none",
    frames: Annotated[int, Parameter(name="--frames", help="Frames of a recording, evenly spread.")] = 32,
    json_: Json = False,
) -> None:
    """Ask questions about recordings from a file: accuracy, and every failure."""
    if not 1 <= frames <= 1024:
        raise InputError("--frames", expected="a number from 1 to 1024", got=frames)
    from video3d.evaluation.questions import Answered, ask_questions, questions_json, questions_text, read_questions
    from video3d.pipeline import load

    asked, engine, count = read_questions(file), load(model, detector=detector, segmenter=segmenter), 0

    def each(one: Answered) -> None:
        nonlocal count
        count += 1
        mark = "right" if one.right else "wrong"
        print(f"{count} of {len(asked)}  {mark}  {one.latency_s:.1f} s  {one.question.question}", file=sys.stderr)

    folder = file.parent if root is None else root
    found = questions_json(ask_questions(engine, asked, folder, path=path, num_frames=frames, each=each))
    print(dump(found) if json_ else questions_text(found))


def ablate(
    *,
    model: Model = "nano",
    data: Data,
    out: Out,
    trained: Annotated[
        list[str] | None,
        Parameter(
            name="--trained", help="NAME=DIR: a model trained apart; depth, temporal, ... stand in that part's row."
        ),
    ] = None,
    split: Split = "test",
    limit: Limit = None,
    types: Types = "",
    closed: Closed = "generate",
    set_: Sets = None,
    json_: Json = False,
) -> None:
    """Leave parts of a model out, one at a time: what each is worth, beside models trained apart and the reference."""
    settings, wanted = _settings("model", closed, set_), _types(types)
    _check_limit(limit)
    others = _trained(trained or [])
    from video3d.data.store import open_dataset
    from video3d.evaluation.ablate import ablation_json, ablation_markdown
    from video3d.evaluation.ablate_run import run_ablation

    found = run_ablation(
        model, others, out, open_dataset(data), split=split, limit=limit, types=wanted, settings=settings
    )
    print(dump(ablation_json(found)) if json_ else f"{ablation_markdown(found)}written: {out}")


def _types(text: str) -> list[str]:
    from video3d.data.row import QuestionType

    names = [name.strip() for name in text.split(",")] if text.strip() else []
    for name in names:
        if name not in get_args(QuestionType):
            raise InputError("--types", expected=f"types among {', '.join(get_args(QuestionType))}", got=name)
    return names


def _settings(
    path: Literal["model", "words", "product"], closed: Literal["generate", "likelihood"], changes: Sequence[str] | None
) -> "AskSettings":
    from video3d.evaluation.qa_ask import AskSettings

    if path == "product" and closed == "likelihood":
        raise InputError("--closed", expected="generate with --path product", got=closed)
    settings = AskSettings(path=path, closed=closed)
    for change in changes or ():
        key, _, value = change.partition("=")
        if key not in ("frames", "batch") or not value.isdecimal() or not 1 <= int(value) <= 1024:
            raise InputError("--set", expected="frames=N or batch=N, N from 1 to 1024", got=change)
        settings = replace(settings, **{key: int(value)})
    return settings


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise InputError("--limit", expected="1 or more", got=limit)


def _trained(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, _, folder = one.partition("=")
        if (
            not name.replace("-", "").replace("_", "").isalnum()
            or not Path(folder).is_dir()
            or not folder
            or name in found
        ):
            raise InputError("--trained", expected="NAME=DIR, a model folder and a name of its own", got=one)
        found[name] = folder
    return found
