"""Brings a network's depth to the unit of the reconstruction: scale and shift of every frame from reconstructed points.

Networks of the MiDaS kind know inverse depth up to a scale and a shift that differ from frame to frame; metric networks
are off by a factor. Structure from motion knows a few hundred points a frame exactly, up to one unit for all. Putting
the two together gives dense depth that fits the camera path.

The fit is in the network's own space: ``1/z = scale * value + shift`` for ``inverse_depth`` (noise of both a disparity
network and triangulation is even in 1/z), ``z = scale * value + shift`` for ``relative_depth``, and
``log z = log scale + log value`` for ``metric_depth`` and ``scaled_depth``. A scale is always > 0: depth never turns inside out.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from video3d.types.depth import FACTOR_KINDS, DepthEstimate, DepthKind

FitMethod = Literal["own", "neighbours", "pooled", "none"]

MIN_POINTS = 12  # fewer do not show an outlier from a slope
MAX_SLOPE_ERROR = 0.2  # standard error of the scale relative to the scale, above which a frame has no fit of its own
MIN_POINTS_FACTOR = 3  # enough to correct a borrowed fit by one factor
FAR_FACTOR = 10.0  # disparity says nothing about what is ten times farther than the farthest point it was fitted to
_NUM_PAIRS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Usable points: the frame that sees each, the network's value there, and the depth it should be."""

    frame: Int64[np.ndarray, "q"]
    value: Float64[np.ndarray, "q"]
    depth: Float64[np.ndarray, "q"]

    def of(self, keep: Bool[np.ndarray, "q"]) -> "tuple[Float64[np.ndarray, 'k'], Float64[np.ndarray, 'k']]":
        return self.value[keep], self.depth[keep]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthAlignment:
    """Aligned depth and how every frame came to it.

    Attributes:
        depth: in the unit of the points it was aligned to; NaN where unknown.
        scale: of every frame, > 0; NaN where there is no fit.
        shift: of every frame, 0 for ``FACTOR_KINDS``.
        num_points: points that a frame's fit could use.
        residual: median relative depth error at a frame's points, NaN without points.
        method: ``own`` points, ``neighbours`` in time, ``pooled`` over all frames of the piece, or ``none``.
    """

    depth: Float32[np.ndarray, "f h w"]
    scale: Float64[np.ndarray, "f"]
    shift: Float64[np.ndarray, "f"]
    num_points: Int64[np.ndarray, "f"]
    residual: Float64[np.ndarray, "f"]
    method: tuple[FitMethod, ...]


def sample_nearest(
    maps: Float32[np.ndarray, "f dh dw"],
    frame: Int64[np.ndarray, "o"],
    px: Float[np.ndarray, "o 2"],
    size_hw: tuple[int, int],
) -> Float32[np.ndarray, "o"]:
    """The value that each point falls on, NaN outside; ``px`` are pixels at ``size_hw`` whatever the maps' own size.

    Nearest and not bilinear: a mean across a depth edge is a place where nothing is.

    >>> maps = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    >>> sample_nearest(maps, np.array([0, 0]), np.array([[5.0, 3.9], [-1.0, 0.0]]), (4, 6))
    array([ 5., nan], dtype=float32)
    """
    column = np.floor(px[:, 0] * (maps.shape[2] / size_hw[1]))
    row = np.floor(px[:, 1] * (maps.shape[1] / size_hw[0]))
    inside = (column >= 0) & (column < maps.shape[2]) & (row >= 0) & (row < maps.shape[1])
    values = np.full(len(frame), np.nan, dtype=np.float32)
    values[inside] = maps[frame[inside], row[inside].astype(np.int64), column[inside].astype(np.int64)]
    return values


def depth_from_values(
    values: Float32[np.ndarray, "*hw"], kind: DepthKind, *, scale: float, shift: float, farthest: float = np.inf
) -> Float32[np.ndarray, "*hw"]:
    """Depth from a network's values with a scale and a shift; NaN where it would be <= 0 or beyond ``farthest``.

    >>> depth_from_values(np.array([1.0, 0.5, 0.0], np.float32), "inverse_depth", scale=0.5, shift=0.0)
    array([ 2.,  4., nan], dtype=float32)
    """
    fitted = (scale * values + shift).astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = 1 / fitted if kind == "inverse_depth" else fitted
        usable = np.isfinite(depth) & (fitted > 0) & (depth <= farthest)
    return np.where(usable, depth, np.float32(np.nan)).astype(np.float32)


