"""Maximum-coverage sampling of 300 posed depth frames: ours against the greedy written with Python sets.

    python benchmarks/sampling.py [--json] [--repeats 3] [--frames 300] [--select 32] [--stride 1] [--recording DIR]

From depth to chosen frames, voxelisation included. ``sets`` is the straightforward way: unproject every pixel, round
to 0.1 m, ``np.unique`` the rows, keep a set of tuples a frame, and in every round take the frame whose set adds most,
each gain computed anew. ``sets, zip`` is the same with the quickest way found to make the sets. All see the same
pixels, every ``--stride``-th of every ``--stride``-th row, and break ties alike. Ours must gain the same in every round
when it is given their voxels (``equal_gains``), and its own choice is scored on the voxels of every pixel.

The recording is ray cast: a walk of several turns through two furnished rooms of 9 x 6 m, 480 x 640. ``--recording``
takes a folder in the 7-Scenes layout instead, its frames repeated in a loop up to ``--frames``. Times are medians over
interleaved repeats in this process; memory is the peak of a fresh process for each way over that of the scene.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from video3d.geometry.voxels import pack, visible_voxels
from video3d.video.sample import greedy_coverage

VOXEL_M = 0.1
Scene = tuple[np.ndarray, np.ndarray, np.ndarray]  # depth_m, k_px, world_from_camera
Voxel = tuple[int, ...]

ROOMS_M = np.array([9.0, 6.0, 2.7])


def furniture() -> list[tuple[np.ndarray, np.ndarray]]:
    """Boxes (low and high corner): a wall with a door between the rooms, and things of many sizes on the floor."""
    rng = np.random.default_rng(5)
    boxes = [
        (np.array([4.4, 0.0, 0.0]), np.array([4.5, 3.4, 2.7])),
        (np.array([4.4, 4.6, 0.0]), np.array([4.5, 6, 2.7])),
    ]
    for _ in range(22):
        low = np.append(rng.uniform([0.2, 0.2], [8.2, 5.2]), rng.choice([0.0, 0.0, 0.7]))
        boxes.append((low, np.minimum(low + rng.uniform(0.15, [1.2, 0.8, 1.4]), ROOMS_M)))
    return boxes


def walk(frames: int) -> np.ndarray:
    """A loop through both rooms at eye height, looking around; pieces of furniture may be walked through."""
    s = np.linspace(0, 2 * np.pi, frames, endpoint=False)
    eye = np.stack(
        [4.45 + 3.4 * np.sin(s), 3.9 - 1.6 * np.cos(2 * s) * np.cos(s) ** 2, 1.5 + 0.1 * np.sin(9 * s)], axis=1
    )
    yaw, pitch = 3 * s + 0.6 * np.sin(5 * s), -0.35 + 0.25 * np.sin(7 * s)
    z = np.stack([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)], axis=1)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, 0], poses[:, :3, 1], poses[:, :3, 2], poses[:, :3, 3] = x, np.cross(z, x), z, eye
    return poses


def ray_cast(frames: int, height: int = 480, width: int = 640) -> Scene:
    """z-depth of the rooms at pixel centres, millimetre noise, and holes as a sensor leaves them (about 6 %)."""
    rng = np.random.default_rng(0)
    k_px = np.array([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1.0]])
    poses, boxes = walk(frames), furniture()
    v, u = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    camera = np.stack([(u - k_px[0, 2]) / k_px[0, 0], (v - k_px[1, 2]) / k_px[1, 1], np.ones_like(u)]).astype(
        np.float32
    )
    depth = np.empty((frames, height, width), dtype=np.float32)
    for frame, pose in enumerate(poses):
        rays = np.tensordot(pose[:3, :3].astype(np.float32), camera, axes=1)  # 3 h w
        eye = pose[:3, 3].astype(np.float32)[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1 / rays
            far = np.where(rays > 0, ROOMS_M.astype(np.float32)[:, None, None], np.float32(0))
            nearest = ((far - eye) * inverse).min(axis=0)
            for low, high in boxes:
                a = (low.astype(np.float32)[:, None, None] - eye) * inverse
                b = (high.astype(np.float32)[:, None, None] - eye) * inverse
                enter, leave = np.minimum(a, b).max(axis=0), np.maximum(a, b).min(axis=0)
                np.copyto(nearest, enter, where=(enter < leave) & (enter > 0.05) & (enter < nearest))
        depth[frame] = nearest + 0.001 * rng.standard_normal(nearest.shape, dtype=np.float32)
        for _ in range(6):
            top, left = rng.integers(0, height * 7 // 8), rng.integers(0, width * 7 // 8)
            depth[frame, top : top + height // 10, left : left + width // 10] = np.nan
    return depth, np.repeat(k_px[None], frames, axis=0), poses


def seven_scenes(folder: Path, frames: int) -> Scene:
    """Posed depth of a recording in the 7-Scenes layout, repeated from the start where it has fewer frames."""
    from PIL import Image

    names = sorted(path.name.removesuffix(".pose.txt") for path in folder.glob("*.pose.txt"))[:frames]
    depth = np.stack([np.asarray(Image.open(folder / f"{name}.depth.png"), dtype=np.float32) for name in names]) / 1000
    depth[(depth == 0) | (depth > 65)] = np.nan
    k_px = np.loadtxt(folder / "camera-intrinsics.txt") + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    poses = np.stack([np.loadtxt(folder / f"{name}.pose.txt") for name in names])
    turn = np.arange(frames) % len(names)
    return depth[turn], np.repeat(k_px[None], frames, axis=0), poses[turn]


def voxel_indices(depth: np.ndarray, k_px: np.ndarray, pose: np.ndarray, stride: int) -> np.ndarray:
    """Straightforward: the voxel of every pixel with known depth, through its point in the camera and in the world."""
    rows, columns = np.arange(stride // 2, depth.shape[0], stride), np.arange(stride // 2, depth.shape[1], stride)
    z = depth[rows][:, columns].astype(np.float64)
    x = (columns + 0.5 - k_px[0, 2]) / k_px[0, 0] * z
    y = (rows[:, None] + 0.5 - k_px[1, 2]) / k_px[1, 1] * z
    points = np.stack([x, y, z], axis=-1)[np.isfinite(z)] @ pose[:3, :3].T + pose[:3, 3]
    return np.floor(points / VOXEL_M).astype(np.int64)


def set_by_unique(indices: np.ndarray) -> set[Voxel]:
    return set(map(tuple, np.unique(indices, axis=0).tolist()))


def set_by_zip(indices: np.ndarray) -> set[Voxel]:
    return set(zip(*indices.T.tolist(), strict=True))


def greedy_sets(views: list[set[Voxel]], select: int, seed: int) -> tuple[list[int], list[int]]:
    """Frames in the order of choice and what each gained; ties by the seed's permutation, as ours."""
    order = np.random.default_rng(seed).permutation(len(views)).tolist()
    covered: set[Voxel] = set()
    chosen: list[int] = []
    gains: list[int] = []
    for _ in range(min(select, len(views))):
        best, best_gain = -1, 0
        for frame in order:
            gain = len(views[frame] - covered)
            if gain > best_gain:
                best, best_gain = frame, gain
        if best < 0:
            break
        chosen.append(best)
        gains.append(best_gain)
        covered |= views[best]
    return chosen, gains


