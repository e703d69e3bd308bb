"""Places of one thing over time."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """Where a thing was.

    Attributes:
        frame: positions in the clip, ascending.
        time_s: of those frames.
        center_world: of its box, metres.
        sigma_m: standard deviation of each place.
        moved: whether depth shows that something moved there.
    """

    frame: Int64[np.ndarray, "n"]
    time_s: Float64[np.ndarray, "n"]
    center_world: Float64[np.ndarray, "n 3"]
    sigma_m: Float64[np.ndarray, "n"]
    moved: Bool[np.ndarray, "n"]

    def only(self, keep: slice | Int64[np.ndarray, "m"]) -> "Track":
        """Some of its places."""
        return Track(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    def velocity_m_s(self) -> tuple[Float64[np.ndarray, "3"], float] | None:
        """The line through the places, least squares weighted by their certainty, and the slope's standard deviation; None for a single one."""
        if len(self.frame) < 2 or np.ptp(self.time_s) < 1e-6:
            return None
        weight = 1.0 / self.sigma_m**2
        late = self.time_s - np.average(self.time_s, weights=weight)
        spread = float(weight @ late**2)
        return (weight * late) @ self.center_world / spread, spread**-0.5
