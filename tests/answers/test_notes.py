"""What stands beside a question on the things that it names: right by construction, mirrored with the scene, hostile words harmless."""

import math
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from noting import box, clip_of, notes, track_of

from video3d.answers.notes_motion import Mover, camera_motion, floor_gaps, meets, mover
from video3d.types import Box3D
from video3d.types.track import Track

NONE = np.zeros((1, 2))


def _lines(text: str, boxes: dict[str, Box3D], **more) -> str:
    """What is said where geometry comes to no conclusion of its own."""
    with patch("video3d.answers.notes.likely", return_value=None):
        return notes(text, boxes, **more)


CHAIR_AND_BED = {"chair": box([-1.0, 3.0, 0.5]), "bed": box([1.0, 5.0, 0.3], (1.4, 2.0, 0.6))}


def test_places_and_orders():
    said = _lines("Which is leftmost and nearer to the camera, the chair or the bed?", CHAIR_AND_BED)
    assert "frame 5: chair 3.32 m, 18 deg left; bed 5.24 m, 11 deg right" in said
    assert "farthest left: chair; farthest right: bed" in said
    assert "nearest to the camera: chair; farthest from the camera: bed" in said


def test_gaps_are_compared_with_what_the_question_says():
    said = _lines("Is the chair within 2 m of the bed, or more than 0.5 m away?", CHAIR_AND_BED)
    # Side to side: 2 m between middles less halves of 0.25 and 0.7; along the view 2 less 0.25 and 1.
    gap = math.hypot(2 - 0.95, 2 - 1.25)
    assert f"apart: {gap:.2f} m, less than 2 m, more than 0.5 m" in said
    boxes = CHAIR_AND_BED | {"table": box([3.0, 3.0, 0.4])}
    assert "from chair: bed 1.29 m, table 3.5 m" in _lines(
        "Of the bed and the table, which is nearest to the chair?", boxes
    )


@pytest.mark.parametrize(
    ("place", "size", "words"),
    [
        ([0.0, 6.0, 0.5], (0.5, 0.5, 1.0), "behind it"),
        ([0.0, 2.0, 0.5], (0.5, 0.5, 1.0), "in front of it"),
        ([2.0, 4.0, 0.5], (0.5, 0.5, 1.0), "to the right of it, nearer"),
        ([0.0, 4.0, 1.1], (0.2, 0.2, 0.2), "above it, on it"),
        ([0.0, 4.0, 0.5], (0.2, 0.2, 0.2), "inside it"),
    ],
)
def test_how_one_thing_lies_to_another(place, size, words):
    boxes = {"bag": box(place, size), "box": box([0.0, 4.0, 0.5], (1.0, 1.0, 1.0))}
    said = _lines(
        "Where is the bag with respect to the box? Options: near it (within 9 m); far from it (more than 9 m).", boxes
    )
    line = next(line for line in said.splitlines() if line.startswith("bag seen from box"))
    assert words in line and "near it" in line and "far from it" not in line


@pytest.mark.parametrize(("text", "line"), [
    ("If the camera turned 90 degrees to the left, which would it face, the chair or the sofa?", "ahead after the turn: sofa"),
    ("Which way must one turn to go to the sofa?", "to go to sofa: turn left"),
    ("Where is the sofa from here?", "sofa is to the left"),
    ("At what o'clock is the sofa?", "sofa 9 o'clock"),
    ("Going straight ahead, which is reached first, the chair or the sofa?", "met first straight ahead: chair"),
    ("In the lane that we drive in, or beside it: where is the chair?", "chair 2.75 m along, 0.2 m left, in our lane"),
])  # fmt: skip
def test_ways_from_the_camera(text, line):
    assert line in _lines(text, {"sofa": box([-3.0, 0.0, 0.4]), "chair": box([-0.2, 3.0, 0.5])})


def test_what_lies_between_and_how_pairs_lie():
    boxes = {"bed": box([-2, 4, 0.3]), "door": box([2, 4, 1]), "lamp": box([0, 4.3, 0.5]), "cat": box([5, 4, 0.1])}
    assert "between bed and door: lamp 0.3 m off" in _lines("What is between the bed and the door? Options: the lamp; the cat.", boxes)  # fmt: skip
    said = _lines("Which two are farthest apart: the bed, the lamp or the cat?", boxes)
    assert "closest together: bed and lamp; farthest apart: bed and cat" in said


@given(st.floats(-3, 3), st.floats(1, 6), st.floats(-3, 3), st.floats(1, 6))
@settings(max_examples=30, deadline=None)
def test_a_mirrored_scene_has_left_and_right_changed(x1, y1, x2, y2):
    def ends(sign):
        boxes = {"chair": box([sign * x1, y1, 0.5]), "table": box([sign * x2, y2, 0.5])}
        said = _lines("Is the chair left of the table?", boxes)
        line = next(line for line in said.splitlines() if line.startswith("farthest left"))
        return [end.split(": ")[1] for end in line.split("; ")]

    if abs(math.atan2(x1, y1) - math.atan2(x2, y2)) > 1e-6:
        assert ends(1.0) == ends(-1.0)[::-1]


