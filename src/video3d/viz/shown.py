"""What a viewer shows of an analysis: points, boxes, areas, lines and cameras, in one world, for rerun and for the page alike.

Scene + Analysis ─▶ Shown ─▶ a recording for rerun | one HTML page

Nothing is drawn that the result or the clip does not hold. What is unknown is not drawn: no pose, no camera; no depth, no points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from video3d.analysis import Analysis, named
from video3d.answers.results import (
    AnyResult,
    Box,
    Driving,
    Named,
    Navigation,
    Placement,
    PlacementZone,
    Polygon,
    SceneResult,
    SurfacePlane,
    Vehicle,
)
from video3d.geometry.occupancy import OccupancyMap
from video3d.geometry.rigid import is_known
from video3d.geometry.voxels import voxel_keys
from video3d.scene import Scene
from video3d.types import Box3D, Detection, PosedClip
from video3d.viz.export import world_points
from video3d.viz.point_views import core_bounds

BoxKind = Literal["object", "obstacle", "vehicle", "zone"]
AreaKind = Literal["free", "reachable", "drivable", "floor", "top", "ceiling", "wall", "other"]
COLORS: dict[str, tuple[int, int, int]] = {
    "object": (222, 84, 34), "obstacle": (128, 128, 140), "vehicle": (205, 32, 66), "zone": (16, 140, 84),
    "occupied": (110, 40, 40), "path": (28, 98, 222), "trajectory": (52, 56, 66), "thing": (150, 90, 30),
    "free": (92, 186, 120), "reachable": (66, 146, 230), "drivable": (60, 176, 150), "floor": (92, 186, 120),
    "top": (232, 178, 32), "ceiling": (182, 112, 200), "wall": (92, 146, 214), "other": (150, 150, 150),
}  # fmt: skip
"""One colour a kind, in every viewer."""
_LIFT = 0.004  # areas lie this share of the scene over their surface, or they would flicker through its points
_STRAY = 20.0  # points beyond this many spans of the scene from its middle are not drawn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownBox:
    """A box with what is written beside it.

    Attributes:
        id: as the result has it.
        name: None for a thing that nobody could name.
        kind: what it is to the task.
        box: in the world.
        confidence: 0..1, None where nobody can say.
        frames: of the recording, that show it; () where that is not known.
        velocity: units a second, None where it stands or is not known.
        moves: it is of a kind that may move, so where it was in earlier frames is known only by its velocity.
    """

    id: str
    name: str | None
    kind: BoxKind
    box: Box3D
    confidence: float | None = None
    frames: tuple[int, ...] = ()
    velocity: Float64[np.ndarray, "3"] | None = None
    moves: bool = False

    @property
    def label(self) -> str:
        """Its name and how sure that is."""
        sure = "" if self.confidence is None else f" {self.confidence:.2f}"
        return (self.name or "a thing") + sure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownArea:
    """A flat area in the world: an outer ring and the rings of its holes; the first corner is not repeated."""

    id: str
    kind: AreaKind
    rings: tuple[Float64[np.ndarray, "_ 3"], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownMark:
    """A place with words: a goal, or a thing of which only distance and bearing are known."""

    kind: Literal["goal", "thing"]
    text: str
    place: Float64[np.ndarray, "3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """All that is drawn.

    Attributes:
        result: what was found.
        clip: in the world of the result.
        last: positions in the clip of the frames of the last instant, as of which things that move are known.
        points: seen places, one a voxel; (0, 3) without depth or poses.
        colors: theirs.
        voxel: side of a voxel, in the world's unit.
        boxes: things and places.
        areas: floor, surfaces, road.
        path: where a robot should go, at the floor's height; None without one.
        trajectory: every known camera centre.
        walked: those are places of one walk in order; else there is no line through them.
        marks: places with words.
        map: the cells of a navigation map, None elsewhere.
        extent: lowest and highest corner of what there is to see, strays left out.
    """

    result: AnyResult
    clip: PosedClip
    last: tuple[int, ...]
    points: Float32[np.ndarray, "p 3"]
    colors: UInt8[np.ndarray, "p 3"]
    voxel: float
    boxes: tuple[ShownBox, ...]
    areas: tuple[ShownArea, ...]
    path: Float64[np.ndarray, "k 3"] | None
    trajectory: Float64[np.ndarray, "n 3"]
    walked: bool
    marks: tuple[ShownMark, ...]
    map: OccupancyMap | None
    extent: Float64[np.ndarray, "2 3"]

    @property
    def unit(self) -> str:
        """Of lengths: ``m``, or ``x`` where the scale is not known."""
        return self.result.unit

    @property
    def reach(self) -> float:
        """About how large the scene is: the diagonal of its extent, in the world's unit; > 0."""
        return float(np.linalg.norm(self.extent[1] - self.extent[0])) or 1.0


