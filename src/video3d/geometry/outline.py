"""Shapes on a plane: the outline of a set of cells as a polygon with few corners, and the smallest rectangle around places."""

import numpy as np
from jaxtyping import Bool, Float64


def outer_outline(mask: Bool[np.ndarray, "r c"], tolerance: float = 1.0) -> Float64[np.ndarray, "k 2"]:
    """Corners (x, y) in cells, counter-clockwise where y points up, of the outer edge of the largest loop around set cells.

    Holes are left out. Corners closer than ``tolerance`` cells to the line between others are dropped (Douglas and
    Peucker, 1973). Empty where nothing is set.

    >>> mask = np.zeros((4, 5), bool); mask[1:3, 1:4] = True
    >>> outer_outline(mask).tolist()
    [[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]]
    """
    loops = [ring for _, ring in rings(mask)]
    if not loops:
        return np.zeros((0, 2))
    loop = max(loops, key=signed_area)
    # A closed line is simplified as two open ones, between its first corner and the one farthest from it.
    far = int(np.linalg.norm(loop - loop[0], axis=1).argmax())
    first, second = _simplified(loop[: far + 1], tolerance), _simplified(np.r_[loop[far:], loop[:1]], tolerance)
    return np.r_[first[:-1], second[:-1]]


def signed_area(ring: Float64[np.ndarray, "k 2"]) -> float:
    """Of a ring of corners (x, y): positive where it is counter-clockwise.

    >>> signed_area(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]))
    2.0
    """
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def rings(
    mask: Bool[np.ndarray, "r c"], *, joined: bool = False
) -> list[tuple[tuple[int, int], Float64[np.ndarray, "k 2"]]]:
    """Closed rings of corners (x, y), in cells, along a mask's rim with the mask on their left, each with a cell of it beside it.

    Outer rings are counter-clockwise where y points up, holes clockwise.

    Args:
        mask: cells.
        joined: cells that touch at a corner are in one ring, which touches itself there.
    """
    padded = np.pad(mask, 1)
    ahead: dict[tuple[int, int], dict[tuple[int, int], tuple[int, int]]] = {}  # corner -> direction -> cell on the left
    for (dy, dx), start, along in (
        ((-1, 0), (0, 0), (1, 0)),  # free below: its lower side, to the right
        ((0, 1), (1, 0), (0, 1)),
        ((1, 0), (1, 1), (-1, 0)),
        ((0, -1), (0, 1), (0, -1)),
    ):
        open_side = mask & ~padded[1 + dy : 1 + dy + mask.shape[0], 1 + dx : 1 + dx + mask.shape[1]]
        for row, column in np.argwhere(open_side).tolist():
            ahead.setdefault((column + start[0], row + start[1]), {})[along] = (row, column)
    found = []
    while ahead:
        first = at = next(iter(ahead))
        begun = onward = next(iter(ahead[first]))
        cell, ring = ahead[first][begun], []
        while True:
            ring.append(at)
            at = (at[0] + onward[0], at[1] + onward[1])
            ways = ahead[at]
            if len(ways) == 2:  # two areas meet at a corner: left stays on this one, right goes over to the other
                onward = (onward[1], -onward[0]) if joined else (-onward[1], onward[0])
            else:
                onward = next(iter(ways))
            del ways[onward]
            if not ways:
                del ahead[at]
            if (at, onward) == (first, begun):
                break
        found.append((cell, np.array(_without_middles(ring), dtype=np.float64)))
    return found


def _without_middles(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A ring without corners at which it goes straight on."""
    kept = []
    for i, at in enumerate(ring):
        before, after = ring[i - 1], ring[(i + 1) % len(ring)]
        if (at[0] - before[0]) * (after[1] - at[1]) != (at[1] - before[1]) * (after[0] - at[0]):
            kept.append(at)
    return kept


def _simplified(line: Float64[np.ndarray, "k 2"], tolerance: float) -> Float64[np.ndarray, "m 2"]:
    keep = np.zeros(len(line), dtype=bool)
    keep[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        along = line[last] - line[first]
        off = line[first + 1 : last] - line[first]
        length = float(np.hypot(*along))
        distance = (
            np.abs(along[0] * off[:, 1] - along[1] * off[:, 0]) / length if length else np.linalg.norm(off, axis=1)
        )
        worst = int(distance.argmax())
        if distance[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return line[keep]


def smallest_rectangle(
    xy: Float64[np.ndarray, "n 2"], trim: float, step_deg: float = 1.0
) -> tuple[float, float, float]:
    """Length, width and direction in degrees of the smallest rectangle, ``trim`` percent cut off each side.

    >>> x, y = np.meshgrid(np.arange(5.0), np.arange(3.0))
    >>> [round(float(v)) for v in smallest_rectangle(np.stack([x.ravel(), y.ravel()], axis=1), 0.0)]
    [4, 2, 0]
    """
    best = (np.inf, 0.0, 0.0, 0.0)
    for angle in np.arange(0.0, 90.0, step_deg):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        along, across = xy @ np.array([c, s]), xy @ np.array([-s, c])
        (low_a, high_a), (low_b, high_b) = (np.percentile(v, [trim, 100 - trim]) for v in (along, across))
        sides = (high_a - low_a, high_b - low_b)
        if sides[0] * sides[1] < best[0]:
            best = (sides[0] * sides[1], *sides, angle)
    _, first, second, angle = best
    return (first, second, angle) if first >= second else (second, first, angle + 90.0)
