"""A furnished room: shell, doors and windows, the furniture of a style by rules that people would recognise, things on it, light."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.floor_plan import Footprint, Room
from video3d.data.simulate.furnish_styles import STYLES, clutter, hang_pictures, open_box, things_on_tops
from video3d.data.simulate.furnisher import Furnisher
from video3d.data.simulate.scene import Look
from video3d.data.simulate.stage import StageConfig
from video3d.data.simulate.textures_indoor import floor_texture, wall_texture
from video3d.data.truth import GROUND, WALL, RoomTruth

_WALL_M = 0.1


def furnish_room(
    builder: SceneBuilder,
    rng: np.random.Generator,
    library: AssetLibrary,
    config: StageConfig,
    *,
    style: str | None = None,
    keep_clear: tuple[Footprint, ...] = (),
    size_m: tuple[float, float] | None = None,
) -> Room:
    """Builds and furnishes a room around the world's origin, floor at z = 0.

    Args:
        builder: gets floor, walls, ceiling, lamps and everything in the room.
        rng: of every draw.
        library: what it is furnished with.
        config: split and size of the frames.
        style: one of ``STYLES``; drawn by default.
        keep_clear: rectangles of floor that stay empty (heights do not matter).
        size_m: inner length (x) and width (y); drawn by default, large enough for what is kept clear.
    """
    width, depth = size_m or _size(rng, keep_clear)
    truth = RoomTruth(floor_polygon_m=_polygon(rng, width, depth, keep_clear), height_m=float(rng.uniform(2.4, 3.0)))
    _shell(builder, rng, truth)
    _light(builder, rng, truth)
    furnisher = Furnisher(builder, rng, library, config, truth=truth, keep_clear=keep_clear)
    _openings(furnisher)
    name = style or str(rng.choice(sorted(STYLES)))
    STYLES[name](furnisher)
    hang_pictures(furnisher)
    if rng.random() < 0.35:
        open_box(furnisher)
    things_on_tops(furnisher)
    clutter(furnisher)
    _ceiling_lamp(furnisher)
    return furnisher.room(name)


def _size(rng: np.random.Generator, keep_clear: tuple[Footprint, ...]) -> tuple[float, float]:
    width, depth = rng.uniform(3.6, 6.0), rng.uniform(3.2, 5.0)
    for clear in keep_clear:
        reach = np.abs(clear.corners()).max(axis=0) * 2
        width, depth = max(width, reach[0] + 1.6), max(depth, reach[1] + 1.6)
    return float(width), float(depth)


def _polygon(rng: np.random.Generator, width: float, depth: float, keep_clear: tuple[Footprint, ...]) -> np.ndarray:
    """A rectangle, or now and then an L: a corner is cut off where nothing is kept clear."""
    x, y = width / 2, depth / 2
    corners = np.array([[-x, -y], [x, -y], [x, y], [-x, y]])
    if rng.random() > 0.2 or width < 5.0 or depth < 4.2 or keep_clear:
        return corners
    cut_x, cut_y = x - rng.uniform(1.2, width * 0.4), y - rng.uniform(1.0, depth * 0.4)
    return np.array([[-x, -y], [x, -y], [x, cut_y], [cut_x, cut_y], [cut_x, y], [-x, y]])


def _shell(builder: SceneBuilder, rng: np.random.Generator, truth: RoomTruth) -> None:
    polygon, height = truth.floor_polygon_m, truth.height_m
    low, high = polygon.min(0), polygon.max(0)
    half, middle = (high - low) / 2 + _WALL_M, (low + high) / 2
    image, size = floor_texture(rng)
    builder.slab(
        (float(middle[0]), float(middle[1]), -0.05), (float(half[0]), float(half[1]), 0.05),
        Look(texture=image, texture_m=size, roughness=0.5), object_id=GROUND,
    )  # fmt: skip
    grey = float(rng.uniform(0.82, 0.97))
    builder.slab(
        (float(middle[0]), float(middle[1]), height + 0.05), (float(half[0]), float(half[1]), 0.05),
        Look(rgba=(grey, grey, grey * 0.98, 1.0), roughness=0.9), object_id=WALL,
    )  # fmt: skip
    image, size = wall_texture(rng)
    accent = wall_texture(rng) if rng.random() < 0.3 else (image, size)
    chosen = int(rng.integers(len(polygon)))
    for index in range(len(polygon)):
        start, end = polygon[index], polygon[(index + 1) % len(polygon)]
        along = end - start
        length = float(np.linalg.norm(along))
        inward = np.array([-along[1], along[0]]) / length
        picture, extent = accent if index == chosen else (image, size)
        # Seen from within, the wall's right is against the polygon's sense.
        builder.panel(
            (float(end[0]), float(end[1]), 0.0), (float(-along[0]), float(-along[1]), 0.0), (0.0, 0.0, height),
            Look(texture=picture, texture_m=extent, roughness=0.9), repeat=(length / extent[0], height / extent[1]),
        )  # fmt: skip
        center = (start + end) / 2 - inward * (_WALL_M / 2 + 0.002)
        builder.slab(
            (float(center[0]), float(center[1]), height / 2), (length / 2 + _WALL_M, _WALL_M / 2, height / 2), Look(),
            object_id=WALL, yaw_rad=float(np.arctan2(along[1], along[0])),
        )  # fmt: skip


def _light(builder: SceneBuilder, rng: np.random.Generator, truth: RoomTruth) -> None:
    warm = float(rng.uniform(0.78, 1.0))
    builder.ambient(float(rng.uniform(0.46, 0.62)), float(rng.uniform(0.12, 0.24)))
    low, high = truth.floor_polygon_m.min(0), truth.floor_polygon_m.max(0)
    for number in range(1 if rng.random() < 0.7 else 2):
        x, y = rng.uniform(low * 0.4, high * 0.4)
        strong = float(rng.uniform(0.5, 0.85)) / (1 + number)
        builder.light(
            (float(x), float(y), truth.height_m - 0.08), (float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12)), -1.0),
            diffuse=(strong, strong * (0.9 + 0.1 * warm), strong * warm), shadow=number == 0,
        )  # fmt: skip


def _openings(furnisher: Furnisher) -> None:
    rng = furnisher.rng
    door = furnisher.pick("door", most_m=(1.4, 0.5, furnisher.truth.height_m - 0.1))
    if door is not None:
        furnisher.on_wall(door, 0.0, door=True)
    for _ in range(int(rng.integers(0, 3))):
        window = furnisher.pick("window", most_m=(2.2, 0.6, 1.7))
        if window is not None:
            furnisher.on_wall(window, float(rng.uniform(0.85, 1.0)))


def _ceiling_lamp(furnisher: Furnisher) -> None:
    lamp = furnisher.pick("ceiling lamp", most_m=(1.2, 1.2, 0.9))
    if lamp is None or furnisher.rng.random() < 0.4:
        return
    polygon = furnisher.truth.floor_polygon_m
    middle = polygon.mean(axis=0) + furnisher.rng.normal(0, 0.3, 2)
    bottom = furnisher.truth.height_m - float(lamp.size_m[2])
    furnisher.builder.asset(lamp, (float(middle[0]), float(middle[1]), bottom - 0.002))
