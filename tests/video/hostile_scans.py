"""Hostile recordings of the formats that scans of rooms come in: ScanNet, ARKitScenes, Record3D."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import format_writers as w
import numpy as np

SCENE = w.make_scene()
NAN, INF = float("nan"), float("inf")
DEEP = "[" * 200_000
ZERO_QUATERNION = [0.0, 0.0, 0.0, 0.0]

Build = Callable[[Path], Path]


def broken(write: Build, name: str, content: bytes | str | Callable[[bytes], bytes | str] | None) -> Build:
    """The recording that ``write`` makes with one file replaced, changed, or removed (None)."""

    def build(folder: Path) -> Path:
        source = write(folder)
        path = source / name if name else source
        if content is None:
            path.unlink()
        else:
            w.save(path, content(path.read_bytes()) if callable(content) else content)
        return source

    return build


def linked_to_itself(write: Build, name: str) -> Build:
    def build(folder: Path) -> Path:
        source = write(folder)
        (source / name).unlink()
        (source / name).symlink_to(source / name)
        return source

    return build


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def text(old: str, new: str) -> Callable[[bytes], str]:
    def replace(data: bytes) -> str:
        assert old in data.decode()
        return data.decode().replace(old, new, 1)

    return replace


def posed(folder: Path) -> Path:
    return w.write_scannet_posed_images(folder / "scene0000_00", SCENE)


def export(folder: Path) -> Path:
    return w.write_scannet_export(folder / "scene0000_00", SCENE)


SCANNET = {
    "pose partly NaN": broken(posed, "00001.txt", "1 0 0 nan\n0 1 0 0\n0 0 1 0\n0 0 0 1"),
    "pose of 15 numbers": broken(posed, "00001.txt", "1 " * 15),
    "pose in words": broken(posed, "00001.txt", "one two"),
    "pose that shears": broken(posed, "00001.txt", "1 1 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1"),
    "pose in binary": broken(posed, "00001.txt", b"\xff\xfe\x00\x80" * 9),
    "pose missing": broken(posed, "00001.txt", None),
    "pose a link to itself": linked_to_itself(posed, "00001.txt"),
    "depth missing": broken(posed, "00001.png", None),
    "depth of 8 bits": broken(posed, "00000.png", w.encoded(np.zeros((24, 32), np.uint8))),
    "depth of another size": broken(export, "depth/10.png", w.encoded(np.zeros((48, 64), np.uint16))),
    "colour cut short": broken(export, "color/20.jpg", cut),
    "colour empty": broken(export, "color/20.jpg", b""),
    "intrinsics singular": broken(posed, "intrinsic.txt", "0 " * 16),
    "intrinsics NaN": broken(posed, "intrinsic.txt", "nan " * 16),
    "intrinsics of 5 numbers": broken(posed, "depth_intrinsic.txt", "1 2 3 4 5"),
}


def sens(**head) -> Build:
    frames = b"".join(w.sens_frame(SCENE, i) for i in range(3))
    return lambda folder: w.save(folder / "a.sens", w.sens_head(SCENE, **head) + frames)


def sens_frames(**frame) -> Build:
    data = w.sens_head(SCENE, num_frames=1) + w.sens_frame(SCENE, 0, **frame)
    return lambda folder: w.save(folder / "a.sens", data)


def sens_bytes(change: Callable[[bytes], bytes]) -> Build:
    return lambda folder: w.save(folder / "a.sens", change(w.write_sens(folder / "b.sens", SCENE).read_bytes()))


def with_k(value: float) -> Callable[[bytes], bytes]:
    start = 12 + len(b"StructureSensor")
    return lambda data: data[:start] + struct.pack("<f", value) + data[start + 4 :]


def with_sizes(*sizes: int) -> Callable[[bytes], bytes]:
    start = 12 + len(b"StructureSensor") + 256 + 8
    return lambda data: data[:start] + struct.pack("<4I", *sizes) + data[start + 16 :]


BOMB = zlib.compress(bytes(30_000_000))
PARTLY_NAN = np.where(np.eye(4, k=1) > 0, NAN, np.eye(4))
SENS = {
    "claims 2^60 frames": sens(num_frames=2**60),
    "claims one frame more": sens(num_frames=4),
    "no frames": sens(num_frames=0),
    "name of 2^63 bytes": lambda folder: w.save(folder / "a.sens", struct.pack("<IQ", 4, 2**63 + 5) + bytes(900)),
    "version 3": sens(version=3),
    "only a version": sens_bytes(lambda data: data[:4]),
    "head cut short": sens_bytes(lambda data: data[:150]),
    "frame cut short": sens_bytes(lambda data: data[:-700]),
    "frame of 2^62 bytes": sens_frames(sizes=(2**62, 2**62)),
    "frame larger than its pixels": sens_frames(sizes=(500_000, 500_000), depth=bytes(1_000_000)),
    "compression of another kind": sens(compression=(7, 1)),
    "units of 0": sens(units_per_m=0.0),
    "units NaN": sens(units_per_m=NAN),
    "focal length 0": sens_bytes(with_k(0.0)),
    "focal length NaN": sens_bytes(with_k(NAN)),
    "frames of 0 px": sens_bytes(with_sizes(0, 0, 32, 24)),
    "depth of 4 billion px a side": sens_bytes(with_sizes(64, 48, 2**32 - 1, 2**32 - 1)),
    "pose partly NaN": sens_frames(pose=PARTLY_NAN),
    "depth is a bomb": sens_frames(depth=BOMB),
    "depth is no zlib": sens_frames(depth=b"depth"),
    "depth of too few bytes": sens_frames(depth=zlib.compress(bytes(99))),
    "colour is no image": sens_bytes(lambda data: data.replace(b"\xff\xd8\xff", b"\x00\x00\x00")),
}


def arkit(folder: Path) -> Path:
    return w.write_arkit(folder / "41069021", SCENE)


STEM = "41069021_1000.100"


def far_intrinsics(folder: Path) -> Path:
    source = arkit(folder)
    for path in (source / "lowres_wide_intrinsics").iterdir():
        path.rename(path.with_name(path.name.replace("_1000", "_5000")))
    return source


ARKIT = {
    "file name without time": broken(arkit, "lowres_wide/frame_one.png", w.encoded(SCENE.rgb[0])),
    "trajectory of 6 columns": broken(arkit, "lowres_wide.traj", "1000 0 0 0 0 0\n"),
    "trajectory in words": broken(arkit, "lowres_wide.traj", "a b c d e f g\n"),
    "trajectory NaN": broken(arkit, "lowres_wide.traj", "1000 0 0 0 nan 0 0\n"),
    "trajectory empty": broken(arkit, "lowres_wide.traj", ""),
    "focal length 0": broken(arkit, f"lowres_wide_intrinsics/{STEM}.pincam", "64 48 0 0 32 24"),
    "intrinsics of 5 numbers": broken(arkit, f"lowres_wide_intrinsics/{STEM}.pincam", "64 48 50 50 32"),
    "intrinsics of 0 px": broken(arkit, f"lowres_wide_intrinsics/{STEM}.pincam", "0 0 50 50 32 24"),
    "intrinsics of another hour": far_intrinsics,
    "colour cut short": broken(arkit, f"lowres_wide/{STEM}.png", cut),
    "depth cut short": broken(arkit, f"lowres_depth/{STEM}.png", cut),
    "intrinsics a link to itself": linked_to_itself(arkit, f"lowres_wide_intrinsics/{STEM}.pincam"),
}


def r3d(change: dict[str, bytes | str | None] | None = None, **metadata) -> Build:
    """An archive with some entries changed (None: left out) or some metadata (None: left out)."""

    def build(folder: Path) -> Path:
        merged = {**w.r3d_metadata(SCENE), **metadata}
        entries = w.r3d_entries(SCENE, {k: v for k, v in merged.items() if v is not None})
        for name, data in (change or {}).items():
            entries.pop(name, None)
            if data is not None:
                entries[name] = data.encode() if isinstance(data, str) else data
        return w.write_zip(folder / "a.r3d", entries, zipfile.ZIP_DEFLATED)

    return build


def r3d_bytes(change: Callable[[bytes], bytes]) -> Build:
    return lambda folder: w.save(folder / "a.r3d", change(r3d()(folder / "whole").read_bytes()))


def encrypted(data: bytes) -> bytes:
    """Sets the flag of encryption in every head."""
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(magic)
        while start >= 0:
            data = data[: start + at] + b"\x01" + data[start + at + 1 :]
            start = data.find(magic, start + 4)
    return data


POSES = [w.r3d_pose(w.opengl(p)) for p in SCENE.world_from_camera]
RECORD3D = {
    "path climbs out": r3d({"../../evil.txt": b"x"}),
    "path absolute": r3d({"/etc/evil": b"x"}),
    "path climbs with backslashes": r3d({"rgbd\\..\\..\\evil": b"x"}),
    "metadata is a bomb": r3d({"metadata": b" " * (65 * 2**20)}),
    "depth is a bomb": r3d({"rgbd/0.depth": bytes(30_000_000)}),
    "depth claims 4 GB": r3d({"rgbd/0.depth": b"bvx-\xff\xff\xff\xff" + bytes(64)}),
    "depth cut short": r3d({"rgbd/1.depth": w.lzfse_stored(bytes(3072))[:-9]}),
    "depth is no LZFSE": r3d({"rgbd/1.depth": b"depth"}),
    "depth of another size": r3d(dw=40, dh=30),
    "depth of 10^12 px": r3d(dw=10**6 - 1, dh=10**6 - 1),
    "depth missing": r3d({"rgbd/1.depth": None}),
    "colour missing": r3d({"rgbd/1.jpg": None}),
    "no colour": r3d({f"rgbd/{i}.jpg": None for i in range(3)}),
    "colour is no image": r3d({"rgbd/2.jpg": b"\xff\xd8\xffimage"}),
    "metadata missing": r3d({"metadata": None}),
    "metadata no JSON": r3d({"metadata": "{"}),
    "metadata a list": r3d({"metadata": "[]"}),
    "metadata deeply nested": r3d({"metadata": '{"a":' * 100_000}),
    "metadata in binary": r3d({"metadata": b"\xff\xfe\x80" * 9}),
    "number of 10000 digits": r3d({"metadata": '{"w": ' + "9" * 10_000 + "}"}),
    "K missing": r3d(K=None),
    "K singular": r3d(K=[0] * 9),
    "K of 8 numbers": r3d(K=[1] * 8),
    "K in words": r3d(K="fx fy"),
    "K NaN": r3d(K=[NAN] * 9),
    "height negative": r3d(h=-48),
    "height true": r3d(h=True),
    "width of another shape": r3d(w=640),
    "poses of another number": r3d(poses=POSES[:2]),
    "poses NaN": r3d(poses=[*POSES[:2], [*POSES[2][:6], NAN]]),
    "pose of 6 numbers": r3d(poses=[*POSES[:2], POSES[2][:6]]),
    "quaternion of zeros": r3d(poses=[*POSES[:2], [*ZERO_QUATERNION, 0, 0, 0]]),
    "poses an object": r3d(poses={"0": POSES[0]}),
    "times of another number": r3d(frameTimestamps=[0.0, 0.1]),
    "times infinite": r3d(frameTimestamps=[0.0, 0.1, INF]),
    "intrinsics of another number": r3d(perFrameIntrinsicCoeffs=[[50, 50, 32, 24]]),
    "no archive": lambda folder: w.save(folder / "a.r3d", b"PK and some words"),
    "archive cut short": r3d_bytes(cut),
    "archive encrypted": r3d_bytes(encrypted),
}
