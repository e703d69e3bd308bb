"""Images, depth and poses in folders: written and read back, and one real walk."""

import numpy as np
import pytest
from format_writers import check_recording, encoded, make_scene, rows_text, save
from PIL import Image
from rgbd_writers import write_posed_folder

from video3d.types import InputError
from video3d.video import open_recording, posed_folder


@pytest.mark.parametrize("numbers", [16, 12])
def test_round_trip(tmp_path, numbers):
    scene = make_scene()
    source = write_posed_folder(tmp_path, scene, numbers=numbers)
    assert posed_folder.detect(source)
    recording = open_recording(source)
    assert recording.format == "posed_folder"
    check_recording(recording, scene)
    np.testing.assert_array_equal(recording.load_depth_m([2]), scene.depth_m[[2]])
    assert recording.frame_names == ("00003.png", "00005.png", "00007.png")
    assert recording.world.metric and recording.up_world is None and np.isnan(recording.time_s).all()


@pytest.mark.parametrize("lacking", ["depth", "poses.txt", "K.txt"])
def test_what_is_absent_is_missing(tmp_path, lacking):
    source = write_posed_folder(tmp_path, make_scene())
    (source / lacking).rename(tmp_path / "elsewhere")
    recording = open_recording(source)
    assert recording.format == "posed_folder"
    assert (recording.load_depth_m is None) == (lacking == "depth")
    assert (recording.world_from_camera is None) == (lacking == "poses.txt") == (not recording.world.metric)
    assert (recording.k_px is None) == (lacking == "K.txt")


def test_counts_must_agree(tmp_path):
    scene = make_scene()
    source = write_posed_folder(tmp_path, scene)
    save(source / "poses.txt", rows_text(scene.world_from_camera[:2].reshape(2, 16)))
    with pytest.raises(InputError, match=r"expected 3 poses.*got 2 lines"):
        open_recording(source)
    write_posed_folder(tmp_path, scene)
    (source / "depth" / "00005.png").unlink()
    with pytest.raises(InputError, match=r"expected 3 depth maps.*got 2; 00005 has none"):
        open_recording(source)


def test_depth_of_another_shape_is_refused(tmp_path):
    source = write_posed_folder(tmp_path, make_scene())
    for file in (source / "depth").iterdir():
        save(file, encoded(np.full((32, 32), 900, np.uint16)))
    with pytest.raises(InputError, match="the shape of the colour frames"):
        open_recording(source)


def test_office(shared_data):
    source = shared_data / "hololens_office"
    recording = open_recording(source)
    assert (recording.format, recording.num_frames, recording.size_hw) == ("posed_folder", 120, (360, 540))
    np.testing.assert_allclose(recording.k_px[7, :2, 2], [270.0029, 169.6941], atol=1e-4)
    steps = np.linalg.norm(np.diff(recording.world_from_camera[:, :3, 3], axis=0), axis=1)
    assert steps.sum() == pytest.approx(18.49, abs=0.01)
    raw = np.array(Image.open(source / "depth" / recording.frame_names[60]))
    depth_m = recording.load_depth_m([60])[0]
    assert (np.isfinite(depth_m) == (raw > 0)).all()
    assert np.nanmax(np.abs(depth_m - raw / 1000)) < 1e-6
    # OpenCV axes: the second image axis points down, so a walker's camera, held upright, has it near one direction.
    down = recording.world_from_camera[:, :3, 1]
    assert np.linalg.norm(down.mean(axis=0)) > 0.9
