"""Fused meshes against exact surfaces: a ball in a box room, a furnished room, noise, motion, and what must not vote."""

from dataclasses import replace

import numpy as np
import pytest
from ray_cast_room import FURNITURE, ROOM_M, look_at, render, walk

from video3d.geometry.reconstruct import choose_voxel, reconstruct
from video3d.geometry.surface import surface_of
from video3d.geometry.tsdf import fuse
from video3d.types import InputError, PosedClip, World

SIZE = (96, 128)


def clip_of(depth, k_px, poses, rgb=None, **changes) -> PosedClip:
    count = len(depth)
    rgb = np.full((count, *depth.shape[1:], 3), 120, np.uint8) if rgb is None else rgb
    clip = PosedClip(
        frame_index=np.arange(count), time_s=np.zeros(count), rgb=rgb, depth_m=depth, k_px=k_px, world_from_camera=poses,
        piece=np.zeros(count, np.int64), world=World(metric=True, gravity_aligned=True),
    )  # fmt: skip
    return replace(clip, **changes)


def room_clip(num_frames=10, noise=0.0, size_hw=SIZE, **changes) -> PosedClip:
    rng = np.random.default_rng(1)
    poses = walk(num_frames, rng)
    depth, k_px = render(poses, size_hw, noise, rng)
    return clip_of(depth, k_px, poses, **changes)


def to_room(points):
    """Distance to the nearest surface of the room."""
    nearest = np.abs(np.minimum(points, ROOM_M - points)).min(axis=1)
    for low, high in FURNITURE.values():
        beyond = np.abs(points - (np.array(low) + high) / 2) - (np.array(high) - np.array(low)) / 2
        outside = np.linalg.norm(np.maximum(beyond, 0), axis=1)
        nearest = np.minimum(nearest, np.abs(outside + np.minimum(beyond.max(axis=1), 0)))
    return nearest


def ball_clip(radius=0.5, num_frames=8):
    """A red ball at the origin before nothing, seen from all around its equator."""
    turn = np.linspace(0, 2 * np.pi, num_frames, endpoint=False)
    poses = np.array(
        [look_at(np.array([2 * np.cos(t), 2 * np.sin(t), 0.4 * np.sin(3 * t)]), np.zeros(3)) for t in turn]
    )
    k_px = np.tile(np.array([[150.0, 0, 64], [0, 150, 48], [0, 0, 1]]), (num_frames, 1, 1))
    v, u = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    rays = np.stack([(u - 64) / 150, (v - 48) / 150, np.ones(SIZE)], axis=-1)
    depth = np.empty((num_frames, *SIZE), np.float32)
    for i, pose in enumerate(poses):
        world, eye = rays @ pose[:3, :3].T, pose[:3, 3]
        a, b, c = (world**2).sum(-1), world @ eye, eye @ eye - radius**2
        with np.errstate(invalid="ignore"):
            depth[i] = (-b - np.sqrt(b * b - a * c)) / a
    rgb = np.full((num_frames, *SIZE, 3), (200, 30, 20), np.uint8)
    rgb[~np.isfinite(depth)] = (0, 0, 255)
    return clip_of(depth, k_px, poses, rgb)


def test_ball_is_round_red_and_faces_outwards():
    mesh, _ = reconstruct(ball_clip(), 0.025)
    off = np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.5)
    assert np.median(off) < 0.1 * 0.025
    assert np.quantile(off, 0.95) < 0.5 * 0.025
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    outward = (np.cross(b - a, c - a) * (a + b + c)).sum(axis=1)
    assert (outward > 0).mean() > 0.99
    np.testing.assert_array_equal(np.median(mesh.colors, axis=0), [200, 30, 20])
    assert (np.abs(mesh.colors.astype(int) - [200, 30, 20]).max(axis=1) < 30).mean() > 0.95


def test_room_lies_on_its_surfaces():
    mesh, _ = reconstruct(room_clip(), 0.04)
    off = to_room(mesh.vertices)
    assert len(mesh.vertices) > 5000
    assert np.median(off) < 0.02 * 0.04
    assert np.quantile(off, 0.9) < 0.25 * 0.04
    assert mesh.faces.min() >= 0
    assert len(np.unique(mesh.faces)) == len(mesh.vertices)


def test_noise_averages_out_with_more_frames():
    few, many = (float(np.median(to_room(reconstruct(room_clip(n, noise=0.006), 0.04)[0].vertices))) for n in (3, 40))
    assert many < 0.8 * few


def test_order_of_frames_does_not_matter():
    clip = room_clip(6)
    back = replace(clip, depth_m=clip.depth_m[::-1].copy(), world_from_camera=clip.world_from_camera[::-1].copy())
    one, other = fuse(clip, 0.05), fuse(back, 0.05)
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_allclose(one.distance, other.distance, atol=1e-4)


