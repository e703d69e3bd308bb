"""Two looks at the same frames: what they say together lies between them, in whatever frame each said it."""

import math
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


def _turned(degrees: float, like: torch.Tensor) -> torch.Tensor:
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle.cos(), angle.sin()]).expand_as(like).clone()


def _alike(seed: int, apart_m: float, headings_deg: tuple[float, float]) -> Looks:
    """Two looks at things that lie ``apart_m`` apart, with such headings in the world; the larger is three times as sure."""
    whole, points, larger, larger_points, pose = _looks(seed)
    things = torch.tensor([7.0, 1.0, 0.5])

    def of(said: PatchObjects, points: torch.Tensor, thing: torch.Tensor, degrees: float, scale: float) -> PatchObjects:
        ahead, left = view_axes(points, pose)
        offset, axis = thing - points, _turned(degrees, points[..., :2])
        return replace(
            said,
            center_m=torch.stack([(offset * ahead).sum(-1), (offset * left).sum(-1), offset[..., 2]], -1),
            heading=3 * torch.stack([(axis * ahead[..., :2]).sum(-1), (axis * left[..., :2]).sum(-1)], -1),
            log_scale=torch.full(points.shape[:3], scale).log(),
        )

    one = of(whole, points, things, headings_deg[0], 0.3)
    other = of(larger, larger_points, things + torch.tensor([0.0, 0.0, apart_m]), headings_deg[1], 0.1)
    return one, points, other, larger_points, pose


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("headings, expected", [((0, 20), 15), ((0, 190), 187.5), ((170, 0), -2.5), ((0, 90), 90)])
def test_what_both_say_is_averaged_by_how_sure_they_are(
    seed: int, headings: tuple[float, float], expected: float
) -> None:
    whole, _, larger, larger_points, pose = looks = _alike(seed, 0.4, headings)
    both = both_looks(*looks)
    center, axis = _places(both, larger_points, pose)
    own = 1.0 if headings == (0, 90) else 0.75  # the front for the side: the surer is believed
    high = torch.full_like(center[..., 2], 0.5 + own * 0.4)
    torch.testing.assert_close(center[..., 2], high, atol=1e-4, rtol=1e-4)
    towards = torch.nn.functional.cosine_similarity(axis, _turned(expected, axis), dim=-1)
    assert float(towards.min()) > math.cos(math.radians(0.6))
    size = (1 - own) * _spread(whole.log_size) + own * larger.log_size
    torch.testing.assert_close(both.log_size, size)
    scale = torch.full_like(both.log_scale, 0.1 if own == 1 else 0.15).log()
    torch.testing.assert_close(both.log_scale, scale)
    for name in ("category_logits", "color_logits"):
        mean = (_spread(getattr(whole, name)).softmax(-1) + getattr(larger, name).softmax(-1)) / 2
        torch.testing.assert_close(getattr(both, name).softmax(-1), mean)


@pytest.mark.parametrize("surer", ["larger", "whole"])
def test_of_two_different_things_the_surer_look_is_believed(surer: str) -> None:
    whole, points, larger, larger_points, pose = _alike(0, 2.0, (0, 10))
    if surer == "whole":
        larger = replace(larger, log_scale=torch.full_like(larger.log_scale, 0.5).log())
    both = both_looks(whole, points, larger, larger_points, pose)
    center, axis = _places(both, larger_points, pose)
    high, degrees, scale = (2.5, 10, 0.1) if surer == "larger" else (0.5, 0, 0.3)
    torch.testing.assert_close(center[..., 2], torch.full_like(center[..., 2], high), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(axis, _turned(degrees, axis), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(both.log_size, larger.log_size if surer == "larger" else _spread(whole.log_size))
    torch.testing.assert_close(both.log_scale.exp(), torch.full_like(both.log_scale, scale))


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
