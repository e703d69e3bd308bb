"""The builder and what happens in it: truth that can be worked out by hand."""

import numpy as np
import pytest

from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.rollout import record, remove, supporters
from video3d.data.simulate.scene import Look, Surface
from video3d.data.simulate.stage import (
    CHANGE,
    RECORD_S,
    StagedClip,
    changed_starts,
    frame_times,
    intrinsics,
    look_at,
    nominal_start,
)

pytest.importorskip("mujoco", reason="needs MuJoCo (pip install '.[sim]')")


def camera(times_s, change):
    eye = np.column_stack([0.1 * (1 + change) * times_s, np.full(len(times_s), -3.0), np.full(len(times_s), 1.0)])
    return look_at(eye, np.tile([0.0, 0, 0.3], (len(times_s), 1)))


def staged(builder, velocities=None, drive=None, end_s=1.2, **more) -> StagedClip:
    scene = builder.compile()
    starts = changed_starts(scene, nominal_start(scene, velocities), np.random.default_rng(0))
    return StagedClip(
        scene=scene, domain="indoor", scenario="test", viewer="robot", scene_id="test", starts=starts, times_s=frame_times(4, 0.2),
        end_s=end_s, camera=camera, k_px=intrinsics((64, 64), 60.0), size_hw=(64, 64), drive=drive, **more,
    )  # fmt: skip


def floor() -> SceneBuilder:
    builder = SceneBuilder(timestep_s=0.002)
    builder.slab((0.0, 0.0, -0.05), (5.0, 5.0, 0.05), Look())
    return builder


def test_boxes_are_where_they_were_put():
    builder = floor()
    box = builder.box("block", (0.5, 0.2, 0.0), (0.4, 0.2, 0.6), Look(), yaw_rad=0.3, motion="static")
    ball = builder.ball((1.0, 0.0, 0.15), 0.15, Look(), motion="static")
    parts = np.array([[0, 0, 0.1, 0.5, 0.2, 0.1], [0.3, 0, 0.4, 0.2, 0.2, 0.2]])
    stair = builder.compound("stair", (0.0, 1.0, 0.0), parts, np.tile([1.0, 0, 0, 0], (2, 1)), Look())
    run = record(staged(builder), staged(builder).starts[0])
    poses = run.rollout.world_from_object[0]
    assert (box, ball, stair) == (1, 2, 3)
    assert np.allclose(poses[0, :3, 3], [0.5, 0.2, 0.3])
    assert np.allclose(poses[0, :2, 0], [np.cos(0.3), np.sin(0.3)])
    assert np.allclose(poses[1, :3, 3], [1.0, 0.0, 0.15])
    assert np.allclose(poses[2, :3, 3], [0.0, 1.0, 0.3])
    built = staged(builder).scene
    assert np.allclose(built.object(3).size_m, [1.0, 0.4, 0.6])
    assert set(built.geom_object.tolist()) == {0, 1, 2, 3}


def test_a_ball_that_falls_touches_the_floor_in_time():
    builder = floor()
    ball = builder.ball((0.0, 0.0, 1.1), 0.1, Look())
    clip = staged(builder)
    run = record(clip, clip.starts[0])
    contact = run.rollout.contacts[0]
    assert (contact.first_id, contact.second_id) == (ball, 0)
    assert contact.begin_s == pytest.approx(np.sqrt(2 * 1.0 / 9.81), abs=0.006)
    assert len(run.rollout.times_s) == round(1.2 / RECORD_S) + 1
    assert np.diff(run.rollout.times_s) == pytest.approx(RECORD_S)


def test_starts_change_by_two_percent_and_no_more():
    builder = floor()
    ball = builder.ball((0.0, 0.0, 0.1), 0.1, Look())
    clip = staged(builder, {ball: (1.0, 0.0, 0.0)})
    first, *others = clip.starts
    assert len(others) == 4
    for start in others:
        speed = np.linalg.norm(start.qvel[:2])
        assert abs(speed - 1.0) == pytest.approx(CHANGE, rel=1e-6)
        assert np.abs(start.qpos[:2] - first.qpos[:2]).max() <= CHANGE * 0.2 + 1e-12
        assert abs(start.change) == CHANGE


def test_what_stands_on_what():
    builder = floor()
    low = builder.box("block", (0.0, 0.0, 0.0), (0.3, 0.3, 0.3), Look(), surface=Surface(friction=0.8))
    high = builder.box("block", (0.05, 0.0, 0.3), (0.2, 0.2, 0.2), Look(), surface=Surface(friction=0.8))
    clip = staged(builder)
    runs = tuple(record(clip, start) for start in clip.starts)
    assert supporters(clip, runs[0], 15) == {low: 0, high: low}
    removal = remove(clip, runs, low, 15)
    assert removal.fallen_ids == (high,)
    assert removal.stay_ids == ()
    other = remove(clip, runs, high, 15)
    assert other.fallen_ids == ()
    assert other.stay_ids == (low,)


def test_scripts_move_what_is_scripted_and_push_the_rest():
    builder = floor()
    pusher = builder.box("block", (-0.6, 0.0, 0.0), (0.1, 0.4, 0.2), Look(), motion="scripted")
    block = builder.box("block", (0.0, 0.0, 0.0), (0.2, 0.2, 0.2), Look())

    def drive(model, data, time_s, change):
        data.mocap_pos[0, 0] = -0.6 + min(0.5 * (1 + change) * time_s, 0.8)

    clip = staged(builder, drive=drive, end_s=2.0)
    rollout = record(clip, clip.starts[0]).rollout
    assert rollout.world_from_object[-1, pusher - 1, 0, 3] == pytest.approx(0.2, abs=1e-3)
    # It is let go at 0.35 m with 0.5 m/s and slides v² / (2 mu g) = 2 cm on; it rides the pusher with a jitter of 5 mm.
    assert rollout.world_from_object[-1, block - 1, 0, 3] == pytest.approx(0.37, abs=0.025)
    assert any((c.first_id, c.second_id) == (block, pusher) for c in rollout.contacts)


def test_a_still_scene_costs_no_steps_and_moves_nothing():
    builder = floor()
    builder.box("block", (0.0, 0.0, 0.0), (0.2, 0.2, 0.2), Look(), motion="static")
    clip = staged(builder)
    rollout = record(clip, clip.starts[0]).rollout
    assert (rollout.world_from_object == rollout.world_from_object[0]).all()
    assert rollout.contacts == ()
    faster = record(clip, clip.starts[1]).rollout
    assert faster.world_from_camera[-1, 0, 3] == pytest.approx(0.12 * (1 + CHANGE))


def test_the_same_start_gives_the_same_rollout_to_the_bit():
    def run():
        builder = floor()
        for i in range(4):
            builder.box("block", (0.02 * i, 0.0, 0.2 * i), (0.2, 0.2, 0.2), Look())
        clip = staged(builder)
        return record(clip, clip.starts[2]).rollout.world_from_object

    assert np.array_equal(run(), run())
