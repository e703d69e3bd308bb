"""Where a robot can go: free floor, what stands in the way, and a path, from a clip's depth and the camera's poses.

Everything here is in metres over a floor, so it needs all three: a metric world, a direction that is up, and a floor that was seen.
What is missing is said, and nothing is made of it. Floor that nobody saw is not free, a path never leads over it, and what is over
the robot's head is none of its concern.

The camera may go up stairs; a map is of one floor. Where its height changes by more than a person who crouches (``_LEVEL_M``), only
what was seen from about its last height counts, and the floor is found again under that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.navigation_map import find_obstacles, footprint_distance, polygons_of
from video3d.answers.navigation_path import (
    Blocks,
    Routes,
    distance_to_blocked,
    distance_to_path,
    fits,
    length_of,
    pull_tight,
    routes_from,
)
from video3d.answers.results import Goal, Navigable, Obstacle, Path
from video3d.geometry.gravity import clip_floor
from video3d.geometry.occupancy import FREE, UNKNOWN, Columns, OccupancyMap, classify, map_columns, patches
from video3d.types import Detection, InputError, PosedClip, Status

CELL_M = 0.05
_LEVEL_M = 1.2
_MAX_CAMERA_M = 2.6  # over the floor that it stands on
_MIN_AREA_M2 = 0.05  # free floor in smaller patches is not listed
_MIN_START_M2 = 0.2  # a start is moved to where there is somewhere to go
_BESIDE_M = 0.5  # an object is reached where the robot's hull is this near to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Robot:
    """An upright cylinder.

    Attributes:
        radius_m: of what must not touch anything.
        height_m: what is higher does not concern it.
        max_step_m: it drives over what is no higher.

    Raises:
        InputError: a number that is not finite, a radius outside 0.01 to 5 m, a height outside 0.05 to 5 m, or a step that is
            negative or not lower than the robot.

    >>> Robot(radius_m=0.2).height_m
    1.0
    """

    radius_m: float = 0.25
    height_m: float = 1.0
    max_step_m: float = 0.05

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("robot radius", self.radius_m, 0.01, 5.0),
            ("robot height", self.height_m, 0.05, 5.0),
            ("robot step", self.max_step_m, 0.01, min(0.5, self.height_m / 2)),
        ):
            if not low <= value <= high:
                raise InputError(name, expected=f"{low:g} to {high:g} m", got=value, do="give metres")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalWanted:
    """Where to: a place (x, y in metres, in the world), an object's name, or with neither the farthest place.

    Attributes:
        said: in the user's words.
        place: on the floor.
        name: of an object, as detections are labelled.

    Raises:
        InputError: a place that is not finite, or farther than 1,000 km.
    """

    said: str = ""
    place: tuple[float, float] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.place is not None and not all(abs(value) <= 1e6 for value in self.place):
            raise InputError(
                "goal", expected="x and y in metres, in the world", got=self.place, do="name a place nearby"
            )


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
    clip: PosedClip, facts: SceneFacts, objects: Sequence[Detection], *, robot: Robot, goal: GoalWanted
) -> NavigationParts:
    """The map of a scene for a robot, and its path from under the camera's last place to a goal.

    Args:
        clip: frames with depth and poses, as ``align_to_gravity`` leaves them.
        facts: of the same clip.
        objects: with names, for obstacles and goals; may be empty.
        robot: how large it is.
        goal: where to.

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
    part, floor_z, notes = _one_level(clip, facts)
    if floor_z is None:
        return _nothing(*notes)
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
    plan = _Plan.of(grid, robot, end[:2])
    frames = tuple(int(clip.frame_index[frame]) for frame in columns.frames)
    navigable = _navigable(columns, grid, plan, robot, status, frames)
    path, more = (
        (None, (_no_room(robot),)) if plan is None else _path(columns, plan, objects, robot, goal, status, frames)
    )
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


