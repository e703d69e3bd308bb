"""What a query names besides its task: where to go, how large a thing or a robot is. Lengths come out in metres.

Only what is said is taken. What is said in part is completed on the safe side (a 30 cm vase may be 30 cm wide), with a note.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from video3d.answers.results import Place, Point, Task
from video3d.types.detector import Detector
from video3d.vocabulary import COLORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for, by the query or by options; None is not said. Lengths in metres.

    Attributes:
        goal: where a path leads: a name, or a place (x, y) in the world.
        start: where it begins, alike.
        robot_radius: of the circle around the robot, seen from above.
        robot_height: from the floor to its top.
        max_step: highest edge that it climbs.
        size: of the thing to place: along, across, up.
        clearance: free distance around it.
        camera_height: of the camera over the road.
        detector: finds things by their names besides what the model finds.
    """

    goal: str | Place | None = None
    start: str | Place | None = None
    robot_radius: float | None = None
    robot_height: float | None = None
    max_step: float | None = None
    size: Point | None = None
    clearance: float | None = None
    camera_height: float | None = None
    detector: Detector | None = None

    def only(self, names: Iterable[str]) -> "Wishes":
        """The wishes of those names alone."""
        return Wishes(**{name: getattr(self, name) for name in names})

    def said(self) -> dict[str, Any]:
        """What is not None, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


LIMITS = {
    "robot_radius": (0.01, 5.0),
    "robot_height": (0.05, 5.0),
    "max_step": (0.01, 0.5),
    "size": (0.01, 10.0),
    "clearance": (0.0, 2.0),
    "camera_height": (0.1, 20.0),
}
"""Least and most of each length in metres."""
USUAL_HEIGHT_M = 1.0
"""Height of a robot where none is said."""

_UNITS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres", "米", "公尺"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres", "厘米", "公分"), 0.01),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres", "毫米"), 0.001),
    **dict.fromkeys(("in", "inch", "inches", '"', "英寸"), 0.0254),
    **dict.fromkeys(("ft", "foot", "feet", "英尺"), 0.3048),
}
_UNIT = "(?:" + "|".join(re.escape(u) for u in sorted(_UNITS, key=len, reverse=True)) + r")(?![a-z])"
_NUMBER = r"\d{1,5}(?:\.\d{1,4})?"
_LENGTH = rf"(?P<number>{_NUMBER})[ -]?(?P<unit>{_UNIT})"
_TIMES = r" ?(?:x|by|乘以?|\*) ?"
_SIDES = re.compile(
    rf"(?P<a>{_NUMBER}) ?(?P<ua>{_UNIT})?{_TIMES}(?P<b>{_NUMBER}) ?(?P<ub>{_UNIT})?"
    rf"(?:{_TIMES}(?P<c>{_NUMBER}) ?(?P<uc>{_UNIT})?)?"
)
_WORDS = {
    "wide": r"wide|across|broad|in width|宽",
    "deep": r"deep|in depth|深",
    "long": r"long|in length|长",
    "tall": r"tall|high|in height|高",
    "round": r"in diameter|diameter|thick|直径",
    "radius": r"in radius|radius|半径",
}
_BEFORE = {
    "wide": r"width(?: of)?|宽度?(?:为|是)?",
    "deep": r"depth(?: of)?|深度?(?:为|是)?",
    "long": r"length(?: of)?|长度?(?:为|是)?",
    "tall": r"height(?: of)?|高度?(?:为|是)?",
    "round": r"diameter(?: of)?|直径(?:为|是)?",
    "radius": r"radius(?: of)?|半径(?:为|是)?",
}
_ROBOT = (
    r"robot|rover|wheelchair|vacuum|roomba|agv|amr|drone|quadruped|stroller|pram|trolley|cart|platform|person|machine|"
    r"机器人|轮椅|扫地机|吸尘器|婴儿车|小车|无人机|机器狗"
)
_STEP = re.compile(
    rf"(?:step|climb|threshold|ledge|sill|curb|kerb)s?\w*(?: \w+){{0,3}}? {_LENGTH}|{_LENGTH.replace('number', 'n2').replace('unit', 'u2')}[ -]?(?:steps?|thresholds?|的?(?:台阶|门槛))"
    rf"|(?:越过|跨过|爬上).{{0,4}}?(?P<n3>{_NUMBER}) ?(?P<u3>{_UNIT})"
)
_CLEARANCE = re.compile(
    rf"(?:clearance|margin|distance|gap|free space)(?: of| around(?: it)?:?)? ?{_LENGTH}|{_LENGTH.replace('number', 'n2').replace('unit', 'u2')}"
    r" ?(?:of )?(?:clearance|margin|free space|free around|的?(?:间隙|余量|间距))"
)
_GOAL = re.compile(
    r"\b(?:to|towards?|reach(?:es|ing)?|into|as far as|until|up to|over to) "
    r"(?:the|a|an|my|that|our|this|your|nearest|any|his|her) (?P<name>[a-z][a-z'-]*(?: [a-z][a-z'-]*){0,3})"
)
_AFTER_NAME = re.compile(
    r"\b(?:without|and|or|from|avoid\w*|for|with|while|if|using|so|when|that|which|who|please|is|are|was|can|could|should|"
    r"by|but|as|where|because|quickly|safely|in|on|at|of|near|next to|beside|behind|between|under|through|around|past|before|after|now|then|"
    r"first|there|here)\b.*"
)
_NO_GOAL = frozenset(
    [
        "left",
        "right",
        "front",
        "back",
        "side",
        "other",
        "same",
        "way",
        "path",
        "route",
        "robot",
        "best",
        "shortest",
        "safest",
    ]
)
_ENDS_NAME = (
    r"(?!(?:the|an?|my|our|your|any|this|that|or|and|from|to|of|in|on|at|by|with|between|than|near\w*|far\w*|above|below|"
    r"under|behind|beside|left|right|is|are|was|were|can|could|will|would|should|do|does|open|closed|hits?|touch\w*|falls?|"
    r"moves?|what|which|where|when|how)\b)"
)
_WORD = rf"{_ENDS_NAME}[^\W\d_][^\W\d_'-]*"
_THING = re.compile(rf"\b(?:the|an?|my|our|your|any|this|that) (?P<name>{_WORD}(?: {_WORD}){{0,3}})")
_COLOR_LAST = re.compile(rf"(?<=\w) (?:{'|'.join(color.name for color in COLORS)})$")
_NO_THING = re.compile(
    r".*\b(?:room|scene|video|clip|picture|image|frame|camera|floor|ground|wall|ceiling|object|thing|colou?r|size|height|width|"
    r"length|distance|depth|number|kind|sort|type|shape|position|place|end|start|begin\w*|first|last|nearest|closest|same)s?"
)
_GOAL_ZH = re.compile(
    r"(?:走到|去到|到达|抵达|前往|通往|通向|走去|开到|移动到|到|去|往)(?P<name>[\u4e00-\u9fff]{1,8}?)"
    r"(?:那边|那里|那儿|旁边?|边上|跟前|前面|附近|去|吗|嘛|呢|的|怎|需|有|会|不|要|才|能|该|走|最|[，。？！,?.! ]|$)"
)
_START = re.compile(
    r"(?<!away )(?<!far )(?<!clear )(?<!distance )(?<!m )(?<!metres )(?<!meters )"  # keep 20 cm from the wall
    r"\bfrom (?:the|my|an?|that) (?P<name>[a-z][a-z'-]*(?: [a-z][a-z'-]*){0,3})"
    r"|从(?P<zh>[\u4e00-\u9fff]{1,6}?)(?:走|到|去|出发|开始|那|旁边|边上|前面)"
)
_NO_START = re.compile(r"这里?|此处|现在|camera|robot|here|current .*|present .*")
_AFTER_START = re.compile(r"\b(?:to|towards?|into|reach|over)\b.*")
_XY = r" ?\(? ?(?:x ?= ?)?(-?\d{1,5}(?:\.\d+)?) ?[,;] ?(?:y ?= ?)?(-?\d{1,5}(?:\.\d+)?)(?!\d)"
_PLACE = re.compile(rf"(?:\bto|\btowards?|\breach|\bat|到|去|往){_XY}")
_FROM_PLACE = re.compile(rf"(?:\bfrom|从){_XY}")


def wishes_of(normal: str, task: Task) -> tuple[Wishes, tuple[str, ...]]:
    """What a query (after ``references.plain``) names for a task, and what was assumed or left aside.

    >>> wishes_of("is there a way to the fridge for a robot 60 cm wide and 1.2 m tall?", "navigation")[0].said()
    {'goal': 'fridge', 'robot_radius': 0.3, 'robot_height': 1.2}
    >>> wishes_of("where does a box of 40 x 30 x 20 cm fit?", "placement")[0].size
    (0.4, 0.3, 0.2)
    """
    if task == "navigation":
        return _navigation(normal)
    if task == "placement":
        return _placement(normal)
    if task == "driving":
        height = re.search(rf"camera (?:is |sits |at |mounted |height ?(?:of|:|=|is)? ?)+(?:at )?{_LENGTH}", normal)
        height = height or re.search(rf"(?:相机|摄像头)(?:离地|高度?)(?:为|是)? ?{_LENGTH}", normal)
        value = None if height is None else _metres(height["number"], height["unit"])
        return _meant(Wishes(camera_height=value))
    return Wishes(), ()


def _navigation(normal: str) -> tuple[Wishes, tuple[str, ...]]:
    said = _dimensions(normal) if re.search(_ROBOT, normal) else {}
    radius = said.get("radius")
    across = max((said[name] for name in ("wide", "round", "long", "deep") if name in said), default=None)
    if radius is None and across is not None:
        radius = across / 2
    step = _step(normal)
    place = _PLACE.search(normal)
    goal: str | Place | None = (float(place[1]), float(place[2])) if place else goal_name(normal)
    height = said.get("tall")
    height = None if height is not None and height == step else height
    begin = _FROM_PLACE.search(normal)
    start = (float(begin[1]), float(begin[2])) if begin else start_name(normal)
    return _meant(Wishes(goal=goal, start=start, robot_radius=radius, robot_height=height, max_step=step))


def start_name(normal: str) -> str | None:
    """The thing that a query wants to start from; None where it names none, or the place where the camera is.

    >>> start_name("find a path from the red chair to the door"), start_name("keep away from the wall")
    ('red chair', None)
    """
    match = _START.search(normal)
    if match is None:
        return None
    name = match["zh"] or _AFTER_NAME.sub("", _AFTER_START.sub("", match["name"])).strip()
    return None if not name or _NO_START.fullmatch(name) else name


def goal_name(normal: str) -> str | None:
    """The thing that a query wants to go to, as it calls it, without its article; None where it names none.

    >>> goal_name("find a path to the red chair without touching the table")
    'red chair'
    >>> goal_name("机器人怎么走到沙发那边？"), goal_name("where can i walk?")
    ('沙发', None)
    """
    for match in _GOAL.finditer(normal):
        name = _AFTER_NAME.sub("", match["name"]).strip()
        if name and name.split()[-1] not in _NO_GOAL and name.split()[0] not in ("way", "path", "route"):
            return name
    found = [m["name"] for m in _GOAL_ZH.finditer(normal)]
    return next((name for name in reversed(found) if name[0] not in "哪这那了吗嘛呢过的"), None)


def thing_names(normal: str) -> tuple[str, ...]:
    """What a question speaks of that may be a thing, as it calls it, without its article; () where it names none.

    >>> thing_names("where is the espresso machine in this room?"), thing_names("what is there?")
    (('espresso machine',), ())
    >>> thing_names("is the lamp or the table red, and is my coffee grinder to the left of the sofa?")
    ('lamp', 'table', 'coffee grinder', 'sofa')
    """
    found = [_COLOR_LAST.sub("", _AFTER_NAME.sub("", match["name"]).strip()) for match in _THING.finditer(normal)]
    return tuple(
        dict.fromkeys(name for name in found if name and name not in _NO_GOAL and not _NO_THING.fullmatch(name))
    )


def _placement(normal: str) -> tuple[Wishes, tuple[str, ...]]:
    clear = _CLEARANCE.search(normal)
    clearance = None if clear is None else _metres(clear["number"] or clear["n2"], clear["unit"] or clear["u2"])
    rest = normal if clear is None else normal[: clear.start()] + " " + normal[clear.end() :]
    size, note = _size(rest)
    wishes, unmeant = _meant(Wishes(size=size, clearance=clearance))
    return wishes, unmeant or ((note,) if note else ())


def _size(normal: str) -> tuple[Point | None, str]:
    """Along, across and up; and what of it was assumed."""
    sides = _SIDES.search(normal)
    units = [] if sides is None else [sides[name] for name in ("ua", "ub", "uc") if sides[name]]
    if sides is not None and units:
        values = [
            _metres(sides[name], sides[f"u{name}"] or units[-1]) for name in ("a", "b", "c") if sides[name] is not None
        ]
        if len(values) == 3:
            return (values[0], values[1], values[2]), ""
        return (values[0], values[1], max(values)), "its height was not said: taken as its longer side"
    said = _dimensions(normal)
    if "radius" in said:
        said["round"] = 2 * said["radius"]
    along = said.get("wide", said.get("round", said.get("long")))
    across = said.get("deep", said.get("long") if "wide" in said else said.get("round"))
    up = said.get("tall")
    loose = [_metres(one["number"], one["unit"]) for one in re.finditer(_LENGTH, normal)]
    loose = [value for value in loose if value not in said.values()]
    if up is None and (along or across) and len(loose) == 1:  # a 2 m bookcase, 80 cm wide
        up = loose[0]
    known = [value for value in (along, across, up) if value is not None] or loose[:1]
    if not known:
        return None, ""
    footprint = max((v for v in (along, across) if v is not None), default=known[0])
    size = (along or footprint, across or footprint, up or max(known))
    missing = [name for name, value in (("length", along), ("depth", across), ("height", up)) if value is None]
    note = f"of the size only {_cm(known)} was said: {' and '.join(missing)} taken as large" if missing else ""
    return size, note


def _cm(values: list[float]) -> str:
    return " and ".join(f"{100 * value:g} cm" for value in values)


def _dimensions(normal: str) -> dict[str, float]:
    """Lengths with the word that says which: ``wide``, ``deep``, ``long``, ``tall``, ``round`` (diameter), ``radius``."""
    found: dict[str, float] = {}
    for name, words in _WORDS.items():
        after = re.search(rf"{_LENGTH}(?: ?- ?| |的)?(?:{words})(?![a-z])", normal)
        before = re.search(rf"(?:{_BEFORE[name]}) ?:?{_LENGTH}", normal)
        match = after or before
        if match is not None:
            found[name] = _metres(match["number"], match["unit"])
    return found


def _step(normal: str) -> float | None:
    match = _STEP.search(normal)
    if match is None:
        return None
    return _metres(match["number"] or match["n2"] or match["n3"], match["unit"] or match["u2"] or match["u3"])


def _metres(number: str, unit: str) -> float:
    return round(float(number) * _UNITS[unit], 6)


def _meant(wishes: Wishes) -> tuple[Wishes, tuple[str, ...]]:
    """Without lengths that cannot be meant, each with a note."""
    strange = [name for name in LIMITS if getattr(wishes, name) is not None and not within(name, getattr(wishes, name))]
    if wishes.max_step is not None and wishes.max_step > (wishes.robot_height or USUAL_HEIGHT_M) / 2:
        strange.append("max_step")
    notes = tuple(
        f"the {name.replace('_', ' ')} that the query names is not used: it cannot be meant" for name in strange
    )
    return replace(wishes, **dict.fromkeys(strange)), notes


def within(name: str, value: float | Point) -> bool:
    """Whether a length, or all three of a size, can be meant.

    >>> within("robot_radius", 0.2), within("size", (0.1, 0.1, 900.0)), within("max_step", float("nan"))
    (True, False, False)
    """
    low, high = LIMITS[name]
    return all(low <= one <= high for one in (value if isinstance(value, tuple) else (value,)))
