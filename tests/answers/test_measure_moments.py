"""What stands out on the camera's path: the first turn, the farthest place, the fastest moment, against walks known by hand."""

import numpy as np
import pytest
from box_room import look, make_clip

from video3d.answers.facts import scene_facts
from video3d.answers.measure import measure
from video3d.answers.question import parse_question

HEADINGS = [0, 10, 20, 30, 20, 10, 0, -10, -20, -12, -4]  # left by 30, right by 50, left by 16
PLACES = [
    0.0,
    0.1,
    0.2,
    0.3,
    0.4,
    0.9,
    1.4,
    1.2,
    1.0,
    0.8,
    0.6,
]  # along x: fastest from frame 4 to 6, back from frame 6 on
HEIGHTS = [1.4, 1.4, 1.5, 1.5, 1.6, 1.6, 1.7, 1.6, 1.5, 1.4, 1.405]


@pytest.fixture(scope="module")
def walk():
    poses = np.stack([look((1.0 + x, 1.0, z), h) for x, z, h in zip(PLACES, HEIGHTS, HEADINGS, strict=True)])
    clip = make_clip(poses=poses, time_s=0.5 * np.arange(11))
    return clip, scene_facts(clip)


def ask(text, clip, facts=None):
    question = parse_question(text)
    assert question is not None, text
    return measure(question, clip, scene_facts(clip) if facts is None else facts)


@pytest.mark.parametrize(
    "text",
    [
        "At the start of the recording, does the camera first turn to the left or to the right?",
        "Which way does the camera turn first, left or right?",
        "At the beginning, does the camera turn left or right?",
        "Does the camera start by turning right?",
        "Does the camera turn right first and then left?",
    ],
)
def test_the_first_turn_is_not_the_turn_over_all(walk, text):
    found = ask(text, *walk)
    assert found.choice == "left" and found.key == "30 degrees" and found.evidence.frames == (0, 3)
    assert "then right by 50 degrees" in found.text
    assert found.text.startswith("No: " if text.startswith("Does") else "The camera first turns left")
    assert ask("Does the camera turn left or right?", *walk).choice == "right"


def test_the_first_turn_to_the_other_side():
    poses = np.stack([look((2.0, 1.0, 1.4), -heading) for heading in HEADINGS])
    found = ask("Does the camera turn right first?", make_clip(poses=poses, time_s=np.full(11, np.nan)))
    assert found.text.startswith("Yes: ") and found.choice == "right"


def test_the_last_turn_and_none(walk):
    found = ask("At the end of the recording, does the camera turn left or right?", *walk)
    assert found.choice == "left" and found.key == "16 degrees" and found.evidence.frames == (8, 10)
    chinese = ask("结尾时相机向哪边转？", *walk)
    assert chinese.choice == "向左" and "16 度" in chinese.text
    still = make_clip(poses=np.stack([look((1.0 + 0.1 * i, 1.0, 1.4), 0) for i in range(5)]))
    assert "hardly turns" in ask("Which way does the camera turn first?", still).text


def test_parts_of_the_recording(walk):
    first = ask("From the start to the middle, does the camera turn left or right?", *walk)
    assert first.choice == "left" and first.key == "10 degrees" and first.evidence.frames[-1] == 5
    total = ask("How many degrees does the camera turn in total between frame 0 and frame 8?", *walk)
    assert (
        total.key == "80 degrees"
        and total.quantities[0].value == pytest.approx(80)
        and "20 degrees right" in total.text
    )
    opening = ask("Does the camera move forward or backward at the start?", *walk)
    assert opening.choice == "forward" and opening.evidence.frames == (0, 1)
    closing = ask("Is the camera moving at the end?", *walk)
    assert closing.text.startswith("Yes") and closing.evidence.frames == (9, 10)


@pytest.mark.parametrize(
    "text", ["How far from where it started does the camera get at most?", "相机离起点最远有多远？"]
)
def test_the_farthest_from_the_start(walk, text):
    found = ask(text, *walk)
    far = np.hypot(1.4, 0.3)
    assert found.quantities[0].value == pytest.approx(far) and found.quantities[1].value == 6
    assert found.key.startswith(f"{far:.2f}")
    when = ask("When is the camera farthest from its start?", *walk)
    assert when.key == "frame 6" and "(at 3.0 s)" in when.text and "1.40 m forward" in when.text


def test_a_camera_that_stays_gets_nowhere():
    clip = make_clip(poses=np.stack([look((2.0, 1.0, 1.4), 0.0)] * 4), time_s=0.5 * np.arange(4))
    found = ask("How far from where it started does the camera get at most?", clip)
    assert found.quantities[0].value == 0.0 and "it stays where it is" in found.text


def test_back_at_the_start_or_not(walk):
    text = "Does the camera end near where it started?"
    assert ask(text, *walk).text.startswith("No: the camera ends 0.60 m")
    assert ask("Does the camera end far from where it started?", *walk).text.startswith("Yes")
    assert ask("相机最后回到起点了吗？", *walk).text.startswith("否")
    poses = np.stack([look((1.0 + x, 1.0, 1.4), 0) for x in (0.0, 1.0, 2.0, 1.0, 0.1)])
    assert ask(text, make_clip(poses=poses)).text.startswith("Yes: the camera ends 0.10 m")


def test_higher_in_one_frame_than_in_another(walk):
    found = ask("Is the camera higher in frame 6 than in frame 0?", *walk)
    assert found.text.startswith("Yes: in frame 6 the camera is 0.30 m higher") and found.quantities[0].value > 0.29
    assert ask("Is the camera in frame 0 higher than in frame 6?", *walk).text.startswith("No")
    assert ask("Is the camera lower in frame 0 than in frame 6?", *walk).text.startswith("Yes")
    assert ask("Is the camera higher in frame 0 or in frame 6?", *walk).choice == "frame 6"
    assert ask("第6帧时相机比第0帧时低吗？", *walk).text.startswith("否")
    same = ask("Is the camera at the end higher than at the start?", *walk)
    assert same.text.startswith("No") and "hardly any difference" in same.text and same.choice == ""


def test_fastest_and_slowest(walk):
    found = ask("When does the camera move fastest?", *walk)
    assert found.evidence.frames in ((4, 5), (5, 6)) and found.quantities[1].value == pytest.approx(1.0, abs=0.05)
    assert ask("When does the camera move slowest?", *walk).quantities[1].value == pytest.approx(0.2, abs=0.01)
    assert ask("How fast is the camera at frame 5?", *walk).quantities[0].value == pytest.approx(1.0, abs=0.05)
    untimed = make_clip(poses=walk[0].world_from_camera, time_s=np.full(11, np.nan))
    assert "evenly spaced" in ask("When does the camera move fastest?", untimed).text
    assert ask("When does the camera turn fastest?", *walk).quantities[1].value == pytest.approx(20)


def test_without_poses_or_without_a_walk_nothing_is_said():
    clip = make_clip(poses=np.stack([look((1.0, 1.0, 1.4), 0)] * 2), time_s=np.arange(2.0))
    facts = scene_facts(clip, sequence=False)
    for text in ("When does the camera move fastest?", "How far does the camera get from its start at most?"):
        assert ask(text, clip, facts).source == "unknown"
