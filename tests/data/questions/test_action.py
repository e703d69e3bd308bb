from dataclasses import replace

import numpy as np
import pytest
from moving import LAST, TIMES, asked, clip, line, mover, still_thing, touch
from scenes import as_row, look_at
from test_physics import flipped, furniture, hidden, option, rolling, table_clip

from video3d.data.questions.action import ACTION_GENERATORS
from video3d.data.questions.action_camera import camera_motion, camera_next, camera_next_place, will_leave_view
from video3d.data.questions.action_events import (
    about_to_happen,
    mover_next_place,
    next_contact,
    next_event,
    order_of_events,
)
from video3d.data.questions.action_place import navigation, reach, turn_to_see
from video3d.data.questions.action_street import DRIVES, ego_action, person_action, vehicle_action
from video3d.data.truth import GROUND, SignalTruth


def heading(x, y, yaw_deg, down=0.2):
    """A camera at a place that looks along a yaw (90: +y), a little down."""
    aim = np.radians(yaw_deg)
    return look_at((x, y, 1.5), (x + np.cos(aim), y + np.sin(aim), 1.5 - down))


def walking(pace=0.5, rate_deg=0.0, *, stop_s=np.inf, turn_after=0.0):
    """A camera that goes along +y and turns to the left at a rate from some time on."""

    def at(t):
        return heading(0.0, pace * min(t, stop_s), 90.0 + rate_deg * max(0.0, min(t, stop_s) - turn_after))

    return at


def tour(camera, things=None):
    return clip(things or furniture(), {}, camera=camera)


def test_next_event():
    (found,) = asked(next_event, rolling())
    assert option(found) == "the ball hits the chair" and found.answer_key == "hit" and len(found.answer.options) == 4
    (stops,) = asked(next_event, rolling(hits=False))
    assert stops.answer_key == "stop"
    (drops,) = asked(next_event, table_clip())
    assert option(drops) == "the ball leaves the table for the floor"
    assert asked(next_event, flipped()) == [] and asked(next_event, hidden(rolling(), 1)) == []


def test_about_to_happen():
    soon = line((-0.6, 4.0, 0.1), (0.75, 0, 0), 2.0)
    ball = mover(1, "ball", soon, color="red")
    truth = clip([ball, *furniture()], {1: soon}, [touch(1, GROUND, 0.0), touch(1, 11, 2.0)])
    assert {c.object_ids[1]: c.answer_key for c in asked(about_to_happen, truth)}[11] == "yes"
    assert {
        c.object_ids[1]: c.answer_key for c in asked(about_to_happen, rolling(hits=False)) if len(c.object_ids) > 1
    }[11] == "no"
    late = clip([ball, *furniture()], {1: soon}, [touch(1, GROUND, 0.0), touch(1, 11, LAST + 1.4)])
    assert 11 not in {c.object_ids[-1] for c in asked(about_to_happen, late)}  # neither soon nor clearly not


def test_next_contact():
    (found,) = asked(next_contact, rolling())
    assert option(found) == "the chair"
    (lands,) = asked(next_contact, replace_room(table_clip()))
    assert option(lands) == "the floor"
    assert asked(next_contact, flipped()) == []


def replace_room(truth):
    return replace(truth, room=rolling().room)


def test_mover_next_place():
    (found,) = asked(mover_next_place, rolling())
    assert option(found) == "the chair"
    assert asked(mover_next_place, flipped()) == []


def test_order_of_events():
    # The camera turns to the right: the lamp on the right comes into view after the sofa.
    things = [
        still_thing(1, "sofa", (2.6, 4, 0), (1.2, 0.8, 0.8)),
        still_thing(2, "piano", (6, 1.0, 0), (1.2, 1.2, 1.1)),
    ]
    truth = tour(lambda t: heading(0, 0, 110 - 60 * t), things)
    (found,) = asked(order_of_events, truth)
    assert option(found) == "the sofa comes into view"
    assert found.answer_key == "sofa"  # what the right answer is about: the same for all would be cut as one answer
    assert asked(order_of_events, tour(lambda t: heading(0, 0, 90), things)) == []


