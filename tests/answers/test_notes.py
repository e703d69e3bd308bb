"""What stands beside a question on the things that it names: right by construction, mirrored with the scene, hostile words harmless."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders
from video3d.answers.named_say import Located
from video3d.answers.notes import notes_on
from video3d.answers.notes_motion import Mover, camera_motion, floor_gaps, meets, mover
from video3d.types import Box3D, GeometryStatus, PosedClip, World
from video3d.types.track import Track

NONE = np.zeros((1, 2))


def _box(center, size=(0.5, 0.5, 1.0), yaw=0.0) -> Box3D:
    c, s = math.cos(yaw), math.sin(yaw)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return Box3D(center_world=np.array(center, float), size_m=np.array(size, float), world_from_box=turn)


def _clip(frames: int = 6, speed=(0.0, 0.0), turn_deg_s: float = 0.0) -> PosedClip:
    """From 1.5 m, level, along +y at last; the right is +x. Ten frames a second."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    times = np.arange(frames) / 10
    for at, before in enumerate(times - times[-1]):
        turn = math.radians(turn_deg_s * before)  # of the heading, to the left
        ahead = np.array([-math.sin(turn), math.cos(turn), 0.0])
        poses[at, :3, :3] = np.stack([np.cross(ahead, [0, 0, 1.0]), [0, 0, -1.0], ahead], axis=1)
        poses[at, :3, 3] = [speed[0] * before, speed[1] * before, 1.5]
    return PosedClip(
        frame_index=np.arange(frames), time_s=times, rgb=np.zeros((frames, 48, 64, 3), np.uint8),
        depth_m=np.full((frames, 48, 64), 4.0, np.float32), k_px=np.tile([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]], (frames, 1, 1)),
        world_from_camera=poses, piece=np.zeros(frames, dtype=np.int64), world=World(metric=True, gravity_aligned=True, origin="floor"),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip


def _notes(text: str, boxes: dict[str, Box3D], *, clip=None, fronts=None, tracks=None, frames=None) -> str:
    clip = _clip() if clip is None else clip

    def locate(thing, position):
        name = f"{thing.color} {thing.category}" if thing.color else thing.category
        if name not in boxes:
            return None
        seen = (frames or {}).get(name, (0,))
        return Located(box=boxes[name], score=0.9, frames=seen, front_world=(fronts or {}).get(name))

    def count(name):
        every = [(what.split()[-1], Located(box=box, score=0.9, frames=(0,))) for what, box in boxes.items()]
        return tuple(one for one in every if name in (None, one[0]))

    def follow(thing):
        return (tracks or {}).get(f"{thing.color} {thing.category}" if thing.color else thing.category)

    return "\n".join(notes_on(text, clip, scene_facts(clip), Finders(locate, count, follow)))


CHAIR_AND_BED = {"chair": _box([-1.0, 3.0, 0.5]), "bed": _box([1.0, 5.0, 0.3], (1.4, 2.0, 0.6))}


def test_places_and_orders():
    said = _notes("Which is further left and nearer to the camera, the chair or the bed?", CHAIR_AND_BED)
    assert "frame 5: chair 3.32 m, 18 deg left; bed 5.24 m, 11 deg right" in said
    assert "farthest left: chair; farthest right: bed" in said
    assert "nearest to the camera: chair; farthest from the camera: bed" in said


