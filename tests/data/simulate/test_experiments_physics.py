"""Indoor experiments: every family stages, repeats itself, holds together, and ends in more than one way."""

import itertools
from functools import cache

import numpy as np
import pytest

pytest.importorskip("mujoco", reason="the simulator is not installed")

from video3d.data.questions.confusion import colors_clash, confused
from video3d.data.questions.events import falls_at_s
from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.experiments_all import EXPERIMENTS
from video3d.data.simulate.experiments_film import open_lab
from video3d.data.simulate.experiments_script import Hold, Path, script
from video3d.data.simulate.experiments_stack import tower_offsets
from video3d.data.simulate.experiments_table import flat_top
from video3d.data.simulate.primitives import primitive_assets
from video3d.data.simulate.rollout import Recorded, record, remove, supporters
from video3d.data.simulate.stage import RECORD_S, StageConfig, StagedClip, StagingFailed, nominal_start

FAMILIES = sorted(EXPERIMENTS)
_CONFIG = StageConfig()


@cache
def _library() -> AssetLibrary:
    return AssetLibrary(assets=primitive_assets(), furnished=False, digest="made")


@cache
def _staged(family: str, seed: int) -> StagedClip:
    for draw in range(20):
        try:
            return EXPERIMENTS[family](np.random.default_rng([seed, draw]), _library(), _CONFIG)
        except StagingFailed:
            continue
    raise AssertionError(f"{family} cannot be staged from seed {seed}")


@cache
def _recorded(family: str, seed: int, start: int = 0) -> Recorded:
    staged = _staged(family, seed)
    found = record(staged, staged.starts[start])
    assert found is not None, "the simulation blows up"
    return found


def _last(staged: StagedClip) -> int:
    return round(float(staged.times_s[-1]) / RECORD_S)


def _loose(staged: StagedClip) -> list[int]:
    return [
        i for i, placed in enumerate(staged.scene.objects) if placed.motion == "dynamic" and placed.kind == "experiment"
    ]


