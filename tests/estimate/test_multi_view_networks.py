"""VGGT and Depth Anything 3: layout, windows and units with networks that are known, and the packages' own where installed."""

import json
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_model

from video3d import depth_network
from video3d.estimate import load_depth_estimator
from video3d.estimate import multi_view_networks as networks
from video3d.estimate.multi_view_networks import Layout, MultiViewDepth, da3_layout, vggt_layout, windows
from video3d.evaluation.depth_eval import evaluate_depth
from video3d.types import InputError
from video3d.types.depth import DepthEstimator, DepthKind, JointDepthEstimator
from video3d.video import open_recording

HW = (48, 60)
VGGT_SETTINGS = {"img_size": 56, "patch_size": 14, "embed_dim": 64}


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, size=(7, *HW, 3), dtype=np.uint8)


class Reads(torch.nn.Module):
    """Says that depth is one more than red, in a unit that differs from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.inputs: list[torch.Tensor] = []
        self.silent_from = 1000

    def look(self, model: object, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert model is self
        self.inputs.append(pixels)
        depth = (1 + pixels[:, 0]) * len(self.inputs)
        if len(self.inputs) >= self.silent_from:
            depth[: networks.OVERLAP] = torch.nan
        return depth, torch.linspace(0.0, 2.0, len(pixels)) * pixels.shape[-1]

    def estimator(self, kind: DepthKind = "scaled_depth", window: int = 6, side_px: int = 56) -> MultiViewDepth:
        return MultiViewDepth(
            name="reads", licence="none", kind=kind, window=window, model=self, look=self.look,
            layout=partial(vggt_layout, side_px=side_px),
        )  # fmt: skip


@given(st.integers(1, 200), st.integers(2, 30), st.integers(0, 29))
def test_windows_cover_every_frame_and_share_what_they_must(num_frames: int, size: int, overlap: int) -> None:
    overlap = min(overlap, size - 1)
    found = windows(num_frames, size=size, overlap=overlap)
    assert sorted({frame for one in found for frame in one}) == list(range(num_frames))
    assert all(len(one) == min(size, num_frames) for one in found)
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.stop - after.start >= overlap


@given(st.integers(20, 4000), st.integers(20, 4000))
def test_frames_keep_their_shape_to_half_a_patch(h: int, w: int) -> None:
    for layout, side in ((vggt_layout((h, w)), 518), (da3_layout((h, w)), 504)):
        assert layout.size_hw[0] % 14 == layout.size_hw[1] % 14 == 0
        assert max(layout.size_hw) == side
        for got, size in zip(layout.size_hw, (h, w), strict=True):
            assert abs(got - size * side / max(h, w)) <= 7.51 or got == 14


def test_all_frames_of_a_long_clip_are_in_the_unit_of_the_first_window(rgb: np.ndarray) -> None:
    plain = np.zeros((16, *HW, 3), np.uint8) + np.arange(0, 160, 10, dtype=np.uint8)[:, None, None, None]
    reads = Reads()
    said = reads.estimator()(plain)
    assert [len(one) for one in reads.inputs] == [6] * 6  # frames 0 to 5, 2 to 7, ...: each in a unit of its own
    assert said.kind == "scaled_depth"
    np.testing.assert_allclose(said.values, np.broadcast_to(1 + plain[..., 0] / 255, (16, *HW)), rtol=1e-5)


def test_where_windows_have_nothing_in_common_the_rest_is_unknown(rgb: np.ndarray) -> None:
    reads = Reads()
    reads.silent_from = 2
    said = reads.estimator()(np.concatenate([rgb, rgb[:1]]))
    assert np.isfinite(said.values[:6]).all()
    assert np.isnan(said.values[6:]).all()


def test_an_upright_frame_has_white_sides_and_comes_back_without(rng: np.random.Generator) -> None:
    upright = rng.integers(0, 100, size=(3, 112, 76, 3), dtype=np.uint8)
    reads = Reads()
    assert vggt_layout((112, 76), side_px=56) == Layout(size_hw=(56, 42), left=7, right=7)
    said = reads.estimator()(upright)
    (inputs,) = reads.inputs
    assert inputs.shape == (3, 3, 56, 56)
    assert (inputs[..., :7] == 1).all()
    assert (inputs[..., 49:] == 1).all()
    assert said.values.max() < 1.6  # of white, which is not in the frame, it says 2
    # Focal lengths are 0, 1 and 2 times 56 px of the input, whose middle 42 are the frame's 76; 0 is no answer.
    assert said.focal_px is not None
    np.testing.assert_allclose(said.focal_px, [np.nan, 56 / 42 * 76, 2 * 56 / 42 * 76])


def test_the_metric_network_needs_a_focal_length_and_follows_it(rgb: np.ndarray) -> None:
    k_px = np.tile(np.array([[30.0, 0, 30], [0, 30, 24], [0, 0, 1]]), (7, 1, 1))
    k_px[3] *= 2
    reads = Reads()
    estimator = reads.estimator("metric_depth", window=1)
    assert estimator.metric
    said = estimator(rgb, k_px).values
    (net_h, net_w), scale = vggt_layout(HW, side_px=56).size_hw, np.where(np.arange(7) == 3, 2.0, 1.0)
    focal = 30 * (net_w / HW[1] + net_h / HW[0]) / 2
    for i, depth in enumerate(torch.cat(reads.inputs)[:, 0]):
        expected = (1 + depth.mean()) * (i + 1) * scale[i] * focal / 300
        assert said[i].mean() == pytest.approx(float(expected), rel=0.02)
    assert np.isnan(estimator(rgb).values).all()


def test_sky_is_unknown() -> None:
    def says(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        sky = torch.zeros(1, 2, 4, 5)
        sky[0, 1, :2] = 0.4
        return {"depth": torch.full((1, 2, 4, 5), 3.0), "sky": sky}

    depth, focal = networks._look_da3(says, torch.zeros(2, 3, 4, 5))
    assert torch.isnan(depth[1, :2]).all()
    assert (depth[0] == 3).all()
    assert (depth[1, 2:] == 3).all()
    assert torch.isnan(focal).all()


# Loading


def folder_of(path: Path, settings: dict, network: torch.nn.Module | None = None) -> Path:
    (path / "config.json").write_text(json.dumps(settings))
    (path / "README.md").write_text("---\nlicense: other\nlicense_name: made-up-terms\n---\n")
    if network is not None:
        save_model(network, str(path / "model.safetensors"))
    return path


@pytest.mark.parametrize(
    ("settings", "package", "install"),
    [
        (VGGT_SETTINGS, "vggt", "facebookresearch/vggt"),
        ({"model_name": "da3-small"}, "depth_anything_3", "--no-deps depth-anything-3"),
    ],
)
def test_an_absent_package_is_named_with_how_to_install_it(
    settings: dict, package: str, install: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"expected the Python package {package}, .*{install}") as raised:
        load_depth_estimator(folder_of(tmp_path, settings))
    assert "\n" not in str(raised.value)


class StandIn(torch.nn.Module):
    """Called and built as VGGT is, with one weight."""

    def __init__(self, img_size: int, patch_size: int, embed_dim: int, enable_point: bool, enable_track: bool) -> None:
        super().__init__()
        assert not enable_point
        assert not enable_track
        self.unit = torch.nn.Parameter(torch.ones(embed_dim))

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        pose = torch.full((*images.shape[:2], 9), np.pi / 2)
        return {"depth": self.unit[0] * (1 + images[:, :, 0, ..., None]), "pose_enc": pose}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vggt.models.vggt")
    module.VGGT = StandIn  # type: ignore[attr-defined]
    for name in ("vggt", "vggt.models", "vggt.models.vggt"):
        monkeypatch.setitem(sys.modules, name, module)


def saved(path: Path) -> Path:
    network = StandIn(**VGGT_SETTINGS, enable_point=False, enable_track=False)
    torch.nn.init.constant_(network.unit, 3.0)
    return folder_of(path, VGGT_SETTINGS, network)


def test_weights_come_from_the_folder(stand_in: None, tmp_path: Path, rgb: np.ndarray) -> None:
    estimator = load_depth_estimator(saved(tmp_path))
    assert isinstance(estimator, DepthEstimator)
    assert isinstance(estimator, JointDepthEstimator)
    assert (estimator.name, estimator.licence, estimator.metric) == (str(tmp_path), "made-up-terms", False)
    said = estimator(rgb)
    assert 3 < said.values.min() < said.values.max() < 6
    assert said.focal_px is not None
    np.testing.assert_allclose(said.focal_px, 30.0)  # 90 degrees across 60 px


def test_the_command_gives_it_the_whole_clip_and_aligns_by_a_factor(
    stand_in: None, tmp_path: Path, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    recording = open_recording(room)
    truth = recording.load_depth_m(range(recording.num_frames))
    colours = recording.load_rgb(range(recording.num_frames))

    class Joint:
        name, licence, metric, window = "joint", "made-up-terms", False, 24

        def __call__(self, rgb: np.ndarray, k_px: np.ndarray | None = None) -> object:
            calls.append(len(rgb))
            at = [int(np.flatnonzero((colours == one).all(axis=(1, 2, 3)))[0]) for one in rgb]
            return networks.DepthEstimate(values=(truth[at] / 7).astype(np.float32), kind="scaled_depth")

    monkeypatch.setattr(depth_network, "load_depth", lambda name: Joint())
    (found,) = evaluate_depth(room, ["made/up"], num_frames=5, isolate=False).results
    assert calls == [5]
    assert {row.alignment: round(row.errors.abs_rel, 4) for row in found.rows} == {"median": 0.0, "scale_shift": 0.0}
    assert found.scale == pytest.approx(7, rel=1e-3)
    assert found.notes == ("looked at 5 frames together",)
    assert found.consistency is not None
    assert found.consistency.median_rel < 0.03


def test_what_cannot_be_loaded_is_said(stand_in: None, tmp_path: Path) -> None:
    folder = saved(tmp_path)
    for settings, why in (
        ({**VGGT_SETTINGS, "img_size": -3}, "a usual img_size, got -3"),
        ({**VGGT_SETTINGS, "embed_dim": 65}, "model.safetensors of this network, got RuntimeError"),
    ):
        (folder / "config.json").write_text(json.dumps(settings))
        with pytest.raises(InputError, match=why):
            load_depth_estimator(folder)
    (folder / "config.json").write_text(json.dumps(VGGT_SETTINGS))
    with pytest.raises(InputError, match="device: expected one that torch has here"):
        load_depth_estimator(folder, device="nowhere")
    save_model(torch.nn.Linear(1, 1), str(folder / "model.safetensors"))
    with pytest.raises(InputError, match="weights for every layer, got 1 missing, the first unit"):
        load_depth_estimator(folder)
    (folder / "model.safetensors").unlink()
    (folder / "model.pt").write_bytes(b"pickled")
    with pytest.raises(InputError, match=r"weights in model\.safetensors .* pickled weights are refused"):
        load_depth_estimator(folder)


# The packages' own classes, small and with random weights


def liven(network: torch.nn.Module) -> None:
    """Fresh initialisation is so small that the output hardly depends on the picture: make it depend."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim >= 2:
                weight.normal_(0, 0.5 / weight[0].numel() ** 0.5)
            if name.endswith("gamma"):  # how much a block adds
                weight.fill_(1.0)


