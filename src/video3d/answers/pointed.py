"""Questions about a place that somebody points at in a frame: "what is this, and how far?" with a pixel or a box.

What geometry can tell of the place is measured; its name comes from an object that was found and holds it, never from a
guess. "This", "it", "这个" in a question mean the place.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from video3d.answers.facts import SceneFacts
from video3d.answers.look_up import SeenPoint, clip_position, look_up
from video3d.answers.measure import measure
from video3d.answers.measurement import CannotTell, Speaker, finite, quantity
from video3d.answers.question import MetricQuestion, parse_question
from video3d.answers.references import FrameRef, PointRef, plain
from video3d.answers.unread import unread_measure
from video3d.geometry.boxes import points_in_box
from video3d.types import Answer, Detection, Evidence, ImagePoint, InputError, PosedClip

_BOX_MARGIN_M = 0.05  # a found box ends about where the thing does, and the pixel is on its surface

_THIS_EN = re.compile(
    r"\b(?:this|that|these|those)(?: (?:red |blue |green |white |black )?(?:thing|object|point|place|spot|pixel|item|region|area|one))?\b"
    r"|\b(?:it|here|there)\b(?! (?:is|are) (?:a|any)\b)"
)
_ITS_EN = re.compile(r"\bits (distance|height|depth|range|elevation)\b")
_THIS_ZH = re.compile(r"(?:这个|那个|这|那|它|此)(?:东西|物体|点|地方|位置|像素|处|里|儿)?")
_SHORT_EN = re.compile(
    r"^(?:and )?(?:how (?:far|close|near|high|deep)(?: away| off| up)?|(?:what(?:'s| is) )?(?:the |its )?(?:distance|height|depth))$"
)
_SHORT_ZH = re.compile(r"^(?:有|离?我?们?)?(多远|多高|多深|距离|高度|深度)(?:是多少|呢|啊)?$")
_NAME = re.compile(
    r"\bwhat(?:'s| is| are)? (?:this|that|it|these|those|here|there)\b|\bwhat(?: kind of| sort of)? (?:object|thing)\b|\bname (?:of|it|this)\b|"
    r"\bidentify\b|\bwhich object\b|\bwhat do you call\b|是什么|什么东西|什么物体|叫什么|是啥"
)
_WHERE = re.compile(r"\bwhere\b|\bcoordinates?\b|\bposition\b|在哪|坐标|位置是")
_CLAUSES = re.compile(
    r"[,;，；。、?？!！]|\.(?!\d)|\band (?=how|what|which|where|is|does|its)|\b(?:also|plus)\b|以及|并且|还有|而且|(?<=什么)(?=有?离?多)"
)
_READ_AS_NAME = re.compile(
    r"\b(?:colou?r|made of|material|for|used|doing|wrong|mean)\b|颜色|材料|用途|干什么|做什么|意思"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """What somebody points at: a pixel of a frame, or a box in it.

    Attributes:
        frame: index into the recording, from 0.
        x: column of the pixel or of the box's left edge, at the recording's size, from 0.
        y: row of the pixel or of the box's top edge.
        right: column of the box's right edge; None for a pixel.
        bottom: row of the box's bottom edge; None for a pixel.
    """

    frame: int
    x: float
    y: float
    right: float | None = None
    bottom: float | None = None

    def check(self, num_frames: int, size_hw: tuple[int, int]) -> None:
        """Raises InputError for a frame or a place that a recording does not have."""
        option = "--point" if self.right is None else "--box"
        if not 0 <= self.frame < num_frames:
            raise InputError(option, expected=f"a frame from 0 to {num_frames - 1}", got=self.frame)
        height, width = size_hw
        across = [self.x, *([] if self.right is None else [self.right])]
        down = [self.y, *([] if self.bottom is None else [self.bottom])]
        if not (
            all(0 <= v <= width for v in across)
            and all(0 <= v <= height for v in down)
            and self.x < width
            and self.y < height
        ):
            got = ", ".join(f"{v:g}" for v in ([self.x, self.y] if self.right is None else [*across, *down]))
            raise InputError(option, expected=f"pixels inside the frame, {width} wide and {height} high", got=got)
        if self.right is not None and self.bottom is not None and not (self.x < self.right and self.y < self.bottom):
            raise InputError(
                option,
                expected="a box X0,Y0,X1,Y1 with X0 < X1 and Y0 < Y1",
                got=f"{self.x:g},{self.y:g},{self.right:g},{self.bottom:g}",
            )


def read_pointed(text: str, *, box: bool) -> Pointed:
    """A place as the command line names it: ``FRAME,X,Y`` or ``FRAME,X0,Y0,X1,Y1``.

    Raises:
        InputError: it is not that.

    >>> read_pointed("12,320,240", box=False)
    Pointed(frame=12, x=320.0, y=240.0, right=None, bottom=None)
    """
    option, form, count = ("--box", "FRAME,X0,Y0,X1,Y1", 5) if box else ("--point", "FRAME,X,Y", 3)
    parts = [part.strip() for part in text.split(",")]
    try:
        if len(parts) != count or not parts[0].lstrip("+-").isascii():
            raise ValueError(text)
        frame, numbers = int(parts[0]), [float(part) for part in parts[1:]]
        if not all(math.isfinite(v) for v in numbers):
            raise ValueError(text)
    except ValueError as error:
        raise InputError(
            option,
            expected=f"{form} in numbers",
            got=repr(text[:60]),
            do="for example 12,320,240" if not box else "for example 12,300,200,360,280",
        ) from error
    return Pointed(
        frame=frame, x=numbers[0], y=numbers[1], **({"right": numbers[2], "bottom": numbers[3]} if box else {})
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSeen:
    """A pointed place as it was measured.

    Attributes:
        column: of the pixel that stands for it.
        row: of it.
        seen: its depth and place; None where there is no depth.
        why_not: in English and Chinese, where ``seen`` is None.
    """

    column: float
    row: float
    seen: SeenPoint | None
    why_not: tuple[str, str] = ("", "")


def see(at: Pointed, clip: PosedClip, facts: SceneFacts) -> PlaceSeen:
    """The place that is pointed at. A box stands for the pixel in its middle half whose depth is the median of those there."""
    column, row = at.x, at.y
    if at.right is not None and at.bottom is not None:
        column, row = _middle(at, clip)
    ref = PointRef(x=column, y=row, frame=FrameRef(by="index", value=float(at.frame)))
    try:
        return PlaceSeen(column=column, row=row, seen=look_up(ref, clip, facts))
    except CannotTell as reason:
        return PlaceSeen(column=column, row=row, seen=None, why_not=(reason.en, reason.zh))


def _middle(at: Pointed, clip: PosedClip) -> tuple[float, float]:
    assert at.right is not None and at.bottom is not None
    depth = clip.depth_m[clip_position(at.frame, clip)]
    height, width = clip.size_hw
    scale_x, scale_y = depth.shape[1] / width, depth.shape[0] / height
    quarter_x, quarter_y = (at.right - at.x) / 4, (at.bottom - at.y) / 4
    left, top = int((at.x + quarter_x) * scale_x), int((at.y + quarter_y) * scale_y)
    inner = depth[
        top : max(top + 1, int((at.bottom - quarter_y) * scale_y)),
        left : max(left + 1, int((at.right - quarter_x) * scale_x)),
    ]
    if not np.isfinite(inner).any():
        return min((at.x + at.right) / 2, width - 1), min((at.y + at.bottom) / 2, height - 1)
    off = np.abs(inner - np.nanmedian(inner))
    down, across = np.unravel_index(int(np.nanargmin(off)), inner.shape)
    return float(math.floor((left + across + 0.5) / scale_x)), float(math.floor((top + down + 0.5) / scale_y))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a question wants to know of a place.

    Attributes:
        measured: questions that geometry answers, with the place in them.
        name: what is there.
        where: its coordinates.
        open: something else, which is the language model's.
        language: of the question.
    """

    measured: tuple[MetricQuestion, ...]
    name: bool
    where: bool
    open: bool
    language: str


