"""The data card: what a data set is, in Markdown, from what was counted in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from video3d.data.row import MIX, Row
from video3d.data.truth import Split
from video3d.replaced import replaced

_FIELDS = (
    ("row_id, clip_id, scene_id", "names; clips of one scene are in one split"),
    ("question, answer_text", "`{en, zh}`"),
    (
        "answer",
        "typed: `choice` (options, index), `number` (value, unit, tolerance), `direction`, `box`, `yes_no`, `text`",
    ),
    ("type, subtype, frame", "what is asked, and in whose frame of reference"),
    ("object_ids, evidence_frames", "what it speaks of and where that is seen"),
    ("source, licence, split, domain, seed", "where it comes from"),
)


def write_card(root: Path, manifest: Mapping[str, Any], rows: Mapping[Any, Sequence[Row]]) -> None:
    """Writes ``README.md`` beside the data, with the header by which Hugging Face ``datasets`` finds rows and clips."""
    with replaced(root / "README.md") as beside:
        beside.write_text(card(manifest, rows), encoding="utf-8")


def card(manifest: Mapping[str, Any], rows: Mapping[Any, Sequence[Row]]) -> str:
    """The text of the card."""
    splits = [split for split in get_args(Split) if rows.get(split)]
    clip_splits = [s for s in ("train", "val", "test") if any(shard["split"] == s for shard in manifest["shards"])]
    lines = ["---", "configs:", "- config_name: questions", "  default: true", "  data_files:"]
    lines += [line for s in splits for line in (f"  - split: {s}", f"    path: {s}.jsonl")]
    lines += ["- config_name: clips", "  data_files:"]
    lines += [line for s in clip_splits for line in (f"  - split: {s}", f"    path: clips/{s}-*.parquet")]
    lines += ["language: [en, zh]", "task_categories: [visual-question-answering, video-text-to-text]", "---", ""]
    clips = Counter(shard["split"] for shard in manifest["shards"] for _ in shard["clips"])
    lines += [
        f"# {manifest['name']} {manifest['version']}", "",
        f"{sum(clips.values())} clips ({', '.join(f'{s} {clips[s]}' for s in clip_splits)}), "
        f"{sum(len(rows[s]) for s in splits)} questions ({', '.join(f'{s} {len(rows[s])}' for s in splits)}).",
        f"Content hash `{manifest['content_hash']}`, schema {manifest['schema_version']}.", "",
        "## Questions", "", "| type | share of the four | " + " | ".join(splits) + " |", "|---|---|" + "---|" * len(splits),
    ]  # fmt: skip
    counts = {s: Counter(row.type for row in rows[s]) for s in splits}
    four = {s: sum(counts[s][t] for t in MIX) for s in splits}
    kinds = [*MIX, *sorted({t for s in splits for t in counts[s]} - set(MIX))]
    for kind in kinds:
        cells = [
            f"{counts[s][kind]}" + (f" ({counts[s][kind] / four[s]:.1%})" if kind in MIX and four[s] else "")
            for s in splits
        ]
        lines.append(f"| {kind} | {f'{MIX[kind]:.0%}' if kind in MIX else 'besides'} | " + " | ".join(cells) + " |")
    lines += ["", "| subtype | " + " | ".join(splits) + " |", "|---|" + "---|" * len(splits)]
    subtypes = {s: Counter(row.subtype for row in rows[s]) for s in splits}
    for name in sorted({n for s in splits for n in subtypes[s]}):
        lines.append(f"| {name} | " + " | ".join(str(subtypes[s][name]) for s in splits) + " |")
    lines += [
        "",
        "## A row",
        "",
        "| fields | what |",
        "|---|---|",
        *(f"| {names} | {what} |" for names, what in _FIELDS),
        "",
    ]
    lines += [
        "Clips hold `rgb` (JPEG), `depth_mm` (16-bit PNG, millimetres of z-depth, 0 unknown), `instance` (PNG, object ids), `k_px`,",
        "`world_from_camera`, `objects` (category, box, poses, support), visibility, what happens next (`rollouts`) and what falls",
        "when something is taken away (`removals`). World: right-handed, metres, +z up; camera: x right, y down, z forward; the",
        "centre of the first pixel is (0.5, 0.5).", "",
        "## Terms", "",
        "Every clip and row names its licence: " + ", ".join(sorted({r.licence for s in splits for r in rows[s]}) or ["none"]) + ".",
        "Where a furniture library was used, `ATTRIBUTION.md` names the makers of its models.", "",
    ]  # fmt: skip
    made = manifest["made_by"]
    lines += ["## How it was made", "", *(f"- {key}: `{made[key]}`" for key in sorted(made) if key != "failed"), ""]
    return "\n".join(lines)
