"""The depth networks of ``transformers`` behind the protocol of ``video3d.types.depth``. Imports torch.

Frames are prepared here, in batches and without torchvision, by the settings in a model's
``preprocessor_config.json``: every family does the same few steps in its own order.

| family | before the network | after it |
|---|---|---|
| dpt, depth_anything | resize (bicubic, antialiased, keeping the aspect if told), normalise | disparity or metres |
| zoedepth | reflect-pad by 3 * sqrt(side / 2), resize with aligned corners, normalise | crop the padding; metres |
| depth_pro | normalise, resize to a square | canonical inverse depth times width / focal length; metres |
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch.nn.functional import interpolate, pad

from video3d.types import InputError
from video3d.types.depth import DepthEstimate, DepthEstimator, DepthKind

# Network pixels in one batch: four frames of 518x686. Activations of the largest towers stay under about 4 GB.
BATCH_PX = 4 * 518 * 686
# Depth Pro's own bounds on inverse depth in 1/m: 0.1 mm to 10 km.
_INVERSE_BOUNDS = (1e-4, 1e4)
_MODES = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers, as the files hold them


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePreparation:
    """How frames become the network's input.

    Attributes:
        size_hw: what the network was trained at.
        keep_aspect: scale both sides by the factor that changes the frame least, instead of stretching to ``size_hw``.
        multiple: sides are rounded to a multiple of this.
        mode: interpolation, as torch names it.
        mean: of the colours, on a scale of 0 to 1.
        std: of the colours.
    """

    size_hw: tuple[int, int]
    keep_aspect: bool
    multiple: int
    mode: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_settings(cls, settings: dict[str, Any], *, name: str) -> "FramePreparation":
        """Read ``preprocessor_config.json``. Raises InputError for settings that would be silently ignored here."""
        size = settings.get("size", 384)
        size_hw = (size, size) if isinstance(size, int) else (size.get("height"), size.get("width"))
        mode = _MODES.get(settings.get("resample", 2))
        wrong = {
            "size": None in size_hw or min(size_hw) < 1,
            "resample": mode is None,
            "do_resize": not settings.get("do_resize", True),
            "do_rescale": not settings.get("do_rescale", True),
            "do_center_crop": bool(settings.get("do_center_crop")),
            "size_divisor": bool(settings.get("size_divisor")),
        }
        for key in (key for key, is_wrong in wrong.items() if is_wrong):
            raise InputError(
                f"{name}: preprocessor_config.json", expected=f"a usual {key}", got=repr(settings.get(key))
            )
        normalize = settings.get("do_normalize", True)
        return cls(
            size_hw=(int(size_hw[0]), int(size_hw[1])),
            keep_aspect=bool(settings.get("keep_aspect_ratio", False)),
            # ZoeDepth's class default is 1/32 by mistake; every released file says 32.
            multiple=max(1, int(settings.get("ensure_multiple_of") or 1)),
            mode=str(mode),
            mean=tuple(settings.get("image_mean") or (0.5, 0.5, 0.5)) if normalize else (0.0, 0.0, 0.0),
            std=tuple(settings.get("image_std") or (0.5, 0.5, 0.5)) if normalize else (1.0, 1.0, 1.0),
        )

    def network_hw(self, frame_hw: tuple[int, int]) -> tuple[int, int]:
        """Size of the network's input for frames of a size.

        >>> depth_anything = FramePreparation(
        ...     size_hw=(518, 518), keep_aspect=True, multiple=14, mode="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
        >>> depth_anything.network_hw((480, 640))
        (518, 686)
        """
        scale_h, scale_w = self.size_hw[0] / frame_hw[0], self.size_hw[1] / frame_hw[1]
        if self.keep_aspect:
            scale_h = scale_w = scale_w if abs(1 - scale_w) < abs(1 - scale_h) else scale_h
        h, w = (
            max(1, round(side / self.multiple)) * self.multiple
            for side in (scale_h * frame_hw[0], scale_w * frame_hw[1])
        )
        return h, w

    def normalize(self, pixels: Float[torch.Tensor, "b 3 h w"]) -> Float[torch.Tensor, "b 3 h w"]:
        """Colours of 0 to 1 to what the network expects."""
        mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (pixels - mean) / std


def _prepare_plain(p: FramePreparation, pixels: Float[torch.Tensor, "b 3 h w"]) -> Float[torch.Tensor, "b 3 nh nw"]:
    size = p.network_hw((pixels.shape[2], pixels.shape[3]))
    kwargs = {} if p.mode == "nearest-exact" else {"antialias": True, "align_corners": False}
    return p.normalize(interpolate(pixels, size=size, mode=p.mode, **kwargs).clamp(0, 1))  # bicubic overshoots


def zoe_padding(frame_hw: tuple[int, int]) -> tuple[int, int]:
    """Rows above and below, columns left and right that ZoeDepth adds against artefacts at the border.

    Bhat et al., "ZoeDepth: Zero-shot Transfer by Combining Relative and Metric Depth", 2023, and its released code.
    """
    h, w = frame_hw
    # A reflection cannot be wider than the picture: only frames of under ten pixels come near that.
    return min(int(math.sqrt(h / 2) * 3), h - 1), min(int(math.sqrt(w / 2) * 3), w - 1)


def _prepare_zoe(p: FramePreparation, pixels: Float[torch.Tensor, "b 3 h w"]) -> Float[torch.Tensor, "b 3 nh nw"]:
    pad_h, pad_w = zoe_padding((pixels.shape[2], pixels.shape[3]))
    padded = pad(pixels, (pad_w, pad_w, pad_h, pad_h), mode="reflect")
    size = p.network_hw((padded.shape[2], padded.shape[3]))
    return p.normalize(interpolate(padded, size=size, mode=p.mode, align_corners=True))


def _prepare_pro(p: FramePreparation, pixels: Float[torch.Tensor, "b 3 h w"]) -> Float[torch.Tensor, "b 3 nh nw"]:
    return interpolate(p.normalize(pixels), size=p.size_hw, mode=p.mode, align_corners=False)


def _to_frame(
    values: Float[torch.Tensor, "b nh nw"], hw: tuple[int, int], *, align_corners: bool = False
) -> Float[torch.Tensor, "b h w"]:
    """Bilinear, because anything that overshoots invents surfaces in front of edges."""
    return interpolate(values[:, None], size=hw, mode="bilinear", align_corners=align_corners)[:, 0]


def _finish_plain(
    output: Any, hw: tuple[int, int], focal_px: Float[torch.Tensor, "b"]
) -> tuple[Float[torch.Tensor, "b h w"], Float[torch.Tensor, "b"] | None]:
    return _to_frame(output.predicted_depth.float(), hw), None


def _finish_zoe(
    output: Any, hw: tuple[int, int], focal_px: Float[torch.Tensor, "b"]
) -> tuple[Float[torch.Tensor, "b h w"], Float[torch.Tensor, "b"] | None]:
    (h, w), (pad_h, pad_w) = hw, zoe_padding(hw)
    # Corners aligned, as on the way in: the same pixel comes back to the same place.
    padded = _to_frame(output.predicted_depth.float(), (h + 2 * pad_h, w + 2 * pad_w), align_corners=True)
    return padded[:, pad_h : pad_h + h, pad_w : pad_w + w], None


def _finish_pro(
    output: Any, hw: tuple[int, int], focal_px: Float[torch.Tensor, "b"]
) -> tuple[Float[torch.Tensor, "b h w"], Float[torch.Tensor, "b"] | None]:
    """Metric depth from canonical inverse depth C: D = f_px / (w * C), f from the caller or from the field of view.

    Bochkovskii et al., "Depth Pro: Sharp Monocular Metric Depth in Less Than a Second", 2024, section 3.1 and 3.3.
    """
    width = hw[1]
    estimated = torch.full_like(focal_px, torch.nan)
    if output.field_of_view is not None:
        half = torch.deg2rad(output.field_of_view.float().reshape(-1)) / 2
        estimated = 0.5 * width / torch.tan(half)
        estimated = torch.where((half > 0) & (half < math.pi / 2), estimated, torch.nan)
    focal = torch.where(focal_px.isfinite(), focal_px, estimated)
    inverse = _to_frame(output.predicted_depth.float() * (width / focal)[:, None, None], hw)
    return 1 / inverse.clamp(*_INVERSE_BOUNDS), estimated  # NaN without a focal length: this network needs one


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What distinguishes one family of networks from another."""

    prepare: Callable[[FramePreparation, torch.Tensor], torch.Tensor]
    finish: Callable[..., tuple[torch.Tensor, torch.Tensor | None]]
    kind: Callable[[Any], DepthKind]
    flip: bool = False


def _depth_anything_kind(config: Any) -> DepthKind:
    return "metric_depth" if config.depth_estimation_type == "metric" else "inverse_depth"


FAMILIES: dict[str, Family] = {
    "dpt": Family(prepare=_prepare_plain, finish=_finish_plain, kind=lambda config: "inverse_depth"),
    "depth_anything": Family(prepare=_prepare_plain, finish=_finish_plain, kind=_depth_anything_kind),
    "zoedepth": Family(prepare=_prepare_zoe, finish=_finish_zoe, kind=lambda config: "metric_depth", flip=True),
    "depth_pro": Family(prepare=_prepare_pro, finish=_finish_pro, kind=lambda config: "metric_depth"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDepth:
    """A loaded network as a DepthEstimator."""

    name: str
    metric: bool
    licence: str
    kind: DepthKind
    model: torch.nn.Module
    family: Family
    preparation: FramePreparation
    flip: bool

    def __call__(
        self, rgb: UInt8[np.ndarray, "f h w 3"], k_px: Float64[np.ndarray, "f 3 3"] | None = None
    ) -> DepthEstimate:
        """Depth of every frame, batch by batch. Depth Pro uses fx of ``k_px`` where it is known; others ignore it."""
        num_frames, hw = rgb.shape[0], (rgb.shape[1], rgb.shape[2])
        values = np.full(rgb.shape[:3], np.nan, dtype=np.float32)
        focals = np.full(num_frames, np.nan)
        side = self.preparation.network_hw(hw)
        batch = max(1, BATCH_PX // max(side[0] * side[1], hw[0] * hw[1]))
        known = np.full(num_frames, np.nan) if k_px is None else k_px[:, 0, 0]
        for start in range(0, num_frames, batch):
            stop = min(start + batch, num_frames)
            values[start:stop], focal = self._batch(rgb[start:stop], known[start:stop])
            focals[start:stop] = np.nan if focal is None else focal
        return DepthEstimate.said(values, self.kind, focals)

    @torch.inference_mode()
    def _batch(
        self, rgb: UInt8[np.ndarray, "b h w 3"], fx: Float64[np.ndarray, "b"]
    ) -> tuple[Float32[np.ndarray, "b h w"], Float64[np.ndarray, "b"] | None]:
        weight = next(self.model.parameters())
        hw = (rgb.shape[1], rgb.shape[2])
        pixels = torch.from_numpy(np.ascontiguousarray(rgb)).to(weight.device).permute(0, 3, 1, 2).float() / 255
        focal = torch.from_numpy(fx).to(weight.device, torch.float32)
        inputs = self.family.prepare(self.preparation, pixels).to(weight.dtype)
        output = self.model(pixel_values=inputs)
        if self.flip:
            mirrored = self.model(pixel_values=inputs.flip(-1)).predicted_depth
            output.predicted_depth = (output.predicted_depth + mirrored.flip(-1)) / 2
        values, estimated = self.family.finish(output, hw, focal)
        return values.cpu().numpy(), None if estimated is None else estimated.double().cpu().numpy()


def build(
    family: Family,
    *,
    model: Any,
    name: str,
    licence: str,
    processing: dict[str, Any],
    device: str | None = None,
    flip: bool | None = None,
) -> DepthEstimator:
    """Put a loaded network behind the protocol, on ``device`` (by default a GPU where there is one)."""
    preparation = FramePreparation.from_settings(processing, name=name)
    target = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model = model.to(target)
    except (RuntimeError, AssertionError) as error:
        raise InputError("device", expected="one that torch has here", got=target, do="use cpu") from error
    kind = family.kind(model.config)
    return NetworkDepth(
        name=name,
        metric=kind == "metric_depth",
        licence=licence,
        kind=kind,
        model=model,
        family=family,
        preparation=preparation,
        flip=family.flip if flip is None else flip,
    )
