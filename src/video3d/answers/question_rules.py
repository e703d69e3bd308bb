"""From the concepts in a question to its kind. Each rule reads a set of concepts; order is precedence."""

from dataclasses import dataclass
from typing import Literal

_FAR = frozenset({"HOW_FAR", "DISTANCE", "RANGE"})
_DIRECTIONS = frozenset({"LEFT", "RIGHT", "UP", "DOWN", "FORWARD", "BACK", "SIDEWAYS"})
_MOTION = frozenset({"TRAVEL", "MOVE", "PATH", "TURN", "SPEED", "HOW_FAST", "DURATION", "DISPLACEMENT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the rules look at.

    Attributes:
        known: concepts in the question.
        texts: its words.
        first: its first word.
        num_points: image points named.
        num_frames: frames named that belong to no point.
        moment: the end of the recording that the only one of them is; "" where it is another, or there are more or none.
        amount: a difference or amount is wanted.
        polar: a yes-or-no question.
        expects: direction that a yes-or-no question supposes.
    """

    known: frozenset[str]
    texts: frozenset[str]
    first: str
    num_points: int
    num_frames: int
    moment: Literal["", "start", "end"]
    amount: bool
    polar: bool
    expects: str

    def any(self, *concepts: str) -> bool:
        """Whether one of the concepts is in the question."""
        return not self.known.isdisjoint(concepts)

    @property
    def far(self) -> bool:
        """A distance is wanted, in whatever words."""
        return bool(self.known & _FAR) or self.any("METRES")


def point_kind(a: Asked) -> tuple[str, str] | None:
    """Kind and aspect of a question that names image points."""
    if a.known & _MOTION or a.any("WHERE", "WHEN", "VOLUME", "AREA", "YOU", "FPS", "ROLL", "TILT"):
        return None
    if a.any("HOW_BIG") and not a.any("DIFFERENCE", "DISTANCE"):
        return None
    depth = a.any("DEPTH", "AXIS", "HOW_DEEP")
    if a.num_points >= 2:
        compared = a.any("NEARER", "NEAREST", "FARTHER", "FARTHEST", "ORDER", "FRONT", "BEHIND")
        if compared and not a.any("APART") and not (a.any("BETWEEN") and a.far):
            near = a.any("NEARER", "NEAREST", "FRONT")
            if a.any("FLOOR", "CEILING"):  # "closer to the floor" is lower
                return (
                    ("point_higher", "lower" if near == a.any("FLOOR") else "higher") if not a.any("CAMERA") else None
                )
            farther = a.any("FARTHER", "FARTHEST", "BEHIND") and not near
            return "point_nearer", "farther" if farther else "nearer"
        if a.any("MIN", "MAX", "MORE", "LESS") and (depth or a.far) and not a.any("BETWEEN", "FROM"):
            return "point_nearer", "farther" if a.any("MAX", "MORE") else "nearer"
        if a.any("DIFFERENCE") and a.far and a.any("CAMERA"):
            return "point_nearer", "nearer"
        if a.any("HIGHER", "HIGHEST", "LOWER", "LOWEST") and not a.any("BETWEEN", "APART"):
            return "point_higher", "lower" if a.any("LOWER", "LOWEST") and not a.any("HIGHER") else "higher"
        if a.any("DIFFERENCE") and depth:
            return "point_nearer", "nearer"
        if a.any("DIFFERENCE") and a.any("HEIGHT"):
            return "point_higher", "higher"
        apart = a.any("BETWEEN", "APART") or (a.any("FROM") and a.any("TO")) or not a.any("CAMERA")
        if a.far and a.num_points == 2 and apart and not depth and not a.any("FLOOR") and not _both_distances(a):
            if a.any("HORIZONTAL"):
                return "point_to_point", "horizontal"
            return "point_to_point", "vertical" if a.any("VERTICAL", "HEIGHT") else "straight"
        if a.num_points == 2 and a.any("FROM") and a.any("TO") and "measure" in a.texts and not a.any("CAMERA"):
            return "point_to_point", "straight"
        sized = a.any("SIZE", "WIDTH", "LENGTH", "HOW_LONG", "HOW_WIDE")
        if a.num_points == 2 and a.any("BETWEEN", "FROM") and (sized or a.any("HOW_TALL", "HOW_HIGH", "HEIGHT")):
            return "point_to_point", "straight" if sized else "vertical"
    if a.any("HOW_TALL", "HOW_WIDE", "HOW_LONG", "SIZE", "WIDTH", "LENGTH"):
        return None
    above = a.any("FLOOR") and (a.far or a.any("ABOVE"))
    if a.any("HOW_HIGH", "HEIGHT") or (above and not a.any("CAMERA")):
        return None if a.any("CEILING") else ("point_height", "")
    if depth and not a.any("SURFACE", "HORIZONTAL", "VERTICAL"):
        return "point_distance", "depth"
    if a.far and not a.any("HORIZONTAL", "VERTICAL", "FLOOR", "CEILING"):
        return "point_distance", "range"
    slanted = a.any("HORIZONTAL", "VERTICAL", "SLOPE", "HOW_STEEP", "ORIENTATION")
    if a.num_points == 1 and (slanted or (a.any("ANGLE", "DEGREES") and a.any("SURFACE"))):
        return "surface_orientation", ""
    return None


def _both_distances(a: Asked) -> bool:
    """Two points, but the distance of each is wanted: "the distances of (3, 4) and (5, 6) from the camera"."""
    return a.any("CAMERA") and not a.any("BETWEEN", "APART")


def camera_kind(a: Asked) -> tuple[str, str] | None:
    """Kind and aspect of a question about how the camera moves."""
    if (found := _moment_of_path(a)) is not None:
        return found
    if a.any("WHERE", "YOU") and not a.any("HOW_FAR", "HOW_FAST", "HOW_HIGH", "DISTANCE"):
        return None
    pronoun = bool(a.texts & {"it", "this", "that", "these", "those", "its"})
    camera = a.any("CAMERA") or (a.any("YOU") and a.any("TRAVEL", "MOVE", "TURN"))
    subject = camera or a.any("FILMED") or (a.any("PATH") and not pronoun)
    wants = a.far or a.any("SPEED", "HOW_FAST", "LENGTH", "DIRECTION") or bool(a.known & _DIRECTIONS)
    loose = subject or (not pronoun and a.any("TRAVEL", "MOVE") and wants)
    if a.any("THING", "SURFACE", "POINT") and a.any("NEAREST", "FARTHEST", "NEARER") and not _which_frame(a):
        return None
    if (found := _frame_of(a)) is not None:
        return found
    if a.any("WHEN", "THING", "BELOW", "SURFACE"):
        return None
    if a.any("TURN", "CLOCKWISE", "COUNTERCLOCKWISE"):
        return _turn(a) if camera or a.any("VIDEO", "FRAME", "PATH") or a.num_frames == 2 else None
    held = a.any("LOOK", "FILMED", "POINT") and not a.any("MOVE", "TRAVEL")
    if a.any("TILT", "ROLL") or (held and a.any("UP", "DOWN", "HORIZONTAL")):
        return ("camera_tilt", "roll" if a.any("ROLL") else "pitch") if camera else None
    if a.any("SPEED", "HOW_FAST"):
        return ("camera_speed", "max" if a.any("MAX", "TOP", "HIGHEST", "FASTEST") else "mean") if loose else None
    if a.any("CEILING"):
        return None
    moves = a.any("TRAVEL", "MOVE", "PATH", "DISPLACEMENT")
    if a.any("RISE", "SINK", "HIGHER", "LOWER") or (a.any("HEIGHT") and a.any("DIFFERENCE")):
        return ("camera_direction", "vertical") if subject else None
    over = a.any("FLOOR") and (a.any("ABOVE", "UP") or (a.any("FROM") and not moves)) and (a.far or a.amount)
    if a.any("HOW_HIGH", "HEIGHT", "HIGHEST", "LOWEST") or over:
        return ("camera_height", _height_aspect(a)) if camera or a.any("FILMED") else None
    if a.any("HOW_LONG"):
        length = (a.texts & {"is", "was"} and not a.texts & {"did", "does"}) or a.any("PATH")
        return ("camera_travel", "") if length and moves else ("duration", "") if moves and camera else None
    one_way = a.known & _DIRECTIONS
    if a.any("STILL") and one_way:
        return None
    if loose and a.any("MOVE", "TRAVEL", "DISPLACEMENT") and (one_way or a.any("DIRECTION")):
        if (a.far or a.amount) and len(one_way) == 1:
            return "camera_direction", next(iter(one_way)).lower()
        return "camera_direction", "vertical" if one_way and one_way <= {"UP", "DOWN"} else ""
    return _distance_moved(a, camera=camera, subject=subject, loose=loose, moves=moves)


_GETS = frozenset({"get", "gets", "got"})
_OF_RETURNING = frozenset(
    {"CAMERA", "PATH", "VIDEO", "START", "END", "RETURN", "BACK", "TRAVEL", "MOVE", "NEAR_WORD", "FAR_WORD", "POINT", "FROM", "TO",
     "AT", "OF", "ON", "AND", "COMMA", "YOU", "WHERE", "FILLER", "FRAME_MARK", "NEARER", "FARTHER"}
)  # fmt: skip


def _moment_of_path(a: Asked) -> tuple[str, str] | None:
    """Farthest from the start, back at it, fastest, higher than at another moment."""
    if a.num_frames == 2 and a.any("CAMERA") and a.any("THAN", "OR"):
        one = len(a.known & {"HIGHER", "LOWER"}) == 1
        if one or a.known >= {"HEIGHT", "THAN"}:
            return "camera_higher", "lower" if a.any("LOWER") else "higher"
    when = a.any("WHEN", "WHERE") or (a.any("WHICH") and a.any("FRAME"))
    if not a.any("CAMERA", "PATH", "VIDEO"):
        return None
    if when and a.any("CAMERA") and (found := _pace(a)):
        return "camera_pace", found
    if _of_reach(a) and (a.far or when or a.any("WHICH")):
        return "camera_reach", "when" if when and not a.far else ""
    if (
        a.polar
        and a.any("START")
        and a.known <= _OF_RETURNING
        and (not a.num_frames or a.moment == "end" or (a.num_frames == 1 and a.any("RETURN")))
    ):
        ends, near = a.any("END") or a.moment == "end", a.any("NEAR_WORD", "FAR_WORD", "NEARER", "FARTHER")
        back = a.any("RETURN") or (a.any("BACK") and a.any("TRAVEL", "MOVE"))
        if back or (ends and (near or not a.any("MOVE", "TRAVEL", "FROM"))):
            return "camera_return", "far" if a.any("FAR_WORD", "FARTHER") else "near"
    return None


def _of_reach(a: Asked) -> bool:
    """The farthest from the start is meant; with "in the first frame" for the start, only if the camera is said to get there."""
    gets = bool(a.texts & _GETS) or a.any("STRAY")
    if not a.any("CAMERA") or a.any("END", "THING", "SURFACE", "FLOOR", "CEILING", "HEIGHT", "TURN", "SPEED", "DEPTH"):
        return False
    if not a.any("START") and not (a.moment == "start" and gets):
        return False
    from_it = a.any("FROM", "BETWEEN", "DISTANCE", "DISPLACEMENT")
    return from_it and (a.any("FARTHEST", "MAX", "STRAY") or (gets and a.far)) and a.num_frames <= 1


def _pace(a: Asked) -> str:
    if a.any("TURN"):
        return "turning" if a.any("FASTEST", "MAX") else ""
    fast = a.any("FASTEST") or (a.any("SPEED") and a.any("MAX", "HIGHEST", "TOP"))
    slow = a.any("SLOWEST") or (a.any("SPEED") and a.any("MIN", "LOWEST"))
    return "fastest" if fast else "slowest" if slow else ""


def _distance_moved(a: Asked, *, camera: bool, subject: bool, loose: bool, moves: bool) -> tuple[str, str] | None:
    direct = a.any("DISPLACEMENT", "STRAIGHT", "NET", "APART") or (a.any("START") and a.any("END"))
    if a.any("DISPLACEMENT") and (subject or a.num_frames == 2 or a.any("VIDEO", "START", "NET", "TOTAL", "WHICH")):
        return "camera_displacement", ""
    wants = a.far or a.any("LENGTH", "HOW_MUCH", "SIZE")
    apart = a.num_frames == 2 and a.any("BETWEEN", "APART") and not moves and not a.any("THING", "ROOM")
    ends = a.any("START") and a.any("END") and not (a.texts & {"it", "this", "that"})
    if wants and (((subject or ends) and direct) or (apart and not a.any("YOU", "LENGTH", "DEPTH"))):
        return "camera_displacement", ""
    if wants and camera and a.any("FROM") and a.any("START") and (a.any("END") or a.any("TRAVEL", "MOVE")):
        return "camera_displacement", ""
    if wants and camera and a.num_frames >= 1 and not moves:
        return ("camera_displacement", "") if a.num_frames == 2 or a.any("START", "END") else None
    if wants and loose and moves:
        between = a.num_frames == 2 and a.any("MOVE") and not a.any("TRAVEL", "PATH", "TOTAL")
        return ("camera_displacement", "") if between else ("camera_travel", "")
    still = a.any("STILL") and (camera or a.any("VIDEO"))
    if still or (a.polar and camera and a.any("MOVE", "TRAVEL")):
        return "camera_moving", "still" if a.any("STILL") and not a.any("MOVE") else "moving"
    if camera and a.any("MOVE", "TRAVEL") and (a.first == "how" or a.any("WHICH")):
        return "camera_direction", ""
    return None


def _which_frame(a: Asked) -> bool:
    return (a.any("WHICH") and a.any("FRAME")) or a.any("WHEN")


def _frame_of(a: Asked) -> tuple[str, str] | None:
    """Which frame is the camera highest in, which has the nearest thing."""
    if not _which_frame(a):
        return None
    if a.any("HIGHEST", "LOWEST") and a.any("CAMERA"):
        return "frame_of", "highest" if a.any("HIGHEST") else "lowest"
    if a.any("NEAREST") and a.any("CAMERA", "THING", "SURFACE", "POINT"):
        return "frame_of", "nearest"
    if a.any("FARTHEST") and a.any("THING", "SURFACE", "POINT"):
        return "frame_of", "farthest"
    return None


def _turn(a: Asked) -> tuple[str, str] | None:
    if a.any("SPEED", "HOW_FAST", "WHERE", "SURFACE", "ON"):  # "turn on" is a switch
        return None
    if a.known & {"UP", "DOWN"} and not a.known & {"LEFT", "RIGHT"}:
        return "camera_tilt", "pitch"
    ways = a.known & {"LEFT", "RIGHT", "DIRECTION"}
    if a.any("TOTAL") and (a.amount or a.any("ANGLE", "HOW_FAR") or (a.any("WHICH") and not ways)):
        return "camera_turn", "total"
    begins = a.any("START") and not a.num_frames and not a.amount and not a.any("END", "FROM")
    if a.moment == "start" or begins or a.texts & {"first", "先", "最先", "首先"}:
        return "camera_turn", "first"
    return "camera_turn", "last" if (a.moment == "end" or "last" in a.texts) and not a.amount else ""


def _height_aspect(a: Asked) -> str:
    if a.any("START"):
        return "first"
    if a.any("END"):
        return "last"
    if a.any("MAX", "HIGHEST"):
        return "max"
    return "min" if a.any("MIN", "LOWEST") else "mean"


def scene_kind(a: Asked) -> tuple[str, str] | None:
    """Kind and aspect of a question about the room, the depth or the recording."""
    if a.any("TRAVEL", "MOVE", "TURN", "SPEED", "HOW_FAST", "PATH", "TILT"):
        return None
    if (found := _recording(a)) is not None:
        return found
    if (found := _depth(a)) is not None:
        return found
    camera = a.any("CAMERA", "YOU") and not a.any("HOW_BIG", "SIZE")
    if camera or a.any("WHERE", "WHEN", "THING", "SURFACE", "FILMED", "DIFFERENCE") or a.num_frames:
        return None
    if a.any("CEILING"):
        wants = a.far or a.any("HEIGHT", "HOW_HIGH", "HOW_TALL")
        return ("room_size", "ceiling") if wants else None
    if a.any("HOW_BIG", "AREA") and a.any("AREA", "FLOOR"):
        return "room_size", "area"
    if not a.any("ROOM"):
        return None
    for aspect, concepts in (
        ("volume", ("VOLUME",)),
        ("length", ("HOW_LONG", "LENGTH")),
        ("width", ("HOW_WIDE", "WIDTH")),
        ("height", ("HOW_HIGH", "HOW_TALL", "HEIGHT")),
    ):
        others = sum(a.any(*c) for c in (("HOW_LONG", "LENGTH"), ("HOW_WIDE", "WIDTH"), ("HEIGHT", "HOW_HIGH")))
        if a.any(*concepts) and not a.any("FLOOR"):
            return "room_size", aspect if others <= 1 else "size"
    return ("room_size", "size") if a.any("HOW_BIG", "SIZE") else None


def _recording(a: Asked) -> tuple[str, str] | None:
    if a.any("CAMERA", "ROOM", "DEPTH", "FLOOR", "CEILING", "THING", "YOU") or a.num_frames:
        return None
    if a.any("FPS"):
        return "num_frames", "rate"
    if a.any("HOW_MANY", "HOW_MUCH") and a.any("FRAME") and (a.texts & {"frame", "frames", "帧"} or a.any("VIDEO")):
        return "num_frames", "rate" if a.any("PER") else ""
    timed = a.any("DURATION", "HOW_LONG") or (a.any("HOW_MANY", "HOW_MUCH") and a.any("SECONDS"))
    if a.any("VIDEO") and (timed or a.any("LENGTH")):
        return "duration", ""
    return ("duration", "") if a.any("DURATION") and (a.any("WHICH", "TOTAL")) else None


def _depth(a: Asked) -> tuple[str, str] | None:
    wants = a.far or a.any("DEPTH")
    if a.any("FLOOR", "CEILING", "HEIGHT", "AREA") or a.num_frames > 1:
        return None
    if a.any("WHERE", "WHEN") and not (a.any("NEAREST", "FARTHEST") and a.any("POINT")):
        return None
    if a.any("CAN_SEE") and a.any("HOW_FAR"):
        return "depth_range", "farthest"
    if wants or (a.any("NEAREST", "FARTHEST") and a.any("POINT") and not a.any("THING")):
        if a.any("DEPTH") and a.any("RANGE"):
            return "depth_range", "range"
        for aspect, concepts in (
            ("nearest", ("NEAREST",)),
            ("farthest", ("FARTHEST",)),
            ("median", ("MEDIAN",)),
            ("mean", ("MEAN",)),
        ):
            if a.any(*concepts) and not (aspect == "nearest" and a.any("FARTHEST")):
                return "depth_range", aspect
        if (
            a.any("MIN", "MAX")
            and (a.any("DEPTH", "CAMERA", "THING", "SURFACE", "POINT"))
            and not a.any("START", "END")
        ):
            both = a.any("MIN") and a.any("MAX")
            return "depth_range", "range" if both else "nearest" if a.any("MIN") else "farthest"
        if a.any("DEPTH") and a.any("RANGE", "WHICH") and not a.any("CAMERA", "THING"):
            return "depth_range", "range" if a.any("RANGE") else "median"
        if a.any("NEAREST") and a.any("FARTHEST"):
            return "depth_range", "range"
        if a.texts & {"how close", "how near"} and a.any("THING", "SURFACE") and a.any("CAMERA"):
            return "depth_range", "nearest"
    if a.any("HOW_DEEP") and a.any("ROOM"):
        return "depth_range", "range"
    return None
