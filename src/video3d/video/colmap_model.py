"""Reads the two tables of a COLMAP model that a recording needs, text or binary, within the bounds of the files.

Own parsers instead of COLMAP's: those trust the counts in a file, and a wrong one can end the process. Page of the
format: https://colmap.github.io/format.html. Binary files are little-endian: ``cameras.bin`` is a uint64 count and,
for each camera, uint32 id, int32 model, uint64 width and height, float64 parameters; ``images.bin`` a uint64 count
and, for each image, uint32 id, float64 quaternion w x y z and translation (camera_from_world), uint32 camera, a name
that ends in a zero byte, a uint64 count of points and, for each, two float64 and an int64, which are skipped.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError
from video3d.video.pose_formats import poses_from_quaternions
from video3d.video.text_files import numbers, read_text

_PLACES = (".", "sparse/0", "sparse", "colmap/sparse/0")
_MAX_BYTES, _MAX_NAME_BYTES = 4 * 2**30, 4096
_POINT_BYTES = 24

# Number in binary files: name, how many focal lengths (1 for both axes, or 2), how many distortion parameters.
_MODELS = {
    0: ("SIMPLE_PINHOLE", 1, 0),
    1: ("PINHOLE", 2, 0),
    2: ("SIMPLE_RADIAL", 1, 1),
    3: ("RADIAL", 1, 2),
    4: ("OPENCV", 2, 4),
}
_MODEL_OF_NAME = {name: number for number, (name, _, _) in _MODELS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColmapCamera:
    """Intrinsics of one camera: pixel centres at +0.5, distortion as COLMAP's model orders it."""

    size_hw: tuple[int, int]
    k_px: Float64[np.ndarray, "3 3"]
    distortion: tuple[float, ...]


def find_model(path: Path) -> Path | None:
    """The folder of the model at or under ``path``, in the usual places."""
    folders = (path / place for place in _PLACES)
    return next((f for f in folders if _table(f, "cameras") is not None and _table(f, "images") is not None), None)


def _table(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / f"{name}.bin", folder / f"{name}.txt") if p.is_file()), None)


def read_cameras(model: Path) -> dict[int, ColmapCamera]:
    """Cameras by id. Errors: ``InputError`` for a damaged table or a camera model other than the five above."""
    path = _existing(model, "cameras")
    cameras: dict[int, ColmapCamera] = {}
    if path.suffix == ".txt":
        for line, words in _text_rows(path):
            thing = f"{path}: line {line}"
            if len(words) < 5:
                raise InputError(thing, expected="id, model, width, height, parameters", got=f"{len(words)} words")
            size = numbers([words[0], *words[2:4]], thing)
            number = _MODEL_OF_NAME.get(words[1])
            cameras[int(size[0])] = _camera(number, words[1], (size[2], size[1]), numbers(words[4:], thing), thing)
        return cameras
    reader = _Reader.of(path)
    for _ in range(reader.count(24)):
        camera_id, number, width, height = reader.unpack("<IiQQ")
        if number not in _MODELS:
            raise _unknown_model(path, f"number {number}")
        name, num_focal, num_distortion = _MODELS[number]
        values = np.array(reader.unpack(f"<{num_focal + 2 + num_distortion}d"))
        cameras[camera_id] = _camera(number, name, (float(height), float(width)), values, path)
    return cameras


def _unknown_model(thing: object, got: str) -> InputError:
    names = ", ".join(name for name, _, _ in _MODELS.values())
    return InputError(thing, expected=f"a camera model of {names}", got=got, do="run colmap image_undistorter first")


def _camera(
    number: int | None, name: str, size_hw: tuple[float, float], values: Float64[np.ndarray, "p"], thing: object
) -> ColmapCamera:
    if number is None:
        raise _unknown_model(thing, name[:40])
    _, num_focal, num_distortion = _MODELS[number]
    fits = values.size == num_focal + 2 + num_distortion and np.isfinite(values).all()
    if not fits or min(size_hw) < 1 or max(size_hw) > 1e6:
        got = f"{values[:8].tolist()} for {size_hw[1]:g} x {size_hw[0]:g} px"
        raise InputError(thing, expected=f"{num_focal + 2 + num_distortion} parameters of {name} and a size", got=got)
    if not (values[:num_focal] > 0).all():
        raise InputError(thing, expected="focal lengths above 0", got=values[:num_focal].tolist())
    cx, cy = values[num_focal : num_focal + 2]
    return ColmapCamera(
        size_hw=(int(size_hw[0]), int(size_hw[1])),
        k_px=np.array([[values[0], 0.0, cx], [0.0, values[num_focal - 1], cy], [0.0, 0.0, 1.0]]),
        distortion=tuple(values[num_focal + 2 :].tolist()),
    )


