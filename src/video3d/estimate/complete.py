"""Step 2 of the path: a clip in, a clip with complete geometry out, and the status of every quantity.

What the recording measured is passed on unaltered, and what could not be known stays NaN. In between:

| missing | comes from | unit |
|---|---|---|
| poses | structure from motion over the recording | metres if measured depth or a metric network tells the scale |
| intrinsics | structure from motion; a network that estimates the focal length | pixels |
| depth | a network, aligned to the reconstructed points, and what many views show; without either, those points | that of the poses |

Metres that nothing here tells may still come from the usual sizes of what is seen: ``usual_sizes``, the step after this one.
A scale from measured depth counts as ``measured``: a sensor said how long a metre is. One from a metric network counts
as ``estimated``. Frames of measured and estimated poses are never mixed: where some poses are measured, the others stay
unknown.
"""

from collections import Counter

import numpy as np
from jaxtyping import Float64, Int64

from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.camera_lookup import intrinsics_of_frames
from video3d.estimate.complete_depth import complete_depth
from video3d.estimate.reconstruction import Given, Reconstruction, calibrated, reconstruction_of
from video3d.estimate.still import travels
from video3d.estimate.unit import Unit, unit_of_result
from video3d.types import CameraPath, Clip, GeometryStatus, PosedClip, Status, World
from video3d.types.depth import DepthEstimator


def complete_geometry(
    clip: Clip,
    *,
    depth_estimator: DepthEstimator | None = None,
    camera: CameraEstimate | None = None,
    video_depth: bool = True,
) -> PosedClip:
    """Depth, intrinsics and poses of every frame, as far as they can be known (step 2; see the module for the rules).

    Structure from motion runs only if something is missing, on the frames of the recording and not only of the clip; or
    ``missing_camera`` has run it before, for several clips of one recording.

    Args:
        clip: frames with the geometry that the recording gives.
        depth_estimator: a depth network for recordings without depth; see ``load_depth_estimator``.
        camera: what ``missing_camera`` found for this recording; None runs it here if something is missing.
        video_depth: compare every frame with other frames of the recording where depth is missing and poses and intrinsics
            are known, so that several views make depth better than a network alone; costs about 2 seconds a frame.

    Returns:
        The clip, with NaN for what is unknown. ``status`` tells measured, estimated or unknown for every quantity, and
        its notes how, in numbers.

    Raises:
        InputError: a frame that calibration wants cannot be read.

    >>> from pathlib import Path
    >>> from video3d.types import Recording
    >>> recording = Recording(source=Path("photo.png"), format="image", size_hw=(4, 6), time_s=np.zeros(1),
    ...                       frame_names=("photo.png",), load_rgb=lambda i: np.zeros((len(i), 4, 6, 3), np.uint8))
    >>> clip = Clip(recording=recording, frame_index=np.array([0]), time_s=np.zeros(1), rgb=recording.load_rgb([0]))
    >>> complete_geometry(clip).status.poses
    'unknown'
    """
    given = Given.of(clip)
    notes: list[str] = []
    reconstruction = None
    if given.depth is None or given.k_px is None or given.poses is None:
        k_known = None if given.k_px is None else clip.recording.k_px
        estimate = (
            camera if camera is not None else calibrated(clip.recording, k_known, include=clip.frame_index.tolist())
        )
        why = "one frame alone" if clip.recording.related else "pictures of different places"
        said = estimate.notes if estimate is not None else (f"camera: {why} cannot be calibrated from pixels",)
        if estimate is not None and not (estimate.piece >= 0).any():
            estimate, said = None, ("camera: structure from motion placed no frame", *said)
        notes += said
        reconstruction = reconstruction_of(clip, estimate) if estimate is not None else None
    k_px, k_status, said = _intrinsics(clip, given, reconstruction)
    notes += said
    network = None
    if depth_estimator is not None and (given.depth is None or k_status == "unknown"):
        network = depth_estimator(clip.rgb, k_px if np.isfinite(k_px).any() else None)
        if k_status == "unknown" and network.focal_px is not None:
            k_px, k_status, said = _intrinsics_of_focal(clip, network.focal_px, depth_estimator.name)
            notes += said
    unit = unit_of_result(clip, given, reconstruction, network if given.depth is None else None)
    notes += unit.notes
    poses, piece, path, pose_status, said = _poses(clip, given, reconstruction, unit)
    notes += said
    log_sigma = None
    if given.depth is not None:
        lost = int((~np.isfinite(given.depth).any(axis=(1, 2))).sum())
        depth, depth_status = given.depth, "measured"
        notes += [f"depth: the recording has none for {lost} of {clip.num_frames} frames; they stay unknown"] * (
            lost > 0
        )
    else:
        name = depth_estimator.name if depth_estimator is not None else ""
        completed = complete_depth(
            clip, given, reconstruction, unit, k_px, network=network, network_name=name, video_depth=video_depth
        )
        depth, depth_status, log_sigma = completed.depth, completed.status, completed.log_sigma
        notes += completed.notes
    if k_status == "unknown" and depth_status != "unknown":
        notes.append("intrinsics are unknown: depth along the viewing axis holds, but no pixel can be placed in 3D")
    recording = clip.recording
    if given.poses is not None:
        world, up_world = recording.world, recording.up_world
    else:
        first = np.flatnonzero(piece == 0)
        origin = f"camera of frame {clip.frame_index[first[0]]}" if len(first) else "unknown"
        world, up_world = World(metric=unit.metric, gravity_aligned=False, origin=origin), None
    upright = up_world is not None or world.gravity_aligned
    return PosedClip(
        frame_index=clip.frame_index,
        time_s=clip.time_s,
        rgb=clip.rgb,
        depth_m=depth,
        k_px=k_px,
        world_from_camera=poses,
        piece=piece,
        world=world,
        up_world=up_world,
        status=GeometryStatus(
            depth=depth_status,
            intrinsics=k_status,
            poses=pose_status,
            scale=unit.status,
            gravity="measured" if upright else "unknown",
            notes=tuple(dict.fromkeys(notes)),
        ),
        path=path,
        depth_log_sigma=log_sigma,
    )


