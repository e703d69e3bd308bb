"""Asking: a fact, its wordings and its answer become a candidate."""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.visibility import evidence, seen_mask
from video3d.data.questions.wording import Bilingual, Wordings, at_frame
from video3d.data.row import Answer, Frame, QuestionType, Text
from video3d.data.truth import SceneTruth

MANY = 8
"""Candidates of one form that a generator gives of one clip: the selection asks a few, and more would only cost time."""


def ask(
    truth: SceneTruth,
    rng: np.random.Generator,
    subtype: str,
    ways: Wordings,
    answer: tuple[Answer, Text],
    key: str,
    *,
    about: Sequence[Reference],
    at: int | None = None,
    frame: Frame = "none",
    **slots: Bilingual | str | int,
) -> Candidate:
    """A candidate.

    Args:
        truth: the clip's.
        rng: draws the wording.
        subtype: ``relation.between``; its first word is the type.
        ways: its wordings; the slot ``{at}`` is filled with the frame.
        answer: the answer with its words.
        key: what the selection balances.
        about: the objects named, in order.
        at: the frame that the question states, or None where the fact holds in all.
        frame: whose frame of reference the words use.
        slots: what the wordings need.
    """
    ids = tuple(reference.object_id for reference in about)
    if at is not None:
        slots["at"] = at_frame(at, truth.num_frames)
    return Candidate(
        type=cast(QuestionType, subtype.split(".", maxsplit=1)[0]),
        subtype=subtype,
        question=ways.render(rng, **slots),
        answer=answer[0],
        answer_text=answer[1],
        answer_key=key,
        frame=frame,
        object_ids=ids,
        evidence_frames=_evidence(truth, ids, at),
        group=f"{subtype}:{'-'.join(str(i) for i in sorted(ids))}",
    )


def _evidence(truth: SceneTruth, ids: tuple[int, ...], at: int | None) -> tuple[int, ...]:
    """The frame that is asked about where it shows all, else every frame that shows something of it too."""
    if at is not None and all(bool(seen_mask(truth, object_id)[at]) for object_id in ids):
        return (at % truth.num_frames,)
    if not ids and at is None:  # the room as a whole
        return tuple(range(truth.num_frames))
    return evidence(truth, ids, frame=at)


def named_together(
    truth: SceneTruth, count: int, *, keep: Callable[[Reference], bool] | None = None
) -> Iterable[tuple[tuple[Reference, ...], int]]:
    """All sets of ``count`` objects that can be named and of which one frame shows all well, with the last such frame."""
    named = [reference for reference in referable(truth).values() if keep is None or keep(reference)]
    masks = {reference.object_id: seen_mask(truth, reference.object_id) for reference in named}

    def grow(
        chosen: tuple[Reference, ...], start: int, mask: np.ndarray
    ) -> Iterable[tuple[tuple[Reference, ...], int]]:
        if not bool(mask.any()):
            return
        if len(chosen) == count:
            yield chosen, int(np.flatnonzero(mask)[-1])
            return
        for index in range(start, len(named)):
            yield from grow((*chosen, named[index]), index + 1, mask & masks[named[index].object_id])

    yield from grow((), 0, np.ones(truth.num_frames, dtype=bool))
