"""What stops a thing that rolls or slides straight on: walls that were seen, and what stands in its way and does not give."""

import math
from collections.abc import Sequence

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


def goes_straight(name: str) -> bool:
    """Whether things of a name roll or slide on until something stops them; who walks or drives goes round."""
    return name in ROUND or category(name).kind == "experiment"


def wall_s(noted: Noted, one: Mover) -> float:
    """Seconds until a thing that goes straight on comes to a wall that was seen, on the side that was seen; infinite for never."""
    corners, best = in_view_frame(one.box, np.zeros(2), 0.0), math.inf
    for wall in (surface for surface in noted.facts.surfaces if surface.kind == "wall"):
        center, normal = np.array(wall.center[:2]), np.array(wall.normal[:2])
        normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
        away, speed = float(((corners - center) @ normal).min()), -float(one.velocity_m_s[:2] @ normal)
        if away < -_BEHIND_M or speed < _LEAST_M_S:
            continue
        seconds = max(0.0, (away - _AT_WALL_M) / speed)
        there = corners + seconds * one.velocity_m_s[:2] - center
        if float(np.abs(there @ np.array([-normal[1], normal[0]])).min()) <= wall.length / 2:
            best = min(best, seconds)
    return best


def stopped_s(noted: Noted, one: Mover, besides: Sequence[Box3D] = ()) -> float:
    """Seconds until a wall, or what stands in its way, stops a thing that goes straight on; infinite for never.

    Args:
        noted: the scene.
        one: what goes on.
        besides: boxes that do not count.
    """
    named = zip(noted.things, noted.places, movers_of(noted), strict=True)
    boxes = [
        place.box for thing, place, goes in named if not (goes and goes.moves) and stops(thing.category, place.box)
    ]
    boxes += [place.box for name, place in noted.find.count(None) if stops(name, place.box)]
    met = [
        meets(one, box, noted.ahead_s)[0]
        for box in boxes
        if footprint_gap_m(one.box, box) > AT_IT_M and not any(is_same(box, other) for other in besides)
    ]
    return min([wall_s(noted, one), *(seconds for seconds in met if seconds is not None)])


def stops(name: str, box: Box3D) -> bool:
    """Whether what rolls along is stopped by a thing of this name: it neither rolls under it nor over it."""
    return category(name).kind in _STOPPERS and name not in ROUND and float(box.size_m[2]) > _LOW_M


def is_same(a: Box3D, b: Box3D) -> bool:
    """Whether two boxes are so near that they are taken for one thing's."""
    return float(np.linalg.norm(a.center_world - b.center_world)) <= float(b.size_m.max()) / 4