def wanted(query: str, frame: int, column: float, row: float) -> Wanted:
    """Reads a question about a place, clause by clause.

    >>> asked = wanted("What is this, and how far?", 12, 320.0, 240.0)
    >>> asked.name, [one.kind for one in asked.measured], asked.open
    (True, ['point_distance'], False)
    >>> [one.kind for one in wanted("这个离地面多高？", 0, 3.0, 4.0).measured]
    ['point_height']
    >>> wanted("What colour is this?", 0, 3.0, 4.0).open
    True
    """
    normal = plain(query)
    chinese = re.search(r"[\u4e00-\u9fff]", query) is not None
    point = f"第{frame}帧像素({column:g},{row:g})" if chinese else f"pixel ({column:g}, {row:g}) in frame {frame}"
    found: dict[str, MetricQuestion] = {}
    name = where = rest = False
    for clause in (one.strip(" :.") for one in _CLAUSES.split(normal)):
        if not clause or clause in ("and", "和", "please", "hi", "hello", "hey", "请问", "ok", "thanks", "thank you"):
            continue
        one = _measured(clause, point, chinese)
        if one is not None:
            found.setdefault(one.kind, one)
        elif _NAME.search(clause) and not _READ_AS_NAME.search(clause):
            name = True
        elif _WHERE.search(clause) and (_THIS_EN.search(clause) or _THIS_ZH.search(clause)):
            where = True
        else:
            rest = True
    return Wanted(measured=tuple(found.values()), name=name, where=where, open=rest, language="zh" if chinese else "en")


