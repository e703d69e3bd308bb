"""Navigation: areas and paths on maps made by hand, and the whole on a room whose truth is known."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from box_room import TABLE_HIGH, TABLE_LOW, look, make_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from two_levels import LOWER, ROOM, SPLIT, SPLIT_LOWER, SPLIT_ROOM, SPLIT_UPPER, STAIR, STOREYS, UPPER, walked

from video3d.answers.facts import scene_facts
from video3d.answers.navigation import GoalWanted, NavigationParts, Robot, navigate
from video3d.answers.navigation_map import polygons_of
from video3d.answers.navigation_path import (
    Blocks,
    distance_to_blocked,
    distance_to_path,
    fits,
    length_of,
    pull_tight,
    routes_from,
)
from video3d.answers.navigation_plan import is_called
from video3d.geometry.boxes import box_from_bounds
from video3d.geometry.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from video3d.types import Detection, InputError

MASKS = arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7)))


def grid_of(states, cell=0.1):
    return OccupancyMap(states=np.asarray(states, np.int8), origin=(-1.0, 2.0), cell=cell)


def shoelace(ring):
    x, y = np.array(ring).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@settings(max_examples=60, deadline=None)
@given(MASKS, st.booleans())
def test_areas_cover_exactly_their_cells(mask, joined):
    areas = polygons_of(mask, grid_of(mask, cell=1.0), joined=joined)
    assert sum(shoelace(area.outer) + sum(map(shoelace, area.holes)) for area in areas) == pytest.approx(mask.sum())
    assert all(shoelace(area.outer) > 0 and all(shoelace(hole) < 0 for hole in area.holes) for area in areas)


def nearest_square(grid, place):
    """By looking at all squares, those around the map included."""
    blocked = np.pad(grid.states != FREE, 1, constant_values=True)
    centers = np.asarray(grid.origin) + (np.argwhere(blocked)[:, ::-1] - 0.5) * grid.cell
    beyond = np.maximum(np.abs(centers - place) - grid.cell / 2, 0)
    return float(np.linalg.norm(beyond, axis=1).min())


@settings(max_examples=30, deadline=None)
@given(MASKS)
def test_distances_are_exact(mask):
    grid = grid_of(mask)
    found = distance_to_blocked(grid)
    cells = np.argwhere(np.ones_like(mask))
    for (row, column), place in zip(cells, grid.centers(cells), strict=True):
        assert found[row, column] == pytest.approx(nearest_square(grid, place), abs=1e-9)


def test_a_segment_is_as_near_as_its_nearest_point(rng):
    states = (rng.random((12, 12)) < 0.2).astype(np.int8)
    grid = grid_of(states)
    blocks, free = Blocks(grid), grid.centers(np.argwhere(states == FREE))
    for _ in range(60):
        a, b = free[rng.integers(len(free), size=2)] + rng.uniform(-0.05, 0.05, (2, 2))
        samples = a + np.linspace(0, 1, 200)[:, None] * (b - a)
        least = min(nearest_square(grid, place) for place in samples)
        assert blocks.distance(a, b) == pytest.approx(least, abs=0.006)
        assert blocks.distance(a, b) <= least + 1e-9


def planned(grid, start, goal, radius):
    room = distance_to_blocked(grid)
    routes = routes_from(start, fits(room, radius, grid.cell), room, radius, grid.cell)
    if not np.isfinite(routes.cost[goal]):
        return None
    blocks = Blocks(grid)
    places = grid.centers(routes.to(goal))
    assert blocks.along(places) >= radius  # before it is pulled tight, too
    tight = pull_tight(places, blocks, radius)
    assert blocks.along(tight) >= radius - 1e-9
    assert length_of(tight) <= length_of(places) + 1e-9
    return tight


def test_a_path_is_straight_where_nothing_is_in_the_way():
    states = np.zeros((40, 60), np.int8)
    path = planned(grid_of(states), (10, 10), (30, 50), 0.25)
    assert len(path) == 2
    assert length_of(path) == pytest.approx(np.hypot(2.0, 4.0))


def test_a_path_goes_around_a_wall_near_to_the_shortest_way():
    states = np.zeros((40, 60), np.int8)
    states[0:30, 30] = OCCUPIED
    path = planned(grid_of(states), (10, 20), (10, 40), 0.25)
    corner = np.hypot(1.0, 2.0)  # a string from (2.05, 1.05) around the wall's end, y 3.0, for a point
    assert 2 * corner < length_of(path) < 2 * corner * 1.25


@pytest.mark.parametrize("state", [OCCUPIED, UNKNOWN])
def test_a_path_crosses_no_wall_of_one_cell_and_no_gap_too_narrow(state):
    states = np.zeros((20, 40), np.int8)
    states[:, 20] = state
    assert planned(grid_of(states), (10, 5), (10, 35), 0.15) is None
    states[8:13, 20] = FREE  # 0.5 m
    assert planned(grid_of(states), (10, 5), (10, 35), 0.26) is None
    assert planned(grid_of(states), (10, 5), (10, 35), 0.15) is not None


def test_random_maps_give_paths_that_touch_nothing(rng):
    found = 0
    for _ in range(12):
        states = (rng.random((30, 30)) < 0.04).astype(np.int8)
        room = distance_to_blocked(grid_of(states))
        allowed = np.argwhere(fits(room, 0.12, 0.1))
        start, goal = (tuple(int(i) for i in allowed[rng.integers(len(allowed))]) for _ in range(2))
        found += planned(grid_of(states), start, goal, 0.12) is not None
    assert found >= 6


def test_distance_to_a_path():
    grid = grid_of(np.zeros((3, 5)), cell=1.0)
    away = distance_to_path(grid, np.array([[-0.5, 2.5], [3.5, 2.5]]))
    assert away[0].tolist() == [0.0] * 5
    assert away[2].tolist() == [2.0] * 5


@pytest.fixture(scope="module")
def room():
    """The box room seen from five corners of a walk, turned all around at each."""
    poses = [
        look(position, yaw, tilt)
        for position in ((0.6, 0.6, 1.4), (4.4, 0.6, 1.4), (4.4, 3.4, 1.4), (0.6, 3.4, 1.4))
        for yaw in range(0, 360, 45)
        for tilt in (-15.0, -50.0)
    ]
    clip = make_clip(poses=np.array(poses), time_s=np.arange(len(poses)) * 0.1)
    return clip, scene_facts(clip)


TABLE = Detection(box=box_from_bounds(TABLE_LOW, TABLE_HIGH), label="dining table", score=0.8)


def clearance_to_truth(places):
    """Least distance of a path to the walls and the table."""
    dense = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(places)])
    walls = np.minimum(dense, np.array([5.0, 4.0]) - dense).min()
    table = np.maximum(np.maximum(TABLE_LOW[:2] - dense, dense - TABLE_HIGH[:2]), 0)
    return min(float(walls), float(np.linalg.norm(table, axis=1).min()))


def test_the_room_is_mapped_and_a_path_leads_around_the_table(room):
    clip, facts = room
    found = navigate(clip, facts, (TABLE,), robot=Robot(), goal=GoalWanted(said="there", place=(4.3, 2.0)))
    assert found.navigable is not None and found.path is not None
    assert found.navigable.area == pytest.approx(20 - 1.5, rel=0.1)
    assert found.navigable.status == "measured"
    assert 0.5 < found.navigable.confidence <= 1
    assert found.navigable.reachable_area < found.navigable.area
    path = found.path
    assert path.goal.kind == "point" and path.goal.found
    assert path.places[-1] == pytest.approx((4.3, 2.0), abs=0.001)
    assert clearance_to_truth(np.array(path.places)) >= 0.25 - 1e-6
    assert path.clearance >= 0
    straight = np.hypot(4.3 - 0.6, 2.0 - 3.4)
    assert straight * 0.98 < path.length < straight * 1.3
    assert path.start_moved == pytest.approx(0, abs=0.06)


def test_obstacles_have_boxes_names_frames_and_distances(room):
    clip, facts = room
    found = navigate(clip, facts, (TABLE,), robot=Robot(), goal=GoalWanted())
    table = next(one for one in found.obstacles if one.name == "dining table")
    assert table.box.center[:2] == pytest.approx((2.75, 2.0), abs=0.05)
    assert sorted(table.box.size[:2]) == pytest.approx([1.0, 1.5], abs=0.12)
    assert table.box.center[2] + table.box.size[2] / 2 == pytest.approx(0.75, abs=0.06)
    assert table.distance == pytest.approx(np.hypot(1.4, 0.9), abs=0.06)
    assert table.frames and table.confidence > 0.8
    assert [one.distance for one in found.obstacles] == sorted(one.distance for one in found.obstacles)
    assert len({one.id for one in found.obstacles}) == len(found.obstacles)
    walls = [one for one in found.obstacles if one.name is None]
    # Four walls touch each other in the corners; they do not come as one box around the room.
    assert max(one.box.size[0] * one.box.size[1] for one in walls) < 2.5


def test_a_goal_by_name(room):
    clip, facts = room
    found = navigate(clip, facts, (TABLE,), robot=Robot(), goal=GoalWanted(said="the table", name="table"))
    assert found.path is not None and found.path.goal.kind == "object" and found.path.goal.found
    end = np.array(found.path.places[-1])
    beyond = np.maximum(np.maximum(TABLE_LOW[:2] - end, end - TABLE_HIGH[:2]), 0)
    assert 0.25 <= np.linalg.norm(beyond) < 0.4
    missing = navigate(clip, facts, (TABLE,), robot=Robot(), goal=GoalWanted(said="the door", name="door"))
    assert missing.path is None and missing.navigable is not None
    assert any("no 'door'" in note and "dining table" in note for note in missing.notes)


def test_a_start_by_name_and_by_place(room):
    """Where the thing is found the path begins beside it, else where the camera was last, with a note."""
    clip, facts = room
    goal = GoalWanted(said="there", place=(0.6, 3.4))
    found = navigate(clip, facts, (TABLE,), robot=Robot(), goal=goal, start=GoalWanted(said="table", name="table"))
    begin = np.array(found.path.places[0])
    beyond = np.maximum(np.maximum(TABLE_LOW[:2] - begin, begin - TABLE_HIGH[:2]), 0)
    assert 0.25 <= np.linalg.norm(beyond) < 0.4
    assert found.path.start_moved == pytest.approx(np.linalg.norm(beyond), abs=1e-3)
    assert found.notes == ()
    at = navigate(clip, facts, (), robot=Robot(), goal=goal, start=GoalWanted(said="(4, 1)", place=(4.0, 1.0)))
    assert at.path.places[0] == pytest.approx((4.0, 1.0), abs=1e-3) and at.path.length > 3.4
    assert clearance_to_truth(np.array(at.path.places)) >= 0.25 - 1e-6
    inside = navigate(clip, facts, (), robot=Robot(), goal=goal, start=GoalWanted(said="(2.75, 2)", place=(2.75, 2.0)))
    assert inside.path.start_moved > 0.7 and any("from (2.75, 2), which is not free" in note for note in inside.notes)
    lost = navigate(clip, facts, (TABLE,), robot=Robot(), goal=goal, start=GoalWanted(said="door", name="door"))
    assert any("no 'door'" in note for note in lost.notes)
    camera = facts.trajectory.centers[-1][:2]
    assert np.linalg.norm(np.array(lost.path.places[0]) - camera) < 0.06


def test_the_farthest_place_and_a_goal_that_cannot_be_reached(room):
    clip, facts = room
    far = navigate(clip, facts, (), robot=Robot(), goal=GoalWanted())
    assert far.path is not None and far.path.goal.kind == "farthest"
    assert far.path.length > 4
    outside = navigate(clip, facts, (), robot=Robot(), goal=GoalWanted(said="out", place=(9.0, 2.0)))
    assert outside.path is not None and not outside.path.goal.found
    assert outside.path.places[-1][0] > 4.5
    assert any("cannot be reached" in note for note in outside.notes)


def test_a_robot_that_is_too_large_has_no_path(room):
    clip, facts = room
    found = navigate(clip, facts, (), robot=Robot(radius_m=2.2), goal=GoalWanted())
    assert found.path is None and found.navigable is not None
    assert found.navigable.reachable == () and found.navigable.reachable_area == 0
    assert any("2.2 m" in note for note in found.notes)


def says(found: NavigationParts, words: str) -> bool:
    empty = (found.navigable, found.obstacles, found.path, found.map) == (None, (), None, None)
    return empty and len(found.notes) == 1 and words in found.notes[0]


def test_what_is_missing_is_said(room):
    clip, _ = room
    for more, words in (({"metric": False}, "not in metres"), ({"level": False}, "up is not known")):
        lacking = make_clip(**more)
        assert says(navigate(lacking, scene_facts(lacking), (), robot=Robot(), goal=GoalWanted()), words)
    blind = replace(clip, depth_m=np.full_like(clip.depth_m, np.nan))
    assert says(navigate(blind, scene_facts(blind), (), robot=Robot(), goal=GoalWanted()), "no depth")
    up = np.array([look((2.0, 1.0, 1.2), yaw, 40.0) for yaw in (0, 20)])
    sky = make_clip(poses=up)
    assert says(navigate(sky, scene_facts(sky), (), robot=Robot(), goal=GoalWanted()), "no floor")


def test_a_camera_that_goes_upstairs_has_the_map_of_its_last_floor(room):
    clip, _ = room
    shift = np.eye(4)
    shift[:3, 3] = 20.0, 0.0, 3.0
    poses = np.concatenate([clip.world_from_camera, shift @ clip.world_from_camera])
    depth = np.concatenate([clip.depth_m, clip.depth_m])
    two = replace(make_clip(poses=poses, time_s=np.arange(len(poses)) * 0.1), depth_m=depth)
    found = navigate(two, scene_facts(two), (), robot=Robot(), goal=GoalWanted())
    assert found.navigable is not None
    assert found.navigable.floor_z == pytest.approx(3.0, abs=0.02)
    assert all(19.9 < x < 25.1 for area in found.navigable.polygons for x, _ in area.outer)
    assert any("another floor, 3.00 m lower" in note for note in found.notes)
    stairs = replace(two, piece=np.where(np.arange(len(poses)) < 64, 0, -1))
    stairs = replace(stairs, piece=np.where(np.arange(len(poses)) == 127, 0, stairs.piece))  # one frame, of a wall
    lost = navigate(stairs, scene_facts(stairs), (), robot=Robot(), goal=GoalWanted())
    assert lost.navigable is None or lost.navigable.floor_z == pytest.approx(3.0, abs=0.05)


@pytest.fixture(scope="module")
def storeys():
    """Up the stair, with the facts of all of it."""
    clip = walked(LOWER + STAIR + UPPER, ROOM, STOREYS)
    return clip, scene_facts(clip)


def free_at(found, *places):
    row_column = np.floor((np.array(places) - found.map.origin) / found.map.cell).astype(int)[:, ::-1]
    inside = ((row_column >= 0) & (row_column < found.map.states.shape)).all(1)
    clipped = np.clip(row_column, 0, np.array(found.map.states.shape) - 1)
    return (inside & (found.map.states[tuple(clipped.T)] == FREE)).tolist()


SOFA_BELOW = Detection(box=box_from_bounds(*map(np.array, ((1.0, 1.0, 0.0), (2.0, 2.0, 0.9)))), label="sofa", score=0.8)
BED_ABOVE = Detection(box=box_from_bounds(*map(np.array, ((0.5, 2.5, 2.8), (1.5, 3.5, 3.6)))), label="bed", score=0.8)


def test_two_storeys_have_two_maps_and_neither_has_what_stands_on_the_other(storeys):
    up, facts = storeys
    things = (SOFA_BELOW, BED_ABOVE)
    above = navigate(up, facts, things, robot=Robot(), goal=GoalWanted(said="the bed", name="bed"))
    assert above.navigable.floor_z == pytest.approx(2.8, abs=0.02) and above.path.goal.found
    assert [one.name for one in above.obstacles if one.name] == ["bed"]
    # Over the box below there is floor; where the bed stands and over the open stair there is none.
    assert free_at(above, (1.5, 1.5), (3.0, 2.0), (1.0, 3.0), (4.5, 1.5), (4.5, 2.8)) == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert any("2.80 m lower, which the camera was on too, is left out" in note for note in above.notes)
    goal = GoalWanted(said="the sofa", name="sofa")
    lost = navigate(up, facts, things, robot=Robot(), goal=goal)
    assert lost.path is None and any("sofa was found on another floor" in note for note in lost.notes)
    # From the sofa, the map is of its floor.
    below = navigate(up, facts, things, robot=Robot(), goal=GoalWanted(said="there", place=(0.7, 3.5)), start=goal)
    assert below.navigable.floor_z == pytest.approx(0.0, abs=0.02)
    assert free_at(below, (1.0, 3.0), (1.5, 1.5), (4.5, 2.8)) == [True, False, False]
    assert [one.name for one in below.obstacles if one.name] == ["sofa"]
    assert any("2.80 m higher" in note for note in below.notes)


def test_on_a_stair_it_is_not_known_which_floor_a_map_is_of():
    clip = walked(LOWER + STAIR[:2], ROOM, STOREYS)
    found = navigate(clip, scene_facts(clip), (), robot=Robot(), goal=GoalWanted())
    assert says(found, "which one a map is of is unknown")


@pytest.mark.parametrize(
    "walk, floor, said", [(SPLIT_LOWER + SPLIT_UPPER, 0.5, "lower"), (SPLIT_UPPER + SPLIT_LOWER, 0.0, "higher")]
)
def test_a_split_level_has_the_map_of_the_part_where_the_camera_ends(walk, floor, said):
    clip = walked(walk, SPLIT_ROOM, SPLIT)
    found = navigate(clip, scene_facts(clip), (), robot=Robot(), goal=GoalWanted())
    assert found.navigable.floor_z == pytest.approx(floor, abs=0.02)
    assert found.path.start_moved < 0.1
    assert free_at(found, (0.7, 1.5), (4.5, 1.5)) == ([True, False] if floor == 0 else [False, True])
    assert any(f"0.50 m {said}" in note for note in found.notes)


def test_what_the_camera_is_held_over_is_no_floor():
    """The upper part, were it a bed: the camera goes over it at the height at which it goes over the floor beside it."""
    over = [(x, y, 0.0) for x, y, _ in SPLIT_LOWER + SPLIT_UPPER]
    clip = walked(over, SPLIT_ROOM, SPLIT)
    found = navigate(clip, scene_facts(clip), (), robot=Robot(), goal=GoalWanted())
    assert found.navigable.floor_z == pytest.approx(0.0, abs=0.02) and not any(
        "another floor" in n for n in found.notes
    )


def test_robots_and_names_are_checked():
    for more in ({"radius_m": 0.0}, {"height_m": float("nan")}, {"max_step_m": 0.6}, {"radius_m": float("inf")}):
        with pytest.raises(InputError, match="robot"):
            Robot(**more)
    for place in ((float("nan"), 0.0), (0.0, float("inf")), (1e300, 0.0)):
        with pytest.raises(InputError, match="goal"):
            GoalWanted(place=place)
    assert is_called("Office Chair", "chair") and is_called("chair", "Chair")
    assert not is_called("armchair", "chair") and not is_called("chair", "") and not is_called("table", "table lamp")
