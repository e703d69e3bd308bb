"""A clip in words: what is in it, what is true of it, what is asked about it."""

from typing import Any

from video3d.data.row import Row
from video3d.data.store import SPLITS, DataSet
from video3d.types import InputError


def describe_clip(dataset: DataSet, which: str) -> tuple[dict[str, Any], list[int]]:
    """A clip by its id, or by the id of one of its rows; and the objects that the row names (none for a clip).

    Errors: ``InputError`` when there is neither.
    """
    clips = set(dataset.clip_ids())
    rows: list[Row] = []
    named: list[int] = []
    clip_id = which if which in clips else ""
    for split in (split for split in SPLITS if split in dataset.splits()):
        for row in dataset.rows(split):
            if row.row_id == which:
                clip_id, named = row.clip_id, list(row.object_ids)
                rows = [row]
            elif clip_id == which and row.clip_id == which:
                rows.append(row)
    if not clip_id:
        raise InputError("the clip", expected=f"a clip_id or row_id of {dataset.root}", got=repr(which))
    truth = dataset.truth(clip_id)
    seen = truth.visible_px.max(axis=0)
    return {
        "clip_id": clip_id,
        "scene_id": truth.scene_id,
        "source": truth.source,
        "licence": truth.licence,
        "split": truth.split,
        "scenario": f"{truth.domain}, {truth.scenario}, carried by a {truth.viewer}",
        "frames": f"{truth.num_frames} of {truth.size_hw[1]}x{truth.size_hw[0]}, {truth.times_s[-1]:.2f} s",
        "objects": [
            f"{found.object_id}: {(found.color + ' ') if found.color else ''}{found.category}, at most {seen[i]} pixels"
            for i, found in enumerate(truth.objects)
            if seen[i] > 0
        ],
        "questions": [f"[{row.subtype}] {row.question['en']} -> {row.answer_text['en']}" for row in rows],
        "questions_zh": [
            f"{row.question['zh']} -> {row.answer_text.get('zh', '')}" for row in rows if "zh" in row.question
        ],
    }, named
