"""What falls: things let go at heights, a row of dominoes, and what a still pile does when a part of it is taken away."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiments_film import draw_side, open_lab, shown_s, stage_lab
from video3d.data.simulate.experiments_lab import Lab
from video3d.data.simulate.experiments_script import FACE, Hold, Path
from video3d.data.simulate.stage import StageConfig, StagedClip


def drop(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Two or three things lie on trays that are drawn away from under them; below are the floor and what they may land on."""
    lab = open_lab(rng, half_m=(1.2, 0.9))
    every_s = float(rng.choice([0.04, 0.08, 0.12]))
    last = shown_s(config, every_s)
    num = 2 if rng.random() < 0.4 else 3
    xs = (np.arange(num) - (num - 1) / 2) * 0.62
    # So far apart that it is clear which of two lands first: 0.15 s and more.
    levels = [rng.uniform(0.3, 0.38), rng.uniform(1.25, 1.5), rng.uniform(0.75, 0.85)]
    heights = rng.permutation(levels[:num])
    draw_at = last - float(rng.uniform(0.05, 0.25))  # when the trays begin to go
    side = draw_side(rng, (1, 3))
    back = -float(np.sign(np.sin(side)))  # the trays go away from the camera
    ids, holds, paths = [], [], []
    for x, height in zip(xs.tolist(), heights.tolist(), strict=True):
        speed = float(rng.uniform(1.2, 1.6))
        tray = lab.block(x, 0.0, height - 0.025, (0.3, 0.3, 0.02), surface=FACE, motion="scripted", category="plank")
        paths.append(
            Path(object_id=tray, start_m=lab.at(x, 0.0, height - 0.025), velocity_mps=lab.way(0.0, back * speed),
                 begin_s=draw_at, end_s=draw_at + 0.62 / speed)
        )  # fmt: skip
        thing = _thing(rng, lab, x, height)
        holds.append(Hold(object_id=thing, until_s=draw_at + 0.34 / speed))
        ids.append(thing)
        if rng.random() < 0.3:  # else it falls to the floor, and one may ask what is there first
            _landing(rng, lab, x)
    view = lab.points((float(xs[0]) - 0.35, 0.0, 0.0), (float(xs[-1]) + 0.35, 0.0, 0.0), (0.0, -0.4, 0.0),
                      (float(xs[0]) - 0.2, 0.0, float(heights.max()) + 0.25),
                      (float(xs[-1]) + 0.2, 0.0, float(heights.max()) + 0.25))  # fmt: skip
    return stage_lab(
        rng, library, config, lab, "drop", view_m=view, every_s=every_s, side_rad=side, holds=tuple(holds),
        paths=tuple(paths), must_see=tuple(ids),
    )  # fmt: skip


def _thing(rng: np.random.Generator, lab: Lab, x: float, z: float) -> int:
    if rng.random() < 0.5:
        material = str(rng.choice(["rubber", "wood", "foam"]))
        radius = float(rng.uniform(0.08, 0.12))
        return lab.ball(x, 0.0, z, radius, lab.round_feel(material, slowing=0.25, radius_m=radius))
    size = float(rng.uniform(0.13, 0.19))
    if rng.random() < 0.3:
        return lab.cylinder(x, 0.0, z, size / 2, size, surface=lab.feel("wood"))
    return lab.block(x, 0.0, z, (size, size, size * float(rng.uniform(0.7, 1.2))), surface=lab.feel("wood"))


def _landing(rng: np.random.Generator, lab: Lab, x: float) -> None:
    """Something wide right below, or a block beside the way down."""
    if rng.random() < 0.6:
        lab.block(x, 0.0, 0.0, (0.42, 0.42, float(rng.uniform(0.1, 0.22))), surface=lab.feel("rubber", density=800.0))
    else:
        lab.block(x + 0.05, float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.4)), 0.0, (0.2, 0.2, 0.24))