def _intrinsics(
    clip: Clip, given: Given, reconstruction: Reconstruction | None
) -> tuple[Float64[np.ndarray, "f 3 3"], Status, list[str]]:
    if given.k_px is not None:
        lost = int((~np.isfinite(given.k_px).all(axis=(1, 2))).sum())
        return given.k_px, "measured", [f"intrinsics: the recording has none for {lost} frames"] if lost else []
    if reconstruction is None:
        return np.full((clip.num_frames, 3, 3), np.nan), "unknown", []
    k_px = intrinsics_of_frames(reconstruction.estimate, reconstruction.cameras, sequence=clip.recording.sequence)
    known = np.asarray(np.isfinite(k_px).all(axis=(1, 2)))
    if not known.any():
        return k_px, "unknown", ["intrinsics: no frame of the clip could be calibrated"]
    (h, w), (clip_h, clip_w) = clip.recording.size_hw, clip.size_hw
    k_px = np.diag([clip_w / w, clip_h / h, 1.0]) @ k_px
    focal = k_px[known, 0, 0]
    note = f"intrinsics: focal length {np.median(focal):.0f} px, estimated by structure from motion"
    return k_px, "estimated", [note + (f", for {known.sum()} of {len(known)} frames" if not known.all() else "")]


def _intrinsics_of_focal(
    clip: Clip, focal_px: Float64[np.ndarray, "f"], name: str
) -> tuple[Float64[np.ndarray, "f 3 3"], Status, list[str]]:
    """Square pixels and a principal point in the middle, which a focal length alone cannot tell and the note says."""
    (h, w), focal = clip.size_hw, focal_px.copy()
    if clip.recording.sequence:  # one camera: what the frames say about it, together
        focal[:] = np.nanmedian(focal_px)
    k_px = np.zeros((clip.num_frames, 3, 3))
    k_px[:, 0, 0] = k_px[:, 1, 1] = focal
    k_px[:, 0, 2], k_px[:, 1, 2], k_px[:, 2, 2] = w / 2, h / 2, 1.0
    k_px[~np.isfinite(focal)] = np.nan
    note = f"intrinsics: focal length {np.nanmedian(focal):.0f} px, estimated by {name}; principal point: the middle"
    return k_px, "estimated", [note]


