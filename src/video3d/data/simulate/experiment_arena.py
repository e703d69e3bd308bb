"""Where an experiment takes place: a free part of a room, with a frame of its own, and the things that experiments are made of.

An experiment is laid out in the arena's frame: x along its main direction, y to the left, z up from the floor, the origin in the
middle of the free part. ``Arena`` turns that into the world and gives balls and blocks plain, clearly different colours.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from video3d.data import vocabulary
from video3d.data.questions.confusion import confused
from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.floor_plan import Footprint
from video3d.data.simulate.furnish import furnish_room
from video3d.data.simulate.materials import surface_between
from video3d.data.simulate.scene import BuiltScene, Look, Surface, yaw_quat
from video3d.data.simulate.stage import StageConfig, StagingFailed
from video3d.data.truth import GROUND, MotionKind, RoomTruth

PLAIN_COLORS = (("red", "yellow", "green", "blue"), ("white", "black"), ("purple", "orange", "pink", "brown", "grey"))
"""Colours for experiments. Nobody takes the first six for one another; the rest are used where there are many things."""

EXPERIMENT_CATEGORIES = ("ball", "block", "ramp", "plank", "cylinder", "stair", "domino", "cart", "pole")

_CAMERA_M = 2.0  # free for the camera beside the experiment


@dataclass(slots=True, kw_only=True)
class Arena:
    """A free part of a room and the builder that fills it.

    Attributes:
        builder: of the scene.
        center_m: where the frame's origin is in the world.
        yaw_rad: of the frame's x axis in the world.
        half_m: half extents of the free part, along its own axes.
        camera_side: on which side of it, along y, is room for the camera: 1 or -1.
        timestep_s: of the physics.
        room: the room's truth.
        supports: of static things.
        colors: not given yet, the next one last.
        scene_id: of the room.
        inside: of things in containers.
        loose: ids of the experiment's dynamic things.
    """

    builder: SceneBuilder
    center_m: Float64[np.ndarray, "2"]
    yaw_rad: float
    half_m: tuple[float, float]
    camera_side: float
    timestep_s: float
    room: RoomTruth
    scene_id: str
    colors: list[str]
    supports: dict[int, int] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)
    loose: list[int] = field(default_factory=list)

    # ---- frames -------------------------------------------------------------------------------------------------------

    def at(self, x: float, y: float, z: float = 0.0) -> tuple[float, float, float]:
        """World place of a place in the arena's frame."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return (
            float(self.center_m[0] + c * x - s * y),
            float(self.center_m[1] + s * x + c * y),
            float(z),
        )

    def way(self, x: float, y: float, z: float = 0.0) -> Float64[np.ndarray, "3"]:
        """World direction of a direction in the arena's frame."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array([c * x - s * y, s * x + c * y, z])

    # ---- looks --------------------------------------------------------------------------------------------------------

    def color(self, *, not_: tuple[str, ...] = ()) -> str:
        """The next colour. Errors: ``StagingFailed`` when none is left."""
        for number in range(len(self.colors) - 1, -1, -1):
            if self.colors[number] not in not_:
                return self.colors.pop(number)
        raise StagingFailed("no colour is left")

    # ---- things -------------------------------------------------------------------------------------------------------

    def surface(
        self, material: str, floor: str = "wood", *, density: float | None = None, friction: float | None = None
    ) -> Surface:
        """How a block of a material feels; its values count, whatever it touches (``compile`` sees to that)."""
        found = surface_between(material, floor, timestep_s=self.timestep_s)
        return replace(found, density=density or found.density, friction=friction or found.friction)

    def rolling(
        self, material: str, radius_m: float, slowing_mps2: float, *, density: float | None = None
    ) -> Surface:
        """How a ball of a material feels that, rolling on the level, slows down by so much (5/7 g length / radius)."""
        found = surface_between(material, "wood", kind="ball", timestep_s=self.timestep_s)
        length = slowing_mps2 * radius_m * 7 / (5 * 9.81)
        return replace(found, rolling=length, density=density or found.density)

    def ball(
        self, x: float, y: float, z: float, radius_m: float, surface: Surface, *, color: str | None = None
    ) -> int:
        """A loose ball with its lowest point at a place; returns its object id."""
        color = color or self.color()
        look = Look(rgba=(*vocabulary.color(color).rgb, 1.0), roughness=0.4, specular=0.3)
        object_id = self.builder.ball(self.at(x, y, z + radius_m), radius_m, look, surface=surface, color=color)
        self.loose.append(object_id)
        return object_id

    def block(
        self,
        x: float,
        y: float,
        z: float,
        size_m: tuple[float, float, float],
        surface: Surface,
        *,
        color: str | None = None,
        category: str = "block",
        yaw_rad: float = 0.0,
        quat: list[float] | None = None,
        motion: MotionKind = "dynamic",
        look: Look | None = None,
    ) -> int:
        """A block with the middle of its bottom at a place, turned by a yaw in the arena or by ``quat`` in the world."""
        if look is None:
            color = color or self.color()
            look = Look(rgba=(*vocabulary.color(color).rgb, 1.0), roughness=0.6, specular=0.1)
        object_id = self.builder.box(
            category, self.at(x, y, z), size_m, look, yaw_rad=self.yaw_rad + yaw_rad, quat=quat, motion=motion,
            surface=surface, color=color,
        )  # fmt: skip
        self._remember(object_id, motion)
        return object_id

    def cylinder(
        self, x: float, y: float, z: float, radius_m: float, height_m: float, surface: Surface,
        *, color: str | None = None, category: str = "cylinder", motion: MotionKind = "dynamic",
    ) -> int:  # fmt: skip
        """An upright cylinder with the middle of its bottom at a place; returns its object id."""
        color = color or self.color()
        look = Look(rgba=(*vocabulary.color(color).rgb, 1.0), roughness=0.6, specular=0.1)
        object_id = self.builder.cylinder(
            category, self.at(x, y, z), radius_m, height_m, look, motion=motion, surface=surface, color=color
        )
        self._remember(object_id, motion)
        return object_id

    def compound(
        self, category: str, x: float, y: float, z: float, boxes_m: Float64[np.ndarray, "n 6"],
        *, quats: Float64[np.ndarray, "n 4"] | None = None, yaw_rad: float = 0.0, color: str | None = None,
        motion: MotionKind = "static", surface: Surface | None = None, look: Look | None = None,
    ) -> int:  # fmt: skip
        """One object of several boxes in a frame like the arena's, its origin at a place; returns its object id."""
        if look is None:
            color = color or self.color()
            look = Look(rgba=(*vocabulary.color(color).rgb, 1.0), roughness=0.7, specular=0.1)
        if quats is None:
            quats = np.tile(np.array(yaw_quat(0.0)), (len(boxes_m), 1))
        object_id = self.builder.compound(
            category, self.at(x, y, z), boxes_m, quats, look, yaw_rad=self.yaw_rad + yaw_rad, motion=motion,
            surface=surface, color=color,
        )  # fmt: skip
        self._remember(object_id, motion)
        return object_id

    def furniture(self, asset: Asset, x: float, y: float, yaw_rad: float = 0.0) -> int:
        """A piece of furniture that stands on the floor of the arena; returns its object id."""
        object_id = self.builder.asset(asset, self.at(x, y, 0.0), self.yaw_rad + yaw_rad)
        self.supports[object_id] = GROUND
        return object_id

    def _remember(self, object_id: int, motion: MotionKind) -> None:
        if motion == "dynamic":
            self.loose.append(object_id)
        elif motion == "static":
            self.supports[object_id] = GROUND

    def compile(self) -> BuiltScene:
        """Compiles the scene; in a contact of an experiment's loose thing with the room, the thing's own values count."""
        for object_id in self.loose:
            for geom in self.builder.spec.body(f"object{object_id}").geoms:
                geom.priority = 1
        return self.builder.compile()


