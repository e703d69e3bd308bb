"""nuScenes' tables cut into one small folder a scene, in one pass over each table.

The tables of the full data set are gigabytes of JSON over all scenes; reading them again for each of 850 scenes would take days. So
the builder goes through each once and writes, for every scene, the rows that its front camera and LiDAR need, as tables of the same
names, beside links to the pictures: a folder that the recording reader opens as it opens the whole data set.
``annotations.json`` beside them has the scene's boxes with their category.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.replaced import replaced
from video3d.types import InputError
from video3d.video.images import path_inside
from video3d.video.json_files import iterate_rows, want, want_numbers
from video3d.video.pose_formats import poses_from_quaternions

CHANNELS = ("CAM_FRONT", "LIDAR_TOP")
_READY = "ready.json"
_FLUSH_ROWS = 200_000
_MAX_SIZE_M, _MAX_PLACE_M = 100.0, 1e5

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One box in one key frame.

    Attributes:
        time_us: of its key frame.
        instance: token of the object through the scene.
        category: nuScenes' name, e.g. ``vehicle.car``.
        visibility: 1 to 4 (0-40, 40-60, 60-80, 80-100 % seen over all cameras), 0 unknown.
        size_m: width, length, height: the axes of ``world_from_object``.
        world_from_object: pose of the box; front -y, z up.
    """

    time_us: int
    instance: str
    category: str
    visibility: int
    size_m: Float64[np.ndarray, "3"]
    world_from_object: Float64[np.ndarray, "4 4"]


def tables_of(root: Path) -> Path | None:
    """The folder with the tables under ``root``; the largest version where there are several."""
    versions = sorted(p for p in root.glob("v1.0-*") if (p / "scene.json").is_file()) if root.is_dir() else []
    return max(versions, key=lambda p: (p / "scene.json").stat().st_size, default=None)


def cut_by_scene(root: Path, tables: Path, work: Path) -> Path:
    """Writes a folder a scene into ``work`` and returns it; does nothing where an earlier call has finished for the same tables.

    Errors: ``InputError`` for a table that is missing or damaged, or a row that points nowhere.
    """
    stamp = {
        "tables": str(tables.resolve()),
        "bytes": {p.name: p.stat().st_size for p in sorted(tables.glob("*.json"))},
    }
    ready = work / _READY
    try:
        if json.loads(ready.read_text(encoding="utf-8")) == stamp:
            return work
    except (OSError, ValueError):
        pass
    scene_of, time_of = _samples(tables)
    rows = _sensor_rows(tables, scene_of)
    _annotations(tables, scene_of, time_of, work, rows.keys())
    for scene, (scene_row, per_table) in rows.items():
        folder = work / scene
        (folder / tables.name).mkdir(parents=True, exist_ok=True)
        for name, some in {"scene": [scene_row], **per_table}.items():
            (folder / tables.name / f"{name}.json").write_text(json.dumps(some), encoding="utf-8")
        link = folder / "samples"
        if not link.is_symlink():
            link.symlink_to(os.path.relpath((root / "samples").resolve(), folder.resolve()), target_is_directory=True)
    with replaced(ready) as beside:
        beside.write_text(json.dumps(stamp), encoding="utf-8")
    return work


def read_annotations(folder: Path) -> list[Annotation]:
    """The boxes of one scene, as ``cut_by_scene`` left them. Errors: ``InputError`` for a box without size or with NaN."""
    path = folder / "annotations.json"
    found = list(iterate_rows(path))
    if not found:
        return []
    wxyz = np.stack([want_numbers(row, "rotation", (4,), path) for row in found])
    places = np.stack([want_numbers(row, "translation", (3,), path) for row in found])
    world_from_box = poses_from_quaternions(np.roll(wxyz, -1, axis=1), places, path)
    out = []
    for row, pose in zip(found, world_from_box, strict=True):
        size_m = want_numbers(row, "size", (3,), path)
        if not (0 < size_m.min() <= size_m.max() < _MAX_SIZE_M and np.abs(pose[:3, 3]).max() < _MAX_PLACE_M):
            raise InputError(
                path, expected="a box of a street's size", got=f"{size_m.tolist()} m at {pose[:3, 3].tolist()} m"
            )
        x, y, z = pose[:3, :3].T.copy()
        pose[:3, :3] = np.stack([y, -x, z], axis=1)  # nuScenes' front is +x
        level = row.get("visibility_token", "")
        out.append(
            Annotation(
                time_us=want(row, "time_us", int, path),
                instance=want(row, "instance_token", str, path),
                category=want(row, "category", str, path),
                visibility=int(level) if level in ("1", "2", "3", "4") else 0,
                size_m=size_m,
                world_from_object=pose,
            )
        )
    return out


