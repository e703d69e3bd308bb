"""Ways of a camera through a furnished room: walking up to things, turning on the spot, going around, sliding by.

A way is planned whole, from the first frame shown to the end of the future, with one intent: it goes on after the last frame as
the frames before suggest (it arrives and stops, or keeps turning). It is sampled finely; a change of speed only runs through it
faster or slower. Everywhere it keeps clear of whatever stands between the floor and a little above the camera.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.floor_plan import GRID_M, Footprint, Room, clearance
from video3d.data.simulate.floor_way import FloorWays
from video3d.data.simulate.stage import CHANGE, CameraAt

Viewer = Literal["person", "robot"]
Kind = Literal["approach", "turn", "around", "slide", "route", "stand"]
CLEAR_M = 0.3
"""A camera keeps this far from everything that reaches into its height."""
MAX_TURN_RAD_S = np.radians(58.0)
_STEP_S = 0.02
_ABOVE_M = 0.15
_ROUND_TRIES = 16
_STEADY_S = 0.3  # turns of the gaze are smoothed over this


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """How long is filmed and from where: ``shown_s`` is the last frame's time, ``end_s`` the end of the future."""

    viewer: Viewer
    height_m: float
    shown_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraWay:
    """A planned way.

    Attributes:
        kind: its intent.
        target_id: what it goes to or around, 0 for none.
        times_s: fine, from 0 to a little beyond the end.
        eye_m: where the camera is.
        yaw_rad: where it looks, about +z from +x.
        pitch_rad: up is positive.
        roll_rad: a shaky hand.
    """

    kind: Kind
    target_id: int
    times_s: Float64[np.ndarray, "n"]
    eye_m: Float64[np.ndarray, "n 3"]
    yaw_rad: Float64[np.ndarray, "n"]
    pitch_rad: Float64[np.ndarray, "n"]
    roll_rad: Float64[np.ndarray, "n"]

    def camera(self) -> CameraAt:
        """world_from_camera at times; a change of 0.02 runs through the way 2 % faster."""

        def at(times_s: np.ndarray, change: float) -> np.ndarray:
            when = np.asarray(times_s, dtype=np.float64) * (1.0 + change)
            eye = np.stack([np.interp(when, self.times_s, self.eye_m[:, k]) for k in range(3)], axis=-1)
            yaw, pitch, roll = (
                np.interp(when, self.times_s, angle) for angle in (self.yaw_rad, self.pitch_rad, self.roll_rad)
            )
            return world_from_gaze(eye, yaw, pitch, roll)

        return at

    def turn_rates(self) -> Float64[np.ndarray, "m"]:
        """Turning speed about +z in rad/s along the way."""
        return np.abs(np.diff(self.yaw_rad)) / np.diff(self.times_s)


