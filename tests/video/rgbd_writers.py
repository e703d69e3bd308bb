"""Writes the known scene of ``format_writers`` as 7-Scenes, as posed folders, as TUM RGB-D and as plain images."""

from pathlib import Path

import numpy as np
from format_writers import Scene, depth_mm, encoded, integer_centred, rows_text, save
from scipy.spatial.transform import Rotation


def write_seven_scenes(root: Path, scene: Scene, *, suffix="png", first=150, step=3, gravity=(0.0, 0.0, -1.0)) -> Path:
    for i in range(len(scene.rgb)):
        frame = f"frame-{first + i * step:06d}"
        kind = "PNG" if suffix == "png" else "JPEG"
        save(root / f"{frame}.color.{suffix}", encoded(scene.rgb[i], kind))
        save(root / f"{frame}.depth.png", encoded(depth_mm(scene.depth_m[i])))
        save(root / f"{frame}.pose.txt", rows_text(scene.world_from_camera[i]))
    save(root / "camera-intrinsics.txt", rows_text(integer_centred(scene.k_px)))
    if gravity is not None:
        save(root / "gravity-direction.txt", "\n".join(map(str, gravity)))
    return root


def write_posed_folder(root: Path, scene: Scene, *, numbers=16) -> Path:
    for i in range(len(scene.rgb)):
        save(root / "images" / f"{i * 2 + 3:05d}.png", encoded(scene.rgb[i]))
        save(root / "depth" / f"{i * 2 + 3:05d}.png", encoded(depth_mm(scene.depth_m[i])))
    save(root / "poses.txt", rows_text(scene.world_from_camera.reshape(-1, 16)[:, :numbers]))
    save(root / "K.txt", rows_text(integer_centred(scene.k_px)))
    return root


TUM_START_S = 1305031102.175304


def write_tum(root: Path, scene: Scene, *, depth_late_s=0.012, truth_every_s=0.01) -> Path:
    """Colour at 30 Hz, depth a little later, true poses at 100 Hz of which every third falls near a frame.

    Between frames the camera moves as the interpolation says, so that the poses at the frames come back exactly.
    """
    times = TUM_START_S + np.arange(len(scene.rgb)) / 30
    rgb, depth = ["# color images"], ["# depth maps"]
    for i, time_s in enumerate(times):
        save(root / "rgb" / f"{time_s:.6f}.png", encoded(scene.rgb[i]))
        rgb.append(f"{time_s:.6f} rgb/{time_s:.6f}.png")
        raw = np.nan_to_num(np.round(scene.depth_m[i] * 5000)).astype(np.uint16)
        save(root / "depth" / f"{time_s + depth_late_s:.6f}.png", encoded(raw))
        depth.append(f"{time_s + depth_late_s:.6f} depth/{time_s + depth_late_s:.6f}.png")
    truth = ["# timestamp tx ty tz qx qy qz qw"]
    for i, time_s in enumerate(times):
        pose = scene.world_from_camera[i]
        quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat()
        for late_s in (-truth_every_s / 2, truth_every_s / 2):  # the frame's own time is between two lines
            truth.append(" ".join(f"{v:.9f}" for v in (time_s + late_s, *pose[:3, 3], *quaternion)))
    save(root / "rgb.txt", "\n".join(rgb) + "\n")
    save(root / "depth.txt", "\n".join(depth) + "\n")
    save(root / "groundtruth.txt", "\n".join(truth) + "\n")
    k = integer_centred(scene.k_px)
    save(root / "calibration.txt", f"{k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]}\n")
    return root


def write_images(root: Path, scene: Scene, names=None) -> Path:
    for i, rgb in enumerate(scene.rgb):
        save(root / (names[i] if names else f"{i}.png"), encoded(rgb))
    return root
