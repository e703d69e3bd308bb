"""From the words of an answer to what was meant: an option, a number in a unit, a direction, a box, yes or no.

Strict where a person would hesitate: an answer that names two options, or none, is read as nothing, and nothing is wrong.
"""

import math
import re
from collections.abc import Mapping

from video3d.answers.numerals import NUMBER, read_number
from video3d.data.questions.wording import DIRECTIONS
from video3d.data.row import Answer, Box, Choice, Direction, Number, YesNo

Parsed = bool | int | float | str | list[float] | None
"""A choice's index, yes or no, a number in the row's unit, a direction's name, a box (centre 3, size 3, yaw in radians) or
words; None where nothing can be read."""

NO_BOX = "none"
"""What is read where an answer says that there is no such thing."""

_LENGTHS = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("cm", "centimetre", "centimetres", "centimeter", "centimeters"), 0.01),
    **dict.fromkeys(("mm", "millimetre", "millimetres", "millimeter", "millimeters"), 0.001),
    **dict.fromkeys(("km", "kilometre", "kilometres", "kilometer", "kilometers"), 1000.0),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
    **dict.fromkeys(("inch", "inches"), 0.0254),
}
_AREAS = {
    **dict.fromkeys(("m2", "m^2", "m²", "sqm", "sq m", "square metres", "square meters", "square metre", "square meter"), 1.0),
    **dict.fromkeys(("sq ft", "square feet", "square foot"), 0.3048**2),
}  # fmt: skip
_SPEEDS = {
    **dict.fromkeys(("m/s", "metres per second", "meters per second", "metre per second", "meter per second"), 1.0),
    **dict.fromkeys(("km/h", "kph", "kilometres per hour", "kilometers per hour"), 1 / 3.6),
    **dict.fromkeys(("mph", "miles per hour"), 0.44704),
}
_TIMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "milliseconds"), 0.001),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
}
_ANGLES = {
    **dict.fromkeys(("deg", "degree", "degrees", "°"), 1.0),
    **dict.fromkeys(("rad", "radians"), 180 / math.pi),
}
_UNITS: dict[str, dict[str, float]] = {
    "m": _LENGTHS,
    "m2": _AREAS,
    "m/s": _SPEEDS,
    "s": _TIMES,
    "deg": _ANGLES,
    "count": {},
}
_EVERY_UNIT = sorted({unit for units in _UNITS.values() for unit in units}, key=len, reverse=True)
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_AMOUNT = re.compile(
    rf"(?<![\w.])(?P<sign>(?<!\d)[-+])?(?P<number>{_DIGITS}|{NUMBER})\s?-?"
    rf"(?P<unit>(?:{'|'.join(map(re.escape, _EVERY_UNIT))})(?![\w/²^]))?"
)
_SIGNED = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d+)?|\.\d+)")
_YAW = re.compile(r"(?:yaw|turned|rotat\w*)\D{0,12}?(?P<value>[-+]?\d+(?:\.\d+)?)\s*(?P<unit>rad\w*|deg\w*|°)?")
_NOTHING = re.compile(r"\b(?:none|nothing|no such (?:thing|object)|there is no(?:ne)?|not (?:there|present|visible))\b")
_LEAD = re.compile(r"^\s*(?:the |my )?answer(?: is|:)\s+", re.IGNORECASE)
_ARTICLES = re.compile(r"\b(?:the|a|an|it is|it's|its)\b")
_DIRECTION_WORDS: dict[str, str] = {
    **{said.en: name for name, said in DIRECTIONS.items()},
    **{name: name for name in DIRECTIONS},
    **{name.replace("-", " "): name for name in DIRECTIONS},
    **{f"{first}{join}{side}": f"{name}-{side}" for first, name in (("front", "ahead"), ("back", "behind"), ("forward", "ahead"))
       for join in (" ", "-") for side in ("left", "right")},
    "in front": "ahead", "straight": "ahead", "forward": "ahead", "backward": "behind", "back": "behind",
}  # fmt: skip


def plain(text: str) -> str:
    """Words in lower case without articles and punctuation, for comparing.

    >>> plain("The  red car.")
    'red car'
    """
    text = _ARTICLES.sub(" ", text.lower().replace("’", "'"))
    return " ".join(re.sub(r"[^\w\s'.:/-]|[.:](?!\d)", " ", text).split())


