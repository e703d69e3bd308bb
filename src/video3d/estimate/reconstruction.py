"""What is known of a clip before its gaps are filled: what was measured, and what structure from motion found."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.camera_lookup import ClipCameras, cameras_of_frames
from video3d.types import Clip


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
        point_frame: for every point seen, the clip's frame that sees it.
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


def structure_from_motion(
    clip: Clip, given: Given, timeout_s: float, seed: int
) -> tuple[CameraEstimate | None, tuple[str, ...]]:
    """The estimate, or None if no frame was registered, and what it says."""
    recording = clip.recording
    if recording.num_frames < 2:
        return None, ("camera: one frame alone cannot be calibrated from pixels",)
    from video3d.estimate.camera import estimate_camera  # pycolmap

    k_px = None if given.k_px is None else recording.k_px
    estimate = estimate_camera(recording, k_px=k_px, timeout_s=timeout_s, seed=seed)
    if not (estimate.piece >= 0).any():
        return None, ("camera: structure from motion found no moving camera", *estimate.notes)
    return estimate, estimate.notes


def reconstruction_of(clip: Clip, estimate: CameraEstimate) -> Reconstruction:
    """The estimate as the clip sees it."""
    recording = clip.recording
    cameras = cameras_of_frames(estimate, clip.frame_index, recording.time_s, sequence=recording.sequence)
    clip_position = np.full(len(estimate.frame_index), -1, dtype=np.int64)
    there = cameras.position >= 0
    clip_position[cameras.position[there]] = np.flatnonzero(there)
    mine = clip_position[estimate.observation_frame] >= 0
    shrink = np.array([clip.size_hw[1] / recording.size_hw[1], clip.size_hw[0] / recording.size_hw[0]], np.float32)
    return Reconstruction(
        estimate=estimate,
        cameras=cameras,
        point_frame=clip_position[estimate.observation_frame[mine]],
        point_px=estimate.observation_px[mine] * shrink,
        point_depth=estimate.observation_depth[mine].astype(np.float64),
        point_piece=estimate.piece[estimate.observation_frame[mine]],
    )
