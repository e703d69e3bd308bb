"""KITTI object detection: single driving frames with LiDAR.

Layout: ``training/`` (or ``testing/``) with ``image_2/NNNNNN.png``, ``calib/NNNNNN.txt`` and, as far as downloaded,
``velodyne/NNNNNN.bin`` (float32 x, y, z, reflectance). Frames come from different drives: no order, no times, no
poses. Page of the format: https://www.cvlibs.net/datasets/kitti/eval_object.php (the devkit's readme).

- Axes: OpenCV (x right, y down, z forward); the LiDAR's are x forward, y left, z up. Metres.
- Pixels: the calibration counts from integer pixel centres (OpenCV), so 0.5 is added to cx and cy.
- A LiDAR point goes ``R0_rect @ Tr_velo_to_cam`` into rectified camera 0, and by the offset in ``P2 = K [I | t]`` on
  into camera 2. Depth is sparse: a pixel has the z-depth of the nearest point that falls into it, the others are NaN.
- Frames differ by a few pixels in size. All are cut at the right and bottom to the smallest, which leaves K as it is.
- World: unknown (no poses), but lengths are metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from video3d.types import InputError, Recording, World
from video3d.video.images import image_size_hw, list_images, read_rgb
from video3d.video.kitti_odometry import split_projection
from video3d.video.registration import splat_depth
from video3d.video.text_files import numbers, read_rows

_MAX_POINT_BYTES = 64 * 2**20  # a sweep is 2 MB


def detect(path: Path) -> bool:
    """Whether the folder, or its ``training`` or ``testing``, holds ``image_2`` and a folder ``calib``."""
    try:
        return _split(path) is not None
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open a split. Frames without a LiDAR file have all-NaN depth.

    Errors: ``InputError`` when there are no images, or an image has no or a wrong calibration.
    """
    root = _split(path)
    if root is None:
        raise InputError(path, expected="folders image_2 and calib", got="other content")
    images = list_images(root / "image_2")
    if not images:
        raise InputError(root / "image_2", expected="images", got="none")
    rigs = tuple(_read_rig(root / "calib" / f"{p.stem}.txt") for p in images)
    sizes = np.array([image_size_hw(p) for p in images])
    size_hw = (int(sizes[:, 0].min()), int(sizes[:, 1].min()))
    sweeps = tuple(root / "velodyne" / f"{p.stem}.bin" for p in images)
    num_sweeps = sum(p.is_file() for p in sweeps)
    notes = ["frames of different drives: no order, no poses"]
    if (sizes != sizes[0]).any():
        notes.append(f"images cut at the right and bottom to {size_hw[1]} x {size_hw[0]} px, the smallest of them")
    if 0 < num_sweeps < len(images):
        notes.append(f"LiDAR for {num_sweeps} of {len(images)} frames")
    return Recording(
        source=path,
        format="kitti_object",
        size_hw=size_hw,
        time_s=np.full(len(images), np.nan),
        frame_names=tuple(p.stem for p in images),
        load_rgb=_CroppedRgb(images=tuple(images), size_hw=size_hw),
        load_depth_m=_LidarDepth(sweeps=sweeps, rigs=rigs, size_hw=size_hw) if num_sweeps else None,
        depth_size_hw=size_hw if num_sweeps else None,
        k_px=np.stack([rig.k_px for rig in rigs]),
        world=World(metric=True),
        sequence=False,
        related=False,
        notes=tuple(notes),
    )


def _split(path: Path) -> Path | None:
    roots = (path, path / "training", path / "testing")
    return next((r for r in roots if (r / "image_2").is_dir() and (r / "calib").is_dir()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rig:
    k_px: Float64[np.ndarray, "3 3"]
    camera_from_lidar: Float64[np.ndarray, "4 4"]


def _read_rig(path: Path) -> _Rig:
    rows = {words[0].rstrip(":"): words[1:] for _, words in read_rows(path)}

    def matrix(name: str, shape: tuple[int, int]) -> Float64[np.ndarray, "r c"]:
        if name not in rows:
            raise InputError(path, expected=f"a row {name}", got="none")
        values = numbers(rows[name], path)
        if values.size != shape[0] * shape[1]:
            raise InputError(path, expected=f"{shape[0]}x{shape[1]} numbers for {name}", got=values.size)
        return values.reshape(shape)

    k_px, offset_m = split_projection(matrix("P2", (3, 4)), path)
    rectified_from_lidar = np.eye(4)
    rectified_from_lidar[:3] = matrix("R0_rect", (3, 3)) @ matrix("Tr_velo_to_cam", (3, 4))
    camera_from_rectified = np.eye(4)
    camera_from_rectified[:3, 3] = offset_m
    return _Rig(k_px=k_px, camera_from_lidar=camera_from_rectified @ rectified_from_lidar)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CroppedRgb:
    images: tuple[Path, ...]
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        height, width = self.size_hw
        rgb = np.empty((len(indices), height, width, 3), np.uint8)
        for slot, i in enumerate(indices):
            rgb[slot] = read_rgb(self.images[i])[:height, :width]
        return rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class _LidarDepth:
    sweeps: tuple[Path, ...]
    rigs: tuple[_Rig, ...]
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f h w"]:
        depth_m = np.full((len(indices), *self.size_hw), np.nan, np.float32)
        for slot, i in enumerate(indices):
            if self.sweeps[i].is_file():
                rig = self.rigs[i]
                points_lidar = read_points(self.sweeps[i], num_columns=4)
                points_camera = points_lidar @ rig.camera_from_lidar[:3, :3].T + rig.camera_from_lidar[:3, 3]
                depth_m[slot] = splat_depth(points_camera, k_px=rig.k_px, size_hw=self.size_hw)
        return depth_m


def read_points(path: Path, *, num_columns: int) -> Float64[np.ndarray, "n 3"]:
    """x, y, z of a LiDAR sweep stored as rows of ``num_columns`` little-endian float32.

    Errors: ``InputError`` when the file is missing, too large, or no whole number of rows.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MAX_POINT_BYTES or size % (4 * num_columns):
            expected = f"rows of {num_columns} float32, at most {_MAX_POINT_BYTES >> 20} MB"
            raise InputError(path, expected=expected, got=f"{size} bytes")
        return np.fromfile(path, "<f4").reshape(-1, num_columns)[:, :3].astype(np.float64)
    except OSError as error:
        raise InputError(path, expected="a LiDAR sweep", got=error.strerror or error) from error