def _one_level(clip: PosedClip, facts: SceneFacts) -> tuple[PosedClip, float | None, tuple[str, ...]]:
    """The clip, with the frames of one floor only, and that floor's height; None where it was not seen."""
    floor_z = facts.floor_z
    heights = clip.world_from_camera[:, 2, 3]
    placed = (clip.piece == 0) & np.isfinite(heights)
    path = facts.trajectory.centers[:, 2] if facts.trajectory.num_poses else heights[placed]
    last = float(path[-1])
    if float(np.ptp(path)) <= _LEVEL_M and (floor_z is None or last - floor_z <= _MAX_CAMERA_M):
        return clip, floor_z, ()
    note = f"navigation: the camera's height changes by {float(np.ptp(path)):.1f} m"
    part = replace(clip, piece=np.where(placed & (np.abs(heights - last) <= _LEVEL_M / 2), clip.piece, -1))
    floor = clip_floor(part)
    if floor is None or not 0 < last - floor.height <= _MAX_CAMERA_M:
        return clip, None, (f"{note}, and no floor was seen under its last place: which one a map is of is unknown",)
    return part, floor.height, (f"{note}: the map is of the floor under its last place, from what was seen there",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Where the robot's centre can be, from its start.

    Attributes:
        grid: the map.
        blocks: what of it is not free.
        allowed: cells at whose middle it fits.
        routes: from the start to all others.
        start: (row, column).
        places: what a path begins with: the camera's last place if the robot fits there, and the middle of the start.
        start_moved: level distance from the camera's last place.
    """

    grid: OccupancyMap
    blocks: Blocks
    allowed: Bool[np.ndarray, "ny nx"]
    routes: Routes
    start: tuple[int, int]
    places: Float64[np.ndarray, "n 2"]
    start_moved: float

    @classmethod
    def of(cls, grid: OccupancyMap, robot: Robot, camera: Float64[np.ndarray, "2"]) -> "_Plan | None":
        """None where the robot fits nowhere."""
        room = distance_to_blocked(grid)
        allowed = fits(room, robot.radius_m, grid.cell)
        if not allowed.any():
            return None
        labels, count = patches(allowed)
        sizes = np.bincount(labels.reshape(-1), minlength=count + 1) * grid.cell**2
        sizes[0] = 0
        wide = sizes >= min(_MIN_START_M2, sizes.max())
        cells = np.argwhere(wide[labels])
        away = np.linalg.norm(grid.centers(cells) - camera, axis=1)
        row, column = (int(i) for i in cells[int(away.argmin())])
        blocks = Blocks(grid)
        places, moved = grid.centers(np.array([[row, column]])), float(away.min())
        if moved < grid.cell and blocks.distance(places[0], camera) >= robot.radius_m:
            places, moved = np.stack([camera, places[0]]), 0.0
        routes = routes_from((row, column), allowed, room, robot.radius_m, grid.cell)
        return cls(
            grid=grid,
            blocks=blocks,
            allowed=allowed,
            routes=routes,
            start=(row, column),
            places=places,
            start_moved=moved,
        )

    @property
    def reachable(self) -> Bool[np.ndarray, "ny nx"]:
        """Cells that the robot's centre can go to."""
        return np.isfinite(self.routes.cost)


def _navigable(
    columns: Columns,
    grid: OccupancyMap,
    plan: _Plan | None,
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
    plan: _Plan,
    objects: Sequence[Detection],
    robot: Robot,
    goal: GoalWanted,
    status: Status,
    frames: tuple[int, ...],
) -> tuple[Path | None, tuple[str, ...]]:
    wanted, cell, notes = _resolve(plan, objects, robot, goal)
    if wanted is None or cell is None:
        return None, notes
    if plan.start_moved > 0:
        notes = (f"path: the start is {plan.start_moved:.2f} m from the camera's last place, which is not free", *notes)
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


def _resolve(
    plan: _Plan, objects: Sequence[Detection], robot: Robot, goal: GoalWanted
) -> tuple[Goal | None, tuple[int, int] | None, tuple[str, ...]]:
    """The goal as it was found, the cell that a path to it ends in, and what is to be said of it."""
    cells = np.argwhere(plan.reachable)
    centers = plan.grid.centers(cells)
    cost = plan.routes.cost[cells[:, 0], cells[:, 1]]
    if goal.place is not None:
        away = np.linalg.norm(centers - goal.place, axis=1)
        best = int(away.argmin())
        found = bool(away[best] <= plan.grid.cell)
        notes = () if found else (f"path: the goal cannot be reached; the path ends {away[best]:.2f} m from it",)
        place = (float(goal.place[0]), float(goal.place[1]))
        wanted = Goal(said=goal.said, place=place, kind="point", found=found)
        return wanted, (int(cells[best, 0]), int(cells[best, 1])), notes
    if goal.name is None:
        best = int(cost.argmax())
        place = (round(float(centers[best, 0]), 4), round(float(centers[best, 1]), 4))
        wanted = Goal(said=goal.said, place=place, kind="farthest", found=True)
        return wanted, (int(cells[best, 0]), int(cells[best, 1])), ()
    named = [one for one in objects if is_called(one.label, goal.name)]
    if not named:
        labels = sorted({one.label for one in objects})
        others = f"found were: {', '.join(labels)}" if labels else "no objects were found"
        return None, None, (f"path: unknown, there is no {goal.name!r} among what was found ({others})",)
    options = []
    for one in named:
        away = footprint_distance(one.box, centers)
        near = np.flatnonzero(away <= away.min() + plan.grid.cell)
        best = int(near[cost[near].argmin()])
        beside = bool(away[best] <= robot.radius_m + _BESIDE_M)
        options.append((not beside, cost[best] if beside else away[best], best, one, float(away[best])))
    missed, _, best, one, gap = min(options, key=lambda option: option[:2])
    notes = (f"path: {one.label} cannot be reached; the path ends {gap:.2f} m from it",) if missed else ()
    place = (round(float(one.box.center_world[0]), 4), round(float(one.box.center_world[1]), 4))
    wanted = Goal(said=goal.said, place=place, kind="object", found=not missed)
    return wanted, (int(cells[best, 0]), int(cells[best, 1])), notes


def is_called(label: str, name: str) -> bool:
    """Whether a label means what is called by a name: the same words in any case, or a label that has the name's among its own.

    >>> is_called("Office chair", "chair"), is_called("armchair", "chair")
    (True, False)
    """
    words, wanted = label.casefold().split(), name.casefold().split()
    return bool(wanted) and any(words[i : i + len(wanted)] == wanted for i in range(len(words)))
