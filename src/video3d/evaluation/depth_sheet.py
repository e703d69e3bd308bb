"""One picture of a depth comparison: colour, truth, and for every estimator what it said and how far off it was.

Depth has one scale for the whole sheet, near light and far dark; errors are a share of the truth, from white (none) over
orange to dark red (``WORST_REL`` and more). Grey is unknown: no truth, or no prediction.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image, ImageDraw, ImageFont

from video3d.data.drawing import UNKNOWN_RGB, depth_colors, depth_rgb, depth_scale_m
from video3d.evaluation.depth_eval import DepthReport, EstimatorResult

WORST_REL = 0.5
"""The error, as a share of the truth, that has the last colour."""
_ERROR_STOPS = np.array([[255, 255, 255], [254, 224, 160], [250, 150, 70], [214, 48, 39], [90, 0, 20]], np.float64)
_PAPER, _INK = (250, 250, 250), (20, 20, 20)
_LETTERS_PX, _GAP_PX, _HEAD_PX, _FOOT_PX, _SIDE_PX = 14, 6, 44, 52, 76


def error_rgb(error_rel: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Relative errors in colours; NaN is grey.

    >>> error_rgb(np.array([[0.0, 0.9, np.nan]], np.float32))[0].tolist()
    [[255, 255, 255], [90, 0, 20], [128, 128, 128]]
    """
    return _ramp(error_rel.astype(np.float64) / WORST_REL)


def _ramp(share: Float64[np.ndarray, "*s"]) -> UInt8[np.ndarray, "*s 3"]:
    at = np.linspace(0.0, 1.0, len(_ERROR_STOPS))
    colors = np.stack([np.interp(share, at, _ERROR_STOPS[:, channel]) for channel in range(3)], axis=-1)
    known = np.isfinite(share)[..., None]
    return np.where(known, colors.round(), np.array(UNKNOWN_RGB, np.float64)).astype(np.uint8)


def depth_sheet(report: DepthReport) -> Image.Image:
    """The contact sheet of a report: a row a frame, and two columns an estimator."""
    scale = depth_scale_m(np.stack(report.shown_truth_m))
    columns: list[tuple[Sequence[str], list[np.ndarray]]] = [
        (("colour",), list(report.shown_rgb)),
        (("measured",), [depth_rgb(truth, scale) for truth in report.shown_truth_m]),
    ]
    for result in report.results:
        if not result.rows:
            continue
        columns.append((_title(result), [depth_rgb(one.depth_m, scale) for one in result.shown]))
        columns.append((_error_title(result), [error_rgb(one.error_rel) for one in result.shown]))
    high, wide = report.shown_rgb[0].shape[:2]
    width = _SIDE_PX + len(columns) * (wide + _GAP_PX)
    height = _HEAD_PX + len(report.shown_rgb) * (high + _GAP_PX) + _FOOT_PX
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_LETTERS_PX)
    for row, frame in enumerate(report.shown_index):
        middle = _HEAD_PX + row * (high + _GAP_PX) + high // 2
        draw.text((4, middle), f"frame {frame}", fill=_INK, font=font, anchor="lm")
    for column, (title, pictures) in enumerate(columns):
        left = _SIDE_PX + column * (wide + _GAP_PX)
        for line, words in enumerate(title):
            draw.text((left, 4 + line * (_LETTERS_PX + 4)), _fitted(words, wide, font), fill=_INK, font=font)
        for row, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (left, _HEAD_PX + row * (high + _GAP_PX)))
    near, far = scale or (0.0, 1.0)
    bar = np.broadcast_to(np.linspace(0.0, 1.0, wide), (14, wide))
    top = height - _FOOT_PX + 10
    first, second = _SIDE_PX, _SIDE_PX + wide + _GAP_PX
    _legend(sheet, (first, top), depth_colors(bar.astype(np.float64)), f"{near:.1f} m", f"{far:.1f} m", font)
    _legend(sheet, (second, top), _ramp(bar.astype(np.float64)), "error 0 %", f"{100 * WORST_REL:.0f} % or more", font)
    if len(columns) > 2:
        draw.text((second + wide + _GAP_PX, top), "grey: unknown", fill=_INK, font=font)
    return sheet


def _title(result: EstimatorResult) -> tuple[str, str]:
    words = {"metric": "as it is", "median": "median-scaled", "scale_shift": "scale and shift fitted"}
    return result.name, words[result.rows[0].alignment]


def _error_title(result: EstimatorResult) -> tuple[str, str]:
    errors = result.rows[0].errors
    return f"AbsRel {errors.abs_rel:.3f}", f"delta1 {errors.delta1:.3f}"


def _fitted(words: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The end of a name that is too long: of a path, what tells it from others."""
    if font.getlength(words) <= width:
        return words
    while len(words) > 1 and font.getlength("..." + words) > width:
        words = words[1:]
    return "..." + words


def _legend(
    sheet: Image.Image,
    place: tuple[int, int],
    bar: UInt8[np.ndarray, "h w 3"],
    low: str,
    high: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    draw, (left, top), (tall, wide) = ImageDraw.Draw(sheet), place, bar.shape[:2]
    sheet.paste(Image.fromarray(bar), place)
    draw.text((left, top + tall + 2), low, fill=_INK, font=font)
    draw.text((left + wide, top + tall + 2), high, fill=_INK, font=font, anchor="ra")
