"""ScanNet from a miniature tree of its exact layout: .sens, mesh, segments, aggregation, alignment, masks, and the language sets."""

import json
import math
import re
import struct
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from format_writers import Scene, encoded, save, write_scannet_export, write_sens
from toy_scene import check_visible, corners_agree, floor_points, render, surface, toy

from video3d.data.sources import scannet, scannet_language
from video3d.data.sources.ply import read_vertices
from video3d.data.sources.scannet_scan import read_scan
from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError

NAME = "scene0011_00"
# What axisAlignment undoes: the scan lies turned, moved and with its floor a little too low.
TURN = 0.35
ALIGN = np.array(
    [
        [math.cos(TURN), math.sin(TURN), 0, -2.5],
        [-math.sin(TURN), math.cos(TURN), 0, 1.25],
        [0, 0, 1, -0.06],
        [0, 0, 0, 1.0],
    ]
)
RAW = ["dining table", "storage box", "office chair", "floor lamp"]  # labels as annotators typed them


def ply_bytes(vertices, *, order="<", faces=1) -> bytes:
    form = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = (
        f"ply\nformat {form} 1.0\ncomment VCGLIB generated\nelement vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n"
        f"element face {faces}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    row = np.dtype([("p", f"{order}f4", 3), ("c", "u1", 4)])
    table = np.zeros(len(vertices), row)
    table["p"] = vertices
    return head.encode() + table.tobytes() + struct.pack(f"{order}B3i", 3, 0, 1, 2) * faces


@pytest.fixture(scope="module")
def truth_scene():
    scene = toy(num_frames=5)
    return scene, render(scene)


def write_scan(root: Path, scene, pictures, *, sens=True, masks=False) -> Path:
    rgb, depth_m, ids = pictures
    scan_from_world = inverse_rigid(ALIGN)
    folder = root / "scans" / NAME
    recording = Scene(rgb, depth_m[:, ::2, ::2], scene.k_px, scan_from_world @ scene.world_from_camera, np.zeros(3))
    if sens:
        write_sens(folder / f"{NAME}.sens", recording)
    else:
        write_scannet_export(folder, recording)
    parts = [floor_points(), *(surface(b) for b in scene.boxes)]
    vertices = np.concatenate(parts)
    save(folder / f"{NAME}_vh_clean_2.ply", ply_bytes(vertices @ scan_from_world[:3, :3].T + scan_from_world[:3, 3]))
    # Two segments an object, interleaved as a segmentation leaves them.
    segments = np.concatenate([np.full(len(p), 10 * i) + np.arange(len(p)) % 2 for i, p in enumerate(parts)])
    save(
        folder / f"{NAME}_vh_clean_2.0.010000.segs.json",
        json.dumps({"params": {"kThresh": "0.01"}, "sceneId": NAME, "segIndices": segments.tolist()}),
    )
    groups = [{"id": 0, "objectId": 0, "segments": [0, 1], "label": "floor"}]
    for i, label in enumerate(RAW, start=1):
        groups.append({"id": i, "objectId": i, "segments": [10 * i, 10 * i + 1], "label": label})
    save(
        folder / f"{NAME}.aggregation.json",
        json.dumps(
            {"sceneId": f"scannet.{NAME}", "appId": "Aggregator.v2", "segGroups": groups,
             "segmentsFile": f"scannet.{NAME}_vh_clean_2.0.010000.segs.json"}
        ),
    )  # fmt: skip
    numbers = " ".join(f"{v:f}" for v in ALIGN.ravel())
    save(
        folder / f"{NAME}.txt",
        f"axisAlignment = {numbers} \ncolorHeight = 968\nnumDepthFrames = 5\nsceneType = Lounge\n",
    )
    if masks:
        with zipfile.ZipFile(folder / f"{NAME}_2d-instance-filt.zip", "w") as archive:
            for i in range(len(ids)):
                # pixel = objectId + 1: the floor's is 1, the table's 2
                archive.writestr(f"instance-filt/{i}.png", encoded((ids[i] + 1).astype(np.uint8)))
    save(root / "scannetv2_train.txt", "scene0000_00\n")
    save(root / "scannetv2_val.txt", f"{NAME}\n")
    save(root / "scannetv2_test.txt", "scene0707_00\n")
    table = "id\traw_category\tcategory\tcount\tnyu40id\teigen13id\tnyuClass\tnyu40class\n1\toffice chair\tchair\t5\t5\t4\tchair\tchair\n"
    save(root / "meta" / "scannetv2-labels.combined.tsv", table)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory, truth_scene):
    root = tmp_path_factory.mktemp("scannet")
    write_scan(root, *truth_scene)
    return root


