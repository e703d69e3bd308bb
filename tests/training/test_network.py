"""The loop and the arithmetic that the recipes of nano's own networks share."""

import pytest
import torch

from video3d.model import nano
from video3d.training.network import mixed_precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_bfloat16_is_computed_in_only_where_the_processor_has_it(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nano, "cpu_dtype", lambda: dtype)
    with mixed_precision("cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert nano.device_dtype("cuda:0") == torch.bfloat16
