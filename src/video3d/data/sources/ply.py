"""Vertices of a PLY file, as ScanNet and ScanNet++ write their meshes; faces are not read.

Little- or big-endian binary or text, with any scalar properties of which x, y, z are three. Page of the format:
http://paulbourke.net/dataformats/ply. Every count in the header is checked against the file's size before it is used.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8",
    "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4",
    "float64": "f8",
}  # fmt: skip
_MAX_M = 1e5
_MAX_HEADER_LINES, _MAX_LINE_BYTES, _MAX_VERTICES = 200, 1000, 200_000_000


def read_vertices(path: Path) -> Float64[np.ndarray, "n 3"]:
    """x, y, z of every vertex, in the file's order (other files number them by it).

    Errors: ``InputError`` for what is no PLY file, has no vertices first, is cut short, or holds a number that is not finite.
    """
    try:
        if not path.is_file():
            raise InputError(path, expected="a PLY mesh", got="nothing there" if not path.exists() else "no file")
        size = path.stat().st_size
        with path.open("rb") as file:
            order, count, names, kinds = _header(file, path)
            if order == "ascii":
                vertices = _text_rows(file, count, names, size, path)
            else:
                vertices = _binary_rows(file, count, names, [order + kind for kind in kinds], size, path)
    except OSError as error:
        raise InputError(path, expected="a PLY mesh", got=error.strerror or error) from error
    if not np.isfinite(vertices).all():
        raise InputError(path, expected="finite vertices", got="NaN or infinity among them")
    if np.abs(vertices).max() > _MAX_M:
        raise InputError(path, expected=f"vertices within {_MAX_M:g} m", got=f"one at {np.abs(vertices).max():g} m")
    return vertices


def _header(file: BinaryIO, path: Path) -> tuple[str, int, list[str], list[str]]:
    """Byte order (or ``ascii``), number of vertices, and names and types of their properties."""
    order, count, names, kinds, element = "", -1, [], [], ""
    if file.readline(_MAX_LINE_BYTES).strip() != b"ply":
        raise InputError(path, expected="a PLY mesh", got="a file of another kind")
    for _ in range(_MAX_HEADER_LINES):
        line = file.readline(_MAX_LINE_BYTES)
        words = line.decode("ascii", "replace").split()
        match words:
            case ["format", form, *_]:
                order = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "ascii"}.get(form, "")
            case ["element", name, number] if number.isdecimal():
                if not element and name != "vertex":
                    raise InputError(path, expected="vertices before anything else", got=f"element {name[:40]}")
                element = element or name
                count = int(number) if name == "vertex" and count < 0 else count
                element = name
            case ["property", kind, name] if element == "vertex" and kind in _TYPES:
                names.append(name)
                kinds.append(_TYPES[kind])
            case ["property", *_] if element == "vertex":
                raise InputError(path, expected="vertices of plain numbers", got=" ".join(words)[:80])
            case ["end_header"]:
                if not order or not 0 < count <= _MAX_VERTICES or not {"x", "y", "z"} <= set(names):
                    got = f"format {order or 'unknown'}, {count} vertices with {', '.join(names)[:80] or 'nothing'}"
                    raise InputError(path, expected="a PLY mesh with vertices x, y, z", got=got)
                if len(set(names)) != len(names):
                    raise InputError(path, expected="properties named once", got=", ".join(names)[:80])
                return order, count, names, kinds
        if not line:
            break
    raise InputError(path, expected="a PLY header that ends", got="none")


def _binary_rows(
    file: BinaryIO, count: int, names: list[str], kinds: list[str], size: int, path: Path
) -> Float64[np.ndarray, "n 3"]:
    row = np.dtype(list(zip(names, kinds, strict=True)))
    if file.tell() + count * row.itemsize > size:
        raise InputError(path, expected=f"{count} vertices", got=f"a file that ends after {size} bytes")
    table = np.fromfile(file, row, count)
    with np.errstate(invalid="ignore"):  # signalling NaNs: refused by the caller
        return np.stack([table[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _text_rows(file: BinaryIO, count: int, names: list[str], size: int, path: Path) -> Float64[np.ndarray, "n 3"]:
    if count * 2 * len(names) > size:
        raise InputError(path, expected=f"{count} vertices", got=f"a file of {size} bytes")
    columns = [names.index(axis) for axis in "xyz"]
    vertices = np.empty((count, 3))
    for i in range(count):
        words = file.readline(_MAX_LINE_BYTES).split()
        try:
            vertices[i] = [float(words[c]) for c in columns]
        except (ValueError, IndexError) as error:
            raise InputError(path, expected=f"{count} vertices", got=f"line {i + 1} of them: {words[:4]}") from error
    return vertices