def parse_answer(text: str, answer: Answer) -> Parsed:
    """What an answer in English words says, read as the kind of answer that the row wants.

    Args:
        text: the model's words.
        answer: the row's, for its kind, options and unit; its value is not looked at.

    >>> parse_answer("About 85 cm.", Number(value=1.0, unit="m"))
    0.85
    >>> parse_answer("No, it is not.", YesNo(value=True))
    False
    >>> parse_answer("It goes ahead to the left", Direction(value="up"))
    'ahead-left'
    >>> from video3d.data.row import ShortText
    >>> parse_answer("The answer is none.", ShortText())
    'none'
    """
    match answer:
        case Choice():
            return _one_of(text, {option["en"]: place for place, option in enumerate(answer.options)})
        case YesNo():
            return _one_of(text, {"yes": True, "no": False})
        case Direction():
            return _one_of(text, _DIRECTION_WORDS)
        case Number():
            return parse_number(text, answer.unit)
        case Box():
            return parse_box(text)
    return plain(_LEAD.sub("", text)) or None


def _one_of(text: str, meanings: Mapping[str, Parsed]) -> Parsed:
    """The one meaning that the text names; where it names several, the one that its first clause does."""
    phrases = {plain(phrase): meaning for phrase, meaning in meanings.items()}
    for part in (text, re.split(r"[,;:.!?(\n]", text.strip(), maxsplit=1)[0]):
        named = _named(plain(part), phrases)
        if len(named) == 1:
            return named[0]
    return None


def _named(said: str, phrases: Mapping[str, Parsed]) -> list[Parsed]:
    """The meanings that words name; longer phrases hide those inside them."""
    if said in phrases:
        return [phrases[said]]
    found = []
    for phrase in sorted(filter(None, phrases), key=len, reverse=True):
        said, count = re.subn(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", "\0", said)
        if count and phrases[phrase] not in found:
            found.append(phrases[phrase])
    return found


def parse_number(text: str, unit: str) -> float | None:
    """The first number in the unit or one of its kin (converted), else the first that stands alone.

    Args:
        text: digits or English number words.
        unit: ``m``, ``m2``, ``m/s``, ``s``, ``deg`` or ``count``.

    >>> parse_number("after 0.4 seconds, 2 m ahead", "m"), parse_number("three", "count"), parse_number("none", "count")
    (2.0, 3.0, 0.0)
    >>> parse_number("2 m", "s") is None
    True
    """
    text, bare = text.lower(), None
    for found in _AMOUNT.finditer(text):
        value = read_number(found["number"].replace(",", "")) * (-1.0 if found["sign"] == "-" else 1.0)
        if found["unit"] in _UNITS[unit]:
            return value * _UNITS[unit][found["unit"]]
        if bare is None and not found["unit"]:
            bare = value
    if bare is None and unit == "count" and re.search(r"\b(?:none|no|zero)\b", text):
        return 0.0
    return bare


def parse_box(text: str) -> list[float] | str | None:
    """A box as three numbers of its centre, three of its size (metres) and its yaw (radians; 0 where none is said).

    The first six numbers count, in that order, as in "centre (1, 2, 0.5) m, size 1 x 1 x 1 m, yaw 90 degrees"; ``NO_BOX`` if
    the answer says that there is none; None for fewer numbers or a box without volume.

    >>> parse_box("centre (1, 2, 0.5) m, size 1 x 2 x 1 m, yaw 180 degrees")
    [1.0, 2.0, 0.5, 1.0, 2.0, 1.0, 3.1416]
    """
    yaw, said = 0.0, text.lower()
    if match := _YAW.search(said):
        yaw = float(match["value"]) * (1.0 if (match["unit"] or "").startswith("rad") else math.pi / 180)
        said = said[: match.start()] + said[match.end() :]
    numbers = [float(number) for number in _SIGNED.findall(re.sub(r"(?<=\d)\s*[x×]\s*(?=[\d.])", " ", said))]
    if len(numbers) < 6:
        return NO_BOX if not numbers and _NOTHING.search(said) else None
    if min(numbers[3:6]) <= 0 or max(map(abs, numbers[:6])) > 1e6 or not math.isfinite(yaw):
        return None
    return [*numbers[:6], round(math.remainder(yaw, 2 * math.pi), 4)]
