"""7-Scenes: RGB-D walks with a Kinect, tracked by KinectFusion. Also what other tools write in the same layout.

Layout of one sequence: ``frame-NNNNNN.color.png`` (or ``.jpg``), ``.depth.png`` (16 bits, millimetres; 0 and 65535
unknown), ``.pose.txt`` (4x4 by row); optionally ``camera-intrinsics.txt`` (3x3), ``gravity-direction.txt`` (3 numbers).
Page: https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/

- Axes: OpenCV (x right, y down, z forward), metres; poses are world_from_camera.
- Pixels: intrinsics count from integer pixel centres, so 0.5 is added to cx and cy. Without a file the data set's
  defaults hold: fx = fy = 585, cx = 320, cy = 240 for 640 x 480 (they are the depth camera's).
- Colour: the original recordings are raw; colour was taken by a second camera 2.5 cm beside the depth camera, with a
  focal length of about 525 px, and is not registered. When the intrinsics are these defaults, a note says so and
  ``colour_registered`` is False, so that ``register_colour`` looks into it.
- Gravity: the file gives the direction of gravity, down, in the world frame; up is its opposite. (In the kitchen it is
  within 2 degrees of the normals of floor and tables, and the cameras stand 1.4 m above the floor along it.)
- World: where KinectFusion began. Times are not recorded.
"""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError, Recording, World
from video3d.video.images import depth_files, list_images, rgb_files
from video3d.video.text_files import read_intrinsics, read_numbers, read_pose

_COLOR = re.compile(r"frame-(\d+)\.color\.(?:png|jpe?g)", re.IGNORECASE)
_OF_FRAME = re.compile(r"(frame-\d+)\.(color|depth|pose)\.\w+", re.IGNORECASE)
_DEFAULT_SIZE_HW = (480, 640)
_DEFAULT_K = np.array([[585.0, 0.0, 320.5], [0.0, 585.0, 240.5], [0.0, 0.0, 1.0]])


def detect(path: Path) -> bool:
    """Whether the folder holds ``frame-*.color.*`` images."""
    try:
        return path.is_dir() and any(_COLOR.fullmatch(p.name) for p in path.glob("frame-*"))
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Opens one sequence. Depth or poses that are absent from all frames are missing from the recording.

    Errors: ``InputError`` that names the frame whose colour, depth or pose is missing or damaged (a copy cut short).
    """
    color = [p for p in list_images(path) if _COLOR.fullmatch(p.name)]
    frames = [p.name.split(".")[0] for p in color]
    has_depth, has_pose = (_complete(path, frames, kind) for kind in ("depth", "pose"))
    load_rgb = rgb_files(color)
    load_depth = depth_files(path / f"{frame}.depth.png" for frame in frames) if has_depth else None
    poses = np.stack([read_pose(path / f"{frame}.pose.txt") for frame in frames]) if has_pose else None
    k_px, notes = _intrinsics(path, load_rgb.size_hw, has_depth=load_depth is not None)
    return Recording(
        source=path,
        format="seven_scenes",
        size_hw=load_rgb.size_hw,
        time_s=np.full(len(color), np.nan),
        frame_names=tuple(frames),
        load_rgb=load_rgb,
        load_depth_m=load_depth,
        depth_size_hw=None if load_depth is None else load_depth.size_hw,
        k_px=None if k_px is None else np.tile(k_px, (len(color), 1, 1)),
        world_from_camera=poses,
        up_world=_up(path / "gravity-direction.txt") if poses is not None else None,
        world=World(metric=True, origin="where tracking began") if poses is not None else World(),
        colour_registered=k_px is None or not _depth_cameras(k_px),
        notes=notes,
    )


def _depth_cameras(k_px: Float64[np.ndarray, "3 3"]) -> bool:
    """Whether these are the intrinsics of the data set's depth camera."""
    return np.allclose(k_px, _DEFAULT_K)


def _complete(path: Path, frames: list[str], kind: str) -> bool:
    """Whether every frame has its file, or none has. Errors: ``InputError`` that names the first that has not."""
    named = {m[1].lower() for p in path.iterdir() if (m := _OF_FRAME.fullmatch(p.name)) and m[2].lower() == kind}
    if not named:
        return False
    if alone := sorted(named - {f.lower() for f in frames}):
        raise InputError(f"{alone[0]} in {path}", expected="a colour image with its " + kind, got="none")
    for frame in frames:
        if frame.lower() not in named:
            raise InputError(f"{frame} in {path}", expected=f"a {kind} file", got="none", do="copy the recording again")
    return True


def _intrinsics(
    path: Path, size_hw: tuple[int, int], *, has_depth: bool
) -> tuple[Float64[np.ndarray, "3 3"] | None, tuple[str, ...]]:
    """K with pixel centres at +0.5, or None, and what there is to say about it."""
    file, notes = path / "camera-intrinsics.txt", []
    if file.exists():
        k_px = read_intrinsics(file)
    elif size_hw == _DEFAULT_SIZE_HW:
        k_px = _DEFAULT_K
        notes.append("no camera-intrinsics.txt: the data set's default fx = fy = 585, cx = 320, cy = 240 is taken")
    else:
        return None, ("no camera-intrinsics.txt, and the default holds for 640 x 480 px only",)
    if has_depth and _depth_cameras(k_px):
        notes.append(
            "these are the intrinsics of the depth camera; the original recordings' colour is not registered to depth "
            "(off by up to a tenth of the distance from the image centre)"
        )
    return k_px, tuple(notes)


def _up(file: Path) -> Float64[np.ndarray, "3"] | None:
    if not file.exists():
        return None
    down = read_numbers(file)
    if down.size != 3 or not np.linalg.norm(down) > 0.1:
        raise InputError(file, expected="the direction of gravity as 3 numbers", got=np.round(down[:6], 4).tolist())
    return -down / np.linalg.norm(down)
