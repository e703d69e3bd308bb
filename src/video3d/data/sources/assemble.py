"""From frames that a reader gave to a clip as it is stored: one size for colour, depth and masks, and the truth beside them.

Notable: measured sparse depth (LiDAR) is not resampled as a depth map is, because most of its pixels would be lost: every
measured pixel is carried to where it falls in the smaller frame, and the nearest wins.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8, UInt16

from video3d.data.sources.source import SceneRef, SourceInfo
from video3d.data.sources.visibility import Seen, seen_from_masks
from video3d.data.truth import ClipData, ObjectTruth, Rollout, RoomTruth, SceneTruth
from video3d.geometry.resize import resize_clip
from video3d.geometry.rigid import is_known
from video3d.types import Box3D, Clip, InputError, PosedClip, Recording
from video3d.video.read import read_clip
from video3d.video.sample import sample_uniform
from video3d.vocabulary import category, normalise

_MIN_SIDE_PX = 16
_ROOM = frozenset(("wall", "floor", "ceiling"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The frames of a clip at their final size, in the world that its truth speaks of.

    Attributes:
        rgb: frames.
        depth_m: z-depth, NaN unknown, or None.
        k_px: intrinsics at the frames' size.
        world_from_camera: poses, NaN unknown.
        times_s: from 0.
    """

    rgb: UInt8[np.ndarray, "f h w 3"]
    depth_m: Float32[np.ndarray, "f h w"] | None
    k_px: Float64[np.ndarray, "f 3 3"]
    world_from_camera: Float64[np.ndarray, "f 4 4"]
    times_s: Float64[np.ndarray, "f"]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @property
    def views(self) -> dict[str, np.ndarray]:
        """Intrinsics and poses, as all of ``visibility`` takes them."""
        return {"k_px": self.k_px, "world_from_camera": self.world_from_camera}


def shown(
    clip: Clip,
    size_hw: tuple[int, int],
    *,
    world_from_recording: Float64[np.ndarray, "4 4"] | None = None,
    sparse_depth: bool = False,
    times_s: Float64[np.ndarray, "f"] | None = None,
) -> Shown:
    """A clip's frames at ``size_hw``, moved into the truth's world.

    Args:
        clip: with intrinsics and poses.
        size_hw: of the result; height and width are scaled independently and K tells the aspect.
        world_from_recording: rigid; the identity by default.
        sparse_depth: depth is LiDAR, most pixels have none.
        times_s: of the frames, where the recording does not know them.

    Errors: ``InputError`` when the recording lacks intrinsics or poses.
    """
    check_size_hw(size_hw)
    if clip.k_px is None or clip.world_from_camera is None:
        missing = "intrinsics" if clip.k_px is None else "poses"
        raise InputError(clip.recording.source, expected=missing, got="none")
    dense_m = None if sparse_depth else clip.depth_m
    posed = PosedClip(
        frame_index=clip.frame_index,
        time_s=clip.time_s if times_s is None else times_s,
        rgb=clip.rgb,
        depth_m=np.full((clip.num_frames, 1, 1), np.nan, np.float32) if dense_m is None else dense_m,
        k_px=clip.k_px,
        world_from_camera=clip.world_from_camera,
        piece=np.zeros(clip.num_frames, np.int64),
        world=clip.recording.world,
    )
    small = resize_clip(posed, size_hw)
    depth_m = None if clip.depth_m is None else small.depth_m
    if clip.depth_m is not None and sparse_depth:
        depth_m = shrink_sparse(clip.depth_m, size_hw)
    poses = small.world_from_camera
    return Shown(
        rgb=small.rgb,
        depth_m=depth_m,
        k_px=small.k_px,
        world_from_camera=poses if world_from_recording is None else world_from_recording @ poses,
        times_s=small.time_s - small.time_s[0],
    )


