"""The recipe of the depth network: windows keep geometry true, colours stay colours, a resumed run is the unbroken one."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model

from video3d.cli import run
from video3d.model.nano_depth import DEPTH_LAYERS, tower_layers
from video3d.training.depth import DepthRecipe, Frames, photometric, prepare, published, train, window
from video3d.types import InputError

pytest.importorskip("peft")
TINY = DepthRecipe(sizes_px=((28, 28), (28, 42)), batch=3, steps=8, frames_per_clip=2)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size_hw", [(56, 56), (42, 56), (56, 42)])
def test_a_window_keeps_every_point_where_its_camera_says(seed, size_hw):
    side, focal = 64, 50.0
    k = np.array([[focal, 0, 30.0], [0, focal, 34.0], [0, 0, 1.0]])
    v, u = np.mgrid[:side, :side] + 0.5
    # A tilted plane n·x = 1: depth follows from where a pixel looks, so depth and K must agree after the cut.
    normal = np.array([0.1, 0.2, 0.4])
    depth = 1 / (normal[0] * (u - 30) / focal + normal[1] * (v - 34) / focal + normal[2])
    rgb = np.zeros((side, side, 3), np.uint8)
    x, d, kk = window(rgb, depth.astype(np.float32), k, size_hw, 0.45, torch.Generator().manual_seed(seed))
    j, i = torch.meshgrid(torch.arange(size_hw[0]) + 0.5, torch.arange(size_hw[1]) + 0.5, indexing="ij")
    looks_x, looks_y = (i - kk[0, 2]) / kk[0, 0], (j - kk[1, 2]) / kk[1, 1]
    errors = [float((d * (s * normal[0] * looks_x + normal[1] * looks_y + normal[2]) - 1).abs().max()) for s in (1, -1)]
    assert x.shape == (3, *size_hw) and min(errors) < 0.03  # mirrored or not; nearest pixels are up to half of one off


def test_colours_stay_colours_and_are_drawn_from_the_seed():
    rgb = torch.rand(3, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    one, same, other = (photometric(rgb, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.shape == rgb.shape and one.min() >= 0 and one.max() <= 1


@pytest.fixture
def frames() -> Frames:
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 3, (6, 32, 32)).astype(np.float16)
    depth[:, :4] = np.nan
    k = np.array([[30.0, 0, 16], [0, 30, 16], [0, 0, 1]])
    return Frames(rng.integers(0, 255, (6, 32, 32, 3), np.uint8), depth, np.broadcast_to(k, (6, 3, 3)))


def tiny_tower() -> Dinov2Model:
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 10, "num_attention_heads": 2, "mlp_ratio": 2}
    return Dinov2Model(Dinov2Config(patch_size=14, image_size=42, **size)).eval()


def test_a_resumed_run_is_the_unbroken_one(tmp_path, frames, monkeypatch):
    monkeypatch.setattr("video3d.training.network.STEPS_BETWEEN_CHECKPOINTS", 4)
    for name in ("whole", "resumed"):
        (tmp_path / name).mkdir()
    kept, original = [], torch.save

    def keep(state, path):
        original(state, path)
        kept.append(path.read_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", keep)
        whole = train(frames, tiny_tower(), TINY, tmp_path / "whole")
    assert len(kept) == 2
    # Killed after its first checkpoint: what a run of 8 steps leaves at step 4.
    (tmp_path / "resumed" / "depth-checkpoint.pt").write_bytes(kept[0])
    resumed = train(frames, tiny_tower(), TINY, tmp_path / "resumed")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    # Another recipe does not go on from it.
    short = train(frames, tiny_tower(), replace(TINY, steps=3), tmp_path / "resumed")
    assert not torch.equal(short["head.out.weight"], whole["head.out.weight"])


def test_what_is_shipped_is_what_was_trained(tmp_path, frames):
    tower = tiny_tower()
    weights = {name: value.clone() for name, value in tower.state_dict().items()}
    trained = copy.deepcopy(tower)
    learned = train(frames, trained, replace(TINY, ema=0.0, lr_tower=0.1), tmp_path)  # the mean is then the last
    changes = published(learned)
    # Added as ``convert_dinov2`` adds them, which reads published names.
    names = {
        "attention.query": "q_proj",
        "attention.key": "k_proj",
        "attention.value": "v_proj",
        "output.dense": "o_proj",
    }
    for name in [name.removesuffix(".left") for name in changes if name.endswith(".left")]:
        ours = name.removeprefix("tower.")
        for theirs, here in names.items():
            ours = ours.replace(f"attention.{theirs}", f"attention.{here}")
        weights[f"{ours}.weight"] += changes[f"{name}.left"].float() @ changes[f"{name}.right"].float()
    changed = tiny_tower()
    changed.load_state_dict(weights)
    pixels = torch.rand(2, 3, 28, 28)
    with torch.no_grad():
        before, expected, found = (tower_layers(m, pixels)[-1] for m in (tower, trained, changed))
    assert {int(name.split(".")[3]) for name in changes if name.endswith(".left")} == set(range(3, max(DEPTH_LAYERS)))
    difference = (expected - before).abs().max()
    assert difference > 0.05 and (found - expected).abs().max() < 0.05 * difference


def test_frames_come_from_the_training_clips(tmp_path):
    pytest.importorskip("pyarrow")
    from small_clips import write_small

    dataset, other = write_small(tmp_path / "data"), write_small(tmp_path / "other", range(4, 8))
    frames = prepare([dataset, dataset], TINY, tmp_path)  # as if they were two
    assert len(frames.k_px) == 2 * 2 * len(dataset.clip_ids("train"))
    clip = next(iter(dataset.clips("train")))
    assert any(np.array_equal(frames.depth_m[0], d.astype(np.float16), equal_nan=True) for d in clip.depth_m)
    assert any(np.array_equal(frames.rgb[0], rgb) for rgb in clip.rgb)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("frames-*")}
    again = prepare([dataset, dataset], TINY, tmp_path)  # finished files are used again, but for these data alone
    assert np.array_equal(again.rgb, frames.rgb)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("frames-*")} == times
    assert not np.array_equal(prepare([other], TINY, tmp_path).depth_m[:4], frames.depth_m[:4], equal_nan=True)


def test_the_command_trains_and_says_what_it_ran(tmp_path, capsys, monkeypatch):
    pytest.importorskip("pyarrow")
    from small_clips import write_small

    data = write_small(tmp_path / "data").root
    monkeypatch.setattr("video3d.model.convert_dinov2.convert_dinov2", lambda path: tiny_tower())
    sizes = {"steps": 2, "batch": 2, "frames_per_clip": 1, "rank": 2}
    words = [word for name, value in sizes.items() for word in ("--set", f"{name}={value}")]
    assert run(["train", "nano-depth", str(data), "--out", str(tmp_path / "out"), *words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recipe"]["steps"] == 2 and len(report["data"]) == 1
    assert "head.out.weight" in load_file(tmp_path / "out" / "nano_depth.safetensors")
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    assert run(["train", "nano-depth", str(data), "--out", str(tmp_path / "out"), *words]) == 2
    assert run(["train", "nano-depth", str(data), "--dry-run", *words]) == 0
    assert "2 steps of 2 views" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--set", "lr=1"], "--set lr: expected one of frames_per_clip"),
        (["--set", "settings.pool=1"], "--set settings.pool: expected one of"),
        (["--set", "steps=0"], "steps: expected 1 or more, got 0"),
        (["--overfit", "4"], "--overfit: expected 0 with nano-depth"),
    ],
)
def test_what_it_has_not_is_refused_in_one_line(words, complaint, tmp_path, capsys):
    assert run(["train", "nano-depth", str(tmp_path), *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and complaint in err and err.count("\n") == 1


def test_a_broken_checkpoint_is_named(tmp_path, frames):
    (tmp_path / "depth-checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match=r"depth-checkpoint\.pt: expected a checkpoint"):
        train(frames, tiny_tower(), TINY, tmp_path)
