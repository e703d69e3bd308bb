"""The street itself: ground, markings, kerbs, houses, sky and sun. See ``street_plan`` for where what is.

Houses, road and sidewalks belong to the building (``GROUND``, ``WALL``); everything else is an object, the crossing too.
"""

from dataclasses import dataclass, field

import numpy as np

from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.facades import facade_texture
from video3d.data.simulate.scene import Look, Surface
from video3d.data.simulate.street_plan import KERB_M, StreetPlan
from video3d.data.simulate.textures import Rgb
from video3d.data.simulate.textures_street import (
    asphalt_grey,
    asphalt_texture,
    grass_texture,
    kerb_texture,
    road_texture,
    sidewalk_texture,
)
from video3d.data.truth import GROUND

_REACH_M = 90.0  # how far the cross street and the blocks behind the houses go
_PAINT: Rgb = (0.84, 0.84, 0.82)
_FRONTS = 7  # different house fronts a street


@dataclass(slots=True, kw_only=True)
class Street:
    """A street with what stands in it; the furnishing adds to it.

    Attributes:
        plan: its measures.
        ids: object ids by role: ``crossing``, ``signal``, ``tree``, ``lamp``, ``parked``, ``thing``, ``person``.
        standing: x, y, yaw, half length and half breadth of what stands on the ground, for what moves to keep clear of.
        supports: all static objects stand on the ground.
    """

    plan: StreetPlan
    ids: dict[str, list[int]] = field(default_factory=dict)
    standing: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    supports: dict[int, int] = field(default_factory=dict)

    def add(self, role: str, object_id: int, footprint: tuple[float, float, float, float, float] | None = None) -> int:
        """Remembers an object; returns its id."""
        self.ids.setdefault(role, []).append(object_id)
        self.supports[object_id] = GROUND
        if footprint is not None:
            self.standing.append(footprint)
        return object_id


def build_street(
    builder: SceneBuilder, rng: np.random.Generator, plan: StreetPlan, *, road: Surface | None = None
) -> Street:
    """Builds ground, houses, sky and sun of a street, without anything that stands or moves in it.

    Args:
        builder: new; its ``far_m`` should be 150 m or more.
        rng: where looks come from.
        plan: where what is.
        road: how the ground feels to cars that are moved by physics.
    """
    _light(builder, rng)
    _ground(builder, rng, plan, road or Surface(friction=0.7))
    _houses(builder, rng, plan)
    return Street(plan=plan)


def _light(builder: SceneBuilder, rng: np.random.Generator) -> None:
    """Sunny, hazy, overcast or evening; never too dark to see."""
    mood = int(rng.choice(4, p=[0.45, 0.2, 0.2, 0.15]))
    azimuth, height = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.6, 1.2))
    warm = (1.0, 0.96, 0.88)
    sun, ambient, top, horizon = (
        (0.80, 0.44, (0.28, 0.50, 0.86), (0.74, 0.85, 0.95)),
        (0.58, 0.54, (0.52, 0.66, 0.84), (0.86, 0.89, 0.92)),
        (0.20, 0.76, (0.62, 0.66, 0.71), (0.80, 0.82, 0.84)),
        (0.70, 0.66, (0.30, 0.36, 0.60), (0.95, 0.72, 0.52)),
    )[mood]
    if mood == 3:
        height, warm = float(rng.uniform(0.35, 0.6)), (1.0, 0.80, 0.60)
    sun *= float(rng.uniform(0.9, 1.1))
    direction = (np.cos(azimuth) * np.cos(height), np.sin(azimuth) * np.cos(height), -np.sin(height))
    builder.light(
        (0.0, 0.0, 40.0),
        (float(direction[0]), float(direction[1]), float(direction[2])),
        directional=True,
        diffuse=(sun * warm[0], sun * warm[1], sun * warm[2]),
        shadow=mood != 2,
    )
    builder.ambient(ambient * float(rng.uniform(0.95, 1.08)), 0.12)
    builder.sky(top, horizon)


def _flat(
    builder: SceneBuilder,
    x: tuple[float, float],
    y: tuple[float, float],
    z: float,
    look: Look,
    tile: tuple[float, float],
) -> None:
    """A level panel whose texture runs along x and y, ``tile`` metres each."""
    size = (x[1] - x[0], y[1] - y[0])
    repeat = (size[0] / tile[0], size[1] / tile[1])
    builder.panel((x[0], y[0], z), (size[0], 0.0, 0.0), (0.0, size[1], 0.0), look, repeat=repeat, object_id=GROUND)


