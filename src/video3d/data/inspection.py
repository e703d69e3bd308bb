"""What is in a data set, and whether it is whole: counts and checks."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from video3d.data.clip_codec import decode_clip, decode_truth
from video3d.data.questions.blind import blind_report
from video3d.data.row import MIX, Row
from video3d.data.store import (
    AGAIN,
    SPLITS,
    DataSet,
    ShardEntry,
    content_hash,
    sha256_of,
    shard_rows,
    truth_columns,
    truths_of,
)
from video3d.data.truth import ClipData, SceneTruth
from video3d.types import InputError

_MAX_FAULTS = 50


def stats(dataset: DataSet, *, blind: bool = False) -> dict[str, Any]:
    """Counts of clips and questions, bytes a clip, shares of the types, how answers are spread; ``blind`` adds what words alone score.

    Errors: ``InputError``.
    """
    out: dict[str, Any] = {
        "name": dataset.manifest.get("name", ""),
        "version": dataset.manifest.get("version", ""),
        "content_hash": dataset.content_hash,
        "clips": {split: len(dataset.clip_ids(split)) for split in SPLITS if dataset.clip_ids(split)},
    }
    size = sum(_size_of(dataset.root / shard.path) for shard in dataset.shards)
    out["bytes_per_clip"] = round(size / max(1, len(dataset.clip_ids())))
    scenarios: Counter[str] = Counter()
    for shard in dataset.shards:
        scenarios.update(f"{truth.domain}: {truth.scenario}" for truth in truths_of(dataset.root / shard.path))
    out["scenarios"] = dict(sorted(scenarios.items()))
    rows = {split: list(dataset.rows(split)) for split in dataset.splits()}
    out["questions"] = {split: _counted(found) for split, found in rows.items()}
    if blind:
        if not (rows.get("train") and rows.get("test")):
            raise InputError(dataset.root, expected="rows of train and of test", got=", ".join(rows) or "none")
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # the fits are small: threads only get into each other's way
            out["blind"] = blind_report(rows["train"], rows["test"])
    return out


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(path, expected="a Parquet file of clips", got=error.strerror or error, do=AGAIN) from error


def _counted(rows: list[Row]) -> dict[str, Any]:
    types = Counter(row.type for row in rows)
    four = sum(types[name] for name in MIX)
    answers: dict[str, Counter[str]] = {}
    for row in rows:
        answers.setdefault(row.subtype, Counter())[_answer_word(row)] += 1
    return {
        "rows": len(rows),
        "types": dict(sorted(types.items())),
        "mix": {name: round(types[name] / four, 4) for name in MIX} if four else {},
        "subtypes": {
            name: {"rows": sum(found.values()), "answers": dict(found.most_common(6))}
            for name, found in sorted(answers.items())
        },
    }


def _answer_word(row: Row) -> str:
    answer = row.answer
    if answer.kind == "choice":
        return f"option {answer.index + 1} of {len(answer.options)}"
    if answer.kind == "yes_no":
        return "yes" if answer.value else "no"
    return answer.value if answer.kind == "direction" else answer.kind


def validate(dataset: DataSet, *, deep: bool = False) -> dict[str, Any]:
    """Checks a data set against its manifest and itself. ``faults`` lists what is wrong, ``ok`` says whether nothing is.

    Files and their hashes, every row, that its clip is there and in the same split, that no scene is in two splits, that objects and
    frames     frames exist, that truths are sound (finite, rigid, within their bounds); ``deep`` also decodes every picture.
    """
    faults: list[str] = []
    files: dict[str, str] = {}
    for fault in _files(dataset, files):
        faults.append(fault)
    if not faults and content_hash(files) != dataset.content_hash:
        faults.append(f"content_hash: expected {content_hash(files)}, the manifest says {dataset.content_hash}")
    truths: dict[str, tuple[str, str, int, frozenset[int]]] = {}
    scenes: dict[str, str] = {}
    shards = tqdm(dataset.shards, desc="validate", unit="shard", mininterval=1.0)
    for shard in shards:
        ids: list[str] = []
        try:
            for row in shard_rows(dataset.root / shard.path, None if deep else truth_columns()):
                ids.append(row["clip_id"])
                try:
                    truth = decode_truth(row)
                except InputError as error:  # one damaged clip does not hide those after it
                    faults.append(str(error))
                    continue
                faults += [f"{truth.clip_id}: {fault}" for fault in _truth_faults(truth, shard.split)]
                if truth.clip_id in truths:
                    faults.append(f"{truth.clip_id}: in two shards")
                object_ids = frozenset(found.object_id for found in truth.objects)
                truths[truth.clip_id] = (truth.split, truth.scene_id, truth.num_frames, object_ids)
                if scenes.setdefault(truth.scene_id, truth.split) != truth.split:
                    faults.append(
                        f"{truth.clip_id}: scene {truth.scene_id} is in {scenes[truth.scene_id]} and in {truth.split}"
                    )
                if deep:
                    faults += _deep_faults(row)
            faults += _listing_faults(shard, ids)
        except InputError as error:
            faults.append(str(error))
    count = 0
    seen: set[str] = set()
    for split in dataset.splits():
        before = count
        try:
            for row in dataset.rows(split):
                count += 1
                faults += [f"{row.row_id}: {fault}" for fault in _row_faults(row, split, truths, seen)]
            listed = dataset.row_files[split].rows
            if count - before != listed:
                faults.append(f"{split}.jsonl: {count - before} rows, the manifest says {listed}")
        except InputError as error:
            faults.append(str(error))
    return {
        "ok": not faults, "clips": len(truths), "rows": count, "num_faults": len(faults), "faults": faults[:_MAX_FAULTS],
    }  # fmt: skip


def _files(dataset: DataSet, files: dict[str, str]) -> Iterator[str]:
    listed = {entry.path: entry.sha256 for entry in (*dataset.shards, *dataset.row_files.values())}
    for name, digest in sorted(listed.items()):
        try:
            files[name] = sha256_of(dataset.root / name)
        except InputError as error:
            yield f"{name}: missing" if isinstance(error.__cause__, FileNotFoundError) else str(error)
            continue
        if files[name] != digest:
            yield f"{name}: changed since the manifest was written"


def _listing_faults(shard: ShardEntry, ids: list[str]) -> Iterator[str]:
    if len(ids) != len(shard.clips):
        yield f"{shard.path}: {len(ids)} clips, the manifest says {len(shard.clips)}"
    for at, (found, listed) in enumerate(zip(ids, shard.clips, strict=False)):
        if found != listed:
            yield f"{shard.path}: clip {at} is {found}, the manifest says {listed}"
            return


def _deep_faults(row: dict[str, Any]) -> list[str]:
    try:
        clip = decode_clip(row)
    except InputError as error:
        return [str(error)]
    faults = (*_stored_pose_faults(row), *_pixel_faults(clip))
    return [f"{clip.truth.clip_id}: {fault}" for fault in faults]


def _truth_faults(truth: SceneTruth, split: str) -> Iterator[str]:
    if truth.split != split:
        yield f"split {truth.split} in a shard of {split}"
    # A recording may not know some poses and times: those are NaN as a whole. A simulation knows all of them.
    unknown = truth.source != "simulated"
    yield from _pose_faults(truth.world_from_camera, "a camera pose", unknown=unknown)
    if not np.isfinite(truth.k_px).all():
        yield "intrinsics that are not finite"
    elif (truth.k_px[:, [0, 1], [0, 1]] <= 0).any():
        yield "focal length <= 0"
    elif np.abs(truth.k_px[:, 2] - (0, 0, 1)).max(initial=0) > 1e-6:
        yield "intrinsics whose last row is not 0 0 1"
    if not np.isfinite(truth.times_s).all() and not (unknown and np.isnan(truth.times_s).all()):
        yield "times that are not finite"
    if not ((truth.visible_share >= 0) & (truth.visible_share <= 1)).all():
        yield "visible_share outside 0..1"
    if (truth.visible_px < 0).any() or (truth.visible_px > truth.size_hw[0] * truth.size_hw[1]).any():
        yield "visible_px below 0 or more than a frame has"
    for found in truth.objects:
        if found.size_m.shape != (3,) or not (np.isfinite(found.size_m) & (found.size_m > 0)).all():
            yield f"object {found.object_id} of size {found.size_m.tolist()}"
        yield from _pose_faults(found.world_from_object, f"object {found.object_id} with a pose", unknown=unknown)
    for number, rollout in enumerate(truth.rollouts):
        thing = f"rollout {number}"
        if not np.isfinite(rollout.times_s).all() or (np.diff(rollout.times_s) <= 0).any():
            yield f"{thing}: times that are not finite or do not ascend"
        yield from _pose_faults(rollout.world_from_camera, f"{thing}: a camera pose", unknown=unknown)
        yield from _pose_faults(rollout.world_from_object, f"{thing}: an object's pose", unknown=unknown)
    if truth.room is not None and not (
        np.isfinite(truth.room.floor_polygon_m).all() and 0 < truth.room.height_m < np.inf
    ):
        yield "a room whose floor or height is not finite"
    if len({found.object_id for found in truth.objects}) != len(truth.objects):
        yield "two objects with one id"
    if (np.diff(truth.times_s) <= 0).any():
        yield "times that do not ascend"
    ids = {found.object_id for found in truth.objects} | {0, None}
    for found in truth.objects:
        if found.supported_by not in ids or found.inside_of not in ids:
            yield f"object {found.object_id} stands on or in something that is not there"


def _pose_faults(poses: np.ndarray, thing: str, *, unknown: bool) -> Iterator[str]:
    poses = poses.reshape(-1, 4, 4)
    finite = np.isfinite(poses).all(axis=(1, 2))
    if not (finite | (unknown & np.isnan(poses).all(axis=(1, 2)))).all():
        yield f"{thing} that is not finite"
    known = poses[finite]
    rotations = known[:, :3, :3]
    off = np.abs(rotations @ np.swapaxes(rotations, 1, 2) - np.eye(3)).max(initial=0)
    if max(off, np.abs(known[:, 3] - (0, 0, 0, 1)).max(initial=0)) > 1e-3:
        yield f"{thing} that is not rigid"
    elif (np.linalg.det(rotations) < 0).any():
        yield f"{thing} that mirrors"


def _stored_pose_faults(row: dict[str, Any]) -> Iterator[str]:
    """Of poses as they are stored, x y z and a quaternion: what reading them mends or takes for unknown."""
    stored = {f"object {found['object_id']}": found["poses"] for found in row["objects"]}
    for number, rollout in enumerate(row["rollouts"]):
        stored |= {f"rollout {number}, {name}": rollout[name] for name in ("moving", "still", "camera")}
    for thing, numbers in stored.items():
        seven = np.array(numbers, dtype=np.float64).reshape(-1, 7)
        known = np.isfinite(seven).all(axis=1)
        if not (known | np.isnan(seven).all(axis=1)).all():
            yield f"{thing}: a pose of which only a part is finite"
        if np.abs(np.linalg.norm(seven[known, 3:], axis=1) - 1).max(initial=0) > 1e-3:
            yield f"{thing}: a quaternion that is not of length 1"


def _pixel_faults(clip: ClipData) -> Iterator[str]:
    if clip.instance is not None:
        ids = {found.object_id for found in clip.truth.objects} | {0}
        strangers = set(np.unique(clip.instance).tolist()) - ids
        if strangers:
            yield f"masks of unknown objects {sorted(strangers)[:5]}"
    if clip.rgb.std() < 1:
        yield "frames of one grey"


def _row_faults(
    row: Row, split: str, truths: dict[str, tuple[str, str, int, frozenset[int]]], seen: set[str]
) -> Iterator[str]:
    if row.row_id in seen:
        yield "row_id twice"
    seen.add(row.row_id)
    if row.split != split:
        yield f"split {row.split} in the file of {split}"
    if row.clip_id not in truths:
        yield f"clip {row.clip_id} is not in any shard"
        return
    clip_split, scene_id, num_frames, ids = truths[row.clip_id]
    if clip_split != row.split or scene_id != row.scene_id:
        yield f"split or scene differ from its clip's ({clip_split}, {scene_id})"
    if any(frame >= num_frames for frame in row.evidence_frames):
        yield f"evidence in a frame beyond {num_frames - 1}"
    if not set(row.object_ids) <= ids:
        yield f"objects {sorted(set(row.object_ids) - ids)} are not in its clip"