def _measured(clause: str, point: str, chinese: bool) -> MetricQuestion | None:
    """A clause as a question of geometry with the place in it; None if it is none, or does not speak of the place."""
    clause = clause.strip(" .?!？。")
    if chinese and (short := _SHORT_ZH.match(clause)):
        return parse_question(
            f"{point}离相机多远" if short[1] in ("多远", "距离") else f"{point}的{_ZH_AMOUNT[short[1]]}是多少"
        )
    if _SHORT_EN.match(clause):
        clause = re.sub(r"^and ", "", clause)
        return parse_question(
            f"{clause} is {point}" if clause.startswith("how") else f"what is the {clause.split()[-1]} of {point}"
        )
    bound = _ITS_EN.sub(rf"the \1 of {point}", clause, count=1)
    if point not in bound:
        bound = (_THIS_ZH if chinese else _THIS_EN).sub(point, bound, count=1)
    return parse_question(bound) if point in bound else None


_ZH_AMOUNT = {"多高": "高度", "高度": "高度", "多深": "深度", "深度": "深度"}


def object_at(seen: SeenPoint | None, objects: Sequence[Detection], *, metric: bool) -> Detection | None:
    """The smallest object that was found whose box holds a place, its faces moved out by 5 cm; None without one."""
    if seen is None or not np.isfinite(seen.point_world).all():
        return None
    margin = _BOX_MARGIN_M if metric else 0.0
    holding = [one for one in objects if bool(points_in_box(seen.point_world, one.box, margin_m=margin))]
    return min(holding, key=lambda one: float(np.prod(one.box.size_m)), default=None)


def place_words(place: PlaceSeen, at: Pointed, facts: SceneFacts) -> str:
    """A place in words, for a prompt: pixel, frame, and what was measured of it."""
    said = f"the place at pixel ({place.column:g}, {place.row:g}) of frame {at.frame}"
    if place.seen is None:
        return said
    speak = Speaker(language="en", unit=facts.unit)
    said += f", {speak.length(place.seen.range)} from the camera"
    height = _height(place.seen, facts)
    if height is not None:
        said += f", {speak.length(height)} above the floor"
    return said


def _height(seen: SeenPoint, facts: SceneFacts) -> float | None:
    z = float(seen.point_world[2])
    return z - facts.floor_z if facts.floor_z is not None and math.isfinite(z) else None


