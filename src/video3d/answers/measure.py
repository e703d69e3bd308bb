"""Answers metric questions from measured geometry, with evidence, or says why it cannot."""

from video3d.answers.facts import SceneFacts
from video3d.answers.measure_camera import measure_camera
from video3d.answers.measure_points import measure_points
from video3d.answers.measure_scene import measure_scene
from video3d.answers.measurement import CannotTell, Measurement
from video3d.answers.question import MetricQuestion
from video3d.types import PosedClip

__all__ = ["Measurement", "measure"]


def measure(question: MetricQuestion, clip: PosedClip, facts: SceneFacts) -> Measurement:
    """Measures what a question asks.

    Distances are in ``facts.unit``. Without a metric scale they are in one unknown unit, and the text says so. What is
    not known gives source ``unknown`` and a text that says what is missing; nothing is guessed.

    Args:
        question: from ``parse_question``.
        clip: the frames, at the recording's full size, gravity-aligned; among them ``required_frames(question, ...)``.
        facts: ``scene_facts`` of the same clip.

    >>> import numpy as np
    >>> from video3d.answers.facts import scene_facts
    >>> from video3d.answers.question import parse_question
    >>> from video3d.types import GeometryStatus, World
    >>> clip = PosedClip(frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 6, 8, 3), np.uint8),
    ...     depth_m=np.full((1, 6, 8), 2.0, np.float32), k_px=np.array([[[8.0, 0, 4], [0, 8, 3], [0, 0, 1]]]),
    ...     world_from_camera=np.eye(4)[None], piece=np.array([0]), world=World(metric=True),
    ...     status=GeometryStatus(depth="measured", intrinsics="measured", scale="measured"))
    >>> measure(parse_question("How far is pixel (7, 3)?"), clip, scene_facts(clip)).text[:69]
    'The point at pixel (7, 3) of frame 0 is 2.19 m from the camera in a s'
    """
    try:
        if question.kind.startswith(("point_", "surface_")):
            return measure_points(question, clip, facts)
        if question.kind.startswith("camera_"):
            return measure_camera(question, clip, facts)
        return measure_scene(question, clip, facts)
    except CannotTell as reason:
        return Measurement(
            text=reason.en if question.language == "en" else reason.zh, source="unknown", kind=question.kind
        )
