"""NeRF's ``transforms.json``, as instant-ngp, nerfstudio and the Blender scenes write it: posed photographs.

Layout: ``transforms.json`` (or ``transforms_train.json``) with ``frames``, each a ``file_path`` (the suffix may be
missing), a ``transform_matrix`` (4x4) and, in nerfstudio, a ``depth_file_path`` (16-bit PNG, thousandths of the
scene's unit, 0 unknown). Intrinsics ``fl_x fl_y cx cy w h`` stand at the top or in a frame; ``camera_angle_x`` alone
is enough. Page of the format: https://docs.nerf.studio/quickstart/data_conventions.html

- Camera axes are OpenGL's (x right, y up, z backward), turned here to OpenCV's. Poses are world_from_camera.
- Pixels: pixel centres at +0.5, as COLMAP and instant-ngp count; without cx, cy the centre of the image is meant.
- Scale and up are whatever structure from motion gave: ``World(metric=False)``, gravity unknown. Depth has the same
  unit.
- Pinhole only. Distortion (k1 ..., p1 ...) is given by many files; it is not removed, and a note gives its size.
- Pictures are photographs around a thing more often than a walk: no sequence.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError, Recording, World
from video3d.video.images import depth_files, path_inside, rgb_files
from video3d.video.json_files import as_numbers, read_json_object, want, want_numbers
from video3d.video.pose_formats import opencv_from_opengl
from video3d.video.upright import turn_k, turn_poses, turn_size, turns_of_exif

_NAMES = ("transforms.json", "transforms_train.json")
_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".webp")
_PINHOLE = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "RADIAL", "SIMPLE_RADIAL", "PERSPECTIVE")
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_UNITS = 1000.0  # nerfstudio's depth_unit_scale_factor is 0.001 unless a user says otherwise

_Row = dict[str, Any]


def detect(path: Path) -> bool:
    """Whether this is a ``transforms*.json`` file or a folder with one."""
    try:
        return _file(path) is not None
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open the listed photographs in their order; those that are not there are left out with a note.

    Errors: ``InputError`` when no photograph is there, or intrinsics, poses or sizes are missing or disagree.
    """
    file = _file(path)
    if file is None:
        raise InputError(path, expected="transforms.json", got="none")
    head = read_json_object(file)
    model = head.get("camera_model", "OPENCV")
    if model not in _PINHOLE or head.get("is_fisheye"):
        got = "a fisheye camera" if model in _PINHOLE else str(model)[:40]
        raise InputError(f"{file}: camera_model", expected="a pinhole camera", got=got, do="undistort the images first")
    listed = want(head, "frames", list, file)
    frames, images = [], []
    for i, frame in enumerate(listed):
        if not isinstance(frame, dict):
            raise InputError(f"{file}: frames[{i}]", expected="an object", got=type(frame).__name__)
        image = _image(file, want(frame, "file_path", str, f"{file}: frames[{i}]"))
        if image is not None:
            frames.append(frame)
            images.append(image)
    if not images:
        raise InputError(file, expected="photographs that are there", got=f"none of the {len(listed)} listed")
    load_rgb = rgb_files(images)
    turns = [
        turns_of_exif(p) for p in images
    ]  # K and pose speak of the pixels as stored, frames come as EXIF turns them
    k_px, poses = [], []
    for frame, turn in zip(frames, turns, strict=True):
        stored_hw = turn_size(load_rgb.size_hw, turn)
        k_px.append(turn_k(_intrinsics({**head, **frame}, stored_hw, file), stored_hw, turn))
        pose = _pose(frame, f"{file}: {frame['file_path'][:60]}")
        poses.append(turn_poses(opencv_from_opengl(pose[None]), turn)[0])
    notes = _notes(head, frames, len(listed))
    has_depth = all("depth_file_path" in f for f in frames)
    if has_depth and any(turns):
        has_depth = False
        notes += ("depth is left out: EXIF turns the photographs, and nothing says whether it turns the depth maps",)
    depth_paths = [path_inside(file.parent, _depth_name(f, file), named_by=file) for f in frames] if has_depth else []
    load_depth = depth_files(depth_paths, _UNITS) if has_depth else None
    return Recording(
        source=path,
        format="nerfstudio",
        size_hw=load_rgb.size_hw,
        time_s=np.full(len(images), np.nan),
        frame_names=tuple(f["file_path"] for f in frames),
        load_rgb=load_rgb,
        load_depth_m=load_depth,
        depth_size_hw=None if load_depth is None else load_depth.size_hw,
        k_px=np.stack(k_px),
        world_from_camera=np.stack(poses),
        world=World(metric=False, origin="the file's own"),
        sequence=False,
        notes=notes,
    )


