"""What a mask says of the places that depth has in a picture, and what it says too much."""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.ndimage import binary_erosion

from video3d.types.detector import SeenMask

_LEAK = 1 / 256  # of a frame's longer side: as far a mask may be over its thing's edge; networks say masks in 256 steps
_DEEP = 0.5  # sizes behind or before its main surface: no longer the thing
_AS_DEEP = 0.1  # sizes behind or before all that its mask shows off its edge, for what only the edge shows


def check_mask(mask: SeenMask | None, size_hw: tuple[int, int]) -> None:
    """Raises ValueError where a mask is not within a frame of that size."""
    if mask is None:
        return
    height, width = mask.shows.shape
    if (
        min(height, width) < 1
        or min(mask.top, mask.left) < 0
        or mask.top + height > size_hw[0]
        or mask.left + width > size_hw[1]
    ):
        raise ValueError(
            f"a mask of {height} x {width} pixels from row {mask.top} and column {mask.left} on is not within a frame of {size_hw[0]} x {size_hw[1]}"
        )


def shown_at(
    mask: SeenMask,
    row: Int64[np.ndarray, "n"],
    column: Int64[np.ndarray, "n"],
    depth_hw: tuple[int, int],
    size_hw: tuple[int, int],
) -> tuple[Bool[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """Whether a mask says that pixels of a depth map show its thing, and whether they do so off the mask's edge.

    A mask that is nothing but edge is off it everywhere.

    Args:
        mask: in pixels of the frame.
        row: of the depth map.
        column: of the depth map.
        depth_hw: size of the depth map.
        size_hw: of the frame.
    """
    leak = max(1, round(_LEAK * max(size_hw)))
    core = binary_erosion(mask.shows, np.ones((3, 3), bool), iterations=leak)
    y = ((row + 0.5) * size_hw[0] / depth_hw[0]).astype(np.int64) - mask.top
    x = ((column + 0.5) * size_hw[1] / depth_hw[1]).astype(np.int64) - mask.left
    height, width = mask.shows.shape
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    shown = inside & mask.shows[y, x]
    off_edge = inside & core[y, x]
    return shown, off_edge if off_edge.any() else shown


def without_leaks(
    label: Int64[np.ndarray, "n"],
    z: Float64[np.ndarray, "n"],
    size: Float64[np.ndarray, "n"],
    core: Bool[np.ndarray, "n"],
) -> Bool[np.ndarray, "n"]:
    """The places of a mask that are on its thing: its main surface and all others that may be.

    None of it is what lies far behind or before; nor what only the mask's edge shows, where it is behind or before all else.

    Args:
        label: number of the surface that each place is on; -1: without depth, or not shown.
        z: depth.
        size: of the thing, were it as far as the place.
        core: off the mask's edge.
    """
    known = label >= 0
    if not known.any():
        return known
    places = np.bincount(label[known], minlength=label.max() + 1)
    inner = np.bincount(label[known & core], minlength=len(places))
    if not inner.any():  # where there is depth there is only edge
        inner = places
    on = label == inner.argmax()
    middle, reach = float(np.median(z[on])), float(np.median(size[on]))
    far = {int(name): float(np.median(z[label == name])) for name in np.flatnonzero(places)}
    for name in np.flatnonzero(inner):
        if abs(far[int(name)] - middle) < _DEEP * reach:
            on |= label == name
    front, back = np.percentile(z[on], [1, 99])
    for name in np.flatnonzero((places > 0) & (inner == 0)):
        if front - _AS_DEEP * reach <= far[int(name)] <= back + _AS_DEEP * reach:
            on |= label == name
    return on
