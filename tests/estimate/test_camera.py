"""Structure from motion on a rendered room: what is recovered, and what is said where nothing can be."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from textured_room import FOCAL_PX, K_PX, PLANES, recording_of, render, turned, walk

from video3d.estimate import CameraEstimate
from video3d.estimate.camera import chosen_frames, estimate_camera
from video3d.geometry.align import align_trajectories
from video3d.geometry.rigid import rotation_angle_rad
from video3d.types import InputError


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.stack([render(pose, seed=i) for i, pose in enumerate(walk())])


@pytest.fixture(scope="module")
def found(frames: np.ndarray) -> CameraEstimate:
    return estimate_camera(recording_of(frames))


def nothing_known(estimate: CameraEstimate, num_frames: int) -> bool:
    return (
        estimate.world_from_camera.shape == (num_frames, 4, 4)
        and bool(np.isnan(estimate.world_from_camera).all())
        and bool((estimate.piece == -1).all())
        and len(estimate.observation_depth) == 0
        and np.isnan(estimate.reprojection_px)
    )


def children_of(pid: int) -> set[int]:
    stats = [path for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    family = set()
    for path in stats:
        try:
            words = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(words[1]) == pid and words[0] != "Z":
            family.add(int(path.parent.name))
    return family


def test_a_walk_through_the_room_comes_back(found: CameraEstimate) -> None:
    error = align_trajectories(walk(), found.world_from_camera)
    assert (found.piece == 0).all()
    assert error.position_rms_share < 0.005
    assert error.rotation_rms_deg < 0.5
    assert found.reprojection_px < 1
    assert found.motion == "travels" and not any("hardly" in note for note in found.notes)


def test_the_focal_length_comes_back_and_the_centre_is_the_middle(found: CameraEstimate) -> None:
    assert found.k_px[:, 0, 0] == pytest.approx(FOCAL_PX, rel=0.03)
    assert found.k_px[:, 1, 1] == pytest.approx(FOCAL_PX, rel=0.03)
    assert found.k_px[:, :2, 2] == pytest.approx(np.tile([160, 120], (12, 1)))


def test_observations_lie_on_the_planes_of_the_room(found: CameraEstimate) -> None:
    """Pixel and depth of a point, unprojected with true cameras and the path's scale, meet a wall."""
    scale = align_trajectories(walk(), found.world_from_camera).scale
    pose, depth = walk()[found.observation_frame], found.observation_depth.astype(float) * scale
    pixel = np.column_stack([found.observation_px.astype(float), np.ones(len(depth))])
    inside = (pixel @ np.linalg.inv(K_PX).T) * depth[:, None]
    world = np.einsum("nij,nj->ni", pose[:, :3, :3], inside) + pose[:, :3, 3]
    distances = []
    for point, along, down, _ in PLANES:
        normal = np.cross(along, down)
        distances.append(np.abs((world - np.array(point)) @ normal) / np.linalg.norm(normal))
    assert len(depth) > 1000
    assert np.median(np.min(distances, axis=0)) < 0.04  # one percent of four metres
    assert np.isfinite(depth).all() and (depth > 0).all()


def test_a_known_camera_is_kept(frames: np.ndarray) -> None:
    known = estimate_camera(recording_of(frames), k_px=K_PX)
    assert np.array_equal(known.k_px, np.tile(K_PX, (12, 1, 1)))
    assert align_trajectories(walk(), known.world_from_camera).position_rms_share < 0.005


def test_photographs_in_any_order_are_matched_all_with_all(frames: np.ndarray) -> None:
    order = np.random.default_rng(2).permutation(12)
    shuffled = estimate_camera(recording_of(frames[order], sequence=False))
    assert (shuffled.piece == 0).all()
    assert align_trajectories(walk()[order], shuffled.world_from_camera).position_rms_share < 0.005


def test_the_same_seed_gives_the_same_path(frames: np.ndarray, found: CameraEstimate) -> None:
    again = estimate_camera(recording_of(frames))
    assert np.array_equal(again.piece, found.piece)
    between = align_trajectories(found.world_from_camera, again.world_from_camera)
    assert between.position_rms_share < 2e-3


def test_two_rooms_are_two_pieces(frames: np.ndarray) -> None:
    """Another room follows in the same video: reported as a piece of its own, neither glued nor dropped."""
    other = np.stack([render(pose, seed=i, wallpaper=9) for i, pose in enumerate(walk(8))])
    both = estimate_camera(recording_of(np.concatenate([frames, other])))
    assert both.piece.tolist() == [0] * 12 + [1] * 8
    assert any("2 pieces of 12, 8 frames" in note for note in both.notes)
    for number, truth in ((0, walk()), (1, walk(8))):
        placed = both.world_from_camera[both.piece == number]
        assert align_trajectories(truth, placed).position_rms_share < 0.01


