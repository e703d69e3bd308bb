"""Questions about things by their names: how far the chair is, which of two is nearer, what is left of what.

``parse_named`` reads the common ones, in English and simple Chinese; None for everything else. Words for things are those of
``vocabulary``. What is answered is in ``named``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from video3d.answers.colours import ALSO, BEIGE, CHINESE
from video3d.answers.named_extent import asked_extent
from video3d.answers.numerals import UNITS
from video3d.answers.references import FrameRef, find_references, plain, without_options
from video3d.answers.understood import is_understood
from video3d.vocabulary import CATEGORIES, COLORS, pluralise

Kind = Literal["distance", "apart", "nearer", "nearest_to", "side", "depth_order", "higher", "height", "size", "where", "count", "exists", "color", "list", "across", "describe"]  # fmt: skip
# Names that questions use for something else: who films, and what is looked at.
_NOT_THINGS = frozenset({"camera", "frame", "frames", "photo", "photos", "video", "way", "step", "steps"})  # fmt: skip
# And those that are things in some places only: a picture on a wall, a crossing of the road.
_DOUBTFUL = frozenset({"picture", "pictures", "crossing", "crossings"})
_IMAGE = re.compile(r"\b(?:in|inside|into|within|enters?|leaves?|out of|across|this|these|every|each|which|one|single|(?:left|right|middle|cent(?:re|er)|edge|half|part|side|corner|top|bottom|third)s? of) (?:the |this |these |that |those |a |all )?$")  # fmt: skip
_OVER = re.compile(r"\b(?:above|over|from) the (?:floor|ground|road)\b")
_A_THING = re.compile(r"\b(?:the|a|an|any|some|this|that|two|three|many|number of) (?:\w+ )?$")
SURFACES = frozenset({"wall", "floor", "ceiling"})
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
            ``far``), or the end of the scale that is asked for, or of a size which extent (``named_extent.Extent``); "" for none.
        polar: a yes-or-no question.
        options: colours that are offered to choose from, in English.
        which: of several things of the name, where their colour is asked for: the likeliest, that one which is described by its
            place, or all.
    """

    kind: Kind
    things: tuple[Mention, ...]
    frame: FrameRef | None = None
    language: Literal["en", "zh"] = "en"
    expects: str = ""
    polar: bool = False
    options: tuple[str, ...] = ()
    which: Literal["one", "described", "all"] = "one"


