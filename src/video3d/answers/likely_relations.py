"""Conclusions on how things lie: to each other, to the camera, to the road, and in time."""

import itertools
import math
import re

import numpy as np

from video3d.answers import likely_contact as contact
from video3d.answers import likely_measures as measures
from video3d.answers.likely import FAR, METRES, candidates, extreme, pair_of, rule
from video3d.answers.noted import Noted, in_view_frame, level_places, option_with, polar, span, the_one, yes_no
from video3d.answers.notes_motion import bearing, heading_rad, outline, turn_between
from video3d.answers.notes_ways import LANE_M, SECTORS, asked_turn
from video3d.geometry.boxes import footprint_gap_m, gap_m, nearest_point


def _camera_far(noted: Noted) -> dict[int, float]:
    eye = noted.eye[:3, 3]
    return {
        at: float(np.linalg.norm(nearest_point(noted.places[at].box, eye) - eye)) for at in range(len(noted.places))
    }


def _nearer_camera(noted: Noted) -> str | None:
    if re.match(r"is (?:the )?#.*\bor (?:to )?", noted.stem):
        return None
    far = _camera_far(noted)
    return extreme(noted, {at: far[at] for at in candidates(noted)}, not FAR.search(noted.stem))


_LANE_HALF_M, _LANE_SLACK_M = 0.25, 0.05  # of who goes straight on, and how far off a box may be
_OUTLINE_M = 0.2  # between points of a footprint, less than a lane is wide
_STEPS_OVER_M = 0.3  # and no more than half of how high the camera is: what is lower is stepped or rolled over
_EYE_M = 1.5  # where a camera is held, where no floor was seen
_BESIDE_M = 0.3  # of a way's line: a thing is on it still
_ANCHOR = re.compile(r"\b(?:near|clos|far|furth)\w*(?: away)? (?:to|from) (?:the )?#")


def _nearer_thing(noted: Noted) -> str | None:
    found = _ANCHOR.search(noted.stem)
    if found is None or re.match(r"is (?:the )?#.*\bor (?:to )?(?:the )?#", noted.stem):
        return None
    anchor = noted.marks[noted.stem[: found.end()].count("#") - 1]
    if anchor is None:
        return None
    gaps = {at: gap_m(noted.places[at].box, noted.places[anchor].box) for at in candidates(noted, anchor)}
    return extreme(noted, gaps, not FAR.search(found[0]))


def _two_of(noted: Noted) -> str | None:
    middles = [one.box.center_world for one in noted.places]
    pairs = list(itertools.combinations(range(len(middles)), 2))
    if not re.search(r"\bclos|\bnear|\bapart\b|\b(?:far|furth)", noted.stem):
        return None
    far = FAR.search(noted.stem) is not None
    best = (max if far else min)(pairs, key=lambda two: float(np.linalg.norm(middles[two[0]] - middles[two[1]])))
    for text, things in zip(noted.options, noted.option_things, strict=True):
        if set(things) == set(best):
            return text
    return f"the {noted.names[best[0]]} and the {noted.names[best[1]]}"


def _to_a_side(noted: Noted) -> str | None:
    turns = {at: -bearing(noted.eye, noted.places[at].box.center_world[:2]) for at in candidates(noted)}
    left = re.search(r"\bleft", noted.stem) is not None
    pair = pair_of(noted)
    if re.search(
        r"#'s\b|\bmy\b|\bperspective\b|\bsit\b|\bfrom where\b(?! the camera)|\bturns?\b|\bstands?\b.*\blooks? at\b",
        noted.stem,
    ):
        return None
    if polar(noted) or ("left" in noted.stem and "right" in noted.stem):
        if pair is None or len(noted.marks) > 2 or not set(pair) <= set(turns):
            return None
        is_left = turns[pair[0]] < turns[pair[1]]
        return yes_no(is_left == left) if polar(noted) else option_with(noted, "left" if is_left else "right")
    return extreme(noted, turns, left)


def _above_below(noted: Noted) -> str | None:
    pair = pair_of(noted)
    if re.search(r"\b(?:above|below|over|under) (?:the )?#", noted.stem) and (
        pair is None or footprint_gap_m(*(noted.places[at].box for at in pair)) > 0.05
    ):
        return yes_no(False) if polar(noted) and pair is not None else None
    spans = {at: sum(span(noted, noted.places[at])) for at in candidates(noted)}
    low = re.search(r"\b(?:lower|lowest|below|beneath|under)\b", noted.stem) is not None
    return extreme(noted, spans, low)


