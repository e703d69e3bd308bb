"""Hostile recordings of the formats that are folders with tables: KITTI, nuScenes, NeRF, COLMAP."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drive_writers as d
import format_writers as w
import numpy as np
from hostile_scans import DEEP, INF, NAN, SCENE, ZERO_QUATERNION, Build, broken, cut, linked_to_itself, text

DRIVE = w.make_scene(num_frames=4)


def odometry(folder: Path) -> Path:
    return d.write_kitti_odometry(folder, SCENE)


ODOMETRY = {
    "projection missing": broken(odometry, "calib.txt", text("P2:", "P7:")),
    "projection of 11 numbers": broken(odometry, "calib.txt", "P2: " + "1 " * 11),
    "projection singular": broken(odometry, "calib.txt", "P2: " + "0 " * 12),
    "projection infinite": broken(odometry, "calib.txt", "P2: " + "inf " * 12),
    "calibration empty": broken(odometry, "calib.txt", ""),
    "poses of another number": broken(odometry, "../../poses/07.txt", "1 0 0 0 0 1 0 0 0 0 1 0\n" * 2),
    "poses NaN": broken(odometry, "../../poses/07.txt", "1 0 0 nan 0 1 0 0 0 0 1 0\n" * 3),
    "poses in words": broken(odometry, "../../poses/07.txt", "pose\n" * 36),
    "poses that scale": broken(odometry, "../../poses/07.txt", "2 0 0 0 0 2 0 0 0 0 2 0\n" * 3),
    "poses that mirror": broken(odometry, "../../poses/07.txt", "-1 0 0 0 0 1 0 0 0 0 1 0\n" * 3),
    "times of another number": broken(odometry, "times.txt", "0\n1\n"),
    "times that go back": broken(odometry, "times.txt", "2\n1\n0\n"),
    "image cut short": broken(odometry, "image_2/000001.png", cut),
    "image of another size": broken(odometry, "image_2/000002.png", w.encoded(np.zeros((50, 64, 3), np.uint8))),
    "image a link to itself": linked_to_itself(odometry, "image_2/000001.png"),
}


def frames(folder: Path) -> Path:
    return d.write_kitti_object(folder, SCENE)


OBJECT = {
    "calibration missing": broken(frames, "training/calib/000001.txt", None),
    "calibration without the LiDAR": broken(frames, "training/calib/000001.txt", text("Tr_velo_to_cam", "Tr_other")),
    "calibration NaN": broken(frames, "training/calib/000001.txt", text("R0_rect: 0.9", "R0_rect: nan0.9")),
    "projection of zeros": broken(frames, "training/calib/000000.txt", "P2: " + "0 " * 12),
    "sweep of an odd size": broken(frames, "training/velodyne/000002.bin", bytes(1003)),
    "image empty": broken(frames, "training/image_2/000000.png", b""),
    "image cut short": broken(frames, "training/image_2/000002.png", cut),
}


def nuscenes(change: Callable[[dict[str, list[dict[str, Any]]]], Any] | None = None) -> Build:
    def build(folder: Path) -> Path:
        tables, files = d.nuscenes_tables(DRIVE)
        if change is not None:
            change(tables)
        return d.write_nuscenes(folder / "data", tables, files)

    return build


def table(name: str, content: Any) -> Build:
    return broken(nuscenes(), f"v1.0-mini/{name}.json", content)


def cell(name: str, row: int, key: str, value: Any) -> Build:
    return nuscenes(lambda tables: tables[name][row].__setitem__(key, value))


NUSCENES = {
    "table missing": table("ego_pose", None),
    "table a link to itself": linked_to_itself(nuscenes(), "v1.0-mini/sample.json"),
    "table no list": table("sample", "{}"),
    "table of numbers": table("sample", "[1, 2, 3]"),
    "table cut short": table("sample_data", cut),
    "table deeply nested": table("calibrated_sensor", DEEP),
    "table empty": table("scene", "[]"),
    "table in binary": table("sensor", b"[\xff\xfe\x80]"),
    "table with a number of 10000 digits": table("sensor", '[{"token": ' + "9" * 10_000 + "}]"),
    "path climbs out": cell("sample_data", 0, "filename", "../../../etc/passwd"),
    "path absolute": cell("sample_data", 1, "filename", "/etc/passwd"),
    "path a number": cell("sample_data", 0, "filename", 7),
    "image missing": broken(nuscenes(), "samples/CAM_FRONT/0.jpg", None),
    "image cut short": broken(nuscenes(), "samples/CAM_BACK/1.jpg", cut),
    "sweep missing": broken(nuscenes(), "samples/LIDAR_TOP/0.pcd.bin", None),
    "sweep of an odd size": broken(nuscenes(), "samples/LIDAR_TOP/2.pcd.bin", bytes(21)),
    "scene of that name missing": lambda folder: nuscenes()(folder).with_name("data#scene-9999"),
    "key frames of another number": cell("scene", 0, "nbr_samples", 40),
    "camera missing in a key frame": nuscenes(lambda tables: tables["sample_data"].pop(2)),
    "ego pose missing": nuscenes(lambda tables: tables["ego_pose"].pop()),
    "sensor missing": nuscenes(lambda tables: tables["sensor"].clear()),
    "quaternion of zeros": cell("ego_pose", 0, "rotation", ZERO_QUATERNION),
    "quaternion in words": cell("ego_pose", 0, "rotation", "wxyz"),
    "translation NaN": cell("ego_pose", 1, "translation", [NAN, 0.0, 0.0]),
    "camera without intrinsics": cell("calibrated_sensor", 0, "camera_intrinsic", []),
    "intrinsics singular": cell("calibrated_sensor", 0, "camera_intrinsic", [[0, 0, 0]] * 3),
    "time in words": cell("sample_data", 0, "timestamp", "noon"),
}


def nerf(change: Callable[[dict[str, Any]], Any] | None = None) -> Build:
    def build(folder: Path) -> Path:
        document = d.transforms(SCENE)
        if change is not None:
            change(document)
        return d.write_nerf(folder, SCENE, document)

    return build


def head(**values: Any) -> Build:
    return nerf(lambda document: document.update(values))


def frame(key: str, value: Any) -> Build:
    return nerf(lambda document: document["frames"][1].__setitem__(key, value))


NERF = {
    "path climbs out": frame("file_path", "../../../../etc/passwd"),
    "path absolute": frame("file_path", "/etc/passwd"),
    "path with a zero byte": frame("file_path", "images/1.png\0"),
    "path a number": frame("file_path", 1),
    "depth path climbs out": frame("depth_file_path", "../../depth.png"),
    "depth missing": frame("depth_file_path", "depth/none.png"),
    "no JSON": broken(nerf(), "transforms.json", "{,}"),
    "JSON deeply nested": broken(nerf(), "transforms.json", '{"frames":' + DEEP),
    "JSON a list": broken(nerf(), "transforms.json", "[]"),
    "JSON in binary": broken(nerf(), "transforms.json", b"\xff\xfe\x80\x00"),
    "JSON empty": broken(nerf(), "transforms.json", ""),
    "number of 10000 digits": broken(nerf(), "transforms.json", '{"w": ' + "9" * 10_000 + "}"),
    "frames an object": head(frames={}),
    "frames of numbers": head(frames=[1, 2]),
    "no frames": head(frames=[]),
    "no photograph is there": nerf(lambda d: [f.update(file_path="none.png") for f in d["frames"]]),
    "matrix NaN": frame("transform_matrix", [[NAN] * 4] * 4),
    "matrix of 2x2": frame("transform_matrix", [[1, 0], [0, 1]]),
    "matrix of zeros": frame("transform_matrix", [[0] * 4] * 4),
    "matrix of words": frame("transform_matrix", [["a"] * 4] * 4),
    "matrix ragged": frame("transform_matrix", [[1], [1, 2], [1], [1]]),
    "matrix missing": nerf(lambda d: d["frames"][0].pop("transform_matrix")),
    "focal length 0": head(fl_x=0),
    "focal length in words": head(fl_x="long"),
    "focal length infinite": head(fl_y=INF),
    "angle of pi": nerf(lambda d: (d.pop("fl_x"), d.update(camera_angle_x=3.2))),
    "no focal length": nerf(lambda d: d.pop("fl_x")),
    "size of another shape": head(w=64, h=64),
    "size of 0": head(w=0, h=0),
    "fisheye": head(camera_model="OPENCV_FISHEYE"),
    "camera model a list": head(camera_model=[]),
    "photograph cut short": broken(nerf(), "images/1.png", cut),
}


def binary(folder: Path) -> Path:
    return d.write_colmap(folder, SCENE, binary=True)


def plain(folder: Path) -> Path:
    return d.write_colmap(folder, SCENE, binary=False)


def no_photographs(folder: Path) -> Path:
    source = plain(folder)
    (source / "images").rename(source / "elsewhere")
    return source


def two_of_one(data: bytes) -> str:
    lines = data.decode().splitlines()
    return "\n".join([*lines, *lines[1:3]])


CAMERAS, IMAGES = "sparse/0/cameras", "sparse/0/images"
COLMAP = {
    "claims 2^60 cameras": broken(binary, f"{CAMERAS}.bin", struct.pack("<Q", 2**60)),
    "claims 2^60 images": broken(binary, f"{IMAGES}.bin", lambda data: struct.pack("<Q", 2**60) + data[8:]),
    "claims 2^60 points": broken(binary, f"{IMAGES}.bin", lambda d: d.replace(b"\0\2" + bytes(7), b"\0" + b"\xff" * 8)),
    "images cut short": broken(binary, f"{IMAGES}.bin", cut),
    "cameras cut short": broken(binary, f"{CAMERAS}.bin", cut),
    "name without an end": broken(binary, f"{IMAGES}.bin", lambda d: d.replace(b".png\0", b".png!")),
    "name not in UTF-8": broken(binary, f"{IMAGES}.bin", lambda d: d.replace(b"001.png", b"\xff\xfe1.png")),
    "name climbs out": broken(binary, f"{IMAGES}.bin", lambda d: d.replace(b"001.png", b"../1png")),
    "camera model of another kind": broken(binary, f"{CAMERAS}.bin", lambda d: d[:12] + struct.pack("<i", 5) + d[16:]),
    "camera of 2^63 px": broken(binary, f"{CAMERAS}.bin", lambda d: d[:16] + struct.pack("<Q", 2**63) + d[24:]),
    "focal length NaN": broken(binary, f"{CAMERAS}.bin", lambda d: d[:32] + struct.pack("<d", NAN) + d[40:]),
    "focal length 0": broken(plain, f"{CAMERAS}.txt", "7 PINHOLE 64 48 0 60 32 24\n"),
    "camera of too few parameters": broken(plain, f"{CAMERAS}.txt", "7 PINHOLE 64 48 60\n"),
    "camera in words": broken(plain, f"{CAMERAS}.txt", "seven PINHOLE wide high\n"),
    "camera of another size": broken(plain, f"{CAMERAS}.txt", "7 PINHOLE 640 480 60 60 32 24\n"),
    "camera missing": broken(plain, f"{CAMERAS}.txt", "9 PINHOLE 64 48 60 60 32 24\n"),
    "no cameras": broken(plain, f"{CAMERAS}.txt", "# none\n"),
    "no images": broken(plain, f"{IMAGES}.txt", "# none\n"),
    "image in 9 words": broken(plain, f"{IMAGES}.txt", "1 1 0 0 0 0 0 0 7\n\n"),
    "quaternion of zeros": broken(plain, f"{IMAGES}.txt", "1 0 0 0 0 0 0 0 7 000.png\n\n"),
    "quaternion NaN": broken(plain, f"{IMAGES}.txt", "1 nan 0 0 0 0 0 0 7 000.png\n\n"),
    "image listed twice": broken(plain, f"{IMAGES}.txt", two_of_one),
    "photograph missing": broken(plain, "images/001.png", None),
    "photograph a link to itself": linked_to_itself(plain, "images/001.png"),
    "photograph cut short": broken(plain, "images/001.png", cut),
    "no photographs": no_photographs,
}
