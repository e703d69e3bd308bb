"""Offer: a candidate as the selection sees it, small enough that those of a hundred thousand clips are held at once."""

import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from video3d.data.questions.blind import Riddle, riddle
from video3d.data.questions.candidate import Candidate
from video3d.data.truth import Split


@dataclass(frozen=True, slots=True)
class Offer:
    """A candidate as the selection sees it.

    Attributes:
        clip_id: of its clip.
        split: of its clip.
        number: its place among its clip's candidates, from 0; with the clip it finds the candidate again.
        type: relation, layout, physics, action, grounding or caption.
        subtype: as in the candidate.
        key: the candidate's ``answer_key``.
        group: of one fact.
        riddle: what a blind model gets of it, or None.
    """

    clip_id: str
    split: Split
    number: int
    type: str
    subtype: str
    key: str
    group: str
    riddle: Riddle | None


def offer(clip_id: str, split: Split, number: int, candidate: Candidate) -> Offer:
    """The compact record of a candidate; words that recur are held once."""
    found = riddle(candidate.subtype, clip_id, candidate.question, candidate.answer)
    if found is not None:
        options = tuple((sys.intern(en), sys.intern(zh)) for en, zh in found.options)
        found = Riddle(
            sys.intern(found.subtype), sys.intern(clip_id), found.kind, found.question, options, sys.intern(found.label),
            found.index, found.value, found.tolerance,
        )  # fmt: skip
    return Offer(
        sys.intern(clip_id), split, number, candidate.type, sys.intern(candidate.subtype),
        sys.intern(candidate.answer_key), candidate.group or f"{candidate.subtype}#{number}", found,
    )  # fmt: skip


def by_subtype_of(offers: Iterable[Offer]) -> dict[str, list[Offer]]:
    """Offers by subtype, in their order."""
    out: dict[str, list[Offer]] = defaultdict(list)
    for item in offers:
        out[item.subtype].append(item)
    return dict(out)
