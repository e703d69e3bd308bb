"""Placement: what stands in a scene, the flat surfaces that were seen, and where on them a thing can be put down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.placement_zones import ThingToPlace, Zone, free_zones
from video3d.answers.results import Box, Named, PlacementZone, SurfacePlane
from video3d.geometry.boxes import box_corners, iou_3d_matrix
from video3d.geometry.depth_views import DepthViews, depth_views, free_votes, view_points
from video3d.geometry.flatness import flat_tiles
from video3d.geometry.plane_regions import CELL_M, PlaneRegion, cell_centers, find_plane_regions
from video3d.geometry.proposals import Proposal, propose_boxes
from video3d.geometry.rigid import scale_k
from video3d.types import Box3D, Detection, PosedClip

__all__ = ["PlacementParts", "ThingToPlace", "place"]

_LEVEL = np.cos(np.radians(10.0))
_STABLE = np.cos(np.radians(5.0))  # of planes that things are put on: a ramp is none
_MAX_TILE_FRAMES = 64
_FLOOR_M = 0.05  # planes so near the floor's height are floor
_MIN_CEILING_M, _MIN_CEILING_M2 = 1.8, 0.25
_MIN_WALL_M, _MIN_WALL_HEIGHT_M, _MIN_WALL_M2 = 0.5, 1.2, 1.0
_BEHIND_SHARE = 0.05  # of the places seen beside a wall: more of them behind it, and it is the front of something
_MAX_ZONES, _MAX_OBJECTS = 32, 40
_REST_M = 0.05
_MAX_GAP_M = 1.5
_FAR_M = 10.0  # things farther away are not looked for: nobody puts something beside them
_POINT_ROWS = 60  # of a depth map that things are looked for in, as many as for finding them by words


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementParts:
    """What ``results.Placement`` holds besides what all results share."""

    objects: tuple[Named, ...]
    surface_planes: tuple[SurfacePlane, ...]
    placement_zones: tuple[PlacementZone, ...]
    notes: tuple[str, ...]


def place(clip: PosedClip, facts: SceneFacts, objects: Sequence[Detection], *, thing: ThingToPlace) -> PlacementParts:
    """Objects, flat surfaces, and where a thing fits on them, from all frames of a clip.

    Lengths are in the unit of the world. Where up is not known every plane is of kind ``other`` and has no height; where metres or
    up are not known there are no zones. Frames are indices into the recording.

    Args:
        clip: with complete geometry, after ``align_to_gravity``.
        facts: of it: the floor.
        objects: what a detector found; where there are none, what stands out by its shape, without names.
        thing: what is to be put down.

    >>> from video3d.answers.facts import scene_facts
    >>> from video3d.types import World
    >>> clip = PosedClip(
    ...     frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 6, 8, 3), np.uint8), piece=np.array([0]),
    ...     depth_m=np.full((1, 6, 8), np.nan, np.float32), k_px=np.array([[[8.0, 0, 4], [0, 8, 3], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None], world=World(metric=True))
    >>> place(clip, scene_facts(clip), (), thing=ThingToPlace()).notes
    ('planes and zones: unknown; no frame has depth, a pose and intrinsics',)
    """
    views = depth_views(clip)
    if not views.frame.size:
        named = tuple(_named(i, one.label, one.box, one.score, facts) for i, one in enumerate(objects))
        return PlacementParts(
            objects=named,
            surface_planes=(),
            placement_zones=(),
            notes=("planes and zones: unknown; no frame has depth, a pose and intrinsics",),
        )
    level, metric = clip.world.gravity_aligned, clip.world.metric
    some = np.unique(np.linspace(0, views.frame.size - 1, min(views.frame.size, _MAX_TILE_FRAMES)).astype(np.int64))
    frames = views.frame[some]
    k_px = scale_k(clip.k_px[frames], clip.size_hw, (clip.depth_m.shape[1], clip.depth_m.shape[2]))
    tiles = flat_tiles(clip.depth_m[frames], k_px, clip.world_from_camera[frames])
    regions = find_plane_regions(views, tiles, level=level, floor_z=facts.floor_z if level else None)
    points, seen_in = view_points(views, max(1, views.depth.shape[1] // _POINT_ROWS), _FAR_M * views.metre)
    notes = []
    if objects:
        named = tuple(_named(i, one.label, one.box, one.score, facts) for i, one in enumerate(objects))
        boxes = [one.box for one in objects]
    elif metric:
        found = _distinct(propose_boxes(points, frame=seen_in, floor_z=facts.floor_z, gravity_aligned=level))
        boxes = [one.box for one in found]
        shown = [clip.frame_index[np.unique(seen_in[one.members])] for one in found]
        named = tuple(_named(i, None, box, None, facts, frames=shown[i].tolist()) for i, box in enumerate(boxes))
        notes.append("objects: no detector ran; boxes are around what stands out by its shape, and have no names")
    else:
        named, boxes = (), []
        notes.append(
            "objects: unknown; no detector ran, and without metres nobody can tell what is large and what is small"
        )
    planes = _planes(regions, facts, clip, views, points, boxes)
    zones: list[PlacementZone] = []
    if level and facts.floor_z is None and any(plane.kind == "top" for plane in planes):
        notes.append("planes: no floor was found for sure; the lowest of those called top may be it")
    if not level:
        notes.append("zones: unknown; which way is up is not known, so no plane is known to be level")
    elif not metric:
        notes.append("zones: unknown; the scale is not known, so nobody can tell what fits where")
    else:
        zones = _zones(regions, planes, views, thing, facts)
        if not zones:
            size = " x ".join(f"{side:g}" for side in thing.size_m)
            notes.append(f"zones: no place was seen where {size} m with {thing.clearance_m:g} m around stand free")
    return PlacementParts(objects=named, surface_planes=planes, placement_zones=tuple(zones), notes=tuple(notes))


def _triple(values: Float64[np.ndarray, "3"]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _named(
    number: int, label: str | None, box: Box3D, score: float | None, facts: SceneFacts, *, frames: Sequence[int] = ()
) -> Named:
    return Named(
        id=f"object-{number + 1}",
        name=label or None,
        box=Box.of(box),
        status=facts.scene_source if facts.scene_source != "unknown" else facts.status.depth,
        confidence=None if score is None else float(np.clip(score, 0, 1)),
        frames=tuple(int(frame) for frame in frames),
    )


def _distinct(found: Sequence[Proposal]) -> list[Proposal]:
    """Proposals that are things of their own: of two that share half of a volume the better one."""
    overlap = iou_3d_matrix([one.box for one in found], [one.box for one in found]) if found else np.zeros((0, 0))
    kept: list[int] = []
    for i in range(len(found)):
        if len(kept) < _MAX_OBJECTS and all(overlap[i, j] <= 0.5 for j in kept):
            kept.append(i)
    return [found[i] for i in kept]


def _planes(
    regions: Sequence[PlaneRegion],
    facts: SceneFacts,
    clip: PosedClip,
    views: DepthViews,
    points: np.ndarray,
    boxes: Sequence[Box3D],
) -> tuple[SurfacePlane, ...]:
    planes = []
    kinds = _kinds(regions, facts, points, clip.world.gravity_aligned)
    ids = [f"{kind}-{kinds[: i + 1].count(kind)}" for i, kind in enumerate(kinds)]
    level = {ids[i]: region for i, region in enumerate(regions) if kinds[i] in ("floor", "top")}
    for region, kind, own in zip(regions, kinds, ids, strict=True):
        center = region.center
        is_level = kind in ("floor", "top", "ceiling")
        count = len(region.frames)
        planes.append(
            SurfacePlane(
                id=own,
                kind=kind,  # pyright: ignore[reportArgumentType]
                polygon=tuple(_triple(corner) for corner in region.outline),
                area=region.area,
                normal=_triple(region.normal),
                center=_triple(center),
                height=float(center[2]) - facts.floor_z if is_level and facts.floor_z is not None else None,
                flatness=region.rms,
                on=_carrier(region, boxes) or _base(region, level, views) if kind == "top" else None,
                status=facts.scene_source if facts.scene_source != "unknown" else facts.status.depth,
                confidence=region.agreement * count / (count + 1),
                frames=tuple(int(clip.frame_index[frame]) for frame in region.frames),
            )
        )
    return tuple(planes)


def _kinds(regions: Sequence[PlaneRegion], facts: SceneFacts, points: np.ndarray, level: bool) -> list[str]:
    """What each region is called. Without up, nobody can tell."""
    if not level:
        return ["other"] * len(regions)
    metre = 1.0 if facts.world.metric else _metre(regions)
    floor_z = facts.floor_z
    floors = [r for r in regions if r.normal[2] > _LEVEL and floor_z is not None and _on_floor(r, floor_z, metre)]
    floor = max(floors, key=lambda r: r.area, default=None)
    downward = [r for r in regions if r.normal[2] < -_LEVEL and r.area >= _MIN_CEILING_M2 * metre**2]
    highest = max((float(r.center[2]) for r in downward), default=np.nan)
    kinds = []
    for region in regions:
        z, up = float(region.center[2]), float(region.normal[2])
        if up > _LEVEL:
            same = floor is not None and abs(float(region.center @ floor.normal + floor.offset)) <= _FLOOR_M * metre
            kinds.append("floor" if same else "top")
        elif up < -_LEVEL:
            high = floor_z is None or z - floor_z >= _MIN_CEILING_M * metre
            kinds.append("ceiling" if z > highest - 0.3 * metre and high else "other")
        elif abs(up) < np.sqrt(1 - _LEVEL**2):
            kinds.append("wall" if _is_wall(region, points, metre) else "other")
        else:
            kinds.append("other")
    return kinds


def _metre(regions: Sequence[PlaneRegion]) -> float:
    """Length of about a metre in a world without scale: the cells of regions have the side that they have in metres."""
    return min((region.cell for region in regions), default=CELL_M) / CELL_M


def _on_floor(region: PlaneRegion, floor_z: float, metre: float) -> bool:
    return abs(float(region.center[2]) - floor_z) <= _FLOOR_M * metre


def _is_wall(region: PlaneRegion, points: np.ndarray, metre: float) -> bool:
    """Tall, wide, and nothing behind it: a front of furniture has the room's wall beside and behind it."""
    along = np.cross(np.array([0.0, 0.0, 1.0]), region.normal)
    corners = region.outline @ along
    tall = np.ptp(region.outline[:, 2]) >= _MIN_WALL_HEIGHT_M * metre
    wide = np.ptp(corners) >= _MIN_WALL_M * metre
    if not (tall and wide and region.area >= _MIN_WALL_M2 * metre**2):
        return False
    place = points @ along
    beside = (place > corners.min() - 0.3 * metre) & (place < corners.max() + 0.3 * metre)
    behind = points[beside] @ region.normal + region.offset < -0.1 * metre
    return bool(behind.mean() <= _BEHIND_SHARE)


def _carrier(region: PlaneRegion, boxes: Sequence[Box3D]) -> str | None:
    """The object whose top, seat or board a plane is: the smallest whose box holds most of it; None where there is none."""
    places = region.places()
    best, volume = None, np.inf
    for number, box in enumerate(boxes):
        local = (places - box.center_world) @ box.world_from_box
        inside = (np.abs(local) <= box.size_m / 2 + _REST_M).all(axis=1)
        # Not a plane that the box stands on: it would be carried by what it carries.
        height = box_corners(box)[:, 2]
        above = float(region.center[2] - height.min()) > min(_REST_M, 0.3 * float(np.ptp(height)))
        if inside.mean() > 0.6 and above and box.size_m.prod() < volume:
            best, volume = f"object-{number + 1}", float(box.size_m.prod())
    return best


def _base(region: PlaneRegion, level: Mapping[str, PlaneRegion], views: DepthViews) -> str | None:
    """The plane that a plane's thing stands on: the highest one below that reaches around it, with nothing seen free between.

    What has legs is seen free between, and who carries it is not known from planes alone.
    """
    from scipy.ndimage import binary_dilation, binary_erosion

    padded = np.pad(region.on, 5)
    wide, narrow = (binary_dilation(padded, iterations=cells) for cells in (5, 1))
    # Two cells off the rim, where views look past the thing.
    inner = binary_erosion(padded, iterations=2)
    inner = inner if np.any(inner) else padded
    around, places = (
        cell_centers(region.world_from_plane, region.cell, np.argwhere(cells) - 5)
        for cells in (np.logical_xor(wide, narrow), inner)
    )
    places = places[:: max(1, places.shape[0] // 200)]
    best, gap, center = None, _MAX_GAP_M * views.metre, region.center
    for name, base in level.items():
        below = float(center @ base.normal + base.offset)
        if not _REST_M * views.metre / 2 < below < gap or base.holds(around).mean() < 0.4:
            continue
        between = np.concatenate([places - share * below * base.normal for share in (0.25, 0.5, 0.75)])
        best, gap = (name if (free_votes(views, between).count > 0).mean() <= 0.1 else None), below
    return best


def _zones(
    regions: Sequence[PlaneRegion],
    planes: Sequence[SurfacePlane],
    views: DepthViews,
    thing: ThingToPlace,
    facts: SceneFacts,
) -> list[PlacementZone]:
    found: list[tuple[Zone, SurfacePlane]] = []
    for region, plane in zip(regions, planes, strict=True):
        if plane.kind in ("floor", "top") and region.normal[2] >= _STABLE:
            found += [(zone, plane) for zone in free_zones(views, region, thing)]
    found.sort(key=lambda one: -one[0].score)
    zones = []
    for number, (zone, plane) in enumerate(found[:_MAX_ZONES]):
        anchor = zone.world_from_anchor
        zones.append(
            PlacementZone(
                id=f"zone-{number + 1}",
                plane=plane.id,
                size=zone.size,
                yaw_deg=float(np.degrees(np.arctan2(anchor[1, 0], anchor[0, 0]))),
                center=_triple(anchor[:3, 3]),
                world_from_anchor=tuple(tuple(float(v) for v in row) for row in anchor),  # pyright: ignore[reportArgumentType]
                clearance=zone.clearance,
                flatness=zone.flatness,
                score=float(np.clip(zone.score, 0, 1)),
                status=facts.scene_source,
                confidence=None if plane.confidence is None else plane.confidence * zone.views / (zone.views + 1),
                frames=plane.frames,
            )
        )
    return zones
