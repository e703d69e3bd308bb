"""KITTI odometry: written and read back, and one real drive."""

import numpy as np
import pytest
from drive_writers import write_kitti_odometry
from epipolar import epipolar_distances_px
from format_writers import check_recording, make_scene, rows_text, save

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError
from video3d.video import kitti_odometry


@pytest.mark.parametrize("camera", [0, 2, 3])
def test_round_trip(tmp_path, camera):
    scene = make_scene()
    source = write_kitti_odometry(tmp_path, scene, camera=camera)
    assert kitti_odometry.detect(source)
    recording = kitti_odometry.open_recording(source)
    check_recording(recording, scene, depth=False)  # poses are of camera 0, so the rig's offset must be applied
    np.testing.assert_allclose(recording.time_s, [0, 0.1, 0.2])
    assert recording.world.metric and recording.up_world is None and recording.sequence


def test_left_colour_camera_is_preferred(tmp_path):
    scene = make_scene()
    source = write_kitti_odometry(tmp_path, scene, camera=2)
    write_kitti_odometry(tmp_path / "other", make_scene(seed=8), camera=0)
    (tmp_path / "other/sequences/07/image_0").rename(source / "image_0")
    recording = kitti_odometry.open_recording(source)
    check_recording(recording, scene, depth=False)
    assert recording.notes == ("camera image_2 of image_2, image_0",)


def test_sequence_without_poses_and_times(tmp_path):
    source = write_kitti_odometry(tmp_path, make_scene())
    (source / "times.txt").unlink()
    (tmp_path / "poses/07.txt").unlink()
    recording = kitti_odometry.open_recording(source)
    assert recording.world_from_camera is None and np.isnan(recording.time_s).all()


def test_calibration_without_labels(tmp_path):
    scene = make_scene()
    source = write_kitti_odometry(tmp_path, scene, camera=2)
    text = (source / "calib.txt").read_text()
    for label in ("P0: ", "P1: ", "P2: ", "P3: "):
        text = text.replace(label, "")
    save(source / "calib.txt", text.replace("\n", " "))  # no line breaks either
    check_recording(kitti_odometry.open_recording(source), scene, depth=False)


def test_number_of_poses_must_be_that_of_images(tmp_path):
    source = write_kitti_odometry(tmp_path, make_scene())
    save(tmp_path / "poses/07.txt", rows_text(np.tile(np.eye(3, 4).ravel(), (2, 1))))
    with pytest.raises(InputError, match=r"expected 3 poses .* got 2"):
        kitti_odometry.open_recording(source)


@pytest.mark.shared
def test_real_drive(shared_data):
    recording = kitti_odometry.open_recording(shared_data / "kitti_odometry_1")
    assert recording.num_frames == 51 and recording.size_hw == (370, 1226)
    np.testing.assert_allclose(recording.k_px[0], [[707.0912, 0, 602.3873], [0, 707.0912, 183.6104], [0, 0, 1]])
    path_m = np.linalg.norm(np.diff(recording.world_from_camera[:, :3, 3], axis=0), axis=1).sum()
    assert path_m == pytest.approx(59.86, abs=0.01)
    assert recording.world_from_camera[50, 2, 3] > 50  # it drives forward, along the first camera's z


@pytest.mark.shared
def test_epipolar_geometry_of_the_real_drive(shared_data):
    """Matched patches of consecutive frames lie on each other's epipolar lines, to a fraction of a pixel."""
    recording = kitti_odometry.open_recording(shared_data / "kitti_odometry_1")
    medians = []
    for frame in (10, 20, 40):
        first, second = recording.load_rgb([frame, frame + 1])[..., 0].astype(np.float32)
        second_from_first = inverse_rigid(recording.world_from_camera[frame + 1]) @ recording.world_from_camera[frame]
        distances = epipolar_distances_px(first, second, recording.k_px[0], second_from_first, search_hw=(20, 30))
        assert len(distances) >= 30
        medians.append(np.median(distances))
    assert max(medians) < 0.6
