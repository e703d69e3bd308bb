"""What ``analyze`` gives, for programs: pydantic models with a published JSON Schema (``video3d schema``).

One model a task, with the keys that the task is known by on top: ``navigable, obstacles, path``; ``road, vehicles,
distance_to_objects``; ``objects, surface_planes, placement_zones``. What all of them share is ``Result``.

Lengths, places and speeds are in ``Result.unit`` (``m``, or ``x``: right up to one unknown factor), in the frame that ``frame`` names:
``world`` is right-handed with +z up, ``camera`` has x right, y down, z forward. Angles are in degrees. Frames are indices into the
recording. Null is unknown: what was not found out is said (``notes``) and never guessed.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from video3d.types import Box3D, Status
from video3d.types.reasoning import Thing

Task = Literal["navigation", "driving", "placement", "scene"]
TASKS: tuple[Task, ...] = ("navigation", "driving", "placement", "scene")
Point = tuple[float, float, float]
Place = tuple[float, float]
Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A piece of a result: frozen, finite, and nothing but what is declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Found(Part):
    """A piece that somebody has to believe: where it comes from, how sure it is, and which frames show it."""

    status: Status = Field(description="measured by the recording's own depth and poses, estimated, or unknown")
    confidence: Share | None = Field(
        default=None,
        description="0 to 1, no calibrated probability: of a thing with a name its finder's score, of what was measured the share of"
        " what was seen that agrees, or by log-odds how surely its space is free or occupied; null where nobody can say",
    )
    frames: tuple[int, ...] = Field(default=(), description="frames of the recording that it was seen in")


class Box(Part):
    """An upright box: centre, full extents along its own axes, turn about +z."""

    center: Point
    size: Point
    yaw_deg: float

    @classmethod
    def of(cls, box: Box3D) -> "Box":
        """A box; one that leans is replaced by the upright box around it."""
        thing = Thing.of_box("thing", box)
        size = box.size_m if thing.size_m is None else thing.size_m
        center, sides = ((float(a), float(b), float(c)) for a, b, c in (thing.center_world, size))
        return cls(center=center, size=sides, yaw_deg=math.degrees(thing.yaw_rad))


class Polygon(Part):
    """An area seen from above: an outer ring and the rings of its holes; the first corner is not repeated."""

    outer: tuple[Place, ...]
    holes: tuple[tuple[Place, ...], ...] = ()


class Named(Found):
    """A thing with a box, and a name where one is known."""

    id: str
    name: str | None = Field(default=None, description="what it is called; null: a thing that nobody could name")
    box: Box


class Result(Part):
    """What all tasks share."""

    task: Task
    query: str = ""
    decided_by: Literal["task", "query", "options", "default"] = Field(description="who chose the task")
    why: str = Field(description="why this task, in words")
    source: str
    unit: Literal["m", "x"] = Field(description="of lengths; x: the scale is not known")
    frame: Literal["world"] = "world"
    gravity_aligned: bool = Field(description="+z points up; else heights and levels are not known")
    geometry: dict[Literal["depth", "intrinsics", "poses", "scale", "gravity"], Status]
    frames: tuple[int, ...] = Field(default=(), description="frames of the recording that were read")
    camera_end: Point | None = Field(default=None, description="where the camera was last")
    notes: tuple[str, ...] = Field(default=(), description="what could not be found out, and what to know")
    answer: str | None = Field(default=None, description="to the query, in words, where it asks for more than the task")
    timings_s: dict[str, float] = Field(default_factory=dict)


class Navigable(Found):
    """Where a robot's centre can be: free floor, its radius away from everything, and connected to where it stands."""

    polygons: tuple[Polygon, ...] = Field(
        description="free floor seen from above, before the robot's radius is taken off"
    )
    reachable: tuple[Polygon, ...] = Field(description="where the robot's centre can go from its start")
    area: float = Field(ge=0, description="of the free floor, square units")
    reachable_area: float = Field(ge=0)
    unknown_area: float = Field(ge=0, description="floor within the map's bounds that nobody looked at")
    floor_z: float
    cell: float = Field(gt=0, description="side of a cell of the map")
    robot_radius: float = Field(gt=0)
    robot_height: float = Field(gt=0)
    max_step: float = Field(ge=0)


class Obstacle(Named):
    """What stands in the way: higher than a step, lower than the robot's head."""

    footprint: Polygon
    distance: float | None = Field(default=None, description="from the camera's last place to its nearest point, level")


