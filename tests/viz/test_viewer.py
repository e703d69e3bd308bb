"""``video3d view``: what is drawn, the page and the recording, hostile names, and how it refuses."""

import http.client
import json
import threading
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from small_cli import refused

import video3d
from video3d.analysis import Analysis, analyze_scene
from video3d.answers.facts import scene_facts
from video3d.answers.results import RESULTS, Box, Distance, Driving, Polygon, Road, Vehicle
from video3d.answers.task import understand
from video3d.cli import run
from video3d.geometry.boxes import box_from_bounds
from video3d.model import trained
from video3d.scene import Scene
from video3d.types import Detection, InputError, PosedClip, Recording, World
from video3d.viz import rerun_log, viser_scene, web_page
from video3d.viz.in_frames import line_px, seen_in
from video3d.viz.shown import Shown, ShownBox, show, thinned
from video3d.viz.view_files import check_view_out, write_view
from video3d.viz.web_server import serve, server_of

HOSTILE = "<script>document.title='run'</script>\"><img src=x onerror=\"document.title='run'\">&amp;'</svg></iframe></script>\udcff"
TASKS = ("navigation", "placement", "scene")
EMPTY_VIEWER = "<!doctype html><p id='viewer'>3D</p>"


class Page(HTMLParser):
    """Tags, text, what is fetched, and the one script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.fetched, self.text, self.viewer, self.data = [], [], "", "", ""
        self._script = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        assert not any(name.startswith("on") for name in values)
        self.fetched += [values[name] for name in ("src", "href", "xlink:href", "data") if name in values]
        self.viewer += values.get("srcdoc") or ""
        self._script = tag == "script"

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if self._script:
            self.data += data
        else:
            self.text += data


def nothing_clip() -> PosedClip:
    return PosedClip(
        frame_index=np.arange(2), time_s=np.full(2, np.nan), rgb=np.zeros((2, 12, 16, 3), np.uint8), world=World(),
        depth_m=np.full((2, 12, 16), np.nan, np.float32), k_px=np.full((2, 3, 3), np.nan), piece=np.full(2, -1),
        world_from_camera=np.full((2, 4, 4), np.nan),
    )  # fmt: skip


@pytest.fixture(scope="module")
def engine():
    """Nano's eyes closed: what is found by name is tested elsewhere, and its weights take seconds to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained, "NANO_FINDS_OBJECTS", False)
        yield video3d.load()


@pytest.fixture(scope="module")
def scene(engine, room) -> Scene:
    return engine.read(room, num_frames=3)


@pytest.fixture(scope="module")
def views(engine, scene) -> dict[str, Shown]:
    return {task: show(scene, engine.analysis(scene, task=task), max_points=4000) for task in TASKS}


@pytest.fixture
def no_viewer(monkeypatch):
    """The page around an empty 3D part, so that only the page is looked at, without the library."""
    monkeypatch.setattr(web_page, "scene_html", lambda shown: EMPTY_VIEWER)


def test_what_is_drawn_is_what_was_found(views, scene):
    for shown in views.values():
        assert 1000 < len(shown.points) <= 4000 and len(shown.points) == len(shown.colors)
        low, high = shown.extent
        # Every point is the mean of a voxel of seen places: nothing lies outside of the room, 5 x 4 x 2.6 m.
        assert (high - low < 8).all() and np.isfinite(shown.points).all() and 0.01 < shown.voxel < 0.3
        assert len(shown.trajectory) == 16 and shown.unit == "m" and shown.last == (2,)
    plan, put, there = (views[task] for task in ("navigation", "placement", "scene"))
    result = plan.result
    assert len(plan.boxes) == len(result.obstacles) > 0 and plan.map is not None
    assert [one.kind for one in plan.areas] == ["free"] * len(result.navigable.polygons) + ["reachable"] * len(
        result.navigable.reachable
    )
    assert plan.path is not None and plan.path.shape == (len(result.path.places), 3) and plan.marks[0].kind == "goal"
    assert (
        np.allclose(plan.path[:, :2], result.path.places)
        and (np.abs(plan.path[:, 2] - result.navigable.floor_z) < 0.1).all()
    )
    result = put.result
    assert len(put.boxes) == len(result.objects) + len(result.placement_zones) > 3
    assert [one.id for one in put.areas] == [one.id for one in result.surface_planes] == [one.id for one in there.areas]
    zone, drawn = result.placement_zones[0], next(one for one in put.boxes if one.kind == "zone")
    assert np.allclose(drawn.box.center_world, np.array(zone.center) + np.array([0, 0, zone.size[2] / 2]), atol=0.02)
    assert put.path is None and there.map is None


