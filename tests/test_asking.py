"""Of a language model's words on a scene, those that are no guess."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from video3d import asking
from video3d.answers.named import Finders
from video3d.answers.named_say import Located
from video3d.encoding import LookedAt
from video3d.types import Box3D

BOX = Box3D(center_world=np.zeros(3), size_m=np.ones(3), world_from_box=np.eye(3))
SCORES = {"sofa": 0.9, "table": 0.8, "ball": 0.3}
LOOKED = object.__new__(LookedAt)  # of which words ask no more than how many frames there are
object.__setattr__(LOOKED, "scene", SimpleNamespace(clip=SimpleNamespace(num_frames=4)))


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model that reads notes, on a scene with a sofa, a table and what may be a ball."""
    places = {name: Located(box=BOX, score=score, frames=(1,)) for name, score in SCORES.items()}

    def locate(things, position):
        return [places.get(one.category) for one in things]

    def count(name):
        return tuple((one, place) for one, place in places.items() if name in (None, one))

    find = Finders(locate, count, lambda things: [None] * len(things))
    monkeypatch.setattr(asking, "finders", lambda looked: find)
    monkeypatch.setattr(asking, "prompt_for", lambda *asked: "sofa: 2.1 m away, beside a veranda. table: 1.4 m away.")
    return SimpleNamespace(scene_closed=False, config=SimpleNamespace(objects_trained=True))


@pytest.mark.parametrize(("question", "said"), [
    ("What stands beside the sofa?", "a table"),
    ("What is the sofa near?", "The table is 1.4 m away."),
    ("Which is heavier, the sofa or the table?", "the sofa"),
    ("What is the sofa beside?", "a veranda"),  # which the model has read
])  # fmt: skip
def test_words_stand_that_were_read_and_are_of_what_is_there(reading, question: str, said: str) -> None:
    assert asking.may_stand(reading, LOOKED, question, said) == said


@pytest.mark.parametrize(("question", "said"), [
    ("Is it safe to turn left?", "yes"), ("机器人能通过吗？", "是的。"), ("asdf qwer", "No."),
    ("What is behind the sofa?", "the sofa"),
    ("Which is heavier, the dog or the sofa?", "the dog"),  # no dog was found
    ("What does the ball rest on?", "the table"),  # nor surely a ball
    ("What is this?", "the city of New York**"), ("What time is it?", "08:00 AM"),
    ("What is the sofa near?", "The table is 3 m away."),
])  # fmt: skip
def test_what_can_only_be_a_guess_does_not_stand(reading, question: str, said: str) -> None:
    assert asking.may_stand(reading, LOOKED, question, said) == ""


def test_a_model_that_sees_says_what_it_says(reading) -> None:
    reading.config.objects_trained = False
    assert asking.may_stand(reading, LOOKED, "Is it safe to turn left?", "yes") == "yes"
