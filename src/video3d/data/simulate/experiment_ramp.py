"""Things that roll or slide down: off ramps behind gates that are lifted, and down stairs."""

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiment_arena import Arena, open_arena
from video3d.data.simulate.experiment_ball import draw_ball, points_of, rolling_velocity
from video3d.data.simulate.experiment_script import PUSHER, Path
from video3d.data.simulate.experiment_shot import Shot, shoot, shown_end_s
from video3d.data.simulate.scene import Look, Surface
from video3d.data.simulate.stage import StageConfig, StagedClip

_BOARD_M = 0.03
_GATE_M = 0.02
_GATE_MPS = 1.2
_ROLLS, _SLIDES = 5 / 7, 1.0
_GATE = Look(rgba=(0.55, 0.56, 0.58, 0.45), roughness=0.3)  # of clear plastic


def ramp_boxes(
    length_m: float, width_m: float, angle_rad: float
) -> tuple[Float64[np.ndarray, "n 6"], Float64[np.ndarray, "n 4"]]:
    """A board that rises along -x from the origin, and what fills the wedge under it."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    middle = np.array([-length_m / 2 * c - _BOARD_M / 2 * s, 0.0, length_m / 2 * s - _BOARD_M / 2 * c])
    boxes = [[*middle, length_m / 2, width_m / 2, _BOARD_M / 2]]
    quats = [[np.cos(angle_rad / 2), 0.0, np.sin(angle_rad / 2), 0.0]]
    edges = np.linspace(0.12 * length_m, length_m, 13) * c
    for near, far in zip(edges[:-1], edges[1:], strict=True):
        height = near * s / c - _BOARD_M / c * 0.5
        boxes.append([-(near + far) / 2, 0.0, height / 2, (far - near) / 2, width_m / 2 - 0.015, height / 2])
        quats.append([1.0, 0.0, 0.0, 0.0])
    return np.array(boxes, dtype=np.float64), np.array(quats, dtype=np.float64)


def _lane(
    rng: np.random.Generator, arena: Arena, x: float, y: float, angle: float, along: float, length: float, release_s: float,
    *, slides: bool,
) -> tuple[int, int, Path]:  # fmt: skip
    """A ramp whose foot is at (x, y), and on it, ``along`` up from the foot, a ball or block behind a gate.

    Returns the ids of the ramp and of the thing, and the gate's way.
    """
    width = float(rng.uniform(0.34, 0.44))
    boxes, quats = ramp_boxes(length, width, angle)
    ramp = arena.compound(
        "ramp", x, y, 0.0, boxes, quats=quats, surface=Surface(friction=0.05, rolling=0.0)
    )
    c, s = np.cos(angle), np.sin(angle)
    if slides:
        size = (float(rng.uniform(0.14, 0.2)), float(rng.uniform(0.14, 0.2)), float(rng.uniform(0.1, 0.14)))
        half = size[0] / 2
        lift = 0.001 + 0.02 * size[0] * s
        place = (x - along * c + lift * s, y, along * s + lift * c)
        thing = arena.block(
            *place, size, arena.surface("wood", friction=float(rng.uniform(0.12, 0.2))), quat=_turned(arena.yaw_rad, angle)
        )
    else:
        half = radius = float(rng.uniform(0.08, 0.11))
        lift = 0.001 + 0.02 * 2 * radius * s  # a changed start may shift it into the slope otherwise
        place = (x - along * c + (radius + lift) * s, y, along * s + (radius + lift) * c - radius)
        thing = arena.ball(*place, radius, draw_ball(rng, arena, radius, float(rng.uniform(0.02, 0.2))))
    gap = 0.005 + 0.02 * 2 * half
    gate_up = along - half - gap - _GATE_M / 2
    place = (x - gate_up * c + 0.004 * s, y, gate_up * s + 0.004 * c)
    gate = arena.block(
        *place, (_GATE_M, width, 0.16), PUSHER, look=_GATE, category="plank", quat=_turned(arena.yaw_rad, angle),
        motion="scripted",
    )  # fmt: skip
    rise = Path(
        object_id=gate, start_m=np.array(arena.at(*place)), velocity_mps=_GATE_MPS * arena.way(s, 0.0, c),
        begin_s=release_s, end_s=release_s + 0.45,
    )  # fmt: skip
    return ramp, thing, rise


def _turned(yaw: float, pitch: float) -> list[float]:
    """Turned about +y by the pitch, then about +z."""
    a, b = np.cos(pitch / 2), np.sin(pitch / 2)
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    return [float(c * a), float(-s * b), float(c * b), float(s * a)]


def ramp(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball or block runs down a ramp towards things on the floor; or two, on two ramps, at once."""
    arena = open_arena(rng, library, config, half_m=(1.7, 1.0))
    every_s = 0.08
    shown = shown_end_s(config, every_s)
    two = bool(rng.random() < 0.45)
    angles = rng.permutation([rng.uniform(0.14, 0.22), rng.uniform(0.30, 0.40)]) if two else rng.uniform(0.2, 0.38, 1)
    foot, length = -0.45, float(rng.uniform(1.0, 1.2))
    lanes = (-0.35, 0.35) if two else (0.0,)
    paths, movers, seen, points = [], [], [], []
    for y, drawn in zip(lanes, angles, strict=True):
        angle = float(drawn)
        along = length * float(rng.uniform(0.72, 0.86))
        slides = not two and bool(rng.random() < 0.3) and angle > 0.28
        g = 9.81 * np.sin(angle) * (_SLIDES * 0.5 if slides else _ROLLS)
        # At the last frame shown it has run down a third to two thirds of its way, if the gate is not lifted too late.
        run = np.sqrt(2 * along * float(rng.uniform(0.3, 0.6)) / g)
        release = max(0.2, shown - run) if not paths else paths[0].begin_s
        ramp_id, thing, rise = _lane(rng, arena, foot, y, angle, along, length, float(release), slides=slides)
        paths.append(rise)
        movers.append(thing)
        seen += [ramp_id, thing]
        points += [(foot - length * np.cos(angle), y - 0.2, 0.0), (foot - length * np.cos(angle), y + 0.2, 0.3 + length * np.sin(angle))]
        half = float(rng.uniform(0.08, 0.12))
        off = float(rng.uniform(0, 0.08) if rng.random() < 0.55 else rng.uniform(0.32, 0.42))
        # beside the lane towards the outside, so that the other's things are left alone
        side = float(np.sign(y)) if two else float(rng.choice([-1, 1]))
        x = foot + float(rng.uniform(0.4, 0.9))
        size = (2 * half, 2 * half, float(rng.uniform(0.16, 0.3)))
        arena.block(x, y + side * off, 0.0, size, arena.surface("wood", density=float(rng.uniform(200, 600))))
        points.append((x + 0.3, y + side * off, 0.2))
    if not two:
        x = foot + float(rng.uniform(1.0, 1.3))
        size = float(rng.uniform(0.18, 0.24))
        arena.block(x, float(rng.uniform(-0.4, 0.4)), 0.0, (size, size, size), arena.surface("wood"))
        points.append((x + 0.1, 0.0, 0.2))
    return shoot(
        rng,
        arena,
        config,
        "ramp",
        Shot(points_m=points_of(arena, points), spread_rad=0.7, above_m=0.8),
        every_s=every_s,
        paths=tuple(paths),
        must_see=tuple(seen),
    )