def sets(scene: Scene, select: int, stride: int, make: Callable[[np.ndarray], set[Voxel]]) -> list[int]:
    views = [make(voxel_indices(*frame, stride)) for frame in zip(*scene, strict=True)]
    return greedy_sets(views, select, seed=0)[0]


def ours(scene: Scene, select: int, stride: int) -> list[int]:
    voxels = [visible_voxels(*frame, VOXEL_M, pixel_stride=stride) for frame in zip(*scene, strict=True)]
    return greedy_coverage(voxels, select, seed=0).chosen.tolist()


WAYS: dict[str, Callable[[Scene, int, int], list[int]]] = {
    "sets": lambda scene, select, stride: sets(scene, select, stride, set_by_unique),
    "sets, zip": lambda scene, select, stride: sets(scene, select, stride, set_by_zip),
    "ours": ours,
}


def make_scene(arguments: argparse.Namespace) -> Scene:
    return seven_scenes(arguments.recording, arguments.frames) if arguments.recording else ray_cast(arguments.frames)


def coverage(views: list[set[Voxel]], chosen: list[int]) -> float:
    return len(set().union(*(views[frame] for frame in chosen))) / len(set().union(*views))


def resident_mib(*, reset_peak: bool = False) -> float:
    """Peak resident memory of this process in MiB; on Linux the peak can be set back to what is resident now."""
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
    if reset_peak:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def run_only(way: str, scene_file: Path, arguments: argparse.Namespace) -> float:
    """In a fresh process: the peak of memory while one way runs, over what the scene holds, in MiB."""
    arrays = np.load(scene_file)
    scene = (arrays["depth_m"], arrays["k_px"], arrays["world_from_camera"])
    WAYS[way]((scene[0][:2, ::8, ::8].copy(), scene[1][:2], scene[2][:2]), 2, 1)  # what libraries keep for themselves
    before = resident_mib(reset_peak=True)
    WAYS[way](scene, arguments.select, arguments.stride)
    return resident_mib() - before


