"""Questions with words that the rules of geometry were not written for are left alone."""

import pytest
from noting import box, notes

from video3d.answers.notes import as_read
from video3d.answers.understood import is_understood

CHAIR_TABLE = {"chair": box((-1, 3, 0.5)), "table": box((1, 5, 0.4), (1.6, 0.8, 0.8))}


@pytest.mark.parametrize(("text", "concludes"), [
    ("Which is nearer to the camera, the chair or the table?", True), ("Which is the largest, the chair or the table?", True),
    ("Which is nearer to being finished, the chair or the table?", False), ("Which has the largest price, the chair or the table?", False),
    ("Is the coffee mill left of the chair nearer than the table?", False), ("Which did the guests find nearer, the chair or the table?", False),
    ("If an elephant sat on the largest of them, the chair or the table, which would break?", False),
    ("Is the nearest exit behind the chair or the table?", False), ("Which is the largest one ever sold, the chair or the table?", False),
])  # fmt: skip
def test_a_word_that_is_not_known_leaves_a_question_alone(text, concludes):
    assert is_understood(as_read(text)[2]) == concludes
    assert notes(text, CHAIR_TABLE).startswith(("likely", "perhaps")) == concludes


def test_things_numbers_and_possessives_are_no_words_to_know():
    assert is_understood("in the camera's view, is the # within 0.5m of the #'s front in 3d?")
    assert not is_understood("zz")
