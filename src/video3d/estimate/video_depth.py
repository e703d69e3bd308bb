"""Depth of a clip from many views: which frames of the recording to compare with, piece by piece, in which unit.

Where depth is missing and poses and intrinsics of at least two frames are known, what a network says (its depth in the
unit of the result) is refined by what the whole recording shows, and without a network depth comes from the views alone.
The clip's own frames are often too far apart to be compared with each other; those between them are read a few at a time.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from video3d.estimate.reconstruction import Given, Reconstruction
from video3d.estimate.still import travels
from video3d.estimate.unit import Unit, points_in_unit
from video3d.geometry.rigid import is_known
from video3d.types import Clip
from video3d.types.depth import DepthEstimate

_MIN_POINTS = 12  # of a frame, to tell the range of its depth; else those of its piece
_NEARER, _FARTHER = 0.65, 1.7  # than the nearest and farthest percent of the points: features see corners, not walls
_ROOM_M = (0.3, 20.0)  # where nothing tells the range, and the unit is the metre


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinedDepth:
    """Depth of a clip after several views were asked.

    Attributes:
        depth: in the unit of the result, NaN where unknown.
        log_sigma: standard deviation of ln depth, in the unit of the result: how far that unit may be off is not in it.
        notes: what was done, and how much of it rests on evidence.
    """

    depth: Float32[np.ndarray, "f h w"]
    log_sigma: Float32[np.ndarray, "f h w"]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """Frames of one world, and the frames of the recording whose poses are known in it, in the unit of the result."""

    frames: Int64[np.ndarray, "m"]
    world_from_camera: Float64[np.ndarray, "m 4 4"]
    source_index: Int64[np.ndarray, "n"]
    source_k_px: Float64[np.ndarray, "n 3 3"]
    world_from_source: Float64[np.ndarray, "n 4 4"]


def refine_clip(
    clip: Clip,
    given: Given,
    reconstruction: Reconstruction | None,
    unit: Unit,
    k_px: Float64[np.ndarray, "f 3 3"],
    prior: DepthEstimate | None,
) -> RefinedDepth | None:
    """Depth of the clip from many views; None where none could be compared.

    Args:
        clip: its frames.
        given: poses that the recording has, if it has.
        reconstruction: poses that were recovered otherwise.
        unit: of the result.
        k_px: intrinsics of the clip's frames, NaN where unknown.
        prior: a network's depth in the unit of the result.
    """
    from video3d.estimate.multi_view import SourceViews, refine_depth  # torch

    groups = _groups(clip, given, reconstruction, unit, k_px)
    if not groups:
        return None
    size = (clip.num_frames, *clip.size_hw)
    depth = np.full(size, np.nan, np.float32) if prior is None else prior.values.copy()
    log_sigma = np.full(size, np.nan, np.float32)
    if prior is not None and prior.log_sigma is not None:
        log_sigma = np.where(np.isfinite(depth), prior.log_sigma, np.nan).astype(np.float32)
    by_evidence, dynamic = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    views = np.zeros(clip.num_frames, np.int64)
    ranges = _ranges(clip, reconstruction, unit, room=prior is None)
    for group in groups:
        index = group.source_index
        refined = refine_depth(
            clip.rgb[group.frames],
            k_px[group.frames],
            group.world_from_camera,
            None if prior is None else _some(prior, group.frames),
            depth_range=ranges[group.frames],
            sources=SourceViews(
                load_rgb=lambda wanted, index=index: clip.recording.load_rgb(index[list(wanted)].tolist()),
                size_hw=clip.recording.size_hw,
                k_px=group.source_k_px,
                world_from_camera=group.world_from_source,
            ),
        )
        seen = refined.num_views > 0
        mine = group.frames[seen]
        views[group.frames] = refined.num_views
        sigma = refined.depth.log_sigma
        assert sigma is not None
        depth[mine], log_sigma[mine] = refined.depth.values[seen], sigma[seen]
        by_evidence[mine], dynamic[mine] = refined.by_evidence[seen], refined.dynamic[seen]
    if not (views > 0).any() or not np.isfinite(depth[views > 0]).any():
        return None
    return RefinedDepth(
        depth=depth, log_sigma=log_sigma, notes=(_note(depth, log_sigma, by_evidence, dynamic, views, prior, unit),)
    )


def _some(prior: DepthEstimate, frames: Int64[np.ndarray, "m"]) -> DepthEstimate:
    return replace(
        prior,
        values=prior.values[frames],
        focal_px=None,
        log_sigma=None if prior.log_sigma is None else prior.log_sigma[frames],
    )


def _groups(
    clip: Clip, given: Given, reconstruction: Reconstruction | None, unit: Unit, k_px: Float64[np.ndarray, "f 3 3"]
) -> list[_Group]:
    """Worlds that hold at least two cameras, one of them of the clip."""
    recording, has_k = clip.recording, is_known(k_px)
    if not has_k.any():
        return []
    if given.poses is not None:
        if recording.world_from_camera is not None:
            poses, index = recording.world_from_camera, np.arange(recording.num_frames, dtype=np.int64)
        else:
            poses, index = given.poses, clip.frame_index
        frames = np.flatnonzero(has_k & is_known(given.poses))
        k_sources = _k_of_sources(clip, k_px, index)
        known = np.flatnonzero(is_known(poses) & is_known(k_sources))
        if len(frames) == 0 or len(known) < 2:
            return []
        return [_Group(frames, given.poses[frames], index[known], k_sources[known], poses[known])]
    if reconstruction is None or not travels(reconstruction.estimate):
        return []
    groups, estimate, cameras = [], reconstruction.estimate, reconstruction.cameras
    for piece, factor in sorted(unit.factors.items()):
        frames = np.flatnonzero(has_k & (cameras.piece == piece) & is_known(cameras.world_from_camera))
        members = np.flatnonzero((estimate.piece == piece) & is_known(estimate.world_from_camera))
        if len(frames) and len(members) >= 2:
            k_sources = estimate.k_px if recording.k_px is None else recording.k_px[estimate.frame_index]
            mine, theirs = cameras.world_from_camera[frames].copy(), estimate.world_from_camera[members].copy()
            mine[:, :3, 3] *= factor
            theirs[:, :3, 3] *= factor
            groups.append(_Group(frames, mine, estimate.frame_index[members], k_sources[members], theirs))
    return groups


def _k_of_sources(
    clip: Clip, k_px: Float64[np.ndarray, "f 3 3"], index: Int64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 3 3"]:
    """Intrinsics of frames of the recording at its size: its own, or in a sequence the median of the clip's."""
    recording = clip.recording
    if recording.k_px is not None and np.isfinite(recording.k_px).any():
        return recording.k_px[index]
    (h, w), (clip_h, clip_w) = recording.size_hw, clip.size_hw
    at_recording = np.diag([w / clip_w, h / clip_h, 1.0]) @ k_px
    k_sources = np.full((len(index), 3, 3), np.nan)
    if recording.sequence:
        k_sources[:] = np.median(at_recording[is_known(k_px)], axis=0)
    for k, frame in zip(at_recording, clip.frame_index, strict=True):
        if np.isfinite(k).all():
            k_sources[index == frame] = k
    return k_sources


