"""The recipe of the depth head: windows keep geometry true, colours stay colours, a resumed run is the unbroken one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from video3d.model.nano_depth import DEPTH_LAYERS
from video3d.training.depth import DepthRecipe, photometric, train, window


@pytest.mark.parametrize("seed", range(6))
def test_a_window_keeps_every_point_where_its_camera_says(seed):
    side, focal = 64, 50.0
    k = np.array([[focal, 0, 30.0], [0, focal, 34.0], [0, 0, 1.0]])
    v, u = np.mgrid[:side, :side] + 0.5
    # A tilted plane n·x = 1: depth follows from where a pixel looks, so depth and K must agree after the cut.
    normal = np.array([0.1, 0.2, 0.4])
    depth = 1 / (normal[0] * (u - 30) / focal + normal[1] * (v - 34) / focal + normal[2])
    rgb = np.zeros((side, side, 3), np.uint8)
    x, d, kk = window(rgb, depth.astype(np.float32), k, 56, 0.45, torch.Generator().manual_seed(seed))
    j, i = torch.meshgrid(torch.arange(56) + 0.5, torch.arange(56) + 0.5, indexing="ij")
    looks_x, looks_y = (i - kk[0, 2]) / kk[0, 0], (j - kk[1, 2]) / kk[1, 1]
    errors = [float((d * (s * normal[0] * looks_x + normal[1] * looks_y + normal[2]) - 1).abs().max()) for s in (1, -1)]
    assert x.shape == (3, 56, 56) and min(errors) < 0.03  # mirrored or not; nearest pixels are up to half of one off


def test_colours_stay_colours_and_are_drawn_from_the_seed():
    rgb = torch.rand(3, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    one, same, other = (photometric(rgb, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.shape == rgb.shape and one.min() >= 0 and one.max() <= 1


def test_a_resumed_run_is_the_unbroken_one(tmp_path):
    draw = torch.Generator().manual_seed(0)
    views = {f"layer_{at}": torch.randn(12, 2, 2, 8, generator=draw).bfloat16() for at in DEPTH_LAYERS}
    views["depth_m"] = torch.rand(12, 28, 28, generator=draw).half() + 1
    views["k_px"] = torch.tensor([[28.0, 0, 14], [0, 28, 14], [0, 0, 1]]).expand(12, 3, 3).contiguous()
    save_file(views, tmp_path / "views.safetensors")
    recipe = DepthRecipe(side_px=28, batch=4, steps=200)
    (tmp_path / "whole").mkdir()
    whole = train(tmp_path / "views.safetensors", recipe, tmp_path / "whole").state_dict()
    # Killed after its first checkpoint: what a run of 200 steps leaves at step 100.
    state = {}
    original = torch.save

    def keep(kept, path):
        original(kept, path)
        state.setdefault("first", {**kept, "head": {k: v.clone() for k, v in kept["head"].items()}})
        if len(state) == 1 and "bytes" not in state:
            state["bytes"] = path.read_bytes()

    (tmp_path / "again").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", keep)
        train(tmp_path / "views.safetensors", recipe, tmp_path / "again")
    (tmp_path / "resumed").mkdir()
    (tmp_path / "resumed" / "depth-checkpoint.pt").write_bytes(state["bytes"])
    assert state["first"]["step"] == 100
    resumed = train(tmp_path / "views.safetensors", recipe, tmp_path / "resumed").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    # Another recipe does not go on from it.
    short = replace(recipe, steps=3)
    assert not torch.equal(
        train(tmp_path / "views.safetensors", short, tmp_path / "resumed").state_dict()["out.weight"],
        whole["out.weight"],
    )
