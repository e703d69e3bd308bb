"""Judges depth estimators on a recording with measured depth: errors, consistency over time, honesty, time and memory.

Notable: each estimator runs in a process of its own, so that its peak memory is its own and one that dies takes no other
with it. Predictions live in memory a frame at a time and are never written; what is kept of a frame are its errors, a
map of at most ``SMALL_PX`` across for consistency, and a sample of pixels for calibration.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from video3d.evaluation.depth_consistency import CalibrationBin, Consistency, calibration, consistency
from video3d.evaluation.depth_metrics import (
    MAX_DEPTH_M,
    MIN_DEPTH_M,
    MIN_PIXELS,
    Alignment,
    DepthErrors,
    align,
    alignments_of,
    depth_errors,
    mean_errors,
    median_scale,
    truth_mask,
)
from video3d.evaluation.depth_predictors import (
    FramePrediction,
    PosesFrom,
    is_known_name,
    load_predictor,
    true_depth,
)
from video3d.geometry.resize import resize_depth
from video3d.geometry.rigid import scale_k
from video3d.types import InputError, Recording
from video3d.types.depth import FACTOR_KINDS, DepthKind
from video3d.video import open_recording, register_colour, sample_uniform

SMALL_PX = 320  # width of the maps that consistency is measured on: neighbouring pixels say the same
CELL_PX = 220  # width of a picture on the contact sheet
NUM_SHOWN = 4  # frames on the contact sheet
CALIBRATION_PX = 5000  # pixels of a frame that vote on calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedErrors:
    """Errors after one way of aligning, averaged over ``num_images`` that could be judged."""

    alignment: Alignment
    errors: DepthErrors
    num_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One frame on the contact sheet: depth in metres after the first alignment, and error / truth; NaN unknown."""

    depth_m: Float32[np.ndarray, "h w"]
    error_rel: Float32[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorResult:
    """What was found about one estimator.

    Attributes:
        name: as the user named it.
        licence: of its weights.
        kind: what its values are.
        metric: whether it says metres.
        rows: errors by alignment, those that its kind allows; empty if no image could be judged.
        scale: median over images of the factor that median alignment found, None for values without one scale.
        scale_spread: standard deviation of its logarithm over images: how much the unit wanders from frame to frame.
        consistency: between neighbouring frames under the true poses, in metres (as said if metric; else one fit for
            the whole clip, so that what wanders shows). None without poses, intrinsics or order in time.
        calibration: error of ln depth after the first alignment, by tenths of stated uncertainty; None if none is stated.
        load_s: seconds until it was ready.
        seconds_per_frame: median over frames, without reading them; for the whole-clip kind its share of the whole.
        peak_memory_bytes: main memory of the process at its highest, of the largest if there were several; None if
            the estimator shared a process.
        notes: what the reader must know.
        shown: frames of the contact sheet.
    """

    name: str
    licence: str
    kind: DepthKind
    metric: bool
    rows: tuple[AlignedErrors, ...]
    scale: float | None
    scale_spread: float | None
    consistency: Consistency | None
    calibration: tuple[CalibrationBin, ...] | None
    load_s: float
    seconds_per_frame: float
    peak_memory_bytes: int | None
    notes: tuple[str, ...]
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthReport:
    """Several estimators on one recording.

    Attributes:
        source: what was judged on.
        frame_index: frames of the recording.
        poses: where ``video`` had its poses from.
        max_depth_m: truth beyond it is not judged, predictions beyond it are moved to it.
        truth_consistency: of the measured depth itself: what a perfect estimator would get.
        results: in the order asked for.
        shown_index: frames of the recording on the contact sheet.
        shown_rgb: their colours.
        shown_truth_m: their truth.
    """

    source: str
    frame_index: tuple[int, ...]
    poses: PosesFrom
    max_depth_m: float
    truth_consistency: Consistency | None
    results: tuple[EstimatorResult, ...]
    shown_index: tuple[int, ...]
    shown_rgb: tuple[UInt8[np.ndarray, "h w 3"], ...]
    shown_truth_m: tuple[Float32[np.ndarray, "h w"], ...]


def evaluate_depth(
    source: str | Path,
    estimators: Sequence[str],
    *,
    num_frames: int = 32,
    poses: PosesFrom = "given",
    max_depth_m: float = MAX_DEPTH_M,
    isolate: bool = True,
) -> DepthReport:
    """Judges estimators by the depth that a recording measured.

    Args:
        source: a path of a recording with measured depth.
        estimators: names, see ``video3d.evaluation.depth_predictors``.
        num_frames: frames, evenly spread.
        poses: for ``video``: as the recording gives them, or forgotten and estimated.
        max_depth_m: see ``DepthReport``.
        isolate: each estimator in a process of its own. False is for estimators that only this process knows; then no
            peak memory is told.

    Raises:
        InputError: the source has no measured depth or cannot be read, an estimator is unknown or cannot be loaded.

    >>> evaluate_depth("nowhere", ["constant"])
    Traceback (most recent call last):
    video3d.types.errors.InputError: nowhere: expected a file or folder, got nothing there
    """
    _check_names(estimators)
    recording = register_colour(open_recording(source))
    frames = sample_uniform(recording.num_frames, num_frames)
    judge = _Judge(recording, frames, max_depth_m)
    rgb, truths = judge.shown_inputs()
    return DepthReport(
        source=str(source),
        frame_index=tuple(frames.tolist()),
        poses=poses,
        max_depth_m=max_depth_m,
        truth_consistency=judge.truth_consistency(),
        results=tuple(_run(isolate, (str(source), name, num_frames, poses, max_depth_m)) for name in estimators),
        shown_index=tuple(int(frames[i]) for i in judge.shown),
        shown_rgb=rgb,
        shown_truth_m=truths,
    )


def _check_names(estimators: Sequence[str]) -> None:
    expected = "names among nano, video, constant, position, folders and hub ids (OWNER/NAME), separated by commas"
    if not estimators:
        raise InputError("--estimators", expected=expected, got="none")
    for i, name in enumerate(estimators):
        if not is_known_name(name):
            raise InputError("--estimators", expected=expected, got=name or "an empty name")
        if name in estimators[:i]:
            raise InputError("--estimators", expected="every name once", got=f"{name} twice")


_Job = tuple[str, str, int, PosesFrom, float]


def _run(isolate: bool, job: _Job) -> EstimatorResult:
    if not isolate:
        return _evaluate_one(*job, own_process=False)
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    # Spawned and not forked: a fork would begin with this process's memory.
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_evaluate_one, *job, own_process=True).result()
        except BrokenProcessPool as error:
            raise InputError(
                job[1], expected="an estimator that fits in memory", got="its process died", do="give fewer --frames"
            ) from error


