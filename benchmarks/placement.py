"""Planes and zones of ``answers.placement`` against what was not given to them.

    python benchmarks/placement.py SOURCE... [--frames 32] [--truth-frames 200] [--pictures DIR] [--profile] [--json]
    python benchmarks/placement.py --simulated DATASET_DIR [--num 100] [--skip 0] [--json]

SOURCE is a recording with measured depth and poses. ``HAND`` names, for two of them, rectangles of single frames that show nothing
but a floor or a table: picked by looking at the frames with their unknown depth coloured in, away from edges and from what lies there.
Their pixels are carried to the world by the recording's own depth and poses and a plane is fitted by least squares, points beyond 2.5
robust standard deviations left out until it stays the same. ``height`` is how far the found plane is from it at the middle of those
points, ``normal`` the angle between the two. The found plane is the largest level one whose outline holds the middle of a rectangle.

Zones are looked at in a TSDF (2 cm) of up to ``--truth-frames`` frames: a zone overlaps if any voxel of its free room, from 3 cm over the
surface (a voxel and a half) upwards, is behind a surface (that this finds something is seen with all zones sunk by 15 cm);
``flatness`` is of the mesh's vertices under the thing, to a plane of their own.

DATASET_DIR is a simulated data set; its indoor clips have exact depth, and boxes for truth, as they are at the last frame. The true
boxes are given as the detections, for ``on`` alone. A floor is at 0. A top counts as to be found if its thing (``TOPPED``) is seen at 2,000
pixels or more and from above, and as found if a plane of kind top has its middle in the box's outline within 5 cm of its height: the
height of the box, which is wrong where something of the model is higher than its top. A zone collides if its free room, from 2 cm upwards and
1 cm off its sides, shares a volume with a true box; solid things (props and what experiments are about) are counted apart from furniture, whose
boxes are fuller than it is (a zone under a table, on a seat, on a shelf collides with the box and with nothing in it). ``held out``: zones are
found again from every second frame, and a zone is hit if the others see three points or more in that room.

Seconds are of the processor, not of the clock, of ``place`` alone in this process.
"""

import argparse
import cProfile
import json
import pstats
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from video3d.answers.facts import scene_facts
from video3d.answers.placement import PlacementParts, ThingToPlace, place
from video3d.answers.results import PlacementZone, SurfacePlane
from video3d.data.presented import recording_of
from video3d.data.store import open_dataset
from video3d.data.truth import SceneTruth
from video3d.geometry.boxes import intersection_volumes
from video3d.geometry.depth_views import depth_views, view_points
from video3d.geometry.rigid import inverse_rigid, scale_k
from video3d.geometry.surface import surface_of
from video3d.geometry.tsdf import Tsdf, fuse
from video3d.geometry.voxels import unpack
from video3d.pipeline import Video3D
from video3d.types import Box3D, Detection, PosedClip

