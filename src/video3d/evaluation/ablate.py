"""What each part of the model is worth: the examination again with a part switched off, or by a model trained without it.

Switched off at inference, a part is as in a model that never had it, while the others were trained beside it; a model trained
without it has learned to do without. The reference design's table names four parts and does not say which of the two it is.

| part | what is left out | of a model without such layers |
|---|---|---|
| depth | the convolution over the depth map (points and depth-aware attention still come from depth) | the clip's depth: a network estimates it |
| temporal | the transformer over frames, its depth-aware attention with it | all frames but the last |
| position | the world position of scene tokens (merging by voxel still goes by it) | |
| reasoning | what the reasoning module believes, in the prompt | what geometry concludes, in notes: they say where things are |
| camera | intrinsics and pose of every frame | the clip's poses and intrinsics: estimated from its frames |

A model that reads notes beside questions is told places there too: without position, it reads none.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from video3d.data.presented import Withheld
from video3d.evaluation.qa_ask import Prediction
from video3d.evaluation.qa_report import (
    ExamReport,
    Line,
    drawn_means,
    headline_parts,
    interval_of,
    markdown_table,
    percent,
    scene_draws,
)

if TYPE_CHECKING:
    from video3d.model.modeling_video3d import Video3DForConditionalGeneration

Part = Literal["depth", "temporal", "position", "reasoning", "camera"]
PARTS: dict[Part, str] = {
    "depth": "depth encoding",
    "temporal": "temporal transformer",
    "position": "position encoding",
    "reasoning": "reasoning module",
    "camera": "camera encoding",
}
WITHHELD: dict[Part, tuple[Withheld, ...]] = {
    "depth": ("depth",),
    "temporal": ("frames",),
    "camera": ("poses", "intrinsics"),
}
"""What clips are shown without, for a model that has no layers of a part: it has the same by geometry."""
_BY_GEOMETRY: dict[Part, str] = {
    "depth": "measured depth",
    "temporal": "all frames but the last",
    "camera": "poses, intrinsics",
}
REFERENCE_FULL = 0.833
REFERENCE_CHANGE: dict[Part, float] = {"depth": -0.062, "temporal": -0.085, "position": -0.121, "reasoning": -0.043}
"""The reference design's table, in the order in which it names the parts; it has no row for the camera."""


def has_layers(model: "Video3DForConditionalGeneration", part: Part) -> bool:
    """Whether a model has layers of a part."""
    if part == "position":
        return model.scene_projector.position.kind != "none"
    if part == "reasoning":
        return bool(model.config.reasoning_trained and model.config.reasoning_layers)
    return getattr(model.video_encoder, part) is not None


def reads_notes(model: "Video3DForConditionalGeneration") -> bool:
    """Whether notes stand beside questions: what patches vote for and geometry says of it."""
    return model.config.objects_trained and model.config.notes != "none" and not model.scene_closed


def has_part(model: "Video3DForConditionalGeneration", part: Part) -> bool:
    """Whether a model has a part that can be switched off, or withheld from it."""
    if has_layers(model, part) or part in WITHHELD:
        return True
    return reads_notes(model) and (part == "position" or model.config.notes == "conclusions")


def matters(model: "Video3DForConditionalGeneration", part: Part) -> bool:
    """Whether what the language model reads can depend on a part: not on what scene tokens hold while its gate is shut.

    What is withheld from clips is missing in the facts that every model reads.
    """
    return has_part(model, part) and (part == "reasoning" or not model.scene_closed or bool(withheld(model, part)))


def withheld(model: "Video3DForConditionalGeneration", part: Part) -> tuple[Withheld, ...]:
    """What clips are shown without instead of a part that a model has no layers of."""
    return () if has_layers(model, part) else WITHHELD.get(part, ())


def called(model: "Video3DForConditionalGeneration", part: Part) -> str:
    """What is left out of a model with a part."""
    layers = (PARTS[part],) if has_layers(model, part) else ()
    geometry = (_BY_GEOMETRY[part],) if withheld(model, part) else ()
    if reads_notes(model) and part == "position":
        geometry = ("notes",)
    if reads_notes(model) and part == "reasoning" and model.config.notes == "conclusions":
        geometry = ("conclusions in notes",)
    return ", ".join((*layers, *geometry)) or PARTS[part]


