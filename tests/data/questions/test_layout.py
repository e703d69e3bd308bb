"""Layout: numbers, directions, boxes and counts of scenes whose measures are known."""

import numpy as np
import pytest
from scenes import as_row, look_at, scene, thing, yaw_pose

from video3d.data.questions.layout_gap import gap
from video3d.data.questions.layout_metric import (
    camera_height,
    distance_between,
    distance_camera,
    farthest_pair,
    height_above_floor,
    largest,
    size,
)
from video3d.data.questions.layout_place import box, clock, free_space, sector, wall, where
from video3d.data.questions.layout_room import count, room_area, room_extent, room_height
from video3d.data.questions.layout_street import distance_ahead, lane, road_side
from video3d.data.questions.references import referable

ROOM = (-3.0, -1.0, 3.0, 7.0, 2.6)


def ask(generator, truth, seed=0):
    found = list(generator(truth, np.random.default_rng(seed)))
    for candidate in found:
        as_row(candidate, truth)
    return found


def chosen(candidate) -> str:
    return candidate.answer.options[candidate.answer.index]["en"]


def only(generator, truth, seed=0):
    (candidate,) = ask(generator, truth, seed)
    return candidate


def test_sectors_have_margins():
    assert [sector(a) for a in (0.0, 44.0, 90.0, 140.0, 180.0, -179.0, -60.0)] == [
        "ahead",
        "ahead-left",
        "left",
        "behind-left",
        "behind",
        "behind",
        None,
    ]


def test_where_also_tells_what_has_left_the_picture():
    start, end = look_at((0, 0, 1.5), (0, 4, 0.7)), look_at((0, 0, 1.5), (4, 0, 0.7))
    truth = scene([thing(1, "chair", (0, 3, 0)), thing(2, "table", (3, 0, 0))], [start, start, end, end])
    found = {c.object_ids[0]: c.answer for c in ask(where, truth)}
    assert (found[1].value, found[1].angle_deg) == ("left", 90.0)
    assert found[2].value == "ahead"


def test_where_is_refused_near_a_border_and_for_what_reaches_over_one():
    border = np.radians(90 - 22)
    truth = scene([thing(1, "chair", (3 * np.cos(border), 3 * np.sin(border), 0))])
    assert ask(where, truth) == []
    assert ask(where, scene([thing(1, "sofa", (0, 2.5, 0), (4, 0.9, 0.8))])) == []


def test_clock_directions():
    at = np.radians(90 - 30)  # one o'clock is 30 degrees to the right
    truth = scene([thing(1, "chair", (4 * np.cos(at), 4 * np.sin(at), 0)), thing(2, "table", (0, 5, 0))])
    found = {c.object_ids[0]: chosen(c) for c in ask(clock, truth)}
    assert found == {1: "1 o'clock", 2: "12 o'clock"}
    straight = scene([thing(2, "table", (0, 5, 0))])
    places = {
        tuple(o["en"] for o in c.answer.options).index("12 o'clock") for s in range(30) for c in ask(clock, straight, s)
    }
    assert len(places) == 4


def test_wall():
    things = [
        thing(1, "bookcase", (-2.8, 4, 0), (0.35, 1, 1.8)),
        thing(2, "table", (0, 4, 0)),
        thing(3, "stove", (1.6, 5, 0)),
    ]
    asked = ask(wall, scene(things, room=ROOM))
    assert {c.object_ids: c.answer.value for c in asked if c.answer.kind == "yes_no"} == {
        (1,): True,
        (2,): False,
        (3,): False,
    }
    for candidate in asked:
        if candidate.answer.kind == "choice":
            nearest = "nearest" in candidate.question["en"]
            assert chosen(candidate) == ("the bookcase" if nearest else "the table")
    assert ask(wall, scene(things)) == []


def test_box_is_given_in_the_world_frame_with_its_yaw():
    truth = scene([thing(1, "chair", (0.5, 3, 0), (0.5, 0.6, 0.9), yaw_deg=30)])
    answer = only(box, truth).answer
    assert answer.center_world == [0.5, 3.0, 0.45]
    assert answer.size_m == [0.5, 0.6, 0.9]
    assert answer.yaw_rad == pytest.approx(np.pi / 6, abs=1e-3)


