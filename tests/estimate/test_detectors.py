"""Open-vocabulary detectors: tiny ones of every family with random weights are saved, loaded back, and asked."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_cli import refused
from tiny_detectors import save_dino, save_owl

from video3d.estimate.detectors import load_detector
from video3d.types import InputError
from video3d.types.detector import Detector

NAMES = ("red chair", "cup", "Espresso machine")
MAKERS = {"owlvit": lambda to: save_owl(to, 1), "owlv2": lambda to: save_owl(to, 2), "grounding-dino": save_dino}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.manual_seed(5)
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, size=(2, 40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("family", MAKERS)
def test_every_family_loads_and_finds_names_in_frames(saved, rgb, family):
    detector = load_detector(str(saved[family]))
    assert isinstance(detector, Detector) and detector.name == str(saved[family]) and detector.most_frames == 8
    assert load_detector(str(saved[family])) is detector
    all_of = replace(detector, least=0.0)(rgb, NAMES)
    assert {one.frame for one in all_of} == {0, 1} and {one.label for one in all_of} <= set(NAMES)
    for one in all_of:
        left, top, right, bottom = one.box_px
        assert 0 <= left < right <= 60 and 0 <= top < bottom <= 40 and 0 <= one.score <= 1
    assert replace(detector, least=0.0)(rgb, NAMES) == all_of
    between = float(np.median([one.score for one in all_of]))
    assert replace(detector, least=between)(rgb, NAMES) == tuple(one for one in all_of if one.score >= between)


@pytest.mark.parametrize("family", MAKERS)
def test_scores_and_boxes_are_those_of_the_library(saved, rgb, family):
    detector = replace(load_detector(str(saved[family])), least=0.0)
    dino = "dino" in family
    text = "cup." if dino else [["a photo of a cup"]]
    inputs = detector.processor(images=Image.fromarray(rgb[0]), text=text, return_tensors="pt", truncation=True)
    with torch.no_grad():
        said = detector.model(**inputs)
    if dino:  # it counts the full stop and the ends among the words
        said.logits[..., [0, *range(inputs["input_ids"].shape[1] - 2, said.logits.shape[-1])]] = -torch.inf
    [theirs] = detector.processor.post_process_grounded_object_detection(said, threshold=0.0, target_sizes=[(40, 60)])
    clipped = np.clip(theirs["boxes"].numpy(), 0, [60, 40, 60, 40])
    inside = (clipped[:, 2:] - clipped[:, :2] >= 2).all(1)  # what lies in the padding is no box in the picture
    best = int(np.where(inside, theirs["scores"].numpy(), -1).argmax())
    ours = detector(rgb[:1], ("cup",))[0]
    assert ours.score == pytest.approx(float(theirs["scores"][best]), abs=1e-5)
    assert ours.box_px == pytest.approx(tuple(clipped[best]), abs=1e-2)


@pytest.mark.parametrize("family", MAKERS)
def test_names_of_which_nothing_is_left_are_not_asked_for(saved, rgb, family):
    detector = replace(load_detector(str(saved[family])), least=0.0)
    assert detector(rgb, ["?!", " . "]) == ()
    alone = detector(rgb, ["cup"])
    assert alone and detector(rgb, ["?!", "cup"]) == alone


def test_more_names_than_a_text_may_hold_are_asked_in_parts(tmp_path, saved, rgb):
    torch.manual_seed(5)
    detector = replace(load_detector(str(save_dino(tmp_path, most_words=14))), least=0.0)
    assert {one.label for one in detector(rgb, NAMES)} <= set(NAMES)
    assert [one.label for one in detector(rgb, ("cup",))] == ["cup"] * len(detector(rgb, ("cup",)))


def test_what_cannot_be_used_is_one_clear_line(tmp_path, saved, capsys):
    for what, words in (
        ("no/such/model/here", "expected a directory or a hub name OWNER/NAME of a zero-shot object detector"),
        (tmp_path, "the processor's files and safetensors weights"),
    ):
        assert words in refused(["analyze", "nowhere", "--detector", what], capsys)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    line = refused(["analyze", "nowhere", "--detector", tmp_path], capsys)
    assert "expected a model of type owlvit, owlv2, grounding-dino, mm-grounding-dino, got model_type 'bert'" in line
    assert "goal" in refused(["view", "nowhere", "--task", "navigation", "--goal", "", "--web"], capsys)


def test_missing_files_and_layers_are_refused(tmp_path, saved, capsys):
    from safetensors.torch import load_file, save_file

    folder = save_owl(tmp_path / "owl", 2)
    capsys.readouterr()
    weights = load_file(folder / "model.safetensors")
    left_out = next(key for key in weights if key.startswith("class_head."))
    save_file({k: v for k, v in weights.items() if k != left_out}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=rf"expected weights for every layer, got 1 missing, the first {left_out}"):
        load_detector(str(folder))
    assert capsys.readouterr() == ("", "")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors weights of a zero-shot object detector"):
        load_detector(str(folder))
    folder = save_owl(tmp_path / "words", 1)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="save both model and processor there"):
        load_detector(str(folder))
