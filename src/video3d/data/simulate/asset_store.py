"""Assets on disk: quantised geometry in one compressed file, pictures in another, the rest as JSON. Read without trusting it.

Positions take 16 bits of the asset's own box (0.03 mm for a sofa), normals 8, texture coordinates 16. The arrays are plain
numpy arrays in a zip (loaded with ``allow_pickle=False``), pictures are JPEG or PNG one after another. The same assets give the
same bytes.
"""

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from video3d.data.simulate.asset import Asset, MeshPart
from video3d.types import InputError

INDEX, GEOMETRY, TEXTURES = "index.json", "geometry.npz", "textures.bin"
_STEPS = 65535
_META = (
    "asset_id",
    "name",
    "category",
    "kind",
    "placement",
    "support_height_m",
    "elevation_m",
    "mass_kg",
    "color",
    "has_front",
)
_META_MORE = ("creator", "licence", "held_out")


def encode_picture(pixels: UInt8[np.ndarray, "th tw 3"]) -> bytes:
    """JPEG, or PNG where that is smaller."""
    from PIL import Image

    image = Image.fromarray(pixels)
    best = b""
    for options in ({"format": "JPEG", "quality": 85}, {"format": "PNG", "optimize": True}):
        buffer = io.BytesIO()
        image.save(buffer, **options)
        if not best or len(buffer.getvalue()) < len(best):
            best = buffer.getvalue()
    return best


