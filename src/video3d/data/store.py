"""Where clips and rows lie on disk, so that a trainer streams them and everything can be checked.

    DIR/dataset.json               version, content hash, how it was made, every file with its hash and count
    DIR/README.md                  the data card; also tells Hugging Face ``datasets`` which files are which
    DIR/{train,val,test}.jsonl     one :class:`video3d.data.row.Row` a line
    DIR/clips/train-00000.parquet  clips, one row group each: streamed in order, or one at a time by its id

Files are written beside and renamed; ``dataset.json`` comes last,
so that a folder with one is whole.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from video3d.data.clip_codec import clip_schema, decode_clip, decode_truth, encode_clip
from video3d.data.row import SCHEMA_VERSION, Row
from video3d.data.truth import ClipData, SceneTruth
from video3d.replaced import replaced
from video3d.types import InputError, install_extra

_T = TypeVar("_T")
SPLITS = ("train", "val", "test")
MANIFEST = "dataset.json"
_TRUTH_COLUMNS_OUT = ("rgb", "depth_mm", "instance")
_SHARD_NAME = re.compile(r"clips/(train|val|test)-[0-9a-z-]{1,60}\.parquet")
_CLIP_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")  # as ``Row.clip_id``
_SHA256 = re.compile(r"[0-9a-f]{64}")
AGAIN = "make the data set again, or copy it again from where it is whole"
_MAX_MANIFEST_BYTES = 64 * 2**20
_MAX_LINE = 256 * 1024


def load_pyarrow() -> tuple[Any, Any]:
    """``pyarrow`` and ``pyarrow.parquet``. Errors: ``InputError`` where they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError("clips", expected="pyarrow", got=f"none ({error})", do=install_extra("data")) from error
    return pyarrow, pyarrow.parquet


def write_shard(path: Path, clips: Iterable[ClipData]) -> int:
    """Writes clips to one Parquet file, a row group each, beside and then renamed; returns how many.

    The same clips give the same bytes.
    """
    pa, pq = load_pyarrow()
    schema, count = clip_schema(), 0
    with replaced(path) as beside:
        # Images are compressed already: zstd is for poses and numbers.
        columns = dict.fromkeys(schema.names, "zstd")
        with pq.ParquetWriter(beside, schema, compression=columns, write_statistics=False, store_schema=True) as writer:
            for clip in clips:
                table = pa.Table.from_pylist([encode_clip(clip)], schema=schema)
                writer.write_table(table, row_group_size=1)
                count += 1
    return count


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Writes rows as JSON lines, beside and then renamed; returns how many."""
    count = 0
    with replaced(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(row_line(row) + "\n")
            count += 1
    return count


def row_line(row: Row) -> str:
    """A row as its one line of JSON: no optional field that is not there, keys in the order of the schema."""
    return json.dumps(row.model_dump(exclude_none=True), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file. Errors: ``InputError`` naming file and line for what is not a row."""
    try:
        lines = path.open(encoding="utf-8")
    except OSError as error:
        raise InputError(path, expected="rows, one JSON object a line", got=error.strerror or error) from error
    with lines:
        number = 0
        while True:
            number += 1
            try:
                line = lines.readline(_MAX_LINE)
            except UnicodeDecodeError as error:
                raise InputError(f"{path}, line {number}", expected="UTF-8 text", got=f"byte {error.start}") from error
            except OSError as error:
                raise InputError(path, expected="rows, one JSON object a line", got=error.strerror or error) from error
            if not line:
                return
            if len(line) == _MAX_LINE:
                raise InputError(f"{path}, line {number}", expected=f"at most {_MAX_LINE} characters", got="more")
            if line.strip():
                yield parse_row(line, f"{path}, line {number}")


