"""Several data sets made into one: shards are copied as they are, rows are joined, the manifest is written anew.

Every file is held against the manifest that lists it, so that damage is named where it is and never spreads.
"""

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from video3d.data.card import write_card
from video3d.data.row import Row
from video3d.data.simulate.attribution import ALL_MADE_HERE
from video3d.data.store import (
    AGAIN,
    SPLITS,
    DataSet,
    ShardEntry,
    clip_ids_of,
    content_hash,
    open_dataset,
    sha256_of,
    write_manifest,
    write_rows,
)
from video3d.types import InputError

_CHUNK = 2**20


def merge(roots: Sequence[Path], out: Path) -> dict[str, Any]:
    """Writes one data set of several, whole or not at all; returns its manifest.

    Errors: ``InputError`` when two hold the same clip, or one scene in two splits, when a file is not what its manifest says, or
    ``out`` is there already.
    """
    if len(roots) < 2:
        raise InputError("data sets", expected="two or more", got=len(roots))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(out, expected="a folder to make", got="something there already", do="name another --out")
    sets = [open_dataset(root) for root in roots]
    rows = _check(sets)
    attribution = _attribution(roots)
    beside = out.parent / f".{out.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        (beside / "clips").mkdir(parents=True)
        numbers: dict[str, int] = {}
        for dataset in sets:
            for shard in tqdm(dataset.shards, desc=str(dataset.root), unit="shard", mininterval=1.0):
                number = numbers[shard.split] = numbers.get(shard.split, -1) + 1
                _copy(dataset.root / shard.path, shard, beside / "clips" / f"{shard.split}-{number:05d}.parquet")
        for split, found in rows.items():
            write_rows(beside / f"{split}.jsonl", found)
        made_by = {"command": "video3d data merge", "of": [dataset.content_hash for dataset in sets]}
        manifest = write_manifest(beside, made_by)
        write_card(beside, manifest, rows)
        if attribution:
            (beside / "ATTRIBUTION.md").write_text(attribution, encoding="utf-8")
        if out.exists():
            out.rmdir()
        beside.rename(out)
    except OSError as error:
        raise InputError(out, expected="a folder that can be written", got=error.strerror or error) from error
    except InputError as error:
        if str(beside) in error.thing:  # the user never named the folder beside
            raise InputError(out, expected=error.expected, got=error.got, do=error.do) from error
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def _check(sets: Sequence[DataSet]) -> dict[str, list[Row]]:
    """The rows of all of them, by split, after what can be checked without copying."""
    clips: dict[str, Path] = {}
    scenes: dict[str, tuple[str, Path]] = {}
    rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
    seen: set[str] = set()
    for dataset in sets:
        _check_listing(dataset)
        for clip_id in dataset.clip_ids():
            if clip_id in clips:
                raise InputError(
                    dataset.root, expected="clips that no other set has", got=f"{clip_id}, also in {clips[clip_id]}",
                    do="make one of them with another --seed",
                )  # fmt: skip
            clips[clip_id] = dataset.root
        for split in dataset.splits():
            found = _rows(dataset, split)
            for row in found:
                held = scenes.setdefault(f"{row.source}/{row.scene_id}", (split, dataset.root))
                if held[0] != split:
                    got = f"scene {row.scene_id} in {split}, but in {held[0]} of {held[1]}"
                    raise InputError(dataset.root, expected="every scene in one split", got=got)
                if row.row_id in seen:
                    raise InputError(dataset.root, expected="rows that no other set has", got=row.row_id)
                seen.add(row.row_id)
            rows[split] += found
    return {split: found for split, found in rows.items() if found}


def _check_listing(dataset: DataSet) -> None:
    """That the manifest lists what its content hash was made of, and that every shard is there before any is copied."""
    listed = {entry.path: entry.sha256 for entry in (*dataset.shards, *dataset.row_files.values())}
    if content_hash(listed) != dataset.content_hash:
        got = f"a list of {len(listed)} files with another"
        raise InputError(
            dataset.root / "dataset.json", expected=f"the content hash {dataset.content_hash[:80]}", got=got, do=AGAIN
        )
    for shard in dataset.shards:
        with _opened(dataset.root / shard.path):
            pass


def _rows(dataset: DataSet, split: str) -> list[Row]:
    entry = dataset.row_files[split]
    path = dataset.root / entry.path
    _want_same(path, sha256_of(path), entry.sha256)
    found = list(dataset.rows(split))
    if len(found) != entry.rows:
        raise InputError(path, expected=f"{entry.rows} rows, as the manifest says", got=len(found), do=AGAIN)
    return found


def _copy(source: Path, shard: ShardEntry, target: Path) -> None:
    """Copies a shard while its hash is taken: what is checked is what is copied."""
    digest = hashlib.sha256()
    with _opened(source) as data, target.open("wb") as out:
        while chunk := _read(data, source):
            digest.update(chunk)
            out.write(chunk)
    _want_same(source, digest.hexdigest(), shard.sha256)
    ids = clip_ids_of(source)
    if ids != list(shard.clips):
        differs = next((i for i, (a, b) in enumerate(zip(ids, shard.clips, strict=False)) if a != b), None)
        got = f"{len(ids)} clips" if differs is None else f"{ids[differs]} as clip {differs}"
        wanted = f"{len(shard.clips)} clips" if differs is None else shard.clips[differs]
        raise InputError(source, expected=f"{wanted}, as the manifest says", got=got, do=AGAIN)


def _want_same(path: Path, digest: str, listed: str) -> None:
    if digest != listed:
        raise InputError(path, expected="the file that its manifest lists", got="other bytes", do=AGAIN)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(data: BinaryIO, path: Path) -> bytes:
    try:
        return data.read(_CHUNK)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(path, expected="a file of the data set", got=error.strerror or error, do=AGAIN)


def _attribution(roots: Sequence[Path]) -> str:
    texts: set[str] = set()
    for path in (root / "ATTRIBUTION.md" for root in roots):
        try:
            texts.add(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unreadable(path, error) from error
        except UnicodeDecodeError as error:
            raise InputError(path, expected="UTF-8 text", got=f"byte {error.start}") from error
    # Where one set names makers, it also says that all others are made here; two such sentences would contradict each other.
    naming = {text for text in texts if ALL_MADE_HERE not in text}
    return "\n".join(sorted(naming or texts))
