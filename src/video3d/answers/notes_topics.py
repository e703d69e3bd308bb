"""What notes say, topic by topic: order, gaps, heights, sizes, fronts, support, motion."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from video3d.answers.named import SURE_ENOUGH
from video3d.answers.named_say import Located
from video3d.answers.noted import Noted, Topic, bearing, metres, way_of
from video3d.answers.notes_ahead import camera_ahead, motion
from video3d.answers.notes_motion import floor_gaps, heading_rad, turn_between
from video3d.geometry.boxes import gap_m, nearest_point
from video3d.types import Box3D
from video3d.vocabulary import category

_MOST_PAIRS = 6
_MOST_LISTED = 10
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


def _order(noted: Noted, said: str, values: Sequence[float]) -> list[str]:
    """Names by rising value."""
    if len(noted.names) < 2:
        return []
    return [f"{said}: " + ", ".join(noted.names[at] for at in np.argsort(values, kind="stable"))]


def _distances(noted: Noted) -> list[str]:
    eye = noted.eye[:3, 3]
    return _order(
        noted,
        "near to far from the camera",
        [float(np.linalg.norm(nearest_point(one.box, eye) - eye)) for one in noted.places],
    )


def _pairs(noted: Noted) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(noted.names)), 2))


def _by_size(noted: Noted, said: str, of: dict[tuple[int, int], float]) -> list[str]:
    pairs = sorted(of, key=lambda pair: of[pair])[:_MOST_PAIRS]
    return [f"{said}: " + "; ".join(f"{noted.names[i]} to {noted.names[j]} {metres(of[i, j])} m" for i, j in pairs)]


def _gaps(noted: Noted) -> list[str]:
    gaps = {(i, j): gap_m(noted.places[i].box, noted.places[j].box) for i, j in _pairs(noted)}
    return _by_size(noted, "gaps", gaps)


def _floor_gaps(noted: Noted) -> list[str]:
    none = np.zeros((1, 2))
    gaps = {(i, j): float(floor_gaps(noted.places[i].box, noted.places[j].box, none)[0]) for i, j in _pairs(noted)}
    return _by_size(noted, "free floor", gaps)


def _middles(noted: Noted) -> list[str]:
    apart = {
        (i, j): float(np.linalg.norm(noted.places[i].box.center_world - noted.places[j].box.center_world))
        for i, j in _pairs(noted)
    }
    return _by_size(noted, "middle to middle", apart)


def _sides(noted: Noted) -> list[str]:
    return _order(noted, "left to right", [-bearing(noted.eye, one.box.center_world[:2]) for one in noted.places])


def _depths(noted: Noted) -> list[str]:
    heading = heading_rad(noted.eye)
    ahead = np.array([math.cos(heading), math.sin(heading)])
    return _order(
        noted, "front to back", [float((one.box.center_world[:2] - noted.eye[:2, 3]) @ ahead) for one in noted.places]
    )


def _span(noted: Noted, place: Located) -> tuple[float, float]:
    floor, half = noted.facts.floor_z or 0.0, float(place.box.size_m[2]) / 2
    middle = float(place.box.center_world[2]) - floor
    return max(0.0, middle - half), middle + half


def _heights(noted: Noted) -> list[str]:
    spans = [_span(noted, one) for one in noted.places]
    said = [f"{name} {metres(low)} to {metres(high)} m" for name, (low, high) in zip(noted.names, spans, strict=True)]
    return [f"heights: {'; '.join(said)}", *_order(noted, "low to high", [low + high for low, high in spans])]


def _sizes(noted: Noted) -> list[str]:
    said, volumes, tall = [], [], []
    for name, place in zip(noted.names, noted.places, strict=True):
        size = [float(side) for side in place.box.size_m]
        long, wide = max(size[:2]), min(size[:2])
        said.append(f"{name} {metres(long)} x {metres(wide)} m, {metres(size[2])} m high")
        volumes.append(math.prod(size))
        tall.append(size[2])
    return [f"sizes: {'; '.join(said)}", *_order(noted, "small to big", volumes), *_order(noted, "short to tall", tall)]


def _boxes(noted: Noted) -> list[str]:
    said = []
    for name, place in zip(noted.names, noted.places, strict=True):
        c, s = place.box.center_world, place.box.size_m
        yaw = math.degrees(math.atan2(place.box.world_from_box[1, 0], place.box.world_from_box[0, 0]))
        sides = " x ".join(f"{side:.2f}" for side in s)
        said.append(f"{name}: centre ({c[0]:.2f}, {c[1]:.2f}, {c[2]:.2f}) m, size {sides} m, yaw {yaw:.0f} degrees")
    return said


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
    return [f"in view, frames: {', '.join(said)}", *_order(noted, "first seen", [first for first, _ in seen])]


def _between(noted: Noted) -> list[str]:
    """How far each thing is from the way between each two others that it lies between."""
    lines = []
    middles = [place.box.center_world[:2] for place in noted.places]
    for i, j in _pairs(noted):
        way = middles[j] - middles[i]
        length = float(np.linalg.norm(way))
        for k in range(len(middles)):
            if k in (i, j) or length < 1e-6:
                continue
            share = float((middles[k] - middles[i]) @ way) / length**2
            off = abs(float(way[0] * (middles[k] - middles[i])[1] - way[1] * (middles[k] - middles[i])[0])) / length
            if 0 < share < 1:
                lines.append((off, f"{noted.names[k]} {metres(off)} m off {noted.names[i]} to {noted.names[j]}"))
    return ["between: " + "; ".join(said for _, said in sorted(lines)[:4])] if lines else []


def _supports(noted: Noted) -> list[str]:
    """What each thing rests on, of the others and the floor, and how far its middle is from the end of what carries it."""
    lines = []
    spans = [_span(noted, one) for one in noted.places]
    none = np.zeros((1, 2))
    for at, place in enumerate(noted.places):
        low = spans[at][0]
        under = [("the floor", abs(low), math.inf)]
        for other, carrier in enumerate(noted.places):
            over = float(floor_gaps(place.box, carrier.box, none)[0]) <= 0.02
            if other != at and over and spans[other][1] < spans[at][1]:
                under.append((noted.names[other], abs(low - spans[other][1]), _margin(place.box, carrier.box)))
        name, off, margin = min(under, key=lambda one: one[1])
        held = f"rests on {name}" if off <= _RESTS_M else f"is {metres(off)} m above {name}"
        if math.isfinite(margin):
            held += f", its middle {metres(abs(margin))} m {'inside' if margin >= 0 else 'beyond'} the edge"
        lines.append(f"{noted.names[at]} {held}")
    return lines


def _margin(carried: Box3D, carrier: Box3D) -> float:
    """How far inside a carrier's footprint a thing's middle is; negative outside."""
    local = np.abs((carried.center_world - carrier.center_world)[:2] @ carrier.world_from_box[:2, :2])
    return float((carrier.size_m[:2] / 2 - local).min())


def _inside(noted: Noted) -> list[str]:
    lines = []
    for i, j in itertools.permutations(range(len(noted.names)), 2):
        a, b = noted.places[i].box, noted.places[j].box
        if math.prod(a.size_m) < math.prod(b.size_m):
            local = np.abs(b.world_from_box.T @ (a.center_world - b.center_world)) - b.size_m / 2
            within = bool((local <= 0.03).all())
            lines.append(f"{noted.names[i]} {'is' if within else 'is not'} inside {noted.names[j]}")
    return lines


def _beside_the_way(noted: Noted) -> list[str]:
    """Along and beside the camera's line of sight on the floor: lanes, and what is met going straight on."""
    heading = heading_rad(noted.eye)
    said, first = [], []
    for name, place in zip(noted.names, noted.places, strict=True):
        local = _in_view_frame(place.box, noted.eye[:2, 3], heading)
        near, left = float(local[:, 0].min()), float(local[:, 1].mean())
        side = f"{metres(abs(left))} m {'left' if left > 0 else 'right'}"
        said.append(f"{name} {metres(max(near, 0.0))} m along, {side}")
        if near > 0 and local[:, 1].min() < 0.4 and local[:, 1].max() > -0.4:
            first.append((near, name))
    lines = [f"on the way: {'; '.join(said)}"]
    if first:
        lines.append(f"met first straight ahead: {min(first)[1]}")
    return lines


