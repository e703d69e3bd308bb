"""``video3d ground`` end to end: a model folder, a recording, boxes or an explicit nothing."""

import json

import numpy as np
import pytest
import torch

from video3d.answers.named import Finders, Located
from video3d.cli import run
from video3d.geometry.boxes import box_from_bounds
from video3d.geometry.proposals import propose_boxes
from video3d.grounding import named_in, propose_objects
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


def test_nano_finds_by_name_or_says_why_not_and_what_stands_out(room, capsys):
    for phrase, why in (
        ("the meaning of life", "no word in it"),
        ("the chair that nobody likes", "more than a name"),
        ("the airplane by the door", "not found"),
    ):
        code, found = asked(capsys, str(room), phrase, "--frames", "8")
        assert code == 0 and found["nothing"] and found["found"] == [] and why in found["why_nothing"], found[
            "why_nothing"
        ]
    assert found["unit"] == "m" and len(found["proposals"]) > 3
    for box in found["proposals"]:
        assert min(box["size"]) > 0 and np.isfinite(box["center"]).all() and 0 <= box["score"] <= 1


def _located(x, score):
    return Located(
        box=box_from_bounds(np.array([x, 0.0, 0.0]), np.array([x + 0.5, 0.5, 1.0])), score=score, frames=(0,)
    )


def test_names_and_names_beside_others_are_found():
    chairs, window = [_located(0.0, 0.9), _located(4.0, 0.8)], _located(5.0, 0.7)

    def locate(things, position):
        return [{"chair": chairs[0], "window": window}.get(thing.category) for thing in things]

    def count(name):
        return tuple(("chair", one) for one in chairs) if name == "chair" else ()

    def centers(phrase):
        found, why = named_in(phrase, 0, Finders(locate, count, lambda things: [None] * len(things)))
        assert bool(found) != bool(why)
        return [float(one.box.center_world[0]) for one in found]

    assert centers("the chairs") == centers("椅子") == [0.25, 4.25]
    assert centers("the red chair") == [0.25]
    assert centers("the chair by the window") == centers("chair closest to the window") == [4.25]
    assert centers("the sofa") == centers("the chair by the sofa") == centers("the chair that broke") == []


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