def _depth_order(noted: Noted) -> str | None:
    pair = pair_of(noted)
    if pair is None:
        return None
    a, b = (in_view_frame(noted.places[at].box, noted.eye[:2, 3], heading_rad(noted.eye))[:, 0].mean() for at in pair)
    front = bool(a < b)
    if len(noted.marks) > 2 or not (
        polar(noted) or noted.options or ("front" in noted.stem and "behind" in noted.stem)
    ):
        return None
    if polar(noted):
        return yes_no(front == ("behind" not in noted.stem))
    return option_with(noted, "in front" if front else "behind")


def _relation(noted: Noted) -> str | None:
    """Of the ways to lie to another thing that a question offers, the one that fits best; each has a margin, above 0 if it holds."""
    pair = pair_of(noted)
    if pair is None or not noted.options:
        return None
    a, b = (noted.places[at] for at in pair)
    corners = [in_view_frame(place.box, noted.eye[:2, 3], heading_rad(noted.eye)) for place in (a, b)]
    turns = [np.degrees(np.arctan2(one[:, 1], np.maximum(one[:, 0], 0.05))) for one in corners]
    shared = (min(one.max() for one in turns) - max(one.min() for one in turns)) / max(
        min(float(np.ptp(one)) for one in turns), 1.0
    )
    turn = float(turns[0].mean() - turns[1].mean())
    deeper = float(corners[0][:, 0].mean() - corners[1][:, 0].mean())
    (low_a, high_a), (low_b, high_b) = span(noted, a), span(noted, b)
    apart = footprint_gap_m(a.box, b.box)
    carried = 1.2 - 10 * apart - 4 * abs(low_a - high_b)
    within = 1.0 if contact.inside(a.box, b.box) else -1.0
    gap = gap_m(a.box, b.box)
    fits: list[tuple[float, str]] = []
    for text in noted.options:
        said = text.lower()
        limit = METRES.search(said)
        if "left" in said or "right" in said:
            aside = turn if "left" in said else -turn
            fits.append((aside / 10 if aside > 0 and shared < 0.5 else -1.0 + aside / 90, text))
        elif "front" in said or "behind" in said:
            ahead = deeper if "behind" in said else -deeper
            fits.append((0.3 + shared / 2 if ahead > 0 and shared > 0 else -1.0 + ahead / 10, text))
        elif limit is not None:
            near = 1.0 - gap / max(float(limit[1]), 1e-3)
            fits.append((near if "near" in said else -near, text))
        elif "inside" in said or said.startswith("in "):
            fits.append((within, text))
        elif said.startswith(("on ", "above", "over")):
            fits.append((carried, text))
        elif said.startswith(("below", "under", "beneath")):
            fits.append((1.2 - 10 * apart - 4 * abs(low_b - high_a), text))
        else:
            return None
    return max(fits)[1]


_FACES = re.compile(r"\bcamera\b|\b(?:which way|which direction|where) (?:does|is) (?:the )?# (?:fac|point|look)")


def _facing(noted: Noted) -> str | None:
    fronts = [place.front_world for place in noted.places]
    if len(noted.marks) == 1:
        if fronts[0] is None:
            return None
        if not noted.options and not _FACES.search(noted.stem):
            return None
        to_camera = noted.eye[:2, 3] - noted.places[0].box.center_world[:2]
        here = float(np.dot(fronts[0], to_camera)) > 0
        if not noted.options:
            return "towards the camera" if here else "away from the camera"
        return option_with(noted, "toward" if here else "away")
    if len(fronts) < 2 or fronts[0] is None or fronts[1] is None:
        return None
    return option_with(noted, "the same way" if float(np.dot(fronts[0], fronts[1])) > 0 else "opposite ways")


_OWN = re.compile(r"from (?:the )?# itself|#'s own|front of (?:the )?#")


def _own_side(noted: Noted) -> str | None:
    found = _OWN.search(noted.stem)
    if found is None:
        return None
    before = noted.stem[: found.end()].count("#") - 1
    who = noted.marks[before]
    others = [at for at in noted.marks if at is not None and at != who]
    if who is None or not others or (front := noted.places[who].front_world) is None:
        return None
    offset = noted.places[others[0]].box.center_world[:2] - noted.places[who].box.center_world[:2]
    turn = math.degrees(turn_between(math.atan2(front[1], front[0]), math.atan2(offset[1], offset[0])))
    return _toward(noted, turn)


