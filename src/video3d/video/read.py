"""Opens any source as a ``Recording`` and reads frames from it as a ``Clip``: the first step of the path."""

import dataclasses
import os
import stat
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast, runtime_checkable

import numpy as np
from jaxtyping import Float32

from video3d.types import Clip, InputError, Recording, World
from video3d.video.sample import greedy_coverage, sample_uniform
from video3d.video.validate import validated

# One module a format, asked in this order: what is more particular comes first. Each is imported when it is asked.
READERS = (
    "scannet_sens",
    "record3d",
    "nerfstudio",
    "video_file",
    "seven_scenes",
    "tum",
    "scannet",
    "arkit",
    "nuscenes",
    "kitti_object",
    "kitti_odometry",
    "colmap",
    "posed_folder",
    "folder",
)

ACCEPTED = "a video file, an image, a folder of images, or a recording (7-Scenes, TUM, ScanNet, ARKitScenes, ...)"
QUANTITIES = ("depth", "poses", "intrinsics")

_ARCHIVES = frozenset((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"))
_MAX_NAME_CHARS = 160
_MAX_NESTED = 3  # folders that hold nothing but one folder, as unpacked archives do
_COVERAGE_CANDIDATES = 256
_COVERAGE_VOXEL_M = 0.1
_COVERAGE_SAMPLES_PX = 96  # pixels across a depth map that vote: a voxel at 5 m is still hit more than once


@runtime_checkable
class Reader(Protocol):
    """What the module of every format has."""

    def detect(self, path: Path) -> bool:
        """Whether the source looks like this format; looks at names and headers, raises nothing."""
        ...

    def open_recording(self, path: Path) -> Recording:
        """Opens a source that was detected. Errors: ``InputError``."""
        ...


def open_recording(source: str | Path) -> Recording:
    """Opens a video, an image, a folder of images or a recording, whatever its format, and checks it.

    No pixel is decoded but those that show that the first frame can be.

    Args:
        source: a path on this machine. ``#`` and a name after it choose a scene where a folder holds several.

    Errors: ``InputError`` when there is nothing, nothing readable, or nothing of a known format at the path, or what is
        there is damaged or contradicts itself.

    >>> open_recording("nowhere.mp4")
    Traceback (most recent call last):
    video3d.types.errors.InputError: nowhere.mp4: expected a file or folder, got nothing there
    """
    path = _existing(source)
    for _ in range(_MAX_NESTED):
        reader = _reader_of(path)
        if reader is not None:
            return validated(reader.open_recording(path))
        inner = _folders_in(path)
        if len(inner) != 1 or inner[0].is_symlink():  # a link may lead back here
            break
        path = inner[0]
    raise _unknown(path)


def read_clip(
    source: str | Path | Recording,
    num_frames: int = 32,
    *,
    indices: Sequence[int] | np.ndarray | None = None,
    sampling: Literal["uniform", "coverage"] = "uniform",
) -> Clip:
    """Reads the frames that are needed, and no others, with whatever geometry the recording gives. Step 1 of the path.

    Args:
        source: a path, or a recording that is already open.
        num_frames: how many frames, at most; all of them when the recording has fewer.
        indices: exactly these frames of the recording instead, in this order.
        sampling: ``uniform`` in time, or ``coverage``: the frames that together see most of the scene. That takes
            depth, poses and intrinsics; a recording without them is sampled uniformly.

    Errors: ``InputError`` as for ``open_recording``; for a frame that does not decode, an index out of range, or no
        frames asked for.
    """
    recording = source if isinstance(source, Recording) else open_recording(source)
    if indices is not None:
        chosen = _checked_indices(indices, recording)
    elif sampling == "coverage":
        chosen = _covering(recording, num_frames)
    else:
        chosen = sample_uniform(recording.num_frames, num_frames, rig=recording.rig)
    wanted = chosen.tolist()
    return Clip(
        recording=recording,
        frame_index=chosen,
        time_s=recording.time_s[chosen],
        rgb=recording.load_rgb(wanted),
        depth_m=None if recording.load_depth_m is None else recording.load_depth_m(wanted),
        k_px=None if recording.k_px is None else recording.k_px[chosen],
        world_from_camera=None if recording.world_from_camera is None else recording.world_from_camera[chosen],
    )


def forget(recording: Recording, quantities: Iterable[str]) -> Recording:
    """The recording as if it lacked some of what it has, so that estimates can be judged against it.

    Up and the scale of the world are known only in the frame of the poses, so they go with the poses. Depth, if it
    stays, is still in metres and so tells the scale.

    Args:
        recording: what was opened.
        quantities: of ``depth``, ``poses``, ``intrinsics``.

    Errors: ``InputError`` for any other word.
    """
    names = {quantities} if isinstance(quantities, str) else set(quantities)
    if unknown := sorted(names - set(QUANTITIES)):
        raise InputError("ignore", expected="of " + ", ".join(QUANTITIES), got=", ".join(unknown))
    if "depth" in names:
        recording = dataclasses.replace(recording, load_depth_m=None, depth_size_hw=None)
    if "poses" in names:
        recording = dataclasses.replace(recording, world_from_camera=None, up_world=None, world=World())
    if "intrinsics" in names:
        recording = dataclasses.replace(recording, k_px=None)
    if names:
        ignored = ", ".join(q for q in QUANTITIES if q in names)
        recording = dataclasses.replace(recording, notes=(*recording.notes, f"ignored as asked: {ignored}"))
    return recording


def _existing(source: str | Path) -> Path:
    """The path of a file or folder that is there and may be read."""
    text = str(source)
    if not text.strip():
        raise InputError("source", expected=ACCEPTED, got="an empty name")
    if "://" in text:
        raise InputError(
            text[:_MAX_NAME_CHARS], expected="a path on this machine", got="an address", do="download it first"
        )
    name = text if len(text) <= _MAX_NAME_CHARS else f"{text[:80]}...{text[-40:]}"
    try:
        path = Path(text).expanduser()
        there = path if path.exists() or "#" not in path.name else Path(str(path).rpartition("#")[0])
        mode = there.stat().st_mode
    except FileNotFoundError as error:
        raise InputError(name, expected="a file or folder", got="nothing there") from error
    except (OSError, ValueError, RuntimeError) as error:  # loops of links, names too long, NUL, an unknown ~user
        raise InputError(name, expected="a file or folder", got=getattr(error, "strerror", None) or error) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(name, expected=ACCEPTED, got="a pipe, socket or device")
    if not os.access(there, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
        raise InputError(name, expected="a file or folder that may be read", got="no permission")
    if stat.S_ISREG(mode) and there.stat().st_size == 0:
        raise InputError(name, expected=ACCEPTED, got="an empty file")
    return path


def _reader_of(path: Path) -> Reader | None:
    for name in READERS:
        reader = cast(Reader, import_module(f"video3d.video.{name}"))
        if reader.detect(path):
            return reader
    return None


def _folders_in(path: Path) -> list[Path]:
    try:
        return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))
    except OSError:
        return []


def _unknown(path: Path) -> InputError:
    if path.suffix.lower() in _ARCHIVES and path.is_file():
        return InputError(path, expected=ACCEPTED, got="an archive", do="unpack it first")
    if path.is_file():
        return InputError(path, expected=ACCEPTED, got=f"a file of {path.stat().st_size} bytes of another kind")
    try:
        inside = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    except OSError as error:
        return InputError(path, expected="a folder that can be listed", got=error.strerror or error)
    if not inside:
        return InputError(path, expected=ACCEPTED, got="an empty folder")
    some = ", ".join(name[:30] for name in inside[:4]) + (", ..." if len(inside) > 4 else "")
    folders = _folders_in(path)
    do = f"name one of its folders, e.g. {folders[0].name[:60]}" if folders else ""
    return InputError(path, expected=ACCEPTED, got=f"a folder with {some}", do=do)


def _checked_indices(indices: Sequence[int] | np.ndarray, recording: Recording) -> np.ndarray:
    chosen = np.asarray(indices)
    if chosen.ndim != 1 or chosen.size == 0 or not np.issubdtype(chosen.dtype, np.integer):
        raise InputError("frames", expected="a list of frame numbers", got=f"{indices!r:.60}")
    if chosen.min() < 0 or chosen.max() >= recording.num_frames:
        outside = int(chosen[(chosen < 0) | (chosen >= recording.num_frames)][0])
        raise InputError(f"frame {outside}", expected=f"0 to {recording.num_frames - 1}", got=outside)
    return chosen.astype(np.int64)


def _covering(recording: Recording, num_frames: int) -> np.ndarray:
    """Frames by maximum coverage among at most 256 evenly spread ones; uniform without full geometry."""
    from video3d.geometry.voxels import visible_voxels

    load_depth_m, k_px, poses = recording.load_depth_m, recording.k_px, recording.world_from_camera
    if load_depth_m is None or k_px is None or poses is None or recording.depth_size_hw is None:
        return sample_uniform(recording.num_frames, num_frames, rig=recording.rig)
    candidates = sample_uniform(recording.num_frames, max(num_frames, _COVERAGE_CANDIDATES))
    (height, width), (depth_height, depth_width) = recording.size_hw, recording.depth_size_hw
    depth_k = np.diag([depth_width / width, depth_height / height, 1.0]) @ k_px
    stride = max(1, depth_width // _COVERAGE_SAMPLES_PX)

    def voxels(frame: int) -> np.ndarray:
        depth_m: Float32[np.ndarray, "dh dw"] = load_depth_m([frame])[0]  # one at a time: all would not fit
        return visible_voxels(depth_m, depth_k[frame], poses[frame], _COVERAGE_VOXEL_M, pixel_stride=stride)

    sample = greedy_coverage([voxels(int(frame)) for frame in candidates], num_frames)
    return candidates[sample.indices]
