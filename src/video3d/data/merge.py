"""Several data sets made into one: shards are copied as they are, rows are joined, the manifest is written anew."""

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from video3d.data.card import write_card
from video3d.data.row import Row
from video3d.data.store import SPLITS, DataSet, open_dataset, write_manifest, write_rows
from video3d.types import InputError


def merge(roots: Sequence[Path], out: Path) -> dict[str, Any]:
    """Writes one data set of several, whole or not at all; returns its manifest.

    Errors: ``InputError`` when two hold the same clip, or one scene in two splits, or ``out`` is there already.
    """
    if len(roots) < 2:
        raise InputError("data sets", expected="two or more", got=len(roots))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, expected="a folder to make", got="something there already", do="name another --out")
    sets = [open_dataset(root) for root in roots]
    _check(sets)
    beside = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        (beside / "clips").mkdir(parents=True)
        numbers: dict[str, int] = {}
        for dataset in sets:
            for shard in tqdm(dataset.shards, desc=str(dataset.root), unit="shard", mininterval=1.0):
                number = numbers[shard.split] = numbers.get(shard.split, -1) + 1
                shutil.copyfile(dataset.root / shard.path, beside / "clips" / f"{shard.split}-{number:05d}.parquet")
        rows: dict[str, list[Row]] = {}
        for split in SPLITS:
            found = [row for dataset in sets if split in dataset.splits() for row in dataset.rows(split)]
            if found:
                rows[split] = found
                write_rows(beside / f"{split}.jsonl", found)
        made_by = {"command": "video3d data merge", "of": [dataset.content_hash for dataset in sets]}
        manifest = write_manifest(beside, made_by)
        write_card(beside, manifest, rows)
        attributions = [root / "ATTRIBUTION.md" for root in roots if (root / "ATTRIBUTION.md").is_file()]
        texts = sorted({path.read_text(encoding="utf-8") for path in attributions})
        if texts:
            (beside / "ATTRIBUTION.md").write_text("\n".join(texts), encoding="utf-8")
        if out.exists():
            out.rmdir()
        beside.rename(out)
    except OSError as error:
        raise InputError(out, expected="a folder that can be written", got=error.strerror or error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _check(sets: Sequence[DataSet]) -> None:
    clips: dict[str, Path] = {}
    scenes: dict[str, tuple[str, Path]] = {}
    rows: set[str] = set()
    for dataset in sets:
        for clip_id in dataset.clip_ids():
            if clip_id in clips:
                raise InputError(
                    dataset.root, expected="clips that no other set has", got=f"{clip_id}, also in {clips[clip_id]}",
                    do="make one of them with another --seed",
                )  # fmt: skip
            clips[clip_id] = dataset.root
        for split in dataset.splits():
            for row in dataset.rows(split):
                held = scenes.setdefault(f"{row.source}/{row.scene_id}", (split, dataset.root))
                if held[0] != split:
                    got = f"scene {row.scene_id} in {split}, but in {held[0]} of {held[1]}"
                    raise InputError(dataset.root, expected="every scene in one split", got=got)
                if row.row_id in rows:
                    raise InputError(dataset.root, expected="rows that no other set has", got=row.row_id)
                rows.add(row.row_id)
