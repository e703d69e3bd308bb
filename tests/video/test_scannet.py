"""ScanNet's extracted layouts, written and read back."""

import numpy as np
import pytest
from format_writers import (
    check_recording,
    encoded,
    integer_centred,
    make_scene,
    rows_text,
    save,
    write_scannet_export,
    write_scannet_posed_images,
)
from format_writers import four as as_4x4

from video3d.geometry.rigid import scale_k
from video3d.types import InputError
from video3d.video import scannet


@pytest.mark.parametrize("write", [write_scannet_posed_images, write_scannet_export])
def test_round_trip(tmp_path, write):
    scene = make_scene()
    source = write(tmp_path / "scene0000_00", scene)
    assert scannet.detect(source)
    recording = scannet.open_recording(source)
    check_recording(recording, scene)
    np.testing.assert_array_equal(recording.up_world, [0, 0, 1])
    assert recording.world.metric and recording.world.gravity_aligned and recording.sequence
    depth_m = recording.load_depth_m([1])
    np.testing.assert_allclose(depth_m[0], scene.depth_m[1], atol=1e-6)  # NaN where the file has 0


def test_lost_frames_have_no_pose(tmp_path):
    source = write_scannet_posed_images(tmp_path, make_scene())
    save(source / "00001.txt", rows_text(np.full((4, 4), -np.inf)))
    recording = scannet.open_recording(source)
    assert np.isnan(recording.world_from_camera[1]).all()
    assert np.isfinite(recording.world_from_camera[[0, 2]]).all()
    assert any("1 of 3 frames have no pose" in note for note in recording.notes)


def test_depth_of_another_view_is_looked_up_through_both_intrinsics(tmp_path):
    # The depth camera sees more than the colour camera; each target pixel must find the depth along its own ray.
    scene = make_scene(depth_hw=(60, 80))
    source = write_scannet_export(tmp_path, scene)
    rgb_at_depth = scale_k(scene.k_px, (48, 64), (60, 80))
    depth_k = np.array([[40.0, 0, 41.0], [0, 44.0, 29.0], [0, 0, 1]])
    save(source / "intrinsic" / "intrinsic_depth.txt", rows_text(as_4x4(integer_centred(depth_k))))
    rows, columns = np.mgrid[:60, :80] + 0.5
    x, y = (columns - 41) / 40, (rows - 29) / 44
    ray_depth_mm = np.round(3000 + 400 * x + 300 * y).astype(np.uint16)  # a slanted plane, exact on every ray
    for i in range(3):
        save(source / "depth" / f"{i * 10}.png", encoded(ray_depth_mm))
    recording = scannet.open_recording(source)
    got = recording.load_depth_m([0])[0]
    x = (columns - rgb_at_depth[0, 2]) / rgb_at_depth[0, 0]
    y = (rows - rgb_at_depth[1, 2]) / rgb_at_depth[1, 1]
    seen = (np.abs(x) < 0.9) & (np.abs(y) < 0.6)
    # nearest lookup: at most half a depth pixel off, which is 400/40/2 + 300/44/2 mm on this plane
    assert np.abs(got - (3.0 + 0.4 * x + 0.3 * y))[seen].max() < 0.0105
    assert recording.depth_size_hw == (60, 80)
    assert any("resampled" in note for note in recording.notes)


def test_colour_intrinsics_follow_from_depth(tmp_path):
    scene = make_scene()
    source = write_scannet_posed_images(tmp_path, scene)
    (source / "intrinsic.txt").unlink()
    check_recording(scannet.open_recording(source), scene)


def test_without_depth(tmp_path):
    scene = make_scene()
    source = write_scannet_posed_images(tmp_path, scene)
    for path in source.glob("*.png"):
        path.unlink()
    recording = scannet.open_recording(source)
    assert recording.load_depth_m is None and recording.depth_size_hw is None
    check_recording(recording, scene, depth=False)


def test_intrinsics_that_do_not_belong_together(tmp_path):
    source = write_scannet_posed_images(tmp_path, make_scene())
    save(source / "depth_intrinsic.txt", rows_text(as_4x4(np.array([[500.0, 0, 400], [0, 500, 300], [0, 0, 1]]))))
    with pytest.raises(InputError, match="sees the colour frame"):
        scannet.open_recording(source)
