"""Checks every recording once, where it enters the house, so that no later step has to doubt what a file said."""

import dataclasses

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError, Recording, World
from video3d.video.images import check_size

_MAX_TRANSLATION = 1e5  # metres: no walk or drive leads farther from its origin; UTM coordinates would ruin float32
_EXACT, _ROUNDED, _MAX_SKEWED = 1e-6, 1e-3, 1e-2  # |R R^T - 1|: nothing to do, digits cut off, a careless writer
_MAX_ASPECT_ERROR = 0.02
_MIN_FOV_DEG, _MAX_FOV_DEG = 1.0, 175.0
_MAX_NON_SQUARE = 3.0


def validated(recording: Recording) -> Recording:
    """The recording, with exact rotations, or an ``InputError`` that names what is wrong and in which frame.

    Rotations whose digits were cut off are replaced by the nearest rotation (the polar factor, by SVD); off by more
    than 1e-3 that is noted, by more than 1e-2 the matrix is scaled or sheared and refused. A pose is finite, or all NaN
    where it is unknown; if no frame has one, the recording has none.
    """
    _check_frames(recording)
    notes: list[str] = []
    if recording.k_px is not None:
        notes += _check_intrinsics(recording, recording.k_px)
    _check_depth(recording)
    poses, world, up_world = recording.world_from_camera, recording.world, recording.up_world
    if poses is not None:
        _check_count(recording, "poses", poses.shape[0])
        poses = _rigid(recording, poses, notes)
    if poses is None:
        world, up_world = World(), None
    if up_world is not None:
        length = float(np.linalg.norm(up_world))
        if not np.isfinite(length) or length < 1e-6:
            raise InputError(recording.source, expected="a direction of gravity", got=up_world.tolist())
        up_world = up_world / length
    return dataclasses.replace(
        recording,
        world_from_camera=poses,
        world=world,
        up_world=up_world,
        notes=(*recording.notes, *notes),
    )


def _check_frames(recording: Recording) -> None:
    if recording.num_frames == 0:
        raise InputError(recording.source, expected="at least one frame", got="none")
    check_size(recording.size_hw, recording.source)
    time_s = recording.time_s
    _check_count(recording, "times", time_s.shape[0])
    if recording.num_frames % recording.rig:
        raise InputError(recording.source, expected=f"{recording.rig} frames an instant", got=recording.num_frames)
    if np.isinf(time_s).any():
        frame = recording.frame_names[int(np.isinf(time_s).argmax())]
        raise InputError(
            f"time of {frame} in {recording.source}", expected="a finite number of seconds", got="infinity"
        )
    if recording.sequence and (back := np.flatnonzero(np.diff(time_s) < 0)).size:
        frame = recording.frame_names[int(back[0]) + 1]
        raise InputError(
            f"time of {frame} in {recording.source}", expected="times that do not go back", got="an earlier one"
        )


def _check_count(recording: Recording, what: str, num: int) -> None:
    if num != recording.num_frames:
        raise InputError(recording.source, expected=f"{recording.num_frames} {what}, one a frame", got=num)


def _check_intrinsics(recording: Recording, k_px: Float64[np.ndarray, "f 3 3"]) -> list[str]:
    """Refuses what no pinhole camera has; notes what is odd."""
    _check_count(recording, "intrinsics", k_px.shape[0])
    height, width = recording.size_hw
    off_centre = False
    for k in np.unique(k_px, axis=0):
        fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
        got = ""
        if not np.isfinite(k).all():
            got = "numbers that are not finite"
        elif not (np.array_equal(k[2], [0, 0, 1]) and k[1, 0] == 0):
            got = f"rows 2 and 3 {k[1:].tolist()}"
        elif fx <= 0 or fy <= 0:
            got = f"focal lengths {fx:g} and {fy:g} px"
        elif not all(_MIN_FOV_DEG < _fov_deg(f, side) < _MAX_FOV_DEG for f, side in ((fx, width), (fy, height))):
            got = f"focal lengths {fx:g} and {fy:g} px for a frame of {width} x {height} px"
        elif not 1 / _MAX_NON_SQUARE < fx / fy < _MAX_NON_SQUARE or abs(k[0, 1]) > 0.1 * fx:
            got = f"fx {fx:g}, fy {fy:g}, skew {k[0, 1]:g}"
        elif not (-0.5 * width < cx < 1.5 * width and -0.5 * height < cy < 1.5 * height):
            got = f"principal point ({cx:g}, {cy:g}) for a frame of {width} x {height} px"
        if got:
            which = (
                recording.frame_names[int((k_px == k).all(axis=(1, 2)).argmax())] if np.isfinite(k).all() else "a frame"
            )
            thing = f"intrinsics of {which} in {recording.source}"
            raise InputError(thing, expected="fx 0 cx; 0 fy cy; 0 0 1 of a real camera", got=got)
        off_centre |= abs(cx / width - 0.5) > 0.2 or abs(cy / height - 0.5) > 0.2
    if off_centre:
        return ["the principal point is far from the centre of the frame: are the intrinsics for another image size?"]
    return []


