"""Camera from pixels alone, against the poses that the recordings carry.

    python benchmarks/camera.py DATA_DIR [--only kitchen,office,...] [--depth measured,nano] [--json] [--seed 0]
                                [--timeout 600]

DATA_DIR holds the recordings by the names below; those that are absent are left out. Depth, poses and intrinsics are
taken away, ``estimate_camera`` gets what a plain video would give it, and its largest piece is moved onto the recorded
path by the similarity that fits best (Umeyama). Columns: frames used, share of them in the largest piece, sizes of all
pieces, rms position error in percent of the length of the recorded path between the placed frames, rms rotation error in
degrees, median rotation error over frames once the rotation that all frames have in common is taken out (a short path
fixes the common one badly, and frames are right against each other), focal length against the recorded one in percent,
mean reprojection error, seconds of structure from motion (reading included).

Then, for every name of ``--depth``: error of the scale in percent of the truth, where poses are in metres, and of up in
degrees, where the recording tells it or shows a floor under measured depth. ``measured`` is the recording's own depth,
other names are those of ``video3d --depth``: ``nano``, ``video``, a metric network's; 32 frames, and the usual sizes of what the
detector sees (``--detector none``: without). ``-``: no truth, or the
result says that it does not know. Videos without poses (``--only bedroom,street``) show what can be shown without truth.

Colour of 7-Scenes is registered first (``register_colour``): the stated 585 px are the depth camera's, colour has about
524, and what is judged is colour as the recording's users get it, at 585.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from gravity import true_up, up_among, up_error_deg

from video3d.estimate.camera import estimate_camera
from video3d.estimate.camera_estimate import CameraEstimate
from video3d.estimate.complete import complete_geometry
from video3d.estimate.depth import depth_parts
from video3d.estimate.detectors import load_detector
from video3d.estimate.usual_sizes import in_metres
from video3d.geometry.align import align_trajectories
from video3d.geometry.rigid import rotation_angle_rad
from video3d.pipeline import load_depth
from video3d.types import InputError, PosedClip, Recording
from video3d.types.detector import EMBEDDED
from video3d.video import forget, open_recording, read_clip, register_colour

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
NUM_COMPLETED = 32


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
    scale_error_percent: dict[str, float | None]
    up_error_deg: dict[str, float | None]
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


def completed(recording: Recording, found: CameraEstimate, depth: str, detector: str = EMBEDDED) -> PosedClip | None:
    """What a user gets of a video whose camera was found so: 32 frames of the largest piece, depth as named.

    ``measured`` keeps the recording's own depth (None where it has none); other names are those of ``video3d --depth``.
    """
    if depth == "measured" and recording.load_depth_m is None:
        return None
    lost = {"poses", "intrinsics"} | ({"depth"} if depth != "measured" else set())
    mine = found.frame_index[found.piece == 0]
    mine = mine[np.unique(np.linspace(0, len(mine) - 1, NUM_COMPLETED).round().astype(int))]
    network, views = ("none", False) if depth == "measured" else depth_parts(depth)
    clip = read_clip(forget(recording, lost), indices=mine)
    posed = complete_geometry(clip, depth_estimator=load_depth(network), camera=found, video_depth=views)
    return in_metres(posed, lambda: None if detector == "none" else load_detector(detector), network=network)


def scale_error_percent(recording: Recording, posed: PosedClip) -> float | None:
    """Lengths of the path against those recorded, percent; None where the result is not in metres."""
    if not posed.world.metric or not recording.world.metric or (posed.piece == 0).sum() < 3:
        return None
    estimate = np.where((posed.piece == 0)[:, None, None], posed.world_from_camera, np.nan)
    return 100 * (1 / align_trajectories(recording.world_from_camera[posed.frame_index], estimate).scale - 1)


def own_rotation_deg(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Median angle between orientations (degrees) after the one rotation of the world that fits all of them best."""
    known = np.isfinite(truth).all(axis=(1, 2)) & np.isfinite(estimate).all(axis=(1, 2))
    a, b = truth[known, :3, :3], estimate[known, :3, :3]
    u, _, vt = np.linalg.svd(np.einsum("fij,fkj->ik", a, b))
    common = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return float(np.degrees(np.median(rotation_angle_rad(np.swapaxes(a, 1, 2) @ common @ b))))


