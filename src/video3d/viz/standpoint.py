"""From where one looks at a scene at first, and what hides it from there."""

import numpy as np
from jaxtyping import Bool, Float64

from video3d.viz.point_views import view_axes
from video3d.viz.shown import Shown
from video3d.viz.trajectory import up_and_ahead

_OVERHEAD_M, _OVERHEAD_SHARE = 0.5, 0.05  # of the scene, where its scale is not known
_STEEPER = 0.45  # than the pictures of points: one wants to see the floor


def first_view(shown: Shown) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Where the eye is, what it looks at, and up: from behind and over the first camera, at the middle of the scene."""
    up, ahead, _ = up_and_ahead(shown.clip)
    low, high = np.quantile(shown.points, [0.06, 0.94], axis=0) if len(shown.points) else shown.extent
    away = view_axes(up, ahead)["at an angle"][2] - _STEEPER * up
    middle = (low + high).astype(np.float64) / 2
    distance = 0.8 * float(np.linalg.norm(high - low)) or shown.reach
    return middle - away / np.linalg.norm(away) * distance, middle, up


def overhead(shown: Shown) -> Bool[np.ndarray, "p"]:
    """Which points lie so far over every camera that they are a ceiling or crowns of trees, which hide the rest from above.

    None where no camera has a place.
    """
    if not len(shown.trajectory):
        return np.zeros(len(shown.points), bool)
    up = up_and_ahead(shown.clip)[0]
    more = _OVERHEAD_M if shown.clip.world.metric else _OVERHEAD_SHARE * shown.reach
    return shown.points @ up > float((shown.trajectory @ up).max()) + more
