"""A small cart: an open bed on four wheels with a bar to push it by, of one plain colour."""

from dataclasses import replace

import numpy as np

from video3d import vocabulary
from video3d.data.simulate.asset import Asset
from video3d.data.simulate.modeller import Modeller, Rgb

HALF_M = (0.12, 0.2)
"""Half breadth and half length, wheels and all."""
TOP_M, BAR_M = 0.17, 0.33
"""Heights of the bed's rim and of the bar."""
DENSITY = 500.0
_BELOW_M, _WALL_M, _WHEEL_M = 0.05, 0.014, 0.055
_TYRE, _HUB, _STEEL = (0.07, 0.07, 0.08), (0.75, 0.75, 0.78), (0.5, 0.5, 0.54)
_WHEELS = tuple((sx, sy) for sx in (-1, 1) for sy in (-1, 1))


def cart(color: str) -> Asset:
    """The cart, its front at -y. It collides as a block on four feet: what is round or thin is only drawn.

    Args:
        color: the word for it.

    >>> made = cart("red")
    >>> made.size_m.round(2).tolist(), len(made.collision_boxes_m), made.color
    ([0.24, 0.4, 0.33], 5, 'red')
    """
    m, rgb = Modeller(), vocabulary.color(color).rgb
    x, y = HALF_M
    _bed(m, rgb, x - 0.025, y)
    for sx, sy in _WHEELS:
        near, at = min(sx * x, sx * (x - 0.022)), sy * 0.135
        tyre = near + (0.002 if sx < 0 else 0.0)
        m.lathe((tyre, at, _WHEEL_M), _disc(_WHEEL_M, 0.02), _TYRE, axis="x", collides=False)
        m.lathe((near, at, _WHEEL_M), _disc(0.028, 0.022), _HUB, axis="x", collides=False)
        m.box((sx * (x - 0.04), y - 0.009, (TOP_M + BAR_M) / 2), (0.018, 0.018, BAR_M - TOP_M), _STEEL, collides=False)
    m.box((0, y - 0.009, BAR_M - 0.011), (2 * x, 0.018, 0.022), rgb, collides=False)
    boxes = [[0.0, 0.0, (TOP_M + _BELOW_M) / 2, x, y, (TOP_M - _BELOW_M) / 2]]
    boxes += [[sx * 0.105, sy * 0.14, 0.03, 0.015, 0.03, 0.03] for sx, sy in _WHEELS]
    solid = np.array(boxes)
    made = m.asset(f"primitive/cart-{color}", "cart", "cart", "floor")
    mass = DENSITY * float(np.prod(2 * solid[:, 3:], axis=1).sum())
    return replace(made, kind="experiment", collision_boxes_m=solid, mass_kg=mass, color=color)


def _bed(m: Modeller, rgb: Rgb, x: float, y: float) -> None:
    high, wall = TOP_M - _BELOW_M, _WALL_M
    m.box((0, 0, _BELOW_M + wall), (2 * x, 2 * y, 2 * wall), rgb, collides=False)
    for side in (-1, 1):
        m.box((side * (x - wall / 2), 0, _BELOW_M + high / 2), (wall, 2 * y, high), rgb, collides=False)
        m.box((0, side * (y - wall / 2), _BELOW_M + high / 2), (2 * x, wall, high), rgb, collides=False)


def _disc(radius_m: float, thick_m: float) -> list[tuple[float, float]]:
    return [(0.0, 0.0), (radius_m, 0.0), (radius_m, thick_m), (0.0, thick_m)]