def test_boxes_fall_where_they_are_seen(views):
    shown = views["scene"]
    i = 1
    pose, k = shown.clip.world_from_camera[i], shown.clip.k_px[i]
    center = pose[:3, 3] + 2.0 * pose[:3, 2]
    box = box_from_bounds(center - 0.1, center + 0.1)
    mine = ShownBox(id="a", name="ball", kind="object", box=box, confidence=0.5)
    (seen,) = seen_in(replace(shown, boxes=(mine,)), i)
    middle = seen.lines_px.reshape(-1, 2).mean(axis=0)
    assert np.allclose(middle, k[:2, 2], atol=3) and len(seen.lines_px) == 12
    assert seen.box.label == "ball 0.50" and seen.distance == pytest.approx(
        2.0 * np.hypot(*pose[:2, 2]) - 0.1, abs=0.06
    )
    known = replace(mine, frames=(int(shown.clip.frame_index[0]),))
    assert seen_in(replace(shown, boxes=(known,)), i) == ()  # seen in another frame, and not in this one
    moving = replace(mine, moves=True, velocity=np.array([0.0, 0.0, 100.0]))
    assert seen_in(replace(shown, boxes=(replace(moving, velocity=None),)), i) == ()
    assert seen_in(replace(shown, boxes=(moving,)), i) == ()  # the frames have no times
    shown, times = replace(shown, clip=replace(shown.clip, time_s=np.arange(3) * 0.1)), np.arange(-2, 1) * 0.1
    then = replace(moving, box=replace(box, center_world=center - moving.velocity * times[i]))
    (was,) = seen_in(replace(shown, boxes=(then,)), i)
    assert np.allclose(was.box.box.center_world, center)
    behind = np.stack([pose[:3, 3] - pose[:3, 2], center])
    (line,) = line_px(shown, i, behind)
    assert np.allclose(line[2:], k[:2, 2]) and np.isfinite(line).all()


def test_points_are_thinned_evenly(rng):
    points = np.concatenate([rng.random((20_000, 3)), [[1e5, 0, 0]]])
    at, ink, side = thinned(points, np.full((20_001, 3), 7, np.uint8), 500)
    assert 200 < len(at) <= 500 and (ink == 7).all() and at.max() <= 1.0  # a stray is left out
    _, counts = np.unique(np.floor(at.astype(np.float64) / side), axis=0, return_counts=True)
    assert counts.max() <= 2  # a mean may round into the next voxel
    at, ink, side = thinned(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), 500)
    assert at.shape == ink.shape == (0, 3) and side > 0


def test_the_page_holds_the_result_and_fetches_nothing(views, no_viewer):
    for task, shown in views.items():
        html = web_page.page_html(shown, text=f"{task}: because\n  note        here it is")
        page = Page(html)
        assert json.loads(page.data) == json.loads(shown.result.model_dump_json())
        assert (
            page.fetched
            and all(one.startswith("data:image/") for one in page.fetched)
            and "http" not in html.replace("http-equiv", "")
        )
        assert page.viewer == EMPTY_VIEWER and page.tags.count("svg") == 1 + 3 and page.tags.count("script") == 1
        assert "here it is" in page.text and "default-src 'none'" in html and len(html) < 2_000_000
    drawn = {task: Page(web_page.page_html(shown, text=task)).tags.count("rect") for task, shown in views.items()}
    assert drawn["placement"] > drawn["navigation"] > 2  # labels of zones


def test_what_cannot_be_written_is_said(views, no_viewer):
    with pytest.raises(InputError, match=r"^/proc/a\.html: expected a file that can be written"):
        write_view(views["scene"], Path("/proc/a.html"), text="scene")


def test_hostile_names_are_text(views, no_viewer):
    shown = views["scene"]
    thing = ShownBox(id=HOSTILE, name=HOSTILE, kind="object", box=box_from_bounds(np.zeros(3), np.ones(3)))
    clean = replace(shown, boxes=(replace(thing, id="a", name="a" * len(HOSTILE)),))
    hostile = replace(shown, boxes=(thing,), areas=tuple(replace(one, id=HOSTILE) for one in shown.areas))
    said = HOSTILE.replace("\udcff", "")  # a result is JSON, which has no such letters
    changes = {"query": said, "source": f"/r/{said}", "answer": said, "notes": (said,)}
    text = f"scene: {HOSTILE}\n  {HOSTILE}\n  note        {HOSTILE}"
    page = Page(web_page.page_html(replace(hostile, result=shown.result.model_copy(update=changes)), text=text))
    same = {name: value if isinstance(value, tuple) else "a" for name, value in changes.items()} | {"notes": ("a",)}
    plain = Page(
        web_page.page_html(
            replace(clean, result=shown.result.model_copy(update=same)), text="a: b\n  c\n  note        d"
        )
    )
    assert page.tags == plain.tags
    assert json.loads(page.data)["query"] == changes["query"]


