import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from small_data import HOSTILE, SIZE, room_clip, rows_of, write_data

from video3d.data.annotate.database import open_database
from video3d.data.annotate.row_index import index_rows
from video3d.data.annotate.server import listen
from video3d.data.store import open_dataset
from video3d.types import InputError

pytest.importorskip("fastapi", reason="needs fastapi: pip install '.[serve]'")
pytest.importorskip("httpx", reason="needs httpx: pip install '.[dev]'")
from fastapi.testclient import TestClient

from video3d.data.annotate.app import create_app
from video3d.data.annotate.guard import MAX_BODY_BYTES


class Page:
    """What the page in the browser does."""

    def __init__(self, root, database, annotator="Ada"):
        self.client = TestClient(create_app(root, database, annotator), base_url="http://127.0.0.1:8377")
        self.session = self.client.get("/api/session").json()
        self.headers = {"x-annotate-token": self.session["token"]}

    def get(self, path, status=200, **options):
        answer = self.client.get(path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path, body, status=200):
        answer = self.client.post(path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def decide(self, row_id, verdict, status=200, **more):
        return self.post("/api/decide", {"row_id": row_id, "verdict": verdict, "seconds": 3.25, **more}, status)


@pytest.fixture
def page(small_data, tmp_path):
    return Page(small_data, tmp_path / "d.sqlite")


def edit_of(row, **changes):
    keys = ("question", "answer", "answer_text", "object_ids", "evidence_frames")
    plain = row.model_dump()
    return {key: plain[key] for key in keys} | changes


def test_queue_filters_and_orders(page):
    everything = page.get("/api/queue")
    assert everything["total"] == 9 and everything["row_ids"][0] == "room-0.0"
    page.decide("room-0.0", "accept")
    page.decide("room-0.2", "reject", reason="ambiguous")
    assert page.get("/api/queue")["total"] == 7
    assert page.get("/api/queue?state=decided")["row_ids"] == ["room-0.0", "room-0.2"]
    assert page.get("/api/queue?state=reject")["row_ids"] == ["room-0.2"]
    assert page.get("/api/queue?state=all&type=layout&split=train")["row_ids"] == ["room-0.1", "room-0.6", "room-1.1"]
    assert page.get("/api/queue?state=all&subtype=layout.count")["row_ids"] == ["room-0.6"]
    assert page.get("/api/queue?state=all&split=test")["total"] == 0
    shuffled = page.get("/api/queue?state=all&seed=1")["row_ids"]
    assert shuffled != sorted(shuffled) and sorted(shuffled) == page.get("/api/queue?state=all")["row_ids"]
    assert [r for r in shuffled if "0.1" in r or "0.6" in r or "1.1" in r] == page.get(
        "/api/queue?state=all&type=layout&seed=1"
    )["row_ids"]
    assert page.get("/api/queue?state=all&seed=1&offset=2&limit=3")["row_ids"] == shuffled[2:5]
    for bad in ("state=none", "limit=9999", "offset=-1", "seed=x"):
        assert "error" in page.get(f"/api/queue?{bad}", 422)


def test_a_row_with_all_that_is_drawn(page):
    shown = page.get("/api/rows/room-0.0")
    assert shown["row"] == json.loads(json.dumps(rows_of()[0].model_dump())) and shown["decision"] is None
    assert shown["clip"]["size_hw"] == [SIZE, SIZE] and shown["clip"]["times_s"][1] == 0.4
    assert [o["name"] for o in shown["objects"] if o["named"]] == ["red chair 2", "green ball 5"]
    assert len(shown["boxes"]) == 6 and shown["map"]["room"]["height_m"] == 2.6
    assert shown["clip"]["legend"][0]["m"] < shown["clip"]["legend"][-1]["m"]
    assert page.get("/api/rows/room-1.0")["clip"]["has_mask"] is False


def test_pictures_and_probe(page):
    version = page.session["data"]["hash"]
    for layer, pixels in (("colour", (SIZE, SIZE, 3)), ("depth", (SIZE, SIZE, 3)), ("mask", (SIZE, SIZE, 4))):
        answer = page.client.get(f"/api/clips/room-0/{version}/3/{layer}.png")
        assert answer.headers["content-type"] == "image/png"
        assert np.asarray(Image.open(io.BytesIO(answer.content))).shape == pixels
    colour = Image.open(io.BytesIO(page.client.get(f"/api/clips/room-0/{version}/3/colour.png").content))
    assert np.abs(np.asarray(colour).astype(int) - room_clip().rgb[3]).mean() < 6  # stored as JPEG
    for path, status in (
        (f"room-1/{version}/0/mask.png", 404),
        (f"room-0/{version}/6/colour.png", 404),
        (f"room-0/{version}/-1/colour.png", 404),
        (f"room-9/{version}/0/colour.png", 404),
        ("room-0/000000000000/0/colour.png", 404),
        (f"room-0/{version}/0/secret.png", 422),
        (f"room-0/{version}/x/colour.png", 422),
    ):
        assert "error" in page.get(f"/api/clips/{path}", status)
    assert page.get("/api/clips/room-0/frames/0/probe?x=48.5&y=90")["depth_m"] > 0
    assert "error" in page.get("/api/clips/room-0/frames/0/probe?x=nan&y=1", 422)


def test_every_verdict_and_taking_back(page, tmp_path):
    first = page.decide("room-0.0", "accept")["decision"]
    row = rows_of()[1]
    edit = edit_of(row, answer={"kind": "number", "value": 1.4, "unit": "m", "tolerance": 0.2}, evidence_frames=[1])
    made = page.decide("room-0.1", "edit", edit=edit)
    assert made["progress"] == {"rows": 9, "decided": 2, "accept": 1, "edit": 1, "reject": 0, "unsure": 0}
    shown = page.get("/api/rows/room-0.1")
    assert shown["decision"]["row"]["answer"]["value"] == 1.4 and shown["decision"]["row"]["annotator"] == "Ada"
    assert shown["row"]["answer"]["value"] == 1.34
    page.decide("room-0.2", "unsure")
    assert page.decide("room-0.0", "reject", 422)["error"]["thing"] == "the reason"
    assert page.decide("room-0.0", "reject", 409, reason="x")["error"]["thing"] == "room-0.0"
    page.decide("room-0.0", "reject", reason=" wrong ", seen=first["decision_id"])
    taken = page.post("/api/undo", {})
    assert (taken["row_id"], taken["undone"], taken["decision"]["verdict"]) == ("room-0.0", "reject", "accept")
    assert "error" in page.post("/api/undo", {"decision_id": 999}, 422)
    stats = page.get("/api/stats")
    assert stats["by_type"]["layout"] == {"rows": 3, "edit": 1} and stats["mine"][0]["median_seconds"] == 3.2
    lines = [json.loads(line) for line in page.client.get("/api/export").text.splitlines()]
    assert {line["row_id"]: line["verdict"] for line in lines} == {
        "room-0.0": "accept", "room-0.1": "edit", "room-0.2": "unsure",
    }  # fmt: skip
    stored = open_database(tmp_path / "d.sqlite").standing("Ada", "room-0.1")[0]
    assert json.loads(stored.row_json)["evidence_frames"] == [1] and stored.seconds == 3.25


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "changed"),
        ({"question": {"zh": "只有中文"}}, "'en'"),
        ({"question": {"en": "   "}}, "blanks"),
        ({"question": {"en": "x" * 2001}}, "2000"),
        ({"question": {"fr": "Où?"}}, "en"),
        ({"answer": {"kind": "yes_no", "value": True}}, "number"),
        ({"answer": {"kind": "number", "value": None, "unit": "m"}}, "number"),
        ({"answer": {"kind": "number", "value": 1e9, "unit": "m"}}, "1000000"),
        ({"answer": {"kind": "number", "value": 1, "unit": "furlong"}}, "m"),
        ({"answer": {"kind": "poem"}}, "kind"),
        ({"object_ids": [77]}, "room-0"),
        ({"evidence_frames": [6]}, "0 to 5"),
        ({"evidence_frames": [None]}, "integer"),
        ({"object_ids": list(range(200))}, "100"),
        ({"row_id": "another"}, "not permitted"),
    ],
)
def test_edits_that_are_no_row(page, tmp_path, changes, word):
    refused = page.decide("room-0.1", "edit", 422, edit=edit_of(rows_of()[1], **changes))
    assert word in json.dumps(refused["error"])
    assert open_database(tmp_path / "d.sqlite").history() == []


