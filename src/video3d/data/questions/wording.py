"""Wording: templates in English and Chinese, and answers with their words.

A template holds slots in braces: ``{a}`` takes a :class:`Said`, a ``Reference`` or anything with ``en`` and ``zh``, and is filled
in each language by its own words. Sentences begin with a capital whatever fills their first slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from video3d.data.row import Choice, Direction, Number, Text, YesNo

_T = TypeVar("_T")


@runtime_checkable
class Bilingual(Protocol):
    """Anything with words in both languages."""

    @property
    def en(self) -> str:
        """English."""
        ...

    @property
    def zh(self) -> str:
        """Chinese."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """The same words in English and Chinese."""

    en: str
    zh: str

    @property
    def text(self) -> Text:
        """As a row holds it."""
        return {"en": self.en, "zh": self.zh}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wordings:
    """Ways to ask one thing: at least four in English and three in Chinese."""

    en: tuple[str, ...]
    zh: tuple[str, ...]

    def __post_init__(self) -> None:
        """Too few ways would let a model learn the sentence instead of the question."""
        if len(set(self.en)) < 4 or len(set(self.zh)) < 3:
            raise ValueError(f"needs >= 4 English and >= 3 Chinese wordings, got {len(self.en)} and {len(self.zh)}")

    def render(self, rng: np.random.Generator, **slots: Bilingual | str | int) -> Text:
        """One wording in each language, drawn independently, with its slots filled.

        >>> ways = Wordings(en=("Where is {a}?",) + tuple("123"), zh=("{a}在哪里？",) + tuple("12"))
        >>> Wordings.fill(ways.en[0], ways.zh[0], a=Said("the cup", "杯子")).text
        {'en': 'Where is the cup?', 'zh': '杯子在哪里？'}
        """
        return self.fill(pick(rng, self.en), pick(rng, self.zh), **slots).text

    @staticmethod
    def fill(en: str, zh: str, **slots: Bilingual | str | int) -> Said:
        """One sentence in each language with its slots filled."""
        in_en = {name: slot if isinstance(slot, str | int) else slot.en for name, slot in slots.items()}
        in_zh = {name: slot if isinstance(slot, str | int) else slot.zh for name, slot in slots.items()}
        return Said(capitalized(en.format(**in_en)), zh.format(**in_zh))


def capitalized(sentence: str) -> str:
    """The sentence with a capital first letter, the rest as it is.

    >>> capitalized("the TV is on")
    'The TV is on'
    """
    return sentence[:1].upper() + sentence[1:]


def article(bare_en: str) -> str:
    """The words with a or an.

    >>> article("armchair"), article("red ball"), article("SUV")
    ('an armchair', 'a red ball', 'an SUV')
    """
    spoken_vowel = bare_en[:1].lower() in "aeiou" or bare_en.startswith(("SUV", "hour"))
    return f"an {bare_en}" if spoken_vowel and not bare_en.startswith(("uni", "use", "one")) else f"a {bare_en}"


def pick(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    """One item at random."""
    return items[int(rng.integers(len(items)))]


def shuffled(rng: np.random.Generator, items: Sequence[_T]) -> list[_T]:
    """All items in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))]


def at_most(rng: np.random.Generator, items: Sequence[_T], count: int) -> list[_T]:
    """A random few, in random order."""
    return shuffled(rng, items)[:count]


def at_frame(frame: int, num_frames: int) -> Said:
    """How to name a frame: "in the last frame" / "在最后一帧中"; frames in between are numbered from 1.

    >>> at_frame(-1, 16).en, at_frame(6, 16).en
    ('in the last frame', 'in frame 7 of 16')
    """
    frame %= num_frames
    if num_frames == 1:
        return Said("in the picture", "在画面中")
    if frame == num_frames - 1:
        return Said("in the last frame", "在最后一帧中")
    if frame == 0:
        return Said("in the first frame", "在第一帧中")
    return Said(f"in frame {frame + 1} of {num_frames}", f"在第{frame + 1}帧（共{num_frames}帧）中")


def yes_no(value: bool, zh: tuple[str, str] = ("是", "不是")) -> tuple[YesNo, Text]:
    """A yes or a no with its words; Chinese answers with the question's own verb ("会", "不会").

    >>> yes_no(False, ("会", "不会"))[1]
    {'en': 'no', 'zh': '不会'}
    """
    return YesNo(value=value), {"en": "yes" if value else "no", "zh": zh[0] if value else zh[1]}


def choice(rng: np.random.Generator, options: Sequence[Bilingual], right: int) -> tuple[Choice, Text]:
    """A choice among options in random order.

    Args:
        rng: orders them.
        options: in any order.
        right: which of them is right.
    """
    order = [int(i) for i in rng.permutation(len(options))]
    texts: list[Text] = [{"en": options[i].en, "zh": options[i].zh} for i in order]
    return Choice(options=texts, index=order.index(right)), {"en": options[right].en, "zh": options[right].zh}


_UNITS = {
    "m": Said("{} m", "{}米"),
    "m2": Said("{} square metres", "{}平方米"),
    "m/s": Said("{} m/s", "{}米/秒"),
    "s": Said("{} s", "{}秒"),
    "deg": Said("{} degrees", "{}度"),
    "count": Said("{}", "{}"),
}


def number(value: float | int, unit: str, tolerance: float | int = 0.0, *, digits: int = 1) -> tuple[Number, Text]:
    """A number with its unit, rounded to what a person would say; counts have no digits.

    >>> number(1.234, "m", 0.2)[1]
    {'en': '1.2 m', 'zh': '1.2米'}
    """
    rounded = round(float(value), 0 if unit == "count" else digits)
    shown = f"{rounded:.{0 if unit == 'count' else digits}f}"
    said = _UNITS[unit]
    answer = Number.model_validate({"value": rounded, "unit": unit, "tolerance": round(float(tolerance), 3)})
    return answer, {"en": said.en.format(shown), "zh": said.zh.format(shown)}


DIRECTIONS: dict[str, Said] = {
    "ahead": Said("straight ahead", "正前方"),
    "ahead-left": Said("ahead to the left", "左前方"),
    "left": Said("to the left", "左边"),
    "behind-left": Said("behind to the left", "左后方"),
    "behind": Said("behind", "后方"),
    "behind-right": Said("behind to the right", "右后方"),
    "right": Said("to the right", "右边"),
    "ahead-right": Said("ahead to the right", "右前方"),
    "up": Said("up", "向上"),
    "down": Said("down", "向下"),
    "still": Said("it stays still", "静止不动"),
}


def direction(word: str, angle_deg: float | int | None = None) -> tuple[Direction, Text]:
    """A direction with its words; the angle is 0 ahead and positive to the left."""
    rounded = None if angle_deg is None else round(float(angle_deg), 1)
    return Direction.model_validate({"value": word, "angle_deg": rounded}), DIRECTIONS[word].text
