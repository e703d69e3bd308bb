"""Frames, their depth and how sure it is, as pictures side by side, with the colours that stand for the numbers."""

import base64
import io

import numpy as np
from jaxtyping import Float, Float32, UInt8

from video3d.types import PosedClip

UNKNOWN_RGB = (222, 222, 226)
# Anchors of the colour map turbo (Mikhailov, "Turbo, an improved rainbow colormap for visualization", 2019), every eighth.
_TURBO = np.array(
    [(48, 18, 59), (70, 107, 227), (40, 187, 236), (49, 242, 153), (163, 253, 60), (238, 207, 58), (251, 126, 33),
     (209, 46, 5), (122, 4, 3)], np.float64,
)  # fmt: skip
_SURE = np.array([(24, 100, 90), (126, 190, 140), (244, 222, 140), (214, 96, 60)], np.float64)  # sure to unsure


def colorize(
    values: Float[np.ndarray, "h w"], low: float, high: float, *, sure: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """Colours of values from ``low`` to ``high``; grey where they are NaN.

    >>> colorize(np.array([[0.0, 1.0, np.nan]]), 0.0, 1.0)[0].tolist()
    [[48, 18, 59], [122, 4, 3], [222, 222, 226]]
    """
    anchors = _SURE if sure else _TURBO
    known = np.isfinite(values)
    at = np.clip((np.where(known, values, low) - low) / max(high - low, 1e-12), 0, 1) * (len(anchors) - 1)
    colors = np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, c]) for c in range(3)], axis=-1)
    return np.where(known[..., None], np.rint(colors), UNKNOWN_RGB).astype(np.uint8)


def data_uri(rgb: UInt8[np.ndarray, "h w 3"], *, jpeg: bool) -> str:
    """A picture inside of the page: nothing is fetched."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(rgb)
    if jpeg:
        image.save(file, "JPEG", quality=82)
    else:
        image.quantize(128).save(file, "PNG", optimize=True)
    return f"data:image/{'jpeg' if jpeg else 'png'};base64,{base64.b64encode(file.getvalue()).decode()}"


def strip_frames(clip: PosedClip, count: int = 8) -> list[int]:
    """Positions of frames, evenly spread."""
    return np.unique(np.linspace(0, clip.num_frames - 1, min(count, clip.num_frames)).round().astype(int)).tolist()


def thumbnail(values: np.ndarray, width: int) -> np.ndarray:
    """A picture or a map at about a width, by the nearest pixel: unknown stays unknown.

    Sparse maps keep their points: of every block the nearest depth is shown.
    """
    h, w = values.shape[:2]
    height = max(1, round(width * h / w))
    if values.ndim == 3:
        from PIL import Image

        return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.LANCZOS))
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    known = np.isfinite(values)
    if not known.any() or known.mean() > 0.05:
        return values[rows][:, columns]
    small = np.full((height, width), np.inf, np.float32)
    row, column = np.nonzero(known)
    for dy in (-1, 0, 1):  # three pixels wide, or nobody would see them
        for dx in (-1, 0, 1):
            at = np.clip(row * height // h + dy, 0, height - 1), np.clip(column * width // w + dx, 0, width - 1)
            np.minimum.at(small, at, values[row, column])
    return np.where(np.isfinite(small), small, np.nan)


def value_range(values: Float32[np.ndarray, "..."]) -> tuple[float, float] | None:
    """From the 2nd to the 98th percentile of what is known, None where nothing is."""
    sample = values.reshape(-1)[:: max(1, values.size // 400_000)]
    known = sample[np.isfinite(sample)]
    if not known.size:
        known = values[np.isfinite(values)]
    if not known.size:
        return None
    low, high = np.quantile(known, [0.02, 0.98])
    return float(low), float(max(high, low + 1e-6))


def histogram(values: Float32[np.ndarray, "..."], top: float, bins: int = 24) -> Float[np.ndarray, "b"]:
    """Share of the known values in every bin from 0 to ``top``; larger ones are in the last."""
    known = values[np.isfinite(values)]
    counts, _ = np.histogram(np.clip(known, 0, top * (1 - 1e-6)), bins, (0, top))
    return counts / max(1, known.size)
