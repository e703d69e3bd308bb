"""A row and a clip as a model meets them: the words that it is asked, and the recording that it is shown."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from video3d.data.row import Answer, Choice, Row
from video3d.data.truth import ClipData
from video3d.types import Recording, World
from video3d.video import forget

Withheld = Literal["depth", "poses", "intrinsics", "frames"]
"""What a clip can be shown without; ``frames``: all but the last."""
ESTIMATED_BY = "nano"
"""The depth network (``load_depth``) that stands in for depth that is withheld."""


def asked(row: Row) -> str:
    """A question in words. Options that it does not name itself stand behind it, else nobody could know them.

    >>> from video3d.data.row import YesNo
    >>> asked(Row.model_construct(question={"en": "Is it open?"}, answer=YesNo(value=True)))
    'Is it open?'
    """
    return with_options(row.question["en"], row.answer)


def with_options(question: str, answer: Answer) -> str:
    """A question in words, with the options of its answer behind it if it does not name them all."""
    if not isinstance(answer, Choice):
        return question
    options = [option["en"] for option in answer.options]
    if all(option.lower() in question.lower() for option in options):
        return question
    return f"{question} Options: {'; '.join(options)}."


def recording_of(clip: ClipData, without: Collection[Withheld] = ()) -> Recording:
    """A clip as a recording that knows its depth, cameras and world (metres, +z up), for the path that users' recordings take.

    Depth that the clip does not have is unknown everywhere, and not estimated; depth that is withheld is for the path to estimate.

    Args:
        clip: of a data set.
        without: what is not shown of it, to judge what it is worth.
    """
    truth, shown = clip.truth, slice(-1 if "frames" in without else 0, None)
    rgb = clip.rgb[shown]
    depth = np.full(rgb.shape[:3], np.nan, np.float32) if clip.depth_m is None else clip.depth_m[shown]

    def load_rgb(frames: Sequence[int]) -> np.ndarray:
        return rgb[np.asarray(frames, dtype=np.int64)]

    def load_depth_m(frames: Sequence[int]) -> np.ndarray:
        return depth[np.asarray(frames, dtype=np.int64)]

    recording = Recording(
        source=Path(truth.clip_id),
        format="video3d_qa",
        size_hw=truth.size_hw,
        time_s=truth.times_s[shown],
        frame_names=tuple(str(frame) for frame in range(truth.num_frames))[shown],
        load_rgb=load_rgb,
        load_depth_m=load_depth_m,
        depth_size_hw=truth.size_hw,
        k_px=truth.k_px if truth.k_px.ndim == 2 else truth.k_px[shown],
        world_from_camera=truth.world_from_camera[shown],
        up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="the data set's"),
    )
    return forget(recording, set(without) - {"frames"})
