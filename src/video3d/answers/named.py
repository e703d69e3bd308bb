"""Answers about things by their names, from the boxes that a model believes them to have.

Every number here is an estimate and is said to be one: the place of each thing comes from what patches vote for, the rest is
geometry. A thing that nothing points to with some certainty is said not to have been found, and then nothing is answered.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.measurement import Speaker
from video3d.answers.named_question import Mention, NamedQuestion
from video3d.answers.references import resolve_frame
from video3d.geometry.boxes import gap_m, iou_3d, nearest_point
from video3d.types import Answer, Box3D, Evidence, PosedClip, Quantity
from video3d.vocabulary import category, color

SURE_ENOUGH = 0.4
"""Least score of a thing that something is said about (docs/results/objects.md: how often such are right)."""
SURELY_THERE = 0.5
"""Least score of a thing that is said to be there; below ``SURELY_ABSENT`` it is said not to have been seen."""
SURELY_ABSENT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a named thing is believed to be; ``frames`` are positions in the clip, ``color`` its likeliest colour and its share."""

    box: Box3D
    score: float
    frames: tuple[int, ...]
    color: tuple[str, float] = ("", 0.0)


Locate = Callable[[Mention, int], Located | None]
"""The thing of a name as of a frame (a position in the clip); None where nothing points to it."""
Count = Callable[[str | None], tuple[tuple[str, Located], ...]]
"""All things of a category (``None``: of any) that are believed to be there, with what they are called, the surest first."""
_MOST_LISTED = 12
_SAME_IOU = 0.25
_COLOR_SURE = 0.5
_NEAREST_M = 0.05  # boxes are not known better than that


def answer_named(asked: NamedQuestion, clip: PosedClip, facts: SceneFacts, locate: Locate, count: Count) -> Answer:
    """The answer to a question about named things, with what it rests on.

    Args:
        asked: from ``parse_named``.
        clip: upright and in metres.
        facts: of it.
        locate: finds one thing.
        count: finds all of a kind.
    """
    speak = Speaker(language=asked.language, unit=facts.unit)
    position = _position(asked, clip, facts)
    if position is None:
        return _unknown(asked, clip, speak.say("No camera pose is known for that frame.", "该帧的相机位姿未知。"))
    if asked.kind == "list":
        return _list(asked, clip, speak, count(None))
    if asked.kind == "count":
        return _count(asked, clip, speak, [place for _, place in count(asked.things[0].category)])
    found = [locate(thing, position) for thing in asked.things]
    if asked.kind == "exists":
        return _exists(asked, clip, speak, found[0], [place for _, place in count(asked.things[0].category)])
    missing = [
        thing for thing, place in zip(asked.things, found, strict=True) if place is None or place.score < SURE_ENOUGH
    ]
    if missing:
        what = speak.say(" or ".join(_the(thing) for thing in missing), "和".join(thing.said for thing in missing))
        return _unknown(asked, clip, speak.say(f"I do not find {what} with any certainty.", f"没有把握地找到{what}。"))
    places = [place for place in found if place is not None]
    if one := _one_place(asked.things, places):
        what = speak.say(f"{_the(one[0])} and {_the(one[1])}", f"{one[0].said}和{one[1].said}")
        return _unknown(
            asked,
            clip,
            speak.say(
                f"I cannot tell {what} apart: both names fit what stands at one place.",
                f"分不清{what}：两个名字指向同一处。",
            ),
        )
    if asked.kind == "color" and places[0].color[1] < _COLOR_SURE:
        return _unknown(
            asked,
            clip,
            speak.say(
                f"I cannot tell what colour {_the(asked.things[0])} is.", f"不能确定{asked.things[0].said}的颜色。"
            ),
        )
    eye = clip.world_from_camera[position]
    text, quantities = _SAY[asked.kind](_Case(asked, places, eye, facts, speak))
    sure = min(place.score for place in places)
    text += speak.say(
        f" (Estimated: found by the model, score {sure:.2f}, seen from frame {int(clip.frame_index[position])}.)",
        f"（估计：由模型找到，置信度{sure:.2f}，以第{int(clip.frame_index[position])}帧的相机为准。）",
    )
    return _answer(asked, clip, text, quantities, places)