def _ground(builder: SceneBuilder, rng: np.random.Generator, plan: StreetPlan, surface: Surface) -> None:
    half, begin, end = plan.half_m, plan.begin_m - 30.0, plan.end_m
    grey = asphalt_grey(rng)
    image, (width, period) = road_texture(rng, 2 * half, edges=False, grey=grey)
    along_y = Look(texture=image, specular=0.05)
    along_x = Look(texture=np.ascontiguousarray(np.rot90(image)), specular=0.05)  # along y is up, along x to the right
    plain = Look(texture=asphalt_texture(rng, grey)[0], specular=0.05)
    base = Look(rgba=(grey, grey, grey * 1.02, 1.0), specular=0.05)
    builder.slab((0.0, 0.0, -0.25), (_REACH_M * 2, _REACH_M * 2, 0.248), base, surface=surface)
    spans = [(begin, -half), (half, end)] if plan.junction else [(begin, end)]
    for span in spans:
        _flat(builder, span, (-half, half), 0.0, along_x, (period, width))
        for side in (-1, 1):
            y = side * plan.lane_m
            _flat(builder, span, (y - 0.06, y + 0.06), 0.002, Look(rgba=(*_PAINT, 1.0)), (1.0, 1.0))
    if plan.junction:
        _flat(builder, (-half, half), (-half, half), 0.0, plain, (4.0, 4.0))
        for span in ((-_REACH_M, -half), (half, _REACH_M)):
            _flat(builder, (-half, half), span, 0.0, along_y, (width, period))
    if plan.crossing:
        stop = Look(rgba=(*_PAINT, 1.0))
        _flat(builder, (plan.stop_x_m, plan.stop_x_m + 0.4), (-plan.lane_m, -0.08), 0.003, stop, (1.0, 1.0))
        back = plan.stop_back_x_m()
        _flat(builder, (back - 0.4, back), (0.08, plan.lane_m), 0.003, stop, (1.0, 1.0))
    _sidewalks(builder, rng, plan, surface)


def _sidewalks(builder: SceneBuilder, rng: np.random.Generator, plan: StreetPlan, surface: Surface) -> None:
    """A block on each side (four at a junction), paved near the road and grassy behind the line of the houses."""
    half, begin, end, deep = plan.half_m, plan.begin_m - 30.0, plan.end_m + 20.0, plan.sidewalk_m + 0.3
    image, tile = sidewalk_texture(rng)
    paving = Look(texture=image, specular=0.05)
    green, green_tile = grass_texture(rng)
    lawn = Look(texture=green, specular=0.0)
    stone, stone_tile = kerb_texture(rng)
    kerb = Look(texture=stone, specular=0.05)
    body = Look(rgba=(0.5, 0.5, 0.49, 1.0), specular=0.0)
    spans = [(begin, -half), (half, end)] if plan.junction else [(begin, end)]
    for side in (-1, 1):
        near, far = side * half, side * _REACH_M
        low, high = min(near, far), max(near, far)
        for first, last in spans:
            middle = ((first + last) / 2, (low + high) / 2, KERB_M / 2)
            size = ((last - first) / 2, (high - low) / 2, KERB_M / 2 - 0.002)
            builder.slab(middle, size, body, surface=surface)
            paved = (near, near + side * deep) if side > 0 else (near + side * deep, near)
            behind = (near + deep, far) if side > 0 else (far, near - deep)
            _flat(builder, (first, last), paved, KERB_M, paving, tile)
            _flat(builder, (first, last), behind, KERB_M, lawn, green_tile)
            _face(builder, (first, near), (last, near), -side, kerb, stone_tile)
            if plan.junction:  # the corner's other side, along the cross street
                inward = -1 if last == -half else 1
                edge = last if inward < 0 else first
                strip = (edge - deep, edge) if inward < 0 else (edge, edge + deep)
                _flat(builder, strip, behind, KERB_M + 0.002, paving, tile)
                _face(builder, (edge, low), (edge, high), -inward, kerb, stone_tile, along_y=True)


def _face(
    builder: SceneBuilder, start: tuple[float, float], end: tuple[float, float], toward: int, look: Look,
    tile: tuple[float, float], *, along_y: bool = False,
) -> None:  # fmt: skip
    """The kerb's side and a strip on its top, along x (or y), facing where ``toward`` says."""
    length = (end[1] - start[1]) if along_y else (end[0] - start[0])
    if along_y:
        origin, right = (start if toward > 0 else end), (0.0, length * toward, 0.0)
        inner = (-toward * 0.18, 0.0, 0.0)
        origin = (origin[0] + toward * 0.002, origin[1])
    else:
        origin, right = (end if toward > 0 else start), (-length * toward, 0.0, 0.0)
        inner = (0.0, -toward * 0.18, 0.0)
        origin = (origin[0], origin[1] + toward * 0.002)
    repeat = (length / tile[0], 1.0)
    builder.panel((*origin, 0.0), right, (0.0, 0.0, KERB_M + 0.003), look, repeat=repeat, object_id=GROUND)
    builder.panel((*origin, KERB_M + 0.003), right, inner, look, repeat=repeat, object_id=GROUND)


