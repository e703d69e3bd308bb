"""What is drawn over a frame and on the map from above: boxes as lines in the picture, footprints, the camera's way, the room.

All of it is computed here from the truth, in numpy; the page only draws. Pixels have their centres at +0.5, so that a point drawn on
a canvas that covers the picture lies where it was seen.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.spatial import ConvexHull, QhullError

from video3d.data.row import Box, Row
from video3d.data.truth import ObjectTruth, SceneTruth
from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import inverse_rigid, is_known, transform_points
from video3d.types import Box3D

NEAR_M = 0.05
"""Lines are cut off this near to the camera: beyond, they would run to infinity in the picture."""
_STILL_M = 1e-6

# Corners as box_corners gives them (x slowest, z fastest): an edge joins two that differ in one axis.
EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)])


def clip_near(
    begin_camera: Float64[np.ndarray, "n 3"], end_camera: Float64[np.ndarray, "n 3"], near_m: float = NEAR_M
) -> tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"]]:
    """Cuts line segments off at the plane ``z = near_m`` of the camera; those wholly before it go.

    >>> begin, end = clip_near(np.array([[0.0, 0, -1]]), np.array([[0.0, 2, 1]]), near_m=0.5)
    >>> begin.tolist(), end.tolist()
    ([[0.0, 1.5, 0.5]], [[0.0, 2.0, 1.0]])
    """
    ahead = np.maximum(begin_camera[:, 2], end_camera[:, 2]) > near_m  # false for NaN
    begin, end = begin_camera[ahead], end_camera[ahead]
    rise = end[:, 2] - begin[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.clip((near_m - begin[:, 2]) / rise, 0.0, 1.0)[:, None]
    cut = begin + at * (end - begin)
    new_begin = np.where(begin[:, 2:] < near_m, cut, begin)
    new_end = np.where(end[:, 2:] < near_m, cut, end)
    return new_begin, new_end


def segments_px(
    corners_world: Float64[np.ndarray, "8 3"],
    camera_from_world: Float64[np.ndarray, "4 4"],
    k_px: Float64[np.ndarray, "3 3"],
    size_hw: tuple[int, int],
) -> Float64[np.ndarray, "m 4"]:
    """A box's twelve edges in the picture: x0, y0, x1, y1 in pixels; fewer where some lie behind the camera or beside the picture.

    A segment may reach out of the picture. Nothing where the camera or the box is not known.
    """
    corners = transform_points(camera_from_world, corners_world)
    begin, end = clip_near(corners[EDGES[:, 0]], corners[EDGES[:, 1]])
    ends = np.stack([begin, end], axis=1)  # m 2 3
    px = (ends @ k_px[:2].T) / ends[..., 2:]
    height, width = size_hw
    right, low = np.array([width, height], dtype=np.float64), np.zeros(2)
    beside = np.asarray((px < low).all(axis=1) | (px > right).all(axis=1)).any(axis=-1)  # m
    lines = px.reshape(-1, 4)
    return lines[~beside & np.isfinite(lines).all(axis=-1)]


def box_of_answer(box: Box) -> Box3D:
    """The answer's box."""
    c, s = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
    return Box3D(
        center_world=np.array(box.center_world, dtype=np.float64),
        size_m=np.array(box.size_m, dtype=np.float64),
        world_from_box=np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]),
    )


def boxes_in_frames(truth: SceneTruth, row: Row) -> list[list[dict[str, Any]]]:
    """For every frame the boxes to draw.

    Each is ``{"role": "named" | "answer" | "other", "id", "name", "segments"}``: the objects that the question names (in its order),
    the answer's box, and every other object of which a pixel is seen.
    """
    camera_from_world = inverse_rigid(truth.world_from_camera)
    frames = []
    for frame in range(truth.num_frames):
        drawn = []

        def draw(corners: np.ndarray, frame: int = frame, drawn: list = drawn, **what: Any) -> None:
            lines = segments_px(corners, camera_from_world[frame], truth.k_px[frame], truth.size_hw)
            if len(lines):
                drawn.append({**what, "segments": lines.round(1).tolist()})

        for column, found in enumerate(truth.objects):
            named = found.object_id in row.object_ids
            if (named or truth.visible_px[frame, column] > 0) and is_known(found.world_from_object[frame]):
                role = "named" if named else "other"
                draw(box_corners(found.box(frame)), role=role, id=found.object_id, name=name_of(found))
        if isinstance(row.answer, Box):
            draw(box_corners(box_of_answer(row.answer)), role="answer", id=0, name="answer")
        frames.append(drawn)
    return frames


def name_of(found: ObjectTruth) -> str:
    """An object's colour and category, with its id, as people can tell it from the others: ``red chair 4``."""
    return " ".join(str(word) for word in (found.color, found.category, found.object_id) if word)


def footprint(corners_world: Float64[np.ndarray, "8 3"]) -> list[list[float]]:
    """A box seen from above: the outline of its corners, metres, counter-clockwise. Empty where it is not known.

    >>> from video3d.geometry.boxes import box_from_bounds
    >>> footprint(box_corners(box_from_bounds(np.zeros(3), np.ones(3))))
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    """
    if not np.isfinite(corners_world).all():
        return []
    points = np.unique(corners_world[:, :2].round(4), axis=0)
    try:
        outline = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # thinner than rounding: its two ends
        return points[[0, -1]].tolist()
    first = int(np.lexsort((outline[:, 1], outline[:, 0]))[0])  # where a walk starts does not depend on the library
    return np.roll(outline, -first, axis=0).tolist()


def map_from_above(truth: SceneTruth, row: Row) -> dict[str, Any]:
    """The scene from above, metres, +x right and +y up: every object's footprint, the camera's way, the room.

    ``things`` hold one outline for what stands still and one a frame for what moves; ``camera`` holds x, y and the direction of view
    (dx, dy) of every frame, or None where the pose is not known.
    """
    things = []
    for found in truth.objects:
        poses = found.world_from_object
        still = bool((np.abs(poses - poses[:1]) < _STILL_M).all())  # false where some are NaN
        outlines = [footprint(box_corners(found.box(frame))) for frame in ([0] if still else range(truth.num_frames))]
        named = found.object_id in row.object_ids
        role = "named" if named else "other"
        things.append({"id": found.object_id, "name": name_of(found), "role": role, "outlines": outlines})
    if isinstance(row.answer, Box):
        outline = footprint(box_corners(box_of_answer(row.answer)))
        things.append({"id": 0, "name": "answer", "role": "answer", "outlines": [outline]})
    camera = []
    for pose in truth.world_from_camera:
        known = bool(is_known(pose))
        camera.append([*pose[:2, 3].round(3).tolist(), *pose[:2, 2].round(3).tolist()] if known else None)
    room = None
    if truth.room is not None and np.isfinite(truth.room.floor_polygon_m).all():
        room = {"floor": truth.room.floor_polygon_m.round(3).tolist(), "height_m": round(truth.room.height_m, 3)}
    return {"things": things, "camera": camera, "room": room}
