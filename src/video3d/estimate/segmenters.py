"""Segmenters by name: networks of ``transformers`` that are shown a box and say which pixels of it are its thing's.

All are behind the protocol of ``video3d.types.detector``. A frame is looked at once, whatever the number of its boxes.

| family | |
|---|---|
| sam, sam_hq | Kirillov et al., "Segment Anything", 2023; Ke et al., "Segment Anything in High Quality", 2023 |
| sam2, sam2_video | Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024; of one for videos, the half that looks at pictures |

Of the masks that a network offers for a box the one counts that it believes to be the best.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from video3d.estimate.detectors import load_detector
from video3d.estimate.hub import check_complete, config_of, folder_or_hub, unusable
from video3d.quiet import quiet
from video3d.types import InputError
from video3d.types.detector import Detector, KnowsItsNames, SeenBox, SeenMask, Segmenter

_CLASSES = {"sam": "SamModel", "sam_hq": "SamHQModel", "sam2": "Sam2Model", "sam2_video": "Sam2Model"}
_WHAT = "a segmenter that boxes are shown to"
_FILES = "the processor's files"
_AROUND = 0.25  # of a box's sides: what a mask shows farther from it is none of its thing
_AT_ONCE = 16  # boxes
_NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Masked:
    """A detector whose boxes have a segmenter's masks; itself a Detector."""

    detector: Detector
    segmenter: Segmenter

    @property
    def name(self) -> str:
        """By which the user knows both."""
        return f"{self.detector.name} with masks of {self.segmenter.name}"

    @property
    def most_frames(self) -> int:
        """Those of the detector."""
        return self.detector.most_frames

    def knows(self, name: str) -> bool:
        """Whether the detector has a closed list of names, and this is one."""
        return isinstance(self.detector, KnowsItsNames) and self.detector.knows(name)

    def overlooks(self, name: str) -> bool:
        """As the detector does."""
        return isinstance(self.detector, KnowsItsNames) and self.detector.overlooks(name)

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], names: Sequence[str]) -> tuple[SeenBox, ...]:
        """What of the names is in each frame, with masks."""
        seen = self.detector(rgb, names)
        return self.segmenter(rgb, seen) if seen else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSegmenter:
    """A loaded network as a Segmenter.

    Attributes:
        name: by which the user knows it.
        model: the network.
        pictures: makes its input of a picture and boxes in it.
    """

    name: str
    model: Any
    pictures: Any

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], seen: Sequence[SeenBox]) -> tuple[SeenBox, ...]:
        """The boxes in their order, with masks; frames without boxes are not looked at."""
        masks: dict[int, SeenMask | None] = {}
        for frame in sorted({one.frame for one in seen}):
            own = [i for i, one in enumerate(seen) if one.frame == frame]
            boxes = np.array([seen[i].box_px for i in own], np.float64)
            masks |= dict(zip(own, self._masks(rgb[frame], boxes), strict=True))
        return tuple(replace(one, mask=masks[i]) for i, one in enumerate(seen))

    def _masks(
        self, picture: UInt8[np.ndarray, "h w 3"], boxes_px: Float64[np.ndarray, "n 4"]
    ) -> list[SeenMask | None]:
        import torch

        inputs = self.pictures(picture, boxes_px).to(self.model.device)
        prompts = inputs.pop("input_boxes")
        sizes = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes", None)
        found: list[SeenMask | None] = []
        with torch.inference_mode():
            looked = _looked(self.model, inputs["pixel_values"])
            for start in range(0, len(boxes_px), _AT_ONCE):
                said = self.model(**looked, input_boxes=prompts[:, start : start + _AT_ONCE], multimask_output=True)
                best = said.iou_scores[0].argmax(dim=-1)
                logits = said.pred_masks[0, torch.arange(len(best), device=best.device), best].float()
                for box, one in zip(boxes_px[start : start + _AT_ONCE], logits, strict=True):
                    shows = self.pictures.whole(one[None, None], *sizes)[0, 0].cpu().numpy()
                    found.append(SeenMask.of(shows & _near(box, shows.shape)))
        return found


def _looked(model: Any, pixel_values: Any) -> dict[str, Any]:
    """What a network makes of a picture, as it takes it for every box."""
    made = model.get_image_embeddings(pixel_values)
    if model.config.model_type == "sam_hq":
        return {"image_embeddings": made[0], "intermediate_embeddings": made[1]}
    return {"image_embeddings": made}


