"""On a table: a ball that rolls towards the edge, a plank that hangs over it, a block that is pushed to it; and pushes on the floor.

What happens is drawn first, then places and speeds that lead to it, with a margin that a start changed by 2 % does not eat up.
"""

import numpy as np

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.experiments_film import draw_side, open_lab, shown_s, stage_lab
from video3d.data.simulate.experiments_lab import Lab
from video3d.data.simulate.experiments_script import FACE, Path
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed

_TABLES = ("table", "desk", "coffee table")


def flat_top(asset: Asset) -> bool:
    """Whether one collision box makes up the whole top, its corners are not round and nothing stands above it."""
    if asset.support_height_m is None or asset.support_bounds_m is None:
        return False
    low, high = np.array(asset.support_bounds_m[:2]), np.array(asset.support_bounds_m[2:])
    boxes = asset.collision_boxes_m
    tops = boxes[:, 2] + boxes[:, 5]
    level = np.abs(tops - asset.support_height_m) < 2e-3
    covers = (boxes[:, :2] - boxes[:, 3:5] < low + 0.03) & (boxes[:, :2] + boxes[:, 3:5] > high - 0.03)
    if bool((tops > asset.support_height_m + 2e-3).any()) or not bool((level & covers.all(axis=1)).any()):
        return False
    drawn = np.concatenate([part.vertices_m for part in asset.parts])
    drawn = drawn[np.abs(drawn[:, 2] - asset.support_height_m) < 0.02, :2]
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    return len(drawn) > 0 and bool((np.linalg.norm(drawn[:, None] - corners, axis=2).min(axis=0) < 0.04).all())


def put_table(
    rng: np.random.Generator, lab: Lab, library: AssetLibrary, config: StageConfig, *, length_m: float = 0.9
) -> tuple[int, float, float, float]:
    """A table in the lab's middle, its longer side along x: its id, half length, half width and height.

    Errors: ``StagingFailed`` where the library has no table with a flat top of that length.
    """
    found = [
        a
        for a in library.of(*_TABLES, test=config.split == "test")
        if flat_top(a) and length_m <= float(a.size_m[:2].max()) <= 1.9 and 0.35 <= float(a.size_m[2]) <= 0.95
        and float(a.size_m[:2].min()) > 0.45
    ]  # fmt: skip
    if not found:
        raise StagingFailed("no table with a flat top")
    asset = found[int(rng.integers(len(found)))]
    assert asset.support_height_m is not None
    x0, y0, x1, y1 = asset.support_bounds_m or (0.0, 0.0, 0.0, 0.0)
    turned = y1 - y0 > x1 - x0
    table = lab.furniture(asset, 0.0, 0.0, np.pi / 2 if turned else 0.0)
    half_x, half_y = ((y1 - y0) / 2, (x1 - x0) / 2) if turned else ((x1 - x0) / 2, (y1 - y0) / 2)
    if abs(x0 + x1) + abs(y0 + y1) > 0.02:
        raise StagingFailed("the table's top is off its middle")
    return table, float(half_x), float(half_y), float(asset.support_height_m)


