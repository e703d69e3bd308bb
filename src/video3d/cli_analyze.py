"""``video3d analyze`` and ``video3d schema``: what robots, cars and AR need of a recording, typed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from video3d.cli_geometry import Depth, Frames, Ignore, Json, Source, check_frames, ignored
from video3d.cli_text import dump
from video3d.cli_wishes import NO_WISHES, TaskWishes
from video3d.types import InputError
from video3d.types.depth import DEPTH_OF_VIEWS

if TYPE_CHECKING:
    from video3d.answers.results import AnyResult

_SHOWN = 12


def analyze(
    source: Source,
    *,
    task: Annotated[
        str | None,
        Parameter(name="--task", help="navigation, driving, placement or scene. By default the query decides."),
    ] = None,
    query: Annotated[
        str, Parameter(name="--query", help='In words: "find a path to the chair", "where can I put a 30 cm vase?"')
    ] = "",
    wishes: TaskWishes = NO_WISHES,
    frames: Frames = 32,
    depth: Depth = DEPTH_OF_VIEWS,
    model: Annotated[str, Parameter(name="--model", help="nano, a model folder, or a Hugging Face id.")] = "nano",
    ignore: Ignore = "",
    json_: Json = False,
    out: Annotated[
        Path | None, Parameter(name="--out", help="Folder to make: analysis.json, and maps or anchors.")
    ] = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier analysis in --out.")] = False,
) -> None:
    """Measure what a task needs: floor, obstacles and a path; road, vehicles and distances; surfaces and places to put things."""
    from video3d.analysis import wishes_from
    from video3d.answers.task import understand
    from video3d.pipeline import load
    from video3d.viz.analysis_files import check_analysis_out, write_analysis

    check_frames(frames)
    options = wishes.options()
    understand(query, task, wishes_from(options))  # before the long work, not after it
    if out is not None:
        check_analysis_out(out, overwrite=overwrite)
    engine = load(model, depth=depth, detector=wishes.sees, segmenter=wishes.segmenter)
    found = engine.analysis(source, query, task=task, num_frames=frames, ignore=ignored(ignore), **options)
    written = () if out is None else write_analysis(found, out, overwrite=overwrite)
    print(found.result.model_dump_json(indent=1) if json_ else result_text(found.result))
    if written:
        print(f"{out}: {', '.join(written)}", file=sys.stderr)


def schema(
    task: Annotated[
        str | None, Parameter(help="navigation, driving, placement or scene; without it all of them.")
    ] = None,
) -> None:
    """Print the JSON Schema of what ``analyze --json`` gives."""
    from video3d.answers.results import RESULTS, TASKS
    from video3d.answers.results import schema as schema_of_all

    if task is None:
        print(dump(schema_of_all()))
        return
    if task not in TASKS:
        raise InputError(
            "task", expected=f"one of {', '.join(TASKS)}", got=repr(task[:60]), do="choose one, or leave it out"
        )
    print(dump(RESULTS[task].model_json_schema(mode="serialization")))


def result_text(found: "AnyResult") -> str:
    """A result for a person to read: what was found, in words, with units, and how far it is to be trusted."""
    lines = [f"{found.task}: {found.why}"]
    lines += {"navigation": _navigation, "driving": _driving, "placement": _placement, "scene": _scene}[found.task](
        found
    )
    lines += [f"  answer      {found.answer}"] if found.answer else []
    lines += [f"  note        {note}" for note in found.notes]
    lines.append("  geometry    " + ", ".join(f"{name} {status}" for name, status in found.geometry.items()))
    frame = "+z up" if found.gravity_aligned else "up is not known"
    lines.append(f"  frame       world, {frame}; lengths in {'metres' if found.unit == 'm' else 'x, one unknown unit'}")
    lines.append("  time        " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.timings_s.items()))
    return "\n".join(line.rstrip() for line in lines)


def _navigation(found: Any) -> list[str]:
    unit, floor = found.unit, found.navigable
    lines = []
    if floor is None:
        lines.append("  floor       not known")
    else:
        lines.append(
            f"  floor       {floor.area:.1f} {unit}² free, {floor.reachable_area:.1f} {unit}² within reach, {floor.unknown_area:.1f} {unit}² not looked at ({_trust(floor)})"
        )
        lines.append(
            f"  robot       radius {floor.robot_radius:g} {unit}, height {floor.robot_height:g} {unit}, climbs {floor.max_step:g} {unit}"
        )
    path = found.path
    if path is None:
        lines.append("  path        none")
    else:
        goal = path.goal
        to = (
            f"to {goal.said or 'the farthest place'}"
            if goal.found
            else f"as near as it can to {goal.said or 'the goal'}, which cannot be reached"
        )
        lines.append(
            f"  path        {path.length:.2f} {unit} {to}, at ({_numbers(goal.place)}), clear by {path.clearance:.2f} {unit} ({_trust(path)})"
        )
        lines.append(
            "  by way of   "
            + " ".join(f"({_numbers(place)})" for place in path.places[:_SHOWN])
            + (" ..." if len(path.places) > _SHOWN else "")
        )
    return lines + _listed(
        "obstacles",
        [
            f"{_called(one)} of {_numbers(one.box.size, ' x ')} {unit}{_away(one.distance, unit)} ({_trust(one)})"
            for one in found.obstacles
        ],
    )


def _driving(found: Any) -> list[str]:
    unit, lines = found.unit, []
    road, ego = found.road, found.ego
    if road is None:
        lines.append("  road        not found")
    else:
        said = [f"camera {road.camera_height:.2f} {unit} above it"] if road.camera_height is not None else []
        said += [f"slope {road.slope_deg:.1f} deg"] if road.slope_deg is not None else []
        said += [f"{road.drivable_area:.0f} {unit}² seen free"] if road.drivable_area is not None else []
        said += [f"free for {road.free_ahead:.1f} {unit} ahead"] if road.free_ahead is not None else []
        lines.append(f"  road        {', '.join(said) or 'found'} ({_trust(road)})")
    if ego is None:
        lines.append("  own motion  not known")
    else:
        said = [f"{ego.speed:.1f} {unit}/s"] if ego.speed is not None else ["speed not known"]
        said += (
            [f"turning {abs(ego.yaw_rate_deg_s):.1f} deg/s to the {'left' if ego.yaw_rate_deg_s >= 0 else 'right'}"]
            if ego.yaw_rate_deg_s is not None
            else []
        )
        said += [f"{ego.travelled:.1f} {unit} travelled"] if ego.travelled is not None else []
        lines.append(f"  own motion  {', '.join(said)} ({_trust(ego)})")
    vehicles = []
    for one in found.vehicles:
        side = {
            "same": "in our lane",
            "left": "left of our lane",
            "right": "right of our lane",
            "unknown": "lane not known",
        }[one.side]
        ends = "" if one.time_to_collision_s is None else f", collision in {one.time_to_collision_s:.1f} s"
        vehicles.append(
            f"{_called(one)}{_away(one.distance, unit)}{_bearing(one.bearing_deg)}, {side}{ends} ({_trust(one)})"
        )
    lines += _listed("vehicles", vehicles)
    return lines + _listed(
        "things",
        [
            f"{one.name or 'a thing'}, {one.distance:.1f} {unit} away{_bearing(one.bearing_deg)} ({_trust(one)})"
            for one in found.distance_to_objects
        ],
    )


def _placement(found: Any) -> list[str]:
    unit = found.unit
    planes = []
    for one in found.surface_planes:
        high = "" if one.height is None else f", {one.height:.2f} {unit} above the floor"
        planes.append(f"{one.id}: {one.kind}, {one.area:.2f} {unit}²{high} ({_trust(one)})")
    zones = [
        f"{one.id} on {one.plane}: {_numbers(one.size, ' x ')} {unit} free at ({_numbers(one.center)}), score {one.score:.2f} ({_trust(one)})"
        for one in found.placement_zones
    ]
    return _listed("surfaces", planes) + _listed("zones", zones) + _listed("objects", _boxes(found))


def _scene(found: Any) -> list[str]:
    return _listed("facts", list(found.facts)) + _listed("objects", _boxes(found))


def _boxes(found: Any) -> list[str]:
    return [
        f"{_called(one)} of {_numbers(one.box.size, ' x ')} {found.unit} at ({_numbers(one.box.center)}) ({_trust(one)})"
        for one in found.objects
    ]


def _listed(name: str, rows: list[str]) -> list[str]:
    if not rows:
        return [f"  {name:<11} none found"]
    more = [f"  {'':<11} and {len(rows) - _SHOWN} more (--json has all)"] if len(rows) > _SHOWN else []
    return [f"  {name if number == 0 else '':<11} {row}" for number, row in enumerate(rows[:_SHOWN])] + more


def _called(one: Any) -> str:
    return one.name or "a thing without a name"


def _away(distance: float | None, unit: str) -> str:
    return "" if distance is None else f", {distance:.2f} {unit} away"


def _bearing(degrees: float | None) -> str:
    if degrees is None:
        return ""
    return (
        f", {abs(degrees):.0f} deg to the {'right' if degrees >= 0 else 'left'}"
        if abs(degrees) >= 0.5
        else ", straight ahead"
    )


def _numbers(values: Any, between: str = ", ") -> str:
    return between.join(f"{round(value, 2) + 0.0:.2f}" for value in values)  # -0.00 is 0.00


def _trust(one: Any) -> str:
    sure = "" if one.confidence is None else f", confidence {one.confidence:.2f}"
    frames = f", {len(one.frames)} frames" if one.frames else ""
    return f"{one.status}{sure}{frames}"
