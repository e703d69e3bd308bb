"""A description of the whole: what was found, what stands on what, how things lie at the end, and how the camera moved."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.named_say import Located
from video3d.answers.notes_motion import bearing
from video3d.answers.surfaces import to_wall_m
from video3d.answers.trajectory import Trajectory, moved_from_start, path_length, turning
from video3d.geometry.boxes import footprint_margin_m, gap_m
from video3d.types import PosedClip
from video3d.vocabulary import CATEGORIES, MOVING, category

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MOST_KINDS, _MOST_FIRM, _MOST_SIDES = 12, 3, 2
_COLOR_SHARE = 0.5
_ROOM_ITSELF = frozenset({"floor", "ceiling", "wall"})
_EITHER = frozenset({"bicycle", "tricycle", "kick scooter", "bench", "stroller", "wheelchair", "rug"})
"""Neither make a place a street nor a room."""
_OUTDOORS = frozenset(one.name for one in CATEGORIES if one.kind in ("vehicle", "sign")) | {"tree", "bush", "hedge"}
_INDOORS = frozenset(one.name for one in CATEGORIES if one.kind == "furniture") | {"door", "window", "ceiling lamp"}
_HANGS = frozenset(one.name for one in CATEGORIES if one.kind == "structure") | {"picture", "mirror", "curtain", "blinds", "clock", "wall lamp", "ceiling lamp", "ceiling fan", "wall cabinet", "air conditioner", "range hood"}  # fmt: skip
"""Not said to lie on what is below them."""
_ASIDE_DEG, _APART_M, _AGAINST_M, _RESTS_M = 8.0, 0.3, 0.2, 0.12
_MOVED_M, _TURNED_DEG, _WANDERED_M = 0.25, 12.0, 0.15

Found = tuple[str, Located]
Singled = tuple[str, str, Located]
"""What words single it out, its kind, where it is."""


def described(
    found: Sequence[tuple[str, Located]], clip: PosedClip, facts: SceneFacts, eye: Float64[np.ndarray, "4 4"]
) -> str:
    """A description in a few sentences, every one from where things are believed to be and how the camera moved; "" where nothing is known.

    Args:
        found: what things are called and where they are, the surest first.
        clip: upright and in metres.
        facts: of it.
        eye: pose of the camera that looks last, ``world_from_camera``.
    """
    found = [(name, place) for name, place in found if name not in _ROOM_ITSELF and place.is_finite]
    names = _shown(found, eye)
    alone = [one for one in _referable(found) if one[1] in names]
    firm, spoken_of = _firm(alone, facts)
    # Of what moves, where it is at the end is another question.
    still = [one for one in alone if one[0] not in spoken_of and category(one[1]).kind not in MOVING]
    sides, these = _sides(still, eye, clip.num_frames - 1)
    said = [*firm, *sides, *_apart([one for one in still if one[0] not in these])]
    said = ([_inventory(found, names)] if names else []) + [line[0].upper() + line[1:] for line in said]
    if facts.trajectory.ordered and facts.trajectory.num_poses > 1:
        said.append(_camera(facts.trajectory))
    return " ".join(said)


def _shown(found: Sequence[Found], eye: Float64[np.ndarray, "4 4"]) -> list[str]:
    """The kinds that are spoken of: what fills the view most comes first."""
    share = {name: max(_view_share(place, eye) for one, place in found if one == name) for name, _ in found}
    return sorted(share, key=lambda name: -share[name])[:_MOST_KINDS]


def _inventory(found: Sequence[Found], names: Sequence[str]) -> str:
    said = [_several(name, [place for one, place in found if one == name]) for name in names]
    said += ["more"] * (len({name for name, _ in found}) > len(names))
    listed = f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]
    kinds = [name for name, _ in found if name not in _EITHER]
    outside = sum(name in _OUTDOORS for name in kinds) - sum(name in _INDOORS for name in kinds)
    return f"{'A street' if outside > 0 else 'A room' if outside < 0 else 'A scene'} with {listed}."


def _view_share(place: Located, eye: Float64[np.ndarray, "4 4"]) -> float:
    """Of a thing, about: its largest face over the square of its distance, for every frame that shows it."""
    sides = np.sort(place.box.size_m)[1:]
    away = max(float(np.linalg.norm(place.box.center_world - eye[:3, 3])), 0.5)
    return float(np.prod(sides)) / away**2 * max(len(place.frames), 1)


def _several(name: str, them: Sequence[Located]) -> str:
    """For example "a red chair", "two chairs", "black shoes", "bread"."""
    called = _called(name, them[0]) if len(them) == 1 else name
    if not category(name).countable or (len(them) == 1 and _is_pair(name)):
        return called
    if len(them) == 1:
        return f"{'an' if re.match(r'[aeio]|u(?!ni|ri|se)', called) else 'a'} {called}"
    return f"{_NUMBERS[len(them)] if len(them) < len(_NUMBERS) else 'some'} {category(name).plural}"


def _is_pair(name: str) -> bool:
    """Whether one of it is called by a plural, as scissors are."""
    return category(name).plural.endswith(f" of {name}")


def _called(name: str, place: Located) -> str:
    return f"{place.color[0]} {name}" if place.color[0] and place.color[1] >= _COLOR_SHARE else name


def _referable(found: Sequence[Found]) -> list[Singled]:
    """Those that words single out: by their kind alone, or by kind and colour."""
    kinds = Counter(name for name, _ in found)
    colored = Counter((name, place.color[0]) for name, place in found)
    said = []
    for name, place in found:
        called = name if kinds[name] == 1 else _called(name, place)
        if not _is_pair(name) and (kinds[name] == 1 or (called != name and colored[name, place.color[0]] == 1)):
            said.append((f"the {called}", name, place))
    return said


def _firm(alone: Sequence[Singled], facts: SceneFacts) -> tuple[list[str], set[str]]:
    """What lies on what and stands at a wall, and what of it has been spoken of."""
    said: dict[str, str] = {}
    for one, name, place in alone:
        base = _carrier(place, alone) if name not in _HANGS else None
        if base is not None:
            said[one] = f"{one} is on {base}."
    for one, name, place in alone:
        stands = category(name).kind == "furniture" and name not in _HANGS | _EITHER and one not in said
        far = to_wall_m(place.box, facts.surfaces) if stands else None
        if far is not None and far < _AGAINST_M:
            said[one] = f"{one} stands against a wall."
    firm = dict(itertools.islice(said.items(), _MOST_FIRM))
    return list(firm.values()), set(firm)


def _carrier(place: Located, alone: Sequence[Singled]) -> str | None:
    """What a thing stands or lies on: the one under its middle whose top is nearest to its underside, if that is near."""
    low = float(place.box.center_world[2] - place.box.size_m[2] / 2)
    tops = [
        (abs(low - float(base.box.center_world[2] + base.box.size_m[2] / 2)), said)
        for said, _, base in alone
        if base is not place
        and base.box.center_world[2] < min(low + _RESTS_M, float(place.box.center_world[2]))
        and footprint_margin_m(place.box, base.box) > 0
    ]
    return min(tops)[1] if tops and min(tops)[0] < _RESTS_M else None


def _sides(alone: Sequence[Singled], eye: Float64[np.ndarray, "4 4"], last: int) -> tuple[list[str], set[str]]:
    """Pairs that the last frame shows, each thing once, the surest first."""
    said, used = [], set[str]()
    there = [one for one in alone if last in one[2].frames]
    for (one, _, place), (other, _, far) in itertools.combinations(there, 2):
        turns = [bearing(eye, at.box.center_world[:2]) for at in (place, far)]
        if {one, other} & used or abs(turns[0] - turns[1]) < _ASIDE_DEG or len(said) == _MOST_SIDES:
            continue
        said.append(f"in the last frame, {one} is to the {'left' if turns[0] > turns[1] else 'right'} of {other}.")
        used |= {one, other}
    return said, used


def _apart(alone: Sequence[Singled]) -> list[str]:
    """How far apart two things are that have not been spoken of."""
    for (one, _, place), (other, _, far) in itertools.pairwise(alone):
        gap = gap_m(place.box, far.box)
        if gap > _APART_M:
            return [f"{one} and {other} are about {gap:.1f} m apart at their nearest points."]
    return []


def _camera(path: Trajectory) -> str:
    """How the camera moved from the first frame to the last, as the first frame sees it, and how it turned."""
    forward, left, up = map(float, moved_from_start(path))
    length, turned, way, moves = math.hypot(forward, left), turning(path), path_length(path), []
    if length > _MOVED_M:
        ahead, aside = "forward" if forward > 0 else "backward", f"to the {'left' if left > 0 else 'right'}"
        mostly, less = (ahead, aside) if abs(forward) >= abs(left) else (aside, ahead)
        both = min(abs(forward), abs(left)) > max(abs(forward), abs(left)) / 2
        moves.append(f"moves {f'{mostly} and {less}' if both else mostly} by about {length:.1f} m")
    if abs(up) > _MOVED_M:
        moves.append(f"{'rises' if up > 0 else 'sinks'} by about {abs(up):.1f} m")
    if way > 2 * math.hypot(length, up) + _MOVED_M:
        moves.append(f"{'goes' if moves else 'moves'} about {way:.1f} m in all")
    if abs(turned.net) > _TURNED_DEG:
        side = "left" if turned.net > 0 else "right"
        moves.append(f"turns to the {side} by about {round(abs(turned.net) / 5) * 5} degrees")
    elif max(turned.left, turned.right) > _TURNED_DEG:
        moves.append("looks around")
    if moves:
        return f"The camera {' and '.join(moves)}."
    return "The camera stays where it is." if way < _WANDERED_M else "The camera moves a little."
