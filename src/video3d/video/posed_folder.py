"""Images, depth and poses in folders and tables of their own, as in the HoloLens sample of deep-video-mvs.

Layout: ``images/``, ``depth/`` (16-bit PNG, millimetres; 0 and 65535 unknown), ``poses.txt`` (one pose a line: 4x4 or
3x4 numbers by row), ``K.txt`` (3x3, or fx fy cx cy). Files of the two folders go together in natural order, and so do
the lines; all counts must agree. What is absent altogether is missing from the recording, but ``images/`` is needed.

- Axes: OpenCV (x right, y down, z forward), metres; poses are world_from_camera.
- Pixels: K counts from integer pixel centres, so 0.5 is added to cx and cy.
- World: whatever the poses say; gravity is not recorded. Nor are times.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError, Recording, World
from video3d.video.folder import INTRINSICS_NAMES, beside_intrinsics
from video3d.video.images import DepthFiles, depth_files, list_images, rgb_files
from video3d.video.text_files import as_pose, numbers, read_rows


def detect(path: Path) -> bool:
    """Whether the folder holds ``images/`` beside depth, poses or intrinsics."""
    try:
        if not (path / "images").is_dir():
            return False
        return any((path / name).exists() for name in ("depth", "poses.txt", *INTRINSICS_NAMES))
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Opens the folder. Errors: ``InputError`` when counts disagree or a file is damaged."""
    images = list_images(path / "images")
    if not images:
        raise InputError(path / "images", expected="images", got="none")
    load_rgb = rgb_files(images)
    load_depth = _depth(path / "depth", images)
    poses = _poses(path / "poses.txt", len(images)) if (path / "poses.txt").exists() else None
    k_px = beside_intrinsics(path)
    return Recording(
        source=path,
        format="posed_folder",
        size_hw=load_rgb.size_hw,
        time_s=np.full(len(images), np.nan),
        frame_names=tuple(p.name for p in images),
        load_rgb=load_rgb,
        load_depth_m=load_depth,
        depth_size_hw=None if load_depth is None else load_depth.size_hw,
        k_px=None if k_px is None else np.tile(k_px, (len(images), 1, 1)),
        world_from_camera=poses,
        world=World() if poses is None else World(metric=True, origin="the origin of poses.txt"),
    )


def _depth(folder: Path, images: list[Path]) -> DepthFiles | None:
    if not folder.exists():
        return None
    maps = list_images(folder)
    if len(maps) != len(images):
        lacking = sorted({p.stem for p in images} - {p.stem for p in maps})
        do = f"{lacking[0]} has none" if lacking else ""
        raise InputError(folder, expected=f"{len(images)} depth maps, one an image", got=len(maps), do=do)
    return depth_files(maps)


def _poses(file: Path, num_images: int) -> Float64[np.ndarray, "f 4 4"]:
    rows = read_rows(file)
    if len(rows) != num_images:
        raise InputError(file, expected=f"{num_images} poses, one a line and image", got=f"{len(rows)} lines")
    lines = ((f"line {number} of {file}", words) for number, words in rows)
    return np.stack([as_pose(numbers(words, line), line) for line, words in lines])
