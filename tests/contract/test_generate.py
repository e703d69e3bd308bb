"""Generation: the scene is encoded once, its keys and values serve every question, and nothing changes the tokens."""

import copy
import itertools

import pytest
import torch

from video3d.types import InputError

QUESTIONS = ["Where is the door?", "How high is the camera above the floor, in metres?", "Why?"]
GREEDY = {"max_new_tokens": 8, "do_sample": False, "min_new_tokens": 8}


@pytest.fixture
def count_encodes():
    """Counts frames that a model's vision tower sees."""

    def watch(model) -> list[int]:
        seen: list[int] = []
        model.vision_tower.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(len(kwargs["pixel_values"])), with_kwargs=True
        )
        return seen

    return watch


def test_encoding_a_scene_keeps_no_graph(make_model, processor, make_clip):
    batch = processor(*make_clip(1), "")
    assert not make_model().encode_scene(batch["pixel_values"], batch["points_world"]).embeds.requires_grad


@pytest.mark.parametrize("settings", [{}, {"use_cache": False}, {"num_beams": 2}, {"do_sample": True, "top_k": 5}])
def test_one_encode_however_tokens_are_searched(settings, make_model, processor, make_clip, count_encodes):
    model = make_model()
    seen = count_encodes(model)
    batch = processor(*make_clip(2), QUESTIONS[0])
    out = model.generate(**batch, **(GREEDY | settings))
    assert seen == [2]
    assert out.shape == (1, batch["input_ids"].shape[1] + 8)


def test_the_plain_hugging_face_path_feeds_pixels_on_the_first_iteration_only(
    make_model, processor, make_clip, count_encodes
):
    model, batch = make_model(), processor(*make_clip(2), QUESTIONS[0])
    expected = model.generate(**batch, **GREEDY)
    seen = count_encodes(model)
    out = super(type(model), model).generate(**batch, **GREEDY)
    assert seen == [2]
    assert torch.equal(out, expected)


def test_generation_is_the_argmax_of_forward_at_every_step(make_model, processor, make_clip):
    model, batch = make_model(), processor(*make_clip(2), QUESTIONS[0])
    out = model.generate(**batch, **GREEDY)
    start = batch["input_ids"].shape[1]
    with torch.no_grad():
        ids = out.clone()
        logits = model(**{**batch, "input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits
    assert torch.equal(logits[0, start - 1 : -1].argmax(-1), out[0, start:])


@pytest.mark.parametrize("kind", itertools.product(["llama", "qwen2", "mistral_sliding", "gpt2"], [0.7, None]))
def test_a_cached_scene_gives_the_same_tokens(kind, make_model, processor, make_clip, count_encodes):
    language, gate = kind
    model = make_model("dinov2", language, gate=gate)
    clip, points = make_clip(3)
    first = processor(clip, points, QUESTIONS[0])
    scene = model.encode_scene(first["pixel_values"], first["points_world"], first["valid_share"])
    cache = model.prefill_scene(scene, processor.scene_prefix(first["input_ids"]))
    before = copy.deepcopy(cache.key_values)
    seen = count_encodes(model)
    for question in QUESTIONS * 2:
        prompt = processor(text=question, num_scene_tokens=scene.mask.shape[1])
        cached = model.generate(**prompt, scene_cache=cache, **GREEDY)
        assert torch.equal(cached, model.generate(**prompt, scene=scene, **GREEDY))
        assert not seen
        assert torch.equal(cached, model.generate(**processor(clip, points, question), **GREEDY))
        seen.clear()
    for kept, now in zip(before.layers, cache.key_values.layers, strict=True):
        assert torch.equal(kept.keys, now.keys) and torch.equal(kept.values, now.values)


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}])
def test_questions_share_a_cached_scene_in_one_batch(settings, make_model, processor, make_clip):
    model = make_model()
    first = processor(*make_clip(2), QUESTIONS[0])
    scene = model.encode_scene(first["pixel_values"], first["points_world"], first["valid_share"])
    cache = model.prefill_scene(scene, processor.scene_prefix(first["input_ids"]))
    batch = processor(text=QUESTIONS, num_scene_tokens=scene.mask.shape[1])
    together = model.generate(**batch, scene_cache=cache, **GREEDY, **settings)
    start = batch["input_ids"].shape[1]
    for row, question in enumerate(QUESTIONS):
        prompt = processor(text=question, num_scene_tokens=scene.mask.shape[1])
        alone = model.generate(**prompt, scene=scene, **GREEDY, **settings)
        assert torch.equal(together[row, start:], alone[0, prompt["input_ids"].shape[1] :])


