"""Questions about recordings with their answers in a file, asked as a user asks them: what a person wrote from looking.

One JSON object a line, ``#`` begins a remark:

    {"recording": "kitchen", "question": "Is there a kettle?", "answer": "yes"}
    {"recording": "kitchen", "question": "How many monitors are on the desk?", "answer": 2}
    {"recording": "kitchen", "question": "How wide is the table?", "answer": 1.2, "unit": "m", "tolerance": 0.15}
    {"recording": "kitchen", "question": "Which is nearer to the window?", "options": ["the sink", "the mug"], "answer": "the mug"}
    {"recording": "kitchen", "question": "What colour is the sofa?", "answer": "grey", "accept": ["gray", "dark grey"]}

``recording`` is a path from a root folder, ``id`` and ``unit`` (``count`` where there is none) are optional. An answer of free
words is right if it holds the wanted words, or others that are accepted.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from video3d.data.presented import with_options
from video3d.data.row import Answer, Choice, ShortText
from video3d.evaluation.qa_parse import Parsed, parse_answer, plain
from video3d.evaluation.qa_score import grade
from video3d.pipeline import Video3D
from video3d.scene import Scene
from video3d.types import InputError

_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


class _Line(BaseModel):
    """A line of the file, as it was written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = ""
    recording: str = Field(min_length=1, max_length=1000)
    question: str = Field(min_length=1, max_length=4000)
    answer: bool | float | str | None = None
    unit: Literal["m", "m2", "m/s", "s", "deg", "count"] = "count"
    tolerance: float = Field(default=0.0, ge=0)
    options: list[str] = []
    accept: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a file: ``answer_text`` is the right answer in words, ``recording`` as it was written."""

    id: str
    recording: str
    question: str
    answer: Answer
    answer_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A question, what was said and by whom (``measurement``, ``model``, ``unknown``), what was read, and what it is worth."""

    question: Question
    said: str
    source: str
    parsed: Parsed
    score: float
    right: bool
    latency_s: float


