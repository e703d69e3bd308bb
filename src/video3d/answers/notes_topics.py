"""What notes say, topic by topic: order, gaps, heights, sizes, fronts, support, motion."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable

import numpy as np

from video3d.answers.likely_contact import inside
from video3d.answers.likely_measures import box_words
from video3d.answers.named import SURE_ENOUGH
from video3d.answers.noted import Noted, Topic, ends, in_view_frame, metres, span, way_of
from video3d.answers.notes_ahead import camera_ahead, motion
from video3d.answers.notes_motion import bearing, heading_rad, turn_between
from video3d.answers.notes_ways import beside_the_way, clock_hours, sectors, to_go, turned, wall_distances
from video3d.geometry.boxes import footprint_gap_m, footprint_margin_m, gap_m, nearest_point
from video3d.vocabulary import category

_MOST_ROWS = 5
_MOST_LISTED = 10
_METRES = re.compile(r"(\d+(?:\.\d+)?) ?m(?:etres?|eters?)?\b")
_NEAR = re.compile(r"within (\d+(?:\.\d+)?) ?m")
_FAR = re.compile(r"more than (\d+(?:\.\d+)?) ?m")
_RESTS_M = 0.12
"""How far a thing's bottom may lie from another's top, or from the floor, for it to rest there."""


def whereabouts(noted: Noted, position: int) -> list[str]:
    """How far each thing is from the camera, and in which direction."""
    said = []
    for name, place in zip(noted.names, noted.places, strict=True):
        turn = bearing(noted.eye, place.box.center_world[:2])
        far = float(np.linalg.norm(place.box.center_world - noted.eye[:3, 3]))
        said.append(f"{name} {metres(far)} m, {way_of(turn)}{' (unsure)' if place.score < SURE_ENOUGH else ''}")
    return [f"frame {int(noted.clip.frame_index[position])}: {'; '.join(said)}"] if said else []


def _distances(noted: Noted) -> list[str]:
    eye = noted.eye[:3, 3]
    far = [float(np.linalg.norm(nearest_point(one.box, eye) - eye)) for one in noted.places]
    return ends(noted, "nearest to the camera", "farthest from the camera", far)


def _pairs(noted: Noted) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(noted.names)), 2))


def _gaps(noted: Noted) -> list[str]:
    """Between nearest points: of two how far, and more or less than the question says; of more from each to the others."""
    return _apart(noted, {pair: gap_m(*(noted.places[at].box for at in pair)) for pair in _pairs(noted)}, "apart")


def _apart(noted: Noted, gaps: dict[tuple[int, int], float], what: str) -> list[str]:
    if len(noted.names) == 2:
        gap = gaps[0, 1]
        limits = dict.fromkeys(float(number) for number in _METRES.findall(noted.text))
        than = [f"{'more' if gap > limit else 'less'} than {limit:g} m" for limit in limits]
        return [f"{what}: {', '.join([f'{metres(gap)} m', *than])}"]
    lines = []
    for at, name in enumerate(noted.names[:_MOST_ROWS]):
        rest = sorted((gaps[min(at, other), max(at, other)], other) for other in range(len(noted.names)) if other != at)
        lines.append(f"from {name}: " + ", ".join(f"{noted.names[other]} {metres(gap)} m" for gap, other in rest))
    return lines


def _floor_gaps(noted: Noted) -> list[str]:
    boxes = [one.box for one in noted.places]
    gaps = {(i, j): footprint_gap_m(boxes[i], boxes[j]) for i, j in _pairs(noted)}
    return _apart(noted, gaps, "free floor between")


def _middles(noted: Noted) -> list[str]:
    middles = [one.box.center_world for one in noted.places]
    pairs = sorted(_pairs(noted), key=lambda pair: float(np.linalg.norm(middles[pair[0]] - middles[pair[1]])))
    first, last = (" and ".join(noted.names[at] for at in pair) for pair in (pairs[0], pairs[-1]))
    return [f"closest together: {first}; farthest apart: {last}"]


def _sides(noted: Noted) -> list[str]:
    turns = [-bearing(noted.eye, one.box.center_world[:2]) for one in noted.places]
    return ends(noted, "farthest left", "farthest right", turns)


def _relation(noted: Noted) -> list[str]:
    """How the first thing lies to the second as the camera sees them; what is not clear is not said."""
    (a, b), heading = noted.places[:2], heading_rad(noted.eye)
    corners = [in_view_frame(place.box, noted.eye[:2, 3], heading) for place in (a, b)]
    turns = [np.degrees(np.arctan2(one[:, 1], np.maximum(one[:, 0], 0.05))) for one in corners]
    shared = min(one.max() for one in turns) - max(one.min() for one in turns)
    narrower = min(float(np.ptp(one)) for one in turns)
    turn = float(turns[0].mean() - turns[1].mean())
    spans = [span(noted, place) for place in (a, b)]
    said = []
    if shared < 0.3 * narrower and abs(turn) > 3:
        said.append("to the left of it" if turn > 0 else "to the right of it")
    hovers = spans[0][0] > spans[1][1] - 0.05 or spans[1][0] > spans[0][1] - 0.05
    deeper = float(corners[0][:, 0].mean() - corners[1][:, 0].mean())
    if shared > 0.3 * narrower and not hovers:
        said.append("behind it" if deeper > 0 else "in front of it")
    elif not hovers:
        said.append("farther away" if deeper > 0 else "nearer")
    if footprint_gap_m(a.box, b.box) < 0.1:
        is_inside = inside(a.box, b.box)
        over = spans[0][0] > spans[1][1] - _RESTS_M
        under = spans[1][0] > spans[0][1] - _RESTS_M
        said += ["inside it"] if is_inside else ["above it", "on it"] if over else ["below it"] if under else []
    gap = gap_m(a.box, b.box)
    for limit, word in ((_NEAR, "near it"), (_FAR, "far from it")):
        found = limit.search(noted.text)
        if found and (gap < float(found[1])) == (limit is _NEAR):
            said.append(word)
    return [f"{noted.names[0]} seen from {noted.names[1]}: {', '.join(said)}, {metres(gap)} m apart"]


def _heights(noted: Noted) -> list[str]:
    spans = [span(noted, one) for one in noted.places]
    said = [f"{name} {metres(low)} to {metres(high)} m" for name, (low, high) in zip(noted.names, spans, strict=True)]
    return [f"heights: {'; '.join(said)}", *ends(noted, "lowest", "highest", [low + high for low, high in spans])]


def _sizes(noted: Noted) -> list[str]:
    said, volumes, tall = [], [], []
    for name, place in zip(noted.names, noted.places, strict=True):
        size = [float(side) for side in place.box.size_m]
        long, wide = max(size[:2]), min(size[:2])
        said.append(f"{name} {metres(long)} m long, {metres(wide)} m wide, {metres(size[2])} m high")
        volumes.append(math.prod(size))
        tall.append(size[2])
    return [
        f"sizes: {'; '.join(said)}",
        *ends(noted, "smallest", "biggest", volumes),
        *ends(noted, "shortest", "tallest", tall),
    ]


def _boxes(noted: Noted) -> list[str]:
    return [f"{name}: {box_words(place.box)}" for name, place in zip(noted.names, noted.places, strict=True)]


_QUARTERS = ("in front", "left", "behind", "right")


def _quarter(turn_deg: float) -> str:
    return _QUARTERS[round(turn_deg / 90) % 4]


def _fronts(noted: Noted) -> list[str]:
    """Which way fronts face, seen by the camera and compared, and what is on which side of whom."""
    lines, heading = [], {}
    for at, place in enumerate(noted.places):
        if place.front_world is None:
            continue
        heading[at] = math.atan2(place.front_world[1], place.front_world[0])
        to_camera = noted.eye[:2, 3] - place.box.center_world[:2]
        turn = math.degrees(turn_between(math.atan2(to_camera[1], to_camera[0]), heading[at]))
        # Seen by the camera, what faces its own right of the line to it goes to the left.
        way = ("towards the camera", "right", "away from the camera", "left")[round(turn / 90) % 4]
        lines.append(f"{noted.names[at]} faces {way}")
        around = []
        for other, name in enumerate(noted.names):
            if other != at:
                offset = noted.places[other].box.center_world[:2] - place.box.center_world[:2]
                angle = math.degrees(turn_between(heading[at], math.atan2(offset[1], offset[0])))
                around.append(f"{name} {_quarter(angle)}")
        if around:
            lines.append(f"from the front of {noted.names[at]}: {', '.join(around)}")
    for i, j in itertools.combinations(heading, 2):
        same = abs(turn_between(heading[i], heading[j])) < math.pi / 2
        lines.append(f"{noted.names[i]} and {noted.names[j]} face {'the same way' if same else 'opposite ways'}")
    return lines


def _standing(noted: Noted) -> list[str]:
    """Who stands at one of the first two things and looks at the other: where are the rest?"""
    lines = []
    middles = [place.box.center_world[:2] for place in noted.places]
    for at, towards in ((0, 1), (1, 0)):
        ahead = middles[towards] - middles[at]
        rest = []
        for other in range(2, len(noted.names)):
            offset = middles[other] - middles[at]
            turn = math.degrees(turn_between(math.atan2(ahead[1], ahead[0]), math.atan2(offset[1], offset[0])))
            rest.append(f"{noted.names[other]} {'behind' if abs(turn) > 135 else 'left' if turn > 0 else 'right'}")
        lines.append(f"at {noted.names[at]} facing {noted.names[towards]}: {', '.join(rest)}")
    return lines


def _views(noted: Noted) -> list[str]:
    seen = [(min(one.frames), max(one.frames)) for one in noted.places if one.frames]
    if len(seen) < len(noted.places):
        return []
    said = [f"{name} {first} to {last}" for name, (first, last) in zip(noted.names, seen, strict=True)]
    order = sorted(range(len(seen)), key=lambda at: seen[at][0])
    return [f"in view, frames: {', '.join(said)}", "comes into view: " + ", ".join(noted.names[at] for at in order)]


def _between(noted: Noted) -> list[str]:
    """Which things lie on the way between the first two that are named, the nearest to it first."""
    start, end, *rest = (place.box.center_world[:2] for place in noted.places)
    way = end - start
    length = max(float(np.linalg.norm(way)), 1e-6)
    lying = []
    for name, place in zip(noted.names[2:], rest, strict=True):
        share = float((place - start) @ way) / length**2
        off = abs(float(way[0] * (place - start)[1] - way[1] * (place - start)[0])) / length
        if 0 < share < 1:
            lying.append((off, f"{name} {metres(off)} m off"))
    said = ", ".join(one for _, one in sorted(lying)) or "none"
    return [f"between {noted.names[0]} and {noted.names[1]}: {said}"]


def _supports(noted: Noted) -> list[str]:
    """What each thing rests on, of the others and the floor, and how far its middle is from the end of what carries it."""
    lines = []
    spans = [span(noted, one) for one in noted.places]
    for at, place in enumerate(noted.places):
        low = spans[at][0]
        under = [("the floor", abs(low), math.inf)]
        for other, carrier in enumerate(noted.places):
            over = footprint_gap_m(place.box, carrier.box) <= 0.02
            if other != at and over and spans[other][1] < spans[at][1]:
                under.append(
                    (noted.names[other], abs(low - spans[other][1]), footprint_margin_m(place.box, carrier.box))
                )
        name, off, margin = min(under, key=lambda one: one[1])
        held = f"rests on {name}" if off <= _RESTS_M else f"is {metres(off)} m above {name}"
        if math.isfinite(margin):
            held += f", its middle {metres(abs(margin))} m {'inside' if margin >= 0 else 'beyond'} the edge"
        lines.append(f"{noted.names[at]} {held}")
    return lines


def _inside(noted: Noted) -> list[str]:
    lines = []
    for i, j in itertools.permutations(range(len(noted.names)), 2):
        a, b = noted.places[i].box, noted.places[j].box
        if math.prod(a.size_m) < math.prod(b.size_m):
            lines.append(f"{noted.names[i]} {'is' if inside(a, b) else 'is not'} inside {noted.names[j]}")
    return lines


def _counts(noted: Noted) -> list[str]:
    lines = []
    for thing in noted.things:
        found = noted.find.count(thing.category)
        number = sum(place.color[0] == thing.color for _, place in found) if thing.color else len(found)
        lines.append(f"{thing.said} found: {number}")
    return lines


def _listed(noted: Noted) -> list[str]:
    number = Counter(name for name, _ in noted.find.count(None))
    said = [f"{many} {category(name).plural}" if many > 1 else name for name, many in number.items()]
    return [f"things found: {', '.join(said[:_MOST_LISTED])}"] if said else []


def _colors(noted: Noted) -> list[str]:
    return [", ".join(f"{name} is {one.color[0]}" for name, one in zip(noted.names, noted.places, strict=True))]


def _topic(words: str, needed: int, say: Callable[[Noted], list[str]]) -> Topic:
    return re.compile(words), needed, say


_PLACED = r"with respect|relative to|relation\b|\bplaced\b|positioned"
_LATER = r"\b(?:will|would|next|later|going to|about to|goes on|continues?|happens?|after|in \d)\b"
_NOT_YOU = r"^(?!.*\b(?:you|your|imagine)\b).*"
TOPICS: tuple[Topic, ...] = (
    _topic(r"^(?!.*\bfurther (?:to the )?(?:left|right))(?=.*\bcamera\b).*\b(?:near|clos|far|further|furthest)", 2, _distances),
    _topic(rf"{_PLACED}|in front\b|\bbehind\b", 2, _relation),
    _topic(r"^(?!.*\bcamera\b).*\b(?:near|clos|far|furthe|distance|apart|separate|within \d|metres?\b|more than|less than)", 2, _gaps),
    _topic(r"\b(?:gap|passage|opening|free floor|fit|pass|pushed|room for)\b", 2, _floor_gaps),
    _topic(r"farthest apart|closest together|which two", 3, _middles),
    _topic(rf"{_NOT_YOU}\b(?:left|right|leftmost|rightmost)\b", 2, _sides),
    _topic(r"\b(?:high|above|below|low|underside|lies under|bottom|height)", 1, _heights),
    _topic(r"^(?!.*\b(?:gap|passage|opening|between)\b).*\b(?:bigger|biggest|small|large|volume|tall|short|long|wide\b(?! (?:robot|cart|pass))|sizes?\b|measure\b|dimension|length|width|how big)", 1, _sizes),
    _topic(r"\bbounds\b|\bbox\b|centre and size|enclose", 1, _boxes),
    _topic(rf"{_NOT_YOU}(?:\bfac(?:e|es|ing)\b|(?<!in )\bfront\b|\bown\b|itself\b|same (?:way|direction)|opposite)", 1, _fronts),
    _topic(r"\b(?:you|your|imagine)\b|stand(?:ing)? at", 3, _standing),
    _topic(r"in(?:to)? view|out of view|appear|earlier|comes? first|which order|what order|order of|first seen|sees? first", 2, _views),
    _topic(r"\bbetween\b|on the way\b|do you meet\b|straight from", 3, _between),
    _topic(r"^(?!.*\b(?:you|your)\b).*\b(?:rest(?:s|ing)?\b|support|holds?\b|holding|carr|under\b|beneath|remov|taken away|not there|vanish|fall|drop|toppl|tip|stack|stands? on|lies on|on (?:the )?#|leaves?\b|go(?:es)? down)", 1, _supports),
    _topic(r"\binside\b(?! the picture)|contain|\bin (?:the )?#", 2, _inside),
    _topic(rf"{_LATER}|\b(?:speed|fast|slow|mov|touch|hit|collid|contact|stops?\b|direction|behav)", 1, motion),
    _topic(rf"(?=.*\b(?:camera|viewer)\b).*(?:{_LATER}|\b(?:does|has|mov|drives?\b))|picture.*{_LATER}", 0, camera_ahead),
    _topic(r"\bto go (?:to|toward)|\bto walk\b|\bto (?:get|drive|move) to|must one turn|first thing to do|way to #", 1, to_go),
    _topic(r"\d+ degrees", 2, turned),
    _topic(r"^where is|which way (?:is|would)|what direction|in which direction is|ahead, left, right|seen from where the camera", 1, sectors),
    _topic(r"\b(?:lane|road|along)\b|our way\b|straight (?:ahead from|forward|on\b|ahead,|ahead after)|(?:reached|meets?|met|comes? to|run into|in the way) .*first|way first", 1, beside_the_way),
    _topic(r"\bwalls?\b", 1, wall_distances),
    _topic(r"\boclock\b", 1, clock_hours),
    _topic(r"how many #|\bcount\b|number of", 1, _counts),
    _topic(r"\b(?:describe\b|caption|summar|tell me about)|what (?:does|do) .*show|what is there|(?:objects|things) (?:are|do|can|in)", 0, _listed),
    _topic(r"colou?r", 1, _colors),
)  # fmt: skip
"""In this order; a question may touch several."""
