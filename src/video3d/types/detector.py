"""What a detector of named things sees in frames, and the protocol that all of them follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

EMBEDDED = "yolov4-tiny"
"""The detector that comes with the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBox:
    """A thing in one frame.

    Attributes:
        frame: position among the frames that were looked at.
        label: one of the names that were asked for.
        score: how sure the detector is, 0..1, on its own scale.
        box_px: left, top, right, bottom in pixels of the frame; left < right, top < bottom, within the frame.
    """

    frame: int
    label: str
    score: float
    box_px: tuple[float, float, float, float]


@runtime_checkable
class Detector(Protocol):
    """Anything that finds things by their names in RGB frames. Equal input gives equal output."""

    @property
    def name(self) -> str:
        """By which the user knows it."""
        ...

    @property
    def most_frames(self) -> int:
        """Frames of a clip that are worth its time."""
        ...

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], names: Sequence[str]) -> tuple[SeenBox, ...]:
        """What of the names (English, at least one) is in each frame, one box a thing, the frames in order."""
        ...