def test_a_camera_that_stands_still_is_said_to() -> None:
    still = np.stack([render(walk()[5], seed=i) for i in range(6)])
    estimate = estimate_camera(recording_of(still))
    assert nothing_known(estimate, 6) and estimate.motion == "still"
    assert "stands still" in " ".join(estimate.notes)


@pytest.mark.parametrize(("span_rad", "known"), [(0.3, False), (1.2, False), (0.3, True)])
def test_a_camera_that_only_turns_has_rotations_and_is_said_to(span_rad: float, known: bool) -> None:
    poses = np.tile(np.eye(4), (10, 1, 1))
    for pose, s in zip(poses, np.linspace(-span_rad, span_rad, 10), strict=True):
        pose[:3, :3] = turned(s, 0.1 * np.sin(5 * s))
    frames = np.stack([render(pose, seed=i) for i, pose in enumerate(poses)])
    estimate = estimate_camera(recording_of(frames), k_px=K_PX if known else None)
    assert estimate.motion == "turns" and "only turns" in " ".join(estimate.notes)
    assert (estimate.piece == 0).all() and len(estimate.observation_depth) == 0
    assert np.array_equal(estimate.world_from_camera[:, :3, 3], np.zeros((10, 3)))
    assert estimate.k_px[:, 0, 0] == pytest.approx(FOCAL_PX, rel=1e-9 if known else 0.01)
    found, truth = (np.linalg.inv(p[:1, :3, :3]) @ p[:, :3, :3] for p in (estimate.world_from_camera, poses))
    assert np.degrees(rotation_angle_rad(np.swapaxes(found, 1, 2) @ truth)).max() < 0.6


def test_a_hand_that_holds_a_camera_in_one_place_is_said_to_hardly_move() -> None:
    """A path of three centimetres in a room of five metres: if it gives poses, then not without a word."""
    poses = walk(10)
    poses[:, :3, 3] *= 0.015
    estimate = estimate_camera(recording_of(np.stack([render(pose, seed=i) for i, pose in enumerate(poses)])))
    said = " ".join(estimate.notes)
    assert estimate.motion == "turns" or nothing_known(estimate, 10) or "hardly moves" in said


def test_frames_without_anything_to_see_give_a_note() -> None:
    estimate = estimate_camera(recording_of(np.full((4, 120, 160, 3), 90, np.uint8)))
    assert nothing_known(estimate, 4)
    assert "no two of 4 frames" in " ".join(estimate.notes)


def test_the_timeout_ends_it_and_leaves_no_process(frames: np.ndarray) -> None:
    before = children_of(os.getpid())  # multiprocessing's own, where another test began them
    started = time.monotonic()
    estimate = estimate_camera(recording_of(frames), timeout_s=0.05)
    assert time.monotonic() - started < 5
    assert nothing_known(estimate, 12)
    assert "did not end within" in " ".join(estimate.notes)
    assert children_of(os.getpid()) <= before


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see processes")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_an_interrupted_program(how: signal.Signals) -> None:
    program = textwrap.dedent(
        """
        import signal
        import numpy as np
        from textured_room import recording_of
        from video3d.estimate.camera import estimate_camera
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
        noise = np.random.default_rng(0).integers(0, 256, (40, 480, 640, 3), dtype=np.uint8)
        estimate_camera(recording_of(noise))
        """
    )
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": paths}, stderr=subprocess.DEVNULL
    )
    workers: set[int] = set()
    for _ in range(600):
        workers = children_of(parent.pid)
        if workers:
            break
        time.sleep(0.05)
    assert workers, "no worker was started"
    # At once, while the worker still imports: it knows whose child it is, and looks when it is through with that.
    parent.send_signal(how)
    parent.wait(timeout=60)
    for _ in range(1200):
        alive = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        if not alive:
            break
        time.sleep(0.05)
    assert not alive


def test_nothing_is_printed(frames: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    estimate_camera(recording_of(frames[:4]))
    assert capfd.readouterr().out == ""


def test_only_the_frames_asked_for_are_read(frames: np.ndarray) -> None:
    """Of a long video an even choice, with the frames wanted among them, a few at a time."""
    asked: list[list[int]] = []
    long = recording_of(np.tile(frames, (10, 1, 1, 1)))

    def load(indices):
        asked.append(list(indices))
        return frames[np.asarray(indices) % 12]

    object.__setattr__(long, "load_rgb", load)
    estimate = estimate_camera(long, include=[7], max_frames=6, timeout_s=20.0)
    assert 7 in estimate.frame_index
    assert estimate.frame_index.tolist() == sorted({*chosen_frames(120, 6).tolist(), 7})
    assert {i for part in asked for i in part} == set(estimate.frame_index.tolist())


def test_a_frame_that_cannot_be_read_is_an_input_error(frames: np.ndarray) -> None:
    broken = recording_of(frames)

    def load(indices):
        raise InputError("frame 3", expected="a picture", got="nothing")

    object.__setattr__(broken, "load_rgb", load)
    with pytest.raises(InputError, match="frame 3"):
        estimate_camera(broken)
