"""Oriented boxes as data sets write them (centre, lengths, axes), brought to one form: the third axis up, right-handed."""

import numpy as np
from jaxtyping import Float64

from video3d.data.sources.visibility import convex_hull
from video3d.types import Box3D, InputError
from video3d.video.json_files import want_numbers

_MIN_SIZE_M, _MAX_SIZE_M = 0.005, 200.0


def upright_box(
    center: Float64[np.ndarray, "3"], size_m: Float64[np.ndarray, "3"], axes: Float64[np.ndarray, "3 3"]
) -> Box3D:
    """A box whose axes are given as rows in any order and sense; the one nearest to up becomes z.

    >>> box = upright_box(np.zeros(3), np.array([1.0, 2.0, 3.0]), np.array([[0.0, 0, -1], [1, 0, 0], [0, 1, 0]]))
    >>> box.size_m.tolist(), box.world_from_box.tolist()
    ([2.0, 3.0, 1.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    """
    up = int(np.abs(axes[:, 2]).argmax())
    order = [i for i in range(3) if i != up] + [up]
    turned, size = axes[order].copy(), size_m[order]
    turned[2] *= 1.0 if turned[2, 2] >= 0 else -1.0
    turned[1] = np.cross(turned[2], turned[0])
    u, _, vt = np.linalg.svd(turned.T)
    return Box3D(center_world=center.astype(np.float64), size_m=size.astype(np.float64), world_from_box=u @ vt)


def box_of_points(points: Float64[np.ndarray, "n 3"]) -> Box3D:
    """The upright box with the smallest footprint around points: one of its sides lies on their outline seen from above.

    >>> turned = np.array([[0.0, 0, 0], [3, 4, 0], [-8, 6, 0], [-5, 10, 2]])  # 5 by 10, turned
    >>> sorted(box_of_points(turned).size_m.round(6).tolist())
    [2.0, 5.0, 10.0]
    """
    outline = convex_hull(points[:, :2])
    sides = np.roll(outline, -1, axis=0) - outline if len(outline) > 1 else np.array([[1.0, 0.0]])
    headings = np.unique(np.round(np.arctan2(sides[:, 1], sides[:, 0]) % (np.pi / 2), 9))
    best, smallest = np.eye(2), np.inf
    for heading in headings:
        turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        extent = np.ptp(outline @ turn.T, axis=0)
        if extent.prod() < smallest - 1e-9:
            best, smallest = turn, float(extent.prod())
    axes = np.eye(3)
    axes[:2, :2] = best
    along = points @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    return upright_box(axes.T @ ((low + high) / 2), np.maximum(high - low, _MIN_SIZE_M), axes)


def read_obb(value: dict, thing: object) -> Box3D:
    """``centroid``, ``axesLengths`` and ``normalizedAxes`` (nine numbers, an axis a row), as ARKitScenes and ScanNet++ have them.

    Errors: ``InputError`` for numbers that are missing, not finite, not positive, or axes that are no rotation.
    """
    center = want_numbers(value, "centroid", (3,), thing)
    size = want_numbers(value, "axesLengths", (3,), thing)
    axes = want_numbers(value, "normalizedAxes", (9,), thing).reshape(3, 3)
    if not (size > 0).all() or size.max() > _MAX_SIZE_M or np.abs(center).max() > 1e4:
        raise InputError(thing, expected="a box of a room's size", got=f"{size.tolist()} m at {center.tolist()} m")
    if np.abs(axes @ axes.T - np.eye(3)).max() > 0.02:
        raise InputError(thing, expected="three axes square to one another", got=axes.round(3).tolist())
    return upright_box(center, np.maximum(size, _MIN_SIZE_M), axes)
