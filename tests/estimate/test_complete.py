"""Geometry completion: every row of what may be missing, on a ray-cast room with exact truth.

Structure from motion is replaced by its own best possible answer: exact cameras and points, in an arbitrary frame and
unit. What is tested is what becomes of them.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from video3d.estimate import CameraEstimate, DepthEstimate, complete_geometry, missing_camera
from video3d.geometry.align import align_trajectories
from video3d.types import Clip, PosedClip, Recording, World

HW = (36, 48)
NUM_FRAMES = 20
ROOM_M = np.array([5.0, 4.0, 2.6])
K = np.array([[40.0, 0, 24], [0, 40, 18], [0, 0, 1]])
UP = np.array([0.0, 0.0, 1.0])


def look(eye: np.ndarray, yaw: float) -> np.ndarray:
    """Pose of an upright camera that looks along ``yaw``, a little down."""
    z = np.array([np.cos(yaw), np.sin(yaw), -0.15])
    z /= np.linalg.norm(z)
    x = np.cross(z, UP)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :4] = np.stack([x, np.cross(z, x), z, eye], axis=1)
    return pose


def walk() -> np.ndarray:
    s = np.linspace(0, 1, NUM_FRAMES)
    eyes = np.stack([1 + 2.5 * s, 1 + 1.2 * s**2, 1.4 + 0.1 * np.sin(9 * s)], axis=1)
    return np.stack([look(eye, yaw) for eye, yaw in zip(eyes, 0.2 + 1.5 * s, strict=True)])


def ray_cast(pose: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[0 : HW[0], 0 : HW[1]] + 0.5
    rays = np.stack([x, y, np.ones(HW)], axis=-1) @ np.linalg.inv(K).T @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        reach = (np.where(rays > 0, ROOM_M, 0) - pose[:3, 3]) / rays
    return np.where(rays == 0, np.inf, reach).min(axis=-1).astype(np.float32)


POSES = walk()
DEPTH = np.stack([ray_cast(pose) for pose in POSES])


def room(**changes: Any) -> Recording:
    def load_rgb(indices: Sequence[int]) -> np.ndarray:
        """Every frame is painted with its own number, by which a test's network recognises it."""
        return np.broadcast_to(np.array(indices, np.uint8)[:, None, None, None], (len(indices), *HW, 3)).copy()

    return replace(
        Recording(
            source=Path("room"),
            format="test",
            size_hw=HW,
            time_s=np.arange(NUM_FRAMES) * 0.1,
            frame_names=tuple(f"{i}.png" for i in range(NUM_FRAMES)),
            load_rgb=load_rgb,
            load_depth_m=lambda indices: DEPTH[list(indices)],
            depth_size_hw=HW,
            k_px=np.broadcast_to(K, (NUM_FRAMES, 3, 3)).copy(),
            world_from_camera=POSES.copy(),
            up_world=UP,
            world=World(metric=True, origin="corner of the room"),
        ),
        **changes,
    )


MISSING = {
    "depth": {"load_depth_m": None, "depth_size_hw": None},
    "poses": {"world_from_camera": None, "up_world": None, "world": World()},
    "intrinsics": {"k_px": None},
}


def clip_of(recording: Recording, frames: Sequence[int] = range(0, NUM_FRAMES, 3)) -> Clip:
    index = np.array(frames, dtype=np.int64)
    return Clip(
        recording=recording,
        frame_index=index,
        time_s=recording.time_s[index],
        rgb=recording.load_rgb(index.tolist()),
        depth_m=recording.load_depth_m(index.tolist()) if recording.load_depth_m else None,
        k_px=recording.k_px[index] if recording.k_px is not None else None,
        world_from_camera=recording.world_from_camera[index] if recording.world_from_camera is not None else None,
    )


def without(*names: str, **changes: Any) -> Clip:
    dropped = {key: value for name in names for key, value in MISSING[name].items()}
    return clip_of(room(**dropped, **changes))


