"""Rows for a folder of clips: candidates of every clip, the selection, one JSONL file a split, the manifest.

The last step of ``video3d data simulate`` and of ``video3d data build``: both have clips in shards and want balanced questions.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from video3d.data.candidate_file import read_candidates, write_candidates
from video3d.data.card import write_card
from video3d.data.questions.ask import candidates
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.offer import Offer, offer
from video3d.data.questions.select import SelectConfig, select, to_row
from video3d.data.row import Row
from video3d.data.store import SPLITS, open_dataset, read_rows, truths_of, write_manifest, write_rows
from video3d.data.truth import SceneTruth, Split
from video3d.data.workers import workers
from video3d.replaced import replaced
from video3d.types import InputError

SIMULATED_BY = "video3d data simulate"
"""What the manifest of a simulated data set names as its origin."""

CandidatesOf = Callable[[Path], Iterable[tuple[str, Candidate]]]
"""(clip id, candidate) of every clip of a shard, in its order; what was made with the clips need not be made again."""


def fresh_candidates(shard: Path) -> Iterator[tuple[str, Candidate]]:
    """Candidates made from the truth that a shard holds."""
    for truth in truths_of(shard):
        for candidate in candidates(truth):
            yield truth.clip_id, candidate


def compose(
    root: Path,
    made_by: dict[str, Any],
    *,
    config: SelectConfig,
    candidates_of: CandidatesOf = fresh_candidates,
    keep_rows: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Chooses the questions of all clips under ``root/clips`` and writes rows, card and manifest; returns the selection's report.

    Args:
        root: the data set's folder.
        made_by: goes into the manifest.
        config: how much is asked, and in which mix.
        candidates_of: where candidates come from.
        keep_rows: rows that are there already (a source's own annotations) stay, first.
        progress: show it on stderr.

    Errors: ``InputError`` where the mix asks for a type that no clip supports.
    """
    for left in root.glob(".*.partial"):  # of a run that was killed while it wrote
        left.unlink()
    shards = sorted((root / "clips").glob("*.parquet"))
    bar = tqdm(shards, desc="questions", unit="shard", disable=not progress, mininterval=1.0)
    selection = select(_offers(bar, candidates_of), config)
    picked: dict[str, set[int]] = {}
    for clip_id, number in selection.picks:
        picked.setdefault(clip_id, set()).add(number)
    rows: dict[Split, list[Row]] = {"train": [], "val": [], "test": []}
    if keep_rows:
        for split in SPLITS:
            path = root / f"{split}.jsonl"
            rows[split] += list(read_rows(path)) if path.is_file() else []
    for shard in shards:
        truths = {truth.clip_id: truth for truth in truths_of(shard)}
        for truth, number, candidate in _numbered(candidates_of(shard), truths):
            if number in picked.get(truth.clip_id, ()):
                rows[truth.split].append(to_row(truth, candidate, number, selection.withheld))
    for split in SPLITS:
        if rows[split]:
            write_rows(root / f"{split}.jsonl", rows[split])
        else:
            (root / f"{split}.jsonl").unlink(missing_ok=True)
    manifest = write_manifest(root, made_by)
    write_card(root, manifest, rows)
    return selection.report


def write_selection(root: Path, report: dict[str, Any]) -> None:
    """Writes ``selection.json``: which questions were chosen, and why others were not."""
    with replaced(root / "selection.json") as beside:
        beside.write_text(json.dumps(report, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


def ask_again(root: Path, *, per_clip: int | None = None, processes: int = 1, progress: bool = True) -> None:
    """Chooses the questions of simulated clips anew, from the truth stored with them; the clips stay as they are.

    With as many questions as before and the same version of the program, the same rows come out.

    Args:
        root: a finished data set that was simulated.
        per_clip: questions a clip, on average; default as many as before.
        processes: that make candidates side by side.
        progress: show it on stderr.

    Errors: ``InputError`` where there is no data set, or one that was not simulated.
    """
    made = open_dataset(root).manifest["made_by"]
    if not isinstance(made, dict) or made.get("command") != SIMULATED_BY:
        raise InputError(
            root, expected="a data set by `video3d data simulate`", got="another origin", do="build or merge it again"
        )
    per_clip = int(made["questions"]) if per_clip is None else per_clip
    config = SelectConfig(per_clip=per_clip, seed=int(made["seed"]))
    shards = sorted((root / "clips").glob("*.parquet"))
    with TemporaryDirectory(dir=root, prefix=".", suffix=".partial.d") as held:
        files = {shard: Path(held) / f"{shard.stem}.jsonl.gz" for shard in shards}
        with workers(processes) as pool:
            asked = [pool.submit(_keep_candidates, shard, path) for shard, path in files.items()]
            for done in tqdm(asked, desc="asked", unit="shard", disable=not progress, mininterval=1.0):
                done.result()
        report = compose(
            root, made | {"questions": per_clip}, config=config, progress=progress,
            candidates_of=lambda shard: read_candidates(files[shard]),
        )  # fmt: skip
    write_selection(root, report)


def _keep_candidates(shard: Path, path: Path) -> None:
    by_clip: dict[str, list[Candidate]] = {}
    for clip_id, candidate in fresh_candidates(shard):
        by_clip.setdefault(clip_id, []).append(candidate)
    write_candidates(path, by_clip)


def _offers(shards: Iterable[Path], candidates_of: CandidatesOf) -> Iterator[Offer]:
    for shard in shards:
        truths = {truth.clip_id: truth for truth in truths_of(shard)}
        for truth, number, candidate in _numbered(candidates_of(shard), truths):
            yield offer(truth.clip_id, truth.split, number, candidate)


def _numbered(
    found: Iterable[tuple[str, Candidate]], truths: dict[str, SceneTruth]
) -> Iterator[tuple[SceneTruth, int, Candidate]]:
    """Candidates with their place among those of their clip."""
    at, number = "", 0
    for clip_id, candidate in found:
        at, number = (clip_id, number + 1) if clip_id == at else (clip_id, 0)
        yield truths[clip_id], number, candidate