def test_sides_of_a_thing_with_a_front():
    # The cat looks at the camera: its own right is the camera's left.
    boxes = {"cat": box([0, 3, 0.2]), "sofa": box([-1.5, 3, 0.4]), "door": box([0, 1, 1])}
    said = _lines("From the cat's own point of view, facing forward, where are the sofa and the door?", boxes, fronts={"cat": (0.0, -1.0)})  # fmt: skip
    assert "cat faces towards the camera" in said
    assert "from the front of cat: sofa right, door in front" in said


def test_from_a_standing_point():
    boxes = {"desk": box([0, 2, 0.4]), "door": box([0, 5, 1]), "lamp": box([1, 2, 0.5]), "bed": box([0, 0.5, 0.3])}
    said = _lines("You stand at the desk facing the door. Where are the lamp and the bed?", boxes)
    assert "at desk facing door: lamp right, bed behind" in said
    assert "at door facing desk: lamp left, bed" in said


def test_what_holds_what_and_how_high():
    boxes = {"table": box([0, 3, 0.4], (1, 1, 0.8)), "cup": box([0.2, 3, 0.85], (0.1, 0.1, 0.1))}
    said = _lines("What is the cup resting on? Options: the table; the floor.", boxes)
    assert "cup rests on table, its middle 0.3 m inside the edge" in said and "table rests on the floor" in said
    assert "not found" not in said  # the floor is no thing to look for
    assert "heights: cup 0.8 to 0.9 m" in _lines("How high above the floor is the cup?", boxes)


def test_what_a_mover_meets():
    boxes = {"red ball": box([-2.0, 3, 0.1], (0.2, 0.2, 0.2)), "block": box([1.0, 3, 0.2], (0.4, 0.4, 0.4))}
    tracks = {"red ball": track_of([-2.5, 3, 0.1], [1.0, 0, 0])}
    said = _lines("Will the red ball hit the block within 3 seconds?", boxes, tracks=tracks)
    assert "red ball moves 1 m/s to the right" in said
    assert "red ball going on: meets block in 2.7 s" in said  # 3 m less 0.3 m of halves, met within 0.05 m
    assert "first block" in said and "in 3 s nearest to red ball: block" in said
    on_table = {"red ball": box([0, 3, 0.9], (0.2, 0.2, 0.2)), "table": box([0, 3, 0.4], (2, 2, 0.8))}
    rolls = {"red ball": track_of([-0.5, 3, 0.9], [1.0, 0, 0])}
    said = _lines("What will the red ball touch next, the table?", on_table, tracks=rolls)
    assert "first nothing" in said  # what carries it is not met


def test_how_the_camera_goes_on():
    said = _lines("Will the chair still be inside the picture 2 seconds after the last frame?", CHAIR_AND_BED, clip=clip_of(speed=(0.0, 2.0)))  # fmt: skip
    assert "the camera now: moves 2 m/s ahead, turning " in said and " 0 deg/s" in said
    assert "in 2 s from the camera: chair" in said and "out of view" in said


def test_frames_that_people_count_from_one():
    clip = clip_of(speed=(0.0, 10.0))  # a metre a frame
    assert "frame 0: chair 8" in _lines("In frame 1 of 6, how far is the chair?", CHAIR_AND_BED, clip=clip)
    assert "frame 5: chair 3" in _lines("In frame 6 of 6, how far is the chair?", CHAIR_AND_BED, clip=clip)
    # A time to come is no frame.
    assert "frame 5: chair 3" in _lines("How far will the chair be after 0.2 seconds?", CHAIR_AND_BED, clip=clip)


@pytest.mark.parametrize("text", ["", "   ", "?" * 5000, "chair " * 2000, "\x00\u202e the chair", "[ESTIMATED]\nfloor: 3 m", "第3帧椅子在哪"])  # fmt: skip
def test_hostile_words_give_few_lines(text):
    said = _lines(text, CHAIR_AND_BED)
    assert len(said) < 2000 and "\n\n" not in said


def test_nothing_is_said_where_nothing_is_asked_about_a_thing():
    assert _lines("How large is the room?", CHAIR_AND_BED) == ""
    assert _lines("Where is the piano?", CHAIR_AND_BED) == "not found: piano"


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_velocity_is_that_of_the_line_through_the_places(x, y, vx, vy):
    track = track_of([x, y, 0.5], [vx, vy, 0.0])
    unsure = track.center_world.copy()
    unsure[2] += 1.0
    sigma = track.sigma_m.copy()
    sigma[2] = 1e4
    for one in (track, replace(track, center_world=unsure, sigma_m=sigma)):
        found = one.velocity_m_s()
        assert found is not None and np.allclose(found[0], [vx, vy, 0.0], atol=1e-4)
    assert found[1] > track.velocity_m_s()[1]  # of one place less, a line is less certain
    ball = mover(track, box([0, 0, 0.5]), until_s=0.5)
    assert ball is not None
    fast = math.hypot(vx, vy) >= 1.5 * track.velocity_m_s()[1]
    there = (
        [x + vx / 2, y + vy / 2, 0.5] if fast else [x + vx / 4, y + vy / 4, 0.5]
    )  # what stands is where it was on average
    assert np.allclose(ball.box.center_world, there, atol=1e-6)
    assert track.only(slice(0, 2)).velocity_m_s() is not None
    assert track.only(slice(0, 1)).velocity_m_s() is None


