"""Runs an ablation as a folder of examinations: ``full``, ``minus-PART`` and ``trained-NAME``, each taken up where it stopped."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from video3d.data.presented import ESTIMATED_BY
from video3d.data.store import DataSet
from video3d.evaluation.ablate import (
    PARTS,
    Ablation,
    Change,
    Part,
    ablation_json,
    ablation_markdown,
    called,
    change_of,
    has_part,
    headline,
    matters,
    switched_off,
    withheld,
)
from video3d.evaluation.qa_ask import AskSettings, Prediction
from video3d.evaluation.qa_run import fingerprint, run_exam, write_text
from video3d.pipeline import Video3D, load
from video3d.types import InputError
from video3d.types.depth import DEPTH_OF_VIEWS


def run_ablation(
    name: str,
    trained: Mapping[str, str],
    out: Path,
    dataset: DataSet,
    *,
    split: str = "test",
    limit: int | None = None,
    types: Sequence[str] = (),
    settings: AskSettings,
) -> Ablation:
    """Examines a model whole, without each of its parts, and models trained apart; writes ``ablation.json`` and ``.md``.

    A part that the model has not, or that cannot reach its words, is not run; the table says why.

    Args:
        name: of the model.
        trained: folders of models trained apart, by name.
        out: the folder.
        dataset: an opened data set.
        split: whose questions.
        limit: at most so many.
        types: of questions; none: all.
        settings: how they are asked.

    Raises:
        InputError: as ``run_exam``.
    """
    exam = partial(run_exam, dataset=dataset, split=split, limit=limit, types=types)
    engine, identity = load(name), fingerprint(name)
    report, full = exam(out / "full", identity=identity, engine=lambda: engine, settings=settings)
    model, processor = engine.model_and_processor

    def asked_without(part: Part) -> AskSettings:
        return replace(settings, without=withheld(model, part))

    off: dict[Part, Change | str] = {}
    for part in PARTS:
        if not has_part(model, part):
            off[part] = "the model has none"
        elif not matters(model, part):
            off[part] = "not read: the gate is shut"
        else:
            # A path of its own keeps no scene that was encoded with the part.
            asked = asked_without(part)
            fresh = partial(Video3D.around, model, processor, depth=_depth_of(asked))
            whose = {**identity, "off": part}
            with switched_off(model, part):
                _, without = exam(out / f"minus-{part}", identity=whose, engine=fresh, settings=asked)
            off[part] = _change(full, without)
    apart = {}
    for other, folder in trained.items():
        asked = asked_without(other) if other in PARTS else settings
        theirs = partial(load, folder, depth=_depth_of(asked))
        _, answers = exam(out / f"trained-{other}", identity=fingerprint(folder), engine=theirs, settings=asked)
        apart[other] = _change(full, answers)
    parts: dict[Part, str] = {part: called(model, part) for part in PARTS}
    found = Ablation(full=headline(report), parts=parts, off=off, trained=apart)
    shape: dict[str, Any] = ablation_json(found)
    write_text(out / "ablation.json", json.dumps(shape, indent=1, allow_nan=False) + "\n")
    write_text(out / "ablation.md", ablation_markdown(found))
    return found


def _depth_of(settings: AskSettings) -> str:
    """Where depth comes from, for ``load``."""
    return ESTIMATED_BY if "depth" in settings.without else DEPTH_OF_VIEWS


def _change(full: Sequence[Prediction], other: Sequence[Prediction]) -> Change:
    found = change_of(full, other)
    if found is None:
        raise InputError("an ablation", expected="answers to the same questions", got="none in common")
    return found
