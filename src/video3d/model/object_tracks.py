"""How a named thing moves: where the votes of each frame crowd, and the one straight way through such places that fits best."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.moving import Body, nearest_body
from video3d.geometry.moving_things import MovingThing
from video3d.model.object_votes import FoundObject, ObjectVotes, box_of_votes, named_share
from video3d.types import Box3D
from video3d.types.track import Track
from video3d.vocabulary import MOVING
from video3d.vocabulary import category as named

_MOST_VOTES = 300
_LEAST_SHARE = 0.05
"""Probability of its name from which a vote of one frame counts."""
_FASTEST_M_S = 20.0
_MOST_FRAMES = 8
"""How far back a thing is followed: what it does next follows from what it did last."""
_MOST_PLACES = 3
_LEAST_WEIGHT = 0.15
"""Of a frame's heaviest place: below it, another is not looked at."""
_FEW_VOTES = 2.0  # from some such on, more say little more
_LEAST_SIGMA_M = 0.04
_SIGMA_SHARE = 1.4
"""Votes of one thing err together, and by more than each says: times the error that they state (measured)."""
_MOVED_WEIGHT = 1.5
"""What is followed more often moves than not: a place where something moved counts so much more."""
_VAGUE_M = 1.0
"""A place that is less certain than this counts the less."""
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
_STANDS = 0.85
"""A way that stands still is taken if it fits at least this well beside the best that moves: most things stand."""


class _Place(NamedTuple):
    frame: int
    time_s: float
    center: Float64[np.ndarray, "3"]
    weight: float
    sigma_m: float
    box: Box3D
    body: Body | None


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


def track_named(
    votes: ObjectVotes,
    category: str,
    color: str | None = None,
    *,
    besides: Sequence[tuple[str, str | None]] = (),
    moving: Sequence[MovingThing] = (),
) -> Track | None:
    """Where the thing of a name was in the last frames that show it; None where none does.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        besides: names and colours of the other things that are looked for.
        moving: what moved, by depth: known to a centimetre or two, where votes err by a tenth of a metre and more.
    """
    if category not in votes.categories or not np.isfinite(votes.time_s).all():
        return None
    share = votes.category[:, votes.categories.index(category)].astype(np.float64)
    keep = np.flatnonzero(share >= _LEAST_SHARE)
    if not len(keep):
        return None
    some, share = votes.only(keep), named_share(votes, category, color, besides)[keep]
    own = moving_named(votes, category, color, besides=besides, moving=moving)
    seen_moving = _of_bodies(own, votes, category)
    bodies = _perhaps(votes, _spoken(votes, category, color, besides), moving)
    last = np.unique([*some.frame, *seen_moving])[-_MOST_FRAMES:]
    if len(known := [frame for frame in last if int(frame) in seen_moving]) > 1:
        last = np.array(known)  # votes of the others are no help
    places = [
        [seen_moving[int(frame)]]
        if int(frame) in seen_moving
        else _places(some, share, _strongest(some.frame, int(frame), share, _MOST_VOTES * votes.zoom**2), bodies)
        for frame in last
    ]
    chosen = _of_one_size(_best_way(places))
    return Track(
        frame=np.array([one.frame for one in chosen]),
        time_s=np.array([one.time_s for one in chosen]),
        center_world=np.array([one.center for one in chosen]),
        sigma_m=np.array([one.sigma_m for one in chosen]),
        moved=np.array([one.body is not None for one in chosen]),
    )


def _perhaps(votes: ObjectVotes, share: Float64[np.ndarray, "p"] | None, moving: Sequence[MovingThing]) -> list[Body]:
    """What moved and may be called so, as far as it is known which patches show it."""
    if share is None:
        return [body for one in moving for body in one.bodies]
    said = [(one, _shown_share(share, one, votes.grid_hw)) for one in moving]
    return [body for one, known in said if known is None or known >= _MAYBE for body in one.bodies]


def _strongest(
    frames: Int64[np.ndarray, "n"], frame: int, share: Float64[np.ndarray, "n"], most: int
) -> Int64[np.ndarray, "m"]:
    at = np.flatnonzero(frames == frame)
    return at[np.argsort(-share[at], kind="stable")[:most]]


