"""What is said of things by name: how many, from which frame, and how sure it has to be."""

from dataclasses import replace

import numpy as np
import pytest
from noting import box, clip_of

from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders, answer_named
from video3d.answers.named_question import parse_named
from video3d.answers.named_say import Located
from video3d.types import Answer, PosedClip

CHAIR, TABLE = box((0.0, 3.0, 0.5)), box((2.0, 1.0, 0.4))


def ask(text: str, *found: tuple[str, Located], clip: PosedClip | None = None) -> Answer:
    """The answer where things are found of these names; several may have one."""
    clip = clip_of() if clip is None else clip
    asked = parse_named(text)
    assert asked is not None

    def locate(things, position):
        return [next((place for name, place in found if name == one.category), None) for one in things]

    def count(name):
        return tuple(one for one in found if name in (None, one[0]))

    find = Finders(locate, count, lambda things: [None] * len(things))
    return answer_named(asked, clip, scene_facts(clip), find)


def placed(where=CHAIR, score: float = 0.9, frames: tuple[int, ...] = (0,)) -> Located:
    return Located(box=where, score=score, frames=frames)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_as_many_are_told_as_are_found(number: int) -> None:
    chairs = [("chair", placed(box((at, 3.0, 0.5)), frames=(at,))) for at in range(number)]
    answer = ask("How many chairs are there?", *chairs, ("table", placed(TABLE, frames=(5,))))
    assert answer.text.startswith(f"I find {number} for chairs (")
    assert [(one.name, one.value) for one in answer.quantities] == [("count", number)]
    assert answer.evidence.frames == tuple(range(number))
    assert ask("有几把椅子？", *chairs).text.startswith(f"找到{number}个椅子（")


def test_the_frame_that_a_question_names_is_the_one_from_which_it_is_answered() -> None:
    """The camera turns to the left by a right angle: what was ahead at first is on the right at last."""
    clip = clip_of(frames=6, turn_deg_s=180.0)
    things = ("chair", placed(box((3.0, 0.5, 0.5)))), ("table", placed(box((1.5, 3.0, 0.4))))
    first, last = (ask(f"Where is the chair in frame {at}?", *things, clip=clip) for at in (0, 5))
    at_first, at_last = (answer.quantities[0].value for answer in (first, last))
    assert (at_first, at_last) == pytest.approx((-np.degrees(np.arctan2(0.5, 3.0)), np.degrees(np.arctan2(3.0, 0.5))))
    assert "straight ahead" in first.text and "seen from frame 0" in first.text
    assert "right" in last.text and "seen from frame 5" in last.text
    assert ask("Where is the chair?", *things, clip=clip).text == last.text  # the last frame, where none is named
    order = [ask(f"Is the chair in front of the table in frame {at}?", *things, clip=clip).text[:3] for at in (0, 5)]
    assert order == ["No:", "Yes"]


def test_a_frame_without_a_pose_is_answered_from_the_nearest_that_has_one() -> None:
    clip = clip_of(frames=6, turn_deg_s=180.0)
    poses = clip.world_from_camera.copy()
    poses[0] = np.nan
    chair = ("chair", placed(box((3.0, 0.5, 0.5))))
    found = ask("Where is the chair in frame 0?", chair, clip=replace(clip, world_from_camera=poses))
    assert "seen from frame 1" in found.text


@pytest.mark.parametrize(
    ("score", "begins"), [(0.05, "No"), (0.09, "No"), (0.11, "I cannot tell"), (0.19, "I cannot tell"), (0.49, "I cannot tell"), (0.51, "Yes"), (0.69, "Yes")],
)  # fmt: skip
def test_how_sure_a_thing_must_be_to_be_there_or_not(score: float, begins: str) -> None:
    answer = ask("Is there a chair?", ("chair", placed(score=score)))
    assert answer.text.startswith(begins)
    assert answer.source == ("unknown" if begins == "I cannot tell" else "model")


@pytest.mark.parametrize(("score", "described"), [(0.49, False), (0.51, True), (0.69, True)])
def test_only_what_is_surely_there_is_described(score: float, described: bool) -> None:
    found = ask("Describe the scene.", ("chair", placed(score=score)))
    assert ("chair" in found.text) is described
    doubt = "Whether there is a chair at all is not certain"
    assert (doubt in ask("Where is the chair?", ("chair", placed(score=score))).text) is not described
