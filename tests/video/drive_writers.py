"""Writes the scene of ``format_writers`` in the formats that are folders with tables: KITTI, nuScenes, NeRF, COLMAP."""

import json
import struct
from pathlib import Path

import numpy as np
from format_writers import Scene, depth_mm, encoded, integer_centred, opengl, rows_text, save
from scipy.spatial.transform import Rotation

from video3d.geometry.rigid import inverse_rigid

# KITTI -----------------------------------------------------------------------------------------------------------


def write_kitti_odometry(root: Path, scene: Scene, *, camera=2, offset_m=(0.06, -0.001, 0.003)) -> Path:
    """The data set's layout: ``sequences/07`` with ``poses/07.txt`` beside; the poses are camera 0's."""
    sequence = root / "sequences" / "07"
    projection = integer_centred(scene.k_px) @ np.column_stack([np.eye(3), offset_m])
    lines = [f"P{i}: " + rows_text((projection if i == camera else np.eye(3, 4)).ravel()[None]) for i in range(4)]
    save(sequence / "calib.txt", "".join(lines))
    save(sequence / "times.txt", "".join(f"{5 + 0.1 * i:e}\n" for i in range(len(scene.rgb))))
    camera_from_camera0 = np.eye(4)
    camera_from_camera0[:3, 3] = offset_m
    world_from_camera0 = scene.world_from_camera @ camera_from_camera0
    save(root / "poses" / "07.txt", rows_text(world_from_camera0[:, :3].reshape(-1, 12)))
    for i, rgb in enumerate(scene.rgb):
        save(sequence / f"image_{camera}" / f"{i:06d}.png", encoded(rgb))
    return sequence


def write_kitti_object(root: Path, scene: Scene, *, grow=0) -> Path:
    """Frames with a LiDAR that has the marked point and one behind it; frame 0 is ``grow`` pixels larger each way."""
    lidar_from_camera = np.array([[0.0, 0, 1, 0.27], [-1, 0, 0, 0.05], [0, -1, 0, -0.08], [0, 0, 0, 1]])
    rectified = Rotation.from_rotvec([0.01, -0.02, 0.004]).as_matrix()
    offset_m = np.array([0.06, -0.001, 0.003])
    projection = integer_centred(scene.k_px) @ np.column_stack([np.eye(3), offset_m])
    velo_to_cam = inverse_rigid(lidar_from_camera)[:3]
    for i, rgb in enumerate(scene.rgb):
        point_camera = (inverse_rigid(scene.world_from_camera[i]) @ [*scene.point_world, 1])[:3]
        points = []
        for scale in (1.0, 1.5):  # the second lies behind the first on the same ray
            unrectified = rectified.T @ (point_camera * scale - offset_m)
            points.append([*(lidar_from_camera @ [*unrectified, 1])[:3], 0.5])
        points.append([-5.0, 0, 0, 0.1])  # behind the camera
        save(root / "training/velodyne" / f"{i:06d}.bin", np.array(points, "<f4").tobytes())
        padded = np.pad(rgb, ((0, grow), (0, grow), (0, 0))) if i == 0 else rgb
        save(root / "training/image_2" / f"{i:06d}.png", encoded(padded))
        rows = {"P0": np.eye(3, 4), "P2": projection, "R0_rect": rectified, "Tr_velo_to_cam": velo_to_cam}
        text = "".join(f"{name}: " + rows_text(m.ravel()[None]) for name, m in rows.items())
        save(root / "training/calib" / f"{i:06d}.txt", text + "\n")
    return root


# nuScenes --------------------------------------------------------------------------------------------------------


def wxyz(pose: np.ndarray) -> list[float]:
    return np.roll(Rotation.from_matrix(pose[:3, :3]).as_quat(), 1).tolist()


