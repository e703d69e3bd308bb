"""The blindness examination: what a model that reads the question but sees no video would score.

Baselines are fitted on the training rows of a subtype and score its test rows: the answer given most often, the place of the
right option found most often, and n-grams of the words in English and in Chinese. A data set passes where none of them beats
chance: one over the number of options, one half for yes or no, one over the number of words for directions, and for numbers the
best constant (a number counts as right within its own tolerance or within 10 %). Boxes, captions and short texts are left out.

The generator cuts questions until these baselines fail. So that this is no circle, a witness of another make that the generator
never asks is reported beside them: naive Bayes over the same n-grams, and for numbers the training question of the most similar words.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.data.questions.ngrams import (
    class_scores,
    first_best,
    fit_bayes,
    fit_classes,
    fit_options,
    fit_ridge,
    option_matrix,
    question_matrix,
    used_columns,
)
from video3d.data.row import Answer, Choice, Direction, Number, Row, Text, YesNo

Speech = Literal["en", "zh"]
MIN_TRAIN = 20
"""Fewer training rows of a subtype than this tell nothing."""
_NUMBERS = 10  # constants that an n-gram model of numbers chooses from


@dataclass(frozen=True, slots=True)
class Riddle:
    """A question as a blind model meets it, with its answer: a compact record.

    Attributes:
        subtype: of the row.
        clip_id: questions of one clip are never on both sides of a cross-validation.
        kind: choice, yes_no, direction or number.
        question: in English and Chinese (the English where there is none).
        options: of a choice, each in English and Chinese; else empty.
        label: the right answer as a word.
        index: place of the right option; -1 without options.
        value: of a number.
        tolerance: of a number.
    """

    subtype: str
    clip_id: str
    kind: Literal["choice", "yes_no", "direction", "number"]
    question: tuple[str, str]
    options: tuple[tuple[str, str], ...]
    label: str
    index: int = -1
    value: float = 0.0
    tolerance: float = 0.0


def riddle(subtype: str, clip_id: str, question: Text, answer: Answer) -> Riddle | None:
    """What a blind model gets of a question; None for answers that it is not examined on."""
    words = (question["en"], question.get("zh", question["en"]))
    match answer:
        case Choice():
            options = tuple((o["en"], o.get("zh", o["en"])) for o in answer.options)
            return Riddle(subtype, clip_id, "choice", words, options, options[answer.index][0], answer.index)
        case YesNo():
            return Riddle(subtype, clip_id, "yes_no", words, (), "yes" if answer.value else "no")
        case Direction():
            return Riddle(subtype, clip_id, "direction", words, (), answer.value)
        case Number():
            allowed = max(answer.tolerance, 0.1 * abs(answer.value))
            return Riddle(subtype, clip_id, "number", words, (), "", -1, answer.value, allowed)
    return None


def chances(riddles: Sequence[Riddle]) -> Float64[np.ndarray, "n"]:
    """What guessing scores on each riddle of a subtype; numbers need a constant and have NaN."""
    words = len({r.label for r in riddles if r.kind == "direction"})
    by_kind = {"yes_no": 0.5, "direction": 1 / max(words, 1), "number": float("nan")}
    return np.array([1 / len(r.options) if r.options else by_kind[r.kind] for r in riddles])


def best_constant(values: Float64[np.ndarray, "n"], allowed: Float64[np.ndarray, "n"]) -> float:
    """The number that is right for most: the point that most of the intervals ``value ± allowed`` share.

    >>> best_constant(np.array([1.0, 1.1, 5.0]), np.array([0.1, 0.1, 0.5]))
    1.05
    """
    edges = np.concatenate([values - allowed, values + allowed])
    opens = np.concatenate([np.ones(len(values)), -np.ones(len(values))])
    order = np.lexsort((-opens, edges))  # at one place, openings before closings
    depth = np.cumsum(opens[order])
    best = int(np.argmax(depth))
    return float((edges[order[best]] + edges[order[min(best + 1, len(order) - 1)]]) / 2)


def _right(values: np.ndarray, allowed: np.ndarray, guess: np.ndarray | float) -> Bool[np.ndarray, "n"]:
    return np.abs(values - guess) <= allowed + 1e-9


Guess = int | str | float | None
"""An answer to a riddle: the place of an option, a word, a number; None where there was nothing to learn from."""


def is_right(asked: Riddle, guess: Guess) -> bool:
    """Whether a guess answers a riddle.

    >>> is_right(Riddle("a.b", "c", "number", ("", ""), (), "", -1, 2.0, 0.2), 2.1)
    True
    """
    match asked.kind:
        case "choice":
            return guess == asked.index
        case "number":
            return isinstance(guess, float) and bool(
                _right(np.array([asked.value]), np.array([asked.tolerance]), guess)
            )
    return guess == asked.label


def _by_kind(
    train: Sequence[Riddle], test: Sequence[Riddle], solve: Callable[[str, list[Riddle], list[Riddle]], Sequence[Guess]]
) -> list[Guess]:
    """Guesses for test riddles, one kind of answer at a time; none for those of a kind without training riddles."""
    guesses: list[Guess] = [None] * len(test)
    for kind in sorted({r.kind for r in test}):
        known = [r for r in train if r.kind == kind]
        places = [i for i, r in enumerate(test) if r.kind == kind]
        if known:
            for place, guess in zip(places, solve(kind, known, [test[i] for i in places]), strict=True):
                guesses[place] = guess
    return guesses


def _hits(test: Sequence[Riddle], guesses: Sequence[Guess]) -> Bool[np.ndarray, "n"]:
    return np.array([is_right(r, guess) for r, guess in zip(test, guesses, strict=True)], dtype=bool)


def ngram_guesses(train: Sequence[Riddle], test: Sequence[Riddle], speech: Speech) -> list[Guess]:
    """What n-grams answer to test riddles of one subtype after training on others. One kind and language at a time."""
    tongue = 0 if speech == "en" else 1
    solvers = {"choice": _solve_choices, "number": _solve_numbers}
    return _by_kind(train, test, lambda kind, known, asked: solvers.get(kind, _solve_words)(known, asked, tongue))


def ngram_right(train: Sequence[Riddle], test: Sequence[Riddle], speech: Speech) -> Bool[np.ndarray, "n"]:
    """Which test riddles of one subtype n-grams get right after training on others."""
    return _hits(test, ngram_guesses(train, test, speech))


def _solve_choices(train: Sequence[Riddle], test: Sequence[Riddle], tongue: int) -> list[int]:
    matrix = option_matrix(
        [r.question[tongue] for r in (*train, *test)], [[o[tongue] for o in r.options] for r in (*train, *test)]
    )
    sizes = np.array([len(r.options) for r in (*train, *test)])
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    cut = int(begins[len(train)])
    columns = used_columns(matrix[:cut])
    matrix = matrix[:, columns]
    right = np.zeros(cut, dtype=bool)
    right[begins[: len(train)] + np.array([r.index for r in train])] = True
    weights = fit_options(matrix[:cut], begins[: len(train) + 1], right)
    return first_best(np.asarray(matrix[cut:] @ weights), begins[len(train) :] - cut).tolist()


def _solve_words(train: Sequence[Riddle], test: Sequence[Riddle], tongue: int) -> list[str]:
    names = sorted({r.label for r in train})
    labels = np.array([names.index(r.label) for r in train], dtype=np.int64)
    return [names[g] for g in _guess_classes(train, test, tongue, labels, len(names))]


def _guess_classes(
    train: Sequence[Riddle], test: Sequence[Riddle], tongue: int, labels: Int64[np.ndarray, "n"], num: int
) -> Int64[np.ndarray, "t"]:
    matrix = question_matrix([r.question[tongue] for r in (*train, *test)])
    matrix = matrix[:, used_columns(matrix[: len(train)])]
    weights = fit_classes(matrix[: len(train)], labels, num)
    return class_scores(matrix[len(train) :], weights).argmax(axis=1)


def _solve_numbers(train: Sequence[Riddle], test: Sequence[Riddle], tongue: int) -> list[float]:
    """The better of two on the training rows: ridge, or choosing among the constants that cover most of them."""
    values, allowed = np.array([r.value for r in train]), np.array([r.tolerance for r in train])
    constants, left = [], np.ones(len(train), dtype=bool)
    label = np.zeros(len(train), dtype=np.int64)
    while left.any() and len(constants) < _NUMBERS:
        constant = best_constant(values[left], allowed[left])
        hit = left & _right(values, allowed, constant)
        label[hit] = len(constants)
        constants.append(constant)
        left &= ~hit
    covered = [r for r, out in zip(train, left, strict=True) if not out]
    both = [*train, *test]
    chosen = np.array(constants)[_guess_classes(covered, both, tongue, label[~left], len(constants))]
    matrix = question_matrix([r.question[tongue] for r in both])
    matrix = matrix[:, used_columns(matrix[: len(train)])]
    weights, mean = fit_ridge(matrix[: len(train)], values)
    drawn = np.asarray(matrix @ weights) + mean
    n = len(train)
    better = chosen if _right(values, allowed, chosen[:n]).sum() >= _right(values, allowed, drawn[:n]).sum() else drawn
    return better[n:].tolist()


def witness_right(train: Sequence[Riddle], test: Sequence[Riddle]) -> Bool[np.ndarray, "n"]:
    """Which test riddles of one subtype a reader gets right that the generator never consults. English."""
    solvers = {"choice": _bayes_choices, "number": _nearest_numbers}
    guesses = _by_kind(train, test, lambda kind, known, asked: solvers.get(kind, _bayes_words)(known, asked))
    return _hits(test, guesses)


def _bayes_choices(train: Sequence[Riddle], test: Sequence[Riddle]) -> list[int]:
    both = (*train, *test)
    matrix = option_matrix([r.question[0] for r in both], [[o[0] for o in r.options] for r in both])
    begins = np.concatenate([[0], np.cumsum([len(r.options) for r in both])]).astype(np.int64)
    cut = int(begins[len(train)])
    matrix = matrix[:, used_columns(matrix[:cut])]
    right = np.zeros(cut, dtype=np.int64)
    right[begins[: len(train)] + np.array([r.index for r in train])] = 1
    scores = class_scores(matrix[cut:], fit_bayes(matrix[:cut], right, 2))
    return first_best(scores[:, 1] - scores[:, 0], begins[len(train) :] - cut).tolist()


def _bayes_words(train: Sequence[Riddle], test: Sequence[Riddle]) -> list[str]:
    names = sorted({r.label for r in train})
    matrix = question_matrix([r.question[0] for r in (*train, *test)])
    matrix = matrix[:, used_columns(matrix[: len(train)])]
    labels = np.array([names.index(r.label) for r in train], dtype=np.int64)
    guess = class_scores(matrix[len(train) :], fit_bayes(matrix[: len(train)], labels, len(names))).argmax(axis=1)
    return [names[g] for g in guess]


def _nearest_numbers(train: Sequence[Riddle], test: Sequence[Riddle]) -> list[float]:
    matrix = question_matrix([r.question[0] for r in (*train, *test)])
    alike = np.asarray((matrix[len(train) :] @ matrix[: len(train)].T).todense())
    return np.array([r.value for r in train])[alike.argmax(axis=1)].tolist()


def cross_validated(
    riddles: Sequence[Riddle], speech: Speech, *, folds: int = 4, seed: int = 0
) -> Bool[np.ndarray, "n"]:
    """Which riddles of one subtype n-grams get right when they were trained on other clips' riddles."""
    clips = sorted({r.clip_id for r in riddles})
    fold_of = dict(zip(clips, (np.random.default_rng(seed).permutation(len(clips)) % folds).tolist(), strict=True))
    fold = np.array([fold_of[r.clip_id] for r in riddles])
    right = np.zeros(len(riddles), dtype=bool)
    for held in range(folds):
        train = [r for r, f in zip(riddles, fold, strict=True) if f != held]
        test = [r for r, f in zip(riddles, fold, strict=True) if f == held]
        if train and test:
            right[fold == held] = ngram_right(train, test, speech)
    return right


