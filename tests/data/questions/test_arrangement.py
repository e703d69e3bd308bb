"""Gaps, footprints, bearings and outlines against what is known without them."""

import numpy as np
import pytest
from scenes import look_at, scene, thing, yaw_pose
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from video3d.data.questions.arrangement import (
    bearing_deg,
    floor_gap_m,
    footprint,
    gap_m,
    is_still,
    level_axes,
    outline,
    polygon_area_m2,
    shared_footprint,
    upright_box,
    z_interval,
)
from video3d.geometry.boxes import box_corners
from video3d.types import Box3D


def _box(rng: np.random.Generator, spread: float = 1.5, upright: bool = False) -> Box3D:
    turn = (
        Rotation.from_euler("z", rng.uniform(0, 6))
        if upright
        else Rotation.random(random_state=int(rng.integers(1 << 30)))
    )
    return Box3D(
        center_world=rng.normal(0, spread, 3), size_m=rng.uniform(0.2, 1.5, 3), world_from_box=turn.as_matrix()
    )


def test_gap_is_the_least_distance_that_a_solver_finds(rng):
    met = 0
    for _ in range(60):
        a, b = _box(rng), _box(rng)
        # Points c + R u with |u| <= half: least |p - q| over both is a bounded least-squares problem.
        halves = np.concatenate([a.size_m, b.size_m]) / 2
        matrix = np.hstack([a.world_from_box, -b.world_from_box])
        solved = lsq_linear(matrix, b.center_world - a.center_world, bounds=(-halves, halves), tol=1e-12)
        expected = float(np.sqrt(2 * solved.cost))
        assert gap_m(a, b) == pytest.approx(expected, abs=1e-4)
        assert gap_m(b, a) == pytest.approx(gap_m(a, b), abs=1e-9)
        met += expected < 1e-5
    assert 3 < met < 57  # both kinds were tried


def test_footprints_share_what_sampling_says(rng):
    for _ in range(10):
        a, b = _box(rng, 0.4, upright=True), _box(rng, 0.4, upright=True)
        points = rng.uniform(-0.5, 0.5, (20000, 2)) * a.size_m[:2] @ a.world_from_box[:2, :2].T + a.center_world[:2]
        local = (points - b.center_world[:2]) @ b.world_from_box[:2, :2]
        inside = (np.abs(local) <= b.size_m[:2] / 2).all(axis=1).mean() * a.size_m[0] * a.size_m[1]
        smaller = min(a.size_m[0] * a.size_m[1], b.size_m[0] * b.size_m[1])
        assert shared_footprint(a, b) == pytest.approx(inside / smaller, abs=0.02)
        assert shared_footprint(a, b) == pytest.approx(shared_footprint(b, a), abs=1e-6)


def test_a_footprint_is_counter_clockwise_and_flat_gaps_ignore_height(rng):
    box = _box(rng, upright=True)
    assert polygon_area_m2(footprint(box)) == pytest.approx(box.size_m[0] * box.size_m[1], rel=1e-6)
    low = thing(1, "box", (0, 0, 0), (1, 1, 1)).box()
    high = thing(2, "box", (1.5, 0, 5), (1, 1, 1)).box()
    assert floor_gap_m(low, high) == pytest.approx(0.5)
    assert gap_m(low, high) == pytest.approx(np.hypot(0.5, 4))
    assert z_interval(high) == pytest.approx((5, 6))


def test_a_box_on_its_side_stands_upright_by_other_names():
    standing = Rotation.from_euler("xz", [np.pi / 2, 0.3]).as_matrix()
    box = Box3D(center_world=np.zeros(3), size_m=np.array([1.0, 2.0, 3.0]), world_from_box=standing)
    _, size, yaw = upright_box(box)
    again = Box3D(center_world=np.zeros(3), size_m=size, world_from_box=yaw_pose((0, 0, 0), np.degrees(yaw))[:3, :3])
    assert sorted(size.tolist()) == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(*(np.sort(box_corners(b).round(6), axis=0) for b in (box, again)), atol=1e-6)


def test_a_leaning_box_is_replaced_by_the_box_around_it():
    leaning = Box3D(
        center_world=np.zeros(3),
        size_m=np.ones(3),
        world_from_box=Rotation.from_euler("x", 30, degrees=True).as_matrix(),
    )
    _, size, yaw = upright_box(leaning)
    assert yaw == 0.0
    np.testing.assert_allclose(size, np.ptp(box_corners(leaning), axis=0))


def test_bearings_are_zero_ahead_and_positive_left_however_far_down_the_camera_looks():
    truth = scene([thing(1, "chair", (0, 3, 0))], look_at((1, 1, 1.5), (1, 4, 0.2)))
    for place, expected in (((1, 5, 0), 0), ((-1, 3, 2), 45), ((3, 1, 0), -90), ((1, -5, 0), 180)):
        found = bearing_deg(truth, 0, np.array(place, float))
        assert found is not None
        assert abs(found) == pytest.approx(abs(expected))
        assert expected in (0, 180) or np.sign(found) == np.sign(expected)


def test_a_camera_that_looks_straight_down_or_lies_on_its_side_has_no_left():
    down = look_at((0, 0, 3), (0, 0.3, 0))
    rolled = look_at((0, 0, 1.5), (0, 4, 1.5)) @ np.block(
        [
            [Rotation.from_euler("z", 30, degrees=True).as_matrix(), np.zeros((3, 1))],
            [np.zeros((1, 3)), np.ones((1, 1))],
        ]
    )
    for pose in (down, rolled):
        assert level_axes(scene([thing(1, "chair", (0, 3, 0))], pose), 0) is None


def test_outlines_are_clipped_and_those_behind_the_camera_are_none():
    truth = scene([thing(1, "sofa", (-2.6, 3, 0), (2, 0.9, 0.8)), thing(2, "chair", (0, 0.1, 0))])
    found = outline(truth, 1, 0)
    assert found is not None
    assert found.left_px == 0.0
    assert 0 < found.right_px < 112
    assert found.near_m < found.far_m
    assert outline(truth, 2, 0) is None


def test_stillness():
    still, rolls = (
        thing(1, "chair", (0, 3, 0)),
        thing(2, "ball", (0, 0, 0), path=[(0, 2 + 0.1 * i, 0) for i in range(4)]),
    )
    truth = scene([still, rolls])
    assert is_still(truth, 1)
    assert not is_still(truth, 2)
