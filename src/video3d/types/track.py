"""Places of one thing over time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """Where a thing was.

    Attributes:
        frame: positions in the clip, ascending.
        time_s: of those frames.
        center_world: of its box, metres.
        sigma_m: standard deviation of each place.
    """

    frame: Int64[np.ndarray, "n"]
    time_s: Float64[np.ndarray, "n"]
    center_world: Float64[np.ndarray, "n 3"]
    sigma_m: Float64[np.ndarray, "n"]

    def since(self, first: int) -> "Track":
        """Its last places, from one on."""
        return Track(
            frame=self.frame[first:], time_s=self.time_s[first:], center_world=self.center_world[first:], sigma_m=self.sigma_m[first:]
        )  # fmt: skip

    def velocity_m_s(self) -> tuple[Float64[np.ndarray, "3"], float] | None:
        """The line through the places, least squares weighted by their certainty, and the slope's standard deviation; None for fewer than three."""
        if len(self.frame) < 3 or np.ptp(self.time_s) < 1e-6:
            return None
        weight = 1.0 / self.sigma_m**2
        late = self.time_s - np.average(self.time_s, weights=weight)
        spread = float(weight @ late**2)
        return (weight * late) @ self.center_world / spread, spread**-0.5
