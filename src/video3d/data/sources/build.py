"""Builds a data set on disk from a source: in parallel, resumable, with what went wrong told scene by scene.

Scenes are taken in the order of their names in groups of a fixed size, of one split each. A worker process reads a group and writes
its clips as one shard (``clips/<split>-<source>-00012.parquet``) and beside it ``parts/<split>-<source>-00012.json``: its rows, and
which scenes could not be read. Both are written beside and renamed, the report last: a group with a report is whole. A build that is
started again takes up the groups that have none, and those in which a scene failed. In the end rows are joined in the order of the
groups, so that the result does not depend on how many processes there were or how often it was interrupted.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from video3d.data.row import Row
from video3d.data.sources.source import SceneRef, source
from video3d.data.store import read_rows, row_line, write_manifest, write_shard
from video3d.data.truth import ClipData, Split
from video3d.replaced import replaced
from video3d.types import InputError

SCENES_A_SHARD = 8
"""Scenes in a group: what is lost of a group that is interrupted has to be read again."""

MakeRows = Callable[[Sequence[ClipData]], Iterable[Row]]
"""Questions about clips; a function at the top of a module, so that worker processes find it."""


ClipWriter = Callable[[Path, Iterable[ClipData]], int]
"""Writes the clips of a group to one file, whole or not at all, and returns how many; ``store.write_shard`` is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What was built: ``failed`` has the scenes that could not be read, with the reason."""

    scenes: int
    clips: int
    rows: int
    failed: tuple[tuple[str, str], ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    name: str
    refs: tuple[SceneRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What every worker needs to know."""

    source: str
    root: Path
    out: Path
    num_frames: int
    size_hw: tuple[int, int]
    num_clips: int
    make_rows: MakeRows | None
    write_clips: ClipWriter


def build_source(
    name: str,
    root: str | Path,
    *,
    out: str | Path,
    num_frames: int = 16,
    size_hw: tuple[int, int] = (224, 224),
    split: Split | None = None,
    limit: int | None = None,
    processes: int = 1,
    resume: bool = True,
    num_clips: int = 1,
    make_rows: MakeRows | None = None,
    write_clips: ClipWriter = write_shard,
    progress: Callable[[str], object] | None = None,
) -> BuildReport:
    """Reads a data set as its owners distribute it and writes clips and questions.

    Args:
        name: of the source, see ``SOURCES``.
        root: where the data set lies.
        out: folder of the result; see ``video3d.data.store``.
        num_frames: in a clip, at most.
        size_hw: of the frames.
        split: only scenes of this split.
        limit: at most this many scenes, the first by name.
        processes: worker processes.
        resume: take up what an earlier build of the same settings left; else a folder that holds one is refused.
        num_clips: of every walk.
        make_rows: further questions about the clips.
        write_clips: writes the clips of a group.
        progress: gets a line after every group; standard error by default.

    Errors: ``InputError`` when the data set is not there as expected, nothing in it can be read, or ``out`` holds a build of other
        settings.
    """
    begin = time.monotonic()
    root, out = Path(root), Path(out)
    for what, value in (("num_frames", num_frames), ("processes", processes), ("num_clips", num_clips)):
        if value < 1:
            raise InputError(what, expected="at least 1", got=value)
    if limit is not None and limit < 1:
        raise InputError("limit", expected="at least 1", got=limit)
    chosen = source(name)
    chosen.check(root)
    refs = chosen.scenes(root, split)[:limit]
    if not refs:
        raise InputError(root, expected=f"scenes of the split {split or 'train, val or test'}", got="none")
    settings = {
        "source": name, "num_frames": num_frames, "size_hw": list(size_hw), "num_clips": num_clips, "split": split,
        "scenes": [ref.name for ref in refs],
    }  # fmt: skip
    _claim(out, settings, resume=resume)
    work = out / "work" / name
    work.mkdir(parents=True, exist_ok=True)
    job = _Job(
        source=name,
        root=chosen.prepare(root, work),
        out=out,
        num_frames=num_frames,
        size_hw=size_hw,
        num_clips=num_clips,
        make_rows=make_rows,
        write_clips=write_clips,
    )
    groups = _groups(name, refs)
    todo = [group for group in groups if not _is_whole(out, group)]
    _run(job, todo, processes, len(groups), progress or _to_stderr, begin)
    reports = [json.loads(_part(out, group).read_text(encoding="utf-8")) for group in groups]
    failed = tuple((scene, reason) for report in reports for scene, reason in report["failed"])
    num_clips_made = sum(report["clips"] for report in reports)
    if not num_clips_made:
        raise InputError(root, expected="scenes that can be read", got=f"{failed[0][1] if failed else 'none'}")
    num_rows = _join_rows(out, groups)
    write_manifest(out, {"command": "video3d data build", **settings, "failed": [list(item) for item in failed]})
    return BuildReport(
        scenes=len(refs) - len(failed),
        clips=num_clips_made,
        rows=num_rows,
        failed=failed,
        seconds=time.monotonic() - begin,
    )


