"""The reasoning module's exact geometry and box losses, against what they are by definition."""

import math

import numpy as np
import pytest
import torch
from reasoning_scenes import make, turned

from video3d.geometry.boxes import iou_3d
from video3d.model.reasoning_geometry import (
    box_gap,
    distance_to_things,
    farthest_points,
    footprint_gap,
    pair_features,
    size_features,
)
from video3d.model.reasoning_losses import box_terms
from video3d.model.reasoning_types import Observers, Things
from video3d.types import Box3D


def random_things(seed, num=40, spread=2.0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.rand(1, num, *shape, generator=generator)

    return Things(center_world=(draw(3) - 0.5) * spread, size_m=0.1 + draw(3), yaw_rad=draw() * 6)


def filled_with_points(things, index, num=12):
    """A grid of points over all of a box."""
    line = torch.linspace(-0.5, 0.5, num)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
    local = grid * things.size_m[0, index]
    return turned(local, float(things.yaw_rad[0, index])) + things.center_world[0, index]


def test_gap_is_that_of_the_nearest_points():
    a, b = random_things(0), random_things(1)
    gap, level = box_gap(a, b)[0], footprint_gap(a, b)[0]
    for i in range(40):
        points_a, points_b = filled_with_points(a, i), filled_with_points(b, i)
        sampled = torch.cdist(points_a, points_b).min()
        assert gap[i] - 1e-5 <= sampled <= gap[i] + 0.13  # the grid is up to a tenth of a metre coarse
        assert level[i] - 1e-5 <= torch.cdist(points_a[:, :2], points_b[:, :2]).min() <= level[i] + 0.13
    assert 0 < (gap == 0).sum() < 40


def test_gap_of_boxes_that_cross_without_a_corner_inside():
    cross = Things(
        center_world=torch.zeros(1, 1, 3), size_m=torch.tensor([[[4.0, 0.2, 1.0]]]), yaw_rad=torch.zeros(1, 1)
    )
    other = Things(center_world=cross.center_world, size_m=cross.size_m, yaw_rad=torch.full((1, 1), 1.3))
    assert box_gap(cross, other).item() == 0


def test_distance_to_a_box_is_zero_inside_and_for_tokens_without_place():
    things = random_things(2, num=3)
    points = torch.cat([filled_with_points(things, 0), torch.full((1, 3), torch.nan)])[None]
    placed = torch.isfinite(points).all(-1)
    found = distance_to_things(points, placed, things)
    assert found.shape == (1, 3, points.shape[1]) and found[0, 0].max() < 1e-5 and (found[..., -1] == 0).all()
    far = things.center_world[:, :1] + torch.tensor([0.0, 0.0, 5.0])
    one = torch.ones(1, 1, dtype=torch.bool)
    assert distance_to_things(far, one, things)[0, 0, 0].item() == pytest.approx(5 - things.size_m[0, 0, 2].item() / 2)


def test_seeds_are_far_apart_and_say_when_there_are_no_more():
    points = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [3, 0, 0], [0, 1, 0], [9, 9, 9]]])
    placed = torch.tensor([[True, True, True, True, False]])
    index, fresh = farthest_points(points, placed, 5)
    assert index[0, :3].tolist() == [1, 3, 0] and fresh[0].tolist() == [True, True, True, False, False]
    _, none = farthest_points(points, torch.zeros_like(placed), 5)
    assert not none.any()


def described_again(things):
    """The same boxes, sides exchanged and a quarter turn more."""
    return Things(
        center_world=things.center_world, size_m=things.size_m[..., [1, 0, 2]], yaw_rad=things.yaw_rad + math.pi / 2
    )


def test_features_do_not_depend_on_how_a_box_is_described():
    a, b = random_things(3), random_things(4)
    observer = Observers(position_world=torch.full((1, 40, 3), -4.0), yaw_rad=torch.full((1, 40), 0.8))
    expected = pair_features(a, b, observer)
    torch.testing.assert_close(
        pair_features(described_again(a), described_again(b), observer), expected, atol=2e-3, rtol=0
    )
    torch.testing.assert_close(size_features(described_again(a)), size_features(a))


def test_without_an_observer_nothing_is_seen():
    a, b = random_things(3), random_things(4)
    nobody = Observers(position_world=torch.full((1, 40, 3), torch.nan), yaw_rad=torch.full((1, 40), torch.nan))
    features = pair_features(a, b, nobody)
    assert torch.isfinite(features).all() and (features[..., -30:] == 0).all() and (features[..., :45] != 0).any()


def stacked(things):
    return torch.cat([things.center_world, things.size_m, things.yaw_rad[..., None]], -1)


def found_as(things):
    double = torch.stack([(2 * things.yaw_rad).cos(), (2 * things.yaw_rad).sin()], -1)
    return things.center_world, things.size_m.log(), double


def test_a_box_found_exactly_costs_nothing_however_it_is_described():
    things = random_things(5)
    for same in (things, described_again(things)):
        center, shape, iou = box_terms(*found_as(same), stacked(things))
        assert center.abs().max() < 1e-5 and shape.abs().max() < 1e-4
        assert (iou > 0.98).all()  # the turn between is kept 1e-3 from 0, so that its gradient stays finite


def test_overlap_of_boxes_turned_alike_is_the_exact_one():
    a = random_things(6, spread=0.6)
    b = random_things(7, spread=0.6)
    b = Things(center_world=b.center_world, size_m=b.size_m, yaw_rad=a.yaw_rad)
    found = box_terms(*found_as(a), stacked(b))[2][0]

    def box(things, i):
        yaw = float(things.yaw_rad[0, i])
        c, s = np.cos(yaw), np.sin(yaw)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        values = (things.center_world[0, i].double().numpy(), things.size_m[0, i].double().numpy())
        return Box3D(center_world=values[0], size_m=values[1], world_from_box=turn)

    exact = torch.tensor([iou_3d(box(a, i), box(b, i)) for i in range(40)])
    assert (found <= exact + 0.01).all() and (found >= exact - 1).all()  # less the room around both that neither fills
    assert found[exact > 0.3].min() > -0.2 and (exact > 0.3).any()


def test_the_overlap_falls_with_distance_and_its_gradient_pulls():
    center = torch.tensor([[3.0, 0.0, 0.0]], requires_grad=True)
    one = torch.zeros(1, 3)
    truth = torch.tensor([[0.0, 0, 0, 1, 1, 1, 0]])
    iou = box_terms(center, one, torch.tensor([[1.0, 0.0]]), truth)[2]
    iou.sum().backward()
    assert iou.item() == pytest.approx(-0.5, abs=0.01) and center.grad[0, 0] < 0


def test_scenes_made_for_these_tests_hold_both_answers():
    truth = make(seed=0, scenes=6).targets
    holds, mask = truth.relation.holds, truth.relation.mask
    for k in (0, 1, 2, 3, 4, 5, 8, 9):
        assert holds[..., k][mask[..., k]].any() and not holds[..., k][mask[..., k]].all()
    assert set(truth.layout.category.flatten().tolist()) == {0, 1, 2, 3}
