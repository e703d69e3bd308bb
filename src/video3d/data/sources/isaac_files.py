"""The files of Replicator's BasicWriter, one by one: camera, 3D boxes, masks, depth.

Documented in Omniverse Replicator's pages on annotators and on the BasicWriter. Matrices are USD's: row vectors are multiplied from the
left, lengths are stage units (``metersPerSceneUnit`` of the camera file tells how long one is); depth is in metres already. A camera
looks along its -z, y up. Arrays are read with pickles refused and mapped, so that a header cannot claim memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from video3d.geometry.rigid import is_rigid
from video3d.types import InputError
from video3d.video.images import read_depth_png_m, read_rgb
from video3d.video.json_files import as_numbers, read_json_object, want
from video3d.video.text_files import read_text

_MAX_ARRAY_BYTES = 512 * 2**20
_MAX_BOXES, _MAX_M = 10_000, 1e5
_BOX_FIELDS = ("semanticId", "x_min", "y_min", "z_min", "x_max", "y_max", "z_max", "transform")
_NOT_INSTANCES = frozenset(("BACKGROUND", "UNLABELLED"))


@dataclass(frozen=True, slots=True, kw_only=True)
class IsaacCamera:
    """One frame's camera: K with pixel centres at +0.5, pose in the stage's axes and in metres, OpenCV camera axes."""

    k_px: Float64[np.ndarray, "3 3"]
    stage_from_camera: Float64[np.ndarray, "4 4"]
    meters_per_unit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IsaacBox:
    """One labelled prim in one frame: path, class words, box in the stage's axes and in metres, share hidden (NaN unknown)."""

    prim: str
    label: str
    size_m: Float64[np.ndarray, "3"]
    stage_from_object: Float64[np.ndarray, "4 4"]
    occluded_share: float


def read_camera(path: Path, size_hw: tuple[int, int]) -> IsaacCamera:
    """``camera_params_NNNN.json``.

    Errors: ``InputError`` for a lens that is no pinhole, a picture of another size, or a view that is not rigid.
    """
    values = read_json_object(path)
    model = str(values.get("cameraModel", "pinhole"))
    if not model.lower().startswith("pinhole"):
        raise InputError(path, expected="a pinhole camera", got=model[:40], do="render with a pinhole camera")
    height, width = size_hw
    resolution = as_numbers(
        want(values, "renderProductResolution", list, path), (2,), f"{path}: renderProductResolution"
    )
    if resolution.tolist() != [width, height]:
        raise InputError(path, expected=f"a camera of {width} x {height} px as its picture", got=resolution.tolist())
    unit = float(want(values, "metersPerSceneUnit", (int, float), path))
    if not 1e-6 < unit < 1e6:
        raise InputError(path, expected="metersPerSceneUnit above 0", got=unit)
    view = _matrix(values, "cameraViewTransform", path).T  # to column vectors: camera_from_stage
    if not bool(is_rigid(view, atol=1e-3)):
        raise InputError(path, expected="a rigid cameraViewTransform", got="one that scales or shears")
    stage_from_camera = np.linalg.inv(view)
    stage_from_camera[:3, 3] *= unit
    stage_from_camera[:, 1:3] *= -1  # OpenGL's axes to OpenCV's
    return IsaacCamera(k_px=_k(values, size_hw, path), stage_from_camera=stage_from_camera, meters_per_unit=unit)


