"""Whether the depths of two frames agree about the surface that both see, and whether stated uncertainty is honest.

Consistency is the temporal alignment error of Yang et al., "Depth Any Video with Scalable Synthetic Data", 2024, with
which Chen et al., "Video Depth Anything", 2025, judge videos: every pixel of a frame is placed in space by its predicted
depth, seen from the neighbouring frame by the true poses, and compared with what that frame predicts at the pixel it
falls on. Both directions count.

``mean_rel`` is that measure: the mean over pixels of |z - z'| / z', z the depth that arrives and z' the one predicted
there. ``median_rel`` is the median, which does not answer for the pixels at edges and those that the neighbour cannot see.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from video3d.evaluation.depth_metrics import MIN_PIXELS
from video3d.geometry.rigid import inverse_rigid, is_known, project, transform_points, unproject


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Disagreement between neighbouring frames: means over pairs, both directions.

    Attributes:
        mean_rel: the temporal alignment error, as a share.
        median_rel: the median over the pixels of a pair.
        num_pairs: pairs of neighbours that could be compared.
    """

    mean_rel: float
    median_rel: float
    num_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """One tenth of the pixels, by stated uncertainty.

    Attributes:
        stated: root mean square of the stated standard deviations of ln depth.
        found: root mean square of the errors of ln depth: equal to ``stated`` for an honest estimator.
        found_median: 1.4826 times the median absolute error: the same for normal errors, unmoved by a few large ones.
        num_pixels: how many.
    """

    stated: float
    found: float
    found_median: float
    num_pixels: int


def disagreement(
    depth_a: Float[np.ndarray, "h w"],
    depth_b: Float[np.ndarray, "h w"],
    k_a: Float64[np.ndarray, "3 3"],
    k_b: Float64[np.ndarray, "3 3"],
    b_from_a: Float64[np.ndarray, "4 4"],
    judged_b: Bool[np.ndarray, "h w"],
) -> Float64[np.ndarray, "n"]:
    """Relative disagreement |z - z'| / z' of what frame a predicts, seen from b, with what b predicts there.

    Where several pixels of a fall on one of b the nearest counts: it hides the others. Pixels of b without truth, and
    unknown ones of either, do not vote.

    Args:
        depth_a: predicted z-depth, NaN unknown.
        depth_b: the same of the other frame.
        k_a: intrinsics at the maps' size.
        k_b: the same of the other frame.
        b_from_a: where camera a is seen from b.
        judged_b: the pixels of b that are compared.

    >>> wall, k_px = np.full((4, 4), 2.0), np.array([[4.0, 0, 2], [0, 4, 2], [0, 0, 1]])
    >>> nearer = np.eye(4)
    >>> nearer[2, 3] = -1.0  # b stands one metre ahead: the wall is 1 m from it
    >>> disagreement(wall, wall / 2, k_px, k_px, nearer, np.ones((4, 4), bool)).max()
    np.float64(0.0)
    """
    height, width = depth_b.shape
    points = unproject(depth_a[None].astype(np.float32), k_a[None])[0].reshape(-1, 3)
    px, z = project(transform_points(b_from_a, points.astype(np.float64)), k_b)
    with np.errstate(invalid="ignore"):
        inside = (px >= 0).all(axis=1) & (px[:, 0] < width) & (px[:, 1] < height)
    column, row = (np.floor(px[inside, axis]).astype(np.int64) for axis in (0, 1))
    nearest = np.full(height * width, np.inf)
    np.minimum.at(nearest, row * width + column, z[inside])
    there = depth_b.reshape(-1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        both = np.isfinite(nearest) & (there > 0) & judged_b.reshape(-1)
    return np.abs(nearest[both] - there[both]) / there[both]


def consistency(
    depth: Float[np.ndarray, "f h w"],
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    judged: Bool[np.ndarray, "f h w"],
) -> Consistency | None:
    """Disagreement over all pairs of successive frames with known poses and intrinsics; None where there is no pair.

    Args:
        depth: in the unit of the poses, NaN unknown, frames in order of time.
        k_px: intrinsics at the maps' size.
        world_from_camera: true poses.
        judged: pixels with known truth.
    """
    known = is_known(k_px) & is_known(world_from_camera)
    means, medians, pairs = [], [], 0
    for a in range(len(depth) - 1):
        b = a + 1
        if not (known[a] and known[b]):
            continue
        found = 0
        for i, j in ((a, b), (b, a)):
            j_from_i = inverse_rigid(world_from_camera[j]) @ world_from_camera[i]
            rel = disagreement(depth[i], depth[j], k_px[i], k_px[j], j_from_i, judged[j])
            if len(rel) >= MIN_PIXELS:
                means.append(float(rel.mean()))
                medians.append(float(np.median(rel)))
                found = 1
        pairs += found
    if not pairs:
        return None
    return Consistency(mean_rel=float(np.mean(means)), median_rel=float(np.mean(medians)), num_pairs=pairs)


def calibration(
    log_error: Float64[np.ndarray, "n"], log_sigma: Float64[np.ndarray, "n"], *, num_bins: int = 10
) -> tuple[CalibrationBin, ...]:
    """Error against stated uncertainty, in bins of equally many pixels from the surest to the least sure.

    Args:
        log_error: ln(prediction) - ln(truth); pixels where it is not finite are left out.
        log_sigma: the stated standard deviation of ln depth; likewise.
        num_bins: 10 for deciles; fewer come back if there are fewer pixels.

    >>> sigma = np.linspace(0.1, 1.0, 1000)
    >>> bins = calibration(sigma * np.tile([1.0, -1.0], 500), sigma)
    >>> len(bins), all(abs(b.stated - b.found) < 1e-9 for b in bins)
    (10, True)
    """
    good = np.isfinite(log_error) & np.isfinite(log_sigma)
    error, sigma = log_error[good], log_sigma[good]
    order = np.argsort(sigma, kind="stable")
    return tuple(
        CalibrationBin(
            stated=float(np.sqrt(np.mean(sigma[part] ** 2))),
            found=float(np.sqrt(np.mean(error[part] ** 2))),
            found_median=float(1.4826 * np.median(np.abs(error[part]))),
            num_pixels=len(part),
        )
        for part in np.array_split(order, num_bins)
        if len(part)
    )
