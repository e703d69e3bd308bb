"""The shell of a room: floor, walls with doors and windows set in them, ceiling, and what lights it.

Walls stand outside the floor's polygon, in pieces around their openings, so that daylight comes in where a window is and nowhere
else. Doors and windows are objects; walls, ceiling and what lies outside are not.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.floor_plan import Footprint, overlap
from video3d.data.simulate.scene import Look
from video3d.data.simulate.textures_indoor import floor_texture, wall_texture
from video3d.data.truth import GROUND, WALL, RoomTruth

_THICK_M = 0.2
_PROUD_M = 0.02  # frames stand out of the wall by so much
_SHORT_M = 0.004
_CELL_M = 0.3  # light is worked out so finely on walls
_SIDE_M = 0.2  # a door or window keeps this far from a corner
_DOOR_FREE_M = 0.8
_SILL_M = (0.065, 0.04)  # by how much a window made here is wider than its hole, on each side and below
_MADE_HERE = "primitive/window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A door or window in a wall: its middle along the wall, from that wall's start, and how high its bottom is."""

    asset: Asset
    at_m: float
    bottom_m: float

    @property
    def low_m(self) -> float:
        """Where it begins along the wall."""
        return self.at_m - float(self.asset.size_m[0]) / 2

    @property
    def high_m(self) -> float:
        """Where it ends along the wall."""
        return self.at_m + float(self.asset.size_m[0]) / 2

    @property
    def top_m(self) -> float:
        """Its top above the floor."""
        return self.bottom_m + float(self.asset.size_m[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """One side of the room, with what is set in it.

    Attributes:
        start_m: where it begins; the room is to its left.
        along: unit vector from there.
        length_m: to where it ends.
        extend_m: by how much its outside goes on beyond both ends; at a corner that juts into the room it stops a little short,
            or its end would lie in the other wall's face.
        openings: doors and windows.
    """

    start_m: Float64[np.ndarray, "2"]
    along: Float64[np.ndarray, "2"]
    length_m: float
    extend_m: tuple[float, float]
    openings: list[Opening] = field(default_factory=list)

    @property
    def inward(self) -> Float64[np.ndarray, "2"]:
        """Unit vector into the room."""
        return np.array([-self.along[1], self.along[0]])

    @property
    def yaw_rad(self) -> float:
        """The turn of an asset that stands with its back to this wall (its front is -y)."""
        return float(np.arctan2(self.inward[0], -self.inward[1]))

    def at(self, t_m: float, away_m: float) -> tuple[float, float]:
        """The place ``t_m`` along the wall and ``away_m`` from it into the room."""
        x, y = self.start_m + t_m * self.along + away_m * self.inward
        return float(x), float(y)

    def zone(self, opening: Opening, deep_m: float, object_id: int, top_m: float, bottom_m: float = 0.0) -> Footprint:
        """The floor before an opening."""
        return Footprint(
            object_id=object_id, center_m=self.at(opening.at_m, deep_m / 2),
            half_m=(float(opening.asset.size_m[0]) / 2, deep_m / 2), yaw_rad=self.yaw_rad, bottom_m=bottom_m, top_m=top_m,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What ``build_shell`` has built.

    Attributes:
        truth: floor polygon and height.
        footprints: of doors and windows: what stands out of the wall.
        before_doors: the floor before every door, to be left free.
        supports: of doors that stand on the floor.
        doors: object ids.
        window_ways: directions into the room of walls with windows: where the sun may come from.
        categories: of doors and windows.
    """

    truth: RoomTruth
    footprints: tuple[Footprint, ...]
    before_doors: tuple[Footprint, ...]
    supports: dict[int, int]
    doors: tuple[int, ...]
    window_ways: tuple[tuple[float, float], ...]
    categories: tuple[str, ...]


def floor_polygon(
    size_m: tuple[float, float], notch_m: tuple[float, float] | None = None, corner: int = 2
) -> Float64[np.ndarray, "n 2"]:
    """Counter-clockwise corners of a room about the origin; with ``notch_m`` an L: that much is cut off one corner (0..3).

    >>> floor_polygon((4.0, 3.0)).tolist()
    [[-2.0, -1.5], [2.0, -1.5], [2.0, 1.5], [-2.0, 1.5]]
    >>> floor_polygon((4.0, 3.0), (1.0, 1.0)).tolist()[2:5]
    [[2.0, 0.5], [1.0, 0.5], [1.0, 1.5]]
    """
    corners = np.array(size_m) / 2 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    if notch_m is None:
        return corners
    point, before = corners[corner], corners[corner - 1]
    inner = point - np.sign(point) * np.array(notch_m)
    enters, leaves = np.array([point[0], inner[1]]), np.array([inner[0], point[1]])
    if before[1] == point[1]:  # the way round comes along x
        enters, leaves = leaves, enters
    return np.concatenate([corners[:corner], [enters, inner, leaves], corners[corner + 1 :]])


def walls_of(polygon_m: Float64[np.ndarray, "n 2"]) -> tuple[Wall, ...]:
    """The sides of a counter-clockwise polygon."""
    along = np.roll(polygon_m, -1, axis=0) - polygon_m
    length = np.linalg.norm(along, axis=1)
    along = along / length[:, None]
    before = np.roll(along, 1, axis=0)
    juts = before[:, 0] * along[:, 1] - before[:, 1] * along[:, 0] < 0  # the way turns right: a corner into the room
    return tuple(
        Wall(
            start_m=polygon_m[k],
            along=along[k],
            length_m=float(length[k]),
            extend_m=(-_SHORT_M if juts[k] else _THICK_M, -_SHORT_M if juts[(k + 1) % len(along)] else _THICK_M),
        )
        for k in range(len(along))
    )


def build_shell(
    builder: SceneBuilder,
    rng: np.random.Generator,
    library: AssetLibrary,
    truth: RoomTruth,
    *,
    test: bool = False,
    doors: int = 1,
    windows: int = 1,
    keep_clear: tuple[Footprint, ...] = (),
) -> Shell:
    """Builds floor, walls, ceiling, doors, windows and what lies outside.

    Args:
        builder: what it is added to.
        rng: draws textures, doors, windows and their places.
        library: where doors and windows come from.
        truth: floor polygon and height.
        test: the split is test.
        doors: at most so many.
        windows: at most so many.
        keep_clear: no door opens onto these.
    """
    walls = walls_of(truth.floor_polygon_m)
    for category in ["door"] * doors + ["window"] * windows:
        asset = _choose(rng, library, category, test, truth.height_m)
        if asset is not None:
            _set_in(rng, walls, asset, keep_clear)
    _surfaces(builder, rng, walls, truth)
    footprints: list[Footprint] = []
    before_doors: list[Footprint] = []
    supports: dict[int, int] = {}
    door_ids: list[int] = []
    ways: list[tuple[float, float]] = []
    categories: list[str] = []
    for wall in walls:
        for opening in wall.openings:
            deep = float(opening.asset.size_m[1])
            proud = 0.1 if opening.asset.asset_id.startswith(_MADE_HERE) else _PROUD_M  # its sill stands out
            x, y = wall.at(opening.at_m, proud - deep / 2)
            object_id = builder.asset(opening.asset, (x, y, opening.bottom_m), wall.yaw_rad)
            footprints.append(wall.zone(opening, proud, object_id, opening.top_m, opening.bottom_m))
            categories.append(opening.asset.category)
            if opening.asset.category == "door":
                before_doors.append(wall.zone(opening, _DOOR_FREE_M, 0, 2.0))
                door_ids.append(object_id)
            else:
                ways.append((float(wall.inward[0]), float(wall.inward[1])))
            if opening.bottom_m == 0.0:
                supports[object_id] = GROUND
    return Shell(
        truth=truth, footprints=tuple(footprints), before_doors=tuple(before_doors), supports=supports,
        doors=tuple(door_ids), window_ways=tuple(ways), categories=tuple(categories),
    )  # fmt: skip


def _choose(
    rng: np.random.Generator, library: AssetLibrary, category: str, test: bool, height_m: float
) -> Asset | None:
    fits = [
        a
        for a in library.of(category, test=test)
        if a.placement == "wall"
        and a.elevation_m + a.size_m[2] < height_m - 0.1
        and a.size_m[2] < (2.3 if category == "door" else 1.7)
        and "arched" not in a.asset_id  # its corners would stand open
    ]
    return fits[int(rng.integers(len(fits)))] if fits else None


def _set_in(rng: np.random.Generator, walls: tuple[Wall, ...], asset: Asset, keep_clear: tuple[Footprint, ...]) -> None:
    """Finds a place in a wall for a door or window, free before it if it is a door."""
    width, share = float(asset.size_m[0]), np.array([wall.length_m for wall in walls])
    for _ in range(16):
        wall = walls[int(rng.choice(len(walls), p=share / share.sum()))]
        spare = wall.length_m - width - 2 * _SIDE_M
        if spare < 0:
            continue
        opening = Opening(
            asset=asset,
            at_m=_SIDE_M + width / 2 + float(rng.uniform()) * spare,
            bottom_m=0.0 if asset.category == "door" else max(asset.elevation_m, 0.75),
        )
        if any(opening.low_m < o.high_m + 0.25 and opening.high_m > o.low_m - 0.25 for o in wall.openings):
            continue
        before = wall.zone(opening, _DOOR_FREE_M, 0, 2.0)
        if asset.category == "door" and any(overlap(before, clear) for clear in keep_clear):
            continue
        wall.openings.append(opening)
        return


def _surfaces(builder: SceneBuilder, rng: np.random.Generator, walls: tuple[Wall, ...], truth: RoomTruth) -> None:
    low, high = truth.floor_polygon_m.min(0) - _THICK_M, truth.floor_polygon_m.max(0) + _THICK_M
    cx, cy, hx, hy = (float(v) for v in (*((low + high) / 2), *((high - low) / 2)))
    image, tile = floor_texture(rng)
    builder.slab((cx, cy, -0.05), (hx, hy, 0.05), Look(texture=image, texture_m=tile, roughness=0.5, specular=0.05))
    grey = float(rng.uniform(0.82, 0.97))
    ceiling = Look(rgba=(grey, grey, grey * 0.98, 1.0), roughness=0.9, specular=0.0, emission=0.25)
    builder.slab((cx, cy, truth.height_m + 0.05), (hx, hy, 0.05), ceiling, object_id=WALL)
    red, green, blue = (float(v) for v in rng.uniform((0.3, 0.36, 0.2), (0.5, 0.52, 0.36)))
    outside = Look(rgba=(red, green, blue, 1.0), specular=0.0, emission=0.2)
    builder.slab((cx, cy, -0.8), (30.0, 30.0, 0.05), outside, object_id=WALL)
    image, tile = wall_texture(rng)
    plain = Look(texture=image, texture_m=tile, roughness=0.9, specular=0.02)
    accent = plain
    if rng.random() < 0.3:
        image, tile = wall_texture(rng)
        accent = Look(texture=image, texture_m=tile, roughness=0.9, specular=0.02)
    chosen = int(rng.integers(len(walls)))
    for number, wall in enumerate(walls):
        _wall(builder, wall, accent if number == chosen else plain, truth.height_m)


def _wall(builder: SceneBuilder, wall: Wall, look: Look, height_m: float) -> None:
    """A wall around its openings: solid pieces, and before them one paper with holes, so that its pattern runs on."""
    yaw = float(np.arctan2(wall.along[1], wall.along[0]))
    reveal = Look(rgba=(0.88, 0.87, 0.85, 1.0), specular=0.02)

    def piece(low: float, high: float, bottom: float, top: float, away: float = 0.002, paint: Look = reveal) -> None:
        if high - low > 1e-6 and top - bottom > 1e-6:
            x, y = wall.at((low + high) / 2, -_THICK_M / 2 - away)
            half = ((high - low) / 2, _THICK_M / 2, (top - bottom) / 2)
            builder.slab((x, y, (bottom + top) / 2), half, paint, object_id=WALL, yaw_rad=yaw)

    done, holes = -wall.extend_m[0], []
    for opening in sorted(wall.openings, key=lambda o: o.low_m):
        # The hole is a little smaller than the frame, so that no light comes past it.
        made_here = opening.asset.asset_id.startswith(_MADE_HERE)
        side, below = _SILL_M if made_here else (0.005, 0.005)
        low, high, top = opening.low_m + side, opening.high_m - side, opening.top_m - 0.005
        bottom = opening.bottom_m + below if opening.bottom_m > 0 else 0.0
        piece(done, low, 0.0, height_m)
        piece(low, high, 0.0, bottom)
        piece(low, high, top, height_m)
        if opening.asset.category == "door":
            behind = Look(rgba=(0.6, 0.59, 0.57, 1.0), specular=0.0, emission=0.15)
            piece(low - 0.1, high + 0.1, -0.04, top + 0.1, away=0.28, paint=behind)
        holes.append((wall.length_m - high, wall.length_m - low, bottom, top))
        done = high
    piece(done, wall.length_m + wall.extend_m[1], 0.0, height_m)
    # Seen from within, the wall's right is against the polygon's sense.
    (x, y), right = wall.at(wall.length_m, 0.0), -wall.length_m * wall.along
    builder.panel(
        (x, y, 0.0), (float(right[0]), float(right[1]), 0.0), (0.0, 0.0, height_m), look,
        repeat=(wall.length_m / look.texture_m[0], height_m / look.texture_m[1]), cell_m=_CELL_M, cuts=tuple(holes),
    )  # fmt: skip


def light_room(builder: SceneBuilder, rng: np.random.Generator, shell: Shell) -> None:
    """A lamp or two under the ceiling, light from everywhere, and on most days sun through a window."""
    truth = shell.truth
    low, high = truth.floor_polygon_m.min(0), truth.floor_polygon_m.max(0)
    warm, day = float(rng.uniform(0.78, 1.0)), bool(rng.random() < 0.65)
    builder.ambient(float(rng.uniform(0.46, 0.62)), float(rng.uniform(0.14, 0.26)))
    sun = day and bool(shell.window_ways)
    for number in range(1 if rng.random() < 0.7 else 2):
        x, y = rng.uniform(low * 0.4, high * 0.4)
        strong = float(rng.uniform(0.3, 0.5) if sun else rng.uniform(0.5, 0.85)) / (1 + number)
        builder.light(
            (float(x), float(y), truth.height_m - 0.08), (float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12)), -1.0),
            diffuse=(strong, strong * (0.9 + 0.1 * warm), strong * warm), shadow=number == 0,
        )  # fmt: skip
    if day:
        builder.sky((0.45, 0.64, 0.9), (0.85, 0.9, 0.95))
    else:
        builder.sky((0.03, 0.04, 0.10), (0.14, 0.15, 0.22))
    if sun:
        way = np.array(shell.window_ways[int(rng.integers(len(shell.window_ways)))])
        side = np.array([-way[1], way[0]]) * float(rng.uniform(-0.7, 0.7))
        middle = (low + high) / 2
        builder.light(
            (float(middle[0]), float(middle[1]), truth.height_m + 3.0),
            (float(way[0] + side[0]), float(way[1] + side[1]), -float(rng.uniform(0.5, 1.0))),
            directional=True, diffuse=(0.75, 0.70, 0.6),
        )  # fmt: skip
