"""What the 3D reasoning module is asked about and what it finds, as numbers and as sentences for a prompt.

Everything is in the world's frame (right-handed, +z up); lengths are metres where the world is metric, else in its one
unknown unit, written ``x``. Scores are what the module believes, 0..1: not measurements.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.types.errors import InputError
from video3d.types.scene import Box3D, Detection

RELATIONS = ("left", "right", "front", "behind", "above", "below", "on", "inside", "near", "far")
"""What one thing may be, relative to another."""
OBSERVER_RELATIONS = ("left", "right", "front", "behind")
"""Those that are meant as an observer sees them ("relative frame of reference", Levinson, "Space in Language and
Cognition", 2003); the others need nobody."""
METRIC_RELATIONS = ("near", "far")
"""Those that a world without metric scale cannot tell."""

_WORDS = {
    "left": "left of",
    "right": "right of",
    "front": "in front of",
    "behind": "behind",
    "above": "above",
    "below": "below",
    "on": "on",
    "inside": "inside",
    "near": "near",
    "far": "far from",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What a question refers to: a point, or an upright box.

    Attributes:
        name: what it is called in sentences, with its article or without: ``the red chair``, ``table``.
        center_world: the point, or the box's centre.
        size_m: full extents of the box along its own axes; None for a point.
        yaw_rad: by which the box is turned about +z.
    """

    name: str
    center_world: Float64[np.ndarray, "3"]
    size_m: Float64[np.ndarray, "3"] | None = None
    yaw_rad: float = 0.0

    def __post_init__(self) -> None:
        """A thing without a place cannot be reasoned about, nor a box without extents."""
        if not np.isfinite(self.center_world).all() or not math.isfinite(self.yaw_rad):
            raise InputError(
                self.name,
                expected="a place in the world, three finite numbers",
                got=f"{self.center_world.tolist()}, yaw {self.yaw_rad}",
                do="choose a pixel whose depth and pose are known, or give the place",
            )
        if self.size_m is not None and not bool((np.isfinite(self.size_m) & (self.size_m > 0)).all()):
            raise InputError(
                self.name,
                expected="three finite extents > 0",
                got=self.size_m.tolist(),
                do="give the box's full extents, or leave them out for a point",
            )

    @classmethod
    def of_box(cls, name: str, box: Box3D) -> "Thing":
        """A box as a thing; one that leans is replaced by the upright box around it.

        >>> box = Box3D(center_world=np.zeros(3), size_m=np.array([1.0, 2, 3]), world_from_box=np.eye(3))
        >>> Thing.of_box("the chest", box).size_m.tolist()
        [1.0, 2.0, 3.0]
        """
        # The axis that lies flattest gives the heading, so that a box on its side keeps its long edge.
        flattest = int(np.argmin(np.abs(box.world_from_box[2])))
        if abs(box.world_from_box[2, 0]) < 1e-6:
            flattest = 0
        x, y = box.world_from_box[:2, flattest]
        yaw = math.atan2(y, x)
        upright_from_world = np.array(
            [[math.cos(yaw), math.sin(yaw), 0.0], [-math.sin(yaw), math.cos(yaw), 0.0], [0.0, 0.0, 1.0]]
        )
        size = np.abs(upright_from_world @ box.world_from_box) @ box.size_m
        return cls(name=name, center_world=box.center_world, size_m=size, yaw_rad=yaw)

    @property
    def said(self) -> str:
        """Its name with an article."""
        return (
            self.name if self.name.lower().startswith(("the ", "a ", "an ", "this ", "that ")) else f"the {self.name}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Who sees: where they are, and the direction they look in, as an angle about +z from the world's x axis."""

    position_world: Float64[np.ndarray, "3"]
    yaw_rad: float

    def __post_init__(self) -> None:
        """Half an observer sees nothing."""
        if not np.isfinite(self.position_world).all() or not math.isfinite(self.yaw_rad):
            raise InputError(
                "observer",
                expected="a finite position and heading",
                got=f"{self.position_world.tolist()}, {self.yaw_rad}",
                do="choose a frame whose pose is known",
            )

    @classmethod
    def of_pose(cls, world_from_camera: Float64[np.ndarray, "4 4"]) -> "Observer":
        """The observer at a camera (OpenCV axes: z forward).

        >>> pose = np.eye(4)
        >>> pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]  # looks along the world's x
        >>> Observer.of_pose(pose).yaw_rad
        0.0
        """
        ahead = world_from_camera[:3, 2]
        if not float(np.hypot(ahead[0], ahead[1])) > 0.1:
            raise InputError(
                "observer",
                expected="a camera that looks somewhat level, so that left and right have a meaning",
                got=f"viewing direction {ahead.tolist()}",
                do="choose another frame",
            )
        return cls(
            position_world=world_from_camera[:3, 3].astype(np.float64),
            yaw_rad=math.atan2(float(ahead[1]), float(ahead[0])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationFinding:
    """How one thing stands to another.

    Attributes:
        subject: what the sentence is about, as it is said.
        reference: what it is compared with.
        relations: the classes that were asked, of ``RELATIONS``.
        scores: of each, 0..1; several may hold.
        score_threshold: from which score a class holds.
        frame: ``observer`` where left, right, front and behind were asked (they are the observer's; the others are the
            same for everyone), ``world`` where not.
    """

    subject: str
    reference: str
    relations: tuple[str, ...]
    scores: tuple[float, ...]
    score_threshold: float
    frame: Literal["observer", "world"]

    @property
    def holding(self) -> tuple[tuple[str, float], ...]:
        """Classes that hold, with their scores, the surest first."""
        held = [(n, s) for n, s in zip(self.relations, self.scores, strict=True) if s >= self.score_threshold]
        return tuple(sorted(held, key=lambda pair: -pair[1]))

    def lines(self) -> tuple[str, ...]:
        """One sentence for every class that holds.

        >>> asked = dict(relations=("left", "near"), scores=(0.831, 0.2), score_threshold=0.5, frame="observer")
        >>> RelationFinding(subject="the chair", reference="the table", **asked).lines()
        ('The chair is left of the table (0.83), seen from the observer.',)
        """
        return tuple(
            f"{_sentence(self.subject)} is {_WORDS[name]} {self.reference} ({score:.2f})"
            + (", seen from the observer." if name in OBSERVER_RELATIONS else ".")
            for name, score in self.holding
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutFinding:
    """Objects of the scene, the surest first.

    Attributes:
        detections: category, oriented box in the world's frame (turned about +z by -90 to 90 degrees: a box turned by
            half is the same box) and score.
        metric: whether lengths are metres.
    """

    detections: tuple[Detection, ...]
    metric: bool

    def lines(self) -> tuple[str, ...]:
        """One sentence for every object.

        >>> box = Box3D(center_world=np.array([1.0, 2, 0.5]), size_m=np.ones(3), world_from_box=np.eye(3))
        >>> LayoutFinding(detections=(Detection(box=box, label="chair", score=0.9),), metric=True).lines()
        ('A chair of 1.00 x 1.00 x 1.00 m stands at (1.00, 2.00, 0.50) m, turned by 0 degrees (0.90).',)
        """
        unit = "m" if self.metric else "x"
        found = []
        for detection in self.detections:
            box = detection.box
            size = " x ".join(f"{side:.2f}" for side in box.size_m)
            place = ", ".join(f"{value:.2f}" for value in box.center_world + 0.0)
            turned = round(math.degrees(math.atan2(box.world_from_box[1, 0], box.world_from_box[0, 0])))
            article = "An" if detection.label[:1].lower() in "aeiou" else "A"
            found.append(
                f"{article} {detection.label} of {size} {unit} stands at ({place}) {unit}, turned by {turned} degrees "
                f"({detection.score:.2f})."
            )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicsFinding:
    """What a thing does now and next.

    Attributes:
        subject: as it is said.
        stable_score: that it stays standing.
        still_score: that it is not moving.
        direction_world: unit vector in which it moves if it does.
        events: what may happen next, the configuration's ``events``; empty where it has none.
        event_scores: of each; they sum to 1.
        score_threshold: from which score something is said.
        seen_from: observer in whose words the direction is said; None: the world's axes.
    """

    subject: str
    stable_score: float
    still_score: float
    direction_world: tuple[float, float, float]
    events: tuple[str, ...]
    event_scores: tuple[float, ...]
    score_threshold: float
    seen_from: Observer | None = None

    def lines(self) -> tuple[str, ...]:
        """One sentence each for stability, motion and the next event, where the score allows one.

        >>> found = PhysicsFinding(
        ...     subject="the ball",
        ...     stable_score=0.1,
        ...     still_score=0.2,
        ...     direction_world=(0.0, 1.0, 0.0),
        ...     events=("falls", "stays"),
        ...     event_scores=(0.7, 0.3),
        ...     score_threshold=0.5,
        ...     seen_from=Observer(position_world=np.zeros(3), yaw_rad=0.0),
        ... )
        >>> for line in found.lines():
        ...     print(line)
        The ball is not stable (0.90).
        The ball moves to the left (0.80), seen from the observer.
        What happens next to the ball: falls (0.70).
        """
        name, found = _sentence(self.subject), []
        for score, words in ((self.stable_score, "is stable"), (1 - self.stable_score, "is not stable")):
            if score >= self.score_threshold and score > 0.5:
                found.append(f"{name} {words} ({score:.2f}).")
        if self.still_score >= self.score_threshold and self.still_score > 0.5:
            found.append(f"{name} is not moving ({self.still_score:.2f}).")
        elif 1 - self.still_score >= self.score_threshold:
            found.append(f"{name} moves {self._direction_words(1 - self.still_score)}")
        if self.events:
            best = int(np.argmax(self.event_scores))
            if self.event_scores[best] >= self.score_threshold:
                found.append(
                    f"What happens next to {self.subject}: {self.events[best]} ({self.event_scores[best]:.2f})."
                )
        return tuple(found)

    def _direction_words(self, score: float) -> str:
        x, y, z = self.direction_world
        if abs(z) > math.hypot(x, y):
            return f"{'up' if z > 0 else 'down'} ({score:.2f})."
        if self.seen_from is None:
            return f"along ({x:.2f}, {y:.2f}, {z:.2f}) in the world's axes ({score:.2f})."
        turn = math.degrees(math.atan2(y, x) - self.seen_from.yaw_rad)
        words = ("away", "to the left", "nearer", "to the right")[round(turn / 90) % 4]
        return f"{words} ({score:.2f}), seen from the observer."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
