"""The unit of a completed clip: metres by a sensor, metres by a network, or one unknown factor."""

from dataclasses import dataclass, replace

import numpy as np

from video3d.estimate.depth_align import sample_nearest
from video3d.estimate.reconstruction import Given, Reconstruction, main_piece
from video3d.estimate.scale import ScaleFit, fit_scale, scale_from_depth, scale_from_poses
from video3d.estimate.still import travels
from video3d.types import Clip, Status
from video3d.types.depth import DepthEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit of the result: what to multiply every piece of the reconstruction by, and what is known of the result.

    A piece that is not in ``factors`` cannot be brought to the unit.
    """

    factors: dict[int, float]
    metric: bool
    status: Status
    notes: tuple[str, ...] = ()


def unit_of_result(
    clip: Clip, given: Given, reconstruction: Reconstruction | None, network: DepthEstimate | None
) -> Unit:
    """Where lengths come from: the given poses, measured depth, a metric network, or nowhere."""
    recording, metric_network = clip.recording, network is not None and network.kind == "metric_depth"
    if reconstruction is not None and given.poses is None and not travels(reconstruction.estimate):
        # Positions of 0 are in any unit: it is that of the depth alone.
        unit = unit_of_result(clip, given, None, network)
        return replace(unit, factors={0: 1.0})
    if given.poses is not None:
        metric = recording.world.metric
        status: Status = "measured" if metric else "unknown"
        fits: dict[int, ScaleFit] = {}
        if reconstruction is not None and recording.world_from_camera is not None:
            fits = scale_from_poses(recording.world_from_camera, reconstruction.estimate)
        notes = [] if metric else ["scale: unknown; the recording does not say that its poses are in metres"]
        if fits:
            spread = max(fit.spread for fit in fits.values())
            notes.append(f"the reconstructed points were brought to the recording's poses, to {100 * spread:.1f} %")
        elif reconstruction is not None and given.depth is None:
            notes.append("the reconstruction does not fit the recording's poses: its points are not used")
        factors = {piece: fit.scale for piece, fit in fits.items()}
        return Unit(factors=factors, metric=metric, status=status, notes=tuple(notes))
    if given.depth is not None:
        if reconstruction is None:
            return Unit(factors={}, metric=True, status="measured", notes=("scale: metres, from measured depth",))
        fits = scale_from_depth(recording, reconstruction.estimate) if recording.load_depth_m is not None else {}
        return _unit_of_fits(reconstruction, fits, status="measured", source="measured depth")
    if metric_network and network is not None:
        if reconstruction is None:
            return Unit(factors={}, metric=True, status="estimated", notes=("scale: metres, by the depth network",))
        fits = _scale_from_network(clip, reconstruction, network)
        if main_piece(reconstruction.cameras) in fits:
            return _unit_of_fits(reconstruction, fits, status="estimated", source="the depth network")
    if reconstruction is None:
        return Unit(factors={}, metric=False, status="unknown")
    factors = {int(piece): 1.0 for piece in np.unique(reconstruction.estimate.piece) if piece >= 0}
    return Unit(
        factors=factors,
        metric=False,
        status="unknown",
        notes=("scale: unknown; lengths are right up to one factor (structure from motion)",),
    )


def _unit_of_fits(reconstruction: Reconstruction, fits: dict[int, ScaleFit], *, status: Status, source: str) -> Unit:
    main = main_piece(reconstruction.cameras)
    factors = {piece: fit.scale for piece, fit in fits.items()}
    if main in fits:
        fit = fits[main]
        note = (
            f"scale: metres, from {source} at {fit.num_points} reconstructed points of {fit.num_frames} frames, "
            f"which agree to {100 * fit.spread:.1f} %"
        )
        return Unit(factors=factors, metric=True, status=status, notes=(note,))
    note = (
        f"scale: metres, from {source}; it does not agree with the reconstructed points, or they are too few, "
        "so the estimated camera path is left out"
    )
    return Unit(factors=factors, metric=True, status=status, notes=(note,))


def _scale_from_network(clip: Clip, reconstruction: Reconstruction, network: DepthEstimate) -> dict[int, ScaleFit]:
    at = sample_nearest(network.values, reconstruction.point_frame, reconstruction.point_px, clip.size_hw)
    fits = {}
    for piece in np.unique(reconstruction.point_piece[reconstruction.point_piece >= 0]):
        mine = reconstruction.point_piece == piece
        fit = fit_scale(at[mine], reconstruction.point_depth[mine], reconstruction.point_frame[mine])
        if fit is not None:
            fits[int(piece)] = fit
    return fits


def points_in_unit(reconstruction: Reconstruction | None, unit: Unit) -> dict[str, np.ndarray]:
    """Points of the clip's frames in the unit of the result, without those that cannot be brought to it."""
    if reconstruction is None:
        empty = np.zeros(0, np.int64)
        return {"point_frame": empty, "point_px": np.zeros((0, 2), np.float32), "point_depth": np.zeros(0)}
    factor = np.full(int(reconstruction.estimate.piece.max()) + 1, np.nan)
    for piece, value in unit.factors.items():
        factor[piece] = value
    depth = reconstruction.point_depth * np.where(
        reconstruction.point_piece >= 0, factor[reconstruction.point_piece], np.nan
    )
    keep = np.isfinite(depth)
    return {
        "point_frame": reconstruction.point_frame[keep],
        "point_px": reconstruction.point_px[keep],
        "point_depth": depth[keep],
    }
