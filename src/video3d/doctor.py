"""What this machine has and lacks, and what to do about it. Finds things without importing what is slow or may crash."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from typing import Any

from video3d.cache_dir import default_cache_dir
from video3d.types import InputError, install_extra


def examine() -> list[dict[str, Any]]:
    """One row a check: ``name``, ``ok``, ``required``, ``found``, ``do`` (empty where nothing is to be done)."""
    rows = [_row("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.machine()}")]
    rows += [_decoder(), _device(), _package("pycolmap", "camera from plain video", "pip install pycolmap")]
    rows += _weights()
    extras = {
        "accelerate": ("training", "train"),
        "peft": ("LoRA", "train"),
        "evo": ("trajectory evaluation", "eval"),
        "rerun": ("viewer", "viz"),
        "viser": ("viewer in one HTML file", "viz"),
        "fastapi": ("server and annotation page", "serve"),
        "pyarrow": ("Video-3D-QA data sets", "data"),
        "mujoco": ("simulator", "sim"),
    }
    for module, (purpose, extra) in extras.items():
        rows.append(_package(module, purpose, install_extra(extra), required=False))
    return [*rows, *_simulator()]


def _row(name: str, ok: bool, found: str, *, required: bool = True, do: str = "") -> dict[str, Any]:
    return {"name": name, "ok": bool(ok), "required": required, "found": found, "do": do}


def _package(module: str, purpose: str, do: str, *, required: bool = True) -> dict[str, Any]:
    ok = importlib.util.find_spec(module) is not None
    distribution = {"rerun": "rerun-sdk"}.get(module, module)
    found = f"{importlib.metadata.version(distribution)}, {purpose}" if ok else f"not installed: {purpose}"
    return _row(module, ok, found, required=required, do="" if ok else do)


def _decoder() -> dict[str, Any]:
    try:
        import av

        names = [c for c in ("h264", "hevc", "vp9", "av1", "mpeg4") if c in av.codecs_available]
        return _row("decoder", bool(names), f"PyAV {av.__version__}: {', '.join(names)}")
    except ImportError as error:
        return _row("decoder", False, f"PyAV does not load: {error}", do="pip install --force-reinstall av")


def _simulator() -> list[dict[str, Any]]:
    """Whether scenes can be rendered here, and whether there is furniture to put into them."""
    from video3d.data.simulate.asset_cache import INSTALL, find_furniture

    if importlib.util.find_spec("mujoco") is None:
        problem: str | None = "not tried: no mujoco"
    else:
        from video3d.data.simulate.render import gl_problem

        problem = gl_problem()
    rows = [_row("rendering", problem is None, "OpenGL through EGL" if problem is None else problem, required=False)]
    try:
        furniture = find_furniture(None)
    except InputError as error:
        return [*rows, _row("furniture", False, error.got, required=False, do=error.do)]
    found = str(furniture) if furniture else "none: rooms are furnished with simple shapes"
    return [*rows, _row("furniture", furniture is not None, found, required=False, do="" if furniture else INSTALL)]


def _device() -> dict[str, Any]:
    try:
        import torch

        from video3d.model.nano import cpu_dtype
    except ImportError as error:
        return _row("torch", False, f"does not load: {error}", do="pip install --force-reinstall torch")
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    dtype = "bfloat16" if torch.cuda.is_available() else str(cpu_dtype()).removeprefix("torch.")
    return _row("torch", True, f"{torch.__version__}: {device}, computes in {dtype}")


def _weights() -> list[dict[str, Any]]:
    """The files of the embedded model and detector, checked byte by byte, and the cache that they are converted into."""
    try:
        from video3d.estimate.yolo import WEIGHTS
        from video3d.model.nano import DINOV2, SMOLLM2, nano_dir
        from video3d.packaged import find_packaged
    except ImportError as error:
        return [_row("weights", False, f"cannot be looked for: {error}", do="pip install --force-reinstall video3d")]
    rows = []
    for name, wanted in (("language model", SMOLLM2), ("vision tower", DINOV2), ("detector", WEIGHTS)):
        try:
            size_mb = find_packaged(wanted).stat().st_size / 1e6
            found, do = f"{wanted.package} {wanted.version}, {size_mb:.0f} MB, checksum right", ""
        except InputError as error:
            found, do = error.got, error.do
        rows.append(_row(name, not do, found, do=do))
    root = default_cache_dir()
    parent = next(p for p in (root, *root.parents) if p.exists())
    free_gb = shutil.disk_usage(parent).free / 1e9
    ok = os.access(parent, os.W_OK) and free_gb > 1.0
    state = "nano is converted" if nano_dir().is_dir() else "nano is converted on its first use"
    do = "" if ok else "set VIDEO3D_CACHE to a folder that can be written and has 1 GB free"
    return [*rows, _row("cache", ok, f"{root}, {free_gb:.0f} GB free, {state}", do=do)]