def test_what_leaves_the_view_is_ordered_too():
    # The camera turns to the left: the piano on the right leaves the picture, then the sofa does.
    things = [
        still_thing(1, "sofa", (-0.8, 4, 0), (0.8, 0.8, 0.8)),
        still_thing(2, "piano", (1.6, 3.6, 0), (0.8, 0.6, 1.1)),
    ]
    truth = tour(lambda t: heading(0, 0, 70 + 60 * t), things)
    (found,) = asked(order_of_events, truth)
    assert option(found) == "the piano goes out of view" and found.answer_key == "piano"
    assert {o["en"] for o in found.answer.options} == {"the piano goes out of view", "the sofa goes out of view"}


def test_what_comes_while_the_other_does_is_not_ordered():
    column = tour(lambda t: heading(0, 0, 110 - 60 * t), [
        still_thing(1, "sofa", (4.6, 3.0, 0), (0.8, 0.8, 0.8)),
        still_thing(2, "piano", (4.6, 2.6, 1.0), (0.8, 0.8, 0.8), supported_by=1),
    ])  # fmt: skip
    assert asked(order_of_events, column) == []


@pytest.mark.parametrize(
    ("camera", "key"),
    [
        (walking(0.8), "forward"),
        (walking(0.3, 30.0), "left"),
        (walking(0.3, -30.0), "right"),
        (walking(0.0), "still"),
    ],
)
def test_camera_motion_and_next(camera, key):
    truth = tour(camera)
    (past,), (following,) = asked(camera_motion, truth), asked(camera_next, truth)
    assert past.answer_key == following.answer_key == key
    assert len(past.answer.options) == len(following.answer.options) == 4


def test_a_turn_that_nothing_announces_is_not_asked():
    assert asked(camera_next, tour(walking(0.8, 60.0, turn_after=LAST))) == []
    assert asked(camera_next, tour(walking(0.8, stop_s=LAST))) == []
    swaying = tour(lambda t: heading(0, 0, 90 + 40 * np.sin(2 * np.pi * t / LAST)))
    assert asked(camera_motion, swaying) == []


def test_camera_next_is_settled():
    truth = tour(walking(0.8))
    other = tour(walking(0.8, 60.0, turn_after=LAST)).rollouts[0]
    assert asked(camera_next, replace(truth, rollouts=(truth.rollouts[0], other))) == []
    assert asked(camera_next, replace(truth, rollouts=())) == []


def test_camera_next_place():
    things = [
        still_thing(1, "chair", (0.8, 3.6, 0), (0.5, 0.5, 0.9)),
        still_thing(2, "sofa", (-1.8, 6.5, 0), (1.2, 0.8, 0.8)),
        still_thing(3, "piano", (1.5, 7.0, 0), (1.2, 0.6, 1.1)),
    ]
    (found,) = asked(camera_next_place, tour(walking(0.8), things))
    assert option(found) == "the chair"
    assert asked(camera_next_place, tour(walking(0.0), things)) == []


def test_will_leave_view():
    things = [
        still_thing(1, "chair", (1.0, 4, 0), (0.3, 0.3, 0.9)),
        still_thing(2, "sofa", (-1.6, 4, 0), (0.9, 0.8, 0.8)),
    ]
    found = {c.object_ids[0]: c.answer_key for c in asked(will_leave_view, tour(walking(0.0, 6.0), things))}
    assert found == {1: "no", 2: "yes"}
    assert asked(will_leave_view, tour(walking(0.0), things)) == []


def around():
    """Things on four sides of the camera, all seen as it turns once; it ends looking along +y."""
    things = [
        still_thing(1, "chair", (0.2, 3.0, 0), (0.5, 0.5, 0.9)),
        still_thing(2, "sofa", (-3.0, 0.1, 0), (0.8, 1.2, 0.8)),
        still_thing(3, "piano", (3.0, -0.1, 0), (0.6, 1.2, 1.1)),
        still_thing(4, "bed", (0.0, -3.0, 0), (1.4, 1.0, 0.6)),
    ]
    return tour(lambda t: heading(0, 0, 90 + 360 / LAST * (t - LAST), 0.35), things)


