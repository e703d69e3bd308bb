"""Notes on motion: where things and the camera will be if they go on as they do, and what they meet."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from video3d.types import Box3D, PosedClip
from video3d.types.track import Track

_LATELY_S = 0.5
_LEAST_FRAMES = 3
_STILL_M_S = 0.08
_STEPS, _MOST_STEPS, _STEP_M = 30, 1000, 0.02
_SLOWS_M_S2 = 0.7
"""Chosen on training clips of the simulator: vehicles that brake so hard come to a stop."""
_MEETS_M = 0.05
_TOGETHER_M_S, _TOGETHER_M = 0.1, 0.15
_ONE_WAY = 2.0
"""Standard deviations that a place may be off the parabola of the later ones."""
_SURE_SIGMAS = 1.5
"""Slower than this many standard deviations of its speed is standing still."""


class CameraMotion(NamedTuple):
    """How the camera moved in the last half second (at least three frames).

    Attributes:
        eye: its last pose.
        ahead_m_s: along its level forward; negative backward.
        left_m_s: to its left.
        turn_deg_s: of its heading, positive to the left.
        change_m_s2: of its speed, over the last second.
        moved_m: from its first to its last place, over the floor.
        turned_deg: of its heading over the whole clip, positive to the left.
    """

    eye: Float64[np.ndarray, "4 4"]
    ahead_m_s: float
    left_m_s: float
    turn_deg_s: float
    change_m_s2: float
    moved_m: float
    turned_deg: float

    def after(self, seconds: float) -> tuple[Float64[np.ndarray, "2"], float]:
        """Where it would be on the floor if it went on so, and its heading there in radians: an arc, at the same speed."""
        heading = heading_rad(self.eye)
        rate = math.radians(self.turn_deg_s)
        place = self.eye[:2, 3].copy()
        for step in range(_STEPS):
            there = heading + rate * seconds * (step + 0.5) / _STEPS
            forward = np.array([math.cos(there), math.sin(there)])
            left = np.array([-forward[1], forward[0]])
            place += (self.ahead_m_s * forward + self.left_m_s * left) * seconds / _STEPS
        return place, heading + rate * seconds


def heading_rad(world_from_camera: Float64[np.ndarray, "4 4"]) -> float:
    """Of a camera's view on the floor: counter-clockwise from the world's x axis."""
    return math.atan2(float(world_from_camera[1, 2]), float(world_from_camera[0, 2]))


def turn_between(first: float, second: float) -> float:
    """From one heading to another, radians in -pi..pi, positive to the left.

    >>> round(turn_between(0.1, -0.1), 3)
    -0.2
    """
    return (second - first + math.pi) % math.tau - math.pi


def bearing(eye: Float64[np.ndarray, "4 4"], place: Float64[np.ndarray, "2"]) -> float:
    """Degrees to the left of a camera's level view."""
    offset = place - eye[:2, 3]
    return math.degrees(turn_between(heading_rad(eye), math.atan2(float(offset[1]), float(offset[0]))))


