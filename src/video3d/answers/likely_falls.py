"""What geometry concludes about falls: what topples, drops, holds another thing or comes down first."""

import math
import re
from typing import NamedTuple

import numpy as np

from video3d.answers.likely import candidates
from video3d.answers.likely_contact import carrier
from video3d.answers.likely_stops import goes_straight, is_same, meet_s, stopped_s, stops
from video3d.answers.named import SAME_IOU
from video3d.answers.named_question import Mention
from video3d.answers.noted import Noted, option_with, polar, span, the_one, yes_no
from video3d.answers.notes_ahead import movers_of, others_than
from video3d.answers.notes_motion import Mover, mover
from video3d.geometry.boxes import footprint_gap_m, footprint_margin_m, iou_3d
from video3d.geometry.statics import balance_m, held_at
from video3d.types import Box3D
from video3d.vocabulary import ROUND, category

# Chosen on training clips of the simulator, by how often conclusions were right.
HOVERS_M = 0.2
_FALLS_M_S = 0.2
_ON_FLOOR_M, _OFF_FLOOR_M = 0.06, 0.1
_HELD_M = 0.02
_TOUCHES_M = 0.06
"""How far what holds a thing may be seen from its underside."""
_MOST_PILED = 30
_MOMENTS = 31
_KNOCKS_M_S = 0.85
"""Slower, a ball that meets a pile leans against it (train clips: all piles stood up to 0.66 m/s, none from 1.09 m/s on)."""
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
    """Whether a thing falls. What stands with its load near the edge of what holds it may or may not: that is not concluded."""
    if not polar(noted) or not noted.marks or (subject := noted.marks[0]) is None or noted.stem.startswith("can "):
        return None
    one, box = movers_of(noted)[subject], noted.places[subject].box
    low = span(noted, noted.places[subject])[0]
    if one is not None and float(one.velocity_m_s[2]) < -_FALLS_M_S:
        return yes_no(True)
    if noted.things[subject].category == _ROW and _pushed_over(noted, box) is not None:
        return yes_no(True)
    if low < _ON_FLOOR_M:
        return yes_no(False)
    held = _held_by(noted, box)
    if one is not None and one.moves:
        return (
            yes_no(math.isfinite(_leaves_s(noted, noted.things[subject].category, one, held)))
            if held is not None
            else None
        )
    if held is None:
        return None
    stands = _stands(noted, _pile(noted), subject)
    if stands is None and footprint_margin_m(box, held) > _HELD_M:
        stands = True
    return None if stands is None else yes_no(not stands)


def _leaves_s(noted: Noted, name: str, one: Mover, held: Box3D) -> float:
    """Seconds until the middle of what goes on has left what holds it; infinite for not in time, or if it is stopped before."""
    ahead = min(_ROLLS_S, noted.ahead_s) if name in ROUND else noted.ahead_s
    seconds = np.linspace(0.0, ahead, _MOMENTS)
    left = [at for at in seconds if footprint_margin_m(one.after(float(at)), held) < 0]
    return float(left[0]) if left and float(left[0]) <= one.rests_after_s else math.inf


class _Pile(NamedTuple):
    """All things, each once, the named ones first, and what of them goes.

    Attributes:
        names: what each is called.
        boxes: in the world.
        going: what rolls, slides or is pushed, with what it is called.
        goes: numbers of the boxes of these.
    """

    names: list[str]
    boxes: list[Box3D]
    going: list[tuple[str, Mover]]
    goes: set[int]


def _pile(noted: Noted) -> _Pile:
    names, boxes = [thing.category for thing in noted.things], [place.box for place in noted.places]
    for name, place in noted.find.count(None):
        if not any(iou_3d(place.box, box) > SAME_IOU for box in boxes if _near(box, place.box)):
            names.append(name)
            boxes.append(place.box)
    going = _going(noted)
    return _Pile(names, boxes, going, {at for at, box in enumerate(boxes) if any(is_same(box, one.box) for _, one in going)})  # fmt: skip


def _near(a: Box3D, b: Box3D) -> bool:
    """Whether two boxes may share room at all."""
    return float(np.linalg.norm(a.center_world - b.center_world)) < float(np.linalg.norm(a.size_m + b.size_m)) / 2


def _below(pile: _Pile, at: int) -> set[int]:
    """A thing, and all that holds it."""
    below, new = {at}, [at]
    while new:
        for by in held_at(pile.boxes, new.pop(), apart_m=_TOUCHES_M):
            new += [] if by in below else [by]
            below.add(by)
    return below