def _toward(noted: Noted, turn: float) -> str | None:
    """The option that a direction is nearest to, in degrees to the left."""
    ways = {"front": 0.0, "ahead": 0.0, "straight": 0.0, "left": 90.0, "right": -90.0, "behind": 180.0}
    offered = [(text, ways[word]) for text in noted.options for word in ways if word in text.lower()]
    if not offered:
        return ("in front", "left", "behind", "right")[round(turn / 90) % 4]
    return min(offered, key=lambda one: abs((turn - one[1] + 180) % 360 - 180))[0]


def _standing(noted: Noted) -> str | None:
    """Who stands at the first thing and looks at the second: where is the third?"""
    if len(noted.marks) < 3 or any(at is None for at in noted.marks[:3]):
        return None
    here, ahead, there = (noted.places[at].box.center_world[:2] for at in noted.marks[:3] if at is not None)
    turn = math.degrees(turn_between(math.atan2(*(ahead - here)[::-1]), math.atan2(*(there - here)[::-1])))
    if abs(turn) > 135 and (not noted.options or any("behind" in one for one in noted.options)):
        return option_with(noted, "behind you", "behind")
    return option_with(noted, "to your left" if turn > 0 else "to your right")


def _between(noted: Noted) -> str | None:
    if polar(noted):
        return _is_between(noted)
    pair = pair_of(noted)
    if pair is None:
        return None
    start, end = (noted.places[at].box.center_world[:2] for at in pair)
    way = end - start
    off = {}
    for at in candidates(noted):
        if at not in pair:
            place = noted.places[at].box.center_world[:2]
            share = float((place - start) @ way) / max(float(way @ way), 1e-9)
            off[at] = float(np.linalg.norm(place - start - np.clip(share, 0.1, 0.9) * way))
    return the_one(noted, min(off, key=lambda at: off[at])) if off else None


def _is_between(noted: Noted) -> str | None:
    """Whether the way from one thing's middle to another's goes through a third, or near by it."""
    if len(noted.marks) != 3 or len(set(noted.marks)) < 3:
        return None
    first, second, third = (noted.places[at].box for at in noted.marks if at is not None)
    start, end, one = (first, second, third) if "on the way" in noted.stem else (second, third, first)
    way = (end.center_world - start.center_world)[:2]
    length = max(float(np.linalg.norm(way)), 1e-9)
    across = np.array([-way[1], way[0]]) / length
    offset = (one.center_world - start.center_world)[:2]
    width = float(np.abs(one.size_m[:2] @ (one.world_from_box[:2, :2].T @ across).reshape(2, 1)).item())
    share, off = float(offset @ way) / length**2, abs(float(offset @ across))
    return yes_no(0.05 < share < 0.95 and off < width / 2 + _BESIDE_M)


def _first_seen(noted: Noted) -> str | None:
    if re.search(r"\bdisappear|\bout of\b|\bleaves?\b", noted.stem):
        return None
    seen = {at: min(place.frames) for at, place in enumerate(noted.places) if place.frames}
    if len(seen) < len(noted.names):
        return None
    orders = [(text, [seen[at] for at in things]) for text, things in zip(noted.options, noted.option_things, strict=True) if len(things) > 2]  # fmt: skip
    if orders:  # the one with the least that is the wrong way round
        return min(orders, key=lambda one: sum(max(a - b, 0) for a, b in itertools.combinations(one[1], 2)))[0]
    if re.search(r"\border\b", noted.stem) and len(noted.names) > 2:
        return None
    late = re.search(r"\b(?:later|last|second)\b", noted.stem.replace("last frame", "")) is not None
    return extreme(noted, {at: float(seen[at]) for at in candidates(noted)}, not late)


def _first_event(noted: Noted) -> str | None:
    """Which of several comings into view and goings out of it is the first."""
    when = []
    for text, things in zip(noted.options, noted.option_things, strict=True):
        if len(things) != 1 or not (frames := noted.places[things[0]].frames):
            return None
        when.append((min(frames) - 0.5 if "into view" in text else max(frames) + 0.5, text))
    return min(when)[1] if len(when) > 1 else None


