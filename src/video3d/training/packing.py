"""Many questions on one scene in one sequence, each seen exactly as it is when it is asked alone.

    [what all prompts begin with: system, scene, facts][question 1, answer 1][question 2, answer 2] ...

A question attends to the beginning and to itself, and its positions go on from the beginning's end. So the scene is read once,
and what the language model says of a question is what it says when ``generate`` continues a kept scene
(``scene_memory.SceneCache``): nothing of another question is seen or counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor
from torch.nn import functional

SHARED, PADDING = 0, -1
"""Numbers of segments that are no questions: the common beginning, and padding."""
IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Questions on one scene in a row.

    Attributes:
        input_ids: the beginning, then every question with its answer.
        position_ids: as each question has them when asked alone.
        segment: ``SHARED`` for the beginning, 1, 2, ... for the questions, ``PADDING`` behind.
        next_ids: what is to be said after each token, -100 where nothing is to be learned.
    """

    input_ids: Int[Tensor, "t"]
    position_ids: Int[Tensor, "t"]
    segment: Int[Tensor, "t"]
    next_ids: Int[Tensor, "t"]


def pack(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Packed:
    """Put prompts on one scene, and their answers, into one row.

    Args:
        prompts: token ids of whole prompts, all of which begin alike (with the scene).
        answers: token ids of each answer with its end.

    Raises:
        ValueError: no prompts, or not as many answers.

    >>> packed = pack([[5, 9, 1], [5, 9, 2, 3]], [[7], [8]])
    >>> packed.input_ids.tolist(), packed.position_ids.tolist()
    ([5, 9, 1, 7, 2, 3, 8], [0, 1, 2, 3, 2, 3, 4])
    >>> packed.segment.tolist(), packed.next_ids.tolist()
    ([0, 0, 1, 1, 2, 2, 2], [-100, -100, 7, -100, -100, 8, -100])
    """
    if not prompts or len(prompts) != len(answers):
        raise ValueError(f"prompts: expected one or more, and as many answers, got {len(prompts)}, {len(answers)}")
    # One token at least stays with its question: it is what the answer's first word is said after.
    longest = min(map(len, prompts)) - 1
    same = takewhile(lambda column: len(set(column)) == 1, zip(*(one[:longest] for one in prompts), strict=True))
    begin = sum(1 for _ in same)
    ids, positions = list(prompts[0][:begin]), list(range(begin))
    segment, following = [SHARED] * begin, [IGNORED] * begin
    for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True), start=1):
        own = [*prompt[begin:], *answer]
        ids += own
        positions += range(begin, begin + len(own))
        segment += [number] * len(own)
        following += [*[IGNORED] * (len(own) - len(answer) - 1), *answer, IGNORED]
    tensors = (torch.tensor(values, dtype=torch.long) for values in (ids, positions, segment, following))
    return Packed(**dict(zip(("input_ids", "position_ids", "segment", "next_ids"), tensors, strict=True)))


def pad(rows: Sequence[Packed], pad_id: int) -> dict[str, Tensor]:
    """Rows of a batch at one length: ``input_ids``, ``position_ids``, ``segment``, ``next_ids`` (b t); padding is behind."""
    longest = max(len(row.input_ids) for row in rows)
    fills = {"input_ids": pad_id, "position_ids": 0, "segment": PADDING, "next_ids": IGNORED}

    def stacked(name: str, fill: int) -> Tensor:
        parts: list[Tensor] = [getattr(row, name) for row in rows]
        return torch.stack([functional.pad(part, (0, longest - len(part)), value=fill) for part in parts])

    return {name: stacked(name, fill) for name, fill in fills.items()}


def attends(segment: Int[Tensor, "b t"]) -> Bool[Tensor, "b 1 t t"]:
    """Which token sees which: what came before, of the beginning and of its own question. Padding sees itself.

    >>> attends(torch.tensor([[0, 1, 2, -1]]))[0, 0].int().tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    """
    query, key = segment[:, :, None], segment[:, None, :]
    before = torch.ones(segment.shape[1], segment.shape[1], dtype=torch.bool, device=segment.device).tril()
    seen = (key == query) | ((key == SHARED) & (query != PADDING))
    # A row that sees nothing would be NaN; padding sees padding before it, and itself.
    return (seen & before)[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How the questions of a batch were answered.

    Attributes:
        loss: mean of the questions' own losses, each weighted by the root of its answer's length ("square averaging" of InternVL
            2.5, arXiv 2412.05271): by tokens alone captions drown what is short; by questions alone, one word of a caption of 90
            counts a thirtieth of one of a yes, and a model need not look at what it describes.
        right: answers of which every word would have been said (greedily, with what is right before it).
        asked: questions.
    """

    loss: Float32[Tensor, ""]
    right: Int[Tensor, ""]
    asked: Int[Tensor, ""]


def spoken(next_ids: Int[Tensor, "b t"]) -> Int[Tensor, "k"]:
    """Places at which a row of the batch has a word to say: the only ones whose logits are needed."""
    return (next_ids != IGNORED).any(0).nonzero()[:, 0]


def judge(logits: Float[Tensor, "b k v"], next_ids: Int[Tensor, "b k"], segment: Int[Tensor, "b k"]) -> Said:
    """Loss and count of right answers at the places of ``spoken``."""
    b, k = next_ids.shape
    flat: Any = logits.float().flatten(0, 1)
    loss = functional.cross_entropy(flat, next_ids.flatten(), ignore_index=IGNORED, reduction="none")
    learned = (next_ids != IGNORED).flatten()
    most = int(segment.max()) + 1 if k else 1
    rows = torch.arange(b, device=segment.device)[:, None]
    question = torch.where(learned, (rows * most + segment.clamp_min(0)).flatten(), b * most)  # the last takes the rest
    wrong = learned & (flat.argmax(-1) != next_ids.flatten())
    count, total, missed = (
        loss.new_zeros(b * most + 1).index_add(0, question, values.float())[:-1] for values in (learned, loss, wrong)
    )
    asked = count > 0
    weight = count.sqrt()
    mean = (total / count.clamp_min(1) * weight).sum() / weight.sum().clamp_min(1)
    return Said(loss=mean, right=(asked & (missed == 0)).sum(), asked=asked.sum())
