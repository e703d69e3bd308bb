"""What rolls: down ramps and steps and over the floor, towards things and past them, alone, together and against one another.

What happens is drawn first, then places and speeds that lead to it, with a margin that a start changed by 2 % does not eat up.
"""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.cart import BAR_M, DENSITY, HALF_M, cart
from video3d.data.simulate.experiments_film import draw_side, open_lab, shown_s, stage_lab
from video3d.data.simulate.experiments_lab import Lab
from video3d.data.simulate.scene import yaw_quat
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed

_MATERIALS = ("wood", "rubber", "foam")


def obstacle(
    rng: np.random.Generator,
    lab: Lab,
    x: float,
    y: float,
    half: float,
    *,
    heavy: bool = False,
    height: float | None = None,
) -> int:
    """A block or cylinder whose front is at x."""
    height = height or float(rng.uniform(0.16, 0.34))
    surface = lab.feel("wood", density=900.0 if heavy else float(rng.uniform(250, 500)))
    if rng.random() < 0.4:
        return lab.cylinder(x + half, y, 0.0, half, height, surface=surface)
    return lab.block(x + half, y, 0.0, (2 * half, 2 * half, height), surface=surface)


def aside(rng: np.random.Generator, reach: float, *, hit: bool) -> float:
    """How far off a ball's way a thing's middle is, where they touch if nearer than ``reach``."""
    if hit:
        return float(rng.choice([-1, 1]) * rng.uniform(0.0, 0.62) * reach)
    return float(rng.choice([-1, 1])) * (reach + float(rng.uniform(0.09, 0.2)))


