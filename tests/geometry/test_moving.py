"""What moved, told from depth maps of a made scene: a floor, a wall, a block that goes along, another that stands."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray_cast_room import look_at

from video3d.geometry.moving import Body, moving_bodies, nearest_body
from video3d.types import Box3D, GeometryStatus, PosedClip, World

SIZE = 120
K = np.array([[110.0, 0, 60], [0, 110, 60], [0, 0, 1]])
BLOCK = np.array([0.3, 0.2, 0.25])


def _pose(x: float) -> np.ndarray:
    """At height 1.2 m, looking along +y, somewhat down; the right is +x."""
    down = math.radians(12)
    eye = np.array([x, 0.0, 1.2])
    return look_at(eye, eye + np.array([0.0, math.cos(down), -math.sin(down)]))


def _depth(pose: np.ndarray, centers: list[np.ndarray]) -> np.ndarray:
    """Of a floor at 0, a wall at y = 5, and blocks."""
    v, u = np.mgrid[:SIZE, :SIZE] + 0.5
    rays = np.stack([(u - 60) / 110, (v - 60) / 110, np.ones_like(u)], -1) @ pose[:3, :3].T
    eye = pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
        depth = np.minimum(depth, (5.0 - eye[1]) / rays[..., 1])
        for center in centers:
            one, other = ((center + side * BLOCK / 2 - eye) / rays for side in (-1, 1))
            near, far = np.minimum(one, other).max(-1), np.maximum(one, other).min(-1)
            depth = np.where((near <= far) & (near > 0), np.minimum(depth, near), depth)
    return depth.astype(np.float32)


def _clip(moved: np.ndarray, eyes: np.ndarray, noise: float = 0.0, world: np.ndarray | None = None) -> PosedClip:
    """A block at ``moved`` (a place a frame), another that stands at (-0.8, 3, 0.125)."""
    poses = np.stack([_pose(float(x)) for x in eyes])
    stands = np.array([-0.8, 3.0, 0.125])
    depth = np.stack([_depth(pose, [place, stands]) for pose, place in zip(poses, moved, strict=True)])
    depth += np.random.default_rng(0).normal(0, noise, depth.shape).astype(np.float32)
    frames = len(poses)
    return PosedClip(
        frame_index=np.arange(frames), time_s=np.arange(frames) / 10, rgb=np.zeros((frames, SIZE, SIZE, 3), np.uint8),
        depth_m=depth, k_px=np.tile(K, (frames, 1, 1)), world_from_camera=poses if world is None else world @ poses,
        piece=np.zeros(frames, dtype=np.int64), world=World(metric=True, gravity_aligned=True, origin="floor"),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip


def _way(start, step, frames: int = 8) -> np.ndarray:
    return np.array(start) + np.arange(frames)[:, None] * np.array(step)


def _box(center) -> Box3D:
    return Box3D(center_world=np.asarray(center, dtype=np.float64), size_m=BLOCK, world_from_box=np.eye(3))


def _shown_at(body: Body) -> np.ndarray:
    """Row and column of the middle of a body, in pixels, by what it says itself."""
    assert body.seen_at is not None
    return body.seen_at.mean(0) * SIZE


def _seen(frame: int, eyes: np.ndarray, body: Body) -> np.ndarray:
    pose = _pose(float(eyes[frame]))
    seen = (body.points_world - pose[:3, 3]) @ pose[:3, :3] @ K.T
    return (seen[:, 1::-1] / seen[:, 2:]).mean(0)


@pytest.mark.parametrize("eyes", [np.zeros(8), np.linspace(-0.3, 0.3, 8)])
@given(st.floats(-0.5, 0.2), st.floats(2.0, 3.5), st.floats(0.13, 0.2), st.floats(-0.05, 0.05))
@settings(max_examples=8, deadline=None)
def test_what_goes_along_is_one_body_a_frame_where_it_is(eyes, x, y, right, away):
    moved = _way([x, y, 0.125], [right, away, 0.0])
    bodies = moving_bodies(_clip(moved, eyes, noise=0.002))
    for frame, place in enumerate(moved):
        if abs(place[0] - eyes[frame]) > 0.5 * place[1] - 0.3:
            continue  # out of the picture
        here = [one for one in bodies if one.frame == frame]
        found = nearest_body(here, _box(place + np.array([0.1, -0.05, 0.03])), 0.1)
        assert found is not None
        assert _shown_at(found) == pytest.approx(_seen(frame, eyes, found), abs=1.0)
        off = np.abs(found.center(_box(place)) - place)
        assert off[:2].max() < 0.06 and off[2] < 0.1  # its foot is seen against the floor, where depth has no edge
        assert all(np.linalg.norm(one.points_world.mean(0) - place) < 0.3 for one in here)  # nothing else moved


@given(st.floats(-3, 3), st.floats(-5, 5))
@settings(max_examples=5, deadline=None)
def test_bodies_move_with_the_world(turn, x):
    world = np.eye(4)
    world[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    world[:3, 3] = [x, -x, 0.0]
    moved, eyes = _way([-0.4, 2.5, 0.125], [0.15, 0.0, 0.0]), np.linspace(0, 0.4, 8)
    one, other = moving_bodies(_clip(moved, eyes)), moving_bodies(_clip(moved, eyes, world=world))
    assert len(one) == len(other) >= 8
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a.points_world @ world[:3, :3].T + world[:3, 3], b.points_world, atol=1e-6)


def test_where_nothing_moves_there_is_no_body_however_the_camera_goes():
    stands = np.tile([0.3, 2.5, 0.125], (8, 1))
    assert moving_bodies(_clip(stands, np.linspace(-0.6, 0.6, 8), noise=0.004)) == ()


def test_of_what_is_seen_in_part_the_near_side_tells_where_its_middle_is():
    front = np.mgrid[-0.15:0.15:20j, 0:1, 0:0.25:20j].reshape(3, -1).T + np.array([0.0, 1.9, 0.0])
    body = Body(frame=0, points_world=front, eye_world=np.array([0.0, 0.0, 1.0]))
    assert body.center(_box([0.1, 2.1, 0.1])) == pytest.approx([0.0, 2.0, 0.125], abs=0.01)
    assert nearest_body([body], _box([0.0, 2.1, 0.125]), 0.05) is body
    assert nearest_body([body], _box([1.0, 2.1, 0.125]), 0.05) is None  # too far
    wide = Body(frame=0, points_world=front * [5, 1, 1], eye_world=body.eye_world)
    assert nearest_body([wide], _box([0.0, 2.0, 0.125]), 0.05) is None  # too large to be it


def test_without_depth_there_are_none():
    clip = _clip(np.tile([0.3, 2.5, 0.125], (3, 1)), np.zeros(3))
    clip.depth_m[:] = np.nan
    assert moving_bodies(clip) == ()
