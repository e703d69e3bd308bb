"""Writes a PosedClip to a folder: cameras.json, depth/NNNNNN.png, points.ply, report.json, report.html.

The folder appears whole or not at all: everything is written beside it and renamed at the end. What the user had is never
overwritten unless asked, and then only a folder that this module wrote.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from tqdm import tqdm

from video3d.geometry.resize import resize_depth
from video3d.geometry.rigid import transform_points, unproject
from video3d.types import InputError, PosedClip
from video3d.viz.report import report_html

MARKER = "video3d geometry"
MAX_DEPTH_MM = 65535
NUM_POINTS_CAP = 1_000_000


def write_geometry(clip: PosedClip, out: Path, *, report: dict[str, Any], overwrite: bool = False) -> dict[str, Any]:
    """Writes cameras, depth, points and a report (for programs and as a page); returns the report as written.

    ``depth/NNNNNN.png`` is named by the frame's index in the recording: uint16 millimetres of z-depth at the size of the
    colour frame, 0 unknown (thousandths of the reconstruction's unit where the world is not metric). ``points.ply`` is in
    the world frame of ``cameras.json`` and holds piece 0 only, because other pieces have a frame of their own.

    Raises:
        InputError: ``out`` exists and is not a folder that may be replaced, or cannot be written.
    """
    check_out(out, overwrite=overwrite)
    with made_folder(out) as beside:
        (beside / "depth").mkdir()
        cameras = [_camera_row(clip, i) for i in range(clip.num_frames)]
        _write_json(beside / "cameras.json", cameras)
        lost = _write_depth(clip, beside / "depth")
        points, colors = world_points(clip, NUM_POINTS_CAP)
        write_ply(beside / "points.ply", points, colors)
        report = {
            "written_by": MARKER,
            **report,
            "num_points": len(points),
            "depth_unit": "mm" if clip.world.metric else "1/1000 of the reconstruction's unit",
            "depth_pixels_beyond_range": lost,
        }
        _write_json(beside / "report.json", report)
        (beside / "report.html").write_text(report_html(clip, points, colors, report), encoding="utf-8")
    return report


@contextmanager
def made_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` to write into, which takes its place at the end if nothing is raised.

    Raises:
        InputError: it cannot be written.
    """
    beside = out.parent / f".video3d-{uuid.uuid4().hex}.partial"
    try:
        beside.mkdir(parents=True)
        yield beside
        if out.exists():
            old = out.parent / f".video3d-{uuid.uuid4().hex}.old"
            out.rename(old)
            beside.rename(out)
            shutil.rmtree(old)
        else:
            beside.rename(out)
    except OSError as error:
        raise InputError(out, expected="a folder that can be written", got=error.strerror or error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_out(out: Path, *, overwrite: bool, strange: Callable[[Path], str | None] | None = None) -> None:
    """Raises InputError unless ``out`` can be made, is empty, or is an earlier result that may be replaced.

    Args:
        out: the folder.
        overwrite: whether an earlier result may be replaced.
        strange: says what in a folder with files is no part of an earlier result, None where nothing is; by default of
            ``write_geometry``.
    """
    try:
        _check_out(out, overwrite=overwrite, strange=strange or _strange_to_geometry)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        got = getattr(error, "strerror", None) or error
        raise InputError(out, expected="a folder that can be made", got=got, do="name another") from error


def _check_out(out: Path, *, overwrite: bool, strange: Callable[[Path], str | None]) -> None:
    if out.name in ("", "..", "."):
        raise InputError(out, expected="a new folder's name", got="a folder in use", do="name a folder to make")
    parent = out.parent
    if not parent.is_dir():
        raise InputError(out, expected="a folder to be made in an existing one", got=f"no folder {parent}")
    if not os.access(parent, os.W_OK):
        raise InputError(out, expected="a folder that can be written", got=f"no permission to write in {parent}")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(out, expected="a folder", got="a file or link of that name", do="name another folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not overwrite:
        raise InputError(out, expected="a new or empty folder", got="one with files", do="name another, or --overwrite")
    if (got := strange(out)) is not None:
        raise InputError(out, expected="an earlier result to overwrite", got=got, do="name another folder")


def _strange_to_geometry(out: Path) -> str | None:
    known = {"cameras.json", "depth", "points.ply", "report.json", "report.html"}
    strangers = sorted(p.name for p in out.iterdir() if p.name not in known)
    strangers += sorted(p.name for p in (out / "depth").glob("*") if not p.name[:6].isdigit() or p.suffix != ".png")
    try:
        ours = json.loads((out / "report.json").read_text()).get("written_by") == MARKER
    except (OSError, ValueError, AttributeError):
        ours = False
    if strangers:
        return f"other files in it ({strangers[0]})"
    return None if ours else "a folder that video3d did not write"


def _camera_row(clip: PosedClip, i: int) -> dict[str, Any]:
    k, pose, time_s = clip.k_px[i], clip.world_from_camera[i], float(clip.time_s[i])
    return {
        "frame_index": int(clip.frame_index[i]),
        "time_s": time_s if np.isfinite(time_s) else None,
        "size_hw": list(clip.size_hw),
        "k_px": k.tolist() if np.isfinite(k).all() else None,
        "world_from_camera": pose.tolist() if np.isfinite(pose).all() else None,
        "piece": int(clip.piece[i]),
    }


def _write_depth(clip: PosedClip, folder: Path) -> int:
    """Writes the depth maps; returns how many pixels were known but too far for 16 bits (they become 0, unknown)."""
    from PIL import Image

    lost = 0
    for i in tqdm(range(clip.num_frames), desc="writing depth", delay=2.0, leave=False):
        depth = resize_depth(clip.depth_m[i : i + 1], clip.size_hw)[0]
        mm = np.rint(np.nan_to_num(depth.astype(np.float64) * 1000.0, nan=0.0, posinf=0.0, neginf=0.0))
        far = mm > MAX_DEPTH_MM
        lost += int(far.sum())
        mm = np.where(far | (mm < 0), 0, mm).astype(np.uint16)
        Image.fromarray(mm).save(folder / f"{int(clip.frame_index[i]):06d}.png")
    return lost


def world_points(clip: PosedClip, cap: int) -> tuple[Float64[np.ndarray, "p 3"], UInt8[np.ndarray, "p 3"]]:
    """World points and colours of the known depth pixels of piece 0, thinned evenly over pixels to about ``cap``."""
    usable = [i for i in range(clip.num_frames) if clip.piece[i] == 0 and np.isfinite(clip.k_px[i]).all()]
    h, w = clip.size_hw
    stride = max(1, int(np.ceil(np.sqrt(len(usable) * h * w / cap))))
    points, colors = [np.zeros((0, 3))], [np.zeros((0, 3), np.uint8)]
    for i in usable:
        depth = resize_depth(clip.depth_m[i : i + 1], clip.size_hw)
        if np.isfinite(depth).mean() > 0.05:  # dense: thin it; sparse points are all kept
            keep = np.zeros_like(depth)
            keep[:, ::stride, ::stride] = 1
            depth = np.where(keep > 0, depth, np.nan).astype(np.float32)
        known = np.isfinite(depth[0])
        camera = unproject(depth, clip.k_px[i : i + 1])[0][known]
        points.append(transform_points(clip.world_from_camera[i], camera.astype(np.float64)))
        colors.append(clip.rgb[i][known])
    return np.concatenate(points), np.concatenate(colors)


def write_ply(path: Path, points: Float64[np.ndarray, "p 3"], colors: UInt8[np.ndarray, "p 3"]) -> None:
    """Binary little-endian PLY with float32 positions and uint8 colours, as every point-cloud viewer reads."""
    rows = np.empty(len(points), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    rows["xyz"], rows["rgb"] = points, colors
    names = "".join(f"property float {c}\n" for c in "xyz") + "".join(
        f"property uchar {c}\n" for c in ("red", "green", "blue")
    )
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment {MARKER}\nelement vertex {len(points)}\n{names}end_header\n"
    )
    path.write_bytes(header.encode() + rows.tobytes())


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
