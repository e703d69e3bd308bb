"""COLMAP models: written by hand and by pycolmap, read back."""

import numpy as np
import pytest
from drive_writers import write_colmap
from format_writers import check_recording, encoded, make_scene, save
from PIL import Image

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError
from video3d.video import colmap


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("below", ["", "sparse", "sparse/0"])
def test_round_trip(tmp_path, binary, below):
    scene = make_scene()
    source = write_colmap(tmp_path, scene, binary=binary) / below
    if below == "sparse":
        (tmp_path / "sparse/0").rename(tmp_path / "model")
        (tmp_path / "sparse").rmdir()
        (tmp_path / "model").rename(source)
    assert colmap.detect(source)
    recording = colmap.open_recording(source)
    check_recording(recording, scene, depth=False)
    assert not recording.world.metric and recording.up_world is None and not recording.sequence and not recording.notes


@pytest.mark.parametrize("binary", [False, True])
def test_photographs_that_were_not_registered(tmp_path, binary):
    scene = make_scene(num_frames=4)
    recording = colmap.open_recording(write_colmap(tmp_path, scene, binary=binary, registered=[0, 3]))
    assert recording.frame_names == ("000.png", "001.png", "002.png", "003.png")
    assert np.isnan(recording.world_from_camera[[1, 2]]).all()
    np.testing.assert_allclose(recording.world_from_camera[3], scene.world_from_camera[3], atol=1e-12)
    np.testing.assert_allclose(recording.k_px[1], scene.k_px)
    assert recording.notes == ("2 of 4 photographs were not registered and have no pose",)


def test_photographs_of_other_sizes_are_left_out(tmp_path):
    scene = make_scene()
    source = write_colmap(tmp_path, scene, binary=False)
    model = source / "sparse/0"
    save(model / "cameras.txt", (model / "cameras.txt").read_text() + "8 SIMPLE_RADIAL 40 32 50 20 16 0.01\n")
    line = (model / "images.txt").read_text().splitlines()[1].replace(" 7 000.png", " 8 small.png")
    save(model / "images.txt", (model / "images.txt").read_text() + line.replace("1 ", "9 ", 1) + "\n\n")
    save(source / "images/small.png", encoded(np.zeros((32, 40, 3), np.uint8)))
    save(source / "images/unknown.png", encoded(np.zeros((48, 64, 3), np.uint8)))
    recording = colmap.open_recording(source)
    check_recording(recording, scene, depth=False)
    assert recording.notes == (
        "photographs that were not registered and are left out, as their camera is not known: 1",
        "photographs left out for another size than 64 x 48 px: 1",
    )


def test_distortion_is_told_and_fisheye_refused(tmp_path):
    scene = make_scene()
    source = write_colmap(tmp_path, scene, binary=False)
    cameras = source / "sparse/0/cameras.txt"
    save(cameras, "7 OPENCV 64 48 57.6 60.8 33.25 23.5 0.1 -0.02 0 0.001\n")
    recording = colmap.open_recording(source)
    np.testing.assert_allclose(recording.k_px[0], scene.k_px)
    assert recording.notes == ("lens distortion is given (0.1, -0.02, 0, 0.001) and not removed",)
    save(cameras, "7 OPENCV_FISHEYE 64 48 57.6 60.8 33.25 23.5 0.1 -0.02 0 0.001\n")
    with pytest.raises(InputError, match="got OPENCV_FISHEYE; run colmap image_undistorter"):
        colmap.open_recording(source)


def test_photographs_that_exif_turns_keep_their_geometry(tmp_path):
    scene = make_scene()
    source = write_colmap(tmp_path, scene, binary=True)
    for i in range(3):
        exif = Image.Exif()
        exif[0x0112] = (8, 6, 8)[i]
        Image.fromarray(scene.rgb[i]).save(source / f"images/{i:03d}.png", exif=exif)
    recording = colmap.open_recording(source)
    assert recording.size_hw == (64, 48)
    check_recording(recording, scene, depth=False, exact_size=False)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("model", ["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"])
def test_models_that_pycolmap_writes(tmp_path, model, text):
    pycolmap = pytest.importorskip("pycolmap")
    scene = make_scene()
    reconstruction = pycolmap.Reconstruction()
    focal = [50.0, 51.0] if model in ("PINHOLE", "OPENCV") else [50.0]
    distortion = {"SIMPLE_RADIAL": [0.01], "RADIAL": [0.01, 0.02], "OPENCV": [0.01, 0.02, 0.003, 0.004]}.get(model, [])
    camera = pycolmap.Camera(model=model, width=64, height=48, params=[*focal, 31.0, 25.0, *distortion], camera_id=3)
    reconstruction.add_camera_with_trivial_rig(camera)
    for i, pose in enumerate(inverse_rigid(scene.world_from_camera)):
        image = pycolmap.Image(name=f"{i:03d}.png", camera_id=3, image_id=i + 1)
        reconstruction.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
    source = write_colmap(tmp_path, scene, binary=False)
    folder = tmp_path / "sparse/0"
    for path in folder.iterdir():
        path.unlink()
    (reconstruction.write_text if text else reconstruction.write_binary)(str(folder))
    recording = colmap.open_recording(source)
    np.testing.assert_allclose(recording.k_px[1], [[50, 0, 31], [0, focal[-1], 25], [0, 0, 1]])
    np.testing.assert_allclose(recording.world_from_camera, scene.world_from_camera, atol=1e-9)
    assert bool(recording.notes) == bool(distortion)
