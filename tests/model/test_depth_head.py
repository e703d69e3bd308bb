"""The depth head's loss and lifting, against numpy's."""

import numpy as np
import torch

from video3d.geometry.lift import lift_depth_patches
from video3d.model.depth_head import DepthHead, DepthMaps, depth_loss, lift_depth


def clip(f=3, h=24, w=36, seed=0):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 6.0, (f, h, w)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.nan
    depth[0, :6, :6] = np.nan
    k = np.tile(np.array([[40.0, 0.5, 17.0], [0, 42, 11], [0, 0, 1]]), (f, 1, 1))
    pose = np.tile(np.eye(4), (f, 1, 1))
    for one in pose:
        one[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        one[:3, 3] = rng.normal(size=3)
    pose[2] = np.nan
    return depth, k, pose


def test_lifting_is_that_of_the_geometry():
    depth, k, pose = clip()
    points, share = lift_depth(*(torch.from_numpy(part).float() for part in (depth, k, pose)), 6)
    expected = lift_depth_patches(depth, k, pose, 6)
    np.testing.assert_allclose(points.numpy(), expected.points_world, atol=2e-5)
    np.testing.assert_allclose(share[:2].numpy(), expected.valid_share[:2], atol=1e-6)
    assert points[2].isnan().all() and (share[2] == 0).all()  # a frame without a pose has no place


def test_lifting_has_a_gradient_where_depth_is_known():
    depth, k, pose = (torch.from_numpy(part).float() for part in clip())
    depth.requires_grad_()
    points, _ = lift_depth(depth, k, pose, 6)
    points.nan_to_num(0.0).sum().backward()
    assert depth.grad is not None and depth.grad.isfinite().all()
    assert (depth.grad[:2][depth.detach()[:2].isfinite()] != 0).float().mean() > 0.99
    assert (depth.grad[depth.detach().isnan()] == 0).all()


def maps(depth_m, sigma=0.1):
    return DepthMaps(depth_m=depth_m, log_sigma=torch.full_like(depth_m, sigma))


def test_twice_the_focal_length_is_twice_as_far_where_nothing_else_tells():
    torch.manual_seed(0)
    head, features = DepthHead(8).eval(), (torch.randn(1, 4, 6, 8),)
    k = torch.tensor([[[30.0, 0, 18], [0, 30, 12], [0, 0, 1]]])
    wide = 2 * k - torch.tensor([[[0.0, 0, 18], [0, 0, 12], [0, 0, 1]]])
    with torch.no_grad():
        told = head(features, wide, (24, 36)).depth_m
        head.rays.weight.zero_()  # where a patch looks is the only other thing that the camera changes
        near, far = head(features, k, (24, 36)), head(features, wide, (24, 36))
        unknown = head(features, torch.full((1, 3, 3), torch.nan), (24, 36))
        nothing = head(features, None, (24, 36))
    assert torch.allclose(far.depth_m, 2 * near.depth_m) and near.depth_m.shape == (1, 24, 36)
    assert torch.equal(far.log_sigma, near.log_sigma) and (near.log_sigma > 0).all()
    assert not torch.allclose(told, far.depth_m, rtol=1e-3)
    assert unknown.depth_m.isfinite().all() and torch.equal(unknown.depth_m, nothing.depth_m)


def test_what_no_patch_covers_repeats_the_edge():
    head, features = DepthHead(8).eval(), (torch.randn(1, 2, 2, 8),)
    with torch.no_grad():
        depth = head(features, None, (12, 14), (10, 10)).depth_m
    assert torch.equal(depth[:, 10:, :10], depth[:, 9:10, :10].expand(-1, 2, -1))
    assert torch.equal(depth[:, :, 10:], depth[:, :, 9:10].expand(-1, -1, 4))


def test_every_layer_that_it_reads_counts():
    torch.manual_seed(0)
    head, features = DepthHead(8, 3).eval(), [torch.randn(1, 2, 2, 8) for _ in range(3)]
    with torch.no_grad():
        before = head(features, None, (8, 8)).depth_m
        for at in range(3):
            other = [*features]
            other[at] = torch.randn(1, 2, 2, 8)
            assert not torch.allclose(head(other, None, (8, 8)).depth_m, before, rtol=1e-4)


def test_loss_forgives_scale_in_part_and_ignores_the_unknown():
    torch.manual_seed(0)
    true = torch.rand(2, 16, 16) * 4 + 0.5
    wrong = true * (1 + 0.3 * torch.randn_like(true)).clamp_min(0.2)
    scaled, exact = depth_loss(maps(1.3 * true), true), depth_loss(maps(true), true)
    assert exact < scaled < depth_loss(maps(wrong), true)
    holes = true.clone()
    holes[:, :4] = torch.nan
    predicted = wrong.clone()
    predicted[:, :4] = 77.0
    other = wrong.clone()
    other[:, :4] = 0.1
    assert torch.equal(depth_loss(maps(predicted), holes), depth_loss(maps(other), holes))
    assert depth_loss(maps(true), torch.full_like(true, torch.nan)) == 0


def test_the_loss_is_least_where_the_claimed_uncertainty_is_the_error():
    true = torch.full((1, 16, 16), 2.0)
    signs = torch.where(torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.5, -1.0, 1.0)
    predicted = true * (0.1 * signs).exp()
    claims = [0.02, 0.05, 0.1 * 2**0.5, 0.3, 0.9]
    losses = [float(depth_loss(maps(predicted, sigma), true)) for sigma in claims]
    assert min(losses) == losses[2]


def test_a_blurred_edge_costs_by_the_gradient_term():
    true = torch.ones(1, 16, 16)
    true[:, :, 8:] = 3.0
    sharp = true.clone()
    sharp[:, :, 8:] = 3.3
    blurred = torch.nn.functional.avg_pool2d(sharp[:, None], 5, stride=1, padding=2, count_include_pad=False)[:, 0]
    assert depth_loss(maps(sharp), true) < depth_loss(maps(blurred), true)


def test_a_head_learns_a_map_by_heart():
    torch.manual_seed(0)
    head, features = DepthHead(8), (torch.randn(2, 4, 6, 8),)
    true = torch.rand(2, 24, 36) * 0.1 + torch.linspace(1, 3, 36)
    optimizer = torch.optim.Adam(head.parameters(), lr=2e-3)
    for _ in range(80):
        loss = depth_loss(head(features, None, (24, 36)), true)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = head(features, None, (24, 36))
    error = (found.depth_m.log() - true.log()).abs().mean()
    assert error < 0.06
    assert 0.3 < error * 2**0.5 / found.log_sigma.mean() < 3.0


def test_a_camera_that_cannot_be_inverted_is_one_that_is_not_known():
    depth, k, pose = (torch.from_numpy(part).float() for part in clip())
    k[0] = 0.0
    points, share = lift_depth(depth, k, pose, 6)
    assert points[0].isnan().all() and (share[0] == 0).all() and points[1].isfinite().any()