def test_a_moving_box_is_asked_about_at_the_last_frame():
    path = [(-0.6 + 0.4 * i, 3, 0) for i in range(4)]
    candidate = only(box, scene([thing(1, "ball", (0, 0, 0), (0.4, 0.4, 0.4), path=path, kind="experiment")]))
    assert "last frame" in candidate.question["en"]
    assert candidate.answer.center_world[0] == pytest.approx(0.6)


@pytest.mark.parametrize(("x", "expected"), [(-1.2, "right"), (1.2, "left")])
def test_free_space(x, expected):
    truth = scene([thing(1, "wardrobe", (x, 2.0, 0), (1.9, 0.6, 1.9)), thing(2, "stove", (0, 2.3, 0))], room=ROOM)
    asked = ask(free_space, truth)
    assert {c.answer_key for c in asked} == {expected}
    assert ask(free_space, scene([], room=ROOM)) == []  # all sides are alike


def test_distances():
    truth = scene([thing(1, "chair", (-1, 4, 0)), thing(2, "table", (1, 4, 0), (1, 1, 0.75))])
    between = only(distance_between, truth).answer
    assert (between.value, between.unit) == (
        1.2,
        "m",
    )  # 2 m from middle to middle, less 0.25 and 0.5: 1.25, as one says it
    found = {c.object_ids[0]: c.answer.value for c in ask(distance_camera, truth)}
    assert found[1] == pytest.approx(np.linalg.norm([1, 4, 1.5 - 0.25]), abs=0.051)


def test_heights():
    table = thing(1, "table", (0, 3, 0), (1.4, 0.9, 0.75))
    bottle = thing(2, "bottle", (0, 3, 0.75), (0.3, 0.3, 0.5), kind="prop", supported_by=1)
    truth = scene([table, bottle], room=ROOM)
    candidate = only(height_above_floor, truth)
    assert (candidate.object_ids, candidate.answer.value) == ((2,), 0.75)
    assert {c.answer.value for c in ask(camera_height, truth)} == {1.5}
    assert ask(camera_height, scene([table])) == []


def test_size_is_asked_only_where_the_name_does_not_tell():
    truth = scene([thing(1, "table", (-1, 4, 0), (1.6, 0.8, 0.7)), thing(2, "chair", (1, 4, 0))])
    asked = [c for seed in range(10) for c in ask(size, truth, seed)]
    assert {c.object_ids for c in asked} == {(1,)}
    assert {c.answer.value for c in asked} == {1.6, 0.7}


def test_gap_and_what_fits_through():
    a, b = thing(1, "sofa", (-1.2, 4, 0), (1.4, 0.9, 0.8)), thing(2, "stove", (0.6, 4, 0), (1.0, 0.6, 0.9))
    asked = [c for seed in range(30) for c in ask(gap, scene([a, b]), seed)]
    values = {c.answer.value for c in asked if c.subtype == "layout.gap"}
    assert values == {0.6}
    fits = [c for c in asked if c.subtype == "layout.fit"]
    for candidate in fits:
        width = float(candidate.question["en"].split(" m ")[0].split()[-1])
        assert candidate.answer.value == (width < 0.6)
        assert width <= 0.48 or width >= 0.75
    assert {c.answer.value for c in fits} == {True, False}


def test_a_gap_with_something_in_it_is_not_free():
    a, b = thing(1, "sofa", (-1.5, 4, 0), (1.4, 0.9, 0.8)), thing(2, "stove", (1.3, 4, 0), (1.0, 0.6, 0.9))
    between = thing(3, "box", (0, 4, 0), (0.3, 0.3, 0.3))
    assert not any(set(c.object_ids) == {1, 2} for c in ask(gap, scene([a, b, between])))
    assert any(set(c.object_ids) == {1, 2} for c in ask(gap, scene([a, b])))


