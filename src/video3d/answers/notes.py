"""What is known of the things that a question names, in words, for the language model to read beside the question.

A language model of a hundred million words does not see where things are, and need not: every patch of the vision tower votes for
the box of its thing (``model.object_votes``), and geometry says the rest. Only what the question touches is said: each topic has
words that call for it, and a function that gives its lines. Everything is an estimate. One function serves training and asking.
"""

import re

from video3d.answers.facts import SceneFacts
from video3d.answers.named import Finders, frame_position
from video3d.answers.named_question import Mention, mentions
from video3d.answers.noted import Noted
from video3d.answers.notes_motion import camera_motion
from video3d.answers.notes_topics import TOPICS, whereabouts
from video3d.answers.references import FrameRef, find_references, plain, without_options
from video3d.types import PosedClip

MOST_THINGS = 6
NOT_FOUND = 0.05
"""Score below which a thing is not believed to be anywhere."""
_ASKED_S = 2.0  # how far ahead "next" is, where a question does not say
_NO_THINGS = (
    (re.compile(r"\b(?:blocks?|gets? in) the way\b"), "stops the way"),
    (re.compile(r"\bo'clock\b|\bclock (?:direction|face)\b"), "hour"),
    (re.compile(r"\bthe car (?:you are riding in|with the camera)\b|\b(?:your|our) car\b"), "the viewer"),
    (re.compile(r"\b(?:3d|bounding|which|its|a) box\b(?= (?:of|that|in|encloses|around|for|as))"), "3d bounds"),
    (
        re.compile(r"\b(?:floors?|walls?|ceilings?|roads?|ground)\b(?! (?:lamps?|cabinets?|fans?|clocks?|shel)\b)"),
        lambda found: f"{found[0][:2]}_{found[0][2:]}",
    ),
)
"""Names that stand for something else, or for what is no thing of its own, and what is read instead."""
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|half a|a|one|two|three)[ -]?seconds?\b")
_WORDS_S = {"half a": 0.5, "a": 1.0, "one": 1.0, "two": 2.0, "three": 3.0}


def notes_on(question: str, clip: PosedClip, facts: SceneFacts, find: Finders) -> tuple[str, ...]:
    """Lines about the things that a question names, and about how things and the camera move where it asks for that.

    Args:
        question: in words, with its options if it has any.
        clip: upright and in metres.
        facts: of it.
        find: finds things by name.
    """
    whole = plain(question[:2000])
    for words, instead in _NO_THINGS:
        whole = words.sub(instead, whole)
    frames = [
        one for one in find_references(without_options(plain(question[:2000]))).frames if not _is_later(one, whole)
    ]
    position = frame_position(frames[0] if frames else None, clip, facts)
    if position is None:
        return ()
    named = mentions(whole)
    text = whole
    for start, end, _ in reversed(named):
        text = f"{text[:start]}#{text[end:]}"
    text = text.replace("_", "")
    things = list({(one.category, one.color): one for _, _, one in named}.values())[:MOST_THINGS]
    found = [find.locate(thing, position) for thing in things]
    there = [at for at, place in enumerate(found) if place is not None and place.score >= NOT_FOUND]
    seconds = _SECONDS.search(text)
    noted = Noted(
        text=text,
        names=[_called(things[at]) for at in there],
        things=[things[at] for at in there],
        places=[place for at in there if (place := found[at]) is not None],
        eye=clip.world_from_camera[position],
        camera=camera_motion(clip) if facts.trajectory.ordered else None,  # pictures of no order show no motion
        clip=clip,
        facts=facts,
        find=find,
        ahead_s=(_WORDS_S.get(seconds[1]) or float(seconds[1])) if seconds else _ASKED_S,
    )
    lines = whereabouts(noted, position)
    missing = [_called(thing) for at, thing in enumerate(things) if at not in there]
    lines += [f"not found: {', '.join(missing)}"] if missing else []
    for words, needed, say in TOPICS:
        if len(noted.names) >= needed and words.search(text):
            lines += say(noted)
    return tuple(dict.fromkeys(lines))


def _is_later(frame: FrameRef, text: str) -> bool:
    """Whether a time is one after the clip: "where will it be after 2 seconds"."""
    return (
        frame.by in ("time", "time_from_end")
        and re.search(r"\b(?:will|would|next|later|keeps|goes on|future)\b", text) is not None
    )


def _called(thing: Mention) -> str:
    """As the question says it, in English."""
    if thing.said.isascii():
        return thing.said
    return f"{thing.color} {thing.category}" if thing.color else thing.category
