"""Camera from plain video: structure from motion by COLMAP's incremental mapping, over the recording's frames.

A quick attempt first; if it leaves frames out, one with all frames and finer features. It runs in a process of its own
that is killed at the timeout or an interruption. Pieces that share no points are reported as pieces.

Schoenberger and Frahm, Structure-from-Motion Revisited, CVPR 2016.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from tqdm import tqdm

from video3d.estimate.camera_checks import relief_parallax_px
from video3d.estimate.camera_estimate import CameraEstimate
from video3d.types import Recording

MAX_FRAMES = 120
LONG_SIDE_PX = 1280  # of the frames handed over; features are sought at 640 px, upsampled in the second attempt
FRAMES_AT_ONCE = 16
ENOUGH = 0.9  # of the frames in one piece
STILL_SHARE = 0.004  # of the long side: less motion than this between any two frames is no motion to measure by
HARDLY_MOVES = 0.02  # of the long side, see relief_parallax_px
STANDS_STILL, ONLY_TURNS = "stands still", "only turns"  # in the notes; finer features change neither
NUM_QUICK_FRAMES = 48
# A slow camera hardly tells its lens, and a distortion left free then runs away: first without. What that cannot explain
# (an action camera) gets one.
QUICK = {
    "max_image_size": 640,
    "max_num_features": 2048,
    "first_octave": 0,
    "peak_threshold": 0.0067,
    "camera_model": "SIMPLE_PINHOLE",
}
FINE = {
    "max_image_size": 640,
    "max_num_features": 3000,
    "first_octave": -1,
    "peak_threshold": 0.003,
    "camera_model": "SIMPLE_RADIAL",
}


def estimate_camera(
    recording: Recording,
    *,
    k_px: Float64[np.ndarray, "r 3 3"] | Float64[np.ndarray, "3 3"] | None = None,
    include: Sequence[int] = (),
    max_frames: int = MAX_FRAMES,
    timeout_s: float = 600.0,
    seed: int = 0,
) -> CameraEstimate:
    """Poses up to scale, and intrinsics, of the frames of a recording, from its pixels alone.

    The first attempt takes about 48 frames: where neighbours overlap well, more of them only add smaller baselines. If it
    leaves out more than a tenth, all frames are used (``max_frames`` evenly spread ones of a long recording), with more and
    finer features, whatever a model will later look at. Frames of a walk are matched with their neighbours and with those
    that look alike; up to 60 frames, all with all.

    Args:
        recording: read through its loader, a few frames at a time.
        k_px: intrinsics at the recording's size that are known and kept, one matrix or one a frame (taken as one camera
            by their median); None: the focal length and, where it can be told, a radial distortion are found; the principal
            point is the middle.
        include: frames whose poses are wanted, so that they are among those used (``max_frames`` of them at most).
        max_frames: more are no better and slower.
        timeout_s: for both attempts together; after it the process is killed and what it had by then is used.
        seed: of the random choices. Threads make repeated runs differ in the last digits.

    Returns:
        All NaN with notes in words where nothing could be found: too little motion, a camera that only turned, frames
        that show too little.

    Raises:
        InputError: a frame cannot be read.
    """
    wanted = np.array(sorted(set(include)), dtype=np.int64)
    if len(wanted) > max_frames:
        wanted = wanted[chosen_frames(len(wanted), max_frames)]
    known = _one_camera(k_px)
    stop = time.monotonic() + timeout_s
    best = None
    num_quick = min(max(NUM_QUICK_FRAMES - len(wanted), 2), max_frames)
    for effort, num_frames in ((QUICK, num_quick), (FINE, max_frames)):
        frames = np.union1d(chosen_frames(recording.num_frames, num_frames), wanted)
        left_s = stop - time.monotonic()
        if best is not None and left_s < 1.0:
            break
        found = _attempt(recording, frames, effort, known, left_s, seed)
        if best is None or _share_placed(found) >= _share_placed(best):
            best = found
        hopeless = any(words in note for note in found.notes for words in (STANDS_STILL, ONLY_TURNS))
        if _share_placed(best) >= ENOUGH or hopeless:
            break
    assert best is not None
    return best


def _share_placed(estimate: CameraEstimate) -> float:
    """Share of the frames that are in the largest piece."""
    return float((estimate.piece == 0).mean())


def _attempt(
    recording: Recording,
    frame_index: Int64[np.ndarray, "f"],
    effort: dict[str, Any],
    known: Float64[np.ndarray, "3 3"] | None,
    timeout_s: float,
    seed: int,
) -> CameraEstimate:
    height, width = recording.size_hw
    shrink = min(1.0, LONG_SIDE_PX / max(height, width))
    with tempfile.TemporaryDirectory(prefix="video3d-camera-") as name:
        folder = Path(name)
        _hand_over(recording, frame_index, folder / "images", shrink)
        job = {
            "num_frames": len(frame_index),
            "one_camera": True,
            "camera": None if known is None else (np.asarray(known)[[0, 1, 0, 1], [0, 1, 2, 2]] * shrink).tolist(),
            "sequence": recording.sequence,
            "exhaustive_frames": 60,
            "neighbours": 10,
            "lookalikes": 20,
            "still_px": STILL_SHARE * max(height, width) * shrink,
            "effort": effort,
            "threads": os.cpu_count() or 1,
            "seed": seed,
            "timeout_s": timeout_s,
        }
        (folder / "job.json").write_text(json.dumps(job))
        found, ended = _run(folder, timeout_s)
    if found is None:
        return _nothing(frame_index, (f"camera: structure from motion {ended}; poses stay unknown",))
    return _estimate(found, frame_index, shrink, known, recording.size_hw)


def chosen_frames(num_frames: int, max_frames: int) -> Int64[np.ndarray, "f"]:
    """All frames, or ``max_frames`` of them evenly spread, the first and the last among them.

    >>> chosen_frames(5, 3).tolist()
    [0, 2, 4]
    """
    if num_frames <= max_frames:
        return np.arange(num_frames)
    return np.unique(np.linspace(0, num_frames - 1, max_frames).round().astype(np.int64))


def _one_camera(k_px: np.ndarray | None) -> Float64[np.ndarray, "3 3"] | None:
    if k_px is None:
        return None
    rows = k_px.reshape(-1, 3, 3)
    rows = rows[np.isfinite(rows).all(axis=(1, 2))]
    return np.median(rows, axis=0) if len(rows) else None


def _hand_over(recording: Recording, frame_index: Int64[np.ndarray, "f"], folder: Path, shrink: float) -> None:
    """Writes the frames as files, a few in memory at a time."""
    from PIL import Image

    folder.mkdir()
    size = (round(recording.size_hw[1] * shrink), round(recording.size_hw[0] * shrink))
    for start in tqdm(range(0, len(frame_index), FRAMES_AT_ONCE), desc="reading frames", delay=2.0, leave=False):
        part = frame_index[start : start + FRAMES_AT_ONCE]
        for position, frame in enumerate(recording.load_rgb(part.tolist()), start):
            image = Image.fromarray(frame)
            image = image if shrink == 1.0 else image.resize(size, Image.Resampling.LANCZOS)
            image.save(folder / f"{position:06d}.jpg", quality=95, subsampling=0)


def _run(folder: Path, timeout_s: float) -> tuple[dict[str, Any] | None, str]:
    """The worker's result, or None and how it ended. However this function is left, the worker does not outlive it."""
    # -P and our own path: a folder that the user happens to be in must not supply modules.
    # It is told whose child it is: this process may be gone before the worker's imports are through.
    command = [sys.executable, "-P", "-m", "video3d.estimate.camera_worker", str(folder), str(os.getpid())]
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
        )
        stop = time.monotonic() + timeout_s + min(15.0, 0.1 * timeout_s)  # the worker minds the time by itself
        try:
            # A line a second for a person; a log file gets one in a quarter of a minute.
            every_s = 1.0 if sys.stderr.isatty() else 15.0
            form = {"bar_format": "{desc}: {elapsed}", "mininterval": every_s, "delay": 2.0, "leave": False}
            with tqdm(desc="camera", **form) as bar:
                while worker.poll() is None and time.monotonic() < stop:
                    time.sleep(0.1)
                    with contextlib.suppress(OSError):
                        bar.set_description(f"camera: {(folder / 'progress').read_text()}", refresh=False)
                    bar.update()
        finally:
            if worker.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
    if (folder / "result.npz").is_file():
        with np.load(folder / "result.npz", allow_pickle=False) as arrays:
            return dict(arrays), ""
    if worker.returncode == -signal.SIGKILL:
        return None, f"did not end within {timeout_s:.0f} s"
    return None, f"failed (exit {worker.returncode}: {_last_line(folder / 'log')})"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no message"