def _samples(tables: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Scene token and time of every key frame."""
    path = tables / "sample.json"
    scene_of, time_of = {}, {}
    for row in iterate_rows(path):
        token = want(row, "token", str, path)
        scene_of[token], time_of[token] = want(row, "scene_token", str, path), want(row, "timestamp", int, path)
    return scene_of, time_of


def _sensor_rows(tables: Path, scene_of: dict[str, str]) -> dict[str, tuple[_Row, dict[str, list[_Row]]]]:
    """For every scene's name its row, and what of the other tables its front camera and LiDAR need."""
    sensor_path, calibrated_path = tables / "sensor.json", tables / "calibrated_sensor.json"
    sensors = {
        want(row, "token", str, sensor_path): row for row in iterate_rows(sensor_path) if row.get("channel") in CHANNELS
    }
    calibrated = {
        want(row, "token", str, calibrated_path): row
        for row in iterate_rows(calibrated_path)
        if row.get("sensor_token") in sensors
    }
    data: dict[str, list[_Row]] = defaultdict(list)
    for row in iterate_rows(tables / "sample_data.json"):
        scene = scene_of.get(row.get("sample_token", ""))
        if row.get("is_key_frame") is True and scene and row.get("calibrated_sensor_token") in calibrated:
            data[scene].append(row)
    wanted = {row.get("ego_pose_token") for rows in data.values() for row in rows}
    egos = {row["token"]: row for row in iterate_rows(tables / "ego_pose.json") if row.get("token") in wanted}
    samples: dict[str, list[_Row]] = defaultdict(list)
    for row in iterate_rows(tables / "sample.json"):
        samples[row["scene_token"]].append(row)
    out = {}
    scene_path = tables / "scene.json"
    for row in iterate_rows(scene_path):
        token, name = want(row, "token", str, scene_path), want(row, "name", str, scene_path)
        path_inside(tables, name, named_by=scene_path)
        if "/" in name or "\\" in name:
            raise InputError(scene_path, expected="scene names without slashes", got=repr(name[:40]))
        mine = data.get(token, [])
        used = {r["calibrated_sensor_token"] for r in mine}
        out[name] = (
            row,
            {
                "sample": samples.get(token, []),
                "sample_data": mine,
                "sensor": list(sensors.values()),
                "calibrated_sensor": [r for t, r in calibrated.items() if t in used],
                "ego_pose": [egos[t] for t in dict.fromkeys(r["ego_pose_token"] for r in mine) if t in egos],
            },
        )
    return out


def _annotations(
    tables: Path, scene_of: dict[str, str], time_of: dict[str, int], work: Path, names: Iterable[str]
) -> None:
    """Writes ``annotations.json`` of every scene; a test set has none."""
    scene_path = tables / "scene.json"
    name_of = {row["token"]: row["name"] for row in iterate_rows(scene_path)}
    for name in names:
        (work / name).mkdir(parents=True, exist_ok=True)
        (work / name / "annotations.json").write_text("[", encoding="utf-8")
    waiting: dict[str, list[str]] = defaultdict(list)
    begun: set[str] = set()
    for count, row in enumerate(_categorised(tables), start=1):
        sample = want(row, "sample_token", str, tables / "sample_annotation.json")
        if sample not in scene_of:
            raise InputError(tables / "sample_annotation.json", expected="tokens of key frames", got=sample[:40])
        keys = ("instance_token", "category", "visibility_token", "translation", "size", "rotation")
        kept = {key: row[key] for key in keys if key in row}
        waiting[name_of.get(scene_of[sample], "")].append(json.dumps({**kept, "time_us": time_of[sample]}))
        if count % _FLUSH_ROWS == 0:
            _flush(waiting, work, begun)
    _flush(waiting, work, begun)
    for name in names:
        with (work / name / "annotations.json").open("a", encoding="utf-8") as file:
            file.write("]")


def _categorised(tables: Path) -> Iterable[_Row]:
    """Rows of ``sample_annotation`` with the name of their category."""
    path = tables / "sample_annotation.json"
    if not path.is_file():
        if "test" in tables.name:
            return
        raise InputError(path, expected="the annotations", got="nothing there", do="download nuScenes' metadata whole")
    category_path, instance_path = tables / "category.json", tables / "instance.json"
    categories = {
        want(row, "token", str, category_path): want(row, "name", str, category_path)
        for row in iterate_rows(category_path)
    }
    category_of = {
        want(row, "token", str, instance_path): categories.get(want(row, "category_token", str, instance_path), "")
        for row in iterate_rows(instance_path)
    }
    for row in iterate_rows(path):
        instance = want(row, "instance_token", str, path)
        if instance not in category_of:
            raise InputError(path, expected="instances of instance.json", got=instance[:40])
        yield {**row, "category": category_of[instance]}


def _flush(waiting: dict[str, list[str]], work: Path, begun: set[str]) -> None:
    for name, lines in waiting.items():
        if name:
            with (work / name / "annotations.json").open("a", encoding="utf-8") as file:
                file.write((",\n" if name in begun else "") + ",\n".join(lines))
            begun.add(name)
    waiting.clear()
