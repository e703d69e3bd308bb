"""Depth from many views against measured depth, beside its prior alone and one number for every pixel.

    python benchmarks/video_depth.py DATA_DIR [--only kitchen,office] [--frames 32] [--prior points,none,NAME] [--poses given]

DATA_DIR holds the recordings by the names below. Colour is registered to the stated camera first (``register_colour``),
then depth is forgotten, with ``--poses recovered`` the poses too. Frames are spread evenly; the frames between them serve
as views. Priors: ``points`` is one depth a frame, the median of its reconstructed points, and stands for a network that
knows next to nothing (stated: 50 %); ``none`` is none; ``nano`` or any name that ``load_depth`` knows is that network.

Columns: RMSE (m), delta1 and AbsRel of all pixels with known truth, of the depth as it is and with one factor a frame
(its median is the truth's), which is the only one where poses are recovered without metres; share of the known truth
that got a depth; seconds. ``constant`` is the median of the truth. Then, for every tenth of the pixels, surest first: what
the depth states (root mean square of log_sigma), root mean square of the true error of ln depth, and 1.48 x its median.

    kitchen                     RMSE     d1 AbsRel    scaled     d1 AbsRel  covered       s
    constant                   0.647  0.315  0.381     0.659  0.485  0.344    1.000       -
    nano alone                 0.527  0.561  0.216     0.625  0.561  0.253    1.000       -
    video, prior nano          0.291  0.892  0.080     0.356  0.785  0.136    1.000    80.3

(two cores shared with others; the network's 8 seconds are in it). The kitchen's delta1 was 0.889 and 0.892 in two runs: points of structure
from motion are not the same every time.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from video3d.estimate import CameraEstimate, complete_geometry, missing_camera
from video3d.estimate.reconstruction import Given, reconstruction_of
from video3d.estimate.unit import points_in_unit, unit_of_result
from video3d.geometry.resize import resize_depth
from video3d.pipeline import load_depth
from video3d.types import Clip, PosedClip, Recording
from video3d.types.depth import DepthEstimate, DepthEstimator
from video3d.video import forget, open_recording, read_clip, register_colour

RECORDINGS = {"kitchen": "seven_scenes_kitchen", "office": "hololens_office"}
NO_FACTOR = "         -      -      -"


class PointsPrior:
    """One depth a frame: the median of the points that structure from motion found in it."""

    name, metric, licence = "points", True, "none needed"

    def __init__(self, median: np.ndarray) -> None:
        self.median = median

    def __call__(self, rgb: np.ndarray, k_px: np.ndarray | None = None) -> DepthEstimate:
        """One value a frame, stated to be right to 50 %."""
        values = np.broadcast_to(self.median.astype(np.float32)[:, None, None], rgb.shape[:3]).copy()
        return DepthEstimate(values=values, kind="metric_depth", log_sigma=np.full_like(values, 0.5))


def points_prior(clip: Clip, camera: CameraEstimate) -> PointsPrior:
    """Medians in the unit of the result; a frame without points takes the median of all."""
    reconstruction = reconstruction_of(clip, camera)
    unit = unit_of_result(clip, Given.of(clip), reconstruction, None)
    points = points_in_unit(reconstruction, unit)
    mine = [points["point_depth"][points["point_frame"] == i] for i in range(clip.num_frames)]
    every = float(np.median(points["point_depth"]))
    return PointsPrior(np.array([np.median(z) if len(z) >= 12 else every for z in mine]))


def measures(depth: np.ndarray, truth: np.ndarray) -> str:
    """RMSE, delta1, AbsRel of the pixels that both know."""
    both = np.isfinite(depth) & np.isfinite(truth)
    if not both.any():
        return NO_FACTOR
    d, z = depth[both].astype(np.float64), truth[both].astype(np.float64)
    delta1 = float((np.maximum(d / z, z / d) < 1.25).mean())
    return f"{np.sqrt(((d - z) ** 2).mean()):10.3f}{delta1:7.3f}{(np.abs(d - z) / z).mean():7.3f}"


def row(name: str, depth: np.ndarray, truth: np.ndarray, *, metric: bool, seconds: float | None) -> str:
    """One line of the table."""
    scaled = depth.copy()
    for i, (d, z) in enumerate(zip(depth, truth, strict=True)):
        both = np.isfinite(d) & np.isfinite(z)
        if both.any():
            scaled[i] *= np.median(z[both]) / np.median(d[both])
    known = np.isfinite(truth)
    covered = (known & np.isfinite(depth)).sum() / known.sum()
    took = "       -" if seconds is None else f"{seconds:8.1f}"
    return f"{name:<22}{measures(depth, truth) if metric else NO_FACTOR}{measures(scaled, truth)}{covered:9.3f}{took}"


def deciles(depth: np.ndarray, log_sigma: np.ndarray, truth: np.ndarray) -> list[str]:
    """Stated against true errors of ln depth, surest tenth first."""
    both = np.isfinite(depth) & np.isfinite(truth) & np.isfinite(log_sigma)
    error, stated = np.log(depth[both] / truth[both]), log_sigma[both]
    lines = ["    stated    rms  1.48 median |error of ln depth|"]
    for part in np.array_split(np.argsort(stated, kind="stable"), 10):
        off = error[part]
        lines.append(
            f"    {np.sqrt((stated[part] ** 2).mean()):6.3f} {np.sqrt((off**2).mean()):6.3f} "
            f"{1.4826 * np.median(np.abs(off)):6.3f}"
        )
    return lines


def at_truth(posed: PosedClip, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Depth and uncertainty at the size of the truth."""
    hw = truth.shape[1:]
    sigma = posed.depth_log_sigma
    return resize_depth(posed.depth_m, hw), None if sigma is None else resize_depth(sigma, hw)