def read(root, **options):
    (ref,) = scannet.scenes(root)
    return scannet.read_scene(root, ref, num_frames=5, size_hw=(48, 64), **options)


def test_boxes_poses_and_depth_are_those_of_the_scene(root, truth_scene):
    scene, (rgb, depth_m, _) = truth_scene
    scannet.check(root)
    (clip,) = read(root)
    truth = clip.truth
    assert (truth.clip_id, truth.scene_id, truth.split) == ("scannet-scene0011_00-00", "scene0011", "val")
    assert [(o.object_id, o.category) for o in truth.objects] == [
        (2, "table"), (3, "box"), (4, "office chair"), (5, "floor lamp")
    ]  # fmt: skip
    for found, box in zip(truth.objects, scene.boxes, strict=True):
        corners_agree(found.box(), box, atol=2e-3)
    # the floor's median height became z = 0, wherever axisAlignment put it
    np.testing.assert_allclose(truth.world_from_camera, scene.world_from_camera, atol=2e-3)
    np.testing.assert_allclose(truth.k_px[0], scene.k_px, atol=1e-3)
    np.testing.assert_allclose(truth.times_s, np.arange(5) * 0.033, atol=1e-6)
    assert np.abs(clip.rgb.astype(int) - rgb).mean() < 8
    known = np.isfinite(clip.depth_m) & np.isfinite(depth_m)
    assert known.mean() > 0.5 and np.median(np.abs(clip.depth_m - depth_m)[known]) < 0.02
    assert clip.instance is None and truth.complete


def test_support_is_read_off_the_boxes(root):
    (clip,) = read(root)
    assert {o.category: o.supported_by for o in clip.truth.objects} == {
        "table": 0, "box": 2, "office chair": 0, "floor lamp": 0
    }  # fmt: skip


def test_visibility_from_vertices_agrees_with_the_pixels(root, truth_scene):
    scene, (_, _, ids) = truth_scene
    (clip,) = read(root)
    named = type(scene)(**{**scene.__dict__, "names": ["table", "box", "office chair", "floor lamp"]})
    check_visible(clip.truth, named, ids)
    chair = clip.truth.visible_share[:, 2]
    assert (chair < 0.95).all() and (clip.truth.visible_share[:, 1] > 0.4).all()  # a box's back half is never seen


def test_masks_where_the_zip_is_there(tmp_path, truth_scene):
    scene, pictures = truth_scene
    write_scan(tmp_path, scene, pictures, masks=True)
    (clip,) = read(tmp_path)
    assert clip.instance is not None
    np.testing.assert_array_equal(clip.instance, np.where(pictures[2] > 0, pictures[2] + 1, 0))
    for column, number in enumerate((1, 2, 3, 4)):
        np.testing.assert_array_equal(clip.truth.visible_px[:, column], (pictures[2] == number).sum(axis=(1, 2)))


def test_exported_frames_give_the_same_truth(tmp_path, truth_scene, root):
    write_scan(tmp_path, *truth_scene, sens=False)
    (ours,), (sens,) = read(tmp_path), read(root)
    np.testing.assert_allclose(ours.truth.world_from_camera, sens.truth.world_from_camera, atol=1e-4)
    np.testing.assert_array_equal(ours.truth.visible_px, sens.truth.visible_px)
    np.testing.assert_allclose(ours.truth.times_s, np.arange(5) / 3, atol=1e-6)  # files 0, 10, 20 ... of 30 a second


def test_more_clips_are_stretches_of_the_walk(root):
    (ref,) = scannet.scenes(root)
    clips = scannet.read_scene(root, ref, num_frames=2, size_hw=(48, 64), num_clips=3)
    assert [c.truth.clip_id[-2:] for c in clips] == ["00", "01", "02"]
    assert list(scannet.rows(root, ref, clips[1])) == []