def _poses(
    clip: Clip, given: Given, reconstruction: Reconstruction | None, unit: Unit
) -> tuple[Float64[np.ndarray, "f 4 4"], Int64[np.ndarray, "f"], CameraPath | None, Status, list[str]]:
    num_frames, recording = clip.num_frames, clip.recording
    if given.poses is not None:
        known = np.isfinite(given.poses).all(axis=(1, 2))
        lost = int((~known).sum())
        said = [f"poses: the recording has none for {lost} of {num_frames} frames; they stay unknown"] if lost else []
        path = None
        if recording.world_from_camera is not None:
            path = _path(np.arange(recording.num_frames), recording.world_from_camera, recording.time_s)
        return given.poses, np.where(known, 0, -1).astype(np.int64), path, "measured", said
    poses, piece, path = np.full((num_frames, 4, 4), np.nan), np.full(num_frames, -1, dtype=np.int64), None
    if reconstruction is None:
        return poses, piece, None, "unknown", []
    cameras = reconstruction.cameras
    counts = Counter(int(number) for number in cameras.piece if number in unit.factors)
    order = sorted(counts, key=lambda number: (-counts[number], number))
    for rank, number in enumerate(order):
        mine = cameras.piece == number
        found = cameras.world_from_camera[mine].copy()
        # The frame of an estimated world is free to choose: the first camera of the piece.
        poses[mine], piece[mine] = _from_first(found, found[0], unit.factors[number]), rank
        if rank == 0:
            estimate = reconstruction.estimate
            members = estimate.piece == number
            every = _from_first(estimate.world_from_camera[members], found[0], unit.factors[number])
            path = _path(estimate.frame_index[members], every, recording.time_s)
    return poses, piece, path, "estimated" if order else "unknown", [_pose_note(reconstruction, piece)]


def _from_first(
    poses: Float64[np.ndarray, "m 4 4"], first: Float64[np.ndarray, "4 4"], factor: float
) -> Float64[np.ndarray, "m 4 4"]:
    """Poses in the frame of one of them, lengths times a factor."""
    moved = np.linalg.inv(first) @ poses
    moved[:, :3, 3] *= factor
    return moved


def _path(
    frame_index: Int64[np.ndarray, "n"], poses: Float64[np.ndarray, "n 4 4"], time_s: Float64[np.ndarray, "r"]
) -> CameraPath:
    """The known ones among poses of frames of the recording, in order."""
    known = np.isfinite(poses).all(axis=(1, 2))
    order = np.argsort(frame_index[known], kind="stable")
    index = frame_index[known][order].astype(np.int64)
    return CameraPath(frame_index=index, time_s=time_s[index], world_from_camera=poses[known][order])


def _pose_note(reconstruction: Reconstruction, piece: Int64[np.ndarray, "f"]) -> str:
    estimate, cameras = reconstruction.estimate, reconstruction.cameras
    if not travels(estimate):
        known, what = int((piece >= 0).sum()), "stands still" if estimate.motion == "still" else "turns on the spot"
        each = "all of them the identity" if estimate.motion == "still" else "rotations about one place"
        return f"poses: the camera {what}; {known} of {len(piece)} frames have a pose, {each}"
    main, others, none = int((piece == 0).sum()), int((piece > 0).sum()), int((piece < 0).sum())
    note = (
        f"poses: structure from motion registered {int((estimate.piece >= 0).sum())} of {len(estimate.piece)} frames "
        f"of the recording, reprojection error {estimate.reprojection_px:.2f} px; of the {len(piece)} frames read, "
        f"{main} are in the largest piece"
    )
    if others:
        note += f", {others} in further pieces ({int(piece.max())}) that share no world frame with it"
    if none:
        note += f", {none} without a pose"
        unscaled = int(((cameras.piece >= 0) & (piece < 0)).sum())
        note += f" ({unscaled} of them in pieces whose scale is not known)" if unscaled else ""
    if interpolated := int((cameras.interpolated & (piece >= 0)).sum()):
        note += f"; {interpolated} poses interpolated between close neighbours"
    return note
