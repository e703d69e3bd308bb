"""Validation and test questions that baselines fitted on the training questions cannot tell from the words.

The training questions were cut until text-only models score at chance among them (``unblind``). What is left in the few
questions of a small split is luck, which would still be read as "this model sees nothing and scores 60 %". So the questions of
these splits are asked to the baselines of the examination (``blind``) themselves, and where one beats chance by more than a margin
some of those that it gets right go.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.blind import MIN_TRAIN, baseline_hits
from video3d.data.questions.offer import Offer
from video3d.data.questions.unblind import balance_key, closed_answers

Marks = dict[tuple[str, int], Float64[np.ndarray, "b"]]
"""By clip and number of a question: for every baseline, 1 or 0 for right or wrong, less what guessing scores."""


def marks_of(train: Sequence[Offer], asked: Sequence[Offer]) -> Marks:
    """What the baselines, fitted on the training questions of a subtype, make of others; empty where there are too few."""
    known = [o.riddle for o in train if o.riddle is not None]
    pairs = [(o, o.riddle) for o in asked if o.riddle is not None]
    if len(known) < MIN_TRAIN or not pairs:
        return {}
    hits, guess = baseline_hits(known, [r for _, r in pairs])
    table = np.stack(list(hits.values()), axis=1).astype(np.float64) - guess[:, None]
    return {(o.clip_id, o.number): row for (o, _), row in zip(pairs, table, strict=True)}


def luckless(offers: Sequence[Offer], marks: Mapping[tuple[str, int], np.ndarray], margin: float) -> list[Offer]:
    """Questions of one subtype without as many of those that the baselines get right as it takes; answers stay balanced.

    Args:
        offers: chosen so far, in order.
        marks: of each; without them all stay.
        margin: what each baseline may score above chance.
    """
    if any((o.clip_id, o.number) not in marks for o in offers):
        return list(offers)
    left = list(offers)
    key, closed = balance_key(offers), closed_answers(offers)
    while left:
        table = np.stack([marks[o.clip_id, o.number] for o in left])
        lucky = table.mean(axis=0) > margin
        if not lucky.any():
            break
        score = table[:, lucky].sum(axis=1)
        by_answer: dict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(left):
            by_answer[key(item) if closed else ""].append(place)
        # Of closed answers one goes of each, so that they stay equally frequent.
        gone = {max(places, key=lambda i: float(score[i])) for places in by_answer.values()}
        left = [o for place, o in enumerate(left) if place not in gone]
    return left


def highest(offers: Sequence[Offer], marks: Mapping[tuple[str, int], np.ndarray]) -> float | None:
    """By how much the best baseline beats chance; None where it was not asked."""
    found = [marks[o.clip_id, o.number] for o in offers if (o.clip_id, o.number) in marks]
    return float(np.stack(found).mean(axis=0).max()) if found else None
