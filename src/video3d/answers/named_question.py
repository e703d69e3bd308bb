"""Questions about things by their names: how far the chair is, which of two is nearer, what is left of what.

``parse_named`` reads the common ones, in English and simple Chinese; None for everything else. Words for things are those of
``vocabulary``. What is answered is in ``named``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from video3d.answers.references import FrameRef, find_references, plain, without_options
from video3d.vocabulary import CATEGORIES, COLORS

Kind = Literal["distance", "apart", "nearer", "nearest_to", "side", "depth_order", "higher", "height", "size", "where", "count", "exists", "color", "list", "across"]  # fmt: skip
# Names that questions use for something else: who films, and what is looked at.
_NOT_THINGS = frozenset({"camera", "frame", "frames", "picture", "pictures", "photo", "photos", "video", "way", "crossing", "step", "steps"})  # fmt: skip
_DETERMINERS = r"(?:the|a|an|any|this|that|these|those|some)\s+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A thing as a question names it: ``said`` in its own words, what it is called in the vocabulary, and its colour if one is said."""

    said: str
    category: str
    color: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuestion:
    """A question about things by name.

    Attributes:
        kind: what is asked.
        things: in the order of the text.
        frame: seen from which frame's camera; None: the last one's.
        language: of the question.
        expects: what a yes-or-no question supposes (``left``, ``right``, ``front``, ``behind``, ``above``, ``below``, ``near``,
            ``far``), or the end of the scale that is asked for; "" for none.
        polar: a yes-or-no question.
    """

    kind: Kind
    things: tuple[Mention, ...]
    frame: FrameRef | None = None
    language: Literal["en", "zh"] = "en"
    expects: str = ""
    polar: bool = False


@lru_cache(maxsize=1)
def _words() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, str], dict[str, str]]:
    """Patterns of coloured names in English and Chinese, and what name and colour words stand for."""
    names: dict[str, str] = {}
    for category in CATEGORIES:
        for word in (category.plural, *category.aliases, category.name):
            if word not in _NOT_THINGS:
                names[word] = category.name
    names |= {category.zh: category.name for category in CATEGORIES if category.name not in _NOT_THINGS}
    colors = (
        {color.name: color.name for color in COLORS} | {color.zh: color.name for color in COLORS} | {"gray": "grey"}
    )
    english = sorted((word for word in names if word.isascii()), key=len, reverse=True)
    chinese = sorted((word for word in names if not word.isascii()), key=len, reverse=True)
    hues = [word for word in colors if word.isascii()]
    return (
        re.compile(rf"\b(?:(?P<hue>{'|'.join(hues)})\s+)?(?P<name>{'|'.join(map(re.escape, english))})\b"),
        re.compile(rf"(?:(?P<hue>{'|'.join(c for c in colors if not c.isascii())})的?)?(?P<name>{'|'.join(chinese)})"),
        names,
        colors,
    )


def mentions(text: str) -> list[tuple[int, int, Mention]]:
    """Things that a text names, with where: the longest names first, in the order of the text.

    >>> [(one.category, one.color) for _, _, one in mentions("is the red couch near the fridge?")]
    [('sofa', 'red'), ('refrigerator', None)]
    """
    english, chinese, names, colors = _words()
    found = []
    for pattern in (english, chinese):
        for match in pattern.finditer(text):
            hue = match["hue"]
            mention = Mention(said=match[0], category=names[match["name"]], color=colors[hue] if hue else None)
            found.append((match.start(), match.end(), mention))
    return sorted(found, key=lambda one: one[0])


