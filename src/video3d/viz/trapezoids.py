"""A polygon with holes as triangles, exactly: cut into level strips at the height of every corner, each strip into trapezoids."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64


def triangles_of(
    rings: Sequence[Float64[np.ndarray, "_ 2"]],
) -> tuple[Float64[np.ndarray, "n 2"], Int64[np.ndarray, "t 3"]]:
    """Corners and triangles of the area inside an odd number of rings; rings may be any simple polygons, in any order.

    Args:
        rings: corners of each; the first is not repeated. Fewer than three corners enclose nothing.

    >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    >>> corners, triangles = triangles_of([square, square / 2 + 1])
    >>> a, b, c = (corners[triangles[:, i]] for i in range(3))
    >>> float(np.abs(np.cross(np.c_[b - a, 0 * a[:, 0]], np.c_[c - a, 0 * a[:, 0]])[:, 2]).sum() / 2)
    12.0
    """
    rings = [ring for ring in rings if len(ring) >= 3]
    corners, triangles = np.zeros((0, 2)), np.zeros((0, 3), np.int64)
    if not rings:
        return corners, triangles
    begin = np.concatenate(rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    down = begin[:, 1] > end[:, 1]
    low, high = np.where(down[:, None], end, begin), np.where(down[:, None], begin, end)
    found = []
    heights = np.unique(begin[:, 1])
    for bottom, top in pairwise(heights):
        across = (low[:, 1] <= bottom) & (high[:, 1] >= top)  # no edge ends inside of a strip
        a, b = low[across], high[across]
        slope = (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
        x0, x1 = a[:, 0] + slope * (bottom - a[:, 1]), a[:, 0] + slope * (top - a[:, 1])
        order = np.argsort(x0 + x1, kind="stable")
        x0, x1 = x0[order], x1[order]
        for left in range(0, len(order) - 1, 2):
            right = left + 1
            found.append([(x0[left], bottom), (x0[right], bottom), (x1[right], top), (x1[left], top)])
    if found:
        corners = np.array(found, np.float64).reshape(-1, 2)
        first = 4 * np.arange(len(found), dtype=np.int64)[:, None]
        triangles = np.concatenate([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])])
    return corners, triangles


def filled(
    rings: Sequence[Float64[np.ndarray, "_ 3"]],
) -> tuple[Float64[np.ndarray, "n 3"], Int64[np.ndarray, "t 3"]]:
    """The same for rings that lie in one plane of space, by the outer ring's own best plane; nothing where it is a line.

    >>> ring = np.array([[0.0, 0, 0], [0, 2, 0], [0, 2, 1], [0, 0, 1]])
    >>> corners, triangles = filled([ring])
    >>> corners.shape, triangles.shape, bool(np.allclose(corners[:, 0], 0))
    ((4, 3), (2, 3), True)
    """
    if not rings or len(rings[0]) < 3:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    middle = rings[0].mean(axis=0)
    axes = np.linalg.svd(rings[0] - middle, full_matrices=False)[2]
    flat = [(ring - middle) @ axes[:2].T for ring in rings]
    step = 1e-7 * (
        float(np.ptp(flat[0], axis=0).max()) or 1.0
    )  # corners of one height are of one height, in spite of rounding
    corners, triangles = triangles_of([np.round(ring / step) * step for ring in flat])
    return middle + corners @ axes[:2], triangles
