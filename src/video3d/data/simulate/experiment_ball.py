"""Balls that roll: over the floor towards things, and over a table towards its edge.

What happens is drawn first (hit, pass, stop short; fall, stop), then speeds and places that lead to it by theory, with a margin
that a start changed by 2 % rarely eats up and that is still too small for a glance.
"""

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.experiment_arena import Arena, open_arena
from video3d.data.simulate.experiment_shot import Shot, shoot, shown_end_s
from video3d.data.simulate.scene import Surface
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed

BALL_MATERIALS = ("rubber", "wood", "foam")
_DENSITY = {"rubber": 300.0, "wood": 500.0, "foam": 60.0}  # a rubber ball is hollow


def rolling_velocity(arena: Arena, vx: float, vy: float, radius_m: float) -> tuple[float, ...]:
    """Velocity and spin of a ball that rolls without slipping, from a velocity in the arena's frame."""
    v = arena.way(vx, vy)
    return (float(v[0]), float(v[1]), 0.0, float(-v[1] / radius_m), float(v[0] / radius_m), 0.0)


def draw_ball(
    rng: np.random.Generator, arena: Arena, radius_m: float, slowing_mps2: float, material: str | None = None
) -> Surface:
    """A ball's surface."""
    material = material or str(rng.choice(BALL_MATERIALS))
    return arena.rolling(material, radius_m, slowing_mps2, density=_DENSITY[material])


