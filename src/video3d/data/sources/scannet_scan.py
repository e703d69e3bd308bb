"""One ScanNet scan's annotation: the mesh, its segments, which segments are which object, and the world's axes.

Files of a scan, named after its folder (https://github.com/ScanNet/ScanNet, its README "Data Organization"):

- ``<scan>_vh_clean_2.ply``: the decimated mesh, vertices in the scan's own frame (+z up, metres);
- ``<scan>_vh_clean_2.0.010000.segs.json``: ``segIndices``, a segment number for every vertex;
- ``<scan>.aggregation.json``: ``segGroups`` with ``objectId`` (from 0), ``label`` (a raw category) and ``segments``;
- ``<scan>.txt``: ``axisAlignment``, 16 numbers by row, which turn the scan so that walls run along x and y.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.data.sources.ply import read_vertices
from video3d.geometry.rigid import is_rigid, transform_points
from video3d.types import InputError
from video3d.video.json_files import as_numbers, read_json_object, want
from video3d.video.text_files import as_pose, numbers, read_text

_MAX_OBJECTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInstance:
    """One annotated object of a scan: its number in the data set, its raw label, its vertices in the aligned world."""

    object_id: int
    label: str
    points_world: Float64[np.ndarray, "_ 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan's annotation in the aligned world (walls along x and y, the floor's median at z = 0).

    Attributes:
        instances: in order of ``object_id``; those without a vertex are left out.
        world_from_scan: from the frame of the mesh and the poses.
        mesh_center_scan: middle of the mesh's bounds in its own frame (SQA3D counts positions from it).
        aligned: the scan came with an ``axisAlignment``.
    """

    instances: tuple[ScanInstance, ...]
    world_from_scan: Float64[np.ndarray, "4 4"]
    mesh_center_scan: Float64[np.ndarray, "3"]
    aligned: bool


def read_scan(folder: Path) -> Scan:
    """The annotation of one scan.

    Errors: ``InputError`` for a file that is missing, cut short, or at odds with another (segments that no vertex has).
    """
    name = folder.name
    vertices = read_vertices(folder / f"{name}_vh_clean_2.ply")
    segment_of = read_segments(folder / f"{name}_vh_clean_2.0.010000.segs.json", len(vertices))
    groups = read_groups(folder / f"{name}.aggregation.json")
    align, aligned = _alignment(folder / f"{name}.txt")
    points = transform_points(align, vertices)
    members = {object_id: points[np.isin(segment_of, segments)] for object_id, _, segments in groups}
    floor = [members[object_id] for object_id, label, _ in groups if label == "floor" and len(members[object_id])]
    # Without a labelled floor its height is taken from the lowest vertices; scans reach below it only by noise.
    floor_z = float(np.median(np.concatenate(floor)[:, 2]) if floor else np.percentile(points[:, 2], 1))
    world_from_scan = align.copy()
    world_from_scan[2, 3] -= floor_z
    down = np.array([0.0, 0.0, floor_z])
    return Scan(
        instances=tuple(
            ScanInstance(object_id=object_id, label=label, points_world=members[object_id] - down)
            for object_id, label, _ in groups
            if len(members[object_id])
        ),
        world_from_scan=world_from_scan,
        mesh_center_scan=(vertices.min(axis=0) + vertices.max(axis=0)) / 2,
        aligned=aligned,
    )


def read_groups(path: Path) -> list[tuple[int, str, np.ndarray]]:
    """(object id, raw label, segment numbers) of every object of an ``aggregation.json``, by object id."""
    groups = want(read_json_object(path), "segGroups", list, path)
    if len(groups) > _MAX_OBJECTS:
        raise InputError(path, expected=f"at most {_MAX_OBJECTS} objects", got=len(groups))
    out: dict[int, tuple[int, str, np.ndarray]] = {}
    for group in groups:
        if not isinstance(group, dict):
            raise InputError(path, expected="segGroups of objects", got=f"a JSON {type(group).__name__}")
        object_id = want(group, "objectId", int, path)
        if not 0 <= object_id < 2**16 - 1 or object_id in out:
            raise InputError(path, expected="different object ids from 0 on", got=object_id)
        segments = as_numbers(want(group, "segments", list, path) or [-1], (-1,), f"{path}: segments")
        out[object_id] = (object_id, want(group, "label", str, path)[:80], segments.astype(np.int64))
    return [out[key] for key in sorted(out)]


def read_segments(path: Path, num_vertices: int) -> np.ndarray:
    """Segment number of every vertex, from ``segIndices``. Errors: ``InputError`` for another number of them."""
    segment_of = as_numbers(want(read_json_object(path), "segIndices", list, path), (-1,), f"{path}: segIndices")
    if len(segment_of) != num_vertices:
        raise InputError(path, expected=f"{num_vertices} segment numbers, one a vertex", got=len(segment_of))
    return segment_of.astype(np.int64)


def _alignment(path: Path) -> tuple[Float64[np.ndarray, "4 4"], bool]:
    """``axisAlignment`` of ``<scan>.txt``; the identity where the file has none, as for the test scans."""
    for line in read_text(path).splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "axisAlignment":
            align = as_pose(numbers(value.split(), path), path)
            if not bool(is_rigid(align, atol=1e-3)) or abs(align[2, 2] - 1) > 1e-3:
                raise InputError(path, expected="an axisAlignment that turns about z", got=value.strip()[:80])
            return align, True
    return np.eye(4), False
