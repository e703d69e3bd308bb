"""An answer that goes round is ended, and no other."""

import torch

from video3d.model.repeats import StopsWhereItRepeats


def test_an_answer_that_says_itself_again_ends_and_one_that_repeats_the_prompt_does_not():
    stop = StopsWhereItRepeats(prompt_length=20)
    prompt = torch.arange(20)
    from_prompt = torch.cat(
        [prompt, torch.arange(20), torch.arange(50, 60)]
    )  # thirty tokens, twenty of them the prompt's
    goes_round = torch.cat([prompt, torch.arange(15), torch.arange(15)])
    ended = stop(torch.stack([from_prompt, goes_round]), torch.zeros(2, 1))
    assert ended.tolist() == [False, True]
    assert stop(torch.stack([prompt]), torch.zeros(1, 1)).tolist() == [False]
