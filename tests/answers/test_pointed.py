"""Questions about a place that is pointed at."""

import numpy as np
import pytest

from video3d.answers.facts import scene_facts
from video3d.answers.pointed import Pointed, answer_at, read_pointed, see, wanted
from video3d.geometry.boxes import box_from_bounds
from video3d.types import Detection, GeometryStatus, InputError, PosedClip, World

K = np.array([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]])


def clip_of(near=None, metric=True) -> PosedClip:
    """Two frames, 64 x 48, that look level along +y from 1.5 m at a wall 4 m away; ``near`` is a rectangle at 2 m."""
    depth = np.full((2, 48, 64), 4.0, np.float32)
    if near is not None:
        depth[:, near] = 2.0
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    pose[2, 3] = 1.5
    return PosedClip(
        frame_index=np.array([0, 7]), time_s=np.array([0.0, 1.0]), rgb=np.zeros((2, 48, 64, 3), np.uint8), depth_m=depth,
        k_px=np.tile(K, (2, 1, 1)), world_from_camera=np.tile(pose, (2, 1, 1)), piece=np.array([0, 0]),
        world=World(metric=metric, gravity_aligned=True, origin="floor"),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip


def ask(query, at, clip=None, objects=(), said="a model's words"):
    clip = clip_of() if clip is None else clip
    heard = []

    def say(words, place):
        heard.append((words, place))
        return said

    answer = answer_at(query, at, clip, scene_facts(clip), objects=lambda: objects, say=say)
    return answer, heard


@pytest.mark.parametrize(
    "query, kinds, name, where, opened",
    [
        ("What is this, and how far?", ["point_distance"], True, False, False),
        ("How high is this above the floor?", ["point_height"], False, False, False),
        ("Is this surface level?", ["surface_orientation"], False, False, False),
        ("What is its depth?", ["point_distance"], False, False, False),
        ("这是什么，离我多远？", ["point_distance"], True, False, False),
        ("这个东西是什么？有多高", ["point_height"], True, False, False),
        ("它在哪里", [], False, True, False),
        ("What colour is this and how deep is it", ["point_distance"], False, False, True),
        ("What is this? How high off the ground is it? Where is it?", ["point_height"], True, True, False),
        ("Can I sit on this?", [], False, False, True),
        ("how far is it from the door?", [], False, False, True),
    ],
)
def test_a_question_is_read_clause_by_clause(query, kinds, name, where, opened):
    asked = wanted(query, 7, 10.0, 20.0)
    assert [one.kind for one in asked.measured] == kinds
    assert (asked.name, asked.where, asked.open) == (name, where, opened)
    assert all((p.x, p.y, p.frame.value) == (10, 20, 7) for one in asked.measured for p in one.points)


def test_distance_name_and_place_are_of_the_pixel():
    box = Detection(
        box=box_from_bounds(np.array([-1.0, 3.9, 1.0]), np.array([1.0, 4.5, 2.0])), label="shelf", score=0.7
    )
    room = Detection(box=box_from_bounds(np.full(3, -9.0), np.full(3, 9.0)), label="room", score=0.9)
    answer, heard = ask(
        "What is this, how far, and where is it?", Pointed(frame=7, x=32.0, y=24.0), objects=(room, box)
    )
    values = {q.name: q.value for q in answer.quantities}
    assert values["depth"] == 4.0 and values["y"] == pytest.approx(4.0) and values["z"] == pytest.approx(1.5, abs=0.06)
    assert "shelf" in answer.text and "room" not in answer.text and not heard
    assert answer.source == "measurement" and answer.evidence.frames == (7,) and len(answer.evidence.points_world) == 1
    aside, _ = ask("What is this?", Pointed(frame=7, x=60.0, y=24.0), objects=(box,))
    assert "no object that was found holds this place" in aside.text and aside.source == "unknown"


def test_a_box_stands_for_the_surface_in_its_middle():
    near = np.zeros((48, 64), bool)
    near[10:30, 20:44] = True
    clip = clip_of(near)
    at = read_pointed("7,16,6,48,34", box=True)
    place = see(at, clip, scene_facts(clip))
    assert place.seen is not None and place.seen.depth == 2.0 and near[int(place.row), int(place.column)]
    assert "2.0" in ask("how far is this?", at, clip)[0].text


def test_what_measurement_does_not_answer_the_model_is_asked_with_the_place_in_words():
    answer, heard = ask("Can I sit on this?", Pointed(frame=7, x=32.0, y=24.0))
    ((words, place),) = heard
    assert "Can I sit on this?" in words and "pixel (32, 24) of frame 7" in words and "4.0" in words
    assert place == pytest.approx((0.05, 4.0, 1.45), abs=0.01) and answer.source == "model"
    unread, silent = ask("How far is this from the door?", Pointed(frame=7, x=32.0, y=24.0))
    assert not silent and "not" in unread.text
    nothing, _ = ask("Can I sit on this?", Pointed(frame=7, x=32.0, y=24.0), said="")
    assert "Nothing more was measured" in nothing.text


def test_without_depth_it_says_so():
    clip = clip_of()
    clip.depth_m[1] = np.nan
    answer, _ = ask("what is this, and how far?", Pointed(frame=7, x=3.0, y=4.0), clip)
    assert answer.source == "unknown" and "no depth" in answer.text and answer.quantities == ()


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,3,4", "a,2,3", "1.5,2,3", "0,nan,3", "0,1e999,3", "0;1;2", "0,1,二", "9" * 5000 + ",1,2"]
)
def test_malformed_places_are_refused(text):
    with pytest.raises(InputError, match=r"^--point: expected FRAME,X,Y") as caught:
        read_pointed(text, box=False)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text, box",
    [("-1,3,3", False), ("8,3,3", False), ("0,64,3", False), ("0,-1,3", False), ("0,3,48", False), ("0,9,9,9,20", True), ("0,20,9,10,20", True),
     ("0,5,5,70,20", True)],
)  # fmt: skip
def test_places_that_a_recording_does_not_have_are_refused(text, box):
    with pytest.raises(InputError, match="^--box" if box else "^--point"):
        read_pointed(text, box=box).check(8, (48, 64))
    read_pointed("7,0,0,64,48", box=True).check(8, (48, 64))
