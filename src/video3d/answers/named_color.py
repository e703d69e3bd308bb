"""What colour a named thing is: measured on the pixels that show it, where votes or a detector say that it is.

Floor and ceiling are where geometry found them, and need no finding by name.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from video3d.answers.colours import (
    Colors,
    brightness_gain,
    clear_colors,
    in_words,
    mixed,
    shown_colors,
    surface_colors,
)
from video3d.answers.facts import SceneFacts
from video3d.answers.measurement import Speaker
from video3d.answers.named_question import NamedQuestion
from video3d.answers.named_say import Located
from video3d.geometry.box_pixels import box_pixels, level_pixels
from video3d.types import PosedClip

_CARPETS = ("carpet", "地毯")
_VOTED = 0.5
"""Share of votes from which their colour is said where no pixel tells."""
_MOST_OF, _NEARLY_ALL = 0.6, 0.8
"""Of several things, by their scores, that share one colour or two for it to be said of all."""


def of_color(color: str, clip: PosedClip, facts: SceneFacts, found: Sequence[Located]) -> list[Located]:
    """Those of several things that show a colour, alone or beside another.

    Args:
        color: a word of ``colours``.
        clip: upright and in metres.
        facts: of it.
        found: the things.
    """
    gain, kept = brightness_gain(clip), []
    for one in found:
        seen = shown_colors(box_pixels(clip, one.box, one.frames, facts.floor_z), gain)
        if color in (clear_colors(seen, one.color) if seen is not None else one.color[:1]):
            kept.append(one)
    return kept


class ColorSaid(NamedTuple):
    """An answer in words, what it is about, and where it comes from."""

    text: str
    places: Sequence[Located]
    source: Literal["measurement", "model", "unknown"]


def say_color(
    asked: NamedQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, found: Sequence[Located]
) -> ColorSaid | None:
    """The answer to what colour something is; None where it was not found.

    Args:
        asked: of kind ``color``.
        clip: upright and in metres.
        facts: of it.
        speak: in the language of the question.
        found: what is called so, the likeliest first.
    """
    thing, gain = asked.things[0].said, brightness_gain(clip)
    height = _level_of(asked, facts, bool(found))
    if height is not None:
        surface = surface_colors(level_pixels(clip, height), gain)
        words = () if surface is None else clear_colors(surface, among=asked.options)
        return _said(asked, speak, words, surface, (), speak.say("what lies at its height", "该高度上的表面"))
    if not found:
        return None
    places = list(found if asked.which != "one" else found[:1])
    each = [shown_colors(box_pixels(clip, one.box, one.frames, facts.floor_z), gain) for one in places]
    if asked.which == "described" and len(places) > 1:
        told = {_words(one, [place], asked) for one, place in zip(each, places, strict=True)}
        if len(told) > 1:
            text = speak.say(
                f"I find {len(places)} for {thing}, of several colours, and cannot tell which one is meant.",
                f"找到{len(places)}个{thing}，颜色不一，不能确定指的是哪一个。",
            )
            return ColorSaid(text, (), "unknown")
    known = [one for one in each if one is not None]
    seen = mixed(known) if known else None
    words = _words(seen, places, asked)
    if asked.which == "all" and len(places) > 1:
        words = _of_all([(_words(one, [place], asked), place.score) for one, place in zip(each, places, strict=True)])
    by = speak.say(f"found by the model, score {places[0].score:.2f}", f"由模型找到，置信度{places[0].score:.2f}")
    return _said(asked, speak, words, seen, places, by)


def _of_all(told: Sequence[tuple[tuple[str, ...], float]]) -> tuple[str, ...]:
    """The colour that most of several things have, by how sure each is; two where these are the colours of nearly all; else none."""
    sure: dict[tuple[str, ...], float] = {}
    for words, score in told:
        sure[words] = sure.get(words, 0.0) + score
    (first, most), *rest = sorted(sure.items(), key=lambda one: -one[1])
    if most >= _MOST_OF * sum(sure.values()):
        return first
    second, less = rest[0]
    both = most + less >= _NEARLY_ALL * sum(sure.values())
    return (*first, *second) if both and len(first) == len(second) == 1 else ()


def _level_of(asked: NamedQuestion, facts: SceneFacts, found: bool) -> float | None:
    """The height of the floor or the ceiling where one of them is asked about; a carpet that is no thing of its own is the floor."""
    thing = asked.things[0]
    if thing.category == "floor" or (thing.said in _CARPETS and not found):
        return facts.floor_z
    ceilings = [one for one in facts.surfaces if one.kind == "ceiling"] if thing.category == "ceiling" else []
    return max(ceilings, key=lambda one: one.area).z if ceilings else None


def _words(seen: Colors | None, places: Sequence[Located], asked: NamedQuestion) -> tuple[str, ...]:
    """The colour that pixels and votes tell, in one word, two or none."""
    votes = {one.color[0] for one in places}
    head = (votes.pop(), min(one.color[1] for one in places)) if len(votes) == 1 else ("", 0.0)
    if seen is not None:
        return clear_colors(seen, head, asked.options)
    return (head[0],) if head[1] >= _VOTED else ()


def _said(
    asked: NamedQuestion,
    speak: Speaker,
    words: tuple[str, ...],
    seen: Colors | None,
    places: Sequence[Located],
    by: str,
) -> ColorSaid:
    thing, many = asked.things[0].said, asked.which == "all"
    if not words:
        return ColorSaid(
            speak.say(f"I cannot tell what colour the {thing} {'are' if many else 'is'}.", f"不能确定{thing}的颜色。"),
            (),
            "unknown",
        )
    english, chinese = in_words(words)
    if asked.polar and seen is not None and (len(words) == 1 or asked.expects not in words):
        holds = asked.expects in words
        thing, yes, ja = asked.things[0].said, ("No", "Yes")[holds], ("不是", "是")[holds]
        share = f"{seen.of(*words):.0%}".replace("%", " %")
        said = speak.say(
            f"{yes}: the {thing} {'are' if many else 'is'} {english} (estimated: so are {share} of the pixels looked at; {by}).",
            f"{ja}：{thing}是{chinese}的（估计：所看像素中{share}如此；{by}）。",
        )
        return ColorSaid(said, places, "model" if places else "measurement")
    text = speak.say(f"The {thing} {'are' if many else 'is'} {english}", f"{thing}是{chinese}的")
    if seen is None:
        return ColorSaid(text + speak.say(f". (Estimated: {by}.)", f"。（估计：{by}。）"), places, "model")
    share = f"{seen.of(*words):.0%}".replace("%", " %")
    text += speak.say(
        f". (Estimated: so are {share} of the {seen.pixels} pixels looked at; {by}.)",
        f"。（估计：所看{seen.pixels}个像素中{share}如此；{by}。）",
    )
    return ColorSaid(text, places, "model" if places else "measurement")