def _road_side(noted: Noted) -> str | None:
    if len(noted.names) != 1:
        return None
    local = in_view_frame(noted.places[0].box, noted.eye[:2, 3], heading_rad(noted.eye))
    return option_with(noted, "on the left" if local[:, 1].mean() > 0 else "on the right")


def _lane(noted: Noted) -> str | None:
    if len(noted.names) != 1:
        return None
    left = float(in_view_frame(noted.places[0].box, noted.eye[:2, 3], heading_rad(noted.eye))[:, 1].mean())
    return option_with(noted, "in our lane" if abs(left) < LANE_M else "left of our lane" if left > 0 else "right of our lane")  # fmt: skip


def _hour(noted: Noted) -> str | None:
    if len(noted.names) != 1:
        return None
    hour = round(-bearing(noted.eye, noted.places[0].box.center_world[:2]) / 30) % 12 or 12
    for text in noted.options:
        if text.startswith(f"{hour} "):
            return text
    return None if noted.options else f"{hour} o'clock"


_ANOTHER_WAY = re.compile(
    r"(?<!to )\bgo\b|\b(?:going|moving|walking|driving|rolling|roll|running|heading|come|came)\b|\b(?:nearest|closest|farthest|other|second|third|next) #"
)
"""Which way a thing goes, or of which of several is spoken: not where the one thing is."""


def _sector(noted: Noted) -> str | None:
    if len(noted.names) != 1 or _ANOTHER_WAY.search(noted.stem):
        return None
    return SECTORS[round(bearing(noted.eye, noted.places[0].box.center_world[:2]) / 45) % 8]


def _to_go(noted: Noted) -> str | None:
    if len(noted.names) != 1 or re.search(r"\bhow (?:long|far|many)\b", noted.stem):
        return None
    turn = bearing(noted.eye, noted.places[0].box.center_world[:2])
    way = "go straight on" if abs(turn) < 23 else "turn around" if abs(turn) > 147 else f"turn {'left' if turn > 0 else 'right'}"  # fmt: skip
    return option_with(noted, way)


def _after_turn(noted: Noted) -> str | None:
    turn = asked_turn(noted.stem)
    if turn is None:
        return None
    off = {
        at: abs((bearing(noted.eye, noted.places[at].box.center_world[:2]) - turn + 180) % 360 - 180)
        for at in candidates(noted)
    }
    return extreme(noted, off, True)


def _reached(noted: Noted) -> str | None:
    """What somebody who goes straight on comes to first: neither what is high enough to pass under, nor what they step over."""
    heading, eye_z, first = heading_rad(noted.eye), float(noted.eye[2, 3]), {}
    floor_z = noted.facts.floor_z if noted.facts.floor_z is not None else eye_z - _EYE_M
    over_z = floor_z + min(_STEPS_OVER_M, (eye_z - floor_z) / 2)
    for at in candidates(noted):
        box = noted.places[at].box
        local = level_places(outline(box, _OUTLINE_M), noted.eye[:2, 3], heading)
        aside = np.maximum(np.abs(local[:, 1]) - _LANE_HALF_M, 0.0)
        within = aside <= max(float(aside.min()), _LANE_SLACK_M)
        near = max(float(local[within, 0].min()), 0.0) + 10 * max(0.0, float(aside.min()) - _LANE_SLACK_M)
        low, high = (float(box.center_world[2] + side * box.size_m[2] / 2) for side in (-1, 1))
        passed = high < over_z or low > eye_z or local[:, 0].max() < 0
        first[at] = near + (1e3 if passed else 0.0)
    return extreme(noted, first, True)


