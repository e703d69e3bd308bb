"""What no recording may say, whatever its format."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from video3d.types import InputError, Recording, World
from video3d.video.validate import validated

K = np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])


def recording(**changes) -> Recording:
    base = Recording(
        source=Path("room"),
        format="test",
        size_hw=(48, 64),
        time_s=np.arange(3.0),
        frame_names=("a", "b", "c"),
        load_rgb=lambda indices: np.zeros((len(indices), 48, 64, 3), np.uint8),
        k_px=np.tile(K, (3, 1, 1)),
        world_from_camera=np.tile(np.eye(4), (3, 1, 1)),
        up_world=np.array([0.0, 0, 1]),
        world=World(metric=True, origin="here"),
    )
    return dataclasses.replace(base, **changes)


def k_with(row, column, value):
    k = np.tile(K, (3, 1, 1))
    k[1, row, column] = value
    return k


def poses_with(*entries, frame=1):
    poses = np.tile(np.eye(4), (3, 1, 1))
    for row, column, value in entries:
        poses[frame, row, column] = value
    return poses


def test_what_is_right_is_left_alone():
    before = recording()
    after = validated(before)
    assert after.notes == () and after.world == before.world
    np.testing.assert_array_equal(after.world_from_camera, before.world_from_camera)


@pytest.mark.parametrize(
    ("k_px", "got"),
    [
        (k_with(0, 0, 0.0), "focal lengths 0 and 60"),
        (k_with(1, 1, -60.0), "focal lengths 60 and -60"),
        (k_with(0, 0, np.nan), "not finite"),
        (k_with(0, 2, np.inf), "not finite"),
        (k_with(2, 2, 0.0), "rows 2 and 3"),
        (k_with(1, 0, 0.5), "rows 2 and 3"),
        (k_with(0, 0, 1e9), "focal lengths 1e"),
        (k_with(0, 0, 1e-3), "focal lengths 0.001"),
        (k_with(1, 1, 600.0), "fx 60, fy 600"),
        (k_with(0, 1, 30.0), "skew 30"),
        (k_with(0, 2, 640.0), "principal point"),
        (k_with(1, 2, -100.0), "principal point"),
    ],
)
def test_intrinsics_of_no_camera(k_px, got):
    with pytest.raises(InputError, match=got):
        validated(recording(k_px=k_px))


def test_intrinsics_for_another_size_are_noted():
    k = np.tile(K, (3, 1, 1))
    k[:, 0, 2] = 60
    assert "another image size" in validated(recording(k_px=k)).notes[0]


@pytest.mark.parametrize(
    ("poses", "got"),
    [
        (poses_with((0, 3, np.nan)), "NaN or infinity"),
        (poses_with((0, 3, np.inf)), "NaN or infinity"),
        (poses_with((3, 3, 0.0)), "0.0, 0.0, 0.0, 0.0"),
        (poses_with((3, 0, 1.0)), "last row"),
        (poses_with((0, 3, 1e6)), "1000000.0"),
        (poses_with((0, 0, 2.0), (1, 1, 2.0), (2, 2, 2.0)), r"scale 2\)"),
        (poses_with((0, 0, 1e300), (1, 1, 1e300)), "scales or shears"),
        (poses_with((0, 1, 0.2)), "scales or shears"),
        (poses_with((0, 0, 0.0), (1, 1, 0.0), (2, 2, 0.0)), "scales or shears"),
        (poses_with((2, 2, -1.0)), "mirrored"),
    ],
)
def test_poses_that_are_not_rigid_are_named(poses, got):
    with pytest.raises(InputError, match=got) as raised:
        validated(recording(world_from_camera=poses))
    assert "pose of b in room" in str(raised.value)


def test_a_frame_may_lack_its_pose_and_all_may():
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[1] = np.nan
    kept = validated(recording(world_from_camera=poses)).world_from_camera
    assert np.isnan(kept[1]).all() and np.isfinite(kept[[0, 2]]).all()
    without = validated(recording(world_from_camera=np.full((3, 4, 4), np.nan)))
    assert without.world_from_camera is None and without.up_world is None and not without.world.metric
    assert without.notes == ("no frame has a pose",)


def test_cut_digits_are_mended_and_careless_ones_noted():
    turn = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
    for error, noted in ((1e-4, False), (3e-3, True)):
        poses = np.tile(np.eye(4), (3, 1, 1))
        poses[:, :3, :3] = turn
        poses[2, 0, 0] += error
        after = validated(recording(world_from_camera=poses))
        rotation = after.world_from_camera[:, :3, :3]
        np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (3, 1, 1)), atol=1e-12)
        assert np.abs(rotation - turn).max() < 2 * error
        assert bool(after.notes) == noted


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"frame_names": ()}, "got none"),
        ({"time_s": np.array([0, np.inf, 2])}, "time of b"),
        ({"time_s": np.array([0.0, 2, 1])}, "time of c"),
        ({"size_hw": (8, 64)}, "64 x 8 px"),
        ({"depth_size_hw": (24, 32)}, "depth and its size together"),
        ({"up_world": np.zeros(3)}, "direction of gravity"),
        ({"up_world": np.array([0, 0, np.nan])}, "direction of gravity"),
    ],
)
def test_frames_times_and_gravity(changes, got):
    with pytest.raises(InputError, match=got):
        validated(recording(**changes))


@pytest.mark.parametrize(
    ("field", "value"),
    [("time_s", np.arange(2.0)), ("k_px", np.tile(K, (2, 1, 1))), ("world_from_camera", np.tile(np.eye(4), (2, 1, 1)))],
)
def test_counts_must_agree(field, value):
    wrong = recording()
    object.__setattr__(wrong, field, value)  # where shapes are checked, as here, it could not be made otherwise
    with pytest.raises(InputError, match=r"room: expected 3 \w+, one a frame, got 2"):
        validated(wrong)


def test_unknown_times_and_photo_collections_pass():
    validated(recording(time_s=np.full(3, np.nan)))
    validated(recording(time_s=np.array([0.0, 2, 1]), sequence=False))
    assert validated(recording(up_world=np.array([0, 0, -9.81]))).up_world.tolist() == [0, 0, -1]


@pytest.mark.parametrize(
    ("depth_hw", "fine"), [((48, 64), True), ((192, 256), True), ((47, 63), True), ((64, 64), False)]
)
def test_depth_sees_what_colour_sees(depth_hw, fine):
    changed = recording(depth_size_hw=depth_hw, load_depth_m=lambda i: np.zeros((len(i), *depth_hw), np.float32))
    if fine:
        validated(changed)
    else:
        with pytest.raises(InputError, match="the shape of the colour frames"):
            validated(changed)
