"""``video3d analyze``, ``schema`` and ``ask --point``: typed results of a small room, and how they refuse."""

import json

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from small_cli import refused
from tiny_detectors import save_owl
from tiny_segmenters import save_sam2

import video3d
from video3d.analysis import analyze_scene
from video3d.answers.results import RESULTS, TASKS, AnyResult
from video3d.answers.task import understand
from video3d.answers.wishes import Wishes
from video3d.cli import run
from video3d.cli_analyze import result_text
from video3d.geometry.boxes import box_from_bounds
from video3d.model import trained
from video3d.types import Detection, InputError
from video3d.types.detector import SeenBox

RESULT = TypeAdapter(AnyResult)
KEYS = {
    "navigation": {"navigable", "obstacles", "path"},
    "driving": {"road", "vehicles", "distance_to_objects"},
    "placement": {"objects", "surface_planes", "placement_zones"},
    "scene": {"objects", "facts"},
}


@pytest.fixture(scope="module", autouse=True)
def engine():
    """Nano's eyes closed: what is found by name is tested elsewhere, and its weights take seconds to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained, "NANO_FINDS_OBJECTS", False)
        yield video3d.load()


@pytest.fixture(scope="module")
def scene(engine, room):
    return engine.read(room, num_frames=6)


@pytest.mark.parametrize("task", TASKS)
def test_each_task_gives_its_own_keys_and_comes_back_from_json(engine, scene, task):
    found = engine.analyze(scene, task=task)
    assert isinstance(found, RESULTS[task]) and KEYS[task] <= set(json.loads(found.model_dump_json()))
    assert RESULT.validate_json(found.model_dump_json()) == found
    assert (found.decided_by, found.unit, found.frame, found.gravity_aligned) == ("task", "m", "world", True)
    assert (
        found.geometry["depth"] == "measured" and found.frames == (0, 3, 6, 9, 12, 15) and found.camera_end is not None
    )
    text = result_text(found)
    assert text.startswith(f"{task}: ") and "lengths in metres" in text and "None" not in text


def test_the_query_decides_and_names_what_it_wants(engine, scene):
    found = engine.analyze(scene, "Find a path to (2.0, 0.8) for a robot 40 cm wide")
    assert found.task == "navigation" and found.decided_by == "query" and "path" in found.why
    assert found.navigable is not None and found.navigable.robot_radius == 0.2
    assert found.path is None or found.path.goal.place == pytest.approx((2.0, 0.8), abs=1.5)
    found = engine.analyze(scene, "Where can I put a 10 cm cup?", clearance=0.02)
    assert (
        found.task == "placement" and found.placement_zones and all(min(z.size) >= 0.099 for z in found.placement_zones)
    )
    found = engine.analyze(scene, "How high is the camera above the floor at the start?")
    assert found.task == "scene" and found.answer is not None and "m above the floor" in found.answer
    assert any(one.frames for one in found.objects) and all(one.name is None for one in found.objects)
    chair = Detection(
        box=box_from_bounds(np.array([0.0, 0.0, 0.0]), np.array([9.0, 9.0, 2.0])), label="chair", score=0.9
    )
    (one,) = analyze_scene(scene, understand("what is this?"), (chair,)).result.objects
    assert (one.name, one.confidence, one.box.size) == ("chair", 0.9, (9.0, 9.0, 2.0)) and one.frames
    with pytest.raises(InputError, match=r"^goals"):
        engine.analyze(scene, goals="door")


def test_files_are_whole_and_replace_only_an_earlier_analysis(room, tmp_path, capsys):
    out = tmp_path / "out"
    argv = [
        "analyze",
        str(room),
        "--task",
        "navigation",
        "--goal",
        "-1,0.5",
        "--frames",
        "4",
        "--json",
        "--out",
        str(out),
    ]
    assert run(argv) == 0
    printed = capsys.readouterr().out
    assert (out / "analysis.json").read_text() == printed
    assert RESULT.validate_json(printed).task == "navigation"
    names = sorted(one.name for one in out.iterdir())
    assert names == ["analysis.json", "areas.geojson", "map.pgm", "map.yaml"]
    assert "overwrite" in refused(argv, capsys)
    (out / "mine.txt").write_text("keep me")
    assert "mine.txt" in refused([*argv, "--overwrite"], capsys)
    assert (out / "mine.txt").read_text() == "keep me" and [one.name for one in tmp_path.iterdir()] == ["out"]
    (out / "mine.txt").unlink()
    (out / "analysis.json").write_text("{}")
    assert "did not write" in refused([*argv, "--overwrite"], capsys)


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--task", "fly"], "--task"),
        (["--task", "driving", "--goal", "door"], "--goal"),
        (["--task", "navigation", "--size", "1,1,1"], "--size"),
        (["--size", "1,2"], "--size"),
        (["--size", "a,b,c"], "--size"),
        (["--robot-radius", "0"], "--robot-radius"),
        (["--robot-radius", "nan"], "--robot-radius"),
        (["--robot-radius", "wide"], "robot-radius"),
        (["--max-step=-1"], "--max-step"),
        (["--goal", "inf,0"], "--goal"),
        (["--goal", ""], "--goal"),
        (["--query", "x" * 100_000], "query"),
        (["--query", "\ud800"], "query"),
        (["--frames", "0"], "--frames"),
        (["--out", "/no/such/folder/out"], "/no/such"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_work(arguments, named, capsys):
    assert named in refused(["analyze", "nowhere", *arguments], capsys)


def test_the_schema_is_printed(capsys):
    assert run(["schema"]) == 0
    assert set(json.loads(capsys.readouterr().out)["discriminator"]["mapping"]) == set(TASKS)
    for task in TASKS:
        assert run(["schema", task]) == 0
        assert set(json.loads(capsys.readouterr().out)["properties"]) >= KEYS[task]
    assert "schema" not in refused(["schema", "fly"], capsys).removeprefix("video3d: ")[:3]


def test_a_place_is_pointed_at(engine, room, capsys):
    from video3d.answers.pointed import Pointed

    far = engine.ask(room, "How far is pixel (100, 80) in frame 3?", num_frames=4)
    this = engine.ask(room, "What is this, and how far?", num_frames=4, at=Pointed(frame=3, x=100.0, y=80.0))
    assert far.text in this.text and "could be named" in this.text and this.source == "measurement"
    assert {q.name: q.value for q in this.quantities}["range"] == far.quantities[0].value
    for place in ("99,1,1", "3,999,1", "3,1", "x,1,1"):
        assert "--point" in refused(["ask", room, "what is this?", "--point", place, "--frames", "4"], capsys)
    assert "--box" in refused(["ask", room, "what is this?", "--box", "3,9,9,2,2", "--frames", "4"], capsys)
    assert "both" in refused(["ask", room, "what?", "--box", "3,9,9,20,20", "--point", "3,1,1"], capsys)


class SeesCups:
    """A detector that sees the middle of every frame, whatever it is asked for."""

    name = "sees-cups"
    most_frames = 8

    def __init__(self):
        self.asked = []

    def __call__(self, rgb, names):
        self.asked.append((len(rgb), tuple(names)))
        h, w = rgb.shape[1:3]
        box = (0.35 * w, 0.35 * h, 0.65 * w, 0.65 * h)
        return tuple(SeenBox(frame=i, label=names[0], score=0.6, box_px=box) for i in range(len(rgb)))


def test_what_a_detector_sees_is_an_object_of_every_task(engine, scene):
    sees = SeesCups()
    found = engine.analysis(scene, "find a path to the espresso machine", detector=sees)
    assert sees.asked == [(6, ("espresso machine",))]
    assert {one.label for one in found.objects} == {"espresso machine"} and all(
        0 < one.score <= 0.6 for one in found.objects
    )
    assert any("sees-cups was asked for espresso machine in 6 frames; 6 boxes" in note for note in found.result.notes)
    assert found.result.path is not None and found.result.path.goal.said == "espresso machine"
    cup = engine.analyze(scene, "where is the teapot?", detector=sees).objects[0]
    assert (cup.name, sees.asked[-1][1]) == ("teapot", ("teapot",)) and cup.frames and 0 < cup.confidence <= 0.6
    assert engine.analyze(scene, task="placement", detector=sees).objects[0].name == sees.asked[-1][1][0]
    assert len(sees.asked[-1][1]) > 200 and "chair" in sees.asked[-1][1]
    same = Detection(box=found.objects[0].box, label="coffee machine", score=0.9)
    with_known = analyze_scene(scene, understand("where is the teapot?", None, Wishes(detector=sees)), (same,))
    assert "coffee machine" not in {one.label for one in with_known.objects}


def test_a_detector_by_its_folder(room, tmp_path, capsys):
    torch.manual_seed(5)
    folder = save_owl(tmp_path / "owl", 2)
    argv = ["analyze", str(room), "--query", "where is the cup?", "--detector", str(folder), "--frames", "4", "--json"]
    assert run(argv) == 0
    found = RESULT.validate_json(capsys.readouterr().out)
    assert any(f"{folder} was asked for cup in 4 frames" in note for note in found.notes)


def test_a_segmenter_by_its_folder(room, tmp_path, capsys):
    torch.manual_seed(5)
    owl, sam = save_owl(tmp_path / "owl", 2), save_sam2(tmp_path / "sam")
    argv = ["analyze", str(room), "--query", "where is the cup?", "--detector", str(owl), "--segmenter", str(sam)]
    assert run([*argv, "--frames", "4", "--json"]) == 0
    found = RESULT.validate_json(capsys.readouterr().out)
    assert any(f"{owl} with masks of {sam} was asked for cup in 4 frames" in note for note in found.notes)
