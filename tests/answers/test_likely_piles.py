"""What geometry concludes about piles, and about balls that roll against things."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noting import box, notes, track_of


def _pile(*parts):
    return {f"{hue} block": box(center, size) for hue, center, size in parts}


LEANS = _pile(("red", (0, 3, 0.1), (0.2, 0.2, 0.2)), ("blue", (0.13, 3, 0.3), (0.2, 0.2, 0.2)))
HELD_DOWN = LEANS | _pile(("green", (0.06, 3, 0.9), (0.2, 0.2, 1.0)))
BRIDGE = _pile(
    ("red", (-0.4, 3, 0.1), (0.2, 0.2, 0.2)), ("green", (0.4, 3, 0.1), (0.2, 0.2, 0.2)), ("blue", (0, 3, 0.25), (1.0, 0.2, 0.1))
)  # fmt: skip


@pytest.mark.parametrize(("text", "there", "said"), [
    ("Will the blue block topple or drop within 3 seconds of the last frame?", LEANS, "yes"),
    ("Will the red block topple or drop within 3 seconds of the last frame?", LEANS, "no"),
    ("Will the blue block topple or drop within 3 seconds of the last frame?", BRIDGE, "no"),
    ("Will the blue block topple or drop within 3 seconds of the last frame?", HELD_DOWN, "no"),
    ("If the green block were taken away, would the blue block fall?", BRIDGE, "yes"),
    ("If the green block were taken away, would the blue block fall?", HELD_DOWN, "yes"),
    ("If the green block were taken away, would the red block fall?", HELD_DOWN, "no"),
    ("Will the stack still be standing 3 seconds after the last frame?", LEANS, "no"),
    ("Does the stack stay standing for the next 3 seconds?", BRIDGE, "yes"),
])  # fmt: skip
def test_what_is_piled_up_stands_if_its_load_is_over_what_holds_it(text, there, said):
    assert notes(text, there) == f"likely: {said}"


@pytest.mark.parametrize(("velocity", "said"), [([0.8, 0, 0], "yes"), ([-0.8, 0, 0], "no"), ([0, 0, 0], "no")])
def test_a_pile_that_a_ball_rolls_against_falls(velocity, said):
    there = BRIDGE | {"ball": box((-1.2, 3, 0.15), (0.3, 0.3, 0.3))}
    tracks = {"ball": track_of((-1.2, 3, 0.15), velocity)}
    text = "Will the blue block topple or drop within 3 seconds of the last frame?"
    assert notes(text, there, tracks=tracks) == f"likely: {said}"


@pytest.mark.parametrize(("velocity", "said"), [([0, -0.4, 0], "yes"), ([0, 0, 0], "no")])
def test_what_moves_away_from_under_a_thing_does_not_hold_it(velocity, said):
    there = {name: place for name, place in BRIDGE.items() if name != "green block"}
    there |= {"cylinder": box((0.4, 3, 0.1), (0.2, 0.2, 0.2))}
    tracks = {"cylinder": track_of(tuple(np.array([0.4, 3, 0.1]) - np.array(velocity) / 2), velocity)}
    text = "Will the blue block topple or drop within 3 seconds of the last frame?"
    assert notes(text, there, tracks=tracks) == f"likely: {said}"


@given(st.floats(-math.pi, math.pi), st.floats(0.3, 1.5))
@settings(max_examples=20, deadline=None)
def test_balls_touch_when_their_middles_are_as_near_as_they_are_thick(way, speed):
    ahead = np.array([math.cos(way), math.sin(way), 0.0])
    here, there = np.array([0.0, 4.0, 0.1]), np.array([0.0, 4.0, 0.1]) + ahead
    boxes = {"red ball": box(tuple(here), (0.2, 0.2, 0.2)), "blue ball": box(tuple(there), (0.2, 0.2, 0.2))}
    tracks = {"red ball": track_of(tuple(here - ahead * speed / 2), tuple(ahead * speed))}
    said = notes("How many seconds after the last frame will the red ball hit the blue ball?", boxes, tracks=tracks)
    assert float(said.split()[1]) == pytest.approx(0.8 / speed, abs=0.15)


def test_a_ball_rolls_under_a_table_and_what_is_on_it_stays():
    there = {
        "table": box((0, 3, 0.375), (1.2, 0.8, 0.75)),
        "vase": box((0, 3, 0.9), (0.2, 0.2, 0.3)),
        "ball": box((-2, 3, 0.1), (0.2, 0.2, 0.2)),
    }
    text = "Will the vase fall in the next 2 seconds?"
    assert notes(text, there, tracks={"ball": track_of((-2, 3, 0.1), (1.5, 0, 0))}) == "likely: no"


def test_what_is_thought_away_holds_nothing_even_if_it_was_seen_too_low():
    there = {"table": box((0, 3, 0.375), (1.2, 0.8, 0.75)), "vase": box((0, 3, 1.0), (0.2, 0.2, 0.3))}
    assert notes("If the table is removed, will the vase fall?", there) == "likely: yes"


@pytest.mark.parametrize("text", [
    "Does the stack stay standing if the red block is removed?", "Is the stack taller than the standing person?",
    "Would the stack stand upright without the red block?", "Is there a stack standing on the table?",
])  # fmt: skip
def test_of_stacks_nothing_else_is_concluded(text):
    assert "likely" not in notes(text, BRIDGE)
