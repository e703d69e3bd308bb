"""TUM RGB-D: Kinect walks with poses from motion capture. Also ETH3D SLAM, ICL-NUIM and Bonn, which keep its layout.

Layout: ``rgb.txt`` and ``depth.txt`` (lines ``timestamp path``), ``groundtruth.txt`` (or ``.freiburg``; lines
``timestamp tx ty tz qx qy qz qw``), the images in ``rgb/`` and ``depth/`` (16-bit PNG, 5000 units a metre, 0 unknown),
optionally ``calibration.txt`` (fx fy cx cy). Page: https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats

- Association: every colour image goes with the depth map nearest in time, within 0.02 s; images without one are left
  out. Poses are interpolated (linear, slerp) between the two around the colour image's time when these are at most
  0.1 s apart; else the nearest within 0.02 s is taken; else the pose is unknown.
- Axes: OpenCV (x right, y down, z forward), metres; poses are world_from_camera of the colour camera.
- Pixels: intrinsics count from integer pixel centres, so 0.5 is added to cx and cy. They are the data set's, by the
  ``freiburg1`` .. ``freiburg3`` in the folder's name, or its default 525, 525, 319.5, 239.5, for 640 x 480.
- Depth is registered to colour and its scale already corrected. Lens distortion (freiburg1 and 2) is not removed.
- World: the motion capture system's. Up is not stated by the format.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.types import InputError, Recording, World
from video3d.video.folder import beside_intrinsics
from video3d.video.images import depth_files, path_inside, rgb_files
from video3d.video.pose_formats import poses_from_quaternions
from video3d.video.text_files import numbers, read_intrinsics, read_rows

UNITS_PER_M = 5000.0
_MAX_APART_S = 0.02
_MAX_GAP_S = 0.1
_SIZE_HW = (480, 640)
_DEFAULT = (525.0, 525.0, 319.5, 239.5)
_OF_FREIBURG = {
    "1": (517.3, 516.5, 318.6, 255.3),
    "2": (520.9, 521.0, 325.1, 249.7),
    "3": (535.4, 539.2, 320.1, 247.6),
}


def detect(path: Path) -> bool:
    """Whether the folder holds ``rgb.txt`` beside depth or true poses."""
    try:
        return (path / "rgb.txt").is_file() and any(
            (path / name).exists() for name in ("rgb", "depth.txt", "groundtruth.txt")
        )
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Opens a sequence. Errors: ``InputError`` for damaged lists, missing images, and lists whose times do not meet."""
    color, notes = _listed(path, "rgb.txt"), []
    depth = _listed(path, "depth.txt") if (path / "depth.txt").exists() else None
    if depth is not None:
        nearest, paired = _nearest(depth.time_s, color.time_s)
        if not paired.any():
            raise InputError(path / "depth.txt", expected="times that meet those of rgb.txt", got="none within 0.02 s")
        if not paired.all():
            notes.append(f"{int((~paired).sum())} of {paired.size} colour images have no depth within 0.02 s: left out")
        color, depth = color.only(np.flatnonzero(paired)), depth.only(nearest[paired])
    load_rgb = rgb_files(color.paths)
    load_depth = None if depth is None else depth_files(depth.paths, UNITS_PER_M)
    truth = next((path / f for f in ("groundtruth.txt", "groundtruth.freiburg") if (path / f).exists()), None)
    poses = None if truth is None else _poses_at(truth, color.time_s)
    if poses is not None and (unknown := int(np.isnan(poses[:, 0, 0]).sum())):
        notes.append(f"{unknown} of {len(color.paths)} frames have no pose near their time")
    k_px = _intrinsics(path, load_rgb.size_hw, notes)
    return Recording(
        source=path,
        format="tum",
        size_hw=load_rgb.size_hw,
        time_s=color.time_s - color.time_s[0],
        frame_names=tuple(p.name for p in color.paths),
        load_rgb=load_rgb,
        load_depth_m=load_depth,
        depth_size_hw=None if load_depth is None else load_depth.size_hw,
        k_px=None if k_px is None else np.tile(k_px, (len(color.paths), 1, 1)),
        world_from_camera=poses,
        world=World() if poses is None else World(metric=True, origin="the motion capture system's"),
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """The images of a list, in order of time."""

    time_s: Float64[np.ndarray, "f"]
    paths: tuple[Path, ...]

    def only(self, rows: Int64[np.ndarray, "n"]) -> "_Listed":
        return _Listed(self.time_s[rows], tuple(self.paths[int(i)] for i in rows))


def _listed(root: Path, name: str) -> _Listed:
    file = root / name
    times, paths = [], []
    for number, words in read_rows(file):
        line = f"line {number} of {file}"
        if len(words) != 2:
            raise InputError(line, expected="a timestamp and a path", got=f"{len(words)} words")
        times.append(float(numbers(words[:1], line)[0]))
        paths.append(path_inside(root, words[1], named_by=line))
        if not paths[-1].is_file():
            raise InputError(paths[-1], expected=f"the image that {name} lists", got="nothing there")
    if not times:
        raise InputError(file, expected="lines of a timestamp and a path", got="none")
    order = np.argsort(times, kind="stable")
    return _Listed(np.array(times, np.float64)[order], tuple(paths[int(i)] for i in order))


def _nearest(
    at_s: Float64[np.ndarray, "n"], time_s: Float64[np.ndarray, "f"]
) -> tuple[Int64[np.ndarray, "f"], Bool[np.ndarray, "f"]]:
    """For every time the index of the nearest of ``at_s`` (ascending), and whether it is near enough."""
    after = np.clip(np.searchsorted(at_s, time_s), 1, max(1, at_s.size - 1))
    before = after - 1
    after = np.minimum(after, at_s.size - 1)
    nearest = np.where(time_s - at_s[before] <= at_s[after] - time_s, before, after)
    return nearest, np.abs(at_s[nearest] - time_s) <= _MAX_APART_S


def _poses_at(file: Path, time_s: Float64[np.ndarray, "f"]) -> Float64[np.ndarray, "f 4 4"]:
    """world_from_camera at the times, NaN where the list says nothing."""
    from scipy.spatial.transform import Rotation, Slerp

    rows = []
    for number, words in read_rows(file):
        line = f"line {number} of {file}"
        if len(words) != 8:
            raise InputError(line, expected="timestamp tx ty tz qx qy qz qw", got=f"{len(words)} words")
        rows.append(numbers(words, line))
    if not rows:
        raise InputError(file, expected="lines of timestamp tx ty tz qx qy qz qw", got="none")
    table = np.stack(rows)
    at_s, first = np.unique(table[:, 0], return_index=True)
    known = poses_from_quaternions(table[first, 4:], table[first, 1:4], file)
    poses = np.full((time_s.size, 4, 4), np.nan)
    nearest, near = _nearest(at_s, time_s)
    poses[near] = known[nearest[near]]
    if at_s.size < 2:
        return poses
    after = np.clip(np.searchsorted(at_s, time_s), 1, at_s.size - 1)
    inside = (at_s[after - 1] <= time_s) & (time_s <= at_s[after]) & (at_s[after] - at_s[after - 1] <= _MAX_GAP_S)
    if inside.any():
        share = ((time_s - at_s[after - 1]) / (at_s[after] - at_s[after - 1]))[inside, None]
        start, end = known[after[inside] - 1, :3, 3], known[after[inside], :3, 3]
        between = np.tile(np.eye(4), (int(inside.sum()), 1, 1))
        between[:, :3, :3] = Slerp(at_s, Rotation.from_matrix(known[:, :3, :3]))(time_s[inside]).as_matrix()
        between[:, :3, 3] = (1 - share) * start + share * end
        poses[inside] = between
    return poses


def _intrinsics(path: Path, size_hw: tuple[int, int], notes: list[str]) -> Float64[np.ndarray, "3 3"] | None:
    """K with pixel centres at +0.5, or None; what there is to say about it goes to ``notes``."""
    given = (
        read_intrinsics(path / "calibration.txt") if (path / "calibration.txt").exists() else beside_intrinsics(path)
    )
    if given is not None:
        return given
    if size_hw != _SIZE_HW:
        notes.append("no calibration.txt, and the data set's intrinsics hold for 640 x 480 px only")
        return None
    camera = re.search(r"(?:freiburg|fr)([123])(?!\d)", path.resolve().name.lower())
    fx, fy, cx, cy = _OF_FREIBURG[camera[1]] if camera else _DEFAULT
    if camera is None:
        notes.append(
            "the folder's name does not tell which camera this is: the default 525, 525, 319.5, 239.5 is taken"
        )
    elif camera[1] != "3":
        notes.append("lens distortion is not removed: a few pixels at the corners")
    return np.array([[fx, 0.0, cx + 0.5], [0.0, fy, cy + 0.5], [0.0, 0.0, 1.0]])
