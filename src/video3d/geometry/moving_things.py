"""Bodies of several frames that are one thing in motion: those that lie along one way.

A way is a place, a velocity and a change of it. Every pair of bodies alike in size, of frames near each other, proposes one, straight and
steady; the one along which most bodies lie, one a frame, is taken, bent to them, and what it passes is taken out before the next one is
looked for (sequential RANSAC without the chance, for the pairs are few; Fischler and Bolles, 1981). What fits no way is a thing that one
frame saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.moving import TAIL, Body

_FASTEST_M_S = 20.0
_RATHER_SLOW = 0.25  # of what speaks for a way: so much less for the fastest
_WITHIN, _WITHIN_S, _PAIR_S = (
    3,
    1.0,
    0.3,
)  # frames, or seconds, between bodies of a thing that follow each other, or propose a way
_MOST_BODIES = 240  # that are linked, as many of each frame, those of most points: the cost is pairs times bodies
_ENOUGH_POINTS = 30  # from so many points on, more say little more
_NEAR_M, _NEAR_M_S, _LATE_S = (
    0.5,
    0.3,
    1.0,
)  # how far from a way a body may lie, farther the longer ago (at most) it was proposed
_NEAR_SHARE, _LONGEST_M = 0.25, 4.0  # of its length, whose other end may be what is seen next
_RISES_M, _RISES_SHARE = 0.5, 0.3  # higher or lower by so much, and of its height, is another
_PAIR_ALIKE, _ALIKE = 2.5, 4.0  # times as large: bodies that propose a way, and others on it
_BENDS = 4  # bodies from which on a way may bend


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MovingThing:
    """What moved, as several frames saw it, or a single one.

    Attributes:
        bodies: one a frame, in their order.
    """

    bodies: tuple[Body, ...]

    def at(self, frame: int) -> Body | None:
        """What a frame saw of it."""
        return next((one for one in self.bodies if one.frame == frame), None)

    def middles(self) -> Float64[np.ndarray, "n 3"]:
        """The middle of what was seen in each frame."""
        return np.array([np.quantile(one.points_world, (TAIL, 1 - TAIL), axis=0).mean(0) for one in self.bodies])


def moving_things(bodies: Sequence[Body], time_s: Float64[np.ndarray, "f"]) -> tuple[MovingThing, ...]:
    """Bodies put together by which are of one thing, those that most frames show first. Every body is of one thing.

    Args:
        bodies: of a clip.
        time_s: of every frame of it; bodies of frames whose time is not known are things by themselves.
    """
    few = [one for one in bodies if np.isfinite(time_s[one.frame])]
    most = max(1, _MOST_BODIES // max(1, len({one.frame for one in few})))
    by_frame: dict[int, list[Body]] = {}
    for one in sorted(few, key=lambda one: -len(one.points_world)):
        by_frame.setdefault(one.frame, []).append(one)
    few = [one for frame in sorted(by_frame) for one in by_frame[frame][:most]]
    links = _linked(few, np.array([time_s[one.frame] for one in few])) if few else []
    known = {id(one) for link in links for one in link}
    return tuple(MovingThing(bodies=one) for one in [*links, *((body,) for body in bodies if id(body) not in known)])


def _linked(bodies: Sequence[Body], time_s: Float64[np.ndarray, "n"]) -> list[tuple[Body, ...]]:
    ends = np.array([np.quantile(one.points_world, (TAIL, 1 - TAIL), axis=0) for one in bodies])
    place, extent = ends.mean(1), ends[:, 1] - ends[:, 0]
    frame = np.array([one.frame for one in bodies])
    sigma = np.array([one.sigma_m for one in bodies])
    weight = np.array([min(1.0, len(one.points_world) / _ENOUGH_POINTS) for one in bodies])
    reach = _NEAR_M + _NEAR_SHARE * np.minimum(np.linalg.norm(extent[:, :2], axis=1), _LONGEST_M) + 2 * sigma
    rises = _RISES_M + _RISES_SHARE * extent[:, 2]
    large = np.log(np.linalg.norm(extent, axis=1) + sigma)
    first, second = (pair.ravel() for pair in np.meshgrid(np.arange(len(bodies)), np.arange(len(bodies)), indexing="ij"))  # fmt: skip
    seconds, rise = time_s[second] - time_s[first], np.abs(place[second, 2] - place[first, 2])
    soon = (frame[second] > frame[first]) & _follows(frame[second] - frame[first], seconds, _PAIR_S) & (seconds > 0)
    alike = (rise < np.minimum(rises[first], rises[second])) & (np.abs(large[second] - large[first]) < np.log(_PAIR_ALIKE))  # fmt: skip
    first, second, seconds = (one[soon & alike] for one in (first, second, seconds))
    velocity = (place[second] - place[first])[:, :2] / seconds[:, None]
    speed = np.linalg.norm(velocity, axis=1)
    slow = speed <= _FASTEST_M_S
    first, second, velocity, speed = first[slow], second[slow], velocity[slow], speed[slow]

    def fits(
        center: Float64[np.ndarray, "w 3"], velocity: Float64[np.ndarray, "w 2"], change: Float64[np.ndarray, "w 2"],
        since: Float64[np.ndarray, "w"], size: Float64[np.ndarray, "w"],
    ) -> Float64[np.ndarray, "w n"]:  # fmt: skip
        """How well each body lies on each way, 0..its weight."""
        late = time_s - since[:, None]
        there = center[:, None, :2] + velocity[:, None] * late[..., None] + change[:, None] * late[..., None] ** 2 / 2
        near = reach + _NEAR_M_S * np.minimum(np.abs(late), _LATE_S)
        off = np.linalg.norm(place[:, :2] - there, axis=2) / near
        same = (np.abs(place[:, 2] - center[:, None, 2]) < rises) & (np.abs(large - size[:, None]) < np.log(_ALIKE))
        return np.where(same, weight * np.clip(1.0 - off**2, 0.0, None), 0.0)

    def taken(fit: Float64[np.ndarray, "n"], seed: int) -> Int64[np.ndarray, "m"]:
        """Of every frame the body that lies best on a way, as far as they follow each other from a seed on."""
        best = np.array([at[fit[at].argmax()] for one in np.unique(frame) if len(at := np.flatnonzero((frame == one) & (fit > 0)))], dtype=np.int64)  # fmt: skip
        if not len(best):
            return best
        apart = ~_follows(np.diff(frame[best]), np.diff(time_s[best]))
        run = np.r_[0, np.cumsum(apart)]
        return best[run == run[np.abs(frame[best] - frame[seed]).argmin()]]

    starts = np.flatnonzero(np.r_[True, np.diff(frame) > 0])
    every = fits(place[second], velocity, np.zeros_like(velocity), time_s[second], large[second])
    every *= (1.0 - _RATHER_SLOW * speed / _FASTEST_M_S)[:, None]
    free, open_, links = np.ones(len(bodies), dtype=bool), np.ones(len(every), dtype=bool), []
    while len(every):
        support = np.maximum.reduceat(np.where(free, every, 0.0), starts, axis=1).sum(1)
        support[~(free[first] & free[second] & open_)] = 0.0
        best = int(support.argmax())
        if support[best] <= 0:
            break
        seed = int(second[best])
        chosen = taken(np.where(free, every[best], 0.0), seed)
        if len(chosen) < 2:
            open_[best] = False
            continue
        for _ in range(3):
            if len(chosen) < _BENDS:
                break
            since, mean = float(time_s[chosen].mean()), place[chosen].mean(0)
            way = _bent(place[chosen, :2], time_s[chosen] - since, sigma[chosen])
            bent = np.array([[*way[0], mean[2]]]), way[1:2], way[2:3], np.array([since]), large[seed : seed + 1]
            more = taken(np.where(free, fits(*bent)[0], 0.0), seed)
            if len(more) < len(chosen) or np.array_equal(more, chosen):
                break
            chosen = more
        links.append(tuple(bodies[at] for at in chosen))
        free[chosen] = False
    return sorted(links, key=lambda one: -len(one))


def _follows(
    frames: Int64[np.ndarray, "n"], seconds: Float64[np.ndarray, "n"], within_s: float = _WITHIN_S
) -> Bool[np.ndarray, "n"]:
    """Whether bodies so far apart in time may follow each other in a thing."""
    return (frames <= _WITHIN) | (seconds <= within_s)


def _bent(
    place: Float64[np.ndarray, "n 2"], late: Float64[np.ndarray, "n"], sigma: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "3 2"]:
    """Place, velocity and change of velocity of the parabola through places, which is no more bent than they ask for."""
    powers = np.stack([np.ones_like(late), late, late**2 / 2], 1) / sigma[:, None]
    return np.linalg.solve(powers.T @ powers + np.diag([0.0, 1e-6, 0.5]), powers.T @ (place / sigma[:, None]))