def test_farthest_pair_and_largest():
    things = [
        thing(1, "chair", (-2, 4, 0), (0.5, 0.5, 0.9)),
        thing(2, "table", (0.5, 4, 0), (1.0, 0.8, 0.7)),
        thing(3, "stove", (2, 4, 0), (0.5, 0.5, 0.6)),
    ]
    truth = scene(things)
    for seed in range(6):
        candidate = only(farthest_pair, truth, seed)
        farthest = "farthest" in candidate.question["en"]
        assert set(chosen(candidate).replace(" and ", " ").split()) == (
            {"the", "chair", "stove"} if farthest else {"the", "table", "stove"}
        )
        for question in ask(largest, truth, seed):
            words, right = question.question["en"], chosen(question)
            if "smaller" in words or "bigger" in words:
                assert (right == "the table") == ("bigger" in words) or "table" not in words
            else:
                heights = {"the chair": 0.9, "the table": 0.7, "the stove": 0.6}
                named = [n for n in heights if n in words]
                best = max if "taller" in words else min
                assert right == best(named, key=heights.__getitem__)


def test_what_is_about_equal_is_not_compared():
    truth = scene([thing(1, "chair", (-1, 4, 0), (0.5, 0.5, 0.9)), thing(2, "stove", (1, 4, 0), (0.5, 0.5, 0.85))])
    assert ask(largest, truth) == []


def test_a_room_is_measured_only_where_its_corners_are_seen():
    around = [look_at((0, 3, 1.6), (0 + np.cos(a), 3 + np.sin(a), 1.5)) for a in np.radians([30, 110, 200, 290])]
    settings = {"room": ROOM, "focal": 0.45}
    seen = scene([thing(1, "chair", (0, 5, 0))], around, **settings)
    assert sorted(c.answer.value for c in ask(room_extent, seen)) == [6.0, 8.0]
    assert only(room_area, seen).answer.value == 48.0
    assert only(room_height, seen).answer.value == 2.6
    unseen = scene([thing(1, "chair", (0, 5, 0))], look_at((0, 3, 1.6), (0, 4.5, 0.2)), **settings)
    assert ask(room_extent, unseen) == ask(room_area, unseen) == ask(room_height, unseen) == []


def test_the_shorter_side_is_asked_where_its_two_walls_show_and_the_room_is_seen_to_be_longer():
    chair, settings = thing(1, "chair", (0, 5, 0)), {"focal": 0.45}
    along = scene([chair], look_at((0, -0.5, 1.6), (0, 5, 1.4)), room=(-2.0, -1.0, 2.0, 9.0, 2.6), **settings)
    (found,) = ask(room_extent, along)
    assert found.answer.value == 4.0 and ("shorter" in found.question["en"]) and ("较短" in found.question["zh"])
    assert ask(room_area, along) == []  # the wall behind the camera is not seen
    # As deep as it is seen it is not longer than wide: which side is the shorter one cannot be told.
    across = scene([chair], look_at((0, -0.5, 1.6), (0, 5, 1.4)), room=(-3.0, -1.0, 3.0, 7.0, 2.6), **settings)
    assert ask(room_extent, across) == []


def test_count_needs_all_well_seen_and_nothing_like_them():
    chairs = [thing(i, "chair", (i - 2.0, 4, 0)) for i in (1, 2, 3)]
    table = thing(4, "table", (0, 6, 0), (3, 0.8, 0.75))
    found = {c.question["en"].split("table")[0] != c.question["en"]: c for c in ask(count, scene([*chairs, table]))}
    assert found[False].answer.value == 3
    assert found[False].object_ids == (1, 2, 3)
    assert found[True].answer.value == 1
    stool = thing(5, "stool", (1.8, 3, 0))
    assert not any("chair" in c.question["en"] for c in ask(count, scene([*chairs, stool])))
    hidden = thing(5, "chair", (0, 7.2, 0), (0.5, 0.5, 0.4))  # a sliver of it shows over the table
    partly = scene([*chairs, table, hidden])
    if partly.visible_px[0, 4] > 0 and partly.visible_share[0, 4] < 0.3:
        assert not any("chair" in c.question["en"] for c in ask(count, partly))
    assert ask(count, scene(chairs, complete=False)) == []


