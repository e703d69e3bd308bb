"""What stands along a street: trees, lamps, benches, hydrants, signs, parked cars, people who wait.

The sidewalk has a band at the kerb for lamps, trees and signs, a free band to walk in, and a band at the houses for benches and
bins. Singles, of which there is one each so that they have a name, stand where the camera will look; the rest anywhere.
"""

from typing import Literal

import numpy as np

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.street import Street
from video3d.data.simulate.street_fleet import Fleet, crossing_asset, signal_asset
from video3d.data.simulate.street_plan import CROSSING_M, KERB_M, StreetPlan

Side = Literal[1, -1]
Span = tuple[float, float]

_SINGLES = (
    "bench", "fire hydrant", "trash can", "mailbox", "traffic sign", "bush", "potted plant", "fountain", "dog", "stroller",
    "traffic cone", "bicycle", "motorcycle",
)  # fmt: skip
_RIVALS = (
    frozenset({"fire hydrant", "mailbox", "traffic cone"}),
    frozenset({"bush", "potted plant"}),
    frozenset({"bicycle", "motorcycle"}),
)
"""Things that may be taken for one another: one of each group is enough."""
_BIG = ("bench", "fountain", "stroller", "bicycle", "motorcycle", "trash can")
_SMALL = ("trash can", "fire hydrant", "mailbox", "traffic cone", "potted plant", "dog")
_AT_KERB = frozenset({"fire hydrant", "mailbox", "traffic sign", "bicycle", "motorcycle", "traffic cone"})
_KERB_BAND_M, _WALL_BAND_M = 0.55, 0.7


