"""How things lie to one another: bearings, outlines, gaps and footprints, from boxes and camera poses.

The observer's frame is level: its forward is the camera's viewing axis laid flat, left is a quarter turn from it. So a camera that
looks down at a table still has "left" where a person has it. Angles are the house's yaw: 0 ahead, positive to the left.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.data.truth import SceneTruth
from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import inverse_rigid, is_known, transform_points
from video3d.types import Box3D

_MAX_TILT_DEG = 60.0  # steeper than this a camera has no forward on the floor
_MAX_ROLL_DEG = 15.0  # more than this and the picture's left is not the room's left
_EDGES = np.array([(i, j) for i in range(8) for j in range(i + 1, 8) if bin(i ^ j).count("1") == 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a box covers in a frame, clipped to the picture, and the z-depths between which it lies.

    Attributes:
        left_px: its leftmost column; ``right_px`` its rightmost; ``top_px`` and ``bottom_px`` its rows.
        near_m: z-depth of its nearest corner; ``far_m`` of its farthest.
    """

    left_px: float
    right_px: float
    top_px: float
    bottom_px: float
    near_m: float
    far_m: float


def box_at(truth: SceneTruth, object_id: int, frame: int = -1) -> Box3D | None:
    """The object's box at a frame shown, or None where its pose is not known."""
    thing = truth.object(object_id)
    return thing.box(frame) if bool(is_known(thing.world_from_object[frame])) else None


def is_still(truth: SceneTruth, object_id: int, *, tolerance_m: float = 0.03) -> bool:
    """Whether the object stays where it is, and its pose is known, in every frame shown."""
    poses = truth.object(object_id).world_from_object
    if not bool(is_known(poses).all()):
        return False
    moved = np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1).max()
    turned = np.abs(poses[:, :3, :3] - poses[0, :3, :3]).max()
    return bool(moved < tolerance_m and turned < 0.1)


def level_axes(truth: SceneTruth, frame: int) -> Float64[np.ndarray, "2 2"] | None:
    """Forward and left of the observer on the floor, unit vectors; None where unknown, or looking too far up, down or askew."""
    pose = truth.world_from_camera[frame]
    if not bool(is_known(pose)):
        return None
    right, forward = pose[:3, 0], pose[:3, 2]
    if abs(forward[2]) > np.sin(np.radians(_MAX_TILT_DEG)) or abs(right[2]) > np.sin(np.radians(_MAX_ROLL_DEG)):
        return None
    flat = forward[:2] / np.linalg.norm(forward[:2])
    return np.array([flat, [-flat[1], flat[0]]])


def offset_level(
    truth: SceneTruth, frame: int, point_world: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "3"] | None:
    """A point as (forward, left, up) metres from the observer, or None where there is no level frame."""
    axes = level_axes(truth, frame)
    if axes is None:
        return None
    offset = point_world - truth.world_from_camera[frame, :3, 3]
    return np.append(axes @ offset[:2], offset[2])


def bearing_deg(truth: SceneTruth, frame: int, point_world: Float64[np.ndarray, "3"]) -> float | None:
    """Direction of a point on the floor from the observer: 0 ahead, positive left, -180..180."""
    offset = offset_level(truth, frame, point_world)
    return None if offset is None else float(np.degrees(np.arctan2(offset[1], offset[0])))


def turn_deg(from_deg: float, to_deg: float) -> float:
    """The turn from one direction to another, -180..180, positive left.

    >>> turn_deg(170.0, -170.0)
    20.0
    """
    return float((to_deg - from_deg + 180.0) % 360.0 - 180.0)


def heading_deg(vector: Float64[np.ndarray, "*n"]) -> float:
    """Direction of a vector on the floor, counter-clockwise from +x."""
    return float(np.degrees(np.arctan2(vector[1], vector[0])))


def outline(truth: SceneTruth, object_id: int, frame: int) -> Outline | None:
    """What the object's box covers in a frame; None where it is unknown, reaches behind the camera or is out of the picture."""
    box, pose, k_px = box_at(truth, object_id, frame), truth.world_from_camera[frame], truth.k_px[frame]
    if box is None or not bool(is_known(pose)):
        return None
    corners = transform_points(inverse_rigid(pose), box_corners(box))
    if corners[:, 2].min() < 0.05:
        return None
    pixels = (corners @ k_px[:2].T) / corners[:, 2:]
    low, high = np.maximum(pixels.min(axis=0), 0), np.minimum(pixels.max(axis=0), truth.size_hw[::-1])
    if not bool((low < high).all()):
        return None
    near_m, far_m = corners[:, 2].min(), corners[:, 2].max()
    return Outline(
        left_px=float(low[0]),
        right_px=float(high[0]),
        top_px=float(low[1]),
        bottom_px=float(high[1]),
        near_m=float(near_m),
        far_m=float(far_m),
    )


def z_interval(box: Box3D) -> tuple[float, float]:
    """Heights of a box's lowest and highest point in metres."""
    reach = float(np.abs(box.world_from_box[2]) @ box.size_m / 2)
    return float(box.center_world[2]) - reach, float(box.center_world[2]) + reach


def footprint(box: Box3D) -> Float64[np.ndarray, "n 2"]:
    """The box's shadow on the floor: a convex polygon, counter-clockwise (Andrew's monotone chain)."""
    points = sorted({(round(float(x), 9), round(float(y), 9)) for x, y in box_corners(box)[:, :2]})
    halves = []
    for order in (points, points[::-1]):
        chain: list[tuple[float, float]] = []
        for point in order:
            while len(chain) > 1 and _turns_right(chain[-2], chain[-1], point):
                chain.pop()
            chain.append(point)
        halves.append(chain[:-1])
    return np.array(halves[0] + halves[1])