def show(scene: Scene, found: Analysis, objects: Sequence[Detection] = (), *, max_points: int = 150_000) -> Shown:
    """What is to be drawn of an analysis.

    Args:
        scene: the one that was analysed, in the world of the task (``analysis.in_task_world``).
        found: the analysis.
        objects: named objects in it; drawn where the result does not hold them already.
        max_points: at most so many voxels; they grow until that is so.
    """
    clip, result = scene.clip, found.result
    points, colors, voxel = thinned(*world_points(clip, 6 * max_points), max_points)
    path = clip.path.world_from_camera if clip.path is not None else clip.world_from_camera[_posed(clip)]
    extent = core_bounds(points.astype(np.float64)) if len(points) else np.zeros((2, 3))
    ends = [extent] * bool(len(points)) + [path[:, :3, 3]] * bool(len(path))
    extent = np.stack([np.concatenate(ends).min(axis=0), np.concatenate(ends).max(axis=0)]) if ends else extent
    last, marks = tuple(_posed(clip)[-1:].tolist()), ()
    if isinstance(result, Driving):
        last, marks = _driven(scene, result)
    shown = Shown(
        result=result, clip=clip, last=last, points=points, colors=colors, voxel=voxel, boxes=_boxes(result, scene, objects),
        areas=(), path=None, trajectory=path[:, :3, 3], walked=len(path) > 1 and scene.facts.trajectory.ordered, marks=marks,
        map=getattr(found.parts, "map", None), extent=extent,
    )  # fmt: skip
    lift = _LIFT * shown.reach
    shown = replace(shown, areas=_areas(result, scene, objects, lift))
    if isinstance(result, Navigation) and result.path is not None and result.navigable is not None:
        z = result.navigable.floor_z + 2 * lift
        goal = result.path.goal
        said = (goal.said or "the farthest place within reach") + ("" if goal.found else " (not reached)")
        mark = ShownMark(kind="goal", text=said, place=np.array([*goal.place, z]))
        route = np.array([[*place, z] for place in result.path.places], np.float64).reshape(-1, 3)
        shown = replace(shown, path=route, marks=(mark,))
    return shown


def thinned(
    points: Float64[np.ndarray, "p 3"], colors: UInt8[np.ndarray, "p 3"], most: int
) -> tuple[Float32[np.ndarray, "v 3"], UInt8[np.ndarray, "v 3"], float]:
    """One point a voxel, the mean of its points and colours, and the voxel's side: fine, but no more than ``most`` of them.

    >>> at, ink, side = thinned(np.array([[0.0, 0, 0], [4.0, 0, 0], [4.001, 0, 0]]), np.zeros((3, 3), np.uint8), 2)
    >>> len(at), len(ink), side > 0.001
    (2, 2, True)
    """
    low, high = core_bounds(points) if len(points) else np.zeros((2, 3))
    span = float((high - low).max()) if len(points) else 0.0
    side = max(span, 1e-6) / 500
    near = (np.abs(points - (low + high) / 2) <= _STRAY * max(span, 1e-6)).all(axis=1)
    points, colors = points[near], colors[near]
    while True:
        _, voxel, count = np.unique(voxel_keys(points, side), return_inverse=True, return_counts=True)
        if len(count) <= most:
            break
        side *= max(1.05, (len(count) / most) ** 0.4)
    total = [np.bincount(voxel, weights=column, minlength=len(count)) for column in (*points.T, *colors.T)]
    mean = np.stack(total, axis=1) / count[:, None] if len(count) else np.zeros((0, 6))
    return mean[:, :3].astype(np.float32), np.rint(mean[:, 3:]).astype(np.uint8), side


def box_of(box: Box) -> Box3D:
    """A result's box as one of the house.

    >>> box_of(Box(center=(0, 0, 0), size=(1, 2, 3), yaw_deg=0)).size_m.tolist()
    [1.0, 2.0, 3.0]
    """
    turn = np.radians(box.yaw_deg)
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    size = np.maximum(np.array(box.size, np.float64), 1e-9)
    return Box3D(center_world=np.array(box.center, np.float64), size_m=size, world_from_box=rotation)


def zone_box(zone: PlacementZone) -> Box3D:
    """The room that is free over a placement zone."""
    anchor, size = np.array(zone.world_from_anchor), np.maximum(np.array(zone.size, np.float64), 1e-9)
    center = anchor[:3, 3] + anchor[:3, 2] * size[2] / 2
    return Box3D(center_world=center, size_m=size, world_from_box=anchor[:3, :3])


def _posed(clip: PosedClip) -> np.ndarray:
    """Positions of the frames with a place in the world."""
    return np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera))


