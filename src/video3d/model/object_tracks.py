"""How a named thing moves: where depth shows that it moved, else where votes of each frame crowd, and the one straight way through such places that fits best."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from video3d.geometry.moving import Body, nearest_body
from video3d.geometry.moving_things import MovingThing
from video3d.model.moving_objects import boxes_of_moving, frame_times, moving_named, perhaps_named
from video3d.model.object_votes import ObjectVotes, box_of_votes, named_share
from video3d.types import Box3D
from video3d.types.track import Track

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
    bodies = perhaps_named(votes, category, color, besides=besides, moving=moving)
    last = np.unique([*some.frame, *seen_moving])[-_MOST_FRAMES:]
    known = [int(frame) for frame in last if int(frame) in seen_moving]
    if len(known) > 1:  # votes of frames between are no help; what it did since they may tell
        last = np.array([frame for frame in last if int(frame) in seen_moving or frame > known[-1]])
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
    """Places of a thing by frame, where depth shows that it moved lately."""
    if own is None:
        return {}
    boxes = boxes_of_moving(votes, own, category, [one.frame for one in own.bodies[-_MOST_FRAMES:]])
    times = frame_times(votes)
    seen = {one.frame: one for one in own.bodies}
    return {
        frame: _Place(frame, times[frame], box.center_world, 1.0, seen[frame].sigma_m, box, seen[frame])
        for frame, box in boxes.items()
    }


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
