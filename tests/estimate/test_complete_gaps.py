"""Geometry completion, further rows: intrinsics missing, nothing to be had, pieces, frames between, other sizes."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from exact_room import (
    DEPTH,
    FAILED,
    HW,
    NUM_FRAMES,
    POSES,
    UNIT,
    K,
    PerfectNetwork,
    clip_of,
    exact_estimate,
    notes,
    room,
    statuses,
    without,
)

from video3d.estimate import CameraEstimate, complete_geometry
from video3d.geometry.align import align_trajectories
from video3d.types import World

Calibrate = Callable[[CameraEstimate | None], list[dict[str, Any]]]


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
        "import sys, video3d.estimate as e; e.complete_geometry, e.load_depth_estimator;"
        "heavy = {'torch', 'transformers', 'pycolmap', 'scipy', 'av'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
