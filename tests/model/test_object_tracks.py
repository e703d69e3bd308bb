"""A named thing followed through the frames that show it."""

from dataclasses import replace

import numpy as np
import pytest

from video3d.geometry.moving import Body
from video3d.geometry.moving_things import MovingThing, moving_things
from video3d.model.moving_objects import boxes_of_moving, moving_found, moving_named
from video3d.model.object_tracks import track_named
from video3d.model.object_votes import ObjectVotes


def votes(places, seed=0, times=None):
    """Twelve votes for a ball in each frame, of the patches of its left half, and as many for a box that stays, of the others."""
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
        patch=24 * frame + np.r_[np.arange(len(rows)) % 12, 12 + np.arange(len(rows)) % 12], grid_hw=(1, 24),
    )  # fmt: skip


TIMES = np.arange(8) / 5


def together(bodies):
    return moving_things(bodies, TIMES)


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
    alone, seen = track_named(votes(astray), "ball"), track_named(votes(astray), "ball", moving=together(bodies))
    assert alone is not None and seen is not None
    assert np.abs(seen.center_world - np.array(places)[seen.frame]).max() < 0.03
    assert np.abs(alone.center_world - np.array(places)[alone.frame]).max() > 0.1
    assert (seen.sigma_m < alone.sigma_m[: len(seen.frame)]).all()
    far = [
        Body(frame=one.frame, points_world=one.points_world + np.array([3.0, 0, 0]), eye_world=one.eye_world)
        for one in bodies
    ]
    assert np.array_equal(track_named(votes(astray), "ball", moving=together(far)).center_world, alone.center_world)


def _seen_moving(at, place, size, half=0):
    """The side that faces the camera of a thing of some size in the middle of a frame, which a half of the patches shows."""
    side = (np.mgrid[-0.5:0.5:12j, 0:1, -0.5:0.5:12j].reshape(3, -1).T - [0.0, 0.5, 0.0]) * np.array(size)
    column = half / 2 + np.random.default_rng(at).uniform(0.0, 0.5, len(side))
    seen_at = np.stack([np.full(len(side), 0.5), column], 1)
    return Body(frame=at, points_world=side + place, eye_world=np.array([0.7, -12.0, 1.0]), seen_at=seen_at)


def _person(sharp, scale_m=0.1):
    return _large(
        replace(sharp, categories=("person", "box"), scale_m=np.full(len(sharp.frame), scale_m)), (0.5, 0.3, 1.7)
    )


def _large(said, size):
    return replace(said, size_m=np.tile(size, (len(said.frame), 1)))


@pytest.mark.parametrize(("half", "follows"), [(0, True), (1, False)])
def test_a_person_is_where_what_their_patches_show_walks_wherever_votes_place_them(half, follows):
    places = [np.array([0.25 * at, 0.0, 0.9]) for at in range(8)]
    draw = np.random.default_rng(2)
    vague = _person(votes([place + draw.normal(0, 4.0, 3) * [1, 1, 0] for place in places]), scale_m=2.0)
    bodies = [_seen_moving(at, place, (0.5, 0.3, 1.7), half) for at, place in enumerate(places)]
    track = track_named(vague, "person", moving=together(bodies))
    assert track is not None
    near = np.linalg.norm((track.center_world - np.array(places)[track.frame])[:, :2], axis=1) < 0.3
    assert near.all() == follows
    if follows:
        assert track.moved.all() and track.velocity_m_s()[0] == pytest.approx([1.25, 0, 0], abs=0.1)


def test_who_is_seen_well_is_not_taken_for_another_who_walks():
    places = [np.array([0.25 * at, 0.0, 0.9]) for at in range(8)]
    other = [np.array([3.0 - 0.25 * at, 4.0, 0.9]) for at in range(8)]
    bodies = [_seen_moving(at, place, (0.5, 0.3, 1.7), 1) for at, place in enumerate(other)]
    assert moving_named(_person(votes(places)), "person", moving=together(bodies)) is None
    track = track_named(_person(votes(places)), "person", moving=together(bodies))
    assert track is not None and np.allclose(track.center_world[:, 1], 0.0, atol=0.1)


def test_of_two_that_move_the_one_is_meant_whose_patches_have_its_name():
    one, other = (together([_seen_moving(at, np.array([0.5 * at, y, 0.5]), (0.3, 0.3, 0.3), half) for at in range(8)])[0] for y, half in ((0.0, 0), (3.0, 1)))  # fmt: skip
    said = votes([[9.0, 9.0, 0.5]] * 8)
    assert moving_named(said, "ball", moving=[one, other]) is one
    assert moving_named(said, "box", moving=[one, other]) is other
    assert moving_named(said, "dog", moving=[one, other]) is None
    assert moving_named(replace(said, grid_hw=None), "ball", moving=[one, other]) is None


def test_what_is_long_is_followed_with_all_of_its_parts():
    ends = [
        [_seen_moving(at, np.array([0.5 * at + x, 0.0, 1.5]), (2.4, 2.5, 3.0)) for at in range(first, 8)]
        for x, first in ((-4.5, 0), (4.5, 2))
    ]
    parts = [MovingThing(bodies=tuple(one)) for one in ends]
    whole = moving_named(_large(votes([[0.0, 0.0, 1.5]] * 8), (2.5, 10.0, 3.0)), "ball", moving=parts)
    assert whole is not None and [one.frame for one in whole.bodies] == list(range(8))
    assert np.ptp(whole.bodies[-1].points_world[:, 0]) == pytest.approx(11.4)
    assert np.ptp(whole.bodies[0].points_world[:, 0]) == pytest.approx(2.4)
    one = moving_named(_large(votes([[0.0, 0.0, 1.5]] * 8), (2.5, 2.5, 3.0)), "ball", moving=parts)
    assert one in parts  # of two that are small


