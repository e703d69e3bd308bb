"""What of a language model's words may stand that does not measure."""

import re
from collections.abc import Iterator, Sequence

from video3d.answers.asked_form import cannot_tell, has_form, wanted_form

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*")
_UNIT = re.compile(
    r"^[\s-]*(?:m|cm|mm|km|ft|in|m/s|km/h|mph|deg|°|%|x|metres?|meters?|cent[a-z]*|milli[a-z]*|kilo[a-z]*|feet|foot|inch(?:es)?|"
    r"yards?|degrees?|percent|seconds?|s|a\.?m\.?|p\.?m\.?|square|米|厘米|度|秒)(?![a-z])",
    re.IGNORECASE,
)


_GOES_ROUND = 2
"""Items said again from which on a list is one that goes round."""


def without_quantities(text: str, read: str = "") -> str:
    """The sentences of a model's answer that hold no quantity but those that it has read; "" if none is left.

    A quantity is a number with a unit behind it. A model that does not see the scene can only make one up, or hang a
    measured one on the wrong thing. Numbers without a unit (three chairs) stay. A sentence said again is left out, and so
    is a last one that the limit of tokens cut short: both say nothing more.

    Args:
        text: of the model.
        read: what a model was given that has learned to read quantities: the same number with the same unit may then be said.

    >>> without_quantities("It is a room. It is 3.1 m high. It is a room. It has")
    'It is a room.'
    >>> without_quantities("The chair is 2.1 m away. It is 3 m high.", read="chair 2.1 m, ahead")
    'The chair is 2.1 m away.'
    """
    given = set(_quantities(read))
    sentences = [one.strip() for one in re.split(r"(?<=[.!?。！？])\s+|\n+", text.strip()) if one.strip()]
    if len(sentences) > 1 and sentences[-1][-1] not in ".!?。！？":
        sentences.pop()
    kept = []
    for sentence in dict.fromkeys(_once(one) for one in sentences):
        if given.issuperset(_quantities(sentence)):
            kept.append(sentence)
    return " ".join(kept)


def fitting(question: str, said: str) -> str:
    """What was said, or "" where it is no answer to what was asked: a length to how many, a caption to of what it is made.

    >>> fitting("How many monitors are on the desk?", "1.47 m"), fitting("How many chairs?", "3 chairs"), fitting("How high is it?", "1.4 m")
    ('', '3 chairs', '1.4 m')
    >>> fitting("Is it to the left or to the right?", "the table")
    ''
    """
    amount = wanted_form(question) == "count" and any(_quantities(said))
    return said if has_form(question, said) and not amount else ""


def nothing_said(question: str, facts: Sequence[str]) -> str:
    """What is said where none of a model's words may stand: what cannot be told, or, of open questions, what was measured.

    Args:
        question: in words.
        facts: about the scene, one a line.
    """
    measured = f"The language model has nothing to say on this that was measured. Measured: {'; '.join(facts)}."
    return cannot_tell(question) or measured


def _once(sentence: str) -> str:
    """A list in which small models go round, each of its items once.

    >>> _once("A room with a door, a ball, a door, a ball, a door, a ball, a door, a ba")
    'A room with a door, a ball, a door.'
    >>> _once("a door, a plank, a door, a plank,")
    'a door, a plank.'
    """
    items = sentence.rstrip(",. ").split(", ")
    seen = list(dict.fromkeys(items))
    if len(items) - len(seen) < _GOES_ROUND or any(not re.search(r"[^\W\d]", item) for item in items):
        return sentence
    last = seen[-1]
    cut_short = any(item != seen[-1] and item.startswith(last) for item in seen)
    return ", ".join(seen[:-1] if cut_short else [*seen[:-1], last]) + "."


def _quantities(text: str) -> Iterator[tuple[str, str]]:
    """Numbers with units behind them, as they are written."""
    for number in _NUMBER.finditer(text):
        if unit := _UNIT.match(text[number.end() :]):
            yield number[0], unit[0].strip(" -").lower()