def _one_place(things: Sequence[Mention], places: Sequence[Located]) -> tuple[Mention, Mention] | None:
    """Two things that are believed to be where one is: then one of the names is wrong, and nobody can say which."""
    for i, j in itertools.combinations(range(len(places)), 2):
        a, b = places[i].box, places[j].box
        apart = np.abs(a.center_world - b.center_world)
        if bool((apart < 0.35 * np.minimum(a.size_m, b.size_m).max()).all()) or iou_3d(a, b) > _SAME_IOU:
            return things[i], things[j]
    return None


def _position(asked: NamedQuestion, clip: PosedClip, facts: SceneFacts) -> int | None:
    """The frame whose camera looks, as a position in the clip: the one named, or the last; None without a pose."""
    posed = np.flatnonzero((clip.piece == 0) & np.isfinite(clip.world_from_camera).all((1, 2)))
    if not len(posed):
        return None
    if asked.frame is None:
        return int(posed[-1])
    index = resolve_frame(asked.frame, facts.num_frames, facts.time_s)
    if index is None:
        return None
    nearest = int(posed[np.abs(clip.frame_index[posed] - index).argmin()])
    return nearest if clip.frame_index[nearest] == index or len(posed) > 1 else None


def _the(thing: Mention) -> str:
    return f"the {thing.said}"


def _seen(box: Box3D, eye: Float64[np.ndarray, "4 4"]) -> tuple[float, float, float]:
    """Of a box's centre: how far ahead of the camera (level), how far to the right, and the angle to the right in degrees."""
    ahead = eye[:2, 2] / max(float(np.linalg.norm(eye[:2, 2])), 1e-9)
    offset = box.center_world[:2] - eye[:2, 3]
    along, right = float(offset @ ahead), float(offset @ np.array([ahead[1], -ahead[0]]))
    return along, right, math.degrees(math.atan2(right, along))


_Said = tuple[str, tuple[Quantity, ...]]


class _Case(NamedTuple):
    """What an answer is made from: the question, its things, the camera that looks, the scene's facts, and who speaks."""

    asked: NamedQuestion
    places: Sequence[Located]
    eye: Float64[np.ndarray, "4 4"]
    facts: SceneFacts
    speak: Speaker


def _far(place: Located, eye: Float64[np.ndarray, "4 4"]) -> float:
    return float(np.linalg.norm(nearest_point(place.box, eye[:3, 3]) - eye[:3, 3]))


def _distance(case: _Case) -> _Said:
    asked, places, eye, facts, speak = case
    far = _far(places[0], eye)
    said = speak.length(far)
    text = speak.say(
        f"{_start(asked.things[0])} is about {said} from the camera.", f"{asked.things[0].said}离相机约{said}。"
    )
    return text, (Quantity(name="distance", value=far, unit=facts.unit),)


def _start(thing: Mention) -> str:
    return f"The {thing.said}"


def _apart(case: _Case) -> _Said:
    asked, places, _, facts, speak = case
    gap = gap_m(places[0].box, places[1].box)
    a, b = asked.things[:2]
    said = speak.length(gap)
    text = speak.say(
        f"{_start(a)} and {_the(b)} are right beside each other: nearer than can be told.",
        f"{a.said}和{b.said}紧挨着，近得无法估计。",
    )
    if gap > _NEAREST_M:
        text = speak.say(f"{_start(a)} and {_the(b)} are about {said} apart, at their nearest points.", f"{a.said}和{b.said}最近处相距约{said}。")  # fmt: skip
    return text, (Quantity(name="gap", value=gap, unit=facts.unit),)


def _chosen(
    asked: NamedQuestion, values: Sequence[float], facts: SceneFacts, speak: Speaker, to: tuple[str, str]
) -> _Said:
    """Which of several is at the end of a scale that is asked for."""
    smallest = asked.expects in ("near", "below")
    order = sorted(range(len(values)), key=lambda i: values[i] if smallest else -values[i])
    best, next_best = asked.things[order[0]], order[1]
    word = {
        "near": ("nearer", "更近"),
        "far": ("farther", "更远"),
        "above": ("higher", "更高"),
        "below": ("lower", "更低"),
    }
    en, zh = word[asked.expects]
    if len(values) > 2:
        en = {"nearer": "nearest", "farther": "farthest", "higher": "highest", "lower": "lowest"}[en]
        zh = zh.replace("更", "最")
    numbers = [speak.length(values[order[0]]), speak.length(values[next_best])]
    text = speak.say(
        f"{_start(best)} is {en}{to[0]}: about {numbers[0]}, {_the(asked.things[next_best])} {numbers[1]}.",
        f"{best.said}{to[1]}{zh}：约{numbers[0]}，{asked.things[next_best].said}约{numbers[1]}。",
    )
    if asked.polar:
        yes = order[0] == 0
        text = speak.say("Yes: " if yes else "No: ", "是：" if yes else "不是：") + text[:1].lower() + text[1:]
    named = tuple(
        Quantity(name=f"{thing.said}", value=values[i], unit=facts.unit)
        for i, thing in enumerate(asked.things[: len(values)])
    )
    return text, named


