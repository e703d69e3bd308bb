"""What a detector of named things sees in frames, what a segmenter shows of it, and the protocols that all of them follow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8

EMBEDDED = "yolov4-tiny"
"""The detector that comes with the package."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenMask:
    """Which pixels of a frame show a thing; of the frame only a window is kept, outside of which none does.

    Attributes:
        top: row of the frame that the window begins with.
        left: column alike.
        shows: for every pixel of the window, whether it shows the thing.
    """

    top: int
    left: int
    shows: Bool[np.ndarray, "h w"]

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the window."""
        height, width = self.shows.shape
        return float(self.left), float(self.top), float(self.left + width), float(self.top + height)

    @classmethod
    def of(cls, shows: Bool[np.ndarray, "h w"]) -> "SeenMask | None":
        """The mask of a whole frame in the smallest window that holds it; None where no pixel shows the thing.

        >>> whole = np.zeros((4, 6), bool)
        >>> whole[1:3, 2] = True
        >>> mask = SeenMask.of(whole)
        >>> mask.top, mask.left, mask.shows.shape, SeenMask.of(~(whole | True))
        (1, 2, (2, 1), None)
        """
        rows, columns = np.flatnonzero(shows.any(axis=1)), np.flatnonzero(shows.any(axis=0))
        if not rows.size:
            return None
        top, left = int(rows[0]), int(columns[0])
        return cls(top=top, left=left, shows=shows[top : rows[-1] + 1, left : columns[-1] + 1].copy())


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBox:
    """A thing in one frame.

    Attributes:
        frame: position among the frames that were looked at.
        label: one of the names that were asked for.
        score: how sure the detector is, 0..1, on its own scale.
        box_px: left, top, right, bottom in pixels of the frame; left < right, top < bottom, within the frame.
        mask: the pixels that show the thing, which may be some outside of the box too; None: not known. Boxes are compared without it.
    """

    frame: int
    label: str
    score: float
    box_px: tuple[float, float, float, float]
    mask: SeenMask | None = field(default=None, compare=False, repr=False)


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


@runtime_checkable
class KnowsItsNames(Protocol):
    """A Detector with a closed list of names, all of which it has learned to look for in every picture.

    What it does not see of such a name is some evidence that nothing of it is there; of one that sees what it is asked for, it is none.
    """

    def knows(self, name: str) -> bool:
        """Whether it has learned the name."""
        ...

    def overlooks(self, name: str) -> bool:
        """Whether things of a name that it knows are so small in most pictures, or so varied, that it may miss one in plain sight."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Anything that tells the pixels of a thing from others in its box. Equal input gives equal output."""

    @property
    def name(self) -> str:
        """By which the user knows it."""
        ...

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], seen: Sequence[SeenBox]) -> tuple[SeenBox, ...]:
        """The boxes, as many and in the same order, with masks; ``frame`` being the position in ``rgb``. None where no pixel shows the thing."""
        ...


def even_frames(frames: Sequence[int], most: int) -> list[int]:
    """At most so many of some frames, at even steps, the first and the last among them: those worth a detector's time.

    >>> even_frames([0, 1, 2, 3, 4, 5, 6], 3), even_frames([4, 7], 8), even_frames([], 8)
    ([0, 3, 6], [4, 7], [])
    """
    return [frames[i] for i in np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)]
