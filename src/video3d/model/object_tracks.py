"""How a named thing moves: the votes of each frame apart, followed back from the last one that shows it."""

import numpy as np
from jaxtyping import Float64, Int64

from video3d.model.object_votes import ObjectVotes
from video3d.types.track import Track

_MOST_VOTES = 300
_LEAST_SHARE = 0.05
"""Probability of its name from which a vote of one frame counts."""
_FASTEST_M_S = 20.0
_LEAST_REACH_M = 0.25
_MOST_FRAMES = 6
"""How far back a thing is followed: what it does next follows from what it did last."""


def track_named(votes: ObjectVotes, category: str, color: str | None = None) -> Track | None:
    """Where the thing of a name was in the last frames that show it; None where none does.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
    """
    if category not in votes.categories or not np.isfinite(votes.time_s).all():
        return None
    share = votes.category[:, votes.categories.index(category)].astype(np.float64)
    keep = np.flatnonzero(share >= _LEAST_SHARE)
    if not len(keep):
        return None
    some, share = votes.only(keep), share[keep]
    if color is not None and color in votes.colors:
        share = share * (0.05 + some.color[:, votes.colors.index(color)])
    frames: list[int] = []
    centers: list[Float64[np.ndarray, "3"]] = []
    times: list[float] = []
    for frame in np.unique(some.frame)[::-1]:
        at = _strongest(some.frame, int(frame), share)
        place = _densest(some.only(at), share[at], (centers[-1], times[-1]) if centers else None)
        if place is None:
            continue
        frames.append(int(frame))
        centers.append(place)
        times.append(float(some.time_s[at[0]]))
        if len(frames) == _MOST_FRAMES:
            break
    if not frames:
        return None
    order = np.arange(len(frames))[::-1]
    return Track(frame=np.array(frames)[order], time_s=np.array(times)[order], center_world=np.array(centers)[order])


def _strongest(frames: Int64[np.ndarray, "n"], frame: int, share: Float64[np.ndarray, "n"]) -> Int64[np.ndarray, "m"]:
    at = np.flatnonzero(frames == frame)
    return at[np.argsort(-share[at], kind="stable")[:_MOST_VOTES]]


def _densest(
    votes: ObjectVotes, share: Float64[np.ndarray, "n"], later: tuple[Float64[np.ndarray, "3"], float] | None
) -> Float64[np.ndarray, "3"] | None:
    """Mean of the votes around their densest place, within reach of where the thing was in the frame after."""
    apart = np.linalg.norm(votes.center_world[:, None] - votes.center_world, axis=2)
    reach = np.clip(0.5 * np.sort(votes.size_m, 1)[:, 1], 0.1, 1.0)
    density = np.exp(-0.5 * (apart / (0.6 * reach[:, None])) ** 2) @ share
    if later is not None:
        place, time_s = later
        seconds = abs(time_s - float(votes.time_s[0]))
        away = np.linalg.norm(votes.center_world - place, axis=1)
        density = np.where(away <= _LEAST_REACH_M + reach + _FASTEST_M_S * seconds, density, 0.0)
        density = density * np.exp(-away / (1.0 + 5.0 * seconds))
    seed = int(density.argmax())
    if density[seed] <= 0:
        return None
    one = apart[seed] < reach[seed]
    return np.average(votes.center_world[one], axis=0, weights=share[one])
