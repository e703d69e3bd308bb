"""What a measurement says: a sentence, the numbers behind it, and what they rest on; and how numbers are written."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from video3d.answers.facts import SceneFacts
from video3d.answers.question import MetricQuestion
from video3d.types import Evidence, Quantity, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The answer of geometry to one question.

    Attributes:
        text: a sentence or two in the question's language.
        source: ``measurement``, or ``unknown``: the text then says why, and what would do.
        kind: of the question.
        quantities: the numbers, unrounded.
        evidence: frames and points.
        key: the number as it is printed in the text that answers the question, e.g. ``1.88 m``; "" for a mere choice.
        choice: the word or pixel that answers the question, e.g. ``left``; "" without a choice.
        not_chosen: what would contradict the choice, e.g. ``right``.
        basis: measured or estimated.
    """

    text: str
    source: Literal["measurement", "unknown"]
    kind: str
    quantities: tuple[Quantity, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    key: str = ""
    choice: str = ""
    not_chosen: tuple[str, ...] = ()
    basis: Status = "unknown"


class CannotTell(Exception):  # noqa: N818  (not an error: an answer)
    """Geometry does not know; holds the reason in English and Chinese. Never leaves ``measure``."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh
        super().__init__(en)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Writes numbers and sentences in the language of a question and the unit of a world."""

    language: Literal["en", "zh"]
    unit: str

    def say(self, en: str, zh: str) -> str:
        """The sentence in the question's language."""
        return en if self.language == "en" else zh

    def length(self, value: float) -> str:
        """A length: two decimals, three below 10 cm, one from 10 m.

        >>> speak = Speaker(language="en", unit="m")
        >>> speak.length(1.876), speak.length(0.0312), speak.length(18.49), Speaker(language="zh", unit="x").length(2.0)
        ('1.88 m', '0.031 m', '18.5 m', '2.00 个单位')
        """
        number = f"{value:.{decimals(value)}f}"
        if float(number) == 0:
            number = number.lstrip("-")
        name = {"m": ("m", "米")}.get(self.unit, ("units", "个单位"))
        return f"{number} {name[self.language == 'zh']}"

    def angle(self, value: float) -> str:
        """An angle in whole degrees."""
        return self.say(f"{abs(value):.0f} degrees", f"{abs(value):.0f} 度")

    def seconds(self, value: float) -> str:
        """A time, to a tenth of a second."""
        return self.say(f"{value:.1f} s", f"{value:.1f} 秒")

    def speed(self, value: float) -> str:
        """A speed, two decimals."""
        name = self.say("m/s" if self.unit == "m" else "units/s", "米/秒" if self.unit == "m" else "单位/秒")
        return f"{value:.2f} {name}"

    def frame(self, index: int) -> str:
        """A frame by its index in the recording."""
        return self.say(f"frame {index}", f"第{index}帧")

    def relative(self) -> str:
        """What must be said of lengths without a scale; nothing in a metric world."""
        if self.unit == "m":
            return ""
        return self.say(
            " The scale of this recording is not known: lengths are in one unknown unit, only their ratios are right.",
            "该录像的尺度未知：长度以某个未知单位表示，只有比值可信。",
        )


def decimals(value: float) -> int:
    """How many decimals a length is given."""
    size = abs(value)
    return 3 if 0 < size < 0.095 else 2 if size < 9.995 else 1 if size < 99.95 else 0


def quantity(name: str, value: float | int | np.floating, unit: str) -> Quantity:
    """A quantity as a plain float, whatever kind of number it was."""
    return Quantity(name=name, value=float(value), unit=unit)


def finite(values: tuple[Quantity, ...] | list[Quantity]) -> tuple[Quantity, ...]:
    """The quantities that are known."""
    return tuple(q for q in values if math.isfinite(q.value))


def speaker(question: MetricQuestion, facts: SceneFacts) -> Speaker:
    """Who speaks the question's language and the world's unit."""
    return Speaker(language=question.language, unit=facts.unit)
