"""ScanNet++ from a miniature scene in its layout: mesh, segments, COLMAP poses, iPhone frames with depth, DSLR photographs."""

import json
from pathlib import Path

import numpy as np
import pytest
from drive_writers import wxyz
from format_writers import depth_mm, encoded, save
from test_source_scannet import ply_bytes
from toy_scene import check_visible, corners_agree, floor_points, render, surface, toy

from video3d.data.sources import scannetpp
from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError

NAME = "0a5c013435"
LIFT = -0.42
LABELS = ["table", "box", "chair", "floor lamp"]


@pytest.fixture(scope="module")
def made():
    scene = toy(num_frames=4, yaw=0.4)
    return scene, render(scene)


def write(root: Path, made, *, iphone=True, depth=True):
    scene, (rgb, depth_m, _) = made
    folder = root / "data" / NAME
    parts = [floor_points(), *(surface(b) for b in scene.boxes)]
    lifted = np.concatenate(parts) + np.array([0, 0, LIFT])
    save(folder / "scans/mesh_aligned_0.05.ply", ply_bytes(lifted))
    segments = np.concatenate([np.full(len(p), i) for i, p in enumerate(parts)])
    save(folder / "scans/segments.json", json.dumps({"segIndices": segments.tolist()}))
    groups = [
        {"id": i, "objectId": i + 1, "label": label, "segments": [i], "obb": {}, "dominantNormal": [0, 0, 1]}
        for i, label in enumerate(["floor", *LABELS])
    ]
    save(folder / "scans/segments_anno.json", json.dumps({"sceneId": NAME, "appId": "x", "segGroups": groups}))
    k, (h, w) = scene.k_px, scene.size_hw
    lines = []
    for i, pose in enumerate(scene.world_from_camera):
        there = pose.copy()
        there[2, 3] += LIFT
        inverse = inverse_rigid(there)
        name = f"frame_{10 * i:06d}.jpg" if iphone else f"DSC0{100 + i}.JPG"
        numbers = " ".join(repr(float(v)) for v in (*wxyz(inverse), *inverse[:3, 3]))
        lines += [f"{i + 1} {numbers} 1 {name}", ""]
        if iphone:
            save(folder / "iphone/rgb" / name, encoded(rgb[i], "JPEG"))
            if depth:
                save(folder / "iphone/depth" / f"frame_{10 * i:06d}.png", encoded(depth_mm(depth_m[i, ::2, ::2])))
        else:
            save(folder / "dslr/resized_undistorted_images" / name, encoded(rgb[i], "JPEG"))
    if iphone:
        save(
            folder / "iphone/colmap/cameras.txt",
            f"1 OPENCV {w} {h} {k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]} 0.01 0 0 0\n",
        )
        save(folder / "iphone/colmap/images.txt", "\n".join(lines) + "\n")
    else:
        save(folder / "dslr/colmap/cameras.txt", f"1 OPENCV_FISHEYE {w} {h} 40 40 32 24 0.1 0 0 0\n")
        save(folder / "dslr/colmap/images.txt", "\n".join(lines) + "\n")
        values = {
            "fl_x": k[0, 0],
            "fl_y": k[1, 1],
            "cx": k[0, 2],
            "cy": k[1, 2],
            "w": w,
            "h": h,
            "camera_model": "PINHOLE",
        }
        save(folder / "dslr/nerfstudio/transforms_undistorted.json", json.dumps(values))
    save(root / "splits/nvs_sem_train.txt", "ffff000000\n")
    save(root / "splits/nvs_sem_val.txt", f"{NAME}\n")
    return folder


def read(root):
    (ref,) = scannetpp.scenes(root)
    (clip,) = scannetpp.read_scene(root, ref, num_frames=4, size_hw=(48, 64))
    return clip


@pytest.mark.parametrize("how", [{}, {"depth": False}, {"iphone": False}], ids=str)
def test_the_scene_comes_back(how, made, tmp_path):
    scene, (_, _, ids) = made
    write(tmp_path, made, **how)
    scannetpp.check(tmp_path)
    clip = read(tmp_path)
    truth = clip.truth
    assert truth.split == "val" and truth.clip_id == f"scannetpp-{NAME}-00"
    np.testing.assert_allclose(truth.world_from_camera, scene.world_from_camera, atol=1e-5)
    np.testing.assert_allclose(truth.k_px[0], scene.k_px, atol=1e-9)
    by = {o.category: o for o in truth.objects}
    assert sorted(by) == sorted(LABELS)
    for name, b in zip(LABELS, scene.boxes, strict=True):
        corners_agree(by[name].box(), b, atol=1e-5)  # turned boxes, from vertices alone
    assert by["box"].supported_by == by["table"].object_id
    named = type(scene)(**{**scene.__dict__, "names": LABELS})
    check_visible(truth, named, ids, tolerance=0.35 if clip.depth_m is not None else 0.6)
    assert (clip.depth_m is None) == (how != {})
    if how.get("iphone", True):
        np.testing.assert_allclose(truth.times_s, np.arange(4) / 6)


DAMAGE = {
    "mesh cut short": ("scans/mesh_aligned_0.05.ply", lambda d: d[:900], "vertices"),
    "segments of another mesh": ("scans/segments.json", lambda d: b'{"segIndices": [1]}', "one a vertex"),
    "annotation cut short": ("scans/segments_anno.json", lambda d: d[:50], "JSON"),
    "poses of NaN": ("iphone/colmap/images.txt", lambda d: b"1 nan 0 0 0 0 0 0 1 frame_000000.jpg\n\n", "finite"),
    "a frame elsewhere": (
        "iphone/colmap/images.txt",
        lambda d: d.replace(b"frame_000000.jpg", b"../../../x.jpg"),
        "inside",
    ),
    "fisheye": ("iphone/colmap/cameras.txt", lambda d: d.replace(b"OPENCV", b"OPENCV_FISHEYE"), "camera model"),
    "no frames": ("iphone/colmap/images.txt", lambda d: d.replace(b"frame_", b"other_"), "none"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_line(name, made, tmp_path):
    file, change, says = DAMAGE[name]
    path = write(tmp_path, made) / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=says):
        read(tmp_path)


def test_missing_things_say_what_to_do(made, tmp_path):
    with pytest.raises(InputError, match="split lists"):
        scannetpp.check(tmp_path)
    write(tmp_path, made)
    for path in (tmp_path / "data" / NAME / "iphone/rgb").iterdir():
        path.unlink()
    (tmp_path / "data" / NAME / "iphone/rgb").rmdir()
    with pytest.raises(InputError, match="toolkit"):
        read(tmp_path)
