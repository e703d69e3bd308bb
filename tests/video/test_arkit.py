"""ARKitScenes' layout, written after its pages and read back."""

import numpy as np
import pytest
from format_writers import check_recording, encoded, make_scene, pincam, rows_text, save, write_arkit
from scipy.spatial.transform import Rotation

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError
from video3d.video import arkit


@pytest.mark.parametrize("folder", ["lowres_wide", "vga_wide"])
def test_round_trip(tmp_path, folder):
    scene = make_scene()
    source = write_arkit(tmp_path, scene, folder=folder)
    assert arkit.detect(source)
    recording = arkit.open_recording(source)
    check_recording(recording, scene)
    np.testing.assert_allclose(recording.time_s, [0, 0.1, 0.2], atol=1e-9)
    np.testing.assert_allclose(recording.load_depth_m([2])[0], scene.depth_m[2], atol=1e-6)
    np.testing.assert_array_equal(recording.up_world, [0, 0, 1])
    assert not recording.notes


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_frames_of_a_sideways_sensor_come_upright(tmp_path, quarter):
    scene = make_scene(roll_rad=quarter * np.pi / 2)
    recording = arkit.open_recording(write_arkit(tmp_path, scene))
    assert recording.size_hw == ((48, 64) if quarter == 2 else (64, 48))
    assert recording.depth_size_hw == ((24, 32) if quarter == 2 else (32, 24))
    check_recording(recording, scene, exact_size=False)  # the marked point lies where K and pose say
    up_camera = recording.world_from_camera[:, :3, :3].transpose(0, 2, 1) @ recording.up_world
    assert (up_camera[:, 1] < -0.9).all()  # image y points down
    assert any("to stand upright" in note for note in recording.notes)


def test_folder_of_the_3dod_download(tmp_path):
    scene = make_scene()
    write_arkit(tmp_path / "41069021" / "41069021_frames", scene)
    assert arkit.detect(tmp_path / "41069021")
    check_recording(arkit.open_recording(tmp_path / "41069021"), scene)


def test_poses_between_measured_ones_are_interpolated(tmp_path):
    scene = make_scene(num_frames=2)
    source = write_arkit(tmp_path, scene)
    ends = scene.world_from_camera
    turn = Rotation.from_matrix(ends[0, :3, :3].T @ ends[1, :3, :3]).as_rotvec()
    for share in (0.25, 0.5):
        stem = f"41069021_{1000.0004 + 0.1 * share:.4f}"
        save(source / "lowres_wide" / f"{stem}.png", encoded(scene.rgb[0]))
        save(source / "lowres_wide_intrinsics" / f"{stem}.pincam", pincam(scene.k_px, scene.size_hw))
    recording = arkit.open_recording(source)
    for frame, share in ((1, 0.25), (2, 0.5)):
        rotation = ends[0, :3, :3] @ Rotation.from_rotvec(turn * share).as_matrix()
        np.testing.assert_allclose(recording.world_from_camera[frame, :3, :3], rotation, atol=1e-6)
        position = ends[0, :3, 3] * (1 - share) + ends[1, :3, 3] * share
        np.testing.assert_allclose(recording.world_from_camera[frame, :3, 3], position, atol=1e-6)
    assert any("2 of 4 frames are interpolated" in note for note in recording.notes)
    assert any("2 of 4 frames have no depth map" in note for note in recording.notes)
    assert np.isnan(recording.load_depth_m([1])).all() and np.isfinite(recording.load_depth_m([0])).any()


def test_frames_far_from_measured_poses_have_none(tmp_path):
    scene = make_scene(num_frames=4)
    source = write_arkit(tmp_path, scene)
    camera_from_world = inverse_rigid(scene.world_from_camera[0])
    turn = Rotation.from_matrix(camera_from_world[:3, :3]).as_rotvec()
    # Two measured poses, 0.3 s apart: too far to interpolate between, and each is its own frame's.
    save(source / "lowres_wide.traj", rows_text([[t, *turn, *camera_from_world[:3, 3]] for t in (1000.0, 1000.3)]))
    recording = arkit.open_recording(source)
    assert np.isfinite(recording.world_from_camera[:, 0, 0]).tolist() == [True, False, False, True]
    assert any("2 of 4 frames have no pose" in note for note in recording.notes)


def test_without_trajectory_nothing_is_claimed(tmp_path):
    source = write_arkit(tmp_path, make_scene())
    (source / "lowres_wide.traj").unlink()
    recording = arkit.open_recording(source)
    assert recording.world_from_camera is None and recording.up_world is None
    assert recording.world.metric and not recording.world.gravity_aligned


def test_intrinsics_of_another_shape(tmp_path):
    scene = make_scene()
    source = write_arkit(tmp_path, scene)
    for path in (source / "lowres_wide_intrinsics").iterdir():
        save(path, pincam(scene.k_px, (480, 480)))
    with pytest.raises(InputError, match="shape 64 x 48 px, got 480 x 480"):
        arkit.open_recording(source)