def test_binary_big_endian_and_text_meshes(tmp_path):
    points = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9.5]])
    np.testing.assert_allclose(read_vertices(save(tmp_path / "a.ply", ply_bytes(points, order=">"))), points)
    text = (
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty double z\nproperty double x\nproperty double y\nend_header\n"
    )
    rows = "\n".join(f"{z} {x} {y}" for x, y, z in points)
    np.testing.assert_allclose(read_vertices(save(tmp_path / "b.ply", text + rows + "\n")), points)


# Damage ----------------------------------------------------------------------------------------------------------


def spoil(root: Path, suffix: str, change) -> None:
    path = root / "scans" / NAME / f"{NAME}{suffix}"
    path.write_bytes(change(path.read_bytes()))


DAMAGE = {
    "ply cut short": ("_vh_clean_2.ply", lambda d: d[:1500], "vertices"),
    "ply of a billion vertices": ("_vh_clean_2.ply", lambda d: re.sub(rb"vertex \d+", b"vertex 999999999", d), "vertices"),
    "ply of NaN": ("_vh_clean_2.ply", lambda d: d.replace(d[-80:-60], b"\xff" * 20), "finite"),
    "ply of a point beyond the moon": ("_vh_clean_2.ply", lambda d: re.sub(rb"end_header\n....", b"end_header\n\xff\xff\x7f\x7f", d, flags=re.S), "within"),
    "ply of text": ("_vh_clean_2.ply", lambda d: b"hello", "PLY"),
    "segments cut short": ("_vh_clean_2.0.010000.segs.json", lambda d: d[:-90], "JSON"),
    "segments of another mesh": ("_vh_clean_2.0.010000.segs.json", lambda d: b'{"segIndices": [1, 2, 3]}', "one a vertex"),
    "segments of words": ("_vh_clean_2.0.010000.segs.json", lambda d: b'{"segIndices": ["a"]}', "finite numbers"),
    "groups of numbers": (".aggregation.json", lambda d: b'{"segGroups": [1]}', "segGroups"),
    "negative object": (".aggregation.json", lambda d: d.replace(b'"objectId": 2', b'"objectId": -2'), "object ids"),
    "object twice": (".aggregation.json", lambda d: d.replace(b'"objectId": 2', b'"objectId": 1'), "object ids"),
    "alignment that scales": (".txt", lambda d: b"axisAlignment = " + b"2 " * 16, "axisAlignment"),
    "alignment of NaN": (".txt", lambda d: b"axisAlignment = " + b"nan " * 16, "finite"),
    "sens cut short": (".sens", lambda d: d[:2000], "frames"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_line(name, tmp_path, truth_scene):
    suffix, change, says = DAMAGE[name]
    write_scan(tmp_path, *truth_scene)
    spoil(tmp_path, suffix, change)
    with pytest.raises(InputError, match=says):
        read(tmp_path)


def test_missing_things_say_what_to_do(tmp_path, truth_scene):
    with pytest.raises(InputError, match="Terms of Use"):
        scannet.check(tmp_path / "nowhere")
    with pytest.raises(InputError, match="split lists"):
        scannet.check(tmp_path)
    write_scan(tmp_path, *truth_scene)
    (tmp_path / "scans" / NAME / f"{NAME}.aggregation.json").unlink()
    with pytest.raises(InputError, match="annotation"):
        read(tmp_path)


# Language --------------------------------------------------------------------------------------------------------

REFER = [
    {"scene_id": NAME, "object_id": "2", "object_name": "box", "ann_id": "0",
     "description": "a small box. it is on the table.", "token": ["a", "small", "box"]},
    {"scene_id": NAME, "object_id": "2", "object_name": "box", "ann_id": "1",
     "description": "the box stands near the left end of the table.", "token": []},
    {"scene_id": NAME, "object_id": "77", "object_name": "ghost", "ann_id": "0", "description": "what is not there", "token": []},
    {"scene_id": "scene0999_00", "object_id": "1", "object_name": "x", "ann_id": "0", "description": "elsewhere", "token": []},
]  # fmt: skip
MULTI = [
    {"scene_id": NAME, "object_ids": [1], "object_name": "table", "ann_id": 3, "eval_type": "st_w_d", "description": "a table",
     "spatial": False, "color": False, "texture": False, "shape": False},
    {"scene_id": NAME, "object_ids": [1, 2], "object_name": "x", "ann_id": 4, "eval_type": "mt", "description": "things of wood"},
    {"scene_id": NAME, "object_ids": [], "object_name": "sofa", "ann_id": 5, "eval_type": "zt_wo_d", "description": "a sofa"},
]  # fmt: skip
QA = [
    {"answers": ["on the table", "on table"], "object_ids": [2], "object_names": ["box"], "question": "Where is the box?",
     "question_id": f"val-{NAME}-0", "scene_id": NAME},
    {"answers": ["1", "1 chair"], "object_ids": [3], "object_names": ["office chair"],
     "question": "How many chairs are by the table?", "question_id": f"val-{NAME}-1", "scene_id": NAME},
]  # fmt: skip


def write_language(folder: Path) -> None:
    save(folder / "ScanRefer_filtered_val.json", json.dumps(REFER))
    save(folder / "multi3drefer_val.json", json.dumps(MULTI))
    save(folder / "ScanQA_v1.0_val.json", json.dumps(QA))
    questions = {"info": {}, "questions": [
        {"scene_id": NAME, "situation": "I face the table.", "alternative_situation": [], "question": "Is there a box in front of me?",
         "question_id": 220602000001}]}  # fmt: skip
    answers = {"annotations": [
        {"scene_id": NAME, "question_type": "N/A", "answer_type": "other", "question_id": 220602000001,
         "answers": [{"answer": "yes", "answer_confidence": "yes", "answer_id": 1}],
         "rotation": {"_x": 0, "_y": 0, "_z": math.sin(0.5), "_w": math.cos(0.5)}, "position": {"x": 0.5, "y": -1.0, "z": 0}}]}  # fmt: skip
    save(folder / "v1_balanced_questions_val_scannetv2.json", json.dumps(questions))
    save(folder / "v1_balanced_sqa_annotations_val_scannetv2.json", json.dumps(answers))


def test_language_becomes_rows(tmp_path, truth_scene):
    scene, pictures = truth_scene
    write_scan(tmp_path, scene, pictures)
    write_language(tmp_path / "annotations")
    (ref,) = scannet.scenes(tmp_path)
    (clip,) = read(tmp_path)
    rows = list(scannet.rows(tmp_path, ref, clip))
    assert len({row.row_id for row in rows}) == len(rows)
    assert Counter(row.subtype for row in rows) == {
        "grounding.scanrefer": 2, "grounding.multi3drefer": 1, "grounding.multi3drefer_count": 2,
        "relation.scanqa_where": 1, "layout.scanqa_count": 1, "relation.sqa3d_judgement": 1, "caption.scan2cap": 1,
    }  # fmt: skip
    by = {row.subtype: row for row in rows}
    refer = by["grounding.scanrefer"]
    np.testing.assert_allclose(refer.answer.center_world, scene.boxes[1].center_world, atol=2e-3)
    assert refer.object_ids == [3] and refer.evidence_frames == [0, 1, 2, 3, 4] and refer.split == "val"
    assert by["layout.scanqa_count"].answer.value == 1.0 and by["relation.sqa3d_judgement"].answer.value is True
    assert by["relation.sqa3d_judgement"].question["en"] == "I face the table. Is there a box in front of me?"
    assert by["relation.scanqa_where"].answer.accept == ["on table"]
    assert by["caption.scan2cap"].answer.accept == [REFER[1]["description"]]
    assert sorted(row.answer.value for row in rows if row.subtype == "grounding.multi3drefer_count") == [0.0, 2.0]


def test_standing_pose_of_a_situation(tmp_path, truth_scene):
    write_scan(tmp_path, *truth_scene)
    write_language(tmp_path)
    scan = read_scan(tmp_path / "scans" / NAME)
    path = tmp_path / "v1_balanced_questions_val_scannetv2.json"
    (remark,) = scannet_language.read_remarks("sqa3d", path)
    pose = scannet_language.standing_pose(
        remark, world_from_scan=scan.world_from_scan, mesh_center_scan=scan.mesh_center_scan
    )
    place = scan.world_from_scan @ [*(scan.mesh_center_scan + np.array([0.5, -1.0, 0])), 1]
    np.testing.assert_allclose(pose[:3, 3], place[:3], atol=1e-9)
    heading = math.atan2(pose[1, 0], pose[0, 0])
    assert abs((heading - (1.0 + math.pi - TURN) + math.pi) % (2 * math.pi) - math.pi) < 1e-5
    assert abs(np.linalg.det(pose[:3, :3]) - 1) < 1e-5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ScanRefer_filtered_val.json", '[{"scene_id": 3}]'),
        ("ScanRefer_filtered_val.json", '[{"scene_id": "s", "object_id": "many", "description": "x"}]'),
        ("ScanQA_v1.0_val.json", '[{"scene_id": "s", "question": "q", "question_id": "1", "answers": [4]}]'),
        ("ScanQA_v1.0_val.json", '[{"scene_id": "s"'),
        ("multi3drefer_val.json", '[{"scene_id": "s", "object_ids": [-1], "description": "x"}]'),
        ("v1_balanced_sqa_annotations_val_scannetv2.json", '{"annotations": []}'),
        ("v1_balanced_sqa_annotations_val_scannetv2.json", '{"annotations": 3}'),
    ],
)
def test_damaged_language_is_one_clear_line(name, text, tmp_path):
    write_language(tmp_path)
    save(tmp_path / name, text)
    with pytest.raises(InputError):
        for kind, path in scannet_language.annotation_files(tmp_path):
            list(scannet_language.read_remarks(kind, path))


