"""What is made here: shapes that fill their boxes, face outward and collide as they look."""

import numpy as np
import pytest

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.primitive_street import traffic_light
from video3d.data.simulate.primitives import primitive_assets
from video3d.vocabulary import category

ASSETS = primitive_assets()


def check_shape(asset: Asset, tolerance_m: float = 1e-3) -> None:
    """What holds of every asset, whoever made it."""
    points = np.concatenate([part.vertices_m for part in asset.parts])
    assert np.isfinite(points).all()
    np.testing.assert_allclose(points.min(axis=0), [-asset.size_m[0] / 2, -asset.size_m[1] / 2, 0], atol=tolerance_m)
    np.testing.assert_allclose(
        points.max(axis=0), [asset.size_m[0] / 2, asset.size_m[1] / 2, asset.size_m[2]], atol=tolerance_m
    )
    for part in asset.parts:
        assert part.faces.min() >= 0
        assert part.faces.max() < len(part.vertices_m)
        assert (part.texture is None) == (part.uv is None)
        assert part.normals is not None
        used = np.unique(part.faces)
        np.testing.assert_allclose(np.linalg.norm(part.normals[used], axis=1), 1, atol=1e-3)
    boxes = asset.collision_boxes_m
    assert 1 <= len(boxes) <= 120
    assert (boxes[:, 3:] > 0).all()
    low, high = boxes[:, :3] - boxes[:, 3:], boxes[:, :3] + boxes[:, 3:]
    half = np.array([asset.size_m[0] / 2, asset.size_m[1] / 2])
    assert (low[:, :2] >= -half - 1e-6).all()
    assert (high[:, :2] <= half + 1e-6).all()
    assert low[:, 2].min() >= -1e-6
    assert high[:, 2].max() <= asset.size_m[2] + 1e-6
    assert asset.kind == category(asset.category).kind
    assert 0 < asset.mass_kg <= 40_000
    assert (asset.support_height_m is None) == (asset.support_bounds_m is None)


def check_stands_exactly(asset: Asset) -> None:
    """A thing put down anywhere on the supporting surface stands at its height: there a box ends, and none goes above."""
    assert asset.support_height_m is not None
    assert asset.support_bounds_m is not None
    x0, y0, x1, y1 = asset.support_bounds_m
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(x0, x1, 9)[1:-1], np.linspace(y0, y1, 9)[1:-1]))
    boxes = asset.collision_boxes_m
    tops = np.full(len(x), -np.inf)
    for center, half in zip(boxes[:, :3], boxes[:, 3:], strict=True):
        over = (np.abs(x - center[0]) <= half[0]) & (np.abs(y - center[1]) <= half[1])
        if center[2] - half[2] < asset.support_height_m + 0.1:  # not a shelf further up
            tops[over] = np.maximum(tops[over], center[2] + half[2])
    np.testing.assert_allclose(tops, asset.support_height_m, atol=1e-5)


@pytest.mark.parametrize("asset", ASSETS, ids=[a.asset_id for a in ASSETS])
def test_every_shape_is_sound(asset: Asset) -> None:
    check_shape(asset)
    if asset.support_height_m is not None:
        check_stands_exactly(asset)


@pytest.mark.parametrize("asset", ASSETS, ids=[a.asset_id for a in ASSETS])
def test_normals_face_the_way_the_triangles_do(asset: Asset) -> None:
    for part in asset.parts:
        assert part.normals is not None
        tri = part.vertices_m[part.faces].astype(np.float64)
        normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
        large = np.linalg.norm(normal, axis=1) > 1e-9
        dot = (normal[:, None] * part.normals[part.faces]).sum(axis=2)
        assert (dot[large] > -1e-9).all()


@pytest.mark.parametrize("asset", [a for a in ASSETS if a.category in ("box", "car", "cup", "vase", "tv", "person")])
def test_solids_face_outward(asset: Asset) -> None:
    """The divergence theorem: triangles that face outward enclose a positive volume, of each closed piece."""
    for part in asset.parts:
        tri = part.vertices_m[part.faces].astype(np.float64)
        assert np.einsum("tk,tk->t", tri[:, 0], np.cross(tri[:, 1], tri[:, 2])).sum() > 0


def test_the_same_seed_gives_the_same_and_another_seed_others() -> None:
    again, other = primitive_assets.__wrapped__(0), primitive_assets(1)
    for a, b in zip(ASSETS, again, strict=True):
        assert a.asset_id == b.asset_id
        np.testing.assert_array_equal(a.collision_boxes_m, b.collision_boxes_m)
        for p, q in zip(a.parts, b.parts, strict=True):
            np.testing.assert_array_equal(p.vertices_m, q.vertices_m)
            assert p.rgba == q.rgba
    assert any(a.parts[0].rgba != b.parts[0].rgba for a, b in zip(ASSETS, other, strict=True))
    assert len({a.asset_id for a in ASSETS}) == len(ASSETS)


def test_a_part_of_each_sort_is_held_out_and_never_all() -> None:
    for name in {a.category for a in ASSETS}:
        same = [a.held_out for a in ASSETS if a.category == name]
        assert not all(same)
        if len(same) >= 3 and name != "traffic light":
            assert any(same)


def test_traffic_lights_differ_in_nothing_but_the_lamp() -> None:
    lights = [traffic_light(state) for state in ("red", "yellow", "green")]
    brightest = []
    for light in lights:
        np.testing.assert_array_equal(light.size_m, lights[0].size_m)
        lamps = [p for p in light.parts if max(p.rgba[:3]) > 0.9]
        assert len(lamps) == 1
        brightest.append(float(lamps[0].vertices_m[:, 2].mean()))
    assert brightest[0] > brightest[1] > brightest[2]  # red on top


def test_there_is_something_for_every_sort_of_question() -> None:
    placements = {a.placement for a in ASSETS}
    assert placements == {"floor", "support", "wall", "ceiling", "street"}
    assert {a.color for a in ASSETS} >= {"red", "green", "blue", "yellow", "white", "black"}
    assert sum(a.support_height_m is not None for a in ASSETS) >= 20