def stairs(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls over a landing towards steps: down them to what lies below, or it stops before them."""
    arena = open_arena(rng, library, config, half_m=(1.7, 1.0))
    every_s = 0.08
    shown = shown_end_s(config, every_s)
    steps, rise, tread = int(rng.integers(2, 5)), float(rng.uniform(0.10, 0.16)), float(rng.uniform(0.24, 0.32))
    width, landing = float(rng.uniform(0.8, 1.1)), float(rng.uniform(0.75, 0.95))
    edge = -0.35  # the landing's; the steps go down along +x
    boxes = []
    for number in range(steps + 1):  # of one height each, from the landing down
        height = rise * (steps + 1 - number)
        length = landing if number == 0 else tread
        middle = edge - landing / 2 if number == 0 else edge + tread * (number - 0.5)
        boxes.append([middle, 0.0, height / 2, length / 2, width / 2, height / 2])
    stair = arena.compound(
        "stair", 0.0, 0.0, 0.0, np.array(boxes, dtype=np.float64), surface=Surface(friction=0.05, rolling=0.0)
    )
    top = rise * (steps + 1)
    radius = float(rng.uniform(0.08, 0.11))
    rolls_down = bool(rng.random() < 0.6)
    slowing = float(rng.uniform(0.15, 0.4))
    left = float(rng.uniform(0.16, 0.25))
    speed = float(np.sqrt(2 * slowing * left * (rng.uniform(1.5, 2.6) if rolls_down else rng.uniform(0.45, 0.75))))
    begin = max(edge - left - speed * shown - slowing * shown**2 / 2, edge - landing + radius + 0.03)
    v0 = float(np.sqrt(speed**2 + 2 * slowing * (edge - left - begin)))
    y = float(rng.uniform(-0.3, 0.3)) * width
    ball = arena.ball(begin, y, top + 0.0005, radius, draw_ball(rng, arena, radius, slowing))
    bottom = edge + tread * steps
    for number in range(2):
        off = y + float(rng.uniform(0.0, 0.1) if number == 0 else rng.uniform(0.35, 0.5)) * float(rng.choice([-1, 1]))
        size = float(rng.uniform(0.18, 0.24))
        arena.block(bottom + float(rng.uniform(0.35, 0.7)) + 0.35 * number, off, 0.0, (size, size, size), arena.surface("wood"))
    points = points_of(
        arena,
        [(begin - 0.1, -width / 2, top), (begin - 0.1, width / 2, top + 0.2), (edge, width / 2, 0.0), (bottom + 0.6, -0.4, 0.0),
         (bottom + 0.6, 0.4, 0.2)],
    )  # fmt: skip
    return shoot(
        rng,
        arena,
        config,
        "stairs",
        Shot(points_m=points, spread_rad=0.7, above_m=top + 0.3),
        every_s=every_s,
        velocities={ball: rolling_velocity(arena, v0, 0.0, radius)},
        must_see=(ball, stair),
    )
