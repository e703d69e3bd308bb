"""What geometry concludes: in the question's own words, right by construction, nothing where a thing was not found."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from noting import box, clip_of, notes, track_of, wall_of

from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders
from video3d.answers.named_say import Located
from video3d.answers.notes import notes_on
from video3d.geometry.boxes import nearest_point

ROOM = {
    "chair": box([-1.0, 3.0, 0.5]),
    "bed": box([1.0, 5.0, 0.3], (1.4, 2.0, 0.6)),
    "lamp": box([0.0, 4.0, 1.2], (0.2, 0.2, 0.4)),
    "table": box([3.0, 3.0, 0.4], (1.0, 1.0, 0.8)),
    "cup": box([3.1, 3.0, 0.85], (0.1, 0.1, 0.1)),
    "box": box([-3.0, 6.0, 0.5], (1.0, 1.0, 1.0)),
    "bag": box([-3.0, 6.0, 0.4], (0.3, 0.3, 0.3)),
    "cat": box([0.0, 2.0, 0.2], (0.2, 0.4, 0.4)),
}
CAT_LOOKS = {"cat": (0.0, -1.0)}  # at the camera: its own right is the camera's left


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Which is farther to the left: the chair or the bed?", "the chair"),
        ("Which one is further right, the chair, the lamp or the bed?", "the bed"),
        ("Is the chair to the left of the bed?", "yes"),
        ("Is the chair to the right of the bed?", "no"),
        ("Which is nearer to the camera, the chair or the bed?", "the chair"),
        ("Which is farthest from the camera: the chair, the bed or the lamp?", "the bed"),
        ("Of the chair and the table, which is nearer to the bed?", "the table"),
        ("Which is farthest from the table: the chair, the lamp or the bed?", "the chair"),
        ("Are the chair and the bed less than 2 m apart?", "yes"),
        ("Are the chair and the bed more than 2 m apart?", "no"),
        ("Does the chair lie no more than 2 m from the bed?", "yes"),
        ("Are the chair and the bed near each other or far apart, if near is under 2 m and far over 4 m?", "near"),
        ("Is the bed in front of the chair?", "no"),
        ("Is the bed behind the chair?", "yes"),
        ("Does the chair stand in front of the bed or behind it?", "in front"),
        ("Which is higher: the lamp or the bed?", "the lamp"),
        ("Is the bed lower than the lamp?", "yes"),
        ("Which is taller, the chair or the lamp?", "the chair"),
        ("Which is smaller by volume: the cup or the chair?", "the cup"),
        ("What is between the chair and the bed? Options: the cat; the lamp.", "the lamp"),
        ("Which two are closest together: the chair, the lamp or the table?", "the chair and the lamp"),
        ("Which pair is closest together? Options: the chair and the lamp; the chair and the table.", "the chair and the lamp"),
        ("What is the cup resting on? Options: the floor; the table; the chair.", "the table"),
        ("On what does the chair stand? What holds it? Options: the floor; the table.", "the floor"),
        ("Is the lamp between the chair and the bed?", "yes"),
        ("Does the cat stand between the chair and the bed?", "no"),
        ("Going straight from the chair to the bed, would you meet the lamp on the way?", "yes"),
        ("Going straight from the chair to the bed, would you meet the table on the way?", "no"),
        ("Is the lamp what lies between the bed and the chair?", "yes"),
        ("At the end of the video, is the cup on the table?", "yes"),
        ("Is the cup resting on the bed at the end of the video?", "no"),
        ("Look at the end of the video: is the table what the cup rests on?", "yes"),
        ("Look at the end of the video: is the table what the chair rests on?", "no"),
        ("When the video ends, does the chair stand or lie on the table?", "no"),
        ("Is the bag inside the box?", "yes"),
        ("Does the box contain the cup?", "no"),
        ("What carries the bag? Options: the floor; the box.", "the box"),
        ("Which way must one turn to go to the table? Options: turn left; turn right; go straight on.", "turn right"),
        ("Where is the table, seen from the camera?", "ahead to the right"),
        ("At what o'clock is the table? Options: 12 o'clock; 2 o'clock.", "2 o'clock"),
        ("If the camera turned 45 degrees to the right, which would it face? Options: the chair; the table.", "the table"),
        ("Going straight ahead, which is reached first? Options: the bed; the cat.", "the cat"),
        ("Going straight ahead, which is reached first? Options: the cup; the bed; the table.", "the bed"),
        ("You stand at the chair facing the table. Where would you find the cat? Options: to your left; to your right.", "to your right"),
        ("From the cat's own point of view, where is the chair? Options: to its own right; to its own left.", "to its own right"),
        ("Does the cat face the camera or away from it? Options: towards the camera; away from the camera.", "towards the camera"),
        ("Can a robot 0.5 m wide pass between the chair and the bed?", "yes"),
        ("Can a cart 1.5 m wide be pushed between the chair and the bed?", "no"),
        ("How far apart are the chair and the bed, in metres?", f"{math.hypot(1.05, 0.75):.2f} m"),
        ("How wide is the free gap between the chair and the bed on the floor?", f"{math.hypot(1.05, 0.75):.2f} m"),
        ("How tall is the chair?", "1 m"),
        ("How many metres away is the cat?", f"{math.hypot(2.0, 1.3):.2f} m"),
        ("How many chairs are there? Count them.", "1"),
        ("Where is the cup relative to the table? Options: on it; behind it; to the left of it.", "on it"),
        ("Where is the cat relative to the bed? Options: to the left of it; behind it; near it (within 1 m).", "to the left of it"),
        ("Taking the front of the cat as forward, is the table in front of it, behind it, to its left or to its right? Options: behind it; to its own right; to its own left; in front of it.", "to its own left"),
        ("Taking the front of the cat as forward, is the bed in front of it or behind it? Options: behind it; in front of it.", "behind it"),
        ("Is the cup right above the table?", "yes"),
        ("Is the lamp in the last frame right above the table?", "no"),
        ("Seen from above, what does the table measure along its longer side, in metres?", "1 m"),
        ("Standing at the chair and facing the cat, is the box to your left, to your right or behind you?", "behind you"),
    ],
)  # fmt: skip
def test_conclusions_in_a_room(text, said):
    assert notes(text, ROOM, fronts=CAT_LOOKS) == f"likely: {said}"


@pytest.mark.parametrize("text", [
    "Which is nearer to the camera, the chair or the piano?", "Is the piano behind the chair?", "How tall is the piano?",
    "What is between the chair and the piano? Options: the lamp; the cat.", "Tell me about the chair.", "Why is the chair brown?",
    "What colour is the chair to the left of the bed?", "Describe the chair near the bed.", "Is the chair left of the bed made of wood?",
    "Is the chair 1 m tall?", "Can I walk to the chair from here?", "Is the lamp above the floor?", "Has the chair been moved to the left?",
    "What kind of lamp is above the bed?", "Put the chair nearer to the camera than the bed, please.", "What is the cat between the chair and the bed doing?",
])  # fmt: skip
def test_nothing_is_concluded_from_what_was_not_found_or_not_understood(text):
    assert "likely" not in notes(text, ROOM) and "perhaps" not in notes(text, ROOM)


@given(st.floats(-3, 3), st.floats(1, 6), st.floats(-3, 3), st.floats(1, 6))
@settings(max_examples=40, deadline=None)
def test_left_and_right_change_in_the_mirror_and_near_and_far_do_not(x1, y1, x2, y2):
    eye = np.array([0.0, 0.0, 1.5])
    far = [float(np.linalg.norm(nearest_point(box([x, y, 0.5]), eye) - eye)) for x, y in ((x1, y1), (x2, y2))]
    assume(abs(math.atan2(x1, y1) - math.atan2(x2, y2)) > 1e-3 and abs(far[0] - far[1]) > 1e-3)

    def scene(sign):
        return {"chair": box([sign * x1, y1, 0.5]), "table": box([sign * x2, y2, 0.5])}

    left = "Which is farther to the left, the chair or the table?"
    assert notes(left, scene(1)) != notes(left, scene(-1))
    assert notes(left, scene(1)) == notes(left.replace("left", "right"), scene(-1))
    near = "Which is nearer to the camera, the chair or the table?"
    assert notes(near, scene(1)) == notes(near, scene(-1))
    assert notes(near, scene(1)) != notes(near.replace("nearer to", "farther from"), scene(1))


BALL = {
    "ball": box([-2.0, 3, 0.1], (0.2, 0.2, 0.2)),
    "block": box([1.0, 3, 0.2], (0.4, 0.4, 0.4)),
    "box": box([0, 6, 0.2]),
}
ROLLS = {"ball": track_of([-2.5, 3, 0.1], [1.0, 0, 0])}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Will the ball hit the block within 3 seconds?", "yes"),
        ("Will the ball hit the block within 1 second?", "no"),
        ("Will the ball hit the box within 3 seconds?", "no"),
        ("How long until the ball hits the block, in seconds?", "2.7 s"),  # 3 m less 0.3 m of halves
        ("What does the ball touch next? Options: the box; the block.", "the block"),
        ("What blocks the way of the ball in the next 3 seconds? Options: the box; nothing; the block.", "the block"),
        ("What blocks the way of the ball in the next 1 second? Options: the box; nothing; the block.", "nothing"),
        ("What happens next to the ball, within 3 seconds? Options: the ball hits the box; the ball hits the block.", "the ball hits the block"),
        ("In 2 seconds, the ball will be closest to which of these? Options: the box; the block.", "the block"),
        ("How fast is the ball moving, in metres per second?", "1.0 m/s"),
        ("Which way will the ball be moving 1 second later? Options: to the left; to the right; toward the camera.", "to the right"),
    ],
)  # fmt: skip
def test_conclusions_on_what_a_mover_does(text, said):
    assert notes(text, BALL, tracks=ROLLS) == f"likely: {said}"


WAYS = "Options: it turns to the left; it stays where it is; it goes straight forward; it turns to the right."


@pytest.mark.parametrize(("clip", "said"), [
    (clip_of(), "it stays where it is"),
    (clip_of(speed=(0.0, 1.0)), "it goes straight forward"),
    (clip_of(turn_deg_s=40.0), "it turns to the left"),
    (clip_of(turn_deg_s=-40.0), "it turns to the right"),
])  # fmt: skip
def test_how_the_camera_goes_on(clip, said):
    assert notes(f"What will the camera do in the next 1 second? {WAYS}", {}, clip=clip) == f"likely: {said}"


def test_what_the_camera_then_sees_and_is_near():
    walks = clip_of(speed=(0.0, 2.0))
    assert notes("Will the cat still be in view 2 seconds after the last frame?", ROOM, clip=walks) == "likely: no"
    assert notes("Will the bed still be in view 1 second after the last frame?", ROOM, clip=walks) == "likely: yes"
    near = "The camera keeps moving. Which of these will it be closest to after 2 seconds? Options: the cat; the bed."
    assert notes(near, ROOM, clip=walks) == "likely: the bed"


def test_what_falls():
    stack = {
        "block": box([0, 3, 0.3], (0.2, 0.2, 0.2)),
        "box": box([0, 3, 0.1], (0.2, 0.2, 0.2)),
        "ball": box([2, 3, 0.1]),
    }
    text = "Does the block fall over in the next 3 seconds?"
    assert notes(text, stack | {"block": box([0, 3, 0.1], (0.2, 0.2, 0.2))}) == "likely: no"  # on the floor
    on_table = {"block": box([0, 3, 0.9], (0.2, 0.2, 0.2)), "table": box([0, 3, 0.4], (1.5, 1.0, 0.8))}
    assert notes(text, on_table) == "likely: no"
    falls = {"block": track_of([0, 3, 1.4], [0.0, 0.0, -1.0])}
    assert notes(text, on_table, tracks=falls) == "likely: yes"
    rolls = {"block": track_of([-0.5, 3, 0.9], [1.0, 0.0, 0.0])}
    assert notes(text, on_table, tracks=rolls) == "likely: yes"  # past the table's edge
    assert notes(text, stack) == "likely: no"  # held, its middle well inside
    said = notes(text, stack | {"block": box([0.09, 3, 0.3], (0.2, 0.2, 0.2))})  # at the edge: it may be held or not
    assert "likely" not in said and "block is 0.2 m above the floor" in said
    assert notes("If the box were removed, would the block fall?", stack) == "likely: yes"
    assert notes("If the box were removed, would the ball fall?", stack) == "likely: no"
    assert (
        notes("Which would fall if the box were not there any more? Options: the ball; the block.", stack)
        == "likely: the block"
    )


def test_a_row_falls_as_far_as_each_reaches_the_next():
    at = {"white": 0.0, "black": 0.2, "green": 0.75, "red": 0.95}  # 0.3 m high: black does not reach green
    row = {f"{color} domino": box([x, 3, 0.15], (0.05, 0.2, 0.3)) for color, x in at.items()}
    row["ball"] = box([-0.5, 3, 0.1], (0.2, 0.2, 0.2))
    text = "Will the {} domino topple or drop within 3 seconds of the last frame?"
    rolls = {"ball": track_of([-1.0, 3, 0.1], [1.0, 0, 0])}
    for color, said in {"white": "yes", "black": "yes", "green": "no", "red": "no"}.items():
        assert notes(text.format(color), row, tracks=rolls) == f"likely: {said}"
        assert notes(text.format(color), row) == "likely: no"  # nothing moves
        past = {"ball": track_of([-1.0, 2, 0.1], [1.0, 0, 0])}
        assert (
            notes(text.format(color), row | {"ball": box([-0.5, 2, 0.1], (0.2, 0.2, 0.2))}, tracks=past) == "likely: no"
        )
    crate = {"block": box([-0.2, 3, 0.15], (0.1, 0.3, 0.3))}  # stands between
    assert notes(text.format("white"), row | crate, tracks=rolls) == "likely: no"
    raised = {name: box(one.center_world + np.array([0, 0, 0.8]), one.size_m) for name, one in row.items()}
    raised["table"] = box([0.5, 3, 0.4], (3.0, 1.0, 0.8))
    on_it = {"ball": track_of([-1.0, 3, 0.9], [1.0, 0, 0])}
    assert notes(text.format("black"), raised, tracks=on_it) == "likely: yes"
    across = row | {"ball": box([0.2, 2.5, 0.1], (0.2, 0.2, 0.2))}  # comes at an end face
    assert notes(text.format("black"), across, tracks={"ball": track_of([0.2, 2.0, 0.1], [0, 1.0, 0])}) == "likely: no"
    hits = "Will the ball hit the {} domino within 3 seconds of the last frame?"
    assert notes(hits.format("white"), row, tracks=rolls) == "likely: yes"
    assert notes(hits.format("green"), row, tracks=rolls) == "likely: no"  # the first stops it


@pytest.mark.parametrize(("text", "said"), [
    ("Will the ball hit a wall within 3 seconds?", "no"),  # it is 3.9 m away
    ("Will the ball hit a wall within 5 seconds?", "yes"),
    ("Will the ball hit a wall within 60 seconds?", "yes"),
    ("Is the box against a wall?", "no"),
    ("Is the block up against one of the walls of the room?", "no"),
    ("Is the table right by a wall?", "yes"),
    ("Is the table right by a wall rather than out in the room?", "yes"),
])  # fmt: skip
def test_what_is_at_a_wall_and_what_comes_to_one(text, said):
    walls = [wall_of((2.0, 3.0), (-1.0, 0.0)), wall_of((0.0, 9.0), (0.0, -1.0))]
    there = BALL | {"table": box([0, 8.48, 0.4], (2.0, 1.0, 0.8)), "block": box([1.0, 5, 0.2], (0.4, 0.4, 0.4))}
    assert notes(text, there, tracks=ROLLS, walls=walls) == f"likely: {said}"
    if "hit" in text:  # the block stands in the way
        assert notes(text, BALL, tracks=ROLLS, walls=walls) == "likely: no"


@pytest.mark.parametrize(("text", "between", "said"), [
    ("Will the ball hit the block within 4 seconds?", {}, "yes"),
    ("Will the ball hit the block within 60 seconds?", {}, "yes"),
    ("Will the ball hit the block within 4 seconds?", {"cylinder": box([0, 3, 0.2], (0.3, 0.3, 0.4))}, "no"),
    ("Will the block touch the ball within 4 seconds?", {"cylinder": box([0, 3, 0.2], (0.3, 0.3, 0.4))}, "no"),
    ("Will the ball hit the block within 4 seconds?", {"table": box([0, 3, 0.4], (1.0, 1.0, 0.8))}, "yes"),  # it rolls under it
    ("Will the ball hit the block within 4 seconds?", {"rug": box([0, 3, 0.06], (1.0, 1.0, 0.12))}, "yes"),
    ("Will the person reach the door within 4 seconds?", {"cylinder": box([0, 3, 0.2], (0.3, 0.3, 0.4))}, "yes"),  # who walks goes round
])  # fmt: skip
def test_what_stands_in_the_way_stops_what_rolls(text, between, said):
    tracks = ROLLS | {"person": track_of([-2.5, 3, 0.9], [1.0, 0, 0])}
    there = (
        BALL
        if "ball" in text
        else {"person": box([-2, 3, 0.9], (0.5, 0.5, 1.8)), "door": box([1.5, 3, 1.0], (0.1, 0.9, 2.0))}
    )
    assert notes(text, there | between, tracks=tracks) == f"likely: {said}"


def test_what_rolls_is_stopped_by_what_it_runs_into():
    text = "Will the ball still be moving 4 seconds after the last frame?"
    assert notes(text, BALL, tracks=ROLLS) == "likely: no"
    assert notes(text, BALL | {"block": box([1.0, 5, 0.2], (0.4, 0.4, 0.4))}, tracks=ROLLS) == "likely: yes"
    carried = {"block": box([-2.0, 3, 0.2], (0.6, 0.6, 0.4))}  # what it is at already goes along
    assert notes(text, BALL | carried, tracks=ROLLS) == "likely: yes"


@pytest.mark.parametrize(("text", "said"), [
    ("Will the person still be moving 3 seconds after the last frame?", "yes"),
    ("3 seconds after the video ends, will the person still be in motion?", "yes"),
    ("Will the ball keep moving for at least 1 second?", "yes"),
    ("Will the ball keep moving for at least 3 seconds?", "no"),
    ("Will the ball come to a stop within 3 seconds?", "yes"),
    ("Will the person stand still for the next 5 seconds?", "yes"),
    ("Is the person still in motion?", "no"),
    ("Will the person still stand still in 2 seconds?", "yes"),
])  # fmt: skip
def test_what_is_said_to_be_in_motion_moves(text, said):
    still = {"person": track_of([0, 3, 0.9], [0.0, 0, 0]), "ball": track_of([-2, 3, 0.1], [0.0, 0, 0])}
    there = {"person": box([0, 3, 0.9], (0.5, 0.5, 1.8)), "ball": BALL["ball"]}
    assert notes(text, there, tracks=still) == f"likely: {said}"


def test_who_walks_walks_on_but_not_for_ever():
    walks = {"person": track_of([-2.5, 3, 0.9], [1.0, 0, 0])}
    there = {"person": box([-2, 3, 0.9], (0.5, 0.5, 1.8))}
    assert notes("Will the person come to a stop within 2 seconds?", there, tracks=walks) == "likely: no"
    assert "likely" not in notes("Will the person come to a stop within 30 seconds?", there, tracks=walks)


def test_what_is_seen_first():
    frames = {"chair": (2, 3), "bed": (0, 1), "lamp": (4,)}
    assert notes("Which comes into view first, the chair or the bed?", ROOM, frames=frames) == "likely: the bed"
    assert notes("Which comes into view later, the chair or the bed?", ROOM, frames=frames) == "likely: the chair"
    order = (
        "In which order do they come into view? Options: the chair, the bed, the lamp; the bed, the chair, the lamp."
    )
    assert notes(order, ROOM, frames=frames) == "likely: the bed, the chair, the lamp"
    events = "Which of these happens first? Options: the bed goes out of view; the chair comes into view."
    assert notes(events, ROOM, frames=frames) == "likely: the bed goes out of view"


@pytest.mark.parametrize(("name", "slows", "ahead", "said"), [
    ("car", 0.0, "3 seconds", "yes"), ("car", 2.5, "3 seconds", "no"), ("car", 2.5, "0.5 seconds", "yes"),
    ("ball", 0.0, "1 second", "yes"), ("box", 0.0, "3 seconds", "no"),
])  # fmt: skip
def test_what_brakes_or_slides_comes_to_rest_and_what_rolls_goes_on(name, slows, ahead, said):
    times = np.arange(8) / 5
    way = 5.0 * times - slows * times**2 / 2 if name == "car" else 0.8 * times
    start = np.array([-4.0, 9.0, 0.1])
    track = replace(
        track_of(start, [1, 0, 0], frames=8), time_s=times, center_world=start + way[:, None] * np.array([1.0, 0, 0])
    )
    boxes = {name: box((-4.0, 9.0, 0.1), (0.2, 0.2, 0.2))}
    asked = f"Will the {name} still be moving {ahead} after the last frame?"
    assert notes(asked, boxes, tracks={name: track}) == f"likely: {said}"


def test_which_way_one_can_go_farthest_is_the_freest_one():
    ways = "left, middle or right of its view? Options: the right; the left; the middle."
    clip = clip_of()
    depth = np.full((6, 48, 64), np.nan, np.float32)
    rows = np.arange(48) + 0.5 - 24
    floor = np.where(rows > 0, 1.5 * 40 / np.maximum(rows, 0.1), np.nan)
    depth[:] = floor[:, None]
    depth[:, :40, :40] = 1.2  # something stands on the left and ahead
    blocked = replace(clip, depth_m=depth)
    text = f"In the last frame, which way could the camera go farthest before it meets something: {ways}"
    assert notes(text, ROOM, clip=blocked) == "likely: the right"


@pytest.mark.parametrize(
    "text",
    [
        "Which is farther right in the last frame, the lamp or the table?",
        "Which is on the right in the picture, the lamp or the table?",
        "Which is on the right at the end, the lamp or the table?",
    ],
)
def test_a_side_stays_a_side_whatever_follows_it(text):
    assert notes(text, ROOM) == "likely: the table"


def test_what_lies_across_the_way_is_met_though_its_corners_are_far_aside():
    there = {"bus": box((1, 5.5, 1.5), (12, 1, 3)), "car": box((0, 11, 0.8), (1.8, 4, 1.5))}
    text = "Going straight ahead, which is reached first? Options: the bus; the car."
    assert notes(text, there) == "likely: the bus"


@pytest.mark.parametrize(("height", "said"), [(0.2, "the bed"), (0.6, "the box")])
def test_who_goes_straight_on_steps_over_what_is_low(height, said):
    there = ROOM | {
        "box": box([0.0, 2.0, height / 2], (0.4, 0.4, height)),
        "bed": box([0.0, 5.0, 0.3], (1.4, 2.0, 0.6)),
    }
    text = "If the camera went straight on, what would it run into first? Options: the bed; the box."
    assert notes(text, there) == f"likely: {said}"


WALKER = {"person": box([-2.5, 6.0, 0.9], (0.5, 0.5, 1.7))}
WALKS_OPTIONS = "Options: stands still; walks across to the left; walks across to the right; walks toward or away."


@pytest.mark.parametrize(("velocity", "said"), [
    ([0, 0, 0], "stands still"), ([1.2, 0, 0], "walks across to the right"), ([0, 1.2, 0], "walks toward or away"),
])  # fmt: skip
def test_what_a_person_does_next(velocity, said):
    tracks = {"person": track_of([-2.5, 6.0, 0.9], velocity)}
    assert notes(f"What does the person do next? {WALKS_OPTIONS}", WALKER, tracks=tracks) == f"likely: {said}"


@pytest.mark.parametrize(("speed", "sigma", "least", "most"), [
    (4.0, 0.02, 3.9, 4.0), (30.0, 8.0, 1.2, 1.5), (0.3, 8.0, 1.2, 1.3), (0.6, 0.02, 0.6, 0.7),
])  # fmt: skip
def test_people_go_as_fast_as_they_were_seen_to_and_as_people_walk_where_that_is_unsure(speed, sigma, least, most):
    track = replace(track_of([-2.5, 6.0, 0.9], [speed, 0, 0]), sigma_m=np.full(6, sigma))
    said = notes("How fast is the person moving?", WALKER, tracks={"person": track})
    assert least <= float(said.split()[1]) <= most


def test_who_is_said_to_move_and_was_not_followed_is_taken_at_the_word():
    both = WALKER | {"car": box([-4.0, 9.0, 0.7], (2, 4, 1.4))}
    drives = {"car": track_of([-4.0, 9.0, 0.7], [6.0, 0, 0])}
    assert notes("Will the person still be moving 1 second after the last frame?", WALKER) == "likely: yes"
    assert "likely" not in notes("How fast is the person moving?", WALKER)
    still = {"person": track_of([-2.5, 6.0, 0.9], [0, 0, 0])}
    assert notes("How fast is the person moving?", WALKER, tracks=still) == "likely: 0.0 m/s"
    assert notes("Which moves faster, the person or the car?", both, tracks=drives) == "likely: the car"
    assert "likely" not in notes("How fast is the car moving?", both)


@pytest.mark.parametrize(
    ("options", "said"), [("to the left; to the right; away from the camera; toward the camera", "to the right")]
)
def test_the_way_of_what_is_said_to_move_is_the_likeliest_one(options, said):
    track = replace(track_of([-4.0, 9.0, 0.7], [2.0, 0, 0]), sigma_m=np.full(6, 2.0))
    text = f"In which direction is the car moving 1 second later? Options: {options}."
    there = {"car": box([-4.0, 9.0, 0.7], (2, 4, 1.4))}
    assert notes(text, there, tracks={"car": track}) == f"likely: {said}"


@pytest.mark.parametrize(("speed", "said"), [(0.5, True), (3.0, False)])
def test_a_wall_that_was_not_seen_is_not_near(speed, said):
    clip, ball = clip_of(), Located(box=box([0.0, 3.0, 0.1], (0.2, 0.2, 0.2)), score=0.9, frames=(0,))
    facts = replace(scene_facts(clip), surfaces=(), floor_z=0.0)
    find = Finders(lambda *_: [ball], lambda _: (), lambda _: [track_of([0.0, 3.0, 0.1], [speed, 0, 0])])
    text = "Is it going to happen in the next 1 second that the ball hits a wall?"
    assert (notes_on(text, clip, facts, find) == ("likely: no",)) is said


def test_an_unsure_thing_makes_a_conclusion_unsure():
    clip = clip_of()

    def locate(things, position):
        return [
            Located(box=ROOM[it.category], score=0.2 if it.category == "bed" else 0.9, frames=(0,)) for it in things
        ]

    find = Finders(locate, lambda name: (), lambda things: [None] * len(things))
    said = notes_on("Which is nearer to the camera, the chair or the bed?", clip, scene_facts(clip), find)
    assert said == ("perhaps: the chair",)


def test_the_cameras_height_needs_a_floor():
    clip, text = clip_of(), "How high above the floor is the camera?"
    facts, find = (
        scene_facts(clip),
        Finders(lambda things, at: [None] * len(things), lambda name: (), lambda things: [None] * len(things)),
    )
    assert notes_on(text, clip, facts, find) == ()
    assert notes_on(text, clip, replace(facts, floor_z=-0.25), find) == ("likely: 1.75 m",)
    lamp = Finders(
        lambda things, at: [Located(box=ROOM["lamp"], score=0.9, frames=(0,))], lambda name: (), lambda things: [None]
    )
    text = "How high above the floor is the underside of the lamp?"
    assert "likely" not in "".join(notes_on(text, clip, facts, lamp))
    assert notes_on(text, clip, replace(facts, floor_z=-0.25), lamp) == ("likely: 1.25 m",)


@pytest.mark.parametrize(("text", "said"), [
    ("Would the cup fall if the table was removed?", "yes"),
    ("If I turn right 45 degrees, which would be ahead? Options: the chair; the table.", "the table"),
    ("Is the cat under the table?", "no"),
    ("Is the gap between the chair and the bed larger than 1 metre?", "yes"),
    ("Which piece of furniture is nearest to the bed, the chair or the table?", "the table"),
    ("Which two pieces of furniture are closest together: the chair, the lamp or the table?", "the chair and the lamp"),
    ("Which way does the cat face?", "towards the camera"),
    ("Which way would the camera have to go to reach the lamp: ahead, left, right, behind or in between?", "straight ahead"),
    ("Which appears bigger, the chair or the bed?", "the bed"),
])  # fmt: skip
def test_conclusions_in_other_words(text, said):
    assert notes(text, ROOM, fronts=CAT_LOOKS) == f"likely: {said}"


@pytest.mark.parametrize("text", [
    "How tall is the piano next to the chair?", "How far is the piano from the chair?", "Which is nearest to the camera: the chair, the bed or the piano?",
    "Which is second nearest to the camera, the chair, the lamp or the bed?", "Which is not nearest to the camera, the chair or the bed?",
    "Except for the cat, which is closest to the camera, the chair or the bed?", "Is the chair not left of the bed?",
    "If the chair was removed, which would be nearest to the camera, the bed or the table?", "Is the bed closer to the chair or to the table?",
    "Has the cat hit the chair?", "Does the cup touch the table?", "Is the bed to the right of the chair and to the left of the table?",
    "What is behind the chair, the bed or the cat?", "How many chairs are to the left of the bed?", "How long until the cat reaches the bed?",
    "Which two are moving: the chair, the lamp or the table?", "What holds the cup? Options: the cat; nobody.", "Where is the cat going?",
    "Is the passage between the chair and the bed too narrow for a robot 0.5 m wide?", "Is the cat on my left if I sit on the bed?",
    "Which is left of the bed but right of the box? Options: the chair; the table.", "Is the chair less than 1,1 m from the bed?",
    "Will the bed be less than 9 m from the cat in 1 second?",
    "How far is the chair from the wall?",
    "How far is the lamp from the floor?",
    "How wide is the wall behind the bed?",
    "How many kilometres per hour does the cat do?",
    "What hours is the chair free?",
    "Which way is the cat walking?",
    "Which way would the cup roll?",
    "Which way should I turn to face the cat?",
    "What does the cat face?",
    "Does the bag fit in the box?",
    "Can the table hold the cat?",
    "Will the cup fall if I push it?",
    "Will the chair still be in the picture after I turn around?",
    "What is in the centre of the table?",
    "In which order do the chair, the bed and the cup appear?",
    "How long has the cat been standing?",
    "Is the bed 2 m longer than the table?",
    "Is it false that the cup is on the table?",
    "Where is the nearest chair?",
    "As one stands in front of the bed and looks at it, is the chair to its left or to its right?",
    "Is there a cup on the bed?",
])  # fmt: skip
def test_other_questions_than_rules_understand_have_no_conclusion(text):
    assert "likely" not in notes(text, ROOM) and "perhaps" not in notes(text, ROOM)


def test_a_limit_of_nothing_is_no_crash():
    assert notes("Where is the cup relative to the chair? Options: near it (within 0 m); behind it.", ROOM)


def test_places_that_are_not_finite_are_not_found():
    broken = ROOM | {"chair": box([math.nan, 3.0, 0.5]), "bed": box([1.0, math.inf, 0.3])}
    for text in ("How far is the chair?", "Which is nearer to the camera, the chair or the bed?", "Where is the bed?"):
        assert notes(text, broken).startswith("not found: ")


@pytest.mark.parametrize("side", ["left", "right"])
def test_where_the_floor_is_freest(side):
    """A thing stands 1 m ahead in two thirds of the view; the rest is open for 4 m."""
    clip = clip_of()
    depth = clip.depth_m.copy()
    blocked = slice(22, None) if side == "left" else slice(None, 42)
    depth[:, :, blocked] = 1.0
    text = "Which way is freest: left, straight ahead or right of the view? Options: the left; the middle; the right."
    seen = replace(clip, depth_m=depth)
    find = Finders(lambda things, at: [None] * len(things), lambda name: (), lambda things: [None] * len(things))
    facts = replace(scene_facts(seen), floor_z=0.0)
    assert notes_on(text, seen, facts, find) == (f"likely: the {side}",)
    assert notes_on(text, seen, replace(facts, floor_z=None), find) == ()


def test_only_what_asks_for_nearness_to_a_wall_is_concluded_from_it():
    from video3d.answers import likely_measures

    at, off = likely_measures._AT_WALL, likely_measures._NOT_AT_WALL
    for asked in (
        "does # stand against a wall",
        "is # right by a wall",
        "is # up against one of the walls of the room",
    ):
        assert at.search(asked) and not off.search(asked)
    for asked in (
        "is # away from the wall",
        "will # hit the wall",
        "is # taller than the wall",
        "is there a wall behind #",
        "is # next to a wall that will fall",
    ):
        assert not at.search(asked) or off.search(asked)
