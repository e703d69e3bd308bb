"""Which box a phrase means, or that nothing in the scene fits it, where a question allows for that."""

import math
import re
from collections.abc import Callable, Sequence

from video3d.answers.likely_measures import box_words
from video3d.answers.named import SURE_ENOUGH, SURELY_THERE
from video3d.answers.named_color import of_color
from video3d.answers.named_question import Mention
from video3d.answers.named_say import Located
from video3d.answers.noted import Noted
from video3d.answers.notes_motion import bearing
from video3d.geometry.boxes import gap_m, iou_3d, lies_on

NONE = "none"
_ASKED = re.compile(r"\b3d bounds\b.*\bnone\b|\bbox\b.*\bnone\b")
_TO_ANCHOR = re.compile(r"^[^#]*# (?:that is |which is |standing |lying )?(near|clos|f[au]r)\w*(?: away)? (?:to|from) (?:the )?#")  # fmt: skip
_ON_ANCHOR = re.compile(r"^[^#]*# (?:that (?:is|lies|stands) |which (?:is|lies|stands) |standing |lying )?on (?:top of )?(?:the )?#")  # fmt: skip
_OF_ITS_KIND = re.compile(r"\b(leftmost|rightmost|(?:tall|larg|bigg|small|short)\w+) #")
_SAME_IOU = 0.25


def grounded(noted: Noted) -> str | None:
    """The box of what a phrase means, by its kind, its colour and how it lies to others of its kind or to another thing; "none" if nothing fits.

    A thing that is not surely there (``named.SURELY_THERE``), or of another colour, is none. Names that nothing is known of find nothing,
    and that is said with less certainty. ``None`` where a question does not ask for a box or none.
    """
    if not _ASKED.search(noted.stem):
        return None
    if not noted.mentions:
        return f"perhaps: {NONE}"
    thing, *others = noted.mentions
    there = _of_kind(noted, thing)
    beside = _TO_ANCHOR.match(noted.stem) or _ON_ANCHOR.match(noted.stem)
    if there and beside is not None and others:
        there = _fitting(noted, there, others[0], None if beside.re is _ON_ANCHOR else beside[1].startswith("f"))
    elif (degree := _OF_ITS_KIND.search(noted.stem)) is not None:
        there = sorted(there, key=_scale(noted, degree[1]))
    return f"likely: {box_words(there[0].box) if there else NONE}"


def _of_kind(noted: Noted, thing: Mention) -> list[Located]:
    """What is surely of a kind and colour, each thing once, the likeliest first."""
    (likeliest,) = noted.find.locate([thing], noted.position)
    every = [likeliest] if likeliest is not None and likeliest.score >= SURELY_THERE else []
    every += [place for _, place in noted.find.count(thing.category)]
    once: list[Located] = []
    for place in every:
        if all(iou_3d(place.box, other.box) <= _SAME_IOU for other in once):
            once.append(place)
    return [place for place in once if thing.color is None or _is_colored(noted, place, thing.color)]


def _is_colored(noted: Noted, place: Located, color: str) -> bool:
    if place.color[0]:
        return place.color[0] == color
    return bool(of_color(color, noted.clip, noted.facts, [place]))


def _fitting(noted: Noted, there: Sequence[Located], anchor: Mention, farthest: bool | None) -> list[Located]:
    """Those that lie so to an anchor: the nearest or farthest first, as they are where it is not found; ``None``: those on it alone."""
    (base,) = noted.find.locate([anchor], noted.position)
    if farthest is not None:
        sign = -1.0 if farthest else 1.0
        return list(there) if base is None else sorted(there, key=lambda one: sign * gap_m(one.box, base.box))
    if base is None or base.score < SURE_ENOUGH:
        return []
    return [one for one in there if lies_on(one.box, base.box, noted.facts.floor_z or 0.0)]


def _scale(noted: Noted, degree: str) -> Callable[[Located], float]:
    """What is smallest of the thing that a degree tells from others of its kind."""
    if degree in ("leftmost", "rightmost"):
        sign = -1.0 if degree == "leftmost" else 1.0
        return lambda one: sign * bearing(noted.eye, one.box.center_world[:2])
    sign = 1.0 if degree.startswith(("small", "short")) else -1.0
    if degree.startswith(("tall", "short")):
        return lambda one: sign * float(one.box.size_m[2])
    return lambda one: sign * math.prod(map(float, one.box.size_m))
