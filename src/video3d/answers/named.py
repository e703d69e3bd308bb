"""Answers about things by their names, from the boxes that a model believes them to have.

Every number here is an estimate and is said to be one: the place of each thing comes from what patches vote for, the rest is
geometry. A thing that nothing points to with some certainty is said not to have been found, and then nothing is answered.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from video3d.answers.facts import SceneFacts
from video3d.answers.measurement import Speaker
from video3d.answers.named_color import of_color, say_color
from video3d.answers.named_description import described
from video3d.answers.named_question import SURFACES, Mention, NamedQuestion
from video3d.answers.named_say import SAY, Case, Located, the
from video3d.answers.references import FrameRef, resolve_frame
from video3d.geometry.boxes import iou_3d
from video3d.types import Answer, Evidence, PosedClip, Quantity
from video3d.types.track import Track
from video3d.vocabulary import category, color

SURE_ENOUGH = 0.4
"""Least score of a thing that something is said about (docs/results/objects.md: how often such are right)."""
SURELY_THERE = 0.5
"""Least score of a thing that is said to be there; below ``SURELY_ABSENT`` it is said not to have been seen."""
SURELY_ABSENT = 0.1


class Sight(NamedTuple):
    """What a detector that is known to work on a recording makes of a name that it has learned.

    Attributes:
        says: ``absent``: it sees none, and would hardly miss one; ``overlooks``: it sees none, but such things it may miss;
            ``glimpse``: it sees what may be one.
        frame: position in the clip of the likeliest glimpse; -1 without one.
        score: of it; 0 without one.
    """

    says: Literal["absent", "overlooks", "glimpse"]
    frame: int = -1
    score: float = 0.0


def _no_sight(name: str) -> Sight | None:
    return None


class Finders(NamedTuple):
    """How things are found by name.

    Attributes:
        locate: the things of some names as of a frame (a position in the clip); None where nothing points to one. What speaks
            for one of them speaks the less for the others.
        count: all things of a category (``None``: of any) that are believed to be there, with what they are called, the surest first.
        follow: where things that may move were in the last frames that show them; None for others, and where none does.
        sight: what a detector makes of a name; None where none was asked, it does not know the name, or is not known to work here.
    """

    locate: Callable[[Sequence[Mention], int], list[Located | None]]
    count: Callable[[str | None], tuple[tuple[str, Located], ...]]
    follow: Callable[[Sequence[Mention]], list[Track | None]]
    sight: Callable[[str], Sight | None] = _no_sight


_MOST_LISTED = 12
SAME_IOU = 0.25
"""Two boxes that share so much of the room that they take up together are one thing's."""


