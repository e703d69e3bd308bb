"""Named things in worlds that cannot place them: what single pictures show is said, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from jaxtyping import UInt8

from video3d.answers.in_pictures import answer_in_pictures, lacking
from video3d.answers.model_words import fitting
from video3d.answers.named_question import parse_named
from video3d.types import Answer, PosedClip, World
from video3d.types.detector import SeenBox


@dataclass(frozen=True)
class _Sees:
    boxes: tuple[SeenBox, ...]
    name: str = "given"
    most_frames: int = 4

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], names: Sequence[str]) -> tuple[SeenBox, ...]:
        return tuple(one for one in self.boxes if one.label in names and one.frame < len(rgb))


def _box(label: str, frame: int, score: float) -> SeenBox:
    return SeenBox(frame=frame, label=label, score=score, box_px=(1.0, 1.0, 9.0, 9.0))


def _clip(frames: int = 3) -> PosedClip:
    return PosedClip(
        frame_index=10 * np.arange(frames),
        time_s=np.arange(frames) / 10,
        rgb=np.zeros((frames, 12, 16, 3), np.uint8),
        depth_m=np.full((frames, 12, 16), np.nan, np.float32),
        k_px=np.full((frames, 3, 3), np.nan),
        world_from_camera=np.full((frames, 4, 4), np.nan),
        piece=np.full(frames, -1),
        world=World(),
    )


CARS = (_box("car", 0, 0.9), _box("car", 1, 0.8), _box("car", 1, 0.6), _box("van", 1, 0.7), _box("car", 2, 0.4))


def _ask(question: str, boxes: tuple[SeenBox, ...] | None) -> Answer:
    asked = parse_named(question)
    assert asked is not None
    return answer_in_pictures(asked, _clip(), None if boxes is None else _Sees(boxes))


def test_counts_are_the_most_of_one_picture() -> None:
    """Vans are cars, unsure boxes are not counted, and frames have the recording's numbers."""
    answer = _ask("How many cars are there?", CARS)
    assert answer.source == "model"
    assert [(one.name, one.value) for one in answer.quantities] == [("count_at_least", 3.0)]
    assert "frame 10" in answer.text
    assert answer.evidence.frames == (10,)


def test_existence_and_lists() -> None:
    assert _ask("Is there a car?", CARS).text.startswith("Yes. ")
    assert "car" in _ask("What objects are there?", CARS).text
    assert "看到3个" in _ask("有几辆汽车？", CARS).text


@pytest.mark.parametrize("question", ["How many people are there?", "Is there a dog?", "How many cars are there?"])
def test_nothing_seen_is_no_number(question: str) -> None:
    answer = _ask(question, ())
    assert answer.source == "unknown"
    assert answer.quantities == ()
    assert not any(one.isdigit() for one in answer.text)


@pytest.mark.parametrize("question", ["How far is the car?", "What colour is the car?", "Where is the car?"])
def test_places_and_looks_are_not_known(question: str) -> None:
    answer = _ask(question, CARS)
    assert answer.source == "unknown"
    assert "no depth is known" in answer.text


def test_without_a_detector() -> None:
    assert _ask("How many cars are there?", None).source == "unknown"


def test_what_is_lacking() -> None:
    """One cause after the other is taken away, and the next is named."""
    clip = _clip()
    said = [lacking(clip)]
    eye3, eye4 = np.tile(np.eye(3), (3, 1, 1)), np.tile(np.eye(4), (3, 1, 1))
    for known in (
        {"depth_m": np.ones((3, 12, 16), np.float32)},
        {"k_px": eye3},
        {"world_from_camera": eye4},
        {"world": World(metric=True)},
        {"world": World(metric=True, gravity_aligned=True)},
    ):
        clip = replace(clip, **known)
        said.append(lacking(clip))
    assert [one.split()[-1] for one in said] == ["known", "known", "known", "is", "is", "name"]
    assert len(set(said)) == 6


def test_a_count_is_no_length() -> None:
    assert fitting("How many monitors are on the desk?", "1.47 m") == ""
    assert fitting("How many metres is it?", "1.47 m") == "1.47 m"
