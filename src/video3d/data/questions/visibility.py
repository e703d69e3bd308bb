"""What the frames shown support: which objects are seen well enough to be asked about, and in which frames.

A frame shows an object well if enough of its pixels are visible, a fair share of its whole outline is, and it is within the
range in which one can judge its place. Thresholds are in pixels of a 224x224 frame and scale with the frame's area. Sources
without masks have NaN in ``visible_share``; :func:`with_visibility` fills it from the boxes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.data.truth import SceneTruth
from video3d.geometry.rigid import inverse_rigid, is_known

MIN_PX = 80.0
"""Visible pixels at 224x224 from which an object can be recognised."""
MIN_SHARE = 0.35
"""Share of the outline that must be visible."""
DEPTH_RANGE_M = {"indoor": (0.3, 25.0), "street": (0.3, 60.0)}
"""Z-depth of the centre within which an object's place can be judged."""
MIN_FRAMES = 2
"""Frames that must show an object well before a three-dimensional fact about it is asked."""
_RAYS = 32  # a side of the picture, where visibility is made from boxes


def centers_camera(truth: SceneTruth, object_id: int) -> Float64[np.ndarray, "f 3"]:
    """The box's centre in the camera's frame in every frame shown, in metres; NaN where either pose is unknown."""
    centers_world = truth.object(object_id).world_from_object[:, :3, 3]
    rotation, position = truth.world_from_camera[:, :3, :3], truth.world_from_camera[:, :3, 3]
    return np.einsum("fji,fj->fi", rotation, centers_world - position)


def seen_mask(truth: SceneTruth, object_id: int) -> Bool[np.ndarray, "f"]:
    """Whether every frame shows the object well."""
    return _seen_masks(truth)[:, truth.index(object_id)]


_last: tuple[SceneTruth, Bool[np.ndarray, "f o"]] | None = None


def _seen_masks(truth: SceneTruth) -> Bool[np.ndarray, "f o"]:
    """The masks of all objects. Those of the last truth are kept: every subtype asks for them again, hundreds of times a clip."""
    global _last  # noqa: PLW0603 - a memory of one, that changes no answer
    if _last is None or _last[0] is not truth:
        height, width = truth.size_hw
        near_m, far_m = DEPTH_RANGE_M[truth.domain]
        poses = [centers_camera(truth, found.object_id)[:, 2] for found in truth.objects]
        z_m = np.array(poses).reshape(len(truth.objects), truth.num_frames).T
        share = np.nan_to_num(truth.visible_share, nan=0.0)
        enough = truth.visible_px >= MIN_PX * height * width / 224**2
        with np.errstate(invalid="ignore"):
            masks = np.asarray(enough & (share >= MIN_SHARE) & (z_m >= near_m) & (z_m <= far_m))
        masks.setflags(write=False)
        _last = (truth, masks)
    return _last[1]


def seen_frames(truth: SceneTruth, object_id: int) -> tuple[int, ...]:
    """The frames that show the object well, ascending."""
    return tuple(int(frame) for frame in np.flatnonzero(seen_mask(truth, object_id)))


def well_seen(
    truth: SceneTruth, object_id: int, *, frames: Sequence[int] | None = None, min_frames: int = MIN_FRAMES
) -> bool:
    """Whether the object is seen well: in all of ``frames`` where they are given, and in at least ``min_frames`` overall.

    A clip with fewer frames than ``min_frames`` must show it in all of them.
    """
    mask = seen_mask(truth, object_id)
    if frames is not None and not bool(mask[list(frames)].all()):
        return False
    return int(mask.sum()) >= min(min_frames, truth.num_frames)


def ever_seen(truth: SceneTruth, object_id: int) -> bool:
    """Whether any pixel of the object is visible in any frame."""
    return bool((truth.visible_px[:, truth.index(object_id)] > 0).any())


