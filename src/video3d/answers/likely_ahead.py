"""What geometry concludes about what comes next, if everything goes on as it does: speeds, touches, places, falls, the camera's own way."""

import math
import re

import numpy as np

from video3d.answers.likely import rule
from video3d.answers.likely_falls import HOVERS_M, ends_on, falling_way, falls, falls_without, first_down, stack_stands
from video3d.answers.likely_stops import AT_IT_M, goes_straight, meet_s, stopped_s, wall_s
from video3d.answers.noted import Noted, option_with, polar, span, the_one, yes_no
from video3d.answers.notes_ahead import half_view, movers_of, others_than
from video3d.answers.notes_motion import Mover, floor_gaps, heading_rad, meets, turn_between
from video3d.geometry.boxes import footprint_gap_m, nearest_point
from video3d.types import Box3D
from video3d.vocabulary import DRIVEN, ROUND, category, may_move

# Chosen on training clips of the simulator, by how often conclusions were right.
_WAYS = ("away from", "to the left", "toward the camera", "to the right")
"""Counter-clockwise from where the camera looks."""
_TURNS_DEG_S = 8.0
_TURNED_DEG = 15.0
_STAYS_M_S = 0.1
_STAYED_M = 0.3
_BRAKES_M_S2 = 1.0
_LONGEST_S = 4.0
_CAR_TURNS_DEG = 6.0
_TURNS_FROM_M_S, _TURNS_BELOW_M_S = 1.5, 7.0
"""Nobody takes a corner faster."""
_SURE_TURN = 0.7
"""Standard deviations, which are stated for places that err each by itself: those of one body err together. A choice, on training clips."""
_CORNER_M = 6.0
"""Radius of a corner: a car that has begun to turn will be on it. A choice: about what a passenger car turns in at a junction."""
_STROLLS_M_S = 0.3
_WALKS_M_S, _WALKS_ERROR_M_S = 1.3, 0.5
"""How fast people walk, and its standard deviation (Bohannon and Andrews, 2011, doi 10.1016/j.physio.2010.12.004: 0.9 to 1.4 m/s)."""
_SOON_S = 1.5
"""What moves now still does before that, whatever it does: unless it slides."""
_BEFORE_S = 0.05
_WALKS_ON_S = 5.0
_NEAR_WALL_M = 1.0
_SLIDES_M_S2 = 2.0
"""Friction that stops what slides: a fifth of gravity."""


def _there(movers: list[Mover | None], noted: Noted, at: int) -> Mover | Box3D:
    return movers[at] or noted.places[at].box


def _later(noted: Noted) -> list[Box3D]:
    """Each thing's box after the time that is asked about."""
    return [
        one.after(noted.ahead_s) if one is not None and one.moves else place.box
        for one, place in zip(movers_of(noted), noted.places, strict=True)
    ]


def _likely_speed(name: str, one: Mover) -> float:
    """Of what is said to move, m/s: as it was seen, and of people as they walk, the more so the less surely it was seen."""
    speed = float(np.linalg.norm(one.goes_m_s[:2]))
    if category(name).kind != "person" or speed == 0.0:
        return speed
    sure = (_WALKS_ERROR_M_S / max(one.error_m_s, 1e-6)) ** 2
    return (sure * speed + _WALKS_M_S) / (sure + 1)


def _speed(noted: Noted) -> str | None:
    one = movers_of(noted)[0]
    return None if one is None or "camera" in noted.stem else f"{_likely_speed(noted.things[0].category, one):.1f} m/s"


def _faster(noted: Noted) -> str | None:
    speeds: dict[int, float] = {}
    for at, (thing, one) in enumerate(zip(noted.things, movers_of(noted), strict=True)):
        if one is not None:
            speeds[at] = _likely_speed(thing.category, one)
        elif category(thing.category).kind == "person":
            speeds[at] = _WALKS_M_S
    if len(speeds) < len(noted.names) or len(speeds) < 2:
        return None
    slow = "slow" in noted.stem
    return the_one(noted, (min if slow else max)(speeds, key=lambda at: speeds[at]))


