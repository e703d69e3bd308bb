"""Grounding, coordinates and reasoning through the whole model."""

import numpy as np
import pytest
import torch

from video3d.geometry.lift import lift_patches
from video3d.geometry.patch_boxes import patch_box_shares
from video3d.model.processing_video3d import Video3DProcessor
from video3d.model.reasoning_types import Observers, RelationTargets, SpatialTargets, Things
from video3d.model.scene_encoder import SCENE_KEYS
from video3d.model.scene_heads import GroundingTargets
from video3d.types import Box3D, InputError
from video3d.types.reasoning import Observer, Thing

GROUND, COORD = 7, 8  # any two words of the vocabulary


def encode(model, batch, **settings):
    return model.encode_scene(**{name: batch[name] for name in SCENE_KEYS if name in batch}, **settings)


def box(center, size=1.0):
    return Box3D(center_world=np.array(center, dtype=float), size_m=np.full(3, size), world_from_box=np.eye(3))


@pytest.fixture
def grounded(make_model, tokenizer, make_clip):
    """A model with heads, its batch (the prompt ends in the word that stands for <ground>), the clip, and some boxes."""
    model = make_model(grounding=True, ground_token_id=GROUND, coord_token_id=COORD)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip, _ = make_clip(3)
    points = lift_patches(clip, 4)
    batch = processor(clip, points, "the chair")
    batch["input_ids"] = torch.cat([batch["input_ids"], torch.tensor([[GROUND]])], 1)
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    known = points.points_world[np.isfinite(points.points_world).all(-1)]
    return model, batch, clip, [box(known[0], 0.5), box(known[9], 0.5), box((90.0, 0, 0))]


def test_scores_follow_what_is_in_the_box_where_it_is_and_what_was_asked(grounded):
    model, batch, _, boxes = grounded
    scene = encode(model, batch)
    with torch.no_grad():
        hidden = model(**batch, output_hidden_states=True).hidden_states[-1]
        phrase = model.phrase_state(hidden, batch["input_ids"])[0]
        scores = model.score_objects(scene, phrase, boxes)
        assert torch.equal(phrase, hidden[0, -1]) and scores.shape == (4,) and scores.abs().max() <= 1 + 1e-5
        assert not torch.allclose(model.score_objects(scene, phrase.flip(0), boxes), scores, atol=1e-3)
        moved = model.score_objects(scene, phrase, [boxes[0], boxes[1], box((0.0, 60.0, 0))])
        assert torch.equal(moved[:2], scores[:2]) and moved[3] == scores[3]
        none = model.score_objects(scene, phrase, [])
    assert none.shape == (1,) and torch.allclose(none[0], scores[3])


def test_both_ways_of_seeing_an_object_train(grounded):
    model, batch, clip, boxes = grounded
    model.train()
    share = patch_box_shares(clip.depth_m, clip.k_px, clip.world_from_camera, boxes, 4)
    meant = [np.array([True, False, False])]
    for shares in (None, [share]):
        model.zero_grad()
        targets = GroundingTargets(boxes=[boxes], meant=meant, share=shares)
        out = model(**batch, grounding_targets=targets)
        assert out.language_loss is None and torch.equal(out.loss, out.grounding_loss)
        out.loss.backward()
        reached = (
            *model.grounding.parameters(),
            model.scene_projector.linear_1.weight,
            *model.vision_tower.parameters(),
        )
        assert sum(float(weight.grad.abs().sum()) > 0 for weight in reached if weight.grad is not None) > 10
        for name, weight in model.grounding.named_parameters():
            assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_objects_of_a_shorter_clip_in_a_batch_are_what_they_are_alone(make_model, tokenizer, make_clip):
    model = make_model(grounding=True)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clips = [make_clip(frames, frames)[0] for frames in (1, 3)]
    points = [lift_patches(clip, 4) for clip in clips]
    together = encode(model, processor(clips, points, ["", ""]), keep_patches=True)
    for row, (clip, one) in enumerate(zip(clips, points, strict=True)):
        boxes = [box(one.points_world[np.isfinite(one.points_world).all(-1)][0], 6.0)]
        share = patch_box_shares(clip.depth_m, clip.k_px, clip.world_from_camera, boxes, 4)
        assert (share >= 0.5).any()
        alone = model.object_embeds(encode(model, processor(clip, one, ""), keep_patches=True), boxes, share)
        assert torch.allclose(model.object_embeds(together, boxes, share, row=row), alone, atol=1e-5)


def test_a_few_steps_teach_which_box_is_meant(grounded):
    model, batch, _, boxes = grounded
    targets = GroundingTargets(boxes=[boxes], meant=[np.array([False, True, False])])
    optimizer = torch.optim.Adam(model.grounding.parameters(), lr=1e-2)
    for _ in range(30):
        loss = model(**batch, grounding_targets=targets).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1


