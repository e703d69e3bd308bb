"""World frame, camera, and where each quantity came from.

World: right-handed, metres, +z up once aligned. Camera: OpenCV axes (x right, y down, z forward), pixel centres at
+0.5 (the centre of the top-left pixel is (0.5, 0.5)), so that a resize only scales K. Transforms are named
``a_from_b``: ``point_a = a_from_b @ point_b``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

Status = Literal["measured", "estimated", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is known of the world frame. False means not known, never assumed.

    Attributes:
        metric: lengths are metres. Otherwise they are right up to one unknown factor.
        gravity_aligned: +z points up.
        origin: where (0, 0, 0) is, in words.
    """

    metric: bool = False
    gravity_aligned: bool = False
    origin: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One pinhole view.

    Attributes:
        size_hw: height and width in pixels.
        k_px: intrinsics in pixels, pixel centres at +0.5.
        world_from_camera: rigid pose, or None where it is not known.
    """

    size_hw: tuple[int, int]
    k_px: Float64[np.ndarray, "3 3"]
    world_from_camera: Float64[np.ndarray, "4 4"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometryStatus:
    """For every quantity: measured by the recording, estimated here, or unknown; ``notes`` say how, in words.

    ``scale`` tells whether lengths are metres (World.metric) and who says so; ``gravity`` the same for +z up.
    """

    depth: Status = "unknown"
    intrinsics: Status = "unknown"
    poses: Status = "unknown"
    scale: Status = "unknown"
    gravity: Status = "unknown"
    notes: tuple[str, ...] = ()
