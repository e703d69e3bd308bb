from dataclasses import replace

import numpy as np
import pytest
from moving import END, LAST, asked, clip, line, mover, still_thing, touch
from scenes import as_row

from video3d.data.questions import events
from video3d.data.questions.movers import movers
from video3d.data.questions.physics import PHYSICS_GENERATORS
from video3d.data.questions.physics_contact import falls_off, first_to_floor, time_to, what_blocks, will_collide
from video3d.data.questions.physics_motion import comes_to_rest, direction, rest_place, speed, speed_order
from video3d.data.questions.physics_stability import falls_first, stability, topple_direction, topples
from video3d.data.questions.physics_support import ends_on, removal_falls, what_falls, what_supports
from video3d.data.truth import GROUND, WALL, Removal

HIT_S = 2.4


def furniture():
    return [
        still_thing(11, "chair", (1.6, 4.0, 0), (0.5, 0.5, 0.9)),
        still_thing(12, "sofa", (-1.5, 5.5, 0), (1.8, 0.8, 0.8)),
        still_thing(13, "floor lamp", (0.3, 6.0, 0), (0.4, 0.4, 1.6)),
    ]


def rolling(*, others=(), hits=True):
    """A red ball rolls to the right (+x) and hits the chair at 2.4 s, where it stops; or stops short of it."""
    stop = HIT_S if hits else 1.9
    path = line((-0.6, 4.0, 0.1), (0.75, 0, 0), stop)
    ball = mover(1, "ball", path, color="red")
    contacts = [touch(1, GROUND, 0.0), *([touch(1, 11, HIT_S)] if hits else [])]
    return clip([ball, *furniture()], {1: path}, contacts, others=others, room=(-3, 0, 3, 8, 2.5))


def flipped():
    """The same, but a changed start goes the other way."""
    away = line((-0.6, 4.0, 0.1), (-0.75, 0, 0))
    return rolling(others=[({1: away}, [touch(1, GROUND, 0.0)])])


def hidden(truth, object_id):
    """The clip with an object out of sight."""
    column = truth.index(object_id)
    px, share = truth.visible_px.copy(), truth.visible_share.copy()
    px[:, column], share[:, column] = 0, 0
    return replace(truth, visible_px=px, visible_share=share)


def option(candidate):
    return candidate.answer.options[candidate.answer.index]["en"]


def test_settled_answers_only_where_all_rollouts_agree():
    truth = rolling()
    assert events.settled(truth, lambda r: "same") == "same"
    assert events.settled(truth, lambda r: None) is None
    marks = iter([1.0, 1.1])
    assert events.settled(truth, lambda r: next(marks), tolerance=lambda t: 0.2) == 1.0
    marks = iter([1.0, 1.3])
    assert events.settled(truth, lambda r: next(marks), tolerance=lambda t: 0.2) is None
    assert events.settled(replace(truth, rollouts=()), lambda r: 1) is None


def test_direction_is_the_last_cameras():
    (first, *_) = asked(direction, rolling())
    assert option(first) == "to the right" and first.frame == "observer"
    assert asked(direction, flipped()) == []
    behind = rolling()
    # Seen from the other side the same motion goes to the left.
    from scenes import look_at

    poses = behind.world_from_camera.copy()
    poses[-1] = look_at((0.5, 8.0, 1.5), (0.5, 4.0, 0.2))
    (turned, *_) = asked(direction, replace(behind, world_from_camera=poses))
    assert option(turned) == "to the left"


def test_a_hidden_mover_or_one_at_rest_is_not_asked_about():
    truth = hidden(rolling(), 1)
    for generator in (direction, speed, comes_to_rest, rest_place, what_blocks, will_collide, time_to):
        assert asked(generator, truth) == [], generator.__name__
    path = line((0, 4, 0.1), (0, 0, 0))
    resting = clip([mover(1, "ball", path, color="red"), *furniture()], {1: path}, [touch(1, GROUND, 0.0)])
    assert asked(direction, resting) == [] and asked(speed, resting) == []


def test_speed_is_that_of_the_frames():
    (found,) = asked(speed, rolling())
    assert found.answer.value == pytest.approx(0.75, abs=0.06) and found.answer.unit == "m/s"


def test_speed_order():
    slow, fast = line((-0.6, 4.0, 0.1), (0.3, 0, 0)), line((-0.6, 5.0, 0.1), (0.75, 0, 0))
    balls = [mover(1, "ball", slow, color="red"), mover(2, "ball", fast, color="blue")]
    truth = clip([*balls, *furniture()], {1: slow, 2: fast})
    for seed in range(6):
        (found,) = asked(speed_order, truth, seed)
        assert option(found) == "the blue ball"
        assert found.object_ids[0 if found.answer_key == "first" else 1] == 2
    equal = line((-0.6, 5.0, 0.1), (0.32, 0, 0))
    balls[1] = mover(2, "ball", equal, color="blue")
    assert asked(speed_order, clip([*balls, *furniture()], {1: slow, 2: equal})) == []


