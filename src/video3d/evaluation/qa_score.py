"""What an answer is worth: exact for closed answers, mean relative accuracy for numbers, shared volume for boxes.

Each answer has a ``score`` from 0 to 1 and is ``right`` or not:

| answer | score | right |
|---|---|---|
| choice, yes or no, direction, short text | 1 or 0 | the same |
| number | mean relative accuracy | within the row's tolerance or 10 % |
| box | intersection over union | 0.25 or more, as in ScanRefer (Chen et al., arXiv 1912.08830) |
| caption | ROUGE-L | not judged |
"""

import math
from dataclasses import dataclass

import numpy as np

from video3d.data.row import Answer, Box, Choice, Direction, Number, ShortText, YesNo
from video3d.evaluation.qa_parse import Parsed, plain
from video3d.geometry.boxes import iou_3d
from video3d.types import Box3D

RIGHT_IOU = 0.25
_THRESHOLDS = np.arange(10) * 0.05 + 0.5


@dataclass(frozen=True, slots=True)
class Grade:
    """What an answer is worth: ``score`` 0..1; ``right`` None where only the score says something (captions)."""

    score: float
    right: bool | None


WRONG = Grade(0.0, False)


def mean_relative_accuracy(guess: float, truth: float) -> float:
    """Share of the thresholds 0.50, 0.55, ..., 0.95 for which the relative error is at most one minus the threshold.

    Yang et al., "Thinking in Space: How Multimodal Large Language Models See, Remember, and Recall Spaces" (VSI-Bench),
    arXiv 2412.14171, section 3; with <= as in its published code. A truth of 0 is met exactly or not at all.

    >>> mean_relative_accuracy(2.0, 2.0), mean_relative_accuracy(2.5, 2.0), mean_relative_accuracy(4.0, 2.0)
    (1.0, 0.6, 0.0)
    """
    if not (math.isfinite(guess) and math.isfinite(truth)):
        return 0.0
    if truth == 0:
        return float(guess == 0)
    error = abs(guess - truth) / abs(truth)
    return float((error <= 1 - _THRESHOLDS + 1e-9).mean())


def rouge_l(said: str, truth: str) -> float:
    """F-measure of the longest common subsequence of words (Lin, "ROUGE", 2004), precision and recall weighed alike.

    >>> rouge_l("a red car", "the red car")
    1.0
    >>> round(rouge_l("a red car and a bus", "the red car"), 3)
    0.667
    """
    a, b = plain(said).split(), plain(truth).split()
    row = [0] * (len(b) + 1)
    for word in a:
        before, row = row, [0]
        for place, other in enumerate(b):
            row.append(before[place] + 1 if word == other else max(before[place + 1], row[place]))
    return 2 * row[-1] / (len(a) + len(b)) if a and b else 0.0


def box_of(numbers: list[float]) -> Box3D:
    """A box from centre, size (metres) and yaw about +z (radians)."""
    cos, sin = math.cos(numbers[6]), math.sin(numbers[6])
    return Box3D(
        center_world=np.array(numbers[:3], dtype=np.float64),
        size_m=np.array(numbers[3:6], dtype=np.float64),
        world_from_box=np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]),
    )


def grade(parsed: Parsed, answer: Answer, answer_text: str, *, caption: bool = False) -> Grade:
    """What an answer is worth that was read by ``parse_answer``.

    Args:
        parsed: what was read.
        answer: of the row.
        answer_text: of the row, in English.
        caption: the row is a caption.

    >>> grade(2.2, Number(value=2.0, unit="m"), "2 m")
    Grade(score=0.9, right=True)
    """
    if parsed is None:
        return Grade(0.0, None) if caption else WRONG
    match answer:
        case Choice():
            right = parsed == answer.index and not isinstance(parsed, bool)
        case YesNo():
            right = parsed is answer.value
        case Direction():
            right = parsed == answer.value
        case Number():
            assert isinstance(parsed, float)
            allowed = max(answer.tolerance, 0.1 * abs(answer.value))
            return Grade(mean_relative_accuracy(parsed, answer.value), abs(parsed - answer.value) <= allowed + 1e-9)
        case Box():
            if not isinstance(parsed, list):
                return WRONG
            shared = iou_3d(box_of(parsed), box_of([*answer.center_world, *answer.size_m, answer.yaw_rad]))
            return Grade(shared, shared >= RIGHT_IOU)
        case ShortText():
            if caption:
                return Grade(rouge_l(str(parsed), answer_text), None)
            right = parsed in {plain(text) for text in (answer_text, *answer.accept)}
    return Grade(float(right), right)
