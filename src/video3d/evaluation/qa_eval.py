"""The examination of a model on Video-3D-QA, free of files and of the command line: a training loop calls it too.

report = examine(model, processor, open_dataset("qa"), "val", limit=200)
report.line("average").score
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from video3d.data.row import Row
from video3d.data.store import DataSet
from video3d.evaluation.qa_ask import AskSettings, Prediction, ask_clip
from video3d.evaluation.qa_blind import blind_grades
from video3d.evaluation.qa_report import ExamReport, report
from video3d.pipeline import Video3D
from video3d.types import InputError

if TYPE_CHECKING:
    from video3d.model.modeling_video3d import Video3DForConditionalGeneration
    from video3d.model.processing_video3d import Video3DProcessor


def examine(
    model: "Video3DForConditionalGeneration",
    processor: "Video3DProcessor",
    dataset: DataSet,
    split: str = "test",
    *,
    limit: int | None = None,
    settings: AskSettings | None = None,
    types: Sequence[str] = (),
    draws: int = 2000,
    each: Callable[[Prediction], None] | None = None,
) -> ExamReport:
    """Asks a model the questions of a split and says how it did, beside what blindness scores.

    The model's training mode is left as it was found.

    Args:
        model: on any device.
        processor: of the model.
        dataset: an opened data set; its train split teaches the blind baselines.
        split: whose questions are asked.
        limit: at most so many questions; the same ones every time, spread over the split's clips.
        settings: how they are asked.
        types: of questions; none: all.
        draws: of the bootstrap.
        each: called with every answer.

    Raises:
        InputError: no such split, or no question of these types in it.
    """
    rows = exam_rows(dataset, split, limit=limit, types=types)
    engine, was_training = Video3D.around(model, processor), model.training
    model.eval()
    found = []
    try:
        for prediction in ask_rows(engine, dataset, rows, settings or AskSettings()):
            found.append(prediction)
            if each is not None:
                each(prediction)
    finally:
        model.train(was_training)
    return examined(dataset, rows, found, draws=draws)


def exam_rows(dataset: DataSet, split: str, *, limit: int | None = None, types: Sequence[str] = ()) -> list[Row]:
    """The questions of an examination, clip by clip.

    Clips come in an order that follows from their names alone and looks drawn, so that the first so many questions are a
    fair sample of the split.

    Raises:
        InputError: no such split, or no question of these types in it.
    """
    by_clip: dict[str, list[Row]] = {}
    for row in dataset.rows(split):
        if not types or row.type in types:
            by_clip.setdefault(row.clip_id, []).append(row)
    order = sorted(by_clip, key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())
    rows = [row for clip_id in order for row in by_clip[clip_id]][:limit]
    if not rows:
        raise InputError(
            f"{dataset.root}, {split}", expected="questions", got=f"none of {', '.join(types) or 'any type'}"
        )
    return rows


def ask_rows(engine: Video3D, dataset: DataSet, rows: Sequence[Row], settings: AskSettings) -> Iterator[Prediction]:
    """Answers questions, a clip at a time: its scene is encoded once.

    Raises:
        InputError: a clip that cannot be read.
    """
    first = 0
    for last in range(1, len(rows) + 1):
        if last == len(rows) or rows[last].clip_id != rows[first].clip_id:
            yield from ask_clip(engine, dataset.clip(rows[first].clip_id), rows[first:last], settings)
            first = last


def examined(
    dataset: DataSet, rows: Sequence[Row], predictions: Sequence[Prediction], *, draws: int = 2000, seed: int = 0
) -> ExamReport:
    """The report on answers to rows, which may be in any order.

    Raises:
        InputError: an answer to another row.
    """
    place = {row.row_id: at for at, row in enumerate(rows)}
    strange = next((one.row_id for one in predictions if one.row_id not in place), None)
    if strange is not None:
        raise InputError("an answer", expected="one to a row that was asked", got=strange)
    answered = [rows[place[one.row_id]] for one in predictions]
    train = dataset.rows("train") if "train" in dataset.splits() else iter(())
    return report(predictions, blind_grades(train, answered), draws=draws, seed=seed)
