"""Depth of a clip whose recording has none: a network's, aligned to the reconstructed points and refined by many views.

Without a network, many views alone; where they cannot be compared, the reconstructed points.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from video3d.estimate.depth_align import align_depth
from video3d.estimate.reconstruction import Given, Reconstruction
from video3d.estimate.sparse import splat_depth
from video3d.estimate.unit import Unit, points_in_unit
from video3d.estimate.video_depth import refine_clip
from video3d.types import Clip, Status
from video3d.types.depth import DepthEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedDepth:
    """Depth of a clip, how it came about, and how sure it is.

    Attributes:
        depth: in the unit of the result, NaN where unknown.
        log_sigma: standard deviation of ln depth, NaN where unknown; None where nobody says.
        status: estimated or unknown.
        notes: in words.
    """

    depth: Float32[np.ndarray, "f h w"]
    log_sigma: Float32[np.ndarray, "f h w"] | None
    status: Status
    notes: tuple[str, ...]


def complete_depth(
    clip: Clip,
    given: Given,
    reconstruction: Reconstruction | None,
    unit: Unit,
    k_px: Float64[np.ndarray, "f 3 3"],
    *,
    network: DepthEstimate | None,
    network_name: str = "",
    video_depth: bool = True,
) -> CompletedDepth:
    """Depth in the unit of the result: what a network or the points say, then what many views add to it.

    Args:
        clip: its frames.
        given: poses that the recording has.
        reconstruction: poses and points that were recovered.
        unit: of the result.
        k_px: intrinsics of the frames, NaN where unknown.
        network: what a depth network says.
        network_name: for the notes.
        video_depth: whether to compare views; takes about 2 seconds a frame on two cores.
    """
    depth, status, notes = _network_depth(clip, reconstruction, unit, network=network, network_name=network_name)
    log_sigma = None
    if network is not None and network.log_sigma is not None:
        log_sigma = np.where(np.isfinite(depth), network.log_sigma, np.nan).astype(np.float32)
    if video_depth:
        prior = None if network is None else DepthEstimate(values=depth, kind="metric_depth", log_sigma=log_sigma)
        refined = refine_clip(clip, given, reconstruction, unit, k_px, prior)
        if refined is not None:
            kept = notes if network is not None else []  # what the points alone would have given no longer matters
            return CompletedDepth(
                depth=refined.depth, log_sigma=refined.log_sigma, status="estimated", notes=(*kept, *refined.notes)
            )
    return CompletedDepth(depth=depth, log_sigma=log_sigma, status=status, notes=tuple(notes))


def _network_depth(
    clip: Clip,
    reconstruction: Reconstruction | None,
    unit: Unit,
    *,
    network: DepthEstimate | None,
    network_name: str = "",
) -> tuple[Float32[np.ndarray, "f h w"], Status, list[str]]:
    """Depth in the unit of the result, NaN where unknown, with its status and how it came about.

    A metric network's frames without points keep their metres, or follow the factor of the aligned frames. A network
    that knows depth only up to scale and shift says nothing about a frame without points in its piece.
    """
    points = points_in_unit(reconstruction, unit)
    if network is None:
        depth = splat_depth(clip.num_frames, clip.size_hw, **points)
        seen = int(np.isfinite(depth).any(axis=(1, 2)).sum())
        if not seen:
            return depth, "unknown", ["depth: unknown; a depth network (--depth nano) can estimate it"]
        note = (
            f"depth: estimated at {len(points['point_depth'])} reconstructed points in {seen} of {clip.num_frames} "
            "frames, unknown elsewhere (sparse); --depth video fills it"
        )
        return depth, "estimated", [note]
    group = reconstruction.cameras.piece if reconstruction is not None else np.full(clip.num_frames, -1, np.int64)
    aligned = align_depth(network, **points, group=group)
    depth = aligned.depth
    as_is = np.array([method == "none" for method in aligned.method])
    if network.kind == "metric_depth" and as_is.any():
        fitted = aligned.scale[~as_is]
        if unit.metric or len(fitted):  # metres as they are, or in the unit that the other frames tell
            depth[as_is] = network.values[as_is] * np.float32(np.median(fitted) if len(fitted) else 1.0)
    known = np.asarray(np.isfinite(depth).any(axis=(1, 2)))
    if not known.any():
        why = (
            "structure from motion gave no points to align it to"
            if reconstruction is None
            else "no frame could be aligned"
        )
        return depth, "unknown", [f"depth: unknown; {network_name} gives {network.kind.replace('_', ' ')} and {why}"]
    counts = Counter(m for m, k in zip(aligned.method, known, strict=True) if k)
    words = {
        "own": "to their own points",
        "neighbours": "like their neighbours",
        "pooled": "to the points of all frames",
    }
    how = ", ".join(f"{counts[m]} aligned {words[m]}" for m in words if counts[m]) or "not aligned to points"
    how += f", {counts['none']} not aligned" if counts["none"] and counts.total() > counts["none"] else ""
    note = f"depth: estimated by {network_name}: {how}"
    residual = aligned.residual[np.isfinite(aligned.residual)]
    note += f"; median error at the points {100 * np.median(residual):.1f} %" if len(residual) else ""
    note += f"; {int((~known).sum())} frames without" if not known.all() else ""
    return depth, "estimated", [note]