def peak_mib(way: str, scene_file: Path, arguments: argparse.Namespace) -> float:
    command = [sys.executable, __file__, f"--only={way}", f"--scene={scene_file}"]
    flags = [f"--select={arguments.select}", f"--stride={arguments.stride}"]
    run = subprocess.run(
        [*command, *flags],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
    )
    return float(run.stdout)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every number of the report."""
    import tempfile

    scene = make_scene(arguments)
    select, stride = arguments.select, arguments.stride
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    chosen: dict[str, list[int]] = {}
    for _ in range(arguments.repeats):
        for way, run in WAYS.items():
            start = time.perf_counter()
            chosen[way] = run(scene, select, stride)
            times[way].append(time.perf_counter() - start)
    with tempfile.TemporaryDirectory() as folder:
        scene_file = Path(folder) / "scene.npz"
        np.savez(scene_file, depth_m=scene[0], k_px=scene[1], world_from_camera=scene[2])
        memory = {way: peak_mib(way, scene_file, arguments) for way in WAYS}

    # Same voxels for both: each round must gain the same.
    views = [set_by_zip(voxel_indices(*frame, stride)) for frame in zip(*scene, strict=True)]
    keys = [np.sort(pack(np.array(sorted(view), dtype=np.int64).reshape(-1, 3))) for view in views]
    gains = greedy_sets(views, select, seed=0)[1]
    own = [visible_voxels(*frame, VOXEL_M, pixel_stride=stride) for frame in zip(*scene, strict=True)]
    differing = sum(np.setxor1d(a, b).size for a, b in zip(keys, own, strict=True))
    every_pixel = views if stride == 1 else [set_by_zip(voxel_indices(*f, 1)) for f in zip(*scene, strict=True)]
    median = {way: statistics.median(values) for way, values in times.items()}
    start = time.perf_counter()
    greedy_coverage(own, select, seed=0)
    selection_s = time.perf_counter() - start
    return {
        "depth": "x".join(map(str, scene[0].shape)),
        "select": select,
        "pixel_stride": stride,
        "voxels_seen": len(set().union(*views)),
        "voxels_a_frame": round(statistics.mean(len(view) for view in views)),
        "median_s": median,
        "ours_selection_s": selection_s,
        "times_faster": {way: median[way] / median["ours"] for way in ("sets", "sets, zip")},
        "peak_memory_mib": memory,
        "equal_gains": bool(np.array_equal(greedy_coverage(keys, select, seed=0).gains[: len(gains)], gains)),
        "share_of_voxels_that_differ": differing / sum(len(view) for view in views),
        "coverage_of_every_pixel": {way: coverage(every_pixel, frames) for way, frames in chosen.items()},
        "coverage_of_uniform": coverage(
            every_pixel, np.linspace(0, len(views) - 1, select).round().astype(int).tolist()
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    for name, default in (("repeats", 3), ("frames", 300), ("select", 32), ("stride", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--recording", type=Path, help="folder in the 7-Scenes layout")
    parser.add_argument("--only", choices=tuple(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--scene", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(run_only(arguments.only, arguments.scene, arguments))
        return
    report = measure(arguments)
    if arguments.json:
        print(json.dumps(report, indent=2))
        return
    print(
        f"{report['depth']} depth, {report['voxels_a_frame']} voxels a frame, {report['voxels_seen']} in all", end="; "
    )
    print(
        f"{report['select']} frames chosen, every {report['pixel_stride']}. pixel of every {report['pixel_stride']}. row"
    )
    print(f"{'':12}{'median s':>10}{'slower':>9}{'peak MiB':>10}{'coverage':>10}")
    for way in WAYS:
        slower = report["median_s"][way] / report["median_s"]["ours"]
        memory, covers = report["peak_memory_mib"][way], report["coverage_of_every_pixel"][way]
        print(f"{way:12}{report['median_s'][way]:10.2f}{slower:8.1f}x{memory:10.1f}{covers:10.4f}")
    print(f"{'uniform':12}{'':29}{report['coverage_of_uniform']:10.4f}")
    print(f"equal gains in every round on equal voxels: {report['equal_gains']}; ", end="")
    print(f"{report['share_of_voxels_that_differ']:.2g} of all voxels lie across a face for float32; ", end="")
    print(f"choosing alone takes ours {1e3 * report['ours_selection_s']:.0f} ms")


if __name__ == "__main__":
    main()
