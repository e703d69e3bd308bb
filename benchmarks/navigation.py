"""Maps and paths of ``answers.navigation`` against what was not given to them.

    python benchmarks/navigation.py SOURCE... [--frames 32] [--radius 0.25] [--goals 40] [--truth-frames 200]
        [--pictures DIR] [--profile] [--json]
    python benchmarks/navigation.py --simulated DATASET_DIR [--num 100] [--pictures DIR] [--json]

SOURCE is a recording with measured depth and poses. The map is made from ``--frames`` of its frames; the truth is the mesh of a TSDF
(2 cm) of up to ``--truth-frames``, over the plane of its own floor. A cell is truly occupied if the mesh is in it between a step and the
robot's height, truly free if only floor is. Precision is over the free cells of which the mesh knows one or the other (``seen`` says how
many these are), recall over the truly free ones. Then a path to each of ``--goals`` places, drawn evenly from all that can be reached:
its distance, looked at every centimetre, to the nearest point of the mesh in that band. A path collides if that is less than the radius.

DATASET_DIR is a simulated data set; its indoor clips have exact depth, and boxes and the room's outline for truth, as they are at the
last frame (a ball is as wide as it is thick). ``IoU`` is of free cells, over the cells that the map knows; ``within a cell`` forgives a
cell at the truth's edges. Paths lead to the farthest place. A path collides with the boxes if one comes nearer than the radius; boxes
are fuller than what is in them (a dog, a coat rack), so the same is counted for the surfaces themselves: every pixel of all frames
where it does not move, of the last frame where it does. ``length`` is a path's over that of the shortest one on the true map between
the same two places (Dijkstra without comfort, pulled tight), ``of what was seen`` on those cells of it only that the map knows: the
first also has the price of not going where nobody looked. Both leave out paths under half a metre.

Seconds are those of ``navigate`` alone in this process, the second time (the first imports scipy), on as many threads as OMP_NUM_THREADS.
"""

import argparse
import cProfile
import json
import pstats
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial import KDTree

from video3d.answers.navigation import GoalWanted, NavigationParts, Robot, navigate
from video3d.answers.navigation_map import footprint_distance
from video3d.answers.navigation_path import Blocks, distance_to_blocked, fits, length_of, pull_tight, routes_from
from video3d.data.presented import recording_of
from video3d.data.store import open_dataset
from video3d.data.truth import ClipData, SceneTruth
from video3d.geometry.boxes import box_corners
from video3d.geometry.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from video3d.geometry.planes import find_planes
from video3d.geometry.reconstruct import reconstruct
from video3d.geometry.rigid import transform_points, unproject
from video3d.pipeline import Video3D
from video3d.types import PosedClip

