"""Grounding heads, their loss and what is chosen, against the plain formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from video3d.geometry.boxes import box_from_bounds, points_in_box
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.grounding import (
    GroundingHead,
    add_place,
    best_object,
    infonce_loss,
    object_content,
    object_content_from_tokens,
    select_objects,
)
from video3d.model.position import WorldPosition
from video3d.types import Box3D


@pytest.fixture
def head():
    torch.manual_seed(0)
    return GroundingHead(12)


def test_scores_are_cosines_with_the_zero_target_last(head):
    content, query = torch.randn(2, 3, 12), torch.randn(2, 12)
    scores = head(content, query)
    one = torch.cosine_similarity(head.obj(content[1, 2]), head.query(query[1]), dim=0)
    nothing = torch.cosine_similarity(head.obj(head.zero_target), head.query(query[0]), dim=0)
    torch.testing.assert_close(scores[1, 2], one)
    torch.testing.assert_close(scores[0, 3], nothing)


def test_padding_changes_neither_scores_nor_loss(head):
    content, query = torch.randn(1, 3, 12), torch.randn(1, 12)
    padded = torch.cat([content, torch.full((1, 2, 12), 7.0)], 1)
    mask = torch.tensor([[True, True, True, False, False]])
    scores, same = head(content, query), head(padded, query, mask)
    torch.testing.assert_close(same[:, [0, 1, 2, 5]], scores)
    targets = torch.tensor([[False, True, False]])
    padded_targets = torch.nn.functional.pad(targets, (0, 2))
    torch.testing.assert_close(infonce_loss(same, padded_targets), infonce_loss(scores, targets))
    assert set(select_objects(same[0], threshold=2.0).indices) <= {0, 1, 2}


@pytest.mark.parametrize("wanted", [[], [1], [0, 3]])
def test_loss_is_the_published_formula(wanted):
    scores = torch.tensor([[0.3, -0.2, 0.7, 0.1, 0.4]])
    targets = torch.zeros(1, 4, dtype=torch.bool)
    targets[0, wanted] = True
    raised = torch.exp(scores[0].double() / 0.07)
    expected = -torch.log(raised[wanted or [4]].sum() / raised.sum())
    assert infonce_loss(scores, targets, 0.07).item() == pytest.approx(expected.item(), rel=1e-5)


def test_loss_is_finite_where_exponentials_are_not():
    scores = torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    loss = infonce_loss(scores, torch.tensor([[False, True]]), temperature=0.001)
    loss.backward()
    assert loss.item() == pytest.approx(2000.0)
    assert scores.grad.isfinite().all()


def test_batch_loss_is_the_mean_of_single_losses():
    scores = torch.randn(3, 5)
    targets = torch.tensor([[True, False, False, False], [False] * 4, [True, True, False, True]])
    single = [infonce_loss(scores[i : i + 1], targets[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(infonce_loss(scores, targets), torch.stack(single).mean())


def test_gradients_reach_every_part(head):
    scores = head(torch.randn(2, 4, 12), torch.randn(2, 12))
    infonce_loss(scores, torch.tensor([[True, False, False, False], [False] * 4])).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def by_published_loop(scores, threshold):
    chosen = []
    if int(torch.max(scores, dim=0)[1]) != len(scores) - 1:
        shares, indices = torch.sort(torch.softmax(scores / 0.07, 0)[:-1], descending=True)
        total = 0.0
        for i, share in zip(indices, shares, strict=True):
            total += share
            chosen.append(int(i))
            if total >= threshold:
                break
    return tuple(chosen)


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.4, 0.9, 1.5])
def test_selection_is_that_of_the_published_evaluation(threshold):
    generator = torch.Generator().manual_seed(3)
    found = set()
    for _ in range(50):
        scores = torch.rand(7, generator=generator) * 0.3
        chosen = select_objects(scores, threshold).indices
        assert chosen == by_published_loop(scores, threshold)
        found.add(len(chosen))
    assert 0 in found
    assert len(found) > 1


def test_shares_and_the_best_one():
    scores = torch.tensor([0.2, 0.5, 0.4])
    chosen = select_objects(scores, threshold=0.99)
    assert chosen.indices == (1, 0)
    assert math.isclose(sum(chosen.shares) + chosen.zero_share, 1.0, rel_tol=1e-6)
    assert best_object(torch.tensor([0.2, 0.5, 0.9])) == 1
    assert best_object(torch.tensor([0.9])) is None
    assert select_objects(torch.tensor([0.9])).indices == ()


def test_object_content_is_the_mean_of_its_patches():
    content = torch.randn(2, 3, 3, 5)
    share = torch.zeros(2, 2, 3, 3)
    share[0, 0, 1, 2], share[0, 1, 0, 0], share[0, 1, 2, 2] = 0.5, 1.0, 0.49
    shown = object_content(content, share)
    torch.testing.assert_close(shown.content[0], (content[0, 1, 2] + content[1, 0, 0]) / 2)
    assert shown.content[1].eq(0).all()
    assert shown.num_seen.tolist() == [2.0, 0.0]


def test_token_content_of_oriented_boxes_and_tokens_without_a_place():
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (60, 3)).astype(np.float32)
    points[::7] = np.nan
    content = torch.randn(60, 4)
    boxes = [
        box_from_bounds(np.full(3, -1.0), np.ones(3)),
        Box3D(
            center_world=np.array([0.5, 0, 0]),
            size_m=np.array([3.0, 1.0, 2.0]),
            world_from_box=Rotation.from_euler("zx", [0.7, 0.3]).as_matrix(),
        ),
        box_from_bounds(np.full(3, 50.0), np.full(3, 51.0)),
    ]
    shown = object_content_from_tokens(content, torch.from_numpy(points), boxes)
    for i, box in enumerate(boxes[:2]):
        inside = torch.from_numpy(points_in_box(points, box))
        assert inside.sum() > 1
        torch.testing.assert_close(shown.content[i], content[inside].mean(0))
    assert shown.content[2].eq(0).all()
    assert object_content_from_tokens(content, torch.from_numpy(points), []).content.shape == (0, 4)


def test_place_is_added_also_where_nothing_was_seen():
    config = Video3DConfig(vision_config={"model_type": "dinov2", "patch_size": 14})
    position = WorldPosition(config, 12)
    centers = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    placed = add_place(torch.zeros(2, 12), centers, position)
    torch.testing.assert_close(placed, position(centers, torch.ones(2, dtype=torch.bool)))
