"""Spatial relations: what each class means, when it is refused, and how each subtype asks."""

import re
from collections import Counter

import numpy as np
import pytest
from scenes import FRAMES, as_row, look_at, sample_room, scene, thing

from video3d.data.questions.relation_classes import CLASSES, class_words, relation_states, thinkable
from video3d.data.questions.relations_contact import above_below, inside, on
from video3d.data.questions.relations_frames import facing, object_frame, standing_point
from video3d.data.questions.relations_observer import (
    front_behind,
    left_right,
    nearer_farther,
    order_along_path,
    relation_class,
)
from video3d.data.questions.relations_world import between, near_far, nearest_to


def ask(generator, truth, seed=0):
    """What a generator asks of a clip; every question must make a row."""
    found = list(generator(truth, np.random.default_rng(seed)))
    for candidate in found:
        as_row(candidate, truth)
    return found


def chosen(candidate) -> str:
    return candidate.answer.options[candidate.answer.index]["en"]


def states_of(a, b, cameras=None, **more):
    return relation_states(scene([a, b], cameras, **more), 1, 2, FRAMES - 1)


def true_of(states) -> set[str]:
    return {name for name, state in states.items() if state is True}


# --- the ten classes -----------------------------------------------------------------------------------------------


def test_left_and_right_are_the_cameras():
    chair, table = thing(1, "chair", (-1.2, 3, 0)), thing(2, "table", (1.2, 3, 0))
    states = states_of(chair, table)
    assert states["left"] is True
    assert states["right"] is False
    assert states["front"] is states["behind"] is False
    from_behind = states_of(chair, table, look_at((0, 6, 1.5), (0, 2, 0.7)))
    assert from_behind["right"] is True


@pytest.mark.parametrize("x", [0.2, 0.45])
def test_left_is_refused_when_too_close_to_call(x):
    # 0.2 m is within the margin of 0.25 m; at 0.45 m the outlines still share columns
    assert states_of(thing(1, "chair", (0, 3, 0)), thing(2, "table", (x, 3, 0)))["left"] is not True


def test_a_thing_straight_behind_is_neither_left_nor_right():
    states = states_of(thing(1, "chair", (0, 2.5, 0)), thing(2, "wardrobe", (0, 4, 0), (1, 0.5, 1.8)))
    assert states["left"] is states["right"] is False
    assert states["front"] is True
    assert states["behind"] is False


def test_front_needs_depths_apart_and_columns_shared():
    ahead, touching = thing(1, "chair", (0, 3, 0)), thing(2, "table", (0.05, 3.55, 0))
    assert states_of(ahead, touching)["front"] is None
    diagonal = states_of(thing(1, "chair", (-0.9, 2.5, 0)), thing(2, "table", (0.9, 4, 0)))
    assert diagonal["front"] is None
    beside = states_of(thing(1, "chair", (-1.5, 3, 0)), thing(2, "table", (1.5, 3.3, 0)))
    assert beside["front"] is False


def test_front_and_behind_are_not_said_of_what_hovers_over():
    lamp = thing(1, "ceiling lamp", (0, 2.2, 2.0), (0.4, 0.4, 0.4), supported_by=None)
    assert states_of(lamp, thing(2, "table", (0, 3.5, 0)))["front"] is not True


def test_above_and_below():
    picture = thing(1, "picture", (0, 4.4, 1.4), (0.8, 0.05, 0.6), supported_by=None, kind="prop")
    sofa = thing(2, "sofa", (0, 4, 0), (1.9, 0.9, 0.8))
    states = states_of(picture, sofa)
    assert states["above"] is True
    assert states["below"] is False
    assert states["on"] is not True
    assert (
        states_of(thing(1, "sofa", (0, 4, 0)), thing(2, "picture", (0, 4.2, 1.4), supported_by=None))["below"] is True
    )
    assert states_of(picture, thing(2, "chair", (-1.8, 3, 0)))["above"] is not True


def test_what_stands_under_a_table_is_below_it_and_not_inside():
    box = thing(1, "box", (0, 3, 0), (0.3, 0.3, 0.3), kind="prop")
    table = thing(2, "table", (0, 3, 0), (1.4, 0.9, 0.75))
    assert states_of(box, table)["below"] is True
    assert states_of(box, table)["above"] is False
    assert states_of(box, table)["inside"] is None  # its centre is in the table's box: not asked