def clip_data(
    info: SourceInfo,
    ref: SceneRef,
    frames: Shown,
    *,
    number: int,
    objects: Iterable[ObjectTruth],
    seen: Seen,
    instance: UInt16[np.ndarray, "f h w"] | None = None,
    room: RoomTruth | None = None,
    rollouts: Sequence[Rollout] = (),
    complete: bool = False,
    licence: str | None = None,
    notes: Sequence[str] = (),
) -> ClipData:
    """A clip of a source. ``number`` tells the clips of one recording apart; ``licence`` is the source's by default."""
    truth = SceneTruth(
        clip_id=clip_id(info, ref, number),
        scene_id=ref.scene_id,
        source=info.name,
        licence=licence or info.licence,
        domain=info.domain,
        split=ref.split,
        scenario="recorded",
        viewer=info.viewer,
        size_hw=frames.size_hw,
        times_s=frames.times_s,
        k_px=frames.k_px,
        world_from_camera=frames.world_from_camera,
        objects=tuple(objects),
        visible_px=seen.px,
        visible_share=seen.share,
        room=room,
        rollouts=tuple(rollouts),
        complete=complete,
    )
    return ClipData(truth=truth, rgb=frames.rgb, depth_m=frames.depth_m, instance=instance, notes=tuple(notes))


def clip_id(info: SourceInfo, ref: SceneRef, number: int) -> str:
    """Unique name of a clip of a recording, ``[a-z0-9_-]``."""
    name = re.sub(r"[^a-z0-9_]+", "-", ref.name.lower()).strip("-")
    return f"{info.name}-{name[-70:]}-{number:02d}"


def boxes_of(objects: Sequence[ObjectTruth], num_frames: int) -> list[list[Box3D | None]]:
    """Box of every object in every frame, None where its pose is not known."""
    known = [is_known(o.world_from_object) for o in objects]
    return [[o.box(f) if known[i][f] else None for i, o in enumerate(objects)] for f in range(num_frames)]


def walked(
    recording: Recording,
    usable: Int64[np.ndarray, "n"],
    size_hw: tuple[int, int],
    *,
    num_frames: int,
    num_clips: int,
    world_from_recording: Float64[np.ndarray, "4 4"] | None = None,
) -> Iterator[tuple[int, Int64[np.ndarray, "_"], Shown]]:
    """The clips of one walk as :func:`windows` cuts it: number, frames of the recording, and those as they are shown."""
    for number, chosen in enumerate(windows(usable, num_frames, num_clips)):
        yield (
            number,
            chosen,
            shown(read_clip(recording, indices=chosen), size_hw, world_from_recording=world_from_recording),
        )


def object_name(label: str) -> str | None:
    """The vocabulary's name of an object; None for what it has no name for, and for the room itself.

    >>> object_name("Sofa"), object_name("wall")
    ('sofa', None)
    """
    name = normalise(label)
    return None if name in _ROOM else name


def still_object(
    object_id: int,
    name: str,
    box: Box3D,
    num_frames: int,
    *,
    world_from_box_world: Float64[np.ndarray, "4 4"] | None = None,
) -> ObjectTruth:
    """Something that stays where it is; ``world_from_box_world`` moves a box of another world into the clip's."""
    pose = box_pose(box) if world_from_box_world is None else world_from_box_world @ box_pose(box)
    return ObjectTruth(
        object_id=object_id,
        category=name,
        kind=category(name).kind,
        motion="static",
        size_m=box.size_m,
        world_from_object=still(pose, num_frames),
    )


