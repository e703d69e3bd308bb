"""Opening any source, reading frames from it, forgetting what it has, and saying what it holds."""

import json
from importlib import import_module

import numpy as np
import pytest
from drive_writers import write_kitti_odometry, write_nerf
from format_writers import make_scene, write_sens
from rgbd_writers import write_images, write_posed_folder, write_seven_scenes, write_tum
from video_writers import number_in, write_video

from video3d.types import InputError
from video3d.video import describe, forget, open_recording, read, read_clip


def test_every_reader_keeps_the_agreement(tmp_path):
    for name in read.READERS:
        reader = import_module(f"video3d.video.{name}")
        assert isinstance(reader, read.Reader)
        assert reader.detect(tmp_path / "nothing") is False
        assert reader.detect(tmp_path) is False


def test_each_layout_is_told_from_the_others(tmp_path):
    scene = make_scene()
    sources = {
        "seven_scenes": write_seven_scenes(tmp_path / "seven", scene),
        "posed_folder": write_posed_folder(tmp_path / "posed", scene),
        "tum": write_tum(tmp_path / "tum", scene),
        "folder": write_images(tmp_path / "images", scene),
        "video": write_video(tmp_path / "a.mp4", num_frames=3),
        "scannet_sens": write_sens(tmp_path / "a.sens", scene),
        "kitti_odometry": write_kitti_odometry(tmp_path / "kitti", scene),
        "nerfstudio": write_nerf(tmp_path / "nerf", scene),
    }
    for name, source in sources.items():
        assert open_recording(source).format == name
    assert open_recording(tmp_path / "nerf" / "transforms.json").format == "nerfstudio"


def test_a_folder_around_a_recording_is_opened(tmp_path):
    write_seven_scenes(tmp_path / "outer" / "inner" / "seq-01", make_scene())
    (tmp_path / "outer" / "__MACOSX").mkdir()
    recording = open_recording(str(tmp_path / "outer"))
    assert recording.format == "seven_scenes"


def test_several_recordings_are_not_chosen_from(tmp_path):
    for name in ("seq-01", "seq-02"):
        write_seven_scenes(tmp_path / name, make_scene())
    with pytest.raises(InputError, match=r"got a folder with seq-01, seq-02; name one of its folders, e\.g\. seq-01"):
        open_recording(tmp_path)


def test_read_clip_has_everything_of_the_frames_chosen(tmp_path):
    scene = make_scene(num_frames=9)
    recording = open_recording(write_posed_folder(tmp_path, scene))
    clip = read_clip(recording, 4)
    assert clip.frame_index.tolist() == [0, 3, 5, 8] and clip.recording is recording
    np.testing.assert_array_equal(clip.rgb, scene.rgb[clip.frame_index])
    np.testing.assert_array_equal(clip.depth_m, scene.depth_m[clip.frame_index])
    np.testing.assert_array_equal(clip.world_from_camera, recording.world_from_camera[clip.frame_index])
    np.testing.assert_allclose(clip.k_px[0], scene.k_px)
    assert read_clip(tmp_path, 100).num_frames == 9
    assert read_clip(tmp_path, indices=[5, 1, 1]).frame_index.tolist() == [5, 1, 1]


def test_read_clip_of_a_video(tmp_path):
    clip = read_clip(write_video(tmp_path / "a.mp4"), 5)
    assert [number_in(rgb) for rgb in clip.rgb] == clip.frame_index.tolist() == [0, 15, 30, 44, 59]
    np.testing.assert_allclose(clip.time_s, clip.frame_index * 0.04, atol=1e-6)
    assert clip.depth_m is None and clip.k_px is None and clip.world_from_camera is None


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        ({"num_frames": 0}, "at least 1"),
        ({"indices": [3]}, "frame 3: expected 0 to 2, got 3"),
        ({"indices": [-1]}, "expected 0 to 2"),
        ({"indices": []}, "list of frame numbers"),
        ({"indices": np.array([0.5])}, "list of frame numbers"),
        ({"indices": np.zeros((2, 2), int)}, "list of frame numbers"),
    ],
)
def test_frames_that_are_not_there(tmp_path, arguments, got):
    recording = open_recording(write_images(tmp_path, make_scene()))
    with pytest.raises(InputError, match=got):
        read_clip(recording, **arguments)


