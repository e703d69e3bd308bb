"""Cameras that watch, walk, turn and go around: what they promise, checked by dense sampling along the way."""

import numpy as np
import pytest

from video3d.data.simulate.camera_watch import orbit, scan, still, walk, watch
from video3d.data.simulate.floor_plan import Footprint, Room, clearance
from video3d.data.simulate.stage import StagingFailed, intrinsics
from video3d.data.truth import RoomTruth

SIZE = (168, 224)
K = intrinsics(SIZE, 75.0)
END_S = 6.0
TARGETS = np.array([[-0.3, 0.0, 0.85], [0.3, 0.1, 0.85], [0.0, 0.0, 1.1]])
TABLE = Footprint(object_id=1, center_m=(0.0, 0.0), half_m=(0.6, 0.4), yaw_rad=0.2, bottom_m=0.0, top_m=0.8)
CABINET = Footprint(object_id=2, center_m=(1.3, -0.2), half_m=(0.2, 0.9), yaw_rad=0.1, bottom_m=0.0, top_m=2.1)
CHAIR = Footprint(object_id=3, center_m=(-2.0, 1.4), half_m=(0.25, 0.25), yaw_rad=0.0, bottom_m=0.0, top_m=0.9)


def make_room(*things: Footprint) -> Room:
    """L-shaped, so that a wall can hide things too."""
    polygon = np.array([[-3.0, -2.5], [3.0, -2.5], [3.0, 0.8], [0.9, 0.8], [0.9, 2.5], [-3.0, 2.5]])
    truth = RoomTruth(floor_polygon_m=polygon, height_m=2.6)
    return Room(truth=truth, style="study", footprints=things, surfaces=(), supports={}, inside={})


def is_blocked(eye: np.ndarray, target: np.ndarray, room: Room, own: int) -> bool:
    """By steps of a centimetre, up to 5 cm before the target."""
    length = float(np.linalg.norm(target - eye))
    line = eye + (target - eye) / length * np.arange(0.0, length - 0.05, 0.01)[:, None]
    if (clearance(make_room(), line[:, :2], 0.0, 0.0) == 0).any():
        return True
    for thing in room.footprints:
        within = (thing.distance(line[:, :2]) == 0) & (line[:, 2] > thing.bottom_m) & (line[:, 2] < thing.top_m)
        if thing.object_id != own and within.any():
            return True
    return False


@pytest.mark.parametrize("motion", ["still", "orbit", "dolly"])
@pytest.mark.parametrize("viewer", ["person", "robot"])
def test_watch_sees_all_targets_all_the_time(motion, viewer):
    room = make_room(TABLE, CABINET, CHAIR)
    sides = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        camera = watch(rng, room, TARGETS, K, SIZE, END_S, motion=motion, viewer=viewer)
        for change in (0.0, 0.02, -0.02):
            poses = camera(np.linspace(0.0, END_S, 25), change)
            seen = (TARGETS - poses[:, None, :3, 3]) @ poses[:, :3, :3]
            px = (seen @ K.T)[..., :2] / seen[..., 2:]
            extent = np.array([SIZE[1], SIZE[0]])
            assert (seen[..., 2] > 0).all()
            assert (px > 0.075 * extent).all() and (px < 0.925 * extent).all()
            assert clearance(room, poses[:, :2, 3], 0.0, 1.6).min() > 0.28
            for eye in poses[::8, :3, 3]:
                assert not any(is_blocked(eye, target, room, own=0) for target in TARGETS), (seed, change)
        sides.add(int(np.sign(poses[0, 1, 3])))
        assert (1.39 < poses[0, 2, 3] < 1.71) if viewer == "person" else (0.29 < poses[0, 2, 3] < 1.21)
    assert len(sides) > 1, "not always from the same side"


def test_watch_looks_from_where_no_wall_is_between_and_far_enough_for_wide_targets():
    """In the arm of the L, on a low platform: what is nearest to it is behind the inner corner; and a wide row must fit in."""
    platform = Footprint(object_id=5, center_m=(-1.05, 1.7), half_m=(1.9, 0.75), yaw_rad=0.0, bottom_m=0.0, top_m=0.2)
    rooms = make_room(platform), make_room()
    corner, row = np.array([[0.5, 2.2, 0.6], [0.7, 2.0, 0.6]]), np.array([[-1.3, 0.0, 0.4], [1.3, 0.0, 0.4]])
    hidden_from = np.array([2.0, 0.2, 1.5])
    assert is_blocked(hidden_from, corner[1], make_room(), own=0)
    for seed in range(12):
        for room, targets in zip(rooms, (corner, row), strict=True):
            camera = watch(np.random.default_rng(seed), room, targets, K, SIZE, END_S, motion="dolly")
            poses = camera(np.linspace(0.0, END_S, 13), 0.02)
            seen = (targets - poses[:, None, :3, 3]) @ poses[:, :3, :3]
            px = (seen @ K.T)[..., :2] / seen[..., 2:]
            assert (px > 0.075 * np.array([224, 168])).all() and (px < 0.925 * np.array([224, 168])).all()
            assert not any(is_blocked(eye, t, room, own=0) for eye in poses[::6, :3, 3] for t in targets)


