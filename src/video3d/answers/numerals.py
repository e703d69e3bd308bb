"""Numbers as people write them: digits, English number words, Chinese numerals."""

import re

_UNIT_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {word: value for value, word in enumerate(_UNIT_WORDS.split())}
_TENS = {word: 10 * value for value, word in enumerate(_TEN_WORDS.split(), start=2)}
_WORD = "(?:" + "|".join(sorted([*_UNITS, *_TENS], key=len, reverse=True)) + ")"
_WORDS = rf"{_WORD}(?:[ -]{_WORD})?(?: hundred(?: (?:and )?{_WORD}(?:[ -]{_WORD})?)?)?\b"

WHOLE = rf"(?>\d+|{_WORDS})"
"""Pattern of a whole number in digits or English words up to 999; it holds no group."""
NUMBER = rf"(?>\d+(?:\.\d+)?|{_WORDS})"
"""Pattern of a number >= 0 in digits or English words; it holds no group."""

_CHINESE_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
CHINESE_NUMBER = "[零〇一二两三四五六七八九十百]+"
"""Pattern of a Chinese numeral up to 999."""


def read_number(text: str) -> float:
    """The value of what ``NUMBER`` matches.

    >>> read_number("twenty-five"), read_number("one hundred and twelve"), read_number("5.2")
    (25.0, 112.0, 5.2)
    """
    try:
        return float(text)
    except ValueError:
        pass
    total = 0
    for word in re.findall("[a-z]+", text):
        if word == "hundred":
            total *= 100
        else:
            total += _UNITS.get(word, _TENS.get(word, 0))
    return float(total)


def read_chinese(text: str) -> float:
    """The value of a Chinese numeral up to 999.

    >>> read_chinese("十二"), read_chinese("一百零五"), read_chinese("三十")
    (12.0, 105.0, 30.0)
    """
    total, digit = 0, 0
    if "十" not in text and "百" not in text:
        for char in text:
            total = 10 * total + _CHINESE_DIGITS[char]
        return float(total)
    for char in text:
        if char in "十百":
            total += max(digit, 1 if not total or char == "十" else 0) * (10 if char == "十" else 100)
            digit = 0
        else:
            digit = _CHINESE_DIGITS[char]
    return float(total + digit)


UNITS = r"(?:square |cubic )?(?:(?:centi|milli|kilo)?met(?:re|er)s?|[ckm]?m|feet|foot|inch(?:es)?|yards?|miles?|degrees?|seconds?|minutes?|hours?|kilos?|kilograms?|lit(?:re|er)s?)"
"""Pattern of what is measured and not counted: "how many metres"."""