def test_nothing_known_is_said_and_not_drawn(no_viewer, tmp_path):
    clip = nothing_clip()
    facts = scene_facts(clip)
    recording = Recording(
        source=Path("nothing"), format="video", size_hw=clip.size_hw, time_s=clip.time_s, frame_names=("0", "1"),
        load_rgb=lambda indices: clip.rgb[list(indices)],
    )  # fmt: skip
    scene = Scene(recording=recording, clip=clip, facts=facts, camera=None, timings_s={})
    for task in RESULTS:
        shown = show(scene, analyze_scene(scene, understand("", task), ()))
        assert len(shown.points) == len(shown.boxes) == len(shown.areas) == len(shown.trajectory) == 0
        assert shown.unit == "x" and shown.path is None and seen_in(shown, 0) == ()
        page = Page(web_page.page_html(shown, text=task))
        assert "nothing to see from above" in page.text and "one unknown unit" in page.text and "no pose" in page.text
        assert page.tags.count("svg") == clip.num_frames
    if rerun_log_there():
        write_view(shown, tmp_path / "a.rrd", text="x")
        assert entities(tmp_path / "a.rrd").keys() >= {"/world/camera/image", "/answer"}


def test_a_drive_is_drawn_as_of_its_last_instant(scene):
    told = {
        "unit": "m",
        "gravity_aligned": True,
        "source": "street",
        "decided_by": "task",
        "why": "asked",
        "task": "driving",
    }
    box = Box(center=(3.0, 1.0, 0.5), size=(4.0, 2.0, 1.5), yaw_deg=30.0)
    car = Vehicle(
        id="car-1", name="car", box=box, distance=2.0, ahead=3.0, aside=1.0, bearing_deg=-20.0, side="left", status="measured",
        velocity=(1.0, 0.0, 0.0), frames=(15,),
    )  # fmt: skip
    area = Polygon(outer=((0.0, 0.0), (2.0, 0.0), (2.0, 1.0)))
    road = Road(
        status="measured", normal=(0.0, 0.0, 1.0), camera_height=1.5, drivable=(area,), drivable_area=1.0, frames=(15,)
    )
    something = Distance(status="measured", id="something-1", name=None, distance=2.0, bearing_deg=90.0)
    same = Distance(status="measured", id="car-1", name="car", distance=2.0, bearing_deg=-20.0)
    clip, end = scene.clip, scene.clip.world_from_camera[-1]
    geometry = {name: getattr(clip.status, name) for name in ("depth", "intrinsics", "poses", "scale", "gravity")}
    result = Driving(
        **told, geometry=geometry, camera_end=tuple(end[:3, 3].tolist()), road=road, vehicles=(car,),
        distance_to_objects=(same, something),
    )  # fmt: skip
    seen = Detection(box=box_from_bounds(np.zeros(3), np.ones(3)), label="tree", score=0.5)
    shown = show(scene, Analysis(result=result), (seen, replace(seen, label="car")), max_points=500)
    drawn, tree = shown.boxes
    assert (drawn.kind, tree.kind, tree.name) == ("vehicle", "object", "tree") and drawn.moves and not tree.moves
    assert drawn.velocity is not None and drawn.velocity.tolist() == [1.0, 0.0, 0.0]
    assert np.allclose(drawn.box.world_from_box[:, 0], [np.cos(np.pi / 6), 0.5, 0])
    (area,) = shown.areas
    assert np.allclose(area.rings[0][:, 2], end[2, 3] - 1.5, atol=0.05)  # on the road, under the camera
    (mark,) = shown.marks  # the car has a box: it is no mark
    assert mark.text == "2.0 m" and mark.place[2] == pytest.approx(end[2, 3] - 1.5)
    away = mark.place - end[:3, 3]
    assert np.hypot(*away[:2]) == pytest.approx(2.0)


def rerun_log_there() -> bool:
    try:
        rerun_log.need_rerun()
    except InputError:
        return False
    return True


def entities(path: Path) -> dict[str, int]:
    """Rows of every entity of a recording, read back."""
    from rerun.chunk import RrdReader

    found: dict[str, int] = {}
    for chunk in RrdReader(path).stream().to_chunks():
        found[str(chunk.entity_path)] = found.get(str(chunk.entity_path), 0) + chunk.num_rows
    return found


