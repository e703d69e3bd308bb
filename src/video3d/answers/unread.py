"""Questions that want a length, an angle or a speed that was not measured, or in words that were not understood.

Nothing measured it, and a small language model would make a number up, or take the nearest one from its prompt.
"""

import re

from video3d.answers.lexicon import tokenize
from video3d.answers.measurement import Measurement
from video3d.answers.named_question import SURFACES, mentions
from video3d.answers.question import parse_question
from video3d.answers.references import find_references, plain, without_options

_AMOUNT = (
    "distance|height|width|length|depth|area|volume|speed|velocity|diameter|radius|thickness|altitude|"
    "elevation|displacement|gap|spacing"
)
_WANTS_AMOUNT = re.compile(
    r"\bhow (?:far|tall|wide|high|deep|big|large|close|near|fast|steep|broad|thick|distant|much (?:nearer|closer|farther|"
    r"further|higher|lower|taller|wider|longer|bigger|larger))\b"
    r"|\bhow long (?:is|are|was|were)\b"
    rf"|\b(?:what(?:'s| is| are| was| were)|give|tell|measure|estimate|compute) (?:me )?(?:the |its )?(?:(?!in |at |near |of |on |with )\w+ ){{0,3}}(?:{_AMOUNT})\b"
    r"|\bhow many (?:square |cubic )?(?:met(?:er|re)s?|cm|centimet(?:er|re)s?|feet|inches|degrees)\b"
    r"|多远|多高|多宽|多长|多大|多深|多快|(?:距离|高度|宽度|长度|深度|尺寸|面积|速度)(?:是|为|有)?多少"
)


_OF_POINTS = frozenset(
    {"HOW_FAR", "DISTANCE", "RANGE", "DEPTH", "AXIS", "NEARER", "NEAREST", "FARTHER", "FARTHEST", "HEIGHT", "HOW_HIGH", "HIGHER",
     "LOWER", "METRES", "DEGREES", "APART", "SLOPE", "HOW_STEEP"}
)  # fmt: skip


def unread_measure(text: str) -> Measurement | None:
    """An honest "not known" for a question that wants an amount but could not be read; None for every other question.

    It names no pixel, or names one in words that were not understood. ``parse_question`` must come first: what it reads
    is measured. Questions about colours, counts or places are no amounts and are the language model's.

    >>> unread_measure("How far is the chair from the table?").source
    'unknown'
    >>> unread_measure("What colour is the chair?") is None
    True
    """
    if parse_question(text) is not None:
        return None
    marked = find_references(plain(without_options(text[:2000])))
    chinese = re.search(r"[\u4e00-\u9fff]", text) is not None
    known = {token.concept for token in tokenize(marked.text)}
    if marked.points and known & _OF_POINTS:
        words = _POINT_WORDS[chinese]
    elif "METRES" in known or _WANTS_AMOUNT.search(marked.text):
        words = _NAME_WORDS[chinese]
    else:
        return None
    return Measurement(text=words, source="unknown", kind="open")


_WHEN = r"(?:(?:in|at) the last frame(?: shown)?|at the end(?: of the (?:video|clip|recording))?|when the (?:video|clip) ends|(?:right )?now)"
_UNIT = r"(?:,? ?(?:in )?\(?(?:m/s|met(?:re|er)s per second|met(?:re|er)s)\)?)?"
_GOES = r"(?:mov|go|driv|walk|runn|roll|travell?|cycl)ing"
_PLAIN_AMOUNT = re.compile(
    rf"(?:{_WHEN},? )?(?:how fast is (?:the )?#(?: {_GOES})?|(?:what is|what's) the speed of (?:the )?#"
    rf"|at what speed{_UNIT} (?:is (?:the )?# {_GOES}|does (?:the )?# (?:move|go|drive|walk|run|roll|travel))"
    r"|(?:how wide is|what is the width of) the (?:gap|passage|opening|free floor|space) between (?:the )?# and (?:the )?#)"
    rf"(?:,? {_WHEN})?{_UNIT}[?. ]*"
)


def is_plain_amount(text: str) -> bool:
    """Whether a question wants the speed of a thing as of the end, or the gap between two, and nothing else: what boxes and tracks tell.

    >>> is_plain_amount("How fast is the red car moving in the last frame, in metres per second?")
    True
    >>> is_plain_amount("How fast can the red car go?"), is_plain_amount("How wide is the gap between the wall and the sofa?")
    (False, False)
    """
    words = plain(without_options(text[:2000])).strip()
    named = mentions(words)
    if any(thing.category in SURFACES for _, _, thing in named):
        return False
    for start, end, _ in reversed(named):
        words = f"{words[:start]}#{words[end:]}"
    return _PLAIN_AMOUNT.fullmatch(words) is not None


_EXAMPLE = ('"How far is pixel (320, 240) in frame 12?"', "“第12帧像素(320,240)离相机多远？”")
_NAME_WORDS = (
    "This asks for an amount, but was not understood as one that can be measured or estimated here: how far, how high or how large a "
    "thing is that has a common name, the camera's motion, the room, points in the images. Please ask in other words, or name a pixel and "
    f"a frame, for example {_EXAMPLE[0]}. Paths, free floor and places to put things are what `video3d analyze` finds.",
    "这个问题要的是一个量，但没有理解为这里能测量或估计的量：常见物体的距离、高度或大小，相机运动，房间，图像中的点。请换一种说法，或给出像素和帧，"
    f"例如{_EXAMPLE[1]}。路径、可通行地面和放置位置请用 `video3d analyze`。",
)
_POINT_WORDS = (
    "This names a point in an image but was not understood as one of the measurements of points: distance from the camera, "
    "depth, which of several is nearer, distance between two, height over the floor, slope of the surface. Please ask in "
    f"other words, for example {_EXAMPLE[0]}.",
    "问题给出了图像中的点，但没有理解为以下测量之一：到相机的距离、深度、哪个更近、两点间距离、离地高度、表面坡度。"
    f"请换一种说法，例如{_EXAMPLE[1]}。",
)