def best_frame(truth: SceneTruth, object_ids: Sequence[int]) -> int | None:
    """The last frame that shows all of some objects well, or None: later frames are what a viewer remembers best."""
    masks = [seen_mask(truth, object_id) for object_id in object_ids]
    together = np.flatnonzero(np.logical_and.reduce(masks))
    return int(together[-1]) if together.size else None


def evidence(truth: SceneTruth, object_ids: Sequence[int], *, frame: int | None = None) -> tuple[int, ...]:
    """Frames that show any of some objects well, and ``frame``: what a row names as its evidence."""
    frames = {found for object_id in object_ids for found in seen_frames(truth, object_id)}
    if frame is not None:
        frames.add(frame % truth.num_frames)
    return tuple(sorted(frames))


def with_visibility(truth: SceneTruth) -> SceneTruth:
    """The truth with visibility made from its boxes wherever ``visible_share`` is NaN; the same truth where all is known.

    Rays through a coarse grid of pixels, and through a border as wide as the picture around it, are cut with every box. What
    the nearest box takes is hidden from the others; what falls in the border is outside the picture. Boxes are fuller than
    the things in them, so this errs on the side of "hidden".
    """
    unknown = np.isnan(truth.visible_share)
    if not bool(unknown.any()):
        return truth
    px, share = truth.visible_px.copy(), truth.visible_share.copy()
    for frame in range(truth.num_frames):
        if bool(unknown[frame].any()):
            made_px, made_share = _visible_boxes(truth, frame)
            px[frame] = np.where(unknown[frame], made_px, px[frame])
            share[frame] = np.where(unknown[frame], made_share, share[frame])
    return replace(truth, visible_px=px, visible_share=share)


def _visible_boxes(truth: SceneTruth, frame: int) -> tuple[Int64[np.ndarray, "o"], Float64[np.ndarray, "o"]]:
    """Visible pixels and visible share of every box in a frame; 0 where a pose is unknown."""
    num = len(truth.objects)
    height, width = truth.size_hw
    pose, k_px = truth.world_from_camera[frame], truth.k_px[frame]
    if num == 0 or not (bool(is_known(pose)) and bool(is_known(k_px))):
        return np.zeros(num, np.int64), np.zeros(num)
    steps = (np.arange(3 * _RAYS) + 0.5) / _RAYS - 1.0  # -1..2 pictures wide, the picture itself is 0..1
    x_px, y_px = np.meshgrid(steps * width, steps * height)
    inside = ((x_px > 0) & (x_px < width) & (y_px > 0) & (y_px < height)).ravel()
    rays = np.stack([x_px, y_px, np.ones_like(x_px)], axis=-1).reshape(-1, 3) @ np.linalg.inv(k_px).T  # z = 1
    entry = np.full((num, rays.shape[0]), np.inf)  # z-depth at which a ray enters a box
    for row, thing in enumerate(truth.objects):
        world_from_object = thing.world_from_object[frame]
        if bool(is_known(world_from_object)):
            object_from_camera = inverse_rigid(world_from_object) @ pose
            entry[row] = _entry_depth(rays, object_from_camera, thing.size_m / 2)
    hit = np.isfinite(entry)
    first = hit & (entry == entry.min(axis=0, keepdims=True))
    visible = (first & inside).sum(axis=1)
    whole = np.maximum(hit.sum(axis=1), 1)
    return (visible * (height * width / _RAYS**2)).astype(np.int64), visible / whole


def _entry_depth(
    rays: Float64[np.ndarray, "r 3"], object_from_camera: Float64[np.ndarray, "4 4"], half_m: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "r"]:
    """Z-depth at which rays from the camera enter a box (slab method); infinite where they miss, 0 from inside."""
    origin, directions = object_from_camera[:3, 3], rays @ object_from_camera[:3, :3].T
    directions = np.where(np.abs(directions) < 1e-12, 1e-12, directions)
    low, high = (-half_m - origin) / directions, (half_m - origin) / directions
    enter, leave = np.minimum(low, high).max(axis=1), np.maximum(low, high).min(axis=1)
    return np.where((leave >= enter) & (leave > 0), np.maximum(enter, 0.0), np.inf)
