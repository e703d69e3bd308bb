"""The road's surface and the map of what was seen free."""

import numpy as np
import pytest

from video3d.geometry.occupancy import FREE, OCCUPIED, UNKNOWN
from video3d.geometry.road import empty_map, fit_road, free_distance, look

AHEAD, UP = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


def ground(rng, num=6000):
    """Places of a road as a camera sees them: even in angle, from 4 to 45 m."""
    x = 1.6 / np.tan(rng.uniform(np.arctan(1.6 / 45), np.arctan(1.6 / 4), num))
    return np.stack([x, rng.uniform(-0.4, 0.4, num) * x, np.zeros(num)], axis=1)


def fitted(points, **options):
    return fit_road(points, camera=np.array([0.0, 0.0, 1.6]), ahead=AHEAD, up=UP, max_tilt_rad=0.25, **options)


def test_fit_among_other_things(rng):
    """Walls, cars and noise do not move the road; a point below it is no reason to sink."""
    road = ground(rng)
    road[:, 2] += rng.normal(0, 0.01, len(road))
    wall = np.stack([rng.uniform(3, 40, 4000), np.full(4000, 6.0), rng.uniform(0, 5, 4000)], axis=1)
    car = rng.uniform([12, -3, 0.3], [12.1, -1, 1.5], (2000, 3))
    below = rng.uniform([5, -5, -3], [30, 5, -1], (40, 3))
    found = fitted(np.concatenate([road, wall, car, below, np.full((5, 3), np.nan)]))
    assert found is not None
    assert found.camera_height == pytest.approx(1.6, abs=0.01)
    assert np.degrees(np.arccos(found.normal[2])) < 0.15
    assert np.abs(found.of(road)[:, 2]).max() < 0.08 and found.share > 0.8


def test_scale_is_free(rng):
    """The same scene in another unit gives the same road in that unit."""
    road = ground(rng)
    one = fitted(road)
    other = fit_road(road * 0.1, camera=np.array([0.0, 0.0, 0.16]), ahead=AHEAD, up=UP, max_tilt_rad=0.25)
    assert other.camera_height == pytest.approx(0.1 * one.camera_height, rel=1e-6)
    assert other.flat == pytest.approx(0.1 * one.flat, rel=1e-6)


def test_a_road_that_bends_stays_a_road(rng):
    """A crest lies 0.5 m under the plane at 40 m; heights are over the road, not over the plane."""
    road = ground(rng)
    road[:, 2] = -3e-4 * road[:, 0] ** 2
    found = fitted(road)
    assert np.abs(found.of(road)[:, 2]).max() < 0.06


def test_no_road(rng):
    assert fitted(np.zeros((0, 3))) is None
    assert fitted(rng.uniform([2, -9, 1.7], [30, 9, 4], (500, 3))) is None  # nothing below the camera
    wall = np.stack([np.full(3000, 5.0), rng.uniform(-5, 5, 3000), rng.uniform(-3, 4, 3000)], axis=1)
    assert fitted(wall) is None


def test_map_and_corridor(rng):
    road = ground(rng, 30_000)
    block = rng.uniform([18, -2, 0.0], [18.2, 2, 1.6], (600, 3))
    hidden = (road[:, 0] > 18) & (np.abs(road[:, 1] / road[:, 0]) < 2 / 18)
    points = np.concatenate([road[~hidden], block])
    seen = look(empty_map(1.0), points, np.array([0.0, 0.0, 1.6]), flat=0.08, unit_m=1.0)

    def state(x: float, y: float) -> int:
        return int(seen.states[int((y + 20) / 0.25), int((x + 10) / 0.25)])

    assert state(10.0, 0.0) == FREE and state(18.1, 0.0) == OCCUPIED and state(30.0, 0.0) == UNKNOWN
    assert state(-5.0, 0.0) == UNKNOWN and state(30.0, 8.0) == FREE
    assert free_distance(seen, half_width=1.0) == pytest.approx(18.0, abs=1.2)
    assert free_distance(seen, half_width=1.0, curvature=1 / 40) > 22  # a bend to the left goes past it
    assert free_distance(empty_map(1.0), half_width=1.0) is None
    # What drove away leaves free road behind: the latest view has the last word.
    later = look(seen, road, np.array([0.0, 0.0, 1.6]), flat=0.08, unit_m=1.0)
    assert free_distance(later, half_width=1.0) > 35


@pytest.mark.parametrize("unit_m", [1.0, 0.37, 1.839, 3.067])
def test_a_road_that_is_free_to_the_end_of_the_map(unit_m):
    """Whatever a unit is, the way ends with the map."""
    seen = empty_map(unit_m)
    seen.states[:] = FREE
    assert free_distance(seen, half_width=1.0 / unit_m) == pytest.approx(60.0 / unit_m)
