"""Record3D archives, written after their description and read back."""

import json
import zipfile

import numpy as np
import pytest
from format_writers import (
    Y_UP_FROM_Z_UP,
    check_recording,
    lzfse_stored,
    make_scene,
    moved,
    opengl,
    r3d_entries,
    r3d_metadata,
    r3d_pose,
    save,
    write_zip,
)

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError
from video3d.video import record3d


@pytest.fixture
def scene():
    """ARKit's world is y up."""
    return moved(make_scene(size_hw=(64, 48), depth_hw=(32, 24)), Y_UP_FROM_Z_UP)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_round_trip(tmp_path, scene, compression):
    source = write_zip(tmp_path / "walk.r3d", r3d_entries(scene), compression)
    assert record3d.detect(source)
    recording = record3d.open_recording(source)
    check_recording(recording, scene)
    np.testing.assert_array_equal(recording.up_world, [0, 1, 0])
    assert recording.world.metric and not recording.world.gravity_aligned  # +z is not up: that is for align_to_gravity
    np.testing.assert_allclose(recording.time_s, np.arange(3) / 60)
    np.testing.assert_array_equal(recording.load_depth_m([1])[0], scene.depth_m[1])
    up_camera = recording.world_from_camera[:, :3, :3].transpose(0, 2, 1) @ recording.up_world
    assert (up_camera[:, 1] < -0.9).all()


def test_intrinsics_and_times_of_every_frame(tmp_path, scene):
    metadata = r3d_metadata(scene)
    metadata["perFrameIntrinsicCoeffs"] = [[50.0 + i, 51.0 + i, 24.5, 32.25] for i in range(3)]
    metadata["frameTimestamps"] = [0.5, 0.517, 0.535]
    recording = record3d.open_recording(write_zip(tmp_path / "a.r3d", r3d_entries(scene, metadata)))
    np.testing.assert_allclose(recording.k_px[2], [[52, 0, 24.5], [0, 53, 32.25], [0, 0, 1]])
    np.testing.assert_allclose(recording.time_s, [0, 0.017, 0.035])


def test_frames_stored_larger_than_the_metadata_say(tmp_path, scene):
    metadata = r3d_metadata(scene)
    metadata["w"], metadata["h"] = 24, 32
    metadata["K"] = (scene.k_px * [[0.5], [0.5], [1]]).T.ravel().tolist()
    check_recording(record3d.open_recording(write_zip(tmp_path / "a.r3d", r3d_entries(scene, metadata))), scene)


def relative_to_first(scene):
    return inverse_rigid(opengl(scene.world_from_camera[0])) @ opengl(scene.world_from_camera)


def test_poses_relative_to_the_first_frame_have_no_gravity(tmp_path, scene):
    metadata = r3d_metadata(scene)
    metadata["poses"] = [r3d_pose(p) for p in relative_to_first(scene)]
    recording = record3d.open_recording(write_zip(tmp_path / "a.r3d", r3d_entries(scene, metadata)))
    assert recording.up_world is None and any("gravity is not known" in note for note in recording.notes)
    first = moved(scene, np.diag([1.0, -1, -1, 1]) @ inverse_rigid(scene.world_from_camera[0]))
    check_recording(recording, first)


def test_initial_pose_brings_gravity_back(tmp_path, scene):
    metadata = r3d_metadata(scene)
    metadata["poses"] = [r3d_pose(p) for p in relative_to_first(scene)]
    metadata["initPose"] = r3d_pose(opengl(scene.world_from_camera[0]))
    recording = record3d.open_recording(write_zip(tmp_path / "a.r3d", r3d_entries(scene, metadata)))
    np.testing.assert_array_equal(recording.up_world, [0, 1, 0])
    check_recording(recording, scene)


def test_untracked_recordings_have_no_poses(tmp_path, scene):
    metadata = r3d_metadata(scene)
    metadata["poses"] = [[0, 0, 0, 1, 0, 0, 0]] * 3
    recording = record3d.open_recording(write_zip(tmp_path / "a.r3d", r3d_entries(scene, metadata)))
    assert recording.world_from_camera is None and recording.up_world is None


def test_unknown_depth_is_nan(tmp_path, scene):
    entries = r3d_entries(scene)
    depth_m = np.full((32, 24), 1.5, "<f4")
    depth_m[0, :4] = 0, np.nan, -1, np.inf
    entries["rgbd/0.depth"] = lzfse_stored(depth_m.tobytes())
    got = record3d.open_recording(write_zip(tmp_path / "a.r3d", entries)).load_depth_m([0])[0]
    assert np.isnan(got[0, :4]).all() and (got[1:] == 1.5).all()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("rgbd/1.depth", lzfse_stored(bytes(99)), "expected 3072 bytes of depth, got 99"),
        ("rgbd/1.depth", lzfse_stored(bytes(5000)), "decodes to more than 3072 bytes"),
        ("rgbd/1.depth", bytes(20_000_000), "expected at most"),
        ("rgbd/1.depth", b"no lzfse", "LZFSE"),
    ],
)
def test_damaged_depth(tmp_path, scene, name, data, message):
    source = write_zip(tmp_path / "a.r3d", {**r3d_entries(scene), name: data}, zipfile.ZIP_DEFLATED)
    recording = record3d.open_recording(source)
    with pytest.raises(InputError, match=message):
        recording.load_depth_m([1])


def test_metadata_that_is_larger_than_any(tmp_path, scene, monkeypatch):
    monkeypatch.setattr(record3d, "_MAX_METADATA_BYTES", 1000)
    entries = {**r3d_entries(scene), "metadata": json.dumps({"w": " " * 2000}).encode()}
    with pytest.raises(InputError, match="metadata: expected at most 1000 bytes, got more"):
        record3d.open_recording(write_zip(tmp_path / "a.r3d", entries, zipfile.ZIP_DEFLATED))


def test_detect_reads_the_first_bytes(tmp_path):
    assert not record3d.detect(save(tmp_path / "a.r3d", "text"))
    assert not record3d.detect(tmp_path / "none.r3d")