UNIT = 0.37  # of the reconstruction: one metre is 1 / 0.37 of its units


def exact_estimate(
    used: Sequence[int] = range(NUM_FRAMES),
    pieces: Sequence[int] | None = None,
    points_each: int = 60,
    units: Sequence[float] = (UNIT, 2.1),
) -> CameraEstimate:
    """Truth at a similarity of its own for every piece; frames of piece -1 are not registered."""
    rng = np.random.default_rng(5)
    used_index = np.array(used, dtype=np.int64)
    piece = np.zeros(len(used_index), np.int64) if pieces is None else np.array(pieces, np.int64)
    poses = np.full((len(used_index), 4, 4), np.nan)
    frames, px, depth = [], [], []
    for number in range(int(piece.max()) + 1):
        own_from_world = look(rng.normal(size=3), rng.uniform(0, 6))
        for i in np.flatnonzero(piece == number):
            poses[i] = own_from_world @ POSES[used_index[i]]
            poses[i][:3, 3] /= units[number]
            row, column = rng.integers(0, HW[0], points_each), rng.integers(0, HW[1], points_each)
            frames.append(np.full(points_each, i))
            px.append(np.stack([column, row], axis=1) + 0.5)
            depth.append(DEPTH[used_index[i], row, column] / units[number])
    empty = not frames
    return CameraEstimate(
        frame_index=used_index,
        k_px=np.where((piece >= 0)[:, None, None], K, 777.0 * np.eye(3)),  # of the others, a starting value
        world_from_camera=poses,
        piece=piece,
        observation_frame=np.zeros(0, np.int64) if empty else np.concatenate(frames).astype(np.int64),
        observation_px=np.zeros((0, 2), np.float32) if empty else np.concatenate(px).astype(np.float32),
        observation_depth=np.zeros(0, np.float32) if empty else np.concatenate(depth).astype(np.float32),
        reprojection_px=np.nan if empty else 0.4,
        notes=("structure from motion says a word",),
    )


FAILED = exact_estimate(pieces=[-1] * NUM_FRAMES)

Calibrate = Callable[[CameraEstimate | None], list[dict[str, Any]]]


@pytest.fixture
def calibrate(monkeypatch: pytest.MonkeyPatch) -> Calibrate:
    """Let structure from motion answer so (None: it must not be asked); returns the questions it got."""

    def install(answer: CameraEstimate | None) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def estimate_camera(recording: Recording, **options: Any) -> CameraEstimate:
            assert answer is not None, "structure from motion ran although nothing is missing"
            asked.append({"recording": recording, **options})
            return answer

        monkeypatch.setitem(sys.modules, "video3d.estimate.camera", SimpleNamespace(estimate_camera=estimate_camera))
        return asked

    return install


class PerfectNetwork:
    """Knows the room's depth and tells it as a network of a kind would."""

    def __init__(self, kind: str, *, factor: float = 1.0, focal_px: float | None = None) -> None:
        self.name, self.licence, self.kind, self.factor, self.focal_px = (
            f"perfect {kind}",
            "none",
            kind,
            factor,
            focal_px,
        )
        self.metric = kind == "metric_depth"
        self.k_seen: np.ndarray | None = None

    def __call__(self, rgb: np.ndarray, k_px: np.ndarray | None = None) -> DepthEstimate:
        self.k_seen = k_px
        frames = rgb[:, 0, 0, 0].astype(int)
        values = self.factor * DEPTH[frames]
        if self.kind == "inverse_depth":  # another scale and shift in every frame
            wobble = (0.5 + 0.1 * (frames % 4))[:, None, None]
            values = (1 / DEPTH[frames] - 0.03 * wobble) / wobble
        focal = None if self.focal_px is None else np.full(len(rgb), self.focal_px)
        return DepthEstimate(values=values.astype(np.float32), kind=self.kind, focal_px=focal)