def test_comes_to_rest():
    assert {c.answer_key for c in asked(comes_to_rest, rolling(hits=False))} == {"no"}
    path = line((-0.6, 4.0, 0.1), (0.4, 0, 0))
    going = clip([mover(1, "ball", path, color="red"), *furniture()], {1: path}, [touch(1, GROUND, 0.0)])
    assert {c.answer_key for c in asked(comes_to_rest, going)} == {"yes"}
    assert asked(comes_to_rest, rolling(hits=False, others=[({1: path}, [])])) == []


def test_rest_place():
    (found,) = asked(rest_place, rolling())
    assert option(found) == "the chair"
    assert asked(rest_place, flipped()) == []


def scripted(category, **more):
    """A thing that a script moves to the right across the room, as the ball in ``rolling``."""
    path = line((-0.6, 4.0, 0.1), (0.75, 0, 0))
    thing = mover(1, category, path, motion="scripted", **more)
    return clip([thing, *furniture()], {1: path}, [touch(1, GROUND, 0.0)], room=(-3, 0, 3, 8, 2.5))


ABOUT_MOVERS = (direction, speed, comes_to_rest, rest_place, what_blocks, will_collide, time_to)


def test_a_helper_of_an_experiment_is_not_asked_about():
    for truth in (scripted("plank"), scripted("cylinder"), scripted("block", color="red")):
        assert movers(truth) == ()
        for generator in (*ABOUT_MOVERS, topples, falls_off, ends_on, what_supports):
            assert not any(c.object_ids[0] == 1 for c in asked(generator, truth)), generator.__name__


@pytest.mark.parametrize(("category", "kind"), [("cat", "animal"), ("tricycle", "vehicle"), ("toy car", "prop")])
def test_what_walks_or_drives_indoors_is_asked_where_it_goes_and_not_what_it_hits(category, kind):
    truth = scripted(category, kind=kind)
    assert {c.answer_key for c in asked(direction, truth)} == {"right"} and len(asked(speed, truth)) == 1
    for generator in (what_blocks, will_collide, time_to):
        assert asked(generator, truth) == [], generator.__name__


def test_a_block_that_stays_is_a_place_to_rest_at_and_one_that_is_hit_is_not():
    path, still = line((-0.6, 4.0, 0.1), (0.75, 0, 0), HIT_S), line((1.5, 4.0, 0.1), (0, 0, 0))
    away = line((-1.6, 5.5, 0.1), (0, 0, 0))

    def pushed(t):
        return (1.5 + 0.3 * max(0.0, min(t, 3.0) - HIT_S), 4.0, 0.1)

    def with_blocks(first):
        blocks = [mover(2, "block", first, color="blue"), mover(3, "block", away, color="yellow")]
        return clip(
            [mover(1, "ball", path, color="red"), *blocks], {1: path, 2: first, 3: away}, [touch(1, GROUND, 0.0)]
        )

    (found,) = asked(rest_place, with_blocks(still))
    assert option(found) == "the blue block"
    assert {o["en"] for o in found.answer.options} == {"the blue block", "the yellow block"}
    assert asked(rest_place, with_blocks(pushed)) == []


def test_who_walks_does_not_come_to_rest_somewhere():
    ball = rolling()
    cat = replace(ball, objects=(replace(ball.objects[0], category="cat", kind="animal"), *ball.objects[1:]))
    assert len(asked(rest_place, ball)) == 1 and asked(rest_place, cat) == []


def test_what_blocks():
    (found,) = asked(what_blocks, rolling())
    assert option(found) == "the chair" and found.answer_key == "chair"
    assert "nothing" in [o["en"] for o in found.answer.options]
    (free,) = asked(what_blocks, rolling(hits=False))
    assert option(free) == "nothing"
    assert asked(what_blocks, flipped()) == []


def test_will_collide_yes_no_and_dropped():
    yes = {c.object_ids[1]: c.answer_key for c in asked(will_collide, rolling())}
    assert yes[11] == "yes"
    assert {c.object_ids[1]: c.answer_key for c in asked(will_collide, rolling(hits=False))}[11] == "no"
    assert 11 not in {c.object_ids[1] for c in asked(will_collide, flipped())}


def test_time_to_is_from_the_last_frame_and_settled():
    (found,) = asked(time_to, rolling())
    assert found.answer.value == pytest.approx(HIT_S - LAST, abs=0.051)
    path = line((-0.6, 4.0, 0.1), (0.75, 0, 0), HIT_S)
    late = rolling(others=[({1: path}, [touch(1, 11, HIT_S + 0.5)])])
    assert asked(time_to, late) == []


