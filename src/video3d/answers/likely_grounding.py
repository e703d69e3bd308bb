"""Which box a phrase means, or that nothing in the scene fits it, where a question allows for that."""

import math
import re
from collections.abc import Callable, Sequence

from video3d.answers.likely_measures import box_words
from video3d.answers.named import SURELY_THERE, each_once
from video3d.answers.named_color import of_color
from video3d.answers.named_question import Mention
from video3d.answers.named_say import Located
from video3d.answers.noted import Noted
from video3d.answers.notes_motion import bearing
from video3d.geometry.boxes import footprint_gap_m, gap_m
from video3d.vocabulary import MOVING, category

NONE = "the answer is none"
"""A small language model repeats this whole; "none" alone it takes for no answer to "which box"."""
_ASKED = re.compile(r"\b3d bounds\b.*\bnone\b")
_NOT_NOW = re.compile(r"\b(?:will|would|seconds?|later|next(?! to))\b")
# "the charger on the #": what is looked for has no name here, and # only says where it is.
_OTHER_HEAD = re.compile(r"\b(?:the|a|an) [\w -]+? (?:on|in|under|behind|beside|near|next to|by|with|at|above|below|of|from) (?:the |an? )?(?:[\w-]+ )?#|\bfrom (?:the )?#")  # fmt: skip
_BOX_OF = re.compile(r"\b3d bounds (?:of|around|for) ")
_IS = r"(?:(?:that|which|who) (?:is|are|lies|stands|sits) |standing |lying |sitting )?"
_TO_ANCHOR = re.compile(
    rf"^[^#]*# {_IS}(near\w*|clos\w+|far\w*|furth\w+|next|beside|by)(?: away)?(?: (?:to|from))? (?:the )?(?:\w+ )?#"
)
_ON_ANCHOR = re.compile(rf"^[^#]*# {_IS}on (?:top of )?(?:the )?(?:\w+ )?#")
_ASIDE_OF = re.compile(rf"^[^#]*# {_IS}(?:to|on) the (left|right) of (?:the )?(?:\w+ )?#")
_ONE_OF = re.compile(r"\b(leftmost|rightmost|(?:tall|larg|bigg|small|short|high|low)\w+) #|^[^#]*#,? (?:on|to|at) the (?:far )?(left|right)\b(?! of)")  # fmt: skip
_COLOR_SHARE = 0.5
_ON_M = 0.15  # boxes are not known better


def grounded(noted: Noted) -> str | None:
    """The box of what a phrase means, by its kind, its colour and how it lies to others of its kind or to another thing; "none" if nothing fits.

    A thing that is not surely there (``named.SURELY_THERE``), or of another colour, is none. Words that nothing is known of find nothing, and
    that is said with less certainty. ``None``: the question is another, or has a relation that is not read.
    """
    if not _ASKED.search(noted.stem) or _NOT_NOW.search(noted.stem):
        return None
    if not noted.mentions or _OTHER_HEAD.search(_BOX_OF.sub("", noted.stem[: noted.stem.index("#") + 1])):
        return f"perhaps: {NONE}"
    thing, *others = noted.mentions
    there = _of_kind(noted, thing)
    if there and others:
        there = _fitting(noted, there, others[0])
        if there is None:
            return None
    elif (found := _ONE_OF.search(noted.stem)) is not None:
        there = sorted(there, key=_scale(noted, found[1] or f"{found[2]}most"))
    return f"likely: {box_words(there[0].box) if there else NONE}"


def _of_kind(noted: Noted, thing: Mention) -> list[Located]:
    """What is surely of a kind and colour, each thing once, the likeliest first."""
    (likeliest,) = noted.find.locate([thing], noted.position)
    every = [likeliest, *(place for _, place in noted.find.count(thing.category))]
    if category(thing.category).kind in MOVING and len(every) <= 2 and likeliest is not None:
        every = [likeliest]  # as of the frame that is asked about; what is counted may be the same at another time
    return [
        place
        for place in each_once(every, SURELY_THERE)
        if thing.color is None or _is_colored(noted, place, thing.color)
    ]


def _is_colored(noted: Noted, place: Located, color: str) -> bool:
    if place.color[1] >= _COLOR_SHARE:
        return place.color[0] == color
    return bool(of_color(color, noted.clip, noted.facts, [place]))


def _fitting(noted: Noted, there: Sequence[Located], anchor: Mention) -> list[Located] | None:
    """Those that lie to an anchor as a phrase says, the best first; as they are where the anchor is not found; ``None`` where it is not read."""
    (base,) = noted.find.locate([anchor], noted.position)
    if _ON_ANCHOR.match(noted.stem):
        sure = base is not None and base.score >= SURELY_THERE and base.is_finite
        return [one for one in there if sure and base is not None and _is_on(one, base)]
    beside, aside = _TO_ANCHOR.match(noted.stem), _ASIDE_OF.match(noted.stem)
    if beside is None and aside is None:
        return None
    if base is None or not base.is_finite:
        return list(there)
    if aside is not None:
        sign, at = (1 if aside[1] == "left" else -1), bearing(noted.eye, base.box.center_world[:2])
        there = [one for one in there if sign * (bearing(noted.eye, one.box.center_world[:2]) - at) > 0]
    farthest = beside is not None and beside[1].startswith("f")
    return sorted(there, key=lambda one: (-1.0 if farthest else 1.0) * gap_m(one.box, base.box))


def _is_on(one: Located, base: Located) -> bool:
    """Whether a thing is on or in another: over it, between its foot and just above its top, and not what carries it."""
    low, under = (float(it.box.center_world[2] - it.box.size_m[2] / 2) for it in (one, base))
    top = under + float(base.box.size_m[2])
    above = one.box.center_world[2] > base.box.center_world[2] or low > under + _ON_M
    return above and under - _ON_M < low < top + _ON_M and footprint_gap_m(one.box, base.box) < _ON_M / 3


def _scale(noted: Noted, degree: str) -> Callable[[Located], float]:
    """What is smallest of the thing that a degree tells from others of its kind."""
    if degree in ("leftmost", "rightmost"):
        sign = -1.0 if degree == "leftmost" else 1.0
        return lambda one: sign * bearing(noted.eye, one.box.center_world[:2])
    sign = 1.0 if degree.startswith(("small", "short", "low")) else -1.0
    if degree.startswith(("high", "low")):
        return lambda one: sign * float(one.box.center_world[2])
    if degree.startswith(("tall", "short")):
        return lambda one: sign * float(one.box.size_m[2])
    return lambda one: sign * math.prod(map(float, one.box.size_m))
