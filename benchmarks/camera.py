"""Camera from pixels alone, against the poses that the recordings carry.

    python benchmarks/camera.py DATA_DIR [--only kitchen,office,...] [--json] [--seed 0] [--timeout 600]
                                [--depth measured|NAME]

DATA_DIR holds the recordings by the names below; those that are absent are left out. Depth, poses and intrinsics are
taken away, ``estimate_camera`` gets what a plain video would give it, and its largest piece is moved onto the recorded
path by the similarity that fits best (Umeyama). Columns: frames of the recording, frames used, frames in the largest
piece, sizes of all pieces, rms position error in percent of the length of the recorded path between the placed frames,
rms rotation error in degrees, median rotation error over frames once the rotation that all frames have in common is taken
out (a short path fixes the common one badly, and frames are right against each other), focal length against the recorded one in percent, mean
reprojection error, seconds (reading included). With ``--depth`` also the scale in percent of the truth, where poses are
in metres: the unit of the reconstruction by depth at its points, by the recording's own depth (``measured``) or a
metric depth network (a name that ``load_depth_estimator`` knows; up to 24 frames). Videos without poses show what can
be shown without truth.

Colour of 7-Scenes is registered first (``register_colour``): the stated 585 px are the depth camera's, colour has about
524, and what is judged is colour as the recording's users get it, at 585.

As measured with ``--only kitchen,office --depth measured`` on two busy cores:

    recording      frames  used  placed  pieces        rms %   rot rms  median  scale %  focal %    focal  reproj px       s
    kitchen            32    32      32  32             0.82      5.29    1.23     +3.8     +0.5      588       0.73     4.8
    office            120   120     111  111+9          0.31      1.83    1.14     +2.5     -2.2      484       0.49    76.9
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from video3d.estimate.camera import estimate_camera
from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.depth import load_depth_estimator
from video3d.estimate.depth_align import sample_nearest
from video3d.estimate.scale import fit_scale, scale_from_depth
from video3d.geometry.align import align_trajectories
from video3d.geometry.rigid import rotation_angle_rad
from video3d.types import InputError, Recording
from video3d.types.depth import DepthEstimator
from video3d.video import forget, open_recording, register_colour

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
    rotation_median_deg: float | None
    focal_px: float | None
    focal_error_percent: float | None
    scale_error_percent: float | None
    reprojection_px: float | None
    seconds: float
    notes: tuple[str, ...]


def every_nth(recording: Recording, count: int) -> Recording:
    """``count`` frames of a recording, evenly spread."""
    kept = np.linspace(0, recording.num_frames - 1, count).round().astype(int).tolist()
    poses, k_px, load_depth = recording.world_from_camera, recording.k_px, recording.load_depth_m
    return replace(
        recording,
        time_s=recording.time_s[kept],
        frame_names=tuple(recording.frame_names[i] for i in kept),
        load_rgb=lambda indices: recording.load_rgb([kept[i] for i in indices]),
        load_depth_m=None if load_depth is None else lambda indices: load_depth([kept[i] for i in indices]),
        world_from_camera=None if poses is None else poses[kept],
        k_px=None if k_px is None else k_px[kept],
    )


def scale_by_depth(recording: Recording, found: CameraEstimate, depth: str | DepthEstimator) -> float | None:
    """Metres in one unit of the largest piece, by measured depth or a network; None where they do not tell."""
    if isinstance(depth, str):
        fits = scale_from_depth(recording, found) if recording.load_depth_m is not None else {}
        return fits[0].scale if 0 in fits else None
    mine = np.flatnonzero(found.piece == 0)
    mine = mine[np.unique(np.linspace(0, len(mine) - 1, 24).round().astype(int))]
    rgb = recording.load_rgb(found.frame_index[mine].tolist())
    estimate = depth(rgb, found.k_px[mine])
    seen = np.isin(found.observation_frame, mine)
    place = np.searchsorted(mine, found.observation_frame[seen])
    at = sample_nearest(estimate.values, place, found.observation_px[seen], recording.size_hw)
    fit = fit_scale(at, found.observation_depth[seen], place)
    return None if fit is None else fit.scale


def own_rotation_deg(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Median angle between orientations (degrees) after the one rotation of the world that fits all of them best."""
    known = np.isfinite(truth).all(axis=(1, 2)) & np.isfinite(estimate).all(axis=(1, 2))
    a, b = truth[known, :3, :3], estimate[known, :3, :3]
    u, _, vt = np.linalg.svd(np.einsum("fij,fkj->ik", a, b))
    common = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return float(np.degrees(np.median(rotation_angle_rad(np.swapaxes(a, 1, 2) @ common @ b))))


