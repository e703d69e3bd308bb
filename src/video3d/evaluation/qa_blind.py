"""What answers are worth that were given without looking: the most frequent one, and what n-grams of the question tell.

Both learn from the training rows of a subtype (grounding: of all grounding rows, for what is asked does not say whether the
thing is there) and answer the examined ones, judged as a model's answers are. n-grams are those of
``video3d.data.questions.blind``, English; they answer no boxes and no texts, where the most frequent answer stands in for them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from video3d.data.questions.blind import Guess, ngram_guesses, riddle
from video3d.data.row import Box, Choice, Direction, Number, Row, YesNo
from video3d.evaluation.qa_parse import NO_BOX, Parsed, plain
from video3d.evaluation.qa_score import Grade, grade, mean_relative_accuracy

_MOST_CONSTANTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """What one question is worth without looking."""

    majority: Grade
    ngram: Grade


def kind_of(row: Row) -> str:
    """Rows that are told apart before looking: by subtype, but for grounding."""
    return row.type if row.type == "grounding" else row.subtype


def blind_grades(train: Iterable[Row], rows: Sequence[Row]) -> list[Blind]:
    """What each of some rows is worth to the two baselines.

    Args:
        train: rows to learn from; only those whose kind is examined are kept.
        rows: to be answered.

    >>> blind_grades([], [])
    []
    """
    from threadpoolctl import threadpool_limits  # of the extra `data`, as all that reads data sets

    wanted = {kind_of(row) for row in rows}
    known: dict[str, list[Row]] = defaultdict(list)
    for row in train:
        if kind_of(row) in wanted:
            known[kind_of(row)].append(row)
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[kind_of(row)].append(place)
    found: list[Blind | None] = [None] * len(rows)
    with threadpool_limits(1):  # the models are small: threads only get into each other's way
        for kind, where in places.items():
            for place, one in zip(where, _of_kind(known[kind], [rows[place] for place in where]), strict=True):
                found[place] = one
    return [one for one in found if one is not None]


def _of_kind(train: list[Row], rows: list[Row]) -> list[Blind]:
    majority = [_judged(answer, row) for answer, row in zip(_most_frequent(train, rows), rows, strict=True)]
    learned = [_riddle(row) for row in train]
    riddles = [_riddle(row) for row in rows]
    asked = [one for one in riddles if one is not None]
    guesses: list[Guess] = []
    if asked:
        guesses = ngram_guesses([one for one in learned if one is not None], asked, "en")
    left = iter(guesses)
    ngram = [
        fallback if one is None else _judged(_parsed(next(left), row), row)
        for one, row, fallback in zip(riddles, rows, majority, strict=True)
    ]
    return [Blind(majority=a, ngram=b) for a, b in zip(majority, ngram, strict=True)]


def _riddle(row: Row):
    return riddle(row.subtype, row.clip_id, row.question, row.answer)


def _judged(answer: Parsed, row: Row) -> Grade:
    return grade(answer, row.answer, row.answer_text["en"], caption=row.type == "caption")


def _parsed(guess: Guess, row: Row) -> Parsed:
    return guess == "yes" if isinstance(row.answer, YesNo) and guess is not None else guess


def _most_frequent(train: list[Row], rows: list[Row]) -> list[Parsed]:
    """The answer that was right most often; of a choice the option; of numbers the constant that scores most."""
    words = Counter(plain(row.answer_text["en"]) for row in train if not isinstance(row.answer, Number | Box))
    numbers = np.array([row.answer.value for row in train if isinstance(row.answer, Number)])
    constant = best_scoring(numbers) if len(numbers) else None
    directions = Counter(row.answer.value for row in train if isinstance(row.answer, Direction))
    yes = Counter(row.answer.value for row in train if isinstance(row.answer, YesNo))
    said = words.most_common(1)[0][0] if words else None
    answers: list[Parsed] = []
    for row in rows:
        match row.answer:
            case Choice():
                names = [plain(option["en"]) for option in row.answer.options]
                answers.append(max(range(len(names)), key=lambda at: words[names[at]]))
            case YesNo():
                answers.append(yes.most_common(1)[0][0] if yes else None)
            case Direction():
                answers.append(directions.most_common(1)[0][0] if directions else None)
            case Number():
                answers.append(constant)
            case Box():
                answers.append(NO_BOX)
            case _:
                answers.append(said)
    return answers


def best_scoring(values: np.ndarray) -> float:
    """Of the numbers themselves the one that scores most as the answer to all of them.

    >>> best_scoring(np.array([1.0, 2.0, 2.1, 9.0]))
    2.0
    """
    some = np.unique(values)
    some = some[np.linspace(0, len(some) - 1, min(len(some), _MOST_CONSTANTS)).round().astype(int)]
    worth = [sum(mean_relative_accuracy(float(one), float(truth)) for truth in values) for one in some]
    return float(some[int(np.argmax(worth))])
