"""Questions for one extent of a named thing, and that it is answered first and alone."""

import numpy as np
import pytest

from video3d.answers.measurement import Speaker
from video3d.answers.named_extent import asked_extent
from video3d.answers.named_question import parse_named
from video3d.answers.named_say import SAY, Case, Located
from video3d.types import Box3D

READ = [
    ("How long is the table, along its longer side?", "size", "table", "long_side"),
    ("How long is the table along its shorter side?", "size", "table", "short_side"),
    ("How long is the long table?", "size", "table", "length"),
    ("How wide is the sofa from end to end?", "size", "sofa", "long_side"),
    ("What is the width of the red sofa?", "size", "sofa", "width"),
    ("What is the diameter of the round table?", "size", "table", "diameter"),
    ("How deep is the bookcase?", "size", "bookcase", "depth"),
    ("How tall is the bookcase?", "size", "bookcase", "tall"),
    ("How high above the floor is the red wall shelf?", "height", "shelf", ""),
    ("How high is the lamp above the floor?", "height", "lamp", ""),
    ("How high above the floor is the lower edge of the screen?", "height", "monitor", "bottom"),
    ("How high above the floor is the table top?", "height", "table", "top"),
    ("长桌有多长？", "size", "table", "length"),
    ("沙发从一端到另一端有多宽？", "size", "sofa", "long_side"),
    ("圆桌的直径是多少？", "size", "table", "diameter"),
    ("书桌长边有多长？", "size", "desk", "long_side"),
    ("显示器下边缘离地多高？", "height", "monitor", "bottom"),
]


@pytest.mark.parametrize(("text", "kind", "thing", "expects"), READ)
def test_what_is_asked_of_a_thing_is_read(text: str, kind: str, thing: str, expects: str) -> None:
    asked = parse_named(text)
    assert asked is not None
    assert (asked.kind, asked.expects, [one.category for one in asked.things]) == (kind, expects, [thing])


@pytest.mark.parametrize(
    "text",
    [
        "How long is the path to the table?",
        "How wide is the gap between the sofa and the table?",
        "How long is the cable of the lamp?",
        "How wide is the free floor in front of the door?",
        "How high above the floor is the seat of the chair?",
        "How long does it take to walk to the table?",
    ],
)
def test_extents_of_other_things_are_not(text: str) -> None:
    assert parse_named(text) is None


def test_names_keep_their_words_and_colours() -> None:
    shelf, table = (
        parse_named("How high above the floor is the red wall shelf?"),
        parse_named("How long is the long table?"),
    )
    assert shelf is not None and (shelf.things[0].said, shelf.things[0].color) == ("red wall shelf", "red")
    assert table is not None and table.things[0].said == "long table"
    assert asked_extent("how long is a piece of string?") is not None  # read, but nothing that has a name here
    assert parse_named("How long is a piece of string?") is None


class Facts:
    floor_z, unit = 0.1, "m"


def _said(
    text: str, *, front: tuple[float, float] | None = None, size=(0.8, 2.0, 0.6)
) -> tuple[str, list[tuple[str, float]]]:
    asked = parse_named(text)
    assert asked is not None
    box = Box3D(center_world=np.array([1.0, 2.0, 0.5]), size_m=np.array(size), world_from_box=np.eye(3))
    place = Located(box=box, score=0.9, frames=(0,), front_world=front)
    words, numbers = SAY[asked.kind](
        Case(asked, [place], np.eye(4), Facts(), Speaker(language=asked.language, unit="m"))
    )  # pyright: ignore[reportArgumentType]
    return words, [(one.name, round(one.value, 3)) for one in numbers]


def test_the_extent_that_is_asked_is_answered_alone() -> None:
    assert _said("How long is the long table?") == ("The long table is about 2.00 m long.", [("length", 2.0)])
    assert _said("How wide is the table?")[1] == [("width", 0.8)]
    assert _said("How wide is the sofa?", front=(0.0, -1.0))[1] == [
        ("width", 0.8)
    ]  # across its front, not its shorter side
    assert _said("How deep is the sofa?", front=(0.0, -1.0))[1] == [("depth", 2.0)]
    assert _said("How wide is the sofa from end to end?", front=(0.0, -1.0))[1] == [("length", 2.0)]
    assert _said("What is the diameter of the round table?", size=(1.0, 1.1, 0.7))[1] == [("diameter", 1.05)]
    long = _said("What is the diameter of the round table?")
    assert long[1] == [("length", 2.0), ("width", 0.8)] and "does not look round" in long[0]
    assert _said("How tall is the table?")[1] == [("height", 0.6)]
    assert _said("How big is the table?")[1] == [("length", 2.0), ("width", 0.8), ("height", 0.6)]
    assert _said("长桌有多长？")[0] == "长桌长约2.00 米。"


def test_an_edge_is_over_the_floor() -> None:
    assert _said("How high above the floor is the lower edge of the screen?")[1] == [("bottom", 0.1)]
    assert _said("How high above the floor is the table top?")[1] == [("top", 0.7)]
    assert _said("How high above the floor is the lamp?")[1] == [("bottom", 0.1), ("top", 0.7)]