def floor_roll(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls over the floor towards two things: it hits one or the other or none, or stops before them."""
    lab = open_lab(rng, half_m=(1.7, 1.1))
    every_s = float(rng.choice([0.08, 0.12, 0.16]))
    last = shown_s(config, every_s)
    outcome = str(rng.choice(["first", "second", "none", "short"], p=[0.5, 0.24, 0.13, 0.13]))
    radius = float(rng.uniform(0.1, 0.16))
    way = float(rng.uniform(0.55, 0.8))  # during the frames shown
    speed = way / last
    free = float(rng.uniform(0.35, 0.65))  # from the last frame to the first thing
    if outcome == "first" and rng.random() < 0.75:  # within a second
        free = max(0.1, speed * float(rng.uniform(0.25, 0.75)))
    slowing = float(rng.uniform(0.01, 0.03))
    if speed**2 / (2 * slowing) < 2.2 * (free + 0.5) or free / speed > 1.5:
        slowing = speed**2 / (2 * 2.4 * (free + 0.5))
    if outcome == "short":
        slowing = speed**2 / (2 * free * float(rng.uniform(0.4, 0.72)))
    begin = -1.15
    now = begin + speed * last + slowing * last**2 / 2
    first = now + radius + free
    second = first + float(rng.uniform(0.45, 0.6))
    ball = lab.ball(
        begin, 0.0, 0.0, radius, lab.round_feel(str(rng.choice(_MATERIALS)), slowing=slowing, radius_m=radius)
    )
    halves = rng.uniform(0.08, 0.13, 2).tolist()
    hits = (outcome in ("first", "short"), outcome == "second")
    offs = [aside(rng, radius + half, hit=hit) for half, hit in zip(halves, hits, strict=True)]
    ids = [obstacle(rng, lab, x, y, h) for x, y, h in zip((first, second), offs, halves, strict=True)]
    view = lab.points(
        (begin, -0.2, 0.0), (begin, 0.2, 2 * radius), (second + 0.25, -0.35, 0.0), (second + 0.25, 0.35, 0.2)
    )
    return stage_lab(
        rng, library, config, lab, "floor_roll", view_m=view, every_s=every_s, must_see=(ball, ids[0]),
        velocities={ball: lab.rolling(radius, speed + slowing * last)},
    )  # fmt: skip


def race(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Two or three balls roll side by side at different speeds, each towards a thing of its own or past it."""
    lab = open_lab(rng, half_m=(1.6, 1.1))
    every_s = float(rng.choice([0.12, 0.16]))
    last = shown_s(config, every_s)
    num = 2 if rng.random() < 0.6 else 3
    speeds = rng.permutation([0.2, 0.33, 0.52][-num:]) * rng.uniform(0.9, 1.1) * (1.8 / last)
    lanes = (np.arange(num) - (num - 1) / 2) * float(rng.uniform(0.5, 0.6))
    ids, velocities, farthest = [], {}, 0.0
    for lane, speed in zip(lanes.tolist(), speeds.tolist(), strict=True):
        radius = float(rng.uniform(0.1, 0.14))
        slowing = float(rng.uniform(0.005, 0.02))
        begin = float(rng.uniform(-1.15, -0.85))
        ball = lab.ball(
            begin, lane, 0.0, radius, lab.round_feel(str(rng.choice(_MATERIALS)), slowing=slowing, radius_m=radius)
        )
        velocities[ball] = lab.rolling(radius, speed + slowing * last)
        ids.append(ball)
        now = begin + speed * last
        farthest = max(farthest, now + 0.5)
        if rng.random() < 0.5:
            x = now + radius + speed * float(rng.choice([rng.uniform(0.25, 0.75), rng.uniform(0.6, 1.8)]))
            obstacle(rng, lab, x, lane + float(rng.uniform(-0.05, 0.05)), float(rng.uniform(0.08, 0.11)))
            farthest = max(farthest, x + 0.25)
    view = lab.points((-1.1, float(lanes[0]) - 0.15, 0.0), (-1.1, float(lanes[-1]) + 0.15, 0.2),
                      (farthest, float(lanes[0]) - 0.15, 0.0), (farthest, float(lanes[-1]) + 0.15, 0.2))  # fmt: skip
    return stage_lab(
        rng, library, config, lab, "race", view_m=view, every_s=every_s, must_see=tuple(ids), velocities=velocities
    )


def collide(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """Two balls roll towards one another or across one another's way, and meet or miss; or a cart runs at a pile of blocks."""
    draw = rng.random()
    if draw < 0.4:
        return _head_on(rng, library, config)
    return _crossing(rng, library, config) if draw < 0.7 else _cart(rng, library, config)


def _head_on(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.7, 0.9))
    every_s = float(rng.choice([0.08, 0.12]))
    last = shown_s(config, every_s)
    hit = bool(rng.random() < 0.5)
    radii = rng.uniform(0.1, 0.15, 2).tolist()
    speeds = (rng.uniform(0.3, 0.55, 2) / last * 1.2).tolist()
    gap = float(rng.uniform(0.4, 0.8))
    off = aside(rng, sum(radii), hit=hit)
    where = float(rng.uniform(-0.15, 0.15))
    starts = [where - gap / 2 - radii[0] - speeds[0] * last, where + gap / 2 + radii[1] + speeds[1] * last]
    ids, velocities = [], {}
    for sign, x, y, radius, speed in zip((1, -1), starts, (-off / 2, off / 2), radii, speeds, strict=True):
        ball = lab.ball(x, y, 0.0, radius, lab.round_feel(str(rng.choice(_MATERIALS)), slowing=0.02, radius_m=radius))
        velocities[ball] = lab.rolling(radius, sign * (speed + 0.02 * last))
        ids.append(ball)
    obstacle(rng, lab, where + float(rng.uniform(-0.2, 0.2)), float(rng.choice([-1, 1])) * 0.6, 0.1)
    view = lab.points(*((x, y, z) for x in starts for y in (-0.25, 0.25) for z in (0.0, 0.25)))
    return stage_lab(
        rng, library, config, lab, "collide", view_m=view, every_s=every_s, must_see=tuple(ids), velocities=velocities
    )


def _crossing(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.5, 1.3))
    every_s = float(rng.choice([0.08, 0.12]))
    last = shown_s(config, every_s)
    hit = bool(rng.random() < 0.5)
    radii = rng.uniform(0.11, 0.15, 2).tolist()
    speeds = (rng.uniform(0.45, 0.65, 2) / last).tolist()
    wait = float(rng.uniform(0.25, 0.5)) / max(speeds)
    late = 0.0 if hit else float(rng.choice([-1, 1])) * (1.5 * sum(radii) + 0.1) / min(speeds)
    x, y = -speeds[0] * (last + wait), -speeds[1] * (last + wait + late)
    first = lab.ball(
        x, 0.0, 0.0, radii[0], lab.round_feel(str(rng.choice(_MATERIALS)), slowing=0.01, radius_m=radii[0])
    )
    sign = float(rng.choice([-1, 1]))
    second = lab.ball(0.0, sign * y, 0.0, radii[1], lab.round_feel("wood", slowing=0.01, radius_m=radii[1]))
    obstacle(rng, lab, 0.45, -sign * float(rng.uniform(-0.1, 0.4)), 0.09)
    view = lab.points((x, 0.0, 0.0), (0.0, sign * y, 0.0), (0.5, 0.0, 0.25), (0.0, -sign * 0.4, 0.0), (x, 0.0, 0.25))
    return stage_lab(
        rng, library, config, lab, "collide", view_m=view, every_s=every_s, must_see=(first, second),
        velocities={
            first: lab.rolling(radii[0], speeds[0] + 0.01 * last),
            second: lab.rolling(radii[1], 0.0, sign * (speeds[1] + 0.01 * last)),
        },
    )  # fmt: skip


