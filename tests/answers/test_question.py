"""Which questions geometry answers, and which it must leave alone."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video3d.answers.question import parse_question, required_frames
from video3d.answers.unread import is_plain_amount, unread_measure

HERE = Path(__file__).parent
METRIC = (HERE / "metric_questions.txt").read_text()  # kind and aspect | question

OPEN = (HERE / "open_questions.txt").read_text()


def cases(text: str) -> list[str]:
    return [line for line in text.strip().splitlines() if line.strip()]


@pytest.mark.parametrize("case", cases(METRIC))
def test_metric_questions_in_many_words(case):
    expected, text = case.split("|")
    question = parse_question(text)
    assert question is not None, text
    assert f"{question.kind} {question.aspect}" == expected


@pytest.mark.parametrize("text", cases(OPEN))
def test_what_is_not_about_camera_and_depth_is_left_alone(text):
    assert parse_question(text) is None


@pytest.mark.parametrize("case", cases(METRIC)[::4])
def test_case_spaces_and_punctuation_do_not_matter(case):
    text = case.split("|")[1]
    plain = parse_question(text)
    for other in (text.upper(), text.rstrip("?？") + "  ??", f"  {text}", text.replace(" ", "  "), f"Please: {text}"):
        found = parse_question(other)
        assert found is not None, other
        assert (found.kind, found.aspect, found.points, found.frames) == (
            plain.kind,
            plain.aspect,
            plain.points,
            plain.frames,
        )


def test_thousands_of_questions_about_objects_are_left_alone(shared_data):
    """ScanQA, OpenEQA and SQA3D ask about things, not about the camera: 9,830 questions, all but one left alone."""
    texts = []
    for name in ("ScanQA_v1.0_val.json", "open-eqa-v0.json", "v1_balanced_questions_test_scannetv2.json"):
        path = shared_data / "annotations" / name
        if not path.is_file():
            pytest.skip(f"needs {name}")
        rows = json.loads(path.read_text())
        texts += [row["question"] for row in (rows if isinstance(rows, list) else rows["questions"])]
    taken = {text for text in texts[::29] if parse_question(text) is not None}  # a sample: all of them take a minute
    assert taken <= {"What size is the room?"}


def test_points_take_the_frame_beside_them():
    def frames(text):
        return [p.frame.value for p in parse_question(text).points]

    assert frames("distance between pixel (1, 2) of frame 3 and pixel (5, 6) of frame 40") == [3, 40]
    assert frames("distance between frame 3 pixel (1, 2) and frame 40 pixel (5, 6)") == [3, 40]
    assert frames("In frame 9, which is nearer, (1, 2) or (3, 4)?") == [9, 9]
    assert frames("Which is nearer, (1, 2) or (3, 4), in frame 9?") == [9, 9]
    assert parse_question("How far is pixel (1, 2)?").points[0].frame is None


def test_the_frame_of_the_camera_is_not_the_frame_of_the_point():
    question = parse_question("How far is the camera in frame 50 from the point at pixel (1, 2) of frame 10?")
    assert [p.frame.value for p in question.points] == [10]
    assert [f.value for f in question.frames] == [50]


def test_what_a_yes_or_no_question_supposes():
    question = parse_question("Is the camera turning to the left?")
    assert (question.polar, question.expects) == (True, "left")
    choice = parse_question("Is the camera turning left or right?")
    assert (choice.polar, choice.expects) == (False, "")
    assert parse_question("Does the camera turn clockwise?").expects == "right"


@pytest.mark.parametrize(
    "text",
    [
        "Which way did the camera turn?",
        "Which pixel is nearer, (10, 20) or (30, 40) in frame 2?",
        "How far is it to (5, 6) in frame 1?",
    ],
)
def test_options_behind_a_question_are_not_asked_about(text):
    asked, alone = parse_question(f"{text} Options: left; (10, 20); a red ball."), parse_question(text)
    assert asked is not None
    assert (asked.kind, asked.points, asked.frames) == (alone.kind, alone.points, alone.frames)


def test_required_frames():
    question = parse_question("distance between pixel (1, 2) of frame 3 and pixel (5, 6) of the last frame")
    assert required_frames(question, 100) == (3, 99)
    assert required_frames(parse_question("How far is (1, 2)?"), 100) == (0,)
    assert required_frames(parse_question("How far is (1, 2) in frame 100?"), 100) == ()
    timed = parse_question("At 2.0 s, how far is the image centre?")
    assert required_frames(timed, 4) == ()
    assert required_frames(timed, 4, np.array([0.0, 1.0, 2.0, 3.0])) == (2,)
    assert required_frames(parse_question("How big is the room?"), 100) == ()


def test_the_language_of_the_question():
    assert parse_question("相机离地面多高？").language == "zh"
    assert parse_question("How high is the camera?").language == "en"


MIXED = (
    "how far high long the camera pixel (1, 2) (3, 4) in frame 12 nearer or is left turn room between and from floor "
    "what which moved depth at 5.2 s % 相机 多远 第3帧 sofa () , 0x"
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(MIXED.split(" ")), max_size=12))
def test_any_mixture_of_its_words_is_read_without_a_crash(words):
    question = parse_question(" ".join(words))
    if question is not None:
        required_frames(question, 20)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_without_a_crash(text):
    parse_question(text)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "frame 1 " * 500, "1, " * 3000, "第" * 3000, "how far " * 2000, "a" * 4000]
)
def test_long_texts_do_not_hang(text):
    assert parse_question(text) is None


def test_objects_with_a_pixel_are_points():
    for noun, verb in product(("mug", "red chair", "thing"), ("How far is", "How far away is")):
        question = parse_question(f"{verb} the {noun} at (320, 240) in frame 3?")
        assert question is not None
        assert question.kind == "point_distance"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("How far is the chair from the table?", True),
        ("How long is the sofa?", True),
        ("What is the width of the door?", True),
        ("How many metres of cable are there?", True),
        ("桌子有多高？", True),
        ("What colour is the sofa?", False),
        ("How many chairs are there?", False),
        ("How long does the man walk?", False),
        ("Where is the nearest chair?", False),
        ("What is at head height in front of me?", False),
    ],
)
def test_amounts_of_things_known_by_name_are_not_left_to_the_model(text, amount):
    found = unread_measure(text)
    assert (found is not None) == amount
    if found is not None:
        assert found.source == "unknown"
        assert found.quantities == ()


@pytest.mark.parametrize("case", cases(METRIC)[::5])
def test_what_is_measured_is_not_called_unread(case):
    assert unread_measure(case.split("|")[1]) is None


@pytest.mark.parametrize(("text", "plain"), [
    ("How fast is the car?", True),
    ("In the last frame, how fast is the red car driving, in m/s?", True),
    ("What is the width of the gap between the chair and the table?", True),
    ("How fast is the car in frame 3?", False),
    ("How fast was the car at the start?", False),
    ("How fast is the car accelerating?", False),
    ("How fast am I approaching the car?", False),
    ("What is the top speed of the car?", False),
    ("How wide is the gap between the wall and the sofa?", False),
    ("How far can the person reach?", False),
])  # fmt: skip
def test_of_amounts_the_plainest_are_for_boxes_and_tracks_to_tell(text, plain):
    assert unread_measure(text) is not None
    assert is_plain_amount(text) is plain
