"""The object head's training: targets are those of the masks, a run goes on with the same bits, what ships is what was learned."""

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from small_clips import small_clip, small_row, write_small

from video3d.cli import main
from video3d.data.store import write_manifest, write_rows, write_shard
from video3d.model.nano import load_nano
from video3d.model.nano_objects import blocks_of, packaged_head
from video3d.model.object_head import ObjectHead, object_loss
from video3d.training import objects
from video3d.training.object_patches import COLORS, Patches, Shelf, label_patches, tower_of
from video3d.training.objects import (
    TOWER_BLOCKS,
    ObjectRecipe,
    head_of,
    judged,
    patches_alike,
    save_head,
    start_head,
    told,
    train,
    train_network,
)
from video3d.training.targets import CATEGORIES
from video3d.types import InputError

TINY = ObjectRecipe(frames=2, changed_frames=2, start="", blocks=1, width=16, steps=6, batch=2)


def _masked(owner: np.ndarray):
    """A clip whose masks say whose each quarter of a frame is, with places for its four patches."""
    clip = small_clip()
    masks = np.zeros((3, 32, 40), np.int64)
    for row in range(2):
        for column in range(2):
            masks[:, 16 * row : 16 * row + 16, 20 * column : 20 * column + 20] = owner[row, column]
    poses = torch.from_numpy(clip.truth.world_from_camera.astype(np.float32))
    points = torch.tensor([2.0, 0.5, 0.4]).expand(3, 2, 2, 3).clone()
    return clip, masks, points, poses


def test_a_patch_belongs_to_what_covers_most_of_it_and_points_to_its_centre() -> None:
    clip, masks, points, poses = _masked(np.array([[1, 2], [0, 1]]))
    points[0, 1, 1] = torch.nan
    true = label_patches(clip, [0, 1, 2], masks, points, poses)
    chair, ball = CATEGORIES.index("chair"), CATEGORIES.index("ball")
    assert true.category[0].tolist() == [[chair, ball], [-1, -1]]  # nowhere: no target
    assert true.category[1].tolist() == [[chair, ball], [-1, chair]]
    assert true.color[1].tolist() == [[-1, COLORS.index("red")], [-1, -1]]
    assert true.has_front[1].tolist() == [[True, False], [False, True]]
    # The camera stands at the origin: the chair at (1, 0.5, 0.3) lies 1 m back along the level line of sight, and lower.
    eye, point, center = poses[0, :3, 3].numpy(), np.array([2.0, 0.5, 0.4]), np.array([1.0, 0.5, 0.3])
    ahead = (point - eye) * [1, 1, 0]
    ahead /= np.linalg.norm(ahead)
    left = np.array([-ahead[1], ahead[0], 0])
    offset = center - point
    np.testing.assert_allclose(true.center_m[0, 0, 0], [offset @ ahead, offset @ left, offset[2]], atol=1e-6)
    np.testing.assert_allclose(true.size_m[0, 0, 0], [0.6, 0.5, 0.6], atol=1e-6)


def test_a_patch_of_which_too_little_is_covered_has_no_object() -> None:
    clip, masks, points, poses = _masked(np.zeros((2, 2), int))
    masks[:, :3, :20] = 1  # 3 of 16 rows
    assert bool((label_patches(clip, [0, 1, 2], masks, points, poses).category < 0).all())


def _patches() -> Patches:
    torch.manual_seed(3)
    clip, masks, points, poses = _masked(np.array([[1, 2], [0, 1]]))
    true = label_patches(clip, [0, 1, 2], masks, points, poses)
    known = torch.ones(3, 2, 2, dtype=torch.bool)
    known[0, 0, 0] = False
    return Patches(torch.randn(3, 2, 2, 64).bfloat16(), torch.randn(3, 2, 2, 22).half(), known, true)


def _shelf() -> Shelf:
    return Shelf([_patches()])


