"""What structure from motion gives back: cameras, the pieces they fall into, and the points they were made from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

Motion = Literal["travels", "turns", "still", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEstimate:
    """Cameras recovered from pixels alone, in a frame and unit of their own.

    Attributes:
        frame_index: the frames of the recording that were used, in order of time.
        k_px: intrinsics of every one of them at the recording's size; pixel centres at +0.5.
        world_from_camera: poses up to scale, all NaN for a frame that was not registered. Frames of different pieces do
            not share a world frame.
        piece: piece a frame belongs to, 0 the largest, -1 where not registered.
        observation_frame: for every sparse observation its position in ``frame_index``.
        observation_px: where the point is seen, pixels, centres at +0.5.
        observation_depth: z-depth of the point in that camera, in the unit of the poses of its piece.
        reprojection_px: mean reprojection error in pixels (NaN if nothing was registered).
        motion: how the camera moved: ``travels``; ``turns``: on the spot, rotations are known and all positions are 0;
            ``still``: all poses are the identity; ``unknown``. Without travel no length is known, nor any point.
        notes: what happened, in words a user can act on.
    """

    frame_index: Int64[np.ndarray, "f"]
    k_px: Float64[np.ndarray, "f 3 3"]
    world_from_camera: Float64[np.ndarray, "f 4 4"]
    piece: Int64[np.ndarray, "f"]
    observation_frame: Int64[np.ndarray, "o"]
    observation_px: Float32[np.ndarray, "o 2"]
    observation_depth: Float32[np.ndarray, "o"]
    reprojection_px: float
    motion: Motion = "travels"
    notes: tuple[str, ...] = ()