def answer_named(asked: NamedQuestion, clip: PosedClip, facts: SceneFacts, find: Finders) -> Answer:
    """The answer to a question about named things, with what it rests on.

    Args:
        asked: from ``parse_named``.
        clip: upright and in metres.
        facts: of it.
        find: finds things.
    """
    speak = Speaker(language=asked.language, unit=facts.unit)
    position = frame_position(asked.frame, clip, facts)
    if position is None:
        last = facts.num_frames - 1
        gone = asked.frame is not None and resolve_frame(asked.frame, facts.num_frames, facts.time_s) is None
        text = (
            speak.say(f"There is no such frame: the recording has 0 to {last}.", f"没有这一帧：录像有第0至{last}帧。")
            if gone
            else speak.say("No camera pose is known for that frame.", "该帧的相机位姿未知。")
        )
        return _unknown(asked, clip, text)
    if asked.kind == "list":
        return _list(asked, clip, speak, find.count(None))
    if asked.kind == "describe":
        there = [one for one in find.count(None) if one[1].score >= SURELY_THERE]
        return _describe(asked, clip, facts, position, there)
    thing = asked.things[0]
    if asked.kind in ("count", "exists") and thing.category in SURFACES:
        return _surfaces(asked, clip, facts, speak)
    if asked.kind == "count":
        every = [place for _, place in find.count(thing.category)]
        return _count(asked, clip, speak, every if thing.color is None else of_color(thing.color, clip, facts, every))
    found = find.locate(asked.things, position)
    if asked.kind == "exists":
        there = [place for _, place in find.count(thing.category) if place.score >= SURELY_THERE]
        if thing.color is not None and there and not of_color(thing.color, clip, facts, there):
            text = speak.say(
                f"I find {len(there)} for {thing.category}, but none that looks {thing.color} (estimated by the model).",
                f"找到{len(there)}个{category(thing.category).zh}，但没有{color(thing.color).zh}的（由模型估计）。",
            )
            return _answer(asked, clip, text, (), ())
        every = [place for _, place in find.count(thing.category)]
        return _exists(asked, clip, speak, found[0], every, find.sight(thing.category))
    if asked.kind == "color":
        likely = [found[0], *(place for _, place in find.count(asked.things[0].category))]
        said = say_color(asked, clip, facts, speak, each_once(likely))
        if said is not None:
            doubts = _doubts(asked, speak, find) if said.source == "model" else ""
            return replace(_answer(asked, clip, said.text + doubts, (), said.places), source=said.source)
    missing = [
        thing for thing, place in zip(asked.things, found, strict=True) if place is None or place.score < SURE_ENOUGH
    ]
    if missing:
        what = speak.say(" or ".join(the(thing) for thing in missing), "和".join(thing.said for thing in missing))
        return _unknown(asked, clip, speak.say(f"I do not find {what} with any certainty.", f"没有把握地找到{what}。"))
    places = [place for place in found if place is not None]
    if asked.kind == "height" and facts.floor_z is None:
        return _unknown(asked, clip, speak.say("It is not known where the floor is.", "不知道地面在哪里。"))
    if one := _one_place(asked.things, places):
        what = speak.say(f"{the(one[0])} and {the(one[1])}", f"{one[0].said}和{one[1].said}")
        return _unknown(
            asked,
            clip,
            speak.say(
                f"I cannot tell {what} apart: both names fit what stands at one place.",
                f"分不清{what}：两个名字指向同一处。",
            ),
        )
    eye = clip.world_from_camera[position]
    text, quantities = SAY[asked.kind](Case(asked, places, eye, facts, speak))
    sure = min(place.score for place in places)
    text += speak.say(
        f" (Estimated: found by the model, score {sure:.2f}, seen from frame {int(clip.frame_index[position])}.)",
        f"（估计：由模型找到，置信度{sure:.2f}，以第{int(clip.frame_index[position])}帧的相机为准。）",
    )
    other = [
        one.said
        for one, place in zip(asked.things, places, strict=True)
        if one.color is not None and not of_color(one.color, clip, facts, [place])
    ]
    if other:
        text += speak.say(
            f" What is taken for the {' and the '.join(other)} does not look so coloured.",
            f" 被当作{'和'.join(other)}的物体看起来不是这种颜色。",
        )
    return _answer(asked, clip, text + _doubts(asked, speak, find), quantities, places)


