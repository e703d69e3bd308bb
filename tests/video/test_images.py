"""Images of every kind that a camera, a phone or a careless tool writes."""

import io
import pickle

import numpy as np
import pytest
from format_writers import encoded, save
from PIL import Image, PngImagePlugin

from video3d.types import InputError
from video3d.video import images
from video3d.video.images import (
    depth_files,
    has_camera_exif,
    image_size_hw,
    is_image,
    list_images,
    natural_key,
    path_inside,
    read_depth_png_m,
    read_rgb,
    rgb_files,
)


@pytest.fixture
def picture(rng):
    return rng.integers(0, 255, (24, 32, 3)).astype(np.uint8)


def saved(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "bmp", "tif", "ppm"])
def test_lossless_formats_come_back_exactly(tmp_path, picture, suffix):
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(picture), **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_rgb(path), picture)
    assert image_size_hw(path) == (24, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", Image.fromarray(picture), exif=exif)
    upright = {
        1: picture, 2: picture[:, ::-1], 3: np.rot90(picture, 2), 4: picture[::-1],
        5: picture.transpose(1, 0, 2), 6: np.rot90(picture, -1), 7: np.rot90(picture, 2).transpose(1, 0, 2),
        8: np.rot90(picture, 1),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(read_rgb(path), upright)
    assert image_size_hw(path) == upright.shape[:2]


def test_16_bits_become_8(tmp_path):
    raw = np.linspace(0, 65535, 24 * 32).reshape(24, 32).astype(np.uint16)
    rgb = read_rgb(saved(tmp_path / "a.png", Image.fromarray(raw)))
    assert rgb.shape == (24, 32, 3) and (rgb[..., 0] == raw >> 8).all() and (rgb[..., 1] == rgb[..., 2]).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "YCbCr"])