def _in_view_frame(box: Box3D, place: Float64[np.ndarray, "2"], heading: float) -> Float64[np.ndarray, "4 2"]:
    """Corners of a box's footprint, ahead and to the left."""
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]]) * box.size_m[:2]
    world = box.center_world[:2] + corners @ box.world_from_box[:2, :2].T - place
    axes = np.array([[math.cos(heading), math.sin(heading)], [-math.sin(heading), math.cos(heading)]])
    return world @ axes.T


def _clock(noted: Noted) -> list[str]:
    hours = []
    for name, place in zip(noted.names, noted.places, strict=True):
        hour = round(-bearing(noted.eye, place.box.center_world[:2]) / 30) % 12 or 12
        hours.append(f"{name} {hour} o'clock")
    return [", ".join(hours)]


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


def _topic(words: str, needed: int, say: object) -> Topic:
    return re.compile(words), needed, say  # pyright: ignore[reportReturnType]


_PLACED = r"with respect|relative to|relation\b|\bplaced\b|positioned"
_LATER = r"\b(?:will|would|next|later|going to|about to|goes on|continues?|happens?|after|in \d)\b"
_NOT_YOU = r"^(?!.*\b(?:you|your|imagine)\b).*"
TOPICS: tuple[Topic, ...] = (
    _topic(r"(?=.*\bcamera\b).*\b(?:near|clos|far|further|furthest)", 2, _distances),
    _topic(rf"{_PLACED}|^(?!.*\bcamera\b).*\b(?:near|clos|far|furthe|distance|apart|separate|within|metres?\b|more than|less than)", 2, _gaps),
    _topic(r"\b(?:gap|passage|opening|free floor|fit|pass|pushed|room for)\b", 2, _floor_gaps),
    _topic(r"farthest apart|closest together|which two", 3, _middles),
    _topic(rf"{_NOT_YOU}(?:{_PLACED}|\b(?:left|right|leftmost|rightmost)\b)", 2, _sides),
    _topic(rf"{_PLACED}|in front\b|\bbehind\b", 2, _depths),
    _topic(rf"{_PLACED}|\b(?:high|above|below|low|underside|lies under|bottom|height)", 1, _heights),
    _topic(r"\b(?:bigger|biggest|small|large|volume|tall|short|long|wide|sizes?\b|measure|dimension|length|width|how big)", 1, _sizes),
    _topic(r"\bbounds\b|\bbox\b|centre and size|enclose", 1, _boxes),
    _topic(rf"{_NOT_YOU}(?:\bfac(?:e|es|ing)\b|(?<!in )\bfront\b|\bown\b|itself\b|same (?:way|direction)|opposite)", 1, _fronts),
    _topic(r"\b(?:you|your|imagine)\b|stand(?:ing)? at", 3, _standing),
    _topic(r"in(?:to)? view|out of view|appear|earlier|comes? first|which order|what order|order of|first seen|sees? first", 2, _views),
    _topic(r"\bbetween\b|on the way\b|do you meet\b|straight from", 3, _between),
    _topic(r"^(?!.*\b(?:you|your)\b).*\b(?:rest(?:s|ing)?\b|support|holds?\b|holding|carr|under\b|beneath|remov|taken away|not there|vanish|fall|drop|toppl|tip|stack|stands? on|lies on|on (?:the )?#|leaves?\b|go(?:es)? down)", 1, _supports),
    _topic(r"\binside\b(?! the picture)|contain", 2, _inside),
    _topic(rf"{_LATER}|\b(?:speed|fast|slow|mov|touch|hit|collid|contact|stops?\b|direction|behav)", 1, motion),
    _topic(rf"(?=.*\b(?:camera|viewer)\b).*(?:{_LATER}|\b(?:does|has|mov|drives?\b))|picture.*{_LATER}", 0, camera_ahead),
    _topic(r"\b(?:lane|road|along)\b|our way\b|straight (?:ahead from|forward|on\b|ahead,)|(?:reached|meets?|met|comes? to|in the way) first|way first", 1, _beside_the_way),
    _topic(r"\bhours?\b", 1, _clock),
    _topic(r"how many #|\bcount\b|number of", 1, _counts),
    _topic(r"\b(?:describe|caption|summar|tell me about)|what (?:does|do) .*show|what is there|(?:objects|things) (?:are|do|can|in)", 0, _listed),
    _topic(r"colou?r", 1, _colors),
)  # fmt: skip
"""In this order; a question may touch several."""
