"""Reads metric questions: what is asked of camera and depth, about which frames and image points.

``parse_question`` gives None for everything else. The vocabulary is closed (``lexicon``): one word outside it, such as
the name of an object without a pixel, and the question is left to the language model.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.answers.binding import bind_points, unknown_words_are_harmless
from video3d.answers.lexicon import FRAME_MARK, UNKNOWN, Token, tokenize
from video3d.answers.question_rules import Asked, camera_kind, point_kind, scene_kind
from video3d.answers.references import FrameRef, PointRef, find_references, plain, resolve_frame, without_options

Kind = Literal[
    "point_distance",
    "point_nearer",
    "point_to_point",
    "point_height",
    "point_higher",
    "surface_orientation",
    "camera_height",
    "camera_travel",
    "camera_displacement",
    "camera_speed",
    "camera_turn",
    "camera_direction",
    "camera_tilt",
    "camera_moving",
    "camera_reach",
    "camera_return",
    "camera_higher",
    "camera_pace",
    "room_size",
    "depth_range",
    "frame_of",
    "duration",
    "num_frames",
]

_POLITE = re.compile(
    r"^(?:(?:please|hey|hi|hello|ok|okay|so|and|now|well|question|q|user)[,:.! ]+)*"
    r"(?:(?:can|could|would|will) you (?:please |kindly )?(?:tell|say|give|show|estimate|measure|compute|calculate|"
    r"determine|"
    r"find(?: out)?|work out|figure out|report|let me know)(?: to)?(?: me| us)? ?(?:please )?|"
    r"(?:i|we)(?: would|'d)? (?:like|want|need) (?:you )?to (?:know|find out|learn|measure|tell me|understand) ?|"
    r"(?:do|does) (?:you|anyone|anybody) know |any idea |i wonder |i'm wondering |please ?|(?:tell|let) (?:me|"
    r"us)(?: know)? ?)*"
    r"(?:[,:] ?)?(?:please )?"
)
_ASIDE = re.compile(
    r"\b(?:can|could|would|will) you (?:please |kindly )?(?:tell|give|show|measure|estimate|compute|calculate|determine|"
    r"find|work out|say)(?: me| us)?\b"
)
_TAIL = re.compile(
    r"[\s,]*(?:please|thanks|thank you|pls|in this (?:video|clip|recording)|in the (?:video|clip|recording))[\s.!?]*$"
)


# What someone is to do, not what was measured.
_PLAN = re.compile(
    r"\bhow (?:do|am|are) (?:i|we)\b|(?<!seem )(?<!seems )(?<!appear )(?<!appears )(?<!begin )(?<!begins )"
    r"\bto (?:move|walk|go|turn|travel|drive|rotate|run)\b"
)


_PART = 0.1  # of a recording: what "at the start" and "at the end" mean of a motion, which takes time
OPENING = (FrameRef(by="share", value=0.0), FrameRef(by="share", value=_PART))
CLOSING = (FrameRef(by="share", value=1.0 - _PART), FrameRef(by="share", value=1.0))
_MOTIONS = ("camera_turn", "camera_direction", "camera_moving", "camera_speed", "camera_travel")
_UNTIL_THEN = re.compile(r"\bby the\b|\b(?:has|have|had)\b|为止|已经")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuestion:
    """A question that geometry answers.

    Attributes:
        kind: what is asked.
        text: the question as asked.
        language: of the question, and so of the answer.
        points: image points in the order of the text, each with its frame (None: none named).
        frames: frames named beside those of the points: one moment, or the first and last of a stretch.
        aspect: which of a kind's quantities is wanted first, e.g. ``depth``, ``mean``, ``vertical``; "" for the usual.
        amount: "how much nearer" wants the difference, not the choice.
        polar: a yes-or-no question.
        expects: what a yes-or-no question supposes, e.g. ``left``.
    """

    kind: Kind
    text: str
    language: Literal["en", "zh"] = "en"
    points: tuple[PointRef, ...] = ()
    frames: tuple[FrameRef, ...] = ()
    aspect: str = ""
    amount: bool = False
    polar: bool = False
    expects: str = ""


def parse_question(text: str) -> MetricQuestion | None:
    """What a question asks of the scene's geometry, or None if geometry alone does not answer it.

    Understands English and simple Chinese in many wordings. What frame numbers and pixels mean is said in
    ``references``. Never raises: any text is a question.

    >>> question = parse_question("How far away is pixel (320, 240) in frame 12?")
    >>> question.kind, question.points[0].frame.value
    ('point_distance', 12.0)
    >>> parse_question("Did I turn left or right between frames 3 and 9?").kind
    'camera_turn'
    >>> parse_question("How far is the chair from the table?") is None
    True
    """
    normal = _TAIL.sub("", _ASIDE.sub(" ", _POLITE.sub("", plain(without_options(text[:2000])))))
    marked = find_references(normal)
    tokens = tokenize(marked.text)
    known = {t.concept for t in tokens}
    if not tokens or known & {"NOT", "TOGETHER"} or len(tokens) > 80:
        return None
    points, frames = bind_points(tokens, marked)
    vague = {"MODAL", "FRONT", "BEHIND"} | (set() if "START" in known else {"NEAR_WORD", "FAR_WORD"})
    if not points and known & vague:
        return None
    unknown = UNKNOWN in known
    if unknown and not (points and unknown_words_are_harmless(tokens)):
        return None
    if "REACH" in known and not known & {"HEIGHT", "HOW_HIGH", "SPEED", "MAX", "MIN"}:
        return None
    if _PLAN.search(normal) or (known >= {"MODAL", "CAMERA"} and not known & {"NEARER", "FARTHER"}):
        return None
    moment = _moment(frames, normal)
    asked = _asked(tokens, normal, num_points=len(points), num_frames=len(frames), moment=moment)
    if points:
        found = point_kind(asked)
    else:
        found = camera_kind(asked) or scene_kind(asked)
    if found is None:
        return None
    kind, aspect = found
    if kind == "point_distance" and "BETWEEN" in known and len(points) == 1 and not frames and "CAMERA" not in known:
        return None
    if moment and kind in _MOTIONS:
        turn = kind == "camera_turn" and aspect in ("first", "last")
        frames = () if turn else OPENING if moment == "start" else CLOSING
    expects = asked.expects
    if aspect == "first" and "OR" not in known:  # "right first and then left"
        expects = next((t.concept.lower() for t in tokens if t.concept in ("LEFT", "RIGHT")), "")
    if kind == "camera_higher":
        frames = _compared(tokens, frames)
    language = "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
    return MetricQuestion(
        kind=kind,  # pyright: ignore[reportArgumentType]
        text=text,
        language=language,
        points=points,
        frames=frames,
        aspect=aspect,
        amount=asked.amount,
        polar=asked.polar,
        expects=expects,
    )


def _moment(frames: tuple[FrameRef, ...], normal: str) -> Literal["", "start", "end"]:
    """Whether the one frame that is named is an end of the recording: "at the start", and not "by the end"."""
    if len(frames) != 1:
        return ""
    if frames[0].by in ("share", "index") and frames[0].value == 0.0:
        return "start"
    last = frames[0] == FrameRef(by="share", value=1.0) or frames[0] == FrameRef(by="from_end", value=0.0)
    return "end" if last and not _UNTIL_THEN.search(normal) else ""


def _compared(tokens: list[Token], frames: tuple[FrameRef, ...]) -> tuple[FrameRef, ...]:
    """Two frames, the one that is spoken of first: the other stands right behind "than"."""
    than = next((i for i, token in enumerate(tokens) if token.concept == "THAN"), len(tokens))
    before = sum(token.concept == FRAME_MARK for token in tokens[:than])
    return frames[::-1] if before == 0 else frames


def _asked(
    tokens: list[Token], normal: str, *, num_points: int, num_frames: int, moment: Literal["", "start", "end"]
) -> Asked:
    concepts = [t.concept for t in tokens]
    known = frozenset(concepts)
    texts = frozenset(t.text for t in tokens)
    first = next((t.text for t in tokens if t.concept != "COMMA"), "")
    polar = bool(re.match(r"(?:is|are|was|were|does|do|did|has|have)\b", normal)) or bool(
        re.search(r"[吗嘛]|是否", normal)
    )
    polar = polar or bool(re.search(r"[,:] ?(?:is|was|does|did|has) ", normal) and not known & {"WHICH", "HOW_MUCH"})
    chosen = [c.lower() for c in concepts if c in ("LEFT", "RIGHT", "UP", "DOWN", "FORWARD", "BACK")]
    expects = chosen[0] if len(set(chosen)) == 1 else ""
    if "CLOCKWISE" in known and "COUNTERCLOCKWISE" not in known:
        expects = "right"
    if "COUNTERCLOCKWISE" in known and "CLOCKWISE" not in known:
        expects = "left"
    if known & {"RISE", "SINK"} and len(known & {"RISE", "SINK"}) == 1:
        expects = "up" if "RISE" in known else "down"
    return Asked(
        known=known,
        texts=texts,
        first=first,
        num_points=num_points,
        num_frames=num_frames,
        moment=moment,
        amount=bool(known & {"HOW_MUCH", "DIFFERENCE"})
        or ("HOW_MANY" in known and bool(known & {"METRES", "DEGREES"})),
        polar=polar and "OR" not in known and not known & {"HOW_FAR", "HOW_MUCH", "WHICH", "HOW_MANY"},
        expects=expects,
    )


def required_frames(
    question: MetricQuestion, recording_num_frames: int, time_s: Float64[np.ndarray, "f"] | None = None
) -> tuple[int, ...]:
    """Indices into the recording of the frames whose depth or pose the question needs, ascending.

    Frames outside the recording are left out: ``measure`` then says what is wrong. A point whose frame is not named is
    in the first frame.

    Args:
        question: what is asked.
        recording_num_frames: how many frames the recording has.
        time_s: time of every frame, for questions that name a time; without it those frames are left out.

    >>> required_frames(parse_question("how far is (3, 4) in frame 12"), 100)
    (12,)
    """
    refs = [point.frame or FrameRef(by="index", value=0.0) for point in question.points] + list(question.frames)
    found = {resolve_frame(ref, recording_num_frames, time_s) for ref in refs}
    return tuple(sorted(i for i in found if i is not None))
