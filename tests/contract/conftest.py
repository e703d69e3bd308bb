"""The small models of ``small_models``, for every test of the contract."""

from small_models import make_clip, make_model, processor, tokenizer

__all__ = ["make_clip", "make_model", "processor", "tokenizer"]
