"""Depth-aware attention: softmax(q·k / sqrt(c) − s·|d_q − d_k|)·v, s >= 0 learned for every head, d in metres.

Two patches that are far apart in depth are unlikely to show the same thing, however alike they look. The penalty is ALiBi's
(Press et al., "Train short, test long", arXiv 2108.12409) with metres in the place of token distance. A patch of unknown
depth neither pays nor causes a penalty.

Notable: the scores (h n n) are never written whole where they would be large. On a GPU ``flex_attention`` adds the penalty
inside the kernel; elsewhere queries are taken a block at a time, the bias of a block (h block n) is made and handed to
scaled-dot-product attention, and with gradients each block is computed again on the way back instead of kept. Memory then
grows with n, time with n² as in any exact attention.
"""

import math
from functools import cache
from typing import Any, Literal, no_type_check

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Implementation = Literal["auto", "naive", "sdpa", "blocks", "flex"]

_WHOLE_BIAS_ELEMENTS = 1 << 24
"""Up to this many elements (64 MB) the bias of all queries is made at once: fewer calls, and less time for short sequences."""
_BLOCK_ELEMENTS = 1 << 22
"""A block of queries is as large as gives a bias of about this many elements."""


def depth_bias(
    depth_q: Float32[Tensor, "b q"], depth_k: Float32[Tensor, "b k"], slope: Float32[Tensor, "h"]
) -> Float32[Tensor, "b h q k"]:
    """−s·|d_q − d_k| for every head, 0 where either depth is NaN.

    >>> depth_bias(torch.tensor([[1.0]]), torch.tensor([[1.0, 3.0, torch.nan]]), torch.tensor([0.5])).tolist()
    [[[[-0.0, -1.0, -0.0]]]]
    """
    apart = (depth_q[:, :, None] - depth_k[:, None, :]).abs()
    apart = torch.where(apart.isnan(), 0.0, apart)
    return -slope[None, :, None, None] * apart[:, None]


def depth_aware_attention(
    query: Float[Tensor, "b h n c"],
    key: Float[Tensor, "b h n c"],
    value: Float[Tensor, "b h n c"],
    depth_m: Float32[Tensor, "b n"] | None = None,
    slope: Float32[Tensor, "h"] | None = None,
    visible: Bool[Tensor, "b n"] | None = None,
    *,
    implementation: Implementation = "auto",
) -> Float[Tensor, "b h n c"]:
    """Attention of every token to every visible one, less to those of another depth.

    Args:
        query: b sequences of n tokens.
        key: likewise.
        value: likewise.
        depth_m: z-depth of every token in metres, NaN unknown; ``None``: plain attention.
        slope: s of every head, 1/m; needed with ``depth_m``.
        visible: false for tokens that only pad; nobody attends to them but they themselves. ``None``: all.
        implementation: ``naive`` writes the formula down; ``sdpa`` makes the whole bias; ``blocks`` a block of queries at a
            time; ``flex`` uses ``flex_attention``; ``auto`` takes flex on a GPU and else what is smaller.

    Raises:
        ValueError: ``depth_m`` without ``slope``.
    """
    if depth_m is not None and slope is None:
        raise ValueError("slope: expected one number a head with depth_m, got none")
    if depth_m is None and visible is None and implementation != "naive":
        return functional.scaled_dot_product_attention(query, key, value)
    b, h, n, _ = query.shape
    if implementation == "auto":
        if query.is_cuda and n >= 128:
            implementation = "flex"
        else:
            implementation = "sdpa" if b * h * n * n <= _WHOLE_BIAS_ELEMENTS else "blocks"
    if implementation == "flex":
        return _flex(query, key, value, depth_m, slope, visible)
    if implementation == "naive":
        scores = (query @ key.transpose(-1, -2)).float() / math.sqrt(query.shape[-1])
        bias = _bias(depth_m, slope, visible, 0, n, query)
        return (scores + bias.float()).softmax(-1).to(value.dtype) @ value
    if implementation == "sdpa":
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=_bias(depth_m, slope, visible, 0, n, query)
        )
    block = max(1, min(n, _BLOCK_ELEMENTS // max(b * h * n, 1)))
    parts = []
    for begin in range(0, n, block):
        given = (query[:, :, begin : begin + block], key, value, depth_m, slope, visible, begin)
        if torch.is_grad_enabled():
            parts.append(checkpoint(_block, *given, use_reentrant=False))
        else:
            parts.append(_block(*given))
    return torch.cat(parts, 2)


def _bias(
    depth_m: Tensor | None, slope: Tensor | None, visible: Tensor | None, begin: int, end: int, like: Tensor
) -> Tensor:
    """What is added to the scores of queries ``begin`` to ``end``, in the dtype that the kernel wants."""
    n = like.shape[-2] if depth_m is None else depth_m.shape[1]
    n = n if visible is None else visible.shape[1]
    if depth_m is None or slope is None:
        bias = torch.zeros(1, 1, end - begin, n, device=like.device)
    else:
        bias = depth_bias(depth_m[:, begin:end].float(), depth_m.float(), slope.float())
    if visible is not None:
        itself = torch.arange(begin, end, device=like.device)[:, None] == torch.arange(n, device=like.device)
        seen = visible[:, None, None, :] | itself
        bias = torch.where(seen, bias, -torch.inf)
    return bias.to(like.dtype)


def _block(
    query: Tensor, key: Tensor, value: Tensor, depth_m: Tensor | None, slope: Tensor | None, visible: Tensor | None, begin: int
) -> Tensor:  # fmt: skip
    bias = _bias(depth_m, slope, visible, begin, begin + query.shape[2], query)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


@cache
def _compiled_flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


def _flex(
    query: Tensor, key: Tensor, value: Tensor, depth_m: Tensor | None, slope: Tensor | None, visible: Tensor | None
) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    # Known depth and a flag instead of NaN: a kernel may be compiled to assume that there are none.
    known = None if depth_m is None else depth_m.isfinite()
    depth = None if depth_m is None or known is None else torch.where(known, depth_m.float(), 0.0)

    @no_type_check  # traced into the kernel, where a run-time checker has no place
    def score_mod(score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        if depth is not None and known is not None and slope is not None:
            apart = (depth[b, q] - depth[b, k]).abs()
            score = score - slope[h] * torch.where(known[b, q] & known[b, k], apart, 0.0)
        if visible is not None:
            score = torch.where(visible[b, k] | (q == k), score, -float("inf"))
        return score

    # Compiled it is one kernel; as plain Python it would write the scores that it is there to avoid.
    run = _compiled_flex() if query.is_cuda else flex_attention
    return run(query, key, value, score_mod=score_mod)
