"""Balance and blindness of one subtype: cut until neither the frequent answer nor the words of the question give it away.

The filter follows AFLite (Le Bras et al., "Adversarial Filters of Dataset Biases", ICML 2020): text-only models are
cross-validated over clips, and of the questions that they get right, those that they get right most often go, until they score
at chance. Before that, the gentler cure is tried: questions about the same things (a ball and a chair) are paired, so that the
things named do not tell the answer.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from video3d.data.questions.blind import best_constant, chances, cross_validated
from video3d.data.questions.offer import Offer
from video3d.data.truth import Split
from video3d.vocabulary import CATEGORIES, COLORS

MIN_NUM = 40
"""A subtype with fewer questions cannot be examined: chance itself scatters by more than the margin."""
_MOST = 2500  # questions of a subtype that are examined together
_ROUNDS = 14
_POSITIONS = frozenset({"first", "second", "third", "fourth", "yes", "no", "true", "false"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtered:
    """What is left of a subtype by split, and the log: score before and after, chance, what was cut."""

    kept: dict[Split, list[Offer]]
    log: dict[str, object] = field(default_factory=dict)


def closed_answers(offers: Sequence[Offer]) -> bool:
    """Whether all questions of a subtype have the same answers to choose from, so that each must be right equally often."""
    riddles = [o.riddle for o in offers if o.riddle is not None]
    if not riddles:
        return False
    if all(r.kind in ("yes_no", "direction") for r in riddles):
        return True
    if {o.key for o in offers} <= _POSITIONS:
        return True
    sets = Counter(frozenset(en for en, _ in r.options) for r in riddles)
    return all(r.kind == "choice" for r in riddles) and sets.most_common(1)[0][1] >= 0.9 * len(riddles)


def balance_key(offers: Sequence[Offer]) -> Callable[[Offer], str]:
    """By what the answers of a subtype are balanced: the answer's word where answers are closed, else the key."""
    if not closed_answers(offers):
        return lambda o: o.key
    by_key = {o.key for o in offers} <= _POSITIONS
    return lambda o: o.key if by_key or o.riddle is None else o.riddle.label