def _cart(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    lab = open_lab(rng, half_m=(1.6, 1.0))
    every_s = float(rng.choice([0.08, 0.12]))
    last = shown_s(config, every_s)
    outcome = str(rng.choice(["hits", "passes", "stops"], p=[0.5, 0.3, 0.2]))
    way, free = float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.3, 0.6))
    speed = way / last
    slowing = 0.02 * speed if outcome != "stops" else speed**2 / (2 * free * float(rng.uniform(0.45, 0.7)))
    breadth, half = HALF_M
    begin = -1.1
    surface = lab.feel("wood", density=DENSITY, friction=max(slowing / 9.81, 0.0005))
    made = cart(lab.color("cart"))
    wagon = lab.builder.asset(made, lab.at(begin, 0.0), lab.yaw_rad + np.pi / 2, motion="dynamic", surface=surface)
    lab.loose.append(wagon)
    front = begin + half + speed * last + slowing * last**2 / 2 + free
    size = float(rng.uniform(0.16, 0.22))
    reach = breadth + size / 2
    y = aside(rng, reach, hit=outcome != "passes")
    feel = lab.feel("wood", density=200.0)
    lower = lab.block(front + size / 2, y, 0.0, (size, size, size), surface=feel)
    if rng.random() < 0.7:
        lab.block(front + size / 2, y, size, (size * 0.8, size * 0.8, size * 0.8), surface=feel)
    obstacle(rng, lab, front + 0.5, -np.sign(y or 1.0) * 0.5, 0.1)
    view = lab.points(
        (begin - 0.2, -0.2, 0.0), (begin - 0.2, 0.2, BAR_M), (front + 0.4, -0.35, 0.0), (front + 0.4, 0.35, 0.3)
    )
    return stage_lab(
        rng, library, config, lab, "collide", view_m=view, every_s=every_s, must_see=(wagon, lower),
        velocities={wagon: lab.going(speed + slowing * last)},
    )  # fmt: skip