def _nearer(case: _Case) -> _Said:
    asked, places, eye, facts, speak = case
    return _chosen(asked, [_far(place, eye) for place in places], facts, speak, (" to the camera", "离相机"))


def _nearest_to(case: _Case) -> _Said:
    asked, places, _, facts, speak = case
    gaps = [gap_m(place.box, places[-1].box) for place in places[:-1]]
    return _chosen(asked, gaps, facts, speak, (f" to {_the(asked.things[-1])}", f"离{asked.things[-1].said}"))


def _higher(case: _Case) -> _Said:
    asked, places, _, facts, speak = case
    floor = facts.floor_z or 0.0
    heights = [float(place.box.center_world[2]) - floor for place in places]
    return _chosen(asked, heights, facts, speak, ("", ""))


def _height(case: _Case) -> _Said:
    asked, places, _, facts, speak = case
    low, high = (float(places[0].box.center_world[2] + side * places[0].box.size_m[2] / 2) for side in (-1, 1))
    low, high = max(0.0, low - (facts.floor_z or 0.0)), high - (facts.floor_z or 0.0)
    said = speak.length(low), speak.length(high)
    text = speak.say(
        f"{_start(asked.things[0])} reaches from about {said[0]} to {said[1]} above the floor.",
        f"{asked.things[0].said}离地约{said[0]}到{said[1]}。",
    )
    return text, (
        Quantity(name="bottom", value=low, unit=facts.unit),
        Quantity(name="top", value=high, unit=facts.unit),
    )


def _size(case: _Case) -> _Said:
    asked, places, _, facts, speak = case
    size = places[0].box.size_m
    sides = sorted((float(size[0]), float(size[1])), reverse=True)
    numbers = [speak.length(side) for side in (*sides, float(size[2]))]
    text = speak.say(
        f"{_start(asked.things[0])} is about {numbers[0]} long, {numbers[1]} wide and {numbers[2]} high.",
        f"{asked.things[0].said}约长{numbers[0]}、宽{numbers[1]}、高{numbers[2]}。",
    )
    named = zip(("length", "width", "height"), (*sides, float(size[2])), strict=True)
    return text, tuple(Quantity(name=name, value=value, unit=facts.unit) for name, value in named)


def _side(case: _Case) -> _Said:
    asked, places, eye, _, speak = case
    turns = [_seen(place.box, eye)[2] for place in places]
    turn = (turns[0] - turns[1] + 180) % 360 - 180
    side = ("right", "右边") if turn > 0 else ("left", "左边")
    a, b = asked.things[:2]
    text = speak.say(f"{_start(a)} is to the {side[0]} of {_the(b)}.", f"{a.said}在{b.said}的{side[1]}。")
    return _judged(asked, side[0], text, speak), (Quantity(name="turn", value=turn, unit="deg"),)


def _depth_order(case: _Case) -> _Said:
    asked, places, eye, facts, speak = case
    ahead = [_seen(place.box, eye)[0] for place in places]
    front = ahead[0] < ahead[1]
    a, b = asked.things[:2]
    en, zh = ("in front of", "前面") if front else ("behind", "后面")
    text = speak.say(f"{_start(a)} is {en} {_the(b)}.", f"{a.said}在{b.said}的{zh}。")
    behind = Quantity(name="behind", value=ahead[0] - ahead[1], unit=facts.unit)
    return _judged(asked, "front" if front else "behind", text, speak), (behind,)


def _judged(asked: NamedQuestion, holds: str, text: str, speak: Speaker) -> str:
    if not asked.polar:
        return text
    yes = holds == asked.expects
    return speak.say("Yes: " if yes else "No: ", "是：" if yes else "不是：") + text[:1].lower() + text[1:]


