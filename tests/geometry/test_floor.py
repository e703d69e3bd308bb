"""The floor is found where it was seen, and a table is not taken for it."""

import numpy as np
import pytest
from ray_cast_room import FURNITURE, ROOM_M, look_at, render, walk

from video3d.geometry.floor import find_floor
from video3d.geometry.rigid import transform_points, unproject


def seen(poses, noise=0.0, rng=None):
    """World points of the room from some cameras."""
    depth_m, k_px = render(np.asarray(poses), noise=noise, rng=rng)
    return transform_points(np.asarray(poses), unproject(depth_m, k_px)).reshape(-1, 3)


def test_the_floor_of_a_walk_is_where_it_is(rng):
    poses = walk(8, rng)
    points = seen(poses, noise=0.002, rng=rng)
    for lift in (0.0, -3.2, 1.7):  # the origin may be anywhere
        floor = find_floor(points + np.array([0, 0, lift]), poses[:, 2, 3] + lift)
        assert floor is not None
        assert floor.height == pytest.approx(lift, abs=0.015)
        assert floor.confidence > 0.8
        assert floor.below_share < 0.01
        assert 2 < floor.area < ROOM_M[0] * ROOM_M[1]


def test_a_tilt_of_two_degrees_is_forgiven(rng):
    poses = walk(8, rng)
    c, s = np.cos(np.radians(2)), np.sin(np.radians(2))
    tilt = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    floor = find_floor(seen(poses) @ tilt.T, poses[:, :3, 3] @ tilt[2])
    assert floor is not None
    assert floor.height == pytest.approx(0, abs=0.18)  # the room is 5 m wide


@pytest.mark.parametrize("close", [0.35, 0.6, 0.9])
def test_a_table_alone_is_not_a_floor(close):
    low, high = FURNITURE["table"]
    middle = (np.array(low) + high) / 2
    eye = middle + np.array([-0.3, -0.2, close])
    pose = look_at(eye, middle)[None]
    points = seen(pose)
    on_table = points[(points[:, 2] > low[2] - 0.01) & (np.abs(points[:, :2] - middle[:2]) < 0.6).all(axis=1)]
    assert len(on_table) > 1000
    assert find_floor(on_table, eye[2:]) is None  # nothing but the table is in view
    floor = find_floor(points, eye[2:])  # and with what is around it
    assert floor is None or floor.height == pytest.approx(0, abs=0.02)


def test_a_table_over_a_floor_that_is_hidden_is_not_a_floor(rng):
    poses = walk(8, rng)
    points = seen(poses)
    assert find_floor(points[points[:, 2] > 0.1], poses[:, 2, 3]) is None


def test_a_floor_far_below_needs_less_of_it(rng):
    grid = rng.uniform(0, 0.9, (3000, 2))
    patch = np.c_[grid, np.zeros(3000)]
    assert find_floor(patch, np.array([1.6])) is not None
    assert find_floor(patch, np.array([0.8])) is None  # as likely a table


def test_a_ceiling_or_a_wall_is_not_a_floor(rng):
    grid = rng.uniform(0, 3, (20_000, 2))
    assert find_floor(np.c_[grid, np.full(20_000, 2.5)], np.array([1.5])) is None
    assert find_floor(np.c_[grid[:, :1], np.zeros(20_000), grid[:, 1:]], np.array([1.5])) is None


def test_a_little_noise_below_the_floor_is_forgiven_and_a_lot_is_not(rng):
    grid = rng.uniform(0, 3, (20_000, 2))
    floor = np.c_[grid, rng.normal(scale=0.01, size=20_000)]
    deep = np.c_[rng.uniform(0, 3, (400, 2)), rng.uniform(-2, -0.3, 400)]
    clean, reflecting = (find_floor(points, np.array([1.5])) for points in (floor, np.concatenate([floor, deep[:15]])))
    assert clean is not None
    assert reflecting is not None
    assert reflecting.confidence < clean.confidence
    assert find_floor(np.concatenate([floor, deep]), np.array([1.5])) is None


def test_without_scale_the_height_is_in_the_unit_of_the_points(rng):
    poses = walk(8, rng)
    points = seen(poses)
    for unit in (0.05, 1.0, 40.0):
        floor = find_floor(points * unit, poses[:, 2, 3] * unit, unit_m=None)
        assert floor is not None
        assert floor.height / unit == pytest.approx(0, abs=0.015)
        assert floor.confidence <= 0.5
    known = find_floor(points * 40, poses[:, 2, 3] * 40, unit_m=1 / 40)
    assert known is not None
    assert known.confidence > 0.5
    assert known.area / 40**2 == pytest.approx(find_floor(points, poses[:, 2, 3]).area, rel=0.05)


def test_nothing_known_gives_no_floor():
    unknown = np.full((10, 3), np.nan)
    assert find_floor(unknown, np.array([1.5])) is None
    assert find_floor(np.zeros((0, 3)), np.array([1.5])) is None
    assert find_floor(np.zeros((10, 3)), np.array([np.nan])) is None
    assert find_floor(np.zeros((10, 3)), np.array([-1.0]), unit_m=None) is None