def test_decisions_that_are_none(page, tmp_path):
    assert page.decide("room-9.9", "accept", 404)["error"]["thing"] == "the row"
    for more in (
        {"edit": edit_of(rows_of()[0])},
        {"seconds": -1},
        {"seconds": 1e9},
        {"reason": "x" * 501},
        {"annotator": "Eve"},
    ):
        assert "error" in page.decide("room-0.0", "accept", 422, **more)
    assert "error" in page.decide("room-0.0", "edit", 422)
    assert "error" in page.decide("room-0.0", "like", 422)
    for body in (b"{", b"[]", b"null", b"[" * 60000, b'{"row_id": "\xff"}', b""):
        headers = {**page.headers, "content-type": "application/json"}
        answer = page.client.post("/api/decide", content=body, headers=headers)
        assert answer.status_code in (400, 422) and "error" in answer.json(), body[:10]
    assert open_database(tmp_path / "d.sqlite").history() == []


def test_who_may_talk_to_it(page, tmp_path):
    body = {"row_id": "room-0.0", "verdict": "accept"}
    ask = page.client.request
    for host in (
        "evil.org",
        "evil.org:8377",
        "127.0.0.1.evil.org",
        "",
        "localhost@evil.org",
        "[::1].evil.org",
        "127.0.0.1:x",
    ):
        for path in ("/", "/api/session", "/api/rows/room-0.0"):
            answer = ask("GET", path, headers={"host": host})
            assert answer.status_code == 421 and page.session["token"] not in answer.text, host
    for host in ("localhost:8377", "127.0.0.1", "[::1]:8377"):
        assert ask("GET", "/api/session", headers={"host": host}).status_code == 200
    good = {**page.headers, "content-type": "application/json"}
    for status, headers in (
        (403, {"content-type": "application/json"}),
        (403, {**good, "x-annotate-token": "guess"}),
        (403, {**good, "x-annotate-token": "\xe9".encode("latin-1")}),
        (403, {**good, "origin": "http://evil.org"}),
        (403, {**good, "origin": "null"}),
        (403, {**good, "origin": "http://127.0.0.1:9999"}),
        (403, {**good, "sec-fetch-site": "cross-site"}),
        (403, {**good, "sec-fetch-site": "same-site"}),
        (415, {**page.headers, "content-type": "text/plain"}),
        (415, {**page.headers, "content-type": "application/x-www-form-urlencoded"}),
    ):
        answer = ask("POST", "/api/decide", content=json.dumps(body), headers=headers)
        assert answer.status_code == status and "error" in answer.json(), headers
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = ask(method, "/api/decide", headers=good)
        assert answer.status_code == 405 and "access-control-allow-origin" not in answer.headers
    assert ask("GET", "/api/session", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert ask("GET", "/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link to the page
    assert open_database(tmp_path / "d.sqlite").history() == []
    allowed = ask("POST", "/api/decide", content=json.dumps(body), headers={**good, "origin": "http://127.0.0.1:8377"})
    assert allowed.status_code == 200


def test_bodies_are_bounded(page):
    headers = {**page.headers, "content-type": "application/json"}
    big = json.dumps({"row_id": "room-0.0", "verdict": "accept", "reason": "x" * MAX_BODY_BYTES}).encode()
    assert page.client.post("/api/decide", content=big, headers=headers).status_code == 413
    pieces = (big[i : i + 5000] for i in range(0, len(big), 5000))  # no length announced
    assert page.client.post("/api/decide", content=pieces, headers=headers).status_code == 413
    assert (
        page.client.post("/api/decide", content=b"{}", headers={**headers, "content-length": "-5"}).status_code == 413
    )


def test_no_path_leads_out_and_nothing_is_loaded_from_elsewhere(page):
    for name in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "..\\app.py", "/etc/passwd", "%00", "index.html"):
        answer = page.client.get(f"/page/{name}")
        assert answer.status_code == 404 and "error" in answer.json(), name
    assert page.client.get("/api/rows/..%2f..%2fdataset.json").status_code == 404
    assert page.client.get("/docs").status_code == 404 and page.client.get("/openapi.json").status_code == 404
    index = page.client.get("/")
    assert (
        index.headers["content-type"].startswith("text/html")
        and "default-src 'none'" in index.headers["content-security-policy"]
    )
    for name in ("page.js", "answer.js", "draw.js", "page.css"):
        content = page.client.get(f"/page/{name}")
        assert content.status_code == 200 and content.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in content.text and "https://" not in content.text and "innerHTML" not in content.text
    assert "http" not in index.text.replace("http-equiv", "")
    assert (
        page.get("/api/rows/room-0.2")["row"]["question"]["en"] == HOSTILE
    )  # as data; the browser test sees it as text


def test_two_people_at_once(small_data, tmp_path):
    pages = [Page(small_data, tmp_path / "d.sqlite", name) for name in ("Ada", "Bo")]
    rows = pages[0].get("/api/queue")["row_ids"]

    def work(page):
        return [page.decide(row_id, "accept")["decision"]["decision_id"] for row_id in rows]

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(work, pages))
    assert sorted(made[0] + made[1]) == list(range(1, 19))
    assert [page.get("/api/progress")["decided"] for page in pages] == [9, 9]
    assert "Bo" not in json.dumps(pages[0].get("/api/rows/room-0.0")["decision"])
    with pytest.raises(InputError, match="annotator"):
        Page(small_data, tmp_path / "d.sqlite", "")


