"""Writes a mesh to one binary PLY file, whole or not at all."""

import uuid
from pathlib import Path

import numpy as np

from video3d.geometry.surface import Mesh
from video3d.types import InputError
from video3d.viz.out_file import check_out_file


def check_mesh_out(out: Path, *, overwrite: bool) -> None:
    """Raises InputError unless ``out`` is a ``.ply`` that can be made, or an earlier file that may be replaced.

    >>> check_mesh_out(Path("mesh.obj"), overwrite=False)
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: mesh.obj: expected a file name ending in .ply, got .obj; binary PLY is what is written
    """
    check_out_file(
        out, (".ply",), is_ours=_is_ply, ours="a PLY file to overwrite", overwrite=overwrite, do="binary PLY is what is written"
    )  # fmt: skip


def _is_ply(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"ply\n", b"ply\r")


def write_mesh(mesh: Mesh, out: Path, *, unit: str, overwrite: bool = False) -> None:
    """Writes vertices (float32), colours (uint8) and triangles (int32), little-endian; the unit stands in a comment.

    Raises:
        InputError: see ``check_mesh_out``; or it cannot be written.
    """
    check_mesh_out(out, overwrite=overwrite)
    rows = np.empty(len(mesh.vertices), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    rows["xyz"], rows["rgb"] = mesh.vertices, mesh.colors
    triangles = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("vertices", "<i4", 3)])
    triangles["count"], triangles["vertices"] = 3, mesh.faces
    header = "\n".join([
        "ply", "format binary_little_endian 1.0", f"comment video3d mesh, lengths in {unit}",
        f"element vertex {len(rows)}", *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {color}" for color in ("red", "green", "blue")),
        f"element face {len(triangles)}", "property list uchar int vertex_indices", "end_header\n",
    ])  # fmt: skip
    beside = out.parent / f".video3d-{uuid.uuid4().hex}.partial"
    try:
        with beside.open("wb") as file:
            file.write(header.encode())
            file.write(rows.tobytes())
            file.write(triangles.tobytes())
        beside.replace(out)
    except OSError as error:
        raise InputError(out, expected="a file that can be written", got=error.strerror or error) from error
    finally:
        beside.unlink(missing_ok=True)
