"""Folders of images, single images, and folders around one video."""

import numpy as np
import pytest
from format_writers import encoded, make_scene, save
from PIL import Image
from rgbd_writers import write_images
from video_writers import number_in, write_video

from video3d.types import InputError
from video3d.video import open_recording


def test_images_in_natural_order(tmp_path):
    scene = make_scene(num_frames=12)
    recording = open_recording(write_images(tmp_path, scene))
    assert (recording.format, recording.num_frames, recording.size_hw) == ("folder", 12, (48, 64))
    assert recording.frame_names[9:] == ("9.png", "10.png", "11.png")
    np.testing.assert_array_equal(recording.load_rgb([10, 2]), scene.rgb[[10, 2]])
    assert np.isnan(recording.time_s).all() and recording.k_px is None and recording.sequence


@pytest.mark.parametrize("text", ["60\n62\n31.5\n23.5\n", "60 0 31.5\n0 62 23.5\n0 0 1\n", "60 62 31.5 23.5"])
def test_intrinsics_beside_the_images(tmp_path, text):
    write_images(tmp_path, make_scene())
    save(tmp_path / "intrinsics.txt", text)
    recording = open_recording(tmp_path)
    assert recording.k_px[2].tolist() == [[60, 0, 32], [0, 62, 24], [0, 0, 1]]


@pytest.mark.parametrize(
    ("names", "walk"),
    [
        (["f_0010.png", "f_0020.png", "f_0030.png"], True),
        (["IMG_0010.jpg", "IMG_0013.jpg", "IMG_0020.jpg"], False),
        (["kitchen.png", "living.png", "zoo.png"], False),
    ],
)
def test_a_walk_is_told_from_a_collection_by_the_numbers(tmp_path, names, walk):
    assert open_recording(write_images(tmp_path, make_scene(), names)).sequence is walk


def test_photographs_are_a_collection(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    for i in range(3):
        Image.new("RGB", (64, 48)).save(tmp_path / f"{i}.jpg", exif=exif)
    assert not open_recording(tmp_path).sequence


def test_one_image(tmp_path):
    scene = make_scene()
    path = write_images(tmp_path, scene) / "1.png"
    recording = open_recording(path)
    assert (recording.format, recording.num_frames) == ("image", 1)
    np.testing.assert_array_equal(recording.load_rgb([0])[0], scene.rgb[1])
    nameless = save(tmp_path / "no_suffix", path.read_bytes())
    assert open_recording(nameless).format == "image"


def test_folder_with_one_video(tmp_path):
    write_video(tmp_path / "walk.mp4", num_frames=10)
    save(tmp_path / "thumbnail.jpg", encoded(make_scene().rgb[0], "JPEG"))
    recording = open_recording(tmp_path)
    assert recording.format == "video" and number_in(recording.load_rgb([7])[0]) == 7
    write_video(tmp_path / "other.mp4", num_frames=2)
    with pytest.raises(InputError, match=r"expected one video, got 2: other\.mp4, walk\.mp4; name one of them"):
        open_recording(tmp_path)


def test_images_go_before_a_video_beside_them(tmp_path):
    write_images(tmp_path, make_scene())
    write_video(tmp_path / "preview.mp4", num_frames=2)
    recording = open_recording(tmp_path)
    assert recording.format == "folder" and "preview.mp4" in recording.notes[0]


@pytest.mark.parametrize(("name", "num", "focal"), [("nyu_0", 8, 518.858), ("scannet_0", 8, 575.666)])
def test_real_clips_with_intrinsics_alone(shared_data, name, num, focal):
    recording = open_recording(shared_data / "deepv2d_demos" / name)
    assert (recording.format, recording.num_frames, recording.size_hw) == ("folder", num, (480, 640))
    assert recording.k_px[0, 0, 0] == pytest.approx(focal, abs=0.001) and recording.sequence
    assert recording.load_rgb([0, num - 1]).std() > 20
