"""Painted clips: every thing is a rectangle of a colour of its own before a wall; and a detector that knows things by their colours."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from video3d.types import PosedClip, World
from video3d.types.detector import SeenBox

HW, FOCAL = (40, 80), 40.0
WALL_M = 6.0
PAINT = {"chair": (255, 0, 0), "cup": (0, 255, 0), "person": (0, 0, 255), "car": (255, 255, 0)}
AHEAD = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]])
"""A camera 1.5 m up that looks along y."""


def painted(frames: Sequence[dict[str, tuple[int, float]]]) -> PosedClip:
    """A clip; of each frame the things by name: the column of their middle and how far they are."""
    num = len(frames)
    rgb, depth = np.full((num, *HW, 3), 90, np.uint8), np.full((num, *HW), WALL_M, np.float32)
    for frame, things in enumerate(frames):
        for name, (column, far) in things.items():
            place = np.s_[frame, 10:30, column - 6 : column + 6]
            rgb[place], depth[place] = PAINT[name], far
    k = np.array([[FOCAL, 0, HW[1] / 2], [0, FOCAL, HW[0] / 2], [0, 0, 1]])
    return PosedClip(
        frame_index=np.arange(num) * 10, time_s=np.arange(num) * 0.5, rgb=rgb, depth_m=depth, k_px=np.repeat(k[None], num, 0),
        world_from_camera=np.repeat(AHEAD[None], num, 0), piece=np.zeros(num, np.int64), world=World(metric=True, gravity_aligned=True),
    )  # fmt: skip


class SeesPaint:
    """A detector that knows things by their colour."""

    name = "sees-paint"

    def __init__(self, most_frames: int = 16, score: float = 0.6) -> None:
        self.most_frames, self.score = most_frames, score
        self.shown: list[int] = []

    def __call__(self, rgb: np.ndarray, names: Sequence[str]) -> tuple[SeenBox, ...]:
        self.shown.append(len(rgb))
        found = []
        for frame, picture in enumerate(rgb):
            for name in names:
                row, column = np.nonzero((picture == PAINT.get(name, (1, 2, 3))).all(-1))
                if row.size:
                    box = tuple(map(float, (column.min(), row.min(), column.max() + 1, row.max() + 1)))
                    found.append(SeenBox(frame=frame, label=name, score=self.score, box_px=box))
        return tuple(found)


def at_x(column: int, far: float) -> float:
    """Where in the world the middle of a rectangle is, across."""
    return (column - HW[1] / 2) / FOCAL * far


WALK = (10, 19, 28, 37, 46, 55)


def walk() -> PosedClip:
    """A chair that stays and a person that walks to the right before the wall."""
    return painted([{"chair": (70, 3.0), "person": (column, 4.0)} for column in WALK])


def without(clip: PosedClip, frames: Sequence[int], what: str) -> PosedClip:
    """The clip without depth, poses or intrinsics of some frames, or with those frames in a world of their own."""
    names = {"depth": "depth_m", "pose": "world_from_camera", "intrinsics": "k_px", "piece": "piece"}
    field = names[what]
    values = getattr(clip, field).copy()
    values[list(frames)] = 1 if what == "piece" else np.nan
    return replace(clip, **{field: values})


LACKS = ("depth", "pose", "intrinsics", "piece")
