"""Recordings that must be refused with one clear line: 7-Scenes, posed folders and TUM, each spoilt in one way.

``HOSTILE_RECORDINGS`` is a list of ``(name, build)``; ``build(folder)`` makes one and returns what a user would name.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from format_writers import encoded, make_scene, rows_text, save
from rgbd_writers import write_posed_folder, write_seven_scenes, write_tum

HOSTILE_RECORDINGS: list[tuple[str, Callable[[Path], Path]]] = []
POSE_1 = "frame-000153.pose.txt"
DEPTH_1 = "frame-000153.depth.png"


def add(name: str, build: Callable[[Path], Path]) -> None:
    HOSTILE_RECORDINGS.append((name, build))


def noise(num_bytes: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(num_bytes)


# 7-Scenes --------------------------------------------------------------------------------------------------------


def seven(name: str, spoil: Callable[[Path], object]) -> None:
    def build(folder: Path) -> Path:
        spoil(write_seven_scenes(folder, make_scene()))
        return folder

    add(f"7scenes_{name}", build)


def pose_with(*entries: tuple[int, int, float]) -> str:
    pose = np.eye(4)
    for row, column, value in entries:
        pose[row, column] = value
    return rows_text(pose)


def k_with(*entries: tuple[int, int, float]) -> str:
    k = np.array([[58.0, 0, 31], [0, 60, 23], [0, 0, 1]])
    for row, column, value in entries:
        k[row, column] = value
    return rows_text(k)


for kind in ("depth.png", "pose.txt", "color.png"):
    seven(f"missing_{kind}", lambda root, kind=kind: (root / f"frame-000153.{kind}").unlink())
for name, text in {
    "pose_nan": pose_with((0, 3, np.nan)),
    "pose_all_nan": rows_text(np.full((4, 4), np.nan)),
    "pose_inf": pose_with((1, 3, -np.inf)),
    "pose_overflow": pose_with().replace("1 0 0 0", "1e999 0 0 0"),
    "pose_zero": rows_text(np.zeros((4, 4))),
    "pose_scaled": pose_with((0, 0, 1.5), (1, 1, 1.5), (2, 2, 1.5)),
    "pose_sheared": pose_with((0, 1, 0.3)),
    "pose_mirrored": pose_with((0, 0, -1.0)),
    "pose_in_utm_metres": pose_with((0, 3, 4_512_345.0)),
    "pose_last_row": pose_with((3, 2, 1.0)),
    "pose_2_rows": rows_text(np.eye(4)[:2]),
    "pose_words": "lost\n",
    "pose_empty": "",
    "pose_digits_without_end": "9" * 5000,
    "pose_other_letters": "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 l",
}.items():
    seven(name, lambda root, text=text: save(root / POSE_1, text))
for name, content in {
    "pose_utf16": pose_with().encode("utf-16"),
    "pose_binary": noise(400, 9),
    "pose_nul": bytes(64),
}.items():
    seven(name, lambda root, content=content: save(root / POSE_1, content))
for name, text in {
    "k_singular": k_with((0, 0, 0.0)),
    "k_negative": k_with((0, 0, -58.0)),
    "k_nan": k_with((1, 1, np.nan)),
    "k_inf": k_with((0, 2, np.inf)),
    "k_huge": k_with((0, 0, 1e12), (1, 1, 1e12)),
    "k_tiny": k_with((0, 0, 1e-6), (1, 1, 1e-6)),
    "k_for_another_size": k_with((0, 2, 960.0), (1, 2, 540.0)),
    "k_transposed": rows_text(np.array([[58.0, 0, 0], [0, 60, 0], [31, 23, 1]])),
    "k_5_numbers": "58 60 31 23 0.1",
    "k_words": "fx=58, fy=60",
    "k_empty": "\n\n",
}.items():
    seven(name, lambda root, text=text: save(root / "camera-intrinsics.txt", text))
for name, text in {
    "gravity_zero": "0 0 0",
    "gravity_nan": "0 0 nan",
    "gravity_2_numbers": "0 1",
    "gravity_words": "down",
}.items():
    seven(name, lambda root, text=text: save(root / "gravity-direction.txt", text))
for name, content in {
    "depth_8_bits": encoded(np.full((24, 32), 90, np.uint8)),
    "depth_colour": encoded(np.full((24, 32, 3), 90, np.uint8)),
    "depth_of_one_frame_smaller": encoded(np.full((12, 16), 900, np.uint16)),
    "depth_cut_short": encoded(np.arange(768, dtype=np.uint16).reshape(24, 32))[:-60],
    "depth_empty": b"",
    "depth_words": b"1.5 m",
    "depth_1x1": encoded(np.full((1, 1), 900, np.uint16)),
}.items():
    seven(name, lambda root, content=content: save(root / DEPTH_1, content))


def depth_of_another_shape(root: Path) -> None:
    for path in root.glob("*.depth.png"):
        save(path, encoded(np.full((32, 32), 900, np.uint16)))


def first_depth_8_bits(root: Path) -> None:
    save(root / "frame-000150.depth.png", encoded(np.full((24, 32), 90, np.uint8)))


def pose_is_a_folder(root: Path) -> None:
    (root / POSE_1).unlink()
    (root / POSE_1).mkdir()


def pose_is_a_pipe(root: Path) -> None:
    (root / POSE_1).unlink()
    os.mkfifo(root / POSE_1)


def depth_is_a_pipe(root: Path) -> None:
    (root / DEPTH_1).unlink()
    os.mkfifo(root / DEPTH_1)


def pose_is_a_loop(root: Path) -> None:
    (root / POSE_1).unlink()
    (root / POSE_1).symlink_to(root / POSE_1)


def colour_is_text(root: Path) -> None:
    save(root / "frame-000153.color.png", "not a picture")


for spoil in (
    depth_of_another_shape,
    first_depth_8_bits,
    pose_is_a_folder,
    pose_is_a_pipe,
    depth_is_a_pipe,
    pose_is_a_loop,
    colour_is_text,
):
    seven(spoil.__name__, spoil)


# Images, depth and poses in folders ------------------------------------------------------------------------------


def posed(name: str, spoil: Callable[[Path], object]) -> None:
    def build(folder: Path) -> Path:
        spoil(write_posed_folder(folder, make_scene()))
        return folder

    add(f"posed_{name}", build)


IDENTITY = " ".join("1" if i % 5 == 0 else "0" for i in range(16))
for name, text in {
    "2_poses_of_3": f"{IDENTITY}\n" * 2,
    "4_poses_of_3": f"{IDENTITY}\n" * 4,
    "15_numbers": f"{IDENTITY}\n" * 2 + IDENTITY[:-2] + "\n",
    "empty_poses": "",
    "nan_in_the_last_pose": f"{IDENTITY}\n" * 2 + IDENTITY.replace("1", "nan", 1) + "\n",
    "poses_of_another_unit": f"{IDENTITY}\n" * 2 + "1000 0 0 1 0 1000 0 2 0 0 1000 3 0 0 0 1\n",
}.items():
    posed(name, lambda root, text=text: save(root / "poses.txt", text))
posed("one_depth_map_missing", lambda root: (root / "depth" / "00005.png").unlink())
posed("one_image_missing", lambda root: (root / "images" / "00005.png").unlink())
posed("singular_k", lambda root: save(root / "K.txt", "0 0 0\n0 0 0\n0 0 1\n"))
posed("binary_k", lambda root: save(root / "K.txt", noise(72)))


def posed_without_any_image(folder: Path) -> Path:
    write_posed_folder(folder, make_scene())
    for path in (folder / "images").iterdir():
        path.unlink()
    return folder


add("posed_without_any_image", posed_without_any_image)


# TUM -------------------------------------------------------------------------------------------------------------


def tum(name: str, file: str, text: str) -> None:
    def build(folder: Path) -> Path:
        save(write_tum(folder / "walk", make_scene()) / file, text)
        return folder / "walk"

    add(f"tum_{name}", build)


tum("leads_out", "rgb.txt", "1305031102.175304 ../../../../etc/hostname\n")
tum("leads_to_the_root", "rgb.txt", "1305031102.175304 /etc/hostname\n")
tum("depth_leads_out", "depth.txt", "1305031102.175304 rgb/../../elsewhere/0.png\n")
tum("lists_what_is_not_there", "rgb.txt", "1305031102.175304 rgb/0.png\n")
tum("empty_list", "rgb.txt", "# nothing\n")
tum("one_word_a_line", "rgb.txt", "1305031102.175304\n")
tum("time_nan", "rgb.txt", "nan rgb/0.png\n")
tum("time_of_words", "rgb.txt", "noon rgb/0.png\n")
tum("quaternion_zero", "groundtruth.txt", "1305031102.17 0 0 0 0 0 0 0\n")
tum("quaternion_long", "groundtruth.txt", "1305031102.17 0 0 0 3 0 0 4\n")
tum("7_numbers", "groundtruth.txt", "1305031102.17 0 0 0 0 0 0\n")
tum("truth_inf", "groundtruth.txt", "1305031102.17 inf 0 0 0 0 0 1\n")
tum("truth_empty", "groundtruth.txt", "# timestamp tx ty tz qx qy qz qw\n")
