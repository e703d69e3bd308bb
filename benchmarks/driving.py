"""What ``analyze`` says of a drive, against labels, GPS and simulated truth: distances, bearings, velocities, speed, drift.

    python benchmarks/driving.py SOURCE... [--depth NAME] [--ignore poses] [--camera-height 1.65] [--fps 9.65] [--json]
    python benchmarks/driving.py SOURCE... --detector yolov4-tiny [--depth NAME] [--pictures DIR]
    python benchmarks/driving.py --simulated DATASET_DIR --num 100 [--pictures DIR] [--profile]

SOURCE is a KITTI object folder (every frame alone, against label_2), a folder with a packed nuScenes key frame (six cameras, against
its annotations), or a KITTI odometry sequence (against its poses). ``--depth`` takes measured depth away and estimates it. Simulated
streets have exact depth and poses; the truth is that of the last frame, and things count that show at least 150 pixels in it.

Rows of things: ``boxes given`` are the true boxes as detections, so what is left is the error of the chain; ``nothing given`` is what
geometry finds without a name: a label counts as found if the nearest thing in its direction (its edges and a degree) is within 2 m or
10 % of it. Distances are level, to the nearest point, in metres; bearings in degrees.

``detector`` is a table of its own: boxes of the last instant's pictures, lifted by depth, by the same rule. Of labels count the kinds
that the detector has a name for (no barriers). ``misnamed`` are labels found with a wrong name; ``without_depth`` boxes of
which nothing could be lifted; of what is ``claimed``, ``twice`` is at a label that has its claim, ``uncounted`` at one of another
kind or that the LiDAR hardly hit, and ``false`` at none. Boxes that lie in KITTI's DontCare regions are left out.
"""

import argparse
import cProfile
import json
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "video"))

import numpy as np
from driving_detected import RIGHT, Found, Place, draw_seen, judge_seen, look_now
from driving_odometry import odometry_rows
from driving_pictures import draw
from packed_nuscenes import annotated_boxes, read_packed, write_tables

from video3d.answers.driving import DrivingParts, drive
from video3d.answers.driving_ego import driving_world, now_of, vehicle_path
from video3d.answers.facts import scene_facts
from video3d.answers.navigation_map import footprint_distance
from video3d.data.presented import recording_of
from video3d.data.sources.kitti_labels import read_labels, read_rig
from video3d.data.store import open_dataset
from video3d.estimate.complete import complete_geometry
from video3d.estimate.detectors import load_detector
from video3d.geometry.boxes import box_corners
from video3d.geometry.gravity import align_to_gravity
from video3d.pipeline import Video3D, load
from video3d.types import Box3D, Detection, PosedClip, Recording
from video3d.types.detector import Detector
from video3d.video import forget, open_recording, read_clip

_SHOWN_PX = 150
_LIDAR_POINTS = 10
_CAMERA_HEIGHT_M = 1.65


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A labelled thing in the world at the last frame; velocity in m/s, level, None where it is not known."""

    name: str
    box: Box3D
    velocity: np.ndarray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A clip in a driving world, and what is true of it; labels that nothing is asked of, and regions without labels."""

    name: str
    clip: PosedClip
    truths: tuple[Truth, ...]
    ordered: bool
    seconds: float
    hardly_seen: tuple[Truth, ...] = ()
    dont_care_px: tuple[tuple[float, ...], ...] = ()


@dataclass(slots=True)
class Errors:
    """What was measured of one kind of row; lists of errors, one a thing."""

    labels: int = 0
    found: int = 0
    distance: list[float] = field(default_factory=list)
    bearing: list[float] = field(default_factory=list)
    velocity: list[float] = field(default_factory=list)
    moving: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, what: str) -> dict[str, Any]:
        """Medians and 90th percentiles of absolute errors."""

        def spread(values: list[float]) -> list[float | None]:
            return [None, None] if not values else [round(float(np.percentile(np.abs(values), q)), 3) for q in (50, 90)]

        return {
            "what": what,
            "labels": self.labels,
            "found": self.found,
            "distance_m": spread(self.distance),
            "bearing_deg": spread(self.bearing),
            "followed": len(self.velocity),
            "velocity_m_s": spread(self.velocity),
            "moving": len(self.moving),
            "moving_m_s": spread(self.moving),
            "cpu_s": spread(self.seconds)[0],
        }


