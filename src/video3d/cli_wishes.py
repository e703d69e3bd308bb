"""What a command may say of a task beside its query: goals, sizes, the robot, the camera's height. For ``analyze`` and ``view``; and what sees things, and their masks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from video3d.types import InputError
from video3d.types.detector import EMBEDDED

if TYPE_CHECKING:
    from video3d.analysis import Options

Sees = Annotated[
    str,
    Parameter(
        name="--detector",
        help="What sees things in pictures besides nano: yolov4-tiny, which comes along, none, or a folder or Hugging Face id of OWL-ViT, OWLv2 or Grounding DINO.",
    ),
]
Masks = Annotated[
    str,
    Parameter(
        name="--segmenter",
        help="What tells things from the rest of the detector's boxes: none, or a folder or Hugging Face id of SAM, SAM-HQ or SAM 2.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWishes:
    """Options of a task; what is not given follows from the query, or is usual."""

    goal: Annotated[
        str | None,
        Parameter(
            name="--goal", help="Where a path leads: X,Y in the world, or a thing's name.", allow_leading_hyphen=True
        ),
    ] = None
    start: Annotated[
        str | None,
        Parameter(
            name="--start",
            help="Where it begins, alike; by default where the camera is last.",
            allow_leading_hyphen=True,
        ),
    ] = None
    robot_radius: Annotated[float | None, Parameter(name="--robot-radius", help="Metres.")] = None
    robot_height: Annotated[float | None, Parameter(name="--robot-height", help="Metres.")] = None
    max_step: Annotated[
        float | None, Parameter(name="--max-step", help="The highest edge that the robot climbs, metres.")
    ] = None
    size: Annotated[
        str | None, Parameter(name="--size", help="Of the thing to place: A,B,C, along, across and up, metres.")
    ] = None
    clearance: Annotated[
        float | None, Parameter(name="--clearance", help="Free distance around the thing to place, metres.")
    ] = None
    camera_height: Annotated[
        float | None,
        Parameter(name="--camera-height", help="Of the camera over the road, metres: it gives a drive its scale."),
    ] = None
    detector: Annotated[
        str | None,
        Parameter(
            name="--detector",
            help="One more detector, asked for what the query names: a folder or Hugging Face id of OWL-ViT, OWLv2 or Grounding DINO. none: no detector at all, not even yolov4-tiny, which comes along.",
        ),
    ] = None
    segmenter: Masks = "none"

    def options(self) -> "Options":
        """As ``analyze`` takes them.

        Raises:
            InputError: a size that is not three lengths.
        """
        return {
            "goal": None if self.goal is None else _place(self.goal),
            "start": None if self.start is None else _place(self.start),
            "robot_radius": self.robot_radius,
            "robot_height": self.robot_height,
            "max_step": self.max_step,
            "size": None if self.size is None else _size(self.size),
            "clearance": self.clearance,
            "camera_height": self.camera_height,
            "detector": None if self.detector in ("none", EMBEDDED) else self.detector,
        }

    @property
    def sees(self) -> str:
        """What is to see things in pictures whatever is asked, as ``load`` takes it."""
        return "none" if self.detector == "none" else EMBEDDED


NO_WISHES = TaskWishes()


def _place(text: str) -> "str | tuple[float, float]":
    parts = text.split(",")
    try:
        x, y = (float(part) for part in parts)
    except ValueError:
        return text
    return (x, y)


def _size(text: str) -> tuple[float, float, float]:
    try:
        a, b, c = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            "--size", expected="three lengths A,B,C in metres", got=repr(text[:60]), do="for example 0.3,0.2,0.4"
        ) from error
    return (a, b, c)