def _file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix == ".json" and path.name.startswith("transforms") else None
    return next((path / name for name in _NAMES if (path / name).is_file()), None)


def _image(file: Path, name: str) -> Path | None:
    """The photograph, whose suffix may be left out; None when it is not there."""
    path = path_inside(file.parent, name, named_by=file)
    candidates = (path.with_name(path.name + suffix) for suffix in _SUFFIXES)
    return next((p for p in candidates if p.is_file()), None)


def _depth_name(frame: _Row, file: Path) -> str:
    return want(frame, "depth_file_path", str, file)


def _intrinsics(camera: _Row, size_hw: tuple[int, int], file: Path) -> Float64[np.ndarray, "3 3"]:
    """K at the photographs' size; files that speak of another size of the same shape (a downscaled copy) are scaled."""
    height, width = (_number(camera, key, file, default) for key, default in (("h", size_hw[0]), ("w", size_hw[1])))
    if min(height, width) < 1 or abs(width * size_hw[0] - height * size_hw[1]) > max(size_hw):
        got = f"{width:g} x {height:g}"
        raise InputError(
            f"{file}: w, h", expected=f"the shape of the photographs, {size_hw[1]} x {size_hw[0]}", got=got
        )
    if "fl_x" in camera:
        fx = _number(camera, "fl_x", file)
    elif "camera_angle_x" in camera:
        angle_rad = _number(camera, "camera_angle_x", file)
        if not 0 < angle_rad < np.pi:
            raise InputError(f"{file}: camera_angle_x", expected="an angle between 0 and pi", got=angle_rad)
        fx = 0.5 * width / np.tan(0.5 * angle_rad)
    else:
        raise InputError(file, expected="fl_x or camera_angle_x", got="neither")
    fy = _number(camera, "fl_y", file, fx)
    if not (fx > 0 and fy > 0):
        raise InputError(f"{file}: fl_x, fl_y", expected="focal lengths above 0", got=f"{fx:g}, {fy:g}")
    cx, cy = _number(camera, "cx", file, width / 2), _number(camera, "cy", file, height / 2)
    scale = np.array([[size_hw[1] / width], [size_hw[0] / height], [1.0]])
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]) * scale


def _number(row: _Row, key: str, file: Path, default: float | int | None = None) -> float:
    if key not in row and default is not None:
        return float(default)
    return float(as_numbers(want(row, key, (int, float), file), (), f"{file}: {key}"))


def _pose(frame: _Row, thing: str) -> Float64[np.ndarray, "4 4"]:
    """world_from_camera with the file's axes; some writers leave out the last row."""
    matrix = frame.get("transform_matrix")
    rows = 3 if isinstance(matrix, list) and len(matrix) == 3 else 4
    pose = np.eye(4)
    pose[:rows] = want_numbers(frame, "transform_matrix", (rows, 4), thing)
    return pose


def _notes(head: _Row, frames: list[_Row], num_listed: int) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if len(frames) < num_listed:
        notes += (f"{num_listed - len(frames)} of {num_listed} listed photographs are not there and left out",)
    cameras = [{**head, **f} for f in frames]
    given = {
        key: max((c[key] for c in cameras if isinstance(c.get(key), int | float)), key=abs, default=0.0)
        for key in _DISTORTION
    }
    if distortion := [f"{key} {value:.3g}" for key, value in given.items() if value]:
        notes += (f"lens distortion is given ({', '.join(distortion)}) and not removed",)
    return notes
