"""From judged answers to a table: accuracy by type and subtype, with intervals over scenes, beside what blindness scores.

Questions of one room are no independent witnesses, so scenes are drawn with replacement and not questions (Efron's
bootstrap, percentile intervals, 95 %). The difference to the better blind baseline is drawn with the same scenes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.row import MIX
from video3d.evaluation.qa_ask import Prediction
from video3d.evaluation.qa_blind import Blind

REFERENCE = {"relation": 0.892, "layout": 0.825, "physics": 0.783, "average": 0.833}
"""The reference design's own table, on its own data: spatial, layout, physics, and their mean."""
AVERAGED = ("relation", "layout", "physics")
DOMAINS = ("all", "indoor", "street")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One group of questions.

    Attributes:
        name: a subtype, a type, ``average`` (of relation, layout and physics, weighed alike, as the reference's) or ``four
            types`` (all their questions).
        num: questions.
        scenes: rooms and places they are from.
        score: mean score, 0..1.
        interval: 95 %, over scenes; None with fewer than two.
        right: share of right answers; None where only scores are known.
        unread: share of answers that could not be read.
        majority: mean score of the most frequent answer.
        ngram: mean score of n-grams.
        over_blind: score less the better of the two.
        over_blind_interval: 95 %, over scenes.
    """

    name: str
    num: int
    scenes: int
    score: float
    interval: tuple[float, float] | None
    right: float | None
    unread: float
    majority: float
    ngram: float
    over_blind: float
    over_blind_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamReport:
    """What an examination found: lines by domain (``all``, ``indoor``, ``street``), and seconds a question.

    Attributes:
        lines: by domain, the whole first, then types, each with its subtypes.
        latency_s: median and 95th percentile over questions.
        num: questions answered.
    """

    lines: Mapping[str, tuple[Line, ...]]
    latency_s: tuple[float, float]
    num: int

    def line(self, name: str, domain: str = "all") -> Line | None:
        """A line by its name; None where no question belongs to it."""
        return next((line for line in self.lines.get(domain, ()) if line.name == name), None)


def scene_draws(num_scenes: int, draws: int, seed: int) -> Float64[np.ndarray, "r s"]:
    """How often each scene is in each draw with replacement.

    >>> scene_draws(3, 4, 0).sum(1).tolist()
    [3.0, 3.0, 3.0, 3.0]
    """
    chances = np.full(num_scenes, 1 / num_scenes)
    return np.random.default_rng(seed).multinomial(num_scenes, chances, size=draws).astype(np.float64)


def drawn_means(
    values: Float64[np.ndarray, "n"], scene: np.ndarray, draws: Float64[np.ndarray, "r s"]
) -> Float64[np.ndarray, "r"]:
    """Mean of the values in every draw of scenes; NaN where a draw has none of them.

    Args:
        values: one a question.
        scene: which scene it is of.
        draws: from ``scene_draws``.
    """
    sums = np.bincount(scene, values, draws.shape[1])
    counts = np.bincount(scene, minlength=draws.shape[1]).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return (draws @ sums) / (draws @ counts)


def interval_of(drawn: Float64[np.ndarray, "r"]) -> tuple[float, float]:
    """The middle 95 % of what was drawn."""
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def headline_parts(types: np.ndarray) -> list[np.ndarray]:
    """The questions that a report's first line counts, in parts that weigh alike, as masks: relation, layout and physics where all three
    were asked, else all of the four types, else those of the first type.

    Args:
        types: of all questions, one at least.

    >>> [part.tolist() for part in headline_parts(np.array(["relation", "caption", "action"]))]
    [[True, False, True]]
    """
    averaged = [types == name for name in AVERAGED]
    if all(part.any() for part in averaged):
        return averaged
    four = np.isin(types, list(MIX))
    return [four if four.any() else types == min(types)]


def report(
    predictions: Sequence[Prediction], blind: Sequence[Blind], *, draws: int = 2000, seed: int = 0
) -> ExamReport:
    """Groups, means and intervals.

    Args:
        predictions: judged answers.
        blind: what each is worth without looking, in the same order.
        draws: of the bootstrap.
        seed: of it.

    >>> report([], []).num
    0
    """
    seconds = [one.latency_s for one in predictions] or [0.0]
    lines = {}
    for domain in DOMAINS:
        at = [i for i, one in enumerate(predictions) if domain in ("all", one.domain)]
        if at:
            lines[domain] = _Group([predictions[i] for i in at], [blind[i] for i in at], draws, seed).lines()
    median, slow = (round(float(np.percentile(seconds, share)), 4) for share in (50, 95))
    return ExamReport(lines=lines, latency_s=(median, slow), num=len(predictions))


class _Group:
    """The questions of a domain, with the scenes drawn once for all lines."""

    def __init__(self, predictions: Sequence[Prediction], blind: Sequence[Blind], draws: int, seed: int) -> None:
        self.predictions = predictions
        names = sorted({one.scene_id for one in predictions})
        index = {name: at for at, name in enumerate(names)}
        self.scene = np.array([index[one.scene_id] for one in predictions])
        self.draws = scene_draws(len(names), draws, seed)
        self.worth = {
            "score": np.array([one.score for one in predictions]),
            "majority": np.array([one.majority.score for one in blind]),
            "ngram": np.array([one.ngram.score for one in blind]),
        }
        self.types = np.array([one.type for one in predictions])
        self.subtypes = np.array([one.subtype for one in predictions])

    def lines(self) -> tuple[Line, ...]:
        found = []
        if len(parts := headline_parts(self.types)) == len(AVERAGED):
            found.append(self._line("average", parts))
        if (four := np.isin(self.types, list(MIX))).any():
            found.append(self._line("four types", [four]))
        for name in [*MIX, *sorted(set(self.types) - set(MIX))]:
            if (here := self.types == name).any():
                found.append(self._line(name, [here]))
                found += [self._line(sub, [self.subtypes == sub]) for sub in sorted(set(self.subtypes[here]))]
        return tuple(found)

    def _line(self, name: str, parts: Sequence[np.ndarray]) -> Line:
        """The mean over parts of the mean over their questions."""
        every = np.logical_or.reduce(parts)
        asked = [one for one, here in zip(self.predictions, every, strict=True) if here]
        mean = {key: float(np.mean([values[part].mean() for part in parts])) for key, values in self.worth.items()}
        drawn = {
            key: np.mean([drawn_means(values[part], self.scene[part], self.draws) for part in parts], axis=0)
            for key, values in self.worth.items()
        }
        better = "ngram" if mean["ngram"] > mean["majority"] else "majority"
        judged = [[one.right for one, here in zip(self.predictions, part, strict=True) if here] for part in parts]
        known = all(right is not None for part in judged for right in part)
        scenes = len(set(self.scene[every].tolist()))
        return Line(
            name=name,
            num=len(asked),
            scenes=scenes,
            score=round(mean["score"], 4),
            interval=interval_of(drawn["score"]) if scenes > 1 else None,
            right=round(float(np.mean([np.mean([bool(r) for r in part]) for part in judged])), 4) if known else None,
            unread=round(float(np.mean([one.parsed is None for one in asked])), 4),
            majority=round(mean["majority"], 4),
            ngram=round(mean["ngram"], 4),
            over_blind=round(mean["score"] - mean[better], 4),
            over_blind_interval=interval_of(drawn["score"] - drawn[better]) if scenes > 1 else None,
        )


def report_json(found: ExamReport) -> dict[str, Any]:
    """The published shape of a report."""
    return {
        "num_questions": found.num,
        "latency_s": {"median": found.latency_s[0], "p95": found.latency_s[1]},
        "lines": {domain: [asdict(line) for line in lines] for domain, lines in found.lines.items()},
        "reference": REFERENCE,
    }


_HEAD = (
    "questions",
    "n",
    "scenes",
    "score (95 %)",
    "right",
    "unread",
    "majority",
    "n-gram",
    "over blind (95 %)",
    "reference",
)


def report_markdown(found: ExamReport, *, subtypes: bool = True) -> str:
    """Tables for people, in per cent: all, indoor, street."""
    parts = []
    for domain, lines in found.lines.items():
        rows = [_cells(line, domain) for line in lines if subtypes or "." not in line.name]
        parts += [f"### {domain}", "", *_table([_HEAD, *rows]), ""]
    median, slow = found.latency_s
    parts.append(f"Seconds a question: median {median:.3f}, 95th percentile {slow:.3f}.")
    return "\n".join(parts)


def percent(share: float | None, between: tuple[float, float] | None = None, *, sign: bool = False) -> str:
    """A share in per cent with its interval, ``-`` for None.

    >>> percent(0.5, (0.4, 0.61)), percent(None)
    ('50.0 (40.0 to 61.0)', '-')
    """
    if share is None:
        return "-"
    form = "+.1f" if sign else ".1f"
    text = f"{100 * share:{form}}"
    return text if between is None else f"{text} ({100 * between[0]:{form}} to {100 * between[1]:{form}})"


def _cells(line: Line, domain: str) -> tuple[str, ...]:
    reference = REFERENCE.get(line.name) if domain == "all" else None
    return (
        f"- {line.name}" if "." in line.name else f"**{line.name}**",
        str(line.num),
        str(line.scenes),
        percent(line.score, line.interval),
        percent(line.right),
        percent(line.unread),
        percent(line.majority),
        percent(line.ngram),
        percent(line.over_blind, line.over_blind_interval, sign=True),
        percent(reference),
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    wide = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in wide) + "|", *lines[1:]]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table, the first its head.

    >>> print(markdown_table([("a", "b"), ("1", "22")]))
    | a | b  |
    |---|----|
    | 1 | 22 |
    """
    return "\n".join(_table(rows))
