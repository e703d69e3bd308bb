"""The one place where image files are opened: colour to upright RGB, depth to metres with NaN where unknown.

What a file is, its content says and not its name: a PNG called ``.jpg`` is read as the PNG that it is. Only plain image
formats are tried (Pillow would hand PostScript to an interpreter). A header that claims an absurd size is refused
before a pixel is decoded, and whatever a decoder raises on a damaged file becomes one ``InputError``.
"""

import io
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from video3d.types import InputError

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif", ".mpo")
)
DEPTH_UNKNOWN_RAW = (0, 65535)  # no return, and saturated: neither is a distance

_FORMATS = ("JPEG", "PNG", "MPO", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
_MIN_SIDE_PX, _MAX_SIDE_PX, _MAX_PX = 16, 12_000, 100_000_000
_EXIF_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)
_SIZES_CHECKED_AT_OPEN = 256


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts names as a person counts: numbers by value, the rest by letter.

    >>> sorted(["10.png", "9.png", "a2.png", "a10.png"], key=natural_key)
    ['9.png', '10.png', 'a2.png', 'a10.png']
    """
    parts = re.split(r"(\d+)", name)
    # int() takes any decimal digit but has a limit of 4300 digits; 18 are plenty for a frame number.
    return tuple((0, int(p), p) if p.isdecimal() and len(p) <= 18 else (1, 0, p) for p in parts if p)


def list_images(folder: Path) -> list[Path]:
    """The image files of one folder, by suffix, naturally sorted; hidden files are left out.

    Errors: a folder that cannot be listed is an ``InputError``.
    """
    try:
        entries = [p for p in folder.iterdir() if not p.name.startswith(".")]
        files = [p for p in entries if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    except OSError as error:
        raise InputError(folder, expected="a folder that can be listed", got=error.strerror or error) from error
    return sorted(files, key=lambda p: natural_key(p.name))


def path_inside(root: Path, name: str, *, named_by: object) -> Path:
    """``root / name``, refused when it leaves ``root``: names that come from a file must not reach elsewhere.

    Args:
        root: the recording's folder.
        name: a relative path as a file of the recording gives it.
        named_by: that file, for the error.

    >>> path_inside(Path("room"), "rgb/1.png", named_by="rgb.txt").as_posix()
    'room/rgb/1.png'
    >>> path_inside(Path("room"), "../other/1.png", named_by="rgb.txt")
    Traceback (most recent call last):
    video3d.types.errors.InputError: rgb.txt: expected file names inside the recording, got '../other/1.png'
    """
    inside = os.path.normpath(name.replace("\\", "/"))
    if not name or "\0" in name or Path(inside).is_absolute() or inside.split("/")[0] == ".." or inside == ".":
        raise InputError(named_by, expected="file names inside the recording", got=repr(name[:80]))
    return root / inside


def check_size(size_hw: tuple[int, int], name: object) -> None:
    """Refuses a frame that is absurdly small or large: under 16 px, over 12,000 px a side, over 100 megapixels."""
    height, width = size_hw
    if min(size_hw) < _MIN_SIDE_PX or max(size_hw) > _MAX_SIDE_PX or height * width > _MAX_PX:
        raise InputError(
            name,
            expected=f"{_MIN_SIDE_PX} to {_MAX_SIDE_PX} px a side and at most {_MAX_PX // 10**6} megapixels",
            got=f"{width} x {height} px",
        )


def image_size_hw(source: Path | bytes, name: object = "") -> tuple[int, int]:
    """Upright height and width of an image, from its header alone.

    Args:
        source: a file, or the bytes of one.
        name: what to call it in an error; the path by default.
    """
    with _opened(source, name) as image:
        return _upright_size_hw(image)


def read_rgb(
    source: Path | bytes, size_hw: tuple[int, int] | None = None, *, name: object = ""
) -> UInt8[np.ndarray, "h w 3"]:
    """Upright RGB of an image of any mode: EXIF orientation is applied, 16 bits become 8, transparency becomes white.

    Args:
        source: a file, or the bytes of one.
        size_hw: the size that the image must have, where that is known.
        name: what to call it in an error; the path by default.

    Errors: ``InputError`` for what is missing, no image, truncated, damaged, of absurd size or not of ``size_hw``.
    """
    with _opened(source, name) as image:
        name = _name(source, name)
        if size_hw is not None and _upright_size_hw(image) != size_hw:
            raise _other_size(name, expected_hw=size_hw, got_hw=_upright_size_hw(image))
        try:
            return np.array(_rgb(ImageOps.exif_transpose(image), name))
        except InputError:
            raise
        except Exception as error:  # decoders raise anything at all on damaged files
            raise InputError(name, expected="an image that decodes", got=_first_words(error)) from error


def read_depth_png_m(
    source: Path | bytes,
    units_per_m: float = 1000.0,
    unknown: Sequence[int] = DEPTH_UNKNOWN_RAW,
    *,
    size_hw: tuple[int, int] | None = None,
    name: object = "",
) -> Float32[np.ndarray, "dh dw"]:
    """z-depth in metres of a 16-bit grey image, NaN where unknown.

    Args:
        source: a file, or the bytes of one.
        units_per_m: raw units in a metre: 1000 for millimetres, 5000 for TUM.
        unknown: raw values that mean that nothing was measured.
        size_hw: the size that the map must have, where that is known.
        name: what to call it in an error; the path by default.

    Errors: ``InputError`` as for ``read_rgb``, and for an image that is not 16-bit grey: 8 bits are a picture of depth.
    """
    with _opened(source, name) as image:
        name = _name(source, name)
        if not (image.mode.startswith("I;16") or image.mode == "I"):
            raise InputError(name, expected="depth as a 16-bit grey PNG", got=f"an image of mode {image.mode}")
        got_hw = (image.height, image.width)  # depth maps carry no EXIF: stored upright or not at all
        if size_hw is not None and got_hw != size_hw:
            raise _other_size(name, expected_hw=size_hw, got_hw=got_hw)
        try:
            raw = np.asarray(image)
        except Exception as error:  # decoders raise anything at all on damaged files
            raise InputError(name, expected="a depth map that decodes", got=_first_words(error)) from error
    depth_m = raw.astype(np.float32)
    depth_m /= np.float32(units_per_m)  # a product with the reciprocal would not round as the division does
    for value in unknown:
        depth_m[raw == value] = np.nan
    return depth_m


@dataclass(frozen=True, slots=True)
class RgbFiles:
    """``LoadRgb`` over a list of image files; a file that is not of ``size_hw`` is an ``InputError`` that names it."""

    paths: tuple[Path, ...]
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        """Decodes the files at ``indices``, in that order."""
        rgb = np.empty((len(indices), *self.size_hw, 3), np.uint8)

        def read(slot: int) -> None:
            rgb[slot] = read_rgb(self.paths[indices[slot]], self.size_hw)

        _in_threads(read, len(indices))
        return rgb


@dataclass(frozen=True, slots=True)
class DepthFiles:
    """``LoadDepth`` over a list of 16-bit grey files, ``units_per_m`` raw units in a metre, NaN where unknown."""

    paths: tuple[Path, ...]
    size_hw: tuple[int, int]
    units_per_m: float = 1000.0
    unknown: tuple[int, ...] = DEPTH_UNKNOWN_RAW

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f dh dw"]:
        """Decodes the files at ``indices``, in that order."""
        depth_m = np.empty((len(indices), *self.size_hw), np.float32)

        def read(slot: int) -> None:
            path = self.paths[indices[slot]]
            depth_m[slot] = read_depth_png_m(path, self.units_per_m, self.unknown, size_hw=self.size_hw)

        _in_threads(read, len(indices))
        return depth_m


def rgb_files(paths: Iterable[Path]) -> RgbFiles:
    """A loader of colour frames; the first frame decides the size, and headers are checked against it here.

    Of long recordings only 256 headers are read, evenly spread; the loader checks every frame that it reads.
    """
    paths = tuple(paths)
    return RgbFiles(paths, _common_size_hw(paths))


def depth_files(
    paths: Iterable[Path], units_per_m: float = 1000.0, unknown: tuple[int, ...] = DEPTH_UNKNOWN_RAW
) -> DepthFiles:
    """A loader of depth maps (see ``read_depth_png_m``); sizes are checked as for ``rgb_files``."""
    paths = tuple(paths)
    size_hw = _common_size_hw(paths)
    read_depth_png_m(paths[0], units_per_m, unknown)  # 8-bit pictures of depth are refused before any work is done
    return DepthFiles(paths, size_hw, units_per_m, unknown)


def has_camera_exif(path: Path) -> bool:
    """Whether a photographer's camera wrote the file (maker, or the time of the exposure)."""
    with _opened(path, "") as image:
        exif = image.getexif()
        return bool(exif.get(0x010F) or exif.get(0x9003) or exif.get_ifd(0x8769).get(0x9003))


