"""Wavefront OBJ and MTL, the parts of them that furniture uses: triangles by material, with normals and texture coordinates.

Written for models of a hundred thousand polygons from unknown hands: numbers are converted many at once, polygons are cut into
fans, indices are checked, and a file that is cut off or nonsense raises one error. A material file is read through a function,
so that what it names can only come from where the model came from.
"""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from video3d.types import InputError

_MAX_TRIANGLES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjMaterial:
    """A material: colour 0..1 with opacity, and the path of its picture or None."""

    name: str
    rgba: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    texture: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjPart:
    """Triangles of one material, in the file's own axes and unit.

    Attributes:
        points: one a vertex; a vertex is one combination of position, normal and texture coordinate.
        normals: unit, or zero where the file has none for this vertex.
        uv: v up; zero where the file has none.
        has_uv: whether the file gives texture coordinates to this part.
    """

    material: ObjMaterial
    points: Float64[np.ndarray, "v 3"]
    normals: Float64[np.ndarray, "v 3"]
    uv: Float64[np.ndarray, "v 2"]
    has_uv: bool
    triangles: Int64[np.ndarray, "t 3"]


def _floats(lines: list[str], width: int, label: str) -> Float64[np.ndarray, "n w"]:
    """Numbers of lines that begin with a keyword; only the first ``width`` of a line count, missing ones are 0."""
    if not lines:
        return np.zeros((0, width))
    try:
        rows = [line.split()[1 : 1 + width] for line in lines]
        if all(len(row) == width for row in rows):
            values = np.array(rows, dtype=np.float64)
        else:
            values = np.array([[float(x) for x in row] + [0.0] * (width - len(row)) for row in rows])
    except ValueError as error:
        raise InputError(label, expected="numbers", got=error) from error
    if not np.isfinite(values).all():
        raise InputError(label, expected="finite coordinates", got="NaN or infinity")
    return values


def _corners(faces: list[str], counts: tuple[int, int, int], label: str) -> Int64[np.ndarray, "t 3 3"]:
    """Corners of triangles as (position, texture, normal), counted from 0; -1 where a corner names none."""
    fans: list[list[str]] = []
    for line in faces:
        words = line.split()[1:]
        if len(words) == 3:
            fans.append(words)
        else:
            fans.extend([words[0], words[k], words[k + 1]] for k in range(1, len(words) - 1))
    if len(fans) > _MAX_TRIANGLES:
        raise InputError(label, expected=f"at most {_MAX_TRIANGLES} triangles", got=len(fans))
    if not fans:
        return np.zeros((0, 3, 3), dtype=np.int64)
    words = [word for fan in fans for word in fan]
    corners = np.zeros((len(words), 3), dtype=np.int64)
    shape = words[0].count("/")
    try:
        if all(word.count("/") == shape for word in words) and not (shape == 2 and any("//" in w for w in words)):
            numbers = np.array(" ".join(words).replace("/", " ").split(), dtype=np.int64)
            corners[:, : shape + 1] = numbers.reshape(len(words), shape + 1)
        else:
            corners[:] = [[int(x or 0) for x in [*word.split("/"), "", ""][:3]] for word in words]
    except ValueError as error:
        raise InputError(label, expected="corners like 1/2/3", got=error) from error
    limits = np.array(counts)
    # Counted from 1, or from the last where negative; 0 is none.
    corners = np.where(corners > 0, corners - 1, np.where(corners < 0, corners + limits, -1))
    if (corners >= limits).any() or (corners < -1).any() or (corners[:, 0] < 0).any():
        raise InputError(label, expected=f"indices of {counts[0]} points", got="others", do="the file may be cut off")
    return corners.reshape(-1, 3, 3)