def seen_everywhere(truth):
    """All objects well seen in two frames, whatever the turn: what is asked here is geometry."""
    px, share = truth.visible_px.copy(), truth.visible_share.copy()
    px[1:3], share[1:3] = 2000, 0.9
    near = replace(truth, visible_px=px, visible_share=share)
    cameras = near.world_from_camera.copy()
    cameras[1], cameras[2] = heading(0, -12, 90), heading(0, -12, 90)
    return replace(near, world_from_camera=cameras)


def test_navigation():
    found = {c.object_ids[0]: c.answer_key for c in asked(navigation, seen_everywhere(around()))}
    assert found == {1: "ahead", 2: "left", 3: "right", 4: "behind"}
    unseen = replace(around(), visible_px=np.zeros_like(around().visible_px))
    assert asked(navigation, unseen) == []


def at_bearing(degrees, away=3.0):
    """A chair at a bearing (positive left) from a camera at the origin that looks along +y, and three things elsewhere."""
    aim = np.radians(90 + degrees)
    things = [still_thing(1, "chair", (away * np.cos(aim), away * np.sin(aim), 0), (0.5, 0.5, 0.9))]
    return seen_everywhere(tour(lambda t: heading(0, 0, 90, 0.35), things))


@pytest.mark.parametrize(
    ("degrees", "way"),
    [
        (0, "ahead"),
        (14, "ahead"),
        (24, None),
        (38, "left"),
        (-45, "right"),
        (-130, "right"),
        (148, None),
        (165, "behind"),
    ],
)
def test_which_way_to_turn_has_margins(degrees, way):
    assert [c.answer_key for c in asked(navigation, at_bearing(degrees))] == ([] if way is None else [way])


def test_a_wide_thing_that_reaches_to_straight_ahead_is_not_to_the_left():
    sofa = still_thing(1, "sofa", (-1.6, 1.6, 0), (3.0, 0.8, 0.8))  # its middle is at 45 degrees, its end at 6
    assert asked(navigation, seen_everywhere(tour(lambda t: heading(0, 0, 90, 0.35), [sofa]))) == []


def test_turn_to_see():
    found = {c.question["en"]: option(c) for c in asked(turn_to_see, seen_everywhere(around()))}
    by_turn = {turn: right for words, right in found.items() for turn in ("left", "right", "180") if turn in words}
    assert by_turn == {"left": "the sofa", "right": "the piano", "180": "the bed"}


def test_half_turns_are_asked_where_one_thing_lies_that_way():
    things = list(around().objects)
    lamp = still_thing(5, "floor lamp", (-2.2, 2.2, 0), (0.3, 0.3, 1.5))  # 45 degrees to the left
    stove = still_thing(6, "stove", (2.0, -2.1, 0), (0.6, 0.6, 0.9))  # 136 degrees to the right
    truth = seen_everywhere(tour(lambda t: heading(0, 0, 90, 0.35), [*things, lamp, stove]))
    found = {c.question["en"]: (option(c), c.question["zh"]) for c in asked(turn_to_see, truth)}
    turns = {
        t: v for words, v in found.items() for t in ("45 degrees to the left", "135 degrees to the right") if t in words
    }
    assert {t: v[0] for t, v in turns.items()} == {
        "45 degrees to the left": "the floor lamp",
        "135 degrees to the right": "the stove",
    }
    assert "向左转45度" in turns["45 degrees to the left"][1] and "向右转135度" in turns["135 degrees to the right"][1]


