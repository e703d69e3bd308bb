"""Truth as it is drawn over a picture, on the annotation page and on sheets: boxes as lines, depth and objects in colour.

Pixels have their centres at +0.5, so that a point drawn on a canvas that covers the picture lies where it was seen.
"""

import numpy as np
from jaxtyping import Float32, Float64, UInt8, UInt16

from video3d.data.truth import SceneTruth
from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import inverse_rigid, transform_points
from video3d.types import Box3D

NEAR_M = 0.05
"""Lines are cut off this near to the camera: beyond, they would run to infinity in the picture."""
UNKNOWN_RGB = (128, 128, 128)
"""What depth shows where it is not known."""

# Near is light and warm, far dark and cold; lightness falls steadily, so that it reads without telling colours apart.
_STOPS = np.array(
    [[255, 244, 179], [250, 196, 92], [240, 134, 68], [204, 76, 96], [136, 52, 124], [74, 44, 118], [24, 26, 70]],
    dtype=np.float64,
)
_MASK_ALPHA = 150
_FAR_QUANTILE = 0.99

# Corners as box_corners gives them (x slowest, z fastest): an edge joins two that differ in one axis.
EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)])


def clip_near(
    begin_camera: Float64[np.ndarray, "n 3"], end_camera: Float64[np.ndarray, "n 3"], near_m: float = NEAR_M
) -> tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"]]:
    """Cuts line segments off at the plane ``z = near_m`` of the camera; those wholly before it go.

    >>> begin, end = clip_near(np.array([[0.0, 0, -1]]), np.array([[0.0, 2, 1]]), near_m=0.5)
    >>> begin.tolist(), end.tolist()
    ([[0.0, 1.5, 0.5]], [[0.0, 2.0, 1.0]])
    """
    ahead = np.maximum(begin_camera[:, 2], end_camera[:, 2]) > near_m  # false for NaN
    begin, end = begin_camera[ahead], end_camera[ahead]
    rise = end[:, 2] - begin[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.clip((near_m - begin[:, 2]) / rise, 0.0, 1.0)[:, None]
    cut = begin + at * (end - begin)
    new_begin = np.where(begin[:, 2:] < near_m, cut, begin)
    new_end = np.where(end[:, 2:] < near_m, cut, end)
    return new_begin, new_end


def segments_px(
    corners_world: Float64[np.ndarray, "8 3"],
    camera_from_world: Float64[np.ndarray, "4 4"],
    k_px: Float64[np.ndarray, "3 3"],
    size_hw: tuple[int, int],
) -> Float64[np.ndarray, "m 4"]:
    """A box's twelve edges in the picture: x0, y0, x1, y1 in pixels; fewer where some lie behind the camera or beside the picture.

    A segment may reach out of the picture. Nothing where the camera or the box is not known.
    """
    corners = transform_points(camera_from_world, corners_world)
    begin, end = clip_near(corners[EDGES[:, 0]], corners[EDGES[:, 1]])
    ends = np.stack([begin, end], axis=1)  # m 2 3
    px = (ends @ k_px[:2].T) / ends[..., 2:]
    height, width = size_hw
    right, low = np.array([width, height], dtype=np.float64), np.zeros(2)
    beside = np.asarray((px < low).all(axis=1) | (px > right).all(axis=1)).any(axis=-1)  # m
    lines = px.reshape(-1, 4)
    return lines[~beside & np.isfinite(lines).all(axis=-1)]


def box_segments(truth: SceneTruth, frame: int, box: Box3D) -> Float64[np.ndarray, "m 4"]:
    """A box's edges in a frame of a clip; see :func:`segments_px`."""
    camera_from_world = inverse_rigid(truth.world_from_camera[frame])
    return segments_px(box_corners(box), camera_from_world, truth.k_px[frame], truth.size_hw)


def depth_scale_m(depth_m: Float32[np.ndarray, "f h w"]) -> tuple[float, float] | None:
    """Nearest and farthest depth of the colour map, in metres, the same for all frames of a clip; None where nothing is known.

    The farthest hundredth is shown as the last colour, so that a far corner does not flatten everything else.
    """
    known = depth_m[np.isfinite(depth_m)]
    if known.size == 0:
        return None
    near, far = float(known.min()), float(np.quantile(known, _FAR_QUANTILE))
    return near, max(far, near + 0.01)


def depth_colors(share: Float64[np.ndarray, "*s"]) -> UInt8[np.ndarray, "*s 3"]:
    """Colours for depth as a share of the scale, 0 near to 1 far; outside it the nearest end, NaN grey.

    >>> depth_colors(np.array([0.0, np.nan])).tolist()
    [[255, 244, 179], [128, 128, 128]]
    """
    at = np.linspace(0.0, 1.0, len(_STOPS))
    colors = np.stack([np.interp(share, at, _STOPS[:, channel]) for channel in range(3)], axis=-1)
    known = np.isfinite(share)[..., None]
    return np.where(known, colors.round(), np.array(UNKNOWN_RGB, dtype=np.float64)).astype(np.uint8)


def depth_rgb(depth_m: Float32[np.ndarray, "h w"], scale_m: tuple[float, float] | None) -> UInt8[np.ndarray, "h w 3"]:
    """A depth map in colours, over the scale that :func:`depth_scale_m` gave."""
    near, far = scale_m or (0.0, 1.0)
    return depth_colors((depth_m.astype(np.float64) - near) / (far - near))


def instance_color(object_id: int) -> tuple[int, int, int]:
    """A colour for an object: hues a golden ratio apart, so that ids next to each other look unlike.

    >>> instance_color(1) != instance_color(2)
    True
    """
    hue = 6.0 * ((object_id * 0.6180339887498949) % 1.0)
    light = 1.0 if object_id % 2 else 0.78
    x = 1.0 - abs(hue % 2.0 - 1.0)
    rgb = [(1, x, 0), (x, 1, 0), (0, 1, x), (0, x, 1), (x, 0, 1), (1, 0, x)][int(hue)]
    red, green, blue = (round(255 * light * (0.15 + 0.85 * value)) for value in rgb)
    return red, green, blue


def mask_layer(instance: UInt16[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """Masks as a layer: every object in its colour, see-through, its rim opaque; nothing where there is no object."""
    ids, places = np.unique(instance, return_inverse=True)
    table = np.array([(*instance_color(int(i)), _MASK_ALPHA) if i else (0, 0, 0, 0) for i in ids], dtype=np.uint8)
    layer = table[places.reshape(instance.shape)]
    rim = np.zeros(instance.shape, dtype=bool)
    rim[1:] |= instance[1:] != instance[:-1]
    rim[:, 1:] |= instance[:, 1:] != instance[:, :-1]
    layer[rim & (instance > 0), 3] = 255
    return layer
