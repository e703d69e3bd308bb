"""What is believed of a reconstruction, on matches computed from cameras and points that are known exactly."""

import numpy as np
import pytest
from textured_room import FOCAL_PX, K_PX, SIZE_HW, turned, walk

from video3d.estimate.camera_checks import Agreement, Pair, agreement, only_turns, sampson_distance


def project(points: np.ndarray, world_from_camera: np.ndarray) -> np.ndarray:
    inside = (points - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    assert (inside[:, 2] > 0).all()
    return (inside[:, :2] / inside[:, 2:]) * FOCAL_PX + K_PX[:2, 2]


def homography(first_px: np.ndarray, second_px: np.ndarray) -> np.ndarray:
    """Least squares (direct linear transform) from four or more matches."""
    rows = []
    for (x, y), (u, v) in zip(first_px, second_px, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y, -u], [0, 0, 0, x, y, 1, -v * x, -v * y, -v]]
    return np.linalg.svd(np.array(rows))[2][-1].reshape(3, 3)


def all_pairs(points: np.ndarray, poses: np.ndarray, *, flat: bool = False) -> list[Pair]:
    seen = [project(points, pose) for pose in poses]
    return [
        Pair(
            first=i,
            second=j,
            first_px=seen[i],
            second_px=seen[j],
            homography=homography(seen[i], seen[j]) if flat else None,
        )
        for i in range(len(poses))
        for j in range(i + 1, len(poses))
    ]


def judged(pairs: list[Pair], world_from_camera: np.ndarray) -> Agreement:
    rays = [((p.first_px - K_PX[:2, 2]) / FOCAL_PX, (p.second_px - K_PX[:2, 2]) / FOCAL_PX) for p in pairs]
    return agreement(pairs, np.linalg.inv(world_from_camera), rays, FOCAL_PX)


@pytest.fixture
def points(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform([-2, -1, 3], [2, 1, 6], (60, 3))


def turning() -> np.ndarray:
    poses = np.tile(np.eye(4), (6, 1, 1))
    for pose, s in zip(poses, np.linspace(-0.3, 0.3, 6), strict=True):
        pose[:3, :3] = turned(s, 0.3 * s)
    return poses


def test_a_camera_on_the_spot_only_turns(points: np.ndarray) -> None:
    assert only_turns(all_pairs(points, turning(), flat=True), SIZE_HW)


def test_a_wall_passed_by_is_no_turn(points: np.ndarray) -> None:
    """One plane gives homographies as well, but no focal length makes them rotations."""
    assert not only_turns(all_pairs(points * [1, 1, 0] + [0, 0, 4], walk(6), flat=True), SIZE_HW)


def test_a_walk_through_depth_is_no_turn(points: np.ndarray) -> None:
    assert not only_turns(all_pairs(points, walk(6)), SIZE_HW)
    assert not only_turns([], SIZE_HW)


def test_true_poses_agree_with_all_matches(points: np.ndarray) -> None:
    pairs = all_pairs(points, walk(6))
    found = judged(pairs, walk(6))
    assert found.share == 1.0
    assert found.matches == 60 * len(pairs)
    assert found.part.tolist() == [0] * 6


def test_scale_and_world_frame_do_not_matter(points: np.ndarray) -> None:
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = turned(0.7, 0.2), [3, -1, 2]
    poses = moved @ walk(6)
    poses[:, :3, 3] *= 2.5
    assert judged(all_pairs(points, walk(6)), poses).share == 1.0


def test_a_seam_splits_the_model(points: np.ndarray) -> None:
    """The last three cameras are right among themselves, and wrong towards the others."""
    bent = np.eye(4)
    bent[:3, :3], bent[:3, 3] = turned(0.5, -0.4), [1.0, 0.8, -2.0]
    poses = walk(8)
    poses[5:] = bent @ poses[5:]
    found = judged(all_pairs(points, walk(8)), poses)
    assert found.part.tolist() == [0] * 5 + [1] * 3
    assert found.share < 0.9


def test_frames_without_a_pose_belong_to_nothing(points: np.ndarray) -> None:
    poses = walk(6)
    poses[2] = np.nan
    with np.errstate(invalid="ignore"):
        found = judged(all_pairs(points, walk(6)), poses)
    assert found.part.tolist() == [0, 0, -1, 0, 0, 0]
    assert found.share == 1.0


def test_distance_from_the_epipolar_line_is_first_order_reprojection(points: np.ndarray) -> None:
    """A step across its line is shared by both views."""
    second_from_first = np.eye(4)
    second_from_first[0, 3] = -1.0  # sideways: lines are rows
    first = points[:, :2] / points[:, 2:]
    second = (points[:, :2] - [1, 0]) / points[:, 2:]
    distance = sampson_distance(second_from_first, first, second + np.array([0.1, 0.01]))
    assert distance == pytest.approx(np.full(60, 0.01 / np.sqrt(2)))
