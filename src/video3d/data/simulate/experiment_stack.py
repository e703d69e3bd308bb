"""Stacks and overhangs: what stands by itself once what held it is drawn away, and what a ball does to a stack.

A stack that leans too far would fall the moment the clip begins. So a pole stands against it, or under the free end of what
overhangs, and is drawn away a moment before the last frame shown: the cause is seen, what comes of it is not.

A stack stands if, at every level, the centre of mass of all above lies over the area in which the two blocks touch; how far inside
(or outside) it lies is the margin by which the outcome is drawn.
"""

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiment_arena import Arena, open_arena
from video3d.data.simulate.experiment_ball import draw_ball, draw_table, points_of, rolling_velocity
from video3d.data.simulate.experiment_script import PUSHER, Hold, Path
from video3d.data.simulate.experiment_shot import Shot, shoot, shown_end_s
from video3d.data.simulate.scene import Look
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed

_POLE_M = 0.05
_AWAY_MPS, _AWAY_S = 0.9, 0.5
_BEFORE_LAST_S = 0.12
_POLE = Look(rgba=(0.62, 0.60, 0.57, 1.0), roughness=0.4)


def margin_m(centers_m: Float64[np.ndarray, "n 2"], sizes_m: Float64[np.ndarray, "n 3"]) -> float:
    """By how much a stack of blocks of one density stands (positive) or topples (negative), from its lowest block up.

    >>> sizes = np.full((2, 3), 0.2)
    >>> round(margin_m(np.array([[0.0, 0.0], [0.08, 0.0]]), sizes), 3)
    0.02
    >>> round(margin_m(np.array([[0.0, 0.0], [0.12, 0.0]]), sizes), 3)
    -0.02
    """
    mass = np.prod(sizes_m, axis=1)
    least = np.inf
    for level in range(len(centers_m) - 1):
        above = slice(level + 1, None)
        com = (centers_m[above] * mass[above, None]).sum(0) / mass[above].sum()
        low = np.maximum(centers_m[level] - sizes_m[level, :2] / 2, centers_m[level + 1] - sizes_m[level + 1, :2] / 2)
        high = np.minimum(centers_m[level] + sizes_m[level, :2] / 2, centers_m[level + 1] + sizes_m[level + 1, :2] / 2)
        least = min(least, float((com - low).min()), float((high - com).min()))
    return least