def test_reach():
    truth = tour(walking(0.3), [
        still_thing(1, "chair", (0.1, 3.0, 0), (0.5, 0.5, 0.9)),
        still_thing(2, "sofa", (-1.3, 2.8, 0), (1.2, 0.8, 0.8)),
        still_thing(3, "piano", (0.5, 6.0, 0), (1.2, 0.6, 1.1)),
    ])  # fmt: skip
    (found,) = asked(reach, truth)
    assert option(found) == "the chair"
    assert asked(reach, hidden(truth, 1)) == []


# ---- street -----------------------------------------------------------------------------------------------------------


def street_things():
    light = still_thing(20, "traffic light", (2.0, 26.0, 3.2), (0.5, 0.5, 1.4), kind="sign", supported_by=None)
    return [light, still_thing(21, "tree", (-5, 22, 0), (2, 2, 5), kind="plant")]


def driving(speed_of, yaw_of=lambda t: 90.0):
    """A car's camera by its speed and yaw over time, integrated finely."""
    times = np.arange(0, 5.001, 0.02)
    yaw = np.radians([yaw_of(t) for t in times])
    step = np.array([speed_of(t) for t in times])[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * 0.02
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])

    def at(t):
        return heading(*place[round(t / 0.02)], yaw_of(t), 0.05)

    return at


def drive(camera, *, light="green", things=(), paths=None):
    everything = [*street_things(), *things]
    truth = clip(everything, paths or {}, camera=camera, domain="street", viewer="car")
    shown = (light,) * len(TIMES)
    return replace(truth, signal=SignalTruth(object_id=20, shown=shown, after=light))


def braking(begin):
    return driving(lambda t: max(0.0, 6.0 - 4.0 * max(0.0, t - begin)))


def test_ego_goes_on_brakes_and_turns():
    (on,) = asked(ego_action, drive(driving(lambda t: 6.0)))
    assert on.answer_key == "on"
    (slow,) = asked(ego_action, drive(braking(LAST + 0.2), light="red"))
    assert slow.answer_key == "slow"
    turning = driving(lambda t: 4.0, lambda t: 90.0 + 20.0 * max(0.0, t - 0.8))
    (left,) = asked(ego_action, drive(turning))
    assert left.answer_key == "left"


def test_braking_without_a_cause_in_sight_is_not_asked():
    assert asked(ego_action, drive(braking(LAST + 0.2))) == []
    (shown,) = asked(ego_action, drive(braking(0.6)))  # but it is where the car brakes already
    assert shown.answer_key == "slow"
    assert asked(ego_action, drive(driving(lambda t: 6.0), light="red")) == []


def test_a_slower_car_ahead_is_a_cause():
    ahead = line((0.3, 16.0, 0.8), (0, 1.0, 0))
    car = mover(5, "car", ahead, (1.8, 4.2, 1.6), kind="vehicle", motion="scripted")
    (slow,) = asked(ego_action, drive(braking(LAST + 0.2), things=[car], paths={5: ahead}))
    assert slow.answer_key == "slow"


def test_vehicles_go_on_as_they_do():
    # The front of a vehicle is -y; it drives to the left (-x) at 5 m/s.
    def across(t):
        return (9.0 - 5.0 * t, 20.0, 0.8, 0.0, -90.0)

    car = mover(5, "car", across, (1.8, 4.2, 1.6), kind="vehicle", motion="scripted")
    (found,) = asked(vehicle_action, drive(driving(lambda t: 0.5), things=[car], paths={5: across}))
    assert found.answer_key == "on" and found.object_ids == (5,)

    def stopping(t):
        return across(min(t, LAST))

    assert asked(vehicle_action, drive(driving(lambda t: 0.5), things=[car], paths={5: stopping})) == []


def curve(rate_deg, begin=0.6, *, start=(8.0, 22.0), heading_deg=180.0, pace=5.0, brake=0.0):
    """A vehicle's way: it drives along a heading and, from a time on, turns at a rate (positive left); its front is -y."""
    times = np.arange(0, 5.001, 0.02)
    yaw = np.radians(heading_deg + rate_deg * np.maximum(times - begin, 0.0))
    speed = np.maximum(pace - brake * np.maximum(times - begin, 0.0), 0.0)
    step = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * 0.02
    place = np.asarray(start) + np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])

    def at(t):
        k = min(round(t / 0.02), len(times) - 1)
        return (*place[k], 0.8, 0.0, float(np.degrees(yaw[k])) + 90.0)

    return at


