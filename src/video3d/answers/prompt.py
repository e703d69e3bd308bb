"""What the language model reads besides the scene: the measured facts and the question. And which of its words stand.

One template serves training and inference. The question comes last, so that all questions on a scene share a prefix.
"""

import math
import re
from collections.abc import Sequence

from video3d.answers.facts import PathFacts, SceneFacts
from video3d.answers.measurement import Measurement, decimals
from video3d.answers.surfaces import Surface

_MAX_TOPS, _MAX_OBJECTS = 2, 6


def build_prompt(facts: SceneFacts, question_text: str, findings: Sequence[str] = (), notes: Sequence[str] = ()) -> str:
    """The facts of a scene, each with its source, the question on one line, and what is believed of the things that it names.

    The same facts and question always give the same text. About 200 tokens of SmolLM2 besides the question. ``findings`` are
    sentences of the reasoning module, believed and not measured, and stand apart from the facts. ``notes`` are those of
    ``answers.notes``.

    >>> from video3d.answers.facts import SceneFacts
    >>> from video3d.answers.trajectory import Trajectory
    >>> import numpy as np
    >>> from video3d.types import GeometryStatus, World
    >>> empty = np.zeros(0)
    >>> none = Trajectory(
    ...     frame_index=empty.astype(int), time_s=empty, world_from_camera=np.zeros((0, 4, 4)), level=False)
    >>> facts = SceneFacts(
    ...     world=World(), status=GeometryStatus(), unit="x", trajectory=none, num_frames=1, time_s=np.zeros(1))
    >>> print(build_prompt(facts, "What is this?"))
    [VIDEO ANALYSIS]
    depth: unknown
    camera path: unknown
    camera height: unknown
    room: unknown
    surfaces: unknown
    objects: unknown
    [QUESTION]
    What is this?
    """
    believed = ["[BELIEVED, NOT MEASURED]", *findings] if findings else []
    return "\n".join(
        ["[VIDEO ANALYSIS]", *fact_lines(facts), *believed, "[QUESTION]", asked_with(question_text, notes)]
    )


def asked_with(question_text: str, notes: Sequence[str] = ()) -> str:
    r"""The last part of a prompt, which is the question's own: its words on one line, and notes on the things that it names.

    >>> asked_with("Where  is it?", ["frame 3: cup 1.2 m, ahead"])
    'Where is it?\n[ESTIMATED]\nframe 3: cup 1.2 m, ahead'
    """
    question = re.sub(r"\s+", " ", question_text).strip()
    return "\n".join([question, *(["[ESTIMATED]", *notes] if notes else [])])


def fact_lines(facts: SceneFacts) -> tuple[str, ...]:
    """The facts in words: what, where it comes from, numbers with units."""
    unit = facts.unit
    lines = []
    if facts.depth is None:
        lines.append("depth: unknown")
    else:
        near, median, far = (_number(v) for v in (facts.depth.near, facts.depth.median, facts.depth.far))
        lines.append(f"depth ({facts.depth.source}): median {median} {unit}, from {near} to {far} {unit}")
    lines += _path_lines(facts.path, unit, facts)
    if facts.room is None:
        lines.append("room: unknown")
    else:
        sides = " x ".join(_rough(v) for v in (facts.room.length, facts.room.width, facts.room.height))
        lines.append(f"room seen ({facts.scene_source}): {sides} {unit}")
    lines.append(_surface_line(facts))
    lines.append(_object_line(facts))
    return tuple(lines)


def _number(value: float) -> str:
    text = f"{value:.{min(2, decimals(value))}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _rough(value: float) -> str:
    """One decimal, two below 1: sizes of surfaces are no more certain than that, and every digit costs a token."""
    return f"{value:.{1 if value >= 0.95 else 2}f}"


def _path_lines(path: PathFacts | None, unit: str, facts: SceneFacts) -> list[str]:
    if path is None:
        return ["camera path: unknown", "camera height: unknown"]
    line = (
        f"camera path ({path.source}): {_number(path.length)} {unit}, start to end {_number(path.displacement)} {unit}"
    )
    if math.isfinite(path.mean_speed):
        line += f", {path.duration_s:.1f} s, {path.mean_speed:.2f} {unit}/s"
    side = "left" if path.turn_net >= 0 else "right"
    line += f", turns {side} {abs(path.turn_net):.0f} deg"
    if math.isfinite(path.tilt_mean):
        line += f", looks {'up' if path.tilt_mean >= 0 else 'down'} {abs(path.tilt_mean):.0f} deg"
    if not math.isfinite(path.height_mean):
        return [line, "camera height: unknown"]
    low, mean, high = (_number(v) for v in (path.height_min, path.height_mean, path.height_max))
    return [line, f"camera height ({facts.floor_source}): {mean} {unit}, from {low} to {high} {unit}"]