def measure(
    name: str, recording: Recording, *, seed: int, timeout_s: float, depth: str | DepthEstimator | None = None
) -> Row:
    """Estimates the camera of one recording and compares."""
    blind = forget(recording, [q for q in ("depth", "poses", "intrinsics") if has(recording, q)])
    started = time.perf_counter()
    found = estimate_camera(blind, seed=seed, timeout_s=timeout_s)
    seconds = time.perf_counter() - started
    largest = found.piece == 0
    rms = rotation = rotation_median = scale_error = focal = focal_error = None
    if largest.any():
        focal = float(np.median(found.k_px[largest, 0, 0]))
    if recording.k_px is not None and focal is not None:
        focal_error = 100 * (focal / float(np.median(recording.k_px[found.frame_index, 0, 0])) - 1)
    if recording.world_from_camera is not None and largest.sum() >= 3:
        estimate = np.where(largest[:, None, None], found.world_from_camera, np.nan)
        error = align_trajectories(recording.world_from_camera[found.frame_index], estimate)
        rms, rotation = 100 * error.position_rms_share, error.rotation_rms_deg
        rotation_median = own_rotation_deg(recording.world_from_camera[found.frame_index], estimate)
        metres = None
        if depth is not None and recording.world.metric:
            metres = scale_by_depth(recording, found, depth)
        scale_error = None if metres is None else 100 * (metres / error.scale - 1)
    return Row(
        recording=name,
        frames=recording.num_frames,
        used=len(found.frame_index),
        placed=int(largest.sum()),
        pieces=tuple(np.bincount(found.piece[found.piece >= 0]).tolist()),
        position_rms_percent=rms,
        rotation_rms_deg=rotation,
        rotation_median_deg=rotation_median,
        scale_error_percent=scale_error,
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
        f"{number(row.rotation_median_deg, '.2f'):>8}{number(row.scale_error_percent, '+.1f'):>9}"
        f"{number(row.focal_error_percent, '+.1f'):>9}{number(row.focal_px, '.0f'):>9}"
        f"{number(row.reprojection_px, '.2f'):>11}{row.seconds:>8.1f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--only", default=",".join(RECORDINGS), help="names separated by commas")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of the table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", help="for the scale: measured, or a metric depth network")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one recording")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = sorted(set(names) - set(RECORDINGS))
    if unknown:
        parser.error(f"--only: expected some of {', '.join(RECORDINGS)}, got {', '.join(unknown)}")
    depth = options.depth
    if depth not in (None, "measured"):
        try:
            depth = load_depth_estimator(depth)
        except InputError as error:
            parser.error(str(error))
    rows = []
    if not options.json:
        print(
            "recording      frames  used  placed  pieces        rms %   rot rms  median  scale %  focal %    focal  reproj px       s"
        )
    for name in names:
        folder, count = RECORDINGS[name]
        try:
            recording = register_colour(open_recording(options.data_dir / folder))
        except InputError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        recording = recording if count is None else every_nth(recording, count)
        rows.append(measure(name, recording, seed=options.seed, timeout_s=options.timeout, depth=depth))
        if not options.json:
            print(line(rows[-1]), flush=True)
            for note in rows[-1].notes:
                print(f"    {note}", flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