def truth_of(truth: Truth, clip: PosedClip, ordered: bool) -> tuple[float, float, float, float]:
    """Level distance, and bearings of the middle and both edges, from the last camera; by camera and box alone, not by the road."""
    path = vehicle_path(clip, ordered=ordered)
    now = now_of(clip, path, ordered=ordered, least_step=0.3)
    assert now is not None
    eye = clip.world_from_camera[now.frame, :3, 3]
    corners = box_corners(truth.box)[:, :2] - eye[:2]
    x, y = now.ahead[:2] / np.linalg.norm(now.ahead[:2])
    ahead, right = corners @ [x, y], corners @ [y, -x]
    middle = np.degrees(np.arctan2(right.mean(), ahead.mean()))
    off = (np.degrees(np.arctan2(right, ahead)) - middle + 180) % 360 - 180
    left_edge, right_edge = middle + off.min(), middle + off.max()
    return float(footprint_distance(truth.box, eye[None, :2])[0]), (left_edge + right_edge) / 2, left_edge, right_edge


def judge(case: Case, given: Errors, found: Errors) -> tuple[DrivingParts, DrivingParts]:
    """Adds what a clip's answers are off by, with the true boxes as detections and without."""
    unseen = replace(case.clip, depth_m=np.full((case.clip.num_frames, 1, 1), np.nan, np.float32))
    facts = scene_facts(unseen, sequence=case.ordered)  # of the facts, driving needs the path
    boxes = [Detection(box=one.box, label=one.name, score=1.0) for one in case.truths]
    started = time.process_time()
    named = drive(case.clip, facts, boxes)
    given.seconds.append(time.process_time() - started)
    started = time.process_time()
    unnamed = drive(case.clip, facts, ())
    found.seconds.append(time.process_time() - started)
    said = {one.id: one for one in named.distance_to_objects}
    vehicles = {one.id: one for one in named.vehicles}
    for number, truth in enumerate(case.truths, 1):
        distance, bearing, left, right = truth_of(truth, case.clip, case.ordered)
        key = f"{truth.name}-{number}"
        given.labels += 1
        found.labels += 1
        given.found += 1
        given.distance.append(said[key].distance - distance)
        given.bearing.append(_turn(said[key].bearing_deg - bearing))
        velocity = vehicles[key].velocity if key in vehicles else None
        if velocity is not None and truth.velocity is not None:
            error = float(np.linalg.norm(np.array(velocity[:2]) - truth.velocity[:2]))
            given.velocity.append(error)
            if np.linalg.norm(truth.velocity) > 1:
                given.moving.append(error)
        half = (right - left) / 2 + 1
        near = [one for one in unnamed.distance_to_objects if abs(_turn(one.bearing_deg - bearing)) <= half]
        near = [one for one in near if abs(one.distance - distance) <= max(2.0, 0.1 * distance)]
        if near:
            best = min(near, key=lambda one: abs(one.distance - distance))
            found.found += 1
            found.distance.append(best.distance - distance)
            found.bearing.append(_turn(best.bearing_deg - bearing))
    return named, unnamed


def _turn(degrees: float) -> float:
    return (degrees + 180) % 360 - 180


def kitti_cases(source: Path, engine: Video3D, depth: str | None, height_m: float | None) -> Iterator[Case]:
    """Every labelled frame alone, in the world of its camera."""
    recording = open_recording(source)
    recording = forget(recording, ["depth"]) if depth else recording
    root = source / "training" if (source / "training").is_dir() else source
    for number, name in enumerate(recording.frame_names):
        started = time.perf_counter()
        posed = complete_geometry(read_clip(_only(recording, number)), depth_estimator=engine.depth_estimator)
        clip, moved = driving_world(posed, camera_height_m=height_m)
        seconds = time.perf_counter() - started
        rig, truths = read_rig(root / "calib" / f"{name}.txt"), []
        metres = moved / np.linalg.norm(moved[:3, 0])  # labels are in metres whatever the clip's scale was
        metres[3, 3] = 1.0
        metres[:3, 3] = moved[:3, 3]
        for label in read_labels(root / "label_2" / f"{name}.txt", tracking=False):
            pose = metres @ rig.camera_from_rectified @ label.camera_from_object
            box = Box3D(center_world=pose[:3, 3], size_m=label.size_m, world_from_box=pose[:3, :3])
            truths.append(Truth(name=label.kind.lower(), box=box, velocity=None))
        rows = [line.split() for line in (root / "label_2" / f"{name}.txt").read_text().splitlines()]
        regions = tuple(tuple(float(v) for v in row[4:8]) for row in rows if row[0] == "DontCare")
        case = Case(name=name, clip=clip, truths=tuple(truths), ordered=False, seconds=seconds)
        yield replace(case, dont_care_px=regions)


