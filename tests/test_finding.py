"""How questions find things by name: what is in motion has its front ahead, people are where depth shows them walk."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from video3d.answers.named_question import Mention
from video3d.finding import finders_in, things_in
from video3d.geometry.moving import Body
from video3d.geometry.moving_things import MovingThing, moving_things
from video3d.model.object_votes import ObjectVotes
from video3d.types import GeometryStatus, PosedClip, World

FRAMES = 8
CAR = Mention(said="car", category="car")


def _clip() -> PosedClip:
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])  # along +y
    poses[:, :3, 3] = [0.0, -10.0, 1.5]
    return PosedClip(
        frame_index=np.arange(FRAMES), time_s=np.arange(FRAMES) / 5, rgb=np.zeros((FRAMES, 24, 32, 3), np.uint8),
        depth_m=np.full((FRAMES, 24, 32), 20.0, np.float32), k_px=np.tile([[20.0, 0, 16], [0, 20, 12], [0, 0, 1]], (FRAMES, 1, 1)),
        world_from_camera=poses, piece=np.zeros(FRAMES, dtype=np.int64), world=World(metric=True, gravity_aligned=True, origin="floor"),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip


def _votes(places: np.ndarray) -> ObjectVotes:
    """Ten votes a frame for a car whose own x axis is believed to point along +x, so that its front is -y."""
    frame = np.repeat(np.arange(FRAMES), 10)
    draw = np.random.default_rng(0)
    return ObjectVotes(
        categories=("car",), colors=("red",), category=np.full((len(frame), 1), 0.9, np.float32), color=np.ones((len(frame), 1), np.float32),
        center_world=places[frame] + draw.normal(0, 0.05, (len(frame), 3)), size_m=np.tile([1.8, 4.2, 1.5], (len(frame), 1)),
        axis_world=np.tile([1.0, 0.0], (len(frame), 1)), scale_m=np.full(len(frame), 0.2), frame=frame, time_s=frame / 5,
        patch=20 * frame + np.arange(len(frame)) % 10, grid_hw=(1, 20),
    )  # fmt: skip


def _body(at: int, place: np.ndarray, size: tuple[float, float, float] = (4.2, 1.8, 1.5), half: int = 0) -> Body:
    """A side of what is so large, seen by patches of the left half of a frame, whose votes there are, or of the right."""
    side = (np.mgrid[-0.5:0.5:12j, 0:1, -0.5:0.5:12j].reshape(3, -1).T - [0.0, 0.5, 0.0]) * np.array(size)
    seen_at = np.stack([np.full(len(side), 0.5), half / 2 + np.linspace(0.0, 0.499, len(side))], 1)
    return Body(frame=at, points_world=side + place, eye_world=np.array([0.0, -10.0, 1.5]), seen_at=seen_at)


def _moving(bodies: Sequence[Body]) -> tuple[MovingThing, ...]:
    return moving_things(bodies, np.arange(FRAMES) / 5)


@pytest.mark.parametrize(("shown", "front"), [(True, (1.0, 0.0)), (False, (0.0, -1.0))])
def test_what_moves_has_its_front_ahead_as_far_as_depth_shows_that_it_moves(shown, front) -> None:
    places = np.array([[1.0 * at, 0.0, 0.75] for at in range(FRAMES)])
    bodies = tuple(_body(at, place) for at, place in enumerate(places)) if shown else ()
    find = finders_in(_votes(places), (), _clip(), _moving(bodies))
    for position in (2, FRAMES - 1):
        found = find.locate([CAR], position)[0]
        assert found is not None and found.front_world == pytest.approx(front, abs=0.1)
        assert found.box.center_world[0] == pytest.approx(places[position][0], abs=0.5)


def test_what_another_car_does_says_nothing_of_one_that_is_parked() -> None:
    parked = np.tile([0.0, 6.0, 0.75], (FRAMES, 1))
    passing = tuple(_body(at, np.array([1.0 * at, 0.0, 0.75]), half=1) for at in range(FRAMES))
    found = finders_in(_votes(parked), (), _clip(), _moving(passing)).locate([CAR], FRAMES - 1)[0]
    assert found is not None and found.front_world == pytest.approx((0.0, -1.0), abs=0.1)


def test_a_person_is_where_depth_shows_them_walk_and_faces_that_way() -> None:
    places = np.array([[0.3 * at, 0.0, 0.9] for at in range(FRAMES)])
    sizes = np.tile([0.6, 0.6, 1.9], (10 * FRAMES, 1))
    astray = replace(
        _votes(places + np.array([4.0, 3.0, 0.0])),
        categories=("person",),
        scale_m=np.full(10 * FRAMES, 2.0),
        size_m=sizes,
    )
    walks = tuple(_body(at, place, (0.4, 0.4, 1.6)) for at, place in enumerate(places))
    person = Mention(said="person", category="person")
    found = finders_in(astray, (), _clip(), _moving(walks)).locate([person], FRAMES - 1)[0]
    assert found is not None and found.box.center_world[:2] == pytest.approx(places[-1][:2], abs=0.1)
    assert found.box.size_m == pytest.approx([0.6, 0.6, 1.9]) and found.front_world == pytest.approx(
        (1.0, 0.0), abs=0.1
    )
    alone = finders_in(astray, (), _clip(), ()).locate([person], FRAMES - 1)[0]
    assert alone is not None and alone.box.center_world[1] == pytest.approx(3.0, abs=0.1)


def test_what_is_not_in_the_votes_is_not_found() -> None:
    find = finders_in(replace(_votes(np.zeros((FRAMES, 3))), categories=("bus",)), (), _clip(), ())
    assert find.locate([CAR], 0) == [None] and find.follow([CAR]) == [None]


@pytest.mark.parametrize("shown", [True, False])
def test_toys_that_drive_are_followed_where_depth_shows_that_something_moves(shown) -> None:
    places = np.array([[0.2 * at, 0.0, 0.15] for at in range(FRAMES)])
    votes = replace(_votes(places), categories=("toy car",), size_m=np.tile([0.15, 0.3, 0.15], (FRAMES * 10, 1)))
    bodies = tuple(_body(at, place) for at, place in enumerate(places)) if shown else ()
    toy = Mention(said="toy car", category="toy car")
    track = finders_in(votes, (), _clip(), _moving(bodies)).follow([toy])[0]
    assert (track is not None) == shown


def test_what_moves_is_counted_once_and_what_stands_as_before() -> None:
    places = np.array([[0.6 * at, 0.0, 0.75] for at in range(FRAMES)])
    bodies = [_body(at, place) for at, place in enumerate(places)]
    assert len(things_in(_votes(places))) > 1  # wherever its votes are for
    (car,) = things_in(_votes(places), _moving(bodies))
    assert car.category == "car" and car.box.center_world[0] == pytest.approx(places[-1][0], abs=0.5)
    parked = np.tile([0.0, 6.0, 0.75], (FRAMES, 1))
    waves = [_body(at, np.array([0.3, 6.0, 1.4]), (0.2, 0.2, 0.4)) for at in range(FRAMES)]
    edge = [replace(one, seen_at=one.seen_at * [1.0, 0.1]) for one in waves if one.seen_at is not None]
    (stands,) = things_in(_votes(parked), _moving(edge))
    assert stands.box.center_world == pytest.approx(parked[0], abs=0.1)


def test_a_long_thing_of_which_only_the_ends_seem_to_move_is_one() -> None:
    places = np.array([[0.5 * at, 0.0, 1.5] for at in range(FRAMES)])
    votes = replace(_votes(places), categories=("bus",), size_m=np.tile([2.5, 10.0, 3.0], (FRAMES * 10, 1)))
    ends = [_body(at, np.array([0.5 * at + x, 0.0, 1.5]), (2.4, 2.5, 3.0)) for x in (-3.8, 3.8) for at in range(FRAMES)]
    shown = [
        replace(one, seen_at=one.seen_at * [1.0, 0.4]) for one in ends if one.seen_at is not None
    ]  # four of its ten patches
    (bus,) = things_in(votes, _moving(shown))
    assert bus.category == "bus" and len(bus.frames) == FRAMES
