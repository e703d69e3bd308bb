"""Answers about things by name where they cannot be placed: what a detector sees in single pictures, and no more.

Patches vote for places only in a world with metres and an up direction. Without one, how many there are is still to be seen: at most
so many in one picture, which is the least that there can be. Where they are, how large or how far, is said to be unknown, and why.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from video3d.answers.named_question import NamedQuestion
from video3d.types import Answer, Evidence, PosedClip, Quantity
from video3d.types.detector import Detector, SeenBox, even_frames
from video3d.vocabulary import BROADER, CATEGORIES, category, normalise

_SURE = 0.5
"""Score of a box from which a thing is believed to be there."""
_MOST_LISTED = 12

_OF_ALL = ("list", "describe")


def answer_in_pictures(asked: NamedQuestion, clip: PosedClip, detector: Detector | None) -> Answer:
    """The answer to a question about named things in a world without metres or an up direction.

    Args:
        asked: from ``parse_named``.
        clip: of any geometry, or of none.
        detector: of things in pictures; None: none is wanted.
    """
    if asked.kind not in ("count", "exists", *_OF_ALL) or detector is None:
        return _unknown(
            asked,
            clip,
            f"I cannot place things by name here: {lacking(clip)}.",
            "这里无法按名称定位物体：缺少尺度、重力方向或深度。",
        )
    frames = even_frames(range(clip.num_frames), detector.most_frames)
    names = [one.name for one in CATEGORIES] if asked.kind in _OF_ALL else _names_of(asked.things[0].category)
    seen = [one for one in detector(clip.rgb[frames], names) if one.score >= _SURE]
    if asked.kind in _OF_ALL:
        return _list(asked, clip, frames, seen)
    said, many = asked.things[0].said, Counter(frames[one.frame] for one in seen)
    if not many:
        return _unknown(
            asked,
            clip,
            f"I see nothing in single pictures that is surely called {said}; that does not prove that there is none.",
            f"单张画面中没有确定看到{said}；这不能证明没有。",
        )
    frame, most = min(many.items(), key=lambda one: (-one[1], one[0]))
    at = int(clip.frame_index[frame])
    text = {
        "en": f"{'Yes. ' if asked.kind == 'exists' else ''}In one picture (frame {at}) I see {most} for {said}; there may be more in others "
        "(estimated: a detector's boxes, no places).",
        "zh": f"{'有。' if asked.kind == 'exists' else ''}在一张画面（第{at}帧）中看到{most}个{said}；其他画面中可能还有（估计：仅检测框，没有位置）。",
    }
    amount = (Quantity(name="count_at_least", value=float(most), unit=""),) if asked.kind == "count" else ()
    return _answer(asked, clip, text[asked.language], amount, [at])


def lacking(clip: PosedClip) -> str:
    """What keeps things from being placed, in words, the first cause first."""
    if not np.isfinite(clip.depth_m).any():
        return "no depth is known"
    if not np.isfinite(clip.k_px).any():
        return "the camera's intrinsics are not known"
    if not np.isfinite(clip.world_from_camera).any():
        return "no camera pose is known"
    if not clip.world.metric:
        return "nothing tells how long a metre is"
    if not clip.world.gravity_aligned:
        return "nothing tells where up is"
    return "this model does not find things by name"


def _names_of(name: str) -> list[str]:
    """What a detector is asked for: the category, and the sorts of it."""
    return [name, *(sort for sort, broader in BROADER.items() if broader == name)]


def _list(asked: NamedQuestion, clip: PosedClip, frames: Sequence[int], seen: Sequence[SeenBox]) -> Answer:
    sure: dict[str, float] = {}
    for one in seen:
        sure[one.label] = max(one.score, sure.get(one.label, 0.0))
    names = [name for name in sorted(sure, key=lambda one: (-sure[one], one)) if normalise(name)][:_MOST_LISTED]
    if not names:
        return _unknown(
            asked, clip, "I see nothing in single pictures that I could name.", "单张画面中没有能说出名字的东西。"
        )
    at = sorted({int(clip.frame_index[frames[one.frame]]) for one in seen})
    text = {
        "en": f"In single pictures I see: {', '.join(names)} (estimated: a detector's boxes, no places; the surest first).",
        "zh": f"单张画面中看到：{'、'.join(category(name).zh for name in names)}（估计：仅检测框，没有位置，按置信度排列）。",
    }
    return _answer(asked, clip, text[asked.language], (), at)


def _answer(
    asked: NamedQuestion, clip: PosedClip, text: str, quantities: tuple[Quantity, ...], frames: Sequence[int]
) -> Answer:
    evidence = Evidence(frames=tuple(frames))
    return Answer(text=text, source="model", kind=f"object_{asked.kind}", quantities=quantities, evidence=evidence, geometry=clip.status)  # fmt: skip


def _unknown(asked: NamedQuestion, clip: PosedClip, english: str, chinese: str) -> Answer:
    text = chinese if asked.language == "zh" else english
    return Answer(text=text, source="unknown", kind=f"object_{asked.kind}", geometry=clip.status)
