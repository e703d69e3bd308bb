"""The words for things: one vocabulary of categories and colours that the simulator, every source and every question share.

One line of ``category_table`` is one category. A question needs a thing's English name and plural, its Chinese name and measure
word, whether it can be counted and whether people agree which side is its front. The sources need the other direction: what a
label of ScanNet (raw and NYU40 names), nuScenes, KITTI, AI2-THOR, Habitat, Isaac Sim, COCO or a furniture catalogue is called here.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast, get_args

from video3d.category_table import TABLE

ObjectKind = Literal["furniture", "prop", "experiment", "structure", "vehicle", "person", "animal", "plant", "sign"]
_RGB = {
    "red": ("红色", (0.80, 0.10, 0.10)),
    "orange": ("橙色", (0.95, 0.50, 0.08)),
    "yellow": ("黄色", (0.96, 0.86, 0.12)),
    "green": ("绿色", (0.13, 0.58, 0.20)),
    "blue": ("蓝色", (0.12, 0.28, 0.80)),
    "purple": ("紫色", (0.48, 0.16, 0.62)),
    "pink": ("粉色", (0.96, 0.52, 0.70)),
    "brown": ("棕色", (0.40, 0.23, 0.11)),
    "white": ("白色", (0.94, 0.94, 0.93)),
    "grey": ("灰色", (0.50, 0.50, 0.51)),
    "black": ("黑色", (0.05, 0.05, 0.06)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What a sort of thing is called and what may be asked of it.

    Attributes:
        name: English, singular, lower case; the value of ``ObjectTruth.category``.
        zh: Chinese.
        measure_zh: the measure word that stands between a number and ``zh``: 三把椅子.
        plural: English.
        kind: what sort of object it is.
        has_front: people agree on a front, so "in front of the sofa" has a meaning wherever the orientation is known.
        countable: "how many" may be asked of it.
        aliases: other names for it, of people and of data sets, lower case.
    """

    name: str
    zh: str
    measure_zh: str
    plural: str
    kind: ObjectKind
    has_front: bool
    countable: bool
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """A colour word with the colour that nobody would call otherwise (sRGB, 0..1)."""

    name: str
    zh: str
    rgb: tuple[float, float, float]


def pluralise(noun: str) -> str:
    """The regular English plural.

    >>> [pluralise(n) for n in ("cup", "box", "bench", "lorry", "tray")]
    ['cups', 'boxes', 'benches', 'lorries', 'trays']
    """
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _read_table(table: str) -> tuple[Category, ...]:
    joined = re.sub(r"\n\|", ",", table.strip())
    rows = []
    for line in joined.splitlines():
        names, chinese, flags, aliases = (cell.strip() for cell in line.split("|"))
        name, _, plural = names.partition("/")
        zh, _, measure = chinese.partition("/")
        kind, *marks = flags.split()
        if kind not in get_args(ObjectKind) or not set(marks) <= {"front", "mass"}:
            raise ValueError(f"vocabulary: {line}")
        rows.append(
            Category(
                name=name,
                zh=zh,
                measure_zh=measure or "个",
                plural=plural or pluralise(name),
                kind=cast(ObjectKind, kind),
                has_front="front" in marks,
                countable="mass" not in marks,
                aliases=tuple(a.strip() for a in aliases.split(",")),
            )
        )
    return tuple(rows)


def _index(categories: tuple[Category, ...]) -> dict[str, Category]:
    index: dict[str, Category] = {}
    for entry in categories:
        for name in (entry.name, *entry.aliases):
            if name in index and index[name] is not entry:
                raise ValueError(f"vocabulary: {name} is both {index[name].name} and {entry.name}")
            index[name] = entry
    for entry in categories:  # plurals yield to names
        index.setdefault(entry.plural, entry)
    return index


