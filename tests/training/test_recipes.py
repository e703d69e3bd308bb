"""Recipes are what they say, and what cannot be is refused in one line."""

import pytest
import torch

from video3d.cli import run
from video3d.training.examples import Order, find_packs
from video3d.training.packing import pack
from video3d.training.recipes import RECIPES, find_recipe
from video3d.training.start import groups, load_start, mark, meta_model


def test_the_reference_is_the_reference():
    for stage in ("depth", "alignment", "questions"):
        recipe = find_recipe(f"reference-{stage}")
        assert (recipe.frames, recipe.batch, recipe.lr, recipe.weight_decay) == (16, 16, 1e-4, 0.05)
        assert (recipe.warmup, recipe.steps, recipe.start) == (1000, 50_000, "reference")
    official = find_recipe("official-questions")
    assert (official.lr, official.lr_language, official.lr_vision) == (1e-5, 1e-5, 2e-6)
    assert (official.schedule, official.epochs, official.steps) == ("cosine", 1.0, 0)


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith(("reference", "official"))])
def test_every_weight_that_learns_has_the_rate_of_its_part(name):
    recipe = find_recipe(name)
    model = meta_model(recipe)
    mark(model, recipe)
    rates = {id(weight): group["lr"] for group in groups(model, recipe) for weight in group["params"]}
    assert all(rate > 0 for rate in rates.values())
    learns = {part for part, module in model.named_children() if any(w.requires_grad for w in module.parameters())}
    towers = {"vision_tower"} if recipe.lr_vision else set()
    towers |= {"language_model"} if recipe.lr_language else set()
    assert learns & {"vision_tower", "language_model"} == towers
    assert ("reasoning" in learns) == recipe.spatial
    assert len(rates) == sum(weight.requires_grad for weight in model.parameters())
    if recipe.stage == "questions":
        assert {rates[id(weight)] for weight in model.vision_tower.parameters()} == {recipe.lr_vision}
        assert (model.config.depth_loss_weight, model.config.spatial_loss_weight) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("name", "stays"), [("nano-questions", True), ("nano-alignment", True), ("nano-questions", False)]
)
def test_a_tower_that_learns_leaves_its_object_head_behind(name, stays):
    recipe = find_recipe(name, [] if stays else ["lr_vision=1e-5"])
    model = meta_model(recipe)
    assert model.config.objects_trained and model.object_head is not None
    mark(model, recipe)
    assert model.config.objects_trained == stays
    assert not any(weight.requires_grad for weight in model.object_head.parameters())


def test_values_are_set_by_their_kind():
    changes = ["steps=7", "lr=2e-4", "types=relation, layout", "facts=no", "settings.token_voxel_m=0.5", "start=DIR"]
    recipe = find_recipe("nano-questions", changes)
    assert (recipe.steps, recipe.lr, recipe.types, recipe.facts) == (7, 2e-4, ("relation", "layout"), False)
    assert recipe.settings["token_voxel_m"] == 0.5 and recipe.start == "DIR"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["step=7"], "--set step: expected one of"),
        (["steps"], "--set steps: expected key=value"),
        (["steps=many"], "--set steps: expected a value of kind int, got many"),
        (["batch=0"], "batch: expected 1 or more, got 0"),
        (["ema=1"], "ema: expected 0"),
        (["types=colour"], "types: expected of relation"),
        (["batch=4", "batch_device=3"], "batch_device: expected a divisor of batch (4), got 3"),
        (["lr_language=1e-5"], "lora_rank: expected 0"),
        (["settings.colour=1"], "settings.colour: expected a field of Video3DConfig"),
        (["settings.pool=0"], "pool: expected 1 or more patches, got 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes, words, small_data, capsys):
    set_ = [part for change in changes for part in ("--set", change)]
    assert run(["train", "nano-questions", str(small_data.root), "--dry-run", *set_]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1


def test_a_plan_says_what_learns_and_writes_nothing(small_data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["train", "reference-questions", str(small_data.root), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "50000 steps of 16 scenes" in out and "6,738,415,616" in out and "frozen" in out
    assert list(tmp_path.iterdir()) == []


def test_an_object_head_with_new_weights_is_not_believed():
    same, _ = load_start(find_recipe("nano-questions", ["settings.token_voxel_m=0.5"]), "cpu")
    assert same.config.objects_trained
    assert len(same.object_head.blocks) == 3
    for blocks in (0, 1, 4):
        other, _ = load_start(find_recipe("nano-questions", [f"settings.object_blocks={blocks}"]), "cpu")
        assert len(other.object_head.blocks) == blocks and not other.config.objects_trained


@pytest.mark.parametrize("grouped", [1, 4])
def test_every_epoch_takes_every_pack_once_in_an_order_of_its_own(grouped):
    lengths = [(7 * at) % 50 for at in range(50)]
    order = list(Order(lengths, total=120, seed=3, grouped=grouped))
    assert sorted(order[:50]) == sorted(order[50:100]) == list(range(50)) and order[:50] != order[50:100]
    assert len(set(order[100:])) == 20 and order == list(Order(lengths, total=120, seed=3, grouped=grouped))
    if grouped > 1:
        spans = [[lengths[one] for one in order[at : at + grouped]] for at in range(0, 48, grouped)]
        assert max(max(span) - min(span) for span in spans) <= grouped


def test_packs_share_out_the_questions_of_a_clip(small_data):
    path = small_data.root / "train.jsonl"
    assert [len(one.offsets) for one in find_packs(path, ("relation",), 12)] == [2] * 6
    assert [len(one.offsets) for one in find_packs(path, ("relation",), 1)] == [1] * 12
    assert find_packs(path, ("caption",), 12) == []


def test_a_single_question_keeps_its_last_word_to_itself():
    packed = pack([[5, 9, 1]], [[7]])
    assert packed.segment.tolist() == [0, 0, 1, 1] and torch.equal(packed.position_ids, torch.arange(4))
