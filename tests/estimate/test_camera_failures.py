"""Short videos from which a camera cannot be told, or not all of it: read to the end, honest about it, and never garbage."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from textured_room import render, turned, walk

from video3d.geometry.align import align_trajectories
from video3d.pipeline import Video3D
from video3d.scene import Scene
from video3d.types import PosedClip

Film = Callable[[np.ndarray], Path]
Read = Callable[[np.ndarray], PosedClip]


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Writes frames as a video, five a second."""

    def of_frames(frames: np.ndarray) -> Path:
        path = tmp_path / "clip.mp4"
        with av.open(path, "w") as container:
            stream = container.add_stream("libx264", rate=5, options={"crf": "10"})
            stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return of_frames


@pytest.fixture
def read(film: Film) -> Read:
    """Reads frames as a user does, from a video."""
    return lambda frames: Video3D().read(film(frames), num_frames=len(frames)).clip


def camera_of(film: Film, frames: np.ndarray) -> Scene:
    """Reads frames without comparing their views, which takes seconds a frame and changes no pose."""
    return Video3D(depth="none").read(film(frames), num_frames=len(frames))


def said(clip: PosedClip) -> str:
    return "\n".join(clip.status.notes)


def walked(num_frames: int = 12, wallpaper: int = 0) -> np.ndarray:
    return np.stack([render(pose, seed=i, wallpaper=wallpaper) for i, pose in enumerate(walk(num_frames))])


def assert_nothing_made_up(clip: PosedClip) -> None:
    assert clip.status.poses == "unknown" and np.isnan(clip.world_from_camera).all() and (clip.piece == -1).all()
    assert clip.status.depth == "unknown" and not np.isfinite(clip.depth_m).any()
    assert not clip.world.metric


def test_a_still_camera(read: Read) -> None:
    clip = read(np.stack([render(walk()[5], seed=i) for i in range(8)]))
    assert clip.status.poses == "estimated" and "stands still" in said(clip)
    np.testing.assert_allclose(clip.world_from_camera, np.tile(np.eye(4), (8, 1, 1)))
    assert clip.status.depth == "unknown" and clip.status.scale == "unknown" and not clip.world.metric


def test_a_camera_that_only_turns(read: Read) -> None:
    poses = np.tile(np.eye(4), (10, 1, 1))
    for pose, s in zip(poses, np.linspace(-0.4, 0.4, 10), strict=True):
        pose[:3, :3] = turned(s, 0.1 * np.sin(5 * s))
    clip = read(np.stack([render(pose, seed=i) for i, pose in enumerate(poses)]))
    assert clip.status.poses == "estimated" and "only turns" in said(clip)
    assert np.ptp(clip.world_from_camera[:, :3, 3], axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    expected = np.linalg.inv(poses[0]) @ poses
    found = np.linalg.inv(clip.world_from_camera[0]) @ clip.world_from_camera
    assert np.abs(found - expected).max() < 0.02
    assert clip.status.depth == "unknown" and clip.status.scale == "unknown"


def test_a_blank_wall(read: Read) -> None:
    clip = read(np.full((8, 240, 320, 3), 180, np.uint8))
    assert_nothing_made_up(clip)
    assert "show enough of the same" in said(clip)


def test_the_dark(read: Read) -> None:
    rng = np.random.default_rng(1)
    dark = walked() * 0.02 + rng.normal(4, 4, (12, 240, 320, 1))
    clip = read(np.clip(dark, 0, 255).astype(np.uint8))
    assert_nothing_made_up(clip)
    assert "more light" in said(clip)


def test_a_cut_to_another_place(film: Film) -> None:
    scene = camera_of(film, np.concatenate([walked(10), walked(8, wallpaper=9)]))
    clip = scene.clip
    assert clip.piece.tolist() == [0] * 10 + [1] * 8
    assert "fall into 2 pieces" in said(clip) and "share no world frame" in said(clip)
    for number, truth in ((0, walk(10)), (1, walk(8))):
        assert align_trajectories(truth, clip.world_from_camera[clip.piece == number]).position_rms_share < 0.01
    ends = (
        Video3D().read(scene.recording, num_frames=2, camera=scene.camera).clip
    )  # each compared with views of its piece
    assert ends.piece.tolist() == [0, 1] and ends.status.depth == "estimated"
    assert (np.isfinite(ends.depth_m).mean(axis=(1, 2)) > 0.5).all()


def test_a_second_half_that_is_mirrored_is_not_glued(film: Film) -> None:
    frames = walked(16)
    frames[8:] = frames[8:, :, ::-1]
    clip = camera_of(film, frames).clip
    first, second = set(clip.piece[:8].tolist()) - {-1}, set(clip.piece[8:].tolist()) - {-1}
    assert first and not first & second
    mine = np.flatnonzero(clip.piece[:8] == clip.piece[0])
    assert align_trajectories(walk(16)[mine], clip.world_from_camera[mine]).position_rms_share < 0.01


def test_a_single_picture_and_two_that_share_nothing(read: Read) -> None:
    one = read(walked(12)[:1])
    assert_nothing_made_up(one)
    assert "one frame alone" in said(one)
    two = read(np.concatenate([walked(1), walked(1, wallpaper=9)]))
    assert_nothing_made_up(two)
    assert "no two of 2 frames" in said(two)


def test_something_that_moves_through_does_not_bend_the_path(film: Film) -> None:
    """A textured board of a tenth of the picture crosses it."""
    frames = walked(12)
    board = np.kron(np.random.default_rng(5).integers(0, 255, (24, 20)), np.ones((4, 4)))[..., None].astype(np.uint8)
    for i, frame in enumerate(frames):
        left = 10 + 18 * i
        frame[90:186, left : left + 80] = board
    clip = camera_of(film, frames).clip
    assert (clip.piece == 0).all()
    error = align_trajectories(walk(12), clip.world_from_camera)
    assert error.position_rms_share < 0.01 and error.rotation_rms_deg < 0.5
