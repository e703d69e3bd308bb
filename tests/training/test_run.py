"""Runs at a tiny size: killed and gone on with, by heart, each level of what is computed before."""

import json
import os
import signal
from dataclasses import replace
from operator import mul

import pytest
import torch
from safetensors.torch import load_file

from video3d.model.nano import load_model
from video3d.model.processing_video3d import Video3DProcessor
from video3d.training import run as run_module
from video3d.training.recipes import Recipe, find_recipe
from video3d.training.run import train
from video3d.training.trainer import SceneTrainer, read_steps
from video3d.types import InputError

VOXEL = {"arrangement": "voxel", "token_voxel_m": 3.0, "position_kind": "mlp"}
HEADS = {"reasoning_layers": 1, "reasoning_width": 16, "reasoning_heads": 2, "layout_queries": 4}


@pytest.fixture
def start(make_model, tokenizer, tmp_path):
    """A folder with a tiny model to start from."""

    def make(**settings):
        model = make_model(gate=None, **settings)
        for parameter in model.parameters():
            parameter.data.div_(2)
        model.save_pretrained(tmp_path / "start")
        Video3DProcessor.for_model(model.config, tokenizer, max_patches=24).save_pretrained(tmp_path / "start")
        return str(tmp_path / "start")

    return make


def recipe_of(folder, **more):
    values = {"stage": "questions", "start": folder, "lr": 3e-3, "batch": 2, "steps": 6, "warmup": 2.0, "save_every": 2}
    return Recipe(
        name="tiny",
        **(values | {"bf16": False, "eval_every": 3, "eval_scenes": 2, "facts": False, "types": ("relation",)} | more),
    )


def losses(out):
    return [(line["step"], line["loss"], line["words"]) for line in read_steps(out / "steps.jsonl")]


def test_a_run_that_was_killed_goes_on_with_the_same_bits(start, small_data, tmp_path, monkeypatch):
    recipe = recipe_of(start(**VOXEL, **HEADS), spatial=True, lora_rank=2, ema=0.9)
    train(recipe, small_data.root, tmp_path / "whole", features=tmp_path / "features")
    # Killed in step 4, after the checkpoint of step 2: what the lines tell of step 3 is forgotten.
    told = SceneTrainer.write_step

    def die(self, seconds):
        told(self, seconds)
        if self.state.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SceneTrainer, "write_step", die)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, small_data.root, tmp_path / "again", features=tmp_path / "features")
    assert len(losses(tmp_path / "again")) == 3 and not (tmp_path / "again" / "config.json").exists()
    report = train(recipe, small_data.root, tmp_path / "again", features=tmp_path / "features", resume=True)
    assert losses(tmp_path / "again") == losses(tmp_path / "whole") and len(losses(tmp_path / "whole")) == 6
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "again"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert report["scores"]["eval_questions"] == 4 and report["judged"][-1]["eval_accuracy"] >= 0
    assert json.loads((tmp_path / "again" / "report.json").read_text())["data"] == small_data.content_hash

    model, _ = load_model(tmp_path / "again")
    assert model.config.scene_trained and model.config.reasoning_trained and not model.scene_closed
    assert not any("lora" in name for name, _ in model.named_parameters())
    with pytest.raises(InputError, match="with steps 6, got 7"):
        train(replace(recipe, steps=7), small_data.root, tmp_path / "again", resume=True)
    with pytest.raises(InputError, match="empty or new folder"):
        train(recipe, small_data.root, tmp_path / "again")


def test_told_to_stop_it_leaves_a_checkpoint(start, small_data, tmp_path, monkeypatch):
    recipe = recipe_of(start(**VOXEL), eval_scenes=0, save_every=100)
    told = SceneTrainer.write_step

    def ask(self, seconds):
        told(self, seconds)
        if self.state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(SceneTrainer, "write_step", ask)
        with pytest.raises(SystemExit) as stopped:
            train(recipe, small_data.root, tmp_path / "out", features=tmp_path)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert run_module.whole_checkpoint(tmp_path / "out" / "checkpoints") is not None
    train(recipe, small_data.root, tmp_path / "out", features=tmp_path, resume=True)
    assert [step for step, _, _ in losses(tmp_path / "out")] == [1, 2, 3, 4, 5, 6]


def test_questions_learned_by_heart_are_answered_by_the_finished_model(start, small_data, tmp_path):
    recipe = recipe_of(start(**VOXEL), lr=1e-2, lr_language=1e-2, batch=1, steps=120)
    report = train(recipe, small_data.root, tmp_path / "out", features=tmp_path, overfit=2)
    assert report["by_heart"] == {"right": 2, "asked": 2}
    assert report["steps"] < 120  # stopped when all was known


@pytest.mark.parametrize("settings", [{}, {"lr_vision": 1e-3}, {"batch_device": 2}], ids=["patches", "pixels", "two"])
def test_what_is_computed_before_does_not_change_what_is_learned(start, small_data, tmp_path, settings):
    more = {"temporal_layers": 1, "temporal_heads": 2, "depth_encoding": True, "depth_attention": True}
    recipe = recipe_of(start(**more), steps=1, eval_scenes=0, **settings)
    train(recipe, small_data.root, tmp_path / "out", features=tmp_path / "features")
    level = next((tmp_path / "features").iterdir()).name.split("-")[0]
    assert level == ("pixels" if "lr_vision" in settings else "patches")
    # The first loss of all three is that of the same two packs by the same weights.
    first = losses(tmp_path / "out")[0][1]
    torch.manual_seed(0)
    assert first == pytest.approx(expected_loss(recipe, small_data, tmp_path), rel=1e-5)