def _k(values: dict[str, Any], size_hw: tuple[int, int], path: Path) -> Float64[np.ndarray, "3 3"]:
    """From ``cameraProjection`` where it is there; else from focal length and aperture, which say the same of a centred lens."""
    height, width = size_hw
    if "cameraProjection" in values:
        p = _matrix(values, "cameraProjection", path)
        fx, fy = p[0, 0] * width / 2, p[1, 1] * height / 2
        cx, cy = width / 2 * (1 - p[2, 0]), height / 2 * (1 + p[2, 1])
    else:
        aperture = as_numbers(want(values, "cameraAperture", list, path), (2,), f"{path}: cameraAperture")
        focal = float(want(values, "cameraFocalLength", (int, float), path))
        offset = as_numbers(values.get("cameraApertureOffset", [0, 0]), (2,), f"{path}: cameraApertureOffset")
        if offset.any():
            raise InputError(path, expected="cameraProjection where the aperture is off centre", got="none")
        fx = fy = width * focal / aperture[0] if aperture[0] > 0 else np.nan
        cx, cy = width / 2, height / 2
    if not (np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0):
        raise InputError(path, expected="focal lengths above 0", got=f"fx {fx:g}, fy {fy:g}")
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def _matrix(values: dict[str, Any], key: str, path: Path) -> Float64[np.ndarray, "4 4"]:
    flat = np.ravel(np.array(want(values, key, list, path), dtype=object))
    return as_numbers(flat.tolist(), (16,), f"{path}: {key}").reshape(4, 4)


def read_boxes(array: Path, labels: Path, prims: Path, meters_per_unit: float) -> list[IsaacBox]:
    """``bounding_box_3d_NNNN.npy`` with its labels and prim paths.

    Errors: ``InputError`` for an array of other fields, files that disagree in number, or a box that is sheared or not finite.
    """
    table = load_array(array)
    names = table.dtype.names or ()
    if table.ndim != 1 or not set(_BOX_FIELDS) <= set(names) or len(table) > _MAX_BOXES:
        got = f"{len(table) if table.ndim else 1} rows of {', '.join(names)[:80] or table.dtype}"
        raise InputError(array, expected=f"rows of {', '.join(_BOX_FIELDS)}", got=got)
    label_of = read_json_object(labels)
    paths = _json_list(prims)
    if len(paths) != len(table):
        raise InputError(prims, expected=f"{len(table)} prim paths, one a box", got=len(paths))
    out = []
    for row, prim in zip(table, paths, strict=True):
        label = label_of.get(str(int(row["semanticId"])))
        if not isinstance(label, dict):
            raise InputError(labels, expected=f"a label of id {int(row['semanticId'])}", got="none")
        low = np.array([row[f"{axis}_min"] for axis in "xyz"], np.float64)
        high = np.array([row[f"{axis}_max"] for axis in "xyz"], np.float64)
        move = np.array(row["transform"], np.float64).reshape(-1)
        if move.size != 16 or not np.isfinite([*low, *high, *move]).all() or not (high >= low).all():
            raise InputError(array, expected="finite boxes", got=f"{prim}: {low.tolist()} to {high.tolist()}")
        pose, size_m = _box(move.reshape(4, 4).T, low, high, meters_per_unit, f"{array}: {prim[:80]}")
        hidden = float(row["occlusionRatio"]) if "occlusionRatio" in names else np.nan
        words = label.get("class", "")
        out.append(
            IsaacBox(
                prim=prim,
                label=words if isinstance(words, str) else "",
                size_m=size_m,
                stage_from_object=pose,
                occluded_share=hidden if 0 <= hidden <= 1 else np.nan,
            )
        )
    return out


def _box(
    stage_from_local: Float64[np.ndarray, "4 4"],
    low: Float64[np.ndarray, "3"],
    high: Float64[np.ndarray, "3"],
    unit: float,
    thing: str,
) -> tuple[Float64[np.ndarray, "4 4"], Float64[np.ndarray, "3"]]:
    """Rigid pose and size of a box whose transform may scale, and mirror, along its own axes."""
    linear = stage_from_local[:3, :3]
    scale = np.linalg.norm(linear, axis=0)
    if not (scale > 1e-12).all():
        raise InputError(thing, expected="a box with volume", got="a transform that flattens it")
    rotation = linear / scale
    if np.linalg.det(rotation) < 0:
        rotation[:, 0] *= -1  # a box is the same mirrored
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = (stage_from_local @ [*((low + high) / 2), 1.0])[:3] * unit
    if not bool(is_rigid(pose, atol=1e-2)):
        raise InputError(thing, expected="a box that is turned and scaled", got="one that is sheared")
    size_m = np.maximum((high - low) * scale * unit, 1e-3)
    if max(float(np.abs(pose[:3, 3]).max()), float(size_m.max())) > _MAX_M:
        raise InputError(
            thing, expected=f"a box within {_MAX_M:g} m", got=f"{size_m.tolist()} m at {pose[:3, 3].tolist()}"
        )
    u, _, vt = np.linalg.svd(rotation)
    pose[:3, :3] = u @ vt
    return pose, size_m


