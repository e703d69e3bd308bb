"""Bodies of several frames put together by which are of one thing in motion."""

import numpy as np
import pytest

from video3d.geometry.moving import Body
from video3d.geometry.moving_things import moving_things

EYE = np.array([0.0, -15.0, 1.5])


def _body(frame, place, size=(4.0, 1.8, 1.5), points=200, seed=0):
    draw = np.random.default_rng([seed, frame])
    return Body(frame=frame, points_world=place + draw.uniform(-0.5, 0.5, (points, 3)) * size, eye_world=EYE)


def _way(start, velocity, change=(0.0, 0.0), frames=range(10), dt=0.2, **more):
    start, velocity, change = (np.array([*one, 0.0]) for one in (start, velocity, change))
    return [_body(at, start + velocity * at * dt + change * (at * dt) ** 2 / 2 + [0, 0, 0.75], **more) for at in frames]


TIMES = np.arange(10) * 0.2


@pytest.mark.parametrize("turn", np.linspace(0.0, np.pi, 4))
def test_cars_that_meet_are_kept_apart_by_their_ways(turn):
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    one = _way(spin @ [-8.0, 1.6], spin @ [8.0, 0.0])
    other = _way(spin @ [8.0, -1.6], spin @ [-8.0, 0.0], seed=1)
    mixed = [body for pair in zip(one, other, strict=True) for body in pair]
    found = moving_things(mixed, TIMES)
    assert [len(thing.bodies) for thing in found] == [10, 10]
    assert {tuple(map(id, thing.bodies)) for thing in found} == {tuple(map(id, one)), tuple(map(id, other))}


def test_what_brakes_and_what_turns_is_one_thing():
    brakes = _way((-8.0, 0.0), (8.0, 0.0), (-4.0, 0.0))
    turns = _way((-8.0, 9.0), (5.0, 0.0), (-1.0, 3.0), seed=1)
    found = moving_things([*brakes, *turns], TIMES)
    assert [len(thing.bodies) for thing in found] == [10, 10]


def test_every_body_is_of_one_thing_and_a_thing_has_one_a_frame():
    draw = np.random.default_rng(3)
    bodies = [_body(int(at), draw.uniform(-9, 9, 3) * [1, 1, 0] + [0, 0, 0.75], points=20, seed=n) for n, at in enumerate(draw.integers(0, 10, 60))]  # fmt: skip
    found = moving_things(bodies, TIMES)
    assert sorted(id(body) for thing in found for body in thing.bodies) == sorted(map(id, bodies))
    for thing in found:
        frames = [body.frame for body in thing.bodies]
        assert frames == sorted(set(frames))
        assert thing.at(frames[0]) is thing.bodies[0] and thing.at(99) is None


def test_what_several_frames_do_not_see_is_one_thing_still():
    hidden = [at for at in range(10) if at not in (4, 5)]
    (thing,) = moving_things(_way((-8.0, 0.0), (6.0, 0.0), frames=hidden), TIMES)
    assert [body.frame for body in thing.bodies] == hidden


def test_nothing_is_put_together_where_times_are_not_known_or_nothing_moved():
    bodies = _way((-8.0, 0.0), (6.0, 0.0))
    assert [len(thing.bodies) for thing in moving_things(bodies, np.full(10, np.nan))] == [1] * 10
    assert moving_things([], TIMES) == ()


def test_nobody_flies_nor_drives_a_hundred_metres_a_second():
    far = [_body(0, np.array([0.0, 0.0, 0.75])), _body(1, np.array([25.0, 0.0, 0.75]))]
    above = [_body(0, np.array([0.0, 0.0, 0.75])), _body(1, np.array([0.5, 0.0, 6.0]))]
    assert [len(thing.bodies) for thing in moving_things(far, TIMES)] == [1, 1]
    assert [len(thing.bodies) for thing in moving_things(above, TIMES)] == [1, 1]


def test_what_comes_much_later_elsewhere_is_another_thing():
    times = np.linspace(0.0, 60.0, 32)
    early = [_body(at, np.array([0.0, 0.0, 0.85]), (0.5, 0.5, 1.7)) for at in range(6)]
    late = [_body(at, np.array([1.0, 0.5, 0.85]), (0.5, 0.5, 1.7)) for at in range(26, 32)]
    assert [len(thing.bodies) for thing in moving_things([*early, *late], times)] == [6, 6]


def test_a_large_thing_is_no_later_place_of_a_small_one():
    ball = [_body(at, np.array([0.3 * at, 0.0, 0.1]), (0.2, 0.2, 0.2), points=10) for at in range(3)]
    fragment = _body(0, np.array([0.0, 2.0, 0.4]), (0.6, 0.4, 0.8))
    found = moving_things([*ball, fragment], TIMES)
    assert [len(thing.bodies) for thing in found] == [3, 1] and found[0].bodies == tuple(ball)


def test_two_that_do_not_go_together_do_not_keep_others_apart():
    ball = [_body(at, np.array([0.3 * at, 0.0, 0.1]), (0.2, 0.2, 0.2), points=9) for at in range(3)]
    apart = [_body(0, np.array([50.0, 0.0, 0.75])), _body(1, np.array([50.0, 0.0, 6.0]))]
    assert sorted(len(thing.bodies) for thing in moving_things([*apart, *ball], TIMES)) == [1, 1, 3]


def test_frames_of_one_time_are_borne():
    bodies = [_body(at, np.array([0.0, 0.0, 0.75])) for at in range(6)]
    assert sum(len(thing.bodies) for thing in moving_things(bodies, np.zeros(10))) == 6
