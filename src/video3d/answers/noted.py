"""What notes are made from: a question's things, found, and the camera that looks."""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.named import Finders
from video3d.answers.named_question import Mention
from video3d.answers.named_say import Located
from video3d.answers.notes_motion import CameraMotion
from video3d.geometry.boxes import level_span_m
from video3d.types import Box3D, PosedClip


class Noted(NamedTuple):
    """What a question names, found.

    Attributes:
        text: of the question, plain, with "#" for every thing.
        names: of the things that were found, in the order of the text.
        things: the same, as they are mentioned.
        places: the same, where they are at the frame asked about.
        position: of the frame that is asked about, in the clip.
        eye: pose of that frame's camera, ``world_from_camera``.
        camera: how the camera moves at the end of the clip.
        clip: the scene.
        facts: of it.
        find: finds things.
        ahead_s: how far into the future the question looks.
        stem: the text without the options to choose from.
        mentions: what each "#" of the stem is, found or not.
        marks: which of the names each "#" of the stem is; None for what was not found.
        options: as the question writes them.
        all_found: whether everything that a question names was found.
        option_things: which names each option has, in its order.
    """

    text: str
    names: list[str]
    things: list[Mention]
    places: list[Located]
    position: int
    eye: Float64[np.ndarray, "4 4"]
    camera: CameraMotion | None
    clip: PosedClip
    facts: SceneFacts
    find: Finders
    ahead_s: float
    stem: str
    mentions: tuple[Mention, ...]
    marks: tuple[int | None, ...]
    options: tuple[str, ...]
    all_found: bool
    option_things: tuple[tuple[int, ...], ...]


Topic = tuple[re.Pattern[str], int, Callable[[Noted], list[str]]]
"""Words that call for it, how many things it needs, and what it says."""


def metres(value: float) -> str:
    """Metres as they are worth saying."""
    return f"{value:.{1 if value >= 10 else 2}f}".rstrip("0").rstrip(".") if value >= 0.005 else "0"


def way_of(turn: float) -> str:
    """A bearing in words, degrees to the left."""
    if abs(turn) < 3:
        return "ahead"
    return f"{abs(turn):.0f} deg {'left' if turn > 0 else 'right'}"


def in_view_frame(box: Box3D, place: Float64[np.ndarray, "2"], heading: float) -> Float64[np.ndarray, "4 2"]:
    """Corners of a box's footprint, ahead and to the left of somebody at a place who looks along a heading (radians)."""
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]]) * box.size_m[:2]
    return level_places(box.center_world[:2] + corners @ box.world_from_box[:2, :2].T, place, heading)


def level_places(
    world: Float64[np.ndarray, "n 2"], place: Float64[np.ndarray, "2"], heading: float
) -> Float64[np.ndarray, "n 2"]:
    """Places on the floor, ahead and to the left of somebody at a place who looks along a heading (radians)."""
    axes = np.array([[math.cos(heading), math.sin(heading)], [-math.sin(heading), math.cos(heading)]])
    return (world - place) @ axes.T


def ends(noted: Noted, low: str, high: str, values: Sequence[float]) -> list[str]:
    """Which is at either end of a scale."""
    if len(noted.names) < 2:
        return []
    order = np.argsort(values, kind="stable")
    return [f"{low}: {noted.names[order[0]]}; {high}: {noted.names[order[-1]]}"]


def span(noted: Noted, place: Located) -> tuple[float, float]:
    """From which height over the floor to which a thing reaches, metres."""
    return level_span_m(place.box, noted.facts.floor_z or 0.0)


_POLAR = re.compile(r"(?:^|[,:.?] |that )(?:is|are|does|do|will|would|can|could|has|have)\b")
_NOT_POLAR = re.compile(
    r"\bor\b(?! (?:fall|drop|topple|lean|move|farther|more|less|not\b|tip|lie))|\b(?:which|what|where|how (?:far|many|much|long|fast|does|do|will))\b"
)


_IT_IS = re.compile(r"\bis (?:the )?# what\b")  # "is the bed what lies between them": asks whether


def polar(noted: Noted) -> bool:
    """Whether a question is answered by yes or no."""
    stem = _IT_IS.sub("is #", noted.stem)
    return not noted.options and _POLAR.search(stem) is not None and _NOT_POLAR.search(stem) is None


def yes_no(holds: bool) -> str:
    """In words."""
    return "yes" if holds else "no"


def the_one(noted: Noted, at: int) -> str:
    """A thing as the option that names it alone, or with its article."""
    for text, things in zip(noted.options, noted.option_things, strict=True):
        if things == (at,):
            return text
    return f"the {noted.names[at]}"


def option_with(noted: Noted, *words: str) -> str | None:
    """The first option that has some words; the words themselves where a question offers none; None where no option has them."""
    for word in words:
        for text in noted.options:
            if word in text.lower():
                return text
    return None if noted.options else words[0]
