"""Stacks: a tower of blocks that a prop holds up until it is drawn away, or that a ball rolls towards; and a plank over an edge.

Whether a tower stands is drawn first. A tower stands by itself if, at every level, the centre of mass of all that is above lies
over the block below; here it lies clearly within or clearly outside.
"""

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiments_film import open_lab, shown_s, stage_lab
from video3d.data.simulate.experiments_lab import Lab
from video3d.data.simulate.experiments_script import FACE, Path
from video3d.data.simulate.stage import StageConfig, StagedClip

_MARGIN = 0.16  # of a block's half width, by which the centre of mass lies inside or outside its edge


def stack(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A stack of two to five blocks: a prop is drawn away from under it, a ball rolls at it, or it just stands."""
    draw = rng.random()
    if draw < 0.55:
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
    steps = np.zeros(num)
    for level in range(num - 1):  # where the next block's centre is, from this one's
        steps[level] = rng.uniform(-0.28, 0.28) * halves_m[level]
    if fails is not None:
        steps[fails] = 0.0
    places = np.concatenate([[0.0], np.cumsum(steps[:-1])])
    for level in range(num - 1):
        above = masses_kg[level + 1 :] @ places[level + 1 :] / masses_kg[level + 1 :].sum() - places[level]
        inside = (1 - _MARGIN) * halves_m[level]
        if level == fails:
            wanted = halves_m[level] * rng.uniform(1 + _MARGIN, 1.4)
            places[level + 1 :] += wanted - above
        elif abs(above) > inside:
            places[level + 1 :] -= above - np.sign(above) * inside * 0.8
    return places


def _tower(
    rng: np.random.Generator, lab: Lab, num: int, fails: int | None, *, x: float = 0.0, density: float = 400.0,
    wide: tuple[float, float] = (0.09, 0.15),
) -> tuple[list[int], Float64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "n"]]:  # fmt: skip
    """Blocks on one another; their ids, places along x, half widths and the heights of their bottoms (and the top)."""
    halves = rng.uniform(*wide, num)
    depths, heights = rng.uniform(0.18, 0.26, num), rng.uniform(0.12, 0.2, num)
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
    num = int(rng.integers(2, 5))
    fails = int(rng.integers(num - 1)) if rng.random() < 0.5 else None
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
    width = 0.08
    color = lab.color("cylinder")
    prop = lab.builder.box(
        "plank", lab.at(x, 0.0, 0.0), (width, 0.16, float(bottoms[carried]) - 0.0003), lab.look(color),
        yaw_rad=lab.yaw_rad, motion="scripted", surface=FACE, color=lab.color("plank"),
    )  # fmt: skip
    del color
    away = float(rng.choice([-1.0, 1.0]))
    last = shown_s(config, every_s)
    speed = float(rng.uniform(0.25, 0.45))
    path = Path(
        object_id=prop,
        start_m=lab.at(x, 0.0, 0.0),
        velocity_mps=lab.way(0.0, away * speed),
        begin_s=last - float(rng.uniform(0.1, 0.25)),
        end_s=last + 0.9 / speed,
    )
    top = float(bottoms[-1])
    view = lab.points((-0.45, -0.45, 0.0), (0.55, 0.45, 0.0), (0.55, -0.45, 0.0), (-0.45, 0.45, top), (0.5, 0.0, top))
    return stage_lab(
        rng, library, config, lab, "stack", view_m=view, every_s=every_s, paths=(path,), must_see=(*ids, prop)[:4]
    )


def _rolled_at(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.7, 1.0))
    every_s = float(rng.choice([0.08, 0.12]))
    last = shown_s(config, every_s)
    outcome = str(rng.choice(["topples", "light", "past"], p=[0.5, 0.25, 0.25]))
    num = int(rng.integers(2, 5))
    radius = float(rng.uniform(0.1, 0.15))
    ids, _, _, bottoms = _tower(rng, lab, num, None, x=0.75, density=250.0 if outcome == "topples" else 500.0,
                                wide=(0.07, 0.11))  # fmt: skip
    material = {"topples": "wood", "light": "foam", "past": str(rng.choice(["wood", "foam"]))}[outcome]
    speed = float(rng.uniform(1.0, 1.5)) if outcome == "topples" else float(rng.uniform(0.35, 0.7))
    ahead = speed * float(rng.uniform(0.45, 1.1))
    ahead = min(ahead, 0.9)
    y = 0.0 if outcome != "past" else float(rng.choice([-1, 1])) * (radius + float(rng.uniform(0.2, 0.32)))
    begin = 0.75 - 0.15 - radius - ahead - speed * last
    if begin < -1.5:
        every_s, last = 0.08, shown_s(config, 0.08)
        begin = 0.75 - 0.15 - radius - ahead - speed * last
    ball = lab.ball(begin, y, 0.0, radius, lab.round_feel(material, slowing=float(rng.uniform(0.02, 0.08))))
    top = float(bottoms[-1])
    low = max(begin, -1.2)
    view = lab.points((low, -0.3, 0.0), (low, 0.3, 0.2), (1.1, -0.4, 0.0), (1.1, 0.4, 0.0), (0.8, 0.0, top))
    return stage_lab(
        rng, library, config, lab, "stack", view_m=view, every_s=every_s,
        velocities={ball: lab.rolling(radius, speed)}, must_see=(ball, *ids[:2]),
    )  # fmt: skip
