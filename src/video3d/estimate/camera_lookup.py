"""Cameras of a clip's frames from the cameras that structure from motion found for a recording's frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.estimate.camera_estimate import CameraEstimate

# A hand that accelerates by 1 m/s2 is 3 cm off a straight and even motion in the middle of half a second.
MAX_GAP_S = 0.5
MAX_TURN_RAD = np.deg2rad(15.0)
MAX_MOVE = 0.25  # of the median depth of the points that the two frames see


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipCameras:
    """Cameras of the clip's frames, in the frame and unit of their piece.

    Attributes:
        world_from_camera: NaN where a frame has no pose.
        piece: as in the estimate, -1 without a pose.
        interpolated: pose lies between those of two neighbours in time.
        position: place of the frame in the estimate, -1 where it was not used.
        neighbours: places in the estimate of the two frames that an interpolated pose lies between, else -1.
    """

    world_from_camera: Float64[np.ndarray, "f 4 4"]
    piece: Int64[np.ndarray, "f"]
    interpolated: Bool[np.ndarray, "f"]
    position: Int64[np.ndarray, "f"]
    neighbours: Int64[np.ndarray, "f 2"]


def cameras_of_frames(
    estimate: CameraEstimate,
    frame_index: Int64[np.ndarray, "f"],
    time_s: Float64[np.ndarray, "r"],
    *,
    sequence: bool,
) -> ClipCameras:
    """Look up or, between close neighbours, interpolate the poses of frames of the recording.

    A frame that the estimate used has the pose found for it, or none: what could not be registered is not guessed. One
    that it did not use lies between two used frames; it gets a pose if both are registered in the same piece and are
    close in time, in direction and in place: linear in position, along the shortest rotation.

    Args:
        estimate: cameras of some frames of the recording.
        frame_index: the frames asked for.
        time_s: time of every frame of the recording, NaN where unknown (then frames are taken as evenly spaced).
        sequence: frames are in order of time from one camera; without it nothing is interpolated.
    """
    used = estimate.frame_index
    position = np.full(len(frame_index), -1, dtype=np.int64)
    poses = np.full((len(frame_index), 4, 4), np.nan)
    piece = np.full(len(frame_index), -1, dtype=np.int64)
    neighbours = np.full((len(frame_index), 2), -1, dtype=np.int64)
    for i, index in enumerate(frame_index):
        found = np.flatnonzero(used == index)
        if len(found):
            position[i] = found[0]
            piece[i] = estimate.piece[found[0]]
            poses[i] = estimate.world_from_camera[found[0]]
        elif sequence:
            between = _between(estimate, int(index), time_s)
            if between is not None:
                poses[i], neighbours[i] = between
                piece[i] = estimate.piece[neighbours[i, 0]]
    known = np.isfinite(poses).all(axis=(1, 2)) & (piece >= 0)
    poses[~known], neighbours[~known] = np.nan, -1
    return ClipCameras(
        world_from_camera=poses,
        piece=np.where(known, piece, -1),
        interpolated=neighbours[:, 0] >= 0,
        position=position,
        neighbours=neighbours,
    )


def _between(
    estimate: CameraEstimate, index: int, time_s: Float64[np.ndarray, "r"]
) -> tuple[Float64[np.ndarray, "4 4"], tuple[int, int]] | None:
    used = estimate.frame_index
    before, after = np.flatnonzero(used < index), np.flatnonzero(used > index)
    if not len(before) or not len(after):
        return None
    # frame_index is in order of time, which for a sequence is the order of the recording.
    a, b = before[np.argmax(used[before])], after[np.argmin(used[after])]
    piece = estimate.piece[a]
    if piece < 0 or estimate.piece[b] != piece:
        return None
    start, here, stop = time_s[used[a]], time_s[index], time_s[used[b]]
    if np.isfinite([start, here, stop]).all() and stop > start:
        if stop - start > MAX_GAP_S:
            return None
        share = (here - start) / (stop - start)
    else:
        share = (index - used[a]) / (used[b] - used[a])
    first, last = estimate.world_from_camera[a], estimate.world_from_camera[b]
    seen = np.isin(estimate.observation_frame, [a, b])
    far = np.median(estimate.observation_depth[seen]) if seen.any() else 0.0
    return interpolate_pose(first, last, float(share), max_move=MAX_MOVE * float(far)), (int(a), int(b))


def interpolate_pose(
    first: Float64[np.ndarray, "4 4"], last: Float64[np.ndarray, "4 4"], share: float, *, max_move: float
) -> Float64[np.ndarray, "4 4"]:
    """The pose at a share (0..1) of the way; all NaN if it turns more than 15 degrees or moves more than ``max_move``.

    >>> last = np.eye(4)
    >>> last[0, 3] = 0.1
    >>> interpolate_pose(np.eye(4), last, 0.25, max_move=0.2)[:3, 3].tolist()
    [0.025, 0.0, 0.0]
    """
    from scipy.spatial.transform import Rotation

    pose = np.full((4, 4), np.nan)
    if not np.isfinite(first).all() or not np.isfinite(last).all():
        return pose
    turn = Rotation.from_matrix(first[:3, :3].T @ last[:3, :3]).as_rotvec()
    move = last[:3, 3] - first[:3, 3]
    if np.linalg.norm(turn) > MAX_TURN_RAD or np.linalg.norm(move) > max_move:
        return pose
    pose[:] = np.eye(4)
    pose[:3, :3] = first[:3, :3] @ Rotation.from_rotvec(share * turn).as_matrix()
    pose[:3, 3] = first[:3, 3] + share * move
    return pose


def intrinsics_of_frames(
    estimate: CameraEstimate, cameras: ClipCameras, *, sequence: bool
) -> Float64[np.ndarray, "f 3 3"]:
    """Intrinsics of the clip's frames at the recording's size; NaN where there is nothing to take them from.

    Only registered frames know theirs: what an estimate lists for another is a starting value. A frame without its own
    takes the median of its piece, or, in a sequence, which is one camera, the median of the largest piece.
    """
    k_px = np.full((len(cameras.position), 3, 3), np.nan)
    for i, position in enumerate(cameras.position):
        if position >= 0 and estimate.piece[position] >= 0:
            k_px[i] = estimate.k_px[position]
            continue
        piece = cameras.piece[i] if cameras.piece[i] >= 0 else (0 if sequence else -1)
        members = (estimate.piece == piece) & (piece >= 0)
        if members.any():
            k_px[i] = np.median(estimate.k_px[members], axis=0)
    return k_px
