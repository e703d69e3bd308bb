"""Where a robot can go: free floor, what stands in the way, and a path, from a clip's depth and the camera's poses.

Everything here is in metres over a floor, so it needs all three: a metric world, a direction that is up, and a floor that was seen.
What is missing is said, and nothing is made of it. Floor that nobody saw is not free, a path never leads over it, and what is over
the robot's head is none of its concern.

The camera may go up stairs; a map is of one floor, that under the camera's last place (or of the thing that a path starts at). Where
its height changes by more than a person who crouches (``STOREY_M``), only what was seen from about that floor counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.navigation_level import MAX_CAMERA_M, SAME_FLOOR_M, STOREY_M, level_wanted, levels_walked, on_level
from video3d.answers.navigation_map import find_obstacles, polygons_of
from video3d.answers.navigation_path import distance_to_path, length_of, pull_tight
from video3d.answers.navigation_plan import BESIDE_M, GoalWanted, Plan, Robot, begin_of, is_called, resolve
from video3d.answers.results import Navigable, Obstacle, Path
from video3d.geometry.gravity import clip_floor
from video3d.geometry.occupancy import FREE, UNKNOWN, Columns, OccupancyMap, classify, map_columns
from video3d.types import Detection, PosedClip, Status

CELL_M = 0.05
_MIN_AREA_M2 = 0.05  # free floor in smaller patches is not listed


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationParts:
    """What was found out; the notes say what was not, and why.

    Attributes:
        navigable: None where there is no map, or no free floor in it.
        obstacles: nearest first.
        path: None where there is nowhere to go.
        notes: in words.
        map: the cells, for export and drawing; None where there is none.
    """

    navigable: Navigable | None
    obstacles: tuple[Obstacle, ...]
    path: Path | None
    notes: tuple[str, ...]
    map: OccupancyMap | None


def navigate(
    clip: PosedClip,
    facts: SceneFacts,
    objects: Sequence[Detection],
    *,
    robot: Robot,
    goal: GoalWanted,
    start: GoalWanted | None = None,
) -> NavigationParts:
    """The map of a scene for a robot, and its path to a goal.

    Args:
        clip: frames with depth and poses, as ``align_to_gravity`` leaves them.
        facts: of the same clip.
        objects: with names, for obstacles and goals; may be empty.
        robot: how large it is.
        goal: where to.
        start: where from, a place or an object; None, or where no object is called so: under the camera's last place.

    >>> import numpy as np
    >>> from video3d.answers.facts import scene_facts
    >>> from video3d.types import World
    >>> clip = PosedClip(
    ...     frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 6, 8, 3), np.uint8),
    ...     depth_m=np.full((1, 6, 8), 2.0, np.float32), k_px=np.array([[[8.0, 0, 4], [0, 8, 3], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None], piece=np.array([0]), world=World())
    >>> found = navigate(clip, scene_facts(clip), (), robot=Robot(), goal=GoalWanted())
    >>> found.navigable, found.notes
    (None, ('navigation: unknown, lengths are not in metres here and a robot is',))
    """
    lacks = _what_is_lacking(clip, facts)
    if lacks:
        return _nothing(f"navigation: unknown, {lacks}")
    part, floor_z, notes = _one_level(clip, facts, objects, start)
    if floor_z is None:
        return _nothing(*notes)
    elsewhere, objects = objects, on_level(objects, floor_z)
    columns = map_columns(part, floor_z, step_m=robot.max_step_m, top_m=robot.height_m, cell=CELL_M)
    if columns is None:
        return _nothing(*notes, "navigation: unknown, no frame has depth, a pose and intrinsics")
    grid = classify(columns)
    if columns.cell > CELL_M:
        notes = (*notes, f"navigation: cells of {columns.cell:.2f} m, for the map would be too large with {CELL_M:g} m")
    end = facts.trajectory.centers[-1] if facts.trajectory.num_poses else part.world_from_camera[-1, :3, 3]
    status = weakest(
        clip.status.depth, clip.status.poses, clip.status.intrinsics, clip.status.scale, clip.status.gravity
    )
    obstacles = find_obstacles(
        columns, grid, objects, near=(float(end[0]), float(end[1])), status=status, frame_index=clip.frame_index
    )
    if not (grid.states == FREE).any():
        notes = (*notes, "navigation: no floor was seen with free room over it, surely enough to tell it from a step")
        return NavigationParts(navigable=None, obstacles=obstacles, path=None, notes=notes, map=grid)
    begin, more = begin_of(objects, start, end[:2])
    plan = Plan.of(grid, robot, begin)
    frames = tuple(int(clip.frame_index[frame]) for frame in columns.frames)
    navigable = _navigable(columns, grid, plan, robot, status, frames)
    path = None
    if plan is None:
        more = (_no_room(robot),)
    else:
        path, said = _path(columns, plan, objects, robot, goal, status, frames)
        more = (*more, *said)
        if path is None and goal.name is not None and any(is_called(one.label, goal.name) for one in elsewhere):
            more = (*more, f"path: {goal.name} was found on another floor, and no path leads there")
    return NavigationParts(navigable=navigable, obstacles=obstacles, path=path, notes=(*notes, *more), map=grid)


def _nothing(*notes: str) -> NavigationParts:
    return NavigationParts(navigable=None, obstacles=(), path=None, notes=notes, map=None)


def _no_room(robot: Robot) -> str:
    return f"path: unknown, nowhere on the floor that was seen is there room for a robot of radius {robot.radius_m:g} m"


def _what_is_lacking(clip: PosedClip, facts: SceneFacts) -> str:
    if facts.depth is None:
        return "there is no depth"
    if not clip.world.metric:
        return "lengths are not in metres here and a robot is"
    if not clip.world.gravity_aligned:
        return "which way is up is not known"
    if facts.floor_z is None:
        return "no floor was seen"
    return ""


def _one_level(
    clip: PosedClip, facts: SceneFacts, objects: Sequence[Detection], start: GoalWanted | None
) -> tuple[PosedClip, float | None, tuple[str, ...]]:
    """The clip, with the frames of one floor only, and that floor's height; None where it was not seen."""
    floor_z = facts.floor_z
    heights = clip.world_from_camera[:, 2, 3]
    placed = (clip.piece == 0) & np.isfinite(heights)
    path = facts.trajectory.centers[:, 2] if facts.trajectory.num_poses else heights[placed]
    last, change = float(path[-1]), float(np.ptp(path))
    one_storey = change <= STOREY_M and (floor_z is None or last - floor_z <= MAX_CAMERA_M)
    levels = levels_walked(clip, facts)
    level = level_wanted(levels, clip, objects, start) if levels else None
    if level is not None:
        others = [one for one in levels if one is not level]
        if one_storey and not others and floor_z is not None and abs(level.height - floor_z) <= SAME_FLOOR_M:
            return clip, floor_z, ()
        near = np.abs(heights - np.median(heights[level.frames])) <= STOREY_M / 2
        part = clip if one_storey else replace(clip, piece=np.where(placed & near, clip.piece, -1))
        return (
            part,
            level.height,
            tuple(
                f"navigation: the map is of the floor that the path starts on; another floor, {abs(one.height - level.height):.2f} m "
                f"{'higher' if one.height > level.height else 'lower'}, which the camera was on too, is left out with what stands on it"
                for one in others
            ),
        )
    if one_storey and len(levels) <= 1:
        return clip, floor_z, ()
    note = f"navigation: the camera's height changes by {change:.1f} m"
    part = replace(clip, piece=np.where(placed & (np.abs(heights - last) <= STOREY_M / 2), clip.piece, -1))
    floor = clip_floor(part)
    if floor is None or not 0 < last - floor.height <= MAX_CAMERA_M:
        return clip, None, (f"{note}, and no floor was seen under its last place: which one a map is of is unknown",)
    return part, floor.height, (f"{note}: the map is of the floor under its last place, from what was seen there",)


def _navigable(
    columns: Columns,
    grid: OccupancyMap,
    plan: Plan | None,
    robot: Robot,
    status: Status,
    frames: tuple[int, ...],
) -> Navigable:
    free = grid.states == FREE
    polygons = polygons_of(free, grid, min_area=_MIN_AREA_M2)
    reachable = np.zeros_like(free) if plan is None else plan.reachable
    a, b, c = columns.band.floor
    x, y = grid.centers(np.argwhere(free)).mean(axis=0)
    return Navigable(
        status=status,
        confidence=round(float(_surely_free(columns)[free].mean()), 3),
        frames=frames,
        polygons=polygons,
        reachable=polygons_of(reachable, grid, joined=True),
        area=round(float(free.sum()) * grid.cell**2, 4),
        reachable_area=round(float(reachable.sum()) * grid.cell**2, 4),
        unknown_area=round(float((grid.states == UNKNOWN).sum()) * grid.cell**2, 4),
        floor_z=round(float(a * x + b * y + c), 4),
        cell=grid.cell,
        robot_radius=robot.radius_m,
        robot_height=robot.height_m,
        max_step=robot.max_step_m,
    )


def _surely_free(columns: Columns) -> Float64[np.ndarray, "ny nx"]:
    """How sure it is that nothing stands in a column: by the layer that is least sure of those that were looked into."""
    above = columns.log_odds[1:]
    return 1 / (1 + np.exp(np.where(above < 0, above, -np.inf).max(axis=0).astype(np.float64)))


def _path(
    columns: Columns,
    plan: Plan,
    objects: Sequence[Detection],
    robot: Robot,
    goal: GoalWanted,
    status: Status,
    frames: tuple[int, ...],
) -> tuple[Path | None, tuple[str, ...]]:
    wanted, cell, notes = resolve(plan, objects, robot, goal)
    if wanted is None or cell is None:
        return None, notes
    if plan.start_moved > (0 if plan.begin.box is None else robot.radius_m + BESIDE_M):
        lacks = "which is not free" if plan.begin.box is None else "beside which there is no room"
        notes = (f"path: the start is {plan.start_moved:.2f} m from {plan.begin.said}, {lacks}", *notes)
    places = np.concatenate([plan.places[:-1], plan.grid.centers(plan.routes.to(cell))])
    exact = np.asarray(wanted.place)
    if wanted.kind == "point" and wanted.found and plan.blocks.distance(places[-1], exact) >= robot.radius_m:
        places = np.concatenate([places, exact[None]])
    places = pull_tight(places, plan.blocks, robot.radius_m)
    swept = plan.grid.states == FREE
    swept &= distance_to_path(plan.grid, places) <= robot.radius_m
    return (
        Path(
            status=status,
            confidence=round(float(_surely_free(columns)[swept].min()), 3),
            frames=frames,
            goal=wanted,
            places=tuple((round(float(x), 4), round(float(y), 4)) for x, y in places),
            length=round(length_of(places), 4),
            clearance=round(plan.blocks.along(places) - robot.radius_m, 4),
            start_moved=round(plan.start_moved, 4),
        ),
        notes,
    )
