"""Furnished rooms: nothing overlaps, floats or sticks out of the room, and a seed gives the same room every time."""

from itertools import combinations

import numpy as np
import pytest

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.floor_plan import Footprint, Room, clearance, in_polygon, overlap, wall_distance
from video3d.data.simulate.furnish import furnish_room
from video3d.data.simulate.furnish_styles import STYLES
from video3d.data.simulate.primitives import primitive_assets
from video3d.data.simulate.room_shell import floor_polygon, walls_of
from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import StageConfig
from video3d.data.truth import GROUND

pytest.importorskip("mujoco", reason="MuJoCo is not installed")

_SEEDS = range(4)


@pytest.fixture(scope="module")
def made_here() -> AssetLibrary:
    return AssetLibrary(assets=primitive_assets(), furnished=False, digest="made here")


def _furnish(library: AssetLibrary, seed: int, style: str | None = None, **kwargs: object) -> tuple[BuiltScene, Room]:
    builder = SceneBuilder()
    room = furnish_room(builder, np.random.default_rng([7, seed]), library, StageConfig(), style=style, **kwargs)  # pyright: ignore[reportArgumentType]
    return builder.compile(), room


def _bounds(scene: BuiltScene, object_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Low and high corner in the world of what is drawn of an object."""
    placed = scene.object(object_id)
    body = scene.model.body(placed.body)
    w, x, y, z = body.quat
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    points = placed.outline_m @ turn.T + body.pos
    return points.min(0), points.max(0)


@pytest.mark.parametrize("style", sorted(STYLES))
def test_nothing_overlaps_and_everything_is_in_the_room(made_here: AssetLibrary, style: str) -> None:
    for seed in range(2):
        scene, room = _furnish(made_here, seed, style)
        prints = [p for p in room.footprints if p.object_id]
        assert len(prints) >= 5, (style, seed)
        for first, second in combinations(prints, 2):
            carried = {room.supports.get(first.object_id), room.supports.get(second.object_id)}
            if carried & {first.object_id, second.object_id}:
                continue  # what stands on a desk is in the box around the desk and its back
            level = first.bottom_m < second.top_m - 1e-6 and second.bottom_m < first.top_m - 1e-6
            assert not (level and overlap(first, second)), (style, seed, first, second)
        for footprint in prints:
            middle = np.asarray(footprint.center_m)
            corners = middle + (footprint.corners() - middle) * 0.999
            assert in_polygon(corners, room.truth.floor_polygon_m).all(), (style, seed, footprint)
            assert scene.object(footprint.object_id).kind != "experiment"


def test_things_stand_on_what_carries_them(made_here: AssetLibrary) -> None:
    on_something = 0
    for seed in _SEEDS:
        scene, room = _furnish(made_here, seed)
        tops = {surface.object_id: surface.height_m for surface in room.surfaces}
        for object_id, support in room.supports.items():
            low, high = _bounds(scene, object_id)
            if support == GROUND:
                assert abs(low[2]) < 1e-3, scene.object(object_id)
            elif object_id in room.inside:
                outer_low, outer_high = _bounds(scene, support)
                assert (low[:2] > outer_low[:2]).all() and (high[:2] < outer_high[:2]).all()
                assert outer_low[2] < low[2] < outer_high[2]
            elif scene.object(support).category == "rug":
                assert abs(low[2] - _bounds(scene, support)[1][2]) < 1e-3
            else:
                on_something += 1
                assert abs(low[2] - tops[support]) < 1e-3, scene.object(object_id)
                under_low, under_high = _bounds(scene, support)
                assert ((low + high) / 2 > under_low)[:2].all() and ((low + high) / 2 < under_high)[:2].all()
    assert on_something >= 4


def test_a_seed_gives_the_same_room(made_here: AssetLibrary) -> None:
    (first, one), (second, two) = _furnish(made_here, 3), _furnish(made_here, 3)
    assert (one.footprints, one.surfaces, one.style) == (two.footprints, two.surfaces, two.style)
    assert (one.supports, one.inside, one.doors) == (two.supports, two.inside, two.doors)
    assert [p.asset_id for p in first.objects] == [p.asset_id for p in second.objects]
    np.testing.assert_array_equal(first.model.body_pos, second.model.body_pos)
    np.testing.assert_array_equal(first.model.tex_data, second.model.tex_data)
    assert not np.array_equal(_furnish(made_here, 4)[0].model.tex_data[:1000], first.model.tex_data[:1000])


def test_what_is_kept_clear_stays_clear(made_here: AssetLibrary) -> None:
    clear = Footprint(object_id=0, center_m=(0.3, -0.2), half_m=(1.4, 1.0), yaw_rad=0.4, bottom_m=0.0, top_m=2.0)
    for seed in _SEEDS:
        _, room = _furnish(made_here, seed, keep_clear=(clear,))
        assert in_polygon(clear.corners(), room.truth.floor_polygon_m).all()
        standing = [p for p in room.footprints if p.bottom_m < 2.0]
        assert standing and not any(overlap(clear, p) for p in standing)


def test_what_is_before_a_door_stays_free(made_here: AssetLibrary) -> None:
    seen = 0
    for seed in _SEEDS:
        _, room = _furnish(made_here, seed)
        for door in room.doors:
            found = next(p for p in room.footprints if p.object_id == door)
            c, s = np.cos(found.yaw_rad), np.sin(found.yaw_rad)
            before = np.asarray(found.center_m) + np.array([s, -c]) * np.arange(0.15, 0.7, 0.1)[:, None]
            others = [p for p in room.footprints if p.object_id != door and p.top_m > 0.05 and p.bottom_m < 2.0]
            assert min(p.distance(before).min() for p in others) > 0.1
            seen += 1
    assert seen >= len(_SEEDS)


def test_an_l_shaped_floor_is_walled_all_around() -> None:
    for corner in range(4):
        polygon = floor_polygon((6.0, 5.0), (2.0, 1.5), corner)
        x, y = polygon.T
        area = float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
        assert area == pytest.approx(30.0 - 3.0)
        for wall in walls_of(polygon):
            inside, outside = (np.array([wall.at(wall.length_m / 2, away)]) for away in (0.05, -0.05))
            assert in_polygon(inside, polygon).all() and not in_polygon(outside, polygon).any()
            assert wall_distance(inside, polygon)[0] == pytest.approx(0.05)
        assert sum(min(wall.extend_m) < 0 for wall in walls_of(polygon)) == 2  # both sides of the corner that juts in


def test_clearance_counts_what_is_at_that_height(made_here: AssetLibrary) -> None:
    _, room = _furnish(made_here, 1, "office")
    desk = next(p for p in room.footprints if p.top_m > 0.6 and p.bottom_m == 0.0 and max(p.half_m) > 0.4)
    place = np.array([desk.center_m])
    assert clearance(room, place, 0.05, 0.4)[0] == 0.0
    assert clearance(room, np.array([[99.0, 0.0]]), 0.05, 0.4)[0] == 0.0
