"""KITTI: the tracking, object and odometry sets, whichever lie under ROOT.

- tracking (``training/image_02/NNNN``, ``label_02``, ``calib``, ``oxts``, ``velodyne``): drives at 10 Hz with boxes and measured poses.
  Every second frame is shown, and what happens in the two seconds after the last one is the clip's rollout.
- object (``training/image_2``, ``label_2``, ``calib``, ``velodyne``): single frames, each a clip of one frame. No pose was recorded:
  the camera is taken to be level, 1.65 m above the road, and a note says so.
- odometry (``sequences/NN``, ``poses/NN.txt``): drives with poses and no objects: where the camera goes, nothing else. The first camera is
  taken to be level.

Visibility: boxes hide one another, and no more of an object counts as seen than its label's ``occluded`` allows. No masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from video3d.data.sources import assemble
from video3d.data.sources.kitti_labels import (
    CAMERA_HEIGHT_M,
    Label,
    Rig,
    level_world,
    read_labels,
    read_oxts,
    read_rig,
    world_from_cameras,
)
from video3d.data.sources.source import (
    SceneRef,
    SourceInfo,
    folders,
    list_file,
    no_rows,
    nothing_to_prepare,
    only,
    require,
)
from video3d.data.sources.visibility import limited, nothing_seen, seen_from_boxes
from video3d.data.truth import GROUND, ClipData, ObjectTruth, Rollout, Split
from video3d.geometry.rigid import is_known
from video3d.types import InputError, Recording, World
from video3d.video.images import list_images, rgb_files
from video3d.video.kitti_object import open_recording as open_object
from video3d.video.kitti_object import read_points
from video3d.video.kitti_odometry import open_recording as open_odometry
from video3d.video.read import read_clip
from video3d.video.registration import splat_depth
from video3d.video.validate import validated
from video3d.vocabulary import category, normalise

INFO = SourceInfo(
    name="kitti",
    title="KITTI",
    domain="street",
    viewer="car",
    licence="CC-BY-NC-SA-3.0",
    terms="CC BY-NC-SA 3.0: non-commercial, attribution, share alike; registration with an e-mail address",
    obtain="register at the KITTI Vision Benchmark Suite's page and download the sets wanted",
    layout=(
        "tracking: ROOT/training/image_02/0000/*.png, label_02/0000.txt, calib/0000.txt, oxts/0000.txt, velodyne/0000/*.bin",
        "object: ROOT/training/image_2/*.png, label_2/*.txt, calib/*.txt, velodyne/*.bin",
        "odometry: ROOT/sequences/00/image_2/*.png, calib.txt, times.txt and ROOT/poses/00.txt",
    ),
    size="tracking 15 GB pictures + 35 GB LiDAR, object 12 + 29 GB, odometry 65 GB; about 2 s a clip and core",
)
prepare = nothing_to_prepare
rows = no_rows
_HZ = 10.0
_STEP = 2  # frames: 5 a second are shown
_AFTER = 20  # frames: two seconds
_VAL_TRACKING = frozenset(f"{n:04d}" for n in (2, 6, 7, 8, 10, 13, 14, 16, 18))  # of Voigtlaender et al., MOTS, 2019
_VAL_ODOMETRY = frozenset(("09", "10"))  # as depth and odometry papers do
_AT_MOST = {0: 1.0, 1: 0.6, 2: 0.25}  # visible share by ``occluded``
_MOVES_M = 1.0


def check(root: Path) -> None:
    """Errors: ``InputError`` when none of the three sets is under ``root``."""
    require(root, info=INFO, what="the folder of KITTI", folder=True)
    if not scenes(root):
        raise InputError(root, expected="the tracking, object or odometry set", got="none", do="; ".join(INFO.layout))


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """``tracking-NNNN``, ``object-NNNNNN`` and ``odometry-NN``, as far as they have labels or poses."""
    refs: list[SceneRef] = []
    training = root / "training"
    if (training / "label_02").is_dir() and (training / "image_02").is_dir():
        for folder in folders(training / "image_02"):
            if (training / "label_02" / f"{folder.name}.txt").is_file():
                part: Split = "val" if folder.name in _VAL_TRACKING else "train"
                refs.append(_ref("tracking", folder.name, part))
    if (training / "label_2").is_dir() and (training / "image_2").is_dir():
        val = set(list_file(p)) if (p := root / "ImageSets" / "val.txt").is_file() else set()
        for path in sorted((training / "label_2").glob("*.txt")):
            refs.append(_ref("object", path.stem, "val" if path.stem in val else "train"))
    if (root / "sequences").is_dir():
        for folder in folders(root / "sequences"):
            if (root / "poses" / f"{folder.name}.txt").is_file() or (folder / "poses.txt").is_file():
                refs.append(_ref("odometry", folder.name, "val" if folder.name in _VAL_ODOMETRY else "train"))
    return only(refs, split)


def _ref(part: str, name: str, split: Split) -> SceneRef:
    return SceneRef(name=f"{part}-{name}", scene_id=f"kitti-{part}-{name}", split=split)


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """All clips of a drive; of the object set the one frame."""
    part, _, name = ref.name.partition("-")
    if part == "tracking":
        return _tracking(root / "training", name, ref, num_frames, size_hw)
    if part == "object":
        return [_object(root, name, ref, size_hw)]
    return _odometry(root / "sequences" / name, ref, num_frames, size_hw)


# Tracking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _LidarDepth:
    """Sparse depth of frames that have a sweep."""

    sweeps: tuple[Path, ...]
    rig: Rig
    size_hw: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f h w"]:
        depth_m = np.full((len(indices), *self.size_hw), np.nan, np.float32)
        for slot, i in enumerate(indices):
            if self.sweeps[i].is_file():
                points = read_points(self.sweeps[i], num_columns=4)
                move = self.rig.camera_from_lidar
                in_camera = points @ move[:3, :3].T + move[:3, 3]
                depth_m[slot] = splat_depth(in_camera, k_px=self.rig.k_px, size_hw=self.size_hw)
        return depth_m


def _tracking(training: Path, name: str, ref: SceneRef, num_frames: int, size_hw: tuple[int, int]) -> list[ClipData]:
    images = list_images(training / "image_02" / name)
    if not images:
        raise InputError(training / "image_02" / name, expected="images", got="none")
    numbers_of = [int(p.stem) if p.stem.isdecimal() else -1 for p in images]
    rig = read_rig(require(training / "calib" / f"{name}.txt", info=INFO, what="the sequence's calibration"))
    if rig.camera_from_imu is None:
        raise InputError(training / "calib" / f"{name}.txt", expected="a row Tr_imu_velo", got="none")
    world_from_imu = read_oxts(require(training / "oxts" / f"{name}.txt", info=INFO, what="the sequence's poses"))
    if min(numbers_of) < 0 or max(numbers_of) >= len(world_from_imu):
        got = f"{len(world_from_imu)} for images up to {max(numbers_of)}"
        raise InputError(training / "oxts" / f"{name}.txt", expected="a pose for every image", got=got)
    load_rgb = rgb_files(images)
    sweeps = tuple(training / "velodyne" / name / f"{p.stem}.bin" for p in images)
    has_lidar = any(p.is_file() for p in sweeps)
    recording = validated(
        Recording(
            source=training / "image_02" / name,
            format="kitti_tracking",
            size_hw=load_rgb.size_hw,
            time_s=np.array(numbers_of) / _HZ,
            frame_names=tuple(p.name for p in images),
            load_rgb=load_rgb,
            load_depth_m=_LidarDepth(sweeps=sweeps, rig=rig, size_hw=load_rgb.size_hw) if has_lidar else None,
            depth_size_hw=load_rgb.size_hw if has_lidar else None,
            k_px=np.tile(rig.k_px, (len(images), 1, 1)),
            world_from_camera=world_from_cameras(world_from_imu, rig.camera_from_imu)[numbers_of],
            up_world=np.array([0.0, 0.0, 1.0]),
            world=World(metric=True, gravity_aligned=True, origin="the road under the first camera"),
        )
    )
    labels = read_labels(training / "label_02" / f"{name}.txt", tracking=True)
    slot_of = {number: slot for slot, number in enumerate(numbers_of)}
    return [
        _drive_clip(recording, rig, labels, slot_of, shown, whole, ref, number, size_hw)
        for number, (shown, whole) in enumerate(assemble.stretches(len(images), num_frames, step=_STEP, after=_AFTER))
    ]


def _drive_clip(
    recording: Recording,
    rig: Rig,
    labels: Sequence[Label],
    slot_of: dict[int, int],
    shown: range,
    whole: range,
    ref: SceneRef,
    number: int,
    size_hw: tuple[int, int],
) -> ClipData:
    assert recording.world_from_camera is not None
    move = _to_road(recording.world_from_camera[shown.start])
    poses = move @ recording.world_from_camera
    clip = read_clip(recording, indices=list(shown))
    frames = assemble.shown(clip, size_hw, sparse_depth=True, world_from_recording=move)
    tracks: dict[int, dict[int, Label]] = {}
    for label in labels:
        slot = slot_of.get(label.frame)
        if slot is not None and slot in whole and normalise(label.kind) is not None:
            tracks.setdefault(label.track, {})[slot] = label
    objects, everywhere = [], []
    for track, of_it in sorted(tracks.items()):
        path = np.full((len(whole), 4, 4), np.nan)
        for slot, label in of_it.items():
            path[slot - whole.start] = poses[slot] @ rig.camera_from_rectified @ label.camera_from_object
        if not is_known(path[[s - whole.start for s in shown]]).any():
            continue  # it comes only after the frames shown
        objects.append(_thing(track + 1, list(of_it.values()), path, [s - whole.start for s in shown]))
        everywhere.append(path)
    rollout = Rollout(
        times_s=recording.time_s[whole.start : whole.stop] - recording.time_s[whole.start],
        world_from_object=np.stack(everywhere, axis=1) if everywhere else np.zeros((len(whole), 0, 4, 4)),
        world_from_camera=poses[whole.start : whole.stop],
    )
    at_most = np.ones((len(shown), len(objects)), np.float32)
    for column, thing in enumerate(objects):
        for row, slot in enumerate(shown):
            label = tracks[thing.object_id - 1].get(slot)
            at_most[row, column] = _AT_MOST.get(label.occluded, 1.0) if label is not None else 0.0
    seen = nothing_seen(len(shown))
    if objects:
        seen = seen_from_boxes(
            assemble.boxes_of(objects, len(shown)),
            size_hw=size_hw,
            **frames.views,
        )
    return assemble.clip_data(
        INFO,
        ref,
        frames,
        number=number,
        objects=objects,
        seen=limited(seen, at_most),
        rollouts=(rollout,),
        notes=("visibility from boxes and the labels' occlusion; no masks",),
    )


def _to_road(world_from_camera: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """The world moved so that the road under this camera is its origin: roads rise and fall along a drive."""
    move = np.eye(4)
    move[:3, 3] = np.array([0.0, 0.0, CAMERA_HEIGHT_M]) - world_from_camera[:3, 3]
    return move


def _thing(
    object_id: int, labels: Sequence[Label], path: Float64[np.ndarray, "g 4 4"], shown: Sequence[int]
) -> ObjectTruth:
    """An object with its box's path; it is static where it stays within a metre of where it first was."""
    name = normalise(labels[0].kind)
    assert name is not None
    known = path[is_known(path)][:, :3, 3]
    moves = bool(np.linalg.norm(known - known[0], axis=1).max() > _MOVES_M)
    return ObjectTruth(
        object_id=object_id,
        category=name,
        kind=category(name).kind,
        motion="scripted" if moves else "static",
        size_m=np.median([label.size_m for label in labels], axis=0),
        world_from_object=path[list(shown)],
        supported_by=GROUND,
        has_front=category(name).has_front,
    )


