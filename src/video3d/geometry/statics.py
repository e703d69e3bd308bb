"""Whether boxes that stand on one another stand: the middle of each, with all that it carries, has to be over what holds it.

The condition of static equilibrium for rigid bodies of one density (the centre of mass of a load lies within the convex hull of
where it is held; e.g. Heyman, "The Science of Structural Engineering", 1999), for upright boxes. Friction is taken to be enough.
"""

import math
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float64
from scipy.spatial import ConvexHull, QhullError

from video3d.geometry.boxes import level_span_m
from video3d.types import Box3D

_ACROSS = 21  # points along each side of a footprint, between which two touch
_LEAST_POINTS = 3


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
    low, found = level_span_m(boxes[at], 0.0)[0], {}
    for other, one in enumerate(boxes):
        if other == at or other in without or one.center_world[2] >= boxes[at].center_world[2]:
            continue
        if abs(low - level_span_m(one, 0.0)[1]) < apart_m:
            places = np.concatenate([_shared(boxes[at], one), _shared(one, boxes[at])])
            if len(places):
                found[other] = places
    return found


def balance_m(
    boxes: Sequence[Box3D], at: int, *, floor_m: float, apart_m: float, without: Collection[int] = ()
) -> float:
    """How far inside what holds it the middle of a box and of all that it carries is, metres: the least of it and of what it stands on.

    Negative: it tips over. Infinite: it stands on the floor; minus infinity: nothing holds it.

    Args:
        boxes: upright, heights over the floor.
        at: which.
        floor_m: what is no higher stands on the floor.
        apart_m: how far two that touch may be from each other, up or down.
        without: of these boxes, none holds anything.

    >>> from video3d.geometry.boxes import box_from_bounds
    >>> low, high = box_from_bounds(np.zeros(3), np.ones(3)), box_from_bounds(np.array([0.4, 0, 1]), np.array([1.4, 1, 2]))
    >>> round(balance_m((low, high), 1, floor_m=0.01, apart_m=0.01), 3)
    0.1
    """
    holds = [held_at(boxes, one, apart_m=apart_m, without=without) for one in range(len(boxes))]

    def load(one: int, above: tuple[int, ...]) -> list[tuple[float, Float64[np.ndarray, "2"]]]:
        masses = [(float(boxes[one].size_m.prod()), boxes[one].center_world[:2])]
        for carried, by in enumerate(holds):
            if one in by and carried not in above:
                masses += [(mass / len(by), place) for mass, place in load(carried, (*above, one))]
        return masses

    def least(one: int, above: tuple[int, ...]) -> float:
        if level_span_m(boxes[one], 0.0)[0] <= floor_m:
            return math.inf
        if not holds[one]:
            return -math.inf
        masses, places = zip(*load(one, (one,)), strict=True)
        own = _inside_m(np.average(places, axis=0, weights=masses), np.concatenate(list(holds[one].values())))
        return min([own, *(least(by, (*above, by)) for by in holds[one] if by not in above)])

    return least(at, (at,))


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