class Goal(Part):
    """What the path leads to."""

    said: str
    place: Place
    kind: Literal["point", "object", "farthest"]
    found: bool = Field(
        description="false: it was not found or cannot be reached; the path then leads as near as it can, or is null"
    )


class Path(Found):
    """A collision-free path of the robot's centre."""

    goal: Goal
    places: tuple[Place, ...]
    length: float = Field(ge=0)
    clearance: float = Field(description="least distance of the robot's hull to anything that is not free")
    start_moved: float = Field(
        ge=0, description="level distance from what the path is to start at to its start, which is free"
    )


class Navigation(Result):
    """For robots."""

    task: Literal["navigation"] = "navigation"
    navigable: Navigable | None
    obstacles: tuple[Obstacle, ...]
    path: Path | None


class Road(Found):
    """The plane of the road and what of it was seen free."""

    normal: Point
    camera_height: float | None
    slope_deg: float | None = Field(
        default=None, description="along the driving direction, positive uphill; null without gravity"
    )
    drivable: tuple[Polygon, ...] = Field(description="seen from above, in the world")
    drivable_area: float | None
    free_ahead: float | None = Field(
        default=None, description="along the last driving direction, until something stands there or nobody looked"
    )


class Ego(Found):
    """How the camera's vehicle moves."""

    speed: float | None = Field(default=None, description="units a second, over the frames read")
    yaw_rate_deg_s: float | None = None
    travelled: float | None = None


class Vehicle(Named):
    """A vehicle or a person on or beside the road, seen from the camera's last frame."""

    distance: float | None = Field(description="from the camera to its nearest point, level")
    ahead: float | None = Field(description="of its centre, along the driving direction")
    aside: float | None = Field(description="of its centre, positive to the right")
    bearing_deg: float | None = Field(description="of its centre, positive to the right")
    side: Literal["same", "left", "right", "unknown"] = Field(
        description="relative to the corridor that the vehicle drives in"
    )
    velocity: Point | None = Field(default=None, description="where it was tracked")
    time_to_collision_s: float | None = Field(
        default=None, description="null where paths do not meet within 30 s, or its velocity or the own one is unknown"
    )


class Distance(Found):
    """How far a thing is."""

    id: str
    name: str | None
    distance: float
    bearing_deg: float


class Driving(Result):
    """For cars."""

    task: Literal["driving"] = "driving"
    road: Road | None
    ego: Ego | None = None
    vehicles: tuple[Vehicle, ...]
    distance_to_objects: tuple[Distance, ...]


class SurfacePlane(Found):
    """A flat surface that was seen."""

    id: str
    kind: Literal["floor", "top", "ceiling", "wall", "other"]
    polygon: tuple[Point, ...] = Field(description="its outline in the world")
    area: float = Field(ge=0)
    normal: Point
    center: Point
    height: float | None = Field(
        default=None, description="over the floor; null where there is none or it is not level"
    )
    flatness: float | None = Field(default=None, description="root mean square distance of its points to the plane")
    on: str | None = Field(default=None, description="id of the object or plane that carries it")


class PlacementZone(Found):
    """A place where a thing of the given size stands free."""

    id: str
    plane: str = Field(description="id of the surface plane")
    size: Point = Field(description="room that is free: along, across, up")
    yaw_deg: float
    center: Point = Field(description="on the surface, below the middle of the free room")
    world_from_anchor: tuple[tuple[float, float, float, float], ...] = Field(
        description="4 x 4 pose: +z along the surface's normal"
    )
    clearance: float = Field(description="free distance around an object of the size asked for")
    flatness: float | None = None
    score: Share


class Placement(Result):
    """For AR."""

    task: Literal["placement"] = "placement"
    objects: tuple[Named, ...]
    surface_planes: tuple[SurfacePlane, ...]
    placement_zones: tuple[PlacementZone, ...]


class SceneResult(Result):
    """What there is, where no task was meant: objects, and the measured facts in words."""

    task: Literal["scene"] = "scene"
    objects: tuple[Named, ...]
    facts: tuple[str, ...]


AnyResult = Navigation | Driving | Placement | SceneResult
RESULTS: dict[Task, type[Result]] = {
    "navigation": Navigation,
    "driving": Driving,
    "placement": Placement,
    "scene": SceneResult,
}


def schema() -> dict[str, Any]:
    """The JSON Schema of all results, told apart by ``task``.

    >>> sorted(schema()["discriminator"]["mapping"])
    ['driving', 'navigation', 'placement', 'scene']
    """
    from pydantic import TypeAdapter

    return TypeAdapter(Annotated[AnyResult, Field(discriminator="task")]).json_schema(mode="serialization")
