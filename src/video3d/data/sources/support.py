"""What stands on what, read off boxes: for sources that annotate boxes but not contacts.

Notable: it is inferred, so it errs on the side of saying nothing. Only things with a flat top that is the top of their box carry
others (a chair's seat is not the top of its box), and only what rests within a few centimetres of that top is carried.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from video3d.data.truth import GROUND, ObjectTruth

_FLAT_TOPPED = frozenset(
    ("table", "coffee table", "side table", "nightstand", "desk", "dressing table", "changing table", "workbench", "cabinet",
     "dresser", "filing cabinet", "tv stand", "chest", "counter", "kitchen island", "bathroom vanity", "washing machine",
     "refrigerator", "bookcase", "ottoman", "box")
)  # fmt: skip
_FLOOR_KINDS = frozenset(("furniture", "vehicle", "person", "animal"))
_GAP_M = 0.06  # a scan's vertices and an annotator's boxes are about this good
_MIN_OVERLAP = 0.6  # of the carried object's footprint


def with_support(objects: Sequence[ObjectTruth], *, frame: int = -1, floor_z: float = 0.0) -> tuple[ObjectTruth, ...]:
    """The objects with ``supported_by`` filled where their boxes leave no doubt; what was known stays.

    Args:
        objects: upright boxes; one with an unknown pose at ``frame`` neither carries nor is carried.
        frame: of the poses to look at.
        floor_z: height of the floor in metres.
    """
    bounds = [_bounds(o, frame) for o in objects]
    out = []
    for i, carried in enumerate(objects):
        low_high = bounds[i]
        if carried.supported_by is not None or low_high is None:
            out.append(carried)
            continue
        low, _ = low_high
        by = _carrier(objects, bounds, i)
        if by is None and abs(low[2] - floor_z) <= _GAP_M and carried.kind in _FLOOR_KINDS:
            by = GROUND
        out.append(replace(carried, supported_by=by))
    return tuple(out)


def _carrier(objects: Sequence[ObjectTruth], bounds: list[tuple[np.ndarray, np.ndarray] | None], i: int) -> int | None:
    low_high = bounds[i]
    assert low_high is not None
    low, high = low_high
    area = float(np.prod(high[:2] - low[:2]))
    best, best_share = None, _MIN_OVERLAP
    for j, other in enumerate(objects):
        there = bounds[j]
        if j == i or there is None or other.category not in _FLAT_TOPPED:
            continue
        shared = np.clip(np.minimum(high, there[1]) - np.maximum(low, there[0]), 0, None)[:2]
        share = float(np.prod(shared)) / area if area > 0 else 0.0
        if abs(low[2] - there[1][2]) <= _GAP_M and share > best_share:
            best, best_share = other.object_id, share
    return best


def _bounds(thing: ObjectTruth, frame: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Low and high corner of the upright bounds of an object's box."""
    pose = thing.world_from_object[frame]
    if not np.isfinite(pose).all():
        return None
    half = np.abs(pose[:3, :3]) @ (thing.size_m / 2)
    return pose[:3, 3] - half, pose[:3, 3] + half