def _only(recording: Recording, number: int) -> Recording:
    """One frame as a recording: frames of different drives are nothing for structure from motion."""
    load_rgb, load_depth_m, k_px = recording.load_rgb, recording.load_depth_m, recording.k_px
    assert k_px is not None
    return replace(
        recording,
        time_s=recording.time_s[[number]],
        frame_names=(recording.frame_names[number],),
        k_px=k_px[[number]],
        load_rgb=lambda _: load_rgb([number]),
        load_depth_m=None if load_depth_m is None else lambda _: load_depth_m([number]),
    )


def nuscenes_case(source: Path, engine: Video3D, depth: str | None, out: Path) -> Case:
    """The key frame with all its cameras, and the annotations that the LiDAR hit."""
    frame = read_packed(source)
    recording = open_recording(write_tables(source, frame, out))
    recording = forget(recording, ["depth"]) if depth else recording
    started = time.perf_counter()
    posed = complete_geometry(read_clip(recording), depth_estimator=engine.depth_estimator, video_depth=False)
    clip = align_to_gravity(posed)
    seconds = time.perf_counter() - started
    labels = [
        (hits, Truth(name=name, box=box, velocity=velocity)) for name, box, hits, velocity in annotated_boxes(frame)
    ]
    truths = tuple(truth for hits, truth in labels if hits >= _LIDAR_POINTS)
    hardly = tuple(truth for hits, truth in labels if hits < _LIDAR_POINTS)
    return Case(name="six cameras", clip=clip, truths=truths, ordered=False, seconds=seconds, hardly_seen=hardly)


def simulated_cases(folder: Path, num: int, engine: Video3D | None = None) -> Iterator[Case]:
    """Streets of a data set, test clips first."""
    dataset = open_dataset(folder)
    ids = [clip_id for split in reversed(dataset.splits()) for clip_id in dataset.clip_ids(split)]
    count = 0
    for clip_id in ids:
        truth = dataset.truth(clip_id)
        if truth.domain != "street":
            continue
        if count == num:
            return
        count += 1
        started = time.perf_counter()
        clip = complete_geometry(read_clip(recording_of(dataset.clip(clip_id)), truth.num_frames))
        if (
            engine is not None and engine.depth_estimator is not None
        ):  # the network's depth as it is, beside given poses
            depth_m = engine.depth_estimator(clip.rgb, clip.k_px).values
            clip = replace(clip, depth_m=depth_m, status=replace(clip.status, depth="estimated"))
        seconds = time.perf_counter() - started
        step = float(truth.times_s[-1] - truth.times_s[-2])
        truths = []
        for index, one in enumerate(truth.objects):
            if one.kind not in ("vehicle", "person") or truth.visible_px[-1, index] < _SHOWN_PX:
                continue
            velocity = (one.world_from_object[-1, :3, 3] - one.world_from_object[-2, :3, 3]) / step
            truths.append(Truth(name=one.category, box=one.box(), velocity=velocity))
        yield Case(name=clip_id, clip=clip, truths=tuple(truths), ordered=True, seconds=seconds)


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of one kind as text."""

    def cell(value: Any) -> str:
        if isinstance(value, list):
            return "/".join("-" if v is None else f"{v:.2f}" for v in value)
        return "-" if value is None else str(value)

    names = list(rows[0])
    grid = [names, *[[cell(row[name]) for name in names] for row in rows]]
    width = [max(len(line[i]) for line in grid) for i in range(len(names))]
    return "\n".join("  ".join(text.rjust(w) for text, w in zip(line, width, strict=True)) for line in grid)


def measure(
    cases: Iterator[Case], what: str, pictures: Path | None, detector: Detector | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two rows of things for a set of cases, and one of what a detector finds where there is one."""
    given, found, seen, seconds = Errors(), Errors(), Found(), []
    for number, case in enumerate(cases):
        named, unnamed = judge(case, given, found)
        seconds.append(case.seconds)
        drawn = pictures if number < 12 else None
        if number % 10 == 9:  # what is known so far, for a run that takes long
            print(f"{number + 1} clips: {given.row('given')} {found.row('found')}", file=sys.stderr, flush=True)
        if drawn:
            both = replace(named, distance_to_objects=(*named.distance_to_objects, *unnamed.distance_to_objects))
            draw(case.name, case.clip, [one.box for one in case.truths], both, drawn, ordered=case.ordered)
        if detector is not None:
            judge_detector(case, detector, seen, drawn)
    print(f"{what}: geometry {np.median(seconds):.2f} s a clip", file=sys.stderr)
    rows = [given.row(f"{what}, boxes given"), found.row(f"{what}, nothing given")]
    return rows, [] if detector is None else [seen.row(f"{what}, {detector.name}")]