def expected_loss(recipe, data, tmp_path):
    """Of the run's first step, from pixels by the model itself, question by question."""
    from video3d.geometry.lift import lift_patches
    from video3d.training.examples import Examples, Order
    from video3d.training.features import scene_of, store_for
    from video3d.training.run import packs_of
    from video3d.training.start import load_start, mark

    model, processor = load_start(recipe, "cpu")
    mark(model, recipe)
    packs = packs_of(data, recipe, "train")
    store = store_for(model, processor, data, frames=16, facts=False, root=tmp_path / "features")
    examples = Examples(store, processor, split="train", packs=packs)
    order = Order([pack.num_bytes for pack in packs], total=2, seed=0, grouped=recipe.batch_device)
    found, weights = [], []
    for at in order:
        clip = processor.fit_clip(scene_of(data.clip(packs[at].clip_id), 16).clip)
        points = lift_patches(clip, processor.patch_px)
        for question, answer in examples.questions(at):
            batch = processor(clip, points, question, answer)
            found.append(float(model(**batch).loss))
            weights.append(float((batch["labels"] != -100).sum()) ** 0.5)
    # Each scene is a batch of its own, or both are one.
    parts = [slice(0, len(found))] if recipe.batch_device > 1 else [slice(0, 2), slice(2, 4)]
    means = [sum(map(mul, found[part], weights[part])) / sum(weights[part]) for part in parts]
    return sum(means) / len(means)


def test_depth_is_learned_without_words(start, small_data, tmp_path):
    recipe = recipe_of(start(depth_head=True), stage="depth", steps=2, lr_vision=1e-3)
    report = train(recipe, small_data.root, tmp_path / "out", features=tmp_path / "features")
    assert {"loss", "depth"} <= report["last_losses"].keys() and "words" not in report["last_losses"]
    model, _ = load_model(tmp_path / "out")
    assert model.config.depth_trained and not model.config.scene_trained


def test_a_short_run_looks_only_at_what_it_takes(start, small_data, tmp_path):
    recipe = recipe_of(start(**VOXEL), steps=1, batch=1, eval_scenes=0)
    train(recipe, small_data.root, tmp_path / "out", features=tmp_path / "features")
    looked_at = list((tmp_path / "features").glob("tokens-*/*.safetensors"))
    assert len(looked_at) == 1 < len(small_data.clip_ids("train"))


def test_a_frozen_depth_head_reads_a_frozen_tower_in_its_precision(start, small_data, tmp_path):
    folder = start(depth_head=True, depth_trained=True, **VOXEL)
    train(recipe_of(folder, steps=1, eval_scenes=0, bf16=True), small_data.root, tmp_path / "out", features=tmp_path)
    assert len(losses(tmp_path / "out")) == 1 and load_model(tmp_path / "out")[0].config.depth_trained


def test_clips_are_withheld_only_where_nothing_is_learned_from_their_whole_truth():
    assert find_recipe("nano-questions", ["without=depth,frames"]).without == ("depth", "frames")
    with pytest.raises(InputError, match="of depth, poses"):
        find_recipe("nano-questions", ["without=sound"])
    with pytest.raises(InputError, match="whole clip's truth"):
        find_recipe("reference-questions", ["without=poses"])


def test_questions_are_learned_with_the_notes_that_they_are_asked_with(
    make_model, tokenizer, small_data, tmp_path, monkeypatch
):
    """The text of a prompt in training is the text that ``ask`` gives the model, things and all."""
    from video3d.data.presented import recording_of
    from video3d.pipeline import Video3D
    from video3d.training import features
    from video3d.training.features import prompt_text, store_for

    head = {"object_head": True, "object_width": 16, "object_colors": ["red", "blue"], "objects_trained": True}
    model = make_model(**VOXEL, **head, categories=["chair", "table", "ball"])
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    asked_of = ["How far is the red chair from the table?", "Will the ball hit the chair?", "How large is the room?"]
    monkeypatch.setattr(features, "_questions", lambda *_: lambda _clip_id: asked_of)
    store = store_for(model, processor, small_data, frames=3, facts=True, root=tmp_path)
    clip_id = small_data.clip_ids("train")[0]
    assert list(store.fill(model.eval(), [clip_id])) == [clip_id]
    scene, engine = store[clip_id], Video3D.around(model, processor)
    read = engine.read(recording_of(small_data.clip(clip_id)), num_frames=3)
    for question in asked_of:
        assert prompt_text(scene.head, question, scene.notes_on(question)) == engine.prompt(read, question)
    assert any("chair" in line for line in scene.notes_on(asked_of[0])) and not scene.notes_on(asked_of[2])
    with pytest.raises(InputError, match="made for other questions"):
        scene.notes_on("What else?")
    model.config.notes = "places"
    folders = {store.folder}
    for without, notes in (((), "places"), (("frames",), "places"), (("depth",), "places"), ((), "none")):
        model.config.notes = notes
        other = store_for(model, processor, small_data, frames=3, facts=True, root=tmp_path, without=without)
        assert other.folder not in folders
        folders.add(other.folder)
        if without != ("depth",):  # nano's network would have to be loaded
            assert list(other.fill(model, [clip_id])) == [clip_id]
            said = other[clip_id].notes_on(asked_of[0])
            assert "likely" not in "".join(said) and ("frame 0:" in "".join(said)) == (without == ("frames",))
            assert bool(said) == (notes != "none")
    model.config.notes = "conclusions"
    with torch.no_grad():
        model.scene_projector.gate.zero_()  # one that has not been through training reads none
    assert "[ESTIMATED]" not in engine.prompt(read, asked_of[0])