def test_street():
    settings = {"kind": "vehicle", "has_front": True, "yaw_deg": 180}
    own = thing(1, "car", (0.2, 12, 0), (1.8, 4.0, 1.5), color="red", **settings)
    left = thing(2, "bus", (-3.4, 20, 0), (2.5, 10, 3), color="blue", **(settings | {"yaw_deg": 0}))
    person = thing(3, "person", (4.5, 9, 0), (0.5, 0.4, 1.75), kind="person", has_front=True)
    truth = scene([own, left, person], look_at((0, 0, 1.5), (0, 10, 1.3)), domain="street", viewer="car", focal=0.7)
    assert {c.object_ids[0]: c.answer_key for c in ask(lane, truth)} == {1: "own", 2: "left"}
    assert {c.object_ids[0]: c.answer_key for c in ask(road_side, truth)} == {2: "left", 3: "right"}
    assert {(c.object_ids, c.answer.value) for c in ask(distance_ahead, truth)} == {((1,), 10.0), ((2,), 15.0)}
    indoor = scene([own], domain="indoor")
    assert ask(lane, indoor) == ask(road_side, indoor) == ask(distance_ahead, indoor) == []


def test_what_is_aside_is_measured_along_a_straight_road_only():
    settings = {"kind": "vehicle", "has_front": True}
    oncoming = thing(1, "car", (-3.4, 20, 0), (1.8, 4.0, 1.5), **settings)
    crossing = thing(1, "car", (-3.4, 20, 0), (1.8, 4.0, 1.5), yaw_deg=90, **settings)
    near = thing(1, "car", (-3.4, 6, 0), (1.8, 4.0, 1.5), **settings)
    street = {"domain": "street", "viewer": "car"}
    ahead = look_at((0, 0, 1.5), (0, 10, 1.3))
    (found,) = ask(distance_ahead, scene([oncoming], ahead, **street))
    assert found.answer.value == 18.0 and "road" in found.question["en"] and "道路" in found.question["zh"]
    assert ask(distance_ahead, scene([crossing], ahead, **street)) == []
    assert ask(distance_ahead, scene([near], ahead, **street)) == []  # more beside us than ahead
    turning = [look_at((0, 0, 1.5), (x, 10, 1.3)) for x in (3.0, 2.0, 1.0, 0.0)]
    assert ask(distance_ahead, scene([oncoming], turning, **street)) == []


def test_a_car_that_crosses_has_no_lane():
    car = thing(1, "car", (0, 12, 0), (1.8, 4.0, 1.5), kind="vehicle", has_front=True, yaw_deg=90)
    truth = scene([car], look_at((0, 0, 1.5), (0, 10, 1.3)), domain="street", viewer="car")
    assert ask(lane, truth) == []


def test_yaw_of_a_box_does_not_tell_front_from_back():
    turned = [thing(1, "chair", (0.5, 3, 0), (0.5, 0.6, 0.9), yaw_deg=d) for d in (30, 210)]
    first, second = (only(box, scene([t])).answer for t in turned)
    assert first == second
    assert np.allclose(yaw_pose((0, 0, 0), 30)[:2, :2], -yaw_pose((0, 0, 0), 210)[:2, :2])


def test_a_length_is_not_asked_of_what_is_seen_from_its_end():
    def lengths(yaw_deg):
        truth = scene([thing(1, "table", (0, 4, 0), (1.6, 0.8, 0.7), yaw_deg=yaw_deg), thing(2, "chair", (2, 4, 0))])
        return {c.answer.value for seed in range(10) for c in ask(size, truth, seed)}

    assert lengths(0.0) == {1.6, 0.7}  # broadside: the camera looks along +y
    assert lengths(90.0) == {0.7}


def test_a_truck_is_not_told_by_its_colour_and_a_pole_has_no_volume():
    white, red = (thing(i, "truck", (3 * i - 4, 9, 0), (1.5, 3, 2), color=c) for i, c in ((1, "white"), (2, "red")))
    cars = [thing(i, "car", (3 * i - 4, 9, 0), (1.5, 3, 1.4), color=c) for i, c in ((1, "white"), (2, "red"))]
    assert referable(scene([white, red])) == {} and len(referable(scene(cars))) == 2
    light = thing(1, "traffic light", (-1, 4, 0), (0.4, 0.4, 2.2))
    bench = thing(2, "bench", (1, 4, 0), (1.5, 0.5, 0.9))
    asked = [c for seed in range(20) for c in ask(largest, scene([light, bench]), seed)]
    assert not any("volume" in c.question["en"] for c in asked)
