"""What a robot's path begins at and leads to: where it can stand on a map, places, and objects by their names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from video3d.answers.navigation_map import footprint_distance
from video3d.answers.navigation_path import Blocks, Routes, distance_to_blocked, fits, routes_from
from video3d.answers.results import Goal
from video3d.answers.wishes import USUAL_HEIGHT_M
from video3d.geometry.occupancy import OccupancyMap, patches
from video3d.types import Box3D, Detection, InputError

_MIN_START_M2 = 0.2  # a start is moved to where there is somewhere to go
BESIDE_M = 0.5
"""An object is reached where the robot's hull is this near to it."""


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
    height_m: float = USUAL_HEIGHT_M
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
    """Where to (or from): a place (x, y in metres, in the world), an object's name, or with neither the farthest place.

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
class Begin:
    """What a path begins at: a place, or as near to a box as can be; and what it is called."""

    said: str
    place: Float64[np.ndarray, "2"]
    box: Box3D | None = None

    def away(self, places: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
        """Level distance of places to it."""
        if self.box is not None:
            return footprint_distance(self.box, places)
        return np.linalg.norm(places - self.place, axis=1)


def begin_of(
    objects: Sequence[Detection], start: GoalWanted | None, camera: Float64[np.ndarray, "2"]
) -> tuple[Begin, tuple[str, ...]]:
    """What a path begins at, and what is to be said of it; of several objects of a name the surest."""
    here = Begin(said="the camera's last place", place=camera)
    if start is not None and start.place is not None:
        return Begin(said=start.said, place=np.array(start.place, dtype=np.float64)), ()
    if start is None or start.name is None:
        return here, ()
    named = [one for one in objects if is_called(one.label, start.name)]
    if not named:
        return here, (f"path: starts at {here.said}, for there is no {start.name!r} among what was found",)
    surest = max(named, key=lambda one: one.score)
    return Begin(said=surest.label, place=surest.box.center_world[:2], box=surest.box), ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where the robot's centre can be, from its start.

    Attributes:
        grid: the map.
        blocks: what of it is not free.
        allowed: cells at whose middle it fits.
        routes: from the start to all others.
        start: (row, column).
        places: what a path begins with: the place asked for if the robot fits there, and the middle of the start.
        begin: what was asked for.
        start_moved: level distance from it.
    """

    grid: OccupancyMap
    blocks: Blocks
    allowed: Bool[np.ndarray, "ny nx"]
    routes: Routes
    start: tuple[int, int]
    places: Float64[np.ndarray, "n 2"]
    begin: Begin
    start_moved: float

    @classmethod
    def of(cls, grid: OccupancyMap, robot: Robot, begin: Begin) -> "Plan | None":
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
        away = begin.away(grid.centers(cells))
        row, column = (int(i) for i in cells[int(away.argmin())])
        blocks = Blocks(grid)
        places, moved = grid.centers(np.array([[row, column]])), float(away.min())
        if begin.box is None and moved < grid.cell and blocks.distance(places[0], begin.place) >= robot.radius_m:
            places, moved = np.stack([begin.place, places[0]]), 0.0
        routes = routes_from((row, column), allowed, room, robot.radius_m, grid.cell)
        return cls(
            grid=grid,
            blocks=blocks,
            allowed=allowed,
            routes=routes,
            start=(row, column),
            places=places,
            begin=begin,
            start_moved=moved,
        )

    @property
    def reachable(self) -> Bool[np.ndarray, "ny nx"]:
        """Cells that the robot's centre can go to."""
        return np.isfinite(self.routes.cost)


def resolve(
    plan: Plan, objects: Sequence[Detection], robot: Robot, goal: GoalWanted
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
        beside = bool(away[best] <= robot.radius_m + BESIDE_M)
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
