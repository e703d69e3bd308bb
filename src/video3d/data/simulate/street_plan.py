"""The street's ground plan: lanes, parking strips, sidewalks, a crossing, a junction; and the ways that lead through it.

The road runs along +x with its middle at y = 0; traffic keeps to the right, so cars that go along +x have y < 0. A junction is at
x = 0 where a street like the first runs along y. Where there is a crossing without a junction, it is at x = 0.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.traffic_path import Path, path_along, straight_path

KERB_M = 0.12
CROSSING_M = 3.0
"""Breadth of a crossing, along the road."""
_CORNER_M = 1.2  # between a junction's corner and the crossing beside it
_STOP_M = 1.2  # between the crossing and the stop line's near edge

Turn = Literal["straight", "left", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetPlan:
    """Measures of a street.

    Attributes:
        lane_m: breadth of each of the two lanes.
        parking_m: breadth of the parking strip between a lane and the kerb.
        sidewalk_m: between the kerb and the houses.
        begin_m: x at which the street begins.
        end_m: x at which it ends, at a house across.
        junction: a street crosses at x = 0.
        crossing: there is a zebra crossing, before the junction (for cars along +x) or at x = 0.
    """

    lane_m: float
    parking_m: float
    sidewalk_m: float
    begin_m: float
    end_m: float
    junction: bool
    crossing: bool

    @property
    def half_m(self) -> float:
        """From the middle of the road to the kerb."""
        return self.lane_m + self.parking_m

    @property
    def lane_y_m(self) -> float:
        """Y of the middle of the lane along +x; that along -x is at the opposite."""
        return -self.lane_m / 2

    @property
    def crossing_x_m(self) -> float:
        """X of the middle of the crossing."""
        return -(self.half_m + _CORNER_M + CROSSING_M / 2) if self.junction else 0.0

    @property
    def stop_x_m(self) -> float:
        """X at which cars along +x stop with their bumpers: the near edge of the stop line."""
        return self.crossing_x_m - CROSSING_M / 2 - _STOP_M

    def stop_back_x_m(self) -> float:
        """The same for cars along -x."""
        return -self.stop_x_m if self.junction else self.crossing_x_m + CROSSING_M / 2 + _STOP_M

    def ground_m(self, place_m: Float64[np.ndarray, "*t 2"]) -> Float64[np.ndarray, "*t"]:
        """Height of the ground: 0 on the road, the kerb's on the sidewalk, a short slope between (for whoever walks over it)."""
        outside = np.abs(place_m[..., 1]) - self.half_m
        if self.junction:
            outside = np.minimum(outside, np.abs(place_m[..., 0]) - self.half_m)
        return np.asarray(KERB_M * np.clip((outside + 0.15) / 0.3, 0.0, 1.0))

    def lane(self, direction: Literal[1, -1] = 1) -> Path:
        """Straight through along the road, from end to end."""
        y = direction * self.lane_y_m
        ends = (self.begin_m - 60.0, self.end_m + 60.0)[::direction]
        return straight_path((ends[0], y), (ends[1], y))

    def cross_lane(self, direction: Literal[1, -1] = 1) -> Path:
        """Straight through along the cross street; +1 goes along +y, on its right at x > 0."""
        x = -direction * self.lane_y_m
        return straight_path((x, -90.0 * direction), (x, 90.0 * direction))

    def turning(self, turn: Turn, *, radius_m: float | None = None) -> Path:
        """From the lane along +x straight through or into the cross street, at its right."""
        if turn == "straight":
            return self.lane()
        side = 1 if turn == "left" else -1
        radius = radius_m or (self.lane_m + 4.8 if turn == "left" else self.lane_m / 2 + 4.2)
        x = side * self.lane_m / 2
        corners = ((self.begin_m - 60.0, self.lane_y_m), (x, self.lane_y_m), (x, side * 90.0))
        return path_along(corners, radius)

    def turn_begins_m(self, turn: Turn, *, radius_m: float | None = None) -> float:
        """Distance along ``turning`` at which the arc begins."""
        path = self.turning(turn, radius_m=radius_m)
        return float(path.length_m[np.flatnonzero(np.abs(path.yaw_rad) > 1e-6)[0]])

    def over_crossing(self, direction: Literal[1, -1], *, aside_m: float = 0.0) -> Path:
        """Over the zebra crossing: +1 goes along +y, from the right-hand sidewalk (seen along +x) to the left-hand one."""
        x, y = self.crossing_x_m + aside_m, direction * (self.half_m + self.sidewalk_m / 2)
        return straight_path((x, -y), (x, y))

    def sidewalk(self, side: Literal[1, -1], direction: Literal[1, -1], *, share: float = 0.5) -> Path:
        """Along the sidewalk at y > 0 (+1) or y < 0, toward +x (+1) or -x; ``share`` 0 is the kerb, 1 the houses."""
        y = side * (self.half_m + share * self.sidewalk_m)
        ends = (self.begin_m, self.end_m)[::direction]
        return straight_path((ends[0], y), (ends[1], y))


def draw_plan(
    rng: np.random.Generator, *, junction: bool, crossing: bool, before_m: float = 45.0, after_m: float = 75.0
) -> StreetPlan:
    """Draws a street's measures; ``before_m`` and ``after_m`` are what is needed before and after x = 0.

    Half of the streets without a junction have no parking strip (cars that turn need its room).
    """
    parking = junction or rng.random() < 0.5
    return StreetPlan(
        lane_m=float(rng.uniform(3.0, 3.3)),
        parking_m=float(rng.uniform(2.15, 2.35) if parking else rng.uniform(0.25, 0.4)),
        sidewalk_m=float(rng.uniform(3.4, 4.4)),
        begin_m=-before_m - float(rng.uniform(0.0, 8.0)),
        end_m=after_m + float(rng.uniform(0.0, 15.0)),
        junction=junction,
        crossing=crossing,
    )