def test_on_is_what_the_truth_says_and_not_through_another():
    table = thing(1, "table", (0, 3, 0), (1.4, 0.9, 0.75))
    book = thing(2, "book", (0, 3, 0.75), (0.3, 0.2, 0.05), kind="prop", supported_by=1)
    cup = thing(3, "cup", (0, 3, 0.8), (0.1, 0.1, 0.12), kind="prop", supported_by=2)
    chair = thing(4, "chair", (1.5, 3, 0))
    truth = scene([table, book, cup, chair])
    assert relation_states(truth, 2, 1, 3)["on"] is True
    assert relation_states(truth, 3, 2, 3)["on"] is True
    assert relation_states(truth, 3, 1, 3)["on"] is None  # on the book that is on the table
    assert relation_states(truth, 2, 4, 3)["on"] is False
    assert relation_states(truth, 1, 2, 3)["on"] is False


def test_support_is_told_for_the_end_only():
    table = thing(1, "table", (0, 3, 0), (1.4, 0.9, 0.75))
    path = [(0, 3, 1.4), (0, 3, 1.1), (0, 3, 0.9), (0, 3, 0.75)]
    ball = thing(2, "ball", (0, 0, 0), (0.2, 0.2, 0.2), path=path, kind="experiment", supported_by=1)
    truth = scene([table, ball])
    assert relation_states(truth, 2, 1, 3)["on"] is True
    assert relation_states(truth, 2, 1, 0)["on"] is not True


def test_inside_is_what_the_truth_says():
    box = thing(1, "box", (0, 3, 0), (0.5, 0.5, 0.4))
    ball = thing(2, "ball", (0, 3, 0.05), (0.2, 0.2, 0.2), kind="prop", supported_by=1, inside_of=1)
    other = thing(3, "bottle", (1, 3, 0), (0.1, 0.1, 0.3), kind="prop")
    truth = scene([box, ball, other])
    assert relation_states(truth, 2, 1, 3)["inside"] is True
    assert relation_states(truth, 2, 1, 3)["on"] is None
    assert relation_states(truth, 3, 1, 3)["inside"] is False


@pytest.mark.parametrize(
    ("gap", "near", "far"),
    [(0.5, True, False), (0.95, None, False), (2.0, False, False), (3.1, False, None), (3.6, False, True)],
)
def test_near_and_far_by_the_gap(gap, near, far):
    states = states_of(thing(1, "chair", (0, 3, 0)), thing(2, "table", (gap + 0.5, 3, 0)))
    assert (states["near"], states["far"]) == (near, far)


def test_a_street_is_measured_in_larger_steps():
    a, b = thing(1, "car", (0, 10, 0), (1.8, 4, 1.5)), thing(2, "bench", (4, 10, 0), (1.5, 0.5, 0.8))
    assert states_of(a, b, domain="street")["near"] is True


def test_unknown_poses_give_no_class():
    chair = thing(1, "chair", (0, 3, 0))
    chair.world_from_object[:] = np.nan
    assert set(states_of(chair, thing(2, "table", (1, 3, 0))).values()) == {None}


def test_all_ten_classes_occur_as_answers():
    keys = Counter()
    for seed in range(14):
        truth = sample_room(np.random.default_rng(seed))
        keys.update(c.answer_key for c in relation_class(truth, np.random.default_rng(seed)))
    box = thing(1, "box", (0, 3, 0), (0.5, 0.5, 0.3))
    ball = thing(2, "ball", (0, 3, 0.15), (0.3, 0.3, 0.3), kind="prop", supported_by=1, inside_of=1)
    keys.update(c.answer_key for c in ask(relation_class, scene([box, ball, thing(3, "chair", (2, 4, 0))])))
    picture = thing(1, "picture", (0, 4.3, 1.5), (0.8, 0.05, 0.6), supported_by=None, kind="prop")
    for seed in range(8):
        hung = scene([picture, thing(2, "sofa", (0, 4, 0), (1.6, 0.9, 0.8))])
        keys.update(c.answer_key for c in ask(relation_class, hung, seed))
    assert set(keys) == set(CLASSES)


