"""Names for things, what the frames show, and wording."""

import numpy as np
import pytest
import scenes
from scenes import look_at, scene, thing

from video3d import vocabulary
from video3d.answers.notes import as_read
from video3d.answers.references import without_options
from video3d.answers.understood import is_understood
from video3d.data.presented import asked
from video3d.data.questions.ask import candidates
from video3d.data.questions.confusion import colors_clash, confused, nameable
from video3d.data.questions.references import name_of, refer, referable
from video3d.data.questions.visibility import best_frame, ever_seen, seen_frames, well_seen, with_visibility
from video3d.data.questions.wording import Said, Wordings, article, at_frame, choice, direction, number, yes_no


def test_a_thing_alone_of_its_kind_needs_no_colour():
    truth = scene([thing(1, "chair", (0, 3, 0), color="red"), thing(2, "table", (1, 3, 0))])
    reference = refer(truth, 1)
    assert reference is not None
    assert (reference.en, reference.zh, reference.measure) == ("the chair", "椅子", "把")


def test_two_of_a_kind_are_told_apart_by_colours_that_nobody_mixes_up():
    red, blue = thing(1, "chair", (-1, 3, 0), color="red"), thing(2, "chair", (1, 3, 0), color="blue")
    named = referable(scene([red, blue]))
    assert [r.en for r in named.values()] == ["the red chair", "the blue chair"]
    assert named[1].zh == "红色的椅子"
    assert named[1].colored


@pytest.mark.parametrize("other", ["orange", "pink", None, "red"])
def test_colours_that_may_be_mixed_up_tell_nothing_apart(other):
    truth = scene([thing(1, "ball", (-1, 3, 0), color="red"), thing(2, "ball", (1, 3, 0), color=other)])
    assert refer(truth, 1) is None


def test_a_second_one_out_of_sight_makes_the_first_doubtful():
    chair, unseen = thing(1, "chair", (0, 3, 0)), thing(2, "chair", (0, -3, 0))
    truth = scene([chair, unseen])
    assert not ever_seen(truth, 2)
    assert refer(truth, 1) is None


def test_an_unseen_rival_without_a_colour_does_not_spoil_the_red_one():
    truth = scene([thing(1, "chair", (0, 3, 0), color="red"), thing(2, "chair", (0, -3, 0))])
    reference = refer(truth, 1)
    assert reference is not None
    assert reference.en == "the red chair"


_ALIKE = "chair-stool armchair-office_chair table-desk coffee_table-side_table cabinet-wardrobe wardrobe-dresser car-van van-truck"


@pytest.mark.parametrize("pair", [*_ALIKE.split(), "tv-monitor", "cup-glass", "ball-apple"])
def test_near_synonyms_are_not_told_apart_by_name(pair):
    first, second = pair.replace("_", " ").split("-")
    assert confused(first, second)
    assert confused(second, first)
    truth = scene([thing(1, first, (-1, 3, 0)), thing(2, second, (1, 3, 0))])
    assert refer(truth, 1) is None
    assert refer(truth, 2) is None


def test_every_thing_that_may_be_named_has_words_in_both_languages():
    for entry in vocabulary.CATEGORIES:
        if nameable(entry.name):
            named = name_of(entry.name, "red")
            assert named is not None
            assert named[0].startswith("red ")
            assert named[1].startswith("红色的")


def test_plural_words_and_masses_are_never_named():
    assert not any(nameable(name) for name in ("shoes", "scissors", "soap", "wall", "floor", "no such thing"))


def test_clashing_is_symmetric():
    words = [color.name for color in vocabulary.COLORS]
    assert all(colors_clash(a, b) == colors_clash(b, a) for a in words for b in words)
    assert all(colors_clash(a, a) for a in words)


def test_visibility_from_boxes_sees_what_is_in_front_and_not_what_is_behind_or_hidden():
    front = thing(1, "wardrobe", (0, 2, 0), (2, 0.5, 2))
    hidden = thing(2, "chair", (0, 4, 0))
    behind = thing(3, "table", (0, -2, 0))
    half = thing(4, "sofa", (2.9, 3.5, 0), (1, 1, 1))
    truth = scene([front, hidden, behind, half])
    assert well_seen(truth, 1)
    assert not ever_seen(truth, 2)
    assert not ever_seen(truth, 3)
    share = truth.visible_share[0, 3]
    assert 0.2 < share < 0.9  # the picture's border cuts it


