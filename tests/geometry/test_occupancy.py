"""Occupancy from depth: against a room whose truth is known, and one property of voting at a time."""

from dataclasses import replace

import numpy as np
import pytest
from ray_cast_room import FURNITURE, ROOM_M, intrinsics, look_at, render, walk

from video3d.geometry.occupancy import FREE, OCCUPIED, UNKNOWN, classify, map_columns, patches
from video3d.types import PosedClip, World

SIZE = (96, 128)


def clip_of(poses, depth, k_px, **more):
    num = len(poses)
    return PosedClip(
        frame_index=np.arange(num), time_s=np.arange(num) * 0.1, rgb=np.zeros((num, *SIZE, 3), np.uint8), depth_m=depth, k_px=k_px,
        world_from_camera=poses, piece=np.zeros(num, np.int64), world=World(metric=True, gravity_aligned=True), **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def walked():
    rng = np.random.default_rng(3)
    poses = walk(16, rng)
    depth, k_px = render(poses, SIZE, noise=0.002, rng=rng)
    return clip_of(poses, depth, k_px)


def covered(grid, low, high, margin=0.0):
    """Cells whose middle lies in a rectangle."""
    ny, nx = grid.states.shape
    centers = grid.centers(np.argwhere(np.ones((ny, nx), bool))).reshape(ny, nx, 2)
    return ((centers > np.array(low) - margin) & (centers < np.array(high) + margin)).all(axis=-1)


def test_free_floor_is_free_and_furniture_is_not(walked):
    columns = map_columns(walked, 0.0)
    grid = classify(columns)
    assert columns is not None
    free = grid.states == FREE
    inside = covered(grid, (0, 0), ROOM_M[:2], margin=-0.02)
    standing = np.zeros_like(free)
    for name, (low, high) in FURNITURE.items():
        if name != "table leg":
            standing |= covered(grid, low[:2], high[:2], margin=-0.02)
    assert (free & ~inside).sum() == 0
    assert (free & standing).sum() == 0
    truly = covered(grid, (3.0, 0.4), (4.2, 1.2))  # open floor in front of the camera
    assert free[truly].mean() > 0.9
    table = covered(grid, (1.8, 1.4), (3.2, 2.4), margin=-0.05)
    assert (grid.states[table] == OCCUPIED).mean() > 0.8
    assert columns.frames == tuple(range(16))
    assert all(hits.size for hits in columns.hits)


def test_what_is_hidden_is_unknown():
    pose = look_at(np.array([2.5, 0.3, 1.4]), np.array([2.5, 1.8, 0.1]))[None]  # over the table to the wall behind
    depth, k_px = render(pose, SIZE)
    grid = classify(map_columns(clip_of(pose, depth, k_px), 0.0))
    behind = covered(grid, (0.0, 1.45), (5.0, 4.0))
    assert (grid.states[behind & covered(grid, (1.9, 0), (3.1, 4))] != FREE).all()
    assert (grid.states[covered(grid, (2.3, 1.0), (2.7, 1.3))] == FREE).mean() > 0.5


def test_a_table_seen_from_below_its_top_is_not_free():
    """No pixel sees its top: all that tells of it is a layer in which nobody saw anything."""
    poses = np.array([look_at(np.array([x, 0.1, 0.6]), np.array([2.5, 2.2, 0.3])) for x in (1.6, 2.0, 2.5, 3.0, 3.4)])
    depth, k_px = render(poses, SIZE)
    grid = classify(map_columns(clip_of(poses, depth, k_px), 0.0, top_m=0.85))
    assert (grid.states[covered(grid, (1.8, 1.4), (3.2, 2.4), margin=-0.02)] == FREE).sum() == 0
    assert (grid.states[covered(grid, (2.3, 1.2), (2.7, 1.35))] == FREE).mean() > 0.5  # before it, floor is seen


def test_what_is_lower_than_a_step_or_higher_than_the_robot_is_no_obstacle(walked):
    box = FURNITURE["box"]
    for step, top, state in ((0.55, 1.2, FREE), (0.05, 1.0, OCCUPIED)):
        grid = classify(map_columns(walked, 0.0, step_m=step, top_m=top))
        on_box = covered(grid, box[0][:2], box[1][:2], margin=-0.1)
        assert (grid.states[on_box] == OCCUPIED).mean() == pytest.approx(float(state == OCCUPIED), abs=0.3)
    low = classify(map_columns(walked, 0.0, top_m=0.6))
    under = covered(low, (1.9, 1.5), (2.3, 1.7))  # a robot lower than the table may go where it sees below it
    assert (low.states[under] == OCCUPIED).mean() < 0.2


def test_what_went_away_is_forgotten_and_what_came_is_not():
    pose = look_at(np.array([1.0, 0.4, 1.4]), np.array([1.2, 2.4, 0.2]))
    depth, k_px = render(np.repeat(pose[None], 8, axis=0), SIZE)
    v, u = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(intrinsics(SIZE)).T @ pose[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (np.array([1.0, 1.6, 0.0]) - pose[:3, 3]) / rays
        far = (np.array([1.3, 1.9, 0.6]) - pose[:3, 3]) / rays
    enter, leave = np.minimum(near, far).max(-1), np.maximum(near, far).min(-1)
    visited = np.where((enter < leave) & (enter < depth[0]), enter, depth[0]).astype(np.float32)
    poses = np.repeat(pose[None], 8, axis=0)
    there = (1.05, 1.65), (1.25, 1.85)
    gone = np.concatenate([visited[None], depth[1:]])
    came = np.concatenate([depth[:4], np.repeat(visited[None], 4, axis=0)])
    grid = classify(map_columns(clip_of(poses, gone, k_px), 0.0))
    assert (grid.states[covered(grid, *there)] == FREE).mean() > 0.6
    grid = classify(map_columns(clip_of(poses, came, k_px), 0.0))
    assert (grid.states[covered(grid, *there)] == FREE).sum() == 0
    assert (grid.states[covered(grid, *there)] == OCCUPIED).any()


def test_depth_that_is_not_sure_enough_makes_no_floor(walked):
    unsure = replace(walked, depth_log_sigma=np.full(walked.depth_m.shape, 0.3, np.float32))
    assert (classify(map_columns(unsure, 0.0)).states == FREE).sum() == 0
    sure = replace(walked, depth_log_sigma=np.full(walked.depth_m.shape, 0.005, np.float32))
    assert (classify(map_columns(sure, 0.0)).states == FREE).sum() > 1000


def test_a_tilted_floor_is_floor(walked):
    angle = np.radians(2.0)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    level = classify(map_columns(walked, 0.0))
    tilted = map_columns(replace(walked, world_from_camera=tilt @ walked.world_from_camera), 0.07)
    assert tilted.band.floor[1] == pytest.approx(np.tan(angle), abs=0.004)
    free = (classify(tilted).states == FREE).sum()
    assert free == pytest.approx((level.states == FREE).sum(), rel=0.1)


def test_a_hole_in_the_floor_is_not_free(walked):
    depth = walked.depth_m.copy()
    h, w = SIZE
    v, u = np.mgrid[:h, :w] + 0.5
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(intrinsics(SIZE)).T
    for i, pose in enumerate(walked.world_from_camera):
        world = rays @ pose[:3, :3].T
        places = world * depth[i][..., None] + pose[:3, 3]
        hole = (np.abs(places[..., 2]) < 0.04) & (np.abs(places[..., :2] - (1.0, 2.0)) < 0.4).all(-1)
        depth[i][hole] = ((-0.8 - pose[2, 3]) / world[..., 2])[hole]  # its bottom is 0.8 m down
    grid = classify(map_columns(replace(walked, depth_m=depth), 0.0))
    assert (grid.states[covered(grid, (0.7, 1.7), (1.3, 2.3))] == FREE).sum() == 0


def test_nothing_votes_without_pose_or_depth(walked):
    nowhere = replace(walked, piece=np.full(16, -1))
    assert map_columns(nowhere, 0.0) is None
    assert map_columns(replace(walked, depth_m=np.full_like(walked.depth_m, np.nan)), 0.0) is None


def test_a_large_map_has_larger_cells(walked):
    from video3d.geometry import occupancy

    whole, occupancy.MAX_COLUMNS = occupancy.MAX_COLUMNS, 2000
    try:
        columns = map_columns(walked, 0.0)
    finally:
        occupancy.MAX_COLUMNS = whole
    assert columns.cell > 0.09
    assert columns.log_odds[0].size < 2600
    assert set(np.unique(classify(columns).states)) <= {FREE, OCCUPIED, UNKNOWN}


def test_patches_are_numbered():
    mask = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], bool)
    assert patches(mask)[1] == 1
    labels, count = patches(mask, corners=False)
    assert count == 3 and labels[~mask].max() == 0 and len(set(labels[mask])) == 3
