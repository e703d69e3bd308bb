"""Which task a query means, and what it names: a goal, the size of a thing, a robot.

Words decide, by the weights of ``task_cues``; no model is asked, so the same query always means the same, and a query
cannot talk its way into anything but one of four tasks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from video3d.answers.references import plain
from video3d.answers.results import TASKS, Task
from video3d.answers.task_cues import CUES
from video3d.answers.wishes import LIMITS, USUAL_HEIGHT_M, Wishes, wishes_of, within
from video3d.types import InputError

MAX_QUERY_CHARS = 4000
ENOUGH = 3
"""Weight from which words decide; below, a query means the scene."""

_TASK_OF: Mapping[str, Task] = {
    "goal": "navigation",
    "start": "navigation",
    "robot_radius": "navigation",
    "robot_height": "navigation",
    "max_step": "navigation",
    "size": "placement",
    "clearance": "placement",
    "camera_height": "driving",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query understood.

    Attributes:
        task: what to do.
        query: as asked, without control characters.
        decided_by: who chose the task.
        why: why this task, in words.
        wishes: what the query or the options name; lengths in metres.
        notes: what of it was not used, and what was assumed.
    """

    task: Task
    query: str
    decided_by: Literal["task", "query", "options", "default"]
    why: str
    wishes: Wishes
    notes: tuple[str, ...] = ()


def understand(query: str = "", task: str | None = None, options: Wishes | None = None) -> Asked:
    """What a query asks for.

    Args:
        query: in words, English or Chinese; "" for none.
        task: what the user chose; None lets the query decide.
        options: what the user gave outside the query; it wins over what the query says.

    Raises:
        InputError: no such task; an option of another task than the one chosen; a length out of range; a query that is
            too long or no text.

    >>> asked = understand("Find a path to the chair for a robot 40 cm wide")
    >>> asked.task, asked.decided_by, asked.wishes.goal, asked.wishes.robot_radius
    ('navigation', 'query', 'chair', 0.2)
    >>> understand("Where can I put a 30 cm vase?").wishes.size
    (0.3, 0.3, 0.3)
    >>> understand("What colour is the sofa?").task, understand("把花瓶放在哪里好？").task
    ('scene', 'placement')
    """
    check_words(query)
    options = options or Wishes()
    _check_options(options)
    if task is not None and task not in TASKS:
        raise InputError(
            "--task", expected=f"one of {', '.join(TASKS)}", got=repr(task), do="choose one, or leave it out"
        )
    given = [name for name in _TASK_OF if getattr(options, name) is not None]
    normal = plain(query)
    notes: list[str] = []
    if task is not None:
        strange = next((name for name in given if _TASK_OF[name] != task), None)
        if strange is not None:
            raise InputError(
                _option(strange),
                expected=f"an option of {task}",
                got=f"one of {_TASK_OF[strange]}",
                do=f"leave it out, or choose --task {_TASK_OF[strange]}",
            )
        by, why = "task", "the task was chosen"
        chosen: Task = next(one for one in TASKS if one == task)
    else:
        chosen, by, why = _decide(normal, given)
        unused = [_option(name) for name in given if _TASK_OF[name] != chosen]
        if unused:
            notes.append(f"not used, because the task is {chosen}: {', '.join(unused)}")
    wishes, said = wishes_of(normal, chosen)
    wishes = replace(wishes, **options.said())
    most = (wishes.robot_height or USUAL_HEIGHT_M) / 2
    if wishes.max_step is not None and wishes.max_step > most:
        raise InputError(
            "--max-step", expected=f"at most half the robot's height, {most:g} m", got=wishes.max_step, do="give metres"
        )
    wishes = wishes.only(["detector", *(name for name in _TASK_OF if _TASK_OF[name] == chosen)])
    return Asked(task=chosen, query=shown(query), decided_by=by, why=why, wishes=wishes, notes=(*notes, *said))


def check_words(text: str, thing: str = "query", *, empty: bool = True) -> None:
    """Raises InputError for a query or question that is too long, no text, or empty where it may not be."""
    if not empty and not text.strip():
        raise InputError(thing, expected=f"a {thing} in words", got="nothing")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(thing, expected="text", got="bytes that are no UTF-8") from error
    if len(text) > MAX_QUERY_CHARS:
        raise InputError(thing, expected=f"at most {MAX_QUERY_CHARS} characters", got=len(text))


def shown(query: str) -> str:
    """A query as it can be printed: on one line, without characters that a terminal would obey."""
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in query)).strip()


def scores(normal: str) -> dict[Task, tuple[int, tuple[str, ...]]]:
    """For every task the weight of its cues in a query that went through ``plain``, and the words that speak for it.

    >>> scores("walk to the door")["navigation"]
    (4, ('walk to',))
    """
    found: dict[Task, tuple[int, tuple[str, ...]]] = dict.fromkeys(TASKS, (0, ()))
    for cue in CUES:
        match = cue.pattern.search(normal)
        if match:
            weight, words = found[cue.task]
            said = (match[0].strip(" .,?!"),) if cue.weight > 0 else ()
            found[cue.task] = (weight + cue.weight, (*words, *said))
    return found


def _decide(normal: str, given: list[str]) -> tuple[Task, Literal["query", "options", "default"], str]:
    """The task with the most weight; of equal ones the one that comes first in ``TASKS``, the scene last."""
    found = scores(normal)
    weights = {task: found[task][0] for task in TASKS}
    best = max(TASKS, key=lambda task: weights[task])
    if weights[best] >= ENOUGH:
        words = ", ".join(f'"{word}"' for word in found[best][1][:4])
        why = f"the query says {words}"
        against = [task for task in TASKS if task != best and weights[task] >= ENOUGH]
        if against:
            why += f"; that outweighs what speaks for {' and '.join(against)}"
        return best, "query", why
    if given:
        return _TASK_OF[given[0]], "options", f"{_option(given[0])} was given"
    if not normal:
        return "scene", "default", "no query and no task were given"
    return (
        "scene",
        "default",
        "the query says nothing of walking, driving or putting in words that are known (English, Chinese)",
    )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_options(options: Wishes) -> None:
    for name, (low, high) in LIMITS.items():
        value = getattr(options, name)
        if value is not None and not within(name, value):
            expected = f"{'three lengths' if name == 'size' else 'a length'} from {low:g} to {high:g} metres"
            raise InputError(_option(name), expected=expected, got=value)
    for name in ("goal", "start"):
        where = getattr(options, name)
        if isinstance(where, str) and not where.strip():
            raise InputError(_option(name), expected="a place X,Y or a name", got="nothing")
        if isinstance(where, str) and len(where) > 200:
            raise InputError(_option(name), expected="a name of at most 200 characters", got=len(where))
        if isinstance(where, tuple) and not all(abs(v) <= 1e6 for v in where):
            raise InputError(_option(name), expected="a place X,Y in metres, in the world", got=where)
