"""A small interpreter of darknet's descriptions of networks: what their text says, layer by layer, with batch normalisation undone."""

from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import batch_norm, conv2d, interpolate, leaky_relu, max_pool2d

HEAD = np.dtype([("version", "<i4", 3), ("seen", "<i8")])


def sections(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Name and settings of every part of a description, the first that of the whole."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in path.read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("["):
            found.append((text.strip("[]"), {}))
        elif text:
            key, value = text.split("=")
            found[-1][1][key.strip()] = value.strip()
    return found


class Darknet:
    """The network of a description and its weights, in float64."""

    def __init__(self, cfg: Path, weights: Path) -> None:
        [(_, whole), *self.parts] = sections(cfg)
        self.channels = int(whole["channels"])
        data = weights.read_bytes()
        self.head = np.frombuffer(data, HEAD, 1)[0]
        self.values = torch.tensor(np.frombuffer(data, "<f4", offset=HEAD.itemsize)).double()
        self.used = 0

    def _take(self, *shape: int) -> torch.Tensor:
        start, self.used = self.used, self.used + int(np.prod(shape))
        return self.values[start : self.used].reshape(shape)

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes (left, top, right, bottom as shares of the sides) and scores of pictures (b, 3, h, w), in darknet's order."""
        self.used, size_hw = 0, x.shape[-2:]
        after: list[torch.Tensor] = []
        boxes, scores = [], []
        for kind, said in self.parts:
            match kind:
                case "convolutional":
                    x = self._convolve(x, said)
                case "maxpool":
                    assert said["size"] == said["stride"] == "2"  # other sizes pad
                    x = max_pool2d(x, 2)
                case "upsample":
                    x = interpolate(x, scale_factor=int(said["stride"]))
                case "route":
                    x = torch.cat([after[at if at >= 0 else len(after) + at] for at in _ints(said["layers"])], 1)
                    x = x.chunk(int(said.get("groups", 1)), 1)[int(said.get("group_id", 0))]
                case "yolo":
                    box, score = _read_grid(x, said, size_hw)
                    boxes.append(box)
                    scores.append(score)
                case _:
                    raise ValueError(kind)
            after.append(x)
        return torch.cat(boxes, 1), torch.cat(scores, 1)

    def _convolve(self, x: torch.Tensor, said: dict[str, str]) -> torch.Tensor:
        filters, size, stride = (int(said[key]) for key in ("filters", "size", "stride"))
        bias = self._take(filters)
        if said.get("batch_normalize") == "1":
            scale, mean, variance = self._take(3, filters)
            kernel = self._take(filters, x.shape[1], size, size)
            x = conv2d(x, kernel, stride=stride, padding=size // 2)
            x = batch_norm(x, mean, variance, scale, bias, eps=1e-5)
        else:
            x = conv2d(x, self._take(filters, x.shape[1], size, size), bias, stride, size // 2)
        return leaky_relu(x, 0.1) if said["activation"] == "leaky" else x


def _ints(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def _read_grid(x: torch.Tensor, said: dict[str, str], size_hw: torch.Size) -> tuple[torch.Tensor, torch.Tensor]:
    """The boxes of one grid, anchor by anchor, row by row."""
    anchors = np.array(_ints(said["anchors"])).reshape(-1, 2)[_ints(said["mask"])]
    (height, width), (rows, columns), spread = size_hw, x.shape[-2:], float(said["scale_x_y"])
    boxes, scores = [], []
    for said_here, (anchor_w, anchor_h) in zip(x.chunk(len(anchors), 1), anchors, strict=True):
        across, down, wide, high, there = said_here[:, :5].unbind(1)
        x_mid = (torch.arange(columns) + across.sigmoid() * spread - (spread - 1) / 2) / columns
        y_mid = (torch.arange(rows)[:, None] + down.sigmoid() * spread - (spread - 1) / 2) / rows
        w, h = wide.exp() * int(anchor_w) / width, high.exp() * int(anchor_h) / height
        boxes.append(torch.stack([x_mid - w / 2, y_mid - h / 2, x_mid + w / 2, y_mid + h / 2], -1).flatten(1, 2))
        scores.append((there.sigmoid()[:, None] * said_here[:, 5:].sigmoid()).flatten(2).mT)
    return torch.cat(boxes, 1), torch.cat(scores, 1)