def parse_row(line: str, thing: object) -> Row:
    """One line as a row. Errors: ``InputError``."""
    try:
        return Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        do = f"{len(error.errors())} faults in it" if len(error.errors()) > 1 else ""
        raise InputError(thing, expected="a row of Video-3D-QA", got=f"{where}: {first['msg']}", do=do) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Errors: ``InputError`` for what cannot be read."""
    try:
        with path.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        raise InputError(path, expected="a file that can be read", got=error.strerror or error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """A file of clips as the manifest lists it: ``clips`` are the ids in order."""

    path: str
    split: str
    sha256: str
    clips: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsEntry:
    """A file of rows as the manifest lists it: ``rows`` is how many."""

    path: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set on disk, opened by :func:`open_dataset`.

    ``rows(split)`` streams the questions, ``clip(clip_id)`` reads one clip, ``clips(split)`` streams all of them.
    """

    root: Path
    manifest: dict[str, Any]
    shards: tuple[ShardEntry, ...]
    row_files: dict[str, RowsEntry]
    _where: dict[str, tuple[ShardEntry, int]] = field(repr=False)

    @property
    def content_hash(self) -> str:
        """Hash over every file of rows and clips: the same for the same data, wherever it was made."""
        return self.manifest["content_hash"]

    def splits(self) -> tuple[str, ...]:
        """The splits that have rows, by the manifest: a file that is gone since is an error, not a split less."""
        return tuple(split for split in SPLITS if split in self.row_files)

    def rows(self, split: str) -> Iterator[Row]:
        """The questions of a split. Errors: ``InputError``."""
        if split not in self.splits():
            raise InputError("the split", expected=f"one of {', '.join(self.splits())}", got=repr(split))
        return read_rows(self.root / f"{split}.jsonl")

    def clip_ids(self, split: str | None = None) -> tuple[str, ...]:
        """Ids of all clips, or of those of a split, in the order in which they are stored."""
        return tuple(c for shard in self.shards if split in (None, shard.split) for c in shard.clips)

    def clip(self, clip_id: str, frames: Sequence[int] | None = None) -> ClipData:
        """One clip; ``frames`` limits which are decoded. Errors: ``InputError``."""
        return decode_clip(self._read(clip_id, None), frames)

    def truth(self, clip_id: str) -> SceneTruth:
        """The truth of a clip without its pixels. Errors: ``InputError``."""
        return decode_truth(self._read(clip_id, truth_columns()))

    def column(self, name: str) -> dict[str, str]:
        """One of a clip's words (``scenario``, ``domain``, ...) for every clip id; nothing else is read. Errors: ``InputError``."""
        shards = (shard_rows(self.root / shard.path, ["clip_id", name]) for shard in self.shards)
        return {row["clip_id"]: row[name] for rows in shards for row in rows}

    def clips(self, split: str | None = None) -> Iterator[ClipData]:
        """Streams whole clips in the order in which they are stored. Errors: ``InputError``."""
        for shard in self.shards:
            if split in (None, shard.split):
                for row in shard_rows(self.root / shard.path):
                    yield decode_clip(row)

    def _read(self, clip_id: str, columns: list[str] | None) -> dict[str, Any]:
        if clip_id not in self._where:
            raise InputError(
                "the clip", expected=f"one of the {len(self._where)} clips of {self.root}", got=repr(clip_id)
            )
        shard, at = self._where[clip_id]
        path = self.root / shard.path
        row = _row_at(path, at, columns)
        if row["clip_id"] != clip_id:  # another clip's pixels and truth would answer for this one
            got = f"{row['clip_id']!r} there"
            raise InputError(path, expected=f"{clip_id} as clip {at} of it, as the manifest says", got=got, do=AGAIN)
        return row


def open_dataset(root: str | Path) -> DataSet:
    """Opens a data set. Errors: ``InputError`` when there is none, or its manifest is damaged."""
    root = Path(root)
    path = root / MANIFEST
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise InputError(path, expected="a manifest", got=f"{path.stat().st_size} bytes")
        manifest = json.loads(path.read_text(encoding="utf-8"))
        shards = tuple(_shard_entry(found) for found in _want(manifest["shards"], list, "shards"))
        row_files = {split: _rows_entry(split, found) for split, found in _want(manifest["rows"], dict, "rows").items()}
        if str(manifest["schema_version"]).split(".")[0] != SCHEMA_VERSION.split(".")[0]:
            raise ValueError(f"schema version {manifest['schema_version']}, this program reads {SCHEMA_VERSION}")
        _want(manifest["content_hash"], str, "content_hash")
    except OSError as error:
        do = "make one with: video3d data simulate --clips 100 --out DIR"
        raise InputError(
            root, expected=f"a data set (a folder with {MANIFEST})", got=error.strerror or error, do=do
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, expected="the manifest of a data set", got=f"{type(error).__name__}: {error}") from error
    where = {clip: (shard, at) for shard in shards for at, clip in enumerate(shard.clips)}
    return DataSet(root, manifest, shards, row_files, where)


def _shard_entry(found: Any) -> ShardEntry:
    path, split = _want(found["path"], str, "a shard's path"), found["split"]
    if not _SHARD_NAME.fullmatch(path) or split not in SPLITS:
        raise ValueError("a shard outside clips/")
    if not path.startswith(f"clips/{split}-"):
        raise ValueError(f"{path} as a shard of {split}")
    clips = _want(found["clips"], list, f"clips of {path}")
    for clip_id in clips:
        if not (isinstance(clip_id, str) and _CLIP_ID.fullmatch(clip_id)):
            raise ValueError(f"{str(clip_id)[:120]!r} as the id of a clip of {path}")
    return ShardEntry(path=path, split=split, sha256=_digest(found["sha256"], path), clips=tuple(clips))