def _turns_right(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0


def polygon_area_m2(polygon: Float64[np.ndarray, "n 2"]) -> float:
    """Area of a simple polygon, positive for a counter-clockwise one (shoelace)."""
    x, y = polygon.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def shared_footprint(a: Box3D, b: Box3D) -> float:
    """Area that two boxes share on the floor, as a share of the smaller footprint (Sutherland and Hodgman's clipping)."""
    clipped, against = [*footprint(a)], footprint(b)
    smaller = min(polygon_area_m2(footprint(a)), polygon_area_m2(against))
    for start, end in zip(against, np.roll(against, -1, axis=0), strict=True):
        normal = np.array([-(end - start)[1], (end - start)[0]])
        sides = [float((point - start) @ normal) for point in clipped]
        kept = []
        for i, point in enumerate(clipped):
            before = sides[i - 1]
            if (before < 0) != (sides[i] < 0):
                kept.append(clipped[i - 1] + (point - clipped[i - 1]) * before / (before - sides[i]))
            if sides[i] >= 0:
                kept.append(point)
        clipped = kept
        if len(clipped) < 3:
            return 0.0
    return polygon_area_m2(np.array(clipped)) / max(smaller, 1e-9)


def gap_m(a: Box3D, b: Box3D) -> float:
    """Distance between the nearest points of two boxes, 0 where they meet.

    Of two convex polyhedra apart, the nearest points are a corner and a face, or two edges: all are tried. Whether they meet is
    told by the fifteen separating axes (Gottschalk, "OBBTree", 1996).

    >>> a = Box3D(center_world=np.zeros(3), size_m=np.ones(3), world_from_box=np.eye(3))
    >>> b = Box3D(center_world=np.array([3.0, 0, 0]), size_m=np.ones(3), world_from_box=np.eye(3))
    >>> gap_m(a, b), gap_m(a, a)
    (2.0, 0.0)
    """
    if _meet(a, b):
        return 0.0
    corners_a, corners_b = box_corners(a), box_corners(b)
    to_faces = min(_to_box(corners_a, b), _to_box(corners_b, a))
    return min(to_faces, _between_edges(corners_a[_EDGES], corners_b[_EDGES]))


def floor_gap_m(a: Box3D, b: Box3D) -> float:
    """Distance between two boxes' shadows on the floor, 0 where they overlap."""
    return gap_m(_flat(a), _flat(b))


def _flat(box: Box3D) -> Box3D:
    """The upright box of unit height at z = 0 around the box's shadow; along its own axes where it stands upright."""
    if abs(box.world_from_box[2, 2]) > 0.99:
        heading = np.arctan2(box.world_from_box[1, 0], box.world_from_box[0, 0])
    else:
        heading = 0.0
    c, s = np.cos(heading), np.sin(heading)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    local = (box_corners(box) - box.center_world) @ turn
    extent = np.append(local[:, :2].max(axis=0) - local[:, :2].min(axis=0), 1.0)
    return Box3D(center_world=np.append(box.center_world[:2], 0.0), size_m=extent, world_from_box=turn)


def _meet(a: Box3D, b: Box3D) -> bool:
    axes_a, axes_b = a.world_from_box.T, b.world_from_box.T
    crossed = np.cross(axes_a[:, None], axes_b[None]).reshape(-1, 3)
    crossed = crossed[np.linalg.norm(crossed, axis=1) > 1e-6]
    axes = np.concatenate([axes_a, axes_b, crossed])
    reach = np.abs(axes @ a.world_from_box) @ a.size_m / 2 + np.abs(axes @ b.world_from_box) @ b.size_m / 2
    return bool((np.abs(axes @ (b.center_world - a.center_world)) <= reach + 1e-9).all())


def _to_box(points_world: Float64[np.ndarray, "n 3"], box: Box3D) -> float:
    local = (points_world - box.center_world) @ box.world_from_box
    beyond = np.maximum(np.abs(local) - box.size_m / 2, 0.0)
    return float(np.linalg.norm(beyond, axis=1).min())


def _between_edges(first: Float64[np.ndarray, "n 2 3"], second: Float64[np.ndarray, "m 2 3"]) -> float:
    """Least distance between segments of two lists (Ericson, "Real-Time Collision Detection", 5.1.9)."""
    p, d = first[:, None, 0], first[:, None, 1] - first[:, None, 0]
    q, e = second[None, :, 0], second[None, :, 1] - second[None, :, 0]
    r = p - q
    dd, ee, de = (d * d).sum(-1), (e * e).sum(-1), (d * e).sum(-1)
    dr, er = (d * r).sum(-1), (e * r).sum(-1)
    scale = dd * ee - de * de
    s = np.clip(np.divide(de * er - dr * ee, scale, out=np.zeros_like(scale), where=scale > 1e-12), 0, 1)
    t = np.clip((de * s + er) / ee, 0, 1)
    s = np.clip((de * t - dr) / dd, 0, 1)
    return float(np.linalg.norm(r + d * s[..., None] - e * t[..., None], axis=-1).min())


def upright_box(box: Box3D) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"], float]:
    """Centre, extents and yaw (rad) of the box turned only about +z.

    A box that lies on a side keeps its own faces, renamed; one that leans is replaced by the axis-aligned box around it.
    """
    up = int(np.argmax(np.abs(box.world_from_box[2])))
    if abs(box.world_from_box[2, up]) < 0.995:
        corners = box_corners(box)
        low, high = corners.min(axis=0), corners.max(axis=0)
        return (low + high) / 2, high - low, 0.0
    first, second = (up + 1) % 3, (up + 2) % 3
    axis = box.world_from_box[:, first]
    return box.center_world, box.size_m[[first, second, up]], float(np.arctan2(axis[1], axis[0]))