def table_clip(*, falls=True, others=()):
    """A ball rolls along a table to the right; it drops off its edge at 2.2 s, or stops at its middle."""
    table = still_thing(10, "table", (0, 4.0, 0), (1.6, 0.8, 0.75))

    def over(t):
        if t < 2.2 or not falls:
            return (-0.6 + 0.65 * min(t, 2.2 if falls else 1.6), 4.0, 0.85)
        return (0.83 + 0.3 * min(t - 2.2, 0.4), 4.0, max(0.1, 0.85 - 4.9 * (t - 2.2) ** 2))

    ball = mover(1, "ball", over, color="red", supported_by=10)
    contacts = [touch(1, 10, 0.0, 2.2), touch(1, GROUND, 2.6)] if falls else [touch(1, 10, 0.0)]
    return clip([ball, table, *furniture()], {1: over}, contacts, others=others)


def test_falls_off():
    (found,) = asked(falls_off, table_clip())
    assert found.answer_key == "yes" and found.object_ids == (1, 10)
    (stays,) = asked(falls_off, table_clip(falls=False))
    assert stays.answer_key == "no"
    stop = line((-0.6, 4.0, 0.85), (0.65, 0, 0), 1.6)
    assert asked(falls_off, table_clip(others=[({1: stop}, [touch(1, 10, 0.0)])])) == []


def test_ends_on():
    (found,) = asked(ends_on, table_clip())
    assert option(found) == "the floor" and "the table" in [o["en"] for o in found.answer.options]
    (stays,) = asked(ends_on, table_clip(falls=False))
    assert option(stays) == "the table"


def test_first_to_floor():
    def drop(begin, x):
        return lambda t: (x, 4.0, max(0.1, 1.6 - 4.9 * max(0.0, t - begin) ** 2))

    paths = {1: drop(1.0, -0.5), 2: drop(1.4, 0.5)}
    balls = [mover(i, "ball", paths[i], color=c, supported_by=None) for i, c in ((1, "red"), (2, "blue"))]
    truth = clip([*balls, *furniture()], paths, [touch(1, GROUND, 1.55), touch(2, GROUND, 1.95)])
    (found,) = asked(first_to_floor, truth)
    assert option(found) == "the red ball"
    again = clip([*balls, *furniture()], paths, [touch(1, GROUND, 1.95), touch(2, GROUND, 1.95)])
    assert asked(first_to_floor, again) == []


def fall(x, when, z=0.3):
    """A block at height z that tips over to +x at a time, over 0.4 s, and lies on the floor then."""

    def path(t):
        share = min(max((t - when) / 0.4, 0.0), 1.0)
        return (x + 0.4 * share, 4.0, z + (0.1 - z) * share, 90.0 * share)

    return path


def stack_clip(*, topples=True, others=()):
    stay = line((0, 4.0, 0.1), (0, 0, 0))
    top = fall(0.0, 2.0) if topples else line((0, 4.0, 0.3), (0, 0, 0))
    things = [
        mover(1, "block", stay, color="red"),
        mover(2, "block", top, color="blue", supported_by=1),
        *furniture(),
    ]
    return clip(things, {1: stay, 2: top}, [touch(1, GROUND, 0.0), touch(2, 1, 0.0)], others=others)


def test_stability():
    (stands,), (falls_,) = asked(stability, stack_clip(topples=False)), asked(stability, stack_clip())
    assert (stands.answer_key, falls_.answer_key) == ("yes", "no") and stands.object_ids == (1, 2)
    still = line((0, 4.0, 0.3), (0, 0, 0))
    assert asked(stability, stack_clip(others=[({2: still}, [])])) == []
    assert asked(stability, hidden(stack_clip(), 2)) == []


def test_topples_each_block_for_itself():
    assert {c.object_ids[0]: c.answer_key for c in asked(topples, stack_clip())} == {1: "no", 2: "yes"}


def test_a_lean_between_standing_and_fallen_is_not_asked():
    half = stack_clip()
    stay = line((0, 4.0, 0.1), (0, 0, 0))

    def leaning(t):
        return (0.0, 4.0, 0.3, 20.0 if t > 2.0 else 0.0)

    truth = clip(list(half.objects), {1: stay, 2: leaning})
    assert 2 not in {c.object_ids[0] for c in asked(topples, truth)}
    assert asked(stability, truth) == []


def test_topple_direction():
    (found,) = asked(topple_direction, stack_clip())
    assert option(found) == "to the right" and found.object_ids == (2,)
    other_way = fall(0.0, 2.0)
    flip = [({2: lambda t: (-other_way(t)[0], *other_way(t)[1:3], -other_way(t)[3])}, [])]
    assert asked(topple_direction, stack_clip(others=flip)) == []


