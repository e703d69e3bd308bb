"""A map of free cells as files for other programs: ROS ``map_server``'s image with its YAML, and areas as GeoJSON.

The image and its YAML are those that ``nav2_map_server`` loads (https://docs.nav2.org/configuration/packages/configuring-map-server.html;
trinary mode): occupied is black, free is nearly white, unknown the grey that lies between both thresholds; the first row of the
image is the farthest along +y. The areas are in GeoJSON's layout but not on the earth: x and y in the world's metres.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from video3d.answers.navigation import NavigationParts
from video3d.answers.results import Polygon
from video3d.geometry.occupancy import FREE, OCCUPIED, OccupancyMap
from video3d.replaced import replaced
from video3d.types import InputError

_SHADES = {FREE: 254, OCCUPIED: 0}
_UNKNOWN_SHADE = 205
NAMES = ("map.pgm", "map.yaml", "areas.geojson")


def map_image(grid: OccupancyMap) -> UInt8[np.ndarray, "ny nx"]:
    """The shades of a map as map_server writes them, +y up.

    >>> map_image(OccupancyMap(states=np.array([[0, 1], [-1, -1]], np.int8), origin=(0.0, 0.0), cell=1.0)).tolist()
    [[205, 205], [254, 0]]
    """
    shades = np.full(grid.states.shape, _UNKNOWN_SHADE, np.uint8)
    for state, shade in _SHADES.items():
        shades[grid.states == state] = shade
    return shades[::-1]


def map_yaml(grid: OccupancyMap, image: str) -> str:
    """What map_server reads beside the image of a name: metres a pixel, and where the image's lower left corner is.

    >>> print(map_yaml(OccupancyMap(states=np.zeros((2, 2), np.int8), origin=(-1.0, 0.5), cell=0.05), "map.pgm"), end="")
    image: map.pgm
    mode: trinary
    resolution: 0.05
    origin: [-1.0, 0.5, 0.0]
    negate: 0
    occupied_thresh: 0.65
    free_thresh: 0.196
    """
    x, y = (round(float(value), 6) for value in grid.origin)
    return (
        f"image: {image}\nmode: trinary\nresolution: {round(grid.cell, 6)}\norigin: [{x}, {y}, 0.0]\n"
        "negate: 0\noccupied_thresh: 0.65\nfree_thresh: 0.196\n"
    )


def areas_geojson(parts: NavigationParts) -> dict[str, Any]:
    """Free floor, where the robot's centre can go, obstacles' footprints, and the path, as a FeatureCollection.

    Each feature's ``kind`` is ``free``, ``reachable``, ``obstacle``, ``path`` or ``goal``. Rings are closed, as GeoJSON wants it.
    """
    features: list[dict[str, Any]] = []
    if parts.navigable is not None:
        for kind, areas in (("free", parts.navigable.polygons), ("reachable", parts.navigable.reachable)):
            features.extend(_feature(_polygon(area), kind=kind) for area in areas)
    for obstacle in parts.obstacles:
        low = obstacle.box.center[2] - obstacle.box.size[2] / 2
        more = {"id": obstacle.id, "name": obstacle.name, "low": low, "high": low + obstacle.box.size[2]}
        features.append(_feature(_polygon(obstacle.footprint), kind="obstacle", **more))
    if parts.path is not None:
        path = parts.path
        line = [list(place) for place in path.places]
        if len(line) > 1:
            more = {"length": path.length, "clearance": path.clearance}
            features.append(_feature({"type": "LineString", "coordinates": line}, kind="path", **more))
        goal = {"type": "Point", "coordinates": list(path.goal.place)}
        features.append(_feature(goal, kind="goal", said=path.goal.said, found=path.goal.found))
    return {"type": "FeatureCollection", "coordinates": "x and y in the world, metres", "features": features}


def _feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _polygon(area: Polygon) -> dict[str, Any]:
    rings = [[list(place) for place in (*ring, ring[0])] for ring in (area.outer, *area.holes)]
    return {"type": "Polygon", "coordinates": rings}


def write_map(parts: NavigationParts, out: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Writes ``map.pgm``, ``map.yaml`` and ``areas.geojson`` into a folder, each beside and then renamed; their paths.

    The YAML, which names the image, comes after it, so that a map that can be loaded is whole.

    Raises:
        InputError: there is no map, one of the files is there and ``overwrite`` is false, or it cannot be written.
    """
    if parts.map is None:
        raise InputError("map", expected="a map", got="none", do="; ".join(parts.notes) or "see the result's notes")
    paths = tuple(out / name for name in NAMES)
    for path in paths:
        if path.exists() and not overwrite:
            raise InputError(path, expected="a name that is free", got="a file", do="name another folder or overwrite")
    image = map_image(parts.map)
    ny, nx = image.shape
    contents = (
        f"P5\n{nx} {ny}\n255\n".encode() + image.tobytes(),
        map_yaml(parts.map, NAMES[0]).encode(),
        (json.dumps(areas_geojson(parts), ensure_ascii=False, allow_nan=False) + "\n").encode(),
    )
    for path, content in zip(paths, contents, strict=True):
        with replaced(path) as beside:
            beside.write_bytes(content)
    return paths
