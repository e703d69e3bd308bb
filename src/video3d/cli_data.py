"""``video3d data``: make, build, look at, check, join and annotate Video-3D-QA data sets."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from video3d.cli_text import dump, table
from video3d.types import InputError

data = App(name="data", help="Video-3D-QA data sets: simulate, build from others, show, validate, merge, annotate.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object for programs.")]
Root = Annotated[Path, Parameter(help="Folder of a data set (with dataset.json).")]
Out = Annotated[Path, Parameter(name="--out", help="Folder to make.")]
Furniture = Annotated[
    str | None,
    Parameter(name="--furniture", help="Sweet Home 3D furniture: a .sh3f or a folder of them; 'none' for none."),
]
Processes = Annotated[int | None, Parameter(name="--processes", help="Worker processes; default: one a core.")]


@data.command
def simulate(
    *,
    clips: Annotated[int, Parameter(name="--clips", help="How many clips.")],
    out: Out,
    seed: Annotated[int, Parameter(name="--seed", help="The same seed gives the same data.")] = 0,
    size: Annotated[int, Parameter(name="--size", help="Side of the frames in pixels.")] = 224,
    frames: Annotated[int, Parameter(name="--frames", help="Frames a clip.")] = 16,
    processes: Processes = None,
    backend: Annotated[Literal["classic", "filament"], Parameter(name="--backend", help="Renderer.")] = "classic",
    questions: Annotated[
        int, Parameter(name="--questions", help="Questions a clip, on average, at most: balancing drops many.")
    ] = 8,
    furniture: Furniture = None,
    json_: Json = False,
) -> None:
    """Make clips with exact truth and balanced questions about them. Run it again to go on after an interruption."""
    from video3d.data.compose import compose, write_selection
    from video3d.data.questions.select import SelectConfig
    from video3d.data.simulate.asset_cache import load_library
    from video3d.data.simulate.attribution import attribution
    from video3d.data.simulate.generate import SimulateConfig, clear_work, finished, made_candidates, make_clips
    from video3d.data.simulate.render import require
    from video3d.data.store import open_dataset
    from video3d.replaced import replaced

    _within("--clips", clips, 1, 10_000_000)
    _within("--seed", seed, 0, 2**31 - 1)
    _within("--size", size, 32, 1024)
    _within("--frames", frames, 2, 128)
    _within("--questions", questions, 1, 200)
    require(backend)
    chosen = _furniture(furniture)
    library = load_library(None, chosen)  # workers find it converted
    for note in library.notes:
        print(f"video3d: {note}", file=sys.stderr)
    config = SimulateConfig(
        clips=clips, seed=seed, size_hw=(size, size), num_frames=frames, backend=backend, furniture=library.digest,
        questions=questions,
    )  # fmt: skip
    if finished(config, out):
        report: dict[str, Any] = {"clips_made": 0}
    else:
        report = make_clips(config, out, processes=_processes(processes), furniture=chosen)
        made_by = config.made_by()
        selection = compose(
            out, made_by, config=SelectConfig(per_clip=questions, seed=seed), candidates_of=made_candidates(out)
        )
        write_selection(out, selection)
        with replaced(out / "ATTRIBUTION.md") as beside:
            beside.write_text(attribution(library), encoding="utf-8")
        clear_work(out)
    dataset = open_dataset(out)
    rows = {split: entry["rows"] for split, entry in dataset.manifest["rows"].items()}
    shown = {
        "out": str(out),
        "clips": len(dataset.clip_ids()),
        "rows": rows,
        "content_hash": dataset.content_hash,
        **report,
    }
    _print(shown, json_)


@data.command
def questions(
    root: Root,
    *,
    questions: Annotated[
        int | None, Parameter(name="--questions", help="Questions a clip, on average, at most; default as before.")
    ] = None,
    processes: Processes = None,
    json_: Json = False,
) -> None:
    """Choose the questions of simulated clips anew, from the truth stored with them; the clips stay."""
    from video3d.data.compose import ask_again
    from video3d.data.store import open_dataset

    if questions is not None:
        _within("--questions", questions, 1, 200)
    ask_again(root, per_clip=questions, processes=_processes(processes))
    dataset = open_dataset(root)
    rows = {split: entry["rows"] for split, entry in dataset.manifest["rows"].items()}
    _print({"clips": len(dataset.clip_ids()), "rows": rows, "content_hash": dataset.content_hash}, json_)


@data.command
def assets(
    *,
    furniture: Furniture = None,
    out: Annotated[Path | None, Parameter(name="--out", help="Write ATTRIBUTION.md here.")] = None,
    json_: Json = False,
) -> None:
    """Convert the furniture library once and say what there is to furnish scenes with; --out writes ATTRIBUTION.md."""
    from video3d.data.simulate.attribution import assets_report

    _print(assets_report(_furniture(furniture), None, out), json_)


@data.command
def build(
    name: Annotated[
        str, Parameter(help="scannet, scannetpp, arkitscenes, ai2thor, nuscenes, kitti, habitat or isaac.")
    ],
    *,
    root: Annotated[Path, Parameter(name="--root", help="Where the data set lies, as its owners distribute it.")],
    out: Out,
    frames: Annotated[int, Parameter(name="--frames", help="Frames a clip.")] = 16,
    size: Annotated[int, Parameter(name="--size", help="Side of the frames in pixels.")] = 224,
    split: Annotated[Literal["train", "val", "test"] | None, Parameter(name="--split", help="Only this split.")] = None,
    limit: Annotated[int | None, Parameter(name="--limit", help="At most so many scenes.")] = None,
    clips_per_scene: Annotated[int, Parameter(name="--clips-per-scene", help="Clips of every scene.")] = 1,
    questions: Annotated[
        int, Parameter(name="--questions", help="Generated questions a clip, on average, at most; 0 for none.")
    ] = 8,
    processes: Processes = None,
    json_: Json = False,
) -> None:
    """Build clips and questions from another data set (see docs/datasets.md). Run it again to go on."""
    from video3d.data.compose import compose
    from video3d.data.questions.select import SelectConfig
    from video3d.data.sources.build import build_source
    from video3d.data.store import open_dataset

    _within("--questions", questions, 0, 200)
    _within("--size", size, 32, 1024)
    _within("--frames", frames, 2, 1024)
    _within("--clips-per-scene", clips_per_scene, 1, 10_000)
    if limit is not None:
        _within("--limit", limit, 1, 10_000_000)
    report = build_source(
        name, root, out=out, num_frames=frames, size_hw=(size, size), split=split, limit=limit,
        processes=_processes(processes), num_clips=clips_per_scene,
    )  # fmt: skip
    if questions:
        made_by = open_dataset(out).manifest["made_by"] | {"questions": questions}
        compose(out, made_by, config=SelectConfig(per_clip=questions, mix=None), keep_rows=True)
    dataset = open_dataset(out)
    rows = {name: entry["rows"] for name, entry in dataset.manifest["rows"].items()}
    shown = {
        "out": str(out), "scenes": report.scenes, "clips": report.clips, "rows": rows, "content_hash": dataset.content_hash,
        "failed": [f"{scene}: {reason}" for scene, reason in report.failed], "seconds": round(report.seconds, 1),
    }  # fmt: skip
    _print(shown, json_)


@data.command
def stats(
    root: Root,
    *,
    blind: Annotated[bool, Parameter(negative="", help="Also what models score that read only the words.")] = False,
    json_: Json = False,
) -> None:
    """Count clips, questions and answers."""
    from video3d.data.inspection import stats as count
    from video3d.data.store import open_dataset

    _print(count(open_dataset(root), blind=blind), json_)


@data.command
def show(
    root: Root,
    which: Annotated[str | None, Parameter(help="A clip_id or a row_id.")] = None,
    *,
    out: Annotated[
        Path | None, Parameter(name="--out", help="Write a picture of it (.png, .jpg) with boxes, depth and masks.")
    ] = None,
    sheet: Annotated[
        Path | None, Parameter(name="--sheet", help="Instead of one clip, draw many on one picture (.jpg, .png).")
    ] = None,
    clips: Annotated[int, Parameter(help="How many of them, spread over all scenarios.")] = 40,
    json_: Json = False,
) -> None:
    """Print the questions of a clip and what is true of it; --out draws it, --sheet draws many clips."""
    from video3d.data.sheet import clip_sheet, dataset_sheet, save_picture
    from video3d.data.show import describe_clip
    from video3d.data.store import open_dataset

    if (which is None) == (sheet is None):
        raise InputError("show", expected="a clip_id or row_id, or --sheet", got="both" if which else "neither")
    dataset = open_dataset(root)
    if which is None:
        _within("--clips", clips, 1, 200)
        picture, clip_ids = dataset_sheet(dataset, clips)
        out, shown = sheet, dict[str, Any](clips=clip_ids)
    else:
        shown, object_ids = describe_clip(dataset, which)
        picture = None if out is None else clip_sheet(dataset.clip(shown["clip_id"]), object_ids=object_ids or None)
    if picture is not None and out is not None:
        save_picture(picture, out)
        shown["picture"] = str(out)
    _print(shown, json_)


@data.command
def read(
    root: Root,
    *,
    out: Out,
    rows: Annotated[int, Parameter(name="--rows", help="How many questions.")] = 100,
    seed: Annotated[int, Parameter(name="--seed", help="The same seed draws the same questions.")] = 0,
    json_: Json = False,
) -> None:
    """Draw questions at random and lay them out beside frames of their clips, page by page, for a person to read."""
    from video3d.data.reading import draw_rows, write_pages
    from video3d.data.store import open_dataset

    _within("--rows", rows, 1, 10_000)
    dataset = open_dataset(root)
    drawn = draw_rows(dataset, rows, seed)
    pages = [str(path) for path in write_pages(dataset, drawn, out)]
    _print({"pages": pages, "rows": [row.row_id for row in drawn]}, json_)


@data.command
def validate(
    root: Root,
    *,
    deep: Annotated[bool, Parameter(negative="", help="Decode every picture too.")] = False,
    json_: Json = False,
) -> None:
    """Check files, hashes, rows, clips and splits; exit code 1 where something is wrong."""
    from video3d.data.inspection import validate as check
    from video3d.data.store import open_dataset

    report = check(open_dataset(root), deep=deep)
    _print(report, json_)
    if not report["ok"]:
        sys.exit(1)


@data.command
def merge(
    roots: Annotated[list[Path], Parameter(help="Folders of data sets.")], *, out: Out, json_: Json = False
) -> None:
    """Join data sets into one; nothing is written unless all of it fits together."""
    from video3d.data.merge import merge as join

    manifest = join(roots, out)
    rows = {name: entry["rows"] for name, entry in manifest["rows"].items()}
    clips = sum(len(shard["clips"]) for shard in manifest["shards"])
    _print({"out": str(out), "clips": clips, "rows": rows, "content_hash": manifest["content_hash"]}, json_)


@data.command
def annotate(
    root: Root,
    *,
    annotator: Annotated[str, Parameter(name="--annotator", help="Who decides: a name.")],
    database: Annotated[
        Path | None, Parameter(name="--database", help="SQLite file; default: beside the data.")
    ] = None,
    port: Annotated[int, Parameter(name="--port", help="On 127.0.0.1; 0 for any that is free.")] = 8377,
    browser: Annotated[bool, Parameter(name="--browser", help="Open the page at once.")] = True,
) -> None:
    """Serve a page on this machine on which a person accepts, edits or rejects questions."""
    from video3d.data.annotate.server import serve

    serve(root, database=database, annotator=annotator, port=port, open_browser=browser)


@data.command
def agreement(
    database: Annotated[Path, Parameter(help="SQLite file of decisions.")],
    *,
    json_: Json = False,
) -> None:
    """Say how far annotators agree: Cohen's kappa for every pair."""
    from video3d.data.annotate.agreement import agreement_report

    _print(agreement_report(database), json_)


@data.command
def export(
    root: Root,
    *,
    out: Annotated[Path, Parameter(name="--out", help="File of rows to make (.jsonl), outside the data set.")],
    database: Annotated[
        Path | None, Parameter(name="--database", help="SQLite file; default: beside the data.")
    ] = None,
    policy: Annotated[
        Literal["majority", "any", "all"], Parameter(name="--policy", help="Which rows are kept.")
    ] = "majority",
    json_: Json = False,
) -> None:
    """Write the rows that annotators accepted or edited, and a report."""
    from video3d.data.annotate.export import export_annotations

    _print(export_annotations(root, database or root / "annotations.sqlite", out, policy), json_)


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(name, expected=f"a number from {low} to {high}", got=value)


def _processes(processes: int | None) -> int:
    if processes is None:
        return os.cpu_count() or 1
    _within("--processes", processes, 1, 1024)
    return processes


def _furniture(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _print(values: dict[str, Any], as_json: bool) -> None:
    print(dump(values) if as_json else table(values))
