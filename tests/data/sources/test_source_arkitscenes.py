"""ARKitScenes (3dod) from a miniature walk in its layout: sideways frames, trajectory, boxes with axes as rows."""

import json
from pathlib import Path

import numpy as np
import pytest
from format_writers import Scene, save, write_arkit
from toy_scene import check_visible, corners_agree, render, toy

from video3d.data.sources import arkitscenes
from video3d.data.sources.build import build_source
from video3d.types import InputError

WALK = "41069021"
LIFT = 0.37  # the scan's origin is not on the floor


@pytest.fixture(scope="module")
def made():
    scene = toy(num_frames=5, yaw=0.3)
    return scene, render(scene)


def obb(b, *, flip=False):
    axes = b.world_from_box.T.copy()
    order = [1, 2, 0] if flip else [0, 1, 2]  # any order and sense: ARKitScenes keeps none
    axes = axes[order] * (np.array([[-1], [1], [1]]) if flip else 1)
    center = b.center_world + np.array([0, 0, LIFT])
    return {
        "centroid": center.tolist(),
        "axesLengths": b.size_m[order].tolist(),
        "normalizedAxes": axes.ravel().tolist(),
    }


def write(root: Path, made, *, split="Training") -> Path:
    scene, (rgb, depth_m, _) = made
    poses = scene.world_from_camera.copy()
    poses[:, 2, 3] += LIFT
    walk = root / "3dod" / split / WALK
    write_arkit(walk / f"{WALK}_frames", Scene(rgb, depth_m, scene.k_px, poses, np.zeros(3)))
    labels = ["table", "box", "chair", "floor lamp"]
    data = [
        {"uid": f"u{i}", "label": label, "modelId": "", "segments": {"obbAligned": obb(b, flip=i % 2 == 1)}}
        for i, (label, b) in enumerate(zip(labels, scene.boxes, strict=True))
    ]
    data.append({"uid": "x", "label": "thingamajig", "segments": {"obbAligned": obb(scene.boxes[0])}})
    save(walk / f"{WALK}_3dod_annotation.json", json.dumps({"skipped": False, "data": data}))
    save(root / "3dod" / "metadata.csv", f"video_id,visit_id,fold\n{WALK},421602.0,{split}\n41069025,NA,Training\n")
    return walk


def read(root, **options):
    (ref,) = arkitscenes.scenes(root)
    return arkitscenes.read_scene(root, ref, num_frames=5, size_hw=(48, 64), **options)


def test_a_walk(made, tmp_path):
    scene, (_, depth_m, ids) = made
    write(tmp_path, made, split="Validation")
    arkitscenes.check(tmp_path)
    (ref,) = arkitscenes.scenes(tmp_path)
    assert (ref.split, ref.scene_id) == ("val", "visit-421602.0")
    (clip,) = read(tmp_path)
    truth = clip.truth
    np.testing.assert_allclose(truth.world_from_camera, scene.world_from_camera, atol=1e-5)  # the floor is z = 0 again
    by = {o.category: o for o in truth.objects}
    assert sorted(by) == ["box", "chair", "floor lamp", "table"]
    for name, b in zip(["table", "box", "chair", "floor lamp"], scene.boxes, strict=True):
        corners_agree(by[name].box(), b, atol=1e-6)
        assert (
            np.linalg.det(by[name].world_from_object[0, :3, :3]) > 0.999 and by[name].world_from_object[0, 2, 2] > 0.999
        )
    assert by["box"].supported_by == by["table"].object_id and by["chair"].supported_by == 0
    named = type(scene)(**{**scene.__dict__, "names": ["table", "box", "chair", "floor lamp"]})
    check_visible(truth, named, ids, tolerance=0.2)
    known = np.isfinite(clip.depth_m) & np.isfinite(depth_m)
    assert np.abs(clip.depth_m - depth_m)[known].max() < 2e-3 and not truth.complete


def test_built(made, tmp_path):
    write(tmp_path / "root", made)
    report = build_source(
        "arkitscenes", tmp_path / "root", out=tmp_path / "o", num_frames=3, size_hw=(48, 64), num_clips=2,
        progress=lambda line: None,
    )  # fmt: skip
    assert (report.clips, report.failed) == (2, ())


DAMAGE = {
    "cut short": (lambda t: t[:200], "JSON"),
    "a list": (lambda t: "[]", "object"),
    "no size": (lambda t: t.replace('"axesLengths": [0.8', '"axesLengths": [0.0'), "size"),
    "NaN": (lambda t: t.replace('"axesLengths": [0.8', '"axesLengths": [NaN'), "finite"),
    "two axes": (lambda t: t.replace('"normalizedAxes": [', '"normalizedAxes": [1,'), "9"),
    "axes that are none": (lambda t: t.replace('"normalizedAxes": [0.955', '"normalizedAxes": [3.955'), "square"),
    "label of a number": (lambda t: t.replace('"label": "table"', '"label": 7'), "label"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_boxes_are_one_clear_line(name, made, tmp_path):
    change, says = DAMAGE[name]
    walk = write(tmp_path, made)
    path = walk / f"{WALK}_3dod_annotation.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=says):
        read(tmp_path)


def test_missing_things_say_what_to_do(made, tmp_path):
    with pytest.raises(InputError, match="Training"):
        arkitscenes.check(tmp_path)
    walk = write(tmp_path, made)
    (walk / f"{WALK}_frames" / "lowres_wide.traj").unlink()
    with pytest.raises(InputError, match="traj"):
        read(tmp_path)
    (walk / f"{WALK}_3dod_annotation.json").unlink()
    with pytest.raises(InputError, match="3dod_annotation"):
        read(tmp_path)
