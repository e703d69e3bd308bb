"""nuScenes: drives with six cameras around a car and a LiDAR, key frames at 2 Hz.

Layout: ``v1.0-mini/`` (or ``v1.0-trainval``, ``v1.0-test``) with the tables ``scene sample sample_data
calibrated_sensor sensor ego_pose`` as JSON, and ``samples/CAM_FRONT/*.jpg`` ... ``samples/LIDAR_TOP/*.pcd.bin``
beside it. One recording is one scene: ``ROOT#scene-0061`` names it, ``ROOT`` alone takes the first and a note says
which others there are. Page of the format: https://www.nuscenes.org/nuscenes#data-format and docs/schema_nuscenes.md
of the devkit.

- The six cameras of each key frame follow one another, front first, then clockwise; a frame is named
  ``CAM_FRONT/<sample_data token>``. Neighbours in this order look elsewhere, so the recording is no sequence.
- Camera axes: OpenCV (x right, y down, z forward). Quaternions are w x y z. world_from_camera is the ego pose at the
  camera's own time times the camera's place on the car. Metres.
- Pixels: the calibration is OpenCV's, integer-centred, so 0.5 is added to cx and cy.
- Depth: the key frame's LiDAR sweep (float32 x, y, z, intensity, ring), carried through the world because the camera
  fires at another time than the LiDAR passes; sparse, NaN elsewhere. Points within 1 m of the camera lie on the car
  itself and are left out, as the devkit does.
- World: the map's frame, z up.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from video3d.geometry.rigid import inverse_rigid, transform_points
from video3d.types import InputError, Recording, World
from video3d.video.images import path_inside, rgb_files
from video3d.video.json_files import iterate_rows, want, want_numbers
from video3d.video.kitti_object import read_points
from video3d.video.pose_formats import poses_from_quaternions
from video3d.video.registration import splat_depth

_CAMERAS = ("CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT")
_LIDAR = "LIDAR_TOP"
_MIN_LIDAR_M = 1.0
_MAX_NAMES_IN_NOTE = 5

_Row = dict[str, Any]


def detect(path: Path) -> bool:
    """Whether the folder (``#scene-name`` after it is allowed) holds nuScenes tables."""
    try:
        return _tables(_split_source(path)[0]) is not None
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open one scene. Tables are read row by row, so that the full data set's gigabytes are never in memory.

    Errors: ``InputError`` for a missing table or value, an unknown scene, a key frame that lacks a camera, or a count
    of key frames other than the scene's.
    """
    root, wanted = _split_source(path)
    tables = _tables(root)
    if tables is None:
        raise InputError(path, expected="a folder v1.0-* with scene.json", got="none")
    if tables == root:
        root = tables.parent
    scene, names = _scene(tables, wanted)
    samples = _samples(tables, scene)
    views = _views(tables, samples)
    table = tables / "sample_data.json"
    sensors = _by_token(tables / "calibrated_sensor.json", {row["calibrated_sensor_token"] for row in views})
    egos = _by_token(tables / "ego_pose.json", {want(row, "ego_pose_token", str, table) for row in views})

    def file_of(row: _Row) -> Path:
        return path_inside(root, want(row, "filename", str, table), named_by=table)

    cameras = [row for row in views if row["channel"] != _LIDAR]
    world_from_sensor = _poses(views, sensors, egos, tables)
    by_token = {row["token"]: pose for row, pose in zip(views, world_from_sensor, strict=True)}
    sweeps = {
        row["sample_token"]: _Sweep(path=file_of(row), world_from_lidar=by_token[row["token"]])
        for row in views
        if row["channel"] == _LIDAR
    }
    k_px = np.stack([_k(sensors[row["calibrated_sensor_token"]], tables) for row in cameras])
    poses = np.stack([by_token[row["token"]] for row in cameras])
    load_rgb = rgb_files([file_of(row) for row in cameras])
    clock_us = [want(row, "timestamp", int, table) for row in cameras]
    depth = _LidarDepth(
        sweeps=tuple(sweeps.get(row["sample_token"]) for row in cameras),
        k_px=k_px,
        camera_from_world=inverse_rigid(poses),
        size_hw=load_rgb.size_hw,
    )
    return Recording(
        source=path,
        format="nuscenes",
        size_hw=load_rgb.size_hw,
        time_s=np.array([(t - min(clock_us)) * 1e-6 for t in clock_us]),
        frame_names=tuple(f"{row['channel']}/{row['token']}" for row in cameras),
        load_rgb=load_rgb,
        load_depth_m=depth if sweeps else None,
        depth_size_hw=load_rgb.size_hw if sweeps else None,
        k_px=k_px,
        world_from_camera=poses,
        up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="the city map's"),
        sequence=False,
        rig=len(cameras) // len(samples),
        notes=_notes(scene["name"], names, len(samples)),
    )


def _split_source(path: Path) -> tuple[Path, str | None]:
    """Folder and scene name of ``ROOT#scene-0061``; a ``#`` in a folder that exists stays what it is."""
    if "#" not in path.name or path.exists():
        return path, None
    folder, _, scene = path.name.rpartition("#")
    return path.with_name(folder) if folder else path.parent, scene


def _tables(root: Path) -> Path | None:
    """The folder with the tables: the root itself, or a version in it (mini last, as the others contain it)."""
    if (root / "scene.json").is_file() and (root / "sample_data.json").is_file():
        return root
    versions = sorted(root.glob("v1.0-*"), key=lambda p: (p.name == "v1.0-mini", p.name)) if root.is_dir() else []
    return next((p for p in versions if (p / "scene.json").is_file()), None)


def _scene(tables: Path, wanted: str | None) -> tuple[_Row, list[str]]:
    path = tables / "scene.json"
    scenes = list(iterate_rows(path))
    names = [want(row, "name", str, path) for row in scenes]
    if not scenes:
        raise InputError(path, expected="scenes", got="none")
    if wanted is None:
        return scenes[0], names
    if wanted not in names:
        raise InputError(
            f"{path}: {wanted[:40]}", expected="a scene's name", got=f"none of {len(names)}, {_some(names)}"
        )
    return scenes[names.index(wanted)], names


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES_IN_NOTE} more" if len(names) > _MAX_NAMES_IN_NOTE else ""
    return ", ".join(names[:_MAX_NAMES_IN_NOTE])[:120] + more