def put_ramp(
    lab: Lab, foot_x: float, y: float, length: float, slope_rad: float, width: float, *, toward: float = 1.0
) -> int:
    """A board on a stand that goes down towards +x (or -x); its lower end is at ``foot_x``. Returns its object id.

    The board is 1.5 cm thick and its lower edge rests on the floor.
    """
    thick, c, s = 0.015, float(np.cos(slope_rad)), float(np.sin(slope_rad))
    middle = np.array([-length / 2 * c + thick / 2 * s, 0.0, length / 2 * s + thick / 2 * c])
    turn = np.array([np.cos(slope_rad / 2), 0.0, np.sin(slope_rad / 2), 0.0])  # +x goes down
    boxes, quats = [[*middle, length / 2, width / 2, thick / 2]], [turn]
    for share in (0.35, 0.65, 0.95):
        high = length * share * s - 0.01
        if high > 0.02:
            boxes.append([-length * share * c, 0.0, high / 2, 0.02, width / 2 - 0.01, high / 2])
            quats.append(np.array(yaw_quat(0.0)))
    surface = lab.feel("wood")
    return lab.compound(
        "ramp",
        foot_x,
        y,
        0.0,
        np.array(boxes),
        quats=np.stack(quats),
        yaw_rad=0.0 if toward > 0 else np.pi,
        surface=surface,
    )


def _on_ramp(foot_x: float, up: float, slope_rad: float, radius: float) -> tuple[float, float]:
    """Place along x and height of the lowest point of a ball that lies on a ramp ``up`` metres up from its foot."""
    c, s = float(np.cos(slope_rad)), float(np.sin(slope_rad))
    thick = 0.015
    x, z = -up * c + (thick + radius) * s, up * s + (thick + radius) * c
    return foot_x + x, z - radius


