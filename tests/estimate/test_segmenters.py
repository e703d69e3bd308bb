"""Segmenters: tiny ones of every family with random weights are saved, loaded back, and shown boxes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_cli import refused
from tiny_segmenters import SIDE, save_sam, save_sam2

from video3d.estimate.segmenters import Masked, load_seeing, load_segmenter, with_masks, without_masks
from video3d.pipeline import load
from video3d.types import InputError
from video3d.types.detector import EMBEDDED, SeenBox, SeenMask, Segmenter

MAKERS = {
    "sam": save_sam,
    "sam_hq": lambda to: save_sam(to, high_quality=True),
    "sam2": save_sam2,
    "sam2_video": lambda to: save_sam2(to, model_type="sam2_video"),
}
HW = (40, 60)
BOXES = ((5.0, 5.0, 30.0, 30.0), (20.0, 10.0, 50.0, 39.0), (2.0, 3.0, 18.0, 19.0))
SEEN = tuple(
    SeenBox(frame=frame, label=f"{frame} {i}", score=0.5, box_px=box) for frame in (2, 0) for i, box in enumerate(BOXES)
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.manual_seed(5)
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, size=(3, *HW, 3), dtype=np.uint8)


def whole(mask: SeenMask | None) -> np.ndarray:
    shows = np.zeros(HW, bool)
    if mask is not None:
        rows, columns = mask.shows.shape
        shows[mask.top : mask.top + rows, mask.left : mask.left + columns] = mask.shows
    return shows


@pytest.mark.parametrize("family", MAKERS)
def test_every_family_loads_and_gives_boxes_masks(saved, rgb, family):
    segmenter = load_segmenter(str(saved[family]))
    assert isinstance(segmenter, Segmenter) and segmenter.name == str(saved[family])
    assert load_segmenter(str(saved[family])) is segmenter
    masked = segmenter(rgb, SEEN)
    assert masked == SEEN  # all but the masks is as it was, in its order
    for one in masked:
        if one.mask is None:
            continue
        assert (
            one.mask.shows.dtype == bool
            and one.mask.shows.any(0)[[0, -1]].all()
            and one.mask.shows.any(1)[[0, -1]].all()
        )
        left, top, right, bottom = one.mask.box_px
        assert 0 <= left < right <= HW[1] and 0 <= top < bottom <= HW[0]
        own = np.array(one.box_px)
        more = 0.25 * np.tile(own[2:] - own[:2], 2) * (-1, -1, 1, 1)
        assert (np.array([left, top]) > (own + more)[:2] - 1).all() and (
            np.array([right, bottom]) < (own + more)[2:] + 1
        ).all()
    assert sum(one.mask is not None for one in masked) >= 3
    assert segmenter(rgb, ()) == ()


@pytest.mark.parametrize("family", MAKERS)
def test_equal_input_gives_equal_masks_and_other_boxes_do_not_matter(saved, rgb, family):
    segmenter = load_segmenter(str(saved[family]))
    masks = [whole(one.mask) for one in segmenter(rgb, SEEN)]
    assert all((a == whole(b.mask)).all() for a, b in zip(masks, segmenter(rgb, SEEN), strict=True))
    backwards = segmenter(rgb, SEEN[::-1])
    for own, one in zip(masks[::-1], backwards, strict=True):
        assert (own != whole(one.mask)).mean() < 0.01  # sums of floats may be made in another order
    many = segmenter(rgb, SEEN * 7)  # more of a frame than are shown at once
    assert all((masks[i % 6] != whole(one.mask)).mean() < 0.01 for i, one in enumerate(many))


@pytest.mark.parametrize("family", MAKERS)
def test_a_frame_is_looked_at_once_and_one_without_boxes_not_at_all(saved, rgb, family):
    segmenter = load_segmenter(str(saved[family]))
    looked = []
    handle = segmenter.model.vision_encoder.register_forward_pre_hook(lambda *_: looked.append(1))
    segmenter(rgb, SEEN * 7)
    handle.remove()
    assert len(looked) == 2


@pytest.mark.parametrize("family", ["sam", "sam_hq"])
def test_masks_are_the_best_of_the_library_s(saved, rgb, family):
    segmenter = load_segmenter(str(saved[family]))
    processor = segmenter.pictures.processor
    inputs = processor(Image.fromarray(rgb[0]), input_boxes=[[list(box) for box in BOXES]], return_tensors="pt")
    inputs["input_boxes"] = inputs["input_boxes"].float()
    sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
    with torch.no_grad():
        said = segmenter.model(**inputs)
    [theirs] = processor.post_process_masks(said.pred_masks, *sizes)
    check_masks(segmenter(rgb[:1], [replace(one, frame=0) for one in SEEN[:3]]), theirs, said)


@pytest.mark.parametrize("family", ["sam2", "sam2_video"])
def test_masks_of_sam2_are_the_best_of_the_network_s(saved, rgb, family):
    segmenter = load_segmenter(str(saved[family]))
    small = np.array(Image.fromarray(rgb[0]).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    pixels = torch.from_numpy(small).permute(2, 0, 1)[None] / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    pixels = pixels / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    made = segmenter.pictures(rgb[0], np.array(BOXES))
    assert (made["pixel_values"] - pixels).abs().max() < 1.01 / 255 / 0.224  # one step of grey: rounded elsewhere
    boxes = torch.tensor(BOXES)[None] * torch.tensor([SIDE / 60, SIDE / 40] * 2)
    with torch.no_grad():
        said = segmenter.model(pixel_values=made["pixel_values"], input_boxes=boxes)
    theirs = torch.nn.functional.interpolate(said.pred_masks[0], HW, mode="bilinear") > 0
    check_masks(segmenter(rgb[:1], [replace(one, frame=0) for one in SEEN[:3]]), theirs, said)


def check_masks(ours, theirs, said):
    for one, masks, score in zip(ours, theirs.numpy(), said.iou_scores[0].numpy(), strict=True):
        left, top, right, bottom = np.array(one.box_px)
        y, x = np.mgrid[: HW[0], : HW[1]] + 0.5
        around = 0.25 * (right - left), 0.25 * (bottom - top)
        near = (abs(x - (left + right) / 2) < (right - left) / 2 + around[0]) & (
            abs(y - (top + bottom) / 2) < (bottom - top) / 2 + around[1]
        )
        assert (whole(one.mask) != (masks[score.argmax()] & near)).mean() < 0.01


def test_a_mask_of_nothing_is_none_and_one_of_a_frame_is_cut_to_its_window():
    shows = np.zeros(HW, bool)
    assert SeenMask.of(shows) is None
    shows[3:7, 10] = shows[5, 10:14] = True
    mask = SeenMask.of(shows)
    assert (mask.top, mask.left, mask.shows.shape, mask.box_px) == (3, 10, (4, 4), (10.0, 3.0, 14.0, 7.0))
    assert (whole(mask) == shows).all()
    shows[:] = False
    assert mask.shows.sum() == 7  # its own, whatever becomes of the frame's
    with_one, other = replace(SEEN[0], mask=mask), replace(SEEN[0], mask=SeenMask.of(~shows))
    assert with_one == other == SEEN[0] and len({with_one, other, SEEN[0]}) == 1


class SeesCorners:
    name, most_frames = "sees-corners", 3

    def __call__(self, rgb, names):
        return tuple(SeenBox(frame=i, label=names[0], score=0.7, box_px=BOXES[0]) for i in range(len(rgb)))


class SeesNothing(SeesCorners):
    def __call__(self, rgb, names):
        return ()


def test_a_detector_with_masks_is_a_detector(saved, rgb):
    detector = with_masks(SeesCorners(), str(saved["sam2"]))
    assert isinstance(detector, Masked) and detector.most_frames == 3
    assert detector.name == f"sees-corners with masks of {saved['sam2']}"
    assert detector(rgb, ["cup"]) == SeesCorners()(rgb, ["cup"])
    assert any(one.mask is not None for one in detector(rgb, ["cup"]))
    assert with_masks(SeesNothing(), str(saved["sam2"]))(rgb, ["cup"]) == ()
    alone = SeesCorners()
    assert with_masks(alone, "none") is alone and without_masks(detector).name == "sees-corners"
    assert without_masks(alone) is alone and without_masks(None) is None


def test_an_engine_has_masks_where_a_segmenter_is_named(saved):
    engine = load(segmenter=str(saved["sam"]))
    assert isinstance(engine.detector, Masked) and engine.detector.detector.name == EMBEDDED
    assert load().detector is load_seeing(EMBEDDED, "none") and load(detector="none").detector is None
    with pytest.raises(InputError, match=r"expected a detector, whose boxes a segmenter is shown, got detector none"):
        load(detector="none", segmenter=str(saved["sam"]))


def test_what_cannot_be_used_is_one_clear_line(tmp_path, saved, capsys):
    for verb in (["analyze", "nowhere"], ["ask", "nowhere", "what is this?"], ["ground", "nowhere", "cup"]):
        line = refused([*verb, "--segmenter", "no/such/model/here"], capsys)
        assert "expected a directory or a hub name OWNER/NAME of a segmenter that boxes are shown to" in line
    for verb in (["analyze", "nowhere"], ["ask", "nowhere", "what is this?"]):
        line = refused([*verb, "--segmenter", saved["sam"], "--detector", "none"], capsys)
        assert "expected a detector, whose boxes a segmenter is shown, got detector none" in line
    assert "the processor's files and safetensors weights" in refused(
        ["analyze", "nowhere", "--segmenter", tmp_path], capsys
    )
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(
        InputError, match=r"expected a model of type sam, sam_hq, sam2, sam2_video, got model_type 'bert'"
    ):
        load_segmenter(str(tmp_path))


@pytest.mark.parametrize("family", ["sam", "sam2"])
def test_missing_files_and_layers_and_pickles_are_refused(tmp_path, family, capsys):
    from safetensors.torch import load_file, save_file

    folder = MAKERS[family](tmp_path)
    capsys.readouterr()
    weights = load_file(folder / "model.safetensors")
    left_out = next(key for key in weights if key.startswith("mask_decoder.iou_token"))
    save_file({k: v for k, v in weights.items() if k != left_out}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=rf"expected weights for every layer, got 1 missing, the first {left_out}"):
        load_segmenter(str(folder))
    assert capsys.readouterr() == ("", "")
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="safetensors weights of a segmenter"):
        load_segmenter(str(folder))
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors weights of a segmenter"):
        load_segmenter(str(folder))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    load_segmenter.cache_clear()
    assert load_segmenter(str(folder)).name == str(folder)
    load_segmenter.cache_clear()
    for name in ("processor_config.json", "preprocessor_config.json"):
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(InputError, match="save both model and processor there"):
        load_segmenter(str(folder))
