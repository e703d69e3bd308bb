"""Tours: the camera keeps clear, moves as people and robots do, with one intent, and the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.camera_paths import CLEAR_M, CameraPlanner, Kind, Shot, world_from_gaze
from video3d.data.simulate.floor_plan import Room, clearance
from video3d.data.simulate.furnish import furnish_room
from video3d.data.simulate.primitives import primitive_assets
from video3d.data.simulate.rollout import record
from video3d.data.simulate.stage import StageConfig, StagedClip, StagingFailed
from video3d.data.simulate.tours import stage_tour, stage_tour_mover

pytest.importorskip("mujoco", reason="MuJoCo is not installed")

KINDS: tuple[Kind, ...] = ("approach", "turn", "around", "slide", "route", "stand")


@pytest.fixture(scope="module")
def made_here() -> AssetLibrary:
    return AssetLibrary(assets=primitive_assets(), furnished=False, digest="made here")


def _stage(stage: object, library: AssetLibrary, seed: int) -> StagedClip:
    for attempt in range(12):
        try:
            return stage(np.random.default_rng([seed, attempt]), library, StageConfig())  # pyright: ignore[reportCallIssue]
        except StagingFailed:
            continue
    raise AssertionError(f"seed {seed} cannot be staged")


@pytest.fixture(scope="module")
def rooms(made_here: AssetLibrary) -> tuple[Room, ...]:
    return tuple(
        furnish_room(SceneBuilder(), np.random.default_rng([5, seed]), made_here, StageConfig(), size_m=(5.5, 4.6))
        for seed in range(4)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("viewer", ["person", "robot"])
def test_ways_keep_clear_and_are_smooth(rooms: tuple[Room, ...], kind: Kind, viewer: str) -> None:
    height = 1.5 if viewer == "person" else 0.6
    shot = Shot(viewer=viewer, height_m=height, shown_s=3.6, end_s=6.6)  # pyright: ignore[reportArgumentType]
    found = 0
    for seed, room in enumerate(rooms):
        targets = tuple(p for p in room.footprints if p.bottom_m < 0.3 and p.top_m > 0.3)
        planner = CameraPlanner(room, shot, np.random.default_rng(seed))
        for way in filter(None, (planner.draw(kind, targets) for _ in range(25))):
            found += 1
            assert float(clearance(room, way.eye_m[:, :2], 0.05, height).min()) >= CLEAR_M - 0.02
            step = np.diff(way.times_s)
            assert float((np.linalg.norm(np.diff(way.eye_m[:, :2], axis=0), axis=1) / step).max()) <= 1.2
            assert np.degrees(way.turn_rates().max()) <= 60.0
            poses = way.camera()(np.array([0.0, 3.0, 6.6]), 0.02)
            np.testing.assert_allclose(
                poses[:, :3, :3] @ np.swapaxes(poses[:, :3, :3], 1, 2), np.eye(3)[None].repeat(3, 0), atol=1e-9
            )
            assert np.degrees(np.arcsin(np.abs(poses[:, 2, 0]).max())) < 2.0  # level
            if kind == "turn":  # keeps turning the same way
                assert np.ptp(np.sign(np.diff(way.yaw_rad[::25]))) == 0
            if kind == "stand":
                assert np.ptp(way.eye_m[:, :2], axis=0).max() == 0.0
            break
    assert found >= 2


def test_a_change_only_runs_through_the_way_faster(made_here: AssetLibrary) -> None:
    camera = _stage(stage_tour, made_here, 0).camera
    times = np.array([0.0, 1.0, 2.5])
    np.testing.assert_allclose(camera(times, 0.02), camera(times * 1.02, 0.0), atol=1e-12)


def test_a_tour_is_staged_whole_and_the_same_for_a_seed(made_here: AssetLibrary) -> None:
    first, second = _stage(stage_tour, made_here, 2), _stage(stage_tour, made_here, 2)
    assert first.scene_id == second.scene_id and first.viewer == second.viewer
    assert [(p.category, p.asset_id) for p in first.scene.objects] == [
        (p.category, p.asset_id) for p in second.scene.objects
    ]
    one, two = record(first, first.starts[0]), record(second, second.starts[0])
    assert one is not None and two is not None
    np.testing.assert_array_equal(one.rollout.world_from_camera, two.rollout.world_from_camera)
    np.testing.assert_array_equal(one.rollout.world_from_object, two.rollout.world_from_object)
    assert first.room is not None and first.end_s >= first.times_s[-1] + 2.0
    assert [start.change for start in first.starts] == [0.0, 0.02, -0.02]
    ids = {p.object_id for p in first.scene.objects}
    assert set(first.supports) <= ids and set(first.supports.values()) <= ids | {0}
    eye = one.rollout.world_from_camera[:, :3, 3]
    assert (eye[:, 2] > 0.3).all() and (eye[:, 2] < first.room.height_m - 0.2).all()


def test_a_mover_drives_forward_over_the_floor(made_here: AssetLibrary) -> None:
    staged = _stage(stage_tour_mover, made_here, 1)
    mover = staged.must_see[0]
    slow, fast = (record(staged, staged.starts[k]) for k in (0, 1))
    assert slow is not None and fast is not None
    index = [p.object_id for p in staged.scene.objects].index(mover)
    path = slow.rollout.world_from_object[:, index]
    step = path[-1, :3, 3] - path[0, :3, 3]
    assert np.linalg.norm(step) > 0.5 and abs(step[2]) < 1e-6
    # Its front (-y) leads.
    assert -path[0, :3, 1] @ step / np.linalg.norm(step) == pytest.approx(1.0, abs=1e-6)
    early = int(1.0 / (slow.rollout.times_s[1] - slow.rollout.times_s[0]))
    gone, faster = (
        float(np.linalg.norm(r.rollout.world_from_object[early, index, :3, 3] - path[0, :3, 3])) for r in (slow, fast)
    )
    assert faster == pytest.approx(gone * 1.02, rel=5e-3)
    others = np.delete(slow.rollout.world_from_object, index, axis=1)
    np.testing.assert_array_equal(others[0], others[-1])


def test_a_clip_must_show_enough(made_here: AssetLibrary) -> None:
    bare = replace(made_here, assets=tuple(a for a in made_here.assets if a.category in ("door", "window")))
    with pytest.raises(StagingFailed):
        stage_tour(np.random.default_rng(0), bare, StageConfig())


def test_gaze_has_opencv_axes() -> None:
    pose = world_from_gaze(np.zeros((1, 3)), np.zeros(1), np.array([-0.2]), np.zeros(1))[0]
    np.testing.assert_allclose(pose[:3, 0], [0, -1, 0], atol=1e-12)  # right of +x is -y
    assert pose[2, 1] < -0.9 and pose[2, 2] < 0  # down is down, and it looks down