THING = ThingToPlace()
# Frames of the recording and pixels (left, top, right, bottom).
HAND: dict[str, dict[str, tuple[tuple[int, tuple[int, int, int, int]], ...]]] = {
    "seven_scenes_kitchen": {
        "floor": ((2, (20, 370, 170, 470)), (28, (180, 330, 330, 460)), (40, (300, 400, 450, 470))),
        "table": ((2, (320, 210, 385, 290)), (97, (400, 320, 510, 460)), (108, (260, 250, 390, 360))),
    },
    "hololens_office": {
        "floor": ((0, (10, 240, 120, 340)), (26, (150, 230, 330, 320)), (32, (60, 230, 200, 330))),
        "long table": ((26, (450, 150, 520, 230)), (46, (200, 200, 290, 240)), (46, (440, 120, 520, 175))),
        # Seen from 1 to 2 m in the first frames alone, whose depth is bent: rectangles of one frame differ by 2 degrees.
        "cabinet top": ((0, (310, 150, 400, 195)),),
        "cabinet top, two frames": (
            (0, (310, 150, 400, 195)),
            (0, (420, 170, 530, 250)),
            (4, (340, 135, 420, 180)),
            (4, (440, 165, 530, 220)),
        ),
    },
}
TOPPED = (
    "table", "coffee table", "side table", "nightstand", "desk", "workbench", "dresser", "kitchen island", "tv stand", "filing cabinet",
)  # fmt: skip
_KINDS = {
    "floor": (0, 255, 0),
    "top": (255, 220, 0),
    "wall": (0, 160, 255),
    "ceiling": (255, 0, 255),
    "other": (160, 160, 160),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--truth-frames", type=int, default=200)
    parser.add_argument("--simulated", type=Path)
    parser.add_argument("--num", type=int, default=100)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [row for source in arguments.sources for row in of_recording(source, arguments)]
    if arguments.simulated:
        rows += of_rooms(arguments)
    for row in rows:
        if arguments.json:
            print(json.dumps(row))
        else:
            print("; ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


def timed(clip: PosedClip, facts: Any, objects: Sequence[Detection]) -> tuple[PlacementParts, float]:
    started = time.process_time()
    found = place(clip, facts, objects, thing=THING)
    return found, time.process_time() - started


# Recordings, against planes fitted by hand and a TSDF of all frames.


def of_recording(source: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    scene = Video3D().read(source, num_frames=arguments.frames)
    place(scene.clip, scene.facts, (), thing=THING)  # the first time imports scipy
    found, seconds = timed(scene.clip, scene.facts, ())
    if arguments.profile:
        watch = cProfile.Profile(time.process_time)
        watch.runcall(place, scene.clip, scene.facts, (), thing=THING)
        pstats.Stats(watch, stream=sys.stderr).sort_stats("cumtime").print_stats("video3d", 25)
    everything = Video3D().read(source, num_frames=arguments.truth_frames).clip
    everything = replace(everything, world_from_camera=into(scene.clip, everything) @ everything.world_from_camera)
    rows = []
    for name, rectangles in HAND.get(source.name, {}).items():
        parts = [pixels_of(everything, frame, rectangle) for frame, rectangle in rectangles]
        points = np.concatenate(parts)
        normal, offset, kept = fitted(points)
        off = points[kept] @ normal + offset
        row: dict[str, Any] = {
            "recording": source.name, "plane": name, "points": int(kept.sum()), "rms by hand mm": 1e3 * float(np.sqrt(np.mean(off**2)))
        }  # fmt: skip
        middles = [np.median(part, axis=0) for part in parts]
        holding = [p for p in found.surface_planes if p.kind in ("floor", "top") and any(holds(p, m) for m in middles)]
        nearest = [p for p in holding if abs(float((points[kept].mean(axis=0) - p.center) @ np.array(p.normal))) < 0.1]
        if nearest:
            plane = max(nearest, key=lambda p: p.area)
            middle = points[kept].mean(axis=0)
            row |= {
                "found": plane.id,
                "height mm": 1e3 * float((middle - plane.center) @ np.array(plane.normal)),
                "normal deg": float(np.degrees(np.arccos(np.clip(abs(normal @ np.array(plane.normal)), 0, 1)))),
                "holds rectangles": f"{sum(holds(plane, m) for m in middles)} of {len(middles)}",
            }
        else:
            row["found"] = "none"
        rows.append(row)
    field = fuse(everything, 0.02)
    flat = surface_of(field)[0]
    over = [behind(field, zone) for zone in found.placement_zones]
    sunk = [behind(field, zone, down=0.15) for zone in found.placement_zones]
    under = [flatness(flat, zone) for zone in found.placement_zones]
    measured = [value for value in under if value is not None]
    rows.append({
        "recording": source.name,
        "frames": scene.clip.num_frames,
        "truth frames": everything.num_frames,
        "planes": dict(Counter(p.kind for p in found.surface_planes)),
        "zones": dict(Counter(zone.plane.split("-")[0] for zone in found.placement_zones)),
        "overlap": sum(count > 0 for count in over),
        "overlap if 15 cm lower": sum(count > 0 for count in sunk),
        "flatness measured": len(measured),
        "worst flatness mm": 1e3 * max(measured, default=float("nan")),
        "seconds": seconds,
    })  # fmt: skip
    if arguments.pictures:
        draw(scene.clip, found, arguments.pictures / f"{source.name}.jpg")
    return rows


def into(clip: PosedClip, other: PosedClip) -> np.ndarray:
    """The transform from the world of another reading of the same recording, by a frame that both have."""
    shared = np.intersect1d(clip.frame_index, other.frame_index)
    here, there = (one.world_from_camera[int(np.flatnonzero(one.frame_index == shared[0])[0])] for one in (clip, other))
    return here @ inverse_rigid(there)


def pixels_of(clip: PosedClip, frame: int, rectangle: tuple[int, int, int, int]) -> np.ndarray:
    """World points of a rectangle of colour pixels of a frame of the recording; depth is of the same size in both recordings."""
    i = int(np.flatnonzero(clip.frame_index == frame)[0])
    left, top, right, bottom = rectangle
    depth = clip.depth_m[i, top:bottom, left:right].astype(np.float64)
    row, column = np.nonzero(np.isfinite(depth))
    k_px = scale_k(clip.k_px[i], clip.size_hw, clip.depth_m.shape[1:])
    pixel = np.stack([column + left + 0.5, row + top + 0.5, np.ones(row.size)], axis=1)
    pose = clip.world_from_camera[i]
    return (pixel @ np.linalg.inv(k_px).T * depth[row, column, None]) @ pose[:3, :3].T + pose[:3, 3]


def fitted(points: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Normal, offset and inliers of a plane by least squares, without what lies far off."""
    keep = np.ones(len(points), dtype=bool)
    while True:
        center = points[keep].mean(axis=0)
        normal = np.linalg.svd(points[keep] - center, full_matrices=False)[2][2]
        off = np.abs((points - center) @ normal)
        fewer = keep & (off <= 2.5 * 1.4826 * np.median(off[keep]))
        if np.array_equal(fewer, keep) or fewer.sum() < 0.5 * len(points):
            return normal, -float(normal @ center), keep
        keep = fewer


def holds(plane: SurfacePlane, point: np.ndarray) -> bool:
    """Whether a point is within a plane's outline seen from above (even-odd rule)."""
    x, y = np.array(plane.polygon)[:, :2].T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    crosses = (y > point[1]) != (next_y > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        right = x + (point[1] - y) / (next_y - y) * (next_x - x) > point[0]
    return bool((crosses & right).sum() % 2)


def in_zone(points: np.ndarray, zone: PlacementZone, low: float, shrunk: float = 0.0) -> np.ndarray:
    """Which points are in a zone's free room, from a height over the surface."""
    local = (points - np.array(zone.center)) @ np.array(zone.world_from_anchor)[:3, :3]
    along, across, up = zone.size
    beside = (np.abs(local[:, 0]) < along / 2 - shrunk) & (np.abs(local[:, 1]) < across / 2 - shrunk)
    return beside & (local[:, 2] > low) & (local[:, 2] < up)


def behind(field: Tsdf, zone: PlacementZone, down: float = 0.0) -> int:
    """Voxels of the field in a zone's free room that are behind a surface; with the zone moved down, to see that any would be."""
    zone = zone.model_copy(
        update={"center": tuple(np.array(zone.center) - down * np.array(zone.world_from_anchor)[:3, 2])}
    )
    side = 8 * field.voxel_m
    corners = unpack(field.keys) * side
    near = np.flatnonzero(
        np.linalg.norm(corners + side / 2 - np.array(zone.center), axis=1) < np.linalg.norm(zone.size) + side
    )
    offsets = (np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) + 0.5) * field.voxel_m
    places = (corners[near, None] + offsets).reshape(-1, 3)
    return int((in_zone(places, zone, 0.03) & (field.distance[near].reshape(-1) < 0)).sum())


def flatness(vertices: np.ndarray, zone: PlacementZone) -> float | None:
    """Root mean square of the mesh under the thing to a plane of its own; None where the mesh has less than 20 vertices there."""
    local = (vertices - np.array(zone.center)) @ np.array(zone.world_from_anchor)[:3, :3]
    under = (np.abs(local[:, :2]) < np.array(THING.size_m[:2]) / 2).all(axis=1) & (np.abs(local[:, 2]) < 0.04)
    if under.sum() < 20:
        return None
    points = local[under]
    design = np.c_[points[:, :2], np.ones(len(points))]
    return float(np.sqrt(np.mean((points[:, 2] - design @ np.linalg.lstsq(design, points[:, 2], rcond=None)[0]) ** 2)))


def draw(clip: PosedClip, found: PlacementParts, out: Path) -> None:
    """Outlines of planes, and zones in red, over eight frames that see them."""
    pictures = []
    for i in np.linspace(0, clip.num_frames - 1, 8).astype(int):
        picture = Image.fromarray(clip.rgb[i])
        pen = ImageDraw.Draw(picture)
        frame = int(clip.frame_index[i])
        for plane in found.surface_planes:
            if frame in plane.frames:
                line(pen, clip, i, np.array(plane.polygon), _KINDS[plane.kind])
        for zone in found.placement_zones:
            if frame in zone.frames:
                anchor, (along, across, up) = np.array(zone.world_from_anchor), zone.size
                ring = (
                    np.array([[-along, -across, 0], [along, -across, 0], [along, across, 0], [-along, across, 0]]) / 2
                )
                for height, colour in ((0.0, (255, 0, 0)), (up, (255, 160, 160))):
                    line(pen, clip, i, (ring + np.array([0, 0, height])) @ anchor[:3, :3].T + anchor[:3, 3], colour)
        pictures.append(picture.resize((480, 480 * picture.height // picture.width)))
    width, height = pictures[0].size
    sheet = Image.new("RGB", (4 * width, 2 * height))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % 4 * width, number // 4 * height))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)


def line(pen: ImageDraw.ImageDraw, clip: PosedClip, i: int, ring: np.ndarray, colour: tuple[int, int, int]) -> None:
    share = np.linspace(0, 1, 12)[:, None]
    dense = np.concatenate([a + share * (b - a) for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True)])
    camera = inverse_rigid(clip.world_from_camera[i])
    seen = (dense @ camera[:3, :3].T + camera[:3, 3]) @ clip.k_px[i].T
    for a, b in zip(seen, np.roll(seen, -1, axis=0), strict=True):
        if a[2] > 0.1 and b[2] > 0.1:
            pen.line([(a[0] / a[2], a[1] / a[2]), (b[0] / b[2], b[1] / b[2])], fill=colour, width=2)


# Simulated rooms, against truth.


def of_rooms(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    data = open_dataset(arguments.simulated)
    rows: list[dict[str, Any]] = []
    clip_ids = [c for split in ("test", "val", "train") for c in data.clip_ids(split)]
    seen = 0
    for clip_id in clip_ids:
        if len(rows) == arguments.num:
            break
        if data.truth(clip_id).domain != "indoor":
            continue
        seen += 1
        if seen <= arguments.skip:
            continue
        rows.append(of_room(data.clip(clip_id)))
        print(f"{len(rows)}: {rows[-1]}", file=sys.stderr)
    return [total(rows)]


def of_room(stored: Any) -> dict[str, Any]:
    truth: SceneTruth = stored.truth
    scene = Video3D().read(recording_of(stored), num_frames=16)
    boxes = [(thing, thing.box()) for thing in truth.objects if np.isfinite(thing.world_from_object[-1]).all()]
    given = [Detection(box=box, label=thing.category, score=1.0) for thing, box in boxes]
    found, seconds = timed(scene.clip, scene.facts, given)
    floors = [p for p in found.surface_planes if p.kind == "floor"]
    floor = max(floors, key=lambda p: p.area, default=None)
    tops = [p for p in found.surface_planes if p.kind == "top"]
    errors, carried = [], []
    missed: list[str] = []
    for number, (thing, box) in enumerate(boxes):
        if thing.category not in TOPPED or not seen_from_above(truth, truth.index(thing.object_id), box):
            continue
        top = float(box.center_world[2] + box.size_m[2] / 2)
        over = [p for p in tops if within(box, np.array(p.center)) and abs(p.center[2] - top) < 0.05]
        if over:
            best = max(over, key=lambda p: p.area)
            errors.append(best.center[2] - top)
            carried.append(best.on == f"object-{number + 1}")
        else:
            missed.append(thing.category)
    solid = [box for thing, box in boxes if thing.kind in ("prop", "experiment")]
    other = [box for thing, box in boxes if thing.kind not in ("prop", "experiment")]
    rooms = [room_of(zone) for zone in found.placement_zones]
    hits = [
        intersection_volumes(rooms, some).max(axis=1) > 1e-6 if rooms and some else np.zeros(len(rooms), bool)
        for some in (solid, other)
    ]
    again, hit = held_out(scene.clip)
    return {
        "clip": truth.clip_id,
        "floor": None if floor is None else floor.center[2],
        "tilt": None if floor is None else float(np.degrees(np.arccos(min(1.0, floor.normal[2])))),
        "tops": errors,
        "carried": carried,
        "missed": missed,
        "zones": len(rooms),
        "flatness": max((zone.flatness or 0.0 for zone in found.placement_zones), default=0.0),
        "in solid": int(hits[0].sum()),
        "in furniture": int(hits[1].sum()),
        "zones of half": again,
        "hit by the other half": hit,
        "seconds": seconds,
    }


def seen_from_above(truth: SceneTruth, index: int, box: Box3D) -> bool:
    top = box.center_world[2] + box.size_m[2] / 2
    above = truth.world_from_camera[:, 2, 3] > top + 0.2
    return bool((truth.visible_px[above, index] >= 2000).any())


def within(box: Box3D, point: np.ndarray) -> bool:
    return bool((np.abs((point - box.center_world) @ box.world_from_box)[:2] <= box.size_m[:2] / 2).all())


def room_of(zone: PlacementZone) -> Box3D:
    """A zone's free room from 2 cm upwards, 1 cm off its sides."""
    anchor = np.array(zone.world_from_anchor)
    size = np.array(zone.size) - 0.02
    return Box3D(
        center_world=anchor[:3, 3] + anchor[:3, 2] * (0.02 + size[2] / 2), size_m=size, world_from_box=anchor[:3, :3]
    )


def held_out(clip: PosedClip) -> tuple[int, int]:
    """Zones found from every second frame, and how many of them the others see something in."""
    half, others = (every_second(clip, start) for start in (0, 1))
    # One box given, so that nobody looks for things, which nothing here needs.
    somewhere = Detection(
        box=Box3D(center_world=np.zeros(3), size_m=np.ones(3), world_from_box=np.eye(3)), label="", score=0.0
    )
    found = place(half, scene_facts(half), (somewhere,), thing=THING).placement_zones
    points = view_points(depth_views(others))[0]
    return len(found), sum(int(in_zone(points, zone, 0.02, 0.01).sum() >= 3) for zone in found)


def every_second(clip: PosedClip, start: int) -> PosedClip:
    names = ("frame_index", "time_s", "rgb", "depth_m", "k_px", "world_from_camera", "piece")
    return replace(clip, **{name: getattr(clip, name)[start::2] for name in names})


def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    floors = np.array([row["floor"] for row in rows if row["floor"] is not None])
    tops = np.array([error for row in rows for error in row["tops"]])
    carried = [value for row in rows for value in row["carried"]]
    missed = Counter(name for row in rows for name in row["missed"])
    summed = {
        name: int(sum(row[name] for row in rows))
        for name in ("zones", "in solid", "in furniture", "zones of half", "hit by the other half")
    }
    return {
        "rooms": len(rows),
        "floors found": len(floors),
        "floor height mm, median": 1e3 * float(np.median(np.abs(floors))),
        "floor height mm, worst": 1e3 * float(np.abs(floors).max()),
        "floor within 2 cm": float((np.abs(floors) <= 0.02).mean()),
        "floor tilt deg, worst": max(row["tilt"] for row in rows if row["tilt"] is not None),
        "tops to find": len(tops) + sum(missed.values()),
        "tops found": len(tops),
        "top height mm, median": 1e3 * float(np.median(np.abs(tops))),
        "top height mm, p95": 1e3 * float(np.percentile(np.abs(tops), 95)),
        "tops within 2 cm": float((np.abs(tops) <= 0.02).mean()),
        "carried by their thing": float(np.mean(carried)),
        "missed": dict(missed),
        **summed,
        "rooms without a zone": sum(row["zones"] == 0 for row in rows),
        "worst flatness mm": 1e3 * max(row["flatness"] for row in rows),
        "seconds, median": float(np.median([row["seconds"] for row in rows])),
        "seconds, worst": max(row["seconds"] for row in rows),
    }  # fmt: skip


if __name__ == "__main__":
    main()