def _surface_line(facts: SceneFacts) -> str:
    if not facts.surfaces:
        return "surfaces: unknown"

    def size(s: Surface) -> str:
        return f"{_rough(s.length)} x {_rough(s.width)} {facts.unit}"

    said = [f"{s.kind} {size(s)}" for s in facts.surfaces if s.kind in ("floor", "ceiling")]
    for top in [s for s in facts.surfaces if s.kind == "top"][:_MAX_TOPS]:
        at = f" at height {_number(top.height)} {facts.unit}" if math.isfinite(top.height) else ""
        said.append(f"level top {size(top)}{at}")
    walls = [s for s in facts.surfaces if s.kind == "wall"]
    if walls:
        said.append(f"{len(walls)} wall{'s' if len(walls) > 1 else ''}, the largest {size(walls[0])}")
    return f"surfaces ({facts.scene_source}): " + "; ".join(said)


def _object_line(facts: SceneFacts) -> str:
    if not facts.objects:
        return "objects: unknown"
    said = []
    for found in sorted(facts.objects, key=lambda d: -d.score)[:_MAX_OBJECTS]:
        sides = " x ".join(_rough(float(v)) for v in found.box.size_m)
        said.append(f"{found.label} {sides} {facts.unit}")
    return "objects (estimated): " + "; ".join(said)


_UNITS = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters", "米"), "m"),
    **dict.fromkeys(("unit", "units", "x", "个单位"), "x"),
    **dict.fromkeys(("degree", "degrees", "deg", "°", "度"), "deg"),
    **dict.fromkeys(
        ("m/s", "metres per second", "meters per second", "metre per second", "meter per second", "米/秒"), "m/s"
    ),
    **dict.fromkeys(("units/s", "单位/秒"), "x/s"),
    **dict.fromkeys(("s", "second", "seconds", "sec", "秒"), "s"),
    **dict.fromkeys(("m²", "m2", "m^2", "square metres", "square meters", "平方米"), "m2"),
    **dict.fromkeys(("m³", "m3", "m^3", "cubic metres", "cubic meters", "立方米"), "m3"),
    **dict.fromkeys(("square units",), "x2"),
    **dict.fromkeys(("cubic units",), "x3"),
    **dict.fromkeys(("frames", "帧"), "frames"),
    **dict.fromkeys(("%", "percent"), "%"),
    **dict.fromkeys(("cm", "centimetres", "centimeters", "厘米"), "cm"),
    **dict.fromkeys(("mm", "millimetres", "millimeters", "毫米"), "mm"),
    **dict.fromkeys(("km", "feet", "ft", "foot", "inches", "inch", "km/h", "mph", "minutes", "minute"), "other"),
}
_UNIT_PATTERN = "|".join(re.escape(u) for u in sorted(_UNITS, key=len, reverse=True))
_NUMBER_AND_UNIT = re.compile(
    rf"(?P<before>frame |pixel \(?|第 ?|\(|, )?(?P<number>\d+(?:\.\d+)?)[ -]?(?P<unit>(?:{_UNIT_PATTERN})(?![a-z]))?"
)
_NUMBER_WORDS = re.compile(
    r"\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|half|quarter|double|twice|"
    r"third|dozen|several|many)\b"
)
_NEGATIONS = re.compile(
    r"\b(?:not|no|never|neither|nor|without|isn't|doesn't|didn't|cannot|can't|wrong|false)\b|不|没|无|非"
)
_PLAIN = (
    "a an the is are was were be of in on at to from by for and or but with that this it its as than about roughly exactly "
    "measured camera point points pixel pixels image frame frames video clip recording viewer scene metres meters metre "
    "meter m s seconds degrees degree has have there which answer so yes no"
)
_PLAIN_WORDS = frozenset(_PLAIN.split())
_WORDS_OF_KIND = {
    kind: frozenset(words.split())
    for kind, words in {
        "point_distance": "far away distance depth range straight line",
        "point_nearer": "nearer closer nearest closest farther further farthest furthest far away distance one",
        "point_to_point": "apart between distance away far straight line",
        "point_height": "height high above over floor ground",
        "point_higher": "higher highest lower lowest above",
        "surface_orientation": "surface plane",
        "camera_height": "height high above over floor ground average mean",
        "camera_travel": "travels travelled traveled moves moved walked path total distance far covers length",
        "camera_displacement": "apart between distance start end positions straight line moves moved away",
        "camera_speed": "speed moves moving average mean fast",
        "camera_turn": "turns turned rotates rotated overall total angle",
        "camera_direction": "moves moved moving goes",
        "camera_tilt": "looks looking tilted pointing angle",
        "camera_moving": "moving moves still stands",
        "camera_reach": "farthest furthest away distance gets starts starting start most",
        "camera_return": "ends end near start started distance away most",
        "camera_higher": "higher lower height",
        "camera_pace": "fastest slowest moves turns between speed",
        "room_size": "room size long wide high length width height area volume covers",
        "depth_range": "distance depth far away nearest closest farthest furthest median mean average",
        "frame_of": "nearest closest highest lowest farthest",
        "duration": "lasts long duration takes",
        "num_frames": "has count",
    }.items()
}