def test_a_class_question_has_one_true_option_and_three_that_are_false_and_thinkable():
    for seed in range(10):
        truth = sample_room(np.random.default_rng(seed))
        for candidate in ask(relation_class, truth, seed):
            a, b = candidate.object_ids
            by_words = {said.en: name for name, said in class_words(truth).items()}
            offered = {by_words[option["en"]] for option in candidate.answer.options}
            assert len(offered) == 4 and offered <= set(thinkable(truth, a, b))
            states = relation_states(truth, a, b, candidate.evidence_frames[-1])
            assert {name for name in offered if states[name] is True} == {candidate.answer_key}
            assert candidate.frame == "observer"  # its words are: seen from the camera


def test_nothing_is_said_to_be_inside_a_bench_or_on_a_picture():
    bench, picture = thing(1, "bench", (0, 3, 0), (1.4, 0.4, 0.45)), thing(2, "picture", (0, 4, 1.5), (0.9, 0.05, 0.6))
    bottle = thing(3, "bottle", (0.5, 3, 0), (0.1, 0.1, 0.3), kind="prop")
    bucket, sofa = thing(4, "bucket", (1, 3, 0), (0.3, 0.3, 0.35)), thing(5, "sofa", (-2, 4, 0), (1.8, 0.9, 0.8))
    truth = scene([bench, picture, bottle, bucket, sofa])
    sides = {"left", "right", "front", "behind", "near", "far"}
    assert set(thinkable(truth, 3, 1)) == sides | {"on", "below"}
    assert set(thinkable(truth, 3, 2)) == sides | {"below"}
    assert set(thinkable(truth, 3, 4)) == sides | {"inside"}
    assert set(thinkable(truth, 5, 4)) == sides  # a sofa goes in no bucket
    assert set(thinkable(truth, 2, 5)) == sides | {"above"}


def test_what_is_on_a_table_is_asked_about_with_on_and_so_is_what_is_not():
    table = thing(1, "table", (0, 3, 0), (1.4, 0.9, 0.75))
    bottle = thing(2, "bottle", (0.1, 3, 0.75), (0.12, 0.12, 0.3), kind="prop", supported_by=1)
    ball = thing(3, "ball", (1.8, 3, 0), (0.2, 0.2, 0.2), kind="prop")
    found = [c for seed in range(6) for c in ask(relation_class, scene([table, bottle, ball]), seed)]
    answers = {(c.object_ids, chosen(c)) for c in found if "on it" in {o["en"] for o in c.answer.options}}
    assert ((2, 1), "on it") in answers
    assert ((3, 1), "to the right of it") in answers
    assert not any(ids == (2, 1) and words != "on it" for ids, words in answers)


# --- the subtypes --------------------------------------------------------------------------------------------------


def test_left_right_answers_the_truth():
    truth = scene([thing(1, "chair", (-1.2, 3, 0)), thing(2, "table", (1.2, 3, 0))])
    for seed in range(12):
        choice, yes_no = ask(left_right, truth, seed)
        asked_left = "left" in choice.question["en"]
        assert chosen(choice) == ("the chair" if asked_left else "the table")
        assert ("左" in choice.question["zh"]) == asked_left
        first = choice.object_ids[0] == 1
        assert choice.answer_key == ("first" if first == asked_left else "second")
        words = yes_no.question["en"]
        subject_is_chair = words.index("the chair") < words.index("the table")
        assert yes_no.answer.value == (subject_is_chair == ("left" in words))
    assert {ask(left_right, truth, s)[1].answer.value for s in range(12)} == {True, False}


def test_front_behind_answers_the_truth():
    truth = scene([thing(1, "chair", (0, 2.5, 0)), thing(2, "wardrobe", (0, 4, 0), (1, 0.5, 1.8))])
    for seed in range(8):
        choice, yes_no = ask(front_behind, truth, seed)
        chair_first = choice.object_ids[0] == 1
        assert choice.answer_key == ("front" if chair_first else "behind")
        assert yes_no.answer.value == (("in front of" in yes_no.question["en"]) == chair_first)