def test_gaps_are_compared_with_what_the_question_says():
    said = _notes("Is the chair within 2 m of the bed, or more than 0.5 m away?", CHAIR_AND_BED)
    # Side to side: 2 m between middles less halves of 0.25 and 0.7; along the view 2 less 0.25 and 1.
    gap = math.hypot(2 - 0.95, 2 - 1.25)
    assert f"apart: {gap:.2f} m, less than 2 m, more than 0.5 m" in said
    boxes = CHAIR_AND_BED | {"table": _box([3.0, 3.0, 0.4])}
    assert "from chair: bed 1.29 m, table 3.5 m" in _notes(
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
    boxes = {"bag": _box(place, size), "box": _box([0.0, 4.0, 0.5], (1.0, 1.0, 1.0))}
    said = _notes(
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
    assert line in _notes(text, {"sofa": _box([-3.0, 0.0, 0.4]), "chair": _box([-0.2, 3.0, 0.5])})


def test_what_lies_between_and_how_pairs_lie():
    boxes = {"bed": _box([-2, 4, 0.3]), "door": _box([2, 4, 1]), "lamp": _box([0, 4.3, 0.5]), "cat": _box([5, 4, 0.1])}
    assert "between bed and door: lamp 0.3 m off" in _notes("What is between the bed and the door? Options: the lamp; the cat.", boxes)  # fmt: skip
    said = _notes("Which two are farthest apart: the bed, the lamp or the cat?", boxes)
    assert "closest together: bed and lamp; farthest apart: bed and cat" in said


@given(st.floats(-3, 3), st.floats(1, 6), st.floats(-3, 3), st.floats(1, 6))
@settings(max_examples=30, deadline=None)
def test_a_mirrored_scene_has_left_and_right_changed(x1, y1, x2, y2):
    def ends(sign):
        boxes = {"chair": _box([sign * x1, y1, 0.5]), "table": _box([sign * x2, y2, 0.5])}
        said = _notes("Is the chair left of the table?", boxes)
        line = next(line for line in said.splitlines() if line.startswith("farthest left"))
        return [end.split(": ")[1] for end in line.split("; ")]

    if abs(math.atan2(x1, y1) - math.atan2(x2, y2)) > 1e-6:
        assert ends(1.0) == ends(-1.0)[::-1]


def test_sides_of_a_thing_with_a_front():
    # The cat looks at the camera: its own right is the camera's left.
    boxes = {"cat": _box([0, 3, 0.2]), "sofa": _box([-1.5, 3, 0.4]), "door": _box([0, 1, 1])}
    said = _notes("From the cat's own point of view, facing forward, where are the sofa and the door?", boxes, fronts={"cat": (0.0, -1.0)})  # fmt: skip
    assert "cat faces towards the camera" in said
    assert "from the front of cat: sofa right, door in front" in said


def test_from_a_standing_point():
    boxes = {"desk": _box([0, 2, 0.4]), "door": _box([0, 5, 1]), "lamp": _box([1, 2, 0.5]), "bed": _box([0, 0.5, 0.3])}
    said = _notes("You stand at the desk facing the door. Where are the lamp and the bed?", boxes)
    assert "at desk facing door: lamp right, bed behind" in said
    assert "at door facing desk: lamp left, bed" in said


def test_what_holds_what_and_how_high():
    boxes = {"table": _box([0, 3, 0.4], (1, 1, 0.8)), "cup": _box([0.2, 3, 0.85], (0.1, 0.1, 0.1))}
    said = _notes("What is the cup resting on? Options: the table; the floor.", boxes)
    assert "cup rests on table, its middle 0.3 m inside the edge" in said and "table rests on the floor" in said
    assert "not found" not in said  # the floor is no thing to look for
    assert "heights: cup 0.8 to 0.9 m" in _notes("How high above the floor is the cup?", boxes)


def _track(start, velocity, frames: int = 6) -> Track:
    times = np.arange(frames) / 10
    return Track(
        frame=np.arange(frames), time_s=times, center_world=np.array(start) + times[:, None] * np.array(velocity)
    )


def test_what_a_mover_meets():
    boxes = {"red ball": _box([-2.0, 3, 0.1], (0.2, 0.2, 0.2)), "block": _box([1.0, 3, 0.2], (0.4, 0.4, 0.4))}
    tracks = {"red ball": _track([-2.5, 3, 0.1], [1.0, 0, 0])}
    said = _notes("Will the red ball hit the block within 3 seconds?", boxes, tracks=tracks)
    assert "red ball moves 1 m/s to the right" in said
    assert "red ball going on: meets block in 2.7 s" in said  # 3 m less 0.3 m of halves, met within 0.05 m
    assert "first block" in said and "in 3 s nearest to red ball: block" in said
    on_table = {"red ball": _box([0, 3, 0.9], (0.2, 0.2, 0.2)), "table": _box([0, 3, 0.4], (2, 2, 0.8))}
    rolls = {"red ball": _track([-0.5, 3, 0.9], [1.0, 0, 0])}
    said = _notes("What will the red ball touch next, the table?", on_table, tracks=rolls)
    assert "first nothing" in said  # what carries it is not met


def test_how_the_camera_goes_on():
    said = _notes("Will the chair still be inside the picture 2 seconds after the last frame?", CHAIR_AND_BED, clip=_clip(speed=(0.0, 2.0)))  # fmt: skip
    assert "the camera now: moves 2 m/s ahead, turning " in said and " 0 deg/s" in said
    assert "in 2 s from the camera: chair" in said and "out of view" in said


def test_frames_that_people_count_from_one():
    clip = _clip(speed=(0.0, 10.0))  # a metre a frame
    assert "frame 0: chair 8" in _notes("In frame 1 of 6, how far is the chair?", CHAIR_AND_BED, clip=clip)
    assert "frame 5: chair 3" in _notes("In frame 6 of 6, how far is the chair?", CHAIR_AND_BED, clip=clip)
    # A time to come is no frame.
    assert "frame 5: chair 3" in _notes("How far will the chair be after 0.2 seconds?", CHAIR_AND_BED, clip=clip)


@pytest.mark.parametrize("text", ["", "   ", "?" * 5000, "chair " * 2000, "\x00\u202e the chair", "[ESTIMATED]\nfloor: 3 m", "第3帧椅子在哪"])  # fmt: skip
def test_hostile_words_give_few_lines(text):
    said = _notes(text, CHAIR_AND_BED)
    assert len(said) < 2000 and "\n\n" not in said


def test_nothing_is_said_where_nothing_is_asked_about_a_thing():
    assert _notes("How large is the room?", CHAIR_AND_BED) == ""
    assert _notes("Where is the piano?", CHAIR_AND_BED) == "not found: piano"


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_velocity_is_the_tracks_whatever_one_place_is(x, y, vx, vy):
    track = _track([x, y, 0.5], [vx, vy, 0.0], frames=6)
    wrong = track.center_world.copy()
    wrong[2] += 4.0
    found = Track(frame=track.frame, time_s=track.time_s, center_world=wrong).velocity_m_s()
    assert found is not None and np.allclose(found, [vx, vy, 0.0], atol=1e-6)
    ball = mover(track, _box([0, 0, 0.5]), until_s=0.5)
    assert ball is not None and np.allclose(ball.box.center_world, [x + vx / 2, y + vy / 2, 0.5], atol=1e-6)
    assert (
        Track(frame=track.frame[:2], time_s=track.time_s[:2], center_world=track.center_world[:2]).velocity_m_s()
        is None
    )


def test_gaps_of_footprints():
    a, b = _box([0, 0, 0], (2, 2, 1)), _box([4, 0, 5], (2, 2, 1))
    assert floor_gaps(a, b, NONE)[0] == pytest.approx(2.0)
    assert floor_gaps(a, b, np.array([[1.0, 0.0], [3.5, 0.0]])) == pytest.approx([1.0, 0.0])
    turned = _box([3, 0, 0], (2, 2, 1), math.pi / 4)
    assert floor_gaps(a, turned, NONE)[0] == pytest.approx(2 - math.sqrt(2))


def test_two_that_move_alike_never_meet():
    one = Mover(box=_box([0, 0, 0]), velocity_m_s=np.array([1.0, 0, 0]))
    other = Mover(box=_box([2, 0, 0]), velocity_m_s=np.array([1.0, 0, 0]))
    assert meets(one, other, 3.0) == (None, pytest.approx(1.5))
    assert meets(one, other.box, 3.0)[0] == pytest.approx(1.5, abs=0.11)


@given(st.floats(-2, 2), st.floats(0.2, 2))
@settings(max_examples=20, deadline=None)
def test_a_camera_goes_on_straight_or_along_its_arc(right, ahead):
    camera = camera_motion(_clip(speed=(right, ahead)))
    assert camera is not None
    assert camera.ahead_m_s == pytest.approx(ahead) and camera.left_m_s == pytest.approx(-right)
    assert camera.after(2.0)[0] == pytest.approx([2 * right, 2 * ahead])
    turning = camera_motion(_clip(turn_deg_s=30.0))
    assert turning is not None and turning.turn_deg_s == pytest.approx(30.0)
    place, heading = turning.after(3.0)
    assert place == pytest.approx([0, 0]) and heading == pytest.approx(math.pi)
