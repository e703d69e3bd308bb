"""Bring two trajectories into one frame and say how far apart they are.

Notable: structure from motion is right up to a similarity (rotation, translation and one scale), so an estimate is
first aligned to the reference by the least-squares similarity of Umeyama, "Least-squares estimation of transformation
parameters between two point patterns" (IEEE PAMI 13(4), 1991), and judged by what remains.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from video3d.geometry.rigid import is_known, rotation_angle_rad, transform_points
from video3d.types import InputError

# Points whose second principal extent is below this share of the first are a line: nothing tells the rotation about it.
_LINE = 1e-6
# A trajectory thinner than this share of its length tells the rotation about its line worse than the cameras'
# orientations do: 3 cm of a 3 m path against a few millimetres of error are degrees, orientations err by tenths.
_THIN_PATH = 0.01


def umeyama(
    points_a: Float[np.ndarray, "n 3"],
    points_b: Float[np.ndarray, "n 3"],
    with_scale: bool = True,
    weights: Float[np.ndarray, "n"] | None = None,
) -> tuple[float, Float64[np.ndarray, "4 4"]]:
    """The similarity that moves ``points_b`` closest to ``points_a`` in the (weighted) least-squares sense.

    Umeyama 1991, equations 38 to 42. Never a mirror, even when a mirror would fit better. Rows with a NaN in either set
    and rows of weight 0 have no say.

    Args:
        points_a: where the points should go.
        points_b: the same points, row by row, in another frame.
        with_scale: False keeps lengths (scale 1): a rigid transform.
        weights: how much each row counts, >= 0; all the same without.

    Returns:
        The scale, and ``a_from_b`` with the scale in it: ``point_a = a_from_b @ point_b``. Its rotation is
        ``a_from_b[:3, :3] / scale``.

    Raises:
        InputError: fewer than 3 usable points, points on a line or in one place, rows that do not
            correspond, or weights that are no weights.

    >>> points_b = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    >>> scale, a_from_b = umeyama(points_b * 2 + 5, points_b)
    >>> round(scale, 6), a_from_b[:3, 3].round(6).tolist()
    (2.0, [5.0, 5.0, 5.0])
    """
    points_a, points_b, weights = _usable(points_a, points_b, weights)
    if len(points_a) < 3:
        raise InputError("alignment", expected="3 or more points known on both sides", got=len(points_a))
    for name, points in (("points_a", points_a), ("points_b", points_b)):
        if _thickness(points, weights) <= _LINE:
            raise InputError(
                name,
                expected="points that span a plane",
                got="points on one line or in one place, which fix no rotation",
            )
    mean_a, mean_b = weights @ points_a, weights @ points_b
    centred_a, centred_b = points_a - mean_a, points_b - mean_b
    u, singular, vt = np.linalg.svd((centred_a * weights[:, None]).T @ centred_b)
    if singular[1] <= _LINE**2 * singular[0]:  # the paper's condition: the covariance has rank 2 or 3
        raise InputError("alignment", expected="rows that correspond", got="two sets of points that vary independently")
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])  # no mirror
    scale = float(singular @ signs / (weights @ (centred_b**2).sum(axis=1))) if with_scale else 1.0
    return scale, _similarity(scale, (u * signs) @ vt, mean_a, mean_b)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryError:
    """What remains between an estimated trajectory and its reference after alignment, in the reference's unit.

    Attributes:
        num_frames: frames given.
        num_compared: frames whose pose is known on both sides; everything below is over these.
        aligned_by: ``positions``, or ``orientations`` where the camera moved along a line, whose positions leave the
            rotation about that line open.
        scale: reference length of one estimated unit.
        reference_from_estimate: the alignment, scale included.
        path_length: sum of the steps of the reference between compared frames.
        position_rms: root mean square distance of the positions (absolute trajectory error).
        position_max: largest distance.
        position_rms_share: ``position_rms / path_length``; NaN for a camera that did not move.
        position_max_share: the same of the largest.
        rotation_rms_deg: root mean square angle between the orientations, in degrees.
        rotation_median_deg: median angle.
        rotation_max_deg: largest angle.
        position_errors: distance for every frame given, NaN where not compared.
        rotation_errors_deg: angle for every frame given, NaN where not compared.
    """

    num_frames: int
    num_compared: int
    aligned_by: Literal["positions", "orientations"]
    scale: float
    reference_from_estimate: Float64[np.ndarray, "4 4"]
    path_length: float
    position_rms: float
    position_max: float
    position_rms_share: float
    position_max_share: float
    rotation_rms_deg: float
    rotation_median_deg: float
    rotation_max_deg: float
    position_errors: Float64[np.ndarray, "f"]
    rotation_errors_deg: Float64[np.ndarray, "f"]


def align_trajectories(
    reference_from_camera: Float[np.ndarray, "f 4 4"],
    estimate_from_camera: Float[np.ndarray, "f 4 4"],
    with_scale: bool = True,
) -> TrajectoryError:
    """Align an estimated trajectory to its reference and measure the position and rotation errors that remain.

    Frames with a NaN pose on either side are left out and counted out: read ``num_compared`` with the errors. Frames of
    different pieces share no frame of reference; give one piece at a time, the others NaN.

    Raises:
        InputError: fewer than 2 frames known on both sides, or fewer than 3 whose camera moves; with ``with_scale``
            also a camera that does not move, in which case there is no scale to find.

    >>> reference = np.tile(np.eye(4), (4, 1, 1))
    >>> reference[:, :3, 3] = [[0, 0, 0], [2, 0, 0], [2, 2, 0], [2, 2, 2]]
    >>> estimate = reference.copy()
    >>> estimate[:, :3, 3] *= 0.5
    >>> error = align_trajectories(reference, estimate)
    >>> error.num_compared, round(error.scale, 6), round(error.position_rms_share, 6), error.path_length
    (4, 2.0, 0.0, 6.0)
    """
    reference, estimate = reference_from_camera.astype(np.float64), estimate_from_camera.astype(np.float64)
    known = is_known(reference) & is_known(estimate)
    if known.sum() < 2:
        raise InputError("alignment", expected="2 or more frames with a pose on both sides", got=int(known.sum()))
    ref, est = reference[known], estimate[known]
    ref_positions, est_positions = ref[:, :3, 3], est[:, :3, 3]

    equal = np.full(len(ref), 1 / len(ref))
    aligned_by: Literal["positions", "orientations"] = "positions"
    if min(_thickness(ref_positions, equal), _thickness(est_positions, equal)) > _THIN_PATH:
        scale, ref_from_est = umeyama(ref_positions, est_positions, with_scale)
    else:
        aligned_by = "orientations"
        scale, ref_from_est = _align_by_orientations(ref, est, with_scale)

    aligned_positions = transform_points(ref_from_est, est_positions)
    distance = np.linalg.norm(aligned_positions - ref_positions, axis=1)
    turned = (ref_from_est[:3, :3] / scale) @ est[:, :3, :3]
    angle_deg = np.degrees(rotation_angle_rad(np.swapaxes(ref[:, :3, :3], 1, 2) @ turned))
    path_length = float(np.linalg.norm(np.diff(ref_positions, axis=0), axis=1).sum())
    path_or_nan = path_length if path_length > 0 else np.nan
    position_errors, rotation_errors_deg = np.full(len(known), np.nan), np.full(len(known), np.nan)
    position_errors[known], rotation_errors_deg[known] = distance, angle_deg
    position_rms = float(np.sqrt(np.mean(distance**2)))
    return TrajectoryError(
        num_frames=len(known),
        num_compared=int(known.sum()),
        aligned_by=aligned_by,
        scale=scale,
        reference_from_estimate=ref_from_est,
        path_length=path_length,
        position_rms=position_rms,
        position_max=float(distance.max()),
        position_rms_share=position_rms / path_or_nan,
        position_max_share=float(distance.max()) / path_or_nan,
        rotation_rms_deg=float(np.sqrt(np.mean(angle_deg**2))),
        rotation_median_deg=float(np.median(angle_deg)),
        rotation_max_deg=float(angle_deg.max()),
        position_errors=position_errors,
        rotation_errors_deg=rotation_errors_deg,
    )


def _align_by_orientations(
    reference: Float64[np.ndarray, "n 4 4"], estimate: Float64[np.ndarray, "n 4 4"], with_scale: bool
) -> tuple[float, Float64[np.ndarray, "4 4"]]:
    """The similarity whose rotation best turns the estimated orientations into the reference's.

    The rotation is the chordal mean of R_reference R_estimateᵀ; scale and translation are then least squares.
    """
    summed = np.einsum("nij,nkj->ik", reference[:, :3, :3], estimate[:, :3, :3])
    u, _, vt = np.linalg.svd(summed)
    rotation = (u * np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])) @ vt
    mean_a, mean_b = reference[:, :3, 3].mean(axis=0), estimate[:, :3, 3].mean(axis=0)
    scale = 1.0
    if with_scale:
        centred_a, turned_b = reference[:, :3, 3] - mean_a, (estimate[:, :3, 3] - mean_b) @ rotation.T
        spread = float((turned_b**2).sum())
        scale = float((centred_a * turned_b).sum()) / spread if spread > 0 else 0.0
        if not scale > 0:
            raise InputError(
                "alignment",
                expected="two cameras that move along one path",
                got="a camera that does not move, or moves the other way, so that there is no scale",
                do="align with with_scale=False",
            )
    return scale, _similarity(scale, rotation, mean_a, mean_b)


def _similarity(
    scale: float,
    rotation: Float64[np.ndarray, "3 3"],
    mean_a: Float64[np.ndarray, "3"],
    mean_b: Float64[np.ndarray, "3"],
) -> Float64[np.ndarray, "4 4"]:
    """The 4x4 that scales and turns, and takes ``mean_b`` to ``mean_a``."""
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = scale * rotation
    a_from_b[:3, 3] = mean_a - scale * rotation @ mean_b
    return a_from_b


def _usable(
    points_a: Float[np.ndarray, "n 3"], points_b: Float[np.ndarray, "n 3"], weights: Float[np.ndarray, "n"] | None
) -> tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m 3"], Float64[np.ndarray, "m"]]:
    """Rows that are known on both sides and have a weight; weights in float64 that sum to 1."""
    weight = np.ones(len(points_a)) if weights is None else weights.astype(np.float64)
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise InputError("weights", expected="finite numbers >= 0", got=weight.tolist())
    use = np.isfinite(points_a).all(axis=1) & np.isfinite(points_b).all(axis=1) & (weight > 0)
    kept = weight[use]
    return (
        points_a[use].astype(np.float64),
        points_b[use].astype(np.float64),
        kept / kept.sum() if kept.size else kept,
    )


def _thickness(points: Float64[np.ndarray, "n 3"], weights: Float64[np.ndarray, "n"]) -> float:
    """Second principal extent of points as a share of the first: 0 on a line, in one place, for fewer than 3 points."""
    centred = (points - weights @ points) * np.sqrt(weights)[:, None]
    extents = np.linalg.svd(centred, compute_uv=False)
    # What is left of points that are all in one place is rounding: not an extent.
    rounding = 1e-12 * float(np.abs(points).max(initial=0.0))
    return float(extents[1] / extents[0]) if extents.size > 1 and extents[0] > rounding else 0.0