def dominoes(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls at a row of dominoes; a gap in it may be too wide, or the ball rolls past."""
    lab = open_lab(rng, half_m=(1.6, 0.9))
    every_s = float(rng.choice([0.08, 0.12]))
    last = shown_s(config, every_s)
    num = int(rng.integers(4, 7))
    height, thick, width = float(rng.uniform(0.26, 0.34)), 0.045, float(rng.uniform(0.15, 0.2))
    outcome = str(rng.choice(["all", "gap", "past"], p=[0.35, 0.42, 0.23]))
    gaps = rng.uniform(0.4, 0.62, num - 1) * height
    if outcome == "gap":
        gaps[int(rng.integers(0, num - 1))] = height * float(rng.uniform(1.45, 1.7)) + thick
    places = -0.25 + np.concatenate([[0.0], np.cumsum(gaps)])
    ids = [
        lab.block(
            float(x), 0.0, 0.0, (thick, width, height), category="domino", surface=lab.feel("rubber", density=600.0)
        )
        for x in places
    ]
    radius = float(rng.uniform(0.1, 0.13))
    speed = float(rng.uniform(0.5, 0.8))
    wait = float(rng.uniform(0.12, 0.6))
    y = 0.0 if outcome != "past" else float(rng.choice([-1, 1])) * (radius + width / 2 + float(rng.uniform(0.12, 0.2)))
    begin = float(places[0]) - thick / 2 - radius - speed * (wait + last)
    ball = lab.ball(begin, y, 0.0, radius, lab.round_feel("wood", slowing=0.03, radius_m=radius))
    low = max(begin, -1.3)
    end = float(places[-1])
    view = lab.points((low, -0.2, 0.0), (low, 0.2, 2 * radius), (end + 0.3, -0.2, 0.0), (end + 0.3, 0.2, 0.0), (end, 0.0, height),
                      (float(places[0]), 0.0, height))  # fmt: skip
    side = float(rng.choice([-1, 1]) * np.pi / 2 + rng.uniform(-0.75, 0.75))
    return stage_lab(
        rng, library, config, lab, "dominoes", view_m=view, every_s=every_s, side_rad=side,
        velocities={ball: lab.rolling(radius, speed + 0.03 * last)}, must_see=(ball, ids[0], ids[1]),
    )  # fmt: skip


def support(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A still pile: a bridge with things on it, a tower, or a plank that leans out over its support under a weight."""
    lab = open_lab(rng, half_m=(1.2, 0.9))
    every_s = float(rng.choice([0.12, 0.2, 0.28]))
    make = (_bridge, _pile, _counterweight)[int(rng.integers(3))]
    ids, removals, top = make(rng, lab)
    size = float(rng.uniform(0.15, 0.22))
    aside = float(rng.choice([-1, 1])) * float(rng.uniform(0.72, 0.85))
    if rng.random() < 0.5:
        alone = lab.block(aside, float(rng.uniform(-0.3, 0.3)), 0.0, (size, size, size))
    else:
        alone = lab.cylinder(aside, float(rng.uniform(-0.3, 0.3)), 0.0, size / 2, size * 1.4)
    ids.append(alone)
    view = lab.points((-0.55, -0.3, 0.0), (0.55, -0.3, 0.0), (0.55, 0.3, 0.0), (-0.55, 0.3, 0.0), (0.45, 0.0, top),
                      (-0.45, 0.0, top), (aside, 0.0, 0.0))  # fmt: skip
    side = float(rng.choice([-1, 1]) * np.pi / 2 + rng.uniform(-0.6, 0.6))
    return stage_lab(
        rng, library, config, lab, "support", view_m=view, every_s=every_s, side_rad=side, must_see=tuple(ids[:3]),
        removals=tuple(removals),
    )  # fmt: skip


def _bridge(rng: np.random.Generator, lab: Lab) -> tuple[list[int], list[int], float]:
    """A plank on two or three supports, one or two things on it."""
    height = float(rng.uniform(0.2, 0.32))
    length = float(rng.uniform(0.8, 1.0))
    surface = lab.feel("rubber", density=450.0)
    middle = bool(rng.random() < 0.35)
    places = [-0.42 * length, 0.42 * length, *([float(rng.uniform(-0.03, 0.03))] if middle else [])]
    posts = [lab.block(x, 0.0, 0.0, (0.13, 0.2, height), surface=surface) for x in places]
    plank = lab.block(0.0, 0.0, height, (length, 0.22, 0.035), surface=surface, category="plank")
    ids = [plank, *posts]
    on = [float(rng.uniform(-0.38, -0.12)), float(rng.uniform(0.12, 0.38))][: 1 if rng.random() < 0.4 else 2]
    if len(on) == 1:
        on = [on[0] * float(rng.choice([-1, 1]))]
    for x in on:
        side = float(rng.uniform(0.12, 0.16))
        if rng.random() < 0.5:
            ids.append(lab.cylinder(x * length, 0.0, height + 0.035, side / 2, side * 1.2, surface=surface))
        else:
            ids.append(lab.block(x * length, 0.0, height + 0.035, (side, side, side), surface=surface))
    return ids, [*posts[: 2 + int(middle)], plank][:3], height + 0.3


def _pile(rng: np.random.Generator, lab: Lab) -> tuple[list[int], list[int], float]:
    """Blocks on one another, and another on a second foot."""
    surface = lab.feel("rubber", density=450.0)
    z, ids, x = 0.0, [], float(rng.uniform(-0.25, -0.15))
    for _ in range(int(rng.integers(2, 5))):
        size = (float(rng.uniform(0.16, 0.26)), float(rng.uniform(0.18, 0.24)), float(rng.uniform(0.11, 0.17)))
        ids.append(lab.block(x + float(rng.uniform(-0.03, 0.03)), 0.0, z, size, surface=surface))
        z += size[2]
    foot = lab.cylinder(0.3, 0.0, 0.0, 0.1, float(rng.uniform(0.15, 0.3)), surface=surface)
    removals = [ids[0], ids[-1], foot] if rng.random() < 0.5 else [ids[len(ids) // 2], ids[0]]
    return [*ids, foot], list(dict.fromkeys(removals)), max(z, 0.3)


def _counterweight(rng: np.random.Generator, lab: Lab) -> tuple[list[int], list[int], float]:
    """A plank over one support, held down by a weight on its inner end while another lies farther out."""
    surface = lab.feel("rubber", density=450.0)
    height, length = float(rng.uniform(0.2, 0.32)), float(rng.uniform(0.75, 0.9))
    base = lab.block(-0.12, 0.0, 0.0, (0.3, 0.22, height), surface=surface)
    plank = lab.block(
        -0.12 + 0.18, 0.0, height, (length, 0.2, 0.035), surface=lab.feel("rubber", density=300.0), category="plank"
    )
    heavy = lab.block(-0.12 + 0.18 - length / 2 + 0.1, 0.0, height + 0.035, (0.18, 0.18, 0.18),
                      surface=lab.feel("rubber", density=1100.0))  # fmt: skip
    light = lab.block(0.06 + length / 2 - float(rng.uniform(0.08, 0.14)), 0.0, height + 0.035, (0.11, 0.11, 0.11),
                      surface=lab.feel("rubber", density=500.0))  # fmt: skip
    return [plank, heavy, light, base], [heavy, light, base], height + 0.25
