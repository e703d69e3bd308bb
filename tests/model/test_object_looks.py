"""Two looks at the same frames: what they say together lies between them, in whatever frame each said it."""

from dataclasses import replace

import pytest
import torch

from video3d.model.object_head import PatchObjects, view_axes
from video3d.model.object_looks import both_looks

Looks = tuple[PatchObjects, torch.Tensor, PatchObjects, torch.Tensor, torch.Tensor]


def _places(said: PatchObjects, points: torch.Tensor, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Centres and axes in the world."""
    ahead, left = view_axes(points, pose)
    up = torch.tensor([0.0, 0.0, 1.0])
    center = points + said.center_m[..., :1] * ahead + said.center_m[..., 1:2] * left + said.center_m[..., 2:] * up
    return center, said.heading[..., :1] * ahead[..., :2] + said.heading[..., 1:] * left[..., :2]


def _looks(seed: int) -> Looks:
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw)

    def said(*shape: int) -> PatchObjects:
        return PatchObjects(
            category_logits=some(*shape, 4), color_logits=some(*shape, 2), center_m=some(*shape, 3),
            log_size=some(*shape, 3), heading=some(*shape, 2), log_scale=some(*shape),
        )  # fmt: skip

    pose = torch.eye(4).repeat(2, 1, 1)
    pose[:, :3, 3] = some(2, 3)
    return said(2, 3, 4), 5 * some(2, 3, 4, 3), said(2, 6, 8), 5 * some(2, 6, 8, 3), pose


def _spread(values: torch.Tensor) -> torch.Tensor:
    return values.repeat_interleave(2, 1).repeat_interleave(2, 2)


@pytest.mark.parametrize("seed", range(5))
def test_centres_lie_between_the_two_nearer_to_the_surer_and_probabilities_are_means(seed: int) -> None:
    whole, points, larger, larger_points, pose = _looks(seed)
    both = both_looks(whole, points, larger, larger_points, pose)
    one, other = (_places(*look, pose)[0] for look in ((whole, points), (larger, larger_points)))
    together, one = _places(both, larger_points, pose)[0], _spread(one)
    near, far = (together - other).norm(dim=-1), (together - one).norm(dim=-1)
    torch.testing.assert_close(near + far, (one - other).norm(dim=-1), atol=1e-4, rtol=1e-4)
    assert torch.equal(near < far, larger.log_scale < _spread(whole.log_scale))
    for name in ("category_logits", "color_logits"):
        mean = (_spread(getattr(whole, name)).softmax(-1) + getattr(larger, name).softmax(-1)) / 2
        torch.testing.assert_close(getattr(both, name).softmax(-1), mean)


@pytest.mark.parametrize("seed", range(3))
def test_two_looks_that_agree_say_together_what_each_says(seed: int) -> None:
    whole, points, _, larger_points, pose = _looks(seed)
    center, axis = (_spread(values) for values in _places(whole, points, pose))
    ahead, left = view_axes(larger_points, pose)
    offset = center - larger_points
    same = PatchObjects(
        category_logits=_spread(whole.category_logits),
        color_logits=_spread(whole.color_logits),
        center_m=torch.stack([(offset * ahead).sum(-1), (offset * left).sum(-1), offset[..., 2]], -1),
        log_size=_spread(whole.log_size),
        heading=torch.stack([(axis * ahead[..., :2]).sum(-1), (axis * left[..., :2]).sum(-1)], -1),
        log_scale=_spread(whole.log_scale),
    )
    both = both_looks(whole, points, same, larger_points, pose)
    torch.testing.assert_close(both.center_m, same.center_m, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both.log_size, same.log_size)
    torch.testing.assert_close(both.log_scale, same.log_scale)
    torch.testing.assert_close(both.category_logits.softmax(-1), same.category_logits.softmax(-1))
    towards = torch.nn.functional.cosine_similarity(both.heading, same.heading, dim=-1)
    torch.testing.assert_close(towards, torch.ones_like(towards))


def test_where_the_smaller_look_knows_no_place_the_larger_tells() -> None:
    whole, points, larger, larger_points, pose = _looks(0)
    points[0, 1, 2] = torch.nan
    both = both_looks(whole, points, larger, larger_points, pose)
    here = (0, slice(2, 4), slice(4, 6))
    for name in ("center_m", "log_size", "log_scale"):
        torch.testing.assert_close(getattr(both, name)[here], getattr(larger, name)[here])
    torch.testing.assert_close(both.heading[here], torch.nn.functional.normalize(larger.heading, dim=-1)[here])
    unknown = replace(larger, center_m=torch.zeros_like(larger.center_m))
    assert bool(
        both_looks(whole, torch.full_like(points, torch.nan), unknown, larger_points, pose).center_m.eq(0).all()
    )