def test_things_too_close_to_call_are_not_asked_about():
    truth = scene([thing(1, "chair", (-0.1, 3, 0)), thing(2, "table", (0.1, 3.1, 0.0))])
    for generator in (left_right, front_behind, nearer_farther, near_far, order_along_path):
        assert ask(generator, truth) == []


def test_things_that_cannot_be_told_apart_are_not_asked_about():
    chairs = [thing(i, "chair", (i - 2.5, 3 + 0.4 * i, 0)) for i in range(1, 5)]
    truth = scene(chairs)
    generators = (
        left_right,
        front_behind,
        relation_class,
        nearer_farther,
        near_far,
        nearest_to,
        between,
        standing_point,
    )
    assert all(ask(generator, truth) == [] for generator in generators)


def test_nearer_farther():
    truth = scene([thing(1, "chair", (-1, 2, 0)), thing(2, "table", (1, 4, 0)), thing(3, "piano", (0, 7, 0))])
    for seed in range(6):
        for candidate in ask(nearer_farther, truth, seed):
            words = candidate.question["en"]
            best = max if "farthest" in words or "farther" in words else min
            assert (
                candidate.answer_key
                == ("first", "second", "third")[candidate.object_ids.index(best(candidate.object_ids))]
            )


def test_above_below_asks_in_both_ways():
    picture = thing(1, "picture", (0, 4.3, 1.5), (0.8, 0.05, 0.6), supported_by=None, kind="prop")
    truth = scene(
        [picture, thing(2, "sofa", (0, 4, 0), (1.6, 0.9, 0.8)), thing(3, "stove", (-2.2, 4, 0), (0.5, 0.5, 0.9))]
    )
    asked = [c for seed in range(20) for c in ask(above_below, truth, seed)]
    for candidate in asked:
        words = candidate.question["en"]
        if candidate.answer.kind == "choice":
            assert chosen(candidate) == ("the picture" if "higher" in words else chosen(candidate))
            assert ("lower" in words) == (chosen(candidate) != "the picture")
        else:
            expected = set(candidate.object_ids) == {1, 2} and (
                ("above" in words) == (words.index("picture") < words.index("sofa"))
            )
            assert candidate.answer.value == expected
    assert {c.answer_key for c in asked} >= {"yes", "no", "first", "second"}


def test_on_names_its_support_among_others():
    things = [
        thing(1, "table", (-1, 3, 0), (1.2, 0.8, 0.75)),
        thing(2, "bed", (1.5, 4, 0), (1.4, 2, 0.5)),
        thing(3, "piano", (0, 6, 0), (1.5, 0.6, 1.1)),
        thing(4, "bottle", (-1, 3, 0.75), (0.15, 0.15, 0.35), kind="prop", supported_by=1),
        thing(5, "teddy bear", (1.5, 4, 0.5), (0.4, 0.4, 0.5), kind="prop", supported_by=2),
        thing(6, "laptop", (0, 6, 1.1), (0.5, 0.4, 0.4), kind="prop", supported_by=3),
    ]
    support = {4: "the table", 5: "the bed", 6: "the piano"}
    asked = [c for seed in range(10) for c in ask(on, scene(things), seed)]
    for candidate in asked:
        first, second = candidate.object_ids
        if candidate.answer.kind == "yes_no":
            assert candidate.answer.value == (support[first] == {1: "the table", 2: "the bed", 3: "the piano"}[second])
        elif first in support:
            assert chosen(candidate) == support[first]
        else:
            assert support[second] == {1: "the table", 2: "the bed", 3: "the piano"}[first]
    assert {c.answer.kind for c in asked} == {"yes_no", "choice"}
    assert {c.answer.value for c in asked if c.answer.kind == "yes_no"} == {True, False}


