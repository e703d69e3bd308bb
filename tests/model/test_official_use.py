"""A converted checkpoint in use: square frames, cells, grounding by patches; from a recording to an answer."""

import numpy as np
import official_checkpoint as official
import official_inputs
import pytest
import torch

from video3d.geometry.lift import lift_patches
from video3d.geometry.lift_cells import centered_window, lift_cells
from video3d.model.convert_official import convert_official
from video3d.pipeline import load


@pytest.fixture(scope="module", params=[False, True], ids=["corrected", "compat"])
def engine(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    convert_official(official.write(folder / "official", official_inputs.EVEN), folder / "ours", compat=request.param)
    return load(str(folder / "ours"))


def test_frames_are_the_published_square_and_tokens_its_cells(engine, room):
    _, processor = engine.model_and_processor
    scene = engine.read(room, num_frames=3)
    small = processor.fit_clip(scene.clip)
    batch = processor(small, lift_patches(small, processor.patch_px), "Where is the chair?")
    assert batch["pixel_values"].shape == (1, 3, 3, 384, 384)
    assert batch["points_world"].shape == (1, 3, 14, 14, 3)
    assert int((batch["input_ids"] == processor.scene_token_id).sum()) == 3 * 14 * 15
    clip = scene.clip
    window = centered_window(clip.size_hw, 14, frame_px=384, cell_px=27)
    expected = lift_cells(
        clip.depth_m, clip.k_px, clip.world_from_camera, (14, 14), window, unknown_as_zero=processor.unknown_as_zero
    )
    gap = np.linalg.norm(batch["points_world"][0].numpy() - expected.points_world, axis=-1)
    assert np.nanmedian(gap) < 0.01  # scaled to 384 px first, or taken from the depth map as it is


def test_words_and_boxes_come_out(engine, room):
    model, _ = engine.model_and_processor
    scene = engine.read(room, num_frames=3)
    tokens = engine.encode(scene).tokens
    assert tokens.patch_content is not None and tokens.patch_content.shape[1:4] == (3, 27, 27)
    found = engine.ground(scene, "the table in the middle")
    assert found.none_share is not None and 0 <= found.none_share <= 1
    assert bool(found.found) != bool(found.why_nothing)
    assert isinstance(engine.say(scene, "What kind of place is this?"), str)
    assert torch.isfinite(tokens.embeds).all() and not model.scene_closed