def _near(box_px: Float64[np.ndarray, "4"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The pixels in a box and some way around it."""
    more = _AROUND * np.tile(box_px[2:] - box_px[:2], 2) * (-1, -1, 1, 1)
    left, top, right, bottom = box_px + more
    y, x = np.arange(size_hw[0]) + 0.5, np.arange(size_hw[1]) + 0.5
    return ((y > top) & (y < bottom))[:, None] & ((x > left) & (x < right))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Padded:
    """Pictures for SAM: as large as fits its square, the rest padded; by the library's processor."""

    processor: Any

    def __call__(self, picture: UInt8[np.ndarray, "h w 3"], boxes_px: Float64[np.ndarray, "n 4"]) -> Any:
        from PIL import Image

        made = self.processor(Image.fromarray(picture), input_boxes=[boxes_px.tolist()], return_tensors="pt")
        made["input_boxes"] = made["input_boxes"].float()
        return made

    def whole(self, logits: Any, size: Any, fitted: Any) -> Any:
        """Masks as large as the picture."""
        return self.processor.post_process_masks([logits], size, fitted)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretched:
    """Pictures for SAM 2: stretched to its square. The library's own processor needs torchvision; this does as it does.

    Attributes:
        side_hw: of the square.
        mean: of the colours.
        std: of them.
    """

    side_hw: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, picture: UInt8[np.ndarray, "h w 3"], boxes_px: Float64[np.ndarray, "n 4"]) -> Any:
        import torch
        from torch.nn.functional import interpolate
        from transformers import BatchFeature

        height, width = picture.shape[:2]
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
        pixels = interpolate(pixels, self.side_hw, mode="bilinear", align_corners=False, antialias=True)
        mean, std = (torch.tensor(one)[:, None, None] for one in (self.mean, self.std))
        pixels = (pixels.round().clamp(0, 255) / 255 - mean) / std
        boxes = boxes_px * np.tile(np.array(self.side_hw[::-1]) / (width, height), 2)
        boxes = torch.from_numpy(boxes)[None].float()
        return BatchFeature(
            {"pixel_values": pixels, "input_boxes": boxes, "original_sizes": torch.tensor([[height, width]])}
        )

    def whole(self, logits: Any, size: Any, fitted: None) -> Any:
        """Masks as large as the picture."""
        from torch.nn.functional import interpolate

        return interpolate(logits, tuple(size[0].tolist()), mode="bilinear", align_corners=False) > 0


@lru_cache(maxsize=1)
def load_segmenter(name: str, *, device: str | None = None) -> Segmenter:
    """Load a segmenter that ``transformers`` knows, from a directory or the hub; the last one is kept.

    Supported are the model types ``sam``, ``sam_hq``, ``sam2`` and ``sam2_video``. The directory holds ``config.json``, the processor's
    files and weights as safetensors; pickled weights are refused. The hub is asked only here, and only because the user named one of
    its models; a model in the local cache needs no network.

    Args:
        name: ``OWNER/NAME`` on the hub, or a directory.
        device: ``cpu``, ``cuda``, ...; by default a GPU where there is one.

    Raises:
        InputError: the name is neither, the model is of another type, its files are absent, broken or incomplete.

    >>> load_segmenter("no such model")
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: no such model: expected a directory or a hub name OWNER/NAME of a segmenter that boxes ...
    """
    local, offline = folder_or_hub(name, what=_WHAT, example="facebook/sam-vit-base")
    import torch
    import transformers

    safe = {"local_files_only": offline, "trust_remote_code": False}
    config = config_of(name, _CLASSES, local=local, offline=offline, what=_WHAT, files=_FILES)
    try:
        with quiet():
            pictures = _pictures(name, config.model_type, safe)
            model, info = getattr(transformers, _CLASSES[config.model_type]).from_pretrained(
                name, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **safe
            )
    except Exception as error:  # missing file, wrong shapes, broken safetensors: each has an exception of its own
        raise unusable(name, local, error, what=_WHAT, files=_FILES) from error
    check_complete(name, sorted(info["missing_keys"]))
    model = model.eval().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return NetworkSegmenter(name=name, model=model, pictures=pictures)


def _pictures(name: str, model_type: str, safe: dict[str, Any]) -> "_Padded | _Stretched":
    """What makes a network's input, as the processor's files say."""
    if not model_type.startswith("sam2"):
        from transformers import AutoProcessor

        return _Padded(processor=AutoProcessor.from_pretrained(name, **safe))
    from transformers.image_processing_base import ImageProcessingMixin

    said, _ = ImageProcessingMixin.get_image_processor_dict(name, local_files_only=safe["local_files_only"])
    side_hw = (int(said["size"]["height"]), int(said["size"]["width"]))
    return _Stretched(side_hw=side_hw, mean=tuple(said["image_mean"]), std=tuple(said["image_std"]))


def with_masks(detector: Detector, segmenter: str) -> Detector:
    """A detector whose boxes have masks, or the detector itself where no segmenter is named.

    Args:
        detector: of things in pictures.
        segmenter: a name as for ``load_segmenter``; ``none``: none is wanted.

    Raises:
        InputError: it cannot be loaded.
    """
    return detector if segmenter == _NONE else Masked(detector=detector, segmenter=load_segmenter(segmenter))


def without_masks(detector: Detector | None) -> Detector | None:
    """The detector alone, for those who look at nothing but its boxes."""
    return detector.detector if isinstance(detector, Masked) else detector


def load_seeing(detector: str, segmenter: str) -> Detector | None:
    """What sees things in pictures, with masks where they are wanted; None where nothing is to.

    Args:
        detector: a name as for ``load_detector``, or ``none``.
        segmenter: as for ``with_masks``.

    Raises:
        InputError: one of them cannot be loaded, or a segmenter is named without a detector, whose boxes it needs.

    >>> load_seeing("none", "facebook/sam-vit-base")
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: facebook/sam-vit-base: expected a detector, whose boxes a segmenter is shown, got detector none; ...
    """
    if detector != _NONE:
        return with_masks(load_detector(detector), segmenter)
    if segmenter != _NONE:
        raise InputError(
            segmenter,
            expected="a detector, whose boxes a segmenter is shown",
            got="detector none",
            do="name one, or leave the segmenter out",
        )
    return None