def test_a_prompt_without_ground_and_a_model_without_heads_are_refused(grounded, make_model):
    model, batch, _, boxes = grounded
    with pytest.raises(InputError, match="<ground>"):
        model.phrase_state(torch.zeros(1, 3, 32), torch.zeros(1, 3, dtype=torch.long))
    with pytest.raises(InputError, match="grounding heads"):
        make_model().score_objects(encode(model, batch), torch.zeros(32), boxes)
    with pytest.raises(InputError, match="reasoning"):
        make_model().reason(encode(model, batch), "layout")


def test_a_coordinate_is_read_where_it_stands(grounded):
    model, batch, _, _ = grounded
    scene = encode(model, batch)
    ids = torch.cat([batch["input_ids"], torch.tensor([[COORD, 5]])], 1)
    given = {"scene_embeds": scene.embeds, "scene_mask": scene.mask}
    with torch.no_grad():
        here, there, nowhere = (
            model(input_ids=ids, coord_points=torch.tensor([[point]]), **given).logits
            for point in ([0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [torch.nan] * 3)
        )
        plain = model(input_ids=ids, **given).logits
    assert torch.equal(here[:, :-2], there[:, :-2]) and not torch.allclose(here[:, -1], there[:, -1], atol=1e-4)
    assert torch.equal(nowhere, plain)
    point = torch.tensor([[[3.0, 0.0, 1.0]]])
    said = model.generate(ids, scene=scene, coord_points=point, max_new_tokens=4, do_sample=False)
    cache = model.prefill_scene(scene, batch["input_ids"])
    again = model.generate(ids, scene_cache=cache, coord_points=point, max_new_tokens=4, do_sample=False)
    assert torch.equal(said, again)
    with pytest.raises(InputError, match="one <coord> token"):
        model(input_ids=ids, coord_points=torch.zeros(1, 2, 3), **given)


def test_reasoning_learns_beside_words_and_speaks(make_model, tokenizer, make_clip):
    model = make_model(
        reasoning_layers=1, reasoning_width=16, reasoning_heads=2, layout_queries=4, categories=["chair", "table"],
        events=["falls"],
    ).train()  # fmt: skip
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip, _ = make_clip(3)
    batch = processor(clip, lift_patches(clip, 4), "Where?", "There")
    first, second = (
        Things(center_world=torch.tensor([[point]]), size_m=torch.full((1, 1, 3), 0.5), yaw_rad=torch.zeros(1, 1))
        for point in ([0.0, 1.0, 0.5], [1.0, 0.0, 0.5])
    )
    nobody = Observers(position_world=torch.full((1, 1, 3), torch.nan), yaw_rad=torch.full((1, 1), torch.nan))
    targets = SpatialTargets(
        relation=RelationTargets(
            subject=first, reference=second, observer=nobody,
            holds=torch.zeros(1, 1, 10, dtype=torch.bool), mask=torch.ones(1, 1, 10, dtype=torch.bool),
        )
    )  # fmt: skip
    out = model(**batch, spatial_targets=targets)
    assert torch.allclose(out.loss, out.language_loss + model.config.spatial_loss_weight * out.spatial_loss)
    out.loss.backward()
    assert model.vision_tower.embeddings.patch_embeddings.projection.weight.grad.abs().sum() > 0
    scene = encode(model.eval(), batch)
    thing, reference = (
        Thing(name=name, center_world=np.array(at), size_m=np.full(3, 0.5))
        for name, at in (("chair", [0.0, 1.0, 0.5]), ("table", [1.0, 0.0, 0.5]))
    )
    observer = Observer(position_world=np.zeros(3), yaw_rad=0.0)
    found = model.reason(scene, "relation", thing=thing, reference=reference, observer=observer, score_threshold=0.0)
    assert any("chair" in line and "table" in line for line in found.lines())
    assert model.reason(scene, "layout", score_threshold=0.0) is not None
    assert model.reason(scene, "physics", thing=thing).lines() is not None


def test_a_tuple_comes_out_where_one_is_wanted(grounded):
    model, batch, _, boxes = grounded
    targets = GroundingTargets(boxes=[boxes], meant=[np.array([True, False, False])])
    whole = model(**batch, grounding_targets=targets)
    assert torch.equal(model(**batch, grounding_targets=targets, return_dict=False)[0], whole.loss)
    assert not model.accepts_loss_kwargs


def test_adapters_reach_the_layers_that_compute_in_float32(make_model, tokenizer, make_clip):
    peft = pytest.importorskip("peft")
    names = ["pose_1", "pose_2", "intrinsics_1", "intrinsics_2", "position.linear_1", "position.linear_2"]
    model = make_model(camera_encoding=True, position_kind="mlp")
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip, _ = make_clip(2)
    batch = processor(clip, lift_patches(clip, 4), "Where?", "There")
    before = model(**batch).logits.detach()
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=names, init_lora_weights=False))
    assert not torch.allclose(adapted(**batch).logits, before, atol=1e-3)
    adapted(**batch).loss.backward()
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            assert weight.grad is not None and weight.grad.abs().sum() > 0, name
