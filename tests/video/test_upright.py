"""Quarter turns of frame, intrinsics and pose belong together."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from video3d.video.upright import TurnedDepth, TurnedRgb, turn_k, turn_poses, turn_size, turns_of_poses

SIZE_HW = (30, 50)
K = np.array([[42.0, 0.5, 24.3], [0, 45.0, 13.1], [0, 0, 1]])


def project(k_px, world_from_camera, point):
    x, y, z = (np.linalg.inv(world_from_camera) @ [*point, 1])[:3]
    px = k_px @ [x / z, y / z, 1]
    return px[:2], z


@pytest.mark.parametrize("turns", range(4))
def test_a_point_stays_on_its_pixel(rng, turns):
    pose = np.eye(4)[None].copy()
    pose[0, :3, :3] = Rotation.random(random_state=3).as_matrix()
    pose[0, :3, 3] = 1, 2, 3
    turned = turn_poses(pose, turns)
    for _ in range(20):
        point = (pose[0] @ [*rng.uniform(-1, 1, 2), rng.uniform(2, 9), 1])[:3]
        (x, y), z = project(K, pose[0], point)
        (turned_x, turned_y), turned_z = project(turn_k(K, SIZE_HW, turns), turned[0], point)
        assert turned_z == pytest.approx(z)
        marked = np.zeros(SIZE_HW)
        row, column = int(np.clip(y, 0, 29)), int(np.clip(x, 0, 49))
        marked[row, column] = 1
        if 0 <= x < 50 and 0 <= y < 30:
            turned_row, turned_column = np.argwhere(np.rot90(marked, turns))[0]
            assert (turned_row, turned_column) == (int(turned_y), int(turned_x))
    assert turn_size(SIZE_HW, turns) == np.rot90(np.zeros(SIZE_HW), turns).shape


@pytest.mark.parametrize("turns", range(4))
def test_turns_of_poses_undo_a_roll(rng, turns):
    upright = np.tile(np.eye(4), (9, 1, 1))
    upright[:, :3, :3] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ (
        Rotation.from_rotvec(rng.uniform(-0.5, 0.5, (9, 3))).as_matrix()
    )
    upright[4] = np.nan  # a frame without a pose does not count
    up = np.array([0.0, 0, 1])
    assert turns_of_poses(upright, up) == 0
    rolled = turn_poses(upright, -turns % 4)
    assert turns_of_poses(rolled, up) == turns
    np.testing.assert_allclose(turn_poses(rolled, turns), upright, atol=1e-12)


def test_loaders_turn_pixels(rng):
    rgb = rng.integers(0, 255, (3, 4, 6, 3)).astype(np.uint8)
    depth_m = rng.uniform(0, 1, (3, 2, 3)).astype(np.float32)
    got = TurnedRgb(load=lambda indices: rgb[list(indices)], turns=1)([2, 0])
    np.testing.assert_array_equal(got[0], np.rot90(rgb[2]))
    got = TurnedDepth(load=lambda indices: depth_m[list(indices)], turns=3)([1])
    np.testing.assert_array_equal(got[0], np.rot90(depth_m[1], 3))


def test_a_camera_that_looks_at_the_floor_is_not_turned(rng):
    looking_down = np.tile(np.diag([1.0, -1, -1, 1]), (20, 1, 1))
    looking_down[:, :3, :3] = looking_down[:, :3, :3] @ Rotation.from_rotvec(rng.normal(0, 0.1, (20, 3))).as_matrix()
    assert turns_of_poses(looking_down, np.array([0.0, 0, 1])) == 0
