"""Where one can walk in a room: free floor as a grid, free places, straight and bent ways between them."""

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.floor_plan import GRID_M, Room, clearance

_LIKES_M = 0.7  # ways keep this far from things where there is space


class FloorWays:
    """The free floor of one room, for someone who reaches from ``low_m`` to ``high_m`` and keeps ``clear_m`` from everything."""

    def __init__(self, room: Room, low_m: float, high_m: float, clear_m: float) -> None:
        x0, y0, x1, y1 = room.bounds_m
        self._room, self._reach, self._clear = room, (low_m, high_m), clear_m
        self._origin = np.array([x0, y0])
        xs, ys = np.arange(x0, x1, GRID_M), np.arange(y0, y1, GRID_M)
        self._points = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1)
        self._distance = clearance(room, self._points, low_m, high_m)
        self._free = self._largest(self._distance >= clear_m)

    @staticmethod
    def _largest(free: np.ndarray) -> np.ndarray:
        """The largest connected piece."""
        from scipy.ndimage import label

        if not free.any():
            return free
        pieces = np.asarray(label(free)[0])  # pyright: ignore[reportIndexIssue]
        counts = np.bincount(pieces.ravel())
        counts[0] = 0
        return pieces == int(counts.argmax())

    @property
    def area_m2(self) -> float:
        """Of the free floor that hangs together."""
        return float(self._free.sum()) * GRID_M**2

    def spot(
        self, rng: np.random.Generator, near: Float64[np.ndarray, "2"] | None = None
    ) -> Float64[np.ndarray, "2"] | None:
        """A random free place, or one of the nearest to somewhere; None where nothing is free."""
        places = self._points[self._free]
        if not len(places):
            return None
        if near is not None:
            order = np.argsort(np.linalg.norm(places - near, axis=1), kind="stable")
            places = places[order[: max(1, min(40, len(order) // 10))]]
        return places[int(rng.integers(len(places)))].astype(np.float64)

    def free_along(self, start_m: Float64[np.ndarray, "2"], goal_m: Float64[np.ndarray, "2"]) -> float:
        """How far one can go straight from a place towards another, metres."""
        far = float(np.linalg.norm(goal_m - start_m))
        num = max(2, int(far / 0.03) + 1)
        points = start_m + np.linspace(0, 1, num)[:, None] * (goal_m - start_m)
        blocked = clearance(self._room, points, *self._reach) < self._clear
        return far if not blocked.any() else max(0.0, far * (int(blocked.argmax()) - 1) / (num - 1))

    def free_round(
        self, middle_m: Float64[np.ndarray, "2"], radius_m: float, first_rad: float, way_round: float, most_rad: float
    ) -> float:
        """How far one can go on a circle from an angle, counter-clockwise if ``way_round`` is 1, metres."""
        num = int(most_rad * radius_m / 0.03) + 2
        angle = first_rad + way_round * np.linspace(0.0, most_rad, num)
        points = middle_m + radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        blocked = clearance(self._room, points, *self._reach) < self._clear
        share = 1.0 if not blocked.any() else max(0, int(blocked.argmax()) - 1) / (num - 1)
        return share * most_rad * radius_m

    def way(
        self, start_m: Float64[np.ndarray, "2"], goal_m: Float64[np.ndarray, "2"]
    ) -> Float64[np.ndarray, "n 2"] | None:
        """The easiest way between two free places, smoothed as far as it stays free; None where there is none."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import dijkstra

        number = np.full(self._free.shape, -1)
        number[self._free] = np.arange(int(self._free.sum()))
        cost = 1.0 + 2.0 * np.maximum(_LIKES_M - self._distance, 0.0)
        rows, columns, weights = [], [], []
        width, depth = self._free.shape
        for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
            here = (slice(0, width - dx), slice(max(0, -dy), depth - max(0, dy)))
            there = (slice(dx, width), slice(max(0, dy), depth + min(0, dy)))
            both = self._free[here] & self._free[there]
            rows.append(number[here][both])
            columns.append(number[there][both])
            weights.append(np.hypot(dx, dy) * (cost[here][both] + cost[there][both]))
        num = int(self._free.sum())
        flat = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
        first, last = (self._number(number, place) for place in (start_m, goal_m))
        if first < 0 or last < 0:
            return None
        reached, before = dijkstra(
            coo_matrix(flat, shape=(num, num)).tocsr(), directed=False, indices=first, return_predecessors=True
        )
        if not np.isfinite(reached[last]):
            return None
        chain = [last]
        while chain[-1] != first:
            chain.append(int(before[chain[-1]]))
        return self._smooth(self._points[self._free][chain[::-1]].astype(np.float64))

    def _number(self, number: np.ndarray, place_m: np.ndarray) -> int:
        cell = np.clip(np.rint((place_m - self._origin) / GRID_M).astype(int), 0, np.array(number.shape) - 1)
        return int(number[cell[0], cell[1]])

    def _smooth(self, way: np.ndarray) -> np.ndarray:
        for sigma in (10, 6, 3, 1):  # cells
            reach = 3 * sigma
            kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
            padded = np.concatenate([np.repeat(way[:1], reach, 0), way, np.repeat(way[-1:], reach, 0)])
            smooth = np.stack([np.convolve(padded[:, k], kernel / kernel.sum(), "valid") for k in range(2)], axis=1)
            if float(clearance(self._room, smooth, *self._reach).min()) >= self._clear - 0.015:
                return smooth
        return way