def _nothing(frame_index: Int64[np.ndarray, "f"], notes: tuple[str, ...]) -> CameraEstimate:
    count = len(frame_index)
    return CameraEstimate(
        frame_index=frame_index,
        k_px=np.full((count, 3, 3), np.nan),
        world_from_camera=np.full((count, 4, 4), np.nan),
        piece=np.full(count, -1, dtype=np.int64),
        observation_frame=np.zeros(0, np.int64),
        observation_px=np.zeros((0, 2), np.float32),
        observation_depth=np.zeros(0, np.float32),
        reprojection_px=float("nan"),
        motion="unknown",
        notes=notes,
    )


def _estimate(
    found: dict[str, Any],
    frame_index: Int64[np.ndarray, "f"],
    shrink: float,
    known: np.ndarray | None,
    size_hw: tuple[int, int],
) -> CameraEstimate:
    piece = found["piece"]
    if not (piece >= 0).any():
        motion = "still" if bool(found["still"]) else "turns" if bool(found["turns"]) else "unknown"
        return replace(_nothing(frame_index, (_why_not(found, len(frame_index)),)), motion=motion)
    k_px = np.diag([1 / shrink, 1 / shrink, 1.0]) @ found["k_px"]
    if known is not None:
        k_px = np.broadcast_to(known, k_px.shape).copy()
    else:  # one camera: a frame without a pose has the intrinsics of the largest piece
        k_px[piece < 0] = np.median(k_px[piece == 0], axis=0)
    notes = []
    if bool(found["turns"]):
        notes.append(
            f"camera: it {ONLY_TURNS} on the spot: rotations and focal length are estimated, positions are all the same, and "
            "pixels do not tell how far anything is; move it sideways"
        )
    elif (left_out := min(int(found["only_turned"]), int((piece < 0).sum()))) > 0:
        notes.append(f"camera: {left_out} frames only turn on the spot and were left out")
    if not bool(found["turns"]) and (parallax := _parallax_share(found, max(size_hw) * shrink)) < HARDLY_MOVES:
        notes.append(
            f"camera: it hardly moves: what is near moves against what is far by {100 * parallax:.1f} % of the picture, so that "
            "its path and the depth of points are rough and may be mere turning; move it sideways"
        )
    if abs(float(found["distortion"])) > 0.01:
        notes.append(f"camera: the lens bends lines (radial distortion {float(found['distortion']):.3f}, not removed)")
    if piece.max() > 0:
        sizes = np.bincount(piece[piece >= 0])
        notes.append(f"camera: the frames fall into {len(sizes)} pieces of {', '.join(map(str, sizes))} frames")
    return CameraEstimate(
        frame_index=frame_index,
        k_px=k_px,
        world_from_camera=found["world_from_camera"],
        piece=piece,
        observation_frame=found["observation_frame"],
        observation_px=(found["observation_px"] / shrink).astype(np.float32),
        observation_depth=found["observation_depth"].astype(np.float32),
        reprojection_px=float(found["reprojection_px"]) / shrink,
        motion="turns" if bool(found["turns"]) else "travels",
        notes=tuple(notes),
    )


def _parallax_share(found: dict[str, Any], long_side_px: float) -> float:
    """Parallax between near and far over the path of the largest piece, as a share of the picture's long side."""
    main = found["piece"] == 0
    poses = np.where(main[:, None, None], found["world_from_camera"], np.nan)
    focal_px = float(np.median(found["k_px"][main, 0, 0]))
    frame, depth = found["observation_frame"], found["observation_depth"]
    return relief_parallax_px(poses, frame, depth, focal_px) / long_side_px


def _why_not(found: dict[str, Any], num_frames: int) -> str:
    """Why nothing was registered, and what would help."""
    motion = float(found["motion_px"])
    if bool(found["still"]):
        return f"camera: it {STANDS_STILL} (points move {motion:.1f} px at most), so pixels do not tell where it is"
    if int(found["only_turned"]):
        return f"camera: it {ONLY_TURNS} on the spot, so pixels do not tell how far anything is; move it sideways"
    if not np.isfinite(motion):
        return (
            f"camera: no two of {num_frames} frames show enough of the same; film slower, with more light and texture"
        )
    return f"camera: {num_frames} frames match but give no reconstruction; film slower, and move sideways around things"
