"""ScanNet (v2) and the annotation sets made on it.

ROOT/scans/sceneXXXX_YY holds a scan as ScanNet's download script leaves it: ``<scan>.sens`` (or the frames exported from it, see
``video3d.video.scannet``), the mesh and its annotation (``scannet_scan``), and, where downloaded, ``<scan>_2d-instance-filt.zip``
with masks. The official split lists decide the splits; scans of one room (``sceneXXXX``) are one place.

- Boxes: the bounds of an object's vertices in the aligned world, so they are axis-aligned, as in ScanRefer and VoteNet.
- Object ids: ``objectId + 1``, which is also the value of a pixel in the masks (0: nothing).
- Masks without the zip: none; visibility then comes from an object's vertices and the measured depth.
- Times: of the ``.sens``; for exported frames their number at 30 a second.
"""

import dataclasses
import zipfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt16

from video3d.data.row import Row
from video3d.data.sources import assemble, scannet_language
from video3d.data.sources.scannet_scan import Scan, read_scan
from video3d.data.sources.source import SceneRef, SourceInfo, folders, list_file, nothing_to_prepare, only, require
from video3d.data.sources.support import with_support
from video3d.data.sources.visibility import nothing_seen, seen_from_points
from video3d.data.truth import ClipData, Split
from video3d.types import Box3D, InputError, Recording
from video3d.video.images import read_rgb
from video3d.video.read import open_recording
from video3d.video.text_files import read_text
from video3d.vocabulary import normalise

INFO = SourceInfo(
    name="scannet",
    title="ScanNet v2",
    domain="indoor",
    viewer="person",
    licence="ScanNet Terms of Use",
    terms="research and education, non-commercial; a signed agreement is sent to the authors, who send a download script",
    obtain="sign the ScanNet Terms of Use and run the authors' download-scannet.py",
    layout=(
        "ROOT/scans/scene0000_00/scene0000_00.sens, _vh_clean_2.ply, _vh_clean_2.0.010000.segs.json, .aggregation.json, .txt",
        "ROOT/scannetv2_train.txt, scannetv2_val.txt, scannetv2_test.txt (or in ROOT/meta)",
        "ROOT/scannetv2-labels.combined.tsv (or in ROOT/meta; optional)",
    ),
    size="1.3 TB with all .sens files, about 1 GB a scan; about 1 s a clip and core",
)
prepare = nothing_to_prepare
_LISTS: tuple[tuple[Split, str], ...] = (
    ("train", "scannetv2_train.txt"),
    ("val", "scannetv2_val.txt"),
    ("test", "scannetv2_test.txt"),
)
_SCAN_FOLDERS = ("scans", "scans_test", "")
_FRAMES_A_SECOND = 30.0
_MIN_SIZE_M = 0.01
_MAX_MASK_BYTES = 16 * 2**20


def check(root: Path) -> None:
    """Errors: ``InputError`` when there is no split list or no scan of one."""
    require(root, info=INFO, what="the folder of ScanNet", folder=True)
    if not scenes(root):
        raise InputError(root, expected="scans that the split lists name", got="none", do=f"{INFO.layout[0]}")


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """The scans that lie under ``root`` and are in a split list."""
    split_of: dict[str, Split] = {}
    for name, file in _LISTS:
        if (path := _meta(root, file)) is not None:
            split_of |= dict.fromkeys(list_file(path), name)
    if not split_of:
        require(root / _LISTS[0][1], info=INFO, what="ScanNet's official split lists")
    present = {p.name for f in _SCAN_FOLDERS if (root / f).is_dir() for p in folders(root / f) if p.name in split_of}
    return only((SceneRef(name=n, scene_id=n.partition("_")[0], split=split_of[n]) for n in present), split)


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """The clips of a scan: one of the whole walk, and ``num_clips - 1`` of stretches of it."""
    folder = _folder(root, ref)
    recording = _open(folder)
    has_annotation = (folder / f"{ref.name}.aggregation.json").is_file()
    if not has_annotation and ref.split != "test":
        require(folder / f"{ref.name}.aggregation.json", info=INFO, what="the scan's annotation")
    scan = read_scan(folder) if has_annotation else None
    if recording.world_from_camera is None:
        raise InputError(folder, expected="frames with poses", got="none")
    usable = np.flatnonzero(np.isfinite(recording.world_from_camera).all(axis=(1, 2))).astype(np.int64)
    named = [] if scan is None else _named(root, scan)
    move = None if scan is None else scan.world_from_scan
    return [
        _clip(folder, ref, recording, scan, named, chosen, number, frames)
        for number, chosen, frames in assemble.walked(
            recording, usable, size_hw, num_frames=num_frames, num_clips=num_clips, world_from_recording=move
        )
    ]


def rows(root: Path, ref: SceneRef, clip: ClipData) -> Iterable[Row]:
    """Questions of ScanRefer, Multi3DRefer, Scan2Cap, ScanQA and SQA3D about the scan, of the clip of its whole walk."""
    if not clip.truth.clip_id.endswith("-00"):
        return []
    return scannet_language.rows(root, ref.name, clip.truth)


def _meta(root: Path, file: str) -> Path | None:
    places = (root / file, root / "meta" / file, root / "meta_data" / file, root / "splits" / file)
    return next((p for p in places if p.is_file()), None)


def _folder(root: Path, ref: SceneRef) -> Path:
    found = next((root / f / ref.name for f in _SCAN_FOLDERS if (root / f / ref.name).is_dir()), None)
    return found or require(root / "scans" / ref.name, info=INFO, what="the folder of a scan", folder=True)