def _notes(name: str, names: list[str], num_samples: int) -> tuple[str, ...]:
    notes = (f"{name}: {num_samples} key frames of up to {len(_CAMERAS)} cameras, flattened",)
    others = [other for other in names if other != name]
    return (*notes, f"other scenes, by SOURCE#NAME: {_some(others)}") if others else notes


def _samples(tables: Path, scene: _Row) -> dict[str, int]:
    """Key frames of a scene by token, with their time in microseconds, in order of time."""
    path = tables / "sample.json"
    token = want(scene, "token", str, tables / "scene.json")
    rows = [row for row in iterate_rows(path) if row.get("scene_token") == token]
    samples = {want(row, "token", str, path): want(row, "timestamp", int, path) for row in rows}
    count = want(scene, "nbr_samples", int, tables / "scene.json")
    if len(samples) != count or not samples:
        raise InputError(path, expected=f"{count} key frames of {scene['name'][:40]}", got=len(samples))
    return dict(sorted(samples.items(), key=lambda item: item[1]))


def _views(tables: Path, samples: Collection[str]) -> list[_Row]:
    """sample_data rows of the cameras and the LiDAR, with ``channel`` added, key frame by key frame in camera order.

    Cameras that no key frame has are left out (a partial download); one that only some lack is an error.
    """
    path = tables / "sample_data.json"
    channels = _channels(tables)
    found: dict[tuple[str, str], _Row] = {}
    for row in iterate_rows(path):
        if row.get("is_key_frame") is True and row.get("sample_token") in samples:
            channel = channels.get(want(row, "calibrated_sensor_token", str, path))
            if channel in _CAMERAS or channel == _LIDAR:
                found[row["sample_token"], channel] = {
                    **row,
                    "token": want(row, "token", str, path),
                    "channel": channel,
                }
    cameras = [channel for channel in _CAMERAS if any(key[1] == channel for key in found)]
    if not cameras:
        raise InputError(path, expected="camera images of the scene's key frames", got="none")
    for sample in samples:
        for channel in cameras:
            if (sample, channel) not in found:
                raise InputError(path, expected=f"an image of {channel} for key frame {sample[:40]}", got="none")
    order = [(sample, channel) for sample in samples for channel in (*cameras, _LIDAR) if (sample, channel) in found]
    return [found[key] for key in order]


