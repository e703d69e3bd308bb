"""Frames as PNG: colours as they are, depth as a colour map with one scale a clip, masks as a layer to lay over either."""

import io
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from video3d.data.drawing import depth_colors, depth_rgb, depth_scale_m, mask_layer
from video3d.data.truth import ClipData


def legend(scale_m: tuple[float, float]) -> list[dict[str, Any]]:
    """The colour map for the page: depth in metres and its colour, near to far."""
    shares = np.linspace(0.0, 1.0, 13)
    near, far = scale_m
    metres = near + shares * (far - near)
    return [
        {"m": round(float(m), 2), "rgb": color} for m, color in zip(metres, depth_colors(shares).tolist(), strict=True)
    ]


def frame_png(clip: ClipData, frame: int, layer: str) -> bytes | None:
    """One frame as PNG; None where the clip has no such layer.

    Args:
        clip: its pixels.
        frame: 0 is the first.
        layer: ``colour``, ``depth`` or ``mask``.
    """
    if layer == "colour":
        return _png(clip.rgb[frame])
    if layer == "depth" and clip.depth_m is not None:
        return _png(depth_rgb(clip.depth_m[frame], depth_scale_m(clip.depth_m)))
    if layer == "mask" and clip.instance is not None:
        return _png(mask_layer(clip.instance[frame]))
    return None


def _png(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    out = io.BytesIO()
    # The page is on the same machine: fast beats small.
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()