def statuses(posed: PosedClip) -> tuple[str, ...]:
    s = posed.status
    return s.depth, s.intrinsics, s.poses, s.scale, s.gravity


def notes(posed: PosedClip) -> str:
    return "\n".join(posed.status.notes)


def assert_same_path(posed: PosedClip, *, with_scale: bool) -> float:
    error = align_trajectories(POSES[posed.frame_index], posed.world_from_camera, with_scale=with_scale)
    assert error.num_compared == posed.num_frames
    assert error.position_max < 1e-3
    assert error.rotation_max_deg < 1e-3
    return error.scale


# Nothing missing


def test_what_is_measured_passes_through_unaltered(calibrate: Calibrate) -> None:
    calibrate(None)
    clip = clip_of(room())
    posed = complete_geometry(clip, depth_estimator=PerfectNetwork("metric_depth"))
    assert statuses(posed) == ("measured",) * 5
    assert posed.depth_m is clip.depth_m
    assert posed.k_px is clip.k_px
    assert posed.world_from_camera is clip.world_from_camera
    assert posed.world == clip.recording.world
    assert posed.up_world is UP
    assert (posed.piece == 0).all()
    assert posed.status.notes == ()


def test_few_frames_without_a_pose_stay_without(calibrate: Calibrate) -> None:
    calibrate(None)
    some = POSES.copy()
    some[[3, 9]] = np.nan
    posed = complete_geometry(clip_of(room(world_from_camera=some)))
    assert np.isnan(posed.world_from_camera[[1, 3]]).all()
    assert posed.piece.tolist() == [0, -1, 0, -1, 0, 0, 0]
    assert posed.status.poses == "measured"
    assert "none for 2 of 7 frames; they stay unknown" in notes(posed)


def test_gravity_is_measured_only_if_somebody_measured_it(calibrate: Calibrate) -> None:
    calibrate(None)
    assert complete_geometry(clip_of(room(up_world=None))).status.gravity == "unknown"
    aligned = room(up_world=None, world=World(metric=True, gravity_aligned=True, origin="floor"))
    assert complete_geometry(clip_of(aligned)).status.gravity == "measured"


def test_poses_without_metres_are_told_as_such(calibrate: Calibrate) -> None:
    calibrate(None)
    posed = complete_geometry(clip_of(room(world=World(origin="somewhere"))))
    assert posed.status.scale == "unknown"
    assert not posed.world.metric
    assert "does not say that its poses are in metres" in notes(posed)


# Poses missing


