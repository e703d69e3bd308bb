"""Candidate: a question that is true and answerable of one clip, before the selection decides which ones are asked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from video3d.data.row import Answer, Frame, QuestionType, Text
from video3d.data.truth import SceneTruth


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One question with its answer.

    Attributes:
        type: relation, layout, physics, action, grounding or caption.
        subtype: ``type.name``, e.g. ``relation.nearer``.
        question: the words, English and Chinese.
        answer: typed.
        answer_text: the answer in words, English and Chinese.
        frame: in whose frame the words are.
        object_ids: objects named, in order.
        evidence_frames: frames in which what it needs is seen.
        answer_key: what the selection balances within the subtype: the option's meaning (``yes``, ``left``, ``first``), not its
            place; numbers go by a coarse bin.
        group: candidates of one fact said otherwise share a group, of which at most one is asked.
    """

    type: QuestionType
    subtype: str
    question: Text
    answer: Answer
    answer_text: Text
    answer_key: str
    frame: Frame = "none"
    object_ids: tuple[int, ...] = ()
    evidence_frames: tuple[int, ...] = ()
    group: str = ""
    tags: tuple[str, ...] = field(default=())


Generator = Callable[[SceneTruth, np.random.Generator], Iterable[Candidate]]
"""What every subtype is: a function from a clip's truth to candidates, drawing wordings from the generator it is given."""