def test_coverage_prefers_frames_that_see_something_else(tmp_path):
    scene = make_scene(num_frames=8)
    still = np.tile(scene.world_from_camera[:1], (8, 1, 1))
    still[5, :3, 3] += [40.0, 0, 0]  # one frame is in another room
    scene.world_from_camera[:] = still
    recording = open_recording(write_posed_folder(tmp_path, scene))
    assert 5 in read_clip(recording, 2, sampling="coverage").frame_index
    assert 5 not in read_clip(recording, 2).frame_index
    blind = forget(recording, {"depth"})
    assert read_clip(blind, 2, sampling="coverage").frame_index.tolist() == [0, 7]


def test_forget(tmp_path):
    recording = open_recording(write_seven_scenes(tmp_path, make_scene()))
    no_depth = forget(recording, ["depth"])
    assert no_depth.load_depth_m is None and no_depth.depth_size_hw is None
    assert no_depth.world.metric and no_depth.up_world is not None
    no_poses = forget(recording, ("poses",))
    assert no_poses.world_from_camera is None and no_poses.up_world is None and not no_poses.world.metric
    assert no_poses.load_depth_m is not None and no_poses.k_px is not None
    assert describe(no_poses)["scale"] == "measured" and "gravity" in describe(no_poses)["missing"]
    nothing = forget(recording, read.QUANTITIES)
    assert nothing.k_px is None and nothing.notes[-1] == "ignored as asked: depth, poses, intrinsics"
    assert forget(recording, ()) is recording
    with pytest.raises(InputError, match="colour"):
        forget(recording, {"colour", "depth"})


def test_describe_is_plain_and_complete(tmp_path):
    found = describe(open_recording(write_seven_scenes(tmp_path, make_scene())))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["format"], found["frames"], found["size"]) == ("seven_scenes", 3, {"width": 64, "height": 48})
    assert found["missing"] == ["times"] and found["fps"] is None and found["duration_s"] is None
    assert found["poses"]["known"] == 3 and found["poses"]["unit"] == "m"
    assert found["depth"]["size"] == {"width": 32, "height": 24}
    low, high = found["depth"]["range_m"]
    assert 2 < low < found["depth"]["median_m"] < high < 3.1
    assert found["depth"]["valid_share"] == pytest.approx(1 - 1 / (24 * 32), abs=1e-4)
    assert found["intrinsics"]["fov_x_deg"] == pytest.approx(np.degrees(2 * np.arctan(0.5 / 0.9)), abs=0.01)
    assert found["up_world"] == [0, 0, 1] and found["gravity"] == found["scale"] == "measured"


def test_describe_a_video(tmp_path):
    found = describe(open_recording(write_video(tmp_path / "a.mp4", num_frames=50)))
    assert (found["duration_s"], found["fps"], found["frames"]) == (2.0, 25.0, 50)
    assert found["missing"] == ["depth", "intrinsics", "poses", "scale", "gravity"]
    assert found["depth"] is None and found["poses"] is None and found["intrinsics"] is None


def test_describe_depth_that_is_all_unknown(tmp_path):
    scene = make_scene()
    scene.depth_m[:] = np.nan
    found = describe(open_recording(write_posed_folder(tmp_path, scene)))
    assert found["depth"]["range_m"] is None and found["depth"]["valid_share"] == 0


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ("", "an empty name"),
        ("  ", "an empty name"),
        ("https://example.org/a.mp4", "an address; download it first"),
        ("nowhere/at/all.mp4", "nothing there"),
        ("a" * 5000, "too long"),
        ("a\0b", "null"),
        ("/dev/null", "a pipe, socket or device"),
    ],
)
def test_sources_that_are_none(source, got):
    with pytest.raises(InputError, match=got):
        open_recording(source)