def check(estimator: DepthEstimator, rgb: np.ndarray, *, together: bool) -> None:
    said = estimator(rgb, np.tile(np.array([[50.0, 0, 30], [0, 50, 24], [0, 0, 1]]), (len(rgb), 1, 1)))
    assert said.values.shape == rgb.shape[:3]
    assert np.isfinite(said.values).all()
    assert (said.values > 0).all()
    assert said.values.std(axis=(1, 2)).min() > 1e-4  # it looks at the picture
    np.testing.assert_array_equal(estimator(rgb, np.tile(np.diag([50.0, 50, 1]), (len(rgb), 1, 1))).values, said.values)
    alone = estimator(rgb[2:3], np.diag([50.0, 50, 1])[None]).values[0]
    assert np.allclose(alone, said.values[2], rtol=1e-4) != together


def test_vggt_of_its_package(tmp_path: Path, rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    own = pytest.importorskip("vggt.models.vggt", reason="needs vggt: " + networks._INSTALL["vggt"])
    monkeypatch.setattr(own, "Aggregator", partial(own.Aggregator, depth=4, num_heads=2, patch_embed="conv"))
    small = {"features": 16, "out_channels": [8, 8, 16, 16], "intermediate_layer_idx": [0, 1, 2, 3]}
    monkeypatch.setattr(own, "DPTHead", partial(own.DPTHead, **small))
    torch.manual_seed(0)
    whole = own.VGGT(**VGGT_SETTINGS, enable_track=False)  # with the head of points, which is left out here
    liven(whole)
    estimator = load_depth_estimator(folder_of(tmp_path, VGGT_SETTINGS, whole))
    assert (estimator.metric, estimator.licence) == (False, "made-up-terms")
    check(estimator, rgb, together=True)
    layout = vggt_layout(HW, side_px=56)
    pixels = torch.rand(1, 3, 3, *layout.size_hw)
    with torch.inference_mode():
        expected = whole.eval()(pixels)
        depth, focal = networks._look_vggt(estimator.model, pixels[0])  # type: ignore[attr-defined]
    np.testing.assert_allclose(depth, expected["depth"][0, ..., 0], rtol=1e-5)
    pose_enc = pytest.importorskip("vggt.utils.pose_enc")
    _, k_px = pose_enc.pose_encoding_to_extri_intri(expected["pose_enc"], layout.size_hw)
    np.testing.assert_allclose(focal, k_px[0, :, 0, 0], rtol=1e-4)


@pytest.mark.parametrize("preset", ["da3-small", "da3metric-large", "da3mono-large"])
def test_depth_anything_3_of_its_package(
    preset: str, tmp_path: Path, rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "needs depth-anything-3: " + networks._INSTALL["depth_anything_3"]
    cfg = pytest.importorskip("depth_anything_3.cfg", reason=reason)
    from depth_anything_3.registry import MODEL_REGISTRY
    from omegaconf import OmegaConf

    described = cfg.load_config(MODEL_REGISTRY[preset])
    described.head.features, described.head.out_channels = 16, [8, 8, 16, 16]
    if preset != "da3-small":
        described.net.name, described.net.out_layers, described.head.dim_in = "vits", [2, 5, 8, 11], 384
    OmegaConf.save(described, tmp_path / "small.yaml")
    monkeypatch.setitem(MODEL_REGISTRY, preset, str(tmp_path / "small.yaml"))
    torch.manual_seed(0)
    whole = cfg.create_object(described)
    liven(whole)
    folder = folder_of(tmp_path, {"model_name": preset}, torch.nn.ModuleDict({"model": whole}))
    monkeypatch.setattr(networks, "da3_layout", partial(da3_layout, side_px=56))
    estimator = load_depth_estimator(folder)
    assert estimator.metric == (preset == "da3metric-large")
    check(estimator, rgb[:4], together=preset == "da3-small")


def test_an_unknown_preset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model_name among da3-small, .* got 'da3nested-giant-large'"):
        load_depth_estimator(folder_of(tmp_path, {"model_name": "da3nested-giant-large"}))