@pytest.mark.parametrize(("step", "turned"), [(1.0, True), (0.02, False)])
def test_what_drives_stands_along_its_way_whatever_its_patches_say(step, turned):
    bodies = [_seen_moving(at, np.array([step * at, 0.0, 0.7]), (4.0, 1.8, 1.4)) for at in range(8)]
    said = replace(votes([[0.0, 0.0, 0.7]] * 8), categories=("car", "box"))
    box = boxes_of_moving(said, together(bodies)[0], "car", [7])[7]
    front = -box.world_from_box[:, 1]
    assert front == pytest.approx([1.0, 0.0, 0.0] if turned else [0.0, -1.0, 0.0], abs=0.05)


def test_what_moves_is_one_object_whose_votes_are_no_others():
    places = [np.array([1.0 * at, 0.0, 0.7]) for at in range(8)]
    said = _large(replace(votes(places), categories=("car", "box")), (1.8, 4.0, 1.4))
    bodies = [_seen_moving(at, place, (4.0, 1.8, 1.4)) for at, place in enumerate(places)]
    found, theirs = moving_found(said, together(bodies))
    (car,) = found
    assert car.category == "car" and car.frames == tuple(range(8)) and car.score > 0.7
    assert car.box.center_world[:2] == pytest.approx(places[-1][:2], abs=0.8) and car.front_world == pytest.approx(
        (1.0, 0.0), abs=0.05
    )
    assert np.array_equal(theirs, said.category[:, 0] > 0)
    assert moving_found(said, together(bodies[:2]))[0] == ()  # too few frames
    boxes = [_seen_moving(at, place, (4.0, 1.8, 1.4), 1) for at, place in enumerate(places)]
    assert moving_found(said, together(boxes))[0] == ()  # boxes do not go by themselves


CAR = (1.8, 4.0, 1.4)


def _parked():
    return _large(replace(votes([[0.0, 0.0, 0.7]] * 8), categories=("car", "box")), CAR)


def test_what_seems_to_move_at_an_edge_of_what_stands_is_not_it():
    said = _parked()
    slivers = [_seen_moving(at, np.array([2.0 + 0.01 * at, 0.0, 0.5]), (0.2, 0.2, 0.5)) for at in range(8)]
    narrow = [replace(one, seen_at=one.seen_at * [1.0, 0.08]) for one in slivers]  # one patch of its twelve
    assert moving_named(said, "car", moving=together(narrow)) is None
    assert moving_found(said, together(narrow))[0] == ()
    track = track_named(said, "car", moving=together(narrow))
    assert track is not None and np.abs(track.center_world[:, 0]).max() < 0.1


def test_who_walks_before_a_parked_car_is_not_the_car():
    said = _parked()
    walks = [_seen_moving(at, np.array([-1.5 + 0.4 * at, -1.5, 0.85]), (0.5, 0.3, 1.7)) for at in range(8)]
    assert moving_named(said, "car", moving=together(walks)) is None
    assert moving_found(said, together(walks))[0] == ()


def test_what_stopped_where_depth_shows_no_motion_any_more_stands_there():
    places = [np.array([min(1.0 * at, 4.0), 0.0, 0.7]) for at in range(8)]
    said = _large(replace(votes(places), categories=("car", "box")), CAR)
    bodies = [_seen_moving(at, place, (4.0, 1.8, 1.4)) for at, place in enumerate(places[:5])]
    track = track_named(said, "car", moving=together(bodies))
    assert track is not None and track.frame[-1] == 7
    assert track.center_world[-1][0] == pytest.approx(4.0, abs=0.3)


def test_patches_of_several_rows_show_what_is_in_theirs():
    said = replace(votes([[9.0, 9.0, 0.5]] * 8), grid_hw=(2, 12))  # the ball's row above, the box's below

    def seen(row):
        return [replace(_seen_moving(at, np.array([0.5 * at, 0.0, 0.5]), (0.3, 0.3, 0.3)), seen_at=np.tile([row, 0.5], (144, 1))) for at in range(8)]  # fmt: skip

    above, below = together(seen(0.25))[0], together(seen(0.75))[0]
    assert moving_named(said, "ball", moving=[above, below]) is above
    assert moving_named(said, "box", moving=[above, below]) is below


def test_a_parked_car_does_not_go_where_somebody_walks_before_it():
    said = _parked()
    half = said.category.copy()
    half[said.patch % 24 < 2, 0] = 0.5  # the patches that show who walks
    walks = [_seen_moving(at, np.array([-1.0 + 0.3 * at, -0.5, 0.85]), (0.4, 0.3, 1.7)) for at in range(8)]
    narrow = [replace(one, seen_at=one.seen_at * [1.0, 0.16]) for one in walks]
    track = track_named(replace(said, category=half), "car", moving=together(narrow))
    assert track is not None and not track.moved.any() and np.abs(track.center_world[:, 0]).max() < 0.1
