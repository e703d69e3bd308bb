"""Whether boxes that stand on one another stand: known piles, and that nothing depends on where the pile is or how it is turned."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video3d.geometry.statics import balance_m, held_at
from video3d.types import Box3D

TIGHT = {"floor_m": 0.01, "apart_m": 0.01}


def _box(center, size, yaw: float = 0.0) -> Box3D:
    turn = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1.0]])
    return Box3D(center_world=np.array(center, dtype=float), size_m=np.array(size, dtype=float), world_from_box=turn)


def _turned(boxes, angle: float, shift) -> list[Box3D]:
    turn = _box((0, 0, 0), (1, 1, 1), angle).world_from_box
    return [Box3D(center_world=turn @ one.center_world + [*shift, 0.0], size_m=one.size_m, world_from_box=turn @ one.world_from_box) for one in boxes]  # fmt: skip


BASE = _box((0, 0, 0.5), (1, 1, 1))
OVER = _box((0.4, 0, 1.1), (1, 1, 0.2))
BEYOND = _box((0.6, 0, 1.1), (1, 1, 0.2))
COUNTER = _box((0.2, 0, 1.7), (0.4, 1, 1))
OUTSIDE = _box((0.9, 0, 1.7), (0.2, 1, 1))
BRIDGE = [_box((-0.8, 0, 0.5), (0.4, 1, 1)), _box((0.8, 0, 0.5), (0.4, 1, 1)), _box((0, 0, 1.1), (2, 0.5, 0.2))]


@given(st.floats(-math.pi, math.pi), st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_a_pile_stands_as_it_does_wherever_it_is_and_however_it_is_turned(angle, x, y):
    def least(boxes, at, **more):
        return balance_m(_turned(boxes, angle, (x, y)), at, floor_m=0.01, apart_m=0.01, **more)

    assert least([BASE, OVER], 1) == pytest.approx(0.1, abs=0.01)
    assert least([BASE, BEYOND], 1) == pytest.approx(-0.1, abs=0.01)
    assert least([BASE, BEYOND, COUNTER], 1) > 0.1  # what stands on its inner end holds it down
    assert (
        least([BASE, OVER, OUTSIDE], 1) < 0 and least([BASE, OVER, OUTSIDE], 2) < 0
    )  # and what stands outside tips both
    assert least(BRIDGE, 2) == pytest.approx(0.25, abs=0.01)
    assert least(BRIDGE, 2, without={0}) < -0.5
    assert least(BRIDGE, 2, without={0, 1}) == -math.inf and least(BRIDGE, 0) == math.inf


def test_what_touches_and_what_does_not():
    lifted = _box((0, 0, 1.3), (1, 1, 0.2))
    assert set(held_at(BRIDGE, 2, apart_m=0.01)) == {0, 1} and held_at(BRIDGE, 0, apart_m=0.01) == {}
    assert held_at([BASE, lifted], 1, apart_m=0.1) == {} and set(held_at([BASE, lifted], 1, apart_m=0.3)) == {0}
    assert balance_m([BASE, lifted], 1, **TIGHT) == -math.inf


def test_boxes_that_seem_to_hold_one_another_do_not_go_on_for_ever():
    same = [_box((0, 0, 1.0), (1, 1, 0.02)), _box((0.1, 0, 1.01), (1, 1, 0.02)), _box((0.2, 0, 1.02), (1, 1, 0.02))]
    assert balance_m(same, 2, floor_m=0.01, apart_m=0.1) == -math.inf
