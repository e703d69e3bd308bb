"""Which frame each image point of a question is in, and whether unknown words only describe the points."""

from dataclasses import replace

from video3d.answers.lexicon import FILLER, FRAME_MARK, POINT_MARK, UNKNOWN, Token
from video3d.answers.references import FrameRef, Marked, PointRef

_NAMING = {"POINT", "AT", "THING", "SURFACE", "TOP"}
_ARTICLES = {"the", "a", "an", "that", "by", "lying", "lies", "placed", "sitting", "marked", "given", "corresponding"}


def bind_points(tokens: list[Token], marked: Marked) -> tuple[tuple[PointRef, ...], tuple[FrameRef, ...]]:
    """Points with their frames in the order of the text, and the frames that belong to no point.

    A point is in the frame named right before it ("frame 12, pixel (3, 4)") or right after it ("(3, 4) in frame 12");
    otherwise it shares the frame of the next point, then of the previous one, then the first frame named.
    """
    marks = [(i, t) for i, t in enumerate(tokens) if t.concept in (FRAME_MARK, POINT_MARK)]
    bound: dict[int, int] = {}  # position of a point mark in marks -> position in marked.frames
    taken: set[int] = set()
    for reach in (_right_before, _right_after):
        for k, (i, token) in enumerate(marks):
            neighbor = k - 1 if reach is _right_before else k + 1
            if token.concept != POINT_MARK or k in bound or not 0 <= neighbor < len(marks):
                continue
            j, other = marks[neighbor]
            between = tokens[j + 1 : i] if j < i else tokens[i + 1 : j]
            if other.concept == FRAME_MARK and other.place not in taken and reach(between):
                bound[k] = other.place
                taken.add(other.place)
    order = [k for k, (_, t) in enumerate(marks) if t.concept == POINT_MARK]
    frames_in_text = [t.place for _, t in marks if t.concept == FRAME_MARK]
    points = []
    for k in order:
        nearest = [bound[m] for m in order if m in bound and m > k] + [bound[m] for m in reversed(order) if m in bound]
        place = bound.get(k, (nearest or frames_in_text or [None])[0])
        if place is not None:
            taken.add(place)
        frame = None if place is None else marked.frames[place]
        points.append(replace(marked.points[marks[k][1].place], frame=frame))
    return tuple(points), tuple(marked.frames[p] for p in frames_in_text if p not in taken)


def _right_before(between: list[Token]) -> bool:
    """Only words such as "at pixel" stand between a frame and the point after it."""
    return all(t.concept in ("POINT", "AT", "COMMA", "OF") or t.text in ("the", "has", "is") for t in between) and (
        len(between) <= 4
    )


def _right_after(between: list[Token]) -> bool:
    """Only words such as "in the" stand between a point and the frame after it."""
    return all(
        t.concept in ("AT", "OF", "ON", "COMMA", "POINT", "FROM") or t.text in _ARTICLES | {"is"} for t in between
    )


def unknown_words_are_harmless(tokens: list[Token]) -> bool:
    """Whether a question that names image points can be read without its unknown words.

    They may be part of what a point is called ("the mug at (320, 240)") or say how one came to it ("if I click on").
    They must not be what a point is measured against, nor a thing that is measured from the point: "how far is the mug
    at P from the camera" speaks of P, "how far is the chair from P" of a chair. No number may be left.
    """
    places = [i for i, t in enumerate(tokens) if t.concept == UNKNOWN]
    if any(not tokens[i].text[0].isalpha() for i in places):
        return False
    num_points = sum(t.concept == POINT_MARK for t in tokens)
    loose = [
        i for i in places if not (_describes_next(tokens, i, spans=num_points >= 2) or _describes_previous(tokens, i))
    ]
    if not loose:
        return True
    point = next(i for i, t in enumerate(tokens) if t.concept == POINT_MARK)
    if num_points == 1 and _governor(tokens, point, also=("AT",)) in {"FROM", "TO", "THAN", "BETWEEN", "AND", "OR"}:
        return False
    return all(_governor(tokens, i) not in _AGAINST | _QUALIFIED for i in loose)


_AGAINST = {
    "FROM",
    "TO",
    "THAN",
    "BETWEEN",
    "OR",
    "AND",
    "AT",
    "ON",
    "OF",
    "ABOVE",
    "BELOW",
    "FRONT",
    "BEHIND",
    "COMMA",
}
_QUALIFIED = {"NEAREST", "FARTHEST", "NEARER", "FARTHER", "HIGHEST", "LOWEST", "LEFT", "RIGHT", "MAX", "MIN"}


def _governor(tokens: list[Token], place: int, also: tuple[str, ...] = ()) -> str:
    """What stands before a phrase: the concept of the last token before it that is no article or part of its name."""
    for token in reversed(tokens[:place]):
        if token.concept in ("POINT", UNKNOWN, *also) or token.text in ("the", "a", "an", "this", "that", "its"):
            continue
        return "OF" if token.text in ("my", "our", "your") else token.concept
    return ""


def _describes_next(tokens: list[Token], place: int, *, spans: bool) -> bool:
    for token in tokens[place + 1 :]:
        if token.concept == POINT_MARK:
            return True
        bracket = token.concept == "COMMA" and token.text in "(["
        named = bracket or token.concept in _NAMING | {UNKNOWN, "BELOW", "VISIBLE", FRAME_MARK}
        across = spans and token.concept in ("BETWEEN", "FROM")
        if not (named or across or (token.concept == FILLER and token.text in _ARTICLES)):
            return False
    return False


def _describes_previous(tokens: list[Token], place: int) -> bool:
    for token in reversed(tokens[:place]):
        if token.concept == POINT_MARK:
            return True
        named = token.concept in {"ON", "OF", "AT", "POINT", UNKNOWN, FRAME_MARK}
        bracket = token.concept == "COMMA" and token.text in "([-,"
        if not (named or bracket or token.text in _ARTICLES | {"showing"}):
            return False
    return False