def judge_detector(case: Case, detector: Detector, sums: Found, pictures: Path | None) -> None:
    """Adds what a detector finds in a case; what was said of each thing goes to stderr."""
    boxes, frames = look_now(detector, case.clip, case.ordered, case.dont_care_px)
    places = []
    for truth in (*case.truths, *case.hardly_seen):
        distance, bearing, left, right = truth_of(truth, case.clip, case.ordered)
        counts = truth.name in RIGHT and not any(truth is one for one in case.hardly_seen)
        half = (right - left) / 2
        places.append(Place(kind=truth.name, distance=distance, bearing_deg=bearing, half_deg=half, counts=counts))
    said = judge_seen(case.clip, case.ordered, boxes, frames, places, sums)
    print("\n".join(f"{case.name}: {line}" for line in said), file=sys.stderr)
    if pictures:
        draw_seen(case.clip, boxes, frames, pictures / f"{case.name} seen.png")


def main() -> None:
    """Prints the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--simulated", type=Path)
    parser.add_argument("--num", type=int, default=100)
    parser.add_argument("--depth")
    parser.add_argument("--detector", help="yolov4-tiny, or another that load_detector knows; none by default")
    parser.add_argument("--ignore", nargs="*", default=[])
    parser.add_argument("--camera-height", type=float)
    parser.add_argument("--fps", type=float, default=9.65, help="of a sequence without times")
    parser.add_argument(
        "--frames", type=int, default=9, help="of a sequence, that depth is made for; its path has them all"
    )
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    profile = cProfile.Profile()
    if args.profile:
        profile.enable()
    things: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    drives: list[dict[str, Any]] = []
    detector = load_detector(args.detector) if args.detector else None
    engine = load(depth=args.depth or "none")
    with tempfile.TemporaryDirectory() as work:
        for source in args.sources:
            depth = args.depth or "measured depth"
            if (source / "poses.txt").exists():
                drives += odometry_rows(source, args)
            elif any(source.glob("*.pkl")):
                case = nuscenes_case(source, engine, args.depth, Path(work))
                rows = measure(iter([case]), f"nuScenes, {depth}", args.pictures, detector)
                things, seen = things + rows[0], seen + rows[1]
            else:
                cases = kitti_cases(source, engine, args.depth, args.camera_height)
                rows = measure(cases, f"KITTI, {depth}", args.pictures, detector)
                things, seen = things + rows[0], seen + rows[1]
    if args.simulated:
        rows = measure(
            simulated_cases(args.simulated, args.num, engine if args.depth else None),
            f"simulated streets, {args.depth or 'exact depth'}",
            args.pictures,
            detector,
        )
        things, seen = things + rows[0], seen + rows[1]
    profile.disable()
    if args.json:
        print(json.dumps({"things": things, "seen": seen, "drives": drives}))
    else:
        print("\n\n".join(table(rows) for rows in (things, seen, drives) if rows))
    if args.profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
