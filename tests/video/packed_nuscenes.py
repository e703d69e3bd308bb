"""One nuScenes key frame with its annotations, as toolboxes pack it (a pickle beside seven files), put into the official layout.

The pickle is read by an unpickler that knows numbers, text and containers and nothing else: it runs no code.
"""

import importlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from video3d.geometry.rigid import inverse_rigid
from video3d.types import Box3D

NAMES = (
    "car", "truck", "trailer", "bus", "construction vehicle", "bicycle", "motorcycle", "pedestrian", "traffic cone", "barrier",
)  # fmt: skip
"""By the number that the file's labels are."""


class NumbersOnly(pickle.Unpickler):
    """Unpickles nothing but built-in containers and numpy scalars."""

    def find_class(self, module: str, name: str) -> Any:
        """The three names that such scalars need. Errors: ``KeyError`` for any other."""
        scalar = importlib.import_module("numpy._core.multiarray").scalar
        allowed = {
            ("numpy.core.multiarray", "scalar"): scalar,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
        }
        return allowed[module, name]


def read_pickle(folder: Path) -> dict[str, Any]:
    """What the file in a folder holds."""
    with next(folder.glob("*.pkl")).open("rb") as file:
        return NumbersOnly(file).load()


def read_packed(folder: Path) -> dict[str, Any]:
    """The one frame of it."""
    return read_pickle(folder)["data_list"][0]


def write_tables(folder: Path, frame: dict[str, Any], root: Path) -> Path:
    """The frame in the official layout under ``root``, pictures and sweep as links; what the reader opens."""
    world_from_ego, ego_from_lidar = np.array(frame["ego2global"]), np.array(frame["lidar_points"]["lidar2ego"])
    tables: dict[str, list[dict[str, Any]]] = {
        "scene": [{"token": "s", "name": "scene-0061", "nbr_samples": 1}],
        "sample": [{"token": "k", "scene_token": "s", "timestamp": int(frame["timestamp"] * 1e6)}],
        **{name: [] for name in ("sensor", "sample_data", "ego_pose", "calibrated_sensor")},
    }

    def placed(pose: np.ndarray) -> dict[str, list[float]]:
        wxyz = np.roll(Rotation.from_matrix(pose[:3, :3]).as_quat(), 1)
        return {"rotation": wxyz.tolist(), "translation": pose[:3, 3].tolist()}

    def add(channel: str, file: str, ego: np.ndarray, sensor: np.ndarray, k: list[list[float]], time_s: float) -> None:
        tables["sensor"].append({"token": f"s-{channel}", "channel": channel})
        tables["ego_pose"].append({"token": f"e-{channel}", **placed(ego)})
        calibrated = {"token": f"c-{channel}", "sensor_token": f"s-{channel}", "camera_intrinsic": k}
        tables["calibrated_sensor"].append(calibrated | placed(sensor))
        row = {"token": f"d-{channel}", "sample_token": "k", "is_key_frame": True, "timestamp": int(time_s * 1e6)}
        row |= {"ego_pose_token": f"e-{channel}", "calibrated_sensor_token": f"c-{channel}"}
        tables["sample_data"].append(row | {"filename": f"samples/{channel}/{file}"})
        target = root / "samples" / channel / file
        target.parent.mkdir(parents=True)
        target.symlink_to((folder / file).resolve())

    add("LIDAR_TOP", frame["lidar_points"]["lidar_path"], world_from_ego, ego_from_lidar, [], frame["timestamp"])
    for channel, image in frame["images"].items():
        ego_from_camera = np.array(image["cam2ego"])
        # The file composes lidar2cam of both ego poses; undone, that gives the ego pose at the camera's time.
        world_from_camera = world_from_ego @ ego_from_lidar @ np.linalg.inv(np.array(image["lidar2cam"]))
        ego, k = world_from_camera @ inverse_rigid(ego_from_camera), np.array(image["cam2img"]).tolist()
        add(channel, image["img_path"], ego, ego_from_camera, k, image["timestamp"])
    (root / "v1.0-mini").mkdir()
    for name, rows in tables.items():
        (root / "v1.0-mini" / f"{name}.json").write_text(json.dumps(rows))
    return root


def annotated_boxes(frame: dict[str, Any]) -> list[tuple[str, Box3D, int, np.ndarray | None]]:
    """Name, box in the world, number of LiDAR points on it, and velocity (x, y in the world) where it is annotated."""
    world_from_lidar = np.array(frame["ego2global"]) @ np.array(frame["lidar_points"]["lidar2ego"])
    found = []
    for one in frame["instances"]:
        x, y, z, length, width, height, yaw = (float(v) for v in one["bbox_3d"])
        turn = np.eye(4)
        turn[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
        turn[:3, 3] = x, y, z
        pose = world_from_lidar @ turn
        box = Box3D(center_world=pose[:3, 3], size_m=np.array([length, width, height]), world_from_box=pose[:3, :3])
        name = NAMES[one["bbox_label_3d"]] if one["bbox_label_3d"] >= 0 else "?"
        velocity = np.array([*one["velocity"], 0.0])
        told = (world_from_lidar[:3, :3] @ velocity)[:2] if np.isfinite(velocity).all() else None
        found.append((name, box, int(one["num_lidar_pts"]), told))
    return found
