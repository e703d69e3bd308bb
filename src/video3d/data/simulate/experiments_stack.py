"""Stacks: a tower of blocks that a prop holds up until it is drawn away, or that a ball rolls towards; and a plank over an edge.

Whether a tower stands is drawn first. A tower stands by itself if, at every level, the centre of mass of all that is above lies
over the block below; here it lies clearly within or clearly outside.
"""

import math

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiments_film import draw_side, open_lab, shown_s, stage_lab
from video3d.data.simulate.experiments_lab import Lab
from video3d.data.simulate.experiments_script import FACE, Path
from video3d.data.simulate.stage import StageConfig, StagedClip

_MARGIN = 0.16  # of a block's half width, by which the centre of mass lies inside or outside its edge


def stack(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A stack of two to five blocks: a prop is drawn away from under it, a ball rolls at it, or the ball rolls past."""
    if rng.random() < 0.72:
        return _propped(rng, library, config)
    return _rolled_at(rng, library, config)


def tower_offsets(
    rng: np.random.Generator, halves_m: Float64[np.ndarray, "n"], masses_kg: Float64[np.ndarray, "n"], fails: int | None
) -> Float64[np.ndarray, "n"]:
    """Places along x of the blocks of a tower, the lowest at 0.

    Args:
        rng: draws how far each block is off.
        halves_m: half widths, from below.
        masses_kg: of the blocks.
        fails: the block that all above it would topple over, towards +x; None for a tower that stands.

    >>> x = tower_offsets(np.random.default_rng(0), np.full(3, 0.1), np.ones(3), 0)
    >>> bool(0.1 < x[1:].mean() < 0.2), float(x[0])
    (True, 0.0)
    """
    num = len(halves_m)
    places = np.zeros(num)
    for level in range(num - 2, -1, -1):  # from above: what is higher up keeps its shape and is shifted as a whole
        half = halves_m[level]
        above = half * (rng.uniform(1 + _MARGIN, 1.4) if level == fails else rng.uniform(-0.45, 0.45))
        higher, weights = places[level + 1 :], masses_kg[level + 1 :]
        shift = above - weights @ (higher - higher[0]) / weights.sum()
        most = half + halves_m[level + 1] - 0.03  # it must lie on it
        places[level + 1 :] += np.clip(shift, -most, most) - higher[0]
    return places


def _tower(
    rng: np.random.Generator, lab: Lab, num: int, fails: int | None, *, x: float = 0.0, density: float = 400.0,
    wide: tuple[float, float] = (0.09, 0.15), high: tuple[float, float] = (0.12, 0.2),
) -> tuple[list[int], Float64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "bottoms"]]:  # fmt: skip
    """Blocks on one another; their ids, places along x, half widths and the heights of their bottoms (and the top)."""
    halves = rng.uniform(*wide, num)
    depths, heights = rng.uniform(0.18, 0.26, num), rng.uniform(*high, num)
    places = x + tower_offsets(rng, halves, halves * depths * heights, fails)
    bottoms = np.concatenate([[0.0], np.cumsum(heights)])
    surface = lab.feel("rubber", density=density)
    ids = [
        lab.block(float(places[i]), float(rng.uniform(-0.015, 0.015)), float(bottoms[i]),
                  (2 * float(halves[i]), float(depths[i]), float(heights[i])), surface=surface)
        for i in range(num)
    ]  # fmt: skip
    return ids, places, halves, bottoms


def _propped(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.2, 1.0))
    every_s = float(rng.choice([0.12, 0.16, 0.2]))
    # What topples goes along +x: toward a camera that is ahead of it, away from one behind. Dominoes go left and right.
    side = draw_side(rng, (0, 0, 1, 2, 2, 2, 2, 2, 3))
    num = int(rng.integers(2, 5))
    fails = int(rng.integers(num - 1)) if rng.random() < 0.7 else None
    ids, places, halves, bottoms = _tower(rng, lab, num, fails)
    if fails is None:  # the prop stands under whichever block hangs out most, towards +x
        over = [places[i + 1] + halves[i + 1] - places[i] - halves[i] for i in range(num - 1)]
        level = int(np.argmax(over))
    else:
        level = fails
    carried = level + 1
    right = float(places[carried] + halves[carried])
    low = float((places + halves)[: level + 1].max())
    x = max(right - 0.035, low + 0.055)
    width, breadth = 0.08, 0.16 if math.cos(side) > -0.7 else 0.36  # from behind, it is seen on both sides of the tower
    prop = lab.block(
        x,
        0.0,
        0.0,
        (width, breadth, float(bottoms[carried]) - 0.0003),
        category="plank",
        motion="scripted",
        surface=FACE,
    )
    away = float(rng.choice([-1.0, 1.0]))
    last = shown_s(config, every_s)
    speed = float(rng.uniform(0.2, 0.3)) * (1.0 if breadth < 0.2 else 1.6)
    path = Path(
        object_id=prop,
        start_m=lab.at(x, 0.0, 0.0),
        velocity_mps=lab.way(0.0, away * speed),
        begin_s=last - float(rng.uniform(0.1, 0.25)),
        end_s=last + 4.0,
    )
    top = float(bottoms[-1])
    view = lab.points((-0.45, -0.45, 0.0), (0.55, 0.45, 0.0), (0.55, -0.45, 0.0), (-0.45, 0.45, top), (0.5, 0.0, top))
    return stage_lab(
        rng,
        library,
        config,
        lab,
        "stack",
        view_m=view,
        every_s=every_s,
        paths=(path,),
        must_see=(*ids[-2:], prop),
        side_rad=side,
    )


def _rolled_at(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.7, 1.0))
    every_s = float(rng.choice([0.08, 0.12]))
    outcome = str(rng.choice(["fast", "slow", "past"], p=[0.55, 0.2, 0.25]))
    num = int(rng.integers(3, 5))
    radius = float(rng.uniform(0.13, 0.16))
    surface = {"fast": "wood", "slow": "foam", "past": str(rng.choice(["wood", "foam"]))}[outcome]
    speed = float(rng.uniform(1.1, 1.5)) if outcome == "fast" else float(rng.uniform(0.3, 0.7))
    if speed * shown_s(config, every_s) > 1.1:
        every_s = 0.08 if speed < 1.0 else 0.04
    last = shown_s(config, every_s)
    ids, _, _, bottoms = _tower(rng, lab, num, None, x=0.65, density=170.0, wide=(0.055, 0.075), high=(0.1, 0.14))
    ahead = speed * float(rng.uniform(0.4, 0.7 if outcome == "fast" else 1.3))
    y = 0.0 if outcome != "past" else float(rng.choice([-1, 1])) * (radius + float(rng.uniform(0.22, 0.32)))
    begin = 0.65 - 0.08 - radius - ahead - speed * last
    ball = lab.ball(
        begin, y, 0.0, radius, lab.round_feel(surface, slowing=float(rng.uniform(0.01, 0.04)), radius_m=radius)
    )
    top = float(bottoms[-1])
    low = max(begin, -1.2)
    view = lab.points((low, -0.3, 0.0), (low, 0.3, 0.2), (1.0, -0.4, 0.0), (1.0, 0.4, 0.0), (0.7, 0.0, top))
    return stage_lab(
        rng, library, config, lab, "stack", view_m=view, every_s=every_s,
        velocities={ball: lab.rolling(radius, speed)}, must_see=(ball, *ids[-2:]),
    )  # fmt: skip
