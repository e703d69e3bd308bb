"""The camera's path: every known pose in order of time, and what is read off it.

Turning is yaw about the world's +z, positive to the left. Where gravity is not known it is yaw about the camera's own
upright axis, and says so.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

_STEEP = 0.25  # horizontal share of the viewing axis below which its heading says little
_REVERSAL_DEG = 5.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trajectory:
    """Known poses in order of the recording.

    Attributes:
        frame_index: index into the recording.
        time_s: NaN where unknown.
        world_from_camera: rigid, no NaN.
        level: +z of the world points up.
        ordered: the frames are one walk in order of time; a set of photographs has no path.
    """

    frame_index: Int64[np.ndarray, "n"]
    time_s: Float64[np.ndarray, "n"]
    world_from_camera: Float64[np.ndarray, "n 4 4"]
    level: bool
    ordered: bool = True

    @property
    def num_poses(self) -> int:
        """Number of known poses."""
        return self.frame_index.size

    @property
    def centers(self) -> Float64[np.ndarray, "n 3"]:
        """Camera centres in the world."""
        return self.world_from_camera[:, :3, 3]

    def position(self, frame: int) -> int | None:
        """Where a frame of the recording is in these arrays, None if its pose is not known."""
        found = np.flatnonzero(self.frame_index == frame)
        return int(found[0]) if found.size else None

    def nearest(self, frame: int, reach: int) -> int | None:
        """The frame with a known pose that is nearest to one of the recording, at most ``reach`` frames away."""
        if self.num_poses == 0:
            return None
        found = int(self.frame_index[np.abs(self.frame_index - frame).argmin()])
        return found if abs(found - frame) <= reach else None

    def between(self, first: int, last: int) -> "Trajectory":
        """The poses of frames first..last of the recording, both included, in either order."""
        low, high = min(first, last), max(first, last)
        keep = (self.frame_index >= low) & (self.frame_index <= high)
        return Trajectory(
            frame_index=self.frame_index[keep],
            time_s=self.time_s[keep],
            world_from_camera=self.world_from_camera[keep],
            level=self.level,
            ordered=self.ordered,
        )


def path_length(trajectory: Trajectory) -> float:
    """Sum of the steps from pose to pose, in the world's unit. A stretch without poses counts as a straight line.

    >>> pose = np.tile(np.eye(4), (3, 1, 1)); pose[:, 0, 3] = [0, 3, 1]
    >>> path = Trajectory(frame_index=np.arange(3), time_s=np.arange(3.0), world_from_camera=pose, level=True)
    >>> path_length(path)
    5.0
    """
    return float(np.linalg.norm(np.diff(trajectory.centers, axis=0), axis=1).sum())


def duration_s(trajectory: Trajectory) -> float:
    """Seconds from the first known pose to the last; NaN where times are not known."""
    known = trajectory.time_s[np.isfinite(trajectory.time_s)]
    return float(known[-1] - known[0]) if known.size == trajectory.num_poses and known.size > 1 else float("nan")


def yaw_steps_deg(trajectory: Trajectory) -> Float64[np.ndarray, "m"]:
    """How far the camera turns from each pose to the next in degrees, left positive.

    The change of the heading (the viewing axis seen from above); where the camera looks steeply up or down, so that it
    has no heading, the part of the rotation about the vertical (swing-twist decomposition). Without gravity the same
    twist about the camera's own upright axis.
    """
    rotation = trajectory.world_from_camera[:, :3, :3]
    if rotation.shape[0] < 2:
        return np.zeros(0)
    if not trajectory.level:
        return _twist_deg(np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:], np.array([0.0, -1.0, 0.0]))
    forward = rotation[:, :, 2]
    heading = np.degrees(np.arctan2(forward[:, 1], forward[:, 0]))
    change = (np.diff(heading) + 180.0) % 360.0 - 180.0
    steep = np.hypot(forward[:, 0], forward[:, 1]) < _STEEP
    twist = _twist_deg(rotation[1:] @ np.swapaxes(rotation[:-1], 1, 2), np.array([0.0, 0.0, 1.0]))
    return np.where(steep[1:] | steep[:-1], twist, change)


def _twist_deg(rotation: Float64[np.ndarray, "m 3 3"], axis: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "m"]:
    """The part of rotations about an axis; the twist quaternion is proportional to (1 + tr R, vee(R - R^T) . axis)."""
    skew = np.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        axis=1,
    )
    angle = 2 * np.arctan2(skew @ axis, 1.0 + np.trace(rotation, axis1=1, axis2=2))
    return np.degrees((angle + np.pi) % (2 * np.pi) - np.pi)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """How a camera turned, in degrees.

    Attributes:
        net: end against start, left positive; may exceed 180.
        left: sum of the swings to the left. Reversals of less than 5 degrees are shake and do not count.
        right: the same to the right, as a positive number.
    """

    net: float
    left: float
    right: float


def turning(trajectory: Trajectory) -> Turning:
    """Net turn and the swings to either side.

    >>> angle = np.radians([0, 40, 38, 80, 50])
    >>> pose = np.tile(np.eye(4), (5, 1, 1))
    >>> pose[:, :3, 2] = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)  # the viewing axis
    >>> path = Trajectory(frame_index=np.arange(5), time_s=np.arange(5.0), world_from_camera=pose, level=True)
    >>> {name: round(getattr(turning(path), name)) for name in ("net", "left", "right")}
    {'net': 50, 'left': 80, 'right': 30}
    """
    to = np.array([swing.turn_deg for swing in swings(trajectory)])
    return Turning(
        net=float(yaw_steps_deg(trajectory).sum()), left=float(to[to > 0].sum()), right=float(-to[to < 0].sum() + 0.0)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """A turn to one side, until the next one to the other.

    Attributes:
        turn_deg: positive to the left.
        first: place of the pose in the trajectory with which it begins.
        last: and of that with which it ends.
    """

    turn_deg: float
    first: int
    last: int


def swings(trajectory: Trajectory) -> tuple[Swing, ...]:
    """The turns to either side, one after the other; none where it never turns by 5 degrees, and reversals of less are none."""
    heading = np.concatenate([[0.0], np.cumsum(yaw_steps_deg(trajectory))])
    corners = [0]  # places where a swing ends; the last one still moves
    direction = 0
    for place, value in enumerate(heading):
        if direction == 0:
            if abs(value - heading[0]) >= _REVERSAL_DEG:
                direction = 1 if value > heading[0] else -1
                corners.append(place)
        elif (value - heading[corners[-1]]) * direction >= 0:
            corners[-1] = place
        elif abs(value - heading[corners[-1]]) >= _REVERSAL_DEG:
            direction = -direction
            corners.append(place)
    return tuple(
        Swing(turn_deg=float(heading[last] - heading[first]), first=first, last=last)
        for first, last in itertools.pairwise(corners)
    )


def tilt_deg(trajectory: Trajectory) -> Float64[np.ndarray, "n"]:
    """Angle of the viewing axis over the horizontal in degrees: positive looks up. Only where +z points up."""
    return np.degrees(np.arcsin(np.clip(trajectory.world_from_camera[:, 2, 2], -1.0, 1.0)))


def roll_deg(trajectory: Trajectory) -> Float64[np.ndarray, "n"]:
    """Angle of the image's horizontal over the world's in degrees: positive where the right side is lower."""
    return -np.degrees(np.arcsin(np.clip(trajectory.world_from_camera[:, 2, 0], -1.0, 1.0)))


def moved_from_start(trajectory: Trajectory) -> Float64[np.ndarray, "3"]:
    """Displacement as (forward, left, up) of the first camera.

    Level where gravity is known: up is the world's +z and forward is horizontal. Otherwise, or where the first camera
    looks straight up or down, along the camera's own axes.
    """
    start = trajectory.world_from_camera[0]
    step = trajectory.centers[-1] - trajectory.centers[0]
    forward, up = start[:3, 2], -start[:3, 1]
    if trajectory.level and np.hypot(forward[0], forward[1]) >= _STEEP:
        up = np.array([0.0, 0.0, 1.0])
        forward = np.array([forward[0], forward[1], 0.0]) / np.hypot(forward[0], forward[1])
    return np.array([step @ forward, step @ np.cross(up, forward), step @ up])


def speeds(trajectory: Trajectory, window_s: float = 0.5) -> Float64[np.ndarray, "m"]:
    """Speed along the path over stretches of about half a second, in units a second; empty without times.

    Over single steps the noise of poses would count as speed.
    """
    time = trajectory.time_s
    steps = np.linalg.norm(np.diff(trajectory.centers, axis=0), axis=1)
    return rates(time, steps, window_s)[2] if np.isfinite(time).all() else np.zeros(0)


def rates(
    clock: Float64[np.ndarray, "n"], steps: Float64[np.ndarray, "k"], window: float
) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"], Float64[np.ndarray, "m"]]:
    """How much of something happens in a unit of a clock, over stretches of about one window; none for fewer than two readings.

    Args:
        clock: of every pose, ascending: seconds, or frames.
        steps: how much happened from one pose to the next, positive; one fewer than poses.
        window: length of a stretch on the clock.

    Returns:
        Places where stretches begin, where they end, and the rate over each.
    """
    if clock.size < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    later = np.minimum(np.searchsorted(clock, clock + window - 1e-9), clock.size - 1)
    whole: Bool[np.ndarray, "n"] = clock[later] - clock >= 0.5 * window
    first = np.flatnonzero(whole)
    last = later[whole].astype(np.int64)
    return first, last, (along[last] - along[first]) / (clock[last] - clock[first])
