"""KITTI odometry: one drive, rectified stereo cameras, poses from GPS and inertial sensors.

Layout of one sequence: ``image_2/`` (or ``image_0``, ``image_3``, ``image_1``; ``image_l``, ``image_r`` in some
copies), ``calib.txt`` with rows ``P0:`` .. ``P3:`` (3x4, by row; the labels may be missing), ``times.txt`` (seconds),
and the poses: ``poses.txt`` inside, or the data set's ``poses/NN.txt`` beside ``sequences/NN``. Test sequences have
no poses. Page of the format: https://www.cvlibs.net/datasets/kitti/eval_odometry.php (the devkit's readme).

- Axes: OpenCV (x right, y down, z forward). Metres.
- Pixels: the calibration counts from integer pixel centres (OpenCV), so 0.5 is added to cx and cy.
- Poses: world_from_camera of camera 0. ``Pk = K [I | t]`` gives the offset t of camera k in the rectified rig: a
  point moves by t from camera 0 to camera k, so camera k stands at -t, which the reader adds to every pose.
- World: camera 0 at the first frame. Its y axis points about down, but gravity was not measured, so it is not
  claimed.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError, Recording, World
from video3d.video.images import list_images, rgb_files
from video3d.video.text_files import numbers, read_numbers, read_rows, read_text

# The colour camera first: folders, and the projection matrix that goes with each.
_CAMERAS = (("image_2", 2), ("image_l", 0), ("image_0", 0), ("image_3", 3), ("image_r", 1), ("image_1", 1))


def detect(path: Path) -> bool:
    """Whether the folder holds ``calib.txt`` and an image folder of a KITTI sequence."""
    try:
        return (path / "calib.txt").is_file() and any((path / folder).is_dir() for folder, _ in _CAMERAS)
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open one sequence; of several cameras the left colour one is taken, and a note names the choice.

    Errors: ``InputError`` when the calibration lacks the camera, or images, times and poses disagree in number.
    """
    found = [(folder, camera) for folder, camera in _CAMERAS if (path / folder).is_dir()]
    if not found:
        raise InputError(path, expected="an image folder such as image_2", got="none")
    folder, camera = found[0]
    images = list_images(path / folder)
    if not images:
        raise InputError(path / folder, expected="images", got="none")
    k_px, offset_m = _camera(path / "calib.txt", camera)
    load_rgb = rgb_files(images)
    return Recording(
        source=path,
        format="kitti_odometry",
        size_hw=load_rgb.size_hw,
        time_s=_times(path / "times.txt", len(images)),
        frame_names=tuple(f"{folder}/{p.name}" for p in images),
        load_rgb=load_rgb,
        k_px=np.tile(k_px, (len(images), 1, 1)),
        world_from_camera=_poses(path, len(images), offset_m),
        world=World(metric=True, origin="camera 0 at the first frame"),
        notes=(f"camera {folder} of {', '.join(name for name, _ in found)}",) if len(found) > 1 else (),
    )


def _camera(path: Path, camera: int) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]:
    """K with pixel centres at +0.5, and what moves a point from camera 0 into this camera."""
    projection = _projections(path).get(camera)
    if projection is None:
        raise InputError(path, expected=f"the projection matrix P{camera}", got="none")
    return split_projection(projection, path)


def split_projection(
    projection: Float64[np.ndarray, "3 4"], thing: object
) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]:
    """K (pixel centres at +0.5) and t (metres) of ``P = K [I | t]`` with integer-centred K.

    >>> k, t = split_projection(np.array([[700.0, 0, 600, -380], [0, 700, 180, 0], [0, 0, 1, 0]]), "P1")
    >>> k[0].tolist(), t.round(3).tolist()
    ([700.0, 0.0, 600.5], [-0.543, 0.0, 0.0])
    """
    k_px = projection[:, :3].copy()
    if not (k_px[0, 0] > 0 and k_px[1, 1] > 0 and abs(k_px[2, 2] - 1) < 1e-6 and np.allclose(np.tril(k_px, -1), 0)):
        got = f"fx {k_px[0, 0]:g}, fy {k_px[1, 1]:g}, last row {k_px[2].tolist()}"
        raise InputError(thing, expected="a projection K [I | t] with fx, fy > 0", got=got)
    offset_m = np.linalg.solve(k_px, projection[:, 3])
    k_px[:2, 2] += 0.5
    return k_px, offset_m


def _projections(path: Path) -> dict[int, Float64[np.ndarray, "3 4"]]:
    """P0, P1, ... by number. Copies without labels, or without line breaks between matrices, count them in order."""
    labelled: dict[int, Float64[np.ndarray, "3 4"]] = {}
    rows = read_rows(path)
    for _, words in rows:
        if match := re.fullmatch(r"P(?:rect_0)?(\d):", words[0]):
            labelled[int(match.group(1))] = _matrix(numbers(words[1:], path), path)
    if labelled:
        return labelled
    values = read_numbers(path)
    if values.size == 0 or values.size % 12:
        raise InputError(path, expected="projection matrices of 3x4 numbers", got=f"{values.size} numbers")
    return dict(enumerate(values.reshape(-1, 3, 4)))


def _matrix(values: Float64[np.ndarray, "n"], path: Path) -> Float64[np.ndarray, "3 4"]:
    if values.size != 12:
        raise InputError(path, expected="12 numbers a projection matrix", got=values.size)
    return values.reshape(3, 4)


def _times(path: Path, num_frames: int) -> Float64[np.ndarray, "f"]:
    if not path.exists():
        return np.full(num_frames, np.nan)
    time_s = read_numbers(path)
    if time_s.size != num_frames:
        raise InputError(path, expected=f"{num_frames} times, one an image", got=time_s.size)
    return time_s - time_s[0]


def _poses(root: Path, num_frames: int, offset_m: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "f 4 4"] | None:
    """World from the chosen camera, or None for a test sequence."""
    beside = root.resolve().parent.parent / "poses" / f"{root.resolve().name}.txt"
    path = next((p for p in (root / "poses.txt", beside) if p.exists()), None)
    if path is None:
        return None
    values = numbers(read_text(path).split(), path)
    if values.size != 12 * num_frames:
        got = f"{values.size / 12:g}"
        raise InputError(path, expected=f"{num_frames} poses of 3x4 numbers, one an image", got=got)
    world_from_camera = np.tile(np.eye(4), (num_frames, 1, 1))
    world_from_camera[:, :3] = values.reshape(-1, 3, 4)
    camera0_from_camera = np.eye(4)
    camera0_from_camera[:3, 3] = -offset_m
    return world_from_camera @ camera0_from_camera
