"""What a question gets back: words, where they come from, and the evidence."""

from dataclasses import dataclass, field
from typing import Literal

from video3d.types.world import GeometryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number that geometry gave: ``value`` in ``unit`` (``m``, ``deg``, ``m/s``, ``s``, ``frames``, ``x`` when not metric)."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePoint:
    """A place in a frame: ``frame`` indexes the recording, (x, y) in pixels of the recording's frame, centres at +0.5."""

    frame: int
    x_px: float
    y_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the answer rests on: frames (indices into the recording), image points, and world points in metres."""

    frames: tuple[int, ...] = ()
    points_px: tuple[ImagePoint, ...] = ()
    points_world: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to one question.

    Attributes:
        text: the answer in words.
        source: ``measurement`` when the numbers come from the scene's geometry, ``model`` when a model finds where things are,
            or only its words speak, ``unknown`` when neither can tell (the text then says why).
        kind: what was asked, e.g. ``point_distance``; ``open`` for a question that geometry alone does not answer, ``concluded``
            for what follows from where a model finds things, ``concluded_unsure`` where not all of them are surely there.
        quantities: the numbers behind the words, for programs.
        evidence: frames and points.
        geometry: measured, estimated or unknown, for every quantity.
        timings_s: wall time of every step in seconds.
    """

    text: str
    source: Literal["measurement", "model", "unknown"]
    kind: str
    quantities: tuple[Quantity, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    geometry: GeometryStatus = field(default_factory=GeometryStatus)
    timings_s: dict[str, float] = field(default_factory=dict)