def is_image(path: Path) -> bool:
    """Whether the content of a file is an image that can be opened."""
    try:
        _opened(path, "", checked=False).close()
    except InputError:
        return False
    return True


def _opened(source: Path | bytes, name: object, *, checked: bool = True) -> Image.Image:
    """The image with its header read and its size checked; nothing is decoded."""
    name = _name(source, name)
    if isinstance(source, Path) and not source.is_file():  # a pipe or a device would block or never end
        raise InputError(name, expected="an image file", got="nothing there" if not source.exists() else "no file")
    try:
        with warnings.catch_warnings():  # our own limit on the size follows
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=_known_formats())
    except UnidentifiedImageError as error:
        raise InputError(name, expected="an image", got=_what_is_there(source)) from error
    except Exception as error:  # parsers of headers raise anything at all on damaged files
        raise InputError(name, expected="an image", got=_first_words(error)) from error
    if checked:
        try:
            check_size(_upright_size_hw(image), name)
        except BaseException:
            image.close()
            raise
    return image


def _known_formats() -> tuple[str, ...]:
    """Of the formats above those that this build of Pillow has."""
    Image.init()
    return tuple(f for f in _FORMATS if f in Image.OPEN)


def _upright_size_hw(image: Image.Image) -> tuple[int, int]:
    try:
        turned = image.getexif().get(_EXIF_ORIENTATION) in _QUARTER_TURNS
    except Exception:  # damaged EXIF: nothing is known of the orientation, the pixels may still be fine
        turned = False
    return (image.width, image.height) if turned else (image.height, image.width)