def run(name: str, recording: Recording, *, num_frames: int, priors: list[str], poses: str) -> None:
    """The table of one recording."""
    recording = register_colour(recording)
    whole = read_clip(recording, num_frames)
    truth = whole.depth_m
    assert truth is not None
    dropped = ["depth"] + ["poses"] * (poses == "recovered")
    clip = read_clip(forget(recording, dropped), num_frames)
    started = time.perf_counter()
    camera = missing_camera(clip.recording, include=clip.frame_index.tolist())
    print(
        f"{name}: {clip.num_frames} frames, poses {poses}; structure from motion {time.perf_counter() - started:.0f} s"
    )
    print(f"{'':<22}{'RMSE':>10}{'d1':>7}{'AbsRel':>7}{'scaled':>10}{'d1':>7}{'AbsRel':>7}{'covered':>9}{'s':>8}")
    constant = np.full_like(truth, np.nanmedian(truth))
    print(row("constant", constant, truth, metric=True, seconds=None))
    for prior in priors:
        network: DepthEstimator | None = None
        if prior == "points" and camera is not None:
            network = points_prior(clip, camera)
        elif prior not in ("none", "points"):
            network = load_depth(prior)
        posed = complete_geometry(clip, depth_estimator=network, camera=camera, video_depth=False)
        metric = posed.world.metric and not (poses == "recovered" and prior == "points")
        if network is not None:
            print(row(f"{prior} alone", at_truth(posed, truth)[0], truth, metric=metric, seconds=None))
        started = time.perf_counter()
        posed = complete_geometry(clip, depth_estimator=network, camera=camera)
        seconds = time.perf_counter() - started
        depth, sigma = at_truth(posed, truth)
        print(row(f"video, prior {prior}", depth, truth, metric=metric, seconds=seconds))
        for note in posed.status.notes:
            if note.startswith("depth"):
                print(f"    {note}")
        if sigma is not None and metric:
            print("\n".join(deciles(depth, sigma, truth)), flush=True)


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--only", default=",".join(RECORDINGS))
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--prior", default="points,none")
    parser.add_argument("--poses", choices=("given", "recovered"), default="given")
    options = parser.parse_args()
    for name in options.only.split(","):
        if name not in RECORDINGS:
            parser.error(f"--only: expected some of {', '.join(RECORDINGS)}, got {name}")
        recording = open_recording(options.data_dir / RECORDINGS[name])
        run(name, recording, num_frames=options.frames, priors=options.prior.split(","), poses=options.poses)
    return 0


if __name__ == "__main__":
    sys.exit(main())
