"""What of a language model's words may stand that does not see the scene."""

import re

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*")
_UNIT = re.compile(
    r"^[\s-]*(?:m|cm|mm|km|ft|in|m/s|km/h|mph|deg|°|%|x|metres?|meters?|cent[a-z]*|milli[a-z]*|kilo[a-z]*|feet|foot|inch(?:es)?|"
    r"yards?|degrees?|percent|seconds?|s|square|米|厘米|度|秒)(?![a-z])",
    re.IGNORECASE,
)


def without_quantities(text: str) -> str:
    """The sentences of a model's answer that hold no quantity; "" if none is left.

    A quantity is a number with a unit behind it. A model that does not see the scene can only make one up, or hang a
    measured one on the wrong thing. Numbers without a unit (three chairs) stay. A sentence said again is left out, and so
    is a last one that the limit of tokens cut short: both say nothing more.

    >>> without_quantities("It is a room. It is 3.1 m high. It is a room. It has")
    'It is a room.'
    """
    sentences = [one.strip() for one in re.split(r"(?<=[.!?。！？])\s+|\n+", text.strip()) if one.strip()]
    if len(sentences) > 1 and sentences[-1][-1] not in ".!?。！？":
        sentences.pop()
    kept = []
    for sentence in dict.fromkeys(sentences):
        if not any(_UNIT.match(sentence[number.end() :]) for number in _NUMBER.finditer(sentence)):
            kept.append(sentence)
    return " ".join(kept)