@contextmanager
def switched_off(model: "Video3DForConditionalGeneration", part: Part) -> Iterator[None]:
    """The model without a part, and afterwards as it was; what is ``withheld`` from it has to be left out of clips.

    Raises:
        ValueError: the model has no such part.
    """
    if not has_part(model, part):
        raise ValueError(f"model: expected one with {PARTS[part]}, got one without")
    changes: list[tuple[Any, str, Any]] = []
    if part == "position":
        changes = [(model.scene_projector.position, "kind", "none"), (model.config, "notes", "none")]
    elif part == "reasoning":
        changes = [(model.config, "reasoning_trained", False)]
        changes += [(model.config, "notes", "places")] if model.config.notes == "conclusions" else []
    elif has_layers(model, part):
        changes = [(model.video_encoder, part, None)]
    kept = [getattr(owner, name) for owner, name, _ in changes]
    try:
        for owner, name, off in changes:
            setattr(owner, name, off)
        yield
    finally:
        for (owner, name, _), before in zip(changes, kept, strict=True):
            setattr(owner, name, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How another examination on the same questions differs: its average less the full model's, 95 % over scenes."""

    score: float
    change: float
    interval: tuple[float, float] | None


def headline(found: ExamReport) -> Line:
    """The average of relation, layout and physics; of fewer types, the first line there is (``headline_parts``)."""
    return found.lines["all"][0]


def change_of(
    full: Sequence[Prediction], other: Sequence[Prediction], *, draws: int = 2000, seed: int = 0
) -> Change | None:
    """The difference on the questions that both answered; None where there is none.

    Means are as those of ``headline``, of the questions that it counts. Both are drawn with the same scenes.
    """
    theirs = {one.row_id: one for one in other}
    pairs = [(one, theirs[one.row_id]) for one in full if one.row_id in theirs]
    if not pairs:
        return None
    names = sorted({one.scene_id for one, _ in pairs})
    scene = np.array([names.index(one.scene_id) for one, _ in pairs])
    a, b = (np.array([pair[side].score for pair in pairs]) for side in (0, 1))
    parts = headline_parts(np.array([one.type for one, _ in pairs]))
    drawn_scenes = scene_draws(len(names), draws, seed)
    drawn = np.mean([drawn_means((b - a)[part], scene[part], drawn_scenes) for part in parts], axis=0)
    change, score = (float(np.mean([values[part].mean() for part in parts])) for values in (b - a, b))
    scenes = np.unique(scene[np.logical_or.reduce(parts)])
    return Change(
        score=round(score, 4), change=round(change, 4), interval=interval_of(drawn) if len(scenes) > 1 else None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """A table of parts.

    Attributes:
        full: the whole model's line.
        parts: what was left out of this model, by part.
        off: by part, switched off at inference; a text says why it was not run.
        trained: by name, models trained apart; a part's own name puts it into its row.
    """

    full: Line
    parts: dict[Part, str]
    off: dict[Part, Change | str]
    trained: dict[str, Change]


def ablation_json(found: Ablation) -> dict[str, Any]:
    """The published shape of ``ablate --json``."""
    return {
        "full": asdict(found.full),
        "parts": found.parts,
        "off": {part: one if isinstance(one, str) else asdict(one) for part, one in found.off.items()},
        "trained": {name: asdict(one) for name, one in found.trained.items()},
        "reference": {"full": REFERENCE_FULL, **REFERENCE_CHANGE},
    }


def ablation_markdown(found: Ablation) -> str:
    """The table for people, in per cent, beside the reference's."""
    head = ("model", "off at inference", "change (95 %)", "trained apart", "change (95 %)", "reference", "change")
    full = found.full
    rows: list[tuple[str, ...]] = [
        head,
        ("full", percent(full.score, full.interval), "", "", "", percent(REFERENCE_FULL), ""),
    ]
    for part, words in found.parts.items():
        off = found.off.get(part)
        reference = REFERENCE_CHANGE.get(part)
        left = (off, "") if isinstance(off, str) else _cells(off)
        rows.append((f"- {words}", *left, *_cells(found.trained.get(part)), "", percent(reference, sign=True)))
    rows += [(name, "", "", *_cells(one), "", "") for name, one in found.trained.items() if name not in PARTS]
    rows += [
        ("n-gram, blind", percent(full.ngram), "", "", "", "", ""),
        ("majority, blind", percent(full.majority), *[""] * 5),
    ]
    note = f"{full.name}, {full.num} questions of {full.scenes} scenes. The reference's numbers are of its own data."
    return markdown_table(rows) + f"\n\n{note}\n"


def _cells(one: Change | None) -> tuple[str, str]:
    return ("-", "-") if one is None else (percent(one.score), percent(one.change, one.interval, sign=True))