def _channels(tables: Path) -> dict[str, str]:
    """Channel (CAM_FRONT, ...) by token of the calibrated sensor."""
    sensor, calibrated = tables / "sensor.json", tables / "calibrated_sensor.json"
    names = {want(row, "token", str, sensor): want(row, "channel", str, sensor) for row in iterate_rows(sensor)}
    rows = iterate_rows(calibrated)
    return {want(r, "token", str, calibrated): names.get(want(r, "sensor_token", str, calibrated), "") for r in rows}


def _by_token(path: Path, tokens: Collection[str]) -> dict[str, _Row]:
    rows = {row["token"]: row for row in iterate_rows(path) if row.get("token") in tokens}
    if len(rows) < len(tokens):
        missing = next(iter(set(tokens) - set(rows)))
        raise InputError(path, expected=f"a row for every key frame's view, {missing[:40]} among them", got="none")
    return rows


def _poses(
    views: list[_Row], sensors: dict[str, _Row], egos: dict[str, _Row], tables: Path
) -> Float64[np.ndarray, "v 4 4"]:
    """world_from_sensor of every view."""

    def rigid(row_of: Callable[[_Row], _Row], thing: Path) -> Float64[np.ndarray, "v 4 4"]:
        rows = [row_of(view) for view in views]
        wxyz = np.stack([want_numbers(row, "rotation", (4,), thing) for row in rows])
        translation = np.stack([want_numbers(row, "translation", (3,), thing) for row in rows])
        return poses_from_quaternions(np.roll(wxyz, -1, axis=1), translation, thing)

    world_from_ego = rigid(lambda view: egos[view["ego_pose_token"]], tables / "ego_pose.json")
    return world_from_ego @ rigid(
        lambda view: sensors[view["calibrated_sensor_token"]], tables / "calibrated_sensor.json"
    )


def _k(sensor: _Row, tables: Path) -> Float64[np.ndarray, "3 3"]:
    path = tables / "calibrated_sensor.json"
    k_px = want_numbers(sensor, "camera_intrinsic", (3, 3), path)
    if not (k_px[0, 0] > 0 and k_px[1, 1] > 0):
        raise InputError(path, expected="focal lengths above 0", got=f"fx {k_px[0, 0]:g}, fy {k_px[1, 1]:g}")
    k_px[:2, 2] += 0.5
    return k_px


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    path: Path
    world_from_lidar: Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _LidarDepth:
    sweeps: tuple[_Sweep | None, ...]
    k_px: Float64[np.ndarray, "f 3 3"]
    camera_from_world: Float64[np.ndarray, "f 4 4"]
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f h w"]:
        depth_m = np.full((len(indices), *self.size_hw), np.nan, np.float32)
        for slot, i in enumerate(indices):
            sweep = self.sweeps[i]
            if sweep is not None:
                camera_from_lidar = self.camera_from_world[i] @ sweep.world_from_lidar
                points = transform_points(camera_from_lidar, read_points(sweep.path, num_columns=5))
                points = points[points[:, 2] > _MIN_LIDAR_M]
                depth_m[slot] = splat_depth(points, k_px=self.k_px[i], size_hw=self.size_hw)
        return depth_m