# ---- houses -----------------------------------------------------------------------------------------------------------


def _houses(builder: SceneBuilder, rng: np.random.Generator, plan: StreetPlan) -> None:
    """Rows of houses along both sides, around the corners of a junction, and across the street's end."""
    fronts = []
    for _ in range(_FRONTS):
        width, height = (
            float(rng.uniform(8.0, 17.0)),
            float(rng.choice([6.5, 9.5, 12.5, 15.5]) + rng.uniform(-0.5, 1.0)),
        )
        image, _ = facade_texture(rng, width, height)
        tint = 0.92 * image.reshape(-1, 3).mean(0) / 255.0
        fronts.append(
            (
                width,
                height,
                Look(texture=image, specular=0.05),
                Look(rgba=(float(tint[0]), float(tint[1]), float(tint[2]), 1.0)),
            )
        )
    line = plan.half_m + plan.sidewalk_m
    spans = (
        [(plan.begin_m - 25.0, -line), (line, plan.end_m + 12.0)]
        if plan.junction
        else [(plan.begin_m - 25.0, plan.end_m + 12.0)]
    )
    for side in (-1, 1):
        for first, last in spans:
            # From a junction outward, so that the corner is built up.
            outward = -1 if last == -line else 1
            at = last if outward < 0 else first
            while (at < last) if outward > 0 else (at > first):
                width, height, front, body = fronts[int(rng.integers(_FRONTS))]
                x0 = at if outward > 0 else at - width
                setback = float(rng.choice([0.0, 0.0, 0.4, 1.2])) if at not in (-line, line) else 0.0
                _house(builder, rng, (x0, width, height), side, line + setback, front, body)
                at += outward * (width + float(rng.choice([0.0, 0.0, 0.0, 2.5, 6.0])))
            if plan.junction:
                _around_corner(builder, rng, fronts, (last if outward < 0 else first), side, outward, line)
    _across(builder, fronts[int(rng.integers(_FRONTS))], (plan.end_m + 12.0, 0.0), (0.0, -1.0), line)
    _across(builder, fronts[int(rng.integers(_FRONTS))], (plan.begin_m - 25.0, 0.0), (0.0, 1.0), line)
    if plan.junction:
        for side in (1, -1):
            _across(
                builder, fronts[int(rng.integers(_FRONTS))], (0.0, side * (_REACH_M - 8.0)), (float(side), 0.0), line
            )


def _across(
    builder: SceneBuilder, house: tuple[float, float, Look, Look], middle: tuple[float, float], right: tuple[float, float],
    line: float,
) -> None:  # fmt: skip
    """A row of one sort of house across a street's end."""
    width, height, front, _ = house
    num = int(np.ceil(3 * line / width))
    for k in range(num):
        step = (k - num / 2) * width
        origin = (middle[0] + step * right[0], middle[1] + step * right[1], 0.0)
        builder.panel(origin, (width * right[0], width * right[1], 0.0), (0.0, 0.0, height + 3.0), front)


def _house(
    builder: SceneBuilder, rng: np.random.Generator, house: tuple[float, float, float], side: int, line: float,
    front: Look, body: Look,
) -> None:  # fmt: skip
    """A house along x: its body, and its front toward the road."""
    x0, width, height = house
    deep = float(rng.uniform(8.0, 11.0))
    top = height + float(rng.uniform(0.0, 0.6))
    builder.slab(
        (x0 + width / 2, side * (line + deep / 2 + 0.02), top / 2), (width / 2 - 0.01, deep / 2, top / 2), body
    )
    origin = (x0, line, KERB_M) if side > 0 else (x0 + width, -line, KERB_M)
    object_front = (width if side > 0 else -width, 0.0, 0.0)
    builder.panel(origin, object_front, (0.0, 0.0, height - KERB_M), front)


def _around_corner(
    builder: SceneBuilder, rng: np.random.Generator, fronts: list[tuple[float, float, Look, Look]], edge: float,
    side: int, outward: int, line: float,
) -> None:  # fmt: skip
    """Fronts along the cross street, from the corner outward."""
    at = line
    while at < _REACH_M - 20.0:
        width, height, front, body = fronts[int(rng.integers(len(fronts)))]
        middle = side * (at + width / 2)
        if at > line:
            builder.slab((edge + outward * 4.02, middle, height / 2), (4.0, width / 2 - 0.01, height / 2), body)
        start = middle - width / 2 if outward < 0 else middle + width / 2
        right = (0.0, width if outward < 0 else -width, 0.0)
        builder.panel((edge - outward * 0.02, start, KERB_M), right, (0.0, 0.0, height - KERB_M), front)
        at += width