def read_depth(path: Path, size_hw: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """``distance_to_image_plane_NNNN.npy``: z-depth in metres; infinity (sky) and what is not above 0 become NaN."""
    array = load_array(path)
    if array.dtype.kind != "f" or array.size != size_hw[0] * size_hw[1]:
        raise InputError(path, expected=f"{size_hw[1]} x {size_hw[0]} numbers", got=f"{array.dtype} {array.shape}")
    depth_m = np.array(array, np.float32).reshape(size_hw)
    depth_m[~(np.isfinite(depth_m) & (depth_m > 0))] = np.nan
    return depth_m


def read_masks(image: Path, mapping: Path, size_hw: tuple[int, int]) -> tuple[Int64[np.ndarray, "h w"], dict[int, str]]:
    """Keys of every pixel of ``instance_segmentation_NNNN.png`` and the prim of every key, from its ``_mapping_`` file.

    Coloured masks (the BasicWriter's default) have keys packed from red, green and blue; plain ones their id.
    """
    prims = {str(k): v for k, v in read_json_object(mapping).items() if isinstance(v, str) and v not in _NOT_INSTANCES}
    if not prims or all(key.startswith("(") for key in prims):
        rgb = read_rgb(image, size_hw).astype(np.int64)
        return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2], {_color(k, mapping): v for k, v in prims.items()}
    plain = read_depth_png_m(image, 1.0, (), size_hw=size_hw)
    if not all(key.isdecimal() and len(key) < 10 for key in prims):
        raise InputError(mapping, expected="ids or colours", got=", ".join(list(prims)[:3])[:80])
    return plain.astype(np.int64), {int(k): v for k, v in prims.items()}


def _color(text: str, path: Path) -> int:
    match = re.fullmatch(r"\(\s*(\d{1,3}),\s*(\d{1,3}),\s*(\d{1,3})(?:,\s*\d{1,3})?\s*\)", text)
    if match is None or max(int(v) for v in match.groups()) > 255:
        raise InputError(path, expected="colours such as (140, 25, 255, 255)", got=text[:40])
    red, green, blue = (int(v) for v in match.groups())
    return red << 16 | green << 8 | blue


def prim_of(path: str, prims: Mapping[str, int]) -> int | None:
    """The object of a mask's prim: that prim itself, or the nearest labelled one above it.

    >>> prim_of("/World/Table/Leg", {"/World": 1, "/World/Table": 2}), prim_of("/Sky", {"/World": 1})
    (2, None)
    """
    while path:
        if path in prims:
            return prims[path]
        path = path.rpartition("/")[0]
    return None


def load_array(path: Path) -> np.ndarray:
    """An array of an ``.npy`` file, mapped. Errors: ``InputError`` for what is none, is cut short, or would need a pickle."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_ARRAY_BYTES:
            got = "nothing there" if not path.exists() else "no file, or one that is too large"
            raise InputError(path, expected="an .npy array", got=got)
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":  # np.load would take archives too
                raise InputError(path, expected="an .npy array", got="a file of another kind")
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy hands headers to Python's tokenizer and parser, which raise many kinds
        if isinstance(error, InputError):
            raise
        raise InputError(path, expected="an .npy array", got=str(error)[:80]) from error


def _json_list(path: Path) -> list[str]:
    import json

    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, expected="a JSON list of prim paths", got=str(error)[:80]) from error
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise InputError(path, expected="a JSON list of prim paths", got=f"{values!r:.60}")
    return values