def floor_roll(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls over the floor towards one or two things; it hits the first, or the second, or none, or stops short."""
    arena = open_arena(rng, library, config, half_m=(1.7, 1.0))
    every_s = float(rng.choice([0.08, 0.12]))
    shown = shown_end_s(config, every_s)
    radius = float(rng.uniform(0.09, 0.16))
    speed = float(rng.uniform(0.45, 0.95)) * (1.0 if shown < 1.5 else 0.75)  # at the last frame shown
    outcome = str(rng.choice(["first", "second", "none", "short"], p=[0.4, 0.2, 0.2, 0.2]))
    begin = -1.4
    slowing = float(rng.uniform(0.02, 0.06))
    ahead = speed * float(rng.uniform(0.6, 1.5))  # free way to the first thing
    if outcome == "short":
        slowing = speed**2 / 2 / (ahead * float(rng.uniform(0.45, 0.75)))
    now = begin + speed * shown + slowing * shown**2 / 2
    first, second = now + radius + ahead, now + radius + ahead + float(rng.uniform(0.45, 0.7))
    if second > 1.7:
        raise StagingFailed("the ball would roll too far")
    side = float(rng.choice([-1, 1]))
    ball = arena.ball(begin, 0.0, 0.001, radius, draw_ball(rng, arena, radius, slowing))
    ids = [
        _target(rng, arena, first, radius, hit=outcome in ("first", "short"), side=side),
        _target(rng, arena, second, radius, hit=outcome == "second" or rng.random() < 0.3, side=-side),
    ]
    start_speed = speed + slowing * shown
    points = points_of(arena, [(begin, 0, 0), (begin, 0, 2 * radius), (second + 0.1, -0.3, 0), (second + 0.1, 0.3, 0.2)])
    return shoot(
        rng,
        arena,
        config,
        "floor_roll",
        Shot(points_m=points, spread_rad=0.9),
        every_s=every_s,
        velocities={ball: rolling_velocity(arena, start_speed, 0.0, radius)},
        must_see=(ball, ids[0]),
    )


def _target(rng: np.random.Generator, arena: Arena, x: float, radius: float, *, hit: bool, side: float) -> int:
    """A block or cylinder whose front is at x, in the ball's way or beside it."""
    half = float(rng.uniform(0.07, 0.13))
    height = float(rng.uniform(0.16, 0.36))
    off = side * (rng.uniform(0.0, 0.5) * (radius + half) if hit else radius + half + rng.uniform(0.10, 0.22))
    surface = arena.surface("wood", density=float(rng.uniform(300, 700)))
    if rng.random() < 0.35:
        return arena.cylinder(x + half, off, 0.0, half, height, surface)
    return arena.block(x + half, off, 0.0, (2 * half, 2 * half, height), surface)


def points_of(arena: Arena, local: list[tuple[float, float, float]]) -> Float64[np.ndarray, "p 3"]:
    """World places of places in the arena's frame."""
    return np.array([arena.at(*place) for place in local], dtype=np.float64)


def flat_top(asset: Asset) -> bool:
    """Whether a ball may roll over it: one collision box makes up nearly all of its top, which is free."""
    if asset.support_height_m is None or asset.support_bounds_m is None:
        return False
    x0, y0, x1, y1 = asset.support_bounds_m
    boxes = asset.collision_boxes_m
    tops = boxes[:, 2] + boxes[:, 5]
    if bool((tops > asset.support_height_m + 0.002).any()):
        return False
    for box in boxes[np.abs(tops - asset.support_height_m) < 0.002]:
        if box[0] - box[3] < x0 + 0.03 and box[0] + box[3] > x1 - 0.03 and box[1] - box[4] < y0 + 0.03 and (
            box[1] + box[4] > y1 - 0.03
        ):  # fmt: skip
            return _square(asset)
    return False


def _square(asset: Asset) -> bool:
    """Whether the top that is drawn reaches into all four corners: a round one is narrower than its collision box."""
    vertices = np.concatenate([part.vertices_m for part in asset.parts])
    top = vertices[vertices[:, 2] > (asset.support_height_m or 0.0) - 0.06]
    for corner in np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * asset.size_m[:2] / 2:
        if not len(top) or float(np.abs(top[:, :2] - corner).max(axis=1).min()) > 0.03:
            return False
    return True


def draw_table(
    rng: np.random.Generator, library: AssetLibrary, config: StageConfig, *, length_m: float, height_m: float = 1.0
) -> Asset:
    """A table with a flat, free top of at least a length. Errors: ``StagingFailed`` where there is none."""
    found = [
        a
        for a in library.of("table", "desk", "coffee table", "side table", test=config.split == "test")
        if flat_top(a) and max(a.size_m[:2]) >= length_m and (a.support_height_m or 9.0) <= height_m
    ]
    if not found:
        raise StagingFailed("no table with a flat top")
    return found[int(rng.integers(len(found)))]


def table_roll(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls over a table towards its edge and falls off, or stops before it."""
    table = draw_table(rng, library, config, length_m=0.9)
    arena = open_arena(rng, library, config, half_m=(1.5, 1.2), avoid=("table",))
    long_x = table.size_m[0] >= table.size_m[1]
    turn = 0.0 if long_x else np.pi / 2
    half_x, half_y = (float(v) / 2 for v in (table.size_m[:2] if long_x else table.size_m[1::-1]))
    falls = bool(rng.random() < 0.5)
    radius = float(rng.uniform(0.06, 0.10))
    for _ in range(200):
        every_s = float(rng.choice([0.04, 0.08, 0.12]))
        shown = shown_end_s(config, every_s)
        slowing, speed = float(rng.uniform(0.12, 0.5)), float(rng.uniform(0.2, 0.7))
        stop = speed**2 / (2 * slowing)
        left = stop * float(rng.uniform(0.5, 0.75) if falls else rng.uniform(1.25, 1.8))
        late = (speed - np.sqrt(max(0.0, speed**2 - 2 * slowing * left))) / slowing if falls else 0.0
        begin = half_x - left - speed * shown - slowing * shown**2 / 2
        if left > 0.12 and late < 2.2 and -half_x + radius < begin and speed * shown > 0.25:
            break
    else:
        raise StagingFailed("the table is too short for the ball")
    assert table.support_height_m is not None
    top = float(table.support_height_m)
    table_id = arena.furniture(table, 0.0, 0.0, turn)
    toward = float(rng.choice([-1, 1]))
    y = float(rng.uniform(-0.5, 0.5)) * (half_y - radius)
    ball = arena.ball(toward * begin, y, top + 0.0005, radius, draw_ball(rng, arena, radius, slowing))
    side = float(np.sign(y) or 1.0)
    if half_y > 0.3:  # something that stays where it is, well off the ball's way
        size = float(rng.uniform(0.1, 0.14))
        arena.block(
            toward * float(rng.uniform(-0.2, 0.6)) * half_x, -side * (half_y - 0.11), top,
            (size, size, size * float(rng.uniform(0.8, 1.6))), arena.surface("wood"),
        )  # fmt: skip
    for number in range(2):  # what it might land near
        x = toward * (half_x + float(rng.uniform(0.35, 0.7)))
        arena.block(x, (number - 0.5) * float(rng.uniform(0.7, 1.1)), 0.0, (0.2, 0.2, 0.24), arena.surface("wood"))
    v0 = toward * (speed + slowing * shown)
    edge = toward * half_x
    points = points_of(
        arena,
        [(edge * 1.25, -half_y, top), (edge * 1.25, half_y, top), (-edge, -half_y, top), (-edge, half_y, top + 2 * radius),
         (edge * 1.4, 0.0, top * 0.2)],
    )  # fmt: skip
    return shoot(
        rng,
        arena,
        config,
        "table_roll",
        Shot(points_m=points, spread_rad=1.2, above_m=top + 0.35),
        every_s=every_s,
        velocities={ball: rolling_velocity(arena, v0, 0.0, radius)},
        must_see=(ball, table_id),
    )