FARTHEST = GoalWanted()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--simulated", type=Path)
    parser.add_argument("--num", type=int, default=100)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--goals", type=int, default=40)
    parser.add_argument("--truth-frames", type=int, default=200)
    parser.add_argument("--radius", type=float, default=Robot().radius_m)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    robot = Robot(radius_m=arguments.radius)
    rows = [of_recording(source, arguments, robot) for source in arguments.sources]
    if arguments.simulated:
        rows += of_rooms(arguments, robot)
    for row in rows:
        if arguments.json:
            print(json.dumps(row))
        else:
            print("; ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


def timed(clip: PosedClip, facts: Any, robot: Robot, profile: bool) -> tuple[NavigationParts, float]:
    navigate(clip, facts, (), robot=robot, goal=FARTHEST)
    started = time.perf_counter()
    found = navigate(clip, facts, (), robot=robot, goal=FARTHEST)
    seconds = time.perf_counter() - started
    if profile:
        watch = cProfile.Profile()
        watch.runcall(navigate, clip, facts, (), robot=robot, goal=FARTHEST)
        pstats.Stats(watch, stream=sys.stderr).sort_stats("cumtime").print_stats("video3d", 25)
    return found, seconds


# Recordings, against a TSDF of all frames.


def of_recording(source: Path, arguments: argparse.Namespace, robot: Robot) -> dict[str, Any]:
    scene = Video3D().read(source, num_frames=arguments.frames)
    found, seconds = timed(scene.clip, scene.facts, robot, arguments.profile)
    grid = found.map
    if grid is None or found.navigable is None:
        return {"recording": source.name, "notes": found.notes}
    everything = Video3D().read(source, num_frames=arguments.truth_frames).clip
    mesh, _ = reconstruct(everything, 0.02)
    points = into(scene.clip, everything, mesh.vertices)
    height = over_floor(points, found.navigable.floor_z)
    standing = points[(height > robot.max_step_m) & (height < robot.height_m)]
    occupied = cells_with(standing, grid)
    floor = cells_with(points[np.abs(height) <= robot.max_step_m], grid) & ~occupied
    free = grid.states == FREE
    gaps, unseen = [], 0
    tree = KDTree(standing[:, :2])
    for goal in goals_of(found, arguments.goals, robot):
        path = navigate(scene.clip, scene.facts, (), robot=robot, goal=GoalWanted(said="there", place=goal)).path
        if path is not None:
            dense = every_centimetre(np.array(path.places))
            gaps.append(float(tree.query(dense)[0].min()) - robot.radius_m)
            on = cells_of(dense, grid)
            unseen += bool((grid.states[on[:, 1], on[:, 0]] != FREE).any())
    if arguments.pictures:
        draw(found, occupied, floor, arguments.pictures / f"{source.name}.png")
    area = grid.cell**2
    return {
        "recording": source.name,
        "radius m": robot.radius_m,
        "frames": scene.clip.num_frames,
        "truth frames": everything.num_frames,
        "seconds": seconds,
        "free m2": float(free.sum()) * area,
        "reachable m2": found.navigable.reachable_area,
        "truly free m2": float(floor.sum()) * area,
        "precision": float((free & floor).sum() / (free & (floor | occupied)).sum()),
        "seen": float((free & (floor | occupied)).sum() / free.sum()),
        "recall": float((free & floor).sum() / floor.sum()),
        "occupied precision": float(((grid.states == OCCUPIED) & occupied).sum() / ((grid.states == OCCUPIED) & (floor | occupied)).sum()),
        "occupied recall": float(((grid.states == OCCUPIED) & occupied).sum() / occupied.sum()),
        "obstacles": len(found.obstacles),
        "paths": len(gaps),
        "collisions": sum(gap < 0 for gap in gaps),
        "least clearance m": min(gaps, default=float("nan")),
        "paths over cells that are not free": unseen,
    }  # fmt: skip


def into(clip: PosedClip, other: PosedClip, points: np.ndarray) -> np.ndarray:
    """Points of another reading of the recording in this one's world: both have the same poses in worlds of their own."""
    frame = int(np.intersect1d(clip.frame_index, other.frame_index)[0])
    mine = clip.world_from_camera[int(np.flatnonzero(clip.frame_index == frame)[0])]
    theirs = other.world_from_camera[int(np.flatnonzero(other.frame_index == frame)[0])]
    move = mine @ np.linalg.inv(theirs)
    return points @ move[:3, :3].T + move[:3, 3]


def over_floor(points: np.ndarray, floor_z: float) -> np.ndarray:
    """Height over the largest plane near the floor's height: found here by RANSAC, and not as the map finds it."""
    plane = find_planes(points[np.abs(points[:, 2] - floor_z) < 0.12], 1, threshold_m=0.015)[0]
    up = np.sign(plane.normal[2])
    return up * (points @ plane.normal + plane.offset)


def cells_of(places: np.ndarray, grid: OccupancyMap) -> np.ndarray:
    """(column, row) of places, those in the map."""
    cells = np.floor((places[:, :2] - grid.origin) / grid.cell).astype(np.int64)
    return cells[((cells >= 0) & (cells < grid.states.shape[::-1])).all(axis=1)]


def cells_with(points: np.ndarray, grid: OccupancyMap) -> np.ndarray:
    mask = np.zeros(grid.states.shape, bool)
    column, row = cells_of(points, grid).T
    mask[row, column] = True
    return mask


def goals_of(found: NavigationParts, num: int, robot: Robot) -> list[tuple[float, float]]:
    """Places spread over all that can be reached: even steps through the free cells, those of which the path says it got there."""
    grid, path = found.map, found.path
    if grid is None or path is None:
        return []
    room = fits(distance_to_blocked(grid), robot.radius_m, grid.cell)
    start = np.argwhere(np.linalg.norm(grid.middles() - path.places[0], axis=-1) < grid.cell)
    start = next((int(r), int(c)) for r, c in start if room[r, c])
    cost = routes_from(start, room, distance_to_blocked(grid), robot.radius_m, grid.cell).cost
    cells = np.argwhere(np.isfinite(cost))
    places = grid.centers(cells[np.unique(np.linspace(0, len(cells) - 1, num).astype(int))])
    return [(float(x), float(y)) for x, y in places]


def every_centimetre(places: np.ndarray) -> np.ndarray:
    pieces = [np.linspace(a, b, 2 + int(np.linalg.norm(b - a) / 0.01)) for a, b in pairwise(places)]
    return np.concatenate(pieces) if pieces else places


# Simulated rooms, against boxes.


def of_rooms(arguments: argparse.Namespace, robot: Robot) -> list[dict[str, Any]]:
    dataset = open_dataset(arguments.simulated)
    domains = dataset.column("domain")
    indoor = [clip_id for clip_id in dataset.clip_ids() if domains[clip_id] == "indoor"]
    chosen = [indoor[i] for i in np.unique(np.linspace(0, len(indoor) - 1, arguments.num).astype(int))]
    results = [one for clip_id in chosen if (one := of_room(dataset, clip_id, arguments, robot)) is not None]
    groups = {"all": results, "nothing moves": [one for one in results if not one["moves"]]}
    groups["something moves"] = [one for one in results if one["moves"]]
    return [{"simulated": name} | summary(some) for name, some in groups.items() if some]


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    known = [one for one in results if "notes" not in one]

    def over(key: str) -> np.ndarray:
        return np.array([one[key] for one in known if one.get(key) is not None], dtype=np.float64)

    def middle(key: str) -> dict[str, float]:
        some = over(key)
        return {key: float(len(some)), f"{key}, mean": float(some.mean()), f"{key}, median": float(np.median(some)),
                f"{key}, 95 %": float(np.quantile(some, 0.95)), f"{key}, most": float(some.max())}  # fmt: skip

    sums = {key: float(over(key).sum()) for key in ("hit", "free", "known free", "both", "close", "truly free")}
    return {
        "rooms": len(results),
        "with a map": len(known),
        "seconds": float(np.median(over("seconds"))),
        "free precision": sums["hit"] / sums["free"],
        "within a cell": sums["close"] / sums["free"],
        "IoU": sums["hit"] / sums["both"],
        "IoU, median of rooms": float(np.median(over("iou"))),
        "recall where known": sums["hit"] / sums["known free"],
        "recall of the room": sums["hit"] / sums["truly free"],
        "with a path": len(over("path m")),
        "path m": float(over("path m").mean()),
        "collisions with boxes": int((over("gap") < 0).sum()),
        "least clearance to boxes m": float(over("gap").min()),
        "collisions with surfaces": int((over("surface gap") < 0).sum()),
        "least clearance to surfaces m": float(over("surface gap").min()),
        **middle("length"),
        **middle("length of what was seen"),
        "why no map": sorted({one["notes"] for one in results if "notes" in one}),
        "collided": [
            f"{one['clip']} {one['gap']:.3f} {one['surface gap']:.3f}" for one in known if one.get("gap", 0.0) < 0
        ],
    }


def of_room(dataset: Any, clip_id: str, arguments: argparse.Namespace, robot: Robot) -> dict[str, Any] | None:
    data = dataset.clip(clip_id)
    truth = data.truth
    if truth.room is None or data.depth_m is None:
        return None
    moving = np.array([np.ptp(one.world_from_object[:, :3, 3], axis=0).max() > 0.02 for one in truth.objects])
    scene = Video3D().read(recording_of(data), num_frames=truth.num_frames)
    found, seconds = timed(scene.clip, scene.facts, robot, profile=False)
    grid = found.map
    if grid is None or found.navigable is None:
        return {"clip": clip_id, "moves": moving.any(), "notes": found.notes[-1] if found.notes else "no free floor"}
    centers = grid.middles()
    free_truth = clearance(truth, centers.reshape(-1, 2), robot).reshape(grid.states.shape) > 0
    near = clearance(truth, centers.reshape(-1, 2), robot).reshape(grid.states.shape) > -grid.cell
    free, seen = grid.states == FREE, grid.states != UNKNOWN
    area = grid.cell**2
    row: dict[str, Any] = {
        "clip": clip_id,
        "moves": moving.any(),
        "seconds": seconds,
        "hit": (free & free_truth).sum() * area,
        "close": (free & near).sum() * area,
        "free": free.sum() * area,
        "known free": (seen & free_truth).sum() * area,
        "both": (free | (seen & free_truth)).sum() * area,
        "truly free": free_truth.sum() * area,
        "iou": (free & free_truth).sum() / (free | (seen & free_truth)).sum(),
        "path m": None if found.path is None else found.path.length,
    }
    if arguments.pictures:
        draw(found, ~free_truth, free_truth, arguments.pictures / f"{clip_id}.png")
    if found.path is not None and len(found.path.places) > 1:
        places = np.array(found.path.places)
        dense = every_centimetre(places)
        row["gap"] = float(clearance(truth, dense, robot).min()) - robot.radius_m
        row["surface gap"] = float(KDTree(surfaces(data, moving, robot)).query(dense)[0].min()) - robot.radius_m
        row["length"] = ratio(found.path.length, places, free_truth, grid, robot)
        row["length of what was seen"] = ratio(found.path.length, places, free_truth & seen, grid, robot)
    return row


def clearance(truth: SceneTruth, places: np.ndarray, robot: Robot) -> np.ndarray:
    """Distance of places to the nearest box in the robot's way or wall; negative in one, by how much."""
    assert truth.room is not None
    ring = truth.room.floor_polygon_m
    least, inside = np.full(len(places), np.inf), np.zeros(len(places), bool)
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        along = b - a
        share = np.clip((places - a) @ along / (along @ along), 0, 1)
        least = np.minimum(least, np.linalg.norm(places - a - share[:, None] * along, axis=1))
        crosses = (a[1] > places[:, 1]) != (b[1] > places[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (places[:, 0] < a[0] + along[0] * (places[:, 1] - a[1]) / along[1])
    least = np.where(inside, least, -least)
    for one in truth.objects:
        box = one.box()
        corners = box_corners(box)
        if not np.isfinite(corners).all():
            continue
        if corners[:, 2].max() > robot.max_step_m and corners[:, 2].min() < robot.height_m:
            if one.category == "ball":
                least = np.minimum(least, np.linalg.norm(places - box.center_world[:2], axis=1) - box.size_m.max() / 2)
                continue
            away = footprint_distance(box, places)
            inner = (places - box.center_world[:2]) @ box.world_from_box[:2, :2]
            depth = (box.size_m[:2] / 2 - np.abs(inner)).min(axis=1)  # of upright boxes
            least = np.minimum(least, np.where(away > 0, away, -np.maximum(depth, 1e-6)))
    return least


def surfaces(data: ClipData, moving: np.ndarray, robot: Robot) -> np.ndarray:
    """Places (x, y) of all that was seen between a step and the robot's height: what moves, as it is in the last frame."""
    truth, places = data.truth, []
    assert data.depth_m is not None and data.instance is not None
    points = transform_points(truth.world_from_camera, unproject(data.depth_m, truth.k_px).astype(np.float64))
    movers = [one.object_id for one, moves in zip(truth.objects, moving, strict=True) if moves]
    for frame, (seen, instance) in enumerate(zip(points, data.instance, strict=True)):
        counts = (seen[..., 2] > robot.max_step_m) & (seen[..., 2] < robot.height_m)
        if frame < truth.num_frames - 1:
            counts &= ~np.isin(instance, movers)
        places.append(seen[counts][:, :2])
    return np.concatenate(places)


def ratio(length: float, places: np.ndarray, free: np.ndarray, grid: OccupancyMap, robot: Robot) -> float | None:
    """Of a path's length to that of the shortest one between its ends on a map; None where there is none, or too short to tell."""
    true_map = replace(grid, states=np.where(free, FREE, OCCUPIED).astype(np.int8))
    room = fits(distance_to_blocked(true_map), robot.radius_m, grid.cell)
    (sx, sy), (gx, gy) = cells_of(places[[0]], grid)[0], cells_of(places[[-1]], grid)[0]
    if length < 0.5 or not (room[sy, sx] and room[gy, gx]):
        return None
    roomy = np.full(room.shape, np.inf)  # no discomfort: the shortest
    routes = routes_from((int(sy), int(sx)), room, roomy, robot.radius_m, grid.cell)
    if not np.isfinite(routes.cost[gy, gx]):
        return None
    cells = grid.centers(routes.to((int(gy), int(gx))))
    return length / length_of(pull_tight(cells, Blocks(true_map), robot.radius_m))


def draw(found: NavigationParts, occupied: np.ndarray, free: np.ndarray, path: Path, scale: int = 5) -> None:
    """The map: white free, black occupied, grey unknown; the truth tints it: red free that is not, green floor that was missed."""
    from PIL import ImageDraw

    grid = found.map
    assert grid is not None
    picture = np.full((*grid.states.shape, 3), 150, np.uint8)
    picture[grid.states == FREE] = 255
    picture[grid.states == OCCUPIED] = 0
    picture[(grid.states == FREE) & occupied] = (255, 0, 0)
    picture[(grid.states == UNKNOWN) & free] = (150, 200, 150)
    picture[(grid.states == OCCUPIED) & free] = (0, 0, 200)
    image = Image.fromarray(picture[::-1].repeat(scale, axis=0).repeat(scale, axis=1))
    pen = ImageDraw.Draw(image)

    def px(places: Any) -> Iterator[tuple[float, float]]:
        for x, y in places:
            yield ((x - grid.origin[0]) / grid.cell * scale, image.height - (y - grid.origin[1]) / grid.cell * scale)

    for obstacle in found.obstacles:
        turn = np.radians(obstacle.box.yaw_deg)
        axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
        pen.line(list(px(signs * obstacle.box.size[:2] / 2 @ axes + obstacle.box.center[:2])), fill=(255, 0, 255))
    for area in found.navigable.reachable if found.navigable else ():
        pen.line(list(px((*area.outer, area.outer[0]))), fill=(0, 150, 0))
    if found.path:
        pen.line(list(px(found.path.places)), fill=(220, 0, 0), width=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


if __name__ == "__main__":
    main()
