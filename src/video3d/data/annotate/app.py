"""The page's server: rows, pictures and geometry out, decisions in.

Everything that the page shows comes from here, by ids that are looked up in the data set: no path is ever made from a request.
Decisions of other people are not shown, so that everybody decides for themself. See ``guard.py`` for who may talk to it.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from video3d.data.annotate.agreement import annotators_of
from video3d.data.annotate.database import (
    VERDICTS,
    DecidedMeanwhileError,
    Decision,
    Verdict,
    check_annotator,
    open_database,
)
from video3d.data.annotate.edit import Edit, edited_row
from video3d.data.annotate.guard import Guard, error_body
from video3d.data.annotate.overlay import boxes_in_frames, map_from_above, name_of
from video3d.data.annotate.pictures import frame_png, legend
from video3d.data.annotate.probe import probe
from video3d.data.annotate.row_index import RowIndex, index_rows
from video3d.data.drawing import depth_scale_m, instance_color
from video3d.data.row import Row
from video3d.data.store import open_dataset, row_line
from video3d.data.truth import ClipData, SceneTruth
from video3d.types import InputError, install_extra

if TYPE_CHECKING:
    from fastapi import FastAPI

PAGE = Path(__file__).parent / "page"
_SCRIPT, _STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
_PAGE_FILES = {"page.js": _SCRIPT, "answer.js": _SCRIPT, "draw.js": _SCRIPT, "page.css": _STYLE}
_CLIPS_HELD = 4  # 16 frames of 640x480 with depth and masks are 45 MB
_MAX_QUEUE = 2000
_Found = TypeVar("_Found")
State = Literal["undecided", "decided", "accept", "edit", "reject", "unsure", "all"]


class Decide(BaseModel):
    """A decision as the page sends it.

    Attributes:
        row_id: what it is about.
        verdict: accept, edit, reject or unsure.
        seen: id of the decision that stood when the row was shown; None for none.
        edit: the row's new words and answer, with ``edit`` only.
        reason: in words; needed to reject.
        seconds: spent on the row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    row_id: Annotated[str, Field(max_length=120)]
    verdict: Verdict
    seen: int | None = None
    edit: Edit | None = None
    reason: Annotated[str, Field(max_length=500)] = ""
    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 0.0