def _places(
    votes: ObjectVotes, share: Float64[np.ndarray, "n"], at: Int64[np.ndarray, "m"], bodies: Sequence[Body]
) -> list[_Place]:
    """Where the votes of one frame crowd, the heaviest crowd first; where something moved there, its place."""
    here, weight = votes.only(at), share[at]
    bodies = [one for one in bodies if one.frame == here.frame[0]]
    apart = np.linalg.norm(here.center_world[:, None] - here.center_world, axis=2)
    reach = np.clip(0.5 * np.sort(here.size_m, 1)[:, 1], 0.1, 1.0)
    near = np.exp(-0.5 * (apart / (0.6 * reach[:, None])) ** 2)
    left, found, most = weight.copy(), [], 0.0
    for _ in range(_MOST_PLACES):
        density = near @ left
        seed = int(density.argmax())
        if density[seed] <= 0 or (found and density[seed] < _LEAST_WEIGHT * most):
            break
        most = most or float(density[seed])
        one = (apart[seed] < reach[seed]) & (left > 0)
        if not one.any():
            break
        sigma = float(np.average(here.scale_m[one], weights=left[one]))
        center = np.average(here.center_world[one], axis=0, weights=left[one])
        sigma, heavy = max(_LEAST_SIGMA_M, _SIGMA_SHARE * sigma), _weight(left[one], float(density[seed]))
        box = replace(box_of_votes(here.only(one), left[one]), center_world=center)
        if (body := nearest_body(bodies, box, sigma)) is not None:
            center, heavy = body.center(box), _MOVED_WEIGHT * heavy
            sigma = min(sigma, body.sigma_m)
        found.append(_Place(int(here.frame[0]), float(here.time_s[0]), center, heavy, sigma, box, body))
        left[apart[seed] < 1.5 * reach[seed]] = 0.0
    return found


def _weight(share: Float64[np.ndarray, "n"], density: float) -> float:
    """Of a place that votes of these shares speak for: there is one such thing, and many votes that half fit do not make it."""
    mean = float(share @ share) / float(share.sum())
    return mean * (1.0 - math.exp(-density / mean / _FEW_VOTES))


def _of_bodies(own: MovingThing | None, votes: ObjectVotes, category: str) -> dict[int, _Place]:
    """Places of a thing by frame, where depth shows that it moved."""
    times = dict(zip(votes.frame.tolist(), votes.time_s.tolist(), strict=True))
    places = {}
    for one in own.bodies if own is not None else ():
        box = box_of_moving(votes, own, category, one.frame) if own is not None else None
        if box is not None and one.frame in times:
            places[one.frame] = _Place(one.frame, times[one.frame], one.center(box), 1.0, one.sigma_m, box, one)
    return places


def _of_one_size(places: list[_Place]) -> list[_Place]:
    """Places of one thing, by one size: what each frame believes of it would move its middle to and fro."""
    size = np.median([one.box.size_m for one in places], axis=0)
    return [
        one if one.body is None else one._replace(center=one.body.center(replace(one.box, size_m=size)))
        for one in places
    ]


def _best_way(places: list[list[_Place]]) -> list[_Place]:
    """One place a frame, at most: those along the straight way, or the standing still, that the votes speak for most."""
    every = [one for frame in places for one in frame]
    still = [(one.center, np.zeros(3), one.time_s) for one in every]
    moving = []
    for first, second in itertools.combinations(every, 2):
        seconds = second.time_s - first.time_s
        if seconds > 1e-6:
            velocity = (second.center - first.center) / seconds
            if np.linalg.norm(velocity) <= _FASTEST_M_S:
                moving.append((second.center, velocity, second.time_s))
    best = max(((_fit(places, way), -at) for at, way in enumerate(still)), default=None)
    assert best is not None
    way = still[-best[1]]
    if moving:
        faster = max((_fit(places, one), -at) for at, one in enumerate(moving))
        if best[0] < _STANDS * faster[0]:
            way = moving[-faster[1]]
    chosen = []
    for frame in places:
        near = [(_off(one, way), at) for at, one in enumerate(frame)]
        if near and min(near)[0] < 3.0:
            chosen.append(frame[min(near)[1]])
    return chosen or [places[-1][0]]


def _off(place: _Place, way: tuple[np.ndarray, np.ndarray, float]) -> float:
    """How far a place is from where a way has the thing then, in standard deviations."""
    center, velocity, time_s = way
    return float(np.linalg.norm(place.center - center - velocity * (place.time_s - time_s))) / place.sigma_m


def _fit(places: list[list[_Place]], way: tuple[np.ndarray, np.ndarray, float]) -> float:
    """How much the votes speak for a way; later frames count more, for things turn and slow down."""
    total = 0.0
    for age, frame in enumerate(reversed(places)):
        heaviest = max((one.weight for one in frame), default=1.0)
        total += 0.85**age * max((one.weight / heaviest * min(1.0, _VAGUE_M / one.sigma_m) * np.exp(-0.5 * _off(one, way) ** 2) for one in frame), default=0.0)  # fmt: skip
    return total