def _touch_s(noted: Noted, within_s: float) -> list[tuple[float, int]]:
    """When the first thing touches which of the others, the first first."""
    movers = movers_of(noted)
    if not noted.marks or (subject := noted.marks[0]) is None:
        return []
    touches = []
    for at in range(len(noted.names)):
        if at == subject:
            continue
        one, other = (subject, at) if movers[subject] is not None else (at, subject)
        goes = movers[one]
        if goes is not None:
            there = _there(movers, noted, other)
            seconds = meet_s(goes, noted.things[one].category, there, noted.things[other].category, within_s)
            if seconds is not None and not (isinstance(there, Mover) and there.moves):
                seconds = _braking_s(goes, noted.things[one].category, seconds, within_s)
            touches += [] if seconds is None else [(seconds, at)]
    return sorted(touches)


def _braking_s(one: Mover, name: str, steady_s: float, within_s: float) -> float | None:
    """When a vehicle comes where it would be after a time if it did not slow as it surely does; None: not within a time."""
    if category(name).kind != "vehicle" or math.isinf(one.rests_after_s) or not one.moves:
        return steady_s
    left = 1.0 - 2.0 * steady_s / one.rests_after_s
    seconds = one.rests_after_s * (1.0 - math.sqrt(left)) if left > 0 else math.inf
    return seconds if seconds <= within_s else None


def _nearest_s(noted: Noted) -> list[tuple[float, int]]:
    """When the first thing comes nearest to the others, the nearest first."""
    movers = movers_of(noted)
    if not noted.marks or (subject := noted.marks[0]) is None or (first := movers[subject]) is None or not first.moves:
        return []
    stops_s = first.rests_after_s / 2 if category(noted.things[subject].category).kind == "vehicle" else math.inf
    seconds = np.linspace(0.0, min(_LONGEST_S, stops_s), 41)  # as far as it comes, at the speed that it has
    found = []
    for at in range(len(noted.names)):
        if at != subject:
            other = _there(movers, noted, at)
            box, velocity = (other.box, other.velocity_m_s) if isinstance(other, Mover) else (other, np.zeros(3))
            gaps = floor_gaps(first.box, box, seconds[:, None] * (first.velocity_m_s - velocity)[:2])
            found.append((float(gaps.min()), float(seconds[int(gaps.argmin())]), at))
    return [(when, at) for _, when, at in sorted(found)]


_LATER = re.compile(r"\b(?:will|would|going to|about to|happen|next|later|seconds?|come into|soon)\b")


def _time_to(noted: Noted) -> str | None:
    touches = _touch_s(noted, _LONGEST_S) or _nearest_s(noted)
    return f"{touches[0][0]:.1f} s" if touches else None


def _touches(noted: Noted) -> str | None:
    if not polar(noted) or len(noted.marks) != 2 or not _LATER.search(noted.stem):
        return None
    touches = _touch_s(noted, noted.ahead_s)
    return yes_no(bool(touches) and not _is_stopped_before(noted, touches[0]))


def _is_stopped_before(noted: Noted, touch: tuple[float, int]) -> bool:
    """Whether what rolls or slides is stopped well before the two touch: then they do not."""
    seconds, at = touch
    movers, pair = movers_of(noted), (noted.marks[0] or 0, at)
    for one, other in (pair, pair[::-1]):
        goes = movers[one]
        if goes is not None and goes.moves and goes_straight(noted.things[one].category):
            return stopped_s(noted, goes, noted.things[one].category, [noted.places[other].box]) < seconds - _BEFORE_S
    return False


def _hits_wall(noted: Noted) -> str | None:
    """Whether a thing comes to a wall that was seen."""
    one = movers_of(noted)[0]
    if one is None or not polar(noted):
        return None
    if not any(surface.kind == "wall" for surface in noted.facts.surfaces):  # of all that was seen, none is one
        near = noted.facts.floor_z is None or one.speed_m_s * noted.ahead_s >= _NEAR_WALL_M
        return None if near else yes_no(False)
    name = noted.things[0].category
    seconds = wall_s(noted, one, name)
    if not one.moves or seconds > min(noted.ahead_s, one.rests_after_s):
        return yes_no(False)
    return yes_no(not goes_straight(name) or stopped_s(noted, one, name) >= seconds)


def _meets_first(noted: Noted) -> str | None:
    touches = _touch_s(noted, noted.ahead_s if "second" in noted.stem else 3.0)
    if touches:
        return the_one(noted, touches[0][1])
    for word in ("nothing", "the floor"):
        if any(word == one.lower() for one in noted.options):
            return option_with(noted, word)
    near = _nearest_s(noted)
    return the_one(noted, near[0][1]) if near else None


