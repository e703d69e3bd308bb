"""TUM RGB-D: written and read back; association, interpolation, and the cameras of the data set."""

import numpy as np
import pytest
from format_writers import check_recording, make_scene, save
from rgbd_writers import TUM_START_S, write_tum
from scipy.spatial.transform import Rotation

from video3d.types import InputError
from video3d.video import open_recording, tum


def test_round_trip(tmp_path):
    scene = make_scene(num_frames=4)
    source = write_tum(tmp_path, scene)
    assert tum.detect(source)
    recording = open_recording(source)
    assert recording.format == "tum" and recording.notes == ()
    check_recording(recording, scene)
    np.testing.assert_allclose(recording.time_s, np.arange(4) / 30, atol=1e-6)
    np.testing.assert_allclose(recording.load_depth_m([3])[0], scene.depth_m[3], atol=1.1e-4)
    assert recording.world.metric and recording.up_world is None


def test_colour_without_depth_near_in_time_is_left_out(tmp_path):
    source = write_tum(tmp_path, make_scene(num_frames=4))
    lines = (source / "depth.txt").read_text().splitlines()
    save(source / "depth.txt", "\n".join(lines[:2] + lines[3:]))
    recording = open_recording(source)
    assert recording.num_frames == 3 and "1 of 4 colour images have no depth" in recording.notes[0]
    np.testing.assert_allclose(recording.time_s, np.array([0, 2, 3]) / 30, atol=1e-6)


def test_lists_that_do_not_meet(tmp_path):
    source = write_tum(tmp_path, make_scene(), depth_late_s=5000.0)
    with pytest.raises(InputError, match=r"depth\.txt: expected times that meet"):
        open_recording(source)


def test_poses_are_interpolated_between_neighbours_and_unknown_in_gaps(tmp_path):
    scene = make_scene(num_frames=4)
    source = write_tum(tmp_path, scene)
    at = TUM_START_S + np.array([-0.03, 0.03, 0.05, 0.075, 0.5])  # frames at 0, .033, .067, .1
    turn = Rotation.from_rotvec(np.array([[0.0, 0, 0], [0, 0, 0.6], [0, 0, 0.6], [0, 0, 0.6], [0, 0, 0.6]]))
    rows = [(t, 10 * i, 0, 0, *q) for i, (t, q) in enumerate(zip(at, turn.as_quat(), strict=True))]
    save(source / "groundtruth.txt", "\n".join(" ".join(f"{v:.7f}" for v in row) for row in rows))
    recording = open_recording(source)
    poses = recording.world_from_camera
    np.testing.assert_allclose(
        poses[:3, 0, 3], [5.0, 10 + 10 * (1 / 30 - 0.03) / 0.02, 20 + 10 * (1 / 15 - 0.05) / 0.025], atol=1e-3
    )
    np.testing.assert_allclose(Rotation.from_matrix(poses[0, :3, :3]).as_rotvec(), [0, 0, 0.3], atol=1e-6)
    assert np.isnan(poses[3]).all()  # 25 ms after the last near line, 400 ms before the next
    assert any("1 of 4 frames have no pose" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("folder", "fx", "note"),
    [
        ("rgbd_dataset_freiburg1_desk", 517.3, "distortion"),
        ("rgbd_dataset_freiburg3_long_office", 535.4, None),
        ("somewhere", 525.0, "default"),
    ],
)
def test_cameras_of_the_data_set(tmp_path, folder, fx, note):
    scene = make_scene(num_frames=2, size_hw=(480, 640), depth_hw=(480, 640))
    source = write_tum(tmp_path / folder, scene)
    (source / "calibration.txt").unlink()
    recording = open_recording(source)
    assert recording.k_px[0, 0, 0] == fx
    assert recording.k_px[0, 0, 2] % 1 != 0 or folder == "somewhere"
    assert (note is None and recording.notes == ()) or note in recording.notes[0]


def test_default_centre_is_the_centre_of_the_image(tmp_path):
    scene = make_scene(num_frames=2, size_hw=(480, 640), depth_hw=(480, 640))
    source = write_tum(tmp_path, scene)
    (source / "calibration.txt").unlink()
    assert open_recording(source).k_px[0, :2, 2].tolist() == [320.0, 240.0]


def test_colour_alone(tmp_path):
    source = write_tum(tmp_path, make_scene())
    (source / "depth.txt").unlink()
    (source / "groundtruth.txt").unlink()
    recording = open_recording(source)
    assert recording.format == "tum" and recording.num_frames == 3
    assert recording.load_depth_m is None and recording.world_from_camera is None


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/hostname", "rgb/../../x.png"])
def test_names_do_not_lead_out_of_the_folder(tmp_path, name):
    source = write_tum(tmp_path / "walk", make_scene())
    save(source / "rgb.txt", f"1.0 {name}\n")
    with pytest.raises(InputError, match="file names inside the recording"):
        open_recording(source)
