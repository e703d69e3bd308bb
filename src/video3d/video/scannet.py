"""ScanNet scenes extracted to files, in the two layouts that are in use.

``posed_images/<scene>`` (mmdetection3d, EmbodiedScan, Video-3D-LLM): ``00000.jpg``, ``00000.png``, ``00000.txt``
beside ``intrinsic.txt`` (colour) and ``depth_intrinsic.txt``. SensReader's export: ``color/0.jpg``, ``depth/0.png``,
``pose/0.txt`` and ``intrinsic/intrinsic_color.txt``, ``intrinsic_depth.txt``. Pages of the format:
https://github.com/ScanNet/ScanNet (SensReader) and mmdetection3d's data/scannet.

- Axes: OpenCV (x right, y down, z forward). Poses are world_from_camera; a frame that tracking lost has -inf for
  every number, which becomes NaN: unknown, no error.
- Depth: PNG in millimetres, 0 and 65535 unknown. Colour (1296x968) and depth (640x480) have intrinsics of their own;
  their frames are aligned otherwise (no extrinsics apply, says ScanNet's issue 92), so depth is looked up through
  both K.
- Pixels: principal points such as 319.5 of 640 count from integer pixel centres, so 0.5 is added to cx and cy.
- World: metres, z up, floor near z = 0. Frame times are not kept in these layouts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.geometry.rigid import scale_k
from video3d.types import InputError, LoadDepth, Recording, World
from video3d.video.images import depth_files, list_images, rgb_files
from video3d.video.registration import register
from video3d.video.text_files import read_intrinsics, read_text

_COLOR_SUFFIXES = (".jpg", ".jpeg")  # in posed_images a PNG is a depth map


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where a layout keeps things; None for what is not there."""

    images: list[Path]
    pose_of: Callable[[Path], Path]
    depth_of: Callable[[Path], Path] | None
    rgb_k: Path | None
    depth_k: Path | None


