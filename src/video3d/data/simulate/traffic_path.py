"""Where and how fast traffic moves: paths of straights and arcs, and speeds of constant accelerations, both in closed form.

A mover's script is a path and a speed profile. Times scale with the script's change, ``distance(t (1 + change))``: every speed is
``1 + change`` times as high, and whoever stops at a line still stops there.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float64

_STEP_M = 0.2
"""Arcs are cut into pieces of at most this length: at a radius of 5 m the chord is 1 mm off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A way over the ground, straight beyond both of its ends.

    Attributes:
        points_m: along it.
        yaw_rad: of the direction of travel at every point, without jumps of a turn.
        length_m: along the path, from 0 at the first point.
    """

    points_m: Float64[np.ndarray, "n 2"]
    yaw_rad: Float64[np.ndarray, "n"]
    length_m: Float64[np.ndarray, "n"]

    @property
    def total_m(self) -> float:
        """From the first to the last point."""
        return float(self.length_m[-1])

    def at(self, distance_m: Float[np.ndarray, "*t"] | float) -> Float64[np.ndarray, "*t 3"]:
        """x, y and yaw at distances along the path.

        >>> straight_path((0.0, 0.0), (10.0, 0.0)).at(12.0).round(6).tolist()
        [12.0, 0.0, 0.0]
        """
        s = np.asarray(distance_m, dtype=np.float64)
        inside = np.clip(s, 0.0, self.total_m)
        x, y, yaw = (
            np.interp(inside, self.length_m, v) for v in (self.points_m[:, 0], self.points_m[:, 1], self.yaw_rad)
        )
        beyond = s - inside
        return np.stack([x + beyond * np.cos(yaw), y + beyond * np.sin(yaw), yaw], axis=-1)

    def distance_of(self, point_m: tuple[float, float]) -> float:
        """Distance along the path of the point on it that is nearest to a place (within the path's ends)."""
        return float(self.length_m[np.argmin(np.linalg.norm(self.points_m - np.array(point_m), axis=1))])


def straight_path(start_m: tuple[float, float], end_m: tuple[float, float]) -> Path:
    """From one place straight to another."""
    return path_along((start_m, end_m))


def path_along(corners_m: tuple[tuple[float, float], ...], radius_m: float = 0.0) -> Path:
    """Straights from corner to corner, with an arc of a radius at each corner between (tangent to both).

    Args:
        corners_m: at least two; no two in a row the same.
        radius_m: of every arc.

    >>> left = path_along(((0.0, 0.0), (20.0, 0.0), (20.0, 20.0)), 5.0)
    >>> round(left.total_m, 1), left.at(left.total_m).round(2).tolist()
    (37.9, [20.0, 20.0, 1.57])

    Raises:
        ValueError: an arc does not fit between its neighbours.
    """
    corners = [np.array(c, dtype=np.float64) for c in corners_m]
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        ahead = (corner - before) / np.linalg.norm(corner - before)
        onward = (after - corner) / np.linalg.norm(after - corner)
        turn = float(np.arctan2(ahead[0] * onward[1] - ahead[1] * onward[0], ahead @ onward))
        reach = radius_m * abs(np.tan(turn / 2))
        if reach > np.linalg.norm(after - corner) or reach > np.linalg.norm(corner - points[-1]) + 1e-9:
            raise ValueError(f"an arc of {radius_m} m does not fit at {corner.tolist()}")
        center = corner - reach * ahead + radius_m * np.sign(turn) * np.array([-ahead[1], ahead[0]])
        start = corner - reach * ahead - center
        for angle in np.linspace(0.0, turn, max(2, int(abs(turn) * radius_m / _STEP_M) + 2)):
            c, s = np.cos(angle), np.sin(angle)
            points.append(center + np.array([c * start[0] - s * start[1], s * start[0] + c * start[1]]))
    points.append(corners[-1])
    dense = [points[0]]
    for here, there in pairwise(points):
        length = float(np.linalg.norm(there - here))
        if length > 1e-9:
            steps = max(1, int(np.ceil(length / 0.5)))
            dense += [here + (there - here) * k / steps for k in range(1, steps + 1)]
    line = np.stack(dense)
    # The yaw at a point is the mean of the pieces on both sides: exact on straights and on arcs.
    step = np.diff(line, axis=0)
    piece = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    yaw = np.concatenate([piece[:1], (piece[:-1] + piece[1:]) / 2, piece[-1:]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(step, axis=1))])
    return Path(points_m=line, yaw_rad=yaw, length_m=length)