def _claim(out: Path, settings: dict[str, Any], *, resume: bool) -> None:
    """Writes down what is built here; what was begun with other settings is not mixed with it."""
    path = out / "parts" / "settings.json"
    text = json.dumps(settings, indent=1) + "\n"
    if path.is_file():
        if path.read_text(encoding="utf-8") != text or not resume:
            got = "a build of other settings" if resume else "a build"
            raise InputError(out, expected="a new folder, or one of the same build", got=got, do="name another --out")
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            out, expected="a new or empty folder", got="a folder with other files", do="name another --out"
        )
    with replaced(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _groups(name: str, refs: Sequence[SceneRef]) -> list[_Group]:
    by_split: dict[str, list[SceneRef]] = {}
    for ref in refs:
        by_split.setdefault(ref.split, []).append(ref)
    out = []
    for split, members in sorted(by_split.items()):
        for number, start in enumerate(range(0, len(members), SCENES_A_SHARD)):
            some = tuple(members[start : start + SCENES_A_SHARD])
            out.append(_Group(name=f"{split}-{name}-{number:05d}", refs=some))
    return out


def _part(out: Path, group: _Group) -> Path:
    return out / "parts" / f"{group.name}.json"


def _is_whole(out: Path, group: _Group) -> bool:
    """Whether a group was finished with every scene read."""
    try:
        report = json.loads(_part(out, group).read_text(encoding="utf-8"))
        shard_there = report["clips"] == 0 or (out / "clips" / f"{group.name}.parquet").is_file()
        return shard_there and not report["failed"] and _rows_path(out, group).is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _rows_path(out: Path, group: _Group) -> Path:
    return out / "parts" / f"{group.name}.jsonl"


def _run(
    job: _Job, todo: list[_Group], processes: int, total: int, progress: Callable[[str], object], begin: float
) -> None:
    done, clips = total - len(todo), 0
    if done:
        progress(f"{job.source}: {done} of {total} groups are there already")
    workers = min(processes, len(todo))
    # Workers start afresh (spawn): a fork would copy the threads and locks of whatever is loaded here.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None
    with pool or nullcontext():
        if pool is None:
            results: Iterable[tuple[int, int]] = (_build_group(job, group) for group in todo)
        else:
            futures = [pool.submit(_build_group, job, group) for group in todo]
            results = (_finished(future) for future in as_completed(futures))
        for made, failed in results:
            done, clips = done + 1, clips + made
            rate = clips / max(time.monotonic() - begin, 1e-9)
            bad = f", {failed} scenes could not be read" if failed else ""
            progress(f"{job.source}: {done} of {total} groups, {clips} clips, {rate:.2f} clips/s{bad}")


def _finished(future: Future[tuple[int, int]]) -> tuple[int, int]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        do = "give it more memory or fewer processes and start it again: what is written stays"
        raise InputError("a worker process", expected="to finish its scenes", got="killed", do=do) from error


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _build_group(job: _Job, group: _Group) -> tuple[int, int]:
    """Reads and writes one group; returns the number of clips and of scenes that could not be read."""
    reader = source(job.source)
    rows: list[Row] = []
    failed: list[tuple[str, str]] = []
    clips: list[ClipData] = []
    for ref in group.refs:
        try:
            made = reader.read_scene(
                job.root, ref, num_frames=job.num_frames, size_hw=job.size_hw, num_clips=job.num_clips
            )
            rows += [row for clip in made for row in reader.rows(job.root, ref, clip)]
        except InputError as error:
            failed.append((ref.name, str(error)))
            continue
        except Exception as error:
            error.add_note(f"while reading {ref.name} of {job.source}")
            raise
        clips += made
    if job.make_rows is not None:
        rows += job.make_rows(clips)
    if clips:
        job.write_clips(job.out / "clips" / f"{group.name}.parquet", clips)
    with replaced(_rows_path(job.out, group)) as beside:
        beside.write_text("".join(row_line(row) + "\n" for row in rows), encoding="utf-8", newline="\n")
    with replaced(_part(job.out, group)) as beside:
        report = {"clips": len(clips), "rows": len(rows), "failed": failed}
        beside.write_text(json.dumps(report) + "\n", encoding="utf-8")
    return len(clips), len(failed)


def _join_rows(out: Path, groups: Sequence[_Group]) -> int:
    """Rows of all groups of a split in one file; every one is checked on the way."""
    count = 0
    for split in sorted({group.refs[0].split for group in groups}):
        with replaced(out / f"{split}.jsonl") as beside, beside.open("w", encoding="utf-8", newline="\n") as joined:
            for group in groups:
                if group.refs[0].split == split:
                    for row in read_rows(_rows_path(out, group)):
                        joined.write(row_line(row) + "\n")
                        count += 1
    return count
