"""transforms.json of NeRF and nerfstudio: written and read back, and the real fox."""

import json

import numpy as np
import pytest
from drive_writers import transforms, write_nerf
from epipolar import epipolar_distances_px
from format_writers import check_recording, encoded, make_scene, opengl, save
from PIL import Image

from video3d.geometry.rigid import inverse_rigid, scale_k
from video3d.types import InputError
from video3d.video import nerfstudio


@pytest.mark.parametrize("name", ["", "transforms.json"])
def test_round_trip(tmp_path, name):
    scene = make_scene()
    source = write_nerf(tmp_path, scene) / name
    assert nerfstudio.detect(source)
    recording = nerfstudio.open_recording(source)
    check_recording(recording, scene)
    assert not recording.world.metric and recording.up_world is None and not recording.sequence and not recording.notes


def test_angle_alone_and_names_without_suffix(tmp_path):
    """As in the Blender scenes."""
    scene = make_scene()
    scene.k_px[:] = [[60, 0, 32], [0, 60, 24], [0, 0, 1]]
    frames = [
        {"file_path": f"./images/{i}", "transform_matrix": opengl(p).tolist()}
        for i, p in enumerate(scene.world_from_camera)
    ]
    document = {"camera_angle_x": 2 * np.arctan(32 / 60), "frames": frames}
    recording = nerfstudio.open_recording(write_nerf(tmp_path, scene, document))
    np.testing.assert_allclose(recording.k_px[0], scene.k_px)
    np.testing.assert_allclose(recording.world_from_camera, scene.world_from_camera, atol=1e-12)
    assert recording.load_depth_m is None


def test_intrinsics_of_each_frame_and_of_a_larger_original(tmp_path):
    scene = make_scene()
    document = transforms(scene)
    for i, frame in enumerate(document["frames"]):
        frame["fl_x"] = 200.0 + i
    document.update(w=128, h=96, cx=70, cy=50, fl_y=210)  # the photographs are a half-size copy
    recording = nerfstudio.open_recording(write_nerf(tmp_path, scene, document))
    np.testing.assert_allclose(recording.k_px[2], [[101, 0, 35], [0, 105, 25], [0, 0, 1]])


def test_photographs_that_are_not_there_are_left_out(tmp_path):
    scene = make_scene()
    source = write_nerf(tmp_path, scene)
    (source / "images/1.png").unlink()
    recording = nerfstudio.open_recording(source)
    assert recording.frame_names == ("images/0.png", "images/2.png")
    np.testing.assert_allclose(recording.world_from_camera, scene.world_from_camera[[0, 2]], atol=1e-12)
    assert "1 of 3 listed photographs" in recording.notes[0]


def test_photographs_that_exif_turns_keep_their_geometry(tmp_path):
    """A phone stores the frame sideways and says so in EXIF; the file's K and poses speak of the stored pixels."""
    scene = make_scene()
    source = write_nerf(tmp_path, scene)
    for i in range(3):
        exif = Image.Exif()
        exif[0x0112] = (6, 8, 6)[i]
        Image.fromarray(scene.rgb[i]).save(source / f"images/{i}.png", exif=exif)
    recording = nerfstudio.open_recording(source)
    assert recording.size_hw == (64, 48)
    check_recording(recording, scene, depth=False, exact_size=False)


def test_three_row_matrices(tmp_path):
    scene = make_scene()
    document = transforms(scene)
    for frame in document["frames"]:
        frame["transform_matrix"] = frame["transform_matrix"][:3]
    check_recording(nerfstudio.open_recording(write_nerf(tmp_path, scene, document)), scene)


def test_distortion_is_told(tmp_path):
    scene = make_scene()
    source = write_nerf(tmp_path, scene, {**transforms(scene), "k1": 0.05, "k2": 0, "p1": -0.001})
    assert nerfstudio.open_recording(source).notes == ("lens distortion is given (k1 0.05, p1 -0.001) and not removed",)


def test_fisheye_is_refused(tmp_path):
    scene = make_scene()
    source = write_nerf(tmp_path, scene, {**transforms(scene), "camera_model": "OPENCV_FISHEYE"})
    with pytest.raises(InputError, match="a pinhole camera, got OPENCV_FISHEYE"):
        nerfstudio.open_recording(source)


def test_detect_wants_the_name(tmp_path):
    assert not nerfstudio.detect(save(tmp_path / "other.json", json.dumps({})))
    assert not nerfstudio.detect(tmp_path)
    assert not nerfstudio.detect(save(tmp_path / "transforms.png", encoded(make_scene().rgb[0])))


@pytest.mark.shared
def test_real_fox(shared_data):
    recording = nerfstudio.open_recording(shared_data / "fox")
    assert recording.num_frames == 50 and recording.size_hw == (1920, 1080)
    np.testing.assert_allclose(recording.k_px[0], [[1375.52, 0, 554.558], [0, 1374.49, 965.268], [0, 0, 1]])
    assert recording.notes[0].startswith("17 of 67 listed photographs")
    # All cameras look at one place, the fox, which is in front of every one of them.
    center, direction = recording.world_from_camera[:, :3, 3], recording.world_from_camera[:, :3, 2]
    off_ray = np.eye(3) - direction[:, :, None] * direction[:, None, :]
    fox = np.linalg.solve(off_ray.sum(axis=0), (off_ray @ center[:, :, None]).sum(axis=0))[:, 0]
    ahead = ((fox - center) * direction).sum(axis=1)
    assert (ahead > 0).all()
    assert np.linalg.norm((off_ray @ (fox - center)[:, :, None])[:, :, 0], axis=1).max() < 0.5 * ahead.min()


@pytest.mark.shared
def test_epipolar_geometry_of_the_real_fox(shared_data):
    """Matched patches of neighbouring photographs lie on each other's epipolar lines, as far as the lens allows."""
    recording = nerfstudio.open_recording(shared_data / "fox")
    grey = recording.load_rgb([0, 1]).mean(axis=-1).astype(np.float32)
    third = grey.reshape(2, 640, 3, 360, 3).mean(axis=(2, 4))  # neighbours are near each other at a third of the size
    k_px = scale_k(recording.k_px[0], (1920, 1080), (640, 360))
    second_from_first = inverse_rigid(recording.world_from_camera[1]) @ recording.world_from_camera[0]
    distances = epipolar_distances_px(*third, k_px, second_from_first, search_hw=(20, 30), num=120)
    assert len(distances) >= 40
    assert np.median(distances) < 0.5
    opengl_axes = np.diag([1.0, -1, -1, 1]) @ second_from_first @ np.diag([1.0, -1, -1, 1])  # what must not be
    wrong = epipolar_distances_px(*third, k_px, opengl_axes, search_hw=(20, 30), num=120)
    assert np.median(wrong) > 5 * np.median(distances)