@lru_cache(maxsize=1)
def _words() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, str], dict[str, str]]:
    """Patterns of coloured names in English and Chinese, and what name and colour words stand for."""
    names: dict[str, str] = {}
    for category in CATEGORIES:
        for word in (category.plural, *category.aliases, category.name):
            if word not in _NOT_THINGS:
                names[word] = category.name
    for category in CATEGORIES:  # cupboards, couches: what is a name of its own keeps what it means
        for word in category.aliases:
            if not word.endswith("s") and not {word, pluralise(word)} & _NOT_THINGS:
                names.setdefault(pluralise(word), category.name)
    names |= {category.zh: category.name for category in CATEGORIES if category.name not in _NOT_THINGS}
    colors = (
        {color.name: color.name for color in COLORS} | {color.zh: color.name for color in COLORS} | {"gray": "grey"}
    )
    english = sorted((word for word in names if word.isascii()), key=len, reverse=True)
    chinese = sorted((word for word in names if not word.isascii()), key=len, reverse=True)
    hues = [word for word in colors if word.isascii()]
    return (
        re.compile(rf"\b(?:(?P<hue>{'|'.join(hues)})\s+)?(?P<name>{'|'.join(map(re.escape, english))})\b"),
        re.compile(
            rf"(?:(?P<hue>{'|'.join(c for c in colors if not c.isascii())})的?)?(?<!机器)(?P<name>{'|'.join(chinese)})"
        ),
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
            if match["name"] in _DOUBTFUL and not _is_thing(text, *match.span("name")):
                continue
            hue = match["hue"]
            mention = Mention(said=match[0], category=names[match["name"]], color=colors[hue] if hue else None)
            found.append((match.start(), match.end(), mention))
    return sorted(found, key=lambda one: one[0])


def _is_thing(text: str, start: int, end: int) -> bool:
    """Whether "picture" is one on a wall and not what the camera took, and "crossing" one of a road and not what somebody does."""
    before = text[max(0, start - 40) : start]
    if text[start:end].startswith("crossing"):
        return _A_THING.search(before) is not None and re.match(r" (?:the|a|an)\b", text[end:]) is None
    return _IMAGE.search(before) is None or (_OVER.search(text) is not None and " of " in before[-16:])


_CUES: tuple[tuple[str, str, str], ...] = (
    # what is said, what is asked, which end of a scale or which side
    (r"\b(?:what|which) colou?rs?\b|\bwhat(?:'s| is| are) the colou?rs? of\b|什么颜色|颜色是", "color", ""),
    (rf"\bhow many (?!{UNITS}\b)|\bnumber of\b|多少(?:个|把|张|台|辆|只)|几(?:个|把|张|台|辆|只)", "count", ""),
    (r"\bhow (?:tall|wide|long(?! (?:do|does|did|will|would|has|have|until|before)\b)|big|large|deep|broad)\b|\b(?:size|dimensions) of\b|多宽|多长|多大", "size", ""),
    (r"\bhow high\b|\bheight of\b|多高", "height", ""),
    (r"\bhow (?:far|close|near|distant)\b|\bdistances?\b|\bhow many met(?:er|re)s (?:away|apart|from)\b|\bhow many met(?:er|re)s (?:is|are)\b.* (?:away|apart|from)\b|多远|距离", "distance", ""),
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
    r"first|second|between|why|who|move[sd]?|moving|own|its|itself|touch|hold|holds|behind it|resting|inside|which two|(?:close|near|far)\w* together)\b|如果|站在|朝|接下来|之间"
)


_PLACE = r"(?: (?:in|inside|of) (?:the|this|that) (?:room|scene|video|clip|kitchen|office|place|picture|bedroom|street|recording))?"
_NEGATED = re.compile(r"\bnot\b|不(?!是)|(?<![有是])没(?!有)")
# "书架的左边有沙发吗": the thing that the side is of is named first.
_THERE_IS = re.compile(r"^#的?(?:左|右|前|后|上|下)(?:边|面|方)?(?:有没有|有)[一个任何把张台只条盏]{0,3}#")
_FROM_ELSE = re.compile(
    r"\b(?:from|to)\b(?! (?:the |an? |my |this |that )?#)(?!.*\b(?:camera|me|us|here|viewer|observer|you)\b)"
    r"|(?<!距)离(?!相机|镜头|摄像机|我|这里|你)|\bapart\b"
)
_AFTER_SECOND = re.compile(
    r"^(?:'s)?(?:,? (?:or|in|at|as|from|seen|when|than|to|relative|of|side|its|which|for|on (?:the|its|which) (?:left|right|side)|(?:on )?its own|that)\b.*)?[\s?.,!。？！]*$"
)
_COUNTED = re.compile(
    rf"^(?:(?:in|at|by|over) [^#]*, )?(?:count (?:all )?(?:the )?#(?: (?:that appear|you see|there are))?|(?:how many|what is the number of|what's the number of|number of) (?:different )?#"
    rf"(?: (?:are|is|can be|do you|can you|do i|can i|do we|can we|there|here|see|seen|visible|found|altogether|standing|does the (?:video|clip) show))*)"
    rf"(?: in (?:all|total))?(?: (?:at|in) [^#]*)?{_PLACE}(?:\. how many are there)?[?. ]*$"
)


_NEEDED: dict[str, int] = dict.fromkeys(("distance", "size", "height", "where", "count", "exists", "color"), 1)
_NEEDED |= dict.fromkeys(("apart", "side", "depth_order"), 2)
"""How many things a question of a kind names; the others name two or more."""
_LIST = re.compile(
    rf"^(?:what|which) (?:(?:objects|things|furniture|items)(?: (?:are|is)(?: there| visible| seen)?| (?:do|can) (?:you|i|we) see)?|is there|are there|"
    rf"is|do you see|can you see|can be seen){_PLACE}[?. ]*$|^(?:list|name) (?:all )?(?:the )?(?:objects|things|furniture|items){_PLACE}[?. ]*$"
    r"|^(?:房间|场景|视频|画面)?(?:里|中)?有(?:什么|哪些)(?:东西|物体|家具|物品)?[？?]*$"
)
_SCENE = r"(?:the |this |that )?(?:whole |entire )?(?:scene|room|place|video|clip|recording|street|surroundings|living room|kitchen|office|bedroom)"
_TELLS = r"(?: (?:briefly|shortly|in detail|in words|in (?:one|a|two|three|a few|some) (?:short )?sentences?))?"
ASKS_DESCRIPTION = re.compile(
    rf"^(?:please |(?:could|can|would) you (?:please )?)?(?:(?:(?:briefly )?describe|summari[sz]e|caption|tell me (?:briefly )?about) {_SCENE}"
    rf"|(?:give|write|provide)(?: me)? an? (?:[\w-]+,? ){{0,3}}(?:description|caption|summary)(?: of| for) {_SCENE}|what (?:does|do) {_SCENE} show|what (?:kind|sort|type) of (?:place|room|scene) is (?:this|that|it)"
    rf"|describe (?:what you see|everything|what (?:is|can be) (?:there|seen|visible)))(?: (?:in|of|shown in) {_SCENE})?(?: and of how the camera moves)?{_TELLS}"
    r"(?:[.?! ]*$|: the things, how|[.?] say what is there)"
)
_OF_ANOTHER = re.compile(
    r"\b(?:is|are|of) (?:the|a|an) (?:\w+ )?\w+ (?:of|on|under|in|at) "
)  # "the cable of the lamp" is no lamp
_ALLOWED = re.compile(r"in front of|前面|distances? between|之间的?距离")


_HUES = ALSO | {BEIGE: BEIGE, CHINESE[BEIGE]: BEIGE}
_HUES |= {word: one.name for one in COLORS for word in (one.name, one.zh, one.zh.removesuffix("色"))}
_HUE = "|".join(sorted(_HUES, key=len, reverse=True))
_OFFERED = re.compile(
    r"(?:[:,;?]|\bis it\b|\bare they\b|是|\boptions:|\s)*(?<![a-z])"
    rf"(?P<offered>(?:{_HUE})(?:\s*(?:[,;/]|\bor\b|还是|或者?)[\s:]*(?:or )?(?:{_HUE}))+)[\s?.。]*$"
)
_COLOR_CUE = re.compile(_CUES[0][0])
_MANY = re.compile(r"colou?rs? (?:are|do|of the #s)\b|都|这些|那些")
_NO_PLACE = re.compile(rf"{_PLACE}[?. ]*$")


def _color_question(words: str, language: Literal["en", "zh"], frame: FrameRef | None) -> NamedQuestion | None:
    """What colour something is: "What colour are the doors along the corridor: black, red or green?".

    Other things that are named say where it is. They come behind it in English and before it in Chinese.
    """
    offered = _OFFERED.search(words)
    stem = words[: offered.start()] if offered else words
    named = mentions(stem)
    rest = stem
    for start, end, _ in reversed(named):
        rest = rest[:start] + "#" + rest[end:]
    if not named or _BEYOND.search(_ALLOWED.sub("", rest).replace("next to", "")) or _POLAR.match(rest):
        return None
    thing = named[-1][2] if language == "zh" else named[0][2]
    if language == "zh":
        placed = len(named) > 1 or re.search(r"[上下左右旁边前后靠]", rest) is not None
    else:
        placed = bool(_NO_PLACE.sub("", rest[rest.index("#") + 1 :]).strip(" ?.,:;"))
    which = "all" if _MANY.search(rest) else "described" if placed else "one"
    options = () if offered is None else tuple(_HUES[word] for word in re.findall(_HUE, offered["offered"]))
    return NamedQuestion(kind="color", things=(thing,), frame=frame, language=language, options=options, which=which)


_IS_THERE = re.compile(
    rf"^(?:is there|are there|(?:do|can) (?:you|i|we) see)(?: (?:a|an|any|some|one)(?: [\w-]+)?)? #(?: here| anywhere| somewhere| visible)?{_PLACE}[?. ]*$"
    r"|^[^#]{0,8}(?:有没有|有)[一个任何把张台只条盏]{0,3}#(?:吗|么)?[？?。 ]*$"
)
_OF_COLOR = re.compile(
    rf"^(?:is|are) (?:the |this |that |these |those |all (?:the )?)?# (?:(?:all|really) )?(?P<hue>{_HUE})[?. ]*$|^#(?:都)?是(?P<zh>{_HUE})色?的?吗[？?。 ]*$"
)


def _is_of_color(
    rest: str, named: list[tuple[int, int, Mention]], language: Literal["en", "zh"], frame: FrameRef | None
) -> NamedQuestion | None:
    """Whether a thing is of a colour: "Is the table white?"."""
    found = _OF_COLOR.search(rest)
    if found is None or len(named) != 1:
        return None
    many = rest.startswith("are") or "都" in rest
    return NamedQuestion(
        kind="color", things=(named[0][2],), frame=frame, language=language, expects=_HUES[found["hue"] or found["zh"]],
        polar=True, which="all" if many else "one",
    )  # fmt: skip


# What stands before a name and says nothing of which thing is meant that could be looked for.
_PLAIN = re.compile(
    r"(?:long|round|square|big|large|small|little|tall|low|high|wooden|plastic|metal|glass|dark|light|main|only|whole) "
)
# Which chair, and in what unit: "the patterned #", "in feet".
_BESIDES = re.compile(rf"(?<=\bthe )[a-z-]+ (?=#)|(?<=\ban )[a-z-]+ (?=#)|(?<=\ba )[a-z-]+ (?=#)|\bin {UNITS}\b")
_NAMES = re.compile(r"(?<=[a-z,] )[A-Z]\w+")
_OVER_FLOOR = re.compile(
    r"(?<=how high) (?:above|over|off|from) the (?:floor|ground)\b|(?<=\w) (?:above|over|off) the (?:floor|ground)(?=[?. ]*$)"
)
_CHINESE_TABLE = re.compile(r"(?:长|圆|方|大|小|餐|会议)桌")


def _extent_question(words: str, language: Literal["en", "zh"], frame: FrameRef | None) -> NamedQuestion | None:
    """How long, wide, deep or tall one thing is, or how high an end of it: "How wide is the red sofa from end to end?"."""
    asked = asked_extent(words)
    if asked is None:
        return None
    said = words[asked.start : asked.end].strip()
    named = mentions(said)
    if not named and _CHINESE_TABLE.fullmatch(said):
        named = [(0, len(said), Mention(said=said, category="table"))]
    if not named or named[-1][1] < len(said) or re.sub(r"[\s#]", "", _without(said, named, _PLAIN)):
        return None
    hue = next((one.color for _, _, one in named if one.color), None)
    thing = Mention(said=said, category=named[-1][2].category, color=hue)
    kind: Kind = "height" if asked.extent in ("bottom", "top", "both") else "size"
    expects = "" if asked.extent == "both" else asked.extent
    return NamedQuestion(kind=kind, things=(thing,), frame=frame, language=language, expects=expects)


def _without(text: str, named: list[tuple[int, int, Mention]], words: re.Pattern[str]) -> str:
    """A text with # for what it names, and without some words."""
    for start, end, _ in reversed(named):
        text = text[:start] + "#" + text[end:]
    return words.sub("", text)


def _is_understood(rest: str, text: str) -> bool:
    """Whether what a text says besides its things is known, but for what describes them and for names that are written large."""
    return is_understood(_BESIDES.sub("", rest), frozenset(name.lower() for name in _NAMES.findall(text[:1000])))


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
    if (
        language == "en"
        and ASKS_DESCRIPTION.match(words)
        and not marked.points
        and not marked.frames
        and not mentions(words)
    ):
        return NamedQuestion(kind="describe", things=(), language=language)
    if _COLOR_CUE.search(words) and not marked.points and len(marked.frames) <= 1:
        # Options behind the question are the colours that it offers.
        whole = find_references(plain(text[:1000])).text.strip()
        return _color_question(whole, language, marked.frames[0] if marked.frames else None)
    frame = marked.frames[0] if marked.frames else None
    if not marked.points and len(marked.frames) <= 1 and (asked := _extent_question(words, language, frame)):
        return asked
    words = _OVER_FLOOR.sub("", words)
    named = mentions(words)
    if marked.points or not named or len(marked.frames) > 1:
        return None
    rest = words
    for start, end, _ in reversed(named):
        rest = rest[:start] + "#" + rest[end:]
    if (color := _is_of_color(rest, named, language, frame)) is not None:
        return color
    cue = next(((kind, expects) for pattern, kind, expects in _CUES if re.search(pattern, rest)), None)
    if cue is None or _BEYOND.search(_ALLOWED.sub("", rest)):
        return None
    kind, expects = cue
    if _NEGATED.search(rest) or not _is_understood(rest, text):
        return None
    if kind == "count" and language == "en" and not _COUNTED.search(rest):
        return None  # "how many legs does the table have", "how many chairs are red"
    if kind in ("size", "height") and _OF_ANOTHER.search(rest):
        return None
    if kind == "exists" and not _IS_THERE.search(rest):
        return None  # "is there room for a sofa", "are there more than two chairs"
    if kind == "height" and _CAMERA.search(rest):
        return None
    polar = _POLAR.search(rest) is not None and not _ASKS_WHICH.search(rest)
    if kind in ("side", "depth_order", "higher") and not polar and not _ASKS_WHICH.search(rest):
        return None  # "the poster behind the plant" is a description
    things = tuple({mention.said: mention for _, _, mention in named}.values())
    if language == "zh" and len(things) == 2 and _THERE_IS.search(rest):
        things = things[::-1]
    if (
        kind in ("side", "depth_order", "higher")
        and polar
        and language == "en"
        and not _AFTER_SECOND.match(rest[rest.rindex("#") + 1 :])
    ):
        return None  # "is the chair behind the table broken"
    if kind == "distance" and len(things) == 1 and _FROM_ELSE.search(rest):
        return None  # "from the corner of the room"
    to = [i for i, (start, _, _) in enumerate(named) if _TO.search(words[:start])]
    if kind == "distance" and len(things) == 2:
        kind = "apart"
    elif kind == "nearer" and not _CAMERA.search(rest) and to:
        if len(things) >= 3:  # the one that the others are near to comes last
            kind, end = "nearest_to", named[to[0]][2]
            things = (*(thing for thing in things if thing != end), end)
        elif "than" not in words[: named[to[0]][0]].rsplit(maxsplit=2)[-2:]:
            return None  # nearest of what there is
    if kind in ("nearest_to", "apart") and any(thing.category in SURFACES for thing in things):
        return None  # of these geometry knows more than where votes have them
    if len(things) < _NEEDED.get(kind, 2) or len(things) > _NEEDED.get(kind, len(things)):
        return None
    return NamedQuestion(
        kind=kind,  # pyright: ignore[reportArgumentType]
        things=things,
        frame=frame,
        language=language,
        expects=expects,
        polar=polar,
    )
