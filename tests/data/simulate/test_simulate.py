"""``video3d data simulate``: planned by number, killed and taken up again, the same bytes."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from video3d.cli import run
from video3d.data.inspection import validate
from video3d.data.simulate.generate import (
    SHARD_CLIPS,
    SimulateConfig,
    finished,
    make_clips,
    plan,
    prepare,
    split_of,
    write_candidates,
)
from video3d.data.store import open_dataset
from video3d.types import InputError

pytest.importorskip("mujoco", reason="needs MuJoCo (pip install '.[sim]')")
pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow (pip install '.[data]')")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow (pip install '.[data]')")
from video3d.data.simulate.render import gl_problem

needs_gl = pytest.mark.skipif(gl_problem() is not None, reason=f"needs OpenGL: {gl_problem()}")
SMALL = [
    "--clips",
    "12",
    "--seed",
    "5",
    "--size",
    "64",
    "--frames",
    "5",
    "--furniture",
    "none",
    "--questions",
    "4",
    "--json",
]


@pytest.mark.parametrize("num", [1, 12, 399, 1000])
def test_every_clip_is_in_one_shard_of_its_split(num):
    jobs = plan(num)
    assert sorted(clip for job in jobs for clip in job.clips) == list(range(num))
    assert all(split_of(clip) == job.split for job in jobs for clip in job.clips)
    assert all(len(job.clips) <= SHARD_CLIPS for job in jobs)
    assert len({job.name for job in jobs}) == len(jobs)


def test_more_clips_begin_with_the_same_shards():
    few, many = plan(400), plan(1000)
    whole = {job.name: job.clips for job in few if len(job.clips) == SHARD_CLIPS}
    assert whole
    assert all({job.name: job.clips for job in many}[name] == clips for name, clips in whole.items())


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="empty folder"):
        prepare(SimulateConfig(clips=4, seed=0), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_other_options_do_not_mix(tmp_path):
    assert prepare(SimulateConfig(clips=4, seed=0), tmp_path / "out")
    with pytest.raises(InputError, match="seed"):
        prepare(SimulateConfig(clips=4, seed=1), tmp_path / "out")
    assert not finished(SimulateConfig(clips=4, seed=0), tmp_path / "out")


def test_a_folder_is_of_one_run_at_a_time(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="needs a system with file locks")
    config, out = SimulateConfig(clips=4, seed=0), tmp_path / "out"
    prepare(config, out)
    half = out / ".work" / ".half.partial"
    half.write_text("of the run that is under way")
    with (out / ".work" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="under way"):
            make_clips(config, out, processes=1)
    assert half.exists()


def test_a_run_that_is_refused_leaves_no_lock(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="other files"):
        make_clips(SimulateConfig(clips=4, seed=0), tmp_path, processes=1)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]
    prepare(SimulateConfig(clips=4, seed=0), tmp_path / "out")
    with pytest.raises(InputError, match="seed"):
        make_clips(SimulateConfig(clips=4, seed=1), tmp_path / "out", processes=1)
    assert [p.name for p in (tmp_path / "out" / ".work").iterdir()] == ["plan.json"]


@pytest.mark.parametrize("held", ["[1]", "null", "{", '"plan"'])
def test_a_damaged_plan_is_one_line(held, tmp_path):
    prepare(SimulateConfig(clips=4, seed=0), tmp_path / "out")
    (tmp_path / "out" / ".work" / "plan.json").write_text(held)
    with pytest.raises(InputError, match="the plan of a run"):
        prepare(SimulateConfig(clips=4, seed=0), tmp_path / "out")


@pytest.mark.parametrize("damage", ["none", "shard", "cut", "empty", "no gzip", "no JSON", "no candidate"])
def test_what_is_damaged_is_made_again(damage, tmp_path):
    out, config = tmp_path / "out", SimulateConfig(clips=4, seed=0)
    (job,) = prepare(config, out)
    shard = out / "clips" / f"{job.name}.parquet"
    shard.parent.mkdir()
    parquet.write_table(pyarrow.table({"clip_id": [f"sim-0-{number:06d}" for number in range(4)]}), shard)
    questions = out / ".work" / f"{job.name}.jsonl.gz"
    write_candidates(questions, {})
    if damage == "shard":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif damage == "cut":
        questions.write_bytes(questions.read_bytes()[:-4])
    elif damage == "empty":
        questions.write_bytes(b"")
    elif damage != "none":
        text = {"no gzip": b"dear", "no JSON": gzip.compress(b"{"), "no candidate": gzip.compress(b"[1]")}
        questions.write_bytes(text[damage])
    assert prepare(config, out) == (() if damage == "none" else (job,))


def _no_room(*_args: object) -> None:
    raise OSError(27, "File too large")


def test_workers_that_cannot_write_end_in_one_line(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("video3d.data.simulate.generate._work", _no_room)
    with pytest.raises(InputError, match="File too large"):
        make_clips(SimulateConfig(clips=90, seed=0), tmp_path / "out", processes=2)
    assert "Traceback" not in capfd.readouterr().err
    assert [p.name for p in (tmp_path / "out" / ".work").iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--clips", "0"], "--clips"),
        (["--size", "7"], "--size"),
        (["--frames", "1"], "--frames"),
        (["--processes", "0"], "--processes"),
        (["--seed", "-1"], "--seed"),
        (["--backend", "raytrace"], "backend"),
        (["--furniture", "nowhere.sh3f"], "nowhere.sh3f"),
    ],
)
@needs_gl
def test_bad_options_are_one_line(more, says, tmp_path, capsys):
    argv = ["data", "simulate", "--clips", "4", "--out", str(tmp_path / "out"), *more]
    assert run(argv) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert says in said[0]
    assert not (tmp_path / "out").exists()


@needs_gl
def test_killed_and_taken_up_again_it_is_the_same(tmp_path):
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "video3d.cli", "data", "simulate", *SMALL]
    whole = tmp_path / "whole"
    made = subprocess.run(
        [*command, "--out", str(whole), "--processes", "2"], env=env, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[-2000:]
    report = json.loads(made.stdout)
    assert report["clips"] == 12

    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [*command, "--out", str(killed), "--processes", "1"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not list(killed.glob("clips/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(0.7)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "dataset.json").exists()

    again = subprocess.run(
        [*command, "--out", str(killed), "--processes", "2"], env=env, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr[-2000:]
    names = sorted(str(p.relative_to(whole)) for p in whole.rglob("*") if p.is_file())
    assert names == sorted(str(p.relative_to(killed)) for p in killed.rglob("*") if p.is_file())
    assert all((whole / name).read_bytes() == (killed / name).read_bytes() for name in names)
    checked = validate(open_dataset(killed), deep=True)
    assert checked["ok"], checked["faults"]

    # Asked again from the truth stored, the same questions come out.
    assert run(["data", "questions", str(killed)]) == 0
    assert all((whole / name).read_bytes() == (killed / name).read_bytes() for name in names)

    # Killed on its last steps, when the manifest was there already, it goes on too.
    (killed / ".work").mkdir()
    (killed / ".work" / "left").write_text("")
    third = subprocess.run([*command, "--out", str(killed)], env=env, capture_output=True, text=True, check=False)
    assert json.loads(third.stdout)["clips_made"] == 0
    assert not (killed / ".work").exists()