def test_real_scanqa(shared_data):
    remarks = list(scannet_language.read_remarks("scanqa", shared_data / "annotations" / "ScanQA_v1.0_val.json"))
    assert len(remarks) == 4675 and len({r.scan for r in remarks}) == 71 and len({r.key for r in remarks}) == 4675
    assert all(r.answers and r.object_ids for r in remarks)
    subtypes = Counter(scannet_language.question_subtype("scanqa", r.text) for r in remarks)
    assert subtypes["relation.scanqa_where"] > 900 and subtypes["layout.scanqa_count"] > 200
    counted = [r for r in remarks if scannet_language.question_subtype("scanqa", r.text) == "layout.scanqa_count"]
    typed = [scannet_language.typed_answer(r.text, r.answers) for r in counted]
    assert sum(a.kind == "number" for a in typed) == 128  # in the others the two answers give different numbers


def test_real_sqa3d(shared_data):
    path = shared_data / "annotations" / "v1_balanced_questions_test_scannetv2.json"
    remarks = list(scannet_language.read_remarks("sqa3d", path))
    assert len(remarks) == 3519 and len({r.scan for r in remarks}) == 67
    assert all(len(r.answers) == 1 and r.standing is not None and r.situation for r in remarks)
    kinds = Counter(scannet_language.typed_answer(r.text, r.answers).kind for r in remarks)
    assert kinds == {"text": 2024, "yes_no": 668, "number": 432, "direction": 395}


def test_real_sqa3d_people_face_what_they_say_they_face(shared_data):
    """Against another team's boxes of the same scans (centred on the mesh too): what one faces is ahead, not behind."""
    folder = shared_data / "annotations"
    boxes = json.loads((folder / "vsi_scannet_meta_info_val.json").read_text())
    angles = {}
    for remark in scannet_language.read_remarks("sqa3d", folder / "v1_balanced_questions_test_scannetv2.json"):
        match = re.search(r"facing (?:a|the) (\w+(?: bin)?)", remark.situation)
        there = boxes.get(remark.scan, {}).get("object_bbox", {}).get(match.group(1), []) if match else []
        if len(there) != 1:
            continue
        pose = scannet_language.standing_pose(remark, world_from_scan=np.eye(4), mesh_center_scan=np.zeros(3))
        ahead, left, _, _ = inverse_rigid(pose) @ [*there[0]["centroid"], 1]
        angles[remark.scan, match.group(1)] = abs(math.degrees(math.atan2(left, ahead)))
    assert len(angles) >= 8 and max(angles.values()) < 75 and np.median(list(angles.values())) < 20
