"""KITTI's three sets from miniature trees, and its boxes against the LiDAR of the real frames."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from format_writers import encoded, save
from toy_scene import CAMERA_AXES, box, corners_agree, look, render, surface, to_camera, toy

from video3d.data.sources import kitti
from video3d.data.sources.kitti_labels import CAMERA_HEIGHT_M, read_labels, read_oxts, read_rig
from video3d.geometry.boxes import box_corners, points_in_box
from video3d.geometry.rigid import inverse_rigid
from video3d.types import Box3D, InputError
from video3d.video.kitti_object import read_points

SIZE = (96, 256)
K = np.array([[200.0, 0, 128.5], [0, 200.0, 48.0], [0, 0, 1]])
OFFSET = np.array([0.06, -0.001, 0.003])  # of camera 2 in the rectified rig
LIDAR_FROM_IMU = np.eye(4)
LIDAR_FROM_IMU[:3, 3] = -0.81, 0.32, -0.80
CAMERA0_FROM_LIDAR = np.eye(4)
CAMERA0_FROM_LIDAR[:3, :3], CAMERA0_FROM_LIDAR[:3, 3] = CAMERA_AXES.T, (0.0, -0.08, -0.27)
LATITUDE, LONGITUDE, RADIUS = 49.011, 8.423, 6378137.0
FRAMES = 50


@pytest.fixture(scope="module")
def street():
    """A parked car ahead on the right, a van that drives away, a walker; the camera drives on along the heading 0.3."""
    heading = np.array([np.cos(0.3), np.sin(0.3), 0])
    poses = np.stack([look(heading * 0.5 * i + [0, 0, CAMERA_HEIGHT_M], 0.3) for i in range(FRAMES)])
    left = np.array([-heading[1], heading[0], 0])
    paths = {
        "Car": [(heading * 22 - left * 4, 0.3) for _ in range(FRAMES)],
        "Van": [(heading * (12 + 0.8 * i) + left * 0.5, 0.35) for i in range(FRAMES)],
        "Pedestrian": [(heading * 15 + left * (4 - 0.1 * i), -1.2) for i in range(FRAMES)],
    }
    sizes = {"Car": [4.2, 1.7, 1.5], "Van": [5.0, 1.9, 2.2], "Pedestrian": [0.8, 0.6, 1.8]}  # length, width, height

    def boxes(i):
        return [box([*p[:2], sizes[n][2] / 2], sizes[n], yaw) for n, path in paths.items() for p, yaw in [path[i]]]

    return poses, boxes, list(paths)


def imu_poses(poses):
    camera_from_imu = camera2_from_camera0() @ CAMERA0_FROM_LIDAR @ LIDAR_FROM_IMU
    return poses @ camera_from_imu


def camera2_from_camera0():
    move = np.eye(4)
    move[:3, 3] = OFFSET
    return move


def matrix_row(name, matrix):
    return name + " " + " ".join(f"{v:.12e}" for v in np.asarray(matrix).ravel()) + "\n"


def calib(names=("R_rect", "Tr_velo_cam", "Tr_imu_velo")):
    centred = K.copy()
    centred[:2, 2] -= 0.5
    projection = centred @ np.column_stack([np.eye(3), OFFSET])
    text = "".join(matrix_row(f"P{i}:", projection if i == 2 else np.eye(3, 4)) for i in range(4))
    return text + "".join(
        matrix_row(n, m) for n, m in zip(names, (np.eye(3), CAMERA0_FROM_LIDAR[:3], LIDAR_FROM_IMU[:3]), strict=True)
    )


def label_row(kind, b: Box3D, pose, *, occluded=0, lead=""):
    """A row of label_2 from a box (its x axis the front) in the world."""
    in_camera0 = to_camera(camera2_from_camera0(), to_camera(pose, b.center_world[None]))[0]
    front = pose[:3, :3].T @ b.world_from_box[:, 0]
    turn = np.arctan2(-front[2], front[0])
    length, width, height = b.size_m
    x, y, z = in_camera0 + np.array([0, height / 2, 0])
    return f"{lead}{kind} 0.00 {occluded} 0.1 10 10 60 60 {height} {width} {length} {x} {y} {z} {turn}\n"


def write_tracking(root: Path, street, name="0001", frames=FRAMES):
    poses, boxes, kinds = street
    training = root / "training"
    save(training / "calib" / f"{name}.txt", calib())
    imu = imu_poses(poses)
    scale, lines, labels = np.cos(np.radians(LATITUDE)), [], []
    y0 = RADIUS * np.log(np.tan(np.radians(90 + LATITUDE) / 2))
    for i in range(frames):
        north = y0 + imu[i, 1, 3] / scale
        latitude = 2 * np.degrees(np.arctan(np.exp(north / RADIUS))) - 90
        longitude = LONGITUDE + np.degrees(imu[i, 0, 3] / (scale * RADIUS))
        r = imu[i, :3, :3]
        roll, pitch, yaw = np.arctan2(r[2, 1], r[2, 2]), -np.arcsin(r[2, 0]), np.arctan2(r[1, 0], r[0, 0])
        lines.append(
            f"{latitude:.12f} {longitude:.12f} {112.8 + imu[i, 2, 3]:.9f} {roll:.12f} {pitch:.12f} {yaw:.12f} "
            + "0 " * 24
        )
        scene = toy(num_frames=1)
        scene = type(scene)(kinds, boxes(i), K, poses[i : i + 1], SIZE)
        if i % 2 == 0:
            points = np.concatenate([surface(b, 0.15) for b in scene.boxes])
            in_lidar = to_camera(camera2_from_camera0() @ CAMERA0_FROM_LIDAR, to_camera(poses[i], points))
            sweep = np.column_stack([in_lidar, np.full(len(points), 0.3)]).astype("<f4")
            save(training / "velodyne" / name / f"{i:06d}.bin", sweep.tobytes())
        rgb = render(scene)[0][0] if i % 10 == 0 else np.full((*SIZE, 3), 90, np.uint8)
        save(training / "image_02" / name / f"{i:06d}.png", encoded(rgb))
        for track, (kind, b) in enumerate(zip(kinds, scene.boxes, strict=True)):
            if not (kind == "Van" and i > 40):  # the van leaves the labels
                labels.append(label_row(kind, b, poses[i], occluded=1 if kind == "Car" else 0, lead=f"{i} {track} "))
        labels.append(f"{i} -1 DontCare -1 -1 -10 0 0 5 5 -1000 -1000 -1000 -10 -1 -1 -1\n")
    save(training / "oxts" / f"{name}.txt", "\n".join(lines) + "\n")
    save(training / "label_02" / f"{name}.txt", "".join(labels))
    return root


@pytest.fixture(scope="module")
def tracking(tmp_path_factory, street):
    return write_tracking(tmp_path_factory.mktemp("kitti"), street)


def test_a_tracking_drive(tracking, street):
    poses, boxes, _ = street
    kitti.check(tracking)
    (ref,) = kitti.scenes(tracking)
    assert (ref.name, ref.split) == ("tracking-0001", "train")
    clips = kitti.read_scene(tracking, ref, num_frames=8, size_hw=(48, 128))
    assert [c.truth.clip_id for c in clips] == ["kitti-tracking-0001-00", "kitti-tracking-0001-01"]
    truth = clips[0].truth
    assert [(o.category, o.kind, o.motion) for o in truth.objects] == [
        ("car", "vehicle", "static"), ("van", "vehicle", "scripted"), ("person", "person", "scripted")
    ]  # fmt: skip
    np.testing.assert_allclose(truth.times_s, np.arange(8) * 0.2)
    np.testing.assert_allclose(truth.world_from_camera, poses[:16:2], atol=1e-3)
    rollout = truth.rollouts[0]
    assert len(rollout.times_s) == 15 + 20 and abs(rollout.times_s[-1] - 3.4) < 1e-9
    for column, thing in enumerate(truth.objects):
        for frame in range(8):
            corners_agree(thing.box(frame), boxes(2 * frame)[column], atol=5e-3)
        corners_agree(
            Box3D(
                center_world=rollout.world_from_object[34, column, :3, 3],
                size_m=thing.size_m,
                world_from_box=rollout.world_from_object[34, column, :3, :3],
            ),
            boxes(34)[column],
            atol=5e-3,
        )
        front = -thing.world_from_object[0, :3, 1]
        assert np.linalg.det(thing.world_from_object[0, :3, :3]) > 0.999
        np.testing.assert_allclose(front, boxes(0)[column].world_from_box[:, 0], atol=1e-3)
    np.testing.assert_allclose(rollout.world_from_camera, poses[:35], atol=1e-3)
    assert (truth.visible_share[:, 0] <= 0.61).all() and truth.visible_px[:, 1].min() > 60


def test_depth_is_the_lidar_and_lies_on_the_boxes(tracking, street):
    _, boxes, _ = street
    (ref,) = kitti.scenes(tracking)
    clip = kitti.read_scene(tracking, ref, num_frames=8, size_hw=(48, 128))[0]
    depth_m, truth = clip.depth_m, clip.truth
    assert depth_m is not None
    rows, columns = np.nonzero(np.isfinite(depth_m[0]))
    assert len(rows) > 60
    rays = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], 1) @ np.linalg.inv(truth.k_px[0]).T
    points = rays * depth_m[0][rows, columns][:, None]
    world = points @ truth.world_from_camera[0, :3, :3].T + truth.world_from_camera[0, :3, 3]
    near = np.zeros(len(world), bool)
    for b in boxes(0):
        near |= points_in_box(world, b, margin_m=0.25)  # a pixel at 20 m is 0.2 m wide
    assert near.mean() > 0.98


def test_the_second_clip_follows_the_first_and_has_its_own_origin(tracking, street):
    poses, boxes, _ = street
    (ref,) = kitti.scenes(tracking)
    truth = kitti.read_scene(tracking, ref, num_frames=8, size_hw=(48, 128))[1].truth
    np.testing.assert_allclose(truth.world_from_camera[0, :3, 3], [0, 0, CAMERA_HEIGHT_M], atol=1e-6)
    moved = boxes(15)[0].center_world - poses[15, :3, 3] + [0, 0, CAMERA_HEIGHT_M]
    np.testing.assert_allclose(truth.objects[0].world_from_object[0, :3, 3], moved, atol=5e-3)
    van = truth.rollouts[0].world_from_object[:, 1]
    assert np.isfinite(van[25]).all() and np.isnan(van[26]).all()  # frame 41 on: no label


def test_object_frames(tmp_path, street):
    kinds = street[2]
    training = tmp_path / "training"
    level = look([0, 0, CAMERA_HEIGHT_M], 0.0)
    scene = type(toy())(kinds, [box([12, 2, 0.75], [4, 1.7, 1.5], 0.4)], K, level[None], SIZE)
    save(training / "image_2/000007.png", encoded(render(scene)[0][0]))
    save(training / "calib/000007.txt", calib(("R0_rect:", "Tr_velo_to_cam:", "Tr_imu_to_velo:")))
    save(
        training / "label_2/000007.txt",
        label_row("Car", scene.boxes[0], level) + label_row("DontCare", scene.boxes[0], level),
    )
    save(tmp_path / "ImageSets/val.txt", "000007\n")
    (ref,) = kitti.scenes(tmp_path, "val")
    (clip,) = kitti.read_scene(tmp_path, ref, num_frames=8, size_hw=(48, 128))
    (car,) = clip.truth.objects
    corners_agree(car.box(), scene.boxes[0], atol=2e-3)
    assert car.has_front and car.supported_by == 0 and clip.truth.visible_share[0, 0] == 1.0
    assert "level" in clip.notes[0] and not clip.truth.rollouts


def test_odometry_drives(tmp_path, shared_data):
    (tmp_path / "sequences").mkdir()
    (tmp_path / "sequences" / "07").symlink_to(shared_data / "kitti_odometry_1")
    (ref,) = kitti.scenes(tmp_path)
    clips = kitti.read_scene(tmp_path, ref, num_frames=8, size_hw=(48, 160))
    assert len(clips) == 2
    truth = clips[0].truth
    np.testing.assert_allclose(truth.world_from_camera[0, :3, 3], [0, 0, CAMERA_HEIGHT_M], atol=1e-6)
    path = truth.rollouts[0].world_from_camera[:, :3, 3]
    assert np.ptp(path[:, 0]) > 10 * np.ptp(path[:, 2])  # it drives ahead, about level
    assert truth.objects == () and truth.visible_px.shape == (8, 0)


# The real frames -------------------------------------------------------------------------------------------------


def test_real_boxes_hold_the_lidar_of_what_they_label(shared_data):
    root = shared_data / "kitti_objects"
    inside = {}
    for name in ("000000", "000001"):
        rig = read_rig(root / "training" / "calib" / f"{name}.txt")
        points = read_points(root / "training" / "velodyne" / f"{name}.bin", num_columns=4)
        for label in read_labels(root / "training" / "label_2" / f"{name}.txt", tracking=False):
            pose = rig.camera_from_rectified @ label.camera_from_object
            b = Box3D(center_world=pose[:3, 3], size_m=label.size_m, world_from_box=pose[:3, :3])
            in_camera = points @ rig.camera_from_lidar[:3, :3].T + rig.camera_from_lidar[:3, 3]
            held = in_camera[points_in_box(in_camera, b)]
            inside[name, label.kind] = len(held)
            if len(held):
                px = held @ rig.k_px.T
                corners = box_corners(b) @ rig.k_px.T
                low, high = (corners[:, :2] / corners[:, 2:]).min(0), (corners[:, :2] / corners[:, 2:]).max(0)
                assert ((px[:, :2] / px[:, 2:] >= low - 1) & (px[:, :2] / px[:, 2:] <= high + 1)).all()
    assert inside["000000", "Pedestrian"] > 300 and inside["000001", "Truck"] > 20
    assert inside["000001", "Car"] > 3 and inside["000001", "Cyclist"] > 3


def test_real_boxes_project_to_the_labelled_rectangles(shared_data):
    """The 2D boxes of label_2 were drawn on the pictures: our 3D boxes must fall onto them."""
    root = shared_data / "kitti_objects" / "training"
    for name in ("000000", "000001"):
        rig = read_rig(root / "calib" / f"{name}.txt")
        rows = [line.split() for line in (root / "label_2" / f"{name}.txt").read_text().splitlines()]
        rows = [row for row in rows if row[0] != "DontCare"]
        for row, label in zip(rows, read_labels(root / "label_2" / f"{name}.txt", tracking=False), strict=True):
            pose = rig.camera_from_rectified @ label.camera_from_object
            b = Box3D(center_world=pose[:3, 3], size_m=label.size_m, world_from_box=pose[:3, :3])
            corners = box_corners(b) @ rig.k_px.T
            corners = corners[:, :2] / corners[:, 2:]
            drawn = np.array([float(v) for v in row[4:8]])
            got = np.concatenate([corners.min(0), corners.max(0)])
            # rectangles are drawn around what is seen; a near walker does not fill his box's corners
            assert np.abs(got - drawn).max() < max(6, 0.07 * (drawn[3] - drawn[1])), (row[0], got, drawn)


def test_real_frames_become_clips(shared_data):
    root = shared_data / "kitti_objects"
    kitti.check(root)
    refs = kitti.scenes(root)
    assert [r.name for r in refs] == ["object-000000", "object-000001"]
    clips = [kitti.read_scene(root, ref, num_frames=1, size_hw=(192, 640))[0] for ref in refs]
    assert [o.category for o in clips[1].truth.objects] == ["truck", "car", "cyclist"]
    for clip in clips:
        for thing in clip.truth.objects:
            bottom = thing.world_from_object[0, 2, 3] - thing.size_m[2] / 2
            assert abs(bottom) < 0.9  # the road is where it is said to be, up to its slope over 70 m
        assert np.isfinite(clip.depth_m).mean() > 0.03
    front = -clips[1].truth.objects[0].world_from_object[0, :3, 1]
    assert front[0] > 0.99  # the truck ahead drives the same way


# Damage ----------------------------------------------------------------------------------------------------------

DAMAGE = {
    "label of words": ("label_02/0001.txt", "0 0 Car a b c d e f g h i j k l m n\n", "numbers"),
    "label cut short": ("label_02/0001.txt", "0 0 Car 0 0 0\n", "columns"),
    "box without a size": ("label_02/0001.txt", "0 0 Car 0 0 0 1 1 2 2 0 0 0 1 1 9 0\n", "size"),
    "box of NaN": ("label_02/0001.txt", "0 0 Car 0 0 0 1 1 2 2 1 1 1 nan 1 9 0\n", "finite"),
    "calibration without P2": ("calib/0001.txt", "P0: 1 2 3\n", "P2"),
    "calibration of too few": ("calib/0001.txt", "P2: 1 2 3\nR_rect 1 0\nTr_velo_cam 1\n", "3x4"),
    "poses cut short": ("oxts/0001.txt", "49 8 112\n", "30 numbers"),
    "poses of one frame": ("oxts/0001.txt", "49 8 112 0 0 0\n", "every image"),
    "poses off the globe": ("oxts/0001.txt", "4900 8 112 0 0 0\n", "degrees"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_line(name, tracking, tmp_path):
    file, text, says = DAMAGE[name]
    shutil.copytree(tracking, tmp_path / "k")
    save(tmp_path / "k/training" / file, text)
    (ref,) = kitti.scenes(tmp_path / "k")
    with pytest.raises(InputError, match=says):
        kitti.read_scene(tmp_path / "k", ref, num_frames=8, size_hw=(48, 128))


def test_missing_sets_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="register"):
        kitti.check(tmp_path / "nowhere")
    with pytest.raises(InputError, match="tracking: ROOT/training"):
        kitti.check(tmp_path)


def test_oxts_starts_at_its_first_line(tmp_path):
    poses = read_oxts(save(tmp_path / "o.txt", "49.0 8.4 110 0 0 0.5\n49.0001 8.4 111 0 0 0.5\n"))
    np.testing.assert_allclose(poses[1, :3, 3], [0, np.radians(0.0001) * RADIUS, 1], atol=1e-3)
    np.testing.assert_allclose(inverse_rigid(poses)[0] @ poses[0], np.eye(4), atol=1e-12)