def write_assets(folder: Path, assets: Iterable[Asset], extra: dict[str, Any]) -> None:
    """Writes assets to a folder that exists; ``extra`` is kept in the index."""
    vertices, normals, uvs, faces, boxes = [], [], [], [], []
    pictures: dict[bytes, int] = {}
    blobs: list[bytes] = []
    rows = []
    for asset in assets:
        low = np.array([-asset.size_m[0] / 2, -asset.size_m[1] / 2, 0.0])
        parts = []
        for part in asset.parts:
            at = (part.vertices_m.astype(np.float64) - low) / asset.size_m
            vertices.append(np.round(np.clip(at, 0, 1) * _STEPS).astype(np.uint16))
            own = part.normals if part.normals is not None else np.zeros_like(part.vertices_m)
            normals.append(np.round(own * 127).astype(np.int8))
            if len(part.vertices_m) > _STEPS:
                raise InputError(asset.asset_id, expected=f"at most {_STEPS} vertices a part", got=len(part.vertices_m))
            faces.append(part.faces.astype(np.uint16))
            number, span = -1, 0.0
            if part.texture is not None and part.uv is not None:
                key = hashlib.sha256(repr(part.texture.shape).encode() + part.texture.tobytes()).digest()
                if key not in pictures:
                    pictures[key] = len(blobs)
                    blobs.append(encode_picture(part.texture))
                number, span = pictures[key], max(float(part.uv.max()), 1e-6)
                uvs.append(np.round(np.clip(part.uv / span, 0, 1) * _STEPS).astype(np.uint16))
            parts.append([len(part.vertices_m), len(part.faces), [round(v, 5) for v in part.rgba], number, span])
        boxes.append(asset.collision_boxes_m.astype(np.float32))
        row = {name: getattr(asset, name) for name in (*_META, *_META_MORE)}
        row |= {"size_m": asset.size_m.tolist(), "support_bounds_m": asset.support_bounds_m}
        rows.append(row | {"parts": parts, "boxes": len(boxes[-1])})

    def joined(arrays: list[np.ndarray], width: int, dtype: type) -> np.ndarray:
        return np.concatenate(arrays) if arrays else np.zeros((0, width), dtype=dtype)

    packed = {
        "vertices": np.ascontiguousarray(joined(vertices, 3, np.uint16).T),  # by axis: packs better
        "normals": np.ascontiguousarray(joined(normals, 3, np.int8).T),
        "uv": np.ascontiguousarray(joined(uvs, 2, np.uint16).T),
        "faces": joined(faces, 3, np.uint16),
        "boxes": joined(boxes, 6, np.float32),
    }
    np.savez_compressed(folder / GEOMETRY, allow_pickle=False, **packed)
    (folder / TEXTURES).write_bytes(b"".join(blobs))
    digest = hashlib.sha256()
    for array in packed.values():
        digest.update(array.tobytes())
    digest.update(b"".join(blobs))
    digest.update(json.dumps(rows, sort_keys=True).encode())
    index = {"digest": digest.hexdigest(), "pictures": [len(b) for b in blobs], **extra, "assets": rows}
    text = json.dumps(index, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (folder / INDEX).write_text(text, encoding="utf-8")


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a stored library. Errors: ``InputError`` where it is missing or damaged."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if not isinstance(index, dict) or not isinstance(index["assets"], list) or not isinstance(index["digest"], str):
            raise ValueError("it is no index")
    except (OSError, ValueError, KeyError) as error:
        raise _damaged(folder, error) from error
    return index


def _damaged(folder: Path, why: object) -> InputError:
    return InputError(
        folder, expected="a cache of converted furniture", got=why, do="delete the folder; it is made again"
    )


def read_assets(folder: Path) -> tuple[Asset, ...]:
    """All assets of a stored library. Errors: ``InputError`` where a file is missing, cut off or does not fit the others."""
    index = read_index(folder)
    try:
        with np.load(folder / GEOMETRY, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("vertices", "normals", "uv", "faces", "boxes")}
        textures = _read_pictures((folder / TEXTURES).read_bytes(), index["pictures"])
        reader = _Reader(arrays, textures)
        assets = tuple(reader.asset(row) for row in index["assets"])
        if reader.at != {
            "vertices": arrays["vertices"].shape[1],
            "faces": len(arrays["faces"]),
            "uv": arrays["uv"].shape[1],
            "boxes": len(arrays["boxes"]),
        }:
            raise ValueError("more geometry than its index names")
    except InputError:
        raise
    except Exception as error:  # zip, numpy, JSON and picture readers each raise their own
        raise _damaged(folder, error) from error
    return assets


def _read_pictures(data: bytes, lengths: list[int]) -> list[UInt8[np.ndarray, "th tw 3"]]:
    from PIL import Image

    found, at = [], 0
    for length in lengths:
        with Image.open(io.BytesIO(data[at : at + length])) as image:
            pixels = np.asarray(image.convert("RGB"))
        pixels.flags.writeable = False
        found.append(pixels)
        at += length
    return found


class _Reader:
    """Cuts the joined arrays back into assets, in order."""

    def __init__(self, arrays: dict[str, np.ndarray], textures: list[np.ndarray]) -> None:
        self.arrays, self.textures = arrays, textures
        self.at = {"vertices": 0, "faces": 0, "uv": 0, "boxes": 0}

    def _next(self, name: str, num: int) -> slice:
        start = self.at[name]
        self.at[name] = start + num
        return slice(start, start + num)

    def asset(self, row: dict[str, Any]) -> Asset:
        size = np.array(row["size_m"], dtype=np.float64)
        low = np.array([-size[0] / 2, -size[1] / 2, 0.0])
        parts = []
        for num_vertices, num_faces, rgba, number, span in row["parts"]:
            rows = self._next("vertices", num_vertices)
            vertices = self.arrays["vertices"][:, rows].T * (size / _STEPS) + low
            normals = self.arrays["normals"][:, rows].T.astype(np.float32)
            normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
            faces = self.arrays["faces"][self._next("faces", num_faces)].astype(np.int32)
            if len(vertices) != num_vertices or len(faces) != num_faces or faces.max(initial=0) >= num_vertices:
                raise ValueError(f"the geometry of {row['asset_id']} is cut off")
            uv = None
            if number >= 0:
                uv = (self.arrays["uv"][:, self._next("uv", num_vertices)].T * (span / _STEPS)).astype(np.float32)
            parts.append(
                MeshPart(
                    vertices_m=vertices.astype(np.float32),
                    faces=faces,
                    normals=normals,
                    uv=uv,
                    rgba=(float(rgba[0]), float(rgba[1]), float(rgba[2]), float(rgba[3])),
                    texture=self.textures[number] if number >= 0 else None,
                )
            )
        bounds = row["support_bounds_m"]
        meta = {name: row[name] for name in (*_META, *_META_MORE)}
        return Asset(
            size_m=size,
            parts=tuple(parts),
            collision_boxes_m=self.arrays["boxes"][self._next("boxes", row["boxes"])].astype(np.float64),
            support_bounds_m=None if bounds is None else (bounds[0], bounds[1], bounds[2], bounds[3]),
            **meta,
        )