def _event(noted: Noted) -> str | None:
    """Of things that may happen, the touch that comes first; or that a thing goes on, stops or falls."""
    touches = _touch_s(noted, noted.ahead_s)
    for _, at in touches:
        for text, things in zip(noted.options, noted.option_things, strict=True):
            if at in things and ("hits" in text or "touches" in text):
                return text
    subject = noted.marks[0] if noted.marks else None
    if subject is not None:
        falls = [text for text in noted.options if re.search(r"\b(?:leaves|falls|drops|lands|topples)\b", text)]
        if falls and span(noted, noted.places[subject])[0] > HOVERS_M:
            return falls[0]
        one, name = movers_of(noted)[subject], noted.things[subject].category
        if one is not None and one.moves and category(name).kind == "vehicle" and not _goes_on(noted, one, name):
            return option_with(noted, "comes to a stop", "keeps moving")
    return option_with(noted, "keeps moving", "comes to a stop")


def _nearest_later(noted: Noted) -> str | None:
    """What the first thing is nearest to after the time that is asked about."""
    if not noted.marks or (subject := noted.marks[0]) is None:
        return None
    later = _later(noted)
    gaps = {at: footprint_gap_m(later[subject], box) for at, box in enumerate(later) if at != subject}
    return the_one(noted, min(gaps, key=lambda at: gaps[at])) if gaps else None


def _camera_later(noted: Noted) -> dict[int, tuple[float, float]]:
    """How far from the camera and how far aside of its view (degrees) each thing is after the time that is asked about."""
    if noted.camera is None:
        return {}
    place, heading = noted.camera.after(noted.ahead_s)
    later = {}
    for at, box in enumerate(_later(noted)):
        offset = box.center_world[:2] - place
        level = np.array([place[0], place[1], noted.eye[2, 3]])
        turn = math.degrees(turn_between(heading, math.atan2(float(offset[1]), float(offset[0]))))
        later[at] = (float(np.linalg.norm(nearest_point(box, level) - level)), turn)
    return later


def _camera_near(noted: Noted) -> str | None:
    later = _camera_later(noted)
    return the_one(noted, min(later, key=lambda at: later[at][0])) if len(later) > 1 else None


def _in_view(noted: Noted) -> str | None:
    later = _camera_later(noted)
    if (
        len(later) != 1
        or not polar(noted)
        or not re.search(r"\b(?:will|still|stay|keep|after|later|next|leave|have)\b", noted.stem)
    ):
        return None
    away, turn = later[0]
    size = float(np.max(noted.places[0].box.size_m[:2])) / 2
    seen = abs(turn) < half_view(noted) + math.degrees(math.atan2(size, max(away, 0.1))) / 2
    gone = re.search(r"\b(?:leave|leaves|left|gone|out of|disappear)", noted.stem) is not None
    return yes_no(seen != gone)


def _camera_way(noted: Noted) -> str | None:
    """What the camera, or the car that carries it, does: over the clip, or next."""
    camera = noted.camera
    if camera is None:
        return None
    past = re.search(
        r"first (?:frame )?to the last|in this video|has the camera|over the frames|taken together|\bdid\b", noted.stem
    )
    if past:
        turn, moves = camera.turned_deg / _TURNED_DEG, camera.moved_m > _STAYED_M
    else:
        turn = camera.turn_deg_s / _TURNS_DEG_S
        moves = math.hypot(camera.ahead_m_s, camera.left_m_s) > _STAYS_M_S
        if camera.change_m_s2 < -_BRAKES_M_S2 and any("brakes" in one for one in noted.options):
            return option_with(noted, "brakes")
    if abs(turn) > 1:
        return option_with(noted, *(("turns to the left", "turns left") if turn > 0 else ("turns to the right", "turns right")))  # fmt: skip
    return option_with(noted, "straight") if moves else option_with(noted, "stays", "straight")


def _vehicle_way(noted: Noted) -> str | None:
    one = movers_of(noted)[0]
    if one is None:
        return None
    if _corners(noted, one):
        return option_with(noted, "turns left" if one.turn_deg > 0 else "turns right")
    return option_with(noted, "brakes") if one.slows else option_with(noted, "straight")


def _corners(noted: Noted, one: Mover) -> bool:
    """Whether the first thing, which moves so, is a vehicle that takes a corner, by its speed and by more than places err."""
    if category(noted.things[0].category).kind != "vehicle" or abs(one.turn_deg) < _SURE_TURN * one.turn_error_deg:
        return False
    return _CAR_TURNS_DEG < abs(one.turn_deg) < 60 and _TURNS_FROM_M_S < one.speed_m_s < _TURNS_BELOW_M_S


