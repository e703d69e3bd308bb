"""A description of the whole: every sentence of it is true of the boxes that it is made from."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noting import box, clip_of, wall_of

from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders, answer_named
from video3d.answers.named_description import described
from video3d.answers.named_question import parse_named
from video3d.answers.named_say import Located
from video3d.answers.notes import notes_on
from video3d.geometry.boxes import gap_m
from video3d.vocabulary import CATEGORIES, category


def placed(center, size=(0.5, 0.5, 1.0), color="", frames=(0, 5)) -> Located:
    return Located(box=box(center, size), score=0.9, frames=frames, color=(color, 0.9 if color else 0.0))


ROOM = (
    ("table", placed([2.0, 4.0, 0.4], (1.0, 1.0, 0.8), "brown")),
    ("cup", placed([2.1, 4.0, 0.85], (0.1, 0.1, 0.1), "red")),
    ("sofa", placed([-2.0, 4.0, 0.4], (2.0, 0.9, 0.8), "orange")),
    ("chair", placed([0.0, 3.0, 0.5], color="black")),
    ("chair", placed([0.8, 3.0, 0.5], color="white")),
    ("shoes", placed([0.0, 5.0, 0.05], (0.3, 0.3, 0.1))),
)
STREET = (
    ("car", placed([3.0, 9.0, 0.8], (1.8, 4.5, 1.6), "blue")),
    ("tree", placed([-5.0, 9.0, 2.0], (1.0, 1.0, 4.0))),
)
ASKED = (
    "Describe the scene in this video.",
    "Could you describe the whole room in one sentence?",
    "Describe everything.",
    "What kind of place is this?",
    "Give me a short, detailed description of the scene.",
    "What does the video show?",
    "Give a detailed description of the place.",
)


def of(found, clip=None, walls=()) -> str:
    clip = clip_of() if clip is None else clip
    facts = scene_facts(clip)
    facts = replace(facts, surfaces=(*facts.surfaces, *walls), floor_z=0.0)
    return described(found, clip, facts, clip.world_from_camera[-1])


def there_and_back():
    clip = clip_of(speed=(0.0, 0.0))
    poses = clip.world_from_camera.copy()
    poses[:, 1, 3] += [0.0, 0.6, 1.2, 1.2, 0.6, 0.0]
    return replace(clip, world_from_camera=poses)


def test_it_says_what_is_there_what_lies_on_what_and_who_is_on_which_side():
    said = of(ROOM)
    assert said.startswith("A room with ") and "two chairs" in said and "an orange sofa" in said
    assert "a brown table" in said and " shoes" in said and "a shoes" not in said
    assert "The cup is on the table." in said
    assert "In the last frame, the table is to the right of the sofa." in said
    assert said.endswith("The camera stays where it is.")


def test_of_one_frame_no_way_of_the_camera_is_told():
    assert "camera" not in of(ROOM, clip_of(frames=1))


def test_streets_are_told_by_what_stands_in_them_and_what_is_neither_is_a_scene():
    assert of(STREET).startswith("A street with ")
    assert of((("ball", placed([0.0, 3.0, 0.1], (0.2, 0.2, 0.2))),)).startswith("A scene with a ball.")


def test_things_side_by_side_are_not_on_each_other_and_no_neighbour_carries():
    found = (
        *ROOM[:2],
        ("plate", placed([1.8, 4.0, 0.82], (0.2, 0.2, 0.04))),
        ("tree", placed([2.7, 4.0, 2.0], (0.3, 0.3, 1.6))),
    )
    said = of(found)
    assert "The cup is on the table." in said and "The plate is on the table." in said and said.count(" is on ") == 2


def test_words_are_those_of_one_two_and_uncountable_things():
    found = [("urinal", placed([0, 3, 0.5])), ("bread", placed([2, 3, 0.5])), ("bread", placed([1, 3, 0.5])), ("umbrella", placed([3, 3, 0.5])), ("floor", placed([0, 3, 0]))]  # fmt: skip
    inventory = of(found).split(".")[0]
    assert all(said in inventory for said in ("a urinal", "an umbrella", "bread")) and "breads" not in inventory
    assert "a bread" not in inventory and "floor" not in inventory


def test_more_kinds_than_are_named_are_said_to_be_there():
    many = [(one.name, placed([i / 4, 4.0, 0.5])) for i, one in enumerate(CATEGORIES[:15])]
    assert of(many).split(".")[0].endswith(" and more")


def test_what_moves_is_on_no_side_and_a_box_that_is_not_known_is_not_spoken_of():
    found = (("table", ROOM[0][1]), ("ball", placed([-2.0, 4.0, 0.1])), ("cup", placed([float("nan"), 4.0, 0.85])))
    assert "In the last frame" not in of(found) and "cup" not in of(found)


def test_furniture_at_a_wall_is_said_to_stand_there():
    wall = wall_of([-2.0, 4.5], [0.0, -1.0])
    assert "The sofa stands against a wall." in of(ROOM, walls=(wall,))
    assert "against a wall" not in of(ROOM)


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        (clip_of(speed=(0.0, 2.0)), "The camera moves forward by about 1.0 m."),
        (clip_of(speed=(0.0, -2.0)), "The camera moves backward by about 1.0 m."),
        (clip_of(speed=(2.0, 0.0)), "The camera moves to the right by about 1.0 m."),
        (clip_of(turn_deg_s=60.0), "The camera turns to the left by about 30 degrees."),
        (clip_of(speed=(0.0, 0.4)), "The camera moves a little."),
        (clip_of(speed=(1.6, 2.0)), "The camera moves forward and to the right by about 1.3 m."),
        (there_and_back(), "The camera moves about 2.4 m in all."),
    ],
)
def test_the_cameras_way(clip, said):
    assert of(ROOM, clip).endswith(said)


NAMES = st.sampled_from(
    [
        one.name
        for one in CATEGORIES
        if one.name.isalpha()
        and not one.name.endswith("s")
        and one.countable
        and one.name not in ("wall", "floor", "ceiling")
    ]
)
PLACES = st.tuples(
    st.floats(-4, 4), st.floats(1, 8), st.floats(0.2, 2), st.floats(0.1, 1.5), st.sampled_from([(0,), (0, 5), (5,)])
)


@given(st.lists(st.tuples(NAMES, PLACES), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_every_sentence_is_true_of_the_boxes(things):
    found = [(name, placed([x, y, z], (side, side, side), frames=seen)) for name, (x, y, z, side, seen) in things]
    said = of(found)
    where = dict(found)
    eye = clip_of().world_from_camera[-1]
    for one, side, other in re.findall(r"[Tt]he (\w+) is to the (left|right) of the (\w+)\.", said):
        turns = [np.arctan2(*(where[name].box.center_world - eye[:3, 3])[:2]) for name in (one, other)]
        assert (turns[0] < turns[1]) == (side == "left")
        assert all(5 in where[name].frames for name in (one, other))
    for one, other in re.findall(r"The (\w+) is on the (\w+)\.", said):
        low = where[one].box.center_world[2] - where[one].box.size_m[2] / 2
        top = where[other].box.center_world[2] + where[other].box.size_m[2] / 2
        assert abs(low - top) < 0.13
        aside = np.abs((where[one].box.center_world - where[other].box.center_world)[:2])
        assert (aside < where[other].box.size_m[:2] / 2).all()
        assert f"The {other} is on the {one}." not in said
    for one, other, metres in re.findall(r"The (\w+) and the (\w+) are about ([\d.]+) m apart", said):
        assert abs(gap_m(where[one].box, where[other].box) - float(metres)) <= 0.051
    inventory, kinds = said.split(".")[0], {name for name, _ in found}
    named = [kind for kind in kinds if re.search(rf"\b({kind}|{category(kind).plural})\b", inventory)]
    assert len(named) == min(len(kinds), 12)


@pytest.mark.parametrize("question", ASKED)
def test_a_question_for_a_description_is_answered_with_it_and_the_note_says_it(question):
    clip = clip_of()
    facts = scene_facts(clip)
    find = Finders(lambda things, at: [None] * len(things), lambda name: ROOM, lambda things: [None] * len(things))
    asked = parse_named(question)
    assert asked is not None and asked.kind == "describe"
    answer = answer_named(asked, clip, facts, find)
    said = described(ROOM, clip, facts, clip.world_from_camera[-1])
    assert answer.text == f"{said} (Estimated by the model.)" and answer.source == "model"
    assert len(answer.evidence.points_world) == len(ROOM)
    assert notes_on(question, clip, facts, find) == (f"likely: {said}",)
    nothing = find._replace(count=lambda name: ())
    assert answer_named(asked, clip, facts, nothing).source == "unknown"
    assert answer_named(asked, clip, facts, nothing).text.endswith("The camera stays where it is.")
    assert not any(line.startswith("likely") for line in notes_on(question, clip, facts, nothing))


@pytest.mark.parametrize("question", ["Describe the chair.", "Describe frame 3.", "Tell me about the red cup.", "What does the sign show?", "Describe the scene in frame 3.", "Describe the video's camera path.", "Give me a description of the camera motion.", "Describe the placement of the furniture.", "Describe the room to the left.", "Summarize the room dimensions.", "Describe the scene with the piano."])  # fmt: skip
def test_a_question_about_one_thing_or_frame_wants_no_description_of_the_whole(question):
    asked = parse_named(question)
    assert asked is None or asked.kind != "describe"
