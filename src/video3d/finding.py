"""How questions find things by name: in what patches vote for, and, of what moves, in what depth shows of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from video3d.answers.named import Finders, Located
from video3d.answers.named_question import Mention
from video3d.geometry.moving import moving_bodies, nearest_body
from video3d.geometry.moving_things import MovingThing, moving_things
from video3d.types import Box3D, PosedClip
from video3d.types.track import Track
from video3d.vocabulary import DRIVEN, MOVING, category

if TYPE_CHECKING:
    from video3d.model.object_votes import FoundObject, ObjectVotes

LEAST_SURE = 0.3
"""Score from which a thing that patches vote for counts as an object (docs/results/objects.md)."""
_LATELY = 3
"""Frames to either side, over which a thing's way tells where its front is."""
_STROLLS_M_S = 0.3
_SURE_SIGMAS = 2.0
_MOVED_SHARE = 0.5  # of these frames, in which depth shows that something moved there


def things_in(votes: "ObjectVotes", moving: Sequence[MovingThing] = ()) -> "tuple[FoundObject, ...]":
    """What votes agree on, the surest first, as far as it is sure enough, with boxes fitted to the surface that was seen.

    Args:
        votes: of the patches of a clip.
        moving: what moved in it; each is one thing, wherever its votes are for.
    """
    from video3d.model.moving_objects import moving_found
    from video3d.model.object_votes import find_objects, fitted, without_twins

    moved, theirs = moving_found(votes, moving)
    found = [
        thing for thing in without_twins((*moved, *find_objects(votes.only(~theirs)))) if thing.score >= LEAST_SURE
    ]
    return tuple(
        thing if _may_move(thing.category) else fitted(thing, votes)
        for thing in sorted(found, key=lambda thing: -thing.score)
    )


def what_moved(clip: PosedClip) -> tuple[MovingThing, ...]:
    """What moved, by depth that was measured only, for estimated depth changes by more than things move."""
    return moving_things(moving_bodies(clip), clip.time_s) if clip.status.depth == "measured" else ()


def finders_in(
    votes: "ObjectVotes",
    things: "Sequence[FoundObject]",
    clip: PosedClip,
    moving: Sequence[MovingThing],
) -> Finders:
    """How questions find things by name.

    Args:
        votes: of the patches of a clip.
        things: what they agree on.
        clip: upright and in metres.
        moving: what moved in it.
    """
    from video3d.model.moving_objects import boxes_of_moving, moving_named
    from video3d.model.object_tracks import track_named
    from video3d.model.object_votes import find_named, fitted, front_of

    def moves(name: str) -> bool:
        return _may_move(name) or (name in DRIVEN and len(moving) > 0)

    def located(thing: "FoundObject", way: tuple[float, float] | None = None) -> Located:
        front = (way or thing.front_world) if category(thing.category).has_front else None
        color = (thing.color, thing.color_score)
        return Located(box=thing.box, score=thing.score, frames=thing.frames, color=color, front_world=front)

    def placed(thing: "FoundObject", position: int) -> "FoundObject":
        """With its box where depth shows it: what moved as of a frame, all else as it stands."""
        if moves(thing.category):
            here = [body for one in moving if (body := one.at(position)) is not None]
            body = nearest_body(here, thing.box, thing.spread_m)
            if body is not None:
                return replace(thing, box=replace(thing.box, center_world=body.center(thing.box)))
            if clip.status.depth != "measured":
                return thing
        return fitted(thing, votes)

    def names(asked: Sequence[Mention]) -> list[tuple[str, str | None]]:
        return [(one.category, one.color) for one in asked]

    def track(one: Mention, besides: Sequence[tuple[str, str | None]]) -> Track | None:
        return track_named(votes, one.category, one.color, besides=besides, moving=moving)

    def locate(asked: Sequence[Mention], position: int) -> list[Located | None]:
        found: list[Located | None] = []
        for one in asked:
            goes, besides = moves(one.category), names(asked)
            thing = find_named(votes, one.category, one.color, frame=position if goes else None, besides=besides)
            if thing is None:
                found.append(None)
                continue
            if goes and (seen := seen_moving(one, besides, position)) is not None:
                found.append(located(replace(thing, box=seen), front_of(seen)))
                continue
            thing = placed(thing, position)
            way = track(one, besides) if goes and category(one.category).has_front else None
            found.append(located(thing, _way(way, thing, position)))
        return found

    def seen_moving(one: Mention, besides: Sequence[tuple[str, str | None]], position: int) -> Box3D | None:
        own = moving_named(votes, one.category, one.color, besides=besides, moving=moving)
        return None if own is None else boxes_of_moving(votes, own, one.category, (position,)).get(position)

    def count(name: str | None) -> tuple[tuple[str, Located], ...]:
        return tuple((one.category, located(one)) for one in things if name in (None, one.category))

    def follow(asked: Sequence[Mention]) -> list[Track | None]:
        return [track(one, names(asked)) if moves(one.category) else None for one in asked]

    return Finders(locate, count, follow)


def _may_move(name: str) -> bool:
    return category(name).kind in MOVING


def _way(track: Track | None, thing: "FoundObject", position: int) -> tuple[float, float] | None:
    """Where the front of a thing points that moves about a frame: it goes ahead. None where it is not surely in motion."""
    if track is None or not len(near := np.flatnonzero(np.abs(track.frame - position) <= _LATELY)):
        return None
    at = near[np.abs(track.frame[near] - position).argmin()]
    apart = float(np.linalg.norm((track.center_world[at] - thing.box.center_world)[:2]))
    found = track.only(near).velocity_m_s()
    if (
        found is None
        or track.moved[near].mean() < _MOVED_SHARE
        or apart > float(np.sort(thing.box.size_m)[1]) / 2 + float(track.sigma_m[at])
    ):
        return None
    speed = float(np.linalg.norm(found[0][:2]))
    if speed < max(_STROLLS_M_S, _SURE_SIGMAS * found[1]):
        return None
    return float(found[0][0]) / speed, float(found[0][1]) / speed
