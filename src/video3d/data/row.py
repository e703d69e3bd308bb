"""One row a question: the published schema of Video-3D-QA, validated whenever a row is read or written.

A line of ``train.jsonl`` is one :class:`Row`. Its clip (frames, depth, masks, camera, objects) is stored beside it and found by
``clip_id``; see ``video3d.data.store``.
"""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

QuestionType = Literal["relation", "layout", "physics", "action", "grounding", "caption"]
Language = Literal["en", "zh"]
Frame = Literal["observer", "world", "object", "none"]

SCHEMA_VERSION = "1.0"
MIX: dict[str, float] = {"relation": 0.30, "layout": 0.25, "physics": 0.20, "action": 0.25}
"""Share of each type among the questions of the four types (grounding and caption rows come on top)."""

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Text = dict[Language, Words]
"""The same words in one or more languages; ``en`` is always there."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Choice(_Strict):
    """One of several options, in the order in which they are offered."""

    kind: Literal["choice"] = "choice"
    options: Annotated[list[Text], Field(min_length=2, max_length=8)]
    index: Annotated[int, Field(ge=0, le=7)]

    @model_validator(mode="after")
    def _in_range(self) -> "Choice":
        if self.index >= len(self.options):
            raise ValueError(f"index {self.index} of {len(self.options)} options")
        return self


class Number(_Strict):
    """A number with its unit; ``count`` for how many. Right within ``tolerance`` (same unit) by the generator's own margin."""

    kind: Literal["number"] = "number"
    value: Finite
    unit: Literal["m", "m2", "m/s", "s", "deg", "count"]
    tolerance: Annotated[float, Field(ge=0, le=1e6)] = 0.0


class Direction(_Strict):
    """A direction: its word, and the angle behind it in degrees, 0 ahead, positive to the left (the house's yaw)."""

    kind: Literal["direction"] = "direction"
    value: Literal[
        "ahead",
        "ahead-left",
        "left",
        "behind-left",
        "behind",
        "behind-right",
        "right",
        "ahead-right",
        "up",
        "down",
        "still",
    ]
    angle_deg: Finite | None = None


class Box(_Strict):
    """An oriented box in the world frame: centre and full extents in metres, turned by ``yaw_rad`` about +z."""

    kind: Literal["box"] = "box"
    center_world: Annotated[list[Finite], Field(min_length=3, max_length=3)]
    size_m: Annotated[list[Finite], Field(min_length=3, max_length=3)]
    yaw_rad: Annotated[float, Field(ge=-math.pi - 1e-6, le=math.pi + 1e-6)] = 0.0

    @model_validator(mode="after")
    def _has_volume(self) -> "Box":
        if min(self.size_m) <= 0:
            raise ValueError(f"size_m {self.size_m} must be > 0")
        return self


class YesNo(_Strict):
    """Yes (true) or no."""

    kind: Literal["yes_no"] = "yes_no"
    value: bool


class ShortText(_Strict):
    """A few words, or a caption; ``accept`` are other wordings that count as right (English)."""

    kind: Literal["text"] = "text"
    accept: list[Words] = []


Answer = Annotated[Choice | Number | Direction | Box | YesNo | ShortText, Field(discriminator="kind")]


class Row(_Strict):
    """One question.

    Attributes:
        row_id: unique in the data set.
        clip_id: the clip that shows it.
        scene_id: the room or place; decides the split.
        source: ``simulated``, ``scannet``, ...
        licence: SPDX id or the source's own terms.
        split: train, val or test.
        type: relation, layout, physics, action; grounding (phrase -> box) and caption besides.
        subtype: what exactly is asked, e.g. ``relation.nearer``.
        frame: in whose frame the words are: the observer's at a stated frame, the world's, an object's own, or none needed.
        question: the words, by language.
        answer: typed; its words are in ``answer_text``.
        answer_text: the answer in words, by language.
        object_ids: the objects it speaks of, in the order in which they are named.
        evidence_frames: frames (0 is the first shown) in which what it needs is seen.
        domain: indoor or street.
        seed: of the simulator.
        annotator: who wrote or corrected it; None for the generator.
    """

    row_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,120}$")]
    clip_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    scene_id: Annotated[str, Field(min_length=1, max_length=100)]
    source: Annotated[str, Field(min_length=1, max_length=40)]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    split: Literal["train", "val", "test"]
    domain: Literal["indoor", "street"]
    type: QuestionType
    subtype: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z0-9_]+$")]
    frame: Frame = "none"
    question: Text
    answer: Answer
    answer_text: Text
    object_ids: list[int] = []
    evidence_frames: list[Annotated[int, Field(ge=0, le=100_000)]] = []
    seed: int | None = None
    annotator: str | None = None

    @model_validator(mode="after")
    def _speaks_english(self) -> "Row":
        for name, text in (("question", self.question), ("answer_text", self.answer_text)):
            if "en" not in text:
                raise ValueError(f"{name} needs 'en'")
        if not self.subtype.startswith(self.type + "."):
            raise ValueError(f"subtype {self.subtype} does not belong to type {self.type}")
        return self