# Object and odometry ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _object_recording(root: Path) -> Recording:
    return open_object(root)


def _object(root: Path, name: str, ref: SceneRef, size_hw: tuple[int, int]) -> ClipData:
    recording = _object_recording(root)
    if name not in recording.frame_names:
        raise InputError(
            root / "training" / "image_2" / f"{name}.png", expected="the picture of a label", got="nothing there"
        )
    index = recording.frame_names.index(name)
    rig = read_rig(root / "training" / "calib" / f"{name}.txt")
    world_from_camera = level_world()
    clip = read_clip(recording, indices=[index])
    posed = type(clip)(
        recording=clip.recording,
        frame_index=clip.frame_index,
        time_s=np.zeros(1),
        rgb=clip.rgb,
        depth_m=clip.depth_m,
        k_px=clip.k_px,
        world_from_camera=world_from_camera[None],
    )
    frames = assemble.shown(posed, size_hw, sparse_depth=True)
    labels = [
        label
        for label in read_labels(root / "training" / "label_2" / f"{name}.txt", tracking=False)
        if normalise(label.kind) is not None
    ]
    objects = [
        _thing(number, [label], (world_from_camera @ rig.camera_from_rectified @ label.camera_from_object)[None], [0])
        for number, label in enumerate(labels, start=1)
    ]
    seen = nothing_seen(1)
    if objects:
        at_most = np.array([[_AT_MOST.get(label.occluded, 1.0) for label in labels]], np.float32)
        boxes = assemble.boxes_of(objects, 1)
        seen = limited(seen_from_boxes(boxes, size_hw=size_hw, **frames.views), at_most)
    note = f"no pose was recorded: the camera is taken to be level, {CAMERA_HEIGHT_M} m above the road"
    return assemble.clip_data(INFO, ref, frames, number=0, objects=objects, seen=seen, notes=(note,))


