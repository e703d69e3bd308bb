"""Phrases that mean one thing or nothing, and captions that are true."""

import re

import numpy as np
import pytest
from scenes import as_row, look_at, sample_room, scene, thing

from video3d.data.questions.captions import MAX_WORDS, camera_motion
from video3d.data.questions.captions import scene as caption
from video3d.data.questions.grounding import none, phrase, relational, superlative


def ask(generator, truth, seed=0):
    found = list(generator(truth, np.random.default_rng(seed)))
    for candidate in found:
        as_row(candidate, truth)
    return found


def test_a_phrase_gives_its_box():
    truth = scene([thing(1, "ball", (-1, 3, 0), color="red"), thing(2, "ball", (1, 3, 0), color="blue")])
    found = {re.search(r"the (red|blue) ball", c.question["en"])[1]: c.answer for c in ask(phrase, truth)}
    assert found["red"].center_world == [-1.0, 3.0, 0.25]
    assert found["blue"].center_world == [1.0, 3.0, 0.25]


def test_a_relational_phrase_tells_things_of_one_kind_apart():
    chairs = [thing(i, "chair", (x, 4, 0)) for i, x in ((1, -2.0), (2, 0.8))]
    piano = thing(3, "piano", (2.3, 4, 0), (1.0, 0.6, 1.1))
    for seed in range(8):
        (candidate,) = ask(relational, scene([*chairs, piano]), seed)
        nearer = "nearer to the piano" in candidate.question["en"]
        assert nearer or "farther from the piano" in candidate.question["en"]
        assert ("较近" in candidate.question["zh"]) == nearer
        assert candidate.answer.center_world[0] == (0.8 if nearer else -2.0)


def test_a_relational_phrase_is_refused_where_two_fit():
    chairs = [thing(i, "chair", (x, 4, 0)) for i, x in ((1, -1.5), (2, 1.5))]
    assert ask(relational, scene([*chairs, thing(3, "piano", (0, 4.5, 0), (1.0, 0.6, 1.1))])) == []


def test_the_one_on_the_table():
    table = thing(1, "table", (0, 4, 0), (1.4, 0.9, 0.75))
    up = thing(2, "box", (0, 4, 0.75), (0.3, 0.3, 0.3), kind="prop", supported_by=1)
    down = thing(3, "box", (1.8, 4, 0), (0.3, 0.3, 0.3), kind="prop")
    asked = [c for seed in range(4) for c in ask(relational, scene([table, up, down]), seed)]
    on = [c for c in asked if "box on the table" in c.question["en"]]
    assert on
    assert all(c.answer.center_world[2] == 0.9 for c in on)


def test_leftmost_tallest_largest():
    plants = [
        thing(1, "potted plant", (-1.5, 4, 0), (0.4, 0.4, 0.6)),
        thing(2, "potted plant", (1.5, 4, 0), (0.6, 0.6, 1.2)),
    ]
    found = {}
    for candidate in ask(superlative, scene(plants)):
        word = re.search(r"leftmost|rightmost|taller|larger", candidate.question["en"])[0]
        found[word] = candidate.object_ids[0]
    assert found == {"leftmost": 1, "rightmost": 2, "taller": 2, "larger": 2}


def test_nothing_is_meant_by_what_is_not_there():
    things = [
        thing(1, "table", (-1, 4, 0), (1.2, 0.8, 0.75)),
        thing(2, "bed", (1.5, 4.5, 0), (1.4, 2, 0.5)),
        thing(3, "bottle", (-1, 4, 0.75), (0.15, 0.15, 0.35), kind="prop", supported_by=1, color="red"),
        thing(4, "teddy bear", (1.5, 4.5, 0.5), (0.4, 0.4, 0.5), kind="prop", supported_by=2),
    ]
    truth = scene(things)
    asked = [c for seed in range(12) for c in ask(none, truth, seed)]
    assert all(c.answer_text["en"] == "none" and c.answer.kind == "text" for c in asked)
    kinds = {c.group.split(":")[1].split("_")[0] for c in asked}
    assert kinds == {"kind", "color", "support"}
    for candidate in asked:
        words = candidate.question["en"]
        assert "red bottle" not in words
        if "support" in candidate.group:
            assert "bottle on the bed" in words or "bear on the table" in words
    assert ask(none, scene(things, complete=False)) == []


@pytest.mark.parametrize("seed", range(6))
def test_absent_kinds_are_absent(seed):
    truth = sample_room(np.random.default_rng(seed))
    there = {o.category for o in truth.objects}
    for candidate in ask(none, truth, seed):
        tail = candidate.group.split(":")[1]
        if tail.startswith("kind_"):
            assert tail.removeprefix("kind_").replace("_", " ") not in there


def test_a_caption_is_true_of_a_known_room():
    things = [
        thing(1, "table", (-1, 4, 0), (1.2, 0.8, 0.75)),
        thing(2, "chair", (1.2, 4, 0), color="red"),
        thing(3, "chair", (2.2, 5, 0), color="blue"),
        thing(4, "bottle", (-1, 4, 0.75), (0.2, 0.2, 0.4), kind="prop", supported_by=1),
    ]
    cameras = [look_at((0, 0.2 * i, 1.5), (0, 6, 0.7)) for i in range(4)]
    (candidate,) = ask(caption, scene(things, cameras))
    english, chinese = candidate.answer_text["en"], candidate.answer_text["zh"]
    assert "two chairs" in english
    assert "a table" in english
    assert "The bottle is on the table." in english
    assert "两把椅子" in chinese
    assert "瓶子在桌子上。" in chinese
    assert "moves forward by about 0.6 m" in english
    assert "向前移动约0.6米" in chinese


@pytest.mark.parametrize("seed", range(8))
def test_captions_are_short_and_whole(seed):
    truth = sample_room(np.random.default_rng(seed))
    for candidate in ask(caption, truth, seed):
        words = candidate.answer_text["en"]
        assert 15 < len(words.split()) <= MAX_WORDS
        assert all(sentence[0].isupper() for sentence in re.split(r"(?<=\.) ", words) if sentence)
        assert words.endswith(".")
        assert candidate.answer_text["zh"].endswith("。")
        assert candidate.answer_text["zh"].count("。") == len(re.findall(r"\.(?: |$)", words))


def test_camera_motion():
    def of(cameras):
        return camera_motion(scene([thing(1, "chair", (0, 3, 0))], cameras)).en

    def facing(degrees, at=(0.0, 0.0)):
        angle = np.radians(90 + degrees)
        return look_at((*at, 1.5), (at[0] + np.cos(angle), at[1] + np.sin(angle), 1.4))

    assert of([facing(0)] * 4) == "The camera stays where it is."
    assert of([facing(0, (0, 0.3 * i)) for i in range(4)]) == "The camera moves forward by about 0.9 m."
    assert of([facing(0, (0.3 * i, 0)) for i in range(4)]) == "The camera moves to the right by about 0.9 m."
    assert of([facing(20 * i) for i in range(4)]) == "The camera turns to the left by about 60 degrees."
    assert of([facing(-80 * i) for i in range(4)]) == "The camera turns to the right by about 240 degrees."
    assert of([facing(-9 * i, (0, -0.2 * i)) for i in range(4)]) == (
        "The camera moves backward by about 0.6 m and turns to the right by about 25 degrees."
    )
