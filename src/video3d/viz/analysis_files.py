"""The files of an analysis: ``analysis.json``, and what the task's users read: a map for robots, anchors for AR."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from video3d.analysis import Analysis
from video3d.answers.results import AnyResult, Placement
from video3d.viz.export import check_out, made_folder

RESULT = "analysis.json"
KNOWN = frozenset((RESULT, "map.pgm", "map.yaml", "areas.geojson", "anchors.gltf"))
_MAX_BYTES = 200_000_000


def write_analysis(found: Analysis, out: Path, *, overwrite: bool = False) -> tuple[str, ...]:
    """Writes the result and its task's files into a folder, which appears whole or not at all; their names.

    Navigation adds ``map.pgm`` and ``map.yaml`` (ROS map_server) and ``areas.geojson`` where there is a map, placement
    ``anchors.gltf`` where there are zones.

    Raises:
        InputError: ``out`` exists and is not a folder that may be replaced, or cannot be written.
    """
    check_analysis_out(out, overwrite=overwrite)
    with made_folder(out) as beside:
        (beside / RESULT).write_text(found.result.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if getattr(found.parts, "map", None) is not None:
            from video3d.viz.map_files import write_map

            write_map(found.parts, beside)
        if isinstance(found.result, Placement) and found.result.placement_zones:
            from video3d.viz.anchors import write_anchors

            zones = found.result.placement_zones
            write_anchors(beside / "anchors.gltf", found.result.surface_planes, zones, unit=found.result.unit)
        return tuple(sorted(one.name for one in beside.iterdir()))


def check_analysis_out(out: Path, *, overwrite: bool) -> None:
    """Raises InputError unless ``out`` can be made, is empty, or holds an earlier analysis that may be replaced."""
    check_out(out, overwrite=overwrite, strange=_strange)


def _strange(out: Path) -> str | None:
    strangers = sorted(one.name for one in out.iterdir() if one.name not in KNOWN)
    if strangers:
        return f"other files in it ({strangers[0]})"
    try:
        path = out / RESULT
        if path.stat().st_size > _MAX_BYTES:
            return "a folder that video3d did not write"
        TypeAdapter(AnyResult).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return "a folder that video3d did not write"
    return None