def test_falls_first():
    paths = {1: fall(-0.5, 1.8), 2: fall(0.0, 2.2), 3: fall(0.5, 2.6)}
    colors = {1: "red", 2: "blue", 3: "yellow"}
    blocks = [mover(i, "domino", p, (0.24, 0.3, 0.6), color=colors[i]) for i, p in paths.items()]
    truth = clip([*blocks, *furniture()], paths)
    (found,) = asked(falls_first, truth)
    assert option(found) == "the red domino"
    together = paths | {2: fall(0.0, 1.82)}
    assert asked(falls_first, clip([*blocks, *furniture()], together)) == []


def test_removals():
    truth = replace(stack_clip(topples=False), removals=(Removal(removed_id=1, fallen_ids=(2,), stay_ids=(11, 12)),))
    (found,) = asked(what_falls, truth)
    assert option(found) == "the blue block"
    assert {c.object_ids[1]: c.answer_key for c in asked(removal_falls, truth)} == {2: "yes", 11: "no", 12: "no"}
    assert asked(what_falls, hidden(truth, 2)) == []


def test_what_supports():
    found = {c.object_ids[0]: option(c) for c in asked(what_supports, stack_clip(topples=False))}
    assert found[2] == "the red block" and found[1] == "the floor"


def test_the_wall_blocks_too():
    path = line((-0.6, 4.0, 0.1), (0.75, 0, 0), HIT_S)
    ball = mover(1, "ball", path, color="red")
    truth = clip(
        [ball, *furniture()], {1: path}, [touch(1, GROUND, 0.0), touch(1, WALL, HIT_S)], room=(-3, 0, 3, 8, 2.5)
    )
    (found,) = asked(what_blocks, truth)
    assert option(found) == "a wall" and found.answer_key == "wall"


def test_every_subtype_makes_valid_rows_of_its_own_in_both_languages():
    removal = (Removal(removed_id=1, fallen_ids=(2,), stay_ids=(11, 12)),)
    clips = [rolling(), table_clip(), replace(stack_clip(), removals=removal)]
    seen = {}
    for truth in clips:
        for generator in PHYSICS_GENERATORS:
            for found in asked(generator, truth):
                row = as_row(found, truth)
                assert row.type == "physics" and row.subtype == f"physics.{generator.__name__}"
                assert {"en", "zh"} <= row.question.keys() and "{" not in row.question["en"] + row.question["zh"]
                assert found.evidence_frames and found.answer_key and found.group
                seen[row.subtype] = seen.get(row.subtype, 0) + 1
    assert len(seen) >= 14, sorted(seen)


def test_the_same_seed_asks_the_same():
    assert asked(direction, rolling(), 3) == asked(direction, rolling(), 3)


def test_a_ball_that_rolls_has_not_fallen():
    path = line((-0.6, 4.0, 0.1), (0.75, 0, 0), HIT_S)

    def turning(t):
        return (*path(t), 200.0 * t)

    truth = clip([mover(1, "ball", turning, color="red"), *furniture()], {1: turning})
    rollout = truth.rollouts[0]
    assert events.falls(rollout, 0, LAST, END - 0.5, round_=True) is False
    assert events.falls(rollout, 0, LAST, END - 0.5) is True
    assert float(events.lean_deg(rollout, 0, LAST)[events.at(rollout, LAST)]) == pytest.approx(0.0, abs=1e-4)
    assert np.isclose(events.speed_mps(rollout, 0, LAST), 0.75, atol=1e-6)


def prop_clip(*, stirs_s: float):
    """A block on a table and a post beside it that is drawn away from some time on; the block drops at 2.2 s."""

    def drops(t):
        return (0.0, 4.0, 0.85) if t < 2.2 else (0.7, 4.0, max(0.1, 0.85 - 4.9 * (t - 2.2) ** 2))

    def away(t):
        return (0.5, 4.0, 0.4 - 0.3 * max(0.0, t - stirs_s))

    block = mover(1, "block", drops, color="red", supported_by=10)
    post = mover(2, "cylinder", away, (0.1, 0.1, 0.8), motion="scripted")
    table = still_thing(10, "table", (0, 4.0, 0), (0.8, 0.8, 0.75))
    contacts = [touch(1, 10, 0.0, 2.2), touch(1, GROUND, 2.6)]
    return clip([block, post, table, *furniture()], {1: drops, 2: away}, contacts)


def test_nothing_hangs_on_a_helper_that_nobody_saw_stir():
    seen, sudden = prop_clip(stirs_s=0.8), prop_clip(stirs_s=LAST)
    assert [c.answer_key for c in asked(falls_off, seen)] == ["yes"]
    for generator in (falls_off, topples, ends_on):
        assert asked(generator, sudden) == []
    assert asked(falls_off, prop_clip(stirs_s=END + 1)) != []  # it stays where it is: nothing to foresee
