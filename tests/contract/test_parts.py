"""Every part of the encoder, on and off: what it depends on, what it must not depend on, and that training reaches it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from video3d.geometry.lift import lift_patches
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.processing_video3d import Video3DProcessor
from video3d.model.scene_encoder import SCENE_KEYS
from video3d.model.scene_stream import SceneAccumulator
from video3d.types import InputError
from video3d.types.scene_tokens import SceneInputs

PARTS = {
    "depth": {"depth_encoding": True},
    "camera": {"camera_encoding": True},
    "temporal": {"temporal_layers": 2, "temporal_heads": 4},
    "scene": {"temporal_layers": 1, "temporal_heads": 4, "temporal_scope": "scene"},
    "depth_attention": {"temporal_layers": 1, "temporal_heads": 4, "depth_attention": True},
    "depth_head": {"depth_head": True},
    "minmax": {"position_points": "minmax"},
    "center": {"position_points": "center"},
    "mlp": {"position_kind": "mlp"},
    "voxel": {"arrangement": "voxel", "token_voxel_m": 0.5},
    "all": {
        "depth_encoding": True,
        "camera_encoding": True,
        "temporal_layers": 1,
        "temporal_heads": 4,
        "depth_attention": True,
        "depth_head": True,
        "arrangement": "voxel",
        "position_kind": "mlp",
    },
}


@pytest.fixture
def make(make_model, tokenizer):
    """A model with some parts, and the processor that fits it."""

    def build(*parts, **settings):
        wanted = {}
        for part in parts:
            wanted |= PARTS[part]
        model = make_model(**wanted, **settings)
        return model, Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)

    return build


def encode(model, batch):
    with torch.no_grad():
        return model.encode_scene(**{name: batch[name] for name in SCENE_KEYS if name in batch})


def lifted(make_clip, frames=3, seed=0):
    clip, _ = make_clip(frames, seed)
    return clip, lift_patches(clip, 4)


@pytest.mark.parametrize("part", PARTS)
def test_shapes_and_finite_numbers(part, make, make_clip):
    model, processor = make(part)
    batch = processor(*lifted(make_clip), "Where?")
    scene = encode(model, batch)
    assert scene.embeds.isfinite().all() and scene.embeds.shape[:2] == scene.mask.shape
    assert int((batch["input_ids"] == processor.scene_token_id).sum()) == int(scene.mask.sum())
    assert scene.content is not None and scene.content.shape[:2] == scene.mask.shape
    with torch.no_grad():
        assert model(**batch).logits.isfinite().all()
    said = model.generate(**batch, max_new_tokens=3, do_sample=False)
    cache = model.prefill_scene(scene, processor.scene_prefix(batch["input_ids"]))
    again = model.generate(batch["input_ids"], scene_cache=cache, max_new_tokens=3, do_sample=False)
    assert torch.equal(said, again)


@pytest.mark.parametrize("part", PARTS)
def test_gradients_reach_every_weight_of_it(part, make, make_clip):
    model, processor = make(part)
    model.train()
    batch = processor(*lifted(make_clip), "Where?", "There")
    model(**batch).loss.backward()
    for module in (model.video_encoder, model.depth_head, model.scene_projector):
        for name, weight in module.named_parameters() if module is not None else ():
            assert weight.grad is not None and weight.grad.isfinite().all() and weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("part", PARTS)
def test_a_model_with_it_is_saved_and_read_back(part, make, make_clip, tmp_path):
    model, processor = make(part)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again, info = Video3DForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    clip = lifted(make_clip)
    batch = Video3DProcessor.from_pretrained(tmp_path)(*clip, "Where?")
    assert set(batch) == set(processor(*clip, "Where?"))
    assert torch.equal(encode(again.eval(), batch).embeds, encode(model, batch).embeds)


def changed(model, processor, clip, other):
    """Which tokens of the scene are others."""
    before = encode(model, processor(*clip, "")).embeds[0]
    after = encode(model, processor(*other, "")).embeds[0]
    assert before.shape == after.shape
    return (before - after).abs().amax(-1) > 1e-6


@pytest.mark.parametrize(
    "part, field", [("depth", "depth_m"), ("camera", "k_px"), ("camera", "world_from_camera"), ("temporal", "time_s")]
)
def test_output_follows_its_input_and_is_deaf_without_the_part(part, field, make, make_clip):
    clip, points = lifted(make_clip)
    values = np.array(getattr(clip, field))
    values = values * 1.5 if field != "world_from_camera" else values + _shift()
    other = replace(clip, **{field: values.astype(getattr(clip, field).dtype)})
    with_it, without = make(part), make()
    assert changed(*with_it, (clip, points), (other, points)).any()
    assert not changed(*without, (clip, points), (other, points)).any()


def _shift():
    shift = np.zeros((4, 4))
    shift[:3, 3] = 0.7
    return shift


def test_depth_of_one_patch_changes_the_tokens_around_it_only(make, make_clip):
    model, processor = make("depth", row_separators=False)
    clip, points = lifted(make_clip)
    depth = clip.depth_m.copy()
    depth[1, 0:4, 0:4] += 1.0
    moved = changed(model, processor, (clip, points), (replace(clip, depth_m=depth), points))
    assert moved.nonzero().flatten().tolist() == [6]  # the first token of the second frame; others are 2 patches away


def test_unknown_depth_never_leaks(make, make_clip):
    model, processor = make("depth", "depth_attention")
    batch = processor(*lifted(make_clip), "")
    unknown = batch["depth_m"].isnan()
    assert unknown.any()
    before = encode(model, batch)
    for value in (-1.0, 0.0, torch.inf):
        batch["depth_m"][unknown] = value
        assert torch.equal(encode(model, batch).embeds, before.embeds)
    batch["depth_m"][:] = torch.nan
    assert encode(model, batch).embeds.isfinite().all()


def test_frames_without_a_camera_get_nothing_from_it(make, make_clip):
    model, processor = make("camera")
    batch = processor(*lifted(make_clip), "")
    batch["k_px"][0, 1], batch["world_from_camera"][0, 1] = torch.nan, torch.nan
    scene = encode(model, batch)
    del batch["k_px"], batch["world_from_camera"]
    nothing = encode(model, batch)
    frames = (scene.embeds - nothing.embeds)[0].unflatten(0, (3, 8)).abs().amax((1, 2))
    assert frames[0] > 0 and frames[1] == 0 and frames[2] > 0


def test_only_the_order_in_time_and_no_clock_matters(make, make_clip):
    """A recording that begins an hour later says the same."""
    clip, points = lifted(make_clip)
    later = replace(clip, time_s=clip.time_s + 3600.0)
    assert not changed(*make("temporal"), (clip, points), (later, points)).any()


def test_frames_see_each_other_only_through_the_temporal_part(make, make_clip):
    clip, points = lifted(make_clip)
    rgb = clip.rgb.copy()
    rgb[2] = 255 - rgb[2]
    other = (replace(clip, rgb=rgb), points)
    alone = changed(*make(row_separators=False), (clip, points), other).unflatten(0, (3, 6))
    assert not alone[:2].any() and alone[2].all()
    mixed = changed(*make("temporal", row_separators=False), (clip, points), other).unflatten(0, (3, 6))
    assert mixed.all()


def test_depth_attention_looks_at_depth(make, make_clip):
    clip, points = lifted(make_clip)
    nearer = replace(clip, depth_m=np.where(np.arange(3)[:, None, None] == 1, clip.depth_m * 4, clip.depth_m))
    assert changed(*make("depth_attention"), (clip, points), (nearer, points)).any()


@pytest.mark.parametrize("part", ["temporal", "depth_attention", "camera", "depth", "all", "scene"])
def test_a_batch_of_clips_of_different_length_gives_what_each_gives_alone(part, make, make_clip):
    model, processor = make(part)
    clips, points = zip(*(lifted(make_clip, frames, seed) for seed, frames in enumerate((3, 1, 2))), strict=True)
    texts = ["Where is it?", "How far is the door?", "Why?"]
    with torch.no_grad():
        together = model(**processor(list(clips), list(points), texts)).logits
        for row, (clip, one, text) in enumerate(zip(clips, points, texts, strict=True)):
            alone = model(**processor(clip, one, text)).logits[0]
            assert torch.allclose(together[row, -len(alone) :], alone, atol=5e-5)


def turned(clip, angle=0.7, shift=(1.0, -2.0, 0.0)):
    """The same clip in a world that was moved as a rigid body, gravity kept."""
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    motion[:3, 3] = shift
    return replace(clip, world_from_camera=motion @ clip.world_from_camera)


@pytest.mark.parametrize("part", ["depth", "temporal", "depth_attention", "scene", "depth_head"])
def test_moving_the_world_changes_nothing_but_the_places(part, make, make_clip):
    model, processor = make(part, position_kind="none")
    clip, _ = make_clip(3)
    other = turned(clip)
    before, after = (encode(model, processor(one, lift_patches(one, 4), "")) for one in (clip, other))
    assert torch.allclose(before.embeds, after.embeds, atol=1e-5)
    known = before.points_world.isfinite().all(-1)
    assert (before.points_world[known] - after.points_world[known]).norm(dim=-1).min() > 0.1


def test_moving_the_world_changes_a_token_by_its_position_code_alone(make, make_clip):
    model, processor = make("depth", "temporal", gated=False, row_separators=False)
    clip, _ = make_clip(3)
    scenes = [encode(model, processor(one, lift_patches(one, 4), "")) for one in (clip, turned(clip))]
    codes = []
    for scene in scenes:
        valid = scene.points_world.isfinite().all(-1)
        with torch.no_grad():
            codes.append(model.scene_projector.position(scene.points_world, valid))
    gap = scenes[1].embeds - scenes[0].embeds
    assert gap.abs().amax() > 0.1
    assert torch.allclose(gap, codes[1] - codes[0], atol=1e-4)


def test_places_come_from_depth_where_no_points_are_given(make, make_clip):
    model, processor = make("depth_head")
    clip, points = lifted(make_clip)
    batch = processor(clip, points, "")
    given = encode(model, batch)
    del batch["points_world"], batch["valid_share"]
    assert torch.allclose(encode(model, batch).embeds, given.embeds, atol=1e-4)
    del batch["depth_m"]  # nobody measured: the model's own depth
    own = encode(model, batch)
    assert own.points_world.isfinite().all(-1).sum() == 3 * 6
    assert not torch.allclose(own.embeds, given.embeds, atol=1e-2)


def test_depth_is_learned_beside_the_words(make, make_clip):
    model, processor = make("depth_head")
    batch = processor(*lifted(make_clip), "Where?", "There")
    both = model(**batch)
    unknown = torch.full_like(batch["depth_m"], torch.nan)
    assert both.depth_loss is not None and both.depth_loss > 0
    assert torch.allclose(both.loss, both.language_loss + model.config.depth_loss_weight * both.depth_loss)
    batch["depth_m"] = unknown
    assert float(model(**batch).depth_loss.detach()) == pytest.approx(0.0, abs=1e-6)


def test_merged_tokens_do_not_grow_with_what_was_seen_already(make, make_clip):
    model, processor = make("voxel")
    clip, points = lifted(make_clip)
    twice = np.concatenate([np.arange(3)] * 2)
    again = replace(
        clip, frame_index=clip.frame_index[twice], rgb=clip.rgb[twice], depth_m=clip.depth_m[twice],
        time_s=np.arange(6.0), k_px=clip.k_px[twice], world_from_camera=clip.world_from_camera[twice], piece=clip.piece[twice],
    )  # fmt: skip
    once = encode(model, processor(clip, points, ""))
    more = encode(model, processor(again, lift_patches(again, 4), ""))
    placed = [scene.points_world.isfinite().all(-1).sum() for scene in (once, more)]
    assert placed[0] == placed[1] > 3
    assert torch.allclose(once.embeds[0, :3], more.embeds[0, :3], atol=1e-5)
    assert more.num_views.max() >= 2 * once.num_views.max()


def test_center_and_minmax_say_other_places(make, make_clip):
    clip = lifted(make_clip)
    tokens = [encode(*_first(make(part), clip)).embeds for part in ("center", "minmax")]
    mean = encode(*_first(make(), clip)).embeds
    assert all(not torch.allclose(one, mean, atol=1e-3) for one in tokens)


def _first(made, clip):
    model, processor = made
    return model, processor(*clip, "")


def test_checkpointing_gives_the_same_gradients(make, make_clip):
    gradients = []
    for checkpointing in (False, True):
        model, processor = make("depth_attention")
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert model.video_encoder.temporal.gradient_checkpointing
        model(**processor(*lifted(make_clip), "Where?", "There")).loss.backward()
        gradients.append(model.video_encoder.temporal.layers[0].qkv.weight.grad)
    assert torch.allclose(*gradients, atol=1e-6)


def test_a_scene_grows_frame_by_frame_to_what_it_is_at_once(make, make_clip):
    model, processor = make("voxel", "depth", "camera")
    batch = processor(*lifted(make_clip, 5), "")
    at_once = encode(model, batch)
    stream = SceneAccumulator(voxel_m=model.config.token_voxel_m)
    for begin, end in ((0, 1), (1, 2), (2, 5)):
        inputs = SceneInputs(**{name: batch[name][:, begin:end] for name in SCENE_KEYS if name in batch})
        stream.add_frames(model.tokens_to_merge(inputs, first_frame=begin))
    with torch.no_grad():
        grown = model.scene_of_merged(stream.tokens())
    assert torch.allclose(grown.embeds, at_once.embeds, atol=1e-4)
    assert torch.equal(grown.num_views, at_once.num_views) and torch.equal(grown.seen_s, at_once.seen_s)


def test_the_depth_head_serves_frames_that_nobody_measured_and_no_others(make, make_clip):
    model, processor = make("depth_head")
    clip, points = lifted(make_clip)
    unknown = replace(clip, depth_m=np.where(np.arange(3)[:, None, None] == 1, np.float32(np.nan), clip.depth_m))
    measured = encode(model, processor(clip, points, ""))
    mixed = encode(model, processor(unknown, lift_patches(unknown, 4), ""))
    per_frame = mixed.points_world.view(3, -1, 3)
    assert torch.equal(per_frame[::2].nan_to_num(), measured.points_world.view(3, -1, 3)[::2].nan_to_num())
    assert per_frame[1].isfinite().all(-1).sum() == 6  # every token of the frame, by the model's own depth
    longer = processor(
        [unknown, make_clip(5)[0]], [lift_patches(unknown, 4), lift_patches(make_clip(5)[0], 4)], ["", ""]
    )
    both = encode(model, longer)
    assert torch.allclose(both.embeds[0][both.mask[0]], mixed.embeds[0], atol=1e-5)
    assert not both.points_world[0][~both.mask[0]].isfinite().any()


def test_the_depth_head_runs_where_it_serves_or_is_judged_and_nowhere_else(make, make_clip):
    model, processor = make("depth_head")
    runs = []
    model.depth_head.register_forward_hook(lambda *_: runs.append(1))
    clip, points = lifted(make_clip)
    batch = processor(clip, points, "How far?", "1 m")
    encode(model, batch)
    without_depth = {name: value for name, value in batch.items() if name != "depth_m"}
    encode(model, without_depth)  # every frame has points
    assert not runs
    assert model(**batch).depth_loss.isfinite() and len(runs) == 1
    unknown = replace(clip, depth_m=np.full_like(clip.depth_m, np.nan))
    encode(model, processor(unknown, lift_patches(unknown, 4), ""))
    assert len(runs) == 2


def test_square_frames_bring_all_that_the_parts_read(make, make_clip):
    model, processor = make("depth", "camera", "temporal", position_points="minmax")
    processor.square_px = 16
    clip = processor.fit_clip(make_clip(3)[0])
    batch = processor(clip, lift_patches(clip, 4), "")
    assert {"depth_m", "k_px", "world_from_camera", "time_s", "extent_world"} <= set(batch)
    assert encode(model, batch).embeds.isfinite().all()


@pytest.mark.parametrize("part", ["depth", "depth_head"])
def test_placeholders_of_merged_tokens_agree_where_no_points_are_given(part, make, make_clip):
    model, processor = make(part, "voxel")
    assert model(**processor(make_clip(3)[0], None, "Where?", "There")).loss.isfinite()


def test_a_scene_without_any_token_is_no_fault(make, make_clip):
    model, processor = make("voxel", max_scene_tokens=1)
    batch = processor(make_clip(2)[0], None, "Where?", "There")
    assert encode(model, batch).mask.sum() == 0
    assert model(**batch).loss.isfinite()


@pytest.mark.parametrize("name", ["depth_m", "k_px", "world_from_camera", "time_s"])
def test_geometry_in_half_precision_is_refused(name, make, make_clip):
    model, processor = make("depth", "camera", "temporal")
    batch = processor(*lifted(make_clip), "")
    batch[name] = batch[name].bfloat16()
    with pytest.raises(InputError, match=name):
        encode(model, batch)


def test_autocast_moves_no_point(make, make_clip):
    model, processor = make("depth_head")
    batch = processor(*lifted(make_clip), "")
    del batch["points_world"], batch["valid_share"]
    expected = encode(model, batch).points_world
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encode(model, batch).points_world.nan_to_num(), expected.nan_to_num())
