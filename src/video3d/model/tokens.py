"""Tokens merged by voxel: what many frames see of one place becomes one token, so that a scene costs what it costs.

    tokens of all frames (b m c) ─▶ MergePlan (integers: which token goes where) ─▶ weighted means (b n c)

The plan has no gradients and shapes that depend on the data, so it stays outside ``torch.compile``; the means are two
``index_add``, through which gradients reach every token's content.

**Weights.** A token counts with its share of known depth over its squared distance from the camera. A patch of fixed size
in pixels covers an area that grows with the squared distance, so this makes every pixel that shows a place count alike for
the place: near views, which resolve it, decide what it looks like. (It is also the mild side of what depth deserves: the
error of a structured-light camera grows with the squared distance, Khoshelham and Oude Elberink, Sensors 12(2), 2012, which
would ask for its fourth power.) ``NEAR_M`` bounds it: closer views show no more of a voxel than it holds.

**Order.** By the frame that a token was first seen in, then by Morton code. A language model reads in order: this tells the
scene as the walk told it, frames that come later leave the order of what was there as it is, and within a frame neighbours
in space are mostly neighbours in the prompt, where attention by relative position is strongest. Both are integers, so every
machine gives the same order.

**Tokens without a place** would be one a frame for ever and undo the saving; so they share spans of frames, each as long as
the next, whose length doubles until there are at most ``max_unplaced``. A video without any geometry is better served by a
``grid``.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int32, Int64
from torch import Tensor

from video3d.model.octree import give_way, level_under, morton_codes

MAX_UNPLACED = 32
NEAR_M = 0.5
"""Added to the distance, squared: a view from 0.1 m counts no more than 1.7 times one from 0.4 m."""
UNKNOWN_DISTANCE_M = 2.0
"""What a token counts as far as where its distance is not known: a usual one indoors."""
_UNPLACED = 1 << 61  # behind all codes of voxels


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTokens:
    """Tokens of all frames of b scenes, in any order; geometry in float32 whatever the content is in.

    Attributes:
        content: what each token shows.
        points_world: metres, NaN where unknown.
        weight: share of known depth, 0..1. A token whose weight is 0 or NaN has no place.
        frame: number of the frame that a token is from, in order of time.
        mask: false for padding.
        distance_m: from the camera, metres; NaN where unknown, ``None``: all unknown.
        time_s: seconds, NaN where unknown; ``None``: all unknown.
    """

    content: Float[Tensor, "b m c"]
    points_world: Float32[Tensor, "b m 3"]
    weight: Float32[Tensor, "b m"]
    frame: Int64[Tensor, "b m"]
    mask: Bool[Tensor, "b m"]
    distance_m: Float32[Tensor, "b m"] | None = None
    time_s: Float32[Tensor, "b m"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedTokens:
    """Tokens of b scenes, at most one a voxel, padded at the left.

    Attributes:
        content: weighted mean of what the merged tokens show; 0 for padding.
        points_world: weighted mean of their points, metres; NaN for tokens without a place and for padding.
        mask: true for a token, false for padding.
        num_views: distinct frames that it was seen in; 0 for padding.
        seen_s: first and last time that it was seen, seconds; NaN where unknown.
    """

    content: Float[Tensor, "b n c"]
    points_world: Float32[Tensor, "b n 3"]
    mask: Bool[Tensor, "b n"]
    num_views: Int32[Tensor, "b n"]
    seen_s: Float32[Tensor, "b n 2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """Which token of one scene goes into which, without what they show.

    Attributes:
        slot: merged token that each token goes into, in order; -1 for padding.
        num_views: distinct frames of each merged token.
        placed: whether it has a place.
    """

    slot: Int64[Tensor, "m"]
    num_views: Int64[Tensor, "n"]
    placed: Bool[Tensor, "n"]


def view_weight(
    weight: Float32[Tensor, "*m"], distance_m: Float32[Tensor, "*m"] | None, placed: Bool[Tensor, "*m"]
) -> Float64[Tensor, "*m"]:
    """How much each token counts: share / (distance² + ``NEAR_M``²), and 1 for tokens without a place.

    >>> one = torch.ones(3)
    >>> view_weight(one, torch.tensor([0.0, 2.0, torch.nan]), one.bool()).round(decimals=3).tolist()
    [4.0, 0.235, 0.235]
    """
    far = torch.full_like(weight, UNKNOWN_DISTANCE_M) if distance_m is None else distance_m
    far = far.double().nan_to_num(UNKNOWN_DISTANCE_M, posinf=UNKNOWN_DISTANCE_M)
    return torch.where(placed, weight.double() / (far**2 + NEAR_M**2), 1.0)


def has_place(points_world: Float32[Tensor, "*m 3"], weight: Float32[Tensor, "*m"]) -> Bool[Tensor, "*m"]:
    """Which tokens have a point that some known pixel stands behind."""
    return torch.isfinite(points_world).all(-1) & (weight > 0) & torch.isfinite(weight)


def reserved_unplaced(max_tokens: int | None, max_unplaced: int) -> int:
    """Most tokens without a place: an eighth of a cap at most, for places are what the scene is about."""
    return max_unplaced if max_tokens is None else min(max_unplaced, max_tokens // 8 or int(max_tokens > 1))


def span_level(frames: Int64[Tensor, "u"], most: int) -> int:
    """How often spans of one frame have to double until frames lie in at most ``most`` of them.

    >>> span_level(torch.arange(20), 8)
    2
    """
    level = 0
    while len(frames) > max(most, 1):
        level, frames = level + 1, torch.unique_consecutive(frames >> 1)
    return level


def reading_order(first_frame: Int64[Tensor, "n"], keys: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
    """Indices of merged tokens in the order of the prompt: by first frame, then by key."""
    by_key = torch.argsort(keys, stable=True)
    return by_key[torch.argsort(first_frame[by_key], stable=True)]


def check_caps(voxel_m: float, max_tokens: int | None, max_unplaced: int) -> None:
    """Refuse sizes that nothing can be merged by.

    Raises:
        ValueError: a side that is not > 0, a cap below 1 or a negative number of tokens without a place.
    """
    if not 0 < voxel_m < float("inf"):
        raise ValueError(f"voxel_m: expected a side > 0 in metres, got {voxel_m}")
    if max_tokens is not None and max_tokens < 1:
        raise ValueError(f"max_tokens: expected 1 or more, or None, got {max_tokens}")
    if max_unplaced < 0:
        raise ValueError(f"max_unplaced: expected 0 or more, got {max_unplaced}")


@torch.no_grad()
def plan_merge(
    points_world: Float32[Tensor, "m 3"],
    weight: Float32[Tensor, "m"],
    frame: Int64[Tensor, "m"],
    mask: Bool[Tensor, "m"],
    *,
    voxel_m: float,
    max_tokens: int | None = None,
    max_unplaced: int = MAX_UNPLACED,
) -> MergePlan:
    """Which tokens of a scene merge, and in what order they stand then.

    Args:
        points_world: see ``GridTokens``, as the next three.
        weight: see there.
        frame: see there; counted from the scene's first.
        mask: see there.
        voxel_m: side of a voxel in metres.
        max_tokens: most merged tokens. Beyond it, voxels merge into ones of twice the side (``octree.give_way``).
        max_unplaced: most tokens without a place among them; under a cap at most an eighth of it. With 0 they are dropped.

    Raises:
        InputError: a point lies beyond the grid of voxels (``octree.morton_codes``).
    """
    check_caps(voxel_m, max_tokens, max_unplaced)
    placed = has_place(points_world, weight) & mask
    unplaced = mask & ~placed
    from_first = frame - (frame[mask].min() if bool(mask.any()) else 0)

    most_unplaced = reserved_unplaced(max_tokens, max_unplaced)
    spans = from_first[unplaced]
    spans = spans >> span_level(torch.unique(spans), most_unplaced)
    num_spans = len(torch.unique(spans)) if most_unplaced else 0

    codes = morton_codes(points_world[placed], voxel_m)
    if max_tokens is not None:
        # The level is chosen with the reserve and not with what is used of it: the number of spans falls when their length
        # doubles, and a stream cannot make voxels finer again.
        codes = codes >> 3 * level_under(torch.unique(codes), max_tokens - most_unplaced)
        voxels, voxel_of = torch.unique(codes, return_inverse=True)
        codes = torch.where(give_way(voxels, max_tokens - num_spans)[voxel_of], codes & ~7, codes)

    keys = torch.full_like(frame, -1)
    keys[placed] = codes
    if most_unplaced:
        keys[unplaced] = spans + _UNPLACED
    used = keys >= 0
    merged, group = torch.unique(keys[used], return_inverse=True)
    num = len(merged)
    seen_in, numbered = torch.unique(from_first[used], return_inverse=True)
    pairs = torch.unique(group * max(len(seen_in), 1) + numbered)
    num_views = torch.bincount(pairs // max(len(seen_in), 1), minlength=num)
    first = torch.full_like(merged, torch.iinfo(torch.int64).max)
    first = first.scatter_reduce(0, group, from_first[used], "amin")
    order = reading_order(first, merged)
    place_of = torch.empty_like(order)
    place_of[order] = torch.arange(num, device=order.device)
    slot = torch.full_like(frame, -1)
    slot[used] = place_of[group]
    return MergePlan(slot=slot, num_views=num_views[order], placed=merged[order] < _UNPLACED)


def _plan_batch(
    tokens: GridTokens, voxel_m: float, max_tokens: int | None, max_unplaced: int
) -> tuple[list[MergePlan], int]:
    plans = [
        plan_merge(*row, voxel_m=voxel_m, max_tokens=max_tokens, max_unplaced=max_unplaced)
        for row in zip(tokens.points_world, tokens.weight, tokens.frame, tokens.mask, strict=True)
    ]
    return plans, max((len(plan.num_views) for plan in plans), default=0)


_plan_apart: Any = torch.compiler.disable(_plan_batch)
"""How many tokens are left depends on what they hold: the compiler is not to look into that."""


def merge_by_voxel(
    tokens: GridTokens, *, voxel_m: float, max_tokens: int | None = None, max_unplaced: int = MAX_UNPLACED
) -> MergedTokens:
    """Merge the tokens of every scene that look at the same voxel; see the module for weights, order and what has no place.

    Differentiable in ``tokens.content``. Sums are in float32 (content) and float64 (points); on a GPU their last bits can
    change from run to run unless ``torch.use_deterministic_algorithms`` is on. Which tokens merge never does.

    Args:
        tokens: of all frames.
        voxel_m: side of a voxel in metres (``config.token_voxel_m``).
        max_tokens: most tokens of a scene (``config.max_scene_tokens``); ``None``: all.
        max_unplaced: see ``plan_merge``.

    Raises:
        InputError: a point lies beyond the grid of voxels.
        ValueError: a side, cap or number out of range.

    >>> points = torch.tensor([[[0.1, 0.1, 0.1], [0.15, 0.1, 0.1], [1.0, 0.1, 0.1]]])
    >>> content, ones = torch.tensor([[[1.0], [3.0], [5.0]]]), torch.ones(1, 3)
    >>> grid = GridTokens(
    ...     content=content, points_world=points, weight=ones, frame=torch.tensor([[0, 1, 1]]), mask=ones.bool()
    ... )
    >>> merged = merge_by_voxel(grid, voxel_m=0.2)
    >>> merged.content.tolist(), merged.num_views.tolist()
    ([[[2.0], [5.0]]], [[2, 1]])
    """
    plans, n = _plan_apart(tokens, voxel_m, max_tokens, max_unplaced)
    b, m = tokens.mask.shape
    device = tokens.content.device
    slot = torch.stack([plan.slot + (n - len(plan.num_views)) for plan in plans]) if b else tokens.frame
    dropped = torch.stack([plan.slot < 0 for plan in plans]) if b else tokens.mask
    # One row more than there are tokens takes what is dropped, so that shapes do not depend on the mask.
    flat = torch.where(dropped, b * n, slot + n * torch.arange(b, device=device)[:, None]).reshape(b * m)
    num_views = torch.zeros(b, n, dtype=torch.int32, device=device)
    placed = torch.zeros(b, n, dtype=torch.bool, device=device)
    for row, plan in enumerate(plans):
        num_views[row, n - len(plan.num_views) :] = plan.num_views.int()
        placed[row, n - len(plan.num_views) :] = plan.placed

    known = has_place(tokens.points_world, tokens.weight) & tokens.mask
    weight = view_weight(tokens.weight, tokens.distance_m, known)
    # Padding may hold NaN, and 0 * NaN is NaN in the gradient too.
    content = torch.where(dropped[..., None], 0.0, tokens.content.float())
    points = torch.where(known[..., None], tokens.points_world.double(), 0.0)
    total = weight.new_zeros(b * n + 1).index_add(0, flat, weight.reshape(-1))
    safe = torch.where(total > 0, total, 1.0)
    # Each token's share of its merged token, made in float64: only what is summed is in the content's precision.
    share = weight.reshape(-1) / safe[flat]
    mean = content.new_zeros(b * n + 1, content.shape[-1])
    mean = mean.index_add(0, flat, content.reshape(b * m, content.shape[-1]) * share.float()[:, None])
    where = points.new_zeros(b * n + 1, 3).index_add(0, flat, points.reshape(b * m, 3) * share[:, None])
    return MergedTokens(
        content=mean[: b * n].reshape(b, n, content.shape[-1]).to(tokens.content.dtype),
        points_world=torch.where(placed[..., None], where[: b * n].reshape(b, n, 3).float(), torch.nan),
        mask=num_views > 0,
        num_views=num_views,
        seen_s=_seen(tokens.time_s, flat, b, n, device),
    )


def _seen(
    time_s: Float32[Tensor, "b m"] | None, flat: Int64[Tensor, "bm"], b: int, n: int, device: torch.device
) -> Float32[Tensor, "b n 2"]:
    """First and last known time of every merged token."""
    if time_s is None:
        return torch.full((b, n, 2), torch.nan, device=device)
    ends = []
    for end, way in ((torch.inf, "amin"), (-torch.inf, "amax")):
        time = torch.where(torch.isfinite(time_s), time_s, end).reshape(-1)
        found = time.new_full((b * n + 1,), end).scatter_reduce(0, flat, time, way)
        ends.append(torch.where(torch.isfinite(found), found, torch.nan)[: b * n].reshape(b, n))
    return torch.stack(ends, -1)