def _head() -> ObjectHead:
    torch.manual_seed(5)
    return ObjectHead(64, 16, len(CATEGORIES), len(COLORS), 1, 1)


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("video3d.training.network.STEPS_BETWEEN_CHECKPOINTS", 3)
    shelf = _shelf()
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = train(shelf, _head(), TINY, tmp_path / "whole", "data")

    def dies(step: int, **_):
        raise KeyboardInterrupt

    calls = iter(range(100))
    real = torch.optim.AdamW.step
    with monkeypatch.context() as patched:
        patched.setattr(
            torch.optim.AdamW, "step", lambda self, *a, **k: dies(0) if next(calls) == 4 else real(self, *a, **k)
        )
        with pytest.raises(KeyboardInterrupt):
            train(shelf, _head(), TINY, tmp_path / "killed", "data")
    resumed = train(shelf, _head(), TINY, tmp_path / "killed", "data")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    other = train(
        shelf, _head(), TINY, tmp_path / "killed", "other data"
    )  # another run's checkpoint is not gone on with
    assert torch.equal(other.state_dict()["say.weight"], whole.state_dict()["say.weight"])


def test_a_broken_checkpoint_is_named(tmp_path) -> None:
    (tmp_path / "objects-checkpoint.pt").write_bytes(b"no")
    with pytest.raises(InputError, match=r"objects-checkpoint\.pt"):
        train(_shelf(), _head(), TINY, tmp_path, "data")


def test_what_ships_is_what_was_learned(tmp_path) -> None:
    head = train(_shelf(), _head(), TINY, tmp_path, "data")
    save_head(head, tmp_path / "head.safetensors")
    kept = head_of(tmp_path / "head.safetensors")
    for name, weight in head.state_dict().items():
        assert torch.equal(weight.bfloat16().float(), kept.state_dict()[name]), name
    scores = judged(kept, [_patches()])
    assert 0 <= scores["category"] <= 1 and scores["patches"] == 11  # one of twelve has no known place


def test_the_whole_run_from_clips_to_weights(tmp_path, capsys) -> None:
    data = write_small(tmp_path / "qa", numbers=range(3)).root
    held = small_clip(4, split="val")
    write_shard(data / "clips" / "val-00000.parquet", [held])
    write_rows(data / "val.jsonl", [small_row(held, 0)])
    write_manifest(data, {"command": "test"})
    sets = [part for name in ("frames", "changed_frames", "start", "blocks", "width", "steps", "batch") for part in ("--set", f"{name}={getattr(TINY, name)}")]  # fmt: skip
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as done:
        main(["train", "nano-objects", str(data), "--out", str(out), "--json", *sets])
    assert not done.value.code
    report = json.loads(capsys.readouterr().out)
    assert report["recipe"]["steps"] == 6 and (out / "nano_objects.safetensors").is_file()
    head = head_of(out / "nano_objects.safetensors")
    assert head.read.out_features == 16 and len(head.blocks) == 1
    before, after = report["val"]["patches"]
    assert before == after > 0 and all(0 <= share <= 1 for share in report["val"]["category"])
    with pytest.raises(InputError, match="empty or new folder"):
        train_network([data], TINY, out, resume=False)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"ema": 1.0}, {"smallest_window": 0.0}, {"lr": float("nan")}, {"blocks": 13}, {"start": "other"}],
)
def test_values_that_no_run_can_be_made_from_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        replace(TINY, **wrong)


def test_what_has_no_known_place_is_not_learned_from_and_of_others_half_as_many_and_one_a_frame() -> None:
    patches = _patches()
    said = _head().eval()(patches.features, patches.geometry)
    assert told(said, patches)[1].category.shape == (11,)
    patches.targets.category[:, :, 1] = patches.targets.category[:, 1] = -1
    draw = torch.Generator().manual_seed(0)
    drawn = [told(said, patches, draw)[1].category for _ in range(300)]
    assert {int((one >= 0).sum()) for one in drawn} == {2}  # of 11
    assert np.mean([len(one) - 2 for one in drawn]) == pytest.approx(0.5 * 2 + 3, abs=0.3)  # and one a frame, of 9


@pytest.mark.parametrize("most", [1, 2, 4])
def test_of_one_thing_in_one_frame_so_many_patches_count(most) -> None:
    patches = _patches()
    patches.known.fill_(True)
    chair, ball = CATEGORIES.index("chair"), CATEGORIES.index("ball")
    patches.targets.category.fill_(chair)
    patches.targets.size_m[:] = patches.targets.size_m[0, 0, 0].clone()
    patches.targets.category[:, 0, 1] = ball  # three of a chair's and one of a ball's, in each frame
    assert patches_alike(patches).tolist() == [[[3, 1], [3, 3]]] * 3
    patches.known[0, 1, 1] = False
    assert patches_alike(patches)[0].tolist() == [[2, 1], [2, 1]]
    patches.known.fill_(True)
    said = _head().eval()(patches.features, patches.geometry)
    draw = torch.Generator().manual_seed(0)
    drawn = [told(said, patches, draw, most)[1].category for _ in range(300)]
    assert np.mean([(one == chair).sum() for one in drawn]) == pytest.approx(3 * min(most, 3), abs=0.3)
    assert all((one == ball).sum() == 3 for one in drawn)


