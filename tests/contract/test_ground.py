"""``video3d ground`` end to end: a model folder, a recording, boxes or an explicit nothing."""

import json

import numpy as np
import pytest
import torch

from video3d.cli import run
from video3d.geometry.proposals import propose_boxes
from video3d.grounding import propose_objects
from video3d.model.processing_video3d import Video3DProcessor
from video3d.pipeline import load


def folder_of(model, tokenizer, path):
    model.save_pretrained(path)
    Video3DProcessor.for_model(model.config, tokenizer, max_patches=24).save_pretrained(path)
    return str(path)


def asked(capsys, *arguments):
    code = run(["ground", *arguments, "--json"])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out else out.err


def test_nano_says_that_it_has_not_learned_it_and_what_stands_out(room, capsys):
    code, found = asked(capsys, str(room), "the chair by the window", "--frames", "8")
    assert code == 0 and found["nothing"] and found["found"] == [] and "not learned" in found["why_nothing"]
    assert found["unit"] == "m" and len(found["proposals"]) > 3
    for box in found["proposals"]:
        assert min(box["size"]) > 0 and np.isfinite(box["center"]).all() and 0 <= box["score"] <= 1


@pytest.mark.parametrize("ground_token_id", [None, 7])
def test_a_model_with_trained_heads_chooses_among_them(ground_token_id, room, make_model, tokenizer, tmp_path, capsys):
    model = make_model(grounding=True, grounding_trained=True, ground_token_id=ground_token_id)
    with torch.no_grad():  # it likes no object: an explicit nothing
        for layer in (model.grounding.obj[3], model.grounding.query[3]):
            layer.bias.zero_()
    path = folder_of(model, tokenizer, tmp_path / "model")
    code, found = asked(capsys, str(room), "the table", "--frames", "6", "--model", path, "--threshold", "0.9")
    assert code == 0 and 0 <= found["none_share"] <= 1
    assert found["nothing"] == (found["found"] == []) == bool(found["why_nothing"])
    shares = [one["score"] for one in found["found"]]
    assert shares == sorted(shares, reverse=True) and sum(shares) + found["none_share"] <= 1.001
    boxes = [one["center"] for one in found["proposals"]]
    assert all(one["center"] in boxes and one["label"] == "the table" for one in found["found"])


def test_it_answers_as_the_whole_prompt_would(room, make_model, tokenizer, tmp_path):
    """Reading the phrase behind the kept scene gives the state that the whole prompt gives."""
    model = make_model(grounding=True, grounding_trained=True)
    engine = load(folder_of(model, tokenizer, tmp_path / "model"))
    scene = engine.read(room, num_frames=4)
    kept = engine.encode(scene)
    tokens, cache = kept.tokens, kept.cache
    loaded, processor = engine.model_and_processor
    from video3d.answers.prompt import build_prompt

    text = build_prompt(scene.facts, "the red chair")
    batch = processor(text=text, num_scene_tokens=int(tokens.mask.sum())).to(loaded.device)
    state = loaded.read_phrase(batch["input_ids"], cache)
    with torch.no_grad():
        out = loaded(
            **batch, scene_embeds=tokens.embeds, scene_mask=tokens.mask, output_hidden_states=True
        ).hidden_states[-1][:, -1]
    assert torch.allclose(state.float(), out.float(), atol=2e-2 if loaded.dtype == torch.bfloat16 else 1e-4)


def test_the_rooms_furniture_is_proposed(room):
    scene = load().read(room, num_frames=16)
    found = propose_objects(scene.clip)
    assert found and len(found) == len(propose_objects(scene.clip))
    assert propose_boxes(np.zeros((0, 3))) == ()


@pytest.mark.parametrize(
    "arguments, named", [([""], "phrase"), (["x" * 600], "phrase"), (["a", "--threshold", "0"], "--threshold")]
)
def test_what_cannot_be_asked_is_refused(arguments, named, room, capsys):
    code, said = asked(capsys, str(room), *arguments)
    assert code == 2 and named in said and "\n" not in said.strip()


def test_what_a_trained_reasoning_module_believes_stands_in_the_prompt(room, make_model, tokenizer, tmp_path):
    parts = {
        "reasoning_layers": 1,
        "reasoning_width": 16,
        "reasoning_heads": 2,
        "layout_queries": 4,
        "categories": ["chair"],
    }
    said = {}
    for trained in (False, True):
        model = make_model(**parts, reasoning_trained=trained)
        with torch.no_grad():  # sure of everything
            for weight in model.reasoning.parameters():
                weight.mul_(3)
        engine = load(folder_of(model, tokenizer, tmp_path / str(trained)))
        scene = engine.read(room, num_frames=4)
        kept = engine.encode(scene)
        said[trained] = engine.model_and_processor[1].tokenizer.decode(kept.cache.prefix_ids[0])
        assert all(line in said[trained] for line in kept.findings) and len(kept.findings) <= 12
        assert trained or not kept.findings
        assert isinstance(engine.say(scene, "Where is the chair?"), str)
    assert "[BELIEVED, NOT MEASURED]" not in said[False]