def read_obj(data: bytes, read: Callable[[str], bytes | None], path: str) -> tuple[ObjPart, ...]:
    """Reads an OBJ with its materials.

    Args:
        data: the OBJ file.
        read: gives the bytes of a file beside it by its path, None where there is none.
        path: of the OBJ, for messages and for what lies beside it.

    Returns:
        Parts by material in the order of their first use.

    Errors: ``InputError`` for a file that holds no triangle, has bad numbers or names points that it has not.
    """
    points: list[str] = []
    textures: list[str] = []
    normals: list[str] = []
    faces: dict[str, list[str]] = {}
    materials: dict[str, ObjMaterial] = {}
    current = faces.setdefault("", [])
    text = data.decode("latin-1").replace("\\\n", " ").replace("\\\r\n", " ")
    for line in text.splitlines():
        head = line[:2]
        if head == "v ":
            points.append(line)
        elif head == "f ":
            current.append(line)
        elif head == "vt":
            textures.append(line)
        elif head == "vn":
            normals.append(line)
        elif line.startswith("usemtl"):
            current = faces.setdefault(line[6:].strip(), [])
        elif line.startswith("mtllib"):
            for name in (line[6:].strip(), *line[6:].split()):
                beside = posixpath.join(posixpath.dirname(path), name)
                if (found := read(beside)) is not None:
                    materials.update(read_mtl(found, beside))
                    break
    p, t, n = _floats(points, 3, path), _floats(textures, 2, path), _floats(normals, 3, path)
    n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-12)
    parts = []
    for name, lines in faces.items():
        corners = _corners(lines, (len(p), len(t), len(n)), path)
        if not len(corners):
            continue
        flat = corners.reshape(-1, 3) + 1
        key = (flat[:, 0] * (len(t) + 1) + flat[:, 1]) * (len(n) + 1) + flat[:, 2]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        chosen = flat[first]
        padded_t, padded_n = np.vstack([np.zeros((1, 2)), t]), np.vstack([np.zeros((1, 3)), n])
        parts.append(
            ObjPart(
                material=materials.get(name, ObjMaterial(name=name)),
                points=p[chosen[:, 0] - 1],
                normals=padded_n[chosen[:, 2]],
                uv=padded_t[chosen[:, 1]],
                has_uv=bool((chosen[:, 1] > 0).all()),
                triangles=inverse.reshape(-1, 3).astype(np.int64),
            )
        )
    if not parts:
        raise InputError(path, expected="triangles", got="none", do="the file may be cut off")
    return tuple(parts)


def read_mtl(data: bytes, path: str) -> dict[str, ObjMaterial]:
    r"""Reads a material file; a line that cannot be read is skipped, as every viewer does.

    >>> read_mtl(b"newmtl wood\nKd .5 .4 .3\nd 0.5\nmap_Kd oak.jpg", "table/table.mtl")["wood"]
    ObjMaterial(name='wood', rgba=(0.5, 0.4, 0.3, 0.5), texture='table/oak.jpg')
    """
    found: dict[str, ObjMaterial] = {}
    current: ObjMaterial | None = None
    for line in data.decode("latin-1").splitlines():
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "newmtl":
            current = ObjMaterial(name=rest)
        elif current is None:
            continue
        elif word == "map_Kd" and rest:
            # Options (-o 1 1 1, -s ...) stand before the name.
            name = rest if not rest.startswith("-") else rest.split()[-1]
            current = replace(current, texture=posixpath.join(posixpath.dirname(path), name))
        elif word in ("Kd", "d", "Tr"):
            try:
                values = [min(max(float(x), 0.0), 1.0) for x in rest.split()[:3]]
            except ValueError:
                continue
            r, g, b, a = current.rgba
            if word == "Kd" and len(values) == 3:
                current = replace(current, rgba=(values[0], values[1], values[2], a))
            elif word == "d" and values:
                current = replace(current, rgba=(r, g, b, values[0]))
            elif word == "Tr" and values:
                current = replace(current, rgba=(r, g, b, 1.0 - values[0]))
        if current is not None:
            found[current.name] = current
    return found