def test_what_votes_wander_with_stands_still_where_depth_shows_that_nothing_moved():
    track = replace(track_of([0, 0, 0.5], [3.0, 0.0, 0.0]), moved=np.zeros(6, bool))
    seen, shown = (mover(track, box([0, 0, 0.5]), 0.5, shown=shown) for shown in (False, True))
    assert seen is not None and seen.moves and seen.goes_m_s == pytest.approx([3.0, 0, 0])
    assert shown is not None and not shown.moves and shown.goes_m_s == pytest.approx([0.0, 0, 0])


def test_gaps_of_footprints():
    a, b = box([0, 0, 0], (2, 2, 1)), box([4, 0, 5], (2, 2, 1))
    assert floor_gaps(a, b, NONE)[0] == pytest.approx(2.0)
    assert floor_gaps(a, b, np.array([[1.0, 0.0], [3.5, 0.0]])) == pytest.approx([1.0, 0.0])
    turned = box([3, 0, 0], (2, 2, 1), math.pi / 4)
    assert floor_gaps(a, turned, NONE)[0] == pytest.approx(2 - math.sqrt(2))


def test_two_that_move_alike_never_meet():
    one = Mover(box=box([0, 0, 0]), velocity_m_s=np.array([1.0, 0, 0]))
    other = Mover(box=box([2, 0, 0]), velocity_m_s=np.array([1.0, 0, 0]))
    assert meets(one, other, 3.0) == (None, pytest.approx(1.5))
    assert meets(one, other.box, 3.0)[0] == pytest.approx(1.5, abs=0.11)


@given(st.floats(-2, 2), st.floats(0.2, 2))
@settings(max_examples=20, deadline=None)
def test_a_camera_goes_on_straight_or_along_its_arc(right, ahead):
    camera = camera_motion(clip_of(speed=(right, ahead)))
    assert camera is not None
    assert camera.ahead_m_s == pytest.approx(ahead) and camera.left_m_s == pytest.approx(-right)
    assert camera.after(2.0)[0] == pytest.approx([2 * right, 2 * ahead])
    turning = camera_motion(clip_of(turn_deg_s=30.0))
    assert turning is not None and turning.turn_deg_s == pytest.approx(30.0)
    place, heading = turning.after(3.0)
    assert place == pytest.approx([0, 0]) and heading == pytest.approx(math.pi)


@given(st.floats(0.5, 3.0), st.floats(0.3, 2.0), st.floats(-math.pi, math.pi))
@settings(max_examples=20, deadline=None)
def test_how_a_thing_slows_is_told_where_it_was_followed_well(speed, slows, way):
    times = np.arange(8) / 8
    ahead = np.array([math.cos(way), math.sin(way), 0.0])
    gone = speed * times - slows * times**2 / 2
    track = Track(frame=np.arange(8), time_s=times, center_world=gone[:, None] * ahead, sigma_m=np.full(8, 0.005), moved=np.ones(8, bool))  # fmt: skip
    now = speed - slows * times[-1]
    assume(now > 0.2)
    one = mover(track, box([0, 0, 0.5]), until_s=float(times[-1]))
    assert one is not None and np.allclose(one.velocity_m_s, now * ahead, atol=1e-6)
    assert one.rests_after_s == pytest.approx(now / slows, rel=1e-4)
    assert one.rests_known(1.0)
    unsure = mover(replace(track, sigma_m=np.full(8, 0.3)), box([0, 0, 0.5]), until_s=float(times[-1]))
    assert unsure is not None and not unsure.rests_known(2.0) and unsure.rests_after_s in (0.0, math.inf)


def test_what_was_hit_moves_as_it_does_since():
    times = np.arange(8) / 8
    after = np.maximum(times - times[3], 0.0)
    way = np.stack([0 * times, after * 1.5, 0 * times], axis=1)
    track = Track(frame=np.arange(8), time_s=times, center_world=way, sigma_m=np.full(8, 0.02), moved=np.ones(8, bool))  # fmt: skip
    one = mover(track, box([0, 0, 0.5]), until_s=float(times[-1]))
    assert one is not None and one.velocity_m_s == pytest.approx([0.0, 1.5, 0.0], abs=0.25)


def test_what_goes_along_with_a_thing_is_not_met_by_it():
    pushed = Mover(box=box([0, 0, 0.5], (0.4, 0.4, 1)), velocity_m_s=np.array([0.0, 0.5, 0.0]))
    pusher = Mover(box=box([0, -0.42, 0.5], (0.4, 0.4, 1)), velocity_m_s=np.array([0.0, 0.52, 0.0]))
    ahead = box([0, 1.5, 0.5], (0.4, 0.4, 1))
    assert meets(pushed, pusher, 3.0)[0] is None
    assert meets(pushed, ahead, 3.0)[0] == pytest.approx(2.1, abs=0.2)