def camera_motion(clip: PosedClip) -> CameraMotion | None:
    """How the camera moves at the end of a clip; None without two poses and times."""
    known = np.flatnonzero(
        (clip.piece == 0) & np.isfinite(clip.world_from_camera).all((1, 2)) & np.isfinite(clip.time_s)
    )
    if len(known) < 2:
        return None
    last = int(known[-1])
    lately = known[clip.time_s[known] >= clip.time_s[last] - _LATELY_S]
    first = int(lately[0]) if len(lately) >= _LEAST_FRAMES else int(known[-min(_LEAST_FRAMES, len(known))])
    seconds = float(clip.time_s[last] - clip.time_s[first])
    if seconds <= 0:
        return None
    eye = clip.world_from_camera[last]
    heading = heading_rad(eye)
    moved = (eye[:2, 3] - clip.world_from_camera[first][:2, 3]) / seconds
    forward = np.array([math.cos(heading), math.sin(heading)])
    earlier = known[clip.time_s[known] <= clip.time_s[first]]
    before = earlier[clip.time_s[earlier] >= clip.time_s[first] - seconds - 1e-6]
    change = 0.0
    if len(before) > 1:
        span = float(clip.time_s[first] - clip.time_s[before[0]])
        was = np.linalg.norm(clip.world_from_camera[first][:2, 3] - clip.world_from_camera[before[0]][:2, 3]) / span
        change = float((np.linalg.norm(moved) - was) / (0.5 * (seconds + span)))
    ways = np.unwrap([heading_rad(clip.world_from_camera[at]) for at in known])
    return CameraMotion(
        eye=eye,
        ahead_m_s=float(moved @ forward),
        left_m_s=float(moved @ np.array([-forward[1], forward[0]])),
        turn_deg_s=math.degrees(turn_between(heading_rad(clip.world_from_camera[first]), heading)) / seconds,
        change_m_s2=change,
        moved_m=float(np.linalg.norm(eye[:2, 3] - clip.world_from_camera[known[0]][:2, 3])),
        turned_deg=math.degrees(float(ways[-1] - ways[0])),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mover:
    """A thing in motion at the end of a clip.

    Attributes:
        box: there.
        velocity_m_s: lately.
        change_m_s2: of its speed, a second, from the earlier to the later half of the time (negative: slower).
        change_error: standard deviation of that; infinite where it was not followed long enough.
        turn_deg: of its heading, between the earlier and the later half of the time; positive to the left.
        turn_deg_s: the same, a second.
        turn_error_deg: standard deviation of ``turn_deg``; infinite where it was not followed long enough.
        drift_m_s: what was measured of its velocity where that is within its error, so that it counts as none.
        error_m_s: standard deviation of its velocity.
    """

    box: Box3D
    velocity_m_s: Float64[np.ndarray, "3"]
    change_m_s2: float = 0.0
    change_error: float = math.inf
    turn_deg: float = 0.0
    turn_deg_s: float = 0.0
    turn_error_deg: float = math.inf
    drift_m_s: Float64[np.ndarray, "3"] | None = None
    error_m_s: float = 0.0

    @property
    def goes_m_s(self) -> Float64[np.ndarray, "3"]:
        """The likeliest velocity of what is said to move."""
        return self.velocity_m_s if self.drift_m_s is None else self.drift_m_s

    @property
    def speed_m_s(self) -> float:
        """Over the floor."""
        return float(np.linalg.norm(self.velocity_m_s[:2]))

    @property
    def moves(self) -> bool:
        """Faster than votes jitter."""
        return self.speed_m_s >= _STILL_M_S

    @property
    def slows(self) -> bool:
        """It brakes, by more than votes jitter."""
        return self.change_m_s2 < -_SLOWS_M_S2

    @property
    def rests_after_s(self) -> float:
        """When it would come to rest if it slowed on as it does; infinity where that is within the error."""
        if self.change_m_s2 > -_SURE_SIGMAS * self.change_error or not self.moves:
            return math.inf if self.moves else 0.0
        return -self.speed_m_s / self.change_m_s2

    def rests_known(self, within_s: float) -> bool:
        """Whether it was followed well enough to tell if it comes to rest within a time."""
        return (
            self.change_m_s2 < -_SURE_SIGMAS * self.change_error
            or _SURE_SIGMAS * self.change_error * within_s < self.speed_m_s
        )

    def after(self, seconds: float) -> Box3D:
        """Its box if it went straight on over the floor."""
        way = self.velocity_m_s * seconds * np.array([1.0, 1.0, 0.0])
        return replace(self.box, center_world=self.box.center_world + way)


def mover(track: Track | None, box: Box3D, until_s: float, *, shown: bool = False) -> Mover | None:
    """A thing that was followed, at the clip's last moment; None where too few frames show it.

    Args:
        track: of it.
        box: of it, anywhere.
        until_s: that moment.
        shown: depth shows what moves: where it shows nothing, the thing stands still, however votes wander.
    """
    track = None if track is None else _of_one_way(track)
    found = None if track is None else track.velocity_m_s()
    if track is None or found is None or not np.isfinite(found[0]).all():
        return None
    velocity, error = found
    curved, change, change_error = None, 0.0, math.inf
    if len(track.frame) > 3:
        curve = _curve(track)
        change = float(curve.change_m_s2 @ velocity) / max(float(np.linalg.norm(velocity)), 1e-9)
        change_error = curve.change_error
        if abs(change) > _SURE_SIGMAS * change_error:
            curved, velocity, error = curve, curve.velocity_m_s, curve.error
    drift, still = None, shown and not track.moved.any()
    if still:
        curved, velocity, change = None, np.zeros(3), 0.0
    elif float(np.linalg.norm(velocity[:2])) < _SURE_SIGMAS * error and abs(velocity[2]) < _SURE_SIGMAS * error:
        curved, drift, velocity, change = None, velocity, np.zeros(3), 0.0
    now = track.center_world + (track.time_s[-1] - track.time_s)[:, None] * velocity
    center = np.average(now, axis=0, weights=1.0 / track.sigma_m**2) if curved is None else curved.center
    since = max(0.0, until_s - float(track.time_s[-1]))
    here = replace(box, center_world=center + velocity * since * np.array([1.0, 1.0, 0.0]))
    turn, turn_error, halves = 0.0, math.inf, _halves(track)
    if halves is not None:
        turn = math.degrees(turn_between(*(math.atan2(one[1], one[0]) for one, _ in halves)))
        turn_error = math.degrees(math.hypot(*(error / max(float(np.linalg.norm(one[:2])), 1e-9) for one, error in halves)))  # fmt: skip
    return Mover(
        box=here,
        velocity_m_s=velocity,
        change_m_s2=change,
        change_error=change_error,
        turn_deg=turn,
        turn_deg_s=2 * turn / float(np.ptp(track.time_s)),
        turn_error_deg=turn_error,
        drift_m_s=drift,
        error_m_s=error,
    )


class _Curve(NamedTuple):
    """A parabola through places, at the last of them, with standard deviations."""

    center: Float64[np.ndarray, "3"]
    velocity_m_s: Float64[np.ndarray, "3"]
    error: float
    change_m_s2: Float64[np.ndarray, "3"]
    change_error: float
    off: float


def _curve(track: Track) -> _Curve:
    late = track.time_s - track.time_s[-1]
    powers = np.stack([np.ones_like(late), late, late**2 / 2], 1)
    weight = 1.0 / track.sigma_m**2
    spread = np.linalg.pinv(powers.T @ (weight[:, None] * powers))
    fit = spread @ powers.T @ (weight[:, None] * track.center_world)
    off = np.linalg.norm(track.center_world - powers @ fit, axis=1) / track.sigma_m
    return _Curve(fit[0], fit[1], float(spread[1, 1] ** 0.5), fit[2], float(spread[2, 2] ** 0.5), float(off.max()))


def _of_one_way(track: Track) -> Track:
    """The last places that lie on one parabola: what was hit before moves otherwise since."""
    first = max(0, len(track.frame) - 4)
    while first > 0 and _curve(track.only(slice(first - 1, None))).off < _ONE_WAY:
        first -= 1
    return track.only(slice(first, None))


def _halves(track: Track) -> list[tuple[Float64[np.ndarray, "3"], float]] | None:
    """Velocities in the earlier and in the later half of a track, with standard deviations; None for short ones."""
    half = len(track.frame) // 2
    if half < 2:
        return None
    found = [track.only(part).velocity_m_s() for part in (slice(0, half + 1), slice(half, None))]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else None


def meets(
    first: Mover, second: Mover | Box3D, within_s: float, *, apart_m: float = _MEETS_M
) -> tuple[float | None, float]:
    """When two come to touch if both go straight on (None: not within a time), and how near they come till then.

    Args:
        first: moves.
        second: moves or stands.
        within_s: how far ahead is looked.
        apart_m: between their footprints, when they touch.
    """
    box, velocity = (second.box, second.velocity_m_s) if isinstance(second, Mover) else (second, np.zeros(3))
    relative = (first.velocity_m_s - velocity)[:2]
    steps = int(
        np.clip(within_s * np.linalg.norm(relative) / _STEP_M, _STEPS, _MOST_STEPS)
    )  # none steps over a small thing
    seconds = within_s * np.arange(steps + 1) / steps
    gaps = floor_gaps(first.box, box, seconds[:, None] * relative)
    touch = np.flatnonzero(gaps <= apart_m)
    if float(np.linalg.norm(relative)) < _TOGETHER_M_S and gaps[0] - apart_m <= _TOGETHER_M:
        touch = touch[:0]  # what goes along with another meets nothing new
    apart = abs(first.box.center_world[2] - box.center_world[2]) - (first.box.size_m[2] + box.size_m[2]) / 2
    at_one_height = apart < -_MEETS_M  # what carries a thing is not met by it
    return (float(seconds[touch[0]]) if len(touch) and at_one_height else None), float(gaps.min())


def floor_gaps(a: Box3D, b: Box3D, moved_by: Float64[np.ndarray, "s 2"]) -> Float64[np.ndarray, "s"]:
    """Metres between two footprints, of which the first is moved; 0 where they overlap. From points on both outlines."""
    outline_a, outline_b = outline(a), outline(b)
    to_b = _outside(outline_a[None] + moved_by[:, None], b)
    to_a = _outside(outline_b[None] - moved_by[:, None], a)
    return np.minimum(to_a.min(1), to_b.min(1))


def outline(box: Box3D, apart_m: float = math.inf) -> Float64[np.ndarray, "n 2"]:
    """Points around a box's footprint, seven or more a side and no farther apart than this, and its centre."""
    number = 7 if math.isinf(apart_m) else int(np.clip(np.ceil(box.size_m[:2].max() / apart_m) + 1, 7, _MOST_STEPS))
    side = np.linspace(-0.5, 0.5, number)
    edge = np.full(number, 0.5)
    parts = [np.stack(pair, 1) for pair in ((side, edge), (side, -edge), (edge, side), (-edge, side))]
    local = np.concatenate([*parts, np.zeros((1, 2))]) * box.size_m[:2]
    return box.center_world[:2] + local @ box.world_from_box[:2, :2].T


def _outside(points: Float64[np.ndarray, "s n 2"], box: Box3D) -> Float64[np.ndarray, "s n"]:
    local = (points - box.center_world[:2]) @ box.world_from_box[:2, :2]
    return np.linalg.norm(np.clip(np.abs(local) - box.size_m[:2] / 2, 0.0, None), axis=-1)
