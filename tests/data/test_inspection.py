"""Counting, checking and joining data sets."""

import json

import numpy as np
import pytest
from small_clips import small_clip, small_row, write_small

from video3d.data.inspection import stats, validate
from video3d.data.merge import merge
from video3d.data.sheet import box_lines, clip_sheet, depth_rgb, save_png
from video3d.data.show import describe_clip
from video3d.data.store import open_dataset, write_manifest, write_rows
from video3d.types import InputError

pytest.importorskip("pyarrow", reason="needs pyarrow (pip install 'video3d[data]')")


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


def test_a_clip_is_described_and_drawn(tmp_path):
    data = write_small(tmp_path)
    shown, named = describe_clip(data, "clip-001.1")
    assert shown["clip_id"] == "clip-001"
    assert named == [1, 2]
    assert shown["questions"] == ["[relation.nearer_farther] Which is nearer? -> the ball"]
    sheet = clip_sheet(data.clip("clip-001"))
    assert sheet.shape == (3 * 32, 4 * 40, 3)
    save_png(sheet, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(InputError, match="clip_id or row_id"):
        describe_clip(data, "nothing")


def test_boxes_are_cut_at_the_near_plane():
    clip = small_clip()
    # The camera looks along world z from 1.5 m up: everything lies behind it.
    assert box_lines(clip, 0, 1) == []
    turned = clip.truth.world_from_camera.copy()
    turned[:, :3, :3] = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
    from dataclasses import replace

    below = replace(clip, truth=replace(clip.truth, world_from_camera=turned))
    lines = np.array(box_lines(below, 0, 1))
    assert lines.shape == (12, 4)
    assert np.isfinite(lines).all()


def test_unknown_depth_is_black():
    depth = np.array([[np.nan, 1.0], [2.0, 4.0]], np.float32)
    shown = depth_rgb(depth)
    assert not shown[0, 0].any()
    assert shown[0, 1, 0] > shown[1, 1, 0]
    assert json.dumps(shown.shape) == "[2, 2, 3]"
