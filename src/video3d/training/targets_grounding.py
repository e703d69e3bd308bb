"""Which of the given boxes a phrase means: targets of the grounding heads.

``phrase_target(meant, boxes)`` for each phrase of a scene, where ``meant`` are the true boxes (``meant_by(row)``; none: nothing fits) and
``boxes`` what the model chooses from: proposals (``video3d.grounding.propose_objects``) or ``shown_boxes(truth, frames)``;
``stack_phrases`` makes ``GroundingTargets`` of a batch, one phrase a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.data.questions.visibility import seen_mask
from video3d.data.row import Box, Row, ShortText
from video3d.data.truth import SceneTruth
from video3d.geometry.boxes import iou_3d_matrix, moved_box
from video3d.model.scene_heads import GroundingTargets
from video3d.training.targets import shown
from video3d.types import Box3D

MEANT_IOU = 0.25
"""A box that shares so much with the true one is it: the usual bound of "found" (Acc@0.25 of ScanRefer, arXiv 1912.08830)."""
OTHER_IOU = 0.1
"""One that shares no more than this is another; between the two it is neither, and is not among the boxes that are scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseTarget:
    """One phrase: the boxes to choose from, and which of them it means; none at all: nothing fits it."""

    boxes: tuple[Box3D, ...]
    meant: Bool[np.ndarray, "n"]


def shown_boxes(
    truth: SceneTruth,
    frames: Sequence[int] | Int64[np.ndarray, "k"] | None = None,
    world_from_truth: Float64[np.ndarray, "4 4"] | None = None,
) -> tuple[Box3D, ...]:
    """True boxes, at the last of the frames, of the things that it shows well or that another shows and that stay.

    Errors: ``InputError`` as ``targets.shown``.
    """
    from video3d.data.questions.arrangement import box_at, is_still

    seen, turn = shown(truth, frames), np.eye(4) if world_from_truth is None else world_from_truth
    found = []
    for thing in seen.objects:
        mask, box = seen_mask(seen, thing.object_id), box_at(seen, thing.object_id)
        if box is not None and (bool(mask[-1]) or (bool(mask.any()) and is_still(seen, thing.object_id))):
            found.append(moved_box(box, turn))
    return tuple(found)


def meant_by(row: Row, world_from_truth: Float64[np.ndarray, "4 4"] | None = None) -> tuple[Box3D, ...] | None:
    """The true boxes that the answer of a grounding question names, () where it is "none"; None: the row asks something else."""
    if row.type != "grounding":
        return None
    if isinstance(row.answer, ShortText):
        return () if row.answer_text["en"] == "none" else None
    if not isinstance(row.answer, Box):
        return None
    c, s = np.cos(row.answer.yaw_rad), np.sin(row.answer.yaw_rad)
    box = Box3D(
        center_world=np.array(row.answer.center_world, dtype=np.float64),
        size_m=np.array(row.answer.size_m, dtype=np.float64),
        world_from_box=np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]),
    )
    return (moved_box(box, np.eye(4) if world_from_truth is None else world_from_truth),)


def phrase_target(meant: Sequence[Box3D], boxes: Sequence[Box3D]) -> PhraseTarget | None:
    """Which boxes a phrase means; None where a thing that it means has none: then neither a box nor "nothing" would be right.

    Args:
        meant: true boxes; none: nothing fits the phrase.
        boxes: to choose from, in the same frame.

    >>> true, other = (Box3D(center_world=np.array([x, 0, 0.0]), size_m=np.ones(3), world_from_box=np.eye(3)) for x in (0.0, 3))
    >>> phrase_target([true], [other, true]).meant.tolist(), phrase_target([true], [other])
    ([False, True], None)
    """
    if not meant:
        return PhraseTarget(boxes=tuple(boxes), meant=np.zeros(len(boxes), bool))
    if not boxes:
        return None
    overlap = iou_3d_matrix(list(meant), list(boxes))
    if not bool((overlap.max(1) >= MEANT_IOU).all()):
        return None
    best = overlap.max(0)
    kept = (best >= MEANT_IOU) | (best <= OTHER_IOU)
    return PhraseTarget(
        boxes=tuple(box for box, keep in zip(boxes, kept, strict=True) if keep), meant=best[kept] >= MEANT_IOU
    )


def stack_phrases(phrases: Sequence[PhraseTarget]) -> GroundingTargets:
    """A batch of one phrase a row. Nothing is padded: the loss goes row by row."""
    return GroundingTargets(boxes=[phrase.boxes for phrase in phrases], meant=[phrase.meant for phrase in phrases])