def _rows_entry(split: str, found: Any) -> RowsEntry:
    if split not in SPLITS or _want(found, dict, f"rows of {split}")["path"] != f"{split}.jsonl":
        raise ValueError(f"rows of {str(split)[:40]!r} elsewhere than in train.jsonl, val.jsonl or test.jsonl")
    count = found["rows"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError(f"{str(count)[:40]!r} as the number of rows of {split}")
    return RowsEntry(path=found["path"], sha256=_digest(found["sha256"], found["path"]), rows=count)


def _want(found: Any, kind: type[_T], name: str) -> _T:
    if not isinstance(found, kind):
        raise TypeError(f"{name} is a {type(found).__name__}, not a {kind.__name__}")
    return found


def _digest(found: Any, name: str) -> str:
    if not (isinstance(found, str) and _SHA256.fullmatch(found)):
        raise ValueError(f"{str(found)[:80]!r} as the SHA-256 of {name}")
    return found


def content_hash(files: dict[str, str]) -> str:
    """Hash over names and hashes of files, independent of their order."""
    listing = "\n".join(f"{digest}  {name}" for name, digest in sorted(files.items()))
    return hashlib.sha256(listing.encode()).hexdigest()


def write_manifest(root: Path, made_by: dict[str, Any], *, version: str = "1.0.0") -> dict[str, Any]:
    """Lists and hashes what is in the folder and writes ``dataset.json``: from then on it is a data set.

    Args:
        root: holds ``clips/*.parquet`` and ``*.jsonl``.
        made_by: how it was made: command, seed, configuration.
        version: of the data, semantic.
    """
    files, shards, rows = {}, [], {}
    for path in sorted((root / "clips").glob("*.parquet")):
        name = f"clips/{path.name}"
        if not _SHARD_NAME.fullmatch(name):
            continue
        files[name] = sha256_of(path)
        ids = clip_ids_of(path)
        shards.append({"path": name, "split": path.name.split("-")[0], "sha256": files[name], "clips": ids})
    for split in SPLITS:
        path = root / f"{split}.jsonl"
        if path.is_file():
            files[path.name] = sha256_of(path)
            with path.open("rb") as lines:
                rows[split] = {
                    "path": path.name,
                    "sha256": files[path.name],
                    "rows": sum(bool(line.strip()) for line in lines),
                }
    manifest = {
        "name": "Video-3D-QA",
        "schema_version": SCHEMA_VERSION,
        "version": version,
        "content_hash": content_hash(files),
        "made_by": made_by,
        "rows": rows,
        "shards": shards,
    }
    with replaced(root / MANIFEST) as beside:
        beside.write_text(json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return manifest


def clip_ids_of(path: Path) -> list[str]:
    """Ids of the clips in a shard. Errors: ``InputError`` for a file that is not one."""
    _, pq = load_pyarrow()
    try:
        return pq.read_table(path, columns=["clip_id"]).column("clip_id").to_pylist()
    except Exception as error:
        raise _no_shard(path, error) from error


def truths_of(path: Path) -> Iterator[SceneTruth]:
    """The truth of every clip of a shard, in its order, without pixels. Errors: ``InputError``."""
    for row in shard_rows(path, truth_columns()):
        yield decode_truth(row)


def truth_columns() -> list[str]:
    """The columns of a shard that hold no pixels."""
    return [name for name in clip_schema().names if name not in _TRUTH_COLUMNS_OUT]


def _row_at(path: Path, at: int, columns: list[str] | None) -> dict[str, Any]:
    _, pq = load_pyarrow()
    try:
        with pq.ParquetFile(path) as shard:
            return shard.read_row_group(at, columns=columns).to_pylist()[0]
    except Exception as error:  # Arrow raises many kinds on damaged files
        raise _no_shard(path, error) from error


def shard_rows(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The clips of a shard as they are stored, one at a time; ``columns`` limits what is read. Errors: ``InputError``."""
    _, pq = load_pyarrow()
    try:
        with pq.ParquetFile(path) as shard:
            for at in range(shard.num_row_groups):
                yield from shard.read_row_group(at, columns=columns).to_pylist()
    except Exception as error:
        raise _no_shard(path, error) from error


def _no_shard(path: Path, error: Exception) -> InputError:
    words = " ".join(str(error).split())[:200]
    return InputError(
        path, expected="a Parquet file of clips", got=f"{type(error).__name__}: {words}", do="make it again"
    )
