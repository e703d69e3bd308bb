"""The form of the answer that a question wants, and whether words have it: one of what it offers, yes or no, a number, a colour.

A small language model that was not taught a form falls back on what it was taught most: a caption, the name of a thing, a place. Such
words are true of something, but they do not answer, and whoever asked would take them for an answer.
"""

import re
from typing import Literal

from video3d.answers.numerals import CHINESE_NUMBER, NUMBER, UNITS
from video3d.answers.references import plain, without_options
from video3d.vocabulary import COLORS, normalise

Form = Literal["choice", "yes_no", "count", "colour", "material", "open"]

_OPTIONS = re.compile(r"\boptions: (.*)$", re.DOTALL)
_COUNTS = re.compile(
    rf"\bhow many (?!{UNITS}\b)|\bnumber of\b|几[个把张只辆本台扇盏盆]|多少(?!米|公里|厘米|毫米|度|秒|平)"
)
_COLOUR = re.compile(r"\b(?:what|which) colou?rs?\b|\bcolou?r (?:is|are|of)\b|什么颜色|颜色是")
_MATERIAL = re.compile(r"\bmade (?:out )?of\b|\b(?:what|which) materials?\b|什么(?:材料|材质|做的|制成)")
_POLAR = re.compile(
    r"^(?:[^?,:]*[,:] )?(?:is|are|was|were|does|do|did|has|have|can|could)(?:n't)? (?:the|a|an|there|it|this|that|these|those|any|one|you|"
    r"i|we|all|some|\w+s)\b|[吗嘛]|是否|有没有|是不是"
)
_OR = re.compile(r"\bor\b|还是|或者")
_YES_OR_NO = re.compile(
    r"\b(?:yes|no|not|none|nothing|isn't|aren't|doesn't|don't|correct|true|false)\b|[是否有没不对会能在]|可以"
)
_IS_THERE = re.compile(r"^(?:is|are) there\b|有没有")
_YES = re.compile(r"yes\b|true\b|correct\b|是|有")
_DESCRIBES = re.compile(
    r"\b(?:describe|description|caption|summar\w*|tell me about|what (?:do|can|could) (?:you|i|we|one)(?: all)? see|what (?:is|are) (?:there|visible|shown)|"
    r"what(?:'s| is| can be seen| is seen| does) (?:in )?(?:the|this) (?:video|clip|recording|scene|room|picture|image|place)|"
    r"which room|what (?:kind|sort|type) of (?:room|place|scene))\b|描述|有什么|有哪些|看到了?什么|内容"
)
_CAPTION = re.compile(r"^(?:an?|the) (?:[\w-]+ ){1,3}with (?:an?|the|some|\w+) .*,|^[^,，。]*里?有[^,，、。]*[,，、]")
_MORE_COLOURS = (
    "beige cream golden gold silver silvery transparent clear turquoise violet magenta maroon tan ivory navy lilac teal colourful colorful "
    "multicoloured multicolored dark light gray striped wooden"
)
_MATERIALS = re.compile(
    r"\b(?:wood(?:en)?|timber|plywood|oak|pine|bamboo|metal(?:lic)?|steel|iron|alumini?um|brass|copper|plastic|glass|fabric|cloth|textile|"
    r"cotton|wool|linen|leather|stone|marble|granite|concrete|cement|ceramics?|porcelain|tiles?|tiled|brick|paper|cardboard|carpet|rubber|foam|"
    r"wicker|rattan|laminate|vinyl|clay|acrylic|fur)\b|木|金属|钢|铁|铝|塑料|玻璃|布|皮|石|混凝土|陶|瓷|砖|纸|地毯|橡胶|竹"
)
# Two ends of a scale that questions offer in one breath: "is it to the left or to the right of".
_ENDS = (
    (r"\bleft\b|左", r"\bright\b|右"),
    (r"\babove\b|\bover\b|上", r"\bbelow\b|\bbeneath\b|\bunder\b|下"),
    (r"\bon (?:the )?top\b|上", r"\bunder(?:neath)?\b|\bbelow\b|\bbeneath\b|下"),
    (r"\bin front\b|前", r"\bbehind\b|后"),
    (r"\b(?:nearer|closer)\b|近", r"\b(?:farther|further)\b|远"),
    (r"\bhigher\b|高", r"\blower\b|低"),
    (r"\binside\b|里", r"\boutside\b|外"),
    (r"\bopen\b|开", r"\b(?:closed|shut)\b|关"),
)
_SMALL = "a an the of to at in on by it its them is are one and for with from side end that this other some"
_SMALL_WORDS = frozenset(_SMALL.split())


def wanted_form(question: str) -> Form:
    """What kind of answer a question wants; ``open`` where any words may be one.

    >>> wanted_form("What is the table made of?"), wanted_form("Is the chair red?"), wanted_form("Which is it: wood or carpet?")
    ('material', 'yes_no', 'choice')
    >>> wanted_form("What do you see?"), wanted_form("有几把椅子？")
    ('open', 'count')
    """
    text = plain(question[:2000])
    asked = without_options(text)
    if offered(question):
        return "choice"
    cues: tuple[tuple[Form, re.Pattern[str]], ...] = (
        ("count", _COUNTS),
        ("colour", _COLOUR),
        ("material", _MATERIAL),
    )
    for form, cue in cues:
        if cue.search(asked) and not (form == "material" and _POLAR.search(asked)):
            return form
    return "yes_no" if _POLAR.search(asked) and not _OR.search(asked) else "open"


