"""``video3d depth-eval``: depth estimators judged on a recording with measured depth."""

import shutil
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from video3d.cli_text import dump
from video3d.types import InputError

if TYPE_CHECKING:
    from video3d.evaluation.depth_eval import DepthReport, EstimatorResult

_MEASURES = ("rmse_m", "abs_rel", "delta1", "delta2", "delta3", "log10", "silog", "rmse_log", "sq_rel", "median_abs_m")


def depth_eval(
    source: Annotated[str, Parameter(help="A recording with measured depth (see docs/recordings.md).")],
    *,
    estimators: Annotated[
        str,
        Parameter(
            name="--estimators",
            help="Comma-separated: nano, video (or video:NAME, another prior), constant, position, hub ids, folders "
            "(docs/depth.md lists which networks).",
        ),
    ] = "nano,video,constant,position",
    frames: Annotated[int, Parameter(name="--frames", help="How many frames, 1 to 1024, evenly spread.")] = 32,
    poses: Annotated[
        str, Parameter(name="--poses", help="For video: given (as recorded) or estimated (forgotten first).")
    ] = "given",
    max_depth: Annotated[
        float, Parameter(name="--max-depth", help="Metres; truth beyond is not judged. 10 indoors, 80 on streets.")
    ] = 10.0,
    out: Annotated[Path | None, Parameter(name="--out", help="Folder to make, for report.json and sheet.jpg.")] = None,
    json_: Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object for programs.")] = False,
) -> None:
    """Judge depth estimators by a recording's measured depth: errors, consistency, calibration, time, memory, licence."""
    if not 1 <= frames <= 1024:
        raise InputError("--frames", expected="a number from 1 to 1024", got=frames)
    if poses not in ("given", "estimated"):
        raise InputError("--poses", expected="given or estimated", got=poses)
    if not 0.01 <= max_depth <= 10_000:
        raise InputError("--max-depth", expected="metres from 0.01 to 10000", got=max_depth)
    names = [name.strip() for name in estimators.split(",")] if estimators.strip() else []
    if out is not None:
        from video3d.viz.export import check_out

        check_out(out, overwrite=False)  # before the long work, not after it
    from video3d.evaluation.depth_eval import evaluate_depth

    report = evaluate_depth(
        source, names, num_frames=frames, poses="given" if poses == "given" else "estimated", max_depth_m=max_depth
    )
    shape = report_json(report)
    if out is not None:
        _write(report, shape, out)
    print(dump(shape) if json_ else report_text(report) + (f"\nwritten: {out}" if out is not None else ""))


def report_json(report: "DepthReport") -> dict[str, Any]:
    """The published shape of ``depth-eval --json``."""
    return {
        "source": report.source,
        "frames": list(report.frame_index),
        "poses": report.poses,
        "max_depth_m": report.max_depth_m,
        "truth_consistency": None if report.truth_consistency is None else asdict(report.truth_consistency),
        "estimators": [_result_json(result) for result in report.results],
    }


def _result_json(result: "EstimatorResult") -> dict[str, Any]:
    return {
        "name": result.name,
        "licence": result.licence,
        "kind": result.kind,
        "metric": result.metric,
        "errors": {row.alignment: asdict(row.errors) | {"num_images": row.num_images} for row in result.rows},
        "scale": result.scale,
        "scale_spread": result.scale_spread,
        "consistency": None if result.consistency is None else asdict(result.consistency),
        "calibration": None if result.calibration is None else [asdict(one) for one in result.calibration],
        "load_s": round(result.load_s, 4),
        "seconds_per_frame": round(result.seconds_per_frame, 6),
        "peak_memory_bytes": result.peak_memory_bytes,
        "notes": list(result.notes),
    }


def report_text(report: "DepthReport") -> str:
    """A comparison for a person to read: a line for each estimator and way of aligning, then what else was found."""
    wide = max([len("estimator"), *(len(result.name) for result in report.results)])
    head = " ".join(f"{name.removesuffix('_m'):>10}" for name in _MEASURES)
    lines = [
        f"{report.source}: {len(report.frame_index)} frames, truth up to {report.max_depth_m:g} m, "
        f"mean over images; poses of video: {report.poses}",
        "",
        f"{'estimator':<{wide}} {'aligned':<11} {head} {'images':>7} {'pixels':>7}",
    ]
    for result in report.results:
        for row in result.rows:
            numbers = " ".join(f"{getattr(row.errors, name):>10.3f}" for name in _MEASURES)
            share = f"{100 * row.errors.coverage:.0f} %"
            lines.append(f"{result.name:<{wide}} {row.alignment:<11} {numbers} {row.num_images:>7} {share:>7}")
        if not result.rows:
            lines.append(f"{result.name:<{wide}} said nothing where there is truth")
    lines += ["", f"{'estimator':<{wide}} {'s/frame':>9} {'memory':>9} {'TAE':>7} {'median':>7} {'scale':>14}  licence"]
    if (found := report.truth_consistency) is not None:
        lines.append(f"{'(measured)':<{wide}} {'':>9} {'':>9} {found.mean_rel:>7.3f} {found.median_rel:>7.3f}")
    for result in report.results:
        memory = "-" if result.peak_memory_bytes is None else f"{result.peak_memory_bytes / 2**20:.0f} MiB"
        found = result.consistency
        agree = f"{'-':>7} {'-':>7}" if found is None else f"{found.mean_rel:>7.3f} {found.median_rel:>7.3f}"
        scale = "-" if result.scale is None else f"{result.scale:.3f} ± {100 * (result.scale_spread or 0):.0f} %"
        lines.append(
            f"{result.name:<{wide}} {result.seconds_per_frame:>9.3f} {memory:>9} {agree} {scale:>14}  {result.licence}"
        )
    for result in report.results:
        if result.calibration:
            lines += [
                "",
                f"{result.name}: error of ln depth by tenths of stated uncertainty (rms stated / rms / median)",
            ]
            lines.append(
                "  " + "  ".join(f"{b.stated:.3f}/{b.found:.3f}/{b.found_median:.3f}" for b in result.calibration)
            )
    for result in report.results:
        lines += [f"{result.name}: {note}" for note in result.notes]
    return "\n".join(lines)


def _write(report: "DepthReport", shape: dict[str, Any], out: Path) -> None:
    """report.json and sheet.jpg, made beside and renamed: whole or not at all."""
    from video3d.data.sheet import save_picture
    from video3d.evaluation.depth_sheet import depth_sheet

    beside = out.parent / f".video3d-{uuid.uuid4().hex}.partial"
    try:
        beside.mkdir()
        (beside / "report.json").write_text(dump(shape) + "\n")
        save_picture(depth_sheet(report), beside / "sheet.jpg")
        if out.exists():
            out.rmdir()  # empty: check_out saw to it
        beside.rename(out)
    except OSError as error:
        raise InputError(out, expected="a folder that can be written", got=error.strerror or error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
