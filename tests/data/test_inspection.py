"""Counting, checking and joining data sets."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_clips import small_clip, small_row, write_small

from video3d.cli import run
from video3d.data import store
from video3d.data.drawing import box_segments, depth_rgb, instance_color
from video3d.data.inspection import stats, validate
from video3d.data.merge import merge
from video3d.data.reading import row_lines
from video3d.data.sheet import (
    CELL_PX,
    MOST_BYTES,
    _label,
    boxes_picture,
    clip_sheet,
    dataset_sheet,
    save_picture,
    spread,
    telling_frame,
    well_seen,
)
from video3d.data.show import describe_clip
from video3d.data.simulate.attribution import ALL_MADE_HERE
from video3d.data.store import open_dataset, write_manifest, write_rows
from video3d.types import InputError

pytest.importorskip("pyarrow", reason="needs pyarrow (pip install '.[data]')")


def test_a_whole_set_has_no_faults(tmp_path):
    report = validate(write_small(tmp_path), deep=True)
    assert report == {"ok": True, "clips": 4, "rows": 8, "num_faults": 0, "faults": []}
    counted = stats(open_dataset(tmp_path))
    assert counted["clips"] == {"train": 3, "test": 1}
    assert counted["questions"]["train"]["mix"]["relation"] == 1.0
    assert counted["questions"]["train"]["subtypes"]["relation.nearer_farther"]["answers"] == {
        "option 1 of 2": 3, "option 2 of 2": 3,
    }  # fmt: skip


def faults_of(root, rows) -> str:
    write_rows(root / "train.jsonl", rows)
    write_manifest(root, {})
    return "\n".join(validate(open_dataset(root))["faults"])


def test_faults_are_found(tmp_path):
    write_small(tmp_path)
    clip = small_clip(0)
    good = small_row(clip)
    assert "row_id twice" in faults_of(tmp_path, [good, good])
    assert "in the file of train" in faults_of(tmp_path, [good.model_copy(update={"split": "test"})])
    assert "not in any shard" in faults_of(tmp_path, [good.model_copy(update={"clip_id": "other"})])
    assert "beyond 2" in faults_of(tmp_path, [good.model_copy(update={"evidence_frames": [3]})])
    assert "objects [9]" in faults_of(tmp_path, [good.model_copy(update={"object_ids": [9]})])
    assert "scene differ" in faults_of(tmp_path, [good.model_copy(update={"scene_id": "elsewhere"})])


def test_changed_files_are_found(tmp_path):
    data = write_small(tmp_path)
    with (tmp_path / "test.jsonl").open("a") as rows:
        rows.write("{}\n")
    (tmp_path / "clips" / "test-00000.parquet").unlink()
    faults = "\n".join(validate(data)["faults"])
    assert "clips/test-00000.parquet: missing" in faults
    assert "test.jsonl: changed" in faults


def test_sets_join(tmp_path):
    write_small(tmp_path / "a", range(4))
    write_small(tmp_path / "b", range(4, 8))
    manifest = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    joined = open_dataset(tmp_path / "c")
    assert len(joined.clip_ids()) == 8
    assert sum(row["rows"] for row in manifest["rows"].values()) == 16
    assert validate(joined)["ok"]
    assert "configs:" in (tmp_path / "c" / "README.md").read_text(encoding="utf-8")


def test_sets_that_clash_do_not_join(tmp_path):
    write_small(tmp_path / "a")
    write_small(tmp_path / "b")
    with pytest.raises(InputError, match=r"clip-00\d, also in"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    assert not (tmp_path / "c").exists()
    with pytest.raises(InputError, match="two or more"):
        merge([tmp_path / "a"], tmp_path / "c")


def in_manifest(root, change) -> None:
    manifest = json.loads((root / "dataset.json").read_text())
    change(manifest)
    (root / "dataset.json").write_text(json.dumps(manifest))


def flip(path, at=2000) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 255
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda root: flip(root / "clips" / "train-00000.parquet"), "b/clips/train-00000.parquet"),
        (lambda root: (root / "clips" / "train-00000.parquet").unlink(), "b/clips/train-00000.parquet"),
        (lambda root: os.truncate(root / "clips" / "test-00000.parquet", 3000), "b/clips/test-00000.parquet"),
        (lambda root: (root / "train.jsonl").unlink(), "b/train.jsonl"),
        (lambda root: flip(root / "train.jsonl", 3), "b/train.jsonl"),
        (lambda root: in_manifest(root, lambda m: m.update(shards=[])), "b/dataset.json"),
        (lambda root: in_manifest(root, lambda m: m["rows"].pop("test")), "b/dataset.json"),
        (lambda root: in_manifest(root, lambda m: m["rows"]["train"].update(rows=5)), "b/train.jsonl"),
        (lambda root: in_manifest(root, lambda m: m["shards"][1]["clips"].reverse()), "b/clips/train-00000.parquet"),
        (lambda root: in_manifest(root, lambda m: m["shards"][1]["clips"].pop()), "b/clips/train-00000.parquet"),
    ],
)
def test_a_damaged_set_does_not_join(tmp_path, capsys, damage, named):
    write_small(tmp_path / "a", range(4))
    write_small(tmp_path / "b", range(4, 8))
    damage(tmp_path / "b")
    assert run(["data", "merge", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{tmp_path}/{named}: expected" in said and ".partial" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_listing_of_other_clips_or_rows_is_found(tmp_path):
    write_small(tmp_path)
    in_manifest(tmp_path, lambda m: m["shards"][1]["clips"].reverse())
    assert validate(open_dataset(tmp_path))["faults"] == [
        "clips/train-00000.parquet: clip 0 is clip-000, the manifest says clip-002"
    ]
    in_manifest(tmp_path, lambda m: (m["shards"][1]["clips"].reverse(), m["shards"][1]["clips"].pop()))
    in_manifest(tmp_path, lambda m: m["rows"]["train"].update(rows=7))
    assert validate(open_dataset(tmp_path))["faults"] == [
        "clips/train-00000.parquet: 3 clips, the manifest says 2", "train.jsonl: 6 rows, the manifest says 7",
    ]  # fmt: skip


def test_files_that_cannot_be_read_are_named(tmp_path):
    data = write_small(tmp_path)
    for name in ("clips/train-00000.parquet", "test.jsonl"):
        (tmp_path / name).unlink()
        (tmp_path / name).mkdir()  # unreadable even to root
    faults = "\n".join(validate(data, deep=True)["faults"])
    assert "train-00000.parquet: expected a file that can be read" in faults
    assert "test.jsonl: expected a file that can be read" in faults
    (tmp_path / "clips" / "train-00000.parquet").rmdir()
    with pytest.raises(InputError, match=r"train-00000\.parquet: expected a Parquet file of clips, got No such file"):
        stats(data)


def test_a_damaged_clip_is_a_fault_and_hides_no_other(tmp_path, monkeypatch):
    write_small(tmp_path)
    encode = store.encode_clip
    spoilt = {"clip-000": {"height": -1}, "clip-001": {"rgb": None}}
    monkeypatch.setattr(store, "encode_clip", lambda clip: encode(clip) | spoilt.get(clip.truth.clip_id, {}))
    data = write_small(tmp_path)
    faults = validate(data, deep=True)["faults"]
    assert any(f.startswith("the frames of clip clip-000: expected 16 to") for f in faults)
    assert any(f.startswith("clip clip-001: expected 3 pictures") for f in faults)
    assert not any("clip-002" in f for f in faults)


def set_of(root, clip):
    """The small set with the truth of one clip in the place of clip-000, whatever its numbers."""
    rest = [small_clip(n) for n in (1, 2)]
    store.write_shard(root / "clips" / "train-00000.parquet", [clip, *rest])
    write_manifest(root, {})
    return open_dataset(root)


def with_value(name, index, value):
    def change(truth):
        array = getattr(truth, name).copy()
        array[index] = value
        return replace(truth, **{name: array})

    return change


def with_object(**more):
    return lambda truth: replace(truth, objects=(replace(truth.objects[0], **more), truth.objects[1]))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (with_value("k_px", (0, 0, 0), np.nan), "intrinsics that are not finite"),
        (with_value("k_px", (0, 1, 1), -1), "focal length"),
        (with_value("k_px", (0, 2, 2), 5), "last row"),
        (with_value("world_from_camera", 1, np.nan), "a camera pose that is not finite"),
        (with_value("world_from_camera", (1, 0, 0), -1), "a camera pose that mirrors"),
        (with_value("world_from_camera", (1, 0, 0), 2), "a camera pose that is not rigid"),
        (with_value("times_s", 1, np.nan), "times that are not finite"),
        (with_value("times_s", slice(None), np.nan), "times that are not finite"),
        (with_value("visible_share", (0, 0), 1.5), "visible_share outside"),
        (with_value("visible_share", (0, 0), np.nan), "visible_share outside"),
        (with_value("visible_px", (0, 0), -1), "visible_px below 0"),
        (with_object(size_m=np.array([1.0, np.nan, 1.0])), "object 1 of size"),
        (with_object(size_m=np.array([1.0, 0.0, 1.0])), "object 1 of size"),
        (with_object(world_from_object=np.full((3, 4, 4), np.nan)), "object 1 with a pose that is not finite"),
    ],
)
def test_numbers_that_cannot_be_are_found(tmp_path, change, fault):
    write_small(tmp_path)
    clip = small_clip()
    faults = validate(set_of(tmp_path, replace(clip, truth=change(clip.truth))), deep=True)["faults"]
    assert faults and all(found.startswith("clip-000: ") for found in faults)
    assert any(fault in found for found in faults)


def test_what_a_recording_does_not_know_is_no_fault(tmp_path):
    data = write_small(tmp_path)
    truth = with_object(world_from_object=np.full((3, 4, 4), np.nan))(small_clip().truth)
    truth = with_value("world_from_camera", 1, np.nan)(with_value("times_s", slice(None), np.nan)(truth))
    assert validate(set_of(tmp_path, replace(small_clip(), truth=replace(truth, source="isaac"))), deep=True)["ok"]
    part = with_value("world_from_camera", (0, 0, 3), np.nan)(truth)
    data = set_of(tmp_path, replace(small_clip(), truth=replace(part, source="isaac")))
    assert validate(data)["faults"] == ["clip-000: a camera pose that is not finite"]


def test_poses_that_are_stored_damaged_are_found(tmp_path, monkeypatch):
    encode = store.encode_clip

    def damaged(clip):
        row = encode(clip)
        if clip.truth.clip_id == "clip-000":
            row["objects"][0]["poses"][0] = np.nan
            row["objects"][1]["poses"][3:7] = [2.0, 0, 0, 0]
        return row

    monkeypatch.setattr(store, "encode_clip", damaged)
    faults = "\n".join(validate(write_small(tmp_path), deep=True)["faults"])
    assert "clip-000: object 1: a pose of which only a part is finite" in faults
    assert "clip-000: object 2: a quaternion that is not of length 1" in faults


def test_a_clip_is_described_and_drawn(tmp_path):
    data = write_small(tmp_path)
    shown, named = describe_clip(data, "clip-001.1")
    assert shown["clip_id"] == "clip-001"
    assert named == [1, 2]
    assert shown["questions"] == ["[relation.nearer_farther] Which is nearer? -> the ball"]
    sheet = clip_sheet(data.clip("clip-001"))
    assert sheet.size == (4 * CELL_PX, 3 * round(CELL_PX * 32 / 40))
    save_picture(sheet, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match=r"ends in \.png"):
        save_picture(sheet, tmp_path / "sheet.gif")
    (tmp_path / "folder.png").mkdir()
    for place, got in (("folder.png", "a folder"), ("sheet.png/under.png", "Not a directory|File exists")):
        with pytest.raises(InputError, match=got):
            save_picture(sheet, tmp_path / place)
    assert not list(tmp_path.rglob("*.partial"))
    with pytest.raises(InputError, match="clip_id or row_id"):
        describe_clip(data, "nothing")


def looking_down(clip):
    """The small clip, whose camera looks up, turned so that everything lies before it."""
    turned = clip.truth.world_from_camera.copy()
    turned[:, :3, :3] = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
    return replace(clip, truth=replace(clip.truth, world_from_camera=turned))


def test_boxes_are_drawn_where_they_are_and_named():
    clip = small_clip()
    objects = clip.truth.objects[:1]
    plain = np.asarray(boxes_picture(clip, 0, [], 80))
    assert (np.asarray(boxes_picture(clip, 0, objects, 80)) == plain).all()  # behind the camera
    below = looking_down(clip)
    lines = box_segments(below.truth, 0, objects[0].box(0))
    assert len(lines) and np.isfinite(lines).all()
    drawn = np.asarray(boxes_picture(below, 0, objects, 80))
    assert (drawn == instance_color(objects[0].object_id)).all(axis=2).any()  # a line
    assert (drawn == 255).all(axis=2).sum() > (plain == 255).all(axis=2).sum()  # letters


def test_names_never_lie_over_one_another():
    taken = []
    image = Image.new("RGB", (200, 200))
    for _ in range(6):
        _label(image, "chair", np.array([[50.0, 80.0], [120.0, 140.0]]), taken)
    assert 2 <= len(taken) <= 4
    assert all(a[3] < b[1] or b[3] < a[1] for i, a in enumerate(taken) for b in taken[:i])


def test_a_sheet_of_many_clips_is_the_same_each_time_and_shows_every_scenario(tmp_path):
    data = write_small(tmp_path / "data")
    image, clip_ids = dataset_sheet(data, 3)
    assert len(set(clip_ids)) == 3 and image.width == 3 * CELL_PX + 2 * 6
    again, same_ids = dataset_sheet(data, 3)
    assert same_ids == clip_ids and again.tobytes() == image.tobytes()
    assert len(dataset_sheet(data, 100)[1]) == 4
    save_picture(image, tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size <= MOST_BYTES
    groups = {"a": list("0123456789"), "b": ["x"], "c": ["y", "z"]}
    assert spread(groups, 6) == ["1", "5", "8", "x", "y", "z"]
    assert len(spread(groups, 50)) == 13 and spread({}, 5) == []


def test_the_telling_frame_shows_what_moves():
    truth = small_clip().truth
    seen, share = np.full_like(truth.visible_px, 0), np.full_like(truth.visible_share, 0.0)
    seen[1, 0], share[1, 0] = 500, 0.9
    assert telling_frame(replace(truth, visible_px=seen, visible_share=share)) == 1
    assert well_seen(replace(truth, visible_px=seen, visible_share=share), 0) == []


def test_unknown_depth_is_grey():
    depth = np.array([[np.nan, 1.0], [2.0, 4.0]], np.float32)
    shown = depth_rgb(depth, (1.0, 4.0))
    assert shown[0, 0].tolist() == [128, 128, 128]
    assert shown[0, 1].sum() > shown[1, 0].sum() > shown[1, 1].sum()


def test_only_what_was_simulated_is_asked_again(tmp_path, capsys):
    write_small(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    assert run(["data", "questions", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and "video3d data simulate" in said[0] and str(tmp_path) in said[0]
    assert run(["data", "questions", str(tmp_path), "--questions", "0"]) == 2
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_joined_sets_name_all_makers_and_do_not_say_that_there_are_none(tmp_path):
    write_small(tmp_path / "a")
    write_small(tmp_path / "b", range(4, 8))
    (tmp_path / "a" / "ATTRIBUTION.md").write_text(f"# Attribution\n\n{ALL_MADE_HERE}\n")
    (tmp_path / "b" / "ATTRIBUTION.md").write_text("# Attribution\n\n| chair | Ann | CC-BY-3.0 |\n")
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    text = (tmp_path / "both" / "ATTRIBUTION.md").read_text()
    assert "Ann" in text and ALL_MADE_HERE not in text and text.count("# Attribution") == 1


def test_questions_are_laid_out_to_be_read(tmp_path, capsys):
    data = write_small(tmp_path / "data")
    number = sum(len(list(data.rows(split))) for split in data.splits())
    command = [
        "data",
        "read",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / "pages"),
        "--rows",
        str(number),
        "--json",
    ]
    assert run(command) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(set(shown["rows"])) == number and len(shown["pages"]) == -(-number // 4)
    with Image.open(shown["pages"][0]) as page:
        assert page.width == 6 * (240 + 8) and page.height > 4 * 192
    run(command)
    assert json.loads(capsys.readouterr().out)["rows"] == shown["rows"]
    row = small_row(small_clip())
    assert row.question["en"] in row_lines(row)[1] and row.answer_text["en"] in row_lines(row)[-1]
    assert run([*command[:-2], str(number + 1)]) == 2
    assert "at most" in capsys.readouterr().err