def _boxes(result: AnyResult, scene: Scene, objects: Sequence[Detection]) -> tuple[ShownBox, ...]:
    found: list[ShownBox] = []
    if isinstance(result, Placement | SceneResult):
        found += [_box(one, "object") for one in result.objects]
    else:
        own = result.obstacles if isinstance(result, Navigation) else result.vehicles
        kind: BoxKind = "obstacle" if isinstance(result, Navigation) else "vehicle"
        if kind == "vehicle":  # a thing on the road is a vehicle of the result; the rest are objects beside it
            taken = {one.name for one in own}
            found += [_box(one, kind) for one in own]
            found += [_box(one, "object") for one in named(objects, scene) if one.name not in taken]
        else:  # an obstacle with a name is the lower part of an object, which is drawn whole
            have = {one.label for one in objects}
            found += [_box(one, kind) for one in own if one.name is None or one.name not in have]
            found += [_box(one, "object") for one in named(objects, scene)]
    if isinstance(result, Placement):
        found += [
            ShownBox(id=one.id, name=one.id, kind="zone", box=zone_box(one), confidence=one.score, frames=one.frames)
            for one in result.placement_zones
        ]
    return tuple(found)


def _box(one: Named, kind: BoxKind) -> ShownBox:
    velocity = np.array(one.velocity, np.float64) if isinstance(one, Vehicle) and one.velocity is not None else None
    return ShownBox(
        id=one.id, name=one.name, kind=kind, box=box_of(one.box), confidence=one.confidence, frames=one.frames,
        velocity=velocity, moves=kind == "vehicle",
    )  # fmt: skip


def _areas(result: AnyResult, scene: Scene, objects: Sequence[Detection], lift: float) -> tuple[ShownArea, ...]:
    if isinstance(result, Navigation):
        floor = result.navigable
        if floor is None:
            return ()
        return (
            *_flat("free", floor.polygons, np.array([0.0, 0.0, floor.floor_z + lift])),
            *_flat("reachable", floor.reachable, np.array([0.0, 0.0, floor.floor_z + 1.5 * lift])),
        )
    if isinstance(result, Driving):
        road = result.road
        if road is None or road.camera_height is None or result.camera_end is None:
            return ()
        normal = np.array(road.normal)
        under = np.array(result.camera_end) - normal * (road.camera_height - lift)
        return _flat("drivable", road.drivable, under, normal)
    planes = result.surface_planes if isinstance(result, Placement) else _surfaces(scene, objects)
    return tuple(_plane(one, lift) for one in planes if len(one.polygon) >= 3)


def _surfaces(scene: Scene, objects: Sequence[Detection]) -> tuple[SurfacePlane, ...]:
    """Flat surfaces, as placement finds them, for a scene that nothing is to be placed in."""
    from video3d.answers.placement import ThingToPlace, place

    return place(scene.clip, scene.facts, tuple(objects), thing=ThingToPlace()).surface_planes


def _plane(one: SurfacePlane, lift: float) -> ShownArea:
    ring = np.array(one.polygon, np.float64) + np.array(one.normal) * lift
    return ShownArea(id=one.id, kind=one.kind, rings=(ring,))


def _flat(
    kind: AreaKind,
    areas: Sequence[Polygon],
    point: np.ndarray,
    normal: np.ndarray | None = None,
) -> tuple[ShownArea, ...]:
    """Areas seen from above, on the plane through a point."""
    a, b, c = (0.0, 0.0, 1.0) if normal is None else normal

    def ring(places: Sequence[tuple[float, float]]) -> Float64[np.ndarray, "_ 3"]:
        x, y = np.array(places, np.float64).reshape(-1, 2).T
        return np.stack([x, y, point[2] - (a * (x - point[0]) + b * (y - point[1])) / c], axis=1)

    return tuple(
        ShownArea(id=f"{kind}-{number}", kind=kind, rings=tuple(ring(one) for one in (area.outer, *area.holes)))
        for number, area in enumerate(areas, 1)
    )


def _driven(scene: Scene, result: Driving) -> tuple[tuple[int, ...], tuple[ShownMark, ...]]:
    """The frames of the last instant, and things without a box by their distance and bearing from the vehicle."""
    from video3d.answers.driving_ego import least_step, now_of, vehicle_path

    clip, ordered = scene.clip, scene.facts.trajectory.ordered
    now = now_of(clip, vehicle_path(clip, ordered=ordered), ordered=ordered, least_step=least_step(clip))
    if now is None:
        return (), ()
    boxed = {one.id for one in result.vehicles}
    eye = clip.world_from_camera[now.frame, :3, 3]
    normal = np.array([0.0, 0.0, 1.0]) if result.road is None else np.array(result.road.normal)
    foot = eye - normal * (0.0 if result.road is None else result.road.camera_height or 0.0)
    right = np.cross(now.ahead, normal)
    marks = []
    for one in result.distance_to_objects:
        if one.id in boxed:
            continue
        turn = np.radians(one.bearing_deg)
        place = foot + one.distance * (np.cos(turn) * now.ahead + np.sin(turn) * right)
        text = f"{one.name}, " * (one.name is not None) + f"{one.distance:.1f} {result.unit}"
        marks.append(ShownMark(kind="thing", text=text, place=place))
    return now.frames, tuple(marks)
