"""KITTI odometry: written and read back, and one real drive."""

import numpy as np
import pytest
from format_writers import check_recording, make_scene, rows_text, save, write_kitti_odometry

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError
from video3d.video import kitti_odometry
from video3d.video.images import read_rgb


@pytest.mark.parametrize("camera", [0, 2, 3])
def test_round_trip(tmp_path, camera):
    scene = make_scene()
    source = write_kitti_odometry(tmp_path, scene, camera=camera)
    assert kitti_odometry.detect(source)
    recording = kitti_odometry.open_recording(source)
    check_recording(recording, scene, depth=False)  # poses are of camera 0, so the rig's offset must be applied
    np.testing.assert_allclose(recording.time_s, [0, 0.1, 0.2])
    assert recording.world.metric and recording.up_world is None and recording.sequence


def test_left_colour_camera_is_preferred(tmp_path):
    scene = make_scene()
    source = write_kitti_odometry(tmp_path, scene, camera=2)
    write_kitti_odometry(tmp_path / "other", make_scene(seed=8), camera=0)
    (tmp_path / "other/sequences/07/image_0").rename(source / "image_0")
    recording = kitti_odometry.open_recording(source)
    check_recording(recording, scene, depth=False)
    assert recording.notes == ("camera image_2 of image_2, image_0",)


def test_sequence_without_poses_and_times(tmp_path):
    source = write_kitti_odometry(tmp_path, make_scene())
    (source / "times.txt").unlink()
    (tmp_path / "poses/07.txt").unlink()
    recording = kitti_odometry.open_recording(source)
    assert recording.world_from_camera is None and np.isnan(recording.time_s).all()


def test_calibration_without_labels(tmp_path):
    scene = make_scene()
    source = write_kitti_odometry(tmp_path, scene, camera=2)
    text = (source / "calib.txt").read_text()
    for label in ("P0: ", "P1: ", "P2: ", "P3: "):
        text = text.replace(label, "")
    save(source / "calib.txt", text.replace("\n", " "))  # no line breaks either
    check_recording(kitti_odometry.open_recording(source), scene, depth=False)


def test_number_of_poses_must_be_that_of_images(tmp_path):
    source = write_kitti_odometry(tmp_path, make_scene())
    save(tmp_path / "poses/07.txt", rows_text(np.tile(np.eye(3, 4).ravel(), (2, 1))))
    with pytest.raises(InputError, match="expected 3 poses .* got 2"):
        kitti_odometry.open_recording(source)


@pytest.mark.shared
def test_real_drive(shared_data):
    recording = kitti_odometry.open_recording(shared_data / "kitti_odometry_1")
    assert recording.num_frames == 51 and recording.size_hw == (370, 1226)
    np.testing.assert_allclose(recording.k_px[0], [[707.0912, 0, 602.3873], [0, 707.0912, 183.6104], [0, 0, 1]])
    path_m = np.linalg.norm(np.diff(recording.world_from_camera[:, :3, 3], axis=0), axis=1).sum()
    assert path_m == pytest.approx(59.86, abs=0.01)
    assert recording.world_from_camera[50, 2, 3] > 50  # it drives forward, along the first camera's z


@pytest.mark.shared
def test_epipolar_geometry_of_the_real_drive(shared_data):
    """Matched patches of two frames lie on each other's epipolar lines, to a fraction of a pixel in the median."""
    recording = kitti_odometry.open_recording(shared_data / "kitti_odometry_1")
    paths = sorted((shared_data / "kitti_odometry_1/image_l").iterdir())
    first, second = (read_rgb(paths[i])[..., 0].astype(np.float32) for i in (20, 21))
    k_px = recording.k_px[0]
    second_from_first = inverse_rigid(recording.world_from_camera[21]) @ recording.world_from_camera[20]
    x, y, z = second_from_first[:3, 3]
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ second_from_first[:3, :3]
    inverse_k = np.linalg.inv(k_px)
    fundamental = inverse_k.T @ essential @ inverse_k
    distances = []
    for row, column in _corners(first, 60):
        patch = first[row - 7 : row + 8, column - 7 : column + 8]
        area = second[row - 27 : row + 28, column - 37 : column + 38]
        if area.shape != (55, 75) or patch.shape != (15, 15):
            continue
        match = _best_match(area, patch)
        if match is not None:
            a = np.array([column + 0.5, row + 0.5, 1])
            b = np.array([column - 37 + match[1] + 7.5, row - 27 + match[0] + 7.5, 1])
            line = fundamental @ a
            distances.append(abs(b @ line) / np.hypot(*line[:2]))
    assert len(distances) >= 25
    assert np.median(distances) < 0.6


def _corners(image, num):
    """Strong corners, one a cell: smallest eigenvalue of the structure tensor."""
    from scipy.ndimage import gaussian_filter

    dy, dx = np.gradient(image)
    xx, yy, xy = (gaussian_filter(v, 2) for v in (dx * dx, dy * dy, dx * dy))
    score = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    cells = []
    for row in range(120, 320, 20):
        for column in range(60, 1160, 20):
            cell = score[row : row + 20, column : column + 20]
            at = np.unravel_index(cell.argmax(), cell.shape)
            cells.append((cell.max(), row + int(at[0]), column + int(at[1])))
    return [(row, column) for _, row, column in sorted(cells, reverse=True)[:num]]


def _best_match(area, patch):
    """Where the patch fits best by normalised correlation, or None where that is not clear."""
    windows = np.lib.stride_tricks.sliding_window_view(area, patch.shape).reshape(-1, patch.size)
    windows = windows - windows.mean(axis=1, keepdims=True)
    flat = (patch - patch.mean()).ravel()
    score = windows @ flat / (np.linalg.norm(windows, axis=1) * np.linalg.norm(flat) + 1e-6)
    best = int(score.argmax())
    return None if score[best] < 0.9 else divmod(best, area.shape[1] - patch.shape[1] + 1)