def read_images(model: Path) -> dict[str, tuple[int, Float64[np.ndarray, "4 4"]]]:
    """Registered images by name: camera id and camera_from_world. Errors: ``InputError`` for a damaged table."""
    path = _existing(model, "images")
    names, camera_ids, rows = _images_text(path) if path.suffix == ".txt" else _images_binary(path)
    if not names:
        return {}
    if len(set(names)) < len(names):
        raise InputError(path, expected="each image once", got=f"{len(names)} rows for {len(set(names))} names")
    values = np.stack(rows)
    if not np.isfinite(values).all():
        raise InputError(path, expected="finite poses", got="NaN or infinity")
    poses = poses_from_quaternions(np.roll(values[:, :4], -1, axis=1), values[:, 4:], path)
    return {name: (camera, pose) for name, camera, pose in zip(names, camera_ids, poses, strict=True)}


_Images = tuple[list[str], list[int], list[Float64[np.ndarray, "7"]]]


def _images_text(path: Path) -> _Images:
    """Two lines an image: the second lists its points, may be empty, and is skipped."""
    names, camera_ids, rows = [], [], []
    lines = [(i, line) for i, line in enumerate(read_text(path).splitlines(), start=1) if not line.startswith("#")]
    for number, line in lines[::2]:
        words = line.split(maxsplit=9)
        thing = f"{path}: line {number}"
        if len(words) != 10:
            raise InputError(thing, expected="id, quaternion, translation, camera, name", got=f"{len(words)} words")
        values = numbers(words[:9], thing)
        names.append(words[9].strip())
        camera_ids.append(int(values[8]))
        rows.append(values[1:8])
    return names, camera_ids, rows


def _images_binary(path: Path) -> _Images:
    names, camera_ids, rows = [], [], []
    reader = _Reader.of(path)
    for _ in range(reader.count(73)):
        _, *pose, camera_id = reader.unpack("<I7dI")
        names.append(reader.name())
        camera_ids.append(camera_id)
        rows.append(np.array(pose))
        reader.skip(reader.count(_POINT_BYTES) * _POINT_BYTES)
    return names, camera_ids, rows


def _text_rows(path: Path) -> list[tuple[int, list[str]]]:
    lines = enumerate(read_text(path).splitlines(), start=1)
    return [(i, line.split()) for i, line in lines if line.strip() and not line.startswith("#")]


def _existing(model: Path, name: str) -> Path:
    path = _table(model, name)
    if path is None:
        raise InputError(model, expected=f"{name}.bin or {name}.txt", got="neither")
    return path


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Walks through a binary table; whatever would leave it is an ``InputError``."""

    path: Path
    data: bytes
    at: int = 0

    @classmethod
    def of(cls, path: Path) -> "_Reader":
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise InputError(path, expected=f"at most {_MAX_BYTES >> 30} GB", got=f"{path.stat().st_size} bytes")
            return cls(path=path, data=path.read_bytes())
        except OSError as error:
            raise InputError(path, expected="a file that can be read", got=error.strerror or error) from error

    def unpack(self, layout: str) -> tuple:
        """The next values."""
        values = struct.unpack_from(layout, self.data, self.skip(struct.calcsize(layout)))
        return values

    def count(self, item_bytes: int) -> int:
        """A number of items of at least ``item_bytes`` each, for which there must be room."""
        (number,) = self.unpack("<Q")
        if number * item_bytes > len(self.data) - self.at:
            got = f"{number} in {len(self.data)} bytes"
            raise InputError(self.path, expected="as many items as the file has room for", got=got)
        return number

    def name(self) -> str:
        """Text up to a zero byte."""
        end = self.data.find(b"\0", self.at, self.at + _MAX_NAME_BYTES)
        if end < 0:
            raise InputError(self.path, expected="an image name that ends in a zero byte", got="none")
        raw, self.at = self.data[self.at : end], end + 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(self.path, expected="image names in UTF-8", got="other bytes") from error

    def skip(self, size: int) -> int:
        """Moves on by ``size`` bytes; where it was before."""
        before = self.at
        if before + size > len(self.data):
            raise InputError(self.path, expected="a whole table", got=f"one that ends after {len(self.data)} bytes")
        self.at += size
        return before
