"""Which objects a phrase means: scores of proposed boxes against a query, as the published Video-3D LLM has them.

    patch contents inside each box, mean ─▶ + code of the box's centre ─▶ obj ───┐
                                                         zero target ─▶ obj ───┤ cosine ─▶ scores (n + 1)
    hidden state of ``<ground>`` ────────────────────────────────────▶ query ──┘

The last score is that of "none of them" (arXiv 2412.00493, ``infonce`` heads; Multi3DRefer, arXiv 2309.05251, asks for
none, one or several objects). Losses and scores are float32 whatever the weights are, and the loss is a difference of
log-sum-exps: the exponentials of the published code overflow half precision at temperatures below 0.09.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from video3d.model.position import WorldPosition
from video3d.types import Box3D

# Multi3DRefer's threshold in the published evaluation, and the temperature that its shares are taken at.
PUBLISHED_THRESHOLD = 0.4
PUBLISHED_TEMPERATURE = 0.07


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.LayerNorm(width), nn.Linear(width, width))


class GroundingHead(nn.Module):
    """Cosine scores of objects, and of the zero target behind them, against a query.

    >>> head = GroundingHead(8)
    >>> tuple(head(torch.randn(2, 5, 8), torch.randn(2, 8)).shape)
    (2, 6)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.obj = _head(width)
        self.query = _head(width)
        self.zero_target = nn.Parameter(torch.randn(width))

    def forward(
        self,
        content: Float[Tensor, "b n d"],
        query: Float[Tensor, "b d"],
        mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float32[Tensor, "b n1"]:
        """Scores in -1..1, the zero target's last.

        Args:
            content: what each object shows and where it is (``object_content``, ``add_place``).
            query: the language model's last hidden state at ``<ground>``.
            mask: false for objects that only pad a batch; their score is -inf.
        """
        dtype = self.zero_target.dtype
        nothing = self.zero_target.expand(len(content), 1, -1)
        objects = functional.normalize(self.obj(torch.cat([content.to(dtype), nothing], 1)).float(), dim=-1)
        asked = functional.normalize(self.query(query.to(dtype)).float(), dim=-1)
        scores = (objects * asked[:, None]).sum(-1)
        if mask is None:
            return scores
        return scores.masked_fill(~functional.pad(mask, (0, 1), value=True), -torch.inf)


def infonce_loss(
    scores: Float[Tensor, "b n1"], targets: Bool[Tensor, "b n"], temperature: float = PUBLISHED_TEMPERATURE
) -> Float32[Tensor, ""]:
    """Mean over the batch of -log(share of the targets in the softmax of the scores).

    Args:
        scores: from ``GroundingHead``, the zero target's last.
        targets: which objects are meant; a row without any means the zero target.
        temperature: what scores are divided by.

    >>> infonce_loss(torch.zeros(1, 4), torch.tensor([[True, True, False]])).item()  # 2 of 4: log 2
    0.6931471824645996
    """
    logits = scores.float() / temperature
    wanted = torch.cat([targets, ~targets.any(1, keepdim=True)], 1)
    return (logits.logsumexp(1) - logits.masked_fill(~wanted, -torch.inf).logsumexp(1)).mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedObjects:
    """What a query was found to mean.

    Attributes:
        indices: of the objects, best first; empty: none of them.
        shares: of the softmax over all objects and the zero target, in the same order.
        zero_share: the zero target's.
    """

    indices: tuple[int, ...]
    shares: tuple[float, ...]
    zero_share: float


def select_objects(
    scores: Float[Tensor, "n1"],
    threshold: float = PUBLISHED_THRESHOLD,
    temperature: float = PUBLISHED_TEMPERATURE,
) -> SelectedObjects:
    """None, one or several objects, as the published evaluation on Multi3DRefer decides.

    None if the zero target's score is the best; else objects by descending share until their shares sum up to
    ``threshold``. Padding (-inf) is never chosen.

    >>> select_objects(torch.tensor([0.50, 0.48, -0.2, 0.1]), threshold=0.9).indices
    (0, 1)
    >>> select_objects(torch.tensor([0.1, 0.2, 0.3])).indices
    ()
    """
    share = (scores.float() / temperature).softmax(0)
    zero_share = float(share[-1])
    if int(scores.argmax()) == len(scores) - 1:
        return SelectedObjects(indices=(), shares=(), zero_share=zero_share)
    ordered, index = share[:-1].sort(descending=True, stable=True)
    enough = int((ordered.cumsum(0) < threshold).sum()) + 1  # the object that reaches the threshold is in
    chosen = [i for i in index[:enough].tolist() if torch.isfinite(scores[i])]
    return SelectedObjects(indices=tuple(chosen), shares=tuple(float(share[i]) for i in chosen), zero_share=zero_share)


def best_object(scores: Float[Tensor, "n1"]) -> int | None:
    """The best object, the zero target left aside: ScanRefer always means one. ``None`` where there is no object.

    >>> best_object(torch.tensor([0.1, 0.2, 0.3]))
    1
    """
    return int(scores[:-1].argmax()) if len(scores) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectContent:
    """What the inside of n boxes shows.

    Attributes:
        content: mean over the patches or tokens inside; 0 for a box without any.
        num_seen: how many those were.
    """

    content: Float[Tensor, "n d"]
    num_seen: Float32[Tensor, "n"]


def _mean_of(inside: Bool[Tensor, "n m"], content: Float[Tensor, "m d"]) -> ObjectContent:
    weight = inside.float()
    num_seen = weight.sum(1)
    mean = (weight @ content.float()) / num_seen.clamp_min(1.0)[:, None]
    return ObjectContent(content=mean.to(content.dtype), num_seen=num_seen)


def object_content(
    patch_content: Float[Tensor, "f gh gw d"], share: Float32[Tensor, "n f gh gw"], *, min_share: float = 0.5
) -> ObjectContent:
    """Mean content of the patches that show a box, as published (``patch14``).

    Args:
        patch_content: projected patches before they are pooled (``SceneTokens.patch_content``).
        share: share of every patch's pixels inside every box (``video3d.geometry.patch_boxes.patch_box_shares``).
        min_share: a patch with at least this share belongs to a box.

    >>> shown = object_content(torch.ones(1, 1, 2, 3), torch.tensor([[[[0.5, 0.4]]], [[[0.0, 0.1]]]]))
    >>> shown.content[:, 0].tolist(), shown.num_seen.tolist()
    ([1.0, 0.0], [1.0, 0.0])
    """
    return _mean_of((share >= min_share).flatten(1), patch_content.flatten(0, 2))


def object_content_from_tokens(
    content: Float[Tensor, "m d"],
    points_world: Float32[Tensor, "m 3"],
    boxes: Sequence[Box3D],
    *,
    margin_m: float = 0.0,
) -> ObjectContent:
    """Mean content of the scene tokens whose point lies in a box or on its surface; boxes of any orientation.

    This needs no depth map and works on a stored scene.

    Args:
        content: what tokens show, without their place (``SceneTokens.content``).
        points_world: metres, NaN for a token without a place, which then lies in no box.
        boxes: n of them.
        margin_m: distance by which every face is moved outward first.
    """
    points = points_world.double()
    if not boxes:
        return _mean_of(torch.zeros(0, len(points), dtype=torch.bool, device=points.device), content)
    center, size, rotation = (
        torch.from_numpy(np.stack(parts)).to(points.device)
        for parts in zip(*((box.center_world, box.size_m, box.world_from_box) for box in boxes), strict=True)
    )
    at = (points[None] - center[:, None]) @ rotation  # n m 3, in the boxes' axes
    return _mean_of((at.abs() <= size[:, None] / 2 + margin_m).all(-1), content)


def add_place(
    content: Float[Tensor, "n d"], centers_world: Float32[Tensor, "n 3"], position: WorldPosition
) -> Float[Tensor, "n d"]:
    """Content plus the code of where its box is, which is how objects are scored: also those that nothing was seen of."""
    valid = torch.isfinite(centers_world).all(-1)
    return (content.float() + position(centers_world, valid)).to(content.dtype)