def nuscenes_tables(scene: Scene, channels=("CAM_FRONT", "CAM_BACK")) -> tuple[dict[str, list[dict]], dict[str, bytes]]:
    """Tables and files of two scenes: frame i of the scene is camera ``i % n`` of key frame ``i // n``.

    The ego moves between the firing of the LiDAR and of each camera, so that both ego poses must be used.
    """
    ego_from_camera = np.array([[0.0, 0, 1, 1.7], [-1, 0, 0, 0.01], [0, -1, 0, 1.5], [0, 0, 0, 1]])
    ego_from_lidar = np.eye(4)
    ego_from_lidar[:3, 3] = 0.94, 0, 1.84
    tables: dict[str, list[dict]] = {
        "scene": [
            {"token": "s1", "name": "scene-0061", "nbr_samples": len(scene.rgb) // len(channels)},
            {"token": "s2", "name": "scene-0103", "nbr_samples": 0},
        ],
        "sensor": [{"token": f"sensor-{c}", "channel": c} for c in (*channels, "LIDAR_TOP", "RADAR_FRONT")],
        "sample": [], "sample_data": [], "ego_pose": [],
        "calibrated_sensor": [
            {
                "token": f"cal-{c}", "sensor_token": f"sensor-{c}",
                "rotation": wxyz(ego_from_camera), "translation": ego_from_camera[:3, 3].tolist(),
                "camera_intrinsic": integer_centred(scene.k_px).tolist(),
            }
            for c in channels
        ] + [
            {
                "token": "cal-LIDAR_TOP", "sensor_token": "sensor-LIDAR_TOP", "rotation": wxyz(ego_from_lidar),
                "translation": ego_from_lidar[:3, 3].tolist(), "camera_intrinsic": [],
            }
        ],
    }  # fmt: skip
    files: dict[str, bytes] = {}

    def add(token: str, key: str, channel: str, *, world_from_ego: np.ndarray, name: str, time_us: int) -> None:
        tables["ego_pose"].append(
            {"token": f"ego-{token}", "rotation": wxyz(world_from_ego), "translation": world_from_ego[:3, 3].tolist()}
        )
        tables["sample_data"].append(
            {
                "token": token, "sample_token": key, "calibrated_sensor_token": f"cal-{channel}", "is_key_frame": True,
                "ego_pose_token": f"ego-{token}", "filename": name, "timestamp": time_us,
            }
        )  # fmt: skip

    for i, rgb in enumerate(scene.rgb):
        sample, channel = i // len(channels), channels[i % len(channels)]
        key, time_us = f"k{sample}", 10**15 + 500_000 * sample
        world_from_ego = scene.world_from_camera[i] @ inverse_rigid(ego_from_camera)
        name = f"samples/{channel}/{i}.jpg"
        add(f"d{i}", key, channel, world_from_ego=world_from_ego, name=name, time_us=time_us + 1000 * i)
        files[name] = encoded(rgb, "JPEG")
        if i % len(channels) == 0:
            tables["sample"].append({"token": key, "scene_token": "s1", "timestamp": time_us})
            world_from_ego[:3, 3] += 0.4
            points = np.array([[*(inverse_rigid(world_from_ego @ ego_from_lidar) @ [*scene.point_world, 1])[:3], 9, 3]])
            name = f"samples/LIDAR_TOP/{i}.pcd.bin"
            add(f"l{i}", key, "LIDAR_TOP", world_from_ego=world_from_ego, name=name, time_us=time_us)
            files[name] = points.astype("<f4").tobytes()
    return tables, files


def write_nuscenes(root: Path, tables: dict[str, list[dict]], files: dict[str, bytes]) -> Path:
    for name, rows in tables.items():
        save(root / "v1.0-mini" / f"{name}.json", json.dumps(rows, indent=0))
    for name, data in files.items():
        save(root / name, data)
    return root


# NeRF and COLMAP -------------------------------------------------------------------------------------------------


def transforms(scene: Scene) -> dict:
    h, w = scene.size_hw
    k = scene.k_px
    return {
        "fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2], "cy": k[1, 2], "w": w, "h": h, "camera_model": "OPENCV",
        "frames": [
            {"file_path": f"images/{i}.png", "depth_file_path": f"depth/{i}.png", "transform_matrix": p.tolist()}
            for i, p in enumerate(opengl(scene.world_from_camera))
        ],
    }  # fmt: skip


def write_nerf(root: Path, scene: Scene, document: dict | None = None) -> Path:
    for i in range(len(scene.rgb)):
        save(root / "images" / f"{i}.png", encoded(scene.rgb[i]))
        save(root / "depth" / f"{i}.png", encoded(depth_mm(scene.depth_m[i])))
    save(root / "transforms.json", json.dumps(transforms(scene) if document is None else document))
    return root


def write_colmap(root: Path, scene: Scene, *, binary: bool, registered=None) -> Path:
    """A model in ``sparse/0``, written by hand after the format's page, and the photographs."""
    (h, w), k = scene.size_hw, scene.k_px
    registered = range(len(scene.rgb)) if registered is None else registered
    camera_from_world = inverse_rigid(scene.world_from_camera)
    model = root / "sparse" / "0"
    if binary:
        camera = struct.pack("<QIiQQ4d", 1, 7, 1, w, h, k[0, 0], k[1, 1], k[0, 2], k[1, 2])
        save(model / "cameras.bin", camera)
        images = struct.pack("<Q", len(registered))
        for i in registered:
            pose = camera_from_world[i]
            images += struct.pack("<I7dI", i + 1, *wxyz(pose), *pose[:3, 3], 7) + f"{i:03d}.png".encode() + b"\0"
            images += struct.pack("<Q", 2) + struct.pack("<ddq", 1, 2, -1) * 2
        save(model / "images.bin", images)
    else:
        save(model / "cameras.txt", f"# comment\n7 PINHOLE {w} {h} {k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]}\n")
        lines = ["# comment"]
        for i in registered:
            pose = camera_from_world[i]
            numbers = " ".join(repr(float(v)) for v in (*wxyz(pose), *pose[:3, 3]))
            lines += [f"{i + 1} {numbers} 7 {i:03d}.png", "1.0 2.0 -1" if i % 2 else ""]
        save(model / "images.txt", "\n".join(lines) + "\n")
    for i, rgb in enumerate(scene.rgb):
        save(root / "images" / f"{i:03d}.png", encoded(rgb))
    return root
