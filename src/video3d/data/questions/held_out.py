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

_FEW = 40
"""With fewer left than this, a larger set is looked for."""
_STARTS = 6


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

    What is got right by most goes first. Of a few questions that would leave none, though there are some that nobody tells when
    they are taken together: so the largest such set is looked for as well.

    Args:
        offers: chosen so far, in order.
        marks: of each; without them all stay.
        margin: what each baseline may score above chance.
    """
    if any((o.clip_id, o.number) not in marks for o in offers):
        return list(offers)
    key, closed = balance_key(offers), closed_answers(offers)
    by_answer: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(offers):
        by_answer[key(item) if closed else ""].append(place)
    table = np.array([marks[o.clip_id, o.number] for o in offers])
    kept = _without_the_told(table, list(by_answer.values()), margin)
    if len(kept) < min(len(offers), _FEW):
        kept = _largest(table, list(by_answer.values()), margin, more_than=len(kept)) or kept
    return [o for place, o in enumerate(offers) if place in kept]


def _without_the_told(table: Float64[np.ndarray, "n b"], answers: list[list[int]], margin: float) -> set[int]:
    """Places left when of every answer the one that the lucky baselines do best at goes, until none of them is lucky."""
    left = [list(places) for places in answers]
    while kept := [place for places in left for place in places]:
        lucky = table[kept].mean(axis=0) > margin
        if not lucky.any():
            break
        score = table[:, lucky].sum(axis=1)
        for places in left:  # of closed answers one of each, so that they stay equally frequent
            if places:
                places.remove(max(places, key=lambda i: float(score[i])))
    return set(kept)


def _largest(
    table: Float64[np.ndarray, "n b"], answers: list[list[int]], margin: float, *, more_than: int
) -> set[int] | None:
    """The largest set found, by exchanging one for one, with as many of each answer that no baseline tells; None for none."""
    rng = np.random.default_rng(0)
    most = min(len(places) for places in answers)
    for level in range(most, more_than // len(answers), -1):
        for _ in range(_STARTS):
            picked = [[int(i) for i in rng.permutation(places)] for places in answers]  # the first ``level`` are in
            total = table[[i for places in picked for i in places[:level]]].sum(axis=0)
            allowed = margin * level * len(answers)
            while (over := float(np.maximum(total - allowed, 0.0).sum())) > 1e-9:
                best: tuple[float, list[int], int, int] = (over - 1e-9, [], 0, 0)
                for places in picked:
                    after = total - table[places[:level], None] + table[None, places[level:]]
                    left = np.maximum(after - allowed, 0.0).sum(axis=2)
                    if left.size and float(left.min()) < best[0]:
                        a, b = divmod(int(left.argmin()), left.shape[1])
                        best = (float(left[a, b]), places, a, level + b)
                _, places, a, b = best
                if not places:
                    break
                total = total - table[places[a]] + table[places[b]]
                places[a], places[b] = places[b], places[a]
            else:
                return {i for places in picked for i in places[:level]}
    return None


def highest(offers: Sequence[Offer], marks: Mapping[tuple[str, int], np.ndarray]) -> float | None:
    """By how much the best baseline beats chance; None where it was not asked."""
    found = [marks[o.clip_id, o.number] for o in offers if (o.clip_id, o.number) in marks]
    return float(np.stack(found).mean(axis=0).max()) if found else None