def open_arena(
    rng: np.random.Generator,
    library: AssetLibrary,
    config: StageConfig,
    *,
    half_m: tuple[float, float] = (1.6, 1.2),
    timestep_s: float = 0.002,
    avoid: tuple[str, ...] = (),
) -> Arena:
    """A furnished room with a free part in it, and room for the camera beside that.

    Nothing in it could be taken for what experiments are made of: a cardboard box beside the blocks would make every block
    doubtful.

    Args:
        rng: draws the room.
        library: what it is furnished with.
        config: of the clip.
        half_m: half extents that must be free.
        timestep_s: of the physics.
        avoid: more categories that nothing in the room may be taken for.

    Errors: ``StagingFailed`` where the room has no such place.
    """
    builder = SceneBuilder(timestep_s=timestep_s)
    side = float(rng.choice([-1, 1]))
    depth = half_m[1] + _CAMERA_M / 2
    quarter = int(rng.integers(4))
    yaw = quarter * np.pi / 2 + float(rng.uniform(-0.15, 0.15))
    c, s = np.cos(yaw), np.sin(yaw)
    middle = rng.uniform(-0.2, 0.2, 2)  # of all that is kept clear, in the world
    clear = Footprint(
        object_id=0, center_m=(float(middle[0]), float(middle[1])), half_m=(half_m[0], depth), yaw_rad=float(yaw), bottom_m=0.0,
        top_m=2.0,
    )  # fmt: skip
    reach = np.abs(clear.corners()).max(axis=0)
    width, length = (float(v) for v in 2 * reach + rng.uniform(1.2, 2.2, 2))
    plain = without_lookalikes(library, (*EXPERIMENT_CATEGORIES, *avoid))
    room = furnish_room(builder, rng, plain, config, keep_clear=(clear,), size_m=(width, length))
    back = -side * _CAMERA_M / 2  # the experiment lies at the end of the free part that is away from the camera
    return Arena(
        builder=builder,
        center_m=middle + back * np.array([-s, c]),
        yaw_rad=float(yaw),
        half_m=half_m,
        camera_side=side,
        timestep_s=timestep_s,
        room=room.truth,
        scene_id=f"lab-{int(rng.integers(1 << 48)):012x}",
        colors=[str(name) for group in PLAIN_COLORS[::-1] for name in rng.permutation(group)],
        supports=dict(room.supports),
        inside=dict(room.inside),
    )


def without_lookalikes(library: AssetLibrary, categories: tuple[str, ...]) -> AssetLibrary:
    """A library without all that people might take for some categories."""
    taken = _lookalikes(categories)
    return replace(library, assets=tuple(a for a in library.assets if a.category not in taken))


@lru_cache(maxsize=16)
def _lookalikes(categories: tuple[str, ...]) -> frozenset[str]:
    return frozenset(c.name for c in vocabulary.CATEGORIES if any(confused(c.name, other) for other in categories))
