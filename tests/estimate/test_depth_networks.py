"""Depth networks: tiny random-weight models of every family are saved, loaded back and run through the protocol."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BeitConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProConfig,
    DepthProForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
    ZoeDepthConfig,
    ZoeDepthForDepthEstimation,
)
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.zoedepth.image_processing_pil_zoedepth import ZoeDepthImageProcessorPil

from video3d.estimate import load_depth_estimator
from video3d.estimate.depth_networks import FAMILIES, FramePreparation, zoe_padding
from video3d.types import InputError
from video3d.types.depth import DepthEstimator

HW = (48, 60)


def tiny_dpt() -> tuple[torch.nn.Module, dict]:
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    settings = {"size": {"height": 32, "width": 32}, "ensure_multiple_of": 16, "keep_aspect_ratio": False}
    return DPTForDepthEstimation(config), {"image_processor_type": "DPTImageProcessor", "resample": 3, **settings}


def tiny_depth_anything(kind: str = "relative", max_depth: int = 1) -> tuple[torch.nn.Module, dict]:
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=28, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8,
        head_hidden_size=4, depth_estimation_type=kind, max_depth=max_depth,
    )  # fmt: skip
    settings = {"size": {"height": 28, "width": 28}, "ensure_multiple_of": 14, "keep_aspect_ratio": True, "resample": 3}
    return DepthAnythingForDepthEstimation(config), {"image_processor_type": "DPTImageProcessor", **settings}


def tiny_zoe() -> tuple[torch.nn.Module, dict]:
    backbone = BeitConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=64, patch_size=16,
        use_relative_position_bias=True, reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = ZoeDepthConfig(
        backbone_config=backbone, neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8, num_relative_features=4,
        bottleneck_features=8, bin_embedding_dim=8,
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )  # fmt: skip
    settings = {"size": {"height": 64, "width": 64}, "ensure_multiple_of": 32, "keep_aspect_ratio": True, "resample": 2}
    return ZoeDepthForDepthEstimation(config), {
        "image_processor_type": "ZoeDepthImageProcessor",
        "do_pad": True,
        **settings,
    }


def tiny_depth_pro(with_fov: bool = True) -> tuple[torch.nn.Module, dict]:
    vit = {
        "model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "image_size": 16, "patch_size": 4,
    }  # fmt: skip
    config = DepthProConfig(
        patch_size=16, fusion_hidden_size=8, intermediate_hook_ids=[1, 0], intermediate_feature_dims=[8, 8],
        scaled_images_feature_dims=[8, 8, 8], merge_padding_value=1, use_fov_model=with_fov, num_fov_head_layers=0,
        image_model_config=dict(vit), patch_model_config=dict(vit), fov_model_config=dict(vit),
    )  # fmt: skip
    settings = {"size": {"height": 64, "width": 64}, "resample": 2}
    return DepthProForDepthEstimation(config), {"image_processor_type": "DepthProImageProcessor", **settings}


MAKERS = {
    "dpt": tiny_dpt,
    "depth_anything": tiny_depth_anything,
    "depth_anything_metric": lambda: tiny_depth_anything("metric", 20),
    "zoedepth": tiny_zoe,
    "depth_pro": tiny_depth_pro,
}


def save(folder: Path, model: torch.nn.Module, settings: dict) -> Path:
    model.save_pretrained(folder)
    common = {"do_resize": True, "do_rescale": True, "do_normalize": True, "image_mean": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps({**common, "image_std": [0.5] * 3, **settings}))
    return folder


def liven(model: torch.nn.Module) -> None:
    """Fresh initialisation is so small that the output hardly depends on the picture: make it depend."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.normal_(0, 0.7 / weight[0].numel() ** 0.5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, make in MAKERS.items():
        torch.manual_seed(3)
        model, settings = make()
        liven(model)
        if name == "depth_pro":  # a random head says 0 degrees: give it a field of view in the middle of its range
            with torch.no_grad():
                model.fov_model.head.layers[-1].weight.mul_(0.01)
                model.fov_model.head.layers[-1].bias.fill_(60.0)
        folders[name] = save(tmp_path_factory.mktemp(name), model, settings)
    return folders


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, size=(5, *HW, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dpt", "inverse_depth"),
        ("depth_anything", "inverse_depth"),
        ("depth_anything_metric", "metric_depth"),
        ("zoedepth", "metric_depth"),
        ("depth_pro", "metric_depth"),
    ],
)
def test_every_family_loads_and_gives_its_kind_at_the_frames_size(
    saved: dict[str, Path], rgb: np.ndarray, name: str, kind: str
) -> None:
    estimator = load_depth_estimator(saved[name])
    assert isinstance(estimator, DepthEstimator)
    first = estimator(rgb)
    assert first.kind == kind
    assert estimator.metric == (kind == "metric_depth")
    assert first.values.shape == (5, *HW)
    assert first.values.dtype == np.float32
    assert np.isfinite(first.values).all()
    assert first.values.std() > 1e-4 * first.values.mean()  # it looks at the picture
    if kind == "metric_depth":
        assert (first.values > 0).all()
    again = load_depth_estimator(str(saved[name]))(rgb)
    np.testing.assert_array_equal(first.values, again.values)


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_frame_gets_the_same_depth_alone_as_in_a_batch(
    saved: dict[str, Path], rgb: np.ndarray, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = load_depth_estimator(saved[name])
    together = estimator(rgb).values
    monkeypatch.setattr("video3d.estimate.depth_networks.BATCH_PX", 1)
    np.testing.assert_allclose(estimator(rgb).values, together, rtol=2e-4, atol=1e-6)


def test_depth_anything_metric_stays_below_its_largest_depth(saved: dict[str, Path], rgb: np.ndarray) -> None:
    assert load_depth_estimator(saved["depth_anything_metric"])(rgb).values.max() <= 20


def test_bfloat16_agrees_with_float32_to_two_digits(saved: dict[str, Path], rgb: np.ndarray) -> None:
    exact = load_depth_estimator(saved["depth_anything_metric"])(rgb).values
    fast = load_depth_estimator(saved["depth_anything_metric"], dtype="bfloat16")(rgb)
    assert fast.values.dtype == np.float32
    np.testing.assert_allclose(fast.values, exact, rtol=0.05)


def test_flip_makes_depth_equivariant_to_mirroring(saved: dict[str, Path], rgb: np.ndarray) -> None:
    estimator = load_depth_estimator(saved["zoedepth"])  # its family averages with the mirrored frame
    mirrored = estimator(rgb[:, :, ::-1].copy()).values[:, :, ::-1]
    np.testing.assert_allclose(estimator(rgb).values, mirrored, rtol=1e-5)
    plain = load_depth_estimator(saved["zoedepth"], flip=False)
    assert not np.allclose(plain(rgb).values, plain(rgb[:, :, ::-1].copy()).values[:, :, ::-1], rtol=1e-5)


def test_depth_pro_scales_with_a_given_focal_length_and_estimates_its_own(
    saved: dict[str, Path], rgb: np.ndarray
) -> None:
    estimator = load_depth_estimator(saved["depth_pro"])
    own = estimator(rgb)
    assert own.focal_px is not None
    k_px = np.broadcast_to(np.eye(3), (5, 3, 3)).copy()
    k_px[:, 0, 0] = 2 * own.focal_px
    k_px[4] = np.nan  # unknown: this frame keeps the network's own focal length
    given = estimator(rgb, k_px).values
    far = own.values[:4] > 4000  # inverse depth is bounded: 10 km is the sky
    assert far.mean() < 0.9
    np.testing.assert_allclose(given[:4][~far], 2 * own.values[:4][~far], rtol=1e-4)
    np.testing.assert_allclose(given[4], own.values[4], rtol=1e-4)


def test_depth_pro_without_a_focal_length_says_nothing(tmp_path: Path, rgb: np.ndarray) -> None:
    estimator = load_depth_estimator(save(tmp_path, *tiny_depth_pro(with_fov=False)))
    assert np.isnan(estimator(rgb).values).all()
    assert np.isfinite(estimator(rgb, np.broadcast_to(50 * np.eye(3), (5, 3, 3)).copy()).values).all()


@pytest.mark.parametrize("hw", [(48, 60), (61, 33), (240, 320)])
def test_frames_are_prepared_as_by_the_image_processors_of_transformers(rng: np.random.Generator, hw: tuple) -> None:
    smooth = rng.random((1, 3, 6, 8))
    frame = torch.nn.functional.interpolate(torch.from_numpy(smooth), size=hw, mode="bicubic").clamp(0, 1)
    rgb = (frame[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    common = {"size": {"height": 70, "width": 84}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    for family, theirs, tolerance in [
        ("dpt", DPTImageProcessorPil(resample=3, **common), 0.02),  # Pillow rounds to 8 bits: 1/255 over std 0.5
        ("zoedepth", ZoeDepthImageProcessorPil(resample=2, **common), 1e-5),
    ]:
        expected = theirs(images=rgb, return_tensors="pt")["pixel_values"]
        preparation = FramePreparation.from_settings(theirs.to_dict(), name=family)
        ours = FAMILIES[family].prepare(preparation, pixels)
        assert ours.shape == expected.shape
        assert (ours - expected).abs().max() < tolerance


def test_zoe_padding_comes_off_where_it_was_put_on() -> None:
    h, w = 48, 60
    pad_h, pad_w = zoe_padding((h, w))
    ramp = torch.arange(w).float().expand(1, 3, h, w) / w
    preparation = FramePreparation(
        size_hw=(128, 160), keep_aspect=False, multiple=1, mode="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3
    )
    inputs = FAMILIES["zoedepth"].prepare(preparation, ramp)

    class Output:
        predicted_depth = inputs[:, 0]

    back, _ = FAMILIES["zoedepth"].finish(Output, (h, w), torch.tensor([torch.nan]))
    assert (pad_h, pad_w) == (14, 16)
    assert (back[0] - ramp[0, 0]).abs().max() < 0.001


def test_unusable_models_are_named_with_what_to_do(tmp_path: Path, saved: dict[str, Path]) -> None:
    with pytest.raises(InputError, match=r"no/such/model: expected a directory or a hub name"):
        load_depth_estimator("no/such/model")
    with pytest.raises(InputError, match=r"\.\./escape: expected a directory"):
        load_depth_estimator("../escape")
    with pytest.raises(InputError, match="save both model and image processor"):
        load_depth_estimator(tmp_path)
    with pytest.raises(InputError, match="dtype: expected float32 or bfloat16, got int8"):
        load_depth_estimator(saved["dpt"], dtype="int8")
    with pytest.raises(InputError, match="device: expected one that torch has here"):
        load_depth_estimator(saved["dpt"], device="nowhere")


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(InputError, match="expected a model of type depth_anything, depth_pro, dpt, zoedepth"):
        load_depth_estimator(tmp_path)


def test_a_hub_name_without_network_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nowhere(*args: object) -> None:
        raise OSError("no name server")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(InputError) as caught:
        load_depth_estimator("nobody-here/no-such-depth-network")
    assert str(caught.value).startswith("nobody-here/no-such-depth-network: expected a depth network with safetensors")
    assert "\n" not in str(caught.value)


def test_pickled_weights_and_missing_layers_are_refused(tmp_path: Path) -> None:
    model, settings = tiny_dpt()
    folder = save(tmp_path / "pickled", model, settings)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        load_depth_estimator(folder)

    from safetensors.torch import load_file, save_file

    folder = save(tmp_path / "incomplete", model, settings)
    weights = load_file(folder / "model.safetensors")
    left_out = next(key for key in weights if key.startswith("head."))
    save_file({k: v for k, v in weights.items() if k != left_out}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=rf"expected weights for every layer, got 1 missing, the first {left_out}"):
        load_depth_estimator(folder)

    # Released MiDaS checkpoints lack a unit that nothing feeds.
    unused = [key for key in weights if "fusion_stage.layers.0.residual_layer1" in key]
    assert unused
    save_file({k: v for k, v in weights.items() if k not in unused}, folder / "model.safetensors", {"format": "pt"})
    assert load_depth_estimator(folder).metric is False


def test_settings_that_would_be_ignored_are_refused(tmp_path: Path) -> None:
    model, settings = tiny_dpt()
    with pytest.raises(InputError, match="expected a usual do_resize, got False"):
        load_depth_estimator(save(tmp_path, model, {**settings, "do_resize": False}))


def test_the_licence_comes_from_the_card(tmp_path: Path) -> None:
    folder = save(tmp_path, *tiny_dpt())
    assert load_depth_estimator(folder).licence == "unknown"
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: depth-terms\n---\n")
    assert load_depth_estimator(folder).licence == "depth-terms"