class Furnisher:
    """Puts things along a street; knows which stretches of the bands are taken."""

    def __init__(self, builder: SceneBuilder, rng: np.random.Generator, street: Street, fleet: Fleet) -> None:
        self._builder, self._rng, self.street, self._fleet = builder, rng, street, fleet
        self._taken: dict[tuple[str, int], list[Span]] = {}
        self._barred: set[str] = set()
        plan = street.plan
        if plan.crossing:
            at = (plan.crossing_x_m - CROSSING_M / 2 - 0.6, plan.crossing_x_m + CROSSING_M / 2 + 0.6)
            for side in (1, -1):
                self.keep_free("kerb", side, at)
                self.keep_free("parking", side, (at[0] - 9.0, at[1] + 6.0))
        if plan.junction:
            free = plan.half_m + plan.sidewalk_m
            for side in (1, -1):
                self.keep_free("kerb", side, (-free, free))
                self.keep_free("wall", side, (-free - 1.0, free + 1.0))
                self.keep_free("parking", side, (-free - 8.0, free + 6.0))

    @property
    def plan(self) -> StreetPlan:
        """The street's."""
        return self.street.plan

    def keep_free(self, band: str, side: int, span: Span) -> None:
        """Takes a stretch of a band (``kerb``, ``wall``, ``parking``)."""
        self._taken.setdefault((band, side), []).append(span)

    def _is_free(self, band: str, side: int, span: Span) -> bool:
        return all(span[1] <= a or span[0] >= b for a, b in self._taken.get((band, side), []))

    def place(
        self,
        role: str,
        asset: Asset,
        band: str,
        side: Side,
        x_m: float,
        *,
        yaw_rad: float | None = None,
        scale: float = 1.0,
    ) -> int | None:
        """Puts a thing in a band with its front to the road; None where that stretch is taken."""
        plan, size = self.plan, asset.size_m * scale
        breadth = float(size[0])
        span = (x_m - breadth / 2 - 0.25, x_m + breadth / 2 + 0.25)
        if not self._is_free(band, side, span):
            return None
        self.keep_free(band, side, span)
        depth = float(size[1])
        if band == "kerb":
            y = plan.half_m + max(_KERB_BAND_M, depth / 2 + 0.2)
        else:
            y = plan.half_m + plan.sidewalk_m - max(_WALL_BAND_M, depth / 2 + 0.15)
        yaw = (0.0 if side > 0 else np.pi) if yaw_rad is None else yaw_rad
        object_id = self._builder.asset(asset, (x_m, side * y, KERB_M), yaw, scale=scale)
        return self.street.add(role, object_id, (x_m, side * y, yaw, breadth / 2, depth / 2))

    # ---- sorts of things ----------------------------------------------------------------------------------------------

    def crossing(self) -> int:
        """The zebra crossing."""
        object_id = self._builder.asset(crossing_asset(self.plan), (self.plan.crossing_x_m, 0.0, 0.0), np.pi / 2)
        return self.street.add("crossing", object_id)

    def signal(self, state: str, *, direction: int = 1) -> int:
        """The traffic light for cars along +x (or -x), at the right of their stop line."""
        plan = self.plan
        x = plan.stop_x_m + 0.9 if direction > 0 else plan.stop_back_x_m() - 0.9
        y = -direction * (plan.half_m + 0.35)
        yaw = -direction * np.pi / 2  # its front looks at those who come
        object_id = self._builder.asset(signal_asset(state), (x, y, KERB_M), yaw, scale=1.15)
        self.keep_free("kerb", -direction, (x - 1.5, x + 1.0))
        return self.street.add("signal", object_id, (x, y, 0.0, 0.25, 0.25))

    def cross_signal(self, state: str) -> None:
        """Lights for the cross street, seen from the side."""
        plan = self.plan
        for direction in (1, -1):
            x, y = direction * (plan.half_m + 0.35), -direction * (plan.half_m + 0.6)
            yaw = 0.0 if direction > 0 else np.pi
            object_id = self._builder.asset(signal_asset(state), (x, y, KERB_M), yaw, scale=1.15)
            self.street.add("signal", object_id, (x, y, 0.0, 0.25, 0.25))

    def trees_and_lamps(self, *, tree_sides: tuple[Side, ...] = (1, -1)) -> None:
        """Trees and lamps in turn along both kerbs, each of one sort a street; some streets have no trees, some no lamps."""
        rng, plan, fleet = self._rng, self.plan, self._fleet
        tree = fleet.draw("tree") if fleet.has("tree") else None
        lamp = fleet.draw("street lamp") if fleet.has("street lamp") else None
        kind = rng.choice(3, p=[0.6, 0.2, 0.2])
        spacing = float(rng.uniform(8.0, 13.0))
        for side in (1, -1):
            for k, x in enumerate(np.arange(plan.begin_m + rng.uniform(0, spacing), plan.end_m - 8.0, spacing)):
                asset = (tree, lamp)[k % 2] if kind == 0 else (tree if kind == 1 else lamp)
                if asset is None or (asset is tree and side not in tree_sides):
                    continue
                at = float(x + rng.uniform(-1.0, 1.0))
                if asset is tree:
                    self._tree(asset, side, at)
                else:
                    self._lamp(asset, side, at)

    def _lamp(self, asset: Asset, side: int, x: float) -> None:
        if not self._is_free("kerb", side, (x - 0.4, x + 0.4)):
            return
        self.keep_free("kerb", side, (x - 0.4, x + 0.4))
        # The arm reaches over the road; the post stands at the kerb.
        reach = float(asset.size_m[1]) / 2
        y = side * (self.plan.half_m + 0.3 + (0.15 if reach < 0.4 else -reach + 0.25))
        yaw = 0.0 if side > 0 else np.pi
        object_id = self._builder.asset(asset, (x, y, KERB_M), yaw)
        self.street.add("lamp", object_id, (x, side * (self.plan.half_m + 0.45), 0.0, 0.12, 0.12))

    def _tree(self, asset: Asset, side: int, x: float) -> None:
        if not self._is_free("kerb", side, (x - 0.6, x + 0.6)):
            return
        self.keep_free("kerb", side, (x - 0.6, x + 0.6))
        breadth = float(max(asset.size_m[:2]))
        scale = min(1.0, 2 * self.plan.sidewalk_m / breadth) * float(self._rng.uniform(0.85, 1.05))
        y = side * (self.plan.half_m + 0.8)
        object_id = self._builder.asset(
            asset, (x, y, KERB_M), float(self._rng.uniform(0, 2 * np.pi)), scale=round(scale, 1)
        )
        self.street.add("tree", object_id, (x, y, 0.0, 0.3, 0.3))

    def singles(
        self,
        focus: Span,
        num: int,
        *,
        sides: tuple[Side, ...] = (1, -1),
        without: tuple[str, ...] = (),
        near: float = 0.72,
    ) -> None:
        """Up to some things of which the street has one each, within a stretch where they will be seen."""
        rng, placed = self._rng, 0
        for category in without:
            self._bar(category)
        # Big ones first: of the small ones little is seen from ten metres.
        for name in (*rng.permutation(_BIG), *rng.permutation([c for c in _SINGLES if c not in _BIG])):
            category = str(name)
            if category in self._barred or placed >= num or not self._fleet.has(category):
                continue
            asset = self._fleet.draw(category)
            scale = float(np.round(rng.uniform(0.9, 1.15), 2))
            for _ in range(6):
                side: Side = sides[0] if rng.random() < near else sides[-1]
                yaw = None
                if category in ("bicycle", "motorcycle", "dog", "stroller"):
                    yaw = float(rng.choice([np.pi / 2, -np.pi / 2]) + rng.uniform(-0.15, 0.15))
                elif category == "traffic sign":  # faces its traffic
                    yaw = side * np.pi / 2
                band, x = "kerb" if category in _AT_KERB else "wall", float(rng.uniform(*focus))
                if self.place("thing", asset, band, side, x, yaw_rad=yaw, scale=scale) is not None:
                    placed += 1
                    self._bar(category)
                    break

    def at_corners(self, num: int, *, end: Side = 1) -> None:
        """Singles at a junction's corners at x > 0 (or < 0), where those who turn look."""
        plan, rng = self.plan, self._rng
        spots = [(s, t) for s in (1.0, -1.0) for t in (0.9, 2.6)]
        order = (*rng.permutation(_BIG), *rng.permutation(_SINGLES))
        chosen = [c for c in dict.fromkeys(str(c) for c in order) if c not in ("traffic sign", *self._barred)]
        for (side, aside), category in zip([spots[k] for k in rng.permutation(4)[:num]], chosen, strict=False):
            if category in self._barred or not self._fleet.has(category):
                continue
            asset = self._fleet.draw(category)
            out = float(max(asset.size_m[:2])) / 2 + 0.3
            x, y = end * (plan.half_m + aside + out), side * (plan.half_m + out + float(rng.uniform(0.1, 0.6)))
            yaw = float(rng.uniform(-0.3, 0.3)) - end * np.pi / 2 * (1 - 0.5 * side)  # towards the junction
            object_id = self._builder.asset(asset, (x, y, KERB_M), yaw)
            self.street.add("thing", object_id, (x, y, yaw, float(asset.size_m[0]) / 2, float(asset.size_m[1]) / 2))
            self._bar(category)

    def one_at(self, x: float, y: float, yaw_rad: float, *, small: bool = False) -> int | None:
        """A single of which the street has no other yet, at a place on the sidewalk; a big one unless it is to be small."""
        order = self._rng.permutation(_SMALL) if small else (*self._rng.permutation(_BIG), "bush", "dog")
        for category in (str(name) for name in order):
            if category in self._barred or category == "traffic sign" or not self._fleet.has(category):
                continue
            asset = self._fleet.draw(category)
            self._bar(category)
            object_id = self._builder.asset(asset, (x, y, KERB_M), yaw_rad)
            half = (float(asset.size_m[0]) / 2, float(asset.size_m[1]) / 2)
            return self.street.add("thing", object_id, (x, y, yaw_rad, *half))
        return None

    def _bar(self, category: str) -> None:
        self._barred |= {category}.union(*(rivals for rivals in _RIVALS if category in rivals))

    def parked(
        self,
        spans: tuple[tuple[Side, float, float], ...],
        num: int,
        *,
        categories: tuple[str, ...] = ("car",),
    ) -> list[int]:
        """Cars parked along stretches of the kerbs, pointing the way of their side's traffic."""
        rng, plan, found = self._rng, self.plan, []
        for _ in range(4 * num):
            if plan.parking_m < 1.0 or len(found) >= num or self._fleet.colors_left == 0:
                break
            side, first, last = spans[int(rng.integers(len(spans)))]
            category = categories[int(rng.integers(len(categories)))]
            if not self._fleet.has(category):
                category = "car"
            x = float(rng.uniform(first, last))
            reach = {"car": 2.9, "van": 3.6, "truck": 4.6}.get(category, 3.0)
            if not self._is_free("parking", side, (x - reach, x + reach)):
                continue
            asset = self._fleet.draw(category)
            room = plan.parking_m - float(asset.size_m[0])
            if room < 0.1:
                continue
            self.keep_free("parking", side, (x - reach, x + reach))
            y = side * (plan.half_m - float(asset.size_m[0]) / 2 - float(rng.uniform(0.08, min(room, 0.3))))
            yaw = (-np.pi / 2 if side > 0 else np.pi / 2) + float(rng.normal(0, 0.01))
            object_id = self._builder.asset(asset, (x, y, 0.0), yaw)
            half = (float(asset.size_m[1]) / 2, float(asset.size_m[0]) / 2)
            found.append(self.street.add("parked", object_id, (x, y, 0.0, *half)))
        return found

    def parked_across(self, num: int) -> None:
        """Cars parked in the cross street, off the junction."""
        rng, plan = self._rng, self.plan
        for k in range(num):
            if self._fleet.colors_left == 0:
                return
            asset = self._fleet.draw("car")
            side, end = (1, -1)[k % 2], (1, -1)[int(rng.integers(2))]
            x = side * (plan.half_m - float(asset.size_m[0]) / 2 - 0.12)
            y = end * (plan.half_m + plan.sidewalk_m + float(rng.uniform(2.5, 5.0)) + 6.0 * (k // 2))
            object_id = self._builder.asset(asset, (x, y, 0.0), 0.0 if side < 0 else np.pi)
            half = (float(asset.size_m[0]) / 2, float(asset.size_m[1]) / 2)
            self.street.add("parked", object_id, (x, y, 0.0, *half))

    def person(self, x: float, y: float, yaw_rad: float) -> int:
        """Somebody who stands, looking along a direction (yaw of the gaze)."""
        asset = self._fleet.draw("person")
        z = float(self.plan.ground_m(np.array([x, y])))
        object_id = self._builder.asset(asset, (x, y, z), yaw_rad + np.pi / 2)
        return self.street.add("person", object_id, (x, y, 0.0, 0.3, 0.3))
