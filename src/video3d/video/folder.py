"""Reads a folder of images, a folder that holds one video, or a single image. Nothing is known but the pixels.

A file ``intrinsics.txt``, ``K.txt`` or ``camera-intrinsics.txt`` beside the images (3x3 numbers, or fx fy cx cy, for
integer pixel centres) gives the camera, the same for all.

Images numbered in even steps are taken for a walk with one camera, in the order of their numbers; photographs with a
camera's EXIF data, or with gaps in the numbers, for a collection. Times are unknown.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError, Recording
from video3d.video import video_file
from video3d.video.images import IMAGE_SUFFIXES, has_camera_exif, is_image, list_images, rgb_files
from video3d.video.text_files import read_intrinsics

INTRINSICS_NAMES = ("intrinsics.txt", "K.txt", "camera-intrinsics.txt")


def detect(path: Path) -> bool:
    """Whether the path is an image, or a folder with images or exactly one video in it."""
    try:
        if path.is_file():
            return path.suffix.lower() in IMAGE_SUFFIXES or is_image(path)
        return path.is_dir() and (bool(list_images(path)) or bool(_videos(path)))
    except (OSError, InputError):
        return False


def open_recording(path: Path) -> Recording:
    """Opens the images in natural order; a few stray images beside one video do not hide it.

    Errors: ``InputError`` for several videos, images of different sizes, or images that do not decode.
    """
    if path.is_file():
        return _images(path, [path], "image")
    images, videos = list_images(path), _videos(path)
    if videos and len(images) < 2:
        if len(videos) > 1:
            names = ", ".join(p.name[:40] for p in videos[:3])
            raise InputError(path, expected="one video", got=f"{len(videos)}: {names}", do="name one of them")
        return video_file.open_recording(videos[0])
    if not images:
        raise InputError(path, expected="images", got="none")
    notes = (f"the video {videos[0].name} beside the images is not read",) if videos else ()
    return _images(path, images, "folder", notes)


def beside_intrinsics(folder: Path) -> Float64[np.ndarray, "3 3"] | None:
    """The intrinsics of a file beside the images (pixel centres at +0.5), or None without one."""
    for name in INTRINSICS_NAMES:
        if (folder / name).exists():
            return read_intrinsics(folder / name)
    return None


def numbered_evenly(names: list[str]) -> bool:
    """Whether the names differ in one number that grows by the same step.

    >>> numbered_evenly(["a_001.png", "a_003.png", "a_005.png"]), numbered_evenly(["1.jpg", "2.jpg", "9.jpg"])
    (True, False)
    """
    matches = [re.fullmatch(r"(.*?)(\d{1,18})(\D*)", name) for name in names]
    if not all(matches) or len({(m[1], m[3]) for m in matches if m}) > 1:
        return False
    steps = np.diff([int(m[2]) for m in matches if m])
    return bool((steps > 0).all() and (steps == steps[:1]).all())


def _images(path: Path, images: list[Path], form: str, notes: tuple[str, ...] = ()) -> Recording:
    load_rgb = rgb_files(images)
    load_rgb([0])  # the first must decode: a folder of broken files is refused at once
    k_px = beside_intrinsics(path) if path.is_dir() else None
    return Recording(
        source=path,
        format=form,
        size_hw=load_rgb.size_hw,
        time_s=np.full(len(images), np.nan),
        frame_names=tuple(p.name for p in images),
        load_rgb=load_rgb,
        k_px=None if k_px is None else np.tile(k_px, (len(images), 1, 1)),
        sequence=numbered_evenly([p.name for p in images]) and not has_camera_exif(images[0]),
        notes=notes,
    )


def _videos(folder: Path) -> list[Path]:
    files = (p for p in folder.iterdir() if p.suffix.lower() in video_file.VIDEO_SUFFIXES)
    return sorted(p for p in files if p.is_file() and not p.name.startswith("."))
