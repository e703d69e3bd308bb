"""nuScenes: drives of 20 seconds, as clips of the front camera's key frames (2 a second).

ROOT holds ``v1.0-trainval`` (or ``-mini``, ``-test``) with the tables and ``samples/CAM_FRONT``, ``samples/LIDAR_TOP``. Tables are first
cut scene by scene (``nuscenes_tables``); frames, poses and LiDAR depth come from the recording reader.

- A scene is cut into clips that follow one another; the key frames of the three seconds after the last one shown are the rollout.
- Boxes are those of the key frame: NaN where an object is not annotated in it. An object that moves farther than a metre is moving.
- The world is the city map's, moved so that the first camera of a clip stands at x = y = 0; z stays: the map's road is at 0.
- Visibility: boxes hide one another, limited by the upper bound of the annotated bin (which counts all six cameras).
"""

from pathlib import Path

import numpy as np

from video3d.data.sources import assemble
from video3d.data.sources.nuscenes_tables import Annotation, cut_by_scene, read_annotations, tables_of
from video3d.data.sources.source import SceneRef, SourceInfo, no_rows, only, require
from video3d.data.sources.visibility import limited, nothing_seen, seen_from_boxes
from video3d.data.truth import GROUND, ClipData, ObjectTruth, Rollout, Split
from video3d.geometry.rigid import is_known
from video3d.types import InputError
from video3d.video.json_files import iterate_rows, want
from video3d.video.nuscenes import open_recording
from video3d.video.read import read_clip
from video3d.video.validate import validated
from video3d.vocabulary import category, normalise

INFO = SourceInfo(
    name="nuscenes",
    title="nuScenes",
    domain="street",
    viewer="car",
    licence="CC-BY-NC-SA-4.0 (nuScenes terms of use)",
    terms="CC BY-NC-SA 4.0 with nuScenes' terms: non-commercial; an account, no signed form; commercial licences are sold",
    obtain="make an account at nuscenes.org and download the metadata and the keyframe blobs",
    layout=(
        "ROOT/v1.0-trainval/{scene,sample,sample_data,sample_annotation,instance,category,calibrated_sensor,sensor,ego_pose}.json",
        "ROOT/samples/CAM_FRONT/*.jpg",
        "ROOT/samples/LIDAR_TOP/*.pcd.bin",
    ),
    size="key frames of CAM_FRONT and LIDAR_TOP about 35 GB of the 300; the tables are cut once, in minutes",
)
rows = no_rows
_AFTER = 6  # key frames: three seconds
_MOVES_M = 1.0
_AT_MOST = {0: 1.0, 1: 0.4, 2: 0.6, 3: 0.8, 4: 1.0}
# Official validation scenes (nuscenes/utils/splits.py of the devkit), as runs of numbers.
_VAL_RUNS = (
    (3, 3), (12, 18), (35, 36), (38, 39), (92, 110), (221, 221), (268, 278), (329, 332), (344, 346), (519, 524), (552, 565),
    (625, 627), (629, 630), (632, 638), (770, 771), (775, 775), (777, 778), (780, 784), (794, 800), (802, 802), (904, 917),
    (919, 931), (962, 963), (966, 969), (971, 972), (1059, 1073),
)  # fmt: skip


def check(root: Path) -> None:
    """Errors: ``InputError`` when tables or the front camera's pictures are missing."""
    require(root, info=INFO, what="the folder of nuScenes", folder=True)
    tables = (
        tables_of(root) or require(root / "v1.0-trainval" / "scene.json", info=INFO, what="nuScenes' tables").parent
    )
    for name in ("sample", "sample_data", "calibrated_sensor", "sensor", "ego_pose"):
        require(tables / f"{name}.json", info=INFO, what="a table of nuScenes")
    require(root / "samples" / "CAM_FRONT", info=INFO, what="the front camera's pictures", folder=True)


def prepare(root: Path, work: Path) -> Path:
    """Cuts the tables scene by scene; the result is what scenes are read from."""
    tables = tables_of(root)
    if tables is None:
        check(root)
        raise InputError(root, expected="nuScenes' tables", got="none")
    return cut_by_scene(root, tables, work)


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """Every scene of the tables."""
    tables = tables_of(root)
    if tables is None:
        return []
    path = tables / "scene.json"
    names = [want(row, "name", str, path) for row in iterate_rows(path)]
    return only((SceneRef(name=n, scene_id=n[:80], split=official_split(n, tables.name)) for n in names), split)


