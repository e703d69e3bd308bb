"""Clips and rows on disk: they come back as they went, the same data gives the same bytes, and damage is named."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
from small_clips import small_clip, small_row, write_small

from video3d.data.clip_codec import decode_clip, encode_clip
from video3d.data.row import Row
from video3d.data.store import (
    clip_ids_of,
    open_dataset,
    parse_row,
    read_rows,
    replaced,
    row_line,
    write_rows,
    write_shard,
)
from video3d.types import InputError

pytest.importorskip("pyarrow", reason="needs pyarrow (pip install '.[data]')")


def same(a, b) -> bool:
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, rtol=0, atol=2e-6, equal_nan=True)
    return a == b


def test_a_clip_comes_back(tmp_path):
    clip = small_clip()
    write_shard(tmp_path / "a.parquet", [clip, small_clip(1, pixels=False)])
    assert clip_ids_of(tmp_path / "a.parquet") == ["clip-000", "clip-001"]
    back = write_small(tmp_path / "set").clip("clip-000")
    first, others = clip.truth.rollouts[0], back.truth.rollouts
    assert same(first, others[0])
    assert same(dataclasses.replace(clip.truth, rollouts=()), dataclasses.replace(back.truth, rollouts=()))
    assert np.allclose(others[1].world_from_object, clip.truth.rollouts[1].world_from_object[::2], atol=2e-6)
    assert np.array_equal(np.isnan(back.depth_m), np.isnan(clip.depth_m))
    assert np.nanmax(np.abs(back.depth_m - clip.depth_m)) <= 0.5001e-3  # to the millimetre
    assert np.array_equal(back.instance, clip.instance)
    assert np.abs(back.rgb.astype(int) - clip.rgb).mean() < 2
    assert back.notes == clip.notes


def test_unknown_poses_stay_unknown():
    clip = small_clip()
    poses = clip.truth.objects[0].world_from_object.copy()
    poses[1] = np.nan
    gone = dataclasses.replace(clip.truth.objects[0], world_from_object=poses)
    truth = dataclasses.replace(clip.truth, objects=(gone, clip.truth.objects[1]))
    back = decode_clip(encode_clip(dataclasses.replace(clip, truth=truth)))
    assert np.array_equal(np.isnan(back.truth.objects[0].world_from_object[:, 0, 0]), [False, True, False])


def test_the_same_clips_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_shard(tmp_path / name, [small_clip(0), small_clip(1)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    one, two = write_small(tmp_path / "one"), write_small(tmp_path / "two")
    assert one.content_hash == two.content_hash
    assert one.content_hash != write_small(tmp_path / "three", range(5)).content_hash


def test_only_the_frames_wanted_are_decoded(tmp_path):
    clip = write_small(tmp_path).clip("clip-001", frames=[1])
    assert clip.rgb[1].any() and not clip.rgb[0].any()
    assert np.isnan(clip.depth_m[0]).all() and np.isfinite(clip.depth_m[1]).any()


def test_a_shard_that_fails_leaves_nothing(tmp_path):
    def clips():
        yield small_clip()
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "clips" / "train-00000.parquet", clips())
    assert list((tmp_path / "clips").iterdir()) == []


def test_rows_come_back(tmp_path):
    rows = [small_row(small_clip(), k) for k in range(3)]
    assert write_rows(tmp_path / "r.jsonl", rows) == 3
    assert list(read_rows(tmp_path / "r.jsonl")) == rows
    assert "椅子" in (tmp_path / "r.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row.pop("question"),
        lambda row: row.update(split="dev"),
        lambda row: row.update(extra=1),
        lambda row: row["answer"].update(index=5),
        lambda row: row.update(type="layout"),
        lambda row: row.update(question={"zh": "只有中文"}),
        lambda row: row.update(answer={"kind": "number", "value": float("nan"), "unit": "m"}),
        lambda row: row.update(answer={"kind": "box", "center_world": [0, 0, 0], "size_m": [0, 1, 1]}),
        lambda row: row.update(row_id="../../etc/passwd"),
    ],
)
def test_a_row_that_is_none_is_named(spoil):
    row = json.loads(row_line(small_row(small_clip())))
    assert isinstance(parse_row(json.dumps(row), "here"), Row)
    spoil(row)
    with pytest.raises(InputError, match=r"^line 7: expected a row of Video-3D-QA"):
        parse_row(json.dumps(row), "line 7")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"shards": []}', '{"shards": [{"path": "../x"}]}', "\x00", '{"shards": 3}']
)
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match="expected the manifest"):
        open_dataset(tmp_path)


def test_a_shard_elsewhere_is_refused(tmp_path):
    write_small(tmp_path)
    manifest = json.loads((tmp_path / "dataset.json").read_text())
    manifest["shards"][0]["path"] = "clips/../../secret.parquet"
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="outside clips"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PAR1" + data[8:]]
)
def test_a_damaged_shard_is_named(tmp_path, damage):
    data = write_small(tmp_path)
    path = tmp_path / "clips" / "train-00000.parquet"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"train-00000\.parquet"):
        for clip_id in data.clip_ids("train"):
            data.clip(clip_id)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="expected a data set"):
        open_dataset(tmp_path / "nowhere")
    data = write_small(tmp_path)
    with pytest.raises(InputError, match="one of the 4 clips"):
        data.clip("clip-999")
    with pytest.raises(InputError, match="train, test"):
        data.rows("val")


def test_huggingface_datasets_reads_it(tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    write_small(tmp_path / "set")
    files = str(tmp_path / "set" / "clips" / "train-*.parquet")
    found = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert found[0]["rgb"][0].size == (40, 32)
    assert found[0]["objects"][1]["category"] == "ball"


def spoil_manifest(root, change) -> None:
    manifest = json.loads((root / "dataset.json").read_text())
    change(manifest)
    (root / "dataset.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["shards"][0]["clips"].__setitem__(0, "../../x"),
        lambda m: m["shards"][0]["clips"].__setitem__(0, 7),
        lambda m: m["shards"][0]["clips"].__setitem__(0, "a\n"),
        lambda m: m["shards"][0].update(clips="clip-000"),
        lambda m: m["shards"][0].update(clips={"clip-000": 1}),
        lambda m: m["shards"][0].update(split="val"),
        lambda m: m["shards"][0].update(path=m["shards"][0]["path"] + "\n"),
        lambda m: m["shards"][0].update(sha256=None),
        lambda m: m.update(shards={}),
        lambda m: m.update(rows=[]),
        lambda m: m.update(rows=None),
        lambda m: m.update(rows={"train": "train.jsonl"}),
        lambda m: m.pop("rows"),
        lambda m: m["rows"].update(dev=m["rows"]["train"]),
        lambda m: m["rows"]["train"].update(path="../../etc/passwd"),
        lambda m: m["rows"]["train"].update(path="test.jsonl"),
        lambda m: m["rows"]["train"].update(rows="six"),
        lambda m: m["rows"]["train"].update(rows=-1),
        lambda m: m["rows"]["train"].update(sha256=3),
        lambda m: m.update(content_hash=None),
    ],
)
def test_a_manifest_of_other_things_is_named(tmp_path, change):
    write_small(tmp_path)
    spoil_manifest(tmp_path, change)
    with pytest.raises(InputError, match=r"dataset\.json: expected the manifest"):
        open_dataset(tmp_path)


def test_another_clip_never_answers_for_the_one_asked(tmp_path):
    write_small(tmp_path)
    spoil_manifest(tmp_path, lambda m: m["shards"][1]["clips"].reverse())
    data = open_dataset(tmp_path)
    assert data.clip("clip-001").truth.clip_id == "clip-001"
    for read in (data.clip, data.truth):
        with pytest.raises(InputError, match=r"train-00000\.parquet: expected clip-002 as clip 0"):
            read("clip-002")


def test_rows_that_are_gone_are_missed(tmp_path):
    data = write_small(tmp_path)
    (tmp_path / "train.jsonl").unlink()
    assert data.splits() == ("train", "test")
    with pytest.raises(InputError, match=r"train\.jsonl: expected rows"):
        data.rows("train").__next__()


def test_what_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/r\.jsonl: expected a file that can be written"):
        write_rows(tmp_path / "file" / "r.jsonl", [])
    (tmp_path / "folder.jsonl" / "x").mkdir(parents=True)
    with pytest.raises(InputError, match=r"folder\.jsonl: expected a file that can be written, got .*; write where"):
        write_rows(tmp_path / "folder.jsonl", [])
    with pytest.raises(InputError, match=r"n+: expected a file that can be written") as caught:
        write_rows(tmp_path / ("n" * 250), [])
    assert ".partial" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # from a worker process
    with pytest.raises(InputError, match=r"^[^ ]*/n+: expected a file that can be written"):
        write_shard(tmp_path / ("n" * 250), [small_clip()])
    with pytest.raises(OSError, match="elsewhere"), replaced(tmp_path / "x"):
        raise OSError(5, "elsewhere")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.jsonl"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row.update(height=-1),
        lambda row: row.update(height=2**31 - 1),
        lambda row: row.update(height=2**70),
        lambda row: row.update(height="32"),
        lambda row: row.update(height=32.0),
        lambda row: row.update(width=None),
        lambda row: row.update(rgb=None),
        lambda row: row.update(rgb=row["rgb"][:1]),
        lambda row: row.update(rgb=[None] * 3),
        lambda row: row["rgb"][1].update(bytes=None),
        lambda row: row["rgb"][1].update(bytes="/etc/passwd"),
        lambda row: row["depth_mm"].__setitem__(0, None),
        lambda row: row["instance"].pop(),
        lambda row: row.update(notes=None),
        lambda row: row.update(objects=[None]),
        lambda row: row.update(times_s=None),
        lambda row: row.update(rollouts=[{}]),
        lambda row: row.pop("complete"),
    ],
)
def test_a_damaged_clip_is_named(spoil):
    row = encode_clip(small_clip())
    assert decode_clip(row).truth.clip_id == "clip-000"
    spoil(row)
    with pytest.raises(InputError, match="clip clip-000"):
        decode_clip(row)


def test_an_error_comes_back_whole_from_a_worker_process():
    error = InputError("room/K.txt", expected="a 3x3 matrix", got="2 rows", do="write 3")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is InputError and str(again) == str(error)
    assert (again.thing, again.expected, again.got, again.do) == ("room/K.txt", "a 3x3 matrix", "2 rows", "write 3")