def box_pose(box: Box3D) -> Float64[np.ndarray, "4 4"]:
    """Where a box is and how it is turned, as a pose."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = box.world_from_box, box.center_world
    return pose


def seen_in_masks(instance: UInt16[np.ndarray, "f h w"], objects: Sequence[ObjectTruth], frames: Shown) -> Seen:
    """Visibility of objects whose ids are in the masks."""
    boxes = boxes_of(objects, len(instance))
    return seen_from_masks(instance, [o.object_id for o in objects], boxes, **frames.views)


def pinhole(focal_px: float, size_hw: tuple[int, int]) -> Float64[np.ndarray, "3 3"]:
    """K of square pixels with the principal point in the middle."""
    return np.array([[focal_px, 0.0, size_hw[1] / 2], [0.0, focal_px, size_hw[0] / 2], [0.0, 0.0, 1.0]])


def known_depth(depth_m: Float32[np.ndarray, "*s"]) -> Float32[np.ndarray, "*s"]:
    """Depth as a simulator gives it: what is not finite and above 0 becomes NaN."""
    return np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, np.float32(np.nan))


def still(pose: Float64[np.ndarray, "4 4"], num_frames: int) -> Float64[np.ndarray, "f 4 4"]:
    """One pose for every frame."""
    return np.tile(pose, (num_frames, 1, 1))


def windows(usable: Int64[np.ndarray, "n"], num_frames: int, num_clips: int) -> list[Int64[np.ndarray, "_"]]:
    """Frames of the clips of one walk: the whole walk first, then stretches of it that follow one another.

    Args:
        usable: frames of the recording that have what is needed, ascending.
        num_frames: in a clip, at most.
        num_clips: at least 1; stretches too short for half the frames are left out.

    >>> [w.tolist() for w in windows(np.arange(12), 3, 3)]
    [[0, 6, 11], [0, 3, 5], [6, 9, 11]]
    """
    out = [usable[sample_uniform(len(usable), num_frames)]]
    if num_clips > 1:
        for part in np.array_split(usable, num_clips - 1):
            if len(part) * 2 >= num_frames:
                out.append(part[sample_uniform(len(part), num_frames)])
    return out


def check_size_hw(size_hw: tuple[int, int]) -> None:
    """Errors: ``InputError`` for a side under 16 px."""
    if min(size_hw) < _MIN_SIDE_PX:
        raise InputError("size", expected=f"at least {_MIN_SIDE_PX} px a side", got=f"{size_hw[1]} x {size_hw[0]}")


def resize_ids(ids: UInt16[np.ndarray, "f h w"], size_hw: tuple[int, int]) -> UInt16[np.ndarray, "f h2 w2"]:
    """Masks at another size: each new pixel has the id at its centre.

    >>> resize_ids(np.array([[[1, 1, 2, 2]]], np.uint16), (1, 2)).tolist()
    [[[1, 2]]]
    """
    height, width = ids.shape[1:]
    row = ((np.arange(size_hw[0]) + 0.5) * height / size_hw[0]).astype(np.int64)
    column = ((np.arange(size_hw[1]) + 0.5) * width / size_hw[1]).astype(np.int64)
    return ids[:, row[:, None], column[None, :]]


def shrink_sparse(depth_m: Float32[np.ndarray, "f h w"], size_hw: tuple[int, int]) -> Float32[np.ndarray, "f h2 w2"]:
    """Sparse depth at another size: measured pixels are carried over, of several in one the nearest stays.

    >>> shrink_sparse(np.array([[[np.nan, 5, 4, np.nan]]], np.float32), (1, 2)).tolist()
    [[[5.0, 4.0]]]
    """
    height, width = depth_m.shape[1:]
    out = np.full((len(depth_m), *size_hw), np.inf, np.float32)
    for slot, depth in enumerate(depth_m):
        row, column = np.nonzero(np.isfinite(depth))
        to_row = ((row + 0.5) * size_hw[0] / height).astype(np.int64)
        to_column = ((column + 0.5) * size_hw[1] / width).astype(np.int64)
        np.minimum.at(out[slot], (to_row, to_column), depth[row, column])
    out[np.isinf(out)] = np.nan
    return out


def stretches(num_total: int, num_frames: int, *, step: int, after: int) -> list[tuple[range, range]]:
    """A drive cut into clips that follow one another: the frames shown, and all frames from the first shown to beyond the last.

    Args:
        num_total: frames of the drive.
        num_frames: shown in a clip.
        step: every how many frames one is shown.
        after: frames beyond the last one shown that belong to what happens next.

    A drive too short for one such clip gives one that shows its first two thirds.

    >>> [(list(a), list(b)) for a, b in stretches(10, 2, step=2, after=2)]
    [([0, 2], [0, 1, 2, 3, 4]), ([3, 5], [3, 4, 5, 6, 7])]
    >>> [(list(a), list(b)) for a, b in stretches(4, 8, step=1, after=2)]
    [([0, 1, 2], [0, 1, 2, 3])]
    """
    span = (num_frames - 1) * step + 1
    out, start = [], 0
    while start + span + after <= num_total:
        out.append((range(start, start + span, step), range(start, start + span + after)))
        start += span
    if not out and num_total:
        shown_part = max(1, -(-2 * num_total // 3))
        out.append((range(0, shown_part, step), range(0, num_total)))
    return out