def table_roll(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls over a table and falls off its edge, stops before it, or meets a block that stands in its way."""
    lab = open_lab(rng, half_m=(1.5, 1.1))
    table, half_x, half_y, top = put_table(rng, lab, library, config, length_m=1.0)
    outcome = str(rng.choice(["falls", "stops", "blocked"], p=[0.62, 0.2, 0.18]))
    radius = float(rng.uniform(0.075, 0.1))
    within_s = 0.5 if rng.random() < 0.5 else 1.6  # from the last frame until it is at the edge, unless it stops
    for _ in range(600):
        every_s = float(rng.choice([0.08, 0.12]))
        last = shown_s(config, every_s)
        speed, slowing = float(rng.uniform(0.18, 0.6)), float(rng.uniform(0.03, 0.4))
        reach = speed**2 / (2 * slowing)
        left = float(rng.uniform(0.1, 0.6))  # of the way to the edge at the last frame
        begin = half_x - left - speed * last - slowing * last**2 / 2
        fits = begin > -half_x + radius and speed * last > 0.2
        if outcome == "stops":
            fits = fits and 0.4 * left < reach < 0.82 * left
        else:
            fits = fits and reach > 1.35 * left and left / speed < within_s
        if fits:
            break
    else:
        raise StagingFailed("the table is too short for the ball")
    side_rad = draw_side(rng)
    near = float(np.sign(np.sin(side_rad)))  # the ball rolls on the camera's side of the table: the block would hide it
    y = near * float(rng.uniform(0.0, 0.4)) * (half_y - radius)
    material = str(rng.choice(["wood", "rubber", "foam"]))
    ball = lab.ball(begin, y, top, radius, lab.round_feel(material, slowing=slowing, radius_m=radius))
    size = float(rng.uniform(0.13, 0.17))
    side = -near
    if outcome == "blocked":
        x = half_x - size / 2 - 0.02 - float(rng.uniform(0.0, 0.1)) * left
        block = lab.block(x, y + float(rng.uniform(-0.02, 0.02)), top, (size, 2.2 * size, 1.3 * size),
                          surface=lab.feel("rubber", density=900.0))  # fmt: skip
    else:
        x = float(rng.uniform(0.1, 0.8)) * half_x
        block = lab.block(x, y + side * (radius + size / 2 + float(rng.uniform(0.08, 0.14))), top,
                          (size, size, size * float(rng.uniform(0.8, 1.5))), surface=lab.feel())  # fmt: skip
        if y + side * (radius + size + 0.1) > half_y or y + side * (radius + size + 0.1) < -half_y:
            raise StagingFailed("the table is too narrow")
    lab.block(half_x + float(rng.uniform(0.35, 0.6)), side * float(rng.uniform(0.35, 0.6)), 0.0, (0.24, 0.24, 0.2))
    view = lab.points((-half_x, -half_y, top), (-half_x, half_y, top), (half_x, half_y, top), (half_x, -half_y, top),
                      (begin, y, top + 2 * radius), (half_x + 0.35, 0.0, top * 0.4))  # fmt: skip
    return stage_lab(
        rng, library, config, lab, "table_roll", view_m=view, every_s=every_s, side_rad=side_rad, must_see=(ball, table, block)[:2],
        velocities={ball: lab.rolling(radius, speed + slowing * last)},
    )  # fmt: skip


def overhang(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A plank reaches over a table's edge with a weight on it; the post under its outer end is drawn away."""
    lab = open_lab(rng, half_m=(1.4, 1.0))
    table, half_x, half_y, top = put_table(rng, lab, library, config, length_m=0.9)
    falls = bool(rng.random() < 0.72)
    length, thick = float(rng.uniform(0.7, 0.95)), 0.035
    width = float(rng.uniform(0.16, 0.24))
    side = float(rng.uniform(0.12, 0.18))
    heavy = float(rng.uniform(600.0, 1200.0))
    mass_plank, mass_block = 400.0 * length * width * thick, heavy * side**3
    for _ in range(300):
        out = float(rng.uniform(0.25, 0.6)) * length  # beyond the edge
        middle = out - length / 2  # from the edge
        block_at = float(rng.uniform(-(length - out) + side / 2, out - side / 2 - 0.02))
        com = (mass_plank * middle + mass_block * block_at) / (mass_plank + mass_block)
        if (com > 0.05 if falls else com < -0.05) and abs(com) < 0.18 and abs(block_at) > side / 2 + 0.01:
            break
    else:
        raise StagingFailed("no place for the weight")
    y = float(rng.uniform(-0.3, 0.3)) * half_y
    surface = lab.feel("rubber", density=400.0)
    plank = lab.block(half_x + middle, y, top, (length, width, thick), surface=surface, category="plank")
    block = lab.block(half_x + block_at, y, top + thick, (side, side, side), surface=lab.feel("rubber", density=heavy))
    lab.block(-half_x * 0.6, y - np.sign(y or 1.0) * half_y * 0.6, top, (0.13, 0.13, 0.16))
    post_x = half_x + out - 0.05
    post = lab.cylinder(post_x, y, 0.0, 0.045, top - 0.0003, surface=FACE, motion="scripted")
    every_s = float(rng.choice([0.12, 0.16, 0.2]))
    last = shown_s(config, every_s)
    speed = float(rng.uniform(0.2, 0.3))
    away = float(rng.choice([-1.0, 1.0]))
    path = Path(
        object_id=post,
        start_m=lab.at(post_x, y, 0.0),
        velocity_mps=lab.way(0.0, away * speed),
        begin_s=last - float(rng.uniform(0.1, 0.25)),
        end_s=last + 4.0,
    )
    view = lab.points((-half_x, -half_y, top), (-half_x, half_y, top), (half_x + out, y, top), (half_x, y, top + side),
                      (half_x + out, y, 0.0), (0.0, -half_y, top + 0.2))  # fmt: skip
    return stage_lab(
        rng, library, config, lab, "overhang", view_m=view, every_s=every_s, paths=(path,),
        must_see=(plank, block, table, post), side_rad=draw_side(rng, (0, 0, 1, 2, 2, 2, 3)),
    )  # fmt: skip


def push(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A pusher drives a block or a row of two towards a table's edge, or on the floor towards another thing."""
    return _push_on_table(rng, library, config) if rng.random() < 0.65 else _push_on_floor(rng, library, config)


def _push_on_table(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.5, 1.1))
    table, half_x, half_y, top = put_table(rng, lab, library, config, length_m=0.9)
    falls = bool(rng.random() < 0.8)
    every_s = float(rng.choice([0.12, 0.16]))
    last = shown_s(config, every_s)
    num = 2 if rng.random() < 0.7 else 1
    sizes = [float(v) for v in rng.uniform(0.12, 0.17, num)]
    y = float(rng.uniform(-0.3, 0.3)) * (half_y - 0.2)
    thick = 0.06
    for _ in range(300):
        speed = float(rng.uniform(0.06, 0.3))
        start = float(rng.uniform(-half_x + 0.05, 0.2))  # the pusher's face
        touch = float(rng.uniform(0.2, 0.9)) * last  # when it meets the first block
        front = start + touch * speed + sum(sizes)  # of the row, before it moves
        now = front + (last - touch) * speed
        tip = (half_x + sizes[-1] / 2 - now) / speed  # from the last frame until the foremost block tips
        # The one behind tips when the pusher, which goes to the edge, has brought it as far.
        all_tip = tip + (sizes[0] / 2 + sizes[-1] / 2) / speed if num == 2 else tip
        if now < half_x - 0.05 and speed * last > 0.1 and (tip > 0.2 and all_tip < 2.5 if falls else tip > 4.2):
            break
    else:
        raise StagingFailed("the table is too short for the push")
    x, ids = start + touch * speed, []
    for size in sizes:
        ids.append(lab.block(x + size / 2, y, top, (size - 0.0005, size, size), surface=lab.feel("wood")))
        x += size
    height = min(sizes) * 0.7
    color = lab.color("block")
    pusher = lab.block(
        start - thick / 2, y, top + 0.004, (thick, 0.14, height), surface=FACE, motion="scripted", color=color
    )
    other = -float(np.sign(y) or 1.0) * (half_y - 0.1)
    if abs(other - y) > 0.26:
        lab.cylinder(float(rng.uniform(-0.2, 0.6)) * half_x, other, top, 0.06, 0.18)
    path = Path(
        object_id=pusher,
        start_m=lab.at(start - thick / 2, y, top + 0.004),
        velocity_mps=lab.way(speed, 0.0),
        end_s=min(last + 4.0, (half_x - start) / speed),
    )
    view = lab.points((-half_x, -half_y, top), (-half_x, half_y, top), (half_x, half_y, top), (half_x, -half_y, top),
                      (half_x + 0.3, y, top * 0.4), (0.0, y, top + 0.18))  # fmt: skip
    return stage_lab(
        rng, library, config, lab, "push", view_m=view, every_s=every_s, paths=(path,), side_rad=draw_side(rng, (0, 1, 1, 2, 3, 3)),
        must_see=(ids[-1], table, pusher),
    )  # fmt: skip


def _push_on_floor(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.5, 1.0))
    outcome = str(rng.choice(["hits", "misses", "late"], p=[0.6, 0.25, 0.15]))
    every_s = float(rng.choice([0.12, 0.16]))
    last = shown_s(config, every_s)
    speed = float(rng.uniform(0.15, 0.3))
    size = float(rng.uniform(0.18, 0.26))
    touch = float(rng.uniform(0.2, 0.8)) * last
    wait = (
        float(rng.uniform(4.0, 5.0))
        if outcome == "late"
        else float(rng.choice([rng.uniform(0.25, 0.75), rng.uniform(0.5, 2.3)]))
    )
    start = -0.9 if outcome == "late" else -0.7
    goal = start + touch * speed + size + (last - touch + wait) * speed  # the face of what may be hit
    half = float(rng.uniform(0.09, 0.13))
    aside = (
        0.0 if outcome != "misses" else float(rng.choice([-1, 1])) * (size / 2 + half + float(rng.uniform(0.1, 0.2)))
    )
    block = lab.block(
        start + touch * speed + size / 2, 0.0, 0.0, (size, size, size), surface=lab.feel("wood", density=250.0)
    )
    thick = 0.08
    pusher = lab.block(start - thick / 2, 0.0, 0.004, (thick, 0.3, size * 0.75), surface=FACE, motion="scripted")
    height = float(rng.uniform(0.25, 0.45))
    if rng.random() < 0.5:
        other = lab.cylinder(goal + half, aside, 0.0, half, height, surface=lab.feel("wood", density=300.0))
    else:
        other = lab.block(
            goal + half, aside, 0.0, (2 * half, 2 * half, height), surface=lab.feel("wood", density=300.0)
        )
    lab.ball(goal - 0.3, -np.sign(aside or 1.0) * 0.65, 0.0, 0.12, lab.round_feel("wood", slowing=0.2))
    path = Path(
        object_id=pusher,
        start_m=lab.at(start - thick / 2, 0.0, 0.004),
        velocity_mps=lab.way(speed, 0.0),
        end_s=last + 4.0,
    )
    view = lab.points((start - 0.1, -0.3, 0.0), (start - 0.1, 0.3, 0.0), (goal + 0.3, -0.45, 0.0), (goal + 0.3, 0.45, 0.0),
                      (goal, 0.0, height))  # fmt: skip
    return stage_lab(
        rng, library, config, lab, "push", view_m=view, every_s=every_s, paths=(path,), must_see=(block, other, pusher)
    )