def fit_scale_shift(
    values: Float64[np.ndarray, "p"], depth: Float64[np.ndarray, "p"], kind: DepthKind
) -> tuple[float, float, float] | None:
    """Scale, shift and the scale's relative standard error of one robust fit; None if no positive scale fits.

    Least median of squares over random pairs finds the line that half of the points agree on (Rousseeuw, 1984); Tukey's
    biweight, iterated, then uses every inlier. Depth up to a factor has no shift: the robust mean of log ratios. Deterministic.

    >>> values = np.linspace(1, 3, 20)
    >>> scale, shift, _ = fit_scale_shift(values, 1 / (0.2 * values + 0.1), "inverse_depth")
    >>> round(scale, 6), round(shift, 6)
    (0.2, 0.1)
    """
    good = np.isfinite(values) & np.isfinite(depth) & (depth > 0) & ((values > 0) | (kind not in FACTOR_KINDS))
    values, depth = values[good], depth[good]
    if kind in FACTOR_KINDS:
        if len(values) == 0:
            return None
        middle, spread = robust_mean(np.log(depth / values))
        return float(np.exp(middle)), 0.0, spread / float(np.sqrt(len(values)))
    if len(values) < 2:
        return None
    target = 1 / depth if kind == "inverse_depth" else depth
    # In depth, triangulation errs in proportion to depth: weigh what is far less.
    trust = np.ones_like(target) if kind == "inverse_depth" else 1 / target
    start = _least_median_line(values, target, trust)
    return None if start is None else _tukey_line(values, target, trust, *start)


def robust_mean(values: Float64[np.ndarray, "p"]) -> tuple[float, float]:
    """Tukey's biweight mean from the median on, and the standard deviation of the inliers; at least one value.

    The median alone is pulled aside when all outliers lie on one side, as those of occlusion do.

    >>> mean, spread = robust_mean(np.array([0.9, 1.0, 1.1, 1.0, 0.95, 1.05, 30.0, 40.0]))
    >>> round(mean, 2), spread < 0.2
    (1.0, True)
    """
    middle, sigma = float(np.median(values)), 0.0
    for _ in range(20):
        sigma = _spread(values - middle)
        if sigma == 0:
            break
        weight = np.maximum(0, 1 - ((values - middle) / (4.685 * sigma)) ** 2) ** 2
        before, middle = middle, float((weight * values).sum() / weight.sum())
        if abs(middle - before) < 1e-9 * sigma:
            break
    return middle, sigma


def _spread(residuals: Float64[np.ndarray, "p"]) -> float:
    """Standard deviation of normal errors, from their median."""
    return float(1.4826 * np.median(np.abs(residuals)))


def _least_median_line(
    x: Float64[np.ndarray, "p"], y: Float64[np.ndarray, "p"], trust: Float64[np.ndarray, "p"]
) -> tuple[float, float] | None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, len(x), (2, _NUM_PAIRS))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (y[second] - y[first]) / (x[second] - x[first])
    rising = np.isfinite(slope) & (slope > 0)
    if not rising.any():
        return None
    slope, first = slope[rising], first[rising]
    shift = y[first] - slope * x[first]
    judges = rng.choice(len(x), size=min(len(x), 512), replace=False)
    residuals = np.abs(slope[:, None] * x[judges] + shift[:, None] - y[judges]) * trust[judges]
    best = int(np.argmin(np.median(residuals, axis=1)))
    return float(slope[best]), float(shift[best])


def _tukey_line(
    x: Float64[np.ndarray, "p"],
    y: Float64[np.ndarray, "p"],
    trust: Float64[np.ndarray, "p"],
    slope: float,
    shift: float,
) -> tuple[float, float, float] | None:
    weight = trust**2
    sigma = 0.0
    for _ in range(20):
        residuals = (slope * x + shift - y) * trust
        sigma = max(_spread(residuals), 1e-9 * float(np.median(np.abs(y * trust))))
        weight = trust**2 * np.maximum(0, 1 - (residuals / (4.685 * sigma)) ** 2) ** 2
        total = weight.sum()
        mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
        around = (weight * (x - mean_x) ** 2).sum()
        if not around > 0:
            return None
        before, slope = slope, float((weight * (x - mean_x) * (y - mean_y)).sum() / around)
        shift = float(mean_y - slope * mean_x)
        if not slope > 0:
            return None
        if abs(slope - before) < 1e-9 * slope:
            break
    around = (weight * (x - (weight * x).sum() / weight.sum()) ** 2).sum()
    return slope, shift, float(sigma / np.sqrt(around) / slope)


