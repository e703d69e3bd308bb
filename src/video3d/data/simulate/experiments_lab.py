"""The lab: the free part of a room in which an experiment takes place, with a frame of its own and the things to build with.

An experiment is laid out in the lab's frame: x along its main direction, y to the left, z up from the floor, the origin in the
middle of the free part. The lab turns that into the world, and gives every thing a colour by which it can be told from all
others that somebody might call by the same word (a plank, a block and a ramp compete, a ball and a block do not).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from video3d import vocabulary
from video3d.data.simulate.asset import Asset
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.materials import surface_between
from video3d.data.simulate.scene import BuiltScene, Look, Surface, yaw_quat
from video3d.data.truth import GROUND, MotionKind

_RIVALS = {"ball": "ball", "cylinder": "cylinder", "cart": "cart"}
"""Who competes for colours with whom: everything else is a block of some sort."""

# One hue of each column: within a column, and between some, people would disagree (``questions.confusion``).
_PALETTES = (
    ("red", "yellow", "green"),
    ("red", "yellow", "blue"),
    ("pink", "yellow", "green"),
    ("pink", "yellow", "blue"),
    ("pink", "orange", "blue"),
    ("pink", "orange", "green"),
    ("purple", "orange", "green"),
    ("purple", "yellow", "green"),
    ("pink", "brown", "blue"),
    ("purple", "brown", "green"),
)
_DENSITY = {"rubber": 250.0, "wood": 500.0, "foam": 40.0, "steel": 2000.0, "cardboard": 100.0}  # balls may be hollow


@dataclass(slots=True, kw_only=True)
class Lab:
    """A free part of a room and the builder that fills it.

    Attributes:
        builder: of the scene.
        rng: draws colours and what else is left open.
        center_m: where the lab's origin is in the world.
        yaw_rad: of the lab's x axis in the world.
        half_m: half extents of the free part.
        timestep_s: of the physics.
        scene_id: of the room.
        supports: of static things.
        loose: ids of dynamic experiment objects.
        categories: of what is in the lab.
    """

    builder: SceneBuilder
    rng: np.random.Generator
    center_m: tuple[float, float]
    yaw_rad: float
    half_m: tuple[float, float]
    timestep_s: float
    scene_id: str
    supports: dict[int, int] = field(default_factory=dict)
    loose: list[int] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)
    _colors: dict[str, list[str]] = field(default_factory=dict)

    # ---- frames -------------------------------------------------------------------------------------------------------

    def at(self, x: float, y: float, z: float = 0.0) -> tuple[float, float, float]:
        """World place of a place in the lab."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return float(self.center_m[0] + c * x - s * y), float(self.center_m[1] + s * x + c * y), float(z)

    def way(self, x: float, y: float, z: float = 0.0) -> Float64[np.ndarray, "3"]:
        """World direction of a direction in the lab."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array([c * x - s * y, s * x + c * y, z], dtype=np.float64)

    def points(self, *places_m: tuple[float, float, float]) -> Float64[np.ndarray, "p 3"]:
        """World places of some places in the lab."""
        return np.array([self.at(*place) for place in places_m], dtype=np.float64)

    def going(self, vx: float, vy: float = 0.0) -> tuple[float, ...]:
        """Velocity of a thing that slides or flies, for ``nominal_start``."""
        return tuple(float(v) for v in self.way(vx, vy))

    def rolling(self, radius_m: float, vx: float, vy: float = 0.0) -> tuple[float, ...]:
        """Velocity and spin of a ball that rolls without slipping."""
        v = self.way(vx, vy)
        return float(v[0]), float(v[1]), 0.0, float(-v[1] / radius_m), float(v[0] / radius_m), 0.0

    # ---- what things are like -----------------------------------------------------------------------------------------

    def color(self, category: str) -> str:
        """A colour for a thing of a category, not one of its rivals'; the fifth and later ones may look alike."""
        self.categories.add(category)
        group = _RIVALS.get(category, "block")
        if group not in self._colors:
            palette = _PALETTES[int(self.rng.integers(len(_PALETTES)))]
            clear = [str(c) for c in self.rng.permutation([*palette, "white"])]
            clear.insert(
                int(self.rng.integers(5)) if self.rng.random() < 0.4 else 0, "black"
            )  # hard to see on dark floors
            rest = [c.name for c in vocabulary.COLORS if c.name not in clear]
            self._colors[group] = [*[str(c) for c in self.rng.permutation(rest)], *clear]
        colors = self._colors[group]
        if not colors:
            raise AssertionError(f"an experiment with more than eleven things of the sort {group}")
        return colors.pop()

    def look(self, color: str) -> Look:
        """How a plain thing of a colour looks."""
        return Look(rgba=(*vocabulary.color(color).rgb, 1.0), roughness=0.5, specular=0.2)

    def feel(self, material: str = "wood", *, density: float | None = None, friction: float | None = None) -> Surface:
        """How a block of a material feels a wooden floor or table."""
        found = surface_between(material, "wood", timestep_s=self.timestep_s)
        return replace(found, density=density or found.density, friction=friction or found.friction)

    def round_feel(self, material: str, *, slowing: float | None = None, radius_m: float = 0.1) -> Surface:
        """How a ball of a material feels; ``slowing`` in m/s2 sets how fast it loses speed on the level (5/7 g length / r)."""
        found = surface_between(material, "wood", kind="ball", timestep_s=self.timestep_s)
        rolling = found.rolling if slowing is None else slowing * radius_m * 7 / (5 * 9.81)
        return replace(found, rolling=rolling, density=_DENSITY[material])

    # ---- things -------------------------------------------------------------------------------------------------------

    def ball(self, x: float, y: float, z: float, radius_m: float, surface: Surface, *, color: str | None = None) -> int:
        """A loose ball with its lowest point at a place; returns its object id."""
        color = color or self.color("ball")
        place = self.at(x, y, z + radius_m)
        return self._kept(self.builder.ball(place, radius_m, self.look(color), surface=surface, color=color), "dynamic")

    def block(
        self, x: float, y: float, z: float, size_m: tuple[float, float, float], *, surface: Surface | None = None,
        category: str = "block", yaw_rad: float = 0.0, motion: MotionKind = "dynamic", color: str | None = None,
        quat: list[float] | None = None,
    ) -> int:  # fmt: skip
        """A block with the middle of its bottom at a place; returns its object id."""
        color = color or self.color(category)
        return self._kept(
            self.builder.box(
                category, self.at(x, y, z), size_m, self.look(color), yaw_rad=self.yaw_rad + yaw_rad, quat=quat,
                motion=motion, surface=surface or self.feel(), color=color,
            ),
            motion,
        )  # fmt: skip

    def cylinder(
        self, x: float, y: float, z: float, radius_m: float, height_m: float, *, surface: Surface | None = None,
        motion: MotionKind = "dynamic",
    ) -> int:  # fmt: skip
        """An upright cylinder with the middle of its bottom at a place; returns its object id."""
        color = self.color("cylinder")
        return self._kept(
            self.builder.cylinder(
                "cylinder", self.at(x, y, z), radius_m, height_m, self.look(color), motion=motion,
                surface=surface or self.feel(), color=color,
            ),
            motion,
        )  # fmt: skip

    def compound(
        self, category: str, x: float, y: float, z: float, boxes_m: Float64[np.ndarray, "n 6"], *,
        quats: Float64[np.ndarray, "n 4"] | None = None, yaw_rad: float = 0.0, motion: MotionKind = "static",
        surface: Surface | None = None, look: Look | None = None,
    ) -> int:  # fmt: skip
        """One object of several boxes (in a frame like the lab's) with its origin at a place; returns its object id."""
        color = None if look is not None else self.color(category)
        if quats is None:
            quats = np.tile(np.array(yaw_quat(0.0)), (len(boxes_m), 1))
        return self._kept(
            self.builder.compound(
                category, self.at(x, y, z), boxes_m, quats, look or self.look(str(color)),
                yaw_rad=self.yaw_rad + yaw_rad, motion=motion, surface=surface or self.feel(), color=color,
                kind="furniture" if category == "table" else "experiment",
            ),
            motion,
        )  # fmt: skip

    def furniture(self, asset: Asset, x: float, y: float, yaw_rad: float = 0.0) -> int:
        """A piece of furniture on the floor of the lab; returns its object id."""
        self.categories.add(asset.category)
        object_id = self.builder.asset(asset, self.at(x, y), self.yaw_rad + yaw_rad)
        self.supports[object_id] = GROUND
        return object_id

    def _kept(self, object_id: int, motion: MotionKind) -> int:
        if motion == "dynamic":
            self.loose.append(object_id)
        elif motion == "static":
            self.supports[object_id] = GROUND
        return object_id

    def compile(self) -> BuiltScene:
        """Compiles the scene. Where a loose thing touches the room, its own surface counts (MuJoCo's priority), not the rougher."""
        for object_id in self.loose:
            for geom in self.builder.spec.body(f"object{object_id}").geoms:
                geom.priority = 1
        return self.builder.compile()
