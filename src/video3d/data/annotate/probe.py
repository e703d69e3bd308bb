"""What a pixel shows: how far it is, where in the world, and which object; for checking an answer in metres by pointing."""

from typing import Any

import numpy as np

from video3d.data.annotate.overlay import name_of
from video3d.data.truth import ClipData
from video3d.geometry.rigid import inverse_k, is_known, transform_points


def probe(clip: ClipData, frame: int, at_px: tuple[float, float]) -> dict[str, Any]:
    """Depth in metres, the point in the world and the object under a place in the picture; None for what is not known.

    Args:
        clip: its pixels and truth.
        frame: 0 is the first.
        at_px: (x, y) with pixel centres at +0.5; outside the picture nothing is known.
    """
    truth = clip.truth
    nothing: dict[str, Any] = {"depth_m": None, "point_world": None, "object": None, "object_id": None}
    height, width = truth.size_hw
    column, line = int(np.floor(at_px[0])), int(np.floor(at_px[1]))
    if not (0 <= column < width and 0 <= line < height):
        return nothing
    found = nothing
    if clip.instance is not None and (object_id := int(clip.instance[frame, line, column])):
        names = {thing.object_id: name_of(thing) for thing in truth.objects}
        found = found | {"object": names.get(object_id), "object_id": object_id}
    if clip.depth_m is None or not np.isfinite(depth := float(clip.depth_m[frame, line, column])):
        return found
    found = found | {"depth_m": round(depth, 3)}
    pose, k_px = truth.world_from_camera[frame], truth.k_px[frame]
    if is_known(pose) and is_known(k_px):
        ray = inverse_k(k_px) @ np.array([column + 0.5, line + 0.5, 1.0])
        found = found | {"point_world": transform_points(pose, ray * depth).round(3).tolist()}
    return found
