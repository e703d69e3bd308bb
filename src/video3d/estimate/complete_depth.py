"""Depth of a clip whose recording has none: a network's, aligned to the reconstructed points, or those points alone."""

from collections import Counter

import numpy as np
from jaxtyping import Float32

from video3d.estimate.depth_align import align_depth
from video3d.estimate.reconstruction import Reconstruction
from video3d.estimate.sparse import splat_depth
from video3d.estimate.unit import Unit, points_in_unit
from video3d.types import Clip, Status
from video3d.types.depth import DepthEstimate


def complete_depth(
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
            return depth, "unknown", ["depth: unknown; a depth network (--depth) can estimate it"]
        note = (
            f"depth: estimated at {len(points['point_depth'])} reconstructed points in {seen} of {clip.num_frames} "
            "frames, unknown elsewhere (sparse); a depth network fills it"
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