def vehicle_clip(path, contacts=()):
    car = mover(5, "car", path, (1.8, 4.2, 1.6), kind="vehicle", motion="scripted")
    truth = drive(driving(lambda t: 0.5), things=[car], paths={5: path})
    return replace(truth, rollouts=tuple(replace(r, contacts=tuple(contacts)) for r in truth.rollouts))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (curve(22.0), "left"),
        (curve(-22.0), "right"),
        (curve(22.0, heading_deg=0.0, start=(-8.0, 24.0)), "left"),  # its own left, whichever way it comes
        (curve(-22.0, heading_deg=-90.0, start=(0.0, 34.0)), "right"),
        (curve(0.0, brake=1.8), "slow"),
        (curve(0.0), "on"),
    ],
)
def test_a_vehicle_turns_to_its_own_side_brakes_or_goes_on(path, key):
    (found,) = asked(vehicle_action, vehicle_clip(path))
    assert found.answer_key == key and option(found) == DRIVES[key].en


def test_a_turn_that_has_not_begun_and_a_crash_are_no_actions():
    assert asked(vehicle_action, vehicle_clip(curve(30.0, begin=LAST + 0.1))) == []
    assert asked(vehicle_action, vehicle_clip(curve(22.0), [touch(5, 21, LAST + 0.8)])) == []


def test_somebody_who_waits_stands_still():
    waiting = still_thing(6, "person", (0.5, 9.0, 0), (0.5, 0.5, 1.8), kind="person")
    (found,) = asked(person_action, drive(driving(lambda t: 0.2), things=[waiting]))
    assert waiting.motion == "static" and found.answer_key == "still"


@pytest.mark.parametrize(
    ("velocity", "key"),
    [((-1.2, 0, 0), "left"), ((1.2, 0, 0), "right"), ((0, 1.2, 0), "along"), ((0, 0, 0), "still")],
)
def test_person_action(velocity, key):
    path = line((0.5, 9.0, 0.9), velocity)
    person = mover(6, "person", path, (0.5, 0.5, 1.8), kind="person", motion="scripted")
    truth = drive(driving(lambda t: 0.2), things=[person], paths={6: path})
    (found,) = asked(person_action, truth)
    assert found.answer_key == key and found.frame == "observer"
    assert asked(person_action, hidden(truth, 6)) == []


def test_somebody_who_starts_after_the_last_frame_is_not_asked_about():
    def path(t):
        return (0.5 - 1.2 * max(0.0, t - LAST), 9.0, 0.9)

    person = mover(6, "person", path, (0.5, 0.5, 1.8), kind="person", motion="scripted")
    assert asked(person_action, drive(driving(lambda t: 0.2), things=[person], paths={6: path})) == []


def test_every_subtype_makes_valid_rows_of_its_own_in_both_languages():
    seen = set()
    walk = line((0.5, 9.0, 0.9), (1.2, 0, 0))
    person = mover(6, "person", walk, (0.5, 0.5, 1.8), kind="person", motion="scripted")
    clips = [
        rolling(),
        table_clip(),
        tour(walking(0.5, 10.0)),
        seen_everywhere(around()),
        drive(driving(lambda t: 6.0), things=[person], paths={6: walk}),
    ]
    for truth in clips:
        for generator in ACTION_GENERATORS:
            for found in asked(generator, truth):
                row = as_row(found, truth)
                assert row.type == "action" and row.subtype == f"action.{generator.__name__}"
                assert {"en", "zh"} <= row.question.keys() and "{" not in row.question["en"] + row.question["zh"]
                assert found.evidence_frames and found.answer_key and found.group
                seen.add(row.subtype)
    assert len(seen) >= 10, sorted(seen)
