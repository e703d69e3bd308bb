"""ScanNet's .sens, written after its page and read back."""

import struct

import numpy as np
import pytest
from format_writers import check_recording, make_scene, save, sens_frame, sens_head, write_sens

from video3d.types import InputError
from video3d.video import scannet_sens


@pytest.mark.parametrize("compression", [(2, 1), (1, 0), (0, 1)])
def test_round_trip(tmp_path, compression):
    scene = make_scene(num_frames=5)
    source = write_sens(tmp_path / "scene.sens", scene, compression=compression)
    assert scannet_sens.detect(source)
    recording = scannet_sens.open_recording(source)
    check_recording(recording, scene)
    np.testing.assert_allclose(recording.time_s, np.arange(5) * 0.033, atol=1e-9)
    np.testing.assert_allclose(recording.load_depth_m([3])[0], scene.depth_m[3], atol=1e-6)
    np.testing.assert_array_equal(recording.up_world, [0, 0, 1])
    if compression[0] != 2:
        np.testing.assert_array_equal(recording.load_rgb([4])[0], scene.rgb[4])


def test_lost_frame(tmp_path):
    scene = make_scene()
    lost = sens_frame(scene, 1, pose=np.full((4, 4), -np.inf))
    source = save(tmp_path / "a.sens", sens_head(scene) + sens_frame(scene, 0) + lost + sens_frame(scene, 2))
    recording = scannet_sens.open_recording(source)
    assert np.isnan(recording.world_from_camera[1]).all() and np.isfinite(recording.world_from_camera[[0, 2]]).all()
    assert any("1 of 3 frames have no pose" in note for note in recording.notes)


def test_only_wanted_frames_are_decoded(tmp_path):
    scene = make_scene()
    broken = sens_frame(scene, 1, depth=b"not zlib")
    source = save(tmp_path / "a.sens", sens_head(scene) + sens_frame(scene, 0) + broken + sens_frame(scene, 2))
    recording = scannet_sens.open_recording(source)
    assert np.isfinite(recording.load_depth_m([0, 2])).mean() > 0.9
    with pytest.raises(InputError, match="depth frame 1: expected zlib data"):
        recording.load_depth_m([1])


def test_depth_bomb_is_stopped_at_the_size_of_a_frame(tmp_path):
    import tracemalloc
    import zlib

    scene = make_scene(num_frames=1)
    bomb = zlib.compress(bytes(50_000_000))
    source = save(tmp_path / "a.sens", sens_head(scene) + sens_frame(scene, 0, depth=bomb))
    recording = scannet_sens.open_recording(source)
    tracemalloc.start()
    with pytest.raises(InputError, match="expected 1536 bytes, got more"):
        recording.load_depth_m([0])
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_file_cut_after_opening(tmp_path):
    source = write_sens(tmp_path / "a.sens", make_scene())
    recording = scannet_sens.open_recording(source)
    source.write_bytes(source.read_bytes()[:900])
    with pytest.raises(InputError, match="ends in frame 2"):
        recording.load_rgb([2])


def test_other_versions_are_not_detected(tmp_path):
    assert not scannet_sens.detect(save(tmp_path / "a.sens", struct.pack("<I", 3)))
    assert not scannet_sens.detect(tmp_path / "none.sens")
