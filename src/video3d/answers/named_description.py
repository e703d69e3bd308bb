"""A description of the whole: what was found, what stands on what, how things lie at the end, and how the camera moved."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.named_say import Located
from video3d.answers.notes_motion import bearing
from video3d.answers.surfaces import to_wall_m
from video3d.answers.trajectory import Trajectory, moved_from_start, path_length, yaw_steps_deg
from video3d.geometry.boxes import gap_m, lies_on
from video3d.types import PosedClip
from video3d.vocabulary import CATEGORIES, MOVING, category

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MOST_KINDS, _MOST_FIRM, _MOST_SIDES = 12, 3, 2
_COLOR_SHARE = 0.5
_OUTDOORS = frozenset(one.name for one in CATEGORIES if one.kind in ("vehicle", "sign")) | {"tree", "bush", "hedge"}
_INDOORS = frozenset(one.name for one in CATEGORIES if one.kind == "furniture") | {"door", "window", "curtain"}
_ON_WALLS = frozenset(one.name for one in CATEGORIES if one.kind == "structure") | {"picture", "mirror", "curtain", "blinds", "clock", "wall lamp", "ceiling lamp", "wall cabinet"}  # fmt: skip
"""Not said to lie on what stands before them."""
_ASIDE_DEG, _APART_M, _AGAINST_M = 8.0, 0.3, 0.2
_MOVED_M, _TURNED_DEG, _WANDERED_M = 0.25, 12.0, 0.15

Found = tuple[str, Located]
Singled = tuple[str, str, Located]
"""What words single it out, its kind, where it is."""


def described(
    found: Sequence[tuple[str, Located]], clip: PosedClip, facts: SceneFacts, eye: Float64[np.ndarray, "4 4"]
) -> str:
    """A description in a few sentences, every one from where things are believed to be and how the camera moved.

    Args:
        found: what things are called and where they are, the surest first; at least one.
        clip: upright and in metres.
        facts: of it.
        eye: pose of the camera that looks last, ``world_from_camera``.
    """
    names = _shown(found, eye)
    alone = [one for one in _referable(found) if one[1] in names]
    firm, spoken_of = _firm(alone, facts)
    sides, these = _sides([one for one in alone if one[0] not in spoken_of], eye, clip.num_frames - 1)
    still = [one for one in alone if one[0] not in spoken_of | these and category(one[1]).kind not in MOVING]
    said = [_inventory(found, names), *(line[0].upper() + line[1:] for line in (*firm, *sides, *_apart(still)))]
    if facts.trajectory.ordered:
        said.append(_camera(facts.trajectory))
    return " ".join(said)


def _shown(found: Sequence[Found], eye: Float64[np.ndarray, "4 4"]) -> list[str]:
    """The kinds that are spoken of: what fills the view most comes first."""
    share = {name: max(_view_share(place, eye) for one, place in found if one == name) for name, _ in found}
    return sorted(share, key=lambda name: -share[name])[:_MOST_KINDS]


def _inventory(found: Sequence[Found], names: Sequence[str]) -> str:
    said = [_several(name, [place for one, place in found if one == name]) for name in names]
    listed = f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]
    outside = sum(name in _OUTDOORS for name, _ in found) - sum(name in _INDOORS for name, _ in found)
    return f"{'A street' if outside > 0 else 'A room' if outside < 0 else 'A scene'} with {listed}."


def _view_share(place: Located, eye: Float64[np.ndarray, "4 4"]) -> float:
    """Of a thing, about: its largest face over the square of its distance, for every frame that shows it."""
    sides = np.sort(place.box.size_m)[1:]
    away = max(float(np.linalg.norm(place.box.center_world - eye[:3, 3])), 0.5)
    return float(np.prod(sides)) / away**2 * max(len(place.frames), 1)


def _several(name: str, them: Sequence[Located]) -> str:
    if len(them) == 1:
        called = _called(name, them[0])
        pair = category(name).plural.endswith(f"s of {name}")
        return called if pair else f"{'an' if called[0] in 'aeiou' else 'a'} {called}"
    return f"{_NUMBERS[len(them)] if len(them) < len(_NUMBERS) else 'some'} {category(name).plural}"


def _called(name: str, place: Located) -> str:
    colored = place.color[0] and place.color[1] >= _COLOR_SHARE
    return f"{place.color[0]} {name}" if colored else name


def _referable(found: Sequence[Found]) -> list[Singled]:
    """Those that words single out: by their kind alone, or by kind and colour; with their kind."""
    kinds = Counter(name for name, _ in found)
    colored = Counter(_called(name, place) for name, place in found)
    said = []
    for name, place in found:
        called = name if kinds[name] == 1 else _called(name, place)
        if kinds[name] == 1 or (called != name and colored[called] == 1):
            said.append((f"the {called}", name, place))
    return said


def _firm(alone: Sequence[Singled], facts: SceneFacts) -> tuple[list[str], set[str]]:
    """What lies on what and stands at a wall, and what of it has been spoken of."""
    said: dict[str, str] = {}
    for (one, name, place), (base, _, carrier) in itertools.permutations(alone, 2):
        if one not in said and name not in _ON_WALLS and lies_on(place.box, carrier.box, facts.floor_z or 0.0):
            said[one] = f"{one} is on {base}."
    for one, name, place in alone:
        far = to_wall_m(place.box, facts.surfaces) if category(name).kind == "furniture" and one not in said else None
        if far is not None and far < _AGAINST_M:
            said[one] = f"{one} stands against a wall."
    firm = dict(itertools.islice(said.items(), _MOST_FIRM))
    return list(firm.values()), set(firm)


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
    """How the camera moved from the first frame to the last, on the floor, and how it turned."""
    forward, left, _ = map(float, moved_from_start(path))
    length, turn, moves = math.hypot(forward, left), float(yaw_steps_deg(path).sum()), []
    if length > _MOVED_M:
        ways = ("forward", "backward") if abs(forward) >= abs(left) else ("to the left", "to the right")
        moves.append(f"moves {ways[(forward if abs(forward) >= abs(left) else left) < 0]} by about {length:.1f} m")
    if abs(turn) > _TURNED_DEG:
        moves.append(f"turns to the {'left' if turn > 0 else 'right'} by about {round(abs(turn) / 5) * 5} degrees")
    if moves:
        return f"The camera {' and '.join(moves)}."
    return "The camera stays where it is." if path_length(path) < _WANDERED_M else "The camera looks around."