def test_measured_depth_makes_the_estimated_path_metric(calibrate: Calibrate) -> None:
    asked = calibrate(exact_estimate())
    clip = without("poses")
    posed = complete_geometry(clip, camera=missing_camera(clip.recording, timeout_s=33.0, seed=4))
    assert statuses(posed) == ("measured", "measured", "estimated", "measured", "unknown")
    assert posed.world == World(metric=True, gravity_aligned=False, origin="camera of frame 0")
    assert posed.up_world is None
    assert posed.depth_m is clip.depth_m
    assert_same_path(posed, with_scale=False)
    assert posed.path is not None
    np.testing.assert_allclose(posed.path.world_from_camera[posed.frame_index], posed.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(posed.world_from_camera[0], np.eye(4), atol=1e-9)
    assert "from measured depth at 1200 reconstructed points of 20 frames" in notes(posed)
    assert "registered 20 of 20 frames" in notes(posed)
    assert "structure from motion says a word" in notes(posed)
    assert len(asked) == 1
    np.testing.assert_array_equal(asked[0]["k_px"], clip.recording.k_px)
    assert (asked[0]["timeout_s"], asked[0]["seed"]) == (33, 4)


def test_unknown_depth_and_outliers_do_not_move_the_scale(calibrate: Calibrate, rng: np.random.Generator) -> None:
    exact = exact_estimate()
    wrong = rng.random(len(exact.observation_depth)) < 0.25
    noisy = exact.observation_depth * np.where(wrong, 3.0, np.exp(rng.normal(0, 0.02, len(wrong)))).astype(np.float32)
    calibrate(replace(exact, observation_depth=noisy))
    holes = DEPTH.copy()
    holes[rng.random(DEPTH.shape) < 0.6] = np.nan
    posed = complete_geometry(without("poses", load_depth_m=lambda i: holes[list(i)]))
    error = align_trajectories(POSES[posed.frame_index], posed.world_from_camera)
    assert error.scale == pytest.approx(1, abs=0.01)


def test_depth_of_another_size_gives_the_same_scale(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    half = without("poses", load_depth_m=lambda i: DEPTH[list(i)][:, ::2, ::2], depth_size_hw=(HW[0] // 2, HW[1] // 2))
    error = align_trajectories(POSES[half.frame_index], complete_geometry(half).world_from_camera)
    assert error.scale == pytest.approx(1, abs=0.02)


def test_a_path_that_contradicts_measured_depth_is_left_out(calibrate: Calibrate, rng: np.random.Generator) -> None:
    exact = exact_estimate()
    nonsense = exact.observation_depth * np.exp(rng.normal(0, 1.5, NUM_FRAMES))[exact.observation_frame]
    calibrate(replace(exact, observation_depth=nonsense.astype(np.float32)))
    posed = complete_geometry(without("poses"))
    assert statuses(posed) == ("measured", "measured", "unknown", "measured", "unknown")
    assert np.isnan(posed.world_from_camera).all()
    assert (posed.piece == -1).all()
    assert posed.world.metric  # depth is in metres all the same
    assert "the estimated camera path is left out" in notes(posed)


def test_intrinsics_come_along_with_the_poses(calibrate: Calibrate) -> None:
    asked = calibrate(exact_estimate())
    posed = complete_geometry(without("poses", "intrinsics"))
    assert statuses(posed) == ("measured", "estimated", "estimated", "measured", "unknown")
    np.testing.assert_allclose(posed.k_px, np.broadcast_to(K, (7, 3, 3)))
    assert_same_path(posed, with_scale=False)
    assert asked[0]["k_px"] is None
    assert "focal length 40 px" in notes(posed)


# Depth and poses missing: pixels alone


@pytest.mark.parametrize("names", [("depth", "poses"), ("depth", "poses", "intrinsics")])
def test_pixels_alone_give_a_path_and_sparse_depth_in_one_unknown_unit(calibrate: Calibrate, names: tuple) -> None:
    calibrate(exact_estimate())
    posed = complete_geometry(without(*names))
    intrinsics = "estimated" if "intrinsics" in names else "measured"
    assert statuses(posed) == ("estimated", intrinsics, "estimated", "unknown", "unknown")
    assert not posed.world.metric
    scale = assert_same_path(posed, with_scale=True)
    assert scale == pytest.approx(UNIT)
    seen = np.isfinite(posed.depth_m)
    assert 0.01 < seen.mean() < 0.1
    np.testing.assert_allclose(posed.depth_m[seen] * scale, DEPTH[posed.frame_index][seen], rtol=1e-5)
    assert "sparse" in notes(posed)
    assert "right up to one factor" in notes(posed)


def test_a_metric_network_gives_metres_and_says_that_it_is_an_estimate(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    network = PerfectNetwork("metric_depth")
    posed = complete_geometry(without("depth", "poses"), depth_estimator=network)
    assert statuses(posed) == ("estimated", "measured", "estimated", "estimated", "unknown")
    assert posed.world.metric
    assert_same_path(posed, with_scale=False)
    np.testing.assert_allclose(posed.depth_m, DEPTH[posed.frame_index], rtol=1e-3)
    np.testing.assert_array_equal(network.k_seen, np.broadcast_to(K, (7, 3, 3)))
    assert "from the depth network at 420 reconstructed points of 7 frames" in notes(posed)
    assert "7 aligned to their own points; median error at the points 0.0 %" in notes(posed)


def test_a_network_of_the_midas_kind_gives_dense_depth_in_the_unit_of_the_path(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    posed = complete_geometry(without("depth", "poses", "intrinsics"), depth_estimator=PerfectNetwork("inverse_depth"))
    assert statuses(posed) == ("estimated", "estimated", "estimated", "unknown", "unknown")
    scale = assert_same_path(posed, with_scale=True)
    np.testing.assert_allclose(posed.depth_m * scale, DEPTH[posed.frame_index], rtol=2e-3)


def test_a_metric_network_that_contradicts_the_path_does_not_scale_it(
    calibrate: Calibrate, rng: np.random.Generator
) -> None:
    exact = exact_estimate()
    drifting = exact.observation_depth * np.exp(rng.normal(0, 1.0, NUM_FRAMES))[exact.observation_frame]
    calibrate(replace(exact, observation_depth=drifting.astype(np.float32)))
    posed = complete_geometry(without("depth", "poses"), depth_estimator=PerfectNetwork("metric_depth"))
    assert statuses(posed) == ("estimated", "measured", "estimated", "unknown", "unknown")
    assert not posed.world.metric
    assert assert_same_path(posed, with_scale=True) == pytest.approx(UNIT)


# Depth missing


def test_given_poses_bring_the_reconstructed_points_to_metres(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    clip = without("depth")
    posed = complete_geometry(clip)
    assert statuses(posed) == ("estimated", "measured", "measured", "measured", "measured")
    assert posed.world_from_camera is clip.world_from_camera
    assert posed.world == clip.recording.world
    seen = np.isfinite(posed.depth_m)
    assert seen.any(axis=(1, 2)).all()
    np.testing.assert_allclose(posed.depth_m[seen], DEPTH[posed.frame_index][seen], rtol=1e-4)


@pytest.mark.parametrize("network", [PerfectNetwork("inverse_depth"), PerfectNetwork("metric_depth", factor=1.3)])
def test_a_network_is_brought_to_the_unit_of_the_given_poses(calibrate: Calibrate, network: PerfectNetwork) -> None:
    calibrate(exact_estimate())
    posed = complete_geometry(without("depth"), depth_estimator=network)
    assert statuses(posed) == ("estimated", "measured", "measured", "measured", "measured")
    np.testing.assert_allclose(posed.depth_m, DEPTH[posed.frame_index], rtol=2e-3)


def test_poses_of_an_unknown_unit_keep_it_whatever_a_network_says(calibrate: Calibrate) -> None:
    calibrate(exact_estimate(used=range(0, NUM_FRAMES, 2)))
    scaled = POSES.copy()
    scaled[:, :3, 3] *= 7
    # Photos: those that were not used have neither points nor neighbours, and follow the factor of the others.
    clip = without("depth", world_from_camera=scaled, world=World(origin="a corner"), sequence=False)
    posed = complete_geometry(clip, depth_estimator=PerfectNetwork("metric_depth"))
    assert posed.status.scale == "unknown"
    assert posed.world_from_camera is clip.world_from_camera
    np.testing.assert_allclose(posed.depth_m, 7 * DEPTH[posed.frame_index], rtol=2e-3)


def test_metres_are_not_mixed_with_poses_of_an_unknown_unit(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    posed = complete_geometry(
        without("depth", world=World(origin="a corner")), depth_estimator=PerfectNetwork("metric_depth")
    )
    assert posed.status.depth == "unknown"
    assert np.isnan(posed.depth_m).all()


def test_points_that_do_not_fit_the_given_poses_are_not_used(calibrate: Calibrate, rng: np.random.Generator) -> None:
    exact = exact_estimate()
    elsewhere = exact.world_from_camera.copy()
    elsewhere[:, :3, 3] += rng.normal(0, 5, (NUM_FRAMES, 3))
    calibrate(replace(exact, world_from_camera=elsewhere))
    posed = complete_geometry(without("depth"))
    assert posed.status.depth == "unknown"
    assert np.isnan(posed.depth_m).all()
    assert "does not fit the recording's poses" in notes(posed)
    with_network = complete_geometry(without("depth"), depth_estimator=PerfectNetwork("metric_depth", factor=1.1))
    np.testing.assert_allclose(with_network.depth_m, 1.1 * DEPTH[posed.frame_index], rtol=1e-5)
    assert "not aligned to points" in notes(with_network)


def test_one_wrongly_registered_frame_does_not_bend_the_scale(calibrate: Calibrate) -> None:
    exact = exact_estimate()
    wrong = exact.world_from_camera.copy()
    wrong[11, :3, 3] += [3, -2, 2]
    calibrate(replace(exact, world_from_camera=wrong))
    posed = complete_geometry(without("depth"))
    seen = np.isfinite(posed.depth_m)
    assert seen.any()
    np.testing.assert_allclose(posed.depth_m[seen], DEPTH[posed.frame_index][seen], rtol=1e-3)


# Intrinsics missing


@pytest.mark.parametrize("names", [("intrinsics",), ("intrinsics", "depth")])
def test_intrinsics_alone_come_from_structure_from_motion(calibrate: Calibrate, names: tuple) -> None:
    calibrate(exact_estimate(pieces=[0] * 12 + [-1] * 8))
    posed = complete_geometry(without(*names))
    assert posed.status.intrinsics == "estimated"
    assert posed.status.poses == "measured"
    np.testing.assert_allclose(posed.k_px, np.broadcast_to(K, (7, 3, 3)))  # one camera: also of unregistered frames


def test_a_photo_that_was_not_registered_has_no_intrinsics(calibrate: Calibrate) -> None:
    calibrate(exact_estimate(pieces=[0] * 12 + [-1] * 8))
    posed = complete_geometry(without("intrinsics", sequence=False))
    assert np.isfinite(posed.k_px).all(axis=(1, 2)).tolist() == [True] * 4 + [False] * 3
    assert "for 4 of 7 frames" in notes(posed)


def test_unknown_intrinsics_are_never_guessed(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    posed = complete_geometry(without("intrinsics"))
    assert statuses(posed) == ("measured", "unknown", "measured", "measured", "measured")
    assert np.isnan(posed.k_px).all()
    assert "no pixel can be placed in 3D" in notes(posed)


def test_a_network_that_tells_the_focal_length_is_asked_last(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    pro = PerfectNetwork("metric_depth", focal_px=41.0)
    posed = complete_geometry(without("intrinsics"), depth_estimator=pro)
    assert posed.status.intrinsics == "estimated"
    np.testing.assert_allclose(posed.k_px[3], [[41, 0, 24], [0, 41, 18], [0, 0, 1]])
    np.testing.assert_array_equal(posed.depth_m, DEPTH[posed.frame_index])  # measured depth stays
    assert pro.k_seen is None
    assert "focal length 41 px, estimated by perfect metric_depth" in notes(posed)


def test_measured_intrinsics_win_over_a_network(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    clip = without("depth")
    posed = complete_geometry(clip, depth_estimator=PerfectNetwork("metric_depth", focal_px=99.0))
    assert posed.k_px is clip.k_px


def test_intrinsics_that_the_clip_does_not_know_are_not_given_to_calibration(calibrate: Calibrate) -> None:
    asked = calibrate(exact_estimate())
    complete_geometry(replace(clip_of(room()), k_px=np.full((7, 3, 3), np.nan)))
    assert asked[0]["k_px"] is None


# Nothing works


def test_a_still_camera_leaves_everything_unknown(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    posed = complete_geometry(without("depth", "poses", "intrinsics"))
    assert statuses(posed) == ("unknown",) * 5
    for values in (posed.depth_m, posed.k_px, posed.world_from_camera):
        assert np.isnan(values).all()
    assert posed.world == World()
    assert "placed no frame" in notes(posed)
    assert "structure from motion says a word" in notes(posed)


def test_a_still_camera_with_a_metric_network_has_depth_in_metres(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    clip = without("depth", "poses", "intrinsics")
    posed = complete_geometry(clip, depth_estimator=PerfectNetwork("metric_depth", focal_px=40.0))
    assert statuses(posed) == ("estimated", "estimated", "unknown", "estimated", "unknown")
    assert posed.world.metric
    np.testing.assert_array_equal(posed.depth_m, DEPTH[posed.frame_index])


def test_a_still_camera_with_a_relative_network_has_none(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    posed = complete_geometry(without("depth", "poses"), depth_estimator=PerfectNetwork("inverse_depth"))
    assert statuses(posed) == ("unknown", "measured", "unknown", "unknown", "unknown")
    assert "gives inverse depth and structure from motion gave no points" in notes(posed)


def test_a_still_camera_with_measured_depth_stays_metric(calibrate: Calibrate) -> None:
    calibrate(FAILED)
    posed = complete_geometry(without("poses"))
    assert statuses(posed) == ("measured", "measured", "unknown", "measured", "unknown")
    assert posed.world.metric


def test_one_photo_is_not_calibrated(calibrate: Calibrate) -> None:
    calibrate(None)
    whole = room()
    alone = replace(
        whole, frame_names=("0.png",), time_s=np.zeros(1), k_px=None, world_from_camera=None, load_depth_m=None
    )
    posed = complete_geometry(clip_of(alone, [0]))
    assert statuses(posed)[:3] == ("unknown",) * 3
    assert "one frame alone" in notes(posed)


# Pieces, frames that were not used, sizes


def test_pieces_are_told_apart_and_keep_their_own_frames(calibrate: Calibrate) -> None:
    # The clip has frames 0, 3, ..., 18: three in the recording's largest piece, four in the other.
    calibrate(exact_estimate(pieces=[0] * 8 + [1] * 12))
    posed = complete_geometry(without("depth", "poses"))
    assert posed.piece.tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert posed.world.origin == "camera of frame 9"
    for number, unit in ((0, 2.1), (1, UNIT)):
        mine = posed.piece == number
        error = align_trajectories(POSES[posed.frame_index[mine]], posed.world_from_camera[mine])
        assert error.position_max < 1e-3
        assert error.scale == pytest.approx(unit)
    assert "4 are in the largest piece, 3 in further pieces (1)" in notes(posed)


def test_every_piece_is_brought_to_metres_by_itself(calibrate: Calibrate) -> None:
    calibrate(exact_estimate(pieces=[0] * 8 + [1] * 12))
    posed = complete_geometry(without("poses"))
    for number in (0, 1):
        mine = posed.piece == number
        error = align_trajectories(POSES[posed.frame_index[mine]], posed.world_from_camera[mine])
        assert error.scale == pytest.approx(1, rel=1e-4)


def test_a_piece_whose_scale_is_not_known_is_dropped_and_said_so(calibrate: Calibrate) -> None:
    exact = exact_estimate(pieces=[0] * 14 + [1] * 6)
    first = np.flatnonzero(exact.piece[exact.observation_frame] == 1)[5:]  # five points of piece 1 remain
    keep = np.setdiff1d(np.arange(len(exact.observation_depth)), first)
    fewer = {name: getattr(exact, name)[keep] for name in ("observation_frame", "observation_px", "observation_depth")}
    calibrate(replace(exact, **fewer))
    posed = complete_geometry(without("poses"))
    assert posed.piece.tolist() == [0] * 5 + [-1] * 2
    assert np.isnan(posed.world_from_camera[5:]).all()
    assert "2 without a pose (2 of them in pieces whose scale is not known)" in notes(posed)


def test_a_frame_between_close_neighbours_is_interpolated(calibrate: Calibrate) -> None:
    used = [i for i in range(NUM_FRAMES) if i not in (6, 12)]
    calibrate(exact_estimate(used=used))
    posed = complete_geometry(without("poses"))
    error = align_trajectories(POSES[posed.frame_index], posed.world_from_camera, with_scale=False)
    assert error.num_compared == 7
    assert error.position_max < 0.02
    assert error.rotation_max_deg < 0.2
    assert "2 poses interpolated" in notes(posed)


def test_an_interpolated_frame_sees_the_points_of_its_neighbours(calibrate: Calibrate) -> None:
    used = [i for i in range(NUM_FRAMES) if i not in (6, 12)]
    calibrate(exact_estimate(used=used))
    sparse = complete_geometry(without("depth"))
    for position in (2, 4):
        seen = np.isfinite(sparse.depth_m[position])
        assert seen.sum() > 60
        error = np.abs(sparse.depth_m[position] / DEPTH[sparse.frame_index[position]] - 1)[seen]
        assert np.median(error) < 0.01
    # A network whose scale differs from frame to frame is aligned to them.
    dense = complete_geometry(without("depth"), depth_estimator=PerfectNetwork("inverse_depth"))
    assert "7 aligned to their own points" in notes(dense)
    np.testing.assert_allclose(dense.depth_m, DEPTH[dense.frame_index], rtol=0.03)


@pytest.mark.parametrize(
    ("used", "pieces", "changes"),
    [
        ([0, 1, 2, 3, 12, 13, 14, 15, 18], None, {}),  # 9 frames, 0.9 s, and too far in between
        ([i for i in range(20) if i != 6], None, {"time_s": np.arange(20) * 2.0}),  # four seconds
        ([i for i in range(20) if i != 6], None, {"sequence": False}),  # a photo is not between photos
        ([i for i in range(20) if i != 6], [0] * 6 + [1] * 13, {}),  # neighbours in different pieces
        (list(range(20)), [0] * 6 + [-1] + [0] * 13, {}),  # used, but not registered
    ],
)
def test_a_pose_that_cannot_be_interpolated_is_unknown(
    calibrate: Calibrate, used: list[int], pieces: list[int] | None, changes: dict
) -> None:
    calibrate(exact_estimate(used=used, pieces=pieces))
    posed = complete_geometry(without("poses", **changes))
    assert np.isnan(posed.world_from_camera[2]).all()
    assert posed.piece[2] == -1


def test_a_clip_of_another_size_than_its_recording(calibrate: Calibrate) -> None:
    calibrate(exact_estimate())
    whole = without("depth", "poses", "intrinsics")
    half = replace(whole, rgb=whole.rgb[:, ::2, ::2])
    posed = complete_geometry(half)
    np.testing.assert_allclose(posed.k_px[0], np.diag([0.5, 0.5, 1]) @ K)
    seen = np.isfinite(posed.depth_m)
    assert posed.depth_m.shape == half.rgb.shape[:3]
    blocks = (
        DEPTH[posed.frame_index]
        .reshape(7, HW[0] // 2, 2, HW[1] // 2, 2)
        .swapaxes(2, 3)
        .reshape(*posed.depth_m.shape, 4)
    )
    ratio = posed.depth_m[seen][:, None] * UNIT / blocks[seen]
    assert np.abs(ratio - 1).min(axis=1).max() < 1e-4  # the depth of one of the four pixels that became one


def test_the_package_loads_without_torch_and_pycolmap() -> None:
    code = (
        "import sys, video3d.estimate as e; e.complete_geometry, e.DepthEstimator, e.load_depth_estimator;"
        "heavy = {'torch', 'transformers', 'pycolmap', 'scipy', 'av'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