def _quarter(noted: Noted, one: Mover) -> int:
    """Which way it will go then, seen from here: 0 away, 1 to the left, 2 toward, 3 to the right."""
    way = math.degrees(turn_between(heading_rad(noted.eye), math.atan2(one.goes_m_s[1], one.goes_m_s[0])))
    if _corners(noted, one):
        rate = max(abs(one.turn_deg_s), math.degrees(one.speed_m_s / _CORNER_M))
        way += math.copysign(min(90.0, rate * noted.ahead_s), one.turn_deg)
    return round(way / 90) % 4


def _direction(noted: Noted) -> str | None:
    one = movers_of(noted)[0]
    if one is None or not one.goes_m_s[:2].any():
        return None
    return option_with(noted, _WAYS[_quarter(noted, one)])


def _falls_toward(noted: Noted) -> str | None:
    """Which way a thing falls, as the camera sees it."""
    if not noted.things or category(noted.things[0].category).kind in ("person", "animal", "vehicle"):
        return None  # who goes down a corridor does not fall
    way = falling_way(noted)
    if way is None:
        return None
    turn = math.degrees(turn_between(heading_rad(noted.eye), math.atan2(float(way[1]), float(way[0]))))
    return option_with(noted, _WAYS[round(turn / 90) % 4])


def _person(noted: Noted) -> str | None:
    one = movers_of(noted)[0]
    if one is None:
        return None
    if one.speed_m_s < _STROLLS_M_S:
        return option_with(noted, "stands still")
    return option_with(noted, ("toward or away", "to the left", "toward or away", "to the right")[_quarter(noted, one)])


_SAID_TO_MOVE = re.compile(
    r"\b(?:will|going to)\b.*(?:(?<!stand )(?<!standing )(?<!sit )(?<!lie )\bstill\b(?! ?(?:stand|sit|lie|there|at rest))|\bkeeps? (?:on )?mov|\bgo(?:es)? on mov|\bcontinues? mov|\bcontinues? to move)"
)
"""Words by which a question on later tells that something is in motion now."""


def _keeps_moving(noted: Noted) -> str | None:
    """Whether a thing still moves then: what brakes stops, what slides stops soon, what rolls goes on unless it meets something."""
    one = movers_of(noted)[0]
    if not polar(noted):
        return None
    stops = re.search(r"\bstop|\brest\b|\bstand still\b|\bhalt\b", noted.stem) is not None
    what = category(noted.things[0].category)
    walks, told = (
        what.kind in ("person", "animal"),
        may_move(what.name) and _SAID_TO_MOVE.search(noted.stem) is not None,
    )
    goes_on = told and noted.ahead_s < (_WALKS_ON_S if walks else _SOON_S)
    if one is None:
        return yes_no(not stops) if goes_on else None
    if not one.moves and not goes_on:
        return yes_no(stops)
    if not one.moves:  # it is said to move, be it too slow to be seen
        return yes_no(not stops)
    goes = _goes_on(noted, one, what.name)
    if walks and goes and noted.ahead_s >= _WALKS_ON_S:
        return None
    return yes_no(goes != stops)


def _goes_on(noted: Noted, one: Mover, name: str) -> bool:
    """Whether what moves still does after the time that is asked about."""
    drives, rests = category(name).kind == "vehicle", one.rests_known(noted.ahead_s)
    if category(name).kind in ("person", "animal"):  # they stop where they like
        return not (rests and one.rests_after_s < noted.ahead_s)
    if rests:
        return one.rests_after_s > noted.ahead_s and (drives or not _runs_into(noted, one))
    if drives or name in DRIVEN:
        return not one.slows or noted.ahead_s < _SOON_S
    if name in ROUND:
        return noted.ahead_s < _SOON_S or not _runs_into(noted, one)
    return one.speed_m_s > _SLIDES_M_S2 * noted.ahead_s


def _runs_into(noted: Noted, one: Mover) -> bool:
    """Whether something is in a thing's way; what it is at already is not: that carries or pushes it, or goes along."""
    ahead = [box for box in others_than(noted, one.box) if footprint_gap_m(one.box, box) > AT_IT_M]
    return any(meets(one, box, noted.ahead_s)[0] is not None for box in ahead)