def measure(
    name: str,
    recording: Recording,
    *,
    seed: int,
    timeout_s: float,
    depths: Sequence[str] = (),
    detector: str = EMBEDDED,
) -> Row:
    """Estimates the camera of one recording and compares."""
    blind = forget(recording, [q for q in ("depth", "poses", "intrinsics") if has(recording, q)])
    started = time.perf_counter()
    found = estimate_camera(blind, seed=seed, timeout_s=timeout_s)
    seconds = time.perf_counter() - started
    largest = found.piece == 0
    rms = rotation = rotation_median = focal = focal_error = None
    scale_error: dict[str, float | None] = dict.fromkeys(depths)
    up_error: dict[str, float | None] = dict.fromkeys(depths)
    if largest.any():
        focal = float(np.median(found.k_px[largest, 0, 0]))
    if recording.k_px is not None and focal is not None:
        focal_error = 100 * (focal / float(np.median(recording.k_px[found.frame_index, 0, 0])) - 1)
    if recording.world_from_camera is not None and largest.sum() >= 3:
        estimate = np.where(largest[:, None, None], found.world_from_camera, np.nan)
        error = align_trajectories(recording.world_from_camera[found.frame_index], estimate)
        rms, rotation = 100 * error.position_rms_share, error.rotation_rms_deg
        rotation_median = own_rotation_deg(recording.world_from_camera[found.frame_index], estimate)
        measured = recording.up_world is not None or recording.load_depth_m is not None
        up = true_up(recording) if depths and measured else None
        for depth in depths if recording.world.metric or up is not None else ():  # else there is nothing to judge by
            posed = completed(recording, found, depth, detector)
            if posed is None:
                continue
            scale_error[depth] = scale_error_percent(recording, posed)
            leaned = None if up is None else up_error_deg(posed, up_among(posed, recording, up))
            up_error[depth] = None if leaned is None else leaned[0]
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
        up_error_deg=up_error,
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
    text = (
        f"{row.recording:<13}{row.used:>6}{f'{100 * row.placed / row.used:.0f} %':>8}  {sizes:<12}"
        f"{number(row.position_rms_percent, '.2f'):>7}{number(row.rotation_rms_deg, '.2f'):>10}"
        f"{number(row.rotation_median_deg, '.2f'):>8}{number(row.focal_error_percent, '+.1f'):>9}"
        f"{number(row.focal_px, '.0f'):>7}{number(row.reprojection_px, '.2f'):>10}{row.seconds:>7.1f}"
    )
    for depth, scale in row.scale_error_percent.items():
        text += f"  {number(scale, '+.1f'):>{len(depth) + 8}}{number(row.up_error_deg[depth], '.2f'):>8}"
    return text


def head(depths: Sequence[str]) -> str:
    """The first line of the table."""
    text = "recording      used  placed  pieces        rms %   rot rms  median  focal %  focal  reproj px      s"
    return text + "".join(f"  {f'scale % {depth}':>{len(depth) + 8}}  up deg" for depth in depths)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--only", default="kitchen,office,kitti,fox", help=f"some of {','.join(RECORDINGS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of the table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", default="measured,nano", help="for scale and up: measured, nano, video, ...")
    parser.add_argument("--detector", default=EMBEDDED)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one recording")
    options = parser.parse_args()
    names = options.only.split(",")
    unknown = sorted(set(names) - set(RECORDINGS))
    if unknown:
        parser.error(f"--only: expected some of {', '.join(RECORDINGS)}, got {', '.join(unknown)}")
    depths = [name for name in options.depth.split(",") if name]
    try:
        for name in set(depths) - {"measured"}:  # a wrong name should not be found out after the long work
            load_depth(depth_parts(name)[0])
    except InputError as error:
        parser.error(str(error))
    rows = []
    if not options.json:
        print(head(depths))
    for name in names:
        folder, count = RECORDINGS[name]
        try:
            recording = register_colour(open_recording(options.data_dir / folder))
        except InputError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        recording = recording if count is None else every_nth(recording, count)
        rows.append(
            measure(
                name, recording, seed=options.seed, timeout_s=options.timeout, depths=depths, detector=options.detector
            )
        )
        if not options.json:
            print(line(rows[-1]), flush=True)
            for note in rows[-1].notes:
                print(f"    {note}", flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
