"""An examination as a folder: answers as they come, so that a run that was killed goes on, and the report when all are there.

    OUT/run.json           what was asked of whom; another model, data set or setting does not go on in this folder
    OUT/predictions.jsonl  one answer a line, in the order in which they came
    OUT/report.json, OUT/report.md

``predictions.jsonl`` grows a line at a time; a line that was cut off is dropped and its question asked again.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from video3d.data.row import Row
from video3d.data.store import DataSet, sha256_of
from video3d.evaluation.qa_ask import AskSettings, Prediction
from video3d.evaluation.qa_eval import ask_rows, exam_rows, examined
from video3d.evaluation.qa_report import ExamReport, report_json, report_markdown
from video3d.pipeline import Video3D
from video3d.replaced import replaced
from video3d.types import InputError

_LINE = TypeAdapter(Prediction)
_WRITTEN_BY = "video3d eval video3d-qa"


def fingerprint(name: str) -> dict[str, str]:
    """What tells a model from another of the same name: hashes of its files; a hub id stands for itself.

    Raises:
        InputError: a file that cannot be read.
    """
    if name == "nano":
        from video3d.model.nano import prepare_nano

        folder = prepare_nano()
    else:
        folder = Path(name).expanduser()
    files = sorted([folder / "config.json", *folder.glob("*.safetensors")]) if folder.is_dir() else []
    return {"model": name, **{path.name: sha256_of(path) for path in files if path.is_file()}}


def run_exam(
    out: Path,
    dataset: DataSet,
    identity: dict[str, Any],
    engine: Callable[[], Video3D],
    *,
    split: str = "test",
    limit: int | None = None,
    types: Sequence[str] = (),
    settings: AskSettings,
    draws: int = 2000,
) -> tuple[ExamReport, list[Prediction]]:
    """Asks what has not been asked yet, writes answers and report; progress goes to stderr.

    Args:
        out: the folder, new or of the same run.
        dataset: an opened data set.
        identity: what tells the one who is examined from others, in plain values.
        engine: makes the path; called only if questions are left.
        split: whose questions.
        limit: at most so many.
        types: of questions; none: all.
        settings: how they are asked.
        draws: of the bootstrap.

    Raises:
        InputError: the folder is of another run or cannot be written, or what ``examine`` refuses.
    """
    rows = exam_rows(dataset, split, limit=limit, types=types)
    asked = {"split": split, "limit": limit, "types": list(types), "settings": asdict(settings)}
    data = {"data": dataset.content_hash}
    _claim(out, {"written_by": _WRITTEN_BY, **identity, **data, **asked})
    known = read_predictions(out / "predictions.jsonl", rows)
    answered = {one.row_id for one in known}
    left = [row for row in rows if row.row_id not in answered]
    if left:
        bar = tqdm(
            total=len(rows), initial=len(known), unit="question", desc=out.name, mininterval=2.0, dynamic_ncols=True
        )
        try:
            with bar, (out / "predictions.jsonl").open("a", encoding="utf-8", newline="\n") as lines:
                for one in ask_rows(engine(), dataset, left, settings):
                    lines.write(json.dumps(asdict(one), ensure_ascii=False, allow_nan=False) + "\n")
                    lines.flush()
                    known.append(one)
                    bar.update()
        except OSError as error:
            raise _not_written(out, error) from error
    found = examined(dataset, rows, known, draws=draws)
    shape = {**identity, **data, **asked, **report_json(found)}
    write_text(out / "report.json", json.dumps(shape, indent=1, allow_nan=False) + "\n")
    write_text(out / "report.md", heading(identity, dataset, asked) + report_markdown(found) + "\n")
    return found, known


def heading(identity: dict[str, Any], dataset: DataSet, asked: dict[str, Any]) -> str:
    """Whom, what and how, above a table."""
    settings = asked["settings"]
    own = {"path": settings["path"], "closed": settings["closed"], "frames": settings["frames"]}
    own |= {"without": " ".join(settings.get("without"))} if settings.get("without") else {}
    said = ", ".join(f"{name} {value}" for name, value in own.items())
    whom = ", ".join(f"{name} {value}" for name, value in identity.items() if "." not in name)
    limit = "" if asked["limit"] is None else f", at most {asked['limit']} questions"
    return f"{whom}; data {dataset.content_hash[:12]}, {asked['split']}{limit}; {said}.\n\n"


def write_text(path: Path, text: str) -> None:
    """Writes beside and renames. Errors: ``InputError`` for what cannot be written."""
    with replaced(path) as beside:
        beside.write_text(text, encoding="utf-8")


def read_predictions(path: Path, rows: Sequence[Row]) -> list[Prediction]:
    """Answers that were given before; a last line that was cut off is taken out of the file.

    Raises:
        InputError: a line that is no answer to one of the rows.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    except OSError as error:
        raise InputError(path, expected="answers, one a line", got=error.strerror or error) from error
    lines, asked, found = text.split("\n"), {row.row_id for row in rows}, []
    if lines[-1]:
        write_text(path, "".join(line + "\n" for line in lines[:-1]))
    for number, line in enumerate(lines[:-1], start=1):
        try:
            one = _LINE.validate_json(line)
        except ValidationError as error:
            do = "remove the line, or the folder"
            raise InputError(
                f"{path}, line {number}", expected="an answer", got=error.errors()[0]["msg"], do=do
            ) from error
        if one.row_id not in asked:
            raise InputError(f"{path}, line {number}", expected="an answer to a row of this run, once", got=one.row_id)
        asked.remove(one.row_id)
        found.append(one)
    return found


def _claim(out: Path, run: dict[str, Any]) -> None:
    """Begin in a new folder, or go on in that of the same run."""
    path, known, run = out / "run.json", None, json.loads(json.dumps(run))  # as it is read back
    try:
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
        elif out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(
                out, expected="a new folder, or one of this run", got="something else", do="give another --out"
            )
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, expected="what a run was asked", got=error, do="give another --out") from error
    if known is None:
        write_text(path, json.dumps(run, indent=1) + "\n")
    elif known != run:
        other = sorted(
            name for name in {*run, *known} if not isinstance(known, dict) or run.get(name) != known.get(name)
        )
        raise InputError(
            out,
            expected="a new folder, or one of this run",
            got=f"one with another {', '.join(other)}",
            do="give another --out",
        )


def _not_written(out: Path, error: OSError) -> InputError:
    return InputError(out, expected="a folder that can be written", got=error.strerror or error)
