"""Depth-aware attention: every way of computing it against the formula."""

import pytest
import torch

from video3d.model import attention
from video3d.model.attention import depth_aware_attention


def inputs(n=70, seed=0):
    torch.manual_seed(seed)
    query, key, value = (torch.randn(2, 4, n, 16, requires_grad=True) for _ in range(3))
    depth = torch.rand(2, n) * 6
    depth[0, :9] = torch.nan
    slope = torch.rand(4).requires_grad_()
    return query, key, value, depth, slope, torch.rand(2, n) > 0.2


def by_hand(query, key, value, depth, slope, visible):
    """The formula one score at a time, in float64."""
    out = torch.zeros_like(query, dtype=torch.float64)
    n = query.shape[2]
    for b in range(query.shape[0]):
        for h in range(query.shape[1]):
            for i in range(n):
                scores = (key[b, h].double() @ query[b, h, i].double()) / query.shape[-1] ** 0.5
                apart = (depth[b] - depth[b, i]).abs().double()
                scores = scores - slope[h].double() * torch.where(apart.isnan(), 0.0, apart)
                seen = visible[b].clone()
                seen[i] = True
                out[b, h, i] = torch.where(seen, scores, -torch.inf).softmax(0) @ value[b, h].double()
    return out


@pytest.mark.parametrize("implementation", ["naive", "sdpa", "blocks", "flex"])
def test_it_is_the_formula(implementation, monkeypatch):
    monkeypatch.setattr(attention, "_BLOCK_ELEMENTS", 2 * 4 * 70 * 16)
    query, key, value, depth, slope, visible = (part.detach() for part in inputs())
    expected = by_hand(query, key, value, depth, slope, visible)
    found = depth_aware_attention(query, key, value, depth, slope, visible, implementation=implementation)
    assert torch.allclose(found.double(), expected, atol=1e-5)


@pytest.mark.parametrize("implementation", ["sdpa", "blocks"])
def test_gradients_are_the_formulas(implementation, monkeypatch):
    monkeypatch.setattr(attention, "_BLOCK_ELEMENTS", 2 * 4 * 70 * 16)
    found = []
    for way in ("naive", implementation):
        query, key, value, depth, slope, visible = inputs()
        out = depth_aware_attention(query, key, value, depth, slope, visible, implementation=way)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        found.append([part.grad for part in (query, key, value, slope)])
    for expected, gradient in zip(*found, strict=True):
        assert torch.allclose(gradient, expected, atol=1e-4)


def test_blocks_are_never_larger_than_they_may_be(monkeypatch):
    monkeypatch.setattr(attention, "_BLOCK_ELEMENTS", 2 * 4 * 70 * 16)
    sizes = []
    whole = attention.depth_bias

    def noted(depth_q, depth_k, slope):
        sizes.append(depth_q.shape[1])
        return whole(depth_q, depth_k, slope)

    monkeypatch.setattr(attention, "depth_bias", noted)
    depth_aware_attention(*(part.detach() for part in inputs()), implementation="blocks")
    assert sizes == [16, 16, 16, 16, 6]


def test_a_steep_slope_leaves_only_what_is_at_the_same_depth():
    query, key, value, _, _, _ = (part.detach() for part in inputs(4))
    depth = torch.tensor([[1.0, 1.0, 5.0, 5.0]]).expand(2, 4)
    found = depth_aware_attention(query, key, value, depth, torch.full((4,), 1e4))
    apart = depth_aware_attention(query[:, :, :2], key[:, :, :2], value[:, :, :2])
    assert torch.allclose(found[:, :, :2], apart, atol=1e-6)


def test_a_slope_of_nothing_and_unknown_depth_are_plain_attention():
    query, key, value, depth, _, _ = (part.detach() for part in inputs())
    plain = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    assert torch.allclose(depth_aware_attention(query, key, value, depth, torch.zeros(4)), plain, atol=1e-6)
    nowhere = torch.full_like(depth, torch.nan)
    assert torch.allclose(depth_aware_attention(query, key, value, nowhere, torch.ones(4)), plain, atol=1e-6)


def test_depth_without_slope_is_refused():
    query, key, value, depth, _, _ = inputs()
    with pytest.raises(ValueError, match="slope"):
        depth_aware_attention(query, key, value, depth)