def test_watch_fails_where_a_ring_of_cabinets_hides_the_targets():
    ring = tuple(
        Footprint(
            object_id=9 + n,
            center_m=(float(0.6 * np.cos(a)), float(0.6 * np.sin(a))),
            half_m=(0.1, 0.35),
            yaw_rad=float(a),
            bottom_m=0.0,
            top_m=2.2,
        )
        for n, a in enumerate(np.linspace(0, 2 * np.pi, 9)[:-1])
    )
    with pytest.raises(StagingFailed, match="no free place"):
        watch(np.random.default_rng(0), make_room(*ring), TARGETS, K, SIZE, END_S)


def test_watch_fails_where_the_targets_are_too_far_apart():
    with pytest.raises(StagingFailed):
        watch(
            np.random.default_rng(0), make_room(), np.array([[-2.9, -2.4, 0.0], [2.9, 0.7, 2.5]]), K, SIZE, END_S,
            viewer="person",
        )  # fmt: skip


def test_still_holds_a_place_within_millimetres(rng):
    eye, target = np.array([0.0, -2.0, 1.5]), np.array([0.0, 0.0, 0.8])
    poses = still(rng, target, eye_m=eye)(np.linspace(0, 8, 200), 0.0)
    off = np.linalg.norm(poses[:, :3, 3] - eye, axis=1)
    assert 1e-4 < off.max() < 0.006
    seen = (target - poses[:, :3, 3]) @ np.eye(3)
    assert np.einsum("ni,ni->n", seen / np.linalg.norm(seen, axis=1, keepdims=True), poses[:, :3, 2]).min() > 1 - 1e-9


def test_orbit_keeps_its_distance_and_looks_at_its_target(rng):
    room = make_room(TABLE, CHAIR)
    target = np.array([0.0, 0.0, 0.9])
    camera = orbit(rng, room, target, 1.4, height_m=1.2, arc_rad=-0.7, end_s=END_S)
    poses = camera(np.linspace(0, END_S, 50), 0.0)
    reach = np.linalg.norm(poses[:, :2, 3], axis=1)
    assert np.abs(reach - 1.4).max() < 0.01
    direction = (target - poses[:, :3, 3]) / np.linalg.norm(target - poses[:, :3, 3], axis=1, keepdims=True)
    assert (direction * poses[:, :3, 2]).sum(1).min() > np.cos(np.radians(0.5))
    angle = np.unwrap(np.arctan2(poses[:, 1, 3], poses[:, 0, 3]))
    assert angle[-1] - angle[0] == pytest.approx(-0.7, abs=0.01), "negative is clockwise"
    assert clearance(room, poses[:, :2, 3], 0.0, 1.35).min() > 0.29
    with pytest.raises(StagingFailed, match="no free arc"):
        orbit(rng, make_room(TABLE, CABINET), target, 1.2, height_m=1.2, arc_rad=6.0, end_s=END_S)


@pytest.mark.parametrize(("make", "least_m", "least_turn"), [(walk, 0.3, 0.0), (scan, 0.0, 0.35)])
@pytest.mark.parametrize("viewer", ["person", "robot"])
def test_ways_are_clear_level_smooth_and_go_on(make, least_m, least_turn, viewer):
    room = make_room(TABLE, CABINET, CHAIR)
    for seed in range(4):
        camera = make(np.random.default_rng(seed), room, viewer=viewer, end_s=END_S, last_shown_s=3.0)
        times = np.arange(0.0, END_S, 0.02)
        poses = camera(times, 0.0)
        rotation = poses[:, :3, :3]
        assert np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3), atol=1e-9)
        assert np.allclose(np.linalg.det(rotation), 1.0)
        assert np.degrees(np.abs(np.arcsin(poses[:, 2, 0]))).max() < 1.5, "level, but for the hand"
        yaw = np.unwrap(np.arctan2(poses[:, 1, 2], poses[:, 0, 2]))
        assert np.degrees(np.abs(np.diff(yaw))).max() / 0.02 < 60.0
        assert clearance(room, poses[:, :2, 3], 0.05, float(poses[0, 2, 3])).min() > 0.29
        shown = times <= 3.0
        path = np.linalg.norm(np.diff(poses[shown, :2, 3], axis=0), axis=1)
        assert path.max() / 0.02 < 1.2 and path.sum() >= least_m
        turned, after = yaw[shown][-1] - yaw[0], yaw[-1] - yaw[shown][-1]
        assert abs(turned) >= least_turn
        if make is scan:
            assert np.sign(after) == np.sign(turned), "keeps turning the same way"


def test_the_same_generator_gives_the_same_camera_and_a_change_only_runs_faster():
    room, times = make_room(TABLE, CHAIR), np.linspace(0.0, END_S, 40)
    one, two = (walk(np.random.default_rng(3), room, viewer="person", end_s=END_S, last_shown_s=3.0) for _ in range(2))
    assert np.array_equal(one(times, 0.0), two(times, 0.0))
    assert np.array_equal(one(times, 0.0), one(times, 0.0)), "a pure function"
    assert np.allclose(one(times, 0.02), one(times * 1.02, 0.0))
