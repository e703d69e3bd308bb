"""What moved, and what it is called: by what the patches say that show it, wherever their votes are for.

Votes of small or far things are for places that are metres off, and a thing in motion has votes for a place in every frame. Depth shows
where it was in each of them (``geometry.moving_things``), and the patches there say its name.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.moving import Body
from video3d.geometry.moving_things import MovingThing
from video3d.model.object_votes import FoundObject, ObjectVotes, box_of_votes, named_share
from video3d.types import Box3D
from video3d.vocabulary import MOVING
from video3d.vocabulary import category as named

_OWN = 0.08
"""Mean share of the name, of the patches that show what moved, from which it is what is meant."""
_MAYBE = 0.02  # and from which it may be
_OWN_BESIDE = 0.5  # and of that of the patches elsewhere that say so most
_ELSEWHERE = 8  # patches
_PART = 0.6  # of the share of the thing's name that is surest: from here on another is a part of it
_PARTS_SHARE = 1.3  # of the size that it is believed to have, within which its parts lie
_FOUND_FRAMES, _FOUND = 3, 0.4
"""Frames in which something has to have moved, and mean probability of its name, to be an object by that alone."""
_LATELY = 4  # frames to either side, over which a way is straight
_DRIVES_M_S, _FAR_M = 0.7, 1.0  # from which speed and way on the heading of what drives or walks is that way


def moving_named(
    votes: ObjectVotes,
    category: str,
    color: str | None = None,
    *,
    besides: Sequence[tuple[str, str | None]] = (),
    moving: Sequence[MovingThing] = (),
) -> MovingThing | None:
    """Which of what moved is the thing of a name, by what the patches say that show it; None where none surely is.

    Votes of small or far things are for places that are metres off, but the patches that cast them show the thing.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        besides: names and colours of the other things that are looked for.
        moving: what moved, by depth.
    """
    share = _spoken(votes, category, color, besides)
    if share is None or not moving:
        return None
    own = [_shown_share(share, one, votes.grid_hw) or 0.0 for one in moving]
    best, elsewhere = int(np.argmax(own)), share.copy()
    elsewhere[np.concatenate([_shown_by(one, votes.grid_hw, len(share))[0] for one in moving])] = 0.0
    if own[best] < max(_OWN, _OWN_BESIDE * float(np.sort(elsewhere)[-_ELSEWHERE:].mean())):
        return None
    parts = [one for one, said in zip(moving, own, strict=True) if said >= max(_OWN, _PART * own[best])]
    box = box_of_moving(votes, moving[best], category)
    return moving[best] if box is None else _with_parts(moving[best], parts, _PARTS_SHARE * float(box.size_m.max()))


def perhaps_named(
    votes: ObjectVotes,
    category: str,
    color: str | None = None,
    *,
    besides: Sequence[tuple[str, str | None]] = (),
    moving: Sequence[MovingThing] = (),
) -> list[Body]:
    """What moved and may be the thing of a name: all of it but what is surely called otherwise.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        besides: names and colours of the other things that are looked for.
        moving: what moved, by depth.
    """
    share = _spoken(votes, category, color, besides)
    said = [(one, None if share is None else _shown_share(share, one, votes.grid_hw)) for one in moving]
    return [body for one, known in said if known is None or known >= _MAYBE for body in one.bodies]


def _spoken(
    votes: ObjectVotes, category: str, color: str | None, besides: Sequence[tuple[str, str | None]]
) -> Float64[np.ndarray, "p"] | None:
    """How much every patch of all frames speaks for the thing of a name; None where none does or patches have no place in their frames."""
    if votes.grid_hw is None or category not in votes.categories or not len(votes.frame):
        return None
    share = np.zeros((int(votes.frame.max()) + 1) * votes.grid_hw[0] * votes.grid_hw[1])
    share[votes.patch] = named_share(votes, category, color, besides)
    return share


def _shown_by(
    thing: MovingThing, grid_hw: tuple[int, int] | None, number: int
) -> tuple[Int64[np.ndarray, "p"], Float64[np.ndarray, "p"]]:
    """The patches, of so many, that show a thing, and how much each says of it: of a body that is seen larger, all together more, but not by as much."""
    patches, weights = [np.zeros(0, np.int64)], [np.zeros(0)]
    for body in thing.bodies if grid_hw is not None else ():
        if body.seen_at is not None:
            row, column = (body.seen_at * grid_hw).astype(np.int64).T
            patch, points = np.unique((body.frame * grid_hw[0] + row) * grid_hw[1] + column, return_counts=True)
            patches.append(patch)
            weights.append(points / np.sqrt(points.sum()))
    patch, weight = np.concatenate(patches), np.concatenate(weights)
    return patch[patch < number], weight[patch < number]


def _shown_share(share: Float64[np.ndarray, "p"], thing: MovingThing, grid_hw: tuple[int, int] | None) -> float | None:
    """How much the patches that show a thing speak for a name, 0..1; None where it is not known which do."""
    patch, weight = _shown_by(thing, grid_hw, len(share))
    return float(share[patch] @ weight / weight.sum()) if len(patch) else None


def moving_found(
    votes: ObjectVotes, moving: Sequence[MovingThing]
) -> tuple[tuple[FoundObject, ...], Bool[np.ndarray, "n"]]:
    """What moved, found as objects where the last frame that shows them has them, and which votes are of the patches that show it.

    Each frame's votes for a thing in motion are for another place: without this it is found again and again.

    Args:
        votes: of a clip.
        moving: what moved, by depth.
    """
    taken, found = np.zeros(len(votes.frame), dtype=bool), []
    left = [one for one in moving if len(one.bodies) >= _FOUND_FRAMES]
    while left:
        thing = left.pop(0)
        own = _votes_of(votes, thing)
        if not own.any() or taken[own].mean() > 0.5:
            continue
        mean = votes.category[own].mean(axis=0)
        name = votes.categories[int(mean.argmax())]
        box = box_of_moving(votes, thing, name)
        if named(name).kind not in MOVING or float(mean.max()) < _FOUND or box is None:
            continue
        alike = [one for one in left if _called(votes, one) == name]
        thing = _with_parts(thing, alike, _PARTS_SHARE * float(box.size_m.max()))
        own, last = _votes_of(votes, thing), thing.bodies[-1]
        taken |= own
        color = votes.color[own].mean(axis=0)
        x, y = (float(value) for value in box.world_from_box[:2, 0])
        found.append(
            FoundObject(
                category=name, score=float(mean.max()) * len(thing.bodies) / (len(thing.bodies) + 1), box=replace(box, center_world=last.center(box)),
                front_world=(y, -x), color=votes.colors[int(color.argmax())] if votes.colors else "", color_score=float(color.max(initial=0.0)),
                frames=tuple(one.frame for one in thing.bodies), spread_m=last.sigma_m,
            )
        )  # fmt: skip
    return tuple(found), taken


def _called(votes: ObjectVotes, thing: MovingThing) -> str | None:
    own = _votes_of(votes, thing)
    return votes.categories[int(votes.category[own].mean(axis=0).argmax())] if own.any() else None


def _votes_of(votes: ObjectVotes, thing: MovingThing) -> Bool[np.ndarray, "n"]:
    """Which votes are of patches that show a thing."""
    return np.isin(votes.patch, _shown_by(thing, votes.grid_hw, int(votes.patch.max(initial=-1)) + 1)[0])


def _with_parts(thing: MovingThing, parts: Sequence[MovingThing], longest_m: float) -> MovingThing:
    """A thing with what else is called the same and moves within its length: of what is long and slow, places in its middle stay filled."""
    bodies, more = {one.frame: one for one in thing.bodies}, False
    for part in (one for one in parts if one is not thing):
        both = [(bodies[one.frame], one) for one in part.bodies if one.frame in bodies]
        if not both or max(_across(*pair) for pair in both) > longest_m:
            continue
        more = True
        for one in part.bodies:
            other = bodies.get(one.frame)
            bodies[one.frame] = one if other is None else _together(other, one)
    return MovingThing(bodies=tuple(bodies[frame] for frame in sorted(bodies))) if more else thing


def _across(one: Body, other: Body) -> float:
    points = np.concatenate([one.points_world, other.points_world])[:, :2]
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _together(one: Body, other: Body) -> Body:
    points = np.concatenate([one.points_world, other.points_world])
    known = one.seen_at is not None and other.seen_at is not None
    return replace(one, points_world=points, seen_at=np.concatenate([one.seen_at, other.seen_at]) if known else None)


def box_of_moving(votes: ObjectVotes, thing: MovingThing, category: str, frame: int | None = None) -> Box3D | None:
    """How large a thing that moved is and how it stands, by the patches that show it, somewhere; None where none speaks for the name.

    What drives or walks stands along its way.

    Args:
        votes: of a clip.
        thing: that moved.
        category: its name, one of ``votes.categories``.
        frame: about which it stands so; None: the last that shows it.
    """
    some = votes.only(_votes_of(votes, thing))
    share = some.category[:, votes.categories.index(category)].astype(np.float64)
    if not share.sum() > 0:
        return None
    box, way = box_of_votes(some, share), _way(thing, votes, frame)
    if way is None or named(category).kind not in MOVING:
        return box
    x, y = -way[1], way[0]  # its front, -y, is ahead
    return replace(box, world_from_box=np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]]))


def _way(thing: MovingThing, votes: ObjectVotes, frame: int | None) -> tuple[float, float] | None:
    """Where a thing that goes far and fast enough is going about a frame; None for others."""
    times = dict(zip(votes.frame.tolist(), votes.time_s.tolist(), strict=True))
    about = thing.bodies[-1].frame if frame is None else frame
    last = [one for one in thing.bodies if one.frame in times and abs(one.frame - about) <= _LATELY]
    if len(last) < 2:
        return None
    time_s = np.array([times[one.frame] for one in last])
    ends = np.array([np.quantile(one.points_world, (0.03, 0.97), axis=0).mean(0)[:2] for one in last])
    late = time_s - time_s.mean()
    velocity = late @ ends / max(float(late @ late), 1e-9)
    speed = float(np.linalg.norm(velocity))
    if speed < _DRIVES_M_S or speed * float(np.ptp(time_s)) < _FAR_M:
        return None
    return float(velocity[0]) / speed, float(velocity[1]) / speed
