"""Which box a phrase means: by kind, colour and how it lies; none where nothing fits."""

from dataclasses import replace

import pytest
from noting import box, clip_of

from video3d.answers.facts import scene_facts
from video3d.answers.likely_grounding import NONE
from video3d.answers.likely_measures import box_words
from video3d.answers.named import SURELY_THERE, Finders
from video3d.answers.named_say import Located
from video3d.answers.notes import notes_on

TABLE = Located(box=box([2.0, 4.0, 0.4], (1.0, 1.0, 0.8)), score=0.9, frames=(0,), color=("brown", 0.9))
CUP = Located(box=box([2.1, 4.0, 0.85], (0.1, 0.1, 0.1)), score=0.9, frames=(0,), color=("red", 0.9))
NEAR = Located(box=box([1.0, 4.0, 0.5]), score=0.8, frames=(0,), color=("black", 0.9))
FAR = Located(box=box([-2.0, 4.0, 0.6], (0.5, 0.5, 1.2)), score=0.9, frames=(0,), color=("white", 0.9))
DOUBTED = replace(CUP, score=SURELY_THERE - 0.1)
SCENE = {"table": [TABLE], "cup": [CUP], "chair": [FAR, NEAR], "lamp": [DOUBTED]}
FORMS = (
    "Find {} in the video. Answer with its box in the world frame of the camera poses (metres, +z up), or none.",
    'Which 3D box, in the world frame of the camera poses, does "{}" refer to in the video? Say none if there is no such thing.',
    "Ground this phrase in the scene in the video: {}. Give a box in metres in the world frame of the poses (+z up), or none.",
    "Give the 3D box of {}, or none.",
    "Locate {} in the last frame, as a box in the world frame in which the camera poses are given; none if it is not there.",
)


LOST = replace(CUP, box=box([float("nan"), 4.0, 0.85]))
SOFA = Located(box=box([-3.0, 6.0, 0.45], (2.0, 0.9, 0.9)), score=0.9, frames=(0,), color=("grey", 0.9))
PILLOW = Located(box=box([-3.2, 6.0, 0.6], (0.4, 0.4, 0.3)), score=0.8, frames=(0,))
RUG = Located(box=box([2.0, 4.0, 0.01], (2.0, 2.0, 0.02)), score=0.8, frames=(0,))
SCENE |= {"sofa": [SOFA], "pillow": [PILLOW], "rug": [RUG], "vase": [LOST]}


def said(question: str) -> tuple[str, ...]:
    clip = clip_of()

    def locate(things, position):
        return [next(iter(SCENE.get(thing.category, ())), None) for thing in things]

    def count(name):
        every = [(kind, one) for kind, them in SCENE.items() for one in them]
        return tuple(one for one in every if name in (None, one[0]))

    return notes_on(question, clip, scene_facts(clip), Finders(locate, count, lambda things: [None] * len(things)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("phrase", "place"),
    [
        ("the table", TABLE),
        ("the red cup", CUP),
        ("the blue cup", None),
        ("the piano", None),
        ("the lamp", None),  # something looks a little like one
        ("the cup on the table", CUP),
        ("the table on the cup", None),
        ("the cup on the piano", None),
        ("the chair nearer to the table", NEAR),
        ("the chair that is farther from the table", FAR),
        ("the chair farther from the piano", FAR),  # the likelier one, as nothing tells
        ("the black chair", NEAR),
        ("the leftmost chair as the camera sees it", FAR),
        ("the rightmost chair as the camera sees it", NEAR),
        ("the taller chair", FAR),
        ("the lower chair", NEAR),
        ("the chair on the right", NEAR),
        ("the chair to the left of the table", NEAR),  # both are; this one is nearer
        ("the chair next to the table", NEAR),
        ("the chair near the big table", NEAR),
        ("the pillow on the sofa", PILLOW),
        ("the table on the rug", TABLE),
        ("the sofa on the pillow", None),
        ("the pillow on the table", None),
        ("the vase", None),  # its box is not known
        ("the smaller chair", NEAR),
    ],
)
def test_a_phrase_means_the_box_that_fits_it_or_none(form, phrase, place):
    assert said(form.format(phrase)) == (f"likely: {NONE if place is None else box_words(place.box)}",)


@pytest.mark.parametrize(
    "phrase", ["the flux capacitor", "the flux capacitor on the table", "the thing behind the sofa"]
)
def test_words_that_nothing_is_known_of_find_nothing_with_less_certainty(phrase):
    assert said(FORMS[0].format(phrase)) == (f"perhaps: {NONE}",)


@pytest.mark.parametrize(
    "question",
    [
        FORMS[0].format("the chair behind the table"),  # a relation that is not read
        "What is the 3D bounding box of the chair in 2 seconds? Say none if it is gone.",
        "Is there a box in the room, or none?",
    ],
)
def test_other_questions_are_left_to_the_notes(question):
    assert not any("none" in line for line in said(question))


@pytest.mark.parametrize(("share", "place"), [(0.9, None), (0.2, "pixels")])
def test_a_vote_of_few_patches_does_not_decide_a_colour(monkeypatch, share, place):
    """The picture is black all over."""
    cup = replace(CUP, color=("red", share), box=box([0.0, 4.0, 1.5], (1.0, 1.0, 1.0)))
    monkeypatch.setitem(SCENE, "cup", [cup])
    assert said(FORMS[0].format("the black cup")) == (f"likely: {NONE if place is None else box_words(cup.box)}",)


def test_a_colour_that_nothing_votes_for_is_looked_for_in_the_pixels(monkeypatch):
    """The picture is black all over: so is a cup of which no patch tells the colour."""
    monkeypatch.setitem(SCENE, "cup", [replace(CUP, color=("", 0.0), box=box([0.0, 4.0, 1.5], (1.0, 1.0, 1.0)))])
    (black,), (green,) = said(FORMS[0].format("the black cup")), said(FORMS[0].format("the green cup"))
    assert green == f"likely: {NONE}" and black.startswith("likely: centre (0.00, 4.00, 1.50) m")


def test_a_question_that_does_not_allow_for_none_gets_the_likeliest_box():
    assert said("What is the 3D bounding box of the lamp in the world frame of the camera poses?") == (
        f"likely: {box_words(DOUBTED.box)}",
    )