def world_from_gaze(
    eye_m: Float64[np.ndarray, "n 3"],
    yaw_rad: Float64[np.ndarray, "n"],
    pitch_rad: Float64[np.ndarray, "n"],
    roll_rad: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 4 4"]:
    """Poses (OpenCV axes) of cameras that look along yaw and pitch, rolled about the viewing axis.

    >>> world_from_gaze(np.zeros((1, 3)), np.array([np.pi / 2]), np.zeros(1), np.zeros(1))[0, :3, 2].round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    cy, sy, cp, sp = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(pitch_rad), np.sin(pitch_rad)
    forward = np.stack([cy * cp, sy * cp, sp], axis=-1)
    right = np.stack([sy, -cy, np.zeros_like(cy)], axis=-1)
    down = np.cross(forward, right)
    cr, sr = np.cos(roll_rad)[:, None], np.sin(roll_rad)[:, None]
    pose = np.zeros((len(eye_m), 4, 4))
    pose[:, :3, 0], pose[:, :3, 1] = cr * right + sr * down, cr * down - sr * right
    pose[:, :3, 2], pose[:, :3, 3], pose[:, 3, 3] = forward, eye_m, 1.0
    return pose


class CameraPlanner:
    """Draws ways through one room; each draw may fail (None), and then one draws again."""

    def __init__(self, room: Room, shot: Shot, rng: np.random.Generator) -> None:
        self._room, self._shot, self._rng = room, shot, rng
        self._times = np.arange(0.0, shot.end_s * (1 + CHANGE) + 2 * _STEP_S, _STEP_S)
        self._ways = FloorWays(room, 0.05, shot.height_m + _ABOVE_M, CLEAR_M + 0.02)

    def draw(self, kind: Kind, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """One way of a kind; ``targets`` are things worth looking at."""
        makers: dict[Kind, Callable[[tuple[Footprint, ...]], CameraWay | None]] = {
            "approach": self._approach,
            "turn": self._turn,
            "around": self._around,
            "slide": self._slide,
            "route": self._route,
            "stand": self._stand,
        }
        way = makers[kind](targets)
        if way is None or way.turn_rates().max(initial=0.0) > MAX_TURN_RAD_S or not self.is_clear(way):
            return None
        return way

    def is_clear(self, way: CameraWay) -> bool:
        """Whether the camera keeps its distance all along."""
        spots = way.eye_m[::5, :2]
        return float(clearance(self._room, spots, 0.05, self._shot.height_m + _ABOVE_M).min()) >= CLEAR_M

    # ---- kinds --------------------------------------------------------------------------------------------------------

    def _approach(self, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """Straight up to something, and stop before it, during the video or after."""
        target = targets[int(self._rng.integers(len(targets)))]
        start = self._ways.spot(self._rng)
        if start is None:
            return None
        toward = np.asarray(target.center_m) - start
        far = float(np.linalg.norm(toward))
        reach = float(np.linalg.norm(target.half_m)) * 0.7 + float(self._rng.uniform(0.55, 0.9))
        if far < reach + 0.5:
            return None
        goal = start + toward * (1 - reach / far)
        free = self._ways.free_along(start, goal)
        speed = self._speed()
        length = min(free, far - reach)
        if length < max(0.45, 0.35 * speed * self._shot.shown_s):
            return None
        arrives = length / speed
        # An arrival about the last frame is neither seen nor to be foreseen.
        if abs(arrives - self._shot.shown_s) < 0.35:
            speed *= 0.75
        xy = start + (toward / far) * self._along(length, speed)[:, None]
        return self._looking(xy, "approach", target, drift_deg=3.0)

    def _turn(self, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """On the spot, keeping on turning."""
        spot = self._ways.spot(self._rng)
        if spot is None:
            return None
        rate = float(np.radians(self._rng.uniform(11, 34)) * self._rng.choice([-1.0, 1.0]))
        middle = self._to_middle(spot) + float(self._rng.normal(0, 0.4))
        yaw = middle + rate * (self._times - self._shot.shown_s / 2)
        xy = np.broadcast_to(spot, (len(self._times), 2)).copy()
        return self._made(xy, yaw, self._level_pitch(), "turn", 0)

    def _around(self, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """Around something at one distance, looking at it, keeping on as far as the way is free."""
        for _ in range(_ROUND_TRIES):  # few things have free floor around them
            target = targets[int(self._rng.integers(len(targets)))]
            radius = float(np.linalg.norm(target.half_m)) + float(self._rng.uniform(0.6, 1.6))
            speed = self._speed() * 0.8
            first, way_round = float(self._rng.uniform(-np.pi, np.pi)), float(self._rng.choice([-1.0, 1.0]))
            length = self._ways.free_round(np.asarray(target.center_m), radius, first, way_round, 1.5 * np.pi)
            if length >= max(0.6, 0.8 * speed * self._shot.shown_s):
                break
        else:
            return None
        angle = first + way_round * self._along(length, speed) / radius
        xy = np.asarray(target.center_m) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return self._looking(xy, "around", target, drift_deg=2.0)

    def _slide(self, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """Sideways or backwards in a straight line, with the gaze fixed."""
        start, goal = self._ways.spot(self._rng), self._ways.spot(self._rng)
        if start is None or goal is None:
            return None
        step = goal - start
        far = float(np.linalg.norm(step))
        if far < 0.8:
            return None
        length = min(far, self._ways.free_along(start, goal))
        speed = self._speed() * 0.7
        if length < max(0.6, 0.6 * speed * self._shot.shown_s):
            return None
        heading = float(np.arctan2(step[1], step[0]))
        middle = (start + step / far * length / 2)[None]
        options = (heading + np.pi / 2, heading - np.pi / 2, heading + np.pi)
        inward = self._to_middle(middle[0])
        gaze = min(options, key=lambda o: abs(np.angle(np.exp(1j * (o - inward))))) + float(self._rng.normal(0, 0.15))
        xy = start + (step / far) * self._along(length, speed)[:, None]
        return self._made(xy, np.full(len(self._times), gaze), self._level_pitch(), "slide", 0)

    def _route(self, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """Along a bent way around the furniture, looking ahead, up to something."""
        target = targets[int(self._rng.integers(len(targets)))]
        start = self._ways.spot(self._rng)
        goal = self._ways.spot(self._rng, near=np.asarray(target.center_m))
        if start is None or goal is None:
            return None
        way = self._ways.way(start, goal)
        if way is None or len(way) < 0.9 / GRID_M:
            return None
        arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
        done = self._along(float(arc[-1]), self._speed())
        xy = np.stack([np.interp(done, arc, way[:, k]) for k in range(2)], axis=1)
        ahead = np.stack([np.interp(done + 0.6, arc, way[:, k]) for k in range(2)], axis=1)
        # Near the goal the gaze goes over to the thing itself.
        share = np.clip((done - arc[-1] + 1.2) / 0.8, 0.0, 1.0)[:, None]
        aim = (1 - share) * ahead + share * np.asarray(target.center_m)
        yaw = np.unwrap(np.arctan2(aim[:, 1] - xy[:, 1], aim[:, 0] - xy[:, 0]))
        return self._made(xy, yaw, self._level_pitch(), "route", target.object_id)

    def _stand(self, targets: tuple[Footprint, ...]) -> CameraWay | None:
        """Standing, looking at something, hardly moving."""
        target = targets[int(self._rng.integers(len(targets)))]
        spot = self._ways.spot(self._rng)
        if spot is None or np.linalg.norm(spot - target.center_m) < 1.2 + np.linalg.norm(target.half_m):
            return None
        return self._looking(np.broadcast_to(spot, (len(self._times), 2)).copy(), "stand", target, drift_deg=1.0)

    # ---- within -------------------------------------------------------------------------------------------------------

    def _speed(self) -> float:
        low, high = (0.45, 1.1) if self._shot.viewer == "person" else (0.3, 0.8)
        return float(self._rng.uniform(low, high))

    def _along(self, length_m: float, speed_mps: float) -> Float64[np.ndarray, "n"]:
        """Metres gone at every time: at full speed from the start, braking over the last quarter of a metre."""
        brake = min(0.25, length_m / 2)
        cruise = length_m - brake
        late = np.maximum(self._times - cruise / speed_mps, 0.0)
        stop_s = 2 * brake / speed_mps
        u = np.minimum(late / stop_s, 1.0)
        return np.minimum(self._times * speed_mps, cruise) + brake * (2 * u - u * u)

    def _to_middle(self, spot_m: Float64[np.ndarray, "2"]) -> float:
        """Direction from a place to where the furniture's middle is seen best: the room's middle, or away from a near wall."""
        prints = [p for p in self._room.footprints if p.bottom_m < 1.6]
        places = np.array([p.center_m for p in prints]) if prints else self._room.truth.floor_polygon_m
        away = places - spot_m
        distance = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 0.8)
        mean = (away / distance).sum(axis=0)
        return float(np.arctan2(mean[1], mean[0]))

    def _level_pitch(self) -> float:
        low, high = (-0.32, -0.12) if self._shot.viewer == "person" else (-0.12, 0.06)
        return float(self._rng.uniform(low, high))

    def _looking(self, xy: np.ndarray, kind: Kind, target: Footprint, *, drift_deg: float) -> CameraWay:
        """The gaze at a target, a little off and drifting slowly."""
        aim = np.asarray(target.center_m) - xy
        yaw = np.unwrap(np.arctan2(aim[:, 1], aim[:, 0])) + float(self._rng.normal(0, np.radians(drift_deg)))
        phase, period = float(self._rng.uniform(0, 2 * np.pi)), float(self._rng.uniform(5, 9))
        yaw = yaw + np.radians(drift_deg) * np.sin(2 * np.pi * self._times / period + phase)
        height = (target.bottom_m + min(target.top_m, 1.6)) / 2 - self._shot.height_m
        pitch = np.arctan2(height, np.maximum(np.linalg.norm(aim, axis=1), 1.0))
        level = self._level_pitch()
        return self._made(xy, yaw, np.clip(0.55 * pitch + 0.45 * level, -0.5, 0.2), kind, target.object_id)

    def _made(
        self, xy: np.ndarray, yaw: np.ndarray, pitch: np.ndarray | float, kind: Kind, target_id: int
    ) -> CameraWay:
        times, walks = self._times, self._shot.viewer == "person"
        speed = np.linalg.norm(np.gradient(xy, _STEP_S, axis=0), axis=1)
        sway = self._rng.uniform(0, 2 * np.pi, 4)
        bob = 0.014 * np.minimum(speed / 0.8, 1.0) * np.sin(2 * np.pi * 1.7 * times + sway[0]) if walks else 0.0 * times
        hand = np.radians(0.6 if walks else 0.1)
        eye = np.column_stack([xy, self._shot.height_m + bob])
        yaw = _smoothed(yaw, _STEADY_S) + hand * np.sin(2 * np.pi * 0.31 * times + sway[1])
        tilt = _smoothed(np.broadcast_to(np.asarray(pitch, np.float64), times.shape), _STEADY_S)
        return CameraWay(
            kind=kind, target_id=target_id, times_s=times, eye_m=eye, yaw_rad=yaw,
            pitch_rad=tilt + hand * np.sin(2 * np.pi * 0.43 * times + sway[2]),
            roll_rad=hand * np.sin(2 * np.pi * 0.27 * times + sway[3]),
        )  # fmt: skip


def _smoothed(values: np.ndarray, over_s: float) -> np.ndarray:
    """A Gaussian mean over time; beyond the ends a line goes on as it did."""
    width = round(2.5 * over_s / _STEP_S)
    kernel = np.exp(-0.5 * (np.arange(-width, width + 1) * _STEP_S / over_s) ** 2)
    before = values[0] + (values[1] - values[0]) * np.arange(-width, 0)
    after = values[-1] + (values[-1] - values[-2]) * np.arange(1, width + 1)
    return np.convolve(np.concatenate([before, values, after]), kernel / kernel.sum(), mode="valid")
