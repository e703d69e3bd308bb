"""KITTI object frames: LiDAR written and projected back, and two real frames against their labels."""

import numpy as np
import pytest
from drive_writers import write_kitti_object
from format_writers import make_scene, project_point, save

from video3d.estimate import camera, complete_geometry, missing_camera
from video3d.types import InputError
from video3d.video import kitti_object, read_clip


@pytest.mark.parametrize("below", ["", "training"])
def test_round_trip(tmp_path, below):
    scene = make_scene()
    source = write_kitti_object(tmp_path, scene) / below
    assert kitti_object.detect(source)
    recording = kitti_object.open_recording(source)
    assert recording.num_frames == 3 and not recording.sequence and recording.world_from_camera is None
    assert recording.world.metric and recording.up_world is None and np.isnan(recording.time_s).all()
    np.testing.assert_allclose(recording.k_px, np.tile(scene.k_px, (3, 1, 1)), atol=1e-6)
    depth_m = recording.load_depth_m([0, 1, 2])
    for frame in range(3):
        (x, y), z = project_point(scene, frame)
        assert (
            np.isfinite(depth_m[frame]).sum() == 1
        )  # the point behind it on the ray and the one at the back are hidden
        assert depth_m[frame, int(y), int(x)] == pytest.approx(z, abs=1e-4)
    np.testing.assert_array_equal(recording.load_rgb([1])[0], scene.rgb[1])


def test_frames_of_different_drives_are_not_compared(tmp_path, monkeypatch):
    """Structure from motion of unrelated pictures takes seconds and finds nothing."""
    recording = kitti_object.open_recording(write_kitti_object(tmp_path, make_scene()))
    monkeypatch.setattr(camera, "estimate_camera", None)  # calling it would fail
    assert missing_camera(recording) is None
    posed = complete_geometry(read_clip(recording))
    assert posed.status.poses == "unknown" and posed.status.depth == "measured"
    assert any("different places" in note for note in posed.status.notes)


def test_frames_of_different_size_are_cut_to_the_smallest(tmp_path):
    scene = make_scene()
    recording = kitti_object.open_recording(write_kitti_object(tmp_path, scene, grow=5))
    assert recording.size_hw == (48, 64) == recording.depth_size_hw
    np.testing.assert_array_equal(recording.load_rgb([0, 2]), scene.rgb[[0, 2]])
    np.testing.assert_allclose(recording.k_px[0], scene.k_px, atol=1e-6)
    assert any("cut at the right and bottom" in note for note in recording.notes)


def test_frames_without_sweep(tmp_path):
    source = write_kitti_object(tmp_path, make_scene())
    (source / "training/velodyne/000001.bin").unlink()
    recording = kitti_object.open_recording(source)
    depth_m = recording.load_depth_m([0, 1])
    assert np.isfinite(depth_m[0]).any() and np.isnan(depth_m[1]).all()
    assert any("LiDAR for 2 of 3 frames" in note for note in recording.notes)


def test_damaged_sweep(tmp_path):
    source = write_kitti_object(tmp_path, make_scene())
    save(source / "training/velodyne/000001.bin", bytes(17))
    with pytest.raises(InputError, match="rows of 4 float32"):
        kitti_object.open_recording(source).load_depth_m([1])


@pytest.mark.shared
def test_real_frames_agree_with_their_labels(shared_data):
    """In the middle of each labelled 2D box the LiDAR meets the surface of the labelled 3D box."""
    recording = kitti_object.open_recording(shared_data / "kitti_objects")
    assert recording.size_hw == (370, 1224)
    depth_m = recording.load_depth_m([0, 1])
    share = np.isfinite(depth_m).mean(axis=(1, 2))
    assert (share > 0.035).all() and (share < 0.05).all()
    checked = 0
    for frame, name in enumerate(recording.frame_names):
        for line in (shared_data / f"kitti_objects/training/label_2/{name}.txt").read_text().splitlines():
            words = line.split()
            if words[0] == "DontCare":
                continue
            left, top, right, bottom, height, _, length, x, y, z = map(float, [*words[4:8], *words[8:14]])
            middle = depth_m[
                frame, int(top) : int(bottom), int(0.7 * left + 0.3 * right) : int(0.3 * left + 0.7 * right)
            ]
            nearest = np.nanpercentile(middle, 20)
            assert z - length / 2 - 0.6 < nearest < z + length / 2 + 0.2, words[0]
            px = recording.k_px[frame] @ [x + 0.06, y - height / 2, z]  # labels are in camera 0, 6 cm to the left
            assert abs(px[0] / px[2] - (left + right) / 2) < 5 and abs(px[1] / px[2] - (top + bottom) / 2) < 3
            checked += 1
    assert checked == 4
