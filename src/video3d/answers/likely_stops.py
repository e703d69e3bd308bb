"""What stops a thing that rolls or slides straight on: walls that were seen, and what stands in its way and does not give."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from video3d.answers.noted import Noted, in_view_frame
from video3d.answers.notes_ahead import movers_of
from video3d.answers.notes_motion import Mover, meets
from video3d.geometry.boxes import footprint_gap_m
from video3d.types import Box3D
from video3d.vocabulary import ROUND, category

_STOPPERS = ("experiment", "prop")
"""Kinds that stand on the floor with their whole underside: nothing rolls under them, as under a table."""
_LOW_M = 0.08
"""Lower things are rolled over, or are rugs."""
AT_IT_M = 0.1
"""What a thing is so near to carries or pushes it, or goes along."""
_AT_WALL_M = 0.03
_BEHIND_M = 0.3
_LEAST_M_S = 0.02
_TOUCH_M = 0.005
_UPRIGHT_ROUND = ("cylinder",)
_AS_WIDE = 0.2
"""Logarithm of the sides of what stands on its round end, at most."""


def goes_straight(name: str) -> bool:
    """Whether things of a name roll or slide on until something stops them; who walks or drives goes round."""
    return name in ROUND or category(name).kind == "experiment"


def meet_s(first: Mover, name: str, second: Mover | Box3D, other: str, within_s: float) -> float | None:
    """Seconds until two come to touch, if both go straight on; None: not within a time. What is round does where its middle comes as near as it is thick.

    Args:
        first: moves.
        name: what it is.
        second: moves or stands.
        other: what that is.
        within_s: how far ahead is looked.
    """
    box = second.box if isinstance(second, Mover) else second
    (own, own_m), (its, its_m) = _middle_of(first.box, name, box), _middle_of(box, other, first.box)
    there = replace(second, box=its) if isinstance(second, Mover) else its
    return meets(replace(first, box=own), there, within_s, apart_m=own_m + its_m + _TOUCH_M)[0]


def _middle_of(box: Box3D, name: str, at: Box3D | None = None) -> tuple[Box3D, float]:
    """What is round from above as its upright axis, and its radius, a ball's at the height where it meets another box; any other as it is, and 0."""
    upright = name in _UPRIGHT_ROUND and abs(float(np.log(box.size_m[0] / box.size_m[1]))) < _AS_WIDE
    if not (upright or name in ROUND):
        return box, 0.0
    axis = replace(box, size_m=box.size_m * (1e-6, 1e-6, 1.0), world_from_box=np.eye(3))
    radius, away = float(box.size_m[:2].mean()) / 2, 0.0
    if at is not None and not upright:
        away = max(0.0, abs(float(box.center_world[2] - at.center_world[2])) - float(at.size_m[2]) / 2)
    return axis, math.sqrt(max(0.0, radius**2 - away**2))


def _gap_m(one: Box3D, name: str, other: Box3D) -> float:
    """Between footprints, metres: of what is round, to its circle."""
    box, thick_m = _middle_of(one, name)
    return footprint_gap_m(box, other) - thick_m


def wall_s(noted: Noted, one: Mover, name: str) -> float:
    """Seconds until a thing of a name that goes straight on comes to a wall that was seen, on the side that was seen; infinite for never."""
    box, thick_m = _middle_of(one.box, name)
    corners, best = in_view_frame(box, np.zeros(2), 0.0), math.inf
    for wall in (surface for surface in noted.facts.surfaces if surface.kind == "wall"):
        center, normal = np.array(wall.center[:2]), np.array(wall.normal[:2])
        normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
        away, speed = float(((corners - center) @ normal).min()) - thick_m, -float(one.velocity_m_s[:2] @ normal)
        if away < -_BEHIND_M or speed < _LEAST_M_S:
            continue
        seconds = max(0.0, (away - _AT_WALL_M) / speed)
        there = corners + seconds * one.velocity_m_s[:2] - center
        if float(np.abs(there @ np.array([-normal[1], normal[0]])).min()) <= wall.length / 2:
            best = min(best, seconds)
    return best


def stopped_s(noted: Noted, one: Mover, name: str, besides: Sequence[Box3D] = ()) -> float:
    """Seconds until a wall, or what stands in its way, stops a thing that goes straight on; infinite for never.

    Args:
        noted: the scene.
        one: what goes on.
        name: what it is.
        besides: boxes that do not count.
    """
    named = zip(noted.things, noted.places, movers_of(noted), strict=True)
    every = [
        (thing.category, place.box)
        for thing, place, goes in named
        if not (goes and goes.moves) and stops(thing.category, place.box)
    ]
    every += [(other, place.box) for other, place in noted.find.count(None) if stops(other, place.box)]
    met = [
        meet_s(one, name, box, other, noted.ahead_s)
        for other, box in every
        if _gap_m(one.box, name, box) > AT_IT_M and not any(is_same(box, known) for known in besides)
    ]
    return min([wall_s(noted, one, name), *(seconds for seconds in met if seconds is not None)])


def stops(name: str, box: Box3D) -> bool:
    """Whether what rolls along is stopped by a thing of this name: it neither rolls under it nor over it."""
    return category(name).kind in _STOPPERS and name not in ROUND and float(box.size_m[2]) > _LOW_M


def is_same(a: Box3D, b: Box3D) -> bool:
    """Whether two boxes are so near that they are taken for one thing's."""
    return float(np.linalg.norm(a.center_world - b.center_world)) <= float(b.size_m.max()) / 4
