"""A furnished room: shell, doors and windows, the furniture of a style by rules that people would recognise, things on it, light."""

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.floor_plan import Footprint, Room
from video3d.data.simulate.furnish_styles import STYLES
from video3d.data.simulate.furnish_things import clutter, hang_pictures, open_box, things_on_tops
from video3d.data.simulate.furnisher import Furnisher
from video3d.data.simulate.room_shell import build_shell, floor_polygon, light_room
from video3d.data.simulate.stage import StageConfig
from video3d.data.truth import RoomTruth


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
    shell = build_shell(
        builder, rng, library, truth, test=config.split == "test", doors=1 + int(rng.random() < 0.2),
        windows=int(rng.integers(0, 4)), keep_clear=keep_clear,
    )  # fmt: skip
    light_room(builder, rng, shell)
    furnisher = Furnisher(builder, rng, library, config, shell=shell, keep_clear=keep_clear)
    name = style or _style(rng)
    STYLES[name](furnisher)
    hang_pictures(furnisher)
    boxes = (0.85, 0.5) if not keep_clear else (0.2, 0.0)  # where something is staged, a box may be taken for a block
    for category, share in zip(("box", str(rng.choice(["basket", "crate"]))), boxes, strict=True):
        if rng.random() < share:
            open_box(furnisher, category)
    things_on_tops(furnisher)
    clutter(furnisher, name)
    _ceiling_lamp(furnisher)
    return furnisher.room(name)


def _style(rng: np.random.Generator) -> str:
    """Bathrooms and playrooms are half as many as each of the others."""
    names = sorted(STYLES)
    share = np.array([0.5 if name in ("bathroom", "playroom") else 1.0 for name in names])
    return names[int(rng.choice(len(names), p=share / share.sum()))]


def _size(rng: np.random.Generator, keep_clear: tuple[Footprint, ...]) -> tuple[float, float]:
    width, depth = rng.uniform(3.7, 6.6), rng.uniform(3.3, 5.4)
    for clear in keep_clear:
        reach = np.abs(clear.corners()).max(axis=0) * 2
        width, depth = max(width, reach[0] + 1.6), max(depth, reach[1] + 1.6)
    return float(width), float(depth)


def _polygon(rng: np.random.Generator, width: float, depth: float, keep_clear: tuple[Footprint, ...]) -> np.ndarray:
    """A rectangle, or now and then an L: a corner is cut off where nothing is kept clear."""
    if rng.random() > 0.4 or width < 4.8 or depth < 4.0 or keep_clear:
        return floor_polygon((width, depth))
    notch = float(rng.uniform(0.22, 0.42) * width), float(rng.uniform(0.22, 0.4) * depth)
    return floor_polygon((width, depth), notch, int(rng.integers(4)))


def _ceiling_lamp(furnisher: Furnisher) -> None:
    lamp = furnisher.pick("ceiling lamp", most_m=(1.2, 1.2, 0.9))
    if lamp is None or furnisher.rng.random() < 0.4:
        return
    polygon = furnisher.truth.floor_polygon_m
    middle = polygon.mean(axis=0) + furnisher.rng.normal(0, 0.3, 2)
    bottom = furnisher.truth.height_m - float(lamp.size_m[2])
    furnisher.builder.asset(lamp, (float(middle[0]), float(middle[1]), bottom - 0.002))
