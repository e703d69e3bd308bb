"""What a detector does not see: that counts only where it works, of names that it has learned, for things that it would hardly miss."""

from dataclasses import replace

import numpy as np
import pytest
from painted_clips import SeesPaint, painted, walk

from video3d.answers.detected import ASKED, Detected, detect, joined
from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders, Located, Sight, answer_named
from video3d.answers.named_question import parse_named
from video3d.estimate.segmenters import Masked
from video3d.estimate.yolo import CLASSES, YoloDetector, YoloV4Tiny
from video3d.types import Box3D
from video3d.types.detector import KnowsItsNames, SeenBox


class KnowsPaint(SeesPaint):
    """One that has learned a few names; spoons it overlooks."""

    def knows(self, name: str) -> bool:
        return name in ("chair", "armchair", "cup", "car", "bed", "spoon", "person")

    def overlooks(self, name: str) -> bool:
        return name == "spoon"


FOUR = ("chair", "cup", "person", "car")


def room(*names: str, frames: int = 6, score: float = 0.8) -> Detected:
    """What it sees of things side by side before a wall, in every frame."""
    shown = {name: (12 + 22 * at, 3.0) for at, name in enumerate(names)}
    return detect(KnowsPaint(score=score), ASKED, painted([shown] * frames), 0.0)


def glimpsed(seen: Detected, label: str, score: float = 0.3) -> Detected:
    box = SeenBox(frame=2, label=label, score=score, box_px=(1.0, 1.0, 9.0, 9.0))
    return replace(seen, seen=(*seen.seen, replace(box, frame=1, score=0.26), box))


def test_what_it_would_hardly_miss_is_absent_and_what_it_may_miss_is_not():
    seen = room(*FOUR)
    assert seen.sight("bed") == Sight("absent")
    assert seen.sight("spoon") == Sight("overlooks")
    assert seen.sight("toaster") is None  # has not learned it


def test_few_kinds_of_things_that_are_surely_seen_are_no_sign_that_it_works():
    assert room(*FOUR[:3]).sight("bed") is None and room().sight("bed") is None
    assert room(*FOUR, score=0.6).sight("bed") is None
    assert room(*FOUR).sight("cup") is None  # what is asked for does not speak for itself


def test_a_detector_without_a_list_of_names_says_nothing_of_what_it_does_not_see():
    shown = {name: (12 + 22 * at, 3.0) for at, name in enumerate(FOUR)}
    assert not isinstance(SeesPaint(), KnowsItsNames)
    assert detect(SeesPaint(score=0.8), ASKED, painted([shown] * 6), 0.0).sight("bed") is None


def test_what_is_seen_but_not_surely_is_a_glimpse():
    seen = glimpsed(room(*FOUR), "bed")
    assert seen.sight("bed") == Sight("glimpse", 2, 0.3)
    assert room(*FOUR).sight("armchair") is None  # a chair may be one


def ask(text: str, sight: Sight | None, *, voted: float | None = 0.3, sure: float = 0.0):
    clip = walk()
    box = Box3D(center_world=np.array([0.0, 3.0, 0.5]), size_m=np.ones(3), world_from_box=np.eye(3))
    place = None if voted is None else Located(box=box, score=voted, frames=(0,))
    there = (("bed", Located(box=box, score=sure, frames=(0,))),) if sure else ()
    find = Finders(lambda things, at: [place] * len(things), lambda _: there, lambda _: [None], lambda _: sight)
    asked = parse_named(text)
    assert asked is not None
    return answer_named(asked, clip, scene_facts(clip), find)


@pytest.mark.parametrize(
    "text", ["Is there a bed?", "Do you see a bed in the room?", "Can you see any bed?", "有床吗？"]
)
def test_whether_there_is_one(text):
    no = ("No, I do not see a", "没有看到床")
    assert ask(text, None).source == "unknown"
    assert ask(text, Sight("absent")).text.startswith(no) and ask(text, Sight("absent")).source == "model"
    assert ask(text, None, voted=0.05).text.startswith(no) and ask(text, None, voted=None).text.startswith(no)
    for voted in (None, 0.05, 0.3):
        overlooked = ask(text, Sight("overlooks"), voted=voted)
        assert overlooked.source == "unknown" and "may miss" in overlooked.text + "may miss" * (
            "看漏" in overlooked.text
        )
    doubtful = ask(text, Sight("absent"), voted=0.95).text
    assert doubtful.startswith(no) and ("not certain" in doubtful or "不能肯定" in doubtful)
    assert "certain" not in ask(text, Sight("absent")).text and "肯定" not in ask(text, Sight("absent")).text
    perhaps = ask(text, Sight("glimpse", 2, 0.3))
    assert perhaps.text.startswith(("Perhaps", "也许")) and perhaps.evidence.frames == (20,) and "0.30" in perhaps.text
    for sight in (None, Sight("absent"), Sight("overlooks"), Sight("glimpse", 2, 0.3)):
        assert ask(text, sight, sure=0.8).text.startswith(("Yes", "有"))


def test_the_joined_way_to_find_has_the_detectors_sight():
    find = Finders(lambda things, at: [None] * len(things), lambda _: (), lambda _: [None])
    assert find.sight("bed") is None
    assert joined(find, room(*FOUR)).sight("bed") == Sight("absent")


def test_the_embedded_detector_knows_cocos_names_and_overlooks_what_is_held_in_a_hand():
    yolo = YoloDetector(network=YoloV4Tiny())
    assert isinstance(yolo, KnowsItsNames)
    assert all(yolo.knows(name) for name in CLASSES) and not yolo.knows("radiator") and not yolo.knows("coffee machine")
    for name in ("bed", "dog", "toaster", "microwave", "bicycle", "car", "sofa", "person"):
        assert not yolo.overlooks(name), name
    for name in (
        "computer mouse",
        "keyboard",
        "spoon",
        "backpack",
        "cup",
        "book",
        "banana",
        "desk",
        "coffee table",
        "ball",
    ):
        assert yolo.knows(name) and yolo.overlooks(name), name
    assert not yolo.overlooks("radiator")


def test_masks_change_nothing_of_what_a_detector_knows():
    class NoMasks:
        name = "none"

        def __call__(self, rgb, seen):
            return tuple(seen)

    masked = Masked(detector=KnowsPaint(), segmenter=NoMasks())
    assert masked.knows("bed") and masked.overlooks("spoon") and not masked.knows("toaster")
    assert not Masked(detector=SeesPaint(), segmenter=NoMasks()).knows("bed")
