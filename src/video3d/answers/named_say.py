"""Sentences about named things from their boxes, one function a kind of question (``named``)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.measurement import Speaker
from video3d.answers.named_question import Mention, NamedQuestion
from video3d.geometry.boxes import gap_m, nearest_point
from video3d.types import Box3D, Quantity

_ROUND = 1.25
"""Times its shorter side that the longer one of what is round is found to be, at most."""
_NEAREST_M = 0.05  # boxes are not known better than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a named thing is believed to be.

    Attributes:
        box: in the world.
        score: how sure, 0..1.
        frames: positions in the clip that show it.
        color: the likeliest colour that patches vote for and its share; what pixels show is measured where it is asked for.
        front_world: level unit vector that its front faces, if its kind has one.
    """

    box: Box3D
    score: float
    frames: tuple[int, ...]
    color: tuple[str, float] = ("", 0.0)
    front_world: tuple[float, float] | None = None

    @property
    def is_finite(self) -> bool:
        """Whether its box is known at all."""
        return bool(np.isfinite(self.box.center_world).all() and np.isfinite(self.box.size_m).all())


def the(thing: Mention) -> str:
    """Its name with the article."""
    return f"the {thing.said}"


def _seen(box: Box3D, eye: Float64[np.ndarray, "4 4"]) -> tuple[float, float, float]:
    """Of a box's centre: how far ahead of the camera (level), how far to the right, and the angle to the right in degrees."""
    ahead = eye[:2, 2] / max(float(np.linalg.norm(eye[:2, 2])), 1e-9)
    offset = box.center_world[:2] - eye[:2, 3]
    along, right = float(offset @ ahead), float(offset @ np.array([ahead[1], -ahead[0]]))
    return along, right, math.degrees(math.atan2(right, along))


Said = tuple[str, tuple[Quantity, ...]]


class Case(NamedTuple):
    """What an answer is made from: the question, its things, the camera that looks, the scene's facts, and who speaks."""

    asked: NamedQuestion
    places: Sequence[Located]
    eye: Float64[np.ndarray, "4 4"]
    facts: SceneFacts
    speak: Speaker


def _far(place: Located, eye: Float64[np.ndarray, "4 4"]) -> float:
    return float(np.linalg.norm(nearest_point(place.box, eye[:3, 3]) - eye[:3, 3]))


def _distance(case: Case) -> Said:
    asked, places, eye, facts, speak = case
    far = _far(places[0], eye)
    said = speak.length(far)
    text = speak.say(
        f"{_start(asked.things[0])} is about {said} from the camera.", f"{asked.things[0].said}离相机约{said}。"
    )
    return text, (Quantity(name="distance", value=far, unit=facts.unit),)


def _start(thing: Mention) -> str:
    return f"The {thing.said}"


def _apart(case: Case) -> Said:
    asked, places, _, facts, speak = case
    gap = gap_m(places[0].box, places[1].box)
    a, b = asked.things[:2]
    said = speak.length(gap)
    text = speak.say(
        f"{_start(a)} and {the(b)} are right beside each other: nearer than can be told.",
        f"{a.said}和{b.said}紧挨着，近得无法估计。",
    )
    if gap > _NEAREST_M:
        text = speak.say(f"{_start(a)} and {the(b)} are about {said} apart, at their nearest points.", f"{a.said}和{b.said}最近处相距约{said}。")  # fmt: skip
    return text, (Quantity(name="gap", value=gap, unit=facts.unit),)


def _chosen(
    asked: NamedQuestion, values: Sequence[float], facts: SceneFacts, speak: Speaker, to: tuple[str, str]
) -> Said:
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
        f"{_start(best)} is {en}{to[0].replace(' to ', ' from ') if en.startswith('far') else to[0]}: about {numbers[0]}, {the(asked.things[next_best])} {numbers[1]}.",
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


def _nearer(case: Case) -> Said:
    asked, places, eye, facts, speak = case
    return _chosen(asked, [_far(place, eye) for place in places], facts, speak, (" to the camera", "离相机"))


def _nearest_to(case: Case) -> Said:
    asked, places, _, facts, speak = case
    gaps = [gap_m(place.box, places[-1].box) for place in places[:-1]]
    return _chosen(asked, gaps, facts, speak, (f" to {the(asked.things[-1])}", f"离{asked.things[-1].said}"))


def _higher(case: Case) -> Said:
    asked, places, _, facts, speak = case
    floor = facts.floor_z or 0.0
    heights = [float(place.box.center_world[2]) - floor for place in places]
    return _chosen(asked, heights, facts, speak, ("", ""))


def _height(case: Case) -> Said:
    asked, places, _, facts, speak = case
    low, high = (float(places[0].box.center_world[2] + side * places[0].box.size_m[2] / 2) for side in (-1, 1))
    low, high = max(0.0, low - (facts.floor_z or 0.0)), high - (facts.floor_z or 0.0)
    if asked.expects in ("bottom", "top"):
        value = low if asked.expects == "bottom" else high
        edge = {"bottom": ("lower", "下"), "top": ("upper", "上")}[asked.expects]
        text = speak.say(
            f"The {edge[0]} edge of {the(asked.things[0])} is about {speak.length(value)} above the floor.",
            f"{asked.things[0].said}的{edge[1]}边缘离地约{speak.length(value)}。",
        )
        return text, (Quantity(name=asked.expects, value=value, unit=facts.unit),)
    said = speak.length(low), speak.length(high)
    text = speak.say(
        f"{_start(asked.things[0])} reaches from about {said[0]} to {said[1]} above the floor.",
        f"{asked.things[0].said}离地约{said[0]}到{said[1]}。",
    )
    return text, (
        Quantity(name="bottom", value=low, unit=facts.unit),
        Quantity(name="top", value=high, unit=facts.unit),
    )


