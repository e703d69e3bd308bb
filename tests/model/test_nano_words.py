"""What nano's language model learned, in files: written in parts, read back, added as PEFT adds it."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

from video3d.model import nano_words
from video3d.model.nano_words import add_adapters, packaged_words, shards, write_words
from video3d.types import InputError


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 4, bias=False)
        self.second = nn.Linear(4, 3, bias=False)

    def forward(self, x):
        return self.second(self.first(x))


@pytest.fixture
def tuned():
    """A model with adapters that say something, and what was learned of it."""
    torch.manual_seed(0)
    plain = Tiny().to(torch.bfloat16).float()
    before = {name: weight.clone() for name, weight in plain.state_dict().items()}
    model = get_peft_model(plain, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear"))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn_like(weight).to(torch.bfloat16).float()
    learned = {f"language_model.{name}": weight for name, weight in model.named_parameters() if weight.requires_grad}
    return before, model, learned | {"scene_projector.gate": torch.ones(())}


def test_adapters_are_added_as_peft_adds_them(tuned, tmp_path, monkeypatch):
    before, model, learned = tuned
    monkeypatch.setattr(nano_words, "_SHARD_BYTES", 40)
    paths = write_words(learned, tmp_path, scale=2, settings={"pool": 2})
    assert len(paths) > 1 and paths == shards(tmp_path)
    assert all(path.stat().st_size < 1000 for path in paths)
    words = packaged_words(tmp_path)
    assert words is not None and words.settings == {"pool": 2} and set(words.adapters) == {"first", "second"}
    assert list(words.others) == ["scene_projector.gate"]
    plain = Tiny()
    plain.load_state_dict(before)
    add_adapters(plain, words)
    merged = model.merge_and_unload()
    for name, weight in merged.state_dict().items():
        assert torch.equal(plain.state_dict()[name], weight), name


def test_none_is_none_and_some_is_an_error(tuned, tmp_path, monkeypatch):
    assert packaged_words(tmp_path) is None
    monkeypatch.setattr(nano_words, "_SHARD_BYTES", 40)
    paths = write_words(tuned[2], tmp_path, scale=2, settings={})
    paths[0].unlink()
    with pytest.raises(InputError, match="install again"):
        packaged_words(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "nano_words-00001-of-00009.safetensors")
    with pytest.raises(InputError, match="expected nano_words-00001-of-"):
        packaged_words(tmp_path)
