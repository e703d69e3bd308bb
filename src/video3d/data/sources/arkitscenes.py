"""ARKitScenes, the 3D object detection set (3dod): walks through homes with an iPad, LiDAR depth, oriented boxes of furniture.

ROOT/Training/<video>/<video>_frames (or ROOT/3dod/Training/...) is read by ``video3d.video.arkit``; ``<video>_3dod_annotation.json``
beside it has ``data``: a list with ``label`` and ``segments.obbAligned`` (``centroid``, ``axesLengths``, ``normalizedAxes``: a row an
axis), in metres in the world of the poses (threedod/benchmark_scripts of https://github.com/apple/ARKitScenes). ``metadata.csv`` tells
which walks are visits of one home.

- The world is the scan's, z up, moved so that the floor is at z = 0: the height at which furniture stands.
- Seventeen categories were annotated (cabinet, refrigerator, shelf, stove, bed, sink, washer, toilet, bathtub, oven, dishwasher, fireplace,
  stool, chair, table, tv_monitor, sofa); the rest of a room is not there, so nothing is counted as complete.
- No masks: a pixel whose depth lies in a box shows its object.
"""

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from video3d.data.sources import assemble
from video3d.data.sources.obb import read_obb
from video3d.data.sources.source import SceneRef, SourceInfo, folders, no_rows, nothing_to_prepare, only, require
from video3d.data.sources.support import with_support
from video3d.data.sources.visibility import Seen, nothing_seen, seen_from_boxes, seen_from_depth
from video3d.data.truth import ClipData, ObjectTruth, Split
from video3d.geometry.rigid import is_known
from video3d.types import Box3D, InputError
from video3d.video.arkit import open_recording
from video3d.video.json_files import read_json_object, want
from video3d.video.text_files import read_text
from video3d.video.validate import validated
from video3d.vocabulary import normalise

INFO = SourceInfo(
    name="arkitscenes",
    title="ARKitScenes (3dod)",
    domain="indoor",
    viewer="person",
    licence="CC-BY-NC-SA-4.0 (ARKitScenes)",
    terms="CC BY-NC-SA 4.0: non-commercial, attribution, share alike; no form",
    obtain="run download_data.py 3dod of Apple's ARKitScenes repository",
    layout=(
        "ROOT/3dod/Training/41069021/41069021_frames/{lowres_wide, lowres_depth, lowres_wide_intrinsics, lowres_wide.traj}",
        "ROOT/3dod/Training/41069021/41069021_3dod_annotation.json",
        "ROOT/3dod/Validation/... in the same way",
        "ROOT/3dod/metadata.csv (optional: which walks are of one home)",
    ),
    size="620 GB with everything, about 120 MB a walk; about 1 s a clip and core",
)
prepare = nothing_to_prepare
rows = no_rows
_SPLITS: tuple[tuple[Split, str], ...] = (("train", "Training"), ("val", "Validation"))


def check(root: Path) -> None:
    """Errors: ``InputError`` when there is no walk with frames."""
    require(root, info=INFO, what="the folder of ARKitScenes", folder=True)
    if not scenes(root):
        raise InputError(root, expected="walks under Training or Validation", got="none", do=INFO.layout[0])


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """Every walk that has frames."""
    refs = []
    for part, folder in _SPLITS:
        for place in _places(root, folder):
            home = _homes(place.parent)
            for walk in folders(place):
                if (walk / f"{walk.name}_frames").is_dir():
                    refs.append(SceneRef(name=walk.name, scene_id=home.get(walk.name, walk.name)[:80], split=part))
    return only({ref.name: ref for ref in refs}.values(), split)


def _places(root: Path, folder: str) -> list[Path]:
    return [p for p in (root / "3dod" / folder, root / folder) if p.is_dir()]


@lru_cache(maxsize=4)
def _homes(folder: Path) -> dict[str, str]:
    """Home of every walk, from ``metadata.csv``; walks whose home is not known stand for themselves."""
    path = folder / "metadata.csv"
    if not path.is_file():
        return {}
    rows = list(csv.DictReader(read_text(path).splitlines()))
    if rows and not {"video_id", "visit_id"} <= set(rows[0]):
        raise InputError(path, expected="columns video_id and visit_id", got=", ".join(map(str, rows[0]))[:80])
    return {r["video_id"]: f"visit-{r['visit_id']}" for r in rows if r["visit_id"] and r["visit_id"] != "NA"}


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """The clips of a walk: one of the whole walk, and ``num_clips - 1`` of stretches of it."""
    places = [p / ref.name for _, folder in _SPLITS for p in _places(root, folder) if (p / ref.name).is_dir()]
    walk = (
        places[0] if places else require(root / "3dod" / "Training" / ref.name, info=INFO, what="a walk", folder=True)
    )
    annotation = require(walk / f"{ref.name}_3dod_annotation.json", info=INFO, what="the walk's boxes")
    recording = validated(open_recording(walk))
    if recording.world_from_camera is None:
        raise InputError(walk, expected="poses (lowres_wide.traj)", got="none")
    usable = np.flatnonzero(is_known(recording.world_from_camera)).astype(np.int64)
    named = read_boxes(annotation)
    move = np.eye(4)
    move[2, 3] = -floor_height([box for _, box in named])
    clips = []
    for number, chosen, frames in assemble.walked(
        recording, usable, size_hw, num_frames=num_frames, num_clips=num_clips, world_from_recording=move
    ):
        objects = with_support(
            [
                assemble.still_object(i, name, box, len(chosen), world_from_box_world=move)
                for i, (name, box) in enumerate(named, start=1)
            ]
        )
        clips.append(
            assemble.clip_data(
                INFO,
                ref,
                frames,
                number=number,
                objects=objects,
                seen=_seen(objects, frames, size_hw),
                notes=(*recording.notes, "visibility from boxes and the measured depth; no masks"),
            )
        )
    return clips


def read_boxes(path: Path) -> list[tuple[str, Box3D]]:
    """Name and box of every annotated object that the vocabulary names, in the file's order. Errors: ``InputError``."""
    out = []
    for number, item in enumerate(want(read_json_object(path), "data", list, path)):
        thing = f"{path}: object {number}"
        if not isinstance(item, dict):
            raise InputError(thing, expected="a JSON object", got=type(item).__name__)
        name = normalise(want(item, "label", str, thing))
        segments = want(item, "segments", dict, thing)
        box = read_obb(want(segments, "obbAligned" if "obbAligned" in segments else "obb", dict, thing), thing)
        if name is not None:
            out.append((name, box))
    return out


def floor_height(boxes: Sequence[Box3D]) -> float:
    """Where the floor is: the median bottom of the lower half of the boxes, most of which stand on it; 0 without boxes."""
    bottoms = np.sort([box.center_world[2] - box.size_m[2] / 2 for box in boxes])
    return float(np.median(bottoms[: max(1, (len(bottoms) + 1) // 2)])) if len(bottoms) else 0.0


def _seen(objects: Sequence[ObjectTruth], frames: assemble.Shown, size_hw: tuple[int, int]) -> Seen:
    num_frames = len(frames.rgb)
    if not objects:
        return nothing_seen(num_frames)
    boxes = assemble.boxes_of(objects, num_frames)
    if frames.depth_m is None:
        return seen_from_boxes(boxes, size_hw=size_hw, **frames.views)
    return seen_from_depth(boxes, depth_m=frames.depth_m, **frames.views)
