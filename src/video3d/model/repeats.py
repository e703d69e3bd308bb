"""When an answer has begun to say itself again."""

import torch
from torch import Tensor
from transformers import StoppingCriteria

_TOKENS = 12


class StopsWhereItRepeats(StoppingCriteria):
    """Ends an answer whose last dozen tokens stand in it before, as lists of small models do until the limit ends them.

    Args:
        prompt_length: tokens before the answer; what an answer takes from there is no repetition.
    """

    def __init__(self, prompt_length: int):
        self.prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor | None, **kwargs: object) -> Tensor:
        """One truth a row of ``input_ids`` (rows, tokens): whether that answer is at its end."""
        said = input_ids[:, self.prompt_length :]
        if said.shape[1] <= _TOKENS:
            return torch.zeros(len(said), dtype=torch.bool, device=said.device)
        before = said[:, :-1].unfold(1, _TOKENS, 1)
        return (before == said[:, None, -_TOKENS:]).all(2).any(1)
