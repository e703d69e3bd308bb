"""Trainer, PEFT and plain gradients."""

import pytest
import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

ANSWERS = ["2.5 m", "The left one"]


class Rows(Dataset):
    """A few rows, each a batch of one as the processor makes it."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def one_batch(processor, make_clip):
    clips, points = zip(*(make_clip(2, seed) for seed in range(2)), strict=True)
    return processor(list(clips), list(points), ["How far?", "Which is nearer?"], ANSWERS)


def test_loss_is_over_the_answer_only(make_model, processor, make_clip):
    model, batch = make_model(), one_batch(processor, make_clip)
    with torch.no_grad():
        out = model(**batch)
    labels = batch["labels"][:, 1:]
    expected = torch.nn.functional.cross_entropy(out.logits[:, :-1][labels != -100], labels[labels != -100])
    assert torch.allclose(out.loss, expected, atol=1e-5)
    said = [processor.tokenizer.decode(row[row != -100]) for row in batch["labels"]]
    assert said == [f"{answer}<end>" for answer in ANSWERS]


def test_gradients_reach_every_part_of_the_scene_path(make_model, processor, make_clip):
    model = make_model(position_kind="mlp").train()
    model(**one_batch(processor, make_clip)).loss.backward()
    names = [
        "gate",
        "base",
        "separator",
        "linear_1.weight",
        "linear_2.weight",
        "position.linear_1.weight",
        "position.linear_2.weight",
    ]
    for name in names:
        gradient = model.scene_projector.get_parameter(name).grad
        assert gradient is not None and gradient.isfinite().all() and gradient.abs().sum() > 0, name
    assert model.vision_tower.embeddings.patch_embeddings.projection.weight.grad.abs().sum() > 0


def test_training_opens_a_shut_gate(make_model, processor, make_clip):
    model = make_model(gate=None).train()
    model(**one_batch(processor, make_clip)).loss.backward()
    assert model.scene_projector.gate.grad.abs() > 0


def test_checkpointing_gives_the_same_gradients(make_model, processor, make_clip):
    batch, gradients = one_batch(processor, make_clip), []
    for checkpointing in (False, True):
        model = make_model().train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        model(**batch).loss.backward()
        gradients.append(model.scene_projector.linear_1.weight.grad)
    assert torch.allclose(*gradients, atol=1e-6)


def test_trainer_learns_one_batch_by_heart(make_model, processor, make_clip, tmp_path):
    pytest.importorskip("accelerate")
    model = make_model(gate=None, position_kind="mlp")
    batch = one_batch(processor, make_clip)
    rows = [{key: value[row] for key, value in batch.items()} for row in range(2)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=30,
        per_device_train_batch_size=2,
        learning_rate=5e-3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=Rows(rows))
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert all(map(torch.isfinite, torch.tensor(losses)))
    assert losses[-1] < 0.3 * losses[0]
    assert not model.scene_closed
    trainer.save_model(str(tmp_path / "out"))
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_lora_trains_the_adapters_and_the_projector_only(make_model, processor, make_clip, tmp_path):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(
        r=2,
        target_modules=r"language_model\..*\.(q_proj|v_proj)",
        modules_to_save=["scene_projector"],
        init_lora_weights=False,
    )
    model = peft.get_peft_model(make_model(), config).train()
    batch = one_batch(processor, make_clip)
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-3)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    first = model(**batch).loss
    first.backward()
    optimizer.step()
    moved = {name for name, weight in model.named_parameters() if not torch.equal(before[name], weight)}
    assert moved and all("lora_" in name or "modules_to_save" in name for name in moved)
    assert model(**batch).loss < first
    out = model.eval().generate(**processor(*make_clip(), "How far?"), max_new_tokens=2, do_sample=False)
    model.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(make_model(), tmp_path).eval()
    assert torch.equal(again.generate(**processor(*make_clip(), "How far?"), max_new_tokens=2, do_sample=False), out)
