"""Bodies of several frames that are one thing in motion: those that lie along one way.

A way is a place, a velocity and a change of it. Every pair of bodies of frames near each other proposes one, straight and steady; the one
along which most bodies lie, one a frame, is taken, bent to them, and what it passes is taken out before the next one is looked for
(sequential RANSAC without the chance, for the pairs are few; Fischler and Bolles, 1981). What fits no way is a thing that one frame saw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from video3d.geometry.moving import Body

_FASTEST_M_S = 20.0
_PAIRS_WITHIN = 3  # frames, between the bodies that propose a way
_MOST_BODIES = 240  # that are linked, those of most points: the cost is pairs times bodies
_ENOUGH_POINTS = 30  # from so many points on, more say little more
_NEAR_M, _NEAR_M_S = 0.5, 0.3  # how far from a way a body may lie, and farther the longer ago it was proposed
_NEAR_SHARE, _LONGEST_M = 0.25, 4.0  # of its length, whose other end may be what is seen next
_RISES_M, _RISES_SHARE = 0.5, 0.3  # higher or lower by so much, and of its height, is another
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


def moving_things(bodies: Sequence[Body], time_s: Float64[np.ndarray, "f"]) -> tuple[MovingThing, ...]:
    """Bodies put together by which are of one thing, those that most frames show first. All bodies are of one thing each.

    Args:
        bodies: of a clip.
        time_s: of every frame of it; where times are not known nothing is put together.
    """
    few = sorted(bodies, key=lambda one: -len(one.points_world))[:_MOST_BODIES]
    few = sorted((one for one in few if np.isfinite(time_s[one.frame])), key=lambda one: one.frame)
    links = _linked(few, np.array([time_s[one.frame] for one in few])) if few else []
    known = {id(one) for link in links for one in link}
    return tuple(MovingThing(bodies=one) for one in [*links, *((body,) for body in bodies if id(body) not in known)])


def _linked(bodies: Sequence[Body], time_s: Float64[np.ndarray, "n"]) -> list[tuple[Body, ...]]:
    ends = np.array([np.quantile(one.points_world, (0.03, 0.97), axis=0) for one in bodies])
    place, extent = ends.mean(1), ends[:, 1] - ends[:, 0]
    frame = np.array([one.frame for one in bodies])
    sigma = np.array([one.sigma_m for one in bodies])
    weight = np.array([min(1.0, len(one.points_world) / _ENOUGH_POINTS) for one in bodies])
    reach = _NEAR_M + _NEAR_SHARE * np.minimum(np.linalg.norm(extent[:, :2], axis=1), _LONGEST_M) + 2 * sigma
    rises = _RISES_M + _RISES_SHARE * extent[:, 2]
    first, second = (
        pair.ravel() for pair in np.meshgrid(np.arange(len(bodies)), np.arange(len(bodies)), indexing="ij")
    )
    apart = frame[second] - frame[first]
    first, second = (one[(apart > 0) & (apart <= _PAIRS_WITHIN)] for one in (first, second))
    velocity = (place[second] - place[first])[:, :2] / np.maximum(time_s[second] - time_s[first], 1e-6)[:, None]
    slow = np.linalg.norm(velocity, axis=1) <= _FASTEST_M_S
    first, second, velocity = first[slow], second[slow], velocity[slow]

    def fits(
        center: Float64[np.ndarray, "w 3"], velocity: Float64[np.ndarray, "w 2"], change: Float64[np.ndarray, "w 2"], since: Float64[np.ndarray, "w"],
    ) -> Float64[np.ndarray, "w n"]:  # fmt: skip
        """How well each body lies on each way, 0..its weight."""
        late = time_s - since[:, None]
        there = center[:, None, :2] + velocity[:, None] * late[..., None] + change[:, None] * late[..., None] ** 2 / 2
        off = np.linalg.norm(place[:, :2] - there, axis=2) / (reach + _NEAR_M_S * np.abs(late))
        level = np.abs(place[:, 2] - center[:, None, 2]) < rises
        return np.where(level, weight * np.clip(1.0 - off**2, 0.0, None), 0.0)

    def taken(fit: Float64[np.ndarray, "n"]) -> Int64[np.ndarray, "m"]:
        """Of every frame the body that lies best on a way."""
        best = [
            at[fit[at].argmax()] for one in np.unique(frame) if len(at := np.flatnonzero((frame == one) & (fit > 0)))
        ]
        return np.array(best, dtype=np.int64)

    starts = np.flatnonzero(np.r_[True, np.diff(frame) > 0])
    every = fits(place[second], velocity, np.zeros_like(velocity), time_s[second])
    free, links = np.ones(len(bodies), dtype=bool), []
    while len(every):
        support = np.maximum.reduceat(np.where(free, every, 0.0), starts, axis=1).sum(1)
        support[~(free[first] & free[second])] = 0.0
        best = int(support.argmax())
        chosen = taken(np.where(free, every[best], 0.0))
        if support[best] <= 0 or len(chosen) < 2:
            break
        for _ in range(3):
            if len(chosen) < _BENDS:
                break
            since, mean = float(time_s[chosen].mean()), place[chosen].mean(0)
            way = _bent(place[chosen, :2], time_s[chosen] - since, sigma[chosen])
            fit = fits(np.array([[*way[0], mean[2]]]), way[1:2], way[2:3], np.array([since]))[0]
            more = taken(np.where(free, fit, 0.0))
            if len(more) < len(chosen) or np.array_equal(more, chosen):
                break
            chosen = more
        links.append(tuple(bodies[at] for at in chosen))
        free[chosen] = False
    return sorted(links, key=lambda one: -len(one))


def _bent(
    place: Float64[np.ndarray, "n 2"], late: Float64[np.ndarray, "n"], sigma: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "3 2"]:
    """Place, velocity and change of velocity of the parabola through places, which is no more bent than they ask for."""
    powers = np.stack([np.ones_like(late), late, late**2 / 2], 1) / sigma[:, None]
    return np.linalg.solve(powers.T @ powers + np.diag([0.0, 0.0, 0.5]), powers.T @ (place / sigma[:, None]))
