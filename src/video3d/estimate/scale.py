"""The unit of a reconstruction: how many metres one of its units is.

Structure from motion is right up to one factor. Depth in metres at the points it reconstructed gives the factor, and so
do camera positions in metres. Each is told with its spread, so that a poor one can be refused.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.depth_align import robust_mean, sample_nearest
from video3d.types import InputError, Recording

MIN_POINTS = 20
MIN_POINTS_A_FRAME = 5
MAX_SPREAD = 0.25  # of log ratios between frames: above it the points and the depth do not tell of one scene
MAX_FRAMES_READ = 64
MIN_POSES = 3
MAX_POSE_RESIDUAL = 0.1  # root mean square distance of aligned positions over the extent of the path
_CHUNK = 8  # frames of depth in memory at once


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFit:
    """How many units of the reference one unit of the reconstruction is.

    Attributes:
        scale: > 0; multiply lengths of the reconstruction by it.
        spread: how far the sources disagree, relative: 0.02 is 2 %.
        num_points: observations, or camera positions, that it rests on.
        num_frames: frames that it rests on.
    """

    scale: float
    spread: float
    num_points: int
    num_frames: int


def fit_scale(
    reference: Float[np.ndarray, "o"], relative: Float[np.ndarray, "o"], frame: Int64[np.ndarray, "o"]
) -> ScaleFit | None:
    """The factor from ``relative`` to ``reference`` depth of the same points; None with too few, or with no agreement.

    Robust mean of log ratios in every frame, then over frames, so that neither an outlier nor a frame with many points
    decides alone. ``spread`` is the robust standard deviation between frames (between points, with fewer than three
    frames). NaN and values <= 0 are left out.

    >>> fit_scale(np.full(40, 3.0), np.full(40, 1.5), np.arange(40) // 10)
    ScaleFit(scale=2.0, spread=0.0, num_points=40, num_frames=4)
    """
    with np.errstate(invalid="ignore"):
        good = np.isfinite(reference) & np.isfinite(relative) & (reference > 0) & (relative > 0)
    if good.sum() < MIN_POINTS:
        return None
    ratio = np.log(reference[good].astype(np.float64) / relative[good].astype(np.float64))
    seen = frame[good]
    means = [robust_mean(ratio[seen == f])[0] for f in np.unique(seen) if (seen == f).sum() >= MIN_POINTS_A_FRAME]
    middle, spread = robust_mean(np.array(means) if len(means) >= 3 else ratio)
    if spread > MAX_SPREAD:
        return None
    return ScaleFit(
        scale=float(np.exp(middle)),
        spread=spread,
        num_points=int(good.sum()),
        num_frames=len(means) if len(means) >= 3 else len(np.unique(seen)),
    )


def scale_from_depth(recording: Recording, estimate: CameraEstimate) -> dict[int, ScaleFit]:
    """Metres in one unit of every piece, from the recording's measured depth at the reconstructed points.

    Reads the depth of at most 64 frames of a piece, spread evenly. A piece whose scale cannot be told is left out.

    Raises:
        ValueError: the recording has no depth.
        InputError: a depth map cannot be read.
    """
    if recording.load_depth_m is None:
        raise ValueError("recording: expected one with depth")
    fits: dict[int, ScaleFit] = {}
    for piece in np.unique(estimate.piece[estimate.piece >= 0]):
        seen = np.unique(estimate.observation_frame[estimate.piece[estimate.observation_frame] == piece])
        if len(seen) > MAX_FRAMES_READ:
            seen = seen[np.linspace(0, len(seen) - 1, MAX_FRAMES_READ).round().astype(np.int64)]
        measured, relative, frames = [], [], []
        for start in range(0, len(seen), _CHUNK):
            chunk = seen[start : start + _CHUNK]
            maps = recording.load_depth_m([int(i) for i in estimate.frame_index[chunk]])
            mine = np.isin(estimate.observation_frame, chunk)
            frame = estimate.observation_frame[mine]
            position = np.searchsorted(chunk, frame)
            measured.append(sample_nearest(maps, position, estimate.observation_px[mine], recording.size_hw))
            relative.append(estimate.observation_depth[mine])
            frames.append(frame)
        if frames:
            fit = fit_scale(np.concatenate(measured), np.concatenate(relative), np.concatenate(frames))
            if fit is not None:
                fits[int(piece)] = fit
    return fits


def scale_from_poses(world_from_camera: Float64[np.ndarray, "r 4 4"], estimate: CameraEstimate) -> dict[int, ScaleFit]:
    """Units of the given poses in one unit of every piece, from camera positions that both know.

    A similarity aligns the two paths; the farthest from it are then left out once, for a wrongly registered frame must
    not bend the scale. ``spread`` is the distance that remains, relative to the extent of the path. A piece with fewer
    than three common poses, without travel, or that does not fit the given path, is left out.

    Args:
        world_from_camera: given pose of every frame of the recording, NaN where unknown.
        estimate: the reconstruction.
    """
    from video3d.geometry.align import align_trajectories

    fits: dict[int, ScaleFit] = {}
    given = world_from_camera[estimate.frame_index]
    for piece in np.unique(estimate.piece[estimate.piece >= 0]):
        own = np.where((estimate.piece == piece)[:, None, None], estimate.world_from_camera, np.nan)
        try:
            error = align_trajectories(given, own)
            far = error.position_errors > 4 * np.nanmedian(error.position_errors) + 1e-9
            if far.any() and error.num_compared - far.sum() >= MIN_POSES:
                error = align_trajectories(given, np.where(far[:, None, None], np.nan, own))
        except InputError:  # too few common poses, or a camera that stands still: no scale to be had
            continue
        compared = np.isfinite(error.position_errors)
        extent = float(np.sqrt(given[compared, :3, 3].var(axis=0).sum()))
        if error.num_compared < MIN_POSES or not error.position_rms <= MAX_POSE_RESIDUAL * extent:
            continue
        fits[int(piece)] = ScaleFit(
            scale=error.scale,
            spread=error.position_rms / extent,
            num_points=error.num_compared,
            num_frames=error.num_compared,
        )
    return fits