def _evaluate_one(
    source: str, name: str, num_frames: int, poses: PosesFrom, max_depth_m: float, *, own_process: bool
) -> EstimatorResult:
    recording = register_colour(open_recording(source))
    frames = sample_uniform(recording.num_frames, num_frames)
    return _Judge(recording, frames, max_depth_m).result(name, poses, own_process=own_process)


class _Judge:
    """One recording's frames, and what is kept of them."""

    def __init__(self, recording: Recording, frames: Int64[np.ndarray, "f"], max_depth_m: float) -> None:
        self.recording, self.frames, self.max_m = recording, frames, max_depth_m
        true_depth(recording, int(frames[0]))  # says at once if there is none
        height, width = recording.depth_size_hw or recording.size_hw
        self.hw = (height, width)
        self.small_hw, self.cell_hw = (_within((height, width), most) for most in (SMALL_PX, CELL_PX))
        self.shown = sorted(set(np.linspace(0, len(frames) - 1, NUM_SHOWN).round().astype(int).tolist()))
        truths = [resize_depth(true_depth(recording, int(frame))[None], self.small_hw)[0] for frame in frames]
        self.small_truth: Float32[np.ndarray, "f h w"] = np.stack(truths)
        if sum(int(self._mask(truth).sum()) for truth in truths) < MIN_PIXELS:
            raise InputError(
                recording.source,
                expected=f"measured depth between {MIN_DEPTH_M:g} and {max_depth_m:g} m",
                got="hardly a pixel of it",
                do="give a larger --max-depth",
            )

    def _mask(self, truth: Float32[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        return truth_mask(truth, max_m=self.max_m)

    def shown_inputs(
        self,
    ) -> tuple[tuple[UInt8[np.ndarray, "h w 3"], ...], tuple[Float32[np.ndarray, "h w"], ...]]:
        """Colour and truth of the frames on the sheet, small."""
        from PIL import Image

        rgb, truths = [], []
        for i in self.shown:
            frame = int(self.frames[i])
            picture = Image.fromarray(self.recording.load_rgb([frame])[0])
            rgb.append(np.asarray(picture.resize((self.cell_hw[1], self.cell_hw[0]), Image.Resampling.BOX)))
            truths.append(resize_depth(true_depth(self.recording, frame)[None], self.cell_hw)[0])
        return tuple(rgb), tuple(truths)

    def truth_consistency(self) -> Consistency | None:
        """How well the measured depth agrees with itself under the recording's poses."""
        return self._consistency(self.small_truth)

    def _consistency(self, depth: Float32[np.ndarray, "f h w"] | Float64[np.ndarray, "f h w"]) -> Consistency | None:
        recording = self.recording
        if recording.k_px is None or recording.world_from_camera is None or not recording.sequence:
            return None
        k_px = scale_k(recording.k_px[self.frames], recording.size_hw, self.small_hw)
        judged = np.stack([self._mask(truth) for truth in self.small_truth])
        return consistency(depth, k_px, recording.world_from_camera[self.frames], judged)

    def result(self, name: str, poses: PosesFrom, *, own_process: bool) -> EstimatorResult:
        """Runs one estimator over the frames."""
        predictor = load_predictor(name, self.recording, self.frames, poses)
        kept = _Kept()
        said = None
        for position, frame in enumerate(self.frames):
            started = time.perf_counter()
            said = predictor.predict(position)
            kept.seconds.append(time.perf_counter() - started)
            truth = true_depth(self.recording, int(frame))
            values = resize_depth(said.values[None], self.hw)[0]
            self._judge_frame(kept, said, values, truth, position)
        assert said is not None  # a recording has a frame
        rows: list[AlignedErrors] = []
        for how in alignments_of(said.kind, metric=said.metric):
            errors = kept.errors.get(how, [])
            if (mean := mean_errors(errors)) is not None:
                rows.append(AlignedErrors(alignment=how, errors=mean, num_images=len(errors)))
        scales = np.log(np.array(kept.scales)) if kept.scales else np.zeros(0)
        seconds = np.median(kept.seconds) if predictor.clip_s is None else predictor.clip_s / len(self.frames)
        return EstimatorResult(
            name=predictor.name,
            licence=predictor.licence,
            kind=said.kind,
            metric=said.metric,
            rows=tuple(rows),
            scale=float(np.exp(np.median(scales))) if len(scales) else None,
            scale_spread=float(np.std(scales)) if len(scales) else None,
            consistency=self._consistency(self._in_metres(np.stack(kept.small), said)),
            calibration=calibration(*map(np.concatenate, (kept.log_error, kept.log_sigma))) if kept.log_error else None,
            load_s=predictor.load_s,
            seconds_per_frame=float(seconds),
            peak_memory_bytes=peak_memory_bytes() if own_process else None,
            notes=predictor.notes,
            shown=tuple(kept.shown),
        )

    def _judge_frame(
        self,
        kept: "_Kept",
        said: FramePrediction,
        values: Float32[np.ndarray, "h w"],
        truth: Float32[np.ndarray, "h w"],
        position: int,
    ) -> None:
        first: Float64[np.ndarray, "h w"] | None = None
        for how in alignments_of(said.kind, metric=said.metric):
            depth = align(values, truth, said.kind, how, max_m=self.max_m)
            first = depth if first is None else first
            errors = depth_errors(depth, truth, max_m=self.max_m)
            if errors is not None:
                kept.errors.setdefault(how, []).append(errors)
        assert first is not None  # every kind has an alignment
        judged = self._mask(truth)
        if said.kind in FACTOR_KINDS:
            scale = median_scale(values, truth, judged)
            kept.scales += [scale] if np.isfinite(scale) and scale > 0 else []
        kept.small.append(resize_depth(values[None], self.small_hw)[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            if said.log_sigma is not None:
                sigma = resize_depth(said.log_sigma[None], self.hw)[0]
                log_error = np.log(np.clip(first, MIN_DEPTH_M, self.max_m)) - np.log(truth.astype(np.float64))
                usable = np.flatnonzero(judged & np.isfinite(sigma) & np.isfinite(first))
                chosen = usable[:: max(1, len(usable) // CALIBRATION_PX)]
                kept.log_error.append(log_error.reshape(-1)[chosen])
                kept.log_sigma.append(sigma.reshape(-1)[chosen].astype(np.float64))
            if position in self.shown:
                error = np.where(judged, np.abs(first - truth) / truth, np.nan).astype(np.float32)
                cells = [resize_depth(m.astype(np.float32)[None], self.cell_hw)[0] for m in (first, error)]
                kept.shown.append(Shown(depth_m=cells[0], error_rel=cells[1]))

    def _in_metres(
        self, values: Float32[np.ndarray, "f h w"], said: FramePrediction
    ) -> Float32[np.ndarray, "f h w"] | Float64[np.ndarray, "f h w"]:
        """Metres as said, else by one fit over the clip: a fit for every frame would mend what is inconsistent."""
        how = alignments_of(said.kind, metric=said.metric)[0]
        return align(values, self.small_truth, said.kind, how, max_m=self.max_m)


class _Kept:
    """What is kept of the frames while they go by."""

    def __init__(self) -> None:
        self.errors: dict[Alignment, list[DepthErrors]] = {}
        self.small: list[Float32[np.ndarray, "h w"]] = []
        self.seconds: list[float] = []
        self.scales: list[float] = []
        self.log_error: list[Float64[np.ndarray, "n"]] = []
        self.log_sigma: list[Float64[np.ndarray, "n"]] = []
        self.shown: list[Shown] = []


def _within(hw: tuple[int, int], most_px: int) -> tuple[int, int]:
    """A size of the same shape, at most so wide."""
    wide = min(hw[1], most_px)
    return max(1, round(hw[0] * wide / hw[1])), wide


def peak_memory_bytes() -> int | None:
    """Resident memory of this process at its highest so far, or of its largest child; None where the system won't say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin with what the parent had when it started this process
        own = next(
            (int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM:")), own
        )
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)
