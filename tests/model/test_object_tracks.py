"""A named thing followed through the frames that show it."""

from dataclasses import replace

import numpy as np
import pytest

from video3d.geometry.moving import Body
from video3d.model.object_tracks import track_named
from video3d.model.object_votes import ObjectVotes


def votes(places, seed=0, times=None):
    """Twelve votes for a ball in each frame, and as many for a box that stays."""
    draw = np.random.default_rng(seed)
    rows = [(frame, place) for frame, place in enumerate(places) for _ in range(12)]
    frame = np.array([frame for frame, _ in rows] * 2)
    center = np.array([place for _, place in rows] + [[5.0, 5.0, 0.5]] * len(rows)) + draw.normal(
        0, 0.02, (2 * len(rows), 3)
    )
    category = np.zeros((len(frame), 2), np.float32)
    category[: len(rows), 0] = 0.9
    category[len(rows) :, 1] = 0.9
    return ObjectVotes(
        categories=("ball", "box"), colors=("red",), category=category, color=np.ones((len(frame), 1), np.float32),
        center_world=center, size_m=np.full((len(frame), 3), 0.3), axis_world=np.tile([1.0, 0.0], (len(frame), 1)),
        scale_m=np.full(len(frame), 0.1), frame=frame, time_s=(np.arange(len(places)) / 5 if times is None else times)[frame],
        patch=np.arange(len(frame)),
    )  # fmt: skip


def test_a_ball_that_rolls_is_followed():
    track = track_named(votes([[0.2 * at, 1.0, 0.1] for at in range(8)]), "ball", "red")
    assert track is not None and track.frame.tolist() == list(range(8))
    assert np.allclose(track.center_world[-1], [1.4, 1.0, 0.1], atol=0.03)
    velocity = track.velocity_m_s()
    assert velocity is not None and np.allclose(velocity[0], [1.0, 0.0, 0.0], atol=0.1)


def test_what_stays_has_no_velocity():
    track = track_named(votes([[0.0, 1.0, 0.1]] * 5), "box")
    assert track is not None
    assert np.allclose(track.velocity_m_s()[0], 0, atol=0.1)


@pytest.mark.parametrize("name", ["dog", ""])
def test_what_no_vote_is_for_is_not_followed(name):
    assert track_named(votes([[0.0, 1.0, 0.1]] * 3), name) is None


def test_without_times_nothing_moves():
    assert track_named(votes([[0.0, 1.0, 0.1]] * 3, times=np.full(3, np.nan)), "ball") is None


def test_another_thing_of_the_name_that_stands_for_a_moment_is_not_jumped_to():
    ways = [[0.2 * at, 1.0, 0.1] for at in range(8)]
    straight = track_named(votes(ways), "ball")
    with_one_astray = [*ways[:4], [4.0, 4.0, 0.1], *ways[5:]]
    track = track_named(votes(with_one_astray), "ball")
    assert straight is not None and track is not None
    assert track.frame.tolist() == [0, 1, 2, 3, 5, 6, 7]
    assert np.allclose(track.velocity_m_s()[0], straight.velocity_m_s()[0], atol=0.05)


def test_what_trembles_stands_still():
    draw = np.random.default_rng(0)
    track = track_named(votes([np.array([1.0, 1.0, 0.1]) + draw.normal(0, 0.03, 3) for _ in range(8)]), "ball")
    assert track is not None
    velocity, error = track.velocity_m_s()
    assert np.linalg.norm(velocity) < 2 * error


def test_where_something_moved_its_place_counts_and_not_what_votes_believe():
    places = [np.array([0.2 * at, 1.0, 0.15]) for at in range(8)]
    side = np.mgrid[-0.15:0.15:12j, 0:1, -0.15:0.15:12j].reshape(3, -1).T - [0.0, 0.15, 0.0]
    bodies = [Body(frame=at, points_world=side + place, eye_world=np.array([0.7, -6.0, 1.0])) for at, place in enumerate(places)]  # fmt: skip
    draw = np.random.default_rng(1)
    astray = [place + draw.normal(0, 0.12, 3) for place in places]
    alone, seen = track_named(votes(astray), "ball"), track_named(votes(astray), "ball", bodies=bodies)
    assert alone is not None and seen is not None
    assert np.abs(seen.center_world - np.array(places)[seen.frame]).max() < 0.03
    assert np.abs(alone.center_world - np.array(places)[alone.frame]).max() > 0.1
    assert (seen.sigma_m < alone.sigma_m[: len(seen.frame)]).all()
    far = [
        Body(frame=one.frame, points_world=one.points_world + np.array([3.0, 0, 0]), eye_world=one.eye_world)
        for one in bodies
    ]
    assert np.array_equal(track_named(votes(astray), "ball", bodies=far).center_world, alone.center_world)


def _seen_moving(at, place, size):
    """The side that faces the camera of a thing of some size in the middle of a frame."""
    side = (np.mgrid[-0.5:0.5:12j, 0:1, -0.5:0.5:12j].reshape(3, -1).T - [0.0, 0.5, 0.0]) * np.array(size)
    return Body(frame=at, points_world=side + place, eye_world=np.array([0.7, -12.0, 1.0]))


@pytest.mark.parametrize(("size", "follows"), [((0.5, 0.3, 1.7), True), ((3.0, 1.6, 1.5), False)])
def test_a_person_smaller_than_a_patch_is_where_something_of_their_shape_walks(size, follows):
    places = [np.array([0.25 * at, 0.0, 0.9]) for at in range(8)]
    draw = np.random.default_rng(2)
    vague = votes([place + draw.normal(0, 4.0, 3) * [1, 1, 0] for place in places])
    vague = replace(vague, categories=("person", "box"), scale_m=np.full(len(vague.frame), 2.0))
    track = track_named(vague, "person", bodies=[_seen_moving(at, place, size) for at, place in enumerate(places)])
    assert track is not None
    near = np.linalg.norm((track.center_world - np.array(places)[track.frame])[:, :2], axis=1) < 0.3
    assert (near.mean() > 0.7) == follows and track.moved[near].all()
    if follows:
        assert track.velocity_m_s()[0] == pytest.approx([1.25, 0, 0], abs=0.1)


def test_who_is_seen_well_is_not_taken_for_another_who_walks():
    places = [np.array([0.25 * at, 0.0, 0.9]) for at in range(8)]
    other = [np.array([3.0 - 0.25 * at, 4.0, 0.9]) for at in range(8)]
    sharp = replace(votes(places), categories=("person", "box"))
    bodies = [_seen_moving(at, place, (0.5, 0.3, 1.7)) for at, place in enumerate(other)]
    track = track_named(sharp, "person", bodies=bodies)
    assert track is not None and np.allclose(track.center_world[:, 1], 0.0, atol=0.1)