_EXTENTS = {
    "length": ("long", "长"),
    "width": ("wide", "宽"),
    "depth": ("deep", "深"),
    "thickness": ("thick", "厚"),
    "diameter": ("across", "直径"),
    "tall": ("tall", "高"),
    "long_side": ("long along the longer side", "长边"),
    "short_side": ("long along the shorter side", "短边"),
}


def _size(case: Case) -> Said:
    asked, places, _, facts, speak = case
    size = places[0].box.size_m
    sides = sorted((float(size[0]), float(size[1])), reverse=True)
    if asked.expects:
        value = _extent(asked.expects, places[0])
        if asked.expects == "diameter" and sides[0] > _ROUND * sides[1]:
            numbers = [speak.length(side) for side in sides]
            text = speak.say(
                f"What I find for {the(asked.things[0])} does not look round: it is about {numbers[0]} by {numbers[1]}.",
                f"找到的{asked.things[0].said}看起来不是圆的：约{numbers[0]}乘{numbers[1]}。",
            )
            named = zip(("length", "width"), sides, strict=True)
            return text, tuple(Quantity(name=name, value=value, unit=facts.unit) for name, value in named)
        en, zh = _EXTENTS[asked.expects]
        said = speak.length(value)
        text = speak.say(f"{_start(asked.things[0])} is about {said} {en}.", f"{asked.things[0].said}{zh}约{said}。")
        name = {"tall": "height", "long_side": "length", "short_side": "width"}.get(asked.expects, asked.expects)
        return text, (Quantity(name=name, value=value, unit=facts.unit),)
    numbers = [speak.length(side) for side in (*sides, float(size[2]))]
    text = speak.say(
        f"{_start(asked.things[0])} is about {numbers[0]} long, {numbers[1]} wide and {numbers[2]} high.",
        f"{asked.things[0].said}约长{numbers[0]}、宽{numbers[1]}、高{numbers[2]}。",
    )
    named = zip(("length", "width", "height"), (*sides, float(size[2])), strict=True)
    return text, tuple(Quantity(name=name, value=value, unit=facts.unit) for name, value in named)


def _extent(asked: str, place: Located) -> float:
    """The side that is asked for. Where people agree on a front, width is along it and depth is across it."""
    across, along, up = (float(side) for side in place.box.size_m)
    longer, shorter = max(across, along), min(across, along)
    return {
        "width": shorter if place.front_world is None else across,
        "depth": shorter if place.front_world is None else along,
        "thickness": min(shorter, up),
        "diameter": (across + along) / 2,
        "tall": up,
        "short_side": shorter,
    }.get(asked, longer)


def _side(case: Case) -> Said:
    asked, places, eye, _, speak = case
    turns = [_seen(place.box, eye)[2] for place in places]
    turn = (turns[0] - turns[1] + 180) % 360 - 180
    side = ("right", "右边") if turn > 0 else ("left", "左边")
    a, b = asked.things[:2]
    text = speak.say(f"{_start(a)} is to the {side[0]} of {the(b)}.", f"{a.said}在{b.said}的{side[1]}。")
    return _judged(asked, side[0], text, speak), (Quantity(name="turn", value=turn, unit="deg"),)


def _depth_order(case: Case) -> Said:
    asked, places, eye, facts, speak = case
    ahead = [_seen(place.box, eye)[0] for place in places]
    front = ahead[0] < ahead[1]
    a, b = asked.things[:2]
    en, zh = ("in front of", "前面") if front else ("behind", "后面")
    text = speak.say(f"{_start(a)} is {en} {the(b)}.", f"{a.said}在{b.said}的{zh}。")
    behind = Quantity(name="behind", value=ahead[0] - ahead[1], unit=facts.unit)
    return _judged(asked, "front" if front else "behind", text, speak), (behind,)


def _judged(asked: NamedQuestion, holds: str, text: str, speak: Speaker) -> str:
    if not asked.polar:
        return text
    yes = holds == asked.expects
    return speak.say("Yes: " if yes else "No: ", "是：" if yes else "不是：") + text[:1].lower() + text[1:]


def _where(case: Case) -> Said:
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


def _across(case: Case) -> Said:
    """Which of several is farthest to a side, as the camera sees them; one behind it is on neither."""
    asked, places, eye, _, speak = case
    turns = [_seen(place.box, eye)[2] for place in places]
    best = turns.index(min(turns) if asked.expects == "left" else max(turns))
    side = {"left": ("left", "左"), "right": ("right", "右")}[asked.expects]
    text = speak.say(
        f"{_start(asked.things[best])} is farther to the {side[0]}.", f"{asked.things[best].said}更靠{side[1]}。"
    )
    return text, tuple(
        Quantity(name=thing.said, value=turn, unit="deg") for thing, turn in zip(asked.things, turns, strict=True)
    )


SAY = {
    "across": _across,
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
