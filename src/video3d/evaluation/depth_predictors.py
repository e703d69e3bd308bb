"""What ``depth-eval`` can judge, behind one shape: a frame in, its depth out.

| name | what it is |
|---|---|
| ``nano``, a hub id, a folder | a depth network, one frame at a time, with the recording's intrinsics where it has them |
| the same, VGGT or Depth Anything 3 | all frames of the clip at once, in windows |
| ``video``, ``video:NAME`` | depth of the whole clip: geometry completed with depth forgotten, prior ``nano`` or NAME |
| ``constant`` | one number for every pixel: the median of the truth it is judged by. An oracle |
| ``position`` | a map for every frame: the median of the truth at each place of the image over the other frames. An oracle |

The two oracles know the answers of the very recording and nothing of the picture: what a network adds is what it gains
over them. ``position`` leaves out a quarter of the clip around the frame (``NUM_BLOCKS``), because the frames before and
after are nearly the frame itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from video3d.geometry.resize import resize_depth
from video3d.types import InputError, PosedClip, Recording
from video3d.types.depth import DEPTH_OF_VIEWS, DepthEstimate, DepthKind, JointDepthEstimator
from video3d.video import forget, read_clip

PosesFrom = Literal["given", "estimated"]

NUM_BLOCKS = 4
PLACES_PX = 160  # width of the map of places that ``position`` knows
SAMPLES = 4096  # pixels of a frame whose median stands for the frame's


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePrediction:
    """What a predictor says about one frame.

    Attributes:
        values: at the size of the frame or of the truth; NaN where it says nothing.
        kind: what the values are (see ``video3d.types.depth``).
        metric: whether depth is in metres; depth in a unit of its own is right up to one factor.
        log_sigma: stated standard deviation of ln depth, or None.
    """

    values: Float32[np.ndarray, "h w"]
    kind: DepthKind
    metric: bool
    log_sigma: Float32[np.ndarray, "h w"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Something that can be judged.

    Attributes:
        name: as the user named it.
        licence: of its weights, as their card states it; ``none needed`` without weights.
        predict: position in the clip -> what it says about that frame.
        load_s: seconds until it was ready, weights read.
        clip_s: seconds of work on the whole clip before the first frame came, None for one that takes frames singly.
        notes: what a reader of its numbers must know.
    """

    name: str
    licence: str
    predict: Callable[[int], FramePrediction]
    load_s: float
    clip_s: float | None = None
    notes: tuple[str, ...] = field(default=())


def is_known_name(name: str) -> bool:
    """Whether a name may stand for an estimator; whether a network of that name exists only loading it tells.

    >>> is_known_name("nano"), is_known_name("video:none"), is_known_name("intel/dpt-large"), is_known_name("mono")
    (True, True, True, False)
    """
    if name in ("nano", "video", "constant", "position", DEPTH_OF_VIEWS):
        return True
    network = name.removeprefix("video:")
    return bool(network) and (network == "nano" or "/" in network or Path(network).is_dir())


def load_predictor(name: str, recording: Recording, frames: Int64[np.ndarray, "f"], poses: PosesFrom) -> Predictor:
    """The predictor of a name for some frames of a recording with depth.

    Raises:
        InputError: no such estimator, or its weights cannot be read.
    """
    if name == "constant":
        return _constant(recording, frames)
    if name == "position":
        return _position(recording, frames)
    if name == "video" or name.startswith("video:"):
        return _video(name, recording, frames, poses)
    return _network(name, recording, frames)


def _network(name: str, recording: Recording, frames: Int64[np.ndarray, "f"]) -> Predictor:
    from video3d.depth_network import load_depth

    started = time.perf_counter()
    estimator = load_depth(name)
    if estimator is None:
        raise InputError("--estimators", expected="something that estimates depth", got=name)
    load_s = time.perf_counter() - started

    def ask(chosen: Int64[np.ndarray, "c"]) -> DepthEstimate:
        k_px = None if recording.k_px is None else recording.k_px[chosen]
        known = k_px is not None and bool(np.isfinite(k_px).all())
        return estimator(recording.load_rgb(chosen.tolist()), k_px if known else None)

    def of_frame(said: DepthEstimate, at: int) -> FramePrediction:
        sigma = None if said.log_sigma is None else said.log_sigma[at]
        return FramePrediction(values=said.values[at], kind=said.kind, metric=estimator.metric, log_sigma=sigma)

    if isinstance(estimator, JointDepthEstimator) and estimator.window > 1:
        started = time.perf_counter()
        together = ask(frames)
        return Predictor(
            name=name, licence=estimator.licence, load_s=load_s, clip_s=time.perf_counter() - started,
            predict=lambda position: of_frame(together, position),
            notes=(f"looked at {min(len(frames), estimator.window)} frames together",),
        )  # fmt: skip
    return Predictor(
        name=name, licence=estimator.licence, load_s=load_s,
        predict=lambda position: of_frame(ask(frames[position : position + 1]), 0),
    )  # fmt: skip