def test_inside_is_asked_with_both_answers():
    things = [
        thing(1, "box", (-1, 3, 0), (0.6, 0.6, 0.4)),
        thing(2, "teddy bear", (-1, 3, 0.1), (0.3, 0.3, 0.5), kind="prop", supported_by=1, inside_of=1),
        thing(3, "bottle", (0.2, 3, 0), (0.2, 0.2, 0.4), kind="prop"),
        thing(4, "laptop", (1.2, 3, 0), (0.4, 0.3, 0.3), kind="prop"),
    ]
    asked = ask(inside, scene(things, look_at((0, 0, 2.2), (0, 3, 0.3))))
    told = [(c.object_ids, c.answer.value) for c in asked if c.answer.kind == "yes_no"]
    assert ((2, 1), True) in told
    assert sum(value for _, value in told) == sum(not value for _, value in told) == 1  # as many of both
    assert [chosen(c) for c in asked if c.answer.kind == "choice"] == ["the teddy bear"]


def test_on_is_not_asked_of_what_is_too_small_to_carry():
    things = [
        thing(1, "bottle", (-1, 3, 0), (0.1, 0.1, 0.3), kind="prop"),
        thing(2, "block", (0, 3, 0), (0.06, 0.06, 0.06), kind="experiment"),  # a bottle does not stand on it
        thing(3, "desk", (1.4, 4, 0), (1.2, 0.7, 0.75)),
    ]
    asked = [c for seed in range(6) for c in ask(on, scene(things, look_at((0, 1.5, 1.2), (0, 3, 0.2))), seed)]
    assert {c.object_ids for c in asked if c.answer.kind == "yes_no" and c.object_ids[0] == 1} <= {(1, 3)}
    assert any(c.object_ids == (1, 3) for c in asked)


def test_not_inside_is_asked_once_and_only_of_what_would_go_in():
    things = [
        thing(1, "box", (-1, 3, 0), (0.5, 0.5, 0.4)),
        thing(2, "bottle", (0.2, 3, 0), (0.2, 0.2, 0.4), kind="prop"),
        thing(3, "teddy bear", (0.8, 3, 0), (0.3, 0.3, 0.4), kind="prop"),
        thing(4, "laptop", (1.4, 3, 0), (0.6, 0.6, 0.3), kind="prop"),  # too large
        thing(5, "bench", (2, 4, 0), (1.2, 0.5, 0.5)),
        thing(6, "trash can", (-2, 4, 0), (0.45, 0.45, 0.6)),  # scenes hardly ever put things in it
    ]
    found = {c.object_ids for seed in range(8) for c in ask(inside, scene(things), seed)}
    assert found == {(2, 1), (3, 1)}
    assert all(len(ask(inside, scene(things), seed)) == 1 for seed in range(8))


def test_near_far_says_its_limits():
    truth = scene([thing(1, "chair", (-2.5, 4, 0)), thing(2, "table", (2.5, 4, 0)), thing(3, "stove", (-1.5, 4, 0))])
    for seed in range(8):
        for candidate in ask(near_far, truth, seed):
            if candidate.answer.kind == "choice":
                assert "1 m" in candidate.question["en"]
                assert "3 m" in candidate.question["en"]
                assert candidate.answer_key == ("near" if set(candidate.object_ids) == {1, 3} else "far")
            else:
                limit = float(re.findall(r"([\d.]+) m\b", candidate.question["en"])[0])
                gap = {(1, 3): 0.5, (1, 2): 4.5, (2, 3): 3.5}[tuple(sorted(candidate.object_ids))]
                assert candidate.answer.value == (gap < limit)


def test_nearest_to_and_between():
    truth = scene([thing(1, "chair", (-2, 4, 0)), thing(2, "table", (0, 4, 0)), thing(3, "stove", (2.2, 4, 0))])
    for seed in range(6):
        for candidate in ask(nearest_to, truth, seed):
            if candidate.object_ids[0] == 1:
                nearest = "farthest" not in candidate.question["en"] and "farther" not in candidate.question["en"]
                assert chosen(candidate) == ("the table" if nearest else "the stove")
    asked = ask(between, truth)
    assert {(c.object_ids[2], c.answer.value) for c in asked if c.answer.kind == "yes_no"} == {
        (2, True),
        (1, False),
        (3, False),
    }


def test_between_refuses_what_is_a_little_off_the_way():
    truth = scene([thing(1, "chair", (-2, 4, 0)), thing(2, "table", (0, 4.6, 0)), thing(3, "stove", (2.2, 4, 0))])
    assert not any(c.object_ids[2] == 2 for c in ask(between, truth))