def test_other_modes_become_rgb(tmp_path, mode):
    grey = Image.fromarray(np.repeat(np.linspace(0, 255, 32).astype(np.uint8)[None], 24, 0))
    image = grey.convert("RGB").convert("L").convert(mode) if mode in ("1", "LA") else grey.convert("RGB").convert(mode)
    path = saved(tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png"), image)
    rgb = read_rgb(path)
    assert rgb.shape == (24, 32, 3) and rgb[:, :2].mean() < 16 and rgb[:, -2:].mean() > 239


def test_transparency_becomes_white(tmp_path, picture):
    alpha = np.full((24, 32), 255, np.uint8)
    alpha[:12] = 0
    rgba = np.dstack([picture, alpha])
    rgb = read_rgb(saved(tmp_path / "a.png", Image.fromarray(rgba)))
    assert (rgb[:12] == 255).all() and (rgb[12:] == picture[12:]).all()
    palette = Image.fromarray(picture[..., 0]).convert("P")
    assert (read_rgb(saved(tmp_path / "b.png", palette, transparency=int(palette.getpixel((0, 0)))))[0, 0] == 255).all()


def test_content_counts_and_not_the_name(tmp_path, picture):
    path = save(tmp_path / "a.jpg", encoded(picture))
    np.testing.assert_array_equal(read_rgb(path), picture)
    assert is_image(path) and not is_image(save(tmp_path / "b.jpg", "text"))
    np.testing.assert_array_equal(read_rgb(encoded(picture), name="frame 3"), picture)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_cut_short(tmp_path, picture, share, kind):
    content = encoded(picture, kind)
    with pytest.raises(InputError, match=r"cut\.img"):
        read_rgb(save(tmp_path / "cut.img", content[: int(len(content) * share)]))


def test_errors_name_the_thing(tmp_path, picture):
    with pytest.raises(InputError, match=r"none\.png: expected an image file, got nothing there"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(InputError, match=r"empty\.png: expected an image, got an empty file"):
        read_rgb(save(tmp_path / "empty.png", b""))
    with pytest.raises(InputError, match=r"frame 3: expected an image, got content of no known image format"):
        read_rgb(b"nonsense", name="frame 3")
    with pytest.raises(InputError, match="40 x 30 px as in the first frame, got 32 x 24 px"):
        read_rgb(save(tmp_path / "a.png", encoded(picture)), (30, 40))


def test_postscript_is_not_run(tmp_path):
    with pytest.raises(InputError, match="no known image format"):
        read_rgb(save(tmp_path / "a.png", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n"))


@pytest.mark.parametrize("size", [(8, 100), (100, 15), (20_000, 16), (12_001, 16)])
def test_absurd_sizes_are_refused(tmp_path, size):
    path = saved(tmp_path / "a.png", Image.new("L", size))
    with pytest.raises(InputError, match=f"got {size[0]} x {size[1]} px"):
        read_rgb(path)


def huge_header(size):
    """A PNG that claims a size and has no pixels."""
    buffer = io.BytesIO()
    buffer.write(b"\x89PNG\r\n\x1a\n")
    PngImagePlugin.putchunk(buffer, b"IHDR", np.array(size, ">u4").tobytes() + b"\x08\x02\0\0\0")
    PngImagePlugin.putchunk(buffer, b"IEND", b"")
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(11_000, 11_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(tmp_path, size, recwarn):
    with pytest.raises(InputError):
        read_rgb(save(tmp_path / "bomb.png", huge_header(size)))
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_damaged_bytes_give_a_picture_or_one_error(picture, kind):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    rng = np.random.default_rng(len(kind))
    for _ in range(60):
        content = bytearray(buffer.getvalue())
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(0, 256)
        try:
            assert read_rgb(bytes(content), name="frame").dtype == np.uint8
        except InputError as error:
            assert str(error).startswith("frame")


def test_depth_in_metres_with_nan(tmp_path):
    raw = np.array([[0, 1, 1000, 65534, 65535, 5000]], np.uint16).repeat(16, 0).repeat(4, 1)
    path = saved(tmp_path / "d.png", Image.fromarray(raw))
    nan = np.nan
    assert_row(read_depth_png_m(path), [nan, 0.001, 1.0, 65.534, nan, 5.0])
    assert_row(read_depth_png_m(path, 5000.0, (0,)), [nan, 0.0002, 0.2, 13.1068, 13.107, 1.0])
    with pytest.raises(InputError, match="8 x 8 px as in the first frame"):
        read_depth_png_m(path, size_hw=(8, 8))


def assert_row(depth_m, row):
    assert depth_m.dtype == np.float32
    np.testing.assert_allclose(depth_m[3, ::4], row, rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "F"])
def test_a_picture_of_depth_is_no_depth(tmp_path, mode):
    path = saved(tmp_path / ("d.tif" if mode == "F" else "d.png"), Image.new("L", (32, 24)).convert(mode))
    with pytest.raises(InputError, match="16-bit grey PNG, got an image of mode " + mode):
        read_depth_png_m(path)


def test_lists_are_sorted_as_people_count(tmp_path, picture):
    for name in ("10.png", "9.png", "1.JPG", ".hidden.png", "notes.txt", "b2.png", "b10.png"):
        save(tmp_path / name, encoded(picture))
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_images(tmp_path)] == ["1.JPG", "9.png", "10.png", "b2.png", "b10.png"]
    assert sorted(["a" * 3 + "9" * 30, "x٣"], key=natural_key)  # digits of any script and any length


def test_loaders_decode_what_is_asked_in_order(tmp_path, rng):
    pictures = rng.integers(0, 255, (5, 24, 32, 3)).astype(np.uint8)
    depths = rng.integers(1, 9000, (5, 24, 32)).astype(np.uint16)
    color = [save(tmp_path / f"{i}.png", encoded(p)) for i, p in enumerate(pictures)]
    maps = [save(tmp_path / f"d{i}.png", encoded(d)) for i, d in enumerate(depths)]
    load_rgb, load_depth = (pickle.loads(pickle.dumps(x)) for x in (rgb_files(color), depth_files(maps, 500.0)))
    np.testing.assert_array_equal(load_rgb([4, 0, 4]), pictures[[4, 0, 4]])
    np.testing.assert_allclose(load_depth([3, 1]), depths[[3, 1]] / 500, rtol=1e-6)
    assert load_rgb([]).shape == (0, 24, 32, 3)


def test_one_frame_of_another_size_is_named(tmp_path, picture, monkeypatch):
    paths = [save(tmp_path / f"{i}.png", encoded(picture)) for i in range(5)]
    save(paths[3], encoded(picture[:20]))
    with pytest.raises(InputError, match=r"3\.png: expected 32 x 24 px"):
        rgb_files(paths)
    monkeypatch.setattr(images, "_SIZES_CHECKED_AT_OPEN", 2)
    load = rgb_files(paths)  # not looked at when opening a long recording, but when it is read
    load([0, 4])
    with pytest.raises(InputError, match=r"3\.png: expected 32 x 24 px"):
        load([2, 3])


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a/../../b.png", "", ".", "..\\a.png", "a\0.png"])
def test_names_that_lead_out(tmp_path, name):
    with pytest.raises(InputError, match=r"list\.txt"):
        path_inside(tmp_path, name, named_by="list.txt")


def test_photographs_are_known_by_their_exif(tmp_path, picture):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    assert has_camera_exif(saved(tmp_path / "a.jpg", Image.fromarray(picture), exif=exif))
    assert not has_camera_exif(saved(tmp_path / "b.jpg", Image.fromarray(picture)))