def accept_model_words(model_text: str, measurement: Measurement) -> bool:
    """Whether the model's phrasing of a measured answer may stand; otherwise the measurement's own sentence is used.

    It may stand only if every number in it is one that the measurement prints, with the same value, unit and digits,
    the number that answers the question is there, the choice (left, nearer, a pixel) is the measured one and its
    opposite is not named, nothing is negated that the measurement does not negate, and no word is new that is not plain
    talk about the quantity asked for: a colour, an object or another quantity would be the model's invention.

    >>> from video3d.answers.measurement import Measurement
    >>> found = Measurement(
    ...     text="The point at pixel (3, 4) of frame 0 is 1.88 m from the camera.",
    ...     source="measurement", kind="point_distance", key="1.88 m")
    >>> accept_model_words("It is 1.88 m away.", found), accept_model_words("It is 1.9 m away.", found)
    (True, False)
    >>> accept_model_words("The red mug is 1.88 m away.", found)
    False
    """
    said, truth = _normal(model_text), _normal(measurement.text)
    if said == truth:
        return measurement.source == "measurement"
    if measurement.source != "measurement" or not said or len(said) > 2 * len(truth) + 80:
        return False
    if _NUMBER_WORDS.search(said) and not set(_NUMBER_WORDS.findall(said)) <= set(_NUMBER_WORDS.findall(truth)):
        return False
    if _NEGATIONS.search(said) and not set(_NEGATIONS.findall(said)) <= set(_NEGATIONS.findall(truth)):
        return False
    printed = _numbers(truth)
    if not _numbers(said) <= printed:
        return False
    if measurement.key and not _numbers(_normal(measurement.key)) <= _numbers(said):
        return False
    if measurement.text[:3] in ("Yes", "No:") and not said.startswith(truth[:2]):
        return False
    if not _choice_agrees(said, truth, measurement):
        return False
    words = set(re.findall(r"[a-z]+(?:'[a-z]+)?", said)) - set(re.findall(r"[a-z]+(?:'[a-z]+)?", truth))
    words -= _PLAIN_WORDS | _WORDS_OF_KIND.get(measurement.kind, frozenset())
    characters = set(re.findall(r"[\u4e00-\u9fff]", said)) - set(re.findall(r"[\u4e00-\u9fff]", truth))
    return not words and not characters - set("的是为在离距到相机约共大")


def _normal(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().lower().replace("’", "'")


def _numbers(text: str) -> set[tuple[str, str]]:
    """Numbers as written, without trailing zeros lost, each with its unit; frames and pixels apart from lengths."""
    found = set()
    for match in _NUMBER_AND_UNIT.finditer(text):
        unit = _UNITS.get((match["unit"] or "").strip(), "")
        if not unit and (match["before"] or "").startswith(("frame", "第")):
            unit = "frame"
        found.add((match["number"], unit))
    return found


def _choice_agrees(said: str, truth: str, measurement: Measurement) -> bool:
    choice, others = measurement.choice.lower(), [w.lower() for w in measurement.not_chosen]
    if not choice:
        return True
    if choice not in said:
        return False
    if "pixel" in choice or "像素" in choice:  # the chosen pixel comes first, and is called what was measured
        if any(other in said and said.index(other) < said.index(choice) for other in others):
            return False
        comparatives = {
            "near": r"nearer|closer|nearest|closest|近",
            "far": r"farther|further|farthest|furthest|远",
            "high": r"higher|highest|更高",
            "low": r"lower|lowest|更低",
        }
        used = {name for name, pattern in comparatives.items() if re.search(pattern, said)}
        return len(used) == 1 and used <= {name for name, pattern in comparatives.items() if re.search(pattern, truth)}
    # "78 degrees to the left and 70 degrees to the right in all" names both sides, and may be repeated as it stands.
    alone = re.sub(r"\d+ degrees to the (?:left|right)", lambda m: "" if m[0] in truth else m[0], said)
    if choice not in alone:
        return False
    return not any(
        re.search(rf"\b{re.escape(other)}\b" if other.isascii() else re.escape(other), alone) for other in others
    )
