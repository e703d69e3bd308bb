"""Placement on a made room whose every surface is known: floor, a table 0.75 m high, a box of 30 cm on it, two walls."""

import json
from dataclasses import replace

import numpy as np
import pytest

from video3d.answers.facts import scene_facts
from video3d.answers.placement import PlacementParts, ThingToPlace, place
from video3d.geometry.outline import outer_outline
from video3d.types import Box3D, Detection, GeometryStatus, InputError, PosedClip, World
from video3d.viz.anchors import gltf_anchors, write_anchors

TABLE_LOW, TABLE_HIGH = np.array([1.4, 2.0, 0.71]), np.array([3.0, 3.0, 0.75])
BOX_LOW, BOX_HIGH = np.array([1.5, 2.1, 0.75]), np.array([1.8, 2.4, 1.05])
ROOM = np.array([5.0, 5.0, 2.6])


def _ray_cast(place: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Distance along rays to the nearest of the room's surfaces, in lengths of the ray."""
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = np.where(rays > 0, (ROOM - place) / rays, -place / rays)
        nearest = np.nanmin(np.where(walls > 0, walls, np.inf), axis=-1)
        for low, high in ((TABLE_LOW, TABLE_HIGH), (BOX_LOW, BOX_HIGH)):
            one, other = (low - place) / rays, (high - place) / rays
            enter, leave = np.minimum(one, other).max(axis=-1), np.maximum(one, other).min(axis=-1)
            nearest = np.where((enter > 0) & (enter < leave), np.minimum(nearest, enter), nearest)
    return nearest


def _made_room() -> PosedClip:
    height, width, focal = 90, 120, 90.0
    k_px = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    poses, depth = [], []
    for x, y in ((0.4, 0.4), (2.2, 0.4), (4.4, 0.6), (4.5, 4.4), (2.2, 4.6), (0.5, 4.4)):
        eye = np.array([x, y, 1.7])
        z = np.array([2.2, 2.5, 0.6]) - eye
        z /= np.linalg.norm(z)
        right = np.cross(z, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = np.stack([right, np.cross(z, right), z], axis=1), eye
        column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        rays = np.stack([column, row, np.ones_like(row)], axis=-1) @ np.linalg.inv(k_px).T @ pose[:3, :3].T
        poses.append(pose)
        depth.append(_ray_cast(eye, rays))
    count = len(poses)
    return PosedClip(
        frame_index=np.arange(count) * 10, time_s=np.arange(count) / 1.0, k_px=np.tile(k_px, (count, 1, 1)),
        rgb=np.zeros((count, height, width, 3), np.uint8), depth_m=np.array(depth, np.float32),
        world_from_camera=np.array(poses), piece=np.zeros(count, np.int64),
        world=World(metric=True, gravity_aligned=True, origin="floor"), up_world=np.array([0.0, 0, 1]),
        status=GeometryStatus(
            depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def clip() -> PosedClip:
    return _made_room()


@pytest.fixture(scope="module")
def parts(clip: PosedClip) -> PlacementParts:
    middle, size = (TABLE_LOW + TABLE_HIGH) / 2, TABLE_HIGH - TABLE_LOW
    table = Detection(box=Box3D(center_world=middle, size_m=size, world_from_box=np.eye(3)), label="table", score=0.8)
    return place(clip, scene_facts(clip), (table,), thing=ThingToPlace())


def test_planes_are_where_they_are(parts: PlacementParts) -> None:
    floor = max((p for p in parts.surface_planes if p.kind == "floor"), key=lambda p: p.area)
    tops = {round(p.height or 0, 2): p for p in parts.surface_planes if p.kind == "top"}
    assert abs(floor.center[2]) < 0.005 and floor.normal[2] > 0.9999 and floor.on is None
    assert set(tops) == {0.75, 1.05}
    table, box = tops[0.75], tops[1.05]
    assert table.on == "object-1" and box.on == table.id  # nobody detected the box, but nothing is free under it
    # A cell too many all around, at most: pixels are 3 cm wide here, and one at an edge may see its side.
    assert table.area == pytest.approx(1.6 - 0.09, abs=0.13) and box.area == pytest.approx(0.09, abs=0.035)
    corners = np.array(table.polygon)
    assert np.abs(np.r_[corners.min(axis=0), corners.max(axis=0)] - np.r_[TABLE_LOW[:2], 0.75, TABLE_HIGH]).max() < 0.04
    walls = [p for p in parts.surface_planes if p.kind == "wall"]
    assert len(walls) >= 2 and all(p.height is None for p in walls)
    assert all(p.status == "measured" and p.frames and set(p.frames) <= {0, 10, 20, 30, 40, 50} for p in walls)


def test_zones_are_free_apart_and_on_their_plane(parts: PlacementParts) -> None:
    planes = {p.id: p for p in parts.surface_planes}
    assert {planes[z.plane].kind for z in parts.placement_zones} == {"floor", "top"}
    assert [z.score for z in parts.placement_zones] == sorted((z.score for z in parts.placement_zones), reverse=True)
    boxes = []
    for zone in parts.placement_zones:
        anchor = np.array(zone.world_from_anchor)
        assert np.allclose(anchor[:3, 2], planes[zone.plane].normal) and np.allclose(anchor[:3, 3], zone.center)
        assert zone.clearance >= 0.05 and zone.size[0] >= 0.3 and zone.flatness is not None and zone.flatness < 0.002
        grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 25)] * 2, [0.1, 0.5, 1.0]), axis=-1).reshape(-1, 3)
        inside = grid * zone.size @ anchor[:3, :3].T + anchor[:3, 3]
        for low, high in ((TABLE_LOW, TABLE_HIGH), (BOX_LOW, BOX_HIGH)):
            assert not ((inside > low) & (inside < high)).all(axis=1).any()
        boxes.append((zone, inside))
    for number, (zone, _) in enumerate(boxes):
        anchor = np.linalg.inv(np.array(zone.world_from_anchor))
        for other, points in boxes[number + 1 :]:
            local = np.abs(points @ anchor[:3, :3].T + anchor[:3, 3])
            shared = (local[:, :2] < np.array(zone.size[:2]) / 2 - 0.03).all(axis=1)
            assert not (shared & (zone.plane == other.plane)).any()