def offered(question: str) -> tuple[str, ...]:
    """The answers that a question lets one choose from, as patterns in lower case; () where it offers none, or not plainly.

    Those of an examination stand behind "Options:", others behind a colon or a comma with "or" before the last; or they are the ends of a
    scale, left or right.

    >>> offered("What lies there: a backpack, a cat or a laptop?")
    ('a backpack', 'a cat', 'a laptop')
    >>> len(offered("Is the mug to the left or to the right of the box?")), offered("Is there a chair?")
    (2, ())
    """
    text = plain(question[:2000])
    if found := _OPTIONS.search(text):
        return tuple(one for part in found[1].split(";") if (one := part.strip(" .")))
    text = text.rstrip("?？.。 ")
    if not _OR.search(text):
        return ()
    for ends in _ENDS:
        places = [re.search(end, text) for end in ends]
        between = [place for place in places if place is not None]
        if len(between) == 2:
            low, high = sorted((place.span() for place in between), key=lambda span: span[0])
            more = re.search(
                r",\s*[^,]{1,12},\s*(?:(?:to|on|at) )?(?:the |its )?$", text[: low[0]]
            )  # front, back, left or right
            if _OR.search(text[low[1] : high[0]]) and not more:
                return tuple(ends)
    listed = re.split(r"[:：]", text)[-1] if re.search(r"[:：]", text) else _behind_the_question(text)
    found = tuple(one for part in re.split(r",|，|、|\bor\b|还是|或者", listed) if (one := part.strip()))
    return (
        found if len(found) >= 2 and all(len(one) <= 80 for one in found) and not re.search(r"[.。] ", listed) else ()
    )


def _behind_the_question(text: str) -> str:
    """What follows the first comma of "which is nearer, the bed, the sofa or the desk": "" where the question itself does."""
    head, _, rest = text.partition(",")
    return rest if re.match(r"(?:which|what|where|who|whose|how)\b|哪|什么", head) and _OR.search(rest) else ""


def has_form(question: str, said: str) -> bool:
    """Whether words are an answer to what was asked, right or wrong.

    >>> has_form("What is the floor: wood or carpet?", "table rests on the floor"), has_form("What is the floor: wood or carpet?", "It is wood.")
    (False, True)
    >>> has_form("Is there a clock with hands?", "yes"), has_form("Is there a clock with hands?", "no")
    (False, True)
    >>> has_form("Is the chair red?", "the chair"), has_form("What is the table made of?", "A room with a table, a white door, a ball.")
    (False, False)
    """
    text, form = plain(said), wanted_form(question)
    if not text or (form != "open" and _CAPTION.search(text)):
        return False
    if form == "choice":
        return any(_names(text, one) for one in offered(question))
    if form == "yes_no":  # what nothing found, the language model has not seen
        guessed = _IS_THERE.search(plain(question[:2000])) and _YES.match(text)
        return bool(_YES_OR_NO.search(text)) and not guessed
    if form == "count":
        return bool(
            re.search(rf"(?<![\w.]){NUMBER}|{CHINESE_NUMBER}|\b(?:no|none|nothing|one|several|many|few)\b|没", text)
        )
    if form == "colour":
        hues = "|".join([one.name for one in COLORS] + _MORE_COLOURS.split())
        return bool(
            re.search(rf"\b(?:{hues})(?:ish)?\b|{'|'.join(one.zh for one in COLORS)}|[红橙黄绿蓝紫粉棕白灰黑]", text)
        )
    if form == "material":
        return bool(_MATERIALS.search(text))
    return bool(_DESCRIBES.search(plain(question[:2000]))) or not _CAPTION.search(text)


def _names(said: str, option: str) -> bool:
    """Whether words name an option: its own words, or the word that it ends with, or one for the same thing."""
    if "\\b" in option or "|" in option:
        return re.search(option, said) is not None
    if not option.isascii():
        return option in said or said in option
    wanted, words = _words(option), _words(said)
    if not wanted:
        return bool(re.search(rf"(?<!\w){re.escape(option)}(?!\w)", said))
    return wanted <= words or said in option or _last(option) in words


def _words(text: str) -> frozenset[str]:
    return frozenset(_word(one) for one in re.findall(r"[\w'-]+", text) if one not in _SMALL_WORDS)


def _last(text: str) -> str:
    return next(_word(one) for one in reversed(re.findall(r"[\w'-]+", text)) if one not in _SMALL_WORDS)


def _word(one: str) -> str:
    return normalise(one) or re.sub(r"(?<=\w\w)s$", "", one)


_LACKING: dict[Form, tuple[str, str]] = {
    "choice": ("which of these it is", "是其中哪一个"),
    "yes_no": ("whether that is so", "是不是这样"),
    "count": ("how many there are", "有多少"),
    "colour": ("what colour that is", "是什么颜色"),
    "material": ("what that is made of", "是什么材料"),
}


def cannot_tell(question: str) -> str:
    """An honest answer where the language model has none of the form that is asked for; "" for questions that any words may answer.

    >>> cannot_tell("Is the chair red?")[:35]
    'I cannot tell whether that is so: n'
    """
    form = wanted_form(question)
    if form not in _LACKING:
        return ""
    english, chinese = _LACKING[form]
    if re.search(r"[\u4e00-\u9fff]", question):
        return f"不能确定{chinese}：已测量和已找到的内容都不能回答，语言模型也没有给出这种形式的答案。"
    return (
        f"I cannot tell {english}: nothing that was measured or found by name answers it, and what the language model made of it is no answer "
        "to this question."
    )
