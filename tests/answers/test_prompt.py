"""The prompt is the same every time, and a model's words stand only where they repeat the measurement."""

from pathlib import Path

import numpy as np
import pytest
from box_room import POSES, look, make_clip

from video3d.answers.facts import scene_facts
from video3d.answers.measure import measure
from video3d.answers.measurement import Measurement
from video3d.answers.prompt import accept_model_words, build_prompt
from video3d.answers.question import parse_question
from video3d.types import Box3D, Detection, GeometryStatus

GOLDEN = Path(__file__).parent / "golden_prompt.txt"
# Regenerate with: python tests/answers/test_prompt.py


def golden_prompt() -> str:
    around = np.stack([look((2.5, 0.8, 1.5), yaw, tilt) for tilt in (-35.0, 35.0) for yaw in range(0, 360, 60)])
    facts = scene_facts(make_clip(poses=around, time_s=np.arange(12.0)))
    return build_prompt(facts, "What is\n on the   table?") + "\n"


def test_the_golden_prompt():
    assert golden_prompt() == GOLDEN.read_text()


def test_the_prompt_is_compact_and_ends_with_the_question():
    prompt = golden_prompt().strip()
    assert prompt.startswith("[VIDEO ANALYSIS]\n")
    assert prompt.endswith("[QUESTION]\nWhat is on the table?")
    pieces = sum(len(word) if word[0].isdigit() else 1 for word in prompt.replace("\n", " ").split())
    assert pieces < 220  # digits are tokens of their own


def test_unknown_is_said():
    clip = make_clip(level=False, metric=False, status=GeometryStatus())
    facts = scene_facts(clip)
    assert "camera height: unknown" in facts.lines()
    assert "room: unknown" in facts.lines()
    assert " m" not in " ".join(facts.lines()).replace(" median", "")


def test_objects_are_said_where_they_are_known():
    box = Box3D(center_world=np.zeros(3), size_m=np.array([1.5, 1.0, 0.75]), world_from_box=np.eye(3))
    facts = scene_facts(make_clip(), objects=(Detection(box=box, label="table", score=0.9),))
    assert "objects (estimated): table 1.5 x 1.0 x 0.75 m" in facts.lines()


DISTANCE = Measurement(
    text="The point at pixel (320, 240) of frame 12 is 1.88 m from the camera in a straight line (its depth along the "
    "viewing axis is 1.78 m).",
    source="measurement",
    kind="point_distance",
    key="1.88 m",
)
NEARER = Measurement(
    text="Pixel (300, 220) is nearer in frame 12: 1.88 m from the camera, against 2.36 m for pixel (100, 200); the "
    "difference is 0.48 m.",
    source="measurement",
    kind="point_nearer",
    choice="pixel (300, 220)",
    not_chosen=("pixel (100, 200)",),
)
TURN = Measurement(
    text="The camera turns left by 60 degrees overall (78 degrees to the left and 18 degrees to the right in all).",
    source="measurement",
    kind="camera_turn",
    key="60 degrees",
    choice="left",
    not_chosen=("right",),
)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (DISTANCE, DISTANCE.text),
        (DISTANCE, "It is 1.88 m away."),
        (DISTANCE, "The point is 1.88 m from the camera."),
        (DISTANCE, "The distance is 1.88 metres, and the depth is 1.78 metres."),
        (DISTANCE, "Pixel (320, 240) in frame 12 is 1.88 m away."),
        (NEARER, "Pixel (300, 220) is closer, at 1.88 m against 2.36 m."),
        (NEARER, "Pixel (300, 220) is nearer than pixel (100, 200)."),
        (TURN, "The camera turns left by 60 degrees."),
        (TURN, TURN.text),
    ],
)
def test_words_that_stand(found, words):
    assert accept_model_words(words, found)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (DISTANCE, ""),
        (DISTANCE, "It is far away."),
        (DISTANCE, "It is 1.9 m away."),
        (DISTANCE, "It is 1.880 m away."),
        (DISTANCE, "It is 1.78 m away."),
        (DISTANCE, "It is 1.88 cm away."),
        (DISTANCE, "It is 1.88 feet away."),
        (DISTANCE, "It is 1.88 away."),
        (DISTANCE, "It is 12 m away, not 1.88 m."),
        (DISTANCE, "It is not 1.88 m away."),
        (DISTANCE, "It is 1.88 m away and 3 m high."),
        (DISTANCE, "The red mug is 1.88 m away."),
        (DISTANCE, "It is two or 1.88 m away."),
        (DISTANCE, "The camera travels 1.88 m."),
        (DISTANCE, "1.88 m " * 60),
        (NEARER, "Pixel (100, 200) is nearer, at 2.36 m."),
        (NEARER, "Pixel (100, 200) is nearer than pixel (300, 220)."),
        (NEARER, "Pixel (300, 220) is farther."),
        (NEARER, "They are equally near."),
        (TURN, "The camera turns right by 60 degrees."),
        (TURN, "The camera turns left and right by 60 degrees."),
        (TURN, "The camera turns by 60 degrees."),
        (TURN, "The camera turns left by 78 degrees."),
    ],
)
def test_words_that_do_not_stand(found, words):
    assert not accept_model_words(words, found)


def test_what_is_unknown_is_not_rephrased():
    unknown = Measurement(text="The floor was not seen.", source="unknown", kind="camera_height")
    assert not accept_model_words("The floor was not seen.", unknown)


@pytest.mark.parametrize(
    "text",
    [
        "How far is pixel (10, 30) in frame 4?",
        "Which is nearer in frame 3, (5, 10) or (40, 55)?",
        "How far did the camera travel?",
        "Is the camera turning left?",
        "How big is the room?",
        "How far is the nearest thing?",
        "In which direction does the camera move?",
        "第4帧像素(10,30)离相机多远？",
    ],
)
def test_a_measurements_own_words_always_stand(text):
    clip = make_clip(poses=POSES)
    found = measure(parse_question(text), clip, scene_facts(clip))
    assert accept_model_words(found.text, found)


if __name__ == "__main__":
    GOLDEN.write_text(golden_prompt())
