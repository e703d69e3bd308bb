from collections import Counter
from dataclasses import replace

import numpy as np
from scenes import sample_room

from video3d.data.questions.blind import Riddle
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.narrow import narrowed
from video3d.data.questions.offer import Offer
from video3d.data.questions.select import to_row
from video3d.data.row import Choice

WAYS = ("go straight on", "turn left", "turn right", "turn around")


def _offer(number: int, options: tuple[str, ...], label: str, subtype: str = "action.way") -> Offer:
    said = tuple((o, o) for o in options)
    riddle = Riddle(subtype, f"c{number}", "choice", ("Which?", "哪个？"), said, label, options.index(label))
    return Offer(f"c{number}", "train", 0, subtype.split(".")[0], subtype, label, f"g{number}", riddle)


def test_an_answer_that_is_next_to_never_right_is_not_offered():
    rights = ["go straight on"] * 60 + ["turn left"] * 20 + ["turn right"] * 18 + ["turn around"]
    left, withheld = narrowed([_offer(i, WAYS, right) for i, right in enumerate(rights)])
    assert withheld == {"action.way": frozenset({"turn around"})}
    assert Counter(o.riddle.label for o in left) == {"go straight on": 60, "turn left": 20, "turn right": 18}
    assert all([en for en, _ in o.riddle.options] == list(WAYS[:3]) for o in left)
    assert all(o.riddle.options[o.riddle.index][0] == o.riddle.label for o in left)


def test_answers_that_are_all_right_at_times_stay():
    rights = [*WAYS] * 10
    offers = [_offer(i, WAYS, right) for i, right in enumerate(rights)]
    assert narrowed(offers) == (offers, {})


def test_things_that_are_never_right_whatever_their_colour_are_not_offered():
    rng = np.random.default_rng(3)
    offers = []
    for i in range(40):
        dog = f"the {rng.choice(['red', 'white', 'brown'])} dog"
        options = (dog, "the table", "the desk", "the shelf")
        offers.append(_offer(i, options, options[1 + i % 3], "physics.support"))
    left, withheld = narrowed(offers)
    assert withheld["physics.support"] == {"the red dog", "the white dog", "the brown dog"}
    assert len(left) == 40 and all(len(o.riddle.options) == 3 for o in left)
    few, nothing = narrowed(offers[:7])  # too few to say so
    assert few == offers[:7] and nothing == {}


def test_a_question_left_with_its_answer_alone_is_not_asked():
    sure = [_offer(i, ("the floor", "the dog"), "the floor", "physics.support") for i in range(20)]
    left, _ = narrowed(sure)
    assert left == []


def test_the_row_offers_what_the_selection_weighed():
    options = [{"en": way, "zh": way} for way in WAYS]
    found = Candidate(
        type="action", subtype="action.way", question={"en": "Which?"}, answer=Choice(options=options, index=2),
        answer_text={"en": "turn right"}, answer_key="right", object_ids=(), evidence_frames=(0,), frame="none",
    )  # fmt: skip
    truth = replace(sample_room(np.random.default_rng(0)), seed=9)
    row = to_row(truth, found, 0, {"action.way": frozenset({"go straight on"})})
    assert isinstance(row.answer, Choice)
    assert [o["en"] for o in row.answer.options] == ["turn left", "turn right", "turn around"] and row.answer.index == 1
    assert to_row(truth, found, 0, {"layout.way": frozenset({"turn left"})}).answer == found.answer