def _fov_deg(focal_px: float, side_px: int) -> float:
    return float(np.degrees(2 * np.arctan(side_px / (2 * focal_px))))


def _check_depth(recording: Recording) -> None:
    if (recording.load_depth_m is None) != (recording.depth_size_hw is None):
        raise InputError(recording.source, expected="depth and its size together", got="one of them")
    if recording.depth_size_hw is None:
        return
    (height, width), (depth_height, depth_width) = recording.size_hw, recording.depth_size_hw
    check_size(recording.depth_size_hw, f"depth of {recording.source}")
    if abs((depth_width / depth_height) / (width / height) - 1) > _MAX_ASPECT_ERROR:
        raise InputError(
            f"depth of {recording.source}",
            expected=f"the shape of the colour frames ({width} x {height} px)",
            got=f"{depth_width} x {depth_height} px",
            do="register depth to colour, or leave the depth out",
        )


def _rigid(
    recording: Recording, poses: Float64[np.ndarray, "f 4 4"], notes: list[str]
) -> Float64[np.ndarray, "f 4 4"] | None:
    """Exactly rigid poses, None when no frame has one."""
    known = ~np.isnan(poses).all(axis=(1, 2))
    finite = np.isfinite(poses).all(axis=(1, 2))
    _refuse(recording, np.asarray(known & ~finite), "16 finite numbers", "NaN or infinity among them")
    if not known.any():
        notes.append("no frame has a pose")
        return None
    there = poses[known]
    wrong = np.zeros(poses.shape[0], bool)
    wrong[known] = np.abs(there[:, 3] - [0, 0, 0, 1]).max(axis=1) > 1e-6
    _refuse(recording, wrong, "the last row 0 0 0 1", poses[wrong.argmax(), 3].tolist())
    wrong[known] = np.abs(there[:, :3, 3]).max(axis=1) > _MAX_TRANSLATION
    _refuse(recording, wrong, f"a position within {_MAX_TRANSLATION:g} m", poses[wrong.argmax(), :3, 3].tolist())
    rotation = there[:, :3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        determinant = np.linalg.det(rotation)
    wrong[known] = ~(error <= _MAX_SKEWED)
    scale = float(np.cbrt(abs(determinant[wrong[known].argmax()])))
    _refuse(recording, wrong, "a rotation", f"a matrix that scales or shears (scale {scale:.4g})")
    wrong[known] = determinant < 0
    _refuse(recording, wrong, "a rotation", "a mirrored frame (determinant -1)")
    largest = float(error.max())
    if largest <= _EXACT:
        return poses
    if largest > _ROUNDED:
        notes.append(f"rotations are off by up to {largest:.1g} from rigid; the nearest rotations are used")
    u, _, vt = np.linalg.svd(rotation)
    exact = poses.copy()
    exact[known, :3, :3] = u @ vt
    return exact


def _refuse(recording: Recording, wrong: np.ndarray, expected: str, got: object) -> None:
    if wrong.any():
        frame = recording.frame_names[int(wrong.argmax())]
        raise InputError(f"pose of {frame} in {recording.source}", expected=expected, got=got)