def test_frames_without_an_object_teach_too() -> None:
    patches = _patches()
    patches.targets.category.fill_(-1)
    said = _head().eval()(patches.features, patches.geometry)
    for seed in range(50):
        loss, _ = object_loss(*told(said, patches, torch.Generator().manual_seed(seed)))
        assert bool(loss.isfinite())


def test_frames_are_drawn_of_one_size_as_often_as_there_are_and_never_without_a_known_place() -> None:
    wide, small = _patches(), _patches()
    targets = {field.name: getattr(wide.targets, field.name).repeat_interleave(2, 2) for field in fields(wide.targets)}
    wide = Patches(
        wide.features.repeat_interleave(2, 2),
        wide.geometry.repeat_interleave(2, 2),
        wide.known.repeat_interleave(2, 2),
        type(wide.targets)(**targets),
    )
    wide.known[0] = False
    shelf = Shelf([small, wide])
    assert shelf.by_grid == {(2, 2): [(0, 0), (0, 1), (0, 2)], (2, 4): [(1, 1), (1, 2)]}
    grids = [shelf.drawn(2, torch.Generator().manual_seed(seed)).grid for seed in range(300)]
    assert np.mean([grid == (2, 2) for grid in grids]) == pytest.approx(0.6, abs=0.1)
    assert torch.equal(shelf.at([(1, 2), (1, 1)]).features, wide.features[[2, 1]])
    small.known[:] = wide.known[:] = False
    with pytest.raises(InputError, match="place is known"):
        Shelf([small, wide])


def test_a_run_goes_on_from_the_packaged_head_and_its_blocks() -> None:
    model, _ = load_nano(dtype=torch.float32)
    head, weights = start_head(ObjectRecipe(), model.vision_tower), packaged_head()[0]
    assert blocks_of(weights) == 3 and set(weights) == set(head.state_dict())
    for name, weight in head.state_dict().items():
        assert torch.equal(weight, weights[name].float()), name
    assert len(model.vision_tower.encoder.layer) == TOWER_BLOCKS


def test_a_packaged_head_without_blocks_gets_the_towers(monkeypatch) -> None:
    model, _ = load_nano(dtype=torch.float32)
    weights, categories, colors = packaged_head()
    plain = {name: weight for name, weight in weights.items() if not name.startswith(("blocks.", "looked."))}
    monkeypatch.setattr(objects, "packaged_head", lambda: (plain, categories, colors))
    head = start_head(ObjectRecipe(), model.vision_tower)
    assert torch.equal(head.read.weight, weights["read.weight"].float())
    new = start_head(replace(TINY, blocks=3), model.vision_tower)
    for name, weight in new.blocks.state_dict().items():
        assert torch.equal(weight, head.blocks.state_dict()[name]), name


def test_the_cut_tower_gives_what_the_whole_one_does_there() -> None:
    model, _ = load_nano(dtype=torch.float32)
    pixels = torch.randn(1, 3, 56, 70)
    with torch.no_grad():
        seen: Any = model.vision_tower(pixels, output_hidden_states=True)
        for blocks, whole in ((3, seen.hidden_states[9]), (1, seen.hidden_states[11]), (0, seen.last_hidden_state)):
            torch.testing.assert_close(tower_of(model, blocks)(pixels).flatten(1, 2), whole[:, 1:])
    assert len(model.vision_tower.encoder.layer) == 12


def test_a_new_start_has_the_towers_own_blocks() -> None:
    model, _ = load_nano(dtype=torch.float32)
    head = start_head(replace(TINY, blocks=3), model.vision_tower).eval()
    seen: Any = model.vision_tower(torch.randn(1, 3, 56, 70), output_hidden_states=True)
    patches = seen.hidden_states[9]
    for block in head.blocks:
        patches = block(patches)
    torch.testing.assert_close(head.looked(patches), seen.last_hidden_state, atol=1e-4, rtol=1e-4)
