"""The command line: what it prints, where, and how it refuses. Run in-process; one test runs the installed program."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hostile import HOSTILE as HOSTILE_FILES
from hostile_formats import HOSTILE as HOSTILE_FORMATS
from PIL import Image

import video3d
from video3d import __version__
from video3d.cli import run


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def listing(folder: Path) -> list[tuple[str, int]]:
    """Names and sizes of everything below a folder, links not followed."""
    return sorted((str(p.relative_to(folder)), p.lstat().st_size) for p in folder.rglob("*"))


def refused(argv: list[str], capsys: pytest.CaptureFixture[str], *, tmp: str = "") -> str:
    capsys.readouterr()
    code = run(argv)
    captured = capsys.readouterr()
    assert code == 2, (code, captured.err)
    assert captured.out == ""
    said = lines_of(captured.err)
    assert len(said) == 1, said
    assert said[0].startswith("video3d: ")
    assert "Traceback" not in said[0]
    assert len(said[0].replace(tmp, "")) < 400
    return said[0]


def test_program_is_installed_and_starts() -> None:
    program = Path(sys.executable).parent / "video3d"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.strip() == __version__
    wrong = subprocess.run([program, "ask", "nowhere.mp4", "what?"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert len(lines_of(wrong.stderr)) == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from video3d.cli import run; run(['--help']); "
        "print(sorted({'torch', 'transformers', 'av', 'pycolmap', 'scipy', 'PIL'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "geometry" in done.stdout
    assert done.stderr.strip() == "[]"


def test_measured_answer(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.asarray(Image.open(room / "depth" / "00003.png"))[80, 100] / 1000.0
    assert run(["ask", str(room), "What is the depth at pixel (100, 80) in frame 3?", "--json", "--frames", "4"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert set(shape) >= {"answer", "evidence", "geometry", "timings_s"}
    assert shape["source"] == "measurement"
    assert shape["evidence"]["frames"] == [3]
    depth = next(q["value"] for q in shape["quantities"] if q["name"].startswith("depth"))
    assert depth == pytest.approx(truth, abs=0.02)
    expected = {"depth": "measured", "intrinsics": "measured", "poses": "measured", "scale": "measured"}
    assert expected.items() <= shape["geometry"].items()
    assert shape["geometry"]["gravity"] in ("measured", "estimated", "unknown")
    assert shape["timings_s"]["total"] > 0


def test_geometry_files_agree_with_the_recording(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["geometry", str(room), "--out", str(out), "--frames", "5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "report.json").read_text())
    cameras = json.loads((out / "cameras.json").read_text())
    assert [c["frame_index"] for c in cameras] == [0, 4, 8, 11, 15]
    assert sorted(p.name for p in (out / "depth").iterdir()) == [f"{c['frame_index']:06d}.png" for c in cameras]
    truth = np.loadtxt(room / "poses.txt").reshape(-1, 4, 4)
    poses = np.array([c["world_from_camera"] for c in cameras])
    moved = poses @ np.linalg.inv(truth[[c["frame_index"] for c in cameras]])
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-6)  # one rigid motion for all
    np.testing.assert_allclose(moved[0, :3, 2], [0, 0, 1], atol=np.sin(np.deg2rad(2)))  # up is still up
    for camera in cameras:
        assert camera["size_hw"] == [120, 160]
        kept = np.asarray(Image.open(out / "depth" / f"{camera['frame_index']:06d}.png"))
        given = np.asarray(Image.open(room / "depth" / f"{camera['frame_index']:05d}.png"))
        np.testing.assert_array_equal(kept, given)
    header = (out / "points.ply").read_bytes().split(b"end_header\n")[0]
    assert f"element vertex {report['num_points']}".encode() in header
    assert report["num_points"] > 1000


def test_what_was_there_is_not_lost(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    argv = ["geometry", str(room), "--out", str(out), "--frames", "2"]
    assert run(argv) == 0
    before = listing(out)
    refused(argv, capsys)  # not without --overwrite
    assert listing(out) == before
    assert run([*argv, "--overwrite"]) == 0
    (out / "mine.txt").write_text("keep me")
    assert "mine.txt" in refused([*argv, "--overwrite"], capsys)
    assert (out / "mine.txt").read_text() == "keep me"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]  # nothing half written beside it
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.json").write_text("{}")
    refused(["geometry", str(room), "--out", str(other), "--overwrite"], capsys)
    assert (other / "report.json").read_text() == "{}"
    refused(["geometry", str(room), "--out", str(tmp_path / "no" / "such")], capsys)


@pytest.mark.parametrize(
    "argv",
    [
        ["ask"],
        ["ask", "ROOM"],
        ["ask", "ROOM", ""],
        ["ask", "ROOM", "   "],
        ["ask", "ROOM", "why? " * 2000],
        ["ask", "ROOM", "how far is it \udcff?"],
        ["ask", "ROOM", "how far?", "--frames", "0"],
        ["ask", "ROOM", "how far?", "--frames", "-3"],
        ["ask", "ROOM", "how far?", "--frames", "many"],
        ["ask", "ROOM", "how far?", "--frames", "100000"],
        ["ask", "ROOM", "how far?", "--ignore", "gravity"],
        ["ask", "ROOM", "how far?", "--model", "no-such-model"],
        ["ask", "ROOM", "what is it?", "--model", "/no/such/folder"],
        ["ask", "ROOM", "how far?", "--depth", "/no/such/folder", "--ignore", "depth"],
        ["geometry", "ROOM", "--out", "ROOM/new", "--depth", ""],
        ["geometry", "ROOM", "--out", "ROOM/new", "--depth", "video:"],
        ["geometry", "ROOM", "--out", "ROOM/new", "--depth", "video:video"],
        ["ask", "ROOM", "one", "too many"],
        ["ask", "", "how far?"],
        ["ask", "https://example.com/video.mp4", "how far?"],
        ["ask", "\0", "how far?"],
        ["info"],
        ["info", "ROOM/images/99999.jpg"],
        ["geometry", "ROOM"],
        ["geometry", "ROOM", "--out", ""],
        ["geometry", "ROOM", "--out", "."],
        ["geometry", "ROOM", "--out", "x" * 300],
        ["geometry", "ROOM", "--out", "ROOM/K.txt"],
        ["fly"],
        ["doctor", "--now"],
    ],
    ids=lambda argv: " ".join(argv)[:50].encode("ascii", "replace").decode(),
)
def test_wrong_commands_are_refused(argv: list[str], room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = listing(room)
    refused([part.replace("ROOM", str(room)) for part in argv], capsys, tmp=str(room))
    assert listing(room) == before


@pytest.mark.parametrize(
    ("name", "build"), [*HOSTILE_FILES, *HOSTILE_FORMATS], ids=[n for n, _ in [*HOSTILE_FILES, *HOSTILE_FORMATS]]
)
def test_hostile_sources_are_refused(
    name: str, build: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    source = build(made)  # pyright: ignore[reportCallIssue]
    if source is None:
        pytest.skip("cannot be made by this user")
    before = listing(tmp_path)
    refused(["geometry", str(source), "--out", str(tmp_path / "out"), "--frames", "64"], capsys, tmp=str(tmp_path))
    assert listing(tmp_path) == before


def test_doctor_names_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = {check["name"] for check in found["checks"]}
    assert {"decoder", "torch", "language model", "vision tower", "cache", "rerun"} <= names
    assert found["ok"], [c for c in found["checks"] if c["required"] and not c["ok"]]


def test_model_says_no_number_that_it_cannot_know(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine, quantity = video3d.load("nano"), r"\d+(?:\.\d+)?\s*(?:m|cm|met|feet|deg)"
    scene = engine.read(room, num_frames=4)
    for question in ("How heavy is the table?", "How far is the chair from the table?", "Describe the room."):
        assert run(["ask", str(room), question, "--json", "--frames", "4"]) == 0
        shape = json.loads(capsys.readouterr().out)
        assert shape["answer"]
        assert shape["source"] in ("model", "unknown")
        if shape["source"] == "model" and shape["kind"] == "open":  # of named things it is said that it is an estimate
            # Only what stands in the prompt: a model that has learned to read may say what it has read.
            read = set(re.findall(quantity, engine.prompt(scene, question)))
            assert set(re.findall(quantity, shape["answer"])) <= read, shape["answer"]


def test_the_recording_alone_tells_its_number_of_frames(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["ask", str(room), "How many frames does the recording have?", "--json", "--ignore", "poses,depth"]
    assert run(argv) == 0
    shape = json.loads(capsys.readouterr().out)
    assert "16" in shape["answer"]
    assert shape["geometry"]["poses"] == "unknown"
    assert "camera" not in shape["timings_s"]
