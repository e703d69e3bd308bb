"""Paths, speeds and overlaps: closed forms against sums, and what must hold of any of them."""

import numpy as np
import pytest

from video3d.data.simulate.traffic import Mount, Mover, collisions, mounted, overlap
from video3d.data.simulate.traffic_path import Path, Profile, braking_to, path_along, straight_path


def _turn() -> Path:
    return path_along(((-30.0, -1.6), (1.6, -1.6), (1.6, 30.0)), 7.0)


def test_a_turn_is_tangent_and_as_long_as_its_straights_and_arc() -> None:
    path = _turn()
    assert path.total_m == pytest.approx(31.6 - 7.0 + 7.0 * np.pi / 2 + 31.6 - 7.0, abs=0.02)
    assert path.yaw_rad[0] == pytest.approx(0.0) and path.yaw_rad[-1] == pytest.approx(np.pi / 2)
    arc = (path.yaw_rad > 0.1) & (path.yaw_rad < 1.4)
    assert np.linalg.norm(path.points_m[arc] - np.array([-5.4, 5.4]), axis=1) == pytest.approx(7.0, abs=1e-9)


def test_a_step_along_a_path_goes_where_its_yaw_points() -> None:
    path = _turn()
    s = np.linspace(-5.0, path.total_m + 5.0, 400)
    here, there = path.at(s), path.at(s + 1e-3)
    step = (there - here)[:, :2]
    assert np.linalg.norm(step, axis=1) == pytest.approx(1e-3, rel=2e-3)
    ahead = np.stack([np.cos(here[:, 2]), np.sin(here[:, 2])], axis=-1)
    assert ((step * ahead).sum(-1) / np.linalg.norm(step, axis=1)).min() > 0.999


def test_an_arc_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        path_along(((0.0, 0.0), (3.0, 0.0), (3.0, 20.0)), 5.0)


@pytest.mark.parametrize("seed", range(6))
def test_distance_is_the_sum_of_speed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile = Profile(speed_mps=float(rng.uniform(2, 12))).wait(float(rng.uniform(0.1, 2)))
    profile = profile.reach(float(rng.uniform(0, 3)), 2.7).wait(0.7).reach(8.0, 1.4)
    times = np.linspace(0.0, 14.0, 28_001)
    speed = np.asarray(profile.speed(times))
    summed = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2) * (times[1] - times[0])])
    assert np.asarray(profile.distance(times)) == pytest.approx(summed, abs=2e-3)
    assert speed[-1] == pytest.approx(8.0)


def test_braking_stops_after_exactly_the_distance_or_says_that_it_cannot() -> None:
    stops = braking_to(Profile(speed_mps=9.0), 0.0, 25.0, 3.0)
    assert stops.distance(60.0) == pytest.approx(25.0) and stops.speed(60.0) == 0.0
    with pytest.raises(ValueError, match=r"needs 13\.5 m"):
        braking_to(Profile(speed_mps=9.0), 0.0, 13.0, 3.0)


def test_change_scales_the_clock_and_so_every_speed() -> None:
    mover = Mover(
        object_id=1,
        path=_turn(),
        profile=braking_to(Profile(speed_mps=6.0), 0.0, 30.0, 2.0),
        start_m=0.0,
        half_m=(2.2, 0.9),
    )
    times = np.linspace(0.0, 9.0, 50)
    assert mover.pose(times, 0.02) == pytest.approx(mover.pose(times * 1.02))
    assert mover.pose(np.array([60.0]), 0.02) == pytest.approx(mover.pose(np.array([60.0]), -0.02))  # stops at the line


def test_overlap_is_symmetric_and_does_not_change_with_the_frame() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.uniform(-4, 4, (500, 3)), rng.uniform(-4, 4, (500, 3))
    half_a, half_b = rng.uniform(0.3, 3.0, (500, 2)), rng.uniform(0.3, 3.0, (500, 2))
    found = overlap(first, half_a, second, half_b)
    assert 50 < found.sum() < 450
    assert (found == overlap(second, half_b, first, half_a)).all()
    turn, c, s = 0.7, np.cos(0.7), np.sin(0.7)
    move = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    shift = np.array([5.0, -2.0, turn])
    assert (found == overlap(first @ move.T + shift, half_a, second @ move.T + shift, half_b)).all()


def test_overlap_agrees_with_points_all_over_the_rectangles() -> None:
    rng = np.random.default_rng(4)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 41), np.linspace(-1, 1, 41)), -1).reshape(-1, 2)
    for _ in range(60):
        a, b = rng.uniform(-3, 3, 3), rng.uniform(-3, 3, 3)
        half_a, half_b = rng.uniform(0.5, 2.5, 2), rng.uniform(0.5, 2.5, 2)
        turn_a, turn_b = (np.array([[np.cos(p[2]), -np.sin(p[2])], [np.sin(p[2]), np.cos(p[2])]]) for p in (a, b))
        inside = (grid * half_a) @ turn_a.T + a[:2]
        touches = bool((np.abs((inside - b[:2]) @ turn_b) <= half_b).all(axis=1).any())
        if touches:
            assert bool(overlap(a, half_a, b, half_b))
        else:
            assert not bool(overlap(a, half_a - 0.15, b, half_b - 0.15)) or not touches


def test_two_who_meet_head_on_are_found_and_two_in_their_lanes_are_not() -> None:
    def car(y: float, way: int) -> Mover:
        path = straight_path((-50.0 * way, y), (50.0 * way, y))
        return Mover(object_id=1, path=path, profile=Profile(speed_mps=8.0), start_m=10.0, half_m=(2.2, 0.9))

    nothing = np.zeros((0, 5))
    assert collisions((car(0.0, 1), car(0.3, -1)), nothing, 8.0) == [(0, 1)]
    assert collisions((car(-1.6, 1), car(1.6, -1)), nothing, 8.0) == []
    assert collisions((car(-1.6, 1),), np.array([[0.0, -1.0, 0.2, 1.0, 1.0]]), 8.0) == [(0, -1)]


def test_a_mounted_camera_is_level_and_looks_the_way_it_goes() -> None:
    ego = Mover(object_id=0, path=_turn(), profile=Profile(speed_mps=5.0), start_m=10.0, half_m=(2.2, 0.9))
    camera = mounted(ego, Mount(height_m=1.3, pitch_rad=0.05), lambda place: np.zeros(place.shape[:-1]))
    poses = camera(np.linspace(0.0, 8.0, 30), 0.0)
    rotation = poses[:, :3, :3]
    assert np.einsum("fij,fkj->fik", rotation, rotation) == pytest.approx(
        np.broadcast_to(np.eye(3), (30, 3, 3)), abs=1e-9
    )
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert poses[:, 2, 0] == pytest.approx(0.0)  # its x axis is level
    assert poses[:, 2, 2] == pytest.approx(-np.sin(0.05))
    assert poses[0, :3, 2] @ np.array([1.0, 0.0, 0.0]) > 0.99 and poses[-1, :3, 2] @ np.array([0.0, 1.0, 0.0]) > 0.99
