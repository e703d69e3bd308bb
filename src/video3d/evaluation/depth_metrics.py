"""How far predicted depth is from measured depth: the measures of the released evaluation codes, per image.

Every measure is computed per image and averaged over images (``mean_errors``), as ZoeDepth's ``evaluate.py`` does. The
formulas are those of ``compute_errors`` in ZoeDepth's released code (Bhat et al., "ZoeDepth", 2023), which go back to
Eigen et al., "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network", 2014.

Three ways to bring a prediction to metres before it is judged (``align``), each image on its own:

| way | what is undone | protocol |
|---|---|---|
| ``metric`` | nothing | ZoeDepth |
| ``median`` | one factor: median of the truth over median of the prediction | Zhou et al., SfMLearner, 2017 |
| ``scale_shift`` | a scale and a shift, least squares in inverse depth (in depth for ``relative_depth``) | MiDaS |

MiDaS's own measures (Ranftl et al., 2020, table 5: AbsRel, and the percentage of pixels with delta > 1.25) are
``abs_rel`` and ``100 * (1 - delta1)`` after ``scale_shift``.

Where this differs from the released codes: a pixel that the prediction leaves unknown does not vote, and ``coverage``
says how many did (ZoeDepth counts it as the smallest depth); nothing is cropped from the border; a prediction whose
values are all equal is aligned to the best constant (MiDaS's solver gives up and answers the farthest depth).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from video3d.types.depth import FACTOR_KINDS, DepthKind

Alignment = Literal["metric", "median", "scale_shift"]

MIN_DEPTH_M = 1e-3  # as ZoeDepth evaluates NYU and KITTI
MAX_DEPTH_M = 10.0  # as ZoeDepth and MiDaS evaluate NYU; 80 is usual on streets
MIN_PIXELS = 16  # an image with fewer known pixels says nothing about depth


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthErrors:
    """One image's errors, or the mean of many images' (``mean_errors``).

    Attributes:
        rmse_m: root of the mean squared error.
        rmse_log: the same of natural logarithms.
        abs_rel: mean of error / truth.
        sq_rel: mean of error² / truth.
        log10: mean absolute error of decimal logarithms.
        silog: 100 times the standard deviation of the error of natural logarithms: what no factor can mend.
        delta1: share of pixels with max(truth / prediction, prediction / truth) < 1.25.
        delta2: < 1.25².
        delta3: < 1.25³.
        median_abs_m: median error.
        median_rel: median of error / truth.
        coverage: share of the pixels with known truth that were predicted, and so voted.
    """

    rmse_m: float
    rmse_log: float
    abs_rel: float
    sq_rel: float
    log10: float
    silog: float
    delta1: float
    delta2: float
    delta3: float
    median_abs_m: float
    median_rel: float
    coverage: float


def truth_mask(
    truth_m: Float32[np.ndarray, "h w"], *, min_m: float = MIN_DEPTH_M, max_m: float = MAX_DEPTH_M
) -> Bool[np.ndarray, "h w"]:
    """The pixels that are judged: truth is known and strictly between the caps, as in ZoeDepth's ``compute_metrics``.

    >>> truth_mask(np.array([[1.0, np.nan, 12.0]], np.float32)).tolist()
    [[True, False, False]]
    """
    with np.errstate(invalid="ignore"):
        return np.asarray((truth_m > min_m) & (truth_m < max_m))


def depth_errors(
    prediction_m: Float[np.ndarray, "h w"],
    truth_m: Float32[np.ndarray, "h w"],
    *,
    min_m: float = MIN_DEPTH_M,
    max_m: float = MAX_DEPTH_M,
) -> DepthErrors | None:
    """Errors of one depth map in metres; None where fewer than ``MIN_PIXELS`` pixels have both truth and prediction.

    Truth outside the caps is not judged; predictions are moved to the nearest cap, as both released codes do.

    >>> truth = np.full((4, 4), 2.0, np.float32)
    >>> errors = depth_errors(truth * 1.5, truth)
    >>> errors.abs_rel, errors.rmse_m, errors.delta1, errors.delta2, round(errors.silog, 6)
    (0.5, 1.0, 0.0, 1.0, 0.0)
    """
    judged = truth_mask(truth_m, min_m=min_m, max_m=max_m)
    voted = judged & ~np.isnan(prediction_m)
    if voted.sum() < MIN_PIXELS:
        return None
    truth = truth_m[voted].astype(np.float64)
    predicted = np.clip(prediction_m[voted].astype(np.float64), min_m, max_m)
    error, log_error = np.abs(predicted - truth), np.log(predicted) - np.log(truth)
    ratio = np.maximum(truth / predicted, predicted / truth)
    return DepthErrors(
        rmse_m=float(np.sqrt(np.mean(error**2))),
        rmse_log=float(np.sqrt(np.mean(log_error**2))),
        abs_rel=float(np.mean(error / truth)),
        sq_rel=float(np.mean(error**2 / truth)),
        log10=float(np.mean(np.abs(log_error)) / np.log(10)),
        silog=float(100 * np.std(log_error)),
        delta1=float(np.mean(ratio < 1.25)),
        delta2=float(np.mean(ratio < 1.25**2)),
        delta3=float(np.mean(ratio < 1.25**3)),
        median_abs_m=float(np.median(error)),
        median_rel=float(np.median(error / truth)),
        coverage=float(voted.sum() / judged.sum()),
    )


def mean_errors(images: Sequence[DepthErrors]) -> DepthErrors | None:
    """The mean over images, each with equal weight however many pixels it has; None of no image."""
    if not images:
        return None
    return DepthErrors(**{f.name: float(np.mean([getattr(e, f.name) for e in images])) for f in fields(DepthErrors)})


def alignments_of(kind: DepthKind, *, metric: bool) -> tuple[Alignment, ...]:
    """The ways that make sense for what a network says: what it does not know is not held against it.

    >>> alignments_of("inverse_depth", metric=False)
    ('scale_shift',)
    """
    if kind not in FACTOR_KINDS:
        return ("scale_shift",)
    return ("metric", "median", "scale_shift") if metric else ("median", "scale_shift")


def median_scale(
    prediction: Float[np.ndarray, "*n"], truth_m: Float32[np.ndarray, "*n"], judged: Bool[np.ndarray, "*n"]
) -> float:
    """The factor that makes the median of a prediction that of the truth, over pixels with both; NaN without any."""
    both = judged & np.isfinite(prediction)
    if not both.any():
        return float("nan")
    return float(np.median(truth_m[both].astype(np.float64)) / np.median(prediction[both].astype(np.float64)))


def scale_shift(
    values: Float[np.ndarray, "*n"], target: Float[np.ndarray, "*n"], judged: Bool[np.ndarray, "*n"]
) -> tuple[float, float]:
    """Scale and shift of the least-squares line ``target = scale * values + shift``; NaN where no pixel has both.

    MiDaS's ``compute_scale_and_shift``. Where all values are equal: scale 0 and the mean of the target.
    """
    both = judged & np.isfinite(values) & np.isfinite(target)
    if not both.any():
        return float("nan"), float("nan")
    x, y = values[both].astype(np.float64), target[both].astype(np.float64)
    around = x - x.mean()
    spread = float(around @ around)
    if spread <= 1e-12 * float(x @ x):
        return 0.0, float(y.mean())
    slope = float(around @ (y - y.mean())) / spread
    return slope, float(y.mean() - slope * x.mean())


def align(
    values: Float32[np.ndarray, "*n"],
    truth_m: Float32[np.ndarray, "*n"],
    kind: DepthKind,
    how: Alignment,
    *,
    min_m: float = MIN_DEPTH_M,
    max_m: float = MAX_DEPTH_M,
) -> Float64[np.ndarray, "*n"]:
    """A prediction in metres after one of the ways of aligning it (see the module); NaN where it says nothing.

    One call, one fit: of an image, or of all images of a recording if all are given.

    >>> truth = np.array([[1.0, 2.0, 4.0]], np.float32)
    >>> align(3 / truth + 1, truth, "inverse_depth", "scale_shift").round(6).tolist()
    [[1.0, 2.0, 4.0]]
    """
    if how not in alignments_of(kind, metric=True):
        raise ValueError(f"{kind} cannot be judged by {how}")
    with np.errstate(invalid="ignore", divide="ignore"):
        judged = np.asarray((truth_m > min_m) & (truth_m < max_m))
        values64 = values.astype(np.float64)
        if how == "metric":
            return values64
        if how == "median":
            return values64 * median_scale(values64, truth_m, judged)
        if kind == "relative_depth":
            scale, shift = scale_shift(values64, truth_m, judged)
            return scale * values64 + shift
        inverse = 1 / values64 if kind in FACTOR_KINDS else values64
        scale, shift = scale_shift(inverse, 1 / truth_m.astype(np.float64), judged)
        # Disparity below that of the cap, negative too, is the cap: MiDaS's evaluation does so before inverting.
        return 1 / np.maximum(scale * inverse + shift, 1 / max_m)