def ramp(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball or two roll, or a block slides, down ramps and over the floor, towards something or past it."""
    lab = open_lab(rng, half_m=(1.8, 1.1))
    every_s = 0.08
    last = shown_s(config, every_s)
    two = bool(rng.random() < 0.35)
    lanes = [-0.33, 0.33] if two else [0.0]
    ids, ramps, far, foot, highest = [], [], 0.0, -0.35, 0.0
    halves = []
    for lane in lanes:
        slope, length = float(rng.uniform(np.radians(5), np.radians(11))), float(rng.uniform(0.9, 1.2))
        ramps.append(put_ramp(lab, foot, lane, length, slope, 0.36))
        highest = max(highest, length * np.sin(slope))
        if rng.random() < 0.75:
            radius = float(rng.uniform(0.09, 0.13))
            slowing = float(rng.choice([0.02, 0.05, 0.12]))
            pull = 5 / 7 * 9.81 * np.sin(slope) - slowing
            up = min(length - 0.1, pull * last**2 / 2 + float(rng.uniform(-0.15, 0.2)))
            x, z = _on_ramp(foot, up, slope, radius)
            ids.append(
                lab.ball(
                    x, lane, z, radius, lab.round_feel(str(rng.choice(_MATERIALS)), slowing=slowing, radius_m=radius)
                )
            )
            speed = float(np.sqrt(2 * pull * up))
            reach = speed**2 / (2 * slowing)
        else:
            size = float(rng.uniform(0.14, 0.18))
            slips = bool(rng.random() < 0.7)
            friction = float(np.tan(slope)) * float(rng.uniform(0.25, 0.5) if slips else rng.uniform(1.6, 2.5))
            up = length - 0.15
            x, z = _on_ramp(foot, up, slope, 0.0)
            quat = _tilted(lab.yaw_rad, slope)
            ids.append(
                lab.block(
                    x,
                    lane,
                    z,
                    (size, size, size * 0.8),
                    quat=quat,
                    surface=lab.feel("ice", friction=friction, density=400),
                )
            )
            radius, speed, reach = size / 2, 0.6, 0.3
        hit = bool(rng.random() < 0.5)
        half = float(rng.uniform(0.08, 0.12))
        front = foot + radius + min(max(0.35, speed * float(rng.uniform(0.3, 0.8))), 0.95)
        obstacle(
            rng,
            lab,
            front,
            lane + (aside(rng, radius + half, hit=hit) if not two else 0.6 * aside(rng, radius + half, hit=True)),
            half,
        )
        far = max(far, front + 0.3)
        halves.append(reach)
    view = lab.points((foot - 1.15, lanes[0] - 0.2, 0.0), (foot - 1.15, lanes[-1] + 0.2, float(highest) + 0.25), (far, lanes[0] - 0.3, 0.0),
                      (far, lanes[-1] + 0.3, 0.2))  # fmt: skip
    return stage_lab(
        rng,
        library,
        config,
        lab,
        "ramp",
        view_m=view,
        every_s=every_s,
        must_see=(*ids, ramps[0]),
        side_rad=draw_side(rng),
    )


def _tilted(yaw_rad: float, slope_rad: float) -> list[float]:
    """Quaternion of a turn about +z after a tilt of +x downwards."""
    cy, sy, cp, sp = np.cos(yaw_rad / 2), np.sin(yaw_rad / 2), np.cos(slope_rad / 2), np.sin(slope_rad / 2)
    return [float(cy * cp), float(-sy * sp), float(cy * sp), float(sy * cp)]


def stairs(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A ball rolls over the landing of a few steps: it goes down them and on over the floor, or stops before the first."""
    lab = open_lab(rng, half_m=(1.8, 1.0))
    every_s = float(rng.choice([0.08, 0.12]))
    last = shown_s(config, every_s)
    num = int(rng.integers(2, 5))
    rise, run, width = float(rng.uniform(0.07, 0.11)), float(rng.uniform(0.22, 0.28)), 0.6
    landing = float(rng.uniform(0.75, 0.9))
    edge = -0.5  # of the landing
    boxes = [[edge - landing / 2, 0.0, num * rise / 2, landing / 2, width / 2, num * rise / 2]]
    for step in range(1, num):
        high = (num - step) * rise
        boxes.append([edge + (step - 0.5) * run, 0.0, high / 2, run / 2, width / 2, high / 2])
    stair = lab.compound("stair", 0.0, 0.0, 0.0, np.array(boxes), surface=lab.feel("wood"))
    outcome = str(rng.choice(["down", "stops", "past"], p=[0.55, 0.27, 0.18]))
    radius = float(rng.uniform(0.09, 0.12))
    for _ in range(300):
        left = float(rng.uniform(0.12, 0.3))  # to the edge, at the last frame
        speed = float(rng.uniform(0.18, 0.5))
        slowing = speed**2 / (2 * left * float(rng.uniform(0.45, 0.75))) if outcome == "stops" else 0.02
        begin = edge - left - speed * last - slowing * last**2 / 2
        if begin > edge - landing + radius and (outcome != "stops" or speed / slowing < 2.0):
            break
    else:
        raise StagingFailed("the landing is too short for the ball")
    ball = lab.ball(
        begin,
        0.0,
        num * rise,
        radius,
        lab.round_feel("foam" if rng.random() < 0.7 else "wood", slowing=slowing, radius_m=radius),
    )
    foot = edge + (num - 1) * run
    front = foot + radius + float(rng.uniform(0.4, 0.7))
    half = 0.11
    target = obstacle(
        rng, lab, front, aside(rng, radius + half + 0.03, hit=outcome != "past"), half, heavy=True, height=0.3
    )
    view = lab.points(
        (edge - landing, -0.3, 0.0),
        (edge - landing, 0.3, num * rise + 0.2),
        (front + 0.3, -0.3, 0.0),
        (front + 0.3, 0.3, 0.0),
    )
    return stage_lab(
        rng, library, config, lab, "stairs", view_m=view, every_s=every_s, must_see=(ball, stair, target),
        velocities={ball: lab.rolling(radius, speed + slowing * last)},
    )  # fmt: skip