_CUES: tuple[tuple[str, str, str], ...] = (
    # what is said, what is asked, which end of a scale or which side
    (r"\b(?:what|which) colou?r\b|什么颜色|颜色是", "color", ""),
    (r"\bhow many\b|\bnumber of\b|多少(?:个|把|张|台|辆|只)|几(?:个|把|张|台|辆|只)", "count", ""),
    (r"\bhow (?:tall|wide|long|big|large|deep|broad)\b|\b(?:size|dimensions) of\b|多宽|多长|多大", "size", ""),
    (r"\bhow high\b|\bheight of\b|多高", "height", ""),
    (r"\bhow (?:far|close|near|distant)\b|\bdistances?\b|多远|距离", "distance", ""),
    (r"\b(?:farther|further|more)(?: to the)? left\b|\bleftmost\b|更靠左|更偏左|最左", "across", "left"),
    (r"\b(?:farther|further|more)(?: to the)? right\b|\brightmost\b|更靠右|更偏右|最右", "across", "right"),
    (r"\b(?:nearer|closer|nearest|closest)\b|更近|最近", "nearer", "near"),
    (r"\b(?:farther|further|farthest|furthest)\b|更远|最远", "nearer", "far"),
    (r"\b(?:higher|highest)\b|更高|最高", "higher", "above"),
    (r"\b(?:lower|lowest)\b|更低|最低", "higher", "below"),
    (r"\babove\b|上方|上面", "higher", "above"),
    (r"\b(?:below|beneath|underneath)\b|下方|下面", "higher", "below"),
    (r"\bin front of\b|前面|前方", "depth_order", "front"),
    (r"\bbehind\b|后面|后方", "depth_order", "behind"),
    (r"\bleft\b|左", "side", "left"),
    (r"\bright\b|右", "side", "right"),
    (r"^(?:where|in what direction|in which direction)\b|在哪", "where", ""),
    (r"^(?:is|are) there\b|^(?:do|can) (?:you|i|we) see\b|有没有|有.{0,12}吗", "exists", ""),
)  # fmt: skip
_POLAR = re.compile(r"(?:^|, *)(?:is|are|was|were|does|do|can)\b|吗")
_TO = re.compile(r"\b(?:to|from|than)\s+(?:the\s+)?(?:\w+\s+)?$")
_ASKS_WHICH = re.compile(r"\bor\b|\bwhich (?:side|one|of)\b|^which\b|还是|哪")
_CAMERA = re.compile(r"\b(?:camera|me|us|viewer|observer)\b|相机|我")
# What cannot be judged from boxes at one moment: another's eyes, what comes next, colours, and all that is counted over.
_BEYOND = re.compile(
    r"\b(?:if|imagine|suppose|standing|stand|facing|faces?|turn|after|before|next|will|would|path|walk|go|going|drive|reach|"
    r"first|second|between|why|who|move[sd]?|moving|own|its|itself|touch|hold|holds|behind it|resting|inside)\b|如果|站在|朝|接下来|之间"
)


_NEEDED: dict[str, int] = dict.fromkeys(("distance", "size", "height", "where", "count", "exists", "color"), 1)
_NEEDED |= dict.fromkeys(("apart", "side", "depth_order"), 2)
"""How many things a question of a kind names; the others name two or more."""
_PLACE = r"(?: (?:in|inside|of) (?:the|this|that) (?:room|scene|video|clip|kitchen|office|place|picture|bedroom|street|recording))?"
_LIST = re.compile(
    rf"^(?:what|which) (?:(?:objects|things|furniture|items)(?: (?:are|is)(?: there| visible| seen)?| (?:do|can) (?:you|i|we) see)?|is there|are there|"
    rf"is|do you see|can you see|can be seen){_PLACE}[?. ]*$|^(?:list|name) (?:all )?(?:the )?(?:objects|things|furniture|items){_PLACE}[?. ]*$"
    r"|^(?:房间|场景|视频|画面)?(?:里|中)?有(?:什么|哪些)(?:东西|物体|家具|物品)?[？?]*$"
)
_ALLOWED = re.compile(r"in front of|前面|distances? between|之间的?距离")


def parse_named(text: str) -> NamedQuestion | None:
    """What a question asks of named things, or None.

    >>> asked = parse_named("How far is the chair from the table?")
    >>> asked.kind, [thing.category for thing in asked.things]
    ('apart', ['chair', 'table'])
    >>> parse_named("沙发离相机多远？").kind
    'distance'
    >>> parse_named("Which is closer to the camera, the bed or the sofa?").expects
    'near'
    >>> parse_named("What is the chair made of?") is None
    True
    """
    marked = find_references(plain(without_options(text[:1000])))
    words = marked.text.strip()
    language = "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
    if _LIST.search(words) and not marked.points and not marked.frames:
        return NamedQuestion(kind="list", things=(), language=language)
    named = mentions(words)
    if marked.points or not named or len(marked.frames) > 1:
        return None
    rest = words
    for start, end, _ in reversed(named):
        rest = rest[:start] + "#" + rest[end:]
    cue = next(((kind, expects) for pattern, kind, expects in _CUES if re.search(pattern, rest)), None)
    if cue is None or _BEYOND.search(_ALLOWED.sub("", rest)):
        return None
    kind, expects = cue
    polar = _POLAR.search(rest) is not None and not _ASKS_WHICH.search(rest)
    if kind in ("side", "depth_order", "higher") and not polar and not _ASKS_WHICH.search(rest):
        return None  # "the poster behind the plant" is a description
    things = tuple({mention.said: mention for _, _, mention in named}.values())
    to = [i for i, (start, _, _) in enumerate(named) if _TO.search(words[:start])]
    if kind == "distance" and len(things) == 2:
        kind = "apart"
    elif kind == "nearer" and not _CAMERA.search(rest) and to:
        if len(things) >= 3:  # the one that the others are near to comes last
            kind, end = "nearest_to", named[to[0]][2]
            things = (*(thing for thing in things if thing != end), end)
        elif "than" not in words[: named[to[0]][0]].rsplit(maxsplit=2)[-2:]:
            return None  # nearest of what there is
    if len(things) < _NEEDED.get(kind, 2) or len(things) > _NEEDED.get(kind, len(things)):
        return None
    return NamedQuestion(
        kind=kind,  # pyright: ignore[reportArgumentType]
        things=things,
        frame=marked.frames[0] if marked.frames else None,
        language=language,
        expects=expects,
        polar=polar,
    )
