"""What is known of a clip before its gaps are filled: what was measured, and what structure from motion found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.camera_lookup import ClipCameras, cameras_of_frames
from video3d.estimate.still import standing_camera
from video3d.geometry.rigid import inverse_k, inverse_rigid, project, transform_points
from video3d.types import Clip, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the recording measured; None where it did not, or where nothing in it is known."""

    depth: Float32[np.ndarray, "f dh dw"] | None
    k_px: Float64[np.ndarray, "f 3 3"] | None
    poses: Float64[np.ndarray, "f 4 4"] | None

    @classmethod
    def of(cls, clip: Clip) -> "Given":
        """What of the clip's geometry holds anything at all."""
        depth, k_px, poses = (
            values if values is not None and np.isfinite(values).any() else None
            for values in (clip.depth_m, clip.k_px, clip.world_from_camera)
        )
        return cls(depth=depth, k_px=k_px, poses=poses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Structure from motion as a clip sees it, each piece in its own frame and unit.

    Attributes:
        estimate: of the recording.
        cameras: of the clip's frames.
        point_frame: for every point seen, the clip's frame that sees it, or would from its interpolated pose.
        point_px: where, in the clip's pixels.
        point_depth: z-depth there, in the unit of its piece.
        point_piece: its piece.
    """

    estimate: CameraEstimate
    cameras: ClipCameras
    point_frame: Int64[np.ndarray, "o"]
    point_px: Float32[np.ndarray, "o 2"]
    point_depth: Float64[np.ndarray, "o"]
    point_piece: Int64[np.ndarray, "o"]


def main_piece(cameras: ClipCameras) -> int:
    """The piece that most frames of the clip belong to, the lower number of two equal; -1 without a pose."""
    counts = Counter(int(piece) for piece in cameras.piece if piece >= 0)
    return min(counts, key=lambda piece: (-counts[piece], piece)) if counts else -1


def missing_camera(
    recording: Recording, *, include: Sequence[int] = (), timeout_s: float = 600.0, seed: int = 0
) -> CameraEstimate | None:
    """Structure from motion of a recording that lacks depth, poses or intrinsics; None where nothing is lacking.

    Worth keeping: every clip of the recording can be completed from it.

    Args:
        recording: one frame alone cannot be calibrated, nor can pictures of different places; they give None.
        include: frames whose poses are wanted; others serve calibration too.
        timeout_s: what it has found by then is used.
        seed: of its random choices.

    Raises:
        InputError: a frame cannot be read.
    """
    given = (recording.load_depth_m, recording.k_px, recording.world_from_camera)
    if all(quantity is not None for quantity in given):
        return None
    return calibrated(recording, recording.k_px, include=include, timeout_s=timeout_s, seed=seed)


def calibrated(
    recording: Recording,
    k_px: Float64[np.ndarray, "r 3 3"] | None,
    *,
    include: Sequence[int] = (),
    timeout_s: float = 600.0,
    seed: int = 0,
) -> CameraEstimate | None:
    """Structure from motion with intrinsics that are known or None; None for a single frame and for unrelated ones."""
    if recording.num_frames < 2 or not recording.related:
        return None
    from video3d.estimate.camera import estimate_camera  # pycolmap

    found = estimate_camera(recording, k_px=k_px, include=include, timeout_s=timeout_s, seed=seed)
    return standing_camera(found, recording)


def reconstruction_of(clip: Clip, estimate: CameraEstimate) -> Reconstruction:
    """The estimate as the clip sees it."""
    recording = clip.recording
    cameras = cameras_of_frames(estimate, clip.frame_index, recording.time_s, sequence=recording.sequence)
    clip_position = np.full(len(estimate.frame_index), -1, dtype=np.int64)
    there = cameras.position >= 0
    clip_position[cameras.position[there]] = np.flatnonzero(there)
    mine = clip_position[estimate.observation_frame] >= 0
    seen_frame, seen_px, seen_depth = (
        clip_position[estimate.observation_frame[mine]],
        estimate.observation_px[mine],
        estimate.observation_depth[mine].astype(np.float64),
    )
    frame, px, depth = _points_between(estimate, cameras, recording.size_hw)
    frame, px = np.concatenate([seen_frame, frame]), np.concatenate([seen_px, px])
    shrink = np.array([clip.size_hw[1] / recording.size_hw[1], clip.size_hw[0] / recording.size_hw[0]], np.float32)
    return Reconstruction(
        estimate=estimate,
        cameras=cameras,
        point_frame=frame,
        point_px=px * shrink,
        point_depth=np.concatenate([seen_depth, depth]),
        point_piece=cameras.piece[frame],
    )


def _points_between(
    estimate: CameraEstimate, cameras: ClipCameras, size_hw: tuple[int, int]
) -> tuple[Int64[np.ndarray, "p"], Float32[np.ndarray, "p 2"], Float64[np.ndarray, "p"]]:
    """What frames with an interpolated pose see of the points that their two neighbours see: frame, pixel, depth.

    The neighbours are close by construction, so that hardly a point that one of them sees is hidden in between.
    """
    frames, pixels, depths = [np.zeros(0, np.int64)], [np.zeros((0, 2), np.float32)], [np.zeros(0)]
    for i in np.flatnonzero(cameras.interpolated):
        camera_from_world = inverse_rigid(cameras.world_from_camera[i])
        for neighbour in cameras.neighbours[i]:
            mine, k_px = estimate.observation_frame == neighbour, estimate.k_px[neighbour]
            rays = np.pad(estimate.observation_px[mine].astype(np.float64), ((0, 0), (0, 1)), constant_values=1.0)
            seen = rays @ inverse_k(k_px).T * estimate.observation_depth[mine][:, None]
            px, z = project(transform_points(camera_from_world @ estimate.world_from_camera[neighbour], seen), k_px)
            with np.errstate(invalid="ignore"):
                inside = (px >= 0).all(axis=1) & (px[:, 0] < size_hw[1]) & (px[:, 1] < size_hw[0])
            frames.append(np.full(int(inside.sum()), i))
            pixels.append(px[inside].astype(np.float32))
            depths.append(z[inside])
    return np.concatenate(frames), np.concatenate(pixels), np.concatenate(depths)
