"""The general analysis of a scene, and the check that a language model's words hold no length that nobody measured."""

import re
from dataclasses import dataclass, field

from video3d.answers.facts import SceneFacts
from video3d.types import Answer, GeometryStatus

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*")
_UNIT = re.compile(
    r"^[\s-]*(?:m|cm|mm|km|ft|in|m/s|km/h|mph|deg|°|%|x|metres?|meters?|cent[a-z]*|milli[a-z]*|kilo[a-z]*|feet|foot|inch(?:es)?|"
    r"yards?|degrees?|percent|seconds?|s|square|米|厘米|度|秒)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What ``analyze`` gives: the facts of the scene, and the answer to the query if there was one.

    Attributes:
        facts: depth, camera path, room, surfaces.
        answer: of the query; None without one.
        geometry: measured, estimated or unknown, for every quantity.
        timings_s: wall time of every step in seconds.
    """

    facts: SceneFacts
    answer: Answer | None
    geometry: GeometryStatus
    timings_s: dict[str, float] = field(default_factory=dict)


def keep_measured_words(text: str, prompt: str) -> str:
    """The sentences of a model's answer whose quantities all stand in its prompt; "" if none is left.

    A quantity is a number with a unit behind it. The prompt holds the measured facts and the question, so a length that is
    not in it was made up. Numbers without a unit (three chairs) are no measurement and stay. A sentence said again is left
    out, and so is a last one that the limit of tokens cut short: both say nothing more.

    >>> keep_measured_words("The room is 5.0 m long. It is 3.1 m high.", "room: 5.0 m long")
    'The room is 5.0 m long.'
    """
    allowed = {_value(match.group()) for match in _NUMBER.finditer(prompt)}
    sentences = [one.strip() for one in re.split(r"(?<=[.!?。！？])\s+|\n+", text.strip()) if one.strip()]
    if len(sentences) > 1 and sentences[-1][-1] not in ".!?。！？":
        sentences.pop()
    kept = []
    for sentence in dict.fromkeys(sentences):
        quantities = [m.group() for m in _NUMBER.finditer(sentence) if _UNIT.match(sentence[m.end() :])]
        if all(_value(number) in allowed for number in quantities):
            kept.append(sentence)
    return " ".join(kept)


def _value(number: str) -> float:
    """A number as written in English: 1,200 is twelve hundred. The sign is left out: words carry it (left, down)."""
    try:
        return abs(float(number.replace(",", "")))
    except ValueError:  # 1.2.3
        return float("nan")