def test_what_is_too_large_finds_no_place(clip: PosedClip) -> None:
    parts = place(clip, scene_facts(clip), (), thing=ThingToPlace(size_m=(1.2, 1.2, 2.0), clearance_m=0.1))
    tall = {z.plane for z in parts.placement_zones}
    assert not any(plane.startswith("top") for plane in tall)
    assert any("no detector ran" in note for note in parts.notes) and all(o.name is None for o in parts.objects)
    # Room of 2.1 m height was seen free nowhere: the cameras look down.
    assert parts.placement_zones or "stand free" in parts.notes[-1]


@pytest.mark.parametrize(("metric", "level", "why"), [(False, True, "scale"), (True, False, "up")])
def test_what_is_not_known_is_said(clip: PosedClip, metric: bool, level: bool, why: str) -> None:
    unsure = replace(clip, world=World(metric=metric, gravity_aligned=level))
    parts = place(unsure, scene_facts(unsure), (), thing=ThingToPlace())
    assert parts.surface_planes and not parts.placement_zones
    assert any(note.startswith("zones: unknown") and why in note for note in parts.notes)
    if not level:
        assert {p.kind for p in parts.surface_planes} == {"other"} and all(
            p.height is None for p in parts.surface_planes
        )
    else:
        assert not parts.objects and {"floor", "top"} <= {p.kind for p in parts.surface_planes}


@pytest.mark.parametrize("size", [(0.0, 0.2, 0.2), (0.2, float("nan"), 0.2), (0.2, 0.2, 50.0)])
def test_a_size_that_is_none_is_refused(size: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="size: expected three lengths"):
        ThingToPlace(size_m=size)
    with pytest.raises(InputError, match="clearance: expected"):
        ThingToPlace(clearance_m=-1.0)


def test_an_outline_goes_around_the_largest_loop() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:18, 3:10], mask[2:6, 3:18] = True, True
    mask[8:12, 5:7] = False  # a hole
    outline = outer_outline(mask)
    x, y = outline.T
    assert len(outline) == 6 and float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == 16 * 7 + 4 * 8


def test_gltf_is_y_up_and_whole(parts: PlacementParts, tmp_path) -> None:
    out = tmp_path / "anchors.gltf"
    write_anchors(out, parts.surface_planes, parts.placement_zones)
    document = json.loads(out.read_text())
    assert document == gltf_anchors(parts.surface_planes, parts.placement_zones)
    nodes = {node["name"]: node for node in document["nodes"]}
    zone = parts.placement_zones[0]
    matrix = np.array(nodes[zone.id]["matrix"]).reshape(4, 4).T
    x, y, z = zone.center
    assert np.allclose(matrix[:3, 3], [x, z, -y]) and np.allclose(matrix[:3, 1], [0, 1, 0], atol=0.01)
    assert np.isclose(np.linalg.det(matrix[:3, :3]), 1)
    size = document["buffers"][0]["byteLength"]
    assert all(view["byteOffset"] + view["byteLength"] <= size for view in document["bufferViews"])
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match=r"ending in \.gltf"):
        write_anchors(tmp_path / "a.obj", (), ())
