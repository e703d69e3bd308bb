"""Turning, displacement and speed: signs and axioms."""

import numpy as np
import pytest
from box_room import POSES, TIME_S, look
from hypothesis import given
from hypothesis import strategies as st

from video3d.answers.trajectory import (
    Trajectory,
    duration_s,
    moved_from_start,
    path_length,
    roll_deg,
    speeds,
    tilt_deg,
    turning,
    yaw_steps_deg,
)


def path(poses, *, level=True, time_s=None):
    num = len(poses)
    return Trajectory(
        frame_index=np.arange(num),
        time_s=np.arange(num, dtype=np.float64) if time_s is None else time_s,
        world_from_camera=np.stack(poses),
        level=level,
    )


def about_z(degrees: float) -> np.ndarray:
    turn = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[:2, :2] = [[c, -s], [s, c]]
    turn[:3, 3] = [3.0, -2.0, 0.5]
    return turn


def test_counterclockwise_from_above_is_left_and_positive():
    left = path([look((0, 0, 1), yaw) for yaw in (0, 30, 60)])
    assert turning(left).net == pytest.approx(60)
    assert turning(left).left == pytest.approx(60)
    assert turning(left).right == 0
    right = path([look((0, 0, 1), yaw) for yaw in (0, -30, -60)])
    assert turning(right).net == pytest.approx(-60)
    assert turning(right).right == pytest.approx(60)


def test_turns_add_up_past_a_half_and_a_whole_turn():
    assert turning(path([look((0, 0, 1), yaw) for yaw in range(0, 271, 30)])).net == pytest.approx(270)
    assert turning(path([look((0, 0, 1), -yaw) for yaw in range(0, 721, 45)])).net == pytest.approx(-720)


def test_shake_is_no_turn():
    shaken = path([look((0, 0, 1), 2.0 * (-1) ** i) for i in range(20)])
    assert (turning(shaken).left, turning(shaken).right) == (0, 0)
    swung = path([look((0, 0, 1), yaw) for yaw in (0, 40, 38, 41, 10)])
    assert turning(swung).left == pytest.approx(41)
    assert turning(swung).right == pytest.approx(31)


def test_a_camera_that_looks_straight_down_turns_too():
    down = path([look((0, 0, 1), yaw, tilt_deg=-90) for yaw in (0, 40, 80)])
    assert turning(down).net == pytest.approx(80)


@given(st.floats(-180, 180), st.lists(st.floats(-170, 170), min_size=2, max_size=6), st.floats(-70, 70))
def test_a_turn_does_not_depend_on_where_the_world_lies(degrees, yaws, tilt):
    poses = [look((float(i), 0.0, 1.0), yaw, tilt) for i, yaw in enumerate(yaws)]
    moved = [about_z(degrees) @ pose for pose in poses]
    assert turning(path(moved)).net == pytest.approx(turning(path(poses)).net, abs=1e-6)
    assert path_length(path(moved)) == pytest.approx(path_length(path(poses)))
    assert moved_from_start(path(moved)) == pytest.approx(moved_from_start(path(poses)), abs=1e-9)


@given(st.lists(st.floats(-80, 80), min_size=2, max_size=6))
def test_going_back_turns_back(steps):
    yaws = np.cumsum([0.0, *steps])
    poses = [look((0, 0, 1), float(yaw)) for yaw in yaws]
    assert turning(path(poses)).net == pytest.approx(float(yaws[-1]), abs=1e-6)
    assert turning(path(poses[::-1])).net == pytest.approx(-turning(path(poses)).net, abs=1e-6)


def test_without_gravity_the_camera_turns_about_its_own_upright_axis():
    tipped = np.eye(4)
    tipped[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]  # the world lies on its side
    poses = [tipped @ look((0, 0, 1), yaw, tilt_deg=0) for yaw in (0, 25, 50)]
    assert turning(path(poses, level=False)).net == pytest.approx(50)


def test_forward_left_and_up_are_those_of_the_first_camera():
    start = look((1.0, 1.0, 1.0), 90, tilt_deg=-40)  # looks along +y
    for step, expected in (
        ((0, 2, 0), (2, 0, 0)),
        ((-2, 0, 0), (0, 2, 0)),
        ((2, 0, 0), (0, -2, 0)),
        ((0, 0, 0.5), (0, 0, 0.5)),
    ):
        end = start.copy()
        end[:3, 3] += step
        assert moved_from_start(path([start, end])) == pytest.approx(expected)
    along_axis = start.copy()
    along_axis[:3, 3] += start[:3, 2]
    assert moved_from_start(path([start, along_axis], level=False)) == pytest.approx((1, 0, 0))


def test_tilt_and_roll():
    assert tilt_deg(path([look((0, 0, 1), 33, tilt_deg=t) for t in (-30, 0, 45)])) == pytest.approx([-30, 0, 45])
    assert roll_deg(path([look((0, 0, 1), 33)])) == pytest.approx([0], abs=1e-9)


def test_the_walk_in_the_box_room():
    walk = path(list(POSES), time_s=TIME_S)
    assert path_length(walk) == pytest.approx(1.8 + np.hypot(0.2, 0.1))
    assert duration_s(walk) == 5.0
    assert turning(walk).net == pytest.approx(90)
    assert speeds(walk).max() == pytest.approx(np.hypot(0.2, 0.1) / 0.5)
    assert yaw_steps_deg(walk) == pytest.approx(np.full(10, 9.0))


def test_unknown_times_give_unknown_durations():
    walk = path(list(POSES), time_s=np.full(11, np.nan))
    assert np.isnan(duration_s(walk))
    assert speeds(walk).size == 0


def test_parts_of_a_path():
    walk = path(list(POSES))
    assert walk.between(2, 5).frame_index.tolist() == [2, 3, 4, 5]
    assert walk.between(5, 2).frame_index.tolist() == [2, 3, 4, 5]
    assert walk.position(3) == 3
    assert walk.position(99) is None
    assert turning(walk.between(4, 4)).net == 0