def _open(folder: Path) -> Recording:
    """The frames: the ``.sens`` where it is, else what was exported into the scan's folder."""
    sens = folder / f"{folder.name}.sens"
    try:
        recording = open_recording(sens if sens.is_file() else folder)
    except InputError as error:
        if sens.is_file() or (folder / "color").is_dir():
            raise
        raise InputError(
            folder, expected=f"{sens.name}, or frames exported to color/ depth/ pose/", got="neither", do=INFO.obtain
        ) from error
    if recording.format not in ("scannet", "scannet_sens"):
        raise InputError(folder, expected="frames as ScanNet has them", got=f"a recording of kind {recording.format}")
    if np.isfinite(recording.time_s).all():
        return recording
    stems = [Path(name).stem for name in recording.frame_names]
    if not all(stem.isdecimal() and len(stem) < 10 for stem in stems):
        return recording
    time_s = np.array([int(stem) / _FRAMES_A_SECOND for stem in stems])
    return dataclasses.replace(recording, time_s=time_s - time_s[0])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """An object with a name in the vocabulary: what of it is the same in every clip of its scan."""

    object_id: int
    category: str
    box: Box3D
    points_world: Float64[np.ndarray, "_ 3"]


def _named(root: Path, scan: Scan) -> list[_Named]:
    other_names = _label_table(_meta(root, "scannetv2-labels.combined.tsv"))
    out = []
    for instance in scan.instances:
        names = (instance.label, *other_names.get(instance.label, ()))
        name = next((found for raw in names if (found := normalise(raw)) is not None), None)
        if name is None or assemble.object_name(name) is None:
            continue
        low, high = instance.points_world.min(axis=0), instance.points_world.max(axis=0)
        size_m = np.maximum(high - low, _MIN_SIZE_M)
        out.append(
            _Named(
                object_id=instance.object_id + 1,
                category=name,
                box=Box3D(center_world=(low + high) / 2, size_m=size_m, world_from_box=np.eye(3)),
                points_world=instance.points_world,
            )
        )
    return out


@lru_cache(maxsize=2)
def _label_table(path: Path | None) -> dict[str, tuple[str, ...]]:
    """Other names of a raw label, in the order to try, from ``scannetv2-labels.combined.tsv``."""
    if path is None:
        return {}
    lines = [line.split("\t") for line in read_text(path).splitlines() if line]
    wanted = ("raw_category", "category", "nyu40class")
    if not lines or not set(wanted) <= set(lines[0]):
        raise InputError(
            path, expected=f"columns {', '.join(wanted)}", got=", ".join(lines[0])[:80] if lines else "none"
        )
    raw, *others = (lines[0].index(name) for name in wanted)
    # nyu40class otherprop and the like name nothing; normalise says so.
    return {row[raw]: tuple(row[c] for c in others) for row in lines[1:] if len(row) > max(raw, *others)}


def _clip(
    folder: Path,
    ref: SceneRef,
    recording: Recording,
    scan: Scan | None,
    named: Sequence[_Named],
    chosen: Int64[np.ndarray, "_"],
    number: int,
    frames: assemble.Shown,
) -> ClipData:
    objects = with_support(
        [assemble.still_object(thing.object_id, thing.category, thing.box, len(chosen)) for thing in named]
    )
    instance, seen = None, nothing_seen(len(chosen))
    notes = recording.notes
    if scan is None:
        notes += ("no annotation: a scan of the hidden test split",)
    elif objects:
        instance = _masks(folder, [recording.frame_names[i] for i in chosen], frames.size_hw)
        if instance is not None:
            ids = [o.object_id for o in objects]
            instance = np.where(np.isin(instance, ids), instance, 0).astype(np.uint16)
            seen = assemble.seen_in_masks(instance, objects, frames)
        else:
            points = [thing.points_world for thing in named]
            seen = seen_from_points(points, depth_m=frames.depth_m, size_hw=frames.size_hw, **frames.views)
            notes += ("visibility from the objects' vertices and the measured depth; no masks",)
    return assemble.clip_data(
        INFO,
        ref,
        frames,
        number=number,
        objects=objects,
        seen=seen,
        instance=instance,
        complete=scan is not None,
        notes=notes,
    )


def _masks(folder: Path, frame_names: Sequence[str], size_hw: tuple[int, int]) -> UInt16[np.ndarray, "f h w"] | None:
    """Masks of the frames from ``<scan>_2d-instance-filt.zip``, None without it."""
    path = folder / f"{folder.name}_2d-instance-filt.zip"
    if not path.is_file():
        return None
    out = np.empty((len(frame_names), *size_hw), np.uint16)
    try:
        with zipfile.ZipFile(path) as archive:
            for slot, frame in enumerate(frame_names):
                entry = archive.getinfo(f"instance-filt/{int(Path(frame).stem)}.png")
                if entry.file_size > _MAX_MASK_BYTES:
                    raise InputError(path, expected="masks of a picture's size", got=f"{entry.file_size} bytes")
                grey = read_rgb(archive.read(entry), name=f"{path}: {entry.filename}")[..., 0]
                out[slot] = assemble.resize_ids(grey[None].astype(np.uint16), size_hw)[0]
    except KeyError as error:
        raise InputError(path, expected="a mask for every frame", got=str(error)[:80]) from error
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, expected="a zip of masks", got=str(error)[:80]) from error
    return out
