"""What a detector sees, with a segmenter's masks, from pictures to things in the world."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from painted_clips import PAINT, SeesPaint, at_x, painted

from video3d.answers.detected import detect
from video3d.estimate.segmenters import Masked
from video3d.types.detector import SeenBox, SeenMask


class PaintedMasks:
    """A segmenter that knows things by their colour."""

    name = "painted-masks"

    def __call__(self, rgb: np.ndarray, seen: Sequence[SeenBox]) -> tuple[SeenBox, ...]:
        return tuple(replace(one, mask=SeenMask.of((rgb[one.frame] == PAINT[one.label]).all(-1))) for one in seen)


def test_masks_tell_a_thing_from_what_is_right_behind_it():
    frames = [{"chair": (40, 3.0), "person": (column, 4.0)} for column in (10, 16, 64)]
    clip = painted(frames)
    clip.rgb[:, 14:26, 38:42] = 90  # a hole in the chair, and the wall 20 cm behind it
    clip.depth_m[:, 14:26, 38:42] = 3.2
    names = ["chair", "person"]
    alone = detect(SeesPaint(), names, clip, 0.0)
    masked = detect(Masked(detector=SeesPaint(), segmenter=PaintedMasks()), names, clip, 0.0)
    assert masked.looked == alone.looked and masked.seen == alone.seen
    assert all(one.mask is not None for one in masked.seen) and all(one.mask is None for one in alone.seen)
    [chair], [other] = masked.things, alone.things
    assert other.found.box.size_m[:2].min() > 0.15 and chair.found.box.size_m[:2].min() < 0.05
    assert chair.found.box.center_world[1] == pytest.approx(3.0, abs=0.02)
    assert (chair.found.label, chair.frames, chair.sure) == (other.found.label, other.frames, other.sure)
    for position, (column, far) in enumerate(
        frame["person"] for frame in frames
    ):  # what moves is lifted by its masks too
        person = next(one for one in masked.at(position) if one.found.label == "person")
        assert person.found.box.center_world[:2] == pytest.approx((at_x(column, far), far), abs=0.05)