def test_data_that_changed(tmp_path):
    root = write_data(tmp_path / "data", size=32)
    page = Page(root, tmp_path / "d.sqlite")
    lines = (root / "train.jsonl").read_bytes().splitlines(keepends=True)
    (root / "train.jsonl").write_bytes(b"".join(lines[1:]))
    assert "error" in page.get("/api/rows/room-0.0", 422)
    with pytest.raises(InputError, match="manifest hashes"):
        index_rows(open_dataset(root))
    (root / "train.jsonl").write_bytes(b"".join([*lines, lines[0]]))
    with pytest.raises(InputError, match="a second time"):
        index_rows(open_dataset(root))
    (root / "clips" / "train-00000.parquet").write_bytes(b"PAR1")
    (root / "train.jsonl").write_bytes(b"".join(lines))
    assert "Parquet" in page.get("/api/rows/room-1.0", 422)["error"]["expected"]


def test_serving_on_this_machine_only(small_data, tmp_path):
    import httpx

    listening = listen(small_data, database=tmp_path / "d.sqlite", annotator="Ada")
    thread = threading.Thread(target=listening.run)
    thread.start()
    try:
        assert listening.url.startswith("http://127.0.0.1:") and listening.bound.getsockname()[0] == "127.0.0.1"
        assert httpx.get(f"{listening.url}api/session").json()["annotator"] == "Ada"
        port = listening.bound.getsockname()[1]
        with pytest.raises(InputError, match="the port"):
            listen(small_data, database=tmp_path / "d.sqlite", annotator="Ada", port=port)
    finally:
        listening.server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()
    with pytest.raises(InputError, match="65535"):
        listen(small_data, database=tmp_path / "d.sqlite", annotator="Ada", port=70000)