def test_standing_point_left_right_and_behind():
    truth = scene(
        [
            thing(1, "chair", (0, 6, 0)),
            thing(2, "table", (0, 8.5, 0), (0.8, 0.8, 0.75)),
            thing(3, "stove", (-2.5, 6, 0)),
            thing(4, "piano", (2.5, 6, 0)),
            thing(5, "bed", (0.1, 2.8, 0), (1.0, 1.0, 0.3)),
        ]
    )
    from_chair_to_table = [
        c for seed in range(20) for c in ask(standing_point, truth, seed) if c.object_ids[:2] == (1, 2)
    ]
    found = {c.object_ids[2]: c.answer_key for c in from_chair_to_table}
    assert found == {3: "left", 4: "right", 5: "behind"}


def test_standing_point_refuses_borders():
    # 135 degrees lies between "right" and "behind"
    truth = scene([thing(1, "chair", (0, 5, 0)), thing(2, "table", (0, 8, 0)), thing(3, "stove", (1.8, 3.2, 0))])
    assert not any(c.object_ids == (1, 2, 3) for seed in range(5) for c in ask(standing_point, truth, seed))


@pytest.mark.parametrize(("yaw_deg", "expected"), [(0, "left"), (90, "ahead"), (180, "right"), (-90, "behind")])
def test_an_objects_own_front_is_minus_y(yaw_deg, expected):
    # The stove is at +x of the sofa. Facing -y, +x is to the left; turned by 90 degrees the sofa faces +x.
    sofa = thing(1, "sofa", (-1, 4, 0), (1.2, 0.9, 0.8), yaw_deg=yaw_deg, has_front=True)
    truth = scene([sofa, thing(2, "stove", (1.5, 4, 0))])
    found = ask(object_frame, truth)
    if expected == "right":  # its back is all that the camera sees
        assert found == []
    else:
        assert [c.answer_key for c in found] == [expected]


def test_a_thing_without_a_front_has_no_front_to_ask_from():
    assert ask(object_frame, scene([thing(1, "table", (-1, 4, 0)), thing(2, "stove", (1.5, 4, 0))])) == []


def test_facing():
    settings = {"kind": "vehicle", "has_front": True}
    car = thing(1, "car", (-2, 10, 0), (1.8, 4.2, 1.5), **settings)  # faces -y: towards the camera
    bicycle = thing(2, "bicycle", (1.5, 9, 0), (0.6, 1.8, 1.2), yaw_deg=180, **settings)
    asked = ask(facing, scene([car, bicycle], domain="street"))
    alone = {c.object_ids[0]: c.answer_key for c in asked if len(c.object_ids) == 1}
    assert alone == {1: "towards", 2: "away"}
    assert [c.answer_key for c in asked if len(c.object_ids) == 2] == ["opposite"]


def test_order_along_path_needs_two_frames_between():
    def turned(degrees):
        angle = np.radians(90 - degrees)
        return look_at((0, 0, 1.5), (4 * np.cos(angle), 4 * np.sin(angle), 1.0))

    cameras = [turned(d) for d in (-60, -40, -20, 0, 20, 40, 60)]
    truth = scene(
        [
            thing(1, "chair", (-3.5, 2, 0), frames=7),
            thing(2, "table", (0, 4, 0), frames=7),
            thing(3, "stove", (3.5, 2, 0), frames=7),
        ],
        cameras,
        focal=1.0,
    )
    asked = [c for seed in range(6) for c in ask(order_along_path, truth, seed)]
    assert {len(c.object_ids) for c in asked} == {2, 3}
    for candidate in asked:
        if len(candidate.object_ids) == 3:
            assert chosen(candidate) == "the chair, the table, the stove"
        else:
            best = min if " first" in candidate.question["en"] else max
            expected = candidate.object_ids.index(best(candidate.object_ids))
            assert candidate.answer_key == ("first", "second")[expected]
    still = scene([thing(1, "chair", (-1, 3, 0)), thing(2, "table", (1, 3, 0))])
    assert ask(order_along_path, still) == []
