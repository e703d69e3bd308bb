"""Candidates of a shard on disk, between making or reading its clips and choosing what is asked of all of them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter

from video3d.data.questions.candidate import Candidate
from video3d.replaced import replaced

_CANDIDATE: TypeAdapter[Candidate] = TypeAdapter(Candidate)


def write_candidates(path: Path, questions: dict[str, list[Candidate]]) -> None:
    """Candidates of some clips as compressed JSON lines; the same candidates give the same bytes."""
    with replaced(path) as beside, beside.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
        for clip_id, found in questions.items():
            for candidate in found:
                line = {"clip_id": clip_id, "candidate": _CANDIDATE.dump_python(candidate, mode="json")}
                out.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def read_candidates(path: Path) -> Iterator[tuple[str, Candidate]]:
    """(clip id, candidate) as ``write_candidates`` wrote them."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["clip_id"], _CANDIDATE.validate_python(row["candidate"])
