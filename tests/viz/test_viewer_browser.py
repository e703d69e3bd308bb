"""The page of ``view`` in a real browser, from a file: it shows its scene, asks nobody for anything, and runs nothing that a name holds."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from video3d.analysis import Analysis
from video3d.answers.facts import scene_facts
from video3d.answers.results import SceneResult
from video3d.geometry.boxes import box_from_bounds
from video3d.scene import Scene
from video3d.types import GeometryStatus, PosedClip, Recording, World
from video3d.viz.shown import ShownArea, ShownBox, show
from video3d.viz.view_files import write_view

CHROMIUM = Path("/usr/bin/chromium")
pytest.importorskip("viser", reason="needs viser: pip install '.[viz]'")
pytest.importorskip("playwright", reason="needs playwright: pip install '.[dev]'")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium in /usr/bin")

ARGUMENTS = [
    "--no-sandbox", "--headless=new", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
RUNS = "parent.ran=1;window.ran=1"
HOSTILE = f"</script></iframe></svg><script>{RUNS}</script>'\"><img src=https://example.com/x onerror='{RUNS}'>"


def wall_scene() -> Scene:
    """A camera that goes along a wall, two metres away."""
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, :3, :3] = [[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]
    poses[:, 0, 3], poses[:, 2, 3] = np.arange(3) * 0.2, 1.5
    known = dict.fromkeys(("depth", "intrinsics", "poses", "scale", "gravity"), "measured")
    clip = PosedClip(
        frame_index=np.arange(3), time_s=np.arange(3) * 0.5, rgb=np.full((3, 24, 32, 3), 90, np.uint8), piece=np.zeros(3, np.int64),
        depth_m=np.full((3, 24, 32), 2.0, np.float32), k_px=np.tile([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]], (3, 1, 1)),
        world_from_camera=poses, world=World(metric=True, gravity_aligned=True), up_world=np.array([0.0, 0, 1]),
        status=GeometryStatus(**known),
    )  # fmt: skip
    recording = Recording(
        source=Path("wall"), format="video", size_hw=clip.size_hw, time_s=clip.time_s, frame_names=("0", "1", "2"),
        load_rgb=lambda indices: clip.rgb[list(indices)],
    )  # fmt: skip
    return Scene(recording=recording, clip=clip, facts=scene_facts(clip), camera=None, timings_s={})


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    scene = wall_scene()
    result = SceneResult(
        decided_by="task", why="asked", source=f"/r/{HOSTILE}", unit="m", gravity_aligned=True, query=HOSTILE, answer=HOSTILE,
        geometry={}, notes=(HOSTILE,), objects=(), facts=(HOSTILE,),
    )  # fmt: skip
    shown = show(scene, Analysis(result=result), (), max_points=400)
    box = box_from_bounds(np.array([0.0, 1.8, 1.4]), np.array([0.3, 2.1, 1.7]))
    named = ShownBox(id=HOSTILE, name=HOSTILE, kind="object", box=box, confidence=0.5)
    ring = np.array([[-1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [-1.0, 2.0, 1.0]])
    area = ShownArea(id=HOSTILE, kind="reachable", rings=(ring,))
    out = tmp_path_factory.mktemp("view") / "page.html"
    write_view(
        replace(shown, boxes=(named,), areas=(area,)),
        out,
        text=f"scene: {HOSTILE}\n  {HOSTILE}\n  facts       {HOSTILE}",
    )
    return out


@pytest.fixture(scope="module")
def opened(page_file):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 420, "height": 300})
        small = page_file.with_name("small.html")  # a software renderer draws every pixel of it, all the time
        small.write_text(page_file.read_text().replace("height:620px", "height:200px"))
        page.set_default_timeout(60_000)
        asked, faults, said = [], [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: (faults if message.type == "error" else said).append(message.text))
        with page.expect_console_message(lambda message: "Embedded data loaded" in message.text):
            page.goto(small.as_uri())
        yield page, asked, faults
        browser.close()


def test_the_page_opens_from_a_file_and_asks_nobody(opened):
    page, asked, faults = opened
    drawn = 0
    for _ in range(40):  # it fades in
        picture = np.asarray(Image.open(io.BytesIO(page.locator("iframe").screenshot())).convert("RGB")).astype(int)
        drawn = int((picture[..., 2] - picture[..., 0] > 25).sum())
        if drawn > 100:
            break
        page.wait_for_timeout(250)
    assert drawn > 100, "the blue area is seen"
    assert faults == []
    assert asked[0].endswith("/small.html") and all(url.startswith(("blob:", "data:")) for url in asked[1:])
    assert page.locator("main > h1").inner_text().startswith("x onerror")  # a path: what comes after its last slash
    assert page.locator("main svg").count() == 1 + 3 and page.locator("main figure image").count() == 3
    assert json.loads(page.locator("#result").inner_text())["query"] == HOSTILE


def test_nothing_that_a_name_holds_runs_and_no_request_gets_out(opened):
    page, asked, _ = opened
    before = len(asked)
    assert page.locator("img, main script:not([type])").count() == 0
    for frame in page.frames:
        assert frame.evaluate("window.ran === undefined")
        refused = frame.evaluate("fetch('https://example.com/x').then(() => 'got out', error => 'refused')")
        assert refused == "refused"
    assert not any(url.startswith("http") for url in asked[before:])
