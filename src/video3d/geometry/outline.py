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
    loops = _loops(mask)
    if not loops:
        return np.zeros((0, 2))
    loop = max(loops, key=_area)
    # A closed line is simplified as two open ones, between its first corner and the one farthest from it.
    far = int(np.linalg.norm(loop - loop[0], axis=1).argmax())
    first, second = _simplified(loop[: far + 1], tolerance), _simplified(np.r_[loop[far:], loop[:1]], tolerance)
    return np.r_[first[:-1], second[:-1]]


def _area(loop: Float64[np.ndarray, "k 2"]) -> float:
    x, y = loop.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _loops(mask: Bool[np.ndarray, "r c"]) -> list[Float64[np.ndarray, "k 2"]]:
    """Edges between set and unset cells, set ones to the left, joined end to end."""
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1]
    sides = (
        (inner & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # below: along +x
        (inner & ~padded[1:-1, 2:], (1, 0), (1, 1)),  # right: along +y
        (inner & ~padded[2:, 1:-1], (1, 1), (0, 1)),  # above: along -x
        (inner & ~padded[1:-1, :-2], (0, 1), (0, 0)),  # left: along -y
    )
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for edge, begin, end in sides:
        for row, column in np.argwhere(edge).tolist():
            following.setdefault((column + begin[0], row + begin[1]), []).append((column + end[0], row + end[1]))
    loops = []
    while following:
        start = next(iter(following))
        loop, here, came = [start], start, (0, 0)
        while True:
            options = following[here]
            # Where two cells touch by a corner only, the turn to the left keeps to this one's edge.
            chosen = max(options, key=lambda to, at=here, by=came: by[0] * (to[1] - at[1]) - by[1] * (to[0] - at[0]))
            options.remove(chosen)
            if not options:
                del following[here]
            came, here = (chosen[0] - here[0], chosen[1] - here[1]), chosen
            if here == start:
                break
            loop.append(here)
        loops.append(np.array(loop, dtype=np.float64))
    return loops


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