def test_the_recording_reads_back(views, tmp_path):
    pytest.importorskip("rerun", reason="needs rerun-sdk: pip install '.[viz]'")
    out = tmp_path / "plan.rrd"
    write_view(views["navigation"], out, text="navigation: because\n  path        short")
    assert out.read_bytes()[:4] == rerun_log.MAGIC and [one.name for one in tmp_path.iterdir()] == ["plan.rrd"]
    rows = entities(out)
    assert rows["/world/points"] == rows["/world/trajectory"] == rows["/world/path"] == rows["/map"] == 1
    assert rows["/world/camera/depth"] >= 3 and rows["/world/camera/image"] >= 3 and rows["/world/camera"] == 3
    assert {
        "/world/boxes/obstacle",
        "/world/areas/free",
        "/world/areas/reachable",
        "/world/marks",
        "/answer",
        "/seen",
    } <= rows.keys()
    with pytest.raises(InputError, match="exists"):
        write_view(views["navigation"], out, text="")
    write_view(views["scene"], out, text="scene: because", overwrite=True)
    assert "/world/path" not in entities(out)


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--save", "OUT/a.png"], "a.png"),
        (["--save", "OUT/a"], "none"),
        (["--save", "OUT/none/a.rrd"], "no folder"),
        (["--save", "x" * 300 + ".rrd"], "xxx"),
        (["--save", "OUT/mine.html"], "overwrite"),
        (["--save", "OUT/mine.html", "--overwrite"], "another kind"),
        (["--save", "OUT/dir.rrd", "--overwrite"], "folder"),
        (["--save", "OUT/a.html", "--web"], "both"),
        (["--save", "OUT/a.rrd", "--task", "fly"], "--task"),
        (["--save", "OUT/a.rrd", "--frames", "0"], "--frames"),
        (["--save", "OUT/a.rrd", "--size", "1,2"], "--size"),
        (["--save", "OUT/a.rrd", "--task", "driving", "--goal", "door"], "--goal"),
        (["--save", "OUT/a.rrd", "--query", "x" * 100_000], "query"),
        ([], "display"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_work(arguments, named, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(rerun_log, "need_rerun", lambda: None)
    monkeypatch.setattr(viser_scene, "need_viser", lambda: None)
    (tmp_path / "mine.html").write_text("my notes")
    (tmp_path / "dir.rrd").mkdir()
    assert named in refused(["view", "nowhere", *(part.replace("OUT", str(tmp_path)) for part in arguments)], capsys)
    assert (tmp_path / "mine.html").read_text() == "my notes" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("ending", ["rrd", "html"])
def test_a_library_that_is_missing_is_named(ending, tmp_path, capsys, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *rest):
        if name in ("rerun", "viser"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install '.[viz]'" in refused(["view", "nowhere", "--save", tmp_path / f"a.{ending}"], capsys)
    assert not list(tmp_path.iterdir())


def test_an_empty_recording_leaves_nothing_behind(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(viser_scene, "need_viser", lambda: None)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(["view", tmp_path / "empty", "--save", tmp_path / "a.html"], capsys)
    assert [one.name for one in tmp_path.iterdir()] == ["empty"]


def test_the_command_writes_a_page(engine, room, tmp_path, capsys):
    pytest.importorskip("viser", reason="needs viser: pip install '.[viz]'")
    out = tmp_path / "page.html"
    assert run(["view", str(room), "--frames", "3", "--task", "navigation", "--goal", "-1,1", "--save", str(out)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("navigation: ") and "page.html" in said.err and "viser" not in said.out
    page = Page(out.read_text())
    assert "__VISER_EMBED_DATA__" in page.viewer and "(-1.00, 1.00)" in said.out
    assert out.stat().st_size < 10_000_000
    check_view_out(out, overwrite=True)  # one of ours is known as such


def test_the_page_is_served_to_this_machine_alone():
    with server_of("<p>hello</p>") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        host, port = server.server_address[:2]
        assert host == "127.0.0.1"
        for path, name, status in (("/", "127.0.0.1", 200), ("/x", "127.0.0.1", 404), ("/", "evil.example", 404)):
            asked = http.client.HTTPConnection(host, port, timeout=5)
            asked.request("GET", path, headers={"Host": f"{name}:{port}"})
            answer = asked.getresponse()
            assert answer.status == status and (b"hello" in answer.read()) == (status == 200)
            asked.close()
        server.shutdown()
        thread.join(5)


def test_control_c_ends_serving(monkeypatch):
    from video3d.viz import web_server

    def stopped(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(web_server.ThreadingHTTPServer, "serve_forever", stopped)
    said = []
    serve("<p>", say=said.append, open_browser=False)
    assert said[0].startswith("http://127.0.0.1:")


def test_detections_are_drawn_once(engine, scene):
    chair = Detection(box=box_from_bounds(np.array([0.0, 0, 0]), np.array([1.0, 1, 1])), label="chair", score=0.9)
    shown = show(scene, analyze_scene(scene, understand("", "navigation"), (chair,)), (chair,), max_points=2000)
    assert [one.label for one in shown.boxes if one.name == "chair"] == ["chair 0.90"]
