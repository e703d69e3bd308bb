"""What geometry concludes about falls: what topples, drops, holds another thing or comes down first."""

import re

import numpy as np

from video3d.answers.likely_contact import carrier
from video3d.answers.likely_stops import goes_straight, is_same, stopped_s
from video3d.answers.named_question import Mention
from video3d.answers.noted import Noted, option_with, polar, span, the_one, yes_no
from video3d.answers.notes_ahead import movers_of, others_than
from video3d.answers.notes_motion import Mover, meets, mover
from video3d.geometry.boxes import footprint_gap_m, footprint_margin_m
from video3d.types import Box3D

# Chosen on training clips of the simulator, by how often conclusions were right.
HOVERS_M = 0.2
_FALLS_M_S = 0.2
_ON_FLOOR_M = 0.06
_HELD_M = 0.02
_ROLLS_S = 1.5
"""What rolls on something is looked after for so long."""
_AHEAD = 0.5
"""Least cosine to the way of a push."""
_FALL_S = 0.1
"""From one of a row to the next."""
_LEAST_SCORE = 0.1
_ROW = "domino"
"""What stands in rows and falls on the next."""


def falls(noted: Noted) -> str | None:
    """Whether a thing falls. What stands with its middle near or beyond the edge of what holds it may or may not: that is not concluded."""
    if not polar(noted) or not noted.marks or (subject := noted.marks[0]) is None or noted.stem.startswith("can "):
        return None
    one, box = movers_of(noted)[subject], noted.places[subject].box
    low = span(noted, noted.places[subject])[0]
    if one is not None and float(one.velocity_m_s[2]) < -_FALLS_M_S:
        return yes_no(True)
    if noted.things[subject].category == _ROW and _is_pushed_over(noted, box):
        return yes_no(True)
    if low < _ON_FLOOR_M:
        return yes_no(False)
    held = _held_by(noted, box)
    if one is not None and one.moves:
        return yes_no(footprint_margin_m(one.after(_ROLLS_S), held) < 0) if held is not None else None
    return yes_no(False) if held is not None and footprint_margin_m(box, held) > _HELD_M else None


def _is_pushed_over(noted: Noted, box: Box3D) -> bool:
    """Whether one of a row comes to fall in time.

    What rolls meets the broad side of one of the row before anything else; each that falls reaches the next that lies
    the way it falls with its height.
    """
    row = [box, *(place.box for _, place in noted.find.count(_ROW) if not is_same(place.box, box))]
    falls_at: dict[int, tuple[float, np.ndarray]] = {}
    for one in _rolling(noted):
        met = {
            at: seconds for at, other in enumerate(row) if (seconds := meets(one, other, noted.ahead_s)[0]) is not None
        }
        way = one.velocity_m_s[:2] / max(one.speed_m_s, 1e-9)
        first = min(met, key=lambda at: met[at]) if met else 0
        if met and stopped_s(noted, one, row) >= met[first] and abs(_broad_side(row[first]) @ way) > _AHEAD:
            falls_at.setdefault(first, (met[first], way))
    new = list(falls_at)
    while new:
        by = new.pop()
        seconds, way = falls_at[by]
        for at, other in enumerate(row):
            step = other.center_world[:2] - row[by].center_world[:2]
            far = float(np.linalg.norm(step))
            reaches = footprint_gap_m(row[by], other) < float(row[by].size_m[2])
            if at not in falls_at and reaches and step @ way > _AHEAD * max(far, 1e-9):
                falls_at[at] = seconds + _FALL_S, step / far
                new.append(at)
    return 0 in falls_at and falls_at[0][0] <= noted.ahead_s


def _broad_side(box: Box3D) -> np.ndarray:
    """Level unit vector (2,) along the shorter side of a footprint."""
    return box.world_from_box[:2, int(np.argmin(box.size_m[:2]))]


def _rolling(noted: Noted) -> list[Mover]:
    """What of all that was found rolls or slides, but for what stands in rows; a ball is looked for even where none was found."""
    found = [("ball", None)]
    found += [(name, place.color[0] or None) for name, place in noted.find.count(None) if goes_straight(name)]
    found = [one for one in dict.fromkeys(found) if one[0] != _ROW]
    named = tuple(Mention(said=name, category=name, color=color) for name, color in found)
    places, tracks = noted.find.locate(named, noted.position), noted.find.follow(named)
    until = float(noted.clip.time_s[-1])
    movers = [
        mover(track, place.box, until)
        for track, place in zip(tracks, places, strict=True)
        if place is not None and place.score >= _LEAST_SCORE and bool(np.isfinite(place.box.center_world).all())
    ]
    return [one for one in movers if one is not None and one.moves]


def _held_by(noted: Noted, box: Box3D) -> Box3D | None:
    """Of all things that were found, the one whose top a thing's underside is nearest to; None where all are far from it."""
    low, best = float(box.center_world[2] - box.size_m[2] / 2), []
    for one in others_than(noted, box):
        off = abs(low - float(one.center_world[2] + one.size_m[2] / 2)) + footprint_gap_m(box, one)
        best += [(off, one)] if off < HOVERS_M and one.center_world[2] < box.center_world[2] else []
    return min(best, key=lambda pair: pair[0])[1] if best else None


_REMOVED = re.compile(
    r"# (?:was |were |is |are |had been )?(?:removed|taken away|not there|vanish\w*)|(?:without|remov\w+|take away) (?:the )?#"
)


def falls_without(noted: Noted) -> str | None:
    """What falls if another thing is taken away: what rests on it."""
    removed = _REMOVED.search(noted.stem)
    if removed is None or not re.search(r"\b(?:fall|drop|topple|tip)", noted.stem):
        return None
    gone = noted.marks[noted.stem[: removed.end()].count("#") - 1]
    if gone is None:
        return None
    held = {}
    for at in range(len(noted.names)):
        if at != gone:
            aside = footprint_gap_m(noted.places[at].box, noted.places[gone].box)
            low, top = span(noted, noted.places[at])[0], span(noted, noted.places[gone])[1]
            held[at] = 2 * aside + (0.0 if low > top - 0.12 else top - low) + (10.0 if low < 0.1 else 0.0)
    if not held:
        return None
    best = min(held, key=lambda at: held[at])
    return yes_no(held[best] < 0.12) if polar(noted) else the_one(noted, best)


def first_down(noted: Noted) -> str | None:
    """Which falls, or comes to the floor, first: what falls fastest for the height that it is at."""
    when = {}
    for at, one in enumerate(movers_of(noted)):
        low = span(noted, noted.places[at])[0]
        down = 0.0 if one is None else -float(one.velocity_m_s[2])
        when[at] = low / max(down, 0.05) if low > 0.1 else 100.0
    return the_one(noted, min(when, key=lambda at: when[at])) if len(when) > 1 else None


def ends_on(noted: Noted) -> str | None:
    """What a thing comes to lie on."""
    if not noted.marks or (subject := noted.marks[0]) is None or not noted.options:
        return None
    floor = any("floor" in one for one in noted.options)
    best = carrier(noted, subject, range(len(noted.names)), floor)
    return option_with(noted, "the floor") if best is None else the_one(noted, best)