_HITS = r"\b(?:hits?|bumps?(?: into)?|touch(?:es)?|collides?|contact|reach(?:es)?|meet|run into|crash)\b"
AHEAD = (
    rule(r"taken away|removed|vanish|were not there|not there any more|without (?:the )?#", 1, falls_without),
    rule(r"^(?!.*(?:#|\b(?:remov|taken?|pull|without|if|when)\b)).*\bstack (?:\w+ )*(?:stands?|standing|upright)\b.*\d", 0, stack_stands),
    rule(r"how fast|\bspeed of|speed\b.*\b(?:m/s|travel|move|moving)", 1, _speed),
    rule(r"\b(?:faster|fastest|slower|slowest)\b", 2, _faster),
    rule(r"(?:reach\w*|touch\w*|arrive at|land on) the floor|falls? (?:first|earliest)|first to fall|(?:fall|drop|topple)\w* (?:or \w+ )?(?:before|earlier|first)", 2, first_down),
    rule(rf"(?:how long|how many seconds|how much time|how soon|when will).*{_HITS}|{_HITS}.*(?:how long|in seconds)", 2, _time_to),
    rule(r"(?:next thing that|what happens (?:next|first)|which of these events|these events involving)", 1, lambda noted: _event(noted) if any(" hits " in one or "keeps moving" in one or "stop" in one for one in noted.options) else None),
    rule(r"\b(?:touch(?:es)? next|next new contact|comes? into contact with|bump into first|hit first|gets? in the way of|in the way of|stop or deflect|stops the way|blocks?)\b", 1, lambda noted: None if polar(noted) else _meets_first(noted)),
    rule(rf"# (?:{_HITS[2:-2]}) (?:a|the|any) wall", 1, _hits_wall),
    rule(_HITS, 2, _touches),
    rule(r"\b(?:camera|it)\b.*\b(?:nearest|closest)\b.*\b(?:after|later)\b|\b(?:after|later)\b.*\b(?:nearest|closest)\b.*\bcamera\b|camera be nearest|goes on as it does|after the video ends.*to the camera", 2, lambda noted: _camera_near(noted) if "camera" in noted.stem else None),
    rule(r"^(?!.*\b(?:to|from) (?:the camera|the viewer|you|us|me)\b)(?:.*\b(?:nearest|closest|next to)\b.*\b(?:later|after|last frame)\b|.*\b(?:in|after) \d.*\b(?:nearest|closest)\b|.*later: next to|.*second\w* after.*closest to)", 2, _nearest_later),
    rule(r"\b(?:in|of|out of|leave|inside|within)\b.*\b(?:view|picture|field of view|sight)\b", 1, _in_view),
    rule(r"^(?!.*#).*\bcamera|\bthe viewer\b|\bcamera car\b|car (?:with|that carries) the camera|carries the camera|riding in", 0, lambda noted: _camera_way(noted) if noted.options and any("turns" in one for one in noted.options) else None),
    rule(r"\b(?:next|behave|do|does|action)\b", 1, lambda noted: _vehicle_way(noted) if any("brakes" in one for one in noted.options) else _person(noted) if any("walks" in one for one in noted.options) else None),
    rule(r"^(?!from which|out of which).*\b(?:way|direction|side)\b(?:(?!\bwhen\b|\bthat\b|\bbefore\b).)*# (?:is |will |does |going to |most likely )*(?:fall|topple|tip over|go down|goes down|tip)\b(?! of)|^(?:the )?# (?:is |will )?(?:going to )?(?:fall|topple|tip over)\b.*\b(?:way|direction|side)\b", 1, lambda noted: _falls_toward(noted) if any("to the left" in one for one in noted.options) else None),
    rule(r"\b(?:heading|moving|move|moves|direction)\b", 1, lambda noted: _direction(noted) if any("to the left" in one for one in noted.options) else None),
    rule(r"keep moving|in motion|moving still|still be moving|come to (?:a )?(?:rest|stop)|stand still|stop moving", 1, _keeps_moving),
    rule(r"end up|will .*(?:resting|rest on|standing on|lying on)|rest on\b", 1, lambda noted: ends_on(noted) if "second" in noted.stem else None),
    rule(r"\b(?:falls?|drop|topple|tip|leave\b.*\bdrop)\b", 1, falls),
)  # fmt: skip
"""In this order, before ``likely_relations.PLACES``."""
