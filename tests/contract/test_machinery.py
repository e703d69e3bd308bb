"""bf16, attention kernels, torch.compile and FSDP. The last two run in processes of their own, without run-time shape checks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from video3d.geometry.lift import lift_patches
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.processing_video3d import Video3DProcessor
from video3d.model.scene_encoder import SCENE_KEYS

WHOLE = {
    "depth_encoding": True,
    "camera_encoding": True,
    "temporal_layers": 2,
    "temporal_heads": 4,
    "depth_attention": True,
    "depth_head": True,
    "grounding": True,
    "reasoning_layers": 1,
    "reasoning_width": 16,
    "reasoning_heads": 2,
    "layout_queries": 4,
    "categories": ["chair"],
    "events": ["falls"],
}


@pytest.fixture
def whole(make_model, tokenizer, make_clip):
    model = make_model(**WHOLE)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip, _ = make_clip(3)
    return model, processor(clip, lift_patches(clip, 4), "Where?", "There"), processor


def encode(model, batch):
    with torch.no_grad():
        return model.encode_scene(**{name: batch[name] for name in SCENE_KEYS if name in batch})


@pytest.mark.parametrize("arrangement", ["grid", "voxel"])
def test_bf16_says_nearly_the_same_and_places_stay_exact(arrangement, make_model, tokenizer, make_clip):
    model = make_model(**WHOLE, arrangement=arrangement, token_voxel_m=0.5)
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip, _ = make_clip(3)
    batch = processor(clip, lift_patches(clip, 4), "Where?", "There")
    exact = encode(model, batch)
    model = model.bfloat16()
    rounded = encode(model, batch)
    assert rounded.embeds.dtype == torch.bfloat16 and rounded.points_world.dtype == torch.float32
    assert torch.equal(rounded.points_world.nan_to_num(9.0), exact.points_world.nan_to_num(9.0))
    near = torch.nn.functional.cosine_similarity(rounded.embeds.float(), exact.embeds, dim=-1)
    assert near[exact.mask].min() > 0.98
    loss = model.train()(**batch).loss
    loss.backward()
    assert loss.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_attention_kernels_of_the_towers_are_chosen_as_ever(kernel, whole, tmp_path):
    model, batch, _ = whole
    model.save_pretrained(tmp_path)
    other = Video3DForConditionalGeneration.from_pretrained(tmp_path, attn_implementation=kernel).eval()
    assert other.language_model.config._attn_implementation == kernel
    assert other.vision_tower.config._attn_implementation == kernel
    with torch.no_grad():
        assert torch.allclose(other(**batch).logits, model(**batch).logits, atol=1e-4)


def test_what_must_stay_whole_on_one_device_is_named(whole):
    model = whole[0]
    kinds = {type(module).__name__ for module in model.modules()}
    named = set(model._no_split_modules or ()) & kinds
    assert {"TemporalLayer", "LlamaDecoderLayer", "Dinov2Layer"} <= named


SCRIPT = """
import sys, torch
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
batch = torch.load(sys.argv[2], weights_only=True)
model = Video3DForConditionalGeneration.from_pretrained(sys.argv[1]).eval()
"""
COMPILE = (
    SCRIPT
    + """
from video3d.model.attention import depth_aware_attention
b, f = batch["pixel_values"].shape[:2]
features = model.patch_features(batch["pixel_values"].flatten(0, 1))[0].detach().unflatten(0, (b, f))
given = {n: batch[n] for n in ("depth_m", "k_px", "world_from_camera", "time_s")}
size = tuple(batch["pixel_values"].shape[-2:])
plain = model.video_encoder(features, size_hw=size, **given)
compiled = torch.compile(model.video_encoder, backend="aot_eager", fullgraph=True)
out = compiled(features, size_hw=size, **given)
assert torch.allclose(out, plain, atol=1e-5), "encoder"
out.sum().backward()
assert model.video_encoder.temporal.layers[0].raw_slope.grad.abs().sum() > 0
content, points = torch.randn(3, 5, features.shape[-1]), torch.randn(3, 5, 3)
valid = torch.rand(3, 5) > 0.3
embed = torch.compile(model.scene_projector.embed, backend="aot_eager", fullgraph=True)
assert torch.allclose(embed(content, points, valid), model.scene_projector.embed(content, points, valid), atol=1e-5)
with torch.no_grad():
    expected = model(**batch).logits
    assert torch.allclose(torch.compile(model, backend="eager")(**batch).logits, expected, atol=1e-4), "model"
print("compiled")
"""
)
SHARD = (
    SCRIPT
    + """
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
dist.init_process_group("gloo")
model.train()
model(**batch).loss.backward()
expected = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
model.zero_grad()
kinds = set(model._no_split_modules)
for module in model.modules():
    if type(module).__name__ in kinds:
        fully_shard(module)
fully_shard(model)
loss = model(**batch).loss
loss.backward()
found = {n: p.grad.full_tensor() for n, p in model.named_parameters() if p.grad is not None}
assert set(found) == set(expected), set(found) ^ set(expected)
for name, gradient in expected.items():
    assert torch.allclose(found[name], gradient, atol=1e-4), name
print("sharded", dist.get_world_size())
dist.destroy_process_group()
"""
)


def run(script, whole, tmp_path, *before):
    model, batch, _ = whole
    model.save_pretrained(tmp_path / "model")
    torch.save(dict(batch), tmp_path / "batch.pt")
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, *before, str(path), str(tmp_path / "model"), str(tmp_path / "batch.pt")],
        capture_output=True, text=True, env=environment, cwd=Path(tmp_path), timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_encoder_and_projector_compile_whole_and_the_model_runs_compiled(whole, tmp_path):
    assert "compiled" in run(COMPILE, whole, tmp_path)


def test_two_processes_share_the_weights_and_get_the_same_gradients(whole, tmp_path):
    said = run(SHARD, whole, tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    assert said.count("sharded") == said.count(" 2") == 2