def answer_at(
    query: str,
    at: Pointed,
    clip: PosedClip,
    facts: SceneFacts,
    *,
    objects: Callable[[], Sequence[Detection]],
    say: Callable[[str, tuple[float, float, float] | None], str],
) -> Answer:
    """The answer to a question about a place: measured where geometry tells, named where an object was found.

    Args:
        query: the question; "this" in it is the place.
        at: what is pointed at, checked; its frame is in the clip.
        clip: of the scene.
        facts: of it.
        objects: what was found in the scene; asked for where a name is wanted.
        say: what a language model says to words on a place in the world; asked where neither measurement nor name answers.
    """
    place = see(at, clip, facts)
    asked = wanted(query, at.frame, place.column, place.row)
    said = ""
    if asked.open:
        unread = unread_measure(query)  # an amount that nobody measured is not the model's to make up
        where = None if place.seen is None else _world(place.seen)
        said = unread.text if unread else say(f'{query} ("This" is {place_words(place, at, facts)}.)', where)
    return _composed(asked, place, at, clip, facts, objects() if asked.name else (), said)


def _world(seen: SeenPoint) -> tuple[float, float, float] | None:
    x, y, z = (float(v) for v in seen.point_world)
    return (x, y, z) if math.isfinite(x + y + z) else None


def _composed(
    asked: Wanted,
    place: PlaceSeen,
    at: Pointed,
    clip: PosedClip,
    facts: SceneFacts,
    objects: Sequence[Detection],
    said: str,
) -> Answer:
    """One answer of all parts, in the order of name, measurements, place, and what the model says."""
    speak = Speaker(language="zh" if asked.language == "zh" else "en", unit=facts.unit)
    parts, quantities = [], []
    by_model, by_measure = bool(said), False
    if asked.name:
        named = object_at(place.seen, objects, metric=facts.world.metric)
        by_model |= named is not None
        parts.append(_name_words(named, bool(objects), speak))
    for question in asked.measured:
        found = measure(question, clip, facts)
        by_measure |= found.source == "measurement"
        parts.append(found.text)
        quantities += [one for one in found.quantities if one.name not in {q.name for q in quantities}]
    seen = place.seen
    if seen is not None:
        x, y, z = (float(v) for v in seen.point_world)
        height = _height(seen, facts)
        own = [quantity("range", seen.range, facts.unit), quantity("depth", seen.depth, facts.unit)]
        own += [quantity(name, v, facts.unit) for name, v in (("x", x), ("y", y), ("z", z))]
        own += [] if height is None else [quantity("height", height, facts.unit)]
        quantities += [one for one in finite(own) if one.name not in {q.name for q in quantities}]
        if asked.where and math.isfinite(x):
            by_measure = True
            parts.append(speak.say(
                f"It is at ({x:.2f}, {y:.2f}, {z:.2f}) {facts.unit} in the world.", f"它在世界坐标 ({x:.2f}, {y:.2f}, {z:.2f}) {facts.unit}。"
            ))  # fmt: skip
    if seen is None and (asked.where or not asked.measured):
        parts.append(speak.say(*place.why_not))
    parts += [said] if said else []
    if asked.open and not said and seen is not None:  # what is measured is said, whatever was asked
        by_measure = True
        words = place_words(place, at, facts)
        parts.append(f"Nothing more was measured or can be said of {words}.")
    kinds = [one.kind for one in asked.measured]
    return Answer(
        text=speak.say(" ", "").join(parts),
        source="measurement" if by_measure else "model" if by_model else "unknown",
        kind=kinds[0] if len(kinds) == 1 and not (asked.name or asked.where or asked.open) else "pointed",
        quantities=tuple(quantities),
        evidence=Evidence(
            frames=(at.frame,),
            points_px=(
                ImagePoint(frame=at.frame, x_px=math.floor(place.column) + 0.5, y_px=math.floor(place.row) + 0.5),
            ),
            points_world=() if seen is None or (spot := _world(seen)) is None else (spot,),
        ),
        geometry=clip.status,
    )


def _name_words(named: Detection | None, any_objects: bool, speak: Speaker) -> str:
    if named is not None:
        return speak.say(
            f"This is part of what was found as: {named.label} (estimated, score {named.score:.2f}).",
            f"这里属于检测到的物体：{named.label}（估计，得分 {named.score:.2f}）。",
        )
    return speak.say(
        "Nothing there could be named: "
        + ("no object that was found holds this place." if any_objects else "no objects were found."),
        "无法说出这是什么：" + ("检测到的物体都不在这里。" if any_objects else "没有检测到物体。"),
    )
