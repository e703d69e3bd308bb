"""``video3d view``: an analysis to look at, in rerun's window, in a recording of its, or as one page for a browser."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from video3d.cli_analyze import result_text
from video3d.cli_geometry import Depth, Frames, Ignore, Source, check_frames, ignored
from video3d.cli_wishes import NO_WISHES, TaskWishes
from video3d.types import InputError
from video3d.types.depth import DEPTH_OF_VIEWS


def view(
    source: Source,
    *,
    query: Annotated[
        str, Parameter(name="--query", help='In words: "find a path to the chair", "where can I put a 30 cm vase?"')
    ] = "",
    task: Annotated[
        str | None,
        Parameter(name="--task", help="navigation, driving, placement or scene. By default the query decides."),
    ] = None,
    wishes: TaskWishes = NO_WISHES,
    save: Annotated[
        Path | None, Parameter(name="--save", help="FILE.rrd for rerun, or FILE.html, one page that needs nothing.")
    ] = None,
    web: Annotated[
        bool, Parameter(name="--web", negative="", help="Show the page in a browser, until Ctrl-C.")
    ] = False,
    frames: Frames = 32,
    depth: Depth = DEPTH_OF_VIEWS,
    model: Annotated[str, Parameter(name="--model", help="nano, a model folder, or a Hugging Face id.")] = "nano",
    ignore: Ignore = "",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier file of that name.")] = False,
) -> None:
    """Look at what ``analyze`` finds: frames, points, boxes, surfaces, map and path on a timeline. Without --save or --web, rerun opens."""
    from video3d.analysis import in_task_world, wishes_from
    from video3d.answers.task import understand
    from video3d.pipeline import load
    from video3d.viz.shown import show
    from video3d.viz.view_files import check_view_out, write_view

    check_frames(frames)
    options = wishes.options()
    asked = understand(query, task, wishes_from(options))
    if web and save is not None:
        raise InputError("--save and --web", expected="one of them", got="both")
    if save is not None:
        check_view_out(save, overwrite=overwrite)
    _check_viewer(save, web)
    engine = load(model, depth=depth, detector=wishes.sees, segmenter=wishes.segmenter)
    scene = in_task_world(engine.read(source, num_frames=frames, ignore=ignored(ignore)), asked)[0]
    found = engine.analysis(scene, query, task=task, **options)
    timings = {name: round(value, 3) for name, value in scene.timings_s.items()} | found.result.timings_s
    found = replace(found, result=found.result.model_copy(update={"timings_s": timings}))
    shown, text = show(scene, found, found.objects), result_text(found.result)
    if save is not None:
        write_view(shown, save, text=text, overwrite=overwrite)
        print(text)
        print(f"{save}: {save.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    elif web:
        from video3d.viz.web_page import page_html
        from video3d.viz.web_server import serve

        serve(page_html(shown, text=text), say=lambda url: print(url, flush=True))
    else:
        from video3d.viz.rerun_log import open_rerun

        open_rerun(shown, text=text)
        print(text)


def _check_viewer(save: Path | None, web: bool) -> None:
    """Raises InputError where what shows it is missing: before the long work, not after it."""
    from video3d.viz.rerun_log import need_display, need_rerun
    from video3d.viz.viser_scene import need_viser

    if web or (save is not None and save.suffix.lower() == ".html"):
        need_viser()
        return
    need_rerun()
    if save is None:
        need_display()
