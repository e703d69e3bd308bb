"""World positions as vectors, against the formula written out."""

import math

import pytest
import torch

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.position import WorldPosition, pool_grid, pool_points, sin3d, voxel_index

BOX = {"voxel_m": 0.1, "min_m": (-15.0, -15.0, -5.0), "max_m": (15.0, 15.0, 5.0)}


@pytest.mark.parametrize("width", [12, 16, 25, 576, 4096])
def test_sines_follow_the_formula_and_the_rest_is_zero(width):
    index = torch.tensor([[3.0, 150.0, 99.0]])
    found = sin3d(index, width)[0]
    n = width // 3
    for axis in range(3):
        for i in range(n):
            angle = float(index[0, axis]) / 10000.0 ** (2 * (i // 2) / n)
            expected = math.sin(angle) if i % 2 == 0 else math.cos(angle)
            assert float(found[axis * n + i]) == pytest.approx(expected, abs=2e-5)
    assert (found[3 * n :] == 0).all()


def test_index_is_the_nearest_voxel_and_stays_in_the_box():
    points = torch.tensor([[-15.0, 0.0, 0.0], [0.04, 0.06, 0.14], [-99.0, 99.0, 6.0]])
    assert voxel_index(points, **BOX).tolist() == [[0, 150, 50], [150, 151, 51], [0, 300, 100]]


def test_points_in_one_voxel_share_a_vector_and_neighbours_differ():
    position = WorldPosition(Video3DConfig(), 30)
    points = torch.tensor([[1.0, 1.0, 1.0], [1.03, 0.98, 1.0], [1.1, 1.0, 1.0]])
    same, also, other = position(points, torch.ones(3, dtype=torch.bool))
    assert torch.equal(same, also) and not torch.equal(same, other)


@pytest.mark.parametrize("kind", ["sin3d", "mlp", "none"])
def test_a_token_without_a_point_gets_nothing(kind):
    torch.manual_seed(0)
    position = WorldPosition(Video3DConfig(position_kind=kind), 30)
    points = torch.tensor([[1.0, 2.0, 0.5], [math.nan, math.nan, math.nan]])
    encoded = position(points, torch.tensor([True, False]))
    assert (encoded[1] == 0).all() and encoded.isfinite().all()
    assert bool((encoded[0] != 0).any()) == (kind != "none")


def test_learned_positions_keep_centimetres_in_half_precision():
    torch.manual_seed(0)
    position = WorldPosition(Video3DConfig(position_kind="mlp"), 64).to(torch.bfloat16)
    points = torch.tensor([[10.0, 10.0, 2.0], [10.01, 10.0, 2.0]])
    with torch.no_grad():
        near, by = position(points, torch.ones(2, dtype=torch.bool))
    assert not torch.equal(near, by)


@pytest.mark.parametrize("mode", ["bilinear", "avg"])
@pytest.mark.parametrize(
    ("gh", "gw", "pool", "size"), [(4, 6, 2, (2, 3)), (27, 27, 2, (14, 14)), (7, 5, 3, (3, 2)), (3, 3, 1, (3, 3))]
)
def test_pooling_rounds_the_grid_up(mode, gh, gw, pool, size):
    assert pool_grid(torch.rand(2, 5, gh, gw), pool, mode).shape == (2, 5, *size)


def test_both_ways_of_pooling_are_block_means_at_two():
    grid = torch.rand(1, 3, 6, 8)
    blocks = grid.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    for mode in ("bilinear", "avg"):
        assert torch.allclose(pool_grid(grid, 2, mode), blocks, atol=1e-6)


@pytest.mark.parametrize("mode", ["bilinear", "avg"])
def test_pooled_points_are_means_of_known_ones_by_their_weight(mode):
    points = torch.tensor([[1.0, 0, 0], [3, 0, 0], [math.nan] * 3, [9, 0, 0]]).reshape(1, 2, 2, 3)
    weight = torch.tensor([1.0, 0.5, 1.0, 0.0]).reshape(1, 2, 2)
    pooled, share = pool_points(points, weight, 2, mode)
    valid = share > 0
    assert valid.tolist() == [[[True]]]
    assert pooled[0, 0, 0].tolist() == pytest.approx([(1 + 0.5 * 3) / 1.5, 0, 0])
    nothing, share = pool_points(points, torch.zeros(1, 2, 2), 2, mode)
    valid = share > 0
    assert nothing.isnan().all() and not valid.any()
    odd, share = pool_points(points, torch.full((1, 2, 2), math.nan), 2, mode)
    valid = share > 0
    assert odd.isnan().all() and not valid.any()