def test_padded_prompts_generate_what_each_generates_alone(make_model, processor, make_clip):
    model = make_model()
    clips, points = zip(*(make_clip(frames, frames) for frames in (2, 1, 3)), strict=True)
    batch = processor(list(clips), list(points), QUESTIONS)
    together = model.generate(**batch, **GREEDY)
    for row, question in enumerate(QUESTIONS):
        one = processor(clips[row], points[row], question)
        alone = model.generate(**one, **GREEDY)
        assert torch.equal(together[row, -8:], alone[0, -8:])


def test_an_untrained_scene_says_nothing_to_the_language_model(make_model, processor, make_clip):
    model = make_model(gate=None)
    batch = processor(*make_clip(2), QUESTIONS[0])
    shut = model.generate(**batch, **GREEDY)[0, -8:]
    # The same words with no scene in the prompt at all.
    ids = batch["input_ids"]
    plain = ids[ids != processor.scene_token_id][None]
    assert torch.equal(
        shut, model.language_model.generate(plain, attention_mask=torch.ones_like(plain), **GREEDY)[0, -8:]
    )
    model.scene_projector.gate.data.fill_(0.7)
    assert not torch.equal(shut, model.generate(**batch, **GREEDY)[0, -8:])


def test_a_prompt_that_begins_otherwise_is_refused(make_model, processor, make_clip):
    model = make_model()
    first = processor(*make_clip(1), QUESTIONS[0])
    scene = model.encode_scene(first["pixel_values"])
    cache = model.prefill_scene(scene, processor.scene_prefix(first["input_ids"]))
    for prompt in (
        processor(text="no scene in it"),
        processor(
            text=[{"role": "system", "content": "x"}, {"role": "user", "content": "<scene>?"}], num_scene_tokens=8
        ),
    ):
        with pytest.raises(InputError, match="cached"):
            model.generate(**prompt, scene_cache=cache, **GREEDY)
    with pytest.raises(InputError, match="cached"):
        model.generate(cache.prefix_ids, scene_cache=cache, **GREEDY)


def test_a_cache_from_before_the_gate_opened_is_refused(make_model, processor, make_clip):
    model = make_model(gate=None)
    first = processor(*make_clip(1), QUESTIONS[0])
    scene = model.encode_scene(first["pixel_values"])
    cache = model.prefill_scene(scene, processor.scene_prefix(first["input_ids"]))
    assert cache.num_tokens == cache.prefix_ids.shape[1] - scene.mask.shape[1]
    model.scene_projector.gate.data.fill_(0.1)
    with pytest.raises(InputError, match="gate open"):
        model.generate(first["input_ids"], scene_cache=cache, **GREEDY)


@pytest.mark.parametrize("gate", [0.7, None])
def test_what_comes_back_begins_with_the_prompts_as_they_were_written(gate, make_model, processor, make_clip):
    model = make_model(gate=gate)
    first = processor(*make_clip(1), QUESTIONS[0])
    scene = model.encode_scene(first["pixel_values"])
    cache = model.prefill_scene(scene, processor.scene_prefix(first["input_ids"]))
    batch = processor(text=QUESTIONS, num_scene_tokens=scene.mask.shape[1])
    out = model.generate(
        **batch, scene_cache=cache, return_dict_in_generate=True, num_beams=2, num_return_sequences=2, **GREEDY
    )
    assert torch.equal(out.sequences[:, :-8], batch["input_ids"].repeat_interleave(2, 0))