def test_mesh_moves_with_the_world():
    from scipy.spatial import cKDTree

    clip = room_clip(6)
    motion = look_at(np.array([3.0, -7, 2]), np.array([1.0, 2, 0.5]), 0.7)
    moved = replace(clip, world_from_camera=motion @ clip.world_from_camera)
    mesh, _ = reconstruct(moved, 0.04)
    home = (mesh.vertices - motion[:3, 3]) @ motion[:3, :3]
    assert np.median(to_room(home)) < 0.05 * 0.04
    here, _ = reconstruct(clip, 0.04)
    away, _ = cKDTree(home).query(here.vertices)
    assert np.quantile(away, 0.95) < 0.04


def test_unknown_pixels_flying_pixels_and_other_pieces_have_no_vote():
    clip = room_clip(6)
    field = fuse(clip, 0.05)
    more = clip_of(
        np.concatenate([clip.depth_m, clip.depth_m[:3] * 0.5]), np.concatenate([clip.k_px, clip.k_px[:3]]),
        np.concatenate([clip.world_from_camera, clip.world_from_camera[:2], np.full((1, 4, 4), np.nan)]),
        piece=np.array([0] * 6 + [1, -1, 0]),
    )  # fmt: skip
    np.testing.assert_array_equal(fuse(more, 0.05).distance, field.distance)
    holes = clip.depth_m.copy()
    holes[:, :, :64] = np.nan
    half, _ = reconstruct(replace(clip, depth_m=holes), 0.05)
    assert 0.2 < len(half.vertices) / len(reconstruct(clip, 0.05)[0].vertices) < 0.9
    assert np.median(to_room(half.vertices)) < 0.05 * 0.05
    slope = np.tile(np.where(np.arange(48) < 24, 1.0, 3.0).astype(np.float32), (32, 1))
    slope[:, 23:25] = [1.6, 2.4]  # between two walls
    walls = clip_of(slope[None], np.array([[[300.0, 0, 24], [0, 300, 16], [0, 0, 1]]]), np.eye(4)[None])
    vertices, _ = surface_of(fuse(walls, 0.01))
    assert len(vertices) > 50
    assert np.minimum(np.abs(vertices[:, 2] - 1), np.abs(vertices[:, 2] - 3)).max() < 1e-3


def test_sure_frames_outvote_unsure_ones():
    k_px = np.tile(np.array([[40.0, 0, 24], [0, 40, 16], [0, 0, 1]]), (2, 1, 1))
    depth = np.stack([np.full((32, 48), 1.0), np.full((32, 48), 1.06)]).astype(np.float32)
    poses = np.tile(np.eye(4), (2, 1, 1))
    sigma = np.stack([np.full((32, 48), 0.01), np.full((32, 48), 0.05)]).astype(np.float32)
    z = [
        np.median(reconstruct(clip_of(depth, k_px, poses, depth_log_sigma=s), 0.02)[0].vertices[:, 2])
        for s in (sigma, sigma[::-1].copy())
    ]
    assert z[0] < 1.015
    assert z[1] > 1.045


def test_voxel_is_chosen_from_scale_and_uncertainty():
    clip = room_clip(3)
    assert choose_voxel(clip) == 0.02
    unsure = replace(clip, depth_log_sigma=np.full_like(clip.depth_m, 0.06))
    assert 0.03 < choose_voxel(unsure) < 0.08
    relative = replace(clip, world=World(metric=False))
    small = replace(
        relative, depth_m=clip.depth_m * np.float32(0.01),
        world_from_camera=clip.world_from_camera * np.array([1, 1, 1, 0.01]),
    )  # fmt: skip
    assert choose_voxel(small) == pytest.approx(0.01 * choose_voxel(relative), rel=1e-3)


@pytest.mark.parametrize("voxel_m", [0.0, -1.0, float("nan"), float("inf"), 1e-5, 1e4])
def test_absurd_voxels_are_refused(voxel_m):
    with pytest.raises(InputError):
        reconstruct(room_clip(2), voxel_m)


def test_nothing_to_fuse_is_refused():
    clip = room_clip(2)
    sparse = np.full_like(clip.depth_m, np.nan)
    sparse[:, ::20, ::20] = 2.0
    for changes in (
        {"depth_m": sparse},
        {"depth_m": np.full_like(clip.depth_m, np.nan)},
        {"piece": np.full(2, -1)},
        {"k_px": np.full((2, 3, 3), np.nan)},
    ):
        with pytest.raises(InputError):
            reconstruct(replace(clip, **changes), 0.05)