_RIGHT = r"right\b(?! (?:above|below|over|under|behind|beside|next))"  # the side, not "exactly"
_PLACED = r"with respect|relative to|relation\b|\bplaced\b|positioned"
PLACES = (
    rule(r"(?=.*\bcamera\b).*(?:above the|\bhigh\b|\bheight\b)", 0, measures.camera_height),
    rule(r"\bfreest\b|\bgo (?:farthest|furthest) before\b|\b(?:open|free|clear) (?:floor|space|way)\b.*\b(?:left|right)\b", 0, measures.freest),
    rule(r"\b3d bounds\b|\bbox\b", 1, measures.box),
    rule(r"\b(?:room|floor to (?:the )?ceiling|walls? of the room)\b", 0, measures.room),
    rule(r"\bown\b|itself\b|with respect to the front|\bfront of (?:the )?# as forward", 2, _own_side),
    rule(r"\b(?:you|your)\b.*\b(?:left|right|behind|where|side)", 3, _standing),
    rule(r"\bfac(?:e|es|ing)\b|\bfronts?\b(?= (?:of|or|turned|point))(?<!in front)|\b(?:same|opposite) (?:way|direction)|pointing", 1, _facing),
    rule(r"\bturn\w*\b.*\d+ degrees", 2, _after_turn),
    rule(r"^where is (?!.*(?:relative|respect|placed))|which way (?:is|would)|what direction|in which direction (?:is|from)|ahead, left, right", 1, _sector),
    rule(r"\bto go (?:to|toward)|\bto walk to\b|\b(?:get|drive|move) to (?:the )?#", 1, _to_go),
    rule(r"\boclock\b", 1, _hour),
    rule(r"\blane\b", 1, _lane),
    rule(r"down the road.*\bside\b|\b(?:side|left|right)\b.*\b(?:road|our way|our car)\b|\b(?:road|our way|our car)\b.*\b(?:left|right)\b", 1, _road_side),
    rule(r"\balong\b(?! (?:its|the) (?:longe|shorte|long|short)).*metres|metres of the road", 1, measures.along),
    rule(r"straight (?:ahead from|forward|on\b|ahead)(?!.*\bmeet on\b).*\b(?:first|into)|(?:reached|run into|in the way) .*first", 2, _reached),
    rule(r"\bwalls?\b", 1, measures.wall),
    rule(rf"{_PLACED}|which of these describes where", 2, _relation),
    rule(r"\b(?:machine|robot|cart|wheelchair|room for|fit|pass|pushed)\b", 2, measures.fits),
    rule(r"\b(?:gap|passage|opening|free floor)\b(?!.*\b(?:smaller|less|more|larger|bigger)\b)", 2, measures.opening),
    rule(r"which (?:two|pair)", 3, _two_of),
    rule(r"\bbetween (?:the )?# and (?:the )?#|\bmeet (?:(?:the )?# )?on the way\b", 3, _between),
    rule(r"into view|out of view|\bappear(?:s|ed)?\b(?! (?:bigger|larger|smaller|taller|shorter|wider|higher|lower|closer|nearer|to be)\b)|\bfirst seen|(?:sees?|shows?|enters?)\b.*\b(?:first|later|order)|order in which|comes first|happens (?:first|earlier)|which of these is first", 2, lambda noted: _first_event(noted) or _first_seen(noted)),
    rule(r"\bin front\b|\bbehind\b", 2, _depth_order),
    rule(r"\d ?m(?:et(?:re|er)s?)?\b", 2, measures.near_far),
    rule(rf"\b(?:left|{_RIGHT}|leftmost|rightmost)\b", 2, _to_a_side),
    rule(r"(?=.*\bcamera\b).*\b(?:near|clos|far|furth)", 2, _nearer_camera),
    rule(r"\b(?:near|clos|far|furth)\w*(?: away)? (?:to|from) (?:the )?#", 3, _nearer_thing),
    rule(r"(?:how many metres|how far apart|distance between|metres is it|from the nearest point)(?!.*\bsecond)", 2, measures.gap),
    rule(r"\binside\b|contain|\bin (?:the )?#", 2, contact.is_inside),
    rule(r"\brest(?:s|ing)?\b|support|\bholds?\b|holding|carr(?:y|ies)|directly under|stands? or lies?|\bis on (?:the )?#|# on (?:the )?#|stand or lie|lying or standing on|end up\b", 1, contact.rests_on),
    rule(r"\b(?:higher|highest|lower|lowest)\b|\b(?:above|below|over|under) (?:the )?#", 2, _above_below),
    rule(r"\b(?:bigger|biggest|larger|largest|smaller|smallest|taller|tallest|shorter|shortest|volume)\b", 2, measures.biggest),
    rule(r"above the (?:floor|road|ground)|underside|lowest point|height of .* above", 1, measures.height),
    rule(r"^(?!.*\b(?:second|above (?:the )?(?:floor|road|ground|#)|underside)).*\b(?:height|high|tall|long|length|longer|wide|width|bottom to top|shorter)\b", 1, measures.size),
    rule(r"^(?!.*\bsecond)(?:.*)(?:how far|how many metres|distance)", 1, measures.far_from_camera),
    rule(r"how many (?:different )?#|\bcount\b|number of", 1, measures.count),
)  # fmt: skip
"""In this order; the first that comes to a conclusion counts."""
