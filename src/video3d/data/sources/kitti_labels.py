"""KITTI's text files beside the pictures: calibration, 3D labels (detection and tracking), GPS and inertial poses.

Pages of the formats: the readmes of the object and tracking devkits and ``matlab/convertOxtsToPose.m`` of the raw devkit,
https://www.cvlibs.net/datasets/kitti.

- A label's place is the middle of its box's bottom in rectified camera 0 (x right, y down, z forward), sizes are height, width,
  length, and ``rotation_y`` turns about +y: at 0 the object's front points along +x.
- In a calibration file a LiDAR point goes ``R_rect @ Tr_velo_cam`` into rectified camera 0, ``P2 = K [I | t]`` moves by t on into
  camera 2; ``Tr_imu_velo`` goes from the inertial unit to the LiDAR. The tracking set writes ``R_rect``, ``Tr_velo_cam``,
  ``Tr_imu_velo``, the object set ``R0_rect``, ``Tr_velo_to_cam``, ``Tr_imu_to_velo``, with or without a colon.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError
from video3d.video.kitti_odometry import split_projection
from video3d.video.text_files import numbers, read_rows

CAMERA_HEIGHT_M = 1.65
"""Height of the cameras above the road (the data set's page on the sensor setup)."""

_EARTH_RADIUS_M = 6378137.0
_MAX_SIZE_M, _MAX_PLACE_M = 100.0, 1e4
_ALIASES = {
    "R_rect": ("R_rect", "R0_rect"),
    "Tr_velo_cam": ("Tr_velo_cam", "Tr_velo_to_cam"),
    "Tr_imu_velo": ("Tr_imu_velo", "Tr_imu_to_velo"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One labelled object in one frame.

    Attributes:
        frame: number of the frame; 0 for the object set.
        track: its number through the sequence; the row's number for the object set.
        kind: KITTI's word: Car, Van, Truck, Pedestrian, Person_sitting, Cyclist, Tram, Misc.
        occluded: 0 fully visible, 1 partly, 2 largely hidden, 3 unknown.
        size_m: width, length, height: the axes of ``camera_from_object``.
        camera_from_object: pose of the box (its centre; front -y, z up) in rectified camera 0.
    """

    frame: int
    track: int
    kind: str
    occluded: int
    size_m: Float64[np.ndarray, "3"]
    camera_from_object: Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Camera 2 and where the other sensors are: K with pixel centres at +0.5, and transforms into camera 2.

    ``camera_from_imu`` is None where the calibration does not give it.
    """

    k_px: Float64[np.ndarray, "3 3"]
    camera_from_rectified: Float64[np.ndarray, "4 4"]
    camera_from_lidar: Float64[np.ndarray, "4 4"]
    camera_from_imu: Float64[np.ndarray, "4 4"] | None


def read_labels(path: Path, *, tracking: bool) -> list[Label]:
    """The labels of a file, without ``DontCare``.

    Errors: ``InputError`` that names the line for too few columns, words for numbers, or a box of no or absurd size.
    """
    out = []
    for line, words in read_rows(path):
        thing = f"{path}: line {line}"
        lead = 2 if tracking else 0
        if len(words) < 15 + lead:
            raise InputError(thing, expected=f"{15 + lead} columns", got=len(words))
        kind = words[lead]
        if kind == "DontCare":
            continue
        values = numbers(words[lead + 1 : lead + 15], thing)
        height, width, length = values[7:10]
        if not (
            values[7:10].min() > 0 and values[7:10].max() < _MAX_SIZE_M and np.abs(values[10:13]).max() < _MAX_PLACE_M
        ):
            got = f"size {values[7:10].tolist()} m at {values[10:13].tolist()} m"
            raise InputError(thing, expected="a box of a street's size", got=got)
        frame, track = (int(v) for v in numbers(words[:2], thing)) if tracking else (0, line)
        pose = np.eye(4)
        pose[:3, :3] = _facing(float(values[13]))
        pose[:3, 3] = values[10:13] - [0.0, height / 2, 0.0]
        out.append(
            Label(
                frame=frame,
                track=track,
                kind=kind[:40],
                occluded=int(values[1]),
                size_m=np.array([width, length, height]),
                camera_from_object=pose,
            )
        )
    return out


def _facing(rotation_y: float) -> Float64[np.ndarray, "3 3"]:
    """Axes of an object in the camera: -y its front, z up (the camera's -y)."""
    front = np.array([np.cos(rotation_y), 0.0, -np.sin(rotation_y)])
    up = np.array([0.0, -1.0, 0.0])
    return np.stack([np.cross(-front, up), -front, up], axis=1)


def read_rig(path: Path) -> Rig:
    """Calibration of a frame (object set) or a sequence (tracking set). Errors: ``InputError`` for a missing or wrong row."""
    rows = {words[0].rstrip(":"): words[1:] for _, words in read_rows(path)}

    def matrix(name: str, columns: int, *, optional: bool = False) -> Float64[np.ndarray, "3 c"] | None:
        found = next((rows[alias] for alias in _ALIASES.get(name, (name,)) if alias in rows), None)
        if found is None:
            if optional:
                return None
            raise InputError(path, expected=f"a row {name}", got="none")
        values = numbers(found, path)
        if values.size != 3 * columns:
            raise InputError(path, expected=f"3x{columns} numbers for {name}", got=values.size)
        return values.reshape(3, columns)

    def rigid(upper: Float64[np.ndarray, "3 4"]) -> Float64[np.ndarray, "4 4"]:
        return np.concatenate([upper, [[0.0, 0.0, 0.0, 1.0]]])

    projection, rectify, velo = matrix("P2", 4), matrix("R_rect", 3), matrix("Tr_velo_cam", 4)
    imu = matrix("Tr_imu_velo", 4, optional=True)
    assert projection is not None and rectify is not None and velo is not None
    k_px, offset_m = split_projection(projection, path)
    camera_from_rectified = np.eye(4)
    camera_from_rectified[:3, 3] = offset_m
    rectified_from_camera0 = np.eye(4)
    rectified_from_camera0[:3, :3] = rectify
    camera_from_lidar = camera_from_rectified @ rectified_from_camera0 @ rigid(velo)
    return Rig(
        k_px=k_px,
        camera_from_rectified=camera_from_rectified,
        camera_from_lidar=camera_from_lidar,
        camera_from_imu=None if imu is None else camera_from_lidar @ rigid(imu),
    )


def read_oxts(path: Path) -> Float64[np.ndarray, "f 4 4"]:
    """world_from_imu of every line of an oxts file: x east, y north, z up, metres on a Mercator map of the first latitude.

    Errors: ``InputError`` for lines of fewer than 6 numbers or a latitude that is none.
    """
    rows = [numbers(words[:6], f"{path}: line {line}") for line, words in read_rows(path)]
    if not rows or any(row.size < 6 for row in rows):
        raise InputError(path, expected="lines of 30 numbers", got=f"{len(rows)} lines, some shorter than 6 numbers")
    table = np.stack(rows)
    if np.abs(table[:, 0]).max() > 85 or np.abs(table[:, 1]).max() > 360:
        raise InputError(path, expected="latitudes and longitudes in degrees", got=table[0, :2].tolist())
    scale = np.cos(np.radians(table[0, 0]))
    east = scale * np.radians(table[:, 1]) * _EARTH_RADIUS_M
    north = scale * _EARTH_RADIUS_M * np.log(np.tan(np.radians(90 + table[:, 0]) / 2))
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    for pose, (roll, pitch, yaw) in zip(poses, table[:, 3:6], strict=True):
        pose[:3, :3] = _about(2, yaw) @ _about(1, pitch) @ _about(0, roll)
    poses[:, :3, 3] = np.stack([east, north, table[:, 2]], axis=1)
    poses[:, :3, 3] -= poses[0, :3, 3].copy()
    return poses


def _about(axis: int, angle: float) -> Float64[np.ndarray, "3 3"]:
    """Rotation about one of the axes, right-handed."""
    out = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[i, i] = out[j, j] = np.cos(angle)
    out[i, j], out[j, i] = -np.sin(angle), np.sin(angle)
    return out


def level_world() -> Float64[np.ndarray, "4 4"]:
    """world_from_camera of a camera held level at its height above the road: x ahead, y left, z up, ground at 0."""
    pose = np.eye(4)
    pose[:3, :3] = [[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
    pose[2, 3] = CAMERA_HEIGHT_M
    return pose


def world_from_cameras(
    world_from_imu: Float64[np.ndarray, "f 4 4"], camera_from_imu: Float64[np.ndarray, "4 4"]
) -> Float64[np.ndarray, "f 4 4"]:
    """Poses of camera 2, moved so that the first one stands at x = y = 0 and its height above the road; exactly rigid."""
    poses = world_from_imu @ inverse_rigid(camera_from_imu)
    u, _, vt = np.linalg.svd(poses[:, :3, :3])
    poses[:, :3, :3] = u @ vt
    poses[:, :3, 3] -= poses[0, :3, 3] - np.array([0.0, 0.0, CAMERA_HEIGHT_M])
    return poses
