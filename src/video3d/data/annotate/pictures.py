"""Frames as PNG: colours as they are, depth as a colour map with one scale a clip, masks as a layer to lay over either."""

import io
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8, UInt16
from PIL import Image

from video3d.data.truth import ClipData

UNKNOWN_RGB = (128, 128, 128)
"""What depth shows where it is not known."""

# Near is light and warm, far dark and cold; lightness falls steadily, so that it reads without telling colours apart.
_STOPS = np.array(
    [[255, 244, 179], [250, 196, 92], [240, 134, 68], [204, 76, 96], [136, 52, 124], [74, 44, 118], [24, 26, 70]],
    dtype=np.float64,
)
_MASK_ALPHA = 150
_FAR_QUANTILE = 0.99


def depth_scale_m(depth_m: Float32[np.ndarray, "f h w"]) -> tuple[float, float] | None:
    """Nearest and farthest depth of the colour map, in metres, the same for all frames of a clip; None where nothing is known.

    The farthest hundredth is shown as the last colour, so that a far corner does not flatten everything else.
    """
    known = depth_m[np.isfinite(depth_m)]
    if known.size == 0:
        return None
    near, far = float(known.min()), float(np.quantile(known, _FAR_QUANTILE))
    return near, max(far, near + 0.01)


def depth_colors(share: Float64[np.ndarray, "*s"]) -> UInt8[np.ndarray, "*s 3"]:
    """Colours for depth as a share of the scale, 0 near to 1 far; outside it the nearest end, NaN grey.

    >>> depth_colors(np.array([0.0, np.nan])).tolist()
    [[255, 244, 179], [128, 128, 128]]
    """
    at = np.linspace(0.0, 1.0, len(_STOPS))
    colors = np.stack([np.interp(share, at, _STOPS[:, channel]) for channel in range(3)], axis=-1)
    known = np.isfinite(share)[..., None]
    return np.where(known, colors.round(), np.array(UNKNOWN_RGB, dtype=np.float64)).astype(np.uint8)


def legend(scale_m: tuple[float, float]) -> list[dict[str, Any]]:
    """The colour map for the page: depth in metres and its colour, near to far."""
    shares = np.linspace(0.0, 1.0, 13)
    near, far = scale_m
    metres = near + shares * (far - near)
    return [
        {"m": round(float(m), 2), "rgb": color} for m, color in zip(metres, depth_colors(shares).tolist(), strict=True)
    ]


def instance_color(object_id: int) -> tuple[int, int, int]:
    """A colour for an object: hues a golden ratio apart, so that ids next to each other look unlike.

    >>> instance_color(1) != instance_color(2)
    True
    """
    hue = 6.0 * ((object_id * 0.6180339887498949) % 1.0)
    light = 1.0 if object_id % 2 else 0.78
    x = 1.0 - abs(hue % 2.0 - 1.0)
    rgb = [(1, x, 0), (x, 1, 0), (0, 1, x), (0, x, 1), (x, 0, 1), (1, 0, x)][int(hue)]
    red, green, blue = (round(255 * light * (0.15 + 0.85 * value)) for value in rgb)
    return red, green, blue


def mask_layer(instance: UInt16[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """Masks as a layer: every object in its colour, see-through, its rim opaque; nothing where there is no object."""
    ids, places = np.unique(instance, return_inverse=True)
    table = np.array([(*instance_color(int(i)), _MASK_ALPHA) if i else (0, 0, 0, 0) for i in ids], dtype=np.uint8)
    layer = table[places.reshape(instance.shape)]
    rim = np.zeros(instance.shape, dtype=bool)
    rim[1:] |= instance[1:] != instance[:-1]
    rim[:, 1:] |= instance[:, 1:] != instance[:, :-1]
    layer[rim & (instance > 0), 3] = 255
    return layer


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
        near, far = depth_scale_m(clip.depth_m) or (0.0, 1.0)
        return _png(depth_colors((clip.depth_m[frame].astype(np.float64) - near) / (far - near)))
    if layer == "mask" and clip.instance is not None:
        return _png(mask_layer(clip.instance[frame]))
    return None


def _png(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    out = io.BytesIO()
    # The page is on the same machine: fast beats small.
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()
