"""Patch points of 32 depth maps: ours against the straightforward way, side by side.

    python benchmarks/lift.py [--json] [--repeats 7] [--frames 32] [--height 480] [--width 640] [--patch 27]

Straightforward, in torch, as code written for this task does it: a ray for every pixel, its point in the camera, its
point in the world, then average pooling. ``plain`` lets unknown depth vote as 0; ``masked`` leaves it out, which is
what ours does. ``read`` is the time to read the depth once (a sum over it): nothing that looks at every depth is faster
on one core. Times are medians of interleaved repeats in this process; memory is the peak of
a fresh process for each, less what it held before.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from video3d.geometry.lift import lift_depth_patches

Scene = tuple[np.ndarray, np.ndarray, np.ndarray]


def make_scene(frames: int, height: int, width: int) -> Scene:
    """Depth with holes as a sensor leaves them (blocks and single pixels, about 17 %), and a camera that moves."""
    rng = np.random.default_rng(0)
    depth = np.empty((frames, height, width), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for frame in range(frames):
        depth[frame] = 2.5 + np.sin(x / 71 + frame) + 0.8 * np.cos(y / 53) + 0.01 * rng.standard_normal((height, width))
        depth[frame][rng.random((height, width)) < 0.06] = np.nan
        for _ in range(8):
            top, left = rng.integers(0, height * 5 // 6), rng.integers(0, width * 5 // 6)
            depth[frame, top : top + height // 8, left : left + width // 8] = np.nan
    focal = 585.0 * width / 640
    k_px = np.tile(np.array([[focal, 0, width / 2 - 1.3], [0, focal, height / 2 + 2.1], [0, 0, 1]]), (frames, 1, 1))
    rotation, _ = np.linalg.qr(rng.standard_normal((frames, 3, 3)))
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = rotation * np.sign(np.linalg.det(rotation))[:, None, None]
    poses[:, :3, 3] = np.cumsum(rng.normal(0, 0.1, (frames, 3)), axis=0)
    return depth, k_px, poses


def world_points_torch(scene: Scene):
    """World point of every pixel, float32; NaN depth gives NaN, depth 0 the camera's position."""
    import torch

    depth, k_px, poses = (torch.from_numpy(part).float() for part in scene)
    frames, height, width = depth.shape
    v, u = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    x = (u - k_px[:, 0, 2, None, None]) / k_px[:, 0, 0, None, None] * depth
    y = (v - k_px[:, 1, 2, None, None]) / k_px[:, 1, 1, None, None] * depth
    camera = torch.stack([x, y, depth, torch.ones_like(depth)], dim=-1).reshape(frames, height * width, 4)
    return (camera @ poses.transpose(1, 2))[..., :3].reshape(frames, height, width, 3)


def plain(scene: Scene, patch: int) -> np.ndarray:
    """Unproject every pixel, then average. Wants 0, not NaN, for unknown depth, and lets it vote."""
    from torch.nn.functional import avg_pool2d

    world = world_points_torch(scene)
    return avg_pool2d(world.permute(0, 3, 1, 2), patch).permute(0, 2, 3, 1).numpy()


def masked(scene: Scene, patch: int) -> np.ndarray:
    """The same, and unknown pixels do not vote."""
    import torch
    from torch.nn.functional import avg_pool2d

    known = torch.isfinite(torch.from_numpy(scene[0])).float()[:, None]
    world = torch.nan_to_num(world_points_torch(scene).permute(0, 3, 1, 2))
    return (avg_pool2d(world, patch) / avg_pool2d(known, patch)).permute(0, 2, 3, 1).numpy()


def ours(scene: Scene, patch: int) -> np.ndarray:
    """The mean of world points from pooled z, u·z and v·z; unknown pixels do not vote."""
    return lift_depth_patches(*scene, patch).points_world


def read(scene: Scene, patch: int) -> np.ndarray:
    """Read every depth once and do nothing with it but add."""
    return np.asarray(scene[0].sum())


WAYS: dict[str, Callable[[Scene, int], np.ndarray]] = {"plain": plain, "masked": masked, "ours": ours, "read": read}
LABELS = {"plain": "straightforward", "masked": "straightforward, masked", "ours": "ours, masked", "read": "read once"}


def scene_for(way: str, scene: Scene) -> Scene:
    """``plain`` is given depth that is 0 where unknown, outside of what is measured."""
    return (np.nan_to_num(scene[0]), *scene[1:]) if way == "plain" else scene