class Undo(BaseModel):
    """Takes a decision back: the one named, or the annotator's last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decision_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None


class NotThereError(InputError):
    """What is asked for by a name or a number is not in the data set."""


def create_app(root: str | Path, database: str | Path, annotator: str) -> "FastAPI":
    """The application; ``app.state.token`` is what the page must send along to write.

    Args:
        root: the data set.
        database: SQLite file of decisions; begun if there is none.
        annotator: who decides on this page.

    Errors: ``InputError`` where the data set or the database cannot be used, or FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI
        from fastapi.exceptions import RequestValidationError
        from fastapi.responses import JSONResponse, Response
        from starlette.exceptions import HTTPException
    except ImportError as error:
        raise InputError("the page", expected="fastapi", got=f"none ({error})", do=install_extra("serve")) from error
    annotator = check_annotator(annotator)
    data = open_dataset(root)
    index = index_rows(data)
    decisions = open_database(database, data.content_hash)
    clip_of = _held(data.clip)
    truth_of = _held(data.truth)
    token = secrets.token_urlsafe(32)
    version = data.content_hash[:12]

    app = FastAPI(title="Video-3D-QA: annotate", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.token = token
    app.add_middleware(Guard, token=token)  # type: ignore[arg-type] - an ASGI layer

    def fault(_request: object, error: Any) -> JSONResponse:
        status = {NotThereError: 404, DecidedMeanwhileError: 409}.get(type(error), 422)
        body = error_body(error.thing, expected=error.expected, got=error.got, do=error.do)
        return JSONResponse(body, status, {"cache-control": "no-store"})

    def broken(_request: object, _error: Any) -> JSONResponse:  # the terminal shows where
        return JSONResponse(error_body("the server", expected="an answer", got="a fault of the program"), 500)

    def not_valid(_request: object, error: Any) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return JSONResponse(error_body(where or "the request", expected="what the page sends", got=first["msg"]), 422)

    def no_page(_request: object, error: Any) -> JSONResponse:
        return JSONResponse(error_body("the address", expected="one of this page", got=error.detail), error.status_code)

    app.add_exception_handler(InputError, fault)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, no_page)
    app.add_exception_handler(Exception, broken)

    def fresh(content: Any) -> JSONResponse:
        return JSONResponse(content, headers={"cache-control": "no-store"})

    def picture(content: bytes) -> Response:
        # The address holds the data set's hash, so that a picture in the browser's cache is always the right one.
        return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=86400, immutable"})

    def row_of(row_id: str) -> Row:
        if row_id not in index.places:
            raise NotThereError("the row", expected="one of this data set", got=repr(row_id[:120]))
        return index.row(row_id)

    def frame_of(clip_id: str, frame: int) -> ClipData:
        if clip_id not in clip_ids:
            raise NotThereError("the clip", expected="one of this data set", got=repr(clip_id[:120]))
        clip = clip_of(clip_id)
        if not 0 <= frame < clip.truth.num_frames:
            raise NotThereError("the frame", expected=f"0 to {clip.truth.num_frames - 1}", got=frame)
        return clip

    clip_ids = frozenset(data.clip_ids())

    @app.get("/")
    def page() -> Response:
        return _file("index.html", "text/html; charset=utf-8", Response)

    @app.get("/page/{name}")
    def page_file(name: str) -> Response:
        if name not in _PAGE_FILES:
            raise NotThereError("the file", expected=" or ".join(_PAGE_FILES), got=repr(name[:60]))
        return _file(name, _PAGE_FILES[name], Response)

    @app.get("/api/session")
    def session() -> JSONResponse:
        kinds = Counter((entry.split, entry.type, entry.subtype) for entry in index.entries)
        listed = [{"split": s, "type": t, "subtype": u, "rows": n} for (s, t, u), n in sorted(kinds.items())]
        shown = {"name": str(data.manifest.get("name", "")), "version": str(data.manifest.get("version", ""))}
        return fresh({"token": token, "annotator": annotator, "data": {**shown, "hash": version}, "kinds": listed})

    @app.get("/api/queue")
    def queue(
        split: str = "",
        type: str = "",
        subtype: str = "",
        state: State = "undecided",
        seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None,
        offset: Annotated[int, Field(ge=0, le=10**9)] = 0,
        limit: Annotated[int, Field(ge=1, le=_MAX_QUEUE)] = _MAX_QUEUE,
    ) -> JSONResponse:
        found = _filtered(index, decisions.verdicts(annotator), (split, type, subtype), state, seed)
        return fresh({"total": len(found), "offset": offset, "row_ids": found[offset : offset + limit]})

    @app.get("/api/rows/{row_id}")
    def row_detail(row_id: str) -> JSONResponse:
        row = row_of(row_id)
        made = decisions.standing(annotator, row_id)
        shown = _detail(row, truth_of(row.clip_id), clip_of(row.clip_id))
        return fresh({**shown, "version": version, "decision": _shown(made[0]) if made else None})

    @app.get("/api/clips/{clip_id}/{version_shown}/{frame}/{layer}.png")
    def frame_picture(
        clip_id: str, version_shown: str, frame: int, layer: Literal["colour", "depth", "mask"]
    ) -> Response:
        if version_shown != version:
            raise NotThereError(
                "the data set", expected=version, got=repr(version_shown[:20]), do="load the page again"
            )
        found = frame_png(frame_of(clip_id, frame), frame, layer)
        if found is None:
            raise NotThereError("the frame", expected=f"a {layer} layer", got="a clip without")
        return picture(found)

    @app.get("/api/clips/{clip_id}/frames/{frame}/probe")
    def look_at(
        clip_id: str,
        frame: int,
        x: Annotated[float, Field(allow_inf_nan=False)],
        y: Annotated[float, Field(allow_inf_nan=False)],
    ) -> JSONResponse:
        return fresh(probe(frame_of(clip_id, frame), frame, (x, y)))

    @app.post("/api/decide")
    def decide(wish: Decide) -> JSONResponse:
        row, row_json, reason = row_of(wish.row_id), None, wish.reason.strip()
        if (wish.verdict == "edit") != (wish.edit is not None):
            raise InputError("the edit", expected="one with the verdict edit, and only with it", got=wish.verdict)
        if wish.verdict == "reject" and not reason:
            raise InputError("the reason", expected="why the row is rejected", got="nothing")
        if wish.edit is not None:
            row_json = row_line(edited_row(row, wish.edit, annotator, truth_of(row.clip_id)))
        made = decisions.decide(
            row_id=row.row_id,
            annotator=annotator,
            verdict=wish.verdict,
            seconds=round(wish.seconds, 3),
            row_json=row_json,
            reason=reason,
            seen=wish.seen,
            check_seen=True,
        )
        return fresh({"decision": _shown(made), "progress": progress_of()})

    @app.post("/api/undo")
    def undo(wish: Undo) -> JSONResponse:
        taken = decisions.undo(annotator, wish.decision_id)
        standing = decisions.standing(annotator, taken.row_id)
        now = _shown(standing[0]) if standing else None
        return fresh({"row_id": taken.row_id, "undone": taken.verdict, "decision": now, "progress": progress_of()})

    @app.get("/api/progress")
    def progress() -> JSONResponse:
        return fresh(progress_of())

    @app.get("/api/stats")
    def stats() -> JSONResponse:
        made = decisions.standing(annotator)
        type_of = {entry.row_id: entry.type for entry in index.entries}
        by_type: dict[str, Counter[str]] = {kind: Counter() for kind in sorted(set(type_of.values()))}
        for entry in index.entries:
            by_type[entry.type]["rows"] += 1
        for one in made:
            if one.row_id in type_of:
                by_type[type_of[one.row_id]][one.verdict] += 1
        reasons = Counter(one.reason for one in made if one.verdict == "reject").most_common(20)
        return fresh({"mine": annotators_of(made), "by_type": by_type, "reasons": reasons})

    @app.get("/api/export")
    def export() -> Response:
        """This annotator's own decisions, a line of JSON each."""
        import json

        keys = ("row_id", "annotator", "decided_at", "verdict", "reason", "seconds")
        lines = []
        for one in decisions.standing(annotator):
            edited = json.loads(one.row_json) if one.row_json else None
            lines.append(json.dumps({key: getattr(one, key) for key in keys} | {"row": edited}, ensure_ascii=False))
        named = {"content-disposition": 'attachment; filename="decisions.jsonl"', "cache-control": "no-store"}
        return Response("".join(f"{line}\n" for line in lines), media_type="application/x-ndjson", headers=named)

    def progress_of() -> dict[str, Any]:
        counts = Counter(decisions.verdicts(annotator).values())
        return {"rows": len(index.entries), "decided": counts.total(), **{v: counts[v] for v in VERDICTS}}

    return app