def draw_tower(
    rng: np.random.Generator, num: int, least: float, most: float
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 3"]]:
    """Places and sizes of a stack whose margin, as a share of its blocks' width, is in a range.

    Errors: ``StagingFailed`` where none is found.
    """
    for _ in range(400):
        width = float(rng.uniform(0.18, 0.26))
        sizes = np.column_stack([width * rng.uniform(0.85, 1.15, (num, 2)), rng.uniform(0.11, 0.17, num)])
        steps = np.column_stack([rng.uniform(-0.4, 0.4, num), rng.uniform(-0.08, 0.08, num)]) * width
        centers = np.cumsum(steps, axis=0) - steps[0]
        # Blocks must overlap well even where they topple.
        if least <= margin_m(centers, sizes) / width <= most and bool((np.abs(steps[:, 0]) < 0.42 * width).all()):
            return centers, sizes
    raise StagingFailed("no such stack")


def build_tower(
    arena: Arena, x: float, y: float, z: float, centers: Float64[np.ndarray, "n 2"], sizes: Float64[np.ndarray, "n 3"],
    density: float,
) -> list[int]:  # fmt: skip
    """Puts a stack of blocks there; object ids from the lowest up."""
    ids, surface = [], arena.surface("wood", density=density)
    for center, size in zip(centers, sizes, strict=True):
        at = (x + float(center[0]), y + float(center[1]), z)
        ids.append(arena.block(*at, (float(size[0]), float(size[1]), float(size[2])), surface))
        z += float(size[2])
    return ids


def pole(
    arena: Arena, x: float, y: float, height_m: float, way: tuple[float, float], leaves_s: float
) -> tuple[int, Path]:
    """A pole on the floor that is drawn away along ``way``."""
    object_id = arena.block(
        x, y, 0.001, (_POLE_M, _POLE_M, height_m), PUSHER, look=_POLE, category="pole", motion="scripted"
    )
    start = np.array(arena.at(x, y, 0.001))
    velocity = _AWAY_MPS * arena.way(*way)
    return object_id, Path(
        object_id=object_id, start_m=start, velocity_mps=velocity, begin_s=leaves_s, end_s=leaves_s + _AWAY_S
    )


def stack(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A stack against a pole that is drawn away, or one towards which a ball rolls."""
    return _leaning(rng, library, config) if rng.random() < 0.65 else _bowled(rng, library, config)


def _leaning(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    arena = open_arena(rng, library, config, half_m=(1.2, 0.9))
    every_s = float(rng.choice([0.08, 0.12]))
    leaves = shown_end_s(config, every_s) - _BEFORE_LAST_S
    num = int(rng.integers(2, 6))
    stands = bool(rng.random() < 0.5)
    centers, sizes = draw_tower(rng, num, *((0.07, 0.2) if stands else (-0.25, -0.06)))
    ids = build_tower(arena, 0.0, 0.0, 0.0, centers, sizes, float(rng.uniform(300, 700)))
    # The pole stands on the side to which the stack leans most: where its top's centre of mass is farthest from the base.
    lean = float(np.average(centers[1:, 0], weights=np.prod(sizes[1:], axis=1)))
    side = float(np.sign(lean) or 1.0)
    reach = float((side * centers[:, 0] + sizes[:, 0] / 2).max())
    height = float(sizes[:, 2].sum())
    _, path = pole(arena, side * (reach + _POLE_M / 2 + 0.012), 0.0, height + 0.08, (side, 0.0), leaves)
    size = float(rng.uniform(0.14, 0.2))
    other = arena.block(
        -side * float(rng.uniform(0.55, 0.8)), float(rng.uniform(-0.2, 0.3)), 0.0, (size, size, size), arena.surface("wood")
    )
    points = [(-0.5, -0.2, 0.0), (0.5, -0.2, 0.0), (-0.3, 0.2, height + 0.1), (0.3, 0.2, height + 0.1)]
    points.append((-side * 0.75, 0.0, 0.0))
    return shoot(
        rng,
        arena,
        config,
        "stack",
        Shot(points_m=points_of(arena, points), spread_rad=0.6),
        every_s=every_s,
        holds=tuple(Hold(object_id=i, until_s=leaves) for i in (*ids, other)),
        paths=(path,),
        must_see=tuple(ids),
    )


def _bowled(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    arena = open_arena(rng, library, config, half_m=(1.6, 0.9))
    every_s = 0.08
    shown = shown_end_s(config, every_s)
    num = int(rng.integers(2, 5))
    centers, sizes = draw_tower(rng, num, 0.25, 0.6)
    outcome = str(rng.choice(["hits", "misses", "short"], p=[0.5, 0.3, 0.2]))
    radius = float(rng.uniform(0.11, 0.16))
    speed = float(rng.uniform(0.7, 1.0))
    ahead = float(rng.uniform(0.45, 0.8))
    slowing = speed**2 / 2 / (ahead * float(rng.uniform(0.5, 0.75))) if outcome == "short" else 0.03
    half = sizes[:, :2].max(0) / 2
    begin = 0.55 - float(half[0]) - ahead - radius - speed * shown - slowing * shown**2 / 2
    ids = build_tower(arena, 0.55, 0.0, 0.0, centers, sizes, float(rng.uniform(120, 260)))
    wide = radius + float(np.abs(centers[:, 1]).max()) + float(half[1])
    off = float(rng.choice([-1, 1])) * (float(rng.uniform(0.08, 0.2)) + wide if outcome == "misses" else float(rng.uniform(0, 0.05)))
    ball = arena.ball(begin, off, 0.001, radius, draw_ball(rng, arena, radius, slowing, "wood"))
    size = float(rng.uniform(0.16, 0.22))
    arena.block(1.2, float(rng.uniform(-0.3, 0.3)), 0.0, (size, size, size), arena.surface("wood"))
    height = float(sizes[:, 2].sum())
    points = [(begin, off, 0.0), (begin, off, 2 * radius), (0.55, -0.3, height), (0.55, 0.3, height), (1.2, 0.2, 0.0)]
    return shoot(
        rng,
        arena,
        config,
        "stack",
        Shot(points_m=points_of(arena, points), spread_rad=0.8),
        every_s=every_s,
        velocities={ball: rolling_velocity(arena, speed + slowing * shown, 0.0, radius)},
        must_see=(ball, *ids),
    )


def overhang(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A plank, loaded or not, juts out over a table's edge; the pole under its free end is drawn away."""
    table = draw_table(rng, library, config, length_m=0.7)
    arena = open_arena(rng, library, config, half_m=(1.3, 1.0), avoid=("table",))
    every_s = float(rng.choice([0.08, 0.12]))
    leaves = shown_end_s(config, every_s) - _BEFORE_LAST_S
    turn = 0.0 if table.size_m[0] >= table.size_m[1] else np.pi / 2
    half_x, half_y = (float(v) / 2 for v in (table.size_m[:2] if turn == 0.0 else table.size_m[1::-1]))
    assert table.support_height_m is not None
    top = float(table.support_height_m)
    table_id = arena.furniture(table, -half_x, 0.0, turn)  # its edge is at x = 0
    side = float(rng.choice([-1, 1]))  # along y, where on the edge
    y = side * float(rng.uniform(0.0, 0.4)) * half_y
    falls = bool(rng.random() < 0.5)
    density = 500.0
    plank = np.array([rng.uniform(0.6, 0.85), rng.uniform(0.16, 0.22), rng.uniform(0.03, 0.05)])
    for _ in range(300):
        middle = float(rng.uniform(-0.22, 0.22))  # of the plank, from the edge outwards
        loads = int(rng.integers(1, 3))
        spots = middle + rng.uniform(-0.42, 0.42, loads) * plank[0]
        sizes = rng.uniform(0.1, 0.15, loads)
        mass = np.array([np.prod(plank), *(sizes**3)])
        com = float((mass * np.array([middle, *spots])).sum() / mass.sum())
        inside = bool((np.abs(spots - middle) + sizes / 2 < plank[0] / 2).all()) and middle - plank[0] / 2 > -2 * half_x + 0.05
        apart = loads < 2 or abs(spots[0] - spots[1]) > sizes.mean() + 0.03
        held = middle + plank[0] / 2 > 0.15 and middle - plank[0] / 2 < -0.08
        if inside and apart and held and (0.025 < com < 0.09 if falls else -0.10 < com < -0.03):
            break
    else:
        raise StagingFailed("no such overhang")
    wood = arena.surface("wood", density=density)
    ids = [arena.block(middle, y, top, (float(plank[0]), float(plank[1]), float(plank[2])), wood, category="plank")]
    for spot, size in zip(spots, sizes, strict=True):
        ids.append(arena.block(float(spot), y, top + float(plank[2]), (float(size),) * 3, wood))
    end = middle + float(plank[0]) / 2
    _, path = pole(arena, end - _POLE_M / 2 - 0.01, y, top - 0.003, (1.0, 0.0), leaves)
    lower = arena.block(-0.1 - float(rng.uniform(0.0, 0.3)), -side * half_y * 0.75, top, (0.12, 0.12, 0.14), arena.surface("wood"))
    points = [(-0.6, y - 0.25, top), (-0.6, y + 0.25, top + 0.25), (end + 0.25, y - 0.15, 0.05), (end + 0.1, y + 0.15, top + 0.25)]
    return shoot(
        rng,
        arena,
        config,
        "overhang",
        Shot(points_m=points_of(arena, points), spread_rad=0.7, above_m=top + 0.2),
        every_s=every_s,
        holds=tuple(Hold(object_id=i, until_s=leaves) for i in (*ids, lower)),
        paths=(path,),
        must_see=(table_id, *ids),
    )
