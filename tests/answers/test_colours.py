"""Colours measured on pixels: the words for them, whose pixels they are, and what is answered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video3d.answers.colours import WORDS, Colors, brightness_gain, clear_colors, lab_of, named_colors, shown_colors
from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders, Located, answer_named
from video3d.answers.named_question import parse_named
from video3d.geometry.box_pixels import box_pixels, level_pixels
from video3d.types import Box3D, PosedClip, World
from video3d.vocabulary import COLORS

WHITE, RED, BLACK, GREY, BROWN = (240, 240, 238), (190, 30, 30), (12, 12, 14), (120, 120, 122), (105, 65, 35)
TAN = (205, 180, 145)


def words(*rgb) -> list[str]:
    return [WORDS[i] for i in named_colors(lab_of(np.array(rgb, np.uint8)))]


def test_the_colours_of_the_vocabulary_have_their_own_names() -> None:
    assert words(*[[round(255 * part) for part in one.rgb] for one in COLORS]) == [one.name for one in COLORS]


def test_names_of_a_colour_survey_agree_where_they_end_in_a_word_of_ours() -> None:
    """Four of five; what is left are mostly names of two words between two regions, such as blue purple."""
    survey = pytest.importorskip("matplotlib._color_data").XKCD_COLORS
    ends = {
        name: name.removeprefix("xkcd:").replace("gray", "grey").split(" ")[-1] for name in survey if "/" not in name
    }
    ours = {name: end for name, end in ends.items() if end in WORDS}
    pixels = [[int(survey[name][at : at + 2], 16) for at in (1, 3, 5)] for name in ours]
    agree = [said == end for said, end in zip(words(*pixels), ours.values(), strict=True)]
    assert len(agree) > 500 and np.mean(agree) > 0.8


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 255), st.floats(0.3, 3.0))
def test_greys_are_never_of_a_hue_however_bright(value: int, gain: float) -> None:
    lab = lab_of(np.full((1, 3), value, np.uint8), gain)
    assert WORDS[named_colors(lab)[0]] in ("white", "grey", "black")


def room(block, wall=GREY, floor=BROWN, *, blind: bool = False, light: float = 1.0) -> tuple[PosedClip, Box3D]:
    """A block of 0.8 m on a floor, 3 m ahead of a camera that looks level along +y from 1 m height, and a wall 1 m behind it."""
    size, f = (96, 128), 90.0
    row, column = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5, indexing="ij")
    rays = np.stack([(column - 64) / f, np.ones(size), (48 - row) / f], -1)  # x right, y ahead, z up, from (0, 0, 1)
    depth, rgb = np.full(size, 4.8), np.tile(np.array(wall, float), (*size, 1))
    with np.errstate(divide="ignore"):
        ground = np.where(rays[..., 2] < 0, -1 / rays[..., 2], np.inf)
    rgb[ground < depth] = floor
    depth = np.minimum(depth, ground)
    shown = (np.abs(rays[..., 0] * 3) < 0.4) & (1 + rays[..., 2] * 3 > 0) & (1 + rays[..., 2] * 3 < 0.8)
    rgb[shown], depth[shown] = block, np.nan if blind else 3.0
    rgb[:6] = 250  # a lamp
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]], 1.0
    clip = PosedClip(
        frame_index=np.array([0]), time_s=np.zeros(1), rgb=(rgb * light).astype(np.uint8)[None], depth_m=depth.astype(np.float32)[None],
        k_px=np.array([[[f, 0, 64], [0, f, 48], [0, 0, 1]]]), world_from_camera=pose[None], piece=np.array([0]),
        world=World(metric=True, gravity_aligned=True, origin="floor"),
    )  # fmt: skip
    return clip, Box3D(center_world=np.array([0, 3.4, 0.4]), size_m=np.full(3, 0.82), world_from_box=np.eye(3))


def seen(clip: PosedClip, box: Box3D) -> Colors:
    colors = shown_colors(box_pixels(clip, box, [0], 0.0), brightness_gain(clip))
    assert colors is not None
    return colors


@pytest.mark.parametrize(("rgb", "word"), [(RED, "red"), (BLACK, "black"), (WHITE, "white"), (TAN, "beige")])
def test_a_things_pixels_tell_its_colour(rgb, word: str) -> None:
    assert clear_colors(seen(*room(rgb))) == (word,)


def test_what_sends_no_light_back_to_the_depth_camera_still_has_a_colour() -> None:
    """Black doors have no depth: their pixels are those whose rays go through the box."""
    clip, box = room(BLACK, blind=True)
    assert clear_colors(seen(clip, box)) == ("black",)


def test_what_is_around_a_box_that_is_too_large_is_taken_away() -> None:
    clip, _ = room(RED)
    large = Box3D(center_world=np.array([0, 3.9, 0.6]), size_m=np.array([1.3, 2.2, 1.2]), world_from_box=np.eye(3))
    pixels = box_pixels(clip, large, [0], 0.0)
    raw = pixels.weight[(pixels.rgb == RED).all(1)].sum() / pixels.weight.sum()
    assert seen(clip, large).of("red") > raw + 0.05


def test_a_dark_exposure_makes_no_white_grey() -> None:
    clip, box = room(WHITE, light=0.6)
    assert words((144, 144, 143)) == ["grey"] and clear_colors(seen(clip, box)) == ("white",)


def test_nothing_is_told_of_a_box_that_nothing_shows() -> None:
    clip, box = room(RED)
    behind = Box3D(center_world=np.array([0, -3.0, 0.4]), size_m=box.size_m, world_from_box=np.eye(3))
    assert shown_colors(box_pixels(clip, behind, [0], 0.0), 1.0) is None
    assert shown_colors(box_pixels(clip, box, [], 0.0), 1.0) is None
    floor = level_pixels(clip, 0.0)
    assert len(floor) > 100 and (floor == BROWN).all(axis=1).mean() > 0.9


def test_the_head_chooses_among_what_pixels_show_and_no_more() -> None:
    def of(**share):
        return Colors(shares=tuple(share.get(word, 0.0) for word in WORDS), pixels=50)

    assert clear_colors(of(grey=0.6, white=0.4), ("white", 0.9)) == ("white",)
    assert clear_colors(of(grey=0.9, white=0.1), ("white", 0.9)) == ("grey",)
    assert clear_colors(of(grey=0.6, white=0.4), ("white", 0.4)) == ("grey",)
    assert clear_colors(of(brown=0.65, black=0.3), among=("black", "red", "white")) == ("black",)
    assert clear_colors(of(brown=1.0), among=("black", "red")) == ()
    assert clear_colors(of(beige=0.8, red=0.2), among=("brown", "red")) == ("brown",)
    assert clear_colors(of(brown=0.8, beige=0.2), among=("tan", "gray")) == ("beige",)


def ask(text: str, *places: Located, clip: PosedClip, name: str = "box"):
    asked = parse_named(text)
    assert asked is not None

    def locate(things, _):
        return [places[0] if one.category == name and places else None for one in things]

    def count(wanted):
        return tuple((name, one) for one in places if wanted in (None, name))

    return answer_named(asked, clip, scene_facts(clip), Finders(locate, count, lambda things: [None] * len(things)))


def test_questions_are_answered_by_pixels_where_votes_only_guess() -> None:
    clip, box = room(RED)
    place = Located(box=box, score=0.9, frames=(0,), color=("white", 0.8))
    answer = ask("What colour is the box?", place, clip=clip)
    assert answer.text.startswith("The box is red. (Estimated") and answer.source == "model"
    assert answer.evidence.frames == (0,) and answer.kind == "object_color"
    assert ask("盒子是什么颜色？", place, clip=clip).text.startswith("盒子是红色的")
    assert ask("What colour is the chair?", place, clip=clip).source == "unknown"
    assert ask("What colour is the box: blue or green?", place, clip=clip).source == "unknown"


def test_the_floor_needs_no_finding() -> None:
    clip, _ = room(RED)
    answer = ask("What color is the floor: grey, red or brown?", clip=clip)
    assert answer.text.startswith("The floor is brown.") and answer.source == "measurement"
    assert ask("What colour is the carpet?", clip=clip).text.startswith("The carpet is brown.")
    assert ask("What colour is the ceiling?", clip=clip).source == "unknown"


def test_which_of_several_is_only_told_where_it_does_not_matter() -> None:
    clip, box = room(RED)
    wall = Box3D(center_world=np.array([1.6, 4.8, 1.0]), size_m=np.array([1.0, 0.2, 1.0]), world_from_box=np.eye(3))
    one, other = (Located(box=where, score=0.9, frames=(0,)) for where in (box, wall))
    assert "cannot tell which" in ask("What colour is the box on the table?", one, other, clip=clip).text
    assert "The box is red" in ask("What colour is the box on the table?", one, clip=clip).text
    assert "The box is red" in ask("What colour is the box?", one, other, clip=clip).text
    assert "red and grey" in ask("What colour are the boxes?", one, other, clip=clip).text
    few = Located(box=wall, score=0.45, frames=(0,))
    assert "The boxes are red." in ask("What colour are the boxes on the floor?", one, few, clip=clip).text


READ = [
    ("What colour are the cupboards?", "cabinet", (), "all"),
    ("What color is the floor: grey, red or yellow?", "floor", ("grey", "red", "yellow"), "one"),
    ("What colour are the doors along the corridor: black, red or green?", "door", ("black", "red", "green"), "all"),
    ("What colour is the shelf under the screen?", "shelf", (), "described"),
    ("What is the colour of the bed in the room?", "bed", (), "one"),
    ("What colour is the sofa? Options: red; violet; gray.", "sofa", ("red", "purple", "grey"), "one"),
    ("What colour is the chair next to the door?", "chair", (), "described"),
    ("What colour is the chair, is it red or orange?", "chair", ("red", "orange"), "one"),
    ("地板是什么颜色：灰色、红色还是黄色？", "floor", ("grey", "red", "yellow"), "one"),
    ("桌子上的书是什么颜色？", "book", (), "described"),
    ("这些门都是什么颜色，黑还是白？", "door", ("black", "white"), "all"),
]


@pytest.mark.parametrize(("text", "thing", "options", "which"), READ)
def test_what_is_asked_about_and_what_is_offered_are_read(text: str, thing: str, options, which: str) -> None:
    asked = parse_named(text)
    assert asked is not None and asked.kind == "color" and [one.category for one in asked.things] == [thing]
    assert asked.options == options and asked.which == which


@pytest.mark.parametrize(
    "text", ["What colour will the car be?", "Is the colour of the bed red?", "What colour is it?"]
)
def test_other_questions_about_colours_are_left_to_others(text: str) -> None:
    assert parse_named(text) is None


def test_whether_a_thing_is_of_a_colour_is_answered_by_its_pixels() -> None:
    clip, box = room((200, 30, 30))
    thing = Located(box=box, score=0.9, frames=(0,), color=("white", 0.6))
    assert ask("Is the box red?", thing, clip=clip).text.startswith("Yes: the box is red")
    assert ask("Is the box white?", thing, clip=clip).text.startswith("No: the box is red")
    assert ask("Is there a red box?", thing, clip=clip).text.startswith("Yes, I find a red box")
    assert "none that looks blue" in ask("Is there a blue box?", thing, clip=clip).text


def test_a_clip_filmed_in_the_dark_has_no_white() -> None:
    clip, box = room(GREY, light=0.02)
    assert brightness_gain(clip) == 4.0
    assert clear_colors(seen(clip, box)) == ("black",)
