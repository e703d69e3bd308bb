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
    """

    frame: Int64[np.ndarray, "n"]
    time_s: Float64[np.ndarray, "n"]
    center_world: Float64[np.ndarray, "n 3"]

    def velocity_m_s(self) -> Float64[np.ndarray, "3"] | None:
        """The median of the slopes between all pairs of places (Theil, 1950; Sen, 1968), axis by axis; None for fewer than three."""
        if len(self.frame) < 3:
            return None
        i, j = np.triu_indices(len(self.frame), 1)
        seconds = self.time_s[j] - self.time_s[i]
        apart = seconds > 1e-6
        if not apart.any():
            return None
        return np.median((self.center_world[j] - self.center_world[i])[apart] / seconds[apart, None], axis=0)
