"""Furnisher: puts things into a room one by one, each only where it fits, and remembers what stands where.

It knows four ways of placing: free on the floor, with the back to a wall, on a wall, on top of something. What may not overlap is
decided by footprints and heights: a picture hangs over a sofa, a wardrobe does not stand before a window.
"""

import numpy as np

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.floor_plan import Footprint, Room, Surface2D, in_polygon, overlap
from video3d.data.simulate.room_shell import Shell
from video3d.data.simulate.stage import StageConfig
from video3d.data.truth import GROUND

_GAP_M = 0.04
_WALL_GAP_M = 0.015
_TOP_MARGIN_M = 0.02
_RUG_M = 0.05  # nothing that one could stumble over is lower


class Furnisher:
    """Fills one room; ``room`` gives the result."""

    def __init__(
        self,
        builder: SceneBuilder,
        rng: np.random.Generator,
        library: AssetLibrary,
        config: StageConfig,
        *,
        shell: Shell,
        keep_clear: tuple[Footprint, ...],
    ) -> None:
        self.builder, self.rng, self.library, self.truth = builder, rng, library, shell.truth
        self._test = config.split == "test"
        self._keep_clear = keep_clear
        self._prints: list[Footprint] = list(shell.footprints)
        self._reserved: list[Footprint] = list(shell.before_doors)  # nothing stands there
        self._surfaces: list[Surface2D] = []
        self._on_top: dict[int, list[Footprint]] = {}
        self._supports: dict[int, int] = dict(shell.supports)
        self._inside: dict[int, int] = {}
        self._doors = shell.doors
        self.used: dict[str, int] = {name: shell.categories.count(name) for name in shell.categories}

    # ---- choosing -----------------------------------------------------------------------------------------------------

    def pick(
        self, *categories: str, most_m: tuple[float, float, float] = (9.0, 9.0, 9.0), least_height_m: float = 0.0
    ) -> Asset | None:
        """A model of one of the categories (each category is as likely) of a size within bounds; None where there is none."""
        stocked = []
        for category in categories:
            fitting = [
                a
                for a in self.library.of(category, test=self._test)
                if (a.size_m <= most_m).all() and a.size_m[2] >= least_height_m
            ]
            if fitting:
                stocked.append(fitting)
        if not stocked:
            return None
        models = stocked[int(self.rng.integers(len(stocked)))]
        return models[int(self.rng.integers(len(models)))]

    def unused(self, categories: tuple[str, ...], num: int) -> list[str]:
        """Some categories that the room does not have yet, in random order."""
        left = [c for c in categories if c not in self.used and self.library.of(c, test=self._test)]
        return [left[i] for i in self.rng.permutation(len(left))[:num]]

    def scale(self) -> float:
        """A size a little off the model's own, so that the category does not give the size away."""
        return float(np.clip(self.rng.normal(1.0, 0.07), 0.86, 1.14))

    # ---- placing ------------------------------------------------------------------------------------------------------

    def on_floor(
        self, asset: Asset, x: float, y: float, yaw_rad: float, *, scale: float = 1.0, gap_m: float = _GAP_M, on: int = GROUND
    ) -> int | None:  # fmt: skip
        """Stands an asset on the floor, or on a rug (``on``) that it does not stick out of, if it fits; its id, or None."""
        size = asset.size_m * scale
        floor_m = 0.0 if on == GROUND else self.footprint(on).top_m
        made = Footprint(
            object_id=0, center_m=(float(x), float(y)), half_m=(float(size[0] / 2), float(size[1] / 2)), yaw_rad=float(yaw_rad),
            bottom_m=floor_m, top_m=float(floor_m + size[2]),
        )  # fmt: skip
        if not self._fits(made, gap_m) or (on != GROUND and not _within(made, self.footprint(on))):
            return None
        object_id = self.builder.asset(asset, (float(x), float(y), floor_m), float(yaw_rad), scale=scale)
        self._note(asset, made, object_id, on, scale, floor_m)
        return object_id

    def anywhere(self, asset: Asset, *, scale: float = 1.0, tries: int = 20, gap_m: float = 0.1) -> int | None:
        """Stands an asset on the floor at a random free place and turn."""
        low, high = self.truth.floor_polygon_m.min(0), self.truth.floor_polygon_m.max(0)
        for _ in range(tries):
            x, y = self.rng.uniform(low, high)
            yaw = float(self.rng.choice([0.0, 0.5, 1.0, 1.5]) * np.pi + self.rng.normal(0, 0.25))
            placed = self.on_floor(asset, float(x), float(y), yaw, scale=scale, gap_m=gap_m)
            if placed is not None:
                return placed
        return None

    def at_wall(
        self, asset: Asset, *, wall: int | None = None, along: float | None = None, scale: float = 1.0, tries: int = 16,
        corner: bool = False,
    ) -> int | None:  # fmt: skip
        """Stands an asset with its back to a wall. ``along`` is where on the wall, 0..1; ``corner`` puts it near an end."""
        size = asset.size_m * scale
        for _ in range(tries):
            start, end, inward = self.wall(self._any_wall() if wall is None else wall)
            length = float(np.linalg.norm(end - start))
            if length < size[0] + 0.04:
                continue
            edge = (size[0] / 2 + 0.02) / length
            at = self.rng.uniform(edge, 1 - edge) if along is None else float(np.clip(along, edge, 1 - edge))
            if corner:
                at = (
                    edge + self.rng.uniform(0, 0.06)
                    if self.rng.random() < 0.5
                    else 1 - edge - self.rng.uniform(0, 0.06)
                )
            place = start + at * (end - start) + inward * (size[1] / 2 + _WALL_GAP_M)
            placed = self.on_floor(asset, place[0], place[1], yaw_facing(inward), scale=scale)
            if placed is not None or (wall is not None and along is not None):
                return placed
        return None

    def on_wall(
        self, asset: Asset, bottom_m: float, *, wall: int | None = None, along: float | None = None, scale: float = 1.0,
        tries: int = 16,
    ) -> int | None:  # fmt: skip
        """Hangs an asset on a wall, its bottom at a height."""
        size = asset.size_m * scale
        if bottom_m + size[2] > self.truth.height_m - 0.05:
            return None
        for _ in range(tries):
            start, end, inward = self.wall(self._any_wall() if wall is None else wall)
            length = float(np.linalg.norm(end - start))
            if length < size[0] + 0.1:
                continue
            edge = (size[0] / 2 + 0.05) / length
            at = self.rng.uniform(edge, 1 - edge) if along is None else float(np.clip(along, edge, 1 - edge))
            place = start + at * (end - start) + inward * (size[1] / 2 + 0.003)
            yaw = yaw_facing(inward)
            made = Footprint(
                object_id=0, center_m=(float(place[0]), float(place[1])), half_m=(float(size[0] / 2), float(size[1] / 2)),
                yaw_rad=yaw, bottom_m=bottom_m, top_m=float(bottom_m + size[2]),
            )  # fmt: skip
            if not self._fits(made, 0.02, inside=False):
                continue
            object_id = self.builder.asset(asset, (float(place[0]), float(place[1]), float(bottom_m)), yaw, scale=scale)
            self._note(asset, made, object_id, None, scale, bottom_m)
            return object_id
        return None

    def over(self, object_id: int, asset: Asset, bottom_m: float) -> int | None:
        """Hangs an asset on the wall above something that stands with its back to it, if it fits there."""
        base = self.footprint(object_id)
        for index in range(self.num_walls):
            start, end, inward = self.wall(index)
            away = float((np.asarray(base.center_m) - start) @ inward)
            if abs(away - base.half_m[1]) < 0.1 and abs(np.sin(yaw_facing(inward) - base.yaw_rad)) < 1e-3:
                length = float(np.linalg.norm(end - start))
                along = float((np.asarray(base.center_m) - start) @ (end - start)) / length**2
                return self.on_wall(asset, bottom_m, wall=index, along=along, tries=1)
        return None

    def on_top(
        self, support_id: int, asset: Asset, *, scale: float = 1.0, tries: int = 12, yaw_rad: float | None = None,
        back: bool = False, gap_m: float = 0.03,
    ) -> int | None:  # fmt: skip
        """Puts an asset on top of something, where there is still room on it; ``back`` puts it at the back edge, facing forward."""
        surface = next((s for s in self._surfaces if s.object_id == support_id), None)
        if surface is None:
            return None
        size = asset.size_m * scale
        if surface.height_m + size[2] > self.truth.height_m - 0.1:
            return None
        c, s = np.cos(surface.yaw_rad), np.sin(surface.yaw_rad)
        for _ in range(tries):
            turn = (
                (float(self.rng.normal(0, 0.3)) if yaw_rad is None else yaw_rad)
                if asset.has_front
                else float(self.rng.uniform(-3, 3))
            )
            if back:
                turn = float(self.rng.normal(0, 0.06))
            reach = np.abs([[np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ (size[:2] / 2)
            room = np.asarray(surface.half_m) - reach - _TOP_MARGIN_M
            if (room < 0).any():
                if asset.has_front or (np.asarray(surface.half_m) - size[:2] / 2 < _TOP_MARGIN_M).any():
                    return None
                turn, room = 0.0, np.asarray(surface.half_m) - size[:2] / 2 - _TOP_MARGIN_M
            local = self.rng.uniform(-room, room)
            if back:
                local[1] = room[1]
            x, y = np.array([[c, -s], [s, c]]) @ local + surface.center_m
            made = Footprint(
                object_id=0, center_m=(float(x), float(y)), half_m=(float(size[0] / 2), float(size[1] / 2)),
                yaw_rad=float(surface.yaw_rad + turn), bottom_m=surface.height_m, top_m=float(surface.height_m + size[2]),
            )  # fmt: skip
            beside = self._on_top.setdefault(support_id, [])
            hanging = [p for p in self._prints if p.bottom_m > 0 and p.object_id not in self._supports]
            if any(overlap(made, other, gap_m) for other in beside) or any(_clash(made, p, 0.02) for p in hanging):
                continue
            object_id = self.builder.asset(asset, (float(x), float(y), surface.height_m), made.yaw_rad, scale=scale)
            beside.append(made)
            self._note(asset, made, object_id, support_id, scale, surface.height_m)
            return object_id
        return None

    def put_inside(
        self, container_id: int, asset: Asset, x: float, y: float, bottom_m: float, yaw_rad: float, scale: float
    ) -> int:
        """Puts an asset into a container at a place that the caller knows to fit."""
        object_id = self.builder.asset(asset, (x, y, bottom_m), yaw_rad, scale=scale)
        self._supports[object_id], self._inside[object_id] = container_id, container_id
        self.used[asset.category] = self.used.get(asset.category, 0) + 1
        return object_id

    def claim(self, footprint: Footprint) -> bool:
        """Takes a piece of floor for something that the caller builds himself, if it is free."""
        if not self._fits(footprint, 0.08):
            return False
        self._prints.append(footprint)
        return True

    # ---- asking -------------------------------------------------------------------------------------------------------

    @property
    def num_walls(self) -> int:
        """Number of walls."""
        return len(self.truth.floor_polygon_m)

    def wall(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, end and inward normal of a wall."""
        polygon = self.truth.floor_polygon_m
        start, end = polygon[index % len(polygon)], polygon[(index + 1) % len(polygon)]
        along = (end - start) / np.linalg.norm(end - start)
        return start, end, np.array([-along[1], along[0]])  # the polygon is counter-clockwise

    def footprint(self, object_id: int) -> Footprint:
        """Of something that stands in the room. Errors: ``KeyError``."""
        for found in self._prints:
            if found.object_id == object_id:
                return found
        raise KeyError(object_id)

    def surfaces(self) -> tuple[Surface2D, ...]:
        """Tops on which things can be put, of what stands in the room."""
        return tuple(self._surfaces)

    def room(self, style: str) -> Room:
        """What has been furnished."""
        return Room(
            truth=self.truth, style=style, footprints=tuple(self._prints), surfaces=tuple(self._surfaces),
            supports=dict(self._supports), inside=dict(self._inside), doors=self._doors, keep_clear=self._keep_clear,
        )  # fmt: skip

    # ---- within -------------------------------------------------------------------------------------------------------

    def _any_wall(self) -> int:
        lengths = np.array([np.linalg.norm(self.wall(i)[1] - self.wall(i)[0]) for i in range(self.num_walls)])
        return int(self.rng.choice(self.num_walls, p=lengths / lengths.sum()))

    def _fits(self, made: Footprint, gap_m: float, *, inside: bool = True) -> bool:
        if inside:
            corners = made.corners()
            outline = np.concatenate([corners, (corners + np.roll(corners, 1, axis=0)) / 2])
            inner = outline + (np.asarray(made.center_m) - outline) * 1e-3
            if not bool(in_polygon(inner, self.truth.floor_polygon_m).all()):
                return False
        if made.top_m > self.truth.height_m - 0.02:
            return False
        if any(overlap(made, clear) for clear in self._keep_clear):
            return False
        if made.bottom_m < 2.0 and any(_clash(made, door, 0.0) for door in self._reserved):
            return False
        return not any(_clash(made, other, gap_m) for other in self._prints)

    def _note(
        self, asset: Asset, made: Footprint, object_id: int, support: int | None, scale: float, bottom_m: float
    ) -> None:
        placed = Footprint(
            object_id=object_id, center_m=made.center_m, half_m=made.half_m, yaw_rad=made.yaw_rad, bottom_m=made.bottom_m,
            top_m=made.top_m,
        )  # fmt: skip
        self._prints.append(placed)
        self.used[asset.category] = self.used.get(asset.category, 0) + 1
        if support is not None:
            self._supports[object_id] = support
        stands = support is not None and bottom_m < _RUG_M
        if asset.support_height_m is not None and asset.support_bounds_m is not None and stands:
            x0, y0, x1, y1 = (value * scale for value in asset.support_bounds_m)
            c, s = np.cos(made.yaw_rad), np.sin(made.yaw_rad)
            middle = np.array([[c, -s], [s, c]]) @ [(x0 + x1) / 2, (y0 + y1) / 2] + made.center_m
            self._surfaces.append(
                Surface2D(
                    object_id=object_id, category=asset.category, center_m=(float(middle[0]), float(middle[1])),
                    half_m=(float((x1 - x0) / 2), float((y1 - y0) / 2)), yaw_rad=made.yaw_rad,
                    height_m=float(bottom_m + asset.support_height_m * scale),
                )
            )  # fmt: skip


def yaw_facing(direction: np.ndarray) -> float:
    """The turn that points an asset's front (-y) along a direction in the plane.

    >>> round(yaw_facing(np.array([1.0, 0.0])) / np.pi, 3)
    0.5
    """
    return float(np.arctan2(direction[0], -direction[1]))


def _within(inner: Footprint, outer: Footprint) -> bool:
    c, s = np.cos(outer.yaw_rad), np.sin(outer.yaw_rad)
    local = (inner.corners() - np.asarray(outer.center_m)) @ np.array([[c, -s], [s, c]])
    return bool((np.abs(local) <= outer.half_m).all())


def _clash(first: Footprint, second: Footprint, gap_m: float) -> bool:
    if first.bottom_m >= second.top_m or second.bottom_m >= first.top_m:
        return False
    return overlap(first, second, gap_m)
