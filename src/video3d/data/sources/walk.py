"""A walk through a simulated home: places to look from, in an order that a person could go, and where to look on the way."""

import hashlib
from collections import deque

import numpy as np
from jaxtyping import Float64

_STOPS = 4


def seeded(name: str) -> np.random.Generator:
    """A generator whose numbers depend on a name alone, the same on every machine."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def grid_walk(
    places: Float64[np.ndarray, "n 2"], rng: np.random.Generator, *, step_m: float
) -> Float64[np.ndarray, "m 2"]:
    """A way over a grid of reachable places: from one far place to the next nearest, along neighbours.

    Args:
        places: in metres, on a grid; they need not be connected: the walk stays with the part where it begins.
        rng: chooses the beginning.
        step_m: of the grid; places up to 1.5 steps apart are neighbours.
    """
    start = int(rng.integers(len(places)))
    distance, _ = _steps_from(places, start, step_m)
    part = np.flatnonzero(distance >= 0)
    stops, way = _far_apart(places, part, start, step_m), [start]
    for stop in stops:
        _, before = _steps_from(places, way[-1], step_m)
        leg = [stop]
        while leg[-1] != way[-1]:
            leg.append(int(before[leg[-1]]))
        way += leg[::-1][1:]
    return places[way]


def _far_apart(places: Float64[np.ndarray, "n 2"], part: np.ndarray, start: int, step_m: float) -> list[int]:
    """Places far from each other, the nearest first from where one stands."""
    chosen = [start]
    nearest = np.linalg.norm(places[part] - places[start], axis=1)
    while len(chosen) <= _STOPS and nearest.max() > step_m:
        far = int(part[int(nearest.argmax())])
        chosen.append(far)
        nearest = np.minimum(nearest, np.linalg.norm(places[part] - places[far], axis=1))
    at, ahead, order = start, chosen[1:], []
    while ahead:
        at = min(ahead, key=lambda p: (float(np.linalg.norm(places[p] - places[at])), p))
        ahead.remove(at)
        order.append(at)
    return order


def _steps_from(places: Float64[np.ndarray, "n 2"], start: int, step_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps to every place (-1 out of reach) and the place before it on the way, breadth first."""
    cells = np.round(places / step_m).astype(np.int64)
    at = {(int(x), int(y)): i for i, (x, y) in enumerate(cells)}
    steps, before = np.full(len(places), -1), np.full(len(places), -1)
    steps[start] = 0
    queue = deque([start])
    while queue:
        i = queue.popleft()
        x, y = (int(v) for v in cells[i])
        for near in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            j = at.get(near)
            if j is not None and steps[j] < 0:
                steps[j], before[j] = steps[i] + 1, i
                queue.append(j)
    return steps, before


def views_along(
    way: Float64[np.ndarray, "m d"], num_views: int, *, look_around_rad: float = 0.6
) -> tuple[Float64[np.ndarray, "k d"], Float64[np.ndarray, "k"], Float64[np.ndarray, "k"]]:
    """Places at even distances along a way, the heading (yaw, left positive) and the length gone at each.

    One looks where one goes, and swings to both sides on the way, so that more than the path is seen. Where one stands still, one
    turns around once.

    >>> places, yaw, gone = views_along(np.array([[0.0, 0.0], [4.0, 0.0]]), 3, look_around_rad=0.0)
    >>> places.tolist(), yaw.tolist(), gone.tolist()
    ([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]], [0.0, 0.0, 0.0], [0.0, 2.0, 4.0])
    """
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    if length[-1] < 1e-6:
        turn = np.linspace(0, 2 * np.pi, num_views, endpoint=False)
        return np.repeat(way[:1], num_views, axis=0), turn, np.zeros(num_views)
    gone = np.linspace(0, length[-1], num_views)
    places = np.stack([np.interp(gone, length, way[:, d]) for d in range(way.shape[1])], axis=1)
    # The heading is taken over a metre, so that corners of a grid are rounded.
    ends = [
        np.stack([np.interp(np.clip(gone + s, 0, length[-1]), length, way[:, d]) for d in (0, 1)], axis=1)
        for s in (-0.5, 0.5)
    ]
    ahead = ends[1] - ends[0]
    yaw = np.arctan2(ahead[:, 1], ahead[:, 0])
    swing = look_around_rad * np.sin(2 * np.pi * np.arange(num_views) / max(num_views / 2, 4))
    return places, yaw + swing, gone
