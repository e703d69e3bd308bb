"""Maps as files: the image and YAML that map_server loads, and areas as GeoJSON."""

import json

import numpy as np
import pytest
from PIL import Image

from video3d.answers.navigation import NavigationParts
from video3d.answers.results import Box, Goal, Navigable, Obstacle, Path, Polygon
from video3d.geometry.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from video3d.types import InputError
from video3d.viz.map_files import write_map

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
HOLE = ((0.4, 0.4), (0.4, 0.6), (0.6, 0.6), (0.6, 0.4))


@pytest.fixture
def parts():
    area = Polygon(outer=SQUARE, holes=(HOLE,))
    return NavigationParts(
        navigable=Navigable(
            status="measured", confidence=0.9, polygons=(area,), reachable=(), area=0.96, reachable_area=0.0, unknown_area=0.0,
            floor_z=0.0, cell=0.05, robot_radius=0.2, robot_height=1.0, max_step=0.05,
        ),
        obstacles=(
            Obstacle(
                id="obstacle-1", name="椅子", status="measured", confidence=None, footprint=Polygon(outer=HOLE[::-1]), distance=None,
                box=Box(center=(0.5, 0.5, 0.4), size=(0.2, 0.2, 0.8), yaw_deg=0.0),
            ),
        ),
        path=Path(
            status="measured", confidence=0.8, goal=Goal(said="there", place=(0.9, 0.1), kind="point", found=True),
            places=((0.1, 0.1), (0.9, 0.1)), length=0.8, clearance=0.0, start_moved=0.0,
        ),
        notes=(),
        map=OccupancyMap(states=np.array([[FREE, OCCUPIED, UNKNOWN], [FREE, FREE, FREE]], np.int8), origin=(-1.5, 2.0), cell=0.05),
    )  # fmt: skip


def test_the_image_and_yaml_are_those_of_map_server(parts, tmp_path):
    image, yaml, _ = write_map(parts, tmp_path / "out")
    shades = np.asarray(Image.open(image))
    assert shades.tolist() == [[254, 254, 254], [254, 0, 205]]  # the first row of the map is the last of the image
    said = dict(line.split(": ", 1) for line in yaml.read_text().splitlines())
    assert said["image"] == image.name and float(said["resolution"]) == 0.05
    assert json.loads(said["origin"]) == [-1.5, 2.0, 0.0]
    # What map_server makes of a shade: occupied above one threshold, free below the other, else unknown.
    chance = (255 - shades.astype(float)) / 255
    assert (chance[1, 1] > float(said["occupied_thresh"])) and (chance[0] < float(said["free_thresh"])).all()
    assert float(said["free_thresh"]) <= chance[1, 2] <= float(said["occupied_thresh"])


def test_areas_are_closed_rings_with_what_they_are(parts, tmp_path):
    text = write_map(parts, tmp_path)[2].read_text(encoding="utf-8")
    assert "椅子" in text
    features = json.loads(text)["features"]
    assert [one["properties"]["kind"] for one in features] == ["free", "obstacle", "path", "goal"]
    rings = features[0]["geometry"]["coordinates"]
    assert len(rings) == 2 and all(ring[0] == ring[-1] for ring in rings)
    assert features[1]["properties"] == {
        "kind": "obstacle",
        "id": "obstacle-1",
        "name": "椅子",
        "low": 0.0,
        "high": 0.8,
    }
    assert features[2]["geometry"] == {"type": "LineString", "coordinates": [[0.1, 0.1], [0.9, 0.1]]}


def test_what_is_there_is_kept_and_nothing_is_half_written(parts, tmp_path):
    (tmp_path / "map.yaml").write_text("mine")
    with pytest.raises(InputError, match="a name that is free"):
        write_map(parts, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["map.yaml"]
    assert (tmp_path / "map.yaml").read_text() == "mine"
    write_map(parts, tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["areas.geojson", "map.pgm", "map.yaml"]


def test_no_map_is_an_error_that_says_why(tmp_path):
    nothing = NavigationParts(
        navigable=None, obstacles=(), path=None, notes=("navigation: unknown, no floor",), map=None
    )
    with pytest.raises(InputError, match="unknown, no floor"):
        write_map(nothing, tmp_path / "out")
    assert not (tmp_path / "out").exists()