def read_questions(path: Path) -> list[Question]:
    """The questions of a file.

    Raises:
        InputError: naming the line that is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, expected="questions, one JSON object a line", got=error) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        thing = f"{path}, line {number}"
        try:
            written = _Line.model_validate_json(line)
            answer, text = _answer(written)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            got = f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}"
            raise InputError(thing, expected="a question with recording, question and answer", got=got) from error
        except ValueError as error:
            raise InputError(thing, expected="an answer that fits the question", got=error) from error
        name = written.id or f"line {number}"
        found.append(
            Question(id=name, recording=written.recording, question=written.question, answer=answer, answer_text=text)
        )
    if not found:
        raise InputError(path, expected="questions, one JSON object a line", got="none")
    return found


def _answer(line: _Line) -> tuple[Answer, str]:
    if line.options:
        return _choice(line.options, str(line.answer))
    if isinstance(line.answer, bool) or (isinstance(line.answer, str) and plain(line.answer) in ("yes", "no")):
        yes = line.answer if isinstance(line.answer, bool) else plain(line.answer) == "yes"
        return _ANSWER.validate_python({"kind": "yes_no", "value": yes}), "yes" if yes else "no"
    if isinstance(line.answer, float):
        return _number(line.answer, line.unit, line.tolerance)
    if not line.answer:
        raise ValueError("none")
    return ShortText(accept=line.accept), str(line.answer)


def _choice(options: Sequence[str], answer: str) -> tuple[Answer, str]:
    if answer not in options:
        raise ValueError(f"{answer!r}, which is none of the options")
    return Choice(options=[{"en": option} for option in options], index=list(options).index(answer)), answer


def _number(value: float, unit: str, tolerance: float) -> tuple[Answer, str]:
    answer = _ANSWER.validate_python({"kind": "number", "value": value, "unit": unit, "tolerance": tolerance})
    return answer, f"{value:g}" if unit == "count" else f"{value:g} {unit}"


def ask_questions(
    engine: Video3D,
    questions: Sequence[Question],
    root: Path,
    *,
    path: Literal["model", "words", "product"] = "product",
    num_frames: int = 32,
    each: Callable[[Answered], None] | None = None,
) -> list[Answered]:
    """Asks them one by one, those of a recording together, and gives the answers in the order of the questions.

    Args:
        engine: the path around a model.
        questions: from ``read_questions``.
        root: where recordings lie.
        path: ``product``: as a user gets it; ``model``: what the model concludes or says; ``words``: its language model alone.
        num_frames: of a recording.
        each: called with every answer when it is there.

    Raises:
        InputError: a recording that cannot be read.
    """
    answered: dict[int, Answered] = {}
    kept: tuple[str, Scene] | None = None
    for at in sorted(range(len(questions)), key=lambda at: questions[at].recording):
        asked = questions[at]
        source, words = root / asked.recording, with_options(asked.question, asked.answer)
        started = time.perf_counter()
        if path == "product":
            found = engine.ask(source, words, num_frames=num_frames)
            said, by = found.text, found.source
        else:
            if kept is None or kept[0] != asked.recording:
                kept = asked.recording, engine.read(source, num_frames=num_frames)
            said = engine.words(kept[1], (words,))[0] if path == "words" else engine.say(kept[1], words)
            by = "model"
        answered[at] = _judged(asked, said, by, time.perf_counter() - started)
        if each is not None:
            each(answered[at])
    return [answered[at] for at in range(len(questions))]


def _judged(asked: Question, said: str, source: str, seconds: float) -> Answered:
    answer = asked.answer
    # What a measurement adds in brackets explains; it is not the answer.
    words = re.sub(r"\s\((?![^)]*\d)[^)]*\)", "", said)
    parsed = _wanted_words(words, asked) if isinstance(answer, ShortText) else parse_answer(words, answer)
    parsed = None if source == "unknown" else parsed  # who cannot tell has not chosen what he names
    found = grade(parsed, answer, asked.answer_text)
    return Answered(
        question=asked, said=said, source=source, parsed=parsed, score=found.score, right=bool(found.right), latency_s=round(seconds, 3)
    )  # fmt: skip


def _wanted_words(said: str, asked: Question) -> str | None:
    """The wanted words if an answer holds them, else all its words."""
    accept = asked.answer.accept if isinstance(asked.answer, ShortText) else []
    text = plain(said)
    for wanted in map(plain, (asked.answer_text, *accept)):
        if re.search(rf"(?<![\w-]){re.escape(wanted)}(?![\w-])", text):
            return wanted
    return text or None


def questions_json(answered: Sequence[Answered]) -> dict[str, Any]:
    """The published shape of ``eval questions --json``."""
    groups: dict[str, dict[str, list[Answered]]] = {"recordings": {}, "kinds": {}, "sources": {}}
    for one in answered:
        keys = (one.question.recording, one.question.answer.kind, one.source)
        for group, key in zip(groups.values(), keys, strict=True):
            group.setdefault(key, []).append(one)
    return {
        **_share(answered),
        **{name: {key: _share(some) for key, some in sorted(group.items())} for name, group in groups.items()},
        "answers": [
            {
                "id": one.question.id, "recording": one.question.recording, "question": one.question.question,
                "truth": one.question.answer_text, "answer": one.said, "source": one.source, "parsed": one.parsed,
                "right": one.right, "score": round(one.score, 4), "latency_s": one.latency_s,
            }
            for one in answered
        ],
    }  # fmt: skip


def _share(answered: Sequence[Answered]) -> dict[str, Any]:
    right = sum(one.right for one in answered)
    return {
        "num": len(answered),
        "right": right,
        "accuracy": round(right / len(answered), 4),
        "score": round(sum(one.score for one in answered) / len(answered), 4),
    }


def questions_text(found: dict[str, Any]) -> str:
    """Accuracy and every failure, for people, from ``questions_json``."""
    lines = [f"{found['right']} of {found['num']} right ({found['accuracy']:.1%}), mean score {found['score']:.1%}"]
    for name in ("recordings", "kinds", "sources"):
        lines += ["", name]
        lines += [
            f"  {key:<28} {one['right']:>4} of {one['num']:<4} {one['accuracy']:.1%}"
            for key, one in found[name].items()
        ]
    wrong = [one for one in found["answers"] if not one["right"]]
    lines += ["", f"wrong: {len(wrong)}"]
    for one in wrong:
        said = json.dumps(one["answer"][:300], ensure_ascii=False)
        lines += [
            f"  {one['id']}  {one['recording']}  {one['question']}",
            f"      wanted {one['truth']}; {one['source']}: {said}",
        ]
    return "\n".join(lines)
