"""nuScenes from a miniature of its tables, and the real key frame's boxes against its LiDAR."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from drive_writers import wxyz
from format_writers import encoded, integer_centred, save
from packed_nuscenes import read_pickle
from toy_scene import CAMERA_AXES, box, corners_agree, look, render, surface, to_camera, toy

from video3d.data.sources import nuscenes
from video3d.data.sources.build import build_source
from video3d.data.sources.nuscenes_tables import read_annotations
from video3d.data.store import open_dataset
from video3d.geometry.boxes import points_in_box
from video3d.geometry.rigid import inverse_rigid
from video3d.types import Box3D, InputError
from video3d.video.kitti_object import read_points

SIZE = (90, 160)
K = np.array([[130.0, 0, 80.5], [0, 130.0, 45.0], [0, 0, 1]])
EGO_FROM_CAMERA = np.eye(4)
EGO_FROM_CAMERA[:3, :3], EGO_FROM_CAMERA[:3, 3] = CAMERA_AXES, (1.7, 0.02, 1.5)
EGO_FROM_LIDAR = np.eye(4)
EGO_FROM_LIDAR[:3, 3] = 0.94, 0, 1.84
ORIGIN = np.array([411.3, 1180.9, 0.0])  # maps of nuScenes are hundreds of metres wide
KEYS = 14


def boxes(i):
    """A parked car, a bus that comes towards us, a walker."""
    return {
        "vehicle.car": box(ORIGIN + np.array([24, -4, 0.8]), [4.5, 1.8, 1.6], 0.1),
        "vehicle.bus.rigid": box(ORIGIN + np.array([60 - 3.0 * i, 4, 1.6]), [11.0, 2.8, 3.2], np.pi),
        "human.pedestrian.adult": box(ORIGIN + np.array([20, 3 - 0.7 * i, 0.9]), [0.7, 0.7, 1.8], -np.pi / 2),
    }


def camera_pose(i):
    return look(ORIGIN + np.array([1.5 * i, 0, 1.5]), 0.0)


def write_nuscenes(root: Path, *, names=("scene-0061", "scene-0103")) -> Path:
    tables = {name: [] for name in (
        "scene", "sample", "sample_data", "sample_annotation", "instance", "category", "ego_pose", "calibrated_sensor", "sensor"
    )}  # fmt: skip
    for channel, place, k in (
        ("CAM_FRONT", EGO_FROM_CAMERA, integer_centred(K).tolist()),
        ("LIDAR_TOP", EGO_FROM_LIDAR, []),
        ("CAM_BACK", EGO_FROM_CAMERA, integer_centred(K).tolist()),
    ):
        tables["sensor"].append({"token": f"s-{channel}", "channel": channel, "modality": "x"})
        tables["calibrated_sensor"].append(
            {"token": f"c-{channel}", "sensor_token": f"s-{channel}", "rotation": wxyz(place),
             "translation": place[:3, 3].tolist(), "camera_intrinsic": k}
        )  # fmt: skip
    for number, kind in enumerate(boxes(0)):
        tables["category"].append({"token": f"cat{number}", "name": kind, "description": ""})
    for name in names:
        tables["scene"].append(
            {"token": f"t-{name}", "log_token": "l", "name": name, "nbr_samples": KEYS, "description": "Rain",
             "first_sample_token": f"{name}-0", "last_sample_token": f"{name}-{KEYS - 1}"}
        )  # fmt: skip
        for number in range(3):
            tables["instance"].append(
                {"token": f"{name}-i{number}", "category_token": f"cat{number}", "nbr_annotations": 3}
            )
        for i in range(KEYS):
            key, time_us = f"{name}-{i}", 1_533_151_603_547_590 + 500_000 * i
            tables["sample"].append(
                {"token": key, "timestamp": time_us, "scene_token": f"t-{name}", "next": "", "prev": ""}
            )
            late = camera_pose(i) @ inverse_rigid(EGO_FROM_CAMERA)
            early = late.copy()
            early[0, 3] -= 0.2  # the car moved between the sweep and the exposure
            scene = type(toy())(list(boxes(i)), list(boxes(i).values()), K, camera_pose(i)[None], SIZE)
            points = np.concatenate([surface(b, 0.2) for b in scene.boxes])
            in_lidar = to_camera(early @ EGO_FROM_LIDAR, points)
            for channel, data, suffix, ego in (
                ("CAM_FRONT", encoded(render(scene)[0][0], "JPEG"), "jpg", late),
                ("CAM_BACK", encoded(np.zeros((*SIZE, 3), np.uint8), "JPEG"), "jpg", late),
                (
                    "LIDAR_TOP",
                    np.column_stack([in_lidar, np.zeros((len(points), 2))]).astype("<f4").tobytes(),
                    "pcd.bin",
                    early,
                ),
            ):
                file = f"samples/{channel}/{key}__{channel}.{suffix}"
                save(root / file, data)
                tables["ego_pose"].append(
                    {
                        "token": f"e-{key}-{channel}",
                        "timestamp": time_us,
                        "rotation": wxyz(ego),
                        "translation": ego[:3, 3].tolist(),
                    }
                )
                for is_key in (True, False):
                    tables["sample_data"].append(
                        {"token": f"d-{key}-{channel}-{is_key}", "sample_token": key, "ego_pose_token": f"e-{key}-{channel}",
                         "calibrated_sensor_token": f"c-{channel}", "timestamp": time_us + 1000, "is_key_frame": is_key,
                         "filename": file if is_key else file.replace("samples", "sweeps"), "width": 160, "height": 90}
                    )  # fmt: skip
            for number, b in enumerate(boxes(i).values()):
                if number == 2 and i in (3, 9):
                    continue  # the walker is hidden and not annotated
                length, width, height = b.size_m
                pose = np.eye(4)
                pose[:3, :3] = b.world_from_box
                tables["sample_annotation"].append(
                    {"token": f"a-{key}-{number}", "sample_token": key, "instance_token": f"{name}-i{number}",
                     "visibility_token": "2" if number == 0 else "4", "attribute_tokens": [],
                     "translation": b.center_world.tolist(), "size": [width, length, height], "rotation": wxyz(pose),
                     "num_lidar_pts": 5, "num_radar_pts": 0, "next": "", "prev": ""}
                )  # fmt: skip
    for name, rows in tables.items():
        save(root / "v1.0-mini" / f"{name}.json", json.dumps(rows, indent=0))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_nuscenes(tmp_path_factory.mktemp("nuscenes"))


@pytest.fixture(scope="module")
def prepared(root, tmp_path_factory):
    nuscenes.check(root)
    return nuscenes.prepare(root, tmp_path_factory.mktemp("work"))


def test_a_drive(root, prepared):
    first, second = nuscenes.scenes(root)
    assert [(r.name, r.split) for r in (first, second)] == [("scene-0061", "train"), ("scene-0103", "val")]
    clips = nuscenes.read_scene(prepared, first, num_frames=4, size_hw=(45, 80))
    assert [c.truth.clip_id for c in clips] == ["nuscenes-scene-0061-00", "nuscenes-scene-0061-01"]
    truth = clips[0].truth
    shift = -np.array([*camera_pose(0)[:2, 3], 0])
    found = {o.category: o for o in truth.objects}
    assert sorted(found) == ["bus", "car", "person"]
    assert (found["car"].motion, found["bus"].motion, found["person"].motion) == ("static", "scripted", "scripted")
    for name, kind in (("car", "vehicle.car"), ("bus", "vehicle.bus.rigid"), ("person", "human.pedestrian.adult")):
        for frame in (0, 2):
            b = boxes(frame)[kind]
            moved = Box3D(center_world=b.center_world + shift, size_m=b.size_m, world_from_box=b.world_from_box)
            corners_agree(found[name].box(frame), moved, atol=1e-3)
            assert np.linalg.det(found[name].world_from_object[frame, :3, :3]) > 0.999
            np.testing.assert_allclose(
                -found[name].world_from_object[frame, :3, 1], b.world_from_box[:, 0], atol=1e-6
            )  # front
    assert np.isnan(found["person"].world_from_object[3]).all()
    person = truth.index(found["person"].object_id)
    assert truth.visible_px[3, person] == 0 and truth.visible_share[2, person] > 0.9
    assert (truth.visible_share[:, truth.index(found["car"].object_id)] <= 0.61).all()
    rollout = truth.rollouts[0]
    np.testing.assert_allclose(rollout.times_s, np.arange(10) * 0.5)
    np.testing.assert_allclose(rollout.world_from_camera[9, :3, 3], camera_pose(9)[:3, 3] + shift, atol=1e-6)
    bus = rollout.world_from_object[9, truth.index(found["bus"].object_id)]
    np.testing.assert_allclose(bus[:3, 3], boxes(9)["vehicle.bus.rigid"].center_world + shift, atol=1e-6)


def test_depth_is_the_lidar_at_the_cameras_time(root, prepared):
    clip = nuscenes.read_scene(prepared, nuscenes.scenes(root)[0], num_frames=4, size_hw=(45, 80))[0]
    rows, columns = np.nonzero(np.isfinite(clip.depth_m[0]))
    assert len(rows) > 80
    rays = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], 1) @ np.linalg.inv(clip.truth.k_px[0]).T
    world = (
        clip.truth.world_from_camera[0] @ np.c_[rays * clip.depth_m[0][rows, columns][:, None], np.ones(len(rows))].T
    )
    near = np.zeros(len(rows), bool)
    for thing in clip.truth.objects:
        near |= points_in_box(world[:3].T, thing.box(0), margin_m=0.5)
    assert near.mean() > 0.97


def test_tables_are_cut_once(root, tmp_path):
    work = nuscenes.prepare(root, tmp_path)
    made = {p: p.stat().st_mtime_ns for p in work.rglob("*.json")}
    assert nuscenes.prepare(root, tmp_path) == work
    assert {p: p.stat().st_mtime_ns for p in work.rglob("*.json")} == made
    rows = json.loads((work / "scene-0061/v1.0-mini/sample_data.json").read_text())
    assert len(rows) == 2 * KEYS and {r["calibrated_sensor_token"] for r in rows} == {"c-CAM_FRONT", "c-LIDAR_TOP"}
    assert len(read_annotations(work / "scene-0061")) == 3 * KEYS - 2


def test_built_in_two_processes(root, tmp_path):
    report = build_source(
        "nuscenes", root, out=tmp_path / "o", num_frames=4, size_hw=(45, 80), processes=2, progress=lambda line: None
    )
    assert (report.scenes, report.clips, report.failed) == (2, 4, ())
    data = open_dataset(tmp_path / "o")
    clip = data.clip("nuscenes-scene-0103-01")
    assert clip.truth.split == "val" and np.isnan(clip.truth.world_from_camera).sum() == 0
    assert np.isfinite(clip.truth.rollouts[0].world_from_object[:, 0]).all()


# Damage ----------------------------------------------------------------------------------------------------------

DAMAGE = {
    "annotations cut short": ("sample_annotation", lambda t: t[:-200], "JSON"),
    "annotation of an unknown object": ("sample_annotation", lambda t: t.replace("scene-0061-i1", "ghost"), "instance"),
    "annotation of an unknown key frame": ("sample_annotation", lambda t: t.replace('"scene-0061-3"', '"ghost"'), "key frames"),
    "box without size": ("sample_annotation", lambda t: t.replace("1.8,", "0.0,"), "size"),
    "box of NaN": ("sample_annotation", lambda t: t.replace("1.8,", "NaN,"), "finite"),
    "rotation that is none": ("sample_annotation", lambda t: t.replace('"rotation": [\n', '"rotation": [\n9,\n'), "4"),
    "no categories": ("category", lambda t: "{}", "list"),
    "scene that climbs out": ("scene", lambda t: t.replace("scene-0061", "../../x", 1), "inside"),
    "poses missing": ("ego_pose", lambda t: "[]", "row"),
    "intrinsics of zero": ("calibrated_sensor", lambda t: t.replace("130.0", "0.0"), "focal"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_line(name, root, tmp_path):
    table, change, says = DAMAGE[name]
    shutil.copytree(root, tmp_path / "n")
    path = tmp_path / "n" / "v1.0-mini" / f"{table}.json"
    text = path.read_text()
    path.write_text(text.replace('"name": "scene-0061"', '"name": "../../x"') if "climbs" in name else change(text))
    with pytest.raises(InputError, match=says):
        work = nuscenes.prepare(tmp_path / "n", tmp_path / "work")
        nuscenes.read_scene(work, nuscenes.scenes(tmp_path / "n")[0], num_frames=4, size_hw=(45, 80))


def test_missing_things_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"nuscenes\.org"):
        nuscenes.check(tmp_path)
    write_nuscenes(tmp_path)
    (tmp_path / "v1.0-mini" / "sample.json").unlink()
    with pytest.raises(InputError, match="table"):
        nuscenes.check(tmp_path)


# The real key frame ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    """The real key frame written back into the official tables, and the file that it came from."""
    folder = shared_data / "nuscenes_sample"
    content = read_pickle(folder)
    frame, kinds = content["data_list"][0], list(content["metainfo"]["categories"])
    root = tmp_path_factory.mktemp("real")
    world_from_ego, ego_from_lidar = np.array(frame["ego2global"]), np.array(frame["lidar_points"]["lidar2ego"])
    image = frame["images"]["CAM_FRONT"]
    ego_from_camera = np.array(image["cam2ego"])
    ego_at_camera = world_from_ego @ ego_from_lidar @ np.linalg.inv(image["lidar2cam"]) @ inverse_rigid(ego_from_camera)
    time_us = int(frame["timestamp"] * 1e6)
    tables = {
        "scene": [{"token": "s", "name": "scene-0061", "nbr_samples": 1}],
        "sample": [{"token": "k", "scene_token": "s", "timestamp": time_us}],
        "category": [{"token": k, "name": k} for k in kinds],
        "sensor": [], "sample_data": [], "ego_pose": [], "calibrated_sensor": [], "instance": [], "sample_annotation": [],
    }  # fmt: skip
    for channel, file, ego, place, k in (
        ("CAM_FRONT", image["img_path"], ego_at_camera, ego_from_camera, np.array(image["cam2img"]).tolist()),
        ("LIDAR_TOP", frame["lidar_points"]["lidar_path"], world_from_ego, ego_from_lidar, []),
    ):
        tables["sensor"].append({"token": f"s-{channel}", "channel": channel})
        tables["ego_pose"].append({"token": f"e-{channel}", "rotation": wxyz(ego), "translation": ego[:3, 3].tolist()})
        tables["calibrated_sensor"].append(
            {"token": f"c-{channel}", "sensor_token": f"s-{channel}", "rotation": wxyz(place),
             "translation": place[:3, 3].tolist(), "camera_intrinsic": k}
        )  # fmt: skip
        tables["sample_data"].append(
            {"token": f"d-{channel}", "sample_token": "k", "is_key_frame": True, "ego_pose_token": f"e-{channel}",
             "calibrated_sensor_token": f"c-{channel}", "filename": f"samples/{channel}/{file}", "timestamp": time_us}
        )  # fmt: skip
        (root / "samples" / channel).mkdir(parents=True)
        (root / "samples" / channel / file).symlink_to(folder / file)
    world_from_lidar = world_from_ego @ ego_from_lidar
    for number, item in enumerate(frame["instances"]):
        x, y, z, length, width, height, yaw = item["bbox_3d"]
        pose = (
            world_from_lidar
            @ look([x, y, z], yaw)
            @ np.block([[CAMERA_AXES.T, np.zeros((3, 1))], [np.zeros((1, 3)), 1]])
        )
        tables["instance"].append({"token": f"i{number}", "category_token": kinds[item["bbox_label"]]})
        tables["sample_annotation"].append(
            {"token": f"a{number}", "sample_token": "k", "instance_token": f"i{number}", "visibility_token": "",
             "translation": pose[:3, 3].tolist(), "size": [width, length, height], "rotation": wxyz(pose)}
        )  # fmt: skip
    for name, rows in tables.items():
        save(root / "v1.0-mini" / f"{name}.json", json.dumps(rows))
    return root, frame, world_from_lidar


def test_real_boxes_hold_as_many_lidar_points_as_nuscenes_counted(real, shared_data, tmp_path):
    root, frame, world_from_lidar = real
    work = nuscenes.prepare(root, tmp_path)
    points = read_points(next((shared_data / "nuscenes_sample").glob("*.pcd.bin")), num_columns=5)
    world = points @ world_from_lidar[:3, :3].T + world_from_lidar[:3, 3]
    counted, told = [], []
    for a in read_annotations(work / "scene-0061"):
        b = Box3D(center_world=a.world_from_object[:3, 3], size_m=a.size_m, world_from_box=a.world_from_object[:3, :3])
        counted.append(int(points_in_box(world, b).sum()))
        told.append(int(frame["instances"][int(a.instance[1:])]["num_lidar_pts"]))
    assert len(told) > 20 and sum(told) > 500
    # the file keeps a box by its yaw alone: points at its faces may fall to either side
    off = np.abs(np.array(counted) - told) > np.maximum(2, 0.05 * np.array(told))
    assert off.mean() < 0.05, [(c, t) for c, t, o in zip(counted, told, off, strict=True) if o]


def test_the_real_key_frame_is_a_clip(real, tmp_path):
    root = real[0]
    work = nuscenes.prepare(root, tmp_path)
    (clip,) = nuscenes.read_scene(work, nuscenes.scenes(root)[0], num_frames=4, size_hw=(225, 400))
    truth = clip.truth
    seen = [o for i, o in enumerate(truth.objects) if truth.visible_px[0, i] > 40]
    assert len(seen) >= 5 and {"car", "person"} & {o.category for o in seen}
    assert np.isfinite(clip.depth_m).mean() > 0.015
    # of what is well seen and near, the LiDAR depth in its middle is the depth of its box
    camera_from_world = inverse_rigid(truth.world_from_camera[0])
    checked = []
    for i, thing in enumerate(truth.objects):
        place = camera_from_world[:3, :3] @ thing.world_from_object[0, :3, 3] + camera_from_world[:3, 3]
        if truth.visible_share[0, i] > 0.95 and truth.visible_px[0, i] > 150 and place[2] < 40:
            x, y = (truth.k_px[0] @ place / place[2])[:2].astype(int)
            window = clip.depth_m[0, max(y - 6, 0) : y + 7, max(x - 3, 0) : x + 4]
            if np.isfinite(window).any():
                checked.append(bool(np.nanmin(np.abs(window - place[2])) < thing.size_m[:2].max() / 2 + 0.3))
    assert len(checked) >= 3 and np.mean(checked) > 0.6, checked  # a walker's middle may lie between two LiDAR lines
