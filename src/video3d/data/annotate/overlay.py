"""What is drawn over a frame and on the map from above: boxes as lines in the picture, footprints, the camera's way, the room.

All of it is computed here from the truth, in numpy; the page only draws.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.spatial import ConvexHull, QhullError

from video3d.data.drawing import box_segments
from video3d.data.row import Box, Row
from video3d.data.truth import ObjectTruth, SceneTruth
from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import is_known
from video3d.types import Box3D

_STILL_M = 1e-6


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
    frames = []
    for frame in range(truth.num_frames):
        drawn = []

        def draw(box: Box3D, frame: int = frame, drawn: list = drawn, **what: Any) -> None:
            lines = box_segments(truth, frame, box)
            if len(lines):
                drawn.append({**what, "segments": lines.round(1).tolist()})

        for column, found in enumerate(truth.objects):
            named = found.object_id in row.object_ids
            if (named or truth.visible_px[frame, column] > 0) and is_known(found.world_from_object[frame]):
                role = "named" if named else "other"
                draw(found.box(frame), role=role, id=found.object_id, name=name_of(found))
        if isinstance(row.answer, Box):
            draw(box_of_answer(row.answer), role="answer", id=0, name="answer")
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
