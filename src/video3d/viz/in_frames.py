"""What of a scene falls into a frame: edges of boxes, the path, outlines, in pixels, and how far things are from its camera."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from video3d.data.drawing import clip_near, segments_px
from video3d.geometry.boxes import box_corners, nearest_point
from video3d.geometry.rigid import inverse_rigid, is_known, transform_points
from video3d.viz.shown import Shown, ShownBox


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A box as one frame has it.

    Attributes:
        box: as it was at that frame.
        lines_px: x0, y0, x1, y1 of its edges, in pixels of the clip's frames.
        distance: from the camera to the box's nearest point, level where up is known; in the world's unit.
    """

    box: ShownBox
    lines_px: Float64[np.ndarray, "m 4"]
    distance: float


def seen_in(shown: Shown, i: int) -> tuple[Seen, ...]:
    """The boxes in a frame (a position in the clip), nearest first; () where its camera is not known.

    Boxes whose frames are known are in those and in no other. What may move is in the frames of the last instant, and in others only
    if its velocity is known, where that puts it.
    """
    clip = shown.clip
    if not (_placed(shown, i) and is_known(clip.k_px[i])):
        return ()
    pose, size_hw, found = clip.world_from_camera[i], clip.size_hw, []
    for one in shown.boxes:
        then = _as_of(one, shown, i)
        if then is None or (one.frames and int(clip.frame_index[i]) not in one.frames):
            continue
        corners = box_corners(then.box)
        lines = segments_px(corners, inverse_rigid(pose), clip.k_px[i], size_hw)
        if len(lines):
            found.append(Seen(box=then, lines_px=lines, distance=_distance(shown, then, pose[:3, 3])))
    return tuple(sorted(found, key=lambda seen: seen.distance))


def line_px(shown: Shown, i: int, places: Float64[np.ndarray, "k 3"], *, closed: bool = False) -> np.ndarray:
    """Segments (m, 4) of a line of the world in a frame, in pixels; what lies behind the camera is cut off."""
    clip = shown.clip
    if not (_placed(shown, i) and is_known(clip.k_px[i])) or len(places) < 2:
        return np.zeros((0, 4))
    camera = transform_points(inverse_rigid(clip.world_from_camera[i]), places)
    begin, end = (camera, np.roll(camera, -1, axis=0)) if closed else (camera[:-1], camera[1:])
    ends = np.stack(clip_near(begin, end, near_m=0.02 * shown.reach), axis=1)
    lines = ((ends @ clip.k_px[i][:2].T) / ends[..., 2:]).reshape(-1, 4)
    height, width = clip.size_hw
    low, high = np.minimum(lines[:, :2], lines[:, 2:]), np.maximum(lines[:, :2], lines[:, 2:])
    return lines[(high >= 0).all(axis=1) & (low <= [width, height]).all(axis=1)]


def mark_px(shown: Shown, i: int, place: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "2"] | None:
    """Where a place of the last instant falls in a frame of it, in pixels; None outside of the frame and in earlier ones."""
    clip = shown.clip
    if not (i in shown.last and _placed(shown, i) and is_known(clip.k_px[i])):
        return None
    x, y, z = transform_points(inverse_rigid(clip.world_from_camera[i]), place)
    if z <= 0.01 * shown.reach:
        return None
    at = clip.k_px[i][:2] @ np.array([x / z, y / z, 1.0])
    height, width = clip.size_hw
    return at if 0 <= at[0] <= width and 0 <= at[1] <= height else None


def _placed(shown: Shown, i: int) -> bool:
    return bool(shown.clip.piece[i] == 0 and is_known(shown.clip.world_from_camera[i]))


def _as_of(one: ShownBox, shown: Shown, i: int) -> ShownBox | None:
    """The box as it was at a frame; None where that is not known."""
    if not one.moves or i in shown.last:
        return one
    if one.velocity is None or not shown.last:
        return None
    passed = float(shown.clip.time_s[i] - shown.clip.time_s[shown.last[0]])
    if not np.isfinite(passed):
        return None
    return replace(one, box=replace(one.box, center_world=one.box.center_world + one.velocity * passed))


def _distance(shown: Shown, one: ShownBox, eye: Float64[np.ndarray, "3"]) -> float:
    if not shown.clip.world.gravity_aligned:
        return float(np.linalg.norm(nearest_point(one.box, eye) - eye))
    level = np.array([eye[0], eye[1], one.box.center_world[2]])
    return float(np.linalg.norm((nearest_point(one.box, level) - level)[:2]))