def _struck_by(noted: Noted, pile: _Pile, below: set[int]) -> Mover | None:
    """What rolls against one of some things, fast enough to knock it over; None where nothing does."""
    struck = [number for number in below - pile.goes if stops(pile.names[number], pile.boxes[number])]
    for name, one in pile.going:
        met = (meet_s(one, name, pile.boxes[at], pile.names[at], noted.ahead_s) for at in struck)
        if name in ROUND and one.speed_m_s > _KNOCKS_M_S and any(seconds is not None for seconds in met):
            return one
    return None


def _stands(noted: Noted, pile: _Pile, at: int, gone: int | None = None) -> bool | None:
    """Whether a thing that stands on others goes on to stand; None where its middle is near the edge of what holds it.

    It does not where something rolls against it or what it stands on, nor where its load is not over what holds it; what is moving
    away from under a thing does not hold it.

    Args:
        noted: the question.
        pile: all things.
        at: which of them.
        gone: one that is thought away.
    """
    boxes, floor_m = pile.boxes, (noted.facts.floor_z or 0.0) + _ON_FLOOR_M
    below = _below(pile, at)
    if _struck_by(noted, pile, below) is not None:
        return False
    kept = [number for number in range(len(boxes)) if number != gone]
    without = {place for place, number in enumerate(kept) if number in pile.goes - {at}}
    there = [boxes[number] for number in kept]
    inside = balance_m(there, kept.index(at), floor_m=floor_m, apart_m=_TOUCHES_M, without=without)
    if inside == -math.inf and gone not in below and not pile.goes & below:
        held = _held_by(noted, boxes[at])  # what holds it was seen lower or higher than it is
        if held is None or (gone is not None and is_same(held, boxes[gone])):
            return None
        inside = footprint_margin_m(boxes[at], held)
    return inside > 0 if abs(inside) > _HELD_M else None


def stack_stands(noted: Noted) -> str | None:
    """Whether all that is piled up goes on to stand."""
    if not polar(noted):
        return None
    pile, floor_m = _pile(noted), (noted.facts.floor_z or 0.0) + _ON_FLOOR_M
    piled = [
        at
        for at, (name, box) in enumerate(zip(pile.names, pile.boxes, strict=True))
        if category(name).kind == "experiment"
        and name not in (*ROUND, _ROW)
        and float(box.center_world[2] - box.size_m[2] / 2) > floor_m
    ]
    stands = [_stands(noted, pile, at) for at in piled[:_MOST_PILED]]
    if not piled or (None in stands and False not in stands):
        return None
    return yes_no(False not in stands)


def _pushed_over(noted: Noted, box: Box3D) -> tuple[float, np.ndarray] | None:
    """Seconds until one of a row comes to fall, and which way (level unit vector); None for not in time.

    What rolls meets the broad side of one of the row before anything else; each that falls reaches the next that lies
    the way it falls with its height.
    """
    row = [box, *(place.box for _, place in noted.find.count(_ROW) if not is_same(place.box, box))]
    falls_at: dict[int, tuple[float, np.ndarray]] = {}
    for name, one in _going(noted):
        times = {at: meet_s(one, name, other, _ROW, noted.ahead_s) for at, other in enumerate(row)}
        met = {at: seconds for at, seconds in times.items() if seconds is not None}
        way = one.velocity_m_s[:2] / max(one.speed_m_s, 1e-9)
        first = min(met, key=lambda at: met[at]) if met else 0
        if (
            met
            and stopped_s(noted, one, name, row) >= met[first]
            and abs(_broad_side(row[first]) @ way) > _AHEAD
            and met[first] < falls_at.get(first, (math.inf,))[0]
        ):
            falls_at[first] = met[first], way
    left = set(falls_at)
    while left:  # the earliest first (Dijkstra, 1959): what it reaches, none reaches sooner
        by = min(left, key=lambda at: falls_at[at][0])
        left.remove(by)
        seconds, way = falls_at[by]
        for at, other in enumerate(row):
            step = other.center_world[:2] - row[by].center_world[:2]
            far, gap = float(np.linalg.norm(step)), footprint_gap_m(row[by], other)
            high = float(row[by].size_m[2])
            then = seconds + _FALL_S * (1 + gap / high)  # the next one sooner than the one behind it
            sooner = then < falls_at.get(at, (math.inf,))[0]
            if at != by and sooner and gap < high and step @ way > _AHEAD * max(far, 1e-9):
                falls_at[at] = then, step / far
                left.add(at)
    return falls_at[0] if 0 in falls_at and falls_at[0][0] <= noted.ahead_s else None


def _broad_side(box: Box3D) -> np.ndarray:
    """Level unit vector (2,) along the shorter side of a footprint."""
    return box.world_from_box[:2, int(np.argmin(box.size_m[:2]))]


