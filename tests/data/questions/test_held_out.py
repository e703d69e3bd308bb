from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from video3d.data.questions.blind import Riddle, examine
from video3d.data.questions.held_out import highest, luckless, marks_of
from video3d.data.questions.offer import Offer
from video3d.data.questions.unblind import unblinded


def _yes_no(number: int, words: str, label: str) -> Offer:
    riddle = Riddle("physics.hit", f"c{number}", "yes_no", (words, words), (), label)
    return Offer(f"c{number}", "test", 0, "physics", "physics.hit", label, f"g{number}", riddle)


def _drawn(rng: np.random.Generator, num: int, first: int, told: float) -> list[Offer]:
    """Questions of which a share tells the answer by a word."""
    out = []
    for i in range(num):
        label = ("yes", "no")[i % 2]
        word = {"yes": "fast", "no": "slow"}[label] if rng.random() < told else str(rng.choice(["fast", "slow"]))
        out.append(_yes_no(first + i, f"Will the {word} ball hit it?", label))
    return out


@pytest.mark.parametrize("told", [0.3, 0.6])
def test_held_out_questions_are_cut_until_the_training_questions_do_not_tell_them(told):
    rng = np.random.default_rng(1)
    train, asked = _drawn(rng, 80, 0, told), _drawn(rng, 60, 1000, told)
    marks = marks_of(train, asked)
    before, left = highest(asked, marks), luckless(asked, marks, 0.03)
    assert before is not None and before > 0.05
    assert {o.clip_id for o in left} < {o.clip_id for o in asked}
    answers = Counter(o.riddle.label for o in left)
    assert answers["yes"] == answers["no"] >= 10
    exam = examine([o.riddle for o in train], [o.riddle for o in left])
    assert exam["difference"] <= 0.03 + 1e-9
    assert exam["difference"] == pytest.approx(highest(left, marks), abs=1e-3)


def test_questions_that_nothing_tells_stay():
    rng = np.random.default_rng(2)
    train = _drawn(rng, 80, 0, 0.0)
    fair = [_yes_no(1000 + i, f"Will the {w} ball hit it?", a) for i, (w, a) in enumerate(
        [("fast", "yes"), ("fast", "no"), ("slow", "yes"), ("slow", "no")] * 8)]  # fmt: skip
    assert luckless(fair, marks_of(train, fair), 0.03) == fair


def test_too_few_training_questions_say_nothing():
    rng = np.random.default_rng(4)
    asked = _drawn(rng, 20, 1000, 1.0)
    marks = marks_of(_drawn(rng, 10, 0, 1.0), asked)
    assert marks == {} and highest(asked, marks) is None and luckless(asked, marks, 0.03) == asked


def test_small_subtypes_seldom_lose_every_question_to_luck():
    rng = np.random.default_rng(3)
    lost = 0
    for _ in range(40):
        asked = [_yes_no(i, "Will it hit it?", ("yes", "no")[i % 2]) for i in range(8)]
        marks = {(o.clip_id, 0): rng.integers(0, 2, 4) - 0.5 for o in asked}
        left = luckless(asked, marks, 0.03)
        lost += not left
        if left:
            assert np.mean([marks[o.clip_id, 0] for o in left], axis=0).max() <= 0.03 + 1e-9
            assert len({sum(o.key == k for o in left) for k in ("yes", "no")}) == 1
    assert lost <= 4


def test_a_small_split_that_the_cuts_left_without_one_answer_is_taken_again():
    rng = np.random.default_rng(5)
    train = [replace(o, split="train") for o in _drawn(rng, 160, 0, 0.4)]
    asked = _drawn(rng, 4, 1000, 1.0)  # told by their words: the first to go
    found = unblinded({"train": train, "test": asked}, rng, margin=0.02)
    assert 40 <= len(found.kept["train"]) < 160
    assert found.log["taken_again_test"] == 4 and found.kept["test"] == asked
    left = luckless(asked, marks_of(found.kept["train"], asked), 0.03)
    assert not left or highest(left, marks_of(found.kept["train"], left)) <= 0.03 + 1e-9
