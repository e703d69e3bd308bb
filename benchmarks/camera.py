"""Camera from pixels alone, against the poses that the recordings carry.

    python benchmarks/camera.py DATA_DIR [--only kitchen,office,...] [--json] [--seed 0] [--timeout 600]

DATA_DIR holds the recordings by the names below; those that are absent are left out. Depth, poses and intrinsics are
taken away, ``estimate_camera`` gets what a plain video would give it, and its largest piece is moved onto the recorded
path by the similarity that fits best (Umeyama). Columns: frames of the recording, frames used, frames in the largest
piece, sizes of all pieces, rms position error in percent of the length of the recorded path between the placed frames,
rms rotation error in degrees, focal length against the recorded one in percent, mean reprojection error, seconds
(reading included). Videos without poses show what can be shown without truth.

A recorded focal length may be that of another camera: 7-Scenes states 585 px for its depth camera; its colour camera has
about 525.

    recording      frames  used  placed  pieces        rms %   rot deg  focal %    focal  reproj px       s
    kitchen            32    32      32  32             0.78      4.97    -10.7      522       0.72     6.8
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from video3d.estimate.camera import estimate_camera
from video3d.geometry.align import align_trajectories
from video3d.types import InputError, Recording
from video3d.video import forget, open_recording

# name on the command line -> path below DATA_DIR, number of frames taken evenly (None: all)
RECORDINGS: dict[str, tuple[str, int | None]] = {
    "kitchen": ("seven_scenes_kitchen", 32),
    "kitchen_all": ("seven_scenes_kitchen", None),
    "office": ("hololens_office", None),
    "fox": ("fox", None),
    "kitti": ("kitti_odometry_1", None),
    "bedroom": ("videos/bedroom.mp4", None),
    "street": ("videos/street_walk.mp4", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one recording; None where there is no truth."""

    recording: str
    frames: int
    used: int
    placed: int
    pieces: tuple[int, ...]
    position_rms_percent: float | None
    rotation_rms_deg: float | None
    focal_px: float | None
    focal_error_percent: float | None
    reprojection_px: float | None
    seconds: float
    notes: tuple[str, ...]


def every_nth(recording: Recording, count: int) -> Recording:
    """``count`` frames of a recording, evenly spread."""
    kept = np.linspace(0, recording.num_frames - 1, count).round().astype(int).tolist()
    poses, k_px = recording.world_from_camera, recording.k_px
    return replace(
        recording,
        time_s=recording.time_s[kept],
        frame_names=tuple(recording.frame_names[i] for i in kept),
        load_rgb=lambda indices: recording.load_rgb([kept[i] for i in indices]),
        load_depth_m=None,
        depth_size_hw=None,
        world_from_camera=None if poses is None else poses[kept],
        k_px=None if k_px is None else k_px[kept],
    )


def measure(name: str, recording: Recording, *, seed: int, timeout_s: float) -> Row:
    """Estimates the camera of one recording and compares."""
    blind = forget(recording, [q for q in ("depth", "poses", "intrinsics") if has(recording, q)])
    started = time.perf_counter()
    found = estimate_camera(blind, seed=seed, timeout_s=timeout_s)
    seconds = time.perf_counter() - started
    largest = found.piece == 0
    rms = rotation = focal = focal_error = None
    if largest.any():
        focal = float(np.median(found.k_px[largest, 0, 0]))
    if recording.k_px is not None and focal is not None:
        focal_error = 100 * (focal / float(np.median(recording.k_px[found.frame_index, 0, 0])) - 1)
    if recording.world_from_camera is not None and largest.sum() >= 3:
        estimate = np.where(largest[:, None, None], found.world_from_camera, np.nan)
        error = align_trajectories(recording.world_from_camera[found.frame_index], estimate)
        rms, rotation = 100 * error.position_rms_share, error.rotation_rms_deg
    return Row(
        recording=name,
        frames=recording.num_frames,
        used=len(found.frame_index),
        placed=int(largest.sum()),
        pieces=tuple(np.bincount(found.piece[found.piece >= 0]).tolist()),
        position_rms_percent=rms,
        rotation_rms_deg=rotation,
        focal_px=focal,
        focal_error_percent=focal_error,
        reprojection_px=found.reprojection_px if np.isfinite(found.reprojection_px) else None,
        seconds=seconds,
        notes=found.notes,
    )


def has(recording: Recording, quantity: str) -> bool:
    """Whether a recording carries depth, poses or intrinsics."""
    given = {
        "depth": recording.load_depth_m,
        "poses": recording.world_from_camera,
        "intrinsics": recording.k_px,
    }
    return given[quantity] is not None


def line(row: Row) -> str:
    """One row of the table."""

    def number(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    sizes = "+".join(map(str, row.pieces)) or "-"
    return (
        f"{row.recording:<13}{row.frames:>8}{row.used:>6}{row.placed:>8}  {sizes:<12}"
        f"{number(row.position_rms_percent, '.2f'):>7}{number(row.rotation_rms_deg, '.2f'):>10}"
        f"{number(row.focal_error_percent, '+.1f'):>9}{number(row.focal_px, '.0f'):>9}"
        f"{number(row.reprojection_px, '.2f'):>11}{row.seconds:>8.1f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--only", default=",".join(RECORDINGS), help="names separated by commas")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of the table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one recording")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = sorted(set(names) - set(RECORDINGS))
    if unknown:
        parser.error(f"--only: expected some of {', '.join(RECORDINGS)}, got {', '.join(unknown)}")
    rows = []
    if not options.json:
        print("recording      frames  used  placed  pieces        rms %   rot deg  focal %    focal  reproj px       s")
    for name in names:
        folder, count = RECORDINGS[name]
        try:
            recording = open_recording(options.data_dir / folder)
        except InputError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        recording = recording if count is None else every_nth(recording, count)
        rows.append(measure(name, recording, seed=options.seed, timeout_s=options.timeout))
        if not options.json:
            print(line(rows[-1]), flush=True)
            for note in rows[-1].notes:
                print(f"    {note}", flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
