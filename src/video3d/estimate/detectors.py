"""Detectors by name: the embedded one, and those of ``transformers`` that find things by names of any kind.

All are behind the protocol of ``video3d.types.detector``; the embedded one is ``video3d.estimate.yolo``. Of the others:

| family | asked | a name's score |
|---|---|---|
| owlvit, owlv2 | "a photo of a NAME", as its authors do, all names at once | sigmoid of the box's likeness to the words |
| grounding-dino, mm-grounding-dino | "NAME. NAME.", as many at once as its text may be long | the best of its words |

Minderer et al., "Simple Open-Vocabulary Object Detection with Vision Transformers", 2022, and "Scaling Open-Vocabulary Object
Detection", 2023; Liu et al., "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object Detection", 2023.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64, UInt8

from video3d.estimate.hub import check_complete, config_of, folder_or_hub, unusable
from video3d.quiet import quiet
from video3d.types import InputError
from video3d.types.detector import EMBEDDED, Detector, SeenBox

LEAST_SCORE = {"owlvit": 0.1, "owlv2": 0.2, "grounding-dino": 0.3, "mm-grounding-dino": 0.3}
"""Score from which a box counts, by family: each has a scale of its own, and these are of the order that its authors use."""
_WHAT = "a zero-shot object detector"
_TWIN_IOU = 0.5  # two boxes of one name that share more are of one thing
_SAME_IOU = 0.8  # and so are two of any names
_MOST = 50  # boxes a frame
_LEAST_PX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDetector:
    """A loaded network as a Detector.

    Attributes:
        name: by which the user knows it.
        model: the network.
        processor: of its pictures and words.
        least: score from which a box counts.
        most_words: of a text, in tokens.
        most_frames: of a clip that are worth its time: each takes seconds on a CPU.
    """

    name: str
    model: Any
    processor: Any
    least: float
    most_words: int
    most_frames: int = 8

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], names: Sequence[str]) -> tuple[SeenBox, ...]:
        """What of the names is in each frame, the surest of a frame first."""
        dino = "dino" in self.model.config.model_type
        names = [name for name in names if _plain(name)]
        if not names:
            return ()
        return tuple(
            seen
            for frame, picture in enumerate(rgb)
            for seen in self._frame(frame, picture, [_plain(name) for name in names], names, dino)
        )

    def _frame(
        self, frame: int, picture: UInt8[np.ndarray, "h w 3"], asked: list[str], names: Sequence[str], dino: bool
    ) -> Iterator[SeenBox]:
        found = (
            [self._dino(picture, asked, part) for part in self._parts(asked)] if dino else [self._owl(picture, asked)]
        )
        boxes, scores = np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])
        height, width = picture.shape[:2]
        side = np.array([width, height] * 2, np.float64)
        # OWLv2 pads pictures to a square, to the right and below, and its boxes are shares of that.
        boxes = np.clip(boxes * (side.max() if self.model.config.model_type == "owlv2" else side), 0, side)
        best, score = scores.argmax(1), scores.max(1)
        keep = (score >= self.least) & (boxes[:, 2:] - boxes[:, :2] >= _LEAST_PX).all(1)
        boxes, best, score = boxes[keep], best[keep], score[keep]
        for i in without_twins(boxes, score, best)[:_MOST]:
            left, top, right, bottom = (float(value) for value in boxes[i])
            yield SeenBox(
                frame=frame, label=names[int(best[i])], score=float(score[i]), box_px=(left, top, right, bottom)
            )

    def _forward(self, picture: UInt8[np.ndarray, "h w 3"], text: Any) -> tuple[Any, Any]:
        import torch
        from PIL import Image

        inputs = self.processor(
            images=Image.fromarray(picture), text=text, return_tensors="pt", truncation=True, max_length=self.most_words
        )
        with torch.inference_mode():
            return inputs, self.model(**inputs.to(self.model.device))

    def _owl(
        self, picture: UInt8[np.ndarray, "h w 3"], asked: list[str]
    ) -> tuple[Float64[np.ndarray, "q 4"], Float[np.ndarray, "q k"]]:
        """Boxes as shares of the picture's sides, and the score of every name."""
        _, said = self._forward(picture, [[f"a photo of a {name}" for name in asked]])
        return _corners(said), said.logits[0].float().sigmoid().cpu().numpy()

    def _parts(self, asked: list[str]) -> list[tuple[int, ...]]:
        """The names in parts that are short enough to be asked at once."""
        parts: list[tuple[int, ...]] = [()]
        room = most = self.most_words - 2  # but for what begins and ends a text
        for i, name in enumerate(asked):
            words = len(self.processor.tokenizer(name, add_special_tokens=False)["input_ids"]) + 1
            if words > room and parts[-1]:
                parts, room = [*parts, ()], most
            parts[-1], room = (*parts[-1], i), room - words
        return parts

    def _dino(
        self, picture: UInt8[np.ndarray, "h w 3"], asked: list[str], part: tuple[int, ...]
    ) -> tuple[Float64[np.ndarray, "q 4"], Float[np.ndarray, "q k"]]:
        """The same, of a part of the names; 0 for all others."""
        inputs, said = self._forward(picture, ". ".join(asked[i] for i in part) + ".")
        words = said.logits[0].float().sigmoid().cpu().numpy()
        scores = np.zeros((len(words), len(asked)), words.dtype)
        stop = self.processor.tokenizer.convert_tokens_to_ids(".")
        special = set(self.processor.tokenizer.all_special_ids)
        for i, own in zip(part, _spans(inputs["input_ids"][0].tolist(), stop, special), strict=False):
            if own:
                scores[:, i] = words[:, own].max(1)
        return _corners(said), scores


