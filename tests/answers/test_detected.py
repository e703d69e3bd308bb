"""What a detector sees and what patches vote for, as one list and one way to find by name."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painted_clips import LACKS, WALK, SeesPaint, at_x, painted, walk, without

from video3d.answers.detected import (
    ASKED,
    SURE_OF_IT,
    SURE_OF_MOVING,
    SURE_OF_PLACE,
    Detected,
    detect,
    joined,
    looked_at,
    together,
)
from video3d.answers.named import Finders
from video3d.answers.named_question import Mention
from video3d.answers.named_say import Located
from video3d.geometry.boxes import iou_3d
from video3d.geometry.lifted_boxes import LiftedThing
from video3d.types import Box3D, Detection
from video3d.types.track import Track
from video3d.vocabulary import BROADER, MOVING, category

# Looking


@pytest.mark.parametrize("lacks", LACKS)
@pytest.mark.parametrize("most", [2, 3, 4, 9])
def test_frames_that_are_looked_at_are_usable_and_spread_over_the_clip(lacks, most):
    clip = without(walk(), [0, 3], lacks)
    frames = looked_at(clip, most)
    assert len(frames) == min(most, 4) and frames == sorted(set(frames))
    assert {1, 5} <= set(frames) <= {1, 2, 4, 5}


def test_what_stays_is_one_thing_and_what_may_move_is_kept_frame_by_frame():
    seen = detect(SeesPaint(), ASKED, walk(), 0.0)
    [chair] = seen.things
    assert chair.found.label == "chair" and chair.frames == tuple(range(6))
    assert chair.found.box.center_world[0] == pytest.approx(at_x(70, 3.0), abs=0.1)
    assert chair.found.box.center_world[1] == pytest.approx(3.0, abs=0.1)
    assert chair.sure == pytest.approx(1 - 0.4**3) and chair.found.score == pytest.approx(0.6)
    assert [(one.label, one.frame) for one in seen.moving] == [("person", frame) for frame in range(6)]


@pytest.mark.parametrize("lacks", LACKS)
def test_frames_are_positions_in_the_clip_where_some_were_not_looked_at(lacks):
    detector = SeesPaint(most_frames=3)
    clip = without(walk(), [0, 5], lacks)
    seen = detect(detector, ASKED, clip, 0.0)
    frames = looked_at(clip, 3)
    assert detector.shown == [3] and frames[0] == 1 and frames[-1] == 4
    assert [one.frame for one in seen.moving] == frames
    assert seen.things[0].frames == tuple(frames)
    for frame in frames:
        person = seen.at(frame)[-1]
        assert person.found.box.center_world[0] == pytest.approx(at_x(WALK[frame], 4.0), abs=0.1)


def test_the_surest_of_what_stays_come_first():
    frames = [{"cup": (20, 3.0), "chair": (60, 3.0)}] + [{"chair": (60, 3.0)}] * 2
    seen = detect(SeesPaint(), ["cup", "chair"], painted(frames), 0.0)
    assert [one.found.label for one in seen.things] == ["chair", "cup"]
    assert [one.sure for one in seen.things] == [pytest.approx(1 - 0.4**3), pytest.approx(0.6)]


@pytest.mark.parametrize("lacks", LACKS)
def test_in_a_clip_without_usable_frames_nothing_is_looked_for(lacks):
    detector = SeesPaint()
    clip = without(walk(), range(6), lacks)
    assert looked_at(clip, 8) == []
    seen = detect(detector, ASKED, clip, 0.0)
    assert detector.shown == [] and seen.things == () and seen.moving == () and seen.at(3) == ()


def test_what_a_detector_may_be_asked_for_is_what_a_clip_may_show():
    assert {"chair", "person", "car", "cup", "armchair"} <= set(ASKED) and len(set(ASKED)) == len(ASKED)
    assert not {"floor", "ceiling"} & set(ASKED)
    assert [name for name in ASKED if category(name).kind == "experiment"] == ["ball"]


# As of a frame


@pytest.mark.parametrize("position", range(6))
def test_what_moves_is_where_the_nearest_frame_that_was_looked_at_has_it(position):
    clip = walk()
    seen = detect(SeesPaint(most_frames=3), ASKED, clip, 0.0)
    looked = looked_at(clip, 3)
    chair, person = seen.at(position)
    assert chair is seen.things[0]
    nearest = min(looked, key=lambda frame: abs(frame - position))
    assert person.frames == (nearest,) and person.sure == pytest.approx(0.6)
    assert person.found.box.center_world[0] == pytest.approx(at_x(WALK[nearest], 4.0), abs=0.1)
    assert person.found.score == pytest.approx(0.6)  # other frames, in which it is elsewhere, say nothing against it


def test_of_two_frames_as_near_the_earlier_counts():
    seen = detect(SeesPaint(most_frames=2), ASKED, painted([{"person": (20, 4.0)}, {}, {"person": (60, 4.0)}]), 0.0)
    [person] = seen.at(1)
    assert person.frames == (0,)


def test_where_the_nearest_frame_shows_nothing_that_moves_nothing_does():
    seen = detect(SeesPaint(), ASKED, painted([{"person": (20, 4.0)}, {"person": (30, 4.0)}, {}, {}]), 0.0)
    assert [len(seen.at(position)) for position in range(4)] == [1, 1, 0, 0]


def test_all_cameras_of_an_instant_count_for_it():
    frames = [{"person": (20, 4.0)}, {"car": (60, 5.0)}, {"person": (30, 4.0)}, {"car": (62, 5.0)}, {}]
    clip = replace(painted(frames), time_s=np.array([0.0, 0.01, 1.0, 1.01, 1.02]))
    assert looked_at(clip, 2) == [0, 2, 3, 4]
    seen = detect(SeesPaint(), ASKED, clip, 0.0)
    for position in range(5):
        first = 0 if position < 2 else 2
        found = {one.found.label: one.frames for one in seen.at(position)}
        assert found == {"person": (first,), "car": (first + 1,)}


def test_all_that_moves_in_one_frame_is_there_the_surest_first():
    clip = painted([{"person": (20, 4.0)}, {"person": (20, 4.0), "car": (60, 4.0)}])
    seen = detect(SeesPaint(), ["person", "car"], clip, 0.0)
    seen = replace(seen, seen=tuple(replace(one, score=0.9 if one.label == "car" else 0.5) for one in seen.seen))
    assert [one.found.label for one in seen.at(1)] == ["car", "person"]
    assert [one.found.label for one in seen.at(0)] == ["person"]


# One list


def box(x: float, size: float = 1.0) -> Box3D:
    """On the floor, at a place along x."""
    return Box3D(center_world=np.array([x, 3.0, size / 2]), size_m=np.full(3, size), world_from_box=np.eye(3))


def vote(label: str, x: float, score: float, size: float = 1.0) -> tuple[str, Located]:
    place = Located(box=box(x, size), score=score, frames=(0, 2), color=("red", 0.8), front_world=(0.0, 1.0))
    return label, place


def sight(label: str, x: float, sure: float, size: float = 1.0) -> LiftedThing:
    return LiftedThing(found=Detection(box=box(x, size), label=label, score=sure / 2), frames=(1, 3), sure=sure)


BELOW = SURE_OF_PLACE - 0.01


@pytest.mark.parametrize("score, sure", [(0.5, 0.95), (0.95, 0.9), (0.3, SURE_OF_IT)])
@pytest.mark.parametrize("label", ["chair", "armchair"])
def test_where_both_agree_the_box_and_name_are_voted_and_the_score_is_the_surers(score, sure, label):
    name, place = vote(label, 0.0, score)
    [(said, found)] = together([(name, place)], [sight("chair", 0.3, sure)])
    assert said == label and found == replace(place, score=max(score, sure)) and found.box is place.box


def test_names_agree_where_the_middles_are_near_and_boxes_share_little():
    thin = sight("chair", 0.1, 0.9, size=0.4)
    assert [name for name, _ in together([vote("armchair", 0.0, 0.5)], [thin])] == ["armchair"]
    other = sight("sofa", 0.1, 0.9, size=0.4)  # of another name it is a thing beside
    assert [name for name, _ in together([vote("armchair", 0.0, 0.5)], [other])] == ["sofa", "armchair"]


def test_two_sorts_of_a_thing_are_not_the_same_sort():
    found = together([vote("armchair", 0.0, 0.6)], [sight("office chair", 0.1, SURE_OF_PLACE)])
    assert [name for name, _ in found] == ["office chair"]


def test_of_two_voted_things_the_nearer_is_the_one_that_is_seen():
    voted = [vote("chair", 0.0, 0.6), vote("chair", 0.6, 0.5)]
    found = together(voted, [sight("chair", 0.5, 0.9)])
    assert [(place.box.center_world[0], place.score) for _, place in found] == [(0.6, 0.9), (0.0, 0.6)]


def test_what_is_surely_seen_is_nothing_else():
    seen = sight("sofa", 0.2, SURE_OF_PLACE)
    voted = [vote("chair", 0.0, 0.95), vote("bed", 0.3, 0.9), vote("bed", 5.0, 0.5)]
    found = dict(together(voted, [seen]))
    assert found.keys() == {"sofa", "bed"} and found["bed"].box.center_world[0] == 5.0
    assert found["sofa"] == Located(box=seen.found.box, score=SURE_OF_PLACE, frames=(1, 3))


def test_what_is_seen_unsurely_displaces_nothing_and_is_not_there_twice():
    voted = vote("chair", 0.0, 0.45)
    assert together([voted], [sight("sofa", 0.2, BELOW)]) == (voted,)


def test_what_is_seen_where_nothing_was_voted_is_there_if_it_is_sure_enough():
    voted = vote("chair", 0.0, 0.95)
    [first, second] = together([voted], [sight("sofa", 4.0, SURE_OF_IT)])
    assert first == voted and second[0] == "sofa" and second[1].score == SURE_OF_IT
    assert together([voted], [sight("sofa", 4.0, SURE_OF_IT - 0.01)]) == (voted,)
    assert together([vote("chair", 0.0, 0.1)], [sight("chair", 0.0, SURE_OF_IT - 0.01)])[0][1].score == 0.1
    assert together([voted], [sight("person", 4.0, SURE_OF_MOVING)])[1][0] == "person"
    assert together([voted], [sight("person", 4.0, SURE_OF_MOVING - 0.01)]) == (voted,)


NAMES = ("chair", "armchair", "office chair", "sofa", "table", "desk")
PLACE = st.tuples(st.sampled_from(NAMES), st.floats(-3, 3), st.floats(0, 1), st.floats(0.3, 1.5))


@settings(max_examples=60, deadline=None)
@given(st.lists(PLACE, max_size=6), st.lists(PLACE, max_size=6))
def test_the_surest_are_first_and_nothing_is_made_up(votes, sights):
    voted = [vote(*one) for one in votes]
    seen = sorted((sight(*one) for one in sights), key=lambda one: -one.sure)
    found = together(voted, seen)
    scores = [place.score for _, place in found]
    assert scores == sorted(scores, reverse=True)
    at = [id(place.box) for _, place in found]
    assert len(set(at)) == len(at)
    names = {id(place.box): name for name, place in voted} | {id(one.found.box): one.found.label for one in seen}
    assert all(names[id(place.box)] == name for name, place in found)
    assert len(found) <= len(voted) + sum(one.sure >= SURE_OF_IT for one in seen)
    displacing = [one for one in seen if one.sure >= SURE_OF_PLACE]
    for name, place in voted:
        others = [one.found for one in displacing if one.found.label != name]
        assert id(place.box) in at or any(iou_3d(one.box, place.box) > 0.25 for one in others)


# One way to find by name


TRACK = Track(frame=np.arange(3), time_s=np.arange(3.0), center_world=np.zeros((3, 3)), sigma_m=np.ones(3), moved=np.zeros(3, bool))  # fmt: skip


def by_votes(voted: Sequence[tuple[str, Located]]) -> Finders:
    """Finds the surest that is called so, whatever its colour."""

    def count(name):
        return tuple(one for one in voted if name in (None, one[0]))

    def locate(asked, position):
        return [next((place for name, place in voted if name == one.category), None) for one in asked]

    return Finders(locate, count, lambda asked: [TRACK for _ in asked])


def seen_in_room(*things: LiftedThing) -> Detected:
    return Detected(
        clip=walk(), looked=(), floor_z=0.0, things=tuple(sorted(things, key=lambda one: -one.sure)), seen=()
    )


def called(name: str, color: str | None = None) -> Mention:
    return Mention(said=f"{color or ''} {name}".strip(), category=name, color=color)


def one_place(voted: Sequence[tuple[str, Located]], things: Sequence[LiftedThing], asked: Mention) -> Located | None:
    [place] = joined(by_votes(voted), seen_in_room(*things)).locate([asked], 5)
    return place


COLOURED = pytest.mark.parametrize("asked", [called("chair"), called("chair", "red")], ids=["plain", "red"])


@COLOURED
@pytest.mark.parametrize("name", ["chair", "armchair"])
def test_a_thing_that_both_find_is_where_votes_have_it_and_as_sure_as_the_surer(asked, name):
    things = [sight(name, 0.2, 0.6), sight(name, 0.3, 0.9), sight("chair", 5.0, 0.99)]
    for score in (0.5, 0.95):
        voted = vote("chair", 0.0, score)
        assert one_place([voted], things, asked) == replace(voted[1], score=max(score, 0.9))


@COLOURED
def test_what_is_voted_where_something_else_is_surely_seen_is_not_there(asked):
    assert one_place([vote("chair", 0.0, 0.9)], [sight("sofa", 0.2, SURE_OF_PLACE)], asked) is None


@COLOURED
def test_what_is_voted_where_something_else_may_be_seen_stays(asked):
    voted = vote("chair", 0.0, 0.5)
    assert one_place([voted], [sight("sofa", 0.2, BELOW)], asked) is voted[1]
    assert one_place([voted], [sight("sofa", 2.0, 0.95)], asked) is voted[1]


def test_what_was_displaced_is_where_it_is_seen():
    seen = sight("chair", 4.0, 0.5)
    place = one_place([vote("chair", 0.0, 0.9)], [sight("sofa", 0.2, SURE_OF_PLACE), seen], called("chair"))
    assert place == Located(box=seen.found.box, score=0.5, frames=(1, 3))


def test_of_two_places_the_surely_seen_one_counts_unless_votes_are_surer():
    sure, unsure = sight("chair", 4.0, 0.9), sight("chair", 4.0, 0.75)
    voted = vote("chair", 0.0, 0.6)
    assert one_place([voted], [sure], called("chair")) == Located(box=sure.found.box, score=0.9, frames=(1, 3))
    assert one_place([voted], [unsure], called("chair")) is voted[1]
    voted = vote("chair", 0.0, 0.95)
    assert one_place([voted], [sure], called("chair")) is voted[1]


def test_which_of_several_is_the_red_one_only_votes_say():
    voted = vote("chair", 0.0, 0.4)
    assert one_place([voted], [sight("chair", 4.0, 0.99)], called("chair", "red")) is voted[1]
    assert one_place([], [sight("chair", 4.0, 0.99)], called("chair", "red")) is None


def test_where_nothing_was_voted_the_surest_that_is_seen_counts():
    things = [sight("chair", 4.0, 0.5), sight("armchair", 2.0, 0.7), sight("sofa", 0.0, 0.9)]
    place = one_place([], things, called("chair"))
    assert place == Located(box=things[1].found.box, score=0.7, frames=(1, 3))
    assert one_place([], things, called("table")) is None
    assert one_place([], things, called("office chair")).box is things[0].found.box  # an armchair is none


def test_several_names_are_answered_in_their_order():
    voted = [vote("chair", 0.0, 0.5)]
    things = [sight("sofa", 3.0, 0.9), sight("chair", 0.1, 0.6)]
    find = joined(by_votes(voted), seen_in_room(*things))
    sofa, none, chair = find.locate([called("sofa"), called("bed"), called("chair")], 0)
    assert sofa.box is things[0].found.box and none is None and chair == replace(voted[0][1], score=0.6)
    assert find.locate([], 0) == []


def test_what_moves_is_located_as_of_the_frame_and_counted_as_of_the_last():
    clip = walk()
    find = joined(by_votes([]), detect(SeesPaint(score=0.9), ASKED, clip, 0.0))
    for position, column in enumerate(WALK):
        person, chair = find.locate([called("person"), called("chair")], position)
        assert person.box.center_world[0] == pytest.approx(at_x(column, 4.0), abs=0.1)
        assert person.frames == (position,) and chair.frames == tuple(range(6))
    every = find.count(None)
    assert [name for name, _ in every] == ["chair", "person"]
    assert every[1][1].box.center_world[0] == pytest.approx(at_x(WALK[-1], 4.0), abs=0.1)
    assert len(find.count("person")) == 1


def test_chairs_are_counted_with_their_sorts_but_a_sort_alone():
    voted = [vote("armchair", 0.0, 0.7), vote("chair", 3.0, 0.6), vote("sofa", 6.0, 0.6)]
    seen = [sight("chair", 0.1, 0.9), sight("office chair", -3.0, 0.8), sight("chair", -6.0, 0.3)]
    find = joined(by_votes(voted), seen_in_room(*seen))
    assert [name for name, _ in find.count("chair")] == ["armchair", "office chair", "chair"]
    assert [place.score for _, place in find.count("chair")] == [0.9, 0.8, 0.6]
    for name in ("armchair", "office chair", "sofa"):
        assert [one for one, _ in find.count(name)] == [name]
    assert len(find.count(None)) == 4 and find.count("table") == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PLACE, max_size=6),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([None, "red"])), max_size=3),
    st.integers(0, 5),
)
def test_with_nothing_seen_all_is_as_votes_have_it(votes, names, position):
    voted = sorted((vote(*one) for one in votes), key=lambda one: -one[1].score)
    alone = by_votes(voted)
    nothing = detect(SeesPaint(), ["cup"], walk(), 0.0)
    find = joined(alone, nothing)
    asked = [called(*one) for one in names]
    pairs = zip(find.locate(asked, position), alone.locate(asked, position), strict=True)
    assert all(one is other for one, other in pairs)
    assert find.follow is alone.follow and find.follow(asked) == [TRACK] * len(asked)
    assert find.count(None) == alone.count(None)
    for name in NAMES:
        sorts = [other for other in NAMES if name in (other, BROADER.get(other))]
        assert find.count(name) == tuple(one for one in alone.count(None) if one[0] in sorts)
        assert len(sorts) > 1 or find.count(name) == alone.count(name)


@pytest.mark.parametrize("lacks", LACKS)
def test_without_usable_frames_all_is_as_votes_have_it(lacks):
    voted = [vote("chair", 0.0, 0.5)]
    find = joined(by_votes(voted), detect(SeesPaint(), ASKED, without(walk(), range(6), lacks), None))
    assert find.locate([called("chair"), called("person")], 5) == [voted[0][1], None]
    assert find.count(None) == tuple(voted)


def test_kinds_that_move_are_those_of_what_may_be_elsewhere():
    names = {one: category(one).kind for one in ("person", "car", "dog", "chair", "table", "cup")}
    assert {name for name, kind in names.items() if kind in MOVING} == {"person", "car", "dog"}
