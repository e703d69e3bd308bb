"""Frames, times and image points named in a question, in English or Chinese.

Each is cut out of the text and replaced by one character (a marker), so that what remains are words. What the words
mean is ``question``'s business.

What numbers mean:
- "frame 12" is index 12 of the recording, counted from 0; so is "第12帧". Ordinals count from one: "the first frame" is
  index 0, "the 12th frame" is index 11, and so is "第十二帧" with its numeral in words.
- "pixel (320, 240)" is column 320, row 240 at the recording's full size, counted from 0 at the top left; its centre is
  at (320.5, 240.5). Fractions such as (0.5, 0.25), or percent, are shares of the width and height.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.answers.numerals import CHINESE_NUMBER, NUMBER, WHOLE, read_chinese, read_number

_FRAME_MARK, _POINT_MARK = 0xE100, 0xE200  # private-use characters: no text holds them
_MARKS_EACH = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRef:
    """How a question names a frame.

    Attributes:
        by: ``index`` into the recording; ``from_end`` (0 is the last frame); ``share`` of the recording (0 first, 0.5
            middle, 1 last); ``time`` in seconds; ``time_from_end`` in seconds before the last frame.
        value: the number.
    """

    by: Literal["index", "from_end", "share", "time", "time_from_end"]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRef:
    """An image point that a question names.

    Attributes:
        x: column, from the left.
        y: row, from the top.
        unit: ``px`` at the recording's full size, or ``share`` of width and height (0..1).
        frame: the frame it is in, None where none is named.
    """

    x: float
    y: float
    unit: Literal["px", "share"] = "px"
    frame: FrameRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A question with markers in place of what it names; ``frames`` and ``points`` are not in the order of the text."""

    text: str
    frames: tuple[FrameRef, ...]
    points: tuple[PointRef, ...]


def frame_mark(char: str) -> int | None:
    """The position in ``Marked.frames`` that a character stands for, or None."""
    place = ord(char) - _FRAME_MARK
    return place if 0 <= place < _MARKS_EACH else None


def point_mark(char: str) -> int | None:
    """The position in ``Marked.points`` that a character stands for, or None."""
    place = ord(char) - _POINT_MARK
    return place if 0 <= place < _MARKS_EACH else None


_OPTIONS = re.compile(r"\s*\boptions: .*$", re.DOTALL | re.IGNORECASE)


def without_options(text: str) -> str:
    """A question without the answers to choose from that an examination sets behind it: they are not what is asked about.

    >>> without_options("Which is nearer? Options: the bed; the sofa.")
    'Which is nearer?'
    """
    return _OPTIONS.sub("", text)


def plain(text: str) -> str:
    """Lower case, one kind of quote, dash, space and bracket; full-width and private-use characters gone.

    >>> plain("How  far is pixel（320，240）— in Frame №12？")
    'how far is pixel(320,240)- in frame no12?'
    """
    text = unicodedata.normalize("NFKC", text).lower()
    text = "".join(" " if unicodedata.category(c) in ("Co", "Cc", "Cf", "Zl", "Zp") else c for c in text)
    for old, new in (("‘’`´ʼ", "'"), ("“”", '"'), ("–—−‐‑‒", "-"), ("×", "x"), ("°", " degrees "), ("、", ",")):
        text = re.sub(f"[{old}]", new, text)
    return re.sub(r"\s+", " ", text).strip()


def resolve_frame(ref: FrameRef, num_frames: int, time_s: Float64[np.ndarray, "f"] | None = None) -> int | None:
    """The index into the recording that a reference names; None if it is outside, or named by a time that is not known.

    A time names the frame nearest to it, and must lie within half a frame's spacing (at least 0.5 s) of the recording.

    >>> resolve_frame(FrameRef(by="share", value=0.5), 9)
    4
    >>> resolve_frame(FrameRef(by="time", value=0.9), 3, np.array([0.0, 1.0, 2.0]))
    1
    """
    if num_frames <= 0:
        return None
    if ref.by == "share":
        return int(ref.value * (num_frames - 1))
    if ref.by in ("index", "from_end"):
        index = int(ref.value) if ref.by == "index" else num_frames - 1 - int(ref.value)
        return index if 0 <= index < num_frames else None
    if time_s is None or not np.isfinite(time_s).any():
        return None
    last = float(np.nanmax(time_s))
    wanted = ref.value if ref.by == "time" else last - ref.value
    nearest = int(np.nanargmin(np.abs(time_s - wanted)))
    spacing = last / max(1, num_frames - 1)
    return nearest if abs(float(time_s[nearest]) - wanted) <= max(0.5, spacing / 2) else None


