"""Where every row of a data set stands in its file, so that a page turns to any of 100,000 rows without holding them."""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from video3d.data.row import Row
from video3d.data.store import DataSet, parse_row
from video3d.types import InputError

_MAX_LINE_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEntry:
    """A row's place (split and byte) and what it is filtered by."""

    row_id: str
    split: str
    type: str
    subtype: str
    clip_id: str
    begin: int


@dataclass(frozen=True, slots=True)
class RowIndex:
    """All rows of a data set in the order in which they are stored; made by :func:`index_rows`."""

    data: DataSet
    entries: tuple[RowEntry, ...]
    places: dict[str, int]

    def row(self, row_id: str) -> Row:
        """Reads a row. Errors: ``KeyError`` for an unknown one, ``InputError`` where the file has changed meanwhile."""
        entry = self.entries[self.places[row_id]]
        path = self.data.root / f"{entry.split}.jsonl"
        try:
            with path.open("rb") as lines:
                lines.seek(entry.begin)
                line = lines.readline(_MAX_LINE_BYTES)
        except OSError as error:
            raise InputError(path, expected="the data set's rows", got=error.strerror or error) from error
        row = parse_row(line.decode("utf-8", errors="replace"), f"{path}, row {row_id}")
        if row.row_id != row_id:
            raise InputError(path, expected=f"row {row_id} where it was", got=row.row_id, do="start again")
        return row

    def order(self, seed: int | None) -> Int64[np.ndarray, "n"]:
        """Places of all rows: as stored, or shuffled by a seed. A seed's order does not depend on what is filtered afterwards."""
        places = np.arange(len(self.entries), dtype=np.int64)
        return places if seed is None else np.random.default_rng(seed).permutation(places)


def index_rows(data: DataSet) -> RowIndex:
    """Reads every row once, checks it and notes where it stands.

    Errors: ``InputError`` for a line that is no row, two rows of one id, or a file that is not the one that the manifest
    hashes: decisions name rows by id, and must not be about other rows than they seem.
    """
    entries: list[RowEntry] = []
    places: dict[str, int] = {}
    for split in data.splits():
        path = data.root / f"{split}.jsonl"
        digest, begin = hashlib.sha256(), 0
        with path.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_MAX_LINE_BYTES), b""), start=1):
                digest.update(line)
                thing = f"{path}, line {number}"
                if len(line) == _MAX_LINE_BYTES:
                    raise InputError(thing, expected=f"less than {_MAX_LINE_BYTES} bytes", got="more")
                if line.strip():
                    row = parse_row(line.decode("utf-8", errors="replace"), thing)
                    if row.row_id in places:
                        raise InputError(thing, expected="a row_id of its own", got=f"{row.row_id} a second time")
                    places[row.row_id] = len(entries)
                    entries.append(
                        RowEntry(
                            row_id=row.row_id,
                            split=split,
                            type=row.type,
                            subtype=row.subtype,
                            clip_id=row.clip_id,
                            begin=begin,
                        )
                    )
                begin += len(line)
        _check_hash(data, split, digest.hexdigest())
    if not entries:
        raise InputError(data.root, expected="a data set with rows", got="none")
    return RowIndex(data, tuple(entries), places)


def _check_hash(data: DataSet, split: str, found: str) -> None:
    try:
        wanted = str(data.manifest["rows"][split]["sha256"])
    except (KeyError, TypeError) as error:
        raise InputError(data.root, expected=f"a manifest that lists {split}.jsonl", got="none") from error
    if found != wanted:
        raise InputError(
            data.root / f"{split}.jsonl",
            expected=f"the file that the manifest hashes ({wanted[:12]})",
            got=f"another one ({found[:12]})",
            do="check it with: video3d data validate",
        )
