"""ScanNet's ``.sens`` (version 4): a whole RGB-D recording in one binary file. Only the frames asked for are decoded.

Little-endian. Head: uint32 version, uint64 length and bytes of the sensor's name, four 4x4 float32 by row (colour K
and extrinsics, depth K and extrinsics), int32 colour and depth compression, uint32 colour and depth width and height,
float32 depth units in a metre, uint64 number of frames. A frame: 4x4 float32 pose, uint64 times of colour and depth
in microseconds, uint64 byte counts of colour and depth, then their bytes. What follows (IMU) is not read. Page of the
format: https://github.com/ScanNet/ScanNet (SensReader).

Axes, pixel centres, alignment of depth, lost poses and world are those of ``scannet``. Depth 0 and 65535 are unknown.
Every count and size in the file is checked against the file's own size before it is used.
"""

import itertools
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from video3d.types import InputError, Recording, World
from video3d.video.images import DEPTH_UNKNOWN_RAW, check_size, read_rgb
from video3d.video.registration import register

_VERSION, _MAX_NAME_BYTES = 4, 4096
_CAMERAS = struct.Struct("<64f2i4IfQ")
_FRAME = struct.Struct("<16f4Q")
_COLOR_RAW, _COLOR_PNG, _COLOR_JPEG = 0, 1, 2
_DEPTH_RAW, _DEPTH_ZLIB = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    rgb_k_px: Float64[np.ndarray, "3 3"]
    depth_k_px: Float64[np.ndarray, "3 3"]
    has_extrinsics: bool
    rgb_compression: int
    depth_compression: int
    rgb_hw: tuple[int, int]
    depth_hw: tuple[int, int]
    units_per_m: float
    num_frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """Where every frame's bytes are: (colour start, colour size, depth size); depth follows colour."""

    spans: tuple[tuple[int, int, int], ...]
    time_us: tuple[int, ...]
    world_from_camera: Float64[np.ndarray, "f 4 4"]


