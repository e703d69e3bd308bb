"""7-Scenes: written and read back, and one real walk."""

import numpy as np
import pytest
from format_writers import check_recording, encoded, make_scene, rows_text, save
from PIL import Image
from rgbd_writers import write_seven_scenes

from video3d.types import InputError
from video3d.video import open_recording, seven_scenes


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_round_trip(tmp_path, suffix):
    scene = make_scene()
    source = write_seven_scenes(tmp_path, scene, suffix=suffix, gravity=(0, 0, -9.81))
    assert seven_scenes.detect(source)
    recording = open_recording(source)
    assert recording.format == "seven_scenes"
    check_recording(recording, scene)
    np.testing.assert_array_equal(recording.load_depth_m([1, 0]), scene.depth_m[[1, 0]])
    np.testing.assert_allclose(recording.up_world, [0, 0, 1])
    assert recording.frame_names == ("frame-000150", "frame-000153", "frame-000156")
    assert recording.world.metric and not recording.world.gravity_aligned and recording.sequence
    assert np.isnan(recording.time_s).all() and recording.notes == ()


def test_saturated_depth_is_unknown(tmp_path):
    scene = make_scene()
    source = write_seven_scenes(tmp_path, scene)
    raw = np.full((24, 32), 1500, np.uint16)
    raw[0, 0], raw[0, 1] = 65535, 0
    save(source / "frame-000153.depth.png", encoded(raw))
    depth_m = open_recording(source).load_depth_m([1])[0]
    assert np.isnan(depth_m[0, :2]).all() and np.allclose(depth_m[1:], 1.5)


def test_without_depth_poses_or_gravity(tmp_path):
    source = write_seven_scenes(tmp_path, make_scene(), gravity=None)
    for file in source.glob("*.depth.png"):
        file.unlink()
    recording = open_recording(source)
    assert recording.load_depth_m is None and recording.depth_size_hw is None and recording.up_world is None
    assert recording.world_from_camera is not None
    for file in source.glob("*.pose.txt"):
        file.unlink()
    recording = open_recording(source)
    assert recording.world_from_camera is None and not recording.world.metric and recording.k_px is not None


def test_default_intrinsics_are_the_depth_cameras_and_say_so(tmp_path):
    scene = make_scene(num_frames=2, size_hw=(480, 640), depth_hw=(480, 640))
    source = write_seven_scenes(tmp_path, scene)
    (source / "camera-intrinsics.txt").unlink()
    recording = open_recording(source)
    assert recording.k_px[1].tolist() == [[585, 0, 320.5], [0, 585, 240.5], [0, 0, 1]]
    assert len(recording.notes) == 2
    assert "default" in recording.notes[0] and "not registered" in recording.notes[1]


def test_default_intrinsics_hold_for_one_size_only(tmp_path):
    source = write_seven_scenes(tmp_path, make_scene())
    (source / "camera-intrinsics.txt").unlink()
    recording = open_recording(source)
    assert recording.k_px is None and "640 x 480" in recording.notes[0]


@pytest.mark.parametrize("kind", ["depth.png", "pose.txt", "color.png"])
def test_a_frame_that_lacks_a_file_is_named(tmp_path, kind):
    source = write_seven_scenes(tmp_path, make_scene())
    (source / f"frame-000153.{kind}").unlink()
    with pytest.raises(InputError, match="frame-000153"):
        open_recording(source)


def test_a_pose_of_nan_is_refused_by_name(tmp_path):
    source = write_seven_scenes(tmp_path, make_scene())
    save(source / "frame-000156.pose.txt", rows_text(np.full((4, 4), np.nan)))
    with pytest.raises(InputError, match=r"frame-000156\.pose\.txt"):
        open_recording(source)


def test_kitchen(shared_data):
    source = shared_data / "seven_scenes_kitchen"
    recording = open_recording(source)
    assert (recording.format, recording.num_frames, recording.size_hw) == ("seven_scenes", 200, (480, 640))
    assert recording.k_px[0].tolist() == [[585, 0, 320.5], [0, 585, 240.5], [0, 0, 1]]
    steps = np.linalg.norm(np.diff(recording.world_from_camera[:, :3, 3], axis=0), axis=1)
    assert steps.sum() == pytest.approx(4.532, abs=0.001)
    raw = np.array(Image.open(source / "frame-000300.depth.png")).astype(float)
    depth_m = recording.load_depth_m([100])[0]
    known = (raw > 0) & (raw < 65535)
    assert recording.frame_names[100] == "frame-000300" and (np.isfinite(depth_m) == known).all()
    np.testing.assert_allclose(depth_m[known], raw[known] / 1000, rtol=1e-6)


def test_up_in_the_kitchen_is_the_normal_of_floor_and_tables(shared_data):
    """Normals of small depth patches, in the world: those within 15 degrees of up average to up; cameras are above."""
    recording = open_recording(shared_data / "seven_scenes_kitchen")
    up = recording.up_world
    rows, columns = np.mgrid[4:480:8, 4:640:8] + 0.5
    normals, heights = [], []
    for frame in range(0, 200, 20):
        k, pose = recording.k_px[frame], recording.world_from_camera[frame]
        z = recording.load_depth_m([frame])[0][4::8, 4::8].astype(np.float64)
        points = np.stack([(columns - k[0, 2]) / k[0, 0] * z, (rows - k[1, 2]) / k[1, 1] * z, z], axis=-1)
        points = points @ pose[:3, :3].T + pose[:3, 3]
        right, below = points[:-1, 1:] - points[:-1, :-1], points[1:, :-1] - points[:-1, :-1]
        normal = np.cross(below, right)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        near = (np.linalg.norm(right, axis=-1) < 0.06) & (np.linalg.norm(below, axis=-1) < 0.06)
        level = near & (normal @ up > np.cos(np.radians(15)))
        normals.append(normal[level])
        heights.append(points[:-1, :-1][level] @ up - pose[:3, 3] @ up)
    normal = np.concatenate(normals).mean(axis=0)
    assert np.degrees(np.arccos(normal @ up / np.linalg.norm(normal))) < 3
    assert (np.concatenate(heights) < 0).mean() > 0.95  # what faces up is below the camera
    assert np.percentile(np.concatenate(heights), 2) < -1.2  # the floor
    down = recording.world_from_camera[:, :3, 1]
    assert (down @ up < -0.8).all()  # the camera was held upright
