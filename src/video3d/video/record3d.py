"""Record3D ``.r3d``: RGB-D recordings of an iPhone or iPad (LiDAR or FaceID), a zip archive.

In it: ``metadata`` (JSON), ``rgbd/N.jpg``, ``rgbd/N.depth`` (float32 metres, LZFSE-compressed, 0 or NaN unknown) and
``rgbd/N.conf``, which is not read. Metadata: ``w h`` of the colour frame, ``dw dh`` of the depth map, ``K`` (3x3 by
column), ``perFrameIntrinsicCoeffs`` (fx fy cx cy a frame), ``fps``, ``frameTimestamps``, ``poses`` (qx qy qz qw tx ty
tz a frame) and ``initPose``. Pages of the format: https://github.com/marek-simonik/record3d, issues 27, 33, 36 and
64.

- Camera axes are OpenGL's (x right, y up, z backward), turned here to OpenCV's. Poses are world_from_camera, metres.
- World: ARKit's, y up, started where the recording began. Early versions of the app wrote poses relative to the first
  frame instead, whose rotation then is the identity; gravity is claimed only if ``initPose`` brings it back.
- FaceID recordings have no tracking: every pose is the identity, which is taken as unknown.
- Colour and depth see the same. Frames are stored upright, as the app showed them. Principal points lie about half
  the width, so pixel centres are taken to be at +0.5.
- Nothing is extracted to disk, every entry is read up to a bound, and archives with absolute or climbing names are
  refused.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from video3d.types import InputError, LoadDepth, Recording, World
from video3d.video.images import check_size, image_size_hw, read_rgb
from video3d.video.json_files import as_numbers, parse_json_object, want, want_numbers
from video3d.video.lzfse import LzfseError, decompress
from video3d.video.pose_formats import opencv_from_opengl, poses_from_quaternions

_MAX_ENTRIES = 1_000_000
_MAX_METADATA_BYTES, _MAX_IMAGE_BYTES = 64 * 2**20, 64 * 2**20
_LIDAR_DEPTH_HW = (256, 192)  # what recordings that leave out dw and dh have


def detect(path: Path) -> bool:
    """Whether this is a file named ``.r3d`` that opens as a zip archive does."""
    try:
        if path.suffix.lower() != ".r3d" or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open a ``.r3d`` archive.

    Errors: ``InputError`` when it is no archive, has no metadata or frames, counts of frames and poses disagree, or an
    entry is larger than its kind can be.
    """
    archive = _Archive(path=path)
    thing = f"{path}: metadata"
    (text,) = archive.read(["metadata"], _MAX_METADATA_BYTES)
    try:
        metadata = parse_json_object(text.decode("utf-8-sig"), thing)
    except UnicodeDecodeError as error:
        raise InputError(thing, expected="text in UTF-8", got=f"other bytes at {error.start}") from error
    entries = archive.names()
    num_frames = _num_frames(entries, path)
    size_hw = _positive(metadata, "h", thing), _positive(metadata, "w", thing)
    (first,) = archive.read(["rgbd/0.jpg"], _MAX_IMAGE_BYTES)
    rgb_hw = image_size_hw(first, f"{path}: rgbd/0.jpg")
    k_px = _intrinsics(metadata, num_frames, thing) * _scale(size_hw, rgb_hw, path)
    poses, up_world, notes = _poses(metadata, num_frames, thing)
    load_depth_m: LoadDepth | None = None
    depth_hw = None
    if "rgbd/0.depth" in entries:
        depth_hw = _LIDAR_DEPTH_HW
        if "dh" in metadata or "dw" in metadata:
            depth_hw = _positive(metadata, "dh", thing), _positive(metadata, "dw", thing)
        check_size(depth_hw, f"{path}: depth")
        load_depth_m = _DepthFrames(archive=archive, size_hw=depth_hw)
    return Recording(
        source=path,
        format="record3d",
        size_hw=rgb_hw,
        time_s=_times(metadata, num_frames, thing),
        frame_names=tuple(f"rgbd/{i}.jpg" for i in range(num_frames)),
        load_rgb=_RgbFrames(archive=archive, size_hw=rgb_hw),
        load_depth_m=load_depth_m,
        depth_size_hw=depth_hw,
        k_px=k_px,
        world_from_camera=poses,
        up_world=up_world,
        world=World(metric=True, origin="where the recording began"),
        notes=notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    """The zip archive, opened anew for every read so that loaders hold no file open."""

    path: Path

    def names(self) -> frozenset[str]:
        """All entries. Errors: ``InputError`` for a name that points outside, and for absurdly many."""
        with self._opened() as archive:
            names = archive.namelist()
        if len(names) > _MAX_ENTRIES:
            raise InputError(self.path, expected=f"at most {_MAX_ENTRIES} entries", got=len(names))
        for name in names:
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                raise InputError(self.path, expected="entries inside the archive", got=repr(name[:80]))
        return frozenset(names)

    def read(self, names: Sequence[str], max_bytes: int) -> Iterator[bytes]:
        """Bytes of entries. Errors: ``InputError`` when one is missing, damaged, or unpacks to over ``max_bytes``."""
        with self._opened() as archive:
            for name in names:
                yield _read_entry(archive, name, max_bytes, f"{self.path}: {name}")

    def _opened(self) -> zipfile.ZipFile:
        try:
            if self.path.is_file():
                return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(self.path, expected="a zip archive", got=str(error)[:80]) from error
        raise InputError(self.path, expected="a .r3d file", got="no file" if self.path.exists() else "nothing there")


def _read_entry(archive: zipfile.ZipFile, name: str, max_bytes: int, thing: str) -> bytes:
    try:
        with archive.open(name) as entry:
            data = entry.read(max_bytes + 1)
    except KeyError as error:
        raise InputError(thing, expected="this entry in the archive", got="none") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputError(thing, expected="an entry that can be unpacked", got=str(error)[:80]) from error
    if len(data) > max_bytes:
        raise InputError(thing, expected=f"at most {max_bytes} bytes", got="more")
    return data


def _num_frames(entries: frozenset[str], path: Path) -> int:
    matches = (re.fullmatch(r"rgbd/(0|[1-9]\d{0,8})\.jpg", name) for name in entries)
    frames = {int(match.group(1)) for match in matches if match}
    if not frames:
        raise InputError(path, expected="colour frames rgbd/0.jpg, rgbd/1.jpg, ...", got="none")
    for kind in ("jpg", "depth") if "rgbd/0.depth" in entries else ("jpg",):
        missing = next((i for i in range(len(frames)) if f"rgbd/{i}.{kind}" not in entries), None)
        if missing is not None:
            raise InputError(path, expected=f"rgbd/{missing}.{kind}", got=f"none among {len(frames)} frames")
    return len(frames)


def _positive(metadata: dict[str, Any], key: str, thing: str) -> int:
    value = want(metadata, key, (int, float), thing)
    if not (0 < value < 1e6 and value == int(value)):
        raise InputError(f"{thing}: {key}", expected="a number of pixels", got=value)
    return int(value)


def _scale(k_hw: tuple[int, int], rgb_hw: tuple[int, int], path: Path) -> Float64[np.ndarray, "3 1"]:
    """From the size that the metadata give K for to that of the frames, which some versions store larger."""
    if abs(k_hw[0] * rgb_hw[1] - k_hw[1] * rgb_hw[0]) > max(k_hw):
        got = f"{rgb_hw[1]} x {rgb_hw[0]} px"
        raise InputError(f"{path}: rgbd/0.jpg", expected=f"the shape of {k_hw[1]} x {k_hw[0]} in metadata", got=got)
    return np.array([[rgb_hw[1] / k_hw[1]], [rgb_hw[0] / k_hw[0]], [1.0]])


def _intrinsics(metadata: dict[str, Any], num_frames: int, thing: str) -> Float64[np.ndarray, "f 3 3"]:
    """K of every frame at the size in the metadata: per frame where given, else one for all."""
    if metadata.get("perFrameIntrinsicCoeffs"):
        rows = want_numbers(metadata, "perFrameIntrinsicCoeffs", (-1, 4), thing)
        if len(rows) != num_frames:
            raise InputError(f"{thing}: perFrameIntrinsicCoeffs", expected=f"{num_frames}, one a frame", got=len(rows))
        k_px = np.tile(np.eye(3), (num_frames, 1, 1))
        k_px[:, 0, 0], k_px[:, 1, 1], k_px[:, 0, 2], k_px[:, 1, 2] = rows.T
    else:
        by_column = want_numbers(metadata, "K", (9,), thing).reshape(3, 3)
        k_px = np.tile(by_column.T, (num_frames, 1, 1))
    if not (k_px[:, [0, 1], [0, 1]] > 0).all():
        raise InputError(f"{thing}: K", expected="focal lengths above 0", got=k_px[0, [0, 1], [0, 1]].tolist())
    return k_px


def _times(metadata: dict[str, Any], num_frames: int, thing: str) -> Float64[np.ndarray, "f"]:
    if metadata.get("frameTimestamps"):
        time_s = want_numbers(metadata, "frameTimestamps", (-1,), thing)
        if len(time_s) != num_frames:
            raise InputError(f"{thing}: frameTimestamps", expected=f"{num_frames}, one a frame", got=len(time_s))
        return time_s - time_s[0]
    fps = metadata.get("fps")
    if isinstance(fps, int | float) and 0 < fps < 1e6:
        return np.arange(num_frames) / fps
    return np.full(num_frames, np.nan)


def _poses(
    metadata: dict[str, Any], num_frames: int, thing: str
) -> tuple[Float64[np.ndarray, "f 4 4"] | None, Float64[np.ndarray, "3"] | None, tuple[str, ...]]:
    """world_from_camera with OpenCV axes, up where gravity is known, and notes."""
    if not metadata.get("poses"):
        return None, None, ("no poses",)
    rows = want_numbers(metadata, "poses", (-1, 7), thing)
    if len(rows) != num_frames:
        raise InputError(f"{thing}: poses", expected=f"{num_frames}, one a frame", got=len(rows))
    if num_frames > 1 and (rows == rows[0]).all():
        return None, None, ("all poses are the same, as in FaceID recordings: taken as unknown",)
    poses = poses_from_quaternions(rows[:, :4], rows[:, 4:], f"{thing}: poses")
    up_world = np.array([0.0, 1.0, 0.0])
    if _is_unturned(poses[0]):  # relative to the first frame: where is up?
        initial = metadata.get("initPose")
        start = np.eye(4)
        if initial is not None:
            row = as_numbers(initial, (7,), f"{thing}: initPose")[None]
            start = poses_from_quaternions(row[:, :4], row[:, 4:], f"{thing}: initPose")[0]
        if _is_unturned(start):
            note = "poses are relative to the first frame: gravity is not known"
            return opencv_from_opengl(poses), None, (note,)
        poses = start @ poses
    return opencv_from_opengl(poses), up_world, ()


def _is_unturned(pose: Float64[np.ndarray, "4 4"]) -> bool:
    return bool(np.abs(pose[:3, :3] - np.eye(3)).max() < 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RgbFrames:
    archive: _Archive
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        rgb = np.empty((len(indices), *self.size_hw, 3), np.uint8)
        names = [f"rgbd/{i}.jpg" for i in indices]
        for slot, data in enumerate(self.archive.read(names, _MAX_IMAGE_BYTES)):
            rgb[slot] = read_rgb(data, self.size_hw, name=f"{self.archive.path}: {names[slot]}")
        return rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class _DepthFrames:
    archive: _Archive
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f dh dw"]:
        depth_m = np.empty((len(indices), *self.size_hw), np.float32)
        names = [f"rgbd/{i}.depth" for i in indices]
        # What does not compress is stored in blocks with a few bytes of head each.
        max_bytes = self._num_bytes() + self._num_bytes() // 8 + 4096
        for slot, data in enumerate(self.archive.read(names, max_bytes)):
            depth_m[slot] = self._decode(data, f"{self.archive.path}: {names[slot]}")
        return depth_m

    def _num_bytes(self) -> int:
        return 4 * self.size_hw[0] * self.size_hw[1]

    def _decode(self, data: bytes, thing: str) -> Float32[np.ndarray, "dh dw"]:
        num_bytes = self._num_bytes()
        try:
            data = decompress(data, max_bytes=num_bytes)
        except LzfseError as error:
            raise InputError(thing, expected=f"{num_bytes} bytes of depth in LZFSE", got=str(error)) from error
        if len(data) != num_bytes:
            raise InputError(thing, expected=f"{num_bytes} bytes of depth", got=len(data))
        depth_m = np.frombuffer(data, "<f4").reshape(self.size_hw).copy()
        depth_m[~(np.isfinite(depth_m) & (depth_m > 0))] = np.nan
        return depth_m