def _video(name: str, recording: Recording, frames: Int64[np.ndarray, "f"], poses: PosesFrom) -> Predictor:
    from video3d.depth_network import load_depth
    from video3d.estimate.complete import complete_geometry
    from video3d.estimate.depth import depth_parts
    from video3d.estimate.reconstruction import missing_camera

    started = time.perf_counter()
    prior = load_depth(depth_parts(name)[0])
    load_s = time.perf_counter() - started
    notes: list[str] = []
    if recording.world_from_camera is None and poses == "given":
        notes.append("the recording gives no poses: they were estimated")
    lacking = forget(recording, {"depth"} if poses == "given" else {"depth", "poses"})
    started = time.perf_counter()
    clip = read_clip(lacking, indices=frames)
    camera = missing_camera(lacking, include=frames.tolist())
    posed: PosedClip = complete_geometry(clip, depth_estimator=prior, camera=camera)
    clip_s = time.perf_counter() - started
    notes += posed.status.notes

    def predict(position: int) -> FramePrediction:
        sigma = None if posed.depth_log_sigma is None else posed.depth_log_sigma[position]
        return FramePrediction(
            values=posed.depth_m[position], kind="metric_depth", metric=posed.world.metric, log_sigma=sigma
        )

    licence = "none needed" if prior is None else prior.licence
    return Predictor(
        name=name, licence=licence, predict=predict, load_s=load_s, clip_s=clip_s, notes=tuple(dict.fromkeys(notes))
    )


def _constant(recording: Recording, frames: Int64[np.ndarray, "f"]) -> Predictor:
    started = time.perf_counter()
    samples = []
    for frame in frames:
        known = true_depth(recording, int(frame))
        known = known[np.isfinite(known)]
        samples.append(known[:: max(1, len(known) // SAMPLES)])
    middle = np.float32(np.median(np.concatenate(samples)))
    height, width = recording.depth_size_hw or recording.size_hw
    said = FramePrediction(values=np.full((height, width), middle, np.float32), kind="metric_depth", metric=True)
    note = f"oracle: every pixel is {middle:.2f} m, the median of the truth it is judged by"
    return Predictor(
        name="constant", licence="none needed", predict=lambda _: said, load_s=time.perf_counter() - started,
        notes=(note,),
    )  # fmt: skip


def _position(recording: Recording, frames: Int64[np.ndarray, "f"]) -> Predictor:
    if len(frames) < 2:
        raise InputError("--frames", expected="at least 2 for position, which learns from the others", got=len(frames))
    started = time.perf_counter()
    height, width = recording.depth_size_hw or recording.size_hw
    wide = min(width, PLACES_PX)
    small_hw = (max(1, round(height * wide / width)), wide)
    truths = np.concatenate([resize_depth(true_depth(recording, int(frame))[None], small_hw) for frame in frames])
    blocks = np.arange(len(frames)) * min(NUM_BLOCKS, len(frames)) // len(frames)
    maps = {}
    for block in np.unique(blocks):
        others = truths[blocks != block]
        known = np.isfinite(others).any(axis=0)
        place = np.full(small_hw, np.nan, np.float32)
        if known.any():
            place[known] = np.nanmedian(others[:, known], axis=0)
            place[~known] = np.nanmedian(others)  # a place that no other frame measured
        maps[int(block)] = resize_depth(place[None], (height, width))[0]
    note = (
        f"oracle: the median truth at each of {small_hw[1]}x{small_hw[0]} places over the clip, less the "
        f"{'quarter' if len(maps) == NUM_BLOCKS else 'part'} that the frame is in"
    )
    one = FramePrediction(values=maps[0], kind="metric_depth", metric=True)
    return Predictor(
        name="position", licence="none needed", load_s=time.perf_counter() - started, notes=(note,),
        predict=lambda position: replace(one, values=maps[int(blocks[position])]),
    )  # fmt: skip


def true_depth(recording: Recording, frame: int) -> Float32[np.ndarray, "h w"]:
    """Measured depth of one frame of a recording that has it."""
    if recording.load_depth_m is None:
        raise InputError(
            recording.source,
            expected="a recording with measured depth, to judge by",
            got="none",
            do="name an RGB-D recording (see docs/recordings.md)",
        )
    return recording.load_depth_m([frame])[0]
