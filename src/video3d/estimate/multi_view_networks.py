"""VGGT and Depth Anything 3 behind the protocol of ``video3d.types.depth``, where their packages are installed. Imports torch.

Unlike a network of ``depth_networks``, most of these look at many frames together, so that what one frame hides another
shows and all frames share one unknown scale. Nothing of either package is in this one: the classes are the packages' own,
and their weights are read from safetensors only (the packages' own loaders would unpickle where there are none).

| model | looks at | before the network | says |
|---|---|---|---|
| VGGT (Wang et al., CVPR 2025) | a window | width 518, bicubic; upright frames: height 518, white at the sides | up to one scale |
| da3-small, -base, -large, -giant (Lin et al., "Depth Anything 3", 2025) | a window | longest side 504 | up to one scale |
| da3metric-large | a frame | the same | metres, times focal length / 300 px, which has to be known |
| da3mono-large | a frame | the same | up to a scale and a shift a frame |

Frames are prepared as by the packages' own ``load_and_preprocess_images`` (the same numbers) and ``InputProcessor`` (up to
how OpenCV resizes). A clip longer than a window is cut into windows that share ``OVERLAP`` frames, and each is brought to
the scale of the one before by the median ratio there. The confidence that both networks give is not a standard deviation
of anything, so that none is stated.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from PIL import Image
from torch.nn.functional import interpolate, pad

from video3d.estimate.hub import check_complete
from video3d.types import InputError
from video3d.types.depth import DepthEstimate, DepthEstimator, DepthKind

Package = Literal["vggt", "depth_anything_3"]

WINDOW = 24  # frames: VGGT keeps 24 layers of 2048 numbers a patch for its heads, 0.2 GB a frame of 518x392
OVERLAP = 4  # frames that two windows share
PATCH_PX = 14
_DA3_SIDE_PX = 504
_DA3_FOCAL_PX = 300.0  # the focal length that da3metric's depth is for
_DA3_SKY = 0.3  # from which on the package calls a pixel sky
_DA3_KINDS: dict[str, DepthKind] = {
    "da3-small": "scaled_depth",
    "da3-base": "scaled_depth",
    "da3-large": "scaled_depth",
    "da3-giant": "scaled_depth",
    "da3metric-large": "metric_depth",
    "da3mono-large": "relative_depth",
}
_INSTALL: dict[Package, str] = {
    # Both packages pin numpy<2 without using what 2 took away: hence no dependencies of theirs.
    "vggt": "pip install einops && pip install --no-deps git+https://github.com/facebookresearch/vggt",
    "depth_anything_3": "pip install addict einops omegaconf && pip install --no-deps depth-anything-3",
}
_FOCAL_WIDTHS = (0.1, 100.0)  # focal length over width: fields of view from 157 to 0.6 degrees; others are no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a frame lies in the network's input: resized to ``size_hw``, with white columns at the sides."""

    size_hw: tuple[int, int]
    left: int = 0
    right: int = 0


def vggt_layout(frame_hw: tuple[int, int], *, side_px: int = 518, patch_px: int = PATCH_PX) -> Layout:
    """As the package prepares frames: ``crop`` for wide ones, which crops none of them, ``pad`` for upright ones.

    >>> vggt_layout((480, 640))
    Layout(size_hw=(392, 518), left=0, right=0)
    >>> vggt_layout((640, 360))
    Layout(size_hw=(518, 294), left=112, right=112)
    """
    h, w = frame_hw
    if w >= h:
        return Layout(size_hw=(max(1, round(h * side_px / w / patch_px)) * patch_px, side_px))
    wide = max(1, round(w * side_px / h / patch_px)) * patch_px
    left = (side_px - wide) // 2
    return Layout(size_hw=(side_px, wide), left=left, right=side_px - wide - left)