def truth(scene: Scene, patch: int) -> np.ndarray:
    """The masked mean of every pixel's world point in float64, a frame at a time."""
    depth, k_px, poses = scene
    frames, height, width = depth.shape
    rows, columns = height // patch, width // patch
    v, u = np.mgrid[:height, :width] + 0.5
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
    means = np.empty((frames, rows, columns, 3))
    for frame in range(frames):
        camera = (pixels @ np.linalg.inv(k_px[frame]).T) * depth[frame, ..., None].astype(np.float64)
        world = camera @ poses[frame, :3, :3].T + poses[frame, :3, 3]
        patches = world[: rows * patch, : columns * patch].reshape(rows, patch, columns, patch, 3)
        known = np.isfinite(patches).sum(axis=(1, 3))
        means[frame] = np.nansum(patches, axis=(1, 3)) / np.where(known > 0, known, np.nan)
    return means


def peak_mib(way: str, arguments: argparse.Namespace) -> float:
    """Peak memory that one way adds, in a fresh process.

    Memory that was freed before must not serve again uncounted, so the process gives all but small pieces back at once.
    """
    flags = [f"--{name}={getattr(arguments, name)}" for name in ("frames", "height", "width", "patch")]
    run = subprocess.run(
        [sys.executable, __file__, f"--only={way}", *flags],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
    )
    return float(run.stdout)


def run_only(way: str, arguments: argparse.Namespace) -> float:
    """In the fresh process: the peak of resident memory while one way runs once, less what was resident before, in MiB.

    A run on a small scene comes first, so that what libraries keep for themselves is not counted, for either side.
    """
    scene = scene_for(way, make_scene(arguments.frames, arguments.height, arguments.width))
    WAYS[way](scene_for(way, make_scene(2, 2 * arguments.patch, 2 * arguments.patch)), arguments.patch)
    before = resident_mib(reset_peak=True)
    WAYS[way](scene, arguments.patch)
    return max(resident_mib() - before, 0.1)  # 0.1 MiB is the grain: a ratio to less would be a ratio to noise


def resident_mib(reset_peak: bool = False) -> float:
    """Peak resident memory of this process in MiB.

    On Linux the peak can be set back to what is resident now, and the making of the scene hides no small one.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    if reset_peak:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every number of the report."""
    scene = make_scene(arguments.frames, arguments.height, arguments.width)
    scenes = {way: scene_for(way, scene) for way in WAYS}
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for repeat in range(arguments.repeats + 1):
        for way, run in WAYS.items():
            # Ours and the read take milliseconds: several in a row, so that a repeat is not one tick of the scheduler.
            runs = 1 if way in ("plain", "masked") else 5
            for _ in range(runs):
                start = time.perf_counter()
                run(scenes[way], arguments.patch)
                if repeat:  # the first round warms up
                    times[way].append(1e3 * (time.perf_counter() - start))
    time_ms = {way: statistics.median(times[way]) for way in WAYS}
    memory_mib = {way: peak_mib(way, arguments) for way in ("plain", "masked", "ours")}
    expected = truth(scene, arguments.patch)
    got = ours(scene, arguments.patch)
    return {
        "depth": f"{arguments.frames} x {arguments.height} x {arguments.width} float32",
        "patch_px": arguments.patch,
        "unknown_share": float(np.isnan(scene[0]).mean()),
        "time_ms": time_ms,
        "time_ms_min": {way: min(times[way]) for way in WAYS},
        "peak_memory_mib": memory_mib,
        "times_faster": {way: time_ms[way] / time_ms["ours"] for way in ("plain", "masked")},
        "times_less_memory": {way: memory_mib[way] / memory_mib["ours"] for way in ("plain", "masked")},
        "ours_over_read": time_ms["ours"] / time_ms["read"],
        "max_difference_m": float(np.nanmax(np.abs(got - expected))),
        "same_patches_known": bool((np.isnan(got) == np.isnan(expected)).all()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    for name, default in (("repeats", 7), ("frames", 32), ("height", 480), ("width", 640), ("patch", 27)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=tuple(WAYS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(run_only(arguments.only, arguments))
        return
    report = measure(arguments)
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{report['depth']}, patches of {report['patch_px']} px, {report['unknown_share']:.1%} unknown")
    print(f"{'':28}{'median ms':>12}{'fastest ms':>12}{'peak MiB':>12}{'slower':>10}{'memory':>10}")
    for way, label in LABELS.items():
        time_ms, memory = report["time_ms"][way], report["peak_memory_mib"].get(way)
        print(
            f"{label:28}{time_ms:12.2f}{report['time_ms_min'][way]:12.2f}"
            + (f"{memory:12.1f}" if memory is not None else f"{'':12}")
            + f"{time_ms / report['time_ms']['ours']:9.2f}x"
            + (f"{memory / report['peak_memory_mib']['ours']:9.1f}x" if memory is not None else "")
        )
    print(f"ours takes {report['ours_over_read']:.2f}x the time to read the depth once")
    print(f"max difference to the masked mean in float64: {report['max_difference_m']:.2g} m")


if __name__ == "__main__":
    main()