def _going(noted: Noted) -> list[tuple[str, Mover]]:
    """What of all that was found rolls, slides or is pushed, but for what stands in rows; a ball is looked for even where none was found."""
    found = [("ball", None)]
    found += [(name, place.color[0] or None) for name, place in noted.find.count(None) if goes_straight(name)]
    found = [one for one in dict.fromkeys(found) if one[0] != _ROW]
    named = tuple(Mention(said=name, category=name, color=color) for name, color in found)
    places, tracks = noted.find.locate(named, noted.position), noted.find.follow(named)
    until = float(noted.clip.time_s[-1])
    movers = [
        (one.category, mover(track, place.box, until))
        for one, track, place in zip(named, tracks, places, strict=True)
        if place is not None and place.score >= _LEAST_SCORE and bool(np.isfinite(place.box.center_world).all())
    ]
    return [(name, one) for name, one in movers if one is not None and one.moves]


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
    others = [at for at in noted.marks if at is not None and at != gone]
    if polar(noted) and len(set(others)) == 1 and (stands := _stands(noted, _pile(noted), others[0], gone)) is not None:
        return yes_no(not stands)
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
    """Which falls, or comes to the floor, first: of a row by when it is reached, of what is pushed by when it has left what holds it; else what falls fastest for the height that it is at.

    None where nothing falls.
    """
    when, movers = {}, movers_of(noted)
    for at in candidates(noted):
        thing, place, one = noted.things[at], noted.places[at], movers[at]
        low, down = span(noted, place)[0], 0.0 if one is None else -float(one.velocity_m_s[2])
        when[at] = low / down if low > _OFF_FLOOR_M and down > _FALLS_M_S else math.inf
        if thing.category == _ROW:
            pushed = _pushed_over(noted, place.box)
            when[at] = math.inf if pushed is None else pushed[0]
        elif one is not None and one.moves and (held := _held_by(noted, place.box)) is not None:
            when[at] = min(when[at], _leaves_s(noted, thing.category, one, held))
    if not any(math.isfinite(seconds) for seconds in when.values()):
        # Where a question says that things come down, those do that are lowest; else only what is in the air.
        low = {at: span(noted, noted.places[at])[0] for at in when}
        told = "floor" in noted.stem
        when = {
            at: high
            for at, high in low.items()
            if high > _OFF_FLOOR_M and (told or _held_by(noted, noted.places[at].box) is None)
        }
    return the_one(noted, min(when, key=lambda at: when[at])) if when else None


def falling_way(noted: Noted) -> np.ndarray | None:
    """Which way over the floor the first thing falls (a vector of any length): as it is pushed, or off what holds it; None where that is not known."""
    if not noted.marks or (subject := noted.marks[0]) is None:
        return None
    box, one = noted.places[subject].box, movers_of(noted)[subject]
    if noted.things[subject].category == _ROW:
        pushed = _pushed_over(noted, box)
        return None if pushed is None else pushed[1]
    if one is not None and one.moves:
        return one.velocity_m_s[:2]
    pile = _pile(noted)
    below = _below(pile, subject)
    if (by := _struck_by(noted, pile, below)) is not None:
        return by.velocity_m_s[:2]
    offs = [(0.0, None)]
    for at in below:  # what is held least well takes with it what it carries
        if held := held_at(pile.boxes, at, apart_m=_TOUCHES_M, without=pile.goes - {at}):
            off = pile.boxes[at].center_world[:2] - np.concatenate(list(held.values())).mean(axis=0)
            offs.append((float(np.linalg.norm(off)), off))
    far, off = max(offs, key=lambda pair: pair[0])
    return off if far > _HELD_M else None


def _comes_down(noted: Noted, subject: int) -> bool:
    """Whether a thing on others surely does not stay there: it is pushed off, or its middle, with what it carries, is not over what holds it."""
    box, one = noted.places[subject].box, movers_of(noted)[subject]
    if one is not None and one.moves:
        held = _held_by(noted, box)
        return held is not None and math.isfinite(_leaves_s(noted, noted.things[subject].category, one, held))
    return span(noted, noted.places[subject])[0] >= _ON_FLOOR_M and _stands(noted, _pile(noted), subject) is False


def ends_on(noted: Noted) -> str | None:
    """What a thing comes to lie on."""
    if not noted.marks or (subject := noted.marks[0]) is None or not noted.options:
        return None
    floor = any("floor" in one for one in noted.options)
    if floor and _comes_down(noted, subject):
        return option_with(noted, "the floor")
    best = carrier(noted, subject, range(len(noted.names)), floor)
    return option_with(noted, "the floor") if best is None else the_one(noted, best)