def _ranges(clip: Clip, reconstruction: Reconstruction | None, unit: Unit, *, room: bool) -> Float64[np.ndarray, "f 2"]:
    """Nearest and farthest depth of every frame from the reconstructed points; else a room's, or NaN."""
    points = points_in_unit(reconstruction, unit)
    depth, frame = points["point_depth"], points["point_frame"]
    ranges = np.full((clip.num_frames, 2), np.nan)
    if unit.metric and room:
        ranges[:] = _ROOM_M
    for i in range(clip.num_frames):
        mine: Bool[np.ndarray, "o"] = frame == i
        if mine.sum() < _MIN_POINTS and reconstruction is not None:
            mine = reconstruction.cameras.piece[frame] == reconstruction.cameras.piece[i]
        if mine.sum() >= _MIN_POINTS:
            near, far = np.quantile(depth[mine], [0.01, 0.99])
            ranges[i] = _NEARER * near, _FARTHER * far
    return ranges


def _note(
    depth: Float32[np.ndarray, "f h w"],
    log_sigma: Float32[np.ndarray, "f h w"],
    by_evidence: Bool[np.ndarray, "f h w"],
    dynamic: Bool[np.ndarray, "f h w"],
    views: Int64[np.ndarray, "f"],
    prior: DepthEstimate | None,
    unit: Unit,
) -> str:
    asked = views > 0
    known = np.isfinite(depth[asked])
    evidence, moving = by_evidence[asked] & known, dynamic[asked]
    rest = known & ~evidence
    note = (
        f"depth: {asked.sum()} of {len(asked)} frames compared with {np.median(views[asked]):.0f} other views each; "
        f"{100 * evidence.mean():.0f} % of their pixels rest on what the views show"
    )
    if evidence.any():
        note += f" (typical error {100 * np.median(log_sigma[asked][evidence]):.0f} %"
        note += ", besides that of the scale, which the network tells)" if unit.status == "estimated" else ")"
    if prior is not None:
        note += f", {100 * rest.mean():.0f} % mainly on the network"
    else:
        note += f", {100 * (~known).mean():.0f} % stay unknown"
    if moving.any():
        note += f"; {100 * moving.mean():.1f} % moved or shine, as no depth explains them"
    return note
