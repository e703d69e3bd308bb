"""Meshes of depth maps: our TSDF and surface nets beside Open3D's VoxelBlockGrid and marching cubes.

    python benchmarks/reconstruct.py [--json] [--frames 64] [--voxel-m 0.02] [--open3d PYTHON] [--data ../shared/data]

``--open3d`` names the interpreter of an environment that has Open3D (``python -m venv o3d; o3d/bin/pip install open3d``);
without one, that side is left out. Three recordings:

- room: the made room of examples/make_room.py (32 frames, 320x240), with the noise of a structured-light camera added
  (sigma 1.2 mm + 1.9 mm/m² (z - 0.4 m)², in pixels' own), so that the distance of every vertex to the exact surfaces is known;
- kitchen (7-Scenes) and office (HoloLens), where they are: the mesh is made of every other frame, and the others judge it:
  distance of their measured points (every 7th pixel of every 7th row) to the mesh. The points are themselves measured, so
  noise and errors of the given poses are in every number, the same for both sides.

Both sides get the same frames, voxel size, and depth beyond 8 m left out (Open3D wants a limit). Time is that of one run
in this process (or Open3D's), reading not counted, threads as the environment sets them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
MAX_DEPTH_M = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--voxel-m", type=float, default=0.02)
    parser.add_argument("--open3d", type=Path, help="Python interpreter of an environment with Open3D")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", nargs="*", help="recordings")
    parser.add_argument("--worker", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        open3d_worker(*arguments.worker)
        return
    rows = []
    for name, clip, judge in recordings(arguments):
        sides = {"ours": ours(clip, arguments.voxel_m)}
        if arguments.open3d:
            sides["open3d"] = open3d(clip, arguments.voxel_m, arguments.open3d)
        for side, (vertices, faces, seconds) in sides.items():
            rows.append({"recording": name, "side": side, "frames": clip.num_frames, "seconds": seconds}
                        | {"vertices": len(vertices), "faces": len(faces)} | judge(vertices, faces))  # fmt: skip
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        numbers = ", ".join(
            f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}"
            for k, v in row.items()
            if k not in ("recording", "side")
        )
        print(f"{row['recording']:8} {row['side']:7} {numbers}")
    if not arguments.open3d:
        print(
            "Open3D left out: name an interpreter that has it with --open3d (python -m venv o3d; o3d/bin/pip install open3d)"
        )


def recordings(arguments: argparse.Namespace):
    """Name, clip, and what judges a mesh of it."""
    wanted = lambda name: not arguments.only or name in arguments.only  # noqa: E731
    for noise in (False, True):
        if wanted("room"):
            with tempfile.TemporaryDirectory() as folder:
                yield ("room" if noise else "room, exact"), made_room(Path(folder) / "room", noise=noise), judge_exactly
    for name, folder in (("kitchen", "seven_scenes_kitchen"), ("office", "hololens_office")):
        if (arguments.data / folder).is_dir() and wanted(name):
            clip, points = real(arguments.data / folder, arguments.frames)
            yield name, clip, lambda vertices, faces, points=points: judge_by_points(points, vertices, faces)


def posed(clip, *, keep: np.ndarray | None = None):
    """A read clip whose geometry is all measured, depth beyond the limit unknown."""
    from video3d.types import GeometryStatus, PosedClip, World

    keep = np.arange(clip.num_frames) if keep is None else keep
    depth = clip.depth_m[keep]
    return PosedClip(
        frame_index=clip.frame_index[keep], time_s=clip.time_s[keep], rgb=clip.rgb[keep], k_px=clip.k_px[keep],
        depth_m=np.where(depth < MAX_DEPTH_M, depth, np.nan).astype(np.float32),
        world_from_camera=clip.world_from_camera[keep], piece=np.zeros(len(keep), np.int64), world=World(metric=True),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured"),
    )  # fmt: skip


def made_room(folder: Path, *, noise: bool):
    from dataclasses import replace

    from video3d.video import open_recording, read_clip

    sys.path.insert(0, str(ROOT / "examples"))
    import make_room

    make_room.write_room(folder)
    clip = posed(read_clip(open_recording(folder), 32))
    if not noise:
        return clip
    depth, rng = clip.depth_m, np.random.default_rng(0)
    sigma = 0.0012 + 0.0019 * np.square(depth - 0.4)
    return replace(clip, depth_m=(depth + sigma * rng.standard_normal(depth.shape)).astype(np.float32))


def real(folder: Path, num_frames: int):
    """A clip of half of the frames, and measured world points of the other half."""
    from video3d.geometry.rigid import scale_k, transform_points, unproject
    from video3d.video import open_recording, read_clip

    clip = read_clip(open_recording(folder), 2 * num_frames)
    used, held = posed(clip, keep=np.arange(0, clip.num_frames, 2)), posed(clip, keep=np.arange(1, clip.num_frames, 2))
    depth = held.depth_m.copy()
    depth[:, np.arange(depth.shape[1]) % 7 != 3] = np.nan
    depth[:, :, np.arange(depth.shape[2]) % 7 != 3] = np.nan
    camera = unproject(depth, scale_k(held.k_px, held.size_hw, depth.shape[1:]))
    points = transform_points(held.world_from_camera, camera.astype(np.float64)).reshape(-1, 3)
    return used, points[np.isfinite(points).all(axis=1)]


def ours(clip, voxel_m: float):
    from video3d.geometry.reconstruct import reconstruct

    start = time.perf_counter()
    mesh, _ = reconstruct(clip, voxel_m)
    return mesh.vertices, mesh.faces, time.perf_counter() - start


def open3d(clip, voxel_m: float, interpreter: Path):
    with tempfile.TemporaryDirectory() as folder:
        given, got = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, depth=clip.depth_m, rgb=clip.rgb, k_px=clip.k_px, poses=clip.world_from_camera, voxel_m=voxel_m)
        subprocess.run([str(interpreter), __file__, "--worker", str(given), str(got)], check=True)
        with np.load(got) as found:
            return found["vertices"].astype(np.float64), found["faces"], float(found["seconds"])


def open3d_worker(given: Path, got: Path) -> None:
    """Runs where Open3D is: its documented integration with VoxelBlockGrid, colours at the size of depth."""
    import open3d as o3d

    with np.load(given) as file:
        depth, rgb, k_px, poses, voxel_m = (file[name] for name in ("depth", "rgb", "k_px", "poses", "voxel_m"))
    h, w = depth.shape[1:]
    rows, columns = np.arange(h) * rgb.shape[1] // h, np.arange(w) * rgb.shape[2] // w
    scale = np.diag([w / rgb.shape[2], h / rgb.shape[1], 1.0])
    start = time.perf_counter()
    core = o3d.core
    grid = o3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight", "color"), attr_dtypes=(core.float32, core.float32, core.float32),
        attr_channels=((1), (1), (3)), voxel_size=float(voxel_m), block_resolution=16, block_count=50000,
        device=core.Device("CPU:0"),
    )  # fmt: skip
    for i in range(len(depth)):
        k = scale @ k_px[i] - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])  # its pixel centres are integers
        intrinsic, extrinsic = core.Tensor(k), core.Tensor(np.linalg.inv(poses[i]))
        image = o3d.t.geometry.Image(core.Tensor(np.nan_to_num(depth[i])))
        color = o3d.t.geometry.Image(
            core.Tensor(np.ascontiguousarray(rgb[i][rows][:, columns].astype(np.float32) / 255))
        )
        blocks = grid.compute_unique_block_coordinates(image, intrinsic, extrinsic, 1.0, MAX_DEPTH_M, 4.0)
        grid.integrate(blocks, image, color, intrinsic, extrinsic, 1.0, MAX_DEPTH_M, 4.0)
    mesh = grid.extract_triangle_mesh(weight_threshold=1.0)
    seconds = time.perf_counter() - start
    np.savez(got, vertices=mesh.vertex.positions.numpy(), faces=mesh.triangle.indices.numpy(), seconds=seconds)


def judge_exactly(vertices: np.ndarray, faces: np.ndarray) -> dict[str, float]:
    """Distance of vertices to the nearest of the made room's surfaces."""
    import make_room

    inside = np.minimum(vertices, make_room.ROOM_M - vertices)
    nearest = np.abs(inside).min(axis=1)
    for low, high, _, _ in make_room.BOXES.values():
        center, half = (np.array(low) + high) / 2, (np.array(high) - low) / 2
        beyond = np.abs(vertices - center) - half
        outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
        nearest = np.minimum(nearest, np.abs(outside + np.minimum(beyond.max(axis=1), 0)))
    center, radius, _ = make_room.BALL
    nearest = np.minimum(nearest, np.abs(np.linalg.norm(vertices - center, axis=1) - radius))
    return {
        "median_mm": 1e3 * float(np.median(nearest)),
        "p90_mm": 1e3 * float(np.quantile(nearest, 0.9)),
        "beyond_2cm": float((nearest > 0.02).mean()),
    }


