"""Answers in words: what is read out of them, and what it is worth."""

import math

import pytest
from pydantic import TypeAdapter

from video3d.data.questions.wording import DIRECTIONS
from video3d.data.row import Answer
from video3d.evaluation.qa_parse import parse_answer, parse_number
from video3d.evaluation.qa_score import WRONG, grade, mean_relative_accuracy

ANSWER: TypeAdapter = TypeAdapter(Answer)


def choice(*options: str) -> Answer:
    return ANSWER.validate_python({"kind": "choice", "options": [{"en": one} for one in options], "index": 0})


@pytest.mark.parametrize(
    ("said", "options", "meant"),
    [
        ("The Red Car.", ("the car", "the red car"), 1),
        ("It is the red car, I think", ("the car", "the red car"), 1),
        ("The car", ("the car", "the red car"), 0),
        ("to your left", ("to your right", "to your left"), 1),
        ("either the cat or the dog", ("the cat", "the dog"), None),
        ("the cat, because the dog is farther", ("the cat", "the dog"), 0),
        ("a cathedral", ("the cat", "the dog"), None),
        ("1 o'clock", ("11 o'clock", "1 o'clock"), 1),
        ("near it (within 1 m)", ("to the right of it", "near it (within 1 m)"), 1),
        ("", ("the cat", "the dog"), None),
    ],
)
def test_an_option_is_read_only_where_one_is_meant(said: str, options: tuple[str, ...], meant: int | None) -> None:
    assert parse_answer(said, choice(*options)) == meant


def test_yes_and_no() -> None:
    ask = ANSWER.validate_python({"kind": "yes_no", "value": True})
    assert parse_answer("Yes, it will.", ask) is True
    assert parse_answer("No. Nothing says yes to that", ask) is False
    assert parse_answer("I do not know", ask) is None
    assert grade(False, ask, "yes") == WRONG


def test_every_direction_is_read_from_its_own_words() -> None:
    for name, said in DIRECTIONS.items():
        ask = ANSWER.validate_python({"kind": "direction", "value": name})
        assert parse_answer(f"{said.en.capitalize()}.", ask) == name
        assert grade(name, ask, said.en).right
    assert parse_answer("to the left and to the right", ask) is None


@pytest.mark.parametrize(
    ("said", "unit", "value"),
    [
        ("1.5 m", "m", 1.5),
        ("150cm", "m", 1.5),
        ("In frame 3 it is 2 metres", "m", 2.0),
        ("between 2-3 m", "m", 3.0),
        ("1,200 m", "m", 1200.0),
        ("16 square metres", "m2", 16.0),
        ("36 km/h", "m/s", 10.0),
        ("half a second", "s", None),
        ("300 ms", "s", 0.3),
        ("-30 degrees", "deg", -30.0),
        ("There are four of them", "count", 4.0),
        ("There is no chair", "count", 0.0),
        ("2.5", "m", 2.5),
        ("2 s", "m", None),
    ],
)
def test_numbers_come_in_the_unit_that_is_asked_for(said: str, unit: str, value: float | None) -> None:
    assert parse_number(said, unit) == (None if value is None else pytest.approx(value))


def test_relative_accuracy_of_vsi_bench() -> None:
    assert [mean_relative_accuracy(1 + error, 1.0) for error in (0.0, 0.05, 0.06, 0.5, 0.51)] == pytest.approx(
        [1.0, 1.0, 0.9, 0.1, 0.0]
    )
    assert mean_relative_accuracy(0.0, 0.0) == 1.0
    assert mean_relative_accuracy(math.nan, 1.0) == 0.0


def test_a_number_is_right_within_its_tolerance_or_a_tenth() -> None:
    ask = ANSWER.validate_python({"kind": "number", "value": 0.2, "unit": "m", "tolerance": 0.1})
    assert grade(0.29, ask, "0.2 m").right
    assert not grade(0.31, ask, "0.2 m").right
    assert grade(None, ask, "0.2 m") == WRONG


def test_a_box_is_read_from_the_words_of_the_data_set_and_judged_by_what_it_shares() -> None:
    ask = ANSWER.validate_python(
        {"kind": "box", "center_world": [-1.04, 1.5, 0.31], "size_m": [0.31, 0.18, 0.62], "yaw_rad": 0.5061}
    )
    words = "centre (-1.04, 1.50, 0.31) m, size 0.31 x 0.18 x 0.62 m, yaw 29 degrees"
    whole = grade(parse_answer(words, ask), ask, words)
    assert whole.right
    assert whole.score > 0.99
    beside = parse_answer(words.replace("0.31) m", "0.62) m"), ask)
    assert grade(beside, ask, words).score == pytest.approx(1 / 3, abs=0.01)  # half of its height
    assert parse_answer("none", ask) == "none"
    assert grade("none", ask, words) == WRONG
    assert parse_answer("size 1 x 2", ask) is None
    assert parse_answer("(1, 2, 3) 1 x 0 x 1", ask) is None


def test_texts_are_right_by_their_words_and_captions_by_what_they_share() -> None:
    ask = ANSWER.validate_python({"kind": "text", "accept": ["There is none"]})
    assert grade(parse_answer("There is none.", ask), ask, "none").right
    assert not grade(parse_answer("a chair", ask), ask, "none").right
    found = grade(parse_answer("A room with a bed", ask), ask, "A room with a chair", caption=True)
    assert found.right is None
    assert found.score == pytest.approx(2 / 3)