def equalised(offers: Sequence[Offer], rng: np.random.Generator, *, most: int) -> list[Offer]:
    """Offers of one subtype and split, in random order, with the frequent answers cut.

    Closed answers become equally frequent: as often as the rarest, where each of the options offered must be right at times, and
    as pays best for direction words, of which rare ones are left out. Numbers and open answers (names of things) are capped at a
    common level, which keeps rare ones.

    Args:
        offers: of one subtype and split.
        rng: decides which go.
        most: at most so many.
    """
    if not offers:
        return []
    key = balance_key(offers)
    queues: dict[str, list[Offer]] = defaultdict(list)
    for i in rng.permutation(len(offers)):
        queues[key(offers[int(i)])].append(offers[int(i)])
    counts = sorted((len(q) for q in queues.values()), reverse=True)
    if closed_answers(offers):
        first = next(o.riddle for o in offers if o.riddle is not None)
        if first.kind == "direction":
            level = (
                max((min(most, c * n), n, c) for n, c in enumerate(counts, 1) if n >= 2)[2] if len(counts) > 1 else 0
            )
            queues = {name: q for name, q in queues.items() if len(q) >= level}
        else:
            answers = max(2, len(first.options))
            level = counts[-1] if len(counts) >= answers else 0
    elif len(counts) == 1:
        level = 0 if offers[0].riddle is not None else counts[0]
    else:
        level = max((min(most, c * n), n, c) for n, c in enumerate(counts, 1))[2]
    level = min(level, max(1, -(-most // max(1, len(queues)))))
    kept = [item for name in sorted(queues) for item in queues[name][:level]]
    return [kept[int(i)] for i in rng.permutation(len(kept))]


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(name for c in CATEGORIES for name in (c.name, *c.aliases)) - frozenset(c.name for c in COLORS)


@lru_cache(maxsize=1 << 15)
def things_named(question_en: str) -> tuple[str, ...]:
    """The categories that a question names, sorted.

    >>> things_named("Will the red ball hit the coffee table?")
    ('ball', 'coffee table')
    """
    words = question_en.lower().replace("?", " ").replace(",", " ").replace(":", " ").replace(".", " ").split()
    found, place = [], 0
    while place < len(words):
        for length in (3, 2, 1):
            phrase = " ".join(words[place : place + length])
            if len(words) - place >= length and phrase in _names():
                found.append(phrase)
                place += length - 1
                break
        place += 1
    return tuple(sorted(found))


def paired(offers: Sequence[Offer]) -> list[Offer]:
    """Within questions that name the same things, every answer equally often, give or take one."""
    key = balance_key(offers)
    cells: dict[tuple[str, ...], dict[str, list[Offer]]] = defaultdict(lambda: defaultdict(list))
    for item in offers:
        cells[things_named(item.riddle.question[0]) if item.riddle else ()][key(item)].append(item)
    answers = len({key(o) for o in offers})
    kept: set[int] = set()
    for cell in cells.values():
        level = 1 + (min(len(q) for q in cell.values()) if len(cell) == answers else 0)
        kept |= {id(item) for queue in cell.values() for item in queue[:level]}
    return [o for o in offers if id(o) in kept]


def unblinded(by_split: dict[Split, list[Offer]], rng: np.random.Generator, *, margin: float) -> Filtered:
    """One subtype with its giveaways cut, all splits together (what is learned from one is used in the other).

    Args:
        by_split: balanced offers.
        rng: decides where the models cannot.
        margin: what they may score above chance.
    """
    offers = [o for split in sorted(by_split) for o in by_split[split]]
    if len(offers) < MIN_NUM or any(o.riddle is None for o in offers):
        return Filtered(kept=dict(by_split), log={"examined": len(offers), "note": "too few to examine"})
    if len(offers) > _MOST:
        offers = [offers[i] for i in sorted(rng.permutation(len(offers))[:_MOST].tolist())]
    closed = closed_answers(offers)
    log: dict[str, object] = {"examined": len(offers)}
    excess, hits = _excess(offers, 0)
    log["excess_before"] = round(excess, 4)
    if excess > _allowed(offers, margin) and closed:
        again = _level(paired(offers), rng)
        if len(again) >= max(MIN_NUM, len(offers) // 3):
            offers = again
            log["after_pairing"] = len(offers)
            excess, hits = _excess(offers, 0)
    rounds = 0
    while excess > _allowed(offers, margin) and rounds < _ROUNDS and len(offers) >= MIN_NUM:
        rounds += 1
        chance = _chance(offers)
        score = chance + excess
        cut = int(np.ceil(0.7 * len(offers) * (score - chance) / max(0.05, 1 - chance)))
        order = np.lexsort((rng.random(len(offers)), -hits))
        gone = set(order[: max(1, cut)].tolist())
        offers = [o for i, o in enumerate(offers) if i not in gone]
        if closed:
            offers = _level(offers, rng)
        if len(offers) < MIN_NUM:
            break
        excess, hits = _excess(offers, rounds)
    log |= {"rounds": rounds, "kept": len(offers), "excess_after": round(excess, 4)}
    if excess > _allowed(offers, margin) + 0.02:
        log["note"] = "given up: its words tell the answer"
        offers = []
    kept: dict[Split, list[Offer]] = {split: [] for split in by_split}
    for item in offers:
        kept[item.split].append(item)
    if len(kept.get("train", [])) >= MIN_NUM:
        # A small split that lost one of its answers in the cuts lost all of them. What the training questions tell of it goes
        # when they are known (``held_out``).
        for split, items in kept.items():
            if not items and by_split[split] and split != "train":
                kept[split] = list(by_split[split])
                log[f"taken_again_{split}"] = len(kept[split])
    return Filtered(kept=kept, log=log)


def _level(offers: Sequence[Offer], rng: np.random.Generator) -> list[Offer]:
    """Equal answers again, in every split."""
    out = []
    for split in sorted({o.split for o in offers}):
        out += equalised([o for o in offers if o.split == split], rng, most=len(offers))
    return out


def _chance(offers: Sequence[Offer]) -> float:
    riddles = [o.riddle for o in offers if o.riddle is not None]
    guess = chances(riddles)
    if np.isnan(guess).any():
        numbers = [r for r in riddles if r.kind == "number"]
        values, allowed = np.array([r.value for r in numbers]), np.array([r.tolerance for r in numbers])
        share = float((np.abs(values - best_constant(values, allowed)) <= allowed + 1e-9).mean())
        guess = np.where(np.isnan(guess), share, guess)
    return float(guess.mean())


def _allowed(offers: Sequence[Offer], margin: float) -> float:
    """The margin; with few questions by how much chance itself scatters (one standard error)."""
    chance = _chance(offers)
    return max(margin, float(np.sqrt(chance * (1 - chance) / max(1, len(offers)))))


def _excess(offers: Sequence[Offer], seed: int) -> tuple[float, np.ndarray]:
    """By how much n-grams beat chance in the language in which they do so most, and how often each question was got right."""
    riddles = [o.riddle for o in offers if o.riddle is not None]
    rights = [cross_validated(riddles, speech, seed=seed) for speech in ("en", "zh")]
    worst = max(float(right.mean()) for right in rights)
    return worst - _chance(offers), np.sum(rights, axis=0)
