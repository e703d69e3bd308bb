"""The path's first three nouns: Recording (what a source holds), Clip (the frames read), PosedClip (geometry complete).

All arrays are indexed by frame first. Depth is z-depth in metres, NaN where unknown, never 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from video3d.types.world import Camera, GeometryStatus, World

LoadRgb = Callable[[Sequence[int]], UInt8[np.ndarray, "f h w 3"]]
LoadDepth = Callable[[Sequence[int]], Float32[np.ndarray, "f dh dw"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a source holds, known without decoding a pixel; pixels come through the two loaders.

    Attributes:
        source: what the user named.
        format: the reader's name, e.g. ``seven_scenes``, ``video``.
        size_hw: upright height and width of the colour frames in pixels; every frame comes in this size.
        time_s: time of every frame in seconds from the first; NaN where the source does not say.
        frame_names: the name of every frame in the source (file name, or the number of the video frame).
        load_rgb: indices into the recording -> RGB frames; decodes only those.
        load_depth_m: indices -> z-depth in metres, NaN unknown, or None without depth. Depth may have a size of its own
            but sees the same field of view as the colour frame (readers register it).
        depth_size_hw: size of the depth maps, None without depth.
        k_px: intrinsics for every frame at ``size_hw``, or None.
        world_from_camera: pose for every frame, or None; a frame whose pose is unknown is all NaN.
        up_world: measured unit vector pointing up in the recording's world frame, or None.
        world: what is known of the world frame of the poses.
        sequence: frames are in order of time from one moving camera (a walk), so neighbours overlap. False for photo
            collections and camera rigs.
        related: False for single pictures of different places: nothing comes of comparing them.
        rig: cameras that fire together: frames ``i * rig`` to ``i * rig + rig - 1`` are one instant.
        colour_registered: the stated intrinsics are those of the colour frames. False where they may be those of a depth
            camera beside the one that took colour, which ``video.register_colour`` then finds out and mends.
        notes: what the reader noticed and the user should know.
    """

    source: Path
    format: str
    size_hw: tuple[int, int]
    time_s: Float64[np.ndarray, "f"]
    frame_names: tuple[str, ...]
    load_rgb: LoadRgb
    load_depth_m: LoadDepth | None = None
    depth_size_hw: tuple[int, int] | None = None
    k_px: Float64[np.ndarray, "f 3 3"] | None = None
    world_from_camera: Float64[np.ndarray, "f 4 4"] | None = None
    up_world: Float64[np.ndarray, "3"] | None = None
    world: World = field(default_factory=World)
    sequence: bool = True
    related: bool = True
    rig: int = 1
    colour_registered: bool = True
    notes: tuple[str, ...] = ()

    @property
    def num_frames(self) -> int:
        """Number of frames that can be read."""
        return len(self.frame_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The frames that were read, with whatever geometry the recording gives.

    Attributes:
        recording: where the frames came from; calibration may read more frames through it.
        frame_index: index of every frame in the recording.
        time_s: seconds from the recording's first frame, NaN where unknown.
        rgb: upright RGB.
        depth_m: z-depth in metres or None; own size, same field of view (see Recording).
        k_px: intrinsics at the size of ``rgb``, or None.
        world_from_camera: poses or None; all NaN for a frame without one.
    """

    recording: Recording
    frame_index: Int64[np.ndarray, "f"]
    time_s: Float64[np.ndarray, "f"]
    rgb: UInt8[np.ndarray, "f h w 3"]
    depth_m: Float32[np.ndarray, "f dh dw"] | None = None
    k_px: Float64[np.ndarray, "f 3 3"] | None = None
    world_from_camera: Float64[np.ndarray, "f 4 4"] | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames read."""
        return self.rgb.shape[0]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the colour frames in pixels."""
        return self.rgb.shape[1], self.rgb.shape[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPath:
    """Every known pose of a recording in one world, not only those of the frames read: what a path is measured on.

    Attributes:
        frame_index: index into the recording, ascending.
        time_s: seconds from the recording's first frame, NaN where unknown.
        world_from_camera: rigid, no NaN.
    """

    frame_index: Int64[np.ndarray, "n"]
    time_s: Float64[np.ndarray, "n"]
    world_from_camera: Float64[np.ndarray, "n 4 4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PosedClip:
    """A clip whose geometry is complete: what could not be known is NaN, and ``status`` says what is what.

    Attributes:
        frame_index: index of every frame in the recording.
        time_s: seconds from the recording's first frame, NaN where unknown.
        rgb: upright RGB.
        depth_m: z-depth at its own size (same field of view as ``rgb``), all NaN where there is none. Metres if
            ``world.metric``, else the same unknown unit as the poses.
        k_px: intrinsics at the size of ``rgb``; NaN where unknown.
        world_from_camera: poses; NaN where unknown.
        piece: connected piece of the reconstruction that a frame belongs to, 0 the largest, -1 without a pose. Frames of
            different pieces do not share a world frame; only piece 0 is in ``world``.
        world: what is known of the world frame.
        up_world: unit vector pointing up in the world frame, or None where unknown; (0, 0, 1) once gravity-aligned.
        status: measured, estimated or unknown, for every quantity.
        path: every pose of piece 0 that is known of the recording, in ``world``; None: no more than those of the frames.
        depth_log_sigma: standard deviation of ln(depth) of estimated depth (0.1 is about 10 %), NaN where depth is unknown;
            None for measured depth, and where the estimator does not say.
    """

    frame_index: Int64[np.ndarray, "f"]
    time_s: Float64[np.ndarray, "f"]
    rgb: UInt8[np.ndarray, "f h w 3"]
    depth_m: Float32[np.ndarray, "f dh dw"]
    k_px: Float64[np.ndarray, "f 3 3"]
    world_from_camera: Float64[np.ndarray, "f 4 4"]
    piece: Int64[np.ndarray, "f"]
    world: World
    up_world: Float64[np.ndarray, "3"] | None = None
    status: GeometryStatus = field(default_factory=GeometryStatus)
    path: CameraPath | None = None
    depth_log_sigma: Float32[np.ndarray, "f dh dw"] | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.rgb.shape[0]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width of the colour frames in pixels."""
        return self.rgb.shape[1], self.rgb.shape[2]

    def camera(self, frame: int) -> Camera:
        """The view of one frame (a position in this clip, not in the recording)."""
        pose = self.world_from_camera[frame]
        known = bool(np.isfinite(pose).all())
        return Camera(size_hw=self.size_hw, k_px=self.k_px[frame], world_from_camera=pose if known else None)
