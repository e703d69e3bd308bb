"""Cameras that do not travel: one that stands still has one pose, one that turns on the spot has rotations."""

from dataclasses import replace

import numpy as np

from video3d.estimate.camera_estimate import CameraEstimate
from video3d.types import Recording


def travels(estimate: CameraEstimate) -> bool:
    """Whether the camera moved through space, so that its poses and points have lengths.

    Where it did not, positions are all 0, in any unit, and there are no points.
    """
    return estimate.motion not in ("still", "turns")


def standing_camera(estimate: CameraEstimate, recording: Recording) -> CameraEstimate:
    """The estimate; for a camera that stands still, one pose, the identity, for every frame of the recording.

    Between the frames that were compared it is taken to stand as well. A collection of photographs is left as it is.
    Intrinsics stay unknown, for a picture of one view does not tell them.
    """
    if estimate.motion != "still" or not recording.sequence:
        return estimate
    count = recording.num_frames
    return replace(
        estimate,
        frame_index=np.arange(count),
        k_px=np.full((count, 3, 3), np.nan),
        world_from_camera=np.tile(np.eye(4), (count, 1, 1)),
        piece=np.zeros(count, dtype=np.int64),
    )
