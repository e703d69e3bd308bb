"""Building from a source: resumed after a kill, independent of the number of processes, damaged scenes told and left out."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_source_scannet import NAME, write_language, write_scan
from toy_scene import render, toy

from video3d.data.sources import build
from video3d.data.sources.build import build_source
from video3d.data.sources.source import SOURCES, Source, SourceInfo, source
from video3d.data.store import open_dataset
from video3d.types import InputError

OPTIONS = {"num_frames": 3, "size_hw": (48, 64)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Twelve scans, of which two are damaged; nine in train, three in val."""
    root = tmp_path_factory.mktemp("scannet")
    scene = toy(num_frames=4)
    first = write_scan(root, scene, render(scene))
    names = [NAME] + [f"scene00{i}_00" for i in range(20, 31)]
    for name in names[1:]:
        folder = root / "scans" / name
        folder.mkdir()
        for path in first.iterdir():
            os.link(path, folder / path.name.replace(NAME, name))
    for name, suffix in (("scene0024_00", ".sens"), ("scene0027_00", "_vh_clean_2.ply")):
        path = root / "scans" / name / f"{name}{suffix}"
        path.unlink()
        path.write_bytes(b"damaged")
    (root / "scannetv2_train.txt").write_text("\n".join(names[3:]))
    (root / "scannetv2_val.txt").write_text("\n".join(names[:3]))
    write_language(root)
    return root


def contents(out: Path) -> dict[str, bytes]:
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and p.relative_to(out).parts[0] not in ("parts", "work")]
    return {str(p.relative_to(out)): p.read_bytes() for p in files}


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "out"
    lines = []
    return out, build_source("scannet", root, out=out, progress=lines.append, **OPTIONS), "\n".join(lines)


def test_clips_rows_and_damage(built):
    out, report, progress = built
    assert (report.scenes, report.clips) == (10, 10)
    assert [name for name, _ in report.failed] == ["scene0024_00", "scene0027_00"]
    assert "PLY" in report.failed[1][1]
    assert "3 of 3 groups" in progress and "could not be read" in progress
    data = open_dataset(out)
    assert len(data.clip_ids("train")) == 7 and len(data.clip_ids("val")) == 3
    clip = data.clip(f"scannet-{NAME}-00")
    assert clip.rgb.shape == (3, 48, 64, 3) and clip.truth.objects[0].category == "table"
    rows = list(data.rows("val"))
    assert report.rows == len(rows) > 5 and {row.clip_id for row in rows} == {clip.truth.clip_id}


def test_processes_do_not_change_the_result(root, built, tmp_path):
    build_source("scannet", root, out=tmp_path / "out", processes=2, progress=lambda line: None, **OPTIONS)
    assert contents(tmp_path / "out") == contents(built[0])


CHILD = """
import sys, time
from pathlib import Path
from video3d.data.sources.build import build_source
from video3d.data.store import write_shard

def write(path, clips):
    if list(Path(sys.argv[2]).glob("clips/*.parquet")):
        Path(path.parent / ".half.partial").write_bytes(b"half")
        Path(sys.argv[2] + ".stuck").write_text("")
        time.sleep(120)
    return write_shard(path, clips)

build_source("scannet", sys.argv[1], out=sys.argv[2], num_frames=3, size_hw=(48, 64), write_clips=write)
"""


def test_killed_while_it_writes_and_taken_up_again(root, built, tmp_path):
    out = tmp_path / "out"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(root), str(out)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while time.monotonic() < until and not Path(f"{out}.stuck").exists():
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(list(out.glob("clips/*.parquet"))) == 1 and not (out / "dataset.json").exists()
    lines = []
    build_source("scannet", root, out=out, progress=lines.append, **OPTIONS)
    (out / "clips" / ".half.partial").unlink()
    assert contents(out) == contents(built[0])


def test_only_what_failed_is_read_again(root, built, monkeypatch):
    out, before, _ = built
    read = []
    reader = source("scannet")
    original = reader.read_scene
    monkeypatch.setattr(reader, "read_scene", lambda root, ref, **o: read.append(ref.name) or original(root, ref, **o))
    again = build_source("scannet", root, out=out, progress=lambda line: None, **OPTIONS)
    assert again.failed == before.failed and again.clips == before.clips
    # by groups: train has 9 scans in groups of 8, both damaged ones are in the first
    assert len(read) == 8 and {"scene0024_00", "scene0027_00"} <= set(read)


def test_other_settings_are_not_mixed(root, built, tmp_path):
    with pytest.raises(InputError, match="other settings"):
        build_source("scannet", root, out=built[0], num_frames=4, size_hw=(48, 64))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        build_source("scannet", root, out=tmp_path, **OPTIONS)
    with pytest.raises(InputError, match="expected a data set"):
        build_source("imagenet", root, out=tmp_path / "x")
    with pytest.raises(InputError, match="num_frames"):
        build_source("scannet", root, out=tmp_path / "x", num_frames=0)


def one_row_a_clip(clips):
    from video3d.data.row import Row, YesNo

    return [
        Row(
            row_id=f"made:{c.truth.clip_id}", clip_id=c.truth.clip_id, scene_id=c.truth.scene_id, source="scannet", licence="x",
            split=c.truth.split, domain="indoor", type="layout", subtype="layout.made", question={"en": "q"},
            answer=YesNo(value=True), answer_text={"en": "yes"},
        )
        for c in clips
    ]  # fmt: skip


def test_questions_of_the_generator_come_with_it(root, tmp_path):
    report = build_source(
        "scannet",
        root,
        out=tmp_path / "o",
        split="val",
        limit=2,
        make_rows=one_row_a_clip,
        progress=lambda line: None,
        **OPTIONS,
    )
    assert report.clips == 2
    made = [row for row in open_dataset(tmp_path / "o").rows("val") if row.subtype == "layout.made"]
    assert len(made) == 2
    settings = json.loads((tmp_path / "o" / "dataset.json").read_text())["made_by"]
    assert settings["scenes"] == ["scene0011_00", "scene0020_00"]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_is_one(name, tmp_path):
    found = source(name)
    assert isinstance(found, Source) and isinstance(found.INFO, SourceInfo) and found.INFO.name == name
    with pytest.raises(InputError):
        found.check(tmp_path / "nowhere")
    page = Path(__file__).parents[3] / "docs" / "datasets" / f"{name}.md"
    assert f"video3d data build {name} --root" in page.read_text()


def test_groups_do_not_mix_splits(root):
    groups = build._groups("scannet", source("scannet").scenes(root))
    assert all(len({ref.split for ref in group.refs}) == 1 for group in groups)
