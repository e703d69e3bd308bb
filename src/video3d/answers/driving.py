"""What a car needs of a scene: the road, its own motion, vehicles and people, and how far things are.

    points ─▶ road plane ─▶ map of what was seen free ─▶ corridor ahead
    poses  ─▶ heading, speed, yaw rate
    boxes  ─▶ distance, bearing, side, velocity by following their points, time to collision

Distances are level, along the road. Ahead is where the vehicle heads; bearings and ``aside`` are positive to the right. The corridor is
a lane wide and bends as the vehicle does. Drivable is what geometry can tell: seen, flat, and nothing on it. Lines, kerbs lower than
the tolerance and rules are not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from video3d.answers import results
from video3d.answers.driving_things import Look, find_things, follow
from video3d.answers.driving_view import USUAL_HEIGHT_M, View, view_of
from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.navigation_map import footprint_distance, polygons_of
from video3d.geometry.boxes import box_corners, points_in_box
from video3d.geometry.occupancy import FREE
from video3d.geometry.outline import signed_area
from video3d.geometry.rigid import inverse_rigid, transform_points
from video3d.geometry.road import STANDS_M, empty_map, free_distance, look
from video3d.types import Box3D, Detection, PosedClip

ON_THE_ROAD = frozenset(
    [
        "car",
        "van",
        "truck",
        "lorry",
        "bus",
        "coach",
        "taxi",
        "minibus",
        "tram",
        "train",
        "trailer",
        "vehicle",
        "pickup",
        "suv",
        "jeep",
        "ambulance",
        "tractor",
        "tricycle",
        "bicycle",
        "bike",
        "motorcycle",
        "motorbike",
        "moped",
        "scooter",
        "rider",
        "cyclist",
        "motorcyclist",
        "person",
        "pedestrian",
        "man",
        "woman",
        "child",
        "boy",
        "girl",
    ]
)
"""Words for vehicles and people; a name counts if its last word is one of them."""
LANE_M, OWN_WIDTH_M = 3.5, 2.0
"""Width of the corridor that a vehicle drives in, and of the vehicle, which sets what it would hit."""
_FOLLOWED_S = 2.0
_HORIZON_S = 30.0
_MIN_AREA_M2 = 2.0
_STILL_M_S = 0.3
_MARGIN_M = 0.15  # around a box, within which points are the thing's


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingParts:
    """What ``results.Driving`` holds besides what all results share.

    Attributes:
        road: None where none was seen.
        ego: None without two poses of the vehicle.
        vehicles: things with a name of a vehicle or a person; nearest first.
        distance_to_objects: all things, those without a name too, nearest first. Their bearing is that of the middle between their
            left and right edges.
        notes: what could not be found out, and what to know.
    """

    road: results.Road | None
    ego: results.Ego | None
    vehicles: tuple[results.Vehicle, ...]
    distance_to_objects: tuple[results.Distance, ...]
    notes: tuple[str, ...]


def drive(clip: PosedClip, facts: SceneFacts, objects: Sequence[Detection]) -> DrivingParts:
    """The road, the vehicle's motion, and what is around it at the last frame.

    Lengths are in the clip's unit, metres where its world is metric.

    Args:
        clip: complete geometry, in the world that ``driving_world`` makes.
        facts: of it; whether its frames are one walk.
        objects: what a detector found, in the world of ``clip``, as it is at the last frame.

    >>> from video3d.answers.facts import scene_facts
    >>> from video3d.types import World
    >>> nothing = PosedClip(
    ...     frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 6, 8, 3), np.uint8),
    ...     depth_m=np.full((1, 6, 8), np.nan, np.float32), k_px=np.full((1, 3, 3), np.nan),
    ...     world_from_camera=np.full((1, 4, 4), np.nan), piece=np.array([-1]), world=World())
    >>> drive(nothing, scene_facts(nothing), ()).notes
    ('driving: no frame has a pose or depth, so nothing can be said of road or traffic',)
    """
    view = view_of(clip, facts.trajectory.ordered)
    if view is None:
        why = "driving: no frame has a pose or depth, so nothing can be said of road or traffic"
        return DrivingParts(road=None, ego=None, vehicles=(), distance_to_objects=(), notes=(why,))
    notes = []
    if not clip.world.metric:
        notes.append(
            f"scale: not known; things are told from ways as if the camera were {USUAL_HEIGHT_M:g} m over the road"
        )
    road = _road(view) if view.road is not None else None
    if road is None:
        notes.append("road: not seen; distances are level, and things without a name are not looked for")
    elif facts.room is not None and facts.room.has_ceiling:
        notes.append(
            "road: there is a ceiling over it, so this may be a room, and what is taken for the road its floor"
        )
    if road is not None and road.slope_deg is None:
        notes.append("slope: not known, for up was not measured apart from the road")
    ego = _ego(view)
    if ego is not None and ego.speed is None:
        notes.append("speed: not known, for the frames have no times")
    vehicles = [
        _vehicle(view, one, f"{one.label}-{number}") for number, one in enumerate(objects, 1) if _on_the_road(one)
    ]
    if any(one.velocity is None for one in vehicles):
        why = "a thing's points could not be followed over frames that have times"
        if clip.status.depth != "measured":
            why = "depth is estimated, which is too uneven from frame to frame to tell motion"
        notes.append(f"velocity: null where {why}")
    distances = [*_named(view, objects), *_unnamed(view, objects)]
    if any(one.name is None for one in distances):
        notes.append("something: found by geometry alone, by standing on or beside the road; what it is is not known")
    return DrivingParts(
        road=road,
        ego=ego,
        vehicles=tuple(sorted(vehicles, key=lambda one: one.distance or 0.0)),
        distance_to_objects=tuple(sorted(distances, key=lambda one: one.distance)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _road(view: View) -> results.Road:
    road, unit = view.road, view.unit_m
    assert road is not None
    seen = empty_map(unit)
    for one in view.looks:
        for frame, points in zip(one.frames, one.points_road, strict=True):
            eye = road.of(view.clip.world_from_camera[frame, :3, 3])
            seen = look(seen, points, eye, flat=road.flat, unit_m=unit)
    areas = polygons_of(seen.states == FREE, seen, min_area=_MIN_AREA_M2 / unit**2)
    edges = [ring for one in areas for ring in (one.outer, *one.holes)]  # holes turn the other way
    curvature = view.motion.curvature if view.motion is not None else 0.0
    slope = None
    if view.clip.status.gravity == "measured":
        slope = float(np.degrees(np.arcsin(np.clip(road.road_from_world[0, 2], -1, 1))))
    return results.Road(
        status=view.source,
        confidence=road.share,
        frames=view.named([f for one in view.looks for f in one.frames]),
        normal=_point(road.normal),
        camera_height=road.camera_height,
        slope_deg=slope,
        drivable=tuple(_in_world(view, one) for one in areas),
        drivable_area=sum(signed_area(np.array(ring)) for ring in edges),
        free_ahead=free_distance(seen, half_width=OWN_WIDTH_M / 2 / unit, curvature=curvature),
    )


def _in_world(view: View, area: results.Polygon) -> results.Polygon:
    """An area of the road's plane as it is seen from above in the world."""
    world_from_road = inverse_rigid(view.road_from_world)

    def moved(ring: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
        points = transform_points(world_from_road, np.c_[np.array(ring), np.zeros(len(ring))])
        return tuple((round(float(x), 4), round(float(y), 4)) for x, y, _ in points)

    return results.Polygon(outer=moved(area.outer), holes=tuple(moved(hole) for hole in area.holes))


def _point(vector: Float64[np.ndarray, "3"]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in vector)
    return x, y, z


def _ego(view: View) -> results.Ego | None:
    motion, status = view.motion, view.clip.status
    if motion is None:
        return None
    timed = bool(np.isfinite(motion.speed))
    return results.Ego(
        status=weakest(status.poses, status.scale) if view.clip.world.metric else status.poses,
        frames=view.named(motion.frames),
        speed=motion.speed if timed else None,
        yaw_rate_deg_s=motion.yaw_rate_deg_s if timed else None,
        travelled=motion.travelled,
    )


def _on_the_road(one: Detection) -> bool:
    words = one.label.lower().split()
    return bool(words) and words[-1] in ON_THE_ROAD


def _vehicle(view: View, one: Detection, name: str) -> results.Vehicle:
    box = view.box(one.box)
    ahead, left = float(box.center_world[0]), float(box.center_world[1])
    curvature = view.motion.curvature if view.motion is not None else 0.0
    off = left - (curvature * ahead * ahead / 2 if ahead > 0 else 0.0)
    side = "unknown"
    if view.clip.world.metric:
        side = "same" if abs(off) * view.unit_m <= LANE_M / 2 else "left" if off > 0 else "right"
    velocity, frames = _velocity(view, box)
    return results.Vehicle(
        id=name,
        name=one.label,
        status=view.source,
        confidence=float(np.clip(one.score, 0, 1)),
        frames=frames,
        box=results.Box.of(one.box),
        distance=float(footprint_distance(box, np.zeros((1, 2)))[0]),
        ahead=ahead,
        aside=-left,
        bearing_deg=float(np.degrees(np.arctan2(-left, ahead))),
        side=side,
        velocity=None if velocity is None else _point(view.road_from_world[:3, :3].T @ np.r_[velocity, 0.0]),
        time_to_collision_s=None if velocity is None else _time_to_collision(view, box, velocity),
    )


def _velocity(view: View, box: Box3D) -> tuple[Float64[np.ndarray, "2"] | None, tuple[int, ...]]:
    """Velocity in the road's frame, and the frames of the recording that show it."""
    if view.road is None:
        return None, ()
    begin = view.looks[-1].time_s - _FOLLOWED_S
    looks = [one for one in view.looks if one is view.looks[-1] or one.time_s >= begin]
    lowest = max(STANDS_M / 2 / view.unit_m, view.road.flat)
    high = [points[points[:, 2] > lowest] for points in (np.concatenate(one.points_road) for one in looks)]
    inside = points_in_box(high[-1], box, margin_m=_MARGIN_M / view.unit_m)
    shown = _showing(view, looks[-1], box, lowest)
    times = np.array([one.time_s for one in looks])
    if not np.isfinite(times).all() or view.clip.status.depth != "measured":
        return None, shown  # estimated depth changes from frame to frame by more than things move: it was measured
    track = follow(high, times, inside, unit_m=view.unit_m)
    if track is None:
        return None, shown
    frames: list[int] = []
    for one in looks[-track.views :]:
        way = np.r_[track.velocity * (one.time_s - looks[-1].time_s), 0.0]
        frames += _showing(view, one, replace(box, center_world=box.center_world + way), lowest)
    return track.velocity, tuple(frames)


def _showing(view: View, one: Look, box: Box3D, lowest: float) -> tuple[int, ...]:
    """Frames of the recording that show a point in a box: of a vehicle's cameras, those that look at it."""
    margin = _MARGIN_M / view.unit_m
    high = (points[points[:, 2] > lowest] for points in one.points_road)
    shown = [points_in_box(points, box, margin_m=margin).any() for points in high]
    return view.named([frame for frame, seen in zip(one.frames, shown, strict=True) if seen])


def _time_to_collision(view: View, box: Box3D, velocity: Float64[np.ndarray, "2"]) -> float | None:
    """Seconds until a thing is half a vehicle's width from the camera, if both move on as now; None: not within 30 s."""
    if view.motion is None or not np.isfinite(view.motion.speed_now):
        return None
    relative = velocity - np.array([view.motion.speed_now, 0.0])
    if np.linalg.norm(relative) * view.unit_m < _STILL_M_S:
        return None
    times = np.arange(0.0, _HORIZON_S, 0.02)
    hit = footprint_distance(box, -times[:, None] * relative) * view.unit_m <= OWN_WIDTH_M / 2
    return round(float(times[hit.argmax()]), 2) if hit.any() else None


def _named(view: View, objects: Sequence[Detection]) -> list[results.Distance]:
    found = []
    for number, one in enumerate(objects, 1):
        box = view.box(one.box)
        corners = box_corners(box)
        angle = np.degrees(np.arctan2(-corners[:, 1], corners[:, 0]))
        middle = float(np.degrees(np.arctan2(-box.center_world[1], box.center_world[0])))
        off = (angle - middle + 180) % 360 - 180
        found.append(
            results.Distance(
                id=f"{one.label}-{number}",
                name=one.label,
                status=view.source,
                confidence=float(np.clip(one.score, 0, 1)),
                distance=float(footprint_distance(box, np.zeros((1, 2)))[0]),
                bearing_deg=(middle + float(off.min() + off.max()) / 2 + 180) % 360 - 180,
            )
        )
    return found


def _unnamed(view: View, objects: Sequence[Detection]) -> list[results.Distance]:
    """What stands there at the last instant besides what is in a box with a name."""
    if view.road is None:
        return []
    last = view.looks[-1]
    points = np.concatenate(last.points_road)
    held = np.zeros(points.shape[0], dtype=bool)
    for one in objects:
        held |= points_in_box(points, view.box(one.box), margin_m=0.3 / view.unit_m)
    things = find_things(points[~held], flat=view.road.flat, unit_m=view.unit_m)
    return [
        results.Distance(
            id=f"something-{number}",
            name=None,
            status=view.source,
            frames=view.named(last.frames),
            distance=thing.distance,
            bearing_deg=thing.bearing_deg,
        )
        for number, thing in enumerate(things, 1)
    ]
