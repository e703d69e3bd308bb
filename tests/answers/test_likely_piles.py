"""What geometry concludes about piles, and about balls that roll against things."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noting import box, clip_of, notes, track_of


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


@pytest.mark.parametrize(("velocity", "said"), [
    ([1.2, 0, 0], "yes"), ([-1.2, 0, 0], "no"), ([0.5, 0, 0], "no"), ([0, 0, 0], "no"),
])  # fmt: skip
def test_a_pile_that_a_ball_rolls_against_fast_enough_falls(velocity, said):
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


ROW = {f"{hue} domino": box((0.2 * at, 3, 0.15), (0.04, 0.2, 0.3)) for at, hue in enumerate(("red", "green", "blue"))}
ROW |= {"pink domino": box((3, 3, 0.15), (0.04, 0.2, 0.3))}
ROLLS = {"ball": box((-0.6, 3, 0.1), (0.2, 0.2, 0.2))}
AGAINST = {"ball": track_of((-1.1, 3, 0.1), (1.0, 0, 0))}
TABLE = {"table": box((0, 3, 0.4), (1.2, 0.8, 0.8))}
PUSHED = TABLE | {
    "red block": box((0.2, 3, 0.875), (0.15, 0.15, 0.15)), "blue block": box((0.35, 3, 0.875), (0.15, 0.15, 0.15)),
    "cylinder": box((-0.3, 3.2, 0.9), (0.1, 0.1, 0.2)),
}  # fmt: skip
PUSHES = {name: track_of(PUSHED[name].center_world - (0.1, 0, 0), (0.2, 0, 0)) for name in ("red block", "blue block")}


@pytest.mark.parametrize("order", [("blue", "red", "green"), ("pink", "green", "blue"), ("green", "pink", "red")])
def test_of_a_row_falls_first_what_is_reached_first(order):
    options = "; ".join(f"the {hue} domino" for hue in order)
    first = next(hue for hue in ("red", "green", "blue") if hue in order)
    text = f"Which of the following falls earliest once the video ends? Options: {options}."
    assert notes(text, ROW | ROLLS, tracks=AGAINST) == f"likely: the {first} domino"


@pytest.mark.parametrize(("text", "said"), [
    ("Which of these falls first after the last frame? Options: the cylinder; the red block; the blue block.", "the blue block"),
    ("Is the red block going to tip over or fall down within 3 seconds after the video ends?", "yes"),
    ("Is the red block going to tip over or fall down within 1 second after the video ends?", "no"),
    ("Will the cylinder fall off the table within 3 seconds of the last frame?", "no"),
    ("Where will the blue block be resting 3 seconds after the last frame? Options: the table; the floor; the red block.", "the floor"),
    ("Where will the blue block be resting 0.5 seconds after the last frame? Options: the table; the floor; the red block.", "the table"),
    ("As seen by the camera in the last frame, which way will the blue block fall? Options: toward the camera; to the left; to the right; away from the camera.", "to the right"),
])  # fmt: skip
def test_what_is_pushed_goes_on_until_it_has_left_what_holds_it(text, said):
    assert notes(text, PUSHED, tracks=PUSHES) == f"likely: {said}"


@pytest.mark.parametrize(("there", "tracks", "said"), [
    (LEANS, {}, "to the right"),
    (LEANS | {"green block": box((0.15, 3, 0.45), (0.1, 0.1, 0.1))}, {}, "to the right"),
    (BRIDGE | {"ball": box((0, 1.5, 0.08), (0.16, 0.16, 0.16))}, {"ball": track_of((0, 1, 0.08), (0, 1.2, 0))}, None),
    (BRIDGE | {"ball": box((-0.4, 1.5, 0.15), (0.3, 0.3, 0.3))}, {"ball": track_of((-0.4, 1, 0.15), (0, 1.2, 0))}, "away from the camera"),
])  # fmt: skip
def test_a_pile_falls_off_what_holds_it_or_as_what_strikes_it_goes(there, tracks, said):
    text = "In which direction does the blue block fall? Options: toward the camera; to the left; to the right; away from the camera."
    assert (
        notes(text, there, tracks=tracks) == f"likely: {said}"
        if said
        else "likely" not in notes(text, there, tracks=tracks)
    )


@pytest.mark.parametrize(("height", "meets"), [(0.1, True), (0.19, True), (0.35, False)])
def test_a_ball_touches_at_the_height_where_the_other_is(height, meets):
    there = {"ball": box((0, 3, 0.1), (0.2, 0.2, 0.2)), "red block": box((1, 3, height), (0.1, 0.1, 0.1))}
    tracks = {"ball": track_of((-0.5, 3, 0.1), (1, 0, 0))}
    said = notes("Will the ball hit the red block within 2 seconds of the last frame?", there, tracks=tracks)
    assert said == f"likely: {'yes' if meets else 'no'}"


def test_a_ball_is_not_stopped_by_what_only_a_square_would_meet():
    there = {
        "ball": box((0, 3, 0.1), (0.2, 0.2, 0.2), yaw=0.0), "red block": box((1, 4, 0.1), (0.2, 0.2, 0.2)),
        "blue block": box((0.71, 3.44, 0.1), (0.1, 0.1, 0.2), yaw=math.pi / 4),
    }  # fmt: skip
    tracks = {"ball": track_of((-0.25, 2.75, 0.1), (0.5, 0.5, 0))}
    assert (
        notes("Will the ball hit the red block within 3 seconds of the last frame?", there, tracks=tracks)
        == "likely: yes"
    )
    there["blue block"] = box((0.62, 3.5, 0.1), (0.1, 0.1, 0.2), yaw=math.pi / 4)
    assert (
        notes("Will the ball hit the red block within 3 seconds of the last frame?", there, tracks=tracks)
        == "likely: no"
    )


def test_what_stands_on_a_round_end_is_met_where_its_circle_is():
    there = {"ball": box((0, 3, 0.1), (0.2, 0.2, 0.2)), "cylinder": box((1, 4, 0.2), (0.4, 0.4, 0.4))}
    tracks = {"ball": track_of((-0.35, 2.65, 0.1), (0.7, 0.7, 0))}
    said = notes("How many seconds after the last frame will the ball hit the cylinder?", there, tracks=tracks)
    assert float(said.split()[1]) == pytest.approx((math.sqrt(2) - 0.3) / (0.7 * math.sqrt(2)), abs=0.06)


@pytest.mark.parametrize("text", [
    "In the next 2 seconds, how does the camera car behave?", "What will the car you are riding in do next, within 2 seconds?",
    "After the last frame, what is the next action of the car that carries the camera (2 seconds)?",
])  # fmt: skip
def test_the_car_that_carries_the_camera_is_no_car_in_sight(text):
    options = " Options: it brakes; it turns left; it drives straight on without braking; it turns right."
    parked = {"car": box((3, 12, 0.75), (1.8, 4.2, 1.5))}
    turns = clip_of(speed=(0, 4.0), turn_deg_s=30.0)
    assert notes(text + options, parked, clip=turns) == "likely: it turns left"
    assert notes(text + options, {}, clip=clip_of(speed=(0, 4.0))) == "likely: it drives straight on without braking"


HUES = ("red", "green", "blue", "pink")
DENSE = {f"{hue} domino": box((0.08 * at, 3, 0.15), (0.04, 0.2, 0.3)) for at, hue in enumerate(HUES)}


def test_of_a_dense_row_the_nearest_falls_first_whatever_is_named_first():
    text = (
        "Which of these falls first after the last frame? Options: the pink domino; the blue domino; the green domino."
    )
    assert notes(text, DENSE | ROLLS, tracks=AGAINST) == "likely: the green domino"


@pytest.mark.parametrize("there", [DENSE, PUSHED])
def test_where_nothing_falls_nothing_falls_first(there):
    names = list(there)[-2:]
    text = f"Which of these falls first after the last frame? Options: the {names[0]}; the {names[1]}."
    assert "likely" not in notes(text, there)


def test_what_is_falling_already_is_down_before_what_is_pushed_has_left():
    there = PUSHED | {"green block": box((2, 3, 0.5), (0.15, 0.15, 0.15))}
    tracks = PUSHES | {"green block": track_of((2, 3, 1.25), (0, 0, -1.5))}
    text = "Which of these falls first after the last frame? Options: the blue block; the green block."
    assert notes(text, there, tracks=tracks) == "likely: the green block"


@pytest.mark.parametrize(("seconds", "said"), [("0.5 seconds", "no"), ("2 seconds", "yes")])
def test_a_ball_leaves_its_table_in_its_time(seconds, said):
    there = TABLE | {"ball": box((0.1, 3, 0.9), (0.2, 0.2, 0.2))}
    tracks = {"ball": track_of((-0.1, 3, 0.9), (0.4, 0, 0))}
    assert (
        notes(f"Will the ball fall off the table within {seconds} of the last frame?", there, tracks=tracks)
        == f"likely: {said}"
    )


@pytest.mark.parametrize("text", [
    "In which direction does the tip of the blue block point?", "From which direction does the ball come that makes the blue block fall?",
    "In which direction will the ball be moving when the blue block goes down?",
])  # fmt: skip
def test_other_directions_are_no_falls(text):
    options = " Options: toward the camera; to the left; to the right; away from the camera."
    assert "likely: to the right" not in notes(text + options, LEANS)


@pytest.mark.parametrize(("whom", "concludes"), [("the camera", True), ("you", False), ("the viewer", False)])
def test_nearest_to_whoever_looks_in_the_last_frame_is_no_question_on_later(whom, concludes):
    there = {"red block": box((0, 3, 0.1)), "ball": box((1, 5, 0.1), (0.2, 0.2, 0.2)), "chair": box((2, 6, 0.5))}
    said = notes(f"Which one is nearest to {whom} in the last frame: the ball, the chair or the red block?", there)
    assert said == "likely: the red block" if concludes else "likely" not in said


def test_balls_that_roll_side_by_side_meet_nothing_new():
    there = {f"{hue} ball": box((x, 3, 0.1), (0.2, 0.2, 0.2)) for hue, x in (("red", 0.0), ("blue", 0.2))}
    tracks = {name: track_of(place.center_world - (0.0, 0.25, 0.0), (0, 0.5, 0)) for name, place in there.items()}
    assert notes("Will the red ball hit the blue ball within 2 seconds?", there, tracks=tracks) == "likely: no"


def test_a_toy_that_drives_drives_on():
    there = {"toy car": box((0, 3, 0.1), (0.15, 0.3, 0.15))}
    tracks = {"toy car": track_of((-0.2, 3, 0.1), (0.4, 0, 0))}
    assert (
        notes("Will the toy car still be moving 1 second after the last frame?", there, tracks=tracks) == "likely: yes"
    )