def da3_layout(frame_hw: tuple[int, int], *, side_px: int = _DA3_SIDE_PX) -> Layout:
    """As the package's ``upper_bound_resize``: the longest side, then both to the nearest multiple of 14, halves up.

    >>> da3_layout((480, 640)).size_hw, da3_layout((1080, 1920)).size_hw
    ((378, 504), (280, 504))
    """
    scale = side_px / max(frame_hw)
    h, w = (max(1, (round(side * scale) + PATCH_PX // 2) // PATCH_PX) * PATCH_PX for side in frame_hw)
    return Layout(size_hw=(h, w))


def windows(num_frames: int, *, size: int = WINDOW, overlap: int = OVERLAP) -> list[range]:
    """Runs of at most ``size`` frames that cover all; each shares at least ``overlap`` frames with the one before.

    >>> windows(10, size=6, overlap=2)
    [range(0, 6), range(4, 10)]
    >>> windows(3, size=1, overlap=0)
    [range(0, 1), range(1, 2), range(2, 3)]
    """
    starts = range(0, max(1, num_frames - overlap), size - overlap)
    # The last window moves back to be full: a few frames alone would say less.
    return [range(max(0, min(start, num_frames - size)), min(start + size, num_frames)) for start in starts]


def common_factor(before: Float32[np.ndarray, "f h w"], after: Float32[np.ndarray, "f h w"]) -> float:
    """What to multiply ``after`` by to have the scale of ``before``: the median ratio; NaN where no pixel has both.

    >>> common_factor(np.full((1, 2, 2), 3, np.float32), np.full((1, 2, 2), 2, np.float32))
    1.5
    """
    both = (before > 0) & (after > 0)  # false for NaN
    return float(np.median(before[both] / after[both])) if both.any() else float("nan")


def package_of(settings: dict[str, Any]) -> Package | None:
    """The package that a model's ``config.json`` is for, None for neither: both hold what their constructor was given.

    >>> package_of({"img_size": 518, "patch_size": 14, "embed_dim": 1024}), package_of({"model_name": "da3-small"})
    ('vggt', 'depth_anything_3')
    >>> package_of({"model_type": "dpt", "patch_size": 16}) is None
    True
    """
    if "model_type" in settings:
        return None
    if str(settings.get("model_name")).startswith("da3"):
        return "depth_anything_3"
    return "vggt" if {"img_size", "patch_size", "embed_dim"} <= settings.keys() else None


# What a network says of a window: depth at the size of its input, and focal lengths along x in pixels of it, or NaN.
Look = Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def _look_vggt(
    model: Any, pixels: Float[torch.Tensor, "f 3 nh nw"]
) -> tuple[Float[torch.Tensor, "f nh nw"], Float[torch.Tensor, "f"]]:
    said = model(pixels[None])
    fov = said["pose_enc"][0, :, 8].float()  # translation, quaternion, vertical and horizontal field of view in radians
    return said["depth"][0, ..., 0], pixels.shape[-1] / 2 / torch.tan(fov / 2)


def _look_da3(
    model: Any, pixels: Float[torch.Tensor, "f 3 nh nw"]
) -> tuple[Float[torch.Tensor, "f nh nw"], Float[torch.Tensor, "f"]]:
    mean, std = (
        torch.tensor(v, device=pixels.device).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    said = model(((pixels - mean) / std)[None])
    depth = said["depth"][0]
    if "sky" in said:  # the package writes the farthest depth there, which is not known either
        depth = torch.where(said["sky"][0].reshape(depth.shape) < _DA3_SKY, depth, torch.nan)
    nothing = torch.full((len(pixels),), torch.nan, device=pixels.device)
    return depth, said["intrinsics"][0, :, 0, 0] if "intrinsics" in said else nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiViewDepth:
    """A loaded network as a JointDepthEstimator.

    Attributes:
        name: by which the user knows it.
        licence: of its weights.
        kind: what it says.
        window: most frames looked at together.
        model: of the package's class, in evaluation mode.
        look: calls it.
        layout: size of a frame to where it lies in the input.
        autocast: whether the network computes in bfloat16.
    """

    name: str
    licence: str
    kind: DepthKind
    window: int
    model: torch.nn.Module
    look: Look
    layout: Callable[[tuple[int, int]], Layout]
    autocast: bool = False

    @property
    def metric(self) -> bool:
        """Whether its values are metres."""
        return self.kind == "metric_depth"

    def __call__(
        self, rgb: UInt8[np.ndarray, "f h w 3"], k_px: Float64[np.ndarray, "f 3 3"] | None = None
    ) -> DepthEstimate:
        """Depth of every frame, window by window; only da3metric uses ``k_px``, and says nothing without."""
        num_frames, hw = rgb.shape[0], (rgb.shape[1], rgb.shape[2])
        layout = self.layout(hw)
        values = np.full(rgb.shape[:3], np.nan, dtype=np.float32)
        focals = np.full(num_frames, np.nan)
        overlap = OVERLAP if self.window > OVERLAP else 0
        done = 0
        for frames in windows(num_frames, size=self.window, overlap=overlap):
            depth, focal = self._window(rgb[frames.start : frames.stop], layout)
            new = done - frames.start
            if self.kind == "scaled_depth" and new > 0:
                # Without a pixel in common the scale is unknown, and NaN says so of the rest.
                depth *= np.float32(common_factor(values[frames.start : done], depth[:new]))
            values[done : frames.stop], focals[done : frames.stop] = depth[new:], focal[new:]
            done = frames.stop
        if self.metric:
            values *= self._metres(k_px, num_frames, hw, layout)[:, None, None]
        return DepthEstimate.said(values, self.kind, focals)

    @torch.inference_mode()
    def _window(
        self, rgb: UInt8[np.ndarray, "w h w2 3"], layout: Layout
    ) -> tuple[Float32[np.ndarray, "w h w2"], Float64[np.ndarray, "w"]]:
        hw, (net_h, net_w) = (rgb.shape[1], rgb.shape[2]), layout.size_hw
        device = next(self.model.parameters()).device
        resized = (Image.fromarray(frame).resize((net_w, net_h), Image.Resampling.BICUBIC) for frame in rgb)
        small = np.stack([np.asarray(frame) for frame in resized])
        pixels = torch.from_numpy(small).to(device).permute(0, 3, 1, 2).float() / 255
        pixels = pad(pixels, (layout.left, layout.right), value=1.0)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
            depth, focal = self.look(self.model, pixels)
        depth = depth.float()[:, :, layout.left : layout.left + net_w]
        # Bilinear, because anything that overshoots invents surfaces in front of edges.
        values = interpolate(depth[:, None], size=hw, mode="bilinear", align_corners=False)[:, 0]
        focal = focal.double().cpu().numpy() / net_w
        plausible = (focal > _FOCAL_WIDTHS[0]) & (focal < _FOCAL_WIDTHS[1])
        return values.cpu().numpy(), np.where(plausible, focal * hw[1], np.nan)

    def _metres(
        self, k_px: Float64[np.ndarray, "f 3 3"] | None, num_frames: int, hw: tuple[int, int], layout: Layout
    ) -> Float32[np.ndarray, "f"]:
        """Metres for each unit of da3metric: the focal length at the network's size over the one it was trained at."""
        if k_px is None:
            return np.full(num_frames, np.nan, dtype=np.float32)
        fx, fy = k_px[:, 0, 0] * layout.size_hw[1] / hw[1], k_px[:, 1, 1] * layout.size_hw[0] / hw[0]
        return ((fx + fy) / 2 / _DA3_FOCAL_PX).astype(np.float32)


def load_multi_view(
    package: Package,
    settings: dict[str, Any],
    weights: Path | None,
    *,
    name: str,
    licence: str,
    dtype: str = "float32",
    device: str | None = None,
) -> DepthEstimator:
    """Build the package's network, fill it from a safetensors file and put it behind the protocol.

    Args:
        package: see ``package_of``.
        settings: of ``config.json``.
        weights: ``model.safetensors``; None where the model has none.
        name: by which the user knows it.
        licence: of the weights.
        dtype: ``bfloat16`` computes in it and keeps the weights as they are.
        device: by default a GPU where there is one.

    Raises:
        InputError: the package is not installed, the settings are not a network's that is known, weights are absent,
            broken or incomplete, no such device.
    """
    build = _build_vggt if package == "vggt" else _build_da3
    try:
        parts = build(settings, name)
    except ImportError as error:
        raise InputError(
            name, expected=f"the Python package {package}, whose network it is", got=str(error), do=_INSTALL[package]
        ) from error
    if weights is None:
        raise InputError(
            name,
            expected="weights in model.safetensors beside config.json",
            got="none",
            do="name a model that has them; pickled weights are refused, because reading them can run code",
        )
    _fill(parts["model"], weights, name, prefix="" if package == "vggt" else "model.")
    target = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        parts["model"] = parts["model"].eval().to(target)
    except (RuntimeError, AssertionError) as error:
        raise InputError("device", expected="one that torch has here", got=target, do="use cpu") from error
    return MultiViewDepth(name=name, licence=licence, autocast=dtype == "bfloat16", **parts)


def _build_vggt(settings: dict[str, Any], name: str) -> dict[str, Any]:
    vggt = importlib.import_module("vggt.models.vggt").VGGT
    sizes = {key: settings[key] for key in ("img_size", "patch_size", "embed_dim")}
    for key, size in sizes.items():
        if not isinstance(size, int) or not 1 <= size <= 8192:
            raise InputError(f"{name}: config.json", expected=f"a usual {key}", got=repr(size))
    return {
        "kind": "scaled_depth",
        "window": WINDOW,
        # Points in space and tracks are said by heads of their own, which nobody asks.
        "model": vggt(**sizes, enable_point=False, enable_track=False),
        "look": _look_vggt,
        "layout": lambda hw: vggt_layout(hw, side_px=sizes["img_size"], patch_px=sizes["patch_size"]),
    }


def _build_da3(settings: dict[str, Any], name: str) -> dict[str, Any]:
    preset = settings["model_name"]
    if preset not in _DA3_KINDS:
        raise InputError(f"{name}: config.json", expected=f"model_name among {', '.join(_DA3_KINDS)}", got=repr(preset))
    cfg = importlib.import_module("depth_anything_3.cfg")
    # All it logs but errors goes to stdout, where only results belong.
    importlib.import_module("depth_anything_3.utils.logger").logger.level = 0
    # By the preset's name and not by the file's own description, which could name any class to be called.
    described = cfg.load_config(importlib.import_module("depth_anything_3.registry").MODEL_REGISTRY[preset])
    for part in ("gs_head", "gs_adapter"):  # Gaussians, which nobody asks for
        described.pop(part, None)
    model = cfg.create_object(described)
    model.cam_enc = None  # for poses given, which the protocol does not have
    kind = _DA3_KINDS[preset]
    return {
        "kind": kind,
        "window": WINDOW if kind == "scaled_depth" else 1,
        "model": model,
        "look": _look_da3,
        "layout": da3_layout,
    }


def _fill(model: torch.nn.Module, weights: Path, name: str, *, prefix: str) -> None:
    """Every weight from the file, in place; what else the file holds is for parts that were left out."""
    from safetensors.torch import load_model

    whole = torch.nn.ModuleDict({prefix.removesuffix("."): model}) if prefix else model
    try:
        missing, _ = load_model(whole, weights, strict=False)
    except Exception as error:  # a broken file and wrong shapes have exceptions of their own
        first = str(error).strip().splitlines() or [""]
        raise InputError(
            name, expected="model.safetensors of this network", got=f"{type(error).__name__}: {first[-1].strip()[:300]}"
        ) from error
    check_complete(name, sorted(missing))
