"""Isaac Sim: what Replicator's BasicWriter left on disk.

Every folder under ROOT (at most three deep) that holds ``rgb_0000.png`` ..., or ``rgb/rgb_0000.png`` ..., is a recording; the other
annotators' files lie beside them in the same way: ``camera_params`` (needed), ``bounding_box_3d`` (needed), ``instance_segmentation`` and
``distance_to_image_plane`` (where written). ``stage.json`` in the folder or in ROOT may say what the files do not:
``{"upAxis": "Y" or "Z", "framesPerSecond": 30, "licence": "..."}``; without it, the up axis is the one that the cameras hold up.

- The world is the stage, in metres, turned so that z is up.
- An object is a labelled prim, known from frame to frame by its path. One that stays where it is in all frames that list it is static
  and has its pose in all; of one that moves only the frames that list it are known.
- Whether frames follow one another the files do not say: no rollouts, and times only with ``framesPerSecond``.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt16

from video3d.data.sources import assemble
from video3d.data.sources.isaac_files import (
    IsaacBox,
    IsaacCamera,
    prim_of,
    read_boxes,
    read_camera,
    read_depth,
    read_masks,
)
from video3d.data.sources.source import (
    SceneRef,
    SourceInfo,
    folders,
    hashed_split,
    no_rows,
    nothing_to_prepare,
    only,
    require,
)
from video3d.data.sources.support import with_support
from video3d.data.sources.visibility import Seen, limited, nothing_seen, seen_from_boxes
from video3d.data.truth import ClipData, ObjectTruth, Split
from video3d.geometry.rigid import is_known
from video3d.types import InputError, Recording, World
from video3d.video.images import list_images, rgb_files
from video3d.video.json_files import read_json_object
from video3d.video.validate import validated
from video3d.vocabulary import category, normalise

INFO = SourceInfo(
    name="isaac",
    title="Isaac Sim (Replicator)",
    domain="indoor",
    viewer="robot",
    licence="as the assets of the stage",
    terms="what you render is yours as far as the stage's assets allow; NVIDIA's own assets have NVIDIA's terms",
    obtain="render with Isaac Sim and the BasicWriter: rgb, camera_params, bounding_box_3d, instance_segmentation, distance_to_image_plane",
    layout=(
        "ROOT/<scene>/rgb_0000.png (or rgb/rgb_0000.png)",
        "camera_params_0000.json",
        "bounding_box_3d_0000.npy, bounding_box_3d_labels_0000.json, bounding_box_3d_prim_paths_0000.json",
        "instance_segmentation_0000.png, instance_segmentation_mapping_0000.json (optional)",
        "distance_to_image_plane_0000.npy (optional)",
    ),
    size="about 6 MB a frame of 1280 x 720; 0.2 s a frame",
    commercial=True,
)
prepare = nothing_to_prepare
rows = no_rows
_MAX_DEPTH = 3
_STILL_M, _STILL_RAD = 2e-3, 5e-3
_HELD_UP = 0.5  # cosine: cameras are held within 60 degrees of upright


def check(root: Path) -> None:
    """Errors: ``InputError`` when no folder of the BasicWriter is under ``root``."""
    require(root, info=INFO, what="a folder that the BasicWriter wrote to", folder=True)
    if not scenes(root):
        raise InputError(root, expected="rgb_0000.png ... in it or a folder of it", got="none", do=INFO.obtain)


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """Every folder with pictures; its split follows from its name's hash, eight of ten for training."""
    found: list[str] = []

    def look(folder: Path, depth: int) -> None:
        if any(folder.glob("rgb_*.png")) or any(folder.glob("rgb/rgb_*.png")):
            found.append(folder.relative_to(root).as_posix())
        elif depth < _MAX_DEPTH:
            for inner in folders(folder):
                look(inner, depth + 1)

    look(root, 0)
    # Cameras of one stage lie in folders beside one another: the stage is the place.
    places = {name: (name.rpartition("/")[0] or name) for name in found}
    return only(
        (SceneRef(name=n, scene_id=f"isaac-{places[n]}"[:100], split=hashed_split(places[n])) for n in found), split
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A recording's folder and what is said about it beside the frames."""

    folder: Path
    numbers: tuple[str, ...]
    world_from_stage: Float64[np.ndarray, "4 4"]
    frames_per_s: float | None
    licence: str

    def file(self, annotator: str, frame: str, suffix: str, part: str = "") -> Path:
        """A frame's file of an annotator, flat or in a folder of the annotator's name."""
        name = f"{annotator}_{part}{frame}.{suffix}"
        nested = self.folder / annotator / name
        return nested if nested.is_file() else self.folder / name


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """Clips of the frames that one camera wrote."""
    folder = require(root / ref.name, info=INFO, what="a folder of the BasicWriter", folder=True)
    images = [
        p for p in list_images(folder / "rgb" if (folder / "rgb").is_dir() else folder) if p.stem.startswith("rgb_")
    ]
    if not images:
        raise InputError(folder, expected="rgb_0000.png ...", got="none")
    load_rgb = rgb_files(images)
    numbers = tuple(p.stem.removeprefix("rgb_") for p in images)
    stage = _Stage(folder=folder, numbers=numbers, world_from_stage=np.eye(4), frames_per_s=None, licence=INFO.licence)
    cameras = [read_camera(stage.file("camera_params", n, "json"), load_rgb.size_hw) for n in numbers]
    stage = _described(stage, root, cameras)
    has_depth = all(stage.file("distance_to_image_plane", n, "npy").is_file() for n in numbers)
    clock = np.arange(len(images)) / stage.frames_per_s if stage.frames_per_s else np.full(len(images), np.nan)
    recording = validated(
        Recording(
            source=folder,
            format="isaac",
            size_hw=load_rgb.size_hw,
            time_s=clock,
            frame_names=numbers,
            load_rgb=load_rgb,
            load_depth_m=_Depth(stage=stage, size_hw=load_rgb.size_hw) if has_depth else None,
            depth_size_hw=load_rgb.size_hw if has_depth else None,
            k_px=np.stack([c.k_px for c in cameras]),
            world_from_camera=np.stack([stage.world_from_stage @ c.stage_from_camera for c in cameras]),
            up_world=np.array([0.0, 0.0, 1.0]),
            world=World(metric=True, gravity_aligned=True, origin="the stage's"),
        )
    )
    return [
        _clip(stage, cameras, recording, chosen, ref, number, frames)
        for number, chosen, frames in assemble.walked(
            recording, np.arange(len(images)), size_hw, num_frames=num_frames, num_clips=num_clips
        )
    ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Depth:
    stage: _Stage
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f h w"]:
        files = [self.stage.file("distance_to_image_plane", self.stage.numbers[i], "npy") for i in indices]
        return np.stack([read_depth(path, self.size_hw) for path in files])


def _described(stage: _Stage, root: Path, cameras: Sequence[IsaacCamera]) -> _Stage:
    """The stage with its up axis, frame rate and licence, from ``stage.json`` or, the axis, from the cameras."""
    path = next((p for p in (stage.folder / "stage.json", root / "stage.json") if p.is_file()), None)
    said = {} if path is None else read_json_object(path)
    axis, rate, licence = said.get("upAxis"), said.get("framesPerSecond"), said.get("licence", INFO.licence)
    if axis is None:
        up = -np.mean([c.stage_from_camera[:3, 1] for c in cameras], axis=0)
        axis = "Z" if up[2] > max(_HELD_UP, up[1]) else "Y" if up[1] > _HELD_UP else None
    if axis not in ("Y", "Z"):
        do = 'write {"upAxis": "Z"} into stage.json beside the frames'
        raise InputError(stage.folder, expected="an up axis, Y or Z", got=f"{axis!r:.40}", do=do)
    if rate is not None and (not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 < rate < 1e4):
        raise InputError(path, expected="framesPerSecond above 0", got=f"{rate!r:.40}")
    if not isinstance(licence, str) or not 0 < len(licence) <= 200:
        raise InputError(path, expected="a licence in words", got=f"{licence!r:.40}")
    turn = np.eye(4)
    if axis == "Y":
        turn[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    return dataclasses.replace(
        stage, world_from_stage=turn, frames_per_s=None if rate is None else float(rate), licence=licence
    )


def _clip(
    stage: _Stage,
    cameras: Sequence[IsaacCamera],
    recording: Recording,
    chosen: Int64[np.ndarray, "_"],
    ref: SceneRef,
    number: int,
    frames: assemble.Shown,
) -> ClipData:
    per_frame = []
    for i in chosen:
        name = stage.numbers[i]
        array = stage.file("bounding_box_3d", name, "npy")
        labels, paths = (stage.file("bounding_box_3d", name, "json", part) for part in ("labels_", "prim_paths_"))
        per_frame.append({b.prim: b for b in read_boxes(array, labels, paths, cameras[i].meters_per_unit)})
    objects, prims = _objects(per_frame, stage.world_from_stage)
    instance = _masks(stage, chosen, recording.size_hw, prims, frames.size_hw)
    return assemble.clip_data(
        INFO,
        ref,
        frames,
        number=number,
        objects=with_support(objects),
        seen=_seen(objects, list(prims), per_frame, instance, frames),
        instance=instance,
        licence=stage.licence,
        notes=() if instance is not None else ("visibility from boxes; no masks were written",),
    )


def _objects(
    per_frame: Sequence[dict[str, IsaacBox]], world_from_stage: Float64[np.ndarray, "4 4"]
) -> tuple[list[ObjectTruth], dict[str, int]]:
    """Objects with a name, and the object id of every prim."""
    objects: list[ObjectTruth] = []
    prims: dict[str, int] = {}
    for prim in sorted({p for boxes in per_frame for p in boxes}):
        found = [boxes.get(prim) for boxes in per_frame]
        first = next(b for b in found if b is not None)
        name = next((n for word in first.label.split(",") if (n := normalise(word)) is not None), None)
        if name is None or assemble.object_name(name) is None:
            continue
        path = np.full((len(per_frame), 4, 4), np.nan)
        for slot, b in enumerate(found):
            if b is not None:
                path[slot] = world_from_stage @ b.stage_from_object
        known = path[is_known(path)]
        still = bool(np.abs(known[:, :3, 3] - known[0, :3, 3]).max() < _STILL_M)
        still &= bool(np.abs(known[:, :3, :3] - known[0, :3, :3]).max() < _STILL_RAD)
        prims[prim] = len(objects) + 1
        objects.append(
            ObjectTruth(
                object_id=len(objects) + 1,
                category=name,
                kind=category(name).kind,
                motion="static" if still else "dynamic",
                size_m=first.size_m,
                world_from_object=assemble.still(known[0], len(per_frame)) if still else path,
            )
        )
    return objects, prims


def _masks(
    stage: _Stage,
    chosen: Int64[np.ndarray, "_"],
    rgb_hw: tuple[int, int],
    prims: dict[str, int],
    size_hw: tuple[int, int],
) -> UInt16[np.ndarray, "f h w"] | None:
    out = np.zeros((len(chosen), *size_hw), np.uint16)
    for slot, i in enumerate(chosen):
        image = stage.file("instance_segmentation", stage.numbers[i], "png")
        if not image.is_file():
            return None
        keys, paths = read_masks(
            image, stage.file("instance_segmentation", stage.numbers[i], "json", "mapping_"), rgb_hw
        )
        ids = np.zeros(rgb_hw, np.uint16)
        for key, path in paths.items():
            if (object_id := prim_of(path, prims)) is not None:
                ids[keys == key] = object_id
        out[slot] = assemble.resize_ids(ids[None], size_hw)[0]
    return out


def _seen(
    objects: Sequence[ObjectTruth],
    prims: Sequence[str],
    per_frame: Sequence[dict[str, IsaacBox]],
    instance: UInt16[np.ndarray, "f h w"] | None,
    frames: assemble.Shown,
) -> Seen:
    if not objects:
        return nothing_seen(len(per_frame))
    if instance is not None:
        return assemble.seen_in_masks(instance, objects, frames)
    hidden = np.array([[b.occluded_share if (b := f.get(p)) else np.nan for p in prims] for f in per_frame])
    return limited(
        seen_from_boxes(assemble.boxes_of(objects, len(per_frame)), size_hw=frames.size_hw, **frames.views),
        (1 - np.nan_to_num(hidden)).astype(np.float32),
    )