def detect(path: Path) -> bool:
    """Whether this is a file named ``.sens`` that opens with version 4."""
    try:
        if path.suffix.lower() != ".sens" or not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) == struct.pack("<I", _VERSION)
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open a ``.sens`` file: reads the head and seeks from frame to frame, no pixel is decoded.

    Errors: ``InputError`` for another version, a compression that is not JPEG, PNG or raw (colour) or zlib or raw
    (depth), and for every count or size that does not fit into the file.
    """
    try:
        if not path.is_file():
            raise InputError(path, expected="a .sens file", got="nothing there" if not path.exists() else "no file")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = _read_head(file, size, path)
            index = _read_index(file, size, head, path)
    except OSError as error:
        raise InputError(path, expected="a .sens file", got=error.strerror or error) from error
    loader, notes = register(
        _DepthFrames(path=path, head=head, index=index),
        depth_hw=head.depth_hw,
        depth_k_px=head.depth_k_px,
        rgb_hw=head.rgb_hw,
        rgb_k_px=head.rgb_k_px,
        thing=path,
    )
    if head.has_extrinsics:
        notes += ("the file's camera extrinsics are not applied: ScanNet's colour and depth are aligned already",)
    if num_lost := int(np.isnan(index.world_from_camera[:, 0, 0]).sum()):
        notes += (f"{num_lost} of {head.num_frames} frames have no pose (lost by tracking)",)
    return Recording(
        source=path,
        format="scannet_sens",
        size_hw=head.rgb_hw,
        time_s=_times(index.time_us),
        frame_names=tuple(str(i) for i in range(head.num_frames)),
        load_rgb=_RgbFrames(path=path, head=head, index=index),
        load_depth_m=loader,
        depth_size_hw=head.depth_hw,
        k_px=np.tile(head.rgb_k_px, (head.num_frames, 1, 1)),
        world_from_camera=index.world_from_camera,
        up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="ScanNet's scan"),
        notes=notes,
    )


def _read_head(file: BinaryIO, size: int, path: Path) -> _Head:
    start = file.read(12)
    if len(start) < 12 or struct.unpack("<I", start[:4])[0] != _VERSION:
        got = f"version {struct.unpack('<I', start[:4])[0]}" if len(start) >= 4 else f"{size} bytes"
        raise InputError(path, expected=f"a .sens file of version {_VERSION}", got=got)
    (name_bytes,) = struct.unpack("<Q", start[4:])
    if name_bytes > _MAX_NAME_BYTES:
        raise InputError(path, expected="a sensor name", got=f"one of {name_bytes} bytes")
    file.seek(12 + name_bytes)
    packed = file.read(_CAMERAS.size)
    if len(packed) < _CAMERAS.size:
        raise InputError(path, expected="a whole .sens head", got=f"a file that ends after {size} bytes")
    values = _CAMERAS.unpack(packed)
    matrices = np.array(values[:64], np.float64).reshape(4, 4, 4)
    rgb_compression, depth_compression, rgb_w, rgb_h, depth_w, depth_h, units_per_m, num_frames = values[64:]
    if rgb_compression not in (_COLOR_RAW, _COLOR_PNG, _COLOR_JPEG) or depth_compression not in (
        _DEPTH_RAW,
        _DEPTH_ZLIB,
    ):
        got = f"colour compression {rgb_compression}, depth compression {depth_compression}"
        raise InputError(path, expected="colour raw, PNG or JPEG and depth raw or zlib", got=got)
    check_size((rgb_h, rgb_w), f"{path}: colour")
    check_size((depth_h, depth_w), f"{path}: depth")
    if not (np.isfinite(units_per_m) and units_per_m > 0):
        raise InputError(path, expected="a number of depth units in a metre above 0", got=units_per_m)
    if num_frames == 0 or num_frames * _FRAME.size > size:
        raise InputError(path, expected="as many frames as the file has room for", got=f"{num_frames} in {size} bytes")
    return _Head(
        rgb_k_px=_k(matrices[0], f"{path}: colour intrinsics"),
        depth_k_px=_k(matrices[2], f"{path}: depth intrinsics"),
        has_extrinsics=not (np.allclose(matrices[1], np.eye(4)) and np.allclose(matrices[3], np.eye(4))),
        rgb_compression=rgb_compression,
        depth_compression=depth_compression,
        rgb_hw=(rgb_h, rgb_w),
        depth_hw=(depth_h, depth_w),
        units_per_m=units_per_m,
        num_frames=num_frames,
    )


def _k(matrix: Float64[np.ndarray, "4 4"], thing: str) -> Float64[np.ndarray, "3 3"]:
    k_px = matrix[:3, :3].copy()
    if not (np.isfinite(k_px).all() and k_px[0, 0] > 0 and k_px[1, 1] > 0):
        raise InputError(thing, expected="focal lengths above 0", got=f"fx {k_px[0, 0]:g}, fy {k_px[1, 1]:g}")
    k_px[:2, 2] += 0.5
    return k_px


def _read_index(file: BinaryIO, size: int, head: _Head, path: Path) -> _Index:
    num_frames = head.num_frames
    # No codec makes more than twice the raw pixels of a picture: what claims to be larger is no frame.
    max_rgb_bytes, max_depth_bytes = (2 * 3 * hw[0] * hw[1] + 65536 for hw in (head.rgb_hw, head.depth_hw))
    spans, times, poses = [], [], np.full((num_frames, 16), np.nan)
    for frame in range(num_frames):
        packed = file.read(_FRAME.size)
        start = file.tell()
        if len(packed) < _FRAME.size:
            raise InputError(path, expected=f"{num_frames} frames", got=f"a file that ends in frame {frame}")
        *pose, time_us, _, rgb_bytes, depth_bytes = _FRAME.unpack(packed)
        if start + rgb_bytes + depth_bytes > size:
            raise InputError(path, expected=f"{num_frames} frames", got=f"a file that ends in frame {frame}")
        if rgb_bytes > max_rgb_bytes or depth_bytes > max_depth_bytes:
            got = f"{rgb_bytes} bytes of colour and {depth_bytes} of depth in frame {frame}"
            raise InputError(path, expected="frames no larger than their pixels", got=got)
        finite = np.isfinite(pose)
        if finite[:12].any():
            if not finite.all():
                thing = f"{path}: pose of frame {frame}"
                raise InputError(
                    thing, expected="16 finite numbers, or -inf for a lost frame", got=f"{finite.sum()} finite"
                )
            poses[frame] = pose
        spans.append((start, rgb_bytes, depth_bytes))
        times.append(time_us)
        file.seek(start + rgb_bytes + depth_bytes)
    return _Index(spans=tuple(spans), time_us=tuple(times), world_from_camera=poses.reshape(-1, 4, 4))


def _times(time_us: tuple[int, ...]) -> Float64[np.ndarray, "f"]:
    """Seconds from the first frame; unknown where the file leaves the times out or they do not grow."""
    if any(later <= earlier for earlier, later in itertools.pairwise(time_us)):
        return np.full(len(time_us), np.nan)
    return np.array([(t - time_us[0]) * 1e-6 for t in time_us])


@dataclass(frozen=True, slots=True, kw_only=True)
class _RgbFrames:
    path: Path
    head: _Head
    index: _Index

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        rgb = np.empty((len(indices), *self.head.rgb_hw, 3), np.uint8)
        with _opened(self.path) as file:
            for slot, frame in enumerate(indices):
                start, size, _ = self.index.spans[frame]
                rgb[slot] = self._decode(
                    _read(file, start, size, self.path, frame), f"{self.path}: colour frame {frame}"
                )
        return rgb

    def _decode(self, data: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
        if self.head.rgb_compression != _COLOR_RAW:
            return read_rgb(data, self.head.rgb_hw, name=name)
        height, width = self.head.rgb_hw
        if len(data) != height * width * 3:
            raise InputError(name, expected=f"{height * width * 3} bytes", got=len(data))
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DepthFrames:
    path: Path
    head: _Head
    index: _Index

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f dh dw"]:
        depth_m = np.empty((len(indices), *self.head.depth_hw), np.float32)
        with _opened(self.path) as file:
            for slot, frame in enumerate(indices):
                start, rgb_bytes, size = self.index.spans[frame]
                data = _read(file, start + rgb_bytes, size, self.path, frame)
                depth_m[slot] = self._decode(data, f"{self.path}: depth frame {frame}")
        return depth_m

    def _decode(self, data: bytes, name: str) -> Float32[np.ndarray, "dh dw"]:
        height, width = self.head.depth_hw
        num_bytes = 2 * height * width
        if self.head.depth_compression == _DEPTH_ZLIB:
            try:
                data = zlib.decompressobj().decompress(data, num_bytes + 1)  # one more, to notice what is too long
            except zlib.error as error:
                raise InputError(name, expected="zlib data", got=str(error)[:80]) from error
        if len(data) != num_bytes:
            got = f"{len(data)}" if len(data) < num_bytes else "more"
            raise InputError(name, expected=f"{num_bytes} bytes", got=got)
        raw = np.frombuffer(data, "<u2").reshape(height, width)
        depth_m = raw.astype(np.float32) / np.float32(self.head.units_per_m)
        for value in DEPTH_UNKNOWN_RAW:
            depth_m[raw == value] = np.nan
        return depth_m


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(path, expected="a .sens file", got=error.strerror or error) from error


def _read(file: BinaryIO, start: int, size: int, path: Path, frame: int) -> bytes:
    file.seek(start)
    data = file.read(size)
    if len(data) < size:
        raise InputError(path, expected="the file that was opened", got=f"one that now ends in frame {frame}")
    return data