def _rgb(image: Image.Image, name: object) -> Image.Image | np.ndarray:
    """Three channels of 8 bits of an image of any mode."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image).astype(np.int64)
        grey = (np.clip(values, 0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode == "F":
        raise InputError(name, expected="8 or 16 bits a channel", got="an image of floating point values")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _common_size_hw(paths: tuple[Path, ...]) -> tuple[int, int]:
    size_hw = image_size_hw(paths[0])
    spread = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), _SIZES_CHECKED_AT_OPEN)).round().astype(int))
    for i in spread:
        got_hw = image_size_hw(paths[i])
        if got_hw != size_hw:
            raise _other_size(paths[i], expected_hw=size_hw, got_hw=got_hw)
    return size_hw


def _other_size(name: object, *, expected_hw: tuple[int, int], got_hw: tuple[int, int]) -> InputError:
    return InputError(
        name,
        expected=f"{expected_hw[1]} x {expected_hw[0]} px as in the first frame",
        got=f"{got_hw[1]} x {got_hw[0]} px",
        do="use frames of one size and orientation",
    )


def _in_threads(read: Any, num: int) -> None:
    """Calls ``read(0)`` to ``read(num - 1)`` in threads (decoders release the interpreter); raises the first error."""
    if num < 2:
        for slot in range(num):
            read(slot)
        return
    with ThreadPoolExecutor(min(num, os.cpu_count() or 1, 8)) as pool:
        for _ in pool.map(read, range(num)):
            pass


def _name(source: Path | bytes, name: object) -> object:
    return name or (source if isinstance(source, Path) else "image")


def _what_is_there(source: Path | bytes) -> str:
    empty = (source.stat().st_size if isinstance(source, Path) else len(source)) == 0
    return "an empty file" if empty else "content of no known image format"


def _first_words(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "a file that may not be read"
    return (str(error) or type(error).__name__)[:120]