def detect(path: Path) -> bool:
    """Whether the folder is a ScanNet scene in one of the two layouts."""
    try:
        if (path / "color").is_dir() and (path / "pose").is_dir():
            return any(p.is_file() for p in _export_intrinsics(path))
        named = any((path / name).is_file() for name in ("intrinsic.txt", "depth_intrinsic.txt"))
        return named and any(p.with_suffix(".jpg").is_file() for p in path.glob("[0-9]*.txt"))
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open one scene.

    Errors: ``InputError`` when there are no images or intrinsics, or an image lacks its pose or depth file.
    """
    layout = _layout(path)
    if not layout.images:
        raise InputError(path, expected="colour images", got="none")
    load_rgb = rgb_files(layout.images)
    load_depth_m, depth_hw = None, None
    if layout.depth_of is not None:
        load_depth_m = depth_files([_existing(layout.depth_of(p), "a depth map") for p in layout.images])
        depth_hw = load_depth_m.size_hw
    k_px, depth_k_px = _intrinsics(layout, path, load_rgb.size_hw, depth_hw)
    loader: LoadDepth | None = load_depth_m
    notes: tuple[str, ...] = ()
    if load_depth_m is not None and depth_hw is not None and depth_k_px is not None:
        loader, notes = register(
            load_depth_m, depth_hw=depth_hw, depth_k_px=depth_k_px, rgb_hw=load_rgb.size_hw, rgb_k_px=k_px, thing=path
        )
    poses = np.stack([read_scannet_pose(_existing(layout.pose_of(p), "a pose")) for p in layout.images])
    if num_lost := int(np.isnan(poses[:, 0, 0]).sum()):
        notes += (f"{num_lost} of {len(poses)} frames have no pose (lost by tracking)",)
    return Recording(
        source=path,
        format="scannet",
        size_hw=load_rgb.size_hw,
        time_s=np.full(len(poses), np.nan),
        frame_names=tuple(p.name for p in layout.images),
        load_rgb=load_rgb,
        load_depth_m=loader,
        depth_size_hw=depth_hw,
        k_px=np.tile(k_px, (len(poses), 1, 1)),
        world_from_camera=poses,
        up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="ScanNet's scan"),
        notes=notes,
    )


def read_scannet_pose(path: Path) -> Float64[np.ndarray, "4 4"]:
    """A 4x4 pose; all NaN where the file holds no finite number (ScanNet writes -inf for a lost frame).

    Errors: ``InputError`` for other than 16 numbers, or some that are finite and some that are not.
    """
    words = read_text(path).split()
    try:
        values = np.array([float(w) for w in words])
    except ValueError as error:
        raise InputError(path, expected="16 numbers", got=str(error)[:60]) from error
    if values.size != 16:
        raise InputError(path, expected="a pose of 4x4 numbers", got=f"{values.size} numbers")
    finite = np.isfinite(values)
    if not finite[:12].any():
        return np.full((4, 4), np.nan)
    if not finite.all():
        raise InputError(path, expected="16 finite numbers, or -inf for a lost frame", got=f"{finite.sum()} finite")
    return values.reshape(4, 4)


def _export_intrinsics(path: Path) -> tuple[Path, ...]:
    names = ("intrinsic_color.txt", "intrinsic_depth.txt")
    return tuple(folder / name for name in names for folder in (path / "intrinsic", path))


def _layout(path: Path) -> _Layout:
    if (path / "color").is_dir():
        rgb_k, depth_k = (
            next((p for p in _export_intrinsics(path) if p.name == name and p.is_file()), None)
            for name in ("intrinsic_color.txt", "intrinsic_depth.txt")
        )
        has_depth = (path / "depth").is_dir()
        return _Layout(
            images=list_images(path / "color"),
            pose_of=lambda p: path / "pose" / f"{p.stem}.txt",
            depth_of=(lambda p: path / "depth" / f"{p.stem}.png") if has_depth else None,
            rgb_k=rgb_k,
            depth_k=depth_k,
        )
    files = list_images(path)
    images = [p for p in files if p.suffix.lower() in _COLOR_SUFFIXES]
    has_depth = any(p.suffix.lower() == ".png" for p in files)
    return _Layout(
        images=images,
        pose_of=lambda p: p.with_suffix(".txt"),
        depth_of=(lambda p: p.with_suffix(".png")) if has_depth else None,
        rgb_k=_if_file(path / "intrinsic.txt"),
        depth_k=_if_file(path / "depth_intrinsic.txt"),
    )


def _if_file(path: Path) -> Path | None:
    return path if path.is_file() else None


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise InputError(path, expected=f"{what} for every colour image", got="nothing there")
    return path


def _intrinsics(
    layout: _Layout, path: Path, rgb_hw: tuple[int, int], depth_hw: tuple[int, int] | None
) -> tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3 3"] | None]:
    """K of colour and of depth. Where only one is given, the two see the same and the other follows by scale."""
    rgb_k = None if layout.rgb_k is None else read_scannet_k(layout.rgb_k)
    depth_k = None if layout.depth_k is None else read_scannet_k(layout.depth_k)
    if rgb_k is None and depth_k is not None and depth_hw is not None:
        rgb_k = scale_k(depth_k, from_hw=depth_hw, to_hw=rgb_hw)
    if rgb_k is None:
        raise InputError(path, expected="intrinsics of the colour camera", got="none")
    return rgb_k, depth_k


def read_scannet_k(path: Path) -> Float64[np.ndarray, "3 3"]:
    """Intrinsics with pixel centres at +0.5. Errors: ``InputError`` without positive focal lengths."""
    k_px = read_intrinsics(path)
    if not (k_px[0, 0] > 0 and k_px[1, 1] > 0):
        raise InputError(path, expected="focal lengths above 0", got=f"fx {k_px[0, 0]:g}, fy {k_px[1, 1]:g}")
    return k_px
