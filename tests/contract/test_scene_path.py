"""What scene tokens depend on, and what they must not depend on."""

import numpy as np
import pytest
import torch

from video3d.geometry.lift import lift_patches
from video3d.geometry.resize import resize_clip
from video3d.model.scene_encoder import SCENE_KEYS
from video3d.model.scene_memory import stack_scenes
from video3d.model.tower_until import tower_until
from video3d.types import InputError
from video3d.types.scene_tokens import SceneInputs


def encode(model, batch):
    with torch.no_grad():
        return model.encode_scene(batch["pixel_values"], batch["points_world"], batch["valid_share"])


@pytest.mark.parametrize("vision", ["dinov2", "dinov2_registers", "dinov3", "siglip", "clip", "vit", "deit"])
def test_patches_are_the_towers_last_tokens_in_reading_order(vision, make_model):
    model = make_model(vision)
    pixels = torch.randn(1, 3, 16, 24)
    with torch.no_grad():
        before = model.patch_features(pixels)[0]
        assert before.shape == (1, 4, 6, 24)
        # Without attention a patch token depends on its own pixels only, which tells where in the image it comes from.
        for module in model.vision_tower.modules():
            for name in ("o_proj", "out_proj"):
                if isinstance(getattr(module, name, None), torch.nn.Linear):
                    getattr(module, name).weight.zero_()
        before = model.patch_features(pixels)[0]
        pixels[:, :, 8:12, 20:24] += 1  # the patch in row 2, column 5
        changed = (model.patch_features(pixels)[0] != before).any(-1)[0]
    assert changed.nonzero().tolist() == [[2, 5]]