@lru_cache(maxsize=1)
def load_detector(name: str, *, device: str | None = None) -> Detector:
    """Load the embedded detector, or a zero-shot one that ``transformers`` knows, from a directory or the hub; the last one is kept.

    Supported are the model types ``owlvit``, ``owlv2``, ``grounding-dino`` and ``mm-grounding-dino``. The directory holds
    ``config.json``, the processor's files and weights as safetensors; pickled weights are refused. The hub is asked only here, and
    only because the user named one of its models; a model in the local cache needs no network.

    Args:
        name: ``yolov4-tiny``, which comes with the package, ``OWNER/NAME`` on the hub, or a directory.
        device: of the others, ``cpu``, ``cuda``, ...; by default a GPU where there is one.

    Raises:
        InputError: the name is neither, the model is of another type, its files are absent, broken or incomplete.

    >>> load_detector("no such model")
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: no such model: expected yolov4-tiny, none, a directory, or a hub name OWNER/NAME of ...
    """
    if name == EMBEDDED:
        from video3d.estimate.yolo import load_yolo

        return load_yolo()
    if "/" not in name and not Path(name).exists():  # hub names of such networks have an owner
        raise InputError(
            name if name.strip() else repr(name),
            expected=f"{EMBEDDED}, none, a directory, or a hub name OWNER/NAME of {_WHAT}",
            got="none of these",
        )
    local, offline = folder_or_hub(name, what=_WHAT, example="google/owlv2-base-patch16-ensemble")
    files = "the processor's files"
    import torch
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    safe = {"local_files_only": offline, "trust_remote_code": False}
    config = config_of(name, LEAST_SCORE, local=local, offline=offline, what=_WHAT, files=files)
    try:
        with quiet():
            processor = AutoProcessor.from_pretrained(name, **safe)
            model, info = AutoModelForZeroShotObjectDetection.from_pretrained(
                name, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safe
            )
    except Exception as error:  # missing file, wrong shapes, broken safetensors: each has an exception of its own
        raise unusable(name, local, error, what=_WHAT, files=files) from error
    check_complete(name, sorted(info["missing_keys"]))
    words, known = config.text_config.vocab_size, len(processor.tokenizer)
    if known < 0.9 * words:  # without its files a tokenizer is made all the same, and reads nothing
        raise InputError(
            name,
            expected=f"a tokenizer of {words} words",
            got=f"one of {known}",
            do="save both model and processor there with save_pretrained",
        )
    model = model.eval().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    most = config.max_text_len if "dino" in config.model_type else config.text_config.max_position_embeddings
    return NetworkDetector(
        name=name, model=model, processor=processor, least=LEAST_SCORE[config.model_type], most_words=most
    )


def without_twins(
    boxes: Float64[np.ndarray, "n 4"], score: Float[np.ndarray, "n"], label: Int64[np.ndarray, "n"]
) -> list[int]:
    """Boxes (left, top, right, bottom), the surest first, without those that a surer one of their name, or nearly of their place, has.

    >>> boxes = np.array([[0.0, 0, 10, 10], [1, 1, 10, 10], [1, 1, 10, 10], [20, 0, 30, 10]])
    >>> without_twins(boxes, np.array([0.5, 0.9, 0.2, 0.1]), np.array([0, 0, 1, 0]))
    [1, 3]
    """
    kept: list[int] = []
    for i in np.lexsort((np.arange(len(score)), -score)).tolist():
        shared = _iou(boxes[i], boxes[kept])
        if not (shared > np.where(label[kept] == label[i], _TWIN_IOU, _SAME_IOU)).any():
            kept.append(i)
    return kept


def _iou(box: Float64[np.ndarray, "4"], boxes: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n"]:
    inside = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.clip(inside, 0, None).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return shared / np.maximum(areas - shared, 1e-12)


def _plain(name: str) -> str:
    """A name as networks read it: in lower case, without what would end it."""
    return " ".join(re.sub(r"[.?!,;:]", " ", name.casefold()).split())


def _corners(said: Any) -> Float64[np.ndarray, "q 4"]:
    """Boxes from their middles and sides."""
    boxes = said.pred_boxes[0].double().cpu().numpy()
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _spans(ids: list[int], stop: int, special: set[int]) -> list[list[int]]:
    """Where the words of every name stand in a text in which each ends with a full stop.

    A name of which nothing is left has an empty span, so that the others keep their places.

    >>> _spans([101, 7, 8, 12, 12, 9, 12, 102], 12, {101, 102})
    [[1, 2], [], [5]]
    """
    spans: list[list[int]] = [[]]
    for at, word in enumerate(ids):
        if word == stop:
            spans.append([])
        elif word not in special:
            spans[-1].append(at)
    return spans[:-1]
