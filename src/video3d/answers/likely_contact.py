"""Conclusions on what rests on what, and what is inside."""

import re
from collections.abc import Sequence

import numpy as np

from video3d.answers.likely import candidates, extreme, pair_of
from video3d.answers.noted import Noted, option_with, polar, span, the_one, yes_no
from video3d.geometry.boxes import footprint_gap_m
from video3d.types import Box3D

_RESTS_M = 0.15  # boxes are not known better: what is so near a top rests on it
_UNDER_IT = re.compile(r"# what (?:the )?#|# (?:carr|support|hold)")


def carrier(noted: Noted, at: int, among: Sequence[int], floor: bool) -> int | None:
    """What a thing most likely rests on; None for the floor."""
    low, high = span(noted, noted.places[at])
    cost: list[tuple[float, int]] = [(abs(low), -1)] if floor else []
    for other in among:
        if other != at:
            bottom, top = span(noted, noted.places[other])
            aside = footprint_gap_m(noted.places[at].box, noted.places[other].box)
            upside_down = 1.0 if bottom + top > low + high else 0.0
            holds = inside(noted.places[at].box, noted.places[other].box)
            cost.append((-0.1 if holds else abs(low - top) + 2 * aside + upside_down, other))
    best = min(cost)[1] if cost else -1
    return None if best < 0 else best


def rests_on(noted: Noted) -> str | None:
    """What a thing rests on or carries, or whether it does."""
    if (
        not noted.marks
        or (subject := noted.marks[0]) is None
        or re.search(r"\bwho\b|\bnobody\b|\bnothing\b", noted.text)
    ):
        return None
    among = candidates(noted, subject)
    if re.search(
        r"which of (?:these|the following)[^#]*(?:on|under) (?:the )?#|does (?:the )?# (?:carry|hold|support)",
        noted.stem,
    ):
        low_to_top = {}
        for at in among:
            aside = footprint_gap_m(noted.places[at].box, noted.places[subject].box)
            below = span(noted, noted.places[subject])[1]
            low_to_top[at] = abs(span(noted, noted.places[at])[0] - below) + 2 * aside
        return extreme(noted, low_to_top, True) if len(low_to_top) > 1 else None
    floor = option_with(noted, "the floor") if any("floor" in one for one in noted.options) else None
    if polar(noted):
        return _is_on(noted, subject)
    if not noted.options:
        return None
    best = carrier(noted, subject, among, floor is not None)
    return floor if best is None else the_one(noted, best)


def _is_on(noted: Noted, first: int) -> str | None:
    """Whether a thing rests on another: it does if its underside is nearer to the other's top than to the floor, and over it."""
    if len(noted.marks) != 2 or (second := noted.marks[1]) is None or first == second:
        return None
    above, below = (second, first) if _UNDER_IT.search(noted.stem) else (first, second)
    low, high = span(noted, noted.places[above])
    top = span(noted, noted.places[below])[1]
    aside = footprint_gap_m(noted.places[above].box, noted.places[below].box)
    off = abs(low - top) + 2 * aside
    return yes_no(off < min(low, _RESTS_M + (high - low) / 2))


def inside(a: Box3D, b: Box3D) -> bool:
    """Whether a box's middle is inside another."""
    return bool((np.abs(b.world_from_box.T @ (a.center_world - b.center_world)) <= b.size_m / 2 + 0.03).all())


def is_inside(noted: Noted) -> str | None:
    """What is inside a thing, or whether one is."""
    if polar(noted):
        pair = pair_of(noted)
        if pair is None:
            return None
        a, b = (noted.places[at].box for at in pair)
        return yes_no(inside(b, a) if "contain" in noted.stem else inside(a, b))
    if not noted.marks or (holder := noted.marks[0]) is None:
        return None
    far = {
        at: float(np.linalg.norm(noted.places[at].box.center_world - noted.places[holder].box.center_world))
        for at in candidates(noted, holder)
    }
    return extreme(noted, far, True)
