"""Pictures a second: colour, depth and geom ids of a room full of meshes, as a Markdown table.

    python benchmarks/render.py [--size 224] [--meshes 30] [--triangles 4000] [--models 0] [--filament]

The room has a lamp with shadows, textured walls and floor, and some meshes of so many triangles. ``cpu`` is processor time,
which is what a machine full of workers pays; ``1 core`` is pictures a second from it. ``--models 50`` also opens that many
different models one after the other and prints how the memory of the process grows. ``python`` is MuJoCo's own Python renderer,
which draws three times (with the model's own shadow map of 4096 and four samples).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.exactness import look_at
from video3d.data.simulate.render import Quality, open_renderer
from video3d.data.simulate.scene import Look
from video3d.data.simulate.textures_indoor import floor_texture, wall_texture
from video3d.types import Camera

mujoco = load_mujoco()


def lumpy_ball(rng: np.random.Generator, triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """A sphere by rings, its surface rough: vertices (m) and faces."""
    rings = max(3, round((triangles / 4) ** 0.5))
    around = 2 * rings
    polar, turn = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rings + 1), np.arange(around) * np.pi / rings, indexing="ij"
    )
    ball = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1)
    ball = ball * rng.uniform(0.97, 1.03, (*ball.shape[:2], 1)) * rng.uniform(0.12, 0.4, 3)
    here = np.arange(rings * around).reshape(rings, around)
    right = np.roll(here, -1, axis=1)
    faces = np.stack([[here, here + around, right], [right, here + around, right + around]]).transpose(2, 3, 0, 1)
    return ball.reshape(-1, 3), faces.reshape(-1, 3)


def make_room(seed: int, meshes: int, triangles: int):
    rng = np.random.default_rng(seed)
    builder = SceneBuilder()
    builder.ambient(0.45, 0.15)
    builder.light((0.3, -0.2, 2.5), (0.1, 0.1, -1.0))
    for center, half, draw in (
        ((0.0, 0.0, -0.05), (3.0, 3.0, 0.05), floor_texture),
        ((0.0, 3.05, 1.3), (3.0, 0.05, 1.3), wall_texture),
        ((0.0, -3.05, 1.3), (3.0, 0.05, 1.3), wall_texture),
        ((3.05, 0.0, 1.3), (0.05, 3.0, 1.3), wall_texture),
        ((-3.05, 0.0, 1.3), (0.05, 3.0, 1.3), wall_texture),
    ):
        image, size_m = draw(rng)
        builder.slab(center, half, Look(texture=image, texture_m=size_m))
    for index in range(meshes):
        vertices, faces = lumpy_ball(rng, triangles)
        mesh = builder.spec.add_mesh(name=f"lump{index}")
        mesh.uservert, mesh.userface = vertices.ravel(), faces.ravel()
        x, y, z = rng.uniform([-2.6, -2.6, 0.1], [2.6, 2.6, 0.8])
        builder.spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh.name, pos=[x, y, z], contype=0, conaffinity=0,
            rgba=[*rng.uniform(0.2, 0.9, 3), 1],
        )  # fmt: skip
    model = builder.spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def cost(draw: Callable[[], object], repeats: int = 12) -> tuple[float, float]:
    """Median wall-clock and processor time in milliseconds."""
    draw()
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        draw()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall_ms, cpu_ms = 1e3 * np.median(times, axis=0)
    return float(wall_ms), float(cpu_ms)


def show(name: str, found: tuple[float, float]) -> None:
    print(f"| {name} | {found[0]:.1f} | {found[1]:.1f} | {1e3 / found[1]:.1f} |", flush=True)


def python_renderer(model, data, size: int) -> Callable[[], object]:
    """Three pictures with MuJoCo's own renderer."""
    model.vis.quality.shadowsize = 4096
    renderer = mujoco.Renderer(model, size, size)

    def draw() -> None:
        renderer.update_scene(data)
        renderer.render()
        renderer.enable_depth_rendering()
        renderer.render()
        renderer.disable_depth_rendering()
        renderer.enable_segmentation_rendering()
        renderer.render()
        renderer.disable_segmentation_rendering()

    return draw


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--meshes", type=int, default=30)
    parser.add_argument("--triangles", type=int, default=4000)
    parser.add_argument("--models", type=int, default=0)
    parser.add_argument("--filament", action="store_true")
    args = parser.parse_args()
    size = args.size
    model, data = make_room(0, args.meshes, args.triangles)
    k_px = np.array([[size * 0.9, 0, size / 2], [0, size * 0.9, size / 2], [0, 0, 1]])
    pose = look_at((2.2, -2.6, 1.5), (0.0, 0.3, 0.5))
    camera = Camera(size_hw=(size, size), k_px=k_px, world_from_camera=pose)
    print(f"{args.meshes} meshes, {model.nmeshface:,} triangles, {size} x {size}\n")
    print("| how | wall ms | cpu ms | 1 core: pictures/s |\n|---|---|---|---|")
    for name, quality in (
        ("default: 2 x 2, shadow map 1024", Quality()),
        ("shadow map 512", Quality(shadow_px=512)),
        ("shadow map 2048", Quality(shadow_px=2048)),
        ("no shadows", Quality(shadow_px=0)),
        ("four samples, not 2 x 2", Quality(samples=4, supersample=1)),
        ("rough edges", Quality(supersample=1)),
        ("nothing left out", Quality(caster_m=np.inf)),
    ):
        with open_renderer(model, (size, size), quality=quality) as renderer:
            show(name, cost(lambda renderer=renderer: renderer.render(data, camera)))
    if args.filament:
        with open_renderer(model, (size, size), "filament") as renderer:
            show("Filament, 2 x 2", cost(lambda: renderer.render(data, camera)))
    else:
        show("python", cost(python_renderer(model, data, size)))
    for number in range(args.models):
        other, state = make_room(number, 12, args.triangles)
        with open_renderer(other, (size, size)) as renderer:
            renderer.render(state, camera)
        if number % 10 == 9:
            print(f"{number + 1} models: {memory_mb():.0f} MB", flush=True)
    sys.stdout.flush()
    if args.filament:
        os._exit(0)  # its threads do not end by themselves


if __name__ == "__main__":
    main()