def _where(case: _Case) -> _Said:
    asked, places, eye, facts, speak = case
    _, _, turn = _seen(places[0].box, eye)
    far = _far(places[0], eye)
    size = abs(turn)
    if size < 10:
        way = ("straight ahead", "正前方")
    elif size > 170:
        way = ("right behind", "正后方")
    else:
        side = ("right", "右") if turn > 0 else ("left", "左")
        way = (f"{size:.0f} degrees to the {side[0]}", f"{side[1]}侧{size:.0f}度方向")
    said = speak.length(far)
    text = speak.say(f"{_start(asked.things[0])} is {way[0]}, about {said} from the camera.", f"{asked.things[0].said}在相机{way[1]}，约{said}处。")  # fmt: skip
    return text, (
        Quantity(name="bearing", value=turn, unit="deg"),
        Quantity(name="distance", value=far, unit=facts.unit),
    )


def _color(case: _Case) -> _Said:
    asked, places, _, _, speak = case
    hue = places[0].color[0]
    return speak.say(f"{_start(asked.things[0])} is {hue}.", f"{asked.things[0].said}是{color(hue).zh}的。"), ()


_SAY = {
    "color": _color,
    "distance": _distance,
    "apart": _apart,
    "nearer": _nearer,
    "nearest_to": _nearest_to,
    "higher": _higher,
    "height": _height,
    "size": _size,
    "side": _side,
    "depth_order": _depth_order,
    "where": _where,
}


def _count(asked: NamedQuestion, clip: PosedClip, speak: Speaker, found: Sequence[Located]) -> Answer:
    said = asked.things[0].said
    number = str(len(found))
    text = speak.say(f"I find {number} for {said} (estimated by the model).", f"找到{number}个{said}（由模型估计）。")
    return _answer(asked, clip, text, (Quantity(name="count", value=float(len(found)), unit=""),), found)


def _list(asked: NamedQuestion, clip: PosedClip, speak: Speaker, found: Sequence[tuple[str, Located]]) -> Answer:
    if not found:
        return _unknown(asked, clip, speak.say("Nothing was found that could be named.", "没有找到能说出名字的东西。"))
    number = Counter(name for name, _ in found)
    named = list(number.items())[:_MOST_LISTED]
    english = [f"{many} {category(name).plural}" if many > 1 else _one(name) for name, many in named]
    chinese = [f"{many}{category(name).measure_zh}{category(name).zh}" for name, many in named]
    more = speak.say(" and more", "等") if len(number) > len(named) else ""
    text = speak.say(
        f"I find {', '.join(english)}{more} (estimated by the model, the surest first).",
        f"找到{'、'.join(chinese)}{more}（由模型估计，按置信度排列）。",
    )
    return _answer(asked, clip, text, (), [place for _, place in found])


def _one(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _exists(
    asked: NamedQuestion, clip: PosedClip, speak: Speaker, likeliest: Located | None, found: Sequence[Located]
) -> Answer:
    """A thing is there where one was found among all others; where hardly a patch may be called so, it is not."""
    thing = asked.things[0]
    score = max((place.score for place in found), default=0.0)
    if score >= SURELY_THERE:
        sure = speak.say(f" (estimated by the model, score {score:.2f}).", f"（由模型估计，置信度{score:.2f}）。")
        text = speak.say(f"Yes, I find {_one(thing.said)}", f"有，找到{thing.said}") + sure
        return _answer(asked, clip, text, (), found)
    if likeliest is None or likeliest.score < SURELY_ABSENT:
        return _answer(
            asked,
            clip,
            speak.say(
                f"No, I do not see {_one(thing.said)} (estimated by the model).",
                f"没有看到{thing.said}（由模型估计）。",
            ),
            (),
            (),
        )
    return _unknown(
        asked, clip, speak.say(f"I cannot tell whether there is {_one(thing.said)}.", f"不能确定有没有{thing.said}。")
    )


def _answer(
    asked: NamedQuestion, clip: PosedClip, text: str, quantities: tuple[Quantity, ...], places: Sequence[Located]
) -> Answer:
    frames = sorted({int(clip.frame_index[at]) for place in places for at in place.frames})
    points = tuple(tuple(float(v) for v in place.box.center_world) for place in places)
    evidence = Evidence(frames=tuple(frames), points_world=points)  # pyright: ignore[reportArgumentType]
    return Answer(text=text, source="model", kind=f"object_{asked.kind}", quantities=quantities, evidence=evidence, geometry=clip.status)  # fmt: skip


def _unknown(asked: NamedQuestion, clip: PosedClip, text: str) -> Answer:
    return Answer(text=text, source="unknown", kind=f"object_{asked.kind}", geometry=clip.status)
