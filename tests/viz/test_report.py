"""The geometry page and the mesh file: what they hold, what they never hold, and how they refuse."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from video3d.cli import run
from video3d.types import GeometryStatus, PosedClip, World
from video3d.viz.report import report_html

VOID = {"meta", "img", "br", "path", "circle", "rect", "polygon", "polyline"}


class Page(HTMLParser):
    """Collects text and tags; every tag that opens must close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def clip_of(num_frames=3, **changes) -> PosedClip:
    poses = np.tile(np.eye(4), (num_frames, 1, 1))
    poses[:, 0, 3] = np.arange(num_frames) * 0.2
    clip = PosedClip(
        frame_index=np.arange(num_frames), time_s=np.arange(num_frames) * 0.5,
        rgb=np.full((num_frames, 24, 32, 3), 90, np.uint8), depth_m=np.full((num_frames, 24, 32), 2.0, np.float32),
        k_px=np.tile(np.array([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]]), (num_frames, 1, 1)), world_from_camera=poses,
        piece=np.zeros(num_frames, np.int64), world=World(metric=True, gravity_aligned=True),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip
    return replace(clip, **changes)


def page_of(clip: PosedClip, source: str = "room", facts: tuple[str, ...] = ()) -> Page:
    points = np.random.default_rng(0).random((500, 3)) if np.isfinite(clip.depth_m).any() else np.zeros((0, 3))
    html = report_html(clip, points, np.zeros((len(points), 3), np.uint8), {"source": source, "facts": list(facts)})
    assert "http" not in html
    assert "<script" not in html.lower()
    page = Page(html)
    assert all(one.startswith("data:image/") for one in page.sources)
    return page


def test_page_shows_path_points_and_frames():
    page = page_of(clip_of(), facts=("room: 3 m",))
    assert page.tags.count("svg") == 2
    assert page.tags.count("img") == 3 + 2 * 3
    for words in (
        "Lengths are metres",
        "3 of 3 frames have a place",
        "known at 100%",
        "room: 3 m",
        "not stated",
        "1.00 s",
    ):
        assert words in page.text, words


def test_page_says_what_is_unknown():
    nothing = clip_of(
        depth_m=np.full((3, 24, 32), np.nan, np.float32), k_px=np.full((3, 3, 3), np.nan), piece=np.full(3, -1),
        world_from_camera=np.full((3, 4, 4), np.nan), world=World(), time_s=np.full(3, np.nan),
        status=GeometryStatus(notes=("camera: the camera stands still",)),
    )  # fmt: skip
    page = page_of(nothing)
    for words in (
        "scale is unknown", "Which way is up is unknown", "None of 3 frames has a pose", "Depth is unknown",
        "No pixel can be placed", "the camera stands still", "no path to draw",
    ):  # fmt: skip
        assert words in page.text, words
    assert "nan" not in page.text.lower()
    assert page.text.count("unknown") >= 8


def test_page_states_uncertainty_and_pieces():
    sigma = np.tile(np.linspace(0.02, 0.10, 32, dtype=np.float32), (3, 24, 1))
    status = GeometryStatus(depth="estimated", poses="estimated", scale="estimated")
    page = page_of(clip_of(depth_log_sigma=sigma, piece=np.array([0, 1, -1]), status=status))
    for words in (
        "half of the pixels are good to about 6%",
        "nine of ten to 9%",
        "1 are in 1 further pieces",
        "1 have no pose",
    ):
        assert words in page.text, words
    assert page.tags.count("svg") == 3  # two paths and the histogram


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a&b</title>", "\udcff\x07"])
def test_hostile_names_are_text(name):
    clean = page_of(clip_of(), "room", ("fact",)).tags
    page = page_of(clip_of(status=GeometryStatus(notes=(name, f"depth: {name}"))), name, (name,))
    assert [t for t in page.tags if t in ("img", "svg")] == [t for t in clean if t in ("img", "svg")]


def test_geometry_writes_the_page(room: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert run(["geometry", str(room), "--out", str(out), "--frames", "3"]) == 0
    html = (out / "report.html").read_text()
    assert len(html) < 3_000_000
    assert "room" in Page(html).text
    assert run(["geometry", str(room), "--out", str(out), "--frames", "2", "--overwrite"]) == 0


def test_reconstruct_writes_a_mesh(room: Path, tmp_path: Path, capsys):
    out = tmp_path / "mesh.ply"
    argv = ["reconstruct", str(room), "--out", str(out), "--voxel-m", "0.05", "--frames", "6", "--json"]
    assert run(argv) == 0
    said = json.loads(capsys.readouterr().out)
    head, body = out.read_bytes().split(b"end_header\n", 1)
    assert f"element vertex {said['vertices']}".encode() in head
    assert f"element face {said['faces']}".encode() in head
    assert len(body) == 15 * said["vertices"] + 13 * said["faces"]
    faces = np.frombuffer(body[15 * said["vertices"] :], [("n", "u1"), ("v", "<i4", 3)])
    assert (faces["n"] == 3).all()
    assert faces["v"].max() == said["vertices"] - 1
    assert said["metric"] and said["measured_share"] == 1.0
    assert all(0.5 < side < 8 for side in said["extent"])
    assert run(argv) == 2
    assert run([*argv, "--overwrite"]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["mesh.ply"]


@pytest.mark.parametrize(
    "rest",
    [
        ["--out", "OUT/mesh.obj"],
        ["--out", "OUT"],
        ["--out", "OUT/no/mesh.ply"],
        ["--out", "OUT/mine.ply", "--overwrite"],
        ["--out", "OUT/mesh.ply", "--voxel-m", "0"],
        ["--out", "OUT/mesh.ply", "--voxel-m", "nan"],
        ["--out", "OUT/mesh.ply", "--voxel-m", "0.00001"],
        ["--out", "OUT/mesh.ply", "--voxel-m", "1000"],
        ["--out", "OUT/mesh.ply", "--voxel-m", "fine"],
        ["--out", "OUT/mesh.ply", "--frames", "0"],
        ["--out", "OUT/mesh.ply", "--ignore", "colour"],
        ["--out", "x" * 300 + ".ply"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_reconstructions_are_refused(rest: list[str], room: Path, tmp_path: Path, capsys):
    (tmp_path / "mine.ply").write_text("my notes")
    argv = ["reconstruct", str(room), *(part.replace("OUT", str(tmp_path)) for part in rest)]
    assert run(argv if "--frames" in argv else [*argv, "--frames", "2"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len([line for line in captured.err.splitlines() if line.strip()]) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["mine.ply"]
    assert (tmp_path / "mine.ply").read_text() == "my notes"