def align_depth(
    estimate: DepthEstimate,
    *,
    point_frame: Int64[np.ndarray, "o"],
    point_px: Float32[np.ndarray, "o 2"],
    point_depth: Float[np.ndarray, "o"],
    group: Int64[np.ndarray, "f"],
) -> DepthAlignment:
    """Align every frame of a network's estimate to the reconstructed points that the frame sees.

    A frame whose own points do not settle its fit (too few, or all at one depth) borrows from the frames of its group
    that have one: interpolated between its neighbours in time; then, without any, one fit pooled over the group; and
    corrects what it borrowed by one factor if it has at least three points. A frame of no group has none to borrow from
    and stays unknown.

    Args:
        estimate: the network's values, frames in order of time.
        point_frame: position in ``estimate`` of the frame that sees the point.
        point_px: where, in pixels of the estimate's frames.
        point_depth: z-depth of the point there; NaN and values <= 0 are left out.
        group: frames that share a unit, the piece of the reconstruction; -1 for none.
    """
    values, kind = estimate.values, estimate.kind
    num_frames, hw = values.shape[0], (values.shape[1], values.shape[2])
    at = sample_nearest(values, point_frame, point_px, hw).astype(np.float64)
    z = point_depth.astype(np.float64)
    usable = np.isfinite(at) & np.isfinite(z) & (z > 0) & ((at > 0) | (kind not in FACTOR_KINDS))
    points = _Points(frame=point_frame[usable], value=at[usable], depth=z[usable])
    scale, shift = np.full(num_frames, np.nan), np.full(num_frames, np.nan)
    num_points = np.bincount(points.frame, minlength=num_frames).astype(np.int64)
    method: list[FitMethod] = ["none"] * num_frames
    for frame in np.flatnonzero(num_points >= MIN_POINTS):
        fit = fit_scale_shift(*points.of(points.frame == frame), kind)
        if fit is not None and fit[2] <= MAX_SLOPE_ERROR:
            (scale[frame], shift[frame]), method[frame] = fit[:2], "own"
    for number in np.unique(group[group >= 0]):
        _borrow(group == number, points, kind, scale=scale, shift=shift, method=method)
    depth, residual = _apply(estimate, points, group, scale, shift)
    return DepthAlignment(
        depth=depth, scale=scale, shift=shift, num_points=num_points, residual=residual, method=tuple(method)
    )


def _borrow(
    member: Bool[np.ndarray, "f"],
    points: _Points,
    kind: DepthKind,
    *,
    scale: Float64[np.ndarray, "f"],
    shift: Float64[np.ndarray, "f"],
    method: list[FitMethod],
) -> None:
    """Fill the fits of a group's frames that have none of their own, in place."""
    own = np.flatnonzero(member & np.isfinite(scale))
    lacking = np.flatnonzero(member & ~np.isfinite(scale))
    if len(own):
        # Scales multiply, so they are interpolated in logarithm; beyond the first and last own fit the nearest holds.
        scale[lacking] = np.exp(np.interp(lacking, own, np.log(scale[own])))
        shift[lacking] = np.interp(lacking, own, shift[own])
    else:
        pool = member[points.frame]
        fit = fit_scale_shift(*points.of(pool), kind) if pool.sum() >= MIN_POINTS else None
        if fit is None or fit[2] > MAX_SLOPE_ERROR:
            return
        scale[lacking], shift[lacking] = fit[:2]
    for frame in lacking:
        method[frame] = "neighbours" if len(own) else "pooled"
        value, depth = points.of(points.frame == frame)
        fitted = scale[frame] * value + shift[frame]
        target = 1 / depth if kind == "inverse_depth" else depth
        positive = fitted > 0
        if positive.sum() >= MIN_POINTS_FACTOR:
            factor = float(np.exp(np.median(np.log(target[positive] / fitted[positive]))))
            scale[frame], shift[frame] = scale[frame] * factor, shift[frame] * factor


def _apply(
    estimate: DepthEstimate,
    points: _Points,
    group: Int64[np.ndarray, "f"],
    scale: Float64[np.ndarray, "f"],
    shift: Float64[np.ndarray, "f"],
) -> tuple[Float32[np.ndarray, "f h w"], Float64[np.ndarray, "f"]]:
    """Aligned depth and the residual of every frame."""
    depth = np.full_like(estimate.values, np.nan)
    residual = np.full(len(scale), np.nan)
    for frame in np.flatnonzero(np.isfinite(scale)):
        mine = points.frame == frame
        near = mine if mine.any() else group[points.frame] == group[frame]
        bounded = estimate.kind not in FACTOR_KINDS and near.any()
        farthest = FAR_FACTOR * float(points.depth[near].max()) if bounded else np.inf
        fit = {"scale": float(scale[frame]), "shift": float(shift[frame])}
        depth[frame] = depth_from_values(estimate.values[frame], estimate.kind, **fit, farthest=farthest)
        if mine.any():
            value, truth = points.of(mine)
            fitted = depth_from_values(value.astype(np.float32), estimate.kind, **fit)
            # A point whose depth came out unknown is an error of 100 %.
            residual[frame] = float(np.median(np.nan_to_num(np.abs(fitted - truth) / truth, nan=1.0)))
    return depth, residual
