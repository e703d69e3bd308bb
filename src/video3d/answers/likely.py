"""What geometry concludes from where things are believed to be: one line, which is the answer where there is one.

A rule has words that call for it, how many things it needs, and a function that comes to a conclusion in the question's own words. Each
is an estimate, none sure: where a thing that it needs was not found, nothing is concluded. Rules are in ``likely_relations``,
``likely_measures`` and ``likely_ahead``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from video3d.answers.named import SURE_ENOUGH
from video3d.answers.noted import Noted, polar, the_one, yes_no
from video3d.answers.understood import is_understood

Conclude = Callable[[Noted], str | None]
Rule = tuple[re.Pattern[str], int, Conclude]
FAR = re.compile(r"\b(?:far|furth)")
"""Words for the other end of nearness; "furniture" is none."""
METRES = re.compile(r"(\d+(?:\.\d+)?) ?m(?:etres?|eters?)?\b")


_NOT_OURS = re.compile(
    r"\bsecond[ -](?:most\b|from\b|\w+est\b)|\b(?:other than|not counting (?:the )?#)\b"
    r"|\bnot\b(?! (?:more|farther|further|counting|there|just|only)\b)|\bno (?:bigger|smaller|larger|higher|lower|taller|nearer|closer)\b"
    r"|(?:^|[.,:;] )(?:has|have|was|were)\b|\bhas been (?:mov|go)"
    r"|^(?:suppose|if) .*(?:removed|taken away|not there)(?!.*\b(?:fall|drop|topple|tip))|\bhow many (?:\w+ )?#.*\b(?:left|right|behind|front|near|between)\b"
    r"|\d,\d|\bhow come\b|\bafter i turn around\b|\bstop\w* before\b"
    r"|\bfits? (?:in|into|inside|on|onto|under|behind)\b|\bif (?:i|we|someone|one)\b(?! (?:stand|am|was|look|go|walk|drive|turn)\b)"
    r"|\bif (?:the |a )?# (?:is|are|was|were) (?:pushed|turned|put|placed)\b"
    r"|^(?:can|could) (?!you (?:please )?(?:say|give|find|see)\b|(?:a|the|my|our) machine\b)|^(?:is|are) there (?!room|space|more|less)"
)
"""What such questions want is no place, size or motion that is now, or is more than one condition, or the reverse of what words say."""
_CONCLUSION = re.compile(r"(likely|perhaps): (.*)", re.DOTALL)
_CHOICE = re.compile(r"\b(?:which|what|where|or|of these|of the|between)\b|^of\b")


class Conclusion(NamedTuple):
    """What geometry concludes.

    Attributes:
        words: the question's own.
        sure: all that it rests on was surely found.
    """

    words: str
    sure: bool


def conclusion_of(notes: Sequence[str]) -> Conclusion | None:
    """The conclusion that notes are; None of notes that say what is known instead.

    >>> conclusion_of(("likely: the red chair",))
    Conclusion(words='the red chair', sure=True)
    >>> conclusion_of(("chair: 2.1 m away", "table: 1.4 m away")) is None
    True
    """
    found = _CONCLUSION.fullmatch(notes[0]) if len(notes) == 1 else None
    return None if found is None else Conclusion(found[2], found[1] == "likely")


def likely(noted: Noted, rules: Sequence[Rule]) -> str | None:
    """The conclusion of the first rule whose words a question has and that comes to one: yes or no where a question asks for that, and only there. "perhaps" if a thing is unsure."""
    if not is_understood(noted.stem) or _NOT_OURS.search(noted.stem) or None in noted.marks:
        return None
    for words, needed, conclude in rules:
        if len(noted.names) >= needed and words.search(noted.stem):
            said = conclude(noted)
            if said is not None and (said in ("yes", "no")) == polar(noted):
                sure = noted.all_found and all(place.score >= SURE_ENOUGH for place in noted.places)
                return f"{'likely' if sure else 'perhaps'}: {said}"
    return None


def candidates(noted: Noted, but: int | None = None) -> list[int]:
    """The things to choose from: those that are options by themselves, or else all that the question names."""
    alone = [things[0] for things in noted.option_things if len(things) == 1]
    return [at for at in dict.fromkeys(alone or range(len(noted.names))) if at != but]


def extreme(noted: Noted, values: Mapping[int, float], smallest: bool) -> str | None:
    """Which of several is at the end of a scale; yes or no, where a question asks whether its first thing is."""
    if len(values) < 2:
        return None
    best = (min if smallest else max)(values, key=lambda at: values[at])
    if polar(noted):
        return yes_no(best == noted.marks[0]) if noted.marks else None
    return the_one(noted, best) if noted.options or _CHOICE.search(noted.stem) else None


def pair_of(noted: Noted) -> tuple[int, int] | None:
    """The first two things that a question names, if both were found."""
    if len(noted.marks) < 2:
        return None
    a, b = noted.marks[:2]
    return None if a is None or b is None or a == b else (a, b)


def rule(words: str, needed: int, conclude: Conclude) -> Rule:
    """Words that call for it (a pattern), how many things must be found, and what concludes."""
    return re.compile(words), needed, conclude
