"""Placement as glTF 2.0: a node with a matrix for every zone's anchor, its free room as a box, and the outlines of planes.

glTF is right-handed with +Y up (Khronos, glTF 2.0 specification, 3.4), so world (x, y, z) becomes (x, z, -y), and the frame of an
anchor turns alike: its own +Y is the surface's normal. Matrices are column-major. One file, its numbers embedded.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.answers.results import PlacementZone, SurfacePlane
from video3d.replaced import replaced
from video3d.types import InputError

_GLTF_FROM_WORLD = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
_CUBE = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, 1.0) for z in (-0.5, 0.5)])
_CUBE_EDGES = np.array([(0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6), (3, 7)])
_COLORS = {
    "floor": (0.2, 0.8, 0.2, 1.0),
    "top": (1.0, 0.8, 0.0, 1.0),
    "wall": (0.1, 0.6, 1.0, 1.0),
    "ceiling": (0.8, 0.2, 0.8, 1.0),
    "other": (0.6, 0.6, 0.6, 1.0),
    "zone": (1.0, 0.2, 0.2, 1.0),
}


def gltf_anchors(
    planes: tuple[SurfacePlane, ...], zones: tuple[PlacementZone, ...], *, unit: str = "m"
) -> dict[str, Any]:
    """The glTF document: nodes named by the ids of zones and planes; ``extras`` hold what glTF has no word for.

    >>> gltf_anchors((), ())["asset"]["version"]
    '2.0'
    """
    document = _Document()
    for kind, color in _COLORS.items():
        document.material(kind, color)
    for plane in planes:
        corners = np.array(plane.polygon) @ _GLTF_FROM_WORLD[:3, :3].T
        extras = plane.model_dump(mode="json", include={"kind", "area", "height", "on", "confidence", "status"})
        document.node(plane.id, mesh=document.lines(plane.id, corners, None, plane.kind), extras=extras)
    cube = document.lines("room", _CUBE, _CUBE_EDGES, "zone") if zones else None
    for zone in zones:
        pose = _GLTF_FROM_WORLD @ np.array(zone.world_from_anchor) @ _GLTF_FROM_WORLD.T
        extras = zone.model_dump(mode="json", include={"plane", "size", "clearance", "flatness", "score", "confidence"})
        along, across, up = zone.size
        room = document.node(f"{zone.id}-room", mesh=cube, scale=[along, up, across], root=False)
        document.node(zone.id, matrix=pose.T.reshape(-1).tolist(), children=[room], extras=extras)
    return document.whole(unit)


def write_anchors(
    path: Path, planes: tuple[SurfacePlane, ...], zones: tuple[PlacementZone, ...], *, unit: str = "m"
) -> None:
    """Writes a ``.gltf`` beside and renames it.

    Raises:
        InputError: another ending, or it cannot be written.
    """
    if path.suffix.lower() != ".gltf":
        raise InputError(path, expected="a file name ending in .gltf", got=path.suffix or "none")
    text = json.dumps(gltf_anchors(planes, zones, unit=unit), allow_nan=False)
    with replaced(path) as beside:
        beside.write_text(text, encoding="utf-8")


class _Document:
    """A glTF document that grows. Lists that stay empty are left out, as the specification wants."""

    def __init__(self) -> None:
        self._lists: dict[str, list[Any]] = {
            "nodes": [], "meshes": [], "materials": [], "accessors": [], "bufferViews": []
        }  # fmt: skip
        self._roots: list[int] = []
        self._bytes = b""

    def _add(self, name: str, entry: dict[str, Any]) -> int:
        self._lists[name].append({key: value for key, value in entry.items() if value is not None})
        return len(self._lists[name]) - 1

    def material(self, name: str, color: tuple[float, ...]) -> int:
        shade = {"baseColorFactor": list(color), "metallicFactor": 0.0}
        return self._add("materials", {"name": name, "pbrMetallicRoughness": shade})

    def node(self, name: str, *, root: bool = True, **entry: Any) -> int:
        number = self._add("nodes", {"name": name, **entry})
        if root:
            self._roots.append(number)
        return number

    def lines(
        self, name: str, points: Float64[np.ndarray, "k 3"], edges: np.ndarray | None, material: str
    ) -> int | None:
        """A mesh of lines: a closed one around the points, or the given edges; None where there are too few points."""
        if len(points) < 2:
            return None
        values = points.astype("<f4")
        at = self._numbers(values.tobytes(), 34962, {
            "componentType": 5126, "count": len(values), "type": "VEC3",
            "min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist(),
        })  # fmt: skip
        drawn: dict[str, Any] = {"attributes": {"POSITION": at}, "mode": 2, "material": list(_COLORS).index(material)}
        if edges is not None:
            drawn["indices"] = self._numbers(
                edges.astype("<u2").tobytes(), 34963, {"componentType": 5123, "count": edges.size, "type": "SCALAR"}
            )
            drawn["mode"] = 1
        return self._add("meshes", {"name": name, "primitives": [drawn]})

    def _numbers(self, content: bytes, target: int, accessor: dict[str, Any]) -> int:
        view = {"buffer": 0, "byteOffset": len(self._bytes), "byteLength": len(content), "target": target}
        self._bytes += content + b"\0" * (-len(content) % 4)
        return self._add("accessors", {"bufferView": self._add("bufferViews", view), **accessor})

    def whole(self, unit: str) -> dict[str, Any]:
        about = {"unit": unit, "axes": "+Y up: world (x, y, z) is (x, z, -y) here"}
        document: dict[str, Any] = {"asset": {"version": "2.0", "generator": "video3d", "extras": about}, "scene": 0}
        document["scenes"] = [{"nodes": self._roots}] if self._roots else [{}]
        document |= {name: entries for name, entries in self._lists.items() if entries}
        if self._bytes:
            uri = "data:application/octet-stream;base64," + base64.b64encode(self._bytes).decode()
            document["buffers"] = [{"byteLength": len(self._bytes), "uri": uri}]
        return document