def official_split(scene: str, version: str) -> Split:
    """The devkit's split of a scene.

    >>> official_split("scene-0061", "v1.0-mini"), official_split("scene-0103", "v1.0-trainval")
    ('train', 'val')
    """
    if "test" in version:
        return "test"
    number = scene.rpartition("-")[2]
    is_val = number.isdecimal() and any(a <= int(number) <= b for a, b in _VAL_RUNS)
    return "val" if is_val else "train"


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """All clips of a scene; ``root`` is what ``prepare`` returned."""
    folder = require(root / ref.name, info=INFO, what="a scene that was prepared", folder=True)
    recording = validated(open_recording(folder))
    poses = recording.world_from_camera
    if poses is None:
        raise InputError(folder, expected="poses", got="none")
    path = folder / (tables_of(folder) or folder).name / "sample.json"
    clock_us = sorted(want(row, "timestamp", int, path) for row in iterate_rows(path))
    if len(clock_us) != recording.num_frames:
        raise InputError(path, expected=f"{recording.num_frames} key frames, one a picture", got=len(clock_us))
    annotations = [a for a in read_annotations(folder) if normalise(a.category) is not None]
    clips = []
    for number, (shown, whole) in enumerate(assemble.stretches(recording.num_frames, num_frames, step=1, after=_AFTER)):
        move = np.eye(4)
        move[:2, 3] = -poses[shown.start, :2, 3]
        clip = read_clip(recording, indices=list(shown))
        frames = assemble.shown(clip, size_hw, world_from_recording=move, sparse_depth=True)
        things, paths, levels = _things(annotations, clock_us, shown, whole, move)
        times = np.array([(clock_us[i] - clock_us[whole.start]) * 1e-6 for i in whole])
        rollout = Rollout(
            times_s=times,
            world_from_object=np.stack(paths, axis=1) if paths else np.zeros((len(whole), 0, 4, 4)),
            world_from_camera=move @ poses[whole.start : whole.stop],
        )
        seen = nothing_seen(len(shown))
        if things:
            boxes = assemble.boxes_of(things, len(shown))
            seen = limited(seen_from_boxes(boxes, size_hw=size_hw, **frames.views), np.stack(levels, axis=1))
        clips.append(
            assemble.clip_data(
                INFO,
                ref,
                frames,
                number=number,
                objects=things,
                seen=seen,
                rollouts=(rollout,),
                notes=("visibility from boxes and the annotated bins; no masks; 2 key frames a second",),
            )
        )
    return clips


def _things(
    annotations: list[Annotation], clock_us: list[int], shown: range, whole: range, move: np.ndarray
) -> tuple[list[ObjectTruth], list[np.ndarray], list[np.ndarray]]:
    """Objects annotated in the frames shown, the path of each over the whole stretch, and how visible each may be."""
    slot_of = {clock_us[i]: i - whole.start for i in whole}
    grouped: dict[str, dict[int, Annotation]] = {}
    for a in annotations:
        if a.time_us in slot_of:
            grouped.setdefault(a.instance, {})[slot_of[a.time_us]] = a
    things, paths, levels = [], [], []
    num_shown = len(shown)
    for _, of_it in sorted(grouped.items()):
        path = np.full((len(whole), 4, 4), np.nan)
        for slot, a in of_it.items():
            path[slot] = move @ a.world_from_object
        if not is_known(path[:num_shown]).any():
            continue
        first = next(iter(of_it.values()))
        name = normalise(first.category)
        assert name is not None
        known = path[is_known(path)][:, :3, 3]
        moves = bool(np.linalg.norm(known - known[0], axis=1).max() > _MOVES_M)
        things.append(
            ObjectTruth(
                object_id=len(things) + 1,
                category=name,
                kind=category(name).kind,
                motion="scripted" if moves else "static",
                size_m=np.median([a.size_m for a in of_it.values()], axis=0),
                world_from_object=path[:num_shown].copy(),
                supported_by=GROUND,
                has_front=category(name).has_front,
            )
        )
        paths.append(path)
        at_most = [_AT_MOST[of_it[i].visibility] if i in of_it else 0.0 for i in range(num_shown)]
        levels.append(np.array(at_most, np.float32))
    return things, paths, levels