def rotated(path: Path, quarters: int) -> Path:
    """The path turned about the origin by quarter turns to the left: what comes along +x then comes along +y, -x, -y.

    >>> rotated(straight_path((-10.0, -1.5), (10.0, -1.5)), 1).at(0.0).round(2).tolist()
    [1.5, -10.0, 1.57]
    """
    c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[quarters % 4]
    points = path.points_m @ np.array([[c, s], [-s, c]])
    return Path(points_m=points, yaw_rad=path.yaw_rad + quarters % 4 * np.pi / 2, length_m=path.length_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Speed over time: pieces of constant acceleration, then the last speed for ever.

    Attributes:
        speed_mps: at time 0.
        pieces: (seconds, acceleration in m/s2), one after the other from time 0. No piece may end below speed 0.
    """

    speed_mps: float
    pieces: tuple[tuple[float, float], ...] = ()

    def wait(self, duration_s: float) -> "Profile":
        """Goes on at the same speed for a while."""
        return self.then(duration_s, 0.0)

    def then(self, duration_s: float, acceleration_mps2: float) -> "Profile":
        """Goes on with an acceleration for a while."""
        pieces = self.pieces if duration_s <= 0 else (*self.pieces, (float(duration_s), float(acceleration_mps2)))
        return Profile(speed_mps=self.speed_mps, pieces=pieces)

    def reach(self, speed_mps: float, acceleration_mps2: float) -> "Profile":
        """Goes on until it has a speed; the acceleration's sign is set by where that lies.

        >>> Profile(speed_mps=10.0).reach(0.0, 2.5).distance(99.0)
        20.0
        """
        now = self.last_mps
        sign = 1.0 if speed_mps >= now else -1.0
        return self.then(abs(speed_mps - now) / abs(acceleration_mps2), sign * abs(acceleration_mps2))

    @property
    def last_mps(self) -> float:
        """Speed after the last piece."""
        return max(0.0, self.speed_mps + sum(duration * a for duration, a in self.pieces))

    @property
    def duration_s(self) -> float:
        """Until the last piece ends."""
        return float(sum(duration for duration, _ in self.pieces))

    def _knots(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Time, distance and speed at the beginning of every piece, the last one endless, and its acceleration."""
        durations = np.array([d for d, _ in self.pieces], dtype=np.float64)
        accelerations = np.array([a for _, a in self.pieces] + [0.0], dtype=np.float64)
        times = np.concatenate([[0.0], np.cumsum(durations)])
        speeds = np.maximum(self.speed_mps + np.concatenate([[0.0], np.cumsum(durations * accelerations[:-1])]), 0.0)
        distances = np.concatenate([[0.0], np.cumsum(durations * (speeds[:-1] + speeds[1:]) / 2)])
        return times, distances, speeds, accelerations

    def distance(self, time_s: Float[np.ndarray, "*t"] | float) -> Float64[np.ndarray, "*t"] | float:
        """Metres from time 0; before it, at the first speed."""
        t = np.asarray(time_s, dtype=np.float64)
        times, distances, speeds, accelerations = self._knots()
        piece = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 1)
        since = t - times[piece]
        bend = np.where(since > 0, accelerations[piece], 0.0)
        found = distances[piece] + speeds[piece] * since + bend * since**2 / 2
        return float(found) if found.ndim == 0 else found

    def speed(self, time_s: Float[np.ndarray, "*t"] | float) -> Float64[np.ndarray, "*t"] | float:
        """Speed at times."""
        t = np.asarray(time_s, dtype=np.float64)
        times, _, speeds, accelerations = self._knots()
        piece = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 1)
        found = np.maximum(speeds[piece] + accelerations[piece] * np.maximum(t - times[piece], 0.0), 0.0)
        return float(found) if found.ndim == 0 else found


def braking_to(profile: Profile, speed_mps: float, after_m: float, braking_mps2: float) -> Profile:
    """Goes on at its speed and brakes so that it has a lower speed after a distance (counted from the profile's end).

    >>> braking_to(Profile(speed_mps=8.0), 0.0, 20.0, 3.2).distance(60.0)
    20.0

    Raises:
        ValueError: the distance is too short for that braking.
    """
    now = profile.last_mps
    needed = (now**2 - speed_mps**2) / (2 * braking_mps2)
    if needed > after_m + 1e-9 or now < speed_mps:
        raise ValueError(f"from {now:.1f} to {speed_mps:.1f} m/s needs {needed:.1f} m, not {after_m:.1f}")
    return profile.wait((after_m - needed) / now).reach(speed_mps, braking_mps2)
