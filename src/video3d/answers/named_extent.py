"""Questions for one extent of one named thing: how long, how wide, how high its lower edge is, what its diameter is.

Read apart from other questions about names, because they say "its longer side" and "the floor", which elsewhere mean that something
else is asked. The whole sentence has to be understood; what is left over makes it another question.
"""

import re
from typing import Literal, NamedTuple

Extent = Literal[
    "length", "width", "depth", "thickness", "diameter", "tall", "long_side", "short_side", "bottom", "top", "both"
]
"""What of a thing is asked for: ``long_side`` and ``short_side`` seen from above; ``bottom``, ``top`` and ``both`` over the floor."""


class AskedExtent(NamedTuple):
    """What a question asks of a thing, and the words for the thing (where they begin and end in the text)."""

    extent: Extent
    start: int
    end: int


_THING = r"(?:the|this|that|a|an)\s+(?P<thing>[a-z' -]+?)"
_ABOUT = r"(?:\s*,?\s*(?:in (?:met(?:er|re)s|cm|centimet(?:er|re)s|total|all)|overall|approximately|roughly|about))?"
_LONGER = r"(?:along|on|of|at) (?:its|the) (?P<side>long(?:er|est)?|short(?:er|est)?) (?:side|edge|axis)"
_ENDS = r"from (?:one )?(?P<ends>end to (?:the other )?end|side to side|left to right)"
_FLOOR = r"(?:above|over|off|from) the (?:floor|ground)"
_PART = r"(?P<part>lower|bottom|under|upper|top)(?:\s?side| edge| rim| end)?(?: of)?"
_ADJECTIVE = {
    "long": "length",
    "wide": "width",
    "broad": "width",
    "deep": "depth",
    "thick": "thickness",
    "tall": "tall",
}
_NOUN = {"length": "length", "width": "width", "breadth": "width", "depth": "depth", "thickness": "thickness", "diameter": "diameter"}  # fmt: skip
_ENGLISH = tuple(
    re.compile(rf"^(?:and )?{pattern}{_ABOUT}[?. ]*$")
    for pattern in (
        rf"(?:about |roughly )?how (?P<adjective>{'|'.join(_ADJECTIVE)}) (?:is|are) {_THING}(?:\s*,?\s*(?:{_LONGER}|{_ENDS}))?",
        rf"(?:what(?:'s| is)|estimate|measure) the (?P<noun>{'|'.join(_NOUN)}) of {_THING}(?:\s*,?\s*(?:{_LONGER}|{_ENDS}))?",
        rf"how high (?:{_FLOOR} )?is the {_PART} (?:of )?{_THING}(?: {_FLOOR})?",
        rf"how high (?:{_FLOOR} )?is {_THING}(?P<top> ?top| surface)(?: {_FLOOR})?",
        rf"how high (?:{_FLOOR} )?(?P<both>is) {_THING}(?: {_FLOOR})?",
    )
)
_CHINESE_PART = {"下": "bottom", "底": "bottom", "上": "top", "顶": "top"}
_CHINESE = {"长": "length", "宽": "width", "深": "depth", "厚": "thickness", "直径": "diameter"}
_CHINESE_EDGE = re.compile(
    r"^(?P<thing>.+?)的?(?P<part>[下上底顶])(?:边缘|边沿|沿|边|缘|端|部|面)(?:离地面?|距地面?|距离地面)?(?:大约|约)?(?:有|是)?多高[?。 ]*$"
)
_CHINESE_SIZE = re.compile(
    r"^(?P<thing>.+?)(?:的)?(?:(?P<side>长|短)边)?(?P<ends>从(?:一端|这头)到(?:另一端|那头))?(?:大约|约)?"
    r"(?:有|是)?(?:多(?P<adjective>[长宽深厚])|的?(?P<noun>直径|长度|宽度|深度|厚度)(?:大约|约)?(?:是|有|为)?多[少大长])[?。 ]*$"
)


def asked_extent(words: str) -> AskedExtent | None:
    """What extent of one thing a question asks for, or None; the words for the thing may still name none that is known.

    Args:
        words: in lower case, as ``references.plain`` gives them.

    >>> asked_extent("how long is the table, along its longer side?")
    AskedExtent(extent='long_side', start=16, end=21)
    >>> asked_extent("how high above the floor is the lower edge of the screen?").extent
    'bottom'
    >>> asked_extent("how long is the path to the table?").extent, asked_extent("how long does it take?")
    ('length', None)
    """
    for pattern in _ENGLISH:
        if match := pattern.match(words):
            return AskedExtent(_english(match.groupdict()), *match.span("thing"))
    if match := _CHINESE_EDGE.match(words):
        return AskedExtent("bottom" if _CHINESE_PART[match["part"]] == "bottom" else "top", *match.span("thing"))
    if match := _CHINESE_SIZE.match(words):
        if match["side"]:
            return AskedExtent("long_side" if match["side"] == "长" else "short_side", *match.span("thing"))
        if match["ends"]:
            return AskedExtent("long_side", *match.span("thing"))
        asked = match["adjective"] or match["noun"].removesuffix("度")
        return AskedExtent(_CHINESE[asked], *match.span("thing"))  # pyright: ignore[reportArgumentType]
    return None


def _english(said: dict[str, str | None]) -> Extent:
    if said.get("top"):
        return "top"
    if said.get("both"):
        return "both"
    if part := said.get("part"):
        return "top" if part in ("upper", "top") else "bottom"
    if side := said.get("side"):
        return "long_side" if side.startswith("long") else "short_side"
    if said.get("ends"):
        return "long_side"
    if adjective := said.get("adjective"):
        return _ADJECTIVE[adjective]  # pyright: ignore[reportReturnType]
    return _NOUN[said["noun"] or ""]  # pyright: ignore[reportReturnType]