def _odometry(folder: Path, ref: SceneRef, num_frames: int, size_hw: tuple[int, int]) -> list[ClipData]:
    recording = validated(open_odometry(folder))
    poses = recording.world_from_camera
    if poses is None:
        raise InputError(folder, expected="poses", got="none", do="test sequences (11 to 21) have none")
    times = recording.time_s
    if not np.isfinite(times).all():
        times = np.arange(recording.num_frames) / _HZ
    note = (
        f"gravity was not measured: the drive's first camera is taken to be level, {CAMERA_HEIGHT_M} m above the road"
    )
    out = []
    for number, (shown, whole) in enumerate(
        assemble.stretches(recording.num_frames, num_frames, step=_STEP, after=_AFTER)
    ):
        clip = read_clip(recording, indices=list(shown))
        move = _to_road(level_world() @ poses[shown.start]) @ level_world()
        frames = assemble.shown(clip, size_hw, world_from_recording=move, times_s=times[list(shown)])
        rollout = Rollout(
            times_s=times[whole.start : whole.stop] - times[whole.start],
            world_from_object=np.zeros((len(whole), 0, 4, 4)),
            world_from_camera=move @ poses[whole.start : whole.stop],
        )
        seen = nothing_seen(len(shown))
        out.append(
            assemble.clip_data(
                INFO,
                ref,
                frames,
                number=number,
                objects=(),
                seen=seen,
                rollouts=(rollout,),
                notes=(*recording.notes, note),
            )
        )
    return out