def _surfaces(asked: NamedQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> Answer:
    """Whether there is a floor, a ceiling or a wall, or how many: those that depth shows; that one is not seen does not prove that there is none."""
    thing = asked.things[0]
    seen = [one for one in facts.surfaces if one.kind == thing.category]
    if not seen or thing.color is not None:
        return _unknown(
            asked,
            clip,
            speak.say(f"Depth shows nothing that is surely {thing.said}.", f"深度没有显示确定的{thing.said}。"),
        )
    number = len(seen)
    yes = speak.say("Yes: depth", "有：深度") if asked.kind == "exists" else speak.say("Depth", "深度")
    text = yes + speak.say(f" shows {number} for {thing.said}.", f"显示{number}个{thing.said}。")
    quantities = (Quantity(name="count", value=float(number), unit=""),) if asked.kind == "count" else ()
    source = "measurement" if facts.scene_source == "measured" else "model"
    return replace(_answer(asked, clip, text, quantities, ()), source=source)


def _doubts(asked: NamedQuestion, speak: Speaker, find: Finders) -> str:
    """A place for a name is found whether or not there is such a thing: what was not found when everything was looked for may be none."""
    doubtful = [
        one
        for one in asked.things
        if max((place.score for _, place in find.count(one.category)), default=0.0) < SURELY_THERE
    ]
    if not doubtful:
        return ""
    named = [f"any {one.said}" if asked.which == "all" else _one(one.said) for one in doubtful]
    what = speak.say(" and ".join(named), "和".join(thing.said for thing in doubtful))
    return speak.say(
        f" Whether there {'are' if asked.which == 'all' else 'is'} {what} at all is not certain: the place is where one would be.",
        f" 是否真的有{what}并不确定：这是最像它的位置。",
    )


def each_once(places: Sequence[Located | None], least: float = SURE_ENOUGH) -> list[Located]:
    """Those of some places that are known and at least so sure, each thing once, in their order."""
    kept: list[Located] = []
    for place in places:
        if place is None or place.score < least or not place.is_finite:
            continue
        if all(iou_3d(place.box, other.box) <= SAME_IOU for other in kept):
            kept.append(place)
    return kept


def _one_place(things: Sequence[Mention], places: Sequence[Located]) -> tuple[Mention, Mention] | None:
    """Two things that are believed to be where one is: then one of the names is wrong, and nobody can say which."""
    for i, j in itertools.combinations(range(len(places)), 2):
        a, b = places[i].box, places[j].box
        apart = np.abs(a.center_world - b.center_world)
        if bool((apart < 0.35 * np.minimum(a.size_m, b.size_m).max()).all()) or iou_3d(a, b) > SAME_IOU:
            return things[i], things[j]
    return None


def frame_position(named: FrameRef | None, clip: PosedClip, facts: SceneFacts) -> int | None:
    """The frame whose camera looks, as a position in the clip: the one named, or the last; None without a pose."""
    posed = np.flatnonzero((clip.piece == 0) & np.isfinite(clip.world_from_camera).all((1, 2)))
    if not len(posed):
        return None
    if named is None:
        return int(posed[-1])
    index = resolve_frame(named, facts.num_frames, facts.time_s)
    if index is None:
        return None
    nearest = int(posed[np.abs(clip.frame_index[posed] - index).argmin()])
    return nearest if clip.frame_index[nearest] == index or len(posed) > 1 else None


def _count(asked: NamedQuestion, clip: PosedClip, speak: Speaker, found: Sequence[Located]) -> Answer:
    said = asked.things[0].said
    number = str(len(found))
    sure = sum(place.score >= SURELY_THERE for place in found)
    doubt = ("", "") if sure == len(found) else (f", {sure} of them surely", f"，其中{sure}个可以确定")
    text = speak.say(
        f"I find {number} for {said}{doubt[0]} (estimated by the model).",
        f"找到{number}个{said}{doubt[1]}（由模型估计）。",
    )
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


def _describe(
    asked: NamedQuestion, clip: PosedClip, facts: SceneFacts, position: int, found: Sequence[tuple[str, Located]]
) -> Answer:
    said = described(found, clip, facts, clip.world_from_camera[position])
    if not found:
        return _unknown(asked, clip, f"Nothing was surely found that could be named. {said}".strip())
    return _answer(asked, clip, f"{said} (Estimated by the model.)", (), [place for _, place in found])


def _one(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _exists(
    asked: NamedQuestion,
    clip: PosedClip,
    speak: Speaker,
    likeliest: Located | None,
    found: Sequence[Located],
    sight: Sight | None,
) -> Answer:
    """A thing is there where one was found among all others; where hardly a patch may be called so, it is not.

    Patches have learned their names in simulated rooms. Where a detector works that has learned from photographs, it decides what is not
    there: nothing is, of what it knows and would hardly miss; and of what it may miss, nobody can tell.
    """
    thing = asked.things[0]
    score = max((place.score for place in found), default=0.0)
    if score >= SURELY_THERE:
        sure = speak.say(f" (estimated by the model, score {score:.2f}).", f"（由模型估计，置信度{score:.2f}）。")
        many = thing.said == category(thing.category).plural != thing.category
        text = speak.say(f"Yes, I find {thing.said if many else _one(thing.said)}", f"有，找到{thing.said}") + sure
        return _answer(asked, clip, text, (), found)
    if sight is not None and sight.says == "glimpse":
        at = int(clip.frame_index[sight.frame])
        text = speak.say(
            f"Perhaps: what may be {_one(thing.said)} is seen in frame {at}, but not surely (a detector's score {sight.score:.2f}).",
            f"也许：第{at}帧中有像{thing.said}的东西，但不能确定（检测器置信度{sight.score:.2f}）。",
        )
        evidence = Evidence(frames=(at,))
        return Answer(text=text, source="model", kind="object_exists", evidence=evidence, geometry=clip.status)
    if sight is not None and sight.says == "overlooks":
        text = speak.say(
            f"I cannot tell whether there is {_one(thing.said)}: I see none, but may miss such a thing.",
            f"不能确定有没有{thing.said}：没有看到，但可能看漏。",
        )
        return _unknown(asked, clip, text)
    if sight is not None or likeliest is None or likeliest.score < SURELY_ABSENT:
        doubt = ""
        if likeliest is not None and likeliest.score >= SURELY_THERE:  # a detector and votes do not agree
            doubt = speak.say(
                ", but that is not certain: something looks a little like one", "，但不能肯定：有些地方略像"
            )
        text = speak.say(
            f"No, I do not see {_one(thing.said)}{doubt} (estimated by the model).",
            f"没有看到{thing.said}{doubt}（由模型估计）。",
        )
        return _answer(asked, clip, text, (), ())
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