CATEGORIES: tuple[Category, ...] = _read_table(TABLE)
ROUND = frozenset({"ball", "football", "soccer ball", "basketball", "sphere", "marble", "orange", "apple"})
"""Categories that roll, and turn as they do, so that their lean says nothing."""
MOVING = ("vehicle", "person", "animal", "experiment")
"""Kinds of things that may be elsewhere in another frame: where they are is asked of the frames around."""
DRIVEN = ("toy car", "toy train", "tricycle")
"""Other things that drive about, where somebody lets them."""
BROADER = {
    "office chair": "chair",
    "armchair": "chair",
    "high chair": "chair",
    "desk": "table",
    "coffee table": "table",
    "monitor": "tv",
    "van": "car",
    "basketball": "ball",
    "soccer ball": "ball",
}
"""Categories that are a sort of another: who sees a chair may be looking at an armchair."""
LARGEST_M = {
    "person": 2.3,
    "dog": 1.5,
    "cat": 1.0,
    "bicycle": 2.5,
    "motorcycle": 3.0,
    "car": 6.5,
    "van": 7.5,
    "truck": 20.0,
    "bus": 20.0,
}
"""How long or tall a thing of a category may be that is seen from afar, in metres: with room to spare."""
COLORS: tuple[Color, ...] = tuple(Color(name=name, zh=zh, rgb=rgb) for name, (zh, rgb) in _RGB.items())
_BY_NAME = _index(CATEGORIES)
_COLOR_BY_NAME = {color.name: color for color in COLORS}
# What no question names: labels of the data sets that stand for nothing in particular.
_NOTHING = frozenset(
    {"misc", "dontcare", "object", "otherfurniture", "otherstructure", "otherprop", "unknown", "unannotated", "remove"}
    | {"none", "void", "objects", "undefined", "furniture", "appliances", "structure"}
)
# Names that say too little, or something else, at the end of a longer phrase: a bicycle rack is no shelf, a flag post no pole.
_NOT_HEADS = frozenset(
    {
        "rack",
        "screen",
        "display",
        "board",
        "step",
        "steps",
        "post",
        "stone",
        "frame",
        "range",
        "cap",
        "mobile",
        "present",
    }
    | {
        "hood",
        "remote",
        "washer",
        "container",
        "drawer",
        "drawers",
        "partition",
        "divider",
        "disc",
        "cube",
        "roof",
        "seating",
    }
    | {
        "marker",
        "slope",
        "torch",
        "range",
        "man",
        "rider",
        "island",
        "drum",
        "bin",
        "bath",
        "frames",
        "garbage",
        "blind",
    }
    | {
        "wall",
        "ceiling",
        "floor",
        "ground",
        "house",
        "tower",
        "switch",
        "pot",
        "pan",
        "cone",
        "cycle",
        "football",
        "train",
    }
)


def category(name: str) -> Category:
    """The category of a name or an alias of it. Errors: ``KeyError``.

    >>> category("couch").name, category("sofa").zh
    ('sofa', '沙发')
    """
    return _BY_NAME[name]


def color(name: str) -> Color:
    """The colour of an English word. Errors: ``KeyError``."""
    return _COLOR_BY_NAME[name]


@lru_cache(maxsize=4096)
def normalise(raw_name: str) -> str | None:
    """The vocabulary's name for a label of a data set or a catalogue; None where it has none.

    Tried in order: the label as it is; without case, underscores and CamelCase; without a plural, a number or brackets; then
    without its first words one by one, since English ends a noun phrase with its head ("wooden dining table").

    >>> [normalise(n) for n in ("vehicle.car", "Person_sitting", "DiningTable", "office chairs", "old oak table 2", "DontCare")]
    ['car', 'person', 'table', 'office chair', 'table', None]
    """
    name = raw_name.strip()
    if found := _BY_NAME.get(name.lower()):
        return found.name
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    name = re.sub(r"\(.*?\)|#.*$|[|].*$", " ", name.lower())
    name = re.sub(r"[_\-/.\s]+", " ", name)
    name = re.sub(r"(\s\d+|(?<=[a-z])\d+)+\s*$", "", name.strip()).strip()
    if not name or name in _NOTHING:
        return None
    words = name.split()
    for start in range(len(words)):
        phrase = " ".join(words[start:])
        for form in (phrase, re.sub(r"s$", "", phrase), re.sub(r"es$", "", phrase), re.sub(r"ies$", "y", phrase)):
            if (found := _BY_NAME.get(form)) and not (start and form in _NOT_HEADS):
                return found.name
    return None


def may_move(name: str) -> bool:
    """Whether things of a name move by themselves, or drive about where somebody lets them.

    >>> may_move("dog"), may_move("toy car"), may_move("sofa")
    (True, True, False)
    """
    return category(name).kind in MOVING or name in DRIVEN
