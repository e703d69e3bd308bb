"""The page in a real browser: keys pressed, pixels looked at, what is then in the database."""

import json
import os
import threading
from pathlib import Path

import pytest
from small_data import HOSTILE

from video3d.data.annotate.database import open_database
from video3d.data.annotate.server import listen

CHROMIUM = Path("/usr/bin/chromium")
pytest.importorskip("fastapi", reason="needs fastapi: pip install '.[serve]'")
pytest.importorskip("playwright", reason="needs playwright: pip install '.[dev]'")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium in /usr/bin")

ARGUMENTS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PIXELS = """id => {
  const canvas = document.getElementById(id), pen = canvas.getContext("2d");
  return Array.from(pen.getImageData(0, 0, canvas.width, canvas.height).data).reduce((a, b) => (a * 31 + b) >>> 0, 7);
}"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def database(tmp_path):
    return tmp_path / "d.sqlite"


@pytest.fixture
def served(small_data, database):
    listening = listen(small_data, database=database, annotator="Ada")
    thread = threading.Thread(target=listening.run)
    thread.start()
    yield listening.url
    listening.server.should_exit = True
    thread.join(20)


@pytest.fixture
def page(browser, served):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(10_000)
    faults, asked = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(served)
    row_shown(page, "room-0.0")
    yield page
    page.close()
    # What is refused (409, 422) is told to the annotator; the browser notes it besides.
    assert [fault for fault in faults if "status of 409" not in fault and "status of 422" not in fault] == []
    assert all(url.startswith((served, "data:")) for url in asked)


def row_shown(page, row_id):
    page.wait_for_function(
        "id => [...document.querySelectorAll('#meta span')].some(span => span.textContent === id)", arg=row_id
    )
    page.wait_for_load_state("networkidle")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_a_morning_of_annotating(page, database):
    assert page.inner_text("#progress-text") == "0 of 9"
    assert page.locator("#answer .right").inner_text().startswith("B")
    assert page.locator("#ticks i").count() == 2
    before = page.evaluate(PIXELS, "canvas")
    press(page, "b", "b")
    assert page.evaluate(PIXELS, "canvas") != before, "boxes are drawn"

    press(page, "a")
    row_shown(page, "room-0.1")
    assert page.inner_text("#progress-text") == "1 of 9"

    press(page, "e")
    page.fill("#value", "1.4")
    page.fill("#edit-question-en", "How far apart are the red chair and the table?")
    page.get_by_text("Put in or take out the frame shown").click()
    page.focus("#value")
    press(page, "a", "Control+Enter")  # a letter in a field is a letter
    row_shown(page, "room-0.2")

    assert page.inner_text("#question-en") == HOSTILE and page.inner_text("#answer-en") == "<b>yes</b>"
    assert page.title() == "Video-3D-QA: annotate" and page.locator("main img, main script, main b").count() == 0
    press(page, "r", "2")
    row_shown(page, "room-0.3")
    press(page, "u")
    row_shown(page, "room-0.4")
    assert page.inner_text("#progress-text") == "4 of 9"

    press(page, "z")
    row_shown(page, "room-0.3")
    assert page.inner_text("#progress-text") == "3 of 9" and page.is_hidden("#decided")
    press(page, "p")
    row_shown(page, "room-0.2")
    assert "Rejected by you" in page.inner_text("#decided")
    assert "the question is ambiguous" in page.inner_text("#decided")
    press(page, "p")
    row_shown(page, "room-0.1")
    assert page.inner_text("#question-en") == "How far apart are the red chair and the table?"

    opened = open_database(database)
    standing = {d.row_id: d for d in opened.standing("Ada")}
    assert {row_id: d.verdict for row_id, d in standing.items()} == {
        "room-0.0": "accept", "room-0.1": "edit", "room-0.2": "reject",
    }  # fmt: skip
    assert [entry[3] for entry in opened.history()] == ["accept", "edit", "reject", "unsure", "undo"]
    edited = json.loads(standing["room-0.1"].row_json)
    assert edited["answer"] == {"kind": "number", "value": 1.4, "unit": "m", "tolerance": 0.2}
    assert edited["evidence_frames"] == [1, 2] and edited["annotator"] == "Ada"
    assert standing["room-0.2"].reason == "the question is ambiguous"
    assert all(0 < d.seconds < 60 for d in standing.values())


def test_the_film_and_its_layers(page):
    seen = []

    def shown():  # pictures come when they are loaded: wait until the canvas is unlike all that was seen
        page.wait_for_function(f"seen => !seen.includes(({PIXELS})('canvas'))", arg=seen)
        return page.evaluate(PIXELS, "canvas")

    assert page.input_value("#slider") == "3"  # the first evidence frame
    seen.append(shown())
    press(page, "ArrowRight")
    assert page.inner_text("#frame-text") == "frame 5 of 6 · 1.60 s"
    seen.append(shown())
    press(page, "d")
    seen.append(shown())
    assert page.is_visible("#legend") and page.get_attribute("#layer-depth", "aria-pressed") == "true"
    press(page, "m")
    seen.append(shown())
    press(page, "d")
    seen.append(shown())
    press(page, "End", "ArrowRight", "ArrowRight")
    assert page.input_value("#slider") == "5"
    press(page, "Home", "Space")
    page.wait_for_function("() => document.getElementById('slider').value === '2'")
    assert page.get_attribute("#play", "aria-pressed") == "true"
    press(page, "Space")
    stopped = page.input_value("#slider")
    page.wait_for_timeout(500)
    assert page.input_value("#slider") == stopped

    page.mouse.click(120, 600)
    page.wait_for_function("() => document.getElementById('pointed').textContent.includes('m away')")
    page.mouse.click(520, 600)
    page.wait_for_function("() => document.getElementById('pointed').textContent.includes('between the two')")
    press(page, "?")
    assert page.is_visible("#help")
    press(page, "a", "Escape")
    assert page.is_hidden("#help") and page.inner_text("#progress-text") == "0 of 9"


def test_every_kind_of_answer_can_be_opened_and_is_unchanged_by_saving(page, database):
    for number in range(7):
        row_shown(page, f"room-0.{number}")
        assert page.locator("#answer").inner_text() or page.locator("#answer canvas").count()
        press(page, "e", "Control+Enter")
        page.wait_for_function("() => document.getElementById('status').textContent.includes('something changed')")
        press(page, "Escape", "n")
    row_shown(page, "room-1.0")
    assert page.is_disabled("#layer-mask")
    assert open_database(database).history() == []


def test_all_done(page, small_data, database):
    page.select_option("#type", "caption")
    row_shown(page, "room-0.5")
    press(page, "a")
    page.wait_for_function("() => document.getElementById('question-en').textContent.startsWith('Nothing left')")
    assert page.is_disabled("#accept")
    press(page, "z")
    row_shown(page, "room-0.5")
    assert page.inner_text("#progress-text") == "0 of 9"


def test_two_windows_of_one_person(browser, page, served, database):
    other = browser.new_page()
    other.goto(served)
    row_shown(other, "room-0.0")
    press(page, "a")
    row_shown(page, "room-0.1")
    press(other, "u")
    other.wait_for_function("() => document.getElementById('status').textContent.includes('another window')")
    assert "Accepted by you" in other.inner_text("#decided")
    press(other, "u")
    row_shown(other, "room-0.1")
    other.close()
    assert [d.verdict for d in open_database(database).standing()] == ["unsure"]


def test_everything_has_a_name_and_fits(page):
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, canvas")].filter((e) => !(
            e.innerText?.trim() || e.ariaLabel || e.labels?.length || e.getAttribute("aria-hidden") || e.closest("#legend, #objects")
        )).map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    for size in ((1280, 800), (1920, 1080), (1000, 700)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
        )
    if folder := os.environ.get("VIDEO3D_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / "annotate.png")
