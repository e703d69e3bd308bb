"""Geometry completion on a real walk through a kitchen: one structure from motion from pixels alone, judged by what was
measured.

The recording's colour is not registered to its depth (focal length about 525 px against the 585 px that it states), so
measured depth and poses agree with the pictures to 6 or 7 %; the bounds below are of that size.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from video3d.estimate import CameraEstimate, complete_geometry, missing_camera
from video3d.geometry.align import align_trajectories
from video3d.types import Clip, PosedClip, Recording
from video3d.types.depth import DepthEstimate
from video3d.video import forget, open_recording, read_clip

pytestmark = pytest.mark.shared
NUM_FRAMES = 12


@dataclass(frozen=True)
class Kitchen:
    recording: Recording
    camera: CameraEstimate
    truth: Clip

    def completed(self, *missing: str, network: "MeasuredDepth | None" = None, views_of: int = 0) -> PosedClip:
        """All frames without comparing views, which takes seconds a frame, or with it so many of them."""
        index = self.truth.frame_index
        index = index[:: NUM_FRAMES // views_of] if views_of else index
        clip = read_clip(forget(self.recording, missing), indices=index)
        return complete_geometry(clip, depth_estimator=network, camera=self.camera, video_depth=bool(views_of))


@pytest.fixture(scope="module")
def kitchen(shared_data: Path) -> Kitchen:
    whole = open_recording(shared_data / "seven_scenes_kitchen")
    recording = every(whole, 6)
    camera = missing_camera(forget(recording, ("depth", "poses", "intrinsics")))
    assert camera is not None
    return Kitchen(recording, camera, read_clip(recording, NUM_FRAMES))


def every(recording: Recording, step: int) -> Recording:
    """Every so many frames of a recording: enough of the walk, in a sixth of the time."""
    kept = list(range(0, recording.num_frames, step))
    load_depth, poses, k_px = recording.load_depth_m, recording.world_from_camera, recording.k_px
    assert load_depth is not None and poses is not None and k_px is not None
    return replace(
        recording,
        time_s=recording.time_s[kept],
        frame_names=tuple(recording.frame_names[i] for i in kept),
        load_rgb=lambda indices: recording.load_rgb([kept[i] for i in indices]),
        load_depth_m=lambda indices: load_depth([kept[i] for i in indices]),
        world_from_camera=poses[kept],
        k_px=k_px[kept],
    )


class MeasuredDepth:
    """The measured depth as a network of the MiDaS kind would tell it: another scale and shift in every frame."""

    name, metric, licence = "measured", False, "none"

    def __init__(self, depth: np.ndarray) -> None:
        self.depth = depth

    def __call__(self, rgb: np.ndarray, k_px: np.ndarray | None = None) -> DepthEstimate:
        rng = np.random.default_rng(3)
        scale, shift = rng.uniform(0.5, 2, (2, len(rgb), 1, 1))
        return DepthEstimate(values=((1 / self.depth + shift) / scale).astype(np.float32), kind="inverse_depth")


def relative_error(depth: np.ndarray, truth: np.ndarray) -> float:
    return float(np.nanmedian(np.abs(depth / truth - 1)))


def test_the_camera_path_comes_back_in_metres(kitchen: Kitchen) -> None:
    posed = kitchen.completed("poses", "intrinsics")
    status = posed.status
    assert (status.depth, status.intrinsics, status.poses, status.scale) == (
        "measured", "estimated", "estimated", "measured",
    )  # fmt: skip
    error = align_trajectories(kitchen.truth.world_from_camera, posed.world_from_camera)
    assert error.num_compared >= 0.9 * NUM_FRAMES
    assert error.position_rms_share < 0.02
    assert error.scale == pytest.approx(1, abs=0.1)
    assert np.nanmedian(posed.k_px[:, 0, 0]) == pytest.approx(525, rel=0.06)


def test_pixels_alone_give_depth_at_the_reconstructed_points(kitchen: Kitchen) -> None:
    posed = kitchen.completed("depth", "poses", "intrinsics")
    assert posed.status.scale == "unknown"
    error = align_trajectories(kitchen.truth.world_from_camera, posed.world_from_camera)
    assert np.isfinite(posed.depth_m).mean() > 0.005
    assert relative_error(posed.depth_m * error.scale, kitchen.truth.depth_m) < 0.12
    compared = kitchen.completed("depth", "poses", "intrinsics", views_of=3)
    assert np.isfinite(compared.depth_m).mean() > 0.5
    assert relative_error(compared.depth_m * error.scale, kitchen.truth.depth_m[::4]) < 0.12


def test_dense_depth_is_aligned_frame_by_frame(kitchen: Kitchen) -> None:
    truth = kitchen.truth.depth_m
    posed = kitchen.completed("depth", network=MeasuredDepth(truth))
    assert posed.status.depth == "estimated"
    covered = np.isfinite(posed.depth_m).sum() / np.isfinite(truth).sum()
    assert covered > 0.9
    assert relative_error(posed.depth_m, truth) < 0.12
