"""Whether boxes that stand on one another stand: the middle of each, with all that it carries, has to be over what holds it.

The condition of static equilibrium for rigid bodies of one density (the centre of mass of a load lies within the convex hull of
where it is held; e.g. Heyman, "The Science of Structural Engineering", 1999), for upright boxes. Friction is taken to be enough.
"""

import math
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float64
from scipy.spatial import ConvexHull, QhullError

from video3d.types import Box3D

_ACROSS = 21  # points along each side of a footprint, between which two touch
_LEAST_POINTS = 3
_ONE_LEVEL_M = 0.02  # what is farther below than the nearest that holds it holds nothing


def held_at(
    boxes: Sequence[Box3D], at: int, *, apart_m: float, without: Collection[int] = ()
) -> dict[int, Float64[np.ndarray, "_ 2"]]:
    """Level places at which a box is held by each other box whose top is where its underside is.

    Args:
        boxes: upright.
        at: which.
        apart_m: how far the two may be from each other, up or down.
        without: of these boxes, none holds anything.
    """
    low, found = _low_m(boxes[at]), {}
    tops = {
        other: float(one.center_world[2] + one.size_m[2] / 2)
        for other, one in enumerate(boxes)
        if other != at and other not in without and one.center_world[2] < boxes[at].center_world[2]
    }
    near = {other: top for other, top in tops.items() if abs(low - top) < apart_m}
    for other in near:
        places = np.concatenate([_shared(boxes[at], boxes[other]), _shared(boxes[other], boxes[at])])
        if len(places):
            found[other] = places
    nearest = min((abs(low - near[other]) for other in found), default=0.0)
    return {other: places for other, places in found.items() if abs(low - near[other]) <= nearest + _ONE_LEVEL_M}


def balance_m(
    boxes: Sequence[Box3D], at: int, *, floor_m: float, apart_m: float, without: Collection[int] = ()
) -> float:
    """How far inside what holds it the middle of a box and of all that it carries is, metres: the least of it and of what it stands on.

    Negative: it tips over. Infinite: it stands on the floor; minus infinity: nothing holds it.

    Args:
        boxes: upright.
        at: which.
        floor_m: what reaches no higher than this with its underside stands on the floor.
        apart_m: how far two that touch may be from each other, up or down.
        without: of these boxes, none holds anything.

    >>> from video3d.geometry.boxes import box_from_bounds
    >>> low, high = box_from_bounds(np.zeros(3), np.ones(3)), box_from_bounds(np.array([0.4, 0, 1]), np.array([1.4, 1, 2]))
    >>> round(balance_m((low, high), 1, floor_m=0.01, apart_m=0.01), 3)
    0.1
    """
    holds = [held_at(boxes, one, apart_m=apart_m, without=without) for one in range(len(boxes))]
    upward = sorted(
        range(len(boxes)), key=lambda one: float(boxes[one].center_world[2])
    )  # what holds is lower than what it holds
    mass = np.array([float(box.size_m.prod()) for box in boxes])
    moment = mass[:, None] * np.array([box.center_world[:2] for box in boxes])
    for one in reversed(upward):
        for by in holds[one]:
            mass[by] += mass[one] / len(holds[one])
            moment[by] += moment[one] / len(holds[one])
    least = np.full(len(boxes), -math.inf)
    for one in upward:
        if _low_m(boxes[one]) <= floor_m:
            least[one] = math.inf
        elif holds[one]:
            own = _inside_m(moment[one] / mass[one], np.concatenate(list(holds[one].values())))
            least[one] = min([own, *(float(least[by]) for by in holds[one])])
    return float(least[at])


def _low_m(box: Box3D) -> float:
    return float(box.center_world[2] - box.size_m[2] / 2)


def _shared(one: Box3D, other: Box3D) -> Float64[np.ndarray, "_ 2"]:
    """Points of a box's footprint that are within another's."""
    side = np.linspace(-0.5, 0.5, _ACROSS)
    local = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2) * one.size_m[:2]
    world = one.center_world[:2] + local @ one.world_from_box[:2, :2].T
    there = np.abs((world - other.center_world[:2]) @ other.world_from_box[:2, :2])
    return world[(there <= other.size_m[:2] / 2).all(1)]


def _inside_m(place: Float64[np.ndarray, "2"], places: Float64[np.ndarray, "n 2"]) -> float:
    """How far inside the hull of some places another is; negative outside of it, or how far from the nearest where they have none."""
    if len(places) >= _LEAST_POINTS:
        try:
            hull = ConvexHull(places)
            return float(-(hull.equations[:, :2] @ place + hull.equations[:, 2]).max())
        except QhullError:
            pass
    return -float(np.linalg.norm(places - place, axis=1).min())