def test_layer_is_the_one_that_is_asked_for(make_model):
    model = make_model("siglip", vision_feature_layer=-2)
    pixels = torch.randn(1, 3, 16, 24)
    with torch.no_grad():
        hidden = model.vision_tower(pixels, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states
        assert torch.equal(model.patch_features(pixels)[0].flatten(1, 2), hidden[-2])


OBJECTS = {"object_head": True, "object_width": 16, "object_colors": ["red"], "categories": ["chair", "ball"]}


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("vision", ["dinov2", "dinov2_registers", "dinov3", "siglip"])
def test_a_tower_until_its_last_blocks_says_what_the_whole_one_says_there(vision, blocks, make_model):
    tower = make_model(vision).vision_tower.eval()
    weights, looks = list(tower.state_dict()), {"interpolate_pos_encoding": True} if vision == "siglip" else {}
    pixels = torch.randn(2, 3, 16, 24)
    with torch.no_grad():
        whole = tower(pixels, output_hidden_states=True, **looks).hidden_states[-1 - blocks][:, -24:]
        assert torch.equal(tower_until(tower, pixels, blocks, 4, **looks).flatten(1, 2), whole)
    assert list(tower.state_dict()) == weights  # it stays whole


@pytest.mark.parametrize("vision", ["dinov2", "siglip"])
def test_the_object_heads_own_blocks_read_what_lies_before_the_towers_last(vision, make_model, tmp_path):
    model = make_model(vision, **OBJECTS, object_blocks=1).eval()
    pixels = torch.randn(9, 3, 16, 24)  # more than are looked at together
    with torch.no_grad():
        looks = {"interpolate_pos_encoding": True} if vision == "siglip" else {}
        hidden = model.vision_tower(pixels, output_hidden_states=True, **looks).hidden_states[-2][:, -24:]
        seen = model.frame_features(pixels)
        torch.testing.assert_close(seen.for_objects.flatten(1, 2), hidden)
        said = model.object_head(seen.for_objects, torch.zeros(9, 4, 6, 22))
        model.save_pretrained(tmp_path)
        again = type(model).from_pretrained(tmp_path).eval()
        assert again.config.object_blocks == 1 and len(again.object_head.blocks) == 1
        told = again.object_head(seen.for_objects, torch.zeros(9, 4, 6, 22))
    assert torch.equal(told.category_logits, said.category_logits)


def _with_cameras(processor, clip):
    points = lift_patches(clip, processor.patch_px)
    given = {name: value for name, value in processor(clip, points, "").items() if name in SCENE_KEYS}
    cameras = {"k_px": clip.k_px, "world_from_camera": clip.world_from_camera}
    cameras = {name: torch.from_numpy(np.array(value)).float()[None] for name, value in cameras.items()}
    return SceneInputs(**given | cameras | {"points_world": torch.from_numpy(points.points_world).float()[None]})


@pytest.mark.parametrize("vision", ["dinov2", "siglip"])
def test_frames_that_are_looked_at_larger_have_as_many_more_votes(vision, make_model, processor, make_clip):
    model, (clip, _) = make_model(vision, **OBJECTS, object_blocks=1).eval(), make_clip()
    height, width = clip.size_hw
    inputs = _with_cameras(processor, clip)
    larger = _with_cameras(processor, resize_clip(clip, (2 * height, 2 * width)))
    seen, alone = model.object_votes(inputs), model.object_votes(larger)
    both = model.object_votes(inputs, larger=larger)
    assert (seen.zoom, both.zoom) == (1, 2)
    known = np.isfinite(larger.points_world.numpy()).all(-1)
    assert np.array_equal(both.patch, np.flatnonzero(known)) and np.array_equal(both.patch, alone.patch)
    spread = np.full((*known.shape[1:], both.category.shape[1]), np.nan)
    rows, columns = known.shape[2:]
    frame, row, column = np.unravel_index(seen.patch, (known.shape[1], rows // 2, columns // 2))
    for down, right in np.ndindex(2, 2):
        spread[frame, 2 * row + down, 2 * column + right] = seen.category
    spread = spread.reshape(-1, spread.shape[-1])[both.patch]
    there = np.isfinite(spread).all(-1)
    assert there.mean() > 0.5
    np.testing.assert_allclose(both.category[there], (spread + alone.category)[there] / 2, atol=1e-5)


def test_larger_frames_whose_patches_are_no_whole_parts_are_refused(make_model, processor, make_clip):
    model, (clip, _) = make_model(**OBJECTS, object_blocks=1).eval(), make_clip()
    inputs = _with_cameras(processor, clip)
    larger = _with_cameras(processor, resize_clip(clip, (32, 56)))
    with pytest.raises(InputError, match="larger frames"):
        model.object_votes(inputs, larger=larger)


def test_votes_are_read_where_the_object_heads_blocks_begin(make_model, processor, make_clip):
    model = make_model(**OBJECTS, object_blocks=1).eval()
    inputs = _with_cameras(processor, make_clip()[0])
    seen = model.frame_features(inputs.pixel_values[0])

    def names(features):
        return model.object_votes(inputs, features=features).category

    assert np.array_equal(names(seen), names(None))
    assert np.array_equal(names(seen), names(seen._replace(patches=torch.randn_like(seen.patches))))
    assert not np.array_equal(names(seen), names(seen._replace(for_objects=torch.randn_like(seen.for_objects))))


def test_a_patch_of_the_object_heads_own_blocks_knows_its_frame_and_no_other(make_model):
    head = make_model(**OBJECTS, object_blocks=1).eval().object_head
    features, geometry = torch.randn(2, 4, 6, 24), torch.zeros(2, 4, 6, 22)
    with torch.no_grad():
        before = head(features, geometry).category_logits
        features[0, 1, 2] += torch.randn(24)
        changed = (head(features, geometry).category_logits != before).any(-1)
    assert int(changed[0].sum()) > 1 and not changed[1].any()


@pytest.mark.parametrize(
    "wrong", [{"object_blocks": 1}, {**OBJECTS, "object_blocks": 99}, {**OBJECTS, "object_blocks": -1}]
)
def test_blocks_that_the_object_head_cannot_have_are_refused(wrong, make_model):
    with pytest.raises(ValueError, match="object_blocks"):
        make_model(**wrong)


@pytest.mark.parametrize("kind", ["sin3d", "mlp"])
def test_moving_a_point_changes_its_token_and_no_other(kind, make_model, processor, make_clip):
    model, batch = make_model(position_kind=kind), processor(*make_clip(), "")
    before = encode(model, batch)
    at = torch.nonzero(batch["valid_share"][0, 1] > 0.3)[0]
    batch["points_world"][0, 1, at[0], at[1]] += 3.0
    after = encode(model, batch)
    changed = (before.embeds != after.embeds).any(-1)[0].nonzero().flatten().tolist()
    assert changed == [8 + int(at[0]) // 2 * 4 + int(at[1]) // 2]  # 8 tokens a frame, 4 a row


def test_without_position_points_change_nothing(make_model, processor, make_clip):
    model, batch = make_model(position_kind="none"), processor(*make_clip(), "")
    before = encode(model, batch)
    batch["points_world"] += 3.0
    assert torch.equal(before.embeds, encode(model, batch).embeds)


@pytest.mark.parametrize("kind", ["sin3d", "mlp"])
def test_unknown_points_do_not_leak(kind, make_model, processor, make_clip):
    model, batch = make_model(position_kind=kind), processor(*make_clip(), "")
    before = encode(model, batch)
    assert before.embeds.isfinite().all()
    unknown = batch["points_world"].isnan().any(-1)
    assert unknown.any()
    batch["points_world"][unknown] = 7.0  # valid_share stays 0
    assert torch.equal(before.embeds, encode(model, batch).embeds)
    batch["points_world"][:] = torch.nan
    nowhere = encode(model, batch)
    assert nowhere.embeds.isfinite().all() and nowhere.points_world.isnan().all()
    with torch.no_grad():
        assert torch.equal(nowhere.embeds, model.encode_scene(batch["pixel_values"]).embeds)


def test_places_of_tokens_are_means_of_valid_points(make_model, processor, make_clip):
    clip, points = make_clip()
    scene = encode(make_model(), processor(clip, points, ""))
    assert scene.points_world[0, 3::4].isnan().all()  # separators
    block = torch.tensor(points.points_world[1, 2:4, 4:6]).double()
    weight = torch.tensor(points.valid_share[1, 2:4, 4:6]).double()[..., None]
    expected = (block.nan_to_num(0) * weight).sum((0, 1)) / weight.sum()
    assert torch.allclose(scene.points_world[0, 8 + 4 + 2].double(), expected, atol=1e-6)


def test_a_shut_gate_makes_every_token_neutral(make_model, processor, make_clip):
    model = make_model(gate=None)
    assert model.scene_closed
    scene = encode(model, processor(*make_clip(), ""))
    embeddings = model.get_input_embeddings().weight
    space, line_break = (embeddings[processor.tokenizer.encode(text)[0]] / 4 for text in (" ", "\n"))  # taken before x4
    assert torch.allclose(scene.embeds[0, :3], space.expand(3, -1))
    assert torch.allclose(scene.embeds[0, 3], line_break)


@pytest.mark.parametrize("language", ["llama", "gpt2"])  # relative and absolute positions
def test_a_batch_of_scenes_of_different_length_gives_what_each_gives_alone(language, make_model, processor, make_clip):
    model = make_model("dinov2", language)
    clips, points = zip(*(make_clip(frames, seed) for seed, frames in enumerate((3, 1, 2))), strict=True)
    texts = ["Where is it?", "How far away is the door from the window?", "Why?"]
    batch = processor(list(clips), list(points), texts)
    assert batch["frame_mask"].tolist() == [[True, True, True], [False, False, True], [False, True, True]]
    with torch.no_grad():
        together = model(**batch).logits
        for row, (clip, one, text) in enumerate(zip(clips, points, texts, strict=True)):
            alone = model(**processor(clip, one, text)).logits[0]
            assert torch.allclose(together[row, -len(alone) :], alone, atol=2e-5)


def test_scenes_encoded_apart_can_be_stacked(make_model, processor, make_clip):
    model = make_model()
    clips, points = zip(*(make_clip(frames, frames) for frames in (2, 1)), strict=True)
    batch = processor(list(clips), list(points), ["a", "b"])
    with torch.no_grad():
        together = model.encode_scene(
            *(batch[key] for key in ("pixel_values", "points_world", "valid_share", "frame_mask"))
        )
    apart = stack_scenes([encode(model, processor(*pair, "")) for pair in zip(clips, points, strict=True)])
    assert torch.equal(together.mask, apart.mask)
    assert torch.allclose(together.embeds[together.mask], apart.embeds[apart.mask], atol=1e-5)
    assert torch.allclose(together.content[together.mask], apart.content[apart.mask], atol=1e-5)
    assert torch.equal(together.num_views, apart.num_views)
    assert torch.equal(together.seen_s.nan_to_num(-1.0), apart.seen_s.nan_to_num(-1.0))


def test_points_of_other_patches_are_refused(make_model):
    with pytest.raises(InputError, match="4 x 6 patches"):
        make_model().encode_scene(torch.zeros(1, 1, 3, 16, 24), torch.zeros(1, 1, 3, 3, 3))


def test_a_prompt_with_too_few_placeholders_is_refused(make_model, processor, make_clip):
    batch = processor(*make_clip(), "")
    batch["input_ids"] = batch["input_ids"][:, -10:]
    batch["attention_mask"] = batch["attention_mask"][:, -10:]
    with pytest.raises(InputError, match="<scene>"):
        make_model()(**batch)


def test_a_scene_without_frames_is_refused(make_model):
    with pytest.raises(InputError, match="one frame or more"):
        make_model().encode_scene(torch.zeros(1, 0, 3, 16, 24))