def wilson(right: int, num: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927).

    >>> [round(x, 3) for x in wilson(50, 100)]
    [0.404, 0.596]
    """
    if num == 0:
        return 0.0, 1.0
    z, share = 1.959964, right / num
    middle = (share + z * z / (2 * num)) / (1 + z * z / num)
    half = z * np.sqrt(share * (1 - share) / num + z * z / (4 * num * num)) / (1 + z * z / num)
    return float(middle - half), float(middle + half)


def baseline_hits(
    train: Sequence[Riddle], test: Sequence[Riddle]
) -> tuple[dict[str, Bool[np.ndarray, "n"]], Float64[np.ndarray, "n"]]:
    """Which test riddles of one subtype each baseline gets right, and what guessing scores on each.

    Args:
        train: what the baselines are fitted on.
        test: what they are asked; an answer does not depend on what else is asked.
    """
    hits: dict[str, Bool[np.ndarray, "n"]] = {}
    common = Counter(r.label for r in train if r.kind != "number")
    place = Counter(r.index for r in train if r.index >= 0)
    guess = chances([*train, *test])[len(train) :]
    numbers = [r for r in train if r.kind == "number"]
    constant = np.zeros(len(test), dtype=bool)
    if numbers:
        best = best_constant(np.array([r.value for r in numbers]), np.array([r.tolerance for r in numbers]))
        constant = np.array([r.kind == "number" and abs(r.value - best) <= r.tolerance + 1e-9 for r in test])
    guess = np.where(np.isnan(guess), constant, guess)
    hits["majority"] = constant | np.array([_majority_right(r, common) for r in test])
    if place:
        top = place.most_common(1)[0][0]
        hits["position"] = np.array([r.index == top for r in test])
    for speech in ("en", "zh"):
        hits[f"ngram_{speech}"] = ngram_right(train, test, speech)
    return hits, guess


def examine(train: Sequence[Riddle], test: Sequence[Riddle]) -> dict[str, object]:
    """All baselines on one subtype; scores and differences are shares of 1."""
    hits, guess = baseline_hits(train, test)
    chance, num = float(guess.mean()), len(test)
    scores = {
        name: {
            "score": round(float(hit.mean()), 4),
            "interval": [round(x, 4) for x in wilson(int(hit.sum()), num)],
            "difference": round(float(hit.mean()) - chance, 4),
        }
        for name, hit in hits.items()
    }
    worst = max(scores, key=lambda name: scores[name]["score"])
    witness = witness_right(train, test)
    return {
        "train": len(train),
        "test": num,
        "kind": "/".join(sorted({r.kind for r in test})),
        "chance": round(chance, 4),
        "baselines": scores,
        "worst": worst,
        "difference": scores[worst]["difference"],
        "beats_chance": bool(scores[worst]["interval"][0] > chance),
        "witness": {
            "score": round(float(witness.mean()), 4),
            "interval": [round(x, 4) for x in wilson(int(witness.sum()), num)],
            "difference": round(float(witness.mean()) - chance, 4),
        },
    }


def _majority_right(asked: Riddle, common: Counter[str]) -> bool:
    """Whether the answer that was right most often (among the options, where there are some) is right here."""
    if asked.kind == "number":
        return False
    names = [o[0] for o in asked.options] or list(common)
    return bool(names) and max(names, key=lambda name: common[name]) == asked.label


def blind_report(rows_train: Iterable[Row], rows_test: Iterable[Row]) -> dict[str, object]:
    """The examination of a data set: every subtype, and all together.

    Returns:
        ``subtypes``: by name, what :func:`examine` says; ``skipped``: subtypes with too few rows to say anything;
        ``overall``: for every baseline and the witness its score over all test rows examined, chance, and the difference.
    """
    sides = []
    for rows in (rows_train, rows_test):
        by_subtype: dict[str, list[Riddle]] = defaultdict(list)
        for row in rows:
            found = riddle(row.subtype, row.clip_id, row.question, row.answer)
            if found is not None:
                by_subtype[row.subtype].append(found)
        sides.append(by_subtype)
    return report_of(*sides)


def report_of(train: dict[str, list[Riddle]], test: dict[str, list[Riddle]]) -> dict[str, object]:
    """The examination of riddles by subtype; see :func:`blind_report`."""
    subtypes: dict[str, dict] = {}
    skipped = {}
    for name in sorted({*train, *test}):
        known, asked = train.get(name, []), test.get(name, [])
        if len(known) < MIN_TRAIN or not asked:
            skipped[name] = f"{len(known)} training and {len(asked)} test rows"
        else:
            subtypes[name] = examine(known, asked)
    weight = np.array([s["test"] for s in subtypes.values()], dtype=np.float64)
    overall: dict[str, object] = {"test": int(weight.sum())}
    if len(weight):
        chance = float(np.average([s["chance"] for s in subtypes.values()], weights=weight))
        overall["chance"] = round(chance, 4)
        for name in ("majority", "position", "ngram_en", "ngram_zh"):
            having = [s for s in subtypes.values() if name in s["baselines"]]
            tests = np.array([s["test"] for s in having], dtype=np.float64)
            if having:
                score = float(np.average([s["baselines"][name]["score"] for s in having], weights=tests))
                fair = float(np.average([s["chance"] for s in having], weights=tests))
                overall[name] = {"score": round(score, 4), "difference": round(score - fair, 4)}
        score = float(np.average([s["witness"]["score"] for s in subtypes.values()], weights=weight))
        low, high = wilson(round(score * int(weight.sum())), int(weight.sum()))
        overall["witness"] = {
            "score": round(score, 4),
            "interval": [round(low, 4), round(high, 4)],
            "difference": round(score - chance, 4),
        }
    return {"subtypes": subtypes, "skipped": skipped, "overall": overall}