def test_visibility_that_is_known_is_kept():
    truth = scene([thing(1, "chair", (0, 3, 0))])
    assert with_visibility(truth) is truth


def test_far_small_and_few_are_not_well_seen():
    far = scene([thing(1, "chair", (0, 26.0, 0), (4, 4, 4))])
    assert seen_frames(far, 1) == ()
    small = scene([thing(1, "cup", (0, 5, 0.7), (0.08, 0.08, 0.1))])
    assert seen_frames(small, 1) == ()
    away, there = look_at((0, 0, 1.5), (0, -4, 1)), look_at((0, 0, 1.5), (0, 4, 0.7))
    once = scene([thing(1, "chair", (0, 3, 0))], [away, away, there, away])
    assert seen_frames(once, 1) == (2,)
    assert not well_seen(once, 1)
    assert well_seen(once, 1, min_frames=1)
    assert refer(once, 1) is None
    assert best_frame(once, [1]) == 2


def test_a_question_in_a_frame_needs_the_thing_in_that_frame():
    away, there = look_at((0, 0, 1.5), (0, -4, 1)), look_at((0, 0, 1.5), (0, 4, 0.7))
    truth = scene([thing(1, "chair", (0, 3, 0))], [there, there, away, away])
    assert refer(truth, 1) is not None
    assert refer(truth, 1, frames=[3]) is None


def test_wordings_must_be_many_and_are_filled_in_each_language():
    with pytest.raises(ValueError, match="4 English and >= 3 Chinese"):
        Wordings(en=("a?", "b?", "c?"), zh=("甲", "乙", "丙"))
    ways = Wordings(en=tuple(f"{i} is {{a}}?" for i in range(4)), zh=tuple(f"{i}：{{a}}？" for i in range(3)))
    text = ways.render(np.random.default_rng(0), a=Said("the cup", "杯子"))
    assert "the cup" in text["en"]
    assert "杯子" in text["zh"]


def test_answers_say_what_they_hold(rng):
    answer, text = choice(rng, (Said("the cup", "杯子"), Said("the book", "书"), Said("the lamp", "灯")), 1)
    assert answer.options[answer.index] == text == {"en": "the book", "zh": "书"}
    assert yes_no(True, ("会", "不会"))[1] == {"en": "yes", "zh": "会"}
    assert number(3.0, "count")[1] == {"en": "3", "zh": "3"}
    assert number(12.34, "m2", digits=0)[1] == {"en": "12 square metres", "zh": "12平方米"}
    assert direction("ahead-left", 40.04)[0].angle_deg == 40.0
    assert article("orange") == "an orange"
    assert at_frame(0, 16).zh == "在第一帧中"
    assert at_frame(0, 1).en == "in the picture"


def test_options_are_in_any_order():
    options = (Said("a", "甲"), Said("b", "乙"))
    places = [choice(np.random.default_rng(seed), options, 0)[0].index for seed in range(40)]
    assert 10 < sum(places) < 30


def test_the_scene_builder_moves_a_world_without_changing_the_picture():
    truth = scenes.sample_room(np.random.default_rng(1))
    turned = scenes.moved(truth, scenes.yaw_pose((3, -2, 0), 70))
    assert with_visibility(turned) is turned
    assert [r.en for r in referable(turned).values()] == [r.en for r in referable(truth).values()]


def test_rules_of_geometry_know_every_word_of_them():
    kinds = set()
    for seed in range(4):
        truth = scenes.sample_room(np.random.default_rng(seed))
        for row in (scenes.as_row(one, truth) for one in candidates(truth)):
            if row.type not in ("caption", "grounding"):  # which are read whole, by patterns of their own
                kinds.add(row.subtype)
                stem = without_options(as_read(asked(row))[2])
                assert is_understood(stem), stem
    assert len(kinds) > 20