class _Marker:
    """Collects references while patterns are replaced by markers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.frames: list[FrameRef] = []
        self.points: list[PointRef] = []

    def frame(self, by: str, value: float | int) -> str:
        if len(self.frames) == _MARKS_EACH:
            return " "
        self.frames.append(FrameRef(by=by, value=float(value)))  # pyright: ignore[reportArgumentType]
        return f" {chr(_FRAME_MARK + len(self.frames) - 1)} "

    def point(self, x: float, y: float, *, share: bool = False) -> str:
        if len(self.points) == _MARKS_EACH:
            return " "
        self.points.append(PointRef(x=x, y=y, unit="share" if share else "px"))
        return f" {chr(_POINT_MARK + len(self.points) - 1)} "

    def replace(self, pattern: str, make: Callable[[re.Match[str]], str]) -> None:
        self.text = re.sub(pattern, make, self.text)


_NO = r"(?:no\.?|number|index|idx|id|nr\.?|num)?"
_FRAME = r"(?:key)?(?:frame|image|img|photo|picture|view)"
_SEC = r"(?:seconds?|secs?|s)(?![a-z])"
_MOVIE = (
    r"(?:video|clip|recording|sequence|footage|walk|walkthrough|scan|film|movie|tour|trajectory|path|route|capture)"
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_SHARES = {
    **dict.fromkeys(
        ("first", "1st", "initial", "opening", "starting", "start", "beginning", "outset", "very first"), 0.0
    ),
    **dict.fromkeys(("last", "final", "ending", "closing", "end", "finish", "very last"), 1.0),
    **dict.fromkeys(("middle", "central", "mid", "halfway", "midpoint", "centre", "center", "half", "midway"), 0.5),
}
_CHINESE_SHARES = {
    **dict.fromkeys(("首", "第一", "开始", "开头", "起始", "一开始", "起初"), 0.0),
    **dict.fromkeys(("最后一", "末", "最末", "结束", "结尾", "末尾", "最后"), 1.0),
    **dict.fromkeys(("中间", "中间一", "正中间", "中间那", "一半", "中途"), 0.5),
}


def _any(words: Sequence[str]) -> str:
    return "(?:" + "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True)) + ")"


def find_references(text: str) -> Marked:
    """Cuts every frame, time and image point out of a question that went through ``plain``.

    >>> found = find_references("how far is pixel (320, 240) in frame 12?")
    >>> found.points, found.frames[0].value
    ((PointRef(x=320.0, y=240.0, unit='px', frame=None),), 12.0)
    """
    marker = _Marker(text)
    _mark_shares_of_picture(marker)
    _mark_bracketed_points(marker)  # before the frames: "frame 125 and (382, 183) in frame 0" names no frame 382
    _mark_frames(marker)
    _mark_times(marker)
    _mark_moments(marker)
    _mark_chinese_frames(marker)
    _mark_points(marker)
    return Marked(text=marker.text, frames=tuple(marker.frames), points=tuple(marker.points))


def _mark_shares_of_picture(marker: _Marker) -> None:
    """Percent first, because their numbers must not be read as anything else."""
    marker.replace(
        rf"\(?({NUMBER}) ?% ?(?:of the width|across|from (?:the )?left|width|horizontally|in x)?[, ]*(?:and|by|x)? ?"
        rf"({NUMBER}) ?% ?(?:of the height|down|from (?:the )?top|height|vertically|in y)?\)?",
        lambda m: marker.point(read_number(m[1]) / 100, read_number(m[2]) / 100, share=True),
    )


def _mark_frames(marker: _Marker) -> None:
    number = rf"#? ?{_NO} ?[#=:\[(]? ?0*({WHOLE})(?![\d]|\.\d)[\])]?"
    joint = r"(?: and | to | through | thru | till | until | up to | or | vs\.? | versus | ?- ?| & )"
    marker.replace(
        rf"\b{_FRAME}s?[ _-]?{number}"
        rf"(?:{joint}(?:the )?(?:{_FRAME}s?)?[ _-]?|(?<=\d), ?(?:and )?{_FRAME}[ _-]?){number}(?! ?, ?\d)",
        lambda m: f"{marker.frame('index', read_number(m[1]))}and{marker.frame('index', read_number(m[2]))}",
    )
    # "frame 7 of 16" counts from 1, as people do who say how many there are.
    marker.replace(
        rf"\b{_FRAME} ?#?({WHOLE}) of (?:the )?{WHOLE}\b", lambda m: marker.frame("index", read_number(m[1]) - 1)
    )
    marker.replace(
        rf"\b(first|last|final|initial) ({WHOLE}) {_FRAME}s\b",
        lambda m: _window(marker, m[1] in ("first", "initial"), "index", "from_end", read_number(m[2]) - 1),
    )
    marker.replace(
        rf"\b(?:{_FRAME}s?|f)[ _-]?{number}(?! ?[,x] ?\d+ ?\))", lambda m: marker.frame("index", read_number(m[1]))
    )
    marker.replace(
        rf"\b(?:second[ -]to[ -]last|next[ -]to[ -]last|penultimate|last[ -]but[ -]one) {_FRAME}\b",
        lambda _: marker.frame("from_end", 1),
    )
    both = _any([w for w, s in _SHARES.items() if s == 0.0 and w not in ("start", "beginning")])
    marker.replace(
        rf"\b{both} and (?:the )?(?:very )?(?:last|final) {_FRAME}s?\b",
        lambda _: f"{marker.frame('share', 0)}and{marker.frame('share', 1)}",
    )
    marker.replace(rf"\b({_any(list(_SHARES))})(?: |-){_FRAME}\b", lambda m: marker.frame("share", _SHARES[m[1]]))
    marker.replace(rf"\b({_any(_ORDINALS)}) {_FRAME}\b", lambda m: marker.frame("index", _ORDINALS.index(m[1])))
    marker.replace(rf"\b(\d+)(?:st|nd|rd|th) {_FRAME}\b", lambda m: marker.frame("index", int(m[1]) - 1))


def _window(marker: _Marker, first: bool, by: str, by_end: str, length: float | int) -> str:
    """The first or last so many frames or seconds, as the two frames that bound them."""
    if first:
        return f"{marker.frame('share', 0)}and{marker.frame(by, length)}"
    return f"{marker.frame(by_end, length)}and{marker.frame('share', 1)}"


def _mark_times(marker: _Marker) -> None:
    t = r"(?:t ?=? ?|time ?=? ?|timestamp ?=? ?)?"
    into = rf"(?: ?-?mark| point)?(?: in(?:to)?(?: the {_MOVIE})?\b)?"
    marker.replace(
        rf"\b(?:from|between) {t}({NUMBER}) ?(?:{_SEC})? (?:and|to|until|till) {t}({NUMBER}) ?-?{_SEC}",
        lambda m: f"between{marker.frame('time', read_number(m[1]))}and{marker.frame('time', read_number(m[2]))}",
    )
    marker.replace(
        rf"\b(first|last|final|initial) ({NUMBER}) ?{_SEC}",
        lambda m: _window(marker, m[1] in ("first", "initial"), "time", "time_from_end", read_number(m[2])),
    )
    marker.replace(
        rf"\b(first|second|last) half(?: of the {_MOVIE})?\b",
        lambda m: "{}and{}".format(
            *(marker.frame("share", s) for s in ((0.0, 0.5) if m[1] == "first" else (0.5, 1.0)))
        ),
    )
    marker.replace(
        r"(?:(?:\bat|@|\bafter|\bby) |\bt ?= ?|\btime ?=? ?)(\d+):([0-5]\d(?:\.\d+)?)(?!\d)(?: minutes?| min)?",
        lambda m: marker.frame("time", 60 * int(m[1]) + float(m[2])),
    )
    marker.replace(
        rf"(?:\b(?:at|after|around|by|near|about) |@ ?)+(?:the )?{t}({NUMBER}) ?-?{_SEC}{into}",
        lambda m: marker.frame("time", read_number(m[1])),
    )
    marker.replace(
        rf"\b(?:at )?(?:t ?=|time ?=?|timestamp ?=?|second) ?({NUMBER})(?: ?{_SEC})?(?![\d,])",
        lambda m: marker.frame("time", read_number(m[1])),
    )
    marker.replace(
        rf"\b({NUMBER}) ?{_SEC} (?:in|into)(?: the {_MOVIE})?\b(?! (?:frame|total))",
        lambda m: marker.frame("time", read_number(m[1])),
    )


def _mark_moments(marker: _Marker) -> None:
    """The beginning, the middle and the end of the recording."""
    start, end = r"(?:the )?(?:start|beginning|outset)", r"(?:the )?(?:end|finish)"
    apart = rf"(?:and|to|till|until) {end}\b(?: of the {_MOVIE})?(?! (?:point|position|pose))"
    marker.replace(rf"\b(?:(?:from|between) )?{start} {apart}",
                   lambda _: f"between{marker.frame('share', 0)}and{marker.frame('share', 1)}")  # fmt: skip
    one = r"(?:the )?(start|beginning|outset|middle|midpoint|half ?way|half)(?: point)?"
    other = r"(?:the )?(middle|midpoint|half ?way|half|end|finish)(?: point)?"
    marker.replace(
        rf"\b(?:from|between) {one} (?:and|to|till|until) {other}\b(?: of the {_MOVIE})?(?! (?:position|pose|of))",
        lambda m: "between{}and{}".format(*(marker.frame("share", _SHARES[w.replace(" ", "")]) for w in m.groups())),
    )
    word = r"(start|beginning|outset|end|finish|middle|midpoint|half|halfway)"
    marker.replace(
        rf"\b(?:at |in |near |by |to |from )?(?:the )?(?:very )?{word}(?: point)? (?:of|through|into) "
        rf"(?:the |this )?(?:whole )?{_MOVIE}\b",
        lambda m: marker.frame("share", _SHARES[m[1]]),
    )
    marker.replace(rf"\b(?:at|in|by|near|towards?) the (?:very )?{word}\b(?! (?:of|point|position|pose|frame|pixel))",
                   lambda m: marker.frame("share", _SHARES[m[1]]))  # fmt: skip
    marker.replace(rf"\b(?:half|mid)way(?: (?:through|into)(?: the {_MOVIE})?)?\b",
                   lambda _: marker.frame("share", 0.5))  # fmt: skip
    marker.replace(r"\binitially\b|\bat first\b", lambda _: marker.frame("share", 0))


def _mark_chinese_frames(marker: _Marker) -> None:
    def index(text: str) -> float:
        return float(text) if text.isdigit() else read_chinese(text) - 1

    count = rf"(\d+|{CHINESE_NUMBER})"
    unit = r"(?:帧|张图片?|张照片|幅图)"
    marker.replace(
        rf"第 ?{count} ?{unit}? ?(?:到|至|和|与|跟|-) ?第? ?{count} ?{unit}",
        lambda m: f"{marker.frame('index', index(m[1]))}到{marker.frame('index', index(m[2]))}",
    )
    marker.replace(r"从头到尾|从开始到结束|自始至终|从开头到结尾|从第一帧到最后一帧",
                   lambda _: f"{marker.frame('share', 0)}到{marker.frame('share', 1)}")  # fmt: skip
    marker.replace(
        rf"({_any(list(_CHINESE_SHARES))})(?:的?那?一?{unit}|的?时候|时刻|时(?!长|间)|处)",
        lambda m: marker.frame("share", _CHINESE_SHARES[m[1]]),
    )
    marker.replace(r"一开始|刚开始|最开始|起初", lambda _: marker.frame("share", 0))
    marker.replace(r"(?:视频|录像)的?(开头|开始|结尾|末尾|中间|最后)",
                   lambda m: marker.frame("share", _CHINESE_SHARES[m[1]]))  # fmt: skip
    marker.replace(
        rf"(前|最后) ?{count} ?(秒钟?|{unit})",
        lambda m: (
            _window(marker, m[1] == "前", "time", "time_from_end", index(m[2]) + (not m[2].isdigit()))
            if m[3].startswith("秒")
            else _window(marker, m[1] == "前", "index", "from_end", index(m[2]) - m[2].isdigit())
        ),
    )
    marker.replace(rf"第 ?{count} ?{unit}|帧 ?(\d+)", lambda m: marker.frame("index", index(m[1] or m[2])))
    marker.replace(r"第? ?(\d+(?:\.\d+)?) ?(?:秒钟?|s)(?:的?时候|时刻|时(?!长|间)|处|那一刻)?(?![a-z])",
                   lambda m: marker.frame("time", float(m[1])))  # fmt: skip


_COORDINATE = rf"(-?{NUMBER}|-?\.\d+)"
_PX = r"(?: ?(?:px|pixels?))?"


def _point(marker: _Marker, m: re.Match[str]) -> str:
    x, y = read_number(m[1]), read_number(m[2])
    share = 0 <= x <= 1 and 0 <= y <= 1 and ("." in m[1] or "." in m[2])
    return marker.point(x, y, share=share)


def _mark_bracketed_points(marker: _Marker) -> None:
    number = _COORDINATE
    marker.replace(
        rf"[(\[]? ?\b[xu] ?[=:]? ?{number}{_PX} ?(?:[,;]| and|, and)? ?[yv] ?[=:]? ?{number}{_PX} ?[)\]]?",
        lambda m: _point(marker, m),
    )
    marker.replace(
        rf"(?<!frames )(?<!frames)[(\[] ?{number}{_PX} ?[,; ] ?{number}{_PX} ?[)\]]", lambda m: _point(marker, m)
    )


def _mark_points(marker: _Marker) -> None:
    number, px = _COORDINATE, _PX

    def point(m: re.Match[str]) -> str:
        return _point(marker, m)

    def swapped(m: re.Match[str]) -> str:
        return marker.point(read_number(m[2]), read_number(m[1]))

    across = rf"{number}{px} (?:from (?:the )?left(?: edge| side)?|across|to the right)"
    down = rf"{number}{px} (?:from (?:the )?top(?: edge)?|down)"
    marker.replace(rf"{across}(?:,| and|, and)? {down}", point)
    marker.replace(rf"{down}(?:,| and|, and)? {across}", swapped)
    marker.replace(rf"\b(?:at )?(?:row|line) ?=? ?{number},?(?: and)? (?:column|col) ?=? ?{number}", swapped)
    marker.replace(rf"\b(?:at )?(?:column|col) ?=? ?{number},?(?: and)? (?:row|line) ?=? ?{number}", point)
    named = r"(?:pixels?|points?|position|coordinates?|coords?|px|location|spot|像素点?|坐标|点)"
    marker.replace(rf"{named} ?(?:at |is |= ?|: ?)?{number} ?[,/; x] ?{number}(?![\d.%])", point)
    before = "|".join(
        rf"(?<=\b{word} )" for word in ["at", "is", "of", "to", "for", "and", "or", "than", "from", "between"]
    )
    marker.replace(rf"(?:{before}){number} ?, ?{number}(?![\d.%])", point)
    picture = r"(?:image|picture|frame|view|photo|screen|shot|video frame)"
    centre = r"(?:(?:very|exact|dead) )?(?:centre|center|middle)"
    dot = r"(?:most)? ?(?:pixel|point|spot)"

    def middle(_: re.Match[str]) -> str:
        return marker.point(0.5, 0.5, share=True)

    marks = f"[{chr(_FRAME_MARK)}-{chr(_FRAME_MARK + _MARKS_EACH - 1)}]"
    marker.replace(rf"\b{centre}(?:{dot})? (?:of|in) (?:the |this |that )?(?:{picture}\b|(?= ?{marks}))", middle)
    marker.replace(rf"\b{picture}(?:'s)? {centre}\b(?:{dot})?", middle)
    marker.replace(rf"(?<={marks} )'s {centre}\b(?:{dot})?", middle)
    marker.replace(r"\b(?:centre|center|central|middle) (?:pixel|point)\b", middle)
    chinese = rf"(?:图像|画面|图片|照片|影像|图|屏幕|(?<={marks} ))"
    marker.replace(rf"{chinese}的?正?(?:中心|中央|正中|中间)(?:点|像素|处)?", middle)
    marker.replace(r"中心(?:像素点?|点)", middle)
    corner = {"left": 0.0, "right": 1.0, "top": 0.0, "upper": 0.0, "bottom": 1.0, "lower": 1.0}
    marker.replace(
        rf"\b(top|upper|bottom|lower)[ -](left|right)(?:-hand)? corner(?: pixel)?(?: of the {picture}\b)?",
        lambda m: marker.point(corner[m[2]], corner[m[1]], share=True),
    )