def _falls(family: str, seed: int) -> frozenset[str]:
    """Categories of what falls after the last frame shown."""
    staged, rollout = _staged(family, seed), _recorded(family, seed).rollout
    now, end = float(staged.times_s[-1]), float(rollout.times_s[-1])
    return frozenset(
        staged.scene.objects[i].category
        for i in _loose(staged)
        if falls_at_s(rollout, i, now, end, round_=staged.scene.objects[i].category == "ball") is not None
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_stages_from_any_seed(family: str) -> None:
    for seed in (0, 1):
        staged, rollout = _staged(family, seed), _recorded(family, seed).rollout
        ids = [placed.object_id for placed in staged.scene.objects]
        assert staged.scenario == family
        assert set(staged.must_see) | set(staged.removals) <= set(ids)
        assert staged.must_see
        assert len(staged.starts) == 5
        assert len(staged.times_s) == 16
        assert staged.end_s > staged.times_s[-1] + 1.0
        assert staged.room is not None
        places = rollout.world_from_object[:, _loose(staged)][..., :3, 3]
        assert places[..., 2].min() > 0.0, "something fell through the floor"
        assert places[..., 2].max() < 2.2, "something was thrown up"
        steps = np.linalg.norm(np.diff(places, axis=0), axis=2) / RECORD_S
        assert steps.max(initial=0.0) < 7.0, "something was shot away"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cause_is_seen_and_the_outcome_is_not(family: str) -> None:
    """In the last frames something moves, or has been let go, unless the scene is still."""
    moving = 0
    for seed in (0, 1):
        staged, rollout = _staged(family, seed), _recorded(family, seed).rollout
        at = _last(staged)
        last = rollout.world_from_object[at, :, :3, 3] - rollout.world_from_object[at - 2, :, :3, 3]
        moving += bool(np.linalg.norm(last, axis=1).max() / (2 * RECORD_S) > 0.08)
    assert moving == 0 if family == "support" else moving >= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_clip(family: str) -> None:
    first = _staged(family, 1)
    again = _staged.__wrapped__(family, 1)
    np.testing.assert_array_equal(first.scene.model.geom_size, again.scene.model.geom_size)
    np.testing.assert_array_equal(first.starts[3].qpos, again.starts[3].qpos)
    np.testing.assert_array_equal(first.starts[3].qvel, again.starts[3].qvel)
    np.testing.assert_array_equal(first.camera(first.times_s, 0.0), again.camera(again.times_s, 0.0))
    assert [p.color for p in first.scene.objects] == [p.color for p in again.scene.objects]
    found = record(again, again.starts[0])
    assert found is not None
    np.testing.assert_array_equal(_recorded(family, 1).rollout.world_from_object, found.rollout.world_from_object)


@pytest.mark.parametrize("family", ["overhang", "stack", "table_roll"])
def test_things_fall_in_some_clips_and_not_in_others(family: str) -> None:
    fates = [bool(_falls(family, seed)) for seed in range(7)]
    assert 1 <= sum(fates) <= 6, fates


def test_a_row_of_dominoes_falls_whole_or_in_part_or_not() -> None:
    ends = set()
    for seed in range(6):
        staged, rollout = _staged("dominoes", seed), _recorded("dominoes", seed).rollout
        now, end = float(staged.times_s[-1]), float(rollout.times_s[-1])
        row = [i for i, placed in enumerate(staged.scene.objects) if placed.category == "domino"]
        down = sum(falls_at_s(rollout, i, now, end) is not None for i in row)
        ends.add("whole" if down == len(row) else "part" if down else "none")
    assert len(ends) >= 2


def test_most_outcomes_survive_a_changed_start() -> None:
    same = 0
    families = ("overhang", "floor_roll", "collide")
    for family in families:
        staged = _staged(family, 0)
        fates = []
        for start in range(5):
            rollout = _recorded(family, 0, start).rollout
            now, end = float(staged.times_s[-1]), float(rollout.times_s[-1])
            fates.append(
                tuple(
                    falls_at_s(rollout, i, now, end, round_=staged.scene.objects[i].category == "ball") is None
                    for i in _loose(staged)
                )
            )
        same += len(set(fates)) == 1
    assert same >= len(families) - 1


def test_what_is_still_does_not_creep() -> None:
    for seed in (0, 1, 2):
        staged, rollout = _staged("support", seed), _recorded("support", seed).rollout
        at = _last(staged)
        places = rollout.world_from_object[[0, at]][:, _loose(staged)][..., :3, 3]
        assert np.linalg.norm(places[1] - places[0], axis=1).max() < 2e-3


def test_a_rolling_ball_does_not_sink_into_the_floor() -> None:
    staged, rollout = _staged("floor_roll", 0), _recorded("floor_roll", 0).rollout
    (ball,) = (i for i, placed in enumerate(staged.scene.objects) if placed.category == "ball")
    height = rollout.world_from_object[: _last(staged) + 1, ball, 2, 3]
    assert np.abs(height - staged.scene.objects[ball].size_m[2] / 2).max() < 2e-3


def test_what_is_taken_away_lets_others_fall() -> None:
    fallen = stayed = 0
    for seed in (0, 1, 2):
        staged = _staged("support", seed)
        for removed_id in staged.removals:
            found = remove(staged, (_recorded("support", seed),), removed_id, _last(staged))
            assert found is not None
            fallen, stayed = fallen + len(found.fallen_ids), stayed + len(found.stay_ids)
    assert fallen >= 3
    assert stayed >= 3


def test_supporters_are_what_things_stand_on() -> None:
    staged = _staged("overhang", 0)
    plank, block, table = (
        next(p.object_id for p in staged.scene.objects if p.category in names)
        for names in (("plank",), ("block",), ("table", "desk", "coffee table"))
    )
    standing = supporters(staged, _recorded("overhang", 0), 1)
    assert (standing[plank], standing[block], standing[table]) == (table, plank, 0)


def test_a_tower_stands_where_its_masses_lie_over_what_carries_them() -> None:
    halves, masses = np.full(4, 0.1), np.array([1.0, 2.0, 1.0, 3.0])
    for seed, fails in itertools.product(range(20), (None, 0, 1, 2)):
        places = tower_offsets(np.random.default_rng(seed), halves, masses, fails)
        for level in range(3):
            above = masses[level + 1 :] @ places[level + 1 :] / masses[level + 1 :].sum() - places[level]
            if level == fails:
                assert above > 0.1 * 1.1
            elif fails is None:
                assert abs(above) < 0.1


def test_a_held_thing_stays_until_it_is_let_go_and_a_path_is_followed() -> None:
    lab = open_lab(np.random.default_rng(0))
    held = lab.block(0.0, 0.0, 1.0, (0.1, 0.1, 0.1))
    pusher = lab.block(0.5, 0.0, 0.0, (0.1, 0.1, 0.1), motion="scripted")
    scene = lab.compile()
    path = Path(object_id=pusher, start_m=lab.at(0.5, 0.0), velocity_mps=lab.way(0.5, 0.0), begin_s=0.1, end_s=0.3)
    drive = script(scene, (Hold(object_id=held, until_s=0.4),), (path,))
    assert drive is not None
    staged = _staged("drop", 0)
    clip = StagedClip(
        scene=scene, domain="indoor", scenario="x", viewer="person", scene_id="x", starts=(nominal_start(scene),),
        times_s=np.array([0.0]), end_s=0.8, camera=staged.camera, k_px=staged.k_px, size_hw=(224, 224), drive=drive,
    )  # fmt: skip
    found = record(clip, clip.starts[0])
    assert found is not None
    height, place = found.rollout.world_from_object[:, 0, 2, 3], found.rollout.world_from_object[:, 1, :3, 3]
    assert abs(height[10] - 1.05) < 1e-4
    assert 1.05 - 0.5 * 9.81 * 0.4**2 - 0.03 < height[20] < 0.4
    np.testing.assert_allclose(np.linalg.norm(place[-1] - place[0]), 0.1, atol=1e-9)
    with pytest.raises(KeyError, match="not scripted"):
        script(scene, paths=(Path(object_id=held, start_m=(0.0, 0.0, 0.0), velocity_mps=np.zeros(3)),))


def test_colours_of_things_that_one_word_fits_do_not_clash() -> None:
    for seed in range(10):
        lab = open_lab(np.random.default_rng(seed))
        colors = [lab.color(category) for category in ("block", "plank", "ramp", "domino", "block")]
        assert not any(colors_clash(a, b) for a, b in itertools.combinations(colors, 2))


def test_nothing_in_the_room_may_be_taken_for_a_part_of_the_experiment() -> None:
    for family in ("overhang", "floor_roll"):
        objects = _staged(family, 0).scene.objects
        lab = {p.category for p in objects if p.kind == "experiment" and p.color is not None}
        around = [p for p in objects if p.kind != "experiment"]
        assert len(around) >= 3
        assert all(p.color is not None for p in around if any(confused(p.category, name) for name in lab))
    tables = [p for p in _staged("overhang", 0).scene.objects if confused(p.category, "table")]
    assert len(tables) == 1


def test_a_table_for_experiments_has_a_flat_top_with_corners() -> None:
    tables = _library().of("table", "desk")
    chosen = [asset for asset in tables if flat_top(asset)]
    assert len(chosen) > 0
    assert not any(flat_top(asset) for asset in _library().of("chair", "sofa", "lamp"))
