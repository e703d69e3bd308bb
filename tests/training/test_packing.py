"""Packed questions are the questions asked one by one: same words, same positions, same logits, same loss."""

import pytest
import torch

from video3d.model.processing_video3d import Video3DProcessor
from video3d.training.examples import word_ids
from video3d.training.features import StoredScene, prompt_text
from video3d.training.learner import SceneLearner
from video3d.training.packing import attends, judge, pack, pad, spoken

HEAD = "[VIDEO ANALYSIS]\ndepth: unknown\n[QUESTION]\n"
QUESTIONS = [("How far is it?", "2.5 m"), ("How far is  the chair?", "3 m"), ("Which one?", "The left one")]
NOTES = {
    QUESTIONS[0][0]: ("frame 3: chair 3 m, ahead",),
    QUESTIONS[1][0]: (),
    QUESTIONS[2][0]: ("farthest left: bed", "apart: 1 m"),
}
SETTINGS = {"arrangement": "voxel", "token_voxel_m": 2.0, "position_kind": "mlp"}


def stored(num_tokens, head=HEAD):
    return StoredScene(tensors={}, head=head, num_tokens=num_tokens, size_hw=(16, 24), notes=NOTES)


def packed_scene(model, processor, make_clip):
    clip, points = make_clip(3)
    batch = processor(clip, points, "a")
    scene = model.encode_scene(**{k: v for k, v in batch.items() if k not in ("input_ids", "attention_mask")})
    return scene, pack(*word_ids(processor, stored(int(scene.mask.sum())), QUESTIONS))


@pytest.mark.parametrize("language", ["llama", "qwen2", "gpt2"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_logits_are_those_of_questions_asked_one_by_one(make_model, tokenizer, make_clip, language, attention):
    model = make_model(language=language, **SETTINGS)
    model.language_model.set_attn_implementation(attention)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    scene, words = packed_scene(model, processor, make_clip)
    batch = pad([words], 2)
    mask = SceneLearner(model, "tokens")._mask(batch["segment"])
    tokens = {"scene_embeds": scene.embeds, "scene_mask": scene.mask}
    with torch.no_grad():
        whole = model(
            input_ids=batch["input_ids"], position_ids=batch["position_ids"], attention_mask=mask, **tokens
        ).logits[0]
        for number, (question, answer) in enumerate(QUESTIONS, start=1):
            alone = processor(
                text=prompt_text(HEAD, question, NOTES[question]), answer=answer, num_scene_tokens=int(scene.mask.sum())
            )
            logits = model(input_ids=alone["input_ids"], attention_mask=alone["attention_mask"], **tokens).logits[0]
            own = words.segment == number
            assert torch.equal(batch["input_ids"][0][own], alone["input_ids"][0][-int(own.sum()) :])
            assert torch.allclose(whole[own], logits[-int(own.sum()) :], atol=2e-5), question


def test_a_kept_scene_goes_on_as_a_packed_question(make_model, tokenizer, make_clip):
    model = make_model(**SETTINGS)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    scene, words = packed_scene(model, processor, make_clip)
    n = int(scene.mask.sum())
    for number, (question, _) in enumerate(QUESTIONS, start=1):
        prompt = processor(text=prompt_text(HEAD, question, NOTES[question]), num_scene_tokens=n)["input_ids"]
        cache = model.prefill_scene(scene, processor.scene_prefix(prompt))
        said = model.generate(prompt, scene_cache=cache, max_new_tokens=1, do_sample=False)[0, -1]
        batch = pad([words], 2)
        with torch.no_grad():
            whole = model(
                input_ids=batch["input_ids"], position_ids=batch["position_ids"],
                attention_mask=attends(batch["segment"]), scene_embeds=scene.embeds, scene_mask=scene.mask,
            ).logits[0]  # fmt: skip
        first = int(((words.segment == number) & (words.next_ids != -100)).nonzero()[0])
        assert int(whole[first].argmax()) == int(said)


def test_the_packed_loss_is_the_mean_of_each_question_s_own_by_the_root_of_its_length(make_model, tokenizer, make_clip):
    model = make_model(**SETTINGS)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip, points = make_clip(3)
    scene = {k: v for k, v in processor(clip, points, "a").items() if k not in ("input_ids", "attention_mask")}
    _, words = packed_scene(model, processor, make_clip)
    # In a batch with a shorter row, which is padded.
    num_tokens = int((words.input_ids == processor.scene_token_id).sum())
    short = pack(*word_ids(processor, stored(num_tokens, head=""), QUESTIONS[1:2]))
    both = {name: torch.cat([value, value]) for name, value in scene.items()}
    learned = SceneLearner(model, "pixels")(both, torch.tensor([16, 24]), **pad([words, short], 2))
    texts = [prompt_text(HEAD, question, NOTES[question]) for question, _ in QUESTIONS] + [
        prompt_text("", QUESTIONS[1][0])
    ]
    answers = [answer for _, answer in QUESTIONS] + [QUESTIONS[1][1]]
    alone = [model(**processor(clip, points, text, answer)).loss for text, answer in zip(texts, answers, strict=True)]
    weights = torch.tensor([len(answer) + 1.0 for answer in answers]).sqrt()  # a token a byte, and the end
    assert torch.allclose(learned.loss, (torch.stack(alone) * weights).sum() / weights.sum(), atol=1e-5)
    assert int(learned.asked) == 4


def test_right_answers_are_those_of_which_every_word_is():
    words = pack([[5, 1], [5, 2], [5, 3]], [[7, 9], [8, 9], [6]])
    batch = pad([words], 0)
    at = spoken(batch["next_ids"])
    logits = torch.nn.functional.one_hot(batch["next_ids"][:, at], 10).float() * 50
    logits[0, 3] = 0.0  # the second answer's last word is another
    said = judge(logits, batch["next_ids"][:, at], batch["segment"][:, at])
    assert (int(said.right), int(said.asked)) == (2, 3)
    assert torch.isclose(said.loss, torch.tensor(2.302585 / 2 * 2**0.5 / (1 + 2 * 2**0.5)), atol=1e-5)


@pytest.mark.parametrize(("prompts", "answers"), [([], []), ([[1]], [[2], [3]])])
def test_what_cannot_be_packed_is_refused(prompts, answers):
    with pytest.raises(ValueError, match="as many answers"):
        pack(prompts, answers)
