"""Things that hold one another up and stand still: what falls if one of them is taken away."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiment_arena import Arena, open_arena
from video3d.data.simulate.experiment_ball import draw_table, points_of
from video3d.data.simulate.experiment_shot import Shot, shoot
from video3d.data.simulate.stage import StageConfig, StagedClip


def support(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A bridge, a tower or a cantilever, on the floor or on a table, with a block or two beside it."""
    raised = bool(rng.random() < 0.4)
    arena = open_arena(rng, library, config, half_m=(1.2, 0.9), avoid=("table",) if raised else ())
    z, ground = 0.0, 0
    if raised:
        table = draw_table(rng, library, config, length_m=1.2, height_m=0.85)
        turn = 0.0 if table.size_m[0] >= table.size_m[1] else np.pi / 2
        ground = arena.furniture(table, 0.0, 0.0, turn)
        assert table.support_height_m is not None
        z = float(table.support_height_m)
    kind = str(rng.choice(["bridge", "tower", "shelf"]))
    x = float(rng.uniform(-0.15, 0.0))
    made = {"bridge": _bridge, "tower": _tower, "shelf": _shelf}[kind](rng, arena, x, z)
    ids, bearing, idle, height = made
    beside = x + float(rng.choice([-1, 1])) * 0.45 if kind == "tower" else x + 0.45
    size = float(rng.uniform(0.11, 0.15))
    wood = arena.surface("wood", density=float(rng.uniform(300, 700)))
    rise = size * float(rng.uniform(0.8, 1.3))
    low = arena.block(beside, 0.0, z, (size, size, rise), wood)
    others = [low]
    if rng.random() < 0.6 and len(ids) < 5:  # with more things the plain colours would run out
        others.append(arena.block(beside, 0.0, z + rise, (size * 0.8, size * 0.8, size * 0.8), wood))
        bearing.append(low)
    else:
        idle.append(low)
    # One thing that bears others, one that bears nothing, and one more of either.
    drawn = [int(rng.choice(bearing)), int(rng.choice(idle))]
    rest = [i for i in (*bearing, *idle) if i not in drawn]
    if rest:
        drawn.append(int(rng.choice(rest)))
    points = [(x - 0.4, -0.1, z), (x + 0.55, -0.1, z), (x - 0.3, 0.1, z + height), (x + 0.3, 0.1, z + height)]
    return shoot(
        rng,
        arena,
        config,
        "support",
        Shot(points_m=points_of(arena, points), spread_rad=0.6, above_m=z + 0.25 if raised else 0.0),
        every_s=float(rng.choice([0.12, 0.2])),
        must_see=(*ids, *others, *((ground,) if ground else ())),
        removals=tuple(sorted(drawn)),
    )


_Made = tuple[list[int], list[int], list[int], float]
"""All object ids, those that bear others, those that bear nothing, and the height."""


def _bridge(rng: np.random.Generator, arena: Arena, x: float, z: float) -> _Made:
    """A plank on two blocks, with one or two things on it."""
    wood = arena.surface("wood", density=float(rng.uniform(350, 650)))
    span, thick, rise = float(rng.uniform(0.5, 0.62)), float(rng.uniform(0.03, 0.05)), float(rng.uniform(0.14, 0.24))
    foot = float(rng.uniform(0.1, 0.14))
    inset = float(rng.uniform(0.04, 0.09))
    piers = [
        arena.block(x + side * (span / 2 - inset), 0.0, z, (foot, foot + 0.04, rise), wood) for side in (-1.0, 1.0)
    ]
    plank = arena.block(x, 0.0, z + rise, (span, float(rng.uniform(0.16, 0.2)), thick), wood, category="plank")
    loads = []
    for number in range(int(rng.integers(1, 3))):
        size = float(rng.uniform(0.1, 0.14))
        at = x + (number * 2 - 1) * float(rng.uniform(0.09, 0.16))
        loads.append(arena.block(at, 0.0, z + rise + thick, (size, size, size), wood))
    return [*piers, plank, *loads], [*piers, plank], loads, rise + thick + 0.15


def _tower(rng: np.random.Generator, arena: Arena, x: float, z: float) -> _Made:
    """Three or four blocks on one another."""
    wood = arena.surface("wood", density=float(rng.uniform(350, 650)))
    ids, height = [], 0.0
    for number in range(int(rng.integers(3, 5))):
        width, rise = float(rng.uniform(0.15, 0.21)), float(rng.uniform(0.1, 0.15))
        shift = 0.0 if number == 0 else float(rng.uniform(-0.03, 0.03))
        ids.append(arena.block(x + shift, shift / 2, z + height, (width, width, rise), wood))
        height += rise
    return ids, ids[:-1], ids[-1:], height


def _shelf(rng: np.random.Generator, arena: Arena, x: float, z: float) -> _Made:
    """A plank that juts out from a block, with a weight on its short end and something on its long end."""
    wood = arena.surface("wood", density=500.0)
    rise, foot, thick = float(rng.uniform(0.18, 0.28)), float(rng.uniform(0.15, 0.2)), 0.04
    span = float(rng.uniform(0.46, 0.56))
    middle = float(rng.uniform(0.03, 0.05))  # of the plank, from the block's
    pier = arena.block(x, 0.0, z, (foot, foot, rise), wood)
    plank = arena.block(x + middle, 0.0, z + rise, (span, float(rng.uniform(0.15, 0.18)), thick), wood, category="plank")
    # The light thing alone would tip the plank over the block's edge; the weight keeps it.
    heavy = arena.surface("wood", density=1400.0)
    weight = arena.block(x + middle - span / 2 + 0.075, 0.0, z + rise + thick, (0.13, 0.13, 0.14), heavy)
    light = arena.block(x + middle + span / 2 - 0.07, 0.0, z + rise + thick, (0.12, 0.12, 0.12), arena.surface("wood", density=1100.0))
    return [pier, plank, weight, light], [pier, plank, weight], [light], rise + thick + 0.15