def judge_by_points(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> dict[str, float]:
    """Distance of measured points to the mesh."""
    distance = distance_to_mesh(points, vertices, faces)
    return {
        "median_mm": 1e3 * float(np.median(distance)),
        "p90_mm": 1e3 * float(np.quantile(distance, 0.9)),
        "beyond_5cm": float((distance > 0.05).mean()),
    }


def distance_to_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """To the nearest of the 8 triangles whose middles are nearest (Ericson, "Real-Time Collision Detection", 5.1.5)."""
    from scipy.spatial import cKDTree

    corners = vertices[faces]
    _, near = cKDTree(corners.mean(axis=1)).query(points, k=8)
    best = np.full(len(points), np.inf)
    for column in near.T:
        a, b, c = corners[column].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        height = ((points - a) * normal).sum(axis=1)
        foot = points - height[:, None] * normal
        inside = np.ones(len(points), bool)
        edge = np.full(len(points), np.inf)
        for p, q in ((a, b), (b, c), (c, a)):
            along = q - p
            inside &= (np.cross(along, foot - p) * normal).sum(axis=1) >= 0
            share = np.clip(((points - p) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-18), 0, 1)
            edge = np.minimum(edge, np.linalg.norm(points - p - share[:, None] * along, axis=1))
        best = np.minimum(best, np.where(inside, np.abs(height), edge))
    return best


if __name__ == "__main__":
    main()