def _filtered(
    index: RowIndex, made: dict[str, Verdict], kind: tuple[str, str, str], state: State, seed: int | None
) -> list[str]:
    """Ids of the rows of a split, type and subtype (empty: any) in a state, in order."""
    found = []
    for place in index.order(seed).tolist():
        entry = index.entries[place]
        verdict = made.get(entry.row_id)
        wanted = {"all": True, "undecided": verdict is None, "decided": verdict is not None}.get(
            state, verdict == state
        )
        fits = all(not k or k == v for k, v in zip(kind, (entry.split, entry.type, entry.subtype), strict=True))
        if wanted and fits:
            found.append(entry.row_id)
    return found


def _detail(row: Row, truth: SceneTruth, clip: ClipData) -> dict[str, Any]:
    """A row with all that the page draws."""
    objects = [
        {
            "id": found.object_id,
            "name": name_of(found),
            "kind": found.kind,
            "motion": found.motion,
            "size_m": found.size_m.round(2).tolist(),
            "rgb": instance_color(found.object_id),
            "named": found.object_id in row.object_ids,
            "seen_frames": int((truth.visible_px[:, column] > 0).sum()),
            "seen_px": truth.visible_px[:, column].tolist(),
        }
        for column, found in enumerate(truth.objects)
    ]
    scale = None if clip.depth_m is None else depth_scale_m(clip.depth_m)
    shown = {
        "clip_id": truth.clip_id,
        "num_frames": truth.num_frames,
        "times_s": [round(float(time), 3) if time == time else None for time in truth.times_s],  # noqa: PLR0124 - NaN
        "size_hw": list(truth.size_hw),
        "viewer": truth.viewer,
        "scenario": truth.scenario,
        "source": truth.source,
        "licence": truth.licence,
        "has_depth": clip.depth_m is not None,
        "has_mask": clip.instance is not None,
        "legend": legend(scale) if scale else None,
    }
    drawn = {"boxes": boxes_in_frames(truth, row), "map": map_from_above(truth, row)}
    return {"row": row.model_dump(), "clip": shown, "objects": objects, **drawn}


def _shown(decision: Decision) -> dict[str, Any]:
    keys = ("decision_id", "verdict", "reason", "decided_at")
    edited = Row.model_validate_json(decision.row_json).model_dump() if decision.row_json else None
    return {key: getattr(decision, key) for key in keys} | {"row": edited}


def _held(read: Callable[[str], _Found]) -> Callable[[str], _Found]:
    """Keeps the last few clips read; one thread reads at a time, so that frames asked for at once decode their clip once."""
    held, lock = lru_cache(maxsize=_CLIPS_HELD)(read), Lock()

    def found(clip_id: str) -> _Found:
        with lock:
            return held(clip_id)

    return found


def _file(name: str, media_type: str, response: Callable[..., Any]) -> Any:
    content = (PAGE / name).read_bytes()
    return response(content, media_type=media_type, headers={"cache-control": "no-cache"})
