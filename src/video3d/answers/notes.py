"""What is known of the things that a question names, in words, for the language model to read beside the question.

A language model of a hundred million words does not see where things are, and need not: every patch of the vision tower votes for
the box of its thing (``model.object_votes``), and geometry says the rest. Only what the question touches is said: each topic has
words that call for it, and a function that gives its lines. Everything is an estimate. One function serves training and asking.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from video3d.answers.facts import SceneFacts
from video3d.answers.likely import likely
from video3d.answers.likely_ahead import AHEAD
from video3d.answers.likely_grounding import grounded
from video3d.answers.likely_relations import PLACES
from video3d.answers.named import SURELY_THERE, Finders, frame_position
from video3d.answers.named_description import described
from video3d.answers.named_question import ASKS_DESCRIPTION, Mention, mentions
from video3d.answers.noted import Noted
from video3d.answers.notes_motion import camera_motion
from video3d.answers.notes_topics import TOPICS, whereabouts
from video3d.answers.references import FrameRef, find_references, plain, without_options
from video3d.types import PosedClip

MOST_THINGS = 6
NOT_FOUND = 0.01
"""Score below which a thing is not believed to be anywhere."""
_LONGEST_S = 60.0
_ASKED_S = 2.0  # how far ahead "next" is, where a question does not say
_NO_THINGS = (
    (re.compile(r"\b(?:blocks?|gets? in) the way\b"), "stops the way"),
    (re.compile(r"\b(?:robot|cart|stroller|wheelchair)\b(?= (?:that is )?\d)"), "machine"),
    (re.compile(r"\bo'clock\b|\bclock (?:direction|face)\b"), "o_clock"),
    (
        re.compile(
            r"\bthe car (?:you are riding in|with the camera|that carries the camera)\b|\bthe camera car\b|\b(?:your|our) car\b"
        ),
        "the viewer",
    ),
    (re.compile(r"\b(?:3d |bounding )+box(?:es)?\b|\bwith its box\b"), "3d bounds"),
    (
        re.compile(
            r"(?<!there is )(?<!is there )\b(?:which|its|a) box\b(?=,? (?:of|that|in|encloses|around|for|as|it|or)\b)"
        ),
        "3d bounds",
    ),
    (
        re.compile(r"\b(?:floors?|walls?|ceilings?|roads?|ground)\b(?! (?:lamps?|cabinets?|fans?|clocks?|shel)\b)"),
        lambda found: f"{found[0][:2]}_{found[0][2:]}",
    ),
)
"""Names that stand for something else, or for what is no thing of its own, and what is read instead."""
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|half a|a|one|two|three)[ -]?seconds?\b")
_WORDS_S = {"half a": 0.5, "a": 1.0, "one": 1.0, "two": 2.0, "three": 3.0}


def notes_on(
    question: str, clip: PosedClip, facts: SceneFacts, find: Finders, *, conclude: bool = True
) -> tuple[str, ...]:
    """Lines about the things that a question names, and about how things and the camera move where it asks for that.

    Args:
        question: in words, with its options if it has any.
        clip: upright and in metres.
        facts: of it.
        find: finds things by name.
        conclude: say what geometry concludes, where it comes to a conclusion, instead of what it knows.
    """
    whole, named, text = as_read(question)
    frames = [
        one for one in find_references(without_options(plain(question[:2000]))).frames if not _is_later(one, whole)
    ]
    position = frame_position(frames[0] if frames else None, clip, facts)
    if position is None:
        return ()
    things = list({(one.category, one.color): one for _, _, one in named}.values())[:MOST_THINGS]
    find = Finders(find.locate, cache(find.count), cache(find.follow))  # several rules may look at the same things
    found = find.locate(things, position)
    there = [at for at, place in enumerate(found) if place is not None and place.score >= NOT_FOUND and place.is_finite]
    seconds = _SECONDS.search(text)
    index = {(things[at].category, things[at].color): rank for rank, at in enumerate(there)}
    stem_end = len(without_options(whole))
    options = _options(question, whole, named, index)
    noted = Noted(
        text=text,
        names=[_called(things[at], question) for at in there],
        things=[things[at] for at in there],
        places=[place for at in there if (place := found[at]) is not None],
        position=position,
        eye=clip.world_from_camera[position],
        camera=camera_motion(clip) if facts.trajectory.ordered else None,  # pictures of no order show no motion
        clip=clip,
        facts=facts,
        find=find,
        ahead_s=min(_WORDS_S.get(seconds[1]) or float(seconds[1]), _LONGEST_S) if seconds else _ASKED_S,
        stem=without_options(text),
        mentions=tuple(one for start, _, one in named if start < stem_end),
        marks=tuple(index.get((one.category, one.color)) for start, _, one in named if start < stem_end),
        options=tuple(one for one, _ in options),
        all_found=len(there) == len(things),
        option_things=tuple(these for _, these in options),
    )
    said = (grounded(noted) or _description(noted, frames) or likely(noted, (*AHEAD, *PLACES))) if conclude else None
    if said is not None:
        return (said,)
    lines = whereabouts(noted, position)
    missing = [_called(thing, question) for at, thing in enumerate(things) if at not in there]
    lines += [f"not found: {', '.join(missing)}"] if missing else []
    for words, needed, say in TOPICS:
        if len(noted.names) >= needed and words.search(text):
            lines += say(noted)
    return tuple(dict.fromkeys(lines))


def as_read(question: str) -> tuple[str, list[tuple[int, int, Mention]], str]:
    """A question in plain words, the things that it names (with where), and its text with "#" for each of them.

    >>> as_read("Is the red chair to the left of the floor lamp?")[2]
    'is the # to the left of the #?'
    """
    whole = plain(question[:2000])
    for words, instead in _NO_THINGS:
        whole = words.sub(instead, whole)
    named = mentions(whole)
    return whole, named, _marked(whole, named)


def _description(noted: Noted, frames: Sequence[FrameRef]) -> str | None:
    """Of the whole, where a question asks for one and things are surely there."""
    if frames or noted.mentions or not ASKS_DESCRIPTION.match(noted.stem):
        return None
    found = [one for one in noted.find.count(None) if one[1].score >= SURELY_THERE]
    return f"likely: {described(found, noted.clip, noted.facts, noted.eye)}" if found else None


def _is_later(frame: FrameRef, text: str) -> bool:
    """Whether a time is one after the clip: "where will it be after 2 seconds"."""
    return (
        frame.by in ("time", "time_from_end")
        and re.search(r"\b(?:will|would|next|later|keeps|goes on|future)\b", text) is not None
    )


_OFFERED = re.compile(r"\boptions: (.*?)\.?\s*$", re.DOTALL | re.IGNORECASE)


def _marked(text: str, named: Sequence[tuple[int, int, Mention]]) -> str:
    """A text with "#" for every thing that it names."""
    for start, end, _ in reversed(named):
        text = f"{text[:start]}#{text[end:]}"
    return text.replace("_", "")


def _options(
    question: str, whole: str, named: Sequence[tuple[int, int, Mention]], index: Mapping[tuple[str, str | None], int]
) -> list[tuple[str, tuple[int, ...]]]:
    """What a question lets choose from, in its own words, and which of the things that were found each option names."""
    written, offered = _OFFERED.search(question[:2000]), _OFFERED.search(whole)
    if written is None or offered is None:
        return []
    texts = [one.strip() for one in written[1].split(";")]
    starts = [offered.start(1)]
    for one in offered[1].split(";"):
        starts.append(starts[-1] + len(one) + 1)
    if len(texts) != len(starts) - 1:
        return []
    keys = [(start, (one.category, one.color)) for start, _, one in named]
    return [
        (text, tuple(index[key] for start, key in keys if low <= start < high and key in index))
        for text, low, high in zip(texts, starts, starts[1:], strict=False)
    ]


def _called(thing: Mention, question: str) -> str:
    """As the question says it, in English."""
    if thing.said.isascii():
        at = question.lower().find(thing.said)
        return question[at : at + len(thing.said)] if at >= 0 else thing.said
    return f"{thing.color} {thing.category}" if thing.color else thing.category
